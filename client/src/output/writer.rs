//! MPEG-TS to a file or to standard output, on a thread of its own.

use crate::error::Error;
use crate::output::queue::{self, Queue, Rejected, Waiting};
use banyan_media::output::{Error as MuxError, TsWriter};
use banyan_protocol::io::Play;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use tokio::sync::mpsc;

/// What waits for whoever reads standard output, before frames are left out: a player that is paused for half a minute.
const STDOUT_MEMORY: u64 = 16 << 20;

/// The writer ended before the stream did.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Whoever read standard output has gone.
    Closed,
    /// It cannot be written.
    Failed(Error),
}

/// A running writer.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    queue: Queue,
    thread: JoinHandle<Result<(), MuxError>>,
    when_full: WhenFull,
}

/// What happens to a frame for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WhenFull {
    /// The writer fails: a recording is whole, or says that it isn't.
    Fail,
    /// It is left out, with all up to the next keyframe for which there is room again.
    Skip {
        /// Frames are being left out.
        skipping: bool,
    },
}

impl Writer {
    /// To a new file at `path`; at most `memory` bytes of frames wait for the disk. `broken` hears when it fails.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub(crate) fn file(path: &Path, memory: u64, broken: mpsc::Sender<Broken>) -> Result<Self, Error> {
        let file = File::create(path).map_err(|error| cannot_write(path, &error))?;
        Ok(Self::start(path, file, memory, WhenFull::Fail, broken))
    }

    /// To standard output. `broken` hears when nobody reads it any more.
    ///
    /// # Errors
    /// If there is no standard output.
    pub(crate) fn stdout(broken: mpsc::Sender<Broken>) -> Result<Self, Error> {
        let path = Path::new("standard output");
        let owned = io::stdout().as_fd().try_clone_to_owned();
        let file = File::from(owned.map_err(|error| cannot_write(path, &error))?);
        let when_full = WhenFull::Skip { skipping: false };
        Ok(Self::start(path, file, STDOUT_MEMORY, when_full, broken))
    }

    fn start(
        path: &Path,
        sink: impl Write + Send + 'static,
        memory: u64,
        when_full: WhenFull,
        broken: mpsc::Sender<Broken>,
    ) -> Self {
        let (queue, waiting) = queue::queue(memory);
        let name = path.to_path_buf();
        let thread = std::thread::Builder::new().name("output".into()).spawn(move || {
            let result = write(&waiting, sink);
            if let Err(error) = &result {
                // The session may have ended meanwhile; it sees the result then.
                let _ = broken.blocking_send(broken_by(&name, error));
            }
            result
        });
        Self {
            path: path.into(),
            queue,
            thread: thread.expect("a thread can be started"),
            when_full,
        }
    }

    /// Hands on what is played now. Never waits.
    ///
    /// # Errors
    /// If the disk has fallen too far behind.
    pub(crate) fn play(&mut self, play: &Play) -> Result<(), Error> {
        if self.skips(play) {
            return Ok(());
        }
        match (self.queue.push(play.clone()), &mut self.when_full) {
            (Ok(()), _) => Ok(()),
            // Its thread has said why.
            (Err(Rejected::Closed), _) => Ok(()),
            (Err(Rejected::Full), WhenFull::Skip { skipping }) => {
                *skipping = true;
                Ok(())
            }
            (Err(Rejected::Full), WhenFull::Fail) => Err(Error::Output {
                path: self.path.clone(),
                reason: "the disk is too slow for this stream; choose another, or give it more time with \
                         output-memory in the config file"
                    .into(),
            }),
        }
    }

    /// Whether it is left out: until all that waits has been taken and a keyframe of the picture comes.
    fn skips(&mut self, play: &Play) -> bool {
        let WhenFull::Skip { skipping } = &mut self.when_full else {
            return false;
        };
        let goes_on = match play {
            Play::Packet(packet) => packet.keyframe && packet.track == 0 && self.queue.is_empty(),
            Play::Tracks { .. } => true,
            Play::Gap => false,
        };
        if *skipping && goes_on {
            *skipping = self.queue.push(Play::Gap).is_err();
        }
        *skipping
    }

    /// Writes what waits, and ends the stream properly. To be called where waiting is allowed.
    ///
    /// # Errors
    /// If it could not be written.
    pub(crate) fn finish(self) -> Result<(), Error> {
        drop(self.queue);
        let result = self.thread.join().expect("the output's thread does not panic");
        match result.map_err(|error| broken_by(&self.path, &error)) {
            Err(Broken::Failed(error)) => Err(error),
            Ok(()) | Err(Broken::Closed) => Ok(()),
        }
    }
}

fn write(waiting: &Waiting, sink: impl Write) -> Result<(), MuxError> {
    let mut writer = TsWriter::new(sink);
    while let Some(play) = waiting.pop() {
        writer.play(&play)?;
    }
    writer.finish().map(drop)
}

fn broken_by(path: &Path, error: &MuxError) -> Broken {
    match error {
        MuxError::Write(error) if error.kind() == ErrorKind::BrokenPipe => Broken::Closed,
        MuxError::Write(error) => Broken::Failed(cannot_write(path, error)),
        MuxError::Mux(error) => Broken::Failed(Error::Output {
            path: path.into(),
            reason: error.to_string(),
        }),
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    let reason = match error.kind() {
        ErrorKind::StorageFull => "the disk is full; what was written so far is kept".to_string(),
        ErrorKind::NotFound => "its folder does not exist".to_string(),
        _ => error.to_string(),
    };
    Error::Output {
        path: path.into(),
        reason,
    }
}

#[cfg(test)]
mod tests;
