//! A small SQL server on fiberhost, as a database engine stands on its own scheduler.
//!
//! Clients speak PostgreSQL's protocol ([`wire`], [`session`]). Statements go to SQLite, each call as native code of a task of
//! the hosting layer ([`engine`], [`executor`]). Functions and procedures are a managed runtime's ([`runtime`], [`wasm`]), which
//! speaks to the host through the binary interface ([`managed`]).
//! [`server`] puts it together.
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "a room: see there")]
pub mod below;
pub mod builtin;
pub mod catalogue;
pub mod client;
#[allow(unsafe_code, reason = "a room: see there")]
mod clr_task;
pub mod command;
pub mod configuration;
pub mod control;
pub mod definitions;
pub mod emergency;
pub mod engine;
pub mod error;
pub mod executor;
pub mod function;
pub mod layout;
#[allow(unsafe_code, reason = "a room: see there")]
pub mod managed;
pub mod operator;
pub mod order;
pub mod registry;
pub mod runtime;
#[allow(unsafe_code, reason = "a room: see there")]
pub mod server;
pub mod session;
pub mod settings;
pub mod sharing;
pub mod socket;
pub mod turn;
pub mod value;
pub mod wasm;
pub mod wire;
