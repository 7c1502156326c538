//! Incompatible operation → expand and contract steps. One recipe a file.

mod batches;
mod drop_required_column;

pub(crate) use batches::{Batches, batches};
pub(crate) use drop_required_column::drop_required_column;
