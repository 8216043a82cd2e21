//! For whom a task acts.

use super::code::{self, Code};
use super::host::fiberhost_host;
use super::{answer, guard};

/// Answers the token by which the caller acts, or 0 for nobody in particular.
///
/// # Safety
/// The host comes from `fiberhost_host_create`; `token` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fiberhost_token(host: *const fiberhost_host, token: *mut usize) -> Code {
    guard(|| {
        // SAFETY: the caller's promise.
        let place = unsafe { answer(token) }?;
        *place = 0;
        // SAFETY: the caller's promise.
        let whole = unsafe { fiberhost_host::look(host) }?;
        *place = whole.host.token().map_or(0, |token| token.0);
        Ok(code::FIBERHOST_OK)
    })
}
