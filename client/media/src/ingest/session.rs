//! One opened input, from its first keyframe to its end.

use super::copy::Copier;
use super::outlet::{Gone, Outlet};
use super::plan::{self, Facts, Tier, Work};
use super::rate::Drift;
use super::scan::Keyframes;
use super::select::Selection;
use super::source::Source;
use super::timeline::Timeline;
use super::undated::Undated;
use super::worker::{Job, Rendition, Worker};
use super::{IngestEvent, Mode};
use crate::encode::{self, CLOCK};
use crate::error::Error;
use banyan_protocol::io::TierSetup;
use banyan_protocol::media::{Packet, TierId};
use banyan_protocol::units::Bitrate;
use ffmpeg_next as ff;

/// A packet of the input with its times in 1/90,000 s: on the input's own clock first, then on the media clock.
pub(crate) struct Timed {
    pub(crate) track: u8,
    pub(crate) dts: i64,
    pub(crate) pts: i64,
    pub(crate) packet: ff::Packet,
}

impl Timed {
    /// Times a packet, if it is of a selected stream and has a time.
    pub(crate) fn of(mut packet: ff::Packet, selection: &Selection, undated: &mut Undated) -> Option<Self> {
        let (track, stream) = if packet.stream() == selection.video.index {
            (0, &selection.video)
        } else {
            let audio = selection.audio.as_ref()?;
            (packet.stream() == audio.index).then_some((1, audio))?
        };
        packet.rescale_ts(stream.time_base, CLOCK);
        let held_back = i64::from(stream.shape.held_back);
        let dts = match (packet.dts(), packet.pts()) {
            (None, Some(pts)) if track == 0 => undated.decoded_at(pts, packet.duration(), held_back),
            (dts, pts) => dts.or(pts)?,
        };
        if track == 0 && packet.dts().is_some() {
            undated.dated();
        }
        let pts = packet.pts().unwrap_or(dts);
        Some(Self {
            track,
            dts,
            pts,
            packet,
        })
    }

    /// Moves it to the media clock.
    pub(crate) fn moved(self, timeline: &Timeline) -> Self {
        let (dts, pts) = (timeline.map(self.dts), timeline.map(self.pts));
        self.at(dts, pts)
    }

    /// Moves it back to the input's clock.
    pub(crate) fn moved_back(self, timeline: &Timeline) -> Self {
        let (dts, pts) = (timeline.unmap(self.dts), timeline.unmap(self.pts));
        self.at(dts, pts)
    }

    fn at(mut self, dts: i64, pts: i64) -> Self {
        (self.dts, self.pts) = (dts, pts);
        self.packet.set_dts(Some(dts));
        self.packet.set_pts(Some(pts));
        self
    }

    pub(crate) fn is_keyframe(&self) -> bool {
        self.track == 0 && self.packet.is_key()
    }
}

/// What is made of the input, as decided at its first keyframe.
pub(crate) struct Session {
    tiers: Vec<Tier>,
    setups: Vec<TierSetup>,
    video: Option<Copier>,
    audio: Option<Copier>,
    worker: Option<Worker>,
    outlet: Outlet,
    keyframes: Keyframes,
    drift: Drift,
    keyframes_are: Keyframing,
}

/// Whether a copied picture's keyframes are often enough.
#[derive(Clone, Copy, PartialEq)]
enum Keyframing {
    /// Nobody asks.
    Ignored,
    /// So far.
    Watched,
    /// They are not; the session ends at the next one.
    Rare,
}

/// What a packet means for the session.
pub(crate) enum Verdict {
    /// It was passed on.
    Fine,
    /// The picture must be encoded from now on: keyframes are too rare to copy it.
    KeyframesRare,
    /// Encoding has ended, and nothing is copied.
    NothingLeft,
}

