//! Peers that mean ill: a channel goes on as if they were not there.

use anyhow::{Context, Result, ensure};
use banyan_peer::{Clock, Config, Endpoint, Handle, identity, spawn};
use banyan_protocol::io::{Command, Input, Lane, LinkEnd, LinkId, Machine, Outbox, Output};
use banyan_protocol::limits::{CONTROL_FRAME_MAX, DATA_FRAME_MAX, VERSION};
use banyan_protocol::media::{StripeId, TierId};
use banyan_protocol::rng::Rng;
use banyan_protocol::time::Instant;
use banyan_protocol::wire::close::CloseCode;
use banyan_protocol::wire::control::{Assign, Attach, Hello, Message};
use banyan_protocol::wire::framing;
use banyan_protocol::wire::link::ChannelLink;
use bytes::Bytes;
use rig::scene::{PLAYS, Scene, is_long};
use rig::verdict::Verdict;
use rig::{Host, Wire};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use tokio::runtime::Runtime;

/// A frame to send, and on which lane.
type Shot = (Lane, Bytes);

/// How long a victim may take to end a link.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a hostile peer saw of its victim.
#[derive(Debug)]
enum Seen {
    Message(Message),
    Ended(LinkEnd),
}

/// Dials its victim when told to, fires when the link is up, and tells the test what comes back.
struct Hostile {
    victim: Output,
    shots: Vec<Shot>,
    seen: SyncSender<Seen>,
}

impl Machine for Hostile {
    fn handle(&mut self, _: Instant, input: Input, out: &mut Outbox) {
        match input {
            Input::Command(Command::Discontinuity) => out.push(self.victim.clone()),
            Input::Linked { link, .. } => {
                let shots = self.shots.drain(..);
                shots.for_each(|(lane, frame)| out.push(Output::Send { link, lane, frame }));
            }
            Input::Frame {
                lane: Lane::Control,
                frame,
                ..
            } => {
                if let Ok(message) = Message::parse(&frame) {
                    self.tell(Seen::Message(message));
                }
            }
            Input::Unlinked { why, .. } => self.tell(Seen::Ended(why)),
            _ => {}
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        None
    }

    fn check_invariants(&self) {}
}

impl Hostile {
    fn tell(&self, seen: Seen) {
        // A test that has seen enough listens no more.
        let _ = self.seen.try_send(seen);
    }
}

/// A running hostile peer.
struct Attack {
    seen: Receiver<Seen>,
    _handle: Handle<Hostile>,
}

impl Attack {
    fn start(runtime: &Runtime, host: &Host, victim: Output, shots: Vec<Shot>) -> Result<Self> {
        let listen = Some((host.address(), 0).into());
        let endpoint = host.inside(|| {
            let _context = runtime.enter();
            Endpoint::bind(
                &identity::generate(),
                Config {
                    listen,
                    ..Config::default()
                },
            )
        })??;
        let (tell, seen) = sync_channel(256);
        let _context = runtime.enter();
        let handle = spawn(
            Hostile {
                victim,
                shots,
                seen: tell,
            },
            endpoint,
            Clock::start(),
        );
        handle
            .commands
            .blocking_send(Command::Discontinuity)
            .ok()
            .context("the driver runs")?;
        Ok(Self {
            seen,
            _handle: handle,
        })
    }

    /// How its link ended.
    fn end(&self) -> Result<LinkEnd> {
        loop {
            let seen = self
                .seen
                .recv_timeout(PATIENCE)
                .context("the victim keeps the link")?;
            if let Seen::Ended(end) = seen {
                return Ok(end);
            }
        }
    }

    /// The first message that `pick` takes.
    fn hear<T>(&self, mut pick: impl FnMut(Message) -> Option<T>) -> Result<T> {
        loop {
            match self.seen.recv_timeout(PATIENCE).context("no such message came")? {
                Seen::Message(message) => {
                    if let Some(found) = pick(message) {
                        return Ok(found);
                    }
                }
                Seen::Ended(end) => anyhow::bail!("the link ended: {end:?}"),
            }
        }
    }
}

fn broadcaster(link: &str) -> Result<Output> {
    let link: ChannelLink = link.parse()?;
    Ok(Output::Dial {
        link: LinkId(2),
        peer: link.channel,
        addresses: link.addresses,
    })
}

fn hello(version: u8, candidates: Vec<SocketAddr>) -> Message {
    Message::Hello(Hello {
        version,
        secret: None,
        uplink: Some(banyan_protocol::units::Bitrate::ZERO),
        buffer_ms: 2_000,
        candidates,
        relay_only: false,
        may_sponsor: false,
        resume: None,
    })
}

fn garbage(seed: u64, length: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..length).map(|_| rng.next() as u8).collect()
}

/// A prefix that promises more than the lane allows, and the beginning of it.
fn oversized(max: usize) -> Bytes {
    let mut frame = framing::frame(&garbage(1, 64)).to_vec();
    frame[..4].copy_from_slice(&(max as u32 + 1).to_le_bytes());
    frame.into()
}

