//! A guest: an instance of a module with a store of its own, and what the store knows of the call that it is in.
#![forbid(unsafe_code)]

use std::sync::Arc;

use rusqlite::types::Value;
use wasmtime::{
    Engine, Func, Instance, InstancePre, Memory, ResourceLimiter, Store, TypedFunc, UpdateDeadline,
};

use super::boundary::{Boundary, Totals};
use super::clock::Clock;
use super::exchange::Exchange;
use super::trap;
use crate::below::Below;
use crate::control::Control;
use crate::error::SqlError;
use crate::managed::Tasks;

/// Bytes of memory that a guest may have.
pub const MEMORY_MAX: usize = 16 << 20;
/// Entries of a guest's tables.
const TABLE_MAX: usize = 10_000;

/// What a guest's store knows.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) boundary: Boundary,
    /// The session's for which it runs.
    pub(super) control: Option<Arc<Control>>,
    /// The statement that a function is called by.
    pub(super) below: Option<Below>,
    /// What a procedure asks, and is answered.
    pub(super) exchange: Arc<Exchange>,
    /// For the next statement.
    pub(super) parameters: Vec<Value>,
    /// Of the last one.
    pub(super) rows: Vec<Vec<Value>>,
    limits: Limits,
}

/// What every guest is made with.
#[derive(Debug)]
pub(super) struct Setting {
    /// None without a host: then nobody is told of crossings, and quanta end for nobody but those who end a guest.
    pub(super) tasks: Option<Arc<Tasks>>,
    pub(super) totals: Arc<Totals>,
    pub(super) clock: Arc<Clock>,
}

impl Guest {
    /// A store for a guest, which is in no call.
    pub(super) fn store(engine: &Engine, setting: &Setting) -> Store<Guest> {
        let guest = Guest {
            boundary: Boundary::new(setting.tasks.as_ref(), &setting.totals),
            control: None,
            below: None,
            exchange: Arc::default(),
            parameters: Vec::new(),
            rows: Vec::new(),
            limits: Limits,
        };
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| &mut guest.limits);
        if setting.tasks.is_some() {
            store.call_hook(|mut context, hook| Ok(context.data_mut().boundary.hook(hook)?));
        }
        store.epoch_deadline_callback(|mut context| {
            let guest = context.data_mut();
            guest.look()?;
            let can_go = guest.boundary.tick();
            // Others may have run for long.
            guest.look()?;
            Ok(if can_go {
                UpdateDeadline::Yield(1)
            } else {
                UpdateDeadline::Continue(1)
            })
        });
        store
    }

    /// Whether the guest is to end.
    fn look(&self) -> Result<(), SqlError> {
        let verdict = self.control.as_ref().and_then(|control| control.verdict());
        verdict.map_or(Ok(()), Err)
    }

    /// A call begins, on behalf of this session.
    pub(super) fn begin(&mut self, control: &Arc<Control>, below: Option<Below>) {
        self.boundary.set_native_below(below.is_some());
        self.control = Some(Arc::clone(control));
        self.below = below;
    }

    /// It has returned: nothing of the session's is kept.
    pub(super) fn end(&mut self) {
        self.control = None;
        self.below = None;
        self.parameters.clear();
        self.rows.clear();
    }
}

/// How much a guest may have. A guest that asks for more ends, with an error that says so.
#[derive(Debug)]
struct Limits;

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired <= MEMORY_MAX {
            return Ok(true);
        }
        let message = format!("a guest asks for {desired} bytes of memory, more than {MEMORY_MAX}");
        Err(SqlError::new("53200", message).into())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired <= TABLE_MAX {
            return Ok(true);
        }
        let message =
            format!("a guest asks for a table of {desired} entries, more than {TABLE_MAX}");
        Err(SqlError::new("53200", message).into())
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        4
    }

    fn memories(&self) -> usize {
        1
    }
}

/// A guest that can be called.
pub(super) struct Live {
    pub(super) store: Store<Guest>,
    pub(super) function: Func,
    pub(super) alloc: Option<TypedFunc<i32, i32>>,
    pub(super) memory: Option<Memory>,
}

impl Live {
    /// An instance of a module of which the exports were looked at.
    pub(super) fn new(
        mut store: Store<Guest>,
        module: &InstancePre<Guest>,
        export: &str,
    ) -> Result<Live, SqlError> {
        let instance = module.instantiate(&mut store).map_err(trap::error)?;
        Live::of(store, &instance, export)
    }

    /// The same for a module that may wait.
    pub(super) async fn new_async(
        mut store: Store<Guest>,
        module: &InstancePre<Guest>,
        export: &str,
    ) -> Result<Live, SqlError> {
        let instance = module
            .instantiate_async(&mut store)
            .await
            .map_err(trap::error)?;
        Live::of(store, &instance, export)
    }

    fn of(mut store: Store<Guest>, instance: &Instance, export: &str) -> Result<Live, SqlError> {
        let function = instance
            .get_func(&mut store, export)
            .ok_or_else(|| SqlError::new("XX000", "an export has gone"))?;
        let alloc = instance.get_typed_func(&mut store, "alloc").ok();
        let memory = instance.get_memory(&mut store, "memory");
        Ok(Live {
            store,
            function,
            alloc,
            memory,
        })
    }

    /// Its memory, if it has one.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        match self.memory {
            Some(memory) => memory.data_mut(&mut self.store),
            None => &mut [],
        }
    }
}
