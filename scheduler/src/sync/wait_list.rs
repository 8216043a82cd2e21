//! The tasks and threads that wait for one thing, in the order in which they came.
//!
//! A list is always under the lock of what is waited for. A waiter links its node in its settle, under that lock,
//! after arming its wait; a waker takes nodes from the front and claims their waits, still under the lock.
//! A claim that fails means that the wait ended otherwise; the waker goes on to the next one.
//! A waiter whose wait ended otherwise unlinks its node itself, under the lock, before it returns.
//! So a node is in a list only while its wait is on or its task is about to unlink it.
//!
//! What was claimed is the claimer's until it makes it runnable, also outside the lock: the node's word, and whatever the
//! word points to on the waiter's stack.
//!
//! Who waits for one thing uses the node in its record. Who waits in several lists at once takes [`SpareNode`]s.
#![forbid(unsafe_code)]

#[cfg(not(any(loom, shuttle)))]
use crate::primitive::Mutex;
use crate::primitive::Plain;
use crate::queue::Fifo;
use crate::task::Task;
use crate::task::state::Epoch;

/// One waiter's place in one list. Owner of all fields: the lock of the list it is in, or else its task.
pub(crate) struct WaitNode {
    next: Plain<Option<&'static WaitNode>>,
    prev: Plain<Option<&'static WaitNode>>,
    linked: Plain<bool>,
    who: Plain<Option<(&'static Task, Epoch)>>,
    token: Plain<u16>,
    /// A word for the two sides of a wait: who or how many permits it is, where to put what is handed over.
    pub(crate) word: Plain<u64>,
}

impl WaitNode {
    pub(crate) fn new() -> Self {
        WaitNode {
            next: Plain::new(None),
            prev: Plain::new(None),
            linked: Plain::new(false),
            who: Plain::new(None),
            token: Plain::new(0),
            word: Plain::new(0),
        }
    }

    /// What the waiter gave with its place: which of several things this list is of.
    #[inline(always)]
    pub(crate) fn token(&self) -> u16 {
        self.token.get()
    }

    /// Ends the wait it stands for, if that is still on.
    #[inline(always)]
    fn claim(&self) -> Option<&'static Task> {
        let (task, epoch) = self.who.get().expect("a linked node has a waiter");
        task.wait
            .claim_listed(epoch, self.token.get())
            .then_some(task)
    }

    /// For one that waits in no list, but in somebody's hand.
    pub(crate) fn stand_for(&self, task: &'static Task, epoch: Epoch, token: u16) {
        self.who.set(Some((task, epoch)));
        self.token.set(token);
    }

    /// Who waits, or waited last.
    #[inline(always)]
    pub(crate) fn task(&self) -> &'static Task {
        self.who
            .get()
            .expect("a node that was linked has a waiter")
            .0
    }
}

/// See the module docs.
#[derive(Default)]
pub(crate) struct WaitList {
    first: Option<&'static WaitNode>,
    last: Option<&'static WaitNode>,
    len: usize,
}

impl WaitList {
    pub(crate) const fn new() -> Self {
        WaitList {
            first: None,
            last: None,
            len: 0,
        }
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Of those who are not this one, the one who has waited longest.
    pub(crate) fn first_of_another(&self, task: &Task) -> Option<&'static WaitNode> {
        let mut next = self.first;
        while let Some(node) = next {
            if !std::ptr::eq(node.task(), task) {
                break;
            }
            next = node.next.get();
        }
        next
    }

    /// Links an armed wait at the end.
    pub(crate) fn push(
        &mut self,
        node: &'static WaitNode,
        task: &'static Task,
        epoch: Epoch,
        token: u16,
    ) {
        debug_assert!(!node.linked.get(), "a node stands in one list");
        node.who.set(Some((task, epoch)));
        node.token.set(token);
        node.linked.set(true);
        node.next.set(None);
        node.prev.set(self.last);
        match self.last {
            Some(last) => last.next.set(Some(node)),
            None => self.first = Some(node),
        }
        self.last = Some(node);
        self.len += 1;
    }

