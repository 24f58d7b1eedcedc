//! How links end, and how they never begin.

use super::puppet::{Puppet, pair};
use crate::transport::Keep;
use crate::{Clock, Config, Endpoint, Outgoing, endpoint, identity, transport};
use banyan_protocol::id::SecretKey;
use banyan_protocol::io::{Command, Ended, Input, Lane, LinkEnd, LinkId, Output, Side};
use banyan_protocol::media::TierId;
use banyan_protocol::wire::close::CloseCode;
use banyan_protocol::wire::framing::frame;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

const NAME: LinkId = LinkId(2);

/// A socket that hears everything and answers nothing.
fn silence() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn another_key_is_the_wrong_one() {
    let (mut dialler, acceptor) = (Puppet::new(), Puppet::new());
    let expected = identity::generate().id();
    dialler.dial(NAME, expected, &[acceptor.address]).await;
    assert_eq!(dialler.hear_unlinked().await, (NAME, LinkEnd::WrongKey));
}

#[tokio::test]
async fn another_version_is_told_as_such() {
    let key = identity::generate();
    let config = Config {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        ..Config::default()
    };
    let mut later = Endpoint::bind(&key, config).unwrap();
    later.clients = [Keep::Coordinator, Keep::Neighbour]
        .map(|keep| endpoint::client_config(&key, b"banyan/2", &transport::config(keep, true, true)));
    let (mut dialler, acceptor) = (Puppet::over(later), Puppet::new());
    dialler.dial(NAME, acceptor.id, &[acceptor.address]).await;
    assert_eq!(dialler.hear_unlinked().await, (NAME, LinkEnd::Version));
}

#[tokio::test]
async fn nobody_there_is_known_in_three_seconds_and_three_initials() {
    let mut dialler = Puppet::new();
    let (socket, address) = silence();
    let begun = Instant::now();
    dialler.dial(NAME, identity::generate().id(), &[address]).await;
    assert_eq!(dialler.hear_unlinked().await, (NAME, LinkEnd::TimedOut));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let mut initials = 0;
    let mut datagram = [0; 2048];
    while socket.recv(&mut datagram).is_ok() {
        // The long header's type (RFC 9000 §17.2): 0 is an Initial.
        initials += u32::from(datagram[0] >> 4 & 0b11 == 0);
    }
    assert!((1..=3).contains(&initials), "{initials} Initials");
}

#[tokio::test]
async fn a_machine_of_ones_own_is_found_whenever_it_begins_to_answer() {
    let mut dialler = Puppet::new();
    let (socket, address) = silence();
    dialler.dial_any(NAME, &[address]).await;
    let socket = tokio::net::UdpSocket::from_std(socket).unwrap();
    let (mut initials, mut datagram) = (0, [0; 2048]);
    // More than another's address would get.
    while initials <= 3 {
        socket.recv(&mut datagram).await.unwrap();
        initials += u32::from(datagram[0] >> 4 & 0b11 == 0);
    }
    drop(socket);
    let mut machine = Puppet::with(Config {
        listen: Some(address),
        ..Config::default()
    });
    assert_eq!(dialler.hear_linked().await.2, address);
    machine.hear_linked().await;
}

#[tokio::test]
async fn a_process_that_begins_to_listen_a_moment_later_is_not_waited_for_by_quic() {
    let mut dialler = Puppet::new();
    let (socket, address) = silence();
    dialler.dial_any(NAME, &[address]).await;
    let socket = tokio::net::UdpSocket::from_std(socket).unwrap();
    socket.recv(&mut [0; 2048]).await.unwrap();
    let dialled = Instant::now();
    drop(socket);
    let _machine = Puppet::with(Config {
        listen: Some(address),
        ..Config::default()
    });
    assert_eq!(dialler.hear_linked().await.2, address);
    // The lost one is sent again after a second.
    assert!(
        dialled.elapsed() < Duration::from_millis(900),
        "{:?}",
        dialled.elapsed()
    );
}

#[tokio::test]
async fn the_address_that_answers_with_the_right_key_is_kept() {
    let (mut dialler, mut acceptor, other) = (Puppet::new(), Puppet::new(), Puppet::new());
    let (_socket, silent) = silence();
    let addresses = [silent, other.address, acceptor.address];
    let begun = Instant::now();
    dialler.dial(NAME, acceptor.id, &addresses).await;
    let (link, peer, address, _) = dialler.hear_linked().await;
    assert_eq!((link, peer, address), (NAME, acceptor.id, acceptor.address));
    assert!(
        begun.elapsed() < Duration::from_millis(2_900),
        "it does not wait for the silent one"
    );
    assert_eq!(acceptor.hear_linked().await.1, dialler.id);
}

