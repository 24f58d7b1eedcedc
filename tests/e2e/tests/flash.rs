//! A flash crowd: twelve viewers within one second.

use anyhow::Result;
use rig::Wire;
use rig::scene::{PLAYS, Scene, Viewer, uplink};
use rig::verdict::Verdict;
use std::time::{Duration, Instant};

/// How many come.
const CROWD: u64 = 12;

/// What each can give: a copy and a half, in slots.
const SLOTS: u64 = 7;

/// The broadcaster's uplink: three copies.
const SOURCE: u64 = 15;

#[test]
fn twelve_viewers_come_in_one_second() -> Result<()> {
    let scene = Scene::open("flash", Wire::Bridge, SOURCE, &[])?;
    let mut verdict = Verdict::of("flash");
    let viewers = crowd(&scene)?;
    let startups: Result<Vec<u64>> = viewers.iter().map(|viewer| viewer.watch.playing(PLAYS)).collect();
    let startups = startups?;
    verdict.p95_at_most("startup_ms", &startups, 3_000);
    verdict.at_most(
        "startup_ms, the slowest",
        startups.into_iter().max().unwrap_or_default(),
        3_000,
    );
    for viewer in &viewers {
        verdict.check(viewer.full_again(Duration::from_secs(15)));
    }
    check_broadcaster(&scene, &mut verdict)?;
    drop(viewers);
    scene.close(verdict)
}

/// Viewers at even distances within a second. What each may be asked is seen: `--sponsor ask`.
fn crowd(scene: &Scene) -> Result<Vec<Viewer>> {
    let begun = Instant::now();
    let start = |n: u64| {
        let due = begun + Duration::from_millis(1000 * n / CROWD);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        scene.viewer_with(&format!("viewer{n}"), SLOTS, &["--sponsor", "ask"])
    };
    (0..CROWD).map(start).collect()
}

fn check_broadcaster(scene: &Scene, verdict: &mut Verdict) -> Result<()> {
    let events = scene.broadcast.program.events();
    let asked = events.all("sponsor-asked").len();
    verdict.expect(asked == 0, || format!("{asked} were asked to sponsor"));
    let refused = events.all("viewer-refused").len();
    verdict.expect(refused == 0, || format!("{refused} were refused"));
    verdict.at_most(
        "drops of the broadcaster",
        scene.broadcaster.traffic()?.dropped,
        0,
    );
    let sent: Vec<(u64, u64)> = events
        .all("stats")
        .iter()
        .map(|stats| (stats.number("t"), stats.number("up_bytes")))
        .collect();
    // `up_bytes` is ten times a second: over three seconds it is exact to a thirtieth.
    let rate =
        |reports: &[(u64, u64)]| (reports[3].1 - reports[0].1) * 8_000 / (reports[3].0 - reports[0].0).max(1);
    let fastest = sent.windows(4).map(rate).max().unwrap_or_default();
    let most = uplink(scene.slot, SOURCE).as_bps();
    verdict.at_most(
        "the broadcaster's fastest second, kbit/s",
        fastest / 1000,
        most * 102 / 100_000,
    );
    Ok(())
}
