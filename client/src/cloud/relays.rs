//! `banyan relays …`: what runs, and ending it.

use super::extend::{self, Wish};
use super::{child, rein};
use crate::args::{Relays, Where};
use crate::error::Error;
use crate::folders::Folders;
use banyan_cloud::child::Cloud;
use banyan_cloud::child::message::{Listed, Target};
use banyan_cloud::ec2::Kept;
use banyan_cloud::failure::Failure;
use banyan_cloud::ledger::Ledger;
use banyan_cloud::price::PriceList;
use banyan_cloud::provider::Kind;
use banyan_cloud::reaper::Verdict;
use banyan_cloud::region::Region;
use banyan_protocol::time::Utc;
use banyan_protocol::wire::lease::LeaseId;
use serde_json::{Value, json};
use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

/// Does what was asked.
///
/// # Errors
/// [`Error::Cloud`] if something cannot be looked at or ended.
pub(crate) async fn run(what: Relays, folders: &Folders) -> Result<(), Error> {
    let cloud = child::start(folders, false)?;
    let done = match what {
        Relays::List(place) => list(&cloud, &place).await,
        Relays::Extend {
            lease,
            hours,
            budget,
            json,
        } => {
            let wish = Wish { time: hours, budget };
            longer(&cloud, folders, lease, wish, json).await
        }
        Relays::Stop { lease, place } => stop(&cloud, lease, &place).await,
        Relays::Sweep { all, place } => sweep(&cloud, all, &place).await,
    };
    cloud.close().await;
    // Without a readable ledger everything stays as it is.
    if let Ok(book) = Ledger::open(&folders.data).and_then(|ledger| ledger.book()) {
        rein::tidy(&folders.data, &book);
    }
    done
}

async fn longer(
    cloud: &Cloud,
    folders: &Folders,
    lease: LeaseId,
    wish: Wish,
    json: bool,
) -> Result<(), Error> {
    let extension = extend::extend(cloud, &folders.data, lease, wish).await?;
    let (ends, bytes) = (extension.lease.ends.as_secs(), extension.lease.bytes);
    let mut output = io::stdout();
    if json {
        let line = json!({
            "event": "relay-extended",
            "relay": lease,
            "ends_at": ends,
            "bytes_budget": bytes,
            "machine_usd": extension.machine.as_dollars(),
        });
        return Ok(writeln!(output, "{line}")?);
    }
    let left = extension.lease.ends.since(banyan_cloud::clock::now()).as_secs() / 60;
    Ok(writeln!(
        output,
        "{lease}  runs {left} min more, and may send {} MB in all; its machine costs {} more",
        bytes / 1_000_000,
        extension.machine
    )?)
}

/// Where to look: with `--provider ec2` everywhere, because another machine's ledger names other regions.
fn regions(place: &Where) -> Vec<Region> {
    let everywhere = place.region.is_none() && place.provider.map(Kind::from) == Some(Kind::Ec2);
    let known = PriceList::built_in().regions().filter(|_| everywhere);
    known.cloned().chain(place.region.clone()).collect()
}

async fn look(cloud: &Cloud, place: &Where) -> Result<(Vec<Listed>, Vec<Kept>, Vec<Failure>), Error> {
    Ok(cloud.list(place.provider.map(Kind::from), regions(place)).await?)
}

async fn list(cloud: &Cloud, place: &Where) -> Result<(), Error> {
    let (relays, images, unseen) = look(cloud, place).await?;
    let now = banyan_cloud::clock::now();
    if relays.is_empty() && !place.json {
        writeln!(io::stdout(), "No relay runs.")?;
    }
    for relay in &relays {
        tell(place, "relay", relay, now)?;
    }
    for kept in &images {
        tell_image(place.json, "image", kept)?;
    }
    conclude(unseen)
}

/// The whole of it is told, and the first failure ends the command.
fn conclude(failures: Vec<Failure>) -> Result<(), Error> {
    for failure in failures.iter().skip(1) {
        eprintln!("banyan: {failure}");
    }
    failures
        .into_iter()
        .next()
        .map_or(Ok(()), |failure| Err(failure.into()))
}

fn tell(place: &Where, event: &str, relay: &Listed, now: Utc) -> Result<(), Error> {
    let mut output = io::stdout();
    if place.json {
        return Ok(writeln!(output, "{}", event_of(event, relay, now))?);
    }
    Ok(writeln!(output, "{}", words(event, relay, now))?)
}

fn event_of(event: &str, relay: &Listed, now: Utc) -> Value {
    let found = &relay.found;
    json!({
        "event": event,
        "relay": found.lease,
        "provider": found.provider,
        "region": found.region,
        "machine": found.handle,
        "type": found.kind,
        "address": found.address,
        "launched_at": found.launched,
        "ends_at": found.ends,
        "machine_usd": relay.hourly.map(|hourly| hourly.for_hours(now.since(found.launched)).as_dollars()),
        "bytes_budget": relay.bytes,
        "verdict": relay.verdict,
    })
}

