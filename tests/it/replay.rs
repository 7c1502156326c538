//! What only rows decide: recordings played again in a rehearsal, on a real server. No case here is one that PREPARE sees.

use cutover::compat::Meaning;
use cutover::plan::saved::SavedPlan;
use cutover::rehearse::rehearsal::Rehearsal;
use cutover::side::Side;
use cutover::workload::{SavedStatement, SavedTransaction, Workload};

use crate::support::{Case, numbered, rehearsed};

/// What was recorded of a version, one transaction a line; statements are parted by `; `, values stand behind ` <- `, and a transaction
/// that begins with `undone: ` was rolled back.
fn recording(transactions: &[&str]) -> Workload {
    let statement = |text: &str| {
        let (text, values) = text.split_once(" <- ").unwrap_or((text, ""));
        let values = values.split(", ").filter(|value| !value.is_empty());
        let parameters = values.map(|value| (value != "NULL").then(|| value.replace("''", "")));
        SavedStatement { text: text.to_owned(), parameters: parameters.collect() }
    };
    let transaction = |text: &&str| {
        let rolled_back = text.starts_with("undone: ");
        let statements = text.trim_start_matches("undone: ").split("; ").map(statement).collect();
        SavedTransaction { statements, ended: true, rolled_back }
    };
    let transactions: Vec<_> = transactions.iter().map(transaction).collect();
    let mut texts: Vec<&str> = transactions.iter().flat_map(|t| &t.statements).map(|s| s.text.as_str()).collect();
    let query = |text: &&str| ["INSERT ", "UPDATE ", "DELETE ", "SELECT "].iter().any(|verb| text.starts_with(verb));
    texts.retain(query);
    texts.dedup();
    let mut workload = numbered(texts);
    workload.transactions = transactions;
    workload
}

async fn play(case: Case<'_>) -> (SavedPlan, Rehearsal) {
    rehearsed(case, recording).await
}

/// What is expected: what breaks and what runs otherwise, with the step after which it does; and how many statements counted.
async fn check(case: Case<'_>, compared: usize, expected: &[&str]) {
    let (_, rehearsal) = play(case).await;
    let mut found: Vec<String> = Vec::new();
    for of in rehearsal.matrix.breaks() {
        let (step, how) = (of.state.after_step.unwrap_or(0), if of.failure.running { "runs" } else { "plans" });
        found.push(format!("{} {} at {step} {how}: {}", of.row.version.name(), of.row.query, of.failure.message));
        // What the text did not show is told as such.
        let told = |d: &&cutover::compat::Disagreement| d.version == of.row.version && d.query == of.row.query;
        let told = rehearsal.disagreements.iter().find(told).unwrap();
        assert_eq!((told.meaning, told.after_step.unwrap_or(0)), (Meaning::Missed, step), "{}", case.release);
    }
    let otherwise = rehearsal.disagreements.iter().filter(|found| found.meaning == Meaning::Otherwise);
    found.extend(otherwise.map(|found| {
        let cutover::compat::matrix::Cell::Works(contract) = &found.server else { panic!("{found:?}") };
        let contract = contract.rsplit("; ").next().unwrap();
        format!("{} {} at {}: {contract}", found.version.name(), found.query, found.after_step.unwrap_or(0))
    }));
    assert_eq!(found, expected, "{}", case.release);
    assert_eq!(rehearsal.is_safe(), rehearsal.matrix.breaks().is_empty(), "{}", case.release);
    assert_eq!(rehearsal.replayed.iter().map(|of| of.compared).sum::<usize>(), compared, "{:?}", rehearsal.replayed);
}

const USERS: &str = "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, email text);
    CREATE UNIQUE INDEX mail ON users (email); GRANT ALL ON users TO pg_monitor;
    CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, amount int);";

