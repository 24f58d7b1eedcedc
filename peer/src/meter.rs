//! Counting wire bytes: Ethernet to QUIC, over all links since the start.

use banyan_protocol::io::LinkId;
use quinn::{Connection, UdpStats};
use std::collections::HashMap;
use std::net::IpAddr;

/// Ethernet's and UDP's headers.
const ETHERNET_AND_UDP: u64 = 14 + 8;
const IPV4: u64 = 20;
const IPV6: u64 = 40;

/// Totals of wire bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wire {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

impl Wire {
    fn of(connection: &Connection) -> Self {
        let stats = connection.stats();
        let headers = ETHERNET_AND_UDP + ip_header(connection.remote_address().ip());
        let bytes = |udp: UdpStats| udp.bytes + udp.datagrams * headers;
        Self {
            sent: bytes(stats.udp_tx),
            received: bytes(stats.udp_rx),
        }
    }

    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
    }
}

fn ip_header(ip: IpAddr) -> u64 {
    if ip.to_canonical().is_ipv4() { IPV4 } else { IPV6 }
}

/// All links that ever were; totals never shrink.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    live: HashMap<LinkId, Connection>,
    ended: Wire,
}

impl Meter {
    pub(crate) fn begin(&mut self, link: LinkId, connection: Connection) {
        self.live.insert(link, connection);
    }

    pub(crate) fn end(&mut self, link: LinkId) {
        if let Some(connection) = self.live.remove(&link) {
            self.ended.add(Wire::of(&connection));
        }
    }

    pub(crate) fn read(&self) -> Wire {
        let mut total = self.ended;
        self.live
            .values()
            .for_each(|connection| total.add(Wire::of(connection)));
        total
    }
}
