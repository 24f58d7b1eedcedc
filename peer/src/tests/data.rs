//! What goes over a link that is up.

use super::puppet::{Puppet, pair};
use banyan_protocol::io::{Input, Lane, Output};
use banyan_protocol::limits::{DATA_FRAME_MAX, LINK_BACKLOG_MAX};
use banyan_protocol::media::TierId;
use banyan_protocol::wire::framing::{PREFIX, body, frame};
use bytes::Bytes;

const DATA: Lane = Lane::Data(TierId(1));

#[tokio::test]
async fn control_frames_go_both_ways() {
    let ((mut dialler, ours), (mut acceptor, theirs)) = pair().await;
    acceptor.send(theirs, Lane::Control, frame(b"first")).await;
    assert_eq!(dialler.hear_frame().await, (Lane::Control, frame(b"first")));
    dialler.send(ours, Lane::Control, frame(b"echo")).await;
    assert_eq!(acceptor.hear_frame().await, (Lane::Control, frame(b"echo")));
}

#[tokio::test]
async fn two_megabytes_come_in_order_and_are_reported_as_drained() {
    const FRAMES: u32 = 100;
    const EACH: u64 = PREFIX as u64 + 20_000;
    let ((mut dialler, ours), (mut acceptor, _)) = pair().await;
    let sent = |number: u32| frame(&number.to_le_bytes().repeat(5_000));
    let mut backlog = 0;
    for number in 0..FRAMES {
        while backlog + EACH > LINK_BACKLOG_MAX {
            backlog -= hear_drained(&mut dialler).await;
        }
        backlog += EACH;
        dialler.send(ours, DATA, sent(number)).await;
    }
    for number in 0..FRAMES {
        assert_eq!(acceptor.hear_frame().await, (DATA, sent(number)));
    }
    while backlog > 0 {
        backlog -= hear_drained(&mut dialler).await;
    }
}

async fn hear_drained(puppet: &mut Puppet) -> u64 {
    loop {
        if let Input::Drained { bytes, .. } = puppet.hear_any().await {
            return bytes;
        }
    }
}

#[tokio::test]
async fn data_goes_from_the_acceptor_too_and_lanes_keep_apart() {
    let ((mut dialler, _), (acceptor, theirs)) = pair().await;
    let low = Lane::Data(TierId(0));
    let orders = [(DATA, b"high"), (low, b"low.")].map(|(lane, text)| Output::Send {
        link: theirs,
        lane,
        frame: frame(text),
    });
    acceptor.order_all(orders).await;
    let mut heard = [dialler.hear_frame().await, dialler.hear_frame().await];
    heard.sort_by_key(|(lane, _)| *lane);
    assert_eq!(heard, [(low, frame(b"low.")), (DATA, frame(b"high"))]);
}

#[tokio::test]
async fn a_reset_gives_up_what_waits_and_begins_anew() {
    let ((mut dialler, ours), (mut acceptor, _)) = pair().await;
    let big = frame(&vec![7; DATA_FRAME_MAX]);
    let send = |frame: &Bytes| Output::Send {
        link: ours,
        lane: DATA,
        frame: frame.clone(),
    };
    // More than the transport takes at once, then a fresh start: all within one call of `handle`, before any is read.
    let total = 4 * big.len() as u64;
    let mut orders: Vec<Output> = (0..4).map(|_| send(&big)).collect();
    orders.push(Output::Reset {
        link: ours,
        lane: DATA,
    });
    orders.push(send(&frame(b"fresh")));
    dialler.order_all(orders).await;
    let (lane, heard) = acceptor.hear_frame().await;
    assert_eq!((lane, &body(&heard)[..]), (DATA, &b"fresh"[..]));
    let mut drained = 0;
    let all = total + frame(b"fresh").len() as u64;
    while drained < all {
        drained += hear_drained(&mut dialler).await;
    }
    assert_eq!(drained, all);
}

