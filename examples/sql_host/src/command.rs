//! From the text of a query to statements: where each ends, and who is to carry it out.
//!
//! Most go to SQLite as they were written. Nothing is decided by looking for text: the text is cut into tokens first.
#![forbid(unsafe_code)]

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::catalogue;
use crate::error::SqlError;
use crate::function;
use crate::order::{self, Order};
use crate::runtime::FunctionDef;

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What it says, without the semicolon.
    pub text: String,
    /// Who carries it out.
    pub kind: Kind,
}

/// See [`Command`].
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Nothing but space and comments.
    Empty,
    /// SQLite; the tag that the client is told, without figures.
    Sql(String),
    /// A transaction begins.
    Begin,
    /// It is kept.
    Commit,
    /// It is undone.
    Rollback,
    /// A setting, and its new value; none for the default.
    Set(String, Option<String>),
    /// A setting is asked for.
    Show(String),
    /// The runtime defines a function or a procedure.
    Create(Box<FunctionDef>),
    /// The runtime forgets one.
    Drop {
        /// Which.
        name: String,
        /// It is no error if there is none.
        if_exists: bool,
        /// The tag.
        procedure: bool,
    },
    /// The runtime runs a procedure; the arguments as SQL.
    Call {
        /// Which.
        name: String,
        /// A list of expressions.
        arguments: String,
    },
    /// The operator wants something.
    Administer(Order),
    /// Something without an effect here, by its tag.
    Ignore(&'static str),
}

/// Cuts a query into its statements.
///
/// # Errors
/// 42601 if its tokens make no sense.
pub fn split(query: &str) -> Result<Vec<Command>, SqlError> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, query)
        .tokenize_with_location()
        .map_err(|error| SqlError::syntax(error.to_string()))?;
    let lines = Lines::new(query);
    let mut commands = Vec::new();
    let mut rest = tokens.as_slice();
    let mut start = 0;
    loop {
        let length = end_of_statement(rest);
        let semicolon = rest.get(length);
        let end = semicolon.map_or(query.len(), |token| lines.offset(query, token.span.start));
        let text = query.get(start..end).unwrap_or_default().trim();
        commands.push(command(text, query, &lines, &rest[..length])?);
        let Some(semicolon) = semicolon else { break };
        start = lines.offset(query, semicolon.span.start) + 1;
        rest = &rest[length + 1..];
    }
    if commands.len() > 1 {
        commands.retain(|command| command.kind != Kind::Empty);
    }
    if commands.is_empty() {
        commands.push(Command {
            text: String::new(),
            kind: Kind::Empty,
        });
    }
    Ok(commands)
}

/// One statement that SQLite carries out, as procedures and functions run them.
///
/// # Errors
/// 2D000 if it is about a transaction, which is the caller's; 0A000 if it is another one that SQLite does not carry out;
/// 42601 if it is none, or more.
pub fn plain(sql: &str) -> Result<String, SqlError> {
    let mut commands = split(sql)?;
    let command = commands.pop().expect("there is always one");
    if !commands.is_empty() {
        return Err(SqlError::syntax("a procedure runs one statement at a time"));
    }
    match command.kind {
        Kind::Sql(_) => Ok(command.text),
        Kind::Empty => Err(SqlError::syntax("there is no statement")),
        Kind::Begin | Kind::Commit | Kind::Rollback => Err(SqlError::new(
            "2D000",
            "the transaction is the caller's, and is not ended here",
        )),
        _ => Err(SqlError::unsupported(
            "a procedure cannot run such a statement",
        )),
    }
}

/// How many tokens there are before the semicolon that ends a statement. A trigger has semicolons inside.
fn end_of_statement(tokens: &[TokenWithSpan]) -> usize {
    let words: Vec<String> = tokens.iter().filter_map(word).take(3).collect();
    let is_trigger = words.first().is_some_and(|first| first == "CREATE")
        && words.iter().any(|word| word == "TRIGGER");
    let mut last = String::new();
    for (index, token) in tokens.iter().enumerate() {
        if token.token == Token::SemiColon && (!is_trigger || last == "END") {
            return index;
        }
        if !matches!(token.token, Token::Whitespace(_)) {
            last = word(token).unwrap_or_default();
        }
    }
    tokens.len()
}

/// An unquoted word in upper case.
pub fn word(token: &TokenWithSpan) -> Option<String> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_ascii_uppercase()),
        _ => None,
    }
}

