//! A channel: its state, and how a sender and a receiver meet.
//!
//! Everything happens under the channel's lock, which is held for a few loads and stores; wakes come after it.
//! A waiter has a [`Packet`] on its stack: a sender's holds its item, a receiver's is empty. Who comes second reads or
//! fills it, so that an item changes hands with one wake, and the one woken has nothing left to do.
//!
//! # Whose a packet is
//!
//! 1. the waiter's, before its publish links it and after it was made runnable;
//! 2. the lock's, while it is linked: a waiter whose wait ended otherwise unlinks itself under the lock before it touches it;
//! 3. the claimer's, from the claim of the wait until it makes the waiter runnable. The waiter's stack stays so long:
//!    a task runs only when it is made runnable, and a thread that blocks goes on only with its call.
//!
//! # The other side just before, during, just after
//!
//! Just before: the publish finds the item, or the waiting receiver, or the room, under the lock, and does not wait.
//! During: the lock decides. Just after: it finds the waiter in the list and claims its wait.
//! A claim that fails because a time limit or an interruption came first goes on to the next one, with the item still in
//! hand; a waiter that was interrupted has been given nothing, and a sender's item is still in its packet.
//! A channel that loses its last sender or receiver claims all who wait on the other side and gives them nothing;
//! they look again.
//!
//! # Senders that have no item yet
//!
//! A [`Select`](super::Select) learns what it sends only when one of its operations was chosen. Where there is room, room is
//! *reserved* for it. In a channel without room it is given a receiver instead, one whose wait was claimed for it and that
//! it makes runnable when it sends. A receiver that finds such a sender waiting claims it, and puts itself into its hand:
//! it ends its own wait, which then nothing else can do, and is made runnable by that sender, with an item, or without one
//! if the sender gave its chance away; then it looks again.
//!
//! # Invariants, when the lock is free
//!
//! - no item is in the buffer while a receiver waits;
//! - no sender waits while there is room (which is not reserved);
//! - in a channel without room no sender and receiver wait at the same time, but for those of one and the same select.
//!
//! Those whose wait has ended and who are about to leave the list do not count.
//!
//! Room for unsafe code: packets, by the addresses in the waiters' words.

use std::cell::{Cell, UnsafeCell};

use crate::park::{self, Limit};
use crate::primitive::{AtomicUsize, For, SpinLock};
use crate::runnable::make_runnable;
use crate::suspend::Arm;
use crate::sync::channel::buffer::{Buffer, Chunk, Room};
use crate::sync::until::Until;
use crate::sync::wait_list::{Claimed, WaitList, WaitNode};
use crate::task::Task;
use crate::task::state::Epoch;
use crate::wait::{Interrupt, WaitReason, Wake};

/// A waiter's token: its word is the address of its packet.
pub(super) const HAS_PACKET: u16 = 0;
/// A waiter's token: a select that wants to send; its word is the answer.
pub(super) const WITHOUT_ITEM: u16 = 1;

/// The answer to a select that wants to send: nothing; look again.
pub(super) const AGAIN: u64 = 0;
/// Room is reserved for it. Any other answer is the address of the node of a receiver in its hand.
pub(super) const ROOM: u64 = 1;

/// Where an item lies that changes hands. See the module docs for whose it is.
pub(super) struct Packet<T>(UnsafeCell<Option<T>>);

// SAFETY: an item is moved through it from one thread to another; the module docs say who may touch it when.
unsafe impl<T: Send> Sync for Packet<T> {}

impl<T> Packet<T> {
    pub(super) fn new(item: Option<T>) -> Self {
        Packet(UnsafeCell::new(item))
    }

    /// For the waiter's word.
    pub(super) fn word(&self) -> u64 {
        std::ptr::from_ref(self).expose_provenance() as u64
    }

    /// # Safety
    /// The packet is the caller's (module docs).
    pub(super) unsafe fn put(&self, item: T) {
        // SAFETY: the caller's promise.
        let place = unsafe { &mut *self.0.get() };
        debug_assert!(place.is_none(), "a packet is filled once");
        *place = Some(item);
    }

    /// # Safety
    /// As for [`put`](Packet::put).
    pub(super) unsafe fn take(&self) -> Option<T> {
        // SAFETY: the caller's promise.
        unsafe { (*self.0.get()).take() }
    }

