//! For whom a task acts: it goes along wherever the task goes, into pool work and completions; and what wrong calls get.

mod common;
#[macro_use]
mod hosting;

use std::ffi::c_void;
use std::sync::mpsc::channel;

use common::{LONG, Watchdog, eventually};
use fiberhost::com::table::{IID_IHostSecurityContext, IID_IHostSecurityManager};
use fiberhost::com::{EContextType, Handle, Hresult};
use fiberhost::{Security, TaskMode};
use hosting::fake::Plain;
use hosting::{Bench, OWN_OBJECTS, Object, builder, given, join, routine};

const CURRENT: u32 = EContextType::eCurrentContext.0;
const RESTRICTED: u32 = EContextType::eRestrictedContext.0;
const NO_TOKEN: Hresult = Hresult::HRESULT_FROM_WIN32_ERROR_NO_TOKEN;

/// A host that knows the tokens below 100.
struct Room {
    bench: Bench,
    manager: Object,
}

#[track_caller]
fn with_security(test: impl Fn(&'static Room)) {
    for (workers, mode) in [
        (1, TaskMode::Fiber),
        (2, TaskMode::Fiber),
        (4, TaskMode::Fiber),
        (2, TaskMode::Thread),
    ] {
        let what = format!("{} {workers} {mode:?}", std::panic::Location::caller());
        let _watchdog = Watchdog::new(what);
        let settings = Security::new()
            .restricted(Handle(66))
            .check(|token| token.0 < 100);
        let bench = Bench::new(builder(workers).tasks(mode).security(settings));
        let room = Room {
            manager: manager(&bench),
            bench,
        };
        // SAFETY: whoever gets it has ended when the host has.
        test(unsafe { &*std::ptr::from_ref(&room) });
        room.manager.release();
        let host = &room.bench.host;
        host.release_thread();
        host.shutdown(LONG).expect("nothing is left to wait for");
        eventually("only the host's own objects are left", || {
            host.figures().objects == OWN_OBJECTS + 1
        });
    }
}

fn manager(bench: &Bench) -> Object {
    let iid = IID_IHostSecurityManager;
    given(|out| {
        let iid = &raw const iid;
        com!(bench.control, IHostControlVtbl, GetHostManager, iid, out)
    })
}

fn handle(token: usize) -> *mut c_void {
    std::ptr::without_provenance_mut(token)
}

impl Room {
    fn impersonate(&self, token: usize) -> Hresult {
        let token = handle(token);
        com!(
            self.manager,
            IHostSecurityManagerVtbl,
            ImpersonateLoggedOnUser,
            token
        )
    }

    fn revert(&self) -> Hresult {
        com!(self.manager, IHostSecurityManagerVtbl, RevertToSelf)
    }

    fn set_token(&self, token: usize) -> Hresult {
        let token = handle(token);
        com!(
            self.manager,
            IHostSecurityManagerVtbl,
            SetThreadToken,
            token
        )
    }

    fn token(&self) -> Result<usize, Hresult> {
        let mut token = handle(1);
        let answer = com!(
            self.manager,
            IHostSecurityManagerVtbl,
            OpenThreadToken,
            8,
            1,
            &raw mut token
        );
        assert_eq!(answer != Hresult::S_OK, token.is_null());
        let seen = self.bench.host.token().map(|token| token.0);
        assert_eq!(seen, answer.ok().ok().map(|()| token.addr()));
        answer.ok().map(|()| token.addr())
    }

    fn context(&self, kind: u32) -> Object {
        given(|out| {
            com!(
                self.manager,
                IHostSecurityManagerVtbl,
                GetSecurityContext,
                kind,
                out
            )
        })
    }

    fn set_context(&self, kind: u32, context: Object) -> Hresult {
        let context = context.get();
        com!(
            self.manager,
            IHostSecurityManagerVtbl,
            SetSecurityContext,
            kind,
            context
        )
    }

    fn give_way(&self) {
        com!(self.bench.tasks, IHostTaskManagerVtbl, Sleep, 0, 0);
        let _ = com!(self.bench.tasks, IHostTaskManagerVtbl, SwitchToTask, 0);
    }
}

#[test]
fn a_task_acts_for_whom_it_was_told_to() {
    with_security(|room| {
        let check = || {
            assert_eq!(room.token(), Err(NO_TOKEN));
            assert_eq!(room.revert(), Hresult::S_OK, "also if there is nothing");
            assert_eq!(room.impersonate(5), Hresult::S_OK);
            assert_eq!(room.token(), Ok(5));
            assert_eq!(room.set_token(6), Hresult::S_OK);
            assert_eq!(room.token(), Ok(6));
            for wrong in [0, 100, usize::MAX] {
                assert_eq!(room.impersonate(wrong), Hresult::E_HANDLE);
            }
            assert_eq!(room.set_token(100), Hresult::E_HANDLE);
            assert_eq!(room.token(), Ok(6), "nothing has changed");
            assert_eq!(room.set_token(0), Hresult::S_OK, "for nobody");
            assert_eq!(room.token(), Err(NO_TOKEN));
            assert_eq!(room.impersonate(7), Hresult::S_OK);
            assert_eq!(room.revert(), Hresult::S_OK);
            assert_eq!(room.token(), Err(NO_TOKEN));
        };
        // On a thread that is no task, which it does not become by that, and on tasks.
        check();
        assert!(room.bench.host.current_task().is_none());
        room.bench.run(check);
        // What a thread is told stays while it is none, and when it becomes one.
        assert_eq!(room.impersonate(8), Hresult::S_OK);
        com!(room.bench.tasks, IHostTaskManagerVtbl, BeginThreadAffinity);
        com!(room.bench.tasks, IHostTaskManagerVtbl, EndThreadAffinity);
        assert_eq!(room.token(), Ok(8));
        let me = given(|out| com!(room.bench.tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
        me.release();
        assert_eq!(room.token(), Ok(8));
    });
}

/// Tasks move and are mixed; each stays with its own.
#[test]
fn it_goes_along_wherever_the_task_goes() {
    with_security(|room| {
        let tasks: Vec<Object> = (1..20)
            .map(|token| {
                room.bench.start(move || {
                    assert_eq!(room.token(), Err(NO_TOKEN), "a new task acts for nobody");
                    assert_eq!(room.impersonate(token), Hresult::S_OK);
                    for _ in 0..50 {
                        room.give_way();
                        assert_eq!(room.token(), Ok(token));
                    }
                    // Through unmanaged code too.
                    com!(room.bench.tasks, IHostTaskManagerVtbl, LeaveRuntime, 1);
                    assert_eq!(room.token(), Ok(token));
                    com!(room.bench.tasks, IHostTaskManagerVtbl, EnterRuntime);
                    room.give_way();
                    assert_eq!(room.token(), Ok(token));
                })
            })
            .collect();
        for task in tasks {
            join(task);
        }
    });
}

/// Work for the pool is done for whom it was queued, whatever the worker did before.
#[test]
fn it_goes_into_pool_work() {
    with_security(|room| {
        let queue = |work: Box<dyn FnOnce() + Send>| {
            let (function, context) = routine(work);
            let answer = com!(
                room.bench.pool,
                IHostThreadpoolManagerVtbl,
                QueueUserWorkItem,
                Some(function),
                context,
                0
            );
            assert_eq!(answer, Hresult::S_OK);
        };
        let (tell, told) = channel();
        for token in (0..60).map(|number| number % 3) {
            if token == 0 {
                assert_eq!(room.revert(), Hresult::S_OK);
            } else {
                assert_eq!(room.impersonate(token), Hresult::S_OK);
            }
            let tell = tell.clone();
            queue(Box::new(move || {
                let before = room.token().ok();
                room.give_way();
                let after = room.token().ok();
                // What it leaves behind is not for the next one.
                assert_eq!(room.impersonate(99), Hresult::S_OK);
                tell.send((token, before, after)).expect("the test listens");
            }));
        }
        for _ in 0..60 {
            let (token, before, after) = told.recv_timeout(LONG).expect("it runs");
            let wanted = (token > 0).then_some(token);
            assert_eq!((before, after), (wanted, wanted));
        }
        assert_eq!(room.revert(), Hresult::S_OK);
    });
}

#[test]
fn a_context_is_taken_along_and_set_elsewhere() {
    with_security(|room| {
        assert_eq!(room.impersonate(9), Hresult::S_OK);
        let context = room.context(CURRENT);
        let copy = given(|out| com!(context, IHostSecurityContextVtbl, Capture, out));
        assert_ne!(context, copy, "an independent one");
        assert_eq!(context.release(), 0);
        // It does not change with the one it was taken from.
        assert_eq!(room.revert(), Hresult::S_OK);
        room.bench.run(move || {
            assert_eq!(room.set_context(CURRENT, copy), Hresult::S_OK);
            assert_eq!(room.token(), Ok(9));
            room.give_way();
            assert_eq!(room.token(), Ok(9));
            let restricted = room.context(RESTRICTED);
            assert_eq!(room.token(), Ok(9), "it was only asked for");
            assert_eq!(room.set_context(RESTRICTED, restricted), Hresult::S_OK);
            assert_eq!(room.token(), Ok(66));
            assert_eq!(restricted.release(), 0);
        });
        assert_eq!(copy.release(), 0);
        // One of nobody in particular is one too.
        let nobody = room.context(CURRENT);
        assert_eq!(room.impersonate(4), Hresult::S_OK);
        assert_eq!(room.set_context(CURRENT, nobody), Hresult::S_OK);
        assert_eq!(room.token(), Err(NO_TOKEN));
        let iid = IID_IHostSecurityContext;
        let same = given(|out| com!(nobody, IUnknownVtbl, QueryInterface, &raw const iid, out));
        assert_eq!((same, same.release(), nobody.release()), (nobody, 1, 0));
    });
}

#[test]
fn what_is_no_context_of_this_host_is_refused() {
    with_security(|room| {
        let other = Bench::new(builder(1).security(Security::new()));
        let others = manager(&other);
        let foreign = given(|out| {
            com!(
                others,
                IHostSecurityManagerVtbl,
                GetSecurityContext,
                CURRENT,
                out
            )
        });
        assert_eq!(room.impersonate(3), Hresult::S_OK);
        let plain = Plain::new();
        for (wrong, expected) in [
            (handle(0), Hresult::E_POINTER),
            (foreign.get().wrapping_byte_add(4), Hresult::E_INVALIDARG),
            (foreign.get(), Hresult::E_INVALIDARG),
            (room.manager.get(), Hresult::E_INVALIDARG),
            (plain.object().get(), Hresult::E_INVALIDARG),
        ] {
            for kind in [CURRENT, RESTRICTED] {
                assert_eq!(room.set_context(kind, Object::new(wrong)), expected);
            }
        }
        assert_eq!(room.set_context(2, foreign), Hresult::E_INVALIDARG);
        assert_eq!(room.token(), Ok(3), "nothing has changed");
        assert_eq!((plain.references(), foreign.release()), (1, 0));
        assert_eq!(room.revert(), Hresult::S_OK);
        others.release();
        other.host.shutdown(LONG).expect("nothing is left");
    });
}

/// A completion is told for whom the transfer was submitted.
#[test]
fn it_goes_into_completions() {
    use fiberhost::com::table::{IID_IHostIoCompletionManager, OVERLAPPED};
    use fiberhost::com::{Direction, Transfer};
    use hosting::fake::Recorder;
    use std::os::fd::AsRawFd;

    #[repr(C)]
    struct Place {
        overlapped: OVERLAPPED,
        host: [u64; 2],
        buffer: [u8; 64],
    }

    let _watchdog = Watchdog::new("it_goes_into_completions".to_owned());
    let engine = fiberhost::IoEngine::Detect;
    let bench = Bench::new(builder(2).security(Security::new()).io_completion(engine));
    let manager = manager(&bench);
    let room = Room { bench, manager };
    let host = (&raw const room).expose_provenance();
    let (tell, told) = channel();
    let recorder = Recorder::new(move |_, _| {
        // SAFETY: the room is there until the host has ended.
        let room = unsafe { &*std::ptr::with_exposed_provenance::<Room>(host) };
        tell.send(room.token().ok()).expect("the test listens");
        // What it leaves behind is not for the next one.
        room.impersonate(42)
    });
    let iid = IID_IHostIoCompletionManager;
    let io = given(|out| {
        let iid = &raw const iid;
        com!(
            room.bench.control,
            IHostControlVtbl,
            GetHostManager,
            iid,
            out
        )
    });
    let pointer = recorder.object().get();
    com!(
        io,
        IHostIoCompletionManagerVtbl,
        SetCLRIoCompletionManager,
        pointer
    );
    let file = std::fs::File::open("/proc/self/exe").expect("a file");
    let fd = file.as_raw_fd() as usize;
    com!(
        io,
        IHostIoCompletionManagerVtbl,
        Bind,
        handle(0),
        handle(fd)
    );
    for token in [None, Some(7), Some(8), None] {
        assert_eq!(room.set_token(token.unwrap_or(0)), Hresult::S_OK);
        // SAFETY: all zeros are a value of it.
        let mut place: Place = unsafe { std::mem::zeroed() };
        let overlapped = (&raw mut place.overlapped).cast();
        com!(
            io,
            IHostIoCompletionManagerVtbl,
            InitializeHostOverlapped,
            overlapped
        );
        let buffer = (&raw mut place.buffer).cast();
        // SAFETY: the place is there until the runtime was told.
        let transfer =
            unsafe { Transfer::new(Direction::Read, Handle(fd), buffer, 64, overlapped) };
        let transfers = room.bench.host.transfers().expect("they are the host's");
        transfers
            .submit(transfer.expect("it is right"))
            .expect("accepted");
        assert_eq!(told.recv_timeout(LONG), Ok(token));
    }
    io.release();
    room.manager.release();
    room.bench.host.shutdown(LONG).expect("nothing is left");
    assert_eq!(recorder.references(), 1);
}
