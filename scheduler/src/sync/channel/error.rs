//! What can go wrong at a channel: nobody is left on the other side, there is no room or no item, the time is up, or the
//! task was told to stop. An item that was not sent comes back in the error.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;

use crate::wait::Wake;

/// The item was not sent: no receiver is left, or the task was cancelled while it waited for room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T> {
    item: T,
    cancelled: bool,
}

impl<T> SendError<T> {
    pub(super) fn disconnected(item: T) -> Self {
        SendError {
            item,
            cancelled: false,
        }
    }

    pub(super) fn cancelled(item: T) -> Self {
        SendError {
            item,
            cancelled: true,
        }
    }

    /// The item.
    pub fn into_inner(self) -> T {
        self.item
    }

    /// No receiver is left, and none will come.
    pub fn is_disconnected(&self) -> bool {
        !self.cancelled
    }

    /// The task was cancelled while it waited.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled
    }
}

/// The item was not sent, without waiting.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// There is no room (in a channel without room: no receiver waits).
    Full(T),
    /// No receiver is left.
    Disconnected(T),
}

impl<T> TrySendError<T> {
    /// The item.
    pub fn into_inner(self) -> T {
        match self {
            TrySendError::Full(item) | TrySendError::Disconnected(item) => item,
        }
    }

    /// There is no room.
    pub fn is_full(&self) -> bool {
        matches!(self, TrySendError::Full(_))
    }

    /// No receiver is left.
    pub fn is_disconnected(&self) -> bool {
        matches!(self, TrySendError::Disconnected(_))
    }
}

/// The item was not sent in time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// The time limit passed.
    Timeout(T),
    /// No receiver is left.
    Disconnected(T),
    /// The task was alerted, cancelled or aborted while it waited: which one, says the [`Wake`].
    Interrupted(T, Wake),
}

impl<T> SendTimeoutError<T> {
    /// The item.
    pub fn into_inner(self) -> T {
        match self {
            SendTimeoutError::Timeout(item)
            | SendTimeoutError::Disconnected(item)
            | SendTimeoutError::Interrupted(item, _) => item,
        }
    }

    /// The time limit passed.
    pub fn is_timeout(&self) -> bool {
        matches!(self, SendTimeoutError::Timeout(_))
    }

    /// No receiver is left.
    pub fn is_disconnected(&self) -> bool {
        matches!(self, SendTimeoutError::Disconnected(_))
    }
}

/// There is no item: no sender is left and all items were received, or the task was cancelled while it waited.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RecvError {
    cancelled: bool,
}

impl RecvError {
    pub(super) const DISCONNECTED: RecvError = RecvError { cancelled: false };
    pub(super) const CANCELLED: RecvError = RecvError { cancelled: true };

    /// No sender is left, and all items were received.
    pub fn is_disconnected(&self) -> bool {
        !self.cancelled
    }

    /// The task was cancelled while it waited.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled
    }
}

/// There is no item, without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// None at this moment.
    Empty,
    /// No sender is left, and all items were received.
    Disconnected,
}

/// There was no item in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvTimeoutError {
    /// The time limit passed.
    Timeout,
    /// No sender is left, and all items were received.
    Disconnected,
    /// The task was alerted, cancelled or aborted while it waited: which one, says the [`Wake`].
    Interrupted(Wake),
}

/// No operation of a [`Select`](super::Select) was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrySelectError(pub(super) ());

/// No operation of a [`Select`](super::Select) was ready in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectTimeoutError {
    /// The time limit passed.
    Timeout,
    /// The task was alerted, cancelled or aborted while it waited: which one, says the [`Wake`].
    Interrupted(Wake),
}

const NO_RECEIVER: &str = "no receiver is left";
const NO_SENDER: &str = "no sender and no item is left";
const NO_TIME: &str = "the time limit passed";
const CANCELLED: &str = "the task was cancelled";

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.cancelled {
            CANCELLED
        } else {
            NO_RECEIVER
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrySendError::Full(_) => f.write_str("the channel is full"),
            TrySendError::Disconnected(_) => f.write_str(NO_RECEIVER),
        }
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendTimeoutError::Timeout(_) => f.write_str(NO_TIME),
            SendTimeoutError::Disconnected(_) => f.write_str(NO_RECEIVER),
            SendTimeoutError::Interrupted(_, wake) => interrupted(f, *wake),
        }
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.cancelled { CANCELLED } else { NO_SENDER })
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "the channel is empty",
            TryRecvError::Disconnected => NO_SENDER,
        })
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvTimeoutError::Timeout => f.write_str(NO_TIME),
            RecvTimeoutError::Disconnected => f.write_str(NO_SENDER),
            RecvTimeoutError::Interrupted(wake) => interrupted(f, *wake),
        }
    }
}

impl fmt::Display for TrySelectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no operation is ready")
    }
}

impl fmt::Display for SelectTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SelectTimeoutError::Timeout => f.write_str(NO_TIME),
            SelectTimeoutError::Interrupted(wake) => interrupted(f, *wake),
        }
    }
}

fn interrupted(f: &mut fmt::Formatter<'_>, wake: Wake) -> fmt::Result {
    write!(f, "the wait was interrupted ({wake:?})")
}

// Items need not be `Debug`: they are left out.
impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendError({self})")
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrySendError({self})")
    }
}

impl<T> fmt::Debug for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SendTimeoutError({self})")
    }
}

impl fmt::Debug for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecvError({self})")
    }
}

impl<T> Error for SendError<T> {}
impl<T> Error for TrySendError<T> {}
impl<T> Error for SendTimeoutError<T> {}
impl Error for RecvError {}
impl Error for TryRecvError {}
impl Error for RecvTimeoutError {}
impl Error for TrySelectError {}
impl Error for SelectTimeoutError {}