    /// Links an armed wait before all others: of one that has waited already.
    pub(crate) fn push_front(
        &mut self,
        node: &'static WaitNode,
        task: &'static Task,
        epoch: Epoch,
        token: u16,
    ) {
        let first = self.first.take();
        let last = self.last.take();
        self.push(node, task, epoch, token);
        if let Some(first) = first {
            node.next.set(Some(first));
            first.prev.set(Some(node));
            self.last = last;
        }
    }

    /// Those who stand here, in the order in which they came.
    pub(crate) fn for_each(&self, mut each: impl FnMut(&'static Task)) {
        let mut next = self.first;
        while let Some(node) = next {
            each(node.task());
            next = node.next.get();
        }
    }

    /// The one who has waited longest.
    pub(crate) fn first(&self) -> Option<&'static WaitNode> {
        self.first
    }

    /// Claims the wait of the one who has waited longest and still waits. The caller makes it runnable, outside the lock.
    #[inline(always)]
    #[must_use]
    pub(crate) fn claim_first(&mut self) -> Option<&'static Task> {
        self.claim_first_with(|_| {}).map(|(task, ())| task)
    }

    /// The same, with something to do before anybody can know of the claim: `prepare` reads or writes the node's word.
    /// It must not matter if the claim fails afterwards.
    #[inline(always)]
    #[must_use]
    pub(crate) fn claim_first_with<R>(
        &mut self,
        mut prepare: impl FnMut(&WaitNode) -> R,
    ) -> Option<(&'static Task, R)> {
        while let Some(node) = self.first {
            self.unlink_first(node);
            let prepared = prepare(node);
            if let Some(task) = node.claim() {
                return Some((task, prepared));
            }
            if cfg!(feature = "bug_list_stops") {
                break;
            }
        }
        None
    }

    /// The same, and its node.
    #[must_use]
    pub(crate) fn claim_first_node(&mut self) -> Option<(&'static Task, &'static WaitNode)> {
        while let Some(node) = self.first {
            self.unlink(node);
            if let Some(task) = node.claim() {
                return Some((task, node));
            }
            if cfg!(feature = "bug_list_stops") {
                break;
            }
        }
        None
    }

    /// The same, as long as the first one's word is wanted.
    #[must_use]
    pub(crate) fn claim_first_if(
        &mut self,
        wanted: impl Fn(u64) -> bool,
    ) -> Option<(&'static Task, u64)> {
        while let Some(node) = self.first {
            let word = node.word.get();
            if !wanted(word) {
                return None;
            }
            self.unlink(node);
            if let Some(task) = node.claim() {
                return Some((task, word));
            }
        }
        None
    }

    /// Takes this one out and claims its wait, if that is still on. The caller makes it runnable, outside the lock.
    #[must_use]
    pub(crate) fn claim_node(&mut self, node: &'static WaitNode) -> Option<&'static Task> {
        self.unlink(node);
        node.claim()
    }

    /// Claims the waits of all who still wait. The caller makes them runnable, outside the lock.
    #[must_use]
    pub(crate) fn claim_all(&mut self) -> Claimed {
        let claimed = Claimed::new();
        while let Some(task) = self.claim_first() {
            claimed.push(task);
        }
        claimed
    }

    /// Takes a node out, if it is still in. The waiter calls this after its wait ended otherwise.
    /// Returns whether it was.
    pub(crate) fn remove(&mut self, node: &'static WaitNode) -> bool {
        let linked = node.linked.get();
        if linked {
            self.unlink(node);
        }
        linked
    }

    /// The same for the first one.
    #[inline(always)]
    fn unlink_first(&mut self, node: &'static WaitNode) {
        let next = node.next.get();
        match next {
            Some(next) => next.prev.set(None),
            None => self.last = None,
        }
        self.first = next;
        node.linked.set(false);
        self.len -= 1;
    }

    fn unlink(&mut self, node: &'static WaitNode) {
        match node.prev.get() {
            Some(prev) => prev.next.set(node.next.get()),
            None => self.first = node.next.get(),
        }
        match node.next.get() {
            Some(next) => next.prev.set(node.prev.get()),
            None => self.last = node.prev.get(),
        }
        node.linked.set(false);
        self.len -= 1;
    }
}

/// Tasks whose waits were claimed, linked by their queue links: they stand in no queue.
pub(crate) struct Claimed(Fifo);

