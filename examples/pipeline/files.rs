//! From a folder to the pieces of its files: the first two stages.
//!
//! A read blocks the worker's thread, since native sections are still to come. So each is short, and between two of them
//! the task lets others run when its time is up.
#![forbid(unsafe_code)]

use std::fs::{self, DirEntry, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fiberhost::scheduler::check_quantum;

use super::collect::{Fact, Whole};
use super::progress::Progress;
use super::stage::Output;

/// The most that is read, hashed or searched for words at once.
pub(crate) const PIECE: usize = 256 * 1024;
/// The most that one system call reads.
const READ: usize = 64 * 1024;
/// How far back from its end a piece is searched for a place between two words.
const CUT_BACK: usize = 1024;
/// A file with a zero byte among its first ones is no text.
const LOOK: usize = 1024;

/// A file that was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Counts from 0; the file's name in all that follows.
    pub(crate) file: usize,
    pub(crate) path: PathBuf,
}

/// A part of a file. Where it ends depends on the file's content alone, so equal files have equal pieces.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) file: usize,
    pub(crate) index: usize,
    pub(crate) bytes: Vec<u8>,
}

/// Sends every file on.
pub(crate) fn walk(root: &Path, found: &Output<'_, Found>, facts: &Output<'_, Fact>) {
    let mut files = 0;
    each_file(root, |file| match file {
        Ok(path) => {
            found.send(Found { file: files, path });
            files += 1;
        }
        Err((path, error)) => facts.send(Fact::Refused(path, error)),
    });
}

/// Counts the files, for who wants to know how much is left. Nobody waits for it, so it is far ahead of the walk.
pub(crate) fn count(root: &Path, progress: &Progress) {
    each_file(root, |file| {
        if file.is_ok() {
            progress.counted();
        }
    });
    progress.all_counted();
}

/// Calls `each` for every regular file below a folder, and for whatever could not be looked at.
fn each_file(root: &Path, mut each: impl FnMut(Result<PathBuf, (PathBuf, io::Error)>)) {
    let device = match fs::metadata(root) {
        Ok(metadata) => metadata.dev(),
        Err(error) => return each(Err((root.to_owned(), error))),
    };
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                each(Err((folder, error)));
                continue;
            }
        };
        for entry in entries {
            match entry.and_then(|entry| look(&entry, device)) {
                Ok(Entry::File(path)) => each(Ok(path)),
                Ok(Entry::Folder(path)) => folders.push(path),
                Ok(Entry::Other) => {}
                Err(error) => each(Err((folder.clone(), error))),
            }
            check_quantum();
        }
    }
}

enum Entry {
    File(PathBuf),
    Folder(PathBuf),
    /// A link, a socket, a device, another file system.
    Other,
}

fn look(entry: &DirEntry, device: u64) -> io::Result<Entry> {
    let kind = entry.file_type()?;
    if kind.is_file() {
        return Ok(Entry::File(entry.path()));
    }
    if kind.is_dir() && entry.metadata()?.dev() == device {
        return Ok(Entry::Folder(entry.path()));
    }
    Ok(Entry::Other)
}

/// Sends the pieces of a file on, and then the fact that these were all.
pub(crate) fn read(
    found: &Found,
    to_hash: &Output<'_, Arc<Piece>>,
    to_index: &Output<'_, Arc<Piece>>,
    facts: &Output<'_, Fact>,
    progress: &Progress,
) {
    let fact = match read_pieces(found, to_hash, to_index) {
        Ok(whole) => Fact::Whole(whole),
        Err(error) => {
            progress.done(0);
            Fact::Refused(found.path.clone(), error)
        }
    };
    facts.send(fact);
}

fn read_pieces(
    found: &Found,
    to_hash: &Output<'_, Arc<Piece>>,
    to_index: &Output<'_, Arc<Piece>>,
) -> io::Result<Whole> {
    let mut file = File::open(&found.path)?;
    let metadata = file.metadata()?;
    let mut whole = Whole {
        file: found.file,
        path: found.path.clone(),
        bytes: 0,
        pieces: 0,
        inode: (metadata.nlink() > 1).then(|| (metadata.dev(), metadata.ino())),
    };
    // One more than there should be, so that a single buffer takes the file and its end.
    let expected = usize::try_from(metadata.len())
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    let mut bytes = Vec::with_capacity(expected.min(PIECE));
    let mut is_text = false;
    loop {
        let ended = fill(&mut file, &mut bytes)?;
        if whole.pieces == 0 {
            is_text = !bytes.iter().take(LOOK).any(|&byte| byte == 0);
        }
        let rest = if ended {
            Vec::new()
        } else {
            split_off_last_word(&mut bytes)
        };
        whole.bytes += bytes.len() as u64;
        let piece = Arc::new(Piece {
            file: found.file,
            index: whole.pieces,
            bytes: std::mem::replace(&mut bytes, rest),
        });
        whole.pieces += 1;
        to_hash.send(Arc::clone(&piece));
        if is_text {
            to_index.send(piece);
        }
        if ended {
            return Ok(whole);
        }
    }
}

/// Reads until there is a whole piece, or until the end. Returns whether that was the end.
fn fill(file: &mut File, bytes: &mut Vec<u8>) -> io::Result<bool> {
    while bytes.len() < PIECE {
        let have = bytes.len();
        if have == bytes.capacity() {
            bytes.reserve_exact(PIECE - have);
        }
        let want = (bytes.capacity() - have).min(READ).min(PIECE - have);
        bytes.resize(have + want, 0);
        let read = file.read(&mut bytes[have..]);
        bytes.truncate(have + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => return Ok(true),
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Ok(_) | Err(_) => {}
        }
        check_quantum();
    }
    Ok(false)
}

/// What stands behind the last space of a full piece belongs to the next one.
fn split_off_last_word(bytes: &mut Vec<u8>) -> Vec<u8> {
    let from = bytes.len().saturating_sub(CUT_BACK);
    let space = bytes[from..].iter().rposition(u8::is_ascii_whitespace);
    space.map_or_else(Vec::new, |at| bytes.split_off(from + at + 1))
}
