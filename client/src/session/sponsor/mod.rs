//! This person's relays, on the side of the provider: planned within what the person allows, launched, metered, ended.

mod ending;
mod launching;
mod nearness;
mod relay;
mod terms;

use self::launching::Launching;
use self::relay::{Ordered, Running};
use crate::cloud::rein::Rein;
use crate::cloud::{child, extend};
use crate::config::Sponsoring;
use crate::error::Error;
use crate::folders::Folders;
use crate::notice::{Own, Sponsored};
use banyan_cloud::child::Cloud;
use banyan_cloud::failure::{Failure, Why};
use banyan_cloud::money::Usd;
use banyan_cloud::provider::{Kind, Machine};
use banyan_cloud::purse::Purse;
use banyan_cloud::random;
use banyan_protocol::id::{PeerId, PublicKey, SecretKey};
use banyan_protocol::io::{CloudNews, CloudOrder, RelayState};
use banyan_protocol::role::relay::boot::Boot;
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::lease::{Lease, LeaseId};
use banyan_protocol::wire::region::RegionName;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What a small VM sends at least, as long as nobody named a limit.
const VM_UPLINK: Bitrate = Bitrate::from_kbps(100_000);

/// What waits to be told while the session is busy with something else.
const TOLD_MAX: usize = 64;

/// Who sponsors, what, and where its viewers find it.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) key: Arc<SecretKey>,
    pub(super) channel: PublicKey,
    /// This machine's addresses, for relays that run on it.
    pub(super) here: Vec<SocketAddr>,
    /// What this person's own uplink is limited to.
    pub(super) uplink: Option<Bitrate>,
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
    NotExtended {
        failure: Box<Failure>,
    },
    Located {
        round_trips: Vec<(RegionName, u16)>,
    },
}

