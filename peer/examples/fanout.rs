//! What forwarding costs: one process passes 10 stripes of a 4 Mbit/s stream on to many children, another is all the
//! children and the source.
//!
//! ```text
//! cargo run --release -p banyan-peer --example fanout -- --children 200 --seconds 10 --hold-ms 20
//! ```
//! Pins itself to core 0 and its load to the others (`taskset`, if it is there), and prints CPU seconds per delivered
//! gigabit, added latency and memory a child.

use anyhow::{Context, Result, ensure};
use banyan_peer::{Clock, Config, Endpoint, Inbound, Outgoing, identity, spawn};
use banyan_protocol::event::Event;
use banyan_protocol::id::PeerId;
use banyan_protocol::io::{Command as Start, Ended, Input, Lane, LinkId, Machine, Outbox, Output};
use banyan_protocol::media::TierId;
use banyan_protocol::time::Instant;
use banyan_protocol::wire::framing::{body, frame};
use banyan_protocol::wire::link::ChannelLink;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DATA: Lane = Lane::Data(TierId(0));
const STRIPES: u64 = 10;
const TICK: Duration = Duration::from_millis(100);
/// A payload's share of a chunk at 4 Mbit/s.
const CHUNK: usize = 4_000_000 / 8 / 100;
/// Children are written to in turns, so that no burst of writes lasts long.
const TURNS: usize = 4;
const LOAD_THREADS: usize = 3;
/// For the last chunks to arrive.
const LINGER: Duration = Duration::from_millis(500);

#[derive(Clone, Copy)]
struct Plan {
    children: usize,
    seconds: u64,
    hold: Duration,
    gso: bool,
}

impl Plan {
    fn from_args() -> Result<(Self, Option<String>)> {
        let mut args = std::env::args().skip(1);
        let mut plan = Self {
            children: 200,
            seconds: 10,
            hold: Duration::from_millis(20),
            gso: true,
        };
        let mut load = None;
        while let Some(name) = args.next() {
            let value = args.next().context("each option has a value")?;
            match name.as_str() {
                "--children" => plan.children = value.parse()?,
                "--seconds" => plan.seconds = value.parse()?,
                "--hold-ms" => plan.hold = Duration::from_millis(value.parse()?),
                "--gso" => plan.gso = value.parse()?,
                "--load" => load = Some(value),
                other => anyhow::bail!("what is {other}?"),
            }
        }
        Ok((plan, load))
    }
}

fn main() -> Result<()> {
    match Plan::from_args()? {
        (plan, Some(link)) => load(plan, &link),
        (plan, None) => forward(plan),
    }
}

/// Passes on what comes, at most `hold` later, so that a child gets several chunks in one write.
struct Forwarder {
    hold: Duration,
    turns: [Turn; TURNS],
    links: usize,
    source: Option<LinkId>,
    went: mpsc::Sender<()>,
}

#[derive(Default)]
struct Turn {
    children: Vec<LinkId>,
    waiting: Vec<Bytes>,
    due: Option<Instant>,
}

impl Forwarder {
    fn chunk(&mut self, now: Instant, chunk: &Bytes) {
        for (index, turn) in self.turns.iter_mut().enumerate() {
            turn.waiting.push(chunk.clone());
            // At first, turns wait for different times; then each goes on in its own rhythm.
            let early = self.hold * index as u32 / TURNS as u32;
            turn.due.get_or_insert(now + (self.hold - early));
        }
    }

    fn write(&mut self, now: Instant, out: &mut Outbox) {
        for turn in &mut self.turns {
            if turn.due.is_some_and(|due| due <= now) {
                turn.due = None;
                for (link, chunk) in turn
                    .children
                    .iter()
                    .flat_map(|link| turn.waiting.iter().map(move |chunk| (link, chunk)))
                {
                    out.push(Output::Send {
                        link: *link,
                        lane: DATA,
                        frame: chunk.clone(),
                    });
                }
                turn.waiting.clear();
            }
        }
    }
}

