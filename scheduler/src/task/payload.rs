//! The closure of a task before it runs, and its result afterwards, in the record itself where they fit.
//!
//! Where one of them does not fit it lies on the heap, in a *room* that is made before the task is: a spawn may be refused
//! memory and say so, the end of a task could not.
//!
//! Room for unsafe code: the types are erased here, and only here.
//!
//! The functions say what the content is: there are those of a closure and those of each kind of result.
//!
//! | content | who put it there | who takes it |
//! |---|---|---|
//! | nothing | | |
//! | closure | `fill`, before the task is queued | `run` on the task's own stack, or `discard` |
//! | result | `run`, or `fail` for a task that never ran | `take` by the joiner, or `discard` with the last reference |
//!
//! A *plain* result is one whose drop does nothing. Any other may wait in its destructor, so that of a task that nobody can
//! join any more is dropped on the task's own stack (`finish.rs`).

use std::alloc::{Layout, alloc};
use std::any::Any;
use std::mem::{MaybeUninit, align_of, size_of};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::join::JoinError;
use crate::primitive::Plain;

const WORDS: usize = 12;
type Buffer = [u64; WORDS];

/// What the type-erased functions of one task are, while it has this content.
pub(crate) struct Vtable {
    content: Content,
    run: unsafe fn(&Payload) -> Left,
    drop_closure: unsafe fn(&Payload),
    /// For a result that will not come.
    drop_room: unsafe fn(&Payload),
    fail: unsafe fn(&Payload, JoinError),
    drop_result: unsafe fn(&Payload),
}

/// What the drop of a result does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    Nothing,
    Drops,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Closure,
    Result,
    PlainResult,
}

/// See the module docs. Owner: whoever the table names for the content.
#[repr(C)]
pub(crate) struct Payload {
    /// `None`: nothing is there.
    vtable: Plain<Option<&'static Vtable>>,
    buffer: Plain<MaybeUninit<Buffer>>,
    /// Where the result will go if it does not fit; not used otherwise. It is there until `put`.
    room: Plain<*mut ()>,
}

/// What a task touches whose closure and result are three words: a number or nothing, and room for an error.
#[cfg(not(any(loom, shuttle)))]
pub(super) const HEAD: usize = 4 * size_of::<u64>();

#[cfg(not(any(loom, shuttle)))]
const _: () = assert!(size_of::<Kept<u64>>() == HEAD - size_of::<u64>());

/// What a task leaves.
type Kept<T> = Result<T, JoinError>;

/// Where a closure and its result go that do not fit into a record; for those that do, nothing.
///
/// It is asked for before anything else of the spawn is done, so that a refusal leaves nothing to undo.
pub(crate) struct Room<F, T> {
    closure: Option<Box<MaybeUninit<F>>>,
    result: Option<Box<MaybeUninit<Kept<T>>>>,
}

impl<F, T> Room<F, T> {
    /// `None`: memory was refused.
    #[inline(always)]
    pub(crate) fn new() -> Option<Self> {
        let mut room = Room {
            closure: None,
            result: None,
        };
        if !fits::<F>() {
            room.closure = Some(try_box()?);
        }
        if !fits::<Kept<T>>() {
            room.result = Some(try_box()?);
        }
        Some(room)
    }
}

/// A box for a value, or `None` if memory was refused.
#[cold]
pub(crate) fn try_box<V>() -> Option<Box<MaybeUninit<V>>> {
    let layout = Layout::new::<V>();
    if layout.size() == 0 {
        return Some(Box::new_uninit());
    }
    // SAFETY: the layout is not empty.
    let memory = unsafe { alloc(layout) }.cast::<MaybeUninit<V>>();
    // SAFETY: it was allocated as a box of this type is, and nobody else has it.
    (!memory.is_null()).then(|| unsafe { Box::from_raw(memory) })
}

impl Payload {
    pub(crate) fn new() -> Self {
        Payload {
            vtable: Plain::new(None),
            buffer: Plain::new(MaybeUninit::uninit()),
            room: Plain::new(std::ptr::null_mut()),
        }
    }

    /// Puts the closure in. The record is the caller's alone.
    #[inline(always)]
    pub(crate) fn fill<F, T>(&self, room: Room<F, T>, closure: F)
    where
        F: FnOnce() -> T,
    {
        debug_assert!(self.content().is_none(), "a payload is filled once");
        if let Some(room) = room.result {
            self.room.set(Box::into_raw(room).cast());
        }
        match room.closure {
            Some(room) => self.write(Box::write(room, closure)),
            None => self.write(closure),
        }
        self.say(const { &vtable::<F, T>(Content::Closure) });
    }

    /// Calls the closure and keeps its result or its panic. On the task's own stack.
    #[inline(always)]
    pub(crate) fn run(&self) -> Left {
        debug_assert!(self.content() == Some(Content::Closure), "a task runs once");
        // SAFETY: the vtable was made for what `fill` put in, and it is still there.
        unsafe { (self.vtable().run)(self) }
    }

