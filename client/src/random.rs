//! Random numbers for choices that need no secrecy.

/// A seed for a state machine.
///
/// # Panics
/// If the system has no random numbers.
pub(crate) fn seed() -> u64 {
    getrandom::u64().expect("the system has random numbers")
}
