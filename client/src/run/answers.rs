//! Answers to requests to sponsor, from standard input: JSON Lines from programs, y or N from people. Programs can also make a
//! relay's lease longer, end it, and say whether it runs on.

use crate::args::Sponsor;
use crate::config;
use crate::quantity;
use crate::session::Order;
use banyan_protocol::wire::lease::LeaseId;
use serde::Deserialize;
use std::io::{self, BufRead, IsTerminal};
use tokio::sync::mpsc;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A program.
    Json,
    /// A person at a terminal.
    Person,
}

/// Who is asked, if anybody is.
pub(super) fn source(config: &config::Watch) -> Option<Source> {
    match config.sponsor.mode {
        Sponsor::Never => None,
        Sponsor::Ask | Sponsor::Yes if config.json => Some(Source::Json),
        Sponsor::Yes => None,
        Sponsor::Ask => io::stdin().is_terminal().then_some(Source::Person),
    }
}

/// Starts the thread that reads the answers. It lives as long as the process: nothing wakes a read of standard input.
pub(super) fn listen(source: Source, orders: mpsc::Sender<Order>) {
    let thread = std::thread::Builder::new().name("answers".into()).spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else {
                break;
            };
            let Some(order) = parse(source, &line) else {
                continue;
            };
            if orders.blocking_send(order).is_err() {
                break;
            }
        }
    });
    thread.expect("a thread can be started");
}

/// The order in a line; `None` if it is no answer.
fn parse(source: Source, line: &str) -> Option<Order> {
    match source {
        Source::Json => parse_json(line),
        Source::Person => parse_words(line),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Sponsor,
    Decline,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Answer {
        answer: Answer,
        id: Option<String>,
    },
    Extend {
        extend: LeaseId,
        hours: f64,
        budget: Option<f64>,
    },
    EndRelay {
        stop: LeaseId,
    },
    RunOn {
        #[serde(rename = "when-leaving")]
        when_leaving: When,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum When {
    Stop,
    Keep,
}

impl Line {
    fn order(self) -> Option<Order> {
        match self {
            Self::Answer { answer, id } => {
                let yes = matches!(answer, Answer::Sponsor);
                Some(Order::Answer { id, yes })
            }
            Self::EndRelay { stop } => Some(Order::EndRelay(stop)),
            Self::RunOn { when_leaving } => Some(Order::RunOn(matches!(when_leaving, When::Keep))),
            Self::Extend {
                extend,
                hours,
                budget,
            } => Some(Order::Extend {
                lease: extend,
                time: quantity::hours(&hours.to_string()).ok()?,
                budget: budget
                    .map(|usd| quantity::usd(&usd.to_string()))
                    .transpose()
                    .ok()?,
            }),
        }
    }
}

fn parse_json(line: &str) -> Option<Order> {
    if line.trim().is_empty() {
        return None;
    }
    match serde_json::from_str::<Line>(line) {
        Ok(line) => line.order(),
        Err(error) => {
            tracing::warn!(%error, "a line on standard input is no answer and is ignored");
            None
        }
    }
}

/// Whatever is not yes is no.
fn parse_words(line: &str) -> Option<Order> {
    let yes = matches!(line.trim().to_lowercase().as_str(), "y" | "yes");
    Some(Order::Answer { id: None, yes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(id: Option<&str>, yes: bool) -> Option<Order> {
        let id = id.map(str::to_string);
        Some(Order::Answer { id, yes })
    }

    #[test]
    fn programs_answer_in_json() {
        let parse = |line| parse(Source::Json, line);
        assert_eq!(
            parse(r#"{"answer":"sponsor","id":"r1"}"#),
            answer(Some("r1"), true)
        );
        assert_eq!(parse(r#"{"answer":"decline"}"#), answer(None, false));
        assert_eq!(parse(r#"{"answer":"perhaps"}"#), None);
        assert_eq!(parse("y"), None);
        let lease = "07".repeat(16);
        let longer = format!(r#"{{"extend":"{lease}","hours":0.5,"budget":0.25}}"#);
        let wished = Order::Extend {
            lease: LeaseId([7; 16]),
            time: std::time::Duration::from_secs(1800),
            budget: Some(banyan_cloud::money::Usd::from_cents(25)),
        };
        assert_eq!(parse_json(&longer), Some(wished));
        assert_eq!(parse_json(&longer.replace("0.5", "-1")), None);
        assert_eq!(parse(""), None);
        let stop = format!(r#"{{"stop":"{lease}"}}"#);
        assert_eq!(parse(&stop), Some(Order::EndRelay(LeaseId([7; 16]))));
        assert_eq!(parse(r#"{"when-leaving":"keep"}"#), Some(Order::RunOn(true)));
        assert_eq!(parse(r#"{"when-leaving":"stop"}"#), Some(Order::RunOn(false)));
    }

    #[test]
    fn people_answer_with_y_and_anything_else_is_no() {
        let parse = |line| parse(Source::Person, line);
        assert_eq!(parse("Y"), answer(None, true));
        assert_eq!(parse("yes "), answer(None, true));
        assert_eq!(parse(""), answer(None, false));
        assert_eq!(parse("no"), answer(None, false));
    }
}
