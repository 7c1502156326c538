//! Where migrations come from. A convention is data plus a small reader; one file each.

mod convention;

pub use convention::{Convention, HistoryTable};
