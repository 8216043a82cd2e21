//! Where another thread of the process stands: asked by a signal, answered by its handler into a buffer made in advance.
//!
//! The handler copies and understands nothing: the program counter, what the frame pointers lead to, and the words of the
//! stack, for code that keeps no frame pointers. The thread may have signals blocked, or not be scheduled; so nobody waits
//! for the answer, and one that comes too late finds that its question was taken back.
//!
//! # The buffer
//!
//! There is one for the process. A word says whose turn it is, with the number of the question above it:
//!
//! | phase | who has the buffer | ends by |
//! |---|---|---|
//! | free | nobody | *filling*, by whoever asks, with a new number |
//! | filling | who asks, or the handler | *asked*, or *answered* |
//! | asked | nobody | *filling* by the handler; *free* by the asker who gives up |
//! | answered | the asker | *free* |
//! | given up | the handler, which is still at it | *free* |
//!
//! The signal carries the number of its question, so a late one changes nothing.
//!
//! # The signal
//!
//! It is sent to the one thread, with the buffer's address as its value: any other signal of that number goes to the handler
//! that was there before. The handler is installed when the first stall is looked at, so that nothing of the process is
//! changed before, and never taken away. If it is found replaced, nothing is sent: without a handler such a signal ends the
//! process.
//!
//! Room for unsafe code: a signal handler, which reads a stack.

use std::sync::Once;
// In a signal handler nothing but std's own will do, and no model has one.
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use crate::fiber;
use crate::fiber::overflow::earlier::{Earlier, is_installed};
use crate::fiber::overflow::frames::{Around, Code, Linked, word};
use crate::fiber::overflow::report::Registers;
use crate::thread::Thread;

const FREE: u64 = 0;
const FILLING: u64 = 1;
const ASKED: u64 = 2;
const ANSWERED: u64 = 3;
const GIVEN_UP: u64 = 4;
const PHASE_BITS: u32 = 3;

/// Frames along frame pointers, and words of the task's and of the worker's stack, that are copied.
const LINKED_MAX: usize = 128;
const TASK_WORDS: usize = 4096;
const WORKER_WORDS: usize = 512;
const SIGNALS: usize = 65;

/// A list that a handler fills.
struct Words<const N: usize> {
    words: [AtomicUsize; N],
    len: AtomicUsize,
}

impl<const N: usize> Words<N> {
    const fn new() -> Self {
        Words {
            words: [const { AtomicUsize::new(0) }; N],
            len: AtomicUsize::new(0),
        }
    }

    fn clear(&self) {
        self.len.store(0, Ordering::Relaxed);
    }

    /// What does not fit is left out.
    fn push(&self, word: usize) {
        let len = self.len.load(Ordering::Relaxed);
        if let Some(place) = self.words.get(len) {
            place.store(word, Ordering::Relaxed);
            self.len.store(len + 1, Ordering::Relaxed);
        }
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        let len = self.len.load(Ordering::Relaxed);
        self.words[..len]
            .iter()
            .map(|word| word.load(Ordering::Relaxed))
    }
}

/// See the module docs. All but `state` belongs to whom the phase names, and is handed over with it.
struct Buffer {
    state: AtomicU64,
    thread: AtomicPtr<Thread>,
    os_id: AtomicI32,
    settled: AtomicU64,
    instruction: AtomicUsize,
    /// What the register says that has the number of a system call, and later its result.
    accumulator: AtomicUsize,
    stack: AtomicUsize,
    frame: AtomicUsize,
    base: AtomicUsize,
    task_id: AtomicU64,
    linked: Words<LINKED_MAX>,
    task: Words<TASK_WORDS>,
    worker: Words<WORKER_WORDS>,
}

static BUFFER: Buffer = Buffer {
    state: AtomicU64::new(FREE),
    thread: AtomicPtr::new(std::ptr::null_mut()),
    os_id: AtomicI32::new(0),
    settled: AtomicU64::new(0),
    instruction: AtomicUsize::new(0),
    accumulator: AtomicUsize::new(0),
    stack: AtomicUsize::new(0),
    frame: AtomicUsize::new(0),
    base: AtomicUsize::new(0),
    task_id: AtomicU64::new(0),
    linked: Words::new(),
    task: Words::new(),
    worker: Words::new(),
};

struct Handler {
    once: Once,
    is_there: AtomicBool,
    earlier: Earlier,
}

