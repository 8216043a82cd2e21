//! Transfers that wait, without a ring: on threads of the host's own.
//!
//! One thread, the *poller*, sleeps in the kernel until one of the streams that are waited for is ready, or its bell is rung,
//! and makes the attempt. A few others carry out what files are asked for. Each is started when it is first needed, sleeps
//! while there is nothing to do, and ends with the host.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};

use super::kernel::{self, Kind};
use super::{Completions, Request};
use crate::com::Direction;

/// Threads that carry out what files are asked for.
const FILE_THREADS: usize = 4;

pub(super) struct Helpers {
    state: Mutex<State>,
    /// For who carries out what files are asked for.
    work: Condvar,
    bell: OwnedFd,
}

#[derive(Default)]
struct State {
    /// Streams that are not ready.
    streams: Vec<Arc<Request>>,
    files: VecDeque<Arc<Request>>,
    idle: usize,
    file_threads: usize,
    has_poller: bool,
    threads: Vec<JoinHandle<()>>,
    closed: bool,
}

impl Helpers {
    pub(super) fn new() -> io::Result<Helpers> {
        Ok(Helpers {
            state: Mutex::default(),
            work: Condvar::new(),
            bell: kernel::bell()?,
        })
    }

    /// # Errors
    /// A number of the system's: nobody looks after it.
    pub(super) fn start(
        &self,
        completions: &Arc<Completions>,
        request: &Arc<Request>,
    ) -> Result<(), i32> {
        // Whoever asks for a transfer may close the descriptor meanwhile.
        request.hold()?;
        let mut state = self.state.lock();
        if request.kind() == Kind::File {
            if state.idle == 0 && state.file_threads < FILE_THREADS {
                let started = spawn(completions, Helpers::carry_out_files);
                match started {
                    Ok(thread) => {
                        state.file_threads += 1;
                        state.threads.push(thread);
                    }
                    // One of the others comes to it.
                    Err(_) if state.file_threads > 0 => {}
                    Err(errno) => return Err(errno),
                }
            }
            state.files.push_back(Arc::clone(request));
            drop(state);
            self.work.notify_one();
            return Ok(());
        }
        if !state.has_poller {
            let poller = spawn(completions, Helpers::poll)?;
            state.has_poller = true;
            state.threads.push(poller);
        }
        state.streams.push(Arc::clone(request));
        drop(state);
        kernel::ring(self.bell.as_fd());
        Ok(())
    }

    /// Takes it back, if nobody is at it: who is looks afterwards.
    pub(super) fn cancel(&self, completions: &Arc<Completions>, request: &Arc<Request>) {
        let mut state = self.state.lock();
        let is_it = |other: &Arc<Request>| Arc::ptr_eq(other, request);
        let waited = state.streams.iter().position(is_it);
        let found = match waited {
            Some(at) => Some(state.streams.swap_remove(at)),
            None => {
                let at = state.files.iter().position(is_it);
                at.and_then(|at| state.files.remove(at))
            }
        };
        drop(state);
        if let Some(request) = found {
            completions.answered(request.address(), -libc::ECANCELED);
        }
    }

    /// The poller.
    fn poll(&self, completions: &Arc<Completions>) {
        loop {
            let state = self.state.lock();
            if state.closed {
                return;
            }
            let streams = state.streams.clone();
            drop(state);
            let waited: Vec<_> = std::iter::once((self.bell.as_raw_fd(), Direction::Read))
                .chain(streams.iter().map(|request| {
                    let direction = request.transfer().direction();
                    (request.descriptor(), direction)
                }))
                .collect();
            let ready = kernel::wait_for(&waited, None);
            if ready[0] {
                // It is rung again for what comes later.
                let _ = kernel::hear(self.bell.as_fd());
            }
            for (request, ready) in streams.iter().zip(&ready[1..]) {
                if *ready && self.take(request) {
                    completions.ready(request.address(), 0);
                }
            }
        }
    }

    /// Whether it was still waited for; it is not any more.
    fn take(&self, request: &Arc<Request>) -> bool {
        let mut state = self.state.lock();
        let at = state
            .streams
            .iter()
            .position(|other| Arc::ptr_eq(other, request));
        at.map(|at| state.streams.swap_remove(at)).is_some()
    }

    /// One of those for files.
    fn carry_out_files(&self, completions: &Arc<Completions>) {
        loop {
            let mut state = self.state.lock();
            let request = loop {
                if let Some(request) = state.files.pop_front() {
                    break request;
                }
                if state.closed {
                    return;
                }
                state.idle += 1;
                self.work.wait(&mut state);
                state.idle -= 1;
            };
            drop(state);
            let result = kernel::carry_out(request.transfer(), request.descriptor());
            completions.answered(request.address(), result);
        }
    }

    /// The threads end. Nothing is waited for any more.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let threads = std::mem::take(&mut state.threads);
        drop(state);
        self.work.notify_all();
        kernel::ring(self.bell.as_fd());
        for thread in threads {
            // One of them may be who ends the host, by the last completion.
            if thread.thread().id() != thread::current().id() {
                // It does not panic.
                let _ = thread.join();
            }
        }
    }
}

fn spawn(
    completions: &Arc<Completions>,
    work: fn(&Helpers, &Arc<Completions>),
) -> Result<JoinHandle<()>, i32> {
    let completions = Arc::clone(completions);
    thread::Builder::new()
        .name("fiberhost-io".into())
        .spawn(move || {
            if let Some(helpers) = completions.helpers() {
                work(helpers, &completions);
            }
        })
        .map_err(|_| libc::EAGAIN)
}
