//! Where a task is between managed and unmanaged code: the stack of its transitions, and what each hook makes of it.
//!
//! The hooks nest, so a task keeps a stack of frames and not flags. A frame is *left* (unmanaged code was called) or
//! *called* (unmanaged code has called managed code), and the top says what runs:
//!
//! | state | top | runs | on the scheduler |
//! |---|---|---|---|
//! | base | none | managed code, or ours | yes |
//! | native | left | unmanaged code | no |
//! | managed | called | managed code below which unmanaged code lies | yes |
//!
//! | state | leave | enter | reverse enter | reverse leave |
//! |---|---|---|---|---|
//! | base | push: *leave* | refused | push: *call* | refused |
//! | native | push, nothing else | pop: *enter*, unless still native | push: *call* | refused |
//! | managed | push: *leave* | refused | push: *call* | pop: *end of a call* |
//!
//! What stands in italics is the [`Edge`] that the scheduler has to be told of; this module tells nobody.
//! It knows neither locks nor threads: the stack belongs to its task alone.
//!
//! # Refusals
//!
//! A call is refused before it changes anything: an end without its begin (`E_UNEXPECTED`), and a push beyond the depth or
//! the memory (`E_OUTOFMEMORY`). A push in the native state by *leave* is never refused: its caller goes on as if it had
//! been counted, and the end that it sends would pop the frame below. So such pushes need no memory: they are counted in
//! the frame that they stand on.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};

use crate::com::Hresult;

/// How many frames a task may have before pushes are refused.
pub const DEPTH_MAX: u64 = 4096;
/// Frames that need no memory beyond the task's own.
const FRAMES_AT_START: usize = 8;

/// What code runs, as far as the hooks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// No transition is recorded.
    Base = 0,
    /// Unmanaged code.
    Native = 1,
    /// Managed code that unmanaged code has called.
    Managed = 2,
}

impl State {
    #[inline]
    pub(crate) fn from_bits(bits: u8) -> State {
        match bits {
            0 => State::Base,
            1 => State::Native,
            _ => State::Managed,
        }
    }
}

/// A frame below another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// The function that was called, and how often its code has left once more without being called back.
    Left {
        target: usize,
        inner: u64,
    },
    Called,
}

/// What the scheduler has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the scheduler has to be told"]
pub(crate) enum Edge {
    /// Nothing.
    None,
    /// From base or managed to native: the thread goes on in unmanaged code, others may have the slot.
    Leave { target: usize },
    /// Back from it, to base or managed: the task needs a slot.
    Enter { target: usize },
    /// Unmanaged code calls managed code. From native the task needs a slot, soon; from base and managed it has one, and
    /// the unmanaged frames that nobody has announced begin to hold it on its thread.
    Call { from: State },
    /// That call returns, to this state.
    EndCall { to: State },
}

/// The scheduler's side of the edges.
pub(crate) trait Edges {
    fn leave(&self, target: usize);
    fn enter(&self, target: usize);
    fn call(&self, from: State);
    fn end_call(&self, to: State);
}

impl Edge {
    #[inline(always)]
    pub(crate) fn tell(self, edges: &impl Edges) {
        match self {
            Edge::None => {}
            Edge::Leave { target } => edges.leave(target),
            Edge::Enter { target } => edges.enter(target),
            Edge::Call { from } => edges.call(from),
            Edge::EndCall { to } => edges.end_call(to),
        }
    }
}

/// See the module docs.
///
/// The frame on top stands in cells of its own, so a call that comes from the base and returns there touches no list.
#[derive(Debug)]
pub(crate) struct Frames {
    /// The kind of the frame on top; base if there is none.
    state: Cell<State>,
    /// How many hooks are open; 0 at the base alone.
    depth: Cell<u64>,
    /// Of the frame on top, if it is a left one.
    target: Cell<usize>,
    /// The same; 0 otherwise.
    inner: Cell<u64>,
    /// The frames below it.
    below: RefCell<Vec<Frame>>,
}

impl Frames {
    pub(crate) fn new() -> Frames {
        Frames {
            state: Cell::new(State::Base),
            depth: Cell::new(0),
            target: Cell::new(0),
            inner: Cell::new(0),
            below: RefCell::new(Vec::with_capacity(FRAMES_AT_START)),
        }
    }

    #[inline(always)]
    pub(crate) fn state(&self) -> State {
        self.state.get()
    }

    /// How many hooks are open.
    #[inline(always)]
    pub(crate) fn depth(&self) -> u64 {
        self.depth.get()
    }

