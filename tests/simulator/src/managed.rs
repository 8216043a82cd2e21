//! Managed code, as far as a host can tell: threads in one of two modes, a collector that stops them, monitors, exceptions.
//!
//! A thread in cooperative mode touches what the collector moves; one in preemptive mode does not, and is in nobody's way.
//! A thread is cooperative in managed code and preemptive in unmanaged code and in every wait.
//!
//! 1. The collector says that it suspends, and then waits until no other thread is cooperative.
//! 2. A thread that becomes cooperative first says so, and then looks whether there is a suspension. If there is, it takes
//!    that back, tells the collector, and waits for the end. Of the two orders (1 and 2) one sees the other, so no thread is
//!    cooperative while the collector works.
//! 3. A thread that stays cooperative looks at its safe points, and goes through 2 there.
//!
//! All waiting is for objects of the host's. An exception is an `Err`: each frame that it passes sends the hooks of a return.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use fiberhost::com::{Hresult, INFINITE};

use crate::managers;
use crate::object::{Object, com, given};
use crate::runtime::{Managers, Task};

const ALERTABLE: u32 = 2;
const NO_COLLECTION: u32 = u32::MAX;

/// What passes through frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thrown {
    /// Any code may catch it.
    Exception,
    /// Nothing but the end of the task catches it.
    Abort,
}

/// What managed code ends with.
pub type Outcome = Result<(), Thrown>;

/// A thread of the runtime's: a part of its [`Task`].
pub struct Managed {
    heap: &'static Heap,
    is_finalizer: bool,
    cooperative: AtomicBool,
    /// 1: asked to abort, 2: rudely.
    abort: AtomicU8,
    yields: AtomicBool,
    locks: AtomicUsize,
    /// Its `IHostTask`, with a reference, until it has ended.
    host_task: Mutex<Option<Object>>,
}

/// What all threads have in common. It lives as long as the process; its objects go with [`Heap::let_go`].
pub struct Heap {
    managers: Managers,
    can_switch: bool,
    suspending: AtomicBool,
    /// The collector works: nobody is cooperative.
    stopped: AtomicBool,
    threads: Mutex<Vec<&'static Task>>,
    /// Those that have ended.
    gone: Mutex<Vec<&'static Task>>,
    /// Tasks of the host's whose threads have ended; the finalizer releases them.
    dead: Mutex<Vec<Object>>,
    collector: Object,
    resume: Object,
    arrived: Object,
    finalize: Object,
    finalizer_ends: AtomicBool,
    collections: AtomicU64,
    blocked: AtomicU64,
}

fn ok(result: Hresult) {
    assert_eq!(result, Hresult::S_OK);
}

impl Managed {
    /// Whether it holds up a collection, or frees what others wait for.
    pub fn is_urgent(&self) -> bool {
        self.is_finalizer || self.cooperative.load(Ordering::SeqCst)
    }

    /// How many monitors it has.
    pub fn locks(&self) -> usize {
        self.locks.load(Ordering::SeqCst)
    }

    /// It aborts at its next safe point. If it waits, and can be alerted, the wait ends.
    pub fn abort(&self, rude: bool) {
        self.abort.fetch_max(1 + u8::from(rude), Ordering::SeqCst);
        self.alert();
    }

    /// Alerts its task, if there still is one.
    pub fn alert(&self) {
        if let Some(task) = *self.host_task.lock().unwrap() {
            ok(com!(task, IHostTaskVtbl, Alert));
        }
    }

    /// It switches once at its next safe point; `S_FALSE` if it was asked before.
    pub fn ask_to_yield(&self) -> Hresult {
        if self.yields.swap(true, Ordering::SeqCst) {
            Hresult::S_FALSE
        } else {
            Hresult::S_OK
        }
    }

    /// The host has told it of its end.
    pub fn ended(&self) {
        assert!(
            !self.cooperative.load(Ordering::SeqCst),
            "ended in managed code"
        );
        assert_eq!(self.locks(), 0, "ended with monitors");
        let task = self.host_task.lock().unwrap().take();
        let task = task.expect("it has ended once");
        let mut threads = self.heap.threads.lock().unwrap();
        let at = threads
            .iter()
            .position(|task| std::ptr::eq(task.thread(), self));
        let thread = threads.swap_remove(at.expect("it is one of the threads"));
        drop(threads);
        self.heap.gone.lock().unwrap().push(thread);
        self.heap.dead.lock().unwrap().push(task);
        ok(com!(self.heap.finalize, IHostAutoEventVtbl, Set));
    }

