//! Children that do what they must not.

use super::*;
use crate::limits::LINK_BACKLOG_MAX;
use crate::rng::Rng;

#[test]
fn a_forged_ticket_closes_the_link() {
    let mut rig = Rig::new(None);
    rig.link(1);
    let stripes = vec![(stripe(0), 0)];
    let forged = Some(ticket(1, &[0]).seal(&Seal(PublicKey([9; 32]))));
    assert_eq!(
        rig.ask(
            1,
            Attach {
                ticket: forged,
                stripes
            }
        ),
        Err(CloseCode::Forged)
    );
    assert_eq!(rig.said(1), [Said::Closed(CloseCode::Forged)]);
    rig.pull(1, 0, [1]).unwrap();
    assert_eq!(rig.said(1), [], "what was under way then is passed over");
}

#[test]
fn bytes_that_are_no_ticket_close_the_link() {
    let mut rig = Rig::new(None);
    let signed_nonsense =
        crate::wire::signed::seal_for(&Seal(CHANNEL), Context::Ticket, &child_id(1).0, &3u8);
    for nonsense in [Bytes::from_static(b"short"), signed_nonsense] {
        rig.link(1);
        let ticket = Some(nonsense);
        let stripes = vec![];
        assert_eq!(rig.ask(1, Attach { ticket, stripes }), Err(CloseCode::Malformed));
    }
}

#[test]
fn a_ticket_is_worthless_under_another_key() {
    let mut rig = Rig::new(None);
    rig.link(2);
    let stolen = Some(ticket(1, &[0]).seal(&Seal(CHANNEL)));
    let stripes = vec![(stripe(0), 0)];
    assert_eq!(
        rig.ask(
            2,
            Attach {
                ticket: stolen,
                stripes
            }
        ),
        Err(CloseCode::Forged)
    );
    assert_eq!(rig.engine.child_count(), 0);
}

#[test]
fn a_stripe_that_cannot_be_closes_the_link() {
    let mut rig = Rig::new(None);
    let [far, high] = [(200, 0), (0, 200)].map(|(tier, index)| {
        let tier = TierId(tier);
        StripeId { tier, index }
    });
    for stripe in [far, high] {
        rig.link(1);
        let stripes = vec![(stripe, 0)];
        assert_eq!(
            rig.ask(
                1,
                Attach {
                    ticket: None,
                    stripes
                }
            ),
            Err(CloseCode::Malformed)
        );
        rig.link(1);
        let detach = rig.with(|engine, now, out| engine.detach(now, link_of(1), stripe, 0, out));
        assert_eq!(detach, Err(CloseCode::Malformed));
    }
}

#[test]
fn a_storm_of_requests_closes_the_link() {
    let mut rig = Rig::new(None);
    rig.attach(&ticket(1, &[0]), &[(0, 0)]).unwrap();
    let storm = (1..).find(|_| rig.pull(1, 0, []).is_err());
    assert_eq!(
        storm,
        Some(2500),
        "five seconds' worth, the attach among them, and two thousand that are passed over"
    );
    assert_eq!(rig.used(), 0, "with all that it had");
}

#[test]
fn pulled_chunks_are_rationed() {
    let mut rig = Rig::new(None);
    rig.blocks(0, 0..100);
    rig.attach(&ticket(1, &[0]), &[]).unwrap();
    let mut got = 0;
    for tick in 0..100 {
        rig.until(tick * 100);
        rig.pull(1, 0, 0..100).unwrap();
        for _ in 0..40 {
            rig.drain(1, LINK_BACKLOG_MAX);
            got += rig.got(1, 0).len();
        }
    }
    assert!(got <= 300 + 100 * 10, "{got} chunks in 10 s");
    assert!(got >= 1000, "{got} chunks in 10 s");
}

#[test]
fn held_requests_are_bounded_and_go_with_their_link() {
    let mut rig = Rig::bare(None);
    rig.engine.epoch(rig.now, EPOCH);
    rig.layout(EPOCH, 1);
    rig.attach(&ticket(1, &[0]), &vec![(0, 0); 60]).unwrap();
    rig.attach(&ticket(1, &[0]), &vec![(0, 9); 60]).unwrap();
    assert_eq!(rig.engine.held.len(), 1);
    rig.with(|engine, now, _| engine.unlinked(now, link_of(1)));
    assert_eq!(rig.engine.held.len(), 0);
    rig.with(|engine, _, out| engine.set_rank(stripe(0), Some(Rank(1)), out));
    assert_eq!(rig.engine.wake_at(), None);
}

#[test]
fn whatever_children_do_in_whatever_order_the_invariants_hold() {
    for seed in 0..20 {
        let mut rng = Rng::new(seed);
        let mut rig = Rig::new(Some(slot() * 7));
        let mut epoch = EPOCH;
        for step in 0..600 {
            let ms = rig.now.as_micros() / 1000 + rng.below(60);
            rig.until(ms);
            act(&mut rig, &mut rng, &mut epoch, step);
            assert!(rig.engine.budget_used() <= slot() * 7);
            for said in core::mem::take(&mut rig.said).into_iter() {
                let bytes = said
                    .1
                    .iter()
                    .filter(|said| matches!(said, Said::Chunk(..)))
                    .count() as u64
                    * 10_112;
                let drained = rng.below(bytes + 1);
                rig.drain_link(said.0, drained);
            }
        }
    }
}

/// Something that a child, the coordinator or the parent might do.
fn act(rig: &mut Rig, rng: &mut Rng, epoch: &mut u64, step: u64) {
    let n = 1 + rng.below(5) as u8;
    let index = rng.below(6) as u8;
    match rng.below(20) {
        0..=8 => {
            let block = step / 6;
            rig.chunk(&chunk_with(stripe(index), block, |header| {
                header.epoch = *epoch;
                header.flags = flags(rng);
            }));
        }
        9..=12 => {
            let mut ticket = ticket(n, &[0, 1, 2, 3, 4, 5]);
            ticket.class = [Class::Interior, Class::Leaf, Class::FreeRider][rng.below(3) as usize];
            ticket.serial = rng.below(4) as u32;
            ticket.epoch = *epoch;
            ticket.grants[usize::from(index)].rank = Rank(9 + rng.below(60));
            let replaced = child_id(1 + rng.below(5) as u8).tag();
            ticket.grants[usize::from(index)].replaces = Some((stripe(rng.below(6) as u8), replaced));
            rig.attach(&ticket, &[(index, rng.below(100))]).unwrap();
        }
        13 => _ = rig.with(|engine, now, out| engine.detach(now, link_of(n), stripe(index), 0, out)),
        14 => rig.pull(n, index, 0..rng.below(100)).unwrap(),
        15 => rig.with(|engine, now, _| engine.unlinked(now, link_of(n))),
        16 => {
            let rank = (rng.below(3) > 0).then(|| Rank(rng.below(40)));
            rig.with(|engine, _, out| engine.set_rank(stripe(index), rank, out));
        }
        17 => {
            let uplink = slot() * (4 + rng.below(4));
            rig.with(|engine, now, _| engine.set_uplink(now, Some(uplink)));
        }
        18 if step.is_multiple_of(97) => {
            *epoch += 1;
            let new = *epoch;
            rig.with(|engine, now, _| engine.epoch(now, new));
            rig.layout(new, 1);
        }
        _ => _ = rig.engine.in_time(),
    }
}

fn flags(rng: &mut Rng) -> Flags {
    if rng.below(10) == 0 {
        Flags::KEYFRAME
    } else {
        Flags::default()
    }
}
