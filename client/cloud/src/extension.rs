//! A lease made longer: what that costs, and the order that tells the relay so, in the sponsor's hand.

use crate::failure::{Failure, Why};
use crate::ledger::Account;
use crate::money::Usd;
use crate::plan::BYTES_UNPAID;
use banyan_protocol::id::{PeerId, Sign};
use banyan_protocol::time::Utc;
use banyan_protocol::wire::lease::Lease;
use banyan_protocol::wire::order::{Commanded, Numbered, Order};
use std::time::Duration;

/// What a sponsor gives a relay beyond its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct More {
    /// How much longer it may run.
    pub time: Duration,
    /// The most money for that, machine and bytes together.
    pub budget: Usd,
}

/// A longer lease. First the relay is told by `order`; when it obeys, [`Cloud::renew`](crate::child::Cloud::renew) writes
/// `lease` down where others look. A relay that was not told ends when it always would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The lease as it will be.
    pub lease: Lease,
    /// What the relay's machine costs more.
    pub machine: Usd,
    /// The order, signed.
    pub order: Commanded,
}

/// Makes the lease of `account` longer, and the order to `relay`, whose sponsor is `signer`. `now_us`: microseconds since
/// 1970, which number the order.
///
/// # Errors
/// [`Why::NoRelay`] if nothing runs for the lease, or it is over; [`Why::Budget`] if the money does not pay the machine
/// for so long.
pub fn extend(
    account: &Account,
    more: More,
    relay: &PeerId,
    signer: &dyn Sign,
    now_us: u64,
) -> Result<Extension, Failure> {
    let known = account.lease;
    let attempt = account.open().ok_or_else(|| over(&known))?;
    if known.ends <= Utc::from_secs(now_us / 1_000_000) {
        return Err(over(&known));
    }
    let machine = attempt.hourly.for_hours(more.time);
    let left = more
        .budget
        .minus(machine)
        .ok_or_else(|| too_little(machine, more))?;
    let bytes = left.buys_bytes(attempt.egress_gb).unwrap_or(0);
    let lease = Lease {
        ends: known.ends.after(more.time),
        bytes: known.bytes.saturating_add(bytes).min(BYTES_UNPAID),
        ..known
    };
    let numbered = Numbered {
        lease: lease.id,
        sequence: now_us,
        order: Order::Extend(lease),
    };
    let order = Commanded {
        order: numbered.seal(signer, relay),
        delegation: None,
    };
    Ok(Extension {
        lease,
        machine,
        order,
    })
}

fn over(lease: &Lease) -> Failure {
    Failure::new(
        Why::NoRelay,
        format!("the relay of lease {} has ended; sponsor another", lease.id),
    )
}

fn too_little(machine: Usd, more: More) -> Failure {
    Failure::new(
        Why::Budget,
        format!(
            "{} is too little: the relay's machine alone costs {machine} for so long; raise --budget, or lower --hours",
            more.budget
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::tests::lease;
    use crate::ledger::{Attempt, State, Token};
    use crate::process::Mark;
    use crate::provider::Kind;
    use banyan_protocol::id::{Ed25519, PublicKey, SecretKey};
    use banyan_protocol::role::relay::authority::{Authority, Commander, Disobeyed};

    const RELAY: PeerId = PeerId([9; PeerId::LEN]);
    const CHANNEL: PublicKey = PublicKey([8; 32]);
    const HOUR: Duration = Duration::from_secs(3600);

    fn sponsor() -> SecretKey {
        SecretKey::from_bytes(&[1; 32])
    }

    fn account(state: State, egress_gb: Usd) -> Account {
        let attempt = Attempt {
            at: Utc::from_secs(1_800_000_000),
            provider: Kind::Ec2,
            region: None,
            zone: String::new(),
            kind: String::new(),
            token: Token("t".into()),
            hash: String::new(),
            hourly: Usd::from_cents(3),
            egress_gb,
            by: Mark::myself(),
            state,
        };
        Account {
            lease: lease(),
            attempts: vec![attempt],
        }
    }

    fn alive() -> State {
        State::Alive {
            handle: "i-1".into(),
            address: None,
        }
    }

    fn now_us() -> u64 {
        (lease().ends.as_secs() - 600) * 1_000_000
    }

    fn more(cents: u64) -> More {
        More {
            time: HOUR,
            budget: Usd::from_cents(cents),
        }
    }

    #[test]
    fn the_relay_obeys_it_once_and_runs_longer() {
        let account = account(alive(), Usd::from_cents(9));
        let extension = extend(&account, more(12), &RELAY, &sponsor(), now_us()).unwrap();
        assert_eq!(extension.machine, Usd::from_cents(3));
        assert_eq!(extension.lease.ends, lease().ends.after(HOUR));
        assert_eq!(extension.lease.bytes, lease().bytes + 1_000_000_000);
        let mut relay = Authority::new(RELAY, sponsor().public(), CHANNEL, lease());
        let now = Utc::from_secs(now_us() / 1_000_000);
        let mut admit = |order| relay.admit(order, now, 0, &Ed25519);
        let obeyed = (Commander::Sponsor, Order::Extend(extension.lease));
        assert_eq!(admit(&extension.order), Ok(obeyed));
        assert_eq!(admit(&extension.order), Err(Disobeyed::Replayed));
        assert_eq!(relay.lease(), &extension.lease);
    }

    #[test]
    fn in_anybody_elses_hand_it_is_not_obeyed() {
        let account = account(alive(), Usd::from_cents(9));
        let stranger = SecretKey::from_bytes(&[2; 32]);
        let extension = extend(&account, more(12), &RELAY, &stranger, now_us()).unwrap();
        let mut relay = Authority::new(RELAY, sponsor().public(), CHANNEL, lease());
        let now = Utc::from_secs(now_us() / 1_000_000);
        assert_eq!(
            relay.admit(&extension.order, now, 0, &Ed25519),
            Err(Disobeyed::Stranger)
        );
    }

    #[test]
    fn what_has_ended_or_is_not_paid_for_is_not_extended() {
        let alive = account(alive(), Usd::from_cents(9));
        let ended = account(State::Refused, Usd::from_cents(9));
        let why = |account, more, now_us| extend(account, more, &RELAY, &sponsor(), now_us).unwrap_err().why;
        assert_eq!(why(&ended, more(12), now_us()), Why::NoRelay);
        assert_eq!(why(&alive, more(2), now_us()), Why::Budget);
        assert_eq!(why(&alive, more(12), now_us() + 600_000_000), Why::NoRelay);
    }

    #[test]
    fn where_bytes_cost_nothing_there_are_as_many_as_before() {
        let mut unpaid = account(alive(), Usd::ZERO);
        unpaid.attempts[0].hourly = Usd::ZERO;
        let extension = extend(&unpaid, more(0), &RELAY, &sponsor(), now_us()).unwrap();
        assert_eq!(extension.lease.bytes, lease().bytes);
    }
}
