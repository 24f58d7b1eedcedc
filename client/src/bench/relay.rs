//! The course of the benchmark.

use super::child::{Child, Gate, Said, Tally};
use super::plan::{self, EPOCH, Plan};
use super::process::{self, Process};
use super::source::Source;
use super::summary::{BenchResult, Measured};
use crate::args::BenchRelay;
use crate::error::Error;
use banyan_peer::{Clock, Endpoint, Handle, identity};
use banyan_protocol::id::{PeerId, SecretKey, key_text};
use banyan_protocol::io::Machine;
use banyan_protocol::limits::{STORE_KEPT, TICKET_LIFE};
use banyan_protocol::time::{ChannelClock, ChannelTime, Instant};
use banyan_protocol::wire::ticket::{Class, Grant, Rank, Ticket};
use banyan_relay::forwarder::RANK;
use bytes::Bytes;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// How long everybody has to be linked and fed.
const JOIN_MAX: Duration = Duration::from_secs(30);

/// Each occupies a thread, of which the runtime has 512.
const STALLED_MAX: usize = 400;

/// Between the last join and the measuring, and between its end and the counting: what is on its way arrives.
const SETTLE: Duration = Duration::from_secs(2);

/// Measures one forwarding process.
///
/// # Errors
/// [`Error::Bench`] if the forwarding process or a child fails.
pub async fn run(args: &BenchRelay) -> Result<BenchResult, Error> {
    check(args)?;
    let key = Arc::new(identity::generate());
    let process = Process::start(args, &key_text(&key.public()))?;
    if let Some(core) = args.pin {
        process::keep_off(core)?;
    }
    let clock = Clock::start();
    let day = ChannelClock::new(clock.now(), clock.channel_now());
    let plan = Arc::new(Plan::new(key.public(), day, clock.now(), args.rate));
    let load = Load {
        plan,
        key,
        clock,
        target: (process.target.peer, process.target.listen),
    };
    let (_source, mut source_linked) = load.start_source(args).await?;
    // The store is full then, and no part of what a child costs.
    sleep(STORE_KEPT + SETTLE).await;
    let memory_before = process.memory()?;
    // Opened when it is dropped, also by a failure: a thread that waits would keep the program.
    let gate = Opened(Arc::default());
    let (children, mut said) = load.start_children(args, &gate.0).await?;
    let cpu = load.measure(args.seconds, &process).await?;
    let memory = process.memory()?.saturating_sub(memory_before);
    sleep(SETTLE).await;
    if source_linked.try_recv().is_ok() {
        return Err(Error::Bench("the forwarding process gave up its source".into()));
    }
    if let Ok(Said::Lost(why)) = said.try_recv() {
        return Err(Error::Bench(format!("a child was lost: {why}")));
    }
    let measured = Measured {
        rate_bps: args.rate.as_bps(),
        seconds: args.seconds,
        blocks: args.seconds * 10,
        payload: load.plan.payload,
        cpu,
        memory,
        stalled: args.stalled,
        peak: process.peak()?,
        tallies: tallies(&children).await?,
    };
    Ok(measured.summary())
}

fn check(args: &BenchRelay) -> Result<(), Error> {
    if args.children == 0 || args.seconds == 0 || args.rate.as_bps() == 0 {
        return Err(Error::Usage(
            "--children, --seconds and --rate are more than nothing".into(),
        ));
    }
    if args.stalled >= args.children || args.stalled > STALLED_MAX {
        return Err(Error::Usage(format!(
            "--stalled is less than --children, and {STALLED_MAX} at most"
        )));
    }
    Ok(())
}

/// What the load process works with.
struct Load {
    plan: Arc<Plan>,
    key: Arc<SecretKey>,
    clock: Clock,
    target: (PeerId, std::net::SocketAddr),
}

impl Load {
    /// A source that feeds the forwarding process already; the channel hears when it no longer does.
    async fn start_source(&self, args: &BenchRelay) -> Result<(Handle<Source>, mpsc::Receiver<bool>), Error> {
        let (tell, mut linked) = mpsc::channel(2);
        let layout = plan::layout(args.rate, &*self.key);
        let source = Source::new(self.plan.clone(), self.key.clone(), layout, self.target, tell);
        let handle = self.spawn(&identity::generate(), source)?;
        match timeout(JOIN_MAX, linked.recv()).await {
            Ok(Some(true)) => Ok((handle, linked)),
            _ => Err(Error::Bench(
                "the forwarding process does not answer its source".into(),
            )),
        }
    }

