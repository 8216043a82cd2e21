//! Random sequences of calls, each compared with a plain model that knows nothing of the code: results, and all that can be
//! seen from outside. A failure names its seed: `FIBERHOST_SEED=… cargo test --test hosting_model` plays it again.

mod common;
#[macro_use]
mod hosting;

use std::collections::BTreeMap;

use fiberhost::com::Hresult;
use fiberhost::{State, TaskMode};
use hosting::{Bench, Object, builder, given, with};

const CALLS: u32 = 40_000;
/// After so many all is ended, so that all depths are seen.
const ROUND: u32 = 40;
const ALERTABLE: u32 = 2;

/// What one caller can do alone, without waiting for anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
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
}
use Call::*;

/// Pushes come a little more often than pops, so that stacks get deep.
const MENU: [Call; 30] = [
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
            Leave => {
                self.stack.push('L');
                Hresult::S_OK
            }
            ReverseEnter => {
                self.stack.push('R');
                Hresult::S_OK
            }
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
        hosting::release_all([
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

/// xorshift: any sequence does that is the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

type Tally = BTreeMap<(Call, u32), u32>;

fn play(bench: &Bench, is_task: bool, seed: u64) -> Tally {
    let mut random = Random(seed);
    let real = Real::new(bench, is_task);
    let mut model = Model {
        task: is_task,
        ..Model::default()
    };
    let mut tally = Tally::new();
    for number in 0..CALLS {
        if number % ROUND == 0 {
            end_all(&real, &mut model, seed);
        }
        let call = MENU[random.below(MENU.len())];
        // Few calls really wait; most of those that could only look.
        let waits = random.below(64) == 0;
        if matches!(call, SleepAlertable | AutoWaitAlertable) && !model.alert && !waits {
            continue;
        }
        let expected = model.call(call);
        let answer = real.call(call, u32::from(waits));
        assert_eq!(
            answer, expected,
            "call {number}, {call:?}, seed {seed}: {model:?}"
        );
        let seen = bench.host.current_task().map(|task| task.transition());
        assert_eq!(
            seen,
            is_task.then(|| model.state()),
            "call {number}, {call:?}, seed {seed}"
        );
        assert_eq!(
            real.priority(),
            model.priority,
            "call {number}, {call:?}, seed {seed}"
        );
        *tally.entry((call, answer.bits())).or_default() += 1;
    }
    end_all(&real, &mut model, seed);
    real.release();
    tally
}

/// Ends everything that is open.
fn end_all(real: &Real<'_>, model: &mut Model, seed: u64) {
    while let Some(frame) = model.stack.last() {
        let end = if *frame == 'L' { Enter } else { ReverseLeave };
        assert_eq!(real.call(end, 0), model.call(end), "seed {seed}");
    }
    for (end, count) in [
        (EndAffinity, &mut model.affinity),
        (CrstLeave, &mut model.section),
    ] {
        for _ in 0..std::mem::take(count) {
            assert_eq!(real.call(end, 0), Hresult::S_OK, "seed {seed}");
        }
        let beyond = real.call(end, 0);
        assert!(
            !beyond.is_success(),
            "{end:?} beyond its begin, seed {seed}"
        );
    }
}

/// Each call has succeeded and, where it can, been refused.
fn check(tally: &Tally, is_task: bool) {
    let total: u32 = tally.values().sum();
    let successes: u32 = tally
        .iter()
        .filter(|((_, answer), _)| Hresult::from_bits(*answer).is_success())
        .map(|(_, count)| count)
        .sum();
    println!("{total} calls, {successes} succeeded; by result:");
    let mut results = BTreeMap::new();
    for ((_, answer), count) in tally {
        *results.entry(*answer).or_insert(0) += count;
    }
    for (answer, count) in &results {
        println!("  {:?}: {count}", Hresult::from_bits(*answer));
    }
    assert!(successes * 5 >= total, "at least a fifth succeed");
    if is_task {
        for call in MENU {
            let tried = tally.keys().any(|(tried, _)| *tried == call);
            assert!(tried, "{call:?} was never tried");
        }
        assert!(results.len() >= 6, "most results were seen: {results:?}");
    }
}

#[test]
fn random_calls_do_what_the_model_says() {
    let seed = std::env::var("FIBERHOST_SEED").map_or_else(
        |_| {
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_nanos() as u64
                | 1
        },
        |seed| seed.parse().expect("a number"),
    );
    println!("seed {seed}");
    for mode in [TaskMode::Fiber, TaskMode::Thread] {
        with(builder(2).tasks(mode), |bench| {
            // SAFETY: the task has ended before this returns.
            let borrowed: &'static Bench = unsafe { &*std::ptr::from_ref(bench) };
            check(&bench.run(move || play(borrowed, true, seed)), true);
            check(&play(bench, false, seed), false);
        });
    }
}
