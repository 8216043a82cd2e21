//! Why a join has no result.
#![forbid(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::io;
use std::panic::resume_unwind;

use crate::deadlock::Deadlock;
use crate::wait::Wake;

/// Why a task has no result.
pub struct JoinError(Why);

enum Why {
    Panic(Box<dyn Any + Send>),
    Cancelled,
    Refused(io::Error),
    Itself,
    /// Boxed: a result lies in its task's record, and the smaller it is, the fewer lines of that a join reads.
    Deadlock(Box<Deadlock>),
    Interrupted(Word),
}

/// It takes a whole word, so that an error is copied word by word.
#[repr(align(8))]
struct Word(Wake);

impl JoinError {
    pub(crate) fn panic(payload: Box<dyn Any + Send>) -> Self {
        JoinError(Why::Panic(payload))
    }

    pub(crate) fn cancelled() -> Self {
        JoinError(Why::Cancelled)
    }

    pub(crate) fn refused(error: io::Error) -> Self {
        JoinError(Why::Refused(error))
    }

    pub(crate) fn itself() -> Self {
        JoinError(Why::Itself)
    }

    pub(super) fn of_circle(deadlock: Deadlock) -> Self {
        JoinError(Why::Deadlock(Box::new(deadlock)))
    }

    pub(crate) fn interrupted(wake: Wake) -> Self {
        JoinError(Why::Interrupted(Word(wake)))
    }

    /// The task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.0, Why::Panic(_))
    }

    /// The task was aborted, or its scheduler was shut down before it started.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Why::Cancelled)
    }

    /// The system refused the task's stack or thread; its closure was dropped without having been called.
    pub fn is_refused(&self) -> bool {
        matches!(self.0, Why::Refused(_))
    }

    /// A task tried to join itself, or the join was one of a circle of tasks that wait for each other, and was refused or
    /// broken.
    pub fn is_deadlock(&self) -> bool {
        matches!(self.0, Why::Itself | Why::Deadlock(_))
    }

    /// That circle, unless the task joined itself.
    pub fn deadlock(&self) -> Option<&Deadlock> {
        match &self.0 {
            Why::Deadlock(deadlock) => Some(deadlock),
            _ => None,
        }
    }

    /// The wait for the task was alerted or cancelled; the task itself goes on.
    pub fn is_interrupted(&self) -> bool {
        matches!(self.0, Why::Interrupted(_))
    }

    /// What the task panicked with.
    ///
    /// # Panics
    /// If it did not panic.
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self.0 {
            Why::Panic(payload) => payload,
            _ => panic!("the task did not panic: {self}"),
        }
    }

    /// Goes on with the task's panic in the caller, or panics with what went wrong.
    pub(crate) fn resume(self) -> ! {
        match self.0 {
            Why::Panic(payload) => resume_unwind(payload),
            _ => panic!("{self}"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Panic(payload) => {
                let text = payload.downcast_ref::<&str>().copied();
                let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
                write!(
                    f,
                    "the task panicked: {}",
                    text.unwrap_or("(a value that is no text)")
                )
            }
            Why::Cancelled => f.write_str("the task was cancelled"),
            Why::Refused(error) => write!(f, "the task could not start: {error}"),
            Why::Itself => f.write_str("a task cannot join itself"),
            Why::Deadlock(deadlock) => write!(f, "the join would never end: {deadlock}"),
            Why::Interrupted(Word(wake)) => {
                write!(f, "the wait for the task was interrupted ({wake:?})")
            }
        }
    }
}

impl std::error::Error for JoinError {}
