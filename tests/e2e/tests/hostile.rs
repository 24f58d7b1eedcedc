//! Peers that mean ill: a channel goes on as if they were not there.

mod support;

use anyhow::{Context, Result, ensure};
use banyan_protocol::io::{Lane, LinkEnd, LinkId, Output};
use banyan_protocol::limits::{CONTROL_FRAME_MAX, DATA_FRAME_MAX, VERSION};
use banyan_protocol::media::{StripeId, TierId};
use banyan_protocol::rng::Rng;
use banyan_protocol::wire::close::CloseCode;
use banyan_protocol::wire::control::{Assign, Attach, Message};
use banyan_protocol::wire::framing;
use banyan_protocol::wire::link::ChannelLink;
use bytes::Bytes;
use rig::Wire;
use rig::scene::{PLAYS, Scene, is_long};
use rig::verdict::Verdict;
use std::time::Duration;
use support::attack::{Attack, Shot, broadcaster, hello, turned_away};
use tokio::runtime::Runtime;

fn garbage(seed: u64, length: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..length).map(|_| rng.next() as u8).collect()
}

/// A prefix that promises more than the lane allows, and the beginning of it.
fn oversized(max: usize) -> Bytes {
    let mut frame = framing::frame(&garbage(1, 64)).to_vec();
    let promised = (max as u32 + 1).to_le_bytes();
    frame[..framing::PREFIX].copy_from_slice(&promised[..framing::PREFIX]);
    frame.into()
}

#[test]
fn strangers_who_send_rubbish_are_shown_out() -> Result<()> {
    let scene = Scene::open("hostile", Wire::Bridge, 15, &[])?;
    let mut verdict = Verdict::of("hostile");
    let honest = scene.viewer("honest", 5)?;
    honest.full(PLAYS)?;
    let (runtime, host) = (Runtime::new()?, scene.net.host("stranger")?);
    let data = Lane::Data(TierId(1));
    let forged = Attach {
        ticket: Some(garbage(2, 300).into()),
        stripes: vec![(
            StripeId {
                tier: TierId(1),
                index: 0,
            },
            0,
        )],
    };
    let attacks: [(&str, Vec<Shot>); 6] = [
        ("garbage", vec![(Lane::Control, framing::frame(&garbage(3, 300)))]),
        (
            "an oversized frame",
            vec![(Lane::Control, oversized(CONTROL_FRAME_MAX))],
        ),
        ("a data lane", vec![(data, framing::frame(&garbage(4, 1000)))]),
        ("an oversized chunk", vec![(data, oversized(DATA_FRAME_MAX))]),
        (
            "a forged ticket",
            vec![(Lane::Control, Message::Attach(forged).frame())],
        ),
        (
            "another version",
            vec![(Lane::Control, hello(VERSION + 1, Vec::new()).frame())],
        ),
    ];
    for (name, shots) in attacks {
        let attack = Attack::start(&runtime, &host, broadcaster(&scene.broadcast.link)?, shots)?;
        let end = verdict.check(attack.end().context(name));
        let shown_out = |end: LinkEnd| matches!(end, LinkEnd::Closed(code) if code != CloseCode::Done);
        verdict.expect(end.is_none_or(shown_out), || {
            format!("{name}: the link ended with {end:?}")
        });
    }
    verdict.check(honest.full_again(Duration::from_secs(5)));
    verdict.check(honest.check_unharmed());
    drop(honest);
    scene.close(verdict)
}

/// A member asks its parent, a viewer, with a ticket that was changed, and with rubbish.
#[test]
fn a_member_with_a_forged_ticket_gets_nothing() -> Result<()> {
    let scene = Scene::open("hostile-member", Wire::Bridge, 7, &[])?;
    let mut verdict = Verdict::of("hostile-member");
    let honest = scene.viewer("honest", 20)?;
    honest.full(PLAYS)?;
    let (runtime, host) = (Runtime::new()?, scene.net.host("member")?);
    let joins = vec![(
        Lane::Control,
        hello(VERSION, vec![(host.address(), 4000).into()]).frame(),
    )];
    let member = Attack::start(&runtime, &host, broadcaster(&scene.broadcast.link)?, joins)?;
    let channel = scene.broadcast.link.parse::<ChannelLink>()?.channel.peer();
    let has_viewer = |assign: &Assign| {
        assign
            .peers
            .iter()
            .any(|other| other.peer != channel && !other.addresses.is_empty())
    };
    let assign = member.hear(|message| match message {
        Message::Assign(assign) if has_viewer(&assign) => Some(assign),
        _ => None,
    })?;
    let parent = assign
        .peers
        .iter()
        .find(|other| other.peer != channel)
        .context("checked above")?;
    let victim = Output::Dial {
        link: LinkId(2),
        peer: parent.peer,
        addresses: parent.addresses.clone(),
    };
    let mut ticket = assign.ticket.to_vec();
    let middle = ticket.len() / 2;
    ticket[middle] ^= 1;
    let stripe = StripeId {
        tier: TierId(1),
        index: 0,
    };
    let forged = Attach {
        ticket: Some(ticket.into()),
        stripes: vec![(stripe, assign.from_block)],
    };
    let replayed = Attach {
        ticket: Some(assign.ticket.clone()),
        stripes: vec![(stripe, assign.from_block)],
    };
    let attacks: [(&str, Vec<Shot>); 3] = [
        (
            "a changed ticket",
            vec![(Lane::Control, Message::Attach(forged).frame())],
        ),
        // The attack has another key than the member whose ticket it is.
        (
            "another's ticket",
            vec![(Lane::Control, Message::Attach(replayed).frame())],
        ),
        (
            "rubbish",
            vec![(Lane::Data(TierId(1)), framing::frame(&garbage(5, 2000)))],
        ),
    ];
    for (name, shots) in attacks {
        let attack = Attack::start(&runtime, &host, victim.clone(), shots)?;
        verdict.check(turned_away(&attack).context(name));
    }
    verdict.check(honest.full_again(Duration::from_secs(5)));
    verdict.check(honest.check_unharmed());
    drop((member, honest));
    scene.close(verdict)
}

/// Hundreds of keys from one house: they fill their own share of places only, and a newcomer from elsewhere gets in.
#[test]
fn a_crowd_of_links_from_one_place_keeps_nobody_out() -> Result<()> {
    let scene = Scene::open("hostile-crowd", Wire::Bridge, 15, &[])?;
    let mut verdict = Verdict::of("hostile-crowd");
    let honest = scene.viewer("honest", 5)?;
    honest.full(PLAYS)?;
    let (runtime, host) = (Runtime::new()?, scene.net.host("crowd")?);
    let count = if is_long() { 2_000 } else { 300 };
    let victim = broadcaster(&scene.broadcast.link)?;
    let crowd: Result<Vec<Attack>> = (0..count)
        .map(|_| Attack::start(&runtime, &host, victim.clone(), Vec::new()))
        .collect();
    let crowd = crowd?;
    let newcomer = scene.viewer("newcomer", 5)?;
    verdict.check(newcomer.watch.playing(PLAYS));
    verdict.check(newcomer.full(PLAYS));
    verdict.check(honest.check_unharmed());
    ensure!(crowd.len() == count, "the crowd is there");
    drop((crowd, honest, newcomer));
    scene.close(verdict)
}
