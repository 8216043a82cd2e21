//! The hooks at the binary interface: whoever stands between the runtime and the host counts as many as wasmtime says, and
//! notices each one that is missing.
//!
//! What stands there is an object with the host manager's table, in which the four hooks count and hand on.

mod common;

use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::{create, rows, serve_with};
use fiberhost::com::Hresult;
use fiberhost::com::table::IHostTaskManagerVtbl;
use rusqlite::types::Value;
use sql_host::below::Below;
use sql_host::error::SqlError;
use sql_host::managed::Tasks;
use sql_host::runtime::{Caller, FunctionDef, Runtime};
use sql_host::wasm::Wasm;
use sql_host::wasm::boundary::{Count, Crossings};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
enum Hook {
    Leave,
    Enter,
    ReverseEnter,
    ReverseLeave,
}

const HOOKS: [Hook; 4] = [
    Hook::Leave,
    Hook::Enter,
    Hook::ReverseEnter,
    Hook::ReverseLeave,
];

/// The object. It lives as long as the process.
#[repr(C)]
struct Between {
    table: IHostTaskManagerVtblPointer,
    own_table: IHostTaskManagerVtbl,
    tasks: Arc<Tasks>,
    counts: [AtomicU64; 4],
    /// This one is not handed on, and not counted.
    missing: Option<Hook>,
}

type IHostTaskManagerVtblPointer = *const IHostTaskManagerVtbl;

impl Between {
    fn hook(&self, hook: Hook, hand_on: impl FnOnce(&Tasks) -> Result<(), Hresult>) -> Hresult {
        if self.missing == Some(hook) {
            return Hresult::S_OK;
        }
        match hand_on(&self.tasks) {
            Ok(()) => {
                self.counts[hook as usize].fetch_add(1, Ordering::Relaxed);
                Hresult::S_OK
            }
            Err(refused) => refused,
        }
    }

    fn counts(&self) -> [u64; 4] {
        HOOKS.map(|hook| self.counts[hook as usize].load(Ordering::Relaxed))
    }
}

/// # Safety
/// `this` is one.
unsafe fn between<'a>(this: *mut c_void) -> &'a Between {
    // SAFETY: the caller's promise; it is never freed.
    unsafe { &*this.cast::<Between>() }
}

unsafe extern "system" fn query(
    _this: *mut c_void,
    _iid: *const fiberhost::com::Guid,
    _out: *mut *mut c_void,
) -> Hresult {
    Hresult::E_NOINTERFACE
}

unsafe extern "system" fn count(_this: *mut c_void) -> u32 {
    1
}

unsafe extern "system" fn leave(this: *mut c_void, target: usize) -> Hresult {
    assert_ne!(target, 0, "a target has an address");
    // SAFETY: it is called through the object's table.
    unsafe { between(this) }.hook(Hook::Leave, |tasks| tasks.leave(target))
}

unsafe extern "system" fn enter(this: *mut c_void) -> Hresult {
    // SAFETY: as above.
    unsafe { between(this) }.hook(Hook::Enter, Tasks::enter)
}

unsafe extern "system" fn reverse_enter(this: *mut c_void) -> Hresult {
    // SAFETY: as above.
    unsafe { between(this) }.hook(Hook::ReverseEnter, Tasks::reverse_enter)
}

unsafe extern "system" fn reverse_leave(this: *mut c_void) -> Hresult {
    // SAFETY: as above.
    unsafe { between(this) }.hook(Hook::ReverseLeave, Tasks::reverse_leave)
}

unsafe extern "system" fn switch(this: *mut c_void, _option: u32) -> Hresult {
    // SAFETY: as above.
    if unsafe { between(this) }.tasks.switch_to_task() {
        Hresult::S_OK
    } else {
        Hresult::S_FALSE
    }
}

/// A runtime that finds this object where it looks for the host.
#[derive(Debug)]
struct Watched {
    wasm: Wasm,
    missing: Option<Hook>,
    between: Mutex<Option<&'static Between>>,
}

