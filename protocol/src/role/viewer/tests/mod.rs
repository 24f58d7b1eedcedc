//! A viewer among a coordinator and parents that are message scripts.

mod amending;
mod hostile;
mod joining;
mod linking;
mod moving;
mod repairing;
mod sponsoring;
mod staying;
mod tiers;

use super::Viewer;
use crate::event::Event;
use crate::id::{Context, PeerId, PublicKey, Sign, Signature, Verify};
use crate::io::{
    CloudOrder, Command, Ended, Input, Lane, LinkEnd, LinkId, Machine, Outbox, Output, Play, Side,
};
use crate::media::smooth::Smoother;
use crate::media::{Codec, Kind, Packet, StripeId, TierId, Track, stripe};
use crate::role::config::{Part, ViewerConfig};
use crate::time::{ChannelTime, Duration, Instant, TICK};
use crate::units::Bitrate;
use crate::wire::chunk::{self, Chunk};
use crate::wire::close::CloseCode;
use crate::wire::control::{Assign, Hello, Introduction, Message, Moved, TierReason, Welcome};
use crate::wire::enrol::Binding;
use crate::wire::layout::{Layout, Tier};
use crate::wire::ticket::{Class, Grant, Rank, Ticket};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;

/// The viewer's own key; parents have keys of one repeated byte around it.
const ME: PeerId = PeerId([50; 16]);

/// Of the channel, and so of the broadcaster.
const CHANNEL: PeerId = PeerId([200; 16]);

/// When the broadcaster's clock was at the driver's origin.
const CLOCK: u64 = 1_000_000_000_000;

/// Ticks from one keyframe to the next.
const KEYFRAMES: u64 = 10;

fn peer(n: u8) -> PeerId {
    PeerId([n; 16])
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4600 + u16::from(n)))
}

fn stripe_of(tier: u8, index: u8) -> StripeId {
    StripeId {
        tier: TierId(tier),
        index,
    }
}

/// A stand-in for Ed25519: a hash of all that is signed, and of the signer.
struct Quick(PeerId);

fn key_of(id: PeerId) -> PublicKey {
    let mut key = [0; PublicKey::LEN];
    key[..PeerId::LEN].copy_from_slice(&id.0);
    PublicKey(key)
}

fn hash(signer: &PublicKey, context: Context, message: &[u8]) -> Signature {
    let mut state = 0xcbf2_9ce4_8422_2325u64;
    for byte in signer.0.iter().chain(context.as_bytes()).chain(message) {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut signature = [0; 64];
    signature[..8].copy_from_slice(&state.to_le_bytes());
    Signature(signature)
}

impl Sign for Quick {
    fn public(&self) -> PublicKey {
        key_of(self.0)
    }

    fn sign(&self, context: Context, message: &[u8]) -> Signature {
        hash(&self.public(), context, message)
    }
}

impl Verify for Quick {
    fn verify(&self, signer: &PublicKey, context: Context, message: &[u8], signature: &Signature) -> bool {
        hash(signer, context, message) == *signature
    }
}

/// How a scripted parent behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mood {
    /// Sends what it was asked for.
    #[default]
    Good,
    /// Sends nothing at all.
    Silent,
    /// Sends late marks instead of chunks.
    Late,
    /// Sends late marks instead of the chunks of each tier's first stripe.
    Withholding,
    /// Passes over one block in ten.
    Skipping,
    /// Alters what it sends.
    Forging,
    /// Sends by seats, and nothing by number.
    Stingy,
}

/// A scripted parent, or spare.
#[derive(Debug, Default)]
struct Parent {
    mood: Mood,
    rank: u64,
    /// The next block of each stripe that was asked for.
    seats: BTreeMap<StripeId, u64>,
    /// How late it is, in tens of milliseconds, for the next so many steps.
    held: u32,
}

/// The station: what the broadcaster cuts.
struct Station {
    epoch: u64,
    layout: Layout,
    smoothers: Vec<Smoother>,
    chunks: BTreeMap<(StripeId, u64), Chunk>,
    next: u64,
}

fn video() -> Track {
    Track {
        codec: Codec::H264,
        kind: Kind::Video {
            width: 64,
            height: 36,
            frames_per_1000s: 10_000,
        },
        setup: Bytes::new(),
    }
}

