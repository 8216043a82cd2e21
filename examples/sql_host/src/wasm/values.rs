//! Values between SQL and a guest.
//!
//! | SQL | guest |
//! |---|---|
//! | `boolean`, `smallint`, `integer` | `i32` |
//! | `bigint` | `i64` |
//! | `real`, `double precision` | `f32`, `f64` |
//! | `text`, `bytea` | `i32 i32`: an address and a length in the memory that is exported as `memory` |
//!
//! What is text is copied into the guest first, at an address that its export `alloc` gives for the length of all of it. It
//! belongs to the guest until its function returns; what the function returns is copied out at once. `NULL` never gets in: a
//! function with such an argument is `NULL` without a call.
#![forbid(unsafe_code)]

use rusqlite::types::Value;
use wasmtime::{FuncType, Val, ValType};

use crate::error::SqlError;
use crate::runtime::FunctionDef;
use crate::value::Type;

/// A text that a guest may return, or have as its statement.
pub(super) const TEXT_MAX: usize = 1 << 20;

fn is_text(ty: Type) -> bool {
    ty == Type::TEXT || ty == Type::BYTEA
}

/// What a guest has for a value of this type.
fn shape(ty: Type) -> &'static [ValType] {
    match ty {
        Type::BOOL | Type::INT2 | Type::INT4 => &[ValType::I32],
        Type::FLOAT4 => &[ValType::F32],
        Type::FLOAT8 => &[ValType::F64],
        ty if is_text(ty) => &[ValType::I32, ValType::I32],
        _ => &[ValType::I64],
    }
}

/// Whether the export has the type that the definition wants.
///
/// # Errors
/// 42P13, with both.
pub(super) fn check(definition: &FunctionDef, found: &FuncType) -> Result<(), SqlError> {
    let wanted = |types: &mut dyn Iterator<Item = Type>| -> Vec<ValType> {
        types.flat_map(|ty| shape(ty).iter().cloned()).collect()
    };
    let arguments = wanted(&mut definition.arguments.iter().map(|argument| argument.ty));
    let results = wanted(&mut definition.returns.into_iter());
    let same = |wanted: &[ValType], found: &mut dyn ExactSizeIterator<Item = ValType>| {
        wanted.len() == found.len()
            && found
                .zip(wanted)
                .all(|(found, wanted)| found.matches(wanted))
    };
    if same(&arguments, &mut found.params()) && same(&results, &mut found.results()) {
        return Ok(());
    }
    let name = &definition.name;
    let message = format!(
        "the export \"{name}\" is {found}, and takes {arguments:?} and returns {results:?} by its definition"
    );
    Err(SqlError::new("42P13", message))
}

/// Whether arguments of this type need `alloc`.
pub(super) fn has_text(definition: &FunctionDef) -> bool {
    let mut arguments = definition.arguments.iter();
    arguments.any(|argument| is_text(argument.ty))
}

/// Arguments on their way into a guest.
#[derive(Debug)]
pub(super) struct Incoming<'a> {
    definition: &'a FunctionDef,
    values: &'a [Value],
}

impl<'a> Incoming<'a> {
    /// None if one is `NULL`.
    ///
    /// # Errors
    /// 42883 if there are more or fewer than the definition says.
    pub(super) fn new(
        definition: &'a FunctionDef,
        values: &'a [Value],
    ) -> Result<Option<Incoming<'a>>, SqlError> {
        let (wanted, given) = (definition.arguments.len(), values.len());
        if wanted != given {
            let message = format!("{} takes {wanted} arguments, not {given}", definition.name);
            return Err(SqlError::new("42883", message));
        }
        let is_null = values.contains(&Value::Null);
        Ok((!is_null).then_some(Incoming { definition, values }))
    }

    fn each(&self) -> impl Iterator<Item = (Type, &'a Value)> {
        let types = self.definition.arguments.iter().map(|argument| argument.ty);
        types.zip(self.values)
    }

    /// Bytes of all that is text.
    ///
    /// # Errors
    /// 54000 if they are too many for a guest.
    pub(super) fn text_length(&self) -> Result<i32, SqlError> {
        let lengths = self
            .each()
            .filter(|(ty, _)| is_text(*ty))
            .map(|(_, value)| bytes(value).len());
        let sum: usize = lengths.sum();
        let too_long = || SqlError::new("54000", "arguments that are too long for a guest");
        i32::try_from(sum).map_err(|_| too_long())
    }

    /// What the guest's function is called with; text is written at `address` of its memory.
    ///
    /// # Errors
    /// 22000 if a value has another type; 2202E if the memory has no room where `alloc` said.
    pub(super) fn write(&self, memory: &mut [u8], address: i32) -> Result<Vec<Val>, SqlError> {
        let mut at = address as u32 as usize;
        let mut written = Vec::with_capacity(self.values.len() + 1);
        for (ty, value) in self.each() {
            if is_text(ty) {
                let bytes = bytes(value);
                let place = memory
                    .get_mut(at..at.saturating_add(bytes.len()))
                    .ok_or_else(outside)?;
                place.copy_from_slice(&bytes);
                written.extend([Val::I32(at as i32), Val::I32(bytes.len() as i32)]);
                at += bytes.len();
            } else {
                written.push(number(ty, value)?);
            }
        }
        Ok(written)
    }
}

