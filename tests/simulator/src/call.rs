//! One call of a script, made through the table of its interface.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_void;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use fiberhost::com::clr::{ClrInterface, ICLRTask};
use fiberhost::com::table;
use fiberhost::com::{Hresult, INFINITE};
use fiberhost::{Abort, Host, HostTask, Recycled, State, TaskMode};

use crate::managed::{Heap, Thread};
use crate::managers;
use crate::memory::{self, Places};
use crate::object::{Object, com, given, unnoted};
use crate::own;
use crate::runtime::{Head, Managers, discover};
use crate::slots::note;

/// What an object of the host's is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `IHostAutoEvent`.
    Auto,
    /// `IHostManualEvent`.
    Manual,
    /// `IHostSemaphore`.
    Semaphore,
    /// `IHostCrst`.
    Crst,
    /// `IHostTask`.
    Task,
    /// `IHostMalloc`.
    Heap,
}

/// What the actors of a script have in common.
pub struct World {
    /// What the runtime has found.
    pub managers: Managers,
    /// To look at states, and to tell when something is left; the runtime does not use it.
    pub host: Host,
    /// On what tasks run.
    pub mode: TaskMode,
    /// What was made, by name.
    pub objects: Mutex<BTreeMap<String, (Kind, Object)>>,
    /// The tasks made by `CreateTask` whose function was called.
    pub ran: Arc<Mutex<BTreeSet<String>>>,
    /// The host's own view of the tasks, by the address of their `IHostTask`.
    pub tasks: Mutex<BTreeMap<usize, HostTask>>,
    /// The managed side, once a thread of it is there.
    pub heap: OnceLock<&'static Heap>,
    /// Tasks of managed code by their domain.
    pub domains: Mutex<Vec<(u32, HostTask)>>,
    /// Memory by name, and whom the host tells of it.
    pub places: Places,
    /// The runtime's `ICLRMemoryNotificationCallback`.
    pub memory_callback: &'static Head,
    /// OS threads that belong to somebody in unmanaged code or in what that has called back, with who it is.
    pub owned: Mutex<BTreeMap<libc::pid_t, String>>,
    /// Whose calls have ended, in that order.
    pub order: Mutex<Vec<String>>,
}

impl World {
    /// The managed side of the runtime.
    pub fn heap(&self) -> &'static Heap {
        self.heap
            .get_or_init(|| Heap::new(self.managers, self.mode == TaskMode::Fiber))
    }

    /// While somebody is in unmanaged code, or in what that has called back, nobody else runs on that thread.
    ///
    /// # Panics
    /// If somebody does.
    pub fn look_at_thread(&self, who: &str) {
        let owned = self.owned.lock().unwrap();
        if let Some(owner) = owned.get(&os_thread()) {
            assert_eq!(
                owner, who,
                "runs on the thread of somebody in unmanaged code"
            );
        }
    }

    /// What the thread is after a call in this state.
    pub fn note_thread(&self, who: &str, state: char) {
        let mut owned = self.owned.lock().unwrap();
        owned.retain(|_, owner| owner != who);
        if matches!(state, 'N' | 'M') {
            owned.insert(os_thread(), who.to_owned());
        }
    }

    /// The host's own view of a task of the script's.
    pub fn host_task(&self, name: &str) -> HostTask {
        let (_, object) = self.objects.lock().unwrap()[name];
        self.tasks.lock().unwrap()[&object.get().addr()].clone()
    }

    /// The runtime's side of a task of the script's, as the host has it.
    ///
    /// # Errors
    /// `HOST_E_INVALIDOPERATION` if it has none any more.
    pub fn clr_task(&self, name: &str) -> Result<ICLRTask, Hresult> {
        let task = self.host_task(name).clr_task();
        task.ok_or(Hresult::HOST_E_INVALIDOPERATION)
    }
}

/// What an actor keeps.
#[derive(Default)]
pub struct Memory {
    thread: Option<libc::pid_t>,
    task: Option<Object>,
    recycled: Option<Recycled>,
    /// Its side in managed code.
    pub managed: Option<Thread>,
}

/// What a call has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its result.
    pub result: Hresult,
    /// What it gave through its last pointer.
    pub value: Option<i64>,
}