impl Claimed {
    pub(crate) fn new() -> Self {
        Claimed(Fifo::new())
    }

    pub(crate) fn push(&self, task: &'static Task) {
        self.0.push(task);
    }

    pub(crate) fn for_each(self, wake: fn(&'static Task)) {
        while let Some(task) = self.0.pop() {
            wake(task);
        }
    }
}

/// A node for one who waits in several lists at once; it goes back to the pool with this value.
///
/// Nodes live as long as the process, like the records of tasks: a waker may have one in hand.
pub(crate) struct SpareNode(&'static WaitNode);

/// The unused ones, linked by *next*.
#[cfg(not(any(loom, shuttle)))]
static SPARE: Mutex<Option<&'static WaitNode>> = Mutex::new(None);

impl SpareNode {
    #[cfg(not(any(loom, shuttle)))]
    pub(crate) fn new() -> Self {
        let mut spare = SPARE.lock();
        let Some(node) = *spare else {
            drop(spare);
            return SpareNode(Box::leak(Box::new(WaitNode::new())));
        };
        *spare = node.next.get();
        SpareNode(node)
    }

    /// A model's nodes belong to one execution of it.
    #[cfg(any(loom, shuttle))]
    pub(crate) fn new() -> Self {
        SpareNode(Box::leak(Box::new(WaitNode::new())))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> &'static WaitNode {
        self.0
    }
}

#[cfg(not(any(loom, shuttle)))]
impl Drop for SpareNode {
    fn drop(&mut self) {
        debug_assert!(!self.0.linked.get(), "a spare node stands in no list");
        let mut spare = SPARE.lock();
        self.0.next.set(*spare);
        *spare = Some(self.0);
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::task::pool;
    use crate::wait::{Interrupt, Wake};

    fn waiter(list: &mut WaitList, word: u64) -> (&'static Task, Epoch) {
        let task = pool::get().expect("memory for a record");
        let epoch = task.wait.arm(Interrupt::Alert);
        task.node.word.set(word);
        list.push(&task.node, task, epoch, 0);
        (task, epoch)
    }

    fn is(found: Option<&'static Task>, task: &'static Task) -> bool {
        found.is_some_and(|found| std::ptr::eq(found, task))
    }

    #[test]
    fn first_come_first_claimed_but_for_those_put_in_front() {
        let mut list = WaitList::new();
        let (first, _) = waiter(&mut list, 1);
        let (second, _) = waiter(&mut list, 2);
        let front = pool::get().expect("memory for a record");
        let epoch = front.wait.arm(Interrupt::Alert);
        list.push_front(&front.node, front, epoch, 0);
        assert_eq!(list.len(), 3);
        for task in [front, first, second] {
            assert!(is(list.claim_first(), task));
        }
        assert!(list.is_empty() && list.claim_first().is_none());
    }

    #[test]
    fn one_put_in_front_of_nobody_is_first_and_last() {
        let mut list = WaitList::new();
        let front = pool::get().expect("memory for a record");
        let epoch = front.wait.arm(Interrupt::Alert);
        list.push_front(&front.node, front, epoch, 0);
        let (last, _) = waiter(&mut list, 0);
        assert!(is(list.claim_first(), front) && is(list.claim_first(), last));
    }

    #[test]
    fn those_whose_wait_is_over_are_passed_by() {
        let mut list = WaitList::new();
        let (over, epoch) = waiter(&mut list, 1);
        let (unwanted, _) = waiter(&mut list, 2);
        assert!(over.wait.claim(epoch, Wake::TimedOut, 0));
        assert!(list.claim_first_if(|word| word == 1).is_none());
        list.remove(&over.node);
        assert!(is(
            list.claim_first_if(|word| word == 2).map(|(task, _)| task),
            unwanted
        ));
        assert!(list.is_empty());
    }

    #[test]
    fn spare_nodes_are_used_again() {
        let node: *const WaitNode = SpareNode::new().get();
        let again: Vec<SpareNode> = (0..64).map(|_| SpareNode::new()).collect();
        assert!(again.iter().any(|spare| std::ptr::eq(spare.get(), node)));
    }
}
