//! Why a task waits, and what ended the wait: the two words in which the task's side and the worker's side meet.
#![forbid(unsafe_code)]

use std::fmt;

/// What ended a wait. Every wait ends in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wake {
    /// What was waited for has happened.
    Signalled,
    /// The time limit passed first.
    TimedOut,
    /// Somebody called [`TaskRef::alert`](crate::TaskRef::alert).
    Alerted,
    /// The task was cancelled or aborted, or its scheduler shuts down.
    Aborted,
}

impl Wake {
    pub(crate) const fn bits(self) -> u64 {
        match self {
            Wake::Signalled => 0,
            Wake::TimedOut => 1,
            Wake::Alerted => 2,
            Wake::Aborted => 3,
        }
    }

    pub(crate) const fn from_bits(bits: u64) -> Wake {
        match bits & 3 {
            0 => Wake::Signalled,
            1 => Wake::TimedOut,
            2 => Wake::Alerted,
            _ => Wake::Aborted,
        }
    }
}

/// What a parked task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum WaitReason {
    /// It does not wait.
    None,
    /// [`park`](crate::park): for a permit.
    Park,
    /// [`sleep`](crate::sleep).
    Sleep,
    /// The end of another task.
    Join,
    /// The end of a scope's tasks.
    Scope,
    /// Room below the limit on live tasks.
    Admission,
    /// A [`Mutex`](crate::sync::Mutex).
    Mutex,
    /// A [`RwLock`](crate::sync::RwLock), shared.
    RwLockRead,
    /// A [`RwLock`](crate::sync::RwLock), exclusive.
    RwLockWrite,
    /// A [`Condvar`](crate::sync::Condvar).
    Condvar,
    /// A [`Semaphore`](crate::sync::Semaphore).
    Semaphore,
    /// An event.
    Event,
    /// A [`Barrier`](crate::sync::Barrier).
    Barrier,
    /// A [`Once`](crate::sync::Once) that somebody else runs.
    Once,
    /// Room in a channel.
    ChannelSend,
    /// An item from a channel.
    ChannelReceive,
    /// One of several channels.
    Select,
    /// The cancelling of a [`CancelToken`](crate::CancelToken).
    Cancel,
    /// A descriptor: something to read, a connection to accept, or its end.
    Readable,
    /// A descriptor: room to write, or the end of its connecting.
    Writable,
    /// A future that `block_on` drives.
    Future,
}

impl WaitReason {
    pub(crate) const COUNT: usize = 21;
    const ALL: [WaitReason; WaitReason::COUNT] = [
        WaitReason::None,
        WaitReason::Park,
        WaitReason::Sleep,
        WaitReason::Join,
        WaitReason::Scope,
        WaitReason::Admission,
        WaitReason::Mutex,
        WaitReason::RwLockRead,
        WaitReason::RwLockWrite,
        WaitReason::Condvar,
        WaitReason::Semaphore,
        WaitReason::Event,
        WaitReason::Barrier,
        WaitReason::Once,
        WaitReason::ChannelSend,
        WaitReason::ChannelReceive,
        WaitReason::Select,
        WaitReason::Cancel,
        WaitReason::Readable,
        WaitReason::Writable,
        WaitReason::Future,
    ];

    /// All but [`None`](WaitReason::None).
    pub fn all() -> impl Iterator<Item = WaitReason> {
        Self::ALL.into_iter().skip(1)
    }

    /// Its name, as it prints.
    pub const fn name(self) -> &'static str {
        match self {
            WaitReason::None => "None",
            WaitReason::Park => "Park",
            WaitReason::Sleep => "Sleep",
            WaitReason::Join => "Join",
            WaitReason::Scope => "Scope",
            WaitReason::Admission => "Admission",
            WaitReason::Mutex => "Mutex",
            WaitReason::RwLockRead => "RwLockRead",
            WaitReason::RwLockWrite => "RwLockWrite",
            WaitReason::Condvar => "Condvar",
            WaitReason::Semaphore => "Semaphore",
            WaitReason::Event => "Event",
            WaitReason::Barrier => "Barrier",
            WaitReason::Once => "Once",
            WaitReason::ChannelSend => "ChannelSend",
            WaitReason::ChannelReceive => "ChannelReceive",
            WaitReason::Select => "Select",
            WaitReason::Cancel => "Cancel",
            WaitReason::Readable => "Readable",
            WaitReason::Writable => "Writable",
            WaitReason::Future => "Future",
        }
    }

    pub(crate) const fn from_bits(bits: u8) -> WaitReason {
        if (bits as usize) < Self::ALL.len() {
            Self::ALL[bits as usize]
        } else {
            WaitReason::None
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What may end a wait besides what is waited for and its time limit, where the caller's frames must not be unwound:
/// for code that is called from languages that know nothing of unwinding.
///
/// Such a wait says how it ended, also to a task that was aborted: whoever called decides what becomes of that.
///
/// In a native section ([`native::section`](crate::native::section)) waits block the thread and heed nothing of this, but for
/// alerts to the thread, if that was asked for ([`thread_alerts`](crate::thread_alerts)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Heed {
    /// Nothing at all. A task in such a wait survives a shutdown that does not bring what it waits for.
    Nothing,
    /// That the task is cancelled or aborted, or its scheduler shuts down.
    Cancel,
    /// That, and an alert. Other waits leave an alert for the next one that heeds it.
    Alert,
}

impl Heed {
    pub(crate) fn interrupt(self) -> Interrupt {
        match self {
            Heed::Nothing => Interrupt::Never,
            Heed::Cancel => Interrupt::Abort,
            Heed::Alert => Interrupt::Alert,
        }
    }
}

/// Which interruptions may end a wait besides its own end and its time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// None at all: a scope's wait for its children.
    Never,
    /// Only an abort that unwinds: waits that have no way to report anything (`Mutex::lock`).
    Unwind,
    /// Cancel and abort, but no alert.
    Abort,
    /// Everything.
    Alert,
}
