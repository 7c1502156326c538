//! Placement, rule by rule: `check(base, release, queries, expected)`.

use camino::Utf8PathBuf;

use super::saved::{Phase, StepStatement};
use super::{Planned, Request, plan};
use crate::compat::Assume;
use crate::migrations::{Convention, Folder};
use crate::workload::Workload;

fn planned(base: &str, release: &[&str], blue: Option<&str>, green: Option<&str>) -> Planned {
    planned_by(base, release, blue, green, Assume::default())
}

fn planned_by(base: &str, release: &[&str], blue: Option<&str>, green: Option<&str>, assume: Assume) -> Planned {
    let mut files = vec![(Utf8PathBuf::from("V1__base.sql"), base.to_owned())];
    files.extend(release.iter().enumerate().map(|(i, text)| (format!("V{}__r.sql", i + 2).into(), (*text).to_owned())));
    let folder = Folder::from_files(Convention::Refinery, files).unwrap();
    let pending = folder.pending_after(Some("1")).unwrap();
    let workload = |queries: Option<&str>| queries.map(|text| Workload::from_text("queries.sql", text).0);
    let (blue, green) = (workload(blue), workload(green));
    plan(Request { blue: blue.as_ref(), green: green.as_ref(), assume, ..Request::new(&folder, &pending) })
}

/// One line a step: `before + sql`, atomic steps joined by `; `, then one line a finding that is not about cost.
fn outline(planned: &Planned) -> String {
    let sql = |s: &StepStatement| s.sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = planned
        .plan
        .steps
        .iter()
        .map(|step| {
            let phase = if step.phase == Phase::Before { "before" } else { "after " };
            let sql: Vec<_> = step.statements().iter().map(sql).collect();
            let door = if step.point_of_no_return { "  <- point of no return" } else { "" };
            format!("{phase} {}{door}", sql.join("; "))
        })
        .collect();
    let findings = planned.plan.findings.iter().filter(|f| !f.code.starts_with("CO4"));
    lines.extend(findings.map(|f| format!("{} {} {}", f.severity.name(), f.code, f.name)));
    lines.join("\n")
}

#[track_caller]
fn check(base: &str, release: &[&str], expected: &[&str]) {
    assert_eq!(outline(&planned(base, release, None, None)), expected.join("\n"));
}

#[track_caller]
fn check_with(base: &str, release: &[&str], blue: &str, green: &str, expected: &[&str]) {
    assert_eq!(outline(&planned(base, release, Some(blue), Some(green))), expected.join("\n"));
}

const USERS: &str =
    "CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, age int, CONSTRAINT adult CHECK (age > 17));";

#[test]
fn what_only_gives_goes_before_and_what_only_takes_goes_after() {
    check(USERS, &["ALTER TABLE users ADD COLUMN name text;"], &["before ALTER TABLE users ADD COLUMN name text"]);
    check(
        USERS,
        &["ALTER TABLE users DROP COLUMN age;"],
        &["after  ALTER TABLE users DROP COLUMN age  <- point of no return"],
    );
    check(
        USERS,
        &["CREATE TABLE a (id int);", "DROP TABLE users;"],
        &["before CREATE TABLE a (id int)", "after  DROP TABLE users  <- point of no return"],
    );
}

#[test]
fn tightening_goes_after_and_loosening_before_whatever_the_words() {
    check(
        USERS,
        &["ALTER TABLE users ALTER COLUMN age SET NOT NULL;"],
        &["after  ALTER TABLE users ALTER COLUMN age SET NOT NULL  <- point of no return"],
    );
    check(
        USERS,
        &["ALTER TABLE users ADD CONSTRAINT c CHECK (age < 200) NOT VALID;"],
        &["after  ALTER TABLE users ADD CONSTRAINT c CHECK (age < 200) NOT VALID  <- point of no return"],
    );
    check(USERS, &["ALTER TABLE users DROP CONSTRAINT adult;"], &["before ALTER TABLE users DROP CONSTRAINT adult"]);
    check(
        USERS,
        &["ALTER TABLE users ALTER COLUMN email DROP NOT NULL;"],
        &["before ALTER TABLE users ALTER COLUMN email DROP NOT NULL", "warning CO301 may-break-readers"],
    );
}

