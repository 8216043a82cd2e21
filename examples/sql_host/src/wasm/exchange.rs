//! What a procedure asks of its session, which drives it.
//!
//! A procedure runs on a stack of wasmtime's, and its session's code on the task's. An import that needs the session leaves
//! its question here and gives the stack back; the session, on its own stack, finds the question, answers it, however long
//! that takes, and lets the guest go on. So nothing of a guest's is active on the thread while its task waits, runs SQLite, or
//! is moved.
#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::types::Value;

use crate::error::SqlError;

/// A question.
#[derive(Debug)]
pub(super) enum Question {
    /// A statement, and its parameters.
    Run(String, Vec<Value>),
    /// A time to wait.
    Sleep(Duration),
}

/// Rows, if there are any.
type Rows = Result<Vec<Vec<Value>>, SqlError>;

#[derive(Debug, Default)]
enum State {
    #[default]
    Nothing,
    Asked(Question),
    Answered(Rows),
}

/// See the module docs. Only one of the two sides runs at a time: the lock is never waited for.
#[derive(Debug, Default)]
pub(super) struct Exchange(Mutex<State>);

impl Exchange {
    /// By the guest's side: asks, and is ready with the answer.
    pub(super) fn ask(&self, question: Question) -> Answer<'_> {
        *self.0.lock() = State::Asked(question);
        Answer(self)
    }

    /// By the session's side: what was asked.
    pub(super) fn asked(&self) -> Option<Question> {
        let mut state = self.0.lock();
        match std::mem::take(&mut *state) {
            State::Asked(question) => Some(question),
            other => {
                *state = other;
                None
            }
        }
    }

    /// By the session's side, once for each question.
    pub(super) fn answer(&self, rows: Rows) {
        *self.0.lock() = State::Answered(rows);
    }
}

/// The guest's side of a question.
#[must_use = "a question has an answer"]
pub(super) struct Answer<'e>(&'e Exchange);

impl Future for Answer<'_> {
    type Output = Rows;

    /// Nobody is woken: who answers polls.
    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Rows> {
        let mut state = self.0.0.lock();
        match std::mem::take(&mut *state) {
            State::Answered(rows) => Poll::Ready(rows),
            other => {
                *state = other;
                Poll::Pending
            }
        }
    }
}
