use super::*;
use crate::id::{Ed25519, SecretKey};
use crate::units::Bitrate;
use crate::wire::lease::LeaseId;
use bytes::Bytes;

const RELAY: PeerId = PeerId([9; 16]);
const CHANNEL: PublicKey = PublicKey([8; 32]);
const NOW: Utc = Utc::from_secs(500);

fn key(n: u8) -> SecretKey {
    SecretKey::from_bytes(&[n; 32])
}

fn sponsor() -> SecretKey {
    key(1)
}

fn delegate() -> SecretKey {
    key(2)
}

fn lease() -> Lease {
    Lease {
        id: LeaseId([3; 16]),
        ends: Utc::from_secs(1_000),
        bytes: 5_000,
    }
}

fn relay() -> Authority {
    Authority::new(RELAY, sponsor().public(), CHANNEL, lease())
}

fn delegation() -> Delegation {
    Delegation {
        channel: CHANNEL,
        relay: RELAY,
        delegate: delegate().public(),
        lease: lease(),
        generation: 0,
    }
}

fn numbered(sequence: u64, order: Order) -> Numbered {
    Numbered {
        lease: lease().id,
        sequence,
        order,
    }
}

fn own(signer: &SecretKey, sequence: u64, order: Order) -> Commanded {
    Commanded {
        order: numbered(sequence, order).seal(signer, &RELAY),
        delegation: None,
    }
}

fn delegated(by: &Delegation, sequence: u64, order: Order) -> Commanded {
    Commanded {
        order: numbered(sequence, order).seal(&delegate(), &RELAY),
        delegation: Some(by.seal(&sponsor())),
    }
}

fn admit(relay: &mut Authority, commanded: &Commanded) -> Result<(Commander, Order), Disobeyed> {
    relay.admit(commanded, NOW, 0, &Ed25519)
}

#[test]
fn the_sponsor_is_obeyed_once_an_order() {
    let mut relay = relay();
    let cap = own(&sponsor(), 1, Order::Cap(Bitrate::from_kbps(7)));
    let obeyed = (Commander::Sponsor, Order::Cap(Bitrate::from_kbps(7)));
    assert_eq!(admit(&mut relay, &cap), Ok(obeyed));
    assert_eq!(admit(&mut relay, &cap), Err(Disobeyed::Replayed));
    let older = own(&sponsor(), 0, Order::Stop);
    assert_eq!(admit(&mut relay, &older), Err(Disobeyed::Replayed));
}

#[test]
fn nobody_else_is_obeyed() {
    let mut relay = relay();
    let stranger = own(&key(4), 1, Order::Stop);
    assert_eq!(admit(&mut relay, &stranger), Err(Disobeyed::Stranger));
    let for_another = Commanded {
        order: numbered(1, Order::Stop).seal(&sponsor(), &PeerId([7; 16])),
        delegation: None,
    };
    assert_eq!(admit(&mut relay, &for_another), Err(Disobeyed::Stranger));
    let self_made = Commanded {
        delegation: Some(delegation().seal(&delegate())),
        ..delegated(&delegation(), 1, Order::Drain)
    };
    assert_eq!(admit(&mut relay, &self_made), Err(Disobeyed::Stranger));
    let nonsense = Commanded {
        order: Bytes::from_static(&[0; 80]),
        delegation: None,
    };
    assert_eq!(admit(&mut relay, &nonsense), Err(Disobeyed::Stranger));
}

#[test]
fn orders_of_another_lease_do_not_count() {
    let mut relay = relay();
    let mut other = numbered(1, Order::Stop);
    other.lease = LeaseId([4; 16]);
    let commanded = Commanded {
        order: other.seal(&sponsor(), &RELAY),
        delegation: None,
    };
    assert_eq!(admit(&mut relay, &commanded), Err(Disobeyed::OtherLease));
    let mut wider = lease();
    wider.id = LeaseId([4; 16]);
    let extend = own(&sponsor(), 1, Order::Extend(wider));
    assert_eq!(admit(&mut relay, &extend), Err(Disobeyed::OtherLease));
}

