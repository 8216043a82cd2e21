//! The report of something that does not go on: what is known of it, how it is told, and the bounded table that keeps it.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
// Reports are rare, and no model makes one.
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::kernel::Blocked;
use super::sample::Frames;
use super::{OnStall, Stretch, calls};
use crate::deadlock::Deadlock;
use crate::native::Target;
use crate::primitive::Mutex;
use crate::scheduler::Core;
use crate::symbol::{self, Frame};
use crate::task::payload::contain;
use crate::task::state::Epoch;
use crate::task::{Task, release};
use crate::wait::WaitReason;

/// What keeps a task, or all of them, from going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StallKind {
    /// It runs, mostly in code of the program.
    User,
    /// It runs, mostly in the kernel.
    System,
    /// It is blocked in the kernel.
    Sleeping,
    /// It could run, but the system gives the processors to others; or its thread was made and has had none yet.
    Starving,
    /// It is in a native section: its slot is not stalled, but the task has been away for so long.
    NativeSection,
    /// The kernel does not say.
    Unknown,
    /// All workers are kept, and what waits for one is not picked up.
    AllWorkers,
    /// It has waited for longer than [`Builder::report_waits`](crate::Builder::report_waits) allows.
    LongWait,
    /// Tasks wait for each other in a circle.
    Deadlock,
}

impl StallKind {
    /// Whether it runs, in the program or in the kernel.
    pub fn is_running(self) -> bool {
        matches!(self, StallKind::User | StallKind::System)
    }

    /// Whether it is about one task that keeps its thread.
    fn is_of_thread(self) -> bool {
        !matches!(
            self,
            StallKind::AllWorkers | StallKind::LongWait | StallKind::Deadlock
        )
    }
}

impl fmt::Display for StallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StallKind::User => "runs",
            StallKind::System => "runs in the kernel",
            StallKind::Sleeping => "sleeps in the kernel",
            StallKind::Starving => "starves for a processor",
            StallKind::NativeSection => "is in a native section",
            StallKind::Unknown => "does not settle",
            StallKind::AllWorkers => "all workers are kept",
            StallKind::LongWait => "waits",
            StallKind::Deadlock => "is in a deadlock",
        })
    }
}

/// What the kernel has counted for a stalled thread between two looks, the second of which made the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StallTimes {
    /// What lay between them.
    pub over: Duration,
    /// The thread had a processor.
    pub ran: Duration,
    /// It could have run, and had none; partly estimated, as the kernel counts such a time when it is over. What is left was
    /// sleep.
    pub starved: Duration,
}

/// The report of something that does not go on: mostly of a task that has kept its thread for longer than
/// [`Builder::stall_after`](crate::Builder::stall_after); see [`StallKind`] for what else.
pub struct Stall {
    pub(super) number: u64,
    pub(super) at: Duration,
    pub(super) kind: StallKind,
    pub(super) task: Option<Whose>,
    pub(super) thread: Option<Where>,
    pub(super) lasted: Duration,
    pub(super) target: Option<&'static Target>,
    pub(super) wait: Option<WaitReason>,
    pub(super) blocker: Option<u64>,
    pub(super) detail: Option<String>,
    pub(super) blocked: Blocked,
    pub(super) times: Option<StallTimes>,
    pub(super) frames: Frames,
    pub(super) symbols: OnceLock<Box<[Frame]>>,
    pub(super) about: About,
    /// The address of the scheduler's core, and that the report is known to be of the past.
    pub(super) core: usize,
    pub(super) is_over: AtomicBool,
}

/// What goes on or does not, for whoever asks later.
#[derive(Clone, Copy)]
pub(super) enum About {
    Nothing,
    /// What a thread does, which has this number.
    Stretch(usize, Stretch),
    Wait(&'static Task, Epoch),
}

/// The task that it is about.
pub(super) struct Whose {
    pub(super) id: u64,
    name: Option<Arc<str>>,
}

impl Whose {
    /// Nothing if it has ended.
    pub(super) fn of(task: &'static Task) -> Option<Whose> {
        // Whoever asks has seen it live; this reference is for the case that it ends just now.
        if !task.life.try_keep() {
            return None;
        }
        let whose = Whose {
            id: task.id.get(),
            name: task.name(),
        };
        contain(|| release(task));
        Some(whose)
    }
}

/// The thread that is kept.
#[derive(Clone, Copy)]
pub(super) struct Where {
    pub(super) worker: usize,
    pub(super) os_id: i32,
}

impl Stall {
    /// One of this kind that is known of now, of which nothing else is known yet.
    pub(super) fn new(core: &Core, kind: StallKind) -> Stall {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        Stall {
            // Relaxed: only uniqueness is asked of it.
            number: NUMBER.fetch_add(1, Relaxed),
            at: Duration::from_nanos(core.now()),
            kind,
            task: None,
            thread: None,
            lasted: Duration::ZERO,
            target: None,
            wait: None,
            blocker: None,
            detail: None,
            blocked: Blocked::default(),
            times: None,
            frames: Frames::default(),
            symbols: OnceLock::new(),
            about: About::Nothing,
            core: std::ptr::from_ref(core).addr(),
            is_over: AtomicBool::new(false),
        }
    }

