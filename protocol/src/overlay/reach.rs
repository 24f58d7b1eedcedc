//! Who can dial whom. Only proven pairs are used; uplink that nobody can reach is not counted.

use crate::overlay::member::MemberIndex;
use crate::time::{Duration, Instant};
use alloc::collections::BTreeMap;
use core::net::{IpAddr, SocketAddr};

/// A member's reachability class, proven by dial-back from a socket that it has never heard of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Not known yet.
    #[default]
    Unknown,
    /// Others can dial it.
    Open,
    /// It can only dial.
    Closed,
}

/// Which of two peers dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dials {
    /// The child dials its parent.
    Child,
    /// The parent dials its child, because nobody can dial the parent.
    Parent,
}

/// Who is to dial when `child` shall hang from `parent`; `None` if neither can.
pub fn who_dials(child: Reach, parent: Reach) -> Option<Dials> {
    match (child, parent) {
        (_, Reach::Open) => Some(Dials::Child),
        (Reach::Open, Reach::Closed) => Some(Dials::Parent),
        _ => None,
    }
}

/// A network that one household or host has: /24 or /56. Within a home, where nobody comes from outside, each machine is one of its own, and
/// on a single machine each process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix([u8; 8]);

impl Prefix {
    /// The network of an address.
    pub fn of(address: &SocketAddr) -> Self {
        let mut prefix = [0; 8];
        let ip = address.ip().to_canonical();
        match ip {
            IpAddr::V4(v4) if v4.is_private() || v4.is_loopback() || v4.is_link_local() => {
                let port = if v4.is_loopback() { address.port() } else { 0 };
                prefix[..4].copy_from_slice(&v4.octets());
                prefix[4..6].copy_from_slice(&port.to_be_bytes());
                prefix[7] = 4;
            }
            IpAddr::V4(ip) => prefix[..3].copy_from_slice(&ip.octets()[..3]),
            IpAddr::V6(ip) => {
                prefix[..7].copy_from_slice(&ip.octets()[..7]);
                prefix[7] = 6;
            }
        }
        Self(prefix)
    }
}

/// Pairs that failed to link lately.
#[derive(Debug, Default)]
pub struct BadPairs(BTreeMap<(MemberIndex, MemberIndex), Instant>);

impl BadPairs {
    /// For a pair that cannot be linked: long enough that a router has been restarted, short enough that a fault of the moment is forgiven.
    pub const KEPT: Duration = Duration::from_secs(60);

    /// Keeps `a` and `b` apart until `until`.
    pub fn insert(&mut self, a: MemberIndex, b: MemberIndex, until: Instant) {
        let kept = self.0.entry((a.min(b), a.max(b))).or_insert(until);
        *kept = until.max(*kept);
    }

    /// Whether they are kept apart.
    pub fn contains(&self, a: MemberIndex, b: MemberIndex) -> bool {
        !self.0.is_empty() && self.0.contains_key(&(a.min(b), a.max(b)))
    }

    /// Whether they are kept apart, and not beyond `at`.
    pub fn ends_by(&self, a: MemberIndex, b: MemberIndex, at: Instant) -> bool {
        let until = self.0.get(&(a.min(b), a.max(b)));
        until.is_some_and(|until| *until <= at)
    }

    /// Forgives what is over.
    pub fn expire(&mut self, now: Instant) {
        self.0.retain(|_, until| *until > now);
    }

    /// Forgets a member that went.
    pub fn forget(&mut self, member: MemberIndex) {
        self.0.retain(|(a, b), _| *a != member && *b != member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_a_household_and_within_one_each_machine() {
        let of = |text: &str| Prefix::of(&text.parse().expect("an address"));
        assert_eq!(of("203.0.113.1:1"), of("203.0.113.200:2"));
        assert_ne!(of("203.0.113.1:1"), of("203.0.114.1:1"));
        assert_eq!(of("[2001:db8:0:1::1]:1"), of("[2001:db8:0:ff::2]:2"));
        assert_ne!(of("[2001:db8::1]:1"), of("[2001:db8:0:100::1]:1"));
        assert_ne!(of("192.168.1.2:1"), of("192.168.1.3:1"), "neighbours");
        assert_eq!(of("192.168.1.2:1"), of("192.168.1.2:2"), "one machine");
        assert_eq!(of("[::ffff:192.168.1.2]:1"), of("192.168.1.2:2"));
        assert_ne!(of("127.0.0.1:1"), of("127.0.0.1:2"), "two processes");
    }
}
