//! What must hold between any two calls.

use super::Broadcaster;
use super::routes::Route;

impl Broadcaster {
    pub(super) fn assert_invariants(&self) {
        self.overlay.check_invariants();
        self.forwarder.check_invariants();
        for (member, contact) in &self.contacts {
            match contact.route {
                Route::Link(link) | Route::Delegated(Some(link)) => {
                    let stranger = self.links.get(&link).expect("a contact has a link");
                    assert_eq!(stranger.member, Some(*member), "link and member agree");
                }
                Route::Sponsor(sponsor) => {
                    let above = self.contacts.get(&sponsor).expect("a sponsor is here");
                    assert!(
                        matches!(above.route, Route::Link(_)),
                        "sponsors speak for themselves"
                    );
                }
                Route::Delegated(None) => {}
            }
            let is_relay = !matches!(contact.route, Route::Link(_));
            assert_eq!(
                is_relay,
                self.relays.contains_key(member),
                "relays, and they alone, are spoken for"
            );
        }
        assert_eq!(
            self.contacts.len(),
            self.overlay.other_count(),
            "everybody has a contact"
        );
        assert!(
            self.overlay.relays().eq(self.relays.keys().copied()),
            "relays are relays"
        );
    }
}
