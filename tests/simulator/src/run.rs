//! Runs a script against a host, and looks at the end whether anything is left.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use fiberhost::com::Handle;
use fiberhost::com::clr::{ClrInterface, ICLRRuntimeHost};
use fiberhost::scheduler::Scheduler;
use fiberhost::{Assemblies, Builder, Host, IoEngine, MemoryLimits, Security, Strangers, TaskMode};

use crate::actor::{Actor, Report};
use crate::call::{World, called};
use crate::host_call;
use crate::memory::Places;
use crate::object::com;
use crate::runtime::Runtime;
use crate::script::{Expected, Script, Step};
use crate::slots;
use crate::transfers;

/// How a script is run.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// On what tasks run.
    pub mode: TaskMode,
    /// How many slots there are.
    pub slots: usize,
    /// Who looks after transfers that wait.
    pub engine: IoEngine,
}

/// All ways.
pub const WAYS: [Way; 6] = {
    const fn way(mode: TaskMode, slots: usize) -> Way {
        // Both in each mode.
        let engine = match slots {
            2 => IoEngine::Helpers,
            _ => IoEngine::Detect,
        };
        Way {
            mode,
            slots,
            engine,
        }
    }
    [
        way(TaskMode::Fiber, 1),
        way(TaskMode::Fiber, 2),
        way(TaskMode::Fiber, 4),
        way(TaskMode::Thread, 1),
        way(TaskMode::Thread, 2),
        way(TaskMode::Thread, 4),
    ]
};

/// The calls that were made, each with the state in which it was: `B/LeaveRuntime`.
pub type Made = BTreeSet<String>;

struct Run<'a> {
    script: &'a Script,
    way: Way,
    world: Arc<World>,
    actors: BTreeMap<String, Actor>,
    /// Of calls that were begun: what is called.
    begun: BTreeMap<String, String>,
    made: Made,
    /// How many tasks are to have ended with frames left.
    left: u64,
    /// One that stands for others, which wait.
    waiting: Option<Actor>,
    /// The host's handle of the runtime.
    handle: Option<ICLRRuntimeHost>,
}

/// Runs it.
///
/// # Panics
/// If anything is otherwise than the script says, or something is left at the end.
pub fn run(script: &Script, way: Way) -> Made {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    // What is noted of slots is the process's. A script that has failed has nothing to say to the next one.
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    slots::begin();
    let runtime = Runtime::new();
    let host = builder(way, script).build().expect("a host");
    let pointer = NonNull::new(runtime.object().get()).expect("an object");
    com!(runtime.object(), IUnknownVtbl, AddRef);
    // SAFETY: the object is of this interface and lives as long as the process; the reference is for the handle.
    let handle = unsafe { ICLRRuntimeHost::from_owned(pointer) };
    host.attach(&handle).expect("the runtime takes the host");
    let world = Arc::new(World {
        managers: runtime.managers(),
        host,
        mode: way.mode,
        objects: Mutex::default(),
        ran: Arc::default(),
        tokens: Arc::default(),
        files: Mutex::default(),
        tasks: Mutex::default(),
        heap: OnceLock::new(),
        domains: Mutex::default(),
        places: Places::default(),
        memory_callback: runtime.memory_callback(),
        owned: Mutex::default(),
        order: Mutex::default(),
    });
    transfers::look_at(Arc::downgrade(&world));
    let mut run = Run {
        script,
        way,
        world,
        actors: BTreeMap::new(),
        begun: BTreeMap::new(),
        made: Made::new(),
        left: 0,
        waiting: None,
        handle: Some(handle),
    };
    for (line, step) in &script.steps {
        run.step(*line, step);
    }
    run.finish(runtime)
}

/// A host that is tried out in this way.
///
/// # Panics
/// If the system has no memory for it.
pub fn host(way: Way) -> Host {
    let nothing = Script {
        name: String::new(),
        steps: Vec::new(),
    };
    builder(way, &nothing).build().expect("a host")
}

