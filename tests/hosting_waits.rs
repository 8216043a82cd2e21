//! Each wait of the interface, by each kind of caller, with each of its ends: the result is the documented one, and what did not
//! end it is still there. Circles of waits have files of their own (`hosting_deadlock`), and so has a shutdown (`hosting_sync`).

mod common;
#[macro_use]
mod hosting;

use fiberhost::com::{Hresult, INFINITE};
use hosting::actor::Actor;
use hosting::locks::{monitor, readers_event, section, writers_event};
use hosting::{Bench, Object, at_workers, given};

const ALERTABLE: u32 = 2;
/// A time that passes soon, in milliseconds.
const SOON: u32 = 3;

/// What can be waited for.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Auto,
    Manual,
    Monitor,
    Writers,
    Readers,
    Semaphore,
    Join,
    Sleep,
}

const KINDS: [Kind; 8] = [
    Kind::Auto,
    Kind::Manual,
    Kind::Monitor,
    Kind::Writers,
    Kind::Readers,
    Kind::Semaphore,
    Kind::Join,
    Kind::Sleep,
];

/// Something to be waited for, as often as it is signalled.
#[derive(Clone, Copy)]
struct Thing {
    kind: Kind,
    object: Object,
}

impl Thing {
    fn new(bench: &Bench, kind: Kind) -> Thing {
        let sync = bench.sync;
        let object = match kind {
            Kind::Auto => given(|out| com!(sync, IHostSyncManagerVtbl, CreateAutoEvent, out)),
            Kind::Manual => {
                given(|out| com!(sync, IHostSyncManagerVtbl, CreateManualEvent, 0, out))
            }
            Kind::Monitor => monitor(bench, 1),
            Kind::Writers => writers_event(bench, 2),
            Kind::Readers => readers_event(bench, false, 3),
            Kind::Semaphore => {
                given(|out| com!(sync, IHostSyncManagerVtbl, CreateSemaphore, 0, 9, out))
            }
            Kind::Join => bench.create(|| {}),
            // It is released as the others are.
            Kind::Sleep => {
                com!(bench.tasks, IUnknownVtbl, AddRef);
                bench.tasks
            }
        };
        Thing { kind, object }
    }

    fn wait(self, milliseconds: u32, option: u32) -> Hresult {
        let object = self.object;
        match self.kind {
            Kind::Auto | Kind::Monitor | Kind::Writers => {
                com!(object, IHostAutoEventVtbl, Wait, milliseconds, option)
            }
            Kind::Manual | Kind::Readers => {
                com!(object, IHostManualEventVtbl, Wait, milliseconds, option)
            }
            Kind::Semaphore => com!(object, IHostSemaphoreVtbl, Wait, milliseconds, option),
            Kind::Join => com!(object, IHostTaskVtbl, Join, milliseconds, option),
            Kind::Sleep => com!(object, IHostTaskManagerVtbl, Sleep, milliseconds, option),
        }
    }

    /// Lets one wait through, or all of them.
    fn signal(self) {
        let object = self.object;
        let done = match self.kind {
            Kind::Auto | Kind::Monitor | Kind::Writers => com!(object, IHostAutoEventVtbl, Set),
            Kind::Manual | Kind::Readers => com!(object, IHostManualEventVtbl, Set),
            Kind::Semaphore => {
                let nobody_asks = std::ptr::null_mut();
                com!(object, IHostSemaphoreVtbl, ReleaseSemaphore, 1, nobody_asks)
            }
            Kind::Join => com!(object, IHostTaskVtbl, Start),
            Kind::Sleep => unreachable!("nothing ends it well before its time"),
        };
        assert_eq!(done, Hresult::S_OK);
    }

    /// The end of a wait whose time is over: to a sleep that is as it should be.
    fn over(self) -> Hresult {
        match self.kind {
            Kind::Sleep => Hresult::S_OK,
            _ => Hresult::HOST_E_TIMEOUT,
        }
    }

    /// Whether it lets one wait through, and not all of them from then on.
    fn is_used_up(self) -> bool {
        !matches!(self.kind, Kind::Manual | Kind::Readers | Kind::Join)
    }
}

