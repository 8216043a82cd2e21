//! Transfers of files, pipes and sockets: what the runtime is told of each, once, on a task at its base, whoever looks after
//! those that wait; and what wrong calls get.

mod common;
#[macro_use]
mod hosting;

use std::collections::HashMap;
use std::ffi::c_void;
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use common::{LONG, Watchdog, eventually};
use fiberhost::com::table::{IID_IHostIoCompletionManager, OVERLAPPED};
use fiberhost::com::{Address, Direction, Handle, Hresult, Transfer};
use fiberhost::{IoEngine, State, TaskMode, Transfers};
use hosting::fake::{ClrTask, Recorder};
use hosting::{Bench, OWN_OBJECTS, Object, builder, given, join};

const ENGINES: [IoEngine; 2] = [IoEngine::Uring, IoEngine::Helpers];

const EOF: u32 = 38;
const BROKEN_PIPE: u32 = 109;
const ABORTED: u32 = 995;

/// What a runtime was told: the error, the bytes, and where the structure is.
type Told = (u32, u32, usize);

/// A host whose transfers this looks after.
struct Room {
    bench: Bench,
    manager: Object,
    recorder: &'static Recorder,
    told: Mutex<Receiver<Told>>,
}

/// An `OVERLAPPED` with the host's bytes behind it, and a buffer.
#[repr(C, align(8))]
struct Block {
    overlapped: OVERLAPPED,
    host: [u64; 2],
    buffer: Vec<u8>,
}

fn overlapped(offset: u64) -> OVERLAPPED {
    OVERLAPPED {
        Internal: 7,
        InternalHigh: 7,
        Offset: offset as u32,
        OffsetHigh: (offset >> 32) as u32,
        hEvent: std::ptr::null_mut(),
    }
}

impl Block {
    /// It stays until the process ends: what is wrong with a host must not become wrong memory here.
    fn new(room: &Room, offset: u64, buffer: Vec<u8>) -> &'static mut Block {
        let block = Box::leak(Box::new(Block {
            overlapped: overlapped(offset),
            host: [u64::MAX; 2],
            buffer,
        }));
        assert_eq!(room.initialize(block), Hresult::S_OK);
        block
    }

    fn address(&self) -> usize {
        (&raw const *self).addr()
    }

    fn transfer(&mut self, direction: Direction, fd: RawFd) -> Transfer {
        let (buffer, length) = (self.buffer.as_mut_ptr().cast(), self.buffer.len() as u32);
        let overlapped = (&raw mut *self).cast();
        let handle = Handle(fd as usize);
        // SAFETY: the block stays, and nobody looks at it until the transfer is over.
        unsafe { Transfer::new(direction, handle, buffer, length, overlapped) }
            .expect("it is right")
    }
}

