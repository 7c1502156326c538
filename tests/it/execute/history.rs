//! Each tool finds its history as if it had written it.

use cutover::migrations::{Convention, Listed};
use cutover::plan::saved::{Phase, SavedPlan};
use cutover::postgres::history::{AppliedMigration, applied, record};

use super::support::{Runs, Shop, async_client, sha256, step};

#[test]
fn the_asynchronous_runner_has_nothing_to_do() {
    let shop = Shop::new();
    shop.execute(&shop.plan(), &[]).ends(0);
    let migrations = refinery::load_sql_migrations(shop.folder.path()).unwrap();
    let runner = refinery::Runner::new(&migrations);
    let report = async_client(&shop, async |mut client| runner.run_async(&mut *client).await.unwrap());
    assert!(report.applied_migrations().is_empty());
}

#[test]
fn a_narrow_refinery_table_gets_the_narrow_checksum() {
    let shop = Shop::new();
    let plan = shop.plan();
    let migration = &plan.migrations.pending[0];
    let text = std::fs::read_to_string(shop.folder.path().join(&migration.path)).unwrap();
    shop.sql("ALTER TABLE refinery_schema_history ALTER COLUMN version TYPE int4");
    async_client(&shop, async |client| record(&client, Convention::Refinery, migration, &text).await.unwrap());
    let rows =
        shop.rows("SELECT concat_ws(' ', version, name, checksum) FROM refinery_schema_history WHERE version = 2");
    // What a build of refinery 0.10 without `int8-versions` computed for this file.
    assert_eq!(rows, ["2 phone 10781153656103954410"]);
    assert!(shop.rows("SELECT applied_on::text FROM refinery_schema_history")[1].contains('T'));
}

#[test]
fn a_missing_table_is_made_as_its_tool_makes_it() {
    for convention in Convention::ALL {
        let shop = Shop::new();
        shop.sql("DROP TABLE refinery_schema_history");
        let plan = shop.plan();
        if convention.records_here() {
            shop.sql("CREATE SCHEMA cutover; CREATE TABLE cutover.migration (version text PRIMARY KEY, name text, sha256 text)");
        }
        let rows = async_client(&shop, async |client| {
            assert_eq!(applied(&client, convention).await.unwrap(), [], "{convention}");
            for migration in &plan.migrations.pending {
                record(&client, convention, migration, "select 1").await.unwrap();
            }
            applied(&client, convention).await.unwrap()
        });
        let rows: Vec<_> = rows.iter().map(AppliedMigration::recorded).collect();
        let pending = &plan.migrations.pending;
        let listed: Vec<_> = pending.iter().map(|m| Listed { version: &m.version, sha256: &m.sha256 }).collect();
        let ordered: Vec<_> = pending.iter().map(|m| m.version.clone()).collect();
        assert_eq!(convention.applied(&rows, &listed), (ordered, Vec::new()), "{convention}");
        if convention == Convention::Sqlx {
            let sqlx = shop.rows(
                "SELECT concat_ws(' ', description, success, length(checksum)) FROM _sqlx_migrations ORDER BY version",
            );
            assert_eq!(sqlx[0], "phone t 48");
        }
    }
}

#[test]
fn an_unfinished_row_of_sqlx_is_named() {
    let shop = Shop::new();
    shop.sql(
        "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL,
             installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL,
             execution_time bigint NOT NULL);
         INSERT INTO _sqlx_migrations VALUES (7, 'x', now(), false, '', -1)",
    );
    let error = async_client(&shop, async |client| applied(&client, Convention::Sqlx).await.unwrap_err());
    assert!(error.to_string().contains("unfinished row for version 7"), "{error}");
}

#[test]
fn a_plain_folder_keeps_its_history_in_the_journal_schema() {
    let shop = Shop::new();
    let mut plan = shop.plan_of(vec![step(1, Phase::Before, Runs::Own, "CREATE TABLE orders (id int)", &["2"], 2, 1)]);
    plan.migrations.convention = Convention::Plain;
    plan.migrations.applied.clear();
    let plan: SavedPlan = plan.sealed();
    // The shop was made by refinery, and its history is no plain folder's.
    shop.execute(&plan, &[]).ends(6).says("public.refinery_schema_history, the history of refinery");
    shop.sql("DROP TABLE refinery_schema_history");
    shop.execute(&plan, &[]).ends(0);
    let rows = shop.rows("SELECT concat_ws(' ', version, name, sha256) FROM cutover.migration ORDER BY 1");
    let file = std::fs::read(shop.folder.path().join("V2__phone.sql")).unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0], format!("2 phone {}", sha256(&file)));
}
