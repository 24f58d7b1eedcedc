//! A relay that is sponsored by a click, commanded and left, on this computer and at EC2.

use crate::desk::{Desk, Program, Spot, wait};
use crate::{BARS, SOON, WARN};
use banyan_cloud::provider::Kind;
use banyan_tv::model::{Account, Leaving, Model, Page, samples};
use cloud_rig::Fault;
use cloud_rig::channel::{Channel, PATIENCE, Watch, in_own_network};
use cloud_rig::machine::Body;
use cloud_rig::rig::{KEY_ID, SECRET_KEY};
use std::time::{Duration, Instant};

/// More than anybody tries to end a relay within a test.
const REFUSALS: usize = 100;

/// Somebody who watches a channel that has no room, and a viewer who gives nothing; the question is there.
fn asked(name: &str) -> (Desk, Program) {
    let desk = Desk::new(name);
    let link = desk.broadcast(&["test:", "--uplink", "3M", "--title", "Garden concert"]);
    let first = desk.viewer(&link, &["--uplink", "0"]);
    desk.app(&[&link]);
    desk.see_primary("Sponsor");
    (desk, first)
}

fn sponsor(desk: &Desk) {
    desk.click_primary("Sponsor");
    desk.told("relay-joined", Duration::from_secs(30));
    // The line below the picture comes with the relay.
    desk.see("the line of the relay", SOON, |picture| picture.has_relay());
}

/// Opens the page with the relay's meter; gives what it shows.
fn meter(desk: &Desk) -> Model {
    desk.dismiss_no_sound();
    let mut model = samples::sponsor_watching();
    let relays = model
        .watching
        .iter_mut()
        .flat_map(|watching| &mut watching.snapshot.relays);
    relays.for_each(|relay| (relay.provider, relay.region) = (Kind::Local, None));
    desk.click(Spot::of(&mut model, "Relays"));
    model.page = Page::Relays;
    model
}

#[test]
fn it_sponsors_a_relay_by_a_click() {
    let (desk, _first) = asked("sponsors");
    desk.keep("question");
    sponsor(&desk);
    // Quitting asks first.
    desk.press("ctrl+q");
    desk.click_primary("Stop it now");
    desk.told("relay-left", SOON);
}

#[test]
fn an_own_relay_is_extended_and_stopped_by_clicks() {
    let (desk, _first) = asked("meter");
    sponsor(&desk);
    let [relay] = &desk.relays()[..] else {
        panic!("{:?}", desk.relays());
    };
    let mut model = meter(&desk);
    desk.click_new(&mut model, "Run 1 h longer");
    let ends = relay["ends_at"].as_u64().unwrap();
    wait("an hour more", SOON, || {
        let now = desk.relays();
        (now[0]["ends_at"].as_u64() == Some(ends + 3600)).then_some(())
    });
    desk.click(Spot::of(&mut model, "Stop it now"));
    desk.told("relay-left", SOON);
    wait("the end of it", SOON, || desk.relays().is_empty().then_some(()));
}

#[test]
fn a_relay_runs_on_without_the_window_if_that_is_wished() {
    let (desk, _first) = asked("runs-on");
    sponsor(&desk);
    let mut model = samples::leaving(Leaving::Program);
    desk.press("ctrl+q");
    desk.see_primary("Stop it now");
    desk.click(Spot::of(&mut model, "Let it run to the end"));
    desk.app_ends(SOON);
    let [relay] = &desk.relays()[..] else {
        panic!("{:?}", desk.relays());
    };
    assert_eq!(relay["verdict"], "keep");
    desk.end_relay(relay["relay"].as_str().unwrap());
    desk.told("relay-left", SOON);
}

