//! What viewers put together, once for all of them: they hold the very same chunks, and a copy for each would fill the processor's caches.

use banyan_protocol::media::join;
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};

/// How many are kept: all tiers' blocks and packets of many seconds, of which viewers play the same within some.
const KEPT: usize = 512;

/// Where the first part lies, and how many bytes all have together.
type Key = (usize, usize);

/// What was put together of late, and of what. As long as it is kept, so are the parts: no others lie where they do.
#[derive(Default)]
struct Copies {
    made: HashMap<Key, (Vec<Bytes>, Bytes)>,
    order: VecDeque<Key>,
}

thread_local! {
    static COPIES: RefCell<Copies> = RefCell::default();
}

/// Puts parts together, or gives what was made of these very parts before. The bytes are the same in either case.
pub fn shared(parts: &[Bytes]) -> Bytes {
    if parts.len() < 2 {
        return join::copied(parts);
    }
    COPIES.with_borrow_mut(|copies| copies.of(parts))
}

impl Copies {
    fn of(&mut self, parts: &[Bytes]) -> Bytes {
        let key = (parts[0].as_ptr().addr(), parts.iter().map(Bytes::len).sum());
        if let Some((of, made)) = self.made.get(&key)
            && of.len() == parts.len()
            && of.iter().zip(parts).all(|(one, other)| is_same(one, other))
        {
            return made.clone();
        }
        let made = join::copied(parts);
        if self.made.insert(key, (parts.to_vec(), made.clone())).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.made.remove(&oldest);
        }
        made
    }
}

/// Whether both are the same bytes in the same place.
fn is_same(one: &Bytes, other: &Bytes) -> bool {
    one.as_ptr() == other.as_ptr() && one.len() == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_parts_are_put_together_once_and_others_by_themselves() {
        let [a, b] = [Bytes::from(vec![1, 2]), Bytes::from(vec![3])];
        let whole = shared(&[a.clone(), b.clone()]);
        assert_eq!(*whole, [1, 2, 3]);
        assert!(is_same(&shared(&[a.clone(), b.clone()]), &whole));
        let altered = Bytes::from(vec![4]);
        assert_eq!(*shared(&[a.clone(), altered]), [1, 2, 4]);
        let again = shared(&[a, b]);
        assert_eq!(again, whole);
        assert!(!is_same(&again, &whole), "it was given up for the altered one");
    }

    #[test]
    fn no_more_is_kept_than_is_of_use() {
        let mut copies = Copies::default();
        for n in 0..2 * KEPT {
            copies.of(&[Bytes::from(vec![n as u8]), Bytes::from(vec![0])]);
        }
        assert_eq!((copies.made.len(), copies.order.len()), (KEPT, KEPT));
    }
}
