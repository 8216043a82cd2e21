//! Dumps that somebody outside asks for by a signal: appended to a file, by a thread that does nothing else.
//!
//! The handler only rings a bell (an `eventfd`). There are a few bells in a process, each made once and never closed: a handler
//! may be on its way to one that is not wanted any more. A scheduler takes one for its life.
//!
//! | word of a bell | meaning |
//! |---|---|
//! | 0 | nobody's |
//! | a signal's number | rung by that signal |
//! | `TAKEN` | somebody's who is about to say for which signal, or who ends |
//!
//! Room for unsafe code: a signal handler.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
// In a signal handler nothing but std's own will do, and no model has one.
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::fiber::overflow::earlier::{Earlier, is_installed};
use crate::observed::Observed;

const BELLS: usize = 16;
const SIGNALS: usize = 65;
const TAKEN: i32 = -1;

struct Bell {
    signal: AtomicI32,
    /// Made when it is first taken; 0 before.
    file: AtomicI32,
}

static ALL: [Bell; BELLS] = [const {
    Bell {
        signal: AtomicI32::new(0),
        file: AtomicI32::new(0),
    }
}; BELLS];

static EARLIER: [Earlier; SIGNALS] = [const { Earlier::new() }; SIGNALS];
/// Held while a handler is installed.
static INSTALLED: Mutex<[bool; SIGNALS]> = Mutex::new([false; SIGNALS]);

/// Whether a dump may be asked for by it.
pub(crate) fn is_usable(signal: i32) -> bool {
    let of_programs = [libc::SIGUSR1, libc::SIGUSR2, libc::SIGHUP, libc::SIGQUIT];
    of_programs.contains(&signal) || crate::stall::sample::is_usable(signal)
}

unsafe extern "C" fn on_signal(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the interrupted code's own.
    let errno = unsafe { *libc::__errno_location() };
    for bell in &ALL {
        // Acquire: its file is there.
        if bell.signal.load(Ordering::Acquire) == signal {
            ring(bell);
        }
    }
    // SAFETY: the arguments are the kernel's.
    unsafe {
        EARLIER[signal as usize].hand_on_to_handler(signal, info, context);
        *libc::__errno_location() = errno;
    }
}

fn ring(bell: &Bell) {
    let one = 1_u64;
    // SAFETY: eight bytes that outlive the call, to a descriptor that is never closed.
    unsafe {
        libc::write(
            bell.file.load(Ordering::Relaxed),
            (&raw const one).cast(),
            size_of::<u64>(),
        );
    }
}

/// A bell for this signal, which rings from now on.
fn take(signal: i32) -> io::Result<&'static Bell> {
    let free = |bell: &&Bell| {
        bell.signal
            .compare_exchange(0, TAKEN, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    };
    let bell = ALL.iter().find(free).ok_or_else(|| {
        io::Error::other(format!("{BELLS} schedulers make dumps at signals already"))
    })?;
    let ready = prepare(bell).and_then(|()| install(signal));
    let next = if ready.is_ok() { signal } else { 0 };
    // Release: whoever finds the signal finds the file.
    bell.signal.store(next, Ordering::Release);
    ready.map(|()| bell)
}

fn prepare(bell: &Bell) -> io::Result<()> {
    if bell.file.load(Ordering::Relaxed) == 0 {
        // SAFETY: the call takes no pointer.
        let file = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if file < 0 {
            return Err(io::Error::last_os_error());
        }
        bell.file.store(file, Ordering::Relaxed);
    }
    Ok(())
}

fn install(signal: i32) -> io::Result<()> {
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    let place = &mut installed[signal as usize];
    if *place && is_installed(signal, on_signal) {
        return Ok(());
    }
    *place = EARLIER[signal as usize].install(signal, on_signal, libc::SA_RESTART);
    if *place {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Makes dumps until it is dropped.
pub(crate) struct OnSignal {
    bell: &'static Bell,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl OnSignal {
    pub(crate) fn start(observed: Observed, signal: i32, path: PathBuf) -> io::Result<OnSignal> {
        // A path at which nothing can be written is found out now.
        open(&path).map_err(|error| {
            let text = format!("dumps to {}: {error}", path.display());
            io::Error::new(error.kind(), text)
        })?;
        let bell = take(signal)?;
        let mut made = OnSignal {
            bell,
            ending: Arc::new(AtomicBool::new(false)),
            thread: None,
        };
        let ending = Arc::clone(&made.ending);
        let thread = thread::Builder::new().name(format!("{}-dump", observed.name()));
        made.thread = Some(thread.spawn(move || serve(&observed, &path, bell, &ending))?);
        Ok(made)
    }
}

impl Drop for OnSignal {
    fn drop(&mut self) {
        self.bell.signal.store(TAKEN, Ordering::Relaxed);
        self.ending.store(true, Ordering::Release);
        ring(self.bell);
        if let Some(thread) = self.thread.take() {
            // It catches nothing and panics nowhere.
            let _ = thread.join();
        }
        // Release: whoever takes it next finds it rung by nobody.
        self.bell.signal.store(0, Ordering::Release);
    }
}

fn open(path: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn serve(observed: &Observed, path: &Path, bell: &Bell, ending: &AtomicBool) {
    let file = bell.file.load(Ordering::Relaxed);
    loop {
        let mut rung = 0_u64;
        // SAFETY: room for eight bytes that outlives the call.
        let read = unsafe { libc::read(file, (&raw mut rung).cast(), size_of::<u64>()) };
        if ending.load(Ordering::Acquire) {
            return;
        }
        if read == size_of::<u64>() as isize {
            note(observed, path);
        }
    }
}

/// How many could not be written, of all schedulers.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How many dumps could not be written.
pub(crate) fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

fn note(observed: &Observed, path: &Path) {
    let written = open(path).and_then(|file| {
        let mut file = BufWriter::new(file);
        observed.dump().write_to(&mut file)?;
        file.write_all(b"\n")?;
        file.flush()
    });
    match written {
        Ok(()) => tracing::info!(path = %path.display(), "a dump was written"),
        Err(error) => {
            LOST.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%error, path = %path.display(), "a dump could not be written");
        }
    }
}