    /// Its `IHostTask`, with a reference for the caller.
    pub fn host_task(&self) -> Option<Object> {
        let task = *self.host_task.lock().unwrap();
        task.inspect(|task| {
            com!(*task, IUnknownVtbl, AddRef);
        })
    }
}

impl Heap {
    /// One whose threads run on tasks that can be switched, or not.
    pub fn new(managers: Managers, can_switch: bool) -> &'static Heap {
        let sync = managers.sync;
        let auto = || given(|out| com!(sync, IHostSyncManagerVtbl, CreateAutoEvent, out));
        let section = given(|out| com!(sync, IHostSyncManagerVtbl, CreateCrst, out));
        let manual = given(|out| com!(sync, IHostSyncManagerVtbl, CreateManualEvent, 1, out));
        Box::leak(Box::new(Heap {
            managers,
            can_switch,
            suspending: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            threads: Mutex::default(),
            gone: Mutex::default(),
            dead: Mutex::default(),
            collector: section.expect("a section"),
            resume: manual.expect("an event"),
            arrived: auto().expect("an event"),
            finalize: auto().expect("an event"),
            finalizer_ends: AtomicBool::new(false),
            collections: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
        }))
    }

    /// The caller's task becomes a thread, or is the one that it already is. It is in preemptive mode.
    pub fn attach(&'static self, is_finalizer: bool) -> Thread {
        let tasks = self.managers.tasks;
        let me = given(|out| com!(tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
        let me = me.expect("a task of the host's");
        let known = self.threads.lock().unwrap().iter().copied().find(|task| {
            let host_task = task.thread().host_task.lock().unwrap();
            *host_task == Some(me)
        });
        if let Some(task) = known {
            me.release();
            return Thread { heap: self, task };
        }
        let task = Task::managed(
            self.can_switch,
            Managed {
                heap: self,
                is_finalizer,
                cooperative: AtomicBool::new(false),
                abort: AtomicU8::new(0),
                yields: AtomicBool::new(false),
                locks: AtomicUsize::new(0),
                host_task: Mutex::new(Some(me)),
            },
        );
        self.threads.lock().unwrap().push(task);
        ok(com!(me, IHostTaskVtbl, SetCLRTask, task.object().get()));
        // As a runtime does that has made its own handle for the thread.
        com!(tasks, IHostTaskManagerVtbl, SwitchToTask, 0);
        Thread { heap: self, task }
    }

    /// All threads that have not ended.
    pub fn threads(&self) -> Vec<&'static Task> {
        self.threads.lock().unwrap().clone()
    }

    /// All that have ended.
    pub fn gone(&self) -> Vec<&'static Task> {
        self.gone.lock().unwrap().clone()
    }

    /// Collections, and how often a thread waited for the end of one.
    pub fn figures(&self) -> (u64, u64) {
        let load = |count: &AtomicU64| count.load(Ordering::SeqCst);
        (load(&self.collections), load(&self.blocked))
    }

    /// The finalizer ends when it has released what it knows of.
    pub fn end_finalizer(&self) {
        self.finalizer_ends.store(true, Ordering::SeqCst);
        ok(com!(self.finalize, IHostAutoEventVtbl, Set));
    }

    /// The finalizer's function.
    pub fn run_finalizer(&'static self) {
        let thread = self.attach(true);
        while !self.finalizer_ends.load(Ordering::SeqCst) {
            let told = com!(self.finalize, IHostAutoEventVtbl, Wait, INFINITE, ALERTABLE);
            assert!(matches!(told, Hresult::S_OK | Hresult::HOST_E_INTERRUPTED));
            let end = thread.managed(|thread| {
                self.release_dead();
                thread.safe_point()
            });
            assert_eq!(end, Ok(()), "nobody aborts the finalizer");
        }
    }

    fn release_dead(&self) {
        let dead = std::mem::take(&mut *self.dead.lock().unwrap());
        for task in dead {
            task.release();
        }
    }

    /// When no thread is left.
    pub fn let_go(&self) {
        self.release_dead();
        for object in [self.collector, self.resume, self.arrived, self.finalize] {
            assert_eq!(object.release(), 0);
        }
    }
}

/// The thread that calls.
#[derive(Clone, Copy)]
pub struct Thread {
    heap: &'static Heap,
    /// Its side of the runtime.
    pub task: &'static Task,
}

impl Thread {
    fn tasks(self) -> Object {
        self.heap.managers.tasks
    }

    fn is_cooperative(self) -> bool {
        self.task.thread().cooperative.load(Ordering::SeqCst)
    }

