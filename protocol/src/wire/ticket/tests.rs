use super::*;
use crate::id::{Ed25519, SecretKey};
use crate::media::TierId;
use crate::wire::codec::CodecError;

fn key(n: u8) -> SecretKey {
    SecretKey::from_bytes(&[n; 32])
}

/// A full ticket of the size that is usual: five stripes, two parents, two spares.
fn ticket() -> Ticket {
    let grant = |index: u8| Grant {
        stripe: StripeId {
            tier: TierId(1),
            index,
        },
        rank: Rank((250 + u64::from(index)) << 50),
        parent: key(1 + index % 2).id().tag(),
        spare: Some(key(2 + index % 2).id().tag()),
        replaces: None,
    };
    Ticket {
        epoch: 1_800_000_000,
        serial: 4_000,
        child: key(9).id(),
        class: Class::Leaf,
        expires: ChannelTime::from_micros(1_800_000_600_000_000),
        grants: (0..5).map(grant).collect(),
    }
}

#[test]
fn a_ticket_comes_back_and_is_small() {
    let sealed = ticket().seal(&key(7));
    let opened = Ticket::open(&sealed, &key(9).id(), &key(7).public(), &Ed25519);
    assert_eq!(opened, Ok(ticket()));
    // The signature, three tags, eight bytes a stripe at most, and a head.
    assert!(sealed.len() <= 64 + 3 * 4 + 5 * 8 + 15, "{} bytes", sealed.len());
}

#[test]
fn it_is_for_its_child_and_of_its_channel_only() {
    let sealed = ticket().seal(&key(7));
    for (child, channel) in [(8, 7), (9, 8)] {
        let opened = Ticket::open(&sealed, &key(child).id(), &key(channel).public(), &Ed25519);
        assert_eq!(opened, Err(SignedError::Forged));
    }
}

#[test]
fn a_grant_of_a_peer_that_is_not_listed_is_none() {
    let mut form = form::Form::of(&ticket());
    form.forget_peers();
    let sealed = signed::seal_for(&key(7), Context::Ticket, &key(9).id().0, &form);
    let opened = Ticket::open(&sealed, &key(9).id(), &key(7).public(), &Ed25519);
    assert_eq!(opened, Err(SignedError::Codec(CodecError::Malformed)));
}

#[test]
fn ranks_that_are_far_apart_are_short() {
    for (rank, bytes) in [(0, 1), (1 << 62, 1), (255 << 50, 3), ((255 << 50) + (3 << 40), 5)] {
        let coded = crate::wire::codec::encode(&Rank(rank));
        assert_eq!(coded.len(), bytes, "{rank:x}");
        assert_eq!(crate::wire::codec::decode(&coded), Ok(Rank(rank)));
    }
}
