//! What moto only pretends: machines. For each instance that is started, one runs: our image in QEMU, or, where a test is
//! about something else, the relay as a process.
//!
//! As on EC2, user data come from the metadata service, a machine that powers off is terminated if that was its shutdown
//! behaviour, and one that is terminated is gone.

mod dhcp;
mod metadata;
pub mod net;
mod process;
mod qemu;

use self::metadata::Metadata;
use crate::moto::{self, SIGNED};
use crate::rig::built;
use anyhow::{Context, Result, anyhow, ensure};
use data_encoding::BASE64;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

/// What runs for an instance.
#[derive(Clone, Debug)]
pub enum Body {
    /// The relay, as a process on this machine.
    Process {
        /// The relay's program.
        relay: PathBuf,
    },
    /// A VM that boots a disk, as `cargo xtask image` leaves it.
    Qemu {
        /// Where disk, kernel and initial RAM disk are.
        image: PathBuf,
    },
}

impl Body {
    /// The relay as it was built beside this program.
    ///
    /// # Errors
    /// If it was not.
    pub fn process() -> Result<Self> {
        let relay = built("banyan-relay")?;
        Ok(Self::Process { relay })
    }
}

/// The machines of an account.
#[derive(Debug)]
pub struct Machines {
    body: Body,
    /// Where their files are.
    folder: PathBuf,
    moto: SocketAddr,
    metadata: Metadata,
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    by_instance: BTreeMap<String, Machine>,
}

impl Inner {
    fn running(&self) -> usize {
        self.by_instance.values().filter(|machine| !machine.ended).count()
    }

    fn newest(&self) -> Option<&Machine> {
        self.by_instance.values().max_by_key(|machine| machine.began)
    }
}

/// One machine.
#[derive(Debug)]
struct Machine {
    address: Ipv4Addr,
    began: Instant,
    ended: bool,
    /// Ends it when dropped.
    end: Option<oneshot::Sender<()>>,
    /// Its process, which is the relay itself or QEMU.
    pid: Option<u32>,
    /// What its console shows, and when it did.
    console: Vec<(Instant, String)>,
    /// Where it takes orders, if it is a VM.
    monitor: Option<PathBuf>,
}

/// A machine that was started.
struct Started {
    child: Child,
    console: Box<dyn AsyncRead + Send + Unpin>,
    monitor: Option<PathBuf>,
}

