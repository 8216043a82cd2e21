//! Locks of a runtime: who owns them, as it tells its host, and the events and sections behind them.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fiberhost::com::{Hresult, INFINITE};

use super::fake::Recorder;
use super::{Bench, Object, given};

/// The runtime's knowledge of who owns what, and its `ICLRSyncManager`.
pub(crate) struct Locks {
    pub(crate) owners: Arc<Mutex<BTreeMap<usize, Vec<Object>>>>,
    /// Iterators that were begun and not given back.
    iterators: Arc<Mutex<BTreeMap<usize, Vec<Object>>>>,
    /// While it is set the runtime does not answer.
    pub(crate) silent: Arc<AtomicBool>,
    pub(crate) asked: Arc<AtomicU32>,
}

pub(crate) fn answer(owner: Option<Object>, out: usize) -> Hresult {
    let pointer = owner.map_or(std::ptr::null_mut(), |owner| {
        com!(owner, IUnknownVtbl, AddRef);
        owner.get()
    });
    // SAFETY: the last argument of these slots is a place for a pointer.
    unsafe { *(out as *mut *mut c_void) = pointer };
    Hresult::S_OK
}

impl Locks {
    pub(crate) fn new(bench: &Bench) -> Locks {
        let owners = Arc::new(Mutex::new(BTreeMap::<usize, Vec<Object>>::new()));
        let iterators = Arc::new(Mutex::new(BTreeMap::<usize, Vec<Object>>::new()));
        let silent = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicU32::new(0));
        let (theirs, open, mute, count) = (
            Arc::clone(&owners),
            Arc::clone(&iterators),
            Arc::clone(&silent),
            Arc::clone(&asked),
        );
        let manager = Recorder::new(move |slot, words| {
            let [first, second, ..] = *words;
            count.fetch_add(1, Ordering::SeqCst);
            while mute.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            match slot {
                3 => {
                    let owners = theirs.lock().unwrap();
                    answer(owners.get(&first).map(|all| all[0]), second)
                }
                4 => {
                    let owners = theirs.lock().unwrap().get(&first).cloned();
                    let mut open = open.lock().unwrap();
                    let name = open.last_key_value().map_or(1, |(last, _)| last + 1);
                    open.insert(name, owners.unwrap_or_default());
                    // SAFETY: the interface says that it is a place for a number.
                    unsafe { *(second as *mut usize) = name };
                    Hresult::S_OK
                }
                5 => {
                    let mut open = open.lock().unwrap();
                    answer(open.get_mut(&first).and_then(Vec::pop), second)
                }
                6 => {
                    let gone = open.lock().unwrap().remove(&first);
                    assert!(gone.is_some(), "it was begun");
                    Hresult::S_OK
                }
                other => unreachable!("slot {other}"),
            }
        });
        let set = com!(
            bench.sync,
            IHostSyncManagerVtbl,
            SetCLRSyncManager,
            manager.object().get()
        );
        assert_eq!(set, Hresult::S_OK);
        Locks {
            owners,
            iterators,
            silent,
            asked,
        }
    }

    pub(crate) fn own(&self, cookie: usize, owner: Object) {
        let mut owners = self.owners.lock().unwrap();
        owners.entry(cookie).or_default().push(owner);
    }

    pub(crate) fn disown(&self, cookie: usize) {
        self.owners.lock().unwrap().remove(&cookie);
    }

    pub(crate) fn check(&self) {
        assert!(self.iterators.lock().unwrap().is_empty(), "given back");
    }
}

pub(crate) fn monitor(bench: &Bench, cookie: usize) -> Object {
    given(|out| {
        com!(
            bench.sync,
            IHostSyncManagerVtbl,
            CreateMonitorEvent,
            cookie,
            out
        )
    })
}

pub(crate) fn readers_event(bench: &Bench, is_set: bool, cookie: usize) -> Object {
    given(|out| {
        com!(
            bench.sync,
            IHostSyncManagerVtbl,
            CreateRWLockReaderEvent,
            is_set.into(),
            cookie,
            out
        )
    })
}

pub(crate) fn writers_event(bench: &Bench, cookie: usize) -> Object {
    given(|out| {
        com!(
            bench.sync,
            IHostSyncManagerVtbl,
            CreateRWLockWriterEvent,
            cookie,
            out
        )
    })
}

pub(crate) fn section(bench: &Bench) -> Object {
    given(|out| com!(bench.sync, IHostSyncManagerVtbl, CreateCrst, out))
}

pub(crate) fn wait(event: Object, option: u32) -> impl FnOnce() -> Hresult + Send + 'static {
    move || com!(event, IHostAutoEventVtbl, Wait, INFINITE, option)
}

pub(crate) fn set(event: Object) {
    assert_eq!(com!(event, IHostAutoEventVtbl, Set), Hresult::S_OK);
}

pub(crate) fn enter(section: Object, option: u32) -> impl FnOnce() -> Hresult + Send + 'static {
    move || com!(section, IHostCrstVtbl, Enter, option)
}

pub(crate) fn leave(section: Object) -> impl FnOnce() -> Hresult + Send + 'static {
    move || com!(section, IHostCrstVtbl, Leave)
}

pub(crate) fn join_it(task: Object, option: u32) -> impl FnOnce() -> Hresult + Send + 'static {
    move || com!(task, IHostTaskVtbl, Join, INFINITE, option)
}
