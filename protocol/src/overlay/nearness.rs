//! In which regions a relay is near to those whom it is to serve.

use crate::limits::NEAR_MAX;
use crate::overlay::reach::Prefix;
use crate::wire::region::RegionName;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Members of one network whose word counts, so that one host with a hundred keys does not choose.
const COUNTED_OF_A_PREFIX: usize = 2;

/// What one member says of regions: round trips in milliseconds.
pub type RoundTrips = Vec<(RegionName, u16)>;

/// The regions that are nearest to most of those who say how far they are, the nearest first: by the median of their round trips, in which a
/// region that somebody does not name is too far for it. So whoever is in the minority can make no region nearer than it is for somebody honest, nor
/// farther. Of two medians the greater counts. At most [`NEAR_MAX`].
pub fn nearest<'a>(said: impl IntoIterator<Item = (Prefix, &'a RoundTrips)>) -> Vec<RegionName> {
    let tables = counted(said);
    let names: BTreeSet<&RegionName> = tables.iter().flat_map(|table| table.keys().copied()).collect();
    let by_median = names
        .into_iter()
        .filter_map(|name| Some((median(&tables, name)?, name)));
    let mut by_median: Vec<(u16, &RegionName)> = by_median.collect();
    by_median.sort();
    let names = by_median.into_iter().map(|(_, name)| name.clone());
    names.take(NEAR_MAX).collect()
}

type Table<'a> = BTreeMap<&'a RegionName, u16>;

/// The tables that count. Who found out nothing says nothing of any region.
fn counted<'a>(said: impl IntoIterator<Item = (Prefix, &'a RoundTrips)>) -> Vec<Table<'a>> {
    let mut prefixes: BTreeMap<Prefix, usize> = BTreeMap::new();
    let mut tables = Vec::new();
    for (prefix, round_trips) in said {
        let of_a_prefix = prefixes.entry(prefix).or_default();
        if *of_a_prefix < COUNTED_OF_A_PREFIX && !round_trips.is_empty() {
            *of_a_prefix += 1;
            tables.push(round_trips.iter().map(|(name, ms)| (name, *ms)).collect());
        }
    }
    tables
}

/// The middle one of the round trips to a region; `None` if it is too far for half of them.
fn median(tables: &[Table<'_>], name: &RegionName) -> Option<u16> {
    let mut round_trips: Vec<u16> = tables
        .iter()
        .filter_map(|table| table.get(name).copied())
        .collect();
    round_trips.sort_unstable();
    round_trips.get(tables.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;
    use core::net::SocketAddr;

    fn home(n: u8) -> Prefix {
        Prefix::of(&SocketAddr::from(([198, 51, n, 1], 4600)))
    }

    fn says(round_trips: &[(&str, u16)]) -> RoundTrips {
        let name = |name: &str| RegionName::try_from(name.to_string()).unwrap();
        round_trips.iter().map(|(of, ms)| (name(of), *ms)).collect()
    }

    fn names(said: &[(u8, RoundTrips)]) -> Vec<alloc::string::String> {
        let said = said.iter().map(|(n, round_trips)| (home(*n), round_trips));
        nearest(said).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_region_in_the_middle_of_those_who_are_served_is_nearest() {
        let (east, west) = (
            says(&[("east", 10), ("west", 90), ("south", 60)]),
            says(&[("east", 95), ("west", 12), ("south", 70)]),
        );
        assert_eq!(names(&[(1, east.clone())]), ["east", "south", "west"]);
        assert_eq!(
            names(&[(1, east.clone()), (2, west.clone()), (3, west.clone())]),
            ["west", "south", "east"],
            "two of three"
        );
        assert_eq!(
            names(&[(1, east), (2, west)])[0],
            "south",
            "the farther one of two counts"
        );
        assert!(names(&[]).is_empty());
    }

    #[test]
    fn a_minority_of_liars_does_not_choose() {
        let honest = says(&[("near", 20), ("middle", 40), ("dear", 250)]);
        let liar = says(&[("dear", 0), ("near", u16::MAX)]);
        let said = [
            (1, honest.clone()),
            (2, liar.clone()),
            (3, honest.clone()),
            (4, liar.clone()),
            (5, honest),
        ];
        assert_eq!(names(&said), ["near", "middle", "dear"]);
        // A hundred keys of one network count as two.
        let crowd = (0..100).map(|_| (9, liar.clone()));
        let all: Vec<_> = crowd
            .chain(said.into_iter().filter(|(_, says)| says.len() == 3))
            .collect();
        assert_eq!(names(&all)[0], "near");
    }

    #[test]
    fn a_region_that_half_of_them_do_not_reach_is_far() {
        let (one, other) = (says(&[("a", 5), ("b", 50)]), says(&[("b", 60)]));
        assert_eq!(names(&[(1, one.clone()), (2, other)]), ["b"]);
        assert_eq!(
            names(&[(1, one), (2, vec![])]),
            ["a", "b"],
            "who knows nothing does not count"
        );
    }

    #[test]
    fn few_are_named() {
        let all: RoundTrips = (0..20u16)
            .map(|n| (RegionName::try_from(alloc::format!("r-{n}")).unwrap(), 20 - n))
            .collect();
        let named = names(&[(1, all)]);
        assert_eq!((named.len(), named[0].as_str()), (NEAR_MAX, "r-19"));
    }
}
