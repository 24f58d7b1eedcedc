//! HLS (RFC 8216): segments of fragmented MP4, and the playlist that names them.

use super::Error;
use super::codecs;
use super::mux::Muxer;
use banyan_protocol::io::Play;
use banyan_protocol::media::{Packet, Track};
use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

/// Segments in the playlist.
const LISTED: usize = 8;

/// Segments kept for players that read an older playlist.
const KEPT: usize = LISTED + 4;

/// A segment ends at the first keyframe after so much of it, in 1/90,000 s: a little under a second, so that keyframes a
/// second apart give segments of a second.
const SEGMENT_MIN: i64 = 81_000;

/// Units of the media clock in a second.
const HZ: f64 = 90_000.0;

/// Cuts what is played into segments, and keeps the last of them in memory.
///
/// The playlist names initialisations `init-N.mp4` and segments `segment-N.m4s`, relative to itself. Segments begin with
/// keyframes; their times are those of the media clock, so that a page may append them in any player's buffer as they are.
#[derive(Default)]
pub struct HlsSegmenter {
    tracks: Arc<[Track]>,
    muxer: Option<Muxer>,
    open: Option<Open>,
    inits: VecDeque<(u64, Bytes)>,
    next_init: u64,
    segments: VecDeque<Segment>,
    next_segment: u64,
    discontinuities_gone: u64,
    discontinuous: bool,
    longest_s: u64,
    ended: bool,
}

/// The segment that is being filled.
struct Open {
    begins: i64,
    ends: i64,
}

/// A finished one.
struct Segment {
    number: u64,
    init: u64,
    seconds: f64,
    discontinuous: bool,
    data: Bytes,
}

impl HlsSegmenter {
    /// One without segments yet.
    pub fn new() -> Self {
        Self {
            longest_s: 1,
            ..Self::default()
        }
    }

    /// Takes in the next thing that is played. Fails if FFmpeg cannot mux it; nothing may follow then.
    pub fn play(&mut self, play: &Play) -> Result<(), Error> {
        match play {
            Play::Tracks { tracks, .. } if *tracks == self.tracks => Ok(()),
            Play::Tracks { tracks, .. } => {
                self.cut(None)?;
                self.tracks = Arc::clone(tracks);
                self.renew()
            }
            Play::Gap => {
                self.cut(None)?;
                self.renew()
            }
            Play::Packet(packet) => self.packet(packet),
        }
    }

