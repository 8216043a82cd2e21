//! The operator's view: tables of what a scheduler and the hosts on it are at, with SQL Server's names where they mean the
//! same.
//!
//! [`Views::take`] looks once, without stopping anything; every table is made of that one look, so they agree with each
//! other. Counters count from the start; [`Views::since`] has what was counted since an [earlier look](Views::mark). A table is
//! a list of plain rows with documented columns ([`Row::COLUMNS`]), and comes as JSON lines
//! ([`Views::json`]) and as Prometheus text ([`Views::prometheus`]) as well.
//!
//! ```
//! use fiberhost::scheduler::{Scheduler, park};
//! use fiberhost::views::Views;
//!
//! let scheduler = Scheduler::builder().workers(1).build()?;
//! let task = scheduler.task().name("checkpoint").spawn(park)?;
//! # while task.task().wait_reason() != fiberhost::scheduler::WaitReason::Park { std::thread::yield_now(); }
//! let views = Views::take(&scheduler, &[]);
//! assert_eq!(views.tasks()[0].task_state, "SUSPENDED");
//! assert!(views.json("waiting_tasks")?.contains("\"wait_type\":\"Park\""));
//! # task.task().unpark();
//! # task.join()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | table | a row for each | SQL Server |
//! |---|---|---|
//! | `schedulers` | slot | `sys.dm_os_schedulers` |
//! | `workers` | thread of the scheduler | `sys.dm_os_workers` |
//! | `tasks` | task that has not ended | `sys.dm_os_tasks` |
//! | `waiting_tasks` | task that waits, with who blocks it | `sys.dm_os_waiting_tasks` |
//! | `wait_stats` | reason for which tasks have waited | `sys.dm_os_wait_stats` |
//! | `native_sections` | native section that is open | |
//! | `native_targets` | what native sections have called | |
//! | `histograms` | distribution of times | |
//! | `task_ledgers` | task whose time is booked, with where it went; ended ones too | |
//! | `stalls` | report of something that did not go on, with its cause | |
//! | `threads` | thread of the process | `sys.dm_os_threads` |
//! | `sys_info` | scheduler | `sys.dm_os_sys_info` |
//! | `stack_classes` | size of stacks | |
//! | `spinlocks` | kind of the scheduler's own short locks | `sys.dm_os_spinlock_stats` |
//! | `hosts` | host | `sys.dm_os_hosts` |
//! | `memory` | host and critical level of memory | |
//! | `native_functions` | function of which a host learns whether its calls are announced | |
#![forbid(unsafe_code)]

pub(crate) mod hosts;
mod os_threads;
mod rows;
mod table;
mod window;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use fiberhost_scheduler::native::Target;
use fiberhost_scheduler::stats::{
    Histogram, Histograms, Snapshot, TaskFacts, TaskState, ThreadFacts, ThreadState,
};
use fiberhost_scheduler::stats::{LedgerFacts, SpinFacts, TargetFacts};
use fiberhost_scheduler::{
    Accounting, Backing, Blocker, Frame, Observed, Priority, Scheduler, StackClass, Stall,
    StallKind, WaitReason,
};

use crate::functions;
use crate::hooks::{FunctionFacts, Opinion};
use crate::host::Host;
use hosts::HostFacts;
use os_threads::OsThread;
pub use rows::{
    HistogramRow, HostRow, MemoryRow, NativeFunctionRow, NativeSectionRow, NativeTargetRow,
    SchedulerRow, SpinlockRow, StackClassRow, StallRow, SystemRow, TaskLedgerRow, TaskRow,
    ThreadRow, WaitStatsRow, WaitingTaskRow, WorkerRow,
};
pub(crate) use table::json_text;
pub use table::{Cell, Column, ColumnKind, Row, json_lines, prometheus};
use table::{json_lines_picked, ms};
pub use window::Mark;
use window::Window;

/// One look at a scheduler and at hosts. See the [module](self).
#[derive(Clone, Debug)]
pub struct Views {
    snapshot: Snapshot,
    stacks: Vec<StackClass>,
    /// With whether they go on.
    stalls: Vec<(Arc<Stall>, Option<bool>)>,
    ledgers: Vec<LedgerFacts>,
    histograms: Histograms,
    hosts: Vec<HostFacts>,
    /// Where a task that blocks others stands in the snapshot, by its number.
    blockers: HashMap<u64, usize>,
    /// From the number of a scheduler's thread to that of the slot that it has.
    slots: HashMap<usize, usize>,
    /// Nothing: it counts from the start.
    window: Option<Window>,
}

