//! Whom a relay obeys: its sponsor, whose word stands above all, and whoever the sponsor named, within what it named.

use crate::id::{PeerId, PublicKey, Verify};
use crate::time::Utc;
use crate::wire::lease::Lease;
use crate::wire::order::{Commanded, Delegation, Numbered, Order};

/// Why an order is not obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disobeyed {
    /// Neither the sponsor nor the named delegate signed it for this relay.
    #[error("signed by nobody whom this relay obeys")]
    Stranger,
    /// It is for another lease.
    #[error("for another lease")]
    OtherLease,
    /// An order with this number or a later one was obeyed before.
    #[error("obeyed before, or overtaken")]
    Replayed,
    /// A delegate may not give it.
    #[error("beyond what a delegate may order")]
    Beyond,
    /// The delegation is for another relay, channel or lease, wider than the lease, spent, or at its end.
    #[error("the delegation does not cover it")]
    NotCovered,
    /// The sponsor has revoked the delegation.
    #[error("the delegation is revoked")]
    Revoked,
    /// It carries more than the limits allow.
    #[error("malformed")]
    Malformed,
}

/// Who gave an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commander {
    /// The sponsor.
    Sponsor,
    /// The delegate.
    Delegate,
}

/// What a relay knows of whom it obeys.
#[derive(Clone, Debug)]
pub struct Authority {
    me: PeerId,
    sponsor: PublicKey,
    channel: PublicKey,
    lease: Lease,
    /// Delegations of an older generation are void.
    generation: u32,
    /// The newest order's number, the sponsor's and the delegate's.
    newest: [Option<u64>; 2],
    /// The newest extension's. They are numbered by themselves: another process with the sponsor's key gives them while the
    /// sponsor's client commands, and neither knows how far the other is.
    newest_extension: Option<u64>,
}

impl Authority {
    /// A relay with key `me` obeys `sponsor` as to `channel`, within `lease`.
    pub fn new(me: PeerId, sponsor: PublicKey, channel: PublicKey, lease: Lease) -> Self {
        Self {
            me,
            sponsor,
            channel,
            lease,
            generation: 0,
            newest: [None; 2],
            newest_extension: None,
        }
    }

    /// The lease in force.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Judges an order: what to do, and on whose word. What concerns the lease and the delegation itself is taken in here.
    /// `sent` is what the relay has sent so far, in wire bytes.
    ///
    /// # Errors
    /// If it is not to be obeyed; nothing has changed then.
    pub fn admit(
        &mut self,
        commanded: &Commanded,
        now: Utc,
        sent: u64,
        verify: &dyn Verify,
    ) -> Result<(Commander, Order), Disobeyed> {
        let (commander, signer) = match &commanded.delegation {
            None => (Commander::Sponsor, self.sponsor),
            Some(sealed) => (Commander::Delegate, self.delegate(sealed, now, sent, verify)?),
        };
        let numbered =
            Numbered::open(&commanded.order, &signer, &self.me, verify).map_err(|_| Disobeyed::Stranger)?;
        self.judge(commander, &numbered)?;
        *self.newest(commander, &numbered.order) = Some(numbered.sequence);
        match numbered.order {
            Order::Extend(lease) => self.lease = lease,
            Order::Revoke { generation } => self.generation = self.generation.max(generation),
            _ => {}
        }
        Ok((commander, numbered.order))
    }

    /// The newest number of those that the order is one of.
    fn newest(&mut self, commander: Commander, order: &Order) -> &mut Option<u64> {
        match order {
            Order::Extend(_) => &mut self.newest_extension,
            _ => &mut self.newest[commander as usize],
        }
    }

    fn judge(&mut self, commander: Commander, numbered: &Numbered) -> Result<(), Disobeyed> {
        let other_lease = matches!(&numbered.order, Order::Extend(lease) if lease.id != self.lease.id);
        if numbered.lease != self.lease.id || other_lease {
            return Err(Disobeyed::OtherLease);
        }
        let newest = *self.newest(commander, &numbered.order);
        if newest.is_some_and(|newest| numbered.sequence <= newest) {
            return Err(Disobeyed::Replayed);
        }
        if commander == Commander::Delegate && !numbered.order.may_be_delegated() {
            return Err(Disobeyed::Beyond);
        }
        if !numbered.order.is_sound() {
            return Err(Disobeyed::Malformed);
        }
        Ok(())
    }

    /// Whom a delegation names, if it covers this relay now.
    fn delegate(
        &self,
        sealed: &[u8],
        now: Utc,
        sent: u64,
        verify: &dyn Verify,
    ) -> Result<PublicKey, Disobeyed> {
        let delegation = Delegation::open(sealed, &self.sponsor, verify).map_err(|_| Disobeyed::Stranger)?;
        if delegation.generation < self.generation {
            return Err(Disobeyed::Revoked);
        }
        let lease = &delegation.lease;
        let is_ours = delegation.relay == self.me && delegation.channel == self.channel;
        let lasts = now < lease.ends && sent < lease.bytes;
        if is_ours && lease.is_within(&self.lease) && lasts {
            Ok(delegation.delegate)
        } else {
            Err(Disobeyed::NotCovered)
        }
    }
}

#[cfg(test)]
mod tests;
