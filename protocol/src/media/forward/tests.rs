//! The engine, driven by hand: a channel of one thin tier and one of five stripes with parity.

mod flow;
mod hostile;
mod marks;
mod overload;
mod seats;
mod tickets;

use super::{Config, Forwarder};
use crate::id::{Context, PeerId, PublicKey, Sign, Signature, Verify};
use crate::io::{Lane, LinkId, Outbox, Output};
use crate::media::{StripeId, TierId, schedule::wire};
use crate::time::{ChannelTime, Duration, Instant};
use crate::units::Bitrate;
use crate::wire::chunk::{Chunk, Data, Flags, Header};
use crate::wire::close::CloseCode;
use crate::wire::control::{Attach, DetachReason, Message, Pull};
use crate::wire::layout::{Layout, Tier};
use crate::wire::ticket::{Class, Grant, Rank, Ticket};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;

const CHANNEL: PublicKey = PublicKey([1; 32]);
const ME: PeerId = PeerId([2; 16]);
const EPOCH: u64 = 7;
/// Channel time at the driver's origin.
const DAWN: u64 = 1_000_000_000;

/// A cheap stand-in for a key pair: who it is, in which context, and a sum of the message.
struct Seal(PublicKey);

fn stand_in(signer: &PublicKey, context: Context, message: &[u8]) -> Signature {
    let sum = message.iter().fold(7u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
    });
    let mut signature = [context.as_bytes()[7]; 64];
    signature[..32].copy_from_slice(&signer.0);
    signature[32..40].copy_from_slice(&sum.to_le_bytes());
    Signature(signature)
}

impl Sign for Seal {
    fn public(&self) -> PublicKey {
        self.0
    }
    fn sign(&self, context: Context, message: &[u8]) -> Signature {
        stand_in(&self.0, context, message)
    }
}

struct Check;

impl Verify for Check {
    fn verify(&self, signer: &PublicKey, context: Context, message: &[u8], signature: &Signature) -> bool {
        stand_in(signer, context, message) == *signature
    }
}

/// Stripe `index` of the upper tier, whose parity stripe is the fifth.
fn stripe(index: u8) -> StripeId {
    let tier = TierId(1);
    StripeId { tier, index }
}

fn slot() -> Bitrate {
    wire::slot(Bitrate::from_kbps(4000), 5)
}

fn child_id(n: u8) -> PeerId {
    PeerId([100 + n; 16])
}

fn link_of(n: u8) -> LinkId {
    LinkId(u64::from(n))
}

fn at_ms(ms: u64) -> Instant {
    Instant::from_micros(ms * 1000)
}

fn grant(index: u8) -> Grant {
    Grant {
        stripe: stripe(index),
        rank: Rank(50),
        parent: ME.tag(),
        spare: None,
        replaces: None,
    }
}

/// A ticket for child `n` on the given stripes, good for ten minutes of channel time.
fn ticket(n: u8, stripes: &[u8]) -> Ticket {
    Ticket {
        epoch: EPOCH,
        serial: 1,
        child: child_id(n),
        class: Class::Leaf,
        expires: ChannelTime::from_micros(DAWN + 600_000_000),
        grants: stripes.iter().map(|index| grant(*index)).collect(),
    }
}

fn layout(epoch: u64, number: u32) -> Layout {
    let tier = |id, stripes, kbps, parity| Tier {
        id: TierId(id),
        stripes,
        parity,
        rate: Bitrate::from_kbps(kbps),
        slot: wire::slot(Bitrate::from_kbps(kbps), stripes),
        tracks: Vec::new(),
    };
    Layout {
        epoch,
        number,
        from_block: 0,
        title: String::new(),
        tiers: vec![tier(0, 1, 500, false), tier(1, 5, 4000, true)],
    }
}

/// The chunk of a block: 10,000 bytes of payload, captured a tick after the one before.
fn chunk(stripe: StripeId, block: u64) -> Chunk {
    chunk_with(stripe, block, |_| {})
}

