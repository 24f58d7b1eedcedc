//! Coordinators that viewers must not obey in everything, and one that speaks another version.

mod support;

use anyhow::{Context, Result, ensure};
use banyan_peer::{Clock, Endpoint, Handle, identity};
use banyan_protocol::id::{Ed25519, PeerId};
use banyan_protocol::io::{Command, Lane, Outbox, Output, TierSetup};
use banyan_protocol::media::{Codec, Kind, TierId, Track};
use banyan_protocol::role::broadcaster::Broadcaster;
use banyan_protocol::role::config::{BroadcasterConfig, WhenFull};
use banyan_protocol::units::Bitrate;
use banyan_protocol::wire::close::CloseCode;
use banyan_protocol::wire::control::{Introduction, Message};
use banyan_protocol::wire::link::ChannelLink;
use bytes::Bytes;
use rig::scene::{PLAYS, is_long};
use rig::{Host, Net, Stage, Watch, Wire};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use support::{Spoil, Spoiled, start};
use tokio::runtime::Runtime;

/// Where crooked coordinators listen.
const PORT: u16 = 4600;

/// The first of the victim's ports that the coordinator names.
const NAMED: u16 = 7000;

/// How many it names; each stands for an address of its own, as a /24 full of victims would.
const PORTS: u16 = 60;

/// The victim's port that is named at everybody's own address, at all hosts' and at none's.
const NOWHERE: u16 = 6999;

/// What a viewer may send to an address that hasn't answered, and how many of those it may dial, in a minute.
const INITIALS_MAX: usize = 3;
const ADDRESSES_MAX: usize = 20;

/// A crooked coordinator on a host of its own.
struct Crook<S> {
    host: Host,
    link: String,
    _handle: Handle<Spoiled<Broadcaster, S>>,
}

impl<S: Spoil + Send + 'static> Crook<S> {
    fn open(runtime: &Runtime, net: &Net, spoil: S) -> Result<Self> {
        let (host, key) = (net.host("coordinator")?, identity::generate());
        let channel = key.public();
        let signer = Arc::new(banyan_protocol::id::SecretKey::from_bytes(&key.to_bytes()));
        let make = |_: &Endpoint, clock: Clock| Spoiled {
            machine: Broadcaster::new(config(signer, clock)),
            spoil,
        };
        let handle = start(runtime, &host, &key, PORT, make)?;
        let tiers = Command::Tiers(vec![tier()]);
        handle
            .commands
            .blocking_send(tiers)
            .ok()
            .context("the driver runs")?;
        let link = ChannelLink {
            channel,
            addresses: vec![(host.address(), PORT).into()],
            secret: None,
            title: None,
        };
        Ok(Self {
            host,
            link: link.to_string(),
            _handle: handle,
        })
    }
}

fn config(key: Arc<banyan_protocol::id::SecretKey>, clock: Clock) -> BroadcasterConfig {
    BroadcasterConfig {
        key,
        verify: Arc::new(Ed25519),
        epoch: 1,
        now: clock.now(),
        clock: clock.channel_now(),
        title: String::new(),
        uplink: Some(Bitrate::from_kbps(100_000)),
        when_full: WhenFull::Refuse,
        max_viewers: None,
        secret: None,
        seed: 1,
    }
}

fn tier() -> TierSetup {
    let picture = Track {
        codec: Codec::H264,
        kind: Kind::Video {
            width: 64,
            height: 36,
            frames_per_1000s: 25_000,
        },
        setup: Bytes::new(),
    };
    TierSetup {
        tier: TierId(0),
        rate: Bitrate::from_kbps(500),
        tracks: vec![picture],
    }
}

/// Names a victim's addresses to every viewer, once a second: each under many keys, and as everybody's parent too.
struct Pointing {
    victim: IpAddr,
    names: u64,
}

impl Spoil for Pointing {
    fn say(&mut self, output: Output, out: &mut Outbox) {
        let Output::Send {
            link,
            lane: Lane::Control,
            frame,
        } = &output
        else {
            return out.push(output);
        };
        match Message::parse(frame) {
            Ok(Message::Assign(mut assign)) => {
                self.misname(&mut assign.peers);
                out.tell(*link, &Message::Assign(assign));
            }
            Ok(Message::Reassign(mut reassign)) => {
                self.misname(&mut reassign.peers);
                out.tell(*link, &Message::Reassign(reassign));
            }
            Ok(Message::Echoed { .. }) => {
                let link = *link;
                out.push(output);
                let targets = self.targets();
                targets
                    .iter()
                    .for_each(|target| out.tell(link, &self.point_at(*target)));
            }
            _ => out.push(output),
        }
    }
}

impl Pointing {
    /// All of them are where the victim is.
    fn misname(&self, peers: &mut [Introduction]) {
        let target = SocketAddr::from((self.victim, NAMED));
        for peer in peers {
            peer.addresses = vec![target];
        }
    }

