//! A queue to an output's thread, bounded by the bytes that wait in it.

use banyan_protocol::io::Play;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SendError, Sender, channel};

/// What a frame costs in the queue besides its data.
const FRAME_BYTES: u64 = 128;

/// The end that is filled.
#[derive(Debug)]
pub(crate) struct Queue {
    sender: Sender<Play>,
    waiting: Arc<AtomicU64>,
    limit: u64,
}

/// The end that is emptied.
#[derive(Debug)]
pub(crate) struct Waiting {
    receiver: Receiver<Play>,
    waiting: Arc<AtomicU64>,
}

/// Why something did not go in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// More than the limit waits.
    Full,
    /// Nobody empties it any more.
    Closed,
}

/// A queue in which at most `limit` bytes wait.
pub(crate) fn queue(limit: u64) -> (Queue, Waiting) {
    let (sender, receiver) = channel();
    let waiting = Arc::new(AtomicU64::new(0));
    let queue = Queue {
        sender,
        waiting: waiting.clone(),
        limit,
    };
    (queue, Waiting { receiver, waiting })
}

impl Queue {
    /// Puts it in. Never waits.
    pub(crate) fn push(&self, play: Play) -> Result<(), Rejected> {
        let cost = cost(&play);
        if self.waiting.load(Ordering::Relaxed) + cost > self.limit {
            return Err(Rejected::Full);
        }
        self.waiting.fetch_add(cost, Ordering::Relaxed);
        self.sender.send(play).map_err(|SendError(_)| Rejected::Closed)
    }

    /// Whether nothing waits just now.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0
    }
}

impl Waiting {
    /// Takes out the oldest; waits for it. `None` when the other end is gone and all has been taken.
    pub(crate) fn pop(&self) -> Option<Play> {
        let play = self.receiver.recv().ok()?;
        self.waiting.fetch_sub(cost(&play), Ordering::Relaxed);
        Some(play)
    }
}

fn cost(play: &Play) -> u64 {
    match play {
        Play::Packet(packet) => FRAME_BYTES + packet.data.len() as u64,
        Play::Tracks { .. } | Play::Gap => FRAME_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples::frame;

    #[test]
    fn what_waits_is_bounded_and_taking_out_makes_room() {
        let (queue, waiting) = queue(2 * cost(&frame(0, true)));
        assert_eq!(queue.push(frame(0, true)), Ok(()));
        assert_eq!(queue.push(frame(1, false)), Ok(()));
        assert_eq!(queue.push(frame(2, false)), Err(Rejected::Full));
        assert!(waiting.pop().is_some() && !queue.is_empty());
        assert_eq!(queue.push(frame(3, false)), Ok(()));
    }

    #[test]
    fn a_queue_that_nobody_empties_is_closed() {
        let (queue, waiting) = queue(1 << 20);
        drop(waiting);
        assert_eq!(queue.push(Play::Gap), Err(Rejected::Closed));
    }
}
