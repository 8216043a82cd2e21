//! The file of a listening socket: only its owner may ever connect, a dead process's file is replaced, and it goes with us.
//!
//! A socket gets its permissions when it is bound, by the process's mask, which is not ours to change. So it is bound in a
//! folder that only the owner may enter, is given its permissions there, and only then its name, by a link, which unlike
//! a renaming never replaces anything.
#![forbid(unsafe_code)]

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How often a dead socket is replaced by another dead one before we give up.
const TRIES: usize = 3;

/// The name of a socket. It goes when this is dropped, unless it means another file by then.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Listens at a path.
///
/// ```
/// use fiberhost::observe::socket;
/// use std::os::unix::net::UnixStream;
///
/// let path = std::env::temp_dir().join(format!("private-{}", std::process::id()));
/// let (listener, file) = socket::bind(&path)?;
/// UnixStream::connect(&path)?;
/// drop(file);
/// assert!(!path.exists());
/// # drop(listener);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// `AddrInUse` if somebody serves there, `AlreadyExists` if something else stands there, otherwise what the system said.
pub fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    listen(path).map_err(|error| {
        let text = format!("a socket at {}: {error}", path.display());
        io::Error::new(error.kind(), text)
    })
}

fn listen(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    // The process may change its folder before the file goes.
    let path = std::path::absolute(path)?;
    let parent = path.parent().ok_or(ErrorKind::InvalidInput)?;
    let folder = Folder::new(parent)?;
    let private = folder.0.join("s");
    let listener = UnixListener::bind(&private)?;
    fs::set_permissions(&private, Permissions::from_mode(0o600))?;
    for _ in 0..TRIES {
        match fs::hard_link(&private, &path) {
            Ok(()) => {
                let identity = identity(&private)?;
                return Ok((listener, SocketFile { path, identity }));
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => remove_dead(&path)?,
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(
        ErrorKind::AddrInUse,
        "others come and go there",
    ))
}

/// Removes a socket to which nobody listens.
fn remove_dead(path: &Path) -> io::Result<()> {
    let gone = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    };
    match fs::symlink_metadata(path) {
        Ok(file) if file.file_type().is_socket() => {}
        Ok(_) => {
            let text = "there is a file that is no socket";
            return Err(io::Error::new(ErrorKind::AlreadyExists, text));
        }
        Err(error) => return gone(error),
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(
            ErrorKind::AddrInUse,
            "somebody serves there",
        )),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).or_else(gone)
        }
        Err(error) => gone(error),
    }
}

/// A folder that only its owner may enter, for as long as this lives.
struct Folder(PathBuf);

impl Folder {
    fn new(parent: &Path) -> io::Result<Folder> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            // Short: the whole path of a socket has room for 107 bytes.
            let path = parent.join(format!(".{:x}-{number:x}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Folder(path)),
                // Left by a dead process of the same number.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let name = format!("fiberhost-socket-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).expect("a folder");
            Place(path)
        }

        fn names(&self) -> Vec<PathBuf> {
            let entries = fs::read_dir(&self.0).expect("it is there");
            entries.map(|entry| entry.expect("it is").path()).collect()
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn only_the_owner_may_connect_and_nothing_is_left() {
        let place = Place::new("owner");
        let path = place.0.join("socket");
        let (listener, file) = bind(&path).expect("a socket");
        let mode = fs::metadata(&path).expect("it is there").permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        assert_eq!(
            place.names(),
            std::slice::from_ref(&path),
            "the folder is gone"
        );
        UnixStream::connect(&path).expect("the owner may");
        listener.accept().expect("it came here");
        drop(file);
        assert_eq!(place.names(), [] as [PathBuf; 0]);
    }

    #[test]
    fn a_dead_socket_is_replaced_and_nothing_else_is() {
        let place = Place::new("dead");
        let path = place.0.join("socket");
        let live = UnixListener::bind(&path).expect("a socket");
        let error = bind(&path).expect_err("it is served");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains("somebody serves there"));
        drop(live);
        let (_listener, file) = bind(&path).expect("it is dead");
        drop(file);

        fs::write(&path, "text").expect("a file");
        let error = bind(&path).expect_err("it is no socket");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "text");
        assert_eq!(place.names(), [path]);
    }

    #[test]
    fn a_file_that_is_not_ours_any_more_stays() {
        let place = Place::new("other");
        let path = place.0.join("socket");
        let (_listener, file) = bind(&path).expect("a socket");
        fs::remove_file(&path).expect("anybody may");
        fs::write(&path, "another's").expect("a file");
        drop(file);
        assert_eq!(place.names(), [path]);
    }

    #[test]
    fn a_path_that_cannot_be_is_an_error_with_the_path() {
        let place = Place::new("wrong");
        for path in [
            place.0.join("no folder").join("socket"),
            place.0.join("x".repeat(300)),
            place.0.join("long".repeat(30)).join("socket"),
        ] {
            let error = bind(&path).expect_err("no socket can be there");
            let name = path.display().to_string();
            assert!(error.to_string().contains(&name), "{error}");
        }
        assert_eq!(place.names(), [] as [PathBuf; 0]);
    }
}
