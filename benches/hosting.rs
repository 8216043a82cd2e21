//! What a runtime pays for the host's services, each beside its twin without a host.
//!
//! ```sh
//! cargo bench --bench hosting                   # all
//! cargo bench --bench hosting -- transfer       # those whose name holds the word
//! ```
//!
//! | pair | the host's | its twin | at most |
//! |---|---|---|---|
//! | `heap` | a block of 64 bytes from `IHostMalloc` and back | `malloc` and `free` | 1.3 times |
//! | `hooks` | `fiberhost_leave` and `fiberhost_enter`, by their addresses as C has them | `native::leave` and `native::enter` in Rust | 1.2 times |
//! | `transfer_waits` | a read of 4 KiB of a pipe that is empty, which is filled then, until a task was told of it and has woken the one that waits | the same on a bare `io_uring`: submitted, filled, and waited for | 1.3 times |
//! | `transfer` | a read of 4 KiB of a file that is in memory, from its submission until a task was told of it and has woken the one that waits | the same read on a bare `io_uring`, submitted and waited for | 1.3 times |
//!
//! What the figures are good for: to see whether the host's part is small beside what is paid without it. The figures of one
//! run belong together; two machines are not compared by them.

use std::ffi::c_void;
use std::hint::black_box;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use fiberhost::capi::native::{fiberhost_enter, fiberhost_leave, fiberhost_target};
use fiberhost::com::table::{
    ICLRIoCompletionManagerVtbl, IHostControlVtbl, IHostIoCompletionManagerVtbl, IHostMallocVtbl,
    IHostMemoryManagerVtbl, IID_IHostIoCompletionManager, IID_IHostMemoryManager, IUnknownVtbl,
    OVERLAPPED,
};
use fiberhost::com::{Direction, Guid, Handle, Hresult, Transfer};
use fiberhost::{Builder, Host, IoEngine, MemoryLimits, TaskMode, Transfers};
use fiberhost_scheduler::native::{self, Target};
use fiberhost_scheduler::sync::AutoResetEvent;
use fiberhost_scheduler::{Scheduler, spawn};

const BLOCK: usize = 64;
const PIECE: usize = 4096;
const LIMIT: Duration = Duration::from_secs(10);

criterion_group!(hosting, heap, hooks, transfer, transfer_waits);
criterion_main!(hosting);

fn group<'a>(
    criterion: &'a mut Criterion,
    name: &str,
) -> criterion::BenchmarkGroup<'a, criterion::measurement::WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    group
}

/// A host with one worker.
fn host(with: impl FnOnce(Builder) -> Builder) -> Host {
    let settings = Scheduler::builder().workers(1);
    // As for a runtime that can be switched.
    let builder = Host::builder()
        .scheduler_settings(settings)
        .tasks(TaskMode::Fiber);
    with(builder).build().expect("a host")
}

/// The table of an object.
///
/// # Safety
/// It is an object of this interface.
unsafe fn table<T>(object: *mut c_void) -> &'static T {
    // SAFETY: every object begins with the address of its table, which is a constant.
    unsafe { &**object.cast::<*const T>() }
}

/// A manager of a host's, without a reference: the host has one.
fn manager(host: &Host, iid: Guid) -> *mut c_void {
    let (control, mut found) = (host.control().as_ptr(), std::ptr::null_mut());
    // SAFETY: the control is there; identifier and result have a place for the length of the call.
    unsafe {
        let control_table = table::<IHostControlVtbl>(control);
        let answer = (control_table.GetHostManager)(control, &raw const iid, &raw mut found);
        assert_eq!(answer, Hresult::S_OK);
        (table::<IUnknownVtbl>(found).Release)(found);
    }
    found
}

fn heap(criterion: &mut Criterion) {
    let mut group = group(criterion, "heap");
    let host = host(|builder| builder.memory(MemoryLimits::default()));
    let memory = manager(&host, IID_IHostMemoryManager);
    let mut malloc = std::ptr::null_mut();
    // SAFETY: the manager is there, and the result has a place.
    let made = unsafe {
        (table::<IHostMemoryManagerVtbl>(memory).CreateMalloc)(memory, 1, &raw mut malloc)
    };
    assert_eq!(made, Hresult::S_OK);
    // SAFETY: it is a heap.
    let calls: &IHostMallocVtbl = unsafe { table(malloc) };
    group.bench_function("host", |bencher| {
        bencher.iter(|| {
            let mut block = std::ptr::null_mut();
            // SAFETY: the heap is there; what it gives goes back.
            unsafe {
                let answer = (calls.Alloc)(malloc, black_box(BLOCK), 0, &raw mut block);
                assert!(answer == Hresult::S_OK);
                (calls.Free)(malloc, black_box(block))
            }
        });
    });
    group.bench_function("system", |bencher| {
        bencher.iter(|| {
            // SAFETY: what it gives goes back.
            unsafe {
                let block = libc::malloc(black_box(BLOCK));
                assert!(!block.is_null());
                libc::free(black_box(block));
            }
        });
    });
    group.finish();
    // SAFETY: the reference is ours.
    unsafe { (calls.Release)(malloc) };
    host.shutdown(LIMIT).expect("every task has ended");
}

