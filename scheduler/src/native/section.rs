//! Native sections and callbacks.
//!
//! Room for unsafe code: the promise of pairs; `errno`.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use crate::current::{self, Around};
use crate::local::LocalKey;
use crate::native::hold;
use crate::primitive::{Ordering, clock};
use crate::stats::calls::Number;
use crate::stats::sections;
use crate::suspend::FOREVER;
use crate::task::Hold;
use crate::thread::Thread;
use crate::watch;

/// What a section calls: its name in reports and figures. Made once, as a `static`.
///
/// ```
/// use fiberhost_scheduler::native::{self, Target};
///
/// static HASH: Target = Target::new("libsum: sum");
/// let sum = fiberhost_scheduler::run(|| native::section(&HASH, || 1 + 1));
/// assert_eq!(sum, 2);
/// assert_eq!(HASH.name(), "libsum: sum");
/// ```
pub struct Target {
    name: &'static str,
    /// By which its calls are counted.
    pub(crate) number: Number,
}

impl Target {
    /// A target of this name.
    pub const fn new(name: &'static str) -> Target {
        Target {
            name,
            number: Number::none(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// By which `stored` finds it again.
    pub(crate) fn address_of(target: Option<&'static Target>) -> usize {
        target.map_or(0, |target| std::ptr::from_ref(target).addr())
    }

    /// The target that `leave` has stored.
    pub(crate) fn stored(address: usize) -> Option<&'static Target> {
        // SAFETY: only addresses of `&'static Target`s are stored, and 0.
        unsafe { (address as *const Target).as_ref() }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.name).finish()
    }
}

static UNNAMED: Target = Target::new("blocking code");
static UNWINDING: Target = Target::new("a wait of a destructor that unwinds");

/// The calling thread goes where the scheduler cannot see it. Nests; on a plain thread it does nothing.
///
/// Costs two stores and no system call. `errno` and the floating-point modes are left as they are.
///
/// # Safety
/// Each call is paired with one [`enter`] on the same thread and by the same task, and the pairs nest, with
/// [`callback`]s between them. The task does not end in between.
#[inline]
pub unsafe fn leave(target: &'static Target) {
    if let Some(thread) = current::step_out() {
        stepped_out(thread, target);
    }
}

/// [`leave`] without a call of its own, for a function that is one for another language.
///
/// # Safety
/// As for [`leave`]. The caller is a function that is never inlined itself, and looks at no thread-local besides.
#[inline(always)]
pub unsafe fn leave_here(target: &'static Target) {
    if let Some(thread) = current::step_out_here() {
        stepped_out(thread, target);
    }
}

#[inline(always)]
fn stepped_out(thread: &'static Thread, target: &'static Target) {
    if thread.calls.again(target) {
        // It is what was called last, so it stands in `thread.target`, and it is not to be noted.
        thread.lease.leave();
    } else {
        step_out_to(target, thread, 1);
    }
}

/// Takes the last [`leave`] back. If the slot was taken meanwhile, waits for one; `errno` is as before then.
///
/// It is granted also while the scheduler shuts down.
///
/// # Safety
/// As for [`leave`].
#[inline]
pub unsafe fn enter() {
    stepped_in(current::step_in());
}

/// [`enter`] as [`leave_here`] is.
///
/// # Safety
/// As for [`enter`] and [`leave_here`].
#[inline(always)]
pub unsafe fn enter_here() {
    match current::step_in_here(enter_marked) {
        Some(Some(thread)) if !thread.lease.enter_unasked() => enter_asked(thread),
        Some(None) => enter_marked(),
        Some(Some(_)) | None => {}
    }
}

/// The rest of that, apart: so what it is called from has nothing to keep for later.
#[cold]
#[inline(never)]
extern "C" fn enter_asked(thread: &'static Thread) {
    if !thread.lease.refuse() {
        claim(thread);
    }
}

#[inline(always)]
fn stepped_in(thread: Option<&'static Thread>) {
    match thread {
        Some(thread) if !thread.lease.enter() => claim(thread),
        Some(_) => {}
        None => enter_marked(),
    }
}

/// The same for another target than the last one, and where sections are noted. `calls`: 0 if one goes on that was counted.
// The target first: it is what a function for C has there.
// As a function of C, here and below: it does not unwind, so the calls that leave and enter need not be ready for that.
#[cold]
#[inline(never)]
extern "C" fn step_out_to(target: &'static Target, thread: &'static Thread, calls: u64) {
    let is_noted = thread.times.notes_sections();
    if !thread.calls.turn_to(target, calls, !is_noted) {
        return step_out_to_new(target, thread, calls);
    }
    // Relaxed: read by the monitor for reports, behind the mark.
    thread
        .target
        .store(std::ptr::from_ref(target).addr(), Ordering::Relaxed);
    thread.lease.leave();
    if is_noted {
        note_left(thread);
    }
}

/// The same for a target that was not called before.
#[cold]
#[inline(never)]
extern "C" fn step_out_to_new(target: &'static Target, thread: &'static Thread, calls: u64) {
    preserving_errno(|| thread.calls.make_room(target));
    step_out_to(target, thread, calls);
}

/// The sections of the task that runs here are noted.
#[cold]
#[inline(never)]
extern "C" fn note_left(thread: &'static Thread) {
    preserving_errno(|| watch::left(thread));
    current::mark();
}

/// The end of an inner section, of none on a plain thread, or of an outer one that is marked.
#[inline(never)]
extern "C" fn enter_marked() {
    if let Some(thread) = end_mark()
        && !thread.lease.enter()
    {
        claim(thread);
    }
}

/// Leaves, if `agree` names a target when it is given the calling task's value of this key, and otherwise changes nothing.
/// It is asked only if that is the value which the task used last and no section is open.
///
/// [`leave`] with a look at what an embedder keeps of the task, for the price of the leave alone.
///
/// # Safety
/// As for [`leave`], if the answer is `true`. Until `agree` returns the thread is one that has left: it neither waits nor leaves.
#[inline(always)]
pub unsafe fn leave_if<T: 'static>(
    key: &'static LocalKey<T>,
    agree: impl FnOnce(&T) -> Option<&'static Target>,
) -> bool {
    let Some(thread) = current::step_out_first() else {
        return false;
    };
    let Some(target) = key.last_of(thread).and_then(agree) else {
        current::step_in_last();
        return false;
    };
    stepped_out(thread, target);
    true
}

