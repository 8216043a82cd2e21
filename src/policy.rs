//! What is done about trouble: the tables that a host gives its runtime, and what the runtime says it does.
//!
//! A [`Policy`] is checked as a runtime checks it, so that a mistake is found where it is made, and is then given to the
//! runtime at once. The ladder of an operation is what follows if nothing helps: each step is more severe than the one before.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::com::clr::ICLRPolicyManager;
use crate::com::host::IHostPolicyManager;
use crate::com::{
    EClrFailure, EClrOperation, EClrUnhandledException, EPolicyAction, Hresult, INFINITE,
};

/// What a runtime does for an operation as long as nobody says otherwise.
pub fn default_action(operation: EClrOperation) -> EPolicyAction {
    match operation {
        EClrOperation::OPR_ThreadAbort => EPolicyAction::eAbortThread,
        EClrOperation::OPR_ThreadRudeAbortInNonCriticalRegion
        | EClrOperation::OPR_ThreadRudeAbortInCriticalRegion => EPolicyAction::eRudeAbortThread,
        EClrOperation::OPR_AppDomainUnload => EPolicyAction::eUnloadAppDomain,
        EClrOperation::OPR_AppDomainRudeUnload => EPolicyAction::eRudeUnloadAppDomain,
        EClrOperation::OPR_ProcessExit => EPolicyAction::eExitProcess,
        _ => EPolicyAction::eNoAction,
    }
}

/// What a runtime does about a failure as long as nobody says otherwise.
pub fn default_action_on_failure(failure: EClrFailure) -> EPolicyAction {
    match failure {
        EClrFailure::FAIL_NonCriticalResource
        | EClrFailure::FAIL_CriticalResource
        | EClrFailure::FAIL_CodeContract => EPolicyAction::eThrowException,
        EClrFailure::FAIL_FatalRuntime | EClrFailure::FAIL_StackOverflow => {
            EPolicyAction::eRudeExitProcess
        }
        _ => EPolicyAction::eNoAction,
    }
}

/// The time limit and the action after it that a runtime has by itself.
fn default_timeout(operation: EClrOperation) -> Option<(u32, EPolicyAction)> {
    (operation == EClrOperation::OPR_ProcessExit)
        .then_some((40_000, EPolicyAction::eRudeExitProcess))
}

fn is_operation(operation: EClrOperation) -> bool {
    operation < EClrOperation::MaxClrOperation
}

fn is_action(action: EPolicyAction) -> bool {
    action < EPolicyAction::MaxPolicyAction
}

/// Whether a runtime accepts this action for the operation.
pub fn accepts(operation: EClrOperation, action: EPolicyAction) -> bool {
    if !is_operation(operation) || !is_action(action) {
        return false;
    }
    match operation {
        EClrOperation::OPR_ThreadRudeAbortInNonCriticalRegion
        | EClrOperation::OPR_ThreadRudeAbortInCriticalRegion => {
            action >= EPolicyAction::eRudeAbortThread && action != EPolicyAction::eUnloadAppDomain
        }
        EClrOperation::OPR_FinalizerRun => {
            action == EPolicyAction::eNoAction || action >= EPolicyAction::eAbortThread
        }
        _ => action >= default_action(operation),
    }
}

/// Whether a runtime accepts this action for the case that the operation takes too long: it must be more severe.
pub fn accepts_on_timeout(operation: EClrOperation, action: EPolicyAction) -> bool {
    let above = match operation {
        EClrOperation::OPR_ThreadAbort => EPolicyAction::eAbortThread,
        EClrOperation::OPR_ThreadRudeAbortInNonCriticalRegion
        | EClrOperation::OPR_ThreadRudeAbortInCriticalRegion
        | EClrOperation::OPR_AppDomainRudeUnload => EPolicyAction::eRudeUnloadAppDomain,
        EClrOperation::OPR_AppDomainUnload => EPolicyAction::eUnloadAppDomain,
        EClrOperation::OPR_ProcessExit => EPolicyAction::eExitProcess,
        EClrOperation::OPR_FinalizerRun => EPolicyAction::eThrowException,
        _ => return false,
    };
    is_action(action) && action > above
}

