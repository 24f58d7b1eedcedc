//! This person's relays, on the side of the provider: planned within what the person allows, launched, metered, ended.

mod launching;

use self::launching::Launching;
use crate::cloud::child;
use crate::config::Sponsoring;
use crate::folders::Folders;
use crate::notice::{Own, Sponsored};
use banyan_cloud::child::Cloud;
use banyan_cloud::child::message::Target;
use banyan_cloud::ec2;
use banyan_cloud::failure::{Failure, Why};
use banyan_cloud::money::Usd;
use banyan_cloud::plan::{Limits, Plan};
use banyan_cloud::price::PriceList;
use banyan_cloud::provider::{Kind, Machine, Wish};
use banyan_cloud::purse::Purse;
use banyan_cloud::random;
use banyan_cloud::region::Region;
use banyan_protocol::id::PeerId;
use banyan_protocol::io::{CloudNews, CloudOrder, RelayState};
use banyan_protocol::role::relay::boot::Boot;
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::lease::{Lease, LeaseId};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// Whose prices an estimate goes by before the nearest region is known.
const USUAL_REGION: &str = "us-east-1";

/// What a small VM sends at least, as long as nobody named a limit.
const VM_UPLINK: Bitrate = Bitrate::from_kbps(100_000);

/// What waits to be told while the session is busy with something else.
const TOLD_MAX: usize = 64;

/// How long a session that ends waits for its relays to be ended.
const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// Who sponsors, what, and where its viewers find it.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) me: PeerId,
    pub(super) channel: PeerId,
    /// This machine's addresses, for relays that run on it.
    pub(super) here: Vec<SocketAddr>,
    /// What this person's own uplink is limited to.
    pub(super) uplink: Option<Bitrate>,
}

/// A relay that was ordered.
#[derive(Debug)]
struct Ordered {
    lease: LeaseId,
    launch: AbortHandle,
    /// Once it is planned.
    running: Option<Running>,
}

/// A relay that was planned, and is launched or runs.
#[derive(Clone, Debug)]
struct Running {
    plan: Plan,
    lease: Lease,
    region: Option<Region>,
    began: Instant,
    served: bool,
    sent: u64,
}

/// What a task of ours has to say.
#[derive(Debug)]
enum Said {
    /// It is up, as far as the provider knows.
    Launched {
        relay: u64,
        machine: Box<Machine>,
        boot: Box<Boot>,
    },
    Planned {
        relay: u64,
        running: Box<Running>,
    },
    Failed {
        relay: u64,
        failure: Box<Failure>,
    },
}

/// The relays of a session.
pub(super) struct Sponsor {
    config: Sponsoring,
    folders: Folders,
    who: Who,
    cloud: Option<Arc<Cloud>>,
    /// By the numbers that the machine gave them.
    relays: BTreeMap<u64, Ordered>,
    purse: Purse,
    /// When the person said yes last.
    clicked: Instant,
    tasks: JoinSet<()>,
    say: mpsc::Sender<Said>,
    said: mpsc::Receiver<Said>,
}

/// What is to be told, and to whom.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) notices: Vec<Own>,
    pub(super) news: Option<CloudNews>,
    /// Why a relay was not launched.
    pub(super) failure: Option<Failure>,
    /// The last relay has ended.
    pub(super) is_last: bool,
}

impl Sponsor {
    pub(super) fn new(config: Sponsoring, folders: Folders, who: Who) -> Self {
        let (say, said) = mpsc::channel(TOLD_MAX);
        Self {
            purse: Purse::new(config.budget),
            config,
            folders,
            who,
            cloud: None,
            relays: BTreeMap::new(),
            clicked: Instant::now(),
            tasks: JoinSet::new(),
            say,
            said,
        }
    }

    /// The person said yes.
    pub(super) fn clicked(&mut self) {
        self.clicked = Instant::now();
    }

    /// What an hour would cost while `missing` is sent, as far as prices are known: what the person is told with the question.
    pub(super) fn estimate(&self, missing: Bitrate) -> f64 {
        if Kind::from(self.config.provider) == Kind::Local {
            return 0.0;
        }
        let wish = self.wish(self.purse.left());
        let region = wish.region.or_else(|| USUAL_REGION.parse().ok());
        let kinds = ec2::KINDS.map(str::to_owned);
        let plan = region
            .map(|region| Plan::paid(PriceList::built_in(), &region, &kinds, ec2::DISK_GIB, wish.limits));
        let bytes = missing.as_bps() / 8 * 3600;
        let plan = plan.and_then(Result::ok);
        plan.map_or(0.0, |plan| plan.per_hour(bytes).as_dollars())
    }

