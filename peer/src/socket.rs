//! The UDP socket under QUIC: it counts wire bytes, hands over together what belongs together, and never sends an address
//! that hasn't answered more than a dial may.

use crate::address::canonical;
use crate::batch::Batch;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Initials that may go to an address that hasn't answered: a victim whose address we are given gets no more, however often
/// we are told to dial it.
const INITIALS_MAX: usize = 3;

/// How long such an address is left alone after the last of them.
const QUIET: Duration = Duration::from_secs(60);

/// How many addresses that have answered are remembered. The oldest goes first; it is then new again.
const ANSWERED_MAX: usize = 256;

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

/// What dials may still send, and to whom.
#[derive(Debug, Default)]
struct Dialled {
    /// Addresses that haven't answered. Bounded: the driver bounds dials under way, the machine those of a minute, and who
    /// is silent is forgotten after another.
    silent: HashMap<SocketAddr, Silent>,
    answered: VecDeque<SocketAddr>,
}

#[derive(Clone, Copy, Debug)]
struct Silent {
    initials_left: usize,
    last: Instant,
}

impl Dialled {
    fn dial(&mut self, now: Instant, address: SocketAddr) {
        self.silent.retain(|_, silent| now - silent.last < QUIET);
        if !self.answered.contains(&address) {
            self.silent.entry(address).or_insert(Silent {
                initials_left: INITIALS_MAX,
                last: now,
            });
        }
    }

    fn dial_own(&mut self, address: SocketAddr) {
        self.silent.remove(&address);
    }

    fn answer(&mut self, address: SocketAddr) {
        if self.silent.remove(&address).is_some() {
            if self.answered.len() == ANSWERED_MAX {
                self.answered.pop_front();
            }
            self.answered.push_back(address);
        }
    }

    /// How many of so many Initials may go out now.
    fn allow(&mut self, now: Instant, address: SocketAddr, initials: usize) -> usize {
        let Some(silent) = self.silent.get_mut(&address) else {
            return initials;
        };
        let allowed = initials.min(silent.initials_left);
        silent.initials_left -= allowed;
        if allowed > 0 {
            silent.last = now;
        }
        allowed
    }
}

#[derive(Debug)]
pub(crate) struct Socket {
    inner: Arc<dyn AsyncUdpSocket>,
    wire: Arc<Wire>,
    dialled: Mutex<Dialled>,
    /// How many addresses are silent, so that the way of every other datagram is free of the lock.
    silent: AtomicUsize,
    /// What waits for what follows it.
    batch: Mutex<Batch>,
    /// Wakes the task that sends what nothing has followed.
    rest: Arc<Notify>,
}

impl Socket {
    /// To be called within a runtime.
    pub(crate) fn new(socket: UdpSocket, wire: Arc<Wire>) -> io::Result<Arc<Self>> {
        let socket = Arc::new(Self {
            inner: TokioRuntime.wrap_udp_socket(socket)?,
            wire,
            dialled: Mutex::default(),
            silent: AtomicUsize::new(0),
            batch: Mutex::default(),
            rest: Arc::default(),
        });
        tokio::spawn(send_rests(Arc::downgrade(&socket), socket.rest.clone()));
        Ok(socket)
    }

    /// A dial to `address` begins. Where nobody answered lately, nothing is sent.
    pub(crate) fn dial(&self, address: SocketAddr) {
        self.with_dialled(|dialled| dialled.dial(Instant::now(), canonical(address)));
    }

    /// A dial to a machine of one's own begins: it is nobody's victim, and silent only until it has booted.
    pub(crate) fn dial_own(&self, address: SocketAddr) {
        self.with_dialled(|dialled| dialled.dial_own(canonical(address)));
    }

    fn answered(&self, address: SocketAddr) {
        self.with_dialled(|dialled| dialled.answer(canonical(address)));
    }

    /// How many of `initials` may go to `address`.
    fn allowed(&self, address: SocketAddr, initials: usize) -> usize {
        self.with_dialled(|dialled| dialled.allow(Instant::now(), canonical(address), initials))
    }

    fn with_dialled<T>(&self, work: impl FnOnce(&mut Dialled) -> T) -> T {
        let mut dialled = self.dialled.lock().expect("nobody panics while counting");
        let done = work(&mut dialled);
        self.silent.store(dialled.silent.len(), Relaxed);
        done
    }

    fn batch(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().expect("nobody panics while sending")
    }