#[test]
fn a_compound_alter_table_is_split_and_joined_by_phase() {
    check(
        USERS,
        &["ALTER TABLE ONLY users\n  ADD COLUMN a text, -- new\n  DROP COLUMN age,\n  ADD COLUMN b text;"],
        &[
            "before ALTER TABLE ONLY users ADD COLUMN a text, ADD COLUMN b text",
            "after  ALTER TABLE ONLY users DROP COLUMN age  <- point of no return",
        ],
    );
}

#[test]
fn objects_of_the_release_have_no_blue_clients() {
    check(
        "",
        &[
            "CREATE TABLE a (id int, x text); ALTER TABLE a DROP COLUMN x; CREATE UNIQUE INDEX i ON a (id); ALTER TABLE a RENAME TO b;",
        ],
        &[
            "before CREATE TABLE a (id int, x text)",
            "before ALTER TABLE a DROP COLUMN x",
            "before CREATE UNIQUE INDEX i ON a (id)",
            "before ALTER TABLE a RENAME TO b",
        ],
    );
    check(
        USERS,
        &["ALTER TABLE users ADD COLUMN n int DEFAULT 0; ALTER TABLE users ALTER COLUMN n SET NOT NULL;"],
        &[
            "before ALTER TABLE users ADD COLUMN n int DEFAULT 0",
            "before ALTER TABLE users ALTER COLUMN n SET NOT NULL",
        ],
    );
    check(
        USERS,
        &["ALTER TABLE users ADD COLUMN n int; ALTER TABLE users ALTER COLUMN n SET NOT NULL;"],
        &[
            "before ALTER TABLE users ADD COLUMN n int",
            "after  ALTER TABLE users ALTER COLUMN n SET NOT NULL  <- point of no return",
        ],
    );
}

#[test]
fn dropping_a_required_column_first_stops_requiring_it() {
    check(
        USERS,
        &["ALTER TABLE users DROP COLUMN email;"],
        &[
            "before ALTER TABLE users ALTER COLUMN email DROP NOT NULL",
            "after  ALTER TABLE users DROP COLUMN email  <- point of no return",
            "warning CO301 may-break-readers",
        ],
    );
}

#[test]
fn what_no_moment_is_right_for_is_refused() {
    let refused = |statement: &str, code: &str| {
        let found = outline(&planned(USERS, &[statement], None, None));
        assert!(found.contains(&format!("error {code}")), "{statement}: {found}");
    };
    refused("ALTER TABLE users RENAME COLUMN email TO mail;", "CO102");
    refused("ALTER TABLE users RENAME TO people;", "CO102");
    refused("ALTER TABLE users ALTER COLUMN age TYPE bigint;", "CO102");
    refused("ALTER TABLE users ADD COLUMN n int NOT NULL;", "CO102");
    refused("DO $$ BEGIN EXECUTE 'DROP TABLE users'; END $$;", "CO101");
    refused("ALTER TABLE users DROP COLUMN age; ALTER TABLE users ADD COLUMN age text;", "CO1");
}

#[test]
fn a_step_that_stands_on_a_deletive_one_follows_it_or_is_refused() {
    // Green may need the new column, and it can only come once the old one is gone.
    let planned =
        planned(USERS, &["ALTER TABLE users DROP COLUMN age;", "ALTER TABLE users ADD COLUMN age text;"], None, None);
    let conflict = planned.plan.findings.iter().find(|f| f.code == "CO103").unwrap();
    assert_eq!(conflict.places.len(), 2, "both ends are shown");
    assert_eq!((conflict.places[0].line, conflict.places[1].line), (1, 1));
    assert_ne!(conflict.places[0].path, conflict.places[1].path);
}

#[test]
fn what_is_taken_and_given_back_in_one_file_is_one_step() {
    check(
        "CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT a FROM t;",
        &["DROP VIEW v; ALTER TABLE t ADD COLUMN c int; CREATE VIEW v AS SELECT a, c FROM t;"],
        &["before ALTER TABLE t ADD COLUMN c int", "before DROP VIEW v; CREATE VIEW v AS SELECT a, c FROM t"],
    );
}

