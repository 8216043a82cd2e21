//! The extended protocol: statements that are prepared, portals that are bound and executed.
#![forbid(unsafe_code)]

use std::sync::Arc;

use bytes::{Buf, Bytes};
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{
    Bind, BindComplete, Close, CloseComplete, Describe, Execute, Parse, ParseComplete,
    PortalSuspended, TARGET_TYPE_BYTE_PORTAL, TARGET_TYPE_BYTE_STATEMENT,
};
use pgwire::messages::response::{CommandComplete, EmptyQueryResponse};
use rusqlite::types::Value;

use super::simple::Fetch;
use super::{Session, Transport, description};
use crate::command::{self, Command, Kind};
use crate::engine::{Column, Shape};
use crate::error::SqlError;
use crate::executor::Executor;
use crate::value::{self, Format, Type};
use crate::wire;

/// The most statements, and the most portals, of one session.
const NAMED_MAX: usize = 4096;

/// A statement that was prepared.
#[derive(Debug)]
pub(super) struct Prepared {
    command: Command,
    parameters: Vec<Type>,
    columns: Vec<Column>,
}

/// A statement with its parameters.
#[derive(Debug)]
pub(super) struct Portal {
    prepared: Arc<Prepared>,
    values: Vec<Value>,
    formats: Vec<i16>,
    /// What the first of several fetches left, with the tag of the end.
    left: Option<(Bytes, String)>,
}

impl Prepared {
    /// The types that clients are told: where no declaration helps, text.
    fn types(&self) -> Vec<Type> {
        self.columns
            .iter()
            .map(|column| column.ty.unwrap_or(Type::TEXT))
            .collect()
    }

    fn fields(&self) -> Vec<(&str, Type)> {
        let names = self.columns.iter().map(|column| column.name.as_str());
        names.zip(self.types()).collect()
    }
}

impl<E: Executor, T: Transport> Session<E, T> {
    pub(super) fn parse(&mut self, parse: Parse) -> Result<(), SqlError> {
        let name = parse.name.unwrap_or_default();
        if !name.is_empty() && self.statements.contains_key(&name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(SqlError::new("42P05", message));
        }
        room(self.statements.len())?;
        let mut commands = command::split(&parse.query)?;
        let command = commands.pop().expect("there is always one");
        if !commands.is_empty() {
            let message = "cannot insert multiple commands into a prepared statement";
            return Err(SqlError::syntax(message));
        }
        self.admit(&command.kind)?;
        let shape = self.shape(&command)?;
        let count = shape.parameters.max(parse.type_oids.len());
        let parameters = (0..count).map(|index| match parse.type_oids.get(index) {
            None | Some(0) => Type::TEXT,
            Some(oid) => Type(*oid),
        });
        let prepared = Prepared {
            parameters: parameters.collect(),
            columns: shape.columns,
            command,
        };
        self.statements.insert(name, Arc::new(prepared));
        wire::put(&mut self.out, &ParseComplete::new());
        Ok(())
    }

    fn shape(&mut self, command: &Command) -> Result<Shape, SqlError> {
        let sql = match &command.kind {
            Kind::Sql(_) => command.text.clone(),
            Kind::Call { arguments, .. } if !arguments.trim().is_empty() => {
                format!("SELECT {arguments}")
            }
            _ => String::new(),
        };
        let mut shape = Shape {
            parameters: 0,
            columns: Vec::new(),
        };
        if !sql.is_empty() {
            shape = self.as_statement(&command.text, |session| {
                session.borrow()?;
                let link = session.link.as_ref().expect("it was borrowed");
                link.describe(&*session.shared.executor, &sql)
            })?;
        }
        match &command.kind {
            Kind::Call { .. } => shape.columns.clear(),
            Kind::Show(name) => shape.columns.push(Column {
                name: name.clone(),
                ty: Some(Type::TEXT),
            }),
            _ => {}
        }
        Ok(shape)
    }

    pub(super) fn bind(&mut self, bind: Bind) -> Result<(), SqlError> {
        let prepared = self.statement(bind.statement_name.as_deref())?;
        self.admit(&prepared.command.kind)?;
        let portal = bind.portal_name.unwrap_or_default();
        if !portal.is_empty() && self.portals.contains_key(&portal) {
            let message = format!("cursor \"{portal}\" already exists");
            return Err(SqlError::new("42P03", message));
        }
        room(self.portals.len())?;
        let (given, wanted) = (bind.parameters.len(), prepared.parameters.len());
        if given != wanted {
            return Err(SqlError::protocol(format!(
                "bind message supplies {given} parameters, but the statement requires {wanted}"
            )));
        }
        let values = bind.parameters.iter().enumerate().map(|(index, bytes)| {
            let format = Format::pick(&bind.parameter_format_codes, index)?;
            value::parameter(bytes.as_ref(), format, prepared.parameters[index])
        });
        let values = values.collect::<Result<_, _>>()?;
        let bound = Portal {
            prepared,
            values,
            formats: bind.result_column_format_codes,
            left: None,
        };
        self.portals.insert(portal, bound);
        wire::put(&mut self.out, &BindComplete::new());
        Ok(())
    }

