//! The tags on everything that is ours, set in the call that makes it: nothing of ours is ever without them.

use super::call::{Instance, InstanceState, Tags};
use crate::ledger::{InstallId, Token};
use crate::provider::{Found, Kind, Life};
use crate::region::Region;
use banyan_protocol::time::Utc;
use banyan_protocol::wire::lease::Lease;

/// That it is a relay's.
pub(crate) const APP: &str = "banyan:app";
/// The value of [`APP`].
pub(crate) const APP_RELAY: &str = "relay";
/// The lease.
pub(crate) const LEASE: &str = "banyan:lease";
/// When the lease ends: seconds since 1970.
pub(crate) const ENDS: &str = "banyan:ends";
/// The installation that launched it.
pub(crate) const INSTALL: &str = "banyan:install";
/// The token of the request that made it.
pub(crate) const TOKEN: &str = "banyan:token";

/// The tags of what outlives a relay.
pub(crate) fn lasting() -> Tags {
    vec![(APP, APP_RELAY.into()), ("Name", "banyan relay".into())]
}

/// The tags of a relay's machine, volume and network interface.
pub(crate) fn of(lease: &Lease, install: InstallId, token: &Token) -> Tags {
    let mut tags = lasting();
    tags.extend([
        (LEASE, lease.id.to_string()),
        (ENDS, lease.ends.as_secs().to_string()),
        (INSTALL, install.to_string()),
        (TOKEN, token.0.clone()),
    ]);
    tags
}

/// What a machine's tags say of it.
pub(crate) fn found(instance: &Instance, region: &Region, port: u16) -> Found {
    Found {
        provider: Kind::Ec2,
        handle: instance.id.clone(),
        region: Some(region.clone()),
        kind: instance.kind.clone(),
        lease: instance.tag(LEASE).and_then(|text| text.parse().ok()),
        ends: instance
            .tag(ENDS)
            .and_then(|text| text.parse().ok())
            .map(Utc::from_secs),
        token: instance.tag(TOKEN).map(|text| Token(text.to_owned())),
        install: instance
            .tag(INSTALL)
            .and_then(|text| text.to_owned().try_into().ok()),
        launched: instance.launched,
        address: instance.address.map(|address| (address, port).into()),
        state: match instance.state {
            InstanceState::Pending | InstanceState::Running => Life::Alive,
            InstanceState::Stopped => Life::Stopped,
            InstanceState::Ended => Life::Ended,
        },
    }
}