/// What a relay says of itself, once a second.
struct Used {
    sent: u64,
    serves: u16,
    state: RelayState,
    lease: Lease,
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
    /// When the hours are over: no relay of the session runs longer.
    until: Option<Instant>,
    /// What tells or orders something, and has told what came of it when it is over.
    errands: JoinSet<()>,
    /// What ends relays; each says why its own may be running all the same.
    endings: JoinSet<(LeaseId, Result<(), Failure>)>,
    /// Those that are being ended.
    doomed: BTreeSet<LeaseId>,
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
    /// What relays may be from now on. What has been spent and what runs count against the new budget.
    pub(super) fn allow(&mut self, config: Sponsoring) {
        self.purse.allow(config.budget);
        self.until = None;
        self.config = config;
    }

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
            until: None,
            errands: JoinSet::new(),
            endings: JoinSet::new(),
            doomed: BTreeSet::new(),
            say,
            said,
        }
    }

    /// The person said yes.
    pub(super) fn clicked(&mut self) {
        self.clicked = Instant::now();
    }

    /// The number that the machine gave the relay of this lease.
    pub(super) fn number(&self, lease: LeaseId) -> Option<u64> {
        let ordered = self.relays.iter().find(|(_, ordered)| ordered.lease == lease);
        ordered.map(|(number, _)| *number)
    }

    /// Does what the machine wants.
    pub(super) fn obey(&mut self, order: CloudOrder) -> Outcome {
        match order {
            CloudOrder::Launch { relay, missing, near } => {
                self.launch(relay, missing, &near);
                Outcome::default()
            }
            CloudOrder::Locate => {
                self.locate();
                Outcome::default()
            }
            CloudOrder::Terminate { relay, why } => self.terminate(relay, why),
            CloudOrder::Pinned { relay, key } => self.pinned(relay, key),
            CloudOrder::Used {
                relay,
                sent,
                serves,
                state,
                lease,
            } => self.used(
                relay,
                Used {
                    sent,
                    serves,
                    state,
                    lease,
                },
            ),
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
            Said::Located { round_trips } => Outcome {
                news: Some(CloudNews::Located { round_trips }),
                ..Outcome::default()
            },
            Said::NotExtended { failure } => Outcome {
                notices: vec![Own::Warning {
                    message: failure.to_string(),
                }],
                ..Outcome::default()
            },
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

    /// There is no relay. What may be there all the same is ended, and its money is not spent again.
    fn failed(&mut self, relay: u64, failure: Failure) -> Outcome {
        let ordered = self.relays.remove(&relay);
        if failure.may_run.is_empty() {
            self.purse.settle(relay, Usd::ZERO);
        }
        let mut notices = vec![Own::Warning {
            message: failure.to_string(),
        }];
        if let Some(ordered) = ordered {
            let ended = |running| self.told(relay, running, RelayState::Ended, 0, None);
            notices.extend(ordered.running.as_ref().map(ended));
            if !failure.may_run.is_empty() {
                self.end(ordered);
            }
        }
        let why = failure.sentence.clone();
        Outcome {
            notices,
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
        running.address = Some(machine.address);
        let running = running.clone();
        let uplink = boot.uplink_bps.map_or(VM_UPLINK, Bitrate);
        Outcome {
            notices: vec![self.told(relay, &running, RelayState::Booting, 0, None)],
            news: Some(CloudNews::Launched {
                relay,
                addresses: self.addresses(&running, machine),
                lease: running.lease,
                uplink,
                secret: boot.enrol.secret,
            }),
            ..Outcome::default()
        }
    }

    fn running(&mut self, relay: u64) -> Option<&mut Running> {
        self.relays.get_mut(&relay)?.running.as_mut()
    }

    fn launch(&mut self, relay: u64, missing: Bitrate, near: &[RegionName]) {
        let hours = match self.hours_left() {
            Ok(hours) => hours,
            Err(failure) => return self.fail(relay, failure),
        };
        let cloud = match self.cloud() {
            Ok(cloud) => cloud,
            Err(failure) => return self.fail(relay, failure),
        };
        let budget = self.purse.reserve(relay);
        let wish = self.wish(hours, budget, near);
        let provider = Kind::from(self.config.provider);
        let launching = Launching {
            relay,
            lease: random::lease_id(),
            provider,
            who: self.who.clone(),
            hours,
            clicked: self.clicked,
            uplink: self.uplink(provider, missing),
            site: self.config.cloud.clone(),
            say: self.say.clone(),
        };
        let ordered = Ordered {
            lease: launching.lease,
            launch: tokio::spawn(launching.run(cloud, wish)),
            running: None,
        };
        self.relays.insert(relay, ordered);
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
        let failure = Box::new(failure);
        self.say(Said::Failed { relay, failure });
    }

    fn say(&mut self, said: Said) {
        let say = self.say.clone();
        self.errands.spawn(async move {
            // A session that has ended tells nobody.
            let _ = say.send(said).await;
        });
    }

    /// From now on other processes of this person's can command it.
    fn pinned(&mut self, relay: u64, key: PeerId) -> Outcome {
        let sponsor = SecretKey::from_bytes(&self.who.key.to_bytes());
        let data = self.folders.data.clone();
        let Some(running) = self.running(relay) else {
            return Outcome::default();
        };
        let rein = Rein {
            sponsor,
            relay: key,
            addresses: running.address.into_iter().collect(),
        };
        let kept = rein.keep(&data, running.lease.id);
        let warning = |error: Error| Own::Warning {
            message: format!("{error}; banyan relays extend will not find this relay"),
        };
        Outcome {
            notices: kept.err().map(warning).into_iter().collect(),
            ..Outcome::default()
        }
    }

    fn used(&mut self, relay: u64, used: Used) -> Outcome {
        let Some(running) = self.running(relay) else {
            return Outcome::default();
        };
        running.sent = used.sent;
        if used.lease.id == running.lease.id {
            running.lease = used.lease;
        }
        let first = !core::mem::replace(&mut running.served, true);
        let since = first.then(|| running.began.elapsed().as_millis() as u64);
        let running = running.clone();
        Outcome {
            notices: vec![self.told(relay, &running, used.state, used.serves, since)],
            ..Outcome::default()
        }
    }

    /// Makes the lease of the relay of this name longer, as the person wishes. How it is then, the relay tells.
    pub(super) fn extend(&mut self, lease: LeaseId, wish: extend::Wish) {
        let cloud = match self.cloud() {
            Ok(cloud) => cloud,
            Err(failure) => {
                let failure = Box::new(failure);
                return self.say(Said::NotExtended { failure });
            }
        };
        let (data, say) = (self.folders.data.clone(), self.say.clone());
        self.errands.spawn(async move {
            if let Err(failure) = extend::extend(&cloud, &data, lease, wish).await {
                let failure = Box::new(failure);
                let _ = say.send(Said::NotExtended { failure }).await;
            }
        });
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
            provider: running.provider,
            region: running.region.as_ref().map(ToString::to_string),
            state,
            click_to_serving_ms,
            spent_usd: running.cost().as_dollars(),
            bytes_sent: running.sent,
            bytes_budget: running.lease.bytes,
            ends_at: running.lease.ends.as_secs(),
            serves,
        })
    }
}
