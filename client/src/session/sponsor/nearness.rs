//! How far the cloud's regions are from this machine: told to the coordinator, for whoever sponsors.

use super::{Said, Sponsor};
use banyan_cloud::ec2::nearness;
use banyan_cloud::price::PriceList;
use banyan_cloud::region::Region;
use banyan_protocol::wire::region::RegionName;
use std::time::Duration;

impl Sponsor {
    /// Finds it out. That needs no account.
    pub(super) fn locate(&mut self) {
        let say = self.say.clone();
        self.errands.spawn(async move {
            let near = nearness::round_trips(PriceList::built_in()).await;
            let round_trips = near.into_iter().filter_map(in_ms).collect();
            let _ = say.send(Said::Located { round_trips }).await;
        });
    }
}

fn in_ms((region, round_trip): (Region, Duration)) -> Option<(RegionName, u16)> {
    let name = RegionName::try_from(region.to_string()).ok()?;
    Some((name, u16::try_from(round_trip.as_millis()).unwrap_or(u16::MAX)))
}