/// There is no table of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTable(String);

impl UnknownTable {
    pub(crate) fn new(table: &str) -> UnknownTable {
        UnknownTable(table.to_owned())
    }
}

impl fmt::Display for UnknownTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        write!(f, "no table {:?}; there are {}", self.0, names.join(", "))
    }
}

impl std::error::Error for UnknownTable {}

/// A table: its name, what it shows, and its columns.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// What a row stands for.
    pub meaning: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
}

/// Calls a macro with the function of each table.
macro_rules! each_table {
    ($do:ident) => {
        $do! {
            schedulers: SchedulerRow,
            workers: WorkerRow,
            tasks: TaskRow,
            waiting_tasks: WaitingTaskRow,
            wait_stats: WaitStatsRow,
            native_sections: NativeSectionRow,
            native_targets: NativeTargetRow,
            histograms: HistogramRow,
            stalls: StallRow,
            task_ledgers: TaskLedgerRow,
            threads: ThreadRow,
            sys_info: SystemRow,
            stack_classes: StackClassRow,
            spinlocks: SpinlockRow,
            hosts: HostRow,
            memory: MemoryRow,
            native_functions: NativeFunctionRow,
        }
    };
}

macro_rules! tables {
    ($($function:ident: $row:ty,)+) => {
        /// All tables.
        pub const TABLES: &[Table] = &[$(Table {
            name: <$row as Row>::TABLE,
            meaning: <$row as Row>::MEANING,
            columns: <$row as Row>::COLUMNS,
        },)+];

        impl Views {
            /// A table by its name, as JSON lines: an object for each row.
            ///
            /// # Errors
            /// There is no table of this name.
            pub fn json(&self, table: &str) -> Result<String, UnknownTable> {
                match table {
                    $(<$row as Row>::TABLE => Ok(json_lines(&self.$function())),)+
                    _ => Err(UnknownTable(table.to_owned())),
                }
            }

            /// The same with the columns that stand at these places.
            pub(crate) fn json_picked(
                &self,
                table: &str,
                picked: &[usize],
            ) -> Result<String, UnknownTable> {
                match table {
                    $(<$row as Row>::TABLE => Ok(json_lines_picked(&self.$function(), picked)),)+
                    _ => Err(UnknownTable::new(table)),
                }
            }

            /// A table by its name, in Prometheus's text format. The scheduler's name is a label of each metric.
            ///
            /// # Errors
            /// There is no table of this name.
            pub fn prometheus(&self, table: &str) -> Result<String, UnknownTable> {
                let labels = [("scheduler", self.snapshot.system.name.as_str())];
                match table {
                    $(<$row as Row>::TABLE => Ok(prometheus(&self.$function(), &labels)),)+
                    _ => Err(UnknownTable(table.to_owned())),
                }
            }
        }
    };
}

each_table!(tables);

impl Views {
    /// Looks at a scheduler, and at these hosts.
    pub fn take(scheduler: &Scheduler, hosts: &[&Host]) -> Views {
        Views::of(&scheduler.observed(), hosts)
    }

    /// The same for somebody who has no hold of the scheduler.
    pub fn of(scheduler: &Observed, hosts: &[&Host]) -> Views {
        let snapshot = scheduler.snapshot();
        let slots = snapshot.slots.iter().map(|slot| (slot.driver, slot.index));
        let stalls = scheduler.stalls().into_iter();
        let stalls = stalls.map(|stall| {
            let goes_on = scheduler.goes_on(&stall);
            (stall, goes_on)
        });
        Views {
            blockers: blockers(&snapshot.tasks),
            slots: slots.collect(),
            stacks: scheduler.stack_classes(),
            stalls: stalls.collect(),
            ledgers: scheduler.ledgers(),
            histograms: scheduler.histograms(),
            hosts: hosts.iter().map(|host| hosts::facts(host)).collect(),
            snapshot,
            window: None,
        }
    }

