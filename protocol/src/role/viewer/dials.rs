//! Whom a viewer may dial, so that no coordinator can make its viewers flood a victim (`docs/protocol.md` §6.6).

use crate::id::PeerId;
use crate::limits::NEW_ADDRESSES_A_MINUTE;
use crate::role::scope::Scope;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// What it costs the dialler to begin a link, in wire bytes: two datagrams padded to 1,200 bytes (RFC 9000 §14.1), and what it
/// says first.
const HANDSHAKE: u64 = 2 * 1_262 + 400;

/// A handshake is a small matter if the uplink takes no longer for it: a fifth of a tick.
const QUICK: Duration = Duration::from_millis(20);

/// Where a handshake takes the uplink longer, who is put off has to be waited for: whoever were asked for instead would be put off, too.
const SLOW: Duration = Duration::from_secs(1);

/// One that takes it longer still is not worth waiting for: somebody else may have a link already, or call.
const TEDIOUS: Duration = Duration::from_secs(5);

const MINUTE: Duration = Duration::from_secs(60);

/// How long an address that did not answer is left alone.
const QUIET: Duration = Duration::from_secs(60);

/// How many addresses are remembered, of either kind.
const REMEMBERED_MAX: usize = 256;

/// What came of asking to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Dial these.
    Dial(Vec<SocketAddr>),
    /// Not now: too many in the last minute.
    Later,
    /// Not now: the uplink is busy with the handshakes before.
    Busy,
    /// None of them may be dialled.
    Never,
}

/// Counts dials.
#[derive(Clone, Debug)]
pub(super) struct Dials {
    reach: Scope,
    /// When new addresses were dialled within the last minute.
    lately: VecDeque<Instant>,
    /// Addresses that did not answer, or did not yet, and until when they are left alone.
    silent: VecDeque<(SocketAddr, Instant)>,
    answered: VecDeque<SocketAddr>,
    /// How long the uplink takes for a handshake, if its rate is known and there is no picture yet.
    pace: Duration,
    /// When it has carried the handshakes so far.
    free: Instant,
    /// Who waits for that, the longest first.
    put_off: VecDeque<PeerId>,
}

impl Dials {
    pub(super) fn new(uplink: Option<Bitrate>) -> Self {
        Self {
            pace: uplink.map_or(Duration::ZERO, time_of_handshake),
            free: Instant::ZERO,
            put_off: VecDeque::new(),
            reach: Scope::Global,
            lately: VecDeque::with_capacity(NEW_ADDRESSES_A_MINUTE),
            silent: VecDeque::new(),
            answered: VecDeque::new(),
        }
    }

    /// The coordinator was reached at this address.
    pub(super) fn reached(&mut self, coordinator: &SocketAddr) {
        self.reach = Scope::of(coordinator);
    }

    /// Whether the coordinator runs on this machine, or may be said to.
    pub(super) fn is_at_home(&self) -> bool {
        self.reach >= Scope::Loopback
    }

    /// A relay: its sponsor called from there. Who calls from this very machine is in whatever private network it is in.
    pub(super) fn called_by_sponsor(&mut self, address: &SocketAddr, own: &[SocketAddr]) {
        let there = address.ip().to_canonical();
        let is_here = own.iter().any(|own| own.ip().to_canonical() == there);
        self.reach = match Scope::of(address) {
            Scope::Global if is_here => Scope::Private,
            scope => scope,
        };
    }

    /// Leaves of addresses that somebody else is to dial those that we might dial ourselves.
    pub(super) fn keep_fitting(&self, addresses: &mut Vec<SocketAddr>) {
        addresses.retain(|address| self.fits(address));
    }

    fn fits(&self, address: &SocketAddr) -> bool {
        Scope::of(address) <= self.reach && Scope::of(address) != Scope::Nowhere
    }

    /// Which of a peer's addresses may be dialled. A newcomer on an uplink of a known rate begins one handshake after the other: all at once, each
    /// would be over only when all are, and what is asked for over the links that are up would wait behind them. They count from now on: one that has not answered yet is not dialled for
    /// another peer as well, however many are said to be there.
    pub(super) fn ask(&mut self, now: Instant, addresses: &[SocketAddr]) -> Leave {
        self.lately.retain(|dialled| now.since(*dialled) < MINUTE);
        self.silent.retain(|(_, until)| *until > now);
        let mut allowed: Vec<SocketAddr> = addresses
            .iter()
            .copied()
            .filter(|address| self.may(address))
            .collect();
        if allowed.is_empty() {
            return Leave::Never;
        }
        if now < self.free {
            return Leave::Busy;
        }
        allowed.retain(|address| self.pay(now, *address));
        if allowed.is_empty() {
            return Leave::Later;
        }
        self.free = now + self.pace;
        Leave::Dial(allowed)
    }

