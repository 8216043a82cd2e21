//! What a process uses up while it has nothing to do.

use std::thread;
use std::time::Duration;

use super::contender::Measured;
use super::procfs;

const GRACE: Duration = Duration::from_secs(1);

/// Watches every thread but this one. The caller has set its contender up, with a listener open.
pub(crate) fn watch(seconds: u64) -> Measured {
    thread::sleep(GRACE);
    let before = procfs::used_by_others();
    let took = Duration::from_secs(seconds);
    thread::sleep(took);
    let after = procfs::used_by_others();
    assert_eq!(
        before.threads, after.threads,
        "an idle process neither starts nor ends a thread"
    );
    let cpu_ns = (after.cpu_ns - before.cpu_ns) as f64 / seconds as f64;
    let switches = (after.switches - before.switches) as f64;
    Measured {
        ns: cpu_ns,
        took,
        fields: Vec::new(),
    }
    .with("cpu_ns", cpu_ns)
    .with("switches", switches)
    .with("threads", after.threads as f64)
}
