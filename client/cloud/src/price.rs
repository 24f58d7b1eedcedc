//! The price list: what a relay's machine, address, disk and bytes cost, by region, as of a date.

use crate::money::Usd;
use crate::region::Region;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

/// A dated price list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PriceList {
    /// The date on which it held, `2026-07-20`.
    pub as_of: String,
    hours_per_month: u64,
    egress_free_gb: u64,
    billed_at_least_s: u64,
    regions: BTreeMap<Region, RegionPrices>,
}

/// Prices of one region, in US dollars before tax.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RegionPrices {
    /// Where that is, for people.
    pub place: String,
    /// A public IPv4 address, an hour.
    #[serde(deserialize_with = "amount")]
    pub ipv4_hour: Usd,
    /// A gigabyte (10⁹ bytes) to the internet, in the dearest tier, beyond what is free.
    #[serde(deserialize_with = "amount")]
    pub egress_gb: Usd,
    #[serde(deserialize_with = "amount")]
    gp3_gib_month: Usd,
    #[serde(deserialize_with = "amounts")]
    types: BTreeMap<String, Usd>,
}

impl PriceList {
    /// The list that the program carries.
    ///
    /// # Panics
    /// If it is malformed, which a test rules out.
    pub fn built_in() -> &'static Self {
        static LIST: OnceLock<PriceList> = OnceLock::new();
        LIST.get_or_init(|| toml::from_str(include_str!("../prices.toml")).expect("a test reads the list"))
    }

    /// A region's prices; `None` if they are not known.
    pub fn of(&self, region: &Region) -> Option<&RegionPrices> {
        self.regions.get(region)
    }

    /// The regions whose prices are known.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        self.regions.keys()
    }

    /// What an hour of a machine of type `kind` with an address and a disk of `disk_gib` costs, before it sends a
    /// byte; `None` if it is not known.
    pub fn hour(&self, region: &Region, kind: &str, disk_gib: u64) -> Option<Usd> {
        let prices = self.of(region)?;
        let disk_month = prices.gp3_gib_month.as_micros().saturating_mul(disk_gib);
        let disk = Usd::from_micros(disk_month.div_ceil(self.hours_per_month));
        Some(prices.types.get(kind)?.plus(prices.ipv4_hour).plus(disk))
    }

    /// What a month of a disk costs; `None` if it is not known.
    pub fn disk_month(&self, region: &Region, gib: u64) -> Option<Usd> {
        let prices = self.of(region)?;
        Some(Usd::from_micros(
            prices.gp3_gib_month.as_micros().saturating_mul(gib),
        ))
    }

    /// What is billed for `time`: a minute at least.
    pub fn billed(&self, time: Duration) -> Duration {
        time.max(Duration::from_secs(self.billed_at_least_s))
    }

    /// How many bytes a month are free, for the whole account.
    pub fn free_bytes(&self) -> u64 {
        self.egress_free_gb * 1_000_000_000
    }
}

fn amount<'de, D: Deserializer<'de>>(from: D) -> Result<Usd, D::Error> {
    String::deserialize(from)?
        .parse()
        .map_err(serde::de::Error::custom)
}

fn amounts<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Usd>, D::Error> {
    let texts = BTreeMap::<String, String>::deserialize(from)?;
    let parse = |(kind, text): (String, String)| text.parse().map(|price| (kind, price));
    texts
        .into_iter()
        .map(parse)
        .collect::<Result<_, _>>()
        .map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(name: &str) -> Region {
        name.parse().unwrap()
    }

    #[test]
    fn an_hour_is_machine_address_and_disk() {
        let list = PriceList::built_in();
        // 0.0208 + 0.005 + 8 × 0.08 ÷ 730, rounded up to a micro-dollar.
        let hour = list.hour(&region("us-east-1"), "t3.small", 8).unwrap();
        assert_eq!(hour.as_micros(), 20_800 + 5_000 + 877);
    }

    #[test]
    fn what_is_not_known_has_no_price() {
        let list = PriceList::built_in();
        assert!(list.hour(&region("us-east-1"), "x9.huge", 8).is_none());
        assert!(list.hour(&region("us-gov-west-1"), "t3.small", 8).is_none());
        assert!(list.of(&region("xx-nowhere-1")).is_none());
    }

    #[test]
    fn every_region_has_the_default_type_and_plausible_prices() {
        let list = PriceList::built_in();
        assert!(list.regions().count() >= 15);
        for region in list.regions() {
            let prices = list.of(region).unwrap();
            let small = list.hour(region, "t3.small", 8).unwrap();
            let medium = list.hour(region, "t3.medium", 8).unwrap();
            assert!(small < medium && medium < Usd::from_cents(10), "{region}");
            let egress = prices.egress_gb;
            assert!(
                (Usd::from_cents(9)..=Usd::from_cents(16)).contains(&egress),
                "{region}"
            );
        }
    }

    #[test]
    fn a_minute_is_billed_in_any_case() {
        let billed = |seconds| {
            PriceList::built_in()
                .billed(Duration::from_secs(seconds))
                .as_secs()
        };
        assert_eq!((billed(0), billed(61)), (60, 61));
    }
}
