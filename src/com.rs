//! The binary interface: objects whose first word points to a table of functions.
//!
//! Nothing outside this module and those below it has unsafe code. What a runtime calls arrives in a *thunk*, which
//! recovers the object from `this`, checks every pointer, number and flag that can be checked, catches panics, clears what
//! it does not write, and calls a method of a safe trait ([`host`]). What we call goes through a handle that counts
//! references ([`clr`]).
//!
//! The parts, from below:
//!
//! 1. `constants` and `table` are made from `hosting-abi.json` (and `ole-abi.json`, for what that names only): results, enumerations, identifiers, structures, tables of
//!    functions, and all of it once more as data ([`describe`]).
//! 2. [`Hresult`] and [`Guid`].
//! 3. `gate`: whether calls are still let in.
//! 4. `object`: an object of ours, its count, and the one place where `this` becomes a reference.
//! 5. `argument`: from the words of a call to checked values and back.
//! 6. `interface`: the two macros that make a trait with its thunks, or a handle, of one entry for each method.
//! 7. [`host`] and [`clr`]: those entries.
//!
//! # The order of checks
//!
//! 1. `this`: `E_POINTER` if null, `E_INVALIDARG` if misaligned or an object of another kind.
//! 2. The pointers to results: `E_POINTER` if null, `E_INVALIDARG` if misaligned. Those that are right are cleared now,
//!    whatever the answer will be.
//! 3. The gate: `HOST_E_CLRNOTAVAILABLE` after a shutdown or a failure, but not for the calls that end a pair.
//! 4. The other arguments, from left to right: `E_POINTER` for a null pointer (`E_INVALIDARG` for a null identifier),
//!    `E_INVALIDARG` for a misaligned one, for an unknown flag and for a number that the enumeration does not have.
//! 5. What the method itself finds.
//!
//! A method that panics has failed: `E_FAIL`, and the gate shuts for good. One that is unwound because its task is told to end
//! answers `HOST_E_ABANDONED`.

mod argument;
mod bind;
pub mod clr;
#[allow(missing_docs, reason = "the names are those of the headers, and made from data")]
#[allow(non_camel_case_types, non_upper_case_globals, non_snake_case, reason = "as above")]
#[rustfmt::skip]
mod constants;
pub mod describe;
mod event;
mod gate;
mod guid;
pub(crate) mod heap;
pub mod host;
mod hresult;
mod interface;
mod object;
pub(crate) mod overlapped;
pub(crate) mod pages;
mod quick;
pub(crate) mod recursive;
pub(crate) mod shelf;
mod stream;
#[allow(missing_docs, missing_debug_implementations, reason = "the names are those of the headers, and made from data")]
#[allow(non_camel_case_types, non_upper_case_globals, non_snake_case, reason = "as above")]
#[rustfmt::skip]
pub mod table;
pub(crate) mod sections;
pub(crate) mod vouch;

pub(crate) use argument::Promise;
pub use argument::{FileName, Handle, Manager, Optional, QueueFlags, ThreadHandle, Work};
pub use bind::{AssemblyRequest, ModuleRequest};
pub use constants::*;
pub use event::ClrEvent;
pub use gate::Gate;
pub use guid::Guid;
pub use heap::Block;
pub use hresult::Hresult;
pub(crate) use object::WeakRef;
pub use object::{ComRef, HostInterface, Origin};
pub use overlapped::{Direction, NewOverlapped, Overlapped, Transfer};
pub use pages::{Address, RegionInfo, RegionPlace};
pub use stream::{ReadPlace, StatPlace, WriteBytes};

/// A 32-bit enumeration or set of flags, open as in C: later versions of a runtime may have more of them.
macro_rules! enumeration {
    ($name:ident { $($member:ident = $value:expr),* }) => {
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        #[repr(transparent)]
        pub struct $name(pub u32);

        impl $name {
            $(pub const $member: $name = $name($value);)*

            /// The members in the order of their numbers.
            pub const MEMBERS: &'static [(&'static str, u32)] = &[$((stringify!($member), $value)),*];
        }

        impl $crate::com::Enumeration for $name {
            const MEMBERS: &'static [(&'static str, u32)] = $name::MEMBERS;

            fn from_number(number: u32) -> Self {
                $name(number)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::com::show(f, stringify!($name), $name::MEMBERS, self.0)
            }
        }
    };
}
use enumeration;

/// What an enumeration made from the headers can say of a number.
pub(crate) trait Enumeration: Sized {
    const MEMBERS: &'static [(&'static str, u32)];

    fn from_number(number: u32) -> Self;

    /// Whether it is one of the members that mean something: the one that only counts the others does not.
    fn has(number: u32) -> bool {
        Self::MEMBERS
            .iter()
            .any(|(name, member)| *member == number && !name.starts_with("Max"))
    }

    /// Whether every bit belongs to a member.
    fn has_all_bits_of(number: u32) -> bool {
        let all = Self::MEMBERS
            .iter()
            .fold(0, |all, (_, member)| all | member);
        number & !all == 0
    }
}

fn show(
    f: &mut std::fmt::Formatter<'_>,
    what: &str,
    members: &[(&str, u32)],
    number: u32,
) -> std::fmt::Result {
    match members.iter().find(|(_, member)| *member == number) {
        Some((name, _)) => f.write_str(name),
        None => write!(f, "{what}({number:#x})"),
    }
}

impl WAIT_OPTION {
    /// Whether an alert ends the wait.
    pub fn is_alertable(self) -> bool {
        self.0 & WAIT_OPTION::WAIT_ALERTABLE.0 != 0
    }

    /// Whether the wait may be broken to end a deadlock, as far as its caller says.
    pub fn may_be_broken(self) -> bool {
        self.0 & WAIT_OPTION::WAIT_NOTINDEADLOCK.0 == 0
    }
}
