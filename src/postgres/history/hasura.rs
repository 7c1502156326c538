//! Hasura's state, one for each of its databases: read only.

use super::tools::{Older, Sql};

pub(super) static HISTORY: Sql = Sql {
    // A JSON object of the command line's: for each database its versions, and whether each is unfinished.
    reads: "SELECT v.key, d.key, NULL::pg_catalog.text, v.value <> 'true', false \
         FROM hdb_catalog.hdb_version h, \
              pg_catalog.jsonb_each(coalesce(pg_catalog.to_jsonb(h) -> 'cli_state' -> 'migrations', '{}')) d, \
              pg_catalog.jsonb_each_text(d.value) v ORDER BY 2, 1",
    // Before the command line had a state of its own, of its one database.
    older: Some(Older {
        table: "hdb_catalog.schema_migrations",
        reads: "SELECT version::pg_catalog.text, 'default', NULL::pg_catalog.text, NOT dirty, false \
             FROM hdb_catalog.schema_migrations ORDER BY version",
    }),
    name_is_database: true,
    ..Sql::READ_ONLY
};
