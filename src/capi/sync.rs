//! What tasks and plain threads wait for together: events, mutexes, semaphores.
//!
//! A wait of a task gives its worker away; one of a plain thread, or in a native section, blocks the thread.

use fiberhost_scheduler::Heed;
use fiberhost_scheduler::sync::{AutoResetEvent, ManualResetEvent, RawMutex, Semaphore};

use super::code::{self, Code, Failure};
use super::{FIBERHOST_FOREVER, Held, Object, answer, ended, guard, limit};

/// An event. It stays set until it is reset, or lets one waiter go on and is reset by that.
pub enum fiberhost_event {}

enum Event {
    Auto(AutoResetEvent),
    Manual(ManualResetEvent),
}

impl Object for Event {
    const KIND: u64 = u64::from_le_bytes(*b"fh:event");
}

/// A lock that knows its owner. Not recursive.
pub enum fiberhost_mutex {}

impl Object for RawMutex {
    const KIND: u64 = u64::from_le_bytes(*b"fh:mutex");
}

/// Permits.
pub enum fiberhost_semaphore {}

impl Object for Semaphore {
    const KIND: u64 = u64::from_le_bytes(*b"fh: sema");
}

/// Makes an event. `manual`: it stays set; otherwise it lets one waiter go on.
///
/// # Safety
/// `event` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_event_create(
    manual: bool,
    set: bool,
    event: *mut *mut fiberhost_event,
) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let place = unsafe { answer(event) }?;
        let made = if manual {
            Event::Manual(ManualResetEvent::new(set))
        } else {
            Event::Auto(AutoResetEvent::new(set))
        };
        *place = Held::give(made).cast();
        Ok(code::FIBERHOST_OK)
    })
}

/// # Safety
/// As for [`Held::look`].
unsafe fn event<'a>(event: *const fiberhost_event) -> Result<&'a Event, Failure> {
    // SAFETY: the same.
    unsafe { Held::look(event.cast()) }
}

/// Sets an event, from anywhere.
///
/// # Safety
/// The event comes from `fiberhost_event_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_event_set(object: *const fiberhost_event) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        match unsafe { event(object) }? {
            Event::Auto(event) => event.set(),
            Event::Manual(event) => event.set(),
        }
        Ok(code::FIBERHOST_OK)
    })
}

/// Resets an event.
///
/// # Safety
/// The event comes from `fiberhost_event_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_event_reset(object: *const fiberhost_event) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        match unsafe { event(object) }? {
            Event::Auto(event) => event.reset(),
            Event::Manual(event) => event.reset(),
        };
        Ok(code::FIBERHOST_OK)
    })
}

/// Waits for an event, for so many nanoseconds.
///
/// # Safety
/// The event comes from `fiberhost_event_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_event_wait(object: *const fiberhost_event, time: u64) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let wake = match unsafe { event(object) }? {
            Event::Auto(event) => event.wait_heeding(limit(time), Heed::Alert),
            Event::Manual(event) => event.wait_heeding(limit(time), Heed::Alert),
        };
        Ok(ended(wake))
    })
}

/// Frees an event. Null is fine.
///
/// # Safety
/// The event comes from `fiberhost_event_create`, and nobody uses it or waits for it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_event_destroy(object: *mut fiberhost_event) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { Held::<Event>::take(object.cast()) }?;
        Ok(code::FIBERHOST_OK)
    })
}

/// Makes a mutex.
///
/// # Safety
/// `mutex` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_mutex_create(mutex: *mut *mut fiberhost_mutex) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        *unsafe { answer(mutex) }? = Held::give(RawMutex::new()).cast();
        Ok(code::FIBERHOST_OK)
    })
}

/// # Safety
/// As for [`Held::look`].
unsafe fn mutex<'a>(mutex: *const fiberhost_mutex) -> Result<&'a RawMutex, Failure> {
    // SAFETY: the same.
    unsafe { Held::look(mutex.cast()) }
}

