//! Folders that no tool runs: their history is `cutover.migration`.

use super::OWN;
use super::tools::Sql;

pub(super) static HISTORY: Sql = Sql { reads: OWN, ..Sql::READ_ONLY };
