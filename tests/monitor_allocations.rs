//! The monitor allocates nothing while it ticks and looks at a task that does not settle.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{checked, with};

/// Allocations of the monitor's thread.
static COUNT: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: all is the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_monitor() {
            COUNT.fetch_add(1, Ordering::SeqCst);
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// By the name that the kernel keeps of the thread, which is cut.
fn is_monitor() -> bool {
    let mut name = [0_u8; 16];
    // SAFETY: the kernel writes 16 bytes, which outlive the call.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name.starts_with(b"fiberhost-monit")
}

#[test]
fn the_monitor_allocates_nothing_before_a_report() {
    // The first look comes a second before the limit.
    let limit = Duration::from_secs(2);
    let builder = checked(2).stall_after(limit);
    with(builder, |scheduler| {
        let (counts, lasted) = scheduler.run(|| {
            let began = Instant::now();
            let count_at = |time: Duration| {
                std::thread::sleep(time.saturating_sub(began.elapsed()));
                COUNT.load(Ordering::SeqCst)
            };
            let counts = [200, 1500].map(|ms| count_at(Duration::from_millis(ms)));
            (counts, began.elapsed())
        });
        assert!(counts[0] > 0, "its start is seen");
        if lasted < limit {
            assert_eq!(counts[0], counts[1], "it has looked");
        } else {
            println!("nothing compared: the machine is too busy");
        }
    });
}