/// Locks, within so many nanoseconds. `FIBERHOST_E_DEADLOCK` if the caller has it.
///
/// # Safety
/// The mutex comes from `fiberhost_mutex_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_mutex_lock(object: *const fiberhost_mutex, time: u64) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let mutex = unsafe { mutex(object) }?;
        if mutex.is_mine() {
            return Err(code::failure(
                code::FIBERHOST_E_DEADLOCK,
                "the caller has the mutex already",
            ));
        }
        Ok(ended(match time {
            0 if mutex.try_lock() => fiberhost_scheduler::Wake::Signalled,
            0 => fiberhost_scheduler::Wake::TimedOut,
            FIBERHOST_FOREVER => mutex.lock(),
            time => mutex.lock_for(std::time::Duration::from_nanos(time)),
        }))
    })
}

/// Unlocks. `FIBERHOST_E_NOT_OWNER` if the caller does not have it.
///
/// # Safety
/// The mutex comes from `fiberhost_mutex_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_mutex_unlock(object: *const fiberhost_mutex) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let mutex = unsafe { mutex(object) }?;
        match mutex.unlock() {
            Ok(()) => Ok(code::FIBERHOST_OK),
            Err(error) => Err(code::failure(
                code::FIBERHOST_E_NOT_OWNER,
                error.to_string(),
            )),
        }
    })
}

/// Frees a mutex. `FIBERHOST_E_STATE` if somebody has it. Null is fine.
///
/// # Safety
/// The mutex comes from `fiberhost_mutex_create`, and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_mutex_destroy(object: *mut fiberhost_mutex) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        if !object.is_null() && unsafe { mutex(object) }?.is_locked() {
            return Err(code::failure(
                code::FIBERHOST_E_STATE,
                "somebody has the mutex",
            ));
        }
        // SAFETY: the caller's promise.
        unsafe { Held::<RawMutex>::take(object.cast()) }?;
        Ok(code::FIBERHOST_OK)
    })
}

/// Makes a semaphore.
///
/// # Safety
/// `semaphore` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_semaphore_create(
    permits: usize,
    semaphore: *mut *mut fiberhost_semaphore,
) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        *unsafe { answer(semaphore) }? = Held::give(Semaphore::new(permits)).cast();
        Ok(code::FIBERHOST_OK)
    })
}

/// # Safety
/// As for [`Held::look`].
unsafe fn semaphore<'a>(semaphore: *const fiberhost_semaphore) -> Result<&'a Semaphore, Failure> {
    // SAFETY: the same.
    unsafe { Held::look(semaphore.cast()) }
}

/// Takes one permit, within so many nanoseconds.
///
/// # Safety
/// The semaphore comes from `fiberhost_semaphore_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_semaphore_wait(
    object: *const fiberhost_semaphore,
    time: u64,
) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let semaphore = unsafe { semaphore(object) }?;
        Ok(ended(semaphore.wait_heeding(limit(time), Heed::Alert)))
    })
}

/// Brings permits. `FIBERHOST_E_INVALID` if there would be more than can be counted.
///
/// # Safety
/// The semaphore comes from `fiberhost_semaphore_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_semaphore_add(
    object: *const fiberhost_semaphore,
    permits: usize,
) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let semaphore = unsafe { semaphore(object) }?;
        match semaphore.add_within(permits, usize::MAX) {
            Ok(_) => Ok(code::FIBERHOST_OK),
            Err(_) => Err(code::invalid("more permits than can be counted")),
        }
    })
}

/// Frees a semaphore. Null is fine.
///
/// # Safety
/// The semaphore comes from `fiberhost_semaphore_create`, and nobody uses it or waits for it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_semaphore_destroy(object: *mut fiberhost_semaphore) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        unsafe { Held::<Semaphore>::take(object.cast()) }?;
        Ok(code::FIBERHOST_OK)
    })
}
