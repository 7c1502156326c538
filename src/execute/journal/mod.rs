//! The journal: an append-only table in schema `cutover` of the target database.

mod record;
mod store;
mod tables;
mod v1;

pub use record::{
    Actor, Gate, Guard, GuardChange, Record, Relations, ReleaseRecord, StepRecord, TimeWait, TrafficRecord,
};
pub use store::{Entry, JournalError, Release};
pub(in crate::execute) use store::{
    KnownThere, PauseWord, append, create_release, entries, find_release, insert, inserted, is_prepared, is_there,
    latest_release, list_releases, pause_word, prepare, release_after, replace_plan, replaced_plans, unreadable,
};
pub(in crate::execute) use tables::ensure;
pub use tables::grants;
