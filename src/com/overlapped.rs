//! The structure by which a runtime knows a transfer (`OVERLAPPED`, with a block of the host's behind it), and what it wants
//! transferred.
//!
//! ```text
//! +0   OVERLAPPED     Internal: pending, then the error; InternalHigh: bytes; Offset; hEvent (not used)
//! +32  our block      a seal, and whether the transfer is on
//! ```
//!
//! The block says whether `InitializeHostOverlapped` was called and whether the transfer is on. It says nothing of where it
//! lies: it may be moved as long as no transfer is on.
//!
//! Room for unsafe code: reading and writing there.
#![cfg_attr(
    not(feature = "net"),
    allow(dead_code, reason = "without transfers nothing needs it")
)]

use std::ffi::c_void;
use std::os::fd::RawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use super::argument::{Argument, Handle};
use super::hresult::Hresult;
use super::table::OVERLAPPED;

/// `STATUS_PENDING`.
const PENDING: usize = 0x103;
const IDLE: u64 = 0;
const ON: u64 = 1;

#[repr(C)]
struct Block {
    seal: AtomicU64,
    state: AtomicU64,
}

/// How many bytes are appended to each structure.
pub(crate) const HOST_BYTES: u32 = size_of::<Block>() as u32;

/// Where such a structure is. It is a number to compare, unless something vouches for it: see [`Transfer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlapped(NonNull<OVERLAPPED>);

// SAFETY: the runtime hands it over to be used from any thread.
unsafe impl Send for Overlapped {}
// SAFETY: as above.
unsafe impl Sync for Overlapped {}

impl Overlapped {
    fn new(pointer: *mut c_void) -> Result<Overlapped, Hresult> {
        let place = NonNull::new(pointer.cast::<OVERLAPPED>()).ok_or(Hresult::E_POINTER)?;
        if !place.is_aligned() {
            return Err(Hresult::E_INVALIDARG);
        }
        Ok(Overlapped(place))
    }

    pub(crate) fn as_ptr(self) -> *mut c_void {
        self.0.as_ptr().cast()
    }

    /// The address, by which transfers that are on are told apart.
    pub(crate) fn address(self) -> usize {
        self.0.addr().get()
    }
}

/// A place that `InitializeHostOverlapped` was called with.
#[derive(Debug)]
pub struct NewOverlapped(Overlapped);

impl Argument for NewOverlapped {
    type Words = (*mut c_void,);

    unsafe fn check((pointer,): Self::Words) -> Result<Self, Hresult> {
        Overlapped::new(pointer).map(NewOverlapped)
    }
}

impl NewOverlapped {
    /// Where it is.
    pub fn overlapped(&self) -> Overlapped {
        self.0
    }

    /// Prepares the block behind it, for transfers of the host with this seal.
    pub(crate) fn initialize(self, seal: u64) {
        let block = self.0.0.as_ptr().wrapping_add(1).cast::<Block>();
        let new = Block {
            seal: AtomicU64::new(seal),
            state: AtomicU64::new(IDLE),
        };
        // SAFETY: the declaration of the method says that so many bytes are there for the length of the call, and they are the
        // host's; they are aligned, as what they lie behind is.
        unsafe { block.write(new) };
    }
}

/// What a transfer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the descriptor to the buffer.
    Read,
    /// From the buffer to the descriptor.
    Write,
}

/// Something to be transferred, with the promise that its memory is there.
///
/// Whoever makes one vouches for the structure and the buffer until the transfer is over: until
/// `ICLRIoCompletionManager::OnComplete` has been called for it, or it was refused.
#[derive(Debug)]
#[must_use = "nothing is transferred until it is submitted"]
pub struct Transfer {
    direction: Direction,
    handle: Handle,
    buffer: *mut c_void,
    length: u32,
    overlapped: Overlapped,
    of_task: bool,
}

// SAFETY: whoever made it promised that the memory may be used from any thread.
unsafe impl Send for Transfer {}
// SAFETY: what is shared of it is constant, and the memory is used by one at a time.
unsafe impl Sync for Transfer {}

