//! Where migrations come from. A tool is a file in `tools/`, which says how its folders are recognised and listed, and what of a file goes
//! forward; [`load`] reads a folder, [`Folder::from_files`] does the same for files that are already in memory.

#[cfg(feature = "live")]
pub(crate) mod books;
mod convention;
mod detect;
mod error;
mod found;
mod load;
mod placeholder;
mod script;
#[cfg_attr(not(feature = "live"), expect(dead_code, unused_imports, reason = "what only a database is asked"))]
pub(crate) mod tools;
mod tree;
mod version;

pub use convention::{HistoryRows, HistoryTable, Listed, Recorded};
pub use error::LoadError;
#[cfg(feature = "live")]
pub use load::is_archive_at;
pub use load::{Folder, Migration, Pending, Reading, load, load_with};
pub use tools::Convention;
pub(crate) use tools::{AtStart, Behind};
pub use version::Version;
