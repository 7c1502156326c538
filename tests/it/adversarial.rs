//! Releases that look harmless and are not, and the other way round: what the plan says, and, where it says safe, whether the server
//! agrees.

use camino::Utf8PathBuf;
use cutover::migrations::{Convention, Folder, Pending};
use cutover::plan::saved::{Phase, Verdict};
use cutover::workload::Workload;

use crate::support::{self, Order, Release, play};

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, a int, b text, c int NOT NULL DEFAULT 0);";

/// `before X`, `after X`: a step with X in its text stands there; `refused CODE`: the plan is.
type Expected<'a> = &'a [&'a str];

fn release(base: &str, files: &[&str], blue: &[&str], green: &[&str]) -> Release {
    let base = (Utf8PathBuf::from("base.sql"), base.to_owned());
    let files = files.iter().enumerate().map(|(i, f)| (Utf8PathBuf::from(format!("r{i}.sql")), (*f).to_owned()));
    let folder = Folder::from_files(Convention::Plain, std::iter::once(base).chain(files)).unwrap();
    let (applied, rest) = folder.migrations.split_at(1);
    let pending = Pending { applied: applied.to_vec(), pending: rest.to_vec() };
    let workload = |queries: &[&str]| {
        let named = queries.iter().enumerate().map(|(i, q)| (format!("q{i}.sql"), (*q).to_owned()));
        Workload::from_texts(named.collect::<Vec<_>>()).0
    };
    Release { folder, pending, blue: workload(blue), green: workload(green), left_out: Vec::new() }
}

async fn check(base: &str, files: &[&str], blue: &[&str], green: &[&str], expected: Expected<'_>) {
    let release = release(base, files, blue, green);
    let planned = release.plan();
    let plan = &planned.plan;
    let mut shown = String::new();
    for step in &plan.steps {
        let sql: Vec<_> = step.statements().iter().map(|s| s.sql.as_str()).collect();
        shown.push_str(&format!("{:?} {}\n", step.phase, sql.join("; ")));
    }
    for finding in plan.findings.iter().filter(|f| f.severity == cutover::diagnostic::Severity::Error) {
        shown.push_str(&format!("{} {}\n", finding.code, finding.message));
    }
    for line in expected {
        let (word, text) = line.split_once(' ').unwrap();
        let at =
            |phase| plan.steps.iter().any(|s| s.phase == phase && s.statements().iter().any(|s| s.sql.contains(text)));
        let holds = match word {
            "before" => at(Phase::Before),
            "after" => at(Phase::After),
            _ => plan.findings.iter().any(|f| f.severity == cutover::diagnostic::Severity::Error && f.code == text),
        };
        assert!(holds, "not `{line}`:\n{shown}");
    }
    let refused = expected.iter().any(|line| line.starts_with("refused"));
    assert_eq!(plan.verdict == Verdict::Unsafe, refused, "{shown}");
    if refused {
        return;
    }
    let run = async |order: Order<'_>| {
        let session = support::database().await.connect().await;
        session.batch_execute(base).await.unwrap();
        play(&session, &release, &order).await
    };
    let (run, straight) = (run(Order::Planned(plan)).await, run(Order::Straight).await);
    assert_eq!((&straight.failed, &run.failed), (&None, &None), "{shown}");
    assert!(run.breaks.is_empty(), "{:#?}\n{shown}", run.breaks);
    let differences = straight.last.unwrap().differences(&run.last.unwrap());
    assert!(differences.is_empty(), "{differences:#?}\n{shown}");
}

#[tokio::test]
async fn what_is_made_again_does_not_hold_what_it_held() {
    let reads: &[&str] = &["SELECT a FROM t"];
    check(T, &["ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN a int;"], reads, reads, &["after DROP COLUMN a"])
        .await;
    check(T, &["ALTER TABLE t DROP COLUMN a, ADD COLUMN a int;"], reads, reads, &["after DROP COLUMN a"]).await;
    check(T, &[&format!("DROP TABLE t; {T}")], reads, reads, &["after DROP TABLE t"]).await;
    // Nobody reads it: nothing is lost by doing it early, and nothing is won.
    check(T, &[&format!("DROP TABLE t; {T}")], &["SELECT 1"], reads, &["after DROP TABLE t"]).await;
    let swap =
        "ALTER TABLE t RENAME COLUMN a TO x; ALTER TABLE t RENAME COLUMN c TO a; ALTER TABLE t RENAME COLUMN x TO c;";
    check(T, &[swap], reads, reads, &["refused CO102"]).await;
    let (away, over) = ("ALTER TABLE t RENAME COLUMN a TO x;", "ALTER TABLE t RENAME COLUMN c TO a;");
    check(T, &[away, over], reads, reads, &["refused CO103"]).await;
    // In two files they are two transactions, and green meets the schema between them.
    let files: &[&str] = &["ALTER TABLE t DROP COLUMN a;", "ALTER TABLE t ADD COLUMN a int;"];
    check(T, files, reads, reads, &["refused CO203"]).await;
    // A view keeps the old name alive: the values are the same.
    let kept = "ALTER TABLE t RENAME TO t2; CREATE VIEW t AS SELECT id, a, b, c FROM t2;";
    check(
        T,
        &[kept],
        &["SELECT a FROM t", "INSERT INTO t (id) VALUES ($1)"],
        &["SELECT a FROM t2"],
        &["before RENAME TO t2"],
    )
    .await;
}

