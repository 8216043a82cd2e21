//! The coroutines alone, resumed round robin by a loop: what a yield costs where there is nothing to decide.
//!
//! Stacks are as large as fiberhost's and their tops are coloured as its are, so that the difference is the scheduler.

use std::num::NonZeroUsize;
use std::time::Instant;

use corosensei::stack::{DefaultStack, Stack, StackPointer};
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::case::{Depth, Program};
use super::contender::{Measured, Prepared, Unavailable};
use super::deep::four_calls;

/// The size of a fiberhost stack unless the builder is told otherwise, and the guard between it and the next.
const STACK_SIZE: usize = 128 * 1024;
const GUARD: usize = 100 * 1024;
/// What [`DefaultStack`] adds for its own guard.
const PAGE: usize = 4 * 1024;
/// Tops are shifted so that the hot lines of neighbouring stacks fall into different cache sets.
const COLOURS: usize = 32;
const COLOUR_STEP: usize = 64;

pub(crate) fn prepare(program: Program) -> Result<Prepared, Unavailable> {
    let round_robin = match program {
        Program::Yield {
            tasks,
            depth: Depth::Flat,
        } => Prepared::new(move |each| yields(tasks, each, |yielder| yielder.suspend(()))),
        Program::Yield {
            tasks,
            depth: Depth::BelowFourCalls,
        } => Prepared::new(move |each| {
            yields(tasks, each, |yielder| four_calls(|| yielder.suspend(())))
        }),
        // What a pair is compared with: the pair that gives a stack up and takes it up again.
        Program::LeaveEnter | Program::HookPair => {
            Prepared::new(move |each| yields(2, each, |yielder| yielder.suspend(())))
        }
        Program::HookChain
        | Program::CurrentTask
        | Program::Crst
        | Program::HostEvent
        | Program::PingPong
        | Program::PingPongCross
        | Program::SpawnJoin
        | Program::SpawnJoinPark
        | Program::Fanout
        | Program::Skynet
        | Program::Chain
        | Program::Ring
        | Program::Channel
        | Program::Mutex
        | Program::LeaveTaken
        | Program::Hog
        | Program::HogBound
        | Program::WakeSleeping { .. }
        | Program::Timers
        | Program::Parked
        | Program::Idle
        | Program::Echo => return Unavailable::because("a coroutine has nobody to wait for"),
    };
    Ok(round_robin.about("resumed by a loop, no queue"))
}

/// A stack whose top is shifted by its colour.
struct Coloured {
    stack: DefaultStack,
    shift: usize,
}

impl Coloured {
    fn new(ordinal: usize) -> Coloured {
        let shift = ordinal % COLOURS * COLOUR_STEP;
        // As far apart as fiberhost's: the distance decides which sets of the caches they share.
        let distance = STACK_SIZE + GUARD;
        let stack = DefaultStack::new(distance - PAGE).expect("the system grants the stack");
        Coloured { stack, shift }
    }
}

// SAFETY:
// - The guard page is that of the inner stack, whose limit is passed on.
// - The base moves down by at most 2 KiB, a multiple of the alignment: more than the smallest stack remains.
unsafe impl Stack for Coloured {
    fn base(&self) -> StackPointer {
        NonZeroUsize::new(self.stack.base().get() - self.shift).expect("a stack is not at null")
    }

    fn limit(&self) -> StackPointer {
        self.stack.limit()
    }
}

fn yields(tasks: usize, each: u64, step: impl Fn(&Yielder<(), ()>) + Copy + 'static) -> Measured {
    let coroutine = |ordinal| {
        Coroutine::with_stack(
            Coloured::new(ordinal),
            move |yielder: &Yielder<(), ()>, ()| {
                // Started and back before the clock runs, as the other contenders' tasks are.
                yielder.suspend(());
                let mut done = 0;
                for _ in 0..each {
                    step(yielder);
                    done += 1;
                }
                done
            },
        )
    };
    let mut coroutines: Vec<Coroutine<(), (), u64, Coloured>> = (0..tasks).map(coroutine).collect();
    for coroutine in &mut coroutines {
        assert!(matches!(coroutine.resume(()), CoroutineResult::Yield(())));
    }
    let start = Instant::now();
    for _ in 0..each {
        for coroutine in &mut coroutines {
            coroutine.resume(());
        }
    }
    let took = start.elapsed();
    let done: u64 = coroutines.iter_mut().map(finish).sum();
    assert_eq!(done, tasks as u64 * each);
    Measured::each(took, done)
}

fn finish(coroutine: &mut Coroutine<(), (), u64, Coloured>) -> u64 {
    match coroutine.resume(()) {
        CoroutineResult::Return(done) => done,
        CoroutineResult::Yield(()) => panic!("the coroutine has yielded once too often"),
    }
}
