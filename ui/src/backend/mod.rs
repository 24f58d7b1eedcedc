//! Runs the sessions on threads of its own, and tells what happens.

mod airing;
mod awake;
mod hearing;
mod relays;
mod running;
mod watching;

pub use relays::profile;

use crate::model::{Command, Form, Gravity, News, Reply, Settings};
use awake::Awake;
use banyan::file::Cloud as Site;
use banyan::folders::Folders;
use banyan::inputs;
use banyan::player::Player;
use banyan::session::Order;
use banyan::session::input::Input;
use hearing::{Ear, Tell, Told};
use running::Running;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc as std_mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Commands that may wait; a person does not give more.
const COMMANDS_MAX: usize = 64;

/// How long what is asked of the desktop may still take when all else is done.
const DESKTOP_MAX: Duration = Duration::from_secs(1);

/// How long leaving may take: children are handed over in 2 s, and providers asked for a minute to end relays.
const LEAVING_MAX: Duration = Duration::from_secs(70);

/// Something to do.
#[derive(Debug)]
enum Job {
    Do(Command),
    Watch(String, Player, Ear),
    Preview(Box<Form>, Player, Ear),
    GoLive(Box<Form>, Player),
    KeepAwake(bool),
}

/// The other side of the window.
#[derive(Debug)]
pub struct Backend {
    commands: Option<mpsc::Sender<Job>>,
    news: std_mpsc::Receiver<Told>,
    /// To what is watched now.
    viewer: Ear,
    /// To the input that is looked at now.
    preview: Ear,
    thread: Option<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
}

impl Backend {
    /// Starts it; relays in the cloud are as `site` says. `wake` is called when there are news, from any thread.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub fn start(
        folders: Folders,
        settings: Settings,
        site: Site,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let (commands, given) = mpsc::channel(COMMANDS_MAX);
        let (tell, news) = hearing::open(wake);
        let worker = Worker {
            folders,
            settings,
            site,
            viewer: None,
            errands: JoinSet::new(),
            preview: None,
            broadcast: None,
            passphrase: inputs::passphrase(),
            tell: tell.clone(),
            awake: Awake::default(),
        };
        let (over, it_is_over) = (tell.clone(), Arc::<AtomicBool>::default());
        let is_over = it_is_over.clone();
        let run = move || {
            runtime.block_on(worker.run(given));
            runtime.shutdown_timeout(DESKTOP_MAX);
            it_is_over.store(true, Ordering::Release);
            over.wake();
        };
        let thread = std::thread::Builder::new().name("backend".into()).spawn(run)?;
        Ok(Self {
            commands: Some(commands),
            news,
            viewer: Ear::default(),
            preview: Ear::default(),
            thread: Some(thread),
            is_over,
        })
    }

    /// Has something done.
    pub fn send(&mut self, command: Command) {
        match command {
            Command::Leave => self.viewer.close(),
            Command::EndPreview => self.preview.close(),
            _ => {}
        }
        self.give(Job::Do(command));
    }

    /// Joins the channel of `link` and plays it into `player`; whatever is watched is left, and nothing of it is told any more.
    pub fn watch(&mut self, link: String, player: Player) {
        self.viewer.close();
        self.viewer = Ear::open();
        self.give(Job::Watch(link, player, self.viewer.clone()));
    }

    /// Looks at the input of a broadcast, by `player`.
    pub fn preview(&mut self, form: Box<Form>, player: Player) {
        self.preview.close();
        self.preview = Ear::open();
        self.give(Job::Preview(form, player, self.preview.clone()));
    }

    /// Goes on the air; `player` shows it here. An input that is looked at by it, and is this one, is not opened anew.
    pub fn go_live(&self, form: Box<Form>, player: Player) {
        self.give(Job::GoLive(form, player));
    }

    /// Keeps the screen awake, or lets it sleep again.
    pub fn keep_awake(&self, awake: bool) {
        self.give(Job::KeepAwake(awake));
    }

    /// Leaves everything: children are handed over, and relays end or run on as ordered. Nothing else is done from now on.
    pub fn leave(&mut self) {
        self.viewer.close();
        self.preview.close();
        self.commands = None;
    }

    /// Whether everything has been left. What was told by then can be read.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    fn give(&self, job: Job) {
        if let Some(commands) = &self.commands
            && commands.try_send(job).is_err()
        {
            tracing::warn!("the backend does not listen; a command is dropped");
        }
    }

    /// What has happened since the last time.
    pub fn news(&self) -> impl Iterator<Item = News> + '_ {
        self.news.try_iter().filter_map(Told::heard)
    }
}

