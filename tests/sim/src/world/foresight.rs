//! Has the processor fetch early what the next events need. A few hundred machines do not fit its caches, and each event finds its node,
//! its link and its frame far away: the queue knows them some events before.

use super::{Happening, NodeIndex, Watch, World};

/// How many events before its own something is fetched: what holds it first, as its address must be known by then.
const FAR: usize = 5;
const NEAR: usize = 2;

impl<W: Watch, A> World<W, A> {
    /// Fetches what events soon to come need.
    pub(super) fn foresee(&self) {
        match self.queue.ahead(FAR) {
            Some(Happening::Arrive(parcel)) => {
                fetch(&self.links[parcel.link as usize].ends[usize::from(parcel.to)]);
                fetch(&self.nodes[parcel.node as usize]);
                parcel.frames.first().inspect(|frame| fetch(*frame));
            }
            Some(happening) => {
                concerned(happening).inspect(|node| fetch(&self.nodes[*node as usize]));
            }
            None => {}
        }
        if let Some(Happening::Arrive(parcel)) = self.queue.ahead(NEAR) {
            let head = parcel.frames.first().and_then(|frame| frame.first());
            head.inspect(|head| fetch(*head));
        }
    }
}

/// The node that is called, where that is known at once.
const fn concerned<A>(happening: &Happening<A>) -> Option<NodeIndex> {
    match happening {
        Happening::Wake(node) | Happening::Report(node) | Happening::Room(node) => Some(*node),
        _ => None,
    }
}

/// Begins to fetch all of `what` into the processor's caches.
#[cfg(target_arch = "x86_64")]
fn fetch<T>(what: &T) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    let from = std::ptr::from_ref(what).cast::<i8>();
    for at in (0..size_of::<T>()).step_by(LINE) {
        #[expect(
            unsafe_code,
            reason = "a hint that reads nothing, of which there is no safe form"
        )]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(at));
        }
    }
}

/// Bytes that are fetched together.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

#[cfg(not(target_arch = "x86_64"))]
const fn fetch<T>(_: &T) {}
