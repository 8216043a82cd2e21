//! What a parameter is, as far as bad input goes, and the places for results.

use std::cell::Cell;

use fiberhost::com::describe::{Method, Parameter};

/// What a result's place holds before a call: no call gives this.
pub(crate) const POISON: u64 = 0x5a5a_5a5a_5a5a_5a5a;
/// More words than any method has.
pub(crate) const WORDS: usize = 6;

/// A place for a result, with room to be misaligned in.
#[repr(C, align(16))]
pub(crate) struct Place([Cell<u64>; 2]);

impl Place {
    pub(crate) fn new() -> Place {
        Place([const { Cell::new(POISON) }; 2])
    }

    pub(crate) fn word(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// Whether a result as wide as this was cleared, and nothing beside it was touched.
    pub(crate) fn is_cleared(&self, width: usize) -> bool {
        let kept = if width == 8 { 0 } else { POISON >> 32 << 32 };
        self.0[0].get() == kept && self.0[1].get() == POISON
    }

    pub(crate) fn is_untouched(&self) -> bool {
        self.0[0].get() == POISON && self.0[1].get() == POISON
    }
}

pub(crate) fn places() -> [Place; WORDS] {
    std::array::from_fn(|_| Place::new())
}

/// What a parameter is, as far as bad input goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A pointer to a result of so many bytes.
    Result(usize),
    /// The same, where null means that nobody wants it.
    OptionalResult(usize),
    /// A place for a structure that is an argument to the boundary.
    Structure,
    /// A structure, or a place for one of the runtime's.
    Given,
    /// Bytes, anywhere.
    Bytes,
    /// A pointer to an object that the runtime gives.
    Object,
    /// A pointer to a security context of the host's.
    Context,
    Identifier,
    Function,
    /// Flags of `WAIT_OPTION`.
    Option,
    /// Flags of `QueueUserWorkItem`.
    Flags,
    /// Flags of `MALLOC_TYPE`.
    HeapFlags,
    /// A number of an enumeration that has so many.
    OneOf(u32),
    /// Anything is right, as far as the boundary can tell.
    Any,
}

pub(crate) fn kind(method: &Method, parameter: &Parameter) -> Kind {
    let pointee = parameter.ctype.strip_suffix('*');
    if matches!(parameter.name, "lpBuffer" | "pstatstg") {
        return Kind::Structure;
    }
    if parameter.direction != "in" {
        let width = match pointee.expect("a result has a place") {
            "DWORD" | "ULONG" | "LONG" | "int" | "BOOL" => 4,
            _ => 8,
        };
        return match parameter.name {
            "lpPreviousCount" | "pcbRead" | "pcbWritten" | "plibNewPosition" => {
                Kind::OptionalResult(width)
            }
            _ => Kind::Result(width),
        };
    }
    match (parameter.ctype, parameter.name) {
        ("REFIID", _) => Kind::Identifier,
        ("LPTHREAD_START_ROUTINE", _) => Kind::Function,
        ("EClrOperation" | "EClrFailure", _) => Kind::OneOf(7),
        ("EClrEvent", _) => Kind::OneOf(4),
        ("EPolicyAction", _) => Kind::OneOf(10),
        ("EMemoryCriticalLevel", _) => Kind::OneOf(3),
        ("EContextType", _) => Kind::OneOf(2),
        ("DWORD", "option") => Kind::Option,
        ("DWORD", "dwMallocType") => Kind::HeapFlags,
        ("ULONG", _) if method.name == "QueueUserWorkItem" => Kind::Flags,
        (_, "pBindInfo" | "pvOverlapped") => Kind::Given,
        (_, "pv") => Kind::Bytes,
        ("IHostSecurityContext*", _) => Kind::Context,
        // Numbers to the boundary: they are followed by nobody, or by their owner.
        (_, "pAddress" | "lpAddress" | "pMem" | "pszFileName") => Kind::Any,
        _ if pointee.is_some() => Kind::Object,
        _ => Kind::Any,
    }
}
