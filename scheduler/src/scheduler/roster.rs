//! The OS threads of a scheduler: how one starts, ends, and leaves its record to the next.
//!
//! Room for unsafe code: a thread keeps the scheduler that owns its record.

use std::io;
use std::sync::Arc;

use super::{Core, Phase};
use crate::fiber;
use crate::primitive::simulated::JoinHandle;
use crate::primitive::{Ordering, fence, thread};
use crate::simulation;
use crate::task::Task;
use crate::thread::Thread;

const PANICKED: &str = "a worker that panics aborts the process";

/// The OS threads of a scheduler, by the index of their record.
#[derive(Default)]
pub(super) struct Roster {
    handles: Vec<Option<JoinHandle>>,
    /// Records whose threads have ended.
    vacant: Vec<usize>,
    /// Those threads, on the last steps of their way.
    retired: Vec<JoinHandle>,
}

impl Core {
    /// The same for as long as the caller has it: what its threads' records hand around is `'static` by their own argument.
    pub(crate) fn forever(&self) -> &'static Core {
        self.threads.get(0).core()
    }

    /// A reference of one's own to a scheduler that somebody keeps alive.
    ///
    /// # Safety
    /// The pointer came from an `Arc` that is alive.
    pub(crate) unsafe fn keep(core: *const Core) -> Arc<Core> {
        // SAFETY: the caller's promise.
        unsafe {
            Arc::increment_strong_count(core);
            Arc::from_raw(core)
        }
    }

    /// Starts a thread with this life. `prepare` is called with its record before it starts.
    pub(super) fn add_thread(
        &self,
        stack_size: Option<usize>,
        life: fn(&'static Thread),
        prepare: impl FnOnce(&'static Thread),
    ) -> io::Result<()> {
        let mut roster = self.roster.lock();
        let index = self.reserve(&mut roster)?;
        // The record, then the new thread's look at the phase; the shutdown sets the phase, then looks whom to call.
        fence(Ordering::SeqCst);
        // SAFETY: a core is made in an `Arc`, and the caller has one or is called by who does.
        let mine = unsafe { Core::keep(self.this) };
        // SAFETY: the record lives in the core, of which the thread keeps a reference until it is done.
        let thread: &'static Thread = unsafe { &*std::ptr::from_ref(mine.threads.get(index)) };
        prepare(thread);
        let name = format!("{}-{index}", self.settings.name);
        let life = move || {
            life(thread);
            drop(mine);
        };
        let spawned = if self.simulation.is_some() {
            simulation::start(self, stack_size, Box::new(life))
        } else {
            let mut builder = thread::Builder::new().name(name);
            if let Some(size) = stack_size {
                builder = builder.stack_size(size);
            }
            let mask = self.mask;
            let life = move || {
                if !cfg!(feature = "bug_thread_mask") {
                    mask.set();
                }
                life();
            };
            builder.spawn(life).map(JoinHandle::System)
        };
        match spawned {
            Ok(handle) => {
                roster.handles[index] = Some(handle);
                Ok(())
            }
            Err(error) => {
                roster.vacant.push(index);
                Err(error)
            }
        }
    }

    /// The thread whose record is at this address, if it is one of ours.
    pub(crate) fn thread_at(&self, address: usize) -> Option<&Thread> {
        let mut threads = self.threads.iter();
        threads.find(|thread| std::ptr::from_ref(*thread).addr() == address)
    }

    /// A record for one more thread.
    fn reserve(&self, roster: &mut Roster) -> io::Result<usize> {
        if self.phase() == Phase::Stopping {
            return Err(io::Error::other("the scheduler has stopped"));
        }
        for retired in roster.retired.drain(..) {
            retired.join(PANICKED);
        }
        if let Some(index) = roster.vacant.pop() {
            return Ok(index);
        }
        let max = self.threads_max();
        if self.threads.len() >= max {
            let text = format!("the limit of {max} threads is reached");
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, text));
        }
        let index = self.threads.grow(|index| Thread::new(index, self.this));
        roster.handles.push(None);
        Ok(index)
    }

    /// A record for a thread that exists already.
    pub(crate) fn reserve_record(&self) -> io::Result<usize> {
        self.reserve(&mut self.roster.lock())
    }

    /// A thread has done its last; its record is for the next one.
    pub(crate) fn note_thread_end(&self, index: usize) {
        let mut roster = self.roster.lock();
        roster.vacant.push(index);
        let handle = roster.handles[index].take();
        roster.retired.extend(handle);
    }

    /// Starts a task that wants an OS thread of its own.
    ///
    /// # Errors
    /// The system refused a thread, or the limit on threads is reached.
    pub(crate) fn start_on_thread(&self, task: &'static Task) -> io::Result<()> {
        let size = self.stacks.class_size(task.stack_class.get()) + fiber::thread::STACK_EXTRA;
        self.add_thread(Some(size), fiber::thread::run, |thread| {
            fiber::thread::bind(task, thread);
        })
        .inspect_err(|_| task.release_holds())
    }

    /// The most threads.
    pub(super) fn threads_max(&self) -> usize {
        let max = self.settings.max_threads;
        // A model that asks for none beside its workers says nothing.
        if cfg!(any(loom, shuttle)) {
            max.max(self.slots.len())
        } else {
            max
        }
    }

    /// Threads that may stand by; one more ends.
    pub(crate) fn spares_max(&self) -> usize {
        self.slots.len().max(4)
    }

    /// Starts a thread that stands by, if none does.
    pub(crate) fn ensure_spare(&self) {
        if self.idle.spares() > 0 || self.threads_max() == self.slots.len() {
            return;
        }
        if let Err(error) = self.add_thread(None, crate::worker::run, |_| {})
            && !self.limit_noted.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "no thread stands by: native sections keep their slots");
        }
    }

    pub(super) fn join_threads(&self) {
        let mut roster = self.roster.lock();
        let mut threads = std::mem::take(&mut roster.retired);
        threads.extend(roster.handles.iter_mut().filter_map(Option::take));
        // They enter themselves here at their end.
        drop(roster);
        for thread in threads {
            thread.join(PANICKED);
        }
    }

    /// How many threads there are.
    pub(crate) fn thread_count(&self) -> usize {
        self.threads.len() - self.roster.lock().vacant.len()
    }
}
