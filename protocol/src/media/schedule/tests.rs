use super::wire::wire_bytes;
use super::*;
use crate::id::{Context, PublicKey, Sign, Signature};
use crate::media::store::stripe_slot;
use crate::media::{StripeId, TierId};
use crate::time::TICK;
use crate::wire::chunk::{Flags, Header, OVERHEAD};

struct Nobody;

impl Sign for Nobody {
    fn public(&self) -> PublicKey {
        PublicKey([0; 32])
    }
    fn sign(&self, _: Context, _: &[u8]) -> Signature {
        Signature([0; 64])
    }
}

/// Payload of a chunk of a stripe of 800 kbit/s at its mean rate.
const PAYLOAD: usize = 10_000;

fn slot() -> Bitrate {
    wire::slot(Bitrate::from_kbps(800), 1)
}

fn wire_of_chunk() -> u64 {
    wire_bytes((PAYLOAD + OVERHEAD) as u64)
}

fn ms(ms: u64) -> Instant {
    Instant::from_micros(ms * 1000)
}

fn chunk(stripe: u8, block: u64) -> Chunk {
    let header = Header {
        flags: Flags::default(),
        stripe: StripeId {
            tier: TierId(1),
            index: stripe,
        },
        shards: 16,
        layout: 1,
        epoch: 1,
        block,
        captured: ChannelTime::from_micros(block * 100_000),
        block_len: 0,
    };
    Chunk::seal(&Nobody, header, &[0; PAYLOAD])
}

/// A schedule with its store; takes down when each line got which block of which stripe.
struct Rig {
    schedule: Schedule,
    store: Store,
    sent: Vec<(Instant, u32, u8, u64)>,
}

impl Rig {
    /// An uplink of so many slots.
    fn new(slots: u64) -> Self {
        Self {
            schedule: Schedule::new(Some(slot() * slots)),
            store: Store::new(1),
            sent: Vec::new(),
        }
    }

    fn open(&mut self, index: u32, class: Class, slots: u64) {
        self.schedule.open(index);
        self.schedule
            .set_share(ms(0), index, class, slot() * slots, slots as u32);
    }

    /// A new chunk comes for these lines.
    fn live(&mut self, now: Instant, stripe: u8, block: u64, lines: &[u32]) {
        let chunk = chunk(stripe, block);
        self.store.insert(&chunk);
        for line in lines {
            self.schedule.push(*line, entry(now, &chunk, Kind::Live));
        }
    }

    /// A line asks for all that the store has of a stripe.
    fn backlog(&mut self, now: Instant, line: u32, stripe: u8) {
        let stripe = StripeId {
            tier: TierId(1),
            index: stripe,
        };
        let entries = self
            .store
            .from(stripe, 0)
            .map(|chunk| entry(now, chunk, Kind::Backlog));
        self.schedule.backlog(now, line, entries);
    }

    /// Wakes the schedule whenever it wants, up to `end`; every transport takes all at once.
    fn until(&mut self, end: Instant) {
        while let Some(now) = self.schedule.wake_at().filter(|wake| *wake <= end) {
            let sent = &mut self.sent;
            self.schedule
                .poll(now, &self.store, &mut |schedule, index, chunk| {
                    let header = &chunk.header;
                    sent.push((now, index, header.stripe.index, header.block));
                    schedule.drained(now, index, chunk.frame().len() as u64);
                });
            self.schedule.check_invariants();
            assert!(
                self.schedule.wake_at().is_none_or(|next| next > now),
                "it does not spin"
            );
        }
    }

    fn blocks_of(&self, line: u32) -> Vec<u64> {
        let of_line = self.sent.iter().filter(|sent| sent.1 == line);
        of_line.map(|sent| sent.3).collect()
    }
}

fn entry(queued: Instant, chunk: &Chunk, kind: Kind) -> Entry {
    Entry {
        captured: chunk.header.captured,
        queued,
        block: chunk.header.block,
        stripe: stripe_slot(chunk.header.stripe).unwrap() as u8,
        kind,
    }
}