    /// The same with all hosts on that scheduler.
    pub(crate) fn with_hosts(scheduler: &Observed) -> Views {
        Views {
            hosts: hosts::on(scheduler),
            ..Views::of(scheduler, &[])
        }
    }

    /// The facts of which the tables are made.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The table `schedulers`.
    pub fn schedulers(&self) -> Vec<SchedulerRow> {
        let mut current = HashMap::<usize, [usize; 2]>::new();
        for task in &self.snapshot.tasks {
            if let Some(slot) = self.slot_of(task.thread) {
                let [all, runnable] = current.entry(slot).or_default();
                *all += 1;
                *runnable += usize::from(task.state == TaskState::Runnable);
            }
        }
        let quantum = self.snapshot.system.quantum;
        let row = |slot: &fiberhost_scheduler::stats::SlotFacts| {
            let [all, runnable] = current.get(&slot.index).copied().unwrap_or_default();
            let has = |thread: &&ThreadFacts| {
                thread.slot == Some(slot.index) && thread.state != ThreadState::Waiting
            };
            let workers = || self.snapshot.threads.iter().filter(has);
            let active = |thread: &&ThreadFacts| {
                thread.task.is_some() && thread.state == ThreadState::Driving
            };
            SchedulerRow {
                scheduler_id: slot.index,
                status: if slot.rests {
                    "VISIBLE OFFLINE"
                } else {
                    "VISIBLE ONLINE"
                },
                is_idle: slot.is_idle,
                active_worker_id: slot.driver,
                current_tasks_count: all,
                runnable_tasks_count: runnable,
                work_queue_count: slot.queued + slot.shared,
                current_workers_count: workers().count(),
                active_workers_count: workers().filter(active).count(),
                next_timer_ms: slot.next_timer.map(ms),
                quantum_length_us: ms(quantum) * 1e3,
            }
        };
        self.snapshot.slots.iter().map(row).collect()
    }

    /// The table `workers`.
    pub fn workers(&self) -> Vec<WorkerRow> {
        let mut bound = HashMap::<usize, usize>::new();
        for task in self.snapshot.tasks.iter().filter(|task| !task.is_mobile) {
            if let Some(thread) = task.thread {
                *bound.entry(thread).or_default() += 1;
            }
        }
        let row = |thread: &ThreadFacts| WorkerRow {
            worker_id: thread.index,
            state: match thread.state {
                ThreadState::Driving => "RUNNING",
                ThreadState::Idle => "IDLE",
                ThreadState::Native => "PREEMPTIVE",
                ThreadState::WithTask => "SUSPENDED",
                _ => "WAITING",
            },
            is_preemptive: thread.state == ThreadState::Native,
            scheduler_id: thread.slot,
            task_id: thread.task,
            os_thread_id: u64::from(thread.os_id.unsigned_abs()),
            context_switch_count: thread.switches,
            settled_in_place_count: thread.settled_in_place,
            preemptive_switches_count: thread.sections,
            tasks_spawned_count: thread.spawned,
            tasks_processed_count: thread.ended,
            steals_count: thread.steals,
            bound_tasks_count: bound.get(&thread.index).copied().unwrap_or(0),
        };
        self.snapshot.threads.iter().map(row).collect()
    }

    /// The table `tasks`.
    pub fn tasks(&self) -> Vec<TaskRow> {
        self.snapshot
            .tasks
            .iter()
            .map(|task| self.task(task))
            .collect()
    }

    fn task(&self, task: &TaskFacts) -> TaskRow {
        TaskRow {
            task_id: task.id,
            task_name: task.name.clone(),
            task_state: match task.state {
                TaskState::Pending => "PENDING",
                TaskState::Runnable => "RUNNABLE",
                TaskState::Running => "RUNNING",
                _ => "SUSPENDED",
            },
            scheduler_id: self.slot_of(task.thread),
            worker_id: task.thread,
            priority: match task.priority {
                Priority::Low => "LOW",
                Priority::Normal => "NORMAL",
                Priority::High => "HIGH",
            },
            is_fiber: task.backing == Backing::Fiber,
            is_mobile: task.is_mobile,
            is_cancelled: task.is_cancelled,
            age_ms: ms(task.age),
            wait_type: task.wait.map(|(reason, _)| reason.name()),
            wait_duration_ms: task.wait.map(|(_, since)| ms(since)),
            last_wait_type: (task.last_wait != WaitReason::None).then(|| task.last_wait.name()),
            blocking_task_id: task.blocked_by.map(|(blocker, _)| blocker),
            native_target: task.section.map(|section| section.target.name()),
            native_age_ms: task.section.map(|section| ms(section.age)),
        }
    }