/// Runs a test with each engine, on fibers at one and two workers and on threads.
#[track_caller]
fn with_transfers(test: impl Fn(&'static Room)) {
    for engine in ENGINES {
        for (workers, mode) in [
            (1, TaskMode::Fiber),
            (2, TaskMode::Fiber),
            (2, TaskMode::Thread),
        ] {
            with(engine, workers, mode, &test);
        }
    }
}

#[track_caller]
fn with(engine: IoEngine, workers: usize, mode: TaskMode, test: impl Fn(&'static Room)) {
    let what = format!(
        "{} {engine:?} {workers} {mode:?}",
        std::panic::Location::caller()
    );
    let _watchdog = Watchdog::new(what);
    let bench = Bench::new(builder(workers).tasks(mode).io_completion(engine));
    let iid = IID_IHostIoCompletionManager;
    let manager = given(|out| {
        let iid = &raw const iid;
        com!(bench.control, IHostControlVtbl, GetHostManager, iid, out)
    });
    let (tell, told) = channel();
    let host: &'static OnceLock<usize> = Box::leak(Box::default());
    let recorder = Recorder::new(move |slot, words| {
        assert_eq!(slot, 3, "OnComplete");
        // SAFETY: the room is there until the host has ended.
        let room =
            unsafe { &*std::ptr::with_exposed_provenance::<Room>(*host.get().expect("set")) };
        // After a shutdown of the scheduler there is no task.
        if let Some(task) = room.bench.host.current_task() {
            assert_eq!(task.transition(), (State::Base, 0), "on a task at its base");
        }
        let told = (words[0] as u32, words[1] as u32, words[2]);
        tell.send(told).expect("the test listens");
        Hresult::S_OK
    });
    let room = Room {
        bench,
        manager,
        recorder,
        told: Mutex::new(told),
    };
    host.set((&raw const room).expose_provenance())
        .expect("once");
    assert_eq!(room.transfers().engine(), engine, "the kernel has a ring");
    assert_eq!(room.set_runtime(), Hresult::S_OK);
    // SAFETY: whoever gets it has ended when the host has.
    test(unsafe { &*std::ptr::from_ref(&room) });
    room.manager.release();
    let host = &room.bench.host;
    host.shutdown(LONG).expect("nothing is left to wait for");
    eventually("only the host's own objects are left", || {
        host.figures().objects == OWN_OBJECTS + 1
    });
    let figures = room.transfers().figures();
    assert_eq!((figures.pending, figures.bound), (0, 0));
    assert_eq!(figures.completed, figures.submitted);
    assert_eq!(recorder.references(), 1, "the runtime's own reference");
}

impl Room {
    fn transfers(&self) -> Transfers {
        self.bench.host.transfers().expect("they are the host's")
    }

    fn set_runtime(&self) -> Hresult {
        let pointer = self.recorder.object().get();
        com!(
            self.manager,
            IHostIoCompletionManagerVtbl,
            SetCLRIoCompletionManager,
            pointer
        )
    }

    fn initialize(&self, block: &mut Block) -> Hresult {
        let pointer = (&raw mut *block).cast();
        com!(
            self.manager,
            IHostIoCompletionManagerVtbl,
            InitializeHostOverlapped,
            pointer
        )
    }

    fn bind_to(&self, port: *mut c_void, fd: RawFd) -> Hresult {
        let handle = std::ptr::without_provenance_mut(fd as usize);
        com!(
            self.manager,
            IHostIoCompletionManagerVtbl,
            Bind,
            port,
            handle
        )
    }

    #[track_caller]
    fn bind(&self, fd: &impl AsRawFd) -> RawFd {
        let fd = fd.as_raw_fd();
        assert_eq!(self.bind_to(std::ptr::null_mut(), fd), Hresult::S_OK);
        fd
    }

    fn submit(&self, transfer: Transfer) -> Result<(), Hresult> {
        self.transfers().submit(transfer)
    }

    /// A read of so many bytes that has begun.
    #[track_caller]
    fn read(&self, fd: RawFd, offset: u64, length: usize) -> &'static mut Block {
        let block = Block::new(self, offset, vec![0; length]);
        let transfer = block.transfer(Direction::Read, fd);
        self.submit(transfer).expect("it is accepted");
        block
    }

    #[track_caller]
    fn write(&self, fd: RawFd, offset: u64, bytes: Vec<u8>) -> &'static mut Block {
        let block = Block::new(self, offset, bytes);
        let transfer = block.transfer(Direction::Write, fd);
        self.submit(transfer).expect("it is accepted");
        block
    }

    /// The runtime is told this next.
    #[track_caller]
    fn told(&self, block: &Block, error: u32, bytes: u32) {
        let told = self.told.lock().unwrap().recv_timeout(LONG);
        assert_eq!(told, Ok((error, bytes, block.address())));
        // SAFETY: it is over: the structure is ours again.
        let left = unsafe { (&raw const block.overlapped).read_volatile() };
        assert_eq!(
            (left.Internal, left.InternalHigh),
            (error as usize, bytes as usize)
        );
    }

    /// The runtime is told of these, in any order.
    #[track_caller]
    fn told_all(&self, mut wanted: Vec<Told>) {
        let told = self.told.lock().unwrap();
        let mut all: Vec<Told> = wanted
            .iter()
            .map(|_| told.recv_timeout(LONG).expect("it is told"))
            .collect();
        all.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(all, wanted);
    }

    /// Nothing is told.
    #[track_caller]
    fn told_nothing(&self) {
        let told = self
            .told
            .lock()
            .unwrap()
            .recv_timeout(Duration::from_millis(50));
        assert_eq!(told, Err(RecvTimeoutError::Timeout));
    }

    fn on(&self) -> u64 {
        self.transfers().figures().pending
    }
}

