//! Many managed tasks that do by a seed what a runtime's tasks do, all at once: calls and calls back to some depth, monitors,
//! waits, collections, exceptions, aborts, children, the pool, and threads from outside.
//!
//! Who holds a monitor takes only such that come later, and waits for no task; so nothing that is taken is waited for in a
//! circle. Work of the pool waits for no other work of it.
//!
//! What must hold is looked at where it happens (one owner of a monitor at a time, no managed code during a collection, the
//! thread stays under affinity and under a frame), and at the end: nobody is left, every task was told of its end once, and
//! no reference is left.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fiberhost::com::{Hresult, INFINITE};
use fiberhost::{Abort, Host, HostTask, State};

use crate::managed::{Heap, Monitor, Outcome, Thread, Thrown};
use crate::object::{Object, com, given};
use crate::runtime::Managers;

const ALERTABLE: u32 = 2;

/// What was done, by its name.
pub type Done = BTreeMap<&'static str, u64>;

#[derive(Clone)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from((self.next() >> 33) % end as u64).expect("it fits")
    }
}

/// What all tasks have in common.
pub struct Work {
    /// To look at states, and to abort; the runtime does not use it.
    pub host: Host,
    managers: Managers,
    /// The runtime's.
    pub heap: &'static Heap,
    monitors: Vec<&'static Monitor>,
    event: Object,
    semaphore: Object,
    /// Those that run now, with their domains.
    running: Mutex<BTreeMap<usize, (HostTask, u32)>>,
    unloads: AtomicBool,
    unloaded: AtomicU64,
    done: Mutex<Done>,
}

/// A task's part.
struct Part {
    work: Arc<Work>,
    random: Random,
    domain: u32,
    steps: usize,
    may_spawn: bool,
    /// Set when it has ended.
    ends: Option<Object>,
}

struct Code {
    work: Arc<Work>,
    thread: Thread,
    random: Random,
    domain: u32,
    /// The least monitor that may be taken.
    next_monitor: usize,
    may_spawn: bool,
    delays: bool,
    /// Frames of transitions that are open.
    depth: u64,
}

fn ok(result: Hresult) {
    assert_eq!(result, Hresult::S_OK);
}

fn os_thread() -> libc::pid_t {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::gettid() }
}

unsafe extern "system" fn run_part(context: *mut c_void) -> u32 {
    // SAFETY: it is the box of whoever gave this function away, and it is called once.
    let part = unsafe { Box::from_raw(context.cast::<Part>()) };
    (*part).play();
    0
}

unsafe extern "system" fn run_finalizer(context: *mut c_void) -> u32 {
    // SAFETY: a heap is never freed.
    let heap: &'static Heap = unsafe { &*context.cast::<Heap>() };
    heap.run_finalizer();
    0
}

unsafe extern "system" fn run_unloader(context: *mut c_void) -> u32 {
    // SAFETY: it is the box of `Work::unloader`, and the function is called once.
    let work = unsafe { Box::from_raw(context.cast::<Arc<Work>>()) };
    work.unload();
    0
}

impl Part {
    fn play(self) {
        let Part {
            work,
            random,
            domain,
            steps,
            may_spawn,
            ends,
        } = self;
        let thread = work.heap.attach(false);
        let me = work.host.current_task().expect("a task");
        let key = std::ptr::from_ref(thread.task).addr();
        work.running
            .lock()
            .unwrap()
            .insert(key, (me.clone(), domain));
        let mut code = Code {
            work: Arc::clone(&work),
            thread,
            random,
            domain,
            next_monitor: 0,
            may_spawn,
            delays: false,
            depth: 0,
        };
        // What is not caught ends the task, and no more.
        let outcome = thread.managed(|_| code.steps(steps));
        code.count(match outcome {
            Ok(()) => "returned",
            Err(Thrown::Exception) => "threw",
            Err(Thrown::Abort) => "aborted",
        });
        assert_eq!(me.transition(), (State::Base, 0));
        work.running.lock().unwrap().remove(&key);
        if let Some(ends) = ends {
            ok(com!(ends, IHostAutoEventVtbl, Set));
        }
    }
}