    /// The table `waiting_tasks`, those that have waited longest first.
    pub fn waiting_tasks(&self) -> Vec<WaitingTaskRow> {
        let waits = |task: &&TaskFacts| task.wait.is_some() || task.blocked_by.is_some();
        let mut tasks: Vec<_> = self.snapshot.tasks.iter().filter(waits).collect();
        tasks.sort_by_key(|task| std::cmp::Reverse(task.wait.map(|(_, since)| since)));
        tasks
            .into_iter()
            .map(|task| self.waiting_task(task))
            .collect()
    }

    fn waiting_task(&self, task: &TaskFacts) -> WaitingTaskRow {
        let chain = self.chain(task);
        let texts: Vec<String> = chain.tasks.iter().map(u64::to_string).collect();
        WaitingTaskRow {
            waiting_task_id: task.id,
            task_name: task.name.clone(),
            wait_duration_ms: task.wait.map(|(_, since)| ms(since)),
            wait_type: task.wait.map(|(reason, _)| reason.name()),
            blocking_task_id: task.blocked_by.map(|(blocker, _)| blocker),
            blocking_reason: task.blocked_by.map(|(_, why)| match why {
                Blocker::Join => "it waits for its end",
                Blocker::Thread => "it needs its thread",
                Blocker::Lock => "it waits for a mutex that it has",
                Blocker::RwLock => "it waits for a read-write lock that it has",
                Blocker::Once => "it waits for the initialiser that it runs",
                Blocker::Outer("joins") => "it waits for its end",
                Blocker::Outer(_) => "it waits for a lock of the runtime's that it has",
                _ => "it waits for it",
            }),
            blocking_chain: (!texts.is_empty()).then(|| texts.join(" > ")),
            blocking_chain_length: texts.len(),
            head_blocker_task_id: chain.tasks.last().copied().filter(|_| !chain.is_circle),
            is_deadlocked: chain.is_circle,
        }
    }

    fn is_in_circle(&self, task: u64) -> bool {
        let place = self.blockers.get(&task);
        place.is_some_and(|&place| self.chain(&self.snapshot.tasks[place]).is_circle)
    }

    /// Who blocks a task, who blocks that one, and so on.
    fn chain(&self, task: &TaskFacts) -> Chain {
        let mut chain = Chain::default();
        let mut at = task;
        while let Some((blocker, _)) = at.blocked_by {
            chain.is_circle = blocker == task.id || chain.tasks.contains(&blocker);
            if chain.is_circle || chain.tasks.len() == CHAIN_MAX {
                break;
            }
            chain.tasks.push(blocker);
            let Some(&place) = self.blockers.get(&blocker) else {
                break;
            };
            at = &self.snapshot.tasks[place];
        }
        chain
    }

    /// The table `wait_stats`.
    pub fn wait_stats(&self) -> Vec<WaitStatsRow> {
        let row = |wait: &fiberhost_scheduler::stats::WaitFacts| WaitStatsRow {
            wait_type: wait.reason.name(),
            waiting_tasks_count: wait.count,
            current_waiting_tasks_count: wait.waiting,
            timed_tasks_count: wait.timed,
            is_sampled: self.snapshot.accounting != Accounting::Exact,
            wait_time_ms: ms(wait.time),
            max_wait_time_ms: ms(wait.max),
            signal_wait_time_ms: ms(wait.runnable),
            estimated_wait_time_ms: (wait.timed > 0)
                .then(|| ms(wait.time) / wait.timed as f64 * wait.count as f64),
        };
        self.snapshot.waits.iter().map(row).collect()
    }

