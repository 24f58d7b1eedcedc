//! The tier that is shown: its blocks become packets, in order.

use crate::io::Play;
use crate::media::join::Join;
use crate::media::reassemble::Reassembled;
use crate::media::record::{Decoder, Record};
use crate::media::{Packet, TierId, Track};
use crate::time::{ChannelTime, Duration};
use crate::wire::chunk::Flags;
use crate::wire::layout::Layout;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The tier that is shown, and how far it is.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) tier: TierId,
    /// The next block to be played.
    pub(super) next: u64,
    /// The last one that was played and begins a keyframe.
    pub(super) keyframe: Option<u64>,
    /// When the last one was due; the next is not due earlier.
    pub(super) last_due: ChannelTime,
    layout: Option<u32>,
    decoder: Decoder,
    pub(super) output: Output,
}

impl Shown {
    /// Begins to show `tier` at the keyframe block `start`. `after` is the output of what was shown before, `same_clock`
    /// whether the media clock goes on.
    pub(super) fn new(tier: TierId, start: u64, after: Option<Output>, same_clock: bool, join: Join) -> Self {
        Self {
            tier,
            next: start,
            keyframe: None,
            last_due: ChannelTime::default(),
            layout: None,
            decoder: Decoder::joining(join),
            output: Output::after(after, same_clock),
        }
    }

    /// When the next block is due, if it was captured at `captured`.
    pub(super) fn due(&self, captured: ChannelTime, buffer: Duration) -> ChannelTime {
        (captured + buffer).max(self.last_due)
    }

    /// Plays the next block, which was made by `layout` and is due at `due`.
    pub(super) fn play(
        &mut self,
        next: &Reassembled,
        layout: &Layout,
        due: ChannelTime,
        out: &mut Vec<Play>,
    ) {
        debug_assert_eq!(next.block.number, self.next, "blocks are played in order");
        if self.layout != Some(next.layout) {
            self.enter(next.layout, layout);
        }
        if next.block.flags.has(Flags::KEYFRAME) {
            self.keyframe = Some(self.next);
        }
        let output = &mut self.output;
        if self
            .decoder
            .feed(&next.block.body, |record| output.take(record, out))
            .is_err()
        {
            // The broadcaster signed what cannot be read: as if it had not come.
            self.output.gap();
        }
        self.next += 1;
        self.last_due = due;
    }

    /// Goes on at `block`, a later one than the next: what lies between never came.
    pub(super) fn skip_to(&mut self, block: u64) {
        self.decoder.reset();
        self.output.gap();
        self.next = block;
    }

    fn enter(&mut self, number: u32, layout: &Layout) {
        let tracks = layout.tier(self.tier).map_or(&[][..], |tier| &tier.tracks);
        if self.layout.is_none() || *tracks != *self.output.tracks {
            self.decoder.reset();
            self.output.change(self.tier, tracks);
        }
        self.layout = Some(number);
    }
}

/// Hands packets over: says what tracks they are of, where something is missing, and cuts where tiers meet.
#[derive(Debug)]
pub(super) struct Output {
    tier: TierId,
    pub(super) tracks: Arc<[Track]>,
    /// Tracks must be told before the next packet.
    announce: bool,
    /// A gap must be told before the next packet.
    gap: bool,
    /// Whether anything was handed over before.
    begun: bool,
    /// Where it began, or began again: pictures shown earlier lack what they were made from.
    start: Option<i64>,
    /// The latest picture, or without a picture sound, that was handed over.
    latest: Option<i64>,
    /// The latest sound that was handed over.
    latest_sound: Option<i64>,
    /// Sound up to there was handed over by the tier shown before.
    sound_after: Option<i64>,
    /// Packets from there on are held, because another tier is to take over.
    cut: Option<i64>,
    held: Vec<Play>,
    /// The media clock jumped, or reading began anew, among what is held: all that follows is held too.
    holds_all: bool,
    /// Whether all that the other tier does not show has been handed over.
    is_past_cut: bool,
}

impl Output {
    fn after(before: Option<Self>, same_clock: bool) -> Self {
        let tracks: Arc<[Track]> = before
            .as_ref()
            .map_or_else(|| Arc::from([]), |before| before.tracks.clone());
        let clock = before.as_ref().filter(|_| same_clock);
        Self {
            tier: before.as_ref().map_or_else(TierId::default, |before| before.tier),
            tracks,
            announce: before.is_none(),
            gap: before.is_some() && !same_clock,
            begun: before.is_some(),
            start: None,
            latest: clock.and_then(|before| before.latest),
            latest_sound: None,
            sound_after: clock.and_then(|before| before.latest_sound),
            cut: None,
            held: Vec::new(),
            holds_all: false,
            is_past_cut: false,
        }
    }