    pub(crate) fn leave(&self, target: usize) -> Result<Edge, Hresult> {
        if self.state() == State::Native {
            self.inner.set(self.inner.get() + 1);
            self.depth.set(self.depth() + 1);
            return Ok(Edge::None);
        }
        self.push(State::Native)?;
        self.target.set(target);
        Ok(Edge::Leave { target })
    }

    pub(crate) fn enter(&self) -> Result<Edge, Hresult> {
        if self.state() != State::Native {
            return Err(Hresult::E_UNEXPECTED);
        }
        let inner = self.inner.get();
        if inner > 0 {
            self.inner.set(inner - 1);
            self.depth.set(self.depth() - 1);
            return Ok(Edge::None);
        }
        let target = self.target.get();
        self.pop();
        Ok(Edge::Enter { target })
    }

    /// A leave that needs no memory, from the base or from a callback. `false`: it is none, and nothing has happened.
    #[inline(always)]
    pub(crate) fn leave_at_once(&self, target: usize) -> bool {
        let depth = self.depth();
        if depth > 0 && !self.has_put_callback_below(depth) {
            return false;
        }
        self.set(depth + 1, State::Native);
        self.target.set(target);
        true
    }

    /// Puts the frame of a callback below the one that is coming, if there is room.
    #[inline]
    fn has_put_callback_below(&self, depth: u64) -> bool {
        let mut below = self.below.borrow_mut();
        let fits =
            self.state() == State::Managed && depth < DEPTH_MAX && below.len() < below.capacity();
        if fits {
            below.push(Frame::Called);
        }
        fits
    }

    /// The enter that takes such a leave back.
    #[inline(always)]
    pub(crate) fn enter_at_once(&self) -> bool {
        let fits = self.state() == State::Native && self.inner.get() == 0;
        if fits {
            self.pop();
        }
        fits
    }

    #[inline(always)]
    pub(crate) fn reverse_enter(&self) -> Result<Edge, Hresult> {
        let from = self.state();
        self.push(State::Managed)?;
        Ok(Edge::Call { from })
    }

    #[inline(always)]
    pub(crate) fn reverse_leave(&self) -> Result<Edge, Hresult> {
        if self.state() != State::Managed {
            return Err(Hresult::E_UNEXPECTED);
        }
        self.pop();
        Ok(Edge::EndCall { to: self.state() })
    }

    /// The edge that takes the top frame away, whatever it is: for a task that ends with frames left.
    pub(crate) fn discard_one(&self) -> Option<Edge> {
        let edge = match self.state() {
            State::Base => return None,
            State::Native => self.enter(),
            State::Managed => self.reverse_leave(),
        };
        Some(edge.expect("the end fits the frame on top"))
    }

    #[inline(always)]
    fn set(&self, depth: u64, state: State) {
        self.depth.set(depth);
        self.state.set(state);
    }

    /// A frame of this kind is on top from now on. Refused, it has changed nothing.
    #[inline]
    fn push(&self, state: State) -> Result<(), Hresult> {
        let depth = self.depth();
        if depth > 0 {
            self.put_below(depth)?;
        }
        self.set(depth + 1, state);
        Ok(())
    }

    fn put_below(&self, depth: u64) -> Result<(), Hresult> {
        let mut below = self.below.borrow_mut();
        if depth >= DEPTH_MAX || below.try_reserve(1).is_err() {
            return Err(Hresult::E_OUTOFMEMORY);
        }
        below.push(match self.state() {
            State::Native => Frame::Left {
                target: self.target.get(),
                inner: self.inner.replace(0),
            },
            State::Base | State::Managed => Frame::Called,
        });
        Ok(())
    }

    #[inline]
    fn pop(&self) {
        match self.depth() - 1 {
            0 => self.set(0, State::Base),
            depth => {
                self.depth.set(depth);
                self.take_from_below();
            }
        }
    }

