//! Somebody in a script: a task of the runtime's, or a thread of the process, that makes the calls it is told to make.
//!
//! It waits to be told as a runtime's code waits, for an event of the host's, in whatever state it is.

use std::ffi::c_void;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fiberhost::TaskMode;
use fiberhost::com::{Hresult, INFINITE};

use crate::call::{Answer, Memory, World, execute, state};
use crate::managed::{Outcome, Thread};
use crate::object::{Object, com, given};
use crate::own;
use crate::runtime::Task;

/// How long a call may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

enum Order {
    Call(Vec<String>),
    /// Blocks the thread, as unmanaged code does that the host knows nothing of.
    Block(Until),
    /// Computes in managed code, which looks at its safe points.
    Compute(Until),
}

/// Says that it has begun, and goes on until it is told to stop.
struct Until {
    begun: Sender<()>,
    stop: Receiver<()>,
}

/// What a call has answered, with the state before and after it.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// The answer.
    pub answer: Answer,
    /// The state at the call.
    pub before: (char, u64),
    /// The state after it.
    pub after: (char, u64),
}

/// The runtime's side of a task: there before it, or made by it when it begins.
type Side = Arc<OnceLock<&'static Task>>;

enum Body {
    Task(Object, Side),
    Thread(JoinHandle<()>),
}

/// See the module docs.
pub struct Actor {
    orders: Option<Sender<Order>>,
    reports: Receiver<Report>,
    event: Object,
    unblock: Option<Sender<()>>,
    body: Option<Body>,
}

struct Part {
    name: String,
    world: Arc<World>,
    orders: Receiver<Order>,
    reports: Sender<Report>,
    event: Object,
    /// None: it is a thread.
    side: Option<Side>,
}

unsafe extern "system" fn run_task(context: *mut c_void) -> u32 {
    // SAFETY: it is the box of `Actor::task`, and the function is called once.
    let part = unsafe { Box::from_raw(context.cast::<Part>()) };
    (*part).play();
    0
}

impl Part {
    fn play(self) {
        let mut memory = Memory::default();
        if let Some(side) = &self.side {
            memory.managed = self.begin(side);
        }
        loop {
            let told = com!(self.event, IHostAutoEventVtbl, Wait, INFINITE, 0);
            assert_eq!(told, Hresult::S_OK);
            self.world.look_at_thread(&self.name);
            let before = state(&self.world);
            let answer = match self.orders.recv() {
                Err(_) => break,
                Ok(Order::Call(words)) => execute(&self.world, &mut memory, &words),
                Ok(Order::Block(until)) => {
                    until.begun.send(()).expect("the script waits for it");
                    until.stop.recv().expect("the script lets it go on");
                    Hresult::S_OK.into()
                }
                Ok(Order::Compute(until)) => {
                    until.begun.send(()).expect("the script waits for it");
                    let thread = memory.managed.expect("it is a thread of managed code");
                    own::aborted(thread.managed(|thread| self.compute(thread, &until.stop)))
                }
            };
            self.world.look_at_thread(&self.name);
            let after = state(&self.world);
            self.world.note_thread(&self.name, after.0);
            self.world.order.lock().unwrap().push(self.name.clone());
            let report = Report {
                answer,
                before,
                after,
            };
            self.reports.send(report).expect("the script is there");
        }
        self.world.note_thread(&self.name, 'B');
    }

