//! A stack that is not enough: the report names the task, the process ends as it would have, and other faults are left
//! to whoever they belong to.

mod common;

use std::ffi::CString;
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Output};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::{LONG, Watchdog, c, child};
use fiberhost::scheduler::{Backing, Guards, Scheduler, spawn, yield_now};

/// Where a child finds the C library.
const LIBRARY: &str = "FIBERHOST_TEST_LIBRARY";
/// How a handler of these tests ends the process.
const HANDLED: i32 = 77;

#[expect(unconditional_recursion, reason = "it ends at the guard")]
#[inline(never)]
fn deeper(level: u64) -> u64 {
    let page = black_box([level; 64]);
    // Not the last call, so that no compiler makes a loop of it.
    deeper(level + 1) + black_box(page)[3]
}

/// The same in C, with frames of 75 KB.
fn deeper_in_c() -> u64 {
    let path = CString::new(std::env::var(LIBRARY).unwrap()).unwrap();
    // SAFETY: our own library, without initialisers; the name is the function's and so is the type.
    unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
        assert!(!library.is_null(), "the library loads");
        let symbol = libc::dlsym(library, c"fiberhost_deep".as_ptr());
        assert!(!symbol.is_null(), "it has the function");
        let deep: extern "C" fn(u32) -> u32 = std::mem::transmute(symbol);
        u64::from(deep(0))
    }
}

/// Ends the process without a word if somebody dies of a fault that should not have happened.
fn no_core() {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a limit that outlives the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
}

fn stack_size(part: &str) -> usize {
    match part {
        _ if part.contains("large") => 1 << 20,
        _ if part.contains("small") => 32 << 10,
        _ => 128 << 10,
    }
}

/// Overflows in a task called `the deep one`, among others that have done nothing wrong. `part` says how.
fn overflow(part: &str) -> ! {
    let has = |word| part.split(' ').any(|other| other == word);
    let scheduler = Scheduler::builder().workers(2);
    let scheduler = if has("mprotect") {
        scheduler.guards(Guards::Mprotect)
    } else {
        scheduler
    };
    let scheduler = scheduler.build().unwrap();
    if has("late") {
        later::install();
    }
    let (in_c, moves) = (has("c"), has("moved"));
    let others: Vec<_> = (0..40)
        .map(|_| scheduler.spawn(|| (0..10).for_each(|_| yield_now())))
        .collect();
    let task = scheduler.task().name("the deep one");
    let task = task.stack_size(stack_size(part));
    let task = if has("thread") {
        task.backing(Backing::Thread)
    } else {
        task
    };
    let work = move || {
        let text = format!(
            "the deep one is task {};\n",
            fiberhost::scheduler::current().id()
        );
        say(&text);
        if moves {
            (0..100).for_each(|_| yield_now());
        }
        black_box(if in_c { deeper_in_c() } else { deeper(0) });
    };
    let task = if has("moved") {
        // SAFETY: it keeps nothing of a thread over its yields.
        unsafe { task.spawn_mobile(work) }
    } else {
        task.spawn(work)
    };
    let task = task.unwrap();
    for other in others {
        other.join().unwrap();
    }
    let ended = task.join();
    eprintln!("it ended with {ended:?}");
    std::process::exit(0);
}

fn run(test: &str, part: &str) -> (ExitStatus, String) {
    let library = if part.contains(" c") {
        let built = c::build(
            "faults/deep.c",
            &["-shared", "-fPIC", "-fno-omit-frame-pointer"],
        );
        Some(built)
    } else {
        None
    };
    let Output { status, stderr, .. } = child::run(test, part, |command| {
        if let Some(Some(library)) = &library {
            command.env(LIBRARY, library);
        }
    });
    if let Some(Some(library)) = library {
        std::fs::remove_file(library).unwrap();
    }
    (status, String::from_utf8_lossy(&stderr).into_owned())
}

/// What the report has to say.
#[track_caller]
fn is_reported(text: &str, stack: usize) {
    let id = text.split("the deep one is task ").nth(1);
    let id = id.and_then(|rest| rest.split(';').next()).unwrap();
    let head = format!("fiberhost: stack overflow in task {id} \"the deep one\": its stack has ");
    let rest = text.split(&head).nth(1);
    let rest = rest.unwrap_or_else(|| panic!("no report with {head:?} in {text}"));
    let size: usize = rest.split(' ').next().unwrap().parse().unwrap();
    assert!((stack..stack + 16 * 1024).contains(&size), "{text}");
    assert_eq!(text.matches(&head).count(), 1, "one report: {text}");
    let hex = |after: &str| {
        let digits = text
            .split(after)
            .nth(1)
            .unwrap()
            .split(|c: char| !c.is_ascii_hexdigit());
        usize::from_str_radix(digits.into_iter().next().unwrap(), 16).unwrap()
    };
    let (limit, touched) = (hex("bytes, 0x"), hex("touched 0x"));
    assert!(touched < limit && touched + (96 << 10) >= limit, "{text}");
    assert!(!frames(text).is_empty(), "{text}");
}

