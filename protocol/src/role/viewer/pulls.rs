//! Single chunks that were asked for by number, of whom, and how many at once somebody may be asked for.

use crate::io::LinkId;
use crate::limits::PULL_PATIENCE;
use crate::media::StripeId;
use crate::time::{Duration, Instant};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Chunks that may be asked for in a second in the long run, and at once: what one failed stripe needs twice over, and all that a
/// joiner lacks of two seconds of sixteen stripes. More would take from others what they have not lost yet.
const PER_SECOND: u64 = 20;
const SAVED_MAX: u64 = 320;

/// Chunks that somebody is asked for at once: few at first, one more for each that comes soon, half as many when one does not. So
/// most is asked of whoever has most to spare, and nobody need say what that is.
const WINDOW_FIRST: u32 = 4;
const WINDOW_MAX: u32 = 32;
const WINDOW_ALONE: u32 = 16;

/// A chunk comes soon if it takes no more than this beyond the quickest on the same link: half of what it may wait for uplink.
const SOON: Duration = Duration::from_millis(150);

/// A chunk that takes so much longer than is usual is asked for elsewhere.
const SLOW: Duration = Duration::from_millis(100);

/// Chunks that are asked for at once, over all.
const ASKED_MAX: usize = 320;

/// A chunk that was asked for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    stripe: StripeId,
    block: u64,
    /// Whom.
    link: LinkId,
    at: Instant,
    /// When it is not expected any more.
    until: Instant,
}

/// What is asked for by number.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Pulls {
    /// When to look next what is missing.
    pub(super) check: Instant,
    asked: Vec<Asked>,
    /// Whether more is missing than could be asked for when it was looked last.
    pub(super) hungry: bool,
    /// Whether nobody is asked again before half of what it was asked for has come: a newcomer lacks so much that a question for each
    /// chunk would take as much of a thin uplink as all else that it says. What a repair lacks is asked for at once.
    pub(super) sparing: bool,
    windows: BTreeMap<LinkId, Window>,
    /// What may be asked for, in chunks, and since when it was not reckoned up.
    budget: u64,
    reckoned: Instant,
    /// How long chunks take to come of late, once any has.
    usual: Option<Duration>,
}

/// How many chunks somebody may be asked for at once, and how many it is.
#[derive(Clone, Copy, Debug)]
struct Window {
    most: u32,
    asked: u32,
    /// The least time in which a chunk came, if any has.
    quickest: Option<Duration>,
    /// When it was last made smaller.
    cut: Instant,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            most: WINDOW_FIRST,
            asked: 0,
            quickest: None,
            cut: Instant::ZERO,
        }
    }
}

impl Window {
    /// One of the chunks that were asked for has come after this time.
    fn came(&mut self, after: Duration) {
        let quickest = self.quickest.map_or(after, |quickest| quickest.min(after));
        self.quickest = Some(quickest);
        if after <= quickest + SOON {
            self.most = (self.most + 1).min(WINDOW_MAX);
        }
    }

    /// One of them has not come. What was asked for together fails together, and counts once.
    fn missed(&mut self, now: Instant, asked: Instant) {
        self.asked -= 1;
        if asked >= self.cut {
            self.most = (self.most / 2).max(1);
            self.cut = now;
        }
    }

    /// How long is waited for what is asked for now: longer where nothing came yet, for the link may have to settle first.
    fn patience(&self) -> Duration {
        PULL_PATIENCE + self.quickest.map_or(PULL_PATIENCE, |quickest| quickest * 3 / 2)
    }
}

impl Pulls {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            asked: Vec::new(),
            windows: BTreeMap::new(),
            check: now,
            hungry: false,
            sparing: true,
            budget: SAVED_MAX,
            reckoned: now,
            usual: None,
        }
    }

    /// Reckons up what may be asked for, and gives up what has not come.
    pub(super) fn reckon(&mut self, now: Instant) {
        let each = Duration::from_secs(1) / PER_SECOND as u32;
        let more = (now.since(self.reckoned).as_micros() / each.as_micros()) as u64;
        self.reckoned += each * more as u32;
        self.budget = (self.budget + more).min(SAVED_MAX);
        let windows = &mut self.windows;
        self.asked.retain(|asked| {
            let waits = now < asked.until;
            if !waits && let Some(window) = windows.get_mut(&asked.link) {
                window.missed(now, asked.at);
            }
            waits
        });
    }

    /// Something may be missing that was not before: look at once.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.check = self.check.min(now);
    }

    /// It has come, from whomever.
    pub(super) fn arrived(&mut self, now: Instant, link: LinkId, stripe: StripeId, block: u64) {
        let is = |asked: &Asked| asked.stripe == stripe && asked.block == block;
        let Some(at) = self.asked.iter().position(is) else {
            return;
        };
        let asked = self.asked.swap_remove(at);
        let Some(window) = self.windows.get_mut(&asked.link) else {
            return;
        };
        window.asked -= 1;
        if asked.link == link {
            let after = now.since(asked.at);
            window.came(after);
            self.usual = Some(self.usual.map_or(after, |usual| (usual * 7 + after) / 8));
        }
        let is_enough = !self.sparing || window.asked <= window.most / 2;
        if self.hungry && is_enough {
            self.hurry(now);
        }
    }

    /// A link is gone, and nothing comes on it any more.
    pub(super) fn lost(&mut self, link: LinkId) {
        self.windows.remove(&link);
        self.asked.retain(|asked| asked.link != link);
    }

    /// None of it is wanted any more.
    pub(super) fn clear(&mut self) {
        self.asked.clear();
        self.windows.clear();
    }

    /// Who was asked for a chunk that has not come yet, if anybody was, and whether it takes unusually long.
    pub(super) fn asked(&self, now: Instant, stripe: StripeId, block: u64) -> Option<(LinkId, bool)> {
        let is = |asked: &&Asked| asked.stripe == stripe && asked.block == block;
        let asked = self.asked.iter().find(is)?;
        let slow = self.usual.map_or(PULL_PATIENCE * 2, |usual| usual + SLOW);
        Some((asked.link, now.since(asked.at) > slow))
    }

    /// Whether more may be asked for at all.
    pub(super) fn may_ask(&self) -> bool {
        self.budget > 0 && self.asked.len() < ASKED_MAX
    }

    /// How many chunks more somebody may be asked for now; more of those if nobody else can be asked.
    pub(super) fn room(&self, link: LinkId, alone: bool) -> u32 {
        let window = self.windows.get(&link).copied().unwrap_or_default();
        let least = if alone { WINDOW_ALONE } else { 0 };
        window.most.max(least).saturating_sub(window.asked)
    }

    /// Notes that a chunk is asked for; whoever was asked before is not waited for any more.
    pub(super) fn note(&mut self, now: Instant, link: LinkId, stripe: StripeId, block: u64) {
        let is = |asked: &Asked| asked.stripe == stripe && asked.block == block;
        if let Some(at) = self.asked.iter().position(is) {
            let former = self.asked.swap_remove(at);
            if let Some(window) = self.windows.get_mut(&former.link) {
                window.missed(now, former.at);
            }
        }
        self.budget -= 1;
        let window = self.windows.entry(link).or_default();
        window.asked += 1;
        let (at, until) = (now, now + window.patience());
        self.asked.push(Asked {
            stripe,
            block,
            link,
            at,
            until,
        });
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.asked.len() <= ASKED_MAX, "pulls are bounded");
        let asked: u32 = self.windows.values().map(|window| window.asked).sum();
        assert_eq!(
            asked as usize,
            self.asked.len(),
            "windows count what is asked for"
        );
    }
}
