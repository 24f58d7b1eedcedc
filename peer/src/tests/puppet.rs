//! A machine without a mind: it shows the test what it hears, and does what the test says.

use crate::{Clock, Config, Endpoint, Handle, identity, spawn};
use banyan_protocol::id::{PeerId, SecretKey};
use banyan_protocol::io::{Command, Input, Lane, LinkEnd, LinkId, Machine, Outbox, Output, Side};
use banyan_protocol::time::Instant;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Strings {
    heard: UnboundedSender<Input>,
    orders: Arc<Mutex<Vec<Output>>>,
}

impl Machine for Strings {
    fn handle(&mut self, _: Instant, input: Input, out: &mut Outbox) {
        match input {
            // The command by which the test says that there are orders.
            Input::Command(Command::Discontinuity) => {
                self.orders
                    .lock()
                    .unwrap()
                    .drain(..)
                    .for_each(|order| out.push(order));
            }
            Input::Command(Command::Answer { .. }) => panic!("the test says so"),
            input => drop(self.heard.send(input)),
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        None
    }

    fn check_invariants(&self) {}
}

pub(super) struct Puppet {
    pub(super) id: PeerId,
    pub(super) address: SocketAddr,
    pub(super) handle: Handle<Strings>,
    heard: UnboundedReceiver<Input>,
    orders: Arc<Mutex<Vec<Output>>>,
}

impl Puppet {
    pub(super) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(super) fn with(config: Config) -> Self {
        Self::known(&identity::generate(), config)
    }

    pub(super) fn known(key: &SecretKey, config: Config) -> Self {
        let listen = config.listen.unwrap_or_else(|| "127.0.0.1:0".parse().unwrap());
        let endpoint = Endpoint::bind(
            key,
            Config {
                listen: Some(listen),
                ..config
            },
        )
        .unwrap();
        Self::over(endpoint)
    }

    pub(super) fn over(endpoint: Endpoint) -> Self {
        let (heard_out, heard) = unbounded_channel();
        let orders = Arc::new(Mutex::new(Vec::new()));
        let strings = Strings {
            heard: heard_out,
            orders: orders.clone(),
        };
        Self {
            id: endpoint.id(),
            address: endpoint.local(),
            handle: spawn(strings, endpoint, Clock::start()),
            heard,
            orders,
        }
    }

    pub(super) async fn order(&self, order: Output) {
        self.order_all([order]).await;
    }

    /// Orders that go out of one call of `handle`.
    pub(super) async fn order_all(&self, orders: impl IntoIterator<Item = Output>) {
        self.orders.lock().unwrap().extend(orders);
        self.handle.commands.send(Command::Discontinuity).await.unwrap();
    }

    pub(super) async fn send(&self, link: LinkId, lane: Lane, frame: Bytes) {
        self.order(Output::Send { link, lane, frame }).await;
    }

    /// The next thing it hears, but for measurements.
    pub(super) async fn hear(&mut self) -> Input {
        loop {
            match self.hear_any().await {
                Input::Wire { .. }
                | Input::RoundTrip { .. }
                | Input::Candidates(_)
                | Input::Drained { .. } => {}
                input => return input,
            }
        }
    }

    pub(super) async fn hear_any(&mut self) -> Input {
        let heard = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
        heard.expect("hears something in time").expect("the driver runs")
    }

    pub(super) async fn hear_linked(&mut self) -> (LinkId, PeerId, SocketAddr, Side) {
        match self.hear().await {
            Input::Linked {
                link,
                peer,
                address,
                side,
                ..
            } => (link, peer, address, side),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn hear_unlinked(&mut self) -> (LinkId, LinkEnd) {
        match self.hear().await {
            Input::Unlinked { link, why } => (link, why),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn hear_frame(&mut self) -> (Lane, Bytes) {
        match self.hear().await {
            Input::Frame { lane, frame, .. } => (lane, frame),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn dial(&self, link: LinkId, peer: PeerId, addresses: &[SocketAddr]) {
        let addresses = addresses.to_vec();
        self.order(Output::Dial {
            link,
            peer,
            addresses,
        })
        .await;
    }

    /// Dials whoever is there.
    pub(super) async fn dial_any(&self, link: LinkId, addresses: &[SocketAddr]) {
        let addresses = addresses.to_vec();
        self.order(Output::DialAny { link, addresses }).await;
    }
}

/// Two that are linked: the dialler with its name for the link, and the acceptor with its.
pub(super) async fn pair() -> ((Puppet, LinkId), (Puppet, LinkId)) {
    let (mut dialler, mut acceptor) = (Puppet::new(), Puppet::new());
    let name = LinkId(8);
    dialler.dial(name, acceptor.id, &[acceptor.address]).await;
    let (link, peer, address, side) = dialler.hear_linked().await;
    assert_eq!(
        (link, peer, address, side),
        (name, acceptor.id, acceptor.address, Side::Dialler)
    );
    let (theirs, peer, address, side) = acceptor.hear_linked().await;
    assert_eq!(
        (peer, address, side),
        (dialler.id, dialler.address, Side::Acceptor)
    );
    assert_eq!(theirs.0 % 2, 1);
    ((dialler, name), (acceptor, theirs))
}
