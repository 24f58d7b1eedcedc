//! A running viewer: the peer, its outputs, and what is said of both.

use super::sponsor::{Outcome, Sponsor, Who};
use super::teller::Teller;
use super::{Look, ORDERS_MAX, Order, Orders, Session};
use crate::args;
use crate::cloud::extend::Wish;
use crate::config;
use crate::error::{self, Error, Finish};
use crate::folders::Folders;
use crate::notice::Own;
use crate::output::Outputs;
use crate::output::writer::Broken;
use banyan_peer::{BindError, Clock, Endpoint, Handle, Outgoing, identity};
use banyan_protocol::event::Event;
use banyan_protocol::id::{Ed25519, SecretKey, Sign};
use banyan_protocol::io::Command;
use banyan_protocol::limits::STRIPE_RATE_MIN;
use banyan_protocol::role::config::{Part, ViewerConfig};
use banyan_protocol::role::viewer::Viewer;
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::lease::LeaseId;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// Joins a channel. `began` is when the process did. To be called within a runtime.
///
/// # Errors
/// If a port or an output cannot be used.
pub async fn start(config: config::Watch, folders: &Folders, began: Instant) -> Result<Session, Error> {
    let key = Arc::new(identity::generate());
    let endpoint = bind(&key, &config)?;
    let title = config.link.title.clone().unwrap_or_default();
    let (mut teller, (notices, snapshot)) = Teller::new(began, &title);
    let outputs = Outputs::open(&config, teller.watch()).await?;
    if let Some(address) = outputs.served_at() {
        teller.tell(Own::Serving {
            url: format!("http://{address}/"),
        });
    }
    let clock = Clock::start();
    let machine = Viewer::new(machine_config(&config, &key, &endpoint, clock));
    let who = Who {
        key: key.clone(),
        channel: config.link.channel,
        here: endpoint.candidates(),
        uplink: config.uplink,
    };
    let sponsor = Sponsor::new(config.sponsor.clone(), folders.clone(), who);
    let handle = banyan_peer::spawn(machine, endpoint, clock);
    let (orders, orders_in) = mpsc::channel(ORDERS_MAX);
    let tuned_in = TunedIn {
        commands: handle.commands.clone(),
        part: config.part,
        says_yes: config.sponsor.mode == args::Sponsor::Yes,
        sponsor,
        outputs,
        teller,
        outcome: None,
    };
    Ok(Session {
        orders,
        notices,
        snapshot,
        look: Look::Viewer(handle.inspector.clone(), clock),
        task: tokio::spawn(tuned_in.run(handle, Orders(Some(orders_in)))),
    })
}

/// Any free port, of both families where there are two; the default port is left to broadcasters.
fn bind(key: &SecretKey, watch: &config::Watch) -> Result<Endpoint, BindError> {
    let at = |address: SocketAddr| {
        let config = banyan_peer::Config {
            listen: Some(address),
            coordinator: Some(watch.link.channel.peer()),
            feeds: carries_a_stripe(watch.uplink),
            ..banyan_peer::Config::default()
        };
        Endpoint::bind(key, config)
    };
    match watch.listen {
        Some(address) => at(address),
        None => at((Ipv6Addr::UNSPECIFIED, 0).into()).or_else(|_| at((Ipv4Addr::UNSPECIFIED, 0).into())),
    }
}

/// Whether an uplink carries a stripe, headers aside: with less, nobody is ever fed from here.
fn carries_a_stripe(uplink: Option<Bitrate>) -> bool {
    uplink.is_none_or(|uplink| uplink.as_bps() > STRIPE_RATE_MIN)
}

fn machine_config(
    config: &config::Watch,
    key: &Arc<SecretKey>,
    endpoint: &Endpoint,
    clock: Clock,
) -> ViewerConfig {
    ViewerConfig {
        id: endpoint.id(),
        verify: Arc::new(Ed25519),
        channel: config.link.channel,
        addresses: config.link.addresses.clone(),
        secret: config.link.secret,
        now: clock.now(),
        uplink: config.uplink,
        buffer: config.buffer,
        candidates: endpoint.candidates(),
        relay_only: config.relay_only,
        part: config.part,
        relays_run_on: config.sponsor.when_leaving == args::WhenLeaving::Keep,
        sponsor: (config.sponsor.mode != args::Sponsor::Never).then(|| key.clone() as Arc<dyn Sign>),
        seed: crate::random::seed(),
    }
}

