//! A real broadcast, watched by a session that has a player, over loopback.
#![allow(clippy::unwrap_used)]

use banyan::args::{Args, Command};
use banyan::config;
use banyan::folders::Folders;
use banyan::notice::{Notice, Own};
use banyan::player::{Phase, Player};
use banyan::session::{self, Session};
use banyan_tv::sound::Null;
use clap::Parser;
use std::time::{Duration, Instant};

/// How long it is watched: several keyframe intervals.
const WATCHED: Duration = Duration::from_secs(12);

/// Longer than joining ever takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn command(words: &[&str]) -> Command {
    Args::try_parse_from([&["banyan"], words].concat())
        .unwrap()
        .command
}

fn broadcast(folders: &Folders) -> Session {
    let Command::Broadcast(args) = command(&["broadcast", "test:", "--listen", "127.0.0.1:0"]) else {
        panic!("broadcast")
    };
    let config = config::Broadcast::resolve(args, Default::default()).unwrap();
    let input = session::input::Input::open(&config).unwrap();
    session::broadcast::start(&config, input, folders, Instant::now()).unwrap()
}

async fn link(broadcast: &mut Session) -> String {
    loop {
        let (_, notice) = broadcast.next().await.unwrap();
        if let Notice::Own(Own::Ready { link, .. }) = notice {
            return link;
        }
    }
}

async fn watch(link: &str, player: &Player, folders: &Folders) -> Session {
    let Command::Watch(args) = command(&["watch", link, "--sponsor", "never"]) else {
        panic!("watch")
    };
    let config = config::Watch {
        player: Some(player.clone()),
        ..config::Watch::resolve(args, Default::default(), Default::default()).unwrap()
    };
    session::watch::start(config, folders, Instant::now())
        .await
        .unwrap()
}

/// Looks as a window does; gives the pictures' times, and how often it had to gather anew once it played.
fn look(player: &Player) -> (Vec<i64>, usize) {
    let (mut shown, mut stops, mut phase) = (Vec::new(), 0, Phase::Waiting);
    let (begin, mut end) = (Instant::now(), None);
    while end.is_none_or(|end| Instant::now() < end) {
        assert!(begin.elapsed() < PATIENCE + WATCHED, "{:?}", player.state());
        let now = Instant::now();
        let was = std::mem::replace(&mut phase, player.state().phase);
        stops += usize::from(was == Phase::Playing && phase == Phase::Buffering);
        if phase == Phase::Playing {
            end = end.or(Some(now + WATCHED));
        }
        let pts = player.picture(now).map(|picture| picture.pts);
        shown.extend(pts.filter(|pts| shown.last() != Some(pts)));
        let next = player.next_change(now).unwrap_or(now + Duration::from_millis(5));
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    (shown, stops)
}

#[test]
fn a_viewer_s_player_shows_a_real_broadcast() {
    let home = std::env::temp_dir().join(format!("banyan-tv-channel-{}", std::process::id()));
    let folders = Folders {
        config_file: home.join("config.toml"),
        data: home.clone(),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let player = Player::new();
    let _device = Null::open(&player, |_, _| {});
    let mut on_air = runtime.block_on(async { broadcast(&folders) });
    let link = runtime.block_on(link(&mut on_air));
    let viewer = runtime.block_on(watch(&link, &player, &folders));
    let (shown, stops) = look(&player);
    let state = player.state();
    println!("{} pictures, stopped {stops} times, {state:?}", shown.len());
    drop((viewer, on_air));
    runtime.shutdown_timeout(Duration::from_secs(5));
    let _ = std::fs::remove_dir_all(home);
    assert!(shown.is_sorted() && shown.len() > 200, "{} pictures", shown.len());
    assert!(
        state.live && state.error.is_none() && state.height > 0,
        "{state:?}"
    );
    assert!(state.lip_sync_ms.unwrap().abs() <= 40.0, "{state:?}");
    assert!(state.behind_live < Duration::from_secs(2), "{state:?}");
}