    /// The task has a side in the runtime from now on, which looks at how it is told of its end.
    fn begin(&self, side: &Side) -> Option<Thread> {
        let tasks = self.world.managers.tasks;
        let me = given(|out| com!(tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
        let me = me.expect("a task of the runtime's");
        let managed = match side.get() {
            Some(clr_task) => {
                let mine = clr_task.object().get();
                assert_eq!(com!(me, IHostTaskVtbl, SetCLRTask, mine), Hresult::S_OK);
                None
            }
            None => {
                let thread = self.world.heap().attach(false);
                assert!(side.set(thread.task).is_ok(), "nobody else makes it");
                Some(thread)
            }
        };
        let clr_task = side.get().expect("it is there now");
        let world = Arc::downgrade(&self.world);
        let address = me.get().addr();
        clr_task.look_at_exit(move || {
            let world = world.upgrade().expect("the script is there");
            let tasks = world.managers.tasks;
            let caller = given(|out| com!(tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
            let caller = caller.expect("it is told on a task");
            assert_eq!(
                caller.get().addr(),
                address,
                "it is told on the task itself"
            );
            caller.release();
            assert_eq!(state(&world), ('B', 0), "it is told with nothing open");
        });
        let own = self.world.host.current_task().expect("the host knows it");
        self.world.tasks.lock().unwrap().insert(address, own);
        me.release();
        managed
    }

    fn compute(&self, thread: Thread, until: &Receiver<()>) -> Outcome {
        while until.try_recv().is_err() {
            thread.safe_point()?;
            com!(
                self.world.managers.tasks,
                IHostTaskManagerVtbl,
                SwitchToTask,
                0
            );
        }
        Ok(())
    }
}

impl Actor {
    fn new(world: &Arc<World>, name: &str, side: Option<Side>) -> (Actor, Box<Part>) {
        let (orders, told) = channel();
        let (tell, reports) = channel();
        let sync = world.managers.sync;
        let event = given(|out| com!(sync, IHostSyncManagerVtbl, CreateAutoEvent, out));
        let event = event.expect("an event");
        let actor = Actor {
            orders: Some(orders),
            reports,
            event,
            unblock: None,
            body: None,
        };
        let part = Part {
            name: name.to_owned(),
            world: Arc::clone(world),
            orders: told,
            reports: tell,
            event,
            side,
        };
        (actor, Box::new(part))
    }

    /// A task, created and started.
    pub fn task(world: &Arc<World>, name: &str) -> Actor {
        let side = Side::default();
        let clr_task = Task::new(world.mode == TaskMode::Fiber);
        assert!(side.set(clr_task).is_ok(), "it is new");
        Actor::start(world, name, side)
    }

    /// One that is a thread of managed code.
    pub fn managed(world: &Arc<World>, name: &str) -> Actor {
        Actor::start(world, name, Side::default())
    }

    fn start(world: &Arc<World>, name: &str, side: Side) -> Actor {
        let (mut actor, part) = Actor::new(world, name, Some(Arc::clone(&side)));
        let tasks = world.managers.tasks;
        let context = Box::into_raw(part).cast();
        let run = Some(run_task as _);
        let made = given(|out| {
            com!(
                tasks,
                IHostTaskManagerVtbl,
                CreateTask,
                0,
                run,
                context,
                out
            )
        });
        let task = made.expect("memory for a task");
        assert_eq!(com!(task, IHostTaskVtbl, Start), Hresult::S_OK);
        actor.body = Some(Body::Task(task, side));
        actor
    }

    /// A thread of the process.
    pub fn thread(world: &Arc<World>, name: &str) -> Actor {
        let (mut actor, part) = Actor::new(world, name, None);
        actor.body = Some(Body::Thread(std::thread::spawn(|| (*part).play())));
        actor
    }

    /// Its task.
    pub fn host_task(&self) -> Option<Object> {
        match &self.body {
            Some(Body::Task(task, _)) => Some(*task),
            _ => None,
        }
    }

    fn order(&self, order: Order) {
        let orders = self.orders.as_ref().expect("it has not ended");
        orders.send(order).expect("it waits for orders");
        assert_eq!(com!(self.event, IHostAutoEventVtbl, Set), Hresult::S_OK);
    }

    /// Begins a call.
    pub fn begin(&mut self, words: &[String]) {
        let order: fn(Until) -> Order = match words {
            [word] if word == "Block" => Order::Block,
            [word] if word == "Compute" => Order::Compute,
            _ => return self.order(Order::Call(words.to_vec())),
        };
        let (unblock, stop) = channel();
        let (begun, has_begun) = channel();
        self.unblock = Some(unblock);
        self.order(order(Until { begun, stop }));
        let begun = has_begun.recv_timeout(PATIENCE);
        assert!(begun.is_ok(), "it does not begin");
    }

    /// The one that blocks its thread goes on.
    pub fn unblock(&mut self) {
        let unblock = self.unblock.take().expect("it blocks");
        unblock.send(()).expect("it waits for it");
    }

    /// Whether the call is on after a while.
    pub fn waits(&self) -> bool {
        self.reports.recv_timeout(Duration::from_millis(3)).is_err()
    }

    /// How the call has ended.
    pub fn ends(&self) -> Option<Report> {
        self.reports.recv_timeout(PATIENCE).ok()
    }

    /// Its function returns; a task is joined and released.
    pub fn end(&mut self) {
        self.orders = None;
        assert_eq!(com!(self.event, IHostAutoEventVtbl, Set), Hresult::S_OK);
        match self.body.take().expect("it was begun") {
            Body::Task(task, side) => {
                let joined = com!(task, IHostTaskVtbl, Join, 60_000, 0);
                assert_eq!(joined, Hresult::S_OK, "it has ended");
                task.release();
                let clr_task = side.get().expect("it had one");
                assert_eq!(clr_task.exits(), 1, "it was told of its end once");
                let (outs, ins) = clr_task.switches();
                assert_eq!(outs, ins, "it was switched in as often as out");
                // Who has just asked for its end may be about to let go of it.
                let until = Instant::now() + PATIENCE;
                while clr_task.references_of_others() > 0 && Instant::now() < until {
                    std::thread::yield_now();
                }
                assert_eq!(clr_task.references_of_others(), 0, "nobody keeps it");
            }
            Body::Thread(thread) => thread.join().expect("no panic"),
        }
        assert_eq!(self.event.release(), 0);
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.body.is_none()
    }
}
