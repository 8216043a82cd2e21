//! The rows of the tables, with what their columns mean.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::table::table;

table! {
    /// A slot of the scheduler: the right to run tasks. SQL Server shows these as `sys.dm_os_schedulers`.
    SchedulerRow in "schedulers" {
        /// The slot's number.
        Key scheduler_id: usize,
        /// `VISIBLE ONLINE`, or `VISIBLE OFFLINE` for one that rests: see [`Scheduler::set_workers`](crate::scheduler::Scheduler::set_workers).
        Fact status: &'static str,
        /// Its worker sleeps for want of work.
        Gauge is_idle: bool,
        /// The number of the thread that has the slot, or had it last.
        Fact active_worker_id: usize,
        /// Tasks on the slot's thread: those that it runs, and those that have started there and must go on there.
        Gauge current_tasks_count: usize,
        /// Those of them that could run.
        Gauge runnable_tasks_count: usize,
        /// Tasks in the slot's own queues, which may go to other workers: those that have not started, and mobile ones.
        Gauge work_queue_count: usize,
        /// Threads with this slot: its worker, unless that is in a section and has lost it.
        Gauge current_workers_count: usize,
        /// Those of them that run a task and are not in a native section.
        Gauge active_workers_count: usize,
        /// Milliseconds until the slot's next timer is due.
        Gauge next_timer_ms: Option<f64>,
        /// Microseconds after which a polite task yields.
        Gauge quantum_length_us: f64,
    }
}

table! {
    /// A thread of the scheduler as it drives tasks. SQL Server shows these as `sys.dm_os_workers`.
    WorkerRow in "workers" {
        /// The thread's number among those of the scheduler, which is part of its name.
        Key worker_id: usize,
        /// `RUNNING` in a slot; `IDLE` in a slot without work; `PREEMPTIVE` in a native section; `SUSPENDED` with its
        /// task, which has the thread for itself; `WAITING` without a slot.
        Fact state: &'static str,
        /// Its task is in a native section.
        Gauge is_preemptive: bool,
        /// The number of its slot.
        Fact scheduler_id: Option<usize>,
        /// The number of the task that it runs.
        Fact task_id: Option<u64>,
        /// The number by which the system knows the thread.
        Fact os_thread_id: u64,
        /// How often a task was resumed here.
        Counter context_switch_count: u64,
        /// How often a task that has the thread for itself waited or yielded here.
        Counter settled_in_place_count: u64,
        /// How often it was left for a native section, or for the sleep of a task that has the thread for itself.
        Counter preemptive_switches_count: u64,
        /// Tasks that were spawned here.
        Counter tasks_spawned_count: u64,
        /// Tasks that ended here.
        Counter tasks_processed_count: u64,
        /// Tasks that it found elsewhere than in its own queues.
        Counter steals_count: u64,
        /// Started tasks that must go on here.
        Gauge bound_tasks_count: usize,
    }
}

table! {
    /// A task that has not ended. SQL Server shows these as `sys.dm_os_tasks`.
    TaskRow in "tasks" {
        /// The task's number, which no other task of the process has or had.
        Key task_id: u64,
        /// Its name, if it was given one.
        Fact task_name: Option<Arc<str>>,
        /// `PENDING` before it has started, then `RUNNABLE`, `RUNNING` (in a native section too) or `SUSPENDED`.
        Fact task_state: &'static str,
        /// The number of the slot whose thread runs it, or on whose thread it must go on.
        Fact scheduler_id: Option<usize>,
        /// The number of that thread.
        Fact worker_id: Option<usize>,
        /// `LOW`, `NORMAL` or `HIGH`.
        Fact priority: &'static str,
        /// It runs on a stack of its own on the worker's thread; otherwise on a thread of its own.
        Gauge is_fiber: bool,
        /// It may change its thread when it waits.
        Gauge is_mobile: bool,
        /// It was cancelled or aborted.
        Gauge is_cancelled: bool,
        /// Milliseconds since it was spawned, by a clock that is late by up to a tick of the monitor.
        Gauge age_ms: f64,
        /// What it waits for.
        Fact wait_type: Option<&'static str>,
        /// Milliseconds since it began to wait, by that clock.
        Gauge wait_duration_ms: Option<f64>,
        /// What it waits for, or waited for last.
        Fact last_wait_type: Option<&'static str>,
        /// The number of the task without which it cannot go on, as far as that is known.
        Fact blocking_task_id: Option<u64>,
        /// What its native section calls, if it is in one.
        Fact native_target: Option<&'static str>,
        /// Milliseconds for which the monitor has seen it there.
        Gauge native_age_ms: Option<f64>,
    }
}