/// A file that is gone when it is closed.
fn file(content: &[u8]) -> File {
    static NEXT: Mutex<u32> = Mutex::new(0);
    let mut next = NEXT.lock().unwrap();
    *next += 1;
    let name = format!("fiberhost-transfer-{}-{next}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, content).expect("a file");
    let file = File::options().read(true).write(true).open(&path);
    std::fs::remove_file(&path).expect("it can go");
    file.expect("a file")
}

fn set_nonblocking(fd: &impl AsRawFd) {
    // SAFETY: it takes no memory.
    let done = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(done, 0);
}

#[test]
fn files_are_read_and_written_at_their_places() {
    with_transfers(|room| {
        let content: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
        let file = file(&content);
        let fd = room.bind(&file);
        let block = room.read(fd, 5000, 4096);
        room.told(block, 0, 4096);
        assert_eq!(block.buffer, content[5000..9096]);
        // Less than was asked for at the end, and nothing beyond.
        let block = room.read(fd, 99_990, 4096);
        room.told(block, 0, 10);
        let block = room.read(fd, 100_000, 1);
        room.told(block, EOF, 0);
        let block = room.read(fd, u64::MAX, 1);
        room.told(block, 87, 0);
        let block = room.read(fd, 0, 0);
        room.told(block, 0, 0);
        // All of it at once, and beyond four gigabytes.
        let block = room.write(fd, 5 << 30, content.clone());
        room.told(block, 0, 100_000);
        let block = room.read(fd, 5 << 30, 100_001);
        room.told(block, 0, 100_000);
        assert_eq!(block.buffer[..100_000], content);
        // What cannot be written is told.
        let reader = File::open(format!("/proc/self/fd/{fd}")).expect("the same file");
        let fd = room.bind(&reader);
        let block = room.write(fd, 0, vec![1]);
        room.told(block, 6, 0);
    });
}

#[test]
fn what_waits_in_a_pipe_is_served_in_its_order() {
    with_transfers(|room| {
        let (reader, mut writer) = pipe().expect("a pipe");
        let fd = room.bind(&reader);
        let blocks: Vec<_> = (0..4).map(|_| room.read(fd, 0, 3)).collect();
        room.told_nothing();
        assert_eq!(room.on(), 4);
        writer.write_all(b"abcdefgh").expect("there is room");
        // Several tasks tell of them, each when it comes to it; the bytes are in order.
        let parts = [(3, b"abc"), (3, b"def"), (2, b"gh\0")];
        let told = blocks.iter().zip(parts);
        room.told_all(
            told.map(|(block, (count, _))| (0, count, block.address()))
                .collect(),
        );
        for (block, (_, bytes)) in blocks.iter().zip(parts) {
            assert_eq!(&block.buffer, bytes);
        }
        drop(writer);
        room.told(blocks[3], BROKEN_PIPE, 0);
        let block = room.read(fd, 0, 1);
        room.told(block, BROKEN_PIPE, 0);
    });
}

/// A write that does not fit is over when all is written; when nobody reads any more, it says how much was.
#[test]
fn a_write_to_a_pipe_is_over_when_all_is_written() {
    with_transfers(|room| {
        let (mut reader, writer) = pipe().expect("a pipe");
        let fd = room.bind(&writer);
        let bytes: Vec<u8> = (0..1_000_000_u32)
            .map(|number| (number / 7) as u8)
            .collect();
        let first = room.write(fd, 0, bytes.clone());
        let second = room.write(fd, 0, vec![1, 2, 3]);
        room.told_nothing();
        let mut all = vec![0; bytes.len() + 3];
        reader.read_exact(&mut all).expect("it comes");
        assert_eq!(all[..bytes.len()], bytes);
        assert_eq!(all[bytes.len()..], [1, 2, 3]);
        room.told(first, 0, 1_000_000);
        room.told(second, 0, 3);
        let third = room.write(fd, 0, bytes.clone());
        room.told_nothing();
        let mut some = vec![0; 1000];
        reader.read_exact(&mut some).expect("it comes");
        drop(reader);
        let told = room.told.lock().unwrap().recv_timeout(LONG).expect("told");
        assert_eq!((told.0, told.2), (BROKEN_PIPE, third.address()));
        assert!((1000..1_000_000).contains(&told.1), "{}", told.1);
        // And no signal has ended the process.
        let fourth = room.write(fd, 0, vec![1]);
        room.told(fourth, BROKEN_PIPE, 0);
    });
}

#[test]
fn sockets_are_read_and_written_both_ways_at_once() {
    for nonblocking in [false, true] {
        with_transfers(move |room| {
            let (mut here, there) = UnixStream::pair().expect("sockets");
            if nonblocking {
                set_nonblocking(&there);
            }
            let fd = room.bind(&there);
            let read = room.read(fd, 0, 10);
            let bytes = vec![9; 3_000_000];
            let write = room.write(fd, 0, bytes.clone());
            room.told_nothing();
            here.write_all(b"hello").expect("there is room");
            room.told(read, 0, 5);
            assert_eq!(&read.buffer[..5], b"hello");
            let mut all = vec![0; bytes.len()];
            here.read_exact(&mut all).expect("it comes");
            assert_eq!(all, bytes);
            room.told(write, 0, 3_000_000);
            // The end of a socket is no error, and a write to it is one.
            let read = room.read(fd, 0, 10);
            drop(here);
            room.told(read, 0, 0);
            let write = room.write(fd, 0, vec![1]);
            room.told(write, 64, 0);
        });
    }
}

/// Where transfers have had to wait the ring is left to look by itself, until they need not wait any more.
#[test]
fn what_is_there_is_moved_at_once_again_after_waits() {
    const WAITS: u64 = 20;
    const PRESENT: u64 = 40;
    with_transfers(|room| {
        let (reader, mut writer) = pipe().expect("a pipe");
        let fd = room.bind(&reader);
        for _ in 0..WAITS {
            let block = room.read(fd, 0, 1);
            writer.write_all(b"a").expect("there is room");
            room.told(block, 0, 1);
        }
        let at_once = || room.transfers().figures().at_once;
        assert_eq!(at_once(), 0);
        writer
            .write_all(&[b'b'; PRESENT as usize])
            .expect("there is room");
        for _ in 0..PRESENT {
            let block = room.read(fd, 0, 1);
            room.told(block, 0, 1);
            assert_eq!(block.buffer, b"b");
        }
        // One in sixteen is attempted in any case, and after the first success all are.
        assert!(at_once() > PRESENT - 16, "{} at once", at_once());
    });
}

#[test]
fn a_cancelled_transfer_ends_once_with_its_own_error() {
    with_transfers(|room| {
        let (reader, mut writer) = pipe().expect("a pipe");
        let fd = room.bind(&reader);
        let handle = Handle(fd as usize);
        let not_found = Err(Hresult::HRESULT_FROM_WIN32_ERROR_NOT_FOUND);
        assert_eq!(room.transfers().cancel(handle, None), not_found);
        let [first, second, third] = [(); 3].map(|()| room.read(fd, 0, 8));
        // One in the middle of its line, and then the one that the engine has.
        let middle = Some(Address(second.address()));
        assert_eq!(room.transfers().cancel(handle, middle), Ok(()));
        room.told(second, ABORTED, 0);
        assert_eq!(room.transfers().cancel(handle, middle), not_found);
        let head = Some(Address(first.address()));
        assert_eq!(room.transfers().cancel(handle, head), Ok(()));
        room.told(first, ABORTED, 0);
        writer.write_all(b"abc").expect("there is room");
        room.told(third, 0, 3);
        // A structure that is used again.
        let again = third.transfer(Direction::Read, fd);
        room.submit(again).expect("it is accepted");
        assert_eq!(room.transfers().cancel(handle, None), Ok(()));
        room.told(third, ABORTED, 0);
        room.told_nothing();
    });
}

/// Whoever submits, writes and cancels at the same time: each transfer is told of once, and no byte is lost.
#[test]
fn each_transfer_is_told_of_once() {
    const TASKS: usize = 4;
    const ROUNDS: usize = 150;
    with_transfers(|room| {
        let pipes: Vec<(PipeReader, PipeWriter)> =
            (0..TASKS).map(|_| pipe().expect("a pipe")).collect();
        let tasks: Vec<Object> = pipes
            .iter()
            .enumerate()
            .map(|(at, (reader, writer))| {
                let fd = room.bind(reader);
                let mut writer = writer.try_clone().expect("a descriptor");
                room.bench.start(move || {
                    for round in 0..ROUNDS {
                        let blocks = [(); 3].map(|()| room.read(fd, 0, 1));
                        if (at + round) % 3 == 0 {
                            let one = Some(Address(blocks[round % 3].address()));
                            // It may be over already.
                            let _ = room.transfers().cancel(Handle(fd as usize), one);
                        }
                        writer.write_all(&[1; 3]).expect("there is room");
                        let _ = com!(room.bench.tasks, IHostTaskManagerVtbl, SwitchToTask, 0);
                    }
                })
            })
            .collect();
        let count = TASKS * ROUNDS * 3;
        // Those that were cancelled leave bytes, which are read in the end.
        let mut seen: HashMap<usize, u32> = HashMap::new();
        let (mut read, mut aborted) = (0, 0);
        for _ in 0..count {
            let told = room.told.lock().unwrap().recv_timeout(LONG);
            let (error, bytes, address) = told.expect("each is told of");
            match (error, bytes) {
                (0, 1) => read += 1,
                (ABORTED, 0) => aborted += 1,
                other => panic!("{other:?}"),
            }
            *seen.entry(address).or_default() += 1;
        }
        for task in tasks {
            join(task);
        }
        assert_eq!(seen.len(), count, "each once");
        assert_eq!(read + aborted, count);
        // The last one is counted when whoever tells of it is back.
        eventually("all were told of", || room.on() == 0);
        let mut left = 0;
        for (mut reader, writer) in pipes {
            drop(writer);
            let mut rest = Vec::new();
            left += reader.read_to_end(&mut rest).expect("what is left");
        }
        assert_eq!(left, aborted, "no byte is lost");
    });
}

/// The kernel ties what is in its ring to a thread: it goes on when that thread has ended.
#[test]
fn a_transfer_outlives_the_thread_that_submitted_it() {
    with_transfers(|room| {
        let (reader, mut writer) = pipe().expect("a pipe");
        let fd = room.bind(&reader);
        let thread = std::thread::spawn(move || room.read(fd, 0, 8).address());
        let address = thread.join().expect("it ends");
        room.told_nothing();
        writer.write_all(b"abc").expect("there is room");
        room.told_all(vec![(0, 3, address)]);
    });
}

/// The descriptor's number may be closed, and be somebody else's, while the transfer is on.
#[test]
fn a_descriptor_that_is_closed_meanwhile_is_still_the_same_file() {
    with_transfers(|room| {
        let (reader, mut writer) = pipe().expect("a pipe");
        let fd = room.bind(&reader);
        let block = room.read(fd, 0, 8);
        room.told_nothing();
        let other = file(b"wrong");
        // The number is the other file's from now on.
        // SAFETY: the number is closed once, with the file that is there then.
        assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), fd) }, fd);
        writer.write_all(b"right").expect("there is room");
        room.told(block, 0, 5);
        assert_eq!(&block.buffer[..5], b"right");
        // Bound anew it is what it is now.
        room.bind(&reader);
        let block = room.read(fd, 0, 8);
        room.told(block, 0, 5);
        assert_eq!(&block.buffer[..5], b"wrong");
    });
}

