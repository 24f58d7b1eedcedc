//! What a relay sends: what a person is told beforehand, and what the budget allows.

use anyhow::Result;
use banyan_protocol::media::schedule::wire::mean_of;
use banyan_protocol::units::Bitrate;
use cloud_rig::channel::{Channel, PATIENCE, Sponsor, Watch, in_own_network, number};
use cloud_rig::machine::{Body, net};
use cloud_rig::program::Event;
use cloud_rig::rig::{KEY_ID, REGION, SECRET_KEY};
use std::time::Duration;

/// How long children are held, in the long form and in the short one.
const HELD: Duration = Duration::from_secs(if cfg!(feature = "long") { 600 } else { 60 });

/// The stripes that a viewer gets from `relay`, as its next `stats` says, once it gets those of the full quality alone: for
/// a moment after a change it gets the lower tier beside it.
async fn stripes_from(rider: &mut Watch, relay: &str) -> Result<u64> {
    let is_full = |event: &Event| {
        let parents = event.fields["parents"].as_object();
        parents.is_some_and(|parents| parents.keys().all(|stripe| stripe.starts_with("1.")))
    };
    let stats = rider.program.wait("stats", PATIENCE, is_full).await?;
    let parents = stats.fields["parents"].as_object();
    Ok(parents.map_or(0, |parents| parents.values().filter(|by| *by == relay).count()) as u64)
}

/// Stripes from `relay` times seconds, for as long as children are held: viewers tell theirs each second, and a plan may
/// move one meanwhile.
async fn stripe_seconds(riders: &mut [Watch], sponsor: &mut Sponsor, relay: &str) -> Result<u64> {
    let mut sum = 0;
    for rider in &mut *riders {
        stripes_from(rider, relay).await?;
        rider.program.catch_up().await?;
    }
    for _ in 0..HELD.as_secs() {
        for rider in &mut *riders {
            sum += stripes_from(rider, relay).await?;
        }
        // It would wait for whoever reads it.
        sponsor.program.catch_up().await?;
    }
    Ok(sum)
}

#[test]
fn a_relay_sends_what_its_children_were_reckoned_at() -> Result<()> {
    in_own_network(async {
        let mut channel = Channel::open("sponsors-estimate", Body::process()?).await?;
        let is_known = |event: &Event| event.fields["slot_bps"].as_u64() > Some(0);
        let slot = channel.broadcast.wait("capacity", PATIENCE, is_known).await?;
        let mut sponsor = channel.sponsor("sponsor", "1", &[]).await?;
        let joined = channel.broadcast.wait("relay-joined", PATIENCE, |_| true).await?;
        let relay = joined.text("relay");
        let mut riders = Vec::new();
        for name in ["one", "two", "three"] {
            riders.push(Watch::start(&channel, name).await?);
        }
        for rider in &mut riders {
            rider.fed_by(relay, PATIENCE).await?;
            stripes_from(rider, relay).await?;
        }
        sponsor.program.catch_up().await?;
        let first = sponsor.state("serving", PATIENCE).await?;
        let held = stripe_seconds(&mut riders, &mut sponsor, relay).await?;
        let last = sponsor.state("serving", PATIENCE).await?;
        let sent = number(&last, "bytes_sent") - number(&first, "bytes_sent");
        let seconds = (number(&last, "t") - number(&first, "t")) as f64 / 1000.0;
        let stripes = held as f64 / HELD.as_secs_f64();
        // As the person is told before saying yes.
        let rate = mean_of(Bitrate(number(&slot, "slot_bps"))).as_bps() as f64 / 8.0;
        let ratio = rate * stripes * seconds / sent as f64;
        println!(
            "{stripes:.1} stripes, {sent} bytes sent in {seconds:.1} s, reckoned at {ratio:.3} times that"
        );
        assert!((0.9..=1.1).contains(&ratio), "{ratio}");
        Ok(())
    })
}

#[test]
fn a_relay_stops_within_its_bytes() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-bytes", Body::process()?).await?;
        net::count(1)?;
        // Hardly more than the least that is sold, so that it is soon spent.
        let limits = ["--hours", "0.1", "--budget", "0.0147", "--region", REGION];
        let keys = [
            ("AWS_ACCESS_KEY_ID", KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ];
        let mut sponsor = channel.sponsor_with("sponsor", &limits, &keys).await?;
        let serving = sponsor.state("serving", PATIENCE).await?;
        let budget = number(&serving, "bytes_budget");
        assert!((90_000_000..120_000_000).contains(&budget), "{budget}");
        let mut riders = Vec::new();
        for name in ["one", "two", "three", "four", "five", "six"] {
            riders.push(Watch::start(&channel, name).await?);
        }
        channel
            .machines()
            .until_running(0, Duration::from_secs(180))
            .await?;
        let sent = net::counted(1)?;
        println!(
            "{sent} of {budget} bytes sent: {:.4}",
            sent as f64 / budget as f64
        );
        assert!(sent as f64 <= budget as f64 * 1.01, "{sent} of {budget}");
        // It says farewell five seconds before the last byte, and those below it move meanwhile.
        assert!(sent as f64 >= budget as f64 * 0.75, "{sent} of {budget}");
        assert!(channel.machines().console().join("").contains("bytes-spent"));
        sponsor.ends_well().await?;
        assert!(channel.is_empty().await?);
        Ok(())
    })
}
