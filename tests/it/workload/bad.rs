//! What cannot be read is told by name, and nothing is lost.

use std::fmt::Write as _;
use std::time::Instant;

use super::load;

#[test]
fn templates_of_plain_files() {
    let text = "-- name: by_name :one\nSELECT * FROM users WHERE name = :name OR nick = :name;\n
-- name: built\nSELECT * FROM {table} WHERE id = $1;\n
-- name: page\nSELECT id FROM users LIMIT ? OFFSET ?;\n
-- name: python\nUPDATE users SET name = %(name)s WHERE id = %(id)s;\n
-- name: sqlc :exec\nDELETE FROM users WHERE id = sqlc.arg(id) AND org = @org;\n
-- name: mysql\nSELECT `a` FROM users;\n
-- name: nothing\nSELEC 1;";
    insta::assert_snapshot!(load(&[("q.sql", text)], "."), @r#"
    2:1 by_name: SELECT * FROM users WHERE name = $1 OR nick = $1
    5:1 built: SELECT * FROM {table} WHERE id = $1
    8:1 page: SELECT id FROM users LIMIT $1 OFFSET $2
    11:1 python: UPDATE users SET name = $1 WHERE id = $2
    14:1 sqlc: DELETE FROM users WHERE id = $1 AND org = $2
    17:1 mysql: SELECT `a` FROM users
    20:1 nothing: SELEC 1
    unread-query: query built cannot be read: its text is put together at run time (`{table}`)
    unread-query: query mysql cannot be read: Expected: an expression, found: `
    unread-query: query nothing cannot be read: Expected: an SQL statement, found: SELEC
    "#);
}

#[test]
fn the_source_has_to_be_clear() {
    let sqlx = r#"{"query": "SELECT 1", "describe": {}}"#;
    let both = [("a.sql", "SELECT 1"), (".sqlx/query-1.json", sqlx)];
    insta::assert_snapshot!(load(&both, "."), @"error: . may be read as queries that sqlx recorded or .sql files with queries; say which one: sqlx:., sql:.");
    insta::assert_snapshot!(load(&both, "sqlx:."), @"1:11 select f49509a4: SELECT 1");
    insta::assert_snapshot!(load(&both, "sql:."), @"1:1 a: SELECT 1");
    insta::assert_snapshot!(load(&[("a.txt", "x")], "."), @"error: . holds no queries that cutover knows; say what it is, for example sqlx:., sql:., sqlc:., prisma:., diesel:., rails:., workload:., log:.");
    insta::assert_snapshot!(load(&[], "nowhere"), @"error: nowhere does not exist: no queries to read");
    insta::assert_snapshot!(load(&[], "stat:postgres://h/d"), @"error: postgres://h/d is a live server; only the command can ask it");
}

#[test]
fn fifty_thousand_queries_load_in_linear_time() {
    let text = |count: usize| {
        let mut text = String::new();
        for i in 0..count {
            writeln!(
                text,
                "-- name: q{i}\nSELECT a, b{i} FROM t{} WHERE c = :c AND d IN (1, {i}) AND e ? 'x';",
                i % 100
            )
            .unwrap();
        }
        text
    };
    let time = |count: usize| {
        let text = text(count);
        let start = Instant::now();
        let (workload, diagnostics) = cutover::workload::Workload::from_text("q.sql", &text);
        assert_eq!((workload.queries.len(), diagnostics.len()), (count, 0));
        start.elapsed()
    };
    let (small, large) = (time(5_000), time(50_000));
    eprintln!("5,000 queries: {small:?}; 50,000: {large:?}");
    // Ten times as many; quadratic would be a hundred times as long.
    assert!(large < small * 40, "{small:?}, {large:?}");
}
