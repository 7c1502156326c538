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
    // The plans that a release went by before its migrations were corrected: up to which row of the journal.
    (
        "V3__replaced_plan",
        "CREATE TABLE cutover.replaced_plan (
            release_id text NOT NULL REFERENCES cutover.release,
            seq bigint NOT NULL,
            plan_digest text NOT NULL,
            plan text NOT NULL,
            PRIMARY KEY (release_id, seq)
        );",
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

/// What a role needs to look on, as SQL. `history`: the table of the migrations' tool, as SQL names it, which `ready` reads. The last one is for what
/// sessions do: without it the server shows a role its own only.
pub fn grants(role: &str, history: Option<&str>) -> String {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    let history = history.map(|table| format!("GRANT SELECT ON {table} TO {role};\n")).unwrap_or_default();
    format!(
        "CREATE SCHEMA IF NOT EXISTS cutover;\nALTER DEFAULT PRIVILEGES IN SCHEMA cutover GRANT SELECT ON TABLES TO {role};\nGRANT USAGE ON SCHEMA cutover TO {role};\nGRANT SELECT ON ALL TABLES IN SCHEMA cutover TO {role};\n{history}GRANT pg_read_all_stats TO {role};\n"
    )
}

/// refinery takes what it reads there for what it wrote, and panics if it is not.
async fn history_is_whole(client: &Session) -> Result<(), JournalError> {
    let there = client.query_one("SELECT pg_catalog.to_regclass('cutover.schema_history') IS NOT NULL", &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(());
    }
    let query = "SELECT version, name, applied_on, checksum FROM cutover.schema_history ORDER BY version";
    for row in client.query(query, &[]).await? {
        let changed = |what: &str| JournalError::SchemaHistory { why: what.to_owned() };
        let version: i64 = row.try_get(0).map_err(|_| changed("a version is no number"))?;
        let wrong = |what: &str| changed(&format!("the {what} of version {version} is not what was written"));
        row.try_get::<_, String>(1).map_err(|_| wrong("name"))?;
        let applied: String = row.try_get(2).map_err(|_| wrong("time"))?;
        let checksum: String = row.try_get(3).map_err(|_| wrong("checksum"))?;
        if applied.as_bytes().get(10) != Some(&b'T') || applied.parse::<jiff::Timestamp>().is_err() {
            return Err(wrong("time"));
        }
        if checksum.parse::<u64>().is_err() {
            return Err(wrong("checksum"));
        }
    }
    Ok(())
}

/// Creates or upgrades the tables.
pub(in crate::execute) async fn ensure(client: &mut Session) -> Result<(), JournalError> {
    // `IF NOT EXISTS` asks for the right to create even where the schema exists.
    let there = client.query_one("SELECT pg_catalog.to_regnamespace('cutover') IS NOT NULL", &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        client.batch_execute("CREATE SCHEMA cutover").await?;
    }
    history_is_whole(client).await?;
    let migrations: Result<Vec<_>, _> = MIGRATIONS.iter().map(|(stem, sql)| Migration::unapplied(stem, sql)).collect();
    let mut runner = Runner::new(&migrations.map_err(Box::new)?);
    runner.set_migration_table_name("cutover.schema_history");
    runner.run_async(&mut **client).await.map_err(Box::new)?;
    Ok(())
}
