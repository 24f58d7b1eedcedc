//! A switch that delays and loses: one thread forwards Ethernet frames between TAP devices, one for each host.

mod fabric;
pub(crate) mod tap;

pub use fabric::{Line, Order};

use anyhow::{Context, Result};
use fabric::Fabric;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

/// A port of the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(u32);

/// The switch; its thread ends with it.
pub(crate) struct Switch {
    orders: Option<SyncSender<Command>>,
    bell: Arc<OwnedFd>,
    next: AtomicU32,
    thread: Option<JoinHandle<()>>,
}

enum Command {
    Plug(PortId, File),
    Unplug(PortId),
    Cable(PortId, bool),
}

/// A test gives a handful of orders; when it is ahead of the switch by this many, it waits.
const ORDERS_MAX: usize = 64;

/// A frame of the usual MTU with its header and a VLAN tag fits.
const FRAME_MAX: usize = 2048;

/// Frames taken from a port before the others have their turn.
const BATCH: usize = 64;

impl Switch {
    pub(crate) fn start(line: Line) -> Result<Self> {
        let bell = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let (orders, inbox) = sync_channel(ORDERS_MAX);
        let engine = Engine {
            fabric: Fabric::new(line),
            taps: BTreeMap::new(),
            bell: Arc::clone(&bell),
            inbox,
        };
        let thread = std::thread::Builder::new()
            .name("switch".into())
            .spawn(move || engine.run())?;
        Ok(Self {
            orders: Some(orders),
            bell,
            next: AtomicU32::new(0),
            thread: Some(thread),
        })
    }

    /// Connects a TAP device.
    pub(crate) fn plug(&self, tap: File) -> Result<PortId> {
        let port = PortId(self.next.fetch_add(1, Ordering::Relaxed));
        self.order(Command::Plug(port, tap))?;
        Ok(port)
    }

    /// Takes a device out. Best effort: it runs in `Drop`.
    pub(crate) fn unplug(&self, port: PortId) {
        let _ = self.order(Command::Unplug(port));
    }

    pub(crate) fn set_cable(&self, port: PortId, whole: bool) -> Result<()> {
        self.order(Command::Cable(port, whole))
    }

    fn order(&self, order: Command) -> Result<()> {
        let orders = self.orders.as_ref().expect("taken in drop only");
        orders.send(order).ok().context("the switch's thread has ended")?;
        rustix::io::write(&self.bell, &1u64.to_ne_bytes())?;
        Ok(())
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.orders = None;
        let rung = rustix::io::write(&self.bell, &1u64.to_ne_bytes()).is_ok();
        if let (true, Some(thread)) = (rung, self.thread.take())
            && thread.join().is_err()
        {
            eprintln!("rig: the switch's thread panicked");
        }
    }
}

struct Engine {
    fabric: Fabric,
    taps: BTreeMap<PortId, File>,
    bell: Arc<OwnedFd>,
    inbox: Receiver<Command>,
}

impl Engine {
    fn run(mut self) {
        loop {
            let ready = self.wait();
            // Orders first: a frame that was sent after a cable was mended must find it so.
            if !self.obey() {
                return;
            }
            ready.into_iter().for_each(|port| self.take_in(port));
            self.put_out();
        }
    }

    /// Carries out what was ordered; false once nobody can order any more.
    fn obey(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(order) => self.carry_out(order),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn carry_out(&mut self, order: Command) {
        match order {
            Command::Plug(port, tap) => {
                self.taps.insert(port, tap);
                self.fabric.plug(port);
            }
            Command::Unplug(port) => {
                self.taps.remove(&port);
                self.fabric.unplug(port);
            }
            Command::Cable(port, whole) => self.fabric.set_cable(port, whole),
        }
    }

    /// Waits for a frame, an order, or the next frame that is due; returns the ports that can be read.
    fn wait(&self) -> Vec<PortId> {
        let patience = self
            .fabric
            .wake_at()
            .map(|at| at.saturating_duration_since(Instant::now()));
        let patience = patience.map(|time| Timespec {
            tv_sec: time.as_secs() as _,
            tv_nsec: time.subsec_nanos() as _,
        });
        let mut watched: Vec<PollFd<'_>> = self
            .taps
            .values()
            .map(|tap| PollFd::new(tap, PollFlags::IN))
            .collect();
        watched.push(PollFd::new(&*self.bell, PollFlags::IN));
        // An interrupted wait is one that was short.
        let _ = poll(&mut watched, patience.as_ref());
        let mut count = [0; 8];
        // The bell has done its work by waking us.
        let _ = rustix::io::read(&self.bell, &mut count);
        let ready = self
            .taps
            .keys()
            .zip(&watched)
            .filter(|(_, seen)| !seen.revents().is_empty());
        ready.map(|(port, _)| *port).collect()
    }

    fn take_in(&mut self, port: PortId) {
        let Some(mut tap) = self.taps.get(&port) else {
            return;
        };
        let mut frame = [0; FRAME_MAX];
        for _ in 0..BATCH {
            match tap.read(&mut frame) {
                Ok(length) => self.fabric.arrive(Instant::now(), port, &frame[..length]),
                // Would block: all read. Bad state: the interface is not up yet, or its namespace is going.
                Err(_) => return,
            }
        }
    }

    fn put_out(&mut self) {
        while let Some((port, frame)) = self.fabric.take_due(Instant::now()) {
            let Some(mut tap) = self.taps.get(&port) else {
                continue;
            };
            if let Err(error) = tap.write(&frame)
                && error.kind() != ErrorKind::WouldBlock
                && error.raw_os_error() != Some(libc::EIO)
            {
                eprintln!("rig: the switch cannot hand over a frame: {error}");
            }
        }
    }
}
