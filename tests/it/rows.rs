//! Releases that are rehearsed on rows that were there: of files, of dumps, of a copy of a database.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Database, Site, database, local_options};

const BASE: &str = "CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text, code text);
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts);
    CREATE TABLE notes (id bigint, body text);";
const RELEASE: &str = "CREATE INDEX orders_account ON orders (account_id);
    -- cutover: after blue is gone
    UPDATE accounts SET email = 'x' || id;
    -- cutover: after nobody reads it as text
    ALTER TABLE accounts ALTER COLUMN code TYPE bigint USING code::bigint;";
const SEED: &str = "INSERT INTO accounts (code) SELECT i::text FROM generate_series(1, 3000) i;
    INSERT INTO orders (account_id) SELECT id FROM accounts;";

fn site(more: &[(&str, &str)]) -> Site {
    Site::new(&[&[("m/V1__base.sql", BASE), ("m/V2__release.sql", RELEASE), ("seed.sql", SEED)], more].concat())
}

/// The exit code, what `--format json` says, and what is said beside it.
async fn rehearse(site: &Site, more: &[&str]) -> (i32, Value, String) {
    let database = database().await;
    let server = database.conninfo("postgres").await;
    let base = ["rehearse", "m", "--from", "1", "--format", "json", "-o", "out.json", "--server", &server];
    let (code, text) = site.run(&[&base, more].concat());
    let json = std::fs::read_to_string(site.path().join("out.json")).unwrap_or_else(|_| "null".to_owned());
    (code, serde_json::from_str(&json).unwrap(), text)
}

/// Whether each step was measured; returns what was.
#[track_caller]
fn measured(found: &(i32, Value, String)) -> &Value {
    let (code, json, text) = found;
    assert_eq!(*code, 0, "{json:#} {text}");
    let rows = &json["on_rows"];
    assert_eq!(rows["failure"], Value::Null, "{rows:#}");
    let [index, update, retype] = &rows["steps"].as_array().unwrap()[..] else { panic!("{rows:#}") };
    assert_eq!(index["written"][0]["relation"], "public.orders_account");
    assert_eq!(index["written"][0]["index"], true);
    assert!(update["wal_bytes"].as_u64().unwrap() > 100_000, "{update:#}");
    assert_eq!(retype["written"][0]["relation"], "public.accounts");
    assert_eq!(retype["written"][0]["index"], false);
    // Before 15 the server does not tell in time.
    if json["pg_version"].as_u64().unwrap() >= 15 {
        assert_eq!((&update["rows"], &retype["rows"]), (&Value::from(3000), &Value::from(0)));
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_is_measured_on_rows_that_a_file_brings() {
    let site = site(&[]);
    let found = rehearse(&site, &["--seed", "seed.sql"]).await;
    let rows = measured(&found);
    assert_eq!(rows["from"], "seed.sql");
    assert_eq!(rows["drift"], Value::from(Vec::<String>::new()));
    let database = database().await;
    let server = database.conninfo("postgres").await;
    let args = ["rehearse", "m", "--from", "1", "--server", &server, "--seed", "seed.sql"];
    let (code, text) = site.run(&args);
    assert_eq!(code, 0, "{text}");
    for words in [
        "Run on the rows of seed.sql: 3 of 3 steps.",
        "indexes built: public.orders_account (",
        "written anew, with their indexes: public.accounts (",
        "Not shown by these rows: what other rows do",
    ] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    let (code, page) = site.run(&[&args[..], &["--format", "html"]].concat());
    assert_eq!(code, 0, "{page}");
    assert!(page.contains("On the rows of seed.sql") && page.contains("indexes built: public.orders_account"));
}

/// Fewer rows than production has do not show what more would take.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_sample_cannot_show_is_said() {
    let site = site(&[("few.sql", "INSERT INTO accounts (code) VALUES ('1'), ('2');")]);
    let database = production("ANALYZE").await;
    let (code, text) = site.run(&["stats", "--database", &database.conninfo("postgres").await, "-o", "stats.json"]);
    assert_eq!(code, 0, "{text}");
    let (code, json, text) = rehearse(&site, &["--seed", "few.sql", "--stats", "stats.json"]).await;
    assert_eq!(code, 0, "{json:#} {text}");
    let rows = &json["on_rows"];
    assert!(rows["steps"][2]["expected"]["low_ms"].is_u64(), "{rows:#}");
    let fewer = "accounts has 2 rows here and 3000 in production: what grows with them takes longer there, and other rows may fail";
    assert!(rows["not_shown"].to_string().contains(fewer), "{rows:#}");
}

/// What only rows show: the release stops at the same step in production.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_on_rows_is_told_with_what_was_measured_before_it() {
    let site = site(&[("bad.sql", "INSERT INTO accounts (code) VALUES ('n/a');")]);
    let (code, json, _) = rehearse(&site, &["--seed", "seed.sql", "--seed", "bad.sql"]).await;
    assert_eq!(code, 4);
    assert_eq!(json["safe"], false);
    let rows = &json["on_rows"];
    assert_eq!(rows["steps"].as_array().unwrap().len(), 2);
    assert_eq!(rows["failure"]["step"], 3);
    assert!(rows["failure"]["message"].as_str().unwrap().contains("22P02"), "{rows:#}");
    assert_eq!(rows["from"], "seed.sql and bad.sql");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_that_fails_is_named_by_its_statement() {
    let site = site(&[("bad.sql", "SELECT 1;\nINSERT INTO nowhere VALUES (1);")]);
    let (code, _, text) = rehearse(&site, &["--seed", "bad.sql"]).await;
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("bad.sql:2:1: this seed fails on the throwaway server"), "{text}");
}

