//! A home router: masquerades for the host behind it, and lets in answers only.

use crate::host::Host;
use crate::net::Net;
use crate::tool;
use anyhow::Result;
use std::net::Ipv4Addr;

/// A host and the router that it is behind. Shape and cut the router: its uplink is the home's.
pub struct Natted {
    /// The host, at `192.168.1.2`.
    pub host: Host,
    /// Its router; what it sends is seen on the net under the router's address.
    pub router: Host,
}

/// What the router does: masquerade outwards, and forward inwards only what answers something.
const RULES: &str = "
table ip home {
    chain out { type nat hook postrouting priority 100; oifname eth0 masquerade; }
    chain pass {
        type filter hook forward priority 0; policy drop;
        iifname home0 accept
        ct state established,related accept
    }
}";

impl Natted {
    pub(crate) fn new(name: &str, net: &Net) -> Result<Self> {
        let router = net.host(&format!("{name}-router"))?;
        let host = Host::empty(name, Ipv4Addr::new(192, 168, 1, 2))?;
        host.ip(&format!(
            "link add eth0 type veth peer name home0 netns {}",
            router.namespace()
        ))?;
        host.ip("addr add 192.168.1.2/24 dev eth0")?;
        host.ip("link set eth0 up")?;
        router.ip("addr add 192.168.1.1/24 dev home0")?;
        router.ip("link set home0 up")?;
        host.ip("route add default via 192.168.1.1")?;
        masquerade(&router)?;
        Ok(Self { host, router })
    }
}

fn masquerade(router: &Host) -> Result<()> {
    tool::nft(router.namespace(), RULES)?;
    let words = format!(
        "netns exec {} sysctl -qw net.ipv4.ip_forward=1",
        router.namespace()
    );
    tool::line("ip", &words).map(drop)
}
