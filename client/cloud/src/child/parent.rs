//! The session's side of the cloud child: asks it, and never waits for ever.

use super::keeper::{Ask, Keeper, Pending, REQUESTS_MAX, Spawn};
use super::message::{Answer, Listed, Target, Verb};
use crate::ec2::image::Wish as ImageWish;
use crate::ec2::{Finding, Kept};
use crate::failure::{Failure, Why};
use crate::plan::Plan;
use crate::provider::{Kind, Machine, Order, Progress, Wish};
use crate::region::Region;
use banyan_protocol::wire::lease::Lease;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Progress that may wait for whoever looks at it; more is left out.
pub const PROGRESS_MAX: usize = 32;

/// A session's cloud child. Dropped, the child ends by itself, and ends what was being launched.
#[derive(Debug)]
pub struct Cloud {
    asks: mpsc::Sender<Ask>,
    ended: oneshot::Receiver<()>,
}

impl Cloud {
    /// The child starts with the first request. To be called within a runtime.
    pub fn start(spawn: Spawn) -> Self {
        let (asks, to_ask) = mpsc::channel(REQUESTS_MAX);
        let (end, ended) = oneshot::channel();
        let keeper = Keeper::new(spawn);
        tokio::spawn(async move {
            keeper.run(to_ask).await;
            drop(end);
        });
        Self { asks, ended }
    }

    /// What a relay would cost.
    ///
    /// # Errors
    /// If it cannot be had within the limits, or nobody knows.
    pub async fn plan(&self, provider: Kind, wish: Wish) -> Result<Plan, Failure> {
        let check = None;
        match self
            .ask(
                Verb::Plan {
                    provider,
                    wish,
                    check,
                },
                None,
                Duration::from_secs(30),
            )
            .await?
        {
            Answer::Planned { plan, .. } => Ok(*plan),
            answer => Err(unexpected(&answer)),
        }
    }

    /// What a relay would cost on EC2, and whether the account is ready for it.
    ///
    /// # Errors
    /// If the price is not known, or nobody answers.
    pub async fn check(&self, wish: Wish, image: ImageWish) -> Result<(Plan, Vec<Finding>), Failure> {
        let verb = Verb::Plan {
            provider: Kind::Ec2,
            wish,
            check: Some(image),
        };
        match self.ask(verb, None, Duration::from_secs(120)).await? {
            Answer::Planned { plan, findings } => Ok((*plan, findings)),
            answer => Err(unexpected(&answer)),
        }
    }

    /// Launches a relay; `progress` hears how far it is. Ordering the same lease again takes up what was begun.
    ///
    /// # Errors
    /// Why there is none, and what may be running all the same.
    pub async fn launch(
        &self,
        order: Order,
        progress: Option<mpsc::Sender<Progress>>,
    ) -> Result<Machine, Failure> {
        let lease = order.boot.lease.id;
        // An image is made of a machine that has first done its work.
        let within = Duration::from_secs(if order.image.makes { 1_500 } else { 330 });
        let order = Box::new(order);
        let answer = self.ask(Verb::Launch { order }, progress, within).await;
        match answer.map_err(|failure| failure.leaving([format!("a relay of lease {lease}")]))? {
            Answer::Launched { machine } => Ok(machine),
            Answer::Failed { failure } => Err(failure),
            answer => Err(unexpected(&answer)),
        }
    }

    /// What runs, which images are kept, and why some places could not be looked at.
    ///
    /// # Errors
    /// If nothing could be looked at.
    pub async fn list(
        &self,
        provider: Option<Kind>,
        regions: Vec<Region>,
    ) -> Result<(Vec<Listed>, Vec<Kept>, Vec<Failure>), Failure> {
        match self
            .ask(Verb::List { provider, regions }, None, Duration::from_secs(90))
            .await?
        {
            Answer::Listed {
                relays,
                images,
                unseen,
            } => Ok((relays, images, unseen)),
            answer => Err(unexpected(&answer)),
        }
    }

    /// Writes down that a lease was changed. The relay itself is told by its sponsor.
    ///
    /// # Errors
    /// If there is no such relay, or it cannot be marked.
    pub async fn renew(&self, lease: Lease) -> Result<(), Failure> {
        self.done(Verb::Renew { lease }, Duration::from_secs(90)).await
    }

    /// Ends a relay; also one that is being launched.
    ///
    /// # Errors
    /// If it is not certain that it ended.
    pub async fn terminate(&self, target: Target, why: &str) -> Result<(), Failure> {
        let why = why.to_owned();
        self.done(Verb::Terminate { target, why }, Duration::from_secs(330))
            .await
    }

    async fn done(&self, verb: Verb, within: Duration) -> Result<(), Failure> {
        match self.ask(verb, None, within).await? {
            Answer::Done => Ok(()),
            answer => Err(unexpected(&answer)),
        }
    }

    /// Ends the child, after what it has to end.
    pub async fn close(self) {
        let Self { asks, ended } = self;
        drop(asks);
        // It carries nothing: it goes when the keeper does.
        let _ = ended.await;
    }

    /// Asks, and waits for the answer, but not for ever. A failure of the child's own is an `Err`, and so is a failed
    /// answer to anything but a launch.
    async fn ask(
        &self,
        verb: Verb,
        progress: Option<mpsc::Sender<Progress>>,
        within: Duration,
    ) -> Result<Answer, Failure> {
        let is_launch = matches!(verb, Verb::Launch { .. });
        let (answer, answered) = oneshot::channel();
        let pending = Pending {
            verb,
            answer,
            progress,
        };
        let ended = || {
            Failure::new(
                Why::Child,
                "the cloud child process has ended; the lines before this one may say why",
            )
        };
        let sent = self.asks.send(Ask::Verb(Box::new(pending))).await;
        sent.map_err(|_| ended())?;
        match timeout(within, answered).await {
            Ok(Ok(Answer::Failed { failure })) if !is_launch => Err(failure),
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(ended()),
            Err(_) => {
                // It hangs: the next request gets a new one.
                let _ = self.asks.send(Ask::Hangs).await;
                Err(Failure::new(
                    Why::Unreachable,
                    format!(
                        "the cloud does not answer within {} s; try again",
                        within.as_secs()
                    ),
                ))
            }
        }
    }
}

fn unexpected(answer: &Answer) -> Failure {
    tracing::error!(?answer, "the cloud child answers another question");
    Failure::new(
        Why::Child,
        "the cloud child process answers another question: this is a bug, please report it",
    )
}