impl Session {
    /// Decides what to do, and opens encoders. `learned` has seen the first packets.
    pub(crate) fn new(
        source: &Source,
        selection: &Selection,
        mode: Mode,
        facts: Facts,
        learned: Learned,
        outlet: Outlet,
    ) -> Result<Self, Error> {
        let copied = plan::copies(&selection.video, mode, facts).is_ok() && learned.has_video();
        if mode == Mode::Copy && !copied {
            return Err(Error::NotCopyable {
                input: source.name.clone(),
                codec: selection.video.codec().name().into(),
            });
        }
        let mut tiers = plan::tiers(selection, mode, copied, facts, source.wish);
        if !learned.has_audio() {
            tiers.iter_mut().for_each(without_copied_sound);
        }
        let mut session = Self {
            setups: Vec::new(),
            video: learned.video.filter(|_| copied),
            audio: learned.audio.filter(|_| copied),
            worker: None,
            outlet,
            keyframes: Keyframes::default(),
            drift: Drift::default(),
            keyframes_are: if mode == Mode::Auto && copied {
                Keyframing::Watched
            } else {
                Keyframing::Ignored
            },
            tiers,
        };
        let renditions = session.open_encoders()?;
        if renditions
            .iter()
            .any(|it| it.video.is_some() || it.audio.is_some())
        {
            let worker = Worker::start(selection, renditions, session.outlet.clone())?;
            session.worker = Some(worker);
        }
        Ok(session)
    }

    /// Opens what each tier needs, and notes the tracks that come of it.
    fn open_encoders(&mut self) -> Result<Vec<Rendition>, Error> {
        let mut renditions = Vec::new();
        for tier in &self.tiers {
            let video = match &tier.video {
                Work::Copy => None,
                Work::Encode(settings) => Some(encode::Video::open(settings.clone())?),
            };
            let audio = match &tier.audio {
                Some(Work::Encode(settings)) => Some(encode::Audio::open(settings.clone())?),
                _ => None,
            };
            let copied = |copier: &Option<Copier>| copier.as_ref().and_then(Copier::track);
            let mut tracks = Vec::new();
            tracks.extend(
                video
                    .as_ref()
                    .map_or_else(|| copied(&self.video), |it| Some(it.track())),
            );
            if tier.audio.is_some() {
                tracks.extend(
                    audio
                        .as_ref()
                        .map_or_else(|| copied(&self.audio), |it| Some(it.track())),
                );
            }
            self.setups.push(TierSetup {
                tier: tier.tier,
                rate: tier.rate,
                tracks,
            });
            renditions.push(Rendition {
                tier: tier.tier,
                video,
                audio,
            });
        }
        Ok(renditions)
    }

    /// What is to be announced.
    pub(crate) fn setups(&self) -> &[TierSetup] {
        &self.setups
    }

    /// Keeps rates that were announced before if they are nearly right, so that a short break changes nothing.
    pub(crate) fn keep_rates(&mut self, announced: &[TierSetup]) {
        let same = |a: &TierSetup, b: &TierSetup| a.tier == b.tier && a.tracks == b.tracks;
        for setup in &mut self.setups {
            let before = announced.iter().find(|before| same(before, setup));
            if let Some(before) = before
                && setup.rate <= before.rate.percent(120)
                && setup.rate >= before.rate.percent(75)
            {
                setup.rate = before.rate;
            }
        }
    }

    /// Whether the next keyframe is to begin another session.
    pub(crate) fn is_over(&self) -> bool {
        self.keyframes_are == Keyframing::Rare
    }

    /// Whether a packet begins a picture that is coded otherwise than announced.
    pub(crate) fn changes(&self, timed: &Timed) -> bool {
        let video = self.video.as_ref().filter(|_| timed.is_keyframe());
        video.is_some_and(|video| video.changes(&timed.packet))
    }

    /// Passes a packet on, whose times are on the media clock.
    pub(crate) fn packet(&mut self, timed: Timed) -> Result<Verdict, Gone> {
        let mut verdict = Verdict::Fine;
        if timed.track == 0 {
            self.keyframes.frame(timed.dts, timed.packet.is_key());
            let apart = self.keyframes.since_last();
            if self.keyframes_are == Keyframing::Watched && apart > plan::KEYFRAMES_APART_MAX {
                self.keyframes_are = Keyframing::Rare;
                verdict = Verdict::KeyframesRare;
            }
        }
        self.copy(&timed)?;
        let encoding = self.worker.as_ref().is_none_or(|worker| {
            let job = match timed.track {
                0 => Job::Video(timed.packet),
                _ => Job::Audio(timed.packet),
            };
            worker.job(job).is_ok()
        });
        if !encoding {
            // It has said why; what is copied goes on without it.
            self.worker = None;
            if !self.tiers.iter().any(|tier| tier.video == Work::Copy) {
                return Ok(Verdict::NothingLeft);
            }
        }
        Ok(verdict)
    }

