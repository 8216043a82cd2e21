//! One stage of the pipeline: takes items from a channel and gives each to a task.
#![forbid(unsafe_code)]

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fiberhost::scheduler::scope;
use fiberhost::scheduler::sync::channel::{self, Receiver, Sender};

/// What a stage did and what it waited for, added up over its tasks.
///
/// A wait ends when the task runs again, so the time it stood in a queue of the scheduler is part of it.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    items: AtomicU64,
    busy: Clock,
    no_input: Clock,
    all_busy: Clock,
    no_room: Clock,
}

/// What a [`Meter`] says at the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) items: u64,
    /// In the stage's own work.
    pub(crate) busy: Duration,
    /// For an item from the stage before.
    pub(crate) no_input: Duration,
    /// For one of the stage's own tasks to be done.
    pub(crate) all_busy: Duration,
    /// For room in the channel to the stage behind.
    pub(crate) no_room: Duration,
}

impl Meter {
    pub(crate) fn read(&self) -> Reading {
        let no_room = self.no_room.read();
        Reading {
            items: self.items.load(Ordering::Relaxed),
            // Who waits for room does so in the middle of the work.
            busy: self.busy.read().saturating_sub(no_room),
            no_input: self.no_input.read(),
            all_busy: self.all_busy.read(),
            no_room,
        }
    }

    /// Counts an item, and the time that its work takes.
    pub(crate) fn work<R>(&self, work: impl FnOnce() -> R) -> R {
        self.items.fetch_add(1, Ordering::Relaxed);
        self.busy.time(work)
    }
}

/// Nanoseconds. Relaxed everywhere: figures for the report, which is made when all tasks have ended.
#[derive(Debug, Default)]
struct Clock(AtomicU64);

impl Clock {
    fn time<R>(&self, work: impl FnOnce() -> R) -> R {
        let began = Instant::now();
        let result = work();
        let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(took, Ordering::Relaxed);
        result
    }

    fn read(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// The way to the next stage.
#[derive(Clone, Debug)]
pub(crate) struct Output<'a, T> {
    sender: Sender<T>,
    meter: &'a Meter,
}

/// The way from the stage before.
#[derive(Debug)]
pub(crate) struct Input<'a, T> {
    receiver: Receiver<T>,
    meter: &'a Meter,
}

/// A channel from one stage to the next, with the meters of both ends.
pub(crate) fn connect<'a, T>(
    from: &'a Meter,
    to: &'a Meter,
    queue: usize,
) -> (Output<'a, T>, Input<'a, T>) {
    let (sender, receiver) = channel::bounded(queue);
    let output = Output {
        sender,
        meter: from,
    };
    let input = Input {
        receiver,
        meter: to,
    };
    (output, input)
}

impl<'a, T> Output<'a, T> {
    /// Another way into the same channel, for another stage.
    pub(crate) fn from<'b>(&self, meter: &'b Meter) -> Output<'b, T> {
        Output {
            sender: self.sender.clone(),
            meter,
        }
    }

    /// Waits for room.
    pub(crate) fn send(&self, item: T) {
        // An error means that the next stage has panicked. The job's scope will say so; the rest drains away.
        let _ = self.meter.no_room.time(|| self.sender.send(item));
    }
}

impl<T> Input<'_, T> {
    /// The next item, or `None` when the stage before is done.
    pub(crate) fn next(&self) -> Option<T> {
        self.meter.no_input.time(|| self.receiver.recv().ok())
    }
}

/// Gives every item to a task of its own until there are no more, and returns the tools.
///
/// Each task has one of the tools for itself meanwhile: so there are never more tasks at once than tools.
pub(crate) fn run<I, T>(
    meter: &Meter,
    input: &Input<'_, I>,
    tools: Vec<T>,
    work: impl Fn(&mut T, I) + Sync,
) -> Vec<T>
where
    I: Send,
    T: Send,
{
    let shelf = Shelf::new(tools);
    scope(|scope| {
        while let Some(item) = input.next() {
            let mut tool = meter.all_busy.time(|| shelf.take());
            let work = &work;
            scope.spawn(move || meter.work(|| work(&mut tool, item)));
        }
    });
    shelf.clear()
}

/// The tools that nobody uses at the moment. A channel is all it takes: taking one waits until one was put back.
struct Shelf<T> {
    put: Sender<T>,
    take: Receiver<T>,
}

impl<T> Shelf<T> {
    fn new(tools: Vec<T>) -> Self {
        let (put, take) = channel::bounded(tools.len());
        let shelf = Shelf { put, take };
        for tool in tools {
            shelf.put(tool);
        }
        shelf
    }

    fn put(&self, tool: T) {
        let put = self.put.try_send(tool);
        assert!(put.is_ok(), "there is room for every tool");
    }

    fn take(&self) -> Lent<'_, T> {
        let tool = self.take.recv().ok();
        assert!(tool.is_some(), "the shelf itself keeps its channel open");
        Lent { shelf: self, tool }
    }

    fn clear(self) -> Vec<T> {
        drop(self.put);
        self.take.iter().collect()
    }
}

/// A tool that goes back to the shelf also if its user panics: otherwise the stage would wait for it for ever.
struct Lent<'a, T> {
    shelf: &'a Shelf<T>,
    tool: Option<T>,
}

impl<T> Deref for Lent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.tool.as_ref().expect("it goes back only at the end")
    }
}

impl<T> DerefMut for Lent<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.tool.as_mut().expect("it goes back only at the end")
    }
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        if let Some(tool) = self.tool.take() {
            self.shelf.put(tool);
        }
    }
}
