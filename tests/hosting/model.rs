//! What one caller can do alone, on a plain model that knows nothing of the code, and on a host: every result, and all that can
//! be seen from outside, is compared after every call. Whoever plays brings the choices.
//!
//! The model is written from the table of the reference. It keeps the stack of a task as letters.
#![allow(
    dead_code,
    reason = "the fuzz target does not ask for everything to be visited"
)]

use std::collections::BTreeMap;

use fiberhost::State;
use fiberhost::com::{Guid, Hresult};

use crate::hosting::{Bench, Object, given, release_all};

/// After so many calls all is ended, so that all depths are seen.
const ROUND: u32 = 40;
/// How many frames a task may have before a push is refused, unless it is a leave from unmanaged code.
const DEPTH: usize = 4096;
/// No flag of a wait.
const NO_OPTION: u32 = 8;
/// Frames are pushed until there is no room after so many calls, and then each time after so many.
const FILL_FIRST: u32 = 1_000;
const FILL_EVERY: u32 = 40_000;
/// One choice in so many is rare.
const RARE: usize = 64;
const ALERTABLE: u32 = 2;

/// What one caller can do alone, without waiting for anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Leave,
    Enter,
    ReverseEnter,
    ReverseLeave,
    BeginAffinity,
    EndAffinity,
    BeginDelay,
    EndDelay,
    Alert,
    SleepAlertable,
    CrstEnter,
    CrstTryEnter,
    CrstLeave,
    AutoSet,
    AutoWait,
    AutoWaitAlertable,
    ManualSet,
    ManualReset,
    ManualWait,
    SemaphoreWait,
    SemaphoreRelease(i32),
    SetPriority(i32),
    JoinSelf,
    SetLocale(u32),
    NeedsHook,
    /// A wait with a flag that there is not.
    BadWait,
    /// No place for the result.
    NoPlace,
    /// An interface that the object does not have.
    QueryOther,
}
use Call::*;

/// Pushes come a little more often than pops, so that stacks get deep.
pub(crate) const MENU: [Call; 36] = [
    Leave,
    Leave,
    ReverseEnter,
    ReverseEnter,
    Enter,
    ReverseLeave,
    Enter,
    ReverseLeave,
    BeginAffinity,
    EndAffinity,
    BeginDelay,
    EndDelay,
    Alert,
    SleepAlertable,
    CrstEnter,
    CrstTryEnter,
    CrstLeave,
    CrstLeave,
    AutoSet,
    AutoWait,
    AutoWaitAlertable,
    ManualSet,
    ManualReset,
    ManualWait,
    SemaphoreWait,
    SemaphoreRelease(1),
    SemaphoreRelease(2),
    SemaphoreRelease(0),
    SetPriority(-20),
    JoinSelf,
    SetLocale(0x0409),
    SetLocale(0x0407),
    NeedsHook,
    BadWait,
    NoPlace,
    QueryOther,
];

/// The caller's part of the world, by the table of the reference.
#[derive(Debug, Default)]
struct Model {
    /// Whether the caller is a task.
    task: bool,
    /// `L` and `R`, bottom first.
    stack: Vec<char>,
    affinity: u32,
    delay: bool,
    alert: bool,
    section: u32,
    auto: bool,
    manual: bool,
    permits: i32,
    priority: i32,
    locale: u32,
}

const MOST_PERMITS: i32 = 3;

impl Model {
    fn state(&self) -> (State, u64) {
        let state = match self.stack.last() {
            None => State::Base,
            Some('L') => State::Native,
            Some(_) => State::Managed,
        };
        (state, self.stack.len() as u64)
    }

    fn push(&mut self, frame: char) -> Hresult {
        let counted_only = frame == 'L' && self.stack.last() == Some(&'L');
        if self.stack.len() >= DEPTH && !counted_only {
            return Hresult::E_OUTOFMEMORY;
        }
        self.stack.push(frame);
        Hresult::S_OK
    }

    fn pop(&mut self, frame: char) -> Hresult {
        if self.stack.last() != Some(&frame) {
            return Hresult::E_UNEXPECTED;
        }
        self.stack.pop();
        Hresult::S_OK
    }