fn hooks(criterion: &mut Criterion) {
    static TARGET: Target = Target::new("a bench");
    let mut group = group(criterion, "hooks");
    let scheduler = Scheduler::builder().workers(1).build().expect("threads");
    // As a program in C has them: by address, and nothing is known of them.
    let leave: unsafe extern "C" fn(*const fiberhost_target) = black_box(fiberhost_leave);
    let enter: unsafe extern "C" fn() = black_box(fiberhost_enter);
    group.bench_function("c", |bencher| {
        bencher.iter_custom(|iterations| {
            scheduler.run(move || {
                let start = Instant::now();
                for _ in 0..iterations {
                    // SAFETY: each leave has its enter.
                    unsafe {
                        leave((&raw const TARGET).cast());
                        enter();
                    }
                }
                start.elapsed()
            })
        });
    });
    group.bench_function("rust", |bencher| {
        bencher.iter_custom(|iterations| {
            scheduler.run(move || {
                let start = Instant::now();
                for _ in 0..iterations {
                    // SAFETY: each leave has its enter.
                    unsafe {
                        native::leave(&TARGET);
                        native::enter();
                    }
                }
                start.elapsed()
            })
        });
    });
    group.finish();
    scheduler.shutdown(LIMIT).expect("every task has ended");
}

/// A runtime that is told of completions: it wakes whoever waits.
#[repr(C)]
struct Told {
    table: *const ICLRIoCompletionManagerVtbl,
    event: AutoResetEvent,
    bytes: AtomicU32,
}

// SAFETY: the table is constant.
unsafe impl Send for Told {}
// SAFETY: as above.
unsafe impl Sync for Told {}

unsafe extern "system" fn query(_: *mut c_void, _: *const Guid, out: *mut *mut c_void) -> Hresult {
    // SAFETY: as the interface says.
    unsafe { out.write(std::ptr::null_mut()) };
    Hresult::E_NOINTERFACE
}

/// It lives as long as the process.
unsafe extern "system" fn count(_: *mut c_void) -> u32 {
    1
}

unsafe extern "system" fn on_complete(
    this: *mut c_void,
    error: u32,
    bytes: u32,
    _: *mut c_void,
) -> Hresult {
    assert_eq!(error, 0);
    // SAFETY: the function stands in this table alone.
    let told = unsafe { &*this.cast::<Told>() };
    told.bytes.store(bytes, Ordering::Relaxed);
    told.event.set();
    Hresult::S_OK
}

static TABLE: ICLRIoCompletionManagerVtbl = ICLRIoCompletionManagerVtbl {
    QueryInterface: query,
    AddRef: count,
    Release: count,
    OnComplete: on_complete,
};

/// A structure with the host's bytes behind it, and a buffer.
#[repr(C, align(8))]
struct Block {
    overlapped: OVERLAPPED,
    host: [u64; 2],
    buffer: [u8; PIECE],
}

/// A host with transfers, its runtime, and a block for one descriptor.
struct Reader {
    host: Host,
    transfers: Arc<Transfers>,
    told: &'static Told,
    fd: i32,
    place: usize,
}

impl Reader {
    fn new(fd: i32) -> Reader {
        let host = host(|builder| builder.io_completion(IoEngine::Detect));
        let told: &'static Told = Box::leak(Box::new(Told {
            table: &raw const TABLE,
            event: AutoResetEvent::new(false),
            bytes: AtomicU32::new(0),
        }));
        let io = manager(&host, IID_IHostIoCompletionManager);
        // SAFETY: all zeros are a value of it.
        let block: &'static mut Block = Box::leak(Box::new(unsafe { std::mem::zeroed() }));
        let place = (&raw mut *block).expose_provenance();
        // SAFETY: the manager is there; what it is given lives as long as the process.
        unsafe {
            let calls: &IHostIoCompletionManagerVtbl = table(io);
            let runtime = (&raw const *told).cast_mut().cast();
            assert_eq!(
                (calls.SetCLRIoCompletionManager)(io, runtime),
                Hresult::S_OK
            );
            let overlapped = std::ptr::with_exposed_provenance_mut(place);
            assert_eq!(
                (calls.InitializeHostOverlapped)(io, overlapped),
                Hresult::S_OK
            );
            let handle = std::ptr::without_provenance_mut(fd as usize);
            assert_eq!(
                (calls.Bind)(io, std::ptr::null_mut(), handle),
                Hresult::S_OK
            );
        }
        let transfers = Arc::new(host.transfers().expect("they are the host's"));
        Reader {
            host,
            transfers,
            told,
            fd,
            place,
        }
    }

    /// So many reads by a task, with something done after each was submitted.
    fn reads(&self, iterations: u64, meanwhile: impl Fn() + Send + 'static) -> Duration {
        let transfers = Arc::clone(&self.transfers);
        let (told, fd, place) = (self.told, self.fd, self.place);
        let work = move || reads(&transfers, told, fd, place, iterations, meanwhile);
        let reader = self.host.scheduler().run(move || spawn(work).join());
        reader.expect("it does not panic")
    }
}

