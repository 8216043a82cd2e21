//! An object that others reach through a table of functions: its memory, its count, and what every call has in common.
//!
//! One interface, one object: `QueryInterface` knows the interface itself and `IUnknown`, and answers with the same pointer.
//!
//! Room for unsafe code: the one place where `this` becomes a reference.

use std::any::Any;
use std::ffi::c_void;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use fiberhost_scheduler::{is_interruption, native};

use super::constants::IID_ISequentialStream;
use super::gate::Gate;
use super::guid::Guid;
use super::hresult::Hresult;
use super::table::{IID_IStream, IID_IUnknown};

/// An interface that stands in the list of those that we implement (`implemented!` in `host.rs`).
#[doc(hidden)]
pub trait Listed {}

/// A trait that the host implements, with the table through which others call it. Implemented by `dyn IHost…` alone.
pub trait HostInterface: Listed + Send + Sync + 'static {
    /// What `QueryInterface` is asked for.
    const IID: Guid;

    /// What stands beside the implementation of an object of ours, for calls that go a short way (`quick`).
    #[doc(hidden)]
    type Quick: Default + Send + Sync + 'static;

    /// The address of its table of functions, by which its objects are recognised.
    #[doc(hidden)]
    fn table() -> *const c_void;
}

/// Whose code stands behind an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This crate's: it knows that its task may move at a wait, and needs nothing of its object after the call.
    Host,
    /// An embedder's: its calls keep the task on its thread and the object alive.
    User,
}

#[repr(C)]
struct Object<I: HostInterface + ?Sized> {
    /// First, as the binary interface wants it.
    table: *const c_void,
    origin: Origin,
    gate: &'static Gate,
    implementation: Arc<I>,
    /// What the `Arc` leads to, which a call needs without the detour.
    behind: *const I,
    quick: I::Quick,
}

// SAFETY: the implementation is `Send` and `Sync`, by `HostInterface`; the rest is constant, and `behind` leads to it.
unsafe impl<I: HostInterface + ?Sized> Send for Object<I> {}
// SAFETY: as above.
unsafe impl<I: HostInterface + ?Sized> Sync for Object<I> {}

impl<I: HostInterface + ?Sized> Object<I> {
    fn new(
        gate: &'static Gate,
        origin: Origin,
        implementation: Arc<I>,
        quick: I::Quick,
    ) -> Object<I> {
        gate.add_object();
        Object {
            table: I::table(),
            origin,
            gate,
            behind: Arc::as_ptr(&implementation),
            implementation,
            quick,
        }
    }
}

impl<I: HostInterface + ?Sized> Drop for Object<I> {
    fn drop(&mut self) {
        self.gate.remove_object();
    }
}

/// A counted reference to an object of ours, as a runtime holds one. Cloning it counts; dropping it releases.
///
/// The count is that of the `Arc` in which the object lies.
pub struct ComRef<I: HostInterface + ?Sized>(Arc<Object<I>>);

/// A reference that does not keep the object.
pub(crate) struct WeakRef<I: HostInterface + ?Sized>(Weak<Object<I>>);

impl<I: HostInterface + ?Sized> ComRef<I> {
    /// A new object with one reference.
    pub fn new(gate: &'static Gate, origin: Origin, implementation: Arc<I>) -> ComRef<I> {
        let quick = I::Quick::default();
        ComRef(Arc::new(Object::new(gate, origin, implementation, quick)))
    }

    /// A new object of the host's that is also called a short way.
    pub(crate) fn new_quick(
        gate: &'static Gate,
        implementation: Arc<I>,
        quick: I::Quick,
    ) -> ComRef<I> {
        ComRef(Arc::new(Object::new(
            gate,
            Origin::Host,
            implementation,
            quick,
        )))
    }

    /// A new object of the host's whose implementation knows it.
    pub(crate) fn new_cyclic(
        gate: &'static Gate,
        implementation: impl FnOnce(WeakRef<I>) -> Arc<I>,
    ) -> ComRef<I> {
        ComRef(Arc::new_cyclic(|weak| {
            let implementation = implementation(WeakRef(Weak::clone(weak)));
            Object::new(gate, Origin::Host, implementation, I::Quick::default())
        }))
    }

    /// What stands behind the table.
    pub fn implementation(&self) -> &Arc<I> {
        &self.0.implementation
    }

    /// The pointer by which others know the object. It does not count.
    pub fn as_ptr(&self) -> *mut c_void {
        Arc::as_ptr(&self.0).cast_mut().cast()
    }

    /// The pointer with this reference, which whoever gets it has to release.
    pub fn into_raw(self) -> *mut c_void {
        Arc::into_raw(self.0).cast_mut().cast()
    }

