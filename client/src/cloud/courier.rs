//! Brings a relay one order, and hears whether it obeys. It comes under a name of its own: an order counts by its
//! signature, and the link of the sponsor's client stays what it is.

use banyan_cloud::failure::{Failure, Why};
use banyan_peer::{Clock, Endpoint, Outgoing, identity};
use banyan_protocol::id::PeerId;
use banyan_protocol::io::{Ended, Input, Lane, LinkId, Machine, Outbox, Output};
use banyan_protocol::time::Instant;
use banyan_protocol::wire::control::Message;
use banyan_protocol::wire::lease::Lease;
use banyan_protocol::wire::order::Commanded;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::timeout;

const LINK: LinkId = LinkId(0);

/// How long a relay may take to be reached, and to say that it obeys.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// What is brought, and to whom.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    /// The relay.
    pub(crate) relay: PeerId,
    /// Where it is.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The order.
    pub(crate) order: Commanded,
    /// The lease that it will have when it has obeyed.
    pub(crate) lease: Lease,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Obeyed,
    /// Somebody else is there.
    Stranger,
    /// It hung up, before or after it heard the order.
    HungUp,
}

/// Brings it.
///
/// # Errors
/// [`Why::Unreachable`] if nobody answers, [`Why::Refused`] if somebody else does, or the relay does not obey.
pub(crate) async fn bring(errand: Errand) -> Result<(), Failure> {
    let outcome = Arc::new(Mutex::new(None));
    let courier = Courier {
        errand: errand.clone(),
        has_dialled: false,
        outcome: Arc::clone(&outcome),
    };
    let endpoint = bind().map_err(|error| Failure::new(Why::Program, error.to_string()))?;
    let mut handle = banyan_peer::spawn(courier, endpoint, Clock::start());
    let end = async {
        while let Some(outgoing) = handle.outgoing.recv().await {
            if let Outgoing::Ended(_) = outgoing {
                break;
            }
        }
    };
    // Dropped, it hangs up.
    let _ = timeout(ANSWERS_WITHIN, end).await;
    let outcome = *outcome.lock().expect("nobody panics with it");
    conclude(outcome, &errand)
}

fn bind() -> Result<Endpoint, banyan_peer::BindError> {
    let key = identity::generate();
    let at = |address: SocketAddr| {
        let config = banyan_peer::Config {
            listen: Some(address),
            ..banyan_peer::Config::default()
        };
        Endpoint::bind(&key, config)
    };
    at((Ipv6Addr::UNSPECIFIED, 0).into()).or_else(|_| at((Ipv4Addr::UNSPECIFIED, 0).into()))
}

fn conclude(outcome: Option<Outcome>, errand: &Errand) -> Result<(), Failure> {
    let lease = errand.lease.id;
    let (why, sentence) = match outcome {
        Some(Outcome::Obeyed) => return Ok(()),
        Some(Outcome::Stranger) => (
            Why::Refused,
            format!("another key answers where relay {lease} was: its lease stays as it is"),
        ),
        Some(Outcome::HungUp) => (
            Why::Refused,
            format!("relay {lease} does not take the order; banyan relays list shows whether it runs"),
        ),
        None => (
            Why::Unreachable,
            format!("relay {lease} does not answer; banyan relays list shows whether it runs"),
        ),
    };
    Err(Failure::new(why, sentence))
}

/// The machine: one dial, one order, one answer.
struct Courier {
    errand: Errand,
    has_dialled: bool,
    outcome: Arc<Mutex<Option<Outcome>>>,
}

impl Courier {
    /// The first outcome counts.
    fn end(&self, how: Outcome, out: &mut Outbox) {
        self.outcome
            .lock()
            .expect("nobody panics with it")
            .get_or_insert(how);
        out.push(Output::Ended(Ended::Left));
    }

    fn dial(&mut self, out: &mut Outbox) {
        if !std::mem::replace(&mut self.has_dialled, true) {
            let addresses = self.errand.addresses.clone();
            out.push(Output::DialAny {
                link: LINK,
                addresses,
            });
        }
    }
}

impl Machine for Courier {
    fn handle(&mut self, _: Instant, input: Input, out: &mut Outbox) {
        self.dial(out);
        match input {
            Input::Linked { link, peer, .. } if peer == self.errand.relay => {
                out.tell(link, &Message::Order(self.errand.order.clone()));
            }
            Input::Linked { .. } => self.end(Outcome::Stranger, out),
            Input::Unlinked { .. } => self.end(Outcome::HungUp, out),
            Input::Frame {
                lane: Lane::Control,
                frame,
                ..
            } => {
                if let Ok(Message::Usage(usage)) = Message::parse(&frame)
                    && usage.lease == self.errand.lease
                {
                    self.end(Outcome::Obeyed, out);
                }
            }
            _ => {}
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        (!self.has_dialled).then_some(Instant::ZERO)
    }

    fn check_invariants(&self) {}
}
