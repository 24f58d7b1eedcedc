//! The question whether somebody sponsors a relay, and what the answer would mean.

use super::settings::{Provider, Settings};
use banyan::cloud::estimate::estimate;
use banyan_cloud::failure::{Failure, Why};
use banyan_cloud::money::Usd;
use banyan_cloud::plan::Limits;
use banyan_cloud::price::PriceList;
use banyan_cloud::provider::Wish;
use banyan_cloud::region::Region;
use banyan_protocol::units::Bitrate;
use std::time::Duration;

/// A question that is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Its name.
    pub id: String,
    /// Why it is asked.
    pub reason: String,
    /// Viewers whom a relay would help.
    pub helps: u32,
    /// Seconds left to answer.
    pub seconds_left: u32,
    /// What a relay would send.
    pub missing: Bitrate,
    /// Where it would be near to those viewers, the nearest first; none if that is not known.
    pub near: Vec<Region>,
    /// The machine types that the config file names; none: the usual ones.
    pub kinds: Vec<String>,
    /// What would be agreed to.
    pub terms: Terms,
}

/// What the person agrees to.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// Who gives the machine.
    pub provider: Provider,
    /// The region; empty: the best one.
    pub region: String,
    /// The longest.
    pub hours: f32,
    /// The most, in US dollars.
    pub budget_usd: f32,
    /// Whether it runs on when this person leaves.
    pub runs_on: bool,
}

impl Terms {
    /// What the person prefers.
    pub fn of(settings: &Settings) -> Self {
        Self {
            provider: settings.provider,
            region: settings.region.clone(),
            hours: settings.hours,
            budget_usd: settings.budget_usd,
            runs_on: settings.runs_on,
        }
    }

    /// The most time and money.
    pub fn limits(&self) -> Limits {
        Limits {
            hours: Duration::from_secs((f64::from(self.hours) * 3600.0).round() as u64),
            budget: Usd::from_cents((f64::from(self.budget_usd) * 100.0).round() as u64),
        }
    }

    /// The region; `None`: the nearest.
    ///
    /// # Errors
    /// If what was typed is none: a relay elsewhere than the person thinks would be no agreement.
    pub fn region(&self) -> Result<Option<Region>, String> {
        let typed = self.region.trim();
        if typed.is_empty() || self.provider == Provider::Local {
            return Ok(None);
        }
        let known = PriceList::built_in()
            .regions()
            .find(|region| region.as_str() == typed);
        let unknown = || format!("“{typed}” is no region whose prices are known, such as eu-central-1.");
        known.cloned().map(Some).ok_or_else(unknown)
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A relay on these terms.
    Sponsor(Terms),
    /// No, this time.
    NotNow,
    /// No, and not again.
    Never,
}

impl Request {
    /// What it does, in words.
    pub fn effect(&self) -> String {
        let people = match self.helps {
            0 => "Everybody keeps the full picture".into(),
            1 => "1 person gets the full picture back".to_string(),
            helps => format!("{helps} people get the full picture back"),
        };
        format!("{people}, and you are served first.")
    }

    /// What it costs on these terms, in words.
    ///
    /// # Errors
    /// Why no relay can be had on them, and what to change.
    pub fn cost(&self) -> Result<String, String> {
        if self.terms.provider == Provider::Local {
            return Ok("It costs nothing but this computer's uplink.".into());
        }
        let limits = self.terms.limits();
        let wish = Wish {
            limits,
            region: self.terms.region()?,
            near: self.near.clone(),
            kinds: self.kinds.clone(),
        };
        let told = estimate(&wish, self.missing).map_err(words)?;
        let likely = told.hourly.for_hours(limits.hours).min(limits.budget);
        Ok(format!(
            "About {} an hour, {likely} in all, and never more than {}: then the relay stops by itself. Prices of {}, {}; no free \
             tier is counted on.",
            told.hourly, limits.budget, told.place, told.prices_of
        ))
    }
}

/// Why there is no price, where there are no command line's words for it.
fn words(failure: Failure) -> String {
    match failure.why {
        Why::Budget => "That is too little for so long: allow more dollars, or fewer hours.".into(),
        _ => format!("{}.", failure.sentence),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_cost_never_exceeds_the_budget() {
        let mut request = samples::request();
        request.missing = Bitrate::from_kbps(60_000);
        request.terms.hours = 2.0;
        let cost = request.cost().unwrap();
        assert!(
            cost.contains("$1.00 in all") && cost.contains("never more than $1.00"),
            "{cost}"
        );
    }

    #[test]
    fn the_cost_is_that_of_the_terms_as_they_are_chosen() {
        let mut request = samples::request();
        request.terms.provider = Provider::Local;
        assert!(request.cost().unwrap().contains("nothing"));
        request.terms.provider = Provider::Ec2;
        let there = request.cost().unwrap();
        assert!(there.contains("Frankfurt") && !there.contains("$0.00"), "{there}");
        request.terms.region = "ap-northeast-1".into();
        assert_ne!(request.cost().unwrap(), there);
        request.terms.region.clear();
        request.near = vec!["ap-northeast-2".parse().unwrap()];
        let near = request.cost().unwrap();
        assert!(near.contains("Seoul"), "where the viewers are: {near}");
        (request.terms.hours, request.terms.budget_usd) = (8.0, 0.05);
        assert!(request.cost().unwrap_err().contains("fewer hours"));
    }

    #[test]
    fn a_region_that_is_none_is_not_agreed_to() {
        let mut terms = samples::request().terms;
        assert!(terms.region().unwrap().is_some());
        terms.region = "eu-centrall-1".into();
        assert!(terms.region().unwrap_err().contains("no region"));
        terms.region = " ".into();
        assert_eq!(terms.region(), Ok(None));
    }

    #[test]
    fn the_effect_counts_people() {
        let mut request = samples::request();
        request.helps = 6;
        assert!(request.effect().starts_with("6 people"));
        request.helps = 1;
        assert!(request.effect().starts_with("1 person"));
    }
}
