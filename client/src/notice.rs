//! What a session tells: the events of its state machine, and what only the program around it knows.

use crate::bench::BenchResult;
use banyan_cloud::provider::Kind;
use banyan_protocol::event::Event;
use banyan_protocol::io::RelayState;
use serde::Serialize;
use std::net::SocketAddr;

/// One thing to tell. Serialises to the contract's JSON object, less `t`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Notice {
    /// From the state machine.
    Event(Event),
    /// From the session around it.
    Own(Own),
}

/// What the session itself tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Own {
    /// Broadcaster: the link can be given away.
    Ready {
        /// The link.
        link: String,
        /// The channel.
        channel: String,
        /// Where it listens.
        listen: SocketAddr,
        /// That it is not the default port, and so the link may not stay good; only then.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Viewer: the stream is served here.
    Serving {
        /// The player page.
        url: String,
    },
    /// Broadcaster: nothing comes from the input; it is waited for.
    InputPaused {
        /// Why.
        why: String,
    },
    /// Broadcaster: the input is back.
    InputResumed,
    /// Sponsor: how a relay of this person's is.
    Sponsoring(Sponsored),
    /// Something that the person should know.
    Warning {
        /// A sentence.
        message: String,
    },
    /// Benchmark: the result, last.
    BenchResult(BenchResult),
    /// The last.
    Ended {
        /// The reason's short name.
        why: String,
        /// In words, if it did not end as asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// A relay of this person's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sponsored {
    /// Its short name.
    pub relay: String,
    /// Its name within the session.
    #[serde(skip)]
    pub number: u64,
    /// Who gives the machine.
    pub provider: Kind,
    /// Where, if it is elsewhere.
    pub region: Option<String>,
    /// Where it is in its life.
    pub state: RelayState,
    /// From the yes to the first time that it served; then only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub click_to_serving_ms: Option<u64>,
    /// What it has cost so far, in US dollars, as if nothing were free.
    pub spent_usd: f64,
    /// Wire bytes that it has sent.
    pub bytes_sent: u64,
    /// Wire bytes that it may send.
    pub bytes_budget: u64,
    /// When its lease ends, in seconds since 1970.
    pub ends_at: u64,
    /// Distinct peers that it feeds.
    pub serves: u16,
}

impl From<Event> for Notice {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}

impl From<Own> for Notice {
    fn from(own: Own) -> Self {
        Self::Own(own)
    }
}
