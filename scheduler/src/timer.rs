//! Deadlines of one slot: a hierarchical timing wheel, exact to the nanosecond. It never reads a clock.
//!
//! Nearly all deadlines are time limits of waits that end earlier: arming and cancelling take constant time, and touch no
//! other entry but the neighbours in a list. An entry names a wait by its epoch.
//!
//! # The wheel
//!
//! *base* is a time that no entry is before. A time is a number in base 64, and an entry stands at the level of the highest
//! digit in which its time differs from *base*, in the bucket of that digit:
//!
//! ```text
//! level 0: 64 buckets of 1 ns      those that differ from base in the last digit alone
//! level 1: 64 buckets of 64 ns     ... in the digit before, but in none before that
//! level 2: 64 buckets of 4 µs      and so on; level 10 holds the rest
//! ```
//!
//! So what stands at a lower level is earlier than all that stands at a higher one, and in each level the first bucket is
//! the earliest: the first bucket of the lowest level that has any is where the next entry is.
//! When its time has come *base* moves to the bucket's beginning and its entries go to lower levels; at level 0 they are due.
//! An entry goes down once a level at most, and one that is cancelled long before its time never does.
//!
//! # Cancelling
//!
//! [`arm`](Timers::arm) writes the entry's place into the task's record. That is a hint: [`cancel`](Timers::cancel) looks
//! whether the entry there is of the wait that is meant. So it does not matter who writes last, when a task was woken and
//! runs elsewhere, perhaps in its next wait, before its timer was armed here.
//! A wait that was armed in another slot leaves its entry behind there, since only who has that slot may touch it;
//! such an entry is *dead* and does nothing when its time comes.
//! Dead ones are swept before the entries get more memory, and they get more only if half of them are alive after that:
//! so there is a bound on their number, and sweeping costs amortised constant time.
//!
//! Rejected: a heap that only sweeps dead entries. On average it costs as much with few entries and less with 100,000
//! (57 ns to arm and cancel one, against 80), but one cancel in so many then looks at all tasks and takes 1.2 ms,
//! and where waits are armed in one slot and end in another nobody knows when to sweep.
#![forbid(unsafe_code)]

use crate::primitive::Ordering;
use crate::task::Task;
use crate::task::state::Epoch;

/// Bits of a digit.
const DIGIT: u32 = 6;
const BUCKETS: usize = 1 << DIGIT;
/// Digits of a time.
const LEVELS: usize = u64::BITS.div_ceil(DIGIT) as usize;
/// Room for so many entries is made with the first one.
const ENTRIES_FIRST: usize = 64;

/// No entry.
const NONE: u32 = u32::MAX;
/// `Entry::bucket` of one that is not in use.
const UNUSED: u16 = u16::MAX;

#[derive(Clone, Copy)]
pub(crate) struct Timer {
    /// In nanoseconds of the scheduler's clock.
    pub(crate) at: u64,
    pub(crate) task: &'static Task,
    pub(crate) epoch: Epoch,
}

/// A timer in the list of its bucket, or in that of the unused ones.
struct Entry {
    at: u64,
    task: &'static Task,
    epoch: Epoch,
    next: u32,
    /// Not kept by the unused ones.
    prev: u32,
    bucket: u16,
}

impl Entry {
    fn is_of(&self, task: &Task, epoch: Epoch) -> bool {
        self.bucket != UNUSED && self.epoch == epoch && std::ptr::eq(self.task, task)
    }

    fn is_dead(&self) -> bool {
        !self.task.wait.is_armed_for(self.epoch)
    }
}

#[derive(Clone, Copy)]
struct Bucket {
    first: u32,
    /// No entry in it is before this one. Exact unless the earliest was cancelled.
    earliest: u64,
}

/// See the module docs.
pub(crate) struct Timers {
    base: u64,
    /// Which levels have entries, and which of their buckets do.
    levels: u32,
    occupied: [u64; LEVELS],
    /// Made with the first entry.
    buckets: Vec<Bucket>,
    entries: Vec<Entry>,
    unused: u32,
    len: usize,
}