    /// # Safety
    /// As for [`put`](Packet::put).
    pub(super) unsafe fn is_full(&self) -> bool {
        // SAFETY: the caller's promise.
        unsafe { (*self.0.get()).is_some() }
    }
}

/// The packet of a waiter of a channel of `T`.
///
/// # Safety
/// The node stands, or stood until the caller claimed it, in a list of such a channel, with the token [`HAS_PACKET`],
/// and its waiter has not been made runnable since. The answer is not kept beyond that.
unsafe fn packet_of<'a, T>(node: &WaitNode) -> &'a Packet<T> {
    debug_assert_eq!(node.token(), HAS_PACKET);
    let packet = std::ptr::with_exposed_provenance::<Packet<T>>(node.word.get() as usize);
    // SAFETY: the word is the address of the waiter's packet, which stays on its stack (in its select) so long.
    unsafe { &*packet }
}

/// An item for a receiver in the caller's hand, which is made runnable afterwards.
///
/// # Safety
/// As for [`packet_of`].
pub(super) unsafe fn hand_item<T>(receiver: &WaitNode, item: T) {
    // SAFETY: the caller's promise; so the packet is the caller's.
    unsafe { packet_of::<T>(receiver).put(item) }
}

/// The receiver in the hand of a select.
///
/// # Safety
/// The word is an answer that is neither [`AGAIN`] nor [`ROOM`].
pub(super) unsafe fn receiver_in_hand(word: u64) -> &'static WaitNode {
    let node = std::ptr::with_exposed_provenance::<WaitNode>(word as usize);
    // SAFETY: such an answer is the address of a node, and nodes live as long as the process.
    unsafe { &*node }
}

/// The answer by which [`receiver_in_hand`] finds the receiver.
pub(super) fn in_hand(receiver: &'static WaitNode) -> u64 {
    std::ptr::from_ref(receiver).expose_provenance() as u64
}

pub(super) struct Channel<T> {
    pub(super) state: SpinLock<State<T>>,
    /// `None`: no limit.
    pub(super) capacity: Option<usize>,
    pub(super) senders: AtomicUsize,
    pub(super) receivers: AtomicUsize,
}

pub(super) struct State<T> {
    pub(super) buffer: Buffer<T>,
    /// Items that may still come into the buffer, of selects that were chosen.
    pub(super) reserved: usize,
    pub(super) senders: WaitList,
    pub(super) receivers: WaitList,
    pub(super) no_senders: bool,
    pub(super) no_receivers: bool,
}

