//! The UDP socket under QUIC: it counts wire bytes, and never sends an address that hasn't answered more than a dial may.

use crate::address::canonical;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};
use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Initials that a dial may send to an address that hasn't answered: a victim whose address we are given gets no more.
const INITIALS_MAX: usize = 3;

/// How long the bound outlives the dial's begin: longer than its handshake may take.
const DIAL_MAX: Duration = Duration::from_secs(10);

/// What a datagram costs on the wire beside its contents: Ethernet's, IP's and UDP's headers.
const ETHERNET_AND_UDP: u64 = 14 + 8;
const IPV4: u64 = 20;
const IPV6: u64 = 40;

/// Totals of wire bytes, Ethernet to QUIC.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Wire {
    /// Bytes sent and received since the start.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.sent.load(Relaxed), self.received.load(Relaxed))
    }
}

fn wire_bytes(address: SocketAddr, bytes: usize, datagrams: usize) -> u64 {
    let ip = if canonical(address).is_ipv4() { IPV4 } else { IPV6 };
    bytes as u64 + datagrams as u64 * (ETHERNET_AND_UDP + ip)
}

/// Per address, Initials that are left and when the dial began. Bounded: the driver bounds dials under way, and who is
/// silent is forgotten with the next dial.
type Dialled = HashMap<SocketAddr, (usize, Instant)>;

#[derive(Debug)]
pub(crate) struct Socket {
    inner: Arc<dyn AsyncUdpSocket>,
    wire: Arc<Wire>,
    /// What dials may still send to addresses that haven't answered.
    dialled: Mutex<Dialled>,
    /// How many these are, so that the way of every other datagram is free of the lock.
    silent: AtomicUsize,
}

impl Socket {
    /// To be called within a runtime.
    pub(crate) fn new(socket: UdpSocket, wire: Arc<Wire>) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            inner: TokioRuntime.wrap_udp_socket(socket)?,
            wire,
            dialled: Mutex::default(),
            silent: AtomicUsize::new(0),
        }))
    }

    /// A dial to `address` begins.
    pub(crate) fn dial(&self, address: SocketAddr) {
        let now = Instant::now();
        self.change_dialled(|dialled| {
            dialled.retain(|_, (_, begun)| now - *begun < DIAL_MAX);
            dialled.insert(canonical(address), (INITIALS_MAX, now));
        });
    }

    fn answered(&self, address: SocketAddr) {
        self.change_dialled(|dialled| {
            dialled.remove(&canonical(address));
        });
    }

    fn change_dialled(&self, change: impl FnOnce(&mut Dialled)) {
        let mut dialled = self.dialled.lock().expect("nobody panics while counting");
        change(&mut dialled);
        self.silent.store(dialled.len(), Relaxed);
    }

    /// How many of `datagrams` may go to `address`.
    fn allowed(&self, address: SocketAddr, datagrams: usize) -> usize {
        let mut dialled = self.dialled.lock().expect("nobody panics while counting");
        match dialled.get_mut(&canonical(address)) {
            Some((left, _)) => {
                let allowed = datagrams.min(*left);
                *left -= allowed;
                allowed
            }
            None => datagrams,
        }
    }

    fn send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.inner.try_send(transmit)?;
        let (address, bytes) = (transmit.destination, transmit.contents.len());
        let sent = wire_bytes(address, bytes, datagrams(bytes, transmit.segment_size));
        self.wire.sent.fetch_add(sent, Relaxed);
        Ok(())
    }
}

fn datagrams(bytes: usize, segment: Option<usize>) -> usize {
    segment.map_or(1, |segment| bytes.div_ceil(segment))
}

/// The long header's form bit, and its type (RFC 9000 §17.2): zero is an Initial.
fn is_initial(contents: &[u8]) -> bool {
    contents
        .first()
        .is_some_and(|first| first & 0b1011_0000 == 0b1000_0000)
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.inner.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if self.silent.load(Relaxed) == 0 || !is_initial(transmit.contents) {
            return self.send(transmit);
        }
        let bytes = transmit.contents.len();
        let segment = transmit.segment_size.unwrap_or(bytes);
        // What is not allowed is lost, as on the way.
        match self.allowed(transmit.destination, datagrams(bytes, transmit.segment_size)) {
            0 => Ok(()),
            allowed => self.send(&Transmit {
                contents: &transmit.contents[..bytes.min(allowed * segment)],
                ..*transmit
            }),
        }
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let received = self.inner.poll_recv(context, buffers, metas);
        if let Poll::Ready(Ok(count)) = received {
            for meta in &metas[..count] {
                let bytes = wire_bytes(meta.addr, meta.len, datagrams(meta.len, Some(meta.stride.max(1))));
                self.wire.received.fetch_add(bytes, Relaxed);
                if self.silent.load(Relaxed) > 0 {
                    self.answered(meta.addr);
                }
            }
        }
        received
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sender() -> (Arc<Socket>, UdpSocket, SocketAddr) {
        let wire = Arc::new(Wire::default());
        let socket = Socket::new(UdpSocket::bind("127.0.0.1:0").unwrap(), wire).unwrap();
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_nonblocking(true).unwrap();
        let address = receiver.local_addr().unwrap();
        (socket, receiver, address)
    }

    async fn send(socket: &Arc<Socket>, destination: SocketAddr, contents: &[u8]) {
        let mut poller = socket.clone().create_io_poller();
        std::future::poll_fn(|context| poller.as_mut().poll_writable(context))
            .await
            .unwrap();
        let transmit = Transmit {
            destination,
            contents,
            ecn: None,
            segment_size: None,
            src_ip: None,
        };
        socket.try_send(&transmit).unwrap();
    }

    fn count(receiver: &UdpSocket) -> usize {
        std::iter::from_fn(|| receiver.recv(&mut [0; 2000]).ok()).count()
    }

    #[tokio::test]
    async fn an_address_that_has_not_answered_gets_three_initials_a_dial() {
        let (socket, receiver, address) = sender().await;
        socket.dial(address);
        for _ in 0..5 {
            send(&socket, address, &[0xc3; 1200]).await;
        }
        assert_eq!(count(&receiver), 3);
        socket.dial(address);
        send(&socket, address, &[0xc3; 1200]).await;
        socket.answered(address);
        for _ in 0..5 {
            send(&socket, address, &[0xc3; 1200]).await;
        }
        assert_eq!(count(&receiver), 6);
    }

    #[tokio::test]
    async fn wire_bytes_are_the_whole_frame() {
        let (socket, _receiver, address) = sender().await;
        send(&socket, address, &[0; 1000]).await;
        assert_eq!(socket.wire.totals(), (1000 + 14 + 20 + 8, 0));
        assert_eq!(
            wire_bytes("[::1]:1".parse().unwrap(), 2500, 2),
            2500 + 2 * (14 + 40 + 8)
        );
        assert_eq!(wire_bytes("[::ffff:1.2.3.4]:1".parse().unwrap(), 1, 1), 43);
        assert_eq!(datagrams(2500, Some(1200)), 3);
    }
}
