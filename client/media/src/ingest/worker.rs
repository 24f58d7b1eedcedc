//! Decodes once, and encodes for every tier that needs it, on a thread of its own.

use super::outlet::{Gone, Outlet};
use super::select::{Selected, Selection};
use crate::encode::{self, CLOCK, Coded};
use crate::error::Error;
use banyan_protocol::media::{Packet, TierId};
use ffmpeg_next as ff;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Packets that wait for the decoder, at most: half a second or so. The reader waits when there are more.
const JOBS_MAX: usize = 32;

/// The encoders of one tier.
pub(crate) struct Rendition {
    pub(crate) tier: TierId,
    pub(crate) video: Option<encode::Video>,
    pub(crate) audio: Option<encode::Audio>,
}

/// A coded packet of the input, with times on the media clock.
pub(crate) enum Job {
    Video(ff::Packet),
    Audio(ff::Packet),
}

/// The thread's handle. Dropped, it is told to finish, and waited for.
pub(crate) struct Worker {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread.
    pub(crate) fn start(
        selection: &Selection,
        renditions: Vec<Rendition>,
        outlet: Outlet,
    ) -> Result<Self, Error> {
        let mut work = Work::new(selection, renditions, outlet)?;
        let (jobs, queue) = sync_channel(JOBS_MAX);
        let thread = std::thread::Builder::new()
            .name("encode".into())
            .spawn(move || work.run(&queue))
            .expect("a thread can be started");
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Hands it a packet; waits while it is busy.
    pub(crate) fn job(&self, job: Job) -> Result<(), Gone> {
        let jobs = self.jobs.as_ref().expect("taken by drop only");
        jobs.send(job).map_err(|_| Gone)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the encoding thread panicked");
        }
    }
}

/// What the thread has.
struct Work {
    video: Option<ff::decoder::Video>,
    audio: Option<ff::decoder::Audio>,
    renditions: Vec<Rendition>,
    coded: Vec<Coded>,
    outlet: Outlet,
}

/// Why the thread ends early.
enum Stop {
    Gone,
    Failed(Error),
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Work {
    fn new(selection: &Selection, renditions: Vec<Rendition>, outlet: Outlet) -> Result<Self, Error> {
        let video = renditions.iter().any(|it| it.video.is_some());
        let audio = renditions.iter().any(|it| it.audio.is_some());
        let video = video.then(|| decoder(&selection.video)).transpose()?;
        let audio = match &selection.audio {
            Some(stream) if audio => Some(decoder(stream)?),
            _ => None,
        };
        let failed = Error::during("opening the decoder");
        Ok(Self {
            video: video.map(|it| it.video()).transpose().map_err(&failed)?,
            audio: audio.map(|it| it.audio()).transpose().map_err(&failed)?,
            renditions,
            coded: Vec::new(),
            outlet,
        })
    }

    fn run(&mut self, queue: &Receiver<Job>) {
        match self.work(queue) {
            Ok(()) | Err(Stop::Gone) => (),
            Err(Stop::Failed(error)) => {
                tracing::warn!(%error, "encoding ended");
                // Whoever reads the events has left if this cannot be said.
                let _ = self.outlet.warn(format!("{error}; encoding ended"));
            }
        }
    }

    fn work(&mut self, queue: &Receiver<Job>) -> Result<(), Stop> {
        for job in queue {
            match job {
                // A broken packet costs its frames, not the stream.
                Job::Video(packet) => {
                    let sent = self.video.as_mut().map(|it| it.send_packet(&packet));
                    tracing::trace!(?sent, "video");
                    self.pictures()?;
                }
                Job::Audio(packet) => {
                    let sent = self.audio.as_mut().map(|it| it.send_packet(&packet));
                    tracing::trace!(?sent, "audio");
                    self.sounds()?;
                }
            }
        }
        self.finish()
    }

    fn finish(&mut self) -> Result<(), Stop> {
        if let Some(decoder) = &mut self.video {
            let _ = decoder.send_eof();
            self.pictures()?;
        }
        if let Some(decoder) = &mut self.audio {
            let _ = decoder.send_eof();
            self.sounds()?;
        }
        for rendition in &mut self.renditions {
            if let Some(encoder) = &mut rendition.video {
                encoder.finish(&mut self.coded)?;
                deliver(&self.outlet, rendition.tier, 0, &mut self.coded)?;
            }
            if let Some(encoder) = &mut rendition.audio {
                encoder.finish(&mut self.coded)?;
                deliver(&self.outlet, rendition.tier, 1, &mut self.coded)?;
            }
        }
        Ok(())
    }

    fn pictures(&mut self) -> Result<(), Stop> {
        let mut frame = ff::frame::Video::empty();
        while let Some(decoder) = &mut self.video {
            if decoder.receive_frame(&mut frame).is_err() {
                break;
            }
            let pts = frame.timestamp();
            frame.set_pts(pts);
            for rendition in &mut self.renditions {
                if let Some(encoder) = &mut rendition.video {
                    encoder.frame(&frame, &mut self.coded)?;
                    deliver(&self.outlet, rendition.tier, 0, &mut self.coded)?;
                }
            }
        }
        Ok(())
    }

    fn sounds(&mut self) -> Result<(), Stop> {
        let mut frame = ff::frame::Audio::empty();
        while let Some(decoder) = &mut self.audio {
            if decoder.receive_frame(&mut frame).is_err() {
                break;
            }
            let pts = frame.timestamp();
            frame.set_pts(pts);
            for rendition in &mut self.renditions {
                if let Some(encoder) = &mut rendition.audio {
                    encoder.frame(&mut frame, &mut self.coded)?;
                    deliver(&self.outlet, rendition.tier, 1, &mut self.coded)?;
                }
            }
        }
        Ok(())
    }
}

fn deliver(outlet: &Outlet, tier: TierId, track: u8, coded: &mut Vec<Coded>) -> Result<(), Gone> {
    for coded in coded.drain(..) {
        let packet = Packet {
            track,
            pts: coded.pts,
            dts: coded.dts,
            duration: coded.duration,
            keyframe: coded.keyframe,
            data: coded.data,
        };
        outlet.packet(tier, packet)?;
    }
    Ok(())
}

fn decoder(stream: &Selected) -> Result<ff::decoder::Opened, Error> {
    let failed = Error::during("opening the decoder");
    let codec = ff::decoder::find(stream.codec()).ok_or_else(|| Error::Missing {
        what: format!("{} decoder", stream.codec().name()),
    })?;
    let mut context = ff::codec::Context::from_parameters(stream.parameters.clone()).map_err(&failed)?;
    context.set_threading(ff::threading::Config {
        kind: ff::threading::Type::Frame,
        count: 2,
        ..Default::default()
    });
    context.set_time_base(CLOCK);
    let mut decoder = context.decoder();
    decoder.set_packet_time_base(CLOCK);
    decoder.open_as(codec).map_err(&failed)
}
