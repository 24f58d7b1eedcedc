//! The command line's side of a session: start it, tell what happens, pass on what the person wants.

mod answers;

use crate::args::{Args, Bench, BenchRelay, Command};
use crate::bench;
use crate::cloud;
use crate::config;
use crate::error::{Error, Finish};
use crate::file::File;
use crate::folders::Folders;
use crate::notice::Own;
use crate::report::{Report, Style};
use crate::session::{self, Order, Session};
use crate::start_time::process_began;
use clap::CommandFactory;
use clap::Parser;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracing_subscriber::EnvFilter;

/// Does what the command line asks.
///
/// # Errors
/// Why it did not end as asked; [`Error::exit_code`] is the process's.
pub async fn run(args: Args) -> Result<(), Error> {
    let began = process_began();
    let folders = Folders::find()?;
    let file = File::load(args.config.as_deref(), Some(&folders.config_file))?;
    match args.command {
        Command::Broadcast(args) => {
            let config = config::Broadcast::resolve(args, file.broadcast)?;
            let report = Report::new(
                style(config.json, io::stdout().is_terminal()),
                Box::new(io::stdout()),
            );
            let input = session::input::Input::open(&config);
            let session = input.and_then(|input| session::broadcast::start(&config, input, &folders, began));
            conclude(began, report, session, None).await
        }
        Command::Watch(args) => {
            watch(
                began,
                config::Watch::resolve(args, file.watch, file.cloud)?,
                &folders,
            )
            .await
        }
        Command::Sponsor(args) => watch(began, config::Watch::sponsor(args, file.cloud)?, &folders).await,
        Command::Bench {
            what: Bench::Relay(args),
        } => bench(began, &args).await,
        Command::Relays { what } => cloud::relays::run(what, &folders).await,
        Command::Cloud { what } => cloud::account::run(what, file.cloud, &folders).await,
        Command::CloudChild(args) => cloud::child::serve(args).await,
        Command::Detach(args) => Err(cloud::child::detach(&args.words).into()),
        Command::BenchForwarder(args) => Ok(banyan_relay::forwarder::run(&args).await?),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Args::command(), "banyan", &mut io::stdout());
            Ok(())
        }
    }
}

/// Watches, or stands by to sponsor without doing so.
async fn watch(began: Instant, config: config::Watch, folders: &Folders) -> Result<(), Error> {
    let report = watch_report(&config);
    let answers = answers::source(&config);
    let session = session::watch::start(config, folders, began).await;
    conclude(began, report, session, answers).await
}

async fn bench(began: Instant, args: &BenchRelay) -> Result<(), Error> {
    let result = bench::relay(args).await?;
    let style = if args.json { Style::Json } else { Style::Plain };
    let mut report = Report::new(style, Box::new(io::stdout()));
    Ok(report.tell(began.elapsed(), &Own::BenchResult(result).into())?)
}

/// What is logged: what `RUST_LOG` says; but where credentials are read, of this program's own parts alone, for an SDK's
/// traces show requests with their signatures.
pub fn log_filter(command: &Command) -> EnvFilter {
    let wished = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".into());
    match command {
        Command::CloudChild(_) => EnvFilter::new(own_parts(&wished)),
        _ => EnvFilter::try_new(&wished).unwrap_or_else(|_| EnvFilter::new("info")),
    }
}

/// The directives of a filter that name a part of this program; a level for everything becomes one for its own parts.
fn own_parts(wished: &str) -> String {
    let own = wished.split(',').filter_map(|directive| {
        let directive = directive.trim();
        let level = directive.parse::<tracing::Level>();
        let is_own = directive.starts_with("banyan");
        match level {
            Ok(level) => Some(format!("banyan={level},banyan_cloud={level}")),
            Err(_) => is_own.then(|| directive.to_owned()),
        }
    });
    std::iter::once("off".to_owned())
        .chain(own)
        .collect::<Vec<_>>()
        .join(",")
}