#[tokio::test]
async fn a_constraint_of_the_same_name_can_mean_something_else() {
    let writes: &[&str] = &["INSERT INTO t (id, a) VALUES ($1, $2)"];
    let base = &format!("{T} ALTER TABLE t ADD CONSTRAINT k CHECK (a < 100);");
    check(
        base,
        &["ALTER TABLE t DROP CONSTRAINT k; ALTER TABLE t ADD CONSTRAINT k CHECK (a < 10);"],
        writes,
        writes,
        &["after CHECK (a < 10)"],
    )
    .await;
    check(
        base,
        &["ALTER TABLE t DROP CONSTRAINT k, ADD CONSTRAINT k CHECK (a < 10);"],
        writes,
        writes,
        &["after CHECK (a < 10)"],
    )
    .await;
    let base = &format!(
        "{T} CREATE TABLE p (id int PRIMARY KEY); ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES p ON DELETE CASCADE;"
    );
    let tighter = "ALTER TABLE t DROP CONSTRAINT k; ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES p;";
    check(base, &[tighter], &["DELETE FROM p WHERE id = $1"], &["SELECT 1"], &["after ADD CONSTRAINT k"]).await;
}

#[tokio::test]
async fn an_atomic_group_takes_along_what_needs_it() {
    let base = &format!("{T} CREATE VIEW v AS SELECT id, a FROM t;");
    let file = "DROP VIEW v; ALTER TABLE t DROP COLUMN a; CREATE VIEW v AS SELECT id FROM t;";
    check(base, &[file], &["SELECT id FROM v"], &["SELECT id FROM v"], &["after DROP COLUMN a"]).await;
}

#[tokio::test]
async fn names_are_found_where_the_session_looks() {
    let base = &format!("{T} CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY, z int);");
    let file =
        "SET search_path = s; ALTER TABLE t DROP COLUMN z; SET search_path = public; ALTER TABLE t ADD COLUMN z int;";
    check(base, &[file], &["SELECT z FROM s.t"], &["SELECT z FROM t"], &["before ADD COLUMN z", "after DROP COLUMN z"])
        .await;
    let base = &format!("{T} CREATE TABLE \"T\" (\"Id\" int PRIMARY KEY, \"A\" int);");
    check(
        base,
        &["ALTER TABLE public.\"T\" DROP COLUMN \"A\";"],
        &["SELECT \"A\" FROM \"T\""],
        &["SELECT a FROM t"],
        &["after DROP COLUMN"],
    )
    .await;
    check(
        "CREATE SEQUENCE s;",
        &["ALTER SEQUENCE s RENAME TO s2;"],
        &["SELECT nextval('s')"],
        &["SELECT nextval('s2')"],
        &["refused CO102"],
    )
    .await;
}

#[tokio::test]
async fn children_follow_their_parent() {
    let base = "CREATE TABLE p (id int, d date, a int) PARTITION BY RANGE (d);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');";
    check(
        base,
        &["ALTER TABLE p RENAME COLUMN a TO b;"],
        &["SELECT a FROM p1"],
        &["SELECT b FROM p"],
        &["refused CO102"],
    )
    .await;
    check(
        base,
        &["ALTER TABLE p ALTER COLUMN a SET NOT NULL;"],
        &["INSERT INTO p1 (id, d) VALUES ($1, $2)"],
        &["SELECT 1"],
        &["after SET NOT NULL"],
    )
    .await;
    check(
        base,
        &["DROP TABLE p1;"],
        &["INSERT INTO p (id, d) VALUES ($1, $2)"],
        &["SELECT 1"],
        &["after DROP TABLE p1"],
    )
    .await;
    let base = "CREATE TABLE p (id int, d date) PARTITION BY RANGE (d); CREATE TABLE p1 (id int, d date);";
    let attach = "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');";
    check(base, &[attach], &["INSERT INTO p1 (id, d) VALUES ($1, $2)"], &["SELECT 1"], &["after ATTACH"]).await;
    let base = "CREATE TABLE p (id int, a int); CREATE TABLE c (x int) INHERITS (p);";
    check(
        base,
        &["ALTER TABLE p DROP COLUMN a;"],
        &["SELECT a FROM c"],
        &["SELECT id FROM p"],
        &["after DROP COLUMN a"],
    )
    .await;
}

