//! A broadcaster and viewers at home: everybody at full quality, nothing lost, for as long as nothing fails.

use anyhow::Result;
use rig::Wire;
use rig::scene::{PLAYS, Scene, Viewer, is_long};
use rig::verdict::Verdict;
use std::time::{Duration, Instant};

/// What eight viewers can give, in slots.
const SLOTS: [u64; 8] = [12, 8, 5, 4, 2, 1, 0, 0];

/// The broadcaster's uplink: three copies.
const SOURCE: u64 = 15;

#[test]
fn eight_viewers_of_unequal_uplinks_see_everything() -> Result<()> {
    let scene = Scene::open("home", Wire::Bridge, SOURCE, &[])?;
    let mut verdict = Verdict::of("home");
    let viewers = join_all(&scene, &mut verdict)?;
    all_full(&viewers, Duration::from_secs(10), &mut verdict);
    watch_for(if is_long() { 300 } else { 30 }, &viewers)?;
    check_calm(&scene, &viewers, &mut verdict)?;
    scene.check_pictures(&viewers, &mut verdict)?;
    drop(viewers);
    scene.close(verdict)
}

/// One after the other, each when the one before has settled: crowds are another scenario.
fn join_all(scene: &Scene, verdict: &mut Verdict) -> Result<Vec<Viewer>> {
    let (mut viewers, mut startups) = (Vec::new(), Vec::new());
    for (n, slots) in SLOTS.into_iter().enumerate() {
        let viewer = scene.viewer(&format!("viewer{n}"), slots)?;
        startups.push(viewer.watch.playing(PLAYS)?);
        verdict.check(viewer.settled(PLAYS));
        viewers.push(viewer);
    }
    verdict.p95_at_most("startup_ms", &startups, 1_000);
    Ok(viewers)
}

fn all_full(viewers: &[Viewer], within: Duration, verdict: &mut Verdict) {
    let joined = Instant::now();
    for viewer in viewers {
        verdict.check(viewer.full(within.saturating_sub(joined.elapsed())));
    }
    verdict.note("full after the last join, ms", joined.elapsed().as_millis());
}

/// Lets `seconds` of reports pass.
fn watch_for(seconds: u64, viewers: &[Viewer]) -> Result<()> {
    let enough: Vec<u64> = viewers
        .iter()
        .map(|viewer| Ok(viewer.watch.stats()?.number("t") + seconds * 1000))
        .collect::<Result<_>>()?;
    for (viewer, enough) in viewers.iter().zip(enough) {
        let over = |stats: &rig::Event| stats.number("t") >= enough;
        viewer
            .watch
            .program
            .wait("stats", Duration::from_secs(seconds + 10), over)?;
    }
    Ok(())
}

fn check_calm(scene: &Scene, viewers: &[Viewer], verdict: &mut Verdict) -> Result<()> {
    for (name, traffic) in scene.traffic(viewers)? {
        verdict.at_most(&format!("drops of {name}, %"), traffic.drop_share() * 100.0, 0.1);
    }
    for viewer in viewers {
        verdict.check(viewer.check_unharmed());
        let arrival = viewer.watch.stats()?.number("arrival_ms_p99");
        verdict.at_most(&format!("arrival_ms_p99 of {}", viewer.name()), arrival, 1_200);
        let repaired = viewer.watch.program.events().all("repaired");
        verdict.expect(repaired.is_empty(), || {
            format!("{}: {} `repaired`", viewer.name(), repaired.len())
        });
    }
    Ok(())
}
