//! Waiting for several channels at once.
//!
//! # Steps
//!
//! 1. *start*: each operation is tried, from a random one on, under its channel's lock. One that can be done is chosen:
//!    a receive has its item in its packet, a send has room reserved or a receiver in its hand (`state` has the words).
//! 2. *publish*: if none can, one wait is armed and a node of each operation is linked in its channel's list, one lock after
//!    the other. If an operation can be done by now, the wait is taken back and everything begins again.
//! 3. *leave*: after the wait, whatever ended it, all nodes are unlinked, one lock after the other.
//! 4. whoever claimed the wait has chosen: one packet is full, or one answer is not *again*. Otherwise everything begins
//!    again: a channel has lost its other side, or somebody gave a chance away.
//!
//! # The other side just before, during, just after
//!
//! Each channel is looked at and joined under its lock, so the other side of that channel comes before and is seen, or comes
//! after and finds the node. One that claims the wait while later channels are still being joined makes the task runnable
//! before the publish is over: the publish holds a lock of its own all the while, which the task takes before step 3.
//! The claim ends the wait once, so at most one operation is chosen, and the others' channels find a wait that is over.
//!
//! Room for unsafe code: packets, and the type of a chosen operation.

use std::fmt;
use std::time::Duration;

use crate::current;
use crate::park::{self, Limit};
use crate::primitive::{AtomicBool, For, Ordering, SpinLock};
use crate::runnable::make_runnable;
use crate::sync::channel::error::{RecvError, SelectTimeoutError, SendError, TrySelectError};
use crate::sync::channel::state::{
    AGAIN, Channel, HAS_PACKET, Packet, ROOM, Taken, WITHOUT_ITEM, hand_item, in_hand,
    receiver_in_hand,
};
use crate::sync::channel::{Receiver, Sender};
use crate::sync::until::Until;
use crate::sync::wait_list::SpareNode;
use crate::task::Task;
use crate::task::state::Epoch;
use crate::wait::{Interrupt, WaitReason, Wake};

/// Waits until one of several operations on channels can be done, and lets the caller do that one.
///
/// An operation on a channel whose other side is gone can be done: it fails at once. If several can be done, a random one
/// is chosen.
///
/// ```
/// use fiberhost_scheduler::sync::channel::{Select, bounded};
/// fiberhost_scheduler::run(|| {
///     let (numbers, from_numbers) = bounded(1);
///     let (words, from_words) = bounded(1);
///     fiberhost_scheduler::spawn(move || numbers.send(7));
///     let mut select = Select::new();
///     let number = select.recv(&from_numbers);
///     let word = select.recv(&from_words);
///     let chosen = select.select();
///     match chosen.index() {
///         index if index == number => assert_eq!(chosen.recv(&from_numbers), Ok(7)),
///         index if index == word => assert_eq!(chosen.recv(&from_words), Ok("seven")),
///         _ => unreachable!(),
///     }
///     drop(words);
/// });
/// ```
#[derive(Default)]
pub struct Select<'a> {
    /// By their index; `None`: removed.
    operations: Vec<Option<Box<dyn Operation + Send + Sync + 'a>>>,
}

/// The operation that was chosen, to be done now: the other side may wait for it.
///
/// Dropping it instead gives a send's chance away; a receive's item is dropped with it.
#[must_use = "the chosen operation is to be done"]
pub struct SelectedOperation<'a> {
    index: usize,
    operation: Option<&'a (dyn Operation + Send + Sync + 'a)>,
}

impl<'a> Select<'a> {
    /// One without operations.
    pub fn new() -> Self {
        Select::default()
    }

    /// Adds a receive. Returns its index.
    pub fn recv<T: Send>(&mut self, receiver: &'a Receiver<T>) -> usize {
        self.add(Box::new(Receiving {
            channel: &*receiver.channel,
            node: SpareNode::new(),
            packet: Packet::new(None),
            no_senders: AtomicBool::new(false),
        }))
    }

