//! Channels: items from any number of senders to any number of receivers, each to one.
//!
//! [`bounded`] channels hold so many items, and a sender waits for room; one without room is a rendezvous: each item goes
//! from the sender's hand to the receiver's. [`unbounded`] channels grow, and a sender never waits.
//! Items are received in the order in which they were sent. Senders and receivers can be cloned; when all of one side are
//! gone the other side is told: receivers when they have received what was sent, senders at once.
//!
//! Waits without a limit ([`Sender::send`], [`Receiver::recv`]) end early if the task is
//! [cancelled](crate::TaskRef::cancel); those with a limit also if it is [alerted](crate::TaskRef::alert). The errors say
//! so, and bring an item back that was not sent. An [abort](crate::TaskRef::abort) unwinds.
//!
//! [`Select`] waits for several channels at once.
//!
//! ```
//! use fiberhost_scheduler::sync::channel;
//! let sum: u32 = fiberhost_scheduler::run(|| {
//!     let (sender, receiver) = channel::bounded(2);
//!     for first in [0, 100] {
//!         let sender = sender.clone();
//!         fiberhost_scheduler::spawn(move || (first..first + 10).try_for_each(|item| sender.send(item)));
//!     }
//!     drop(sender);
//!     receiver.iter().sum()
//! });
//! assert_eq!(sum, 1090);
//! ```

// Room for unsafe code: below this file, in `state` and `select`.

mod buffer;
mod error;
mod select;
mod state;

use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;
use std::time::Duration;

use crate::park::Limit;
use crate::primitive::{Ordering, simulated};
use crate::wait::{Interrupt, Wake};
use state::{Channel, Failed, Offered, Taken};

pub use error::{
    RecvError, RecvTimeoutError, SelectTimeoutError, SendError, SendTimeoutError, TryRecvError,
    TrySelectError, TrySendError,
};
pub use select::{Select, SelectedOperation};

/// A channel that holds so many items. With none it is a rendezvous: a send ends when the item was received.
///
/// Room for all of them is made at once.
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    make(Some(capacity))
}

/// A channel that holds as many items as come.
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    make(None)
}

fn make<T>(capacity: Option<usize>) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel::new(capacity));
    let sender = Sender {
        channel: Arc::clone(&channel),
    };
    (sender, Receiver { channel })
}

/// The side of a channel to which items go. Cloning it is cheap; the clones are of the same channel.
pub struct Sender<T> {
    channel: Arc<Channel<T>>,
}

/// The side of a channel from which items come. Cloning it is cheap; the clones share the items.
pub struct Receiver<T> {
    channel: Arc<Channel<T>>,
}

impl<T> Sender<T> {
    /// Sends an item, and waits for room if there is none.
    ///
    /// # Errors
    /// The item, if no receiver is left or the task was cancelled in the wait.
    #[inline]
    pub fn send(&self, item: T) -> Result<(), SendError<T>> {
        self.point();
        match self.channel.offer(item) {
            Offered::Full(item) => self
                .channel
                .send_slow(item, Limit::Never, Interrupt::Abort)
                .map_err(|(item, failed)| match failed {
                    Failed::Disconnected => SendError::disconnected(item),
                    Failed::Ended(_) => SendError::cancelled(item),
                }),
            Offered::NoReceivers(item) => Err(SendError::disconnected(item)),
            _ => Ok(()),
        }
    }

    /// Sends an item if there is room; in a rendezvous, if a receiver waits.
    ///
    /// # Errors
    /// The item, if there is no room or no receiver is left.
    #[inline]
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        match self.channel.offer(item) {
            Offered::Full(item) => Err(TrySendError::Full(item)),
            Offered::NoReceivers(item) => Err(TrySendError::Disconnected(item)),
            _ => Ok(()),
        }
    }

    /// Sends an item, and waits for room as long as the limit says.
    ///
    /// # Errors
    /// The item, if the limit passed, no receiver is left, or the task was alerted or cancelled in the wait.
    #[inline]
    pub fn send_for(&self, item: T, limit: Duration) -> Result<(), SendTimeoutError<T>> {
        self.point();
        match self.channel.offer(item) {
            Offered::Full(item) => self
                .channel
                .send_slow(item, Limit::After(limit), Interrupt::Alert)
                .map_err(|(item, failed)| match failed {
                    Failed::Disconnected => SendTimeoutError::Disconnected(item),
                    Failed::Ended(Wake::TimedOut) => SendTimeoutError::Timeout(item),
                    Failed::Ended(wake) => SendTimeoutError::Interrupted(item, wake),
                }),
            Offered::NoReceivers(item) => Err(SendTimeoutError::Disconnected(item)),
            _ => Ok(()),
        }
    }

    /// A send that never waits may be made with a lock of the thread in hand.
    #[inline(always)]
    fn point(&self) {
        if self.channel.capacity.is_some() {
            simulated::point();
        }
    }

    /// Whether both are of one channel.
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }
}