table! {
    /// A task that waits, or that cannot go on though it could run. SQL Server shows these as `sys.dm_os_waiting_tasks`.
    WaitingTaskRow in "waiting_tasks" {
        /// The task's number.
        Key waiting_task_id: u64,
        /// Its name, if it was given one.
        Fact task_name: Option<Arc<str>>,
        /// Milliseconds since it began to wait, by a clock that is late by up to a tick of the monitor.
        Gauge wait_duration_ms: Option<f64>,
        /// What it waits for; nothing if it is runnable, and its thread belongs to another task.
        Fact wait_type: Option<&'static str>,
        /// The number of the task without which it cannot go on, as far as that is known.
        Fact blocking_task_id: Option<u64>,
        /// Why: it waits for that task's end or for a mutex that it has, or that task sleeps with the thread on which it must
        /// go on.
        Fact blocking_reason: Option<&'static str>,
        /// The numbers of the tasks from that one on, each blocked by the next, with ` > ` between them.
        Fact blocking_chain: Option<String>,
        /// How many they are.
        Gauge blocking_chain_length: usize,
        /// The last of them: it is blocked by nobody that is known. Nothing if they are a circle.
        Fact head_blocker_task_id: Option<u64>,
        /// They are a circle: none of them can go on.
        Gauge is_deadlocked: bool,
    }
}

table! {
    /// A reason for which tasks have waited. SQL Server shows these as `sys.dm_os_wait_stats`.
    WaitStatsRow in "wait_stats" {
        /// The reason.
        Key wait_type: &'static str,
        /// How many waits were begun.
        Counter waiting_tasks_count: u64,
        /// How many tasks wait so now.
        Gauge current_waiting_tasks_count: usize,
        /// How many of the waits were timed, of those that have ended.
        Counter timed_tasks_count: u64,
        /// Only some of the waits are timed. Then the next four are of those.
        Gauge is_sampled: bool,
        /// Milliseconds that they lasted together, until their tasks went on.
        Counter wait_time_ms: f64,
        /// Milliseconds that the longest of them lasted.
        Gauge max_wait_time_ms: f64,
        /// The part of `wait_time_ms` in which what was waited for had happened, and the tasks waited to go on.
        Counter signal_wait_time_ms: f64,
        /// Milliseconds of all the waits that have ended or go on: as many times the mean of the timed ones.
        Gauge estimated_wait_time_ms: Option<f64>,
    }
}

table! {
    /// A native section that is open.
    NativeSectionRow in "native_sections" {
        /// The number of the thread that is in it.
        Key worker_id: usize,
        /// The number by which the system knows the thread.
        Fact os_thread_id: u64,
        /// The number of the task.
        Fact task_id: Option<u64>,
        /// What it calls.
        Fact target: &'static str,
        /// The name of that function, if a runtime has said its address and the program has a name for it.
        Fact function: Option<&'static str>,
        /// Milliseconds for which the monitor has seen it: up to a tick too few.
        Gauge age_ms: f64,
        /// Its slot has gone to another thread.
        Gauge is_handed_over: bool,
    }
}

table! {
    /// What native sections have called.
    NativeTargetRow in "native_targets" {
        /// Its name.
        Key target: &'static str,
        /// The name of that function, if a runtime has said its address and the program has a name for it.
        Fact function: Option<&'static str>,
        /// How many sections were opened to call it: all of them, but for those inside others, which only nest.
        Counter calls_count: u64,
        /// How often a slot was given to another thread while this was called.
        Counter handovers_count: u64,
        /// How many of the sections that lost their slot have ended.
        Counter ended_count: u64,
        /// Milliseconds that they lasted together, from when the monitor first saw them: up to a tick too few for each.
        Counter time_ms: f64,
        /// Milliseconds that the longest of them lasted.
        Gauge max_time_ms: f64,
        /// How many sections were noted, whether they lost their slot or not: all of tasks whose time is booked, and of others
        /// a sample.
        Counter noted_calls_count: u64,
        /// Milliseconds that those lasted together.
        Counter noted_time_ms: f64,
        /// Milliseconds that the longest of those lasted.
        Gauge max_noted_time_ms: f64,
        /// How many threads are in such a section now, whether they have their slot or not.
        Gauge open_count: usize,
    }
}

