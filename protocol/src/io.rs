//! The whole boundary of a state machine: what goes in, what comes out, and who owns the time.
//!
//! A driver (`peer/`, or the simulator) owns one [`Machine`]. It calls [`Machine::handle`] with whatever happened and
//! the current time, then carries out every [`Output`], in order. It calls again with [`Input::Wake`] when
//! [`Machine::wake_at`] has come. Nothing inside reads a clock, a socket or a random number.

use crate::event::Event;
use crate::id::PeerId;
use crate::media::{Packet, TierId, Track};
use crate::time::{Duration, Instant};
use crate::units::Bitrate;
use crate::wire::close::CloseCode;
use crate::wire::control::{Message, RefuseReason};
use crate::wire::enrol::{Binding, EnrolSecret};
use crate::wire::lease::Lease;
use crate::wire::region::RegionName;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use serde::Serialize;

/// A state machine of a role.
pub trait Machine {
    /// Takes in one thing that happened at `now`, and says what is to be done about it. A peer's fault becomes an
    /// output that closes its link; a bug panics.
    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox);

    /// When it wants an [`Input::Wake`], if at all. May change with every call of [`handle`](Self::handle).
    fn wake_at(&self) -> Option<Instant>;

    /// Panics if the state contradicts itself. Called by the simulator, and by debug builds.
    fn check_invariants(&self);
}

/// Names a link for as long as it lives. The machine makes even ones when it dials, the driver odd ones when it accepts;
/// neither is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// An ordered, reliable stream of frames within a link, each with its own flow control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Control messages, either way.
    Control,
    /// The chunks of one tier, from parent to child.
    Data(TierId),
}

/// Which end of a link this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It dialled.
    Dialler,
    /// It accepted.
    Acceptor,
}

/// Why a link ended, or never began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEnd {
    /// The other end closed it.
    Closed(CloseCode),
    /// Nothing came for too long, or nobody answered.
    TimedOut,
    /// Somebody answered with another key than the one expected.
    WrongKey,
    /// It answered, but speaks no version of the protocol that we do.
    Version,
    /// The transport failed; the driver has logged how.
    Failed,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// It is [`Machine::wake_at`] or later.
    Wake,
    /// A link is up: one that was dialled, or one that a peer dialled. `peer` is the name of the key it proved in TLS.
    Linked {
        /// The link.
        link: LinkId,
        /// Who is at the other end.
        peer: PeerId,
        /// Where.
        address: SocketAddr,
        /// Which end this is.
        side: Side,
        /// What only the two ends of this link know.
        binding: Binding,
    },
    /// A link has ended, or a dialled one did not come up. Not sent for links that the machine closed.
    Unlinked {
        /// The link.
        link: LinkId,
        /// Why.
        why: LinkEnd,
    },
    /// A whole frame came, with its length prefix.
    Frame {
        /// On this link.
        link: LinkId,
        /// On this lane.
        lane: Lane,
        /// Prefix and body.
        frame: Bytes,
    },
    /// A frame was larger than its lane allows, or the lane is not one; the driver reads no more from the link.
    Broken {
        /// The link.
        link: LinkId,
    },
    /// So many bytes of [`Output::Send`] on data lanes wait no longer: the transport's send buffer has taken them, or they
    /// were given up, by [`Output::Reset`] or because the peer wants no more of the lane. While the link lives, each byte
    /// is told exactly once.
    Drained {
        /// The link.
        link: LinkId,
        /// Bytes of frames.
        bytes: u64,
    },
    /// The transport's estimate of the round-trip time, about once a second.
    RoundTrip {
        /// The link.
        link: LinkId,
        /// The estimate.
        time: Duration,
    },
    /// Totals of wire bytes (Ethernet to QUIC) over all links since the start, about ten times a second.
    Wire {
        /// Bytes sent.
        sent: u64,
        /// Bytes received.
        received: u64,
    },
    /// The answer to [`Output::Probe`].
    Probed {
        /// Who was looked for.
        peer: PeerId,
        /// Which of the addresses answered with the right key, best first.
        reached: Vec<SocketAddr>,
    },
    /// The machine's own addresses changed, or became known.
    Candidates(Vec<SocketAddr>),
    /// From the person or the media side.
    Command(Command),
}

