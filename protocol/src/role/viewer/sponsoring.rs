//! Sponsoring: this person's relays, from the yes to the end of the lease (`docs/protocol.md` §11).
//!
//! The provider starts a relay, it proves itself on a link that we dial, and from then on we pass on what the coordinator wants of it
//! as signed orders, and what it says to the coordinator.

mod commanding;
mod ending;
mod enrolling;

use super::Viewer;
use crate::id::{PeerId, PeerTag};
use crate::io::{CloudNews, CloudOrder, EndReason, LinkId, Outbox, Output};
use crate::role::config::Part;
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use crate::wire::close::CloseCode;
use crate::wire::control::Message;
use crate::wire::enrol::{Binding, EnrolSecret};
use crate::wire::lease::Lease;
use crate::wire::region::RegionName;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// The most relays that one person sponsors at once.
const RELAYS_MAX: usize = 4;

/// How long a machine may take to boot.
const BOOT_PATIENCE: Duration = Duration::from_secs(180);

/// Viewers at full quality that a relay is for when nobody said how much is missing.
const UNASKED_COPIES: u64 = 10;

/// Where a relay is in its life.
#[derive(Clone, Debug)]
enum Stage {
    /// The provider has been asked to start it.
    Launching,
    /// It is to be dialled at that time.
    Booting(Instant),
    /// It was dialled, whoever answers.
    Dialling(LinkId),
    /// Somebody answered, and has yet to prove that it is the relay.
    Proving {
        link: LinkId,
        peer: PeerId,
        address: SocketAddr,
        binding: Binding,
        until: Instant,
    },
    /// It has proved itself, and obeys.
    Serving,
    /// It serves, and there is no link to it since then.
    Lost(Instant),
    /// It has been told to leave, for that reason.
    Draining(EndReason),
}

/// What the provider said of a relay that it started.
#[derive(Clone, Debug)]
struct Launched {
    addresses: Vec<SocketAddr>,
    lease: Lease,
    uplink: Bitrate,
    secret: EnrolSecret,
    /// When it has to have proved itself.
    until: Instant,
}

/// A relay of this person's.
#[derive(Clone, Debug)]
struct Sponsored {
    /// Its name towards the provider.
    number: u64,
    /// The round of the yes; 0 if nobody asked.
    round: u64,
    stage: Stage,
    launched: Option<Launched>,
    /// Its key, once it has proved itself.
    key: Option<PeerId>,
    /// The number of the last order.
    sequence: u64,
}

/// This person's relays.
#[derive(Debug, Default)]
pub(super) struct Sponsoring {
    relays: Vec<Sponsored>,
    made: u64,
    /// Rounds in which this person said yes, each with where the relay would be near.
    pledged: Vec<(u64, Vec<RegionName>)>,
    /// They run on when this person leaves.
    run_on: bool,
}

impl Sponsoring {
    /// Nobody's relays yet.
    pub(super) fn new(run_on: bool) -> Self {
        Self {
            run_on,
            ..Self::default()
        }
    }

    /// Whether they run on when this person leaves, from now on.
    pub(super) fn run_on(&mut self, run_on: bool) {
        self.run_on = run_on;
    }

    /// This person said yes in a round.
    pub(super) fn pledge(&mut self, round: u64, near: Vec<RegionName>) {
        self.pledged.push((round, near));
    }

    /// This person's relays that have proved themselves.
    pub(super) fn relays(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.relays.iter().filter_map(|relay| relay.key)
    }

    /// Whether that is a relay of this person's.
    pub(super) fn is_relay(&self, peer: &PeerId) -> bool {
        self.relays().any(|relay| relay == *peer)
    }

    fn find(&self, fits: impl Fn(&Sponsored) -> bool) -> Option<usize> {
        self.relays.iter().position(fits)
    }

    fn of_tag(&self, tag: &PeerTag) -> Option<usize> {
        self.find(|relay| relay.key.is_some_and(|key| key.tag() == *tag))
    }

    /// The relay that may be at the other end of a link that has proved nothing yet.
    fn of_link(&self, id: LinkId) -> Option<usize> {
        self.find(|relay| match relay.stage {
            Stage::Dialling(link) | Stage::Proving { link, .. } => link == id,
            _ => false,
        })
    }

