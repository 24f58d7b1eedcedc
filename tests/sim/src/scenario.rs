//! Scenarios: what a simulation is of, as TOML. Ranges are drawn from by the seed, so that each seed is another case.

use crate::chance::Chance;
use crate::keys::Signatures;
use banyan_protocol::rng::Rng;
use serde::Deserialize;

/// From a low to a high number; in TOML `[low, high]`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(from = "(f64, f64)")]
pub struct Range {
    low: f64,
    high: f64,
}

impl From<(f64, f64)> for Range {
    fn from((low, high): (f64, f64)) -> Self {
        Self { low, high }
    }
}

impl Range {
    /// Nothing but `value`.
    pub const fn only(value: f64) -> Self {
        Self {
            low: value,
            high: value,
        }
    }

    /// A number of the range.
    pub fn draw(&self, rng: &mut Rng) -> f64 {
        rng.between(self.low, self.high)
    }

    /// A duration of the range, which is in seconds.
    pub fn draw_seconds(&self, rng: &mut Rng) -> u64 {
        (self.draw(rng) * 1e6) as u64
    }
}

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is for, in a sentence.
    pub about: String,
    /// How many viewers join at the start.
    pub viewers: usize,
    /// Simulated minutes.
    pub minutes: f64,
    /// The channel.
    #[serde(default)]
    pub stream: Stream,
    /// The broadcaster.
    pub source: Source,
    /// Kinds of viewers.
    pub uplinks: Vec<Uplinks>,
    /// How they join.
    pub arrival: Arrival,
    /// A crowd that joins later.
    pub crowd: Option<Crowd>,
    /// Many that leave at once.
    pub exodus: Option<Crowd>,
    /// What goes wrong.
    #[serde(default)]
    pub faults: Faults,
    /// What lies between them.
    #[serde(default)]
    pub network: Network,
    /// What a sponsor's provider gives; nobody sponsors without.
    pub cloud: Option<Cloud>,
}

/// A provider of machines.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cloud {
    /// A relay's uplink, in copies of the full stream.
    pub copies: Range,
    /// The same of all but the first, if theirs is another.
    pub later_copies: Option<Range>,
    /// How long it takes to boot, in seconds.
    pub boot_s: Range,
    /// The share of those asked who say yes.
    pub yes: f64,
    /// How many say yes at most, one after the other.
    pub relays_max: Option<usize>,
    /// How many viewers there are who ever say yes.
    pub sponsors_max: Option<usize>,
    /// How long a lease is, in seconds.
    pub lease_s: f64,
    /// How many seconds after it has booted a relay's machine is destroyed, if it is and faults have not stopped.
    pub destroyed_s: Option<f64>,
    /// How a sponsor goes, if it does and faults have not stopped.
    pub sponsor: Option<Going>,
    /// How the first relay goes wrong, if it does.
    pub turn: Option<Turn>,
}

/// How a relay goes wrong.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// How many seconds after it has booted.
    pub after_s: f64,
    /// What becomes of it.
    pub into: Conduct,
}

/// What a member does that it should not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conduct {
    /// Its uplink carries half of what its children need, for which it can do nothing.
    Overloaded,
    /// It alters some of the chunks that it passes on.
    Alters,
    /// It says of one stripe that nothing comes.
    Withholds,
    /// It says that it is overloaded, and feeds nobody but its sponsor.
    FeignsOverload,
    /// It turns away all but its sponsor and a few others.
    ServesFriends,
    /// It accuses its parents, who do no wrong.
    Slanders,
}

/// How a sponsor goes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Going {
    /// How many seconds after its relay has booted.
    pub after_s: f64,
    /// Whether it crashes, instead of leaving.
    #[serde(default)]
    pub crashes: bool,
    /// Whether it lets its relay run on when it leaves.
    #[serde(default)]
    pub run_on: bool,
}

/// The channel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stream {
    /// Payload rates of the tiers, lowest first.
    pub tiers_kbps: Vec<u64>,
    /// Seconds from keyframe to keyframe.
    pub keyframe_s: u64,
    /// How far behind capture viewers play, in milliseconds.
    pub buffer_ms: u64,
    /// Which signatures.
    pub signatures: Signatures,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            tiers_kbps: vec![500, 2500],
            keyframe_s: 1,
            buffer_ms: 2000,
            signatures: Signatures::Hash,
        }
    }
}

