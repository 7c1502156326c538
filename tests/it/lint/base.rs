//! `--base`: only what is new, and what became of the rest.

use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;

use super::{USERS, brief, check, directory, write};

/// A repository on branch `feature`, whose `main` has the files.
fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = directory(files);
    git(directory.path(), &["init", "--quiet", "--initial-branch=main"]);
    commit(directory.path());
    git(directory.path(), &["checkout", "--quiet", "-b", "feature"]);
    directory
}

fn commit(directory: &Path) {
    git(directory, &["add", "."]);
    git(directory, &["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message=x"]);
}

fn git(directory: &Path, args: &[&str]) {
    let status = Command::new("git").arg("-C").arg(directory).args(args).status().unwrap();
    assert!(status.success(), "git {args:?}");
}

const OLD_INDEX: (&str, &str) = ("m/V2__index.sql", "CREATE INDEX users_name ON users (name);\n");
const NEW_INDEX: (&str, &str) = ("m/V3__index.sql", "CREATE INDEX users_age ON users (age);\n");

#[test]
fn what_the_base_has_is_not_looked_at() {
    let repository = repository(&[USERS, OLD_INDEX]);
    assert_snapshot!(check(repository.path(), "lint m --base main"), @"
    exit 0
    --- stdout
    Found nothing in 0 migrations (0 statements)
    ");
    write(repository.path(), &[NEW_INDEX]);
    assert_snapshot!(brief(repository.path(), "m --base main"), @"
    exit 0
    m/V3__index.sql:1 warning blocking-index-build
    ");
    commit(repository.path());
    assert_snapshot!(brief(repository.path(), "m --base main"), @"
    exit 0
    m/V3__index.sql:1 warning blocking-index-build
    ");
    assert_snapshot!(brief(repository.path(), "m --base HEAD~1"), @"
    exit 0
    m/V3__index.sql:1 warning blocking-index-build
    ");
}

#[test]
fn what_was_edited_or_removed_since_is_found() {
    let repository = repository(&[USERS, OLD_INDEX, ("m/README.md", "x")]);
    write(repository.path(), &[(USERS.0, "CREATE TABLE users (id bigint PRIMARY KEY, name text, age bigint);\n")]);
    std::fs::remove_file(repository.path().join(OLD_INDEX.0)).unwrap();
    std::fs::remove_file(repository.path().join("m/README.md")).unwrap();
    assert_snapshot!(check(repository.path(), "lint m --base main"), @"
    exit 1
    --- stdout
    CO503 migration-removed

      × main has m/V2__index.sql, and it was removed since
      help: put it back, and write a new migration that undoes it

    CO502 migration-edited

      × main has this migration, and it was edited since
       ╭─[m/V1__users.sql:1:1]
     1 │ CREATE TABLE users (id bigint PRIMARY KEY, name text, age bigint);
       · ▲
       · ╰── databases that applied it do not get the edit
       ╰────
      help: take the edit back, and write it as a new migration

    Found 2 errors in 0 migrations (0 statements)
    ");
}

#[test]
fn the_base_may_have_gone_on() {
    let repository = repository(&[USERS]);
    write(repository.path(), &[OLD_INDEX]);
    commit(repository.path());
    git(repository.path(), &["checkout", "--quiet", "main"]);
    write(repository.path(), &[NEW_INDEX]);
    commit(repository.path());
    git(repository.path(), &["checkout", "--quiet", "feature"]);
    // What main has got meanwhile is not removed here; but it is there before.
    assert_snapshot!(brief(repository.path(), "m --base main"), @"
    exit 0
    m/V2__index.sql:1 warning migration-out-of-order
    m/V2__index.sql:1 warning blocking-index-build
    ");
}

#[test]
fn two_branches_may_take_the_same_version() {
    let repository = repository(&[USERS]);
    write(repository.path(), &[("m/V2__mine.sql", "ALTER TABLE users ADD COLUMN mine int;\n")]);
    commit(repository.path());
    git(repository.path(), &["checkout", "--quiet", "main"]);
    write(repository.path(), &[("m/V2__theirs.sql", "ALTER TABLE users ADD COLUMN theirs int;\n")]);
    commit(repository.path());
    git(repository.path(), &["checkout", "--quiet", "feature"]);
    assert_snapshot!(check(repository.path(), "lint m --base main"), @"
    exit 0
    --- stdout
    CO504 migration-out-of-order

      ⚠ this is new and does not sort behind V2__theirs.sql, which main has
       ╭─[m/V2__mine.sql:1:1]
     1 │ ALTER TABLE users ADD COLUMN mine int;
       · ▲
       ╰────
      help: give it a version behind that one

    Found 1 warning in 1 migration (1 statement)
    ");
}

/// A plan to look at in a pull request, whatever database the environment names.
#[test]
fn a_plan_has_what_the_base_lacks() {
    let repository = repository(&[USERS, OLD_INDEX, ("cutover.toml", "[migrations]\nfolder = \"m\"\nfrom = \"1\"\n")]);
    write(repository.path(), &[NEW_INDEX]);
    let plan = |args: &str| {
        let mut command = super::cutover(repository.path());
        command.args(args.split(' ')).env("CUTOVER_DATABASE", "host=127.0.0.1 port=1");
        command.output().unwrap()
    };
    let output = plan("plan . --base main -o release.plan");
    let text = crate::support::transcript(&output);
    assert!(text.starts_with("exit 0\n"), "{text}");
    assert!(text.contains("cutover plan: 1 migration (3), 1 step, on top of 2\n"), "{text}");
    // A plan that is there has its base.
    let text = crate::support::transcript(&plan("report release.plan --base main"));
    assert!(text.starts_with("exit 2\n") && text.contains("release.plan is a saved plan"), "{text}");
    let text = crate::support::transcript(&plan("plan . --base main --from 1"));
    assert!(text.starts_with("exit 2\n"), "{text}");
    // What was edited since is read as the schema before the release, and said.
    write(repository.path(), &[(OLD_INDEX.0, "CREATE INDEX other ON users (id);\n")]);
    let text = crate::support::transcript(&plan("plan . --base main"));
    assert!(text.contains("edited") || text.contains("differs"), "{text}");
}

#[test]
fn a_hook_of_git_may_run_it() {
    let repository = repository(&[USERS]);
    write(repository.path(), &[OLD_INDEX]);
    let output = super::cutover(repository.path())
        .args(["lint", "m", "--base", "main"])
        .env("GIT_DIR", ".git")
        .env("GIT_INDEX_FILE", ".git/index")
        .output()
        .unwrap();
    let text = crate::support::transcript(&output);
    assert!(text.ends_with("Found 1 warning in 1 migration (1 statement)"), "{text}");
}

#[test]
fn a_base_that_is_none() {
    let repository = repository(&[USERS]);
    assert_snapshot!(check(repository.path(), "lint m --base nowhere"), @r#"
    exit 2
    --- stderr
    error: --base: git does not know "nowhere"
      help: fetch it first; GitHub's checkout action fetches one commit only, unless it has `fetch-depth: 0`
    "#);
    assert_snapshot!(check(repository.path(), "lint m --base=--all"), @r#"
    exit 2
    --- stderr
    error: --base: git does not know "--all"
      help: fetch it first; GitHub's checkout action fetches one commit only, unless it has `fetch-depth: 0`
    "#);
    let bare = directory(&[USERS]);
    assert_snapshot!(check(bare.path(), "lint m --base main"), @"
    exit 2
    --- stderr
    error: --base: m is not in a git repository (not a git repository (or any of the parent directories): .git)
      help: say what is applied with --from or --database instead
    ");
}