/// The addresses that the report lists.
fn frames(text: &str) -> Vec<&str> {
    let frames = text.split("frames, innermost first").nth(1).unwrap();
    let frames = frames.lines();
    frames.filter(|line| line.starts_with("    0x")).collect()
}

/// The function calls itself: the same return address again and again.
#[track_caller]
fn comes_from_itself(text: &str, times: usize) {
    let frames = frames(text);
    let count = |frame| frames.iter().filter(|other| **other == frame).count();
    assert!(frames.iter().any(|frame| count(*frame) >= times), "{text}");
}

fn overflows(test: &str, parts: &[&str]) {
    if let Some(part) = child::part() {
        no_core();
        overflow(&part);
    }
    for part in parts {
        let (status, text) = run(test, part);
        if part.contains(" c") && text.contains("NotPresent") {
            continue;
        }
        assert_eq!(
            status.signal(),
            Some(libc::SIGSEGV),
            "{part}: {status} {text}"
        );
        is_reported(&text, stack_size(part));
        if part.contains("large c") {
            // Built with frame pointers.
            assert!(!text.contains("likely"), "{text}");
            comes_from_itself(&text, 10);
        } else if !part.contains(" c") {
            comes_from_itself(&text, 10);
        }
    }
}

#[test]
fn an_overflow_in_rust_is_reported() {
    overflows(
        "an_overflow_in_rust_is_reported",
        &[
            "fiber",
            "fiber large",
            "fiber moved",
            "fiber mprotect",
            "thread",
            "thread large",
            "thread small",
            "fiber small",
        ],
    );
}

#[test]
fn an_overflow_in_c_with_frames_of_75_kb_is_reported() {
    overflows(
        "an_overflow_in_c_with_frames_of_75_kb_is_reported",
        &[
            "fiber c",
            "fiber large c",
            "fiber mprotect c",
            "thread c",
            "thread large c",
        ],
    );
}

/// Installs a handler for SIGSEGV and SIGBUS and returns what was there.
fn install(handler: usize, flags: libc::c_int) -> [libc::sigaction; 2] {
    // SAFETY: plain structures of zeroes; the handlers of these tests are for these signals.
    unsafe {
        let mut new: libc::sigaction = std::mem::zeroed();
        new.sa_sigaction = handler;
        new.sa_flags = flags;
        [libc::SIGSEGV, libc::SIGBUS].map(|signal| {
            let mut old: libc::sigaction = std::mem::zeroed();
            assert_eq!(libc::sigaction(signal, &raw const new, &raw mut old), 0);
            old
        })
    }
}

fn say(text: &str) {
    // SAFETY: bytes that outlive the call.
    unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
}

/// A handler that is there before the scheduler.
mod earlier {
    use super::*;

    pub(super) extern "C" fn full(
        signal: libc::c_int,
        info: *mut libc::siginfo_t,
        context: *mut libc::c_void,
    ) {
        // SAFETY: a handler's arguments.
        let address = unsafe { (*info).si_addr() }.addr();
        assert!(signal == libc::SIGSEGV || signal == libc::SIGBUS);
        assert!(!context.is_null());
        say(if address == NOWHERE {
            "earlier: nowhere\n"
        } else {
            "earlier: elsewhere\n"
        });
        // SAFETY: the call does not return.
        unsafe { libc::_exit(HANDLED) }
    }

    pub(super) extern "C" fn simple(_signal: libc::c_int) {
        say("earlier: simple\n");
        // SAFETY: the call does not return.
        unsafe { libc::_exit(HANDLED) }
    }

    /// Does nothing about it, so that the fault repeats.
    pub(super) extern "C" fn idle(_signal: libc::c_int) {
        say("earlier: idle\n");
    }

    /// Each time it is called it says so; with SA_RESETHAND that is once.
    pub(super) fn install_as(part: &str) {
        let once = part.contains("once");
        let flags = libc::SA_ONSTACK | if once { libc::SA_RESETHAND } else { 0 };
        match part.split(' ').next().unwrap() {
            "full" => install(full as *const () as usize, flags | libc::SA_SIGINFO),
            "simple" => install(simple as *const () as usize, flags),
            "idle" => install(idle as *const () as usize, flags),
            "default" => install(libc::SIG_DFL, 0),
            "ignored" => install(libc::SIG_IGN, 0),
            "std" => return,
            other => panic!("{other}"),
        };
    }
}

