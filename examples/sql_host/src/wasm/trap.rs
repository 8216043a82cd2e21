//! What a guest ends with, as an error of its statement.
#![forbid(unsafe_code)]

use wasmtime::Trap;

use crate::error::SqlError;

/// An import's own error, or a trap.
pub(super) fn error(error: wasmtime::Error) -> SqlError {
    if let Some(ours) = error.downcast_ref::<SqlError>() {
        return ours.clone();
    }
    let Some(trap) = error.downcast_ref::<Trap>() else {
        return SqlError::new("XX000", format!("the guest cannot run: {error:#}"));
    };
    let code = match trap {
        Trap::StackOverflow => "54001",
        Trap::IntegerDivisionByZero => "22012",
        Trap::IntegerOverflow | Trap::BadConversionToInteger => "22003",
        // What a routine outside the database ends with.
        _ => "38000",
    };
    SqlError::new(code, format!("the guest trapped: {trap}"))
}

/// Of a body that cannot be a guest.
pub(super) fn wrong_body(error: &wasmtime::Error) -> SqlError {
    SqlError::new("42P13", format!("the body is no guest: {error:#}"))
}
