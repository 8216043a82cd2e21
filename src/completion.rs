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
mod helpers;
#[allow(unsafe_code, reason = "the kernel's calls: see there")]
mod kernel;
mod lane;
#[allow(unsafe_code, reason = "the kernel's ring: see there")]
mod uring;
mod win32;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fiberhost_scheduler::sync::ManualResetEvent;
use fiberhost_scheduler::{Heed, Wake};
use parking_lot::Mutex;

use crate::clock;
use crate::com::clr::ICLRIoCompletionManager;
use crate::com::host::IHostIoCompletionManager;
use crate::com::overlapped::{HOST_BYTES, descriptor};
use crate::com::{Address, Direction, Handle, Hresult, NewOverlapped, Promise, Transfer};
use crate::current;
use crate::host::Shared;
use crate::security::Identity;
use crate::task::Task;
use crate::workers::{Job, Workers};
use cancel::Cancel;
use helpers::Helpers;
use kernel::{Attempt, Kind};
use lane::Lane;
use uring::Uring;

/// Ports are told from descriptors by this bit; the number below it is never used again.
const PORT: usize = 1 << 40;
/// A worker beyond the least waits so long for completions before it ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who looks after transfers that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IoEngine {
    /// The kernel's ring where it has one, helper threads otherwise.
    #[default]
    Detect,
    /// The kernel's ring (`io_uring`).
    Uring,
    /// Helper threads.
    Helpers,
}

/// Figures of a host's transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransferFigures {
    /// Transfers that were accepted.
    pub submitted: u64,
    /// Those of them that were over as they were submitted.
    pub at_once: u64,
    /// Those that the runtime was told of.
    pub completed: u64,
    /// Those that were cancelled before their end.
    pub cancelled: u64,
    /// Those that the runtime was not told of yet.
    pub pending: u64,
    /// Descriptors that are bound.
    pub bound: usize,
}

enum Engine {
    Uring(Box<Uring>),
    Helpers(Helpers),
}

/// A descriptor that is bound.
#[derive(Debug)]
struct Binding {
    port: usize,
    kind: Kind,
    /// Which file it was.
    file: (u64, u64),
    lanes: [Lane<Arc<Request>>; 2],
}

/// A transfer that was accepted.
#[derive(Debug)]
struct Request {
    transfer: Transfer,
    fd: RawFd,
    /// The same open file, if it may have to be used after the caller's number was closed.
    held: OnceLock<OwnedFd>,
    binding: Arc<Binding>,
    /// Bytes of a stream that were written already.
    done: AtomicU32,
    cancel: Cancel,
    /// The descriptor says that it would block, to the ring as well.
    by_readiness: AtomicBool,
    /// Whom to tell.
    manager: ICLRIoCompletionManager,
    /// With whom its buffer goes.
    task: Option<Arc<Task>>,
    identity: Identity,
}

impl Request {
    fn transfer(&self) -> &Transfer {
        &self.transfer
    }

    fn kind(&self) -> Kind {
        self.binding.kind
    }

    fn address(&self) -> usize {
        self.transfer.overlapped().address()
    }

    /// The descriptor to use now.
    fn descriptor(&self) -> RawFd {
        self.held.get().map_or(self.fd, AsRawFd::as_raw_fd)
    }

    /// From now on the descriptor is one of our own.
    fn hold(&self) -> Result<RawFd, i32> {
        if let Some(held) = self.held.get() {
            return Ok(held.as_raw_fd());
        }
        let copy = kernel::duplicate(self.fd)
            .map_err(|error| error.raw_os_error().unwrap_or(libc::EMFILE))?;
        Ok(self.held.get_or_init(|| copy).as_raw_fd())
    }

    fn done(&self) -> u32 {
        // Relaxed, here and below: one at a time is at it.
        self.done.load(Ordering::Relaxed)
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_marked()
    }

    fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    fn lane(&self) -> &Lane<Arc<Request>> {
        &self.binding.lanes[self.transfer.direction() as usize]
    }

