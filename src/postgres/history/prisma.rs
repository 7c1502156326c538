//! Prisma's `_prisma_migrations`.

use super::tools::{Row, Sql, Value, Writes};

pub(super) static HISTORY: Sql = Sql {
    reads: "SELECT migration_name::pg_catalog.text, NULL::pg_catalog.text, checksum::pg_catalog.text, \
                finished_at IS NOT NULL, false FROM _prisma_migrations WHERE rolled_back_at IS NULL \
         ORDER BY migration_name",
    writes: Some(Writes {
        create: |_| Ok(TABLE.to_owned()),
        clears: None,
        row: |entry| {
            let sql = "INSERT INTO _prisma_migrations \
                 (id, checksum, finished_at, migration_name, started_at, applied_steps_count) \
                 VALUES (pg_catalog.gen_random_uuid()::pg_catalog.text, $1, now(), $2, now(), 1)";
            let (sum, version) = (entry.migration.sha256.clone(), entry.migration.version.clone());
            Ok(Row::new(sql, [Value::Text(sum), Value::Text(version)]))
        },
    }),
    ..Sql::READ_ONLY
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    finished_at TIMESTAMPTZ,
    migration_name VARCHAR(255) NOT NULL,
    logs TEXT,
    rolled_back_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
)";