fn chunk_with(stripe: StripeId, block: u64, change: impl FnOnce(&mut Header)) -> Chunk {
    let mut header = Header {
        flags: Flags::default(),
        stripe,
        shards: if stripe.tier.0 == 0 { 1 } else { 5 },
        layout: 1,
        epoch: EPOCH,
        block,
        captured: ChannelTime::from_micros(DAWN + block * 100_000),
        block_len: 50_000,
    };
    change(&mut header);
    Chunk::seal(&Seal(CHANNEL), header, &[0; 10_000])
}

/// What an engine put out, taken apart.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Chunk(StripeId, u64),
    Late(StripeId, u64),
    Layout(u32),
    Message(Message),
    Reset(TierId),
    Window(u64),
    Closed(CloseCode),
}

/// An engine with its outbox.
struct Rig {
    engine: Forwarder,
    now: Instant,
    said: BTreeMap<LinkId, Vec<Said>>,
    /// Bytes on data lanes that have not drained yet.
    waiting: BTreeMap<LinkId, u64>,
}

impl Rig {
    /// A viewer's engine with rank 10 on every stripe, in the middle of an epoch.
    fn new(uplink: Option<Bitrate>) -> Self {
        let mut rig = Self::bare(uplink);
        rig.engine.epoch(rig.now, EPOCH);
        rig.layout(EPOCH, 1);
        for index in 0..=5 {
            rig.with(|engine, _, out| engine.set_rank(stripe(index), Some(Rank(10)), out));
        }
        rig
    }

    /// One that knows nothing yet.
    fn bare(uplink: Option<Bitrate>) -> Self {
        let config = Config {
            me: ME,
            channel: CHANNEL,
            verify: Arc::new(Check),
            uplink,
            is_source: false,
        };
        Self {
            engine: Forwarder::new(config),
            now: at_ms(0),
            said: BTreeMap::new(),
            waiting: BTreeMap::new(),
        }
    }

    fn layout(&mut self, epoch: u64, number: u32) {
        let layout = layout(epoch, number);
        let sealed = layout.seal(&Seal(CHANNEL));
        self.with(|engine, _, _| engine.layout(sealed, Arc::new(layout)));
    }

    fn at(&self) -> ChannelTime {
        ChannelTime::from_micros(DAWN + self.now.as_micros())
    }

    /// Does something, polls, and takes down what comes of it.
    fn with<T>(&mut self, act: impl FnOnce(&mut Forwarder, Instant, &mut Outbox) -> T) -> T {
        let mut out = Outbox::new();
        let result = act(&mut self.engine, self.now, &mut out);
        self.engine.poll(self.now, self.at(), &mut out);
        self.engine.check_invariants();
        let mut given_up = Vec::new();
        for output in out.drain() {
            let bytes = data_bytes(&output);
            let (link, said) = take_apart(output);
            *self.waiting.entry(link).or_default() += bytes;
            if matches!(said, Said::Reset(_)) {
                given_up.push((link, self.waiting[&link]));
            }
            self.said.entry(link).or_default().push(said);
        }
        given_up
            .into_iter()
            .for_each(|(link, bytes)| self.drain_link(link, bytes));
        result
    }

    /// Lets time pass up to `ms` after the origin, waking the engine whenever it wants.
    fn until(&mut self, ms: u64) {
        let end = at_ms(ms);
        while let Some(wake) = self.engine.wake_at().filter(|wake| *wake <= end) {
            assert!(wake > self.now || self.engine.wake_at() <= Some(self.now));
            self.now = self.now.max(wake);
            self.with(|_, _, _| ());
            assert!(
                self.engine.wake_at().is_none_or(|next| next > self.now),
                "it does not wake for nothing"
            );
        }
        self.now = end;
        self.with(|_, _, _| ());
    }

    fn link(&mut self, n: u8) {
        self.with(|engine, _, _| engine.linked(link_of(n), child_id(n)));
    }

