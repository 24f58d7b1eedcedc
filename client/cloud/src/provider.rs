//! What every provider of machines can do, and what it says about them.

use crate::ec2::image::Wish as ImageWish;
use crate::failure::Failure;
use crate::ledger::{InstallId, Token};
use crate::plan::{Limits, Plan};
use crate::price::PriceList;
use crate::region::Region;
use banyan_protocol::role::relay::boot::Boot;
use banyan_protocol::time::Utc;
use banyan_protocol::wire::lease::{Lease, LeaseId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use tokio::sync::watch;

/// Who gives the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// This machine: the relay is a process.
    Local,
    /// Amazon's EC2: the relay is a VM in the person's own account.
    Ec2,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Ec2 => "ec2",
        })
    }
}

impl FromStr for Kind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "local" => Ok(Self::Local),
            "ec2" => Ok(Self::Ec2),
            _ => Err("a provider is local or ec2"),
        }
    }
}

/// What is to be planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// For how long and how much.
    pub limits: Limits,
    /// Where; `None`: where it is near.
    pub region: Option<Region>,
    /// Where it is near to those whom it is for, the nearest first; none if that is not known.
    #[serde(default)]
    pub near: Vec<Region>,
    /// On which types of machines, the best first; empty: the usual ones.
    pub kinds: Vec<String>,
}

impl Wish {
    /// Where it is to be: where it was wished, else the nearest to those whom it is for whose prices `list` knows. `None` if nobody said.
    pub fn place(&self, list: &PriceList) -> Option<&Region> {
        let known = |region: &&Region| list.of(region).is_some();
        self.region.as_ref().or_else(|| self.near.iter().find(known))
    }
}

/// What is to be launched. The lease comes from a [`Plan`]: its bytes are what the plan's money buys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// By whom.
    pub provider: Kind,
    /// What the relay is told. One lease a yes: however often it is ordered, at most one machine lives for it.
    pub boot: Boot,
    /// What was planned.
    pub plan: Plan,
    /// What it boots from.
    #[serde(default)]
    pub image: ImageWish,
    /// In which subnet; `None`: those of the account's default network.
    #[serde(default)]
    pub subnet: Option<String>,
}

/// How far a launch is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Progress {
    /// The provider is asked for a machine.
    Asking {
        /// In this zone.
        zone: String,
        /// Of this type.
        kind: String,
    },
    /// It gave none there, and another zone or type is tried.
    Refused {
        /// In the provider's word.
        why: String,
    },
    /// There is a machine, and it boots.
    Booting {
        /// The provider's name for it.
        handle: String,
    },
}

/// A launched machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The provider's name for it.
    pub handle: String,
    /// Where its relay listens, or will in a moment.
    pub address: SocketAddr,
    /// Where it is.
    pub region: Option<Region>,
    /// In which zone.
    pub zone: String,
    /// Of which type.
    pub kind: String,
}

/// A machine that was found: ours by its tags, or by the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Who gives it.
    pub provider: Kind,
    /// The provider's name for it.
    pub handle: String,
    /// Where it is.
    pub region: Option<Region>,
    /// Of which type.
    pub kind: String,
    /// Its lease; `None` if its tags do not say.
    pub lease: Option<LeaseId>,
    /// When its lease ends, as its tags or the ledger have it.
    pub ends: Option<Utc>,
    /// The request that made it.
    pub token: Option<Token>,
    /// The installation that launched it.
    pub install: Option<InstallId>,
    /// When it was launched.
    pub launched: Utc,
    /// Where its relay listens, if it has an address.
    pub address: Option<SocketAddr>,
    /// What it is doing.
    pub state: Life,
}

/// What a machine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Life {
    /// It boots or runs.
    Alive,
    /// It was stopped, and could be started again: a relay never is.
    Stopped,
    /// It is ending or has ended, and will not come back.
    Ended,
}

/// What was found, and where nobody could look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Machines, dead ones left out.
    pub found: Vec<Found>,
    /// Why some places could not be looked at.
    pub unseen: Vec<Failure>,
}

/// Turns true when what was asked for is not wanted any more.
pub type Cancel = watch::Receiver<bool>;

/// Hears how far a launch is.
pub type Teller<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// A provider of machines. Whatever is launched is in the ledger first.
pub trait Provider: Send + Sync {
    /// What a relay would cost there.
    ///
    /// # Errors
    /// If it cannot be had within the limits, or nobody knows.
    fn plan(&self, wish: &Wish) -> impl Future<Output = Result<Plan, Failure>> + Send;

    /// Launches the relay, or takes up a launch of the same lease where it was left. If it fails, nothing is left
    /// running but what the failure names.
    ///
    /// # Errors
    /// Why there is no relay.
    fn launch(
        &self,
        order: &Order,
        cancel: Cancel,
        tell: Teller<'_>,
    ) -> impl Future<Output = Result<Machine, Failure>> + Send;

    /// What of ours is there: in the regions that the ledger names, and in `also`.
    fn list(&self, also: &[Region]) -> impl Future<Output = Listing> + Send;

    /// Writes down that a lease was changed, where other installations look too. The relay itself is told by its
    /// sponsor.
    ///
    /// # Errors
    /// If there is no such machine, or it cannot be marked.
    fn renew(&self, found: &Found, lease: &Lease) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Ends a machine, and returns when it will not come back. Ending one that has ended is no error.
    ///
    /// # Errors
    /// If that is not certain.
    fn terminate(&self, found: &Found, why: &str) -> impl Future<Output = Result<(), Failure>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Usd;
    use std::time::Duration;

    fn wish(region: Option<&str>, near: &[&str]) -> Wish {
        let named = |name: &str| name.parse().unwrap();
        Wish {
            limits: Limits {
                hours: Duration::from_secs(3600),
                budget: Usd::from_cents(100),
            },
            region: region.map(named),
            near: near.iter().map(|name| named(name)).collect(),
            kinds: Vec::new(),
        }
    }

    #[test]
    fn a_wish_goes_before_nearness_and_what_has_no_price_is_not_near() {
        let place = |wish: Wish| wish.place(PriceList::built_in()).map(Region::to_string);
        let near = ["mars-north-1", "eu-north-1", "eu-west-1"];
        assert_eq!(
            place(wish(Some("us-west-2"), &near)).as_deref(),
            Some("us-west-2")
        );
        assert_eq!(place(wish(None, &near)).as_deref(), Some("eu-north-1"));
        assert_eq!(place(wish(None, &["mars-north-1"])), None);
    }
}
