//! A channel on this machine: a broadcaster, viewers with home uplinks, one of them killed in the middle, and then more viewers than
//! the uplinks carry, and one who sponsors a relay.

mod clip;
mod summary;
mod table;

use crate::{setup, shell};
use anyhow::{Context, Result};
use banyan_protocol::units::Bitrate;
use rig::banyan::Broadcast;
use rig::scene::{Viewer, uplink};
use rig::{Net, Stage, Watch, Wire, banyan};
use rustix::process::Signal;
use std::io::{IsTerminal, stdout};
use std::time::{Duration, Instant};
use table::Table;

/// What the seven homes give, in slots of a five-stripe stream, and what the broadcaster's gives: two and a half copies.
const HOMES: [(&str, u64); 7] = [
    ("ada", 12),
    ("bo", 10),
    ("cleo", 9),
    ("dan", 6),
    ("eve", 4),
    ("finn", 3),
    ("gil", 0),
];
const SOURCE: u64 = 12;

/// Watches, gives no uplink, and would sponsor: the line of its own that its relay has, in slots.
const SPONSOR: (&str, u64) = ("ivy", 40);

/// Those who come when there is no room left, and have nothing to give.
const LATE: [&str; 3] = ["hal", "jo", "kim"];

/// A quarter of a minute shows the trees at rest, a death, the trees at rest again, and so on.
const KILL_AT: Duration = Duration::from_secs(15);
const CROWD_AT: Duration = Duration::from_secs(27);
const END_AT: Duration = Duration::from_secs(50);

/// How long a viewer may take to its first picture before the demo gives up.
const PLAYS: Duration = Duration::from_secs(20);

/// A channel in the demo; programs go before their hosts.
pub(crate) struct Channel {
    net: Net,
    slot: Bitrate,
    pub(crate) broadcast: Broadcast,
    pub(crate) source: rig::Host,
    pub(crate) viewers: Vec<Viewer>,
    pub(crate) clip: rig::clip::Clip,
    pub(crate) since: Instant,
    pub(crate) stage: Stage,
}

/// Prepares everything, then runs the demo as root, which the namespaces need.
pub(crate) fn run() -> Result<()> {
    setup::run()?;
    // All of it: with other features, the same dependencies would be built again for the tests.
    shell::run(&mut shell::cargo(&["build", "--workspace"]))?;
    let sudo = shell::as_root()?;
    if sudo.is_empty() {
        return show();
    }
    eprintln!(
        "The demo gives each home a network namespace, which needs root: sudo may ask for your password."
    );
    let own = std::env::current_exe()?;
    let own = own.to_str().context("the build folder has a name in UTF-8")?;
    shell::run(&mut shell::command(&[sudo, &[own, "demo"]].concat()))
}

fn show() -> Result<()> {
    println!(
        "One broadcaster, whose uplink carries two and a half copies of its stream, and viewers who pass it on, each with a home's\n\
         uplink and a network of its own on this machine. After {} s the one who feeds most others is killed; after {} s more come\n\
         than the uplinks carry, and {} sponsors a relay.\n",
        KILL_AT.as_secs(),
        CROWD_AT.as_secs(),
        SPONSOR.0
    );
    let stage = Stage::open("demo")?;
    let clip = clip::real_or_generated()?;
    println!("Measuring what a stripe of {} costs …", clip.path.display());
    let slot = banyan::slot_of(&stage, &clip)?;
    let mut channel = on_air(stage, clip, slot)?;
    let victim = watch_and_kill(&mut channel)?;
    summary::print(channel, &victim)
}

