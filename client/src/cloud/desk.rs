//! What a program with a window asks of this person's cloud: what runs, whether an account is ready, and the end of relays.

use super::extend::{self, Wish};
use super::{account, child, relays};
use crate::args::{Account, Provider};
use crate::error::Error;
use crate::file;
use crate::folders::Folders;
use banyan_cloud::child::Cloud;
use banyan_cloud::child::message::{Listed, Target};
use banyan_cloud::ec2::Finding;
use banyan_cloud::extension::Extension;
use banyan_cloud::failure::Failure;
use banyan_cloud::ledger::Ledger;
use banyan_cloud::plan::Plan;
use banyan_cloud::reaper::Verdict;
use banyan_protocol::wire::lease::LeaseId;
use std::time::Duration;

/// Why a relay is ended that this person wants to be.
const ASKED: &str = "asked";

/// What runs in this person's name, wherever the ledger knows of, and what could not be looked at.
///
/// # Errors
/// If nothing could be looked at.
pub async fn list(folders: &Folders) -> Result<(Vec<Listed>, Vec<Failure>), Error> {
    let cloud = child::start(folders, false)?;
    let listed = cloud.list(None, Vec::new()).await;
    cloud.close().await;
    let (relays, _, unseen) = listed?;
    Ok((relays, unseen))
}

/// Whether the ledger knows of anything that may run. Without a readable one there may be.
pub fn may_run(folders: &Folders) -> bool {
    if !Ledger::is_there(&folders.data) {
        return false;
    }
    let book = Ledger::open(&folders.data).and_then(|ledger| ledger.book());
    book.map_or(true, |book| {
        let mut attempts = book.accounts().flat_map(|account| &account.attempts);
        attempts.any(|attempt| attempt.state.is_open())
    })
}

/// Ends the relay of this lease; where a machine's tags name none, that of this handle.
///
/// # Errors
/// If there is none, or it may be running all the same.
pub async fn stop(folders: &Folders, name: &str) -> Result<(), Error> {
    let cloud = child::start(folders, false)?;
    let ended = end_named(&cloud, name).await;
    cloud.close().await;
    ended
}

async fn end_named(cloud: &Cloud, name: &str) -> Result<(), Error> {
    if let Ok(lease) = name.parse() {
        return Ok(cloud.terminate(Target::Lease(lease), ASKED).await?);
    }
    let (relays, _, _) = cloud.list(None, Vec::new()).await?;
    let named = relays.iter().find(|relay| relay.found.handle == name);
    let none = || Error::Usage(format!("“{name}” is no relay that runs"));
    Ok(relays::end(cloud, named.ok_or_else(none)?, Some(ASKED)).await?)
}

/// Makes the lease longer by `time`; its machine's time is paid for, and no more bytes.
///
/// # Errors
/// If the relay does not obey; nothing has changed then.
pub async fn extend(folders: &Folders, lease: LeaseId, time: Duration) -> Result<Extension, Error> {
    let cloud = child::start(folders, false)?;
    let wish = Wish { time, budget: None };
    let extended = extend::extend(&cloud, &folders.data, lease, wish).await;
    cloud.close().await;
    Ok(extended?)
}

/// Ends what is past its lease or dead. Says how many were ended, and why others may run all the same.
///
/// # Errors
/// If nothing could be looked at.
pub async fn sweep(folders: &Folders) -> Result<(usize, Vec<Failure>), Error> {
    let cloud = child::start(folders, false)?;
    let swept = end_the_dead(&cloud).await;
    cloud.close().await;
    swept
}

async fn end_the_dead(cloud: &Cloud) -> Result<(usize, Vec<Failure>), Error> {
    let (relays, _, mut failures) = cloud.list(None, Vec::new()).await?;
    let mut ended = 0;
    for relay in relays.iter().filter(|relay| relay.verdict != Verdict::Keep) {
        match relays::end(cloud, relay, None).await {
            Ok(()) => ended += 1,
            Err(failure) => failures.push(failure),
        }
    }
    Ok((ended, failures))
}

/// What the config file says of relays in the cloud; the usual where there is none.
///
/// # Errors
/// If it cannot be read.
pub fn site(folders: &Folders) -> Result<file::Cloud, Error> {
    Ok(file::File::load(None, Some(&folders.config_file))?.cloud)
}

/// Whether the EC2 account is ready for a relay of this `site` in `region` (`auto`: the nearest), finding by finding, and what
/// one costs there.
///
/// # Errors
/// If it could not be looked at.
pub async fn check(
    folders: &Folders,
    site: &file::Cloud,
    region: &str,
) -> Result<(Plan, Vec<Finding>), Error> {
    account::look(&ec2(region), site, folders).await
}

/// The least that relays of this `site` in `region` (`auto`: in all) need of the EC2 account: the text of `banyan cloud policy`.
///
/// # Errors
/// If that is no region.
pub fn policy(site: &file::Cloud, region: &str) -> Result<String, Error> {
    account::policy_for(&ec2(region), site)
}

fn ec2(region: &str) -> Account {
    Account {
        provider: Provider::Ec2,
        region: region.into(),
        json: false,
    }
}
