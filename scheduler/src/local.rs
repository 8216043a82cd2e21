//! Task-local values: like thread-locals, but they belong to the task and move with it.
//!
//! A value is made on first use and dropped at the end of the task, on the task's own stack, where destructors may wait.
//! On a plain thread the values belong to the thread.
//!
//! The value that was used last is found again without a search, in a few loads and without a call into the values' list:
//! an embedder keeps what it knows of a task in one value, and asks for it all the time.
//!
//! Room for unsafe code: references to values that stay until the task ends.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;

use crate::current;
use crate::task::Task;
use crate::thread::Thread;

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
    fn pop(&mut self) -> Option<Box<dyn Any>> {
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
    #[inline]
    pub fn with<R>(&'static self, work: impl FnOnce(&T) -> R) -> R {
        self.try_with(work)
            .expect("a task-local value was used after it was dropped")
    }

    /// The same, with an error instead of the panic.
    ///
    /// # Errors
    /// If the value was dropped already.
    #[inline]
    pub fn try_with<R>(&'static self, work: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        let key = std::ptr::from_ref(self).addr();
        let last = current::within().and_then(|(_, task)| last_used(task, key));
        let value = match last {
            Some(value) => value.cast::<T>(),
            None => self.find_or_make(key)?,
        };
        // SAFETY: the value is boxed and stays until the end of the task (of the thread), whose stack we are on; it was put
        // there by this key, whose type it has.
        Ok(work(unsafe { &*value }))
    }

    /// The value of the task that runs on this thread, which is the calling one, if it is the value that was used last.
    #[inline(always)]
    pub(crate) fn last_of(&'static self, thread: &'static Thread) -> Option<&'static T> {
        let value = last_used(thread.task.get()?, std::ptr::from_ref(self).addr())?;
        // SAFETY: as in `try_with`. The callers let nobody keep it beyond a call that the task makes.
        Some(unsafe { &*value.cast::<T>() })
    }

    #[cold]
    #[inline(never)]
    fn find_or_make(&'static self, key: usize) -> Result<*const T, AccessError> {
        let value = match self.find(key)? {
            Some(value) => value,
            None => {
                // The initialiser is the user's: it may use other values, or suspend. Nothing is borrowed meanwhile.
                let value = Box::new((self.init)());
                self.insert(key, value)
            }
        };
        if let Some((_, task)) = current::within() {
            task.last_key.set(key);
            task.last_value.set(value.cast());
        }
        Ok(value)
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

/// Where the calling task's value of this key is, if it is the one that was used last.
#[inline(always)]
fn last_used(task: &Task, key: usize) -> Option<*const ()> {
    (task.last_key.get() == key).then(|| task.last_value.get())
}

/// Takes out the value that the ending task made last. Nobody finds it any more.
pub(crate) fn pop(task: &Task) -> Option<Box<dyn Any>> {
    task.last_key.set(0);
    task.extra_mut().locals.pop()
}

/// `None`: a plain thread that is ending.
fn with_locals<R>(work: impl FnOnce(&mut Locals) -> R) -> Option<R> {
    match current::within() {
        Some((_, task)) => Some(work(&mut task.extra_mut().locals)),
        None => PLAIN.try_with(|locals| work(&mut locals.borrow_mut())).ok(),
    }
}
