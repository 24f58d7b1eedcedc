//! An uplink: a queue of bytes that drains at a rate.

use super::{Micros, UPLINK_QUEUE};

/// A node's uplink. Only the time at which it will be empty is kept: that is all a queue of bytes is.
#[derive(Clone, Copy, Debug)]
pub struct Uplink {
    bps: u64,
    free_at: Micros,
}

impl Uplink {
    /// An idle one of `bps` wire bits a second, which must not be zero.
    pub fn new(bps: u64) -> Self {
        assert!(bps > 0, "an uplink without any rate sends nothing ever");
        Self { bps, free_at: 0 }
    }

    /// Changes its rate; what is queued leaves at the new one.
    pub fn shape(&mut self, now: Micros, bps: u64) {
        let queued = u128::from(self.wait(now)) * u128::from(self.bps);
        self.bps = bps;
        self.free_at = now + (queued / u128::from(bps)) as Micros;
    }

    /// Wire bits a second.
    pub const fn bps(&self) -> u64 {
        self.bps
    }

    /// How long what is queued takes.
    pub const fn wait(&self, now: Micros) -> Micros {
        self.free_at.saturating_sub(now)
    }

    /// Whether the queue takes more data.
    pub const fn has_room(&self, now: Micros) -> bool {
        self.wait(now) < UPLINK_QUEUE
    }

    /// When the queue will take more data.
    pub const fn room_at(&self) -> Micros {
        self.free_at.saturating_sub(UPLINK_QUEUE) + 1
    }

    /// Queues `bytes`, full or not, and says when the last of them leaves.
    pub fn push(&mut self, now: Micros, bytes: u64) -> Micros {
        self.free_at = self.free_at.max(now) + (bytes * 8_000_000).div_ceil(self.bps);
        self.free_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_at_the_rate_and_the_queue_fills() {
        let mut uplink = Uplink::new(8_000_000);
        assert_eq!(uplink.push(1000, 500), 1500);
        assert_eq!(uplink.push(1000, 500), 2000);
        assert_eq!(uplink.push(9000, 500), 9500, "what was idle is lost");
        assert!(uplink.has_room(9000));
        uplink.push(9000, 300_000);
        assert!(!uplink.has_room(9000));
        assert!(!uplink.has_room(uplink.room_at() - 1));
        assert!(uplink.has_room(uplink.room_at()));
    }
}