#[tokio::test]
async fn columns_are_handed_on_by_with_queries() {
    let blue = &["WITH u AS (UPDATE t SET b = $1 RETURNING *) SELECT u.a FROM u"];
    check(T, &["ALTER TABLE t RENAME COLUMN a TO z;"], blue, &["SELECT z FROM t"], &["refused CO102"]).await;
    let blue = &["WITH u AS (UPDATE t SET b = $1 RETURNING id AS a) SELECT u.a FROM u"];
    check(T, &["ALTER TABLE t RENAME COLUMN a TO z;"], blue, &["SELECT z FROM t"], &["before RENAME COLUMN"]).await;
}

#[tokio::test]
async fn a_star_that_fills_another_table_counts_columns() {
    let base = &format!("{T} CREATE TABLE archive (LIKE t);");
    let blue: &[&str] = &["WITH d AS (DELETE FROM t RETURNING *) INSERT INTO archive SELECT * FROM d"];
    let add = "ALTER TABLE t ADD COLUMN z int;";
    check(base, &[add], blue, &["SELECT 1"], &["after ADD COLUMN z"]).await;
    check(base, &[add], blue, &["SELECT z FROM t"], &["refused CO102"]).await;
    check(base, &["ALTER TABLE archive ADD COLUMN z int;"], blue, &["SELECT z FROM archive"], &["before ADD COLUMN z"])
        .await;
    // Green is there when both lose the column, one after the other.
    let drop = "ALTER TABLE t DROP COLUMN a; ALTER TABLE archive DROP COLUMN a;";
    check(base, &[drop], &["SELECT a FROM t"], blue, &["refused CO203"]).await;
    check(base, &[add], &["SELECT * FROM t UNION ALL SELECT * FROM archive"], &["SELECT 1"], &["after ADD COLUMN z"])
        .await;
}

#[tokio::test]
async fn a_bare_name_means_the_table_that_has_it() {
    let base = &format!("{T} CREATE TABLE u (id int PRIMARY KEY, a int);");
    // What `*` returns at green's home has no `a`.
    let green: &[&str] = &["SELECT * FROM t"];
    check(base, &["ALTER TABLE t DROP COLUMN a;"], &["SELECT 1"], green, &["after DROP COLUMN a"]).await;
    let base = "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE u (tid int);";
    // Inside a subquery it is looked up there first, though t has it as well.
    let both = "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE u (tid int, a int);";
    let inside: &[&str] = &["SELECT id, (SELECT a FROM u WHERE tid = t.id) FROM t"];
    check(both, &["ALTER TABLE t RENAME COLUMN a TO z;"], inside, &["SELECT z FROM t"], &["before RENAME"]).await;
    let lateral: &[&str] = &["SELECT u.a FROM t LEFT JOIN LATERAL (SELECT * FROM u WHERE tid = t.id) AS u ON true"];
    let file = "ALTER TABLE u ADD COLUMN a int; ALTER TABLE t DROP COLUMN a;";
    check(base, &[file], &["SELECT t.a FROM t"], lateral, &["before ADD COLUMN a", "after DROP COLUMN a"]).await;
    check(
        base,
        &[file],
        &["SELECT t.a FROM t"],
        &["SELECT u.a FROM t JOIN u ON tid = id"],
        &["before ADD COLUMN a", "after DROP COLUMN a"],
    )
    .await;
}

#[tokio::test]
async fn a_new_column_can_make_a_bare_name_ambiguous() {
    let base = &format!("{T} CREATE TABLE u (tid int);");
    let blue: &[&str] = &["SELECT a FROM t JOIN u ON tid = id"];
    let add = "ALTER TABLE u ADD COLUMN a int;";
    check(base, &[add], blue, &["SELECT 1"], &["after ADD COLUMN a"]).await;
    check(base, &[add], blue, &["SELECT u.a FROM u"], &["refused CO102"]).await;
    let apart: &[&str] = &["SELECT a FROM t WHERE id IN (SELECT tid FROM u)"];
    check(base, &[add], apart, &["SELECT u.a FROM u"], &["before ADD COLUMN a"]).await;
}

