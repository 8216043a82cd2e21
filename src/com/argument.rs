//! From the words of a call to checked values, and from values to what is written to a caller's pointers.
//!
//! Room for unsafe code: reading and writing through the pointers of a call.

use std::ffi::c_void;
use std::ptr::NonNull;

use super::Enumeration;
#[cfg(feature = "net")]
use super::clr::ICLRIoCompletionManager;
use super::clr::{ClrInterface, Raw};
use super::constants::{
    CALL_OR_QUEUE, EClrEvent, EClrFailure, EClrOperation, EContextType, EMemoryCriticalLevel,
    EPolicyAction, MALLOC_TYPE, QUEUE_ONLY, WAIT_OPTION,
};
use super::guid::Guid;
use super::hresult::Hresult;
use super::object::{ComRef, HostInterface};
use super::table::ThreadStartRoutine;

/// Reads through a pointer.
///
/// # Safety
/// It is null, misaligned, or valid for reads.
pub(crate) unsafe fn read<T: Copy>(pointer: *const T) -> Result<T, Hresult> {
    if pointer.is_null() {
        return Err(Hresult::E_POINTER);
    }
    if !pointer.is_aligned() {
        return Err(Hresult::E_INVALIDARG);
    }
    // SAFETY: neither null nor misaligned, so valid, as the caller promises.
    Ok(unsafe { *pointer })
}

/// Checks a pointer to a result and clears what it leads to.
///
/// # Safety
/// It is null, misaligned, or valid for writes.
#[inline(always)]
pub(crate) unsafe fn clear<T>(pointer: *mut T, nothing: T) -> Result<(), Hresult> {
    if pointer.is_null() {
        return Err(Hresult::E_POINTER);
    }
    if !pointer.is_aligned() && !cfg!(feature = "bug_pointer_check") {
        return Err(Hresult::E_INVALIDARG);
    }
    // SAFETY: neither null nor misaligned, so valid, as the caller promises.
    unsafe { pointer.write(nothing) };
    Ok(())
}

/// An argument, from the words that carry it.
pub(crate) trait Argument: Sized {
    type Words;

    /// # Safety
    /// Pointers among the words are null, misaligned, or what the method's declaration says.
    unsafe fn check(words: Self::Words) -> Result<Self, Hresult>;
}

macro_rules! any_number {
    ($($number:ty)*) => {$(
        impl Argument for $number {
            type Words = ($number,);

            #[inline(always)]
            unsafe fn check((number,): Self::Words) -> Result<Self, Hresult> {
                Ok(number)
            }
        }
    )*};
}
any_number!(u32 i32 i64 u64 usize);

impl Argument for bool {
    type Words = (i32,);

    unsafe fn check((number,): Self::Words) -> Result<Self, Hresult> {
        Ok(number != 0)
    }
}

impl Argument for WAIT_OPTION {
    type Words = (u32,);

    #[inline(always)]
    unsafe fn check((number,): Self::Words) -> Result<Self, Hresult> {
        if WAIT_OPTION::has_all_bits_of(number) {
            Ok(WAIT_OPTION(number))
        } else {
            Err(Hresult::E_INVALIDARG)
        }
    }
}

impl Argument for MALLOC_TYPE {
    type Words = (u32,);

    unsafe fn check((number,): Self::Words) -> Result<Self, Hresult> {
        if MALLOC_TYPE::has_all_bits_of(number) {
            Ok(MALLOC_TYPE(number))
        } else {
            Err(Hresult::E_INVALIDARG)
        }
    }
}

macro_rules! one_of {
    ($($enumeration:ty)*) => {$(
        impl Argument for $enumeration {
            type Words = (u32,);

            unsafe fn check((number,): Self::Words) -> Result<Self, Hresult> {
                if <$enumeration>::has(number) {
                    Ok(Self::from_number(number))
                } else {
                    Err(Hresult::E_INVALIDARG)
                }
            }
        }
    )*};
}
one_of!(EClrEvent EClrOperation EClrFailure EContextType EMemoryCriticalLevel EPolicyAction);

impl Argument for Guid {
    type Words = (*const Guid,);

    unsafe fn check((pointer,): Self::Words) -> Result<Self, Hresult> {
        // SAFETY: as the caller promises.
        unsafe { read(pointer) }.map_err(|_| Hresult::E_INVALIDARG)
    }
}

/// An object of the runtime that is given to us: the handle counts for itself.
impl<I: ClrInterface> Argument for I {
    type Words = (*mut c_void,);