/// The broadcaster.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its uplink, in copies of the full stream.
    pub copies: Range,
    /// Whether viewers are refused instead of degraded when there is no room.
    #[serde(default)]
    pub refuses: bool,
    /// How often it is killed and started again, within the time of faults.
    #[serde(default)]
    pub restarts: u32,
}

/// A kind of viewer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uplinks {
    /// Its share among viewers.
    pub share: f64,
    /// Its uplink, in copies of the full stream.
    pub copies: Range,
    /// The share that names its uplink as a cap; the others' is measured.
    #[serde(default = "all")]
    pub capped: f64,
}

fn all() -> f64 {
    1.0
}

/// How viewers join at the start.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// So many a second.
    pub per_s: Range,
    /// Whether they come at about equal intervals, and their kinds in the order in which the scenario names them.
    #[serde(default)]
    pub in_turn: bool,
}

/// A crowd that joins later, or leaves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crowd {
    /// When, in seconds.
    pub at_s: f64,
    /// How many.
    pub viewers: usize,
    /// Within so many seconds.
    pub over_s: f64,
    /// Whether they are the keys of one address, who give nothing and whom nobody asks.
    #[serde(default)]
    pub one_address: bool,
}

/// What goes wrong: rates are per minute and hundred viewers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// From this second on.
    pub from_s: f64,
    /// Until so many seconds before the end.
    pub quiet_s: f64,
    /// Viewers leave.
    pub leaves: Range,
    /// Viewers crash.
    pub crashes: Range,
    /// Viewers stop for a while.
    pub freezes: Range,
    /// For so many seconds.
    pub freeze_s: Range,
    /// Only those that feed others are hit.
    pub interior_only: bool,
    /// At least so many seconds lie between two of them.
    pub apart_s: f64,
    /// The share of those that went whose place a newcomer takes.
    pub replaced: f64,
    /// The share of viewers that alter a few of the chunks they pass on.
    pub forgers: f64,
    /// How many of the viewers, the last to join at the start, accuse parents who do no wrong.
    pub slanderers: usize,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            from_s: 30.0,
            quiet_s: 60.0,
            leaves: Range::only(0.0),
            crashes: Range::only(0.0),
            freezes: Range::only(0.0),
            freeze_s: Range::from((0.5, 15.0)),
            interior_only: false,
            apart_s: 0.0,
            replaced: 1.0,
            forgers: 0.0,
            slanderers: 0,
        }
    }
}

/// What lies between the nodes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// One way, in milliseconds; each pair has a delay of its own.
    pub delay_ms: (f64, f64),
    /// The most by which it varies, in milliseconds.
    pub jitter_ms: Range,
    /// The share of packets lost.
    pub loss: Range,
    /// The share of viewers that nobody can dial.
    pub nat: Range,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            delay_ms: (5.0, 60.0),
            jitter_ms: Range::from((0.0, 15.0)),
            loss: Range::from((0.0, 0.005)),
            nat: Range::only(0.0),
        }
    }
}

/// A scenario that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// No file, and none of ours.
    #[error("no scenario file {0:?}, and none of our own has that name ({names}); name one or the other", names = NAMES.join(", "))]
    Unknown(String),
    /// The file is no scenario.
    #[error("scenario {0:?}: {1}")]
    Malformed(String, Box<toml::de::Error>),
}

/// The names of our own scenarios.
pub const NAMES: [&str; 27] = [
    "again",
    "alone",
    "altering",
    "choosy",
    "churn",
    "crashed",
    "crowded",
    "destroyed",
    "exodus",
    "feigning",
    "flash",
    "home",
    "killer",
    "large",
    "leases",
    "liars",
    "newcomer",
    "overload",
    "restart",
    "scarce",
    "signed",
    "slander",
    "sponsored",
    "twins",
    "unnamed",
    "withdrawn",
    "withholding",
];