impl From<Hresult> for Answer {
    fn from(result: Hresult) -> Answer {
        Answer {
            result,
            value: None,
        }
    }
}

/// The state of the caller, as the host has it.
pub fn state(world: &World) -> (char, u64) {
    match world.host.current_task() {
        None => ('U', 0),
        Some(task) => {
            let (state, depth) = task.transition();
            let state = match state {
                State::Base => 'B',
                State::Native => 'N',
                State::Managed => 'M',
            };
            (state, depth)
        }
    }
}

/// The calling thread. Not inlined: asked again after a wait it is asked anew.
#[inline(never)]
pub(crate) fn os_thread() -> libc::pid_t {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::gettid() }
}

/// A time or another number; `forever` is the endless time.
pub(crate) fn number<T: TryFrom<i64>>(word: Option<&str>) -> T {
    let word = word.expect("a number is missing");
    let number = match word.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).expect("a number"),
        None if word == "forever" => i64::from(INFINITE),
        None => word.parse().expect("a number"),
    };
    T::try_from(number).ok().expect("it fits")
}

/// The option of a wait: words after the time.
fn option(words: &[&str]) -> u32 {
    words.iter().fold(0, |option, word| {
        option
            | match *word {
                "alertable" => 2,
                "notindeadlock" => 4,
                other => panic!("no option: {other}"),
            }
    })
}

/// A call whose last argument is a number that it gives; the number is cleared or set, never left.
fn valued<T: Default + Into<i64>>(call: impl FnOnce(*mut T) -> Hresult) -> Answer {
    let mut value = T::default();
    let result = call(&raw mut value);
    Answer {
        result,
        value: Some(value.into()),
    }
}

/// What is called, without what is looked at besides.
pub fn called(words: &[String]) -> &str {
    let skip = match words[0].as_str() {
        "Quickly" => 1,
        "Lasting" => 2,
        _ => 0,
    };
    &words[skip]
}

/// Makes the call.
pub fn execute(world: &World, memory: &mut Memory, words: &[String]) -> Answer {
    match words[0].as_str() {
        "Quickly" => own::quickly(world, || make(world, memory, &words[1..])),
        "Lasting" => {
            let least = number(Some(&words[1]));
            own::lasting(least, || make(world, memory, &words[2..]))
        }
        _ => make(world, memory, words),
    }
}

fn make(world: &World, memory: &mut Memory, words: &[String]) -> Answer {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (call, arguments) = words.split_first().expect("a call");
    match call.split_once('.') {
        Some((object, method)) => on_object(world, object, method, arguments),
        None if call.starts_with("Create") => create(world, call, arguments),
        None => on_manager(world, call, arguments)
            .or_else(|| own(world, memory, call, arguments))
            .unwrap_or_else(|| panic!("no such call: {call}")),
    }
}

/// What a hook has to leave alone: the last error, the modes of the processor, and the mask of signals.
#[derive(Debug, PartialEq, Eq)]
struct Modes {
    errno: i32,
    floats: u32,
    mask: Vec<bool>,
}

impl Modes {
    /// Other ones than usual, so that it is seen if they are replaced.
    const ERRNO: i32 = 4711;
    const FLOATS: u32 = 0x1f80 | 3 << 13;

    /// Not inlined: the place of `errno` is the thread's.
    #[inline(never)]
    fn now() -> Modes {
        let mut floats = 0_u32;
        // SAFETY: it stores 32 bits there.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut floats) };
        // SAFETY: the address is the calling thread's.
        let errno = unsafe { *libc::__errno_location() };
        // SAFETY: nothing is set, and the mask of now is written to a place for one.
        let mask = unsafe {
            let mut mask = std::mem::zeroed();
            let done = libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut mask);
            assert_eq!(done, 0);
            (1..32)
                .map(|signal| libc::sigismember(&raw const mask, signal) == 1)
                .collect()
        };
        Modes {
            errno,
            floats,
            mask,
        }
    }

    #[inline(never)]
    fn set(errno: i32, floats: u32) {
        // SAFETY: the address is the calling thread's.
        unsafe { *libc::__errno_location() = errno };
        // SAFETY: it loads 32 bits from there, which are valid modes; they are set back before anything is computed.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const floats) };
    }
}

