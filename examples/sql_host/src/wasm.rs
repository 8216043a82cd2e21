//! The managed runtime: functions and procedures in WebAssembly, on wasmtime.
//!
//! `CREATE FUNCTION name(types) RETURNS type LANGUAGE wasm AS 'text'` takes a module as text, which exports a function of that
//! name. `values` says how types correspond, `imports` what a module can import, [`boundary`] which hooks the host is told.
//!
//! A *function* is called by SQLite, with native frames below. It runs on the stack of its task, which keeps its thread. Its
//! instances are kept and used again, one call at a time, so what one leaves in its memory another call may find: do not rely
//! on either. One that has failed is not used again.
//!
//! A *procedure* is called by its session, at the base of its task, on a stack of its own (`drive`): where it asks for
//! something and at the end of each quantum, its task may wait, let others run, and change its thread. Each call has an
//! instance of its own. What it writes is kept as a whole or not at all.
//!
//! Definitions are kept in the database (`definitions.rs`).

pub mod boundary;
mod clock;
mod compiled;
mod drive;
mod exchange;
mod guest;
#[allow(unsafe_code, reason = "a room: see there")]
mod imports;
mod sorting;
mod trap;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use rusqlite::types::Value;
use wasmtime::{Config, Engine, Linker};

pub use clock::QUANTUM;
pub use guest::MEMORY_MAX;

use crate::below::Below;
use crate::error::SqlError;
use crate::managed::Tasks;
use crate::runtime::{Caller, FunctionDef, Runtime, unknown};
use boundary::{Crossings, Totals};
use clock::Clock;
use compiled::Compiled;
use guest::{Guest, Setting};

/// Bytes of stack that a guest may use. A function's are its session's.
const GUEST_STACK: usize = 64 * 1024;
/// Of a procedure's stack, which has imports on it as well.
const PROCEDURE_STACK: usize = GUEST_STACK + 128 * 1024;
/// The longest body.
const BODY_MAX: usize = 1 << 20;

/// See the module docs.
pub struct Wasm {
    engine: Engine,
    for_functions: Linker<Guest>,
    for_procedures: Linker<Guest>,
    compiled: RwLock<BTreeMap<String, Arc<Compiled>>>,
    version: AtomicU64,
    clock: Arc<Clock>,
    totals: Arc<Totals>,
    setting: OnceLock<Setting>,
}

impl fmt::Debug for Wasm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wasm")
            .field("crossings", &self.crossings())
            .finish_non_exhaustive()
    }
}

impl Wasm {
    /// Without any function.
    ///
    /// # Errors
    /// If the system refuses a thread, or the processor is none that wasmtime knows.
    pub fn new() -> io::Result<Wasm> {
        let engine = Engine::new(&config()).map_err(io::Error::other)?;
        Ok(Wasm {
            for_functions: imports::for_functions(&engine).map_err(io::Error::other)?,
            for_procedures: imports::for_procedures(&engine).map_err(io::Error::other)?,
            compiled: RwLock::default(),
            version: AtomicU64::new(0),
            clock: Arc::new(Clock::start(&engine)?),
            totals: Arc::default(),
            setting: OnceLock::new(),
            engine,
        })
    }

    /// Crossings so far, but for those of guests that run.
    pub fn crossings(&self) -> Crossings {
        let mut crossings = self.totals.get();
        for compiled in self.compiled.read().values() {
            compiled.add_crossings(&mut crossings);
        }
        crossings
    }

    fn setting(&self) -> Result<&Setting, SqlError> {
        let attached = self.setting.get();
        attached.ok_or_else(|| SqlError::new("57P03", "the runtime has no host yet"))
    }

    fn find(&self, name: &str, procedure: bool) -> Result<Arc<Compiled>, SqlError> {
        let found = self.compiled.read().get(name).cloned();
        found
            .filter(|compiled| compiled.definition.procedure == procedure)
            .ok_or_else(|| unknown(if procedure { "procedure" } else { "function" }, name))
    }
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(PROCEDURE_STACK)
        .wasm_backtrace_max_frames(None)
        // What a guest does wrong is found by looking, and not by a signal: the handlers of this process are the scheduler's,
        // and there is no memory map for each instance.
        .signals_based_traps(false)
        .memory_reservation(0)
        .memory_guard_size(0);
    config
}

impl Runtime for Wasm {
    fn attach(&self, tasks: Option<Arc<Tasks>>) {
        let setting = Setting {
            tasks,
            totals: Arc::clone(&self.totals),
            clock: Arc::clone(&self.clock),
        };
        let before = self.setting.set(setting);
        assert!(before.is_ok(), "a runtime is attached once");
    }

    fn create_function(&self, definition: &FunctionDef) -> Result<(), SqlError> {
        if definition.language != "wasm" {
            let message = format!("language \"{}\" does not exist", definition.language);
            return Err(SqlError::new("42704", message));
        }
        if definition.body.len() > BODY_MAX {
            let message = format!("a body of more than {BODY_MAX} bytes");
            return Err(SqlError::new("54000", message));
        }
        let there = || {
            let message = format!("function \"{}\" already exists", definition.name);
            Err(SqlError::new("42723", message))
        };
        if !definition.replace && self.compiled.read().contains_key(&definition.name) {
            return there();
        }
        let linker = if definition.procedure {
            &self.for_procedures
        } else {
            &self.for_functions
        };
        let compiled = Arc::new(Compiled::new(&self.engine, linker, definition)?);
        let mut all = self.compiled.write();
        if !definition.replace && all.contains_key(&definition.name) {
            return there();
        }
        let before = all.insert(definition.name.clone(), compiled);
        self.version.fetch_add(1, Ordering::Release);
        drop(all);
        drop(before);
        Ok(())
    }

    fn definition(&self, name: &str) -> Option<FunctionDef> {
        let found = self.compiled.read().get(name).cloned()?;
        Some(FunctionDef {
            replace: true,
            ..found.definition.clone()
        })
    }

    fn drop_function(&self, name: &str) -> Result<bool, SqlError> {
        let mut all = self.compiled.write();
        let dropped = all.remove(name);
        if dropped.is_some() {
            self.version.fetch_add(1, Ordering::Release);
        }
        drop(all);
        Ok(dropped.is_some())
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    fn functions(&self) -> Vec<FunctionDef> {
        let all = self.compiled.read();
        let definitions = all.values().map(|compiled| &compiled.definition);
        definitions
            .filter(|definition| !definition.procedure)
            .cloned()
            .collect()
    }

    fn call_function(
        &self,
        name: &str,
        arguments: &[Value],
        below: Below,
    ) -> Result<Value, SqlError> {
        let function = self.find(name, false)?;
        function.call(&self.engine, self.setting()?, arguments, below)
    }

    fn call_procedure(
        &self,
        name: &str,
        arguments: &[Value],
        caller: &mut dyn Caller,
    ) -> Result<(), SqlError> {
        let procedure = self.find(name, true)?;
        drive::call(&procedure, &self.engine, self.setting()?, arguments, caller)
    }
}
