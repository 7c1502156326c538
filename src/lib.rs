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
//! # Where to begin
//!
//! | to | use |
//! |---|---|
//! | read a folder of migrations, or files in memory | [`migrations::load`], [`migrations::Folder::from_files`] |
//! | read the queries of a version | [`workload::load_from`], [`workload::Workload::from_text`] |
//! | plan | [`plan::Request`], [`plan::plan`] → [`plan::saved::SavedPlan`] |
//! | do what the commands do with a folder, its `cutover.toml` and settings of your own | [`project::Definition`], [`project::Project`] |
//! | lint | [`project::Project::check`], [`project::Project::check_each`], [`project::Findings`]; the rules are [`lint::RULES`] |
//! | show any of it to people and programs | [`report`] |
//! | connect, and ask a database what it has | `postgres::connect`, `postgres::base` (feature `live`) |
//! | rehearse on a throwaway server | `postgres::throwaway`, `rehearse::rehearsal` (feature `live`) |
//! | execute, resume, promote, roll back | `execute` (feature `live`), with events as values |
//! | move the traffic | `traffic::TrafficBackend` (feature `live`) |
//!
//! `examples/` has a planner, a source of queries, a traffic backend, and somebody who follows the events. Everything that is not listed here is
//! public for the tests only, hidden from these pages, and may change in any version.
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
//! 8. The library does not print, read the environment or end the process; only `postgres`, `outside`, `traffic`, `checks`, `tell`, `execute`, `rehearse` and `cli` are async.
//!
//! `ARCHITECTURE.md` has the map of the code and the reasons.

#[cfg(feature = "live")]
pub mod checks;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod compat;
pub mod config;
pub mod diagnostic;
mod digest;
#[doc(hidden)]
pub mod effect;
#[cfg(feature = "live")]
pub mod execute;
mod few;
#[cfg(feature = "live")]
pub mod fleet;
pub mod lint;
pub mod migrations;
#[cfg(feature = "live")]
pub mod outside;
mod parallel;
pub mod plan;
#[cfg(feature = "live")]
pub mod postgres;
pub mod project;
#[cfg(feature = "live")]
pub mod rehearse;
pub mod release;
pub mod report;
mod rewrite;
#[doc(hidden)]
pub mod schema;
#[cfg(feature = "serve")]
pub mod serve;
mod shared;
pub mod side;
pub mod source;
#[doc(hidden)]
pub mod sql;
pub mod stats;
#[cfg(feature = "live")]
pub mod tell;
#[cfg(feature = "live")]
pub mod traffic;
pub mod workload;

pub use compat::Assume;
pub use compat::matrix::Matrix;
pub use effect::PgVersion;
pub use schema::Schema;