#[tokio::test]
async fn a_reset_ends_a_stream_that_is_blocked() {
    let ((mut dialler, ours), (mut acceptor, _)) = pair().await;
    let big = frame(&vec![7; DATA_FRAME_MAX]);
    // Far more than both ends buffer: the writer is blocked while the reader is not yet through.
    let total = 8 * big.len() as u64;
    dialler
        .order_all((0..8).map(|_| Output::Send {
            link: ours,
            lane: DATA,
            frame: big.clone(),
        }))
        .await;
    let mut drained = hear_drained(&mut dialler).await;
    assert!(drained < total, "the transport takes at most its send window");
    dialler
        .order_all([
            Output::Reset {
                link: ours,
                lane: DATA,
            },
            Output::Send {
                link: ours,
                lane: DATA,
                frame: frame(b"fresh"),
            },
        ])
        .await;
    while acceptor.hear_frame().await.1 != frame(b"fresh") {}
    let all = total + frame(b"fresh").len() as u64;
    while drained < all {
        drained += hear_drained(&mut dialler).await;
    }
    assert_eq!(drained, all);
}

#[tokio::test]
async fn no_more_is_under_way_than_the_machine_says() {
    const WINDOW: u64 = 20_000;
    let ((mut dialler, ours), (mut acceptor, _)) = pair().await;
    let (link, big) = (ours, frame(&[7; 50_000]));
    let send = Output::Send {
        link,
        lane: DATA,
        frame: big.clone(),
    };
    let bytes = WINDOW;
    dialler.order_all([Output::Window { link, bytes }, send]).await;
    let first = hear_drained(&mut dialler).await;
    assert!(first <= WINDOW, "{first}");
    assert_eq!(acceptor.hear_frame().await, (DATA, big.clone()));
    let mut drained = first;
    while drained < big.len() as u64 {
        drained += hear_drained(&mut dialler).await;
    }
}

#[tokio::test]
async fn more_resets_than_streams_allowed_wait_for_the_peer() {
    let ((dialler, ours), (mut acceptor, _)) = pair().await;
    for number in 0..100u8 {
        dialler
            .order_all([
                Output::Reset {
                    link: ours,
                    lane: DATA,
                },
                Output::Send {
                    link: ours,
                    lane: DATA,
                    frame: frame(&[number]),
                },
            ])
            .await;
    }
    while acceptor.hear_frame().await.1 != frame(&[99]) {}
}

#[tokio::test]
async fn wire_bytes_are_counted_at_both_ends_and_outlive_the_link() {
    let ((mut dialler, ours), (mut acceptor, _)) = pair().await;
    dialler.send(ours, DATA, frame(&[1; 10_000])).await;
    acceptor.hear_frame().await;
    // Ethernet, IPv4, UDP and QUIC weigh something too.
    let least = (PREFIX as u64 + 10_000) * 103 / 100;
    while hear_wire(&mut acceptor).await.1 < least {}
    let (sent, _) = hear_wire(&mut dialler).await;
    assert!((least..least + 10_000).contains(&sent), "{sent}");
    let code = banyan_protocol::wire::close::CloseCode::Done;
    dialler.order(Output::Close { link: ours, code }).await;
    acceptor.hear_unlinked().await;
    assert!(hear_wire(&mut acceptor).await.1 >= least);
    assert!(hear_wire(&mut dialler).await.0 >= sent);
}

async fn hear_wire(puppet: &mut Puppet) -> (u64, u64) {
    loop {
        if let Input::Wire { sent, received } = puppet.hear_any().await {
            return (sent, received);
        }
    }
}

#[tokio::test]
async fn a_round_trip_time_is_told_at_once_and_then_every_second() {
    let ((mut dialler, _), _acceptor) = pair().await;
    for _ in 0..2 {
        loop {
            if let Input::RoundTrip { time, .. } = dialler.hear_any().await {
                assert!(time < std::time::Duration::from_millis(300), "{time:?}");
                break;
            }
        }
    }
}
