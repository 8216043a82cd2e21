//! The stacks of simulated threads, and the switch from one to another.
//!
//! A simulated thread is what a thread of the system is to a scheduler: its stack is left in the middle of whatever runs
//! on it, a worker's loop or a task, and gone on with later. Stacks are used again for later threads, also of later
//! simulations on other threads of the system.
//!
//! Room for unsafe code: the switch, and the start of a stack.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::Mutex;

use corosensei::stack::{DefaultStack, Stack};

use super::switch::{self, Root};

/// Where a simulated thread goes on, and what it runs.
pub(crate) struct Place {
    sp: Cell<usize>,
    /// `None`: the thread of the system that was there first runs on its own stack.
    stack: Option<Ours>,
    /// Taken when it begins.
    life: RefCell<Option<Box<dyn FnOnce()>>>,
    /// What it does after its life: it switches away for good.
    over: fn() -> !,
}

struct Ours {
    stack: DefaultStack,
    size: usize,
}

/// Stacks that nobody is on.
static UNUSED: Mutex<Vec<Ours>> = Mutex::new(Vec::new());
const UNUSED_MAX: usize = 64;

impl Place {
    /// That of the thread which is there already.
    pub(crate) fn outermost() -> Box<Place> {
        Box::new(Place {
            sp: Cell::new(0),
            stack: None,
            life: RefCell::new(None),
            over: || unreachable!("it is not begun by a simulation"),
        })
    }

    /// One on which this life begins when it is switched to. After it comes `over`, which switches away for good.
    pub(crate) fn new(
        size: usize,
        life: Box<dyn FnOnce()>,
        over: fn() -> !,
    ) -> io::Result<Box<Place>> {
        let place = Box::new(Place {
            sp: Cell::new(0),
            stack: Some(stack(size)?),
            life: RefCell::new(Some(life)),
            over,
        });
        place.begin();
        Ok(place)
    }

    fn begin(&self) {
        let base = self
            .stack
            .as_ref()
            .map_or(0, |ours| ours.stack.base().get());
        let root = ((base - size_of::<Root>()) & !15) as *mut Root;
        // SAFETY: the top of a stack of ours on which nobody runs, aligned, and with room below.
        unsafe {
            root.write(Root {
                frame: [0; 2],
                argument: std::ptr::from_ref(self).addr(),
                _pad: 0,
            });
            self.sp.set(switch::prepare_thread(root));
        }
    }

    /// Leaves the stack of this thread, which the caller is, for that of another; returns when somebody switches back.
    ///
    /// # Safety
    /// Both are threads of one simulation, on the thread of the system that calls; the other one is neither running nor over,
    /// and both stay where they are until they are over.
    pub(crate) unsafe fn switch_to(&self, other: &Place) {
        // SAFETY: the caller's promise: `other` was left by this function, or has not begun.
        unsafe { switch::switch(self.sp.as_ptr(), other.sp.get(), 0) };
    }
}

impl Drop for Place {
    /// Only of a thread that is over or has not begun.
    fn drop(&mut self) {
        let Some(ours) = self.stack.take() else {
            return;
        };
        let mut unused = UNUSED.lock().expect("nobody panics with it");
        if unused.len() < UNUSED_MAX {
            unused.push(ours);
        }
    }
}

/// A stack of at least this size.
fn stack(size: usize) -> io::Result<Ours> {
    let mut unused = UNUSED.lock().expect("nobody panics with it");
    if let Some(at) = unused.iter().position(|ours| ours.size == size) {
        return Ok(unused.swap_remove(at));
    }
    drop(unused);
    let stack = DefaultStack::new(size)?;
    Ok(Ours { stack, size })
}

/// The first function on a stack.
pub(super) extern "C" fn main(place: *const Place) -> ! {
    // SAFETY: the argument that `begin` has put there; a place stays where it is until its thread is over.
    let (life, over) = unsafe { ((*place).life.take(), (*place).over) };
    life.expect("a thread begins once")();
    over()
}