fn transfer(criterion: &mut Criterion) {
    let mut group = group(criterion, "transfer");
    let path = std::env::temp_dir().join(format!("fiberhost-bench-{}", std::process::id()));
    std::fs::write(&path, vec![7; 16 * PIECE]).expect("a file");
    let file = std::fs::File::open(&path).expect("a file");
    std::fs::remove_file(&path).expect("it can go");
    let fd = file.as_raw_fd();
    let reader = Reader::new(fd);
    group.bench_function("host", |bencher| {
        bencher.iter_custom(|iterations| reader.reads(iterations, || ()));
    });
    group.bench_function("io_uring", |bencher| {
        let mut bare = Bare::new(fd);
        bencher.iter(|| {
            bare.put(0);
            bare.take();
        });
    });
    group.finish();
    reader.host.shutdown(LIMIT).expect("every task has ended");
}

fn transfer_waits(criterion: &mut Criterion) {
    let mut group = group(criterion, "transfer_waits");
    let (receiver, sender) = std::io::pipe().expect("a pipe");
    let sender = Arc::new(sender);
    let fd = receiver.as_raw_fd();
    let fill = {
        let sender = Arc::clone(&sender);
        move || {
            let written = (&*sender).write(&[7; PIECE]).expect("somebody reads");
            assert_eq!(written, PIECE);
        }
    };
    let reader = Reader::new(fd);
    group.bench_function("host", |bencher| {
        bencher.iter_custom(|iterations| reader.reads(iterations, fill.clone()));
    });
    group.bench_function("io_uring", |bencher| {
        let mut bare = Bare::new(fd);
        bencher.iter(|| {
            bare.put(u64::MAX);
            bare.ring.submit().expect("it is taken");
            fill();
            bare.take();
        });
    });
    group.finish();
    let figures = reader.transfers.figures();
    assert_eq!(figures.at_once, 0, "each has waited");
    reader.host.shutdown(LIMIT).expect("every task has ended");
}

/// Reads without a host, one at a time.
struct Bare {
    ring: io_uring::IoUring,
    buffer: Vec<u8>,
    fd: io_uring::types::Fd,
}

impl Bare {
    fn new(fd: i32) -> Bare {
        Bare {
            ring: io_uring::IoUring::new(8).expect("the kernel has a ring"),
            buffer: vec![0; PIECE],
            fd: io_uring::types::Fd(fd),
        }
    }

    fn put(&mut self, offset: u64) {
        let read = io_uring::opcode::Read::new(self.fd, self.buffer.as_mut_ptr(), PIECE as u32)
            .offset(offset);
        // SAFETY: the buffer is there until the answer was taken: `take` comes next, and nobody drops a `Bare` in between.
        unsafe { self.ring.submission().push(&read.build()) }.expect("there is room");
    }

    fn take(&mut self) {
        self.ring.submit_and_wait(1).expect("it is taken");
        let answer = self.ring.completion().next().expect("it is there");
        assert_eq!(answer.result(), PIECE as i32);
    }
}

/// So many reads, one after the other, each waited for.
fn reads(
    transfers: &Transfers,
    told: &Told,
    fd: i32,
    place: usize,
    iterations: u64,
    meanwhile: impl Fn(),
) -> Duration {
    let block: *mut Block = std::ptr::with_exposed_provenance_mut(place);
    let start = Instant::now();
    for _ in 0..iterations {
        // SAFETY: the block lives as long as the process, and is used by one at a time.
        let transfer = unsafe {
            let buffer = (&raw mut (*block).buffer).cast();
            let handle = Handle(fd as usize);
            Transfer::new(Direction::Read, handle, buffer, PIECE as u32, block.cast())
        };
        transfers
            .submit(transfer.expect("it is right"))
            .expect("it is accepted");
        meanwhile();
        let _ = told.event.wait();
        assert_eq!(told.bytes.load(Ordering::Relaxed), PIECE as u32);
    }
    start.elapsed()
}