#[test]
fn what_is_no_descriptor_to_transfer_by_is_not_bound() {
    with_transfers(|room| {
        let closed = {
            let (reader, _) = pipe().expect("a pipe");
            reader.as_raw_fd()
        };
        let folder = File::open("/").expect("a folder");
        let path = {
            // SAFETY: the name ends with a zero; the descriptor is new.
            unsafe { OwnedFd::from_raw_fd(libc::open(c"/".as_ptr(), libc::O_PATH)) }
        };
        // SAFETY: these take no memory, and the descriptors are new.
        let anonymous = unsafe {
            [
                OwnedFd::from_raw_fd(libc::eventfd(0, 0)),
                OwnedFd::from_raw_fd(libc::epoll_create1(0)),
            ]
        };
        let name = std::env::temp_dir().join(format!("fiberhost-listener-{}", std::process::id()));
        let _ = std::fs::remove_file(&name);
        let listener = UnixListener::bind(&name).expect("a listener");
        std::fs::remove_file(&name).expect("it can go");
        let mut wrong: Vec<RawFd> = vec![closed, -1, RawFd::MIN, RawFd::MAX];
        wrong.extend([folder.as_raw_fd(), path.as_raw_fd(), listener.as_raw_fd()]);
        wrong.extend(anonymous.iter().map(AsRawFd::as_raw_fd));
        for fd in wrong {
            let answer = room.bind_to(std::ptr::null_mut(), fd);
            assert_eq!(answer, Hresult::E_INVALIDARG, "{fd}");
        }
        // Neither is a port one.
        let port = room.new_port();
        let handle = port;
        let none = std::ptr::null_mut();
        let answer = com!(
            room.manager,
            IHostIoCompletionManagerVtbl,
            Bind,
            none,
            handle
        );
        assert_eq!(answer, Hresult::E_INVALIDARG);
        assert_eq!(room.close_port(port), Hresult::S_OK);
        assert_eq!(room.transfers().figures().bound, 0);
    });
}

