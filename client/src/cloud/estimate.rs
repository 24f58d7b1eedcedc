//! What a relay in the cloud would cost an hour: what a person is told before they answer.

use banyan_cloud::ec2;
use banyan_cloud::failure::{Failure, Why};
use banyan_cloud::money::Usd;
use banyan_cloud::plan::Plan;
use banyan_cloud::price::PriceList;
use banyan_cloud::provider::Wish;
use banyan_protocol::media::schedule::wire;
use banyan_protocol::units::Bitrate;

/// Whose prices an estimate goes by before the nearest region is known.
const USUAL_REGION: &str = "us-east-1";

/// What a relay would cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// What an hour costs while what is missing is sent, without any free tier.
    pub hourly: Usd,
    /// Whose prices these are, in words.
    pub place: String,
    /// The date of the price list.
    pub prices_of: String,
}

/// What a relay as it is wished costs while `missing` is sent: where it will be launched (at the usual region's prices, if that is not known
/// yet), on a machine of one of the types (EC2's usual ones, if there are none).
///
/// # Errors
/// If prices are not known, or the money does not last for the hours.
pub fn estimate(wish: &Wish, missing: Bitrate) -> Result<Estimate, Failure> {
    let list = PriceList::built_in();
    let usual = || ec2::KINDS.map(str::to_owned).to_vec();
    let kinds = if wish.kinds.is_empty() {
        usual()
    } else {
        wish.kinds.clone()
    };
    let unknown = || Failure::new(Why::Price, "no prices are known");
    let region = wish.place(list).cloned();
    let region = region.or_else(|| USUAL_REGION.parse().ok()).ok_or_else(unknown)?;
    let plan = Plan::paid(list, &region, &kinds, ec2::DISK_GIB, wish.limits)?;
    let bytes = wire::mean_of(missing).as_bps() / 8 * 3600;
    Ok(Estimate {
        hourly: plan.per_hour(bytes),
        place: plan.place,
        prices_of: plan.prices_of,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use banyan_cloud::plan::Limits;
    use std::time::Duration;

    fn wish(hours: u64, cents: u64, near: &[&str]) -> Wish {
        Wish {
            limits: Limits {
                hours: Duration::from_secs(3600 * hours),
                budget: Usd::from_cents(cents),
            },
            region: None,
            near: near.iter().map(|name| name.parse().unwrap()).collect(),
            kinds: Vec::new(),
        }
    }

    #[test]
    fn more_that_is_missing_costs_more_and_money_that_does_not_last_is_said() {
        let of = |mbps: u64| estimate(&wish(1, 500, &[]), Bitrate::from_kbps(1000 * mbps));
        let (little, much) = (of(2).unwrap(), of(20).unwrap());
        assert!(little.hourly > Usd::ZERO && much.hourly > little.hourly);
        let refused = estimate(&wish(24, 10, &[]), Bitrate::from_kbps(2000));
        assert_eq!(refused.unwrap_err().why, Why::Budget);
    }

    #[test]
    fn the_price_is_that_of_the_region_where_it_will_be() {
        let of = |near: &[&str]| estimate(&wish(1, 500, near), Bitrate::from_kbps(20_000)).unwrap();
        let (usual, far) = (of(&[]), of(&["ap-northeast-2", "us-east-1"]));
        assert_ne!(usual.place, far.place);
        assert!(far.hourly > usual.hourly, "bytes are dear there");
    }
}