    /// Whether the engine only says when it can go on, and it is moved here.
    fn is_by_readiness(&self) -> bool {
        // A write to a pipe may raise a signal, and devices know no other way.
        let (kind, direction) = (self.kind(), self.transfer.direction());
        kind == Kind::Device
            || (kind == Kind::Pipe && direction == Direction::Write)
            || self.by_readiness.load(Ordering::Relaxed)
    }
}

/// What the runtime is to be told.
struct Told {
    completions: Arc<Completions>,
    request: Arc<Request>,
    error: u32,
    bytes: u32,
}

impl Job for Told {
    fn promise(&self) -> Promise {
        Promise::of_completions(&self.request.manager)
    }

    fn run(self) {
        let Told {
            completions,
            request,
            error,
            bytes,
        } = self;
        let overlapped = request.transfer.overlapped();
        request.identity.during(&completions.host, || {
            // What the runtime makes of it is its business.
            let _ = request.manager.on_complete(error, bytes, overlapped);
        });
        completions.note_told();
    }
}

/// By descriptors, and by addresses of structures: nobody chooses them to collide, which std's hash has its price for.
type ByNumber<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

#[derive(Debug, Default)]
struct Books {
    /// Whom to tell.
    manager: Option<ICLRIoCompletionManager>,
    ports: BTreeSet<usize>,
    last_port: usize,
    bound: ByNumber<RawFd, Arc<Binding>>,
    /// Transfers that wait, by the address of their structure.
    on: ByNumber<usize, Arc<Request>>,
    /// Transfers that the runtime was not told of yet.
    pending: u64,
    closed: bool,
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

    /// A stream's transfer that is there although it was cancelled.
    fn to_be_cancelled(&self, address: usize) -> Option<Arc<Request>> {
        let request = self.on(address)?;
        (request.kind().is_stream() && request.is_cancelled()).then_some(request)
    }

    /// Cancels those that wait, as far as they are among these. Returns how many.
    fn cancel(self: &Arc<Self>, is_one: impl Fn(&Request) -> bool) -> usize {
        let books = self.books.lock();
        let found: Vec<Arc<Request>> = books
            .on
            .values()
            .filter(|request| is_one(request) && !request.is_cancelled())
            .cloned()
            .collect();
        for request in &found {
            request.cancel.mark();
        }
        drop(books);
        for request in &found {
            if request.kind().is_stream() && self.give_up_waiting(request) {
                continue;
            }
            self.cancel_started(request);
        }
        found.len()
    }

    /// Takes a cancelled one out of its lane, unless it is the first there. Returns whether that was so.
    fn give_up_waiting(self: &Arc<Self>, request: &Arc<Request>) -> bool {
        let mut lane = request.lane().queue();
        let at = lane.iter().position(|other| Arc::ptr_eq(other, request));
        let Some(at) = at.filter(|at| *at > 0) else {
            return false;
        };
        lane.remove(at);
        drop(lane);
        self.books.lock().on.remove(&request.address());
        self.cancelled.fetch_add(1, Ordering::Relaxed);
        self.tell(Arc::clone(request), -libc::ECANCELED);
        true
    }

    /// A task ends: the transfers whose buffers go with it end first.
    pub(crate) fn end_of_task(self: &Arc<Self>, task: &Task) {
        self.cancel(|request| {
            let of = request.task.as_deref();
            of.is_some_and(|of| std::ptr::eq(of, task))
        });
        task.lent().wait();
    }

    /// Nothing is accepted any more; what waits is cancelled; the runtime is told of all, within the limit.
    pub(crate) fn close(self: &Arc<Self>, limit: Duration) {
        let until = clock::now() + limit;
        let left = || until.saturating_duration_since(clock::now());
        let mut books = self.books.lock();
        books.closed = true;
        if books.pending == 0 {
            self.gone.set();
        }
        drop(books);
        self.cancel(|_| true);
        self.wait_for_all(&left);
        match &self.engine {
            Engine::Uring(uring) => uring.close(left()),
            Engine::Helpers(helpers) => helpers.close(),
        }
        self.workers.close(left());
        let mut books = self.books.lock();
        let (bound, manager) = (std::mem::take(&mut books.bound), books.manager.take());
        books.ports.clear();
        drop(books);
        // Released without the lock: the runtime may call back.
        drop((bound, manager));
    }

