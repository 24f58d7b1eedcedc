//! Addresses: as people write them, what they share, and which ones this machine has.

use banyan_protocol::limits::ADDRESSES_MAX;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The address as people write it: an IPv4 one that a dual-stack socket shows as IPv6 is IPv4 again.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// What hosts of one network share: the first 24 bits of IPv4, 56 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Prefix {
    V4([u8; 3]),
    V6([u8; 7]),
}

impl Prefix {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, g, ..] = v6.octets();
                Self::V6([a, b, c, d, e, f, g])
            }
        }
    }
}

/// The addresses at which somebody in the same network finds a socket bound to `local`: itself, or for a wildcard the
/// machine's addresses, global ones first, at most [`ADDRESSES_MAX`]. Loopback only if there is nothing else.
pub fn candidates(local: SocketAddr, dual_stack: bool) -> Vec<SocketAddr> {
    let local = canonical(local);
    if !local.ip().is_unspecified() {
        return vec![local];
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot list this machine's addresses");
        Vec::new()
    });
    let serves = |ip: &IpAddr| dual_stack || ip.is_ipv4() == local.is_ipv4();
    let ips = interfaces.iter().map(if_addrs::Interface::ip).filter(serves);
    best(ips.collect(), local.port())
}

fn best(mut ips: Vec<IpAddr>, port: u16) -> Vec<SocketAddr> {
    ips.retain(is_usable);
    ips.sort_by_key(|ip| (distance(ip), ip.is_ipv6()));
    ips.dedup();
    if ips.iter().any(|ip| !ip.is_loopback()) {
        ips.retain(|ip| !ip.is_loopback());
    }
    ips.truncate(ADDRESSES_MAX);
    ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect()
}

/// Link-local addresses need a scope, which means nothing to anybody else.
fn is_usable(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_unspecified(),
    }
}

fn distance(ip: &IpAddr) -> u8 {
    match ip {
        ip if ip.is_loopback() => 2,
        IpAddr::V4(v4) => u8::from(v4.is_private()),
        IpAddr::V6(v6) => u8::from(Ipv6Addr::is_unique_local(v6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn global_addresses_come_first_and_loopback_only_alone() {
        let all = ips(&[
            "127.0.0.1",
            "::1",
            "10.0.0.7",
            "fe80::1",
            "2001:db8::7",
            "192.0.2.1",
            "169.254.3.4",
        ]);
        let texts: Vec<String> = best(all, 4600).iter().map(SocketAddr::to_string).collect();
        assert_eq!(texts, ["192.0.2.1:4600", "[2001:db8::7]:4600", "10.0.0.7:4600"]);
        assert_eq!(best(ips(&["::1", "127.0.0.1"]), 1).len(), 2);
    }

    #[test]
    fn a_prefix_is_the_network_however_it_is_written() {
        let of = |text: &str| Prefix::of(text.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.200"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("2001:db8::1"), of("2001:db8:0:ff::1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:100::1"));
    }

    #[test]
    fn a_bound_address_is_the_only_candidate() {
        let bound = "127.0.0.1:4600".parse().unwrap();
        assert_eq!(candidates(bound, false), [bound]);
    }
}
