//! A definition with its compiled module, and how a function is called.
#![forbid(unsafe_code)]

use parking_lot::Mutex;
use rusqlite::types::Value;
use wasmtime::{Engine, ExternType, InstancePre, Linker, Module, ValType};

use super::boundary::Crossings;
use super::guest::{Guest, Live, Setting};
use super::trap;
use super::values::{self, Incoming};
use crate::below::Below;
use crate::error::SqlError;
use crate::runtime::FunctionDef;

/// Instances of a function that are kept while nobody calls it.
const KEPT_MAX: usize = 64;
/// An instance whose memory has grown beyond this is not kept.
const KEPT_MEMORY: usize = 1 << 20;

/// See the module docs.
pub(super) struct Compiled {
    pub(super) definition: FunctionDef,
    pub(super) module: InstancePre<Guest>,
    /// Instances of a function that wait for the next call.
    kept: Mutex<Vec<Live>>,
}

impl Compiled {
    /// Compiles a body, and looks whether it is what the definition says.
    pub(super) fn new(
        engine: &Engine,
        linker: &Linker<Guest>,
        definition: &FunctionDef,
    ) -> Result<Compiled, SqlError> {
        let module = Module::new(engine, &definition.body);
        let module = module.map_err(|error| trap::wrong_body(&error))?;
        check_exports(&module, definition)?;
        let linked = linker.instantiate_pre(&module);
        Ok(Compiled {
            definition: definition.clone(),
            module: linked.map_err(|error| trap::wrong_body(&error))?,
            kept: Mutex::default(),
        })
    }

    /// Adds those of the instances that wait.
    pub(super) fn add_crossings(&self, crossings: &mut Crossings) {
        for live in self.kept.lock().iter() {
            crossings.add(live.store.data().boundary.counts());
        }
    }

    /// Calls a function, on the stack of the statement that calls it.
    pub(super) fn call(
        &self,
        engine: &Engine,
        setting: &Setting,
        arguments: &[Value],
        below: Below,
    ) -> Result<Value, SqlError> {
        let Some(arguments) = Incoming::new(&self.definition, arguments)? else {
            return Ok(Value::Null);
        };
        let control = below.control.clone();
        let _running = setting.clock.running();
        let kept = self.kept.lock().pop();
        let mut live = match kept {
            Some(mut live) => {
                live.store.data_mut().begin(&control, Some(below));
                live.store.set_epoch_deadline(1);
                live
            }
            None => {
                let mut store = Guest::store(engine, setting);
                store.data_mut().begin(&control, Some(below));
                store.set_epoch_deadline(1);
                Live::new(store, &self.module, &self.definition.name)?
            }
        };
        // An instance that fails goes: what it was at is half done.
        let result = self.run(&mut live, &arguments)?;
        live.store.data_mut().end();
        self.keep(live);
        Ok(result)
    }

    fn run(&self, live: &mut Live, arguments: &Incoming<'_>) -> Result<Value, SqlError> {
        let mut address = 0;
        let length = arguments.text_length()?;
        if let Some(alloc) = live.alloc.as_ref().filter(|_| length > 0) {
            address = alloc.call(&mut live.store, length).map_err(trap::error)?;
        }
        let given = arguments.write(live.bytes(), address)?;
        let mut found = values::room(self.definition.returns);
        let called = live.function.call(&mut live.store, &given, &mut found);
        called.map_err(trap::error)?;
        match self.definition.returns {
            Some(ty) => values::result(ty, &found, Some(live.bytes())),
            None => Ok(Value::Null),
        }
    }

    fn keep(&self, mut live: Live) {
        if live.bytes().len() > KEPT_MEMORY {
            return;
        }
        let mut kept = self.kept.lock();
        if kept.len() < KEPT_MAX {
            kept.push(live);
        } else {
            drop(kept);
            drop(live);
        }
    }
}

fn check_exports(module: &Module, definition: &FunctionDef) -> Result<(), SqlError> {
    let wrong = |message: String| SqlError::new("42P13", message);
    let name = &definition.name;
    match module.get_export(name) {
        Some(ExternType::Func(found)) => values::check(definition, &found)?,
        _ => return Err(wrong(format!("the body exports no function \"{name}\""))),
    }
    if !values::has_text(definition) {
        return Ok(());
    }
    let is_alloc = |found: wasmtime::FuncType| {
        let one = |mut types: Box<dyn ExactSizeIterator<Item = ValType> + '_>| {
            types.len() == 1 && types.all(|ty| ValType::I32.matches(&ty))
        };
        one(Box::new(found.params())) && one(Box::new(found.results()))
    };
    match (module.get_export("alloc"), module.get_export("memory")) {
        (Some(ExternType::Func(found)), Some(ExternType::Memory(_))) if is_alloc(found.clone()) => {
            Ok(())
        }
        _ => Err(wrong(
            "a body that takes text exports \"memory\", and \"alloc\" from i32 to i32".to_owned(),
        )),
    }
}
