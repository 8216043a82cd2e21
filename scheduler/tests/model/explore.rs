//! How a model is run: in a process of its own, by the checker at hand, with its executions counted.
//!
//! A failing model leaves suspended threads and fibers behind, and unwinding those ends in whatever they would do next.
//! So the first panic prints what was found and ends the process; the test that started it reports the rest.

use std::any::type_name;
use std::env;
use std::panic;
use std::process::{Command, exit};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

#[cfg(loom)]
pub(crate) use loom::thread;
#[cfg(shuttle)]
pub(crate) use shuttle::thread;

const CHILD: &str = "FIBERHOST_MODEL";
/// Set by `.ci/models --wide`: how much further than usual to go.
const WIDE: &str = "FIBERHOST_MODEL_WIDE";

/// Set by `.ci/models --short`: loom to a fifth of what is usual, Shuttle to a third, for every change.
const SHORT: &str = "FIBERHOST_MODEL_SHORT";
/// Set by `.ci/models` for a seeded fault: loom looks until it has found it.
const FAULT: &str = "FIBERHOST_MODEL_FAULT";

/// At how many executions loom leaves a model of the whole scheduler. A number, not a time: a busy machine looks at as many.
#[cfg(loom)]
const CUT_OFF: usize = 150_000;

static EXECUTIONS: AtomicUsize = AtomicUsize::new(0);

/// How far to explore.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// loom: preemptions in one execution.
    pub(crate) preemptions: usize,
    /// loom: the fewest executions that this model must have.
    pub(crate) at_least: usize,
    /// loom: whether all executions are looked at; else at most `CUT_OFF`, but for `--wide` and for a seeded fault.
    #[cfg_attr(shuttle, allow(dead_code, reason = "Shuttle samples anyway"))]
    pub(crate) exhaustive: bool,
    /// Shuttle: schedules for each of its ways to choose them.
    pub(crate) schedules: usize,
    /// Whether the kernel has the call that makes barriers asymmetric.
    pub(crate) membarrier: bool,
}

impl Bounds {
    /// For a protocol: small enough for three preemptions.
    pub(crate) const fn protocol(at_least: usize) -> Bounds {
        Bounds {
            preemptions: 3,
            at_least,
            exhaustive: true,
            schedules: 2_000,
            membarrier: true,
        }
    }

    /// For the whole scheduler.
    pub(crate) const fn whole(at_least: usize) -> Bounds {
        Bounds {
            preemptions: 2,
            at_least,
            exhaustive: false,
            schedules: 5_000,
            membarrier: true,
        }
    }

    pub(crate) const fn schedules(self, schedules: usize) -> Bounds {
        Bounds { schedules, ..self }
    }

    pub(crate) const fn preemptions(self, preemptions: usize) -> Bounds {
        Bounds {
            preemptions,
            ..self
        }
    }

    /// As on a kernel that has no such call.
    pub(crate) const fn without_membarrier(self) -> Bounds {
        Bounds {
            membarrier: false,
            ..self
        }
    }
}

/// Explores a model. To be called with a closure written in the test function, whose name it takes.
pub(crate) fn explore<F: Fn() + Send + Sync + 'static>(bounds: Bounds, model: F) {
    let name = test_name::<F>();
    if env::var(CHILD).is_ok_and(|child| child == name) {
        run(name, bounds, model);
    } else {
        run_in_child(name);
    }
}

/// Runs something in which loom does not look for other interleavings: what comes before and after the matter at hand.
pub(crate) fn unexplored<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(loom)]
    loom::stop_exploring();
    let result = work();
    #[cfg(loom)]
    loom::explore();
    result
}

/// The path of the test in which the closure was written.
fn test_name<F>() -> &'static str {
    let path = type_name::<F>();
    let path = path.split_once("::").map_or(path, |(_crate, path)| path);
    path.strip_suffix("::{{closure}}")
        .expect("the model is a closure in its test")
}

