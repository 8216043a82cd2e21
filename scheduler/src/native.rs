//! Code that the scheduler cannot see into: native sections, callbacks from them, and what keeps a task on its thread.
//!
//! A [`section`] is a call that may block the thread or hold locks of the thread: into a C library, a kernel call, a managed
//! runtime's foreign call. Between [`leave`] and [`enter`] the calling thread is a stranger to its scheduler: it counts as
//! off, nobody switches or moves the task, and whatever it does there (waking, spawning, waiting) goes the way of plain
//! threads, so a wait in a section blocks the thread. [`current`](crate::current) still answers the task.
//!
//! Leaving is lazy: it costs two stores. Only when a section lasts, the monitor takes the slot and gives it to a thread that
//! stands by, and the task claims a slot when it comes back (`lease.rs`, `claim.rs`). A section that is known to block is
//! [`blocking`]: it hands the slot over at once, if work waits.
//!
//! A [`callback`] is code that is called back from inside a section. It is a task's code like any other, it may wait and
//! yield. But native frames lie below it, which may hold locks: so the task keeps its thread, nobody else runs there, and
//! a wait puts the thread to sleep with the task. Nothing unwinds the frames below: inside a callback an abort only ends
//! waits that can say so, and the unwinding comes after the outermost section.
//!
//! What keeps a task on its thread without a call: two counts, because they mean different things.
//!
//! - [`stay`]: the task must not move, others may run on its thread meanwhile. For thread-local state that others respect,
//!   and for critical regions of a mobile task.
//! - [`own`]: the thread belongs to the task alone. For native frames that may hold native locks, which are recursive by
//!   thread, and for thread affinity: another task on that thread would enter a lock that its neighbour holds.
//!
//! Tasks that have started on a thread wait while another one owns it. An owner that waits for one of those never ends:
//! see `deadlock.rs` for what is found of that.
//!
//! SQLOS calls a section preemptive mode, Go a system call; interfaces by which a runtime tells its host that a task leaves
//! managed code and is called back have the same four edges.

mod hold;
mod section;

pub use hold::{Own, Stay, own, stay};
pub(crate) use section::unseen;
pub use section::{
    Begun, Target, blocking, callback, callback_begin, callback_begin_within, callback_end, enter,
    enter_here, enter_if, leave, leave_here, leave_if, section,
};
