//! Whole clients that sponsor relays on EC2, whose machines are the relay's process: all but booting is as it is.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use anyhow::Result;
use banyan_cloud::child::message::Listed;
use banyan_protocol::media::schedule::wire::mean_of;
use banyan_protocol::units::Bitrate;
use cloud_rig::Fault;
use cloud_rig::channel::{Channel, PATIENCE, Watch, in_own_network, number};
use cloud_rig::machine::{Body, net};
use cloud_rig::program::Event;
use cloud_rig::rig::{KEY_ID, REGION, SECRET_KEY, built};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Promised from the yes to the first stripe, for all but booting.
const OWN_SHARE: Duration = Duration::from_secs(5);

fn process() -> Result<Body> {
    let relay = built("banyan-relay")?;
    Ok(Body::Process { relay })
}

#[test]
fn a_relay_in_the_cloud_serves_within_seconds_of_booting_and_goes_with_its_sponsor() -> Result<()> {
    in_own_network(async {
        let mut channel = Channel::open("sponsors-story", process()?).await?;
        let yes = Instant::now();
        let mut sponsor = channel.sponsor("sponsor", "1", &[]).await?;
        let joined = channel.broadcast.wait("relay-joined", PATIENCE, |_| true).await?;
        let mut rider = Watch::start(&channel, "rider").await?;
        let serving = sponsor.state("serving", PATIENCE).await?;
        rider.fed_by(joined.text("relay"), PATIENCE).await?;
        println!(
            "yes to serving, without boot: {} ms",
            (serving.at - yes).as_millis()
        );
        assert!(serving.at - yes < OWN_SHARE, "{:?}", serving.at - yes);
        assert_eq!(channel.machines().running(), 1);
        sponsor.program.interrupt().await?;
        assert!(
            sponsor.program.ended(PATIENCE).await?.success(),
            "{}",
            sponsor.program.errors()
        );
        channel.machines().until_running(0, PATIENCE).await?;
        let cloud = channel.rig.cloud(false)?;
        assert!(channel.rig.alive(&cloud).await?.is_empty());
        cloud.close().await;
        Ok(())
    })
}

/// What an account has when all is over, whoever looks.
async fn is_empty(channel: &Channel) -> Result<bool> {
    let cloud = channel.rig.cloud(false)?;
    let alive = channel.rig.alive(&cloud).await?;
    cloud.close().await;
    Ok(alive.is_empty() && channel.machines().running() == 0)
}

/// The requests of a sponsor's client, from its start to its relay's serving.
async fn requests(channel: &Channel) -> Result<usize> {
    let before = channel.rig.proxy.seen().len();
    let mut sponsor = channel.sponsor("measure", "1", &[]).await?;
    sponsor.state("serving", PATIENCE).await?;
    let requests = channel.rig.proxy.seen().len() - before;
    sponsor.program.interrupt().await?;
    assert!(sponsor.program.ended(PATIENCE).await?.success());
    channel.machines().until_running(0, PATIENCE).await?;
    Ok(requests)
}

/// The child of the client that was killed, if it is still there, ends what it was launching by itself.
async fn children_gone(channel: &Channel) -> Result<()> {
    let gone = async {
        while !channel.rig.children_of(&channel.rig.home_data()).is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    Ok(timeout(PATIENCE, gone).await?)
}

#[test]
fn the_client_killed_at_any_request_leaves_one_machine_at_most_and_a_sweep_none() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-killed", process()?).await?;
        requests(&channel).await?;
        let steps = requests(&channel).await?;
        assert!(steps >= 6, "{steps}");
        for done in [false, true] {
            for step in 0..steps {
                channel.rig.proxy.stop_at(step, done);
                let mut sponsor = channel.sponsor("killed", "1", &[]).await?;
                timeout(PATIENCE, channel.rig.proxy.stopped()).await?;
                sponsor.program.kill().await?;
                channel.rig.proxy.go_on();
                children_gone(&channel).await?;
                assert!(channel.machines().running() <= 1, "killed at {step}, done {done}");
                let swept = channel
                    .rig
                    .banyan(&["relays", "sweep", "--region", REGION], "")
                    .await?;
                assert!(swept.status.success(), "killed at {step}, done {done}: {swept:?}");
                channel.machines().until_running(0, PATIENCE).await?;
                assert!(is_empty(&channel).await?, "killed at {step}, done {done}");
            }
        }
        Ok(())
    })
}