#[tokio::test]
async fn no_address_at_all_fails() {
    let mut dialler = Puppet::new();
    dialler.dial(NAME, identity::generate().id(), &[]).await;
    assert_eq!(dialler.hear_unlinked().await, (NAME, LinkEnd::Failed));
}

#[tokio::test]
async fn a_close_comes_with_its_code_and_after_what_was_said() {
    let ((dialler, ours), (mut acceptor, theirs)) = pair().await;
    let code = CloseCode::Full;
    let mut orders: Vec<Output> = (0..50u8)
        .map(|number| Output::Send {
            link: ours,
            lane: Lane::Control,
            frame: frame(&[number; 4000]),
        })
        .collect();
    orders.push(Output::Close { link: ours, code });
    dialler.order_all(orders).await;
    for number in 0..50u8 {
        assert_eq!(acceptor.hear_frame().await.1, frame(&[number; 4000]));
    }
    assert_eq!(acceptor.hear_unlinked().await, (theirs, LinkEnd::Closed(code)));
}

#[tokio::test]
async fn nothing_more_comes_of_a_link_that_was_closed() {
    let ((mut dialler, ours), (mut acceptor, theirs)) = pair().await;
    let code = CloseCode::Duplicate;
    dialler.order(Output::Close { link: ours, code }).await;
    acceptor.send(theirs, Lane::Control, frame(b"too late")).await;
    acceptor.hear_unlinked().await;
    // A second link, to have something to hear.
    acceptor.dial(NAME, dialler.id, &[dialler.address]).await;
    assert_eq!(dialler.hear_linked().await.3, Side::Acceptor);
}

#[tokio::test]
async fn a_dial_that_was_closed_is_forgotten() {
    let (mut dialler, mut acceptor) = (Puppet::new(), Puppet::new());
    let (_socket, silent) = silence();
    let code = CloseCode::Done;
    dialler.dial(NAME, acceptor.id, &[silent]).await;
    dialler.order(Output::Close { link: NAME, code }).await;
    dialler.dial(LinkId(4), acceptor.id, &[acceptor.address]).await;
    assert_eq!(dialler.hear_linked().await.0, LinkId(4));
    acceptor.hear_linked().await;
}

#[tokio::test]
async fn an_end_closes_all_links_as_done() {
    let ((mut dialler, ours), (mut acceptor, theirs)) = pair().await;
    dialler
        .order_all([
            Output::Send {
                link: ours,
                lane: Lane::Control,
                frame: frame(b"farewell"),
            },
            Output::Ended(Ended::Left),
        ])
        .await;
    assert_eq!(acceptor.hear_frame().await.1, frame(b"farewell"));
    let done = LinkEnd::Closed(CloseCode::Done);
    assert_eq!(acceptor.hear_unlinked().await, (theirs, done));
    assert!(matches!(
        dialler.handle.outgoing.recv().await,
        Some(Outgoing::Ended(Ended::Left))
    ));
    assert!(dialler.handle.outgoing.recv().await.is_none());
    assert!(dialler.handle.inspector.inspect(|_| ()).await.is_none());
    // The port is free again.
    UdpSocket::bind(dialler.address).unwrap();
}

#[tokio::test]
async fn a_machine_that_panics_ends_without_a_word_and_its_links_with_it() {
    let ((mut dialler, _), (mut acceptor, theirs)) = pair().await;
    let panic = Command::Answer { id: None, yes: true };
    dialler.handle.commands.send(panic).await.unwrap();
    assert!(dialler.handle.outgoing.recv().await.is_none());
    assert_eq!(acceptor.hear_unlinked().await.0, theirs);
}

#[tokio::test]
async fn a_driver_whose_program_has_gone_leaves() {
    let mut puppet = Puppet::new();
    puppet.handle.commands = tokio::sync::mpsc::channel(1).0;
    assert!(matches!(puppet.hear().await, Input::Command(Command::Leave)));
}

#[tokio::test]
async fn the_machine_can_be_looked_into() {
    let puppet = Puppet::new();
    assert_eq!(puppet.handle.inspector.inspect(|_| 7).await, Some(7));
}

