//! Which reader-writer locks a task has taken to read. A lock's word counts its readers and does not name them; whoever
//! looks for a circle of waits asks the tasks that wait themselves (`sync/lock_waits.rs`).
//!
//! Each task notes the first few; those beyond are not known, so a circle through one of them is not found.
//! What was noted in an earlier life of the record is none of this one's: the notes say by a number whose they are.
#![forbid(unsafe_code)]

use crate::primitive::ShownWord;

/// So many locks at a time.
const READS: usize = 4;

/// Owner: the task. Others look while it stands in the table of waits, and so changes nothing; or while they keep it from its
/// thread.
pub(crate) struct Reads {
    /// The number of the task.
    of: ShownWord,
    /// Addresses; 0 is none.
    locks: [ShownWord; READS],
}

impl Reads {
    pub(crate) fn new() -> Self {
        Reads {
            of: ShownWord::new(0),
            locks: std::array::from_fn(|_| ShownWord::new(0)),
        }
    }

    /// The task of this number has taken the lock.
    #[inline]
    pub(crate) fn begin(&self, me: u64, lock: usize) {
        if self.of.get() != me {
            self.clear(me);
        }
        if let Some(free) = self.locks.iter().find(|place| place.get() == 0) {
            free.set(lock as u64);
        }
    }

    #[cold]
    fn clear(&self, me: u64) {
        self.locks.iter().for_each(|place| place.set(0));
        self.of.set(me);
    }

    /// It has given it back, once.
    #[inline]
    pub(crate) fn end(&self, me: u64, lock: usize) {
        if self.of.get() == me
            && let Some(place) = self.place(lock)
        {
            place.set(0);
        }
    }

    #[inline]
    fn place(&self, lock: usize) -> Option<&ShownWord> {
        self.locks.iter().find(|place| place.get() == lock as u64)
    }

    /// Whether the task of this number reads under this lock.
    pub(crate) fn has(&self, whose: u64, lock: usize) -> bool {
        self.of.get() == whose && self.place(lock).is_some()
    }

    /// Whether it reads under any.
    #[inline]
    pub(crate) fn any(&self, whose: u64) -> bool {
        self.of.get() == whose && self.locks.iter().any(|place| place.get() != 0)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_twice_is_noted_twice() {
        let reads = Reads::new();
        reads.begin(7, 64);
        reads.begin(7, 64);
        reads.end(7, 64);
        assert!(reads.has(7, 64));
        reads.end(7, 64);
        assert!(!reads.has(7, 64) && !reads.any(7));
    }

    #[test]
    fn notes_of_an_earlier_life_are_nobodys() {
        let reads = Reads::new();
        reads.begin(7, 64);
        assert!(!reads.has(8, 64) && !reads.any(8));
        reads.begin(8, 128);
        assert!(reads.has(8, 128) && !reads.has(8, 64));
    }

    #[test]
    fn what_is_beyond_the_room_is_not_known_and_does_no_harm() {
        let reads = Reads::new();
        for lock in 1..=READS + 1 {
            reads.begin(7, lock * 64);
        }
        let last = (READS + 1) * 64;
        assert!(!reads.has(7, last));
        for lock in (1..=READS + 1).rev() {
            reads.end(7, lock * 64);
        }
        assert!(!reads.any(7));
    }
}