/// Takes the last leave back as [`enter`] does, if `agree` says so of the calling task's value of this key, and otherwise
/// changes nothing. It is asked only if that is the value which the task used last and one section is open.
///
/// # Safety
/// As for [`enter`], if the answer is `true`, and for `agree` as for [`leave_if`].
#[inline(always)]
pub unsafe fn enter_if<T: 'static>(
    key: &'static LocalKey<T>,
    agree: impl FnOnce(&T) -> bool,
) -> bool {
    let Some(thread) = current::step_in_last() else {
        return enter_marked_if(|thread| key.last_of(thread).is_some_and(agree));
    };
    if !key.last_of(thread).is_some_and(agree) {
        current::step_out_first();
        return false;
    }
    if !thread.lease.enter() {
        claim(thread);
    }
    true
}

/// The same for an outer section that is marked.
#[cold]
fn enter_marked_if(agree: impl FnOnce(&'static Thread) -> bool) -> bool {
    let Some(thread) = current::take_mark_of_last() else {
        return false;
    };
    if !agree(thread) {
        current::mark();
        return false;
    }
    stepped_in(step_in_noted(thread));
    true
}

#[cold]
#[inline(never)]
extern "C" fn claim(thread: &'static Thread) {
    preserving_errno(|| {
        sections::come_back(thread, None);
    });
}

/// The end of an outer section that is marked, if it was that.
#[cold]
fn end_mark() -> Option<&'static Thread> {
    step_in_noted(current::take_mark()?)
}