    /// How many references there are at this moment.
    pub fn references(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// A reference of its own to the object behind a pointer that somebody gave back to us.
    ///
    /// # Errors
    /// `E_POINTER` for null, `E_INVALIDARG` for what is no object of this interface of ours.
    ///
    /// # Safety
    /// Unless it is null or misaligned, the pointer leads to an object of some interface, ours or not, for the length of
    /// this call.
    pub unsafe fn from_counted(pointer: *mut c_void) -> Result<ComRef<I>, Hresult> {
        // SAFETY: as the caller promises.
        unsafe { recover::<I>(pointer) }?;
        let object: *const Object<I> = pointer.cast();
        // SAFETY: every object lies in an `Arc`, and this one is there.
        unsafe { Arc::increment_strong_count(object) };
        // SAFETY: the reference that was just counted.
        Ok(ComRef(unsafe { Arc::from_raw(object) }))
    }
}

impl<I: HostInterface + ?Sized> WeakRef<I> {
    /// A counted reference, if the object is still there.
    pub(crate) fn upgrade(&self) -> Option<ComRef<I>> {
        self.0.upgrade().map(ComRef)
    }
}

impl<I: HostInterface + ?Sized> Clone for ComRef<I> {
    fn clone(&self) -> Self {
        ComRef(Arc::clone(&self.0))
    }
}

impl<I: HostInterface + ?Sized> fmt::Debug for ComRef<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ComRef").field(&self.as_ptr()).finish()
    }
}

/// The object behind `this`, in one place for all calls.
///
/// # Safety
/// Unless it is null or misaligned, `this` leads to an object of some interface, ours or not, for the length of the call.
#[inline(always)]
unsafe fn recover<'a, I: HostInterface + ?Sized>(
    this: *mut c_void,
) -> Result<&'a Object<I>, Hresult> {
    let object = this.cast::<Object<I>>();
    if object.is_null() {
        return Err(Hresult::E_POINTER);
    }
    if !object.is_aligned() {
        return Err(Hresult::E_INVALIDARG);
    }
    // SAFETY: every object of every interface begins with the address of its table.
    let table = unsafe { *this.cast::<*const c_void>() };
    if table != I::table() {
        return Err(Hresult::E_INVALIDARG);
    }
    // SAFETY: the table is ours alone, and only objects of this type have it.
    Ok(unsafe { &*object })
}

/// What stands beside the implementation of an object, if it is one of this interface and the gate lets calls in, if that
/// matters.
///
/// # Safety
/// As for [`recover`].
#[inline(always)]
pub(super) unsafe fn quick<'a, I: HostInterface + ?Sized>(
    this: *mut c_void,
    manner: Manner,
) -> Option<&'a I::Quick> {
    // SAFETY: as the caller promises.
    let object = unsafe { recover::<I>(this) }.ok()?;
    let allowed = manner == Manner::Always || object.gate.check().is_ok();
    allowed.then_some(&object.quick)
}

/// How a slot treats the gate and a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// A shut gate refuses it; a panic is `E_FAIL`.
    Usual,
    /// It ends what another call began, or must not be refused: the gate does not matter, and a panic is hidden from a
    /// caller who could do nothing about it.
    Always,
}

/// A call of a method, as every thunk makes it. `outputs` is what the check of the pointers to results said.
///
/// # Safety
/// As for [`recover`].
#[inline(always)]
pub(crate) unsafe fn call<I: HostInterface + ?Sized>(
    this: *mut c_void,
    manner: Manner,
    outputs: Result<(), Hresult>,
    method: impl FnOnce(&I) -> Result<(), Hresult>,
) -> Hresult {
    // SAFETY: as the caller promises.
    let object = match unsafe { recover::<I>(this) } {
        Ok(object) => object,
        Err(error) => return error,
    };
    let gate = object.gate;
    let allowed = match manner {
        Manner::Usual => outputs.and_then(|()| gate.check()),
        Manner::Always => outputs,
    };
    if let Err(error) = allowed {
        return error;
    }
    // SAFETY: the object, which the caller keeps, has it in its `Arc`.
    let implementation = unsafe { &*object.behind };
    let answer = move || match method(implementation) {
        Ok(()) => Hresult::S_OK,
        Err(error) => error,
    };
    let result = if object.origin == Origin::User {
        // SAFETY: it was recovered just now, and the caller has a reference.
        unsafe { call_user::<I>(this.cast(), answer) }
    } else {
        catch_unwind(AssertUnwindSafe(answer))
    };
    // Nothing of the object from here on: what a `Set` has woken may have released it already.
    result.unwrap_or_else(|panic| failed(gate, manner, panic))
}