static HANDLERS: [Handler; SIGNALS] = [const {
    Handler {
        once: Once::new(),
        is_there: AtomicBool::new(false),
        earlier: Earlier::new(),
    }
}; SIGNALS];

/// The signal that is used unless another one is chosen: nobody is known to use it.
pub(crate) fn default_signal() -> i32 {
    libc::SIGRTMAX() - 3
}

/// Whether it is one of those that nobody but the programs themselves gives a meaning to.
pub(crate) fn is_usable(signal: i32) -> bool {
    (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&signal) && (signal as usize) < SIGNALS
}

/// What became of a question.
pub(crate) enum Ask {
    Asked(Question),
    /// Somebody else's is under way.
    Busy,
    /// It cannot be asked.
    Refused,
}

/// One that was asked; it is to be answered or given up.
pub(crate) struct Question(u64);

/// Asks where this thread stands.
pub(crate) fn ask(thread: &'static Thread, signal: i32) -> Ask {
    if !has_handler(signal) {
        return Ask::Refused;
    }
    let before = BUFFER.state.load(Ordering::Relaxed);
    let number = (before >> PHASE_BITS) + 1;
    let word = |phase| (number << PHASE_BITS) | phase;
    // Acquire: the last one is done with the buffer.
    let mine = before & PHASE_MASK == FREE
        && BUFFER
            .state
            .compare_exchange(before, word(FILLING), Ordering::Acquire, Ordering::Relaxed)
            .is_ok();
    if !mine {
        return Ask::Busy;
    }
    let os_id = thread.os_id.load(Ordering::Relaxed);
    BUFFER
        .thread
        .store(std::ptr::from_ref(thread).cast_mut(), Ordering::Relaxed);
    BUFFER.os_id.store(os_id, Ordering::Relaxed);
    // Release: the handler sees whom the question is for.
    BUFFER.state.store(word(ASKED), Ordering::Release);
    if os_id != 0 && send(os_id, signal, number) {
        return Ask::Asked(Question(number));
    }
    // Nobody was told of it.
    BUFFER.state.store(word(FREE), Ordering::Release);
    Ask::Refused
}

const PHASE_MASK: u64 = (1 << PHASE_BITS) - 1;

impl Question {
    fn word(&self, phase: u64) -> u64 {
        (self.0 << PHASE_BITS) | phase
    }

    pub(crate) fn is_answered(&self) -> bool {
        // Acquire: the answer is there.
        BUFFER.state.load(Ordering::Acquire) == self.word(ANSWERED)
    }

    /// The answer. Only if it is there.
    pub(crate) fn take(self) -> Sample {
        debug_assert!(self.is_answered(), "an answer is taken when it is there");
        let around = around();
        let sample = Sample {
            settled: BUFFER.settled.load(Ordering::Relaxed),
            call: around.and_then(call),
            in_kernel: around.map(|around| around != Around::Nothing),
            frames: frames(),
            task: BUFFER.task_id.load(Ordering::Relaxed),
            captured: captured(),
        };
        // Release: whoever asks next finds the buffer unused.
        BUFFER.state.store(self.word(FREE), Ordering::Release);
        sample
    }

    /// Takes the question back.
    pub(crate) fn give_up(self) {
        let from_to = [(ASKED, FREE), (FILLING, GIVEN_UP), (ANSWERED, FREE)];
        // Again and again: the handler may go on from each to the next.
        while !from_to.iter().any(|&(from, to)| {
            BUFFER
                .state
                .compare_exchange(
                    self.word(from),
                    self.word(to),
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                )
                .is_ok()
        }) {}
    }
}

/// Where a thread stood.
pub(crate) struct Sample {
    /// How often it had settled.
    pub(super) settled: u64,
    /// The system call that the signal has interrupted, or met at its end, if the code around it tells.
    pub(super) call: Option<u64>,
    /// Whether it was at a system call's instruction: then the signal has met it in the kernel. Not for a fault's.
    pub(super) in_kernel: Option<bool>,
    pub(super) frames: Frames,
    /// The number of the task that it ran; 0 for none.
    pub(crate) task: u64,
    pub(crate) captured: Captured,
}

