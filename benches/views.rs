//! What the operator's view costs: what is timed by default, the tables with many tasks, a reader beside a worker, a
//! reader beside a bare writer, and the ring of events.
//!
//! `cargo bench --bench views`; with a word only what has it in its name: `samples`, `tables`, `reader`, `lines`,
//! `ring`. Figures are
//! medians over rounds. `tables` counts the processor time of the thread that reads, so it hardly depends on what else the machine does; the
//! others need a quiet one with two processors.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fiberhost::observe::Observe;
use fiberhost::scheduler::sync::AutoResetEvent;
use fiberhost::scheduler::trace::Recording;
use fiberhost::scheduler::{Accounting, Scheduler, park, yield_now};
use fiberhost::views::{TABLES, Views};

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |name: &str| {
        let mut words = wanted
            .iter()
            .filter(|word| !word.starts_with('-'))
            .peekable();
        words.peek().is_none() || words.any(|word| word == name)
    };
    if is_wanted("samples") {
        samples();
    }
    if is_wanted("tables") {
        tables();
    }
    if is_wanted("reader") {
        reader();
    }
    if is_wanted("lines") {
        lines();
    }
    if is_wanted("ring") {
        ring();
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Milliseconds of processor time that the calling thread has used.
fn thread_ms() -> f64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a place that outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

/// A wait in a ping-pong with the default, of which some are timed, and without.
fn samples() {
    const ROUNDS: usize = 41;
    let (mut with, mut without, mut more) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let one = waits(Accounting::Sampled);
        let other = waits(Accounting::Off);
        with.push(one);
        without.push(other);
        more.push(one - other);
    }
    let [with, without, more] = [with, without, more].map(median);
    println!(
        "samples: a wait of a ping-pong {with:.1} ns with some timed, {without:.1} ns without; {more:.2} ns more (aim at most 1.5)"
    );
}

/// Nanoseconds of processor time for a wait of one of two tasks that wake each other on one worker.
fn waits(accounting: Accounting) -> f64 {
    const ROUNDS: u32 = 100_000;
    let builder = Scheduler::builder().workers(1).accounting(accounting);
    let scheduler = builder.build().expect("a scheduler");
    scheduler.run(|| {
        let events = Arc::new([AutoResetEvent::new(false), AutoResetEvent::new(false)]);
        let there = Arc::clone(&events);
        let task = fiberhost::scheduler::spawn(move || {
            for _ in 0..ROUNDS {
                there[0].wait();
                there[1].set();
            }
        });
        let began = thread_ms();
        for _ in 0..ROUNDS {
            events[0].set();
            events[1].wait();
        }
        let each = (thread_ms() - began) * 1e6 / f64::from(2 * ROUNDS);
        task.join().expect("no panic");
        each
    })
}

