//! What kind of network an address is in, so that nobody is made to knock at doors that are none of its business
//! (`docs/protocol.md` §6.6).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What kind of network an address is in; an address is dialled if its kind is no more private than the one that whoever names
/// it was reached in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    Global,
    Private,
    Loopback,
    /// Multicast, broadcast, unspecified, port 0.
    Nowhere,
}

impl Scope {
    pub(super) fn of(address: &SocketAddr) -> Self {
        if address.port() == 0 {
            return Self::Nowhere;
        }
        match address.ip() {
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or_else(|| Self::of_v6(ip), Self::of_v4),
        }
    }

    fn of_v4(ip: Ipv4Addr) -> Self {
        let [a, b, ..] = ip.octets();
        if ip.is_multicast() || ip.is_unspecified() || a == 0 || a >= 240 {
            Self::Nowhere
        } else if ip.is_loopback() {
            Self::Loopback
        } else if ip.is_private() || ip.is_link_local() || (a == 100 && (64..128).contains(&b)) {
            Self::Private
        } else {
            Self::Global
        }
    }

    fn of_v6(ip: Ipv6Addr) -> Self {
        let first = ip.segments()[0];
        if ip.is_multicast() || ip.is_unspecified() {
            Self::Nowhere
        } else if ip.is_loopback() {
            Self::Loopback
        } else if first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80 {
            Self::Private
        } else {
            Self::Global
        }
    }
}
