//! Values between the protocol and SQLite: the types that clients are told, parameters, and rows.
#![forbid(unsafe_code)]

use std::num::IntErrorKind;

use bytes::{BufMut, Bytes, BytesMut};
use rusqlite::types::{Value, ValueRef};

use crate::error::SqlError;

/// A type, by its number in PostgreSQL's catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type(pub u32);

impl Type {
    /// `boolean`
    pub const BOOL: Type = Type(16);
    /// `bytea`
    pub const BYTEA: Type = Type(17);
    /// `bigint`
    pub const INT8: Type = Type(20);
    /// `smallint`
    pub const INT2: Type = Type(21);
    /// `integer`
    pub const INT4: Type = Type(23);
    /// `text`
    pub const TEXT: Type = Type(25);
    /// `real`
    pub const FLOAT4: Type = Type(700);
    /// `double precision`
    pub const FLOAT8: Type = Type(701);
    /// `character varying`
    pub const VARCHAR: Type = Type(1043);

    /// What a column's declaration says, by SQLite's rules of affinity and PostgreSQL's names.
    pub fn declared(declaration: &str) -> Type {
        let name = declaration.to_ascii_uppercase();
        let has = |part: &str| name.contains(part);
        if name == "BOOLEAN" || name == "BOOL" {
            Type::BOOL
        } else if name == "INT4" || name == "INT2" || name == "SMALLINT" {
            Type::INT4
        } else if has("INT") || has("SERIAL") {
            Type::INT8
        } else if has("REAL") || has("FLOA") || has("DOUB") || has("NUMERIC") || has("DECIMAL") {
            Type::FLOAT8
        } else if has("BLOB") || name == "BYTEA" {
            Type::BYTEA
        } else {
            Type::TEXT
        }
    }

    /// What a value is, where no declaration says more.
    pub fn of(value: ValueRef<'_>) -> Type {
        match value {
            ValueRef::Integer(_) => Type::INT8,
            ValueRef::Real(_) => Type::FLOAT8,
            ValueRef::Blob(_) => Type::BYTEA,
            ValueRef::Text(_) | ValueRef::Null => Type::TEXT,
        }
    }

    /// PostgreSQL's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Type::BOOL => "boolean",
            Type::BYTEA => "bytea",
            Type::INT8 => "bigint",
            Type::INT2 => "smallint",
            Type::INT4 => "integer",
            Type::TEXT => "text",
            Type::FLOAT4 => "real",
            Type::FLOAT8 => "double precision",
            Type::VARCHAR => "character varying",
            _ => "unknown",
        }
    }

    /// Bytes of a value, or -1 if they vary.
    pub fn size(self) -> i16 {
        match self {
            Type::BOOL => 1,
            Type::INT2 => 2,
            Type::INT4 | Type::FLOAT4 => 4,
            Type::INT8 | Type::FLOAT8 => 8,
            _ => -1,
        }
    }
}

/// How a value travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As one would write it.
    Text,
    /// As the type's own bytes.
    Binary,
}

impl Format {
    /// The format of the item at `index`: none is text, one is for all.
    pub fn pick(codes: &[i16], index: usize) -> Result<Format, SqlError> {
        let code = match codes {
            [] => 0,
            [one] => *one,
            many => many.get(index).copied().unwrap_or(0),
        };
        match code {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            _ => Err(SqlError::protocol(format!(
                "unsupported format code: {code}"
            ))),
        }
    }
}

/// A parameter as SQLite takes it.
pub fn parameter(bytes: Option<&Bytes>, format: Format, ty: Type) -> Result<Value, SqlError> {
    let Some(bytes) = bytes else {
        return Ok(Value::Null);
    };
    match format {
        Format::Binary => binary_parameter(bytes, ty),
        Format::Text => text_parameter(bytes, ty),
    }
}

fn text_parameter(bytes: &Bytes, ty: Type) -> Result<Value, SqlError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| SqlError::new("22021", "a parameter is no valid UTF-8"))?;
    let wrong = |kind: &str| {
        let message = format!("invalid input syntax for type {kind}: \"{text}\"");
        SqlError::new("22P02", message)
    };
    Ok(match ty {
        Type::INT2 | Type::INT4 | Type::INT8 => Value::Integer(whole(text, ty)?),
        Type::FLOAT4 | Type::FLOAT8 => {
            Value::Real(text.trim().parse().map_err(|_| wrong("double precision"))?)
        }
        Type::BOOL => match text.trim().to_ascii_lowercase().as_str() {
            "t" | "true" | "yes" | "on" | "1" => Value::Integer(1),
            "f" | "false" | "no" | "off" | "0" => Value::Integer(0),
            _ => return Err(wrong("boolean")),
        },
        Type::BYTEA => Value::Blob(unhex(text).ok_or_else(|| wrong("bytea"))?),
        // SQLite gives a text the type of the column that it meets.
        _ => Value::Text(text.to_owned()),
    })
}

