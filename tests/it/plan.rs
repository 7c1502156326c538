//! `cutover plan` as a command: what it says to bad input, where it writes, how it ends.

use std::fs::File;
use std::process::Output;

use cutover::plan::saved::{SavedPlan, SavedPlanError};
use insta::assert_snapshot;

use crate::support;

/// Runs `cutover` with the words of `args` in a fresh directory with these files.
fn run(files: &[(&str, &[u8])], args: &str) -> (tempfile::TempDir, Output) {
    let directory = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let output = support::cutover(directory.path()).args(args.split(' ')).output().unwrap();
    (directory, output)
}

/// What `cutover plan m ARGS` says to a folder `m`.
fn check(files: &[(&str, &str)], args: &str) -> String {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    support::transcript(&run(&files, format!("plan m {args}").trim_end()).1)
}

const TABLE: &str = "CREATE TABLE t (a int);\n";

#[test]
fn folders_that_are_none() {
    assert_snapshot!(check(&[], ""), @r"
    exit 2
    --- stderr
    error: m does not exist
    ");
    assert_snapshot!(check(&[("m", "a file")], ""), @r"
    exit 2
    --- stderr
    error: m is not a folder
    ");
    assert_snapshot!(check(&[("m/README.md", "no migration")], ""), @"
    exit 2
    --- stderr
    error: no migrations in m (1 file, and it is not .sql)
    ");
    assert_snapshot!(check(&[("m/sub/V1__a.txt", "no migration")], ""), @"
    exit 2
    --- stderr
    error: no migrations in m (1 file, and it is not .sql)
    ");
}

#[test]
fn an_empty_folder() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("m")).unwrap();
    let output = support::cutover(directory.path()).args(["plan", "m"]).output().unwrap();
    assert_snapshot!(support::transcript(&output), @r"
    exit 2
    --- stderr
    error: no migrations in m (the folder is empty)
    ");
}

#[test]
fn a_file_that_is_not_utf_8() {
    let latin_1 = b"CREATE TABLE t (a int);\nCOMMENT ON TABLE t IS 'caf\xe9';\n";
    let (_, output) = run(&[("m/V1__t.sql", latin_1)], "plan m");
    assert_snapshot!(support::transcript(&output), @r"
    exit 2
    --- stderr
    error: m/V1__t.sql:2: byte 50 is not UTF-8; convert the file, PostgreSQL will not read it as it is
    ");
}

#[test]
fn versions_that_stand_twice() {
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE), ("m/V1__b.sql", TABLE)], ""), @r"
    exit 2
    --- stderr
    error: version 1 twice: V1__a.sql and V1__b.sql; rename one of them
    ");
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE), ("m/V01__b.sql", TABLE)], ""), @r"
    exit 2
    --- stderr
    error: version 1 twice: V01__b.sql and V1__a.sql; rename one of them
    ");
    assert_snapshot!(check(&[("m/1_a.sql", TABLE), ("m/01_b.sql", TABLE)], ""), @r"
    exit 2
    --- stderr
    error: version 1 twice: 01_b.sql and 1_a.sql; rename one of them
    ");
    assert_snapshot!(check(&[("m/2024-01-01_a/up.sql", TABLE), ("m/20240101_b/up.sql", TABLE)], ""), @r"
    exit 2
    --- stderr
    error: version 20240101 twice: 2024-01-01_a/up.sql and 20240101_b/up.sql; rename one of them
    ");
}

#[test]
fn names_that_leave_the_convention_open() {
    // Names of two conventions.
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE), ("m/2_b.sql", TABLE)], ""), @"
    exit 2
    --- stderr
    error: the names in m do not fit one convention: 1 is named as refinery (V1__a.sql), 1 not (2_b.sql); say which one with --convention
    ");
    assert_snapshot!(check(&[("m/2024-01-01_a/up.sql", TABLE), ("m/V2__b.sql", TABLE)], ""), @"
    exit 2
    --- stderr
    error: the names in m do not fit one convention: 1 is named as diesel (2024-01-01_a/up.sql), 1 not (V2__b.sql); say which one with --convention
    ");
    // `U` is a forward migration to one tool and an undo to another.
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE), ("m/U1__a.sql", "DROP TABLE t;")], ""), @"
    exit 2
    --- stderr
    error: m is ambiguous: U1__a.sql is a forward migration to refinery and an undo script to Flyway; say which one with --convention
    ");
    // By number or by name?
    assert_snapshot!(check(&[("m/2_a.sql", TABLE), ("m/10_b.sql", "DROP TABLE t;")], ""), @"
    exit 2
    --- stderr
    error: m is ambiguous: its files stand in another order by number (sqlx) than by name (plain); say which one with --convention
    ");
}

