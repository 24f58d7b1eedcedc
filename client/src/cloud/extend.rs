//! A relay's lease made longer: the relay is told, then the ledger and the provider's tags.

use super::courier::{self, Errand};
use super::rein::Rein;
use banyan_cloud::child::Cloud;
use banyan_cloud::extension::{self, Extension, More};
use banyan_cloud::failure::{Failure, Why};
use banyan_cloud::ledger::Ledger;
use banyan_protocol::wire::lease::LeaseId;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// What is wished for. Without money for bytes, it is the machine's time alone that is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// How much longer.
    pub(crate) time: std::time::Duration,
    /// The most that it may cost, machine and bytes; `None`: the machine, and no more bytes.
    pub(crate) budget: Option<banyan_cloud::money::Usd>,
}

/// Makes the lease longer; says how it is now. If the relay is not reached, or does not obey, nothing has changed.
///
/// # Errors
/// If there is no such relay here, the money does not last, the relay does not obey, or others cannot be told.
pub(crate) async fn extend(
    cloud: &Cloud,
    data: &Path,
    lease: LeaseId,
    wish: Wish,
) -> Result<Extension, Failure> {
    let rein = Rein::of(data, lease)?;
    let extension = order(data, lease, wish, &rein)?;
    courier::bring(Errand {
        relay: rein.relay,
        addresses: rein.addresses,
        order: extension.order.clone(),
        lease: extension.lease,
    })
    .await?;
    cloud.renew(extension.lease).await.map_err(|failure| {
        let ends = extension.lease.ends.as_secs();
        let sentence =
            format!("the relay runs until {ends} (seconds since 1970), but others are not told: {failure}");
        Failure::new(failure.why, sentence)
    })?;
    Ok(extension)
}

fn order(data: &Path, lease: LeaseId, wish: Wish, rein: &Rein) -> Result<Extension, Failure> {
    let book = Ledger::open(data)?.book()?;
    let unknown = || Failure::new(Why::NoRelay, format!("the ledger knows no relay {lease}"));
    let account = book.account(lease).ok_or_else(unknown)?;
    let machine = account.open().map(|attempt| attempt.hourly.for_hours(wish.time));
    let more = More {
        time: wish.time,
        budget: wish.budget.or(machine).unwrap_or(banyan_cloud::money::Usd::ZERO),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    extension::extend(account, more, &rein.relay, &rein.sponsor, now.as_micros() as u64)
}
