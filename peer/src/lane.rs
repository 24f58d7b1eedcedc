//! Writing a lane: frames wait here until the transport takes them, without a task of their own.

use crate::ready::Ready;
use banyan_protocol::io::{Lane, LinkId};
use bytes::Bytes;
use quinn::{Connection, SendStream, WriteError};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// The first byte of the control lane's stream; the dialler sends it at once, so that the acceptor learns of the stream
/// before there is anything to say. A data lane's is its tier.
pub(crate) const CONTROL_PREFACE: u8 = 0xc0;

/// Control messages go before data within a link.
const CONTROL_PRIORITY: i32 = 1;

/// The application error code of a stream that is given up; it has one meaning, so its value says nothing.
const GIVEN_UP: u32 = 0;

/// What became of a [`Writer::flush`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// The transport took so many bytes of frames; what is left waits for it.
    Taken(u64),
    /// There is no stream, and the peer allows none at the moment.
    NoStream,
}

#[derive(Debug)]
enum Stream {
    None,
    /// Somebody waits for one, and will [`opened`](Writer::opened) it.
    Awaited,
    Open(SendStream),
}

/// The sending end of one lane.
#[derive(Debug)]
pub(crate) struct Writer {
    lane: Lane,
    stream: Stream,
    /// Frames, and first of all the preface of a new stream. What is partly taken is the rest.
    queue: Vec<Bytes>,
    /// Bytes of frames in `queue`.
    queued: u64,
    /// Bytes of the preface in `queue`.
    preface: u64,
    /// The transport takes no more; `waker` will say when it does.
    is_blocked: bool,
    waker: Waker,
}

impl Writer {
    /// The control lane of `link`, over its stream.
    pub(crate) fn control(link: LinkId, mut stream: SendStream, ready: &Arc<Ready>) -> Self {
        prefer(&mut stream);
        Self {
            stream: Stream::Open(stream),
            ..Self::data(link, Lane::Control, ready)
        }
    }

    /// A data lane of `link`; its stream begins with its first frame.
    pub(crate) fn data(link: LinkId, lane: Lane, ready: &Arc<Ready>) -> Self {
        Self {
            lane,
            stream: Stream::None,
            queue: Vec::new(),
            queued: 0,
            preface: 0,
            is_blocked: false,
            waker: ready.waker(link, lane),
        }
    }

    pub(crate) fn lane(&self) -> Lane {
        self.lane
    }

    /// Bytes of frames that wait.
    pub(crate) fn queued(&self) -> u64 {
        self.queued
    }

    /// Adds a frame, to be written with the next [`flush`](Self::flush).
    pub(crate) fn push(&mut self, frame: Bytes) {
        self.queued += frame.len() as u64;
        self.queue.push(frame);
    }

    /// The transport may take more.
    pub(crate) fn unblock(&mut self) {
        self.is_blocked = false;
    }

    /// Uses a stream that had to be waited for.
    pub(crate) fn opened(&mut self, stream: SendStream) {
        self.stream = Stream::Open(stream);
        self.begin();
    }

    /// Hands what waits to the transport, as much as it takes, all in one go so that it fills packets.
    pub(crate) fn flush(&mut self, connection: &Connection) -> Flushed {
        if self.queue.is_empty() || self.is_blocked || matches!(self.stream, Stream::Awaited) {
            return Flushed::Taken(0);
        }
        if matches!(self.stream, Stream::None) && !self.open(connection) {
            return Flushed::NoStream;
        }
        Flushed::Taken(self.write())
    }

    /// Gives up what waits and the stream; the next frame begins a new one. Returns the bytes of frames given up.
    pub(crate) fn reset(&mut self) -> u64 {
        if let Stream::Open(stream) = &mut self.stream {
            // An error says that it has ended already.
            let _ = stream.reset(GIVEN_UP.into());
            self.stream = Stream::None;
        }
        self.is_blocked = false;
        self.clear()
    }

    /// The stream, to be ended by whoever closes the link; what waits is handed over with it.
    pub(crate) fn into_rest(self) -> Option<(SendStream, Vec<Bytes>)> {
        match self.stream {
            Stream::Open(stream) => Some((stream, self.queue)),
            Stream::None | Stream::Awaited => None,
        }
    }

    fn clear(&mut self) -> u64 {
        self.queue.clear();
        self.preface = 0;
        std::mem::take(&mut self.queued)
    }

    fn open(&mut self, connection: &Connection) -> bool {
        match poll_once(connection.open_uni(), Waker::noop()) {
            Poll::Ready(Ok(stream)) => {
                self.opened(stream);
                true
            }
            // The link's reader will say that it has ended.
            Poll::Ready(Err(_)) => true,
            Poll::Pending => {
                self.stream = Stream::Awaited;
                false
            }
        }
    }

    fn begin(&mut self) {
        if let Lane::Data(tier) = self.lane {
            self.queue.insert(0, Bytes::copy_from_slice(&[tier.0]));
            self.preface = 1;
        }
    }

    fn write(&mut self) -> u64 {
        let Stream::Open(stream) = &mut self.stream else {
            return self.clear();
        };
        let mut taken = 0;
        let mut whole = 0;
        while whole < self.queue.len() {
            match poll_once(stream.write_chunks(&mut self.queue[whole..]), &self.waker) {
                Poll::Ready(Ok(written)) => {
                    taken += written.bytes as u64;
                    whole += written.chunks;
                }
                Poll::Ready(Err(error)) => return self.lost(&error),
                Poll::Pending => {
                    self.is_blocked = true;
                    break;
                }
            }
        }
        self.queue.drain(..whole);
        self.took(taken)
    }

    fn took(&mut self, bytes: u64) -> u64 {
        let preface = self.preface.min(bytes);
        self.preface -= preface;
        self.queued -= bytes - preface;
        bytes - preface
    }

    /// The peer wants no more of this stream, or the link has ended.
    fn lost(&mut self, error: &WriteError) -> u64 {
        tracing::debug!(lane = ?self.lane, %error, "lane lost");
        self.stream = Stream::None;
        self.clear()
    }
}

/// Puts the control lane above the data lanes.
fn prefer(stream: &mut SendStream) {
    // It fails for a stream that has ended, where it doesn't matter.
    let _ = stream.set_priority(CONTROL_PRIORITY);
}

/// Polls a future that may be dropped when it is not ready.
fn poll_once<F: Future>(future: F, waker: &Waker) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(waker))
}
