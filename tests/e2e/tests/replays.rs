//! What was good yesterday, or for somebody else, or once: shown and sent again by peers that are let in.

mod support;

use anyhow::{Context, Result, ensure};
use banyan_peer::{Clock, Endpoint, Handle, Outgoing, identity};
use banyan_protocol::id::{Ed25519, PeerId, SecretKey};
use banyan_protocol::io::{Input, Lane, LinkId, Outbox, Output};
use banyan_protocol::limits::{TICKET_LIFE, VERSION};
use banyan_protocol::media::{StripeId, TierId};
use banyan_protocol::role::config::{Part, ViewerConfig};
use banyan_protocol::role::viewer::Viewer as Machine;
use banyan_protocol::time::{ChannelTime, Duration as Span};
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::chunk::{Chunk, Data, Header};
use banyan_protocol::wire::control::{Assign, Attach, Introduction, Message};
use banyan_protocol::wire::link::ChannelLink;
use banyan_protocol::wire::ticket::{Class, Grant, Rank, Ticket};
use bytes::Bytes;
use rig::banyan::parents;
use rig::scene::{PLAYS, Scene, Viewer, uplink};
use rig::verdict::Verdict;
use rig::{Event, Host, Wire};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::attack::{Attack, broadcaster, hello, turned_away};
use support::{Spoil, Spoiled, start};
use tokio::runtime::Runtime;

const STRIPE: StripeId = StripeId {
    tier: TierId(1),
    index: 0,
};

/// The channel's key: with it a test can make what an older run of the broadcaster would have signed.
fn channel_key(scene: &Scene) -> Result<SecretKey> {
    let file = scene.stage.path("broadcaster.data/banyan/channel.key");
    let key = identity::load_or_create(&file)?;
    let link: ChannelLink = scene.broadcast.link.parse()?;
    ensure!(key.public() == link.channel, "{} is another key", file.display());
    Ok(key)
}

fn day() -> ChannelTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970");
    ChannelTime::from_micros(since.as_micros() as u64)
}

/// A member that joined to learn where another viewer is, and what run of the broadcaster this is.
struct Insider {
    parent: Introduction,
    from_block: u64,
    epoch: u64,
    /// It stays a member as long as this is held.
    _member: Attack,
}

impl Insider {
    fn join(runtime: &Runtime, scene: &Scene, host: &Host) -> Result<Self> {
        let channel = scene.broadcast.link.parse::<ChannelLink>()?.channel;
        let joins = hello(VERSION, vec![(host.address(), 4000).into()]).frame();
        let (key, shots) = (identity::generate(), vec![(Lane::Control, joins)]);
        let member = Attack::start_as(&key, runtime, host, broadcaster(&scene.broadcast.link)?, shots)?;
        let viewer = |assign: &Assign| {
            let mut others = assign.peers.iter().filter(|other| other.peer != channel.peer());
            others.find(|other| !other.addresses.is_empty()).cloned()
        };
        let (assign, parent) = member.hear(|message| match message {
            Message::Assign(assign) => viewer(&assign).map(|parent| (assign, parent)),
            _ => None,
        })?;
        Ok(Self {
            parent,
            from_block: assign.from_block,
            epoch: Ticket::open(&assign.ticket, &key.id(), &channel, &Ed25519)?.epoch,
            _member: member,
        })
    }
}

/// A stranger shows a viewer tickets that its own key was given: this one is good, so the others are refused for what they are.
#[test]
fn tickets_of_yesterday_and_those_that_ended_get_nothing() -> Result<()> {
    let scene = Scene::open("replayed-tickets", Wire::Bridge, 7, &[])?;
    let mut verdict = Verdict::of("replayed-tickets");
    let honest = scene.viewer("honest", 20)?;
    honest.full(PLAYS)?;
    let (runtime, host) = (Runtime::new()?, scene.net.host("member")?);
    let insider = Insider::join(&runtime, &scene, &host)?;
    let channel = channel_key(&scene)?;
    let shows = |name: &str, change: &dyn Fn(&mut Ticket)| -> Result<Attack> {
        let key = identity::generate();
        let mut ticket = ticket(insider.epoch, &key.id(), &insider.parent.peer);
        change(&mut ticket);
        let attach = Attach {
            ticket: Some(ticket.seal(&channel)),
            stripes: vec![(STRIPE, insider.from_block)],
        };
        let victim = Output::Dial {
            link: LinkId(2),
            peer: insider.parent.peer,
            addresses: insider.parent.addresses.clone(),
        };
        let shots = vec![(Lane::Control, Message::Attach(attach).frame())];
        Attack::start_as(&key, &runtime, &host, victim, shots).context(name.to_owned())
    };
    let good = shows("a good ticket", &|_| {})?;
    verdict.check(good.hear(|message| matches!(message, Message::Attached { .. }).then_some(())));
    let yesterday = shows("yesterday's", &|ticket| ticket.epoch -= 86_400)?;
    verdict.check(turned_away(&yesterday).context("yesterday's ticket"));
    let ended = shows("an ended one", &|ticket| {
        ticket.expires = day().before(Span::from_secs(1))
    })?;
    verdict.check(turned_away(&ended).context("a ticket that has ended"));
    let elsewhere = shows("for another parent", &|ticket| {
        ticket.grants[0].parent = channel.id().tag()
    })?;
    verdict.check(turned_away(&elsewhere).context("a ticket for another parent"));
    verdict.check(honest.full_again(Duration::from_secs(5)));
    verdict.check(honest.check_unharmed());
    drop((good, insider, honest));
    scene.close(verdict)
}