    /// Adds a send. Returns its index. What is sent is said when it was chosen.
    pub fn send<T: Send>(&mut self, sender: &'a Sender<T>) -> usize {
        let node = SpareNode::new();
        node.get().word.set(AGAIN);
        self.add(Box::new(Sending {
            channel: &*sender.channel,
            node,
            no_receivers: AtomicBool::new(false),
        }))
    }

    fn add(&mut self, operation: Box<dyn Operation + Send + Sync + 'a>) -> usize {
        self.operations.push(Some(operation));
        self.operations.len() - 1
    }

    /// Takes an operation out. The others keep their indices.
    ///
    /// # Panics
    /// If there is none with this index.
    pub fn remove(&mut self, index: usize) {
        let removed = self.operations.get_mut(index).and_then(Option::take);
        assert!(removed.is_some(), "there is no operation {index}");
    }

    /// Waits until an operation can be done. Only an [abort](crate::TaskRef::abort) ends that otherwise, by unwinding.
    ///
    /// # Panics
    /// If there are no operations.
    pub fn select(&mut self) -> SelectedOperation<'_> {
        assert!(
            self.operations.iter().any(Option::is_some),
            "a select without operations would wait for ever"
        );
        loop {
            if let Ok(index) = self.wait(Limit::Never, Interrupt::Unwind) {
                return self.chosen(index);
            }
        }
    }

    /// Chooses an operation that can be done at this moment.
    ///
    /// # Errors
    /// None can.
    pub fn try_select(&mut self) -> Result<SelectedOperation<'_>, TrySelectError> {
        let index = match self.start() {
            Started::Chosen(index) => Some(index),
            Started::Meet => self.meet(),
            Started::None => None,
        };
        match index {
            Some(index) => Ok(self.chosen(index)),
            None => Err(TrySelectError(())),
        }
    }

    /// Waits until an operation can be done, as long as the limit says.
    ///
    /// # Errors
    /// The limit passed, or the task was alerted or cancelled.
    pub fn select_for(
        &mut self,
        limit: Duration,
    ) -> Result<SelectedOperation<'_>, SelectTimeoutError> {
        match self.wait(Limit::After(limit), Interrupt::Alert) {
            Ok(index) => Ok(self.chosen(index)),
            Err(Wake::TimedOut) => Err(SelectTimeoutError::Timeout),
            Err(wake) => Err(SelectTimeoutError::Interrupted(wake)),
        }
    }

    fn chosen(&self, index: usize) -> SelectedOperation<'_> {
        let operation = self.operations[index].as_deref();
        SelectedOperation {
            index,
            operation: operation.map(|operation| operation as _),
        }
    }

    fn all(&self) -> impl Iterator<Item = &(dyn Operation + Send + Sync + 'a)> {
        self.operations.iter().filter_map(Option::as_deref)
    }

    /// Step 1.
    fn start(&self) -> Started {
        let count = self.operations.len();
        let first = some_number();
        let mut meet = false;
        for step in 0..count {
            let index = first.wrapping_add(step) % count;
            let Some(operation) = &self.operations[index] else {
                continue;
            };
            match operation.start() {
                Start::Chosen => return Started::Chosen(index),
                Start::Meet => meet = true,
                Start::NotNow => {}
            }
        }
        if meet { Started::Meet } else { Started::None }
    }

    /// All steps, again and again.
    fn wait(&mut self, limit: Limit, allow: Interrupt) -> Result<usize, Wake> {
        let mut until = Until::new(limit);
        loop {
            if let Started::Chosen(index) = self.start() {
                return Ok(index);
            }
            let wake = self.wait_once(until.left(), allow, Joining::AndWait);
            if wake != Wake::Signalled {
                return Err(park::check(wake));
            }
            if let Some(index) = self.find_chosen() {
                return Ok(index);
            }
        }
    }

    /// For one that does not wait: a sender without an item may be there, and that one needs a moment to bring it.
    #[cold]
    fn meet(&self) -> Option<usize> {
        self.wait_once(Limit::Never, Interrupt::Never, Joining::OnlyToMeet);
        self.find_chosen()
    }

    /// Steps 2 and 3.
    fn wait_once(&self, limit: Limit, allow: Interrupt, joining: Joining) -> Wake {
        let publishing = SpinLock::new(For::Channel, ());
        let waited = park::wait(WaitReason::Select, limit, allow, |task, allow| {
            let _until_all_are_joined =
                (!cfg!(feature = "bug_select_publish")).then(|| publishing.lock());
            self.publish(task, allow, joining)
        });
        drop(publishing.lock());
        self.all().for_each(Operation::leave);
        waited.wake
    }

    fn publish(&self, task: &'static Task, allow: Interrupt, joining: Joining) -> Option<Epoch> {
        let epoch = task.wait.arm(allow);
        for operation in self.all() {
            match operation.join(task, epoch, joining) {
                Join::Done => {}
                Join::Over => return Some(epoch),
                Join::Mine => return None,
            }
        }
        match joining {
            Joining::AndWait => Some(epoch),
            // Somebody may have claimed the wait, but for `OnlyToMeet` nobody knows of it.
            Joining::OnlyToMeet => (!task.wait.disarm(epoch)).then_some(epoch),
        }
    }

    /// Step 4.
    fn find_chosen(&self) -> Option<usize> {
        let is_chosen = |operation: &Option<Box<dyn Operation + Send + Sync + 'a>>| {
            operation.as_deref().is_some_and(Operation::is_chosen)
        };
        self.operations.iter().position(is_chosen)
    }
}