/// The second step of that end, when the mark is gone.
fn step_in_noted(thread: &'static Thread) -> Option<&'static Thread> {
    preserving_errno(|| watch::entered(thread));
    current::step_in()
}

#[cold]
#[inline(never)]
fn claim_within(thread: &'static Thread, target: &'static Target, limit: Duration) -> bool {
    // Too far away to be a time: never.
    let until = clock::now().checked_add(limit);
    let mark = thread.lease.last_out();
    let has_it = preserving_errno(|| sections::come_back(thread, until));
    if !has_it {
        // In the place of the leave that was just taken back, of which who called that knows nothing.
        if let Some(thread) = current::step_out() {
            step_out_to(target, thread, 0);
            sections::goes_on(thread, mark);
        }
    }
    has_it
}

/// Runs code that may block the thread or hold its locks, such as a call into a library of another language.
///
/// Sections nest; the inner ones only count. A panic passes through. On a plain thread it is a plain call.
///
/// ```
/// use fiberhost_scheduler::{native, run};
///
/// static SLEEP: native::Target = native::Target::new("sleep");
/// run(|| native::section(&SLEEP, || std::thread::sleep(std::time::Duration::from_millis(1))));
/// ```
#[inline]
pub fn section<R>(target: &'static Target, work: impl FnOnce() -> R) -> R {
    // SAFETY: the guard pairs it, on this thread: nothing suspends the task in a section.
    unsafe { leave(target) };
    let _enter = Enter;
    work()
}

struct Enter;

impl Drop for Enter {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: pairs with the `leave` before this guard was made.
        unsafe { enter() };
    }
}

/// As [`section`], for code that is known to block: the slot goes to another thread at once, if work waits for it.
pub fn blocking<R>(work: impl FnOnce() -> R) -> R {
    blocking_on(&UNNAMED, work)
}

/// What a task does instead of suspending while it is panicking.
pub(crate) fn unseen<R>(work: impl FnOnce() -> R) -> R {
    blocking_on(&UNWINDING, work)
}

fn blocking_on<R>(target: &'static Target, work: impl FnOnce() -> R) -> R {
    let needed = current::thread().filter(|thread| {
        let core = thread.core();
        core.idle.claimants() > 0 || core.is_needed(thread.slot())
    });
    section(target, || {
        if let Some(thread) = needed {
            // We are out, so the slot is there for whoever takes it, this thread itself included.
            preserving_errno(|| {
                sections::note_handover(thread.core(), thread);
                thread.give_up(true)
            });
        }
        work()
    })
}

/// Runs code that was called back from inside a section, as a task's code again: it has a slot and may wait and yield.
///
/// The task keeps its thread, with nobody else on it, until the callback returns; then the section goes on.
/// An abort does not unwind it, and time limits that were set outside do not count inside.
/// Called outside a section, it only keeps the thread. On a plain thread it is a plain call.
///
/// A panic passes through, so code that was called by frames which cannot be unwound catches it.
pub fn callback<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: paired below, on this thread, which the task keeps.
    let begun = unsafe { callback_begin() };
    let result = catch_unwind(AssertUnwindSafe(work));
    // SAFETY: as above.
    unsafe { callback_end(begun) };
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

/// What [`callback_end`] restores: what was open outside the callback.
#[derive(Debug)]
#[must_use = "it is for `callback_end`"]
pub struct Begun {
    outside: Option<Outside>,
    /// It belongs to the thread and the task that began it.
    not_send: PhantomData<*const ()>,
}