    /// The table `native_sections`.
    pub fn native_sections(&self) -> Vec<NativeSectionRow> {
        let row = |thread: &ThreadFacts| {
            thread.section.map(|section| NativeSectionRow {
                worker_id: thread.index,
                os_thread_id: u64::from(thread.os_id.unsigned_abs()),
                task_id: thread.task,
                target: section.target.name(),
                function: functions::symbol(section.target.name()),
                age_ms: ms(section.age),
                is_handed_over: thread.slot.is_none(),
            })
        };
        self.snapshot.threads.iter().filter_map(row).collect()
    }

    /// The table `native_targets`.
    pub fn native_targets(&self) -> Vec<NativeTargetRow> {
        let open = |target: &Target| {
            let threads = self.snapshot.threads.iter();
            let sections = threads.filter_map(|thread| thread.section);
            let same = sections.filter(|section| std::ptr::eq(section.target, target));
            same.count()
        };
        let row = |facts: &TargetFacts| NativeTargetRow {
            target: facts.target.name(),
            function: functions::symbol(facts.target.name()),
            calls_count: facts.calls,
            handovers_count: facts.handovers,
            ended_count: facts.ended,
            time_ms: ms(facts.time),
            max_time_ms: ms(facts.max),
            noted_calls_count: facts.noted,
            noted_time_ms: ms(facts.noted_time),
            max_noted_time_ms: ms(facts.noted_max),
            open_count: open(facts.target),
        };
        self.snapshot.targets.iter().map(row).collect()
    }

    /// The table `histograms`.
    pub fn histograms(&self) -> Vec<HistogramRow> {
        let all = &self.histograms;
        let is_sampled = all.accounting != Accounting::Exact;
        let mut rows = vec![
            histogram_row("dispatch_delay", "", is_sampled, &all.dispatch_delay),
            histogram_row("turn", "", is_sampled, &all.turns),
        ];
        for (reason, histogram) in &all.waits {
            rows.push(histogram_row("wait", reason, is_sampled, histogram));
        }
        for (target, histogram) in &all.sections {
            let row = histogram_row("native_section", target.name(), false, histogram);
            rows.push(row);
        }
        for (target, histogram) in &all.calls {
            let row = histogram_row("native_call", target.name(), is_sampled, histogram);
            rows.push(row);
        }
        rows
    }

    /// The table `stalls`, the oldest first. The first time that a stall is shown, names are looked up for it.
    pub fn stalls(&self) -> Vec<StallRow> {
        let at = self.snapshot.at;
        self.stalls
            .iter()
            .map(|(stall, goes_on)| StallRow {
                goes_on: match stall.kind() {
                    StallKind::Deadlock => Some(self.is_in_circle(stall.task_id())),
                    _ => *goes_on,
                },
                ..stall_row(stall, ms(at.saturating_sub(stall.at())))
            })
            .collect()
    }

    /// The table `task_ledgers`: of tasks that have ended, in that order, and then of those that live.
    pub fn task_ledgers(&self) -> Vec<TaskLedgerRow> {
        let live = self.snapshot.tasks.iter();
        let live = live.filter_map(|task| task.ledger.as_deref());
        // One that has ended since the look stands in both.
        let ended: HashSet<u64> = self.ledgers.iter().map(|facts| facts.task).collect();
        let live = live.filter(|facts| !ended.contains(&facts.task));
        self.ledgers.iter().chain(live).map(ledger_row).collect()
    }

    /// The table `threads`. It asks the kernel when it is called.
    pub fn threads(&self) -> Vec<ThreadRow> {
        let ours = |os: &OsThread| {
            let mut threads = self.snapshot.threads.iter();
            threads.find(|thread| u64::from(thread.os_id.unsigned_abs()) == os.id)
        };
        let row = |os: OsThread| {
            let thread = ours(&os);
            let stack = thread
                .map(|thread| thread.stack)
                .filter(|&(low, _)| low != 0);
            ThreadRow {
                os_thread_id: os.id,
                started_by_scheduler: thread.is_some(),
                worker_id: thread.map(|thread| thread.index),
                scheduler_id: thread.and_then(|thread| thread.slot),
                thread_name: os.name,
                status: os.state.to_string(),
                usermode_time_ms: os.user_ms,
                kernel_time_ms: os.kernel_ms,
                runnable_delay_ms: os.delayed_ms,
                stack_base_address: stack.map(|(_, top)| top),
                stack_end_address: stack.map(|(low, _)| low),
            }
        };
        self.os_threads().into_iter().map(row).collect()
    }

