//! Database-aware blue/green releases for PostgreSQL.
//!
//! A release runs two versions of an application on one database for a while: *blue*, in production, and *green*, on its way. This crate
//! reads the SQL migrations between them, places every statement before or after the cutover, proves that both versions work on every
//! schema in between, rehearses the release on a throwaway PostgreSQL, and executes it.
//!
//! ```
//! use cutover::migrations::{Convention, Folder};
//! use cutover::plan::saved::{Phase, Verdict};
//! use cutover::plan::{Request, plan};
//!
//! let folder = Folder::from_files(Convention::Refinery, [
//!     ("V1__users.sql".into(), "CREATE TABLE users (id int PRIMARY KEY, name text);".into()),
//!     ("V2__email.sql".into(), "ALTER TABLE users ADD COLUMN email text, DROP COLUMN name;".into()),
//! ])?;
//! let pending = folder.pending_after(Some("1"))?;
//! let planned = plan(Request::new(&folder, &pending));
//!
//! assert_eq!(planned.plan.verdict, Verdict::Safe);
//! let actions = |phase| planned.plan.phase(phase).map(|step| step.action.as_str()).collect::<Vec<_>>();
//! assert_eq!(actions(Phase::Before), ["ADD COLUMN text"]);
//! assert_eq!(actions(Phase::After), ["DROP COLUMN"]);
//! # Ok::<(), cutover::migrations::LoadError>(())
//! ```
//!
//! # Code map
//!
//! Data flows down this list, and nothing imports upwards.
//!
//! | module | what it holds |
//! |---|---|
//! | [`side`] | blue and green |
//! | [`source`], [`diagnostic`] | files and places in them; what the tool has to say, and under which codes |
//! | [`sql`] | text → statements with spans → typed operations |
//! | [`migrations`] | where migrations come from, and which are pending |
//! | [`schema`] | the simulated catalog |
//! | [`effect`] | what an operation gives to clients and takes from them, and what running it costs |
//! | [`workload`], [`compat`] | the queries of a version, what they rely on, and what they are at every state |
//! | [`stats`] | sizes and load of production, and what they make of a cost |
//! | `rewrite`, [`lint`], [`plan`] | splitting; the rules; order, proof, and the saved plan |
//! | `postgres`, `traffic`, `execute`, `rehearse` | a live server, what moves the traffic, the release engine, and the engine on a throwaway server (feature `live`) |
//! | [`report`], [`config`], `cli` | text for people and machines, `cutover.toml`, the command (feature `cli`) |
//!
//! # Invariants
//!
//! 1. Analysis never fails: `sql`, `schema`, `effect`, `compat` and `plan` return a value and diagnostics. `Result` is for IO and execution.
//! 2. A span is never lost: every operation, step and finding can point at its SQL.
//! 3. What is executed is the author's own text, cut by span, unless the tool itself wrote the statement and says so.
//! 4. What is not understood is opaque, never silently safe.
//! 5. The journal is the truth and the status a fold over it; it is written in the transaction of the DDL where PostgreSQL allows.
//! 6. Rehearsal and execution are one code path with other doors.
//! 7. Reordering is proved: the plan's order ends in the schema of the files' own order, or the plan is refused.
//! 8. The library does not print, read the environment or end the process; only `postgres`, `traffic`, `execute`, `rehearse` and `cli` are async.

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
mod parallel;
pub mod plan;
#[cfg(feature = "live")]
pub mod postgres;
pub mod project;
#[cfg(feature = "live")]
pub mod rehearse;
pub mod report;
mod rewrite;
pub mod schema;
pub mod side;
pub mod source;
pub mod sql;
pub mod stats;
#[cfg(feature = "live")]
pub mod traffic;
pub mod workload;
