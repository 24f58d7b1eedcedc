//! Any input to the packets of a channel's tiers.
//!
//! [`open`] starts a thread that reads, and one that decodes and encodes as far as that is needed. What they make comes
//! out of one bounded channel, in order: the tiers, their packets, and what happens to the input. A full channel makes
//! the input wait.

pub(crate) mod annexb;
mod copy;
mod outlet;
mod pace;
mod plan;
mod play;
mod rate;
mod reader;
mod scan;
mod select;
mod session;
mod source;
mod timeline;
mod undated;
mod watch;
mod worker;

use crate::error::Error;
use banyan_protocol::io::TierSetup;
use banyan_protocol::media::{Packet, TierId};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// How an input is to be treated.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A file begins again at its end, for ever.
    pub loop_file: bool,
    /// Whether the full stream is copied.
    pub mode: Mode,
}

/// Whether the full stream is copied, and whether there is a low tier beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Copied if it can be, encoded if not; with a low tier unless the input is small itself.
    #[default]
    Auto,
    /// Copied, and the only tier.
    Copy,
    /// Encoded, with a low tier.
    Transcode,
}

/// What comes from an input. The first is [`Tiers`](Self::Tiers), [`Paused`](Self::Paused) (a live input is waited for)
/// or [`Failed`](Self::Failed).
#[derive(Clone, Debug)]
pub enum IngestEvent {
    /// The tiers that packets come for from now on, lowest first. Comes again when set-up or rate changed.
    Tiers(Vec<TierSetup>),
    /// A coded frame, as soon as it is there. The first video packet after `Tiers` is a keyframe.
    Packet {
        /// Its tier.
        tier: TierId,
        /// The frame.
        packet: Packet,
    },
    /// The media clock jumps here; each tier's video goes on with a keyframe.
    Discontinuity,
    /// Something that the person should know; a sentence.
    Warning(String),
    /// Nothing comes from the input; it is waited for. Why, or for what, as a sentence.
    Paused(String),
    /// The input is back.
    Resumed,
    /// The input is at its end; nothing more comes.
    Ended(String),
    /// The input cannot be read; nothing more comes.
    Failed(Error),
}

/// Events that wait for the consumer, at most: about a second of a stream with two tiers.
const EVENTS_MAX: usize = 256;

/// An opened input. Dropped, it ends within about 200 ms.
pub struct Ingest {
    events: Option<Receiver<IngestEvent>>,
    watch: watch::Watch,
    begins_anew: bool,
    thread: Option<JoinHandle<()>>,
}

/// Opens an input and begins to deliver it.
///
/// What can be checked at once fails here: an invalid description, a file that is not there, a port in use. The rest
/// comes as [`IngestEvent::Failed`].
pub fn open(input: &str, options: Options) -> Result<Ingest, Error> {
    crate::sys::init();
    let source = source::Source::parse(input)?;
    source.check()?;
    let (sender, events) = sync_channel(EVENTS_MAX);
    let outlet = outlet::Outlet::new(sender);
    let begins_anew = source.kind.begins_anew();
    let watch = watch::Watch::new();
    let reader = reader::Reader::new(source, options, outlet, watch.clone());
    let thread = std::thread::Builder::new()
        .name("ingest".into())
        .spawn(move || reader.run())
        .expect("a thread can be started");
    Ok(Ingest {
        events: Some(events),
        watch,
        begins_anew,
        thread: Some(thread),
    })
}

impl Ingest {
    /// What comes from the input. Disconnects after [`IngestEvent::Ended`] or [`IngestEvent::Failed`], and when stopped.
    pub fn events(&self) -> &Receiver<IngestEvent> {
        self.events.as_ref().expect("taken by drop only")
    }

    /// Whether, opened again, it begins where it began now: a file, and what is fetched, which may be one.
    pub fn begins_anew(&self) -> bool {
        self.begins_anew
    }

    /// A handle that ends the input from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.watch.clone())
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.watch.stop();
        drop(self.events.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the ingest thread panicked");
        }
    }
}

/// Ends an input from any thread.
#[derive(Clone)]
pub struct Stopper(watch::Watch);

impl Stopper {
    /// Ends the input; its channel disconnects within about 200 ms of the last event being taken.
    pub fn stop(&self) {
        self.0.stop();
    }
}
