//! The release engine against a real PostgreSQL, through the real binary.

mod at_start;
mod crash;
mod day;
mod exec_backend;
mod failures;
mod history;
mod interrupt;
mod journal;
mod library;
mod limits;
mod planned;
mod release;
pub(crate) mod replan;
mod stuck;
pub(crate) mod support;
mod work;
