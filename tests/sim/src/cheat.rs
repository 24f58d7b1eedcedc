//! Members that do what they must not, on purpose: the real machine, and somebody between it and the network who alters what it
//! hears and says. The end-to-end tests run them as processes.

use crate::scenario::Conduct;
use crate::world::Role;
use banyan_protocol::id::PeerId;
use banyan_protocol::io::{Input, Lane, LinkId, Machine, Outbox, Output};
use banyan_protocol::media::StripeId;
use banyan_protocol::time::Instant;
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::chunk::{self, Data};
use banyan_protocol::wire::control::{Accusation, Attach, DetachReason, Message, Report};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// One chunk in so many is altered.
const ALTERED_EVERY: u64 = 20;

/// Somebody is accused once in so many microseconds.
const ACCUSES_EVERY_US: u64 = 2_000_000;

/// What a feigned overload leaves, in bits a second.
const FEIGNED: Bitrate = Bitrate(3_500_000);

/// Since when somebody cheats; nothing while it does not yet.
pub type Since = Arc<OnceLock<Instant>>;

/// A member that cheats from some time on.
pub struct Cheat {
    inner: Box<dyn Role>,
    conduct: Conduct,
    since: Since,
    /// Whom it treats well.
    sponsor: PeerId,
    began: bool,
    chunks: u64,
    accuses_at: Instant,
    /// Its links.
    peers: BTreeMap<LinkId, PeerId>,
    /// The stripe that it keeps back.
    withholds: Option<StripeId>,
    /// Bytes that it has kept back.
    kept_back: BTreeMap<LinkId, u64>,
    out: Outbox,
}

impl Cheat {
    /// `inner`, which goes wrong `since` then; it treats `sponsor` well.
    pub fn new(inner: Box<dyn Role>, conduct: Conduct, since: Since, sponsor: PeerId) -> Self {
        Self {
            inner,
            conduct,
            since,
            sponsor,
            began: false,
            chunks: 0,
            accuses_at: Instant::ZERO,
            peers: BTreeMap::new(),
            withholds: None,
            kept_back: BTreeMap::new(),
            out: Outbox::new(),
        }
    }

    /// Whether it turns others away.
    const fn is_choosy(&self) -> bool {
        matches!(self.conduct, Conduct::ServesFriends | Conduct::FeignsOverload)
    }

    /// Its sponsor is its friend, and of those whom it feeds one in four, unless it says that it has no room at all.
    fn is_friend(&self, link: LinkId) -> bool {
        let is_one = |peer: &PeerId| {
            *peer == self.sponsor || (self.conduct == Conduct::ServesFriends && peer.0[0].is_multiple_of(4))
        };
        self.peers.get(&link).is_none_or(is_one)
    }

    /// What it hears, as far as it lets that through.
    fn hear(&mut self, cheats: bool, input: Input, out: &mut Outbox) -> Input {
        match &input {
            Input::Linked { link, peer, .. } => {
                self.peers.insert(*link, *peer);
            }
            Input::Unlinked { link, .. } => {
                self.peers.remove(link);
            }
            Input::Frame { link, lane, frame } if *lane == Lane::Control => match Message::parse(frame) {
                Ok(Message::Attach(attach)) if cheats && self.is_choosy() && !self.is_friend(*link) => {
                    turn_away(*link, &attach, out);
                    return Input::Wake;
                }
                _ => {}
            },
            _ => {}
        }
        input
    }

    /// The stripe that most get from it.
    fn busiest(&self) -> Option<StripeId> {
        let mut counts = BTreeMap::<StripeId, usize>::new();
        for (_, stripe) in self.inner.children() {
            *counts.entry(stripe).or_default() += 1;
        }
        counts
            .into_iter()
            .max_by_key(|(_, count)| *count)
            .map(|(stripe, _)| stripe)
    }

    /// Whoever sat there and is no friend goes.
    fn turn_out(&mut self, now: Instant, out: &mut Outbox) {
        for (peer, stripe) in self.inner.children() {
            let link = self.peers.iter().find(|(_, known)| **known == peer);
            let Some(link) = link.map(|(link, _)| *link).filter(|link| !self.is_friend(*link)) else {
                continue;
            };
            let why = DetachReason::Full;
            out.tell(link, &Message::Detached { stripe, why });
            let (lane, frame) = (Lane::Control, Message::Detach { stripe, from: 0 }.frame());
            let gone = Input::Frame { link, lane, frame };
            self.inner.handle(now, gone, &mut self.out);
        }
    }

