//! The question whether somebody sponsors a relay, and what the answer would mean.

use super::settings::{Provider, Settings};
use banyan_cloud::price::PriceList;
use banyan_cloud::region::Region;

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
    /// What it may cost an hour, in US dollars, without any free tier.
    pub usd_per_hour: f64,
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

    /// What it costs, in words.
    pub fn cost(&self) -> String {
        if self.terms.provider == Provider::Local {
            return "It costs nothing but this computer's uplink.".into();
        }
        let most = f64::from(self.terms.budget_usd);
        let hours = f64::from(self.terms.hours);
        let likely = (self.usd_per_hour * hours).min(most);
        format!(
            "About ${:.2} an hour, ${likely:.2} in all, and never more than ${most:.2}: then the relay stops by itself. \
             No free tier is counted on.",
            self.usd_per_hour
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_cost_never_exceeds_the_budget() {
        let mut request = samples::request();
        request.terms.provider = Provider::Ec2;
        request.usd_per_hour = 3.0;
        request.terms.hours = 2.0;
        request.terms.budget_usd = 1.0;
        let cost = request.cost();
        assert!(
            cost.contains("$1.00 in all") && cost.contains("never more than $1.00"),
            "{cost}"
        );
        request.terms.provider = Provider::Local;
        assert!(request.cost().contains("nothing"));
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
