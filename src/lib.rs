//! A user-mode task scheduler that is embedded in a process, and the host of a managed runtime on it.
//!
//! [`scheduler`] is the crate `fiberhost-scheduler`: tasks with stacks of their own on a few threads.
//! Its front page has the life of a task, the claim of its safe `spawn`, and its limits.
//! It knows nothing of a managed runtime.
//!
//! This crate is the other half: the host side of the CLR hosting interfaces (`IHostTaskManager` and its siblings), as a
//! translation onto the scheduler that makes no scheduling decision of its own.
//! [`Host`] is where to begin: it is given to a runtime before that starts. [`com`] is the binary interface.
//!
//! [`views`] has the operator's tables, [`observe`] answers them over a socket, and [`capi`] is the interface for C.
//!
//! ```
//! use fiberhost::scheduler::{Scheduler, Wake, park_for};
//! use std::time::Duration;
//!
//! let scheduler = Scheduler::builder().workers(2).name("engine").build()?;
//! let task = scheduler.task().name("checkpoint").spawn(|| park_for(Duration::from_secs(60)))?;
//! // From any thread: ends the wait of the task, or its next one.
//! task.task().unpark();
//! assert_eq!(task.join()?, Wake::Signalled);
//! scheduler.shutdown(Duration::from_secs(10))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Words
//!
//! One word for one thing, here and in the scheduler, with what others call it.
//!
//! | our word | meaning | SQLOS | Go | JDK | hosting API |
//! |---|---|---|---|---|---|
//! | scheduler | the whole: workers, queues, limits | node | sched | scheduler | behind `IHostTaskManager` |
//! | slot | the right to run tasks, with the queues of what may move | scheduler | P | | |
//! | worker | an OS thread that holds a slot | scheduler's owner | M with P | carrier | the thread given to `SwitchIn` |
//! | task | unit of work with identity, state, priority | task | g | virtual thread | `IHostTask` |
//! | fiber | the stack on which a started task runs | worker (fiber mode) | g's stack | continuation | not visible |
//! | park, wake | stop until told; the telling | wait, signal | gopark, goready | park, unpark | wait objects, `Alert` |
//! | wait reason | why it stopped | wait type | waitReason | thread state | |
//! | native section | code the scheduler cannot see into, from leave to enter | preemptive mode | syscall | pinned | `LeaveRuntime` … `EnterRuntime` |
//! | stay, own | counts that keep a task on its OS thread; own also keeps the thread for it | | LockOSThread | pin | thread affinity |
//! | quantum | time after which a polite task yields | quantum | slice | | `SwitchToTask` |
#![deny(unsafe_code)]

mod alert;
mod assembly;
mod blocked;
#[allow(unsafe_code, reason = "pointers from C come in here: see there")]
pub mod capi;
mod clock;
#[allow(unsafe_code, reason = "the one room for it: see there")]
pub mod com;
#[cfg(feature = "net")]
mod completion;
mod current;
mod deadlock;
mod escalation;
mod functions;
mod gc;
mod hooks;
mod host;
mod lent;
mod memory;
#[cfg(any(loom, shuttle))]
#[doc(hidden)]
pub mod model;
pub mod observe;
pub mod policy;
mod primitive;
mod quantum;
mod runtime;
mod security;
mod switching;
mod sync;
mod sync_manager;
mod task;
mod task_manager;
mod threadpool;
mod transition;
pub mod views;
mod workers;

pub use assembly::Assemblies;
#[cfg(feature = "net")]
pub use completion::{IoEngine, TransferFigures, Transfers};
pub use fiberhost_scheduler as scheduler;
pub use gc::GcFigures;
pub use hooks::{Hooks, Learning};
pub use host::{Builder, Figures, Host, HostTask, Strangers};
pub use memory::{MemoryFigures, MemoryLimits};
pub use runtime::Recycled;
pub use security::Security;
pub use switching::TaskMode;
pub use task::{Abort, Kind};
pub use transition::{DEPTH_MAX, State};

/// The programs in the README and in the guide, as tests.
#[cfg(doctest)]
mod papers {
    #[doc = include_str!("../README.md")]
    struct ReadMe;
    #[doc = include_str!("../docs/embedding.md")]
    struct Embedding;
    #[doc = include_str!("../docs/waiting.md")]
    struct Waiting;
    #[doc = include_str!("../docs/mobile.md")]
    struct Mobile;
    #[doc = include_str!("../docs/stacks.md")]
    struct Stacks;
    #[doc = include_str!("../docs/coming-from.md")]
    struct ComingFrom;
    #[doc = include_str!("../docs/simulation.md")]
    struct Simulation;
    #[doc = include_str!("../docs/troubleshooting.md")]
    struct Troubleshooting;
}