/// Some number, often another one.
fn some_number() -> usize {
    // Not the checker's: nothing depends on it.
    static TURNS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    match current::thread() {
        Some(thread) => thread.random() as usize,
        // A checker replays a schedule: the number may not depend on what ran before.
        None if cfg!(any(loom, shuttle)) => 0,
        None => TURNS.fetch_add(1, Ordering::Relaxed),
    }
}

enum Started {
    Chosen(usize),
    Meet,
    None,
}

/// What an operation finds when it is tried.
enum Start {
    Chosen,
    NotNow,
    /// A sender without an item waits.
    Meet,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Joining {
    AndWait,
    /// Nothing is linked: only with senders without an item.
    OnlyToMeet,
}

/// How the wait is after an operation has joined its channel.
enum Join {
    /// On.
    Done,
    /// Ended; the task will be made runnable.
    Over,
    /// Ended by the operation; nobody else makes the task runnable.
    Mine,
}

/// One operation of a select.
trait Operation {
    /// Step 1.
    fn start(&self) -> Start;
    /// Its part of step 2.
    fn join(&self, task: &'static Task, epoch: Epoch, joining: Joining) -> Join;
    /// Its part of step 3.
    fn leave(&self);
    /// Step 4.
    fn is_chosen(&self) -> bool;
    /// It was chosen, but is not done.
    fn give_away(&self);
    /// The channel, and whether it is a send to it: together they say what type the operation has.
    fn channel(&self) -> (*const (), Direction);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Send,
    Receive,
}

/// Ends the own wait because an operation can be done.
fn take_back(task: &'static Task, epoch: Epoch) -> Join {
    if task.wait.disarm(epoch) || cfg!(feature = "bug_select_back") {
        Join::Mine
    } else {
        Join::Over
    }
}

struct Receiving<'a, T> {
    channel: &'a Channel<T>,
    node: SpareNode,
    /// Full: chosen.
    packet: Packet<T>,
    /// Chosen, and there is nothing to receive.
    no_senders: AtomicBool,
}

impl<T: Send> Operation for Receiving<'_, T> {
    fn start(&self) -> Start {
        if self.is_chosen() {
            return Start::Chosen;
        }
        match self.channel.take() {
            Taken::Item(item, _) => {
                // SAFETY: the node is in no list, so the packet is ours.
                unsafe { self.packet.put(item) };
                Start::Chosen
            }
            Taken::NoSenders => {
                self.no_senders.store(true, Ordering::Relaxed);
                Start::Chosen
            }
            Taken::Nothing => Start::NotNow,
            Taken::Meet(_) => Start::Meet,
        }
    }

