//! Control messages: everything that peers say to the coordinator, to a parent or to a child (`docs/protocol.md` §6).
//!
//! Every message is one frame on the control lane of the link between the two. The link's TLS identity is the sender's.

use crate::id::{PeerId, PeerTag};
use crate::limits::{self, ADDRESSES_MAX, NEAR_MAX, REGIONS_MAX};
use crate::media::{StripeId, TierId};
use crate::time::ChannelTime;
use crate::units::Bitrate;
use crate::wire::amendments::Amendments;
use crate::wire::bounded;
use crate::wire::codec::{self, CodecError};
use crate::wire::framing;
use crate::wire::order::{Commanded, Offer, Usage};
use crate::wire::region::RegionName;
use crate::wire::ticket::Rank;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use serde::{Deserialize, Serialize};

/// A control message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    // A viewer to the coordinator.
    /// First on the link: asks to become a member.
    Hello(Hello),
    /// What the viewer measured; on change, and at most every 10 s.
    Report(Report),
    /// A stripe now comes from somebody else, planned or not.
    Moved(Moved),
    /// A stripe comes from nobody: neither parent nor spare sends it.
    Orphaned(Orphaned),
    /// An answer to [`Message::Ask`].
    Answer {
        /// The round that was asked in.
        round: u64,
        /// Whether this person sponsors.
        yes: bool,
    },
    /// The result of a [`Message::Dial`] that did not succeed.
    Unreachable {
        /// Whom.
        peer: PeerId,
    },
    /// The viewer leaves; it forwards until its children have moved.
    Leave,

    // The coordinator to a viewer.
    /// The viewer is a member.
    Welcome(Welcome),
    /// The viewer is not admitted.
    Refused {
        /// Why, in words.
        reason: RefuseReason,
    },
    /// Where the viewer hangs; replaces the last one.
    Assign(Assign),
    /// Link up with this peer: it cannot dial you, or both ends are to try.
    Dial(Introduction),
    /// Asks whether this person wants to sponsor a relay.
    Ask(Ask),
    /// The question is withdrawn.
    Withdraw {
        /// The round.
        round: u64,
        /// Why, in words.
        why: WithdrawReason,
    },
    /// The channel ends here: the broadcaster stopped.
    End,
    /// This person's yes counts: start a relay.
    Chosen {
        /// The round that was answered; none if the viewer offered it by itself.
        round: u64,
        /// Uplink that is missing.
        missing: Bitrate,
    },
    /// What the coordinator would say to a relay if it were a viewer: [`Message::Assign`] or [`Message::Dial`]. The sponsor makes an
    /// order of it.
    ToRelay {
        /// Which relay.
        relay: PeerTag,
        /// The message's body, as [`Message::body`] makes it.
        message: Bytes,
    },

    // A sponsor to the coordinator.
    /// Its relay is up and obeys.
    Serving(Offer),
    /// No relay will come of a yes, or one that served is gone.
    NoRelay {
        /// The round of the yes; 0 if none.
        round: u64,
        /// The relay, if there was one.
        relay: Option<PeerTag>,
    },
    /// What its relay said: [`Message::Report`], [`Message::Moved`], [`Message::Orphaned`], [`Message::Unreachable`] or
    /// [`Message::Leave`].
    FromRelay {
        /// Which relay.
        relay: PeerTag,
        /// The message's body.
        message: Bytes,
    },

    // A relay and who commands it.
    /// A relay to its sponsor, first on each link: proves that it is the one that was started.
    Enrol {
        /// [`limits::VERSION`].
        version: u8,
        /// See [`crate::wire::enrol`].
        proof: [u8; 32],
    },
    /// To a relay: a signed order.
    Order(Commanded),
    /// A relay to its sponsor: what it has used of its lease; when it is asked, and once a second while it has children.
    Usage(Usage),

    // Either way on any link.
    /// Asks for an echo, to measure the round trip and the offset of the clocks.
    Echo {
        /// The asker's clock, returned as it is.
        sent_us: u64,
    },
    /// The echo.
    Echoed {
        /// From the [`Message::Echo`].
        sent_us: u64,
        /// The answerer's channel time (the broadcaster's is the right one).
        at: ChannelTime,
    },

    // A child to its parent, or spare.
    /// Asks for stripes.
    Attach(Attach),
    /// Wants no more of a stripe, for it has another parent.
    Detach {
        /// The stripe.
        stripe: StripeId,
        /// From this block on. What waits and is older is sent all the same; 0: nothing.
        from: u64,
    },
    /// Asks for single chunks by number.
    Pull(Pull),

    // A parent to its child.
    /// The stripe will come.
    Attached {
        /// The stripe.
        stripe: StripeId,
        /// The parent's own rank on it.
        rank: Rank,
    },
    /// The stripe will not come, or no longer.
    Detached {
        /// The stripe.
        stripe: StripeId,
        /// Why.
        why: DetachReason,
    },
    /// The parent's rank on a stripe has changed.
    Ranked {
        /// The stripe.
        stripe: StripeId,
        /// The parent's rank on it now.
        rank: Rank,
    },

    // Where a relay would be near to those whom it is to serve.
    /// The coordinator to a viewer that lacks something: how far are the regions that it knows from it?
    Locate,
    /// The answer, given once.
    Located {
        /// Round trips to regions, in milliseconds; those that are too far, or unknown, are left out.
        #[serde(deserialize_with = "bounded::list::<_, _, REGIONS_MAX>")]
        round_trips: Vec<(RegionName, u16)>,
    },
    /// The coordinator to whom it asks to sponsor, before the question; to whom comes to sponsor unasked, before the welcome.
    Near {
        /// Where a relay is near to those whom it would serve, the nearest first.
        #[serde(deserialize_with = "bounded::list::<_, _, NEAR_MAX>")]
        regions: Vec<RegionName>,
    },

    // The coordinator to a viewer.
    /// Other spares than the newest ticket names, and nothing else.
    Amend(Amendments),
    /// An [`Assign`](Self::Assign) as what is new in its ticket against the one before it on this lane.
    Reassign(Reassign),
}