impl<T> Receiver<T> {
    /// Receives an item, and waits for one if there is none.
    ///
    /// # Errors
    /// If no sender is left and all items were received, or the task was cancelled in the wait.
    #[inline]
    pub fn recv(&self) -> Result<T, RecvError> {
        simulated::point();
        match self.channel.take() {
            Taken::Item(item, _) => Ok(item),
            Taken::NoSenders => Err(RecvError::DISCONNECTED),
            Taken::Nothing | Taken::Meet(_) => self
                .channel
                .recv_slow(Limit::Never, Interrupt::Abort)
                .map_err(|failed| match failed {
                    Failed::Disconnected => RecvError::DISCONNECTED,
                    Failed::Ended(_) => RecvError::CANCELLED,
                }),
        }
    }

    /// Receives an item if there is one; in a rendezvous, if a sender waits.
    ///
    /// # Errors
    /// If there is no item, or no sender is left and all items were received.
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut taken = self.channel.take();
        if let Taken::Meet(_) = taken {
            taken = self.channel.meet();
        }
        match taken {
            Taken::Item(item, _) => Ok(item),
            Taken::NoSenders => Err(TryRecvError::Disconnected),
            Taken::Nothing | Taken::Meet(_) => Err(TryRecvError::Empty),
        }
    }

    /// Receives an item, and waits for one as long as the limit says.
    ///
    /// # Errors
    /// If the limit passed, no sender is left and all items were received, or the task was alerted or cancelled in the wait.
    #[inline]
    pub fn recv_for(&self, limit: Duration) -> Result<T, RecvTimeoutError> {
        simulated::point();
        match self.channel.take() {
            Taken::Item(item, _) => Ok(item),
            Taken::NoSenders => Err(RecvTimeoutError::Disconnected),
            Taken::Nothing | Taken::Meet(_) => self
                .channel
                .recv_slow(Limit::After(limit), Interrupt::Alert)
                .map_err(|failed| match failed {
                    Failed::Disconnected => RecvTimeoutError::Disconnected,
                    Failed::Ended(Wake::TimedOut) => RecvTimeoutError::Timeout,
                    Failed::Ended(wake) => RecvTimeoutError::Interrupted(wake),
                }),
        }
    }

    /// The items as they come, until [`recv`](Receiver::recv) fails.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// The items that are there; it does not wait.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { receiver: self }
    }

    /// Whether both are of one channel.
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }

    /// How many wait to receive.
    #[cfg(any(loom, shuttle))]
    pub(crate) fn waiting(&self) -> usize {
        self.channel.state.lock().receivers.len()
    }
}

macro_rules! both_sides {
    ($($side:ident, $count:ident, $lose:ident;)*) => {$(
        impl<T> $side<T> {
            /// How many items are in the channel at this moment.
            pub fn len(&self) -> usize {
                self.channel.state.lock().buffer.len()
            }

            /// Whether no item is in the channel at this moment; none ever is in a rendezvous.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Whether there is no room at this moment; there never is in a rendezvous.
            pub fn is_full(&self) -> bool {
                !self.channel.state.lock().has_room(self.channel.capacity)
            }

            /// How many items the channel holds; `None`: as many as come.
            pub fn capacity(&self) -> Option<usize> {
                self.channel.capacity
            }
        }

        impl<T> Clone for $side<T> {
            fn clone(&self) -> Self {
                // Relaxed: the caller has one, so the count does not come to nought meanwhile.
                self.channel.$count.fetch_add(1, Ordering::Relaxed);
                $side { channel: Arc::clone(&self.channel) }
            }
        }

        impl<T> Drop for $side<T> {
            fn drop(&mut self) {
                // AcqRel: what the others did with theirs comes before the other side is told.
                if self.channel.$count.fetch_sub(1, Ordering::AcqRel) == 1 {
                    self.channel.$lose();
                }
            }
        }

        impl<T> fmt::Debug for $side<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($side))
                    .field("capacity", &self.channel.capacity)
                    .finish_non_exhaustive()
            }
        }
    )*};
}

both_sides! {
    Sender, senders, lose_senders;
    Receiver, receivers, lose_receivers;
}

/// The items of a channel; see [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    receiver: &'a Receiver<T>,
}

/// The items that are there; see [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T> {
    receiver: &'a Receiver<T>,
}

/// The items of a channel, with its receiver; see [`Receiver::iter`].
#[derive(Debug)]
pub struct IntoIter<T> {
    receiver: Receiver<T>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<T> FusedIterator for Iter<'_, T> {}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<T> FusedIterator for IntoIter<T> {}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;
    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;
    fn into_iter(self) -> IntoIter<T> {
        IntoIter { receiver: self }
    }
}
