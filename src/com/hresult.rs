//! Results of the binary interface: numbers with names and a text.
#![forbid(unsafe_code)]

use std::fmt;

use super::constants::HRESULTS;

/// An `HRESULT`: negative numbers are failures.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Hresult(i32);

impl Hresult {
    /// The result with this number, as it stands in headers.
    pub const fn from_bits(bits: u32) -> Hresult {
        Hresult(bits as i32)
    }

    /// Its number.
    pub const fn bits(self) -> u32 {
        self.0 as u32
    }

    /// Whether it says success, with or without a twist.
    pub const fn is_success(self) -> bool {
        self.0 >= 0
    }

    /// Its name in the headers, if it is one of those that this interface uses.
    pub fn name(self) -> Option<&'static str> {
        HRESULTS
            .iter()
            .find(|(_, known)| *known == self)
            .map(|(name, _)| *name)
    }

    /// What it means, for people; empty for one without a name.
    pub fn text(self) -> &'static str {
        match self {
            Hresult::S_OK => "success",
            Hresult::S_FALSE => "success, with a difference that the call describes",
            Hresult::E_NOTIMPL => "not implemented",
            Hresult::E_NOINTERFACE => "no such interface",
            Hresult::E_POINTER => "a pointer is null",
            Hresult::E_ABORT => "given up",
            Hresult::E_FAIL => "failed beyond repair",
            Hresult::E_UNEXPECTED => "called out of order",
            Hresult::E_ACCESSDENIED => "not allowed any more",
            Hresult::E_HANDLE => "not a valid handle",
            Hresult::E_OUTOFMEMORY => "out of memory",
            Hresult::E_INVALIDARG => "an argument is not valid",
            Hresult::E_NOT_SUFFICIENT_BUFFER => "the buffer is too small",
            Hresult::HRESULT_FROM_WIN32_ERROR_NO_MORE_ITEMS => "nothing more follows",
            Hresult::HRESULT_FROM_WIN32_ERROR_TIMEOUT => "the system's time limit passed",
            Hresult::HRESULT_FROM_WIN32_ERROR_NOT_FOUND => "nothing of the kind is there",
            Hresult::HRESULT_FROM_WIN32_ERROR_NO_TOKEN => {
                "the caller acts for nobody in particular"
            }
            Hresult::STG_E_INVALIDFUNCTION => "streams of this kind cannot do that",
            Hresult::STG_E_ACCESSDENIED => "the stream is not to be written to",
            Hresult::STG_E_SEEKERROR => "no place in a stream",
            Hresult::STG_E_READFAULT => "the stream cannot be read",
            Hresult::STG_E_INVALIDFLAG => "an unknown flag",
            Hresult::HOST_E_DEADLOCK => "this wait was broken to end a deadlock",
            Hresult::HOST_E_INTERRUPTED => "an alert ended the wait",
            Hresult::HOST_E_INVALIDOPERATION => "not allowed in this state or on this thread",
            Hresult::HOST_E_CLRNOTAVAILABLE => "the runtime or its host is not there any more",
            Hresult::HOST_E_TIMEOUT => "the time limit passed",
            Hresult::HOST_E_NOT_OWNER => "the caller does not have the lock",
            Hresult::HOST_E_ABANDONED => "what was waited for was given up",
            Hresult::HOST_E_EXITPROCESS_THREADABORT => {
                "the process ended with the abort of a thread"
            }
            Hresult::HOST_E_EXITPROCESS_ADUNLOAD => {
                "the process ended with the unloading of a domain"
            }
            Hresult::HOST_E_EXITPROCESS_TIMEOUT => "the process ended because a time limit passed",
            Hresult::HOST_E_EXITPROCESS_OUTOFMEMORY => "the process ended for lack of memory",
            Hresult::HOST_E_EXITPROCESS_STACKOVERFLOW => "the process ended with a stack overflow",
            Hresult::COR_E_STACKOVERFLOW => "stack overflow",
            Hresult::COR_E_THREADABORTED => "the managed thread was aborted",
            Hresult::COR_E_THREADINTERRUPTED => "the managed thread was interrupted",
            Hresult::COR_E_THREADSTATE => "the managed thread is in the wrong state",
            Hresult::COR_E_THREADSTART => "the managed thread could not start",
            Hresult::COR_E_SYNCHRONIZATIONLOCK => "the monitor belongs to somebody else",
            Hresult::COR_E_APPDOMAINUNLOADED => "the domain is gone",
            Hresult::COR_E_CANNOTUNLOADAPPDOMAIN => "the domain cannot be unloaded",
            Hresult::COR_E_MISSINGMETHOD => "no such managed method",
            Hresult::COR_E_EXECUTIONENGINE => "the runtime is broken",
            Hresult::COR_E_FAILFAST => "the runtime gave up at once, as asked",
            Hresult::COR_E_HOSTPROTECTION => "the host does not allow this operation",
            Hresult::COR_E_SECURITY => "not permitted",
            Hresult::COR_E_FILENOTFOUND => "no such assembly or module",
            Hresult::COR_E_INVALIDOPERATION => "the managed object does not allow this now",
            _ => "",
        }
    }

    /// Success as `Ok`, a failure as `Err`.
    ///
    /// # Errors
    /// Itself, if it is a failure.
    pub const fn ok(self) -> Result<(), Hresult> {
        if self.is_success() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Debug for Hresult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#010x}", self.bits()),
        }
    }
}

impl fmt::Display for Hresult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            "" => write!(f, "result {:#010x}", self.bits()),
            text => write!(f, "{text} ({self:?})"),
        }
    }
}

impl std::error::Error for Hresult {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_result_has_a_name_and_a_text() {
        for (name, result) in HRESULTS {
            let found = result.name().expect("a name");
            assert!(
                found == *name || *name == "COR_E_OUTOFMEMORY",
                "{name}: two names for one number"
            );
            assert!(!result.text().is_empty(), "{name} has no text");
            assert_eq!(result.is_success(), name.starts_with("S_"), "{name}");
        }
    }

    #[test]
    fn an_unknown_result_is_shown_as_a_number() {
        let unknown = Hresult::from_bits(0x8123_4567);
        assert_eq!(
            format!("{unknown:?} {unknown}"),
            "0x81234567 result 0x81234567"
        );
        assert_eq!(unknown.ok(), Err(unknown));
        assert_eq!(
            Hresult::HOST_E_TIMEOUT.to_string(),
            "the time limit passed (HOST_E_TIMEOUT)"
        );
    }
}
