//! What this person is about to leave, and what they are asked first: their relays run on or end, and viewers lose the picture.

use super::{Command, Model};

/// What this person is about to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// The channel that they watch.
    Channel,
    /// Their own channel.
    Broadcast,
    /// The program.
    Program,
}

impl Leaving {
    /// What does it.
    fn command(self) -> Command {
        match self {
            Self::Channel => Command::Leave,
            Self::Broadcast => Command::EndBroadcast,
            Self::Program => Command::Quit,
        }
    }
}

impl Model {
    /// Leaves at once if that concerns nobody else; else asks first.
    pub fn leave(&mut self, what: Leaving, out: &mut Vec<Command>) {
        if self.closing.is_some() {
            // Everything is being left.
        } else if self.leaves_relays(what) || self.leaves_viewers(what).is_some_and(|viewers| viewers > 0) {
            self.leaving = Some(what);
        } else {
            out.push(what.command());
        }
    }

    /// Whether relays of this person's are to run on or to end then.
    pub fn leaves_relays(&self, what: Leaving) -> bool {
        what != Leaving::Broadcast && self.own_relays().next().is_some()
    }

    /// How many people watch this person's own channel, if that ends then.
    pub fn leaves_viewers(&self, what: Leaving) -> Option<usize> {
        let on_air = self.broadcasting.as_ref().filter(|_| what != Leaving::Channel);
        on_air.map(|on_air| on_air.snapshot.capacity.as_ref().map_or(0, |room| room.viewers))
    }

    /// Leaves what was asked about. Relays run on to the end of their leases, or hand over and end; `None`: there are none.
    pub fn do_leave(&mut self, run_on: Option<bool>, out: &mut Vec<Command>) {
        if let Some(what) = self.leaving.take() {
            out.extend(run_on.map(Command::RunOn));
            out.push(what.command());
        }
    }

    /// What was asked about has changed meanwhile: if nothing is left to ask, what has not ended by itself is left.
    pub fn ask_no_more(&mut self, out: &mut Vec<Command>) {
        match self.leaving {
            Some(what) if self.leaves_relays(what) || self.leaves_viewers(what).is_some() => {}
            Some(Leaving::Broadcast) => self.leaving = None,
            _ => self.do_leave(None, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn who_has_no_relay_leaves_at_once_and_who_has_one_is_asked() {
        let mut out = Vec::new();
        samples::watch().leave(Leaving::Channel, &mut out);
        assert_eq!(out, [Command::Leave]);
        let mut model = samples::sponsoring();
        model.leave(Leaving::Program, &mut out);
        assert_eq!((out.len(), model.leaving), (1, Some(Leaving::Program)));
        model.do_leave(Some(true), &mut out);
        assert_eq!(out[1..], [Command::RunOn(true), Command::Quit]);
        assert_eq!(model.leaving, None);
    }

    #[test]
    fn who_leaves_already_does_not_begin_anew() {
        let (mut model, mut out) = (samples::known(), Vec::new());
        model.close();
        model.leave(Leaving::Program, &mut out);
        assert_eq!((out, model.leaving), (vec![], None));
    }

    #[test]
    fn a_broadcast_that_nobody_watches_is_stopped_at_once() {
        for (what, command) in [
            (Leaving::Broadcast, Command::EndBroadcast),
            (Leaving::Program, Command::Quit),
        ] {
            let (mut model, mut out) = (samples::on_air(), Vec::new());
            model.leave(what, &mut out);
            assert_eq!((&out, model.leaving), (&vec![], Some(what)), "somebody watches");
            model.leaving = None;
            let on_air = model.broadcasting.as_mut().unwrap();
            on_air.snapshot.capacity.as_mut().unwrap().viewers = 0;
            model.leave(what, &mut out);
            assert_eq!((out, model.leaving), (vec![command], None));
        }
    }

    #[test]
    fn what_ends_while_it_is_asked_about_is_asked_about_no_more() {
        let (mut model, mut out) = (samples::on_air(), Vec::new());
        model.leave(Leaving::Broadcast, &mut out);
        model.ask_no_more(&mut out);
        assert_eq!(model.leaving, Some(Leaving::Broadcast), "it goes on");
        model.broadcasting = None;
        model.ask_no_more(&mut out);
        assert_eq!((&out, model.leaving), (&vec![], None), "there is nothing to stop");
        let mut model = samples::sponsoring();
        model.leave(Leaving::Channel, &mut out);
        model.watching.as_mut().unwrap().snapshot.relays.clear();
        model.ask_no_more(&mut out);
        assert_eq!((out, model.leaving), (vec![Command::Leave], None));
    }
}