#[test]
fn strangers_who_send_rubbish_are_shown_out() -> Result<()> {
    let scene = Scene::open("hostile", Wire::Bridge, 15, &[])?;
    let mut verdict = Verdict::of("hostile");
    let honest = scene.viewer("honest", 5)?;
    honest.full(PLAYS)?;
    let (runtime, host) = (Runtime::new()?, scene.net.host("stranger")?);
    let data = Lane::Data(TierId(1));
    let forged = Attach {
        ticket: Some(garbage(2, 300).into()),
        stripes: vec![(
            StripeId {
                tier: TierId(1),
                index: 0,
            },
            0,
        )],
    };
    let attacks: [(&str, Vec<Shot>); 6] = [
        ("garbage", vec![(Lane::Control, framing::frame(&garbage(3, 300)))]),
        (
            "an oversized frame",
            vec![(Lane::Control, oversized(CONTROL_FRAME_MAX))],
        ),
        ("a data lane", vec![(data, framing::frame(&garbage(4, 1000)))]),
        ("an oversized chunk", vec![(data, oversized(DATA_FRAME_MAX))]),
        (
            "a forged ticket",
            vec![(Lane::Control, Message::Attach(forged).frame())],
        ),
        (
            "another version",
            vec![(Lane::Control, hello(VERSION + 1, Vec::new()).frame())],
        ),
    ];
    for (name, shots) in attacks {
        let attack = Attack::start(&runtime, &host, broadcaster(&scene.broadcast.link)?, shots)?;
        let end = verdict.check(attack.end().context(name));
        let shown_out = |end: LinkEnd| matches!(end, LinkEnd::Closed(code) if code != CloseCode::Done);
        verdict.expect(end.is_none_or(shown_out), || {
            format!("{name}: the link ended with {end:?}")
        });
    }
    verdict.check(honest.full_again(Duration::from_secs(5)));
    verdict.check(honest.check_unharmed());
    drop(honest);
    scene.close(verdict)
}

/// A member asks its parent, a viewer, with a ticket that was changed, and with rubbish.
#[test]
fn a_member_with_a_forged_ticket_gets_nothing() -> Result<()> {
    let scene = Scene::open("hostile-member", Wire::Bridge, 7, &[])?;
    let mut verdict = Verdict::of("hostile-member");
    let honest = scene.viewer("honest", 20)?;
    honest.full(PLAYS)?;
    let (runtime, host) = (Runtime::new()?, scene.net.host("member")?);
    let joins = vec![(
        Lane::Control,
        hello(VERSION, vec![(host.address(), 4000).into()]).frame(),
    )];
    let member = Attack::start(&runtime, &host, broadcaster(&scene.broadcast.link)?, joins)?;
    let channel = scene.broadcast.link.parse::<ChannelLink>()?.channel;
    let has_viewer = |assign: &Assign| {
        assign
            .peers
            .iter()
            .any(|other| other.peer != channel && !other.addresses.is_empty())
    };
    let assign = member.hear(|message| match message {
        Message::Assign(assign) if has_viewer(&assign) => Some(assign),
        _ => None,
    })?;
    let parent = assign
        .peers
        .iter()
        .find(|other| other.peer != channel)
        .context("checked above")?;
    let victim = Output::Dial {
        link: LinkId(2),
        peer: parent.peer,
        addresses: parent.addresses.clone(),
    };
    let mut ticket = assign.ticket.to_vec();
    let middle = ticket.len() / 2;
    ticket[middle] ^= 1;
    let stripe = StripeId {
        tier: TierId(1),
        index: 0,
    };
    let forged = Attach {
        ticket: Some(ticket.into()),
        stripes: vec![(stripe, assign.from_block)],
    };
    let replayed = Attach {
        ticket: Some(assign.ticket.clone()),
        stripes: vec![(stripe, assign.from_block)],
    };
    let attacks: [(&str, Vec<Shot>); 3] = [
        (
            "a changed ticket",
            vec![(Lane::Control, Message::Attach(forged).frame())],
        ),
        // The attack has another key than the member whose ticket it is.
        (
            "another's ticket",
            vec![(Lane::Control, Message::Attach(replayed).frame())],
        ),
        (
            "rubbish",
            vec![(Lane::Data(TierId(1)), framing::frame(&garbage(5, 2000)))],
        ),
    ];
    for (name, shots) in attacks {
        let attack = Attack::start(&runtime, &host, victim.clone(), shots)?;
        verdict.check(turned_away(&attack).context(name));
    }
    verdict.check(honest.full_again(Duration::from_secs(5)));
    verdict.check(honest.check_unharmed());
    drop((member, honest));
    scene.close(verdict)
}

/// It is told that it gets no stripe, or the link is closed.
fn turned_away(attack: &Attack) -> Result<()> {
    loop {
        match attack
            .seen
            .recv_timeout(PATIENCE)
            .context("neither refused nor shown out")?
        {
            Seen::Message(Message::Detached { .. }) | Seen::Ended(LinkEnd::Closed(_)) => return Ok(()),
            Seen::Message(Message::Attached { .. }) => anyhow::bail!("it was given the stripe"),
            Seen::Message(_) => {}
            Seen::Ended(end) => anyhow::bail!("the link ended: {end:?}"),
        }
    }
}

/// Hundreds of keys from one house: they fill their own share of places only, and a newcomer from elsewhere gets in.
#[test]
fn a_crowd_of_links_from_one_place_keeps_nobody_out() -> Result<()> {
    let scene = Scene::open("hostile-crowd", Wire::Bridge, 15, &[])?;
    let mut verdict = Verdict::of("hostile-crowd");
    let honest = scene.viewer("honest", 5)?;
    honest.full(PLAYS)?;
    let (runtime, host) = (Runtime::new()?, scene.net.host("crowd")?);
    let count = if is_long() { 2_000 } else { 300 };
    let victim = broadcaster(&scene.broadcast.link)?;
    let crowd: Result<Vec<Attack>> = (0..count)
        .map(|_| Attack::start(&runtime, &host, victim.clone(), Vec::new()))
        .collect();
    let crowd = crowd?;
    let newcomer = scene.viewer("newcomer", 5)?;
    verdict.check(newcomer.watch.playing(PLAYS));
    verdict.check(newcomer.full(PLAYS));
    verdict.check(honest.check_unharmed());
    ensure!(crowd.len() == count, "the crowd is there");
    drop((crowd, honest, newcomer));
    scene.close(verdict)
}