/// What became of an item.
pub(super) enum Offered<T> {
    /// It is sent; this one is to be made runnable.
    Done(Option<&'static Task>),
    Full(T),
    NoReceivers(T),
    /// The buffer must grow first, outside the lock.
    Grow(T),
}

/// What a receiver finds.
pub(super) enum Taken<T> {
    /// An item; this one is to be made runnable.
    Item(T, Option<&'static Task>),
    Nothing,
    NoSenders,
    /// Nothing, but this sender without an item.
    Meet(&'static WaitNode),
}

/// Why an item was not sent or received in a wait.
pub(super) enum Failed {
    Disconnected,
    Ended(Wake),
}

pub(super) fn wake(woken: Option<&'static Task>) {
    if let Some(task) = woken {
        make_runnable(task);
    }
}

impl<T> State<T> {
    #[inline(always)]
    pub(super) fn has_room(&self, capacity: Option<usize>) -> bool {
        capacity.is_none_or(|capacity| self.buffer.len() + self.reserved < capacity)
    }

    #[inline(always)]
    pub(super) fn offer(&mut self, item: T, capacity: Option<usize>) -> Offered<T> {
        if self.no_receivers {
            return Offered::NoReceivers(item);
        }
        if let Some((task, node)) = self.receivers.claim_first_node() {
            // SAFETY: a receiver that we have just claimed, under the lock of its channel.
            unsafe { hand_item(node, item) };
            return Offered::Done(Some(task));
        }
        if !self.has_room(capacity) {
            return Offered::Full(item);
        }
        match self.buffer.push(item) {
            Ok(()) => Offered::Done(None),
            Err(item) => {
                assert!(capacity.is_none(), "a ring has room for all it may hold");
                Offered::Grow(item)
            }
        }
    }

    #[inline(always)]
    pub(super) fn take(
        &mut self,
        capacity: Option<usize>,
        trash: &mut Option<Chunk<T>>,
    ) -> Taken<T> {
        if let Some(item) = self.buffer.pop(trash) {
            return Taken::Item(item, self.let_sender_in(capacity));
        }
        if capacity == Some(0)
            && let Some(found) = self.take_from_sender()
        {
            return found;
        }
        if self.no_senders {
            Taken::NoSenders
        } else {
            Taken::Nothing
        }
    }

    /// In a channel without room: from the one who has waited longest.
    fn take_from_sender(&mut self) -> Option<Taken<T>> {
        while let Some(node) = self.senders.first() {
            if node.token() == WITHOUT_ITEM {
                return Some(Taken::Meet(node));
            }
            // The twin that a model must catch: it takes the item of a sender that has perhaps given up.
            // SAFETY: as below; in the twin the packet may be the sender's again, who waits for our lock with it.
            let early = cfg!(feature = "bug_channel_packet").then(|| unsafe { take_item(node) });
            if let Some(task) = self.senders.claim_node(node) {
                // SAFETY: a sender with a packet that we have just claimed, under the lock of its channel.
                let item = early.unwrap_or_else(|| unsafe { take_item(node) });
                return Some(Taken::Item(item, Some(task)));
            }
        }
        None
    }

    /// If there is room now: for the sender who has waited longest.
    #[inline(always)]
    pub(super) fn let_sender_in(&mut self, capacity: Option<usize>) -> Option<&'static Task> {
        let forget = cfg!(feature = "bug_channel_room");
        if self.senders.is_empty() || !self.has_room(capacity) || forget {
            return None;
        }
        let (task, node) = self.senders.claim_first_node()?;
        if node.token() == WITHOUT_ITEM {
            self.reserved += 1;
            node.word.set(ROOM);
        } else {
            // SAFETY: a sender with a packet that we have just claimed, under the lock of its channel.
            let item = unsafe { take_item(node) };
            let pushed = self.buffer.push(item);
            assert!(pushed.is_ok(), "a ring has room for all it may hold");
        }
        Some(task)
    }

    /// After a reservation was given back: what may go on now does.
    pub(super) fn balance(&mut self, capacity: Option<usize>) -> Claimed {
        let claimed = Claimed::new();
        loop {
            if !self.buffer.is_empty()
                && let Some((task, node)) = self.receivers.claim_first_node()
            {
                let item = self.buffer.pop(&mut None).expect("looked at just now");
                // SAFETY: a receiver that we have just claimed, under the lock of its channel.
                unsafe { hand_item(node, item) };
                claimed.push(task);
            } else if let Some(task) = self.let_sender_in(capacity) {
                claimed.push(task);
            } else {
                return claimed;
            }
        }
    }

    /// Puts the receiver into the hand of a sender without an item, which is to be made runnable then.
    /// `None`: that sender does not wait any more.
    ///
    /// The caller has ended the receiver's wait, or does so before the lock is free.
    pub(super) fn meet(
        &mut self,
        sender: &'static WaitNode,
        receiver: &'static WaitNode,
    ) -> Option<&'static Task> {
        let task = self.senders.claim_node(sender)?;
        sender.word.set(in_hand(receiver));
        Some(task)
    }
}

/// The item of a sender in the caller's hand.
///
/// # Safety
/// As for [`packet_of`].
unsafe fn take_item<T>(sender: &WaitNode) -> T {
    // SAFETY: the caller's promise; so the packet is the caller's.
    let item = unsafe { packet_of::<T>(sender).take() };
    item.expect("a waiting sender has its item")
}

impl<T> Channel<T> {
    pub(super) fn new(capacity: Option<usize>) -> Self {
        Channel {
            state: SpinLock::new(
                For::Channel,
                State {
                    buffer: Buffer::with_room(capacity.unwrap_or(0)),
                    reserved: 0,
                    senders: WaitList::new(),
                    receivers: WaitList::new(),
                    no_senders: false,
                    no_receivers: false,
                },
            ),
            capacity,
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(1),
        }
    }