    /// Whether something is under way that a person who leaves should wait for.
    pub(super) fn is_draining(&self) -> bool {
        self.relays
            .iter()
            .any(|relay| matches!(relay.stage, Stage::Draining(_)))
    }
}

impl Viewer {
    /// Our yes counts.
    pub(super) fn on_chosen(&mut self, round: u64, missing: Bitrate, out: &mut Outbox) {
        if let Some(at) = self
            .sponsoring
            .pledged
            .iter()
            .position(|(pledged, _)| *pledged == round)
        {
            let (_, near) = self.sponsoring.pledged.swap_remove(at);
            self.launch(round, missing, near, out);
        } else {
            self.tell_coordinator(&Message::NoRelay { round, relay: None }, out);
        }
    }

    /// Who came to sponsor does so as soon as it is let in.
    pub(super) fn sponsor_unasked(&mut self, out: &mut Outbox) {
        let Some((_, layout)) = &self.layout else { return };
        if self.config.part == Part::Sponsor && self.sponsoring.made == 0 {
            let missing = layout.top().rate * UNASKED_COPIES;
            let near = self.asks.near.clone();
            self.launch(0, missing, near, out);
        }
    }

    fn launch(&mut self, round: u64, missing: Bitrate, near: Vec<RegionName>, out: &mut Outbox) {
        if self.config.sponsor.is_none() || self.sponsoring.relays.len() == RELAYS_MAX {
            return self.tell_coordinator(&Message::NoRelay { round, relay: None }, out);
        }
        self.sponsoring.made += 1;
        let relay = self.sponsoring.made;
        self.sponsoring.relays.push(Sponsored {
            number: relay,
            round,
            stage: Stage::Launching,
            launched: None,
            key: None,
            sequence: 0,
        });
        out.push(Output::Cloud(CloudOrder::Launch { relay, missing, near }));
    }

    pub(super) fn on_cloud(&mut self, now: Instant, news: CloudNews, out: &mut Outbox) {
        match news {
            CloudNews::Launched {
                relay,
                addresses,
                lease,
                uplink,
                secret,
            } => {
                let Some(at) = self.sponsoring.find(|known| known.number == relay) else {
                    let why = EndReason::Done;
                    return out.push(Output::Cloud(CloudOrder::Terminate { relay, why }));
                };
                let known = &mut self.sponsoring.relays[at];
                known.launched = Some(Launched {
                    addresses,
                    lease,
                    uplink,
                    secret,
                    until: now + BOOT_PATIENCE,
                });
                known.stage = Stage::Booting(now);
                self.dial_relay(now, at, out);
            }
            CloudNews::Located { round_trips } => self.on_located(round_trips, out),
            CloudNews::Failed { relay, .. } => {
                if let Some(at) = self.sponsoring.find(|known| known.number == relay) {
                    self.lose_relay(now, at, None, out);
                }
            }
        }
    }

    /// Once a second: dials, gives up, looks for relays that were lost.
    pub(super) fn tend_relays(&mut self, now: Instant, out: &mut Outbox) {
        let mut at = 0;
        while at < self.sponsoring.relays.len() {
            if let Some(why) = self.is_relay_over(now, at) {
                self.lose_relay(now, at, Some(why), out);
                continue;
            }
            self.tend_relay(now, at, out);
            at += 1;
        }
    }

    fn tend_relay(&mut self, now: Instant, at: usize, out: &mut Outbox) {
        let relay = &self.sponsoring.relays[at];
        let link = relay.key.and_then(|key| self.links.to(&key)).map(|link| link.id);
        match (&relay.stage, relay.key) {
            (Stage::Booting(_), _) => self.dial_relay(now, at, out),
            (Stage::Proving { link, until, .. }, _) if now >= *until => {
                let (link, code) = (*link, CloseCode::Done);
                out.push(Output::Close { link, code });
                self.sponsoring.relays[at].stage = Stage::Booting(now);
            }
            (Stage::Serving, Some(key)) if link.is_none() => {
                self.sponsoring.relays[at].stage = Stage::Lost(now);
                self.reach(now, key, out);
            }
            (Stage::Lost(_), Some(key)) => match link {
                Some(link) => {
                    let address = self.book.addresses(&key).first().copied();
                    let address = address.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
                    self.welcome_relay(now, at, link, address, out);
                }
                None => drop(self.reach(now, key, out)),
            },
            _ => {}
        }
    }
}
