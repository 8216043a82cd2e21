//! What the operator orders, read from tokens: `KILL`, `EXPORT TRACE`, `ALTER SYSTEM`.
#![forbid(unsafe_code)]

use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::command::{text_of, value_of, word};
use crate::error::SqlError;

/// See the module docs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// `KILL n`: a session is to end.
    Kill(i32),
    /// `KILL n WITH STATUSONLY`: what keeps one that was killed.
    KillStatus(i32),
    /// `EXPORT TRACE 'file'`: what the scheduler has recorded goes to this file.
    ExportTrace(String),
    /// `ALTER SYSTEM SET name = value`, or its default: a setting of the running server.
    Alter(String, Option<String>),
    /// `ALTER SYSTEM RESET ALL`
    AlterNothing,
}

/// Reads one. The first words were looked at.
///
/// # Errors
/// 42601 if the rest of it makes no sense.
pub fn read(tokens: &[&TokenWithSpan]) -> Result<Order, SqlError> {
    let words: Vec<String> = tokens
        .iter()
        .map(|token| word(token).unwrap_or_default())
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["KILL", ..] => kill(&tokens[1..], &words[1..]),
        ["EXPORT", ..] => match &tokens[2..] {
            [file] if matches!(file.token, Token::SingleQuotedString(_)) => {
                Ok(Order::ExportTrace(text_of(&file.token)))
            }
            _ => Err(SqlError::syntax(
                "EXPORT TRACE wants a file's name in quotes",
            )),
        },
        [_, _, "RESET", "ALL"] => Ok(Order::AlterNothing),
        [_, _, "RESET", _] => Ok(Order::Alter(name(tokens[3]), None)),
        [_, _, "SET", _, _, ..] => Ok(Order::Alter(name(tokens[3]), value_of(&tokens[4..]))),
        _ => Err(SqlError::syntax(
            "ALTER SYSTEM wants SET name = value, RESET name, or RESET ALL",
        )),
    }
}

fn kill(tokens: &[&TokenWithSpan], words: &[&str]) -> Result<Order, SqlError> {
    let wrong =
        || SqlError::syntax("KILL wants the number of a session, and WITH STATUSONLY or nothing");
    let (number, rest) = tokens.split_first().ok_or_else(wrong)?;
    let number = text_of(&number.token).parse().map_err(|_| wrong())?;
    match words[tokens.len() - rest.len()..] {
        [] => Ok(Order::Kill(number)),
        ["WITH", "STATUSONLY"] => Ok(Order::KillStatus(number)),
        _ => Err(wrong()),
    }
}

fn name(token: &TokenWithSpan) -> String {
    text_of(&token.token).to_ascii_lowercase()
}
