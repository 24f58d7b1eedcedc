//! Uplinks: a token bucket on the host's own interface, and what it counted.

use anyhow::{Context, Result};
use banyan_protocol::units::Bitrate;
use serde_json::Value;
use std::ops::{Add, Sub};

/// What a host's interface sent, in wire bytes (Ethernet header included), and what its queue dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes sent.
    pub bytes: u64,
    /// Packets sent.
    pub packets: u64,
    /// Packets dropped because the queue was full.
    pub dropped: u64,
}

impl Traffic {
    /// The share of packets that the queue dropped, 0 to 1; 0 if there were none.
    pub fn drop_share(&self) -> f64 {
        let offered = self.packets + self.dropped;
        if offered == 0 {
            0.0
        } else {
            self.dropped as f64 / offered as f64
        }
    }

    /// Reads `tc -s -j qdisc show dev eth0`: the root queue's counters.
    pub(crate) fn parse(json: &str) -> Result<Self> {
        let queues: Value = serde_json::from_str(json).context("tc printed no JSON")?;
        let queues = queues.as_array().context("tc printed no list")?;
        let root = queues
            .iter()
            .find(|queue| queue["root"] == true)
            .context("no root queue")?;
        let count = |name: &str| {
            root[name]
                .as_u64()
                .with_context(|| format!("tc counts no {name}"))
        };
        Ok(Self {
            bytes: count("bytes")?,
            packets: count("packets")?,
            dropped: count("drops")?,
        })
    }
}

impl Sub for Traffic {
    type Output = Self;
    fn sub(self, before: Self) -> Self {
        Self {
            bytes: self.bytes - before.bytes,
            packets: self.packets - before.packets,
            dropped: self.dropped - before.dropped,
        }
    }
}

impl Add for Traffic {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            packets: self.packets + other.packets,
            dropped: self.dropped + other.dropped,
        }
    }
}

/// The words of `tc` for an uplink of `rate`.
///
/// The bucket holds 4 ms of the rate, and two full frames at least (the least that lets a frame pass while the next is
/// paid for): a program that does not pace itself is seen in the queue, as on a modem. The queue holds 250 ms, as home
/// modems do, and 16 KiB at least, so that a slow uplink still takes an acknowledgement beside a handshake.
pub(crate) fn tbf(rate: Bitrate) -> String {
    let burst = (rate.as_bps() / 8 / 250).max(2 * 1514);
    let queue = (rate.as_bps() / 8 / 4).max(16 * 1024);
    format!(
        "tbf rate {}bit burst {burst} limit {}",
        rate.as_bps(),
        queue + burst
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_root_queue() {
        let json = r#"[{"kind":"tbf","root":true,"bytes":3000,"packets":3,"drops":1},{"kind":"x","parent":"1:","bytes":1,"packets":1,"drops":0}]"#;
        let traffic = Traffic::parse(json).unwrap();
        assert_eq!(
            traffic,
            Traffic {
                bytes: 3000,
                packets: 3,
                dropped: 1
            }
        );
        assert!((traffic.drop_share() - 0.25).abs() < 1e-9);
        assert!(Traffic::parse("[]").is_err());
    }

    #[test]
    fn a_bucket_is_small_and_a_queue_is_a_quarter_of_a_second() {
        assert_eq!(
            tbf(Bitrate::from_kbps(8_000)),
            "tbf rate 8000000bit burst 4000 limit 254000"
        );
        assert_eq!(
            tbf(Bitrate::from_kbps(100)),
            "tbf rate 100000bit burst 3028 limit 19412"
        );
    }
}