    /// As [`Scheduler::goes_on`](crate::Scheduler::goes_on).
    pub(crate) fn goes_on(&self, core: &Core) -> Option<bool> {
        if self.core != std::ptr::from_ref(core).addr() {
            return None;
        }
        // Relaxed: what is over stays so, and is found out again by who does not see it.
        if self.is_over.load(Relaxed) {
            return Some(false);
        }
        let goes_on = match self.about {
            About::Nothing => return None,
            About::Stretch(thread, stretch) => {
                // One that is no more may have had the same address, and more threads.
                let thread = (thread < core.threads.len()).then(|| core.threads.get(thread))?;
                let runs = thread.task.get().map(|task| task.id.get());
                runs == Some(self.task_id()) && stretch.goes_on(thread)
            }
            About::Wait(task, epoch) => {
                task.wait.armed_epoch() == Some(epoch) && task.id.get() == self.task_id()
            }
        };
        self.is_over.store(!goes_on, Relaxed);
        Some(goes_on)
    }

    /// The report's number, which no other of the process has.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When it was made, counted from the scheduler's start.
    pub fn at(&self) -> Duration {
        self.at
    }

    /// What kind of stall it is.
    pub fn kind(&self) -> StallKind {
        self.kind
    }

    /// The task's number, as [`TaskRef::id`](crate::TaskRef::id); of a deadlock the one whose wait closed the circle; 0 if it
    /// is about no one task.
    pub fn task_id(&self) -> u64 {
        self.task.as_ref().map_or(0, |task| task.id)
    }

    /// The task's name, if it was given one.
    pub fn task_name(&self) -> Option<&str> {
        self.task.as_ref()?.name.as_deref()
    }

    /// The number of the thread that is kept among those of its scheduler, which is part of its name.
    pub fn worker(&self) -> Option<usize> {
        self.thread.map(|thread| thread.worker)
    }

    /// The number by which the system knows that thread. Nothing while it has not begun to run.
    pub fn os_thread(&self) -> Option<i32> {
        let thread = self.thread?;
        (thread.os_id != 0).then_some(thread.os_id)
    }

    /// How long the task had not settled, the section had been open, the wait had lasted, or all workers had been kept.
    /// Nothing for a deadlock, which is found when it comes about.
    pub fn lasted(&self) -> Duration {
        self.lasted
    }

    /// What the native section calls, if it is about one: [`Target::name`].
    pub fn target(&self) -> Option<&'static str> {
        self.target.map(Target::name)
    }

    /// What is waited for, if it is about a wait.
    pub fn wait_reason(&self) -> Option<WaitReason> {
        self.wait
    }

    /// The number of the task that is waited for, as far as that is known: the one that has the mutex, or whose end it is.
    pub fn blocking_task(&self) -> Option<u64> {
        self.blocker
    }

    /// What else there is to say: what all workers are kept by, and how many by the same; who waits for whom in a circle.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The number of the system call in which it is blocked or runs, if that could be found out.
    pub fn system_call(&self) -> Option<u64> {
        self.blocked.call
    }

