use super::*;
use crate::notice::Own;
use banyan_protocol::event::{Capacity, Event, Stats, ViewerStats};
use banyan_protocol::id::PeerId;
use banyan_protocol::media::{StripeId, TierId};
use banyan_protocol::wire::control::{RoundKind, WithdrawReason};
use std::sync::{Arc, Mutex};

const PEER: PeerId = PeerId([1; 16]);
const OTHER: PeerId = PeerId([2; 16]);

fn line(notice: impl Into<Notice>) -> String {
    json(Duration::from_micros(12_900), &notice.into())
}

/// The names and fields of the command-line contract: programs read them.
#[test]
fn the_broadcasters_events_keep_their_names_and_fields() {
    let ready = Own::Ready {
        link: "banyan://x".into(),
        channel: "x".into(),
        listen: "0.0.0.0:4600".parse().unwrap(),
        note: None,
    };
    assert_eq!(
        line(ready),
        r#"{"event":"ready","link":"banyan://x","channel":"x","listen":"0.0.0.0:4600","t":12}"#
    );
    assert_eq!(
        line(Event::ViewerJoined {
            peer: PEER,
            viewers: 3
        }),
        r#"{"event":"viewer-joined","peer":"aeaqcaib","viewers":3,"t":12}"#
    );
    assert_eq!(
        line(Event::ViewerLeft {
            peer: PEER,
            viewers: 2
        }),
        r#"{"event":"viewer-left","peer":"aeaqcaib","viewers":2,"t":12}"#
    );
    assert_eq!(
        line(Event::ViewerRefused {
            peer: PEER,
            reason: "no capacity".into()
        }),
        r#"{"event":"viewer-refused","peer":"aeaqcaib","reason":"no capacity","t":12}"#
    );
    assert_eq!(
        line(Event::SponsorAsked {
            peer: PEER,
            round: RoundKind::Joiner,
            reason: "full".into()
        }),
        r#"{"event":"sponsor-asked","peer":"aeaqcaib","round":"joiner","reason":"full","t":12}"#
    );
    assert_eq!(
        line(Event::RelayLeft {
            relay: PEER,
            sponsor: PEER,
            uplink_bps: 50_000_000,
            reason: "over".into()
        }),
        r#"{"event":"relay-left","relay":"aeaqcaib","sponsor":"aeaqcaib","uplink_bps":50000000,"reason":"over","t":12}"#
    );
    assert_eq!(
        line(Event::PeerBlamed {
            peer: PEER,
            what: "forged".into(),
            by: "me".into()
        }),
        r#"{"event":"peer-blamed","peer":"aeaqcaib","what":"forged","by":"me","t":12}"#
    );
}

#[test]
fn capacity_keeps_its_fields() {
    let capacity = Event::Capacity(Capacity {
        viewers: 8,
        full: 7,
        degraded: 1,
        refused: 2,
        slots_total: 47,
        slots_used: 40,
        places_left: 1,
        ..Capacity::default()
    });
    let told: serde_json::Value = serde_json::from_str(&line(capacity)).unwrap();
    let fields = [
        ("viewers", 8),
        ("full", 7),
        ("degraded", 1),
        ("refused", 2),
        ("slots_total", 47),
        ("slots_used", 40),
        ("places_left", 1),
        ("relays", 0),
        ("t", 12),
    ];
    assert_eq!(told["event"], "capacity");
    for (name, value) in fields {
        assert_eq!(told[name], value, "{name}");
    }
}