fn bytes(value: &Value) -> std::borrow::Cow<'_, [u8]> {
    match value {
        Value::Text(text) => text.as_bytes().into(),
        Value::Blob(bytes) => bytes.into(),
        Value::Integer(number) => number.to_string().into_bytes().into(),
        Value::Real(number) => number.to_string().into_bytes().into(),
        Value::Null => [].as_slice().into(),
    }
}

fn outside() -> SqlError {
    SqlError::new("38000", "the guest names an address outside its memory")
}

fn number(ty: Type, value: &Value) -> Result<Val, SqlError> {
    let wrong = || {
        let message = format!("an argument is no {}", ty.name());
        SqlError::new("22000", message)
    };
    let too_large = || {
        SqlError::new(
            "22003",
            format!("an argument is out of range of {}", ty.name()),
        )
    };
    if ty == Type::FLOAT4 || ty == Type::FLOAT8 {
        let real = match value {
            Value::Real(number) => *number,
            Value::Integer(number) => *number as f64,
            _ => return Err(wrong()),
        };
        return Ok(if ty == Type::FLOAT4 {
            Val::F32((real as f32).to_bits())
        } else {
            Val::F64(real.to_bits())
        });
    }
    let Value::Integer(whole) = value else {
        return Err(wrong());
    };
    Ok(match ty {
        Type::BOOL => Val::I32(i32::from(*whole != 0)),
        Type::INT2 => Val::I32(i16::try_from(*whole).map_err(|_| too_large())?.into()),
        Type::INT4 => Val::I32(i32::try_from(*whole).map_err(|_| too_large())?),
        _ => Val::I64(*whole),
    })
}

/// Room for what a function of this type returns.
pub(super) fn room(returns: Option<Type>) -> Vec<Val> {
    let types = returns.map_or(&[][..], shape);
    types
        .iter()
        .map(|ty| match ty {
            ValType::I32 => Val::I32(0),
            ValType::I64 => Val::I64(0),
            ValType::F32 => Val::F32(0),
            _ => Val::F64(0),
        })
        .collect()
}

/// What a function has returned, as SQL has it.
///
/// # Errors
/// 38000 if it names what is not in its memory, 22021 if a text is no UTF-8, 54000 if it is too long.
pub(super) fn result(ty: Type, found: &[Val], memory: Option<&[u8]>) -> Result<Value, SqlError> {
    Ok(match found {
        [Val::I32(address), Val::I32(length)] => {
            let bytes = part(memory, *address, *length)?.to_vec();
            if ty == Type::BYTEA {
                Value::Blob(bytes)
            } else {
                let no_text =
                    |_| SqlError::new("22021", "the guest returns a text that is no UTF-8");
                Value::Text(String::from_utf8(bytes).map_err(no_text)?)
            }
        }
        [Val::I32(number)] if ty == Type::BOOL => Value::Integer(i64::from(*number != 0)),
        [Val::I32(number)] => Value::Integer((*number).into()),
        [Val::I64(number)] => Value::Integer(*number),
        [Val::F32(bits)] => Value::Real(f32::from_bits(*bits).into()),
        [Val::F64(bits)] => Value::Real(f64::from_bits(*bits)),
        _ => Value::Null,
    })
}

/// A part of a guest's memory.
///
/// # Errors
/// 38000 if it is not in there, 54000 if it is too long to be copied.
pub(super) fn part(memory: Option<&[u8]>, address: i32, length: i32) -> Result<&[u8], SqlError> {
    let (address, length) = (address as u32 as usize, length as u32 as usize);
    if length > TEXT_MAX {
        let message = format!("the guest hands over {length} bytes, more than {TEXT_MAX}");
        return Err(SqlError::new("54000", message));
    }
    let end = address.saturating_add(length);
    memory
        .and_then(|memory| memory.get(address..end))
        .ok_or_else(outside)
}