impl Message {
    /// As a frame for a control lane.
    pub fn frame(&self) -> Bytes {
        framing::frame(&codec::encode(self))
    }

    /// Without a frame, to travel within another message.
    pub fn body(&self) -> Bytes {
        codec::encode(self).into()
    }

    /// Reads a frame that came with its prefix, and checks what `limits` bound.
    ///
    /// # Errors
    /// If it is no message, or carries more than the limits allow.
    pub fn parse(frame: &Bytes) -> Result<Self, CodecError> {
        Self::parse_body(frame.get(framing::PREFIX..).ok_or(CodecError::Malformed)?)
    }

    /// Reads a message that travelled within another.
    ///
    /// # Errors
    /// If it is no message, or carries more than the limits allow.
    pub fn parse_body(body: &[u8]) -> Result<Self, CodecError> {
        let message: Self = codec::decode(body)?;
        if message.is_sound() {
            Ok(message)
        } else {
            Err(CodecError::Malformed)
        }
    }

    fn is_sound(&self) -> bool {
        let stripes_max = usize::from(limits::STRIPES_MAX) * limits::TIERS_MAX;
        match self {
            Self::Hello(hello) => hello.is_sound(),
            Self::Assign(assign) => assign.is_sound(),
            Self::Reassign(reassign) => reassign.peers.iter().all(Introduction::is_sound),
            Self::Dial(introduction) => introduction.is_sound(),
            Self::Attach(attach) => attach.stripes.len() <= stripes_max,
            Self::Pull(pull) => pull.blocks.len() <= Pull::BLOCKS_MAX,
            Self::Serving(offer) => offer.addresses.len() <= ADDRESSES_MAX,
            _ => true,
        }
    }
}

/// What a newcomer says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`limits::VERSION`].
    pub version: u8,
    /// The join secret of a private channel.
    pub secret: Option<[u8; 16]>,
    /// The most it will give, in wire bits a second; `None` if that is to be measured.
    pub uplink: Option<Bitrate>,
    /// How far behind capture it plays.
    pub buffer_ms: u32,
    /// Addresses that it listens on, as far as it knows them.
    pub candidates: Vec<SocketAddr>,
    /// Whether its address may be shown to relays and the broadcaster only.
    pub relay_only: bool,
    /// Whether this person may be asked to sponsor a relay.
    pub may_sponsor: bool,
    /// Whether it wants to see the channel. Who doesn't has come to sponsor a relay, and gets no places.
    pub watches: bool,
    /// What it already has, if it was a member before the broadcaster restarted or the link broke.
    pub resume: Option<Resume>,
}