fn run_in_child(name: &str) {
    let program = env::current_exe().expect("a test knows its program");
    let output = Command::new(program)
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, name)
        .output()
        .expect("a test can start itself");
    let said = String::from_utf8_lossy(&output.stderr);
    print!("{said}");
    assert!(output.status.success(), "{name}: {}", output.status);
    assert!(said.contains("executions"), "{name} explored nothing");
}

fn run<F: Fn() + Send + Sync + 'static>(name: &'static str, bounds: Bounds, model: F) {
    panic::set_hook(Box::new(move |info| {
        let execution = EXECUTIONS.load(Ordering::Relaxed);
        eprintln!("model {name}: FAILED in execution {execution}: {info}");
        exit(101);
    }));
    if !bounds.membarrier {
        fiberhost_scheduler::model::refuse_membarrier();
    }
    let began = Instant::now();
    let counted = move || {
        EXECUTIONS.fetch_add(1, Ordering::Relaxed);
        model();
    };
    let (how, at_least) = check(bounds, counted);
    let executions = EXECUTIONS.load(Ordering::Relaxed);
    let time = began.elapsed().as_secs_f64();
    eprintln!("model {name}: {executions} executions, {how}, {time:.1} s");
    assert!(
        executions >= at_least,
        "{executions} executions are fewer than {at_least}: the model proves little"
    );
}

fn wide() -> bool {
    env::var_os(WIDE).is_some()
}

fn short() -> bool {
    env::var_os(SHORT).is_some()
}

#[cfg(loom)]
fn check<F: Fn() + Send + Sync + 'static>(bounds: Bounds, model: F) -> (String, usize) {
    let mut builder = loom::model::Builder::new();
    let preemptions = bounds.preemptions + usize::from(wide());
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    // How often it looks whether it has done enough.
    builder.checkpoint_interval = 1_000;
    if !bounds.exhaustive && !wide() && env::var_os(FAULT).is_none() {
        builder.max_permutations = Some(if short() { CUT_OFF / 5 } else { CUT_OFF });
    }
    builder.check(model);
    let cut = if builder
        .max_permutations
        .is_some_and(|most| EXECUTIONS.load(Ordering::Relaxed) >= most)
    {
        ", cut off there"
    } else {
        ""
    };
    (
        format!("at most {preemptions} preemptions{cut}"),
        bounds.at_least,
    )
}

#[cfg(shuttle)]
fn check<F: Fn() + Send + Sync + 'static>(bounds: Bounds, model: F) -> (String, usize) {
    use shuttle::scheduler::{PctScheduler, RandomScheduler};

    let seed = env::var("SHUTTLE_RANDOM_SEED")
        .map_or(0x5eed, |seed| seed.parse().expect("a seed is a number"));
    let schedules = match (wide(), short()) {
        (true, _) => bounds.schedules * 20,
        (false, true) => bounds.schedules / 3,
        (false, false) => bounds.schedules,
    };
    let model = std::sync::Arc::new(model);
    sample(RandomScheduler::new_from_seed(seed, schedules), &model);
    sample(PctScheduler::new_from_seed(seed, 2, schedules), &model);
    sample(PctScheduler::new_from_seed(seed, 3, schedules), &model);
    (
        format!("random, PCT 2 and PCT 3 from seed {seed}"),
        3 * schedules,
    )
}

#[cfg(shuttle)]
fn sample<S, F>(scheduler: S, model: &std::sync::Arc<F>)
where
    S: shuttle::scheduler::Scheduler + 'static,
    F: Fn() + Send + Sync + 'static,
{
    let mut config = shuttle::Config::new();
    config.stack_size = 1 << 18;
    config.failure_persistence = shuttle::FailurePersistence::None;
    config.silence_warnings = true;
    // A run takes some hundred steps; one that takes so many is going round in circles.
    config.max_steps = shuttle::MaxSteps::FailAfter(100_000);
    let model = std::sync::Arc::clone(model);
    shuttle::Runner::new(scheduler, config).run(move || model());
}