    /// The name of that call.
    pub fn system_call_name(&self) -> Option<&'static str> {
        calls::name(self.blocked.call?)
    }

    /// The function of the kernel in which it is blocked, if the kernel says so.
    pub fn wait_channel(&self) -> Option<&str> {
        self.blocked.channel()
    }

    /// What the thread did in the last part of the stall, by the kernel's count: nothing if that does not count, or it is about
    /// no thread.
    pub fn times(&self) -> Option<StallTimes> {
        self.times
    }

    /// Program counters, innermost first: the task's frames and then the worker's. They are addresses of code;
    /// [`symbols`](Stall::symbols) turns them into names.
    ///
    /// After the first these are all words on the stack that point behind a call. None is missing, up to 32 KiB from the
    /// innermost; but some may be left over from calls that have returned.
    ///
    /// Empty for native sections and waits, without a [signal](crate::Builder::stall_signal), and if the thread did not
    /// answer in time: since it is not scheduled, has the signal blocked, or is blocked where no signal reaches it.
    pub fn frames(&self) -> &[usize] {
        &self.frames.likely
    }

    /// The same along the frame pointers: exact where all code keeps them. Functions that do not are left out, or end it.
    pub fn linked_frames(&self) -> &[usize] {
        &self.frames.linked
    }

    /// The functions of the [`frames`](Stall::frames), with feature `symbols`. Looked up when it is first called, which may
    /// take tens of milliseconds: not for the callback that is told of stalls.
    pub fn symbols(&self) -> &[Frame] {
        self.symbols
            .get_or_init(|| symbol::frames(&self.frames.likely).into())
    }

    /// The innermost function that has a name: the one that keeps the thread, or what it has called. One of Rust's own
    /// library, such as the load that a loop repeats, only where there is no other.
    /// As for [`symbols`](Stall::symbols).
    pub fn function(&self) -> Option<&str> {
        let named = || self.symbols().iter().filter(|at| at.function.is_some());
        let own = named().find(|at| !at.is_of_the_language());
        own.or_else(|| named().next())?.function.as_deref()
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(task) = &self.task {
            write!(f, "task {}", task.id)?;
            if let Some(name) = &task.name {
                write!(f, " {name:?}")?;
            }
            f.write_str(" ")?;
        }
        write!(f, "{}", self.kind)?;
        if let Some(reason) = self.wait {
            write!(f, " for {reason}")?;
        }
        if self.kind != StallKind::Deadlock {
            write!(f, " for {} ms", self.lasted.as_millis())?;
        }
        if let Some(worker) = self.worker() {
            write!(f, " on worker {worker}")?;
        }
        if let Some(what) = self.target().or(self.system_call_name()) {
            write!(f, ": {what}")?;
        }
        if let Some(blocker) = self.blocker {
            write!(f, ": blocked by task {blocker}")?;
        }
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stall")
            .field("number", &self.number)
            .field("kind", &self.kind)
            .field("task_id", &self.task_id())
            .field("task_name", &self.task_name())
            .field("worker", &self.worker())
            .field("os_thread", &self.os_thread())
            .field("lasted", &self.lasted)
            .field("target", &self.target())
            .field("wait_reason", &self.wait)
            .field("blocking_task", &self.blocker)
            .field("detail", &self.detail)
            .field("system_call", &self.blocked.call)
            .field("wait_channel", &self.blocked.channel())
            .field("times", &self.times)
            .field("frames", &Hex(&self.frames.likely))
            .field("linked_frames", &Hex(&self.frames.linked))
            .finish()
    }
}

struct Hex<'a>(&'a [usize]);

impl fmt::Debug for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for address in self.0 {
            list.entry(&format_args!("{address:#x}"));
        }
        list.finish()
    }
}

/// How many reports are kept: the newest.
const KEPT: usize = 256;

/// The reports of a scheduler.
pub(crate) struct Reports(Mutex<Kept>);

struct Kept {
    newest: VecDeque<Arc<Stall>>,
    made: u64,
}

impl Reports {
    pub(crate) fn new() -> Reports {
        Reports(Mutex::new(Kept {
            newest: VecDeque::new(),
            made: 0,
        }))
    }

    fn keep(&self, stall: &Arc<Stall>) {
        let mut kept = self.0.lock();
        kept.made += 1;
        if kept.newest.len() == KEPT {
            kept.newest.pop_front();
        }
        kept.newest.push_back(Arc::clone(stall));
    }

    /// Those that are kept, the oldest first.
    pub(crate) fn read(&self) -> Vec<Arc<Stall>> {
        self.0.lock().newest.iter().cloned().collect()
    }

    /// How many there ever were.
    pub(crate) fn made(&self) -> u64 {
        self.0.lock().made
    }

    /// A circle that was found. Whoever found it makes the event of it.
    #[cold]
    pub(crate) fn deadlock(&self, core: &Core, deadlock: &Deadlock) {
        if cfg!(any(loom, shuttle)) {
            return;
        }
        let (first, _) = &deadlock.tasks()[0];
        let stall = Arc::new(Stall {
            task: Whose::of(first.record()),
            detail: Some(deadlock.to_string()),
            ..Stall::new(core, StallKind::Deadlock)
        });
        self.keep(&stall);
    }
}

impl Stall {
    /// Keeps it, and tells whoever wants to know. Their panics end here: the monitor has others to look after.
    pub(super) fn deliver(self, core: &Core) {
        let stall = Arc::new(self);
        core.reports.keep(&stall);
        let told = catch_unwind(AssertUnwindSafe(|| {
            stall.event();
            if let Some(OnStall(tell)) = &core.monitor.orders.tell {
                tell(&stall);
            }
        }));
        if let Err(panic) = told {
            contain(|| drop(panic));
            contain(|| tracing::error!("who was told of a stall panicked"));
        }
    }

    fn event(&self) {
        let message = match self.kind {
            StallKind::AllWorkers => "all workers are kept, and work waits",
            StallKind::LongWait => "a task waits for long",
            _ => "a task does not settle",
        };
        let of_thread = self.kind.is_of_thread();
        tracing::warn!(
            kind = %self.kind,
            task = self.task.as_ref().map(|task| task.id),
            name = self.task_name(),
            worker = self.worker(),
            thread = self.os_thread(),
            lasted_ms = self.lasted.as_millis() as u64,
            target_name = self.target(),
            wait_reason = self.wait.map(tracing::field::display),
            blocking_task = self.blocker,
            system_call = self.system_call(),
            wait_channel = self.wait_channel(),
            detail = self.detail(),
            frames = of_thread.then_some(tracing::field::debug(Hex(self.frames()))),
            "{message}"
        );
    }
}