/// Registers of a thread or of a task that does not run, and a copy of its stack, for who knows the tables that unwinding uses.
#[cfg_attr(
    not(all(feature = "symbols", target_arch = "x86_64")),
    allow(dead_code, reason = "nobody reads the tables of unwinding")
)]
pub(crate) struct Captured {
    pub(crate) instruction: usize,
    pub(crate) stack: usize,
    pub(crate) frame: usize,
    /// The register that is left to its owner by every function.
    pub(crate) base: usize,
    /// What was copied, and from where on.
    pub(crate) words_at: usize,
    pub(crate) words: Box<[usize]>,
}

/// Program counters, innermost first.
#[derive(Default)]
pub(super) struct Frames {
    /// The innermost, and every word on the stacks that points behind a call.
    pub(super) likely: Box<[usize]>,
    /// The innermost, and where the frame pointers lead.
    pub(super) linked: Box<[usize]>,
}

/// What the buffer comes to. This allocates: it is for the report.
fn frames() -> Frames {
    let innermost = || std::iter::once(BUFFER.instruction.load(Ordering::Relaxed));
    let code = Code::read();
    let words = BUFFER.task.iter().chain(BUFFER.worker.iter());
    let likely = words.filter(|&word| code.follows_a_call_elsewhere(word));
    Frames {
        likely: innermost().chain(likely).collect(),
        linked: innermost().chain(BUFFER.linked.iter()).collect(),
    }
}

fn captured() -> Captured {
    let read = |word: &AtomicUsize| word.load(Ordering::Relaxed);
    Captured {
        instruction: read(&BUFFER.instruction),
        stack: read(&BUFFER.stack),
        frame: read(&BUFFER.frame),
        base: read(&BUFFER.base),
        words_at: read(&BUFFER.stack),
        words: BUFFER.task.iter().collect(),
    }
}

/// What system call stands where the thread stood, where that can be told.
fn around() -> Option<Around> {
    let at = BUFFER.instruction.load(Ordering::Relaxed);
    let around = Code::read().around(at);
    around.filter(|_| cfg!(target_arch = "x86_64"))
}

/// The number of the system call at whose instruction the thread stood: either it is about to be made again, and its number in
/// the register for that; or it has just been made, and the instruction before it says which.
fn call(around: Around) -> Option<u64> {
    match around {
        Around::Call => Some(BUFFER.accumulator.load(Ordering::Relaxed) as u64),
        Around::BehindCall(number) => number.map(u64::from),
        Around::Nothing => None,
    }
}

/// Whether our handler is there; installs it the first time.
fn has_handler(signal: i32) -> bool {
    let handler = &HANDLERS[signal as usize];
    handler.once.call_once(|| {
        let done = handler.earlier.install(signal, on_signal, libc::SA_RESTART);
        handler.is_there.store(done, Ordering::Relaxed);
    });
    handler.is_there.load(Ordering::Relaxed) && is_installed(signal, on_signal)
}

/// A signal's information as the kernel takes it, where a value goes with it.
#[repr(C)]
struct Information {
    signal: i32,
    errno: i32,
    code: i32,
    pad: i32,
    process: i32,
    user: u32,
    value: usize,
    rest: [u64; 12],
}

const _: () = assert!(size_of::<Information>() == size_of::<libc::siginfo_t>());

/// Sends the signal to that thread, with the buffer's address, and with the question's number in a field that the kernel
/// passes on as it is.
fn send(os_id: i32, signal: i32, number: u64) -> bool {
    // SAFETY: the calls take nothing and always succeed.
    let (process, user) = unsafe { (libc::getpid(), libc::getuid()) };
    let information = Information {
        signal,
        errno: number as i32,
        code: libc::SI_QUEUE,
        pad: 0,
        process,
        user,
        value: (&raw const BUFFER).addr(),
        rest: [0; 12],
    };
    // SAFETY: the structure is the kernel's, and outlives the call.
    let sent = unsafe {
        libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            process,
            os_id,
            signal,
            &raw const information,
        )
    };
    sent == 0
}