    unsafe fn check((pointer,): Self::Words) -> Result<Self, Hresult> {
        let pointer = NonNull::new(pointer).ok_or(Hresult::E_POINTER)?;
        if !pointer.cast::<*const c_void>().is_aligned() {
            return Err(Hresult::E_INVALIDARG);
        }
        // SAFETY: the declaration says that it leads to an object, which begins with its table.
        if super::host::is_table_of_ours(unsafe { pointer.cast::<*const c_void>().read() }) {
            return Err(Hresult::E_INVALIDARG);
        }
        // SAFETY: as the caller promises, for the length of the call, in which the handle counts.
        Ok(I::from_handle(unsafe { Raw::counted(pointer) }))
    }
}

/// An object of ours that comes back: the reference counts for itself.
impl<I: HostInterface + ?Sized> Argument for ComRef<I> {
    type Words = (*mut c_void,);

    unsafe fn check((pointer,): Self::Words) -> Result<Self, Hresult> {
        // SAFETY: the declaration says that it leads to an object.
        unsafe { ComRef::from_counted(pointer) }
    }
}

/// What the system calls a handle, as a number: a descriptor, a port, a token. Nobody follows it here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(pub usize);

impl Handle {
    /// No handle.
    pub const NULL: Handle = Handle(0);

    /// Whether it is none.
    pub fn is_null(self) -> bool {
        self == Handle::NULL
    }
}

impl Argument for Handle {
    type Words = (*mut c_void,);

    unsafe fn check((pointer,): Self::Words) -> Result<Self, Hresult> {
        Ok(Handle(pointer.addr()))
    }
}

impl Output for Handle {
    type Word = *mut c_void;
    const NOTHING: *mut c_void = std::ptr::null_mut();

    fn word(self) -> *mut c_void {
        std::ptr::without_provenance_mut(self.0)
    }
}

/// Whether a work item may run on the thread that queues it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFlags {
    /// It may; otherwise it must not.
    pub may_run_here: bool,
}

impl Argument for QueueFlags {
    type Words = (u32,);

    unsafe fn check((number,): Self::Words) -> Result<Self, Hresult> {
        match number {
            QUEUE_ONLY | CALL_OR_QUEUE => Ok(QueueFlags {
                may_run_here: number == CALL_OR_QUEUE,
            }),
            _ => Err(Hresult::E_INVALIDARG),
        }
    }
}

/// A function of the runtime with its argument: what a task or a work item is to run, once.
///
/// The runtime vouches for the pair when it hands it over, so that running it is safe.
#[derive(Debug)]
#[must_use = "the runtime waits for it to be run"]
pub struct Work {
    function: ThreadStartRoutine,
    context: *mut c_void,
}

// SAFETY: the runtime hands it over to be run on another thread.
unsafe impl Send for Work {}

impl Work {
    /// A function and its argument.
    ///
    /// # Safety
    /// The function may be called with this argument, once, on any thread.
    pub unsafe fn new(function: ThreadStartRoutine, context: *mut c_void) -> Work {
        Work { function, context }
    }

    /// That it may run anywhere, as a value.
    pub(crate) fn promise(&self) -> Promise {
        Promise(())
    }

    /// Runs it on the calling task. Returns what the function returned.
    pub fn run(self) -> u32 {
        // SAFETY: whoever made it promised that.
        unsafe { (self.function)(self.context) }
    }
}

/// There was a [`Work`], whose maker promised that it may run on any thread.
#[derive(Debug)]
pub(crate) struct Promise(());

impl Promise {
    /// A runtime that takes completions takes them on any task at its base.
    #[cfg(feature = "net")]
    pub(crate) fn of_completions(_: &ICLRIoCompletionManager) -> Promise {
        Promise(())
    }
}

impl Argument for Work {
    type Words = (Option<ThreadStartRoutine>, *mut c_void);

    unsafe fn check((function, context): Self::Words) -> Result<Self, Hresult> {
        // SAFETY: the declaration of the methods that take it says so.
        function
            .map(|function| unsafe { Work::new(function, context) })
            .ok_or(Hresult::E_POINTER)
    }
}

/// Where the name of a file is, as a number: it is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileName(pub usize);

impl Argument for FileName {
    type Words = (*mut std::ffi::c_char,);

    unsafe fn check((pointer,): Self::Words) -> Result<Self, Hresult> {
        Ok(FileName(pointer.addr()))
    }
}

