//! The way in for a runtime that is written in Rust, and for a host's own code around one: transitions as scopes, and tasks of
//! a runtime that are used again.
//!
//! A scope ends however its closure does: an unwinding sends the same hooks as a return, innermost first.
#![forbid(unsafe_code)]

use std::rc::Rc;

use crate::com::clr::ICLRTask;
use crate::com::{Hresult, ThreadHandle};
use crate::current::{self, Current};
use crate::host::Host;
use crate::transition::{Edge, Frames, State};

/// Ends a transition when it is dropped.
struct Open {
    current: Rc<Current>,
    end: fn(&Frames) -> Result<Edge, Hresult>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let ended = self.current.hook(self.end);
        debug_assert!(ended.is_ok(), "what was begun can be ended");
    }
}

/// A runtime's task that has no task of the host's at this moment: [`Host::recycle`] made it, [`Host::resume`] uses it again.
/// Dropping it gives it back to the runtime.
#[derive(Debug)]
#[must_use = "it is given back to the runtime if it is not kept"]
pub struct Recycled(ICLRTask);

impl Host {
    /// Runs unmanaged code in the calling task, which may block: `LeaveRuntime` before and `EnterRuntime` after it.
    ///
    /// ```
    /// use fiberhost::{Host, State};
    ///
    /// let host = std::sync::Arc::new(Host::builder().build()?);
    /// let inside = std::sync::Arc::clone(&host);
    /// host.scheduler().run(move || {
    ///     let state = || inside.current_task().unwrap().transition();
    ///     let answer = inside.leave(0, || {
    ///         assert_eq!(state(), (State::Native, 1));
    ///         inside.callback(|| state()).unwrap()
    ///     });
    ///     assert_eq!(answer, Ok((State::Managed, 2)));
    ///     assert_eq!(state(), (State::Base, 0));
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// `HOST_E_INVALIDOPERATION` on a thread that is no task, `E_OUTOFMEMORY` if too many transitions are open; the closure
    /// was not called.
    pub fn leave<R>(&self, target: usize, native: impl FnOnce() -> R) -> Result<R, Hresult> {
        let _open = self.open(|frames| frames.leave(target), Frames::enter)?;
        Ok(native())
    }

    /// Runs managed code that unmanaged code calls in the calling task: `ReverseEnterRuntime` before and
    /// `ReverseLeaveRuntime` after it.
    ///
    /// # Errors
    /// As for [`leave`](Host::leave).
    pub fn callback<R>(&self, managed: impl FnOnce() -> R) -> Result<R, Hresult> {
        let _open = self.open(Frames::reverse_enter, Frames::reverse_leave)?;
        Ok(managed())
    }

    fn open(
        &self,
        begin: impl FnOnce(&Frames) -> Result<Edge, Hresult>,
        end: fn(&Frames) -> Result<Edge, Hresult>,
    ) -> Result<Open, Hresult> {
        self.gate().check()?;
        let current = current::find(self.shared()).ok_or(Hresult::HOST_E_INVALIDOPERATION)?;
        current.hook(begin)?;
        Ok(Open { current, end })
    }

    /// Takes the runtime's task off the calling task, which is at its base, for another use (`ICLRTask::Reset`). `full` also
    /// resets what managed code has kept with it. An alert that nobody has taken goes with it.
    ///
    /// # Errors
    /// `HOST_E_INVALIDOPERATION` if there is none, or a transition is open; otherwise what the runtime answers.
    pub fn recycle(&self, full: bool) -> Result<Recycled, Hresult> {
        let (current, clr_task) = self.at_base()?;
        let clr_task = clr_task.ok_or(Hresult::HOST_E_INVALIDOPERATION)?;
        // The task stays the caller's meanwhile: the runtime asks for it.
        clr_task.reset(full)?;
        let taken = current.task().take_clr_task();
        drop(taken);
        current.task().alerts().take();
        Ok(Recycled(clr_task))
    }

    /// Gives the calling task, which is at its base and has none, a runtime's task that was used before
    /// (`ICLRTask::SwitchIn`).
    ///
    /// # Errors
    /// `HOST_E_INVALIDOPERATION` if it has one, or a transition is open; otherwise what the runtime answers. The runtime's
    /// task comes back.
    pub fn resume(&self, recycled: Recycled) -> Result<(), (Recycled, Hresult)> {
        let current = match self.at_base() {
            Ok((current, None)) => current,
            Ok((_, Some(_))) => return Err((recycled, Hresult::HOST_E_INVALIDOPERATION)),
            Err(error) => return Err((recycled, error)),
        };
        match recycled.0.switch_in(ThreadHandle::current()) {
            Ok(_) => {
                let before = current.task().tie(recycled.0);
                drop(before);
                Ok(())
            }
            Err(error) => Err((recycled, error)),
        }
    }

    fn at_base(&self) -> Result<(Rc<Current>, Option<ICLRTask>), Hresult> {
        let current = current::find(self.shared()).ok_or(Hresult::HOST_E_INVALIDOPERATION)?;
        if current.state() != State::Base {
            return Err(Hresult::HOST_E_INVALIDOPERATION);
        }
        let clr_task = current.task().clr_task();
        Ok((current, clr_task))
    }
}
