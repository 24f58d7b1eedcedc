//! A running broadcast: an input, a broadcaster, and what is said of both.

use super::input::{Input, Said};
use super::teller::Teller;
use super::{Look, ORDERS_MAX, Order, Orders, Session};
use crate::channel::{Channel, KEY_FILE};
use crate::config::{self, Listen};
use crate::error::{self, Error, Finish};
use crate::folders::Folders;
use crate::notice::Own;
use banyan_peer::{Clock, DEFAULT_PORT, Endpoint, Handle, Inbound, Outgoing};
use banyan_protocol::id::{Ed25519, key_text};
use banyan_protocol::io::Command;
use banyan_protocol::limits::{ADDRESSES_MAX, VIEWERS_MAX};
use banyan_protocol::role::broadcaster::Broadcaster;
use banyan_protocol::role::config::BroadcasterConfig;
use banyan_protocol::wire::control::bounded_text;
use banyan_protocol::wire::link::ChannelLink;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// Goes on the air with what comes from `input`, the one of `config`. `began` is when the process did. To be called within a
/// runtime.
///
/// # Errors
/// If the port or the channel's files cannot be used.
pub fn start(
    config: &config::Broadcast,
    mut input: Input,
    folders: &Folders,
    began: Instant,
) -> Result<Session, Error> {
    let key_file = config.channel_key.clone();
    let channel = Channel::open(
        &key_file.unwrap_or_else(|| folders.data.join(KEY_FILE)),
        config.private,
    )?;
    let endpoint = bind(&channel, config)?;
    let ready = ready(config, &channel, &endpoint);
    let clock = Clock::start();
    let machine = Broadcaster::new(machine_config(config, &channel, clock));
    let handle = banyan_peer::spawn(machine, endpoint, clock);
    let (teller, (notices, snapshot)) = Teller::new(began, &config.title);
    let (orders, orders_in) = mpsc::channel(ORDERS_MAX);
    let said = input.go_on_air(handle.commands.clone());
    let on_air = OnAir {
        _channel: channel,
        input,
        commands: handle.commands.clone(),
        ready: Some(ready),
        teller,
        outcome: None,
    };
    Ok(Session {
        orders,
        notices,
        snapshot,
        look: Look::Broadcaster(handle.inspector.clone()),
        task: tokio::spawn(on_air.run(handle, said, Orders(Some(orders_in)))),
    })
}

fn bind(channel: &Channel, config: &config::Broadcast) -> Result<Endpoint, Error> {
    let listen = match config.listen {
        Listen::Default => None,
        Listen::At(address) => Some(address),
    };
    let config = banyan_peer::Config {
        listen,
        inbound: Inbound::of_coordinator(config.max_viewers.unwrap_or(VIEWERS_MAX)),
        ..banyan_peer::Config::default()
    };
    Ok(Endpoint::bind(&channel.key, config)?)
}

fn machine_config(config: &config::Broadcast, channel: &Channel, clock: Clock) -> BroadcasterConfig {
    BroadcasterConfig {
        key: channel.key.clone(),
        verify: Arc::new(Ed25519),
        epoch: channel.epoch,
        now: clock.now(),
        clock: clock.channel_now(),
        title: bounded_text(&config.title),
        uplink: config.uplink,
        when_full: config.when_full,
        max_viewers: config.max_viewers,
        secret: channel.secret,
        seed: crate::random::seed(),
    }
}

/// The link, and where it leads.
fn ready(config: &config::Broadcast, channel: &Channel, endpoint: &Endpoint) -> Own {
    let id = channel.key.public();
    let local = endpoint.local();
    let link = ChannelLink {
        channel: id,
        addresses: addresses(&config.advertise, endpoint.candidates()),
        secret: channel.secret,
        title: (!config.title.is_empty()).then(|| bounded_text(&config.title)),
    };
    let moved = config.listen == Listen::Default && local.port() != DEFAULT_PORT;
    let note = moved.then(|| {
        let port = local.port();
        format!("port {DEFAULT_PORT} is taken, so this link names port {port} and may not stay good")
    });
    Own::Ready {
        link: link.to_string(),
        channel: key_text(&id),
        listen: local,
        note,
    }
}

/// What the person named goes first, then what the machine has; each once, as many as a link may carry.
fn addresses(advertised: &[SocketAddr], candidates: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut addresses = advertised.to_vec();
    for candidate in candidates {
        if !addresses.contains(&candidate) {
            addresses.push(candidate);
        }
    }
    addresses.truncate(ADDRESSES_MAX);
    addresses
}

/// A channel on the air.
struct OnAir {
    /// Held so that nobody else broadcasts the channel.
    _channel: Channel,
    input: Input,
    commands: mpsc::Sender<Command>,
    /// Told when the input has begun, or is waited for.
    ready: Option<Own>,
    teller: Teller,
    /// Why it leaves, once it does.
    outcome: Option<Result<Finish, Error>>,
}

impl OnAir {
    async fn run(
        mut self,
        mut handle: Handle<Broadcaster>,
        mut said: mpsc::Receiver<Said>,
        mut orders: Orders,
    ) -> Result<Finish, Error> {
        let ended = loop {
            tokio::select! {
                outgoing = handle.outgoing.recv() => match outgoing {
                    Some(Outgoing::Event(event)) => self.teller.tell(event),
                    Some(Outgoing::Play(_) | Outgoing::Cloud(_)) => {}
                    Some(Outgoing::Ended(ended)) => break Some(ended),
                    None => break None,
                },
                Some(said) = said.recv() => self.heard(said).await,
                order = orders.next() => match order {
                    Order::Leave => self.leave(Ok(Finish::Left)).await,
                    // It sponsors nothing.
                    Order::Answer { .. }
                    | Order::Allow(_)
                    | Order::Extend { .. }
                    | Order::EndRelay(_)
                    | Order::RunOn(_) => {}
                },
            }
        };
        // Whoever opens it next finds it free. It does not panic, and nothing else is known of it.
        drop(said);
        let _ = tokio::task::spawn_blocking(move || self.input.close()).await;
        error::conclude(self.outcome, ended)
    }

    async fn heard(&mut self, said: Said) {
        if matches!(said, Said::Begun | Said::Paused(_))
            && let Some(ready) = self.ready.take()
        {
            self.teller.tell(ready);
        }
        match said {
            Said::Begun => {}
            Said::Warning(message) => self.teller.tell(Own::Warning { message }),
            Said::Paused(why) => self.teller.tell(Own::InputPaused { why }),
            Said::Resumed => self.teller.tell(Own::InputResumed),
            Said::Ended => self.leave(Ok(Finish::InputEnded)).await,
            Said::Failed(error) => self.leave(Err(Error::Input(error.to_string()))).await,
        }
    }

    /// The first reason counts. What was cut before still goes out.
    async fn leave(&mut self, outcome: Result<Finish, Error>) {
        if self.outcome.is_none() {
            self.outcome = Some(outcome);
            self.input.stop();
            // A machine that has ended needs no telling.
            let _ = self.commands.send(Command::Leave).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advertised_addresses_go_first_and_each_once() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let found = vec![address("10.0.0.1:4600"), address("192.0.2.1:4600")];
        let all = addresses(&[address("192.0.2.1:4600")], found);
        assert_eq!(all, [address("192.0.2.1:4600"), address("10.0.0.1:4600")]);
        let many: Vec<SocketAddr> = (1..20)
            .map(|port| SocketAddr::from(([192, 0, 2, 1], port)))
            .collect();
        assert_eq!(addresses(&[], many).len(), ADDRESSES_MAX);
    }
}
