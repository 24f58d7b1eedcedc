//! Peers that mean ill or do not know better, and many of them.

use super::puppet::{Puppet, pair};
use crate::lane::CONTROL_PREFACE;
use crate::{Config, Endpoint, Inbound, identity, tls};
use banyan_protocol::id::PeerId;
use banyan_protocol::io::{Input, Lane, LinkEnd, LinkId, Output};
use banyan_protocol::limits::{CONTROL_FRAME_MAX, DATA_FRAME_MAX};
use banyan_protocol::media::TierId;
use banyan_protocol::wire::close::CloseCode;
use banyan_protocol::wire::framing::{PREFIX, frame};
use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};

const NAME: LinkId = LinkId(2);

fn loopback() -> Config {
    Config {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        ..Config::default()
    }
}

/// A peer that speaks our QUIC and TLS, and nothing above.
async fn raw(to: SocketAddr) -> (Endpoint, quinn::Connection) {
    let endpoint = Endpoint::bind(&identity::generate(), loopback()).unwrap();
    let connecting = endpoint
        .quic
        .connect_with(endpoint.client(None), to, tls::SERVER_NAME);
    let connection = connecting.unwrap().await.unwrap();
    (endpoint, connection)
}

#[tokio::test]
async fn an_oversized_frame_breaks_its_link_and_no_other() {
    for (lane, max) in [
        (Lane::Control, CONTROL_FRAME_MAX),
        (Lane::Data(TierId(0)), DATA_FRAME_MAX),
    ] {
        let ((mut dialler, ours), (mut acceptor, theirs)) = pair().await;
        dialler.send(ours, lane, frame(&vec![1; max])).await;
        assert_eq!(acceptor.hear_frame().await.1.len(), PREFIX + max);
        dialler.send(ours, lane, frame(&vec![1; max + 1])).await;
        assert!(matches!(acceptor.hear().await, Input::Broken { link } if link == theirs));
        dialler.send(ours, Lane::Data(TierId(1)), frame(b"more")).await;
        let code = CloseCode::Malformed;
        acceptor.order(Output::Close { link: theirs, code }).await;
        assert_eq!(dialler.hear_unlinked().await, (ours, LinkEnd::Closed(code)));
        dialler.dial(NAME, acceptor.id, &[acceptor.address]).await;
        // Nothing was read after the broken frame.
        acceptor.hear_linked().await;
    }
}

#[tokio::test]
async fn a_lane_that_is_none_breaks_its_link() {
    let ((dialler, ours), (mut acceptor, theirs)) = pair().await;
    dialler.send(ours, Lane::Data(TierId(200)), frame(b"?")).await;
    assert!(matches!(acceptor.hear().await, Input::Broken { link } if link == theirs));
}

#[tokio::test]
async fn garbage_does_no_harm() {
    let (mut dialler, mut acceptor) = (Puppet::new(), Puppet::new());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut state = 1u32;
    for length in 0..1200 {
        let garbage: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        socket.send_to(&garbage, acceptor.address).unwrap();
    }
    dialler.dial(NAME, acceptor.id, &[acceptor.address]).await;
    dialler.hear_linked().await;
    assert_eq!(acceptor.hear_linked().await.1, dialler.id);
}

/// Links are dialled so many at a time.
const SALVO: u64 = 100;

/// Of a hundred salvos so many may go unanswered, where the machine stands still for seconds.
const PAUSES_MAX: u64 = 2;

#[tokio::test]
async fn ten_thousand_links_from_one_network_get_their_share_only() {
    let mut acceptor = Puppet::new();
    let share = Inbound::default().per_prefix;
    let mut dialler = Puppet::new();
    let (mut linked, mut paused) = (Vec::new(), 0);
    for salvo in 0..10_000 / SALVO {
        let mut names: Vec<LinkId> = (0..SALVO)
            .map(|number| LinkId(2 * (SALVO * salvo + number)))
            .collect();
        while !names.is_empty() {
            for name in &names {
                dialler.dial(*name, acceptor.id, &[acceptor.address]).await;
            }
            let mut again = Vec::new();
            for _ in &names {
                match dialler.hear().await {
                    Input::Linked { link, .. } => linked.push(link),
                    Input::Unlinked {
                        link,
                        why: LinkEnd::TimedOut,
                    } => again.push(link),
                    Input::Unlinked { why, .. } => assert_eq!(why, LinkEnd::Closed(CloseCode::Busy)),
                    other => panic!("{other:?}"),
                }
            }
            // Both ends stand still while the machine does, and nobody has answered when the handshakes' time is over.
            paused += u64::from(!again.is_empty());
            names = again;
        }
    }
    assert!(paused <= PAUSES_MAX, "{paused} salvos were not answered in time");
    assert_eq!(linked.len(), share);
    for _ in 0..share {
        acceptor.hear_linked().await;
    }
    let (link, code) = (linked[0], CloseCode::Done);
    dialler.order(Output::Close { link, code }).await;
    acceptor.hear_unlinked().await;
    dialler
        .dial(LinkId(50_000), acceptor.id, &[acceptor.address])
        .await;
    assert_eq!(dialler.hear_linked().await.0, LinkId(50_000));
}

