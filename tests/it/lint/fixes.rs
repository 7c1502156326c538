//! `--fix`: what is safe, once, in the pending files only.

use insta::assert_snapshot;

use super::{brief, directory, run};

/// Runs `--fix` on a second migration and holds the file against `expected`; a second run changes nothing.
#[track_caller]
fn check(names: [&str; 2], pending: &str, expected: &str) {
    let base = "CREATE TABLE users (id bigint PRIMARY KEY, name text, age int, boss bigint);\nCREATE INDEX by_age ON users (age);\nCREATE TABLE parts (id bigint, at date) PARTITION BY RANGE (at);\n";
    let paths = names.map(|name| format!("m/{name}"));
    let directory = directory(&[(&paths[0], base), (&paths[1], pending)]);
    let read = |path: &str| std::fs::read_to_string(directory.path().join(path)).unwrap();
    for _ in 0..2 {
        let from = if names == PLAIN { "a" } else { "1" };
        run(directory.path(), &format!("lint m --from {from} --fix --fail-on never"));
        assert_eq!(read(&paths[1]), expected);
        assert_eq!(read(&paths[0]), base, "a migration that is applied");
    }
}

const REFINERY: [&str; 2] = ["V1__base.sql", "V2__new.sql"];
const SQLX: [&str; 2] = ["1_base.sql", "2_new.sql"];
const PLAIN: [&str; 2] = ["a.sql", "b.sql"];

#[test]
fn constraints_check_old_rows_in_a_statement_of_their_own() {
    check(
        REFINERY,
        "ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17);\nALTER TABLE users ADD CONSTRAINT \"Boss\" FOREIGN KEY (boss) REFERENCES users (id) ON DELETE CASCADE -- a note\n;",
        "ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17) NOT VALID;\nALTER TABLE users VALIDATE CONSTRAINT adult;\nALTER TABLE users ADD CONSTRAINT \"Boss\" FOREIGN KEY (boss) REFERENCES users (id) ON DELETE CASCADE NOT VALID;\nALTER TABLE users VALIDATE CONSTRAINT \"Boss\" -- a note\n;",
    );
    // Without a name, on a partitioned table, or beside another sub-command: left to its author.
    for pending in [
        "ALTER TABLE users ADD CHECK (age > 17);\n",
        "ALTER TABLE parts ADD CONSTRAINT c CHECK (id > 0);\n",
        "ALTER TABLE users ADD COLUMN a int, ADD CONSTRAINT adult CHECK (age > 17);\n",
    ] {
        check(REFINERY, pending, pending);
    }
}

#[test]
fn indexes_go_concurrently_where_every_tool_can_run_it() {
    let index = "CREATE INDEX /* INDEX */ i ON users (name);\n";
    check(PLAIN, index, "CREATE INDEX CONCURRENTLY /* INDEX */ i ON users (name);\n");
    check(SQLX, index, "-- no-transaction\nCREATE INDEX CONCURRENTLY /* INDEX */ i ON users (name);\n");
    check(SQLX, "-- no-transaction\nDROP INDEX by_age;\n", "-- no-transaction\nDROP INDEX CONCURRENTLY by_age;\n");
    // In a transaction of the tool it would fail.
    check(REFINERY, index, index);
    let two = "CREATE INDEX i ON users (name);\nCREATE INDEX j ON users (boss);\n";
    check(SQLX, two, two);
    // A failed build would leave an index that refuses rows, or one that IF NOT EXISTS keeps.
    for doubtful in ["CREATE UNIQUE INDEX i ON users (name);\n", "CREATE INDEX IF NOT EXISTS i ON users (name);\n"] {
        check(PLAIN, doubtful, doubtful);
    }
}

#[test]
fn a_link_stays_a_link_and_a_file_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt as _;
    let pending = "ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17);\n";
    let directory = directory(&[("m/V1__base.sql", "CREATE TABLE users (age int);\n"), ("elsewhere.sql", pending)]);
    let (link, target) = (directory.path().join("m/V2__new.sql"), directory.path().join("elsewhere.sql"));
    std::os::unix::fs::symlink(&target, &link).unwrap();
    std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).unwrap();
    run(directory.path(), "lint m --from 1 --fix");
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(std::fs::read_to_string(&target).unwrap().contains("NOT VALID"));
    assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn lines_end_as_they_do_in_the_file() {
    let pending = "ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17);\r\n";
    check(
        REFINERY,
        pending,
        "ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17) NOT VALID;\r\nALTER TABLE users VALIDATE CONSTRAINT adult;\r\n",
    );
}

#[test]
fn nothing_is_edited_that_may_be_applied() {
    let directory = directory(&[("m/V1__base.sql", "CREATE TABLE users (age int);\n")]);
    assert_snapshot!(super::check(directory.path(), "lint m --fix"), @"
    exit 2
    --- stderr
    error: --fix changes pending migrations, and nothing says which are pending
      help: say it with --base, --from or --database; a migration that is applied must stay as it is
    ");
}

#[test]
fn what_is_fixed_is_not_found_again() {
    let pending = "ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17);\n";
    let directory = directory(&[("m/V1__base.sql", "CREATE TABLE users (age int);\n"), ("m/V2__new.sql", pending)]);
    assert_eq!(brief(directory.path(), "m --from 1"), "exit 0\nm/V2__new.sql:1 warning blocking-scan\n");
    assert_eq!(brief(directory.path(), "m --from 1 --fix"), "exit 0\n");
}