/// A hook, which leaves the modes of its thread alone.
fn hook(slot: &str, call: impl FnOnce() -> Hresult) -> Answer {
    own::note_hook();
    // Before: it locks, which may change the last error.
    note("IHostTaskManager", slot);
    let normal = Modes::now();
    Modes::set(Modes::ERRNO, Modes::FLOATS);
    let result = call();
    let after = Modes::now();
    Modes::set(normal.errno, normal.floats);
    let expected = Modes {
        errno: Modes::ERRNO,
        floats: Modes::FLOATS,
        mask: normal.mask,
    };
    assert_eq!(after, expected, "a hook changes nothing of its thread's");
    result.into()
}

fn on_manager(world: &World, call: &str, arguments: &[&str]) -> Option<Answer> {
    let tasks = world.managers.tasks;
    let first = arguments.first().copied();
    Some(match call {
        "LeaveRuntime" => {
            let target = number(first);
            hook("LeaveRuntime", || {
                unnoted!(tasks, IHostTaskManagerVtbl, LeaveRuntime, target)
            })
        }
        "EnterRuntime" => hook("EnterRuntime", || {
            unnoted!(tasks, IHostTaskManagerVtbl, EnterRuntime)
        }),
        "ReverseEnterRuntime" => hook("ReverseEnterRuntime", || {
            unnoted!(tasks, IHostTaskManagerVtbl, ReverseEnterRuntime)
        }),
        "ReverseLeaveRuntime" => hook("ReverseLeaveRuntime", || {
            unnoted!(tasks, IHostTaskManagerVtbl, ReverseLeaveRuntime)
        }),
        "BeginThreadAffinity" => com!(tasks, IHostTaskManagerVtbl, BeginThreadAffinity).into(),
        "EndThreadAffinity" => com!(tasks, IHostTaskManagerVtbl, EndThreadAffinity).into(),
        "BeginDelayAbort" => com!(tasks, IHostTaskManagerVtbl, BeginDelayAbort).into(),
        "EndDelayAbort" => com!(tasks, IHostTaskManagerVtbl, EndDelayAbort).into(),
        "CallNeedsHostHook" => valued(|needs: *mut i32| {
            com!(
                tasks,
                IHostTaskManagerVtbl,
                CallNeedsHostHook,
                number(first),
                needs
            )
        }),
        "Sleep" => {
            let option = option(&arguments[1..]);
            com!(tasks, IHostTaskManagerVtbl, Sleep, number(first), option).into()
        }
        "SwitchToTask" => com!(tasks, IHostTaskManagerVtbl, SwitchToTask, option(arguments)).into(),
        "GetCurrentTask" => {
            match given(|out| com!(tasks, IHostTaskManagerVtbl, GetCurrentTask, out)) {
                Ok(task) => {
                    task.release();
                    Hresult::S_OK.into()
                }
                Err(error) => error.into(),
            }
        }
        "SetLocale" => com!(tasks, IHostTaskManagerVtbl, SetLocale, number(first)).into(),
        "SetUILocale" => com!(tasks, IHostTaskManagerVtbl, SetUILocale, number(first)).into(),
        "SetStackGuarantee" => com!(
            tasks,
            IHostTaskManagerVtbl,
            SetStackGuarantee,
            number(first)
        )
        .into(),
        "GetStackGuarantee" => {
            valued(|bytes: *mut u32| com!(tasks, IHostTaskManagerVtbl, GetStackGuarantee, bytes))
        }
        _ => return on_smaller_manager(world, call, arguments),
    })
}

