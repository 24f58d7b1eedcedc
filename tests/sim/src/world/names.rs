//! A node's names for its links, found at once.

use super::SideIndex;
use banyan_protocol::io::LinkId;
use std::num::NonZeroU32;

/// Where a link is in the world's table, and which side of it is ours.
pub(super) type Place = (u32, SideIndex);

/// The links of a node by their names. Names are given out in order, so that a row of places does.
#[derive(Debug, Default)]
pub(super) struct Names {
    row: Vec<Option<Packed>>,
}

impl Names {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.row.iter().flatten().count()
    }

    pub(super) fn get(&self, id: LinkId) -> Option<Place> {
        self.row.get(id.0 as usize).copied().flatten().map(Packed::place)
    }

    pub(super) fn insert(&mut self, id: LinkId, place: Place) {
        let at = id.0 as usize;
        if self.row.len() <= at {
            self.row.resize(at + 1, None);
        }
        let former = self.row[at].replace(Packed::of(place));
        assert!(former.is_none(), "no name is used twice");
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<Place> {
        let packed = self.row.get_mut(id.0 as usize)?.take()?;
        Some(packed.place())
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// All of them: the even ones in order, then the odd ones.
    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, Place)> + '_ {
        [0, 1].into_iter().flat_map(|parity| {
            let row = self.row.iter().enumerate().skip(parity).step_by(2);
            row.filter_map(|(id, packed)| Some((LinkId(id as u64), (*packed)?.place())))
        })
    }
}

/// A place in four bytes, which no place makes zero.
#[derive(Clone, Copy, Debug)]
struct Packed(NonZeroU32);

impl Packed {
    fn of((link, side): Place) -> Self {
        let packed = (link << 1 | u32::from(side)) + 1;
        Self(NonZeroU32::new(packed).expect("there are no two billion links"))
    }

    const fn place(self) -> Place {
        let packed = self.0.get() - 1;
        (packed >> 1, (packed & 1) as SideIndex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_places_until_they_are_removed() {
        let mut names = Names::default();
        for id in [0, 1, 4, 7] {
            names.insert(LinkId(id), (id as u32 * 10, id as u8 % 2));
        }
        assert_eq!(names.get(LinkId(7)), Some((70, 1)));
        assert_eq!((names.get(LinkId(2)), names.get(LinkId(99))), (None, None));
        assert_eq!(names.remove(LinkId(4)), Some((40, 0)));
        assert_eq!(names.remove(LinkId(4)), None);
        let left: Vec<u64> = names.iter().map(|(id, _)| id.0).collect();
        assert_eq!((left, names.len()), (vec![0, 1, 7], 3), "even ones first");
    }
}