/// What a sponsor wants of the cloud provider. A relay is named by a number that the machine gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloudOrder {
    /// Plan a relay that sends so much, and start it, within what the person allows.
    Launch {
        /// The relay.
        relay: u64,
        /// Uplink that is missing, in wire bits a second.
        missing: Bitrate,
        /// Where it is near to those whom it is for, the nearest first; none if that is not known.
        near: Vec<RegionName>,
    },
    /// Find out how far the provider's regions are, for others' relays as well.
    Locate,
    /// End it, whatever state it is in.
    Terminate {
        /// The relay.
        relay: u64,
        /// Why.
        why: EndReason,
    },
    /// It has proved itself: by this key it is found and commanded again, whatever becomes of us.
    Pinned {
        /// The relay.
        relay: u64,
        /// The name of its key.
        key: PeerId,
    },
    /// What it has used of its lease, for the meter.
    Used {
        /// The relay.
        relay: u64,
        /// Wire bytes sent.
        sent: u64,
        /// Distinct peers that it feeds.
        serves: u16,
        /// Where it is in its life.
        state: RelayState,
        /// The lease in force, which may have been made longer.
        lease: Lease,
    },
}

/// Why a relay is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// It is not wanted any more, or has left by itself.
    Done,
    /// It has not proved itself in time.
    Late,
    /// It speaks another version of the protocol.
    Version,
    /// It served, and does not answer any more.
    Lost,
    /// The broadcaster has no use for it.
    Unwanted,
}

/// Where a relay is in its life, as its sponsor is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelayState {
    /// The provider was asked to start it.
    Launching,
    /// It starts.
    Booting,
    /// It serves.
    Serving,
    /// It takes nobody more, and ends soon.
    Draining,
    /// It is gone.
    Ended,
}

/// What the cloud provider says.
#[derive(Clone, Debug)]
pub enum CloudNews {
    /// The relay was started, and will be found at these addresses.
    Launched {
        /// The relay.
        relay: u64,
        /// Where.
        addresses: Vec<SocketAddr>,
        /// How long it may run, and how much it may send.
        lease: Lease,
        /// What it will send at most, in wire bits a second.
        uplink: Bitrate,
        /// What it proves itself with.
        secret: EnrolSecret,
    },
    /// So far its regions are: round trips in milliseconds, without those that are too far.
    Located {
        /// By region.
        round_trips: Vec<(RegionName, u16)>,
    },
    /// It could not be started, and nothing is left running.
    Failed {
        /// The relay.
        relay: u64,
        /// Why, in words.
        why: String,
    },
}

/// What the person or the media side wants.
#[derive(Clone, Debug)]
pub enum Command {
    /// Broadcaster: the tiers that packets will come for from now on, lowest first. First of all, and again when the
    /// input's set-up changed.
    Tiers(Vec<TierSetup>),
    /// Broadcaster: a coded frame of a tier, as soon as it is captured.
    Packet {
        /// The tier.
        tier: TierId,
        /// The frame.
        packet: Packet,
    },
    /// Broadcaster: the media clock jumps here; the input paused, looped or reconnected.
    Discontinuity,
    /// Viewer: the answer to a [`Event::SponsorRequest`]; without an id, to the one that is open.
    Answer {
        /// The request.
        id: Option<String>,
        /// Yes or no.
        yes: bool,
    },
    /// Sponsor: from the cloud provider, about a relay that was ordered with [`Output::Cloud`].
    Cloud(CloudNews),
    /// Sponsor: whether relays that serve run on when this person leaves, from now on.
    RunOn(bool),
    /// Sponsor: end this relay; one that serves hands its children over first, one that does so already ends at once.
    EndRelay(u64),
    /// End cleanly: a peer with children forwards until they have moved, at most 2 s. Then comes [`Output::Ended`].
    Leave,
}