#[test]
fn the_author_s_word_places_what_is_not_understood() {
    check(
        USERS,
        &["-- cutover: after the job of blue still reads it\nDO $$ BEGIN PERFORM 1; END $$;"],
        &["after  DO $$ BEGIN PERFORM 1; END $$  <- point of no return"],
    );
    check(
        USERS,
        &["-- cutover: neutral statistics only\nDO $$ BEGIN PERFORM 1; END $$;"],
        &["before DO $$ BEGIN PERFORM 1; END $$"],
    );
}

#[test]
fn queries_replace_assumptions() {
    let index = "CREATE UNIQUE INDEX users_email ON users (email);";
    let upsert = "INSERT INTO users (id, email) VALUES ($1, $2) ON CONFLICT (email) DO NOTHING";
    // Blue only reads, green needs the index to upsert: before.
    check_with(
        USERS,
        &[index],
        "SELECT email FROM users",
        upsert,
        &["before CREATE UNIQUE INDEX users_email ON users (email)"],
    );
    // Blue may insert what the index refuses: no moment is right.
    check_with(
        USERS,
        &[index],
        "INSERT INTO users (id, email) VALUES ($1, $2)",
        upsert,
        &[
            "after  CREATE UNIQUE INDEX users_email ON users (email)  <- point of no return",
            "error CO102 incompatible-change",
        ],
    );
    // A rename of what nobody of blue uses is free.
    check_with(
        USERS,
        &["ALTER TABLE users RENAME COLUMN age TO years;"],
        "SELECT email FROM users",
        "SELECT years FROM users",
        &["before ALTER TABLE users RENAME COLUMN age TO years"],
    );
    // Green still reads what the release drops.
    check_with(
        USERS,
        &["ALTER TABLE users DROP COLUMN age;"],
        "SELECT 1",
        "SELECT age FROM users",
        &["after  ALTER TABLE users DROP COLUMN age", "error CO203 green-breaks"],
    );
}

#[test]
fn queries_are_looked_at_on_every_schema_they_meet() {
    // The same name in both tables: blue's query is no longer clear.
    let posts = "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE posts (user_id int, title text);";
    check_with(
        posts,
        &["ALTER TABLE users ADD COLUMN title text;"],
        "SELECT title FROM users JOIN posts ON user_id = users.id",
        "SELECT users.title FROM users",
        &["after  ALTER TABLE users ADD COLUMN title text  <- point of no return", "error CO102 incompatible-change"],
    );
    // What comes back is something else, though it goes on working.
    check_with(
        posts,
        &["ALTER TABLE users ADD COLUMN name text;"],
        "SELECT * FROM users",
        "SELECT name FROM users",
        &["before ALTER TABLE users ADD COLUMN name text", "warning CO308 result-changes"],
    );
    // Somebody else's query.
    check_with(
        posts,
        &["ALTER TABLE users ADD COLUMN name text;"],
        "SELECT nickname FROM users",
        "SELECT name FROM users",
        &["before ALTER TABLE users ADD COLUMN name text", "warning CO013 unfit-query"],
    );
}

#[test]
fn in_the_worst_case_queries_waive_nothing() {
    let release = ["ALTER TABLE users RENAME COLUMN age TO years;"];
    let (blue, green) = ("SELECT email FROM users", "SELECT years FROM users");
    check_with(USERS, &release, blue, green, &["before ALTER TABLE users RENAME COLUMN age TO years"]);
    let planned = planned_by(USERS, &release, Some(blue), Some(green), Assume::WorstCase);
    assert!(outline(&planned).contains("error CO102 incompatible-change"), "{}", outline(&planned));
}

#[test]
fn a_backfill_runs_again_once_blue_is_drained() {
    let release = "ALTER TABLE users ADD COLUMN name text; UPDATE users SET name = email WHERE name IS NULL; ALTER TABLE users ALTER COLUMN name SET NOT NULL;";
    check(
        USERS,
        &[release],
        &[
            "before ALTER TABLE users ADD COLUMN name text",
            "before UPDATE users SET name = email WHERE name IS NULL",
            "after  UPDATE users SET name = email WHERE name IS NULL",
            "after  ALTER TABLE users ALTER COLUMN name SET NOT NULL  <- point of no return",
        ],
    );
    // Blue does not write the table: once is enough.
    check_with(
        USERS,
        &[release],
        "SELECT id FROM users",
        "SELECT name FROM users",
        &[
            "before ALTER TABLE users ADD COLUMN name text",
            "before UPDATE users SET name = email WHERE name IS NULL",
            "after  ALTER TABLE users ALTER COLUMN name SET NOT NULL",
        ],
    );
}

