//! What a statement may not do, since sessions share connections: one after the other has the same, so what a statement leaves
//! in a connection would meet the next session. And what it may not be, since it runs on a session's stack.
#![forbid(unsafe_code)]

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, Result, ffi};

/// SQLite goes down the tree of an expression by calls: some hundred bytes of stack for each level.
const EXPRESSION_DEPTH_MAX: i32 = 500;
/// A pattern is compared by calls too.
const PATTERN_MAX: i32 = 1000;

/// Pragmas that tell something of what their argument names, or do something that is nobody's setting.
const HARMLESS: [&str; 12] = [
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "optimize",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
    "wal_checkpoint",
];

/// Sets it up, when everything else is.
///
/// # Errors
/// If SQLite does not take it.
pub fn restrict(connection: &mut Connection) -> Result<()> {
    connection.set_limit(Limit::SQLITE_LIMIT_EXPR_DEPTH, EXPRESSION_DEPTH_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_MAX)?;
    connection.authorizer(Some(|asked: AuthContext<'_>| {
        if is_left_behind(&asked) {
            Authorization::Deny
        } else {
            Authorization::Allow
        }
    }))
}

fn is_left_behind(asked: &AuthContext<'_>) -> bool {
    match &asked.action {
        AuthAction::Read { .. } | AuthAction::Select | AuthAction::Function { .. } => false,
        AuthAction::Detach { .. } => true,
        // VACUUM attaches a file without a name for itself.
        AuthAction::Attach { filename } => !filename.is_empty(),
        // One whose name is not a plain text.
        AuthAction::Unknown { code, .. } => [ffi::SQLITE_ATTACH, ffi::SQLITE_DETACH].contains(code),
        AuthAction::Pragma {
            pragma_name,
            pragma_value,
        } => pragma_value.is_some() && !HARMLESS.contains(pragma_name),
        // Whatever changes what a connection has for itself.
        _ => asked.database_name == Some("temp"),
    }
}
