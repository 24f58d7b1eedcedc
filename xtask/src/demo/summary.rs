//! What the demo showed, in figures.

use super::Channel;
use anyhow::Result;
use banyan_protocol::units::Bitrate;
use rig::scene::Viewer;
use std::time::Duration;

/// Ends everybody, compares the pictures, and prints the figures. What was written stays if something is wrong.
pub(crate) fn print(channel: Channel, victim: &str) -> Result<()> {
    let Channel {
        broadcast,
        source,
        viewers,
        clip,
        since,
        stage,
        net,
        ..
    } = channel;
    let survivors: Vec<&Viewer> = viewers.iter().filter(|viewer| viewer.name() != victim).collect();
    let sent = broadcast
        .program
        .events()
        .newest("stats")
        .map_or(0, |stats| stats.number("up_bytes"));
    let airtime = banyan_protocol::time::Duration::from_micros(since.elapsed().as_micros() as u64);
    let copy = received(&survivors)?;
    for viewer in &survivors {
        viewer.watch.program.stop(Duration::from_secs(10))?;
    }
    let rounds = since.elapsed().as_secs() as u32 / clip.seconds + 2;
    let input = clip.frames(rounds)?;
    println!("\nSummary, after {victim} was killed and a relay was sponsored");
    print_viewers(&survivors)?;
    let rate = Bitrate::of(sent, airtime);
    println!(
        "  the broadcaster sent {rate}: {:.1} copies for {} viewers",
        ratio(rate, copy),
        viewers.len()
    );
    print_relay(&survivors);
    let mut identical = true;
    for viewer in &survivors {
        if !viewer.watch.program.events().all("tier").is_empty() {
            println!(
                "  frames of {:<6} of two qualities, one after the other",
                viewer.name()
            );
            continue;
        }
        let same = viewer.watch.check_frames(&input);
        identical &= same.is_ok();
        let verdict = same.map_or_else(
            |error| format!("{error:#}"),
            |()| "identical to the input's".into(),
        );
        println!("  frames of {:<6} {verdict}", viewer.name());
    }
    drop((viewers, broadcast, source, net));
    println!(
        "\nYour own channel: `cargo build --release -p banyan`, then `target/release/banyan broadcast test:`."
    );
    if identical {
        stage.passed();
    }
    Ok(())
}

/// What came of the question whether somebody sponsors.
fn print_relay(survivors: &[&Viewer]) {
    let told = survivors.iter().flat_map(|viewer| {
        let told = viewer.watch.program.events().all("sponsoring");
        told.into_iter().map(|event| (viewer.name().to_owned(), event))
    });
    let told: Vec<_> = told.collect();
    let served = told
        .iter()
        .find(|(_, event)| event.fields["click_to_serving_ms"].is_u64());
    let Some((name, first)) = served else {
        return println!("  nobody sponsored a relay");
    };
    let most = told.iter().map(|(_, event)| event.number("serves")).max();
    println!(
        "  {name} sponsored a relay: it served {} ms after the yes, and {} viewers at most",
        first.number("click_to_serving_ms"),
        most.unwrap_or_default()
    );
}

fn print_viewers(survivors: &[&Viewer]) -> Result<()> {
    for viewer in survivors {
        let (stats, startup) = (viewer.watch.stats()?, viewer.watch.playing(Duration::ZERO)?);
        let gaps: Vec<u64> = viewer
            .watch
            .program
            .events()
            .all("repaired")
            .iter()
            .map(|event| event.number("gap_ms"))
            .collect();
        let (stalls, lost) = (stats.number("stalls"), stats.number("blocks_lost"));
        let repaired = gaps.iter().max().map_or(String::new(), |most| {
            format!(", {} stripes repaired, the longest gap {most} ms", gaps.len())
        });
        println!(
            "  {:<6} started in {startup} ms, {stalls} stalls, {lost} blocks lost{repaired}",
            viewer.name()
        );
    }
    Ok(())
}

/// What one viewer receives, over its last ten seconds: a copy, on the wire.
fn received(survivors: &[&Viewer]) -> Result<Bitrate> {
    let rates: Vec<Bitrate> = survivors.iter().filter_map(|viewer| rate_of(viewer)).collect();
    anyhow::ensure!(!rates.is_empty(), "nobody reported for ten seconds");
    Ok(Bitrate(
        rates.iter().map(|rate| rate.as_bps()).sum::<u64>() / rates.len() as u64,
    ))
}

fn rate_of(viewer: &Viewer) -> Option<Bitrate> {
    let stats = viewer.watch.program.events().all("stats");
    let (last, first) = (stats.last()?, stats.get(stats.len().checked_sub(11)?)?);
    let time = last.number("t") - first.number("t");
    let bytes = last.number("down_bytes") - first.number("down_bytes");
    Some(Bitrate::of(
        bytes,
        banyan_protocol::time::Duration::from_millis(time),
    ))
}

fn ratio(of: Bitrate, to: Bitrate) -> f64 {
    of.as_bps() as f64 / to.as_bps().max(1) as f64
}
