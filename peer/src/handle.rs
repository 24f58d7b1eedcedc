//! What the program holds of a driver.

use crate::clock::Clock;
use crate::driver::{Channels, Driver, Look};
use crate::endpoint::Endpoint;
use crate::outlet::Outgoing;
use banyan_protocol::io::{Command, Machine};
use std::fmt;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

/// Commands that may wait: a second or two of packets. Whoever sends more waits.
const COMMANDS_MAX: usize = 64;

/// Looks that may wait.
const LOOKS_MAX: usize = 8;

/// Outgoing things in the channel itself; the driver keeps more for a program that is late.
const OUTGOING_MAX: usize = 64;

/// A running driver. When all senders of commands are dropped, the machine is told to leave.
#[derive(Debug)]
pub struct Handle<M> {
    /// For what the person or the media side wants.
    pub commands: Sender<Command>,
    /// For what the machine has for the program. Ends with [`Outgoing::Ended`], when all links are closed. If it ends
    /// without, the machine has panicked: its links are gone, and nothing more comes.
    pub outgoing: Receiver<Outgoing>,
    /// For looks into the machine.
    pub inspector: Inspector<M>,
}

/// Looks into a machine while it runs. Can be cloned.
pub struct Inspector<M> {
    looks: Sender<Look<M>>,
}

impl<M> fmt::Debug for Inspector<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inspector")
    }
}

impl<M> Clone for Inspector<M> {
    fn clone(&self) -> Self {
        Self {
            looks: self.looks.clone(),
        }
    }
}

impl<M> Inspector<M> {
    /// What `look` sees between two steps of the machine; `None` when it has ended. `look` must be quick: nothing is
    /// forwarded meanwhile.
    pub async fn inspect<R: Send + 'static>(&self, look: impl FnOnce(&M) -> R + Send + 'static) -> Option<R> {
        let (answer, answered) = oneshot::channel();
        let look: Look<M> = Box::new(move |machine| {
            // Who no longer waits for the answer doesn't need it.
            let _ = answer.send(look(machine));
        });
        self.looks.send(look).await.ok()?;
        answered.await.ok()
    }
}

/// Starts a task that drives `machine` over `endpoint`, with `clock` as its time; on the runtime that this is called in.
pub fn spawn<M: Machine + Send + 'static>(machine: M, endpoint: Endpoint, clock: Clock) -> Handle<M> {
    let (commands, commands_in) = channel(COMMANDS_MAX);
    let (looks, looks_in) = channel(LOOKS_MAX);
    let (outgoing_out, outgoing) = channel(OUTGOING_MAX);
    let channels = Channels {
        commands: commands_in,
        looks: looks_in,
        outgoing: outgoing_out,
    };
    tokio::spawn(Driver::new(machine, endpoint, clock, channels).run());
    Handle {
        commands,
        outgoing,
        inspector: Inspector { looks },
    }
}