    /// Finishes the last segment; the playlist says that nothing more comes.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.cut(None)?;
        self.muxer = None;
        self.ended = true;
        Ok(())
    }

    /// Whether the playlist has a segment.
    pub fn is_ready(&self) -> bool {
        !self.segments.is_empty()
    }

    /// The codecs of what is played now, as a browser wants them (RFC 6381): `avc1.4d401e,mp4a.40.2`.
    pub fn codecs(&self) -> String {
        codecs::names(&self.tracks)
    }

    /// The number of the newest segment, if there is one.
    pub fn newest(&self) -> Option<u64> {
        self.segments.back().map(|segment| segment.number)
    }

    /// The initialisation that a segment needs, by number.
    pub fn init_of(&self, segment: u64) -> Option<u64> {
        self.find(segment).map(|segment| segment.init)
    }

    /// An initialisation, by number.
    pub fn init(&self, number: u64) -> Option<Bytes> {
        let found = self.inits.iter().find(|(init, _)| *init == number);
        found.map(|(_, data)| data.clone())
    }

    /// A segment, by number.
    pub fn segment(&self, number: u64) -> Option<Bytes> {
        self.find(number).map(|segment| segment.data.clone())
    }

    /// What the playlist names `name`: an initialisation or a segment.
    pub fn file(&self, name: &str) -> Option<Bytes> {
        let number = |prefix, suffix| {
            let digits = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
            digits.parse().ok()
        };
        match number("init-", ".mp4") {
            Some(number) => self.init(number),
            None => self.segment(number("segment-", ".m4s")?),
        }
    }

    /// The playlist, to be served as `application/vnd.apple.mpegurl`. Without segments until [`is_ready`](Self::is_ready).
    pub fn playlist(&self) -> String {
        let skipped = self.segments.len().saturating_sub(LISTED);
        let gone = self.segments.iter().take(skipped);
        let discontinuities = self.discontinuities_gone + gone.filter(|it| it.discontinuous).count() as u64;
        let first = self.segments.get(skipped);
        let number = first.map_or(self.next_segment, |segment| segment.number);
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{number}\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}\n#EXT-X-INDEPENDENT-SEGMENTS\n",
            self.longest_s,
        );
        let mut init = None;
        for segment in self.segments.iter().skip(skipped) {
            segment.list(&mut text, &mut init);
        }
        if self.ended {
            text += "#EXT-X-ENDLIST\n";
        }
        text
    }

    fn find(&self, number: u64) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.number == number)
    }

    fn packet(&mut self, packet: &Packet) -> Result<(), Error> {
        let is_video = self
            .tracks
            .get(usize::from(packet.track))
            .is_some_and(Track::is_video);
        let begins = is_video && packet.keyframe;
        match &self.open {
            None if !begins => return Ok(()),
            Some(open) if begins && packet.dts - open.begins >= SEGMENT_MIN => {
                self.cut(Some(packet.dts))?;
            }
            _ => (),
        }
        let open = self.open.get_or_insert(Open {
            begins: packet.dts,
            ends: packet.dts,
        });
        if is_video {
            open.ends = packet.dts + i64::from(packet.duration);
        }
        if let Some(muxer) = &mut self.muxer {
            muxer.packet(packet)?;
        }
        Ok(())
    }

    /// Ends the open segment, where the next begins at `next` if that is known.
    fn cut(&mut self, next: Option<i64>) -> Result<(), Error> {
        let (Some(open), Some(muxer)) = (self.open.take(), &mut self.muxer) else {
            return Ok(());
        };
        let data = Bytes::from(muxer.take()?);
        let seconds = (next.unwrap_or(open.ends) - open.begins).max(1) as f64 / HZ;
        self.longest_s = self.longest_s.max(seconds.round() as u64);
        self.segments.push_back(Segment {
            number: self.next_segment,
            init: self.next_init.saturating_sub(1),
            seconds,
            discontinuous: std::mem::take(&mut self.discontinuous),
            data,
        });
        self.next_segment += 1;
        self.forget();
        Ok(())
    }

    /// Lets go of segments that nobody asks for any more, and of initialisations that no segment needs.
    fn forget(&mut self) {
        while self.segments.len() > KEPT {
            let gone = self.segments.pop_front().expect("there are more than some");
            self.discontinuities_gone += u64::from(gone.discontinuous);
        }
        let oldest = self.segments.front().map_or(0, |segment| segment.init);
        self.inits.retain(|(number, _)| *number >= oldest);
    }

    /// Begins anew: other tracks, or a jump of the clock.
    fn renew(&mut self) -> Result<(), Error> {
        let options = [
            (
                "movflags",
                "frag_custom+empty_moov+default_base_moof+frag_discont",
            ),
            ("use_editlist", "0"),
            ("avoid_negative_ts", "disabled"),
        ];
        let mut muxer = Muxer::new("mp4", &options, &self.tracks)?;
        let init = Bytes::from(muxer.take()?);
        self.muxer = Some(muxer);
        self.discontinuous = self.next_segment > 0;
        if self.inits.back().map(|(_, last)| last) != Some(&init) {
            self.inits.push_back((self.next_init, init));
            self.next_init += 1;
        }
        Ok(())
    }
}

impl Segment {
    fn list(&self, text: &mut String, init: &mut Option<u64>) {
        if self.discontinuous {
            *text += "#EXT-X-DISCONTINUITY\n";
        }
        if *init != Some(self.init) {
            *init = Some(self.init);
            writeln!(text, "#EXT-X-MAP:URI=\"init-{}.mp4\"", self.init).expect("a string takes all");
        }
        let (seconds, number) = (self.seconds, self.number);
        writeln!(text, "#EXTINF:{seconds:.5},\nsegment-{number}.m4s").expect("a string takes all");
    }
}