    /// Drops the closure without calling it and puts an error in the result's place.
    pub(crate) fn fail(&self, error: JoinError) {
        debug_assert!(
            self.content() == Some(Content::Closure),
            "only a task that never ran fails"
        );
        let vtable = self.vtable();
        self.vtable.set(None);
        // SAFETY: the closure is there; nothing says so any more, so it is dropped once even if that panics.
        let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { (vtable.drop_closure)(self) }));
        let error = match dropped {
            Ok(()) => error,
            Err(payload) => JoinError::panic(payload),
        };
        // SAFETY: nothing is in the buffer, and the vtable knows the result's type.
        unsafe { (vtable.fail)(self, error) };
    }

    /// Takes the result.
    ///
    /// # Safety
    /// `T` is the type that the closure returned, and the task is done.
    #[inline(always)]
    pub(crate) unsafe fn take<T>(&self) -> Result<T, JoinError> {
        assert!(self.vtable.get().is_some(), "a result is taken once");
        debug_assert!(
            self.content() != Some(Content::Closure),
            "the end of a task leaves a result"
        );
        self.vtable.set(None);
        // SAFETY: the caller names the type, and the result is there.
        unsafe { self.get::<Kept<T>>() }
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.vtable.get().is_none()
    }

    /// Drops whatever is left. The record is the caller's alone.
    #[inline(always)]
    pub(crate) fn discard(&self) {
        if let Some(vtable) = self.vtable.get() {
            self.discard_content(vtable);
        }
    }

    #[cold]
    fn discard_content(&self, vtable: &'static Vtable) {
        self.vtable.set(None);
        contain(|| match vtable.content {
            Content::PlainResult => {}
            Content::Closure => {
                // SAFETY: the closure was not called, so there is a room if there ever was one, and nobody asks for it again.
                unsafe { (vtable.drop_room)(self) };
                // SAFETY: the vtable said it is there, and is gone.
                unsafe { (vtable.drop_closure)(self) };
            }
            // SAFETY: as above.
            Content::Result => unsafe { (vtable.drop_result)(self) },
        });
    }

    #[inline(always)]
    fn content(&self) -> Option<Content> {
        self.vtable.get().map(|vtable| vtable.content)
    }

    /// Says what was put in.
    #[inline(always)]
    fn say(&self, vtable: &'static Vtable) {
        self.vtable.set(Some(vtable));
    }

    fn vtable(&self) -> &'static Vtable {
        self.vtable
            .get()
            .expect("a filled payload has its functions")
    }

    /// Writes a result into the buffer, or a box of it: the room that was made for it.
    ///
    /// # Safety
    /// It is the result of the closure that was filled in, and the first one.
    #[inline(always)]
    unsafe fn put<T>(&self, result: Kept<T>) {
        if fits::<Kept<T>>() {
            self.write(result);
        } else {
            // SAFETY: the caller's promise.
            self.write(Box::write(unsafe { self.take_room::<T>() }, result));
        }
    }

    /// The room for a result that does not fit.
    ///
    /// # Safety
    /// The closure that was filled in returns a `T`, whose result does not fit; the room was not taken yet.
    unsafe fn take_room<T>(&self) -> Box<MaybeUninit<Kept<T>>> {
        // SAFETY: `fill` has put it there, out of a box of this type.
        unsafe { Box::from_raw(self.room.get().cast()) }
    }

    /// Writes what fits into the buffer, which holds nothing that would need dropping.
    #[inline(always)]
    fn write<V>(&self, value: V) {
        assert!(fits::<V>(), "what does not fit is boxed");
        // SAFETY: it fits, and the buffer is aligned for it.
        unsafe { self.at::<V>().write(value) }
    }

    /// Reads the value back out.
    ///
    /// # Safety
    /// The last thing that was put in was a `V`, and it was not read since.
    #[inline(always)]
    unsafe fn get<V>(&self) -> V {
        if fits::<V>() {
            // SAFETY: the caller's promise.
            unsafe { self.at::<V>().read() }
        } else {
            // SAFETY: the caller's promise; `put` boxed it.
            unsafe { *self.at::<Box<V>>().read() }
        }
    }

    #[inline(always)]
    fn at<V>(&self) -> *mut V {
        self.buffer.as_ptr().cast()
    }
}

/// Calls destructors of the user's where a panic has nobody to go to: it has printed its message, and its value is dropped.
/// If that panics as well, what it panics with is leaked: this must end somewhere.
pub(crate) fn contain(destructors: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(destructors)) else {
        return;
    };
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
}

const fn fits<V>() -> bool {
    size_of::<V>() <= size_of::<Buffer>() && align_of::<V>() <= align_of::<Buffer>()
}

const fn vtable<F: FnOnce() -> T, T>(content: Content) -> Vtable {
    Vtable {
        content,
        run: run::<F, T>,
        // SAFETY (of the calls): `Payload` calls each only for the content it is for.
        drop_closure: |payload| drop(unsafe { payload.get::<F>() }),
        drop_room: |payload| {
            if !fits::<Kept<T>>() {
                drop(unsafe { payload.take_room::<T>() });
            }
        },
        fail: |payload, error| {
            unsafe { payload.put::<T>(Err(error)) };
            payload.say(const { &vtable::<F, T>(Content::Result) });
        },
        drop_result: |payload| drop(unsafe { payload.get::<Kept<T>>() }),
    }
}

/// # Safety
/// The payload holds an `F`.
unsafe fn run<F: FnOnce() -> T, T>(payload: &Payload) -> Left {
    // SAFETY: the caller's promise.
    let closure = unsafe { payload.get::<F>() };
    payload.vtable.set(None);
    let result = match catch_unwind(AssertUnwindSafe(closure)) {
        Ok(value) => Ok(value),
        Err(panic) => Err(to_error(panic)),
    };
    let plain = !std::mem::needs_drop::<T>() && result.is_ok();
    // SAFETY: that of the closure, which was called once.
    unsafe { payload.put::<T>(result) };
    if plain {
        payload.say(const { &vtable::<F, T>(Content::PlainResult) });
        Left::Nothing
    } else {
        payload.say(const { &vtable::<F, T>(Content::Result) });
        Left::Drops
    }
}

#[cold]
fn to_error(panic: Box<dyn Any + Send>) -> JoinError {
    crate::park::ended_by(panic)
}
