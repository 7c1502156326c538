//! What the tests share: one PostgreSQL server for the whole process, a fresh database for each test, the binary in a clean environment.

mod certificates;
mod command;
mod databases;

pub(crate) use certificates::{Authority, self_signed};
pub(crate) use command::{cutover, exit, transcript};
pub(crate) use databases::{database, local_options, message, server};
