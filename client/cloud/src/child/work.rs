//! What the cloud child does for each verb.

use super::message::{Answer, Listed, Target, Verb};
use super::serve::Config;
use crate::ec2::launch::PROOF_AGE;
use crate::ec2::{Ec2, Kept, Sdk};
use crate::failure::{Failure, Why};
use crate::ledger::{Account, Attempt, Entry, Ledger, State};
use crate::local::Local;
use crate::provider::{Found, Kind, Life, Listing, Machine, Order, Provider, Teller};
use crate::reaper::{Bench, Verdict};
use crate::region::Region;
use banyan_protocol::wire::lease::{Lease, LeaseId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio::sync::{OnceCell, watch};

/// The providers, and what is under way with them.
pub(super) struct Work {
    ledger: Arc<Ledger>,
    local: Local,
    /// Made when it is first needed: without EC2 nobody looks for credentials.
    ec2: OnceCell<Ec2<Sdk>>,
    launches: Mutex<BTreeMap<LeaseId, watch::Sender<Stage>>>,
}

/// How far a launch is, for those who wait for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It was asked for, and is about to begin.
    Announced,
    /// It goes on.
    Wanted,
    /// Nobody wants it any more.
    Cancelled,
}

impl Work {
    pub(super) fn open(config: &Config) -> Result<Self, Failure> {
        let ledger = Arc::new(Ledger::open(&config.data)?);
        Ok(Self {
            local: Local::new(config.programs.clone(), &config.data, Arc::clone(&ledger)),
            ledger,
            ec2: OnceCell::new(),
            launches: Mutex::default(),
        })
    }

    /// A launch is about to begin: from now on no sweep touches its lease.
    pub(super) fn expect(&self, verb: &Verb) {
        if let Verb::Launch { order } = verb {
            let mut launches = self.launches.lock().expect("nobody panics with it");
            launches
                .entry(order.boot.lease.id)
                .or_insert_with(|| watch::Sender::new(Stage::Announced));
        }
    }

    /// Nobody wants any launch any more.
    pub(super) fn cancel_all(&self) {
        let launches = self.launches.lock().expect("nobody panics with it");
        for launch in launches.values() {
            launch.send_replace(Stage::Cancelled);
        }
    }

    pub(super) async fn do_it(&self, verb: Verb, tell: Teller<'_>) -> Result<Answer, Failure> {
        match verb {
            Verb::Plan {
                provider,
                wish,
                check,
            } => {
                let plan = match provider {
                    Kind::Local => self.local.plan(&wish).await?,
                    Kind::Ec2 => self.ec2().await.plan(&wish).await?,
                };
                let findings = match (check, &plan.region) {
                    (Some(image), Some(region)) => self.ec2().await.check(region, &image).await,
                    _ => Vec::new(),
                };
                let plan = Box::new(plan);
                Ok(Answer::Planned { plan, findings })
            }
            Verb::Launch { order } => {
                let machine = self.launch(&order, tell).await?;
                Ok(Answer::Launched { machine })
            }
            Verb::List { provider, regions } => self.list(provider, &regions).await,
            Verb::Renew { lease } => self.renew(&lease).await,
            Verb::Terminate { target, why } => self.terminate(target, &why).await,
        }
    }

    async fn ec2(&self) -> &Ec2<Sdk> {
        let load = async || Ec2::new(Sdk::load().await, Arc::clone(&self.ledger));
        self.ec2.get_or_init(load).await
    }

    async fn launch(&self, order: &Order, tell: Teller<'_>) -> Result<Machine, Failure> {
        let lease = order.boot.lease.id;
        let cancel = cancel_of(self.begin(lease)?);
        let launched = match order.provider {
            Kind::Local => self.local.launch(order, cancel, tell).await,
            Kind::Ec2 => self.ec2().await.launch(order, cancel, tell).await,
        };
        self.launches
            .lock()
            .expect("nobody panics with it")
            .remove(&lease);
        launched
    }

    /// Marks a launch as begun: one at a time for a lease.
    fn begin(&self, lease: LeaseId) -> Result<watch::Receiver<Stage>, Failure> {
        let mut launches = self.launches.lock().expect("nobody panics with it");
        let launch = launches.get(&lease);
        match launch.map(|launch| (launch.send_replace(Stage::Wanted), launch.subscribe())) {
            Some((Stage::Announced, stage)) => Ok(stage),
            Some((Stage::Wanted, _)) => Err(Failure::new(
                Why::Refused,
                format!("a relay of lease {lease} is being launched already"),
            )),
            Some((Stage::Cancelled, _)) | None => {
                launches.remove(&lease);
                Err(Failure::new(Why::Cancelled, "nobody wants the relay any more"))
            }
        }
    }

