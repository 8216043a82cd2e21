//! A folder of images, which no name leads out of.
//!
//! The folder is opened once, and files are opened below it by the kernel's own check (`RESOLVE_BENEATH`): whatever is a link
//! to a place inside is followed, and whatever leads out is not there. A kernel that has no such check is asked step by step,
//! and then no link is followed at all.
//!
//! Room for unsafe code: those calls.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

/// Nothing but a regular file is read, and a pipe must not keep us waiting until somebody opens its other end.
const FLAGS: libc::c_int = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;

#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

impl Folder {
    /// # Errors
    /// What the system says: it is not there, no folder, or not to be read.
    pub(super) fn open(path: &Path) -> io::Result<Folder> {
        let path = path.join(".");
        Ok(Folder(OwnedFd::from(File::open(path)?)))
    }

    /// A regular file in the folder, or in one directly below.
    ///
    /// # Errors
    /// It is not there, leads out, or is no regular file.
    pub(super) fn file(&self, below: Option<&str>, name: &str) -> io::Result<File> {
        let path = match below {
            Some(below) => format!("{below}/{name}"),
            None => name.to_owned(),
        };
        let file = match beneath(self.0.as_fd(), &path) {
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
                self.step_by_step(below, name)?
            }
            opened => opened?,
        };
        let file = File::from(file);
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn step_by_step(&self, below: Option<&str>, name: &str) -> io::Result<OwnedFd> {
        let Some(below) = below else {
            return without_links(self.0.as_fd(), name, 0);
        };
        let below = without_links(self.0.as_fd(), below, libc::O_DIRECTORY)?;
        without_links(below.as_fd(), name, 0)
    }
}

fn text(path: &str) -> io::Result<CString> {
    CString::new(path).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn beneath(folder: BorrowedFd<'_>, path: &str) -> io::Result<OwnedFd> {
    let path = text(path)?;
    // SAFETY: all zeros are a value of it.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = FLAGS as u64;
    how.resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS;
    loop {
        // SAFETY: path and structure live until the call returns, and the size is the structure's.
        let opened = unsafe {
            libc::syscall(
                libc::SYS_openat2,
                folder.as_raw_fd(),
                path.as_ptr(),
                &raw const how,
                size_of::<libc::open_how>(),
            )
        };
        // EAGAIN: somebody renamed something at this moment, so that the kernel cannot tell.
        match new_descriptor(opened) {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            opened => return opened,
        }
    }
}

fn without_links(folder: BorrowedFd<'_>, name: &str, more: libc::c_int) -> io::Result<OwnedFd> {
    let name = text(name)?;
    // SAFETY: the name lives until the call returns.
    let opened = unsafe {
        libc::openat(
            folder.as_raw_fd(),
            name.as_ptr(),
            FLAGS | libc::O_NOFOLLOW | more,
        )
    };
    new_descriptor(opened.into())
}

fn new_descriptor(opened: libc::c_long) -> io::Result<OwnedFd> {
    if opened < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor, whose number fits, and that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(opened as libc::c_int) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways to open: what leads out of the folder is not there.
    #[test]
    fn nothing_leads_out_of_the_folder() {
        let place = std::env::temp_dir().join(format!("fiberhost-folder-{}", std::process::id()));
        let inside = place.join("inside");
        std::fs::create_dir_all(inside.join("de")).expect("a folder");
        std::fs::write(place.join("outside.dll"), "out").expect("a file");
        std::fs::write(inside.join("a.dll"), "in").expect("a file");
        std::fs::write(inside.join("de/b.dll"), "in").expect("a file");
        let link = |from: &str, to: &str| {
            std::os::unix::fs::symlink(from, inside.join(to)).expect("a link");
        };
        link("../outside.dll", "out.dll");
        link(&place.join("outside.dll").to_string_lossy(), "absolute.dll");
        link("a.dll", "link.dll");
        link("..", "up");
        let folder = Folder::open(&inside).expect("a folder");
        assert!(Folder::open(&inside.join("a.dll")).is_err());
        for (below, name, there, there_without_links) in [
            (None, "a.dll", true, true),
            (Some("de"), "b.dll", true, true),
            (None, "link.dll", true, false),
            (None, "out.dll", false, false),
            (None, "absolute.dll", false, false),
            (Some("up"), "outside.dll", false, false),
            (None, "../outside.dll", false, true),
            (None, "de", false, true),
            (None, "missing.dll", false, false),
        ] {
            assert_eq!(folder.file(below, name).is_ok(), there, "{below:?} {name}");
            // Names with ways in them do not come so far: only the last step is looked at.
            if !name.contains("..") {
                let opened = folder.step_by_step(below, name);
                assert_eq!(opened.is_ok(), there_without_links, "{below:?} {name}");
            }
        }
        std::fs::remove_dir_all(&place).expect("it goes");
    }
}
