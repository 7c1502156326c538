//! The tables, versioned by refinery. Its history is `cutover.schema_history`: refinery takes a schema-qualified name as it is.

use crate::postgres::Session;
use refinery::{Migration, Runner};

use super::JournalError;

/// refinery has no lock of its own: the caller holds the lease's advisory lock.
const MIGRATIONS: &[(&str, &str)] = &[
    ("V1__journal", JOURNAL),
    // Releases that were begun by 0.1 have format 1.
    (
        "V2__format",
        "ALTER TABLE cutover.release ADD COLUMN format integer NOT NULL DEFAULT 1;
        ALTER TABLE cutover.release ALTER COLUMN format DROP DEFAULT;",
    ),
];

const JOURNAL: &str =
    "CREATE TABLE cutover.release (
        id text PRIMARY KEY,
        number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        plan_digest text NOT NULL UNIQUE,
        plan text NOT NULL,
        tool_version text NOT NULL,
        host text NOT NULL,
        role text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
    );
    CREATE TABLE cutover.journal (
        release_id text NOT NULL REFERENCES cutover.release,
        seq bigint NOT NULL,
        epoch bigint NOT NULL,
        at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
        event text NOT NULL,
        step integer,
        detail jsonb NOT NULL,
        PRIMARY KEY (release_id, seq)
    );
    CREATE TABLE cutover.lease (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        epoch bigint NOT NULL,
        host text NOT NULL,
        pid bigint NOT NULL,
        role text NOT NULL,
        backend_pid integer NOT NULL,
        since timestamptz NOT NULL
    );
    CREATE TABLE cutover.migration (
        version text PRIMARY KEY,
        name text NOT NULL,
        sha256 text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
    );
    COMMENT ON SCHEMA cutover IS 'Journal of cutover releases. Append only; `cutover status` and `cutover log` read it.';";

/// What a role needs to look on, as SQL. The last one is for what sessions do: without it the server shows a role its own only.
pub fn grants(role: &str) -> String {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    format!(
        "GRANT USAGE ON SCHEMA cutover TO {role};\nGRANT SELECT ON ALL TABLES IN SCHEMA cutover TO {role};\nGRANT pg_read_all_stats TO {role};\n"
    )
}

/// Creates or upgrades the tables.
pub(in crate::execute) async fn ensure(client: &mut Session) -> Result<(), JournalError> {
    // `IF NOT EXISTS` asks for the right to create even where the schema exists.
    let there = client.query_one("SELECT pg_catalog.to_regnamespace('cutover') IS NOT NULL", &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        client.batch_execute("CREATE SCHEMA cutover").await?;
    }
    let migrations: Result<Vec<_>, _> = MIGRATIONS.iter().map(|(stem, sql)| Migration::unapplied(stem, sql)).collect();
    let mut runner = Runner::new(&migrations.map_err(Box::new)?);
    runner.set_migration_table_name("cutover.schema_history");
    runner.run_async(&mut **client).await.map_err(Box::new)?;
    Ok(())
}
