//! The records of a scheduler's threads: made in chunks as threads come, never moved, gone with the scheduler.
//!
//! A record is found by its index without a lock, since queues and lists name threads by index. Only the number of
//! records grows; a thread that has ended leaves its record to the next one that starts.
#![forbid(unsafe_code)]

use std::sync::OnceLock;

use crate::primitive::{AtomicUsize, Ordering};

/// Chunks double, so that so many of them hold more threads than any kernel starts.
const CHUNKS: usize = 24;

pub(crate) struct Table<T> {
    chunks: [OnceLock<Box<[T]>>; CHUNKS],
    /// Records in the first chunk.
    first: usize,
    len: AtomicUsize,
}

impl<T> Table<T> {
    pub(crate) fn new(first: usize) -> Self {
        Table {
            chunks: [const { OnceLock::new() }; CHUNKS],
            first,
            len: AtomicUsize::new(0),
        }
    }

    /// How many records are in use or were.
    pub(crate) fn len(&self) -> usize {
        // Acquire: pairs with the release in `grow`; the records up to here are there.
        self.len.load(Ordering::Acquire)
    }

    /// One more record; its index. One caller at a time.
    pub(crate) fn grow(&self, make: impl Fn(usize) -> T) -> usize {
        let index = self.len.load(Ordering::Relaxed);
        let (chunk, _) = self.place(index);
        self.chunks[chunk].get_or_init(|| {
            let start = self.start(chunk);
            (start..self.start(chunk + 1)).map(make).collect()
        });
        // Release: who reads this length finds the record.
        self.len.store(index + 1, Ordering::Release);
        index
    }

    /// The record of this index, which somebody got from `grow`.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> &T {
        let (chunk, at) = self.place(index);
        let chunk = self.chunks[chunk].get();
        &chunk.expect("an index comes after its record")[at]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The index at which a chunk starts: each chunk doubles what was there before.
    fn start(&self, chunk: usize) -> usize {
        if chunk == 0 {
            0
        } else {
            self.first << (chunk - 1)
        }
    }

    fn place(&self, index: usize) -> (usize, usize) {
        if index < self.first {
            return (0, index);
        }
        let chunk = (index / self.first).ilog2() as usize + 1;
        (chunk, index - self.start(chunk))
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn records_stay_where_they_are_while_the_table_grows() {
        let table = Table::new(3);
        for index in 0..100 {
            assert_eq!(table.grow(|index| index), index);
        }
        let first = std::ptr::from_ref(table.get(0));
        assert!(table.iter().copied().eq(0..100));
        table.grow(|index| index);
        assert!(std::ptr::eq(first, table.get(0)));
        assert_eq!(table.len(), 101);
    }
}
