//! The runtime's side of security contexts, assemblies and streams.

use std::ffi::c_void;

use fiberhost::com::Hresult;
use fiberhost::com::table::{AssemblyBindInfo, IStreamVtbl, ModuleBindInfo, STATSTG};

use crate::call::{Answer, Kind, World, number, valued};
use crate::object::{Object, com, given};
use crate::runtime::{Head, add_ref, query, release};
use crate::slots::told;

/// A stream of the runtime's, which takes all that is written to it. Only that is called.
static SINK: IStreamVtbl = {
    unsafe extern "system" fn read(_: *mut c_void, _: *mut c_void, _: u32, _: *mut u32) -> Hresult {
        Hresult::E_NOTIMPL
    }
    unsafe extern "system" fn write(
        _: *mut c_void,
        _: *mut c_void,
        count: u32,
        out: *mut u32,
    ) -> Hresult {
        // SAFETY: as the interface says.
        unsafe { out.write(count) };
        told("IStream", "Write", &[count.into()])
    }
    unsafe extern "system" fn seek(_: *mut c_void, _: i64, _: u32, _: *mut u64) -> Hresult {
        Hresult::E_NOTIMPL
    }
    unsafe extern "system" fn size(_: *mut c_void, _: u64) -> Hresult {
        Hresult::E_NOTIMPL
    }
    unsafe extern "system" fn copy(
        _: *mut c_void,
        _: *mut c_void,
        _: u64,
        _: *mut u64,
        _: *mut u64,
    ) -> Hresult {
        Hresult::E_NOTIMPL
    }
    unsafe extern "system" fn commit(_: *mut c_void, _: u32) -> Hresult {
        Hresult::E_NOTIMPL
    }
    unsafe extern "system" fn revert(_: *mut c_void) -> Hresult {
        Hresult::E_NOTIMPL
    }
    unsafe extern "system" fn lock(_: *mut c_void, _: u64, _: u64, _: u32) -> Hresult {
        Hresult::E_NOTIMPL
    }
    unsafe extern "system" fn stat(_: *mut c_void, _: *mut STATSTG, _: u32) -> Hresult {
        Hresult::E_NOTIMPL
    }
    unsafe extern "system" fn clone(_: *mut c_void, _: *mut *mut c_void) -> Hresult {
        Hresult::E_NOTIMPL
    }
    IStreamVtbl {
        QueryInterface: query,
        AddRef: add_ref,
        Release: release,
        Read: read,
        Write: write,
        Seek: seek,
        SetSize: size,
        CopyTo: copy,
        Commit: commit,
        Revert: revert,
        LockRegion: lock,
        UnlockRegion: lock,
        Stat: stat,
        Clone: clone,
    }
};