    /// Into managed code's mode; during a collection it waits for its end.
    pub fn go_cooperative(self) {
        let heap = self.heap;
        let mode = &self.task.thread().cooperative;
        loop {
            mode.store(true, Ordering::SeqCst);
            if !heap.suspending.load(Ordering::SeqCst) {
                return;
            }
            self.go_preemptive();
            heap.blocked.fetch_add(1, Ordering::SeqCst);
            ok(com!(
                heap.managers.gc,
                IHostGCManagerVtbl,
                ThreadIsBlockingForSuspension
            ));
            ok(com!(heap.resume, IHostManualEventVtbl, Wait, INFINITE, 0));
        }
    }

    /// Out of it: from now on a collection does not wait for this thread.
    pub fn go_preemptive(self) {
        self.task
            .thread()
            .cooperative
            .store(false, Ordering::SeqCst);
        if self.heap.suspending.load(Ordering::SeqCst) {
            ok(com!(self.heap.arrived, IHostAutoEventVtbl, Set));
        }
    }

    /// Managed code at the base of the task.
    pub fn managed(self, code: impl FnOnce(Thread) -> Outcome) -> Outcome {
        assert!(!self.is_cooperative());
        self.go_cooperative();
        let outcome = code(self);
        self.go_preemptive();
        outcome
    }

    /// A wait, or another call that lasts, out of managed code.
    pub fn away<R>(self, wait: impl FnOnce() -> R) -> R {
        assert!(self.is_cooperative());
        self.go_preemptive();
        let result = wait();
        self.go_cooperative();
        result
    }

    /// Unmanaged code that is called with the hooks. `target` is its address.
    pub fn native(self, target: usize, code: impl FnOnce(Thread) -> Outcome) -> Outcome {
        ok(com!(
            self.tasks(),
            IHostTaskManagerVtbl,
            LeaveRuntime,
            target
        ));
        self.go_preemptive();
        let outcome = code(self);
        // First onto the scheduler, then to the safe point.
        ok(com!(self.tasks(), IHostTaskManagerVtbl, EnterRuntime));
        self.go_cooperative();
        outcome
    }

    /// Managed code that unmanaged code calls.
    pub fn callback(self, code: impl FnOnce(Thread) -> Outcome) -> Outcome {
        // First to the safe point, in unmanaged code, and then onto the scheduler.
        self.go_cooperative();
        ok(com!(
            self.tasks(),
            IHostTaskManagerVtbl,
            ReverseEnterRuntime
        ));
        let outcome = code(self);
        ok(com!(
            self.tasks(),
            IHostTaskManagerVtbl,
            ReverseLeaveRuntime
        ));
        self.go_preemptive();
        outcome
    }

    /// Where managed code can be stopped, switched and aborted.
    ///
    /// # Errors
    /// [`Thrown::Abort`] if it was aborted.
    pub fn safe_point(self) -> Outcome {
        let heap = self.heap;
        assert!(self.is_cooperative());
        assert!(
            !heap.stopped.load(Ordering::SeqCst),
            "managed code runs during a collection"
        );
        if heap.suspending.load(Ordering::SeqCst) {
            self.away(|| ());
        }
        let managed = self.task.thread();
        if managed.yields.swap(false, Ordering::SeqCst) {
            // In cooperative mode: a collection waits until this task has its turn again.
            com!(self.tasks(), IHostTaskManagerVtbl, SwitchToTask, 0);
        }
        if managed.abort.load(Ordering::SeqCst) > 0 {
            return Err(Thrown::Abort);
        }
        Ok(())
    }

    /// Stops all others, looks at them, and lets them go on.
    pub fn collect(self, generation: u32) {
        self.away(|| {
            self.suspend();
            com!(self.tasks(), IHostTaskManagerVtbl, SwitchToTask, 0);
            self.resume(generation);
        });
    }

    /// Stops all others at their safe points. The caller is in preemptive mode.
    pub fn suspend(self) {
        let heap = self.heap;
        let gc = heap.managers.gc;
        assert!(!self.is_cooperative());
        ok(com!(heap.collector, IHostCrstVtbl, Enter, 4));
        ok(com!(heap.resume, IHostManualEventVtbl, Reset));
        ok(com!(gc, IHostGCManagerVtbl, SuspensionStarting));
        heap.suspending.store(true, Ordering::SeqCst);
        // Threads that come now are preemptive until they have seen that.
        while heap
            .threads()
            .iter()
            .any(|task| task.thread().cooperative.load(Ordering::SeqCst))
        {
            let arrived = com!(heap.arrived, IHostAutoEventVtbl, Wait, 1, 0);
            assert!(matches!(arrived, Hresult::S_OK | Hresult::HOST_E_TIMEOUT));
        }
        heap.stopped.store(true, Ordering::SeqCst);
    }

