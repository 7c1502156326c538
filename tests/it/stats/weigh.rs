//! Plans and findings by the figures.

use std::path::Path;

use cutover::plan::saved::SavedPlan;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{run, statement, statistics, table};
use crate::support;

const BASE: &str = "CREATE TABLE users (id bigint PRIMARY KEY, email text);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, status text, total int);
CREATE TABLE kinds (id bigint PRIMARY KEY, name text);
CREATE TABLE parts (id bigint, at date) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
";

fn shop() -> Value {
    let mut parts = [table("parts", 0, 0), table("parts_1", 9_000, 50_000_000)];
    parts[0]["kind"] = json!("partitioned");
    parts[0]["rows"] = json!(null);
    parts[1]["parent"] = json!({ "schema": "public", "name": "parts" });
    let [parts, parts_1] = parts;
    statistics(
        &[
            table("users", 2_000, 8_000_000),
            table("orders", 400_000, 892_000_000),
            table("kinds", 0, 12),
            parts,
            parts_1,
        ],
        &[
            statement("SELECT * FROM orders WHERE user_id = $1", 135.0, &[("orders", "read")]),
            statement("INSERT INTO orders VALUES ($1)", 80.0, &[("orders", "write"), ("users", "lock-rows")]),
            statement("SELECT * FROM parts WHERE at = $1", 3.0, &[("parts", "read")]),
            statement("SELECT name FROM kinds", 0.001, &[("kinds", "read")]),
        ],
    )
}

/// A folder with a release and statistics.
fn folder(pending: &str, stats: &Value, toml: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| std::fs::write(directory.path().join(path), text).unwrap();
    std::fs::create_dir(directory.path().join("m")).unwrap();
    write("m/V1__base.sql", BASE);
    write("m/V2__release.sql", pending);
    write("m/cutover.toml", toml);
    write("stats.json", &serde_json::to_string(stats).unwrap());
    directory
}

fn of(directory: &Path, args: &str) -> String {
    support::transcript(&run(directory, &args.split(' ').collect::<Vec<_>>()))
}

/// What the plan says of the load of each step.
fn loads(pending: &str, stats: &Value) -> String {
    let directory = folder(pending, stats, "");
    let output = run(directory.path(), &["plan", "m", "--from", "1", "--stats", "stats.json", "--format", "json"]);
    let plan = SavedPlan::from_json(&String::from_utf8(output.stdout).unwrap()).unwrap();
    let lines = plan.steps.iter().map(|step| {
        let lines = step.load.as_ref().map_or_else(|| vec!["-".to_owned()], cutover::stats::Load::lines);
        format!("{} {}\n{}", step.action, step.object, lines.iter().map(|l| format!("  {l}\n")).collect::<String>())
    });
    lines.collect()
}

/// Severity and name of the findings.
fn findings(pending: &str, stats: &Value, toml: &str, args: &str) -> String {
    let directory = folder(pending, stats, toml);
    let args = format!("lint m --from 1 --format json {args}");
    let output = run(directory.path(), &args.trim_end().split(' ').collect::<Vec<_>>());
    let document: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", support::transcript(&output)));
    let one = |f: &Value| format!("{} {}", f["severity"].as_str().unwrap(), f["name"].as_str().unwrap());
    let found: Vec<_> = document["findings"].as_array().unwrap().iter().map(one).collect();
    format!("exit {}: {}", support::exit(&output), found.join(", "))
}