    /// A wait for at most a moment; `taken` is whether what is waited for was there.
    fn wait(&mut self, taken: bool, alertable: bool) -> Hresult {
        match (taken, alertable && self.alert) {
            (true, _) => Hresult::S_OK,
            (false, true) => {
                self.alert = false;
                Hresult::HOST_E_INTERRUPTED
            }
            (false, false) => Hresult::HOST_E_TIMEOUT,
        }
    }

    fn call(&mut self, call: Call) -> Hresult {
        let when = |so: bool, otherwise| if so { Hresult::S_OK } else { otherwise };
        match call {
            Leave | Enter | ReverseEnter | ReverseLeave | BeginDelay | EndDelay if !self.task => {
                Hresult::HOST_E_INVALIDOPERATION
            }
            Leave => self.push('L'),
            ReverseEnter => self.push('R'),
            Enter => self.pop('L'),
            ReverseLeave => self.pop('R'),
            BeginAffinity => {
                self.affinity += 1;
                Hresult::S_OK
            }
            EndAffinity => {
                let counted = self.affinity > 0;
                self.affinity -= u32::from(counted);
                when(counted, Hresult::E_UNEXPECTED)
            }
            BeginDelay => when(
                !std::mem::replace(&mut self.delay, true),
                Hresult::E_UNEXPECTED,
            ),
            EndDelay => when(std::mem::take(&mut self.delay), Hresult::E_UNEXPECTED),
            Alert => {
                self.alert = self.task;
                Hresult::S_OK
            }
            SleepAlertable => match self.wait(false, true) {
                // The time being over is no error of a sleep.
                Hresult::HOST_E_TIMEOUT => Hresult::S_OK,
                other => other,
            },
            JoinSelf => self.wait(false, false),
            CrstEnter | CrstTryEnter => {
                self.section += 1;
                Hresult::S_OK
            }
            CrstLeave => {
                let mine = self.section > 0;
                self.section -= u32::from(mine);
                when(mine, Hresult::HOST_E_NOT_OWNER)
            }
            AutoSet => {
                self.auto = true;
                Hresult::S_OK
            }
            AutoWait | AutoWaitAlertable => {
                let taken = std::mem::take(&mut self.auto);
                self.wait(taken, call == AutoWaitAlertable)
            }
            ManualSet | ManualReset => {
                self.manual = call == ManualSet;
                Hresult::S_OK
            }
            ManualWait => self.wait(self.manual, false),
            SemaphoreWait => {
                let taken = self.permits > 0;
                self.permits -= i32::from(taken);
                self.wait(taken, false)
            }
            SemaphoreRelease(count) => {
                let right = count > 0 && self.permits + count <= MOST_PERMITS;
                self.permits += if right { count } else { 0 };
                when(right, Hresult::E_INVALIDARG)
            }
            SetPriority(priority) => {
                self.priority = priority.max(-15);
                Hresult::S_OK
            }
            SetLocale(locale) => {
                self.locale = if self.task { locale } else { 0 };
                when(self.task, Hresult::E_NOTIMPL)
            }
            NeedsHook => Hresult::S_OK,
            BadWait => Hresult::E_INVALIDARG,
            NoPlace => Hresult::E_POINTER,
            QueryOther => Hresult::E_NOINTERFACE,
        }
    }
}

/// The same on the host.
struct Real<'a> {
    bench: &'a Bench,
    /// The caller's task, or one that is never started where the caller is none.
    task: Object,
    section: Object,
    auto: Object,
    manual: Object,
    semaphore: Object,
}

