//! Who may come in: bounds on links and handshakes that strangers begin, so that they cannot fill the memory.

use crate::address::{Prefix, canonical};
use banyan_protocol::limits;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

/// Bounds on what strangers may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// Links and handshakes at once.
    pub total: usize,
    /// Of them, from one network (/24, or /56 of IPv6).
    pub per_prefix: usize,
    /// Handshakes of addresses that may be made up. More must first prove that they get what is sent to them (Retry,
    /// RFC 9000 §8.1.2), which costs an honest dialler one round trip.
    pub unproven: usize,
}

impl Default for Inbound {
    /// A quarter of all places to one network: enough for a big household or office, and a stranger needs four networks
    /// to fill the rest.
    fn default() -> Self {
        Self {
            total: limits::INBOUND_LINKS_MAX,
            per_prefix: limits::INBOUND_LINKS_MAX / 4,
            unproven: 16,
        }
    }
}

impl Inbound {
    /// For the coordinator of so many viewers, who each have a link to it: the places that any peer has are for those who
    /// are no viewers yet. One network has no more of them than elsewhere.
    pub fn of_coordinator(viewers: usize) -> Self {
        Self {
            total: viewers.saturating_add(limits::INBOUND_LINKS_MAX),
            ..Self::default()
        }
    }
}

/// What to do with somebody at the gate.
#[derive(Debug)]
pub(crate) enum Verdict {
    Enter(Seat),
    Prove,
    Refuse,
}

/// Counts who is inside.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Mutex<Counts>>);

#[derive(Debug)]
struct Counts {
    inbound: Inbound,
    total: usize,
    unproven: usize,
    by_prefix: HashMap<Prefix, usize>,
}

impl Gate {
    pub(crate) fn new(inbound: Inbound) -> Self {
        Self(Arc::new(Mutex::new(Counts {
            inbound,
            total: 0,
            unproven: 0,
            by_prefix: HashMap::new(),
        })))
    }

    /// Judges somebody who says to be at `address`, and has `proven` it or not.
    pub(crate) fn judge(&self, address: SocketAddr, proven: bool) -> Verdict {
        let prefix = Prefix::of(canonical(address).ip());
        let mut counts = self.counts();
        let here = counts.by_prefix.get(&prefix).copied().unwrap_or(0);
        if counts.total >= counts.inbound.total || here >= counts.inbound.per_prefix {
            return Verdict::Refuse;
        }
        if !proven && counts.unproven >= counts.inbound.unproven {
            return Verdict::Prove;
        }
        counts.total += 1;
        counts.unproven += usize::from(!proven);
        counts.by_prefix.insert(prefix, here + 1);
        Verdict::Enter(Seat {
            gate: self.clone(),
            prefix,
            proven,
        })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().expect("nobody panics while counting")
    }
}

/// A place inside; free again when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    gate: Gate,
    prefix: Prefix,
    proven: bool,
}

impl Seat {
    /// The handshake is done, and with it the proof of the address.
    pub(crate) fn prove(&mut self) {
        if !self.proven {
            self.gate.counts().unproven -= 1;
            self.proven = true;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.prove();
        let mut counts = self.gate.counts();
        counts.total -= 1;
        let here = counts.by_prefix.get_mut(&self.prefix).expect("counted on entry");
        *here -= 1;
        if *here == 0 {
            counts.by_prefix.remove(&self.prefix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate::new(Inbound {
            total: 4,
            per_prefix: 3,
            unproven: 2,
        })
    }

    fn enter(gate: &Gate, address: &str, proven: bool) -> Seat {
        match gate.judge(address.parse().unwrap(), proven) {
            Verdict::Enter(seat) => seat,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_network_has_its_share_and_a_place_becomes_free_again() {
        let gate = gate();
        let mut seats: Vec<Seat> = (0..3).map(|_| enter(&gate, "192.0.2.1:1", true)).collect();
        let judge = |address: &str| gate.judge(address.parse().unwrap(), true);
        assert!(matches!(judge("192.0.2.99:7"), Verdict::Refuse));
        seats.push(enter(&gate, "198.51.100.1:1", true));
        assert!(matches!(judge("203.0.113.1:1"), Verdict::Refuse));
        seats.clear();
        assert!(matches!(judge("192.0.2.99:7"), Verdict::Enter(_)));
        assert_eq!(gate.counts().total, 0);
        assert!(gate.counts().by_prefix.is_empty());
    }

    #[test]
    fn many_open_handshakes_ask_for_proof() {
        let gate = gate();
        let mut first = enter(&gate, "192.0.2.1:1", false);
        let _second = enter(&gate, "198.51.100.1:1", false);
        let third = "203.0.113.1:1".parse().unwrap();
        assert!(matches!(gate.judge(third, false), Verdict::Prove));
        assert!(matches!(gate.judge(third, true), Verdict::Enter(_)));
        first.prove();
        assert!(matches!(gate.judge(third, false), Verdict::Enter(_)));
    }
}