impl Room {
    fn new_port(&self) -> *mut c_void {
        let mut port = std::ptr::null_mut();
        let place = &raw mut port;
        let answer = com!(
            self.manager,
            IHostIoCompletionManagerVtbl,
            CreateIoCompletionPort,
            place
        );
        assert_eq!(answer, Hresult::S_OK);
        port
    }

    fn close_port(&self, port: *mut c_void) -> Hresult {
        com!(
            self.manager,
            IHostIoCompletionManagerVtbl,
            CloseIoCompletionPort,
            port
        )
    }
}

#[test]
fn a_port_goes_with_what_is_bound_to_it() {
    with_transfers(|room| {
        let [one, other] = [room.new_port(), room.new_port()];
        assert_ne!(one, other);
        let [(reader, _writer), (kept, mut kept_writer)] =
            [(); 2].map(|()| pipe().expect("a pipe"));
        let (fd, kept_fd) = (reader.as_raw_fd(), kept.as_raw_fd());
        assert_eq!(room.bind_to(one, fd), Hresult::S_OK);
        assert_eq!(room.bind_to(one, fd), Hresult::S_OK, "as it is");
        assert_eq!(room.bind_to(other, kept_fd), Hresult::S_OK);
        let (block, kept_block) = (room.read(fd, 0, 1), room.read(kept_fd, 0, 1));
        assert_eq!(room.close_port(one), Hresult::S_OK);
        room.told(block, ABORTED, 0);
        let again = block.transfer(Direction::Read, fd);
        assert_eq!(room.submit(again), Err(Hresult::E_HANDLE));
        for wrong in [
            one,
            std::ptr::null_mut(),
            std::ptr::without_provenance_mut(3),
        ] {
            assert_eq!(room.close_port(wrong), Hresult::E_INVALIDARG);
        }
        assert_eq!(room.bind_to(one, fd), Hresult::E_INVALIDARG);
        kept_writer.write_all(b"a").expect("there is room");
        room.told(kept_block, 0, 1);
        // A number of a port is not used again.
        assert_ne!(room.new_port(), one);
        assert_eq!(room.close_port(other), Hresult::S_OK);
    });
}

