//! Notices and snapshots in words.

use crate::bench::BenchResult;
use crate::notice::{Notice, Own, Sponsored};
use crate::snapshot::{Phase, Snapshot};
use banyan_protocol::event::{Capacity, Event, ViewerStats};
use banyan_protocol::units::Bitrate;

/// The notice as a line for people; `None` if the status line shows it.
pub(super) fn notice(notice: &Notice) -> Option<String> {
    match notice {
        Notice::Event(event) => of_event(event),
        // Standard error says why it did not end as asked.
        Notice::Own(Own::Ended { error: Some(_), .. }) => None,
        Notice::Own(own) => Some(of_own(own)),
    }
}

fn of_event(event: &Event) -> Option<String> {
    Some(match event {
        Event::Capacity(_) | Event::Stats(_) => return None,
        Event::ViewerJoined { peer, viewers } => format!("viewer {peer} joined ({viewers} watching)"),
        Event::ViewerLeft { peer, viewers } => format!("viewer {peer} left ({viewers} watching)"),
        Event::ViewerRefused { peer, reason } => format!("viewer {peer} was refused: {reason}"),
        Event::SponsorAsked { peer, reason, .. } => {
            format!("viewer {peer} was asked to sponsor a relay: {reason}")
        }
        Event::RelayJoined {
            relay,
            sponsor,
            uplink_bps,
            reason,
        } => format!(
            "relay {relay} of {sponsor} serves with {}: {reason}",
            Bitrate(*uplink_bps)
        ),
        Event::RelayLeft {
            relay,
            sponsor,
            reason,
            ..
        } => {
            format!("relay {relay} of {sponsor} serves no more: {reason}")
        }
        Event::PeerBlamed { peer, what, by } => format!("peer {peer} {what} (says {by})"),
        Event::Joined { peer, stripes, tiers } => {
            format!(
                "joined as {peer}: {} of {}",
                count(*stripes, "stripe"),
                count(*tiers, "tier")
            )
        }
        Event::Playing { startup_ms } => format!("playing after {} s", seconds(*startup_ms)),
        Event::Stall => "stalled: what is due has not come".into(),
        Event::Resumed { ms } => format!("goes on after {} s", seconds(*ms)),
        Event::Repaired {
            stripe,
            gap_ms,
            from,
            to,
        } => {
            format!("stripe {stripe} comes from {to} instead of {from}, after {gap_ms} ms")
        }
        Event::Tier { tier, was, why } => format!("quality {tier} instead of {was}: {why}"),
        Event::SponsorRequest {
            reason,
            helps,
            deadline_s,
            estimate_usd_per_hour,
            ..
        } => {
            format!(
                "{reason}: would you sponsor a relay? It would help {} and cost you about ${estimate_usd_per_hour:.2} an hour \
                 [y/N, within {deadline_s} s]",
                count(*helps as usize, "viewer")
            )
        }
        Event::SponsorWithdrawn { why, .. } => format!("the request to sponsor is withdrawn: {}", kebab(why)),
        Event::Refused { reason } => format!("refused: {reason}"),
    })
}

fn of_own(own: &Own) -> String {
    match own {
        Own::Ready { link, note, .. } => match note {
            Some(note) => format!("{link}\n{note}"),
            None => link.clone(),
        },
        Own::Serving { url } => format!("serving at {url}"),
        Own::InputPaused { why } => format!("the input pauses: {why}"),
        Own::InputResumed => "the input is back".into(),
        Own::Sponsoring(relay) => of_relay(relay),
        Own::Warning { message } => format!("warning: {message}"),
        Own::BenchResult(result) => of_bench(result),
        Own::Ended { why, .. } => format!("ended: {why}"),
    }
}

fn of_relay(relay: &Sponsored) -> String {
    let place = relay.region.as_deref().unwrap_or("this machine");
    format!(
        "your relay {} in {place} is {}: serves {}, {} MB sent, ${:.4} spent",
        relay.relay,
        kebab(&relay.state),
        count(usize::from(relay.serves), "viewer"),
        relay.bytes_sent / 1_000_000,
        relay.spent_usd,
    )
}

fn of_bench(result: &BenchResult) -> String {
    let BenchResult {
        children,
        rate_bps,
        seconds,
        delivered,
        cpu_s_per_gbit,
        added_ms_p50,
        added_ms_p99,
        kib_per_child,
        peak_mib,
        ..
    } = result;
    let (rate, percent) = (Bitrate(*rate_bps), delivered * 100.0);
    format!(
        "{children} children of {rate}, {seconds} s: {percent:.3} % delivered, {cpu_s_per_gbit} CPU-s per Gbit, \
         added {added_ms_p50} ms (median), {added_ms_p99} ms (p99), {kib_per_child} KiB a child, {peak_mib} MiB at most"
    )
}

/// How things stand, on one line.
pub fn status(snapshot: &Snapshot) -> String {
    let phase = match snapshot.phase {
        Phase::Starting => "starting",
        Phase::Live => "live",
        Phase::Waiting => "waiting",
        Phase::Ended => "ended",
    };
    let mut parts = vec![phase.to_string()];
    if let Some(capacity) = &snapshot.capacity {
        parts.extend(of_capacity(capacity));
    }
    if let Some(viewer) = &snapshot.stats.viewer {
        parts.extend(of_viewer(viewer, snapshot));
    }
    parts.push(format!(
        "up {} to {}",
        snapshot.up,
        count_of(snapshot.stats.children, "child", "children")
    ));
    if snapshot.stats.viewer.is_some() {
        parts.push(format!("down {}", snapshot.down));
    }
    parts.join(" · ")
}

fn of_capacity(capacity: &Capacity) -> Vec<String> {
    let mut parts = vec![count(capacity.viewers, "viewer")];
    if capacity.degraded > 0 {
        parts.push(format!("{} at lower quality", capacity.degraded));
    }
    if capacity.refused > 0 {
        parts.push(format!("{} refused", capacity.refused));
    }
    parts.push(format!("{} left", count(capacity.places_left as usize, "place")));
    parts
}

fn of_viewer(viewer: &ViewerStats, snapshot: &Snapshot) -> Vec<String> {
    let mut parts = vec![
        format!(
            "quality {} of {}",
            u32::from(viewer.tier.0) + 1,
            snapshot.tiers.max(1)
        ),
        count(viewer.stripes_receiving, "stripe"),
        format!("{} s behind", seconds(viewer.latency_ms)),
    ];
    if viewer.stalls > 0 {
        parts.push(format!(
            "{} ({} s)",
            count(viewer.stalls as usize, "stall"),
            seconds(viewer.stall_ms)
        ));
    }
    parts
}

fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1000, ms % 1000 / 100)
}

fn count(number: usize, what: &str) -> String {
    count_of(number, what, &format!("{what}s"))
}

fn count_of(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The text that a unit variant serialises to.
fn kebab<T: serde::Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or("?").to_string()
}
