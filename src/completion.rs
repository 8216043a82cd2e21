//! `IHostIoCompletionManager`: transfers of files, pipes and sockets that go on while nobody waits for them.
//!
//! # The life of a transfer
//!
//! 1. *Bound.* The runtime binds a descriptor (`Bind`), which has to be one that can be read or written.
//! 2. *Prepared.* It prepares an `OVERLAPPED` (`InitializeHostOverlapped`).
//! 3. *Submitted* ([`Transfers::submit`]). A refusal changes nothing; from here on the runtime is told, once.
//! 4. *Attempted.* What can be moved without waiting is moved at once; where transfers have had to wait lately, that is left to
//!    the ring, which looks by itself before it waits (`lane`).
//! 5. *Waiting.* The rest is left to the engine: the kernel's ring (`uring`) or helper threads (`helpers`).
//! 6. *Over*, by its end, an error, or a cancellation. The memory is the runtime's again.
//! 7. *Told.* A worker, a task at its base, calls `ICLRIoCompletionManager::OnComplete` with a number of Win32's.
//!
//! # Order
//!
//! What is moved by a stream is moved in the order in which it was submitted, for each direction: a *lane* has the transfers
//! of one, and only its first is attempted, or with the engine. Writes to a stream are over when all is written.
//! Files have places, and no order.
//!
//! # Who ends a transfer
//!
//! Whoever takes it out of the books (`on`), and each is taken out once. A cancellation marks it and asks the engine; whoever
//! gives a transfer to the engine looks at the mark afterwards. So either the canceller finds it with the engine, or the giver
//! finds the mark (`cancel`).
//!
//! # The end
//!
//! A shutdown refuses what comes, cancels what waits, and waits until the runtime has been told of all.
// Not forbidden, for the sake of the rooms below.
#![deny(unsafe_code)]

mod bell;
pub(crate) mod cancel;
mod ending;
mod helpers;
#[allow(unsafe_code, reason = "the kernel's calls: see there")]
mod kernel;
mod lane;
mod manager;
mod ports;
mod request;
mod transfers;
#[allow(unsafe_code, reason = "the kernel's ring: see there")]
mod uring;
mod win32;

use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fiberhost_scheduler::sync::ManualResetEvent;
use parking_lot::Mutex;

use crate::com::clr::ICLRIoCompletionManager;
use crate::com::{Direction, Hresult, Promise, Transfer};
use crate::current;
use crate::host::Shared;
use crate::security::Identity;
use crate::workers::{Job, Workers};
use cancel::Cancel;
use helpers::Helpers;
use kernel::Attempt;
use ports::{Binding, Books};
use request::{Request, Told};
use uring::Uring;

pub(crate) use manager::CompletionManager;
pub use transfers::{IoEngine, TransferFigures, Transfers};

/// A worker beyond the least waits so long for completions before it ends.
const PATIENCE: Duration = Duration::from_secs(20);

enum Engine {
    Uring(Box<Uring>),
    Helpers(Helpers),
}

/// All transfers of a host.
pub(crate) struct Completions {
    host: Arc<Shared>,
    seal: u64,
    engine: Engine,
    workers: Arc<Workers<Told>>,
    books: Mutex<Books>,
    /// Set when the books are closed and the runtime was told of all.
    gone: ManualResetEvent,
    submitted: AtomicU64,
    at_once: AtomicU64,
    completed: AtomicU64,
    cancelled: AtomicU64,
}

impl fmt::Debug for Completions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completions")
            .field("figures", &self.figures())
            .finish_non_exhaustive()
    }
}

