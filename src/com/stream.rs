//! What the calls of a stream carry: places to read into, bytes to write, and what is known of the stream.
//!
//! Room for unsafe code: those places.

use std::ffi::c_void;

use super::argument::Argument;
use super::constants::STGTY_STREAM;
use super::guid::Guid;
use super::hresult::Hresult;
use super::table::STATSTG;

/// Room for so many bytes that are read. It is the caller's, for the length of the call.
#[derive(Debug)]
pub struct ReadPlace(*mut u8, u32);

// SAFETY: it is written to during the call, by whoever has it.
unsafe impl Send for ReadPlace {}

impl Argument for ReadPlace {
    type Words = (*mut c_void, u32);

    unsafe fn check((pointer, length): Self::Words) -> Result<Self, Hresult> {
        if pointer.is_null() {
            return Err(Hresult::E_POINTER);
        }
        Ok(ReadPlace(pointer.cast(), length))
    }
}

impl ReadPlace {
    /// How many bytes there is room for.
    pub fn length(&self) -> usize {
        self.1 as usize
    }

    /// The same place, with room for no more than so many bytes.
    #[must_use]
    pub fn at_most(self, bytes: u64) -> ReadPlace {
        let length = u32::try_from(bytes).map_or(self.1, |bytes| bytes.min(self.1));
        ReadPlace(self.0, length)
    }

    /// Writes these bytes there, from the beginning on; more than there is room for are left out.
    ///
    /// # Safety
    /// The call that brought the place has not returned.
    pub unsafe fn write(self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.length());
        // SAFETY: the caller's place has room for as many, and it is not ours, so that the two do not overlap.
        unsafe { self.0.copy_from_nonoverlapping(bytes.as_ptr(), count) };
        count
    }

    /// The same for those who are known to write at once.
    pub(crate) fn write_at_once(self, bytes: &[u8]) -> usize {
        // SAFETY: in this crate a place is used by the method that gets it, and by nobody later.
        unsafe { self.write(bytes) }
    }

    /// Fills it from a place in a file, as far as that goes. In this crate alone, for the method that gets it.
    pub(crate) fn fill_at_once(
        self,
        file: &std::fs::File,
        mut offset: u64,
    ) -> std::io::Result<usize> {
        use std::os::fd::AsRawFd;
        let mut done = 0;
        while done < self.length() {
            let Ok(at) = libc::off_t::try_from(offset) else {
                break;
            };
            let left = self.length() - done;
            // SAFETY: the caller's place has room for as many bytes from there on.
            let count = unsafe {
                let to = self.0.add(done).cast();
                libc::pread(file.as_raw_fd(), to, left, at)
            };
            match usize::try_from(count) {
                Ok(0) => break,
                Ok(count) => {
                    done += count;
                    offset += count as u64;
                }
                Err(_) => {
                    let error = std::io::Error::last_os_error();
                    if error.kind() != std::io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
        Ok(done)
    }
}

/// Bytes to be written, which nobody looks at unless the stream can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteBytes {
    /// How many they are.
    pub length: u32,
}

impl Argument for WriteBytes {
    type Words = (*mut c_void, u32);

    unsafe fn check((pointer, length): Self::Words) -> Result<Self, Hresult> {
        if pointer.is_null() {
            return Err(Hresult::E_POINTER);
        }
        Ok(WriteBytes { length })
    }
}

/// A place for what is known of a stream.
#[derive(Debug)]
pub struct StatPlace(*mut STATSTG);

// SAFETY: it is written to during the call, by whoever has it.
unsafe impl Send for StatPlace {}

impl Argument for StatPlace {
    type Words = (*mut STATSTG,);

    unsafe fn check((pointer,): Self::Words) -> Result<Self, Hresult> {
        // Cleared now, whatever the answer will be.
        // SAFETY: as the caller promises.
        unsafe { super::argument::clear(pointer, nothing()) }?;
        Ok(StatPlace(pointer))
    }
}

fn nothing() -> STATSTG {
    STATSTG {
        pwcsName: std::ptr::null_mut(),
        r#type: 0,
        cbSize: 0,
        mtime: [0; 2],
        ctime: [0; 2],
        atime: [0; 2],
        grfMode: 0,
        grfLocksSupported: 0,
        clsid: Guid::default(),
        grfStateBits: 0,
        reserved: 0,
    }
}

impl StatPlace {
    /// Says that it is a stream without a name that can be read, and how long it is. In this crate alone, for the method that
    /// gets it.
    pub(crate) fn write_at_once(self, size: u64) {
        let known = STATSTG {
            r#type: STGTY_STREAM,
            cbSize: size,
            ..nothing()
        };
        // SAFETY: `check` has found it to be right, and the caller's pointer is good for the length of the call.
        unsafe { self.0.write(known) };
    }
}
