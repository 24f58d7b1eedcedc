//! One test's world: moto, the proxy, a data folder, and cloud children that talk to them.

use crate::machine::{Body, Machines};
use crate::moto::Moto;
use crate::proxy::Proxy;
use anyhow::{Context, Result, ensure};
use banyan_cloud::child::message::{Listed, Target};
use banyan_cloud::child::{Cloud, Spawn};
use banyan_cloud::ec2::image::Wish as ImageWish;
use banyan_cloud::money::Usd;
use banyan_cloud::plan::Limits;
use banyan_cloud::provider::{Kind, Order, Wish};
use banyan_cloud::reaper::Verdict;
use banyan_cloud::region::Region;
use banyan_protocol::id::PublicKey;
use banyan_protocol::role::relay::boot::{Boot, Enrol, Key, Version};
use banyan_protocol::wire::lease::Lease;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;

/// The key id that the children have. It opens nothing.
pub const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
/// The secret key that the children have; nothing may show it.
pub const SECRET_KEY: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";
/// The session token that the children have; nothing may show it.
pub const SESSION_TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLETOKEN";

/// The region of the tests.
pub const REGION: &str = "eu-central-1";

/// A test's world.
#[derive(Debug)]
pub struct Rig {
    /// In front of EC2.
    pub proxy: Proxy,
    /// What runs for the account's instances, if anything does.
    pub machines: Option<Arc<Machines>>,
    /// Where the ledger and the logs are.
    pub data: PathBuf,
    _moto: Moto,
}

impl Drop for Rig {
    fn drop(&mut self) {
        // A failed test's files say why.
        if !std::thread::panicking() && std::env::var_os("BANYAN_RIG_KEEPS").is_none() {
            let _ = std::fs::remove_dir_all(&self.data);
        }
    }
}

impl Rig {
    /// An empty account.
    ///
    /// # Errors
    /// If moto or the proxy do not start.
    pub async fn start(name: &str) -> Result<Self> {
        Self::open(name, None).await
    }

    /// An empty account whose instances are machines that run. In a network namespace that
    /// [`net::enter`](crate::machine::net::enter) made.
    ///
    /// # Errors
    /// If moto, the metadata service or the proxy do not start.
    pub async fn with_machines(name: &str, body: Body) -> Result<Self> {
        Self::open(name, Some(body)).await
    }

    async fn open(name: &str, body: Option<Body>) -> Result<Self> {
        let data = std::env::temp_dir().join(format!("banyan-cloud-rig-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&data);
        std::fs::create_dir_all(&data)?;
        let moto = Moto::start().await?;
        let machines = match body {
            Some(body) => Some(Machines::new(body, data.clone(), moto.address).await?),
            None => None,
        };
        Ok(Self {
            proxy: Proxy::start(moto.address, machines.clone()).await?,
            machines,
            data,
            _moto: moto,
        })
    }

    /// A cloud child with credentials for the account, and whose own sweeps come every second if it `sweeps`.
    ///
    /// # Errors
    /// If the program is not built.
    pub fn cloud(&self, sweeps: bool) -> Result<Cloud> {
        Ok(Cloud::start(self.spawn(&credentials(), sweeps)?))
    }

    /// The same with these settings in place of the credentials.
    ///
    /// # Errors
    /// If the program is not built.
    pub fn cloud_with(&self, settings: &[(&str, &str)]) -> Result<Cloud> {
        Ok(Cloud::start(self.spawn(settings, false)?))
    }

    fn spawn(&self, settings: &[(&str, &str)], sweeps: bool) -> Result<Spawn> {
        let mut args: Vec<OsString> = vec![
            "-c".into(),
            "log=$1; shift; exec env \"$@\" 2>> \"$log\"".into(),
            "sh".into(),
        ];
        args.push(self.log().into_os_string());
        args.extend(self.env(settings).into_iter().map(OsString::from));
        args.extend([built("banyan")?.into_os_string(), "cloud-child".into()]);
        args.extend(["--data".into(), self.data.clone().into_os_string()]);
        args.extend(["--relay".into(), "/nonexistent/banyan-relay".into()]);
        if sweeps {
            args.extend(["--sweep-every", "1s", "1s"].map(OsString::from));
        }
        Ok(Spawn {
            program: "sh".into(),
            args,
        })
    }

    /// The program's environment: ours but for anything of AWS's, and its home here.
    fn env(&self, settings: &[(&str, &str)]) -> Vec<String> {
        let ours = std::env::vars()
            .filter(|(name, _)| name.starts_with("AWS_"))
            .map(|(name, _)| name);
        let unset = ours.flat_map(|name| ["-u".to_owned(), name]);
        let proxy = format!("AWS_ENDPOINT_URL_EC2=http://{}", self.proxy.address);
        let home = self.data.display();
        let own = [
            proxy,
            "RUST_LOG=trace".into(),
            "AWS_EC2_METADATA_DISABLED=true".into(),
            format!("HOME={home}"),
            format!("XDG_DATA_HOME={home}"),
            format!("XDG_CONFIG_HOME={home}"),
        ];
        let settings = settings.iter().map(|(name, value)| format!("{name}={value}"));
        unset.chain(own).chain(settings).collect()
    }

    /// A command of the program with the account's credentials.
    ///
    /// # Errors
    /// If the program is not built.
    pub fn command(&self, words: &[&str]) -> Result<Command> {
        self.command_with(words, &credentials())
    }

    /// The same with these settings in place of the credentials.
    ///
    /// # Errors
    /// If the program is not built.
    pub fn command_with(&self, words: &[&str], settings: &[(&str, &str)]) -> Result<Command> {
        let mut command = Command::new("env");
        // A session at its loudest would fill the disk with packets.
        let quiet = "RUST_LOG=info,banyan_peer=debug";
        command.args(self.env(settings)).arg(quiet);
        command.arg(built("banyan")?).args(words);
        Ok(command)
    }

    /// Runs a command of the program with the account's credentials.
    ///
    /// # Errors
    /// If it cannot be run.
    pub async fn banyan(&self, words: &[&str], input: &str) -> Result<std::process::Output> {
        let mut command = self.command(words)?;
        command.stdin(std::process::Stdio::piped());
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take().context("it is piped")?;
        tokio::io::AsyncWriteExt::write_all(&mut stdin, input.as_bytes()).await?;
        drop(stdin);
        Ok(child.wait_with_output().await?)
    }

    /// The data folder of [`banyan`](Self::banyan)'s commands: the platform's, in the rig's home.
    pub fn home_data(&self) -> PathBuf {
        self.data.join("banyan")
    }

    /// What the children log.
    pub fn log(&self) -> PathBuf {
        self.data.join("child.log")
    }

    /// The processes of the rig's children.
    pub fn children(&self) -> Vec<u32> {
        self.children_of(&self.data)
    }

    /// The cloud children that have their ledger in this folder.
    pub fn children_of(&self, data: &Path) -> Vec<u32> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten();
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let data = data.to_string_lossy().into_owned();
        let is_ours = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words: Vec<String> = line
                .split(|byte| *byte == 0)
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect();
            words.first().is_some_and(|word| word.ends_with("banyan")) && words.contains(&data)
        };
        pids.filter(is_ours).collect()
    }

