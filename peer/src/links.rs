//! The driver's links: their lanes, and what waits to be written.

use crate::end;
use crate::happening::Happening;
use crate::lane::{Flushed, Writer};
use crate::link::{Established, Reader};
use crate::pulse::Pulse;
use crate::ready::Ready;
use banyan_protocol::io::{Input, Lane, LinkId};
use banyan_protocol::wire::close::CloseCode;
use bytes::Bytes;
use quinn::{Connection, SendStream};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Control bytes that may wait for a peer that doesn't read them; then its link is closed. Some hundred honest messages.
const CONTROL_WAITING_MAX: u64 = 256 * 1024;

/// How long a closing link waits until the peer has the last control messages: a round trip and a loss.
const FAREWELL_MAX: Duration = Duration::from_millis(1_000);

/// Links are looked at once in so many turns, a tenth of them at a time.
const ROUND_TRIP_TURNS: u64 = 10;

#[derive(Debug)]
struct Link {
    connection: Connection,
    control: Writer,
    /// At most one a tier, and only those in use.
    data: Vec<Writer>,
    /// Whether it is in the list of links to be flushed.
    is_due: bool,
    pulse: Pulse,
}

impl Link {
    fn writers(&mut self) -> impl Iterator<Item = &mut Writer> {
        std::iter::once(&mut self.control).chain(&mut self.data)
    }

    fn writer(&mut self, lane: Lane) -> Option<&mut Writer> {
        self.writers().find(|writer| writer.lane() == lane)
    }
}

/// All links, and the tasks that serve them.
pub(crate) struct Links {
    links: HashMap<LinkId, Link>,
    /// Links with something new to write.
    due: Vec<LinkId>,
    ready: Arc<Ready>,
    happenings: Sender<Happening>,
    tasks: JoinSet<()>,
    turn: u64,
}

impl Links {
    pub(crate) fn new(ready: Arc<Ready>, happenings: Sender<Happening>) -> Self {
        Self {
            links: HashMap::new(),
            due: Vec::new(),
            ready,
            happenings,
            tasks: JoinSet::new(),
            turn: 0,
        }
    }

