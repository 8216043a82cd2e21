//! A user-mode task scheduler: many tasks with stacks of their own on a few threads.
//!
//! A *task* is a closure that may stop wherever it stands, any number of calls deep, and go on later.
//! Its thread runs other tasks meanwhile. Nothing has to be `async`, and no code between the task's first function and
//! the one that waits has to know.
//!
//! ```
//! use fiberhost_scheduler::sync::channel;
//! use fiberhost_scheduler::{run, scope};
//!
//! let sum = run(|| {
//!     let (sender, receiver) = channel::bounded(4);
//!     scope(|scope| {
//!         scope.spawn(|| {
//!             // The sender goes with this task, and with the sender the channel ends.
//!             let sender = sender;
//!             for number in 1..=100_u64 {
//!                 // Parks while the channel is full.
//!                 sender.send(number).expect("the receiver is there");
//!             }
//!         });
//!         // Parks while the channel is empty.
//!         receiver.iter().map(|number| number * number).sum::<u64>()
//!     })
//! });
//! assert_eq!(sum, 338_350);
//! ```
//!
//! [`run`] starts a scheduler with all defaults for one closure; [`Scheduler::builder`] starts one to keep.
//! [`spawn`], [`scope`] and [`TaskBuilder`] make tasks; a task waits with what is in [`sync`], with [`park`] and [`sleep`],
//! or by joining another. Everything in [`sync`] also works between tasks and plain threads.
//!
//! # Words
//!
//! | our word | meaning | SQLOS | Go | JDK |
//! |---|---|---|---|---|
//! | scheduler | the whole: workers, queues, limits | node | sched | scheduler |
//! | slot | the right to run tasks, with the queues of what may move | scheduler | P | |
//! | worker | an OS thread that holds a slot | scheduler's owner | M with P | carrier |
//! | spare, claimant | a thread without a slot: with nothing to run, or with something that could run | | idle M | |
//! | task | unit of work with identity, state, priority | task | g | virtual thread |
//! | fiber | the stack on which a started task runs | worker (fiber mode) | g's stack | continuation |
//! | park, wake | stop until told; the telling | wait, signal | gopark, goready | park, unpark |
//! | wait reason | why it stopped | wait type | waitReason | thread state |
//! | bound, mobile | whether a started task stays on its thread or may change it | | | |
//! | native section | code the scheduler cannot see into, from leave to enter | preemptive mode | syscall | pinned |
//! | stay, own | counts that keep a task on its OS thread; own also keeps the thread for it | | LockOSThread | pin |
//! | quantum | time after which a polite task yields | quantum | slice | |
//!
//! # The life of a task
//!
//! ```text
//! built -> queued -> picked up by a worker -> runs on a fiber -> gives the thread back, with a word that says why
//!            ^                                                         |
//!            |                                                         v
//!            +--- woken <--- parked <--------------------------- settled by the worker ---> done
//!            |                                                         |
//!            +------------------------- yielded -----------------------+
//! ```
//!
//! A task that has not started stands in a queue of the slot where it was spawned (in the common queue, if a plain thread
//! spawned it) and may be taken by any worker.
//! The worker that starts it gives it a stack. What a task waits for is arranged after the switch, by the worker on its own
//! stack (*settled*): so nobody can wake a task whose registers are not saved yet, and no lock is held across a switch.
//! Every wait ends in exactly one way: signalled, timed out, alerted or aborted ([`Wake`]).
//!
//! # What `spawn` claims
//!
//! The compiler checks that a task's closure is `Send`: until the task starts, any worker may take it.
//! It does not check what lies on the task's stack later: guards of locks, `Rc`s, references into thread-locals.
//! So a started task stays on the thread where it started (it is *bound*), unless its creator vouched for it with the
//! unsafe [`TaskBuilder::spawn_mobile`].
//!
//! What remains is that other tasks run on the same thread while one waits.
//! The claim is: **`spawn` is sound for code whose thread-local scopes do not assume that stacks end in order.**
//! A library makes that assumption if it keeps a pointer to something on the stack in a thread-local for the length of a
//! call, and restores the one before at the end. With such a scope open a task must not wait.
//!
//! # Limits
//!
//! - *Cooperative.* Code that never waits or yields holds its worker; so does a system call that blocks: reading a file,
//!   or looking up a host name. Sockets and other descriptors that the kernel can watch do not (`net` and `io`).
//!   Others may take what stands in that worker's slot, but the tasks bound to its thread wait.
//!   Long computations call [`check_quantum`].
//! - *Bound tasks are not spread again.* Work spreads as tasks that have not started. A few tasks that live long may all have
//!   started on one worker: prefer a task for each item to a task for each stage.
//! - *Stacks have a fixed size*, 128 KiB by default. An overflow hits the guard below the stack and ends the process by
//!   SIGSEGV, after a report on standard error: the task with its number, name and stack, and the addresses of its frames
//!   (by frame pointers, or guessed where the code has none). The handler for that is installed with the first scheduler,
//!   for SIGSEGV and SIGBUS; every fault that is not an overflow, and every overflow after its report, goes to the handler
//!   that was there before. A frame of more than 96 KiB that is not touched in order may reach past the guard.
//! - *Locks of the thread.* A guard of a lock of std or parking_lot that is held across a wait blocks the worker of whoever
//!   wants that lock, and if that is the holder's own thread, for ever. Use the locks in [`sync`].
//! - *Scoped pointers in thread-locals*: see above.
//! - *State of the thread.* `errno`, the floating-point modes and the signal mask belong to the thread, not to the task:
//!   other tasks may have changed them after a wait.
//! - *Unwinding.* [`TaskRef::abort`], [`timeout`] and the shutdown end a task by unwinding: with `panic = "abort"` they end
//!   the process. Code that catches every unwinding is unwound again at its next wait.
//! - *Signals.* A handler that may run on a worker's thread needs `SA_ONSTACK`: the entry of each stack is smaller than a
//!   signal's frame. A start warns of others; [`Builder::handlers_on_task_stacks`] makes room for them. The threads that a
//!   scheduler starts block the signals that the thread which built it blocked then; a task may block others only inside a
//!   native section.
//! - *Spans.* Subscribers of `tracing` keep entered spans by thread. A task with [`TaskBuilder::span`] carries its own and what
//!   it enters across its waits; in any other a guard of an entered span must not be held across a wait. A subscriber that
//!   is the default for a thread only is not carried.
//! - *Stalls.* A task that has not settled for [`Builder::stall_after`] is reported, once. For its frames the thread gets a
//!   signal ([`Builder::stall_signal`]), which makes some system calls return `EINTR`. A thread that the kernel does not let
//!   handle it is reported without frames. Frames are addresses, some of which may be left over from
//!   calls that have returned.
//! - *Processes.* A forked child may only call exec. A library that contains this crate must not be unloaded. A Rust `dylib`
//!   with this crate in it, which other Rust crates link with, needs the feature `dylib`; a `cdylib` does not.
//! - *Shadow stacks* would see every switch as an attack: where the process has them no scheduler starts.
//! - *Memory.* The records of ended tasks are used again, and not given back to the system. Stacks stay unlocked under
//!   `mlockall`; those that exist when it is called are locked until the scheduler next makes one or puts one away.
//!   Where memory for a task is refused, the spawn says so ([`SpawnError`]), or the join if it was for the stack or a thread
//!   ([`JoinError::is_refused`]). That is also so for the room of a large closure or result, for what a [`scope`] keeps of a
//!   result, and for a place in a [`JoinSet`]; the end of a task asks for nothing. Where it is refused for anything else, such
//!   as the message of a panic, the buffer of a channel, a task-local value or a waker, the process ends, as with any
//!   allocation of std's.
//! - *Systems.* Linux only, and x86-64 is what is tested.
//!
//! # How it is built
//!
//! The modules in reading order; all but [`sync`], [`native`], [`dump`], [`stats`], [`trace`], `io` and `net` are private, and what is public of them is
//! named here.
//!
//! 1. `primitive`: the one door to atomics, locks, cells, clock and threads, so that checkers and simulations can replace them;
//!    in it the asymmetric barrier, the owner-biased lock and the place where a thread sleeps.
//! 2. `wait`: why a task waits, and what ended the wait.
//! 3. `task`: the record of a task; its two shared words (`task::state`), its closure and result (`task::payload`),
//!    and where records come from (`task::pool`).
//! 4. `fiber`: a stack that runs one task after the other; the jump (`fiber::switch`), the memory (`fiber::stack`),
//!    tasks on OS threads of their own (`fiber::thread`), the report of a stack that is not enough (`fiber::overflow`).
//! 5. `thread` and `current`: the record of a worker's thread, and the one thread-local, which says which worker this thread
//!    is and so which task runs.
//! 6. `suspend`, `park` and `freeze`: how a task gives its thread back, stops until it is told, and is interrupted;
//!    `runnable`: the door back into the queues; `finish`: what a task does last on its stack.
//! 7. `queue`, `steal`, `timer` and `slot`: where runnable tasks and deadlines stand.
//! 8. `idle`, `lease`, `claim` and `rest`: who sleeps and who wakes them; how a slot goes from one thread to another (`threads`:
//!    where their records are); slots that nobody has for a time.
//! 9. `worker`, `pinned` and `span`: the loop, and how a task waits that has its thread to itself; the spans around a resume (`span`).
//! 10. `join`, `join_set`, `scope`, `cancel`, `local`, `mobile`, [`native`], `adopt` and `deadlock`: what tasks are to each
//!     other, what they keep for themselves, what keeps them on their thread, threads that become tasks, and waits that
//!     could never end.
//! 11. [`sync`]: what tasks and threads wait for together.
//! 12. `io` and `net` (feature `net`): waiting for descriptors; `future` (feature `futures`): tasks and futures.
//! 13. `monitor`, `stall`, `symbol`, [`dump`], `watch`, [`stats`], [`trace`], `observed` and `check`: who looks on from outside.
//! 14. `simulate` (feature `simulate`) and `simulation`: all that on one thread, with its own clock and a seeded order.
//! 15. `environment`, `scheduler` and `builder`: what the process must be like; the whole, its start and end; every default.

