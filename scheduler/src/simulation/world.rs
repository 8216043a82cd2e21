//! A simulation: its threads, whose turn it is, and its clock.
//!
//! All runs on one thread of the system. Where a thread of a scheduler would block in the kernel, another one has its turn;
//! and at *points* ([`point`](Turns::point)) it may lose its turn. Who is next is a choice of the seed among those
//! that can run, so the seed decides the order of everything.
//!
//! | a thread | can run |
//! |---|---|
//! | is ready: it lost its turn at a point, or has not begun | yes, unless it is held up and another can run |
//! | blocks on a word | when the word has another value, or the time has come |
//! | is over | never |
//!
//! # Time
//!
//! Each choice takes a microsecond. If no thread can run, the clock goes to the next moment at which one can; if there is none
//! either, nothing will ever happen: that is a deadlock, and the thread that began the simulation is told.
//! As a fault the clock also jumps while threads can run: they were slow.
//!
//! # Why it is sound
//!
//! No lock of ours is held at a point, nor where a thread blocks, so no thread that has its turn finds one taken by a thread
//! that has not. Nothing here is shared with another thread of the system but the words on which threads block, which are
//! atomics: a call from outside is seen at the next choice.
//!
//! Room for unsafe code: the switch.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Write;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::choice::{Choices, Mark};
use super::report;
use crate::current::{self, Saved};
use crate::fiber::simulated::Place;
use crate::primitive::simulated::{self, Thread, Turns, Unblocked};
use crate::primitive::{AtomicU32, Instant, Ordering};
use crate::scheduler::Core;
use crate::simulate::Faults;
use crate::task::Task;

/// How long a choice takes.
const STEP_NS: u64 = 1_000;
/// The one that began the simulation.
const OUTERMOST: usize = 0;
/// For how many choices a thread is held up at most.
const HELD_MAX: usize = 64;

/// What a thread waits for.
#[derive(Clone, Copy)]
enum State {
    Ready,
    /// A word that had this value, and a time.
    Blocked {
        word: *const AtomicU32,
        value: u32,
        until: Option<u64>,
    },
    Over,
}

struct Strand {
    place: Box<Place>,
    state: Cell<State>,
    /// What the thread-local holds for it while another has its turn.
    saved: Cell<Saved>,
    /// It lost its turn while it panicked; or what is known since.
    panicking: Cell<bool>,
    /// Not before this choice, if another can run.
    held_until: Cell<u64>,
    /// Its wait was given up.
    given_up: Cell<bool>,
    ended: Arc<AtomicU32>,
}

/// Made once for each thread of the system that simulates, and used again for each of its simulations.
pub(crate) struct World {
    number: Cell<u64>,
    seed: Cell<u64>,
    faults: Cell<Faults>,
    choices: RefCell<Choices>,
    mark: RefCell<Mark>,
    /// A point is a choice once in so many times.
    patience: Cell<u32>,
    began: Instant,
    now: Cell<u64>,
    steps: Cell<u64>,
    switches: Cell<u64>,
    /// On the heap, so that they stay where they are.
    strands: RefCell<Vec<Rc<Strand>>>,
    running: Cell<usize>,
    /// How many have lost their turn while they panicked.
    panicking: Cell<u32>,
    /// Live tasks in the order in which they were spawned, with their numbers in this simulation.
    tasks: RefCell<Vec<(&'static Task, u64)>>,
    spawned: Cell<u64>,
    numbers: RefCell<HashMap<u64, u64>>,
    cores: RefCell<Vec<Weak<Core>>>,
    /// Why a wait was given up, until that is raised.
    verdict: RefCell<Option<String>>,
}

std::thread_local! {
    static WORLD: Cell<Option<&'static World>> = const { Cell::new(None) };
}

impl World {
    /// That of the calling thread of the system, whether it simulates now or not.
    fn mine() -> &'static World {
        if let Some(world) = WORLD.get() {
            return world;
        }
        let world: &'static World = Box::leak(Box::new(World::new()));
        WORLD.set(Some(world));
        world
    }

    fn new() -> World {
        World {
            number: Cell::new(0),
            seed: Cell::new(0),
            faults: Cell::new(Faults::none()),
            choices: RefCell::new(Choices::new(0)),
            mark: RefCell::new(Mark::new()),
            patience: Cell::new(1),
            began: Instant::now(),
            now: Cell::new(0),
            steps: Cell::new(0),
            switches: Cell::new(0),
            strands: RefCell::new(Vec::new()),
            running: Cell::new(OUTERMOST),
            panicking: Cell::new(0),
            tasks: RefCell::new(Vec::new()),
            spawned: Cell::new(0),
            numbers: RefCell::new(HashMap::new()),
            cores: RefCell::new(Vec::new()),
            verdict: RefCell::new(None),
        }
    }