fn ticket(epoch: u64, child: &PeerId, parent: &PeerId) -> Ticket {
    Ticket {
        epoch,
        serial: 1,
        child: *child,
        class: Class::FreeRider,
        expires: day() + TICKET_LIFE,
        grants: vec![Grant {
            stripe: STRIPE,
            rank: Rank(u64::MAX),
            parent: parent.tag(),
            spare: None,
            replaces: None,
        }],
    }
}

/// How many chunks a crooked parent adds before the child is looked at.
const ADDED: u64 = 300;

#[test]
fn chunks_of_yesterday_and_chunks_sent_again_change_nothing() -> Result<()> {
    let below = Below::open("replayed-chunks", Add::Replays)?;
    let mut verdict = Verdict::of("replayed-chunks");
    below.begin()?;
    below
        .child
        .watch
        .program
        .wait("stats", PLAYS, |_| below.added.load(Relaxed) >= ADDED)?;
    verdict.check(below.child.full_again(Duration::from_secs(5)));
    let stats = below.child.watch.stats()?;
    verdict.expect(stats.number("bad_chunks") == 0, || "they are well signed".into());
    verdict.expect(below.is_parent(&stats), || "nobody left a parent for it".into());
    below.close(verdict)
}

#[test]
fn a_parent_that_forges_is_left_and_named() -> Result<()> {
    let below = Below::open("forged-chunks", Add::Forgeries)?;
    let mut verdict = Verdict::of("forged-chunks");
    below.filler.leave()?;
    below.begin()?;
    let blamed = |event: &Event| event.text("peer") == below.parent;
    verdict.check(below.child.watch.program.wait("peer-blamed", PLAYS, blamed));
    verdict.check(below.child.full_again(PLAYS));
    let stats = below.child.watch.stats()?;
    verdict.expect(stats.number("bad_chunks") >= 1, || {
        "no bad chunk is counted".into()
    });
    verdict.expect(below.added.load(Relaxed) >= 1, || "nothing was forged".into());
    below.close(verdict)
}

/// A parent that adds to what it passes on.
struct Adding {
    add: Add,
    channel: SecretKey,
    /// What it passed on in the last seconds.
    kept: VecDeque<Bytes>,
    /// Bytes that the machine itself has under way on a link, so that it is told of no others.
    under_way: BTreeMap<LinkId, u64>,
    begun: Arc<AtomicBool>,
    added: Arc<AtomicU64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Add {
    /// Each chunk again, one of three seconds ago, and chunks with this one's number that an earlier run might have signed.
    Replays,
    /// One chunk in ten with a byte changed, in place of the right one.
    Forgeries,
}

/// Chunks in three seconds of five stripes.
const THREE_SECONDS: usize = 150;

impl Spoil for Adding {
    fn say(&mut self, output: Output, out: &mut Outbox) {
        let Output::Send {
            link,
            lane: lane @ Lane::Data(_),
            frame,
        } = output
        else {
            return out.push(output);
        };
        *self.under_way.entry(link).or_default() += frame.len() as u64;
        let send = |out: &mut Outbox, frame| out.push(Output::Send { link, lane, frame });
        let Ok(Data::Chunk(chunk)) = Data::parse(frame.clone()) else {
            return send(out, frame);
        };
        match self.add {
            _ if !self.begun.load(Relaxed) => send(out, frame),
            Add::Replays => {
                send(out, frame.clone());
                for frame in self.replays(chunk) {
                    self.added.fetch_add(1, Relaxed);
                    send(out, frame);
                }
            }
            Add::Forgeries if chunk.header.block.is_multiple_of(10) => {
                self.added.fetch_add(1, Relaxed);
                send(out, forged(&frame));
            }
            Add::Forgeries => send(out, frame),
        }
    }

