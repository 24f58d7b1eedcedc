//! A network of hosts: everybody reaches everybody, nobody outside.

use crate::host::Host;
use crate::nat::Natted;
use crate::reaper;
use crate::switch::{Line, Switch};
use crate::tool;
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What lies between the hosts.
#[derive(Clone, Copy, Debug)]
pub enum Wire {
    /// A kernel bridge: no delay, no loss.
    Bridge,
    /// The rig's own switch: delay, jitter and loss on each way.
    Switch(Line),
}

/// A network; goes with its last host.
#[derive(Clone)]
pub struct Net {
    hub: Arc<Hub>,
}

/// What the hosts hang on.
pub(crate) struct Hub {
    pub(crate) namespace: String,
    pub(crate) switch: Option<Switch>,
    next: AtomicU8,
}

/// Cut cables of the bridge: nothing passes either way, at once, and the host's own interface stays up, as behind a modem.
const CABLES: &str = "
table bridge cables {
    set cut { type ifname; }
    chain pass {
        type filter hook forward priority 0
        iifname @cut drop
        oifname @cut drop
    }
}";

impl Net {
    /// A network without hosts.
    pub fn new(wire: Wire) -> Result<Self> {
        reaper::reap()?;
        let hub = Hub::new(wire)?;
        tool::line("ip", &format!("-n {} link set lo up", hub.namespace))?;
        tool::line(
            "ip",
            &format!("-n {} link add br0 type bridge forward_delay 0", hub.namespace),
        )?;
        tool::line("ip", &format!("-n {} link set br0 up", hub.namespace))?;
        tool::nft(&hub.namespace, CABLES)?;
        Ok(Self { hub: Arc::new(hub) })
    }

    /// A new host. Each has an address in a /24 of its own, as homes have: `10.77.n.1`, all on one link.
    pub fn host(&self, name: &str) -> Result<Host> {
        Host::on_net(name, &self.hub)
    }

    /// A new host that reaches the net through a masquerading router, and cannot be reached from it.
    pub fn host_behind_nat(&self, name: &str) -> Result<Natted> {
        Natted::new(name, self)
    }
}

impl Hub {
    fn new(wire: Wire) -> Result<Self> {
        let namespace = reaper::fresh_name();
        tool::line("ip", &format!("netns add {namespace}"))?;
        let switch = match wire {
            Wire::Bridge => None,
            Wire::Switch(line) => Some(Switch::start(line)?),
        };
        Ok(Self {
            namespace,
            switch,
            next: AtomicU8::new(1),
        })
    }

    /// A number for the next host: 1 to 250.
    pub(crate) fn number(&self) -> u8 {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        assert!(n <= 250, "a net has at most 250 hosts");
        n
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        reaper::remove(&self.namespace);
    }
}