fn handle(number: usize) -> *mut c_void {
    std::ptr::without_provenance_mut(number)
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

fn keep(world: &World, name: &str, kind: Kind, made: Result<Object, Hresult>) -> Answer {
    match made {
        Ok(object) => {
            let mut objects = world.objects.lock().unwrap();
            let before = objects.insert(name.to_owned(), (kind, object));
            assert!(before.is_none(), "two objects of one name");
            Hresult::S_OK.into()
        }
        Err(error) => error.into(),
    }
}

/// For whom the caller acts: the token, and 0 for nobody in particular.
pub fn token(security: Object) -> (Hresult, i64) {
    let mut token = handle(1);
    let place = &raw mut token;
    let result = com!(
        security,
        IHostSecurityManagerVtbl,
        OpenThreadToken,
        8,
        0,
        place
    );
    (result, i64::try_from(token.addr()).expect("it fits"))
}

/// A call about security contexts or assemblies, if it is one.
pub fn call(world: &World, call: &str, arguments: &[&str]) -> Option<Answer> {
    let security = world.managers.security;
    let first = arguments.first().copied();
    Some(match call {
        "ImpersonateLoggedOnUser" => {
            let token = handle(number(first));
            com!(
                security,
                IHostSecurityManagerVtbl,
                ImpersonateLoggedOnUser,
                token
            )
            .into()
        }
        "RevertToSelf" => com!(security, IHostSecurityManagerVtbl, RevertToSelf).into(),
        "SetThreadToken" => {
            let token = handle(number(first));
            com!(security, IHostSecurityManagerVtbl, SetThreadToken, token).into()
        }
        "OpenThreadToken" => {
            let (result, value) = token(security);
            Answer {
                result,
                value: Some(value),
            }
        }
        "GetSecurityContext" => {
            let kind = number(arguments.get(1).copied());
            let made = given(|out| {
                com!(
                    security,
                    IHostSecurityManagerVtbl,
                    GetSecurityContext,
                    kind,
                    out
                )
            });
            keep(world, first.expect("a name"), Kind::Context, made)
        }
        "SetSecurityContext" => {
            let (_, context) = world.objects.lock().unwrap()[first.expect("a context")];
            let kind = number(arguments.get(1).copied());
            let context = context.get();
            com!(
                security,
                IHostSecurityManagerVtbl,
                SetSecurityContext,
                kind,
                context
            )
            .into()
        }
        _ => return on_store(world, call, arguments),
    })
}

fn on_store(world: &World, call: &str, arguments: &[&str]) -> Option<Answer> {
    let store = world.managers.store;
    let [mut image, mut symbols]: [*mut c_void; 2] = [std::ptr::dangling_mut(); 2];
    let places = (&raw mut image, &raw mut symbols);
    let result = match call {
        "ProvideAssembly" => {
            let identity = wide(&arguments[1..].join(" "));
            let mut info = AssemblyBindInfo {
                dwAppDomainId: 1,
                lpReferencedIdentity: std::ptr::null(),
                lpPostPolicyIdentity: identity.as_ptr(),
                ePolicyLevel: 0,
            };
            let (mut id, mut context) = (0_u64, 0_u64);
            com!(
                store,
                IHostAssemblyStoreVtbl,
                ProvideAssembly,
                &raw mut info,
                &raw mut id,
                &raw mut context,
                places.0,
                places.1
            )
        }
        "ProvideModule" => {
            let (module, identity) = (wide(arguments[1]), wide(&arguments[2..].join(" ")));
            let mut info = ModuleBindInfo {
                dwAppDomainId: 1,
                lpAssemblyIdentity: identity.as_ptr(),
                lpModuleName: module.as_ptr(),
            };
            let mut id = 0_u32;
            com!(
                store,
                IHostAssemblyStoreVtbl,
                ProvideModule,
                &raw mut info,
                &raw mut id,
                places.0,
                places.1
            )
        }
        _ => return None,
    };
    assert_eq!(result == Hresult::S_OK, !image.is_null());
    if image.is_null() {
        return Some(result.into());
    }
    let has_symbols = !symbols.is_null();
    if has_symbols {
        assert_eq!(Object::new(symbols).release(), 0);
    }
    let made = Ok(Object::new(image));
    keep(world, arguments[0], Kind::Stream, made);
    Some(Answer {
        result,
        value: Some(has_symbols.into()),
    })
}

/// A call of a context or a stream.
pub fn on_object(
    world: &World,
    kind: Kind,
    object: Object,
    method: &str,
    arguments: &[&str],
) -> Option<Answer> {
    let first = arguments.first().copied();
    let at = |at: usize| arguments.get(at).copied();
    Some(match (kind, method) {
        (Kind::Context, "Capture") => {
            let made = given(|out| com!(object, IHostSecurityContextVtbl, Capture, out));
            keep(world, first.expect("a name"), Kind::Context, made)
        }
        (Kind::Stream, "Read") => {
            let mut buffer = [0_u8; 4096];
            let place = buffer.as_mut_ptr().cast();
            let length = number::<u32>(first).min(4096);
            valued(|count: *mut u32| com!(object, IStreamVtbl, Read, place, length, count))
        }
        (Kind::Stream, "Write") => {
            let place = c"a".as_ptr().cast_mut().cast();
            valued(|count: *mut u32| com!(object, IStreamVtbl, Write, place, 1, count))
        }
        (Kind::Stream, "Seek") => {
            let (mut position, place) = (0_u64, number(first));
            let result = com!(
                object,
                IStreamVtbl,
                Seek,
                place,
                number(at(1)),
                &raw mut position
            );
            Answer {
                result,
                value: i64::try_from(position).ok(),
            }
        }
        (Kind::Stream, "SetSize") => com!(object, IStreamVtbl, SetSize, number(first)).into(),
        (Kind::Stream, "CopyTo") => {
            let sink = Box::leak(Box::new(Head::new(&SINK)));
            let (mut read, mut written) = (0_u64, 0_u64);
            let target = (&raw mut *sink).cast();
            let count = number(first);
            let places = (&raw mut read, &raw mut written);
            let result = com!(
                object,
                IStreamVtbl,
                CopyTo,
                target,
                count,
                places.0,
                places.1
            );
            assert_eq!(read, written);
            Answer {
                result,
                value: i64::try_from(written).ok(),
            }
        }
        (Kind::Stream, "Commit") => com!(object, IStreamVtbl, Commit, 0).into(),
        (Kind::Stream, "Revert") => com!(object, IStreamVtbl, Revert).into(),
        (Kind::Stream, "LockRegion") => com!(object, IStreamVtbl, LockRegion, 0, 1, 0).into(),
        (Kind::Stream, "UnlockRegion") => com!(object, IStreamVtbl, UnlockRegion, 0, 1, 0).into(),
        (Kind::Stream, "Stat") => {
            // SAFETY: all zeros are a value of it.
            let mut known: STATSTG = unsafe { std::mem::zeroed() };
            let result = com!(object, IStreamVtbl, Stat, &raw mut known, 1);
            Answer {
                result,
                value: i64::try_from(known.cbSize).ok(),
            }
        }
        (Kind::Stream, "Clone") => {
            let made = given(|out| com!(object, IStreamVtbl, Clone, out));
            keep(world, first.expect("a name"), Kind::Stream, made)
        }
        _ => return None,
    })
}