impl Completions {
    pub(crate) fn new(
        host: Arc<Shared>,
        engine: IoEngine,
        threads: (u32, u32),
    ) -> io::Result<Arc<Completions>> {
        let uring = || Ok(Engine::Uring(Box::new(Uring::new()?)));
        let helpers = || Ok(Engine::Helpers(Helpers::new()?));
        let engine = match engine {
            IoEngine::Uring => uring(),
            IoEngine::Helpers => helpers(),
            IoEngine::Detect => uring().or_else(|_: io::Error| helpers()),
        }?;
        // Another host's structures are not ours.
        let seal = 0x6f76_6572_6c61_7031 ^ host.id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let workers = Workers::new(Arc::clone(&host), threads, 1, PATIENCE);
        Ok(Arc::new(Completions {
            host,
            seal,
            engine,
            workers,
            books: Mutex::default(),
            gone: ManualResetEvent::new(false),
            submitted: AtomicU64::new(0),
            at_once: AtomicU64::new(0),
            completed: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
        }))
    }

    fn host(&self) -> &Arc<Shared> {
        &self.host
    }

    fn uring(&self) -> Option<&Uring> {
        match &self.engine {
            Engine::Uring(uring) => Some(uring),
            Engine::Helpers(_) => None,
        }
    }

    fn helpers(&self) -> Option<&Helpers> {
        match &self.engine {
            Engine::Helpers(helpers) => Some(helpers),
            Engine::Uring(_) => None,
        }
    }

    fn figures(&self) -> TransferFigures {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let books = self.books.lock();
        TransferFigures {
            submitted: load(&self.submitted),
            at_once: load(&self.at_once),
            completed: load(&self.completed),
            cancelled: load(&self.cancelled),
            pending: books.pending,
            bound: books.bound.len(),
        }
    }

    fn submit(self: &Arc<Self>, transfer: Transfer) -> Result<(), Hresult> {
        let fd = transfer.descriptor().ok_or(Hresult::E_HANDLE)?;
        let task = match transfer.is_of_task() {
            true => Some(current::known(&self.host).ok_or(Hresult::HOST_E_INVALIDOPERATION)?),
            false => None,
        };
        transfer.begin(self.seal)?;
        let (binding, manager) = match self.accept(fd) {
            Ok(accepted) => accepted,
            Err(error) => {
                transfer.give_up();
                return Err(error);
            }
        };
        self.submitted.fetch_add(1, Ordering::Relaxed);
        let task = task.map(|task| Arc::clone(task.record()));
        if let Some(task) = &task {
            task.lent().lend();
        }
        let request = Arc::new(Request {
            transfer,
            fd,
            held: OnceLock::new(),
            binding,
            done: AtomicU32::new(0),
            cancel: Cancel::new(),
            by_readiness: AtomicBool::new(false),
            manager,
            task,
            identity: Identity::of_caller(&self.host),
        });
        self.begin(request);
        Ok(())
    }

    /// Counts a transfer of this descriptor.
    fn accept(
        self: &Arc<Self>,
        fd: RawFd,
    ) -> Result<(Arc<Binding>, ICLRIoCompletionManager), Hresult> {
        let accepted = {
            let mut books = self.books.lock();
            if books.closed {
                return Err(Hresult::HOST_E_CLRNOTAVAILABLE);
            }
            let binding = Arc::clone(books.bound.get(&fd).ok_or(Hresult::E_HANDLE)?);
            let manager = books.manager.clone();
            let manager = manager.ok_or(Hresult::HOST_E_CLRNOTAVAILABLE)?;
            books.pending += 1;
            (binding, manager)
        };
        // Somebody has to be there to tell of it.
        let there = self
            .workers
            .ensure_one(Promise::of_completions(&accepted.1));
        there.inspect_err(|_| self.note_gone())?;
        Ok(accepted)
    }

