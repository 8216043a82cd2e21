//! Which processors a thread of this process may use.

use std::io;
use std::mem;
use std::ops::{Bound, RangeBounds};
use std::sync::OnceLock;

/// What the process was allowed when it started, whatever its threads have been restricted to since.
static AT_START: OnceLock<libc::cpu_set_t> = OnceLock::new();

/// Called before any thread is restricted.
pub(crate) fn remember_allowed() {
    // A failure comes back, with its reason, when a thread is to be restricted.
    drop(allowed());
}

/// Restricts the calling thread, and every thread it starts from now on, to some of the allowed processors.
///
/// They are counted from 0: `..1` is the first one, `1..` all others.
///
/// # Errors
/// There are not that many.
pub(crate) fn keep_to(places: impl RangeBounds<usize>) -> io::Result<()> {
    let mut chosen = allowed()?;
    let mut count = 0;
    let mut found = 0;
    for cpu in 0..libc::CPU_SETSIZE as usize {
        // SAFETY: `cpu` is below `CPU_SETSIZE`, the set is initialised.
        if !unsafe { libc::CPU_ISSET(cpu, &chosen) } {
            continue;
        }
        if places.contains(&count) {
            found += 1;
        } else {
            // SAFETY: as above.
            unsafe { libc::CPU_CLR(cpu, &mut chosen) };
        }
        count += 1;
    }
    let missing = matches!(places.end_bound(), Bound::Excluded(&end) if end > count);
    if missing || found == 0 {
        let text = format!("too few processors: {count}");
        return Err(io::Error::other(text));
    }
    // SAFETY: the set is initialised and its size is given; 0 is the calling thread.
    let done = unsafe { libc::sched_setaffinity(0, mem::size_of_val(&chosen), &chosen) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn allowed() -> io::Result<libc::cpu_set_t> {
    if let Some(set) = AT_START.get() {
        return Ok(*set);
    }
    // SAFETY: a `cpu_set_t` is an array of integers, for which all zeroes is the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the set is ours and its size is given; 0 is the calling thread.
    let done = unsafe { libc::sched_getaffinity(0, mem::size_of_val(&set), &mut set) };
    if done == 0 {
        Ok(*AT_START.get_or_init(|| set))
    } else {
        Err(io::Error::last_os_error())
    }
}
