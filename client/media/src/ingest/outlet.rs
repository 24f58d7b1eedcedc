//! The one way out of the ingest threads.

use super::IngestEvent;
use banyan_protocol::media::{Packet, TierId};
use std::collections::HashMap;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};

/// The consumer is gone; there is nothing more to do.
#[derive(Debug)]
pub(crate) struct Gone;

/// Sends events, and keeps each track's decoding times growing.
#[derive(Clone)]
pub(crate) struct Outlet {
    events: SyncSender<IngestEvent>,
    last_dts: Arc<Mutex<HashMap<(TierId, u8), i64>>>,
}

impl Outlet {
    pub(crate) fn new(events: SyncSender<IngestEvent>) -> Self {
        Self {
            events,
            last_dts: Arc::default(),
        }
    }

    /// Sends an event; waits while the channel is full.
    pub(crate) fn event(&self, event: IngestEvent) -> Result<(), Gone> {
        self.events.send(event).map_err(|_| Gone)
    }

    /// Sends a warning, which also goes to the log.
    pub(crate) fn warn(&self, text: String) -> Result<(), Gone> {
        tracing::debug!(text, "warning");
        self.event(IngestEvent::Warning(text))
    }

    /// Sends a packet. One that would not be decoded after the last of its track is moved behind it.
    pub(crate) fn packet(&self, tier: TierId, mut packet: Packet) -> Result<(), Gone> {
        {
            let mut last = self.last_dts.lock().expect("no holder panics");
            let last = last.entry((tier, packet.track)).or_insert(i64::MIN);
            packet.dts = packet.dts.max(last.saturating_add(1));
            packet.pts = packet.pts.max(packet.dts);
            *last = packet.dts;
        }
        self.event(IngestEvent::Packet { tier, packet })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::sync::mpsc::sync_channel;

    fn packet(track: u8, dts: i64) -> Packet {
        Packet {
            track,
            pts: dts,
            dts,
            duration: 0,
            keyframe: true,
            data: Bytes::new(),
        }
    }

    #[test]
    fn decoding_times_grow_within_each_track() {
        let (sender, events) = sync_channel(8);
        let outlet = Outlet::new(sender);
        for (track, dts) in [(0, 10), (1, 3), (0, 10), (0, 5), (1, 4)] {
            outlet.packet(TierId(0), packet(track, dts)).unwrap();
        }
        let times: Vec<_> = events
            .try_iter()
            .map(|event| match event {
                IngestEvent::Packet { packet, .. } => (packet.track, packet.dts, packet.pts),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            times,
            [(0, 10, 10), (1, 3, 3), (0, 11, 11), (0, 12, 12), (1, 4, 4)]
        );
    }
}
