//! Where a guest and the host meet: what wasmtime says of it, and the hooks that the host is told.
//!
//! wasmtime says four things, in pairs that nest: it calls a guest, the guest returns; a guest calls the host, the host
//! returns. What the host is told of each:
//!
//! | wasmtime says | below or around | the host is told |
//! |---|---|---|
//! | calling a guest | unmanaged code: SQLite, or a native import | `ReverseEnterRuntime`, then `ReverseLeaveRuntime` |
//! | calling a guest | nothing: a procedure, at the base of its task | nothing: it is the task's own code |
//! | calling the host | a native import (`leave`) | `LeaveRuntime` with its address, then `EnterRuntime` |
//! | calling the host | a service of the host's (`serve`) | nothing: it waits as tasks do, and goes into SQLite by hooks of its own |
//! | calling the host | the end of a quantum (`tick`) | nothing, or `SwitchToTask` |
//!
//! wasmtime does not say which of the last three it is, so the hook waits for the import to say it. What says nothing is
//! wasmtime's own business, such as memory that grows.
//!
//! A runtime without a host has nobody to tell: wasmtime is not asked to say anything then, and nothing is counted.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use fiberhost::com::Hresult;
use wasmtime::CallHook;

use super::clock::QUANTUM;
use crate::error::SqlError;
use crate::managed::Tasks;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Count {
    /// wasmtime called a guest.
    CallingGuest,
    /// That has returned, or was unwound.
    ReturningFromGuest,
    /// A guest called the host.
    CallingHost,
    /// That has returned, or was unwound.
    ReturningFromHost,
    /// Of the calls of guests: those of procedures, at the base of their task.
    AtBase,
    /// Of the calls of the host: native imports.
    Native,
    /// Services of the host's.
    Services,
    /// Ends of quanta.
    Ticks,
    /// wasmtime's own business.
    Own,
    /// Of the ends of quanta: those at which somebody else ran.
    Switches,
}

const COUNTS: usize = Count::Switches as usize + 1;

/// Counts of crossings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crossings([u64; COUNTS]);

impl Crossings {
    /// One of them.
    pub fn get(&self, count: Count) -> u64 {
        self.0[count as usize]
    }

    fn note(&mut self, count: Count) {
        self.0[count as usize] += 1;
    }

    pub(super) fn add(&mut self, others: &Crossings) {
        for (mine, other) in self.0.iter_mut().zip(others.0) {
            *mine += other;
        }
    }
}

/// The counts of guests that are gone.
#[derive(Debug, Default)]
pub(super) struct Totals([AtomicU64; COUNTS]);

