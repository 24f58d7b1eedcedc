//! Live inputs: pushed, killed and pushed again, on this machine.
#![allow(clippy::unwrap_used)]

mod support;

use banyan_media::Error;
use banyan_media::ingest::{self, Ingest, IngestEvent, Mode, Options};
use banyan_protocol::media::{Codec, Kind};
use std::time::{Duration, Instant};
use support::{Folder, Heard, PICTURE, Pusher, TONE, clip, ffmpeg, frames, free_port, hear};

/// An input that says that it waits, and for what.
fn waiting(input: &str) -> Ingest {
    let ingest = ingest::open(input, Options::default()).unwrap();
    match ingest.events().recv_timeout(Duration::from_secs(5)).unwrap() {
        IngestEvent::Paused(text) => assert!(text.contains(input), "{text}"),
        other => panic!("{other:?}"),
    }
    ingest
}

/// Pushes a clip for a while, kills the pusher, pushes again, and looks at what came.
fn assert_comes_back(input: &str, push: impl Fn(&str) -> String) {
    let folder = Folder::new();
    let path = clip(&folder, "clip.mp4", 12);
    let ingest = waiting(input);
    let mut heard = Heard::default();
    for breaks in 0..2 {
        let back = |heard: &Heard| heard.announced >= 1 && heard.discontinuities >= breaks;
        // A pusher that calls before the input listens is refused and ends, so it is started until it is heard.
        let pusher = (0..8).find_map(|_| {
            let pusher = Pusher::start(&push(&path));
            let until = Instant::now() + Duration::from_secs(5);
            hear_until(&ingest, &mut heard, until, back);
            back(&heard).then_some(pusher)
        });
        assert!(pusher.is_some(), "nothing came after {breaks} breaks");
        let before = heard.packets.len();
        hear(&ingest, &mut heard, |heard| heard.packets.len() > before + 300);
    }
    let stopping = Instant::now();
    drop(ingest);
    assert!(
        stopping.elapsed() < Duration::from_millis(500),
        "{:?}",
        stopping.elapsed()
    );
    heard.check_times();
    assert!(heard.discontinuities >= 1);
    assert_eq!(heard.tiers.len(), 2);
    assert_eq!(heard.tiers[1].tracks[0].codec, Codec::H264);
    assert_eq!(heard.tiers[1].tracks[1].codec, Codec::Aac);
    assert!(heard.track(1, 0)[0].keyframe);
    let out = folder.path("out.ts");
    heard.write(1, &out);
    let came = frames(&out);
    let original = frames(&path);
    let known = came.iter().filter(|frame| original.contains(frame)).count();
    assert!(known * 100 >= came.len() * 90, "{known} of {} frames", came.len());
}

fn hear_until(ingest: &Ingest, heard: &mut Heard, until: Instant, enough: impl Fn(&Heard) -> bool) {
    while !enough(heard) {
        let left = until.saturating_duration_since(Instant::now());
        match ingest.events().recv_timeout(left) {
            Ok(event) => heard.take(event),
            Err(_) => return,
        }
    }
}

#[test]
fn rtmp_comes_back() {
    let url = format!("rtmp://127.0.0.1:{}/live/key", free_port());
    assert_comes_back(&url, |clip| format!("-re -i {clip} -c copy -f flv {url}"));
}

#[test]
fn srt_comes_back() {
    let port = free_port();
    let listen = format!("srt://127.0.0.1:{port}?mode=listener");
    let call = format!("srt://127.0.0.1:{port}");
    assert_comes_back(&listen, |clip| format!("-re -i {clip} -c copy -f mpegts {call}"));
}

#[test]
fn udp_comes_back() {
    let url = format!("udp://127.0.0.1:{}", free_port());
    assert_comes_back(&url, |clip| {
        format!("-re -i {clip} -c copy -f mpegts {url}?pkt_size=1316")
    });
}