impl Transfer {
    /// A transfer between a descriptor and a buffer. Of a file, from the structure's `Offset` on.
    ///
    /// # Errors
    /// `E_POINTER` for a null, `E_INVALIDARG` for a misaligned structure; `E_POINTER` for a null buffer of any length.
    ///
    /// # Safety
    /// Until the transfer is over or was refused: unless it is null or misaligned, `overlapped` leads to an `OVERLAPPED` with as
    /// many bytes behind it as `GetHostOverlappedSize` says, which `InitializeHostOverlapped` was called for or which are
    /// zero; `buffer` has `length` bytes; nobody writes to either, and for a [`Read`](Direction::Read) nobody reads the buffer.
    pub unsafe fn new(
        direction: Direction,
        handle: Handle,
        buffer: *mut c_void,
        length: u32,
        overlapped: *mut c_void,
    ) -> Result<Transfer, Hresult> {
        let overlapped = Overlapped::new(overlapped)?;
        if buffer.is_null() && length > 0 {
            return Err(Hresult::E_POINTER);
        }
        Ok(Transfer {
            direction,
            handle,
            buffer,
            length,
            overlapped,
            of_task: false,
        })
    }

    /// The buffer goes with the calling task: the task does not end before the transfer lets go of it, which is cancelled then.
    pub fn of_task(mut self) -> Transfer {
        self.of_task = true;
        self
    }

    pub(crate) fn is_of_task(&self) -> bool {
        self.of_task
    }

    /// What it does.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Its structure.
    pub fn overlapped(&self) -> Overlapped {
        self.overlapped
    }

    /// Its descriptor, if that can be one.
    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        descriptor(self.handle)
    }

    pub(crate) fn buffer(&self) -> *mut c_void {
        self.buffer
    }

    pub(crate) fn length(&self) -> u32 {
        self.length
    }

    fn place(&self) -> *mut OVERLAPPED {
        self.overlapped.0.as_ptr()
    }

    fn block(&self) -> &Block {
        // SAFETY: whoever made the transfer promised that the block is there, and its fields are atomic.
        unsafe { &*self.place().add(1).cast::<Block>() }
    }

    /// Where in a file.
    pub(crate) fn offset(&self) -> u64 {
        // SAFETY: as above; nobody writes to it.
        let (low, high) = unsafe { ((*self.place()).Offset, (*self.place()).OffsetHigh) };
        u64::from(high) << 32 | u64::from(low)
    }

    /// It is on from now on.
    ///
    /// # Errors
    /// `E_INVALIDARG` if the block was not initialized for this host, `HOST_E_INVALIDOPERATION` if the structure's transfer
    /// is on already.
    pub(crate) fn begin(&self, seal: u64) -> Result<(), Hresult> {
        let block = self.block();
        // Relaxed: it was written before the structure was handed over.
        if block.seal.load(Ordering::Relaxed) != seal {
            return Err(Hresult::E_INVALIDARG);
        }
        // Acquire: pairs with the release in `rest`. What the last transfer wrote is there.
        block
            .state
            .compare_exchange(IDLE, ON, Ordering::Acquire, Ordering::Relaxed)
            .map_err(|_| Hresult::HOST_E_INVALIDOPERATION)?;
        // SAFETY: whoever made the transfer promised that the structure is there, and it is ours now.
        unsafe { (*self.place()).Internal = PENDING };
        Ok(())
    }

    /// It is not on any more: what came of it is in the structure.
    pub(crate) fn finish(&self, error: u32, bytes: u32) {
        // SAFETY: as above.
        unsafe {
            (*self.place()).Internal = error as usize;
            (*self.place()).InternalHigh = bytes as usize;
        }
        self.rest();
    }

    /// It is not on any more: it was refused.
    pub(crate) fn give_up(&self) {
        // SAFETY: as above.
        unsafe { (*self.place()).Internal = 0 };
        self.rest();
    }

    fn rest(&self) {
        // Release: pairs with the acquire in `begin`.
        self.block().state.store(IDLE, Ordering::Release);
    }
}

/// The descriptor that a handle is, if it can be one.
pub(crate) fn descriptor(handle: Handle) -> Option<RawFd> {
    RawFd::try_from(handle.0).ok()
}
