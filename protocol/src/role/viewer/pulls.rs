//! Single chunks by number: those that an ordered lane has passed over, and those that are soon due.

use super::Viewer;
use crate::io::{LinkId, Outbox};
use crate::media::StripeId;
use crate::time::{ChannelTime, Duration, Instant};
use crate::wire::control::{Message, Pull};
use alloc::vec::Vec;

/// How near playout must be before a chunk that the parent may still send is asked for elsewhere: two tries at a
/// far-away peer, and a little.
const NEAR: Duration = Duration::from_millis(700);

/// A sender from whom a chunk came that lately sends in order, however late: asking others would cost uplink that is
/// better spent on catching up.
const FLOWS: Duration = Duration::from_millis(300);

/// How long an answer is waited for before the next peer is asked.
const AGAIN: Duration = Duration::from_millis(300);

/// Who was just asked for the stripe has so long to begin: a joiner's first blocks are all due.
const ANSWERS: Duration = Duration::from_millis(500);

/// What is overdue for so long is not asked for any more: playing goes on behind it before an answer comes.
const OVERDUE_MAX: Duration = Duration::from_secs(2);

/// Chunks that may be asked for in a second in the long run, and at once: what one failed stripe needs twice over, and
/// the second that all stripes of a failed parent lack. More would take from others what they have not lost yet.
const PER_SECOND: u64 = 20;
const SAVED_MAX: u64 = 60;

/// How often is looked.
const EVERY: Duration = Duration::from_millis(100);

/// Chunks that are asked for at once, over all stripes and of one.
const OUTSTANDING_MAX: usize = 64;
const STRIPE_MAX: usize = 16;

/// A chunk that was asked for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    stripe: StripeId,
    block: u64,
    at: Instant,
    tries: u32,
}

/// What is asked for by number.
#[derive(Debug)]
pub(super) struct Pulls {
    asked: Vec<Asked>,
    check: Instant,
    /// What may be asked for, in chunks, and since when it was not reckoned up.
    budget: u64,
    reckoned: Instant,
}

impl Pulls {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            asked: Vec::new(),
            check: now,
            budget: SAVED_MAX,
            reckoned: now,
        }
    }

    fn reckon(&mut self, now: Instant) {
        let each = Duration::from_secs(1) / PER_SECOND as u32;
        let more = (now.since(self.reckoned).as_micros() / each.as_micros()) as u64;
        self.reckoned += each * more as u32;
        self.budget = (self.budget + more).min(SAVED_MAX);
    }

    /// Something was passed over: look at once.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.check = self.check.min(now);
    }

    /// It has come, from whomever.
    pub(super) fn arrived(&mut self, stripe: StripeId, block: u64) {
        if !self.asked.is_empty() {
            self.asked
                .retain(|asked| asked.stripe != stripe || asked.block != block);
        }
    }

    /// None of it is wanted any more.
    pub(super) fn clear(&mut self) {
        self.asked.clear();
    }

    /// Notes that a block is asked for; says the how-manieth time it is, or `None` if it is too early or too much.
    fn note(&mut self, now: Instant, stripe: StripeId, block: u64) -> Option<u32> {
        if self.budget == 0 {
            return None;
        }
        let mut known = self.asked.iter_mut();
        if let Some(asked) = known.find(|asked| asked.stripe == stripe && asked.block == block) {
            if now < asked.at + AGAIN {
                return None;
            }
            asked.at = now;
            asked.tries += 1;
            self.budget -= 1;
            return Some(asked.tries);
        }
        if self.asked.len() >= OUTSTANDING_MAX {
            return None;
        }
        self.budget -= 1;
        let (at, tries) = (now, 0);
        self.asked.push(Asked {
            stripe,
            block,
            at,
            tries,
        });
        Some(tries)
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.asked.len() <= OUTSTANDING_MAX, "pulls are bounded");
    }
}

impl Viewer {
    pub(super) fn pulls_due(&self) -> Option<Instant> {
        // Chunks that come have it looked at; this is for when none do.
        (self.feeds.len() > 0).then_some(self.pulls.check + EVERY)
    }

