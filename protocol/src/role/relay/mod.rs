//! The relay: a helper that receives and forwards as it is told, by its sponsor or the sponsor's delegate alone.

pub mod authority;
pub mod boot;
