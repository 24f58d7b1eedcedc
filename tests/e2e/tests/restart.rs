//! The broadcaster is killed and started again: the same link, the same viewers, the same trees.

use anyhow::Result;
use rig::moves::{Move, moves, places};
use rig::scene::{PLAYS, STRIPES, Scene, TOP, Viewer, uplink};
use rig::verdict::Verdict;
use rig::{Broadcast, Event, Wire};
use rustix::process::Signal;
use std::time::Duration;

const SOURCE: u64 = 15;
const SLOTS: [u64; 4] = [10, 6, 2, 0];

#[test]
fn a_restarted_broadcaster_keeps_link_viewers_and_trees() -> Result<()> {
    let mut scene = Scene::open("restart", Wire::Bridge, SOURCE, &[])?;
    let mut verdict = Verdict::of("restart");
    let viewers = join(&scene)?;
    let before = places(&viewers)?;
    let ids: Vec<String> = viewers
        .iter()
        .map(|viewer| viewer.watch.peer())
        .collect::<Result<_>>()?;
    let marks: Vec<usize> = viewers
        .iter()
        .map(|viewer| viewer.watch.program.events().count())
        .collect();
    scene.broadcast.program.signal(Signal::KILL)?;
    scene.broadcast.program.wait_end(Duration::from_secs(5))?;
    for (viewer, mark) in viewers.iter().zip(marks) {
        viewer
            .watch
            .program
            .wait_from(mark, "stall", Duration::from_secs(15), |_| true)?;
    }
    let marks: Vec<usize> = viewers
        .iter()
        .map(|viewer| viewer.watch.program.events().count())
        .collect();
    let again = start_again(&scene)?;
    verdict.expect(again.link == scene.broadcast.link, || {
        format!("the link is {} now", again.link)
    });
    scene.broadcast = again;
    for (viewer, mark) in viewers.iter().zip(marks) {
        verdict.check(goes_on(viewer, mark));
    }
    // Who hung at the broadcaster may have tried a spare meanwhile; the others had no reason to move.
    let moved: Vec<Move> = moves(&before, &places(&viewers)?)
        .into_iter()
        .filter(|moved| ids.contains(&moved.from))
        .collect();
    verdict.wish(moved.is_empty(), || format!("moved: {moved:?}"));
    let come_back = |event: &Event| event.number("viewers") == SLOTS.len() as u64;
    verdict.check(
        scene
            .broadcast
            .program
            .wait("viewer-joined", Duration::from_secs(10), come_back),
    );
    for viewer in &viewers {
        let ended = viewer.watch.program.events().ended();
        verdict.expect(ended.is_none(), || format!("{} ended: {ended:?}", viewer.name()));
    }
    drop(viewers);
    scene.close(verdict)
}

fn join(scene: &Scene) -> Result<Vec<Viewer>> {
    let mut viewers = Vec::new();
    for (n, slots) in SLOTS.into_iter().enumerate() {
        let viewer = scene.viewer(&format!("viewer{n}"), slots)?;
        viewer.watch.playing(PLAYS)?;
        viewers.push(viewer);
    }
    viewers
        .iter()
        .try_for_each(|viewer| viewer.full(Duration::from_secs(15)))?;
    Ok(viewers)
}

fn start_again(scene: &Scene) -> Result<Broadcast> {
    let cap = uplink(scene.slot, SOURCE).as_bps().to_string();
    let options = ["--loop", "--uplink", &cap];
    Broadcast::start(&scene.stage, &scene.broadcaster, &scene.clip.argument(), &options)
}

/// It plays the next epoch: all stripes come in again.
fn goes_on(viewer: &Viewer, mark: usize) -> Result<()> {
    let all = |stats: &Event| stats.number("stripes_receiving") >= STRIPES && stats.number("tier") == TOP;
    viewer
        .watch
        .program
        .wait_from(mark, "stats", Duration::from_secs(60), all)?;
    Ok(())
}