/// Whether a runtime accepts this action about the failure.
pub fn accepts_on_failure(failure: EClrFailure, action: EPolicyAction) -> bool {
    if !is_action(action) {
        return false;
    }
    match failure {
        EClrFailure::FAIL_NonCriticalResource | EClrFailure::FAIL_CriticalResource => {
            action >= EPolicyAction::eThrowException
        }
        EClrFailure::FAIL_FatalRuntime => action >= EPolicyAction::eRudeExitProcess,
        EClrFailure::FAIL_OrphanedLock => action >= EPolicyAction::eUnloadAppDomain,
        EClrFailure::FAIL_StackOverflow => action >= EPolicyAction::eRudeUnloadAppDomain,
        EClrFailure::FAIL_CodeContract => {
            action >= EPolicyAction::eThrowException && action <= EPolicyAction::eExitProcess
        }
        // Nobody may change what is done about a violation of memory.
        _ => false,
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Operation {
    action: Option<EPolicyAction>,
    milliseconds: Option<u32>,
    on_timeout: Option<EPolicyAction>,
}

/// One step of a ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub action: EPolicyAction,
    /// How long after the operation began.
    pub after: Duration,
}

/// What a host wants done. Nothing is wanted of what is not named.
///
/// ```
/// use fiberhost::com::{EClrOperation, EPolicyAction};
/// use fiberhost::policy::Policy;
///
/// let mut policy = Policy::new();
/// policy.set_timeout(EClrOperation::OPR_ThreadAbort, 10_000, EPolicyAction::eRudeAbortThread)?;
/// policy.set_timeout(
///     EClrOperation::OPR_ThreadRudeAbortInNonCriticalRegion,
///     5_000,
///     EPolicyAction::eExitProcess,
/// )?;
/// let steps: Vec<_> = policy
///     .ladder(EClrOperation::OPR_ThreadAbort)
///     .into_iter()
///     .map(|step| step.after.as_secs())
///     .collect();
/// assert_eq!(steps, [0, 10, 15, 55]);
/// # Ok::<(), fiberhost::com::Hresult>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Policy {
    operations: [Operation; EClrOperation::MaxClrOperation.0 as usize],
    failures: Vec<(EClrFailure, EPolicyAction)>,
    unhandled: Option<EClrUnhandledException>,
}

impl Policy {
    /// One that wants nothing.
    pub fn new() -> Policy {
        Policy::default()
    }

    fn operation(&mut self, operation: EClrOperation) -> Result<&mut Operation, Hresult> {
        self.operations
            .get_mut(operation.0 as usize)
            .ok_or(Hresult::E_INVALIDARG)
    }

    /// What is done for an operation.
    ///
    /// # Errors
    /// `E_INVALIDARG` for what a runtime would not accept.
    pub fn set_action(
        &mut self,
        operation: EClrOperation,
        action: EPolicyAction,
    ) -> Result<(), Hresult> {
        if !accepts(operation, action) {
            return Err(Hresult::E_INVALIDARG);
        }
        self.operation(operation)?.action = Some(action);
        Ok(())
    }

    /// How long an operation may take, and what is done then. `INFINITE` is no limit.
    ///
    /// # Errors
    /// `E_INVALIDARG` for what a runtime would not accept.
    pub fn set_timeout(
        &mut self,
        operation: EClrOperation,
        milliseconds: u32,
        action: EPolicyAction,
    ) -> Result<(), Hresult> {
        if !accepts_on_timeout(operation, action) {
            return Err(Hresult::E_INVALIDARG);
        }
        let operation = self.operation(operation)?;
        operation.milliseconds = Some(milliseconds);
        operation.on_timeout = Some(action);
        Ok(())
    }

    /// What is done about a failure.
    ///
    /// # Errors
    /// `E_INVALIDARG` for what a runtime would not accept.
    pub fn set_action_on_failure(
        &mut self,
        failure: EClrFailure,
        action: EPolicyAction,
    ) -> Result<(), Hresult> {
        if !accepts_on_failure(failure, action) {
            return Err(Hresult::E_INVALIDARG);
        }
        self.failures.retain(|(known, _)| *known != failure);
        self.failures.push((failure, action));
        Ok(())
    }

    /// Who decides about exceptions that nobody handles.
    pub fn set_unhandled(&mut self, policy: EClrUnhandledException) {
        self.unhandled = Some(policy);
    }

    /// Gives all of it to a runtime.
    ///
    /// # Errors
    /// The first one that the runtime does not accept; those before it hold.
    pub fn apply(&self, runtime: &ICLRPolicyManager) -> Result<(), Hresult> {
        for (number, wanted) in (0..).zip(&self.operations) {
            let operation = EClrOperation(number);
            if let Some(action) = wanted.action {
                runtime.set_default_action(operation, action)?;
            }
            if let (Some(milliseconds), Some(action)) = (wanted.milliseconds, wanted.on_timeout) {
                runtime.set_timeout_and_action(operation, milliseconds, action)?;
            }
        }
        for (failure, action) in &self.failures {
            runtime.set_action_on_failure(*failure, *action)?;
        }
        if let Some(policy) = self.unhandled {
            runtime.set_unhandled_exception_policy(policy)?;
        }
        Ok(())
    }