impl Station {
    fn new(epoch: u64) -> Self {
        let tier = |id, stripes, kbps| Tier {
            id: TierId(id),
            stripes,
            parity: false,
            rate: Bitrate::from_kbps(kbps),
            slot: Bitrate::from_kbps(400),
            tracks: vec![video()],
        };
        let tiers = vec![tier(0, 1, 300), tier(1, 3, 900)];
        let smoother = |tier: &Tier| Smoother::new(tier.rate, &tier.tracks, tier.stripes);
        Self {
            epoch,
            smoothers: tiers.iter().map(smoother).collect(),
            layout: Layout {
                epoch,
                number: 1,
                from_block: 0,
                title: "Test".into(),
                tiers,
            },
            chunks: BTreeMap::new(),
            next: 0,
        }
    }

    /// One frame a tick.
    fn cut(&mut self, at: ChannelTime) {
        for (smoother, tier) in self.smoothers.iter_mut().zip(&self.layout.tiers) {
            let keyframe = self.next.is_multiple_of(KEYFRAMES);
            smoother.push(
                at,
                &Packet {
                    track: 0,
                    pts: (self.next * 9000) as i64,
                    dts: (self.next * 9000) as i64,
                    duration: 9000,
                    keyframe,
                    data: vec![self.next as u8; if keyframe { 3000 } else { 900 }].into(),
                },
            );
            let block = smoother.cut(at, self.next);
            for chunk in stripe::seal(&Quick(CHANNEL), &block, tier, self.layout.number, self.epoch) {
                self.chunks.insert((chunk.header.stripe, self.next), chunk);
            }
        }
        self.next += 1;
    }
}

/// The stage.
struct Stage {
    now: Instant,
    viewer: Viewer,
    station: Station,
    parents: BTreeMap<PeerId, Parent>,
    /// Links that are up, and whose they are.
    links: BTreeMap<LinkId, PeerId>,
    /// Dials that wait for the stage to answer.
    dials: Vec<(LinkId, PeerId, Vec<SocketAddr>)>,
    /// Whether dials to parents are answered at once.
    answers: bool,
    accepted: u64,
    serial: u32,
    next_cut: Instant,
    told: Vec<(PeerId, Message)>,
    fed: Vec<(PeerId, Bytes)>,
    events: Vec<Event>,
    closed: Vec<(PeerId, CloseCode)>,
    packets: Vec<Packet>,
    gaps: usize,
    ended: Option<Ended>,
    /// Dials of whoever answers.
    any_dials: Vec<LinkId>,
    /// What the provider was asked for.
    orders: Vec<CloudOrder>,
    inbox: VecDeque<Input>,
}

fn config() -> ViewerConfig {
    ViewerConfig {
        id: ME,
        verify: Arc::new(Quick(CHANNEL)),
        channel: key_of(CHANNEL),
        addresses: vec![address(200)],
        secret: None,
        now: Instant::ZERO,
        uplink: Some(Bitrate::from_kbps(4000)),
        buffer: Duration::from_secs(2),
        candidates: vec![address(50)],
        relay_only: false,
        sponsor: Some(Arc::new(Quick(ME))),
        relays_run_on: false,
        part: Part::Watch,
        seed: 1,
    }
}

impl Stage {
    fn new() -> Self {
        Self::with(config())
    }

    fn with(config: ViewerConfig) -> Self {
        Self {
            now: Instant::ZERO,
            viewer: Viewer::new(config),
            station: Station::new(7),
            parents: BTreeMap::new(),
            links: BTreeMap::new(),
            dials: vec![],
            answers: true,
            accepted: 0,
            serial: 0,
            next_cut: Instant::ZERO,
            told: vec![],
            fed: vec![],
            events: vec![],
            closed: vec![],
            packets: vec![],
            gaps: 0,
            ended: None,
            any_dials: vec![],
            orders: vec![],
            inbox: VecDeque::new(),
        }
    }

    /// A stage on which the viewer plays tier 1, stripe `i` from parent `1 + i`, with `spare` as spare.
    fn playing(spare: Option<u8>) -> Self {
        let mut stage = Self::new();
        stage.run(3000);
        stage.join();
        let grants = (0..3)
            .map(|i| (stripe_of(1, i), 100, 1 + i, spare))
            .collect::<Vec<_>>();
        stage.assign(1, &grants);
        stage.run(3000);
        assert!(
            stage.count(|event| matches!(event, Event::Playing { .. })) == 1,
            "it plays"
        );
        stage
    }