    /// The simulation in which the caller is.
    pub(crate) fn here() -> Option<&'static World> {
        simulated::here()?;
        WORLD.get()
    }

    /// The same, if it is the one with this number.
    pub(crate) fn of(number: u64) -> Option<&'static World> {
        World::here().filter(|world| world.number.get() == number)
    }

    /// The calling thread of the system is in a simulation from now on, until the last of its threads has ended.
    /// One more scheduler with the same seed is in the same simulation.
    pub(crate) fn enter(seed: u64, faults: Faults) -> io::Result<&'static World> {
        static NUMBERS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        if let Some(world) = World::here() {
            world.leave_if_over();
        }
        if let Some(world) = World::here() {
            if world.seed.get() == seed {
                return Ok(world);
            }
            let text = format!(
                "this thread simulates with seed {} already, and that has not ended",
                world.seed.get()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let world = World::mine();
        world.number.set(NUMBERS.fetch_add(1, Ordering::Relaxed));
        world.begin(seed, faults);
        simulated::set(Some(world));
        Ok(world)
    }

    fn begin(&self, seed: u64, faults: Faults) {
        let choices = Choices::new(seed);
        // Some seeds change the turn at each point, others rarely: each finds what the other does not.
        self.patience.set(match faults.point_once_in {
            Some(times) => times,
            None => [1, 2, 4, 16][choices.one_of(4)],
        });
        *self.choices.borrow_mut() = choices;
        *self.mark.borrow_mut() = Mark::new();
        self.seed.set(seed);
        self.faults.set(faults);
        self.now.set(0);
        self.steps.set(0);
        self.switches.set(0);
        self.running.set(OUTERMOST);
        self.panicking.set(0);
        self.spawned.set(0);
        self.tasks.borrow_mut().clear();
        self.numbers.borrow_mut().clear();
        self.cores.borrow_mut().clear();
        *self.verdict.borrow_mut() = None;
        let outermost = Rc::new(Strand::new(Place::outermost()));
        *self.strands.borrow_mut() = vec![outermost];
    }

    /// A scheduler is part of this.
    pub(crate) fn add(&self, core: &Arc<Core>) {
        self.cores.borrow_mut().push(Arc::downgrade(core));
    }

    /// Gives the threads that are left time to end. Whether they have.
    pub(crate) fn wait_for_end(&self) -> bool {
        const PATIENCE: Duration = Duration::from_secs(60);
        let until = self.now() + PATIENCE;
        while simulated::here().is_some() && self.now() < until {
            self.pass(PATIENCE / 1_000);
            self.leave_if_over();
        }
        simulated::here().is_none()
    }

    /// A scheduler's threads have ended. If they were the last ones, so has the simulation.
    pub(crate) fn leave_if_over(&self) {
        let over = self.running.get() == OUTERMOST
            && self.strands.borrow()[1..]
                .iter()
                .all(|strand| matches!(strand.state.get(), State::Over));
        if over {
            simulated::set(None);
            self.strands.borrow_mut().clear();
        }
    }

    /// How many choices the last simulation of this thread has made, and its mark.
    pub(super) fn last() -> (u64, u64) {
        let world = World::mine();
        (world.steps(), world.mark())
    }

    pub(super) fn cores(&self) -> Vec<Arc<Core>> {
        self.cores
            .borrow()
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }

    /// A task's number in this simulation.
    pub(super) fn task_number(&self, id: u64) -> Option<u64> {
        self.numbers.borrow().get(&id).copied()
    }

    /// A task was spawned.
    pub(crate) fn note_spawn(&self, task: &'static Task) {
        let number = self.spawned.get() + 1;
        self.spawned.set(number);
        self.tasks.borrow_mut().push((task, number));
        self.numbers.borrow_mut().insert(task.id.get(), number);
    }

    /// A task has ended.
    pub(crate) fn note_end(&self, task: &'static Task) {
        let mut tasks = self.tasks.borrow_mut();
        if let Some(at) = tasks.iter().position(|(it, _)| std::ptr::eq(*it, task)) {
            tasks.remove(at);
        }
    }

    /// The live tasks in the order in which they were spawned.
    pub(crate) fn tasks(&self) -> Vec<&'static Task> {
        self.tasks.borrow().iter().map(|(task, _)| *task).collect()
    }

    /// A worker is about to run a task.
    pub(crate) fn before_resume(&self, task: &Task) {
        let number = self.task_number(task.id.get()).unwrap_or(0);
        self.mark.borrow().add(number);
        self.point();
    }

    /// What is known of the calling thread while others panic (`panicking`).
    pub(crate) fn note_panicking(&self, panicking: bool) {
        self.strand(|strand| strand.panicking.set(panicking));
    }

    /// The calling thread does not panic. If it seems to, a task does that was suspended meanwhile.
    pub(crate) fn note_calm(&self) {
        if self.panicking.get() == 0 && std::thread::panicking() {
            self.panicking.set(1);
        }
    }

    /// As a fault: a task that is next goes to the end of its queue.
    pub(crate) fn puts_off(&self) -> bool {
        let times = self.faults.get().put_off_once_in;
        self.choices.borrow().once_in(times)
    }

    /// As a fault: a spawn is refused.
    pub(crate) fn refuses_spawn(&self) -> bool {
        let times = self.faults.get().refuse_spawn_once_in;
        self.choices.borrow().once_in(times)
    }

    /// Whether the quantum of the running task is taken for over.
    pub(crate) fn ends_quantum(&self) -> bool {
        self.choices.borrow().once_in(4)
    }
}