impl Timers {
    pub(crate) const fn new() -> Self {
        Timers {
            base: 0,
            levels: 0,
            occupied: [0; LEVELS],
            buckets: Vec::new(),
            entries: Vec::new(),
            unused: NONE,
            len: 0,
        }
    }

    /// The earliest time, or one before it at which the wheel has to be turned (`pop_due`) to know better.
    pub(crate) fn next(&self) -> Option<u64> {
        let (level, digit) = self.first_bucket()?;
        Some(self.buckets[index(level, digit)].earliest)
    }

    pub(crate) fn arm(&mut self, timer: Timer) {
        if self.unused == NONE && self.entries.len() == self.entries.capacity() {
            self.make_room();
        }
        let entry = Entry {
            at: timer.at,
            task: timer.task,
            epoch: timer.epoch,
            next: NONE,
            prev: NONE,
            bucket: UNUSED,
        };
        let place = if self.unused == NONE {
            self.entries.push(entry);
            (self.entries.len() - 1) as u32
        } else {
            let place = self.unused;
            let reused = &mut self.entries[place as usize];
            self.unused = reused.next;
            *reused = entry;
            place
        };
        self.len += 1;
        self.link(place);
        // Relaxed: a hint (module docs).
        timer.task.timer.store(place, Ordering::Relaxed);
    }

    /// Takes out the entry of the wait that has just ended, if it is here. The task itself calls this.
    pub(crate) fn cancel(&mut self, task: &Task) {
        let place = task.timer.load(Ordering::Relaxed);
        let epoch = task.wait.last_epoch();
        let entry = self.entries.get(place as usize);
        if entry.is_some_and(|entry| entry.is_of(task, epoch)) {
            self.take_out(place);
        }
    }

    /// Takes the earliest one if its time has come.
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<Timer> {
        loop {
            let (level, digit) = self.first_bucket()?;
            let begin = self.beginning(level, digit);
            if begin > now {
                // Nothing stands between the two, so what is armed next need not go through so many levels.
                self.base = self.base.max(now);
                return None;
            }
            if level == 0 {
                let place = self.buckets[index(level, digit)].first;
                self.take_out(place);
                let Entry {
                    at, task, epoch, ..
                } = self.entries[place as usize];
                return Some(Timer { at, task, epoch });
            }
            self.base = begin;
            self.spread(level, digit);
        }
    }