#[test]
fn plans_are_sealed_and_the_same_each_time() {
    let once = planned(USERS, &["ALTER TABLE users ADD COLUMN a text, DROP COLUMN age;"], None, None).plan;
    let twice = planned(USERS, &["ALTER TABLE users ADD COLUMN a text, DROP COLUMN age;"], None, None).plan;
    assert_eq!(once.to_json(), twice.to_json());
    let read = super::saved::SavedPlan::from_json(&once.to_json()).unwrap();
    assert_eq!(read, once);
    let edited = once.to_json().replace("DROP COLUMN age", "DROP COLUMN id");
    assert!(super::saved::SavedPlan::from_json(&edited).unwrap_err().to_string().contains("edited"));
}

#[test]
fn a_trigger_of_the_release_stays_for_the_overlap() {
    check(
        USERS,
        &[
            "ALTER TABLE users ADD COLUMN mail text;
             CREATE FUNCTION sync() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.mail := NEW.email; RETURN NEW; END $$;
             CREATE TRIGGER sync BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION sync();
             UPDATE users SET mail = email WHERE mail IS NULL;",
            "DROP TRIGGER sync ON users; DROP FUNCTION sync();",
        ],
        &[
            "before ALTER TABLE users ADD COLUMN mail text",
            "before CREATE FUNCTION sync() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.mail := NEW.email; RETURN NEW; END $$",
            "before CREATE TRIGGER sync BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION sync()",
            "before UPDATE users SET mail = email WHERE mail IS NULL",
            "after  DROP TRIGGER sync ON users  <- point of no return",
            "after  DROP FUNCTION sync()",
        ],
    );
}

#[test]
fn a_view_is_dropped_before_what_it_reads() {
    // Its new form lacks the column, so blue does not survive it: all three after, and in their order.
    check(
        "CREATE TABLE t (id int PRIMARY KEY, a int, b text); CREATE VIEW v AS SELECT id, a FROM t;",
        &["DROP VIEW v; ALTER TABLE t DROP COLUMN a; CREATE VIEW v AS SELECT id FROM t;"],
        &["after  DROP VIEW v; ALTER TABLE t DROP COLUMN a; CREATE VIEW v AS SELECT id FROM t  <- point of no return"],
    );
}

#[test]
fn a_check_for_the_time_of_a_scan_does_not_join_its_file_into_one_transaction() {
    check(
        USERS,
        &[
            "ALTER TABLE users ADD CONSTRAINT n CHECK (age IS NOT NULL) NOT VALID; ALTER TABLE users VALIDATE CONSTRAINT n;
             ALTER TABLE users ALTER COLUMN age SET NOT NULL; ALTER TABLE users DROP CONSTRAINT n;",
        ],
        &[
            "after  ALTER TABLE users ADD CONSTRAINT n CHECK (age IS NOT NULL) NOT VALID  <- point of no return",
            "after  ALTER TABLE users VALIDATE CONSTRAINT n",
            "after  ALTER TABLE users ALTER COLUMN age SET NOT NULL",
            "after  ALTER TABLE users DROP CONSTRAINT n",
        ],
    );
}

#[test]
fn clients_wait_for_a_table_whatever_it_is_called_now() {
    let check = |release: &[&str], expected: &[&str]| {
        let planned = planned(USERS, release, None, None);
        let hazards: Vec<_> = planned.plan.steps.iter().map(|step| step.hazard.as_str()).collect();
        assert_eq!(hazards, expected, "{release:?}");
    };
    let exclusive = "ACCESS EXCLUSIVE, brief";
    let index = "CREATE INDEX i ON people (age);";
    check(&["ALTER TABLE users RENAME TO people;", index], &[exclusive, "SHARE, builds an index"]);
    check(
        &["CREATE TABLE people AS SELECT * FROM users;", index],
        &["no lock that anybody waits for", "no lock that anybody waits for"],
    );
}
