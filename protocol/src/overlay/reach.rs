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

/// A network that one household or host has: /24 or /56.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix([u8; 8]);

impl Prefix {
    /// The network of an address.
    pub fn of(address: &SocketAddr) -> Self {
        let mut prefix = [0; 8];
        match address.ip().to_canonical() {
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
