//! A relay that cheats: `banyan-relay`'s own machine and driver, and the simulator's cheat between them.
//!
//! `crooked-relay CONDUCT --config FILE` is an honest relay until it is sent SIGUSR1. It lives in the tests alone: the product has
//! no such switch.

use anyhow::{Context, Result};
use banyan_peer::{Clock, Handle, Outgoing, identity};
use banyan_protocol::io::Command;
use banyan_protocol::role::relay::Relay;
use banyan_protocol::role::relay::boot::Boot;
use banyan_relay::args::Args;
use banyan_relay::lifetime::DayClock;
use banyan_relay::run::{bind, machine_config};
use banyan_relay::{boot, start};
use banyan_sim::cheat::{Cheat, Since};
use banyan_sim::scenario::Conduct;
use clap::Parser;
use tokio::signal::unix::{Signal, SignalKind, signal};

fn main() -> Result<()> {
    let mut words = std::env::args();
    let program = words.next().context("a program has a name")?;
    let conduct = words.next().context("the first argument is what it does")?;
    let conduct = serde_json::from_value(conduct.into())?;
    let args = Args::parse_from(std::iter::once(program).chain(words));
    let boot = boot::read(&args.config.context("the relay's boot data are in a file")?)?;
    start::prepare();
    start::runtime()?.block_on(serve(conduct, boot))
}

async fn serve(conduct: Conduct, boot: Boot) -> Result<()> {
    let endpoint = bind(&identity::generate(), &boot)?;
    let (clock, since, sponsor) = (Clock::start(), Since::default(), boot.sponsor.0.peer());
    let relay = Relay::new(machine_config(boot, &endpoint, clock, DayClock::start()));
    let cheat = Cheat::new(Box::new(relay), conduct, since.clone(), sponsor);
    let handle = banyan_peer::spawn(cheat, endpoint, clock);
    let signals = [SignalKind::user_defined1(), SignalKind::terminate()].map(signal);
    let [turns, ends] = signals;
    run(handle, clock, &since, [turns?, ends?]).await
}

/// Until its end: it turns crooked at the first of these signals, and leaves at the second.
async fn run(
    mut handle: Handle<Cheat>,
    clock: Clock,
    since: &Since,
    [mut turns, mut ends]: [Signal; 2],
) -> Result<()> {
    loop {
        tokio::select! {
            outgoing = handle.outgoing.recv() => match outgoing {
                Some(Outgoing::Ended(_)) => return Ok(()),
                Some(_) => {}
                None => anyhow::bail!("its driver has ended without a word"),
            },
            _ = turns.recv() => {
                since.get_or_init(|| clock.now());
            }
            _ = ends.recv() => handle.commands.send(Command::Leave).await.ok().context("it has ended")?,
        }
    }
}
