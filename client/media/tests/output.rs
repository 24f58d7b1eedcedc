//! What the writers make of what is played.
#![allow(clippy::unwrap_used)]

mod support;

use banyan_media::ingest::Options;
use banyan_media::output::{Error, HlsSegmenter, TsWriter};
use banyan_protocol::io::Play;
use std::io::Write;
use std::sync::{Arc, Mutex};
use support::{Folder, Heard, clip, frames, hear_all, probe, serve};

/// A tier as it is played: its tracks, and its packets.
fn played(heard: &Heard, tier: u8) -> Vec<Play> {
    let setup = heard.tiers.iter().find(|setup| setup.tier.0 == tier).unwrap();
    let tracks = Play::Tracks {
        tier: setup.tier,
        tracks: setup.tracks.clone().into(),
    };
    let packets = heard.packets.iter().filter(|(id, _)| id.0 == tier);
    std::iter::once(tracks)
        .chain(packets.map(|(_, packet)| Play::Packet(packet.clone())))
        .collect()
}

/// A writer whose content can be looked at meanwhile.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn each_packet_is_written_at_once_in_whole_ts_packets() {
    let folder = Folder::new();
    let heard = hear_all(&clip(&folder, "clip.mp4", 2), Options::default());
    let out = Shared::default();
    let mut writer = TsWriter::new(out.clone());
    for play in played(&heard, 1) {
        let before = out.0.lock().unwrap().len();
        writer.play(&play).unwrap();
        let written = out.0.lock().unwrap().len() - before;
        assert_eq!(written % 188, 0);
        if let Play::Packet(packet) = play {
            assert!(written >= packet.data.len());
        }
    }
}

#[test]
fn a_change_of_tier_goes_on_in_the_same_file() {
    let folder = Folder::new();
    let heard = hear_all(&clip(&folder, "clip.mp4", 4), Options::default());
    let (low, top) = (played(&heard, 0), played(&heard, 1));
    let second = 90_000;
    let start = heard.track(1, 0)[0].pts;
    let before = |play: &&Play| !matches!(play, Play::Packet(it) if it.pts >= start + 2 * second);
    let after = |play: &&Play| !matches!(play, Play::Packet(it) if it.pts < start + 2 * second);
    let path = folder.path("out.ts");
    let mut writer = TsWriter::new(std::fs::File::create(&path).unwrap());
    for play in top.iter().filter(before).chain(low.iter().filter(after)) {
        writer.play(play).unwrap();
    }
    writer.finish().unwrap();
    let decoded = frames(&path).len();
    assert!((118..=120).contains(&decoded), "{decoded} frames");
    let streams = probe(&path, "stream=codec_name,start_time,duration");
    assert!(streams.iter().any(|it| it.starts_with("aac")), "{streams:?}");
}

#[test]
fn a_gap_is_no_end() {
    let folder = Folder::new();
    let heard = hear_all(&clip(&folder, "clip.mp4", 4), Options::default());
    let path = folder.path("out.ts");
    let mut writer = TsWriter::new(std::fs::File::create(&path).unwrap());
    let start = heard.track(1, 0)[0].dts;
    for play in played(&heard, 1) {
        let at = match &play {
            Play::Packet(packet) => packet.dts - start,
            _ => 0,
        };
        if (90_000..2 * 90_000).contains(&at) {
            continue;
        }
        if matches!(&play, Play::Packet(it) if it.track == 0 && at == 2 * 90_000) {
            writer.play(&Play::Gap).unwrap();
        }
        writer.play(&play).unwrap();
    }
    writer.finish().unwrap();
    let decoded = frames(&path).len();
    assert!((88..=92).contains(&decoded), "{decoded} frames");
}

