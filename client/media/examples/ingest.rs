//! Writes the top tier of an input, or the one asked for, to a transport stream: `ingest INPUT OUT.ts [TIER]`.
//! `INGEST_MODE` is `copy` or `transcode`, `INGEST_LOOP` loops, `INGEST_SECONDS` ends it early.

use anyhow::{Context as _, Result};
use banyan_media::ingest::{self, IngestEvent, Mode, Options};
use banyan_media::output::TsWriter;
use banyan_protocol::io::Play;
use banyan_protocol::media::TierId;
use std::fs::File;
use std::time::{Duration, Instant};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let input = arguments.next().context("an input, please")?;
    let output = arguments.next().context("an output file, please")?;
    let asked = arguments.next().map(|tier| tier.parse()).transpose()?;
    let mut writer = TsWriter::new(File::create(output)?);
    let ingest = ingest::open(&input, options())?;
    let end = Instant::now() + seconds()?;
    let mut shown = TierId(0);
    for event in ingest.events() {
        match event {
            IngestEvent::Tiers(tiers) => {
                for setup in &tiers {
                    eprintln!("tier {} {} {:?}", setup.tier, setup.rate, setup.tracks);
                }
                let top = tiers.last().context("an input has a tier")?;
                let wanted = asked.map(TierId);
                let setup = tiers.iter().find(|it| Some(it.tier) == wanted).unwrap_or(top);
                shown = setup.tier;
                writer.play(&Play::Tracks {
                    tier: setup.tier,
                    tracks: setup.tracks.clone().into(),
                })?;
            }
            IngestEvent::Packet { tier, packet } if tier == shown => {
                writer.play(&Play::Packet(packet))?;
            }
            IngestEvent::Packet { .. } => (),
            IngestEvent::Discontinuity => writer.play(&Play::Gap)?,
            IngestEvent::Failed(error) => return Err(error.into()),
            other => eprintln!("{other:?}"),
        }
        if Instant::now() > end {
            break;
        }
    }
    writer.finish()?;
    Ok(())
}

fn options() -> Options {
    let mode = match std::env::var("INGEST_MODE").as_deref() {
        Ok("copy") => Mode::Copy,
        Ok("transcode") => Mode::Transcode,
        _ => Mode::Auto,
    };
    Options {
        loop_file: std::env::var_os("INGEST_LOOP").is_some(),
        mode,
    }
}

fn seconds() -> Result<Duration> {
    Ok(match std::env::var("INGEST_SECONDS") {
        Ok(seconds) => Duration::from_secs_f64(seconds.parse()?),
        Err(_) => Duration::from_secs(3600),
    })
}
