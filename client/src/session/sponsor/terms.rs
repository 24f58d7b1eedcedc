//! What this person's relays may be: for how long, for how much, how fast, and where viewers find them.

use super::Sponsor;
use super::relay::Running;
use crate::cloud::estimate::estimate;
use banyan_cloud::failure::{Failure, Why};
use banyan_cloud::money::Usd;
use banyan_cloud::plan::Limits;
use banyan_cloud::provider::{Kind, Machine, Wish};
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::region::RegionName;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

impl Sponsor {
    /// What an hour would cost while `missing` is sent, as far as prices are known: what the person is told with the question.
    pub(in crate::session) fn estimate(&self, missing: Bitrate, near: &[RegionName]) -> f64 {
        if Kind::from(self.config.provider) == Kind::Local {
            return 0.0;
        }
        let wish = self.wish(self.config.hours, self.purse.left(), near);
        let told = estimate(&wish, missing);
        told.map_or(0.0, |told| told.hourly.as_dollars())
    }

    /// Where viewers find it: a relay on this machine at all its addresses.
    pub(super) fn addresses(&self, running: &Running, machine: &Machine) -> Vec<SocketAddr> {
        if running.provider != Kind::Local {
            return vec![machine.address];
        }
        let port = machine.address.port();
        let here = self.who.here.iter().map(|at| SocketAddr::new(at.ip(), port));
        let mut addresses: Vec<SocketAddr> = here.collect();
        addresses.push(machine.address);
        addresses.truncate(banyan_protocol::limits::ADDRESSES_MAX);
        addresses
    }

    /// What is asked of the provider. What names no region that there can be is near to nobody.
    pub(super) fn wish(&self, hours: Duration, budget: Usd, near: &[RegionName]) -> Wish {
        let near = near.iter().filter_map(|name| name.as_str().parse().ok());
        Wish {
            limits: Limits { hours, budget },
            region: self.config.region.clone(),
            near: near.collect(),
            kinds: self.config.cloud.types.clone(),
        }
    }

    /// The hours are for all relays together: they begin with the first.
    pub(super) fn hours_left(&mut self) -> Result<Duration, Failure> {
        let now = Instant::now();
        let until = *self.until.get_or_insert(now + self.config.hours);
        let left = until.saturating_duration_since(now);
        if left.is_zero() {
            return Err(Failure::new(
                Why::Budget,
                "the hours that were given for relays are over; give more with --hours",
            ));
        }
        Ok(left)
    }

    /// What the relay sends at most. One on this machine shares the line with the viewer beside it.
    pub(super) fn uplink(&self, provider: Kind, missing: Bitrate) -> Option<Bitrate> {
        let local = || {
            let line = self.who.uplink.unwrap_or(missing * 2);
            Some(line)
        };
        self.config.relay_uplink.or_else(|| match provider {
            Kind::Local => local(),
            Kind::Ec2 => None,
        })
    }
}