fn built_in(name: &str) -> Option<&'static str> {
    Some(match name {
        "again" => include_str!("../scenarios/again.toml"),
        "alone" => include_str!("../scenarios/alone.toml"),
        "twins" => include_str!("../scenarios/twins.toml"),
        "churn" => include_str!("../scenarios/churn.toml"),
        "altering" => include_str!("../scenarios/altering.toml"),
        "choosy" => include_str!("../scenarios/choosy.toml"),
        "crowded" => include_str!("../scenarios/crowded.toml"),
        "feigning" => include_str!("../scenarios/feigning.toml"),
        "overload" => include_str!("../scenarios/overload.toml"),
        "slander" => include_str!("../scenarios/slander.toml"),
        "withholding" => include_str!("../scenarios/withholding.toml"),
        "exodus" => include_str!("../scenarios/exodus.toml"),
        "flash" => include_str!("../scenarios/flash.toml"),
        "unnamed" => include_str!("../scenarios/unnamed.toml"),
        "home" => include_str!("../scenarios/home.toml"),
        "sponsored" => include_str!("../scenarios/sponsored.toml"),
        "destroyed" => include_str!("../scenarios/destroyed.toml"),
        "crashed" => include_str!("../scenarios/crashed.toml"),
        "withdrawn" => include_str!("../scenarios/withdrawn.toml"),
        "leases" => include_str!("../scenarios/leases.toml"),
        "killer" => include_str!("../scenarios/killer.toml"),
        "large" => include_str!("../scenarios/large.toml"),
        "liars" => include_str!("../scenarios/liars.toml"),
        "newcomer" => include_str!("../scenarios/newcomer.toml"),
        "restart" => include_str!("../scenarios/restart.toml"),
        "signed" => include_str!("../scenarios/signed.toml"),
        "scarce" => include_str!("../scenarios/scarce.toml"),
        _ => return None,
    })
}

impl Scenario {
    /// One of ours by its name, else a file.
    ///
    /// # Errors
    /// If it is neither, or not a scenario.
    pub fn load(name: &str) -> Result<Self, ScenarioError> {
        let text = match built_in(name) {
            Some(text) => text.to_owned(),
            None => std::fs::read_to_string(name).map_err(|_| ScenarioError::Unknown(name.to_owned()))?,
        };
        toml::from_str(&text).map_err(|error| ScenarioError::Malformed(name.to_owned(), error.into()))
    }

    /// Whether anybody alters chunks.
    pub(crate) fn has_forgers(&self) -> bool {
        let turn = self.cloud.as_ref().and_then(|cloud| cloud.turn.as_ref());
        self.faults.forgers > 0.0 || turn.is_some_and(|turn| turn.into == Conduct::Alters)
    }

    /// Has it last `minutes`. When they leave no time between the first and the last fault, both times shrink with it.
    pub fn last(&mut self, minutes: f64) {
        let Faults { from_s, quiet_s, .. } = &mut self.faults;
        if *from_s + *quiet_s >= minutes * 60.0 {
            let share = minutes / self.minutes;
            *from_s *= share;
            *quiet_s *= share;
        }
        self.minutes = minutes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_scenarios_are_sound() {
        for name in NAMES {
            let scenario = Scenario::load(name).unwrap();
            let shares: f64 = scenario.uplinks.iter().map(|kind| kind.share).sum();
            assert!((shares - 1.0).abs() < 1e-6, "{name}: shares add up to {shares}");
            assert!(
                scenario.minutes * 60.0 > scenario.faults.from_s + scenario.faults.quiet_s,
                "{name}"
            );
        }
    }

    #[test]
    fn a_short_run_has_its_faults_in_the_same_proportions() {
        let mut scenario = Scenario::load("churn").unwrap();
        scenario.last(2.0);
        assert_eq!(
            (scenario.faults.from_s, scenario.faults.quiet_s),
            (40.0, 70.0),
            "they fit"
        );
        scenario.last(1.0);
        assert_eq!((scenario.faults.from_s, scenario.faults.quiet_s), (20.0, 35.0));
    }

    #[test]
    fn what_is_no_scenario_says_so() {
        let error = Scenario::load("tsunami").unwrap_err().to_string();
        assert!(error.contains("scarce"), "{error}");
        let path = std::env::temp_dir().join(format!("banyan-sim-{}.toml", std::process::id()));
        std::fs::write(&path, "about = 'x'\nviewers = 1\nvilains = 3\n").unwrap();
        let error = Scenario::load(path.to_str().unwrap()).unwrap_err().to_string();
        std::fs::remove_file(&path).unwrap();
        assert!(error.contains("vilains"), "{error}");
    }
}
