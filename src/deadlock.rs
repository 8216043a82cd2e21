//! Who waits for whom behind the runtime's locks, said in the scheduler's words: it finds the circles, and says which wait is
//! broken (`fiberhost_scheduler::Inquirer`).
//!
//! | wait, without a limit | for whom | known from |
//! |---|---|---|
//! | for a critical section | its owner | the section |
//! | for the end of another task | that task | the call |
//! | for the event of a monitor | the monitor's owner | the runtime: `GetMonitorOwner` |
//! | for an event of a reader-writer lock | each of its owners | the runtime: the iterator over them |
//!
//! A wait with a limit ends by itself, and what a plain event or a semaphore waits for is nobody in particular.
//!
//! The runtime calls back when it is asked, and may wait for a collection. So it is asked on a thread that is no task, with no
//! lock held, and a wait that it is asked about does not return before the answer is there: what is behind the cookie must
//! stay as long.
#![forbid(unsafe_code)]

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fiberhost_scheduler::{Inquirer, OuterWait, Owners, TaskRef, Wake};

use crate::com::ComRef;
use crate::com::clr::ICLRSyncManager;
use crate::com::host::IHostTask;
use crate::current::Current;
use crate::host::Shared;
use crate::task::{Face, Task};

/// How many owners of one lock are asked for at most.
const OWNERS_MAX: usize = 4096;

/// Something that has one owner, by the number that the scheduler gives tasks.
pub(crate) trait Owned: Send + Sync {
    /// Neither locks nor waits.
    fn owner(&self) -> Option<u64>;
}

/// What is waited for.
#[derive(Clone)]
pub(crate) enum Edge {
    Section(Arc<dyn Owned>),
    /// The end of this task, which the scheduler knows as that one.
    End(Arc<Task>, TaskRef),
    /// The monitor of this cookie.
    Monitor(usize),
    /// The reader-writer lock of this cookie.
    Owners(usize),
}

impl Edge {
    fn text(&self) -> &'static str {
        match self {
            Edge::Section(_) => "waits for a critical section of",
            Edge::End(..) => "joins",
            Edge::Monitor(_) => "waits for a monitor of",
            Edge::Owners(_) => "waits for a reader-writer lock of",
        }
    }

    fn owners(self, host: &Arc<Shared>) -> Owners {
        let host = Arc::clone(host);
        match self {
            Edge::Section(section) => Owners::Number(Box::new(move || section.owner())),
            Edge::End(task, known) => Owners::Task(known, Box::new(move || !task.is_over())),
            Edge::Monitor(cookie) => {
                let owners = move |runtime: &ICLRSyncManager| {
                    let owner = runtime.monitor_owner(cookie).ok().flatten();
                    owner.into_iter().collect()
                };
                Owners::Asked(Box::new(move || ask(&host, &owners)))
            }
            Edge::Owners(cookie) => {
                let owners = move |runtime: &ICLRSyncManager| owners_of(runtime, cookie);
                Owners::Asked(Box::new(move || ask(&host, &owners)))
            }
        }
    }
}

/// The wait was broken: what was waited for would never have come.
#[derive(Debug)]
pub(crate) struct Broken;

/// See the module docs. One for each host.
#[derive(Debug, Default)]
pub(crate) struct Deadlocks {
    inquirer: Inquirer,
    broken: AtomicU64,
}

impl Deadlocks {
    /// How many waits were broken.
    pub(crate) fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }

    /// The runtime is not asked any more. A thread that is in it ends when it comes back.
    pub(crate) fn close(&self) {
        self.inquirer.close();
    }
}

/// A wait without a limit, which stands among those in which circles are looked for meanwhile. `caller`: the task of the runtime that
/// waits, if it is one; of nobody else a wait is broken.
pub(crate) fn wait(
    host: &Arc<Shared>,
    caller: Option<&Current>,
    edge: Edge,
    breakable: bool,
    wait: impl FnMut() -> Wake,
) -> Result<Wake, Broken> {
    let deadlocks = &host.deadlocks;
    let outer = OuterWait {
        text: edge.text(),
        owners: edge.owners(host),
        rank: caller.map_or(0, |caller| caller.task().priority_number()),
        breakable: breakable && caller.is_some(),
    };
    let waited = (deadlocks.inquirer).wait(outer, wait, |wake| *wake == Wake::Signalled);
    waited.map_err(|_told| {
        // Relaxed: a figure.
        deadlocks.broken.fetch_add(1, Ordering::Relaxed);
        Broken
    })
}

/// On the inquirer's thread.
fn ask(
    host: &Shared,
    owners: &dyn Fn(&ICLRSyncManager) -> Vec<ComRef<dyn IHostTask>>,
) -> Vec<TaskRef> {
    let Some(runtime) = host.clr_sync_manager() else {
        return Vec::new();
    };
    let known = |object: ComRef<dyn IHostTask>| {
        let face: &dyn Any = &**object.implementation();
        // An embedder's own tasks are none of the scheduler's.
        face.downcast_ref::<Face>()?
            .record()
            .scheduler_task()
            .cloned()
    };
    owners(&runtime).into_iter().filter_map(known).collect()
}

/// All owners of a reader-writer lock; the iterator is given back whatever it answers.
fn owners_of(runtime: &ICLRSyncManager, cookie: usize) -> Vec<ComRef<dyn IHostTask>> {
    let Ok(iterator) = runtime.create_rwlock_owner_iterator(cookie) else {
        return Vec::new();
    };
    let next = || runtime.rwlock_owner_next(iterator).ok().flatten();
    let owners = std::iter::from_fn(next).take(OWNERS_MAX).collect();
    // There is nothing to be done about one that it keeps.
    let _ = runtime.delete_rwlock_owner_iterator(iterator);
    owners
}
