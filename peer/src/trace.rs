//! What links say to each other, for whoever looks for a fault in it.

use banyan_protocol::io::{Lane, LinkId};
use banyan_protocol::wire::control::Message;
use bytes::Bytes;

/// Logs a control message, if anybody reads it: parsing it once more is not for free.
pub(crate) fn control(what: &'static str, link: LinkId, lane: Lane, frame: &Bytes) {
    if lane == Lane::Control && tracing::enabled!(tracing::Level::TRACE) {
        let message = Message::parse(frame);
        tracing::trace!(link = link.0, ?message, "{what}");
    }
}
