//! Which reader-writer locks a task has taken to read. A lock's word counts its readers and does not name them; whoever
//! looks for a circle of waits asks the tasks that wait themselves (`sync/lock_waits.rs`).
//!
//! A task notes each lock in a place of its own, which the guard remembers. The record has a few places, and gets more, for
//! good, when a task reads under more locks at once.
//! What was noted in an earlier life of the record is none of this one's: the notes say by a number whose they are.
#![forbid(unsafe_code)]

use std::sync::OnceLock;

use crate::primitive::ShownWord;

/// So many locks at a time without an allocation.
const READS: usize = 2;
/// And so many with each allocation more.
const READS_MORE: usize = 32;

/// Owner: the task. Others look while it stands in the table of waits, and so changes nothing; or while they keep it from its
/// thread.
pub(crate) struct Reads {
    /// The number of the task.
    of: ShownWord,
    /// Addresses; 0 is none.
    first: [ShownWord; READS],
    more: OnceLock<Box<More>>,
}

struct More {
    places: [ShownWord; READS_MORE],
    more: OnceLock<Box<More>>,
}

impl More {
    fn new() -> Box<More> {
        Box::new(More {
            places: std::array::from_fn(|_| ShownWord::new(0)),
            more: OnceLock::new(),
        })
    }
}

/// Where a lock was noted, until it is given back.
#[derive(Clone, Copy)]
pub(crate) struct Note(&'static ShownWord);

impl Note {
    /// The lock is given back. If the guard has outlived its task, the place may be another one's by now.
    #[inline(always)]
    pub(crate) fn end(self, lock: usize) {
        if self.0.get() == lock as u64 {
            self.0.set(0);
        }
    }
}

impl Reads {
    pub(crate) fn new() -> Self {
        Reads {
            of: ShownWord::new(0),
            first: std::array::from_fn(|_| ShownWord::new(0)),
            more: OnceLock::new(),
        }
    }

    /// The task of this number has taken the lock.
    #[inline]
    pub(crate) fn begin(&'static self, me: u64, lock: usize) -> Note {
        if self.of.get() != me {
            self.clear(me);
        }
        let first = &self.first[0];
        let place = if first.get() == 0 {
            first
        } else {
            self.another_place()
        };
        place.set(lock as u64);
        Note(place)
    }

    #[cold]
    fn clear(&self, me: u64) {
        self.places().for_each(|place| place.set(0));
        self.of.set(me);
    }

    #[cold]
    fn another_place(&'static self) -> &'static ShownWord {
        let is_free = |place: &&ShownWord| place.get() == 0;
        if let Some(free) = self.places().find(is_free) {
            return free;
        }
        let mut last = &self.more;
        while let Some(more) = last.get() {
            last = &more.more;
        }
        &last.get_or_init(More::new).places[0]
    }

    fn places(&self) -> impl Iterator<Item = &ShownWord> {
        let more = std::iter::successors(self.more.get(), |more| more.more.get());
        self.first
            .iter()
            .chain(more.flat_map(|more| more.places.iter()))
    }

    /// Whether the task of this number reads under this lock.
    pub(crate) fn has(&self, whose: u64, lock: usize) -> bool {
        self.of.get() == whose && self.places().any(|place| place.get() == lock as u64)
    }

    /// Whether it reads under any.
    #[inline]
    pub(crate) fn any(&self, whose: u64) -> bool {
        self.of.get() == whose && self.places().any(|place| place.get() != 0)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    #[test]
    fn what_is_taken_twice_is_noted_twice() {
        static READS_OF_ONE: LazyLock<Reads> = LazyLock::new(Reads::new);
        let reads = &*READS_OF_ONE;
        let notes = [reads.begin(7, 64), reads.begin(7, 64)];
        notes[0].end(64);
        assert!(reads.has(7, 64));
        notes[1].end(64);
        assert!(!reads.has(7, 64) && !reads.any(7));
    }

    #[test]
    fn notes_of_an_earlier_life_are_nobodys() {
        static READS_OF_ONE: LazyLock<Reads> = LazyLock::new(Reads::new);
        let reads = &*READS_OF_ONE;
        let old = reads.begin(7, 64);
        assert!(!reads.has(8, 64) && !reads.any(8));
        let new = reads.begin(8, 128);
        assert!(reads.has(8, 128) && !reads.has(8, 64));
        // A guard that was left behind.
        old.end(64);
        assert!(reads.has(8, 128));
        new.end(128);
        assert!(!reads.any(8));
    }

    #[test]
    fn any_number_of_locks_is_known() {
        const LOCKS: usize = READS + 2 * READS_MORE + 1;
        static READS_OF_ONE: LazyLock<Reads> = LazyLock::new(Reads::new);
        let reads = &*READS_OF_ONE;
        for round in 0..2 {
            let notes: Vec<_> = (1..=LOCKS).map(|lock| reads.begin(7, lock * 64)).collect();
            assert!((1..=LOCKS).all(|lock| reads.has(7, lock * 64)), "{round}");
            for (note, lock) in notes.into_iter().zip(1..LOCKS + 1).rev() {
                assert!(reads.has(7, lock * 64));
                note.end(lock * 64);
                assert!(!reads.has(7, lock * 64));
            }
            assert!(!reads.any(7));
        }
        let blocks = std::iter::successors(reads.more.get(), |more| more.more.get());
        assert_eq!(blocks.count(), 3, "places are used again");
    }
}
