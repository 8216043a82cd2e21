//! Transfers that wait, on the kernel's ring.
//!
//! Whoever submits one puts it into the ring and tells the kernel at once. The kernel rings a bell for what is over (`bell`); a
//! task of the scheduler, the *collector*, waits for that at the scheduler's own poller, and is there from the first transfer
//! that waits to the end of the host. So nothing spins, and a host whose transfers never wait has no collector.
//! To be woken by the bell costs more calls of the kernel than a transfer. So after it has heard something the collector first
//! lingers: how often others are let run before it is to be woken is the scheduler's to say. As long as that finds something
//! each time the bell is not rung.
//!
//! | in the ring | for |
//! |---|---|
//! | a read or a write at a place | files |
//! | a receive or a send, a read | sockets, pipes |
//! | readiness, and then an attempt by the collector | writes to pipes, which may raise a signal; devices; descriptors in non-blocking mode |
//!
//! The kernel ties what is in the ring to the thread that put it there, and cancels it when that thread ends. Nothing has
//! been moved then, and it is put there anew by whoever hears of it ([`Completions::answered`]).
//!
//! A cancellation may find a transfer between two of the kernel's hands, and miss it. It is tried again as long as the
//! transfer is there, after a moment each time.
//!
//! Room for unsafe code: what is put into the ring leads to memory that a [`Transfer`](crate::com::Transfer) vouches for.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fiberhost_scheduler::io::Interrupted;
use fiberhost_scheduler::sync::ManualResetEvent;
use fiberhost_scheduler::{Heed, Wake, linger};
use io_uring::{IoUring, Probe, opcode, squeue, types};
use parking_lot::Mutex;

use super::bell::Bell;
use super::kernel::{self, Kind};
use super::{Completions, Request};
use crate::com::{Direction, Hresult, Promise, vouch};

const ENTRIES: u32 = 256;
/// So many at once are in the ring; the others wait for room. As many answers have room.
const MOST: usize = 4096;
/// So many answers are taken under one lock.
const BATCH: usize = 32;
/// Until something that was refused, or missed, is tried again.
const MOMENT: Duration = Duration::from_millis(1);

/// The two lowest bits of what an answer is known by; above them is the address of the structure.
const TRANSFER: u64 = 0;
const READINESS: u64 = 1;
const CANCELLATION: u64 = 2;
const BITS: u64 = 3;

pub(super) struct Uring {
    ring: Mutex<Ring>,
    bell: Bell,
    /// Whether there is one, which is made under the lock.
    collector: AtomicBool,
    making: Mutex<()>,
    /// Set while there is none.
    alone: ManualResetEvent,
    closed: AtomicBool,
    /// Cancellations that have missed.
    missed: Mutex<Vec<usize>>,
}

/// What came of a look at the ring.
struct Drained {
    /// Something was over.
    heard: bool,
    /// Something is to be tried again after a moment.
    again: bool,
}

struct Ring {
    ring: IoUring,
    inside: usize,
    /// No room yet.
    waiting: VecDeque<squeue::Entry>,
    /// The kernel had no memory for what lies in the ring.
    stuck: bool,
}

