//! The one clock that leases are kept by.

use banyan_protocol::time::Utc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What this machine's clock says.
pub fn now() -> Utc {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Utc::from_secs(since.map_or(0, |since| since.as_secs()))
}