    /// Does what the machine wants.
    pub(super) fn obey(&mut self, order: CloudOrder) -> Outcome {
        match order {
            CloudOrder::Launch { relay, missing } => {
                self.launch(relay, missing);
                Outcome::default()
            }
            CloudOrder::Terminate { relay } => self.terminate(relay),
            CloudOrder::Used {
                relay,
                sent,
                serves,
                state,
            } => self.used(relay, sent, serves, state),
        }
    }

    /// The next thing that a task of ours has to say, made into what is told.
    pub(super) async fn next(&mut self) -> Outcome {
        let said = self.said.recv().await.expect("we hold a sender ourselves");
        self.heard(said)
    }

    fn heard(&mut self, said: Said) -> Outcome {
        match said {
            Said::Planned { relay, running } => self.planned(relay, *running),
            Said::Launched { relay, machine, boot } => self.launched(relay, &machine, &boot),
            Said::Failed { relay, failure } => self.failed(relay, *failure),
        }
    }

    fn planned(&mut self, relay: u64, running: Running) -> Outcome {
        self.purse.plan(relay, running.plan.at_most);
        let Some(ordered) = self.relays.get_mut(&relay) else {
            return Outcome::default();
        };
        ordered.running = Some(running.clone());
        Outcome {
            notices: vec![self.told(relay, &running, RelayState::Launching, 0, None)],
            ..Outcome::default()
        }
    }

    /// There is no relay. What may be there all the same is ended.
    fn failed(&mut self, relay: u64, failure: Failure) -> Outcome {
        self.purse.settle(relay, Usd::ZERO);
        if let Some(ordered) = self.relays.remove(&relay)
            && !failure.may_run.is_empty()
        {
            self.end(ordered.lease);
        }
        let why = failure.sentence.clone();
        Outcome {
            notices: vec![Own::Warning {
                message: failure.to_string(),
            }],
            news: Some(CloudNews::Failed { relay, why }),
            failure: Some(failure),
            is_last: self.relays.is_empty(),
        }
    }

    fn launched(&mut self, relay: u64, machine: &Machine, boot: &Boot) -> Outcome {
        // One that was given up meanwhile has been ended.
        let Some(running) = self.running(relay) else {
            return Outcome::default();
        };
        running.region.clone_from(&machine.region);
        let running = running.clone();
        let uplink = boot.uplink_bps.map_or(VM_UPLINK, Bitrate);
        Outcome {
            notices: vec![self.told(relay, &running, RelayState::Booting, 0, None)],
            news: Some(CloudNews::Launched {
                relay,
                addresses: self.addresses(machine),
                lease: running.lease,
                uplink,
                secret: boot.enrol.secret,
            }),
            ..Outcome::default()
        }
    }

    /// Where viewers find it: a relay on this machine at all its addresses.
    fn addresses(&self, machine: &Machine) -> Vec<SocketAddr> {
        if Kind::from(self.config.provider) != Kind::Local {
            return vec![machine.address];
        }
        let port = machine.address.port();
        let here = self.who.here.iter().map(|at| SocketAddr::new(at.ip(), port));
        let mut addresses: Vec<SocketAddr> = here.collect();
        addresses.push(machine.address);
        addresses.truncate(banyan_protocol::limits::ADDRESSES_MAX);
        addresses
    }

    fn running(&mut self, relay: u64) -> Option<&mut Running> {
        self.relays.get_mut(&relay)?.running.as_mut()
    }

    fn wish(&self, budget: Usd) -> Wish {
        Wish {
            limits: Limits {
                hours: self.config.hours,
                budget,
            },
            region: self.config.region.as_ref().and_then(|region| region.parse().ok()),
            kinds: Vec::new(),
        }
    }

