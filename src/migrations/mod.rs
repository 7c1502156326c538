//! Where migrations come from. A convention is data plus a small reader; one file each. [`load`] reads a folder; [`Folder::from_files`] does
//! the same for files that are already in memory.

mod convention;
mod detect;
mod diesel;
mod load;
mod plain;
mod refinery;
mod sqlx;

pub use convention::{Convention, HistoryTable};
pub use load::{Folder, LoadError, Migration, Pending, Version, load};