    pub(super) fn run_pulls(&mut self, now: Instant, out: &mut Outbox) {
        if now < self.pulls.check {
            return;
        }
        self.pulls.check = now + EVERY;
        self.pulls.reckon(now);
        self.pulls.asked.retain(|asked| now < asked.at + AGAIN * 3);
        for at in 0..self.feeds.len() {
            let wanted = self.to_pull(now, at);
            if !wanted.is_empty() {
                self.pull(now, at, &wanted, out);
            }
        }
    }

    /// The blocks that a feed should pull, oldest first.
    fn to_pull(&self, now: Instant, at: usize) -> Vec<u64> {
        let feed = &self.feeds[at];
        let flows = feed.flowed.is_some_and(|flowed| now < flowed + FLOWS);
        let asked = feed.next.as_ref().is_some_and(|next| now < next.since + ANSWERS);
        let near = if flows || asked {
            ChannelTime::default()
        } else {
            self.at(now) + NEAR
        };
        // In a repair all that is missing has been asked of the new parent: only what is soon due does not wait for it.
        let sender = feed.next.as_ref().or(feed.main.as_ref());
        let passed = sender.and_then(|sender| sender.newest.map(|newest| newest.max(sender.from)));
        let is_past = |block: u64| passed.is_some_and(|passed| block < passed);
        let is_before = |block: u64| sender.is_some_and(|sender| block < sender.from);
        let overdue = self.at(now).before(OVERDUE_MAX);
        self.screen
            .missing(feed.stripe)
            .filter(|missing| missing.due > overdue)
            .filter(|missing| missing.due <= near || is_past(missing.block) || is_before(missing.block))
            .take(STRIPE_MAX)
            .map(|missing| missing.block)
            .collect()
    }

    fn pull(&mut self, now: Instant, at: usize, wanted: &[u64], out: &mut Outbox) {
        let stripe = self.feeds[at].stripe;
        let holders = self.holders(at);
        if holders.is_empty() {
            return;
        }
        let mut by_holder: Vec<(LinkId, u64)> = Vec::new();
        for &block in wanted {
            if let Some(tries) = self.pulls.note(now, stripe, block) {
                by_holder.push((holders[tries as usize % holders.len()], block));
            }
        }
        by_holder.sort_unstable();
        for group in by_holder.chunk_by(|one, other| one.0 == other.0) {
            let (id, blocks) = (group[0].0, group.iter().map(|(_, block)| *block).collect());
            self.show_ticket_to(id, out);
            if let Some(link) = self.links.get_mut(id) {
                link.ask(stripe);
            }
            out.tell(id, &Message::Pull(Pull { stripe, blocks }));
        }
    }

    /// Who is likely to have what the parent of a feed lacks, likeliest first: the spare, whoever takes over, the parents
    /// of the tier's other stripes. The broadcaster only if it may be asked for this stripe anyway.
    fn holders(&self, at: usize) -> Vec<LinkId> {
        let feed = &self.feeds[at];
        let spare = feed.grant.as_ref().ok().and_then(|grant| grant.spare);
        let spare = spare
            .and_then(|tag| self.book.peer(&tag))
            .and_then(|peer| self.links.to(&peer));
        let next = feed.next.as_ref().and_then(|next| next.link);
        let siblings = self
            .feeds
            .iter()
            .filter(|other| other.stripe.tier == feed.stripe.tier);
        let siblings = siblings.filter_map(|other| other.healthy());
        let channel = self.config.channel;
        let siblings = siblings
            .filter(|source| source.peer != channel || feed.names(&channel.tag()))
            .filter_map(|source| source.link);
        let main = feed.main.as_ref().and_then(|main| main.link);
        let mut holders: Vec<LinkId> = Vec::new();
        for link in spare.map(|link| link.id).into_iter().chain(next).chain(siblings) {
            if Some(link) != main && !holders.contains(&link) {
                holders.push(link);
            }
        }
        // Its lane has passed the chunk by, and yet it may have it: the link was slow, and it skipped to the live edge.
        holders.extend(main.filter(|_| holders.is_empty()));
        holders
    }
}
