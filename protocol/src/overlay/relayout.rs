//! A layout with other stripes, or with slots that cost something else.

use crate::overlay::Overlay;
use crate::overlay::forest::Place;
use crate::overlay::member::MemberIndex;
use crate::overlay::stripes::Stripes;
use crate::units::Bitrate;
use alloc::vec::Vec;

impl Overlay {
    /// Takes in the stripes of a layout. If their number changed, all members lose their places, and `true` is returned:
    /// serve them again.
    pub fn set_stripes(&mut self, stripes: Stripes) -> bool {
        let same = self.stripes.same_shape(&stripes);
        if !same {
            self.clear_places();
        }
        self.stripes = stripes;
        for index in self.present().collect::<Vec<_>>() {
            if same {
                self.recount(index);
            } else {
                self.member_mut(index).places = alloc::vec![None; self.stripes.len()];
            }
        }
        if !same {
            let source = self.member_mut(MemberIndex::SOURCE);
            source
                .places
                .iter_mut()
                .for_each(|place| *place = Some(Place::root()));
        }
        !same
    }

    fn clear_places(&mut self) {
        for index in self.present().collect::<Vec<_>>() {
            let member = self.member_mut(index);
            member.places.clear();
            member.homes.clear();
            member.lingering.clear();
            member.used = Bitrate::ZERO;
            member.tier = None;
        }
        self.spare_load.clear();
        self.spareless.clear();
    }

    /// The slots may cost something else now.
    fn recount(&mut self, index: MemberIndex) {
        let places = self.member(index).places_with_index();
        let used = places
            .map(|(stripe, place)| self.stripes.slot(stripe) * place.children.len() as u64)
            .sum();
        self.member_mut(index).used = used;
    }
}