    /// What follows if an operation never ends, in this order. It is finite: each step is more severe than the one before.
    pub fn ladder(&self, operation: EClrOperation) -> Vec<Step> {
        let mut steps = Vec::new();
        let (mut operation, mut after) = (operation, Duration::ZERO);
        while is_operation(operation) {
            let wanted = self.operations[operation.0 as usize];
            if steps.is_empty() {
                let action = wanted.action.unwrap_or_else(|| default_action(operation));
                steps.push(Step { action, after });
            }
            let limit = match (wanted.milliseconds, wanted.on_timeout) {
                (Some(milliseconds), Some(action)) => Some((milliseconds, action)),
                _ => default_timeout(operation),
            };
            let Some((milliseconds, action)) = limit.filter(|(limit, _)| *limit != INFINITE) else {
                break;
            };
            after += Duration::from_millis(milliseconds.into());
            steps.push(Step { action, after });
            let Some(next) = operation_of(action) else {
                break;
            };
            operation = next;
        }
        steps
    }
}

/// The operation that an action begins, if that can take too long in turn.
fn operation_of(action: EPolicyAction) -> Option<EClrOperation> {
    match action {
        EPolicyAction::eAbortThread => Some(EClrOperation::OPR_ThreadAbort),
        EPolicyAction::eRudeAbortThread => {
            Some(EClrOperation::OPR_ThreadRudeAbortInNonCriticalRegion)
        }
        EPolicyAction::eUnloadAppDomain => Some(EClrOperation::OPR_AppDomainUnload),
        EPolicyAction::eRudeUnloadAppDomain => Some(EClrOperation::OPR_AppDomainRudeUnload),
        EPolicyAction::eExitProcess => Some(EClrOperation::OPR_ProcessExit),
        _ => None,
    }
}

/// Something that a runtime was about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyEvent {
    /// The action of an operation.
    Action(EClrOperation, EPolicyAction),
    /// The action for an operation that took too long.
    Timeout(EClrOperation, EPolicyAction),
    /// The action about a failure.
    Failure(EClrFailure, EPolicyAction),
}

/// How many events are kept.
const EVENTS: usize = 64;

/// What runtimes have said they do; the last ones are kept.
///
/// It is told on any thread in trouble, with little stack: nothing here allocates.
#[derive(Debug)]
pub(crate) struct PolicyLog {
    log: Mutex<Log>,
}

#[derive(Debug)]
struct Log {
    events: [Option<PolicyEvent>; EVENTS],
    count: u64,
}

impl PolicyLog {
    pub(crate) fn new() -> Arc<PolicyLog> {
        Arc::new(PolicyLog {
            log: Mutex::new(Log {
                events: [None; EVENTS],
                count: 0,
            }),
        })
    }

    fn note(&self, event: PolicyEvent) -> Result<(), Hresult> {
        let mut log = self.log.lock();
        let at = log.count as usize % EVENTS;
        log.events[at] = Some(event);
        log.count += 1;
        Ok(())
    }

    /// The last ones, oldest first, and how many there were in all.
    pub(crate) fn events(&self) -> (Vec<PolicyEvent>, u64) {
        let log = self.log.lock();
        let first = log.count as usize % EVENTS;
        let (new, old) = log.events.split_at(first);
        let events = old.iter().chain(new).copied().flatten().collect();
        (events, log.count)
    }
}

impl IHostPolicyManager for PolicyLog {
    fn on_default_action(
        &self,
        operation: EClrOperation,
        action: EPolicyAction,
    ) -> Result<(), Hresult> {
        self.note(PolicyEvent::Action(operation, action))
    }

    fn on_timeout(&self, operation: EClrOperation, action: EPolicyAction) -> Result<(), Hresult> {
        self.note(PolicyEvent::Timeout(operation, action))
    }