    fn copy(&mut self, timed: &Timed) -> Result<(), Gone> {
        let copies = |tier: &&Tier| match timed.track {
            0 => tier.video == Work::Copy,
            _ => tier.audio == Some(Work::Copy),
        };
        let Some(tier) = self.tiers.iter().find(copies).map(|tier| tier.tier) else {
            return Ok(());
        };
        self.measure(tier, timed)?;
        let copier = match timed.track {
            0 => &mut self.video,
            _ => &mut self.audio,
        };
        let Some(data) = copier.as_mut().and_then(|copier| copier.copy(&timed.packet)) else {
            return Ok(());
        };
        let packet = Packet {
            track: timed.track,
            pts: timed.pts,
            dts: timed.dts,
            duration: timed.packet.duration().clamp(0, i64::from(u32::MAX)) as u32,
            keyframe: timed.track == 1 || timed.packet.is_key(),
            data,
        };
        self.outlet.packet(tier, packet)
    }

    /// Measures a copied tier's rate, and announces it anew, before a keyframe, when it is far from what was announced.
    fn measure(&mut self, tier: TierId, timed: &Timed) -> Result<(), Gone> {
        self.drift.add(timed.dts, timed.packet.size());
        if !timed.is_keyframe() {
            return Ok(());
        }
        let Some(setup) = self.setups.iter_mut().find(|setup| setup.tier == tier) else {
            return Ok(());
        };
        let encoded = encoded_sound(&self.tiers, tier);
        let Some(measured) = self.drift.from(setup.rate, timed.dts, encoded) else {
            return Ok(());
        };
        tracing::info!(was = %setup.rate, is = %measured, "the input's rate changed");
        setup.rate = measured;
        self.outlet.event(IngestEvent::Tiers(self.setups.clone()))
    }
}

fn encoded_sound(tiers: &[Tier], id: TierId) -> Bitrate {
    let tier = tiers.iter().find(|tier| tier.tier == id);
    match tier.and_then(|tier| tier.audio.as_ref()) {
        Some(Work::Encode(settings)) => settings.rate,
        _ => Bitrate::ZERO,
    }
}

/// Sound that was announced but hasn't come cannot be copied, as its set-up comes with it.
fn without_copied_sound(tier: &mut Tier) {
    if tier.audio == Some(Work::Copy) {
        tier.audio = None;
    }
}

/// What the first packets tell about the streams' set-up.
pub(crate) struct Learned {
    video: Option<Copier>,
    audio: Option<Copier>,
}

impl Learned {
    pub(crate) fn new(selection: &Selection) -> Result<Self, Error> {
        let audio = selection.audio.as_ref().map(Copier::of).transpose()?;
        Ok(Self {
            video: Copier::of(&selection.video)?,
            audio: audio.flatten(),
        })
    }

    /// Learns from a packet: a keyframe, or sound.
    pub(crate) fn packet(&mut self, timed: &Timed) {
        let copier = match timed.track {
            0 => &mut self.video,
            _ => &mut self.audio,
        };
        if let Some(copier) = copier {
            copier.learn(&timed.packet);
        }
    }

    /// The sequence parameter sets found in the stream.
    pub(crate) fn sequence(&self) -> &[u8] {
        self.video.as_ref().map_or(&[], Copier::sequence)
    }

    fn has_video(&self) -> bool {
        self.video.as_ref().is_some_and(|it| it.track().is_some())
    }

    /// Whether sound can be copied, or needs no copier.
    pub(crate) fn has_audio(&self) -> bool {
        self.audio.as_ref().is_none_or(|it| it.track().is_some())
    }
}
