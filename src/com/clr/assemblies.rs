//! What a runtime knows of assemblies: their identities, what they refer to, and the policy by which one is taken for another.
//!
//! Room for unsafe code: calls through the tables of others.

use super::super::constants::{ECLRAssemblyIdentityFlags, EHostBindingPolicyModifyFlags};
use super::super::host::IStream;
use super::super::hresult::Hresult;
use super::super::interface::clr_interface;
use super::super::object::ComRef;
use super::super::table;
use super::{Given, Handed, IUnknown, NonNull, Raw, Wide, addresses};

/// Room for a text or a policy at first, in its units.
const ROOM: u32 = 256;
/// No runtime is given more room than this, however much it says that it wants.
const ROOM_MAX: u32 = 1 << 20;

clr_interface! {
    /// The assemblies that a runtime loads without asking its host.
    ICLRAssemblyReferenceList ICLRAssemblyReferenceListVtbl IID_ICLRAssemblyReferenceList;
}

clr_interface! {
    /// What a runtime can tell of the identities of assemblies.
    ICLRAssemblyIdentityManager ICLRAssemblyIdentityManagerVtbl IID_ICLRAssemblyIdentityManager;

    /// What the assembly in this file refers to, but for what is on the list.
    fn references_of_file = GetReferencedAssembliesFromFile(
        path: &Wide, flags: ECLRAssemblyIdentityFlags, except: Option<&ICLRAssemblyReferenceList>
    ) -> Handed<ICLRReferenceAssemblyEnum>;

    /// What the assembly in this stream refers to, but for what is on the list.
    fn references_of_stream = GetReferencedAssembliesFromStream(
        image: &ComRef<dyn IStream>, flags: ECLRAssemblyIdentityFlags, except: Option<&ICLRAssemblyReferenceList>
    ) -> Handed<ICLRReferenceAssemblyEnum>;

    /// The identities under which a runtime would look for a reference, on machines of this type (as in an image's header).
    fn probed_for = GetProbingAssembliesFromReference(
        machine: u32, flags: ECLRAssemblyIdentityFlags, reference: &Wide
    ) -> Handed<ICLRProbingAssemblyEnum>;

    /// Whether an identity has a strong name.
    fn is_strongly_named = IsStronglyNamed(identity: &Wide) -> bool;
}

clr_interface! {
    /// The assemblies that another one refers to.
    ICLRReferenceAssemblyEnum ICLRReferenceAssemblyEnumVtbl IID_ICLRReferenceAssemblyEnum;
}

clr_interface! {
    /// The identities under which a reference is looked for.
    ICLRProbingAssemblyEnum ICLRProbingAssemblyEnumVtbl IID_ICLRProbingAssemblyEnum;
}

clr_interface! {
    /// Which assembly is taken for which.
    ICLRHostBindingPolicyManager ICLRHostBindingPolicyManagerVtbl IID_ICLRHostBindingPolicyManager;
}

impl ICLRAssemblyReferenceList {
    /// Whether an assembly of this name is on it.
    ///
    /// # Errors
    /// What the runtime answers.
    pub fn contains(&self, assembly: &Wide) -> Result<bool, Hresult> {
        let table = self.0.table::<table::ICLRAssemblyReferenceListVtbl>();
        // SAFETY: the handle keeps the object, and the text is there for the length of the call.
        let answer =
            unsafe { (table.IsStringAssemblyReferenceInList)(self.0.as_ptr(), assembly.word()) };
        answer.ok().map(|()| answer == Hresult::S_OK)
    }

    /// Whether the assembly is on it of which the runtime has made this name.
    ///
    /// # Errors
    /// What the runtime answers.
    pub fn contains_name(&self, name: &IUnknown) -> Result<bool, Hresult> {
        let table = self.0.table::<table::ICLRAssemblyReferenceListVtbl>();
        // SAFETY: the handles keep both objects.
        let answer =
            unsafe { (table.IsAssemblyReferenceInList)(self.0.as_ptr(), Some(name).word()) };
        answer.ok().map(|()| answer == Hresult::S_OK)
    }
}

impl ICLRAssemblyIdentityManager {
    /// A list of these assemblies, as a host gives it to its runtime.
    ///
    /// # Errors
    /// What the runtime answers.
    pub fn reference_list(&self, names: &[Wide]) -> Result<ICLRAssemblyReferenceList, Hresult> {
        let table = self.0.table::<table::ICLRAssemblyIdentityManagerVtbl>();
        let (count, mut names) = addresses(names)?;
        let mut list = std::ptr::null_mut();
        // SAFETY: the handle keeps the object; texts, their list and the result are there for the length of the call.
        unsafe {
            let names = names.as_mut_ptr();
            (table.GetCLRAssemblyReferenceList)(self.0.as_ptr(), names, count, &raw mut list)
        }
        .ok()?;
        let list = NonNull::new(list).ok_or(Hresult::E_UNEXPECTED)?;
        // SAFETY: the call succeeded, so this is a list, with a reference for us.
        Ok(ICLRAssemblyReferenceList(unsafe { Raw::owned(list) }))
    }

    /// The identity of the assembly in this file.
    ///
    /// # Errors
    /// What the runtime answers; `E_UNEXPECTED` for what is no text.
    pub fn identity_of_file(
        &self,
        path: &Wide,
        flags: ECLRAssemblyIdentityFlags,
    ) -> Result<String, Hresult> {
        let table = self.0.table::<table::ICLRAssemblyIdentityManagerVtbl>();
        text(|buffer, length| {
            let (this, path) = (self.0.as_ptr(), path.word());
            // SAFETY: the handle keeps the object; text, room and length are there for the length of the call.
            unsafe { (table.GetBindingIdentityFromFile)(this, path, flags.word(), buffer, length) }
        })
    }