fn on_smaller_manager(world: &World, call: &str, arguments: &[&str]) -> Option<Answer> {
    let Managers { pool, gc, .. } = world.managers;
    let first = arguments.first().copied();
    Some(match call {
        "ThreadIsBlockingForSuspension" => {
            com!(gc, IHostGCManagerVtbl, ThreadIsBlockingForSuspension).into()
        }
        "SuspensionStarting" => com!(gc, IHostGCManagerVtbl, SuspensionStarting).into(),
        "SuspensionEnding" => com!(gc, IHostGCManagerVtbl, SuspensionEnding, number(first)).into(),
        "QueueUserWorkItem" => {
            let [name, done] = arguments else {
                panic!("a name, and an event that is set when it has run");
            };
            let (_, event) = world.objects.lock().unwrap()[*done];
            let work = Beginning::context(world, name, Some(event));
            let run = Some(note_that_it_ran as _);
            com!(
                pool,
                IHostThreadpoolManagerVtbl,
                QueueUserWorkItem,
                run,
                work,
                0
            )
            .into()
        }
        "SetMaxThreads" => com!(
            pool,
            IHostThreadpoolManagerVtbl,
            SetMaxThreads,
            number(first)
        )
        .into(),
        "SetMinThreads" => com!(
            pool,
            IHostThreadpoolManagerVtbl,
            SetMinThreads,
            number(first)
        )
        .into(),
        "GetMaxThreads" => {
            valued(|count: *mut u32| com!(pool, IHostThreadpoolManagerVtbl, GetMaxThreads, count))
        }
        "GetAvailableThreads" => valued(|count: *mut u32| {
            com!(pool, IHostThreadpoolManagerVtbl, GetAvailableThreads, count)
        }),
        "GetMinThreads" => {
            valued(|count: *mut u32| com!(pool, IHostThreadpoolManagerVtbl, GetMinThreads, count))
        }
        _ => return on_policy_or_control(world, call, arguments),
    })
}

fn on_policy_or_control(world: &World, call: &str, arguments: &[&str]) -> Option<Answer> {
    let policy = world.managers.policy;
    let at = |at: usize| number::<u32>(arguments.get(at).copied());
    Some(match call {
        "OnDefaultAction" => com!(
            policy,
            IHostPolicyManagerVtbl,
            OnDefaultAction,
            at(0),
            at(1)
        )
        .into(),
        "OnTimeout" => com!(policy, IHostPolicyManagerVtbl, OnTimeout, at(0), at(1)).into(),
        "OnFailure" => com!(policy, IHostPolicyManagerVtbl, OnFailure, at(0), at(1)).into(),
        "SetAppDomainManager" => {
            // Any object of the runtime's does.
            let control = Object::new(world.host.control().as_ptr());
            let manager = world
                .host
                .clr_task_manager()
                .expect("the runtime has given it");
            com!(
                control,
                IHostControlVtbl,
                SetAppDomainManager,
                at(0),
                manager.as_ptr()
            )
            .into()
        }
        _ => return None,
    })
}

/// What every object has: one identity, its own interface, no foreign one, and a count.
fn identity(kind: Kind, object: Object) -> Answer {
    let own = match kind {
        Kind::Auto => table::IID_IHostAutoEvent,
        Kind::Manual => table::IID_IHostManualEvent,
        Kind::Semaphore => table::IID_IHostSemaphore,
        Kind::Crst => table::IID_IHostCrst,
        Kind::Task => table::IID_IHostTask,
        Kind::Heap => table::IID_IHostMalloc,
    };
    let ask = |iid| given(|out| com!(object, IUnknownVtbl, QueryInterface, &raw const iid, out));
    for iid in [own, table::IID_IUnknown] {
        assert_eq!(ask(iid), Ok(object));
    }
    assert_eq!(ask(table::IID_IHostControl), Err(Hresult::E_NOINTERFACE));
    let before = com!(object, IUnknownVtbl, AddRef);
    assert_eq!(
        [object.release(), object.release(), object.release()],
        [before - 1, before - 2, before - 3]
    );
    Hresult::S_OK.into()
}

