//! The real roles, as the world runs them.

use crate::world::Role;
use banyan_protocol::id::PeerId;
use banyan_protocol::media::StripeId;
use banyan_protocol::overlay::Overlay;
use banyan_protocol::role::broadcaster::Broadcaster;
use banyan_protocol::role::relay::Relay;
use banyan_protocol::role::viewer::Viewer;

impl Role for Broadcaster {
    fn children(&self) -> Vec<(PeerId, StripeId)> {
        Self::children(self).collect()
    }

    fn plan(&self) -> Option<&Overlay> {
        Some(self.overlay())
    }
}

impl Role for Viewer {
    fn parents(&self) -> Vec<(StripeId, PeerId)> {
        self.attachments().collect()
    }

    fn holdings(&self) -> Vec<(StripeId, u64, u64)> {
        Self::holdings(self).collect()
    }

    fn children(&self) -> Vec<(PeerId, StripeId)> {
        Self::children(self).collect()
    }
}

impl Role for Relay {
    fn parents(&self) -> Vec<(StripeId, PeerId)> {
        self.carrier().attachments().collect()
    }

    fn holdings(&self) -> Vec<(StripeId, u64, u64)> {
        self.carrier().holdings().collect()
    }

    fn children(&self) -> Vec<(PeerId, StripeId)> {
        self.carrier().children().collect()
    }
}
