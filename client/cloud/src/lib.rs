//! Relays in a sponsor's own cloud account, or on the sponsor's machine: what they cost, launching them, the ledger of
//! what was launched, and ending what should not run.
//!
//! A session talks to a [`child::Cloud`]: the handle of a child process, which alone reads credentials and knows the
//! SDK. What is decided is pure and told apart from what is done: [`plan`] and [`price`] reckon, `ec2::launch` says which
//! request comes next, [`reaper`] says what should not run.
//!
//! Promises: nothing is asked of a provider before the [`ledger`] has it; at most one machine lives for one
//! [lease](banyan_protocol::wire::lease::Lease), whatever fails; money is a limit, reckoned without free tiers; no credential is in any message,
//! log or error.

pub mod boot;
pub mod child;
pub mod clock;
pub mod ec2;
pub mod extension;
pub mod failure;
pub mod ledger;
pub mod local;
pub mod money;
pub mod plan;
pub mod price;
pub mod process;
pub mod provider;
pub mod purse;
pub mod random;
pub mod reaper;
pub mod region;