impl Uring {
    /// # Errors
    /// The kernel has none, or one that is too old.
    pub(super) fn new() -> io::Result<Uring> {
        let mut builder = IoUring::builder();
        let ring: IoUring = builder.setup_cqsize(MOST as u32).build(ENTRIES)?;
        let (params, mut probe) = (ring.params(), Probe::new());
        ring.submitter().register_probe(&mut probe)?;
        let wanted = [
            opcode::Read::CODE,
            opcode::Write::CODE,
            opcode::Send::CODE,
            opcode::Recv::CODE,
            opcode::PollAdd::CODE,
            opcode::AsyncCancel::CODE,
        ];
        let can = params.is_feature_nodrop()
            && params.is_feature_fast_poll()
            && params.is_feature_rw_cur_pos()
            && wanted.iter().all(|code| probe.is_supported(*code));
        if !can {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let bell = Bell::new(ring.as_raw_fd())?;
        Ok(Uring {
            ring: Mutex::new(Ring {
                ring,
                inside: 0,
                waiting: VecDeque::new(),
                stuck: false,
            }),
            bell,
            collector: AtomicBool::new(false),
            making: Mutex::new(()),
            alone: ManualResetEvent::new(true),
            closed: AtomicBool::new(false),
            missed: Mutex::default(),
        })
    }

    /// Lets the kernel work on it, from where it stands.
    ///
    /// # Errors
    /// A number of the system's: it is not in the ring.
    pub(super) fn start(
        &self,
        completions: &Arc<Completions>,
        request: &Arc<Request>,
        promise: Promise,
    ) -> Result<(), i32> {
        self.ensure_collector(completions, promise)
            .map_err(|_| libc::ENOMEM)?;
        self.put(entry(request)?);
        Ok(())
    }

    pub(super) fn cancel(&self, request: &Request) {
        let Some(known_by) = request.cancel().name() else {
            // Whoever is about to put it there looks afterwards.
            return;
        };
        let cancel = opcode::AsyncCancel::new(known_by).build();
        let known_by = request.address() as u64 | CANCELLATION;
        self.put(cancel.user_data(known_by));
    }

    fn put(&self, entry: squeue::Entry) {
        let mut ring = self.ring.lock();
        ring.put(entry);
        let stuck = ring.stuck;
        drop(ring);
        if stuck {
            // The collector tells the kernel again.
            self.bell.ring();
        }
    }

    fn ensure_collector(
        &self,
        completions: &Arc<Completions>,
        promise: Promise,
    ) -> Result<(), Hresult> {
        if self.collector.load(Ordering::Acquire) {
            return Ok(());
        }
        let _making = self.making.lock();
        if self.collector.load(Ordering::Acquire) {
            return Ok(());
        }
        self.alone.reset();
        self.collector.store(true, Ordering::Release);
        // One that is refused says that it is not there, as one that ends does.
        vouch::spawn(
            completions.host().scheduler.task().name("fiberhost-io"),
            promise,
            Leaving(Arc::clone(completions)),
            collect,
        )
        .map(drop)
    }

    /// Hears what is over. What comes meanwhile is found by the look after it, or rings.
    fn drain(&self, completions: &Arc<Completions>) -> Drained {
        let mut heard = false;
        loop {
            let mut answers = [(0, 0); BATCH];
            let mut ring = self.ring.lock();
            let count = ring.take(&mut answers);
            ring.submit();
            let stuck = ring.stuck;
            drop(ring);
            heard |= count > 0;
            for &(data, result) in &answers[..count] {
                self.answer(completions, data, result);
            }
            if count < BATCH {
                let again = stuck || !self.missed.lock().is_empty();
                return Drained { heard, again };
            }
        }
    }

    fn answer(&self, completions: &Arc<Completions>, data: u64, result: i32) {
        let address = (data & !BITS) as usize;
        match data & BITS {
            TRANSFER => completions.answered(address, result),
            READINESS => completions.ready(address, result),
            // A file's part that is being moved comes to its end.
            _ if result < 0 && completions.to_be_cancelled(address).is_some() => {
                self.missed.lock().push(address);
            }
            _ => {}
        }
    }

    /// Whether there is something to be heard.
    fn is_more_over(&self) -> bool {
        !self.ring.lock().ring.completion().is_empty()
    }

    fn cancel_again(&self, completions: &Completions) {
        let missed = std::mem::take(&mut *self.missed.lock());
        for address in missed {
            if let Some(request) = completions.to_be_cancelled(address) {
                self.cancel(&request);
            }
        }
    }

    /// The collector ends. Nothing is in the ring any more.
    pub(super) fn close(&self, limit: Duration) {
        self.closed.store(true, Ordering::Release);
        self.bell.ring();
        self.alone.wait_heeding(Some(limit), Heed::Nothing);
    }

    /// Whether somebody hears the bell.
    pub(super) fn is_watched(&self) -> bool {
        !self.alone.is_set()
    }

    /// For who ends the host, where nobody hears the bell: waits for it once, at most so long, and takes what there is.
    pub(super) fn collect_here(&self, completions: &Arc<Completions>, limit: Duration) {
        let Drained { again, .. } = self.drain(completions);
        if again {
            self.cancel_again(completions);
        }
        let is_told = self.bell.listen() && !again;
        self.bell
            .wait_here(if is_told { limit } else { limit.min(MOMENT) });
        self.drain(completions);
    }
}

impl Ring {
    /// Into the ring, or into the line before it.
    fn put(&mut self, entry: squeue::Entry) {
        self.waiting.push_back(entry);
        self.submit();
    }

