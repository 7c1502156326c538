//! What the tests share: one PostgreSQL server for the whole process, a fresh database for each test.

mod certificates;
mod databases;

pub(crate) use certificates::{Authority, self_signed};
pub(crate) use databases::{database, local_options, server};
