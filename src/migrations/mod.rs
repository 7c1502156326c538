//! Where migrations come from. A convention is a row of facts ([`Convention`]) and a file that lists a folder and reads a file's forward
//! part; [`load`] reads a folder, [`Folder::from_files`] does the same for files that are already in memory.

mod alembic;
mod atlas;
#[cfg(feature = "live")]
pub(crate) mod books;
mod convention;
mod dbmate;
mod detect;
mod diesel;
mod drizzle;
mod flyway;
mod golang_migrate;
mod goose;
mod hasura;
mod liquibase;
mod load;
mod placeholder;
mod plain;
mod prisma;
mod rails;
mod refinery;
mod script;
mod sqitch;
mod sqlx;
mod supabase;
mod tree;

pub use convention::{Convention, HistoryRows, HistoryTable, Listed, Recorded};
pub use load::{Folder, LoadError, Migration, Pending, Reading, Version, load, load_with};