// SAFETY: the object's parts may be used from any thread; its tables are constant.
unsafe impl Sync for Between {}
// SAFETY: as above.
unsafe impl Send for Between {}

impl std::fmt::Debug for Between {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Between").finish_non_exhaustive()
    }
}

impl Watched {
    fn new(missing: Option<Hook>) -> Watched {
        Watched {
            wasm: Wasm::new().expect("a runtime"),
            missing,
            between: Mutex::default(),
        }
    }

    fn counts(&self) -> [u64; 4] {
        let between = self.between.lock().expect("no panic");
        between.expect("it was attached").counts()
    }
}

impl Runtime for Watched {
    fn attach(&self, tasks: Option<Arc<Tasks>>) {
        let tasks = tasks.expect("the server is on a host");
        let own_table = IHostTaskManagerVtbl {
            QueryInterface: query,
            AddRef: count,
            Release: count,
            SwitchToTask: switch,
            LeaveRuntime: leave,
            EnterRuntime: enter,
            ReverseEnterRuntime: reverse_enter,
            ReverseLeaveRuntime: reverse_leave,
            // The runtime calls nothing else.
            ..*tasks.table()
        };
        let between: &'static mut Between = Box::leak(Box::new(Between {
            table: std::ptr::null(),
            own_table,
            tasks,
            counts: Default::default(),
            missing: self.missing,
        }));
        between.table = &raw const between.own_table;
        let between: &'static Between = between;
        *self.between.lock().expect("no panic") = Some(between);
        let object = std::ptr::from_ref(between).cast_mut().cast::<c_void>();
        // SAFETY: it has the table, its functions may be called from any thread, and it is never freed.
        let tasks = unsafe { Tasks::from_raw(object) };
        self.wasm.attach(Some(Arc::new(tasks)));
    }

    fn create_function(&self, definition: &FunctionDef) -> Result<(), SqlError> {
        self.wasm.create_function(definition)
    }

    fn definition(&self, name: &str) -> Option<FunctionDef> {
        self.wasm.definition(name)
    }

    fn drop_function(&self, name: &str) -> Result<bool, SqlError> {
        self.wasm.drop_function(name)
    }

    fn version(&self) -> u64 {
        self.wasm.version()
    }

    fn functions(&self) -> Vec<FunctionDef> {
        self.wasm.functions()
    }

    fn call_function(
        &self,
        name: &str,
        arguments: &[Value],
        below: Below,
    ) -> Result<Value, SqlError> {
        self.wasm.call_function(name, arguments, below)
    }

    fn call_procedure(
        &self,
        name: &str,
        arguments: &[Value],
        caller: &mut dyn Caller,
    ) -> Result<(), SqlError> {
        self.wasm.call_procedure(name, arguments, caller)
    }
}

/// What must hold when no guest runs.
fn compare(
    said: &Crossings,
    [leave, enter, reverse_enter, reverse_leave]: [u64; 4],
) -> Result<(), String> {
    let get = |count| said.get(count);
    let guests = get(Count::CallingGuest);
    let hosts = get(Count::CallingHost);
    let known = get(Count::Native) + get(Count::Services) + get(Count::Ticks) + get(Count::Own);
    for (what, one, other) in [
        (
            "guests called and returned",
            guests,
            get(Count::ReturningFromGuest),
        ),
        (
            "the host called and returned",
            hosts,
            get(Count::ReturningFromHost),
        ),
        (
            "guests called, and ReverseEnterRuntime",
            guests,
            reverse_enter + get(Count::AtBase),
        ),
        (
            "ReverseEnterRuntime and ReverseLeaveRuntime",
            reverse_enter,
            reverse_leave,
        ),
        ("the host called, and what it was", hosts, known),
        (
            "native imports, and LeaveRuntime",
            get(Count::Native),
            leave,
        ),
        ("LeaveRuntime and EnterRuntime", leave, enter),
    ] {
        if one != other {
            return Err(format!("{what}: {one} and {other}"));
        }
    }
    Ok(())
}