impl Code {
    fn count(&self, what: &'static str) {
        *self.work.done.lock().unwrap().entry(what).or_default() += 1;
    }

    fn steps(&mut self, steps: usize) -> Outcome {
        (0..steps).try_for_each(|_| {
            self.thread.safe_point()?;
            self.step()
        })
    }

    fn some_steps(&mut self) -> Outcome {
        let steps = self.random.below(4);
        self.steps(steps)
    }

    fn step(&mut self) -> Outcome {
        match self.random.below(32) {
            0..=5 => self.call(),
            6..=10 => self.monitor(),
            11..=13 => self.wait(),
            14 => self.collect(),
            15..=16 => self.spawn(),
            17 => self.pool(),
            18..=20 => self.other(),
            21 => self.affinity(),
            22..=23 => self.delay_aborts(),
            24 => {
                self.count("exception");
                Err(Thrown::Exception)
            }
            25..=27 => self.catch(),
            28 => self.who_am_i(),
            29 => self.switch(),
            _ => Ok(()),
        }
    }

    /// An unmanaged call, with the hooks.
    fn call(&mut self) -> Outcome {
        if self.depth >= 24 {
            return Ok(());
        }
        self.count("call");
        let thread = self.thread;
        let target = 16 + 16 * self.random.below(8);
        self.depth += 1;
        let outcome = thread.native(target, |_| self.unmanaged());
        self.depth -= 1;
        outcome
    }

    fn unmanaged(&mut self) -> Outcome {
        let before = os_thread();
        let outcome = match self.random.below(8) {
            0 => {
                std::thread::sleep(Duration::from_micros(50));
                Ok(())
            }
            1 => {
                let tasks = self.work.managers.tasks;
                ok(com!(tasks, IHostTaskManagerVtbl, Sleep, 1, 0));
                Ok(())
            }
            2 => Err(Thrown::Exception),
            3..=5 => self.call_back(),
            _ => Ok(()),
        };
        assert_eq!(before, os_thread(), "unmanaged code has one thread");
        outcome
    }

    fn call_back(&mut self) -> Outcome {
        self.count("call back");
        let thread = self.thread;
        self.depth += 1;
        let outcome = thread.callback(|_| {
            let me = self.work.host.current_task().expect("a task");
            assert_eq!(me.transition(), (State::Managed, self.depth));
            self.some_steps()
        });
        self.depth -= 1;
        outcome
    }

    fn monitor(&mut self) -> Outcome {
        let count = self.work.monitors.len();
        if self.next_monitor == count {
            return Ok(());
        }
        let before = self.next_monitor;
        let at = before + self.random.below(count - before);
        let monitor = self.work.monitors[at];
        monitor.enter(self.thread)?;
        self.count("monitor");
        self.next_monitor = at + 1;
        let value = monitor.guarded.load(Ordering::Relaxed);
        let mut outcome = self.some_steps();
        if outcome.is_ok() && self.random.below(4) == 0 {
            // Once more, as an owner may.
            outcome = monitor.enter(self.thread);
            if outcome.is_ok() {
                monitor.leave(self.thread);
            }
        }
        assert_eq!(
            monitor.guarded.load(Ordering::Relaxed),
            value,
            "one owner at a time"
        );
        monitor.guarded.store(value + 1, Ordering::Relaxed);
        monitor.leave(self.thread);
        self.next_monitor = before;
        outcome
    }

