//! The task that owns a state machine: it tells it what happens, and does what it says.

use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::happening::Happening;
use crate::link::Established;
use crate::links::Links;
use crate::outlet::{Outgoing, Outlet};
use crate::ready::Ready;
use crate::{accept, dial, end, trace};
use banyan_protocol::id::PeerId;
use banyan_protocol::io::{Command, Ended, Input, LinkEnd, LinkId, Machine, Outbox, Output};
use banyan_protocol::wire::close::CloseCode;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until, timeout};

/// What the readers may have ready for a driver that is busy; a full one holds up the peers.
const HAPPENINGS_MAX: usize = 256;

/// How many things are told to the machine before its outputs are written: enough to write them together, few enough to
/// write in time.
const BATCH_MAX: usize = 256;

/// Dials and probes under way at once. More fail at once: no honest plan needs so many.
const DIALS_MAX: usize = 256;

/// How often the machine is told of wire bytes, and a tenth of the links are looked at.
const METER_EVERY: Duration = Duration::from_millis(100);

/// How often this machine's addresses are looked up again, in [`METER_EVERY`].
const ADDRESSES_EVERY: u64 = 100;

/// How long the endpoint waits until the peers know that it has gone.
const GOODBYE_MAX: Duration = Duration::from_millis(500);

/// A look into the machine.
pub(crate) type Look<M> = Box<dyn FnOnce(&M) + Send>;

/// The channels that the program around the driver holds the other ends of.
pub(crate) struct Channels<M> {
    pub(crate) commands: Receiver<Command>,
    pub(crate) looks: Receiver<Look<M>>,
    pub(crate) outgoing: Sender<Outgoing>,
}

pub(crate) struct Driver<M> {
    machine: M,
    outbox: Outbox,
    clock: Clock,
    endpoint: Endpoint,
    links: Links,
    /// Odd names, for links that peers dial.
    next_link: u64,
    dials: HashMap<LinkId, AbortHandle>,
    tasks: JoinSet<()>,
    happenings: Receiver<Happening>,
    to_us: Sender<Happening>,
    ready: Arc<Ready>,
    ready_lanes: Vec<(LinkId, banyan_protocol::io::Lane)>,
    commands: Receiver<Command>,
    looks: Receiver<Look<M>>,
    outlet: Outlet,
    meter: Interval,
    meter_ticks: u64,
    candidates: Vec<SocketAddr>,
    /// What flushing says that the machine must hear.
    inputs: Vec<Input>,
    spare_inputs: Vec<Input>,
    /// Nobody is left to give commands.
    is_abandoned: bool,
    ended: Option<Ended>,
}

/// What woke the driver.
enum Woken<M> {
    Happening(Happening),
    Command(Option<Command>),
    Look(Look<M>),
    Meter,
    /// A timer, a lane that can be written again, or room in the outlet: looked after in any case.
    Other,
}