    /// Sends `transmit`, after what waits, or has it wait for what follows it. Who sends through us does so in one go, as
    /// long as it has anything; the task for rests runs after it.
    fn send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let mut batch = self.batch();
        if !batch.take(transmit, self.inner.max_transmit_segments()) {
            self.send_batch(&mut batch)?;
            if !batch.take(transmit, self.inner.max_transmit_segments()) {
                return self.hand_over(transmit);
            }
        }
        // What the kernel has no room for now, it is offered again.
        if batch.is_open() || self.send_batch(&mut batch).is_err() {
            self.rest.notify_one();
        }
        Ok(())
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// If the kernel has no room for it; it waits on. Other errors are losses, as on the way.
    fn send_batch(&self, batch: &mut Batch) -> io::Result<()> {
        if let Some(transmit) = batch.transmit() {
            let sent = self.hand_over(&transmit);
            sent.or_else(|error| match error.kind() {
                io::ErrorKind::WouldBlock => Err(error),
                _ => Ok(()),
            })?;
            batch.clear();
        }
        Ok(())
    }

    fn hand_over(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.inner.try_send(transmit)?;
        let (address, bytes) = (transmit.destination, transmit.contents.len());
        let sent = wire_bytes(address, bytes, datagrams(bytes, transmit.segment_size));
        self.wire.sent.fetch_add(sent, Relaxed);
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.rest.notify_one();
    }
}

/// Sends what waits and is followed by nothing, until the socket has gone.
async fn send_rests(socket: Weak<Socket>, rest: Arc<Notify>) {
    loop {
        rest.notified().await;
        while let Some(socket) = socket.upgrade() {
            let sent = socket.send_batch(&mut socket.batch());
            if sent.is_ok() {
                break;
            }
            let mut poller = socket.inner.clone().create_io_poller();
            // An error shows with the next attempt.
            let _ = poll_fn(|context| poller.as_mut().poll_writable(context)).await;
        }
        if socket.strong_count() == 0 {
            return;
        }
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
        send_cut(socket, destination, contents, None).await;
    }

    async fn send_cut(
        socket: &Arc<Socket>,
        destination: SocketAddr,
        contents: &[u8],
        segment: Option<usize>,
    ) {
        let mut poller = socket.clone().create_io_poller();
        poll_fn(|context| poller.as_mut().poll_writable(context))
            .await
            .unwrap();
        let transmit = Transmit {
            destination,
            contents,
            ecn: None,
            segment_size: segment,
            src_ip: None,
        };
        socket.try_send(&transmit).unwrap();
    }

    fn count(receiver: &UdpSocket) -> usize {
        std::iter::from_fn(|| receiver.recv(&mut [0; 2000]).ok()).count()
    }

    #[tokio::test]
    async fn an_address_that_has_not_answered_gets_three_initials_however_often_it_is_dialled() {
        let (socket, receiver, address) = sender().await;
        for _ in 0..4 {
            socket.dial(address);
            for _ in 0..5 {
                send(&socket, address, &[0xc3; 1200]).await;
            }
        }
        assert_eq!(count(&receiver), 3);
        socket.answered(address);
        for _ in 0..2 {
            socket.dial(address);
            for _ in 0..5 {
                send(&socket, address, &[0xc3; 1200]).await;
            }
        }
        assert_eq!(count(&receiver), 10);
    }

    #[test]
    fn a_silent_address_is_left_alone_for_a_minute_after_the_last_initial() {
        let (mut dialled, here, begin) = (Dialled::default(), "192.0.2.1:9".parse().unwrap(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        dialled.dial(at(0), here);
        assert_eq!(dialled.allow(at(2), here, 5), 3);
        dialled.dial(at(61), here);
        assert_eq!(dialled.allow(at(61), here, 1), 0);
        dialled.dial(at(62), here);
        assert_eq!(dialled.allow(at(62), here, 5), 3);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut dialled, now) = (Dialled::default(), Instant::now());
        for port in 1..=3 * ANSWERED_MAX as u16 {
            let address = SocketAddr::from(([192, 0, 2, 1], port));
            dialled.dial(now, address);
            dialled.answer(address);
        }
        assert_eq!((dialled.answered.len(), dialled.silent.len()), (ANSWERED_MAX, 0));
    }

    #[tokio::test]
    async fn datagrams_go_together_in_order_and_nothing_waits_for_ever() {
        let (socket, receiver, address) = sender().await;
        let mut two = [1; 2000];
        two[1000..].fill(2);
        send_cut(&socket, address, &two, Some(1000)).await;
        assert_eq!(count(&receiver), 0, "it waits for what follows");
        send(&socket, address, &[3; 500]).await;
        let mut buffer = [0; 2000];
        for expected in [(1000, 1), (1000, 2), (500, 3)] {
            let length = receiver.recv(&mut buffer).unwrap();
            assert_eq!((length, buffer[0]), expected);
        }
        send_cut(&socket, address, &two, Some(1000)).await;
        let receiver = tokio::net::UdpSocket::from_std(receiver).unwrap();
        for expected in [1, 2] {
            assert_eq!(receiver.recv(&mut buffer).await.unwrap(), 1000);
            assert_eq!(buffer[0], expected);
        }
        assert_eq!(socket.wire.totals().0, 4500 + 5 * 42);
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