    fn wait_for_all(self: &Arc<Self>, left: &dyn Fn() -> Duration) {
        while !self.gone.is_set() && left() > Duration::ZERO {
            // Where the scheduler has ended before the host, nobody else is there to do it.
            for told in self.workers.take_left() {
                told.run();
            }
            match self.uring() {
                Some(uring) if !uring.is_watched() => {
                    uring.collect_here(self, left().min(Duration::from_millis(10)));
                }
                _ => {
                    let wake = self.gone.wait_heeding(Some(left()), Heed::Nothing);
                    debug_assert!(wake != Wake::Alerted, "nothing else ends it");
                }
            }
        }
    }

    fn bind(&self, port: usize, fd: RawFd) -> Result<(), Hresult> {
        let (kind, file) = kernel::look(fd).map_err(|_| Hresult::E_INVALIDARG)?;
        let mut books = self.books.lock();
        if books.closed {
            return Err(Hresult::HOST_E_CLRNOTAVAILABLE);
        }
        if port != 0 && !books.ports.contains(&port) {
            return Err(Hresult::E_INVALIDARG);
        }
        // The number may be that of another file by now, or of the same one opened anew: it is the last port's.
        if let Some(before) = books.bound.get(&fd)
            && (before.port, before.kind, before.file) == (port, kind, file)
        {
            return Ok(());
        }
        let binding = Arc::new(Binding {
            port,
            kind,
            file,
            lanes: Default::default(),
        });
        let before = books.bound.insert(fd, binding);
        drop((books, before));
        Ok(())
    }

    fn unbind(self: &Arc<Self>, fd: RawFd) -> Result<(), Hresult> {
        let removed = self.books.lock().bound.remove(&fd);
        let binding = removed.ok_or(Hresult::E_HANDLE)?;
        self.cancel(|request| Arc::ptr_eq(&request.binding, &binding));
        Ok(())
    }

    fn close_port(self: &Arc<Self>, port: usize) -> Result<(), Hresult> {
        let mut books = self.books.lock();
        if !books.ports.remove(&port) {
            return Err(Hresult::E_INVALIDARG);
        }
        let gone: Vec<Arc<Binding>> = books
            .bound
            .extract_if(|_, binding| binding.port == port)
            .map(|(_, binding)| binding)
            .collect();
        drop(books);
        self.cancel(|request| request.binding.port == port);
        drop(gone);
        Ok(())
    }
}

/// A host's transfers. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Transfers(Arc<Completions>);

impl Transfers {
    pub(crate) fn new(completions: &Arc<Completions>) -> Transfers {
        Transfers(Arc::clone(completions))
    }

    /// Begins a transfer of a descriptor that is bound. The runtime is told of its end, once, by
    /// `ICLRIoCompletionManager::OnComplete` on a task at its base; also if it was over at once.
    ///
    /// A read of a file ends with error 38 at its end, one of a pipe with 109 when nobody writes to it any more, one of a
    /// socket with 0 bytes and no error. A write to a pipe or a socket ends when all is written. No bytes are moved at once.
    ///
    /// # Errors
    /// Nothing has changed, and the runtime is not told: `E_HANDLE` if the descriptor is not bound, `E_INVALIDARG` if the
    /// structure was not initialized by this host, `HOST_E_INVALIDOPERATION` if its transfer is on, or if a buffer goes with a
    /// task and the caller is none, `HOST_E_CLRNOTAVAILABLE` if the runtime has named nobody to tell or the host shuts down,
    /// `E_OUTOFMEMORY` if there is no task to tell it.
    pub fn submit(&self, transfer: Transfer) -> Result<(), Hresult> {
        self.0.submit(transfer)
    }

