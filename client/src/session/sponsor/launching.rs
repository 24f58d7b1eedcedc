//! One launch: planned, ordered, and told of.

use super::relay::Running;
use super::{Said, Who};
use crate::file;
use banyan_cloud::boot;
use banyan_cloud::child::Cloud;
use banyan_cloud::clock;
use banyan_cloud::ec2;
use banyan_cloud::failure::Failure;
use banyan_cloud::plan::Plan;
use banyan_cloud::provider::{Kind, Order, Wish};
use banyan_cloud::random;
use banyan_protocol::role::relay::boot::{Boot, Enrol, Key, Version};
use banyan_protocol::time::Utc;
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::lease::{Lease, LeaseId};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long a relay's secret is good.
const ENROLS_WITHIN: Duration = Duration::from_secs(600);

/// A launch under way.
pub(super) struct Launching {
    pub(super) relay: u64,
    /// Its lease's name, known before anything is asked for: by it the launch is ended, however far it is.
    pub(super) lease: LeaseId,
    pub(super) provider: Kind,
    pub(super) who: Who,
    pub(super) hours: Duration,
    pub(super) clicked: Instant,
    pub(super) uplink: Option<Bitrate>,
    pub(super) site: file::Cloud,
    pub(super) say: mpsc::Sender<Said>,
}

impl Launching {
    /// Launches, and says how far it is; also why it failed. What nobody hears is ended by whoever does not listen.
    pub(super) async fn run(self, cloud: Arc<Cloud>, wish: Wish) {
        let (relay, say) = (self.relay, self.say.clone());
        if let Err(failure) = self.launch(&cloud, wish).await {
            let failure = Box::new(failure);
            let _ = say.send(Said::Failed { relay, failure }).await;
        }
    }

    async fn launch(self, cloud: &Cloud, wish: Wish) -> Result<(), Failure> {
        let plan = cloud.plan(self.provider, wish).await?;
        let boot = self.boot(&plan);
        boot::text(&boot)?;
        let running = Running {
            provider: self.provider,
            region: plan.region.clone(),
            address: None,
            lease: boot.lease,
            began: self.clicked,
            served: false,
            sent: 0,
            plan: plan.clone(),
        };
        let (relay, running) = (self.relay, Box::new(running));
        let _ = self.say.send(Said::Planned { relay, running }).await;
        let order = Order {
            provider: self.provider,
            boot: boot.clone(),
            plan,
            image: self.site.image(),
            subnet: self.site.subnet.clone(),
        };
        let machine = cloud.launch(order, None).await?;
        let (machine, boot) = (Box::new(machine), Box::new(boot));
        let launched = Said::Launched { relay, machine, boot };
        let _ = self.say.send(launched).await;
        Ok(())
    }

    fn boot(&self, plan: &Plan) -> Boot {
        let now = clock::now();
        let later = |time: Duration| Utc::from_secs(now.as_secs() + time.as_secs());
        Boot {
            version: Version,
            channel: Key(self.who.channel),
            sponsor: Key(self.who.key.public()),
            lease: Lease {
                id: self.lease,
                ends: later(self.hours),
                bytes: plan.bytes,
            },
            enrol: Enrol {
                secret: random::enrol_secret(),
                until: later(ENROLS_WITHIN.min(self.hours)),
            },
            listen: self.listen(),
            uplink_bps: self.uplink.map(Bitrate::as_bps),
        }
    }

    /// A VM has its port to itself.
    fn listen(&self) -> SocketAddr {
        let port = match self.provider {
            Kind::Local => 0,
            Kind::Ec2 => ec2::PORT,
        };
        SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port)
    }
}
