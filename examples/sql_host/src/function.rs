//! What is said of functions and procedures: `CREATE`, `DROP` and `CALL`, read from tokens.
#![forbid(unsafe_code)]

use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::command::{Kind, text_of, word};
use crate::error::SqlError;
use crate::runtime::{Argument, FunctionDef};
use crate::value::Type;

/// Reads tokens one after the other.
struct Reader<'t, 'q> {
    rest: &'t [&'q TokenWithSpan],
}

impl<'q> Reader<'_, 'q> {
    fn next(&mut self) -> Result<&'q TokenWithSpan, SqlError> {
        let (first, rest) = self
            .rest
            .split_first()
            .ok_or_else(|| SqlError::syntax("syntax error at end of input"))?;
        self.rest = rest;
        Ok(first)
    }

    /// Takes a word, if it comes next.
    fn takes(&mut self, wanted: &str) -> bool {
        let comes = self.rest.first().and_then(|token| word(token)).as_deref() == Some(wanted);
        if comes {
            self.rest = &self.rest[1..];
        }
        comes
    }

    fn takes_token(&mut self, wanted: &Token) -> bool {
        let comes = self
            .rest
            .first()
            .is_some_and(|token| token.token == *wanted);
        if comes {
            self.rest = &self.rest[1..];
        }
        comes
    }

    fn wants(&mut self, wanted: &Token) -> Result<&'q TokenWithSpan, SqlError> {
        let token = self.next()?;
        if token.token == *wanted {
            Ok(token)
        } else {
            Err(SqlError::syntax(format!(
                "syntax error at or near \"{}\"",
                token.token
            )))
        }
    }

    fn name(&mut self) -> Result<String, SqlError> {
        let token = self.next()?;
        match &token.token {
            Token::Word(word) if word.quote_style.is_some() => Ok(word.value.clone()),
            Token::Word(word) => Ok(word.value.to_ascii_lowercase()),
            other => Err(SqlError::syntax(format!(
                "syntax error at or near \"{other}\""
            ))),
        }
    }
}

/// `CREATE [OR REPLACE] { FUNCTION | PROCEDURE } name (…) [RETURNS type] LANGUAGE name AS text`
///
/// # Errors
/// If it says something else.
pub fn create(tokens: &[&TokenWithSpan]) -> Result<FunctionDef, SqlError> {
    let mut reader = Reader { rest: &tokens[1..] };
    let replace = reader.takes("OR") && reader.takes("REPLACE");
    let procedure = reader.takes("PROCEDURE");
    if !procedure {
        reader.takes("FUNCTION");
    }
    let name = reader.name()?;
    let arguments = arguments(&mut reader)?;
    let (mut returns, mut language, mut body) = (None, None, None);
    while !reader.rest.is_empty() {
        if reader.takes("RETURNS") {
            returns = Some(type_of(&type_words(&mut reader)?)?);
        } else if reader.takes("LANGUAGE") {
            language = Some(text_of(&reader.next()?.token).to_ascii_lowercase());
        } else if reader.takes("AS") {
            body = Some(text_of(&reader.next()?.token));
        } else if reader.takes("IMMUTABLE") || reader.takes("STABLE") || reader.takes("VOLATILE") {
            // What a planner may assume; SQLite's is told nothing.
        } else {
            let token = &reader.next()?.token;
            return Err(SqlError::syntax(format!(
                "syntax error at or near \"{token}\""
            )));
        }
    }
    let missing = |what: &str| SqlError::new("42P13", format!("no {what} specified"));
    if !procedure && returns.is_none() {
        return Err(missing("result type"));
    }
    Ok(FunctionDef {
        name,
        arguments,
        returns,
        language: language.ok_or_else(|| missing("language"))?,
        body: body.ok_or_else(|| missing("function body"))?,
        replace,
        procedure,
    })
}

fn arguments(reader: &mut Reader<'_, '_>) -> Result<Vec<Argument>, SqlError> {
    reader.wants(&Token::LParen)?;
    let mut arguments = Vec::new();
    if reader.takes_token(&Token::RParen) {
        return Ok(arguments);
    }
    loop {
        let words = type_words(reader)?;
        // A type of two words, a type of one, or a name before either.
        let (name, ty) = match type_of(&words) {
            Ok(ty) => (None, ty),
            Err(_) if words.len() > 1 => (Some(words[0].clone()), type_of(&words[1..])?),
            Err(error) => return Err(error),
        };
        arguments.push(Argument { name, ty });
        if reader.takes_token(&Token::RParen) {
            return Ok(arguments);
        }
        reader.wants(&Token::Comma)?;
    }
}

/// The words up to what cannot belong to a type.
fn type_words(reader: &mut Reader<'_, '_>) -> Result<Vec<String>, SqlError> {
    const AFTER: [&str; 6] = [
        "LANGUAGE",
        "AS",
        "RETURNS",
        "IMMUTABLE",
        "STABLE",
        "VOLATILE",
    ];
    let mut words = vec![reader.name()?];
    while let Some(next) = reader.rest.first().and_then(|token| word(token)) {
        if AFTER.contains(&next.as_str()) {
            break;
        }
        words.push(reader.name()?);
    }
    Ok(words)
}

/// A type by its name.
fn type_of(words: &[String]) -> Result<Type, SqlError> {
    let name = words.join(" ");
    Ok(match name.as_str() {
        "bool" | "boolean" => Type::BOOL,
        "int8" | "bigint" => Type::INT8,
        "int" | "int4" | "integer" => Type::INT4,
        "int2" | "smallint" => Type::INT2,
        "float8" | "double precision" => Type::FLOAT8,
        "float4" | "real" => Type::FLOAT4,
        "text" | "varchar" => Type::TEXT,
        "bytea" => Type::BYTEA,
        _ => {
            return Err(SqlError::new(
                "42704",
                format!("type \"{name}\" does not exist"),
            ));
        }
    })
}

/// `DROP { FUNCTION | PROCEDURE } [IF EXISTS] name [(…)]`
///
/// # Errors
/// If it says something else.
pub fn drop(tokens: &[&TokenWithSpan]) -> Result<Kind, SqlError> {
    let mut reader = Reader { rest: &tokens[1..] };
    let procedure = reader.takes("PROCEDURE");
    if !procedure {
        reader.takes("FUNCTION");
    }
    let if_exists = reader.takes("IF") && reader.takes("EXISTS");
    let name = reader.name()?;
    if !reader.rest.is_empty() {
        arguments(&mut reader)?;
    }
    Ok(Kind::Drop {
        name,
        if_exists,
        procedure,
    })
}

/// `CALL name (…)`: the name, and the parentheses.
///
/// # Errors
/// If it says something else.
pub fn call<'q>(
    tokens: &[&'q TokenWithSpan],
) -> Result<(String, &'q TokenWithSpan, &'q TokenWithSpan), SqlError> {
    let mut reader = Reader { rest: &tokens[1..] };
    let name = reader.name()?;
    let open = reader.wants(&Token::LParen)?;
    match reader.rest.last() {
        Some(close) if close.token == Token::RParen => Ok((name, open, close)),
        _ => Err(SqlError::syntax("syntax error at end of input")),
    }
}