    /// Whether the uplink takes a handshake in passing.
    pub(super) fn are_quick(&self) -> bool {
        self.pace <= QUICK
    }

    /// There is a picture: from now on a dial is for a repair as a rule, and does not wait.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.pace = Duration::ZERO;
        self.free = now;
    }

    /// Notes that a peer is to be dialled when the uplink is free again.
    pub(super) fn put_off(&mut self, peer: PeerId) {
        if !self.put_off.contains(&peer) {
            push_bounded(&mut self.put_off, peer);
        }
    }

    /// Those who are wanted no more are not dialled in their turn.
    pub(super) fn keep(&mut self, wanted: impl Fn(&PeerId) -> bool) {
        self.put_off.retain(wanted);
    }

    /// Whether a peer waits for that, and nobody else would be there sooner.
    pub(super) fn waits(&self, peer: &PeerId) -> bool {
        self.pace > SLOW && self.pace <= TEDIOUS && self.put_off.contains(peer)
    }

    /// When that is, if anybody waits.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.put_off.is_empty()).then_some(self.free)
    }

    /// Whose turn it is.
    pub(super) fn next(&mut self, now: Instant) -> Option<PeerId> {
        self.due().filter(|due| now >= *due)?;
        self.put_off.pop_front()
    }

    /// Nobody answered there.
    pub(super) fn failed(&mut self, now: Instant, addresses: &[SocketAddr]) {
        for address in addresses {
            self.answered.retain(|known| known != address);
            self.fall_silent(now, *address);
        }
    }

    /// Somebody answered there.
    pub(super) fn answered(&mut self, address: SocketAddr) {
        self.called(address);
        if !self.answered.contains(&address) {
            push_bounded(&mut self.answered, address);
        }
    }

    /// Somebody called from there, and has shown by that to be no victim.
    pub(super) fn called(&mut self, address: SocketAddr) {
        self.silent.retain(|(known, _)| *known != address);
    }

    fn may(&self, address: &SocketAddr) -> bool {
        let silent = self.silent.iter().any(|(known, _)| known == address);
        self.fits(address) && !silent
    }

    fn pay(&mut self, now: Instant, address: SocketAddr) -> bool {
        if self.answered.contains(&address) {
            return true;
        }
        if self.lately.len() == NEW_ADDRESSES_A_MINUTE {
            return false;
        }
        self.lately.push_back(now);
        self.fall_silent(now, address);
        true
    }

    fn fall_silent(&mut self, now: Instant, address: SocketAddr) {
        self.called(address);
        push_bounded(&mut self.silent, (address, now + QUIET));
    }

    pub(super) fn check_invariants(&self) {
        assert!(
            self.lately.len() <= NEW_ADDRESSES_A_MINUTE,
            "more dials than a minute may have"
        );
        assert!(self.silent.len() <= REMEMBERED_MAX && self.answered.len() <= REMEMBERED_MAX);
        assert!(self.put_off.len() <= REMEMBERED_MAX, "few wait");
    }
}

fn time_of_handshake(uplink: Bitrate) -> Duration {
    Duration::from_micros(HANDSHAKE * 8 * 1_000_000 / uplink.as_bps().max(1))
}

