//! What a relay would cost, and what its budget buys.

use crate::failure::{Failure, Why};
use crate::money::Usd;
use crate::price::PriceList;
use crate::region::Region;
use banyan_protocol::media::schedule::wire::wire_bytes;
use banyan_protocol::time::TICK;
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::chunk;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a person is willing to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The longest lease.
    pub hours: Duration,
    /// The most money, all costs together.
    pub budget: Usd,
}

/// What a relay would cost. The dollars are a limit, not an estimate: `bytes` is what is left of them once the machine
/// is paid for the whole lease, at prices that assume no free tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Where; `None` for this machine.
    pub region: Option<Region>,
    /// Where that is, for people.
    pub place: String,
    /// The machine types that may be launched, the best first.
    pub kinds: Vec<String>,
    /// What an hour of the best costs before it sends a byte.
    pub hourly: Usd,
    /// What the dearest of them costs for the whole lease before it sends a byte.
    pub machine: Usd,
    /// What a gigabyte (10⁹ bytes) sent costs.
    pub egress_gb: Usd,
    /// What may be spent at most, everything together.
    pub at_most: Usd,
    /// The byte budget: wire bytes that the relay may send.
    pub bytes: u64,
    /// How much less it would be if none of this month's free egress were used yet.
    pub free_tier_saves: Usd,
    /// The date of the price list; empty where nothing is paid.
    pub prices_of: String,
}

/// The byte budget where bytes cost nothing: what a JSON number holds exactly, three years at a gigabit a second.
pub const BYTES_UNPAID: u64 = 1 << 53;

/// Below this a relay would be gone before anybody noticed it: a minute of three viewers at 4 Mbit/s.
const BYTES_LEAST: u64 = 100_000_000;

impl Plan {
    /// A relay on this machine: it costs nothing but uplink.
    pub fn unpaid() -> Self {
        Self {
            region: None,
            place: "this machine".into(),
            kinds: Vec::new(),
            hourly: Usd::ZERO,
            machine: Usd::ZERO,
            egress_gb: Usd::ZERO,
            at_most: Usd::ZERO,
            bytes: BYTES_UNPAID,
            free_tier_saves: Usd::ZERO,
            prices_of: String::new(),
        }
    }

    /// A relay in `region`, on a machine of one of `kinds` with a disk of `disk_gib`.
    ///
    /// # Errors
    /// [`Why::Price`] if the list does not know a price, [`Why::Budget`] if the money does not last for the hours.
    ///
    /// # Panics
    /// If `kinds` is empty.
    pub fn paid(
        list: &PriceList,
        region: &Region,
        kinds: &[String],
        disk_gib: u64,
        limits: Limits,
    ) -> Result<Self, Failure> {
        let prices = list.of(region).ok_or_else(|| unknown_region(list, region))?;
        let hour = |kind: &String| {
            list.hour(region, kind, disk_gib)
                .ok_or_else(|| unknown_kind(region, kind))
        };
        let hours = kinds.iter().map(hour).collect::<Result<Vec<Usd>, _>>()?;
        let dearest = *hours.iter().max().expect("a plan names a type");
        let machine = dearest.for_hours(list.billed(limits.hours));
        let left = limits.budget.minus(machine).unwrap_or(Usd::ZERO);
        let bytes = left.buys_bytes(prices.egress_gb).unwrap_or(BYTES_UNPAID);
        if bytes < BYTES_LEAST {
            return Err(too_little(
                machine.plus(prices.egress_gb.for_bytes(BYTES_LEAST)),
                limits,
            ));
        }
        Ok(Self {
            region: Some(region.clone()),
            place: prices.place.clone(),
            kinds: kinds.to_vec(),
            hourly: hours[0],
            machine,
            egress_gb: prices.egress_gb,
            at_most: limits.budget,
            bytes,
            free_tier_saves: prices.egress_gb.for_bytes(bytes.min(list.free_bytes())),
            prices_of: list.as_of.clone(),
        })
    }

    /// What an hour costs in all while so many wire bytes an hour are sent.
    pub fn per_hour(&self, bytes_per_hour: u64) -> Usd {
        self.hourly.plus(self.egress_gb.for_bytes(bytes_per_hour))
    }
}

/// Hours as people say them: `1.5 h`, cut after two places.
fn in_hours(time: Duration) -> String {
    let hundredths = time.as_secs() / 36;
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    format!("{} h", text.trim_end_matches('0').trim_end_matches('.'))
}

fn too_little(least: Usd, limits: Limits) -> Failure {
    Failure::new(
        Why::Budget,
        format!(
            "{} is too little for {}: a relay needs at least {least} to be of use; raise --budget, or lower --hours",
            limits.budget,
            in_hours(limits.hours),
        ),
    )
}

fn unknown_kind(region: &Region, kind: &str) -> Failure {
    Failure::new(
        Why::Price,
        format!(
            "what a machine of type {kind} costs in {region} is not known, so no limit would hold; choose another type"
        ),
    )
}

fn unknown_region(list: &PriceList, region: &Region) -> Failure {
    let known: Vec<&str> = list.regions().map(Region::as_str).collect();
    Failure::new(
        Why::Price,
        format!(
            "the prices of region {region} are not known, so no limit would hold; choose one of {}",
            known.join(", ")
        ),
    )
}