    fn launch(&mut self, relay: u64, missing: Bitrate) {
        let budget = self.purse.reserve(relay);
        let wish = self.wish(budget);
        let cloud = match self.cloud() {
            Ok(cloud) => cloud,
            Err(failure) => return self.fail(relay, failure),
        };
        let provider = Kind::from(self.config.provider);
        let launching = Launching {
            relay,
            lease: random::lease_id(),
            provider,
            who: self.who.clone(),
            hours: self.config.hours,
            clicked: self.clicked,
            uplink: self.uplink(provider, missing),
            say: self.say.clone(),
        };
        let ordered = Ordered {
            lease: launching.lease,
            launch: self.tasks.spawn(launching.run(cloud, wish)),
            running: None,
        };
        self.relays.insert(relay, ordered);
    }

    /// What the relay sends at most. One on this machine shares the line with the viewer beside it.
    fn uplink(&self, provider: Kind, missing: Bitrate) -> Option<Bitrate> {
        let local = || {
            let line = self.who.uplink.unwrap_or(missing * 2);
            Some(line)
        };
        self.config.relay_uplink.or_else(|| match provider {
            Kind::Local => local(),
            Kind::Ec2 => None,
        })
    }

    fn cloud(&mut self) -> Result<Arc<Cloud>, Failure> {
        if let Some(cloud) = &self.cloud {
            return Ok(cloud.clone());
        }
        let started = child::start(&self.folders, true);
        let cloud = started.map_err(|error| Failure::new(Why::Program, error.to_string()))?;
        let cloud = Arc::new(cloud);
        self.cloud = Some(cloud.clone());
        Ok(cloud)
    }

    fn fail(&mut self, relay: u64, failure: Failure) {
        let (say, failure) = (self.say.clone(), Box::new(failure));
        self.tasks.spawn(async move {
            let _ = say.send(Said::Failed { relay, failure }).await;
        });
    }

    /// Ends a relay, however far it is.
    fn terminate(&mut self, relay: u64) -> Outcome {
        let Some(ordered) = self.relays.remove(&relay) else {
            return Outcome::default();
        };
        ordered.launch.abort();
        self.end(ordered.lease);
        let is_last = self.relays.is_empty();
        self.purse
            .settle(relay, ordered.running.as_ref().map_or(Usd::ZERO, cost));
        let ended = |running| self.told(relay, &running, RelayState::Ended, 0, None);
        Outcome {
            notices: ordered.running.map(ended).into_iter().collect(),
            is_last,
            ..Outcome::default()
        }
    }

    /// Has the provider end everything of a lease, also what it is about to launch.
    fn end(&mut self, lease: LeaseId) {
        let Some(cloud) = self.cloud.clone() else { return };
        self.tasks.spawn(async move {
            if let Err(failure) = cloud
                .terminate(Target::Lease(lease), "its sponsor ended it")
                .await
            {
                tracing::error!(%lease, %failure, "a relay may be running; `banyan relays sweep` ends it");
            }
        });
    }

    fn used(&mut self, relay: u64, sent: u64, serves: u16, state: RelayState) -> Outcome {
        let Some(running) = self.running(relay) else {
            return Outcome::default();
        };
        running.sent = sent;
        let first = !core::mem::replace(&mut running.served, true);
        let since = first.then(|| running.began.elapsed().as_millis() as u64);
        let running = running.clone();
        Outcome {
            notices: vec![self.told(relay, &running, state, serves, since)],
            ..Outcome::default()
        }
    }

    fn told(
        &self,
        relay: u64,
        running: &Running,
        state: RelayState,
        serves: u16,
        click_to_serving_ms: Option<u64>,
    ) -> Own {
        Own::Sponsoring(Sponsored {
            relay: format!("{}", running.lease.id),
            number: relay,
            provider: Kind::from(self.config.provider),
            region: running.region.as_ref().map(ToString::to_string),
            state,
            click_to_serving_ms,
            spent_usd: cost(running).as_dollars(),
            bytes_sent: running.sent,
            bytes_budget: running.lease.bytes,
            ends_at: running.lease.ends.as_secs(),
            serves,
        })
    }

    /// Waits until what is being ended has ended, and ends the child.
    pub(super) async fn finish(mut self) {
        drop(self.say);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(ENDS_WITHIN, all).await.is_err() {
            tracing::error!("a relay may be running; `banyan relays list` shows it");
        }
        if let Some(cloud) = self.cloud.and_then(Arc::into_inner) {
            cloud.close().await;
        }
    }
}

/// What a relay has cost so far.
fn cost(running: &Running) -> Usd {
    let bytes = running.plan.egress_gb.for_bytes(running.sent);
    running.plan.hourly.for_hours(running.began.elapsed()).plus(bytes)
}
