//! A cell for plain data that several threads touch, but never at the same time.
//!
//! The scheduler's records have fields with one owner at a time, where the owner changes by a protocol:
//! a queue link belongs to whoever holds the queue, a stack pointer to whoever claimed the task.
//! The field's doc says who that is; the protocol's release and acquire order the accesses.
//! Under loom each access is checked against that claim.

/// A `Copy` value owned by one thread at a time.
///
/// The type is a promise made by each field's documentation, not one the compiler checks:
/// that is why it is private to this crate and lives in a room for unsafe code.
#[cfg(not(loom))]
pub(crate) struct Plain<T>(std::cell::UnsafeCell<T>);

// SAFETY: every field of this type names its owner and the edge by which ownership passes (module docs);
// two threads never touch one at the same time, and the edges order what they see.
#[cfg(not(loom))]
unsafe impl<T> Sync for Plain<T> {}
// SAFETY: as above; the value itself is `Copy` data or a pointer whose use carries its own argument.
#[cfg(not(loom))]
unsafe impl<T> Send for Plain<T> {}

#[cfg(not(loom))]
impl<T: Copy> Plain<T> {
    pub(crate) const fn new(value: T) -> Self {
        Plain(std::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> T {
        // SAFETY: the caller is the field's owner (module docs), so nobody writes now.
        unsafe { *self.0.get() }
    }

    #[inline(always)]
    pub(crate) fn set(&self, value: T) {
        // SAFETY: the caller is the field's owner (module docs), so nobody else reads or writes now.
        unsafe { *self.0.get() = value }
    }

    pub(crate) fn replace(&self, new: T) -> T {
        let old = self.get();
        self.set(new);
        old
    }

    /// The value's address: for the switch, which writes it from assembly, and for what is too large to copy.
    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *mut T {
        self.0.get()
    }
}

/// loom's cell, which reports two accesses that are not ordered.
#[cfg(loom)]
pub(crate) struct Plain<T>(loom::cell::UnsafeCell<T>);

// SAFETY: as in a build; loom checks it.
#[cfg(loom)]
unsafe impl<T> Sync for Plain<T> {}
// SAFETY: as in a build; loom checks it.
#[cfg(loom)]
unsafe impl<T> Send for Plain<T> {}

#[cfg(loom)]
impl<T: Copy> Plain<T> {
    #[track_caller]
    pub(crate) fn new(value: T) -> Self {
        Plain(loom::cell::UnsafeCell::new(value))
    }

    #[track_caller]
    pub(crate) fn get(&self) -> T {
        // SAFETY: loom has checked that nobody writes now.
        self.0.with(|value| unsafe { *value })
    }

    #[track_caller]
    pub(crate) fn set(&self, new: T) {
        // SAFETY: loom has checked that nobody else is here.
        self.0.with_mut(|value| unsafe { *value = new })
    }

    pub(crate) fn replace(&self, new: T) -> T {
        let old = self.get();
        self.set(new);
        old
    }

    /// The value's address, for what is too large to copy; loom does not see accesses through it.
    pub(crate) fn as_ptr(&self) -> *mut T {
        self.0.with_mut(|value| value)
    }
}

/// As [`Plain`], for a reference to something that stays for ever, at which others may glance: they see what it was a moment
/// ago. To the owner it costs what a plain cell does.
#[cfg(not(loom))]
pub(crate) struct Shown<T: 'static>(std::sync::atomic::AtomicPtr<T>);

#[cfg(not(loom))]
impl<T: Sync + 'static> Shown<T> {
    pub(crate) const fn new() -> Self {
        Shown(std::sync::atomic::AtomicPtr::new(std::ptr::null_mut()))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&'static T> {
        // Relaxed for the owner, whose own store it was; for others see `set`.
        let shown = self.0.load(std::sync::atomic::Ordering::Relaxed);
        // SAFETY: only addresses of shared `'static` references are stored, and null.
        unsafe { shown.as_ref() }
    }

    #[inline(always)]
    pub(crate) fn set(&self, value: Option<&'static T>) {
        let shown = value.map_or(std::ptr::null(), std::ptr::from_ref);
        // Release: who follows the pointer sees what it points to as it was made (an address dependency orders the read).
        self.0
            .store(shown.cast_mut(), std::sync::atomic::Ordering::Release);
    }
}

/// As [`Plain`], for a number or an address at which others may glance. They make sure by other means whose it was.
#[cfg(not(loom))]
pub(crate) struct ShownWord(std::sync::atomic::AtomicU64);

#[cfg(not(loom))]
impl ShownWord {
    pub(crate) const fn new(value: u64) -> Self {
        ShownWord(std::sync::atomic::AtomicU64::new(value))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, std::sync::atomic::Ordering::Relaxed);
    }
}

/// The same for an address that is not followed by who glances.
#[cfg(not(loom))]
pub(crate) struct ShownAddress<T>(std::sync::atomic::AtomicPtr<T>);

#[cfg(not(loom))]
impl<T> ShownAddress<T> {
    pub(crate) const fn new() -> Self {
        ShownAddress(std::sync::atomic::AtomicPtr::new(std::ptr::null_mut()))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> *const T {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn set(&self, value: *const T) {
        self.0
            .store(value.cast_mut(), std::sync::atomic::Ordering::Relaxed);
    }
}

/// In a model nobody glances, and the owner's accesses are checked.
#[cfg(loom)]
pub(crate) type ShownWord = Plain<u64>;

/// As above.
#[cfg(loom)]
pub(crate) struct ShownAddress<T: 'static>(Plain<*const T>);

#[cfg(loom)]
impl<T> ShownAddress<T> {
    pub(crate) fn new() -> Self {
        ShownAddress(Plain::new(std::ptr::null()))
    }

    #[track_caller]
    pub(crate) fn get(&self) -> *const T {
        self.0.get()
    }

    #[track_caller]
    pub(crate) fn set(&self, value: *const T) {
        self.0.set(value);
    }
}

/// As above.
#[cfg(loom)]
pub(crate) struct Shown<T: 'static>(Plain<Option<&'static T>>);

#[cfg(loom)]
impl<T: Sync + 'static> Shown<T> {
    pub(crate) fn new() -> Self {
        Shown(Plain::new(None))
    }

    #[track_caller]
    pub(crate) fn get(&self) -> Option<&'static T> {
        self.0.get()
    }

    #[track_caller]
    pub(crate) fn set(&self, value: Option<&'static T>) {
        self.0.set(value);
    }
}

impl<T> std::fmt::Debug for Plain<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Reading would need the owner's right; Debug may be called from anywhere.
        f.write_str("Plain(..)")
    }
}
