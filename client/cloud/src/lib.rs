//! Relays in a sponsor's own cloud account, or on the sponsor's machine.
pub mod boot;
pub mod ec2;
pub mod failure;
pub mod lease;
pub mod ledger;
pub mod money;
pub mod plan;
pub mod price;
pub mod process;
pub mod provider;
pub mod reaper;
pub mod region;
