//! Database-aware blue/green releases for PostgreSQL.

#[cfg(feature = "cli")]
pub mod cli;
pub mod compat;
pub mod config;
pub mod diagnostic;
mod digest;
pub mod effect;
#[cfg(feature = "live")]
pub mod execute;
pub mod lint;
pub mod migrations;
pub mod plan;
#[cfg(feature = "live")]
pub mod postgres;
pub mod report;
mod rewrite;
pub mod schema;
pub mod source;
pub mod sql;
#[cfg(feature = "live")]
pub mod traffic;
pub mod workload;
