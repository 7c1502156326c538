//! `-- cutover: allow(…)`: what it silences, and what is said about it.

use camino::Utf8PathBuf;
use cutover::migrations::{Convention, Folder};
use cutover::plan::saved::Verdict;
use cutover::plan::{Planned, Request, plan};

fn planned(pending: &str) -> Planned {
    let files = [("V1__base.sql", "CREATE TABLE users (id bigint PRIMARY KEY, name text);"), ("V2__new.sql", pending)];
    let files = files.map(|(path, text)| (Utf8PathBuf::from(path), text.to_owned()));
    let folder = Folder::from_files(Convention::Refinery, files).unwrap();
    let pending = folder.pending_after(Some("1")).unwrap();
    plan(Request::new(&folder, &pending))
}

/// The findings, then the allowed ones with their reasons.
#[track_caller]
fn check(pending: &str, expected: &[&str]) {
    let planned = planned(pending);
    let told = planned.diagnostics.iter().map(|d| format!("{}: {}", d.code.name, d.message));
    let allowed = planned.allowed.iter().map(|a| format!("allowed {}: {}", a.diagnostic.code.name, a.reason));
    assert_eq!(told.chain(allowed).collect::<Vec<_>>(), expected);
}

#[test]
fn it_silences_the_named_rules_of_its_statement() {
    check(
        "-- cutover: allow(table-rewrite) ten rows\nALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid();",
        &["allowed table-rewrite: ten rows"],
    );
    check(
        "-- cutover: allow(blocking-index-build, table-rewrite, may-need-arbiter) ten rows\nALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid(), ADD UNIQUE (name);",
        &[
            "allowed table-rewrite: ten rows",
            "allowed may-need-arbiter: ten rows",
            "allowed blocking-index-build: ten rows",
        ],
    );
    check(
        "-- cutover: allow(blocking-index-build) ten rows\nCREATE INDEX ON users (name);\nCREATE INDEX ON users (id);",
        &[
            "blocking-index-build: CREATE INDEX on users builds an index under a lock (SHARE) that blocks writers",
            "allowed blocking-index-build: ten rows",
        ],
    );
}

#[test]
fn at_the_top_it_silences_the_whole_file() {
    check(
        "-- cutover: allow-file(blocking-index-build) ten rows\n\nCREATE INDEX ON users (name);\nCREATE INDEX ON users (id);",
        &["allowed blocking-index-build: ten rows", "allowed blocking-index-build: ten rows"],
    );
    check(
        "CREATE TABLE t (a int);\n-- cutover: allow-file(blocking-index-build) ten rows\nCREATE TABLE u (a int);",
        &["bad-directive: `allow-file` goes before the first statement of the file"],
    );
}

#[test]
fn what_is_wrong_with_it_is_a_finding() {
    let index = "CREATE INDEX CONCURRENTLY ON users (name);";
    check(
        &format!("-- cutover: allow(blocking-index-build) small\n{index}"),
        &["unused-allow: nothing to allow: `blocking-index-build` is not found in the statement after it"],
    );
    check(
        &format!("-- cutover: allow-file(table-rewrite) small\n{index}"),
        &["unused-allow: nothing to allow: `table-rewrite` is not found in this file"],
    );
    check(&format!("-- cutover: allow(CO403) small\n{index}"), &["unknown-allow: there is no rule `CO403`"]);
    check(
        &format!("-- cutover: allow(blocking-index-build)\n{index}"),
        &["allow-without-reason: `allow(blocking-index-build)` needs a reason after it"],
    );
    check(
        &format!("-- cutover: allow blocking-index-build\n{index}"),
        &["bad-directive: `allow` names its rules in parentheses: `allow(table-rewrite) <reason>`"],
    );
    check(
        &format!("{index}\n-- cutover: allow(blocking-index-build) small"),
        &["bad-directive: a `cutover:` comment goes before its statement, and none follows"],
    );
    check(
        &format!("{index} -- cutover: after blue\nCREATE TABLE t (a int);"),
        &["bad-directive: a `cutover:` comment goes before its statement, on a line of its own"],
    );
}

#[test]
fn what_breaks_a_version_can_not_be_allowed() {
    let pending = "-- cutover: allow(opaque-statement) harmless\nDO $$ BEGIN END $$;";
    check(
        pending,
        &[
            "not-allowable: `opaque-statement` cannot be allowed: the plan would break all the same",
            "opaque-statement: what this DO block does cannot be known from its text",
        ],
    );
    assert_eq!(planned(pending).plan.verdict, Verdict::Unsafe);
}

#[test]
fn a_statement_that_is_said_to_fail_can_be_allowed() {
    let pending = "CREATE VIEW names AS SELECT name FROM users;\n-- cutover: allow(server-refuses) a rule of ours drops the view\nDROP TABLE users;";
    check(pending, &["allowed server-refuses: a rule of ours drops the view"]);
}
