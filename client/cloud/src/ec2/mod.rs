//! Relays as VMs in the person's own account at Amazon's EC2.

mod build;
pub(crate) mod call;
mod check;
pub mod image;
pub(crate) mod launch;
mod machines;
pub mod nearness;
pub mod policy;
mod refusal;
mod sdk;
mod tags;
mod user_data;

pub use build::Kept;
pub use check::Finding;
pub(crate) use sdk::Sdk;

use crate::failure::{Failure, Why};
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::price::PriceList;
use crate::process::Mark;
use crate::provider::{Cancel, Found, Listing, Machine, Order, Provider, Teller, Wish};
use crate::region::Region;
use banyan_protocol::wire::lease::Lease;
use call::{Answer, Api, Call};
use launch::{Launch, Spec, Step};
use refusal::Meaning;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The machine types that may be launched unless somebody wishes for others, the best first. They are small, because a
/// relay's bill is its bytes; the second is there for when the first is out.
pub const KINDS: [&str; 2] = ["t3.small", "t3.medium"];

/// The disk of a relay, at most.
pub const DISK_GIB: u64 = image::DISK_GIB_MAX as u64;

/// The port of relays unless their boot data say another.
pub const PORT: u16 = 4600;

/// Relays on EC2.
#[derive(Debug)]
pub(crate) struct Ec2<A> {
    api: Arc<A>,
    ledger: Arc<Ledger>,
    prices: &'static PriceList,
}

impl<A: Api + 'static> Ec2<A> {
    pub(crate) fn new(api: A, ledger: Arc<Ledger>) -> Self {
        Self {
            api: Arc::new(api),
            ledger,
            prices: PriceList::built_in(),
        }
    }

    /// Asks until there is an answer that is one, a few times.
    async fn insist(&self, region: &Region, call: &Call) -> Result<Answer, call::Refusal> {
        insist(&*self.api, region, call).await
    }

    fn spec(&self, order: &Order, left_age: Duration) -> Result<Spec, Failure> {
        let region = order.plan.region.clone();
        let region = region.ok_or_else(|| Failure::new(Why::Price, "a relay on EC2 needs a region"))?;
        let price = |kind: &String| {
            let hour = self.prices.hour(&region, kind, DISK_GIB);
            let unknown = || Failure::new(Why::Price, format!("what {kind} costs in {region} is not known"));
            hour.map(|hour| (kind.clone(), hour)).ok_or_else(unknown)
        };
        let kinds = order
            .plan
            .kinds
            .iter()
            .map(price)
            .collect::<Result<Vec<_>, _>>()?;
        if kinds.is_empty() {
            return Err(Failure::new(Why::Price, "the plan names no machine type"));
        }
        if order.boot.lease.bytes > order.plan.bytes {
            return Err(Failure::new(
                Why::Budget,
                "the relay's lease has more bytes than its plan pays for: this is a bug, please report it",
            ));
        }
        Ok(Spec {
            kinds,
            region,
            egress_gb: order.plan.egress_gb,
            subnet: order.subnet.clone(),
            image: order.image.clone(),
            boot: order.boot.clone(),
            install: self.ledger.install(),
            by: Mark::myself(),
            left_age,
        })
    }

    /// Does what the launch decides, until it is over.
    async fn drive(
        &self,
        mut launch: Launch,
        region: &Region,
        mut cancel: Cancel,
        tell: Teller<'_>,
    ) -> Result<Machine, Failure> {
        let began = Instant::now();
        loop {
            // A request is never broken off: what it does is known when it is answered.
            if *cancel.borrow_and_update() {
                launch.cancel();
            }
            match launch.step(began.elapsed()) {
                Step::Record(entry) => {
                    if let Err(failure) = self.ledger.write(&entry) {
                        launch.ledger_failed(failure);
                    }
                }
                Step::Tell(progress) => tell(progress),
                Step::Ask(call) => {
                    let answer = self.api.call(region, &call).await;
                    tracing::debug!(
                        action = call.action(),
                        outcome = outcome(&answer),
                        "EC2 was asked"
                    );
                    launch.answered(began.elapsed(), answer);
                }
                Step::Wait(time) => tokio::select! {
                    () = sleep(time) => {}
                    // Without a sender nobody can cancel any more.
                    Ok(()) = cancel.changed() => {}
                },
                Step::Over(result) => return result,
            }
        }
    }
}

