//! `IHostSecurityManager` and `IHostSecurityContext`: for whom a task acts.
//!
//! That is a *token*: a number that the embedder gives a meaning. It is kept with the task (`current`), so it is wherever the
//! task is, and nothing has to be done when the task moves. Work for the thread pool is done for whom it was queued, and a
//! completion is told for whom the transfer was submitted.
//!
//! The host applies no token to an OS thread: whoever does something for the caller asks [`Host::token`](crate::Host::token)
//! for whom. So a task that impersonates somebody may be on any thread.
//!
//! A context is a token in an object of its own. What the runtime takes along (`Capture`) does not change when the task it was
//! taken from does.
#![forbid(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::com::host::{IHostSecurityContext, IHostSecurityManager};
use crate::com::{ComRef, EContextType, Gate, Handle, Hresult, Origin};
use crate::current;
use crate::host::Shared;

/// Whether a token is one.
type Check = Arc<dyn Fn(Handle) -> bool + Send + Sync>;

/// Settings of the manager of security contexts.
#[derive(Clone, Default)]
#[must_use]
pub struct Security {
    restricted: Option<Handle>,
    check: Option<Check>,
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security")
            .field("restricted", &self.restricted)
            .finish_non_exhaustive()
    }
}

impl Security {
    /// Every token but null is one, and the restricted context is that of nobody in particular.
    pub fn new() -> Security {
        Security::default()
    }

    /// The token of work that is to have few rights, such as finalizers.
    pub fn restricted(mut self, token: Handle) -> Security {
        self.restricted = Some(token);
        self
    }

    /// Which tokens there are. It is asked when one is used, on the caller's thread, and must not wait.
    pub fn check(mut self, check: impl Fn(Handle) -> bool + Send + Sync + 'static) -> Security {
        self.check = Some(Arc::new(check));
        self
    }
}

/// For whom something is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity(pub(crate) Option<Handle>);

impl Identity {
    /// For whom the caller acts.
    pub(crate) fn of_caller(host: &Shared) -> Identity {
        current::identity(host)
    }

    /// Does something for it, on a task that acts for nobody in particular before and after.
    pub(crate) fn during(self, host: &Shared, work: impl FnOnce()) {
        if self != Identity::default() {
            // There is room for it: the caller is a task of the runtime.
            let _ = current::set_identity(host, self);
        }
        work();
        // Also what the work has set by itself.
        if Identity::of_caller(host) != Identity::default() {
            let _ = current::set_identity(host, Identity::default());
        }
    }
}

#[derive(Debug)]
struct Context {
    gate: &'static Gate,
    /// Of the host that made it: tokens mean something to that one alone.
    host: u64,
    identity: Identity,
}

impl Context {
    fn object(
        gate: &'static Gate,
        host: u64,
        identity: Identity,
    ) -> ComRef<dyn IHostSecurityContext> {
        let context: Arc<dyn IHostSecurityContext> = Arc::new(Context {
            gate,
            host,
            identity,
        });
        ComRef::new(gate, Origin::Host, context)
    }
}

impl IHostSecurityContext for Context {
    fn capture(&self) -> Result<ComRef<dyn IHostSecurityContext>, Hresult> {
        Ok(Context::object(self.gate, self.host, self.identity))
    }
}

/// The manager.
#[derive(Debug)]
pub(crate) struct SecurityManager {
    pub(crate) host: Arc<Shared>,
    pub(crate) settings: Security,
}

impl SecurityManager {
    fn become_user(&self, token: Handle) -> Result<(), Hresult> {
        let known = match &self.settings.check {
            Some(check) => check(token),
            None => true,
        };
        if token.is_null() || !known {
            return Err(Hresult::E_HANDLE);
        }
        current::set_identity(&self.host, Identity(Some(token)))
    }
}

impl IHostSecurityManager for SecurityManager {
    fn impersonate_logged_on_user(&self, token: Handle) -> Result<(), Hresult> {
        self.become_user(token)
    }

    /// A runtime ends the process if this fails.
    fn revert_to_self(&self) -> Result<(), Hresult> {
        current::set_identity(&self.host, Identity::default())
    }

    /// The token itself: there is nothing to close. Which rights are asked for is the embedder's business.
    fn open_thread_token(&self, _access: u32, _as_self: bool) -> Result<Handle, Hresult> {
        let Identity(token) = Identity::of_caller(&self.host);
        token.ok_or(Hresult::HRESULT_FROM_WIN32_ERROR_NO_TOKEN)
    }

    fn set_thread_token(&self, token: Handle) -> Result<(), Hresult> {
        if token.is_null() {
            return self.revert_to_self();
        }
        self.become_user(token)
    }

    fn security_context(
        &self,
        kind: EContextType,
    ) -> Result<ComRef<dyn IHostSecurityContext>, Hresult> {
        let identity = match kind {
            EContextType::eRestrictedContext => Identity(self.settings.restricted),
            _ => Identity::of_caller(&self.host),
        };
        Ok(Context::object(self.host.gate, self.host.id, identity))
    }

    /// Whichever context the runtime says that it is: the caller acts in it from now on.
    fn set_security_context(
        &self,
        _kind: EContextType,
        context: ComRef<dyn IHostSecurityContext>,
    ) -> Result<(), Hresult> {
        let behind: &dyn Any = &**context.implementation();
        let context = behind.downcast_ref::<Context>();
        let ours = context.filter(|context| context.host == self.host.id);
        let identity = ours.ok_or(Hresult::E_INVALIDARG)?.identity;
        current::set_identity(&self.host, identity)
    }
}
