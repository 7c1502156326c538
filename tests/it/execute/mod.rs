//! The release engine against a real PostgreSQL, through the real binary.

mod around;
mod at_start;
mod cable;
mod crash;
mod day;
mod deployment;
mod exec_backend;
mod exhaustion;
mod failures;
mod history;
mod interrupt;
mod journal;
mod library;
mod limits;
mod network;
mod operators;
mod planned;
mod pooler;
mod ramp;
mod release;
pub(crate) mod replan;
mod small;
mod status;
mod stuck;
pub(crate) mod support;
mod work;
mod world;
