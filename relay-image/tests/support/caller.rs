//! Somebody with a key who dials a relay, hears what it says, and says what the test wants.

use super::process::{CHANNEL, lease};
use banyan_peer::{Clock, Config, Endpoint, Handle, spawn};
use banyan_protocol::id::{PeerId, PublicKey, SecretKey};
use banyan_protocol::io::{Command, Input, Lane, LinkEnd, LinkId, Machine, Outbox, Output};
use banyan_protocol::time::Instant;
use banyan_protocol::wire::control::Message;
use banyan_protocol::wire::enrol::Binding;
use banyan_protocol::wire::order::{Commanded, Delegation, Numbered, Order};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A machine without a mind: it passes on what it hears, and does what it is handed.
struct Strings {
    heard: UnboundedSender<Input>,
    wishes: Arc<Mutex<Vec<Output>>>,
}

impl Machine for Strings {
    fn handle(&mut self, _: Instant, input: Input, out: &mut Outbox) {
        if let Input::Command(_) = input {
            self.wishes
                .lock()
                .unwrap()
                .drain(..)
                .for_each(|wish| out.push(wish));
        } else {
            // The test may have ended.
            let _ = self.heard.send(input);
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        None
    }

    fn check_invariants(&self) {}
}

pub(crate) struct Caller {
    pub(crate) key: SecretKey,
    handle: Handle<Strings>,
    heard: UnboundedReceiver<Input>,
    wishes: Arc<Mutex<Vec<Output>>>,
    links: u64,
    sequence: u64,
}

/// A link to a relay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) link: LinkId,
    pub(crate) relay: PeerId,
    pub(crate) binding: Binding,
}

impl Caller {
    pub(crate) fn new(key: SecretKey) -> Self {
        let config = Config {
            listen: Some("127.0.0.1:0".parse().unwrap()),
            ..Config::default()
        };
        let (heard_out, heard) = unbounded_channel();
        let wishes = Arc::new(Mutex::new(Vec::new()));
        let strings = Strings {
            heard: heard_out,
            wishes: wishes.clone(),
        };
        let endpoint = Endpoint::bind(&key, config).unwrap();
        Self {
            key,
            handle: spawn(strings, endpoint, Clock::start()),
            heard,
            wishes,
            links: 0,
            sequence: 0,
        }
    }

    async fn wish(&self, wish: Output) {
        self.wishes.lock().unwrap().push(wish);
        self.handle.commands.send(Command::Discontinuity).await.unwrap();
    }

    /// Dials whoever is at `address`.
    pub(crate) async fn call(&mut self, address: SocketAddr) -> Line {
        self.links += 2;
        let link = LinkId(self.links);
        let addresses = vec![address];
        self.wish(Output::DialAny { link, addresses }).await;
        match self.hear().await {
            Input::Linked {
                link, peer, binding, ..
            } => Line {
                link,
                relay: peer,
                binding,
            },
            other => panic!("not linked: {other:?}"),
        }
    }

    /// The next thing it hears, but for measurements.
    async fn hear(&mut self) -> Input {
        loop {
            let heard = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
            match heard.expect("hears something in time").expect("the driver runs") {
                Input::Wire { .. } | Input::RoundTrip { .. } | Input::Candidates(_) => {}
                input => return input,
            }
        }
    }

    /// The next message, but for clock echoes and what is told once a second.
    pub(crate) async fn message(&mut self) -> Message {
        loop {
            match self.hear().await {
                Input::Frame {
                    lane: Lane::Control,
                    frame,
                    ..
                } => match Message::parse(&frame).unwrap() {
                    Message::Echo { .. } => {}
                    message => return message,
                },
                other => panic!("no message: {other:?}"),
            }
        }
    }

    /// How the link ends, and what the relay said before.
    pub(crate) async fn hangs_up(&mut self) -> (LinkEnd, Vec<Message>) {
        let mut said = Vec::new();
        loop {
            match self.hear().await {
                Input::Unlinked { why, .. } => return (why, said),
                Input::Frame { frame, .. } => said.push(Message::parse(&frame).unwrap()),
                other => panic!("{other:?}"),
            }
        }
    }

    /// A signed order for the relay at `line`.
    pub(crate) fn order(&mut self, line: &Line, order: Order) -> Commanded {
        self.sequence += 1;
        let numbered = Numbered {
            lease: lease(0).id,
            sequence: self.sequence,
            order,
        };
        Commanded {
            order: numbered.seal(&self.key, &line.relay),
            delegation: None,
        }
    }

    /// This caller's word that `delegate` may command the relay at `line`.
    pub(crate) fn delegation(
        &self,
        line: &Line,
        delegate: PublicKey,
        lease: banyan_protocol::wire::lease::Lease,
    ) -> bytes::Bytes {
        let delegation = Delegation {
            channel: CHANNEL,
            relay: line.relay,
            delegate,
            lease,
            generation: 0,
        };
        delegation.seal(&self.key)
    }

    pub(crate) async fn send(&self, line: &Line, commanded: &Commanded) {
        let frame = Message::Order(commanded.clone()).frame();
        let (link, lane) = (line.link, Lane::Control);
        self.wish(Output::Send { link, lane, frame }).await;
    }

    /// Orders the relay to stop.
    pub(crate) async fn stop(&mut self, line: &Line) {
        let stop = self.order(line, Order::Stop);
        self.send(line, &stop).await;
    }
}