/// A disk that is full after so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let fits = bytes.len().min(self.0);
        self.0 -= fits;
        if fits == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        }
        Ok(fits)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_writer_s_error_comes_through_untouched() {
    let folder = Folder::new();
    let heard = hear_all(&clip(&folder, "clip.mp4", 2), Options::default());
    let mut writer = TsWriter::new(Full(50_000));
    let failed = played(&heard, 1).iter().find_map(|play| writer.play(play).err());
    match failed.unwrap() {
        Error::Write(error) => assert_eq!(error.kind(), std::io::ErrorKind::StorageFull),
        other => panic!("{other}"),
    }
}

#[test]
fn a_player_reads_hls_over_http() {
    let folder = Folder::new();
    let path = clip(&folder, "clip.mp4", 5);
    let heard = hear_all(&path, Options::default());
    let mut hls = HlsSegmenter::new();
    assert!(!hls.is_ready());
    played(&heard, 1).iter().for_each(|play| hls.play(play).unwrap());
    assert_eq!(hls.newest(), Some(3), "a segment is there when the next begins");
    hls.finish().unwrap();
    assert!(
        hls.codecs().starts_with("avc1.64") && hls.codecs().ends_with(",mp4a.40.2"),
        "{}",
        hls.codecs()
    );
    let url = serve("live.m3u8", move |name| match name {
        "live.m3u8" => Some(hls.playlist().into()),
        name => hls.file(name),
    });
    assert_eq!(frames(&url), frames(&path));
    let streams = probe(&url, "stream=codec_name");
    assert!(
        streams.contains(&"h264".into()) && streams.contains(&"aac".into()),
        "{streams:?}"
    );
    let times = probe(&url, "stream=start_time");
    let times: Vec<f64> = times.iter().map(|it| it.parse().unwrap()).collect();
    assert!((times[0] - times[1]).abs() < 0.04, "{times:?}");
}

#[test]
fn segments_stand_on_the_media_clock_and_old_ones_go() {
    let folder = Folder::new();
    let heard = hear_all(&clip(&folder, "clip.mp4", 4), Options::default());
    let mut hls = HlsSegmenter::new();
    let plays = played(&heard, 1);
    let length = 4 * 90_000;
    for round in 0..5 {
        for play in &plays {
            let mut play = play.clone();
            if let Play::Packet(packet) = &mut play {
                packet.dts += round * length;
                packet.pts += round * length;
            }
            hls.play(&play).unwrap();
        }
    }
    let newest = hls.newest().unwrap();
    assert_eq!(newest, 18);
    let playlist = hls.playlist();
    assert_eq!(playlist.matches("#EXTINF").count(), 8, "{playlist}");
    assert!(playlist.contains("#EXT-X-MEDIA-SEQUENCE:11\n"), "{playlist}");
    assert!(!playlist.contains("#EXT-X-DISCONTINUITY\n"), "{playlist}");
    assert!(hls.segment(0).is_none() && hls.segment(newest).is_some());
    let segment = hls.segment(newest).unwrap();
    let at = segment.windows(4).position(|four| four == b"tfdt").unwrap();
    let decoded = u64::from_be_bytes(segment[at + 8..at + 16].try_into().unwrap());
    let begins = heard.track(1, 0)[0].dts as u64 + 18 * 90_000;
    assert!(decoded.abs_diff(begins) < 90, "{decoded} instead of {begins}");
}

#[test]
fn another_tier_begins_with_another_initialisation() {
    let folder = Folder::new();
    let heard = hear_all(&clip(&folder, "clip.mp4", 3), Options::default());
    let mut hls = HlsSegmenter::new();
    for play in played(&heard, 1).iter().chain(&played(&heard, 0)) {
        hls.play(play).unwrap();
    }
    let playlist = hls.playlist();
    let lines: Vec<_> = playlist.lines().collect();
    let jump = lines
        .iter()
        .position(|line| *line == "#EXT-X-DISCONTINUITY")
        .unwrap();
    assert_eq!(lines[jump + 1], "#EXT-X-MAP:URI=\"init-1.mp4\"");
    assert!(hls.init(0).is_some() && hls.init(1).is_some() && hls.init(0) != hls.init(1));
}
