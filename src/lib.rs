//! Database-aware blue/green releases for PostgreSQL.

#[cfg(feature = "cli")]
pub mod cli;
pub mod diagnostic;
#[cfg(feature = "live")]
pub mod execute;
pub mod migrations;
pub mod plan;
#[cfg(feature = "live")]
pub mod postgres;
pub mod source;
#[cfg(feature = "live")]
pub mod traffic;