    fn begin(self: &Arc<Self>, request: Arc<Request>) {
        if !request.kind().is_stream() {
            if let Some(result) = self.try_at_once(&request) {
                self.at_once.fetch_add(1, Ordering::Relaxed);
                return self.tell(request, result);
            }
            if self.put_on(&request) {
                self.advance(request);
            }
            return;
        }
        if !self.put_on(&request) {
            return;
        }
        let mut lane = request.lane().queue();
        lane.push_back(Arc::clone(&request));
        let is_first = lane.len() == 1;
        drop(lane);
        if is_first {
            if let Some(result) = self.try_or_start(&request) {
                if result >= 0 {
                    self.at_once.fetch_add(1, Ordering::Relaxed);
                }
                self.over(&request, result);
            }
        } else if request.is_cancelled() {
            // Whoever cancelled it may have looked before it stood there.
            self.give_up_waiting(&request);
        }
    }

    /// Enters it into the books. `false`: they were closed, or its port was, and it is over.
    fn put_on(self: &Arc<Self>, request: &Arc<Request>) -> bool {
        let mut books = self.books.lock();
        let is_bound = !books.closed
            && books
                .bound
                .get(&request.fd)
                .is_some_and(|binding| Arc::ptr_eq(binding, &request.binding));
        if is_bound {
            books.on.insert(request.address(), Arc::clone(request));
            return true;
        }
        drop(books);
        self.cancelled.fetch_add(1, Ordering::Relaxed);
        self.tell(Arc::clone(request), -libc::ECANCELED);
        false
    }

    /// What can be done without waiting. `None`: it has to wait.
    fn try_at_once(&self, request: &Request) -> Option<i32> {
        if request.transfer.length() == 0 {
            return Some(0);
        }
        loop {
            let (fd, kind, done) = (request.descriptor(), request.kind(), request.done());
            match kernel::attempt(&request.transfer, fd, kind, done) {
                Attempt::WouldBlock => return None,
                Attempt::Done(result) if self.is_over(request, result) => return Some(result),
                Attempt::Done(_) => {}
            }
        }
    }

    /// Notes a part. Whether it was the last.
    fn is_over(&self, request: &Request, result: i32) -> bool {
        let Ok(count) = u32::try_from(result) else {
            return true;
        };
        if !request.kind().is_stream() || request.transfer.direction() == Direction::Read {
            return true;
        }
        let done = request.done() + count;
        if count > 0 && done < request.transfer.length() {
            request.done.store(done, Ordering::Relaxed);
            return false;
        }
        true
    }

    /// The first of its lane, or a file's: attempts it, and leaves it to the engine if it has to wait. And so on with those
    /// behind it, if it is over.
    fn advance(self: &Arc<Self>, request: Arc<Request>) {
        let mut next = Some(request);
        while let Some(request) = next.take() {
            let result = match self.try_or_start(&request) {
                None => return,
                Some(result) => result,
            };
            next = self.finish(&request, result);
        }
    }

    /// `None`: the engine has it.
    fn try_or_start(self: &Arc<Self>, request: &Arc<Request>) -> Option<i32> {
        if request.is_cancelled() {
            return Some(-libc::ECANCELED);
        }
        if self.is_to_be_attempted(request)
            && let Some(result) = self.try_at_once(request)
        {
            request.lane().note_success();
            return Some(result);
        }
        match self.start(request) {
            Ok(()) => None,
            Err(errno) => Some(-errno),
        }
    }

    /// Whether to move it here before it is given to the engine; a file's was attempted when it was submitted.
    fn is_to_be_attempted(&self, request: &Request) -> bool {
        let looks_itself = self.uring().is_some() && !request.is_by_readiness();
        let moves_nothing = request.transfer.length() == 0;
        request.kind().is_stream()
            && (moves_nothing || !looks_itself || request.lane().is_worth_an_attempt())
    }

    fn start(self: &Arc<Self>, request: &Arc<Request>) -> Result<(), i32> {
        match &self.engine {
            Engine::Uring(uring) => {
                let promise = Promise::of_completions(&request.manager);
                uring.start(self, request, promise)?;
            }
            Engine::Helpers(helpers) => helpers.start(self, request)?,
        }
        // Either this is seen here, or the engine has it for whoever cancels.
        if request.is_cancelled() {
            self.cancel_started(request);
        }
        Ok(())
    }