    fn first_bucket(&self) -> Option<(usize, usize)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        Some((level, self.occupied[level].trailing_zeros() as usize))
    }

    /// The first time of a bucket.
    fn beginning(&self, level: usize, digit: usize) -> u64 {
        let shift = level as u32 * DIGIT;
        let above = u64::MAX.checked_shl(shift + DIGIT).unwrap_or(0);
        (self.base & above) | (digit as u64) << shift
    }

    /// The entries of a bucket at whose beginning *base* is go to lower levels.
    fn spread(&mut self, level: usize, digit: usize) {
        let mut place = self.buckets[index(level, digit)].first;
        self.vacate(level, digit);
        while place != NONE {
            let next = self.entries[place as usize].next;
            self.link(place);
            place = next;
        }
    }

    /// Puts an entry into the bucket of its time.
    fn link(&mut self, place: u32) {
        let entry = &mut self.entries[place as usize];
        // One whose time has passed is due at once.
        let at = entry.at.max(self.base);
        let level = ((at ^ self.base) | 1).ilog2() / DIGIT;
        let digit = (at >> (level * DIGIT)) as usize % BUCKETS;
        let level = level as usize;
        let bucket = &mut self.buckets[index(level, digit)];
        let first = bucket.first;
        bucket.first = place;
        bucket.earliest = bucket.earliest.min(at);
        self.levels |= 1 << level;
        self.occupied[level] |= 1 << digit;
        entry.bucket = index(level, digit) as u16;
        entry.next = first;
        entry.prev = NONE;
        if first != NONE {
            self.entries[first as usize].prev = place;
        }
    }

    fn take_out(&mut self, place: u32) {
        let entry = &mut self.entries[place as usize];
        let (next, prev, bucket) = (entry.next, entry.prev, entry.bucket as usize);
        entry.bucket = UNUSED;
        entry.next = self.unused;
        self.unused = place;
        self.len -= 1;
        if next != NONE {
            self.entries[next as usize].prev = prev;
        }
        if prev != NONE {
            self.entries[prev as usize].next = next;
        } else if next != NONE {
            self.buckets[bucket].first = next;
        } else {
            self.vacate(bucket / BUCKETS, bucket % BUCKETS);
        }
    }

    fn vacate(&mut self, level: usize, digit: usize) {
        self.buckets[index(level, digit)] = Bucket {
            first: NONE,
            earliest: u64::MAX,
        };
        self.occupied[level] &= !(1 << digit);
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
    }

    /// All entries are in use.
    #[cold]
    fn make_room(&mut self) {
        if self.buckets.is_empty() {
            let empty = Bucket {
                first: NONE,
                earliest: u64::MAX,
            };
            self.buckets = vec![empty; LEVELS * BUCKETS];
        }
        for place in 0..self.entries.len() {
            if self.entries[place].is_dead() {
                self.take_out(place as u32);
            }
        }
        if self.len >= self.entries.len() / 2 {
            let more = self.entries.len().max(ENTRIES_FIRST);
            self.entries.reserve_exact(more);
        }
    }
}