/// All tables, while 100,000 tasks are parked.
fn tables() {
    const TASKS: usize = 100_000;
    let scheduler = Scheduler::builder()
        .workers(1)
        .build()
        .expect("a scheduler");
    let tasks: Vec<_> = (0..TASKS).map(|_| scheduler.spawn(park)).collect();
    while scheduler.stats().idle_workers == 0 {
        std::thread::yield_now();
    }
    let (mut looks, mut rows, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..11 {
        let began = thread_ms();
        let views = Views::take(&scheduler, &[]);
        looks.push(thread_ms() - began);
        let began = thread_ms();
        black_box((
            views.schedulers(),
            views.workers(),
            views.tasks(),
            views.waiting_tasks(),
            views.wait_stats(),
            views.native_sections(),
            views.native_targets(),
            views.histograms(),
        ));
        black_box((
            views.stalls(),
            views.task_ledgers(),
            views.threads(),
            views.sys_info(),
            views.stack_classes(),
            views.hosts(),
            views.spinlocks(),
            views.memory(),
            views.native_functions(),
        ));
        rows.push(thread_ms() - began);
        let began = thread_ms();
        for table in TABLES {
            black_box(views.json(table.name).expect("a table"));
        }
        texts.push(thread_ms() - began);
    }
    let (look, rows, texts) = (median(looks), median(rows), median(texts));
    println!(
        "tables: {TASKS} tasks: look {look:.1} ms, rows of all tables {rows:.1} ms (together {:.1}, aim 50), the same as JSON {texts:.1} ms",
        look + rows
    );
    for task in tasks {
        task.task().unpark();
    }
}

/// What the thread on the other processor does.
#[derive(Clone, Copy)]
enum Beside {
    Spins,
    /// It asks at the operator's socket, and asks again as soon as it has the answer.
    Asks,
    /// The same at the socket of another scheduler: as much work, of which nothing meets this worker's lines of memory.
    AsksElsewhere,
    /// It looks by itself each so many milliseconds, and spins in between: 1 is as often as the scheduler's own coarse clock
    /// goes on.
    Looks(u64),
    /// It looks by itself, without a pause.
    LooksAllTheTime,
}

impl Beside {
    const ALL: [Beside; 6] = [
        Beside::Spins,
        Beside::AsksElsewhere,
        Beside::Asks,
        Beside::Looks(4),
        Beside::Looks(1),
        Beside::LooksAllTheTime,
    ];

    fn words(self) -> String {
        match self {
            Beside::Spins => "that spins".to_owned(),
            Beside::AsksElsewhere => "that asks so of another scheduler".to_owned(),
            Beside::Asks => "that asks at the socket again and again".to_owned(),
            Beside::Looks(pause) => format!("that looks each {pause} ms"),
            Beside::LooksAllTheTime => "that looks all the time".to_owned(),
        }
    }
}

/// How long a task that was woken waits for its one worker, beside a thread that reads the tables and beside one that spins.
fn reader() {
    const ROUNDS: usize = 9;
    let mut all = Beside::ALL.map(|_| (Vec::new(), Vec::new()));
    for _ in 0..ROUNDS {
        for (beside, (tails, rates)) in Beside::ALL.into_iter().zip(&mut all) {
            let (tail, looks) = delay(beside);
            tails.push(tail);
            rates.push(looks as f64);
        }
    }
    println!(
        "reader: p99.9 of the dispatch delay beside a thread (aim: no higher than beside one that spins)"
    );
    for (beside, (mut tails, rates)) in Beside::ALL.into_iter().zip(all) {
        tails.sort_by(f64::total_cmp);
        println!(
            "  {:<40} {:4.0} ns ({:.0} to {:.0} of {ROUNDS} rounds), {:.0} looks a second",
            beside.words(),
            tails[ROUNDS / 2],
            tails[0],
            tails[ROUNDS - 1],
            median(rates)
        );
    }
}

/// On lines of its own: what a reader allocates would else lie beside it.
#[repr(align(128))]
struct Apart<T>(T);

/// Dispatch delays in time-stamps, from the wake until the task goes on; longer ones are in the last place.
type Delays = Vec<u64>;
const DELAYS: usize = 1 << 16;

/// The p99.9 of the dispatch delay, in nanoseconds, and how often somebody looked. Each wake is timed here, with nothing of the
/// scheduler's switched on that is not by default.
fn delay(beside: Beside) -> (f64, u64) {
    // All but the worker are where the reader is.
    stay_on(1);
    let socket = std::env::temp_dir().join(format!("fiberhost-views-{}", std::process::id()));
    let builder = Scheduler::builder().workers(1).observe(&socket);
    let scheduler = builder.build().expect("a scheduler");
    scheduler.run(|| stay_on(0));
    let done = Arc::new(Apart(AtomicBool::new(false)));
    let events = Arc::new(Apart([
        AutoResetEvent::new(true),
        AutoResetEvent::new(false),
    ]));
    let woken_at = Arc::new(Apart(AtomicU64::new(0)));
    let (began, first) = (Instant::now(), stamp());
    let tasks = [0, 1].map(|side| {
        let (events, done, woken_at) = (
            Arc::clone(&events),
            Arc::clone(&done),
            Arc::clone(&woken_at),
        );
        scheduler.spawn(move || {
            let mut delays: Delays = vec![0; DELAYS];
            // The first wait is for nobody's wake.
            events.0[side].wait_for(LIMIT);
            while !done.0.load(Ordering::Relaxed) {
                woken_at.0.store(stamp(), Ordering::Relaxed);
                events.0[1 - side].set();
                events.0[side].wait_for(LIMIT);
                let delay = stamp().saturating_sub(woken_at.0.load(Ordering::Relaxed));
                delays[(delay as usize).min(DELAYS - 1)] += 1;
            }
            delays
        })
    });
    let looks = look_on(&scheduler, &socket, beside, Duration::from_secs(1));
    done.0.store(true, Ordering::Relaxed);
    let [one, other] = tasks.map(|task| task.join().expect("no panic"));
    let rate = began.elapsed().as_nanos() as f64 / (stamp() - first) as f64;
    let both: Delays = one
        .iter()
        .zip(&other)
        .map(|(one, other)| one + other)
        .collect();
    (quantile(&both, 0.999) as f64 * rate, looks)
}

/// How long a task waits for the other one, which may have ended.
const LIMIT: Duration = Duration::from_millis(100);

fn look_on(scheduler: &Scheduler, socket: &Path, beside: Beside, time: Duration) -> u64 {
    let elsewhere = socket.with_extension("other");
    let other = Scheduler::builder().workers(1).observe(&elsewhere);
    // There in each case, so that all have as many threads.
    let _other = other.build().expect("a scheduler");
    let asked = match beside {
        Beside::AsksElsewhere => &elsewhere,
        _ => socket,
    };
    let stream = UnixStream::connect(asked).expect("somebody answers");
    let mut lines = BufReader::new(&stream).lines();
    let mut ask = || {
        (&stream)
            .write_all(b"{\"table\":\"tasks\"}\n")
            .expect("it reads");
        let mut answer = lines.by_ref().map(|line| line.expect("it answers"));
        answer.find(|line| line.starts_with("{\"end\""))
    };
    let until = Instant::now() + time;
    let mut next = Instant::now();
    let mut looks = 0;
    while Instant::now() < until {
        let looked = match beside {
            Beside::Spins => false,
            Beside::Asks | Beside::AsksElsewhere => ask().is_some(),
            Beside::Looks(_) if Instant::now() < next => false,
            Beside::Looks(_) | Beside::LooksAllTheTime => {
                black_box(Views::take(scheduler, &[]));
                if let Beside::Looks(pause) = beside {
                    next += Duration::from_millis(pause);
                }
                true
            }
        };
        looks += u64::from(looked);
        std::hint::spin_loop();
    }
    looks
}

/// A line of memory, and the one that processors fetch with it.
#[derive(Default)]
#[repr(align(128))]
struct Line(AtomicU64);

/// What any reader costs a writer: a thread that writes a few lines again and again, as a worker does at its switches, and
/// one that reads them and does nothing else.
fn lines() {
    const ROUNDS: usize = 5;
    let pauses = [None, Some(1000), Some(100), Some(10), Some(0)];
    println!(
        "lines: p99.9 of the time in which 4 lines are written, 25 million times a second, beside a thread"
    );
    for pause in pauses {
        let rounds: Vec<_> = (0..ROUNDS).map(|_| written(pause)).collect();
        let tail = median(rounds.iter().map(|&(tail, _)| tail).collect());
        let slow = median(rounds.iter().map(|&(_, slow)| slow).collect());
        let what = match pause {
            None => "that spins".to_owned(),
            Some(0) => "that reads them all the time".to_owned(),
            Some(pause) => format!("that reads them each {pause} us"),
        };
        println!("  {what:<40} {tail:4.0} ns, {slow:.3} % took more than 80 ns");
    }
}

/// The p99.9 in nanoseconds, and how many parts in a hundred were slow.
fn written(pause: Option<u64>) -> (f64, f64) {
    const STEP: u64 = 40;
    const SLOW: f64 = 80.0;
    let lines: [Line; 4] = Default::default();
    // On a line of its own as well: the spinning thread writes its stack.
    let done = Line::default();
    let (began, first) = (Instant::now(), stamp());
    let wait = |time: Duration| {
        let from = Instant::now();
        while from.elapsed() < time {
            std::hint::spin_loop();
        }
    };
    wait(Duration::from_millis(10));
    let rate = began.elapsed().as_nanos() as f64 / (stamp() - first) as f64;
    let step = (STEP as f64 / rate) as u64;
    let delays = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            stay_on(0);
            let mut delays: Delays = vec![0; DELAYS];
            while done.0.load(Ordering::Relaxed) == 0 {
                let from = stamp();
                for Line(line) in &lines {
                    line.store(line.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                }
                // The stores have to be done, as a switch has to be for the next one.
                std::sync::atomic::fence(Ordering::SeqCst);
                delays[((stamp() - from) as usize).min(DELAYS - 1)] += 1;
                while stamp() - from < step {}
            }
            delays
        });
        stay_on(1);
        let until = Instant::now() + Duration::from_millis(500);
        while Instant::now() < until {
            if let Some(pause) = pause {
                for Line(line) in &lines {
                    black_box(line.load(Ordering::Relaxed));
                }
                wait(Duration::from_micros(pause));
            }
        }
        done.0.store(1, Ordering::Relaxed);
        writer.join().expect("no panic")
    });
    let all: u64 = delays.iter().sum();
    let slow: u64 = delays[(SLOW / rate) as usize..].iter().sum();
    let tail = quantile(&delays, 0.999) as f64 * rate;
    (tail, slow as f64 * 100.0 / all as f64)
}

