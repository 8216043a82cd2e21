//! Threads from outside that become tasks: a library's callback thread, an existing thread pool, a host's main thread.
//!
//! An adopted thread is a task with a thread of its own that is in a native section: what the thread does outside callbacks
//! the scheduler does not see, and it needs no slot for it. In a [`callback`](crate::native::callback) it claims a slot, and
//! is a task like any other until the callback returns.
//!
//! Room for unsafe code: the thread's record lives as long as the scheduler, of which the guard has a reference; and asking for
//! the thread's name.

use std::cell::RefCell;
use std::ffi::CStr;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::current;
use crate::fiber::{self, KnownGuard, overflow};
use crate::join::TaskRef;
use crate::scheduler::{Core, Scheduler};
use crate::stats::ledger;
use crate::task::{Task, release};
use crate::thread::Thread;

/// The calling thread as a task, until this guard is dropped; see [`Scheduler::adopt`].
#[must_use = "the thread is let go when this is dropped"]
pub struct Adopted {
    /// Keeps the record of the thread.
    _core: Arc<Core>,
    thread: &'static Thread,
    task: &'static Task,
    /// An overflow is reported with the task's number.
    guard: Option<KnownGuard>,
    _signals: overflow::AlternateStack,
    /// It is about the thread that made it.
    not_send: PhantomData<*const ()>,
}

impl fmt::Debug for Adopted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Adopted").field(&self.task.id.get()).finish()
    }
}

thread_local! {
    /// For a thread that stays adopted until it exits.
    static KEPT: RefCell<Option<Adopted>> = const { RefCell::new(None) };
}

impl Scheduler {
    /// Makes the calling thread a task of this scheduler, in a native section.
    ///
    /// The thread goes on as before. What it runs in [`native::callback`](crate::native::callback) runs as a task, with a
    /// slot, and may wait, yield, spawn and join. The task has the thread's name, as the system knows it, and ends when
    /// the guard is dropped.
    ///
    /// ```
    /// use fiberhost_scheduler::{Scheduler, native, spawn};
    ///
    /// let scheduler = Scheduler::new()?;
    /// std::thread::spawn(move || {
    ///     let adopted = scheduler.adopt().expect("this thread is nobody's yet");
    ///     let answer = native::callback(|| spawn(|| 6 * 7).join().expect("it does not panic"));
    ///     assert_eq!(answer, 42);
    ///     drop(adopted);
    /// })
    /// .join()
    /// .expect("it does not panic");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// `AlreadyExists` if the thread runs a task already; `QuotaExceeded` at the limit on tasks or threads; `OutOfMemory`;
    /// and after the shutdown began.
    pub fn adopt(&self) -> io::Result<Adopted> {
        if current::thread().is_some() || current::within().is_some() {
            let text = "this thread runs a task already";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        let core = Arc::clone(self.arc());
        let task = core.admit_thread(thread_name())?;
        let index = match core.reserve_record() {
            Ok(index) => index,
            Err(error) => {
                core.refuse_thread(task);
                return Err(error);
            }
        };
        // SAFETY: the record lives in the core, of which the guard keeps a reference until it is done with it.
        let thread: &'static Thread = unsafe { &*std::ptr::from_ref(core.threads.get(index)) };
        let signals = overflow::prepare_thread();
        thread.show_os_thread(true);
        fiber::thread::bind(task, thread);
        thread.lease.give();
        thread.lease.leave();
        if core.checks {
            core.checker.adopt(thread, task);
        }
        current::set_left(thread);
        if ledger::adopted(thread, task) {
            current::mark();
        }
        Ok(Adopted {
            _core: core,
            thread,
            task,
            guard: KnownGuard::new(task),
            _signals: signals,
            not_send: PhantomData,
        })
    }
}

/// What the system calls this thread.
fn thread_name() -> Option<Arc<str>> {
    let mut name = [0_u8; 64];
    // SAFETY: the call writes as many bytes as it is told, and is about the caller.
    let answer = unsafe {
        libc::pthread_getname_np(libc::pthread_self(), name.as_mut_ptr().cast(), name.len())
    };
    let name = CStr::from_bytes_until_nul(&name).ok()?.to_string_lossy();
    (answer == 0 && !name.is_empty()).then(|| name.into())
}

impl Adopted {
    /// The task that this thread is.
    pub fn task(&self) -> TaskRef {
        TaskRef::keep(self.task)
    }

    /// Keeps the thread adopted until it exits, for code that has nowhere to keep a guard.
    pub fn until_exit(self) {
        KEPT.with(|kept| *kept.borrow_mut() = Some(self));
    }
}

impl Drop for Adopted {
    /// # Panics
    /// Inside a callback or a section of this thread: the task would end below the code that runs in it.
    fn drop(&mut self) {
        assert_eq!(
            current::depth(),
            Some(0),
            "an adopted thread is let go where it was adopted, outside callbacks and sections"
        );
        // Not to name a task that is over.
        self.guard = None;
        if current::step_in().is_none() && current::take_mark().is_some() {
            ledger::entered(self.thread);
            current::step_in();
        }
        ledger::around_claim(self.thread, || self.thread.come_back());
        fiber::thread::run_to_end(self.thread, self.task, || ());
        self.thread.put_away();
        release(self.task);
    }
}