#[tokio::test]
async fn upserts_need_their_index() {
    let upsert: &[&str] = &["INSERT INTO t (id, b) VALUES ($1, $2) ON CONFLICT (lower(b)) DO NOTHING"];
    let writes: &[&str] = &["INSERT INTO t (id, b) VALUES ($1, $2)"];
    check(T, &["CREATE UNIQUE INDEX u ON t (lower(b));"], writes, upsert, &["refused CO102"]).await;
    let base = &format!("{T} CREATE UNIQUE INDEX u ON t (lower(b));");
    check(base, &["DROP INDEX u;"], upsert, writes, &["after DROP INDEX"]).await;
    check(T, &["CREATE UNIQUE INDEX CONCURRENTLY u ON t (a);"], writes, &["SELECT 1"], &["after CONCURRENTLY"]).await;
}

#[tokio::test]
async fn privileges_policies_and_triggers_can_shut_blue_out() {
    let (reads, one): (&[&str], &[&str]) = (&["SELECT a FROM t"], &["SELECT 1"]);
    check(T, &["REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM PUBLIC;"], reads, one, &["after REVOKE"]).await;
    check(T, &["REVOKE USAGE ON SCHEMA public FROM PUBLIC;"], reads, one, &["after REVOKE"]).await;
    check(
        &format!("{T} GRANT ALL ON t TO PUBLIC;"),
        &["REVOKE SELECT ON t FROM PUBLIC;"],
        reads,
        one,
        &["after REVOKE"],
    )
    .await;
    check(T, &["ALTER TABLE t ENABLE ROW LEVEL SECURITY;"], reads, one, &["after ENABLE ROW"]).await;
    let base = &format!("{T} ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (true);");
    check(base, &["DROP POLICY p ON t; CREATE POLICY p ON t USING (a > 0);"], reads, one, &["after DROP POLICY"]).await;
    let no = "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
        CREATE TRIGGER no BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION no();";
    check(T, &[no], &["INSERT INTO t (id) VALUES ($1)"], one, &["after CREATE TRIGGER"]).await;
    let base = &format!("{T} CREATE VIEW v AS SELECT id, a FROM t;");
    check(
        base,
        &["CREATE OR REPLACE VIEW v AS SELECT DISTINCT id, a FROM t;"],
        &["INSERT INTO v (id) VALUES ($1)"],
        &["SELECT a FROM v"],
        &["after REPLACE VIEW"],
    )
    .await;
}

#[tokio::test]
async fn rows_do_not_go_while_blue_has_them() {
    let (reads, upsert): (&[&str], &[&str]) =
        (&["SELECT a FROM t"], &["INSERT INTO t (id, a) VALUES ($1, $2) ON CONFLICT (a) DO NOTHING"]);
    check(T, &["DELETE FROM t; CREATE UNIQUE INDEX u ON t (a);"], reads, upsert, &["refused CO103"]).await;
    // Duplicates have to go before the index can be built: that is told, not refused.
    let some = "DELETE FROM t x USING t y WHERE x.id > y.id AND x.a = y.a; CREATE UNIQUE INDEX u ON t (a);";
    check(T, &[some], reads, upsert, &["before DELETE", "before UNIQUE INDEX"]).await;
    // The new column has no value for the rows there are.
    check(
        T,
        &["TRUNCATE t; ALTER TABLE t ADD COLUMN z int NOT NULL;"],
        reads,
        &["INSERT INTO t (id, z) VALUES ($1, $2)"],
        &["refused CO103"],
    )
    .await;
    check(
        T,
        &["TRUNCATE t; ALTER TABLE t ADD COLUMN z int;"],
        reads,
        &["INSERT INTO t (id, z) VALUES ($1, $2)"],
        &["before ADD COLUMN z", "after TRUNCATE"],
    )
    .await;
}

#[tokio::test]
async fn a_type_that_only_green_reads_is_no_break_of_green() {
    let base = "CREATE TABLE t (id int PRIMARY KEY, v timestamp);";
    let file = "ALTER TABLE t ALTER COLUMN v TYPE timestamptz;";
    check(base, &[file], &["SELECT id FROM t"], &["SELECT v FROM t"], &["before TYPE timestamptz"]).await;
    check(base, &[file], &["SELECT v FROM t"], &["SELECT v FROM t"], &["refused CO102"]).await;
}

#[tokio::test]
async fn what_is_there_already_and_what_is_not_changes_nothing() {
    let reads: &[&str] = &["SELECT a FROM t"];
    let file = "DROP TABLE IF EXISTS nope; ALTER TABLE t DROP COLUMN IF EXISTS nope; DROP INDEX IF EXISTS nope;
        ALTER TABLE IF EXISTS nope ADD COLUMN x int; ALTER TABLE t DROP CONSTRAINT IF EXISTS nope;
        CREATE TABLE IF NOT EXISTS t (id int, zz int); ALTER TABLE t ADD COLUMN IF NOT EXISTS a text NOT NULL;";
    check(T, &[file], reads, reads, &["before DROP TABLE IF EXISTS nope"]).await;
}
