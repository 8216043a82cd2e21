//! High-water marks: how deep a task used its stack.

mod common;

use std::hint::black_box;

use common::{LONG, at, checked, with};
use fiberhost::scheduler::{Backing, Builder, Scheduler, current, spawn, yield_now};

/// The scheduler's own part of a stack, and by how much tops are shifted.
const OWN: usize = if cfg!(debug_assertions) { 24 } else { 6 } * 1024;

/// What a frame has besides its kilobyte; unoptimised code copies that.
const FRAME: usize = if cfg!(debug_assertions) { 2200 } else { 128 };

fn measured(workers: usize) -> Builder {
    checked(workers).measure_stacks(true)
}

/// Writes to so many bytes of stack.
#[inline(never)]
fn use_stack(kilobytes: usize) {
    let page = black_box([0xa5_u8; 1024]);
    if kilobytes > 1 {
        use_stack(kilobytes - 1);
    }
    black_box(&page);
}

fn used(scheduler: &Scheduler, backing: Backing, size: usize, kilobytes: usize) -> usize {
    let task = scheduler.task().backing(backing).stack_size(size);
    let task = task.spawn(move || {
        assert_eq!(current().stack_used(), None, "not before the end");
        yield_now();
        use_stack(kilobytes);
        yield_now();
    });
    let task = task.unwrap();
    let end = task.task().clone();
    task.join().unwrap();
    end.stack_used().expect("it has ended")
}

/// One stack serves one task after the other: each mark is its task's own, deep ones before shallow ones too.
#[test]
fn each_task_has_its_own_mark() {
    for backing in [Backing::Fiber, Backing::Thread] {
        with(measured(1), |scheduler| {
            for kilobytes in [1, 100, 1, 10, 3, 100, 40, 1] {
                let used = used(scheduler, backing, 512 << 10, kilobytes);
                println!("{backing:?}: {kilobytes} KiB, measured {used}");
                let most = kilobytes * (1024 + FRAME) + OWN;
                assert!(used > kilobytes * 1024, "{kilobytes} KiB, measured {used}");
                assert!(used < most, "{kilobytes} KiB, measured {used}");
            }
        });
    }
}

/// A frame that is only touched at its far end counts in full, and makes nothing in between resident.
#[test]
fn what_lies_between_is_neither_missed_nor_touched() {
    const FRAME: usize = 60 << 10;
    #[inline(never)]
    fn sparse() -> u8 {
        let mut frame = std::mem::MaybeUninit::<[u8; FRAME]>::uninit();
        let low = black_box(&mut frame).as_mut_ptr().cast::<u8>();
        // SAFETY: the first byte of the frame.
        unsafe {
            low.write_volatile(1);
            low.read_volatile()
        }
    }
    with(measured(1), |scheduler| {
        let task = scheduler.spawn(|| {
            black_box(sparse());
        });
        let end = task.task().clone();
        task.join().unwrap();
        let used = end.stack_used().unwrap();
        assert!((FRAME..FRAME + OWN).contains(&used), "{used}");
    });
}

#[test]
fn the_deepest_of_each_size_is_kept() {
    with(measured(2).stack_size(512 << 10), |scheduler| {
        for (size, backing) in [
            (512 << 10, Backing::Fiber),
            (1 << 20, Backing::Fiber),
            (1 << 20, Backing::Thread),
            (64 << 20, Backing::Fiber),
        ] {
            for kilobytes in [20, 90, 30] {
                used(scheduler, backing, size, kilobytes);
            }
        }
        let classes = scheduler.stack_classes();
        let sizes: Vec<_> = classes.iter().map(|class| class.size).collect();
        assert_eq!(sizes, [512 << 10, 1 << 20, 64 << 20]);
        for class in classes {
            let used = class.used_max.expect("tasks of this size have ended");
            assert!(
                (90 << 10..(90 << 10) + 90 * FRAME + OWN).contains(&used),
                "{class:?}"
            );
            assert!(class.stacks >= 1, "{class:?}");
        }
    });
}

/// A panic and an abort are ends like others.
#[test]
fn unwound_tasks_have_their_marks() {
    common::expect_panics();
    with(measured(1), |scheduler| {
        let task = scheduler.spawn(|| {
            use_stack(30);
            panic!("expected");
        });
        let end = task.task().clone();
        task.join().unwrap_err();
        assert!(end.stack_used().unwrap() > 30 << 10);
        let task = scheduler.spawn(|| {
            use_stack(30);
            current().abort();
            yield_now();
        });
        let end = task.task().clone();
        task.join().unwrap_err();
        assert!(end.stack_used().unwrap() > 30 << 10);
    });
}

#[test]
fn nothing_is_measured_unless_asked() {
    at(1, |scheduler| {
        let task = scheduler.spawn(|| use_stack(20));
        let end = task.task().clone();
        task.join().unwrap();
        assert_eq!(end.stack_used(), None);
        assert_eq!(scheduler.stack_classes()[0].used_max, None);
    });
}

/// Many at once, on warm stacks and fresh ones, with tasks that move and that never run.
#[test]
fn marks_under_load() {
    let scheduler = measured(4).stack_size(256 << 10).build().unwrap();
    for round in 0..20 {
        let tasks: Vec<_> = (0..200_usize)
            .map(|number| {
                let kilobytes = 1 + (number * 7 + round) % 40;
                let task = scheduler.task();
                let work = move || {
                    use_stack(kilobytes);
                    spawn(yield_now).join().unwrap();
                };
                // SAFETY: it keeps nothing of a thread over its waits.
                let task = unsafe { task.spawn_mobile(work) };
                (kilobytes, task.unwrap())
            })
            .collect();
        for (kilobytes, task) in tasks {
            let end = task.task().clone();
            task.join().unwrap();
            let used = end.stack_used().unwrap();
            assert!(used > kilobytes * 1024, "{kilobytes}: {used}");
            assert!(
                used < kilobytes * (1024 + FRAME) + OWN,
                "{kilobytes}: {used}"
            );
        }
    }
    scheduler.shutdown(LONG).unwrap();
}
