//! Sessions, one after the other, as the window has them run.
#![allow(clippy::unwrap_used)]

use banyan::folders::Folders;
use banyan::notice::{Notice, Own};
use banyan::player::Player;
use banyan::snapshot::Phase;
use banyan_cloud::ledger::{Entry, Ledger, Token};
use banyan_cloud::money::Usd;
use banyan_cloud::process::Mark;
use banyan_cloud::provider::Kind;
use banyan_protocol::wire::lease::{Lease, LeaseId};
use banyan_tv::backend::Backend;
use banyan_tv::model::{Command, Form, News, Relays, Settings, Source};
use std::path::PathBuf;
use std::process::Command as Program;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Longer than joining ever takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A backend without a window.
struct Rig {
    backend: Backend,
    woken: mpsc::Receiver<()>,
    home: PathBuf,
}

impl Rig {
    fn new(name: &str) -> Self {
        let home = std::env::temp_dir().join(format!("banyan-tv-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        Self::at(home)
    }

    /// One with what is in this folder.
    fn at(home: PathBuf) -> Self {
        let folders = Folders {
            config_file: home.join("config.toml"),
            data: home.clone(),
        };
        let (wake, woken) = mpsc::channel();
        let wake = move || {
            let _ = wake.send(());
        };
        Self {
            backend: Backend::start(folders, Settings::default(), Default::default(), wake).unwrap(),
            woken,
            home,
        }
    }

    fn go_live(&mut self, source: Source, input: String) {
        let form = Form {
            source,
            input,
            ..Form::default()
        };
        self.backend.go_live(Box::new(form), Player::new());
    }

    /// What `find` finds among the news, once it does.
    fn wait<T>(&self, what: &str, mut find: impl FnMut(&News) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = self.backend.news().find_map(|news| find(&news)) {
                return found;
            }
            let left = PATIENCE.saturating_sub(began.elapsed());
            self.woken.recv_timeout(left).expect(what);
        }
    }

    fn link(&self) -> String {
        self.wait("the link", |news| match news {
            News::Broadcast(Notice::Own(Own::Ready { link, .. })) => Some(link.clone()),
            _ => None,
        })
    }

    /// A film of a second.
    fn film(&self) -> String {
        let film = self.home.join("film.mp4");
        let words = "-v error -y -f lavfi -i testsrc=size=320x240:rate=25:duration=1 -c:v libx264 -g 25";
        let mut ffmpeg = Program::new("ffmpeg");
        ffmpeg.args(words.split(' ')).arg(&film);
        assert!(ffmpeg.status().unwrap().success());
        film.to_string_lossy().into_owned()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

fn is_live(news: &News) -> Option<()> {
    match news {
        News::Left(why) => panic!("it left: {why:?}"),
        News::Viewer(shot, _) => (shot.phase == Phase::Live).then_some(()),
        _ => None,
    }
}

#[test]
fn after_a_broadcast_that_ended_by_itself_there_is_another() {
    let mut rig = Rig::new("again");
    let film = rig.film();
    for _ in 0..2 {
        rig.go_live(Source::File, film.clone());
        assert!(rig.link().starts_with("banyan://"));
        let ended = |news: &News| matches!(news, News::OffAir(_)).then_some(());
        rig.wait("the end", ended);
    }
}

#[test]
fn what_was_left_says_nothing_about_what_is_watched_instead() {
    let mut rig = Rig::new("instead");
    rig.go_live(Source::Test, String::new());
    let link = rig.link();
    rig.backend.watch(link.clone(), Player::new());
    rig.wait("the picture", is_live);
    // It hands over and ends while the other joins.
    rig.backend.watch(link.clone(), Player::new());
    let mut lives = 0;
    // Three seconds: longer than handing over takes.
    rig.wait("the other picture", |news| {
        is_live(news)?;
        lives += usize::from(matches!(news, News::Viewer(_, true)));
        (lives > 3).then_some(())
    });
    rig.backend.send(Command::Leave);
    rig.backend.watch(link, Player::new());
    rig.wait("the picture once more", is_live);
}

/// A channel whose broadcaster has gone: the address is one that nobody listens at.
#[test]
fn a_channel_that_is_gone_is_said_and_the_rest_goes_on() {
    let mut rig = Rig::new("gone");
    rig.go_live(Source::Test, String::new());
    let link = rig.link();
    rig.backend.send(Command::EndBroadcast);
    rig.wait("the end", |news| matches!(news, News::OffAir(None)).then_some(()));
    rig.backend.watch(link, Player::new());
    let why = rig.wait("why", |news| match news {
        News::Left(why) => Some(why.clone().expect("it was not asked to leave")),
        _ => None,
    });
    assert!(why.contains("answer"), "{why}");
    rig.go_live(Source::Test, String::new());
    rig.backend.watch(rig.link(), Player::new());
    rig.wait("the picture", is_live);
}

#[test]
fn it_says_when_everything_has_been_left() {
    let mut rig = Rig::new("leaves");
    rig.go_live(Source::Test, String::new());
    let link = rig.link();
    rig.backend.watch(link, Player::new());
    rig.wait("the picture", is_live);
    assert!(!rig.backend.is_over());
    rig.backend.leave();
    let began = Instant::now();
    while !rig.backend.is_over() {
        rig.woken
            .recv_timeout(PATIENCE.saturating_sub(began.elapsed()))
            .expect("the end wakes the window");
    }
    let failed = |news: &News| matches!(news, News::Left(Some(_)) | News::OffAir(Some(_)));
    assert!(!rig.backend.news().any(|news| failed(&news)));
}

/// What another run left in the ledger is looked at without being asked for.
#[test]
fn what_may_still_run_is_looked_at_when_the_program_starts() {
    let home = std::env::temp_dir().join(format!("banyan-tv-look-back-{}", std::process::id()));
    std::fs::create_dir_all(&home).unwrap();
    let left = Entry::Attempt {
        lease: Lease {
            id: LeaseId([4; 16]),
            ends: banyan_cloud::clock::now(),
            bytes: 1,
        },
        provider: Kind::Local,
        region: None,
        zone: String::new(),
        kind: String::new(),
        token: Token("t".into()),
        hash: String::new(),
        hourly: Usd::ZERO,
        egress_gb: Usd::ZERO,
        by: Mark::myself(),
    };
    Ledger::open(&home).unwrap().write(&left).unwrap();
    let rig = Rig::at(home);
    let looked = |news: &News| matches!(news, News::Relays(seen) if *seen != Relays::Looking).then_some(());
    rig.wait("what a look showed", looked);
}