    fn at(&self) -> ChannelTime {
        ChannelTime::from_micros(CLOCK + self.now.as_micros())
    }

    /// Hands the viewer an input, carries out what it says, checks it, and hands it the answers.
    fn input(&mut self, input: Input) {
        self.inbox.push_back(input);
        if self.inbox.len() > 1 {
            // An answer to what is being carried out.
            return;
        }
        while let Some(input) = self.inbox.front().cloned() {
            let mut out = Outbox::new();
            self.viewer.handle(self.now, input, &mut out);
            self.viewer.check_invariants();
            let outputs: Vec<Output> = out.drain().collect();
            outputs.into_iter().for_each(|output| self.carry_out(output));
            self.inbox.pop_front();
        }
    }

    fn carry_out(&mut self, output: Output) {
        assert!(self.ended.is_none(), "nothing comes after the end: {output:?}");
        match output {
            Output::Dial {
                link,
                peer,
                addresses,
            } => self.dials.push((link, peer, addresses)),
            Output::Send { link, lane, frame } => self.on_sent(link, lane, frame),
            Output::Close { link, code } => {
                self.dials.retain(|(dial, ..)| *dial != link);
                if let Some(peer) = self.links.remove(&link) {
                    self.closed.push((peer, code));
                }
            }
            Output::Play(Play::Packet(packet)) => self.packets.push(packet),
            Output::Play(Play::Gap) => self.gaps += 1,
            Output::Play(Play::Tracks { .. }) | Output::Reset { .. } | Output::Window { .. } => {}
            Output::Event(event) => self.events.push(event),
            Output::Ended(how) => self.ended = Some(how),
            Output::Probe { .. } => panic!("viewers do not probe"),
            Output::DialAny { link, .. } => self.any_dials.push(link),
            Output::Cloud(order) => self.orders.push(order),
        }
    }

    fn on_sent(&mut self, link: LinkId, lane: Lane, frame: Bytes) {
        let Some(peer) = self.links.get(&link).copied() else {
            return;
        };
        match lane {
            Lane::Control => {
                let message = Message::parse(&frame).unwrap();
                self.answer(link, peer, &message);
                self.told.push((peer, message));
            }
            Lane::Data(_) => self.fed.push((peer, frame)),
        }
    }

    /// What scripted peers answer, by themselves.
    fn answer(&mut self, link: LinkId, peer: PeerId, message: &Message) {
        let at = self.at();
        let parent = self.parents.entry(peer).or_default();
        if parent.mood == Mood::Silent {
            return;
        }
        let (rank, mut replies) = (Rank(parent.rank), vec![]);
        match message {
            Message::Echo { sent_us } => replies.push(
                Message::Echoed {
                    sent_us: *sent_us,
                    at,
                }
                .frame(),
            ),
            Message::Attach(attach) => {
                for (stripe, from) in &attach.stripes {
                    parent.seats.insert(*stripe, *from);
                    replies.push(
                        Message::Attached {
                            stripe: *stripe,
                            rank,
                        }
                        .frame(),
                    );
                }
            }
            Message::Detach { stripe, .. } => {
                parent.seats.remove(stripe);
            }
            Message::Pull(pull) if parent.mood != Mood::Stingy => {
                let chunks = pull.blocks.iter();
                let chunks = chunks.filter_map(|block| self.station.chunks.get(&(pull.stripe, *block)));
                let frames: Vec<Bytes> = chunks.map(|chunk| chunk.frame().clone()).collect();
                for frame in frames {
                    self.pending(link, Lane::Data(pull.stripe.tier), frame);
                }
            }
            _ => {}
        }
        for reply in replies {
            self.pending(link, Lane::Control, reply);
        }
    }

    /// Delivers a frame to the viewer, as if it came now.
    fn pending(&mut self, link: LinkId, lane: Lane, frame: Bytes) {
        self.input(Input::Frame { link, lane, frame });
    }

    /// Ten milliseconds at a time: blocks are cut, parents send, dials are answered, wakes come.
    fn run(&mut self, millis: u64) {
        for _ in 0..millis / 10 {
            self.step();
        }
    }