#[test]
fn the_viewers_events_keep_their_names_and_fields() {
    let stripe = StripeId {
        tier: TierId(1),
        index: 3,
    };
    assert_eq!(
        line(Event::Joined {
            peer: PEER,
            stripes: 5,
            tiers: 2
        }),
        r#"{"event":"joined","peer":"aeaqcaib","stripes":5,"tiers":2,"t":12}"#
    );
    assert_eq!(
        line(Event::Playing { startup_ms: 700 }),
        r#"{"event":"playing","startup_ms":700,"t":12}"#
    );
    assert_eq!(line(Event::Stall), r#"{"event":"stall","t":12}"#);
    assert_eq!(
        line(Event::Resumed { ms: 90 }),
        r#"{"event":"resumed","ms":90,"t":12}"#
    );
    assert_eq!(
        line(Event::Repaired {
            stripe,
            gap_ms: 300,
            from: PEER,
            to: OTHER
        }),
        r#"{"event":"repaired","stripe":"1.3","gap_ms":300,"from":"aeaqcaib","to":"aibaeaqc","t":12}"#
    );
    assert_eq!(
        line(Event::Tier {
            tier: TierId(0),
            was: TierId(1),
            why: "capacity".into()
        }),
        r#"{"event":"tier","tier":0,"was":1,"why":"capacity","t":12}"#
    );
    assert_eq!(
        line(Event::Refused {
            reason: "full".into()
        }),
        r#"{"event":"refused","reason":"full","t":12}"#
    );
}

#[test]
fn the_questions_keep_their_names_and_fields() {
    let request = Event::SponsorRequest {
        id: "r1".into(),
        reason: "full".into(),
        deadline_s: 15,
        estimate_usd_per_hour: 0.25,
        helps: 3,
        missing_bps: 2_500_000,
        near: vec![String::from("eu-north-1").try_into().unwrap()],
    };
    assert_eq!(
        line(request),
        r#"{"event":"sponsor-request","id":"r1","reason":"full","deadline_s":15,"estimate_usd_per_hour":0.25,"helps":3,"missing_bps":2500000,"near":["eu-north-1"],"t":12}"#
    );
    assert_eq!(
        line(Event::SponsorWithdrawn {
            id: "r1".into(),
            why: WithdrawReason::Unavailable
        }),
        r#"{"event":"sponsor-withdrawn","id":"r1","why":"unavailable","t":12}"#
    );
}

#[test]
fn stats_are_flat_and_name_parents_by_stripe() {
    let mut viewer = ViewerStats::default();
    let stripe = StripeId {
        tier: TierId(1),
        index: 0,
    };
    viewer.parents.insert(stripe, PEER);
    viewer.arrival_ms_p99 = 600;
    let stats = Stats {
        up_bytes: 5,
        viewer: Some(viewer),
        ..Stats::default()
    };
    assert_eq!(
        line(Event::Stats(stats)),
        concat!(
            r#"{"event":"stats","up_bytes":5,"down_bytes":0,"children":0,"stripes_receiving":0,"tier":0,"#,
            r#""latency_ms":0,"arrival_ms_p99":600,"buffer_ms":0,"stalls":0,"stall_ms":0,"blocks_lost":0,"#,
            r#""bad_chunks":0,"parents":{"1.0":"aeaqcaib"},"t":12}"#
        )
    );
    assert_eq!(
        line(Event::Stats(Stats::default())),
        r#"{"event":"stats","up_bytes":0,"down_bytes":0,"children":0,"t":12}"#
    );
}

#[test]
fn the_end_says_why() {
    let ended = |error: Option<&str>| Own::Ended {
        why: "left".into(),
        error: error.map(str::to_string),
    };
    assert_eq!(line(ended(None)), r#"{"event":"ended","why":"left","t":12}"#);
    assert_eq!(
        line(ended(Some("x"))),
        r#"{"event":"ended","why":"left","error":"x","t":12}"#
    );
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[test]
fn a_sentence_takes_the_status_lines_place() {
    let sink = Sink::default();
    let mut report = Report::new(Style::Terminal, Box::new(sink.clone()));
    report.show(&Snapshot::default()).unwrap();
    report.tell(Duration::ZERO, &Event::Stall.into()).unwrap();
    assert_eq!(
        sink.text(),
        "\r\x1b[K\x1b[?7lstarting · up 0 bit/s to 0 children\x1b[?7h\r\x1b[Kstalled: what is due has not come\n"
    );
}

#[test]
fn a_pipe_gets_no_control_codes_and_few_statuses() {
    let sink = Sink::default();
    let mut report = Report::new(Style::Plain, Box::new(sink.clone()));
    for _ in 0..20 {
        report.show(&Snapshot::default()).unwrap();
    }
    let text = sink.text();
    assert_eq!(text.lines().count(), 2);
    assert!(!text.contains('\x1b') && !text.contains('\r'));
}
