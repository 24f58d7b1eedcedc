//! The process that alone reads cloud credentials: this program, started again.

use crate::args::{self, CloudChild};
use crate::error::Error;
use crate::folders::Folders;
use banyan_cloud::child::{Cloud, Config, Pace, Spawn, serve as serve_child};
use banyan_cloud::local::Programs;
use banyan_cloud::provider::Kind;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The relay's program, beside this one.
const RELAY: &str = "banyan-relay";

impl From<args::Provider> for Kind {
    fn from(provider: args::Provider) -> Self {
        match provider {
            args::Provider::Local => Self::Local,
            args::Provider::Ec2 => Self::Ec2,
        }
    }
}

/// A handle of a cloud child. One that `sponsors` ends by itself what should not run.
///
/// # Errors
/// If the program does not know where it is.
pub(crate) fn start(folders: &Folders, sponsors: bool) -> Result<Cloud, Error> {
    let program = std::env::current_exe()?;
    let mut args: Vec<OsString> = vec!["cloud-child".into()];
    args.extend(["--data".into(), folders.data.clone().into_os_string()]);
    args.extend(["--relay".into(), relay_beside(&program).into_os_string()]);
    if sponsors {
        let pace = Pace::default();
        let seconds = |time: std::time::Duration| format!("{}s", time.as_secs()).into();
        args.extend([
            "--sweep-every".into(),
            seconds(pace.usual),
            seconds(pace.watchful),
        ]);
    }
    Ok(Cloud::start(Spawn { program, args }))
}

fn relay_beside(program: &Path) -> PathBuf {
    program.with_file_name(RELAY)
}

/// `banyan cloud-child`: serves until its input ends.
pub(crate) async fn serve(args: CloudChild) -> Result<(), Error> {
    let program = std::env::current_exe()?;
    let sweeps = match args.sweep_every[..] {
        [usual, watchful] => Some(Pace { usual, watchful }),
        _ => None,
    };
    let config = Config {
        data: args.data,
        programs: Programs {
            relay: args.relay,
            detach: vec![program.into_os_string(), "detach".into()],
        },
        sweeps,
    };
    Ok(serve_child(config).await?)
}

/// `banyan detach`: becomes the program, in a session of its own, so that what ends this session does not end it.
/// Returns only if that fails.
pub(crate) fn detach(words: &[OsString]) -> io::Error {
    if let Err(error) = nix::unistd::setsid() {
        return error.into();
    }
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command.exec()
}