    fn step(&mut self) {
        self.now += Duration::from_millis(10);
        if self.now >= self.next_cut {
            self.next_cut = self.now + TICK;
            let at = self.at();
            self.station.cut(at);
        }
        self.answer_dials();
        self.feed();
        if self.ended.is_none() && self.viewer.wake_at().is_some_and(|wake| wake <= self.now) {
            self.input(Input::Wake);
        }
    }

    fn answer_dials(&mut self) {
        if !self.answers {
            return;
        }
        let (coordinator, others): (Vec<_>, Vec<_>) = core::mem::take(&mut self.dials)
            .into_iter()
            .partition(|(_, peer, _)| *peer == CHANNEL);
        self.dials = coordinator;
        for (link, peer, addresses) in others {
            self.links.insert(link, peer);
            let (address, side) = (addresses[0], Side::Dialler);
            self.input(Input::Linked {
                link,
                peer,
                address,
                side,
                binding: Binding([0; 32]),
            });
        }
    }

    fn feed(&mut self) {
        let links: Vec<(LinkId, PeerId)> = self.links.iter().map(|(link, peer)| (*link, *peer)).collect();
        for (link, peer) in links {
            let Some(parent) = self.parents.get_mut(&peer) else {
                continue;
            };
            if parent.held > 0 {
                parent.held -= 1;
                continue;
            }
            let (mood, seats) = (parent.mood, parent.seats.clone());
            for (stripe, next) in seats {
                self.feed_stripe(link, peer, stripe, next, mood);
            }
        }
    }

    fn feed_stripe(&mut self, link: LinkId, from: PeerId, stripe: StripeId, next: u64, mood: Mood) {
        let lane = Lane::Data(stripe.tier);
        let mood = match mood {
            Mood::Withholding if stripe.index == 0 => Mood::Late,
            mood => mood,
        };
        if mood == Mood::Late && self.now.as_micros().is_multiple_of(100_000) {
            self.pending(link, lane, chunk::late_frame(stripe, next));
        }
        if matches!(mood, Mood::Late | Mood::Silent) {
            return;
        }
        for block in next..self.station.next {
            let Some(chunk) = self.station.chunks.get(&(stripe, block)) else {
                continue;
            };
            let mut frame = chunk.frame().clone();
            if mood == Mood::Forging {
                let mut bent = frame.to_vec();
                let last = bent.len() - 70;
                bent[last] ^= 1;
                frame = bent.into();
            }
            if mood != Mood::Skipping || block % 10 != 5 {
                self.pending(link, lane, frame);
            }
            let seats = &mut self.parents.entry(from).or_default().seats;
            match seats.get_mut(&stripe) {
                Some(next) => *next = block + 1,
                None => return,
            }
        }
    }

    /// Answers the dial to the coordinator.
    fn link_coordinator(&mut self) -> LinkId {
        let at = self.dials.iter().position(|(_, peer, _)| *peer == CHANNEL);
        let (link, peer, addresses) = self.dials.remove(at.expect("the coordinator is dialled"));
        self.links.insert(link, peer);
        self.input(Input::Linked {
            link,
            peer,
            address: addresses[0],
            side: Side::Dialler,
            binding: Binding([0; 32]),
        });
        link
    }

    /// Somebody dials the viewer.
    fn accept(&mut self, peer: PeerId) -> LinkId {
        self.accepted += 1;
        let link = LinkId(self.accepted * 2 - 1);
        self.links.insert(link, peer);
        self.input(Input::Linked {
            link,
            peer,
            address: address(99),
            side: Side::Acceptor,
            binding: Binding([0; 32]),
        });
        link
    }

    fn link_of(&self, peer: PeerId) -> LinkId {
        let mut links = self.links.iter();
        *links
            .find(|(_, other)| **other == peer)
            .expect("a link to it is up")
            .0
    }

    fn say(&mut self, peer: PeerId, message: &Message) {
        let link = self.link_of(peer);
        self.pending(link, Lane::Control, message.frame());
    }

    fn unlink(&mut self, peer: PeerId, why: LinkEnd) {
        let link = self.link_of(peer);
        self.links.remove(&link);
        self.input(Input::Unlinked { link, why });
    }

    fn join(&mut self) {
        self.link_coordinator();
        self.welcome();
    }

    fn welcome(&mut self) {
        let welcome = Welcome {
            epoch: self.station.epoch,
            layout: self.station.layout.seal(&Quick(CHANNEL)),
            live_block: self.station.next.saturating_sub(1),
            now: self.at(),
            observed: address(50),
        };
        self.say(CHANNEL, &Message::Welcome(welcome));
    }

