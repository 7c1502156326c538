# diesel, from crates.io: its migrations, as an application runs them. It needs libpq.
# shellcheck shell=bash disable=SC2034,SC2154
version=2.3.2

get() {
    system_packages libpq-dev
    kept "diesel-$version" diesel_program
}
diesel_program() {
    rust_program "diesel = { version = \"~$version\", default-features = false, features = [\"postgres\"] }
diesel_migrations = { version = \"~$version\", features = [\"postgres\"] }" <<'RS'
use diesel::{Connection, PgConnection};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().collect();
    let mut connection = PgConnection::establish(&arguments[1])?;
    connection.run_pending_migrations(FileBasedMigrations::from_path(&arguments[2])?)?;
    Ok(())
}
RS
}
file() {
    mkdir -p "$1/2024-01-01-00000$2_$3"
    printf '%s;\n' "$4" >"$1/2024-01-01-00000$2_$3/up.sql"
    : >"$1/2024-01-01-00000$2_$3/down.sql"
}
migrate() { "$CACHE/diesel-$version/tool" "$(url)" "$1"; }
