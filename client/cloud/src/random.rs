//! What must be new: ids and secrets.

use banyan_protocol::role::relay::boot::EnrolSecret;
use banyan_protocol::wire::lease::LeaseId;

/// A new lease's id.
///
/// # Panics
/// If the system has no random numbers.
pub fn lease_id() -> LeaseId {
    LeaseId(bytes())
}

/// A new enrolment secret.
///
/// # Panics
/// If the system has no random numbers.
pub fn enrol_secret() -> EnrolSecret {
    EnrolSecret(bytes())
}

pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}
