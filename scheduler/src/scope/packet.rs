//! The place of a scoped task's result: it belongs to the task and to the handle, and goes with whichever is later.
//!
//! As two `Arc`s would be, but for memory that is refused, which is an error here.
//!
//! Room for unsafe code: memory with two owners.

use std::any::Any;
use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::primitive::{AtomicUsize, For, Ordering, SpinLock};
use crate::task::payload::try_box;

/// What a scoped task leaves: its result, or its panic.
type Kept<T> = Result<T, Box<dyn Any + Send>>;

struct Place<T> {
    owners: AtomicUsize,
    result: SpinLock<Option<Kept<T>>>,
}

/// One of the two owners.
pub(super) struct Packet<T> {
    place: NonNull<Place<T>>,
    owned: PhantomData<Place<T>>,
}

// SAFETY: as of an `Arc` of the place: results go from one thread to another, one at a time.
unsafe impl<T: Send> Send for Packet<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Packet<T> {}

impl<T> Packet<T> {
    /// Both owners of an empty place. `None`: memory was refused.
    pub(super) fn pair() -> Option<(Packet<T>, Packet<T>)> {
        let place = Place {
            owners: AtomicUsize::new(2),
            result: SpinLock::new(For::Scope, None),
        };
        let place = NonNull::from(Box::leak(Box::write(try_box()?, place)));
        let owner = || Packet {
            place,
            owned: PhantomData,
        };
        Some((owner(), owner()))
    }

    fn result(&self) -> &SpinLock<Option<Kept<T>>> {
        // SAFETY: the place stays until both owners are gone.
        unsafe { &self.place.as_ref().result }
    }

    pub(super) fn put(&self, result: Kept<T>) {
        *self.result().lock() = Some(result);
    }

    pub(super) fn take(&self) -> Option<Kept<T>> {
        self.result().lock().take()
    }
}

impl<T> Drop for Packet<T> {
    fn drop(&mut self) {
        // SAFETY: as in `result`.
        let owners = unsafe { &self.place.as_ref().owners };
        // AcqRel: what the other owner did comes before the end.
        if owners.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: leaked by `pair`, and this was the last owner.
            drop(unsafe { Box::from_raw(self.place.as_ptr()) });
        }
    }
}
