//! The two macros that make something of one entry for each method.
//!
//! `host_interface!` makes a safe trait, its thunks and its table. An entry reads
//!
//! ```text
//! /// What it does.
//! @optional
//! fn set_locale = SetLocale(locale: u32 [lcid: u32]) -> ();
//! ```
//!
//! with the method of the trait, the slot, the arguments with the words that carry them, and the results.
//! `@optional`: an implementation may leave it out, and the answer is `E_NOTIMPL`; only where the reference allows that.
//! `@always`: see `Manner::Always`. `@quick`: it has a short way, in `quick.rs`, by what stands beside the implementation (`with`).
//!
//! That the words are those of the binary interface is checked by the compiler, since the table's type is made from its data.
//!
//! `clr_interface!` makes a handle with a safe method for each slot that a host may call.
#![forbid(unsafe_code)]

macro_rules! host_interface {
    (
        $(#[$doc:meta])*
        $interface:ident $table:ident $iid:ident $(with $quick:ty)?;
        $(
            $(#[$method_doc:meta])*
            $(@$mark:ident)*
            fn $method:ident = $slot:ident($($argument:ident: $kind:ty [$($word:ident: $word_type:ty),+]),* $(,)?)
                -> ($($result:ident: $result_kind:ty),*);
        )*
    ) => {
        $(#[$doc])*
        pub trait $interface: std::any::Any + Send + Sync {
            $($crate::com::interface::declare! {
                [$($mark)*] $(#[$method_doc])* fn $method($($argument: $kind),*) -> ($($result_kind),*)
            })*
        }

        const _: () = {
            use std::ffi::c_void;
            #[allow(unused_imports, reason = "for those with arguments")]
            use $crate::com::argument::Argument;
            #[allow(unused_imports, reason = "for those with results")]
            use $crate::com::argument::Output;
            use $crate::com::object::{HostInterface, Unknown, call};
            use $crate::com::{Hresult, table};

            type Interface = dyn $interface;

            static TABLE: table::$table = table::$table {
                QueryInterface: Unknown::<Interface>::query_interface,
                AddRef: Unknown::<Interface>::add_ref,
                Release: Unknown::<Interface>::release,
                $($slot: $method,)*
            };

            impl HostInterface for Interface {
                const IID: $crate::com::Guid = table::$iid;
                #[allow(unused_parens, reason = "one or none")]
                type Quick = ($($quick)?);

                #[inline(always)]
                fn table() -> *const c_void {
                    (&raw const TABLE).cast()
                }
            }

            $(
                $crate::com::interface::slot! { [$($mark)*] $method
                    (this: *mut c_void $(, $($word: $word_type),+)* $(, $result: *mut <$result_kind as Output>::Word)*)
                {
                    let outputs = Ok(());
                    // SAFETY: as the caller promises; likewise below.
                    $(let outputs = outputs.and(unsafe { <$result_kind as Output>::clear($result) });)*
                    let manner = $crate::com::interface::manner!($($mark)*);
                    let method = move |implementation: &Interface| {
                        // SAFETY: as the caller promises.
                        $(let $argument = unsafe { <$kind as Argument>::check(($($word,)+)) }?;)*
                        $crate::com::interface::bind!(
                            implementation.$method($($argument),*)?, $($result)*,
                            // SAFETY: `call` comes here only if all of them were found to be right.
                            |value, pointer| unsafe { Output::write(value, pointer) }
                        );
                        Ok(())
                    };
                    // SAFETY: as the caller promises.
                    unsafe { call::<Interface>(this, manner, outputs, method) }
                }}
            )*
        };
    };
}
pub(crate) use host_interface;

/// The declaration of a method in its trait.
macro_rules! declare {
    ([optional $($mark:ident)*] $(#[$doc:meta])* fn $method:ident($($argument:ident: $kind:ty),*) -> ($($result:ty),*)) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// `E_NOTIMPL` unless implemented.
        #[allow(unused_parens, reason = "one result")]
        fn $method(&self, $($argument: $kind),*) -> Result<($($result),*), $crate::com::Hresult> {
            $(let _ = $argument;)*
            Err($crate::com::Hresult::E_NOTIMPL)
        }
    };
    ([$($mark:ident)*] $(#[$doc:meta])* fn $method:ident($($argument:ident: $kind:ty),*) -> ($($result:ty),*)) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// What the runtime is to be told.
        #[allow(unused_parens, reason = "one result")]
        fn $method(&self, $($argument: $kind),*) -> Result<($($result),*), $crate::com::Hresult>;
    };
}
pub(crate) use declare;

/// The function of a slot. One with a short way tries that first, and has the long one apart.
macro_rules! slot {
    ([quick $($mark:ident)*] $method:ident ($($word:ident: $word_type:ty),*) $body:block) => {
        /// # Safety
        /// As for the long way.
        // Reached by its address alone, and never inlined: what it finds of its thread is not kept for a later call.
        #[inline(never)]
        unsafe extern "system" fn $method($($word: $word_type),*) -> Hresult {
            // SAFETY: as the caller promises.
            if let Some(answer) = unsafe { $crate::com::quick::$method($($word),*) } {
                return answer;
            }
            $crate::com::interface::slot! { [long] long ($($word: $word_type),*) $body }
            // SAFETY: as the caller promises.
            unsafe { long($($word),*) }
        }
    };
    ([$other:ident quick $($mark:ident)*] $($rest:tt)*) => {
        $crate::com::interface::slot! { [quick] $($rest)* }
    };
    ([$($mark:ident)*] $method:ident ($($word:ident: $word_type:ty),*) $body:block) => {
        /// # Safety
        /// `this` as for `object::call`; the other pointers are null, misaligned, or what the interface says.
        #[allow(unused_parens, clippy::unused_unit, reason = "one, no or several results")]
        #[inline(never)]
        unsafe extern "system" fn $method($($word: $word_type),*) -> Hresult $body
    };
}
pub(crate) use slot;

macro_rules! manner {
    () => {
        $crate::com::object::Manner::Usual
    };
    (always $($mark:ident)*) => {
        $crate::com::object::Manner::Always
    };
    ($other:ident $($mark:ident)*) => {
        $crate::com::interface::manner!($($mark)*)
    };
}
pub(crate) use manner;

/// Writes no, one or several results.
macro_rules! bind {
    ($call:expr, , $write:expr) => {
        $call
    };
    ($call:expr, $pointer:ident, $write:expr) => {
        #[allow(clippy::redundant_closure_call, reason = "a macro's")]
        ($write)($call, $pointer)
    };
    ($call:expr, $first:ident $second:ident, $write:expr) => {
        #[allow(clippy::redundant_closure_call, reason = "a macro's")]
        {
            let (first, second) = $call;
            ($write)(first, $first);
            ($write)(second, $second);
        }
    };
    ($call:expr, $first:ident $second:ident $third:ident $fourth:ident, $write:expr) => {
        #[allow(clippy::redundant_closure_call, reason = "a macro's")]
        {
            let (first, second, third, fourth) = $call;
            ($write)(first, $first);
            ($write)(second, $second);
            ($write)(third, $third);
            ($write)(fourth, $fourth);
        }
    };
    ($call:expr, $first:ident $second:ident $third:ident, $write:expr) => {
        #[allow(clippy::redundant_closure_call, reason = "a macro's")]
        {
            let (first, second, third) = $call;
            ($write)(first, $first);
            ($write)(second, $second);
            ($write)(third, $third);
        }
    };
}
pub(crate) use bind;

macro_rules! clr_interface {
    (
        $(#[$doc:meta])*
        $interface:ident $table:ident $iid:ident;
        $(
            $(#[$method_doc:meta])*
            fn $method:ident = $slot:ident($($argument:ident: $kind:ty),* $(,)?) $(-> $result:ty)?;
        )*
    ) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $interface($crate::com::clr::Raw);

        impl $crate::com::clr::ClrInterface for $interface {
            const IID: $crate::com::Guid = $crate::com::table::$iid;

            fn from_handle(raw: $crate::com::clr::Raw) -> Self {
                $interface(raw)
            }

            fn handle(&self) -> &$crate::com::clr::Raw {
                &self.0
            }
        }

        const _: fn() = || {
            fn is_listed<I: $crate::com::clr::Listed>() {}
            is_listed::<$interface>();
        };

        impl std::fmt::Debug for $interface {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($interface)).field(&self.0.as_ptr()).finish()
            }
        }

        impl $interface {
            $($crate::com::interface::clr_method! {
                $table $(#[$method_doc])* fn $method = $slot($($argument: $kind),*) $(-> $result)?
            })*
        }
    };
}
pub(crate) use clr_interface;

macro_rules! clr_method {
    ($table:ident $(#[$doc:meta])* fn $method:ident = $slot:ident($($argument:ident: $kind:ty),*)) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// What the runtime answers. A success with a twist is a success.
        pub fn $method(&self, $($argument: $kind),*) -> Result<$crate::com::Hresult, $crate::com::Hresult> {
            let table = self.0.table::<$crate::com::table::$table>();
            // SAFETY: the table belongs to the object, which this handle keeps, and the arguments are checked by their types.
            let answer = unsafe { (table.$slot)(self.0.as_ptr() $(, $crate::com::clr::Given::word(&$argument))*) };
            answer.ok().map(|()| answer)
        }
    };
    ($table:ident $(#[$doc:meta])* fn $method:ident = $slot:ident($($argument:ident: $kind:ty),*) -> $result:ty) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// What the runtime answers.
        pub fn $method(&self, $($argument: $kind),*) -> Result<$result, $crate::com::Hresult> {
            let table = self.0.table::<$crate::com::table::$table>();
            let mut result = <$result as $crate::com::clr::Taken>::NOTHING;
            // SAFETY: the table belongs to the object, which this handle keeps; the arguments are checked by their types,
            // and the result has a place for the length of the call.
            let answer = unsafe {
                (table.$slot)(self.0.as_ptr() $(, $crate::com::clr::Given::word(&$argument))*, &raw mut result)
            };
            answer.ok()?;
            // SAFETY: the call succeeded, so this is what it gave.
            Ok(unsafe { <$result as $crate::com::clr::Taken>::take(result) })
        }
    };
}
pub(crate) use clr_method;