/// The account is checked, and a relay in it is sponsored, extended and stopped.
#[test]
fn a_relay_at_ec2_is_commanded_by_clicks() -> anyhow::Result<()> {
    // Screens are numbered in the network that all share.
    let desk = Desk::new("ec2");
    in_own_network(async {
        let mut channel = Channel::open("window", Body::process()?).await?;
        at_ec2(&desk, &channel)?;
        desk.dismiss_no_sound();
        let mut model = samples::setting_up(Account::Unknown);
        desk.click(Spot::of(&mut model, "Relays"));
        let refused = [Fault::Error("UnauthorizedOperation")];
        channel.rig.proxy.script("CreateSecurityGroup", refused);
        desk.click(Spot::of(&mut model, "Check my account"));
        // A sentence of it.
        desk.see("that a permission is missing", SOON, |picture| {
            picture.has_colour(WARN, 60)
        });
        let asked = channel.rig.proxy.seen_of("CreateSecurityGroup");
        assert!(!asked.is_empty() && asked.iter().all(|seen| seen.field("DryRun") == Some("true")));

        let _rider = sponsor_at_ec2(&desk, &mut channel).await?;
        let mut model = samples::sponsor_watching();
        model.page = Page::Relays;
        desk.click_new(&mut model, "Run 1 h longer");
        let cloud = channel.rig.cloud(false)?;
        let ends = async || -> anyhow::Result<_> {
            Ok(channel.rig.alive(&cloud).await?[0]
                .found
                .ends
                .map(|ends| ends.as_secs()))
        };
        let ordered = ends().await?;
        let begun = Instant::now();
        while ends().await?.unwrap() < banyan_cloud::clock::now().as_secs() + 3600 + 1800 {
            assert!(begun.elapsed() < SOON, "it still ends at {ordered:?}");
        }
        cloud.close().await;
        desk.click(Spot::of(&mut model, "Stop it now"));
        channel
            .broadcast
            .wait("relay-left", PATIENCE, |_| true)
            .await
            .unwrap();
        channel.machines().until_running(0, PATIENCE).await.unwrap();
        Ok(())
    })
}

/// The window stays until the person has read what may still cost money.
#[test]
fn a_relay_that_cannot_be_ended_is_told_of_before_the_window_closes() -> anyhow::Result<()> {
    let desk = Desk::new("not-ended");
    in_own_network(async {
        let mut channel = Channel::open("not-ended", Body::process()?).await?;
        at_ec2(&desk, &channel)?;
        let _rider = sponsor_at_ec2(&desk, &mut channel).await?;
        let refused = std::iter::repeat_n(Fault::Error("UnauthorizedOperation"), REFUSALS);
        channel.rig.proxy.script("TerminateInstances", refused);
        // A relay that hears that it is to stop powers its machine off by itself.
        channel.machines().freeze().await?;
        desk.press("ctrl+q");
        desk.click_primary("Stop it now");
        desk.click_primary("Close");
        desk.app_ends(SOON);
        let asked = channel.rig.proxy.seen_of("TerminateInstances");
        assert!(!asked.is_empty(), "it was tried");
        Ok(())
    })
}

/// Somebody comes for whom there is no room, and a click has a relay started in the account.
async fn sponsor_at_ec2(desk: &Desk, channel: &mut Channel) -> anyhow::Result<Watch> {
    let rider = Watch::start(channel, "rider").await?;
    desk.click_primary("Sponsor");
    let joined = channel.broadcast.wait("relay-joined", PATIENCE, |_| true).await;
    joined.map(|_| rider)
}

/// Opens the window, which shows the channel, for somebody whose relays run in the channel's account.
fn at_ec2(desk: &Desk, channel: &Channel) -> anyhow::Result<()> {
    desk.configure("tv.json", r#"{"provider":"ec2","region":"eu-central-1"}"#);
    let config = std::fs::read_to_string(channel.rig.data.join("config.toml"))?;
    desk.configure("config.toml", &config);
    let endpoint = format!("http://{}", channel.rig.proxy.address);
    let environment = [
        ("AWS_ENDPOINT_URL_EC2", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    desk.app_with(&[&channel.link], &environment);
    desk.see("the test pattern", SOON, |picture| picture.has_bars(&BARS));
    Ok(())
}