table! {
    /// A part of a distribution of times.
    HistogramRow in "histograms" {
        /// `dispatch_delay` (from a wake until the task goes on), `turn` (from a switch to a task until it gives its thread
        /// back), `wait`, `native_section` (one that lost its slot, from when the monitor saw it), or `native_call` (all of tasks
        /// whose time is booked, and of others a sample).
        Key histogram: &'static str,
        /// The reason of the waits, or the target of the sections.
        Key of: String,
        /// Only some are timed.
        Gauge is_sampled: bool,
        /// How many were timed.
        Counter timed_count: u64,
        /// Milliseconds of all of them together.
        Counter time_ms: f64,
        /// Half of them did not exceed so many milliseconds.
        Gauge p50_ms: f64,
        /// Nine tenths of them did not.
        Gauge p90_ms: f64,
        /// All but one in a hundred did not.
        Gauge p99_ms: f64,
        /// All but one in a thousand did not.
        Gauge p999_ms: f64,
        /// The longest took so many.
        Gauge max_ms: f64,
    }
}

table! {
    /// A thread of the process. SQL Server shows these as `sys.dm_os_threads`.
    ThreadRow in "threads" {
        /// The number by which the system knows it.
        Key os_thread_id: u64,
        /// The name by which the system knows it.
        Fact thread_name: String,
        /// It is one of the scheduler's, or was adopted by it.
        Gauge started_by_scheduler: bool,
        /// The number of the scheduler's thread.
        Fact worker_id: Option<usize>,
        /// The number of its slot.
        Fact scheduler_id: Option<usize>,
        /// The kernel's letter for what it does: `R` runs or could, `S` and `D` sleep.
        Fact status: String,
        /// Milliseconds that it ran in the program.
        Counter usermode_time_ms: f64,
        /// Milliseconds that it ran in the kernel.
        Counter kernel_time_ms: f64,
        /// Milliseconds for which it could have run and was given no processor, where the kernel counts them.
        Counter runnable_delay_ms: Option<f64>,
        /// The end of its own stack, as a number.
        Fact stack_base_address: Option<usize>,
        /// The beginning of its own stack, as a number.
        Fact stack_end_address: Option<usize>,
    }
}

table! {
    /// A task whose time is booked, on request; ended ones too, as many as are kept. The parts add up to the elapsed time.
    TaskLedgerRow in "task_ledgers" {
        /// The task's number.
        Key task_id: u64,
        /// Its name, if it was given one.
        Fact task_name: Option<Arc<str>>,
        /// It has ended.
        Gauge is_ended: bool,
        /// Milliseconds from its spawn until now, or until its end.
        Gauge elapsed_ms: f64,
        /// Milliseconds for which it had a processor.
        Gauge processor_ms: f64,
        /// Milliseconds for which it could have run, and waited for a worker.
        Gauge runnable_ms: f64,
        /// Milliseconds for which it waited.
        Gauge suspended_ms: f64,
        /// The same by reason, with commas between them.
        Fact suspended_by: Option<String>,
        /// Milliseconds for which it blocked its thread outside of native sections.
        Gauge blocked_ms: f64,
        /// Milliseconds of native sections for which it had a processor.
        Gauge native_processor_ms: f64,
        /// Milliseconds of native sections for which it blocked its thread.
        Gauge native_blocked_ms: f64,
        /// Milliseconds of native sections that were shorter than a tick of the monitor, which are not split.
        Gauge native_short_ms: f64,
        /// Milliseconds for which its thread could have run, and the system gave the processor to others.
        Gauge stolen_ms: f64,
    }
}

