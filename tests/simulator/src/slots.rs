//! Which slots of the interfaces were called, of the host's and of the runtime's, while a script runs; and what the runtime
//! was told by the host.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fiberhost::com::describe::Interface;
use fiberhost::com::{Hresult, clr, host};

use crate::script::Script;

/// The interfaces of which a script has to call every slot: all that a host implements or calls. Those slots that all objects
/// have are `IUnknown`'s.
fn interfaces() -> impl Iterator<Item = &'static Interface> {
    let known = |name: &&str| Interface::named(name).expect("an interface");
    let all = ["IUnknown"]
        .iter()
        .chain(host::IMPLEMENTED)
        .chain(clr::CALLED);
    let all = all.map(known);
    let mut seen = BTreeSet::new();
    all.filter(move |interface| seen.insert(interface.name))
}

/// How long what comes from another thread may take.
const PATIENCE: Duration = Duration::from_secs(20);

static IS_ON: AtomicBool = AtomicBool::new(false);
static CALLED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A slot is called; the table's name may have `Vtbl` at its end.
pub fn note(table: &str, slot: &str) {
    if IS_ON.load(Ordering::Relaxed) {
        let interface = table.trim_end_matches("Vtbl");
        let all = ["QueryInterface", "AddRef", "Release"];
        let interface = if all.contains(&slot) {
            "IUnknown"
        } else {
            interface
        };
        CALLED.lock().unwrap().insert(format!("{interface}/{slot}"));
    }
}

/// The runtime is told this by the host, in a slot of its own.
pub fn told(interface: &str, slot: &str, arguments: &[i64]) -> Hresult {
    note(interface, slot);
    if IS_ON.load(Ordering::Relaxed) {
        let arguments = arguments.iter().map(|argument| format!(" {argument}"));
        let words = format!("{slot}{}", arguments.collect::<String>());
        TOLD.lock().unwrap().push(words);
    }
    Hresult::S_OK
}

/// Whether the runtime was told this since it was last asked for, or is within a time: some of it comes from threads of the
/// host's own.
pub fn is_told(words: &str) -> bool {
    let until = Instant::now() + PATIENCE;
    while !was_told(words) {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

fn was_told(words: &str) -> bool {
    let mut told = TOLD.lock().unwrap();
    let at = told.iter().position(|told| told == words);
    at.is_some_and(|at| {
        told.remove(at);
        true
    })
}

/// From here on it is noted.
pub fn begin() {
    IS_ON.store(true, Ordering::Relaxed);
    CALLED.lock().unwrap().clear();
    TOLD.lock().unwrap().clear();
}

/// What was called since the beginning.
pub fn end() -> BTreeSet<String> {
    IS_ON.store(false, Ordering::Relaxed);
    std::mem::take(&mut *CALLED.lock().unwrap())
}

/// All slots that have to be called, from the description of the binary interface.
///
/// # Panics
/// If there is no interface of one of the names.
pub fn all() -> Vec<String> {
    let slots = interfaces().flat_map(|interface| {
        let inherited = interface.base.map_or(0, |base| {
            Interface::named(base).expect("an interface").methods.len()
        });
        let own = interface.methods[inherited..].iter();
        own.map(move |method| format!("{}/{}", interface.name, method.name))
    });
    slots.collect()
}

/// The slots that no script observes.
///
/// # Panics
/// If a script names one that there is not.
pub fn without_script(scripts: &[Script]) -> Vec<String> {
    let mut all = all();
    for script in scripts {
        for slot in script.observes() {
            let known = self::all().iter().any(|known| known == slot);
            assert!(known, "{}: there is no slot {slot}", script.name);
            all.retain(|known| known != slot);
        }
    }
    all
}

/// The table: which script calls a slot and looks at what it does.
pub fn table(scripts: &[Script]) -> String {
    let mut rows = String::new();
    for slot in all() {
        let observes = |script: &&Script| script.observes().any(|observed| observed == slot);
        let names: Vec<&str> = scripts
            .iter()
            .filter(observes)
            .map(|script| &*script.name)
            .collect();
        writeln!(rows, "| {slot} | {} |", names.join(", ")).expect("a string takes it");
    }
    let (count, missing) = (all().len(), without_script(scripts).len());
    format!(
        "\n# Slots and their scripts\n\n\
         Each script that is named calls the slot, which the runner checks, and looks at what it does.\n\
         Of {count} slots {missing} have none.\n\n\
         | slot | script |\n|---|---|\n{rows}"
    )
}