    /// Fills the ring from the line, and tells the kernel.
    fn submit(&mut self) {
        while self.inside < MOST
            && let Some(entry) = self.waiting.front()
        {
            // SAFETY: what it leads to is vouched for by its transfer, which is kept until the answer was heard.
            if unsafe { self.ring.submission().push(entry) }.is_err() {
                if !self.tell() {
                    return;
                }
                continue;
            }
            self.inside += 1;
            self.waiting.pop_front();
        }
        self.tell();
    }

    /// Whether the kernel has taken all there was.
    fn tell(&mut self) -> bool {
        self.stuck = false;
        while !self.ring.submission().is_empty() {
            match self.ring.submit() {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.stuck = true;
                    return false;
                }
            }
        }
        true
    }

    /// Takes as many answers as there is room for. Returns how many.
    fn take(&mut self, answers: &mut [(u64, i32)]) -> usize {
        let mut count = 0;
        for (place, answer) in answers.iter_mut().zip(self.ring.completion()) {
            *place = (answer.user_data(), answer.result());
            count += 1;
        }
        self.inside -= count;
        count
    }
}

/// What is put into the ring for a request.
fn entry(request: &Request) -> Result<squeue::Entry, i32> {
    let (transfer, kind) = (request.transfer(), request.kind());
    let address = request.address() as u64;
    let direction = transfer.direction();
    if request.is_by_readiness() {
        let fd = types::Fd(request.hold()?);
        let events = kernel::events(direction).cast_unsigned().into();
        let poll = opcode::PollAdd::new(fd, events).build();
        request.cancel().note_name(address | READINESS);
        return Ok(poll.user_data(address | READINESS));
    }
    let fd = types::Fd(request.descriptor());
    let done = request.done();
    let buffer = transfer.buffer().cast::<u8>().wrapping_add(done as usize);
    let length = transfer.length() - done;
    let made = match (kind, direction) {
        (Kind::Socket, Direction::Read) => opcode::Recv::new(fd, buffer, length).build(),
        (Kind::Socket, Direction::Write) => opcode::Send::new(fd, buffer, length)
            .flags(libc::MSG_NOSIGNAL)
            .build(),
        (Kind::File, Direction::Read) => opcode::Read::new(fd, buffer, length)
            .offset(transfer.offset())
            .build(),
        (Kind::File, Direction::Write) => opcode::Write::new(fd, buffer, length)
            .offset(transfer.offset())
            .build(),
        (Kind::Pipe | Kind::Device, _) => opcode::Read::new(fd, buffer, length)
            .offset(u64::MAX)
            .build(),
    };
    request.cancel().note_name(address | TRANSFER);
    Ok(made.user_data(address | TRANSFER))
}

/// Says that there is no collector when it goes, however that comes about.
struct Leaving(Arc<Completions>);

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(uring) = self.0.uring() {
            uring.collector.store(false, Ordering::Release);
            uring.alone.set();
        }
    }
}

/// The collector. It keeps nothing of its thread across its waits.
fn collect(leaving: Leaving) {
    let completions = &leaving.0;
    let Some(uring) = completions.uring() else {
        return;
    };
    loop {
        let Drained { heard, again } = uring.drain(completions);
        if uring.closed.load(Ordering::Acquire) {
            return;
        }
        if heard && linger(|| uring.is_more_over()) {
            uring.bell.ignore();
            continue;
        }
        // What came since is heard as well.
        let is_told = uring.bell.listen() && !again;
        match uring.bell.wait((!is_told).then_some(MOMENT)) {
            Ok(()) => {}
            Err(error) if Interrupted::of(&error) == Some(Wake::TimedOut) => {
                uring.cancel_again(completions);
            }
            // The scheduler ends before the host.
            Err(_) => return,
        }
    }
}