    fn cancel_started(self: &Arc<Self>, request: &Arc<Request>) {
        match &self.engine {
            Engine::Uring(uring) => uring.cancel(request),
            Engine::Helpers(helpers) => helpers.cancel(self, request),
        }
    }

    /// The engine has something to say of the transfer with this structure.
    fn answered(self: &Arc<Self>, address: usize, result: i32) {
        let Some(request) = self.on(address) else {
            return;
        };
        let again = match -result {
            // It says so to the ring as well.
            libc::EAGAIN if request.kind().is_stream() => {
                request.by_readiness.store(true, Ordering::Relaxed);
                true
            }
            libc::EINTR | libc::EAGAIN => true,
            // The thread that had put it there has ended.
            libc::ECANCELED => !request.is_cancelled(),
            _ => !self.is_over(&request, result),
        };
        if !again {
            return self.over(&request, result);
        }
        // What is left of it: not by way of an attempt, since the ring has just said that it would wait.
        match request.is_cancelled() {
            true => self.over(&request, -libc::ECANCELED),
            false => {
                if let Err(errno) = self.start(&request) {
                    self.over(&request, -errno);
                }
            }
        }
    }

    /// What the transfer with this structure waits for is ready, or its wait has failed.
    fn ready(self: &Arc<Self>, address: usize, result: i32) {
        let Some(request) = self.on(address) else {
            return;
        };
        match -result {
            libc::ECANCELED if request.is_cancelled() => self.over(&request, result),
            libc::ECANCELED | libc::EINTR | libc::EAGAIN => self.advance(request),
            error if error > 0 => self.over(&request, result),
            _ => self.advance(request),
        }
    }

    fn over(self: &Arc<Self>, request: &Arc<Request>, result: i32) {
        if let Some(next) = self.finish(request, result) {
            self.advance(next);
        }
    }

    /// It is over. Returns who is the first of its lane now.
    fn finish(self: &Arc<Self>, request: &Arc<Request>, result: i32) -> Option<Arc<Request>> {
        let removed = self.books.lock().on.remove(&request.address());
        debug_assert!(removed.is_some(), "each ends once");
        let next = if request.kind().is_stream() {
            let mut lane = request.lane().queue();
            let first = lane.pop_front();
            debug_assert!(first.is_some_and(|first| Arc::ptr_eq(&first, request)));
            lane.front().cloned()
        } else {
            None
        };
        if result == -libc::ECANCELED {
            self.cancelled.fetch_add(1, Ordering::Relaxed);
        }
        self.tell(Arc::clone(request), result);
        next
    }

    /// The memory is the runtime's again, and it is told so.
    fn tell(self: &Arc<Self>, request: Arc<Request>, result: i32) {
        let (transfer, kind) = (&request.transfer, request.kind());
        let (asked, direction) = (transfer.length(), transfer.direction());
        let (error, bytes) = win32::outcome(kind, direction, asked, request.done(), result);
        transfer.finish(error, bytes);
        if let Some(task) = &request.task {
            task.lent().give_back();
        }
        let told = Told {
            completions: Arc::clone(self),
            request,
            error,
            bytes,
        };
        // The scheduler ends before the host: then there are no tasks, and the runtime is told all the same.
        if let Err((_, told)) = self.workers.queue(told) {
            told.run();
        }
    }

    fn note_told(&self) {
        self.completed.fetch_add(1, Ordering::Relaxed);
        self.note_gone();
    }

    fn note_gone(&self) {
        let mut books = self.books.lock();
        books.pending -= 1;
        if books.closed && books.pending == 0 {
            self.gone.set();
        }
    }

    fn on(&self, address: usize) -> Option<Arc<Request>> {
        self.books.lock().on.get(&address).cloned()
    }
}