/// One tier of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierSetup {
    /// Its number.
    pub tier: TierId,
    /// Its mean rate, measured or asked of the encoder, payload bits a second.
    pub rate: Bitrate,
    /// Its tracks.
    pub tracks: Vec<Track>,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Dial a peer, at all its addresses, and keep the first that answers with its key.
    Dial {
        /// The new link's name.
        link: LinkId,
        /// Whom to expect.
        peer: PeerId,
        /// Best first.
        addresses: Vec<SocketAddr>,
    },
    /// Dial whoever is at one of these addresses, and keep the first that answers, with whatever key: it has yet to prove itself.
    DialAny {
        /// The new link's name.
        link: LinkId,
        /// Best first.
        addresses: Vec<SocketAddr>,
    },
    /// Send a frame (with its prefix). Control lanes are never full; what waits on data lanes is bounded by the machine.
    Send {
        /// On this link; ignored if it has ended.
        link: LinkId,
        /// On this lane.
        lane: Lane,
        /// Prefix and body.
        frame: Bytes,
    },
    /// Give up what waits on a data lane: reset its stream, and begin a new one with the next frame. What is given up is
    /// told by [`Input::Drained`].
    Reset {
        /// The link.
        link: LinkId,
        /// The data lane.
        lane: Lane,
    },
    /// Let the transport take no more of a link's frames than that are under way to its peer, unacknowledged; at first
    /// [`LINK_BACKLOG_MAX`](crate::limits::LINK_BACKLOG_MAX).
    Window {
        /// On this link; ignored if it has ended.
        link: LinkId,
        /// Bytes of all lanes together.
        bytes: u64,
    },
    /// Close a link. Nothing more comes of it.
    Close {
        /// The link.
        link: LinkId,
        /// Why.
        code: CloseCode,
    },
    /// Find out whether a peer can be reached from outside: dial each address from a socket that it has never heard of,
    /// once, and say which answered with the right key. At most 3 Initials an address.
    Probe {
        /// Whom.
        peer: PeerId,
        /// Where.
        addresses: Vec<SocketAddr>,
    },
    /// Viewer: hand this to the outputs, now.
    Play(Play),
    /// Sponsor: ask the cloud provider.
    Cloud(CloudOrder),
    /// Tell the person, or the program that reads `--json`.
    Event(Event),
    /// The machine has ended; nothing more comes.
    Ended(Ended),
}

/// What a viewer plays, in order.
#[derive(Clone, Debug)]
pub enum Play {
    /// The tracks of what follows: at the start, and whenever tier or set-up change. What follows begins with a keyframe.
    Tracks {
        /// The tier.
        tier: TierId,
        /// Its tracks; packets name them by index.
        tracks: Arc<[Track]>,
    },
    /// A coded frame.
    Packet(Packet),
    /// Something is missing here, or the media clock jumps; what follows begins with a keyframe.
    Gap,
}

/// How a machine ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As asked.
    Left,
    /// The broadcaster ended the channel.
    ChannelEnded,
    /// The broadcaster does not admit this viewer.
    Refused(RefuseReason),
    /// Nobody answers at the link's addresses, or not any more for two minutes.
    Unreachable,
    /// Somebody else's key answers at the link's addresses.
    WrongKey,
    /// The broadcaster speaks another version of the protocol.
    Version,
    /// Relay: its lease is over.
    LeaseOver,
    /// Relay: it has sent as much as its lease allows.
    BytesSpent,
    /// Relay: its sponsor has not called while the enrolment secret was good.
    NotEnrolled,
}

/// Where a machine puts its outputs; owned by the driver, emptied after each call.
#[derive(Debug, Default)]
pub struct Outbox {
    outputs: Vec<Output>,
}

impl Outbox {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an output.
    pub fn push(&mut self, output: Output) {
        self.outputs.push(output);
    }

    /// Sends a control message.
    pub fn tell(&mut self, link: LinkId, message: &Message) {
        self.push(Output::Send {
            link,
            lane: Lane::Control,
            frame: message.frame(),
        });
    }

    /// Tells the person.
    pub fn event(&mut self, event: Event) {
        self.push(Output::Event(event));
    }

    /// Takes out what is in it, in order; what it holds is kept for reuse.
    pub fn drain(&mut self) -> impl Iterator<Item = Output> + '_ {
        self.outputs.drain(..)
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }
}