/// The wire bytes that a relay sends in `time` to `children` who each take a stream of payload rate `rate` in so many
/// stripes: payload, chunk headers and signatures, QUIC, UDP, IP and Ethernet, control and acknowledgements.
pub fn estimate(rate: Bitrate, stripes: u8, children: u64, time: Duration) -> u64 {
    let payload = rate.bytes_in(TICK);
    // All stripes to one child are written together, so they share datagrams.
    let tick = wire_bytes(payload + u64::from(stripes) * chunk::OVERHEAD as u64);
    let ticks = time.as_micros() / u128::from(TICK.as_micros() as u64);
    let media = u128::from(tick) * u128::from(children) * ticks;
    let all = media * (100 + CONTROL_PERCENT) / 100;
    u64::try_from(all).unwrap_or(u64::MAX)
}

/// Acknowledgements, keep-alives, control and what is sent twice, in hundredths of the media.
const CONTROL_PERCENT: u128 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn usd(text: &str) -> Usd {
        text.parse().unwrap()
    }

    fn plan(region: &str, kinds: &[&str], hours: Duration, budget: &str) -> Result<Plan, Failure> {
        let kinds: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let limits = Limits {
            hours,
            budget: usd(budget),
        };
        Plan::paid(PriceList::built_in(), &region.parse().unwrap(), &kinds, 8, limits)
    }

    #[test]
    fn a_dollar_for_an_hour_buys_about_eleven_gigabytes() {
        let plan = plan("us-east-1", &["t3.small"], HOUR, "1").unwrap();
        assert_eq!(plan.machine.as_micros(), 26_677);
        assert_eq!(plan.bytes, (1_000_000 - 26_677) * 1_000_000_000 / 90_000);
        assert_eq!(plan.at_most, usd("1"));
        assert_eq!(plan.prices_of, "2026-07-20");
    }

    #[test]
    fn money_is_never_exceeded_whichever_type_is_launched() {
        for budget in ["0.2", "1", "7.77", "100"] {
            for hours in [1, 3, 24] {
                let Ok(plan) = plan("ap-northeast-2", &["t3.small", "t3.medium"], HOUR * hours, budget)
                else {
                    continue;
                };
                let list = PriceList::built_in();
                for kind in &plan.kinds {
                    let hour = list.hour(plan.region.as_ref().unwrap(), kind, 8).unwrap();
                    let all = hour
                        .for_hours(HOUR * hours)
                        .plus(plan.egress_gb.for_bytes(plan.bytes));
                    assert!(all <= usd(budget), "{kind} {budget} {hours}: {all}");
                }
            }
        }
    }

    #[test]
    fn the_free_tier_is_told_but_not_counted_on() {
        let small = plan("us-east-1", &["t3.small"], HOUR, "1").unwrap();
        assert_eq!(small.free_tier_saves, small.egress_gb.for_bytes(small.bytes));
        let large = plan("us-east-1", &["t3.small"], HOUR, "100").unwrap();
        assert_eq!(large.free_tier_saves, usd("9"));
    }

    #[test]
    fn too_little_money_says_how_much_is_needed() {
        let failure = plan("us-east-1", &["t3.small"], HOUR * 3 / 2, "0.03").unwrap_err();
        assert_eq!(failure.why, Why::Budget);
        assert_eq!(
            failure.sentence,
            "$0.0300 is too little for 1.5 h: a relay needs at least $0.0491 to be of use; raise --budget, or lower --hours"
        );
        assert!(plan("us-east-1", &["t3.small"], HOUR * 3 / 2, "0.05").is_ok());
    }

    #[test]
    fn without_a_price_nothing_is_planned() {
        for region in ["me-south-1", "sa-east-1"] {
            let failure = plan(region, &["t3.small"], HOUR, "1").unwrap_err();
            assert_eq!(failure.why, Why::Price);
            assert!(failure.sentence.contains(region) && failure.sentence.contains("eu-central-1"));
        }
        assert_eq!(
            plan("us-east-1", &["z1d.large"], HOUR, "1").unwrap_err().why,
            Why::Price
        );
    }

    #[test]
    fn an_estimate_counts_what_is_on_the_wire() {
        let rate = Bitrate::from_kbps(4_000);
        let payload = 500_000 * 600;
        let bytes = estimate(rate, 5, 1, HOUR / 6);
        assert!(
            bytes > payload * 107 / 100 && bytes < payload * 115 / 100,
            "{bytes}"
        );
        assert_eq!(estimate(rate, 5, 0, HOUR), 0);
        assert_eq!(estimate(rate, 5, 8, HOUR) / 8, estimate(rate, 5, 1, HOUR));
    }

    #[test]
    fn an_hours_cost_is_machine_and_bytes() {
        let plan = plan("us-east-1", &["t3.small"], HOUR, "1").unwrap();
        assert_eq!(plan.per_hour(1_000_000_000), plan.hourly.plus(usd("0.09")));
        assert_eq!(Plan::unpaid().per_hour(u64::MAX), Usd::ZERO);
    }
}
