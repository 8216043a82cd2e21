//! What was called on a stack, found without a table and without a lock.
//!
//! Code that keeps frame pointers is followed through them. Most code does not, and the tables that say more cannot be read
//! in a signal handler: then each word on the stack is looked at, and those are taken that point just behind a call. Some of
//! them are left over from calls that have returned; among many that are right it does not matter.
//!
//! Room for unsafe code: reading a stack and code, by an instruction that no sanitizer sees: between the variables of a frame it
//! keeps words that nobody is to read, and here they all are read.

/// A word of a stack, whatever it belongs to.
///
/// # Safety
/// It is readable, and its address a multiple of eight.
#[inline(always)]
pub(crate) unsafe fn word(address: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        let word;
        // SAFETY: one load from memory that is readable, as the caller says.
        unsafe {
            std::arch::asm!(
                "mov {word}, qword ptr [{address}]",
                word = lateout(reg) word,
                address = in(reg) address,
                options(nostack, preserves_flags, readonly)
            );
        }
        word
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: as above.
    unsafe {
        (address as *const usize).read_volatile()
    }
}

/// Return addresses along the frame pointers, which rise and stay in one stack.
pub(crate) struct Linked {
    at: usize,
    limit: usize,
    top: usize,
}

impl Linked {
    /// # Safety
    /// The memory from `limit` to `top` is readable.
    pub(crate) unsafe fn new(frame: usize, limit: usize, top: usize) -> Linked {
        Linked {
            at: frame,
            limit,
            top,
        }
    }
}

impl Iterator for Linked {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let inside = self.at >= self.limit && self.at <= self.top - 16 && self.at.is_multiple_of(8);
        if !inside {
            return None;
        }
        // SAFETY: inside the stack (`new`).
        let up = unsafe { word(self.at) };
        // SAFETY: the next one, inside too.
        let back = unsafe { word(self.at + 8) };
        if back == 0 {
            return None;
        }
        // Upwards only, so that it ends.
        self.at = if up > self.at { up } else { 0 };
        Some(back)
    }
}

/// Words on a stack that point just behind a call.
pub(crate) struct Likely<'a> {
    code: &'a Code,
    at: usize,
    top: usize,
}

impl<'a> Likely<'a> {
    /// # Safety
    /// As for [`Linked::new`].
    pub(crate) unsafe fn new(code: &'a Code, stack: usize, limit: usize, top: usize) -> Likely<'a> {
        Likely {
            code,
            at: stack.max(limit).next_multiple_of(8),
            top,
        }
    }
}

impl Iterator for Likely<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.at + 8 <= self.top {
            // SAFETY: a word inside the stack (`new`).
            let word = unsafe { word(self.at) };
            self.at += 8;
            if self.code.follows_a_call(word) {
                return Some(word);
            }
        }
        None
    }
}

/// Where the process has code, as the kernel says.
pub(crate) struct Code {
    ranges: [(usize, usize); Code::MOST],
    count: usize,
}

impl Code {
    /// A process with more modules shows the frames in the first so many, by address.
    const MOST: usize = 48;

    /// Reads the kernel's list, with nothing but system calls. Empty if that cannot be had.
    pub(crate) fn read() -> Code {
        let mut code = Code {
            ranges: [(0, 0); Code::MOST],
            count: 0,
        };
        // SAFETY: a name that ends in a zero; a handler may make these calls.
        let file = unsafe {
            libc::open(
                c"/proc/self/maps".as_ptr(),
                libc::O_RDONLY | libc::O_CLOEXEC,
            )
        };
        if file < 0 {
            return code;
        }
        let mut line = Line::default();
        let mut bytes = [0_u8; 256];
        loop {
            // SAFETY: room that outlives the call.
            let read = unsafe { libc::read(file, bytes.as_mut_ptr().cast(), bytes.len()) };
            let Ok(read @ 1..) = usize::try_from(read) else {
                break;
            };
            for &byte in &bytes[..read] {
                if let Some(range) = line.take(byte)
                    && code.count < Code::MOST
                {
                    code.ranges[code.count] = range;
                    code.count += 1;
                }
            }
        }
        // SAFETY: our own.
        unsafe { libc::close(file) };
        code
    }

    fn has(&self, address: usize) -> bool {
        let ranges = &self.ranges[..self.count];
        let inside = |&(low, high): &(usize, usize)| address >= low + LONGEST && address < high;
        ranges.iter().any(inside)
    }

    fn follows_a_call(&self, address: usize) -> bool {
        if !self.has(address) {
            return false;
        }
        // SAFETY: code of the process, mapped and readable when the list was read, and this thread stands in its midst.
        let before = unsafe { ((address - LONGEST) as *const [u8; LONGEST]).read_volatile() };
        ends_in_a_call(before)
    }

    /// The same for a word of another thread's stack: the code may have been unmapped meanwhile.
    pub(crate) fn follows_a_call_elsewhere(&self, address: usize) -> bool {
        if !self.has(address) {
            return false;
        }
        let mut before = [0_u8; LONGEST];
        peek(address - LONGEST, &mut before) && ends_in_a_call(before)
    }

    /// Whether there is a system call at this address or before it, where another thread stands.
    pub(crate) fn around(&self, address: usize) -> Option<Around> {
        if !self.has(address) {
            return None;
        }
        let mut bytes = [0_u8; LONGEST + 2];
        peek(address - LONGEST, &mut bytes).then(|| Around::of(&bytes))
    }
}

