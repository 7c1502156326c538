//! The release engine against a real PostgreSQL, through the real binary.

mod crash;
mod day;
mod exec_backend;
mod failures;
mod history;
mod interrupt;
mod journal;
mod library;
mod planned;
mod pooler;
mod release;
mod status;
mod stuck;
pub(crate) mod support;
mod work;
mod world;