    /// Sends without waiting.
    #[inline]
    pub(super) fn offer(&self, item: T) -> Offered<T> {
        let mut item = item;
        loop {
            let mut state = self.state.lock();
            let offered = state.offer(item, self.capacity);
            match offered {
                Offered::Grow(back) => {
                    let wanted = state.buffer.wanted_rest();
                    drop(state);
                    self.grow(wanted);
                    item = back;
                }
                Offered::Done(Some(task)) => {
                    drop(state);
                    make_runnable(task);
                    return Offered::Done(None);
                }
                offered => return offered,
            }
        }
    }

    #[cold]
    fn grow(&self, wanted_rest: usize) {
        let room = Room::new(wanted_rest);
        let left = self.state.lock().buffer.accept(room);
        drop(left);
    }

    /// Receives without waiting; the one to wake is woken.
    #[inline]
    pub(super) fn take(&self) -> Taken<T> {
        let mut trash = None;
        let mut state = self.state.lock();
        let mut taken = state.take(self.capacity, &mut trash);
        drop(state);
        if let Taken::Item(_, woken) = &mut taken {
            wake(woken.take());
        }
        taken
    }

    /// Sends where room was reserved.
    ///
    /// # Errors
    /// With the item, if no receiver is left.
    pub(super) fn send_reserved(&self, item: T) -> Result<(), T> {
        let mut state = self.state.lock();
        state.reserved -= 1;
        match state.offer(item, self.capacity) {
            Offered::Done(woken) => {
                // If the item went straight to a receiver, the room is free.
                let others = state.balance(self.capacity);
                drop(state);
                wake(woken);
                others.for_each(make_runnable);
                Ok(())
            }
            Offered::NoReceivers(item) => Err(item),
            Offered::Full(_) => unreachable!("room was reserved"),
            Offered::Grow(item) => {
                drop(state);
                match self.offer(item) {
                    Offered::NoReceivers(item) => Err(item),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Waits until the item is sent.
    ///
    /// # Errors
    /// With the item.
    #[cold]
    pub(super) fn send_slow(
        &self,
        item: T,
        limit: Limit,
        allow: Interrupt,
    ) -> Result<(), (T, Failed)> {
        let packet = Packet::new(Some(item));
        let refused = Cell::new(false);
        let mut until = Until::new(limit);
        loop {
            let waited = park::wait_listed(
                WaitReason::ChannelSend,
                until.left(),
                allow,
                |task, arm| self.publish_send(&packet, &refused, task, arm),
                |task| self.state.lock().senders.remove(&task.node),
            );
            if waited.wake != Wake::Signalled {
                let wake = park::check(waited.wake);
                return Err((own_item(&packet), Failed::Ended(wake)));
            }
            if refused.get() {
                return Err((own_item(&packet), Failed::Disconnected));
            }
            // SAFETY: the wait is over, so the packet is ours again.
            if !unsafe { packet.is_full() } {
                return Ok(());
            }
        }
    }

    fn publish_send(
        &self,
        packet: &Packet<T>,
        refused: &Cell<bool>,
        task: &'static Task,
        arm: Arm,
    ) -> Option<Epoch> {
        let mut state = self.state.lock();
        match state.offer(own_item(packet), self.capacity) {
            Offered::Done(woken) => {
                drop(state);
                wake(woken);
                None
            }
            Offered::Full(item) => {
                // The twin that a model must catch: a receiver that comes in between finds nobody, and waits as well.
                if cfg!(feature = "bug_channel_look") {
                    drop(state);
                    state = self.state.lock();
                }
                // SAFETY: not linked yet, so the packet is the waiter's, for whom we act.
                unsafe { packet.put(item) };
                let epoch = arm.arm(task);
                task.node.word.set(packet.word());
                state.senders.push(&task.node, task, epoch, HAS_PACKET);
                Some(epoch)
            }
            Offered::Grow(_) => unreachable!("a channel without limit is never full"),
            Offered::NoReceivers(item) => {
                refused.set(true);
                // SAFETY: as above.
                unsafe { packet.put(item) };
                None
            }
        }
    }

    /// Waits for an item.
    #[cold]
    pub(super) fn recv_slow(&self, limit: Limit, allow: Interrupt) -> Result<T, Failed> {
        let packet = Packet::new(None);
        let no_senders = Cell::new(false);
        let mut until = Until::new(limit);
        loop {
            let waited = park::wait_listed(
                WaitReason::ChannelReceive,
                until.left(),
                allow,
                |task, arm| self.publish_recv(&packet, &no_senders, task, Some(arm)),
                |task| self.state.lock().receivers.remove(&task.node),
            );
            if waited.wake != Wake::Signalled {
                return Err(Failed::Ended(park::check(waited.wake)));
            }
            // SAFETY: the wait is over, so the packet is ours again.
            if let Some(item) = unsafe { packet.take() } {
                return Ok(item);
            }
            if no_senders.get() {
                return Err(Failed::Disconnected);
            }
        }
    }

    /// For a receiver that does not wait, in a channel without room: a sender without an item may be there, and that one
    /// needs a moment to bring it.
    #[cold]
    pub(super) fn meet(&self) -> Taken<T> {
        let packet = Packet::new(None);
        let no_senders = Cell::new(false);
        park::wait(
            WaitReason::ChannelReceive,
            Limit::Never,
            Interrupt::Never,
            |task, _| self.publish_recv(&packet, &no_senders, task, None),
        );
        // SAFETY: the wait is over, so the packet is ours again.
        match unsafe { packet.take() } {
            Some(item) => Taken::Item(item, None),
            None if no_senders.get() => Taken::NoSenders,
            None => Taken::Nothing,
        }
    }

    /// `arm`: how to wait if there is nothing; `None`: not at all.
    fn publish_recv(
        &self,
        packet: &Packet<T>,
        no_senders: &Cell<bool>,
        task: &'static Task,
        arm: Option<Arm>,
    ) -> Option<Epoch> {
        let mut trash = None;
        let mut state = self.state.lock();
        loop {
            match state.take(self.capacity, &mut trash) {
                Taken::Item(item, woken) => {
                    // SAFETY: not linked, so the packet is the waiter's, for whom we act.
                    unsafe { packet.put(item) };
                    drop(state);
                    wake(woken);
                    return None;
                }
                Taken::NoSenders => {
                    no_senders.set(true);
                    return None;
                }
                Taken::Nothing => {
                    let epoch = arm?.arm(task);
                    task.node.word.set(packet.word());
                    state.receivers.push(&task.node, task, epoch, HAS_PACKET);
                    return Some(epoch);
                }
                Taken::Meet(sender) => {
                    let Some(woken) = state.meet(sender, &task.node) else {
                        continue;
                    };
                    let epoch = task.wait.arm(Interrupt::Never);
                    let mine = task.wait.claim(epoch, Wake::Signalled, 0);
                    assert!(mine, "nobody else knows of this wait");
                    task.node.word.set(packet.word());
                    task.node.stand_for(task, epoch, HAS_PACKET);
                    drop(state);
                    make_runnable(woken);
                    return Some(epoch);
                }
            }
        }
    }

    /// The last sender has gone.
    #[cold]
    pub(super) fn lose_senders(&self) {
        let mut state = self.state.lock();
        // The twin that a model must catch: whoever begins to wait in between is not told.
        if cfg!(feature = "bug_channel_gone") {
            let woken = state.receivers.claim_all();
            drop(state);
            woken.for_each(make_runnable);
            self.state.lock().no_senders = true;
            return;
        }
        state.no_senders = true;
        let woken = state.receivers.claim_all();
        drop(state);
        woken.for_each(make_runnable);
    }

    /// The last receiver has gone: nobody will want the items.
    #[cold]
    pub(super) fn lose_receivers(&self) {
        let mut state = self.state.lock();
        let woken = state.senders.claim_all();
        // The twin that a model must catch: whoever begins to wait in between is not told.
        if cfg!(feature = "bug_channel_left") {
            drop(state);
            state = self.state.lock();
        }
        state.no_receivers = true;
        let items = std::mem::take(&mut state.buffer);
        drop(state);
        woken.for_each(make_runnable);
        drop(items);
    }
}

/// The caller is the waiter, or acts for it before it is linked.
fn own_item<T>(packet: &Packet<T>) -> T {
    // SAFETY: so the packet is the caller's.
    let item = unsafe { packet.take() };
    item.expect("an item that is not sent is in its packet")
}