    fn take_from_below(&self) {
        let frame = self.below.borrow_mut().pop();
        match frame.expect("hooks are open, so there is a frame") {
            Frame::Left { target, inner } => {
                self.state.set(State::Native);
                self.target.set(target);
                self.inner.set(inner);
            }
            Frame::Called => self.state.set(State::Managed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Hook {
        Leave,
        Enter,
        ReverseEnter,
        ReverseLeave,
    }
    use Hook::{Enter, Leave, ReverseEnter, ReverseLeave};

    const HOOKS: [Hook; 4] = [Leave, Enter, ReverseEnter, ReverseLeave];
    const TARGET: usize = 0x1234;

    fn call(frames: &Frames, hook: Hook) -> Result<Edge, Hresult> {
        match hook {
            Leave => frames.leave(TARGET),
            Enter => frames.enter(),
            ReverseEnter => frames.reverse_enter(),
            ReverseLeave => frames.reverse_leave(),
        }
    }

    fn after(hooks: &[Hook]) -> Frames {
        let frames = Frames::new();
        for hook in hooks {
            let _ = call(&frames, *hook).expect("a legal shape");
        }
        frames
    }

    /// The rows of the table, each from every stack that shows its state, with the state afterwards and the edge.
    #[test]
    fn every_row_of_the_table() {
        use State::{Base, Managed, Native};
        const LEFT: Edge = Edge::Leave { target: TARGET };
        const BACK: Edge = Edge::Enter { target: TARGET };
        let refused = Err(Hresult::E_UNEXPECTED);
        let rows: [(&[Hook], Hook, State, Result<Edge, Hresult>); 21] = [
            (&[], Leave, Native, Ok(LEFT)),
            (&[], Enter, Base, refused),
            (&[], ReverseEnter, Managed, Ok(Edge::Call { from: Base })),
            (&[], ReverseLeave, Base, refused),
            (&[Leave], Leave, Native, Ok(Edge::None)),
            (&[Leave], Enter, Base, Ok(BACK)),
            (
                &[Leave],
                ReverseEnter,
                Managed,
                Ok(Edge::Call { from: Native }),
            ),
            (&[Leave], ReverseLeave, Native, refused),
            (&[Leave, Leave], Enter, Native, Ok(Edge::None)),
            (&[ReverseEnter, Leave], Enter, Managed, Ok(BACK)),
            (&[ReverseEnter, Leave], Leave, Native, Ok(Edge::None)),
            (&[ReverseEnter, Leave], ReverseLeave, Native, refused),
            (
                &[ReverseEnter, Leave],
                ReverseEnter,
                Managed,
                Ok(Edge::Call { from: Native }),
            ),
            (&[ReverseEnter], Leave, Native, Ok(LEFT)),
            (&[ReverseEnter], Enter, Managed, refused),
            (
                &[ReverseEnter],
                ReverseEnter,
                Managed,
                Ok(Edge::Call { from: Managed }),
            ),
            (
                &[ReverseEnter],
                ReverseLeave,
                Base,
                Ok(Edge::EndCall { to: Base }),
            ),
            (
                &[Leave, ReverseEnter],
                ReverseLeave,
                Native,
                Ok(Edge::EndCall { to: Native }),
            ),
            (&[Leave, ReverseEnter], Enter, Managed, refused),
            (&[Leave, ReverseEnter], Leave, Native, Ok(LEFT)),
            (
                &[ReverseEnter, ReverseEnter],
                ReverseLeave,
                Managed,
                Ok(Edge::EndCall { to: Managed }),
            ),
        ];
        for (before, hook, state, answer) in rows {
            let frames = after(before);
            let depth = frames.depth();
            assert_eq!(call(&frames, hook), answer, "{before:?} {hook:?}");
            assert_eq!(frames.state(), state, "{before:?} {hook:?}");
            let grown = match (answer, hook) {
                (Err(_), _) => depth,
                (_, Leave | ReverseEnter) => depth + 1,
                (_, Enter | ReverseLeave) => depth - 1,
            };
            assert_eq!(frames.depth(), grown, "{before:?} {hook:?}");
        }
    }

    #[test]
    fn the_chain_of_six_steps() {
        use State::{Base, Managed, Native};
        let frames = Frames::new();
        let states: Vec<State> = [Leave, ReverseEnter, Leave, Enter, ReverseLeave, Enter]
            .into_iter()
            .map(|hook| {
                let _ = call(&frames, hook).expect("a legal chain");
                frames.state()
            })
            .collect();
        assert_eq!(states, [Native, Managed, Native, Managed, Native, Base]);
    }

    /// Against a plain list of letters: every sequence of up to eight hooks.
    #[test]
    fn all_short_sequences_agree_with_a_plain_list() {
        for length in 1..=8_u32 {
            for number in 0..4_u32.pow(length) {
                let frames = Frames::new();
                let mut plain = Vec::new();
                for step in 0..length {
                    let hook = HOOKS[(number >> (2 * step) & 3) as usize];
                    let fits = match hook {
                        Leave | ReverseEnter => true,
                        Enter => plain.last() == Some(&'L'),
                        ReverseLeave => plain.last() == Some(&'R'),
                    };
                    assert_eq!(call(&frames, hook).is_ok(), fits, "{number:o} at {step}");
                    match hook {
                        Leave => plain.push('L'),
                        ReverseEnter => plain.push('R'),
                        Enter | ReverseLeave if fits => drop(plain.pop()),
                        Enter | ReverseLeave => {}
                    }
                    assert_eq!(frames.depth(), plain.len() as u64);
                    let state = match plain.last() {
                        None => State::Base,
                        Some('L') => State::Native,
                        Some(_) => State::Managed,
                    };
                    assert_eq!(frames.state(), state);
                }
            }
        }
    }

    /// Every sequence of up to eight hooks, on one stack by the short ways where they are open, on another by the long ones.
    #[test]
    fn the_short_ways_do_what_the_long_ones_do() {
        let mut short = 0_u32;
        for number in 0..4_u32.pow(8) {
            let (quick, plain) = (Frames::new(), Frames::new());
            for step in 0..8 {
                let hook = HOOKS[(number >> (2 * step) & 3) as usize];
                let target = TARGET + step as usize;
                let wanted = match hook {
                    Leave => plain.leave(target),
                    hook => call(&plain, hook),
                };
                let found = match hook {
                    Leave if quick.leave_at_once(target) => {
                        short += 1;
                        Ok(Edge::Leave { target })
                    }
                    Leave => quick.leave(target),
                    Enter => {
                        let target = quick.target.get();
                        if quick.enter_at_once() {
                            short += 1;
                            Ok(Edge::Enter { target })
                        } else {
                            quick.enter()
                        }
                    }
                    hook => call(&quick, hook),
                };
                assert_eq!(found, wanted, "{number:o} at {step}");
                let seen = |frames: &Frames| (frames.state(), frames.depth(), frames.inner.get());
                assert_eq!(seen(&quick), seen(&plain), "{number:o} at {step}");
            }
        }
        assert!(short > 0);
        // Without room for one frame more the short way is closed, and nothing has happened.
        let frames = Frames::new();
        while frames.below.borrow().len() < frames.below.borrow().capacity() {
            let _ = frames.reverse_enter().expect("below the limit");
        }
        let depth = frames.depth();
        assert!(!frames.leave_at_once(TARGET));
        assert_eq!((frames.state(), frames.depth()), (State::Managed, depth));
    }

    #[test]
    fn beyond_the_depth_pushes_are_refused_and_change_nothing() {
        let frames = Frames::new();
        while frames.depth() < DEPTH_MAX {
            let hook = if frames.depth().is_multiple_of(2) {
                Leave
            } else {
                ReverseEnter
            };
            let _ = call(&frames, hook).expect("below the limit");
        }
        assert_eq!(frames.state(), State::Managed);
        for hook in [Leave, ReverseEnter] {
            assert_eq!(call(&frames, hook), Err(Hresult::E_OUTOFMEMORY));
            assert_eq!(frames.depth(), DEPTH_MAX);
            assert_eq!(frames.state(), State::Managed);
        }
        for _ in 0..DEPTH_MAX / 2 {
            assert!(call(&frames, ReverseLeave).is_ok() && call(&frames, Enter).is_ok());
        }
        assert_eq!((frames.state(), frames.depth()), (State::Base, 0));
    }

    #[test]
    fn leaving_once_more_in_native_code_is_never_refused() {
        let frames = Frames::new();
        for _ in 0..DEPTH_MAX * 2 {
            let _ = frames.leave(TARGET).expect("never refused");
        }
        assert_eq!(frames.reverse_enter(), Err(Hresult::E_OUTOFMEMORY));
        for left in (1..DEPTH_MAX * 2).rev() {
            assert_eq!(frames.enter(), Ok(Edge::None));
            assert_eq!(frames.depth(), left);
        }
        assert_eq!(frames.enter(), Ok(Edge::Enter { target: TARGET }));
        assert_eq!(frames.enter(), Err(Hresult::E_UNEXPECTED));
    }

    #[test]
    fn an_end_takes_what_is_left_innermost_first() {
        let frames = after(&[Leave, ReverseEnter, Leave, Leave]);
        let edges: Vec<Edge> = std::iter::from_fn(|| frames.discard_one()).collect();
        let (to, target) = (State::Native, TARGET);
        let back = Edge::Enter { target };
        assert_eq!(edges, [Edge::None, back, Edge::EndCall { to }, back]);
        assert_eq!((frames.state(), frames.depth()), (State::Base, 0));
    }
}
