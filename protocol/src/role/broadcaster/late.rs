//! Uplinks that do not carry what is granted of them: those of members, by what they report, and our own.

use super::Broadcaster;
use crate::overlay::member::MemberIndex;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use alloc::vec::Vec;

/// An uplink with a cap is late for so long before its grant is cut: what a failure's orphans, or a newcomer, lack when they sit down is
/// sent by then, and nobody else has to move for that. One without is being found out by trying, and there the first sign counts.
const LATE_FOR: Duration = Duration::from_secs(5);

/// The same for our own, longer than a moment's congestion: everybody is below it.
const OWN_LATE_FOR: Duration = Duration::from_secs(2);

/// What was cut shows after so long.
const LATE_AGAIN: Duration = Duration::from_secs(2);

/// One such share of our uplink may go out beside chunks: slots cost a tenth more than chunks take in the mean, and half of that hides it.
const BESIDE_SHARE: u64 = 20;

impl Broadcaster {
    /// Cuts the grants of those whose children have been late, and moves the children it is too many by.
    pub(super) fn judge_late(&mut self, now: Instant) {
        self.judge_own_uplink(now);
        for member in self.overlay.others().collect::<Vec<_>>() {
            let info = self.overlay.member(member);
            let patience = match info.cap {
                Some(_) => LATE_FOR,
                // What was cut before has not gone yet.
                None if !info.lingering.is_empty() => continue,
                None => Duration::ZERO,
            };
            let contact = self
                .contacts
                .get_mut(&member)
                .expect("every member has a contact");
            if contact.late_since.is_none_or(|since| now < since + patience) {
                continue;
            }
            contact.late_since = Some(now + LATE_AGAIN);
            let sending = contact.sending;
            self.cut(now, member, sending);
        }
    }

    /// Our own uplink carries more than chunks: where many come at once, their handshakes and what they are told take a tenth of it and
    /// more, and everybody would be late for it. Nobody counts that where no uplink was named. Call once a second.
    fn judge_own_uplink(&mut self, now: Instant) {
        let Some(uplink) = self.config.uplink else { return };
        let total = self.forwarder.sent_beside();
        let beside = Bitrate::of(total - self.beside, Duration::from_secs(1));
        self.beside = total;
        if self.forwarder.in_time() || beside * BESIDE_SHARE < uplink {
            self.late_since = None;
            return;
        }
        let since = *self.late_since.get_or_insert(now);
        if now.since(since) >= OWN_LATE_FOR {
            self.late_since = Some(now + LATE_AGAIN);
            self.cut(now, MemberIndex::SOURCE, Bitrate::ZERO);
        }
    }

    fn cut(&mut self, now: Instant, member: MemberIndex, sending: Bitrate) {
        if self.overlay.cut_grant(now, member, sending) {
            let orphans = self.overlay.shed_excess(now, member);
            self.reseat(now, orphans);
        }
    }
}
