//! What is done when: at every input what is due by then, and no more than that.

use super::{Phase, SECOND, Viewer};
use crate::event::Event;
use crate::io::{Ended, Input, Lane, Outbox};
use crate::time::{Duration, Instant, earliest};
use crate::wire::close::CloseCode;

/// How late a wake may be before it is us who were not running.
const LATE_WAKE: Duration = Duration::from_millis(20);

/// How long nothing is due but what media brings: what is to be shown, and what is to be passed on. It is most of what happens, and
/// all else need not be looked at then.
#[derive(Debug, Default)]
pub(super) struct Calm {
    /// When something else is due next, as reckoned up last; nothing if that may have changed since, or if we are no member that stays.
    until: Option<Instant>,
}

impl Calm {
    /// Something else has happened: whatever may be due is looked at.
    pub(super) fn end(&mut self) {
        self.until = None;
    }
}

impl Viewer {
    /// Does what is due, whatever came.
    pub(super) fn run_timers(&mut self, now: Instant, out: &mut Outbox) {
        self.run_session(now, out);
        if self.phase == Phase::Over {
            return;
        }
        if self.is_live() {
            self.run_feeds(now, out);
            self.run_dials(now, out);
            self.settle(now, out);
            self.run_pulls(now, out);
        }
        self.run_screen(now, out);
        if now >= self.second {
            self.second = now + SECOND;
            self.run_second(now, out);
        }
        self.run_urgent_reports(now, out);
        self.run_phase(now, out);
        self.run_forwarder(now, out);
    }

    /// The same where nothing is due but what media brings.
    pub(super) fn run_media(&mut self, now: Instant, out: &mut Outbox) {
        self.run_screen(now, out);
        self.run_urgent_reports(now, out);
        self.run_forwarder(now, out);
    }

    fn run_forwarder(&mut self, now: Instant, out: &mut Outbox) {
        if self.phase != Phase::Over && self.epoch > 0 {
            let at = self.at(now);
            self.forwarder.poll(now, at, out);
        }
    }

    fn run_second(&mut self, now: Instant, out: &mut Outbox) {
        self.drop_withdrawn(now, out);
        self.tend_relays(now, out);
        self.tend_links(now, out);
        self.run_reports(now, out);
        if self.phase != Phase::Joining {
            let stats = self.stats(now);
            out.event(Event::Stats(stats));
        }
    }

    fn run_phase(&mut self, now: Instant, out: &mut Outbox) {
        match self.phase {
            Phase::Leaving(until)
                if now >= until || (self.forwarder.child_count() == 0 && self.relays_are_done()) =>
            {
                self.end(Ended::Left, CloseCode::Leaving, out);
            }
            Phase::Ending(until) if now >= until || self.screen.is_empty(self.at(now)) => {
                self.end(Ended::ChannelEnded, CloseCode::Done, out);
            }
            _ => {}
        }
    }

    /// A wake that comes late means that we were not running: no parent is to blame for what we did not hear.
    pub(super) fn forgive_own_absence(&mut self, now: Instant) {
        let gap = self.wake.map_or(Duration::ZERO, |wake| now.since(wake));
        if gap < LATE_WAKE {
            return;
        }
        for feed in self.feeds.iter_mut() {
            feed.watch.forgive(now, gap);
            if let Some(next) = &mut feed.next {
                next.since = (next.since + gap).min(now);
            }
        }
    }

    /// The transport took or sent something, and nothing else is due: most inputs are of that kind, and concern the forwarder
    /// alone.
    pub(super) fn is_mere_progress(&self, now: Instant, input: &Input) -> bool {
        let early = self.wake.is_some_and(|wake| now < wake);
        early && self.epoch > 0 && matches!(input, Input::Drained { .. } | Input::Wire { .. })
    }

    pub(super) fn note_progress(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        self.take(now, input, out);
        let at = self.at(now);
        self.forwarder.poll(now, at, out);
        self.wake = earliest([self.wake, self.forwarder.wake_at()]);
    }

    /// Whether nothing is due but what media brings.
    pub(super) fn is_calm(&self, now: Instant) -> bool {
        let nothing_due = self.calm.until.is_some_and(|until| now < until);
        nothing_due && now < self.pulls.check && !self.feeds.changed && !self.feeds.unsettled
    }

    /// When to be called next, if nothing comes before.
    pub(super) fn next_wake(&mut self, now: Instant) -> Option<Instant> {
        if self.phase == Phase::Over {
            return None;
        }
        let others = self.calm.until.or_else(|| self.others_due());
        self.calm.until = others.filter(|_| self.phase == Phase::Member);
        earliest([
            others,
            self.screen_due(now),
            self.forwarder.wake_at().filter(|_| self.epoch > 0),
        ])
    }

    pub(super) fn assert_calm(&self) {
        let others = self.others_due();
        assert!(
            self.calm
                .until
                .is_none_or(|until| others.is_none_or(|due| until <= due)),
            "calm until {:?}, and something is due at {others:?}",
            self.calm.until
        );
    }

    /// When something is due that is neither for the screen nor for children.
    fn others_due(&self) -> Option<Instant> {
        let live = self.is_live();
        let phase = match self.phase {
            Phase::Leaving(until) | Phase::Ending(until) => Some(until),
            _ => None,
        };
        earliest([
            Some(self.second),
            phase,
            self.session_due(),
            self.feeds_due().filter(|_| live),
            self.dials.due().filter(|_| live),
            self.pulls_due().filter(|_| live),
        ])
    }
}

/// Whether an input is a call at the time that was asked for, or brings media.
pub(super) fn is_of_media(input: &Input) -> bool {
    matches!(
        input,
        Input::Wake
            | Input::Frame {
                lane: Lane::Data(_),
                ..
            }
    )
}
