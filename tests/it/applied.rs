//! What is applied is never guessed: histories of all tools, in any schema, with baselines; databases that are not empty; folders that two
//! tools read alike. What each command does is held against a real database.

use camino::Utf8Path;
use cutover::migrations::{self, Convention, Reading, Recorded};
use cutover::postgres::Session;

use crate::support::{self, database};

/// A folder of migrations and a database.
struct Site {
    files: support::Site,
    session: Session,
    conninfo: String,
}

impl Site {
    async fn new(files: &[(&str, &str)], sql: &str) -> Self {
        let files = support::Site::new(files);
        let database = database().await;
        let session = database.connect().await;
        session.batch_execute(sql).await.unwrap();
        let conninfo = database.conninfo("postgres").await;
        Self { files, session, conninfo }
    }

    fn run(&self, args: &[&str]) -> (i32, String) {
        self.files.run(args)
    }

    /// `plan` with the database.
    fn plan(&self, folder: &str, more: &[&str]) -> (i32, String) {
        self.run(&[&["plan", folder, "--database", &self.conninfo, "-o", "release.plan"], more].concat())
    }

    /// `execute` of the saved plan.
    fn execute(&self, more: &[&str]) -> (i32, String) {
        self.run(
            &[&["execute", "release.plan", "--database", &self.conninfo, "--yes", "--traffic", "simulated"], more]
                .concat(),
        )
    }

    async fn one(&self, sql: &str) -> String {
        let row = self.session.query_one(&format!("SELECT ({sql})::text"), &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    /// What is pending by the saved plan.
    fn pending(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.files.path().join("release.plan")).unwrap();
        let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
        let pending = plan["migrations"]["pending"].as_array().unwrap().iter();
        pending.map(|migration| migration["version"].as_str().unwrap().to_owned()).collect()
    }
}

const FLYWAY: &str = "CREATE TABLE flyway_schema_history (
    installed_rank int NOT NULL PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL, type varchar(20) NOT NULL,
    script varchar(1000) NOT NULL, checksum int, installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT now(),
    execution_time int NOT NULL, success boolean NOT NULL);";

fn flyway_row(rank: u32, version: &str, kind: &str) -> String {
    format!(
        "INSERT INTO flyway_schema_history VALUES ({rank}, {version}, 'x', '{kind}', 'V{rank}__x.sql', 0, 'me', now(), 1, true);"
    )
}

const BALANCES: [(&str, &str); 3] = [
    ("m/V1__accounts.sql", "CREATE TABLE IF NOT EXISTS accounts (id int PRIMARY KEY, balance bigint NOT NULL);"),
    ("m/V2__cents.sql", "UPDATE accounts SET balance = balance * 100;"),
    ("m/V3__note.sql", "ALTER TABLE accounts ADD COLUMN note text;"),
];

const ACCOUNTS: &str =
    "CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL); INSERT INTO accounts VALUES (1, 5000);";

