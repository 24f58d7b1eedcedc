//! A node's names for its links, found at once.

use super::SideIndex;
use banyan_protocol::io::LinkId;

/// Where a link is in the world's table, and which side of it is ours.
pub(super) type Place = (u32, SideIndex);

/// The links of a node by their names. Names are given out in order, even and odd ones apart, so that two rows of places
/// do.
#[derive(Debug, Default)]
pub(super) struct Names {
    rows: [Vec<Option<Place>>; 2],
    count: usize,
}

impl Names {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) fn get(&self, id: LinkId) -> Option<Place> {
        let (row, at) = position(id);
        self.rows[row].get(at).copied().flatten()
    }

    pub(super) fn insert(&mut self, id: LinkId, place: Place) {
        let (row, at) = position(id);
        let row = &mut self.rows[row];
        if row.len() <= at {
            row.resize(at + 1, None);
        }
        let former = row[at].replace(place);
        assert!(former.is_none(), "no name is used twice");
        self.count += 1;
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<Place> {
        let (row, at) = position(id);
        let place = self.rows[row].get_mut(at)?.take()?;
        self.count -= 1;
        Some(place)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// All of them: the even ones in order, then the odd ones.
    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, Place)> + '_ {
        [0, 1].into_iter().flat_map(|parity| {
            let row = self.rows[parity].iter().enumerate();
            row.filter_map(move |(at, place)| Some((LinkId((at * 2 + parity) as u64), (*place)?)))
        })
    }
}

fn position(id: LinkId) -> (usize, usize) {
    ((id.0 % 2) as usize, (id.0 / 2) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_places_until_they_are_removed() {
        let mut names = Names::default();
        for id in [0, 1, 4, 7] {
            names.insert(LinkId(id), (id as u32 * 10, 0));
        }
        assert_eq!(names.get(LinkId(7)), Some((70, 0)));
        assert_eq!((names.get(LinkId(2)), names.get(LinkId(99))), (None, None));
        assert_eq!(names.remove(LinkId(4)), Some((40, 0)));
        assert_eq!(names.remove(LinkId(4)), None);
        let left: Vec<u64> = names.iter().map(|(id, _)| id.0).collect();
        assert_eq!((left, names.len()), (vec![0, 1, 7], 3));
    }
}