fn quantile(delays: &Delays, part: f64) -> usize {
    let wanted = (delays.iter().sum::<u64>() as f64 * part).ceil() as u64;
    let mut seen = 0;
    let place = delays.iter().position(|count| {
        seen += count;
        seen >= wanted
    });
    place.expect("something was timed")
}

/// From now on the calling thread runs on this processor, if it may.
fn stay_on(processor: usize) {
    // SAFETY: a plain structure that outlives the call, which is about the calling thread.
    let answer = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
    };
    if answer != 0 {
        println!("reader: processor {processor} is not to be had: the threads share one, or move");
    }
}

/// What a record of the ring costs: of a yield with switches recorded, which are two records, and of a time-stamp with two
/// stores alone.
fn ring() {
    const ROUNDS: usize = 9;
    let (mut without, mut with, mut watched, mut bare) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(yields(Recording::Rare));
        watched.push(yields(Recording::Tasks));
        with.push(yields(Recording::Switches));
        bare.push(stamps());
    }
    let [without, watched, with, bare] = [without, watched, with, bare].map(median);
    let record = (with - watched) / 2.0;
    println!(
        "ring: a yield {without:.1} ns, of a watched task {watched:.1} ns, with its switches recorded {with:.1} ns: {record:.1} ns a record; a time-stamp with two stores {bare:.1} ns, {:.2} times (aim at most 1.2)",
        record / bare
    );
}