/// A whole number, within the bounds of its type.
fn whole(text: &str, ty: Type) -> Result<i64, SqlError> {
    let out_of_range = || {
        let message = format!("value \"{text}\" is out of range for type {}", ty.name());
        SqlError::new("22003", message)
    };
    let number = text
        .trim()
        .parse::<i64>()
        .map_err(|error| match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => out_of_range(),
            _ => {
                let message = format!("invalid input syntax for type {}: \"{text}\"", ty.name());
                SqlError::new("22P02", message)
            }
        })?;
    let fits = match ty {
        Type::INT2 => i16::try_from(number).is_ok(),
        Type::INT4 => i32::try_from(number).is_ok(),
        _ => true,
    };
    if fits {
        Ok(number)
    } else {
        Err(out_of_range())
    }
}

fn binary_parameter(bytes: &Bytes, ty: Type) -> Result<Value, SqlError> {
    let wrong = || SqlError::new("22P03", "incorrect binary data format in a parameter");
    fn exactly<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
        bytes.try_into().ok()
    }
    Ok(match ty {
        Type::BOOL => Value::Integer(i64::from(exactly::<1>(bytes).ok_or_else(wrong)?[0] != 0)),
        Type::INT2 => Value::Integer(i16::from_be_bytes(exactly(bytes).ok_or_else(wrong)?).into()),
        Type::INT4 => Value::Integer(i32::from_be_bytes(exactly(bytes).ok_or_else(wrong)?).into()),
        Type::INT8 => Value::Integer(i64::from_be_bytes(exactly(bytes).ok_or_else(wrong)?)),
        Type::FLOAT4 => Value::Real(f32::from_be_bytes(exactly(bytes).ok_or_else(wrong)?).into()),
        Type::FLOAT8 => Value::Real(f64::from_be_bytes(exactly(bytes).ok_or_else(wrong)?)),
        Type::BYTEA => Value::Blob(bytes.to_vec()),
        _ => {
            let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
            Value::Text(text.to_owned())
        }
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let Some(digits) = text.strip_prefix("\\x") else {
        return Some(text.as_bytes().to_vec());
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}

/// Appends one value of a row, its length first.
pub fn put(out: &mut BytesMut, value: ValueRef<'_>, format: Format, ty: Type) {
    if value == ValueRef::Null {
        out.put_i32(-1);
        return;
    }
    let start = out.len();
    out.put_i32(0);
    match format {
        Format::Text => put_text(out, value, ty),
        Format::Binary => put_binary(out, value, ty),
    }
    let length = i32::try_from(out.len() - start - 4).expect("SQLite's values are below 1 GB");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn put_text(out: &mut BytesMut, value: ValueRef<'_>, ty: Type) {
    use std::fmt::Write;
    // Writing to a buffer that grows cannot fail.
    let _ = match value {
        ValueRef::Null => Ok(()),
        ValueRef::Integer(number) if ty == Type::BOOL => {
            out.write_str(if number == 0 { "f" } else { "t" })
        }
        ValueRef::Integer(number) => write!(out, "{number}"),
        ValueRef::Real(number) => write!(out, "{number}"),
        ValueRef::Text(text) => {
            out.put_slice(text);
            Ok(())
        }
        ValueRef::Blob(bytes) => {
            let begun = out.write_str("\\x");
            bytes
                .iter()
                .fold(begun, |done, byte| done.and(write!(out, "{byte:02x}")))
        }
    };
}

/// SQLite's columns hold what they like; what does not fit the type that was announced goes as its nearest.
fn put_binary(out: &mut BytesMut, value: ValueRef<'_>, ty: Type) {
    let whole = || match value {
        ValueRef::Integer(number) => number,
        // A cast that saturates.
        ValueRef::Real(number) => number as i64,
        ValueRef::Text(text) => String::from_utf8_lossy(text).trim().parse().unwrap_or(0),
        ValueRef::Null | ValueRef::Blob(_) => 0,
    };
    let real = || match value {
        ValueRef::Integer(number) => number as f64,
        ValueRef::Real(number) => number,
        ValueRef::Text(text) => String::from_utf8_lossy(text).trim().parse().unwrap_or(0.0),
        ValueRef::Null | ValueRef::Blob(_) => 0.0,
    };
    match ty {
        Type::BOOL => out.put_u8(u8::from(whole() != 0)),
        Type::INT2 => out.put_i16(whole() as i16),
        Type::INT4 => out.put_i32(whole() as i32),
        Type::INT8 => out.put_i64(whole()),
        Type::FLOAT4 => out.put_f32(real() as f32),
        Type::FLOAT8 => out.put_f64(real()),
        Type::BYTEA => match value {
            ValueRef::Blob(bytes) | ValueRef::Text(bytes) => out.put_slice(bytes),
            other => put_text(out, other, ty),
        },
        _ => put_text(out, value, ty),
    }
}
