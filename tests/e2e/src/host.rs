//! A host: a network namespace with one interface, `eth0`.

use crate::net::Hub;
use crate::shape::{self, Traffic};
use crate::switch::{PortId, tap};
use crate::{reaper, tool};
use anyhow::{Context, Result, anyhow};
use banyan_protocol::units::Bitrate;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// A host; its namespace goes with it.
pub struct Host {
    name: String,
    namespace: String,
    address: Ipv4Addr,
    /// `None` for a host behind a router.
    plug: Option<Plug>,
}

/// Where a host's cable ends.
struct Plug {
    hub: Arc<Hub>,
    port: Port,
}

enum Port {
    /// The bridge's end of the veth pair.
    Bridge(String),
    Switch(PortId),
}

impl Host {
    pub(crate) fn on_net(name: &str, hub: &Arc<Hub>) -> Result<Self> {
        let number = hub.number();
        let mut host = Self::empty(name, Ipv4Addr::new(10, 77, number, 1))?;
        let port = match &hub.switch {
            None => host.to_bridge(&hub.namespace, number)?,
            Some(switch) => Port::Switch(switch.plug(host.inside(|| tap::open("eth0"))??)?),
        };
        host.plug = Some(Plug {
            hub: Arc::clone(hub),
            port,
        });
        host.ip(&format!("addr add {}/16 dev eth0", host.address))?;
        host.ip("link set eth0 up")?;
        // As at home, what is not on the net has a way out: it just leads nowhere.
        host.ip("route add default dev eth0")?;
        Ok(host)
    }

    /// A namespace with nothing but its loopback.
    pub(crate) fn empty(name: &str, address: Ipv4Addr) -> Result<Self> {
        let namespace = reaper::fresh_name();
        tool::line("ip", &format!("netns add {namespace}"))?;
        let host = Self {
            name: name.into(),
            namespace,
            address,
            plug: None,
        };
        host.ip("link set lo up")?;
        Ok(host)
    }

    fn to_bridge(&self, hub: &str, number: u8) -> Result<Port> {
        let port = format!("p{number}");
        self.ip(&format!("link add eth0 type veth peer name {port} netns {hub}"))?;
        tool::line("ip", &format!("-n {hub} link set {port} master br0 up"))?;
        Ok(Port::Bridge(port))
    }

    /// Its name in the test, for logs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address on the net.
    pub fn address(&self) -> IpAddr {
        self.address.into()
    }

    /// The name of its namespace, for `ip netns exec`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Caps what it sends at `rate`, in wire bits. Again, and a new queue takes the place of the old, whose packets are lost: a bucket
    /// that is made too small for a batch of packets that waits for it would let nothing through ever again.
    pub fn shape(&self, rate: Bitrate) -> Result<()> {
        static QUEUES: AtomicU16 = AtomicU16::new(0);
        let handle = 1 + QUEUES.fetch_add(1, Ordering::Relaxed) % 0x7fff;
        let queue = shape::tbf(rate);
        self.tc(&format!("qdisc replace dev eth0 root handle {handle:x}: {queue}"))?;
        Ok(())
    }

    /// What it sent since it was last shaped. An error before that: an unshaped interface counts nothing.
    pub fn traffic(&self) -> Result<Traffic> {
        Traffic::parse(&self.tc("-s -j qdisc show dev eth0")?)
    }

    /// Cuts its cable: nothing passes either way.
    pub fn cut(&self) -> Result<()> {
        self.set_cable(false)
    }

    /// Mends its cable.
    pub fn mend(&self) -> Result<()> {
        self.set_cable(true)
    }

    fn set_cable(&self, whole: bool) -> Result<()> {
        let plug = self
            .plug
            .as_ref()
            .context("a host behind a router has no cable to the net")?;
        match (&plug.port, &plug.hub.switch) {
            (Port::Bridge(port), _) => {
                let verb = if whole { "delete" } else { "add" };
                let order = format!("{verb} element bridge cables cut {{ {port} }}");
                tool::nft(&plug.hub.namespace, &order)
            }
            (Port::Switch(port), Some(switch)) => switch.set_cable(*port, whole),
            (Port::Switch(_), None) => unreachable!("only a switch hands out its ports"),
        }
    }

    /// Runs `work` on a thread inside the host. Sockets made there stay there, wherever they are used.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let namespace = File::open(format!("/run/netns/{}", self.namespace))?;
        let enter = || move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network));
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| enter().map(|()| work()));
            let done = worker
                .join()
                .map_err(|_| anyhow!("the work inside {} panicked", self.name))?;
            done.with_context(|| format!("cannot enter {}", self.name))
        })
    }

    /// Runs `ip` inside.
    pub(crate) fn ip(&self, words: &str) -> Result<String> {
        tool::line("ip", &format!("-n {} {words}", self.namespace))
    }

    fn tc(&self, words: &str) -> Result<String> {
        tool::line("tc", &format!("-n {} {words}", self.namespace))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(Plug {
            hub,
            port: Port::Switch(port),
        }) = &self.plug
            && let Some(switch) = &hub.switch
        {
            switch.unplug(*port);
        }
        reaper::remove(&self.namespace);
    }
}