    fn hear(&mut self, input: Input) -> Input {
        match input {
            Input::Drained { link, bytes } => {
                let own = self.under_way.entry(link).or_default();
                let bytes = bytes.min(*own);
                *own -= bytes;
                Input::Drained { link, bytes }
            }
            other => other,
        }
    }
}

impl Adding {
    fn replays(&mut self, chunk: Chunk) -> Vec<Bytes> {
        self.kept.push_back(chunk.frame().clone());
        let old = (self.kept.len() > THREE_SECONDS)
            .then(|| self.kept.pop_front())
            .flatten();
        let header = Header {
            epoch: chunk.header.epoch - 86_400,
            ..chunk.header
        };
        // Signing costs time: some of yesterday's are enough.
        let some = chunk.header.block.is_multiple_of(10);
        let yesterday = some.then(|| Chunk::seal(&self.channel, header, &chunk.payload()));
        let yesterday = yesterday.map(|chunk| chunk.frame().clone());
        [Some(chunk.frame().clone()), old, yesterday]
            .into_iter()
            .flatten()
            .collect()
    }
}

fn forged(frame: &Bytes) -> Bytes {
    let mut frame = frame.to_vec();
    let middle = frame.len() / 2;
    frame[middle] ^= 1;
    frame.into()
}

/// A channel where a viewer with a small uplink hangs below one that adds to what it passes on.
struct Below {
    scene: Scene,
    child: Viewer,
    /// Who takes up the room at the source that would serve the child without the crooked one; it gives nothing.
    filler: Viewer,
    /// The crooked one's id.
    parent: String,
    begun: Arc<AtomicBool>,
    added: Arc<AtomicU64>,
    handle: Handle<Spoiled<Machine, Adding>>,
    host: Host,
    _runtime: Runtime,
}

impl Below {
    fn open(name: &str, add: Add) -> Result<Self> {
        // The source sends two copies, and little more.
        let scene = Scene::open(name, Wire::Bridge, 13, &[])?;
        let (runtime, host) = (Runtime::new()?, scene.net.host("parent")?);
        let (begun, added, key) = (Arc::default(), Arc::default(), identity::generate());
        let adding = Adding {
            add,
            channel: channel_key(&scene)?,
            kept: VecDeque::new(),
            under_way: BTreeMap::new(),
            begun: Arc::clone(&begun),
            added: Arc::clone(&added),
        };
        let link: ChannelLink = scene.broadcast.link.parse()?;
        let cap = uplink(scene.slot, 20);
        host.shape(cap * 4)?;
        let mut handle = start(&runtime, &host, &key, 0, |endpoint, clock| Spoiled {
            machine: Machine::new(viewer(link, cap, endpoint, clock)),
            spoil: adding,
        })?;
        let plays =
            async { while !matches!(handle.outgoing.recv().await, None | Some(Outgoing::Play(_))) {} };
        runtime.block_on(plays);
        let filler = scene.viewer("filler", 0)?;
        filler.full(PLAYS)?;
        let child = scene.viewer("child", 0)?;
        child.full(PLAYS)?;
        Ok(Self {
            scene,
            child,
            filler,
            parent: key.id().to_string(),
            begun,
            added,
            handle,
            host,
            _runtime: runtime,
        })
    }

    /// Begins, as soon as the child has stripes from the crooked parent.
    fn begin(&self) -> Result<()> {
        let waited = self
            .child
            .watch
            .program
            .wait("stats", PLAYS, |stats| self.is_parent(stats));
        waited.context("the child is never fed by the crooked parent")?;
        self.begun.store(true, Relaxed);
        Ok(())
    }

    fn is_parent(&self, stats: &Event) -> bool {
        parents(stats).values().any(|parent| *parent == self.parent)
    }

    /// Ends the child, and checks that it lost nothing, not even in its output.
    fn close(self, mut verdict: Verdict) -> Result<()> {
        let stats = self.child.watch.stats()?;
        verdict.expect(stats.number("blocks_lost") == 0, || {
            format!("the child lost blocks: {}", stats.fields)
        });
        let children = [self.child];
        self.scene.check_pictures(&children, &mut verdict)?;
        drop((children, self.filler, self.handle, self.host));
        self.scene.close(verdict)
    }
}

fn viewer(link: ChannelLink, cap: Bitrate, endpoint: &Endpoint, clock: Clock) -> ViewerConfig {
    ViewerConfig {
        id: endpoint.id(),
        verify: Arc::new(Ed25519),
        channel: link.channel,
        addresses: link.addresses,
        secret: link.secret,
        now: clock.now(),
        uplink: Some(cap),
        buffer: Span::from_secs(2),
        candidates: endpoint.candidates(),
        relay_only: false,
        sponsor: None,
        relays_run_on: false,
        part: Part::Watch,
        seed: 1,
    }
}
