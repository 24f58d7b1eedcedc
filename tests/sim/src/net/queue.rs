//! The event queue: by time, and among equals in the order of their making, so that a run can be repeated.

use super::Micros;
use dary_heap::QuaternaryHeap;
use std::cmp::Reverse;

/// Bits of a key that say where the event lies, and those above them that say when it was made. What is left counts microseconds: three
/// days of them.
const PLACE: u32 = 32;
const SEQUENCE: u32 = 58;

/// Events of type `E` in the order of their times.
#[derive(Debug)]
pub struct Queue<E> {
    /// The time, then the sequence number, then the place, as one number: it is compared a dozen times an event.
    heap: QuaternaryHeap<Reverse<u128>>,
    events: Vec<Slot<E>>,
    free: Vec<u32>,
    sequence: u64,
}

/// Where an event lies, from the start of a cache line on.
#[derive(Debug)]
#[repr(align(64))]
struct Slot<E>(Option<E>);

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self {
            heap: QuaternaryHeap::new(),
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
            self.events.push(Slot(None));
            (self.events.len() - 1) as u32
        });
        self.events[place as usize].0 = Some(event);
        assert!(
            at < 1 << (u128::BITS - SEQUENCE - PLACE),
            "no run lasts three days"
        );
        let order = u128::from(at) << SEQUENCE | u128::from(self.sequence);
        self.heap.push(Reverse(order << PLACE | u128::from(place)));
        self.sequence += 1;
    }

    /// Takes out the earliest event.
    pub fn pop(&mut self) -> Option<(Micros, E)> {
        let Reverse(key) = self.heap.pop()?;
        let (at, place) = ((key >> (SEQUENCE + PLACE)) as Micros, key as u32);
        self.free.push(place);
        let event = self.events[place as usize]
            .0
            .take()
            .expect("a place in the heap holds an event");
        Some((at, event))
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
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
}