/// Copies memory of the process that may be gone. `false`: some of it is.
pub(crate) fn peek(address: usize, bytes: &mut [u8]) -> bool {
    let to = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    let from = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: bytes.len(),
    };
    // SAFETY: the kernel writes into our buffer, and refuses where there is nothing to read.
    let read =
        unsafe { libc::process_vm_readv(libc::getpid(), &raw const to, 1, &raw const from, 1, 0) };
    read == bytes.len() as isize
}

/// What system call stands around an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Around {
    /// The instruction at the address is one.
    Call,
    /// The one before it is, with this number if the one before that says it.
    BehindCall(Option<u32>),
    Nothing,
}

impl Around {
    /// Seven bytes before the address, and two behind it.
    fn of(bytes: &[u8; LONGEST + 2]) -> Around {
        const CALL: [u8; 2] = [0x0f, 0x05];
        if cfg!(not(target_arch = "x86_64")) {
            return Around::Nothing;
        }
        if bytes[5..7] == CALL {
            // `mov eax, number`, or `xor eax, eax`.
            let number = match bytes[..5] {
                [0xb8, a, b, c, d] => Some(u32::from_le_bytes([a, b, c, d])),
                [.., 0x31, 0xc0] => Some(0),
                _ => None,
            };
            Around::BehindCall(number)
        } else if bytes[7..] == CALL {
            Around::Call
        } else {
            Around::Nothing
        }
    }
}

/// The longest call.
const LONGEST: usize = 7;

/// Whether the bytes end in a call: `E8` with four bytes, or `FF /2` with its operand.
#[cfg(target_arch = "x86_64")]
fn ends_in_a_call(bytes: [u8; 7]) -> bool {
    let indirect = |length: usize| {
        let at = bytes.len() - length;
        bytes[at] == 0xff && (bytes[at + 1] >> 3) & 7 == 2
    };
    bytes[2] == 0xe8 || [2, 3, 4, 6, 7].into_iter().any(indirect)
}

/// Not written for this processor: any address of code will do.
#[cfg(not(target_arch = "x86_64"))]
fn ends_in_a_call(_bytes: [u8; 7]) -> bool {
    true
}

/// A line of the kernel's list, byte by byte: `low-high rwxp ...`, the numbers in hexadecimal.
#[derive(Default)]
struct Line {
    low: usize,
    high: usize,
    part: Part,
    readable: bool,
}

#[derive(Default)]
enum Part {
    #[default]
    Low,
    High,
    /// The next letter of what is permitted.
    Permissions(u8),
    Rest,
}

impl Line {
    /// Takes the next byte; the range, once it is known to hold code.
    fn take(&mut self, byte: u8) -> Option<(usize, usize)> {
        if byte == b'\n' {
            *self = Line::default();
            return None;
        }
        let digit = char::from(byte).to_digit(16).unwrap_or(0) as usize;
        match self.part {
            Part::Low if byte == b'-' => self.part = Part::High,
            Part::Low => self.low = self.low << 4 | digit,
            Part::High if byte == b' ' => self.part = Part::Permissions(0),
            Part::High => self.high = self.high << 4 | digit,
            Part::Permissions(0) => {
                self.readable = byte == b'r';
                self.part = Part::Permissions(1);
            }
            Part::Permissions(1) => self.part = Part::Permissions(2),
            Part::Permissions(_) => {
                self.part = Part::Rest;
                return (byte == b'x' && self.readable).then_some((self.low, self.high));
            }
            Part::Rest => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_function_is_code_and_its_stack_is_not() {
        let code = Code::read();
        let is_code = |address: usize| {
            let ranges = &code.ranges[..code.count];
            ranges
                .iter()
                .any(|&(low, high)| (low..high).contains(&address))
        };
        let function = this_function_is_code_and_its_stack_is_not as *const () as usize;
        assert!(is_code(function));
        assert!(!is_code((&raw const code).addr()));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn system_calls_are_known_by_their_bytes() {
        let number = [0xb8, 0x3e, 1, 0, 0, 0x0f, 0x05, 0x90, 0x90];
        assert_eq!(Around::of(&number), Around::BehindCall(Some(318)));
        let zero = [0x90, 0x90, 0x90, 0x31, 0xc0, 0x0f, 0x05, 0x48, 0x3d];
        assert_eq!(Around::of(&zero), Around::BehindCall(Some(0)));
        let given = [0x90, 0x90, 0x48, 0x89, 0xf8, 0x0f, 0x05, 0xc3, 0x90];
        assert_eq!(Around::of(&given), Around::BehindCall(None));
        let again = [0xb8, 0x3e, 1, 0, 0, 0x90, 0x90, 0x0f, 0x05];
        assert_eq!(Around::of(&again), Around::Call);
        assert_eq!(Around::of(&[0x90; 9]), Around::Nothing);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn calls_are_known_by_their_bytes() {
        // call rel32; call rax; call [rbp - 8]; call [rip + 16]; call [rax + rbx * 8 + 256]
        for call in [
            &[0xe8, 1, 2, 3, 4][..],
            &[0xff, 0xd0],
            &[0xff, 0x55, 0xf8],
            &[0xff, 0x15, 0x10, 0, 0, 0],
            &[0xff, 0x94, 0xd8, 0, 1, 0, 0],
        ] {
            let mut bytes = [0x90; 7];
            bytes[7 - call.len()..].copy_from_slice(call);
            assert!(ends_in_a_call(bytes), "{call:x?}");
        }
        // Seven times nop; mov rax, [rax]; jmp rax
        assert!(!ends_in_a_call([0x90; 7]));
        assert!(!ends_in_a_call([0x90, 0x90, 0x90, 0x90, 0x48, 0x8b, 0x00]));
        assert!(!ends_in_a_call([0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xe0]));
    }
}