fn builder(way: Way, script: &Script) -> Builder {
    let settings = Scheduler::builder()
        .workers(way.slots)
        .check_invariants(true)
        .force_migration(true);
    let mut builder = Host::builder()
        // The machine may be loaded, and scripts look at who has a slot.
        .callback_patience(Duration::from_secs(60))
        .scheduler_settings(settings)
        .tasks(way.mode)
        .io_completion(way.engine)
        .security(Security::new().restricted(Handle(66)))
        .assemblies(assemblies());
    for (_, step) in &script.steps {
        match step {
            Step::Deny => builder = builder.strangers(Strangers::Deny),
            Step::Memory([task, app_domain, process]) => {
                builder = builder.memory(MemoryLimits {
                    task: *task,
                    app_domain: *app_domain,
                    process: *process,
                    ..MemoryLimits::default()
                });
            }
            _ => {}
        }
    }
    builder
}

/// One assembly with symbols and a module.
fn assemblies() -> Assemblies {
    let symbols: Arc<[u8]> = Arc::from(vec![1; 10]);
    Assemblies::new()
        .add("App, Version=1.0.0.0", vec![2; 100], Some(symbols))
        .and_then(|all| all.add_module("App", "App.Part", vec![3; 50]))
        .expect("identities")
}

impl Run<'_> {
    fn step(&mut self, line: usize, step: &Step) {
        match step {
            Step::Covers(..) | Step::Observes(_) | Step::Deny | Step::Memory(_) => {}
            Step::Host(words, expected) => {
                let runtime = self.handle.as_ref().expect("it is there until the end");
                let answer = host_call::execute(&self.world, runtime, words);
                let right = expected.allows(answer.result)
                    && expected
                        .value
                        .is_none_or(|value| answer.value == Some(value));
                self.check(line, right, format_args!("the host got {answer:?}"));
            }
            Step::Told(words) => {
                let told = slots::is_told(words);
                self.check(line, told, format_args!("the runtime was not told {words}"));
            }
            Step::Task(name) => {
                let actor = Actor::task(&self.world, name);
                self.add_task(name, actor);
            }
            Step::Managed(name) => {
                let actor = Actor::managed(&self.world, name);
                self.add_task(name, actor);
            }
            Step::Thread(name) => {
                let actor = Actor::thread(&self.world, name);
                self.add(name, actor);
            }
            Step::Call(name, words, expected) => {
                self.actor(line, name).begin(words);
                self.begun.insert(name.clone(), called(words).to_owned());
                self.ends(line, name, expected);
            }
            Step::Begin(name, words) => {
                self.actor(line, name).begin(words);
                self.begun.insert(name.clone(), called(words).to_owned());
            }
            Step::Waits(name) => {
                let waits = self.actor(line, name).waits();
                self.check(line, waits, format_args!("{name} does not wait"));
            }
            Step::Ends(name, expected) => self.ends(line, name, expected),
            Step::Unblock(name) => self.actor(line, name).unblock(),
            Step::End(name, left) => {
                self.actor(line, name).end();
                self.left = *left;
                let found = self.world.host.figures().frames_left;
                self.check(
                    line,
                    found == *left,
                    format_args!("{found} ended with frames left"),
                );
            }
            Step::OthersRun => {
                self.others_begin();
                self.others_end(line);
            }
            Step::OthersWait => {
                self.others_begin();
                let other = self.waiting.as_ref().expect("it has just begun");
                // Elsewhere there is another slot for it.
                let waits = self.way.slots > 1 || other.waits();
                self.check(line, waits, format_args!("a new task runs"));
            }
            Step::OthersGoOn => self.others_end(line),
            Step::Order(names) => {
                let order = self.world.order.lock().unwrap().clone();
                let last = |name: &String| order.iter().rposition(|other| other == name);
                let at: Vec<_> = names.iter().map(last).collect();
                let determined = self.way.slots == 1 && self.way.mode == TaskMode::Fiber;
                let right = at.iter().all(Option::is_some) && (!determined || at.is_sorted());
                self.check(line, right, format_args!("the order was {order:?}"));
            }
            Step::ProcessEnds(..) => {
                self.check(line, false, format_args!("the process has not ended"));
            }
            Step::Refused(count) => {
                let found = self.world.host.figures().stray_hooks;
                self.check(
                    line,
                    found == *count,
                    format_args!("{found} hooks were refused"),
                );
            }
        }
    }

    fn others_begin(&mut self) {
        let mut other = Actor::task(&self.world, "others");
        other.begin(&["CallNothing".to_owned()]);
        self.waiting = Some(other);
    }

    fn others_end(&mut self, line: usize) {
        let mut other = self.waiting.take().expect("it has begun");
        let ran = other.ends().is_some();
        self.check(line, ran, format_args!("a new task does not run"));
        other.end();
    }

    /// It can be alerted, joined and looked at under its name; the reference that it has itself is the actor's.
    fn add_task(&mut self, name: &str, actor: Actor) {
        let task = actor.host_task().expect("it is one");
        self.add(name, actor);
        let mut objects = self.world.objects.lock().unwrap();
        com!(task, IUnknownVtbl, AddRef);
        let before = objects.insert(name.to_owned(), (crate::call::Kind::Task, task));
        assert!(before.is_none(), "an object has this name: {name}");
    }

    fn add(&mut self, name: &str, actor: Actor) {
        let before = self.actors.insert(name.to_owned(), actor);
        assert!(before.is_none(), "two of one name: {name}");
    }

    fn actor(&mut self, line: usize, name: &str) -> &mut Actor {
        let script = &self.script.name;
        let actor = self.actors.get_mut(name);
        actor.unwrap_or_else(|| panic!("{script}:{line}: nobody is called {name}"))
    }

    fn ends(&mut self, line: usize, name: &str, expected: &Expected) {
        let report = self.actor(line, name).ends();
        self.check(
            line,
            report.is_some(),
            format_args!("the call does not end"),
        );
        let Report {
            answer,
            before,
            after,
        } = report.expect("checked above");
        let call = self.begun.remove(name).expect("it was begun");
        let found = Expected {
            result: if expected.allows(answer.result) {
                expected.result.clone()
            } else {
                format!("{:?}", answer.result)
            },
            value: expected.value.and(answer.value),
            state: expected.state.map(|_| after),
        };
        self.check(
            line,
            found == *expected,
            format_args!("{name} got {found:?}"),
        );
        let call = call.rsplit('.').next().expect("there is a last part");
        self.made.insert(format!("{}/{call}", before.0));
    }

    #[track_caller]
    fn check(&self, line: usize, holds: bool, what: fmt::Arguments<'_>) {
        let (script, way) = (&self.script.name, self.way);
        assert!(holds, "{script}:{line}: {what} ({way:?})");
    }

    fn finish(mut self, runtime: &Runtime) -> Made {
        for actor in self.actors.values_mut() {
            if !actor.has_ended() {
                actor.end();
            }
        }
        let left = self.world.host.figures().frames_left;
        assert_eq!(
            left, self.left,
            "{}: tasks with frames left",
            self.script.name
        );
        let objects = std::mem::take(&mut *self.world.objects.lock().unwrap());
        for (name, (kind, object)) in objects {
            let left = object.release();
            let gone = left == 0 || kind == crate::call::Kind::Task;
            assert!(gone, "{}: {left} references to {name}", self.script.name);
        }
        drop(self.actors);
        if let Some(heap) = self.world.heap.get() {
            heap.let_go();
        }
        self.world.domains.lock().unwrap().clear();
        drop(self.handle.take());
        self.world.tasks.lock().unwrap().clear();
        let world = Arc::into_inner(self.world).expect("all actors have ended");
        let limit = Duration::from_secs(60);
        world
            .host
            .shutdown(limit)
            .expect("nothing is left to wait for");
        runtime.let_go();
        let gate = world.host.gate();
        drop(world.host);
        let until = Instant::now() + limit;
        while gate.objects() > 0 && Instant::now() < until {
            std::thread::yield_now();
        }
        assert_eq!(
            gate.objects(),
            0,
            "{}: objects of the host's",
            self.script.name
        );
        assert_eq!(
            runtime.references_of_others(),
            0,
            "{}: of the runtime's",
            self.script.name
        );
        self.made.extend(slots::end());
        self.made
    }
}