#[tokio::test]
async fn a_loaded_peer_asks_for_proof_and_lets_the_honest_in() {
    let inbound = Inbound {
        unproven: 0,
        ..Inbound::default()
    };
    let mut acceptor = Puppet::with(Config {
        inbound,
        ..Config::default()
    });
    let mut dialler = Puppet::new();
    dialler.dial(NAME, acceptor.id, &[acceptor.address]).await;
    dialler.hear_linked().await;
    assert_eq!(acceptor.hear_linked().await.1, dialler.id);
}

#[tokio::test]
async fn who_opens_no_control_lane_is_shut_out_unheard() {
    let mut acceptor = Puppet::new();
    let (_endpoint, connection) = raw(acceptor.address).await;
    let quinn::ConnectionError::ApplicationClosed(_) = connection.closed().await else {
        panic!("not closed by the acceptor");
    };
    let mut dialler = Puppet::new();
    dialler.dial(NAME, acceptor.id, &[acceptor.address]).await;
    assert_eq!(acceptor.hear_linked().await.1, dialler.id);
    dialler.hear_linked().await;
}

#[tokio::test]
async fn who_does_not_read_its_control_lane_is_closed() {
    let mut acceptor = Puppet::new();
    let (_endpoint, connection) = raw(acceptor.address).await;
    let (mut send, _receive) = connection.open_bi().await.unwrap();
    send.write_all(&[CONTROL_PREFACE]).await.unwrap();
    let (link, ..) = acceptor.hear_linked().await;
    let message = || Output::Send {
        link,
        lane: Lane::Control,
        frame: frame(&[0; 16 * 1024]),
    };
    // Up to a lane's window leaves for the peer, what fits in the send window waits in the transport, the rest here.
    for _ in 0..10 {
        acceptor.order_all((0..8).map(|_| message())).await;
    }
    assert_eq!(acceptor.hear_unlinked().await, (link, LinkEnd::Failed));
    let quinn::ConnectionError::ApplicationClosed(close) = connection.closed().await else {
        panic!("not closed by the acceptor");
    };
    assert_eq!(
        CloseCode::from_u64(close.error_code.into_inner()),
        CloseCode::Busy
    );
}

#[tokio::test]
async fn a_probe_tells_which_addresses_answer_with_the_right_key() {
    let (mut prober, mut probed, other) = (Puppet::new(), Puppet::new(), Puppet::new());
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addresses = vec![silent.local_addr().unwrap(), other.address, probed.address];
    let peer = probed.id;
    prober.order(Output::Probe { peer, addresses }).await;
    let Input::Probed { peer: whom, reached } = prober.hear().await else {
        panic!("no answer to the probe");
    };
    assert_eq!((whom, reached), (probed.id, vec![probed.address]));
    // Of a probe its target hears nothing.
    prober.dial(NAME, probed.id, &[probed.address]).await;
    assert_eq!(probed.hear_linked().await.1, prober.id);
}

#[tokio::test]
async fn both_families_reach_a_socket_for_all_addresses_and_are_shown_as_they_are() {
    let any = Config {
        listen: Some("[::]:0".parse().unwrap()),
        ..Config::default()
    };
    let mut acceptor = Puppet::with(any);
    let (four, six) = (
        Puppet::new(),
        Puppet::with(Config {
            listen: Some("[::1]:0".parse().unwrap()),
            ..Config::default()
        }),
    );
    let at = |host: &str| format!("{host}:{}", acceptor.address.port()).parse().unwrap();
    four.dial(NAME, acceptor.id, &[at("127.0.0.1")]).await;
    six.dial(NAME, acceptor.id, &[at("[::1]")]).await;
    let mut heard: BTreeSet<(PeerId, SocketAddr)> = BTreeSet::new();
    for _ in 0..2 {
        let (_, peer, address, _) = acceptor.hear_linked().await;
        heard.insert((peer, address));
    }
    assert_eq!(heard, [(four.id, four.address), (six.id, six.address)].into());
    // And it dials both.
    acceptor.dial(NAME, four.id, &[six.address, four.address]).await;
    assert_eq!(acceptor.hear_linked().await.2, four.address);
}
