//! The command: what it prints, how it ends, what `cutover.toml` says, where it runs.

use insta::assert_snapshot;

use super::{USERS, brief, check, directory, run};
use crate::support;

const INDEX: (&str, &str) = ("m/V2__index.sql", "CREATE INDEX users_name ON users (name);\n");

#[test]
fn a_finding_is_drawn_with_its_fix() {
    let directory = directory(&[USERS, INDEX]);
    assert_snapshot!(check(directory.path(), "lint m --from 1"), @"
    exit 0
    --- stdout
    CO403 blocking-index-build

      ⚠ CREATE INDEX on users (users_name) builds an index under a lock (SHARE) that blocks writers
       ╭─[m/V2__index.sql:1:1]
     1 │ CREATE INDEX users_name ON users (name);
       · ───────────────────────────────────────
       ╰────
      help: CREATE INDEX CONCURRENTLY lets writers go on; cutover runs it outside a transaction
      fix: Let writers go on while it runs (to be looked at)
        --- m/V2__index.sql
        +++ m/V2__index.sql
        @@ -1 +1 @@
        -CREATE INDEX users_name ON users (name);
        +CREATE INDEX CONCURRENTLY users_name ON users (name);

    Found 1 warning in 1 migration (1 statement)
    ");
}

#[test]
fn nothing_found_is_said_too() {
    let directory = directory(&[USERS]);
    assert_snapshot!(check(directory.path(), "lint m"), @"
    exit 0
    --- stdout
    Found nothing in 1 migration (1 statement)
    ");
}

#[test]
fn without_a_base_each_migration_is_a_release_of_its_own() {
    let rename = ("m/V3__rename.sql", "ALTER TABLE users RENAME COLUMN name TO full_name;\n");
    let directory = directory(&[USERS, INDEX, rename]);
    assert_snapshot!(brief(directory.path(), "m"), @"
    exit 1
    m/V2__index.sql:1 warning blocking-index-build
    m/V3__rename.sql:1 error incompatible-change
    ");
    // As one release on an empty database, nobody has ever used any of it.
    assert_snapshot!(brief(directory.path(), "m --from none"), @"exit 0");
}

#[test]
fn several_folders_are_one_report() {
    let other = [("n/1_users.sql", USERS.1), ("n/2_index.sql", INDEX.1)];
    let directory = directory(&[USERS, INDEX, other[0], other[1]]);
    assert_snapshot!(brief(directory.path(), "m n"), @"
    exit 0
    m/V2__index.sql:1 warning blocking-index-build
    n/2_index.sql:1 warning blocking-index-build
    ");
}

#[test]
fn what_fails_is_for_the_team_to_say() {
    let directory = directory(&[USERS, INDEX]);
    let exit = |args: &str| support::exit(&run(directory.path(), format!("lint m {args}").trim_end()));
    assert_eq!((exit(""), exit("--fail-on warning"), exit("--fail-on never")), (0, 1, 0));
    std::fs::write(directory.path().join("m/cutover.toml"), "[lint]\nfail-on = \"warning\"\n").unwrap();
    assert_eq!((exit(""), exit("--fail-on error")), (1, 0));
    let rules = "[lint.rules]\nblocking-index-build = \"error\"\n";
    std::fs::write(directory.path().join("m/cutover.toml"), rules).unwrap();
    assert_eq!((exit(""), exit("--fail-on never")), (1, 0));
    let rules = "[lint]\nfail-on = \"warning\"\n[lint.rules]\nblocking-index-build = \"allow\"\n";
    std::fs::write(directory.path().join("m/cutover.toml"), rules).unwrap();
    assert_eq!(exit(""), 0);
}

#[test]
fn what_can_not_be_used_is_said_with_its_place() {
    let directory = directory(&[USERS, ("m/cutover.toml", "[lint.rules]\nblocking-index = \"error\"\n")]);
    assert_snapshot!(check(directory.path(), "lint m"), @"
    exit 2
    --- stderr
    error: m/cutover.toml:2:1: there is no rule `blocking-index`; did you mean `blocking-index-build`?
    ");
    assert_snapshot!(check(directory.path(), "lint n"), @"
    exit 2
    --- stderr
    error: n does not exist
    ");
    assert_snapshot!(check(directory.path(), "lint m --report sarif"), @"
    exit 2
    --- stderr
    error: invalid value 'sarif' for '--report <FORMAT=FILE>': write FORMAT=FILE, such as sarif=lint.sarif

    For more information, try '--help'.
    ");
    assert_snapshot!(check(directory.path(), "explain blocking-index"), @r#"
    exit 2
    --- stderr
    error: there is no code "blocking-index"
      help: did you mean "blocking-index-build"? `cutover explain` lists them all
    "#);
}

#[test]
fn in_a_workflow_of_github_the_pull_request_is_annotated() {
    let directory = directory(&[("shop/m/V1__users.sql", USERS.1), ("shop/m/V2__index.sql", INDEX.1)]);
    let summary = directory.path().join("summary.md");
    std::fs::write(&summary, "before\n").unwrap();
    let output = super::cutover(&directory.path().join("shop"))
        .args(["lint", "m", "--from", "1"])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_WORKSPACE", directory.path())
        .env("GITHUB_STEP_SUMMARY", &summary)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let annotations: Vec<_> = text.lines().filter(|line| line.starts_with("::")).collect();
    assert_snapshot!(annotations.join("\n"), @"::warning title=CO403 blocking-index-build,file=shop/m/V2__index.sql,line=1,col=1::CREATE INDEX on users (users_name) builds an index under a lock (SHARE) that blocks writers%0Ahelp: CREATE INDEX CONCURRENTLY lets writers go on; cutover runs it outside a transaction");
    let summary = std::fs::read_to_string(summary).unwrap();
    assert!(summary.starts_with("before\n<!-- cutover:lint -->\n"), "{summary}");
}

#[test]
fn reports_go_where_they_are_sent() {
    let directory = directory(&[USERS, INDEX]);
    let output = run(
        directory.path(),
        "lint m --output out.txt --report sarif=a.sarif --report junit=b.xml --report json=c.json",
    );
    assert!(output.stdout.is_empty(), "{}", support::transcript(&output));
    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
    assert!(read("out.txt").contains("Found 1 warning in 2 migrations (2 statements)"));
    assert!(
        read("a.sarif").contains("\"2.1.0\"")
            && read("b.xml").contains("<testsuites")
            && read("c.json").contains("CO403")
    );
}

#[test]
fn every_rule_is_listed_and_has_a_page() {
    let directory = directory(&[USERS]);
    let listed = |format: &str| run(directory.path(), &format!("rules --format {format}")).stdout;
    let rules: Vec<serde_json::Value> = serde_json::from_slice(&listed("json")).unwrap();
    let text = String::from_utf8(listed("text")).unwrap();
    assert_eq!(rules.len(), text.lines().count());
    for rule in rules {
        let (code, name) = (rule["code"].as_str().unwrap(), rule["name"].as_str().unwrap());
        assert!(text.contains(name), "{name}");
        let page = check(directory.path(), &format!("explain {name}"));
        assert!(page.starts_with(&format!("exit 0\n--- stdout\n# {code} {name}\n")), "{page}");
    }
}

#[test]
fn the_page_of_a_rule() {
    let directory = directory(&[USERS]);
    assert_snapshot!(check(directory.path(), "explain co403"), @"
    exit 0
    --- stdout
    # CO403 blocking-index-build

    The statement builds an index under a lock that blocks writers. Severity: warning.

    ## What it does

    Reports an index that is built on a table of production without CONCURRENTLY, by CREATE INDEX, REINDEX, or a UNIQUE or PRIMARY KEY constraint.

    ## Why is this bad

    Nobody writes the table until the index is built; a constraint keeps readers out, too.

    ## Example

    ```sql
    -- in production
    CREATE TABLE users (id bigint PRIMARY KEY, name text);

    -- the release
    CREATE INDEX users_name ON users (name);
    ```

    ## Use instead

    ```sql
    -- in production
    CREATE TABLE users (id bigint PRIMARY KEY, name text);

    -- the release
    CREATE INDEX CONCURRENTLY users_name ON users (name);
    ```

    ## Allow

    On the line before the statement: `-- cutover: allow(blocking-index-build) <reason>`

    ## References

    - https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
    ");
}

#[test]
fn the_table_of_rules_is_up_to_date() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("RULES.md");
    let document = format!(
        "# Rules\n\nWritten by `cutover rules --format markdown`; `cutover explain CODE` prints the page of one. After a change of a rule:\n`UPDATE_RULES=1 cargo test --test it table_of_rules`.\n\n{}",
        cutover::report::lint::table()
    );
    if std::env::var_os("UPDATE_RULES").is_some() {
        std::fs::write(&path, &document).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), document);
}
