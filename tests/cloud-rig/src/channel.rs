//! A channel on the air beside an account whose machines run.

use crate::Rig;
use crate::machine::{Body, Machines, net};
use crate::program::{Event, Program};
use crate::rig::{REGION, image};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// What the broadcaster sends: one copy of its stream, and the lowest tier for one more.
const SOURCE: &str = "4600k";

/// How long anything is waited for of which something shorter may be promised.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a test in a network that nobody else has.
///
/// # Errors
/// The test's, or that there is no such network: it needs root.
pub fn in_own_network(test: impl Future<Output = Result<()>>) -> Result<()> {
    net::enter()?;
    // Its threads are started from here, and so are in the same network.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(test)
}

/// A channel, and the account that relays for it are launched in.
#[derive(Debug)]
pub struct Channel {
    /// The account.
    pub rig: Rig,
    /// The broadcaster, which has uplink for one viewer.
    pub broadcast: Program,
    /// Where to watch it.
    pub link: String,
}

impl Channel {
    /// Goes on the air.
    ///
    /// # Errors
    /// If the account or the broadcaster do not start.
    pub async fn open(name: &str, body: Body) -> Result<Self> {
        let rig = Rig::with_machines(name, body).await?;
        let wish = image();
        let text = format!(
            "[cloud]\nowner = '{}'\nname = '{}'\n",
            wish.owner.context("it has one")?,
            wish.name.context("it has one")?
        );
        std::fs::write(rig.data.join("config.toml"), text)?;
        let here = format!("{}:4700", net::HOST);
        let words = [
            "broadcast",
            "test:",
            "--listen",
            &here,
            "--uplink",
            SOURCE,
            "--json",
        ];
        let mut broadcast = Program::start(rig.command(&words)?, rig.data.join("broadcast.err"))?;
        let ready = broadcast.wait("ready", PATIENCE, |_| true).await?;
        let link = ready.text("link").to_owned();
        Ok(Self { rig, broadcast, link })
    }

    /// The account's machines.
    ///
    /// # Panics
    /// Never: a channel has some.
    pub fn machines(&self) -> &Machines {
        self.rig.machines.as_ref().expect("it was opened with them")
    }

    /// `banyan sponsor` on EC2, for so many hours and a dollar.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn sponsor(&self, name: &str, hours: &str, options: &[&str]) -> Result<Sponsor> {
        let limits = ["--hours", hours, "--budget", "1", "--region", REGION];
        let words = self.words(&[&limits[..], options].concat())?;
        self.start(name, self.rig.command(&text(&words))?)
    }

    /// The same with these limits, and with these settings in place of the credentials.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn sponsor_with(
        &self,
        name: &str,
        limits: &[&str],
        settings: &[(&str, &str)],
    ) -> Result<Sponsor> {
        let words = self.words(limits)?;
        self.start(name, self.rig.command_with(&text(&words), settings)?)
    }

    /// `banyan sponsor` on this machine.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn sponsor_here(&self, name: &str) -> Result<Sponsor> {
        let limits = ["--hours", "1", "--budget", "0", "--relay-uplink", "20M", "--json"];
        let words = [&["sponsor", &self.link, "--provider", "local"], &limits[..]].concat();
        self.start(name, self.rig.command(&words)?)
    }

    /// Whether nothing is left of any relay, in the account and on its machines.
    ///
    /// # Errors
    /// If the account cannot be looked at.
    pub async fn is_empty(&self) -> Result<bool> {
        let cloud = self.rig.cloud(false)?;
        let alive = self.rig.alive(&cloud).await?;
        cloud.close().await;
        Ok(alive.is_empty() && self.machines().running() == 0)
    }

    /// Waits for the cloud child of a client that was killed: if it is still there, it ends by itself what it was launching.
    ///
    /// # Errors
    /// If it stays.
    pub async fn children_gone(&self) -> Result<()> {
        let gone = async {
            while !self.rig.children_of(&self.rig.home_data()).is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        Ok(timeout(PATIENCE, gone).await?)
    }

    fn words(&self, limits: &[&str]) -> Result<Vec<String>> {
        let config = self.rig.data.join("config.toml");
        let config = config.to_str().context("it is text")?;
        let words = [
            "sponsor",
            &self.link,
            "--provider",
            "ec2",
            "--json",
            "--config",
            config,
        ];
        Ok([&words[..], limits]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect())
    }

    fn start(&self, name: &str, command: Command) -> Result<Sponsor> {
        let errors = self.rig.data.join(format!("{name}.err"));
        let program = Program::start(command, errors)?;
        Ok(Sponsor { program })
    }
}

fn text(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// Somebody who sponsors.
#[derive(Debug)]
pub struct Sponsor {
    /// The program.
    pub program: Program,
}

impl Sponsor {
    /// The first time that a relay of theirs is in this state.
    ///
    /// # Errors
    /// If it does not come in time.
    pub async fn state(&mut self, state: &str, within: Duration) -> Result<Event> {
        let is = |event: &Event| event.text("state") == state;
        self.program.wait("sponsoring", within, is).await
    }

    /// Asks it to end, as Ctrl-C does, and waits until it has.
    ///
    /// # Errors
    /// If it does not, or with a failure.
    pub async fn leaves(&mut self) -> Result<()> {
        self.program.interrupt().await?;
        self.ends_well().await
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// If it does not, or with a failure.
    pub async fn ends_well(&mut self) -> Result<()> {
        let ended = self.program.ended(PATIENCE).await?;
        ensure!(ended.success(), "{ended}; {}", self.program.errors());
        Ok(())
    }
}

/// A viewer who gives nothing.
#[derive(Debug)]
pub struct Watch {
    /// The program.
    pub program: Program,
}

impl Watch {
    /// Begins to watch.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn start(channel: &Channel, name: &str) -> Result<Self> {
        let words = [
            "watch",
            &channel.link,
            "--uplink",
            "0",
            "--sponsor",
            "never",
            "--json",
        ];
        let errors = channel.rig.data.join(format!("{name}.err"));
        let program = Program::start(channel.rig.command(&words)?, errors)?;
        Ok(Self { program })
    }

    /// Waits until it gets something from `parent`.
    ///
    /// # Errors
    /// If it does not come in time.
    pub async fn fed_by(&mut self, parent: &str, within: Duration) -> Result<Event> {
        let is_fed = |event: &Event| {
            let parents = event.fields["parents"].as_object();
            parents.is_some_and(|parents| parents.values().any(|by| by == parent))
        };
        self.program.wait("stats", within, is_fed).await
    }

    /// Waits until it gets anything.
    ///
    /// # Errors
    /// If it does not come in time.
    pub async fn fed(&mut self, within: Duration) -> Result<Event> {
        let is_fed = |event: &Event| event.fields["stripes_receiving"].as_u64() >= Some(1);
        self.program.wait("stats", within, is_fed).await
    }
}

/// A number that an event must have.
///
/// # Panics
/// If it has none.
pub fn number(event: &Event, field: &str) -> u64 {
    event.fields[field]
        .as_u64()
        .unwrap_or_else(|| panic!("no number `{field}` in {}", event.fields))
}
