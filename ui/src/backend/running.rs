//! A session that runs: what it tells is passed on until it ends.

use super::hearing::Tell;
use crate::model::{Gravity, News};
use banyan::error::{Error, Finish};
use banyan::notice::{Notice, Sponsored};
use banyan::session::{Look, Order, Session};
use banyan::snapshot::Snapshot;
use banyan_protocol::io::RelayState;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How what a session tells becomes news.
#[derive(Clone, Copy)]
pub(super) struct Telling {
    pub(super) notice: fn(Notice) -> News,
    pub(super) snapshot: fn(Box<Snapshot>, bool) -> News,
    pub(super) ended: fn(Option<String>) -> News,
}

/// A viewer's.
pub(super) const VIEWER: Telling = Telling {
    notice: News::Watched,
    snapshot: News::Viewer,
    ended: News::Left,
};

/// A broadcaster's.
pub(super) const BROADCASTER: Telling = Telling {
    notice: News::Broadcast,
    snapshot: News::Broadcaster,
    ended: News::OffAir,
};

/// A session that runs.
#[derive(Debug)]
pub(super) struct Running {
    orders: mpsc::Sender<Order>,
    shown: watch::Receiver<Snapshot>,
    task: JoinHandle<()>,
}

impl Running {
    /// Follows `session` until it ends.
    pub(super) fn follow(session: Session, telling: Telling, tell: Tell) -> Self {
        Self {
            orders: session.orders(),
            shown: session.follow(),
            task: tokio::spawn(follow(session, telling, tell)),
        }
    }

    /// Gives an order; a session that has ended needs none.
    pub(super) async fn order(&self, order: Order) {
        let _ = self.orders.send(order).await;
    }

    /// Whether a relay of this lease runs for it.
    pub(super) fn sponsors(&self, lease: &str) -> bool {
        let runs = |relay: &Sponsored| relay.relay == lease && relay.state != RelayState::Ended;
        self.shown.borrow().relays.iter().any(runs)
    }

    /// Whether it has not ended.
    pub(super) fn goes_on(&self) -> bool {
        !self.task.is_finished()
    }

    /// Leaves, and waits until it has.
    pub(super) async fn leave(self) {
        self.order(Order::Leave).await;
        let _ = self.task.await;
    }
}

async fn follow(mut session: Session, telling: Telling, tell: Tell) {
    let mut second = every_second();
    let look = session.look();
    loop {
        let is_second = tokio::select! {
            next = session.next() => match next {
                Some((_, notice)) => {
                    tell.tell((telling.notice)(notice));
                    false
                }
                None => break,
            },
            _ = second.tick() => {
                trees(&look, &tell).await;
                true
            }
        };
        tell.tell((telling.snapshot)(Box::new(session.snapshot()), is_second));
    }
    let end = session.finish().await;
    match end {
        // Nobody looks at it any more, and a relay that may still cost money concerns this person all the same.
        Err(Error::Cloud(failure)) if !tell.is_heard() => {
            tell.tell_all(News::Say(Gravity::Failure, failure.to_string()));
        }
        end => tell.tell((telling.ended)(words(end))),
    }
}

fn every_second() -> Interval {
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    second
}

async fn trees(look: &Look, tell: &Tell) {
    if let Some(trees) = look.trees().await {
        tell.tell(News::Trees(trees));
    }
}

/// Why it ended, unless as asked.
fn words(end: Result<Finish, Error>) -> Option<String> {
    match end {
        Ok(Finish::Left) => None,
        Ok(finish) => Some(finish.sentence().into()),
        Err(error) => Some(error.to_string()),
    }
}
