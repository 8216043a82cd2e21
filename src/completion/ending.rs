//! The end of transfers before their time: one that is cancelled, a task that ends, a host that shuts down.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fiberhost_scheduler::{Heed, Wake};

use super::request::Request;
use super::{Completions, Engine};
use crate::clock;
use crate::task::Task;
use crate::workers::Job;

impl Completions {
    /// A stream's transfer that is there although it was cancelled.
    pub(super) fn to_be_cancelled(&self, address: usize) -> Option<Arc<Request>> {
        let request = self.on(address)?;
        (request.kind().is_stream() && request.is_cancelled()).then_some(request)
    }

    /// Cancels those that wait, as far as they are among these. Returns how many.
    pub(super) fn cancel(self: &Arc<Self>, is_one: impl Fn(&Request) -> bool) -> usize {
        let books = self.books.lock();
        let found: Vec<Arc<Request>> = books
            .on
            .values()
            .filter(|request| is_one(request) && !request.is_cancelled())
            .cloned()
            .collect();
        for request in &found {
            request.cancel.mark();
        }
        drop(books);
        for request in &found {
            if request.kind().is_stream() && self.give_up_waiting(request) {
                continue;
            }
            self.cancel_started(request);
        }
        found.len()
    }

    /// Takes a cancelled one out of its lane, unless it is the first there. Returns whether that was so.
    pub(super) fn give_up_waiting(self: &Arc<Self>, request: &Arc<Request>) -> bool {
        let mut lane = request.lane().queue();
        let at = lane.iter().position(|other| Arc::ptr_eq(other, request));
        let Some(at) = at.filter(|at| *at > 0) else {
            return false;
        };
        lane.remove(at);
        drop(lane);
        self.books.lock().on.remove(&request.address());
        self.cancelled.fetch_add(1, Ordering::Relaxed);
        self.tell(Arc::clone(request), -libc::ECANCELED);
        true
    }

    /// A task ends: the transfers whose buffers go with it end first.
    pub(crate) fn end_of_task(self: &Arc<Self>, task: &Task) {
        self.cancel(|request| {
            let of = request.task.as_deref();
            of.is_some_and(|of| std::ptr::eq(of, task))
        });
        task.lent().wait();
    }

    /// Nothing is accepted any more; what waits is cancelled; the runtime is told of all, within the limit.
    pub(crate) fn close(self: &Arc<Self>, limit: Duration) {
        let until = clock::now() + limit;
        let left = || until.saturating_duration_since(clock::now());
        let mut books = self.books.lock();
        books.closed = true;
        if books.pending == 0 {
            self.gone.set();
        }
        drop(books);
        self.cancel(|_| true);
        self.wait_for_all(&left);
        match &self.engine {
            Engine::Uring(uring) => uring.close(left()),
            Engine::Helpers(helpers) => helpers.close(),
        }
        self.workers.close(left());
        let mut books = self.books.lock();
        let (bound, manager) = (std::mem::take(&mut books.bound), books.manager.take());
        books.ports.clear();
        drop(books);
        // Released without the lock: the runtime may call back.
        drop((bound, manager));
    }

    pub(super) fn wait_for_all(self: &Arc<Self>, left: &dyn Fn() -> Duration) {
        while !self.gone.is_set() && left() > Duration::ZERO {
            // Where the scheduler has ended before the host, nobody else is there to do it.
            for told in self.workers.take_left() {
                told.run();
            }
            match self.uring() {
                Some(uring) if !uring.is_watched() => {
                    uring.collect_here(self, left().min(Duration::from_millis(10)));
                }
                _ => {
                    let wake = self.gone.wait_heeding(Some(left()), Heed::Nothing);
                    debug_assert!(wake != Wake::Alerted, "nothing else ends it");
                }
            }
        }
    }
}
