//! What the kernel says of this process's threads.

use std::fs;
use std::path::Path;

/// The thread that asks, as the kernel numbers it.
pub(crate) fn this_thread() -> u32 {
    let link = fs::read_link("/proc/thread-self").expect("procfs is mounted");
    let name = link.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.parse().ok())
        .expect("thread-self ends in a number")
}

/// Whether the thread sleeps (state S), rather than runs or stands in a run queue.
pub(crate) fn is_asleep(thread: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/self/task/{thread}/stat")) else {
        return false;
    };
    // The name in parentheses may hold anything; the state is the word after the last of them.
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| rest.trim_start().starts_with('S'))
}

/// What threads have used up since they started.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Used {
    pub(crate) cpu_ns: u64,
    pub(crate) switches: u64,
    pub(crate) threads: u64,
}

/// The sum over all threads of this process but the one that asks: it belongs to the measurement.
pub(crate) fn used_by_others() -> Used {
    let own = this_thread().to_string();
    let tasks = fs::read_dir("/proc/self/task").expect("procfs is mounted");
    let mut sum = Used::default();
    for task in tasks.flatten().filter(|task| task.file_name() != *own) {
        // A thread may end between the listing and the reading.
        let Some((cpu_ns, switches)) = used_by(&task.path()) else {
            continue;
        };
        sum.cpu_ns += cpu_ns;
        sum.switches += switches;
        sum.threads += 1;
    }
    sum
}

fn used_by(task: &Path) -> Option<(u64, u64)> {
    let schedstat = fs::read_to_string(task.join("schedstat")).ok()?;
    let cpu_ns = schedstat.split_whitespace().next()?.parse().ok()?;
    let status = fs::read_to_string(task.join("status")).ok()?;
    let switches = status
        .lines()
        .filter(|line| line.contains("voluntary_ctxt_switches"))
        .filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok())
        .sum();
    Some((cpu_ns, switches))
}

/// The most memory this process ever had resident, in bytes.
pub(crate) fn resident_peak() -> u64 {
    memory("VmHWM:")
}

/// A figure of this process's memory by the kernel's name for it, in bytes.
pub(crate) fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("procfs is mounted");
    let line = status.lines().find(|line| line.starts_with(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.expect("the kernel reports it") * 1024
}

/// How many mappings this process has.
pub(crate) fn mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").expect("procfs is mounted");
    maps.lines().count()
}

/// What is resident of fiberhost's stacks, in bytes: the mappings that refuse huge pages, as threads' stacks do too, and
/// are without reserve. Only its slabs are both.
///
/// Stacks keep their pages while they are warm, so after a run this is the run's peak unless it needed more than the
/// scheduler keeps warm.
pub(crate) fn resident_stacks() -> u64 {
    let smaps = fs::read_to_string("/proc/self/smaps").expect("procfs is mounted");
    let mut sum = 0;
    let mut resident = 0;
    for line in smaps.lines() {
        // Each mapping's `Rss` comes before its `VmFlags`.
        if let Some(kilobytes) = line.strip_prefix("Rss:") {
            let number = kilobytes
                .split_whitespace()
                .next()
                .and_then(|word| word.parse().ok());
            resident = number.unwrap_or(0);
        } else if let Some(flags) = line.strip_prefix("VmFlags:")
            && ["nh", "nr"]
                .iter()
                .all(|wanted| flags.split_whitespace().any(|flag| flag == *wanted))
        {
            sum += resident * 1024;
        }
    }
    sum
}