#[test]
fn a_refused_transfer_is_not_told_of_and_changes_nothing() {
    with_transfers(|room| {
        let (reader, mut writer) = pipe().expect("a pipe");
        let fd = reader.as_raw_fd();
        let block = Block::new(room, 0, vec![0; 8]);
        let before = room.transfers().figures();
        let submit = |block: &mut Block, fd| room.submit(block.transfer(Direction::Read, fd));
        assert_eq!(submit(block, fd), Err(Hresult::E_HANDLE), "it is not bound");
        assert_eq!(submit(block, -1), Err(Hresult::E_HANDLE));
        room.bind(&reader);
        block.host[0] ^= 1;
        assert_eq!(
            submit(block, fd),
            Err(Hresult::E_INVALIDARG),
            "not prepared"
        );
        block.host[0] ^= 1;
        let of_task = block.transfer(Direction::Read, fd).of_task();
        // This thread is no task.
        assert_eq!(room.submit(of_task), Err(Hresult::HOST_E_INVALIDOPERATION));
        assert_eq!(room.set_runtime(), Hresult::E_UNEXPECTED, "there is one");
        let overlapped: *mut c_void = (&raw mut *block).cast();
        let (null, handle) = (std::ptr::null_mut(), Handle(fd as usize));
        let new = |buffer: *mut c_void, overlapped: *mut c_void| {
            // SAFETY: what is wrong here is not followed.
            unsafe { Transfer::new(Direction::Read, handle, buffer, 8, overlapped) }.map(drop)
        };
        assert_eq!(new(null, overlapped), Err(Hresult::E_POINTER));
        assert_eq!(new(overlapped, null), Err(Hresult::E_POINTER));
        let misaligned = overlapped.wrapping_byte_add(4);
        assert_eq!(new(overlapped, misaligned), Err(Hresult::E_INVALIDARG));
        let after = room.transfers().figures();
        assert_eq!((after.submitted, after.pending), (before.submitted, 0));
        // It was refused, and can be used.
        assert_eq!(submit(block, fd), Ok(()));
        let on = Err(Hresult::HOST_E_INVALIDOPERATION);
        assert_eq!(submit(block, fd), on, "it is on");
        room.told_nothing();
        writer.write_all(b"a").expect("there is room");
        room.told(block, 0, 1);
        let handle = Handle(fd as usize);
        assert_eq!(room.transfers().unbind(handle), Ok(()));
        assert_eq!(room.transfers().unbind(handle), Err(Hresult::E_HANDLE));
        assert_eq!(submit(block, fd), Err(Hresult::E_HANDLE));
    });
}