impl Machines {
    /// None yet. In a network namespace that [`net::enter`] made.
    ///
    /// # Errors
    /// If the metadata service cannot listen.
    pub async fn new(body: Body, folder: PathBuf, moto: SocketAddr) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            body,
            folder,
            moto,
            metadata: Metadata::start().await?,
            inner: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// An instance was started by a request with these fields.
    pub(crate) fn start(self: &Arc<Self>, instance: &str, fields: &[(String, String)]) -> Result<()> {
        let field = |name: &str| {
            fields
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        let user_data = field("UserData").context("it has user data")?;
        let user_data = BASE64
            .decode(user_data.as_bytes())
            .map_err(|error| anyhow!("user data: {error}"))?;
        let terminates = field("InstanceInitiatedShutdownBehavior") == Some("terminate");
        let mut inner = self.inner.lock().expect("nobody panics with it");
        if inner.by_instance.contains_key(instance) {
            return Ok(());
        }
        let number = u8::try_from(inner.by_instance.len() + 1).context("a test has few machines")?;
        let address = net::address(number);
        self.metadata.tell(address, user_data);
        let file = self.folder.join(instance);
        let started = match &self.body {
            Body::Process { relay } => process::start(relay, number, &file)?,
            Body::Qemu { image } => qemu::start(image, number, &file)?,
        };
        let Started {
            child,
            console,
            monitor,
        } = started;
        tokio::spawn(Arc::clone(self).read(instance.to_owned(), console));
        let pid = child.id();
        let (end, ends) = oneshot::channel();
        tokio::spawn(Arc::clone(self).watch(instance.to_owned(), child, ends, terminates));
        let machine = Machine {
            address,
            began: Instant::now(),
            ended: false,
            end: Some(end),
            pid,
            console: Vec::new(),
            monitor,
        };
        inner.by_instance.insert(instance.to_owned(), machine);
        drop(inner);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Keeps what a machine's console shows, also in a file, for a test that failed.
    async fn read(self: Arc<Self>, instance: String, console: Box<dyn AsyncRead + Send + Unpin>) {
        let file = self.folder.join(format!("{instance}.console"));
        let mut file = std::fs::File::create(file).expect("the test's folder can be written");
        let mut lines = BufReader::new(console).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            self.with(&instance, |machine| {
                machine.console.push((Instant::now(), line.clone()))
            });
            writeln!(file, "{line}").expect("the test's folder can be written");
            self.changed.notify_waiters();
        }
    }

    /// Waits for a machine's end, and has the account know of it.
    async fn watch(
        self: Arc<Self>,
        instance: String,
        mut child: Child,
        ends: oneshot::Receiver<()>,
        terminates: bool,
    ) {
        let by_itself = tokio::select! {
            _ = child.wait() => true,
            _ = ends => {
                child.kill().await.expect("it is ours to end");
                false
            }
        };
        if by_itself {
            let action = if terminates {
                "TerminateInstances"
            } else {
                "StopInstances"
            };
            let body = format!("Action={action}&Version=2016-11-15&InstanceId.1={instance}");
            moto::post(self.moto, SIGNED, body.as_bytes())
                .await
                .expect("moto answers");
        }
        self.with(&instance, |machine| machine.ended = true);
        self.changed.notify_waiters();
    }

    /// An instance was terminated by a request.
    pub(crate) fn end(&self, instance: &str) {
        // Taken out, it is dropped, which is what the machine's task waits for.
        self.with(instance, |machine| machine.end = None);
    }

    /// Changes what is known of an instance that is a machine.
    fn with(&self, instance: &str, change: impl FnOnce(&mut Machine)) {
        let mut inner = self.inner.lock().expect("nobody panics with it");
        inner.by_instance.get_mut(instance).map(change);
    }

    /// Where an instance is.
    pub(crate) fn address(&self, instance: &str) -> Option<Ipv4Addr> {
        let inner = self.inner.lock().expect("nobody panics with it");
        inner.by_instance.get(instance).map(|machine| machine.address)
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.inner.lock().expect("nobody panics with it").running()
    }

    /// Waits until so many run.
    ///
    /// # Errors
    /// If that takes longer.
    pub async fn until_running(&self, count: usize, within: Duration) -> Result<()> {
        let all = self.until(within, |inner| (inner.running() == count).then_some(()));
        all.await
            .with_context(|| format!("{} machines run", self.running()))
    }

    /// Waits until the newest machine's console shows this; how long that is after it was started.
    ///
    /// # Errors
    /// If it does not in time.
    pub async fn shows(&self, text: &str, within: Duration) -> Result<Duration> {
        let shown = self.until(within, |inner| {
            let newest = inner.newest()?;
            let line = newest.console.iter().find(|(_, line)| line.contains(text))?;
            Some(line.0 - newest.began)
        });
        shown
            .await
            .with_context(|| format!("no “{text}” in {:?}", self.console()))
    }

    /// What the newest machine's console shows.
    pub fn console(&self) -> Vec<String> {
        let inner = self.inner.lock().expect("nobody panics with it");
        let lines = inner.newest().into_iter().flat_map(|machine| &machine.console);
        lines.map(|(_, line)| line.clone()).collect()
    }

    async fn until<T>(&self, within: Duration, mut is: impl FnMut(&Inner) -> Option<T>) -> Result<T> {
        let all = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(found) = is(&self.inner.lock().expect("nobody panics with it")) {
                    return found;
                }
                changed.await;
            }
        };
        Ok(timeout(within, all).await?)
    }

    /// Kills the newest machine's process, with a signal that nothing can be done about: the relay, or all of the VM.
    ///
    /// # Errors
    /// If there is none.
    pub async fn kill(&self) -> Result<()> {
        self.signal("-KILL").await
    }

    /// Has the newest machine's process stand still: it neither serves nor ends by itself.
    ///
    /// # Errors
    /// If there is none.
    pub async fn freeze(&self) -> Result<()> {
        self.signal("-STOP").await
    }

    async fn signal(&self, signal: &str) -> Result<()> {
        let pid = {
            let inner = self.inner.lock().expect("nobody panics with it");
            inner
                .newest()
                .and_then(|machine| machine.pid)
                .context("no machine runs")?
        };
        let sent = Command::new("kill")
            .args([signal, &pid.to_string()])
            .status()
            .await?;
        ensure!(sent.success(), "machine {pid} cannot be sent {signal}");
        Ok(())
    }

    /// Presses the newest VM's reset button.
    ///
    /// # Errors
    /// If there is none, or it does not listen.
    pub async fn reset(&self) -> Result<()> {
        let monitor = {
            let inner = self.inner.lock().expect("nobody panics with it");
            inner
                .newest()
                .and_then(|machine| machine.monitor.clone())
                .context("there is no VM")?
        };
        qemu::reset(&monitor).await
    }
}