#[test]
fn a_tuner_s_mpeg2_with_mp2_is_encoded() {
    let folder = Folder::new();
    let path = folder.path("tv.ts");
    ffmpeg(&format!(
        "{PICTURE} {TONE} -t 8 -c:v mpeg2video -b:v 2M -g 15 -c:a mp2 {path}"
    ));
    let url = format!("udp://127.0.0.1:{}", free_port());
    let ingest = waiting(&url);
    let _pusher = Pusher::start(&format!("-re -i {path} -c copy -f mpegts {url}?pkt_size=1316"));
    let mut heard = Heard::default();
    hear(&ingest, &mut heard, |heard| heard.packets.len() > 400);
    heard.check_times();
    let top = heard.tiers.last().unwrap();
    assert_eq!(top.tracks[0].codec, Codec::H264);
    assert_eq!(top.tracks[1].codec, Codec::Aac);
    assert!(heard.track(heard.top(), 1).len() > 50);
}

#[test]
fn rare_keyframes_of_a_live_input_are_named_and_mended() {
    let folder = Folder::new();
    let path = folder.path("clip.mp4");
    ffmpeg(&format!(
        "{PICTURE} -t 24 -c:v libx264 -preset veryfast -g 180 -sc_threshold 0 -b:v 900k -nal-hrd cbr \
         -maxrate 900k -bufsize 900k {path}"
    ));
    let url = format!("udp://127.0.0.1:{}", free_port());
    let ingest = waiting(&url);
    let _pusher = Pusher::start(&format!("-re -i {path} -c copy -f mpegts {url}?pkt_size=1316"));
    let mut heard = Heard::default();
    hear(&ingest, &mut heard, |heard| heard.discontinuities == 1);
    assert!(
        heard
            .warnings
            .iter()
            .any(|text| text.contains("Keyframe Interval"))
    );
    let before = heard.packets.len();
    let keyframes = |heard: &Heard| -> Vec<i64> {
        let top = heard.top();
        let since = heard.packets[before..]
            .iter()
            .filter(|it| it.0.0 == top && it.1.track == 0);
        since.filter(|it| it.1.keyframe).map(|it| it.1.dts).collect()
    };
    hear(&ingest, &mut heard, |heard| keyframes(heard).len() >= 3);
    heard.check_times();
    let times = keyframes(&heard);
    assert!(
        times.windows(2).all(|two| two[1] - two[0] <= 3 * 90_000),
        "{times:?}"
    );
}

#[test]
fn a_pusher_without_a_picture_does_not_end_the_channel() {
    let folder = Folder::new();
    let sound = folder.path("sound.ts");
    ffmpeg(&format!("{TONE} -t 10 -c:a aac {sound}"));
    let path = clip(&folder, "clip.mp4", 10);
    let url = format!("udp://127.0.0.1:{}", free_port());
    let ingest = waiting(&url);
    let push = |path: &str| Pusher::start(&format!("-re -i {path} -c copy -f mpegts {url}?pkt_size=1316"));
    let pusher = push(&sound);
    let mut heard = Heard::default();
    hear(&ingest, &mut heard, |heard| !heard.warnings.is_empty());
    assert!(heard.warnings[0].contains("no video"), "{:?}", heard.warnings);
    drop(pusher);
    let _pusher = push(&path);
    hear(&ingest, &mut heard, |heard| heard.packets.len() > 100);
    assert_eq!(heard.tiers.len(), 2);
}

