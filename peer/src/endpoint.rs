//! One UDP socket that dials and accepts.

use crate::gate::{Gate, Inbound};
use crate::socket::{Socket, Wire};
use crate::transport::Keep;
use crate::{address, tls, transport};
use banyan_protocol::id::{PeerId, SecretKey};
use banyan_protocol::limits::ALPN;
use quinn::{ClientConfig, EndpointConfig, ServerConfig, TokioRuntime, TransportConfig};
use quinn_proto::HashedConnectionIdGenerator;
use ring::hmac;
use socket2::{Domain, Protocol, Type};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

/// The port of a peer that was not told one. Unassigned by IANA, and below the ports that systems lend out.
pub const DEFAULT_PORT: u16 = 4600;

/// Ports tried after [`DEFAULT_PORT`] before the system chooses one: other Banyans on the same machine.
const NEIGHBOURS: u16 = 15;

/// What the kernel may hold for the socket while the process is busy: a tick of a few hundred children. Linux gives at
/// most `net.core.rmem_max` and `wmem_max`.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// What quinn holds for handshakes that the gate hasn't judged yet; it judges at once.
const UNJUDGED_MAX: usize = 256;
const UNJUDGED_BYTES_MAX: u64 = 16 * 1024;

/// How an endpoint is to be.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The socket's address; `None`: all addresses, at [`DEFAULT_PORT`] if it is free.
    pub listen: Option<SocketAddr>,
    /// The peer whose links are kept alive sparingly, for it has one to everybody: the broadcaster.
    pub coordinator: Option<PeerId>,
    /// Bounds on what strangers may begin.
    pub inbound: Inbound,
    /// Segmentation offload: halves the CPU time, but some network drivers break it.
    pub gso: bool,
    /// Whether chunks are ever sent from here: if not, nothing is spent on finding out how large datagrams may be.
    pub feeds: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: None,
            coordinator: None,
            inbound: Inbound::default(),
            gso: true,
            feeds: true,
        }
    }
}

/// An endpoint that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else has the address and port that were asked for.
    #[error("{0} is in use; choose another with --listen")]
    InUse(SocketAddr),
    /// The socket cannot be had for another reason.
    #[error("cannot listen on {address}: {source}")]
    Socket {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// A bound socket with an identity.
#[derive(Clone)]
pub struct Endpoint {
    pub(crate) quic: quinn::Endpoint,
    pub(crate) socket: Arc<Socket>,
    pub(crate) wire: Arc<Wire>,
    pub(crate) gate: Gate,
    /// For links to the coordinator, and to all others.
    pub(crate) clients: [ClientConfig; 2],
    coordinator: Option<PeerId>,
    id: PeerId,
    local: SocketAddr,
    dual_stack: bool,
}

impl Endpoint {
    /// Binds a socket for the peer whose key is `key`. To be called within a runtime.
    ///
    /// # Errors
    /// If the address that `config` names is in use or not ours.
    pub fn bind(key: &SecretKey, config: Config) -> Result<Self, BindError> {
        let (socket, local, dual_stack) = bind(config.listen)?;
        let wire = Arc::new(Wire::default());
        let server = server_config(key, &transport::config(Keep::Acceptor, config.gso, config.feeds));
        let opened = open_quic(socket, &wire, restart_proof(key), Some(server));
        let (quic, socket) = opened.map_err(|source| BindError::Socket {
            address: local,
            source,
        })?;
        Ok(Self {
            quic,
            socket,
            wire,
            gate: Gate::new(config.inbound),
            clients: [Keep::Coordinator, Keep::Neighbour]
                .map(|keep| client_config(key, ALPN, &transport::config(keep, config.gso, config.feeds))),
            coordinator: config.coordinator,
            id: key.id(),
            local,
            dual_stack,
        })
    }

    /// What to dial `peer` with, or whoever answers.
    pub(crate) fn client(&self, peer: Option<PeerId>) -> ClientConfig {
        let [coordinator, neighbour] = &self.clients;
        if peer.is_some() && self.coordinator == peer {
            coordinator.clone()
        } else {
            neighbour.clone()
        }
    }

    /// One at a fresh port, which only dials; what it sends and receives counts as this one's.
    pub(crate) fn stranger(&self) -> io::Result<(quinn::Endpoint, Arc<Socket>)> {
        let any: SocketAddr = if self.local.is_ipv6() {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        };
        let (socket, ..) = open(any, self.dual_stack)?;
        open_quic(socket, &self.wire, EndpointConfig::default(), None)
    }

    /// The QUIC below, for whoever measures what it costs by itself. Links that are begun here are no driver's.
    pub fn transport(&self) -> &quinn::Endpoint {
        &self.quic
    }

    /// Whose it is.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// Where it listens; the port may be another than [`DEFAULT_PORT`] if that is taken and none was asked for.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The addresses at which somebody in the same network finds it, best first, at most
    /// [`ADDRESSES_MAX`](banyan_protocol::limits::ADDRESSES_MAX).
    pub fn candidates(&self) -> Vec<SocketAddr> {
        address::candidates(self.local, self.dual_stack)
    }
}

fn open_quic(
    socket: UdpSocket,
    wire: &Arc<Wire>,
    config: EndpointConfig,
    server: Option<ServerConfig>,
) -> io::Result<(quinn::Endpoint, Arc<Socket>)> {
    let socket = Socket::new(socket, wire.clone())?;
    let runtime = Arc::new(TokioRuntime);
    let quic = quinn::Endpoint::new_with_abstract_socket(config, server, socket.clone(), runtime)?;
    Ok((quic, socket))
}

/// What a dialler of `alpn` brings.
pub(crate) fn client_config(key: &SecretKey, alpn: &[u8], transport: &Arc<TransportConfig>) -> ClientConfig {
    let mut config = ClientConfig::new(Arc::new(tls::client(key, alpn)));
    config.transport_config(transport.clone());
    config
}

fn server_config(key: &SecretKey, transport: &Arc<TransportConfig>) -> ServerConfig {
    let mut config = ServerConfig::with_crypto(Arc::new(tls::server(key)));
    config
        .transport_config(transport.clone())
        .max_incoming(UNJUDGED_MAX)
        .incoming_buffer_size(UNJUDGED_BYTES_MAX)
        .incoming_buffer_size_total(UNJUDGED_MAX as u64 * UNJUDGED_BYTES_MAX);
    config
}

/// Connection ids and reset tokens that follow from the key: a restarted peer then tells those who were linked to it
/// that their links are gone (RFC 9000 §10.3), instead of letting them wait for the idle time-out.
fn restart_proof(key: &SecretKey) -> EndpointConfig {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &key.to_bytes());
    let derive = |purpose: &[u8]| hmac::sign(&secret, purpose);
    let reset = hmac::Key::new(hmac::HMAC_SHA256, derive(b"banyan stateless reset 1").as_ref());
    let tag = derive(b"banyan connection ids 1");
    let ids = u64::from_le_bytes(*tag.as_ref().first_chunk().expect("32 bytes"));
    let mut config = EndpointConfig::new(Arc::new(reset));
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
    config
}