fn push_bounded<T>(to: &mut VecDeque<T>, item: T) {
    if to.len() == REMEMBERED_MAX {
        to.pop_front();
    }
    to.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use core::net::{IpAddr, Ipv4Addr};

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn dials(coordinator: &str) -> Dials {
        let mut dials = Dials::new(None);
        dials.reached(&at(coordinator));
        dials
    }

    #[test]
    fn a_relay_dials_where_its_sponsor_is() {
        let own = [at("203.0.113.9:4600"), at("10.0.0.9:4600")];
        let private = [at("192.168.1.2:4600")];
        let ask = |sponsor: &str| {
            let mut dials = Dials::new(None);
            dials.called_by_sponsor(&at(sponsor), &own);
            dials.ask(Instant::ZERO, &private) != Leave::Never
        };
        assert!(ask("10.0.0.7:1") && ask("127.0.0.1:1"));
        assert!(ask("203.0.113.9:1"), "on this machine");
        assert!(ask("[::ffff:203.0.113.9]:1"), "on this machine");
        assert!(!ask("203.0.113.8:1"));
    }

    #[test]
    fn no_more_private_than_the_coordinator() {
        let kinds = [
            "192.0.2.1:1",
            "10.0.0.1:1",
            "127.0.0.1:1",
            "[fe80::1]:1",
            "[::1]:1",
            "[::ffff:10.0.0.1]:1",
        ];
        let allowed = |coordinator: &str| {
            let mut dials = dials(coordinator);
            let ask = |address: &&str| matches!(dials.ask(Instant::ZERO, &[at(address)]), Leave::Dial(_));
            kinds.iter().map(ask).filter(|allowed| *allowed).count()
        };
        assert_eq!(allowed("198.51.100.1:1"), 1);
        assert_eq!(allowed("192.168.0.1:1"), 4);
        assert_eq!(allowed("127.0.0.1:1"), 6);
        for never in [
            "224.0.0.1:1",
            "255.255.255.255:1",
            "0.0.0.0:1",
            "[ff02::1]:1",
            "127.0.0.1:0",
        ] {
            assert_eq!(
                dials("127.0.0.1:1").ask(Instant::ZERO, &[at(never)]),
                Leave::Never
            );
        }
    }

    #[test]
    fn a_silent_address_is_left_alone_for_a_minute() {
        let mut dials = dials("127.0.0.1:1");
        let (here, now) = ([at("127.0.0.1:7")], Instant::ZERO);
        assert_eq!(dials.ask(now, &here), Leave::Dial(here.to_vec()));
        dials.failed(now, &here);
        assert_eq!(dials.ask(now + Duration::from_secs(59), &here), Leave::Never);
        assert_eq!(
            dials.ask(now + Duration::from_secs(60), &here),
            Leave::Dial(here.to_vec())
        );
    }

    #[test]
    fn an_address_is_dialled_for_one_peer_until_it_answers() {
        let mut dials = dials("127.0.0.1:1");
        let (here, now) = ([at("127.0.0.1:7")], Instant::ZERO);
        assert_eq!(dials.ask(now, &here), Leave::Dial(here.to_vec()));
        assert_eq!(dials.ask(now, &here), Leave::Never, "for a second peer");
        dials.called(here[0]);
        assert_eq!(dials.ask(now, &here), Leave::Dial(here.to_vec()));
        dials.answered(here[0]);
        for _ in 0..30 {
            assert_eq!(dials.ask(now, &here), Leave::Dial(here.to_vec()));
        }
    }

    #[test]
    fn twenty_new_addresses_in_any_minute() {
        let mut dials = dials("127.0.0.1:1");
        let mut dialled = Vec::new();
        for tenth in 0..6000u64 {
            let now = Instant::from_micros(tenth * 100_000);
            let there = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1 + tenth as u16);
            if dials.ask(now, &[there]) != Leave::Later {
                dialled.push(now);
                dials.failed(now, &[there]);
            }
            dials.check_invariants();
        }
        assert_eq!(dialled.len(), 10 * NEW_ADDRESSES_A_MINUTE);
        let mut windows = dialled.windows(NEW_ADDRESSES_A_MINUTE + 1);
        assert!(windows.all(|window| window[NEW_ADDRESSES_A_MINUTE].since(window[0]) >= MINUTE));
    }

    #[test]
    fn who_is_put_off_is_waited_for_where_that_is_seconds() {
        let waits = |bps| {
            let mut dials = Dials::new(Some(Bitrate(bps)));
            let peer = PeerId([7; 16]);
            dials.put_off(peer);
            dials.waits(&peer) && !dials.waits(&PeerId([8; 16]))
        };
        assert_eq!([300_000, 8_000, 19].map(waits), [false, true, false]);
    }

    #[test]
    fn who_answered_is_not_new() {
        let mut dials = dials("127.0.0.1:1");
        let known = at("127.0.0.1:9");
        dials.answered(known);
        for port in 100..200 {
            dials.ask(
                Instant::ZERO,
                &[SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)],
            );
        }
        assert_eq!(dials.ask(Instant::ZERO, &[known]), Leave::Dial(vec![known]));
        assert_eq!(dials.ask(Instant::ZERO, &[at("127.0.0.1:99")]), Leave::Later);
    }

    #[test]
    fn a_thin_uplink_carries_one_handshake_after_the_other() {
        let mut dials = Dials::new(Some(Bitrate::from_kbps(280)));
        dials.reached(&at("127.0.0.1:1"));
        let (one, other) = ([at("127.0.0.1:7")], [at("127.0.0.1:8")]);
        let now = Instant::from_micros(1_000_000);
        assert_eq!(dials.ask(now, &one), Leave::Dial(one.to_vec()));
        assert_eq!(dials.ask(now, &other), Leave::Busy);
        assert_eq!(dials.due(), None, "nobody waits");
        let peer = PeerId([7; 16]);
        dials.put_off(peer);
        let due = dials.due().expect("somebody waits");
        assert!((80..90).contains(&due.since(now).as_millis()), "{due:?}");
        assert_eq!(dials.next(now), None);
        assert_eq!((dials.next(due), dials.due()), (Some(peer), None));
        assert_eq!(dials.ask(due, &other), Leave::Dial(other.to_vec()));
        dials.hurry(due);
        let third = [at("127.0.0.1:9")];
        assert_eq!(
            dials.ask(due, &third),
            Leave::Dial(third.to_vec()),
            "for a repair"
        );
    }
}
