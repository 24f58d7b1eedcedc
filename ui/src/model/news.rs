//! What happened, as the backend tells it, and what it changes.

use super::{Account, Broadcasting, Gravity, Inputs, Model, Playing, Relays, Request, Terms};
use banyan::notice::{Notice, Own};
use banyan::session::input::Sight;
use banyan::snapshot::Snapshot;
use banyan::trees::Trees;
use banyan_protocol::event::Event;
use banyan_protocol::units::Bitrate;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// The viewer told something.
    Watched(Notice),
    /// The broadcaster told something.
    Broadcast(Notice),
    /// How the viewer stands; `true` once a second.
    Viewer(Box<Snapshot>, bool),
    /// How the broadcaster stands; `true` once a second.
    Broadcaster(Box<Snapshot>, bool),
    /// Who feeds whom.
    Trees(Trees),
    /// The viewer ended: in words, if not as asked.
    Left(Option<String>),
    /// The broadcast ended: in words, if not as asked.
    OffAir(Option<String>),
    /// The program is to end: somebody else said so.
    Quit,
    /// A second has passed, and this is the time: seconds since 1970.
    Second(u64),
    /// What runs.
    Relays(Relays),
    /// Whether the cloud account is ready.
    Account(Account),
    /// What there is for a broadcast.
    Inputs(Inputs),
    /// What is seen of the input that is looked at.
    Preview(Sight),
    /// Something to say.
    Say(Gravity, String),
}

impl Model {
    /// Takes in what happened.
    pub fn take(&mut self, news: News) {
        let Some(news) = self.while_closing(news) else {
            return;
        };
        match news {
            News::Watched(notice) => self.watched(notice),
            News::Broadcast(notice) => self.broadcast(notice),
            News::Viewer(snapshot, second) => self.viewer(*snapshot, second),
            News::Broadcaster(snapshot, second) => self.broadcaster(*snapshot, second),
            News::Trees(trees) => self.trees(trees),
            News::Left(why) => self.left(why),
            News::OffAir(why) => self.off_air(why),
            News::Quit => self.quits = true,
            News::Second(now) => self.second(now),
            News::Relays(relays) => self.relays.take(relays),
            News::Account(account) => self.account = account,
            News::Inputs(found) => self.form.found = found,
            News::Preview(Sight::Warning(text)) => self.say(Gravity::Warning, text),
            News::Preview(sight) => {
                if let Some(preview) = &mut self.preview {
                    preview.sight = Some(sight);
                }
            }
            News::Say(gravity, text) => self.say(gravity, text),
        }
    }

    fn watched(&mut self, notice: Notice) {
        match notice {
            Notice::Event(event) => self.viewer_event(event),
            Notice::Own(Own::Warning { message }) => self.say(Gravity::Warning, message),
            Notice::Own(_) => {}
        }
    }

    fn viewer_event(&mut self, event: Event) {
        match event {
            Event::SponsorRequest {
                id,
                reason,
                deadline_s,
                helps,
                missing_bps,
                near,
                ..
            } => {
                let near = near.iter().filter_map(|name| name.as_str().parse().ok());
                self.request = Some(Request {
                    id,
                    reason,
                    helps,
                    seconds_left: deadline_s,
                    missing: Bitrate(missing_bps),
                    near: near.collect(),
                    kinds: self.site.types.clone(),
                    terms: self.terms(),
                });
            }
            Event::SponsorWithdrawn { .. } => self.request = None,
            Event::Tier { why, .. } => {
                if let Some(watching) = &mut self.watching {
                    watching.tier_reason = Some(why);
                }
            }
            _ => {}
        }
    }

    /// What is proposed: what the person prefers, and for leaving what they chose last.
    fn terms(&self) -> Terms {
        let mut terms = Terms::of(&self.settings);
        if let Some(watching) = &self.watching {
            terms.runs_on = watching.relays_run_on;
        }
        terms
    }

    fn broadcast(&mut self, notice: Notice) {
        let on_air = self.broadcasting.get_or_insert_with(Broadcasting::default);
        match notice {
            Notice::Own(Own::Ready { link, note, .. }) => {
                on_air.link = Some(link);
                if let Some(note) = note {
                    self.say(Gravity::Note, note);
                }
            }
            Notice::Own(Own::InputPaused { why }) => on_air.input_paused = Some(why),
            Notice::Own(Own::InputResumed) => on_air.input_paused = None,
            Notice::Own(Own::Warning { message }) => self.say(Gravity::Warning, message),
            _ => {}
        }
    }

    fn viewer(&mut self, snapshot: Snapshot, second: bool) {
        if second {
            self.network.history.add(&snapshot);
        }
        if let Some(watching) = &mut self.watching {
            if !snapshot.title.is_empty() && watching.snapshot.title != snapshot.title {
                self.channels.watched(&watching.link, &snapshot.title);
            }
            self.relays.forget_ended(&snapshot.relays);
            watching.snapshot = snapshot;
        }
    }

    fn broadcaster(&mut self, snapshot: Snapshot, second: bool) {
        if second {
            self.own_network.history.add(&snapshot);
        }
        if let Some(on_air) = &mut self.broadcasting {
            on_air.snapshot = snapshot;
        }
    }

    fn left(&mut self, why: Option<String>) {
        self.request = None;
        self.network.trees = None;
        self.leaving = None;
        match (&mut self.watching, why) {
            (Some(watching), Some(why)) => watching.ended = Some(why),
            (watching, _) => *watching = None,
        }
    }

    fn off_air(&mut self, why: Option<String>) {
        self.broadcasting = None;
        self.own_network.trees = None;
        if let Some(why) = why {
            self.say(Gravity::Failure, why);
        }
    }

    fn second(&mut self, now: u64) {
        self.now_s = now;
        if let Some(request) = &mut self.request {
            request.seconds_left = request.seconds_left.saturating_sub(1);
        }
        if self
            .request
            .as_ref()
            .is_some_and(|request| request.seconds_left == 0)
        {
            self.request = None;
        }
    }

    /// Whether the screen is to stay awake.
    pub fn keeps_awake(&self) -> bool {
        let watching = self.watching.as_ref().map(super::Watching::playing);
        matches!(
            watching,
            Some(Playing::Live | Playing::Stalled | Playing::Joining)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_question_that_nobody_answers_goes_away() {
        let mut model = samples::watch();
        model.request = Some(samples::request());
        let seconds = samples::request().seconds_left;
        for _ in 1..seconds {
            model.take(News::Second(0));
        }
        assert_eq!(model.request.as_ref().unwrap().seconds_left, 1);
        model.take(News::Second(0));
        assert_eq!(model.request, None);
    }

    #[test]
    fn who_is_thrown_out_is_told_why_and_who_leaves_is_not() {
        let mut model = samples::watch();
        model.take(News::Left(Some("The channel is full.".into())));
        assert_eq!(model.watching.as_ref().unwrap().playing(), Playing::Ended);
        model.take(News::Left(None));
        assert_eq!(model.watching, None);
        assert!(!model.keeps_awake());
    }

    #[test]
    fn the_same_message_is_said_once() {
        let mut model = Model::default();
        for text in ["a", "b", "a", "c", "d"] {
            model.take(News::Say(Gravity::Note, text.into()));
        }
        let texts: Vec<&str> = model.messages.iter().map(|message| &*message.text).collect();
        assert_eq!(texts, ["a", "c", "d"]);
    }
}