    /// The table `sys_info`, which has one row.
    pub fn sys_info(&self) -> Vec<SystemRow> {
        let Snapshot {
            system, figures, ..
        } = &self.snapshot;
        let in_state = |state| {
            let tasks = self.snapshot.tasks.iter();
            tasks.filter(|task| task.state == state).count()
        };
        vec![SystemRow {
            name: system.name.clone(),
            process_id: std::process::id(),
            cpu_count: std::thread::available_parallelism().map_or(1, usize::from),
            scheduler_count: system.workers,
            max_workers_count: system.max_threads,
            max_tasks_count: system.max_tasks,
            stack_size_in_bytes: system.stack_size,
            os_quantum_us: ms(system.quantum) * 1e3,
            uptime_ms: ms(self.snapshot.at),
            snapshot_time_ms: ms(self.snapshot.took),
            tasks_count: self.snapshot.tasks.len(),
            pending_tasks_count: in_state(TaskState::Pending),
            runnable_tasks_count: in_state(TaskState::Runnable),
            running_tasks_count: in_state(TaskState::Running),
            suspended_tasks_count: in_state(TaskState::Suspended),
            common_queue_count: self.snapshot.injected,
            tasks_spawned_count: figures.spawned,
            tasks_ended_count: figures.ended,
            context_switches_count: figures.switches,
            steals_count: figures.steals,
            handovers_count: figures.handovers,
            stalls_count: figures.stalls,
            idle_workers_count: figures.idle_workers,
            threads_count: figures.threads,
            stacks_count: figures.stacks,
            stack_bytes_mapped: figures.stack_bytes_mapped,
            switch: figures.switch,
            barrier: figures.barrier,
        }]
    }

    /// The table `stack_classes`.
    pub fn stack_classes(&self) -> Vec<StackClassRow> {
        let row = |class: &StackClass| StackClassRow {
            stack_size_in_bytes: class.size,
            stacks_count: class.stacks,
            stack_bytes_used_max: class.used_max,
        };
        self.stacks.iter().map(row).collect()
    }

    /// The table `spinlocks`.
    pub fn spinlocks(&self) -> Vec<SpinlockRow> {
        let row = |facts: &SpinFacts| SpinlockRow {
            name: facts.name,
            collisions: facts.collisions,
            spins: facts.spins,
            spins_per_collision: facts.spins as f64 / facts.collisions.max(1) as f64,
            backoffs: facts.backoffs,
        };
        self.snapshot.spins.iter().map(row).collect()
    }

    /// The table `hosts`.
    pub fn hosts(&self) -> Vec<HostRow> {
        self.hosts.iter().map(|host| host.row.clone()).collect()
    }

    /// The table `memory`: of hosts whose runtimes have their memory from them.
    pub fn memory(&self) -> Vec<MemoryRow> {
        let hosts = self.hosts.iter();
        hosts.flat_map(|host| host.memory.clone()).collect()
    }

    /// The table `native_functions`. Names are looked up when it is called.
    pub fn native_functions(&self) -> Vec<NativeFunctionRow> {
        let hosts = self.hosts.iter();
        let rows = hosts.flat_map(|host| {
            let functions = host.functions.iter();
            functions.map(|facts| function_row(host.row.host_id, facts))
        });
        rows.collect()
    }

    fn slot_of(&self, thread: Option<usize>) -> Option<usize> {
        self.slots.get(&thread?).copied()
    }
}

/// Where those tasks stand by which others are blocked.
fn blockers(tasks: &[TaskFacts]) -> HashMap<u64, usize> {
    let blocked = tasks.iter().filter_map(|task| task.blocked_by);
    let ids: HashSet<u64> = blocked.map(|(blocker, _)| blocker).collect();
    if ids.is_empty() {
        return HashMap::new();
    }
    let places = tasks.iter().enumerate();
    let places = places.map(|(place, task)| (task.id, place));
    places.filter(|(id, _)| ids.contains(id)).collect()
}

/// As long as a chain of blockers is shown.
const CHAIN_MAX: usize = 64;

