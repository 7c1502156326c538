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
    assert_snapshot!(check(&[], ""), @"");
    assert_snapshot!(check(&[("m", "a file")], ""), @"");
    assert_snapshot!(check(&[("m/README.md", "no migration")], ""), @"");
    assert_snapshot!(check(&[("m/sub/V1__a.txt", "no migration")], ""), @"");
}

#[test]
fn an_empty_folder() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("m")).unwrap();
    let output = support::cutover(directory.path()).args(["plan", "m"]).output().unwrap();
    assert_snapshot!(support::transcript(&output), @"");
}

#[test]
fn a_file_that_is_not_utf_8() {
    let latin_1 = b"CREATE TABLE t (a int);\nCOMMENT ON TABLE t IS 'caf\xe9';\n";
    let (_, output) = run(&[("m/V1__t.sql", latin_1)], "plan m");
    assert_snapshot!(support::transcript(&output), @"");
}

#[test]
fn versions_that_stand_twice() {
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE), ("m/V1__b.sql", TABLE)], ""), @"");
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE), ("m/V01__b.sql", TABLE)], ""), @"");
    assert_snapshot!(check(&[("m/1_a.sql", TABLE), ("m/01_b.sql", TABLE)], ""), @"");
    assert_snapshot!(check(&[("m/2024-01-01_a/up.sql", TABLE), ("m/20240101_b/up.sql", TABLE)], ""), @"");
}

#[test]
fn names_that_leave_the_convention_open() {
    // Names of two conventions.
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE), ("m/2_b.sql", TABLE)], ""), @"");
    assert_snapshot!(check(&[("m/2024-01-01_a/up.sql", TABLE), ("m/V2__b.sql", TABLE)], ""), @"");
    // `U` is a forward migration to one tool and an undo to another.
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE), ("m/U1__a.sql", "DROP TABLE t;")], ""), @"");
    // By number or by name?
    assert_snapshot!(check(&[("m/2_a.sql", TABLE), ("m/10_b.sql", "DROP TABLE t;")], ""), @"");
}

#[test]
fn folders_of_tools_that_are_not_read() {
    assert_snapshot!(check(&[("m/20240101_init/migration.sql", TABLE)], ""), @"");
    assert_snapshot!(check(&[("m/001_a.sql", "-- +goose Up\nCREATE TABLE t (a int);\n-- +goose Down\nDROP TABLE t;\n")], ""), @"");
    assert_snapshot!(check(&[("m/1_a.sql", "-- migrate:up\nCREATE TABLE t (a int);\n-- migrate:down\nDROP TABLE t;\n")], ""), @"");
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE), ("m/flyway.toml", "")], ""), @"");
    assert_snapshot!(check(&[("m/a.down.sql", TABLE), ("m/a.up.sql", TABLE)], ""), @"");
}

#[test]
fn sql_that_does_not_parse_is_opaque_and_the_rest_is_read() {
    assert_snapshot!(check(&[("m/V1__a.sql", "CREATE TABLE t (a int);\nALTER TABEL t ADD b int;\nCREATE TABLE u (a int);\n")], "--from none"), @"");
}

#[test]
fn a_quote_that_is_never_closed() {
    assert_snapshot!(check(&[("m/V1__a.sql", "CREATE TABLE t (a text DEFAULT 'x);\nCREATE TABLE u (a int);\n")], "--from none"), @"");
}

#[test]
fn commands_of_psql() {
    assert_snapshot!(check(&[("m/V1__a.sql", "\\set ON_ERROR_STOP on\nCREATE TABLE t (a int);\n")], "--from none"), @"");
}

#[test]
fn a_version_or_convention_that_is_not_there() {
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE), ("m/V2__b.sql", "ALTER TABLE t ADD b int;")], "--from 3"), @"");
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE)], "--convention liquibase"), @"");
}

#[test]
fn a_configuration_that_can_not_be_used() {
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE), ("m/cutover.toml", "[migrations]\nfrum = \"1\"\n")], ""), @"");
    assert_snapshot!(check(&[("m/V1__a.sql", TABLE), ("m/cutover.toml", "[apps.blue]\nqueries = \"nowhere\"\n")], ""), @"");
}