#[test]
fn a_sponsor_that_leaves_while_its_relay_starts_leaves_nothing() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-leave", process()?).await?;
        requests(&channel).await?;
        let steps = requests(&channel).await?;
        for step in 0..steps {
            // The request is on its way, and is answered while the sponsor leaves.
            channel.rig.proxy.hold_at(step);
            let mut sponsor = channel.sponsor("leaves", "1", &[]).await?;
            timeout(PATIENCE, channel.rig.proxy.stopped()).await?;
            sponsor.program.interrupt().await?;
            channel.rig.proxy.go_on();
            let ended = sponsor.program.ended(PATIENCE).await?;
            assert!(
                ended.success(),
                "left at {step}: {ended}; {}",
                sponsor.program.errors()
            );
            channel.machines().until_running(0, PATIENCE).await?;
            assert!(is_empty(&channel).await?, "left at {step}");
        }
        Ok(())
    })
}

#[test]
fn a_relay_that_dies_takes_its_machine_with_it_and_the_sponsor_is_told() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-died", process()?).await?;
        for state in ["booting", "serving"] {
            let mut sponsor = channel.sponsor("sponsor", "1", &[]).await?;
            sponsor.state(state, PATIENCE).await?;
            channel.machines().kill().await?;
            channel.machines().until_running(0, PATIENCE).await?;
            sponsor.program.interrupt().await?;
            let ended = sponsor.program.ended(PATIENCE).await?;
            assert!(
                ended.success(),
                "died while {state}: {ended}; {}",
                sponsor.program.errors()
            );
            assert!(is_empty(&channel).await?, "died while {state}");
        }
        Ok(())
    })
}

#[test]
fn a_lease_is_made_longer_by_the_command_and_by_the_client_itself() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-extend", process()?).await?;
        let mut sponsor = channel.sponsor("sponsor", "1", &[]).await?;
        let serving = sponsor.state("serving", PATIENCE).await?;
        let (lease, ends) = (serving.text("relay").to_owned(), number(&serving, "ends_at"));
        let bytes = number(&serving, "bytes_budget");
        let words = [
            "relays", "extend", &lease, "--hours", "0.5", "--budget", "0.50", "--json",
        ];
        let extended = channel.rig.banyan(&words, "").await?;
        assert!(extended.status.success(), "{extended:?}");
        let longer =
            |event: &Event| event.fields["ends_at"] == ends + 1800 && number(event, "bytes_budget") > bytes;
        sponsor.program.wait("sponsoring", PATIENCE, longer).await?;
        sponsor
            .program
            .say(&format!(r#"{{"extend":"{lease}","hours":0.5}}"#))
            .await?;
        let longest = |event: &Event| event.fields["ends_at"] == ends + 3600;
        sponsor.program.wait("sponsoring", PATIENCE, longest).await?;

        let cloud = channel.rig.cloud(false)?;
        let tagged = |relays: &[Listed]| relays[0].found.ends.map(|ends| ends.as_secs()) == Some(ends + 3600);
        let renewed = async {
            while !tagged(&channel.rig.alive(&cloud).await?) {
                tokio::task::yield_now().await;
            }
            Ok::<(), anyhow::Error>(())
        };
        timeout(PATIENCE, renewed).await??;
        cloud.close().await;

        let elsewhere = ["relays", "extend", &"07".repeat(16), "--hours", "1"];
        let unknown = channel.rig.banyan(&elsewhere, "").await?;
        assert_eq!(unknown.status.code(), Some(6), "{unknown:?}");
        let dear = ["relays", "extend", &lease, "--hours", "100", "--budget", "0.01"];
        let unpaid = channel.rig.banyan(&dear, "").await?;
        assert_eq!(unpaid.status.code(), Some(6), "{unpaid:?}");
        sponsor.program.interrupt().await?;
        assert!(sponsor.program.ended(PATIENCE).await?.success());
        let gone = channel.rig.banyan(&words, "").await?;
        assert_eq!(gone.status.code(), Some(6), "{gone:?}");
        assert!(is_empty(&channel).await?);
        Ok(())
    })
}