/// A handler that is installed after the scheduler's, and passes on what is not its own.
mod later {
    use super::*;

    static OURS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

    extern "C" fn handler(
        signal: libc::c_int,
        info: *mut libc::siginfo_t,
        context: *mut libc::c_void,
    ) {
        say("later: passes it on\n");
        let ours = OURS[usize::from(signal == libc::SIGBUS)].load(Ordering::Relaxed);
        type Full = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
        // SAFETY: it was installed with SA_SIGINFO.
        let ours: Full = unsafe { std::mem::transmute(ours) };
        ours(signal, info, context);
    }

    pub(super) fn install() {
        let flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        let old = super::install(handler as *const () as usize, flags);
        for (ours, old) in OURS.iter().zip(old) {
            assert!(
                old.sa_flags & libc::SA_SIGINFO != 0,
                "the scheduler's is there"
            );
            assert!(
                old.sa_flags & libc::SA_ONSTACK != 0,
                "on a stack of its own"
            );
            ours.store(old.sa_sigaction, Ordering::Relaxed);
        }
    }
}

#[test]
fn an_overflow_is_handed_on_to_an_earlier_handler() {
    const NAME: &str = "an_overflow_is_handed_on_to_an_earlier_handler";
    if let Some(part) = child::part() {
        no_core();
        earlier::install_as(&part);
        overflow(&part);
    }
    for (part, says, code, signal) in [
        ("full", "earlier: elsewhere", Some(HANDLED), None),
        ("simple", "earlier: simple", Some(HANDLED), None),
        // It repeats, and nobody does anything about it: no endless loop.
        ("idle", "earlier: idle", None, Some(libc::SIGSEGV)),
        ("idle once", "earlier: idle", None, Some(libc::SIGSEGV)),
        ("default", "fiberhost: ", None, Some(libc::SIGSEGV)),
        ("ignored", "fiberhost: ", None, Some(libc::SIGSEGV)),
    ] {
        let (status, text) = run(NAME, part);
        assert_eq!(
            (status.code(), status.signal()),
            (code, signal),
            "{part}: {text}"
        );
        is_reported(&text, 128 << 10);
        let report = text.find("fiberhost: stack overflow").unwrap();
        assert!(text[report..].contains(says), "afterwards: {text}");
        assert!(text.matches("earlier").count() <= 1, "{text}");
    }
}

#[test]
fn a_later_handler_that_passes_on_gets_the_report() {
    const NAME: &str = "a_later_handler_that_passes_on_gets_the_report";
    if let Some(part) = child::part() {
        no_core();
        earlier::install_as(&part);
        overflow(&part);
    }
    for (part, code, signal) in [
        ("std late", None, Some(libc::SIGSEGV)),
        ("default late", None, Some(libc::SIGSEGV)),
        ("full late", Some(HANDLED), None),
        ("std late thread", None, Some(libc::SIGSEGV)),
    ] {
        let (status, text) = run(NAME, part);
        assert_eq!(
            (status.code(), status.signal()),
            (code, signal),
            "{part}: {text}"
        );
        is_reported(&text, 128 << 10);
        let passed = text.find("later: passes it on").unwrap();
        assert!(
            text[passed..].contains("fiberhost: stack overflow"),
            "{text}"
        );
    }
}

/// An alternate stack as small as the one that std gives its threads, with a handler that says what is left of it.
mod small {
    use super::*;

    const SIZE: usize = 8 * 1024;
    /// The largest that a processor's registers have been seen to need.
    const SIZE_MAX: usize = 32 * 1024;
    static STACK: [AtomicUsize; SIZE_MAX / 8] = [const { AtomicUsize::new(0) }; SIZE_MAX / 8];

    /// As std calculates it.
    fn size() -> usize {
        const AT_MINSIGSTKSZ: libc::c_ulong = 51;
        // SAFETY: reads a value of the process.
        SIZE.max(unsafe { libc::getauxval(AT_MINSIGSTKSZ) } as usize)
    }

    /// For the calling thread.
    pub(super) fn give() {
        let stack = libc::stack_t {
            ss_sp: STACK.as_ptr().cast_mut().cast(),
            ss_flags: 0,
            ss_size: size(),
        };
        // SAFETY: memory that stays, which nobody else uses but to read it.
        assert_eq!(
            unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) },
            0
        );
    }

    pub(super) extern "C" fn handler(_signal: libc::c_int) {
        let untouched = STACK
            .iter()
            .take_while(|word| word.load(Ordering::Relaxed) == 0);
        say(&format!("{} bytes left;\n", untouched.count() * 8));
        // SAFETY: the call does not return.
        unsafe { libc::_exit(HANDLED) }
    }
}

