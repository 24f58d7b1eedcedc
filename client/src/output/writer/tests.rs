use super::*;
use crate::output::samples::{frame, seconds, tracks};
use std::sync::mpsc::{Receiver, Sender, channel};

/// A disk that takes nothing until it is let go.
struct Stuck(Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Let go by dropping the other end.
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn stuck(when_full: WhenFull) -> (Writer, Sender<()>) {
    let (let_go, stuck) = channel();
    let (broken, _) = mpsc::channel(1);
    let writer = Writer::start(
        Path::new("recording.ts"),
        Stuck(stuck),
        100_000,
        when_full,
        broken,
    );
    (writer, let_go)
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("banyan-writer-{name}-{}.ts", std::process::id()))
}

#[test]
fn a_recording_is_whole_when_it_is_finished() {
    let path = temporary("whole");
    let (broken, _heard) = mpsc::channel(1);
    let mut writer = Writer::file(&path, 1 << 20, broken).unwrap();
    for play in seconds(2) {
        writer.play(&play).unwrap();
    }
    writer.finish().unwrap();
    let written = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(written.len().is_multiple_of(188) && written.chunks(188).all(|packet| packet[0] == 0x47));
    // 50 frames and as much sound, each a packet at least.
    assert!(written.len() / 188 >= 100);
}

#[test]
fn a_full_disk_is_said_and_is_an_error() {
    let (broken, mut heard) = mpsc::channel(1);
    let mut writer = Writer::file(Path::new("/dev/full"), 1 << 20, broken).unwrap();
    for play in seconds(1) {
        writer.play(&play).unwrap();
    }
    let Some(Broken::Failed(error)) = heard.blocking_recv() else {
        panic!("a failure")
    };
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert_eq!(error.exit_code(), 1);
    assert_eq!(writer.finish().unwrap_err().exit_code(), 1);
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let (broken, _heard) = mpsc::channel(1);
    let error = Writer::file(Path::new("/nonexistent/a.ts"), 1, broken).unwrap_err();
    assert!(error.to_string().contains("its folder does not exist"), "{error}");
}

#[test]
fn a_disk_that_is_too_slow_fails_the_recording_and_holds_up_nobody() {
    let (mut writer, let_go) = stuck(WhenFull::Fail);
    writer.play(&tracks()).unwrap();
    let failed = (0..2_000).find_map(|dts| writer.play(&frame(dts, true)).err());
    assert!(failed.unwrap().to_string().contains("too slow"));
    drop(let_go);
    writer.finish().unwrap();
}

#[test]
fn a_player_that_pauses_misses_frames_and_goes_on_with_a_keyframe() {
    let (mut writer, let_go) = stuck(WhenFull::Skip { skipping: false });
    writer.play(&tracks()).unwrap();
    for dts in 0..2_000 {
        writer.play(&frame(dts, true)).unwrap();
    }
    assert_eq!(writer.when_full, WhenFull::Skip { skipping: true });
    drop(let_go);
    while !writer.queue.is_empty() {
        std::thread::yield_now();
    }
    writer.play(&frame(2_000, false)).unwrap();
    assert_eq!(writer.when_full, WhenFull::Skip { skipping: true });
    writer.play(&frame(2_001, true)).unwrap();
    assert_eq!(writer.when_full, WhenFull::Skip { skipping: false });
    writer.finish().unwrap();
}

#[test]
fn a_closed_pipe_is_a_good_end() {
    let (reader, pipe) = io::pipe().unwrap();
    drop(reader);
    let (broken, mut heard) = mpsc::channel(1);
    let when_full = WhenFull::Skip { skipping: false };
    let mut writer = Writer::start(Path::new("standard output"), pipe, 1 << 20, when_full, broken);
    for play in seconds(1) {
        writer.play(&play).unwrap();
    }
    assert!(matches!(heard.blocking_recv(), Some(Broken::Closed)));
    writer.finish().unwrap();
}