/// A database as production has it, with a history, a role of its own, and rows.
async fn production(more: &str) -> Database {
    let database = database().await;
    let history = "CREATE TABLE refinery_schema_history (version int4 PRIMARY KEY, name varchar, applied_on varchar, checksum varchar);
        INSERT INTO refinery_schema_history VALUES (1, 'base', '', '');";
    database.connect().await.batch_execute(&format!("{BASE} {SEED} {history} {more}")).await.unwrap();
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_database_is_rehearsed_on_and_left_as_it_is() {
    let site = site(&[
        ("blue/q.sql", "-- name: note\nSELECT body FROM notes;"),
        ("green/q.sql", "-- name: email\nSELECT id, email FROM accounts;"),
    ]);
    let database = production("").await;
    let name = database.target.database().to_owned();
    let found = rehearse(&site, &["--template", &name, "--convention", "refinery"]).await;
    let rows = measured(&found);
    assert_eq!(rows["from"], format!("a copy of {name}"));
    let session = database.connect().await;
    let left = session.query_one("SELECT count(*) FROM accounts WHERE email IS NULL", &[]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 3000);
    session.close().await;

    // What is not in the files is said, and a query that breaks on this database only.
    let drifted = production("ALTER TABLE notes RENAME COLUMN body TO text; CREATE TABLE extra (id int);").await;
    let name = drifted.target.database().to_owned();
    let args = ["--template", &name, "--convention", "refinery", "--blue", "blue", "--green", "green"];
    let (code, json, text) = rehearse(&site, &args).await;
    assert_eq!(code, 1, "{json:#} {text}");
    let rows = &json["on_rows"];
    assert_eq!(rows["steps"].as_array().unwrap().len(), 3, "{rows:#}");
    let drift = [
        "- column notes 002 body text",
        "+ column extra 001 id integer",
        "+ column notes 002 text text",
        "+ table extra",
    ];
    assert_eq!(rows["drift"], Value::from(drift.to_vec()));
    assert_eq!(rows["breaks"][0]["query"], "note", "{rows:#}");
    assert_eq!(rows["breaks"][0]["after_step"], Value::Null, "{rows:#}");

    // Where the release itself meets it, it does not begin.
    let drifted = production("ALTER TABLE accounts RENAME COLUMN email TO mail;").await;
    let name = drifted.target.database().to_owned();
    let (code, json, text) = rehearse(&site, &["--template", &name, "--convention", "refinery"]).await;
    assert_eq!(code, 4, "{json:#} {text}");
    let failure = &json["on_rows"]["failure"];
    assert_eq!(failure["step"], Value::Null);
    assert!(failure["message"].as_str().unwrap().contains("accounts: column email is missing"), "{failure:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_has_what_is_pending_is_none_of_this_release() {
    let site = site(&[]);
    let database = production("INSERT INTO refinery_schema_history VALUES (2, 'release', '', '');").await;
    let found = rehearse(&site, &["--template", database.target.database(), "--convention", "refinery"]).await;
    let (code, json, text) = found;
    assert_eq!(code, 4, "{json:#} {text}");
    assert_eq!(json["on_rows"]["failure"]["step"], Value::Null);
    assert!(json["on_rows"]["failure"]["message"].as_str().unwrap().contains("2"), "{json:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_copied_is_told() {
    let site = site(&[]);
    let database = production("").await;
    let used = database.connect().await;
    let name = database.target.database().to_owned();
    let (code, _, text) = rehearse(&site, &["--template", &name]).await;
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains(&format!(
            "cannot copy database {name}: source database \"{name}\" is being accessed by other users"
        )),
        "{text}"
    );
    assert!(text.contains("nobody may be connected to a database while it is copied"), "{text}");
    used.close().await;
    let (code, _, text) = rehearse(&site, &["--template", "no_such_database"]).await;
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("no_such_database"), "{text}");
    let (code, text) =
        site.run(&["rehearse", "m", "--from", "1", "--server", "local", "--template", "shop", "--pg-bin", &bin()]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("there is no database shop to copy") && text.contains("--server URL"), "{text}");
}

/// The directory of the programs that the tests' server comes from.
fn bin() -> String {
    let options = local_options();
    let found = match &options.bin_directory {
        Some(directory) => cutover::postgres::throwaway::Binaries::in_directory(directory),
        None => cutover::postgres::throwaway::Binaries::find(options.search_path.as_deref()),
    };
    found.unwrap().directory().display().to_string()
}

/// A dump of a database, in a format of pg_dump.
fn dump(database: &Database, site: &Site, format: &str) -> String {
    let name = format!("shop.{format}");
    let variables = database.target.variables();
    // It need not be where the server is.
    let beside = Path::new(&bin()).join("pg_dump");
    let mut command = Command::new(if beside.is_file() { beside.as_os_str() } else { "pg_dump".as_ref() });
    command.current_dir(site.path()).envs(variables).args(["--format", format, "--file", &name]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    name
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_any_format_is_restored_with_its_rows_and_roles() {
    let site = site(&[]);
    let role =
        "CREATE ROLE rows_owner; ALTER TABLE orders OWNER TO rows_owner; GRANT SELECT ON accounts TO rows_owner;";
    let database = production(role).await;
    let dumps = ["plain", "custom", "directory", "tar"].map(|format| dump(&database, &site, format));
    // The server does not have it any more.
    let away = "REASSIGN OWNED BY rows_owner TO CURRENT_USER; DROP OWNED BY rows_owner; DROP ROLE rows_owner;";
    database.connect().await.batch_execute(away).await.unwrap();
    let bin = bin();
    for name in dumps {
        let found = rehearse(&site, &["--base-dump", &name, "--convention", "refinery", "--pg-bin", &bin]).await;
        let rows = measured(&found);
        assert_eq!(rows["from"], name);
        assert!(
            found.2.contains("role rows_owner is not on the throwaway server; it was made there for this run"),
            "{}",
            found.2
        );
        let left = "SELECT count(*) FROM pg_roles WHERE rolname = 'rows_owner'";
        let left: i64 = database.connect().await.query_one(left, &[]).await.unwrap().get(0);
        assert_eq!(left, 0, "{name}");
    }
    // Rows on top of a dump of the schema alone, which holds no history either.
    let schema = crate::support::database().await;
    schema.connect().await.batch_execute(BASE).await.unwrap();
    let name = dump(&schema, &site, "custom");
    let args = ["--base-dump", &name, "--seed", "seed.sql", "--convention", "refinery", "--pg-bin", &bin];
    let found = rehearse(&site, &args).await;
    assert_eq!(measured(&found)["from"], "shop.custom and seed.sql");
    assert!(found.2.contains("it holds no history of refinery; taken to be at 1"), "{}", found.2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_broken_or_cannot_be_read_is_told() {
    let site = site(&[("broken.dump", "PGDMP and nothing else"), ("empty/x", "")]);
    let bin = bin();
    let (code, _, text) = rehearse(&site, &["--base-dump", "broken.dump", "--pg-bin", &bin]).await;
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("broken.dump was not restored: pg_restore ended with exit status: 1"), "{text}");
    for missing in ["nowhere.dump", "empty"] {
        let (code, _, text) = rehearse(&site, &["--base-dump", missing]).await;
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(missing), "{text}");
    }
    let (code, _, text) = rehearse(&site, &["--base-dump", "broken.dump", "--template", "shop"]).await;
    assert_eq!(code, 2, "{text}");
}

/// A release of one statement, on rows.
fn small(statement: &str, more: &[(&str, &str)]) -> Site {
    let base = "CREATE TABLE t (id bigint PRIMARY KEY, v text);";
    let release = format!("-- cutover: after blue is gone\n{statement};");
    Site::new(&[&[("m/V1__base.sql", base), ("m/V2__release.sql", &release)], more].concat())
}

/// Rows that would be missing without a word.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_rows_would_not_be_there_is_refused() {
    let not_null = "ALTER TABLE t ALTER COLUMN v SET NOT NULL";
    let seeds = [
        (
            "begin; insert into t values (1, null);",
            "bad.sql: this seed fails on the throwaway server: it leaves a transaction open",
        ),
        (
            "insert into t values (1, 'a');\n\\i more.sql\n",
            "bad.sql:2:1: this seed fails on the throwaway server: \\i is a command of psql",
        ),
        ("\\copy t from x.csv csv\n", "\\copy is a command of psql"),
        ("begin; insert into t values (1, null); select 1/0;", "division by zero"),
    ];
    for (seed, says) in seeds {
        let site = small(not_null, &[("bad.sql", seed)]);
        let (code, _, text) = rehearse(&site, &["--seed", "bad.sql"]).await;
        assert_eq!(code, 2, "{seed}: {text}");
        assert!(text.contains(says), "no {says:?} in {text}");
    }
    let harmless = "\\set ON_ERROR_STOP on\n\\echo rows\nbegin; insert into t values (1, 'a'); commit;\n";
    let site = small(
        not_null,
        &[("good.sql", harmless), ("empty.sql", ""), ("two.sql", "\\connect a\nSELECT 1;\n\\connect b\nSELECT 1;\n")],
    );
    let (code, json, text) = rehearse(&site, &["--seed", "good.sql"]).await;
    assert_eq!(code, 0, "{json:#} {text}");
    let (code, json, text) = rehearse(&site, &["--seed", "empty.sql"]).await;
    assert_eq!(code, 0, "{json:#} {text}");
    assert!(json["on_rows"]["not_shown"].to_string().contains("t has no row here"), "{json:#}");
    let (code, _, text) = rehearse(&site, &["--base-dump", "two.sql"]).await;
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains(
            "two.sql:3:1: the dump of what production has fails on the throwaway server: this begins another database"
        ),
        "{text}"
    );
}

/// What a dump or a release says of roles must not stay on a server that is somebody's.
#[tokio::test(flavor = "multi_thread")]
async fn roles_of_the_server_stay_as_they_are() {
    let database = database().await;
    let session = database.connect().await;
    session.batch_execute("CREATE ROLE rows_bob NOLOGIN").await.unwrap();
    let dump = "CREATE ROLE rows_bob; ALTER ROLE rows_bob WITH LOGIN PASSWORD 'x'; GRANT pg_read_all_data TO rows_bob;
        ALTER ROLE rows_bob SET search_path TO nowhere; CREATE ROLE rows_new; GRANT rows_new TO rows_bob;
        CREATE TABLE t (id bigint PRIMARY KEY, v text); ALTER TABLE t OWNER TO rows_new;";
    let site = small("ALTER TABLE t DROP COLUMN v", &[("all.sql", dump)]);
    let (code, json, text) = rehearse(&site, &["--base-dump", "all.sql"]).await;
    let role = "SELECT rolcanlogin OR rolconfig IS NOT NULL OR pg_has_role('rows_bob', 'pg_read_all_data', 'member'),
            EXISTS (SELECT FROM pg_roles WHERE rolname = 'rows_new') FROM pg_roles WHERE rolname = 'rows_bob'";
    let row = session.query_one(role, &[]).await.unwrap();
    assert_eq!(code, 0, "{json:#} {text}");
    assert_eq!((row.get::<_, bool>(0), row.get::<_, bool>(1)), (false, false));
    assert!(text.contains("this changes a role that the server had before, and was passed over"), "{text}");

    let site = small("ALTER ROLE rows_bob WITH LOGIN", &[]);
    let (code, _, text) = rehearse(&site, &[]).await;
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("m/V2__release.sql:2:1: this changes a role that the server has"), "{text}");
    session.batch_execute("DROP ROLE rows_bob").await.unwrap();
}

