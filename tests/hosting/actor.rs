//! Tasks and adopted threads that do what they are told.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use fiberhost::com::{Hresult, INFINITE};

use super::{Bench, Object, given, join};
use crate::common::LONG;

/// How long nothing happens before a test takes it that nothing will: who looks for deadlocks rests for 5 ms.
pub(crate) const NOTHING: Duration = Duration::from_millis(40);

type Order = Box<dyn FnOnce() -> Hresult + Send>;

/// A task, or an adopted thread, that does what it is told, and says what came of it.
pub(crate) struct Actor {
    orders: Option<Sender<Order>>,
    wake: Object,
    results: Receiver<Hresult>,
    pub(crate) task: Object,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Actor {
    pub(crate) fn parts(bench: &Bench) -> (Actor, impl FnOnce() + Send + 'static) {
        let (orders, told) = channel::<Order>();
        let (tell, results) = channel();
        let wake = given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateAutoEvent, out));
        let play = move || {
            loop {
                let woken = com!(wake, IHostAutoEventVtbl, Wait, INFINITE, 0);
                assert_eq!(woken, Hresult::S_OK, "a plain event's wait is never broken");
                let Ok(order) = told.recv() else { return };
                tell.send(order()).expect("the test is there");
            }
        };
        let actor = Actor {
            orders: Some(orders),
            wake,
            results,
            task: wake,
            thread: None,
        };
        (actor, play)
    }

    pub(crate) fn task(bench: &Bench) -> Actor {
        let (mut actor, play) = Actor::parts(bench);
        actor.task = bench.start(play);
        actor
    }

    /// A thread that becomes a task by asking who it is.
    pub(crate) fn thread(bench: &Bench) -> Actor {
        let (mut actor, play) = Actor::parts(bench);
        let tasks = bench.tasks;
        let (tell, told) = channel();
        actor.thread = Some(std::thread::spawn(move || {
            let me = given(|out| com!(tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
            tell.send(me).expect("the test waits for it");
            play();
        }));
        actor.task = told.recv().expect("it says who it is");
        actor
    }

    pub(crate) fn begin(&self, order: impl FnOnce() -> Hresult + Send + 'static) {
        let orders = self.orders.as_ref().expect("it has not ended");
        orders.send(Box::new(order)).expect("it is there");
        assert_eq!(com!(self.wake, IHostAutoEventVtbl, Set), Hresult::S_OK);
    }

    #[track_caller]
    pub(crate) fn ends(&self) -> Hresult {
        self.results.recv_timeout(LONG).expect("it ends")
    }

    #[track_caller]
    pub(crate) fn call(&self, order: impl FnOnce() -> Hresult + Send + 'static) {
        self.begin(order);
        assert_eq!(self.ends(), Hresult::S_OK);
    }

    #[track_caller]
    pub(crate) fn still_waits(&self) {
        assert!(self.results.recv_timeout(NOTHING).is_err(), "it waits");
    }

    pub(crate) fn set_priority(&self, priority: i32) {
        let set = com!(self.task, IHostTaskVtbl, SetPriority, priority);
        assert_eq!(set, Hresult::S_OK);
    }

    pub(crate) fn end(mut self) {
        self.orders = None;
        assert_eq!(com!(self.wake, IHostAutoEventVtbl, Set), Hresult::S_OK);
        match self.thread.take() {
            Some(thread) => {
                thread.join().expect("no panic");
                self.task.release();
            }
            None => join(self.task),
        }
        self.wake.release();
    }
}
