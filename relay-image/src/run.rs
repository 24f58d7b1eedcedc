//! A relay's life: boot data in, the machine driven until it ends, and the reason out.

use crate::args::{self, Args, Command};
use crate::error::Error;
use crate::extension::Note;
use crate::lifetime::{self, DayClock, Lifetime};
use crate::report::{Own, Report};
use crate::{boot, extension, forwarder, metadata};
use banyan_peer::{Clock, Endpoint, Handle, Inbound, Outgoing, identity};
use banyan_protocol::id::{Ed25519, SecretKey};
use banyan_protocol::io::{self, Ended};
use banyan_protocol::limits::INBOUND_LINKS_MAX;
use banyan_protocol::role::relay::boot::Boot;
use banyan_protocol::role::relay::{Relay, RelayConfig};
use banyan_protocol::time::Utc;
use banyan_protocol::units::Bitrate;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

/// How often the lease is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Does what the command line says. `began` is when the process did.
///
/// # Errors
/// If the relay was not told what it must know, or its sponsor never called, or the machine gives no port.
pub async fn run(args: Args, began: Instant) -> Result<(), Error> {
    match args.command {
        Some(Command::BenchForwarder(args)) => Ok(forwarder::run(&args).await?),
        Some(Command::Extension(args)) => print_extension(&args),
        Some(Command::UserData) => Ok(std::io::stdout().write_all(&metadata::user_data().await?)?),
        None => tell(&args, began).await,
    }
}

fn print_extension(args: &args::Extension) -> Result<(), Error> {
    let lease = extension::read(&boot::read(&args.config)?, &args.extension)?;
    println!("{} {}", lease.ends.as_secs(), lease.bytes);
    Ok(())
}

async fn tell(args: &Args, began: Instant) -> Result<(), Error> {
    let mut report = Report::new(began, args.json, Box::new(std::io::stdout()));
    let outcome = serve(args, &mut report).await;
    let why = outcome.as_ref().map_or_else(Error::name, |ended| *ended);
    report.own(&Own::Ended { why });
    outcome.map(|_| ())
}

/// Serves until the end; why it ended.
async fn serve(args: &Args, report: &mut Report) -> Result<&'static str, Error> {
    let boot = match &args.config {
        Some(path) => boot::read(path)?,
        None => boot::parse(&metadata::user_data().await?)?,
    };
    let day = DayClock::start();
    let lifetime = Lifetime::new(day, boot.lease.ends);
    if lifetime.left().is_zero() {
        return Err(Error::Over);
    }
    if lifetime.until(boot.enrol.until).is_zero() {
        return Err(Error::NotEnrolled);
    }
    lifetime::guard(lifetime.clone())?;
    let endpoint = bind(&identity::generate(), &boot)?;
    report.own(&Own::Ready {
        listen: endpoint.local(),
        relay: endpoint.id(),
    });
    let note = Note::of(endpoint.id());
    let clock = Clock::start();
    let machine = Relay::new(machine_config(boot, &endpoint, clock, day));
    let serving = Serving {
        handle: banyan_peer::spawn(machine, endpoint, clock),
        lifetime,
        note,
        signals: [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?],
        report,
    };
    serving.run().await
}

/// A relay's socket, where its boot data have it listen.
///
/// # Errors
/// If that is taken.
pub fn bind(key: &SecretKey, boot: &Boot) -> Result<Endpoint, banyan_peer::BindError> {
    let inbound = Inbound {
        // The sponsor's whole household may be behind one address, and so may a relay's children be.
        per_prefix: INBOUND_LINKS_MAX / 2,
        ..Inbound::default()
    };
    let config = banyan_peer::Config {
        listen: Some(boot.listen),
        inbound,
        ..banyan_peer::Config::default()
    };
    Endpoint::bind(key, config)
}

/// What the machine of a relay is told: its boot data, and where and when it runs.
///
/// # Panics
/// If the system has no random numbers.
pub fn machine_config(boot: Boot, endpoint: &Endpoint, clock: Clock, day: DayClock) -> RelayConfig {
    RelayConfig {
        id: endpoint.id(),
        verify: Arc::new(Ed25519),
        channel: boot.channel.0,
        sponsor: boot.sponsor.0,
        lease: boot.lease,
        enrolment: (boot.enrol.secret, boot.enrol.until),
        now: clock.now(),
        clock: Utc::from_secs(day.now().as_secs()),
        uplink: boot.uplink_bps.map(Bitrate),
        candidates: endpoint.candidates(),
        seed: getrandom::u64().expect("the system has random numbers"),
    }
}

/// A relay that serves.
struct Serving<'a> {
    handle: Handle<Relay>,
    lifetime: Lifetime,
    note: Note,
    /// Whoever ends the process asks it to.
    signals: [Signal; 2],
    report: &'a mut Report,
}

impl Serving<'_> {
    async fn run(mut self) -> Result<&'static str, Error> {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_over = false;
        let ended = loop {
            let [terminate, interrupt] = &mut self.signals;
            tokio::select! {
                outgoing = self.handle.outgoing.recv() => match outgoing {
                    Some(Outgoing::Event(event)) => self.report.event(&event),
                    Some(Outgoing::Ended(ended)) => break ended,
                    // It plays nothing, and asks nothing of a cloud.
                    Some(Outgoing::Play(_) | Outgoing::Cloud(_)) => {}
                    None => return Err(Error::Bug),
                },
                _ = terminate.recv() => self.leave().await,
                _ = interrupt.recv() => self.leave().await,
                _ = looks.tick(), if !is_over => is_over = self.look().await,
            }
        };
        if is_over { Ok("lease-over") } else { name(ended) }
    }

    /// Sees to it that the guard knows the lease in force, and whether that is over by a clock that the machine cannot see:
    /// the time of day, which may jump.
    async fn look(&mut self) -> bool {
        let look = |relay: &Relay| (relay.lease().ends, relay.extension().cloned());
        if let Some((ends, extension)) = self.handle.inspector.inspect(look).await {
            self.lifetime.move_to(ends);
            self.note.keep(extension);
        }
        let is_over = self.lifetime.left().is_zero();
        if is_over {
            self.leave().await;
        }
        is_over
    }

    async fn leave(&mut self) {
        // A machine that has ended needs no telling.
        let _ = self.handle.commands.send(io::Command::Leave).await;
    }
}

/// Why a relay ended, in a word of the `ended` event.
fn name(ended: Ended) -> Result<&'static str, Error> {
    match ended {
        Ended::LeaseOver => Ok("lease-over"),
        Ended::BytesSpent => Ok("bytes-spent"),
        Ended::NotEnrolled => Err(Error::NotEnrolled),
        // The others are a viewer's.
        _ => Ok("stopped"),
    }
}
