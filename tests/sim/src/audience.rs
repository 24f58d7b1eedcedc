//! Who watches: viewers drawn from a scenario's mixture.

use crate::chance::Chance;
use crate::net::UPLINK_FLOOR;
use crate::scenario::Scenario;
use banyan_protocol::rng::Rng;
use banyan_protocol::units::Bitrate;

/// A viewer before it joins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Person {
    /// What it gives, in wire bits a second.
    pub(crate) uplink: Bitrate,
    /// Whether it says so; else it is measured.
    pub(crate) capped: bool,
    /// Whether nobody can dial it.
    pub(crate) nat: bool,
    /// Whether it alters chunks.
    pub(crate) forges: bool,
}

impl Person {
    /// The rate of its line: acknowledgements and control need some, even of one that gives nothing.
    pub(crate) fn line_bps(&self) -> u64 {
        self.uplink.as_bps().max(UPLINK_FLOOR)
    }
}

/// Draws viewers of a scenario, for one seed.
#[derive(Debug)]
pub(crate) struct Audience {
    kinds: Vec<(f64, crate::scenario::Range, f64)>,
    nat: f64,
    forgers: f64,
    copy: Bitrate,
    /// What each kind is behind its share, so that a small audience is mixed as a large one.
    owed: Vec<f64>,
}

impl Audience {
    /// The audience of a scenario in which a copy of the full stream costs `copy`.
    pub(crate) fn new(scenario: &Scenario, copy: Bitrate, rng: &mut Rng) -> Self {
        let kinds = scenario.uplinks.iter();
        Self {
            kinds: kinds.map(|kind| (kind.share, kind.copies, kind.capped)).collect(),
            nat: scenario.network.nat.draw(rng),
            forgers: scenario.faults.forgers,
            copy,
            owed: owed(scenario, rng),
        }
    }

    /// The next viewer.
    pub(crate) fn draw(&mut self, rng: &mut Rng) -> Person {
        let kind = self.next_kind();
        let (_, copies, capped) = self.kinds[kind];
        let bps = copies.draw(rng) * self.copy.as_bps() as f64;
        Person {
            uplink: Bitrate(bps as u64),
            capped: rng.happens(capped),
            nat: rng.happens(self.nat),
            forges: rng.happens(self.forgers),
        }
    }

    fn next_kind(&mut self) -> usize {
        for (owed, kind) in self.owed.iter_mut().zip(&self.kinds) {
            *owed += kind.0;
        }
        let most = (0..self.owed.len()).max_by(|a, b| self.owed[*a].total_cmp(&self.owed[*b]));
        let kind = most.expect("a scenario has a kind of viewer");
        self.owed[kind] -= 1.0;
        kind
    }
}

/// What each kind is behind its share at first: who comes when, is the seed's choice, or the scenario's.
fn owed(scenario: &Scenario, rng: &mut Rng) -> Vec<f64> {
    let kinds = scenario.uplinks.len();
    let first = |(place, kind): (usize, &crate::scenario::Uplinks)| {
        let part = if scenario.arrival.in_turn {
            (kinds - place) as f64 / kinds as f64
        } else {
            rng.unit()
        };
        kind.share * part
    };
    scenario.uplinks.iter().enumerate().map(first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_audience_is_mixed_as_the_scenario_says() {
        let scenario = Scenario::load("churn").unwrap();
        let mut rng = Rng::new(5);
        let copy = Bitrate::from_kbps(3000);
        let mut audience = Audience::new(&scenario, copy, &mut rng);
        let people: Vec<Person> = (0..40).map(|_| audience.draw(&mut rng)).collect();
        let riders = people
            .iter()
            .filter(|person| person.uplink < copy.percent(18))
            .count();
        assert!(
            (9..=11).contains(&riders),
            "a quarter of 40 are free riders, not {riders}"
        );
        assert!(people.iter().all(|person| person.line_bps() >= UPLINK_FLOOR));
    }
}
