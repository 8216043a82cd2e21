//! Every setting of a scheduler.
#![forbid(unsafe_code)]

use std::io;
#[cfg(not(any(loom, shuttle)))]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::deadlock::{Deadlock, OnDeadlock};
#[cfg(not(any(loom, shuttle)))]
use crate::dump::{self, signal::OnSignal};
use crate::fiber::stack::{self, Guards};
use crate::join::TaskRef;
use crate::observed::{Make, Observed};
use crate::scheduler::Scheduler;
#[cfg(feature = "simulate")]
use crate::simulate::Faults;
use crate::stall::{OnQuantum, OnStall, Stall};
use crate::task::Backing;
use crate::trace::Recording;
use crate::wait::WaitReason;
use crate::watch::Accounting;

mod settings;
mod task;

pub use settings::Admission;
pub(crate) use settings::Settings;
pub use task::TaskBuilder;

/// Settings of a [`Scheduler`].
///
/// ```
/// use fiberhost_scheduler::Scheduler;
/// let scheduler = Scheduler::builder().workers(2).name("engine").build()?;
/// assert_eq!(scheduler.run(|| 6 * 7), 42);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    settings: Settings,
}

impl Default for Builder {
    fn default() -> Self {
        Builder::new()
    }
}

impl Builder {
    /// All defaults.
    pub fn new() -> Self {
        Builder {
            settings: Settings::default(),
        }
    }