impl<'a> Real<'a> {
    fn new(bench: &'a Bench, is_task: bool) -> Real<'a> {
        let sync = bench.sync;
        Real {
            bench,
            task: if is_task {
                given(|out| com!(bench.tasks, IHostTaskManagerVtbl, GetCurrentTask, out))
            } else {
                bench.create(|| unreachable!("it is never started"))
            },
            section: given(|out| com!(sync, IHostSyncManagerVtbl, CreateCrst, out)),
            auto: given(|out| com!(sync, IHostSyncManagerVtbl, CreateAutoEvent, out)),
            manual: given(|out| com!(sync, IHostSyncManagerVtbl, CreateManualEvent, 0, out)),
            semaphore: given(|out| {
                com!(
                    sync,
                    IHostSyncManagerVtbl,
                    CreateSemaphore,
                    0,
                    MOST_PERMITS as u32,
                    out
                )
            }),
        }
    }

    fn release(&self) {
        release_all([
            self.task,
            self.section,
            self.auto,
            self.manual,
            self.semaphore,
        ]);
    }

    fn call(&self, call: Call, moment: u32) -> Hresult {
        let (manager, nobody) = (self.bench.tasks, std::ptr::null_mut());
        match call {
            Leave => com!(manager, IHostTaskManagerVtbl, LeaveRuntime, 7),
            Enter => com!(manager, IHostTaskManagerVtbl, EnterRuntime),
            ReverseEnter => com!(manager, IHostTaskManagerVtbl, ReverseEnterRuntime),
            ReverseLeave => com!(manager, IHostTaskManagerVtbl, ReverseLeaveRuntime),
            BeginAffinity => com!(manager, IHostTaskManagerVtbl, BeginThreadAffinity),
            EndAffinity => com!(manager, IHostTaskManagerVtbl, EndThreadAffinity),
            BeginDelay => com!(manager, IHostTaskManagerVtbl, BeginDelayAbort),
            EndDelay => com!(manager, IHostTaskManagerVtbl, EndDelayAbort),
            Alert => com!(self.task, IHostTaskVtbl, Alert),
            SleepAlertable => com!(manager, IHostTaskManagerVtbl, Sleep, 1, ALERTABLE),
            CrstEnter => com!(self.section, IHostCrstVtbl, Enter, 4),
            CrstTryEnter => {
                let mut entered = 0;
                let answer = com!(self.section, IHostCrstVtbl, TryEnter, 0, &raw mut entered);
                assert_eq!(entered, 1, "nobody else wants it");
                answer
            }
            CrstLeave => com!(self.section, IHostCrstVtbl, Leave),
            AutoSet => com!(self.auto, IHostAutoEventVtbl, Set),
            AutoWait => com!(self.auto, IHostAutoEventVtbl, Wait, moment, 0),
            AutoWaitAlertable => com!(self.auto, IHostAutoEventVtbl, Wait, 1, ALERTABLE),
            ManualSet => com!(self.manual, IHostManualEventVtbl, Set),
            ManualReset => com!(self.manual, IHostManualEventVtbl, Reset),
            ManualWait => com!(self.manual, IHostManualEventVtbl, Wait, moment, 0),
            SemaphoreWait => com!(self.semaphore, IHostSemaphoreVtbl, Wait, moment, 0),
            SemaphoreRelease(count) => com!(
                self.semaphore,
                IHostSemaphoreVtbl,
                ReleaseSemaphore,
                count,
                nobody
            ),
            SetPriority(priority) => com!(self.task, IHostTaskVtbl, SetPriority, priority),
            JoinSelf => com!(self.task, IHostTaskVtbl, Join, moment, 0),
            SetLocale(locale) => com!(manager, IHostTaskManagerVtbl, SetLocale, locale),
            NeedsHook => {
                let mut needs = 0;
                let place = &raw mut needs;
                let answer = com!(manager, IHostTaskManagerVtbl, CallNeedsHostHook, 7, place);
                assert_eq!(needs, 1, "the policy is that all calls are announced");
                answer
            }
            BadWait => com!(self.auto, IHostAutoEventVtbl, Wait, 0, NO_OPTION),
            NoPlace => com!(
                self.bench.sync,
                IHostSyncManagerVtbl,
                CreateCrst,
                std::ptr::null_mut()
            ),
            QueryOther => {
                let (other, mut found) = (Guid::from_u128(1), self.auto.get());
                let (iid, place) = (&raw const other, &raw mut found);
                let answer = com!(self.auto, IUnknownVtbl, QueryInterface, iid, place);
                assert!(found.is_null(), "a result is cleared");
                answer
            }
        }
    }

    fn priority(&self) -> i32 {
        let mut priority = i32::MIN;
        assert_eq!(
            com!(self.task, IHostTaskVtbl, GetPriority, &raw mut priority),
            Hresult::S_OK
        );
        priority
    }
}

/// What was seen: each call with its result, and each edge of the table.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    calls: BTreeMap<(Call, u32), u64>,
    edges: BTreeMap<(char, Call, u32, char), u64>,
}