    fn wait(&mut self) -> Outcome {
        let (event, semaphore, tasks) = (
            self.work.event,
            self.work.semaphore,
            self.work.managers.tasks,
        );
        let limit = u32::try_from(self.random.below(3)).expect("it fits");
        let option = [0, ALERTABLE][self.random.below(2)];
        let which = self.random.below(5);
        let told = self.thread.away(|| match which {
            0 => com!(event, IHostAutoEventVtbl, Wait, limit, option),
            1 => com!(event, IHostAutoEventVtbl, Set),
            2 => com!(semaphore, IHostSemaphoreVtbl, Wait, limit, option),
            3 => {
                let result = com!(
                    semaphore,
                    IHostSemaphoreVtbl,
                    ReleaseSemaphore,
                    1,
                    std::ptr::null_mut()
                );
                // It has as many as it may.
                if result == Hresult::S_OK {
                    result
                } else {
                    Hresult::HOST_E_TIMEOUT
                }
            }
            _ => com!(tasks, IHostTaskManagerVtbl, Sleep, limit, option),
        });
        match told {
            Hresult::S_OK => self.count("wait"),
            Hresult::HOST_E_TIMEOUT if which != 4 => self.count("time-out"),
            Hresult::HOST_E_INTERRUPTED if option == ALERTABLE => self.count("interrupted"),
            other => panic!("a wait of kind {which} gave {other:?}"),
        }
        Ok(())
    }

    fn collect(&mut self) -> Outcome {
        let generation = u32::try_from(self.random.below(4)).expect("it fits");
        self.thread.collect(generation);
        self.count("collection");
        Ok(())
    }

    fn is_free(&self) -> bool {
        self.may_spawn && self.next_monitor == 0
    }

    fn part(&mut self, may_spawn: bool, ends: Option<Object>) -> *mut c_void {
        let part = Part {
            work: Arc::clone(&self.work),
            random: Random::new(self.random.next()),
            domain: self.domain,
            steps: self.random.below(8),
            may_spawn,
            ends,
        };
        Box::into_raw(Box::new(part)).cast()
    }

    /// A child, which is waited for.
    fn spawn(&mut self) -> Outcome {
        if !self.is_free() {
            return Ok(());
        }
        let again = self.random.below(3) == 0;
        let context = self.part(again, None);
        let priority = i32::try_from(self.random.below(5)).expect("it fits") - 2;
        let child = self.work.start(run_part, context, priority);
        let outcome = self.some_steps();
        self.thread.away(|| {
            ok(com!(child, IHostTaskVtbl, Join, INFINITE, 4));
            child.release();
        });
        self.count("child");
        outcome
    }

    /// Work of the pool, which is waited for.
    fn pool(&mut self) -> Outcome {
        if !self.is_free() {
            return Ok(());
        }
        let sync = self.work.managers.sync;
        let event = given(|out| com!(sync, IHostSyncManagerVtbl, CreateAutoEvent, out));
        let event = event.expect("an event");
        let context = self.part(false, Some(event));
        let pool = self.work.managers.pool;
        let run = Some(run_part as _);
        ok(com!(
            pool,
            IHostThreadpoolManagerVtbl,
            QueueUserWorkItem,
            run,
            context,
            0
        ));
        self.thread.away(|| {
            ok(com!(event, IHostAutoEventVtbl, Wait, INFINITE, 0));
            event.release();
        });
        self.count("pool");
        Ok(())
    }

    /// Another thread is alerted, asked to yield, or aborted, as the host may do.
    fn other(&mut self) -> Outcome {
        let threads = self.work.heap.threads();
        let other = threads[self.random.below(threads.len())];
        if std::ptr::eq(other, self.thread.task) {
            return Ok(());
        }
        match self.random.below(16) {
            0 => {
                let running = self.work.running.lock().unwrap();
                let found = running.get(&std::ptr::from_ref(other).addr()).cloned();
                drop(running);
                let Some((other, _)) = found else {
                    return Ok(());
                };
                let how = [Abort::Orderly, Abort::Rude][self.random.below(2)];
                // It may have ended meanwhile.
                let told = self.thread.away(|| other.abort(how));
                assert!(
                    matches!(told, Ok(()) | Err(Hresult::HOST_E_INVALIDOPERATION)),
                    "{told:?}"
                );
                self.count("abort");
            }
            1..=8 => {
                let told = com!(other.object(), ICLRTaskVtbl, YieldTask);
                assert!(matches!(told, Hresult::S_OK | Hresult::S_FALSE));
                self.count("yield");
            }
            _ => {
                other.thread().alert();
                self.count("alert");
            }
        }
        Ok(())
    }

