//! Database-aware blue/green releases for PostgreSQL.

#[cfg(feature = "cli")]
pub mod cli;
pub mod diagnostic;
pub mod lint;
#[cfg(feature = "live")]
pub mod execute;
pub mod effect;
pub mod migrations;
pub mod plan;
pub mod schema;
#[cfg(feature = "live")]
pub mod postgres;
pub mod source;
pub mod sql;
#[cfg(feature = "live")]
pub mod traffic;