    /// Kills the rig's children, with a signal that nothing can be done about.
    ///
    /// # Errors
    /// If that is not possible.
    pub async fn kill_children(&self) -> Result<usize> {
        let children = self.children();
        for pid in &children {
            let killed = Command::new("kill")
                .args(["-9", &pid.to_string()])
                .status()
                .await?;
            ensure!(killed.success(), "child {pid} cannot be killed");
        }
        Ok(children.len())
    }

    /// The machines that run or boot, whoever launched them.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn alive(&self, cloud: &Cloud) -> Result<Vec<Listed>> {
        let (relays, _, unseen) = cloud.list(Some(Kind::Ec2), vec![region()]).await?;
        ensure!(unseen.is_empty(), "{unseen:?}");
        Ok(relays)
    }

    /// Ends what should not run, as `banyan relays sweep` does.
    ///
    /// # Errors
    /// If something cannot be ended.
    pub async fn sweep(&self, cloud: &Cloud) -> Result<Vec<Listed>> {
        let doomed: Vec<Listed> = self
            .alive(cloud)
            .await?
            .into_iter()
            .filter(|relay| relay.verdict != Verdict::Keep)
            .collect();
        for relay in &doomed {
            let target = Target::Machine(Box::new(relay.found.clone()));
            cloud.terminate(target, &relay.verdict.to_string()).await?;
        }
        Ok(doomed)
    }

    /// An order for a relay of an hour and a dollar, with a lease of its own.
    ///
    /// # Errors
    /// If it cannot be planned.
    pub async fn order(&self, cloud: &Cloud) -> Result<Order> {
        let plan = cloud.plan(Kind::Ec2, wish()).await?;
        let lease = Lease {
            id: banyan_cloud::random::lease_id(),
            ends: banyan_cloud::clock::now().after(Duration::from_secs(3600)),
            bytes: plan.bytes,
        };
        Ok(Order {
            provider: Kind::Ec2,
            boot: boot(lease),
            plan,
            image: image(),
            subnet: None,
        })
    }
}

/// An hour and a dollar, in the tests' region.
pub fn wish() -> Wish {
    Wish {
        near: Vec::new(),
        limits: Limits {
            hours: Duration::from_secs(3600),
            budget: Usd::from_cents(100),
        },
        region: Some(region()),
        kinds: Vec::new(),
    }
}

/// The tests' region.
pub fn region() -> Region {
    REGION.parse().expect("it is one")
}

/// One of the images that moto has: it is never booted.
pub fn image() -> ImageWish {
    ImageWish {
        owner: Some("099720109477".into()),
        name: Some("ubuntu/images/hvm-ssd/ubuntu-xenial-*".into()),
        releases: Vec::new(),
        makes: false,
    }
}

fn boot(lease: Lease) -> Boot {
    Boot {
        version: Version,
        channel: Key(PublicKey([1; 32])),
        sponsor: Key(PublicKey([2; 32])),
        lease,
        enrol: Enrol {
            secret: banyan_cloud::random::enrol_secret(),
            until: banyan_cloud::clock::now().after(Duration::from_secs(600)),
        },
        listen: "[::]:4600".parse().expect("it is an address"),
        uplink_bps: None,
    }
}

fn credentials() -> [(&'static str, &'static str); 3] {
    [
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_SESSION_TOKEN", SESSION_TOKEN),
    ]
}

/// A program of the workspace, built beside this test.
///
/// # Errors
/// If it is not there.
pub fn built(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test
        .parent()
        .and_then(std::path::Path::parent)
        .context("tests are in target/PROFILE/deps")?;
    let program = folder.join(name);
    ensure!(
        program.exists(),
        "{} is not there: cargo build --workspace",
        program.display()
    );
    Ok(program)
}