#[test]
fn a_plain_folder_holds_no_undo() {
    assert_snapshot!(check(&[("m/a.down.sql", TABLE), ("m/a.up.sql", TABLE)], ""), @r"
    exit 2
    --- stderr
    error: a.down.sql: it looks like the undo of another file, and plain folders hold forward migrations only; plain does not take it
    ");
}

#[test]
fn sql_that_does_not_parse_is_opaque_and_the_rest_is_read() {
    assert_snapshot!(check(&[("m/V1__a.sql", "CREATE TABLE t (a int);\nALTER TABEL t ADD b int;\nCREATE TABLE u (a int);\n")], "--from none"), @"
    exit 1
    --- stdout
    cutover plan: 1 migration (1), 3 steps, on top of an empty database

      Before cutover                                      blue keeps working, green can start
        +   1  t  CREATE TABLE  1:1  no lock that anybody waits for
                 green may rely on it: t exists
        +   2  u  CREATE TABLE  1:3  no lock that anybody waits for
                 green may rely on it: u exists

      Cutover: traffic moves from blue to green, blue drains

      After cutover                                       blue is gone
        ?   3  ?  ALTER TABEL   1:2  cost not known
                 no version notices
                 point of no return: blue cannot come back

    Plan: 2 before, 1 after. 2 additive (+), 1 opaque (?).
    A step's locks outlive its statements by 10 s at most, whatever happens to cutover or the network.
    No rollback to blue once step 3 has started.
    Not safe. 1 error, 0 warnings. `execute` refuses this plan.
    --- stderr
    CO101 opaque-statement

      × what this ALTER TABEL does cannot be known from its text
       ╭─[m/V1__a.sql:2:1]
     1 │ CREATE TABLE t (a int);
     2 │ ALTER TABEL t ADD b int;
       · ───────────┬───────────
       ·            ╰── not understood
     3 │ CREATE TABLE u (a int);
       ╰────
      help: say where it belongs, on the line before it: `-- cutover: before|after|neutral <reason>`
    ");
}

#[test]
fn a_quote_that_is_never_closed() {
    assert_snapshot!(check(&[("m/V1__a.sql", "CREATE TABLE t (a text DEFAULT 'x);\nCREATE TABLE u (a int);\n")], "--from none"), @"
    exit 1
    --- stdout
    cutover plan: 1 migration (1), 1 step, on top of an empty database

      Before cutover                                      blue keeps working, green can start
        (nothing)

      Cutover: traffic moves from blue to green, blue drains

      After cutover                                       blue is gone
        ?   1  ?  CREATE TABLE T  1:1  cost not known
                 no version notices
                 point of no return: blue cannot come back

    Plan: 0 before, 1 after. 1 opaque (?).
    A step's locks outlive its statements by 10 s at most, whatever happens to cutover or the network.
    No rollback to blue once step 1 has started.
    Not safe. 2 errors, 1 warning. `execute` refuses this plan.
    --- stderr
    CO101 opaque-statement

      × what this CREATE TABLE T does cannot be known from its text
       ╭─[m/V1__a.sql:1:1]
     1 │ CREATE TABLE t (a text DEFAULT 'x);
       · ─────────────────┬─────────────────
       ·                  ╰── not understood
     2 │ CREATE TABLE u (a int);
       ╰────
      help: say where it belongs, on the line before it: `-- cutover: before|after|neutral <reason>`
    CO002 unterminated-quote

      × this string is never closed
       ╭─[m/V1__a.sql:1:32]
     1 │ CREATE TABLE t (a text DEFAULT 'x);
       ·                                ┬
       ·                                ╰── it starts here
     2 │ CREATE TABLE u (a int);
       ╰────
    CO001 unread-statement

      ⚠ this statement cannot be read: Unterminated string literal
       ╭─[m/V1__a.sql:1:32]
     1 │ CREATE TABLE t (a text DEFAULT 'x);
       ·                                ┬
       ·                                ╰── not understood from here
     2 │ CREATE TABLE u (a int);
       ╰────
      help: it is treated as opaque; if PostgreSQL accepts it, say where it belongs with a `-- cutover:` comment
    ");
}

#[test]
fn commands_of_psql() {
    assert_snapshot!(check(&[("m/V1__a.sql", "\\set ON_ERROR_STOP on\nCREATE TABLE t (a int);\n")], "--from none"), @r"
    exit 1
    --- stdout
    cutover plan: 1 migration (1), 1 step, on top of an empty database

      Before cutover                                      blue keeps working, green can start
        +   1  t  CREATE TABLE  1:2  no lock that anybody waits for
                 green may rely on it: t exists

      Cutover: traffic moves from blue to green, blue drains

      After cutover                                       blue is gone
        (nothing)

    Plan: 1 before, 0 after. 1 additive (+).
    A step's locks outlive its statements by 10 s at most, whatever happens to cutover or the network.
    Not safe. 1 error, 0 warnings. `execute` refuses this plan.
    --- stderr
    CO003 psql-meta-command

      × this is a command of psql, not SQL; no migration tool sends it to the server
       ╭─[m/V1__a.sql:1:1]
     1 │ \set ON_ERROR_STOP on
       · ──────────┬──────────
       ·           ╰── psql meta-command
     2 │ CREATE TABLE t (a int);
       ╰────
      help: write the SQL itself (`\i` → the included text, `\connect` → a separate folder)
    ");
}

#[test]
fn a_version_or_convention_that_is_not_there() {
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE), ("m/V2__b.sql", "ALTER TABLE t ADD b int;")], "--from 3"), @r"
    exit 2
    --- stderr
    error: no migration has version 3; the folder goes from 1 to 2
    ");
    let mut all: Vec<String> = cutover::migrations::Convention::ALL.iter().map(ToString::to_string).collect();
    all.sort();
    let told = check(&[("m/V1__a.sql", TABLE)], "--convention liquidbase").replace(&all.join(", "), "ALL OF THEM");
    assert_snapshot!(told, @r#"
    exit 2
    --- stderr
    error: invalid value 'liquidbase' for '--convention <NAME>': unknown convention "liquidbase"; known: ALL OF THEM

    For more information, try '--help'.
    "#);
}

#[test]
fn a_configuration_that_can_not_be_used() {
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE), ("m/cutover.toml", "[migrations]\nfrum = \"1\"\n")], ""), @"
    exit 2
    --- stderr
    error: m/cutover.toml:2:1: unknown field `frum`, expected one of `folder`, `convention`, `placeholders`, `from`, `base-schema`, `history-table`
    ");
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE), ("m/cutover.toml", "[apps.blue]\nqueries = \"nowhere\"\n")], ""), @r"
    exit 2
    --- stderr
    error: m/nowhere does not exist: no queries to read
    ");
}