/// An account that cannot be used: what becomes of a sponsor's client there.
struct Refusal<'a> {
    limits: &'a [&'a str],
    settings: &'a [(&'a str, &'a str)],
    faults: Vec<Fault>,
    /// The exit code, and what standard error says last.
    ends: (i32, &'a str),
}

async fn check(channel: &Channel, refusal: Refusal<'_>) -> Result<()> {
    channel.rig.proxy.script("DescribeSubnets", refusal.faults);
    let mut sponsor = channel
        .sponsor_with("refused", refusal.limits, refusal.settings)
        .await?;
    let ended = sponsor.program.ended(Duration::from_secs(120)).await?;
    channel.rig.proxy.script("DescribeSubnets", []);
    let said = sponsor.program.errors();
    let last = said.lines().last().unwrap_or_default();
    assert_eq!(ended.code(), Some(refusal.ends.0), "{last}");
    assert!(last.contains(refusal.ends.1), "{last}");
    assert!(is_empty(channel).await?, "{last}");
    Ok(())
}

#[test]
fn what_cannot_be_sponsored_ends_with_a_sentence_and_nothing_runs() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-refused", process()?).await?;
        let keys = [
            ("AWS_ACCESS_KEY_ID", KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ];
        let limits = |budget: &'static str, region: &'static str| {
            ["--hours", "1", "--budget", budget, "--region", region]
        };
        let usual = limits("1", REGION);
        let with = |faults, ends| Refusal {
            limits: &usual,
            settings: &keys,
            faults,
            ends,
        };
        let without = Refusal {
            settings: &[],
            ..with(vec![], (6, "aws login"))
        };
        check(&channel, without).await?;
        for (limits, ends) in [
            (limits("1", "Mars!"), (2, "--region")),
            (limits("1", "mars-north-1"), (6, "not known")),
            (limits("0.001", REGION), (6, "--budget")),
        ] {
            let limited = Refusal {
                limits: &limits,
                ..with(vec![], ends)
            };
            check(&channel, limited).await?;
        }
        check(&channel, with(vec![Fault::Skewed("AuthFailure")], (6, "clock"))).await?;
        check(&channel, with(vec![Fault::Hang; 20], (6, "does not answer"))).await
    })
}

#[test]
fn two_who_say_yes_at_once_have_a_relay_each() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-two", process()?).await?;
        let mut one = channel.sponsor("one", "1", &[]).await?;
        let mut two = channel.sponsor("two", "1", &[]).await?;
        let (first, second) = (
            one.state("serving", PATIENCE).await?,
            two.state("serving", PATIENCE).await?,
        );
        assert_ne!(first.text("relay"), second.text("relay"));
        assert_eq!(channel.machines().running(), 2);
        for sponsor in [&mut one, &mut two] {
            sponsor.program.interrupt().await?;
            assert!(
                sponsor.program.ended(PATIENCE).await?.success(),
                "{}",
                sponsor.program.errors()
            );
        }
        assert!(is_empty(&channel).await?);
        Ok(())
    })
}

#[test]
fn a_machine_that_goes_while_it_boots_is_no_success() -> Result<()> {
    in_own_network(async {
        let relay = "/bin/false".into();
        let channel = Channel::open("sponsors-gone", Body::Process { relay }).await?;
        let mut sponsor = channel.sponsor("sponsor", "1", &[]).await?;
        let ended = sponsor.program.ended(PATIENCE).await?;
        let said = sponsor.program.errors();
        assert_eq!(ended.code(), Some(6), "{said}");
        assert!(said.contains("while it booted"), "{said}");
        assert!(is_empty(&channel).await?);
        Ok(())
    })
}

/// How long children are held: a short form of ten minutes.
const HELD: Duration = Duration::from_secs(60);

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
async fn stripe_seconds(riders: &mut [Watch], relay: &str) -> Result<u64> {
    let mut sum = 0;
    for rider in &mut *riders {
        stripes_from(rider, relay).await?;
        rider.program.catch_up().await?;
    }
    for _ in 0..HELD.as_secs() {
        for rider in &mut *riders {
            sum += stripes_from(rider, relay).await?;
        }
    }
    Ok(sum)
}