impl Hello {
    fn is_sound(&self) -> bool {
        let stripes_max = usize::from(limits::STRIPES_MAX) * limits::TIERS_MAX;
        let resume = self.resume.as_ref();
        self.candidates.len() <= ADDRESSES_MAX
            && resume.is_none_or(|resume| resume.places.len() <= stripes_max)
    }
}

/// A member's place before it lost the coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The epoch it was a member in.
    pub epoch: u64,
    /// The tier it shows.
    pub tier: TierId,
    /// How many members it fed, so that the coordinator knows what this place is worth.
    pub children: u32,
    /// What it receives, and from whom.
    pub places: Vec<Place>,
}

/// A place in one stripe's tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The stripe.
    pub stripe: StripeId,
    /// The parent.
    pub parent: PeerId,
    /// The rank it had.
    pub rank: Rank,
}

/// What a member measured since its last report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its children get their chunks in time (`true`), or its uplink does not suffice (`false`).
    pub children_in_time: bool,
    /// Wire bits a second that it sent, mean of the last second.
    pub sending: Bitrate,
    /// What its uplink was found to carry, where that is less than what it was said to.
    pub carries: Option<Bitrate>,
    /// Round-trip times to peers that it is linked with, in milliseconds.
    pub round_trips: Vec<(PeerId, u16)>,
    /// Parents that it accuses, and of what.
    pub accusations: Vec<(PeerId, Accusation)>,
}

/// What a child may hold against a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accusation {
    /// It sent nothing for too long.
    Silent,
    /// It sent a chunk that the broadcaster did not sign.
    Forged,
    /// It sent late marks while others had the chunks.
    Late,
    /// It refused a valid ticket.
    Refused,
    /// It sent late marks for this stripe while it sent another on.
    Lacks(StripeId),
}

/// A change of parent that a child made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The stripe.
    pub stripe: StripeId,
    /// Who sends it now.
    pub to: PeerId,
    /// Who sent it before, if anybody did.
    pub from: Option<PeerId>,
    /// Whether the coordinator planned it; else the child took its spare.
    pub planned: bool,
}

/// A stripe that comes from nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphaned {
    /// The stripe.
    pub stripe: StripeId,
    /// Who failed last.
    pub parent: PeerId,
    /// How.
    pub why: DetachReason,
}

/// What a new member must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The run of the broadcaster.
    pub epoch: u64,
    /// The signed layout in force.
    pub layout: Bytes,
    /// The newest block.
    pub live_block: u64,
    /// Channel time now.
    pub now: ChannelTime,
    /// The address that the broadcaster sees the member at.
    pub observed: SocketAddr,
}

/// Another peer, and where to find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// Who it is.
    pub peer: PeerId,
    /// Its addresses, best first; none if it will dial itself.
    #[serde(deserialize_with = "bounded::list::<_, _, ADDRESSES_MAX>")]
    pub addresses: Vec<SocketAddr>,
}

impl Introduction {
    pub(crate) fn is_sound(&self) -> bool {
        self.addresses.len() <= ADDRESSES_MAX
    }
}

/// A member's places, all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assign {
    /// The tier to show.
    pub tier: TierId,
    /// Why it is that one.
    pub why: TierReason,
    /// The block to start that tier at, if the member does not receive it yet: the newest keyframe at least its buffer
    /// old.
    pub from_block: u64,
    /// The sealed ticket, which names parents and spares by their tags.
    pub ticket: Bytes,
    /// The peers behind those tags that the member has not been told of.
    pub peers: Vec<Introduction>,
}

impl Assign {
    pub(crate) fn is_sound(&self) -> bool {
        self.peers.iter().all(Introduction::is_sound)
    }
}

/// A member's places, all of them, after the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reassign {
    /// See [`Assign::tier`].
    pub tier: TierId,
    /// See [`Assign::why`].
    pub why: TierReason,
    /// How far [`Assign::from_block`] is beyond the last one; modulo 2⁶⁴.
    pub blocks_on: u64,
    /// What makes the ticket's body of the one before it, and its signature.
    pub patch: Bytes,
    /// See [`Assign::peers`].
    pub peers: Vec<Introduction>,
}