fn words(event: &str, relay: &Listed, now: Utc) -> String {
    let found = &relay.found;
    let lease = found.lease.map_or("(no lease)".into(), |lease| lease.to_string());
    let place = found.region.as_ref().map_or("this machine", Region::as_str);
    let left = found.ends.map_or(Duration::ZERO, |ends| ends.since(now));
    let cost = match relay.hourly {
        Some(hourly) => format!(
            ", its machine has cost {}",
            hourly.for_hours(now.since(found.launched))
        ),
        None => String::new(),
    };
    let verdict = match (event, relay.verdict) {
        ("relay", Verdict::Keep) => String::new(),
        ("relay", verdict) => format!("; sweep would end it, because {verdict}"),
        (_, Verdict::Keep) => "; ended".into(),
        (_, verdict) => format!("; ended, because {verdict}"),
    };
    format!(
        "{lease}  {} {} in {place}, {} min left{cost}{verdict}",
        found.provider,
        found.handle,
        left.as_secs() / 60
    )
}

/// An image of ours, which is kept and costs money.
pub(super) fn tell_image(json: bool, event: &str, kept: &Kept) -> Result<(), Error> {
    let mut output = io::stdout();
    if !json {
        return Ok(writeln!(output, "{}", image_words(event, kept))?);
    }
    let line = json!({
        "event": event,
        "image": kept.image,
        "name": kept.name,
        "region": kept.region,
        "snapshot": kept.snapshot,
        "gib": kept.gib,
        "month_usd": kept.month.map(|month| month.as_dollars()),
        "superseded": kept.superseded,
    });
    Ok(writeln!(output, "{line}")?)
}

fn image_words(event: &str, kept: &Kept) -> String {
    let month = kept
        .month
        .map_or(String::new(), |month| format!(", at most {month} a month"));
    let fate = match (event, kept.superseded) {
        ("image", false) => "",
        ("image", true) => "; there is a newer one, and sweep would drop it",
        _ => "; dropped",
    };
    format!(
        "image {} ({}) in {}{month}{fate}",
        kept.name, kept.image, kept.region
    )
}

/// A relay by its lease: the ledger's regions are looked into, and the one that was named.
async fn find(cloud: &Cloud, lease: LeaseId, place: &Where) -> Result<Vec<Listed>, Error> {
    let (relays, _, unseen) = look(cloud, place).await?;
    let its: Vec<Listed> = relays
        .into_iter()
        .filter(|relay| relay.found.lease == Some(lease))
        .collect();
    match its.is_empty() {
        true => conclude(unseen).map(|()| its),
        false => Ok(its),
    }
}

async fn stop(cloud: &Cloud, lease: LeaseId, place: &Where) -> Result<(), Error> {
    let relays = find(cloud, lease, place).await?;
    if relays.is_empty() {
        // The ledger may know of a machine that no list shows.
        return Ok(cloud.terminate(Target::Lease(lease), "asked").await?);
    }
    let mut failures = Vec::new();
    for relay in relays {
        let ended = end(cloud, &relay, Some("asked")).await;
        let kept = Listed {
            verdict: Verdict::Keep,
            ..relay
        };
        match ended {
            Ok(()) => tell(place, "relay-ended", &kept, banyan_cloud::clock::now())?,
            Err(failure) => failures.push(failure),
        }
    }
    conclude(failures)
}

/// Ends a machine, for the reason that is given or else for what is wrong with it.
pub(super) async fn end(cloud: &Cloud, relay: &Listed, why: Option<&str>) -> Result<(), Failure> {
    let machine = Target::Machine(Box::new(relay.found.clone()));
    let wrong = relay.verdict.to_string();
    cloud.terminate(machine, why.unwrap_or(&wrong)).await
}

async fn sweep(cloud: &Cloud, all: bool, place: &Where) -> Result<(), Error> {
    let (relays, images, mut failures) = look(cloud, place).await?;
    let ends = |relay: &Listed| all || relay.verdict != Verdict::Keep;
    let doomed: Vec<Listed> = relays.into_iter().filter(ends).collect();
    let dropped: Vec<Kept> = images.into_iter().filter(|kept| all || kept.superseded).collect();
    let is_nothing = doomed.is_empty() && dropped.is_empty();
    if all && !is_nothing && !confirmed(&doomed, &dropped)? {
        return Err(Error::Usage("nothing was ended".into()));
    }
    for relay in &doomed {
        let asked = all.then_some("asked");
        match end(cloud, relay, asked).await {
            Ok(()) => tell(place, "relay-ended", relay, banyan_cloud::clock::now())?,
            Err(failure) => failures.push(failure),
        }
    }
    for kept in dropped {
        match cloud
            .terminate(Target::Image(Box::new(kept.clone())), "asked")
            .await
        {
            Ok(()) => tell_image(place.json, "image-dropped", &kept)?,
            Err(failure) => failures.push(failure),
        }
    }
    if is_nothing && !place.json {
        writeln!(io::stdout(), "Nothing runs that should not.")?;
    }
    conclude(failures)
}

/// Asks on standard error, so that standard output stays what it is.
fn confirmed(doomed: &[Listed], dropped: &[Kept]) -> Result<bool, Error> {
    for relay in doomed {
        eprintln!("{}", words("relay", relay, banyan_cloud::clock::now()));
    }
    for kept in dropped {
        eprintln!("{}", image_words("image", kept));
    }
    eprint!(
        "End {} relays, whoever they serve, and drop {} images? [y/N] ",
        doomed.len(),
        dropped.len()
    );
    if io::stdin().is_terminal() {
        io::stderr().flush()?;
    }
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests;