#[derive(Clone, Copy, Debug)]
struct Outside {
    /// Of the sections that are open around the callback, if any are.
    section: Option<(u32, &'static Target)>,
    limit: u64,
    has_slot: bool,
}

impl Begun {
    /// Whether the callback runs with a slot, as far as there is one to have on this thread. Without one it is still in
    /// the section around it: see [`callback_begin_within`].
    pub fn has_slot(&self) -> bool {
        self.outside.is_none_or(|outside| outside.has_slot)
    }
}

/// Begins a [`callback`] whose end is another call. If a section is open and its slot was taken, waits for one; `errno` is as
/// before then. On a plain thread it does nothing.
///
/// # Safety
/// Each call is paired with one [`callback_end`] on the same thread and by the same task, and these pairs and those of [`leave`]
/// and [`enter`] nest. The task does not end in between.
pub unsafe fn callback_begin() -> Begun {
    // SAFETY: as the caller promises.
    unsafe { callback_begin_until(None) }
}

/// The same for code that others wait for: if there is no slot after this time, since all are kept by tasks that do not
/// settle, the callback goes on without one, beside as many tasks as there are workers ([`Begun::has_slot`]). Then the section
/// around it goes on: what waits in it blocks the thread, and interruptions do not reach it.
///
/// # Safety
/// As for [`callback_begin`].
pub unsafe fn callback_begin_within(limit: Duration) -> Begun {
    // SAFETY: as the caller promises.
    unsafe { callback_begin_until(Some(limit)) }
}

/// # Safety
/// As for [`callback_begin`].
unsafe fn callback_begin_until(limit: Option<Duration>) -> Begun {
    let outside = current::around().map(|(thread, task, around)| {
        hold::raise(task, Hold::Callback);
        let target = Target::stored(thread.target.load(Ordering::Relaxed)).unwrap_or(&UNNAMED);
        let has_slot = around.is_none_or(|around| enter_from_all(thread, around, target, limit));
        let depth = around.map(Around::depth);
        Outside {
            section: depth.filter(|_| has_slot).map(|depth| (depth, target)),
            limit: task.deadline.replace(FOREVER),
            has_slot,
        }
    });
    Begun {
        outside,
        not_send: PhantomData,
    }
}

/// As [`enter`] from all sections that are open, for which there may be a limit: see [`callback_begin_within`].
#[inline(always)]
fn enter_from_all(
    thread: &'static Thread,
    around: Around,
    target: &'static Target,
    limit: Option<Duration>,
) -> bool {
    if around.is_marked() {
        return enter_from_marked(around, target, limit);
    }
    current::step_in_from_all();
    thread.lease.enter_unasked() || enter_from_all_asked(thread, around, target, limit)
}

#[cold]
#[inline(never)]
fn enter_from_all_asked(
    thread: &'static Thread,
    around: Around,
    target: &'static Target,
    limit: Option<Duration>,
) -> bool {
    let Some(limit) = limit else {
        enter_asked(thread);
        return true;
    };
    let has_slot = thread.lease.refuse() || claim_within(thread, target, limit);
    if !has_slot {
        current::set_depth(around.depth());
    }
    has_slot
}

/// The same where the outer section is noted.
#[cold]
#[inline(never)]
fn enter_from_marked(around: Around, target: &'static Target, limit: Option<Duration>) -> bool {
    current::set_depth(0);
    let thread = current::step_in().or_else(end_mark);
    thread.is_none_or(|thread| {
        thread.lease.enter_unasked() || enter_from_all_asked(thread, around, target, limit)
    })
}

/// Ends the callback that was begun last: the section around it goes on.
///
/// # Safety
/// As for [`callback_begin`].
pub unsafe fn callback_end(begun: Begun) {
    let (Some(outside), Some((thread, task))) = (begun.outside, current::within()) else {
        return;
    };
    task.deadline.set(outside.limit);
    if let Some((depth, target)) = outside.section {
        current::step_out_into(depth);
        // It was counted when it began.
        if thread.calls.is_of(target) {
            thread.lease.leave();
        } else {
            step_out_to(target, thread, 0);
        }
    }
    hold::lower(task, Hold::Callback);
}

/// A hook that blocked must not have changed it for the code that called it.
#[cold]
fn preserving_errno<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: the address of this thread's `errno`, on which the task stays.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { errno.read() };
    let result = work();
    if !cfg!(feature = "bug_errno_lost") {
        // SAFETY: as above.
        unsafe { errno.write(before) };
    }
    #[cfg(feature = "bug_modes_reset")]
    begin_anew();
    result
}

/// As a seeded fault: who has waited goes on with the floating-point modes with which a thread begins.
#[cfg(feature = "bug_modes_reset")]
fn begin_anew() {
    const TO_NEAREST: libc::c_int = 0;
    // SAFETY: the C library's function of this name.
    unsafe extern "C" {
        safe fn fesetround(mode: libc::c_int) -> libc::c_int;
    }
    assert_eq!(fesetround(TO_NEAREST), 0);
}