#[test]
fn without_somebody_to_tell_nothing_is_accepted() {
    let _watchdog = Watchdog::new("without_somebody_to_tell".to_owned());
    let bench = Bench::new(builder(1).io_completion(IoEngine::Detect));
    let transfers = bench.host.transfers().expect("they are the host's");
    let (reader, _writer) = pipe().expect("a pipe");
    let (mut buffer, mut place) = ([0_u8; 8], [0_u64; 6]);
    let handle = Handle(reader.as_raw_fd() as usize);
    let (buffer, place) = ((&raw mut buffer).cast(), (&raw mut place).cast());
    // SAFETY: it is refused, so that the places are there long enough.
    let transfer = unsafe { Transfer::new(Direction::Read, handle, buffer, 8, place) };
    let refused = transfers.submit(transfer.expect("it is right"));
    assert_eq!(refused, Err(Hresult::E_INVALIDARG), "not prepared");
    bench
        .host
        .shutdown(LONG)
        .expect("nothing is left to wait for");
}

/// A shutdown cancels what waits, and the runtime is told of it before the shutdown is over.
#[test]
fn a_shutdown_ends_what_waits() {
    with_transfers(|room| {
        let pipes: Vec<_> = (0..10).map(|_| pipe().expect("a pipe")).collect();
        let mut wanted = Vec::new();
        let mut last = None;
        for (reader, _) in &pipes {
            let fd = room.bind(reader);
            for _ in 0..3 {
                let block = room.read(fd, 0, 1);
                wanted.push((ABORTED, 0, block.address()));
                last = Some((block, fd));
            }
        }
        room.bench.host.shutdown(LONG).expect("nothing is left");
        let told: Vec<Told> = room.told.lock().unwrap().try_iter().collect();
        assert_eq!(told.len(), wanted.len(), "all before the end");
        let (block, fd) = last.expect("there are some");
        let again = block.transfer(Direction::Read, fd);
        let refused = Err(Hresult::HOST_E_CLRNOTAVAILABLE);
        assert_eq!(room.submit(again), refused);
        let mut told = told;
        told.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(told, wanted);
    });
}

/// A scheduler of the embedder's may end before the host does.
#[test]
fn transfers_end_although_the_scheduler_ended_before() {
    for engine in ENGINES {
        let _watchdog = Watchdog::new("the_scheduler_ended_before".to_owned());
        let scheduler = fiberhost::scheduler::Scheduler::builder()
            .workers(2)
            .build()
            .expect("a scheduler");
        let builder = fiberhost::Host::builder()
            .scheduler(scheduler.clone())
            .io_completion(engine);
        let bench = Bench::new(builder);
        let iid = IID_IHostIoCompletionManager;
        let manager = given(|out| {
            let iid = &raw const iid;
            com!(bench.control, IHostControlVtbl, GetHostManager, iid, out)
        });
        let (tell, told) = channel();
        let recorder = Recorder::new(move |_, words| {
            tell.send((words[0], words[1])).expect("the test listens");
            Hresult::S_OK
        });
        let room = Room {
            bench,
            manager,
            recorder,
            told: Mutex::new(channel().1),
        };
        assert_eq!(room.set_runtime(), Hresult::S_OK);
        let (reader, _writer) = pipe().expect("a pipe");
        let fd = room.bind(&reader);
        room.read(fd, 0, 1);
        room.read(fd, 0, 1);
        scheduler
            .shutdown(LONG)
            .expect("nothing is left to wait for");
        assert!(told.try_recv().is_err(), "nobody has cancelled it");
        room.manager.release();
        room.bench.host.shutdown(LONG).expect("nothing is left");
        let told: Vec<_> = told.try_iter().collect();
        assert_eq!(told, [(ABORTED as usize, 0); 2]);
        assert_eq!(recorder.references(), 1);
    }
}