pub(crate) mod adopt;
pub(crate) mod builder;
pub(crate) mod cancel;
pub(crate) mod check;
pub(crate) mod claim;
pub(crate) mod current;
pub(crate) mod deadlock;
pub mod dump;
pub(crate) mod environment;
pub(crate) mod fiber;
pub(crate) mod finish;
pub(crate) mod freeze;
#[cfg(feature = "futures")]
pub(crate) mod future;
pub(crate) mod idle;
#[cfg(feature = "net")]
pub mod io;
#[cfg(not(feature = "net"))]
#[path = "io/without.rs"]
pub(crate) mod io;
pub(crate) mod join;
pub(crate) mod join_set;
pub(crate) mod lease;
pub(crate) mod local;
pub(crate) mod mobile;
#[cfg(any(loom, shuttle))]
#[doc(hidden)]
pub mod model;
pub(crate) mod monitor;
pub mod native;
#[cfg(all(feature = "net", not(any(loom, shuttle))))]
pub mod net;
pub(crate) mod observed;
pub(crate) mod park;
pub(crate) mod pinned;
pub(crate) mod primitive;
pub(crate) mod queue;
pub(crate) mod rest;
pub(crate) mod runnable;
pub(crate) mod scheduler;
pub(crate) mod scope;
#[cfg(feature = "simulate")]
pub mod simulate;
#[cfg(fiberhost_simulate)]
pub(crate) mod simulation;
#[cfg(not(fiberhost_simulate))]
#[path = "simulation/without.rs"]
pub(crate) mod simulation;
pub(crate) mod slot;
pub(crate) mod span;
pub(crate) mod stall;
pub mod stats;
pub(crate) mod steal;
pub(crate) mod suspend;
pub(crate) mod symbol;
pub mod sync;
pub(crate) mod task;
pub(crate) mod thread;
pub(crate) mod threads;
pub(crate) mod timer;
pub mod trace;
pub(crate) mod urgent;
pub(crate) mod wait;
pub(crate) mod watch;
pub(crate) mod worker;

pub use adopt::Adopted;
pub use builder::{Admission, Builder, TaskBuilder};
pub use cancel::CancelToken;
pub use deadlock::{Blocker, Deadlock};
pub use fiber::stack::Guards;
#[cfg(feature = "futures")]
pub use future::block_on;
pub use join::{JoinError, JoinHandle, TaskRef, current, current_worker, try_current};
pub use join_set::JoinSet;
pub use local::{AccessError, LocalKey};
pub use native::blocking;
pub use observed::Observed;
pub use park::{
    Elapsed, ThreadAlerts, check_quantum, is_interruption, linger, park, park_for, sleep,
    sleep_heeding, thread_alerts, timeout, yield_now, yield_to_others,
};
pub use scheduler::{Scheduler, ShutdownError, SpawnError};
pub use scope::{Scope, ScopedJoinHandle, run, scope, spawn};
pub use stall::{Stall, StallKind, StallTimes};
pub use stats::{StackClass, Stats};
pub use symbol::Frame;
pub use sync::lock_waits::inquirer::Inquirer;
pub use sync::lock_waits::outer::{OuterWait, Owners};
pub use task::{Backing, Priority};
pub use urgent::Urgent;
pub use wait::{Heed, WaitReason, Wake};
pub use watch::Accounting;