/// What the host knows, and what it does with the caller's task.
fn host_side(world: &World, memory: &mut Memory, call: &str, arguments: &[&str]) -> Option<Answer> {
    let first = arguments.first().copied();
    let value = |value: u64| Answer {
        result: Hresult::S_OK,
        value: i64::try_from(value).ok(),
    };
    let host = &world.host;
    let current = || host.current_task().expect("a task");
    Some(match call {
        "Reset" => match host.recycle(number::<u32>(first) != 0) {
            Ok(recycled) => {
                memory.recycled = Some(recycled);
                Hresult::S_OK.into()
            }
            Err(error) => error.into(),
        },
        "Resume" => {
            let recycled = memory.recycled.take().expect("it was reset");
            match host.resume(recycled) {
                Ok(()) => Hresult::S_OK.into(),
                Err((recycled, error)) => {
                    memory.recycled = Some(recycled);
                    error.into()
                }
            }
        }
        "DeadlocksBroken" => value(host.figures().deadlocks_broken),
        "HasCLRTask" => value(current().clr_task().is_some().into()),
        "Locale" => value(current().locales().0.into()),
        "UILocale" => value(current().locales().1.into()),
        "PolicyEvents" => value(host.policy_events().0.len() as u64),
        "Suspensions" => value(host.gc_figures().suspensions),
        "Collections" => value(host.gc_figures().collections),
        "Blocked" => value(host.gc_figures().blocked),
        "DomainManager" => value(host.app_domain_manager(number(first)).is_some().into()),
        "AbortTask" | "AbortTaskRudely" => {
            let task = world.host_task(first.expect("a task"));
            let how = if call == "AbortTask" {
                Abort::Orderly
            } else {
                Abort::Rude
            };
            task.abort(how).err().unwrap_or(Hresult::S_OK).into()
        }
        "Own" | "Disown" => {
            let tasks = world.managers.tasks;
            let me = given(|out| com!(tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
            let me = me.expect("a task");
            if call == "Own" {
                managers::own(number(first), me);
            } else {
                managers::disown(number(first));
            }
            me.release();
            Hresult::S_OK.into()
        }
        _ => return None,
    })
}

/// What the runtime does by itself.
fn own(world: &World, memory: &mut Memory, call: &str, arguments: &[&str]) -> Option<Answer> {
    let yes = |yes: bool| Answer {
        result: Hresult::S_OK,
        value: Some(yes.into()),
    };
    Some(match call {
        // From here on the script asks whether this is still the thread, and still the task.
        "Mark" => {
            memory.thread = Some(os_thread());
            let task = given(|out| {
                com!(
                    world.managers.tasks,
                    IHostTaskManagerVtbl,
                    GetCurrentTask,
                    out
                )
            });
            memory.task = task.ok().inspect(|task| {
                task.release();
            });
            yes(true)
        }
        "OnMarkedThread" => yes(memory.thread == Some(os_thread())),
        "IsMarkedTask" => {
            let tasks = world.managers.tasks;
            let task = given(|out| com!(tasks, IHostTaskManagerVtbl, GetCurrentTask, out));
            yes(task.is_ok_and(|task| {
                task.release();
                memory.task == Some(task)
            }))
        }
        "Migrates" => yes(migrates(world)),
        "SwitchUntilRan" => yes(switch_until_ran(world, arguments[0])),
        "Ran" => {
            let ran = world.ran.lock().unwrap();
            yes(ran.contains(arguments[0]))
        }
        "AskAgain" => {
            let control = Object::new(world.host.control().as_ptr());
            yes(discover(control, |_| (), |_| ()) == world.managers)
        }
        "Alternate" => alternate(world, number(arguments.first().copied())).into(),
        "Unwind" => unwind(world, number(arguments.first().copied())).into(),
        "CallNothing" => Hresult::S_OK.into(),
        _ => {
            return own::look(world, call, arguments)
                .or_else(|| host_side(world, memory, call, arguments))
                .or_else(|| own::managed(world, memory, call, arguments))
                .or_else(|| memory::on_manager(world, call, arguments));
        }
    })
}

/// Where tasks move, every wait moves one that nothing holds. Elsewhere there is nothing to see.
fn migrates(world: &World) -> bool {
    if world.mode != TaskMode::Fiber || world.host.scheduler().workers() == 1 {
        return true;
    }
    let thread = os_thread();
    let until = Instant::now() + Duration::from_secs(20);
    while os_thread() == thread && Instant::now() < until {
        com!(world.managers.tasks, IHostTaskManagerVtbl, Sleep, 1, 0);
    }
    os_thread() != thread
}

/// Switches and nothing else, until a created task has run.
fn switch_until_ran(world: &World, name: &str) -> bool {
    let until = Instant::now() + Duration::from_secs(20);
    while !world.ran.lock().unwrap().contains(name) && Instant::now() < until {
        com!(world.managers.tasks, IHostTaskManagerVtbl, SwitchToTask, 0);
    }
    world.ran.lock().unwrap().contains(name)
}

/// Pushes frames in turn. The first refusal ends it.
fn alternate(world: &World, frames: u32) -> Hresult {
    let tasks = world.managers.tasks;
    (0..frames)
        .map(|at| {
            if at % 2 == 0 {
                com!(tasks, IHostTaskManagerVtbl, LeaveRuntime, 1)
            } else {
                com!(tasks, IHostTaskManagerVtbl, ReverseEnterRuntime)
            }
        })
        .find(|result| *result != Hresult::S_OK)
        .unwrap_or(Hresult::S_OK)
}

/// Takes so many frames away that stand in turn.
fn unwind(world: &World, frames: u32) -> Hresult {
    let tasks = world.managers.tasks;
    (0..frames)
        .map(|_| match state(world).0 {
            'N' => com!(tasks, IHostTaskManagerVtbl, EnterRuntime),
            _ => com!(tasks, IHostTaskManagerVtbl, ReverseLeaveRuntime),
        })
        .find(|result| *result != Hresult::S_OK)
        .unwrap_or(Hresult::S_OK)
}

/// The argument of a function that the host calls.
struct Beginning {
    name: String,
    ran: Arc<Mutex<BTreeSet<String>>>,
    /// An event that is set when it has run.
    done: Option<Object>,
}

impl Beginning {
    fn context(world: &World, name: &str, done: Option<Object>) -> *mut c_void {
        let beginning = Beginning {
            name: name.to_owned(),
            ran: Arc::clone(&world.ran),
            done,
        };
        Box::into_raw(Box::new(beginning)).cast()
    }
}

unsafe extern "system" fn note_that_it_ran(context: *mut c_void) -> u32 {
    // SAFETY: it is the box of `Beginning::context`, and the function is called once.
    let beginning = unsafe { Box::from_raw(context.cast::<Beginning>()) };
    beginning.ran.lock().unwrap().insert(beginning.name);
    if let Some(event) = beginning.done {
        assert_eq!(com!(event, IHostAutoEventVtbl, Set), Hresult::S_OK);
    }
    0
}

fn create(world: &World, call: &str, arguments: &[&str]) -> Answer {
    let (tasks, sync) = (world.managers.tasks, world.managers.sync);
    let name = arguments.first().expect("a name").to_string();
    let at = |at: usize| arguments.get(at).copied();
    let (kind, made) = match call {
        "CreateTask" => {
            let context = Beginning::context(world, &name, None);
            let run = Some(note_that_it_ran as _);
            let made = given(|out| {
                com!(
                    tasks,
                    IHostTaskManagerVtbl,
                    CreateTask,
                    0,
                    run,
                    context,
                    out
                )
            });
            (Kind::Task, made)
        }
        "CreateAutoEvent" => {
            let made = given(|out| com!(sync, IHostSyncManagerVtbl, CreateAutoEvent, out));
            (Kind::Auto, made)
        }
        "CreateMonitorEvent" => {
            let cookie = number(at(1));
            let made =
                given(|out| com!(sync, IHostSyncManagerVtbl, CreateMonitorEvent, cookie, out));
            (Kind::Auto, made)
        }
        "CreateManualEvent" => {
            let set = number(at(1));
            let made = given(|out| com!(sync, IHostSyncManagerVtbl, CreateManualEvent, set, out));
            (Kind::Manual, made)
        }
        "CreateSemaphore" => {
            let (initial, most) = (number(at(1)), number(at(2)));
            let made = given(|out| {
                com!(
                    sync,
                    IHostSyncManagerVtbl,
                    CreateSemaphore,
                    initial,
                    most,
                    out
                )
            });
            (Kind::Semaphore, made)
        }
        "CreateCrst" => {
            let made = given(|out| com!(sync, IHostSyncManagerVtbl, CreateCrst, out));
            (Kind::Crst, made)
        }
        "CreateCrstWithSpinCount" => {
            let spins = number(at(1));
            let made = given(|out| {
                com!(
                    sync,
                    IHostSyncManagerVtbl,
                    CreateCrstWithSpinCount,
                    spins,
                    out
                )
            });
            (Kind::Crst, made)
        }
        "CreateRWLockWriterEvent" => {
            let cookie = number(at(1));
            let made = given(|out| {
                com!(
                    sync,
                    IHostSyncManagerVtbl,
                    CreateRWLockWriterEvent,
                    cookie,
                    out
                )
            });
            (Kind::Auto, made)
        }
        "CreateRWLockReaderEvent" => {
            let (set, cookie) = (number(at(1)), number(at(2)));
            let made = given(|out| {
                com!(
                    sync,
                    IHostSyncManagerVtbl,
                    CreateRWLockReaderEvent,
                    set,
                    cookie,
                    out
                )
            });
            (Kind::Manual, made)
        }
        "CreateMalloc" => {
            let manager = world.managers.memory.expect("the script is given memory");
            let kind = number(at(1));
            let made = given(|out| com!(manager, IHostMemoryManagerVtbl, CreateMalloc, kind, out));
            (Kind::Heap, made)
        }
        other => panic!("no such call: {other}"),
    };
    match made {
        Ok(object) => {
            let before = world.objects.lock().unwrap().insert(name, (kind, object));
            assert!(before.is_none(), "two objects of one name");
            Hresult::S_OK.into()
        }
        Err(error) => error.into(),
    }
}

fn on_object(world: &World, name: &str, method: &str, arguments: &[&str]) -> Answer {
    let found = world.objects.lock().unwrap().get(name).copied();
    let (kind, object) = found.unwrap_or_else(|| panic!("no such object: {name}"));
    let first = arguments.first().copied();
    let wait = || (number(first), option(&arguments[1..]));
    match (kind, method) {
        (Kind::Auto, "Wait") => {
            let (limit, option) = wait();
            com!(object, IHostAutoEventVtbl, Wait, limit, option).into()
        }
        (Kind::Auto, "Set") => com!(object, IHostAutoEventVtbl, Set).into(),
        (Kind::Manual, "Wait") => {
            let (limit, option) = wait();
            com!(object, IHostManualEventVtbl, Wait, limit, option).into()
        }
        (Kind::Manual, "Set") => com!(object, IHostManualEventVtbl, Set).into(),
        (Kind::Manual, "Reset") => com!(object, IHostManualEventVtbl, Reset).into(),
        (Kind::Semaphore, "Wait") => {
            let (limit, option) = wait();
            com!(object, IHostSemaphoreVtbl, Wait, limit, option).into()
        }
        (Kind::Semaphore, "Release") => valued(|before: *mut i32| {
            let count = number(first);
            com!(object, IHostSemaphoreVtbl, ReleaseSemaphore, count, before)
        }),
        (Kind::Crst, "Enter") => com!(object, IHostCrstVtbl, Enter, option(arguments)).into(),
        (Kind::Crst, "Leave") => com!(object, IHostCrstVtbl, Leave).into(),
        (Kind::Crst, "TryEnter") => {
            valued(|done: *mut i32| com!(object, IHostCrstVtbl, TryEnter, option(arguments), done))
        }
        (Kind::Crst, "SetSpinCount") => {
            com!(object, IHostCrstVtbl, SetSpinCount, number(first)).into()
        }
        (_, "Identity") => identity(kind, object),
        (Kind::Task, "Start") => com!(object, IHostTaskVtbl, Start).into(),
        (Kind::Task, "Alert") => com!(object, IHostTaskVtbl, Alert).into(),
        (Kind::Task, "Join") => {
            let (limit, option) = wait();
            com!(object, IHostTaskVtbl, Join, limit, option).into()
        }
        (Kind::Task, "SetPriority") => {
            com!(object, IHostTaskVtbl, SetPriority, number(first)).into()
        }
        (Kind::Task, "GetPriority") => {
            valued(|priority: *mut i32| com!(object, IHostTaskVtbl, GetPriority, priority))
        }
        (Kind::Heap, _) => memory::on_heap(world, object, method, arguments),
        _ => panic!("{kind:?} has no {method}"),
    }
}