/// Nanoseconds for a yield of one of two tasks.
fn yields(recording: Recording) -> f64 {
    const YIELDS: u32 = 300_000;
    let builder = Scheduler::builder().workers(1).trace(recording);
    let scheduler = builder.build().expect("a scheduler");
    scheduler.run(|| {
        let task = fiberhost::scheduler::spawn(|| {
            for _ in 0..YIELDS {
                yield_now();
            }
        });
        yield_now();
        let began = Instant::now();
        for _ in 0..YIELDS {
            yield_now();
        }
        let each = began.elapsed().as_nanos() as f64 / f64::from(2 * YIELDS);
        task.join().expect("no panic");
        each
    })
}

/// Nanoseconds for a time-stamp and two stores, into as much memory as a ring has.
fn stamps() -> f64 {
    const UNITS: usize = 8192;
    const STAMPS: usize = 1_000_000;
    let units: Vec<[AtomicU64; 2]> = (0..UNITS)
        .map(|_| [AtomicU64::new(0), AtomicU64::new(0)])
        .collect();
    let began = Instant::now();
    for number in 0..STAMPS {
        let unit = &units[number % UNITS];
        unit[0].store(stamp(), Ordering::Release);
        unit[1].store(number as u64, Ordering::Release);
    }
    let each = began.elapsed().as_nanos() as f64 / STAMPS as f64;
    black_box(units);
    each
}

#[cfg(target_arch = "x86_64")]
fn stamp() -> u64 {
    // SAFETY: every processor with this instruction set has it.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn stamp() -> u64 {
    Instant::now().elapsed().as_nanos() as u64
}
