//! `cutover record`: test suites as people have them, in a shell and in Rust.

use std::path::Path;
use std::process::{Command, Output};

use camino::Utf8Path;
use cutover::workload::SavedWorkload;

use super::Folder;
use crate::support;

const SCHEMA: (&str, &str) = (
    "migrations/V1__users.sql",
    "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
     CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint REFERENCES users, note text);",
);

/// A test suite in a shell; `psql` runs one statement a call.
const SUITE: &str = "#!/bin/bash
set -e
sql() { psql -X -q -v ON_ERROR_STOP=1 \"$DATABASE_URL\" -c \"$1\"; }
sql \"INSERT INTO users (name) VALUES ('Ada Lovelace')\"
for i in 1 2 3; do sql \"SELECT id FROM users WHERE name = 'Ada $i'\"; done
PGAPPNAME=migrator sql 'SELECT 1 FROM users'
psql -X -q -c 'BEGIN' -c \"UPDATE users SET name = 'Grace Hopper'\" -c 'COMMIT'
psql -X -q -c 'BEGIN' -c 'DELETE FROM users' -c 'ROLLBACK'
sql 'SELECT nothing FROM users' 2>/dev/null || true
";

fn record(folder: &Folder, args: &[&str]) -> Output {
    let mut command = support::cutover(folder.path());
    command.arg("record").args(args);
    for name in ["PATH", "HOME"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    if let Some(directory) = support::local_options().bin_directory {
        command.env("CUTOVER_PG_BIN", directory);
    }
    command.output().unwrap()
}

/// What was written, as `name: text`, without the fingerprints.
fn queries(folder: &Folder, file: &str) -> Vec<String> {
    let saved = read(folder, file);
    saved.queries.iter().map(|q| format!("{}× {}", q.calls.unwrap_or_default(), q.text)).collect()
}

fn read(folder: &Folder, file: &str) -> SavedWorkload {
    let text = std::fs::read_to_string(folder.path().join(file)).unwrap();
    SavedWorkload::from_json(Utf8Path::new(file), &text).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_suite_in_a_shell() {
    let folder = Folder::new(&[SCHEMA, ("suite", SUITE)]);
    let args = ["--name", "blue", "--migrations", "migrations", "--not-application", "migrator", "-o", "blue.workload"];
    let output = record(&folder, &[&args[..], &["--", "bash", "suite"]].concat());
    assert_eq!(support::exit(&output), 0, "{}", said(&output));
    insta::assert_snapshot!(queries(&folder, "blue.workload").join("\n"), @r#"
    1× INSERT INTO users (name) VALUES ($1)
    3× SELECT id FROM users WHERE name = $1
    1× UPDATE users SET name = $1
    1× DELETE FROM users
    "#);
    assert!(said(&output).contains("PostgreSQL refused it every time (42703)"), "{}", said(&output));
    let text = std::fs::read_to_string(folder.path().join("blue.workload")).unwrap();
    assert!(!text.contains("Ada") && !text.contains("Grace"), "no values: {text}");
    // And it is a workload like any other.
    let plan = support::cutover(folder.path())
        .args(["plan", "migrations", "--from", "none", "--blue", "blue.workload"])
        .output()
        .unwrap();
    assert_eq!(support::exit(&plan), 0, "{}", said(&plan));
}

/// What is written without values is still what PostgreSQL can prepare.
#[test]
fn queries_without_their_values_prepare() {
    let suite = "psql -X -q -v ON_ERROR_STOP=1 >/dev/null <<'END'
SELECT name, date_trunc('day', now()) FROM users WHERE id IN (1, 2) GROUP BY name, date_trunc('day', now()) ORDER BY 2, 1 LIMIT 5;
SELECT coalesce(name, '') || E'\\n', generate_series(1, 3) FROM users WHERE name LIKE '%x%' AND 'x' = ANY (ARRAY['a', 'b']);
SELECT * FROM orders WHERE now() - interval '1 day' > date '2020-01-01' AND interval '1' DAY < '2 days';
SELECT round(1.5, 1), 3000000000, name::varchar(3), timestamp with time zone '2020-01-01' AT TIME ZONE 'UTC' FROM users;
INSERT INTO orders (id, note) VALUES (-7, 'it''s'), (8, $$x$$) ON CONFLICT (id) DO UPDATE SET note = 'again';
SELECT substring(name FROM 1 FOR 2), extract(year FROM now()), position('a' IN name), (ARRAY[1, 2])[1] FROM users;
PREPARE p (int) AS SELECT id FROM users WHERE id = $1;
EXECUTE p (7);
BEGIN;
DECLARE c CURSOR FOR SELECT note FROM orders WHERE id = 7;
FETCH 1 FROM c;
COMMIT;
END
";
    let folder = Folder::new(&[SCHEMA, ("suite", suite)]);
    let args = ["--name", "blue", "--migrations", "migrations", "-o", "blue.workload", "--", "bash", "suite"];
    let output = record(&folder, &args);
    assert_eq!(support::exit(&output), 0, "{}", said(&output));
    insta::assert_snapshot!(queries(&folder, "blue.workload").join("\n"), @r#"
    1× SELECT name, date_trunc($1, now()) FROM users WHERE id IN ($2::int4, $3::int4) GROUP BY name, date_trunc($1, now()) ORDER BY 2, 1 LIMIT $4::int4
    1× SELECT coalesce(name, $1) || $2, generate_series($3::int4, $4::int4) FROM users WHERE name LIKE $5 AND $6 = ANY (ARRAY[$7, $8])
    1× SELECT * FROM orders WHERE now() - $1::interval > $2::date AND $3::interval < $4
    1× SELECT round($1::numeric, $2::int4), $3::int8, name::varchar(3), $4::timestamptz AT TIME ZONE $5 FROM users
    1× INSERT INTO orders (id, note) VALUES (-$1::int4, $2), ($3::int4, $4) ON CONFLICT (id) DO UPDATE SET note = $5
    1× SELECT substring(name FROM $1::int4 FOR $2::int4), extract(year FROM now()), position($3 IN name), (ARRAY[$4::int4, $5::int4])[$6::int4] FROM users
    1× SELECT id FROM users WHERE id = $1
    1× SELECT note FROM orders WHERE id = $1::int4
    "#);
    let mut rehearse = support::cutover(folder.path());
    rehearse.args(["rehearse", "migrations", "--from", "1", "--server", "local", "--blue", "blue.workload"]);
    rehearse.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    rehearse.envs(support::local_options().bin_directory.map(|path| ("CUTOVER_PG_BIN", path)));
    let output = rehearse.output().unwrap();
    assert_eq!(support::exit(&output), 0, "{}", support::transcript(&output));
}

#[test]
fn values_and_transactions_for_a_replay() {
    let folder = Folder::new(&[SCHEMA, ("suite", SUITE)]);
    let args = ["--name", "blue", "--migrations", "migrations", "--with-values", "-o", "w.json", "--", "bash", "suite"];
    let output = record(&folder, &args);
    assert_eq!(support::exit(&output), 0, "{}", said(&output));
    let shown = |t: &cutover::workload::SavedTransaction| {
        let statements: Vec<_> = t.statements.iter().map(|s| format!("{} {:?}", s.text, s.parameters)).collect();
        format!("{}{}", if t.rolled_back { "undone: " } else { "" }, statements.join("; "))
    };
    let saved = read(&folder, "w.json");
    insta::assert_snapshot!(saved.transactions.iter().map(shown).collect::<Vec<_>>().join("\n"), @r#"
    INSERT INTO users (name) VALUES ('Ada Lovelace') []
    SELECT id FROM users WHERE name = 'Ada 1' []
    SELECT id FROM users WHERE name = 'Ada 2' []
    SELECT id FROM users WHERE name = 'Ada 3' []
    SELECT 1 FROM users []
    UPDATE users SET name = 'Grace Hopper' []
    undone: DELETE FROM users []
    "#);
    // What a trigger does to rows does not stand in the statement that changes it.
    let function = |body: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION check_name() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} RETURN NEW; END$$;"
        )
    };
    let trigger = "CREATE TRIGGER check_name BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION check_name();";
    let stricter = "IF NEW.name LIKE 'Grace%' THEN RAISE EXCEPTION 'no Grace'; END IF;";
    let write = |name: &str, text: String| std::fs::write(folder.path().join("migrations").join(name), text).unwrap();
    write("V2__trigger.sql", function("") + trigger);
    write("V3__stricter.sql", function(stricter));
    let mut rehearse = support::cutover(folder.path());
    rehearse.args(["rehearse", "migrations", "--from", "2", "--server", "local", "--blue", "w.json"]);
    rehearse.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    rehearse.envs(support::local_options().bin_directory.map(|path| ("CUTOVER_PG_BIN", path)));
    let output = rehearse.output().unwrap();
    let text = support::transcript(&output);
    assert_eq!(support::exit(&output), 1, "{text}");
    assert!(text.contains("no Grace (SQLSTATE P0001), when it was played again"), "{text}");
    assert!(text.contains("Played again at every state where blue lives: 7 of 7 recorded statements."), "{text}");
}

/// Run by the test below as a test suite of its own; without a database there is nothing to do.
#[test]
#[ignore = "an application for the other tests"]
fn an_application() {
    let Ok(url) = std::env::var("DATABASE_URL") else { return };
    let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    let add = client.prepare("INSERT INTO users (name) VALUES ($1) RETURNING id").unwrap();
    let mut transaction = client.transaction().unwrap();
    for name in ["Ada", "Grace"] {
        let id: i64 = transaction.query_one(&add, &[&name]).unwrap().get(0);
        transaction.execute("INSERT INTO orders (id, user_id) VALUES ($1, $2)", &[&id, &id]).unwrap();
    }
    transaction.commit().unwrap();
    assert_eq!(client.query("SELECT id FROM users WHERE id > 0", &[]).unwrap().len(), 2);
    assert!(std::env::var("FAIL").is_err(), "told to fail");
}

#[test]
fn a_suite_in_rust_that_fails_in_the_end() {
    let folder = Folder::new(&[SCHEMA]);
    let suite = std::env::current_exe().unwrap();
    let name = "workload::record::an_application";
    let args = [
        "--name",
        "green",
        "--migrations",
        "migrations",
        "--with-values",
        "-o",
        "green.workload",
        "--",
        "env",
        "FAIL=1",
    ];
    let output = record(&folder, &[&args[..], &[suite.to_str().unwrap(), "--ignored", "--exact", name]].concat());
    assert_eq!(support::exit(&output), 1, "{}", said(&output));
    assert!(said(&output).contains("warning: the command ended with exit code 101"), "{}", said(&output));
    insta::assert_snapshot!(queries(&folder, "green.workload").join("\n"), @r#"
    2× INSERT INTO users (name) VALUES ($1) RETURNING id
    2× INSERT INTO orders (id, user_id) VALUES ($1, $2)
    1× SELECT id FROM users WHERE id > 0
    "#);
    insta::assert_json_snapshot!(read(&folder, "green.workload").transactions[0].statements[2], @r#"
    {
      "text": "INSERT INTO users (name) VALUES ($1) RETURNING id",
      "parameters": [
        "Grace"
      ]
    }
    "#);
}

fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(args);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn another_commit_in_a_worktree_that_is_removed() {
    let folder = Folder::new(&[("app/suite", SUITE), (&format!("app/{}", SCHEMA.0), SCHEMA.1)]);
    let root = folder.path();
    git(root.as_std_path(), &["init", "-q"]);
    git(root.as_std_path(), &["add", "."]);
    git(root.as_std_path(), &["commit", "-q", "-m", "one"]);
    let commit = git(root.as_std_path(), &["rev-parse", "HEAD"]);
    std::fs::write(root.join("app/suite"), "exit 1").unwrap();
    std::fs::remove_dir_all(root.join("app/migrations")).unwrap();
    let run = |reference: &str, command: &[&str]| {
        let mut binary = support::cutover(root.join("app"));
        binary.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        binary.envs(support::local_options().bin_directory.map(|path| ("CUTOVER_PG_BIN", path)));
        let out = root.join("blue.workload");
        binary.args(["record", "--name", "blue", "--ref", reference, "--migrations", "migrations", "-o", out.as_str()]);
        binary.arg("--").args(command).output().unwrap()
    };
    let output = run("HEAD", &["bash", "suite"]);
    assert_eq!(support::exit(&output), 0, "{}", said(&output));
    assert_eq!(read(&folder, "blue.workload").commit.as_deref(), Some(commit.trim()));
    let output = run("nothing", &["true"]);
    insta::assert_snapshot!(support::transcript(&output), @r#"
    exit 2
    --- stderr
    error: --ref: git does not know "nothing"
      help: fetch it first
    "#);
    assert_eq!(git(root.as_std_path(), &["worktree", "list"]).lines().count(), 1, "nothing is left behind");
}

#[test]
fn what_can_not_be_recorded() {
    let folder =
        Folder::new(&[("migrations/V1__a.sql", "CREATE TABLE t (a nothing)"), ("empty/V1__a.sql", "SELECT 1")]);
    let check = |args: &[&str]| {
        let output = record(&folder, &[&["--name", "x", "-o", "out.json"], args].concat());
        assert!(!folder.path().join("out.json").exists());
        let text = folder.without(&support::transcript(&output));
        text.lines().filter(|line| !line.starts_with("Recording on")).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(check(&["--", "true"]), @r#"
    exit 2
    --- stderr
    error: the command ended well and sent no query, so nothing was written
      help: it has to connect to DATABASE_URL, or to what the PG… variables say
    "#);
    insta::assert_snapshot!(check(&["--", "no-such-command-at-all"]), @r#"
    exit 2
    --- stderr
    error: no-such-command-at-all does not start: No such file or directory (os error 2)
      help: give the command after `--`
    "#);
    insta::assert_snapshot!(check(&["--migrations", "migrations", "--", "true"]), @r#"
    exit 2
    --- stderr
    error: the migrations of this version do not run: migrations/V1__a.sql:1:1: a migration that production has fails on the throwaway server: type "nothing" does not exist (SQLSTATE 42704)
      help: leave --migrations out and let the command make its own schema
    "#);
    insta::assert_snapshot!(check(&["--migrations", "nowhere", "--", "true"]), @r#"
    exit 2
    --- stderr
    error: --migrations nowhere: there is no such folder in this version
    "#);
    insta::assert_snapshot!(check(&["--server", "embedded", "--", "true"]), @r#"
    exit 2
    --- stderr
    error: the embedded server has one session, and test suites open many
      help: use --server local, or the URL of a server
    "#);
    insta::assert_snapshot!(check(&["--server", "host=h dbname=d", "--with-values", "--", "true"]), @r#"
    exit 2
    --- stderr
    error: --with-values needs the log of the server, which only --server local has
      help: leave it out, or use --server local
    "#);
}

#[test]
fn an_interrupt_ends_the_command_and_everything_it_started() {
    use std::io::{BufRead as _, BufReader};
    let folder = Folder::new(&[("suite", "sleep 600 & echo $! >&2; wait")]);
    let mut command = support::cutover(folder.path());
    command.args(["record", "--name", "x", "-o", "out.json", "--", "bash", "suite"]);
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.envs(support::local_options().bin_directory.map(|path| ("CUTOVER_PG_BIN", path)));
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let sleeper = lines.find_map(|line| line.unwrap().trim().parse::<i32>().ok()).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // The signal was sent before the end; when it takes effect is up to the kernel. A zombie is dead.
    let gone = || {
        let state = Command::new("ps").args(["-o", "stat=", "-p", &sleeper.to_string()]).output().unwrap();
        state.stdout.is_empty() || state.stdout.starts_with(b"Z")
    };
    assert!((0..1000).any(|_| gone()), "{sleeper} still runs");
    assert!(!folder.path().join("out.json").exists());
}