    /// What is there, with whoever may have something.
    async fn look(&self, provider: Option<Kind>, regions: &[Region]) -> Result<Listing, Failure> {
        let mut listing = Listing::default();
        if provider != Some(Kind::Ec2) {
            listing = self.local.list(regions).await;
        }
        let ec2_used = !self.ledger.book()?.regions(Kind::Ec2).is_empty() || !regions.is_empty();
        if ec2_used && provider != Some(Kind::Local) {
            let there = self.ec2().await.list(regions).await;
            listing.found.extend(there.found);
            listing.unseen.extend(there.unseen);
        }
        Ok(listing)
    }

    fn judged(&self, found: Vec<Found>) -> Result<Vec<Listed>, Failure> {
        let book = self.ledger.book()?;
        let busy: BTreeSet<LeaseId> = self
            .launches
            .lock()
            .expect("nobody panics with it")
            .keys()
            .copied()
            .collect();
        let bench = Bench {
            book: &book,
            install: self.ledger.install(),
            busy: &busy,
            now: crate::clock::now(),
        };
        let judge = |found: Found| {
            let account = found.lease.and_then(|lease| book.account(lease));
            let attempt =
                account.and_then(|account| account.attempts.iter().find(|attempt| attempt.is(&found.handle)));
            Listed {
                verdict: bench.judge(&found),
                hourly: attempt.map(|attempt| attempt.hourly),
                bytes: account.map(|account| account.lease.bytes),
                found,
            }
        };
        Ok(found.into_iter().map(judge).collect())
    }

    async fn list(&self, provider: Option<Kind>, regions: &[Region]) -> Result<Answer, Failure> {
        let listing = self.look(provider, regions).await?;
        let (images, unseen) = self.images(provider, regions).await?;
        let mut all = listing.unseen;
        all.extend(unseen);
        Ok(Answer::Listed {
            relays: self.judged(listing.found)?,
            images,
            unseen: all,
        })
    }

    /// Images of ours in the regions that are named, and in those where the ledger knows of some.
    async fn images(
        &self,
        provider: Option<Kind>,
        regions: &[Region],
    ) -> Result<(Vec<Kept>, Vec<Failure>), Failure> {
        let mut places = self.ledger.book()?.image_regions();
        places.extend(regions.iter().cloned());
        let (mut images, mut unseen) = (Vec::new(), Vec::new());
        for region in places.iter().filter(|_| provider != Some(Kind::Local)) {
            match self.ec2().await.kept(region).await {
                Ok(kept) => images.extend(kept),
                Err(failure) => unseen.push(failure),
            }
        }
        Ok((images, unseen))
    }

    /// Ends what should not be there. What cannot be looked at or ended now is so at the next sweep.
    pub(super) async fn sweep(&self) {
        let listing = match self.look(None, &[]).await {
            Ok(listing) => listing,
            Err(failure) => return tracing::warn!(%failure, "the relays cannot be looked at"),
        };
        for failure in &listing.unseen {
            tracing::warn!(%failure, "some relays cannot be looked at");
        }
        let seen_all = listing.unseen.is_empty();
        for Listed { found, verdict, .. } in self.judged(listing.found).unwrap_or_default() {
            if verdict == Verdict::Keep {
                continue;
            }
            tracing::info!(relay = found.handle, why = %verdict, "a relay is ended");
            if let Err(failure) = self.end(&found, &verdict.to_string()).await {
                tracing::warn!(%failure, "a relay cannot be ended");
            }
        }
        if seen_all && let Err(failure) = self.close_unanswered() {
            tracing::warn!(%failure, "the ledger cannot be written");
        }
    }

    /// Requests that nobody answered, so old that they make nothing any more: what they made was found and ended.
    fn close_unanswered(&self) -> Result<(), Failure> {
        let now = crate::clock::now();
        for account in self.ledger.book()?.accounts() {
            let unanswered = account
                .attempts
                .iter()
                .filter(|attempt| attempt.state == State::Asked);
            for attempt in unanswered.filter(|attempt| now.since(attempt.at) >= PROOF_AGE) {
                self.ledger.write(&Entry::Refused {
                    lease: account.lease.id,
                    token: attempt.token.clone(),
                    why: "it made nothing that lives".into(),
                })?;
            }
        }
        Ok(())
    }

