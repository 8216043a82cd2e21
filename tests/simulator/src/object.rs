//! A pointer to an object of the host's, as a runtime has it.

use std::ffi::c_void;

use fiberhost::com::Hresult;

/// Calls a slot of an object, named by the type of its table.
macro_rules! com {
    ($object:expr, $table:ident, $slot:ident $(, $argument:expr)* $(,)?) => {{
        $crate::slots::note(stringify!($table), stringify!($slot));
        $crate::object::unnoted!($object, $table, $slot $(, $argument)*)
    }};
}

/// The same, and nothing else.
macro_rules! unnoted {
    ($object:expr, $table:ident, $slot:ident $(, $argument:expr)* $(,)?) => {{
        let object: $crate::object::Object = $object;
        // SAFETY: the object is there and has this table; the caller vouches for what it gives.
        unsafe {
            let table = *object.get().cast::<*const fiberhost::com::table::$table>();
            ((*table).$slot)(object.get() $(, $argument)*)
        }
    }};
}

pub(crate) use {com, unnoted};

/// A pointer that counts nothing by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object(*mut c_void);

// SAFETY: the objects may be called from any thread.
unsafe impl Send for Object {}
// SAFETY: as above.
unsafe impl Sync for Object {}

impl Object {
    /// The object at this address.
    pub fn new(pointer: *mut c_void) -> Object {
        Object(pointer)
    }

    /// The address.
    pub fn get(self) -> *mut c_void {
        self.0
    }

    /// Gives a reference back, and says how many are left.
    pub fn release(self) -> u32 {
        com!(self, IUnknownVtbl, Release)
    }
}

/// What a call gives through its last pointer; null if it failed, as the interface says.
pub fn given(call: impl FnOnce(*mut *mut c_void) -> Hresult) -> Result<Object, Hresult> {
    let mut object = std::ptr::without_provenance_mut(1);
    let result = call(&raw mut object);
    if result == Hresult::S_OK {
        assert!(!object.is_null(), "success without an object");
        return Ok(Object(object));
    }
    assert!(object.is_null(), "{result:?} with an object");
    Err(result)
}