    /// What it says instead of `output`.
    fn say(&mut self, output: Output) -> Output {
        let Output::Send { link, lane, frame } = output else {
            return output;
        };
        let frame = match (self.conduct, lane) {
            (Conduct::Alters, Lane::Data(_)) => self.altered(frame),
            (Conduct::Withholds, Lane::Data(_)) => self.withheld(link, frame),
            (Conduct::FeignsOverload, Lane::Control) => overloaded(frame),
            _ => frame,
        };
        Output::Send { link, lane, frame }
    }

    fn altered(&mut self, frame: Bytes) -> Bytes {
        self.chunks += 1;
        if !matches!(Data::parse(frame.clone()), Ok(Data::Chunk(_)))
            || !self.chunks.is_multiple_of(ALTERED_EVERY)
        {
            return frame;
        }
        let mut altered = frame.to_vec();
        let last = altered.len() - 1;
        altered[last] ^= 1;
        altered.into()
    }

    /// Of one stripe nothing ever comes, it says.
    fn withheld(&mut self, link: LinkId, frame: Bytes) -> Bytes {
        let Ok(Data::Chunk(chunk)) = Data::parse(frame.clone()) else {
            return frame;
        };
        let header = &chunk.header;
        if Some(header.stripe) != self.withholds {
            return frame;
        }
        let mark = chunk::late_frame(header.stripe, header.block);
        *self.kept_back.entry(link).or_default() += (frame.len() - mark.len().min(frame.len())) as u64;
        mark
    }

    /// A word against everybody that it knows: the coordinator sees who of them is to send it something.
    fn slander(&mut self, now: Instant, out: &mut Outbox) {
        if now < self.accuses_at {
            return;
        }
        self.accuses_at = now + banyan_protocol::time::Duration::from_micros(ACCUSES_EVERY_US);
        let coordinator = self.peers.iter().find(|(_, peer)| **peer == self.sponsor);
        let whats = [Accusation::Silent, Accusation::Forged, Accusation::Late];
        let accused = self.peers.values().copied().filter(|peer| *peer != self.sponsor);
        let accused: BTreeSet<PeerId> = accused.collect();
        let accusations = accused.into_iter().zip(whats.into_iter().cycle()).collect();
        if let Some((link, _)) = coordinator {
            let report = Report {
                children_in_time: true,
                accusations,
                ..Report::default()
            };
            out.tell(*link, &Message::Report(report));
        }
    }

    /// Passes on what the machine says, as it likes.
    fn pass(&mut self, cheats: bool, out: &mut Outbox) {
        let mut said = std::mem::take(&mut self.out);
        for output in said.drain() {
            out.push(if cheats { self.say(output) } else { output });
        }
        self.out = said;
    }
}

fn turn_away(link: LinkId, attach: &Attach, out: &mut Outbox) {
    for (stripe, _) in &attach.stripes {
        let (stripe, why) = (*stripe, DetachReason::Full);
        out.tell(link, &Message::Detached { stripe, why });
    }
}

fn overloaded(frame: Bytes) -> Bytes {
    match Message::parse(&frame) {
        Ok(Message::Report(report)) => Message::Report(Report {
            children_in_time: false,
            carries: Some(FEIGNED),
            ..report
        })
        .frame(),
        _ => frame,
    }
}

impl Machine for Cheat {
    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        let cheats = self.since.get().is_some_and(|since| now >= *since);
        let input = self.hear(cheats, input, out);
        if cheats && !self.began {
            self.began = true;
            self.withholds = self.busiest();
            if self.is_choosy() {
                self.turn_out(now, out);
            }
        }
        self.inner.handle(now, input, &mut self.out);
        self.pass(cheats, out);
        // What was kept back was never the transport's.
        while let Some((link, bytes)) = self.kept_back.pop_first() {
            self.inner
                .handle(now, Input::Drained { link, bytes }, &mut self.out);
            self.pass(cheats, out);
        }
        if cheats && self.conduct == Conduct::Slanders {
            self.slander(now, out);
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        self.inner.wake_at()
    }

    fn check_invariants(&self) {
        self.inner.check_invariants();
    }
}

impl Role for Cheat {
    fn parents(&self) -> Vec<(StripeId, PeerId)> {
        self.inner.parents()
    }

    fn holdings(&self) -> Vec<(StripeId, u64, u64)> {
        self.inner.holdings()
    }

    fn children(&self) -> Vec<(PeerId, StripeId)> {
        self.inner.children()
    }
}