#[test]
fn in_no_time_is_more_sent_than_the_uplink_carries_in_it_and_one_burst() {
    let mut rig = Rig::new(4);
    for line in 0..4 {
        rig.open(line, Class::Leaf, 1);
    }
    for block in 0..100 {
        let now = ms(block * 100);
        rig.until(now);
        rig.live(now, 0, block, &[0, 1, 2, 3]);
        if block == 50 {
            rig.open(4, Class::Leaf, 0);
            rig.backlog(now, 4, 0);
        }
    }
    rig.until(ms(10_000));
    let burst = (slot() * 4).bytes_in(bucket::BURST).max(wire_of_chunk());
    for (first, (from, ..)) in rig.sent.iter().enumerate() {
        for (count, (to, ..)) in rig.sent[first..].iter().enumerate() {
            let bytes = (count as u64 + 1) * wire_of_chunk();
            assert!(
                bytes <= (slot() * 4).bytes_in(*to - *from) + burst,
                "from {from:?} to {to:?}"
            );
        }
    }
    for line in 0..4 {
        assert_eq!(rig.blocks_of(line), (0..100).collect::<Vec<_>>());
    }
    // Of 3.92 slots, the four lines leave as much as 0.27 chunks a tick.
    assert!((13..=15).contains(&rig.blocks_of(4).len()));
}

#[test]
fn under_overload_the_better_class_gets_all_and_is_never_late() {
    let mut rig = Rig::new(2);
    let classes = [Class::FreeRider, Class::OwnSponsor, Class::Leaf, Class::Sponsor];
    for (line, class) in classes.into_iter().enumerate() {
        rig.open(line as u32, class, 1);
    }
    for block in 0..30 {
        let now = ms(block * 100);
        rig.until(now);
        rig.live(now, 0, block, &[0, 1, 2, 3]);
    }
    rig.until(ms(2999));
    assert_eq!(rig.blocks_of(1).len(), 30);
    assert_eq!(rig.blocks_of(3).len(), 30);
    // 1.96 slots are 64.2 chunks in three seconds, and one at once.
    assert!(rig.blocks_of(2).len() <= 5, "what the two leave");
    assert!(rig.blocks_of(0).is_empty());
    assert!(rig.schedule.take_starved());
    assert!(!rig.schedule.in_time(ms(2999)));
}

#[test]
fn within_a_class_the_earliest_deadline_goes_first() {
    let mut rig = Rig::new(1);
    for line in 0..4 {
        rig.open(line, Class::Leaf, 1);
    }
    for (line, block) in [(0, 3), (1, 1), (2, 2), (3, 0)] {
        rig.live(ms(0), line as u8, block, &[line]);
    }
    rig.until(ms(1000));
    let order: Vec<u64> = rig.sent.iter().map(|sent| sent.3).collect();
    assert_eq!(order, [0, 1, 2, 3]);
}

#[test]
fn a_joiner_on_a_full_uplink_gets_its_slot_at_once_and_delays_nobody() {
    let mut rig = Rig::new(8);
    for line in 0..7 {
        rig.open(line, Class::Leaf, 1);
    }
    let feed = |rig: &mut Rig, blocks: core::ops::Range<u64>, lines: &[u32]| {
        for block in blocks {
            let now = ms(block * 100);
            rig.until(now);
            rig.live(now, 0, block, lines);
        }
    };
    feed(&mut rig, 0..40, &[0, 1, 2, 3, 4, 5, 6]);
    rig.open(7, Class::Leaf, 1);
    rig.backlog(ms(3950), 7, 0);
    feed(&mut rig, 40..80, &[0, 1, 2, 3, 4, 5, 6, 7]);
    rig.until(ms(8000));
    let waited = |sent: &&(Instant, u32, u8, u64)| sent.0 - ms(sent.3 * 100);
    let live = rig.sent.iter().filter(|sent| sent.1 < 7);
    let longest = live.map(|sent| waited(&sent)).max().unwrap();
    assert!(longest <= TICK, "live chunks waited {longest:?}");
    let joiner: Vec<_> = rig.sent.iter().filter(|sent| sent.1 == 7).collect();
    assert_eq!(
        rig.blocks_of(7),
        (0..65).collect::<Vec<_>>(),
        "in order, without a gap"
    );
    // Its own slot and the tenth of seven others: 1.7 slots, 18 blocks a second.
    let first_second = joiner.iter().filter(|sent| sent.0 <= ms(4950)).count();
    assert!(first_second >= 16, "{first_second} blocks in the first second");
    assert!(rig.schedule.in_time(ms(8000)), "backlog is not late");
}