/// A statement that the planner cannot read; its author says where it belongs.
fn hidden(phase: &str, sql: &str) -> String {
    format!("-- cutover: {phase} its author says so\nDO $do$ BEGIN EXECUTE $sql${sql}$sql$; END $do$;")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rows_decide_breaks_blue() {
    let add = "INSERT INTO orders (id, user_id, amount) VALUES ($1, $2, $3) <- 1, 77, -5";
    let upsert = "INSERT INTO users (email, name) VALUES ('a@b', 'x') ON CONFLICT (email) DO NOTHING";
    let cases: &[(&str, &[&str], &str)] = &[
        (
            "ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0)",
            &[add],
            "q1 at 1 runs: new row for relation \"orders\" violates check constraint \"positive\" (SQLSTATE 23514)",
        ),
        (
            "CREATE UNIQUE INDEX one_name ON users (name)",
            &["INSERT INTO users (name) VALUES ('x')", "INSERT INTO users (email, name) VALUES ('y@z', 'x')"],
            "q2 at 1 runs: duplicate key value violates unique constraint \"one_name\" (SQLSTATE 23505)",
        ),
        (
            "ALTER TABLE orders ADD CONSTRAINT known FOREIGN KEY (user_id) REFERENCES users",
            &[add],
            "q1 at 1 runs: insert or update on table \"orders\" violates foreign key constraint \"known\" (SQLSTATE 23503)",
        ),
        (
            "ALTER TABLE orders ADD CONSTRAINT known FOREIGN KEY (user_id) REFERENCES users DEFERRABLE INITIALLY DEFERRED",
            &[add, "SELECT count(*) FROM orders"],
            "q1 at 1 runs: insert or update on table \"orders\" violates foreign key constraint \"known\" (SQLSTATE 23503) when the end of its transaction was played again",
        ),
        (
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''closed''; END';
             CREATE TRIGGER no BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION no()",
            &[add],
            "q1 at 1 runs: closed (SQLSTATE P0001)",
        ),
        (
            "ALTER TABLE users ALTER COLUMN name SET NOT NULL",
            &["INSERT INTO users (name) VALUES ('x')", "UPDATE users SET name = $1 WHERE name = 'x' <- NULL"],
            "q2 at 1 runs: null value in column \"name\" of relation \"users\" violates not-null constraint (SQLSTATE 23502)",
        ),
        (
            "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
            &["SET LOCAL ROLE pg_monitor; INSERT INTO users (name) VALUES ('x')", "UPDATE users SET name = 'z'"],
            "q1 at 1 runs: new row violates row-level security policy for table \"users\" (SQLSTATE 42501)",
        ),
        (
            "ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY short ON users USING (length(name) < 3)",
            &["INSERT INTO users (name) VALUES ('x')", "SET LOCAL ROLE pg_monitor; UPDATE users SET name = $1 <- long"],
            "q2 at 1 runs: new row violates row-level security policy for table \"users\" (SQLSTATE 42501)",
        ),
    ];
    for (release, blue, message) in cases {
        let release = hidden("before", release);
        let case = Case { base: USERS, release: &release, blue, ..Case::default() };
        let statements = blue.iter().map(|transaction| transaction.split("; ").count()).sum();
        let message = match message.split_once(" when ") {
            Some((message, end)) => format!("blue {message}, when {end}"),
            None => format!("blue {message}, when it was played again"),
        };
        check(case, statements, &[&message]).await;
    }
    // PREPARE does not see this either; planning does, without a recording.
    let case = Case { base: USERS, release: &hidden("before", "DROP INDEX mail"), blue: &[upsert], ..Case::default() };
    let message = "blue q1 at 1 plans: there is no unique or exclusion constraint matching the ON CONFLICT specification (SQLSTATE 42P10)";
    check(case, 1, &[message]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_at_home_or_only_once_shows_nothing() {
    let release = hidden("before", "ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0)");
    let case = Case { base: USERS, release: &release, ..Case::default() };
    // It fails on blue's own schema.
    let orphan = "INSERT INTO orders (id, amount) VALUES (1, 1), (1, -1)";
    check(Case { blue: &[orphan], ..case }, 0, &[]).await;
    // A key is made anew each time, and what is random is not always the same: `random() < 0.5` would be played twice and differ at times.
    let serial = "INSERT INTO users (name) VALUES ('x')";
    let by_id = "UPDATE users SET name = 'y' WHERE id = 1";
    check(Case { blue: &[serial, by_id], ..case }, 2, &[]).await;
    // Values that were recorded as text, of any type.
    let typed = "INSERT INTO things VALUES ($1, $2, $3, $4, $5) <- 7, {1;2}, 2020-01-01 00:00:00+00, NULL, t";
    let things = "CREATE TABLE things (a bigint, b text, c timestamptz, d uuid, e boolean);";
    check(Case { base: &format!("{USERS}{things}"), blue: &[typed], ..case }, 1, &[]).await;
    // Left out, and no harm done to what is around it.
    let left = [
        "PREPARE TRANSACTION 'x'",
        "COMMIT; SELECT pg_advisory_unlock_all(); BEGIN",
        "COPY users FROM STDIN",
        "SET statement_timeout = 0",
        "RELEASE SAVEPOINT cutover_statement",
        "VACUUM users",
        "CREATE INDEX CONCURRENTLY ON users (name)",
        serial,
    ];
    check(Case { blue: &left, ..case }, 1, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_played_in_its_order() {
    let release = hidden("before", "ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0)");
    let case = Case { base: USERS, release: &release, ..Case::default() };
    // What was undone is tried, and gone for those behind it.
    let undone = [
        "undone: INSERT INTO orders (id, amount) VALUES (1, -1)",
        "INSERT INTO orders (id, amount) VALUES (1, 1)",
        "SELECT id FROM orders WHERE amount < 0",
    ];
    let message = "new row for relation \"orders\" violates check constraint \"positive\" (SQLSTATE 23514), when it was played again";
    check(Case { blue: &undone, ..case }, 3, &[&format!("blue q1 at 1 runs: {message}")]).await;
    // One that fails hides none behind it, and what it leads to is told as that.
    let base = format!("{USERS} CREATE TABLE parts (order_id bigint REFERENCES orders);");
    let chain = [
        "INSERT INTO orders (id, amount) VALUES (1, -1)",
        "INSERT INTO parts VALUES (1)",
        "SAVEPOINT a; INSERT INTO orders (id, amount) VALUES (2, 2); ROLLBACK TO SAVEPOINT a; INSERT INTO orders (id, amount) VALUES (2, -2)",
        "SELECT * FROM parts",
    ];
    let expected = [
        format!("blue q1 at 1 runs: {message}"),
        "blue q2 at 1 runs: insert or update on table \"parts\" violates foreign key constraint \"parts_order_id_fkey\" (SQLSTATE 23503), when it was played again; q1 had failed before".into(),
        format!("blue q4 at 1 runs: {message}; q1 had failed before"),
    ];
    check(Case { base: &base, blue: &chain, ..case }, 5, &expected.each_ref().map(String::as_str)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_rows_than_at_home_are_told() {
    let release = hidden("before", "ALTER TABLE users ENABLE ROW LEVEL SECURITY");
    let blue = ["INSERT INTO users (name) VALUES ('x')", "SET LOCAL ROLE pg_monitor; UPDATE users SET name = 'y'"];
    let case = Case { base: USERS, release: &release, blue: &blue, ..Case::default() };
    let refused =
        "new row violates row-level security policy for table \"users\" (SQLSTATE 42501), when it was played again";
    let expected = [
        &*format!("blue q1 at 1: for a role that row security binds: fails, {refused}"),
        "blue q2 at 1: played again, 0 rows instead of 1",
    ];
    check(case, 3, &expected).await;
}

/// Nobody knows whether the application owns its tables, so this is told and breaks nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_row_security_does_to_others_than_the_owner_is_told() {
    let release = hidden(
        "before",
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY short ON users USING (length(name) < 3)",
    );
    let blue = ["INSERT INTO users (name) VALUES ('x')", "UPDATE users SET name = 'long'", "SELECT id FROM orders"];
    let case = Case { base: USERS, release: &release, blue: &blue, ..Case::default() };
    let message =
        "new row violates row-level security policy for table \"users\" (SQLSTATE 42501), when it was played again";
    check(case, 3, &[&format!("blue q2 at 1: for a role that row security binds: fails, {message}")]).await;
    // What it did before is no news.
    let policy = "ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY short ON users USING (length(name) < 3);";
    let (base, release) = (format!("{USERS} {policy}"), hidden("before", "CREATE INDEX ON users (name)"));
    check(Case { base: &base, release: &release, blue: &blue, ..Case::default() }, 3, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn green_is_held_against_the_end() {
    let base = format!("{USERS} ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0);");
    let release = hidden("after", "ALTER TABLE orders DROP CONSTRAINT positive");
    let green = ["INSERT INTO orders (id, amount) VALUES (1, -1)", "INSERT INTO orders (id, amount) VALUES (2, 1)"];
    let case = Case { base: &base, release: &release, green: &green, ..Case::default() };
    let message = "new row for relation \"orders\" violates check constraint \"positive\" (SQLSTATE 23514), when it was played again";
    check(case, 2, &[&format!("green q1 at 0 runs: {message}")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reports_tell_what_was_played() {
    let release = hidden("before", "ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount > 0)");
    let blue = [
        "INSERT INTO orders (id, amount) VALUES (1, -1)",
        "INSERT INTO orders (id, amount) VALUES (1, 1)",
        "SET statement_timeout = 0",
    ];
    let (plan, rehearsal) = play(Case { base: USERS, release: &release, blue: &blue, ..Case::default() }).await;
    let text = cutover::report::render_rehearsal(&rehearsal, &plan, cutover::report::Style::default());
    // Without the name of the server and of the folder.
    let kept = |line: &&str| !line.is_empty() && !line.contains("Rehearsed on") && !line.contains("2.sql");
    let text: Vec<_> = text.lines().filter(kept).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
             query    start  overlap
      blue   q1          ok     FAIL
      blue   q2          ok       ok
      ok: prepares · ~: prepares with other types or columns, or runs on other rows · FAIL: fails where it must work · -: fails where its version does not run
        query q1 at queries.sql:2:1
        new row for relation "orders" violates check constraint "positive" (SQLSTATE 23514), when it was played again
    Played again at every state where blue lives: 1 of 3 recorded statements; failing on blue's own schema, too: 1; left out: 1 (it reaches beyond its transaction, or only waits).
    The server says something else than the text:
        not seen in the text: blue q1 (queries.sql:2:1) after step 1
            text:   works, () → ()
            server: fails, new row for relation "orders" violates check constraint "positive" (SQLSTATE 23514), when it was played again
    warning: the files leave another schema than their text says (- text, + server); the plan knows it only as far as it was observed:
        + constraint orders positive check
    Not safe. The rehearsal broke.
    "#);
    let json = cutover::report::rehearsal_json(&plan, Some(&rehearsal));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let validator = jsonschema::validator_for(&(cutover::report::MACHINE_FORMATS
        .iter()
        .find(|format| format.name == "rehearsal")
        .unwrap()
        .schema)())
    .unwrap();
    let errors: Vec<_> = validator.iter_errors(&json).map(|e| e.to_string()).collect();
    assert_eq!(errors, [""; 0]);
    assert_eq!((&json["safe"], &json["breaks"][0]["replayed"]), (&false.into(), &true.into()));
    insta::assert_json_snapshot!([&json["replayed"], &json["disagreements"]], @r#"
    [
      [
        {
          "version": "blue",
          "transactions": 3,
          "statements": 3,
          "compared": 1,
          "unfit": 1,
          "stray": 0,
          "left_out": {
            "it reaches beyond its transaction, or only waits": 1
          },
          "cut": 0
        }
      ],
      [
        {
          "version": "blue",
          "query": "q1",
          "place": "queries.sql:2:1",
          "after_step": 1,
          "meaning": "missed",
          "text": {
            "outcome": "works",
            "detail": "() → ()"
          },
          "server": {
            "outcome": "fails",
            "detail": {
              "message": "new row for relation \"orders\" violates check constraint \"positive\" (SQLSTATE 23514), when it was played again",
              "at": null,
              "running": true
            }
          }
        }
      ]
    ]
    "#);
    let html = cutover::report::html::render_rehearsed(&plan, &rehearsal);
    assert!(html.contains("not seen in the text") && html.contains("Played again at every state where blue lives: 1"));
    assert_eq!(rehearsal.replayed[0].version, Side::Blue);
}
