//! A broadcast's input, opened once: looked at for as long as its broadcaster likes, and sent from the moment that it goes on
//! the air. So who pushes it, OBS for one, connects once.

mod follow;

use crate::config::{self, Picture};
use crate::error::Error;
use crate::player::Player;
use banyan_media::ingest::{self, Ingest, Mode, Options, Stopper};
use banyan_protocol::io::{Command, TierSetup};
use follow::Follower;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use tokio::sync::mpsc;

pub(super) use follow::Said;

/// What is seen of an input that is looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum Sight {
    /// Something comes: the best that is made of it.
    Comes(TierSetup),
    /// Nothing does. Why, as a sentence.
    Nothing(String),
    /// Something that the person should know; a sentence.
    Warning(String),
}

/// An opened input. Dropped, it ends by itself; [`close`](Self::close) waits for that.
pub struct Input {
    opened: Opened,
    /// Whether it is a file, or may be one.
    begins_anew: bool,
    stopper: Stopper,
    /// Taken by whoever is the first to hear of it: what came before waits for them.
    ingest: Option<Ingest>,
    following: Option<Following>,
}

/// An input that somebody hears of.
struct Following {
    follower: Arc<Mutex<Follower>>,
    thread: JoinHandle<()>,
}

/// What was opened, and who is shown it.
#[derive(Debug, PartialEq)]
struct Opened {
    input: String,
    looped: bool,
    picture: Picture,
    player: Option<Player>,
}

impl Opened {
    fn of(config: &config::Broadcast) -> Self {
        Self {
            input: config.input.clone(),
            looped: config.looped,
            picture: config.picture,
            player: config.player.clone(),
        }
    }
}

impl Input {
    /// Opens the input of `config`.
    ///
    /// # Errors
    /// If the input cannot be used.
    pub fn open(config: &config::Broadcast) -> Result<Self, Error> {
        let options = Options {
            loop_file: config.looped,
            mode: mode(config.picture),
        };
        let ingest = ingest::open(&config.input, options).map_err(|error| Error::Input(error.to_string()))?;
        Ok(Self {
            opened: Opened::of(config),
            begins_anew: ingest.begins_anew(),
            stopper: ingest.stopper(),
            ingest: Some(ingest),
            following: None,
        })
    }

    /// Plays it into the player of its `config`, and tells what is seen of it from now on.
    ///
    /// # Panics
    /// If the system gives no thread.
    pub fn look(&mut self, tell: impl Fn(Sight) + Send + 'static) {
        self.follow(|follower| follower.look(Box::new(tell)));
    }

    /// Whether a broadcast can begin with it as it is: it is the one that this broadcast wants, and goes on. A file is not, for
    /// its broadcast begins where it does.
    pub fn suits(&self, config: &config::Broadcast) -> bool {
        let following = self.following.as_ref();
        let goes_on = following.is_none_or(|following| !held(&following.follower).is_over());
        goes_on && !self.begins_anew && self.opened == Opened::of(config)
    }

    /// From now on it goes to a broadcaster, and waits while that is busy; who looked is told nothing more. What it says beside
    /// its packets comes out of the channel, first how it is.
    pub(super) fn go_on_air(&mut self, commands: mpsc::Sender<Command>) -> mpsc::Receiver<Said> {
        self.follow(|follower| follower.go_on_air(commands))
    }

    /// Ends it, within about 200 ms.
    pub(super) fn stop(&self) {
        self.stopper.stop();
    }

    /// Ends it, and waits until it is free for others; blocks for about 200 ms. A broadcaster that it goes to must have ended.
    pub fn close(mut self) {
        self.stop();
        drop(self.ingest.take());
        if let Some(following) = self.following.take()
            && following.thread.join().is_err()
        {
            tracing::error!("the thread that follows an input panicked");
        }
    }

    /// Has somebody hear of it from now on, before anything else comes.
    fn follow<T>(&mut self, begin: impl FnOnce(&mut Follower) -> T) -> T {
        if let Some(following) = &self.following {
            return begin(&mut held(&following.follower));
        }
        let ingest = self.ingest.take().expect("nobody has followed it yet");
        let mut follower = Follower::new(self.opened.player.clone());
        let begun = begin(&mut follower);
        self.following = Some(Following::start(ingest, follower));
        begun
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Following {
    fn start(ingest: Ingest, follower: Follower) -> Self {
        let follower = Arc::new(Mutex::new(follower));
        let hears = follower.clone();
        let thread = std::thread::Builder::new().name("feed".into()).spawn(move || {
            for event in ingest.events() {
                if !held(&hears).take(event) {
                    break;
                }
            }
        });
        Self {
            follower,
            thread: thread.expect("the system gives a thread"),
        }
    }
}

fn held(follower: &Mutex<Follower>) -> MutexGuard<'_, Follower> {
    follower.lock().expect("no holder panics")
}

const fn mode(picture: Picture) -> Mode {
    match picture {
        Picture::Auto => Mode::Auto,
        Picture::Copy => Mode::Copy,
        Picture::Transcode => Mode::Transcode,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Command as Words};
    use clap::Parser;

    fn config(input: &str) -> config::Broadcast {
        let args = Args::try_parse_from(["banyan", "broadcast", input]).unwrap();
        let Words::Broadcast(args) = args.command else {
            panic!("{args:?}")
        };
        config::Broadcast::resolve(args, Default::default()).unwrap()
    }

    #[test]
    fn what_is_looked_at_goes_on_the_air_as_the_same_or_not_at_all() {
        let config = config("test:");
        let mut input = Input::open(&config).unwrap();
        input.look(|_| {});
        assert!(input.suits(&config));
        let encoded = config::Broadcast {
            picture: Picture::Copy,
            ..config.clone()
        };
        let shown = config::Broadcast {
            player: Some(Player::new()),
            ..config.clone()
        };
        assert!(!input.suits(&encoded) && !input.suits(&shown));
        input.close();
    }

    #[test]
    fn a_file_that_was_looked_at_is_sent_from_its_beginning() {
        let config = config(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        assert!(!Input::open(&config).unwrap().suits(&config));
    }
}
