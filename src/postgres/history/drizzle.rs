//! Drizzle's migrations, known by their checksums: read only.

use super::tools::Sql;

pub(super) static HISTORY: Sql = Sql {
    reads: "SELECT hash::pg_catalog.text, NULL::pg_catalog.text, hash::pg_catalog.text, true, false \
         FROM drizzle.__drizzle_migrations ORDER BY created_at",
    ..Sql::READ_ONLY
};