    /// Cancels the transfers of a descriptor that wait, or only the one with this structure. Each ends with error 995, unless
    /// its end comes first. Returns without waiting for that.
    ///
    /// # Errors
    /// `HRESULT_FROM_WIN32_ERROR_NOT_FOUND` if there is none.
    pub fn cancel(&self, handle: Handle, overlapped: Option<Address>) -> Result<(), Hresult> {
        let fd = descriptor(handle).ok_or(Hresult::E_HANDLE)?;
        let count = self.0.cancel(|request| {
            let meant = overlapped.is_none_or(|one| one.0 == request.address());
            request.fd == fd && meant
        });
        match count {
            0 => Err(Hresult::HRESULT_FROM_WIN32_ERROR_NOT_FOUND),
            _ => Ok(()),
        }
    }

    /// A descriptor is about to be closed: it is not bound any more, and what waits for it is cancelled.
    ///
    /// # Errors
    /// `E_HANDLE` if it is not bound.
    pub fn unbind(&self, handle: Handle) -> Result<(), Hresult> {
        let fd = descriptor(handle).ok_or(Hresult::E_HANDLE)?;
        self.0.unbind(fd)
    }

    /// Who looks after what waits.
    pub fn engine(&self) -> IoEngine {
        match self.0.engine {
            Engine::Uring(_) => IoEngine::Uring,
            Engine::Helpers(_) => IoEngine::Helpers,
        }
    }

    /// Figures, taken without stopping anything.
    pub fn figures(&self) -> TransferFigures {
        self.0.figures()
    }
}

/// The manager.
#[derive(Debug)]
pub(crate) struct CompletionManager(pub(crate) Arc<Completions>);

impl IHostIoCompletionManager for CompletionManager {
    fn create_io_completion_port(&self) -> Result<Handle, Hresult> {
        let mut books = self.0.books.lock();
        books.last_port += 1;
        let port = PORT | books.last_port;
        books.ports.insert(port);
        Ok(Handle(port))
    }

    fn close_io_completion_port(&self, port: Handle) -> Result<(), Hresult> {
        self.0.close_port(port.0)
    }

    fn set_max_threads(&self, threads: u32) -> Result<(), Hresult> {
        self.0.workers.set_most(threads)
    }

    fn max_threads(&self) -> Result<u32, Hresult> {
        Ok(self.0.workers.most())
    }

    fn available_threads(&self) -> Result<u32, Hresult> {
        Ok(self.0.workers.available())
    }

    fn host_overlapped_size(&self) -> Result<u32, Hresult> {
        Ok(HOST_BYTES)
    }

    fn set_clr_io_completion_manager(
        &self,
        manager: ICLRIoCompletionManager,
    ) -> Result<(), Hresult> {
        let mut books = self.0.books.lock();
        if books.manager.is_some() || books.closed {
            // What is refused goes when the lock is gone: the runtime may call back.
            drop(books);
            return Err(Hresult::E_UNEXPECTED);
        }
        books.manager = Some(manager);
        Ok(())
    }

    /// The structure may lie in the runtime's heap, and may be moved until a transfer is on.
    fn initialize_host_overlapped(&self, overlapped: NewOverlapped) -> Result<(), Hresult> {
        overlapped.initialize(self.0.seal);
        Ok(())
    }

    fn bind(&self, port: Handle, descriptor: Handle) -> Result<(), Hresult> {
        let fd = RawFd::try_from(descriptor.0).map_err(|_| Hresult::E_INVALIDARG)?;
        self.0.bind(port.0, fd)
    }

    fn set_min_threads(&self, threads: u32) -> Result<(), Hresult> {
        self.0.workers.set_least(threads)
    }

    fn min_threads(&self) -> Result<u32, Hresult> {
        Ok(self.0.workers.least_set())
    }
}