fn command(
    text: &str,
    query: &str,
    lines: &Lines,
    tokens: &[TokenWithSpan],
) -> Result<Command, SqlError> {
    let solid: Vec<&TokenWithSpan> = tokens
        .iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
        .collect();
    let words: Vec<String> = solid
        .iter()
        .take(4)
        .map(|token| word(token).unwrap_or_default())
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if catalogue::is_asked(&solid) {
        return Ok(Command {
            text: catalogue::rewrite(text)?,
            kind: Kind::Sql(words.first().copied().unwrap_or_default().to_owned()),
        });
    }
    let sql = |text: &str, tag: &str| Command {
        text: text.to_owned(),
        kind: Kind::Sql(tag.to_owned()),
    };
    let plain = |kind| Command {
        text: text.to_owned(),
        kind,
    };
    Ok(match words.as_slice() {
        [] => plain(Kind::Empty),
        ["BEGIN", ..] | ["START", "TRANSACTION", ..] => plain(Kind::Begin),
        ["COMMIT" | "END", ..] => plain(Kind::Commit),
        ["ROLLBACK", "TO", ..] | ["ROLLBACK", _, "TO", ..] => sql(text, "ROLLBACK"),
        ["ROLLBACK" | "ABORT", ..] => plain(Kind::Rollback),
        ["SET" | "RESET" | "SHOW", ..] => plain(setting(&solid)?),
        ["DISCARD", ..] => plain(Kind::Ignore("DISCARD ALL")),
        ["DEALLOCATE", ..] => plain(Kind::Ignore("DEALLOCATE")),
        ["KILL", ..] | ["EXPORT", "TRACE", ..] | ["ALTER", "SYSTEM", ..] => {
            plain(Kind::Administer(order::read(&solid)?))
        }
        ["CALL", ..] => {
            let (name, open, close) = function::call(&solid)?;
            let from = lines.offset(query, open.span.start) + 1;
            let to = lines.offset(query, close.span.start);
            let arguments = query.get(from..to).unwrap_or_default().to_owned();
            plain(Kind::Call { name, arguments })
        }
        ["CREATE", "FUNCTION" | "PROCEDURE", ..]
        | ["CREATE", "OR", "REPLACE", "FUNCTION" | "PROCEDURE"] => {
            plain(Kind::Create(Box::new(function::create(&solid)?)))
        }
        ["DROP", "FUNCTION" | "PROCEDURE", ..] => plain(function::drop(&solid)?),
        [first, second, ..] if ["CREATE", "DROP", "ALTER"].contains(first) => {
            sql(text, &format!("{first} {second}"))
        }
        [first, ..] => sql(text, first),
    })
}

/// `SET [SESSION | LOCAL] name { = | TO } value`, `RESET name`, `SHOW name`.
fn setting(tokens: &[&TokenWithSpan]) -> Result<Kind, SqlError> {
    let verb = word(tokens[0]).unwrap_or_default();
    let mut rest = &tokens[1..];
    if verb == "SET"
        && let Some("SESSION" | "LOCAL") = rest.first().and_then(|token| word(token)).as_deref()
    {
        rest = &rest[1..];
    }
    let [name, rest @ ..] = rest else {
        return Err(SqlError::syntax("a setting has a name"));
    };
    let name = text_of(&name.token).to_ascii_lowercase();
    match verb.as_str() {
        "SHOW" => return Ok(Kind::Show(name)),
        "RESET" => return Ok(Kind::Set(name, None)),
        _ => {}
    }
    Ok(Kind::Set(name, value_of(rest)))
}

/// `= value`, `TO value`, or the value alone; none for the default.
pub fn value_of(tokens: &[&TokenWithSpan]) -> Option<String> {
    let value = match tokens {
        [token, value @ ..] if token.token == Token::Eq => value,
        [token, value @ ..] if word(token).as_deref() == Some("TO") => value,
        other => other,
    };
    let value: String = value.iter().map(|token| text_of(&token.token)).collect();
    let is_default = value.eq_ignore_ascii_case("default");
    (!is_default).then_some(value)
}

/// A token's meaning: a string without its quotes.
pub fn text_of(token: &Token) -> String {
    match token {
        Token::Word(word) => word.value.clone(),
        Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => text.clone(),
        Token::DollarQuotedString(text) => text.value.clone(),
        other => other.to_string(),
    }
}

/// Where lines begin: tokens know their place by line and column.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Lines {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Lines(std::iter::once(0).chain(breaks).collect())
    }

    /// A place in bytes.
    fn offset(&self, text: &str, place: Location) -> usize {
        let (line, column) = (place.line.max(1) - 1, place.column.max(1) - 1);
        let at = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let start = self.0.get(at(line)).copied().unwrap_or(text.len());
        let after = &text[start..];
        let within = after.char_indices().nth(at(column)).map(|(at, _)| at);
        start + within.unwrap_or(after.len())
    }
}