fn on_air(stage: Stage, clip: rig::clip::Clip, slot: Bitrate) -> Result<Channel> {
    let net = Net::new(Wire::Bridge)?;
    let source = net.host("broadcaster")?;
    source.shape(uplink(slot, SOURCE))?;
    let cap = uplink(slot, SOURCE).as_bps().to_string();
    let broadcast = Broadcast::start(
        &stage,
        &source,
        &clip.argument(),
        &["--loop", "--title", "Demo", "--uplink", &cap],
    )?;
    println!("On the air: {}", broadcast.link);
    let since = Instant::now();
    broadcast.settle()?;
    let mut viewers = Vec::new();
    for (name, slots) in HOMES {
        viewers.push(join(&stage, &net, name, slots, slot, &broadcast.link)?);
    }
    viewers.push(join_sponsor(&stage, &net, slot, &broadcast.link)?);
    Ok(Channel {
        net,
        slot,
        broadcast,
        source,
        viewers,
        clip,
        since,
        stage,
    })
}

fn join(stage: &Stage, net: &Net, name: &str, slots: u64, slot: Bitrate, link: &str) -> Result<Viewer> {
    let host = net.host(name)?;
    host.shape(uplink(slot, slots))?;
    let cap = uplink(slot, slots).as_bps().to_string();
    let watch = Watch::recording(stage, &host, link, &["--uplink", &cap, "--sponsor", "never"])?;
    let startup = watch.playing(PLAYS)?;
    println!(
        "{name} watches after {startup} ms, and gives {}",
        uplink(slot, slots)
    );
    Ok(Viewer { watch, host, slots })
}

/// Who gives nothing of its own, and sponsors a relay when it is asked.
fn join_sponsor(stage: &Stage, net: &Net, slot: Bitrate, link: &str) -> Result<Viewer> {
    let (name, slots) = SPONSOR;
    let host = net.host(name)?;
    host.shape(uplink(slot, slots))?;
    let relay = uplink(slot, slots).as_bps().to_string();
    let says_yes = ["--sponsor", "yes", "--hours", "1", "--budget", "1"];
    let options = [&["--uplink", "0", "--relay-uplink", &relay], &says_yes[..]].concat();
    let watch = Watch::recording(stage, &host, link, &options)?;
    let startup = watch.playing(PLAYS)?;
    println!("{name} watches after {startup} ms, gives nothing, and would sponsor a relay");
    Ok(Viewer {
        watch,
        host,
        slots: 0,
    })
}

/// More come than there is room for.
fn crowd(channel: &mut Channel) -> Result<()> {
    println!("{} come, and there is no room for them.\n", LATE.join(", "));
    for name in LATE {
        let viewer = join(
            &channel.stage,
            &channel.net,
            name,
            0,
            channel.slot,
            &channel.broadcast.link,
        )?;
        channel.viewers.push(viewer);
    }
    Ok(())
}

/// Shows the table until the end; in the middle, the viewer that feeds most is killed, and then others come. Returns its name.
fn watch_and_kill(channel: &mut Channel) -> Result<String> {
    let (begun, mut victim, mut came) = (Instant::now(), None, false);
    let mut table = Table::new(stdout().is_terminal());
    while begun.elapsed() < END_AT {
        table.show(channel, victim.as_deref());
        std::thread::sleep(table.pause());
        if victim.is_none() && begun.elapsed() >= KILL_AT {
            victim = Some(kill_the_busiest(&channel.viewers)?);
            table.leave();
        }
        if !came && begun.elapsed() >= CROWD_AT {
            came = true;
            crowd(channel)?;
            table.leave();
        }
    }
    victim.context("the demo is longer than it takes to kill one")
}

fn kill_the_busiest(viewers: &[Viewer]) -> Result<String> {
    let feeds = |viewer: &&Viewer| viewer.watch.stats().map_or(0, |stats| stats.number("children"));
    let busiest = viewers.iter().max_by_key(feeds).context("there are viewers")?;
    busiest.watch.program.signal(Signal::KILL)?;
    println!(
        "{} is killed (kill -9) while it feeds {} others.\n",
        busiest.name(),
        feeds(&busiest)
    );
    Ok(busiest.name().to_owned())
}