/// A copy of a database has its settings as well: a date means the same there.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_database_says_of_its_sessions_holds_in_its_copy() {
    let to_date = "ALTER TABLE t ALTER COLUMN v TYPE date USING v::date";
    let site = small(to_date, &[]);
    for (style, expected) in [("ISO, DMY", 4), ("ISO, MDY", 0)] {
        let database = crate::support::database().await;
        let name = database.target.database().to_owned();
        let session = database.connect().await;
        let make = format!(
            "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (1, '12/31/2024');
             ALTER DATABASE {name} SET datestyle = '{style}'; ALTER DATABASE {name} SET search_path = \"$user\", public"
        );
        session.batch_execute(&make).await.unwrap();
        session.close().await;
        let (code, json, text) = rehearse(&site, &["--template", &name]).await;
        assert_eq!(code, expected, "{style}: {json:#} {text}");
        // A dump that says it says it to its copy.
        let said = format!(
            "ALTER DATABASE shop SET datestyle = '{style}'; CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (1, '12/31/2024');"
        );
        let site = small(to_date, &[("shop.sql", &said)]);
        let (code, json, text) = rehearse(&site, &["--base-dump", "shop.sql"]).await;
        assert_eq!(code, expected, "{style}: {json:#} {text}");
    }
}

/// A statement that takes too long ends the run, and not the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_on_rows_has_its_limit() {
    let site = small(
        "UPDATE t SET v = (SELECT 'a' FROM pg_sleep(600)) WHERE id >= 1",
        &[("one.sql", "INSERT INTO t VALUES (1, 'b')")],
    );
    let (code, json, text) = rehearse(&site, &["--seed", "one.sql", "--time-limit", "2s"]).await;
    assert_eq!(code, 4, "{json:#} {text}");
    assert!(json["on_rows"]["failure"]["message"].as_str().unwrap().contains("longer than 2 s"), "{json:#}");
}

