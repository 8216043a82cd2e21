//! What `SET` sets and `SHOW` shows, for one session.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::time::Duration;

use crate::builtin::VERSION;
use crate::error::SqlError;

/// What clients are told at the start. The names have their own spelling.
pub const TOLD: [(&str, &str); 7] = [
    ("server_version", VERSION),
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, MDY"),
    ("TimeZone", "UTC"),
    ("integer_datetimes", "on"),
    ("standard_conforming_strings", "on"),
];

/// The most settings that are kept to be shown, and the longest of their values.
const OTHERS_MAX: usize = 100;
const VALUE_MAX: usize = 1000;

/// See the module docs.
#[derive(Debug, Default)]
pub struct Settings {
    /// How long a statement may take.
    pub statement_timeout: Option<Duration>,
    /// What has no effect here, and is kept to be shown.
    others: BTreeMap<String, String>,
}

impl Settings {
    /// Sets one, or sets it back.
    ///
    /// # Errors
    /// If the value cannot be.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), SqlError> {
        match (name, value) {
            ("statement_timeout", value) => {
                self.statement_timeout = duration(value.unwrap_or("0"))?
            }
            ("client_encoding" | "names", Some(value))
                if !["utf8", "utf-8", "unicode"].contains(&value.to_ascii_lowercase().as_str()) =>
            {
                return Err(SqlError::unsupported(format!(
                    "encoding {value} is not known"
                )));
            }
            ("server_version" | "server_encoding" | "integer_datetimes", _) => {
                let message = format!("parameter \"{name}\" cannot be changed");
                return Err(SqlError::new("55P02", message));
            }
            ("all", None) => *self = Settings::default(),
            (_, None) => drop(self.others.remove(name)),
            (_, Some(value)) if value.len() > VALUE_MAX => return Err(wrong(name, "...")),
            (_, Some(_)) if self.others.len() >= OTHERS_MAX && !self.others.contains_key(name) => {
                return Err(SqlError::new("53400", "too many settings"));
            }
            (_, Some(value)) => drop(self.others.insert(name.to_owned(), value.to_owned())),
        }
        Ok(())
    }

    /// What one is.
    ///
    /// # Errors
    /// If nobody has heard of it.
    pub fn show(&self, name: &str) -> Result<String, SqlError> {
        if name == "statement_timeout" {
            let time = self.statement_timeout.unwrap_or_default();
            let unit = if time.is_zero() { "" } else { "ms" };
            return Ok(format!("{}{unit}", time.as_millis()));
        }
        let told = || {
            let found = TOLD
                .iter()
                .find(|(told, _)| told.eq_ignore_ascii_case(name));
            found.map(|(_, value)| (*value).to_owned())
        };
        self.others.get(name).cloned().or_else(told).ok_or_else(|| {
            let message = format!("unrecognized configuration parameter \"{name}\"");
            SqlError::new("42704", message)
        })
    }
}

/// Zero is no limit.
fn duration(text: &str) -> Result<Option<Duration>, SqlError> {
    let time = span("statement_timeout", text)?;
    Ok((!time.is_zero()).then_some(time))
}

/// `1500`, `1500ms`, `200us`, `2s`, `1min`, `1h`.
///
/// # Errors
/// 22023 if it is none of that; it names the parameter.
pub fn span(name: &str, text: &str) -> Result<Duration, SqlError> {
    let text = text.trim();
    let digits = text
        .find(|each: char| !each.is_ascii_digit())
        .unwrap_or(text.len());
    let unit = match text[digits..].trim() {
        "us" => Some(1),
        "" | "ms" => Some(1000),
        "s" => Some(1_000_000),
        "min" => Some(60_000_000),
        "h" => Some(3_600_000_000),
        _ => None,
    };
    let number = text[..digits].parse::<u64>().ok();
    let microseconds = number
        .zip(unit)
        .and_then(|(number, unit)| number.checked_mul(unit));
    microseconds
        .map(Duration::from_micros)
        .ok_or_else(|| wrong(name, text))
}

/// The error of a value that cannot be.
pub fn wrong(name: &str, value: &str) -> SqlError {
    let message = format!("invalid value for parameter \"{name}\": \"{value}\"");
    SqlError::new("22023", message)
}