/// Tasks each of which is blocked by the next.
#[derive(Default)]
struct Chain {
    tasks: Vec<u64>,
    is_circle: bool,
}

fn histogram_row(
    histogram: &'static str,
    of: impl ToString,
    is_sampled: bool,
    times: &Histogram,
) -> HistogramRow {
    HistogramRow {
        histogram,
        of: of.to_string(),
        is_sampled,
        timed_count: times.count(),
        time_ms: ms(times.total()),
        p50_ms: ms(times.quantile(0.5)),
        p90_ms: ms(times.quantile(0.9)),
        p99_ms: ms(times.quantile(0.99)),
        p999_ms: ms(times.quantile(0.999)),
        max_ms: ms(times.max()),
    }
}

fn ledger_row(facts: &LedgerFacts) -> TaskLedgerRow {
    let waits: Vec<String> = facts
        .suspended
        .iter()
        .map(|(reason, time)| format!("{reason} {:.3}", ms(*time)))
        .collect();
    TaskLedgerRow {
        task_id: facts.task,
        task_name: facts.name.clone(),
        is_ended: facts.is_ended,
        elapsed_ms: ms(facts.elapsed),
        processor_ms: ms(facts.on_processor),
        runnable_ms: ms(facts.runnable),
        suspended_ms: ms(facts.suspended_total()),
        suspended_by: (!waits.is_empty()).then(|| waits.join(", ")),
        blocked_ms: ms(facts.blocked),
        native_processor_ms: ms(facts.native_on_processor),
        native_blocked_ms: ms(facts.native_blocked),
        native_short_ms: ms(facts.native_short),
        stolen_ms: ms(facts.stolen),
    }
}

fn function_row(host_id: u64, facts: &FunctionFacts) -> NativeFunctionRow {
    NativeFunctionRow {
        host_id,
        function_address: facts.address,
        function: Frame::function_at(facts.address),
        policy: match facts.opinion {
            Opinion::Unknown => "ANNOUNCED",
            Opinion::Trusted => "TRUSTED",
            Opinion::Barred => "CALLS BACK",
        },
        calls_count: facts.returned,
        callbacks_count: facts.called_back,
        unannounced_calls_count: facts.unannounced,
        time_ms: ms(facts.time),
        max_time_ms: ms(facts.longest),
    }
}

/// As many functions of a stack as are shown.
const STACK_MAX: usize = 16;

fn stall_row(stall: &Stall, age_ms: f64) -> StallRow {
    let id = stall.task_id();
    let times = stall.times();
    let frames: Vec<String> = stall
        .symbols()
        .iter()
        .take(STACK_MAX)
        .map(ToString::to_string)
        .collect();
    StallRow {
        stall_id: stall.number(),
        cause: match stall.kind() {
            StallKind::User => "USER LOOP",
            StallKind::System => "KERNEL",
            StallKind::Sleeping => "BLOCKED IN KERNEL",
            StallKind::Starving => "STARVED",
            StallKind::NativeSection => "NATIVE SECTION",
            StallKind::AllWorkers => "ALL WORKERS",
            StallKind::LongWait => "LONG WAIT",
            StallKind::Deadlock => "DEADLOCK",
            _ => "UNKNOWN",
        },
        goes_on: None,
        age_ms,
        duration_ms: ms(stall.lasted()),
        looked_ms: times.map(|times| ms(times.over)),
        processor_ms: times.map(|times| ms(times.ran)),
        starved_ms: times.map(|times| ms(times.starved)),
        task_id: (id != 0).then_some(id),
        task_name: stall.task_name().map(str::to_owned),
        worker_id: stall.worker(),
        os_thread_id: stall.os_thread().map(|id| u64::from(id.unsigned_abs())),
        function: stall
            .function()
            .or_else(|| functions::symbol(stall.target()?))
            .map(str::to_owned),
        system_call: stall.system_call_name(),
        wait_channel: stall.wait_channel().map(str::to_owned),
        native_target: stall.target(),
        wait_type: stall.wait_reason().map(WaitReason::name),
        blocking_task_id: stall.blocking_task(),
        detail: stall.detail().map(str::to_owned),
        stack: (!frames.is_empty()).then(|| frames.join(" < ")),
    }
}