/// A buffer that goes with its task: the transfer lets go of it before the runtime is told of the task's end.
#[test]
fn a_task_does_not_end_before_the_transfers_of_its_memory() {
    with_transfers(|room| {
        let (reader, _writer) = pipe().expect("a pipe");
        let fd = room.bind(&reader);
        let clr_task = ClrTask::new(Hresult::S_OK);
        let (tell, told) = channel();
        let task = room.bench.start(move || {
            let me = given(|out| com!(room.bench.tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
            let clr_task_pointer = clr_task.object().get();
            assert_eq!(
                com!(me, IHostTaskVtbl, SetCLRTask, clr_task_pointer),
                Hresult::S_OK
            );
            me.release();
            let block = Block::new(room, 0, vec![0; 8]);
            let place = (&raw const block.overlapped.Internal).expose_provenance();
            clr_task.at_exit(move || {
                // SAFETY: the block stays.
                let state =
                    unsafe { std::ptr::with_exposed_provenance::<usize>(place).read_volatile() };
                tell.send(state).expect("the test listens");
            });
            let transfer = block.transfer(Direction::Read, fd).of_task();
            room.submit(transfer).expect("it is accepted");
            room.read(fd, 0, 8);
        });
        join(task);
        assert_eq!(told.recv_timeout(LONG), Ok(ABORTED as usize));
        let first = room.told.lock().unwrap().recv_timeout(LONG).expect("told");
        assert_eq!((first.0, first.1), (ABORTED, 0));
        room.told_nothing();
        eventually("the other one does not go with it", || room.on() == 1);
        assert_eq!(room.transfers().cancel(Handle(fd as usize), None), Ok(()));
        let second = room.told.lock().unwrap().recv_timeout(LONG).expect("told");
        assert_eq!((second.0, second.1), (ABORTED, 0));
    });
}

#[test]
fn the_numbers_of_tasks_that_tell_are_those_that_were_set() {
    with_transfers(|room| {
        let manager = room.manager;
        let number = |get: &dyn Fn(*mut u32) -> Hresult| {
            let mut number = 0;
            assert_eq!(get(&raw mut number), Hresult::S_OK);
            number
        };
        let most =
            || number(&|out| com!(manager, IHostIoCompletionManagerVtbl, GetMaxThreads, out));
        let least =
            || number(&|out| com!(manager, IHostIoCompletionManagerVtbl, GetMinThreads, out));
        let available = || {
            number(&|out| {
                com!(
                    manager,
                    IHostIoCompletionManagerVtbl,
                    GetAvailableThreads,
                    out
                )
            })
        };
        let set_most = |most| com!(manager, IHostIoCompletionManagerVtbl, SetMaxThreads, most);
        let set_least = |least| com!(manager, IHostIoCompletionManagerVtbl, SetMinThreads, least);
        assert_eq!((least(), most(), available()), (1, 512, 512));
        assert_eq!(set_most(3), Hresult::S_OK);
        assert_eq!(set_least(2), Hresult::S_OK);
        assert_eq!(set_most(0), Hresult::E_INVALIDARG);
        assert_eq!(set_most(1), Hresult::E_INVALIDARG);
        assert_eq!(set_least(4), Hresult::E_INVALIDARG);
        assert_eq!((least(), most(), available()), (2, 3, 3));
        let bytes = number(&|out| {
            com!(
                manager,
                IHostIoCompletionManagerVtbl,
                GetHostOverlappedSize,
                out
            )
        });
        assert_eq!(bytes as usize, size_of::<[u64; 2]>());
        // With one at a time all are told all the same, whatever the least is.
        assert_eq!(set_least(0), Hresult::S_OK);
        assert_eq!(set_most(1), Hresult::S_OK);
        let file = file(b"abc");
        let fd = room.bind(&file);
        let blocks: Vec<_> = (0..20).map(|_| room.read(fd, 0, 3)).collect();
        room.told_all(blocks.iter().map(|block| (0, 3, block.address())).collect());
        eventually("nobody is busy", || available() == 1);
    });
}

/// While transfers wait, nobody runs.
#[test]
fn an_idle_host_does_not_switch_while_transfers_wait() {
    for engine in ENGINES {
        with(engine, 2, TaskMode::Fiber, |room| {
            let pipes: Vec<_> = (0..20).map(|_| pipe().expect("a pipe")).collect();
            for (reader, _) in &pipes {
                let fd = room.bind(reader);
                room.read(fd, 0, 1);
            }
            let switches = || room.bench.host.scheduler().stats().switches;
            // Until whoever was made for them has come to rest.
            eventually("all sleep", || {
                let before = switches();
                std::thread::sleep(Duration::from_millis(100));
                switches() == before
            });
            let before = switches();
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(switches(), before);
            let (_, writer) = &pipes[7];
            let mut writer = writer.try_clone().expect("a descriptor");
            writer.write_all(b"a").expect("there is room");
            let told = room.told.lock().unwrap().recv_timeout(LONG);
            assert!(matches!(told, Ok((0, 1, _))), "{told:?}");
        });
    }
}
