//! What runs in this person's name: looked for, ended, made longer. Each takes seconds, so the rest goes on meanwhile.

use super::Worker;
use super::hearing::Tell;
use super::running::Running;
use crate::model::account::{USUAL_PROFILE, or_auto};
use crate::model::{Account, Found, Gravity, Looked, News, RelayOrder, Relays, own};
use banyan::cloud::desk;
use banyan::error::Error;
use banyan::file::Cloud as Site;
use banyan::folders::Folders;
use banyan::session::Order;
use banyan_cloud::child::message::Listed;
use banyan_cloud::ec2::Finding;
use banyan_cloud::plan::Plan;
use banyan_cloud::provider::{Found as Machine, Kind};
use banyan_cloud::reaper::Verdict;
use banyan_protocol::wire::lease::LeaseId;
use std::time::Duration;

impl Worker {
    /// Looks at what was left running by what ran before, if anything may be.
    pub(super) async fn look_back(&mut self) {
        if desk::may_run(&self.folders) {
            self.relays(RelayOrder::Look).await;
        }
    }

    /// Does it, and looks again.
    pub(super) async fn relays(&mut self, order: RelayOrder) {
        let order = match self.own(&order) {
            Some((viewer, own)) => {
                viewer.order(own).await;
                RelayOrder::Look
            }
            None => order,
        };
        let (folders, tell) = (self.folders.clone(), self.tell.clone());
        tell.tell(News::Relays(Relays::Looking));
        self.errands.spawn(async move {
            if let Err(error) = obey(order, &folders, &tell).await {
                tell.tell(News::Say(Gravity::Failure, error.to_string()));
            }
            // A window that closes waits for what it ordered, and not for this.
            tokio::spawn(async move { tell.tell(News::Relays(look(&folders).await)) });
        });
    }

    /// A relay of the session's own is the session's to command: it hands over before it ends.
    fn own(&self, order: &RelayOrder) -> Option<(&Running, Order)> {
        let viewer = self.viewer.as_ref()?;
        let (lease, order) = match order {
            RelayOrder::Stop(lease) => (lease, Order::EndRelay(named(lease).ok()?)),
            RelayOrder::Extend(lease, minutes) => (
                lease,
                Order::Extend {
                    lease: named(lease).ok()?,
                    time: minutes_of(*minutes),
                    budget: None,
                },
            ),
            RelayOrder::Look | RelayOrder::Sweep => return None,
        };
        viewer.sponsors(lease).then_some((viewer, order))
    }

    /// Looks at the account by dry runs.
    pub(super) fn check_account(&self, region: String) {
        let (folders, site, tell) = (self.folders.clone(), self.site.clone(), self.tell.clone());
        tokio::spawn(async move {
            tell.tell(News::Account(account(&folders, &site, or_auto(&region)).await));
        });
    }
}

async fn obey(order: RelayOrder, folders: &Folders, tell: &Tell) -> Result<(), Error> {
    match order {
        RelayOrder::Look => Ok(()),
        RelayOrder::Stop(lease) => desk::stop(folders, &lease).await,
        RelayOrder::Extend(lease, minutes) => {
            let extended = desk::extend(folders, named(&lease)?, minutes_of(minutes)).await?;
            let text = format!(
                "It runs {} longer; its machine costs {} more.",
                own::hours(minutes),
                extended.machine
            );
            tell.tell(News::Say(Gravity::Note, text));
            Ok(())
        }
        RelayOrder::Sweep => {
            let (ended, failures) = desk::sweep(folders).await?;
            tell.tell(News::Say(Gravity::Note, format!("{ended} relays were ended.")));
            for failure in failures {
                tell.tell(News::Say(Gravity::Failure, failure.to_string()));
            }
            Ok(())
        }
    }
}

fn minutes_of(minutes: u32) -> Duration {
    Duration::from_secs(60 * u64::from(minutes))
}

fn named(lease: &str) -> Result<LeaseId, Error> {
    let unknown = |_| Error::Usage(format!("“{lease}” is no relay"));
    lease.parse().map_err(unknown)
}

async fn look(folders: &Folders) -> Relays {
    match desk::list(folders).await {
        Err(error) => Relays::Failed(error.to_string()),
        Ok((relays, unseen)) => {
            let unseen: Vec<String> = unseen.iter().map(ToString::to_string).collect();
            let relays = relays.iter().map(found).collect();
            Relays::Found { relays, unseen }
        }
    }
}

fn found(relay: &Listed) -> Found {
    let now = banyan_cloud::clock::now();
    let machine = &relay.found;
    let left = machine.ends.map(|ends| ends.since(now).as_secs() / 60);
    Found {
        lease: machine
            .lease
            .map_or_else(|| machine.handle.clone(), |lease| lease.to_string()),
        place: place(machine),
        minutes_left: left.filter(|left| *left > 0),
        spent_usd: relay
            .hourly
            .map(|hourly| hourly.for_hours(now.since(machine.launched)).as_dollars()),
        orphaned: (relay.verdict != Verdict::Keep).then(|| relay.verdict.to_string()),
    }
}

fn place(machine: &Machine) -> String {
    match (machine.provider, &machine.region) {
        (Kind::Local, _) => "this computer".into(),
        (Kind::Ec2, Some(region)) => format!("Amazon EC2 in {region}"),
        (Kind::Ec2, None) => "Amazon EC2".into(),
    }
}

async fn account(folders: &Folders, site: &Site, region: &str) -> Account {
    match desk::check(folders, site, region).await {
        Err(error) => Account::Failed(error.to_string()),
        Ok((plan, findings)) => Account::Looked(Box::new(looked(&plan, findings))),
    }
}

/// The name of this computer's sign-in to AWS: the name alone, for what stands behind it is read by the cloud's own process.
pub fn profile() -> String {
    std::env::var("AWS_PROFILE").unwrap_or_else(|_| USUAL_PROFILE.into())
}

fn looked(plan: &Plan, findings: Vec<Finding>) -> Looked {
    let region = plan.region.as_ref().map(ToString::to_string);
    Looked {
        profile: profile(),
        region: region.unwrap_or_default(),
        price: format!(
            "{}: {} an hour and {} a gigabyte, prices of {}.",
            plan.place, plan.hourly, plan.egress_gb, plan.prices_of
        ),
        findings,
    }
}
