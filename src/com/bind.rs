//! What a runtime asks a store of assemblies for, read from its structures.
//!
//! Room for unsafe code: those structures and their texts.

use super::argument::{Argument, read};
use super::hresult::Hresult;
use super::table::{AssemblyBindInfo, ModuleBindInfo};

/// No text is longer than this; without it a text without an end would be followed for ever.
const TEXT_MAX: usize = 1 << 15;

/// An assembly that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssemblyRequest {
    /// The domain that it is for.
    pub domain: u32,
    /// What was referred to, if that is said.
    pub referenced: Option<String>,
    /// What that is after the policy: what is to be found.
    pub identity: String,
    /// Which policies were applied (`EBindPolicyLevels`).
    pub policy: u32,
}

/// A module of an assembly that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleRequest {
    /// The domain that it is for.
    pub domain: u32,
    /// The assembly.
    pub identity: String,
    /// The module's name.
    pub module: String,
}

/// A text of the runtime's; `None` for null.
///
/// # Safety
/// It is null, misaligned, or ends in a zero.
pub(super) unsafe fn text(text: *const u16) -> Result<Option<String>, Hresult> {
    if text.is_null() {
        return Ok(None);
    }
    if !text.is_aligned() {
        return Err(Hresult::E_INVALIDARG);
    }
    let mut units = Vec::new();
    loop {
        // SAFETY: no unit before this one was the closing zero.
        match unsafe { *text.add(units.len()) } {
            0 => break,
            _ if units.len() == TEXT_MAX => return Err(Hresult::E_INVALIDARG),
            unit => units.push(unit),
        }
    }
    let text = String::from_utf16(&units).map_err(|_| Hresult::E_INVALIDARG)?;
    Ok(Some(text))
}

impl Argument for AssemblyRequest {
    type Words = (*mut AssemblyBindInfo,);

    unsafe fn check((pointer,): Self::Words) -> Result<Self, Hresult> {
        // SAFETY: as the caller promises.
        let info = unsafe { read(pointer.cast_const()) }?;
        // SAFETY: as the declaration of the structure says; likewise below.
        let referenced = unsafe { text(info.lpReferencedIdentity) }?;
        // SAFETY: as above.
        let identity = unsafe { text(info.lpPostPolicyIdentity) }?;
        Ok(AssemblyRequest {
            domain: info.dwAppDomainId,
            identity: identity
                .or_else(|| referenced.clone())
                .ok_or(Hresult::E_INVALIDARG)?,
            referenced,
            policy: info.ePolicyLevel,
        })
    }
}

impl Argument for ModuleRequest {
    type Words = (*mut ModuleBindInfo,);

    unsafe fn check((pointer,): Self::Words) -> Result<Self, Hresult> {
        // SAFETY: as the caller promises.
        let info = unsafe { read(pointer.cast_const()) }?;
        // SAFETY: as the declaration of the structure says; likewise below.
        let identity = unsafe { text(info.lpAssemblyIdentity) }?;
        // SAFETY: as above.
        let module = unsafe { text(info.lpModuleName) }?;
        Ok(ModuleRequest {
            domain: info.dwAppDomainId,
            identity: identity.ok_or(Hresult::E_INVALIDARG)?,
            module: module.ok_or(Hresult::E_INVALIDARG)?,
        })
    }
}