#[test]
fn what_nobody_is_owed_goes_to_who_is_furthest_behind() {
    let mut rig = Rig::new(2);
    for block in 0..20 {
        rig.live(ms(0), 0, block, &[]);
        rig.live(ms(0), 1, block + 10, &[]);
    }
    rig.open(0, Class::Leaf, 0);
    rig.open(1, Class::Leaf, 0);
    rig.open(2, Class::FreeRider, 0);
    rig.backlog(ms(0), 2, 0);
    rig.backlog(ms(0), 0, 1);
    rig.backlog(ms(0), 1, 0);
    rig.until(ms(10_000));
    let order: Vec<u64> = rig.sent[..40].iter().map(|sent| sent.3).collect();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(order, sorted, "oldest first across lines");
    assert!(
        rig.sent[40..].iter().all(|sent| sent.1 == 2),
        "and a worse class after all others"
    );
}

#[test]
fn without_a_cap_all_goes_at_once() {
    let mut rig = Rig::new(0);
    rig.schedule = Schedule::new(None);
    rig.open(0, Class::Leaf, 0);
    for block in 0..50 {
        rig.live(ms(0), 0, block, &[]);
    }
    rig.backlog(ms(0), 0, 0);
    rig.until(ms(0));
    assert_eq!(rig.blocks_of(0).len(), 50);
    assert_eq!(rig.schedule.wake_at(), None);
}

#[test]
fn a_full_uplink_is_served_in_steps_of_half_a_burst() {
    let mut rig = Rig::new(200);
    rig.open(0, Class::Leaf, 200);
    for stripe in 0..16 {
        for block in 0..100 {
            rig.live(ms(0), stripe, block, &[]);
        }
        rig.backlog(ms(0), 0, stripe);
    }
    rig.until(ms(500));
    let mut times: Vec<Instant> = rig.sent.iter().map(|sent| sent.0).collect();
    times.dedup();
    assert!(rig.sent.len() > 900, "{} chunks", rig.sent.len());
    assert!(times.len() <= 60, "{} steps", times.len());
}

#[test]
fn one_child_that_takes_slowly_has_a_slow_line_unless_others_wait_for_our_uplink_too() {
    let mut rig = Rig::new(0);
    rig.schedule = Schedule::new(None);
    for line in 0..3 {
        rig.open(line, Class::Leaf, 1);
        rig.schedule.round_trip(ms(0), line, Duration::from_millis(30));
    }
    let bytes = chunk(0, 0).frame().len() as u64;
    for block in 0..30 {
        let now = ms(block * 100);
        rig.live(now, 0, block, &[0, 1, 2]);
        let sent = &mut rig.sent;
        rig.schedule.poll(now, &rig.store, &mut |schedule, index, chunk| {
            sent.push((now, index, 0, chunk.header.block));
            if index > 0 {
                schedule.drained(now, index, bytes);
            }
        });
        // The first takes half of what it is sent.
        if block % 2 == 0 {
            rig.schedule.drained(now, 0, bytes);
        }
    }
    let now = ms(2_900);
    assert!(rig.blocks_of(0).len() < 25 && rig.blocks_of(1).len() == 30);
    let swell = |rig: &mut Rig, line| rig.schedule.round_trip(now, line, Duration::from_millis(220));
    assert!(rig.schedule.in_time(now), "it is its own line");
    swell(&mut rig, 0);
    assert!(rig.schedule.in_time(now), "whose queue may be its own");
    swell(&mut rig, 2);
    assert!(!rig.schedule.in_time(now), "the queue is in the way of others");
}

