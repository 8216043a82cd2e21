//! The driving of a procedure: its guest runs while it is polled, and gives its stack back to ask or at the end of a quantum.
//!
//! Between two polls nothing of wasmtime's is active on the thread, and at the base of the task no native code lies below
//! either. So there the session may wait, run SQLite, call functions, let others run, and change its thread.
#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rusqlite::types::Value;
use wasmtime::Engine;

use super::boundary::give_way;
use super::compiled::Compiled;
use super::exchange::{Exchange, Question};
use super::guest::{Guest, Live, Setting};
use super::trap;
use super::values::{self, Incoming};
use crate::error::SqlError;
use crate::runtime::Caller;

/// Calls a procedure for a session.
pub(super) fn call(
    procedure: &Compiled,
    engine: &Engine,
    setting: &Setting,
    arguments: &[Value],
    caller: &mut dyn Caller,
) -> Result<(), SqlError> {
    let Some(arguments) = Incoming::new(&procedure.definition, arguments)? else {
        return Ok(());
    };
    let mut store = Guest::store(engine, setting);
    store.data_mut().begin(caller.control(), None);
    store.set_epoch_deadline(1);
    let exchange = Arc::clone(&store.data().exchange);
    let guest = async {
        let mut live =
            Live::new_async(store, &procedure.module, &procedure.definition.name).await?;
        run(&mut live, &arguments).await
    };
    drive(guest, &exchange, setting, caller)
}

async fn run(live: &mut Live, arguments: &Incoming<'_>) -> Result<(), SqlError> {
    let mut address = 0;
    let length = arguments.text_length()?;
    if let Some(alloc) = live.alloc.clone().filter(|_| length > 0) {
        let allocated = alloc.call_async(&mut live.store, length).await;
        address = allocated.map_err(trap::error)?;
    }
    let given = arguments.write(live.bytes(), address)?;
    let mut found = values::room(None);
    let called = live
        .function
        .call_async(&mut live.store, &given, &mut found)
        .await;
    called.map_err(trap::error)
}

fn drive(
    guest: impl Future<Output = Result<(), SqlError>>,
    exchange: &Exchange,
    setting: &Setting,
    caller: &mut dyn Caller,
) -> Result<(), SqlError> {
    let mut guest = pin!(guest);
    // Nobody wakes it: each time that it gives its stack back there is something to do here, and then it goes on.
    let mut context = Context::from_waker(Waker::noop());
    loop {
        let running = setting.clock.running();
        if let Poll::Ready(result) = guest.as_mut().poll(&mut context) {
            return result;
        }
        drop(running);
        match exchange.asked() {
            Some(Question::Run(sql, parameters)) => {
                exchange.answer(caller.query(&sql, &parameters));
            }
            Some(Question::Sleep(time)) => {
                exchange.answer(caller.control().sleep(time).map(|()| Vec::new()));
            }
            None => {
                if setting.tasks.as_deref().is_some_and(give_way) {
                    setting.totals.note_switch();
                }
            }
        }
    }
}
