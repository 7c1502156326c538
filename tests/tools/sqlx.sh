# sqlx, from crates.io: its migrator, as an application calls it.
# shellcheck shell=bash disable=SC2034,SC2154
version=0.9.0

get() { kept "sqlx-$version" sqlx_program; }
sqlx_program() {
    rust_program "sqlx = { version = \"=$version\", default-features = false, features = [\"migrate\", \"postgres\", \"runtime-tokio\"] }
tokio = { version = \"1\", features = [\"rt-multi-thread\", \"macros\"] }" <<'RS'
use sqlx::migrate::Migrator;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let pool = sqlx::PgPool::connect(&arguments[1]).await?;
    let mut migrator = Migrator::new(std::path::Path::new(&arguments[2])).await?;
    migrator.set_ignore_missing(arguments.len() > 3).run(&pool).await?;
    Ok(())
}
RS
}
file() { printf '%s;\n' "$4" >"$1/$2_$3.sql"; }
migrate() { "$CACHE/sqlx-$version/tool" "$(url)" "$@"; }
lenient() { migrate "$1" ignore-missing; }
