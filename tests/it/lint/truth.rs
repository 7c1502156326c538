//! What rules and fixes claim, on a real PostgreSQL.

use camino::Utf8PathBuf;
use cutover::diagnostic::Fix;
use cutover::lint::{Case, find, fix};
use cutover::migrations::{Convention, Folder};
use cutover::plan::{Request, plan};
use cutover::postgres::introspect;
use cutover::schema::Schema;
use cutover::sql;

use crate::support;

fn example(rule: &str) -> &'static Case {
    find(rule).unwrap().docs.example.as_ref().unwrap()
}

/// What PostgreSQL says to a script, statement by statement, and the catalog that it leaves.
async fn run(scripts: &[&str]) -> (Option<String>, Schema) {
    let session = support::database().await.connect().await;
    let mut refused = None;
    for script in scripts {
        let mut sources = cutover::source::Sources::new();
        let file = sources.add("script.sql", *script);
        for statement in sql::read(&sources, file).0 {
            let done = session.batch_execute(sources.slice(statement.span)).await;
            refused = refused.or(done.err().map(|error| support::message(&error)));
        }
    }
    let schema = introspect(&session).await.unwrap();
    (refused, schema)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_fail_fails() {
    for (rule, message) in [
        ("concurrent-index-on-partitioned", "cannot create index on partitioned table"),
        ("refresh-without-unique-index", "cannot refresh materialized view"),
        ("server-refuses", "other objects depend on it"),
    ] {
        let rule = find(rule).unwrap();
        let (example, instead) = (rule.docs.example.as_ref().unwrap(), rule.docs.instead.as_ref().unwrap());
        let (refused, _) = run(&[example.applied, example.pending]).await;
        assert!(refused.as_ref().is_some_and(|m| m.contains(message)), "{}: {refused:?}", rule.code.name);
        assert_eq!(run(&[instead.applied, instead.pending]).await.0, None, "{}", rule.code.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_whose_column_is_gone_fails_when_it_is_called() {
    let case = example("function-body-breaks");
    assert_eq!(run(&[case.applied, case.pending]).await.0, None);
    let (refused, _) = run(&[case.applied, case.pending, "SELECT name_of(1)"]).await;
    assert!(refused.as_ref().is_some_and(|m| m.contains("column \"name\" does not exist")), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cascade_takes_what_it_is_said_to_take() {
    let case = example("cascade-takes-more");
    let (refused, schema) = run(&[case.applied, case.pending]).await;
    assert_eq!((refused, schema.relations().count()), (None, 0));
}

/// The fixes of a release.
fn fixes(applied: &str, pending: &str) -> Vec<(Fix, String)> {
    let files = [("a.sql", applied), ("b.sql", pending)];
    let files = files.map(|(path, text)| (Utf8PathBuf::from(path), text.to_owned()));
    let folder = Folder::from_files(Convention::Plain, files).unwrap();
    let after = folder.pending_after(Some("a")).unwrap();
    let planned = plan(Request::new(&folder, &after));
    let fixes = planned.diagnostics.into_iter().filter_map(|d| d.fix);
    fixes.map(|fix| (fix.clone(), fix::preview(&fix, &planned.sources).unwrap().1)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fix_ends_in_the_same_schema() {
    let applied = "CREATE TABLE teams (id bigint PRIMARY KEY);\nCREATE TABLE users (id bigint PRIMARY KEY, name text, team bigint);\nCREATE INDEX by_name ON users (name);\nINSERT INTO users VALUES (1, 'a', NULL);";
    for pending in [
        "ALTER TABLE users ADD CONSTRAINT named CHECK (name <> '');",
        "ALTER TABLE users ADD CONSTRAINT member FOREIGN KEY (team) REFERENCES teams ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;",
        "ALTER TABLE ONLY users ADD CONSTRAINT \"Named\" CHECK (name <> '') -- a comment",
        "ALTER TABLE users ALTER name SET NOT NULL;",
        "CREATE UNIQUE INDEX u ON users (name) WHERE team > 0;",
        "DROP INDEX by_name;",
    ] {
        let fixes = fixes(applied, pending);
        let [(_, fixed)] = fixes.as_slice() else { panic!("{} fixes of {pending}", fixes.len()) };
        let (plain, instead) = (run(&[applied, pending]).await, run(&[applied, fixed]).await);
        assert_eq!((&plain.0, &instead.0), (&None, &None), "{fixed}");
        assert_eq!(plain.1.differences(&instead.1), [""; 0], "{fixed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_database_has_applied_is_not_looked_at() {
    let database = support::database().await;
    let session = database.connect().await;
    // The catalog counts, and not what the files say of it.
    session
        .batch_execute(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text, made_by_hand int);
             CREATE TABLE refinery_schema_history (version int PRIMARY KEY, name text, applied_on text, checksum text);
             INSERT INTO refinery_schema_history VALUES (1, 'users', 'x', '1')",
        )
        .await
        .unwrap();
    let setting = async |name: &str| session.query(&format!("SHOW {name}"), &[]).await.unwrap()[0].get::<_, String>(0);
    let directory =
        super::directory(&[super::USERS, ("m/V2__index.sql", "CREATE INDEX by_hand ON users (made_by_hand);\n")]);
    let output = super::cutover(directory.path())
        .args(["lint", "m", "--database", &format!("dbname={}", database.target.database())])
        .env("PGHOST", setting("unix_socket_directories").await)
        .env("PGPORT", setting("port").await)
        .env("PGUSER", database.target.user())
        .output()
        .unwrap();
    let text = support::transcript(&output);
    assert!(text.contains("CREATE INDEX on users (by_hand) builds an index"), "{text}");
    assert!(text.ends_with("Found 1 warning in 1 migration (1 statement)"), "{text}");
}