impl Machine for Forwarder {
    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        match input {
            Input::Linked { link, .. } => {
                self.turns[self.links % TURNS].children.push(link);
                self.links += 1;
            }
            Input::Frame {
                link,
                lane: Lane::Control,
                ..
            } => {
                self.turns
                    .iter_mut()
                    .for_each(|turn| turn.children.retain(|child| *child != link));
                self.source = Some(link);
                let _ = self.went.send(());
            }
            Input::Frame { frame, .. } => self.chunk(now, &frame),
            Input::Unlinked { link, .. } if self.source == Some(link) => {
                out.push(Output::Ended(Ended::Left));
                let _ = self.went.send(());
            }
            Input::Wake => self.write(now, out),
            _ => {}
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        self.turns.iter().filter_map(|turn| turn.due).min()
    }

    fn check_invariants(&self) {}
}

fn forward(plan: Plan) -> Result<()> {
    let (went, going) = mpsc::channel();
    let meter = std::thread::spawn(move || measure(plan, &going));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let key = identity::generate();
        let inbound = Inbound {
            total: 2 * plan.children + 2,
            per_prefix: 2 * plan.children + 2,
            ..Inbound::default()
        };
        let config = Config {
            coordinator: None,
            listen: Some("127.0.0.1:0".parse()?),
            inbound,
            gso: plan.gso,
        };
        let endpoint = Endpoint::bind(&key, config)?;
        let mut load = start_load(plan, &endpoint)?;
        let forwarder = Forwarder {
            hold: plan.hold,
            turns: Default::default(),
            links: 0,
            source: None,
            went,
        };
        let mut handle = spawn(forwarder, endpoint, Clock::start());
        while let Some(outgoing) = handle.outgoing.recv().await {
            ensure!(matches!(outgoing, Outgoing::Ended(Ended::Left)));
        }
        ensure!(load.wait()?.success());
        Ok(())
    })?;
    meter.join().expect("the meter doesn't panic")
}

fn start_load(plan: Plan, endpoint: &Endpoint) -> Result<std::process::Child> {
    let link = ChannelLink {
        channel: endpoint.id(),
        addresses: vec![endpoint.local()],
        secret: None,
        title: None,
    };
    pin("0", std::process::id());
    let load = Command::new(std::env::current_exe()?)
        .args(["--load", &link.to_string()])
        .args(["--children", &plan.children.to_string()])
        .args(["--seconds", &plan.seconds.to_string()])
        .spawn()?;
    pin("1-3", load.id());
    Ok(load)
}

fn pin(cores: &str, process: u32) {
    let pinned = Command::new("taskset")
        .args(["-acp", cores, &process.to_string()])
        .stdout(Stdio::null())
        .status();
    if !pinned.is_ok_and(|status| status.success()) {
        eprintln!("not pinned");
    }
}

/// CPU time of this process while the source sends, per gigabit that the children got.
fn measure(plan: Plan, going: &mpsc::Receiver<()>) -> Result<()> {
    let idle_kib = memory_kib()?;
    going.recv()?;
    let begun = cpu_s()?;
    let middle = going.recv_timeout(Duration::from_secs(plan.seconds / 2));
    ensure!(middle.is_err(), "the source went too soon");
    let busy_kib = memory_kib()?;
    going.recv()?;
    let gbit = (plan.seconds * 100 * CHUNK as u64 * 8 * plan.children as u64) as f64 / 1e9;
    println!(
        "{} children, held {:?}: {:.3} CPU-s/Gbit, {} KiB a child",
        plan.children,
        plan.hold,
        (cpu_s()? - begun) / gbit,
        (busy_kib - idle_kib) / plan.children as u64
    );
    Ok(())
}

fn cpu_s() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().context("a name in brackets")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // User and system time, in hundredths of a second (proc(5)).
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

fn memory_kib() -> Result<u64> {
    let status = BufReader::new(std::fs::File::open("/proc/self/status")?);
    let line = status
        .lines()
        .map_while(Result::ok)
        .find(|line| line.starts_with("VmRSS"));
    Ok(line
        .context("VmRSS")?
        .split_whitespace()
        .nth(1)
        .context("a number")?
        .parse()?)
}

/// Some children, and in the first thread the source.
struct Load {
    to: (PeerId, SocketAddr),
    children: usize,
    linked: usize,
    /// When the next chunk goes out, and which it is.
    next: Option<(Instant, u64)>,
    chunks: u64,
    is_source: bool,
    got: BTreeMap<u64, u64>,
}

const SOURCE: LinkId = LinkId(0);

