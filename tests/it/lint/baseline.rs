//! `--write-baseline` and `--baseline`: an old repository begins with what it has.

use insta::assert_snapshot;

use super::{USERS, brief, check, directory, write};

const INDEX: &str = "CREATE INDEX users_name ON users (name);\n";

#[test]
fn what_was_there_is_not_told_wherever_it_moves() {
    let directory = directory(&[USERS, ("m/V2__index.sql", INDEX)]);
    assert_snapshot!(check(directory.path(), "lint m --write-baseline known.json"), @"
    exit 0
    --- stderr
    Wrote 1 finding to known.json: Found 1 warning in 2 migrations (2 statements)
    ");
    assert_snapshot!(std::fs::read_to_string(directory.path().join("known.json")).unwrap(), @r#"
    {
      "format_version": "1.0",
      "findings": [
        {
          "path": "V2__index.sql",
          "code": "CO403",
          "name": "blocking-index-build",
          "fingerprint": "5e4bc9796927372ab9704bd03c1e98eb"
        }
      ]
    }
    "#);
    assert_snapshot!(check(directory.path(), "lint m --baseline known.json"), @"
    exit 0
    --- stdout
    Found nothing in 2 migrations (2 statements), 1 in the baseline
    ");
    // Other lines, other white space.
    let moved =
        "-- some words\n\nCREATE INDEX users_name\n    ON users (name);\nCREATE INDEX users_age ON users (age);\n";
    write(directory.path(), &[("m/V2__index.sql", moved)]);
    assert_snapshot!(brief(directory.path(), "m --baseline known.json"), @"
    exit 0
    m/V2__index.sql:5 warning blocking-index-build
    ");
    // The same from elsewhere.
    assert_snapshot!(brief(&directory.path().join("m"), ". --baseline ../known.json"), @"
    exit 0
    ./V2__index.sql:5 warning blocking-index-build
    ");
}

#[test]
fn the_same_text_twice_is_two_findings() {
    let twice = "CREATE INDEX ON users (name);\n".repeat(2);
    let directory = directory(&[USERS, ("m/V2__index.sql", &twice)]);
    check(directory.path(), "lint m --write-baseline known.json");
    assert_snapshot!(brief(directory.path(), "m --baseline known.json"), @"exit 0");
    write(directory.path(), &[("m/V2__index.sql", &format!("{twice}CREATE INDEX ON users (name);\n"))]);
    assert_snapshot!(brief(directory.path(), "m --baseline known.json"), @"
    exit 0
    m/V2__index.sql:3 warning blocking-index-build
    ");
}

#[test]
fn entries_that_no_longer_occur_are_told() {
    let directory = directory(&[USERS, ("m/V2__index.sql", INDEX)]);
    check(directory.path(), "lint m --write-baseline known.json");
    write(directory.path(), &[("m/V2__index.sql", "CREATE INDEX CONCURRENTLY users_name ON users (name);\n")]);
    assert_snapshot!(check(directory.path(), "lint m --baseline known.json"), @"
    exit 0
    --- stdout
    CO505 stale-baseline

      ☞ 1 baseline entry no longer occurs: blocking-index-build in V2__index.sql
      help: write the baseline anew with --write-baseline, so that it can only shrink

    Found 1 info in 2 migrations (2 statements)
    ");
    // Of files that are not looked at nothing is known.
    write(directory.path(), &[("m/V3__more.sql", "CREATE TABLE t (a int);\n")]);
    assert_snapshot!(brief(directory.path(), "m --from 2 --baseline known.json"), @"exit 0");
}

#[test]
fn a_baseline_that_can_not_be_used() {
    let directory = directory(&[USERS, ("v9.json", r#"{ "format_version": "9.0", "entries": 3 }"#), ("no.json", "{")]);
    assert_snapshot!(check(directory.path(), "lint m --baseline v9.json"), @"
    exit 2
    --- stderr
    error: v9.json: its format is 9.0, and this release reads 1.0
    ");
    assert_snapshot!(check(directory.path(), "lint m --baseline no.json"), @"
    exit 2
    --- stderr
    error: no.json: EOF while parsing an object at line 1 column 1
    ");
    assert_snapshot!(check(directory.path(), "lint m --baseline nowhere.json"), @"
    exit 2
    --- stderr
    error: failed to open file `nowhere.json`: No such file or directory (os error 2)
      help: write it first: cutover lint … --write-baseline nowhere.json
    ");
}