const SUM: &str = r#"(module
    (import "sql" "bind_int" (func $bind (param i64)))
    (import "sql" "run" (func $run (param i32 i32) (result i32)))
    (import "sql" "int" (func $int (param i32 i32) (result i64)))
    (import "host" "sleep" (func $sleep (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "SELECT sum(half(i)), median('3,1,2') FROM numbers WHERE i < $1")
    (func $total (param $limit i64) (result i64)
        (local $left i32)
        (call $sleep (i32.const 1))
        (call $bind (local.get $limit))
        (drop (call $run (i32.const 0) (i32.const 62)))
        ;; Long enough for some quanta.
        (local.set $left (i32.const 20000000))
        (loop $count
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $count (local.get $left)))
        (i64.add (call $int (i32.const 0) (i32.const 0)) (call $int (i32.const 0) (i32.const 1))))
    (func (export "total") (param i64) (result i64) (call $total (local.get 0)))
    (func (export "p_total") (param i64) (drop (call $total (local.get 0))))
    (func (export "half") (param i64) (result i64) (i64.shr_s (local.get 0) (i64.const 1)))
    (func (export "trap") (result i64) (drop (call $total (i64.const 9))) (unreachable))
    (func (export "p_trap") (drop (call $total (i64.const 9))) (unreachable)))"#;

/// Calls of all kinds. What the counts are then, and what the host found wrong.
fn work(missing: Option<Hook>, thread_mode: bool) -> (Crossings, [u64; 4], u64) {
    let watched = Arc::new(Watched::new(missing));
    let mut served = serve_with(2, thread_mode, watched.clone());
    let mut client = served.client();
    create(&mut client, "FUNCTION total(bigint) RETURNS bigint", SUM);
    create(&mut client, "FUNCTION half(bigint) RETURNS bigint", SUM);
    create(&mut client, "FUNCTION trap() RETURNS bigint", SUM);
    create(&mut client, "PROCEDURE p_total(bigint)", SUM);
    create(&mut client, "PROCEDURE p_trap()", SUM);
    create(
        &mut client,
        "FUNCTION median(list text) RETURNS bigint",
        include_str!("../guests/median.wat"),
    );
    rows(
        &mut client,
        "CREATE TABLE numbers (i INTEGER);
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99) INSERT INTO numbers SELECT i FROM n",
    );
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let mut client = served.client();
            std::thread::spawn(move || {
                for sql in [
                    "SELECT total(10)",
                    "CALL p_total(100)",
                    "SELECT trap()",
                    "CALL p_trap()",
                    "SELECT total(i) FROM numbers WHERE i BETWEEN 1 AND 3",
                ] {
                    // With a hook missing, what it is answered is no matter.
                    drop(client.query(sql));
                }
            })
        })
        .collect();
    for client in clients {
        client.join().expect("no panic");
    }
    drop(client);
    let server = served.server.take().expect("it runs");
    let shared = Arc::clone(&server.shared);
    server.stop().expect("nothing is left");
    let figures = shared.executor.host().figures();
    let wrong = figures.stray_hooks + figures.frames_left;
    (watched.wasm.crossings(), watched.counts(), wrong)
}

#[test]
fn the_table_counts_as_many_hooks_as_wasmtime_says() {
    for thread_mode in [false, true] {
        let (said, counted, wrong) = work(None, thread_mode);
        assert_eq!(compare(&said, counted), Ok(()), "{said:?} {counted:?}");
        assert_eq!(wrong, 0, "the host found hooks that did not fit");
        // Each kind was there.
        for count in [Count::AtBase, Count::Native, Count::Services, Count::Ticks] {
            assert!(said.get(count) > 0, "no {count:?}: {said:?}");
        }
        assert!(counted.iter().all(|count| *count > 0), "{counted:?}");
    }
}

#[test]
fn a_hook_that_is_missing_is_noticed() {
    for missing in HOOKS {
        let (said, counted, wrong) = work(Some(missing), false);
        assert!(
            compare(&said, counted).is_err(),
            "{missing:?}: {said:?} {counted:?}"
        );
        assert!(wrong > 0, "{missing:?}: the host found nothing wrong");
    }
}
