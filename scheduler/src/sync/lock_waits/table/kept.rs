//! Those who do not stand in the table, and are kept from their thread by one who does.
#![forbid(unsafe_code)]

use super::{Entry, Table};
use crate::task::Task;

/// A task that has started on a thread which somebody who stands here keeps: it does not run meanwhile, and so has what it
/// has until that one has left.
pub(in super::super) struct Kept {
    pub(in super::super) task: &'static Task,
    number: u64,
    pub(super) by: *const Entry,
}

impl Kept {
    pub(in super::super) fn new(task: &'static Task, by: &Entry) -> Kept {
        Kept {
            task,
            number: task.id.get(),
            by,
        }
    }

    /// Whether it has noted who joins it.
    pub(in super::super) fn has_noted(&self) -> bool {
        self.task.noted.get() == self.number
    }
}

impl Table {
    /// These are kept from their thread by one who has entered.
    #[cold]
    pub(in super::super) fn keep(&mut self, kept: Vec<Kept>) {
        self.kept.extend(kept);
    }

    /// Those who do not stand here, are kept from their thread, and have what this one waits for.
    pub(super) fn kept_with(&self, entry: &Entry) -> impl Iterator<Item = &Kept> {
        let has_it = |kept: &&Kept| {
            entry.waits_for(kept.task, kept.number) && self.find(kept.number).is_none()
        };
        self.kept.iter().filter(has_it)
    }
}