/// Why a member shows the tier that it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TierReason {
    /// It is the full stream.
    Full,
    /// There are not enough slots for all.
    Capacity,
    /// A question is open whose answer may bring capacity.
    Waiting,
}

/// The question whether somebody sponsors a relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Names the round; answers repeat it.
    pub round: u64,
    /// Who is asked in this round.
    pub kind: RoundKind,
    /// How long the answer is waited for.
    pub deadline_ms: u32,
    /// How many viewers a relay would help.
    pub helps: u32,
    /// Uplink that is missing.
    pub missing: Bitrate,
}

/// Who is asked in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoundKind {
    /// The viewer that joins.
    Joiner,
    /// Those who lost their parent.
    Orphans,
    /// The leaves, free riders first.
    Leaves,
}

/// Why a question is withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WithdrawReason {
    /// Somebody else said yes.
    Taken,
    /// There is room again.
    Solved,
    /// The deadline passed.
    Expired,
    /// What was offered is no relay that anybody reaches.
    Unavailable,
}

/// Why a viewer is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefuseReason {
    /// No free slots, and nobody sponsors.
    Capacity,
    /// The broadcaster admits no more viewers (`--max-viewers`).
    MaxViewers,
    /// Too many from the same network.
    TooManyFromThere,
    /// Another protocol version.
    Version,
    /// The join secret is missing or wrong.
    NotInvited,
    /// A member's key begins as this one's does, by a chance of one in thousands of millions or by intent.
    Namesake,
}

impl RefuseReason {
    /// In words for the person who wanted to watch.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Capacity => "the channel has no capacity left and nobody sponsors a relay; try again later",
            Self::MaxViewers => "the broadcaster admits no more viewers; try again later",
            Self::TooManyFromThere => "too many viewers wait from your network; try again later",
            Self::Version => {
                "the broadcaster runs another version of Banyan; update yours or ask for an update"
            }
            Self::NotInvited => {
                "this channel is private and the link's join secret is missing or wrong; ask for the whole link"
            }
            Self::Namesake => "another viewer's key begins as yours does; start again with a new one",
        }
    }
}

/// Asks a parent, or a spare, for stripes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// The child's sealed ticket, unless the parent has it already.
    pub ticket: Option<Bytes>,
    /// The stripes, each with the first block wanted.
    pub stripes: Vec<(StripeId, u64)>,
}

/// Asks for single chunks. They come on the data lane of their tier, ahead of others where their deadline is nearer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// The stripe.
    pub stripe: StripeId,
    /// The blocks.
    pub blocks: Vec<u64>,
}

impl Pull {
    /// The most blocks asked for at once: what a store keeps.
    pub const BLOCKS_MAX: usize = 100;
}

/// Why a parent does not, or no longer, send a stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DetachReason {
    /// The child's ticket does not cover it, or has expired.
    NoTicket,
    /// The child's rank is not greater than the parent's.
    Rank,
    /// The uplink is spent.
    Full,
    /// The parent does not receive the stripe itself.
    NotReceived,
    /// The parent leaves.
    Leaving,
    /// Taken back for a child that is served before it.
    Shed,
    /// Another child has taken this seat, as the coordinator planned; the child has been told where to go instead.
    Replaced,
    /// Nothing came from it.
    Silent,
    /// It could not be reached.
    Unreachable,
}

/// Text that a message may carry, cut to [`limits::TEXT_MAX`] bytes at a character's edge.
pub fn bounded_text(text: &str) -> String {
    let mut end = text.len().min(limits::TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn messages_come_back_and_excess_is_refused() {
        let address: SocketAddr = "192.0.2.1:4600".parse().unwrap();
        let dial = |n| {
            Message::Dial(Introduction {
                peer: PeerId([5; 16]),
                addresses: vec![address; n],
            })
        };
        assert_eq!(Message::parse(&dial(8).frame()), Ok(dial(8)));
        assert_eq!(Message::parse(&dial(9).frame()), Err(CodecError::Malformed));
        let mut long = dial(1).frame().to_vec();
        long.push(0);
        assert_eq!(Message::parse(&long.into()), Err(CodecError::Trailing(1)));
    }
}
