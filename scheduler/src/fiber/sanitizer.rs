//! What the sanitizers have to be told about stacks. Without the features `asan` and `tsan` there is nothing here.
//!
//! *AddressSanitizer* hears of the switches themselves from corosensei. Here it hears which stacks nobody uses: those are
//! poisoned, so that a pointer into the stack of a task that has ended is reported. The others are roots for its search for
//! leaks: what only a parked task holds is not lost.
//!
//! *ThreadSanitizer* takes each stack for a thread of its own, with its own shadow of the calls that are on. Each switch is
//! an edge: what the worker did before is visible to the task, and the other way round.
//!
//! Room for unsafe code: the calls of the sanitizers' runtimes.

#[cfg(feature = "asan")]
mod address {
    use crate::fiber::HEAD_MAX;
    use crate::fiber::stack::Memory;

    unsafe extern "C" {
        fn __asan_poison_memory_region(from: *const u8, bytes: usize);
        fn __asan_unpoison_memory_region(from: *const u8, bytes: usize);
        fn __lsan_register_root_region(from: *const u8, bytes: usize);
        fn __lsan_unregister_root_region(from: *const u8, bytes: usize);
    }

    /// A stack is given to a task.
    pub(crate) fn take(memory: Memory) {
        let (from, bytes) = (memory.limit as *const u8, memory.top - memory.limit);
        // SAFETY: a stack of ours, which is mapped; the runtime keeps the two numbers until `put_away`.
        unsafe {
            __asan_unpoison_memory_region(from, bytes);
            __lsan_register_root_region(from, bytes);
        }
    }

    /// A task has given its stack back.
    pub(crate) fn put_away(memory: Memory) {
        let (from, bytes) = (memory.limit as *const u8, memory.top - memory.limit);
        // SAFETY: as registered by `take`; between two tasks nobody touches the stack but its head.
        unsafe {
            __lsan_unregister_root_region(from, bytes);
            __asan_poison_memory_region(from, bytes - memory.porch - HEAD_MAX);
        }
    }

    /// Stacks are about to be unmapped: what comes there later is somebody else's.
    pub(crate) fn unmap(base: *const u8, bytes: usize) {
        // SAFETY: a mapping of ours.
        unsafe { __asan_unpoison_memory_region(base, bytes) }
    }
}

#[cfg(not(feature = "asan"))]
mod address {
    use crate::fiber::stack::Memory;

    #[inline(always)]
    pub(crate) fn take(_: Memory) {}
    #[inline(always)]
    pub(crate) fn put_away(_: Memory) {}
    #[inline(always)]
    pub(crate) fn unmap(_: *const u8, _: usize) {}
}

#[cfg(feature = "tsan")]
mod thread {
    use std::ffi::c_void;

    unsafe extern "C" {
        fn __tsan_create_fiber(flags: u32) -> *mut c_void;
        fn __tsan_destroy_fiber(context: *mut c_void);
        fn __tsan_get_current_fiber() -> *mut c_void;
        fn __tsan_switch_to_fiber(context: *mut c_void, flags: u32);
    }

    /// What ThreadSanitizer knows of one stack.
    #[derive(Clone, Copy)]
    pub(crate) struct Context(*mut c_void);

    impl Context {
        /// Runs what switches to the stack and comes back.
        #[inline(always)]
        pub(crate) fn enter<R>(self, switch: impl FnOnce() -> R) -> R {
            // SAFETY: the context is alive as long as its stack, and nobody else is on that. We come back on the same thread.
            unsafe {
                let worker = __tsan_get_current_fiber();
                __tsan_switch_to_fiber(self.0, 0);
                let result = switch();
                __tsan_switch_to_fiber(worker, 0);
                result
            }
        }
    }

    /// Those of all stacks of a pool.
    pub(crate) struct Contexts(Vec<Context>);

    impl Contexts {
        pub(crate) fn new() -> Self {
            Contexts(Vec::new())
        }

