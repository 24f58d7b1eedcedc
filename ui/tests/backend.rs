//! Sessions, one after the other, as the window has them run.
#![allow(clippy::unwrap_used)]

use banyan::folders::Folders;
use banyan::notice::{Notice, Own};
use banyan::player::Player;
use banyan::snapshot::Phase;
use banyan_tv::backend::Backend;
use banyan_tv::model::{Command, Form, News, Settings, Source};
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