fn bind(listen: Option<SocketAddr>) -> Result<(UdpSocket, SocketAddr, bool), BindError> {
    let Some(address) = listen else {
        return bind_default();
    };
    let dual_stack = address.ip() == Ipv6Addr::UNSPECIFIED;
    open(address, dual_stack).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(address),
        _ => BindError::Socket { address, source },
    })
}

fn bind_default() -> Result<(UdpSocket, SocketAddr, bool), BindError> {
    let mut last = None;
    for port in (DEFAULT_PORT..=DEFAULT_PORT + NEIGHBOURS).chain([0]) {
        match open_any(port) {
            Ok(bound) => return Ok(bound),
            Err(source) => last = Some(source),
        }
    }
    Err(BindError::Socket {
        address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, DEFAULT_PORT)),
        source: last.expect("at least one port was tried"),
    })
}

/// All addresses of both families, or of IPv4 where there is no IPv6. A port that is taken is not tried again in the
/// other family: whoever has it would get half of what is meant for us.
fn open_any(port: u16) -> io::Result<(UdpSocket, SocketAddr, bool)> {
    match open((Ipv6Addr::UNSPECIFIED, port).into(), true) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            open((Ipv4Addr::UNSPECIFIED, port).into(), false)
        }
        bound => bound,
    }
}

fn open(address: SocketAddr, dual_stack: bool) -> io::Result<(UdpSocket, SocketAddr, bool)> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual_stack)?;
    }
    // Best effort: the kernel may give less, and less works.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    let local = socket.local_addr()?;
    Ok((socket, local, dual_stack))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_was_asked_for_and_is_taken_is_an_error() {
        let (_first, local, _) = bind(Some("127.0.0.1:0".parse().unwrap())).unwrap();
        assert!(matches!(bind(Some(local)), Err(BindError::InUse(address)) if address == local));
        let elsewhere = bind(Some("192.0.2.1:0".parse().unwrap()));
        assert!(matches!(elsewhere, Err(BindError::Socket { .. })));
    }

    #[test]
    fn a_default_port_that_is_taken_is_passed_over() {
        let (_first, one, _) = bind(None).unwrap();
        let (_second, other, _) = bind(None).unwrap();
        assert_ne!(one.port(), other.port());
        assert!(one.ip().is_unspecified() && other.ip().is_unspecified());
    }
}
