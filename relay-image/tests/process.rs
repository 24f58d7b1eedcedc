//! A relay's process from outside: how it begins, whom it obeys, and how it ends.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

mod support;

use banyan_peer::identity;
use banyan_protocol::io::LinkEnd;
use banyan_protocol::limits::VERSION;
use banyan_protocol::wire::close::CloseCode;
use banyan_protocol::wire::control::Message;
use banyan_protocol::wire::enrol::EnrolSecret;
use banyan_protocol::wire::order::{Commanded, Order};
use nix::sys::signal::Signal;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use support::caller::{Caller, Line};
use support::process::{Relay, SECRET, boot, lease};

const HOUR_S: u64 = 3600;
const REFUSED: LinkEnd = LinkEnd::Closed(CloseCode::Unexpected);

/// A relay that serves, and its sponsor.
fn served(name: &str) -> (Relay, Caller) {
    let key = identity::generate();
    let relay = Relay::start(name, &boot(&key, &lease(HOUR_S), 600).to_string());
    (relay, Caller::new(key))
}

fn proves_itself(message: &Message, line: &Line) -> bool {
    let Message::Enrol { version, proof } = message else {
        return false;
    };
    *version == VERSION && EnrolSecret(SECRET).is_proved(&line.binding, &line.relay, proof)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_proves_itself_to_its_sponsor_and_stops_when_told() {
    let (mut relay, mut sponsor) = served("stops");
    let line = sponsor.call(relay.address()).await;
    let first = sponsor.message().await;
    assert!(proves_itself(&first, &line), "{first:?}");
    sponsor.stop(&line).await;
    let (why, _, code) = relay.ends();
    assert_eq!((why.as_str(), code), ("stopped", Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_counts_what_it_sends_and_says_so() {
    let (mut relay, mut sponsor) = served("counts");
    let line = sponsor.call(relay.address()).await;
    sponsor.message().await;
    let report = sponsor.order(&line, Order::Report);
    sponsor.send(&line, &report).await;
    let stats = relay.event("stats");
    assert!(stats["up_bytes"].is_u64() && stats["down_bytes"].is_u64());
    assert_eq!(stats["children"], 0);
    sponsor.stop(&line).await;
    relay.ends();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_shown_nothing_and_not_obeyed() {
    let (mut relay, mut sponsor) = served("stranger");
    let address = relay.address();
    let mut stranger = Caller::new(identity::generate());
    let line = stranger.call(address).await;
    stranger.stop(&line).await;
    let (end, said) = stranger.hangs_up().await;
    assert_eq!(end, REFUSED);
    let shown = said
        .iter()
        .any(|message| matches!(message, Message::Enrol { .. }));
    assert!(!shown, "{said:?}");
    let blamed = relay.event("peer-blamed");
    assert_eq!(blamed["peer"], stranger.key.id().to_string());
    // And the sponsor's is another matter.
    let line = sponsor.call(address).await;
    assert!(proves_itself(&sponsor.message().await, &line));
    sponsor.stop(&line).await;
    assert_eq!(relay.ends().2, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_obeyed_once() {
    let (mut relay, mut sponsor) = served("once");
    let address = relay.address();
    let line = sponsor.call(address).await;
    sponsor.message().await;
    let report = sponsor.order(&line, Order::Report);
    sponsor.send(&line, &report).await;
    assert!(matches!(sponsor.message().await, Message::Usage(_)));
    sponsor.send(&line, &report).await;
    assert_eq!(sponsor.hangs_up().await.0, REFUSED);
    let line = sponsor.call(address).await;
    sponsor.stop(&line).await;
    assert_eq!(relay.ends().0, "stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_secret_proves_nothing_any_more() {
    let (mut relay, mut sponsor) = served("used");
    let address = relay.address();
    let line = sponsor.call(address).await;
    assert!(proves_itself(&sponsor.message().await, &line));
    let report = sponsor.order(&line, Order::Report);
    sponsor.send(&line, &report).await;
    assert!(matches!(sponsor.message().await, Message::Usage(_)));
    // The sponsor calls again, from another link: it knows the relay's key by now.
    let again = sponsor.call(address).await;
    let report = sponsor.order(&again, Order::Report);
    sponsor.send(&again, &report).await;
    let next = sponsor.message().await;
    assert!(!matches!(next, Message::Enrol { .. }), "{next:?}");
    sponsor.stop(&again).await;
    relay.ends();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_may_drain_and_may_not_stop() {
    let (mut relay, mut sponsor) = served("delegate");
    let address = relay.address();
    let line = sponsor.call(address).await;
    sponsor.message().await;
    let mut delegate = Caller::new(identity::generate());
    let delegation = sponsor.delegation(&line, delegate.key.public(), lease(60));
    let theirs = delegate.call(address).await;
    let stop = delegate.order(&theirs, Order::Stop);
    let by_delegation = |commanded: Commanded| Commanded {
        delegation: Some(delegation.clone()),
        ..commanded
    };
    delegate.send(&theirs, &by_delegation(stop)).await;
    assert_eq!(delegate.hangs_up().await.0, REFUSED);
    let theirs = delegate.call(address).await;
    let drain = delegate.order(&theirs, Order::Drain);
    delegate.send(&theirs, &by_delegation(drain)).await;
    assert_eq!(relay.ends().0, "stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_that_was_widened_is_worth_nothing() {
    let (mut relay, mut sponsor) = served("widened");
    let address = relay.address();
    let line = sponsor.call(address).await;
    sponsor.message().await;
    let mut delegate = Caller::new(identity::generate());
    let theirs = delegate.call(address).await;
    let wider = sponsor.delegation(&line, delegate.key.public(), lease(2 * HOUR_S));
    let drain = delegate.order(&theirs, Order::Drain);
    let commanded = Commanded {
        delegation: Some(wider),
        ..drain
    };
    delegate.send(&theirs, &commanded).await;
    assert_eq!(delegate.hangs_up().await.0, REFUSED);
    sponsor.stop(&line).await;
    relay.ends();
}

#[test]
fn it_ends_with_its_lease() {
    let mut relay = Relay::start("lease", &boot(&identity::generate(), &lease(3), 600).to_string());
    let (why, _, code) = relay.ends();
    assert_eq!((why.as_str(), code), ("lease-over", Some(0)));
}

#[test]
fn it_does_not_wait_for_ever_for_its_sponsor() {
    let boot = boot(&identity::generate(), &lease(HOUR_S), 2);
    let mut relay = Relay::start("waits", &boot.to_string());
    let (why, log, code) = relay.ends();
    assert_eq!((why.as_str(), code), ("not-enrolled", Some(1)));
    assert!(log.contains("sponsor has not called"), "{log}");
}

#[test]
fn a_signal_ends_it_cleanly() {
    for (name, signal) in [("terminate", Signal::SIGTERM), ("interrupt", Signal::SIGINT)] {
        let mut relay = Relay::start(
            name,
            &boot(&identity::generate(), &lease(HOUR_S), 600).to_string(),
        );
        relay.address();
        // It hears signals by the time that it says this.
        relay.event("stats");
        relay.signal(signal);
        let (why, _, code) = relay.ends();
        assert_eq!((why.as_str(), code), ("stopped", Some(0)));
    }
}

#[test]
fn boot_data_that_are_none_are_told_in_a_sentence() {
    let boot = boot(&identity::generate(), &lease(HOUR_S), 600);
    let mut unknown = boot.clone();
    unknown["aws_key"] = "x".into();
    for (name, text, word) in [
        ("damaged", "{\"banyan\":1,".to_owned(), "damaged"),
        ("unknown", unknown.to_string(), "aws_key"),
        ("long", " ".repeat(5000), "4096"),
    ] {
        let (why, log, code) = Relay::start(name, &text).ends();
        assert_eq!((why.as_str(), code), ("boot-data", Some(2)), "{log}");
        let last = log.lines().last().unwrap();
        assert!(last.starts_with("banyan-relay: ") && last.contains(word), "{log}");
    }
}

#[test]
fn a_lease_that_is_over_or_a_secret_too_old_starts_nothing() {
    for (name, lease_s, enrol_s, word) in [("over", 0, 600, "clock"), ("late", HOUR_S, 0, "sponsor")] {
        let text = boot(&identity::generate(), &lease(lease_s), enrol_s).to_string();
        let (_, log, code) = Relay::start(name, &text).ends();
        assert_eq!(code, Some(1));
        assert!(log.contains(word), "{log}");
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut boot = boot(&identity::generate(), &lease(HOUR_S), 600);
    boot["listen"] = address.as_str().into();
    let (why, log, code) = Relay::start("taken", &boot.to_string()).ends();
    assert_eq!((why.as_str(), code), ("listen", Some(1)));
    assert!(log.contains(&address), "{log}");
}

#[test]
fn a_machine_in_the_cloud_tells_it_by_user_data() {
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = service.local_addr().unwrap();
    let text = boot(&identity::generate(), &lease(3), 600).to_string();
    let answers = std::thread::spawn(move || {
        for body in ["TOKEN", &text] {
            let (stream, _) = service.accept().unwrap();
            let lines = BufReader::new(&stream).lines();
            let head: Vec<String> = lines
                .map(Result::unwrap)
                .take_while(|line| !line.is_empty())
                .collect();
            let length = body.len();
            write!(
                &stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .unwrap();
            if head[0].starts_with("GET") {
                assert!(head.iter().any(|line| line.ends_with(": TOKEN")), "{head:?}");
            }
        }
    });
    let mut command = Relay::command();
    command.env("BANYAN_METADATA", format!("http://{address}"));
    let mut relay = Relay::run(command);
    relay.address();
    answers.join().unwrap();
    assert_eq!(relay.ends().0, "lease-over");
}