impl<M: Machine> Driver<M> {
    pub(crate) fn new(machine: M, endpoint: Endpoint, clock: Clock, channels: Channels<M>) -> Self {
        let (to_us, happenings) = channel(HAPPENINGS_MAX);
        let ready = Arc::new(Ready::default());
        let mut meter = interval(METER_EVERY);
        meter.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            machine,
            outbox: Outbox::new(),
            clock,
            endpoint,
            links: Links::new(ready.clone(), to_us.clone()),
            next_link: 1,
            dials: HashMap::new(),
            tasks: JoinSet::new(),
            happenings,
            to_us,
            ready,
            ready_lanes: Vec::new(),
            commands: channels.commands,
            looks: channels.looks,
            outlet: Outlet::new(channels.outgoing),
            meter,
            meter_ticks: 0,
            candidates: Vec::new(),
            inputs: Vec::new(),
            spare_inputs: Vec::new(),
            is_abandoned: false,
            ended: None,
        }
    }

    /// Drives the machine until it ends.
    pub(crate) async fn run(mut self) {
        self.tasks
            .spawn(accept::run(self.endpoint.clone(), self.to_us.clone()));
        let ended = loop {
            let woken = self.wait().await;
            self.take(woken);
            self.take_what_is_ready();
            self.wake();
            self.write();
            self.outlet.pump();
            if let Some(ended) = self.ended.take() {
                break ended;
            }
        };
        self.finish(ended).await;
    }

    async fn wait(&mut self) -> Woken<M> {
        let wake_at = self.machine.wake_at().map(|at| self.clock.to_tokio(at));
        tokio::select! {
            // What is rare and short comes first, so that no flood of frames can keep it from coming at all. Timers, lanes
            // and commands are looked after whatever comes.
            biased;
            _ = self.meter.tick() => Woken::Meter,
            Some(look) = self.looks.recv() => Woken::Look(look),
            Some(happening) = self.happenings.recv() => Woken::Happening(happening),
            () = sleep_until(wake_at.unwrap_or_else(tokio::time::Instant::now)), if wake_at.is_some() => Woken::Other,
            () = self.ready.notified() => Woken::Other,
            command = self.commands.recv(), if !self.is_abandoned => Woken::Command(command),
            () = self.outlet.ready(), if !self.outlet.is_empty() => Woken::Other,
        }
    }

    fn take(&mut self, woken: Woken<M>) {
        match woken {
            Woken::Happening(happening) => self.happened(happening),
            Woken::Command(Some(command)) => self.tell(Input::Command(command)),
            Woken::Command(None) => {
                self.is_abandoned = true;
                self.tell(Input::Command(Command::Leave));
            }
            Woken::Look(look) => look(&self.machine),
            Woken::Meter => self.read_meter(),
            Woken::Other => {}
        }
    }

    /// All that came meanwhile is told to the machine before anything is written, so that it is written together.
    fn take_what_is_ready(&mut self) {
        for _ in 0..BATCH_MAX {
            let Ok(happening) = self.happenings.try_recv() else {
                break;
            };
            self.happened(happening);
        }
        for _ in 0..BATCH_MAX {
            let Ok(command) = self.commands.try_recv() else {
                break;
            };
            self.tell(Input::Command(command));
        }
    }

    fn wake(&mut self) {
        if self.machine.wake_at().is_some_and(|at| at <= self.clock.now()) {
            self.tell(Input::Wake);
        }
    }

    /// Writes until the machine has nothing to add to what it hears about the writing.
    fn write(&mut self) {
        let mut lanes = std::mem::take(&mut self.ready_lanes);
        self.ready.take(&mut lanes);
        for (link, lane) in lanes.drain(..) {
            self.inputs.extend(self.links.unblock(link, lane));
        }
        self.ready_lanes = lanes;
        self.links.flush(&mut self.inputs);
        while !self.inputs.is_empty() {
            let mut inputs = std::mem::replace(&mut self.inputs, std::mem::take(&mut self.spare_inputs));
            inputs.drain(..).for_each(|input| self.tell(input));
            self.spare_inputs = inputs;
            self.links.flush(&mut self.inputs);
        }
    }

    fn tell(&mut self, input: Input) {
        if self.ended.is_some() {
            return;
        }
        if let Input::Frame { link, lane, frame } = &input {
            trace::control("heard", *link, *lane, frame);
        }
        self.machine.handle(self.clock.now(), input, &mut self.outbox);
        if cfg!(debug_assertions) {
            self.machine.check_invariants();
        }
        let mut outbox = std::mem::take(&mut self.outbox);
        outbox.drain().for_each(|output| self.carry_out(output));
        self.outbox = outbox;
    }

    fn happened(&mut self, happening: Happening) {
        match happening {
            Happening::Input(input) => {
                if self.is_current(&input) {
                    self.tell(input);
                }
            }
            Happening::Accepted(established) => {
                let link = LinkId(self.next_link);
                self.next_link += 2;
                self.linked(link, *established);
            }
            Happening::Dialled { link, result } => self.dialled(link, result),
            Happening::Opened { link, lane, stream } => {
                self.inputs.extend(self.links.opened(link, lane, stream));
            }
            Happening::Ended { link, why } => {
                if self.links.ended(link) {
                    self.tell(Input::Unlinked { link, why });
                }
            }
        }
    }

    /// Nothing more comes of a link that the machine has closed.
    fn is_current(&self, input: &Input) -> bool {
        match input {
            Input::Frame { link, .. } | Input::Broken { link } => self.links.contains(*link),
            _ => true,
        }
    }

    fn dialled(&mut self, link: LinkId, result: Result<Box<Established>, LinkEnd>) {
        let is_wanted = self.dials.remove(&link).is_some();
        match result {
            Ok(established) if is_wanted => self.linked(link, *established),
            Ok(established) => end::close(&established.connection, CloseCode::Done),
            Err(why) if is_wanted => self.tell(Input::Unlinked { link, why }),
            Err(_) => {}
        }
    }

    fn linked(&mut self, link: LinkId, established: Established) {
        let linked = Input::Linked {
            link,
            peer: established.peer,
            address: established.address,
            side: established.side,
            binding: established.binding,
        };
        tracing::debug!(link = link.0, peer = %established.peer, side = ?established.side, "linked");
        self.links.begin(link, established);
        self.tell(linked);
        self.inputs.extend(self.links.round_trip(link));
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Dial {
                link,
                peer,
                addresses,
            } => self.dial(link, Some(peer), addresses),
            Output::DialAny { link, addresses } => self.dial(link, None, addresses),
            Output::Send { link, lane, frame } => {
                trace::control("said", link, lane, &frame);
                if !self.links.send(link, lane, frame) {
                    tracing::debug!(link = link.0, "does not read its control lane");
                    self.links.close(link, CloseCode::Busy);
                    self.inputs.push(Input::Unlinked {
                        link,
                        why: LinkEnd::Failed,
                    });
                }
            }
            Output::Reset { link, lane } => self.inputs.extend(self.links.reset(link, lane)),
            Output::Window { link, bytes } => self.links.set_window(link, bytes),
            Output::Close { link, code } => {
                if let Some(dial) = self.dials.remove(&link) {
                    dial.abort();
                }
                self.links.close(link, code);
            }
            Output::Probe { peer, addresses } => self.probe(peer, addresses),
            Output::Play(play) => self.outlet.play(play),
            Output::Event(event) => self.outlet.event(event),
            Output::Cloud(order) => self.outlet.cloud(order),
            Output::Ended(ended) => self.ended = Some(ended),
        }
    }

    fn dial(&mut self, link: LinkId, peer: Option<PeerId>, addresses: Vec<SocketAddr>) {
        if self.is_dialling_too_much() {
            let why = LinkEnd::Failed;
            return self.inputs.push(Input::Unlinked { link, why });
        }
        let (endpoint, to_us) = (self.endpoint.clone(), self.to_us.clone());
        let task = self.tasks.spawn(async move {
            let result = dial::dial(endpoint, peer, addresses).await;
            // The driver outlives its tasks, unless the program ends.
            let _ = to_us.send(Happening::Dialled { link, result }).await;
        });
        self.dials.insert(link, task);
    }

    fn is_dialling_too_much(&mut self) -> bool {
        while self.tasks.try_join_next().is_some() {}
        let is_too_much = self.tasks.len() > DIALS_MAX;
        if is_too_much {
            tracing::warn!("too many dials under way");
        }
        is_too_much
    }

    fn probe(&mut self, peer: PeerId, addresses: Vec<SocketAddr>) {
        if self.is_dialling_too_much() {
            let reached = Vec::new();
            return self.inputs.push(Input::Probed { peer, reached });
        }
        let (endpoint, to_us) = (self.endpoint.clone(), self.to_us.clone());
        self.tasks.spawn(async move {
            let reached = dial::probe(endpoint, peer, addresses).await;
            let _ = to_us.send(Input::Probed { peer, reached }.into()).await;
        });
    }

    fn read_meter(&mut self) {
        let (sent, received) = self.endpoint.wire.totals();
        self.tell(Input::Wire { sent, received });
        for link in self.links.next_turn() {
            self.look_at(link);
        }
        if self.meter_ticks.is_multiple_of(ADDRESSES_EVERY) {
            self.look_up_addresses();
        }
        self.meter_ticks += 1;
        self.links.reap();
    }

    fn look_at(&mut self, link: LinkId) {
        if self.links.has_stopped(link, std::time::Instant::now()) {
            tracing::debug!(link = link.0, "answers nothing");
            self.links.close(link, CloseCode::Done);
            let why = LinkEnd::TimedOut;
            self.tell(Input::Unlinked { link, why });
        } else if let Some(input) = self.links.round_trip(link) {
            self.tell(input);
        }
    }

    fn look_up_addresses(&mut self) {
        let candidates = self.endpoint.candidates();
        if candidates != self.candidates {
            self.candidates.clone_from(&candidates);
            self.tell(Input::Candidates(candidates));
        }
    }

    async fn finish(mut self, ended: Ended) {
        self.tasks.abort_all();
        // The readers have nobody to tell any more.
        self.happenings.close();
        while self.happenings.try_recv().is_ok() {}
        self.links.finish().await;
        self.endpoint.quic.close((CloseCode::Done as u32).into(), b"");
        let _ = timeout(GOODBYE_MAX, self.endpoint.quic.wait_idle()).await;
        self.outlet.finish(ended).await;
    }
}