    /// The identity of the assembly in this stream.
    ///
    /// # Errors
    /// What the runtime answers; `E_UNEXPECTED` for what is no text.
    pub fn identity_of_stream(
        &self,
        image: &ComRef<dyn IStream>,
        flags: ECLRAssemblyIdentityFlags,
    ) -> Result<String, Hresult> {
        let table = self.0.table::<table::ICLRAssemblyIdentityManagerVtbl>();
        text(|buffer, length| {
            let (this, image) = (self.0.as_ptr(), image.as_ptr());
            // SAFETY: both references keep their objects; room and length are there for the length of the call.
            unsafe {
                (table.GetBindingIdentityFromStream)(this, image, flags.word(), buffer, length)
            }
        })
    }
}

impl ICLRReferenceAssemblyEnum {
    /// The one at this place; none behind the last one.
    ///
    /// # Errors
    /// What the runtime answers; `E_UNEXPECTED` for what is no text.
    pub fn get(&self, index: u32) -> Result<Option<String>, Hresult> {
        let table = self.0.table::<table::ICLRReferenceAssemblyEnumVtbl>();
        unless_behind_the_last(text(|buffer, length| {
            // SAFETY: the handle keeps the object; room and length are there for the length of the call.
            unsafe { (table.Get)(self.0.as_ptr(), index, buffer, length) }
        }))
    }
}

impl ICLRProbingAssemblyEnum {
    /// The one at this place; none behind the last one.
    ///
    /// # Errors
    /// What the runtime answers; `E_UNEXPECTED` for what is no text.
    pub fn get(&self, index: u32) -> Result<Option<String>, Hresult> {
        let table = self.0.table::<table::ICLRProbingAssemblyEnumVtbl>();
        unless_behind_the_last(text(|buffer, length| {
            // SAFETY: the handle keeps the object; room and length are there for the length of the call.
            unsafe { (table.Get)(self.0.as_ptr(), index, buffer, length) }
        }))
    }
}

impl ICLRHostBindingPolicyManager {
    /// The application's policy, changed so that one assembly is taken for another.
    ///
    /// # Errors
    /// What the runtime answers.
    pub fn modify(
        &self,
        from: &Wide,
        to: &Wide,
        policy: &[u8],
        flags: EHostBindingPolicyModifyFlags,
    ) -> Result<Vec<u8>, Hresult> {
        let table = self.0.table::<table::ICLRHostBindingPolicyManagerVtbl>();
        let size = u32::try_from(policy.len()).map_err(|_| Hresult::E_INVALIDARG)?;
        let (mut made, length) = with_room(|room, length| {
            // SAFETY: the handle keeps the object; texts, policy (which it only reads), room and length are there for the
            // length of the call.
            unsafe {
                (table.ModifyApplicationPolicy)(
                    self.0.as_ptr(),
                    from.word(),
                    to.word(),
                    policy.as_ptr().cast_mut(),
                    size,
                    flags.0,
                    room,
                    length,
                )
            }
        })?;
        made.truncate(length);
        Ok(made)
    }

    /// What a reference is after this policy, and which policies were applied (`EBindPolicyLevels`).
    ///
    /// # Errors
    /// What the runtime answers; `E_UNEXPECTED` for what is no text.
    pub fn evaluate(&self, reference: &Wide, policy: &[u8]) -> Result<(String, u32), Hresult> {
        let table = self.0.table::<table::ICLRHostBindingPolicyManagerVtbl>();
        let size = u32::try_from(policy.len()).map_err(|_| Hresult::E_INVALIDARG)?;
        let mut applied = 0;
        let found = text(|buffer, length| {
            // SAFETY: the handle keeps the object; text, policy (which it only reads), room, length and result are there for
            // the length of the call.
            unsafe {
                (table.EvaluatePolicy)(
                    self.0.as_ptr(),
                    reference.word(),
                    policy.as_ptr().cast_mut(),
                    size,
                    buffer,
                    length,
                    &raw mut applied,
                )
            }
        })?;
        Ok((found, applied))
    }
}

/// Makes a call that fills a buffer, once more with as much room as it says that it wants. Gives what was filled, and the
/// length that the call says.
fn with_room<T: Copy + Default>(
    mut call: impl FnMut(*mut T, *mut u32) -> Hresult,
) -> Result<(Vec<T>, usize), Hresult> {
    let mut room = ROOM;
    loop {
        let mut buffer = vec![T::default(); room as usize];
        let mut length = room;
        match call(buffer.as_mut_ptr(), &raw mut length) {
            Hresult::E_NOT_SUFFICIENT_BUFFER if room < length && length <= ROOM_MAX => {
                room = length;
            }
            answer => {
                answer.ok()?;
                let length = (length as usize).min(buffer.len());
                return Ok((buffer, length));
            }
        }
    }
}

/// The same for a text, which ends at its zero, whatever the call says of its length.
fn text(call: impl FnMut(*mut u16, *mut u32) -> Hresult) -> Result<String, Hresult> {
    let (units, length) = with_room(call)?;
    let units = units[..length].split(|unit| *unit == 0).next();
    let text = String::from_utf16(units.unwrap_or_default());
    text.map_err(|_| Hresult::E_UNEXPECTED)
}

fn unless_behind_the_last(text: Result<String, Hresult>) -> Result<Option<String>, Hresult> {
    match text {
        Err(Hresult::HRESULT_FROM_WIN32_ERROR_NO_MORE_ITEMS) => Ok(None),
        other => other.map(Some),
    }
}