    /// Links child `n` up if it is not, and has it ask by this ticket.
    fn attach(&mut self, ticket: &Ticket, stripes: &[(u8, u64)]) -> Result<(), CloseCode> {
        let n = ticket.child.0[0] - 100;
        self.link(n);
        let attach = Attach {
            ticket: Some(ticket.seal(&Seal(CHANNEL))),
            stripes: stripes
                .iter()
                .map(|(index, from)| (stripe(*index), *from))
                .collect(),
        };
        self.ask(n, attach)
    }

    fn ask(&mut self, n: u8, attach: Attach) -> Result<(), CloseCode> {
        let at = self.at();
        self.with(|engine, now, out| engine.attach(now, at, link_of(n), attach, out))
    }

    fn pull(&mut self, n: u8, index: u8, blocks: impl IntoIterator<Item = u64>) -> Result<(), CloseCode> {
        let at = self.at();
        let pull = Pull {
            stripe: stripe(index),
            blocks: blocks.into_iter().collect(),
        };
        self.with(|engine, now, out| engine.pull(now, at, link_of(n), pull, out))
    }

    fn chunk(&mut self, chunk: &Chunk) -> bool {
        self.with(|engine, now, _| engine.chunk(now, chunk))
    }

    /// The chunks of these blocks of a stripe come, all at once.
    fn blocks(&mut self, index: u8, blocks: core::ops::Range<u64>) {
        for block in blocks {
            self.chunk(&chunk(stripe(index), block));
        }
    }

    fn drain(&mut self, n: u8, bytes: u64) {
        self.drain_link(link_of(n), bytes);
    }

    fn drain_link(&mut self, link: LinkId, bytes: u64) {
        let waiting = self.waiting.entry(link).or_default();
        *waiting = waiting.saturating_sub(bytes);
        self.with(|engine, now, _| engine.drained(now, link, bytes));
    }

    /// What was said to child `n` since this was last asked.
    fn said(&mut self, n: u8) -> Vec<Said> {
        self.said.remove(&link_of(n)).unwrap_or_default()
    }

    /// The blocks of a stripe among that.
    fn got(&mut self, n: u8, index: u8) -> Vec<u64> {
        let blocks = self.said(n).into_iter().filter_map(|said| match said {
            Said::Chunk(of, block) if of == stripe(index) => Some(block),
            _ => None,
        });
        blocks.collect()
    }

    fn used(&self) -> u64 {
        self.engine.budget_used().slots(slot())
    }
}

fn data_bytes(output: &Output) -> u64 {
    match output {
        Output::Send {
            lane: Lane::Data(_),
            frame,
            ..
        } => frame.len() as u64,
        _ => 0,
    }
}

fn take_apart(output: Output) -> (LinkId, Said) {
    match output {
        Output::Send { link, lane, frame } => (link, read(lane, frame)),
        Output::Reset {
            link,
            lane: Lane::Data(tier),
        } => (link, Said::Reset(tier)),
        Output::Window { link, bytes } => (link, Said::Window(bytes)),
        Output::Close { link, code } => (link, Said::Closed(code)),
        other => panic!("an engine does not put out {other:?}"),
    }
}

fn read(lane: Lane, frame: Bytes) -> Said {
    let Lane::Data(tier) = lane else {
        return Said::Message(Message::parse(&frame).unwrap());
    };
    let said = match Data::parse(frame).unwrap() {
        Data::Chunk(chunk) => Said::Chunk(chunk.header.stripe, chunk.header.block),
        Data::Late { stripe, block } => Said::Late(stripe, block),
        Data::Layout(sealed) => Said::Layout(Layout::open(&sealed, &CHANNEL, &Check).unwrap().number),
    };
    if let Said::Chunk(stripe, _) | Said::Late(stripe, _) = &said {
        assert_eq!(stripe.tier, tier, "on the lane of its tier");
    }
    said
}

fn attached(index: u8) -> Said {
    Said::Message(Message::Attached {
        stripe: stripe(index),
        rank: Rank(10),
    })
}

fn detached(index: u8, why: DetachReason) -> Said {
    Said::Message(Message::Detached {
        stripe: stripe(index),
        why,
    })
}
