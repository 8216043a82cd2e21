//! `IStream` over an image: bytes in memory, or a file that stays open. It cannot be written to.
#![forbid(unsafe_code)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::com::host::IStream;
use crate::com::{
    ComRef, Gate, Hresult, Optional, Origin, ReadPlace, STATFLAG_NONAME, STREAM_SEEK_CUR,
    STREAM_SEEK_END, STREAM_SEEK_SET, StatPlace, WriteBytes, clr,
};

/// How many bytes of a file are copied at once.
const PIECE: usize = 64 * 1024;

/// The bytes of an image.
#[derive(Clone, Debug)]
pub(super) enum Image {
    Memory(Arc<[u8]>),
    /// A file, and how long it was when it was opened.
    File(Arc<File>, u64),
}

impl Image {
    fn size(&self) -> u64 {
        match self {
            Image::Memory(bytes) => bytes.len() as u64,
            Image::File(_, size) => *size,
        }
    }

    /// A stream of its own, at the beginning.
    pub(super) fn stream(&self, gate: &'static Gate) -> ComRef<dyn IStream> {
        Stream::object(gate, self.clone(), 0)
    }
}

#[derive(Debug)]
struct Stream {
    gate: &'static Gate,
    image: Image,
    position: Mutex<u64>,
}

impl Stream {
    fn object(gate: &'static Gate, image: Image, position: u64) -> ComRef<dyn IStream> {
        let stream: Arc<dyn IStream> = Arc::new(Stream {
            gate,
            image,
            position: Mutex::new(position),
        });
        ComRef::new(gate, Origin::Host, stream)
    }

    /// At most so many bytes from a place on.
    fn piece(&self, offset: u64, most: usize) -> Result<Vec<u8>, Hresult> {
        match &self.image {
            Image::Memory(bytes) => Ok(part(bytes, offset, most).to_vec()),
            Image::File(file, size) => {
                let left = size.saturating_sub(offset);
                let most = usize::try_from(left).map_or(most, |left| left.min(most));
                let mut piece = vec![0; most];
                let count = file
                    .read_at(&mut piece, offset)
                    .map_err(|_| Hresult::STG_E_READFAULT)?;
                piece.truncate(count);
                Ok(piece)
            }
        }
    }
}

fn part(bytes: &[u8], offset: u64, most: usize) -> &[u8] {
    let from = usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
    let to = from.saturating_add(most).min(bytes.len());
    &bytes[from..to]
}

impl IStream for Stream {
    fn read(&self, into: ReadPlace) -> Result<Optional<u32>, Hresult> {
        // Held over the read: of two that come at once each gets bytes of its own.
        let mut position = self.position.lock();
        let count = match &self.image {
            Image::Memory(bytes) => {
                let bytes = part(bytes, *position, into.length());
                into.write_at_once(bytes)
            }
            Image::File(file, size) => {
                let left = size.saturating_sub(*position);
                into.at_most(left)
                    .fill_at_once(file, *position)
                    .map_err(|_| Hresult::STG_E_READFAULT)?
            }
        };
        *position += count as u64;
        Ok(Optional(u32::try_from(count).unwrap_or(u32::MAX)))
    }

    fn write(&self, _: WriteBytes) -> Result<Optional<u32>, Hresult> {
        Err(Hresult::STG_E_ACCESSDENIED)
    }

    /// Beyond the end there is nothing to read, and before the beginning there is no place.
    fn seek(&self, distance: i64, origin: u32) -> Result<Optional<u64>, Hresult> {
        let mut position = self.position.lock();
        let from = match origin {
            STREAM_SEEK_SET => 0,
            STREAM_SEEK_CUR => *position,
            STREAM_SEEK_END => self.image.size(),
            _ => return Err(Hresult::STG_E_INVALIDFUNCTION),
        };
        let to = from.checked_add_signed(distance);
        *position = to.ok_or(Hresult::STG_E_SEEKERROR)?;
        Ok(Optional(*position))
    }

    fn set_size(&self, _: u64) -> Result<(), Hresult> {
        Err(Hresult::STG_E_ACCESSDENIED)
    }

    /// The place moves on by what the other stream has taken.
    fn copy_to(
        &self,
        target: clr::IStream,
        count: u64,
    ) -> Result<(Optional<u64>, Optional<u64>), Hresult> {
        let mut copied = 0;
        while copied < count {
            let from = *self.position.lock();
            let most = usize::try_from(count - copied).map_or(PIECE, |left| left.min(PIECE));
            let piece = self.piece(from, most)?;
            if piece.is_empty() {
                break;
            }
            // Without the lock: it is the runtime's stream, which may call back.
            let written = target.write(&piece)?;
            *self.position.lock() = from + written as u64;
            copied += written as u64;
            if written < piece.len() {
                break;
            }
        }
        Ok((Optional(copied), Optional(copied)))
    }

    /// There is nothing that could be lost.
    fn commit(&self, _: u32) -> Result<(), Hresult> {
        Ok(())
    }

    /// There is nothing to take back.
    fn revert(&self) -> Result<(), Hresult> {
        Ok(())
    }

    fn lock_region(&self, _: u64, _: u64, _: u32) -> Result<(), Hresult> {
        Err(Hresult::STG_E_INVALIDFUNCTION)
    }

    fn unlock_region(&self, _: u64, _: u64, _: u32) -> Result<(), Hresult> {
        Err(Hresult::STG_E_INVALIDFUNCTION)
    }

    /// It has no name, whether one is asked for or not.
    fn stat(&self, place: StatPlace, flags: u32) -> Result<(), Hresult> {
        if flags > STATFLAG_NONAME {
            return Err(Hresult::STG_E_INVALIDFLAG);
        }
        place.write_at_once(self.image.size());
        Ok(())
    }

    fn clone_stream(&self) -> Result<ComRef<dyn IStream>, Hresult> {
        let position = *self.position.lock();
        Ok(Stream::object(self.gate, self.image.clone(), position))
    }
}
