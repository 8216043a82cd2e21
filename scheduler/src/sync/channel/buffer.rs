//! The items that wait in a channel, in order.
//!
//! A bounded channel's ring is made with the channel. An unbounded one's grows by chunks, so that a long queue is never
//! copied; and since nothing is allocated under the channel's lock, a sender that finds no room brings some and tries again.
#![forbid(unsafe_code)]

use std::collections::VecDeque;

pub(super) type Chunk<T> = VecDeque<T>;

pub(super) struct Buffer<T> {
    /// Items are taken here. Empty only if there are none at all.
    front: Chunk<T>,
    /// Full chunks, and the one to which items are added, if that is not the front.
    rest: VecDeque<Chunk<T>>,
    spare: Option<Chunk<T>>,
    len: usize,
}

/// What a sender brings.
pub(super) struct Room<T> {
    chunk: Chunk<T>,
    /// A larger `rest`, if that is full.
    rest: VecDeque<Chunk<T>>,
}

/// Items in a chunk: about a page of them.
const fn chunk_len<T>() -> usize {
    let size = if size_of::<T>() == 0 {
        1
    } else {
        size_of::<T>()
    };
    let len = 4096 / size;
    if len < 8 {
        8
    } else if len > 256 {
        256
    } else {
        len
    }
}

impl<T> Buffer<T> {
    /// One that has room for so many, and grows if more come.
    pub(super) fn with_room(items: usize) -> Self {
        Buffer {
            front: Chunk::with_capacity(items),
            rest: VecDeque::new(),
            spare: None,
            len: 0,
        }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an item at the end, or gives it back: bring room.
    #[inline(always)]
    pub(super) fn push(&mut self, item: T) -> Result<(), T> {
        let last = self.rest.back_mut().unwrap_or(&mut self.front);
        if last.len() == last.capacity() {
            return self.push_in_spare(item);
        }
        last.push_back(item);
        self.len += 1;
        Ok(())
    }

    #[cold]
    fn push_in_spare(&mut self, item: T) -> Result<(), T> {
        let in_front = self.front.is_empty();
        if !in_front && self.rest.len() == self.rest.capacity() {
            return Err(item);
        }
        let Some(mut chunk) = self.spare.take() else {
            return Err(item);
        };
        chunk.push_back(item);
        self.len += 1;
        if in_front {
            // An empty chunk that is full has no memory.
            self.front = chunk;
        } else {
            self.rest.push_back(chunk);
        }
        Ok(())
    }

    /// Takes the oldest item. A chunk that is no longer needed goes to `trash`, to be freed outside the lock.
    #[inline(always)]
    pub(super) fn pop(&mut self, trash: &mut Option<Chunk<T>>) -> Option<T> {
        let item = self.front.pop_front()?;
        self.len -= 1;
        if self.front.is_empty() && !self.rest.is_empty() {
            self.turn(trash);
        }
        Some(item)
    }

    #[cold]
    fn turn(&mut self, trash: &mut Option<Chunk<T>>) {
        let next = self.rest.pop_front().expect("looked at just now");
        let empty = std::mem::replace(&mut self.front, next);
        if self.spare.is_none() {
            self.spare = Some(empty);
        } else {
            *trash = Some(empty);
        }
    }

    /// How long the list of chunks must become, if it must. Asked under the lock, answered by [`Room::new`] outside it.
    pub(super) fn wanted_rest(&self) -> usize {
        if self.rest.len() == self.rest.capacity() {
            (2 * self.rest.len()).max(4)
        } else {
            0
        }
    }

    /// Takes what it needs; the rest is for the caller to drop.
    pub(super) fn accept(&mut self, mut room: Room<T>) -> Room<T> {
        // The twin that a model must catch: another one may have brought room since this was asked for.
        if cfg!(feature = "bug_channel_grow") && self.rest.is_empty() {
            self.front = std::mem::take(&mut room.chunk);
            return room;
        }
        if room.rest.capacity() > self.rest.len() && self.rest.len() == self.rest.capacity() {
            room.rest.extend(self.rest.drain(..));
            std::mem::swap(&mut self.rest, &mut room.rest);
        }
        if self.spare.is_none() {
            self.spare = Some(std::mem::take(&mut room.chunk));
        }
        room
    }
}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Buffer::with_room(0)
    }
}

impl<T> Room<T> {
    pub(super) fn new(wanted_rest: usize) -> Self {
        Room {
            chunk: Chunk::with_capacity(chunk_len::<T>()),
            rest: VecDeque::with_capacity(wanted_rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push<T>(buffer: &mut Buffer<T>, item: T) {
        let mut item = item;
        while let Err(back) = buffer.push(item) {
            item = back;
            let room = Room::new(buffer.wanted_rest());
            buffer.accept(room);
        }
    }

    #[test]
    fn items_come_out_in_order_however_it_grows() {
        let mut buffer = Buffer::default();
        let (mut next_in, mut next_out) = (0_u64, 0_u64);
        let mut random = 7_u64;
        let mut trash = None;
        for _ in 0..2000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Mostly growing, then mostly shrinking.
            let growing = next_in < 200_000;
            let (ins, outs) = if growing { (400, 100) } else { (10, 500) };
            for _ in 0..(random >> 33) % ins {
                push(&mut buffer, next_in);
                next_in += 1;
            }
            for _ in 0..(random >> 40) % outs {
                let Some(item) = buffer.pop(&mut trash) else {
                    break;
                };
                assert_eq!(item, next_out);
                next_out += 1;
            }
            assert_eq!(buffer.len() as u64, next_in - next_out);
            assert_eq!(buffer.is_empty(), next_in == next_out);
        }
        while let Some(item) = buffer.pop(&mut trash) {
            assert_eq!(item, next_out);
            next_out += 1;
        }
        assert_eq!(next_in, next_out);
    }

    #[test]
    fn a_ring_that_is_large_enough_never_asks_for_room() {
        let mut buffer = Buffer::with_room(3);
        let mut trash = None;
        for item in 0..100 {
            buffer.push(item).expect("there is room");
            if buffer.len() == 3 {
                assert_eq!(buffer.pop(&mut trash), Some(item - 2));
            }
        }
        assert!(trash.is_none());
    }

    #[test]
    fn items_without_size_need_no_room() {
        let mut buffer = Buffer::default();
        for _ in 0..1000 {
            buffer.push(()).expect("there is room");
        }
        assert_eq!(buffer.len(), 1000);
    }

    #[test]
    fn a_steady_flow_uses_its_chunks_again() {
        let mut buffer = Buffer::default();
        let mut trash = None;
        for item in 0..10_000 {
            push(&mut buffer, item);
            push(&mut buffer, item);
            assert_eq!(buffer.pop(&mut trash), Some(item));
            assert_eq!(buffer.pop(&mut trash), Some(item));
        }
        assert!(buffer.rest.is_empty() && trash.is_none());
    }
}