/// The report leaves room on the smallest stack that it may find itself on.
#[test]
fn the_report_fits_on_std_s_alternate_stack() {
    const NAME: &str = "the_report_fits_on_std_s_alternate_stack";
    if child::part().is_some() {
        no_core();
        install(small::handler as *const () as usize, libc::SA_ONSTACK);
        let scheduler = Scheduler::builder().workers(1).build().unwrap();
        scheduler.run(|| {
            small::give();
            black_box(deeper(0));
        });
        unreachable!("it ends in the handler");
    }
    let (status, text) = run(NAME, "small");
    assert_eq!(status.code(), Some(HANDLED), "{text}");
    let left = text.split(" bytes left;").next().unwrap();
    let left: usize = left.split('\n').next_back().unwrap().parse().unwrap();
    println!("{left} bytes are left");
    let least = if cfg!(debug_assertions) { 512 } else { 2048 };
    assert!(left >= least, "{left} bytes are left");
}

/// An address at which nothing is, and which is no guard of anybody's.
const NOWHERE: usize = 0x10;

fn touch_nothing() {
    // SAFETY: none: the process is to end here.
    unsafe { black_box(NOWHERE as *const u8).read_volatile() };
}

/// Touches a page of a file that is too short for it: SIGBUS.
fn touch_beyond_a_file() {
    // SAFETY: a mapping of our own, of a file of our own; reading it is meant to fail.
    unsafe {
        let file = libc::memfd_create(c"short".as_ptr(), 0);
        let flags = libc::MAP_SHARED;
        let page = libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ, flags, file, 0);
        assert_ne!(page, libc::MAP_FAILED);
        black_box(page.cast::<u8>()).read_volatile();
    }
}

/// Faults that are nobody's overflow end as they would without us, in a task and beside one.
#[test]
fn other_faults_are_handed_on_untouched() {
    const NAME: &str = "other_faults_are_handed_on_untouched";
    if let Some(part) = child::part() {
        no_core();
        earlier::install_as(&part);
        // `bare` has no scheduler: the twin that says how it ought to end.
        let scheduler = (!part.contains("bare")).then(|| Scheduler::builder().workers(1).build());
        let scheduler = scheduler.transpose().unwrap();
        if part.contains("late") {
            later::install();
        }
        let fault = if part.contains("bus") {
            touch_beyond_a_file
        } else if part.contains("sent") {
            // SAFETY: sends a signal to this thread, which has had it when this returns.
            || _ = unsafe { libc::raise(libc::SIGSEGV) }
        } else if part.contains("killed") {
            // Any thread may have it, at any time. It ends the process.
            // SAFETY: sends a signal.
            || {
                unsafe { libc::kill(libc::getpid(), libc::SIGSEGV) };
                std::thread::sleep(common::LONG);
            }
        } else {
            touch_nothing
        };
        match &scheduler {
            Some(scheduler) if part.contains("task") => scheduler.run(fault),
            _ => fault(),
        }
        std::process::exit(0);
    }
    let mut seen = Vec::new();
    for earlier in ["std", "default", "ignored", "full", "simple", "idle once"] {
        for fault in ["null", "bus", "sent", "killed"] {
            let ends = matches!(earlier, "default" | "full" | "simple");
            if fault == "killed" && !ends {
                continue;
            }
            let bare = run(NAME, &format!("{earlier} {fault} bare"));
            for place in ["task", "thread", "task late"] {
                let late = place.contains("late");
                if late && earlier == "idle once" {
                    // Whether a handler that is gone after its first call comes before or after another is its own affair.
                    continue;
                }
                let part = format!("{earlier} {fault} {place}");
                let (status, text) = run(NAME, &part);
                let text = text.replace("later: passes it on\n", "");
                assert_eq!((status, &text), (bare.0, &bare.1), "{part}");
                assert!(!text.contains("fiberhost:"), "{text}");
                seen.push((status.code(), status.signal()));
            }
        }
    }
    // The twins did end in all the ways that are meant here.
    for way in [
        (None, Some(libc::SIGSEGV)),
        (None, Some(libc::SIGBUS)),
        (Some(HANDLED), None),
        (Some(0), None),
    ] {
        assert!(seen.contains(&way), "{way:?} in {seen:?}");
    }
}

/// A runtime's handler that repairs what it finds, as write barriers do.
mod repairing {
    use super::*;