impl Strand {
    fn new(place: Box<Place>) -> Strand {
        Strand {
            place,
            state: Cell::new(State::Ready),
            saved: Cell::new(Saved::NEW),
            panicking: Cell::new(false),
            held_until: Cell::new(0),
            given_up: Cell::new(false),
            ended: Arc::new(AtomicU32::new(0)),
        }
    }

    fn can_run(&self, now: u64) -> bool {
        match self.state.get() {
            State::Ready => true,
            State::Blocked { word, value, until } => {
                // SAFETY: the thread blocks in `block`, whose caller has lent the word until it returns.
                let word = unsafe { &*word };
                // Acquire: what was done before the change is visible to the thread; also if another thread of the system did it.
                word.load(Ordering::Acquire) != value
                    || until.is_some_and(|until| until <= now)
                    || self.given_up.get()
            }
            State::Over => false,
        }
    }

    fn until(&self) -> Option<u64> {
        match self.state.get() {
            State::Blocked { until, .. } => until,
            State::Ready | State::Over => None,
        }
    }
}

/// Whose turn it is.
impl World {
    /// The next turn is somebody's: mostly another's.
    fn give_turn(&self) {
        let next = self.choose();
        let mine = self.running.get();
        self.mark.borrow().add(next as u64 ^ self.now.get());
        if next != mine {
            self.switch(mine, next);
        }
    }

    fn choose(&self) -> usize {
        self.steps.set(self.steps.get() + 1);
        self.now.set(self.now.get() + STEP_NS);
        self.be_unfair();
        loop {
            if let Some(next) = self.choose_now() {
                return next;
            }
            let strands = self.strands.borrow();
            let Some(at) = strands.iter().filter_map(|strand| strand.until()).min() else {
                drop(strands);
                self.give_up();
                continue;
            };
            self.now.set(at.max(self.now.get()));
        }
    }

    fn choose_now(&self) -> Option<usize> {
        let strands = self.strands.borrow();
        let (now, step) = (self.now.get(), self.steps.get());
        let able = |strand: &Strand| strand.can_run(now);
        let free = |strand: &Strand| able(strand) && strand.held_until.get() <= step;
        let count = strands.iter().filter(|strand| free(strand)).count();
        if count > 0 {
            let chosen = self.choices.borrow().one_of(count);
            let mut free = strands.iter().enumerate().filter(|(_, it)| free(it));
            return free.nth(chosen).map(|(index, _)| index);
        }
        strands.iter().position(|strand| able(strand))
    }

    /// Faults of time and order.
    fn be_unfair(&self) {
        let faults = self.faults.get();
        let choices = self.choices.borrow();
        if choices.once_in(faults.jump_once_in) {
            let most = u64::try_from(faults.jump_max.as_nanos()).unwrap_or(u64::MAX / 2);
            self.now
                .set(self.now.get().saturating_add(choices.length(most)));
        }
        if choices.once_in(faults.hold_once_in) {
            let strands = self.strands.borrow();
            let held = &strands[choices.one_of(strands.len())];
            let long = choices.one_of(HELD_MAX) as u64;
            held.held_until.set(self.steps.get() + long);
        }
    }

    fn switch(&self, from: usize, to: usize) {
        let (mine, other): (*const Strand, *const Strand) = {
            let strands = self.strands.borrow();
            (&raw const *strands[from], &raw const *strands[to])
        };
        // SAFETY: strands stay where they are, and are dropped only when all but the outermost are over, and that one has its turn.
        let (mine, other) = unsafe { (&*mine, &*other) };
        self.switches.set(self.switches.get() + 1);
        let panicking = self.panicking();
        if panicking {
            self.panicking.set(self.panicking.get() + 1);
        }
        mine.panicking.set(panicking);
        mine.saved.set(current::exchange(other.saved.get()));
        self.running.set(to);
        // SAFETY: `other` can run, so it is neither running nor over; both stay where they are (above).
        unsafe { mine.place.switch_to(&other.place) };
        // Whoever switched back has put what is ours into place.
        if panicking {
            self.panicking.set(self.panicking.get().saturating_sub(1));
        }
    }