    /// Lets them go on.
    pub fn resume(self, generation: u32) {
        let heap = self.heap;
        let gc = heap.managers.gc;
        heap.stopped.store(false, Ordering::SeqCst);
        heap.collections.fetch_add(1, Ordering::SeqCst);
        let ends = if generation > 2 {
            NO_COLLECTION
        } else {
            generation
        };
        ok(com!(gc, IHostGCManagerVtbl, SuspensionEnding, ends));
        heap.suspending.store(false, Ordering::SeqCst);
        ok(com!(heap.resume, IHostManualEventVtbl, Set));
        ok(com!(heap.collector, IHostCrstVtbl, Leave));
    }
}

/// A monitor, as managed code has it: a word, and an event of the host's for who waits. It lives as long as the process.
pub struct Monitor {
    /// By which the host asks for its owner.
    number: usize,
    /// The owner's address; 0: free.
    owner: AtomicUsize,
    depth: AtomicU32,
    waiters: AtomicU32,
    event: Object,
    /// What it guards: read and written in two steps.
    pub guarded: AtomicU64,
}

impl Monitor {
    /// A free one; the number is what the host asks the runtime with.
    pub fn new(managers: Managers, number: usize) -> &'static Monitor {
        let sync = managers.sync;
        let event = given(|out| com!(sync, IHostSyncManagerVtbl, CreateMonitorEvent, number, out));
        Box::leak(Box::new(Monitor {
            number,
            owner: AtomicUsize::new(0),
            depth: AtomicU32::new(0),
            waiters: AtomicU32::new(0),
            event: event.expect("an event"),
            guarded: AtomicU64::new(0),
        }))
    }

    fn take(&self, me: usize) -> bool {
        let taken = self
            .owner
            .compare_exchange(0, me, Ordering::SeqCst, Ordering::SeqCst);
        taken.is_ok()
    }

    /// Takes it for managed code. Who is interrupted looks whether it is aborted, and waits again.
    ///
    /// # Errors
    /// [`Thrown::Abort`]: it is not taken.
    pub fn enter(&self, thread: Thread) -> Outcome {
        let me = std::ptr::from_ref(thread.task).addr();
        if self.owner.load(Ordering::SeqCst) != me {
            // 1. Say that one waits. 2. Look again. Who leaves frees it first and then looks for waiters.
            self.waiters.fetch_add(1, Ordering::SeqCst);
            while !self.take(me) {
                let told =
                    thread.away(|| com!(self.event, IHostAutoEventVtbl, Wait, INFINITE, ALERTABLE));
                assert!(
                    matches!(told, Hresult::S_OK | Hresult::HOST_E_INTERRUPTED),
                    "{told:?}"
                );
                if let Err(thrown) = thread.safe_point() {
                    self.waiters.fetch_sub(1, Ordering::SeqCst);
                    // It may have been told, in place of another one.
                    self.tell();
                    return Err(thrown);
                }
            }
            self.waiters.fetch_sub(1, Ordering::SeqCst);
            let task = thread.task.thread().host_task();
            let task = task.expect("it has not ended");
            managers::own(self.number, task);
            task.release();
        }
        self.depth.fetch_add(1, Ordering::SeqCst);
        thread.task.thread().locks.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn tell(&self) {
        if self.waiters.load(Ordering::SeqCst) > 0 {
            ok(com!(self.event, IHostAutoEventVtbl, Set));
        }
    }

    /// Gives it back once.
    pub fn leave(&self, thread: Thread) {
        let me = std::ptr::from_ref(thread.task).addr();
        assert_eq!(
            self.owner.load(Ordering::SeqCst),
            me,
            "somebody else has it"
        );
        thread.task.thread().locks.fetch_sub(1, Ordering::SeqCst);
        if self.depth.fetch_sub(1, Ordering::SeqCst) == 1 {
            managers::disown(self.number);
            self.owner.store(0, Ordering::SeqCst);
            self.tell();
        }
    }

    /// At the end: it is free, and nobody waits.
    pub fn let_go(&self) {
        assert_eq!(self.owner.load(Ordering::SeqCst), 0);
        assert_eq!(self.waiters.load(Ordering::SeqCst), 0);
        assert_eq!(self.event.release(), 0);
    }
}