/// The handler.
unsafe extern "C" fn on_signal(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the interrupted code's own.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: the kernel's, or that of a handler which passes on what it got from the kernel; it has a value if it is queued.
    let ours = !info.is_null()
        && unsafe {
            (*info).si_code == libc::SI_QUEUE
                && (*info).si_value().sival_ptr.addr() == (&raw const BUFFER).addr()
        };
    if ours {
        // SAFETY: as above, and the context is the kernel's.
        unsafe { answer((*info).si_errno as u32, &Registers::of(context)) };
    } else {
        // SAFETY: the arguments are the kernel's.
        unsafe {
            let earlier = &HANDLERS[signal as usize].earlier;
            earlier.hand_on(signal, info, context, false);
        }
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// Answers the question of this number, if it is still asked and the calling thread is the one.
fn answer(number: u32, registers: &Registers) {
    let word = BUFFER.state.load(Ordering::Relaxed);
    let asked = word & PHASE_MASK == ASKED && (word >> PHASE_BITS) as u32 == number;
    let filling = word - ASKED + FILLING;
    // Acquire: whom it is for.
    if !asked
        || BUFFER
            .state
            .compare_exchange(word, filling, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
    {
        return;
    }
    // SAFETY: the call takes nothing and always succeeds.
    let me = unsafe { libc::gettid() };
    if BUFFER.os_id.load(Ordering::Relaxed) == me {
        // SAFETY: it is this thread's record. The thread has kept its scheduler, or is waited for by whoever ends it.
        let thread = unsafe { &*BUFFER.thread.load(Ordering::Relaxed) };
        copy(thread, registers);
    }
    let answered = word - ASKED + ANSWERED;
    // Release: the answer is there.
    if BUFFER
        .state
        .compare_exchange(filling, answered, Ordering::Release, Ordering::Relaxed)
        .is_err()
    {
        BUFFER.state.store(word - ASKED + FREE, Ordering::Release);
    }
}

/// A part of a stack, from what is in use to its top.
struct Part {
    low: usize,
    top: usize,
}

impl Part {
    fn from(at: usize, low: usize, top: usize) -> Option<Part> {
        let inside = at >= low && at < top && at.is_multiple_of(8);
        inside.then_some(Part { low: at, top })
    }

    fn frames(&self, frame: usize) -> Linked {
        // SAFETY: it is in use, and this thread's own.
        unsafe { Linked::new(frame, self.low, self.top) }
    }

    fn words(&self, most: usize) -> impl Iterator<Item = usize> {
        let words = (self.top - self.low) / 8;
        // SAFETY: as above; within the part.
        (0..words.min(most)).map(|index| unsafe { word(self.low + 8 * index) })
    }
}

/// Copies where the calling thread stands. In its handler.
fn copy(thread: &Thread, registers: &Registers) {
    BUFFER.settled.store(thread.settled(), Ordering::Relaxed);
    BUFFER
        .instruction
        .store(registers.instruction, Ordering::Relaxed);
    BUFFER
        .accumulator
        .store(registers.accumulator, Ordering::Relaxed);
    BUFFER.stack.store(registers.stack, Ordering::Relaxed);
    BUFFER.frame.store(registers.frame, Ordering::Relaxed);
    BUFFER.base.store(registers.base, Ordering::Relaxed);
    let task = thread.task.get().map_or(0, |task| task.id.get());
    BUFFER.task_id.store(task, Ordering::Relaxed);
    BUFFER.linked.clear();
    BUFFER.task.clear();
    BUFFER.worker.clear();
    let own_low = thread.stack_low.load(Ordering::Relaxed);
    let own_top = thread.stack_top.load(Ordering::Relaxed);
    let fiber = thread.task.get().and_then(fiber::stack_of);
    let on_fiber = fiber.and_then(|(low, top)| Part::from(registers.stack, low, top));
    let is_on_fiber = on_fiber.is_some();
    let inner = on_fiber.or_else(|| Part::from(registers.stack, own_low, own_top));
    if let Some(part) = inner {
        part.frames(registers.frame)
            .for_each(|at| BUFFER.linked.push(at));
        part.words(TASK_WORDS).for_each(|at| BUFFER.task.push(at));
    }
    // The worker's frames, which it left in the jump to the task; other switches do not say where.
    let outer = Part::from(thread.sp.get(), own_low, own_top);
    if let Some(part) = outer.filter(|_| is_on_fiber && cfg!(fiberhost_jump)) {
        let [frame, entry] = thread.frame.get();
        // The chain of a task ends in the worker's loop, if it is one.
        let last = BUFFER.linked.iter().last();
        if last == Some(entry) {
            part.frames(frame).for_each(|at| BUFFER.linked.push(at));
        }
        part.words(WORKER_WORDS)
            .for_each(|at| BUFFER.worker.push(at));
    }
}
