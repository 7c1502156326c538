//! Atlas's revisions: read only.

use super::tools::Sql;

pub(super) static HISTORY: Sql = Sql {
    reads: "SELECT version::pg_catalog.text, description::pg_catalog.text, hash::pg_catalog.text, \
                (applied = total AND coalesce(error, '') = '') OR type::pg_catalog.int8 & 4 <> 0, \
                type::pg_catalog.int8 & 1 <> 0 \
         FROM atlas_schema_revisions.atlas_schema_revisions WHERE version NOT LIKE '.%' ORDER BY version",
    ..Sql::READ_ONLY
};
