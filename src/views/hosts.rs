//! The hosts of the process, for whoever knows a scheduler only.
//!
//! A host stands here from the end of its making until the beginning of its end. Whoever looks has the lock of the list: so
//! no host ends meanwhile, and a reference that was taken for the look is never the last one, whose going would end the scheduler
//! on a thread that the scheduler's end waits for.
#![forbid(unsafe_code)]

use std::sync::{Arc, Weak};

use fiberhost_scheduler::Observed;
use parking_lot::Mutex;

use super::rows::HostRow;
use crate::host::{Host, Shared};

static ALL: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

pub(crate) fn note(host: &Arc<Shared>) {
    ALL.lock().push(Arc::downgrade(host));
}

pub(crate) fn forget(host: &Arc<Shared>) {
    let host = Arc::as_ptr(host);
    ALL.lock().retain(|it| !std::ptr::eq(it.as_ptr(), host));
}

/// Those on this scheduler.
pub(super) fn on(scheduler: &Observed) -> Vec<HostRow> {
    let all = ALL.lock();
    let hosts = all.iter().filter_map(Weak::upgrade);
    let rows = hosts.filter(|host| scheduler.is_of(&host.scheduler));
    rows.map(|host| row_of(&host)).collect()
}

pub(super) fn row(host: &Host) -> HostRow {
    row_of(host.shared())
}

fn row_of(host: &Shared) -> HostRow {
    let figures = host.figures();
    HostRow {
        host_id: host.id,
        host_type: "CLR",
        name: host.scheduler.name().to_owned(),
        objects_count: figures.objects,
        task_switches_count: figures.switches,
        failed_switches_count: figures.failed_switches,
        stray_hooks_count: figures.stray_hooks,
        frames_left_count: figures.frames_left,
        failed_exits_count: figures.failed_exits,
    }
}