    pub(crate) fn contains(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    /// Takes over a link that is up. What is read from it comes after what the caller tells the machine now.
    pub(crate) fn begin(&mut self, link: LinkId, established: Established) {
        let (send, receive) = established.control;
        let connection = established.connection;
        let reader = Reader {
            link,
            connection: connection.clone(),
            happenings: self.happenings.clone(),
            seat: established.seat,
        };
        self.tasks.spawn(reader.run(receive));
        let state = Link {
            connection,
            control: Writer::control(link, send, &self.ready),
            data: Vec::new(),
            is_due: false,
            pulse: Pulse::default(),
        };
        let other = self.links.insert(link, state);
        assert!(other.is_none(), "a link's name is used once");
    }

    /// A link's connection has ended. Whether the machine still has the link.
    pub(crate) fn ended(&mut self, link: LinkId) -> bool {
        self.links.remove(&link).is_some()
    }

    /// Queues a frame; ignored if the link has ended. Returns whether the peer still reads its control lane.
    pub(crate) fn send(&mut self, id: LinkId, lane: Lane, frame: Bytes) -> bool {
        let Some(link) = self.links.get_mut(&id) else {
            return true;
        };
        if !link.is_due {
            link.is_due = true;
            self.due.push(id);
        }
        if lane == Lane::Control {
            link.control.push(frame);
            return link.control.queued() <= CONTROL_WAITING_MAX;
        }
        if link.writer(lane).is_none() {
            link.data.push(Writer::data(id, lane, &self.ready));
        }
        link.writer(lane).expect("made if it wasn't there").push(frame);
        true
    }

    /// Gives up what waits on a data lane. What is given up has left the queue: it is reported like what was taken.
    pub(crate) fn reset(&mut self, id: LinkId, lane: Lane) -> Option<Input> {
        let link = self.links.get_mut(&id)?;
        let bytes = link.data.iter_mut().find(|writer| writer.lane() == lane)?.reset();
        drained(id, bytes)
    }

    /// Bounds what the transport takes of a link's frames before the peer has acknowledged others.
    pub(crate) fn set_window(&self, id: LinkId, bytes: u64) {
        if let Some(link) = self.links.get(&id) {
            link.connection.set_send_window(bytes);
        }
    }

    /// Closes a link when the peer has got its last control messages, or does not take them.
    pub(crate) fn close(&mut self, id: LinkId, code: CloseCode) {
        if let Some(link) = self.links.remove(&id) {
            self.tasks.spawn(farewell(link, code));
        }
    }

    /// Uses a stream that a lane had to wait for.
    pub(crate) fn opened(&mut self, id: LinkId, lane: Lane, stream: SendStream) -> Option<Input> {
        let link = self.links.get_mut(&id)?;
        link.writer(lane)?.opened(stream);
        self.flush_link(id)
    }

    /// Goes on writing a lane that was blocked.
    pub(crate) fn unblock(&mut self, id: LinkId, lane: Lane) -> Option<Input> {
        self.links.get_mut(&id)?.writer(lane)?.unblock();
        self.flush_link(id)
    }

    /// Writes all that is new, link by link; puts what the machine is to be told into `inputs`.
    pub(crate) fn flush(&mut self, inputs: &mut Vec<Input>) {
        let mut due = std::mem::take(&mut self.due);
        for id in due.drain(..) {
            inputs.extend(self.flush_link(id));
        }
        self.due = due;
    }

    fn flush_link(&mut self, id: LinkId) -> Option<Input> {
        let link = self.links.get_mut(&id)?;
        link.is_due = false;
        link.control.flush(&link.connection);
        let mut bytes = 0;
        for writer in &mut link.data {
            match writer.flush(&link.connection) {
                Flushed::Taken(taken) => bytes += taken,
                Flushed::NoStream => {
                    let connection = link.connection.clone();
                    let wait = wait_for_stream(id, writer.lane(), connection, self.happenings.clone());
                    self.tasks.spawn(wait);
                }
            }
        }
        drained(id, bytes)
    }

    /// The round-trip time of a link.
    pub(crate) fn round_trip(&self, id: LinkId) -> Option<Input> {
        let link = self.links.get(&id)?;
        Some(Input::RoundTrip {
            link: id,
            time: link.connection.rtt(),
        })
    }

    /// Whether a link's peer answers no more; to be asked about once a second.
    pub(crate) fn has_stopped(&mut self, id: LinkId, now: Instant) -> bool {
        let link = self.links.get_mut(&id);
        link.is_some_and(|link| link.pulse.has_stopped(now, &link.connection.stats()))
    }

    /// The links whose turn it is to be looked at.
    pub(crate) fn next_turn(&mut self) -> Vec<LinkId> {
        self.turn = (self.turn + 1) % ROUND_TRIP_TURNS;
        // Names of one side are all even or all odd.
        let is_next = |id: &&LinkId| id.0 / 2 % ROUND_TRIP_TURNS == self.turn;
        self.links.keys().filter(is_next).copied().collect()
    }

    /// Forgets tasks that have ended.
    pub(crate) fn reap(&mut self) {
        while self.tasks.try_join_next().is_some() {}
    }

    /// Closes all links, and waits until it is done.
    pub(crate) async fn finish(&mut self) {
        let ids: Vec<LinkId> = self.links.keys().copied().collect();
        for id in ids {
            self.close(id, CloseCode::Done);
        }
        while self.tasks.join_next().await.is_some() {}
    }
}

fn drained(link: LinkId, bytes: u64) -> Option<Input> {
    (bytes > 0).then_some(Input::Drained { link, bytes })
}

async fn wait_for_stream(link: LinkId, lane: Lane, connection: Connection, happenings: Sender<Happening>) {
    if let Ok(stream) = connection.open_uni().await {
        // The driver outlives its links, unless the program ends.
        let _ = happenings.send(Happening::Opened { link, lane, stream }).await;
    }
}

async fn farewell(link: Link, code: CloseCode) {
    if let Some((stream, rest)) = link.control.into_rest() {
        // A peer that doesn't take them is not waited for any longer, and one that has gone can't be told.
        let _ = timeout(FAREWELL_MAX, say(stream, rest)).await;
    }
    end::close(&link.connection, code);
}

async fn say(mut stream: SendStream, mut rest: Vec<Bytes>) {
    let written = stream.write_all_chunks(&mut rest).await;
    if written.is_ok() && stream.finish().is_ok() {
        // Until all is acknowledged.
        let _ = stream.stopped().await;
    }
}