    fn on_failure(&self, failure: EClrFailure, action: EPolicyAction) -> Result<(), Hresult> {
        self.note(PolicyEvent::Failure(failure, action))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EPolicyAction as Action;

    fn accepted(check: impl Fn(EPolicyAction) -> bool) -> Vec<u32> {
        (0..12)
            .filter(|action| check(EPolicyAction(*action)))
            .collect()
    }

    #[test]
    fn actions_that_a_runtime_accepts() {
        let rows = [
            (EClrOperation::OPR_ThreadAbort, vec![2, 3, 4, 5, 6, 7, 8, 9]),
            (
                EClrOperation::OPR_ThreadRudeAbortInNonCriticalRegion,
                vec![3, 5, 6, 7, 8, 9],
            ),
            (
                EClrOperation::OPR_ThreadRudeAbortInCriticalRegion,
                vec![3, 5, 6, 7, 8, 9],
            ),
            (EClrOperation::OPR_AppDomainUnload, vec![4, 5, 6, 7, 8, 9]),
            (EClrOperation::OPR_AppDomainRudeUnload, vec![5, 6, 7, 8, 9]),
            (EClrOperation::OPR_ProcessExit, vec![6, 7, 8, 9]),
            (
                EClrOperation::OPR_FinalizerRun,
                vec![0, 2, 3, 4, 5, 6, 7, 8, 9],
            ),
            (EClrOperation::MaxClrOperation, vec![]),
        ];
        for (operation, actions) in rows {
            assert_eq!(
                accepted(|action| accepts(operation, action)),
                actions,
                "{operation:?}"
            );
        }
    }

    #[test]
    fn actions_about_failures_that_a_runtime_accepts() {
        let rows = [
            (
                EClrFailure::FAIL_NonCriticalResource,
                vec![1, 2, 3, 4, 5, 6, 7, 8, 9],
            ),
            (
                EClrFailure::FAIL_CriticalResource,
                vec![1, 2, 3, 4, 5, 6, 7, 8, 9],
            ),
            (EClrFailure::FAIL_FatalRuntime, vec![8, 9]),
            (EClrFailure::FAIL_OrphanedLock, vec![4, 5, 6, 7, 8, 9]),
            (EClrFailure::FAIL_StackOverflow, vec![5, 6, 7, 8, 9]),
            (EClrFailure::FAIL_AccessViolation, vec![]),
            (EClrFailure::FAIL_CodeContract, vec![1, 2, 3, 4, 5, 6]),
            (EClrFailure::MaxClrFailure, vec![]),
        ];
        for (failure, actions) in rows {
            assert_eq!(
                accepted(|action| accepts_on_failure(failure, action)),
                actions,
                "{failure:?}"
            );
        }
    }

    #[test]
    fn what_follows_a_time_limit_is_more_severe() {
        for number in 0..EClrOperation::MaxClrOperation.0 {
            let operation = EClrOperation(number);
            let actions = accepted(|action| accepts_on_timeout(operation, action));
            assert!(!actions.is_empty(), "{operation:?}");
            assert!(
                actions
                    .iter()
                    .all(|action| *action > default_action(operation).0),
                "{operation:?}"
            );
        }
        assert!(!accepts_on_timeout(
            EClrOperation::OPR_AppDomainUnload,
            Action::eUnloadAppDomain
        ));
        assert!(accepts_on_timeout(
            EClrOperation::OPR_AppDomainUnload,
            Action::eRudeUnloadAppDomain
        ));
        assert!(!accepts_on_timeout(
            EClrOperation::MaxClrOperation,
            Action::eExitProcess
        ));
    }

    #[test]
    fn a_ladder_goes_up_to_the_end_of_the_process() {
        let mut policy = Policy::new();
        policy
            .set_timeout(
                EClrOperation::OPR_ThreadAbort,
                100,
                Action::eRudeAbortThread,
            )
            .unwrap();
        policy
            .set_timeout(
                EClrOperation::OPR_ThreadRudeAbortInNonCriticalRegion,
                200,
                Action::eExitProcess,
            )
            .unwrap();
        let ladder = policy.ladder(EClrOperation::OPR_ThreadAbort);
        let steps: Vec<_> = ladder
            .iter()
            .map(|step| (step.action, step.after.as_millis()))
            .collect();
        assert_eq!(
            steps,
            [
                (Action::eAbortThread, 0),
                (Action::eRudeAbortThread, 100),
                (Action::eExitProcess, 300),
                (Action::eRudeExitProcess, 40_300),
            ]
        );
    }

    #[test]
    fn a_limit_that_never_passes_ends_the_ladder() {
        let mut policy = Policy::new();
        policy
            .set_timeout(
                EClrOperation::OPR_ThreadAbort,
                INFINITE,
                Action::eExitProcess,
            )
            .unwrap();
        assert_eq!(policy.ladder(EClrOperation::OPR_ThreadAbort).len(), 1);
    }

    #[test]
    fn the_last_events_are_kept() {
        let log = PolicyLog::new();
        for number in 0..100 {
            let action = EPolicyAction(number % 10);
            log.on_failure(EClrFailure::FAIL_OrphanedLock, action)
                .unwrap();
        }
        let (events, count) = log.events();
        assert_eq!((events.len(), count), (EVENTS, 100));
        let last = PolicyEvent::Failure(EClrFailure::FAIL_OrphanedLock, EPolicyAction(9));
        assert_eq!(events.last(), Some(&last));
        assert_eq!(
            events[0],
            PolicyEvent::Failure(EClrFailure::FAIL_OrphanedLock, EPolicyAction(6))
        );
    }
}