/// The table of the reference, without what becomes of a push that finds no room: state, hook, result, next state.
/// `B` is base, `N` native, `M` managed.
const EDGES: [(char, Call, Hresult, char); 16] = [
    ('B', Leave, Hresult::S_OK, 'N'),
    ('B', Enter, Hresult::E_UNEXPECTED, 'B'),
    ('B', ReverseEnter, Hresult::S_OK, 'M'),
    ('B', ReverseLeave, Hresult::E_UNEXPECTED, 'B'),
    ('N', Leave, Hresult::S_OK, 'N'),
    ('N', Enter, Hresult::S_OK, 'B'),
    ('N', Enter, Hresult::S_OK, 'M'),
    ('N', Enter, Hresult::S_OK, 'N'),
    ('N', ReverseEnter, Hresult::S_OK, 'M'),
    ('N', ReverseLeave, Hresult::E_UNEXPECTED, 'N'),
    ('M', Leave, Hresult::S_OK, 'N'),
    ('M', Enter, Hresult::E_UNEXPECTED, 'M'),
    ('M', ReverseEnter, Hresult::S_OK, 'M'),
    ('M', ReverseLeave, Hresult::S_OK, 'B'),
    ('M', ReverseLeave, Hresult::S_OK, 'N'),
    ('M', ReverseLeave, Hresult::S_OK, 'M'),
];
/// What tasks and threads see; each has two more of its own.
const COMMON_RESULTS: [Hresult; 7] = [
    Hresult::S_OK,
    Hresult::E_NOINTERFACE,
    Hresult::E_POINTER,
    Hresult::E_UNEXPECTED,
    Hresult::E_INVALIDARG,
    Hresult::HOST_E_TIMEOUT,
    Hresult::HOST_E_NOT_OWNER,
];
/// Without room for a frame.
const FULL: [(char, Call, Hresult, char); 3] = [
    ('N', ReverseEnter, Hresult::E_OUTOFMEMORY, 'N'),
    ('M', Leave, Hresult::E_OUTOFMEMORY, 'M'),
    ('M', ReverseEnter, Hresult::E_OUTOFMEMORY, 'M'),
];

fn letter(model: &Model) -> char {
    match (model.task, model.state().0) {
        (false, _) => 'U',
        (true, State::Base) => 'B',
        (true, State::Native) => 'N',
        (true, State::Managed) => 'M',
    }
}

impl Tally {
    pub(crate) fn total(&self) -> u64 {
        self.calls.values().sum()
    }

    pub(crate) fn add(&mut self, other: Tally) {
        for (what, count) in other.calls {
            *self.calls.entry(what).or_default() += count;
        }
        for (edge, count) in other.edges {
            *self.edges.entry(edge).or_default() += count;
        }
    }

    fn results(&self) -> BTreeMap<u32, u64> {
        let mut results = BTreeMap::new();
        for ((_, answer), count) in &self.calls {
            *results.entry(*answer).or_default() += count;
        }
        results
    }

    pub(crate) fn successes(&self) -> u64 {
        let results = self.results().into_iter();
        results
            .filter(|(answer, _)| Hresult::from_bits(*answer).is_success())
            .map(|(_, count)| count)
            .sum()
    }

    pub(crate) fn report(&self) {
        println!(
            "{} calls, {} succeeded; by result:",
            self.total(),
            self.successes()
        );
        for (answer, count) in self.results() {
            println!("  {:?}: {count}", Hresult::from_bits(answer));
        }
        println!("edges:");
        for ((before, hook, answer, after), count) in &self.edges {
            let answer = Hresult::from_bits(*answer);
            println!("  {before} {hook:?} {after}, {answer:?}: {count}");
        }
    }