#[test]
fn each_step_of_a_plan_has_its_load() {
    let pending = "ALTER TABLE orders ADD COLUMN note text;
CREATE INDEX CONCURRENTLY orders_total ON orders (total);
CREATE INDEX orders_status ON orders (status);
CREATE TABLE fresh (id int);
CREATE INDEX ON fresh (id);
ALTER TABLE kinds ADD COLUMN n uuid DEFAULT gen_random_uuid();
ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users;
UPDATE kinds SET name = 'x';
ALTER TABLE parts ADD CHECK (id > 0);
";
    assert_snapshot!(loads(pending, &shop()), @r"
    ADD COLUMN text orders.note
      orders: 400 GB (measured), 892M rows (estimated); ACCESS EXCLUSIVE for 1 ms to 100 ms (assumed; a change of the catalog alone), after waiting up to 12 s (measured)
      215/s wait behind it for orders (measured), 0 to 2601 in all (assumed); the server takes 100 connections: 135/s `SELECT * FROM orders WHERE user_id = $1` · 80/s `INSERT INTO orders VALUES ($1)`
    CREATE INDEX CONCURRENTLY on orders orders_total
      orders: 400 GB (measured), 892M rows (estimated); SHARE UPDATE EXCLUSIVE for 2 min to 7.4 h (estimated; index at 30 to 2300 MB/s assumed)
    CREATE INDEX on orders orders_status
      orders: 400 GB (measured), 892M rows (estimated); SHARE for 2 min to 3.7 h (estimated; index at 30 to 2300 MB/s assumed), after waiting up to 12 s (measured)
      80/s wait behind it for orders (measured), 13k to 1.0M in all (estimated); the server takes 100 connections: 80/s `INSERT INTO orders VALUES ($1)`
    CREATE TABLE fresh
      -
    CREATE INDEX on fresh fresh
      -
    ADD COLUMN uuid kinds.n
      kinds: 0 B (measured), 12 rows (estimated); ACCESS EXCLUSIVE for 1 ms to 100 ms (estimated; rewrite at 20 to 360 MB/s assumed), after waiting up to 12 s (measured)
      4/h wait behind it for kinds (measured), 0 in all (estimated): 4/h `SELECT name FROM kinds`
    UPDATE kinds.name
      kinds: 0 B (measured), 12 rows (estimated); ROW EXCLUSIVE for 1 ms to 100 ms (estimated; rewrite at 20 to 360 MB/s assumed)
    ADD FOREIGN KEY (user_id) to users orders.f
      orders: 400 GB (measured), 892M rows (estimated); SHARE ROW EXCLUSIVE for 88 s to 67 min (estimated; scan at 100 to 4500 MB/s assumed), after waiting up to 12 s (measured)
      80/s wait behind it for orders (measured), 7111 to 322k in all (estimated); the server takes 100 connections: 80/s `INSERT INTO orders VALUES ($1)`
      users: 2.0 GB (measured), 8.0M rows (estimated); SHARE ROW EXCLUSIVE for as long, after waiting up to 12 s (measured)
      nothing is seen to wait behind it for users (measured)
    ADD CHECK parts
      parts: 9.0 GB (measured), 50M rows (estimated); ACCESS EXCLUSIVE for 2.0 s to 90 s (estimated; scan at 100 to 4500 MB/s assumed), after waiting up to 12 s (measured)
      3/s wait behind it for parts (measured), 6 to 306 in all (estimated); the server takes 100 connections: 3/s `SELECT * FROM parts WHERE at = $1`
    ");
}

#[test]
fn the_plan_shows_it() {
    let directory = folder("CREATE INDEX orders_status ON orders (status);\n", &shop(), "");
    assert_snapshot!(of(directory.path(), "plan m --from 1 --stats stats.json"), @"
    exit 0
    --- stdout
    cutover plan: 1 migration (2), 1 step, on top of 1

      Before cutover                                      blue keeps working, green can start
        +   1  orders_status  CREATE INDEX on orders  2:1  SHARE, builds an index
                 no version notices
                 orders: 400 GB (measured), 892M rows (estimated); SHARE for 2 min to 3.7 h (estimated; index at 30 to 2300 MB/s assumed), after waiting up to 12 s (measured)
                 80/s wait behind it for orders (measured), 13k to 1.0M in all (estimated); the server takes 100 connections: 80/s `INSERT INTO orders VALUES ($1)`

      Cutover: traffic moves from blue to green, blue drains

      After cutover                                       blue is gone
        (nothing)

    Plan: 1 before, 0 after. 1 additive (+).
    A step's locks outlive its statements by 10 s at most, whatever happens to cutover or the network.
    Safe. Both versions work on every schema in between; 1 warning.
    If your applications run their migrations when they start:
      blue stops if it starts again once the history has 2, a version that its files lack; `Runner::set_abort_missing(false)` lets it start (refinery)
    --- stderr
    CO403 blocking-index-build

      ⚠ CREATE INDEX on orders (orders_status) builds an index under a lock (SHARE) that blocks writers; orders: 400 GB
      │ (measured), 892M rows (estimated); SHARE for 2 min to 3.7 h (estimated; index at 30 to 2300 MB/s assumed), after
      │ waiting up to 12 s (measured); 80/s wait behind it for orders (measured), 13k to 1.0M in all (estimated); the
      │ server takes 100 connections: 80/s `INSERT INTO orders VALUES ($1)`
       ╭─[m/V2__release.sql:1:1]
     1 │ CREATE INDEX orders_status ON orders (status);
       · ─────────────────────────────────────────────
       ╰────
      help: CREATE INDEX CONCURRENTLY lets writers go on; cutover runs it outside a transaction
    ");
}

const INDEX: &str = "CREATE INDEX i ON orders (status);\n";
const SMALL: &str = "ALTER TABLE kinds ADD CHECK (id > 0);\n";

#[test]
fn severity_follows_the_figures() {
    let check = |pending: &str, toml: &str, args: &str, expected: &str| {
        assert_eq!(findings(pending, &shop(), toml, args), expected, "{pending} {toml} {args}");
    };
    // Without figures, every scan is a warning.
    check(SMALL, "", "", "exit 0: warning blocking-scan");
    check(SMALL, "", "--stats stats.json", "exit 0: info blocking-scan");
    check(INDEX, "", "--stats stats.json", "exit 0: warning blocking-index-build");
    check(INDEX, "[stats]\nfile = \"../stats.json\"\nerror-seconds = 3600\n", "", "exit 1: error blocking-index-build");
    check(
        INDEX,
        "[stats]\nfile = \"../stats.json\"\nwarning-seconds = 100000\n",
        "",
        "exit 0: info blocking-index-build",
    );
    check(
        INDEX,
        "[stats]\nwarning-seconds = 20\nthroughput.index = [40000, 50000]\n",
        "--stats stats.json",
        "exit 0: info blocking-index-build",
    );
    // What a team raises is not what the figures make light.
    let raised = "[lint.rules]\nblocking-scan = \"error\"\n";
    check(SMALL, raised, "", "exit 1: error blocking-scan");
    check(SMALL, raised, "--stats stats.json", "exit 0: info blocking-scan");
    check(SMALL, "[lint.rules]\nblocking-scan = \"allow\"\n", "--stats stats.json", "exit 0: ");
    // What an author allows is still of use.
    check(&format!("-- cutover: allow(blocking-scan) twelve rows\n{SMALL}"), "", "--stats stats.json", "exit 0: ");
}

/// Rows that are changed for long in one transaction can be changed some at a time, by a word of the author's; small tables need none.
#[test]
fn rows_that_are_changed_for_long_are_told() {
    let check = |pending: &str, args: &str, expected: bool| {
        let found = findings(pending, &shop(), "", args);
        assert_eq!(found.contains("warning rows-in-one-transaction"), expected, "{pending} {args}: {found}");
    };
    let long = "UPDATE orders SET status = lower(status);\n";
    check(long, "", false);
    check(long, "--stats stats.json", true);
    check(&format!("-- cutover: backfill\n{long}"), "--stats stats.json", false);
    check("UPDATE kinds SET name = lower(name);\n", "--stats stats.json", false);
    let allowed = format!("-- cutover: allow(rows-in-one-transaction) at night\n{long}");
    check(&allowed, "--stats stats.json", false);
    let said = |pending: &str| of(folder(pending, &shop(), "").path(), "lint m --from 1 --stats stats.json");
    let one = said(long);
    assert!(one.contains("put `-- cutover: backfill` above it"), "{one}");
    let other = said("UPDATE orders SET id = id + 1;\n");
    assert!(other.contains("it cannot be taken some rows at a time as it is: it changes id"), "{other}");
}

#[test]
fn a_plan_is_refused_where_the_team_says_so() {
    let toml = "[stats]\nfile = \"../stats.json\"\nerror-seconds = 3600\n";
    let directory = folder(INDEX, &shop(), toml);
    let text = of(directory.path(), "plan m --from 1");
    assert!(text.contains("exit 1") && text.contains("Not safe. 1 error"), "{text}");
}

#[test]
fn what_is_not_to_be_trusted_makes_nothing_light() {
    let check = |change: &dyn Fn(&mut Value), args: &str, doubt: &str| {
        let mut stats = shop();
        change(&mut stats);
        assert_eq!(
            findings(SMALL, &stats, "", &format!("--stats stats.json {args}")),
            "exit 0: warning blocking-scan",
            "{doubt}"
        );
        let text =
            of(folder(SMALL, &stats, "").path(), format!("lint m --from 1 --stats stats.json {args}").trim_end());
        let text = text.replace("\n  │", "");
        assert!(text.contains(&format!("assumed: {doubt}")), "{text}");
    };
    check(
        &|s| s["measured_at"] = json!("2020-01-01T00:00:00Z"),
        "",
        "the statistics are of 2020-01-01T00:00:00Z, more than 7 days old",
    );
    check(
        &|s| s["measured_at"] = json!("2999-01-01T00:00:00Z"),
        "",
        "the statistics are of 2999-01-01T00:00:00Z, which is in the future",
    );
    check(
        &|s| s["measured_at"] = json!("yesterday"),
        "",
        "when the statistics were measured cannot be read from \"yesterday\"",
    );
    check(&|_| (), "--pg-version 16", "the statistics are of PostgreSQL 15, and production runs PostgreSQL 16");
    check(&|s| drop(s["tables"].as_array_mut().unwrap().remove(2)), "", "kinds is not in the statistics");
}

#[test]
fn who_waits_is_never_taken_for_nobody() {
    let orders = "CREATE INDEX i ON orders (status);\n";
    let check = |change: &dyn Fn(&mut Value)| {
        let mut stats = shop();
        change(&mut stats);
        loads(orders, &stats)
    };
    // A statement that could not be read is taken to write all that it mentions.
    assert_snapshot!(check(&|s| s["statements"]["list"][1]["read"] = json!(false)), @r"
    CREATE INDEX on orders i
      orders: 400 GB (measured), 892M rows (estimated); SHARE for 2 min to 3.7 h (estimated; index at 30 to 2300 MB/s assumed), after waiting up to 12 s (measured)
      80/s wait behind it for orders (assumed), 13k to 1.0M in all (assumed); the server takes 100 connections: 80/s `INSERT INTO orders VALUES ($1)`
    ");
    // Statements that the role could not see.
    assert_snapshot!(check(&|s| s["statements"]["others"] = json!({ "statements of other roles": 50.0 })), @r"
    CREATE INDEX on orders i
      orders: 400 GB (measured), 892M rows (estimated); SHARE for 2 min to 3.7 h (estimated; index at 30 to 2300 MB/s assumed), after waiting up to 12 s (measured)
      80/s wait behind it for orders (measured; pg_stat_statements, with 50/s more of unknown tables), 13k to 1.0M in all (estimated); the server takes 100 connections: 80/s `INSERT INTO orders VALUES ($1)`
    ");
    // Without pg_stat_statements, the counters of tables.
    assert_snapshot!(check(&|s| {
        s["statements"] = json!(null);
        s["tables"][1]["activity"] = json!({
            "seconds": 1000.0, "basis": "measured", "inserts": 10.0, "updates": 20.0, "deletes": 30.0,
            "sequential_scans": 5.0, "index_scans": 600.0,
        });
    }), @r"
    CREATE INDEX on orders i
      orders: 400 GB (measured), 892M rows (estimated); SHARE for 2 min to 3.7 h (estimated; index at 30 to 2300 MB/s assumed), after waiting up to 12 s (estimated)
      60/s wait behind it for orders (estimated; rows written and scans, from pg_stat_user_tables), 10k to 800k in all (estimated); the server takes 100 connections
    ");
    // Without anything.
    assert_snapshot!(check(&|s| {
        s["statements"] = json!(null);
        s["transactions"] = json!(null);
    }), @r"
    CREATE INDEX on orders i
      orders: 400 GB (measured), 892M rows (estimated); SHARE for 2 min to 3.7 h (estimated; index at 30 to 2300 MB/s assumed), after waiting for it (assumed; no transaction could be seen)
      who waits behind it for orders is not known (neither statements nor the use of tables are counted)
    ");
    // Autovacuum against wraparound does not make way.
    assert_snapshot!(check(&|s| s["transactions"]["wraparound"] = json!([{ "schema": "public", "name": "orders" }])), @r"
    CREATE INDEX on orders i
      orders: 400 GB (measured), 892M rows (estimated); SHARE for 2 min to 3.7 h (estimated; index at 30 to 2300 MB/s assumed), after waiting for it (measured; autovacuum works on orders to prevent wraparound and does not make way)
      80/s wait behind it for orders (measured), 13k or more in all (estimated); the server takes 100 connections: 80/s `INSERT INTO orders VALUES ($1)`
    ");
}

#[test]
fn rows_that_a_constraint_will_not_take() {
    let mut stats = shop();
    stats["tables"][0]["columns"] = json!([{ "name": "email", "null_fraction": 0.05, "distinct": 950.0 }]);
    let pending =
        "ALTER TABLE users ALTER COLUMN email SET NOT NULL;\nALTER TABLE users ADD CONSTRAINT u UNIQUE (email);\n";
    let text = loads(pending, &stats);
    let expected: Vec<_> = text.lines().filter(|line| line.contains("expected to fail")).collect();
    assert_eq!(
        findings(pending, &stats, "[stats]\nwarning-seconds = 1e6\n", "--stats stats.json")
            .matches("warning block")
            .count(),
        2
    );
    assert_eq!(
        expected,
        [
            "  this is expected to fail: users.email is NULL in 5.0 % of the rows (estimated)",
            "  this is expected to fail: users.email has 950 different values in 8.0M rows (estimated)",
        ]
    );
}

#[test]
fn every_format_has_the_figures() {
    let directory = folder(INDEX, &shop(), "");
    for format in ["text", "json", "sarif", "github", "gitlab", "junit", "markdown"] {
        let text = of(directory.path(), &format!("lint m --from 1 --stats stats.json --format {format}"));
        // Whatever a format escapes or wraps.
        let text = text.replace("\n  │", "");
        for part in ["400 GB (measured)", "892M rows (estimated)", "MB/s assumed", "80/s wait behind it"] {
            assert!(text.contains(part), "{format}: {part}: {text}");
        }
    }
}

#[test]
fn files_that_are_no_statistics() {
    let good = serde_json::to_string_pretty(&shop()).unwrap();
    let said = |text: &str| {
        let directory = folder(INDEX, &shop(), "");
        std::fs::write(directory.path().join("stats.json"), text).unwrap();
        of(directory.path(), "plan m --from 1 --stats stats.json")
    };
    assert_snapshot!(said(&good[..500]), @r"
    exit 2
    --- stderr
    error: stats.json: not statistics of cutover: EOF while parsing an object at line 24 column 8
      help: write it again: cutover stats --database URL -o stats.json
    ");
    assert_snapshot!(said(&good.replace("\"format_version\": \"1.0\"", "\"format_version\": \"2.0\"")), @r"
    exit 2
    --- stderr
    error: stats.json: the statistics have format version 2.0, this cutover reads 1.0
      help: write it again: cutover stats --database URL -o stats.json
    ");
    let newer = good.replace("\"format_version\": \"1.0\"", "\"format_version\": \"1.7\"");
    assert!(said(&newer).starts_with("exit 0"));
    assert_snapshot!(said(&newer.replace("\"standby\"", "\"stand_by\"")), @r"
    exit 2
    --- stderr
    error: stats.json: the statistics have format version 1.7, this cutover reads 1.0
      help: write it again: cutover stats --database URL -o stats.json
    ");
    assert_snapshot!(said(&good.replace("\"rows\"", "\"rowz\"")), @r"
    exit 2
    --- stderr
    error: stats.json: not statistics of cutover: tables[0].rowz: unknown field `rowz`, expected one of `table`, `kind`, `parent`, `bytes`, `rows`, `indexes`, `columns`, `activity` at line 21 column 12
      help: write it again: cutover stats --database URL -o stats.json
    ");
    assert_snapshot!(said(&good.replace("\"heap\": 2000000000", "\"heap\": -1")), @r"
    exit 2
    --- stderr
    error: stats.json: not statistics of cutover: tables[0].bytes.heap: invalid value: integer `-1`, expected u64 at line 17 column 18
      help: write it again: cutover stats --database URL -o stats.json
    ");
    let directory = folder(INDEX, &shop(), "");
    assert_snapshot!(of(directory.path(), "lint m --from 1 --stats none.json"), @r"
    exit 2
    --- stderr
    error: failed to open file `none.json`: No such file or directory (os error 2)
      help: write it again: cutover stats --database URL -o none.json
    ");
}

#[test]
fn the_plan_s_json_is_what_its_schema_says() {
    let directory = folder(INDEX, &shop(), "");
    let json = |args: &[&str]| serde_json::from_slice::<Value>(&run(directory.path(), args).stdout).unwrap();
    let plan = json(&["plan", "m", "--from", "1", "--stats", "stats.json", "--format", "json"]);
    let validator = jsonschema::validator_for(&json(&["schema", "plan"])).unwrap();
    let errors: Vec<_> = validator.iter_errors(&plan).map(|e| e.to_string()).collect();
    assert_eq!(errors, [""; 0]);
    let load = &plan["steps"][0]["load"];
    assert_eq!(load["held"]["basis"], "estimated");
    assert_eq!(load["tables"][0]["bytes"], json!({ "value": 400_000_000_000_u64, "basis": "measured" }));
    assert_eq!(
        load["tables"][0]["blocked"]["statements"][0]["calls_per_hour"],
        json!({ "value": 288_000, "basis": "measured" })
    );
}

#[test]
fn without_statistics_nothing_changes() {
    let directory = folder(INDEX, &shop(), "");
    let plan = of(directory.path(), "plan m --from 1 --format json");
    assert!(!plan.contains("\"load\""), "{plan}");
}
