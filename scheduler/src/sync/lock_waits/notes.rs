//! Joins of a task that had not started when they began: it notes them when it comes to wait itself.
//!
//! A spawn and its join at once are the commonest of waits, and a task that has not started waits for nobody. So such a join
//! does not come to the table. Once the task has started and waits itself, the join is an edge like others:
//!
//! 1. N1 before its first entry the task looks who joins it, who joins those, and so on;
//! 2. N2 under the table's lock, before it enters, it links a *note* for each: an entry that says that this one, in this wait,
//!    waits for the end of that one.
//!
//! # No join is missed
//!
//! The joiner stands in the life word, or says there that it stands in the list, and *then* looks whether the task has started.
//! If so it steps away, and stands in the table before it comes back. The task has said that it has started long before N1, and N1
//! reads the word with a read-modify-write. Of the two changes of the word one is the first: if the joiner's, N1 finds it; if
//! N1's, the joiner has acquired what the task had said.
//! Somebody who joins has started himself and said so before, so for those who join him the same holds of the look by another.
//! So once is enough: who comes to join one of these later stands in the table.
//!
//! # No alarm is false
//!
//! A note is the table's, and the joiner knows nothing of it: unlike the others in the table it may go on at any time. So a note
//! counts only as long as that very wait is on; and a circle with notes in it is one only if all of them still count when all
//! of it has been seen. What is on then was on all the time, and who waits gives back nothing.
//!
//! # Breaking one
//!
//! The join can be broken as one that stands in the table, by its epoch: the circle is left in the note, and the joiner looks
//! for it there when it finds its wait broken.
//!
//! A join in a native section blocks the thread, and what waits is the thread's own record, from which is not to be seen what
//! the task has: so it stands in the table in any case. So does that of a task which keeps others from its thread, with the list
//! of those.
#![forbid(unsafe_code)]

use crate::join;
use crate::sync::lock_waits::table::Entry;
use crate::task::Task;

/// Its place stays where it is from N2 on: others link it.
pub(super) type Note = Box<Entry>;

/// A way by joins is followed so far.
const NOTES_MAX: usize = 256;

/// N1. Once for each task.
pub(super) fn joins_of(task: &'static Task) -> Vec<Note> {
    task.noted.set(task.id.get());
    let mut notes = Vec::new();
    let (mut target, mut next) = (task, 0);
    loop {
        join::each_joiner(target, |joiner| {
            if notes.len() < NOTES_MAX {
                notes.extend(note(joiner, target));
            }
        });
        let Some(note) = notes.get(next) else {
            return notes;
        };
        target = note.task;
        next += 1;
    }
}

/// What is to be noted of this one, if it joins the other for as long as it takes.
fn note(joiner: &'static Task, target: &'static Task) -> Option<Note> {
    let (other, epoch) = joiner.joins_now()?;
    let number = joiner.id.get();
    // Still on: so the number was that of the one who waits.
    let joins = std::ptr::eq(other, target) && joiner.wait.armed_epoch() == Some(epoch);
    joins.then(|| Box::new(Entry::note(joiner, number, epoch, target)))
}