#[test]
fn another_picture_from_the_same_place_is_announced() {
    let folder = Folder::new();
    let small = clip(&folder, "small.mp4", 10);
    let large = folder.path("large.mp4");
    ffmpeg(&format!(
        "-f lavfi -i testsrc2=size=640x480:rate=30 {TONE} -t 10 -c:v libx264 -preset veryfast -g 30 -b:v 1M -c:a aac {large}"
    ));
    let url = format!("udp://127.0.0.1:{}", free_port());
    let ingest = waiting(&url);
    let push = |path: &str| Pusher::start(&format!("-re -i {path} -c copy -f mpegts {url}?pkt_size=1316"));
    let mut heard = Heard::default();
    for (path, size) in [(&small, (320, 180)), (&large, (640, 480))] {
        let _pusher = push(path);
        hear(&ingest, &mut heard, |heard| {
            heard.tiers.last().is_some_and(|top| match top.tracks[0].kind {
                Kind::Video { width, height, .. } => (width, height) == size,
                Kind::Audio { .. } => false,
            })
        });
        let before = heard.packets.len();
        hear(&ingest, &mut heard, |heard| heard.packets.len() > before + 100);
    }
    heard.check_times();
    assert!(heard.discontinuities >= 1);
}

#[test]
fn a_silent_server_can_be_left() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let input = format!("http://{}/live.ts", silent.local_addr().unwrap());
    let ingest = ingest::open(&input, Options::default()).unwrap();
    let (_held, _) = silent.accept().unwrap();
    match ingest.events().recv_timeout(Duration::from_secs(5)).unwrap() {
        IngestEvent::Paused(_) => (),
        other => panic!("{other:?}"),
    }
    let start = Instant::now();
    drop(ingest);
    assert!(
        start.elapsed() < Duration::from_millis(400),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_listener_stops_at_once() {
    for input in [
        format!("rtmp://127.0.0.1:{}/live/key", free_port()),
        format!("srt://127.0.0.1:{}?mode=listener", free_port()),
        format!("udp://127.0.0.1:{}", free_port()),
    ] {
        let ingest = waiting(&input);
        let start = Instant::now();
        ingest.stopper().stop();
        let last = ingest.events().recv_timeout(Duration::from_secs(5));
        assert!(last.is_err(), "{last:?}");
        drop(ingest);
        assert!(
            start.elapsed() < Duration::from_millis(400),
            "{input}: {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn a_port_in_use_is_told_apart() {
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for input in [
        format!("rtmp://{}/live/key", tcp.local_addr().unwrap()),
        format!("srt://{}?mode=listener", udp.local_addr().unwrap()),
        format!("udp://{}", udp.local_addr().unwrap()),
    ] {
        let error = ingest::open(&input, Options::default()).err().unwrap();
        assert!(matches!(error, Error::AddressInUse { .. }), "{input}: {error}");
    }
}

#[test]
fn the_test_pattern_is_as_asked() {
    let input = "test:?size=640x360&rate=30&bitrate=1M&gop=500ms";
    let ingest = ingest::open(input, Options::default()).unwrap();
    let mut heard = Heard::default();
    let start = Instant::now();
    hear(&ingest, &mut heard, |heard| {
        !heard.tiers.is_empty() && heard.track(heard.top(), 0).len() >= 90
    });
    assert!(
        start.elapsed() > Duration::from_millis(2500),
        "{:?}",
        start.elapsed()
    );
    heard.check_times();
    let top = heard.track(1, 0);
    assert_eq!(top.iter().filter(|it| it.keyframe).count(), 6);
    let bits: usize = top.iter().map(|it| it.data.len() * 8).sum();
    assert!((2_000_000..4_000_000).contains(&bits), "{bits} bits in 3 s");
    assert!(heard.track(1, 1).len() > 100);
}

#[test]
fn a_server_that_refuses_is_told_at_once() {
    for input in [
        format!("http://127.0.0.1:{}/live.ts", free_port()),
        format!("rtsp://127.0.0.1:{}/live", free_port()),
    ] {
        let ingest = ingest::open(
            &input,
            Options {
                mode: Mode::Auto,
                loop_file: false,
            },
        )
        .unwrap();
        match ingest.events().recv_timeout(Duration::from_secs(5)).unwrap() {
            IngestEvent::Failed(Error::Unreadable { .. }) => (),
            other => panic!("{input}: {other:?}"),
        }
    }
}