    /// Children that are all fed; the first of them stall at the gate.
    async fn start_children(
        &self,
        args: &BenchRelay,
        gate: &Arc<Gate>,
    ) -> Result<(Vec<Handle<Child>>, mpsc::Receiver<Said>), Error> {
        let count = args.children;
        // Room for two words of each child, and for ten refused stripes of each.
        let (say, mut said) = mpsc::channel(count * 12);
        let mut children = Vec::with_capacity(count);
        for number in 0..count {
            let key = identity::generate();
            let stalls = (number < args.stalled).then(|| gate.clone());
            let ticket = self.ticket(key.id());
            let child = Child::new(self.plan.clone(), ticket, self.target, say.clone(), stalls);
            children.push(self.spawn(&key, child)?);
        }
        let all_fed = async {
            for _ in 0..count {
                match said.recv().await {
                    Some(Said::Fed) => {}
                    Some(Said::Lost(why)) => return Err(Error::Bench(format!("a child is not fed: {why}"))),
                    None => break,
                }
            }
            Ok(())
        };
        let late = |_| Error::Bench(format!("not all {count} children are fed after {JOIN_MAX:?}"));
        timeout(JOIN_MAX, all_fed).await.map_err(late)??;
        // Who stalls has nothing to tell.
        Ok((children.split_off(args.stalled), said))
    }

    fn spawn<M: Machine + Send + 'static>(&self, key: &SecretKey, machine: M) -> Result<Handle<M>, Error> {
        let config = banyan_peer::Config {
            listen: Some((Ipv4Addr::LOCALHOST, 0).into()),
            ..banyan_peer::Config::default()
        };
        Ok(banyan_peer::spawn(
            machine,
            Endpoint::bind(key, config)?,
            self.clock,
        ))
    }

    /// Permission to be a child of the forwarding process on all stripes.
    fn ticket(&self, child: PeerId) -> Bytes {
        let (forwarder, _) = self.target;
        let grant = |stripe| Grant {
            stripe,
            rank: Rank(RANK.0 + 1),
            parent: forwarder.tag(),
            spare: None,
            replaces: None,
        };
        let ticket = Ticket {
            epoch: EPOCH,
            serial: 1,
            child,
            class: Class::Leaf,
            expires: self.now() + TICKET_LIFE,
            grants: plan::stripes().map(grant).collect(),
        };
        ticket.seal(&*self.key)
    }

    fn now(&self) -> ChannelTime {
        self.plan.clock.channel(self.clock.now())
    }

    /// Measures so many seconds; the forwarding process's CPU time in them.
    async fn measure(&self, seconds: u64, process: &Process) -> Result<Duration, Error> {
        let first = self.plan.block_at(self.clock.now() + SETTLE);
        let blocks = first..first + seconds * 10;
        let [begin, end] =
            [blocks.start, blocks.end].map(|block| self.plan.due(block * u64::from(plan::STRIPES)));
        self.plan.measured.set(blocks).expect("it is measured once");
        self.sleep_until(begin).await;
        let before = process.cpu()?;
        self.sleep_until(end).await;
        Ok(process.cpu()?.saturating_sub(before))
    }

    async fn sleep_until(&self, at: Instant) {
        sleep(at.since(self.clock.now())).await;
    }
}

/// A gate that does not outlive the benchmark.
struct Opened(Arc<Gate>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.open();
    }
}

async fn tallies(children: &[Handle<Child>]) -> Result<Vec<Tally>, Error> {
    let mut tallies = Vec::with_capacity(children.len());
    for child in children {
        let tally = child.inspector.inspect(|child| child.tally().clone()).await;
        let tally = tally.ok_or_else(|| Error::Bench("a child ended".into()))?;
        if tally.bad > 0 {
            return Err(Error::Bench(format!("a child got {} damaged chunks", tally.bad)));
        }
        tallies.push(tally);
    }
    Ok(tallies)
}