    fn affinity(&mut self) -> Outcome {
        let tasks = self.work.managers.tasks;
        ok(com!(tasks, IHostTaskManagerVtbl, BeginThreadAffinity));
        let before = os_thread();
        let outcome = self.some_steps();
        assert_eq!(before, os_thread(), "affinity");
        ok(com!(tasks, IHostTaskManagerVtbl, EndThreadAffinity));
        self.count("affinity");
        outcome
    }

    fn delay_aborts(&mut self) -> Outcome {
        let tasks = self.work.managers.tasks;
        let told = com!(tasks, IHostTaskManagerVtbl, BeginDelayAbort);
        if self.delays {
            assert_eq!(told, Hresult::E_UNEXPECTED, "it does not nest");
            return Ok(());
        }
        ok(told);
        self.delays = true;
        let outcome = self.some_steps();
        self.delays = false;
        ok(com!(tasks, IHostTaskManagerVtbl, EndDelayAbort));
        self.count("delay of aborts");
        outcome
    }

    fn catch(&mut self) -> Outcome {
        match self.some_steps() {
            Err(Thrown::Exception) => {
                self.count("caught");
                Ok(())
            }
            other => other,
        }
    }

    fn who_am_i(&mut self) -> Outcome {
        let tasks = self.work.managers.tasks;
        let me = given(|out| com!(tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
        let known = self.thread.task.thread().host_task();
        assert_eq!(me, Ok(known.expect("it has not ended")));
        let me = me.expect("a task");
        let priority = i32::try_from(self.random.below(5)).expect("it fits") - 2;
        ok(com!(me, IHostTaskVtbl, SetPriority, priority));
        let mut found = i32::MAX;
        ok(com!(me, IHostTaskVtbl, GetPriority, &raw mut found));
        assert_eq!(found, priority);
        me.release();
        me.release();
        Ok(())
    }

    /// In cooperative mode: collections wait for it.
    fn switch(&mut self) -> Outcome {
        let tasks = self.work.managers.tasks;
        com!(tasks, IHostTaskManagerVtbl, SwitchToTask, 0);
        self.count("switch");
        Ok(())
    }
}

type Routine = unsafe extern "system" fn(*mut c_void) -> u32;

impl Work {
    /// Nothing runs yet.
    pub fn new(host: Host, managers: Managers, can_switch: bool) -> Arc<Work> {
        let sync = managers.sync;
        let event = given(|out| com!(sync, IHostSyncManagerVtbl, CreateAutoEvent, out));
        let semaphore = given(|out| com!(sync, IHostSyncManagerVtbl, CreateSemaphore, 1, 4, out));
        Arc::new(Work {
            host,
            managers,
            heap: Heap::new(managers, can_switch),
            monitors: (1..=4)
                .map(|number| Monitor::new(managers, number))
                .collect(),
            event: event.expect("an event"),
            semaphore: semaphore.expect("a semaphore"),
            running: Mutex::default(),
            unloads: AtomicBool::new(false),
            unloaded: AtomicU64::new(0),
            done: Mutex::default(),
        })
    }

    fn start(&self, run: Routine, context: *mut c_void, priority: i32) -> Object {
        let tasks = self.managers.tasks;
        let made = given(|out| {
            com!(
                tasks,
                IHostTaskManagerVtbl,
                CreateTask,
                0,
                Some(run),
                context,
                out
            )
        });
        let task = made.expect("memory for a task");
        ok(com!(task, IHostTaskVtbl, SetPriority, priority));
        ok(com!(task, IHostTaskVtbl, Start));
        task
    }

    /// All of domain 1 are aborted, and waited for.
    fn unload(&self) {
        let tasks = self.managers.tasks;
        let thread = self.heap.attach(false);
        // As the real one, which never comes back, so as not to share a scheduler with others.
        ok(com!(tasks, IHostTaskManagerVtbl, LeaveRuntime, 0));
        let end = thread.managed(|thread| {
            while !self.unloads.load(Ordering::SeqCst) {
                thread.away(|| com!(tasks, IHostTaskManagerVtbl, Sleep, 1, ALERTABLE));
            }
            loop {
                let running = self.running.lock().unwrap();
                let domain = running.values().filter(|(_, domain)| *domain == 1);
                let domain: Vec<HostTask> = domain.map(|(task, _)| task.clone()).collect();
                drop(running);
                if domain.is_empty() {
                    return Ok(());
                }
                thread.away(|| {
                    for task in &domain {
                        let told = task.abort(Abort::Orderly);
                        assert!(matches!(
                            told,
                            Ok(()) | Err(Hresult::HOST_E_INVALIDOPERATION)
                        ));
                    }
                    self.unloaded
                        .fetch_add(domain.len() as u64, Ordering::SeqCst);
                    com!(tasks, IHostTaskManagerVtbl, Sleep, 1, ALERTABLE);
                });
            }
        });
        assert_eq!(end, Ok(()));
    }

    /// Runs `roots` tasks and two threads from outside, of so many steps each, to their end. Says what was done.
    pub fn run(self: &Arc<Work>, seed: u64, roots: u32, steps: usize) -> Done {
        let finalizer = self.start(
            run_finalizer,
            std::ptr::from_ref(self.heap).cast_mut().cast(),
            1,
        );
        let context = Box::into_raw(Box::new(Arc::clone(self))).cast();
        let unloader = self.start(run_unloader, context, 0);
        let mut random = Random::new(seed);
        let mut part = |domain| {
            Box::new(Part {
                work: Arc::clone(self),
                random: Random::new(random.next()),
                domain,
                steps,
                may_spawn: true,
                ends: None,
            })
        };
        let tasks: Vec<Object> = (0..roots)
            .map(|at| self.start(run_part, Box::into_raw(part(at % 2)).cast(), 0))
            .collect();
        let threads = [0, 1].map(|domain| {
            let part = part(domain);
            std::thread::spawn(move || (*part).play())
        });
        // In the middle of it, for those that are still there.
        std::thread::sleep(Duration::from_millis(seed % 20));
        self.unloads.store(true, Ordering::SeqCst);
        let join = |task: Object| {
            let joined = com!(task, IHostTaskVtbl, Join, 120_000, 0);
            assert_eq!(joined, Hresult::S_OK, "it has not ended");
            task.release();
        };
        tasks.into_iter().for_each(join);
        for thread in threads {
            thread.join().expect("no panic");
        }
        join(unloader);
        self.heap.end_finalizer();
        join(finalizer);
        let mut done = std::mem::take(&mut *self.done.lock().unwrap());
        let (collections, blocked) = self.heap.figures();
        done.insert("collections", collections);
        done.insert("blocked", blocked);
        done.insert("unloaded", self.unloaded.load(Ordering::SeqCst));
        done
    }

    /// Ends the host, and looks whether anything is left.
    ///
    /// # Panics
    /// If it is.
    pub fn finish(self: Arc<Work>) {
        // The last to let go of it may be a function of the pool that has just told of its end.
        let limit = Duration::from_secs(60);
        self.host
            .shutdown(limit)
            .expect("nothing is left to wait for");
        let figures = self.host.figures();
        assert_eq!(
            figures.frames_left, 1,
            "the unloader alone ends with a frame"
        );
        assert_eq!(figures.stray_hooks, 0);
        let work = Arc::into_inner(self).expect("all have ended");
        assert!(work.running.lock().unwrap().is_empty());
        assert!(
            work.heap.threads().is_empty(),
            "all threads were told of their end"
        );
        for task in work.heap.gone() {
            assert_eq!(task.exits(), 1, "it was told of its end once");
            let (outs, ins) = task.switches();
            assert_eq!(outs, ins, "it was switched in as often as out");
        }
        work.heap.let_go();
        for monitor in work.monitors {
            monitor.let_go();
        }
        assert_eq!(work.event.release(), 0);
        assert_eq!(work.semaphore.release(), 0);
        let gate = work.host.gate();
        work.managers.let_go();
        drop(work.host);
        let until = Instant::now() + limit;
        while gate.objects() > 0 && Instant::now() < until {
            std::thread::yield_now();
        }
        assert_eq!(gate.objects(), 0, "objects of the host's");
        for task in work.heap.gone() {
            assert_eq!(task.references_of_others(), 0, "nobody keeps it");
        }
    }
}