impl Drop for Backend {
    /// Leaves cleanly: children are handed over first. What goes wrong then has no window any more.
    fn drop(&mut self) {
        self.leave();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for news in self.news() {
            if let News::Left(Some(why)) | News::OffAir(Some(why)) | News::Say(Gravity::Failure, why) = news {
                tracing::error!("{why}");
            }
        }
    }
}

/// Ctrl-C and SIGTERM close the window as a person does, so that nothing is left behind.
async fn quit_on_signal(tell: Tell) {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("the runtime handles signals");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    tell.tell(News::Quit);
}

/// Does what is wanted.
struct Worker {
    folders: Folders,
    settings: Settings,
    site: Site,
    viewer: Option<Running>,
    /// What goes on by itself for up to a minute, and is waited for when the window closes: viewers that were left hand over
    /// and end this person's relays, and other relays are ended or extended.
    errands: JoinSet<()>,
    /// The input that is looked at.
    preview: Option<Input>,
    broadcast: Option<Running>,
    /// What who sends by SRT from elsewhere has to know.
    passphrase: String,
    tell: Tell,
    awake: Awake,
}

impl Worker {
    async fn run(mut self, mut given: mpsc::Receiver<Job>) {
        tokio::spawn(quit_on_signal(self.tell.clone()));
        self.look_back().await;
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                job = given.recv() => match job {
                    Some(Job::Do(command)) => self.obey(command).await,
                    Some(Job::Watch(link, player, ear)) => self.watch(&link, player, ear).await,
                    Some(Job::Preview(form, player, ear)) => self.preview(&form, player, ear).await,
                    Some(Job::GoLive(form, player)) => self.go_live(&form, player).await,
                    Some(Job::KeepAwake(awake)) => self.awake.keep(awake),
                    None => break,
                },
                Some(_) = self.errands.join_next() => {}
                // Only what is watched has questions that run out; a window in which nothing happens is not woken.
                _ = second.tick(), if self.viewer.as_ref().is_some_and(Running::goes_on) => self.tell.tell(News::Second(banyan_cloud::clock::now().as_secs())),
            }
        }
        self.end_preview().await;
        self.leave();
        if let Some(broadcast) = self.broadcast.take() {
            self.errands.spawn(broadcast.leave());
        }
        let all = async { while self.errands.join_next().await.is_some() {} };
        if timeout(LEAVING_MAX, all).await.is_err() {
            let text = "leaving takes too long; relays may run on: see `banyan relays list`";
            self.tell.tell(News::Say(Gravity::Failure, text.into()));
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Leave => self.leave(),
            Command::LookForInputs => self.look_for_inputs(),
            Command::EndPreview => self.end_preview().await,
            Command::EndBroadcast => self.end_broadcast().await,
            Command::Answer(id, reply) => self.answer(id, reply).await,
            Command::Relay(order) => self.relays(order).await,
            Command::RunOn(run_on) => self.run_on(run_on).await,
            Command::Keep(settings) => self.settings = *settings,
            Command::CheckAccount(region) => self.check_account(region),
            // The window's own affair.
            Command::Watch(_)
            | Command::Preview(_)
            | Command::GoLive(_)
            | Command::Player(_)
            | Command::FullScreen(_)
            | Command::Copy(_)
            | Command::Quit
            | Command::Close
            | Command::KeepChannels => {}
        }
    }

    /// Leaves what is watched, and goes on meanwhile.
    fn leave(&mut self) {
        if let Some(viewer) = self.viewer.take() {
            self.errands.spawn(viewer.leave());
        }
    }

    /// Ends the broadcast; it tells when it is over.
    async fn end_broadcast(&self) {
        if let Some(broadcast) = &self.broadcast {
            broadcast.order(Order::Leave).await;
        }
    }

    async fn run_on(&self, run_on: bool) {
        if let Some(viewer) = &self.viewer {
            viewer.order(Order::RunOn(run_on)).await;
        }
    }

    async fn answer(&mut self, id: String, reply: Reply) {
        let Some(viewer) = &self.viewer else { return };
        if let Reply::Sponsor(terms) = &reply {
            let allowed = terms.sponsoring(&self.site);
            viewer.order(Order::Allow(Box::new(allowed))).await;
        }
        let yes = matches!(reply, Reply::Sponsor(_));
        viewer.order(Order::Answer { id: Some(id), yes }).await;
    }
}