    /// Whether a keyframe shown at `pts` would be later than all that was handed over.
    pub(super) fn is_before(&self, pts: i64) -> bool {
        self.latest.is_none_or(|latest| latest < pts)
    }

    /// From now on holds what is shown at `pts` or later; or no longer holds anything.
    pub(super) fn cut_at(&mut self, pts: Option<i64>) {
        self.cut = pts;
        self.is_past_cut = false;
        self.holds_all = false;
    }

    /// Whether all that is shown before the cut has been handed over.
    pub(super) fn is_past_cut(&self) -> bool {
        self.is_past_cut
    }

    /// Hands over what was held for a cut that is not made.
    pub(super) fn release(&mut self, out: &mut Vec<Play>) {
        if self.cut.is_none() {
            for play in core::mem::take(&mut self.held) {
                self.hand_over(play, out);
            }
        }
    }

    /// Something is missing before the next packet.
    fn gap(&mut self) {
        self.gap = true;
        self.start = None;
    }

    /// What comes is of other tracks.
    fn change(&mut self, tier: TierId, tracks: &[Track]) {
        if self.tier != tier || *self.tracks != *tracks {
            self.tier = tier;
            self.tracks = tracks.into();
            self.announce = true;
        }
        self.start = None;
    }

    fn take(&mut self, record: Record, out: &mut Vec<Play>) {
        if record.discontinuity && self.begun {
            self.gap();
            (self.latest, self.latest_sound, self.sound_after) = (None, None, None);
        }
        if self.start.is_none() && !self.begin(&record.packet, out) {
            return;
        }
        let packet = record.packet;
        if self.is_wanted(&packet) {
            self.is_past_cut |= self
                .cut
                .is_some_and(|cut| self.is_leading(packet.track) && packet.dts >= cut);
            let hold = self.holds_all || self.cut.is_some_and(|cut| packet.pts >= cut);
            self.emit(Play::Packet(packet), hold, out);
        }
    }

    /// Begins with this packet, if it can.
    fn begin(&mut self, packet: &Packet, out: &mut Vec<Play>) -> bool {
        if !packet.keyframe || !self.is_leading(packet.track) {
            return false;
        }
        self.start = Some(packet.pts);
        self.begun = true;
        self.holds_all = self.cut.is_some() && !self.held.is_empty();
        self.is_past_cut |= self.holds_all;
        if core::mem::take(&mut self.gap) {
            self.emit(Play::Gap, self.holds_all, out);
        }
        if core::mem::take(&mut self.announce) {
            let (tier, tracks) = (self.tier, self.tracks.clone());
            self.emit(Play::Tracks { tier, tracks }, self.holds_all, out);
        }
        true
    }

    fn is_wanted(&self, packet: &Packet) -> bool {
        match self.tracks.get(usize::from(packet.track)) {
            None => false,
            Some(track) if track.is_video() => self.start.is_none_or(|start| packet.pts >= start),
            Some(_) => self.sound_after.is_none_or(|after| packet.pts > after),
        }
    }

    fn emit(&mut self, play: Play, hold: bool, out: &mut Vec<Play>) {
        if hold {
            self.held.push(play);
        } else {
            self.hand_over(play, out);
        }
    }

    fn hand_over(&mut self, play: Play, out: &mut Vec<Play>) {
        if let Play::Packet(packet) = &play {
            if self.is_leading(packet.track) {
                self.latest = self.latest.max(Some(packet.pts));
            }
            if !self.is_video(packet.track) {
                self.latest_sound = self.latest_sound.max(Some(packet.pts));
            }
        }
        out.push(play);
    }

    fn is_video(&self, track: u8) -> bool {
        self.tracks.get(usize::from(track)).is_some_and(Track::is_video)
    }

    /// Whether playing begins by this track: the picture, or without a picture any.
    fn is_leading(&self, track: u8) -> bool {
        self.is_video(track) || !self.tracks.iter().any(Track::is_video)
    }

    pub(super) fn check_invariants(&self) {
        let cuts = self.cut.is_some();
        assert!(
            cuts || !(self.is_past_cut || self.holds_all),
            "only a cut is passed"
        );
    }
}
