//! Viewers leave as they should, and stronger newcomers take places: nobody loses a block.

use anyhow::Result;
use rig::Wire;
use rig::moves::most_moves_of_a_stripe;
use rig::scene::{PLAYS, Scene, Viewer, is_long};
use rig::verdict::Verdict;
use std::time::Duration;

/// The broadcaster feeds two copies itself; the rest hang on each other.
const SOURCE: u64 = 10;
/// Six such and the source give 34 slots and need 30: the four that are free do not carry a newcomer, who must take
/// somebody's place and feed.
const WEAK: u64 = 4;
const STRONG: u64 = 20;
const STAYING: usize = 6;

#[test]
fn strong_newcomers_displace_and_leave_again() -> Result<()> {
    let scene = Scene::open("leave", Wire::Bridge, SOURCE, &[])?;
    let mut verdict = Verdict::of("leave");
    let mut staying = Vec::new();
    for n in 0..STAYING {
        let viewer = scene.viewer(&format!("viewer{n}"), WEAK)?;
        viewer.watch.playing(PLAYS)?;
        staying.push(viewer);
    }
    for round in 0..if is_long() { 20 } else { 4 } {
        settle(&staying, &mut verdict);
        let newcomer = come(&scene, &staying, round, &mut verdict)?;
        go(&newcomer, &staying, &mut verdict);
    }
    settle(&staying, &mut verdict);
    check(&scene, &staying, &mut verdict)?;
    drop(staying);
    scene.close(verdict)
}

fn settle(viewers: &[Viewer], verdict: &mut Verdict) {
    for viewer in viewers {
        verdict.check(viewer.full_again(Duration::from_secs(15)));
    }
}

/// A strong viewer comes, and is given children; each stripe of the others moves once at most.
fn come(scene: &Scene, staying: &[Viewer], round: usize, verdict: &mut Verdict) -> Result<Viewer> {
    let marks: Vec<usize> = staying
        .iter()
        .map(|viewer| viewer.watch.program.events().count())
        .collect();
    let newcomer = scene.viewer(&format!("strong{round}"), STRONG)?;
    newcomer.watch.playing(PLAYS)?;
    let feeds = |stats: &rig::Event| stats.number("children") > 0;
    verdict.check(
        newcomer
            .watch
            .program
            .wait("stats", Duration::from_secs(20), feeds),
    );
    settle(staying, verdict);
    for (viewer, mark) in staying.iter().zip(marks) {
        let moved = most_moves_of_a_stripe(viewer, mark);
        verdict.expect(moved <= 1, || {
            format!("round {round}: a stripe of {} moved {moved} times", viewer.name())
        });
    }
    Ok(newcomer)
}

/// It leaves by SIGTERM, within the two seconds that its children have to move; none of them needs a repair.
fn go(newcomer: &Viewer, staying: &[Viewer], verdict: &mut Verdict) {
    let ended = verdict.check(newcomer.watch.program.stop(Duration::from_secs(4)));
    verdict.expect(ended.is_none_or(|status| status.success()), || {
        format!("{}: {ended:?}", newcomer.name())
    });
    settle(staying, verdict);
}

fn check(scene: &Scene, staying: &[Viewer], verdict: &mut Verdict) -> Result<()> {
    for viewer in staying {
        verdict.check(viewer.check_unharmed());
        let repaired = viewer.watch.program.events().all("repaired").len();
        verdict.note(&format!("`repaired` at {}", viewer.name()), repaired);
    }
    scene.check_pictures(staying, verdict)
}
