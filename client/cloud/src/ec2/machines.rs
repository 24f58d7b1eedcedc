//! The machines that are there: finding them, marking them, ending them.

use super::call::{Answer, Api, Call, InstanceState, Refusal};
use super::refusal::Meaning;
use super::{Ec2, PORT, insist, tags};
use crate::failure::{Failure, Why};
use crate::ledger::{Book, Entry, State};
use crate::provider::{Found, Kind, Life, Listing};
use crate::region::Region;
use banyan_protocol::wire::lease::Lease;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::JoinSet;

impl<A: Api + 'static> Ec2<A> {
    pub(super) async fn look_around(&self, also: &[Region]) -> Listing {
        let mut listing = Listing::default();
        let book = match self.ledger.book() {
            Ok(book) => book,
            Err(failure) => {
                listing.unseen.push(failure);
                return listing;
            }
        };
        let mut regions: BTreeSet<Region> = book.regions(Kind::Ec2);
        regions.extend(also.iter().cloned());
        let mut looks = JoinSet::new();
        for region in regions {
            let api = Arc::clone(&self.api);
            looks.spawn(async move { (look(&*api, &region).await, region) });
        }
        while let Some(looked) = looks.join_next().await {
            match looked.expect("looking does not panic") {
                (Ok(found), _) => listing.found.extend(found),
                (Err(refusal), region) => listing.unseen.push(refusal.failure("DescribeInstances", &region)),
            }
        }
        for found in &mut listing.found {
            know_address(found, &book);
        }
        listing
            .found
            .sort_by(|a, b| (a.launched, &a.handle).cmp(&(b.launched, &b.handle)));
        listing
    }

    pub(super) async fn mark(&self, found: &Found, lease: &Lease) -> Result<(), Failure> {
        let region = region_of(found)?;
        let call = Call::Mark {
            handle: found.handle.clone(),
            ends: lease.ends,
            dry: false,
        };
        let marked = self.insist(region, &call).await;
        marked.map_err(|refusal| refusal.failure(call.action(), region))?;
        if found.install == Some(self.ledger.install()) {
            self.ledger.write(&Entry::Renewed { lease: *lease })?;
        }
        Ok(())
    }

    pub(super) async fn end(&self, found: &Found, why: &str) -> Result<(), Failure> {
        let region = region_of(found)?;
        let call = Call::End {
            handle: found.handle.clone(),
            dry: false,
        };
        match self.insist(region, &call).await {
            Ok(Answer::Instances(instances))
                if instances
                    .iter()
                    .all(|machine| machine.state == InstanceState::Ended) => {}
            Ok(_) => {
                let failure = Failure::new(
                    Why::Unsure,
                    "EC2 was told to end the relay's machine, and has not begun to",
                );
                return Err(failure.leaving([format!("{} in {region}", found.handle)]));
            }
            Err(refusal) if refusal.meaning() == Meaning::Gone => {}
            // What counts is whether it runs, not whether it could be told to end.
            Err(_) if self.has_ended(region, &found.handle).await => {}
            Err(refusal) => {
                let failure = refusal.failure(call.action(), region);
                return Err(failure.leaving([format!("{} in {region}", found.handle)]));
            }
        }
        self.note_end(found, why)
    }

    async fn has_ended(&self, region: &Region, handle: &str) -> bool {
        let look = Call::Look {
            handle: handle.to_owned(),
        };
        match self.insist(region, &look).await {
            Ok(Answer::Instances(machines)) => {
                !machines.is_empty()
                    && machines
                        .iter()
                        .all(|machine| machine.state == InstanceState::Ended)
            }
            Ok(_) => false,
            Err(refusal) => refusal.meaning() == Meaning::Gone,
        }
    }

    /// Into the ledger, if the lease is in it: also of a machine that it had not heard of.
    fn note_end(&self, found: &Found, why: &str) -> Result<(), Failure> {
        let book = self.ledger.book()?;
        let Some(account) = found.lease.and_then(|lease| book.account(lease)) else {
            return Ok(());
        };
        let (lease, handle) = (account.lease.id, found.handle.clone());
        let unheard = account
            .attempts
            .iter()
            .find(|attempt| attempt.state == State::Asked && Some(&attempt.token) == found.token.as_ref());
        if let Some(attempt) = unheard {
            let token = attempt.token.clone();
            self.ledger.write(&Entry::Alive {
                lease,
                token,
                handle: handle.clone(),
            })?;
        }
        self.ledger.write(&Entry::Ended {
            lease,
            handle,
            why: why.to_owned(),
        })
    }
}

fn region_of(found: &Found) -> Result<&Region, Failure> {
    let nowhere = || {
        Failure::new(
            Why::NoRelay,
            format!("nobody knows in which region {} is", found.handle),
        )
    };
    found.region.as_ref().ok_or_else(nowhere)
}

/// Our machines in a region that have not ended.
async fn look<A: Api>(api: &A, region: &Region) -> Result<Vec<Found>, Refusal> {
    let call = Call::Find {
        tag: tags::APP,
        value: tags::APP_RELAY.into(),
    };
    match insist(api, region, &call).await? {
        Answer::Instances(instances) => {
            let found = instances
                .iter()
                .map(|instance| tags::found(instance, region, PORT));
            Ok(found.filter(|found| found.state != Life::Ended).collect())
        }
        answer => panic!("EC2 was asked for machines, and answers {answer:?}"),
    }
}

/// The ledger knows the port; EC2 only the address.
fn know_address(found: &mut Found, book: &Book) {
    let account = found.lease.and_then(|lease| book.account(lease));
    let attempts = account.into_iter().flat_map(|account| &account.attempts);
    for attempt in attempts {
        match &attempt.state {
            State::Alive {
                handle,
                address: Some(known),
            } if *handle == found.handle => found.address = Some(*known),
            _ => {}
        }
    }
}