fn now_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_micros() as u64
}

impl Load {
    fn begin(&mut self, out: &mut Outbox) {
        let first = if self.is_source { 0 } else { 1 };
        for number in first..=self.children as u64 {
            out.push(Output::Dial {
                link: LinkId(2 * number),
                peer: self.to.0,
                addresses: vec![self.to.1],
            });
        }
    }

    fn send_chunk(&mut self, out: &mut Outbox) {
        let Some((at, number)) = self.next else { return };
        let mut payload = vec![number as u8; CHUNK];
        payload[..8].copy_from_slice(&now_us().to_le_bytes());
        out.push(Output::Send {
            link: SOURCE,
            lane: DATA,
            frame: frame(&payload),
        });
        let next = (at + TICK / STRIPES as u32, number + 1);
        self.next = (next.1 < self.chunks).then_some(next);
    }
}

impl Machine for Load {
    fn handle(&mut self, now: Instant, input: Input, out: &mut Outbox) {
        match input {
            Input::Candidates(_) => self.begin(out),
            Input::Linked { .. } => {
                self.linked += 1;
                if self.linked == self.children + usize::from(self.is_source) {
                    // Any event will do.
                    out.event(Event::Stall);
                }
            }
            Input::Command(_) if self.is_source => {
                out.push(Output::Send {
                    link: SOURCE,
                    lane: Lane::Control,
                    frame: frame(b"source"),
                });
                self.next = Some((now, 0));
            }
            Input::Wake => self.send_chunk(out),
            Input::Frame { frame, .. } => {
                let body = body(&frame);
                let sent = u64::from_le_bytes(*body.first_chunk().expect("a whole chunk"));
                *self.got.entry((now_us() - sent) / 100).or_default() += 1;
            }
            Input::Unlinked { why, .. } => panic!("{why:?}"),
            _ => {}
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        self.next.map(|(at, _)| at)
    }

    fn check_invariants(&self) {}
}

fn load(plan: Plan, link: &str) -> Result<()> {
    let link: ChannelLink = link.parse()?;
    let all_linked = Arc::new(Barrier::new(LOAD_THREADS));
    let threads: Vec<_> = (0..LOAD_THREADS)
        .map(|index| {
            let load = Load {
                to: (link.channel, link.addresses[0]),
                children: (plan.children + index) / LOAD_THREADS,
                linked: 0,
                next: None,
                chunks: plan.seconds * 100,
                is_source: index == 0,
                got: BTreeMap::new(),
            };
            let all_linked = all_linked.clone();
            std::thread::spawn(move || run_load(plan, load, &all_linked))
        })
        .collect();
    let mut got: BTreeMap<u64, u64> = BTreeMap::new();
    for thread in threads {
        for (latency, count) in thread.join().expect("the load doesn't panic")? {
            *got.entry(latency).or_default() += count;
        }
    }
    report(plan, &got);
    Ok(())
}

fn run_load(plan: Plan, load: Load, all_linked: &Barrier) -> Result<BTreeMap<u64, u64>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let config = Config {
            listen: Some("127.0.0.1:0".parse()?),
            ..Config::default()
        };
        let endpoint = Endpoint::bind(&identity::generate(), config)?;
        let mut handle = spawn(load, endpoint, Clock::start());
        ensure!(handle.outgoing.recv().await.is_some(), "says when it is linked");
        all_linked.wait();
        handle.commands.send(Start::Discontinuity).await?;
        tokio::time::sleep(Duration::from_secs(plan.seconds) + LINGER).await;
        handle
            .inspector
            .inspect(|load| load.got.clone())
            .await
            .context("it runs")
    })
}

fn report(plan: Plan, got: &BTreeMap<u64, u64>) {
    let total: u64 = got.values().sum();
    let due = plan.seconds * 100 * plan.children as u64;
    let at = |share: f64| {
        let mut left = (total as f64 * share) as u64;
        got.iter().find(|(_, count)| match left.checked_sub(**count) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        })
    };
    let ms = |share| at(share).map_or(f64::NAN, |(latency, _)| *latency as f64 / 10.0);
    println!(
        "delivered {:.4}, added p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms",
        total as f64 / due as f64,
        ms(0.5),
        ms(0.99),
        ms(0.999)
    );
}