impl Ec2<Sdk> {
    /// Where to launch: where it was wished, else where it is near to those whom it is for, else where it is near to us, else where the
    /// profile says.
    async fn region(&self, wish: &Wish) -> Result<Region, Failure> {
        if let Some(region) = wish.place(self.prices) {
            return Ok(region.clone());
        }
        let near = match self.api.has_own_endpoint() {
            true => None,
            false => nearness::round_trips(self.prices).await.into_iter().next(),
        };
        let near = near.map(|(region, _)| region);
        near.or_else(|| self.api.region()).ok_or_else(|| {
            Failure::new(
                Why::Unreachable,
                "no region of EC2 answers; check the network, or choose a region with --region",
            )
        })
    }
}

/// A word for the log.
fn outcome(answer: &Result<Answer, call::Refusal>) -> &str {
    match answer {
        Ok(_) => "done",
        Err(refusal) => refusal.word(),
    }
}

const INSIST_TRIES: u32 = 5;

async fn insist<A: Api>(api: &A, region: &Region, call: &Call) -> Result<Answer, call::Refusal> {
    let mut tries = 0;
    loop {
        match api.call(region, call).await {
            Err(refusal)
                if tries < INSIST_TRIES && matches!(refusal.meaning(), Meaning::Again | Meaning::Unknown) =>
            {
                sleep(Duration::from_millis(250 << tries)).await;
                tries += 1;
            }
            answer => return answer,
        }
    }
}

impl Provider for Ec2<Sdk> {
    async fn plan(&self, wish: &Wish) -> Result<Plan, Failure> {
        let region = self.region(wish).await?;
        let usual = || KINDS.map(str::to_owned).to_vec();
        let mut kinds = if wish.kinds.is_empty() {
            usual()
        } else {
            wish.kinds.clone()
        };
        if wish.kinds.is_empty() {
            kinds.retain(|kind| self.prices.hour(&region, kind, DISK_GIB).is_some());
            if kinds.is_empty() {
                kinds = usual();
            }
        }
        Plan::paid(self.prices, &region, &kinds, DISK_GIB, wish.limits)
    }

    async fn launch(&self, order: &Order, cancel: Cancel, tell: Teller<'_>) -> Result<Machine, Failure> {
        match order.image.makes {
            true => self.make_image(order, cancel, tell).await,
            false => self.launch_on(order, cancel, tell).await,
        }
    }

    async fn list(&self, also: &[Region]) -> Listing {
        self.look_around(also).await
    }

    async fn renew(&self, found: &Found, lease: &Lease) -> Result<(), Failure> {
        self.mark(found, lease).await
    }

    async fn terminate(&self, found: &Found, why: &str) -> Result<(), Failure> {
        self.end(found, why).await
    }
}

impl<A: Api + 'static> Ec2<A> {
    async fn launch_on(&self, order: &Order, cancel: Cancel, tell: Teller<'_>) -> Result<Machine, Failure> {
        let now = crate::clock::now();
        if order.boot.lease.ends <= now {
            return Err(Failure::new(
                Why::Budget,
                "the lease is over before the relay could start",
            ));
        }
        let book = self.ledger.book()?;
        let left = book
            .account(order.boot.lease.id)
            .and_then(|account| account.open())
            .cloned();
        let spec = self.spec(
            order,
            left.as_ref().map_or(Duration::ZERO, |left| now.since(left.at)),
        )?;
        let region = spec.region.clone();
        if let Some(other) = left.as_ref().filter(|left| left.region.as_ref() != Some(&region)) {
            let place = other.region.as_ref().map_or("this machine", Region::as_str);
            let failure = Failure::new(Why::Unsure, "this lease was launched elsewhere before");
            return Err(failure.leaving([format!("a relay in {place}")]));
        }
        self.drive(Launch::new(spec, left), &region, cancel, tell).await
    }
}