    /// That everything was visited: each call, most results, and for a task each edge.
    pub(crate) fn check(&self, is_task: bool) {
        assert!(
            self.successes() * 5 >= self.total(),
            "at least a fifth succeed"
        );
        for call in MENU {
            let tried = self.calls.keys().any(|(tried, _)| *tried == call);
            assert!(tried, "{call:?} was never tried");
        }
        let results = self.results();
        let own = if is_task {
            [Hresult::HOST_E_INTERRUPTED, Hresult::E_OUTOFMEMORY]
        } else {
            [Hresult::HOST_E_INVALIDOPERATION, Hresult::E_NOTIMPL]
        };
        for result in own.into_iter().chain(COMMON_RESULTS) {
            assert!(results.contains_key(&result.bits()), "never {result:?}");
        }
        let known = COMMON_RESULTS.len() + own.len();
        assert_eq!(results.len(), known, "and no other: {results:?}");
        if is_task {
            for (before, hook, answer, after) in EDGES.into_iter().chain(FULL) {
                let seen = self
                    .edges
                    .contains_key(&(before, hook, answer.bits(), after));
                assert!(seen, "{before} {hook:?} {after}, {answer:?} was never seen");
            }
            let known = EDGES.len() + FULL.len();
            assert_eq!(self.edges.len(), known, "and no other: {:?}", self.edges);
        }
    }
}

/// One caller on model and host.
struct Game<'a> {
    real: Real<'a>,
    model: Model,
    tally: Tally,
    played: u64,
    /// What names this game in a failure.
    name: &'a str,
}

impl Game<'_> {
    /// The same call on both, and everything compared.
    fn call(&mut self, call: Call, moment: u32) {
        self.played += 1;
        let before = letter(&self.model);
        let expected = self.model.call(call);
        let answer = self.real.call(call, moment);
        let (model, real, name) = (&self.model, &self.real, self.name);
        assert_eq!(answer, expected, "{call:?}, {name}: {model:?}");
        let task = real.bench.host.current_task();
        let seen = task.map(|task| (task.transition(), task.locales().0));
        let known = model.task.then(|| (model.state(), model.locale));
        assert_eq!(seen, known, "{call:?}, {name}");
        assert_eq!(real.priority(), model.priority, "{call:?}, {name}");
        let hook = matches!(call, Leave | Enter | ReverseEnter | ReverseLeave);
        if hook && model.task {
            let edge = (before, call, answer.bits(), letter(model));
            *self.tally.edges.entry(edge).or_default() += 1;
        }
        *self.tally.calls.entry((call, answer.bits())).or_default() += 1;
    }

    /// Frames until there is no room, and one more of each kind, in unmanaged code and in managed code.
    fn fill(&mut self) {
        while self.model.task && self.model.stack.len() < DEPTH - 1 {
            self.call(ReverseEnter, 0);
        }
        for call in [Leave, ReverseEnter, Leave, Enter, Enter] {
            self.call(call, 0);
        }
        for call in [ReverseEnter, ReverseEnter, Leave] {
            self.call(call, 0);
        }
    }

    /// Ends everything that is open, and one more.
    fn end_all(&mut self) {
        while let Some(frame) = self.model.stack.last() {
            let end = if *frame == 'L' { Enter } else { ReverseLeave };
            self.call(end, 0);
        }
        for _ in 0..=self.model.affinity {
            self.call(EndAffinity, 0);
        }
        for _ in 0..=self.model.section {
            self.call(CrstLeave, 0);
        }
    }
}

/// Plays so many calls, or until there is no choice left: a choice is a number below the one that is given.
pub(crate) fn play(
    bench: &Bench,
    is_task: bool,
    calls: u64,
    name: &str,
    choose: &mut dyn FnMut(usize) -> Option<usize>,
) -> Tally {
    let model = Model {
        task: is_task,
        ..Model::default()
    };
    let mut game = Game {
        real: Real::new(bench, is_task),
        model,
        tally: Tally::default(),
        played: 0,
        name,
    };
    let mut number = 0_u32;
    while game.played < calls {
        number = number.wrapping_add(1);
        if number.is_multiple_of(ROUND) {
            game.end_all();
        }
        if number % FILL_EVERY == FILL_FIRST {
            game.fill();
        }
        // Few calls really wait; most of those that could only look.
        let (Some(which), Some(rare)) = (choose(MENU.len()), choose(RARE)) else {
            break;
        };
        match (MENU[which], rare) {
            (SleepAlertable | AutoWaitAlertable, rare) if !game.model.alert && rare != 0 => {}
            (call, rare) => game.call(call, u32::from(rare == 0)),
        }
    }
    game.end_all();
    game.real.release();
    game.tally
}