        /// For one more stack.
        pub(crate) fn add(&mut self) -> Context {
            // SAFETY: the call takes a number.
            let context = Context(unsafe { __tsan_create_fiber(0) });
            self.0.push(context);
            context
        }
    }

    impl Drop for Contexts {
        fn drop(&mut self) {
            for context in self.0.drain(..) {
                // SAFETY: the stacks go too, and nobody is on them.
                unsafe { __tsan_destroy_fiber(context.0) }
            }
        }
    }
}

#[cfg(not(feature = "tsan"))]
mod thread {
    #[derive(Clone, Copy)]
    pub(crate) struct Context;

    impl Context {
        #[inline(always)]
        #[cfg_attr(
            fiberhost_jump,
            allow(dead_code, reason = "the jump is not for sanitizers")
        )]
        pub(crate) fn enter<R>(self, switch: impl FnOnce() -> R) -> R {
            switch()
        }
    }

    pub(crate) struct Contexts;

    impl Contexts {
        pub(crate) fn new() -> Self {
            Contexts
        }
        pub(crate) fn add(&mut self) -> Context {
            Context
        }
    }
}

pub(crate) use address::{put_away, take, unmap};
pub(crate) use thread::{Context, Contexts};

#[cfg(all(test, feature = "asan"))]
mod tests {
    use std::ffi::c_int;

    use super::{put_away, take};
    use crate::{Scheduler, WaitReason, park, yield_now};

    unsafe extern "C" {
        fn __asan_address_is_poisoned(at: *const u8) -> c_int;
        fn __lsan_do_recoverable_leak_check() -> c_int;
    }

    fn is_poisoned(at: usize) -> bool {
        // SAFETY: the runtime looks into its own memory only.
        unsafe { __asan_address_is_poisoned(at as *const u8) != 0 }
    }

    /// The lowest address of the calling task's stack.
    fn stack() -> usize {
        let (_, task) = crate::current::running().expect("called from a task");
        // SAFETY: the record at the top of the stack we are on.
        unsafe { (*task.fiber.get()).memory() }.limit
    }

    /// The stack of a task that has ended is poisoned until the next task has it.
    #[test]
    fn a_stack_that_nobody_uses_is_poisoned() {
        let scheduler = Scheduler::builder().workers(1).build().expect("one thread");
        let first = scheduler.run(|| {
            let stack = stack();
            assert!(!is_poisoned(stack), "it is in use");
            yield_now();
            stack
        });
        // The joiner may be faster than the worker that puts the stack away: another task comes after that.
        let again = scheduler.run(|| {
            assert!(!is_poisoned(stack()), "it is in use again");
            stack()
        });
        assert_eq!(first, again, "a warm stack is used again");
        scheduler
            .shutdown(std::time::Duration::MAX)
            .expect("nothing is left");
        assert!(is_poisoned(first), "nobody uses it");
    }

    /// What only a parked task holds is not lost; and it would be, if its stack were not named as a root.
    #[test]
    fn what_a_parked_task_holds_is_no_leak() {
        let scheduler = Scheduler::builder().workers(1).build().expect("one thread");
        let (tell, told) = std::sync::mpsc::channel();
        let task = scheduler.spawn(move || {
            let (_, task) = crate::current::running().expect("this is a task");
            // SAFETY: the record at the top of the stack we are on.
            let memory = unsafe { (*task.fiber.get()).memory() };
            let held = Box::new([7_u8; 64]);
            tell.send(memory).expect("the test waits for it");
            park();
            held.len()
        });
        let memory = told.recv().expect("the task runs");
        while task.task().wait_reason() != WaitReason::Park {
            std::thread::yield_now();
        }
        // SAFETY: the runtime stops all threads while it looks.
        let leaks = || unsafe { __lsan_do_recoverable_leak_check() != 0 };
        assert!(!leaks(), "its stack is a root");
        put_away(memory);
        let lost = leaks();
        take(memory);
        assert!(lost, "its stack was no root");
        task.task().unpark();
        assert_eq!(task.join().expect("it does not panic"), 64);
    }
}
