//! The event queue: by time, and among equals in the order of their making, so that a run can be repeated.
//!
//! Most of what is put in comes out again within half a second, so time is cut into slices: an event is only put into its slice, and a
//! slice is put in order when its time has come. What is farther away waits in a heap.

use super::Micros;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::mem;

/// Bits of a key that say where the event lies, and those above them that say when it was made. What is left counts microseconds: three
/// days of them.
const PLACE: u32 = 32;
const SEQUENCE: u32 = 58;

/// A slice is two to the power of this many microseconds: about a millisecond, in which three hundred viewers have some forty events.
const SLICE: u32 = 10;

/// How many slices are kept apart.
const SLICES: usize = 512;

/// The time, then the sequence number, then the place, as one number: it is compared many times an event.
type Key = u128;

/// The slice that a key belongs to.
const fn slice_of(key: Key) -> u64 {
    (key >> (SEQUENCE + PLACE + SLICE)) as u64
}

/// Events of type `E` in the order of their times.
#[derive(Debug)]
pub struct Queue<E> {
    /// The number of the present slice, and its keys, the earliest last.
    slice: u64,
    present: Vec<Key>,
    /// The slices after it, each in the order in which events came.
    slices: [Vec<Key>; SLICES],
    /// What is in none of them yet.
    later: BinaryHeap<Reverse<Key>>,
    /// Lists without keys, kept for their memory.
    spare: Vec<Vec<Key>>,
    count: usize,
    events: Vec<Option<E>>,
    free: Vec<u32>,
    sequence: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self {
            slice: 0,
            present: Vec::new(),
            slices: [const { Vec::new() }; SLICES],
            later: BinaryHeap::new(),
            spare: Vec::new(),
            count: 0,
            events: Vec::new(),
            free: Vec::new(),
            sequence: 0,
        }
    }
}

impl<E> Queue<E> {
    /// Adds an event.
    pub fn push(&mut self, at: Micros, event: E) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            (self.events.len() - 1) as u32
        });
        self.events[place as usize] = Some(event);
        assert!(
            at < 1 << (u128::BITS - SEQUENCE - PLACE),
            "no run lasts three days"
        );
        let order = u128::from(at) << SEQUENCE | u128::from(self.sequence);
        self.sequence += 1;
        self.count += 1;
        self.put(order << PLACE | u128::from(place));
    }

    fn put(&mut self, key: Key) {
        match slice_of(key) {
            slice if slice <= self.slice => {
                let after = self.present.partition_point(|other| *other > key);
                self.present.insert(after, key);
            }
            slice if slice < self.slice + SLICES as u64 => {
                let list = &mut self.slices[slice as usize % SLICES];
                if list.capacity() == 0 {
                    *list = self.spare.pop().unwrap_or_default();
                }
                list.push(key);
            }
            _ => self.later.push(Reverse(key)),
        }
    }

    /// Takes out the earliest event.
    pub fn pop(&mut self) -> Option<(Micros, E)> {
        while self.present.is_empty() {
            if self.count == 0 {
                return None;
            }
            self.next_slice();
        }
        let key = self.present.pop()?;
        self.count -= 1;
        let (at, place) = ((key >> (SEQUENCE + PLACE)) as Micros, key as u32);
        self.free.push(place);
        let event = self.events[place as usize]
            .take()
            .expect("a place in the queue holds an event");
        Some((at, event))
    }

    fn next_slice(&mut self) {
        self.slice += 1;
        let list = mem::take(&mut self.slices[self.slice as usize % SLICES]);
        self.spare.push(mem::replace(&mut self.present, list));
        while let Some(Reverse(key)) = self.later.peek().copied()
            && slice_of(key) <= self.slice
        {
            self.later.pop();
            self.present.push(key);
        }
        self.present.sort_unstable_by(|one, other| other.cmp(one));
    }

    /// The event that comes after so many others, as far as it is known without much ado.
    pub fn ahead(&self, others: usize) -> Option<&E> {
        let at = self.present.len().checked_sub(others + 1)?;
        self.events[self.present[at] as u32 as usize].as_ref()
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_in_the_order_of_their_making() {
        let mut queue = Queue::default();
        for (at, name) in [(5, 'c'), (1, 'a'), (5, 'd'), (3, 'b'), (5, 'e')] {
            queue.push(at, name);
        }
        let mut got = String::new();
        while let Some((_, name)) = queue.pop() {
            got.push(name);
            if name == 'a' {
                queue.push(5, 'f');
            }
        }
        assert_eq!(got, "abcdef");
        assert_eq!(queue.events.len(), 5, "places are used again");
    }

    #[test]
    fn what_is_near_and_what_is_far_away_come_in_order() {
        let mut queue = Queue::default();
        let mut times: Vec<Micros> = (0..2000).map(|n| n * n * 7919 % 3_000_017).collect();
        for at in &times {
            queue.push(*at, *at);
        }
        times.sort_unstable();
        let mut got = Vec::new();
        while let Some((at, event)) = queue.pop() {
            assert_eq!(at, event);
            if got.len() == 1000 {
                queue.push(at, at);
                queue.push(at + 1_000_000_000, at + 1_000_000_000);
            }
            got.push(at);
        }
        times.insert(1000, times[1000]);
        times.push(times[1000] + 1_000_000_000);
        assert_eq!(got, times);
        assert!(queue.is_empty());
    }
}