    fn join(&self, task: &'static Task, epoch: Epoch, joining: Joining) -> Join {
        let mut state = self.channel.state.lock();
        if !state.buffer.is_empty() || state.no_senders {
            return take_back(task, epoch);
        }
        let node = self.node.get();
        if self.channel.capacity == Some(0)
            && let Some(sender) = state.senders.first_of_another(task)
        {
            if sender.token() == HAS_PACKET {
                return take_back(task, epoch);
            }
            if !task.wait.claim(epoch, Wake::Signalled, 0) {
                return Join::Over;
            }
            node.word.set(self.packet.word());
            node.stand_for(task, epoch, HAS_PACKET);
            let Some(woken) = state.meet(sender, node) else {
                return Join::Mine;
            };
            drop(state);
            make_runnable(woken);
            return Join::Over;
        }
        if joining == Joining::AndWait {
            node.word.set(self.packet.word());
            state.receivers.push(node, task, epoch, HAS_PACKET);
        }
        Join::Done
    }

    fn leave(&self) {
        self.channel.state.lock().receivers.remove(self.node.get());
    }

    fn is_chosen(&self) -> bool {
        // SAFETY: asked only when the node is in no list and nobody has the wait in hand, so the packet is ours.
        let has_item = unsafe { self.packet.is_full() };
        has_item || self.no_senders.load(Ordering::Relaxed)
    }

    fn give_away(&self) {
        // SAFETY: chosen, so the wait is over and the packet is ours.
        drop(unsafe { self.packet.take() });
    }

    fn channel(&self) -> (*const (), Direction) {
        (std::ptr::from_ref(self.channel).cast(), Direction::Receive)
    }
}

impl<T> Receiving<'_, T> {
    fn finish(&self) -> Result<T, RecvError> {
        // SAFETY: chosen, so the wait is over and the packet is ours.
        let item = unsafe { self.packet.take() };
        item.ok_or(RecvError::DISCONNECTED)
    }
}

struct Sending<'a, T> {
    channel: &'a Channel<T>,
    /// Its word is the answer: not *again* is chosen.
    node: SpareNode,
    /// Chosen, and nobody will receive.
    no_receivers: AtomicBool,
}

impl<T: Send> Operation for Sending<'_, T> {
    fn start(&self) -> Start {
        if self.is_chosen() {
            return Start::Chosen;
        }
        let capacity = self.channel.capacity;
        let mut state = self.channel.state.lock();
        let answer = if state.no_receivers {
            self.no_receivers.store(true, Ordering::Relaxed);
            return Start::Chosen;
        } else if capacity == Some(0) {
            state
                .receivers
                .claim_first_node()
                .map(|(_, receiver)| in_hand(receiver))
        } else {
            let has_room = state.has_room(capacity);
            state.reserved += usize::from(has_room);
            has_room.then_some(ROOM)
        };
        drop(state);
        let Some(answer) = answer else {
            return Start::NotNow;
        };
        self.node.get().word.set(answer);
        Start::Chosen
    }

    fn join(&self, task: &'static Task, epoch: Epoch, joining: Joining) -> Join {
        let capacity = self.channel.capacity;
        let mut state = self.channel.state.lock();
        let now = state.no_receivers
            || if capacity == Some(0) {
                let receiver = state.receivers.first_of_another(task);
                receiver.is_some() && !cfg!(feature = "bug_select_look")
            } else {
                state.has_room(capacity)
            };
        if now {
            return take_back(task, epoch);
        }
        if joining == Joining::AndWait {
            state
                .senders
                .push(self.node.get(), task, epoch, WITHOUT_ITEM);
        }
        Join::Done
    }

    fn leave(&self) {
        self.channel.state.lock().senders.remove(self.node.get());
    }

    fn is_chosen(&self) -> bool {
        self.node.get().word.get() != AGAIN || self.no_receivers.load(Ordering::Relaxed)
    }

    fn give_away(&self) {
        match self.take_answer() {
            AGAIN => {}
            ROOM => {
                let mut state = self.channel.state.lock();
                state.reserved -= 1;
                if cfg!(feature = "bug_select_room") {
                    return;
                }
                let woken = state.balance(self.channel.capacity);
                drop(state);
                woken.for_each(make_runnable);
            }
            receiver => {
                // SAFETY: neither of the other two.
                let receiver = unsafe { receiver_in_hand(receiver) };
                if !cfg!(feature = "bug_select_hand") {
                    make_runnable(receiver.task());
                }
            }
        }
    }

    fn channel(&self) -> (*const (), Direction) {
        (std::ptr::from_ref(self.channel).cast(), Direction::Send)
    }
}