    fn strand<R>(&self, look: impl FnOnce(&Strand) -> R) -> R {
        look(&self.strands.borrow()[self.running.get()])
    }

    /// Nobody can run, and nobody will.
    #[cold]
    fn give_up(&self) {
        let text = report::deadlock(self);
        let before = self.verdict.borrow_mut().replace(text.clone());
        let strands = self.strands.borrow();
        let outermost = &strands[OUTERMOST];
        if before.is_some() || self.panicking.get() > 0 {
            // It was told, and waits again; or it panics already.
            eprintln!("fiberhost: {text}");
            std::process::abort();
        }
        outermost.given_up.set(true);
    }

    /// The end of a thread that is not the outermost.
    fn finish() -> ! {
        let world = World::here().expect("a simulated thread is in its simulation");
        current::end_plain();
        world.strand(|strand| {
            strand.state.set(State::Over);
            strand.ended.store(1, Ordering::Release);
        });
        world.give_turn();
        unreachable!("a thread that is over has no turn")
    }
}

impl Turns for World {
    fn number(&self) -> u64 {
        self.number.get()
    }

    fn now(&self) -> Instant {
        self.began + Duration::from_nanos(self.now.get())
    }

    fn nanos(&self) -> u64 {
        self.now.get()
    }

    fn block(&self, word: &AtomicU32, value: u32, until: Option<Instant>) -> Unblocked {
        let until = until.map(|at| {
            let after = at.saturating_duration_since(self.began);
            u64::try_from(after.as_nanos()).unwrap_or(u64::MAX)
        });
        self.strand(|strand| {
            strand.state.set(State::Blocked {
                word: std::ptr::from_ref(word),
                value,
                until,
            });
        });
        self.give_turn();
        self.strand(|strand| {
            strand.state.set(State::Ready);
            if strand.given_up.take() {
                Unblocked::GiveUp
            } else {
                Unblocked::Look
            }
        })
    }

    fn point(&self) {
        if self.choices.borrow().once_in(self.patience.get()) {
            self.give_turn();
        }
    }

    fn give_way(&self) {
        let step = self.steps.get();
        self.strand(|strand| strand.held_until.set(step + 2));
        self.give_turn();
    }

    fn panicking(&self) -> bool {
        if self.panicking.get() == 0 {
            std::thread::panicking()
        } else {
            // The system's count is that of all. Not known is only a panic of the program's that began since the last turn: it is
            // taken for none, and its waits suspend the task, which does no harm where all threads are one.
            self.strand(|strand| strand.panicking.get())
        }
    }

    fn raise_verdict(&self) {
        if self.running.get() != OUTERMOST || self.panicking() {
            return;
        }
        let verdict = self.verdict.borrow_mut().take();
        if let Some(text) = verdict {
            panic!("{text}");
        }
    }

    fn is_outermost(&self) -> bool {
        self.running.get() == OUTERMOST
    }

    fn running(&self) -> usize {
        self.running.get()
    }

    fn start(&self, stack: usize, life: Box<dyn FnOnce()>) -> io::Result<Thread> {
        let place = Place::new(stack, life, World::finish)?;
        let strand = Rc::new(Strand::new(place));
        let ended = Arc::clone(&strand.ended);
        let mut strands = self.strands.borrow_mut();
        // Whoever is over is off its stack, and its place is for the next one; whoever waits for its end has the word.
        let free = strands
            .iter()
            .position(|strand| matches!(strand.state.get(), State::Over));
        let index = match free {
            Some(index) => {
                strands[index] = strand;
                index
            }
            None => {
                strands.push(strand);
                strands.len() - 1
            }
        };
        Ok(Thread { ended, index })
    }

    fn pass(&self, time: Duration) {
        let never = AtomicU32::new(0);
        let until = self.now() + time;
        while self.now() < until {
            // Only the time ends it.
            let _ = self.block(&never, 0, Some(until));
        }
    }

    fn steps(&self) -> u64 {
        self.steps.get()
    }

    fn mark(&self) -> u64 {
        self.mark.borrow().get()
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        let _ = write!(
            text,
            "simulation with seed {}, after {} steps and {:?} of its time",
            self.seed.get(),
            self.steps.get(),
            Duration::from_nanos(self.now.get())
        );
        text
    }
}
