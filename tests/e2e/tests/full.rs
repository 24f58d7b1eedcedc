//! Capacity is short: people are asked, then refused or served at a lower quality, and get it back.

use anyhow::Result;
use rig::scene::{PLAYS, Scene, TOP};
use rig::verdict::Verdict;
use rig::{Event, Wire};
use std::time::Duration;

/// The broadcaster has one copy and a stripe: the second viewer without uplink is one too many.
const SOURCE: u64 = 6;

/// Fifteen seconds for the joiner, three batches of twenty for the leaves, and some.
const ALL_ROUNDS: Duration = Duration::from_secs(90);

#[test]
fn a_joiner_is_asked_then_leaves_then_it_is_refused() -> Result<()> {
    let scene = Scene::open("full-refuse", Wire::Bridge, SOURCE, &["--when-full", "refuse"])?;
    let mut verdict = Verdict::of("full-refuse");
    let first = scene.viewer_with("first", 0, &["--sponsor", "ask"])?;
    first.watch.playing(PLAYS)?;
    let second = scene.viewer_with("second", 0, &["--sponsor", "ask"])?;
    let program = &second.watch.program;
    let request = program.wait("sponsor-request", Duration::from_secs(20), |_| true)?;
    program.say(&serde_json::json!({"answer": "decline", "id": request.text("id")}).to_string())?;
    verdict.check(asked(&scene, "joiner"));
    verdict.check(asked(&scene, "leaves"));
    verdict.check(program.wait("refused", ALL_ROUNDS, |_| true));
    let ended = program.wait_end(Duration::from_secs(10))?;
    verdict.expect(ended.code() == Some(4), || format!("it ended with {ended}"));
    verdict.expect(
        program
            .stderr()
            .lines()
            .any(|line| line.contains("capacity") || line.contains("room")),
        || format!("standard error gives no reason: {}", program.stderr()),
    );
    verdict.check(
        scene
            .broadcast
            .program
            .wait("viewer-refused", Duration::from_secs(10), |_| true),
    );
    verdict.check(first.check_unharmed());
    drop((first, second));
    scene.close(verdict)
}

#[test]
fn degraded_viewers_get_full_quality_back() -> Result<()> {
    let scene = Scene::open("full-degrade", Wire::Bridge, SOURCE, &["--when-full", "degrade"])?;
    let mut verdict = Verdict::of("full-degrade");
    let first = scene.viewer("first", 0)?;
    first.full(PLAYS)?;
    let second = scene.viewer("second", 0)?;
    verdict.check(second.watch.playing(ALL_ROUNDS));
    let degraded = |event: &Event| event.number("degraded") > 0;
    verdict.check(scene.broadcast.program.wait("capacity", ALL_ROUNDS, degraded));
    let strong = scene.viewer("strong", 30)?;
    strong.watch.playing(ALL_ROUNDS)?;
    for viewer in [&first, &second, &strong] {
        verdict.check(viewer.full_again(Duration::from_secs(30)));
    }
    let stepped = [&first, &second].iter().any(|viewer| {
        viewer
            .watch
            .program
            .events()
            .all("tier")
            .iter()
            .any(|event| event.number("tier") == TOP)
    });
    verdict.expect(stepped, || {
        "nobody's `tier` event says that it is back at full quality".into()
    });
    drop((first, second, strong));
    scene.close(verdict)
}

fn asked(scene: &Scene, round: &str) -> Result<Event> {
    scene
        .broadcast
        .program
        .wait("sponsor-asked", ALL_ROUNDS, |event| event.text("round") == round)
}
