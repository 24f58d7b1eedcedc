//! Clips made with the `ffmpeg` program, and what is measured on what comes out.
#![allow(dead_code, clippy::unwrap_used)]

use banyan_media::ingest::{Ingest, IngestEvent};
use banyan_media::output::TsWriter;
use banyan_protocol::io::{Play, TierSetup};
use banyan_protocol::media::{Packet, TierId};
use bytes::Bytes;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A folder that goes away with its owner.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("banyan-media-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `ffmpeg` to its end; its arguments are separated by blanks.
pub(crate) fn ffmpeg(arguments: &str) {
    let status = command(arguments).status().unwrap();
    assert!(status.success(), "ffmpeg {arguments}");
}

fn command(arguments: &str) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y"]);
    command.args(arguments.split_whitespace());
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// An `ffmpeg` that pushes, killed with its owner.
pub(crate) struct Pusher(Child);

impl Pusher {
    pub(crate) fn start(arguments: &str) -> Self {
        Self(command(arguments).spawn().unwrap())
    }
}

impl Drop for Pusher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `-f lavfi` inputs: a moving picture of 320x180 at 30 frames a second, and a tone.
pub(crate) const PICTURE: &str = "-f lavfi -i testsrc2=size=320x180:rate=30";
pub(crate) const TONE: &str = "-f lavfi -i sine=frequency=440:sample_rate=48000";

/// H.264 with B-frames and a keyframe each second at well over the low tier's rate, and AAC, in any container.
pub(crate) fn clip(folder: &Folder, name: &str, seconds: u32) -> String {
    let path = folder.path(name);
    ffmpeg(&format!(
        "{PICTURE} {TONE} -t {seconds} -c:v libx264 -preset veryfast -bf 2 -g 30 -b:v 900k -minrate 900k \
         -maxrate 900k -bufsize 900k -nal-hrd cbr -c:a aac -b:a 96k {path}"
    ));
    path
}

/// The checksum of each decoded frame of a file's picture.
pub(crate) fn frames(path: impl AsRef<Path>) -> Vec<String> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path.as_ref())
        .args(["-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit(',').next().unwrap().trim().to_owned())
        .collect()
}

/// What `ffprobe` says about a file, or a URL: the entries asked for, one line a stream.
pub(crate) fn probe(input: &str, entries: &str) -> Vec<String> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0", "-show_entries", entries, input])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.retain(|line| !line.is_empty());
    lines
}

/// Everything that came from an input.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) tiers: Vec<TierSetup>,
    pub(crate) announced: usize,
    pub(crate) packets: Vec<(TierId, Packet)>,
    pub(crate) discontinuities: usize,
    pub(crate) warnings: Vec<String>,
    pub(crate) ended: bool,
}

impl Heard {
    pub(crate) fn track(&self, tier: u8, track: u8) -> Vec<&Packet> {
        let wanted = |(id, packet): &&(TierId, Packet)| id.0 == tier && packet.track == track;
        self.packets
            .iter()
            .filter(wanted)
            .map(|(_, packet)| packet)
            .collect()
    }

    /// The top tier's number.
    pub(crate) fn top(&self) -> u8 {
        self.tiers.last().unwrap().tier.0
    }

    /// A tier as a transport stream.
    pub(crate) fn write(&self, tier: u8, path: &str) {
        let mut writer = TsWriter::new(std::fs::File::create(path).unwrap());
        let setup = self.tiers.iter().find(|setup| setup.tier.0 == tier).unwrap();
        let tracks = setup.tracks.clone().into();
        writer
            .play(&Play::Tracks {
                tier: setup.tier,
                tracks,
            })
            .unwrap();
        for (id, packet) in &self.packets {
            if id.0 == tier {
                writer.play(&Play::Packet(packet.clone())).unwrap();
            }
        }
        writer.finish().unwrap();
    }

    /// Panics unless times grow within each track, and nothing is shown before it is decoded.
    pub(crate) fn check_times(&self) {
        for setup in &self.tiers {
            for track in 0..setup.tracks.len() {
                let packets = self.track(setup.tier.0, track as u8);
                assert!(packets.windows(2).all(|two| two[0].dts < two[1].dts));
                assert!(packets.iter().all(|packet| packet.pts >= packet.dts));
                assert!(packets.iter().all(|packet| packet.dts >= 0));
            }
        }
    }

    pub(crate) fn take(&mut self, event: IngestEvent) {
        match event {
            IngestEvent::Tiers(tiers) => {
                self.tiers = tiers;
                self.announced += 1;
            }
            IngestEvent::Packet { tier, packet } => self.packets.push((tier, packet)),
            IngestEvent::Discontinuity => self.discontinuities += 1,
            IngestEvent::Warning(text) => self.warnings.push(text),
            IngestEvent::Ended(_) => self.ended = true,
            IngestEvent::Failed(error) => panic!("{error}"),
            IngestEvent::Paused(_) | IngestEvent::Resumed => (),
        }
    }
}

/// Takes in events until `enough`, or the input ends. Panics after 30 s.
pub(crate) fn hear(ingest: &Ingest, heard: &mut Heard, mut enough: impl FnMut(&Heard) -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !enough(heard) {
        let left = end.saturating_duration_since(Instant::now());
        match ingest.events().recv_timeout(left) {
            Ok(event) => heard.take(event),
            Err(_) if heard.ended => return,
            Err(error) => panic!("{error} after {} packets", heard.packets.len()),
        }
    }
}

/// Everything of an input that ends.
pub(crate) fn hear_all(input: &str, options: banyan_media::ingest::Options) -> Heard {
    let ingest = banyan_media::ingest::open(input, options).unwrap();
    let mut heard = Heard::default();
    hear(&ingest, &mut heard, |heard| heard.ended);
    heard.check_times();
    heard
}

/// A port that was free a moment ago, for a test of its own.
pub(crate) fn free_port() -> u16 {
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    tcp.local_addr().unwrap().port()
}

/// Serves files over HTTP on a port of its own, for as long as the test runs; gives the URL of the one named.
pub(crate) fn serve(name: &str, file: impl Fn(&str) -> Option<Bytes> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/{name}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let name = requested(BufReader::new(stream.try_clone().unwrap()));
            let (status, body) = match file(&name) {
                Some(body) => ("200 OK", body),
                None => ("404 Not Found", Bytes::new()),
            };
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            // A player may leave at any time, and read slowly.
            std::thread::spawn(move || {
                stream
                    .write_all(head.as_bytes())
                    .and_then(|()| stream.write_all(&body))
            });
        }
    });
    url
}

/// The name in a request, whose head is read to its end.
fn requested(lines: impl BufRead) -> String {
    let head = lines
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty());
    let head: Vec<_> = head.collect();
    let first = head.first().map(String::as_str).unwrap_or_default();
    first.split(['/', ' ']).nth(2).unwrap_or_default().to_owned()
}