/// Of a bucket, among those of all levels.
fn index(level: usize, digit: usize) -> usize {
    level * BUCKETS + digit
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::wait::{Interrupt, Wake};

    fn task() -> &'static Task {
        crate::task::pool::get().expect("memory for a record")
    }

    /// SplitMix64.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }

        fn below(&mut self, end: u64) -> u64 {
            self.next() % end
        }

        /// Any number of digits.
        fn span(&mut self) -> u64 {
            self.next() >> self.below(64)
        }
    }

    /// Every list is linked both ways, and every bit says what is there.
    fn check(timers: &Timers) {
        let mut found = 0;
        for level in 0..LEVELS {
            assert_eq!(
                timers.levels >> level & 1 != 0,
                timers.occupied[level] != 0,
                "level {level}"
            );
            for digit in 0..BUCKETS {
                let Some(bucket) = timers.buckets.get(index(level, digit)) else {
                    continue;
                };
                let occupied = timers.occupied[level] >> digit & 1 != 0;
                assert_eq!(occupied, bucket.first != NONE, "level {level}, {digit}");
                let mut before = NONE;
                let mut place = bucket.first;
                while place != NONE {
                    let entry = &timers.entries[place as usize];
                    assert_eq!(entry.prev, before);
                    assert_eq!(entry.bucket as usize, index(level, digit));
                    let begin = timers.beginning(level, digit);
                    let at = entry.at.max(timers.base);
                    assert!(timers.base <= begin || level == 0);
                    assert!(begin <= at && at >= bucket.earliest);
                    assert!(at - begin < 1 << (level as u32 * DIGIT));
                    found += 1;
                    before = place;
                    place = entry.next;
                }
            }
        }
        assert_eq!(found, timers.len);
    }

    #[test]
    fn they_come_out_in_order_and_not_before_their_time() {
        let task = task();
        let mut timers = Timers::new();
        let mut at = 7_u64;
        for _ in 0..1000 {
            at = at
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            timers.arm(Timer {
                at: at >> 40,
                task,
                epoch: Epoch::test(1),
            });
        }
        let mut last = 0;
        while let Some(next) = timers.next() {
            if next > 0 {
                assert!(timers.pop_due(next - 1).is_none());
            }
            let timer = timers.pop_due(next).expect("its time has come");
            assert!(timer.at >= last);
            last = timer.at;
        }
        assert_eq!(timers.len, 0);
    }

    #[test]
    fn dead_ones_are_swept_and_live_ones_stay() {
        let mut timers = Timers::new();
        let live = task();
        let live_epoch = live.wait.arm(Interrupt::Alert);
        timers.arm(Timer {
            at: 5,
            task: live,
            epoch: live_epoch,
        });
        let dead = task();
        for at in 0..1000 {
            timers.arm(Timer {
                at,
                task: dead,
                epoch: Epoch::test(9999),
            });
        }
        assert!(timers.len < 200, "{} entries left", timers.len);
        check(&timers);
        let mut found = false;
        while let Some(timer) = timers.pop_due(u64::MAX) {
            found |= timer.epoch == live_epoch && std::ptr::eq(timer.task, live);
        }
        assert!(found);
    }

    /// What the wheel is compared with: the live entries, and the dead ones, which may or may not be there.
    #[derive(Default)]
    struct Sorted {
        /// When it is due: at its time, or when it was armed if that was later.
        live: Vec<(u64, &'static Task)>,
        dead: Vec<(&'static Task, Epoch)>,
    }

    impl Sorted {
        fn earliest(&self) -> Option<u64> {
            self.live.iter().map(|&(due, _)| due).min()
        }

        /// Takes what the wheel gave out at a time; it was in its turn. Returns the task if its wait was on.
        fn take(&mut self, timer: Timer, now: u64) -> Option<&'static Task> {
            let Timer { at, task, epoch } = timer;
            assert!(at <= now, "{at} came at {now}");
            if task.wait.claim(epoch, Wake::TimedOut, 0) {
                let of = |&(_, other): &(u64, &Task)| std::ptr::eq(other, task);
                let index = self.live.iter().position(of).expect("one that was armed");
                assert_eq!(Some(self.live[index].0), self.earliest(), "in order");
                self.live.swap_remove(index);
                return Some(task);
            }
            let of = |&(other, of): &(&Task, Epoch)| std::ptr::eq(other, task) && of == epoch;
            let index = self.dead.iter().position(of).expect("one that was left");
            self.dead.swap_remove(index);
            None
        }
    }

    fn end(task: &'static Task) {
        let ended = task.wait.claim(task.wait.last_epoch(), Wake::Signalled, 0);
        assert!(ended, "its wait was on");
    }

    /// One run of random operations; `span` says how far away the times are.
    fn play(seed: u64, span: impl Fn(&mut Random) -> u64) {
        let mut random = Random(seed);
        let (mut timers, mut sorted) = (Timers::new(), Sorted::default());
        let mut idle: Vec<&'static Task> = (0..300).map(|_| task()).collect();
        let mut now = span(&mut random) / 2;
        for _ in 0..5000 {
            match random.below(10) {
                0..4 => {
                    let Some(task) = idle.pop() else { continue };
                    let epoch = task.wait.arm(Interrupt::Alert);
                    let at = if random.below(16) == 0 {
                        now.saturating_sub(span(&mut random))
                    } else {
                        now.saturating_add(span(&mut random)).min(u64::MAX - 1)
                    };
                    timers.arm(Timer { at, task, epoch });
                    sorted.live.push((at.max(now), task));
                }
                4..7 if !sorted.live.is_empty() => {
                    let index = random.below(sorted.live.len() as u64) as usize;
                    let (_, task) = sorted.live.swap_remove(index);
                    end(task);
                    if random.below(8) == 0 {
                        // As if it ended elsewhere.
                        sorted.dead.push((task, task.wait.last_epoch()));
                    } else {
                        timers.cancel(task);
                    }
                    idle.push(task);
                }
                7 => {
                    // Other waits of the same tasks, whose entries are elsewhere: nothing is taken.
                    let before = timers.len;
                    for &task in &idle {
                        task.wait.arm(Interrupt::Alert);
                        end(task);
                        timers.cancel(task);
                    }
                    assert_eq!(timers.len, before);
                }
                8 => {
                    // A taker whose reading of the clock is older than the owner's.
                    let earlier = now - random.below(1 + now.min(5000));
                    if let Some(timer) = timers.pop_due(earlier) {
                        idle.extend(sorted.take(timer, earlier));
                    }
                }
                _ => {
                    now = match (random.below(3), timers.next()) {
                        (0, Some(next)) => now.max(next),
                        (1, Some(next)) => now.max(next - next.min(1)),
                        _ => now.saturating_add(span(&mut random) / 8),
                    };
                    while let Some(timer) = timers.pop_due(now) {
                        idle.extend(sorted.take(timer, now));
                    }
                    assert!(sorted.earliest().is_none_or(|at| at > now), "none is late");
                }
            }
            check(&timers);
            let early = sorted
                .earliest()
                .is_none_or(|at| timers.next().is_some_and(|next| next <= at));
            assert!(early, "the worker wakes up in time");
        }
        for (_, task) in sorted.live.drain(..) {
            end(task);
            timers.cancel(task);
        }
        while let Some(timer) = timers.pop_due(u64::MAX) {
            sorted.take(timer, u64::MAX);
        }
        assert_eq!(timers.len, 0);
    }

    #[test]
    fn they_do_what_a_sorted_list_does() {
        for seed in 0..40 {
            println!("seed {seed}");
            match seed % 4 {
                0 => play(seed, Random::span),
                1 => play(seed, |random| random.below(1000)),
                2 => play(seed, |random| random.below(1 << 24)),
                _ => play(seed, |random| (random.below(4) << 30) + random.below(3)),
            }
        }
    }

    #[test]
    fn the_next_time_is_exact_unless_an_earlier_one_was_cancelled() {
        let mut random = Random(5);
        for _ in 0..200 {
            let mut timers = Timers::new();
            let mut earliest = u64::MAX;
            for _ in 0..20 {
                let at = random.span().min(u64::MAX - 1);
                earliest = earliest.min(at);
                let task = task();
                let epoch = task.wait.arm(Interrupt::Alert);
                timers.arm(Timer { at, task, epoch });
                assert_eq!(timers.next(), Some(earliest));
            }
        }
    }

    /// A worker that sleeps until the next time wakes up for nothing once for each cancelled timer at most.
    #[test]
    fn one_wakes_up_for_nothing_at_most_once_for_each_that_was_cancelled() {
        let mut random = Random(6);
        for count in [2_usize, 10, 1000] {
            let mut timers = Timers::new();
            let tasks: Vec<_> = (0..count).map(|_| task()).collect();
            for &task in &tasks {
                let epoch = task.wait.arm(Interrupt::Alert);
                let at = random.below(3_600_000_000_000);
                timers.arm(Timer { at, task, epoch });
            }
            let cancelled = count / 2;
            for &task in &tasks[..cancelled] {
                end(task);
                timers.cancel(task);
            }
            let (mut fired, mut in_vain) = (0, 0);
            while let Some(next) = timers.next() {
                let before = fired;
                while timers.pop_due(next).is_some() {
                    fired += 1;
                }
                if fired == before {
                    in_vain += 1;
                    assert!(timers.next().is_none_or(|after| after > next));
                }
            }
            assert_eq!(fired, count - cancelled);
            println!("{in_vain} in vain, {cancelled} cancelled");
            assert!(in_vain <= cancelled);
        }
    }

    /// Waits that end in another slot leave their entries; there is a bound on them whatever is done elsewhere.
    #[test]
    fn entries_left_behind_do_not_pile_up() {
        let mut timers = Timers::new();
        let tasks: Vec<_> = (0..50).map(|_| task()).collect();
        for round in 0..1000 {
            for &task in &tasks {
                let epoch = task.wait.arm(Interrupt::Alert);
                let at = 1_000_000_000 + round;
                timers.arm(Timer { at, task, epoch });
            }
            tasks.iter().for_each(|task| end(task));
        }
        assert!(
            timers.entries.capacity() <= 256,
            "{}",
            timers.entries.capacity()
        );
    }
}
