//! Flyway's `flyway_schema_history`, with its checksums.

use super::AppliedMigration;
use super::tools::{Entry, Row, Sql, Value, Writes};
use crate::migrations::{Convention, Folder, Migration};

pub(super) static HISTORY: Sql = Sql {
    // A repeatable one is named by its description; the last row of each counts, and it may take the migration back.
    reads: "SELECT coalesce(version, 'R__' || pg_catalog.replace(description, ' ', '_'))::pg_catalog.text, \
                description::pg_catalog.text, checksum::pg_catalog.text, success, type IN ('BASELINE', 'SQL_BASELINE') \
         FROM flyway_schema_history h WHERE type NOT IN ('SCHEMA', 'DELETE') AND type NOT LIKE 'UNDO%' \
           AND NOT EXISTS (SELECT FROM flyway_schema_history l WHERE l.installed_rank > h.installed_rank \
                           AND l.version IS NOT DISTINCT FROM h.version \
                           AND (l.version IS NOT NULL OR l.description = h.description)) \
         ORDER BY installed_rank",
    writes: Some(Writes { create: |_| Ok(TABLE.to_owned()), clears: None, row }),
    ..Sql::READ_ONLY
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS flyway_schema_history (
    installed_rank INT NOT NULL CONSTRAINT flyway_schema_history_pk PRIMARY KEY,
    version VARCHAR(50),
    description VARCHAR(200) NOT NULL,
    type VARCHAR(20) NOT NULL,
    script VARCHAR(1000) NOT NULL,
    checksum INTEGER,
    installed_by VARCHAR(100) NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT now(),
    execution_time INTEGER NOT NULL,
    success BOOLEAN NOT NULL
);
CREATE INDEX IF NOT EXISTS flyway_schema_history_s_idx ON flyway_schema_history (success)";

fn row(entry: &Entry<'_>) -> Result<Row, String> {
    let migration = entry.migration;
    let sql = "INSERT INTO flyway_schema_history \
         (installed_rank, version, description, type, script, checksum, installed_by, execution_time, success) \
         SELECT coalesce(max(installed_rank), 0) + 1, $1, $2, 'SQL', $3, $4, current_user, 0, true \
         FROM flyway_schema_history";
    let version = match Convention::Flyway.is_repeatable(&migration.version) {
        true => Value::Null,
        false => Value::Text(migration.version.clone()),
    };
    let (name, script) = (migration.name.clone(), migration.path.to_string());
    Ok(Row::new(sql, [version, Value::Text(name), Value::Text(script), Value::Int4(checksum(entry.text))]))
}

/// The repeatable migrations of a folder that Flyway ran and would run again, because they are others now.
pub(crate) fn changed<'f>(folder: &'f Folder, rows: &[AppliedMigration]) -> Vec<&'f str> {
    let is_changed = |migration: &&Migration| {
        let version = migration.version.as_str();
        let ran = rows.iter().find(|row| folder.convention.is_repeatable(version) && row.version == version);
        let known = ran.and_then(|row| row.checksum.as_ref());
        known.is_some_and(|known| *known != checksum(folder.text(migration)).to_string())
    };
    folder.migrations.iter().filter(is_changed).map(|migration| migration.version.as_str()).collect()
}

/// CRC-32 of the lines without their ends and without a byte order mark, as a signed number.
fn checksum(text: &str) -> i32 {
    let mut crc = crc32fast::Hasher::new();
    for line in text.strip_prefix('\u{feff}').unwrap_or(text).lines() {
        crc.update(line.as_bytes());
    }
    crc.finalize().cast_signed()
}
