//! What the tests share: one PostgreSQL server for the whole process, a fresh database for each test, the binary in a clean environment.

mod certificates;
mod command;
mod databases;
mod examples;
mod play;
mod rehearsed;
mod site;

pub(crate) use certificates::{Authority, self_signed};
pub(crate) use command::{cutover, exit, transcript};
pub(crate) use databases::{
    Database, counting_server, database, drop_when_unused, local_options, message, server, version,
};
pub(crate) use examples::{example_releases, examples, examples_root};
pub(crate) use play::{Order, Release, Run, play, statements};
pub(crate) use rehearsed::{Case, numbered, rehearsed};
pub(crate) use site::Site;