    /// How many tasks may run at once. Default: the processors this process may use, by affinity and cgroup quota.
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = workers;
        self
    }

    /// How many tasks may ever run at once, after [`Scheduler::set_workers`]. Default: [`workers`](Builder::workers), which is
    /// the least as well. Each beyond them costs a thread that sleeps.
    pub fn workers_max(mut self, workers: usize) -> Self {
        self.settings.workers_max = workers;
        self
    }

    /// So many threads beyond the [`workers`](Builder::workers), each with a slot, for tasks that are to run on no others:
    /// see [`TaskBuilder::reserved`]. No other task starts there, so none of them is ever kept waiting behind a task that
    /// sleeps with its thread, as long as they do not do that to each other. Default: none.
    ///
    /// Their number comes on top of the workers', not out of it: the others keep what they were promised, and a scheduler
    /// of one worker can have some. They have a monitor of their own, which is one more thread while they are busy, and as
    /// many threads that take over as [`max_threads`](Builder::max_threads) allows, counted on their own.
    pub fn bound_workers(mut self, workers: usize) -> Self {
        self.settings.bound_workers = workers;
        self
    }

    /// The most OS threads: workers, those that take over while others are in native code, and those of tasks with a thread of
    /// their own. Beyond it a native section keeps its slot, and a task that wants a thread is refused. At least one more
    /// than [`workers`](Builder::workers) for any slot to be taken over. Default: 10,000, as in Go.
    pub fn max_threads(mut self, threads: usize) -> Self {
        self.settings.max_threads = threads;
        self
    }

    /// The workers' threads are called by this name and a number. Default: `fiberhost`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// What tasks run on that do not say it themselves, with [`TaskBuilder::backing`]. Default: [`Backing::Fiber`].
    pub fn default_backing(mut self, backing: Backing) -> Self {
        self.settings.default_backing = backing;
        self
    }

    /// Bytes of stack for a task that does not ask for its own size. Rounded up to pages; at least 32 KiB, which a panic
    /// with its backtrace needs. Default: 128 KiB.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.settings.stack_size = bytes;
        self
    }

    /// How the guard below each stack is made. Default: without cost in mappings where the kernel can.
    pub fn guards(mut self, guards: Guards) -> Self {
        self.settings.guards = guards;
        self
    }

    /// How many unused stacks keep their pages; those beyond give them back to the kernel. Default: 1024.
    pub fn warm_stacks(mut self, stacks: usize) -> Self {
        self.settings.warm_stacks = stacks;
        self
    }

    /// Makes room for a signal frame at the entry of each task's stack, at one more page a task: for processes with signal
    /// handlers that were installed without `SA_ONSTACK` and cannot be changed. Default: no, with a warning at the start if
    /// there are such handlers.
    pub fn handlers_on_task_stacks(mut self, room: bool) -> Self {
        self.settings.handlers_on_task_stacks = room;
        self
    }

    /// Measures how deep each task uses its stack: [`TaskRef::stack_used`](crate::TaskRef::stack_used) for one task,
    /// [`Scheduler::stack_classes`] for the most of each size. It costs each task a walk over what it used, at its end.
    /// Default: no, and then it costs nothing.
    pub fn measure_stacks(mut self, measure: bool) -> Self {
        self.settings.measure_stacks = measure;
        self
    }

    /// The time after which [`check_quantum`](crate::check_quantum) yields. Default: 4 ms.
    pub fn quantum(mut self, quantum: Duration) -> Self {
        self.settings.quantum = quantum;
        self
    }

    /// Who is told when a task has run for a quantum without settling, and once more for each further one: somebody who can
    /// make it yield. It is called on the monitor's thread, which does nothing else meanwhile: it must not wait for tasks, nor
    /// take a lock that a task may hold. The task may have settled since. A panic in it is caught. What it captures lives as
    /// long as the scheduler, so it must not own that. Default: nobody.
    pub fn on_quantum(mut self, tell: impl Fn(&TaskRef) + Send + Sync + 'static) -> Self {
        self.settings.stalls.tell_quantum = Some(OnQuantum(Arc::new(tell)));
        self
    }

    /// How long a native section keeps its slot before the monitor gives it to another thread; it takes up to half as long
    /// again. Timers behind a task that does not yield are fired as late. Default: 2 ms.
    pub fn handover_after(mut self, time: Duration) -> Self {
        self.settings.handover_after = time;
        self
    }

    /// How long a task may keep its thread without settling, which is waiting or yielding, before that is reported, once: as an
    /// event of `tracing`, to [`on_stall`](Builder::on_stall), and in [`Scheduler::stalls`]. A native section is reported after the same time.
    /// If that holds for all workers while work waits, there is one more report.
    /// It is found up to an eighth later, or a quarter of a second. [`Duration::MAX`] is never. Default: 10 s.
    pub fn stall_after(mut self, time: Duration) -> Self {
        self.settings.stalls.after = time;
        self
    }

    /// Waits for these reasons are reported as stalls are, each once, when they have lasted for so long: those for locks, say,
    /// in a program whose tasks never hold one for long. Called again for a reason, the last time counts.
    ///
    /// The monitor looks through all tasks for it, eight times in that time but at most once in two milliseconds; with
    /// 100,000 tasks a look takes a millisecond or so. It looks while there are tasks, though all wait. Default: none.
    ///
    /// ```
    /// use fiberhost_scheduler::{Scheduler, WaitReason};
    /// use std::time::Duration;
    ///
    /// let locks = [WaitReason::Mutex, WaitReason::RwLockRead, WaitReason::RwLockWrite];
    /// let scheduler = Scheduler::builder().report_waits(locks, Duration::from_secs(30)).build()?;
    /// assert!(scheduler.stalls().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn report_waits(
        mut self,
        reasons: impl IntoIterator<Item = WaitReason>,
        after: Duration,
    ) -> Self {
        let reasons = reasons.into_iter().map(|reason| (reason, after));
        self.settings.stalls.waits.extend(reasons);
        self
    }

    /// Who is told of stalls. It is called on the monitor's thread, which does nothing else meanwhile: it must not wait for
    /// tasks. A panic in it is caught. What it captures lives as long as the scheduler, so it must not own that.
    /// Default: nobody, beside the event.
    ///
    /// ```
    /// use fiberhost_scheduler::Scheduler;
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// let scheduler = Scheduler::builder()
    ///     .stall_after(Duration::from_millis(50))
    ///     .on_stall(move |stall| sender.send(stall.to_string()).unwrap_or_default())
    ///     .build()?;
    /// // This sleeps with the worker's thread.
    /// scheduler.run(|| std::thread::sleep(Duration::from_millis(500)));
    /// assert!(receiver.recv()?.contains("sleeps in the kernel"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_stall(mut self, tell: impl Fn(&Stall) + Send + Sync + 'static) -> Self {
        self.settings.stalls.tell = Some(OnStall(Arc::new(tell)));
        self
    }

    /// The real-time signal by which a stalled thread is asked for its frames; `None` for reports without them. It interrupts
    /// the system call in which the thread is blocked: most go on, but some, such as `poll`, return `EINTR`.
    /// The handler is installed when it is first needed, and hands every other signal of the number on to the one before it.
    /// Default: `SIGRTMAX` - 3.
    pub fn stall_signal(mut self, signal: Option<i32>) -> Self {
        self.settings.stalls.signal = signal;
        self
    }

    /// Who is told of circles of tasks that wait for each other: each once, when the wait that closes it begins, with its
    /// tasks, what each waits for, and whose wait is broken. It is called by the task that began that wait, on its
    /// stack and before it waits, so the others may wait meanwhile for what it has. A panic in it is caught. What it captures
    /// lives as long as the scheduler, so it must not own that. Default: nobody, beside an event of `tracing`.
    ///
    /// What is known of who waits for whom: joins, waits for mutexes, read-write locks and `Once`s, all without a time limit;
    /// and tasks that need the thread of one that sleeps with it. A lock that a plain thread has leads nowhere, nor do events,
    /// semaphores and channels.
    ///
    /// ```
    /// use fiberhost_scheduler::sync::{Barrier, Mutex};
    /// use fiberhost_scheduler::{Scheduler, scope};
    /// use std::sync::mpsc;
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// let scheduler = Scheduler::builder()
    ///     .on_deadlock(move |deadlock| sender.send(deadlock.tasks().len()).unwrap_or_default())
    ///     .build()?;
    /// scheduler.run(|| {
    ///     let (locks, both) = ([Mutex::new(()), Mutex::new(())], Barrier::new(2));
    ///     scope(|scope| {
    ///         for at in 0..2 {
    ///             let (locks, both) = (&locks, &both);
    ///             scope.spawn(move || {
    ///                 let _mine = locks[at].lock();
    ///                 both.wait();
    ///                 // One of the two is refused, and gives back what it has.
    ///                 let _other = locks[1 - at].lock_or_deadlock();
    ///             });
    ///         }
    ///     });
    /// });
    /// assert_eq!(receiver.recv()?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_deadlock(mut self, tell: impl Fn(&Deadlock) + Send + Sync + 'static) -> Self {
        self.settings.on_deadlock = Some(OnDeadlock(Arc::new(tell)));
        self
    }

    /// The most tasks alive at once. Default: no limit, and no cost for counting.
    pub fn max_tasks(mut self, tasks: usize) -> Self {
        self.settings.max_tasks = tasks;
        self
    }

    /// What a spawn does at that limit. Default: it fails.
    pub fn admission(mut self, admission: Admission) -> Self {
        self.settings.admission = admission;
        self
    }

    /// How long a worker looks for work before it sleeps, while another worker is awake. Default: 10 µs, or nothing where
    /// there is one processor. One that has looked in vain some times in a row does so rarely, but then five times as long.
    pub fn idle_spin(mut self, time: Duration) -> Self {
        self.settings.idle_spin = time;
        self
    }

    /// One slot beyond the [`workers`](Builder::workers), with a thread of its own: for tasks that find out what is wrong when
    /// all others are stuck. See [`Scheduler::emergency_lane`]. Default: no, and no thread for it.
    pub fn emergency_lane(mut self, wanted: bool) -> Self {
        self.settings.emergency_lane = wanted;
        self
    }

    /// Makes something that looks on from outside, when all else has started, and drops it when all else has ended. It is
    /// dropped by whoever shuts the scheduler down; if tasks are left then, it stays to show them. Called again, there is one
    /// more. An error is that of [`build`](Builder::build). Default: nothing.
    ///
    /// ```
    /// use fiberhost_scheduler::Scheduler;
    /// use std::sync::mpsc;
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// let scheduler = Scheduler::builder()
    ///     .observed_by(move |observed| {
    ///         sender.send(observed).expect("somebody receives");
    ///         Ok(Box::new(()))
    ///     })
    ///     .build()?;
    /// scheduler.run(|| ());
    /// assert_eq!(receiver.recv()?.stats().spawned, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn observed_by(
        mut self,
        make: impl Fn(Observed) -> io::Result<Box<dyn Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        self.settings.observers.push(Make(Arc::new(make)));
        self
    }

    /// Appends a [dump](crate::dump::Dump) to this file whenever the process gets this signal: one of SIGUSR1, SIGUSR2, SIGHUP,
    /// SIGQUIT, or a real-time signal. A thread of its own writes it. What goes wrong is an event of `tracing`, and counted:
    /// [`Stats::dumps_lost`](crate::Stats::dumps_lost). A handler that was there is called as well.
    ///
    /// [`build`](Builder::build) fails if the signal is another one, if nothing can be written there, or if sixteen schedulers of
    /// the process do this already. Default: no.
    ///
    /// ```no_run
    /// use fiberhost_scheduler::Scheduler;
    ///
    /// // `kill -QUIT` and the number of the process.
    /// let scheduler = Scheduler::builder().dump_on(3, "/var/log/engine.dump").build()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(not(any(loom, shuttle)))]
    pub fn dump_on(self, signal: i32, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.observed_by(move |observed| {
            if !dump::signal::is_usable(signal) {
                let text = format!("no dumps are made at signal {signal}");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
            Ok(Box::new(OnSignal::start(observed, signal, path.clone())?))
        })
    }

    /// How long dropping the last handle waits for tasks. Default: 10 s.
    pub fn shutdown_limit(mut self, limit: Duration) -> Self {
        self.settings.shutdown_limit = limit;
        self
    }

    /// How exact the times are that are kept of waits and turns. Counts are exact always. Default: one in about 60 is timed.
    pub fn accounting(mut self, accounting: Accounting) -> Self {
        self.settings.accounting = accounting;
        self
    }

    /// How many ledgers of ended tasks are kept ([`Scheduler::ledgers`]): the newest. Default: 1024.
    pub fn ledgers_kept(mut self, ledgers: usize) -> Self {
        self.settings.ledgers_kept = ledgers;
        self
    }

    /// What is recorded in the rings of events: see [`trace`](crate::trace). Default: what is rare.
    pub fn trace(mut self, recording: Recording) -> Self {
        self.settings.recording = recording;
        self
    }

    /// Checks the scheduler's invariants at every switch, and aborts the process when one is broken. For tests: it is slow.
    pub fn check_invariants(mut self, check: bool) -> Self {
        self.settings.check_invariants = check;
        self
    }

    /// Sends every mobile task through the common queue at every suspension, so that it often changes its thread.
    /// For tests of code that claims to be mobile.
    pub fn force_migration(mut self, force: bool) -> Self {
        self.settings.force_migration = force;
        self
    }

    /// Simulates the scheduler on the calling thread: a test with the same seed runs in the same way again. See
    /// [`simulate`](crate::simulate), and [`simulate::explore`](crate::simulate::explore) for many seeds.
    ///
    /// With two workers, whatever the machine has, unless [`workers`](Builder::workers) is called afterwards. The invariants are
    /// checked, and stalls are not reported. Schedulers that one thread builds with the same seed, while one of them
    /// is there, are in one simulation, with the faults of the first.
    ///
    /// ```
    /// use fiberhost_scheduler::{Scheduler, simulate, sleep};
    /// use std::time::Duration;
    ///
    /// let scheduler = Scheduler::builder().simulate(1).build()?;
    /// let day = Duration::from_secs(24 * 60 * 60);
    /// let slept = scheduler.run(move || {
    ///     let began = simulate::now();
    ///     sleep(day);
    ///     simulate::now() - began
    /// });
    /// assert!(slept >= day);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "simulate")]
    pub fn simulate(mut self, seed: u64) -> Self {
        const SPIN: Duration = Duration::from_micros(5);
        let settings = &mut self.settings;
        settings.simulate = Some(seed);
        settings.workers = 2;
        settings.idle_spin = SPIN;
        settings.check_invariants = true;
        settings.stalls.after = Duration::MAX;
        self
    }

    /// What goes wrong in a [simulation](Builder::simulate). Default: [`Faults::default`].
    #[cfg(feature = "simulate")]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.settings.faults = faults;
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// `InvalidInput` if there are no workers, or more than 1024 of them, at most or of bound workers, or more than threads;
    /// if the stack size is 0 or above 1 GiB; if the quantum, the limit on tasks or one of those for stalls and waits is 0;
    /// or if the signal for stalls is no real-time signal. `Unsupported` under a user shadow stack, or for a simulation where
    /// the jump switch is not written. Otherwise what the system said when it refused a thread. Nothing is left running then.
    pub fn build(self) -> io::Result<Scheduler> {
        let settings = self.settings;
        stack::check_size(settings.stack_size)?;
        match settings.fault() {
            Some(text) => Err(io::Error::new(io::ErrorKind::InvalidInput, text)),
            None => Scheduler::start(settings),
        }
    }
}
