//! A call of the host to the runtime, by the host's handles.

mod further;

use fiberhost::com::clr::{
    ClrInterface, ICLRGCManager, ICLRPolicyManager, ICLRRuntimeHost, ICLRTask, ICLRTask2,
    ICLRTaskManager, Wide,
};
use fiberhost::com::{EClrFailure, EClrOperation, EClrUnhandledException, EPolicyAction, Hresult};

use crate::call::{Answer, World, number};

fn answer<T>(result: Result<T, Hresult>, value: impl FnOnce(T) -> Option<i64>) -> Answer {
    match result {
        Ok(given) => Answer {
            result: Hresult::S_OK,
            value: value(given),
        },
        Err(error) => error.into(),
    }
}

fn plain<T>(result: Result<T, Hresult>) -> Answer {
    answer(result, |_| None)
}

/// Makes the call.
///
/// # Panics
/// If there is no such call.
pub fn execute(world: &World, runtime: &ICLRRuntimeHost, words: &[String]) -> Answer {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (call, arguments) = words.split_first().expect("a call");
    if let Some((task, method)) = call.split_once('.') {
        let clr_task = world.clr_task(task);
        return clr_task.map_or_else(Into::into, |task| on_task(&task, method, arguments));
    }
    let at = |at: usize| number::<u32>(arguments.get(at).copied());
    let tasks = || {
        world
            .host
            .clr_task_manager()
            .expect("the runtime has given it")
    };
    match *call {
        "Start" => plain(runtime.start()),
        "Stop" => plain(runtime.stop()),
        "GetCLRControl" => answer(runtime.control(), |lent| Some(lent.0.is_some().into())),
        "UnloadAppDomain" => plain(runtime.unload_app_domain(at(0), at(1) != 0)),
        "ExecuteInAppDomain" => {
            let mut ran = false;
            let result = runtime.execute_in_app_domain(at(0), || {
                ran = true;
                Hresult::S_OK
            });
            Answer {
                value: Some(ran.into()),
                ..plain(result)
            }
        }
        "GetCurrentAppDomainId" => answer(runtime.current_app_domain_id(), |id| Some(id.into())),
        "ExecuteApplication" => {
            let texts = [Wide::from("a"), Wide::from("b")];
            let ran = runtime.execute_application(&Wide::from("name"), &texts, &texts[..1]);
            answer(ran, |result| Some(result.into()))
        }
        "ExecuteInDefaultAppDomain" => {
            let text = Wide::from("text");
            let ran = runtime.execute_in_default_app_domain(&text, &text, &text, &text);
            answer(ran, |result| Some(result.into()))
        }
        "SetLocale" => plain(tasks().set_locale(at(0))),
        "SetUILocale" => plain(tasks().set_ui_locale(at(0))),
        "CreateCLRTask" => answer(tasks().create_task(), |made| Some(made.0.is_some().into())),
        "GetCurrentTask" => answer(ICLRTaskManager::current_task(&tasks()), |lent| {
            Some(lent.0.is_some().into())
        }),
        "GetCurrentTaskType" => answer(tasks().current_task_type(), |kind| Some(kind.0.into())),
        _ => on_manager(world, runtime, call, &at),
    }
}

fn on_manager(
    world: &World,
    runtime: &ICLRRuntimeHost,
    call: &str,
    at: &dyn Fn(usize) -> u32,
) -> Answer {
    let control = || {
        runtime
            .control()
            .expect("it has one")
            .0
            .expect("it has one")
    };
    let gc = || control().manager::<ICLRGCManager>().expect("it has one");
    let policy = || {
        control()
            .manager::<ICLRPolicyManager>()
            .expect("it has one")
    };
    let sync = || {
        world
            .host
            .clr_sync_manager()
            .expect("the runtime has given it")
    };
    let place = |position| usize::try_from(at(position)).expect("it fits");
    match call {
        "GetNoCLRManager" => plain(control().manager::<ICLRTask>()),
        "SetAppDomainManagerType" => {
            plain(control().set_app_domain_manager_type(&Wide::from("abc"), &Wide::from("de")))
        }
        "Collect" => plain(gc().collect(i32::try_from(at(0)).expect("it fits"))),
        "GetStats" => answer(gc().stats(1), |stats| {
            i64::try_from(stats.ExplicitGCCount).ok()
        }),
        "SetGCStartupLimits" => plain(gc().set_startup_limits(at(0), at(1))),
        "SetDefaultAction" => {
            plain(policy().set_default_action(EClrOperation(at(0)), EPolicyAction(at(1))))
        }
        "SetTimeout" => plain(policy().set_timeout(EClrOperation(at(0)), at(1))),
        "SetActionOnTimeout" => {
            plain(policy().set_action_on_timeout(EClrOperation(at(0)), EPolicyAction(at(1))))
        }
        "SetTimeoutAndAction" => {
            let action = EPolicyAction(at(2));
            plain(policy().set_timeout_and_action(EClrOperation(at(0)), at(1), action))
        }
        "SetActionOnFailure" => {
            plain(policy().set_action_on_failure(EClrFailure(at(0)), EPolicyAction(at(1))))
        }
        "SetUnhandledExceptionPolicy" => {
            plain(policy().set_unhandled_exception_policy(EClrUnhandledException(at(0))))
        }
        "GetMonitorOwner" => answer(sync().monitor_owner(place(0)), |owner| {
            Some(owner.is_some().into())
        }),
        "CountOwners" => {
            let sync = sync();
            let iterator = sync
                .create_rwlock_owner_iterator(place(0))
                .expect("it has memory");
            let owner = || sync.rwlock_owner_next(iterator).expect("it is there");
            let count = std::iter::from_fn(owner).count();
            answer(sync.delete_rwlock_owner_iterator(iterator), |_| {
                i64::try_from(count).ok()
            })
        }
        other => further::execute(world, &control(), other, at)
            .unwrap_or_else(|| panic!("no such call: {other}")),
    }
}

fn on_task(task: &ICLRTask, method: &str, arguments: &[&str]) -> Answer {
    let second = || task.query::<ICLRTask2>().expect("it is one");
    match method {
        "Abort" => plain(task.abort()),
        "RudeAbort" => plain(task.rude_abort()),
        "YieldTask" => plain(task.yield_task()),
        "NeedsPriorityScheduling" => {
            answer(task.needs_priority_scheduling(), |needs| Some(needs.into()))
        }
        "LocksHeld" => answer(task.locks_held(), |locks| i64::try_from(locks).ok()),
        "GetMemStats" => answer(task.memory_stats(), |stats| {
            i64::try_from(stats.PerThreadAllocation).ok()
        }),
        "SetTaskIdentifier" => plain(task.set_task_identifier(number(arguments.first().copied()))),
        "BeginPreventAsyncAbort" => plain(second().begin_prevent_async_abort()),
        "EndPreventAsyncAbort" => plain(second().end_prevent_async_abort()),
        other => panic!("no such call of a task: {other}"),
    }
}
