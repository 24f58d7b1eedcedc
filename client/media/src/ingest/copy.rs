//! Copying: coded packets of an input to the one form of a tier's packets.

use super::annexb;
use super::select::Selected;
use crate::error::Error;
use crate::sys::{self, BitstreamFilter};
use banyan_protocol::media::{Codec, Kind, Track};
use bytes::Bytes;
use ffmpeg_next as ff;

/// Rewrites the packets of one track.
pub(crate) struct Copier {
    codec: Codec,
    kind: Kind,
    filter: Option<BitstreamFilter>,
    setup: Bytes,
    /// The sequence parameter sets of the first keyframe, if it had any.
    sequence: Vec<u8>,
}

impl Copier {
    /// A copier, if the stream's codec is one that tiers have.
    pub(crate) fn of(stream: &Selected) -> Result<Option<Self>, Error> {
        let failed = Error::during("preparing to copy");
        let extradata = sys::extradata(&stream.parameters);
        let length_prefixed = extradata.first() == Some(&1);
        let (codec, name) = match stream.codec() {
            ff::codec::Id::H264 => (Codec::H264, length_prefixed.then_some(c"h264_mp4toannexb")),
            ff::codec::Id::HEVC => (Codec::H265, length_prefixed.then_some(c"hevc_mp4toannexb")),
            ff::codec::Id::AAC => (Codec::Aac, extradata.is_empty().then_some(c"aac_adtstoasc")),
            _ => return Ok(None),
        };
        let filter = name
            .map(|name| BitstreamFilter::new(name, &stream.parameters))
            .transpose()
            .map_err(failed)?;
        let told = filter.as_ref().map_or(extradata, BitstreamFilter::setup);
        let setup = match codec {
            Codec::Aac => told.to_vec(),
            _ => annexb::parameter_sets(codec, told),
        };
        Ok(Some(Self {
            codec,
            kind: kind(stream, codec),
            setup: setup.into(),
            filter,
            sequence: Vec::new(),
        }))
    }

    /// The track, once its set-up is known.
    pub(crate) fn track(&self) -> Option<Track> {
        (!self.setup.is_empty()).then(|| Track {
            codec: self.codec,
            kind: self.kind.clone(),
            setup: self.setup.clone(),
        })
    }

    /// Looks at a packet for the set-up, without passing it on; a keyframe, if it is video.
    pub(crate) fn learn(&mut self, packet: &ff::Packet) {
        let data = packet.data().unwrap_or_default();
        let sets = self.parameter_sets(data);
        if !sets.is_empty() && self.sequence.is_empty() {
            self.sequence = annexb::sequence_sets(self.codec, &sets);
            self.setup = sets.into();
        }
        if self.codec == Codec::Aac
            && self.setup.is_empty()
            && let Some(filter) = &mut self.filter
            && let Ok(told) = filter.filter(packet.clone())
        {
            self.setup = sys::new_setup(&told).unwrap_or_default().into();
        }
    }

    fn parameter_sets(&self, data: &[u8]) -> Vec<u8> {
        match self.codec {
            Codec::Aac => Vec::new(),
            _ if self.filter.is_some() => Vec::new(),
            codec => annexb::parameter_sets(codec, data),
        }
    }

    /// The sequence parameter sets that it goes by; empty if they are not in the stream.
    pub(crate) fn sequence(&self) -> &[u8] {
        &self.sequence
    }

    /// Whether a keyframe begins another sequence than the one that was announced.
    pub(crate) fn changes(&self, packet: &ff::Packet) -> bool {
        if self.sequence.is_empty() {
            return false;
        }
        let sets = self.parameter_sets(packet.data().unwrap_or_default());
        let sequence = annexb::sequence_sets(self.codec, &sets);
        !sequence.is_empty() && sequence != self.sequence
    }

    /// The packet's bytes in the one form; `None` if it is broken.
    pub(crate) fn copy(&mut self, packet: &ff::Packet) -> Option<Bytes> {
        let filtered = match &mut self.filter {
            Some(filter) => Some(filter.filter(packet.clone()).ok()?),
            None => None,
        };
        let packet = filtered.as_ref().unwrap_or(packet);
        let data = packet.data().filter(|data| !data.is_empty())?;
        Some(match self.codec {
            Codec::H264 | Codec::H265 if packet.is_key() => annexb::with_setup(self.codec, data, &self.setup),
            _ => Bytes::copy_from_slice(data),
        })
    }
}

fn kind(stream: &Selected, codec: Codec) -> Kind {
    match codec {
        Codec::Aac => Kind::Audio {
            sample_rate: stream.shape.sample_rate,
            channels: stream.shape.channels,
        },
        _ => Kind::Video {
            width: stream.shape.width,
            height: stream.shape.height,
            frames_per_1000s: stream.frames_per_1000s,
        },
    }
}