#[test]
fn a_relay_sends_what_its_children_were_reckoned_at() -> Result<()> {
    in_own_network(async {
        let mut channel = Channel::open("sponsors-estimate", process()?).await?;
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
        let held = stripe_seconds(&mut riders, relay).await?;
        sponsor.program.catch_up().await?;
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
        let channel = Channel::open("sponsors-bytes", process()?).await?;
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
        assert!(
            sponsor.program.ended(PATIENCE).await?.success(),
            "{}",
            sponsor.program.errors()
        );
        assert!(is_empty(&channel).await?);
        Ok(())
    })
}

/// When a sponsor of a relay on this machine goes: before it has joined, while it launches, enrols, and serves.
const MOMENTS_MS: [u64; 8] = [0, 60, 120, 200, 300, 500, 900, 1_800];

/// What `banyan relays` says of relays on this machine.
async fn listed_here(channel: &Channel) -> Result<usize> {
    let words = ["relays", "list", "--provider", "local", "--json"];
    let listed = channel.rig.banyan(&words, "").await?;
    assert!(listed.status.success(), "{listed:?}");
    Ok(String::from_utf8_lossy(&listed.stdout).lines().count())
}

#[test]
fn a_relay_on_this_machine_goes_with_a_sponsor_that_leaves_at_any_moment() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-here", process()?).await?;
        for moment in MOMENTS_MS {
            let mut sponsor = channel.sponsor_here("leaves").await?;
            tokio::time::sleep(Duration::from_millis(moment)).await;
            sponsor.program.interrupt().await?;
            // Before it hears signals, one ends it as it is.
            sponsor.program.ended(PATIENCE).await?;
            children_gone(&channel).await?;
            assert_eq!(
                net::processes("banyan-relay"),
                [0u32; 0],
                "left after {moment} ms"
            );
            assert_eq!(listed_here(&channel).await?, 0, "left after {moment} ms");
        }
        Ok(())
    })
}

#[test]
fn a_relay_on_this_machine_whose_sponsor_is_killed_is_one_at_most_and_swept() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-killed-here", process()?).await?;
        for moment in MOMENTS_MS {
            let mut sponsor = channel.sponsor_here("killed").await?;
            tokio::time::sleep(Duration::from_millis(moment)).await;
            sponsor.program.kill().await?;
            children_gone(&channel).await?;
            let running = listed_here(&channel).await?;
            assert!(running <= 1, "killed after {moment} ms: {running} relays");
            let swept = channel.rig.banyan(&["relays", "sweep", "--all"], "y\n").await?;
            assert!(swept.status.success(), "killed after {moment} ms: {swept:?}");
            assert_eq!(
                net::processes("banyan-relay"),
                [0u32; 0],
                "killed after {moment} ms"
            );
        }
        Ok(())
    })
}

#[test]
fn a_relay_on_this_machine_is_extended_too() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-extend-here", process()?).await?;
        let mut sponsor = channel.sponsor_here("sponsor").await?;
        let serving = sponsor.state("serving", PATIENCE).await?;
        let (lease, ends) = (serving.text("relay").to_owned(), number(&serving, "ends_at"));
        let extended = channel
            .rig
            .banyan(&["relays", "extend", &lease, "--hours", "1"], "")
            .await?;
        assert!(extended.status.success(), "{extended:?}");
        let is_longer = |event: &Event| event.fields["ends_at"] == ends + 3600;
        sponsor.program.wait("sponsoring", PATIENCE, is_longer).await?;
        sponsor.program.interrupt().await?;
        assert!(sponsor.program.ended(PATIENCE).await?.success());
        assert_eq!(net::processes("banyan-relay"), [0u32; 0]);
        let over = channel
            .rig
            .banyan(&["relays", "extend", &lease, "--hours", "1"], "")
            .await?;
        assert_eq!(over.status.code(), Some(6), "{over:?}");
        Ok(())
    })
}