impl Totals {
    fn add(&self, counts: &Crossings) {
        // Relaxed: figures.
        for (total, count) in self.0.iter().zip(counts.0) {
            total.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// A procedure's quantum was over, and somebody else ran.
    pub(super) fn note_switch(&self) {
        self.0[Count::Switches as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Crossings {
        Crossings(std::array::from_fn(|index| {
            self.0[index].load(Ordering::Relaxed)
        }))
    }
}

/// A call that has not returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// Of a guest, and whether the host was told.
    Guest { told: bool },
    /// Of the host, and what has said what it is.
    Host(Option<Count>),
}

/// See the module docs. One for each guest.
#[derive(Debug)]
pub(super) struct Boundary {
    tasks: Option<Arc<Tasks>>,
    totals: Arc<Totals>,
    counts: Crossings,
    open: Vec<Open>,
    /// Unmanaged code lies below the guest's first call.
    native_below: bool,
}

impl Boundary {
    pub(super) fn new(tasks: Option<&Arc<Tasks>>, totals: &Arc<Totals>) -> Boundary {
        Boundary {
            tasks: tasks.cloned(),
            totals: Arc::clone(totals),
            counts: Crossings::default(),
            open: Vec::new(),
            native_below: false,
        }
    }

    /// Before a call from unmanaged code, or from the base of a task.
    pub(super) fn set_native_below(&mut self, native_below: bool) {
        debug_assert!(self.open.is_empty(), "all calls have returned");
        self.native_below = native_below;
    }

    /// So far, of this guest.
    pub(super) fn counts(&self) -> &Crossings {
        &self.counts
    }

    /// What wasmtime says.
    pub(super) fn hook(&mut self, hook: CallHook) -> Result<(), SqlError> {
        match hook {
            CallHook::CallingWasm => self.call_guest(),
            CallHook::ReturningFromWasm => {
                self.counts.note(Count::ReturningFromGuest);
                match self.open.pop() {
                    Some(Open::Guest { told: true }) => self.tell(Tasks::reverse_leave),
                    _ => Ok(()),
                }
            }
            CallHook::CallingHost => {
                self.counts.note(Count::CallingHost);
                self.open.push(Open::Host(None));
                Ok(())
            }
            CallHook::ReturningFromHost => {
                self.counts.note(Count::ReturningFromHost);
                match self.open.pop() {
                    Some(Open::Host(what)) => self.host_returns(what.unwrap_or(Count::Own)),
                    _ => Ok(()),
                }
            }
        }
    }

    fn call_guest(&mut self) -> Result<(), SqlError> {
        let nested = self.open.contains(&Open::Host(Some(Count::Native)));
        let tell = self.native_below || nested;
        if tell {
            self.tell(Tasks::reverse_enter)?;
        } else {
            self.counts.note(Count::AtBase);
        }
        self.counts.note(Count::CallingGuest);
        self.open.push(Open::Guest { told: tell });
        Ok(())
    }

    fn host_returns(&mut self, what: Count) -> Result<(), SqlError> {
        self.counts.note(what);
        if what == Count::Native {
            self.tell(Tasks::enter)
        } else {
            Ok(())
        }
    }

    /// Sends a hook. The host refuses a begin if there is no memory or the nesting is too deep.
    fn tell(&self, hook: impl FnOnce(&Tasks) -> Result<(), Hresult>) -> Result<(), SqlError> {
        let answer = self.tasks.as_deref().map_or(Ok(()), hook);
        answer.map_err(|refused| {
            let message = format!("the host refuses a transition: {refused:?}");
            SqlError::new("53000", message)
        })
    }

    /// By an import, first of all: it is native code at this address, which may block and call back.
    pub(super) fn leave(&mut self, target: usize) -> Result<(), SqlError> {
        self.tell(|tasks| tasks.leave(target))?;
        self.this_is(Count::Native);
        Ok(())
    }

    /// By an import: it is a service of the host's.
    pub(super) fn serve(&mut self) {
        self.this_is(Count::Services);
    }

    fn this_is(&mut self, what: Count) {
        if let Some(Open::Host(open @ None)) = self.open.last_mut() {
            *open = Some(what);
        }
    }

    /// A quantum is over. Whether the guest can be taken off its task's stack: otherwise its thread, which no other task may
    /// use, has slept meanwhile, if somebody else was to run.
    pub(super) fn tick(&mut self) -> bool {
        self.this_is(Count::Ticks);
        let nested = self.open.contains(&Open::Host(Some(Count::Native)));
        let in_native = self.native_below || nested;
        if in_native {
            self.switch();
        }
        !in_native
    }

    fn switch(&mut self) {
        if self.tasks.as_deref().is_some_and(give_way) {
            self.counts.note(Count::Switches);
        }
    }
}

/// At the end of a quantum: others run until nobody waits, or for as long. Whether somebody ran.
///
/// One `SwitchToTask` is one turn of somebody else's. A guest that takes its own after each would make who stands third in the
/// queue wait for three quanta.
pub(super) fn give_way(tasks: &Tasks) -> bool {
    let begun = Instant::now();
    let mut ran = false;
    while tasks.switch_to_task() {
        ran = true;
        if begun.elapsed() >= QUANTUM {
            break;
        }
    }
    ran
}

impl Drop for Boundary {
    fn drop(&mut self) {
        self.totals.add(&self.counts);
    }
}
