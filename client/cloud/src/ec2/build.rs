//! Relay images in the person's own account: made of Debian's by a machine that is launched as relays' are, in the ledger and
//! with a lease, and ended whatever comes of it; found by their tag; dropped with what they are kept in.

use super::call::{Answer, Api, Call, Image, InstanceState};
use super::image::DISK_GIB_MAX;
use super::{Ec2, tags};
use crate::failure::{Failure, Why};
use crate::ledger::Entry;
use crate::money::Usd;
use crate::provider::{Cancel, Found, Kind, Life, Machine, Order, Teller};
use crate::region::Region;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a machine may take to make its disk an image, and EC2 to copy that.
const MADE_WITHIN: Duration = Duration::from_secs(15 * 60);

/// How often either is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// An image of ours, and what it is kept in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where it is.
    pub region: Region,
    /// EC2's name for it.
    pub image: String,
    /// Its name: version, processors, and the digest of the relay in it.
    pub name: String,
    /// What it is kept in.
    pub snapshot: Option<String>,
    /// For these processors.
    pub architecture: String,
    /// The size of its disk.
    pub gib: u64,
    /// What a month costs at most: snapshots are cheaper than the disks whose price this is; `None` if that is not known.
    pub month: Option<Usd>,
    /// Whether there is a newer one for the same processors.
    pub superseded: bool,
}

impl<A: Api + 'static> Ec2<A> {
    /// Makes an image of the order's release, unless there is one.
    ///
    /// # Errors
    /// If there is no release, no machine, or no image in time. What may be running is named.
    pub(super) async fn make_image(
        &self,
        order: &Order,
        cancel: Cancel,
        tell: Teller<'_>,
    ) -> Result<Machine, Failure> {
        let name = order.image.image_name(&order.plan.kinds)?;
        let machine = self.launch_on(order, cancel.clone(), tell).await?;
        let made = self.image_of(&machine, &name, cancel).await;
        let ended = self
            .end(&found(order, &machine), "its disk is an image, or will be none")
            .await;
        made?;
        ended?;
        Ok(machine)
    }

    async fn image_of(&self, machine: &Machine, name: &str, cancel: Cancel) -> Result<(), Failure> {
        let region = machine.region.as_ref().expect("a machine of EC2 is somewhere");
        let began = Instant::now();
        self.until_stopped(region, &machine.handle, began, &cancel)
            .await?;
        let call = Call::MakeImage {
            handle: machine.handle.clone(),
            name: name.to_owned(),
            tags: tags::lasting(),
        };
        let made = self.insist(region, &call).await;
        let image = match made.map_err(|refusal| refusal.failure(call.action(), region))? {
            Answer::Image(image) => image,
            answer => panic!("EC2 was asked for an image, and answers {answer:?}"),
        };
        self.ledger.write(&Entry::Image {
            region: region.clone(),
            image: image.clone(),
            month: self.month(region, DISK_GIB_MAX as u64),
        })?;
        self.until_there(region, &image, began, &cancel).await
    }

    /// A machine that has done its work stops; one that has not is ended by whoever waits.
    async fn until_stopped(
        &self,
        region: &Region,
        handle: &str,
        began: Instant,
        cancel: &Cancel,
    ) -> Result<(), Failure> {
        let call = Call::Look {
            handle: handle.to_owned(),
        };
        loop {
            let looked = self.insist(region, &call).await;
            let Answer::Instances(machines) =
                looked.map_err(|refusal| refusal.failure(call.action(), region))?
            else {
                panic!("EC2 was asked for machines");
            };
            match machines.first().map(|machine| machine.state) {
                Some(InstanceState::Stopped) => return Ok(()),
                Some(InstanceState::Ended) => {
                    return Err(Failure::new(Why::Vanished, "the machine that makes the image went away; try again"));
                }
                _ => wait(began, cancel, "the machine that makes the image is not done in time; its console, in the AWS console under “Get system log”, says why").await?,
            }
        }
    }

    async fn until_there(
        &self,
        region: &Region,
        image: &str,
        began: Instant,
        cancel: &Cancel,
    ) -> Result<(), Failure> {
        while !self.own_images(region).await?.iter().any(|own| own.id == image) {
            wait(
                began,
                cancel,
                "EC2 does not finish the image in time; banyan cloud image shows whether it has",
            )
            .await?;
        }
        Ok(())
    }

    async fn own_images(&self, region: &Region) -> Result<Vec<Image>, Failure> {
        let call = Call::OwnImages;
        match self.insist(region, &call).await {
            Ok(Answer::Images(images)) => Ok(images),
            Ok(answer) => panic!("EC2 was asked for images, and answers {answer:?}"),
            Err(refusal) => Err(refusal.failure(call.action(), region)),
        }
    }

    /// Our images in a region, with what they cost.
    ///
    /// # Errors
    /// If nobody could look.
    pub(crate) async fn kept(&self, region: &Region) -> Result<Vec<Kept>, Failure> {
        let images = self.own_images(region).await?;
        let newer = |one: &Image| {
            images
                .iter()
                .any(|other| other.architecture == one.architecture && other.created > one.created)
        };
        let kept = |image: &Image| Kept {
            region: region.clone(),
            image: image.id.clone(),
            name: image.name.clone(),
            snapshot: image.snapshot.clone(),
            architecture: image.architecture.clone(),
            gib: u64::try_from(image.gib).unwrap_or(0),
            month: self.month(region, u64::try_from(image.gib).unwrap_or(0)),
            superseded: newer(image),
        };
        Ok(images.iter().map(kept).collect())
    }

    fn month(&self, region: &Region, gib: u64) -> Option<Usd> {
        self.prices.disk_month(region, gib)
    }

    /// Drops an image and what it is kept in.
    ///
    /// # Errors
    /// If one of them is still there, and may cost money.
    pub(crate) async fn drop_image(&self, kept: &Kept) -> Result<(), Failure> {
        let image = kept.image.clone();
        let mut calls = vec![Call::DropImage { image: image.clone() }];
        calls.extend(
            kept.snapshot
                .clone()
                .map(|snapshot| Call::DropSnapshot { snapshot }),
        );
        for call in calls {
            let dropped = self.insist(&kept.region, &call).await;
            dropped.map_err(|refusal| refusal.failure(call.action(), &kept.region))?;
        }
        self.ledger.write(&Entry::ImageDropped { image })
    }
}

/// Until the next look, if there is to be one.
async fn wait(began: Instant, cancel: &Cancel, late: &str) -> Result<(), Failure> {
    if *cancel.borrow() {
        return Err(Failure::new(Why::Cancelled, "nobody wants the image any more"));
    }
    if began.elapsed() >= MADE_WITHIN {
        return Err(Failure::new(Why::Deadline, late));
    }
    sleep(LOOK_EVERY).await;
    Ok(())
}

fn found(order: &Order, machine: &Machine) -> Found {
    Found {
        provider: Kind::Ec2,
        handle: machine.handle.clone(),
        region: machine.region.clone(),
        kind: machine.kind.clone(),
        lease: Some(order.boot.lease.id),
        ends: Some(order.boot.lease.ends),
        token: None,
        install: None,
        launched: crate::clock::now(),
        address: None,
        state: Life::Alive,
    }
}