/// # Safety
/// The object is there, and the caller has a reference to it.
#[cold]
unsafe fn call_user<I: HostInterface + ?Sized>(
    object: *const Object<I>,
    answer: impl FnOnce() -> Hresult,
) -> Result<Hresult, Box<dyn Any + Send>> {
    // SAFETY: every object lies in an `Arc`, and the caller has a reference.
    unsafe { Arc::increment_strong_count(object) };
    let result = {
        let _stay = native::stay();
        if cfg!(feature = "bug_thunk_unwinds") {
            Ok(answer())
        } else {
            catch_unwind(AssertUnwindSafe(answer))
        }
    };
    // SAFETY: the reference that was just counted.
    unsafe { release(object) };
    result
}

/// Gives back a reference, and says how many are left.
///
/// # Safety
/// The object lies in an `Arc`, and one of the references to it is the caller's to give back.
unsafe fn release<I: HostInterface + ?Sized>(object: *const Object<I>) -> u32 {
    // SAFETY: as the caller promises.
    let reference = unsafe { Arc::from_raw(object) };
    let gate = reference.gate;
    let left = Arc::strong_count(&reference) - 1;
    // The destructor may be an embedder's.
    if catch_unwind(AssertUnwindSafe(move || drop(reference))).is_err() {
        gate.fail();
    }
    u32::try_from(left).unwrap_or(u32::MAX)
}

/// What is answered for a method that did not return. A task that was told to end is no failure of the host's.
#[cold]
fn failed(gate: &Gate, manner: Manner, panic: Box<dyn Any + Send>) -> Hresult {
    let interrupted = is_interruption(&*panic);
    // Its destructor may panic in turn.
    let _ = catch_unwind(AssertUnwindSafe(move || drop(panic)));
    if !interrupted {
        gate.fail();
    }
    match manner {
        Manner::Always => Hresult::S_OK,
        Manner::Usual if interrupted => Hresult::HOST_E_ABANDONED,
        Manner::Usual => Hresult::E_FAIL,
    }
}

/// Whether it is the interface that `I` begins with, beside `IUnknown`: only streams have one.
fn is_base<I: HostInterface + ?Sized>(iid: Guid) -> bool {
    I::IID == IID_IStream && iid == IID_ISequentialStream
}

/// The first three slots of the table of `I`.
pub(crate) struct Unknown<I: ?Sized>(std::marker::PhantomData<I>);

impl<I: HostInterface + ?Sized> Unknown<I> {
    /// # Safety
    /// `this` as for [`recover`]; the other pointers are null, misaligned, or valid.
    pub(crate) unsafe extern "system" fn query_interface(
        this: *mut c_void,
        iid: *const Guid,
        found: *mut *mut c_void,
    ) -> Hresult {
        // SAFETY: as the caller promises.
        let output = unsafe { super::argument::clear(found, std::ptr::null_mut()) };
        // SAFETY: as the caller promises.
        if let Err(error) = unsafe { recover::<I>(this) }.map(drop).and(output) {
            return error;
        }
        // SAFETY: as the caller promises.
        match unsafe { super::argument::read(iid) } {
            Ok(iid) if iid == I::IID || iid == IID_IUnknown || is_base::<I>(iid) => {}
            Ok(_) => return Hresult::E_NOINTERFACE,
            Err(_) => return Hresult::E_INVALIDARG,
        }
        // SAFETY: every object lies in an `Arc`, and the caller has a reference.
        unsafe { Arc::increment_strong_count(this.cast::<Object<I>>().cast_const()) };
        // SAFETY: `clear` has found it to be valid.
        unsafe { *found = this };
        Hresult::S_OK
    }

    /// # Safety
    /// As for [`recover`].
    pub(crate) unsafe extern "system" fn add_ref(this: *mut c_void) -> u32 {
        // SAFETY: as the caller promises.
        if unsafe { recover::<I>(this) }.is_err() {
            return 0;
        }
        let object: *const Object<I> = this.cast();
        // SAFETY: every object lies in an `Arc`, and the caller has a reference.
        unsafe { Arc::increment_strong_count(object) };
        // SAFETY: as above; this one is not counted a second time.
        let kept = std::mem::ManuallyDrop::new(unsafe { Arc::from_raw(object) });
        u32::try_from(Arc::strong_count(&kept)).unwrap_or(u32::MAX)
    }

    /// # Safety
    /// As for [`recover`], and the reference is the caller's to give back.
    pub(crate) unsafe extern "system" fn release(this: *mut c_void) -> u32 {
        // SAFETY: as the caller promises.
        match unsafe { recover::<I>(this) } {
            // SAFETY: as the caller promises.
            Ok(_) => unsafe { release::<I>(this.cast()) },
            Err(_) => 0,
        }
    }
}
