//! The text of a report, written from inside a signal handler: by hand, into a small buffer, to standard error.
//!
//! Room for unsafe code: reading the interrupted thread's registers and stack.

use super::frames;
use super::ranges::Guarded;
use crate::task::Task;

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) signal: libc::c_int,
    pub(super) address: usize,
    pub(super) registers: Registers,
}

/// Where the thread was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers {
    pub(crate) instruction: usize,
    pub(crate) stack: usize,
    pub(crate) frame: usize,
    pub(crate) base: usize,
    /// A system call's number, and then its result.
    pub(crate) accumulator: usize,
}

impl Registers {
    /// # Safety
    /// The context is the third argument of a handler.
    #[cfg(target_arch = "x86_64")]
    pub(crate) unsafe fn of(context: *const libc::c_void) -> Registers {
        // SAFETY: the caller's promise.
        let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        let read = |register: libc::c_int| registers[register as usize] as usize;
        Registers {
            instruction: read(libc::REG_RIP),
            stack: read(libc::REG_RSP),
            frame: read(libc::REG_RBP),
            base: read(libc::REG_RBX),
            accumulator: read(libc::REG_RAX),
        }
    }

    /// Not written for this processor: the report is without frames.
    ///
    /// # Safety
    /// None is needed.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) unsafe fn of(_context: *const libc::c_void) -> Registers {
        Registers {
            instruction: 0,
            stack: 0,
            frame: 0,
            base: 0,
            accumulator: 0,
        }
    }
}

/// Frames shown from the innermost one on, and from the outermost one back.
const INNER: usize = 24;
const OUTER: usize = 8;
/// Fewer linked frames are no chain, but what a register happened to hold.
const LINKED_MIN: usize = 4;

/// Writes the whole report.
pub(super) fn write(fault: &Fault, guarded: &Guarded) {
    let mut out = Out::new();
    // A stray pointer, or a frame larger than the guard: the thread that touched it stands elsewhere.
    let own = (guarded.low..guarded.top).contains(&fault.registers.stack);
    out.text("\nfiberhost: ");
    if own {
        out.text("stack overflow in ");
    } else {
        out.text("access from elsewhere to the guard below the stack of ");
    }
    who(&mut out, guarded.task, own);
    out.text(": its stack has ");
    out.decimal(guarded.top - guarded.limit);
    out.text(" bytes, ");
    out.hex(guarded.limit);
    out.text(" to ");
    out.hex(guarded.top);
    out.text("\n  touched ");
    out.hex(fault.address);
    out.text(" with the stack pointer at ");
    out.hex(fault.registers.stack);
    out.text(" (signal ");
    out.decimal(fault.signal as usize);
    out.text(")\n  frames, innermost first; the scheduler's module is loaded at ");
    out.hex(module());
    out.text("\n");
    if own {
        frames(&mut out, fault, guarded);
        out.text("  give the task more: TaskBuilder::stack_size or Builder::stack_size\n");
    } else {
        frame(&mut out, fault.registers.instruction);
    }
    out.flush();
}

/// The name is only read of a task that runs on this very thread: another one may be ending.
fn who(out: &mut Out, task: Option<&'static Task>, own: bool) {
    let Some(task) = task else {
        out.text("no task");
        return;
    };
    out.text("task ");
    out.decimal(task.id.get() as usize);
    // SAFETY: the name is written before the task starts and stays until its end; it is this thread that runs it.
    let extra = own.then(|| unsafe { task.extra.get().as_ref() }).flatten();
    match extra.and_then(|extra| extra.name.as_deref()) {
        Some(name) => {
            out.text(" \"");
            out.name(name);
            out.text("\"");
        }
        None => out.text(" (no name)"),
    }
}

/// The frames on this stack, as well as they can be told.
fn frames(out: &mut Out, fault: &Fault, guarded: &Guarded) {
    frame(out, fault.registers.instruction);
    let (limit, top) = (guarded.limit, guarded.top);
    // SAFETY: all of the stack is readable, and it is the one that this thread ran on.
    let linked = || unsafe { frames::Linked::new(fault.registers.frame, limit, top) };
    let count = linked().count();
    if count >= LINKED_MIN {
        return list(out, count, linked());
    }
    let code = frames::Code::read();
    // SAFETY: as above.
    let likely = || unsafe { frames::Likely::new(&code, fault.registers.stack, limit, top) };
    out.text("  likely return addresses, since this code keeps no frame pointers\n");
    list(out, likely().count(), likely());
}

/// So many addresses, the middle of a long list left out.
fn list(out: &mut Out, count: usize, addresses: impl Iterator<Item = usize>) {
    let skipped = count.saturating_sub(INNER + OUTER);
    for (number, address) in addresses.enumerate() {
        if number == INNER && skipped > 0 {
            out.text("    ... and ");
            out.decimal(skipped);
            out.text(" more ...\n");
        }
        if number < INNER || number >= INNER + skipped {
            frame(out, address);
        }
    }
}

fn frame(out: &mut Out, address: usize) {
    out.text("    ");
    out.hex(address);
    out.text("\n");
}

/// Where the executable or library that contains the scheduler is loaded: what has to be subtracted from an address of
/// its code before a debugger is asked.
fn module() -> usize {
    unsafe extern "C" {
        /// The linker's: the first byte of the module this is linked into.
        safe static __ehdr_start: u8;
    }
    (&raw const __ehdr_start).addr()
}

/// A buffer that is written out when it is full.
struct Out {
    bytes: [u8; Out::SIZE],
    used: usize,
}

impl Out {
    const SIZE: usize = 256;
    /// Longer names are cut.
    const NAME_MAX: usize = 120;

    fn new() -> Out {
        Out {
            bytes: [0; Out::SIZE],
            used: 0,
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.used == Out::SIZE {
            self.flush();
        }
        self.bytes[self.used] = byte;
        self.used += 1;
    }

    fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.byte(byte));
    }

    /// Somebody else's text, on one line.
    fn name(&mut self, name: &str) {
        for (number, byte) in name.bytes().enumerate() {
            if number == Out::NAME_MAX {
                return self.text("...");
            }
            self.byte(if byte.is_ascii_control() { b'?' } else { byte });
        }
    }

    fn decimal(&mut self, number: usize) {
        self.digits(number, 10);
    }

    fn hex(&mut self, number: usize) {
        self.text("0x");
        self.digits(number, 16);
    }

    fn digits(&mut self, mut number: usize, base: usize) {
        let mut digits = [0_u8; 20];
        let mut count = 0;
        while count == 0 || number > 0 {
            digits[count] = b"0123456789abcdef"[number % base];
            number /= base;
            count += 1;
        }
        digits[..count]
            .iter()
            .rev()
            .for_each(|&digit| self.byte(digit));
    }

    fn flush(&mut self) {
        let mut rest = &self.bytes[..self.used];
        while !rest.is_empty() {
            // SAFETY: the bytes outlive the call, which a handler may make.
            let written =
                unsafe { libc::write(libc::STDERR_FILENO, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(written) {
                Ok(0) => break,
                Ok(count) => rest = &rest[count..],
                // SAFETY: this thread's own.
                Err(_) if unsafe { *libc::__errno_location() } == libc::EINTR => {}
                Err(_) => break,
            }
        }
        self.used = 0;
    }
}
