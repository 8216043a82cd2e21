//! The hosts of the process, for whoever knows a scheduler only.
//!
//! A host stands here from the end of its making until the beginning of its end. Whoever looks has the lock of the list: so
//! no host ends meanwhile, and a reference that was taken for the look is never the last one, whose going would end the scheduler
//! on a thread that the scheduler's end waits for.
#![forbid(unsafe_code)]

use std::sync::{Arc, Weak};

use fiberhost_scheduler::Observed;
use parking_lot::Mutex;

use super::rows::{HostRow, MemoryRow};
use crate::hooks::{FunctionFacts, Learned};
use crate::host::{Host, Shared};
use crate::memory::Memory;

static ALL: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

pub(crate) fn note(host: &Arc<Shared>) {
    ALL.lock().push(Arc::downgrade(host));
}

pub(crate) fn forget(host: &Arc<Shared>) {
    let host = Arc::as_ptr(host);
    ALL.lock().retain(|it| !std::ptr::eq(it.as_ptr(), host));
}

/// What is shown of a host.
#[derive(Clone, Debug)]
pub(super) struct HostFacts {
    pub(super) row: HostRow,
    /// By critical level, if the runtime's memory is the host's.
    pub(super) memory: Vec<MemoryRow>,
    /// Of these functions it has learned something.
    pub(super) functions: Vec<FunctionFacts>,
}

impl HostFacts {
    pub(super) fn id(&self) -> u64 {
        self.row.host_id
    }

    /// Takes off what was counted of the same host before.
    pub(super) fn less(&mut self, earlier: &HostFacts) {
        let less = |now: &mut u64, before: u64| *now = now.saturating_sub(before);
        let (row, before) = (&mut self.row, &earlier.row);
        less(&mut row.task_switches_count, before.task_switches_count);
        less(&mut row.failed_switches_count, before.failed_switches_count);
        less(&mut row.stray_hooks_count, before.stray_hooks_count);
        less(&mut row.frames_left_count, before.frames_left_count);
        less(&mut row.failed_exits_count, before.failed_exits_count);
        if let (Some(now), Some(before)) = (
            &mut row.pressure_notifications_count,
            before.pressure_notifications_count,
        ) {
            less(now, before);
        }
        // The levels are always the same.
        for (level, before) in self.memory.iter_mut().zip(&earlier.memory) {
            less(
                &mut level.refused_requests_count,
                before.refused_requests_count,
            );
        }
        for function in &mut self.functions {
            let mut all = earlier.functions.iter();
            let before = all.find(|it| it.address == function.address);
            before.inspect(|before| {
                less(&mut function.returned, before.returned);
                less(&mut function.called_back, before.called_back);
                less(&mut function.unannounced, before.unannounced);
                function.time = function.time.saturating_sub(before.time);
            });
        }
    }
}

/// Those on this scheduler.
pub(super) fn on(scheduler: &Observed) -> Vec<HostFacts> {
    let all = ALL.lock();
    let hosts = all.iter().filter_map(Weak::upgrade);
    let facts = hosts.filter(|host| scheduler.is_of(&host.scheduler));
    facts.map(|host| facts_of(&host)).collect()
}

pub(super) fn facts(host: &Host) -> HostFacts {
    facts_of(host.shared())
}

fn facts_of(host: &Shared) -> HostFacts {
    let figures = host.figures();
    let account = host.memory();
    let memory = account.as_ref().map(|memory| memory.figures());
    let learned = host.learned.as_ref();
    HostFacts {
        row: HostRow {
            host_id: host.id,
            host_type: "CLR",
            name: host.scheduler.name().to_owned(),
            objects_count: figures.objects,
            task_switches_count: figures.switches,
            failed_switches_count: figures.failed_switches,
            stray_hooks_count: figures.stray_hooks,
            frames_left_count: figures.frames_left,
            failed_exits_count: figures.failed_exits,
            pages_in_bytes: memory.as_ref().map(|memory| memory.committed),
            reserved_in_bytes: memory.as_ref().map(|memory| memory.reserved),
            acquired_in_bytes: memory.as_ref().map(|memory| memory.acquired),
            pressure_notifications_count: memory.as_ref().map(|memory| memory.notifications),
        },
        memory: account.map_or_else(Vec::new, |account| memory_rows(host.id, &account)),
        functions: learned.map_or_else(Vec::new, Learned::facts),
    }
}

fn memory_rows(host_id: u64, account: &Memory) -> Vec<MemoryRow> {
    let (figures, limits) = (account.figures(), account.limits());
    let levels = [
        ("TASK", limits.task),
        ("APP DOMAIN", limits.app_domain),
        ("PROCESS", limits.process),
    ];
    let row = |(level, (critical_level, limit)): (usize, (&'static str, usize))| MemoryRow {
        host_id,
        critical_level,
        heaps_in_bytes: figures.heaps[level],
        limit_in_bytes: (limit != usize::MAX).then_some(limit),
        refused_requests_count: figures.refused[level],
    };
    levels.into_iter().enumerate().map(row).collect()
}
