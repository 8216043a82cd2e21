//! PostgreSQL's catalogue, as far as clients look into it unasked: `\dt` and `\d NAME` of psql.
//!
//! Each connection has views of its own on SQLite's schema under the names of the catalogue's tables. A query that names the
//! catalogue is parsed, what SQLite says otherwise is rewritten in the parsed form, and the result is written out again.
#![forbid(unsafe_code)]

use std::ops::ControlFlow;

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, FunctionArguments, ObjectName, VisitMut, VisitorMut,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::SqlError;
use crate::operator;
use crate::value::Type;

const SCHEMA: &str = "pg_catalog";

/// PostgreSQL's own numbers end below 16384. What psql reads as a boolean is `t` or `f`. Indexes are not described.
const VIEWS: &str = "
    PRAGMA temp_store = MEMORY;
    CREATE TEMP VIEW pg_namespace AS
        SELECT CAST(2200 AS INTEGER) AS oid, 'public' AS nspname;
    CREATE TEMP VIEW pg_class AS
        SELECT CAST(rowid + 16384 AS INTEGER) AS oid, name AS relname,
            CAST(2200 AS INTEGER) AS relnamespace, CAST(10 AS INTEGER) AS relowner,
            CASE type WHEN 'table' THEN 'r' WHEN 'index' THEN 'i' ELSE 'v' END AS relkind,
            0 AS relam, 0 AS relchecks, 0 AS reltablespace, 0 AS reloftype, 0 AS reltoastrelid,
            'f' AS relhasrules, 'f' AS relhastriggers, 'f' AS relhasoids,
            'f' AS relhasindex, 'p' AS relpersistence, 'd' AS relreplident
        FROM main.sqlite_schema
        WHERE type IN ('table', 'view', 'index') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
            AND name <> 'sql_host_functions';
    CREATE TEMP VIEW pg_attribute AS
        SELECT CAST(s.rowid + 16384 AS INTEGER) AS attrelid, c.name AS attname,
            CAST(c.cid + 1 AS INTEGER) AS attnum, sql_type(c.type) AS atttypid, -1 AS atttypmod,
            iif(c.\"notnull\" OR c.pk > 0, 't', 'f') AS attnotnull,
            c.dflt_value IS NOT NULL AS atthasdef,
            0 AS attisdropped, 0 AS attcollation, '' AS attidentity, '' AS attgenerated
        FROM main.sqlite_schema AS s, pragma_table_info(s.name) AS c
        WHERE s.type IN ('table', 'view');
    CREATE TEMP VIEW pg_attrdef AS
        SELECT CAST(s.rowid + 16384 AS INTEGER) AS adrelid, CAST(c.cid + 1 AS INTEGER) AS adnum,
            c.dflt_value AS adbin
        FROM main.sqlite_schema AS s, pragma_table_info(s.name) AS c
        WHERE s.type = 'table' AND c.dflt_value IS NOT NULL;
    CREATE TEMP VIEW pg_am AS SELECT 0 AS oid, '' AS amname WHERE 0;
    CREATE TEMP VIEW pg_type AS SELECT 0 AS oid, '' AS typname, 0 AS typcollation WHERE 0;
    CREATE TEMP VIEW pg_collation AS SELECT 0 AS oid, '' AS collname WHERE 0;
    CREATE TEMP VIEW pg_inherits AS
        SELECT 0 AS inhrelid, 0 AS inhparent, 0 AS inhseqno WHERE 0;
";

/// Makes views and functions known to a connection.
///
/// # Errors
/// If SQLite does not take one.
pub fn register(connection: &Connection) -> rusqlite::Result<()> {
    let steady = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("pg_matches", 2, steady, |context| {
        let (text, pattern) = (context.get::<Option<String>>(0)?, context.get::<String>(1)?);
        let pattern = regex_lite::Regex::new(&pattern)
            .map_err(|error| SqlError::new("2201B", error.to_string()))
            .map_err(|error| rusqlite::Error::UserFunctionError(Box::new(error)))?;
        Ok(text.map(|text| pattern.is_match(&text)))
    })?;
    connection.create_scalar_function("sql_type", 1, steady, |context| {
        Ok(Type::declared(&context.get::<String>(0)?).0)
    })?;
    connection.create_scalar_function("format_type", 2, steady, |context| {
        Ok(Type(context.get::<u32>(0)?).name())
    })?;
    connection.create_scalar_function("pg_get_userbyid", 1, steady, |_| Ok("sql"))?;
    connection.create_scalar_function("pg_table_is_visible", 1, steady, |_| Ok(true))?;
    for arguments in [2, 3] {
        connection.create_scalar_function("pg_get_expr", arguments, steady, |context| {
            context.get::<Option<String>>(0)
        })?;
    }
    connection.execute_batch(VIEWS)
}

/// Whether a statement names the catalogue.
pub fn is_asked(tokens: &[&TokenWithSpan]) -> bool {
    tokens
        .iter()
        .any(|token| matches!(&token.token, Token::Word(word) if is_schema(&word.value)))
}

/// The statement as SQLite understands it.
///
/// # Errors
/// 42601 if it cannot be parsed.
pub fn rewrite(sql: &str) -> Result<String, SqlError> {
    let wrong = |error: sqlparser::parser::ParserError| SqlError::syntax(error.to_string());
    let mut parsed = Parser::parse_sql(&PostgreSqlDialect {}, sql).map_err(wrong)?;
    if let ControlFlow::Break(error) = VisitMut::visit(&mut parsed, &mut Rewriter) {
        return Err(wrong(error));
    }
    let statements: Vec<String> = parsed.iter().map(ToString::to_string).collect();
    Ok(statements.join("; "))
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = sqlparser::parser::ParserError;

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<Self::Break> {
        unqualify(name);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Self::Break> {
        match rewritten(expression) {
            Ok(None) => {}
            Ok(Some(other)) => *expression = other,
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

/// What stands in the place of an expression, if another one does.
fn rewritten(expression: &mut Expr) -> Result<Option<Expr>, sqlparser::parser::ParserError> {
    Ok(match expression {
        Expr::Function(function) => {
            unqualify(&mut function.name);
            // There are no arrays.
            let is_array = matches!(function.args, FunctionArguments::Subquery(_));
            if is_array { Some(parse("NULL")?) } else { None }
        }
        Expr::Collate { expr, collation } if is_qualified(collation) => Some((**expr).clone()),
        Expr::Cast {
            kind: CastKind::DoubleColon,
            expr,
            data_type,
            ..
        } => Some(match data_type {
            DataType::Text => parse(&format!("CAST({expr} AS TEXT)"))?,
            DataType::Custom(..) | DataType::Regclass => (**expr).clone(),
            other => parse(&format!("CAST({expr} AS {other})"))?,
        }),
        Expr::BinaryOp { left, op, right } => match matches(op) {
            Some(true) => Some(parse(&format!("pg_matches({left}, {right})"))?),
            Some(false) => Some(parse(&format!("NOT pg_matches({left}, {right})"))?),
            None => None,
        },
        _ => None,
    })
}

/// Whether an operator says that a pattern matches, or that it does not.
fn matches(operator: &BinaryOperator) -> Option<bool> {
    match operator {
        BinaryOperator::PGRegexMatch => Some(true),
        BinaryOperator::PGRegexNotMatch => Some(false),
        BinaryOperator::PGCustomBinaryOperator(name) => match name.last()?.as_str() {
            "~" => Some(true),
            "!~" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn parse(text: &str) -> Result<Expr, sqlparser::parser::ParserError> {
    Parser::new(&PostgreSqlDialect {})
        .try_with_sql(text)?
        .parse_expr()
}

fn is_qualified(name: &ObjectName) -> bool {
    let first = name.0.first().and_then(|part| part.as_ident());
    name.0.len() > 1 && first.is_some_and(|first| is_schema(&first.value))
}

/// Of what has no other place than a connection's own views.
fn is_schema(name: &str) -> bool {
    name == SCHEMA || name == operator::SCHEMA
}

/// Takes the schema off a name.
fn unqualify(name: &mut ObjectName) {
    if is_qualified(name) {
        name.0.remove(0);
    }
}