/// A viewer that joins or plays.
struct TunedIn {
    commands: mpsc::Sender<Command>,
    part: Part,
    /// Requests to sponsor are accepted without asking.
    says_yes: bool,
    sponsor: Sponsor,
    outputs: Outputs,
    teller: Teller,
    /// Why it leaves, once it does.
    outcome: Option<Result<Finish, Error>>,
}

impl TunedIn {
    async fn run(mut self, mut handle: Handle<Viewer>, mut orders: Orders) -> Result<Finish, Error> {
        let ended = loop {
            tokio::select! {
                outgoing = handle.outgoing.recv() => match outgoing {
                    Some(Outgoing::Play(play)) => self.play(play).await,
                    Some(Outgoing::Event(event)) => self.told(event).await,
                    Some(Outgoing::Cloud(order)) => {
                        let outcome = self.sponsor.obey(order);
                        self.sponsored(outcome).await;
                    }
                    Some(Outgoing::Ended(ended)) => break Some(ended),
                    None => break None,
                },
                outcome = self.sponsor.next() => self.sponsored(outcome).await,
                broken = self.outputs.broken() => self.broke(broken).await,
                order = orders.next() => self.obey(order).await,
            }
        };
        let relays = self.sponsor.finish().await;
        let written = self.outputs.finish().await;
        let outcome = error::conclude(self.outcome, ended);
        // What may still cost money goes before how it ended else.
        relays.map_err(Error::Cloud)?;
        outcome.and_then(|finish| written.map(|()| finish))
    }

    /// Tells how the relays are, and the machine what the provider says.
    async fn sponsored(&mut self, outcome: Outcome) {
        for notice in outcome.notices {
            self.teller.tell(notice);
        }
        if let Some(news) = outcome.news {
            self.command(Command::Cloud(news)).await;
        }
        let is_over = outcome.failure.is_some() || outcome.is_last;
        if self.part == Part::Sponsor && is_over {
            let why = outcome
                .failure
                .map_or(Ok(Finish::Left), |failure| Err(Error::Cloud(failure)));
            self.leave(why).await;
        }
    }

    async fn play(&mut self, play: banyan_protocol::io::Play) {
        if self.outcome.is_some() {
            return;
        }
        if let Err(error) = self.outputs.play(play) {
            self.leave(Err(error)).await;
        }
    }

    async fn told(&mut self, event: Event) {
        let is_request = matches!(event, Event::SponsorRequest { .. });
        self.teller.tell(self.priced(event));
        if is_request && self.says_yes {
            self.answer(None, true).await;
        }
    }

    /// With what it would cost: the machine knows no prices.
    fn priced(&self, mut event: Event) -> Event {
        if let Event::SponsorRequest {
            estimate_usd_per_hour,
            missing_bps,
            near,
            ..
        } = &mut event
        {
            *estimate_usd_per_hour = self.sponsor.estimate(Bitrate(*missing_bps), near);
        }
        event
    }

    async fn broke(&mut self, broken: Broken) {
        match broken {
            Broken::Closed => self.leave(Ok(Finish::Left)).await,
            Broken::Failed(error) => self.leave(Err(error)).await,
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Leave => self.leave(Ok(Finish::Left)).await,
            Order::Answer { id, yes } => self.answer(id, yes).await,
            Order::Allow(sponsoring) => self.allow(*sponsoring).await,
            Order::EndRelay(lease) => self.end_relay(lease).await,
            Order::RunOn(run_on) => self.command(Command::RunOn(run_on)).await,
            Order::Extend { lease, time, budget } => self.sponsor.extend(lease, Wish { time, budget }),
        }
    }

    async fn answer(&mut self, id: Option<String>, yes: bool) {
        if yes {
            self.sponsor.clicked();
        }
        self.command(Command::Answer { id, yes }).await;
    }

    async fn allow(&mut self, sponsoring: config::Sponsoring) {
        let run_on = sponsoring.when_leaving == args::WhenLeaving::Keep;
        self.sponsor.allow(sponsoring);
        self.command(Command::RunOn(run_on)).await;
    }

    async fn end_relay(&mut self, lease: LeaseId) {
        match self.sponsor.number(lease) {
            Some(relay) => self.command(Command::EndRelay(relay)).await,
            None => self.teller.tell(Own::Warning {
                message: format!("relay {lease} is none of this session's; banyan relays stop ends it"),
            }),
        }
    }

    /// A machine that has ended needs no telling.
    async fn command(&self, command: Command) {
        let _ = self.commands.send(command).await;
    }

    /// The first reason counts.
    async fn leave(&mut self, outcome: Result<Finish, Error>) {
        if self.outcome.is_none() {
            self.outcome = Some(outcome);
            self.command(Command::Leave).await;
        }
    }
}
