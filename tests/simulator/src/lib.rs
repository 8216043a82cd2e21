//! A runtime's side of the hosting interfaces, which speaks to the host through the tables alone, and scripts of what it calls.
//!
//! [`runtime`] is the runtime: it looks for the host's managers in the order of a real one, and its tasks note what they are
//! told. [`script`] reads what is to be called, with what is expected of it; [`run`] runs that against a host, and
//! [`coverage`] says which rules of the interfaces have a script. The grammar is in the package's README.
//!
//! [`managed`] is the managed side of the runtime: its collector, the modes of its threads, monitors, exceptions and aborts.
//! [`workload`] lets many tasks do all of that at once, by a seed.

pub mod actor;
pub mod call;
pub mod coverage;
mod further;
pub mod host_call;
pub mod images;
pub mod managed;
pub mod managers;
pub mod memory;
pub mod object;
mod own;
pub mod rules;
pub mod run;
pub mod runtime;
pub mod script;
pub mod slots;
pub mod transfers;
pub mod workload;