impl<T> Sending<'_, T> {
    fn take_answer(&self) -> u64 {
        let word = &self.node.get().word;
        let answer = word.get();
        word.set(AGAIN);
        answer
    }

    fn finish(&self, item: T) -> Result<(), SendError<T>> {
        match self.take_answer() {
            AGAIN => Err(SendError::disconnected(item)),
            ROOM => self
                .channel
                .send_reserved(item)
                .map_err(SendError::disconnected),
            receiver => {
                // SAFETY: neither of the other two.
                let receiver = unsafe { receiver_in_hand(receiver) };
                // SAFETY: it is a receiver of this channel whose wait was claimed for us, and it was not made runnable yet.
                unsafe { hand_item(receiver, item) };
                make_runnable(receiver.task());
                Ok(())
            }
        }
    }
}

impl Drop for Select<'_> {
    fn drop(&mut self) {
        // A chosen operation that was forgotten.
        self.all()
            .filter(|operation| operation.is_chosen())
            .for_each(Operation::give_away);
    }
}

impl SelectedOperation<'_> {
    /// Which operation it is: what [`Select::recv`] or [`Select::send`] has returned.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Does the receive.
    ///
    /// # Errors
    /// No sender is left, and all items were received.
    ///
    /// # Panics
    /// If it is not a receive from this channel.
    pub fn recv<T>(self, receiver: &Receiver<T>) -> Result<T, RecvError> {
        let operation = self.done((
            std::ptr::from_ref(&*receiver.channel).cast(),
            Direction::Receive,
        ));
        // SAFETY: a receive from a channel that has this address now, and which the select has borrowed, is a receive
        // from this very channel, and so of its type.
        unsafe { &*std::ptr::from_ref(operation).cast::<Receiving<'_, T>>() }.finish()
    }

    /// Does the send.
    ///
    /// # Errors
    /// The item, if no receiver is left.
    ///
    /// # Panics
    /// If it is not a send to this channel.
    pub fn send<T>(self, sender: &Sender<T>, item: T) -> Result<(), SendError<T>> {
        let operation = self.done((std::ptr::from_ref(&*sender.channel).cast(), Direction::Send));
        // SAFETY: as for `recv`.
        unsafe { &*std::ptr::from_ref(operation).cast::<Sending<'_, T>>() }.finish(item)
    }
}

impl<'a> SelectedOperation<'a> {
    /// The operation, which is done now and not given away.
    fn done(mut self, expected: (*const (), Direction)) -> &'a (dyn Operation + Send + Sync + 'a) {
        let operation = self.operation.expect("there until it is done");
        assert!(
            operation.channel() == expected,
            "the chosen operation is another one"
        );
        self.operation = None;
        operation
    }
}

impl Drop for SelectedOperation<'_> {
    fn drop(&mut self) {
        if let Some(operation) = self.operation {
            operation.give_away();
        }
    }
}

impl fmt::Debug for Select<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select")
            .field("operations", &self.all().count())
            .finish()
    }
}

impl fmt::Debug for SelectedOperation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelectedOperation")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}
