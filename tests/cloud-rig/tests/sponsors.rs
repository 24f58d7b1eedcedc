//! Whole clients that sponsor relays on EC2, whose machines are the relay's process: all but booting is as it is.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use anyhow::{Context, Result};
use banyan_cloud::child::message::Listed;
use cloud_rig::Fault;
use cloud_rig::channel::{Channel, PATIENCE, Watch, in_own_network, number};
use cloud_rig::machine::Body;
use cloud_rig::program::Event;
use cloud_rig::rig::{KEY_ID, REGION, SECRET_KEY};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Promised from the yes to the first stripe, for all but booting.
const OWN_SHARE: Duration = Duration::from_secs(5);

#[test]
fn a_relay_in_the_cloud_serves_within_seconds_of_booting_and_goes_with_its_sponsor() -> Result<()> {
    in_own_network(async {
        let mut channel = Channel::open("sponsors-story", Body::process()?).await?;
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
        sponsor.leaves().await?;
        channel.machines().until_running(0, PATIENCE).await?;
        assert!(channel.is_empty().await?);
        Ok(())
    })
}

/// The requests of a sponsor's client, from its start to its relay's serving.
async fn requests(channel: &Channel) -> Result<usize> {
    let before = channel.rig.proxy.seen().len();
    let mut sponsor = channel.sponsor("measure", "1", &[]).await?;
    sponsor.state("serving", PATIENCE).await?;
    let requests = channel.rig.proxy.seen().len() - before;
    sponsor.leaves().await?;
    channel.machines().until_running(0, PATIENCE).await?;
    Ok(requests)
}

#[test]
fn the_client_killed_at_any_request_leaves_one_machine_at_most_and_a_sweep_none() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-killed", Body::process()?).await?;
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
                channel.children_gone().await?;
                assert!(channel.machines().running() <= 1, "killed at {step}, done {done}");
                let swept = channel
                    .rig
                    .banyan(&["relays", "sweep", "--region", REGION], "")
                    .await?;
                assert!(swept.status.success(), "killed at {step}, done {done}: {swept:?}");
                channel.machines().until_running(0, PATIENCE).await?;
                assert!(channel.is_empty().await?, "killed at {step}, done {done}");
            }
        }
        Ok(())
    })
}

#[test]
fn a_sponsor_that_leaves_while_its_relay_starts_leaves_nothing() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-leave", Body::process()?).await?;
        requests(&channel).await?;
        let steps = requests(&channel).await?;
        for step in 0..steps {
            // The request is on its way, and is answered while the sponsor leaves.
            channel.rig.proxy.hold_at(step);
            let mut sponsor = channel.sponsor("leaves", "1", &[]).await?;
            timeout(PATIENCE, channel.rig.proxy.stopped()).await?;
            sponsor.program.interrupt().await?;
            channel.rig.proxy.go_on();
            sponsor
                .ends_well()
                .await
                .with_context(|| format!("left at {step}"))?;
            channel.machines().until_running(0, PATIENCE).await?;
            assert!(channel.is_empty().await?, "left at {step}");
        }
        Ok(())
    })
}

#[test]
fn a_relay_that_dies_takes_its_machine_with_it_and_the_sponsor_is_told() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-died", Body::process()?).await?;
        for state in ["booting", "serving"] {
            let mut sponsor = channel.sponsor("sponsor", "1", &[]).await?;
            sponsor.state(state, PATIENCE).await?;
            channel.machines().kill().await?;
            channel.machines().until_running(0, PATIENCE).await?;
            sponsor
                .leaves()
                .await
                .with_context(|| format!("died while {state}"))?;
            assert!(channel.is_empty().await?, "died while {state}");
        }
        Ok(())
    })
}

#[test]
fn a_lease_is_made_longer_by_the_command_and_by_the_client_itself() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-extend", Body::process()?).await?;
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
        sponsor.leaves().await?;
        let gone = channel.rig.banyan(&words, "").await?;
        assert_eq!(gone.status.code(), Some(6), "{gone:?}");
        assert!(channel.is_empty().await?);
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
    assert!(channel.is_empty().await?, "{last}");
    Ok(())
}

#[test]
fn what_cannot_be_sponsored_ends_with_a_sentence_and_nothing_runs() -> Result<()> {
    in_own_network(async {
        let channel = Channel::open("sponsors-refused", Body::process()?).await?;
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
        let channel = Channel::open("sponsors-two", Body::process()?).await?;
        let mut one = channel.sponsor("one", "1", &[]).await?;
        let mut two = channel.sponsor("two", "1", &[]).await?;
        let (first, second) = (
            one.state("serving", PATIENCE).await?,
            two.state("serving", PATIENCE).await?,
        );
        assert_ne!(first.text("relay"), second.text("relay"));
        assert_eq!(channel.machines().running(), 2);
        for sponsor in [&mut one, &mut two] {
            sponsor.leaves().await?;
        }
        assert!(channel.is_empty().await?);
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
        assert!(channel.is_empty().await?);
        Ok(())
    })
}