#[test]
fn the_delegate_may_place_and_drain_and_nothing_that_costs() {
    let mut relay = relay();
    let drain = delegated(&delegation(), 1, Order::Drain);
    assert_eq!(admit(&mut relay, &drain), Ok((Commander::Delegate, Order::Drain)));
    let mut wider = lease();
    wider.bytes += 1;
    for (sequence, order) in [
        (2, Order::Extend(wider)),
        (3, Order::Stop),
        (4, Order::Cap(Bitrate::from_kbps(1))),
        (5, Order::Revoke { generation: 1 }),
    ] {
        let commanded = delegated(&delegation(), sequence, order);
        assert_eq!(admit(&mut relay, &commanded), Err(Disobeyed::Beyond));
    }
    let sponsors = own(&sponsor(), 1, Order::Drain);
    assert!(
        admit(&mut relay, &sponsors).is_ok(),
        "each commander counts by itself"
    );
}

#[test]
fn a_widened_spent_or_foreign_delegation_covers_nothing() {
    let change = |change: fn(&mut Delegation)| {
        let mut changed = delegation();
        change(&mut changed);
        delegated(&changed, 1, Order::Drain)
    };
    for widened in [
        change(|d| d.lease.ends = Utc::from_secs(1_001)),
        change(|d| d.lease.bytes = 5_001),
        change(|d| d.lease.id = LeaseId([4; 16])),
        change(|d| d.lease.ends = NOW),
        change(|d| d.relay = PeerId([7; 16])),
        change(|d| d.channel = PublicKey([7; 32])),
    ] {
        assert_eq!(admit(&mut relay(), &widened), Err(Disobeyed::NotCovered));
    }
    let spent = relay().admit(&delegated(&delegation(), 1, Order::Drain), NOW, 5_000, &Ed25519);
    assert_eq!(spent, Err(Disobeyed::NotCovered));
}

#[test]
fn a_revoked_delegation_is_void_until_the_sponsor_gives_another() {
    let mut relay = relay();
    let revoke = own(&sponsor(), 1, Order::Revoke { generation: 1 });
    assert!(admit(&mut relay, &revoke).is_ok());
    let drain = delegated(&delegation(), 1, Order::Drain);
    assert_eq!(admit(&mut relay, &drain), Err(Disobeyed::Revoked));
    let mut newer = delegation();
    newer.generation = 1;
    assert!(admit(&mut relay, &delegated(&newer, 1, Order::Drain)).is_ok());
}

#[test]
fn an_extension_is_the_lease_from_then_on() {
    let mut relay = relay();
    let mut longer = lease();
    longer.ends = Utc::from_secs(4_000);
    assert!(admit(&mut relay, &own(&sponsor(), 1, Order::Extend(longer))).is_ok());
    assert_eq!(relay.lease(), &longer);
    let mut wide = delegation();
    wide.lease = longer;
    assert!(admit(&mut relay, &delegated(&wide, 1, Order::Drain)).is_ok());
}

#[test]
fn extensions_are_numbered_by_themselves_and_still_obeyed_once() {
    let mut relay = relay();
    let longer = |ends| {
        Order::Extend(Lease {
            ends: Utc::from_secs(ends),
            ..lease()
        })
    };
    let ahead = own(&sponsor(), 9_000, longer(4_000));
    assert!(admit(&mut relay, &ahead).is_ok());
    let behind = own(&sponsor(), 1, Order::Drain);
    assert!(
        admit(&mut relay, &behind).is_ok(),
        "whoever commands knows nothing of it"
    );
    assert_eq!(admit(&mut relay, &ahead), Err(Disobeyed::Replayed));
    let older = own(&sponsor(), 8_999, longer(3_000));
    assert_eq!(admit(&mut relay, &older), Err(Disobeyed::Replayed));
    assert_eq!(relay.lease().ends, Utc::from_secs(4_000));
}