#[test]
fn what_stands_in_a_queue_behind_us_is_late_whoever_takes_all_that_it_is_sent() {
    let mut rig = Rig::new(0);
    rig.schedule = Schedule::new(None);
    for line in 0..4 {
        rig.open(line, Class::Leaf, u64::from(line < 2));
        rig.schedule.round_trip(ms(0), line, Duration::from_millis(30));
    }
    let swell = |rig: &mut Rig, at, lines: core::ops::Range<u32>| {
        lines.for_each(|line| rig.schedule.round_trip(at, line, Duration::from_millis(300)));
        rig.schedule.in_time(at)
    };
    assert!(
        swell(&mut rig, ms(1_000), 0..2) && swell(&mut rig, ms(2_000), 0..2),
        "their own queues"
    );
    assert!(swell(&mut rig, ms(2_500), 0..3), "a moment's burst");
    assert!(
        !swell(&mut rig, ms(3_500), 0..3),
        "most links wait, and not only to children"
    );
}

#[test]
fn what_those_hold_back_who_have_only_begun_says_nothing_of_our_uplink() {
    let mut rig = Rig::new(0);
    rig.schedule = Schedule::new(None);
    let bytes = chunk(0, 0).frame().len() as u64;
    // The transports have so many chunks of each child; `taken` of them go.
    let step = |rig: &mut Rig, block: u64, taken: u64| {
        let now = ms(block * 100);
        rig.live(now, 0, block, &[0, 1]);
        rig.schedule.poll(now, &rig.store, &mut |_, _, _| {});
        for line in 0..2 {
            rig.schedule.drained(now, line, taken * bytes);
        }
        rig.schedule.is_strained(now)
    };
    let begin = |rig: &mut Rig, now: Instant| {
        for line in 0..2 {
            rig.schedule.open(line);
            rig.schedule.set_share(now, line, Class::Leaf, slot(), 1);
            rig.backlog(now, line, 0);
        }
    };
    for block in 0..6 {
        rig.live(ms(0), 0, block, &[]);
    }
    begin(&mut rig, ms(500));
    assert!(
        (6..12).all(|block| !step(&mut rig, block, 1)),
        "a backlog goes out"
    );
    assert!(!step(&mut rig, 12, 9), "all is taken");
    assert!(!step(&mut rig, 13, 0), "one chunk is no more than comes together");
    assert!(step(&mut rig, 14, 0), "now it is held back");
    begin(&mut rig, ms(1_400));
    let first = (15..100).find(|block| step(&mut rig, *block, block % 2));
    assert_eq!(first, Some(65), "nothing takes so long to begin");
}

#[test]
fn a_dead_child_beside_a_slow_one_is_not_our_uplink() {
    let mut rig = Rig::new(0);
    rig.schedule = Schedule::new(None);
    let bytes = chunk(0, 0).frame().len() as u64;
    for line in 0..3 {
        rig.open(line, Class::Leaf, 1);
    }
    // From the fifth block on the first is dead; of the others' chunks the transports take so many more than come.
    let mut step = |block: u64, second: u64, third: u64| {
        let now = ms(block * 100);
        rig.live(now, 0, block, &[0, 1, 2]);
        rig.schedule.poll(now, &rig.store, &mut |_, _, _| {});
        for (line, taken) in [(0, u64::from(block < 5)), (1, second), (2, third)] {
            if taken > 0 {
                rig.schedule.drained(now, line, taken * bytes);
            }
        }
        rig.schedule.is_strained(now)
    };
    assert!((0..9).all(|block| !step(block, 1, 1)), "one alone");
    assert!(
        !step(9, 0, 1) && !step(10, 0, 1) && !step(11, 0, 1),
        "one of two that live"
    );
    assert!(!step(12, 3, 1) && !step(13, 1, 1));
    let slowly = (14..30).find(|block| step(*block, block % 2, block % 2));
    assert!(slowly.is_some(), "all that live");
}