    /// Grants are (stripe, rank, parent, spare).
    fn ticket(&mut self, child: PeerId, grants: &[(StripeId, u64, u8, Option<u8>)]) -> Ticket {
        self.serial += 1;
        let grant = |&(stripe, rank, parent, spare): &(StripeId, u64, u8, Option<u8>)| Grant {
            stripe,
            rank: Rank(rank),
            parent: peer(parent).tag(),
            spare: spare.map(|spare| peer(spare).tag()),
            replaces: None,
        };
        Ticket {
            epoch: self.station.epoch,
            serial: self.serial,
            child,
            class: Class::Leaf,
            expires: self.at() + Duration::from_secs(600),
            grants: grants.iter().map(grant).collect(),
        }
    }

    fn assign(&mut self, tier: u8, grants: &[(StripeId, u64, u8, Option<u8>)]) {
        let named = grants.iter().flat_map(|grant| [Some(grant.2), grant.3]).flatten();
        let mut named: Vec<u8> = named.collect();
        named.sort_unstable();
        named.dedup();
        let introduce = |n: &u8| Introduction {
            peer: peer(*n),
            addresses: vec![address(*n)],
        };
        let peers = named.iter().filter(|n| **n != 200).map(introduce).collect();
        self.assign_with(tier, grants, peers);
    }

    fn assign_with(
        &mut self,
        tier: u8,
        grants: &[(StripeId, u64, u8, Option<u8>)],
        peers: Vec<Introduction>,
    ) {
        let ticket = self.ticket(ME, grants).seal(&Quick(CHANNEL));
        let behind = self.station.next.saturating_sub(20);
        let assign = Assign {
            tier: TierId(tier),
            why: if tier == 1 {
                TierReason::Full
            } else {
                TierReason::Capacity
            },
            from_block: behind - behind % KEYFRAMES,
            ticket,
            peers,
        };
        self.say(CHANNEL, &Message::Assign(assign));
    }

    /// The blocks of a stripe that the viewer pulled, from whomever.
    fn pulled(&self, stripe: StripeId) -> Vec<u64> {
        let pulls = self.told.iter().filter_map(|(_, message)| match message {
            Message::Pull(pull) if pull.stripe == stripe => Some(pull.blocks.clone()),
            _ => None,
        });
        pulls.flatten().collect()
    }

    fn mood(&mut self, n: u8, mood: Mood) {
        self.parents.entry(peer(n)).or_default().mood = mood;
    }

    fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    fn count(&self, what: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| what(event)).count()
    }

    fn repaired(&self) -> Vec<u64> {
        let gap = |event: &Event| match event {
            Event::Repaired { gap_ms, .. } => Some(*gap_ms),
            _ => None,
        };
        self.events.iter().filter_map(gap).collect()
    }

    fn moves(&self) -> Vec<&Moved> {
        let moved = |(_, message): &'_ &(PeerId, Message)| matches!(message, Message::Moved(_));
        let all = self.told.iter().filter(moved);
        all.filter_map(|(_, message)| match message {
            Message::Moved(moved) => Some(moved),
            _ => None,
        })
        .collect()
    }

    fn told_to(&self, peer: PeerId) -> impl Iterator<Item = &Message> {
        self.told
            .iter()
            .filter(move |(to, _)| *to == peer)
            .map(|(_, message)| message)
    }

    fn hello(&self) -> &Hello {
        let mut told = self.told.iter().rev();
        let hello = told.find_map(|(_, message)| match message {
            Message::Hello(hello) => Some(hello),
            _ => None,
        });
        hello.expect("it said hello")
    }

    fn seats(&self, n: u8) -> usize {
        self.parents.get(&peer(n)).map_or(0, |parent| parent.seats.len())
    }

    /// Every frame was handed over, in order, and nothing stalled.
    fn assert_seamless(&self) {
        assert_eq!(self.count(|event| matches!(event, Event::Stall)), 0, "no stall");
        assert_eq!(self.gaps, 0, "no gap");
        let steps = self.packets.windows(2).map(|pair| pair[1].dts - pair[0].dts);
        assert!(steps.into_iter().all(|step| step == 9000), "no frame is missing");
        assert!(self.packets.len() > 10, "it plays");
    }
}