table! {
    /// Something that did not go on: a task that kept its thread, all workers together, a wait that lasts, a deadlock. The
    /// newest 256 are kept.
    StallRow in "stalls" {
        /// The report's number, which no other of the process has.
        Key stall_id: u64,
        /// A task kept its thread for too long: `USER LOOP` it ran, `KERNEL` it ran in the kernel, `BLOCKED IN KERNEL` it was
        /// blocked there, `STARVED` it got no processor, `NATIVE SECTION` it was in a section, `UNKNOWN` the kernel does not
        /// say. Or `ALL WORKERS` were kept; a `LONG WAIT`; a `DEADLOCK`.
        Fact cause: &'static str,
        /// It still goes on: the task keeps its thread, waits, or is in a circle of waits. Nothing for `ALL WORKERS`.
        Gauge goes_on: Option<bool>,
        /// Milliseconds since the report was made.
        Gauge age_ms: f64,
        /// Milliseconds for which it had lasted then.
        Gauge duration_ms: f64,
        /// The number of the task; of a deadlock the one whose wait closed the circle.
        Fact task_id: Option<u64>,
        /// Its name, if it was given one.
        Fact task_name: Option<String>,
        /// The innermost function with a name, of Rust's own library only where there is no other; or the one that its native
        /// section called.
        Fact function: Option<String>,
        /// The system call in which it was, if that could be found out.
        Fact system_call: Option<&'static str>,
        /// What its native section called.
        Fact native_target: Option<&'static str>,
        /// What it waited for.
        Fact wait_type: Option<&'static str>,
        /// The number of the task without which its wait did not end, as far as that was known.
        Fact blocking_task_id: Option<u64>,
        /// What all workers were kept by, and how many by the same; who waited for whom.
        Fact detail: Option<String>,
        /// The number of the thread that it kept.
        Fact worker_id: Option<usize>,
        /// The number by which the system knows that thread.
        Fact os_thread_id: Option<u64>,
        /// The function of the kernel in which it was blocked, if the kernel says so.
        Fact wait_channel: Option<String>,
        /// Milliseconds at the end of `duration_ms` in which the kernel's count for the thread was looked at.
        Gauge looked_ms: Option<f64>,
        /// The part of `looked_ms` in which the thread had a processor.
        Gauge processor_ms: Option<f64>,
        /// The part of `looked_ms` in which it could have run, and had none. The rest is sleep.
        Gauge starved_ms: Option<f64>,
        /// The innermost functions of its stack, with ` < ` between them.
        Fact stack: Option<String>,
    }
}

table! {
    /// The scheduler as a whole. SQL Server shows this as `sys.dm_os_sys_info`.
    SystemRow in "sys_info" {
        /// By which the scheduler's threads are called.
        Fact name: String,
        /// The number of the process.
        Fact process_id: u32,
        /// Processors that this process may use.
        Gauge cpu_count: usize,
        /// Slots.
        Gauge scheduler_count: usize,
        /// The most threads.
        Gauge max_workers_count: usize,
        /// The most live tasks, if there is a limit.
        Gauge max_tasks_count: Option<usize>,
        /// Bytes of stack of a task that does not ask for its own size.
        Gauge stack_size_in_bytes: usize,
        /// Microseconds after which a polite task yields.
        Gauge os_quantum_us: f64,
        /// Milliseconds since the scheduler was started.
        Gauge uptime_ms: f64,
        /// Milliseconds that it took to read all this.
        Gauge snapshot_time_ms: f64,
        /// Tasks that have not ended. The next four add up to it.
        Gauge tasks_count: usize,
        /// Those that have not started.
        Gauge pending_tasks_count: usize,
        /// Those that could go on, and wait for a worker.
        Gauge runnable_tasks_count: usize,
        /// Those that run.
        Gauge running_tasks_count: usize,
        /// Those that wait.
        Gauge suspended_tasks_count: usize,
        /// Tasks in the common queue, from which every worker takes.
        Gauge common_queue_count: usize,
        /// Tasks spawned so far.
        Counter tasks_spawned_count: u64,
        /// Tasks ended so far.
        Counter tasks_ended_count: u64,
        /// How often a task was resumed.
        Counter context_switches_count: u64,
        /// Tasks that idle workers found elsewhere than in their own queues.
        Counter steals_count: u64,
        /// Slots that were taken from threads which were in native sections for too long.
        Counter handovers_count: u64,
        /// Reports of stalls, long waits and deadlocks. The newest are in the table `stalls`.
        Counter stalls_count: u64,
        /// Workers that sleep.
        Gauge idle_workers_count: usize,
        /// OS threads of the scheduler.
        Gauge threads_count: usize,
        /// Stacks made so far.
        Gauge stacks_count: usize,
        /// Bytes of address space mapped for stacks.
        Gauge stack_bytes_mapped: usize,
        /// Which switch is used: `jump` or `corosensei`.
        Fact switch: &'static str,
        /// How the frequent side of a barrier pair is paid: `membarrier` (nothing) or `fence`.
        Fact barrier: &'static str,
    }
}