    async fn end(&self, found: &Found, why: &str) -> Result<(), Failure> {
        match found.provider {
            Kind::Local => self.local.terminate(found, why).await,
            Kind::Ec2 => self.ec2().await.terminate(found, why).await,
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<Answer, Failure> {
        let found = self.of_lease(lease.id).await?;
        let relay = found
            .iter()
            .find(|found| found.state == Life::Alive)
            .ok_or_else(|| no_relay(lease.id))?;
        match relay.provider {
            Kind::Local => self.local.renew(relay, lease).await?,
            Kind::Ec2 => self.ec2().await.renew(relay, lease).await?,
        }
        Ok(Answer::Done)
    }

    async fn terminate(&self, target: Target, why: &str) -> Result<Answer, Failure> {
        match target {
            Target::Machine(found) => self.end(&found, why).await?,
            Target::Image(kept) => self.ec2().await.drop_image(&kept).await?,
            Target::Lease(lease) => {
                self.give_up(lease).await;
                let known = self.ledger.book()?.account(lease).is_some();
                let all = self.of_lease(lease).await?;
                if all.is_empty() && !known {
                    return Err(no_relay(lease));
                }
                for found in &all {
                    self.end(found, why).await?;
                }
                self.close_unanswered()?;
                self.still_open(lease)?;
            }
        }
        Ok(Answer::Done)
    }

    /// Cancels a launch that is under way, and waits for its end.
    async fn give_up(&self, lease: LeaseId) {
        let stage = {
            let launches = self.launches.lock().expect("nobody panics with it");
            launches.get(&lease).map(|launch| {
                launch.send_replace(Stage::Cancelled);
                launch.subscribe()
            })
        };
        if let Some(mut stage) = stage {
            // Its sender goes when the launch is over.
            while stage.changed().await.is_ok() {}
        }
    }

    /// Everything of a lease: what tags name, and what the ledger does although no list shows it yet.
    async fn of_lease(&self, lease: LeaseId) -> Result<Vec<Found>, Failure> {
        let listing = self.look(None, &[]).await?;
        let mut all: Vec<Found> = listing
            .found
            .into_iter()
            .filter(|found| found.lease == Some(lease))
            .collect();
        let book = self.ledger.book()?;
        if let Some(account) = book.account(lease) {
            for attempt in &account.attempts {
                if let State::Alive { handle, .. } = &attempt.state {
                    let listed = all.iter().any(|found| found.handle == *handle);
                    all.extend((!listed).then(|| self.by_ledger(account, attempt, handle)));
                }
            }
        }
        Ok(all)
    }

    fn by_ledger(&self, account: &Account, attempt: &Attempt, handle: &str) -> Found {
        Found {
            provider: attempt.provider,
            handle: handle.to_owned(),
            region: attempt.region.clone(),
            kind: attempt.kind.clone(),
            lease: Some(account.lease.id),
            ends: Some(account.lease.ends),
            token: Some(attempt.token.clone()),
            install: Some(self.ledger.install()),
            launched: attempt.at,
            address: None,
            state: Life::Alive,
        }
    }

    /// A request that nobody answered may still make a machine.
    fn still_open(&self, lease: LeaseId) -> Result<(), Failure> {
        let book = self.ledger.book()?;
        let Some(attempt) = book.account(lease).and_then(Account::open) else {
            return Ok(());
        };
        if attempt.provider == Kind::Local {
            return Ok(());
        }
        let place = attempt.region.as_ref().map_or("this machine", Region::as_str);
        let failure = Failure::new(
            Why::Unsure,
            "a request for a machine was never answered; it is looked for until that is clear",
        );
        Err(failure.leaving([format!("a machine of lease {lease} in {place}")]))
    }
}

/// Providers know only whether to go on.
fn cancel_of(mut stage: watch::Receiver<Stage>) -> watch::Receiver<bool> {
    let (sender, cancel) = watch::channel(*stage.borrow() == Stage::Cancelled);
    tokio::spawn(async move {
        // Ends with the launch: its sender goes, or nobody listens any more.
        while tokio::select! { changed = stage.changed() => changed.is_ok(), () = sender.closed() => false } {
            sender.send_replace(*stage.borrow() == Stage::Cancelled);
        }
    });
    cancel
}

fn no_relay(lease: LeaseId) -> Failure {
    Failure::new(
        Why::NoRelay,
        format!("no relay of lease {lease} is known here; banyan relays list shows those that are"),
    )
}