/// The whole program, as the process's command line says; errors of its commands are told on standard error.
///
/// # Errors
/// If the system gives no threads.
pub fn program() -> io::Result<ExitCode> {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(log_filter(&args.command))
        .with_writer(io::stderr)
        .init();
    let runtime = runtime(&args.command)?;
    Ok(match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("banyan: {error}");
            ExitCode::from(error.exit_code())
        }
    })
}

/// Whether the process was started by another of this program to do a part of its work: the cloud's, for one. A program
/// that contains this one then is to be nothing but [`program`].
pub fn is_part() -> bool {
    let part = std::env::args_os().nth(1);
    part.is_some_and(|part| part == "cloud-child" || part == "detach")
}

/// The runtime for a command: one thread where one core is measured, else one a core.
///
/// # Errors
/// If the system gives no threads.
pub fn runtime(command: &Command) -> io::Result<Runtime> {
    let mut builder = match command {
        Command::BenchForwarder(_) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

fn style(json: bool, is_terminal: bool) -> Style {
    match (json, is_terminal) {
        (true, _) => Style::Json,
        (false, true) => Style::Terminal,
        (false, false) => Style::Plain,
    }
}

/// Where standard output carries the stream, standard error is for people.
fn watch_report(config: &config::Watch) -> Report {
    if config.output == config::Output::Stdout {
        Report::new(style(false, io::stderr().is_terminal()), Box::new(io::stderr()))
    } else {
        Report::new(
            style(config.json, io::stdout().is_terminal()),
            Box::new(io::stdout()),
        )
    }
}

/// Drives a session that could be started, and tells how it ended, or why it never began.
async fn conclude(
    began: Instant,
    mut report: Report,
    session: Result<Session, Error>,
    answers: Option<answers::Source>,
) -> Result<(), Error> {
    let outcome = match session {
        Ok(session) => drive(began, &mut report, session, answers).await,
        Err(error) => Err(error),
    };
    let ended = Own::Ended {
        why: outcome
            .as_ref()
            .map_or_else(Error::name, |finish| finish.name())
            .into(),
        error: outcome.as_ref().err().map(ToString::to_string),
    };
    // Whoever read the output may have gone; the exit code says it too.
    let _ = report.tell(began.elapsed(), &ended.into());
    outcome.map(|_| ())
}

async fn drive(
    began: Instant,
    report: &mut Report,
    mut session: Session,
    answers: Option<answers::Source>,
) -> Result<Finish, Error> {
    let orders = session.orders();
    tokio::spawn(leave_on_signal(orders.clone()));
    if let Some(answers) = answers {
        answers::listen(answers, orders.clone());
    }
    let mut every_second = interval(Duration::from_secs(1));
    every_second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let told = tokio::select! {
            biased;
            next = session.next() => match next {
                Some((at, notice)) => report.tell(at.duration_since(began), &notice),
                None => break,
            },
            _ = every_second.tick() => report.show(&session.snapshot()),
        };
        if told.is_err() {
            // Nobody reads what is told. It may have been asked to leave already.
            let _ = orders.try_send(Order::Leave);
        }
    }
    session.finish().await
}

/// Signals that follow the first within this time mean the same: `timeout` sends two.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// The first Ctrl-C or SIGTERM ends the session cleanly; a later one, of somebody who does not want to wait, at once.
async fn leave_on_signal(orders: mpsc::Sender<Order>) {
    signal().await;
    let first = Instant::now();
    // A session that has ended needs no telling.
    let _ = orders.send(Order::Leave).await;
    while first.elapsed() < SAME_SIGNAL {
        signal().await;
    }
    let _ = writeln!(io::stderr(), "banyan: ended at once");
    std::process::exit(1);
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("the runtime handles signals");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}

#[cfg(test)]
mod tests {
    use super::own_parts;

    #[test]
    fn where_credentials_are_read_nobody_elses_traces_are_logged() {
        assert_eq!(own_parts("trace"), "off,banyan=TRACE,banyan_cloud=TRACE");
        assert_eq!(
            own_parts("info,banyan_cloud=debug,aws_smithy_runtime=trace,[span]=trace"),
            "off,banyan=INFO,banyan_cloud=INFO,banyan_cloud=debug"
        );
        assert_eq!(own_parts("hyper=trace"), "off");
    }
}