table! {
    /// The stacks of one size.
    StackClassRow in "stack_classes" {
        /// Usable bytes of each.
        Key stack_size_in_bytes: usize,
        /// How many were made.
        Gauge stacks_count: usize,
        /// The most that a task used of one, if stacks are measured.
        Gauge stack_bytes_used_max: Option<usize>,
    }
}

table! {
    /// A host of a managed runtime. SQL Server shows these as `sys.dm_os_hosts`.
    HostRow in "hosts" {
        /// The host's number in the process.
        Key host_id: u64,
        /// `CLR`; all hosts are.
        Fact host_type: &'static str,
        /// By which the threads of its scheduler are called.
        Fact name: String,
        /// Its objects to which somebody refers, the host included.
        Gauge objects_count: usize,
        /// How often its runtime was told that a task is switched out.
        Counter task_switches_count: u64,
        /// How often it did not take one back.
        Counter failed_switches_count: u64,
        /// Hooks that fitted nothing.
        Counter stray_hooks_count: u64,
        /// Tasks that ended with transitions open.
        Counter frames_left_count: u64,
        /// Runtime's tasks that did not accept their end.
        Counter failed_exits_count: u64,
        /// Bytes of pages that its runtime has committed, if the runtime's memory is the host's, like the next three.
        Gauge pages_in_bytes: Option<usize>,
        /// Bytes of addresses that are reserved for it.
        Gauge reserved_in_bytes: Option<usize>,
        /// Bytes of addresses that it has taken from the system.
        Gauge acquired_in_bytes: Option<usize>,
        /// How often it was told that memory becomes scarce, or no longer is.
        Counter pressure_notifications_count: Option<u64>,
    }
}

table! {
    /// Memory that a host has given to its runtime, by what the refusal of a request would cost.
    MemoryRow in "memory" {
        /// The host's number in the process.
        Key host_id: u64,
        /// `TASK`, `APP DOMAIN` or `PROCESS`: what is lost if a request is refused.
        Key critical_level: &'static str,
        /// Bytes of heaps that are in use at this level.
        Gauge heaps_in_bytes: usize,
        /// A request at this level is refused if more than so many bytes would be in use then, at all levels and as pages.
        Gauge limit_in_bytes: Option<usize>,
        /// Requests at this level that were refused because of a limit.
        Counter refused_requests_count: u64,
    }
}

table! {
    /// A function of unmanaged code, if the host learns which calls have to be announced.
    NativeFunctionRow in "native_functions" {
        /// The host's number in the process.
        Key host_id: u64,
        /// The function's address.
        Key function_address: usize,
        /// Its name, if the program has it.
        Fact function: Option<String>,
        /// `ANNOUNCED` as long as it has not shown that it returns quickly; `TRUSTED` then, which means that only one of many
        /// calls is announced; `CALLS BACK` if it has, which means that each call is announced for ever.
        Fact policy: &'static str,
        /// Calls that were announced and have returned without calling back.
        Counter calls_count: u64,
        /// Calls that were announced and have called back.
        Counter callbacks_count: u64,
        /// Calls that were not announced, since it was trusted.
        Counter unannounced_calls_count: u64,
        /// Milliseconds that the calls in `calls_count` took together.
        Counter time_ms: f64,
        /// Milliseconds that the longest of them took.
        Gauge max_time_ms: f64,
    }
}

table! {
    /// A kind of the scheduler's own short locks, and how often two met there, in the whole process. SQL Server shows these
    /// as `sys.dm_os_spinlock_stats`.
    SpinlockRow in "spinlocks" {
        /// What they are for. `SLOT` is a slot's queues, when another worker or the monitor takes from them.
        Key name: &'static str,
        /// How often one was not free.
        Counter collisions: u64,
        /// How often it was looked at until it was.
        Counter spins: u64,
        /// The mean of that.
        Gauge spins_per_collision: f64,
        /// How often the processor was given away meanwhile, or the attempt was given up.
        Counter backoffs: u64,
    }
}