/// A result, and what is written to the pointer for it.
pub(crate) trait Output: Sized {
    type Word: Copy;
    const NOTHING: Self::Word;

    /// What is written. A reference goes to whoever reads it.
    fn word(self) -> Self::Word;

    /// # Safety
    /// The pointer is null, misaligned, or valid for writes.
    #[inline(always)]
    unsafe fn clear(pointer: *mut Self::Word) -> Result<(), Hresult> {
        // SAFETY: as the caller promises.
        unsafe { clear(pointer, Self::NOTHING) }
    }

    /// # Safety
    /// [`clear`](Output::clear) has just found the pointer to be right.
    #[inline(always)]
    unsafe fn write(self, pointer: *mut Self::Word) {
        // SAFETY: as the caller promises.
        unsafe { pointer.write(self.word()) };
    }
}

macro_rules! plain_output {
    ($($number:ty)*) => {$(
        impl Output for $number {
            type Word = $number;
            const NOTHING: $number = 0;

            #[inline(always)]
            fn word(self) -> $number {
                self
            }
        }
    )*};
}
plain_output!(u32 i32 u64 usize);

impl Output for bool {
    type Word = i32;
    const NOTHING: i32 = 0;

    #[inline(always)]
    fn word(self) -> i32 {
        i32::from(self)
    }
}

impl<I: HostInterface + ?Sized> Output for ComRef<I> {
    type Word = *mut c_void;
    const NOTHING: *mut c_void = std::ptr::null_mut();

    #[inline(always)]
    fn word(self) -> *mut c_void {
        self.into_raw()
    }
}

/// One that need not be there.
impl<I: HostInterface + ?Sized> Output for Option<ComRef<I>> {
    type Word = *mut c_void;
    const NOTHING: *mut c_void = std::ptr::null_mut();

    fn word(self) -> *mut c_void {
        self.map_or(std::ptr::null_mut(), ComRef::into_raw)
    }
}

/// An object of the runtime that goes back to it.
impl<I: ClrInterface> Output for Option<I> {
    type Word = *mut c_void;
    const NOTHING: *mut c_void = std::ptr::null_mut();

    fn word(self) -> *mut c_void {
        self.map_or(std::ptr::null_mut(), ClrInterface::into_raw)
    }
}

/// A reference to an object of any interface of ours.
#[derive(Debug)]
pub struct Manager(*mut c_void);

impl<I: HostInterface + ?Sized> From<ComRef<I>> for Manager {
    fn from(object: ComRef<I>) -> Manager {
        Manager(object.into_raw())
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // SAFETY: it was made of a counted reference, which goes with it.
        drop(unsafe { Raw::owned(NonNull::new_unchecked(self.0)) });
    }
}

impl Output for Manager {
    type Word = *mut c_void;
    const NOTHING: *mut c_void = std::ptr::null_mut();

    fn word(self) -> *mut c_void {
        let pointer = self.0;
        std::mem::forget(self);
        pointer
    }
}

/// A result for which a null pointer means that nobody wants it.
#[derive(Clone, Copy, Debug)]
pub struct Optional<T>(pub T);

macro_rules! optional_output {
    ($($number:ty)*) => {$(
        impl Output for Optional<$number> {
            type Word = $number;
            const NOTHING: $number = 0;

            fn word(self) -> $number {
                self.0
            }

            unsafe fn clear(pointer: *mut $number) -> Result<(), Hresult> {
                if pointer.is_null() {
                    return Ok(());
                }
                // SAFETY: as the caller promises.
                unsafe { clear(pointer, 0) }
            }

            unsafe fn write(self, pointer: *mut $number) {
                if !pointer.is_null() {
                    // SAFETY: `clear` has found it to be right.
                    unsafe { pointer.write(self.0) };
                }
            }
        }
    )*};
}
optional_output!(i32 u32 u64);

/// The OS thread that is given to a runtime for a task: what the thread library calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThreadHandle(pub(super) *mut c_void);

impl ThreadHandle {
    /// The calling thread. Never inlined: asked again after a wait it is asked anew.
    #[inline(never)]
    pub fn current() -> ThreadHandle {
        // SAFETY: the call takes nothing and cannot fail.
        let thread = unsafe { libc::pthread_self() };
        ThreadHandle(std::ptr::with_exposed_provenance_mut(
            std::hint::black_box(thread) as usize,
        ))
    }
}