    pub(super) fn describe(&mut self, describe: &Describe) -> Result<(), SqlError> {
        let name = describe.name.as_deref();
        match describe.target_type {
            TARGET_TYPE_BYTE_STATEMENT => {
                let prepared = self.statement(name)?;
                let types = prepared.parameters.iter().map(|ty| ty.0).collect();
                wire::put(&mut self.out, &ParameterDescription::new(types));
                self.describe_rows(&prepared, &[]);
            }
            TARGET_TYPE_BYTE_PORTAL => {
                let portal = self.portals.get(name.unwrap_or_default());
                let portal = portal.ok_or_else(|| no_portal(name))?;
                let (prepared, formats) = (Arc::clone(&portal.prepared), portal.formats.clone());
                self.describe_rows(&prepared, &formats);
            }
            other => return Err(no_target(other)),
        }
        Ok(())
    }

    fn describe_rows(&mut self, prepared: &Prepared, formats: &[i16]) {
        if prepared.columns.is_empty() {
            wire::put(&mut self.out, &NoData::new());
        } else {
            wire::put(&mut self.out, &description(&prepared.fields(), formats));
        }
    }

    pub(super) fn execute(&mut self, execute: &Execute) -> Result<(), SqlError> {
        let name = execute.name.clone().unwrap_or_default();
        let portal = self.portals.remove(&name);
        let mut portal = portal.ok_or_else(|| no_portal(execute.name.as_deref()))?;
        let most = usize::try_from(execute.max_rows).unwrap_or(0);
        let result = self.execute_portal(&mut portal, most);
        self.portals.insert(name, portal);
        result
    }

    fn execute_portal(&mut self, portal: &mut Portal, most: usize) -> Result<(), SqlError> {
        let prepared = Arc::clone(&portal.prepared);
        self.admit(&prepared.command.kind)?;
        if prepared.command.kind == Kind::Empty {
            wire::put(&mut self.out, &EmptyQueryResponse::new());
            return Ok(());
        }
        if let Some((rows, tag)) = portal.left.take() {
            self.hand_out(portal, rows, tag, most);
            return Ok(());
        }
        let types = prepared.types();
        let fetch = Fetch {
            formats: &portal.formats,
            known: Some(&types),
            describe: false,
            whole: most > 0,
        };
        let before = self.out.len();
        let tag = self.as_statement(&prepared.command.text, |session| {
            session.perform(&prepared.command, &portal.values, &fetch)
        })?;
        if most > 0 {
            let rows = self.out.split_off(before).freeze();
            self.hand_out(portal, rows, tag, most);
        } else {
            wire::put(&mut self.out, &CommandComplete::new(tag));
        }
        Ok(())
    }

    /// Appends so many rows of those that are there; the rest is for the next time.
    fn hand_out(&mut self, portal: &mut Portal, mut rows: Bytes, tag: String, most: usize) {
        let most = if most == 0 { usize::MAX } else { most };
        for _ in 0..most {
            let Some(length) = rows.get(1..5) else { break };
            let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
            let length = usize::try_from(length).expect("it is in memory") + 1;
            self.out.extend_from_slice(&rows[..length]);
            rows.advance(length);
        }
        if rows.is_empty() {
            wire::put(&mut self.out, &CommandComplete::new(tag));
        } else {
            portal.left = Some((rows, tag));
            wire::put(&mut self.out, &PortalSuspended::new());
        }
    }

    /// It is no error to close what is not there.
    pub(super) fn close(&mut self, close: &Close) -> Result<(), SqlError> {
        let name = close.name.as_deref().unwrap_or_default();
        match close.target_type {
            TARGET_TYPE_BYTE_STATEMENT => drop(self.statements.remove(name)),
            TARGET_TYPE_BYTE_PORTAL => drop(self.portals.remove(name)),
            other => return Err(no_target(other)),
        }
        wire::put(&mut self.out, &CloseComplete::new());
        Ok(())
    }

    fn statement(&self, name: Option<&str>) -> Result<Arc<Prepared>, SqlError> {
        let name = name.unwrap_or_default();
        let found = self.statements.get(name).cloned();
        found.ok_or_else(|| {
            let message = format!("prepared statement \"{name}\" does not exist");
            SqlError::new("26000", message)
        })
    }
}

fn room(there: usize) -> Result<(), SqlError> {
    if there < NAMED_MAX {
        return Ok(());
    }
    Err(SqlError::new(
        "53400",
        "too many prepared statements or portals",
    ))
}

fn no_portal(name: Option<&str>) -> SqlError {
    let message = format!("portal \"{}\" does not exist", name.unwrap_or_default());
    SqlError::new("34000", message)
}

fn no_target(byte: u8) -> SqlError {
    SqlError::protocol(format!("invalid message subtype {byte}"))
}