#[tokio::test]
async fn a_clock_counts_from_its_start_and_knows_the_time_of_day() {
    let clock = Clock::start();
    let (now, channel) = (clock.now(), clock.channel_now());
    assert!(now.as_micros() < 1_000_000);
    let day = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert!(day.as_micros() as u64 - channel.as_micros() < 1_000_000);
}

/// A peer in a thread of its own, which can vanish without a word.
struct Mortal {
    puppet: Puppet,
    end: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Mortal {
    async fn new(key: &SecretKey, listen: Option<SocketAddr>) -> Self {
        let config = Config {
            listen,
            ..Config::default()
        };
        Self::with(key, config).await
    }

    async fn with(key: &SecretKey, config: Config) -> Self {
        let (born_in, born) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let key = SecretKey::from_bytes(&key.to_bytes());
        let live = async move {
            born_in.send(Puppet::known(&key, config)).ok().unwrap();
            ended.await.unwrap();
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let thread = std::thread::spawn(move || runtime.block_on(live));
        Self {
            puppet: born.await.unwrap(),
            end,
            thread,
        }
    }

    /// Returns when its runtime is gone, and its socket with it.
    async fn vanish(self) {
        self.end.send(()).unwrap();
        tokio::task::spawn_blocking(|| self.thread.join().unwrap())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_peer_that_vanished_times_out() {
    let mut survivor = Puppet::new();
    let mut mortal = Mortal::new(&identity::generate(), None).await;
    survivor
        .dial(NAME, mortal.puppet.id, &[mortal.puppet.address])
        .await;
    survivor.hear_linked().await;
    mortal.puppet.hear_linked().await;
    mortal.vanish().await;
    assert_eq!(survivor.hear_unlinked().await, (NAME, LinkEnd::TimedOut));
}

#[tokio::test]
async fn a_vanished_peer_is_noticed_by_what_is_sent_to_it_where_pings_are_rare() {
    let mut coordinator = Puppet::new();
    let config = Config {
        coordinator: Some(coordinator.id),
        ..Config::default()
    };
    let mut mortal = Mortal::with(&identity::generate(), config).await;
    mortal
        .puppet
        .dial(NAME, coordinator.id, &[coordinator.address])
        .await;
    let (theirs, ..) = coordinator.hear_linked().await;
    mortal.puppet.hear_linked().await;
    mortal.vanish().await;
    let begun = Instant::now();
    coordinator
        .send(theirs, Lane::Control, frame(b"are you there?"))
        .await;
    assert_eq!(coordinator.hear_unlinked().await, (theirs, LinkEnd::TimedOut));
    let took = begun.elapsed();
    assert!((9..14).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test]
async fn a_silent_link_costs_the_coordinator_nothing() {
    let mut coordinator = Puppet::new();
    let mut viewer = Puppet::with(Config {
        coordinator: Some(coordinator.id),
        ..Config::default()
    });
    viewer.dial(NAME, coordinator.id, &[coordinator.address]).await;
    viewer.hear_linked().await;
    coordinator.hear_linked().await;
    // Path MTU discovery ends by itself.
    let (mut settled, mut quiet) = (0, 0);
    while quiet < 15 {
        let sent = hear_sent(&mut coordinator).await;
        quiet = if sent == settled { quiet + 1 } else { 0 };
        settled = sent;
    }
    // Six seconds: a neighbour would have been pinged, and would have acknowledged it.
    for _ in 0..60 {
        assert_eq!(hear_sent(&mut coordinator).await, settled);
    }
}

async fn hear_sent(puppet: &mut Puppet) -> u64 {
    loop {
        if let Input::Wire { sent, .. } = puppet.hear_any().await {
            return sent;
        }
    }
}

#[tokio::test]
async fn a_peer_that_restarted_says_that_its_links_are_gone() {
    let key = identity::generate();
    let mut survivor = Puppet::new();
    let mut mortal = Mortal::new(&key, None).await;
    let address = mortal.puppet.address;
    survivor.dial(NAME, mortal.puppet.id, &[address]).await;
    survivor.hear_linked().await;
    mortal.puppet.hear_linked().await;
    mortal.vanish().await;
    let begun = Instant::now();
    let _reborn = Mortal::new(&key, Some(address)).await;
    survivor.send(NAME, Lane::Data(TierId(0)), frame(&[1; 100])).await;
    assert_eq!(survivor.hear_unlinked().await, (NAME, LinkEnd::Failed));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
