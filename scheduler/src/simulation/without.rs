//! What stands in `simulation.rs`'s place where nothing is simulated.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use crate::builder::Settings;
use crate::primitive::simulated::JoinHandle;
use crate::scheduler::Core;
use crate::task::Task;

pub(crate) fn begin(settings: &Settings) -> io::Result<Option<u64>> {
    #[cfg(feature = "simulate")]
    if settings.simulate.is_some() {
        let text =
            "a simulation needs the jump, which is not there on this target or under this checker";
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    }
    let _ = settings;
    Ok(None)
}

pub(crate) fn note_start(_: &Arc<Core>) {}

pub(crate) fn note_stop(_: &Core) {}

#[cfg(feature = "simulate")]
pub(crate) fn wait_for_end() -> bool {
    true
}

#[cfg(feature = "simulate")]
pub(crate) fn last() -> (u64, u64) {
    (0, 0)
}

#[inline(always)]
pub(crate) fn is_elsewhere(_: &Core) -> bool {
    false
}

pub(crate) fn start(_: &Core, _: Option<usize>, _: Box<dyn FnOnce()>) -> io::Result<JoinHandle> {
    unreachable!("no scheduler is simulated")
}

#[inline(always)]
pub(crate) fn note_spawn(_: &Core, _: &'static Task) {}

#[inline(always)]
pub(crate) fn note_end(_: &Core, _: &'static Task) {}

#[inline(always)]
pub(crate) fn tasks(_: &Core) -> Option<Vec<&'static Task>> {
    None
}

#[inline(always)]
pub(crate) fn refuses_spawn(_: &Core) -> bool {
    false
}

#[inline(always)]
pub(crate) fn before_resume(_: &Task) {}

#[inline(always)]
pub(crate) fn after_resume() {}

#[inline(always)]
pub(crate) fn note_panicking(_: bool) {}

#[inline(always)]
pub(crate) fn puts_off() -> bool {
    false
}

#[inline(always)]
pub(crate) fn ends_quantum() -> Option<bool> {
    None
}