    /// The victim's first address many times, its others, and addresses that no viewer of this coordinator may dial.
    fn targets(&self) -> Vec<SocketAddr> {
        let same = std::iter::repeat_n((self.victim, NAMED), 20);
        let others = (0..PORTS).map(|n| (self.victim, NAMED + n));
        let nowhere = [
            Ipv4Addr::LOCALHOST,
            Ipv4Addr::new(224, 0, 0, 1),
            Ipv4Addr::UNSPECIFIED,
        ];
        let nowhere = nowhere.map(|ip| (IpAddr::from(ip), NOWHERE));
        nowhere
            .into_iter()
            .chain(same)
            .chain(others)
            .map(SocketAddr::from)
            .collect()
    }

    /// A new key at an address.
    fn point_at(&mut self, target: SocketAddr) -> Message {
        self.names += 1;
        let mut id = [0; PeerId::LEN];
        id[..8].copy_from_slice(&self.names.to_le_bytes());
        Message::Dial(Introduction {
            peer: PeerId(id),
            addresses: vec![target],
        })
    }
}

/// Sockets of a host, which hear everything and answer nothing.
struct Ears(Vec<UdpSocket>);

impl Ears {
    fn open(host: &Host, ports: impl Iterator<Item = u16> + Send) -> Result<Self> {
        let bound: std::io::Result<Vec<UdpSocket>> = host.inside(|| {
            ports
                .map(|port| {
                    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
                    socket.set_nonblocking(true)?;
                    Ok(socket)
                })
                .collect()
        })?;
        Ok(Self(bound?))
    }

    /// How many packets each port heard from each host.
    fn heard(&self) -> Result<BTreeMap<(IpAddr, u16), usize>> {
        let mut heard = BTreeMap::new();
        for socket in &self.0 {
            let port = socket.local_addr()?.port();
            loop {
                match socket.recv_from(&mut [0; 2048]) {
                    Ok((_, from)) => *heard.entry((from.ip(), port)).or_insert(0) += 1,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(heard)
    }
}

#[test]
fn a_coordinator_that_points_at_a_victim_gets_it_a_few_packets() -> Result<()> {
    let stage = Stage::open("victim")?;
    let (net, runtime) = (Net::new(Wire::Bridge)?, Runtime::new()?);
    let victim = net.host("victim")?;
    let ears = Ears::open(&victim, NOWHERE..NAMED + PORTS)?;
    let pointing = Pointing {
        victim: victim.address(),
        names: 0,
    };
    let crook = Crook::open(&runtime, &net, pointing)?;
    let mut viewers = Vec::new();
    for n in 0..3 {
        let host = net.host(&format!("viewer-{n}"))?;
        let own = Ears::open(&host, NOWHERE..NAMED)?;
        let watch = Watch::start(
            &stage,
            &host,
            &crook.link,
            &["--output", "none", "--sponsor", "never"],
        )?;
        viewers.push((watch, own, host));
    }
    for (watch, ..) in &viewers {
        watch.program.wait("joined", PLAYS, |_| true)?;
    }
    // What is measured is how much comes in a time: less than a minute, or two.
    let minutes = if is_long() { 2 } else { 1 };
    std::thread::sleep(Duration::from_secs(if is_long() { 118 } else { 15 }));
    let heard = ears.heard()?;
    for (watch, own, host) in &viewers {
        let name = watch.program.name();
        let from: Vec<(u16, usize)> = heard
            .iter()
            .filter(|((from, _), _)| *from == host.address())
            .map(|((_, port), count)| (*port, *count))
            .collect();
        ensure!(
            from.iter().any(|(port, _)| *port == NAMED),
            "{name} dialled nobody: {from:?}"
        );
        ensure!(
            from.iter().all(|(port, _)| *port != NOWHERE),
            "{name} dialled all hosts: {from:?}"
        );
        ensure!(
            from.len() <= ADDRESSES_MAX * minutes,
            "{name} dialled {}",
            from.len()
        );
        let most = from.iter().map(|(_, count)| *count).max();
        ensure!(
            most <= Some(INITIALS_MAX * minutes),
            "{name} sent {most:?} to one address"
        );
        ensure!(own.heard()?.is_empty(), "{name} dialled its own host");
        ensure!(watch.program.events().ended().is_none(), "{name} has ended");
    }
    println!(
        "e2e figure: packets to the victim from 3 viewers: {}",
        heard.values().sum::<usize>()
    );
    drop((viewers, crook.host));
    stage.passed();
    Ok(())
}

/// Shows everybody out, as one that speaks another version does.
struct Foreign;

impl Spoil for Foreign {
    fn say(&mut self, output: Output, out: &mut Outbox) {
        out.push(match output {
            Output::Send { link, .. } => Output::Close {
                link,
                code: CloseCode::Version,
            },
            other => other,
        });
    }
}

#[test]
fn another_version_is_told_to_the_person() -> Result<()> {
    let stage = Stage::open("version")?;
    let (net, runtime) = (Net::new(Wire::Bridge)?, Runtime::new()?);
    let crook = Crook::open(&runtime, &net, Foreign)?;
    let host = net.host("viewer")?;
    let watch = Watch::start(&stage, &host, &crook.link, &["--output", "none"])?;
    let ended = watch.program.wait_end(PLAYS)?;
    ensure!(ended.code() == Some(1), "it ended with {ended}");
    let stderr = watch.program.stderr();
    ensure!(stderr.contains("version"), "it does not say why: {stderr}");
    drop((watch, host, crook.host));
    stage.passed();
    Ok(())
}