#[test]
fn a_query_that_can_not_be_read_is_told_and_counts_for_all_it_mentions() {
    let files = [
        ("m/V1__a.sql", "CREATE TABLE t (a int, b int);\n"),
        ("m/V2__b.sql", "ALTER TABLE t DROP COLUMN b;\n"),
        ("blue/q.sql", "-- name: odd\nSELECT FROM WHERE t;\n"),
        ("green/q.sql", "-- name: plain\nSELECT a FROM t;\n"),
    ];
    assert_snapshot!(check(&files, "--from 1 --blue blue --green green"), @"");
}

#[test]
fn files_as_editors_leave_them() {
    // A byte order mark, Windows line ends, no newline at the end; and a file with nothing in it.
    let files = [
        ("m/V1__a.sql", "\u{feff}CREATE TABLE t (\r\n    a int\r\n);\r\n"),
        ("m/V2__b.sql", "-- Later.\r\n"),
        ("m/V3__c.sql", "ALTER TABLE t ADD COLUMN b int"),
    ];
    assert_snapshot!(check(&files, "--from 1"), @"");
}

/// The exit codes of the README.
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
    assert_eq!(exit("--from none --convention plain"), 2, "no such version of a plain folder's");
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
    assert_snapshot!(output("nowhere/release.plan"), @"");
    assert_snapshot!(output("m"), @"");
    if cfg!(target_os = "linux") {
        // Read-only to everybody, root included; and a disk that is full.
        assert_snapshot!(output("/proc/release.plan"), @"");
        assert_snapshot!(output("/dev/full"), @"");
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
            "exit 2\n--- stderr\nerror: standard output can not be written: No space left on device (os error 28)",
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
    for entry in std::fs::read_dir(format!("{root}/migrations-examples")).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let output = support::cutover(root).arg("plan").arg(&path).args(["--format", "json"]).output().unwrap();
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let errors: Vec<_> = validator.iter_errors(&plan).map(|e| e.to_string()).collect();
        assert_eq!(errors, [""; 0], "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 12);
    let mut broken: serde_json::Value = serde_json::json!({ "format_version": "1.0" });
    assert!(!validator.is_valid(&broken));
    broken["steps"] = serde_json::json!("none");
    assert!(!validator.is_valid(&broken));
}

/// Plans that older builds saved. Add files, never change one: a reader of format 1 reads them all.
#[test]
fn old_plans_are_still_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/plan/1.0");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        match SavedPlan::from_json(&text) {
            // Nothing of it is lost.
            Ok(plan) => assert_eq!(plan.to_json(), text, "{}", path.display()),
            // Format and seal are right; it belongs to the build that wrote it.
            Err(SavedPlanError::ToolVersion { .. }) => {}
            Err(error) => panic!("{}: {error}", path.display()),
        }
        seen += 1;
    }
    assert!(seen >= 3);
}

/// What `execute` says to a plan with `from` replaced by `to`. It never gets as far as the database, which does not exist.
fn check_edited(from: &str, to: &str) -> String {
    let text = include_str!("../../fixtures/plan/1.0/10-mixed-file.json");
    assert!(text.contains(from));
    let edited = text.replacen(from, to, 1);
    let args = "execute release.plan --yes --database host=/nowhere";
    support::transcript(&run(&[("release.plan", edited.as_bytes())], args).1)
}

#[test]
fn edited_plans_are_refused() {
    assert_snapshot!(check_edited("DROP TABLE booking_notes", "DROP TABLE bookings"), @"");
    assert_snapshot!(check_edited("\"format_version\": \"1.0\"", "\"format_version\": \"2.0\""), @"");
    assert_snapshot!(check_edited("\"phase\": \"after\"", "\"phase\": \"soon\""), @"");
    assert_snapshot!(check_edited("{", "# not JSON\n{"), @"");
    let (_, output) = run(&[], "execute release.plan --yes --database host=/nowhere");
    assert_snapshot!(support::transcript(&output), @"");
}