    pub(super) static REPAIRED: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn handler(
        _signal: libc::c_int,
        info: *mut libc::siginfo_t,
        _context: *mut libc::c_void,
    ) {
        // SAFETY: a handler's arguments.
        let page = unsafe { (*info).si_addr() }.map_addr(|address| address & !4095);
        REPAIRED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the page that `touch` protected; any other would not be repaired, and the fault would repeat.
        let repaired = unsafe { libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_WRITE) };
        assert_eq!(repaired, 0);
    }

    pub(super) fn install() {
        let flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        super::install(handler as *const () as usize, flags);
    }

    /// One fault that is repaired, at a page of the caller's own.
    pub(super) fn touch(page: *mut libc::c_void) {
        // SAFETY: the caller's own page.
        unsafe {
            assert_eq!(libc::mprotect(page, 4096, libc::PROT_NONE), 0);
            page.cast::<u8>().write_volatile(1);
        }
    }

    pub(super) fn page() -> usize {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping anywhere.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, 1, flags, -1, 0) };
        assert_ne!(page, libc::MAP_FAILED);
        page.addr()
    }
}

/// Somebody else's faults are looked up and handed on while schedulers, and with them the ranges that are looked through,
/// come and go.
#[test]
fn faults_are_handed_on_while_schedulers_come_and_go() {
    const NAME: &str = "faults_are_handed_on_while_schedulers_come_and_go";
    if child::part().is_none() {
        return child::succeeds(NAME, "repairs", |_| ());
    }
    let _watchdog = Watchdog::new(NAME.into());
    repairing::install();
    let kept = Scheduler::builder().workers(2).build().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let page = repairing::page();
            while !stop.load(Ordering::Relaxed) {
                repairing::touch(page as *mut libc::c_void);
            }
        });
        for round in 0..200 {
            // In a task too, on its small stack.
            let page = repairing::page();
            kept.run(move || (0..10).for_each(|_| repairing::touch(page as *mut libc::c_void)));
            let scheduler = Scheduler::builder().workers(1 + round % 2).build().unwrap();
            scheduler.run(|| {
                let tasks: Vec<_> = (0..100).map(|_| spawn(yield_now)).collect();
                tasks.into_iter().for_each(|task| task.join().unwrap());
            });
            let task = scheduler
                .task()
                .backing(Backing::Thread)
                .stack_size(64 << 10);
            task.spawn(yield_now).unwrap().join().unwrap();
            scheduler.shutdown(LONG).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    let repaired = repairing::REPAIRED.load(Ordering::Relaxed);
    println!("{repaired} faults were repaired");
    assert!(repaired > 2_000, "only {repaired} faults happened");
}

#[test]
fn an_overflow_of_a_plain_thread_is_std_s_as_before() {
    const NAME: &str = "an_overflow_of_a_plain_thread_is_std_s_as_before";
    if child::part().is_some() {
        no_core();
        let scheduler = Scheduler::new().unwrap();
        scheduler.run(|| ());
        let thread = std::thread::Builder::new().name("the plain one".into());
        let thread = thread.spawn(|| black_box(deeper(0))).unwrap();
        thread.join().unwrap();
        std::process::exit(0);
    }
    let (status, text) = run(NAME, "plain");
    assert_eq!(status.signal(), Some(libc::SIGABRT), "{text}");
    assert!(text.contains("'the plain one'"), "{text}");
    assert!(text.contains("has overflowed its stack"), "{text}");
    assert!(!text.contains("fiberhost:"), "{text}");
}

/// A pointer that strays into a guard from elsewhere is said to be one.
#[test]
fn a_stray_access_to_a_guard_is_no_overflow() {
    const NAME: &str = "a_stray_access_to_a_guard_is_no_overflow";
    if child::part().is_some() {
        no_core();
        let scheduler = Scheduler::builder().workers(1).build().unwrap();
        let guard = scheduler.run(|| {
            let here = 0_u8;
            // The guard of the stack below is 96 KiB, and this one's begins some 128 KiB below its top.
            (black_box(&raw const here).addr() - (140 << 10)) as *const u8 as usize
        });
        // SAFETY: none: the process is to end here.
        unsafe { black_box(guard as *const u8).read_volatile() };
        std::process::exit(0);
    }
    let (status, text) = run(NAME, "stray");
    assert_eq!(status.signal(), Some(libc::SIGSEGV), "{text}");
    assert!(!text.contains("overflow in"), "{text}");
    assert!(
        text.contains("access from elsewhere to the guard"),
        "{text}"
    );
    assert!(text.contains("task "), "{text}");
}
