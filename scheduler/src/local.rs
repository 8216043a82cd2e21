//! Task-local values: like thread-locals, but they belong to the task and move with it.
//!
//! A value is made on first use and dropped at the end of the task, on the task's own stack, where destructors may wait.
//! On a plain thread the values belong to the thread.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;

use crate::current;

/// Declares task-local values, as [`std::thread_local!`] does for threads.
///
/// ```
/// use std::cell::Cell;
/// fiberhost_scheduler::task_local! {
///     /// Requests served by this task.
///     static SERVED: Cell<u32> = Cell::new(0);
/// }
/// fiberhost_scheduler::run(|| {
///     SERVED.with(|served| served.set(served.get() + 1));
///     let other = fiberhost_scheduler::spawn(|| SERVED.with(|served| served.get()));
///     assert_eq!(other.join().unwrap(), 0);
///     assert_eq!(SERVED.with(|served| served.get()), 1);
/// });
/// ```
#[macro_export]
macro_rules! task_local {
    ($($(#[$attribute:meta])* $visibility:vis static $name:ident : $type:ty = $init:expr;)*) => {
        $($(#[$attribute])*
        $visibility static $name: $crate::LocalKey<$type> = $crate::LocalKey::new(|| $init);)*
    };
}

/// A task-local value, declared by [`task_local!`](crate::task_local).
pub struct LocalKey<T: 'static> {
    init: fn() -> T,
}

impl<T> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// The value is not there any more: the task is ending, and this value was dropped already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessError(());

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task-local value was used after it was dropped")
    }
}

impl std::error::Error for AccessError {}

/// The values of one task. Boxed, so that a reference to one stays while others are added.
#[derive(Default)]
pub(crate) struct Locals {
    values: Vec<(usize, Box<dyn Any>)>,
    dropped: Vec<usize>,
}

impl Locals {
    /// Takes out the value made last, at the end of the task; from now on it counts as dropped.
    pub(crate) fn pop(&mut self) -> Option<Box<dyn Any>> {
        let (key, value) = self.values.pop()?;
        self.dropped.push(key);
        Some(value)
    }

    fn find(&self, key: usize) -> Option<&dyn Any> {
        self.values
            .iter()
            .find(|(other, _)| *other == key)
            .map(|(_, value)| &**value)
    }
}

std::thread_local! {
    static PLAIN: RefCell<Locals> = {
        // A thread's values go in the reverse order of their making: the record goes after these, whose destructors may wait.
        if cfg!(not(any(loom, shuttle))) {
            current::plain();
        }
        RefCell::default()
    };
}

impl<T: 'static> LocalKey<T> {
    #[doc(hidden)]
    pub const fn new(init: fn() -> T) -> Self {
        LocalKey { init }
    }

    /// Calls `work` with the calling task's value, which is made if this is the first use.
    ///
    /// # Panics
    /// If the value was dropped already, because the task is ending.
    pub fn with<R>(&'static self, work: impl FnOnce(&T) -> R) -> R {
        self.try_with(work)
            .expect("a task-local value was used after it was dropped")
    }

    /// The same, with an error instead of the panic.
    ///
    /// # Errors
    /// If the value was dropped already.
    pub fn try_with<R>(&'static self, work: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        let key = std::ptr::from_ref(self).addr();
        let value = match self.find(key)? {
            Some(value) => value,
            None => {
                // The initialiser is the user's: it may use other values, or suspend. Nothing is borrowed meanwhile.
                let value = Box::new((self.init)());
                self.insert(key, value)
            }
        };
        // SAFETY: the value is boxed and stays until the end of the task (of the thread), whose stack we are on;
        // it was put there by this key, whose type it has.
        Ok(work(unsafe { &*value }))
    }

    fn find(&'static self, key: usize) -> Result<Option<*const T>, AccessError> {
        with_locals(|locals| match locals.find(key) {
            Some(value) => Ok(Some(std::ptr::from_ref(
                value.downcast_ref::<T>().expect("a key has one type"),
            ))),
            None if locals.dropped.contains(&key) => Err(AccessError(())),
            None => Ok(None),
        })
        .unwrap_or(Err(AccessError(())))
    }

    fn insert(&'static self, key: usize, value: Box<T>) -> *const T {
        let at: *const T = &*value;
        with_locals(|locals| {
            // The initialiser may have come back here and made one already: the first one counts.
            match locals.find(key) {
                Some(first) => {
                    std::ptr::from_ref(first.downcast_ref::<T>().expect("a key has one type"))
                }
                None => {
                    locals.values.push((key, value));
                    at
                }
            }
        })
        .expect("the values were there a moment ago")
    }
}

/// `None`: a plain thread that is ending.
fn with_locals<R>(work: impl FnOnce(&mut Locals) -> R) -> Option<R> {
    match current::within() {
        Some((_, task)) => Some(work(&mut task.extra_mut().locals)),
        None => PLAIN.try_with(|locals| work(&mut locals.borrow_mut())).ok(),
    }
}