/// A task, one in unmanaged code, and a thread that has become one.
fn callers(bench: &Bench) -> [(&'static str, Actor); 3] {
    let in_section = Actor::task(bench);
    let tasks = bench.tasks;
    in_section.call(move || com!(tasks, IHostTaskManagerVtbl, LeaveRuntime, 1));
    [
        ("a task", Actor::task(bench)),
        ("a task in unmanaged code", in_section),
        ("a thread", Actor::thread(bench)),
    ]
}

fn end(bench: &Bench, callers: [(&'static str, Actor); 3]) {
    let tasks = bench.tasks;
    let [(_, task), (_, in_section), (_, thread)] = callers;
    in_section.call(move || com!(tasks, IHostTaskManagerVtbl, EnterRuntime));
    for actor in [task, in_section, thread] {
        actor.end();
    }
}

fn alert(actor: &Actor) {
    assert_eq!(com!(actor.task, IHostTaskVtbl, Alert), Hresult::S_OK);
}

/// What a wait that begins now gives.
#[track_caller]
fn result(actor: &Actor, thing: Thing, milliseconds: u32, option: u32) -> Hresult {
    actor.begin(move || thing.wait(milliseconds, option));
    actor.ends()
}

fn each(test: impl Fn(&Bench, &Actor, Thing, &str)) {
    at_workers(|bench| {
        let callers = callers(bench);
        for (caller, actor) in &callers {
            for kind in KINDS {
                let thing = Thing::new(bench, kind);
                test(bench, actor, thing, &format!("{kind:?} by {caller}"));
                thing.object.release();
            }
        }
        end(bench, callers);
    });
}

#[test]
fn a_wait_whose_time_is_over() {
    each(|_, actor, thing, what| {
        for option in [0, ALERTABLE] {
            for time in [0, SOON] {
                assert_eq!(result(actor, thing, time, option), thing.over(), "{what}");
            }
        }
    });
}

#[test]
fn a_wait_that_comes_after_the_signal_or_before_it() {
    each(|_, actor, thing, what| {
        if let Kind::Sleep = thing.kind {
            return;
        }
        thing.signal();
        assert_eq!(result(actor, thing, INFINITE, 0), Hresult::S_OK, "{what}");
        let again = result(actor, thing, 0, 0);
        let expected = match thing.is_used_up() {
            true => Hresult::HOST_E_TIMEOUT,
            false => Hresult::S_OK,
        };
        assert_eq!(again, expected, "{what}, once more");
        if thing.is_used_up() {
            for option in [0, ALERTABLE] {
                actor.begin(move || thing.wait(INFINITE, option));
                thing.signal();
                assert_eq!(actor.ends(), Hresult::S_OK, "{what}, later");
            }
        }
    });
}

/// An alert ends an alertable wait, before it or in it. Another wait leaves it for the next alertable one, and two are one.
#[test]
fn a_wait_and_an_alert() {
    each(|_, actor, thing, what| {
        let interrupted = Hresult::HOST_E_INTERRUPTED;
        alert(actor);
        let found = result(actor, thing, INFINITE, ALERTABLE);
        assert_eq!(found, interrupted, "{what}, before");
        actor.begin(move || thing.wait(INFINITE, ALERTABLE));
        alert(actor);
        assert_eq!(actor.ends(), interrupted, "{what}, in it");
        alert(actor);
        alert(actor);
        let deaf = result(actor, thing, SOON, 0);
        assert_eq!(deaf, thing.over(), "{what}, not alertable");
        let found = result(actor, thing, SOON, ALERTABLE);
        assert_eq!(found, interrupted, "{what}, left for it");
        let found = result(actor, thing, SOON, ALERTABLE);
        assert_eq!(found, thing.over(), "{what}, two are one");
    });
}

/// What was waited for counts before an alert, which is there for the next wait.
#[test]
fn a_wait_with_both() {
    each(|bench, actor, thing, what| {
        if let Kind::Sleep = thing.kind {
            return;
        }
        thing.signal();
        if let Kind::Join = thing.kind {
            // It may not have ended yet.
            assert_eq!(result(actor, thing, INFINITE, 0), Hresult::S_OK, "{what}");
        }
        alert(actor);
        let found = result(actor, thing, INFINITE, ALERTABLE);
        assert_eq!(found, Hresult::S_OK, "{what}");
        let sleep = Thing::new(bench, Kind::Sleep);
        let found = result(actor, sleep, SOON, ALERTABLE);
        sleep.object.release();
        assert_eq!(found, Hresult::HOST_E_INTERRUPTED, "{what}, afterwards");
    });
}

/// A section is waited for without a time and whatever alerts come.
#[test]
fn a_section_is_waited_for_until_it_is_ones_own() {
    at_workers(|bench| {
        let callers = callers(bench);
        let owner = Actor::task(bench);
        for (caller, actor) in &callers {
            let section = section(bench);
            owner.call(move || com!(section, IHostCrstVtbl, Enter, 0));
            actor.begin(move || com!(section, IHostCrstVtbl, Enter, 0));
            alert(actor);
            actor.still_waits();
            owner.call(move || com!(section, IHostCrstVtbl, Leave));
            assert_eq!(actor.ends(), Hresult::S_OK, "{caller}");
            let stranger = move || com!(section, IHostCrstVtbl, Leave);
            owner.begin(stranger);
            assert_eq!(owner.ends(), Hresult::HOST_E_NOT_OWNER, "{caller}");
            actor.call(stranger);
            // The alert is there still.
            let tasks = bench.tasks;
            actor.begin(move || com!(tasks, IHostTaskManagerVtbl, Sleep, INFINITE, ALERTABLE));
            assert_eq!(actor.ends(), Hresult::HOST_E_INTERRUPTED, "{caller}");
            section.release();
        }
        owner.end();
        end(bench, callers);
    });
}