#[test]
fn a_query_that_can_not_be_read_is_told_and_counts_for_all_it_mentions() {
    let files = [
        ("m/V1__a.sql", "CREATE TABLE t (a int, b int);\n"),
        ("m/V2__b.sql", "ALTER TABLE t DROP COLUMN b;\n"),
        ("blue/q.sql", "-- name: odd\nSELECT a FROM t WHERE;\n"),
        ("green/q.sql", "-- name: plain\nSELECT a FROM t;\n"),
    ];
    assert_snapshot!(check(&files, "--from 1 --blue blue --green green"), @"
    exit 0
    --- stdout
    cutover plan: 1 migration (2), 1 step, on top of 1

      Before cutover                                      blue keeps working, green can start
        (nothing)

      Cutover: traffic moves from blue to green, blue drains

      After cutover                                       blue is gone
        -   1  t.b  DROP COLUMN  2:1  ACCESS EXCLUSIVE, brief
                 blue relies on it in odd: t.b is readable as integer
                 point of no return: blue cannot come back

    Plan: 0 before, 1 after. 1 deletive (-).
    A step's locks outlive its statements by 10 s at most, whatever happens to cutover or the network.
    No rollback to blue once step 1 has started.
    Safe. Both versions work on every schema in between.
    If your applications run their migrations when they start:
      green would run 2, which belongs after the cutover: leave `Runner::run` out of its start until the release is done (refinery)
    --- stderr
    CO007 unread-query

      ⚠ query odd cannot be read: Expected: an expression, found: EOF
       ╭─[blue/q.sql:2:1]
     1 │ -- name: odd
     2 │ SELECT a FROM t WHERE;
       · ──────────┬──────────
       ·           ╰── this query
       ╰────
      help: it is taken to rely on everything it mentions; `cutover rehearse` shows what PostgreSQL says of it
    ");
}

#[test]
fn files_as_editors_leave_them() {
    // A byte order mark, Windows line ends, no newline at the end; and a file with nothing in it.
    let files = [
        ("m/V1__a.sql", "\u{feff}CREATE TABLE t (\r\n    a int\r\n);\r\n"),
        ("m/V2__b.sql", "-- Later.\r\n"),
        ("m/V3__c.sql", "ALTER TABLE t ADD COLUMN b int"),
    ];
    assert_snapshot!(check(&files, "--from 1"), @"
    exit 0
    --- stdout
    cutover plan: 2 migrations (2 to 3), 1 step, on top of 1

      Before cutover                                      blue keeps working, green can start
        +   1  t.b  ADD COLUMN integer  3:1  ACCESS EXCLUSIVE, brief
                 green may rely on it: t.b is readable as integer

      Cutover: traffic moves from blue to green, blue drains

      After cutover                                       blue is gone
        (nothing)

    Plan: 1 before, 0 after. 1 additive (+).
    A step's locks outlive its statements by 10 s at most, whatever happens to cutover or the network.
    Safe. Both versions work on every schema in between.
    If your applications run their migrations when they start:
      blue stops if it starts again once the history has 3, a version that its files lack; `Runner::set_abort_missing(false)` lets it start (refinery)
    ");
}

/// The exit codes of the manual.
#[test]
fn exit_codes() {
    let files = [("m/V1__a.sql", TABLE), ("m/V2__b.sql", "ALTER TABLE t RENAME COLUMN a TO b;")];
    let exit = |args: &str| {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        support::exit(&run(&files, &format!("plan m {args}")).1)
    };
    assert_eq!(exit("--from 2"), 0, "nothing to do");
    assert_eq!(exit("--from 2 --detailed-exitcode"), 0, "nothing to do");
    assert_eq!(exit("--from 1"), 1, "a conflict");
    assert_eq!(exit("--from 1 --detailed-exitcode"), 1, "a conflict");
    assert_eq!(exit("--from 1 --format json"), 1, "a conflict");
    assert_eq!(exit("--from 9"), 2, "no such version");
    assert_eq!(exit("--frum 1"), 2, "usage");
    assert_eq!(exit("--from 1 --database postgres://x"), 2, "usage");
    let files = [("m/V1__a.sql", TABLE)];
    assert!(check(&files, "--from none").starts_with("exit 0\n"));
    assert!(check(&files, "--from none --detailed-exitcode").starts_with("exit 3\n"));
}

#[test]
fn an_output_that_can_not_be_written() {
    let files = [("m/V1__a.sql", TABLE)];
    let output = |path: &str| {
        let text = check(&files, &format!("--from none -o {path}"));
        text.split("--- stderr\n").nth(1).map(|stderr| format!("{}\n{stderr}", text.lines().next().unwrap())).unwrap()
    };
    assert_snapshot!(output("nowhere/release.plan"), @r"
    exit 2
    error: nowhere/release.plan: the folder cannot be written: entity not found
      help: no plan was saved; choose another path with -o
    ");
    assert_snapshot!(output("m"), @r"
    exit 2
    error: m: writing failed: Is a directory (os error 21)
      help: no plan was saved; choose another path with -o
    ");
    if cfg!(target_os = "linux") {
        // Read-only to everybody, root included; and a disk that is full.
        assert_snapshot!(output("/proc/release.plan"), @r"
        exit 2
        error: /proc/release.plan: the folder cannot be written: entity not found
          help: no plan was saved; choose another path with -o
        ");
        assert_snapshot!(output("/dev/full"), @r"
        exit 2
        error: /dev/full: writing failed: No space left on device (os error 28)
          help: no plan was saved; choose another path with -o
        ");
    }
}

#[test]
fn what_is_no_file_is_written_and_not_replaced() {
    let text = check(&[("m/V1__a.sql", TABLE)], "--from none -o /dev/null");
    assert!(text.starts_with("exit 0\n"), "{text}");
    let null = std::fs::metadata("/dev/null").unwrap();
    assert!(!null.is_file(), "/dev/null is a file now");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("V1__a.sql"), TABLE).unwrap();
    for args in [
        &["plan", ".", "--from", "none"][..],
        &["plan", ".", "--from", "none", "--format", "json"],
        &["schema", "plan"],
        &["explain"],
    ] {
        let output = support::cutover(directory.path()).args(args).stdout(full()).output().unwrap();
        assert_eq!(
            support::transcript(&output),
            "exit 2\n--- stderr\nerror: standard output cannot be written: No space left on device (os error 28)",
            "{args:?}"
        );
    }
}

/// A plan is written whole or not at all: the old one stays where the new one fails.
#[test]
fn a_refused_plan_is_saved_too_and_execute_refuses_it() {
    let files: [(&str, &[u8]); 2] =
        [("m/V1__a.sql", TABLE.as_bytes()), ("m/V2__b.sql", b"ALTER TABLE t RENAME COLUMN a TO b;")];
    let (directory, output) = run(&files, "plan m --from 1 -o release.plan");
    assert_eq!(support::exit(&output), 1);
    let text = std::fs::read_to_string(directory.path().join("release.plan")).unwrap();
    assert_eq!(SavedPlan::from_json(&text).unwrap().to_json(), text);
}

#[test]
fn the_json_is_what_its_schema_says() {
    let root = env!("CARGO_MANIFEST_DIR");
    let schema = support::cutover(root).args(["schema", "plan"]).output().unwrap();
    let schema = serde_json::from_slice(&schema.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut seen = 0;
    for name in support::example_releases() {
        let path = support::examples_root().join(&name);
        let output = support::cutover(root).arg("plan").arg(&path).args(["--format", "json"]).output().unwrap();
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let errors: Vec<_> = validator.iter_errors(&plan).map(|e| e.to_string()).collect();
        assert_eq!(errors, [""; 0], "{name}");
        seen += 1;
    }
    assert!(seen >= 12);
    let mut broken: serde_json::Value = serde_json::json!({ "format_version": "1.0" });
    assert!(!validator.is_valid(&broken));
    broken["steps"] = serde_json::json!("none");
    assert!(!validator.is_valid(&broken));
}

/// Plans that older builds saved. Add files, never change one: a reader of a format reads all of them, and says what to do with another one.
#[test]
fn old_plans_are_read_or_refused_as_stale() {
    let mut seen = (0, 0);
    let files = |folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for path in files(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/plan").into()).flat_map(files) {
        let text = std::fs::read_to_string(&path).unwrap();
        match SavedPlan::from_json(&text) {
            // Nothing of it is lost.
            Ok(plan) => assert_eq!(plan.to_json(), text, "{}", path.display()),
            // It belongs to the build that wrote it, and format and seal are right.
            Err(SavedPlanError::ToolVersion { .. }) => {
                assert_eq!(SavedPlan::from_journal(&text).unwrap().to_json(), text, "{}", path.display());
            }
            Err(SavedPlanError::FormatVersion { found }) if found.starts_with("1.") => seen.0 += 1,
            Err(error) => panic!("{}: {error}", path.display()),
        }
        seen.1 += 1;
    }
    assert_eq!(seen, (4, 7));
}

/// The plan of an example, as `plan -o` saves it.
fn example_plan() -> String {
    let output = support::cutover(support::examples_root())
        .args(["plan", "10-mixed-file", "--format", "json"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// What a later minor version of the format adds is under the seal, and is written again.
#[test]
fn unknown_fields_are_carried() {
    let text = example_plan();
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    document["format_version"] = "2.7".into();
    document["later"] = serde_json::json!({ "what": [1, "two"] });
    document["steps"][1]["later"] = true.into();
    let unsealed = serde_json::to_string(&document).unwrap();
    let Err(SavedPlanError::Edited { computed, .. }) = SavedPlan::from_json(&unsealed) else {
        panic!("it is not sealed")
    };
    document["digest"] = computed.into();
    let plan = SavedPlan::from_json(&serde_json::to_string(&document).unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&plan.to_json()).unwrap(), document);
    assert_eq!(SavedPlan::from_json(&plan.to_json()).unwrap(), plan);
}

/// What `execute` says to a plan with `from` replaced by `to`. It never gets as far as the database, which does not exist.
fn check_edited(from: &str, to: &str) -> String {
    let text = example_plan();
    assert!(text.contains(from), "{text}");
    let edited = text.replacen(from, to, 1);
    let args = "execute release.plan --yes --database host=/nowhere";
    let told = support::transcript(&run(&[("release.plan", edited.as_bytes())], args).1);
    let hex = |word: &&str| word.trim_end_matches(['(', ')', ',']).len() == 64;
    let digests: Vec<String> = told.split([' ', ',', ')']).filter(hex).map(str::to_owned).collect();
    digests.iter().fold(told, |told, digest| told.replace(digest, "<digest>"))
}

#[test]
fn edited_plans_are_refused() {
    assert_snapshot!(check_edited("DROP TABLE booking_notes", "DROP TABLE bookings"), @r"
    exit 6
    --- stderr
    error: release.plan: the plan was edited after it was saved (digest is <digest>, content has <digest>)
      help: make a new plan with `cutover plan -o FILE`
    ");
    assert_snapshot!(check_edited("\"format_version\": \"2.0\"", "\"format_version\": \"3.0\""), @r"
    exit 6
    --- stderr
    error: release.plan: the plan has format version 3.0, this cutover reads 2.5
      help: make a new plan with `cutover plan -o FILE`
    ");
    assert_snapshot!(check_edited("\"phase\": \"after\"", "\"phase\": \"soon\""), @r"
    exit 6
    --- stderr
    error: release.plan: the plan was edited after it was saved (digest is <digest>, content has <digest>)
      help: make a new plan with `cutover plan -o FILE`
    ");
    let tool = concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\"");
    assert_snapshot!(check_edited(tool, "\"version\": \"9.0.0\""), @r"
    exit 6
    --- stderr
    error: release.plan: the plan was made by cutover 9.0.0, this is 0.2.0
      help: make a new plan with `cutover plan -o FILE`
    ");
    assert_snapshot!(check_edited("{", "# not JSON\n{"), @r"
    exit 2
    --- stderr
    error: release.plan: not a cutover plan: expected value at line 1 column 1
      help: make a new plan with `cutover plan -o FILE`
    ");
    let (_, output) = run(&[], "execute release.plan --yes --database host=/nowhere");
    assert_snapshot!(support::transcript(&output), @r"
    exit 2
    --- stderr
    error: failed to open file `release.plan`: No such file or directory (os error 2)
    ");
}

/// What a tool's history keeps of a migration is of its file, and not of what placeholders make of it.
#[test]
fn a_plan_has_the_text_of_the_file() {
    let text = "CREATE TABLE ${name} (a int);\r\n-- ü\n";
    let files = [("m/V1__a.sql", text.as_bytes())];
    let (_folder, output) = run(&files, "plan m --convention flyway --placeholder name=made --format json");
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["migrations"]["pending"][0]["text"], text);
    assert_eq!(plan["steps"][0]["work"]["statements"][0]["sql"], "CREATE TABLE made (a int)");
}