/// A trigger of a copy must not write into a database that is somebody's.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_does_not_reach_what_is_outside() {
    let far = database().await;
    far.connect().await.batch_execute("CREATE TABLE far (v text); INSERT INTO far VALUES ('as it was')").await.unwrap();
    let near = database().await;
    let session = near.connect().await;
    if session.batch_execute("CREATE EXTENSION postgres_fdw").await.is_err() {
        return eprintln!("this PostgreSQL is without its contrib modules: foreign tables are not tested");
    }
    let variables = far.target.variables();
    let of = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()).unwrap();
    let make = format!(
        "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{}', port '{}', dbname '{}');
         CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user '{}', password 'x');
         CREATE FOREIGN TABLE f (v text) SERVER far OPTIONS (table_name 'far');
         CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a');
         CREATE FUNCTION reach() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE f SET v = 'WRITTEN'; RETURN NEW; END $$;
         CREATE TRIGGER reach BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION reach();",
        of("PGHOST"), of("PGPORT"), of("PGDATABASE"), of("PGUSER")
    );
    session.batch_execute(&make).await.unwrap();
    session.batch_execute("SELECT * FROM f").await.unwrap();
    session.close().await;
    let site = small("UPDATE t SET v = 'z' WHERE id >= 1", &[]);
    let (code, json, text) = rehearse(&site, &["--template", near.target.database()]).await;
    let row = far.connect().await.query_one("SELECT v FROM far", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "as it was");
    assert_eq!(code, 4, "{json:#} {text}");
    assert!(text.contains("what leads to the foreign server far was taken from the copy"), "{text}");
    assert!(json["on_rows"]["failure"]["message"].as_str().unwrap().contains("user mapping"), "{json:#}");
}