/// field/85: the balance is never multiplied twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_of_flyway_decides_what_the_names_do_not() {
    let history = format!("{ACCOUNTS}{FLYWAY}{}{}", flyway_row(1, "'1'", "SQL"), flyway_row(2, "'2'", "SQL"));
    let site = Site::new(&BALANCES, &history).await;
    let (code, text) = site.plan("m", &[]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(site.pending(), ["3"]);
    let (code, text) = site.execute(&[]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(site.one("SELECT balance FROM accounts").await, "5000");
    assert_eq!(
        site.one("SELECT string_agg(version, ',' ORDER BY installed_rank) FROM flyway_schema_history").await,
        "1,2,3"
    );
    assert_eq!(site.one("SELECT to_regclass('refinery_schema_history')").await, "");
}

/// The same with plans that were made without the database: `execute` looks itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_nothing_confirms_is_not_executed() {
    let history = format!("{ACCOUNTS}{FLYWAY}{}{}", flyway_row(1, "'1'", "SQL"), flyway_row(2, "'2'", "SQL"));
    let site = Site::new(&BALANCES, &history).await;
    for (from, convention) in
        [("1", None), ("none", None), ("1", Some("refinery")), ("none", Some("refinery")), ("1", Some("plain"))]
    {
        let from = if convention == Some("plain") { "V1__accounts" } else { from };
        let mut args = vec!["plan", "m", "--from", from, "-o", "release.plan"];
        args.extend(convention.iter().flat_map(|convention| ["--convention", convention]));
        let (code, text) = site.run(&args);
        assert_eq!(code, 0, "{from} {convention:?}: {text}");
        let (code, text) = site.execute(&[]);
        assert_eq!(code, 6, "{from} {convention:?}: {text}");
        assert!(text.contains("public.flyway_schema_history, the history of Flyway"), "{text}");
        assert_eq!(site.one("SELECT balance FROM accounts").await, "5000");
        assert_eq!(
            site.one("SELECT count(*) FROM pg_attribute WHERE attrelid = 'accounts'::regclass AND attname = 'note'")
                .await,
            "0"
        );
    }
    // Flyway's own, behind its history.
    let (code, text) = site.run(&["plan", "m", "--from", "1", "--convention", "flyway", "-o", "release.plan"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = site.execute(&["--accept-base"]);
    assert_eq!(code, 6, "{text}");
    assert!(text.contains("migration 2 is pending in the plan, and the flyway history has it already"), "{text}");
    assert_eq!(site.one("SELECT balance FROM accounts").await, "5000");
}

/// field/86, and what else is a floor.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_at_or_below_a_baseline_never_runs() {
    let files = [
        ("m/V1__cents.sql", "UPDATE accounts SET balance = balance * 100;"),
        ("m/V2__a.sql", "ALTER TABLE accounts ADD COLUMN a int;"),
        ("m/V3__note.sql", "ALTER TABLE accounts ADD COLUMN note text;"),
    ];
    for kind in ["BASELINE", "SQL_BASELINE"] {
        let site = Site::new(&files, &format!("{ACCOUNTS}{FLYWAY}{}", flyway_row(1, "'2'", kind))).await;
        let (code, text) = site.plan("m", &[]);
        assert_eq!(code, 0, "{text}");
        assert_eq!(site.pending(), ["3"]);
        let (code, text) = site.execute(&[]);
        assert_eq!(code, 0, "{text}");
        assert_eq!(site.one("SELECT balance FROM accounts").await, "5000");
    }
    // A baseline between two versions, and an undone one.
    let between = format!("{ACCOUNTS}{FLYWAY}{}", flyway_row(1, "'2.5'", "BASELINE"));
    let site = Site::new(&files, &between).await;
    assert_eq!(site.plan("m", &[]).0, 0);
    assert_eq!(site.pending(), ["3"]);
    let undone = [("'1'", "SQL"), ("'2'", "SQL"), ("'2'", "UNDO_SQL")];
    let undone: String =
        undone.iter().zip(1..).map(|((version, kind), rank)| flyway_row(rank, version, kind)).collect();
    let site = Site::new(&files, &format!("{ACCOUNTS}{FLYWAY}{undone}")).await;
    let (code, text) = site.plan("m", &[]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(site.pending(), ["2", "3"]);
}

/// Atlas writes a row of type 1, Drizzle counts by its last row, and golang-migrate and Alembic have one row alone.
#[tokio::test(flavor = "multi_thread")]
async fn floors_of_other_tools() {
    let numbered = [
        ("m/1_a.sql", "CREATE TABLE a (id int);"),
        ("m/2_b.sql", "CREATE TABLE b (id int);"),
        ("m/3_c.sql", "CREATE TABLE c (id int);"),
    ];
    let atlas = "CREATE SCHEMA atlas_schema_revisions;
        CREATE TABLE atlas_schema_revisions.atlas_schema_revisions (version varchar PRIMARY KEY, description varchar, type bigint DEFAULT 2,
            applied bigint, total bigint, executed_at timestamptz, execution_time bigint, error text, error_stmt text, hash varchar);";
    let baseline = "INSERT INTO atlas_schema_revisions.atlas_schema_revisions VALUES ('2', 'baseline', 1, 0, 0, now(), 0, '', '', '');";
    let site = Site::new(&[&numbered[..], &[("m/atlas.sum", "")]].concat(), &format!("{atlas}{baseline}")).await;
    let (code, text) = site.plan("m", &[]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(site.pending(), ["3"]);

    let files = [
        (
            "m/meta/_journal.json",
            r#"{"entries":[{"idx":0,"when":10,"tag":"0000_a"},{"idx":1,"when":20,"tag":"0001_b"},{"idx":2,"when":30,"tag":"0002_c"}]}"#,
        ),
        ("m/0000_a.sql", "CREATE TABLE a (id int);"),
        ("m/0001_b.sql", "CREATE TABLE b (id int);"),
        ("m/0002_c.sql", "CREATE TABLE c (id int);"),
    ];
    let site = Site::new(&files, "CREATE SCHEMA drizzle; CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)").await;
    let hash = "encode(sha256('CREATE TABLE b (id int);'), 'hex')";
    site.session
        .batch_execute(&format!("INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ({hash}, 20)"))
        .await
        .unwrap();
    let (code, text) = site.plan("m", &[]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(site.pending(), ["0002_c"]);

    let goose = [
        ("m/1_a.sql", "-- +goose Up\nCREATE TABLE a (id int);\n"),
        ("m/2_b.sql", "-- +goose Up\nCREATE TABLE b (id int);\n"),
    ];
    let table = "CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp DEFAULT now());
        INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (1, true), (2, true), (2, false);";
    let site = Site::new(&goose, &format!("CREATE TABLE a (id int);{table}")).await;
    let (code, text) = site.plan("m", &[]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(site.pending(), ["2"]);

    let prisma = [
        ("m/1_init/migration.sql", "CREATE TABLE a (id int);"),
        ("m/2_b/migration.sql", "CREATE TABLE b (id int);"),
        ("m/migration_lock.toml", ""),
    ];
    let table = "CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL, finished_at timestamptz,
            migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(),
            applied_steps_count int NOT NULL DEFAULT 0);
        INSERT INTO _prisma_migrations VALUES ('x', '', now(), '1_init', '', NULL, now(), 0), ('y', '', NULL, '2_b', '', now(), now(), 0);";
    let site = Site::new(&prisma, &format!("CREATE TABLE a (id int);{table}")).await;
    let (code, text) = site.plan("m", &[]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(site.pending(), ["2_b"]);
}

/// A database that is not empty is not taken for an empty one, whatever the convention.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_another_history_is_not_empty() {
    let tables = [
        ("schema_migrations (version bigint NOT NULL, dirty boolean NOT NULL)", "golang-migrate"),
        ("schema_migrations (version varchar NOT NULL PRIMARY KEY)", "dbmate"),
        ("schema_migrations (version bigint PRIMARY KEY, inserted_at timestamp)", "Ecto"),
        ("_sqlx_migrations (version bigint, description text, success boolean, checksum bytea)", "sqlx"),
        ("__diesel_schema_migrations (version varchar(50), run_on timestamp)", "diesel"),
        ("refinery_schema_history (version int4, name varchar, applied_on varchar, checksum varchar)", "refinery"),
        ("goose_db_version (id int, version_id bigint, is_applied boolean, tstamp timestamp)", "goose"),
        ("alembic_version (version_num varchar(32))", "Alembic"),
        ("databasechangelog (id varchar, author varchar, filename varchar, orderexecuted int)", "Liquibase"),
        (
            "_prisma_migrations (id varchar, checksum varchar, migration_name varchar, finished_at timestamptz, rolled_back_at timestamptz)",
            "Prisma",
        ),
        ("knex_migrations (id serial, name varchar, batch int, migration_time timestamptz)", "knex"),
        ("\"__EFMigrationsHistory\" (\"MigrationId\" varchar, \"ProductVersion\" varchar)", "Entity Framework"),
        ("migrations (id serial, timestamp bigint, name varchar)", "TypeORM"),
        ("migrations (id serial, migration varchar, batch int)", "Laravel"),
        ("django_migrations (id int, app varchar, name varchar, applied timestamptz)", "Django"),
        ("\"SequelizeMeta\" (name varchar)", "Sequelize"),
        ("sqitch.changes (change_id text, script_hash text, change text, project text)", "Sqitch"),
        ("drizzle.__drizzle_migrations (id serial, hash text, created_at bigint)", "Drizzle"),
        (
            "atlas_schema_revisions.atlas_schema_revisions (version varchar, applied int, total int, hash varchar)",
            "Atlas",
        ),
        ("supabase_migrations.schema_migrations (version text, statements text[], name text)", "Supabase"),
        ("hdb_catalog.hdb_version (hasura_uuid uuid, version text, cli_state jsonb)", "Hasura"),
        (
            "ops.flyway_schema_history (installed_rank int, version varchar, description varchar, type varchar, script varchar, success boolean)",
            "Flyway",
        ),
    ];
    let files = [("m/V1__a.sql", "CREATE TABLE a (id int);"), ("m/refinery.toml", "")];
    for (table, tool) in tables {
        let schema = table.split_once('.').map(|(schema, _)| schema).filter(|schema| !schema.contains(['(', ' ']));
        let schema = schema.map(|schema| format!("CREATE SCHEMA {schema};")).unwrap_or_default();
        let site = Site::new(&files, &format!("{schema}CREATE TABLE {table}")).await;
        let convention = if tool == "refinery" { "flyway" } else { "refinery" };
        let (code, text) = site.plan("m", &["--convention", convention]);
        assert_eq!(code, 2, "{tool}: {text}");
        assert!(text.contains(&format!("the history of {tool}")), "{tool}: {text}");
        assert!(text.contains("--convention") && text.contains("--from"), "{text}");
        // A plan that was made without looking is not executed either.
        let (code, text) = site.run(&["plan", "m", "--convention", convention, "--from", "none", "-o", "release.plan"]);
        assert_eq!(code, 0, "{text}");
        let (code, text) = site.execute(&[]);
        assert_eq!(code, 6, "{tool}: {text}");
        assert!(text.contains(&format!("the history of {tool}")), "{tool}: {text}");
        // Whoever says it is believed, and the journal keeps that.
        let (code, text) = site.execute(&["--accept-base"]);
        assert_eq!(code, 0, "{tool}: {text}");
        let accepted = site.one("SELECT detail->>'accepted' FROM cutover.journal WHERE event = 'started'").await;
        assert!(accepted.contains(tool), "{accepted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rails_has_another_table_than_dbmate() {
    let tables = "CREATE TABLE schema_migrations (version varchar PRIMARY KEY); CREATE TABLE ar_internal_metadata (key varchar PRIMARY KEY);
        INSERT INTO schema_migrations VALUES ('1');";
    let files = [
        ("m/1_a.sql", "-- migrate:up\nCREATE TABLE a (id int);"),
        ("m/2_b.sql", "-- migrate:up\nCREATE TABLE b (id int);"),
    ];
    let site = Site::new(&files, tables).await;
    let (code, text) = site.plan("m", &[]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("public.schema_migrations, the history of Rails"), "{text}");
}

/// Objects that pending migrations make, and nothing that says who made them.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_the_objects_of_the_release_is_not_empty() {
    let check = async |there: &str, file: &str, expected: &str| {
        let site = Site::new(&[("m/V1__a.sql", file), ("m/refinery.toml", "")], there).await;
        let (code, text) = site.plan("m", &[]);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(expected) && text.contains("V1__a.sql"), "{text}");
        // It can be said.
        assert_eq!(site.plan("m", &["--from", "1"]).0, 0);
        assert!(site.pending().is_empty());
    };
    check("CREATE TABLE a (id int)", "CREATE TABLE IF NOT EXISTS a (id int);", "has table a already").await;
    check(
        "CREATE SCHEMA x; CREATE TABLE x.a (id int)",
        "CREATE SCHEMA IF NOT EXISTS x; CREATE TABLE x.a (id int);",
        "has table x.a already",
    )
    .await;
    check("CREATE VIEW v AS SELECT 1 AS a", "CREATE OR REPLACE VIEW v AS SELECT 1 AS a;", "has view v already").await;
    check("CREATE TYPE mood AS ENUM ('a')", "CREATE TYPE mood AS ENUM ('a');", "has type mood already").await;
    check("CREATE SEQUENCE s", "CREATE SEQUENCE IF NOT EXISTS s;", "has sequence s already").await;
    check(
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2';",
        "has function f already",
    )
    .await;
    let site = Site::new(
        &[("m/V1__a.sql", "CREATE TABLE a (id int);"), ("m/refinery.toml", "")],
        "CREATE TABLE other (id int)",
    )
    .await;
    assert_eq!(site.plan("m", &[]).0, 0);
    assert_eq!(site.pending(), ["1"]);
}

/// A plain folder's only history is this tool's own: what confirms its base at first is the schema.
#[tokio::test(flavor = "multi_thread")]
async fn a_plain_folder_is_confirmed_by_the_schema() {
    let files = [
        (
            "m/one.sql",
            "CREATE TABLE a (id int PRIMARY KEY, name varchar(20)); CREATE VIEW v AS SELECT name FROM a; CREATE SEQUENCE s;",
        ),
        ("m/two.sql", "CREATE TABLE b (id int);"),
    ];
    let make = "CREATE TABLE a (id int PRIMARY KEY, name varchar(20)); CREATE VIEW v AS SELECT name FROM a; CREATE SEQUENCE s;";
    let check = async |there: &str, expected: &str| {
        let site = Site::new(&files, there).await;
        let (code, text) = site.run(&["plan", "m", "--from", "one", "-o", "release.plan"]);
        assert_eq!(code, 0, "{text}");
        let (code, text) = site.execute(&[]);
        if expected.is_empty() {
            assert_eq!(code, 0, "{text}");
            return;
        }
        assert_eq!(code, 6, "{text}");
        assert!(text.contains(expected) && text.contains("--accept-base"), "{text}");
        assert_eq!(site.one("SELECT to_regclass('b')").await, "");
        let (code, text) = site.execute(&["--accept-base"]);
        assert_eq!(code, 0, "{text}");
        let accepted = site.one("SELECT detail->>'accepted' FROM cutover.journal WHERE event = 'started'").await;
        assert!(accepted.contains(expected), "{accepted}");
    };
    check(make, "").await;
    check("", "a does not exist").await;
    check(
        &make.replace("varchar(20)", "varchar(30)"),
        "a: the plan has name character varying(20), the database has name character varying(30)",
    )
    .await;
    check(&make.replace(" CREATE SEQUENCE s;", ""), "s does not exist").await;
}

/// Where names fit two tools, the history decides, and without one it is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_fit_two_tools() {
    let v = [("m/V1__a.sql", "CREATE TABLE a (id int);")];
    let site = Site::new(&v, "").await;
    let (code, text) = site.plan("m", &[]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("fit refinery, flyway alike") && text.contains("--convention"), "{text}");
    // Without a database both read it alike.
    let (code, text) = site.run(&["plan", "m", "--from", "none", "-o", "release.plan"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = site.execute(&[]);
    assert_eq!(code, 6, "{text}");
    assert!(text.contains("fit refinery and flyway alike"), "{text}");
    assert_eq!(site.plan("m", &["--convention", "flyway"]).0, 0);
    assert_eq!(site.execute(&[]).0, 0);
    assert_eq!(site.one("SELECT version FROM flyway_schema_history").await, "1");

    let numbered = [
        ("m/20240101000000_a.sql", "CREATE TABLE a (id int);"),
        ("m/20240102000000_b.sql", "CREATE TABLE b (id int);"),
    ];
    let site = Site::new(&numbered, "").await;
    let (code, text) = site.plan("m", &[]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("fit sqlx, supabase, plain alike"), "{text}");
    let supabase = "CREATE TABLE a (id int); CREATE SCHEMA supabase_migrations;
        CREATE TABLE supabase_migrations.schema_migrations (version text PRIMARY KEY, statements text[], name text);
        INSERT INTO supabase_migrations.schema_migrations VALUES ('20240101000000', NULL, 'a');";
    let site = Site::new(&numbered, supabase).await;
    let (code, text) = site.plan("m", &[]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(site.pending(), ["20240102000000"]);
    assert_eq!(site.execute(&[]).0, 0);
    let rows = "SELECT string_agg(concat_ws(' ', version, name, array_length(statements, 1)), ',' ORDER BY version) FROM supabase_migrations.schema_migrations";
    assert_eq!(site.one(rows).await, "20240101000000 a,20240102000000 b 1");

    let folders = [
        ("m/1700000000001_a/up.sql", "CREATE TABLE a (id int);"),
        ("m/1700000000002_b/up.sql", "CREATE TABLE b (id int);"),
    ];
    let hasura = |state: &str| {
        format!(
            "CREATE TABLE a (id int); CREATE SCHEMA hdb_catalog;
        CREATE TABLE hdb_catalog.hdb_version (hasura_uuid uuid, version text, cli_state jsonb NOT NULL DEFAULT '{{}}');
        INSERT INTO hdb_catalog.hdb_version (cli_state) VALUES ('{state}');"
        )
    };
    let site =
        Site::new(&folders, &hasura(r#"{"migrations": {"default": {"1700000000001": false}, "other": {"9": false}}}"#))
            .await;
    // The folder `m` is none of Hasura's databases; that of `migrations/default` is.
    let (code, text) = site.plan("m", &[]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("the histories of default and other"), "{text}");
    let folders = folders.map(|(path, text)| (path.replace("m/", "migrations/default/"), text));
    let folders: Vec<(&str, &str)> = folders.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let site =
        Site::new(&folders, &hasura(r#"{"migrations": {"default": {"1700000000001": false}, "other": {"9": false}}}"#))
            .await;
    let (code, text) = site.plan("migrations/default", &[]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(site.pending(), ["1700000000002"]);
    let site = Site::new(&folders, &hasura(r#"{"migrations": {"default": {"1700000000001": true}}}"#)).await;
    let (code, text) = site.plan("migrations/default", &[]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("unfinished row for version 1700000000001"), "{text}");
}

/// What the files beside a folder say of its tool.
#[test]
fn signs_of_the_tool() {
    let check = |files: &[&str], folder: &str, expected: &str| {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap();
        for path in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text = match path.file_name() {
                Some("Cargo.toml") => "[dependencies]\nsqlx = \"0.8\"\ndiesel = \"2\"\nrefinery = \"0.8\"\n",
                Some("config.toml") => "project_id = \"x\"\n",
                Some("flyway.toml") => "",
                _ => "SELECT 1;",
            };
            std::fs::write(path, text).unwrap();
        }
        let found = match migrations::load_with(&root.join(folder), &Reading::default()) {
            Ok(found) => {
                [found.convention].iter().chain(&found.alike).map(ToString::to_string).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string().replace(root.as_str(), "").split(';').next().unwrap().to_owned(),
        };
        assert_eq!(found, expected, "{files:?}");
    };
    check(&["m/V1__a.sql"], "m", "refinery flyway");
    check(&["m/V1__a.sql", "Cargo.toml"], "m", "refinery");
    check(&["m/V1__a.sql", "flyway.toml"], "m", "flyway");
    check(&["m/V1__a.sql", "m/R__v.sql"], "m", "flyway");
    check(&["m/20240101000000_a.sql"], "m", "sqlx supabase plain");
    check(&["m/20240101000000_a.sql", "Cargo.toml"], "m", "sqlx");
    check(&["supabase/migrations/20240101000000_a.sql"], "supabase/migrations", "supabase");
    check(&["db/config.toml", "db/migrations/20240101000000_a.sql"], "db/migrations", "supabase");
    check(
        &["supabase/migrations/1_a.sql", "Cargo.toml"],
        "supabase/migrations",
        "/supabase/migrations is ambiguous: both Supabase's folders and sqlx's settings are here",
    );
    check(&["m/1700000000000_a/up.sql"], "m", "diesel hasura");
    check(&["m/2024-01-01-000000_a/up.sql"], "m", "diesel");
    check(&["m/00000000000000_diesel_initial_setup/up.sql"], "m", "diesel");
    check(&["config.yaml", "migrations/default/1700000000000_a/up.sql"], "migrations/default", "hasura");
    check(&["diesel.toml", "migrations/1700000000000_a/up.sql"], "migrations", "diesel");
    check(&["m/a.sql"], "m", "plain");
}

/// h17, and others: names of several tools in one folder.
#[test]
fn mixed_names_are_refused() {
    let check = |files: &[&str], expected: &str| {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap();
        for path in files {
            std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            std::fs::write(root.join(path), "SELECT 1;").unwrap();
        }
        let error = migrations::load_with(root, &Reading::default()).unwrap_err();
        assert_eq!(error.to_string().replace(root.as_str(), "m"), expected);
    };
    check(
        &["V1__base.sql", "R__view.sql", "003_more.sql", "2025_x.up.sql"],
        "the names in m do not fit one convention: 2 are named as flyway (R__view.sql), 2 not (003_more.sql); say which one with --convention",
    );
    check(
        &["V1__base.sql", "003_more.sql"],
        "the names in m do not fit one convention: 1 is named as refinery (V1__base.sql), 1 not (003_more.sql); say which one with --convention",
    );
    check(
        &["1_a/up.sql", "2_b.sql"],
        "the names in m do not fit one convention: 1 is named as diesel (1_a/up.sql), 1 not (2_b.sql); say which one with --convention",
    );
}

/// A history in another schema than the usual one is found, or named.
#[tokio::test(flavor = "multi_thread")]
async fn histories_in_other_schemas() {
    let moved = |schema: &str| {
        format!(
            "{FLYWAY}{}{}CREATE SCHEMA {schema}; ALTER TABLE flyway_schema_history SET SCHEMA {schema};",
            flyway_row(1, "'1'", "SQL"),
            flyway_row(2, "'2'", "SQL")
        )
    };
    let site = Site::new(&BALANCES, &format!("{ACCOUNTS}{}", moved("ops"))).await;
    let (code, text) = site.plan("m", &[]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(site.pending(), ["3"]);
    assert_eq!(site.execute(&[]).0, 0);
    assert_eq!(site.one("SELECT max(version) FROM ops.flyway_schema_history").await, "3");
    assert_eq!(site.one("SELECT to_regclass('public.flyway_schema_history')").await, "");

    let two = format!(
        "{ACCOUNTS}{}CREATE SCHEMA other; CREATE TABLE other.flyway_schema_history (LIKE ops.flyway_schema_history);",
        moved("ops")
    );
    let site = Site::new(&BALANCES, &two).await;
    let (code, text) = site.plan("m", &[]);
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("ops.flyway_schema_history and other.flyway_schema_history may each be the history of flyway"),
        "{text}"
    );
    let (code, text) = site.plan("m", &["--history-table", "ops.flyway_schema_history", "--convention", "flyway"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(site.pending(), ["3"]);
    assert_eq!(site.execute(&[]).0, 0);
    assert_eq!(site.one("SELECT max(version) FROM ops.flyway_schema_history").await, "3");

    // Under another name its columns tell it, or somebody says it.
    let named = format!("{ACCOUNTS}{}ALTER TABLE ops.flyway_schema_history RENAME TO deployed;", moved("ops"));
    let settings = "[migrations]\nconvention = \"flyway\"\nhistory-table = \"ops.deployed\"\n";
    for toml in [&[][..], &[("m/cutover.toml", settings)]] {
        let site = Site::new(&[&BALANCES[..], toml].concat(), &named).await;
        let (code, text) = site.plan("m", &[]);
        assert_eq!(code, 0, "{text}");
        assert_eq!(site.pending(), ["3"]);
        assert_eq!(site.execute(&[]).0, 0);
        assert_eq!(site.one("SELECT max(version) FROM ops.deployed").await, "3");
    }
}

/// `--from` beside `--database` is the operator's word, and no history may say otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn from_and_the_history_must_agree() {
    let history = format!("{ACCOUNTS}{FLYWAY}{}", flyway_row(1, "'1'", "SQL"));
    let site = Site::new(&BALANCES, &history).await;
    assert_eq!(site.plan("m", &["--from", "1"]).0, 0);
    for from in ["2", "none"] {
        let (code, text) = site.plan("m", &["--from", from]);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains("says otherwise than the history of flyway"), "{text}");
    }
}

#[test]
fn floors_by_the_order_of_versions() {
    let check = |convention: Convention, names: &[&str], rows: &[(&str, bool)], expected: &[&str]| {
        let directory = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(directory.path().join(name), "SELECT 1;").unwrap();
        }
        let root = Utf8Path::from_path(directory.path()).unwrap();
        let folder =
            migrations::load_with(root, &Reading { convention: Some(convention), ..Reading::default() }).unwrap();
        let rows: Vec<_> =
            rows.iter().map(|(version, floor)| Recorded { version: (*version).to_owned(), floor: *floor }).collect();
        let (pending, unknown) = folder.pending_by_rows(&rows);
        let pending: Vec<_> = pending.pending.iter().map(|m| m.version.as_str()).collect();
        assert_eq!((pending, unknown.len()), (expected.to_vec(), 0), "{convention} {rows:?}");
    };
    let v = ["V1__a.sql", "V2__b.sql", "V10__c.sql", "R__v.sql"];
    check(Convention::Flyway, &v, &[("2", true)], &["10", "R__v"]);
    check(Convention::Flyway, &v, &[("9", true)], &["10", "R__v"]);
    check(Convention::Flyway, &v, &[("0", true)], &["1", "2", "10", "R__v"]);
    check(Convention::Flyway, &v, &[("1", true), ("10", false)], &["2", "R__v"]);
    let numbered = ["1_a.up.sql", "2_b.up.sql", "3_c.up.sql"];
    check(Convention::GolangMigrate, &numbered, &[("2", false)], &["3"]);
}

/// The folders of cases that must go on working without a database.
#[test]
fn plans_without_a_database_need_no_convention() {
    let (code, text) = support::Site::new(&BALANCES).run(&["plan", "m", "--from", "1"]);
    assert_eq!(code, 0, "{text}");
}

/// Flyway's repeatable migrations run again when they are others, and not before.
#[tokio::test(flavor = "multi_thread")]
async fn repeatable_migrations_run_when_they_change() {
    let view = "CREATE OR REPLACE VIEW v AS SELECT id FROM accounts;";
    let files = [("m/V1__a.sql", "CREATE TABLE accounts (id int);"), ("m/R__v.sql", view), ("m/flyway.toml", "")];
    let site = Site::new(&files, "").await;
    for (text, pending) in [(view, vec!["1", "R__v"]), (view, vec![]), (&view.replace("id", "id AS id"), vec!["R__v"])]
    {
        std::fs::write(site.files.path().join("m/R__v.sql"), text).unwrap();
        let (code, said) = site.plan("m", &[]);
        assert_eq!(code, 0, "{said}");
        assert_eq!(site.pending(), pending);
        if !pending.is_empty() {
            let (code, said) = site.execute(&[]);
            assert_eq!(code, 0, "{said}");
        }
    }
    assert_eq!(site.one("SELECT count(*) FROM flyway_schema_history WHERE version IS NULL").await, "2");
}
