//! Whether the peer at the other end of a link still answers.

use banyan_protocol::limits::DATA_IDLE;
use quinn::ConnectionStats;
use std::time::{Duration, Instant};

/// Something was sent that must be acknowledged, and for so long nothing has come.
const SILENT_MAX: Duration = DATA_IDLE;

/// Notices a peer that answers nothing. QUIC waits for the idle time-out, which is long on links that are kept alive
/// sparingly; somebody who is sent something, and be it the probes of lost data (RFC 9002 §6.2), answers in a few round
/// trips or has gone.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// Datagrams that had come when it was last looked at.
    received: u64,
    /// Frames that ask for an acknowledgement, and were sent until something last came.
    asked: u64,
    /// Since when an answer is waited for.
    waits: Option<Instant>,
}

impl Pulse {
    /// Takes a look, to be repeated about once a second. Whether the peer has been silent for too long.
    pub(crate) fn has_stopped(&mut self, now: Instant, stats: &ConnectionStats) -> bool {
        let sent = &stats.frame_tx;
        // A probe asks by a ping or by IMMEDIATE_ACK; what is lost is not always sent again with it.
        let asked = sent.stream + sent.ping + sent.immediate_ack;
        self.look(now, stats.udp_rx.datagrams, asked)
    }

    fn look(&mut self, now: Instant, received: u64, asked: u64) -> bool {
        if received != self.received {
            (self.received, self.asked, self.waits) = (received, asked, None);
        }
        if asked == self.asked {
            return false;
        }
        now.duration_since(*self.waits.get_or_insert(now)) >= SILENT_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_asked_nothing_may_be_silent_and_who_answers_is_there() {
        let start = Instant::now();
        let mut pulse = Pulse::default();
        let mut look =
            |second, received, asked| pulse.look(start + Duration::from_secs(second), received, asked);
        assert!(!look(0, 5, 3));
        assert!(!look(60, 5, 3), "nothing was asked");
        assert!(!look(61, 5, 4));
        assert!(!look(70, 6, 9), "an answer in the last second");
        assert!(!look(71, 6, 10));
        assert!(!look(80, 6, 11));
        assert!(look(81, 6, 11), "ten seconds without one");
    }
}
