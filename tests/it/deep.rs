//! What is nested deeply: in migrations, queries, checks, and everything else that is read. Each is read in a process of its own, where a stack
//! that overflows is an end by a signal.

use crate::support::cutover;

/// Runs a command on files and gives what it said; a process that a signal ended fails the test.
fn run(what: &str, files: &[(&str, String)], args: &[&str]) -> (i32, String) {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let output = cutover(directory.path()).args(args).output().unwrap();
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let code = output.status.code();
    assert!(code.is_some(), "{what} ended by a signal: {:?} {}", output.status, &text[..text.len().min(400)]);
    (code.unwrap(), text)
}

const BASE: &str = "CREATE TABLE t (id int PRIMARY KEY, a int, b text);";

fn chain(part: &str, by: &str, times: usize) -> String {
    vec![part; times].join(by)
}

/// Expressions, deep in each of the ways that there are.
fn expressions(times: usize) -> Vec<(&'static str, String)> {
    let repeat = |text: &str| text.repeat(times);
    vec![
        ("or", chain("a = 1", " OR ", times)),
        ("and", chain("a = 1", " AND ", times)),
        ("sums", format!("{} > 0", chain("a", " + ", times))),
        ("strings", format!("{} = 'x'", chain("b", " || ", times))),
        ("casts", format!("a{} = 1", repeat("::int"))),
        ("parentheses", format!("{}a = 1{}", repeat("("), repeat(")"))),
        ("not", format!("{}a = 1", repeat("NOT "))),
        ("minus", format!("{}1 = a", repeat("- "))),
        ("is null", format!("a{}", repeat(" IS NULL"))),
        ("subscripts", format!("(ARRAY[a]){} = 1", repeat("[1]"))),
        ("calls", format!("{}a{} = 1", repeat("abs("), repeat(")"))),
        ("case", format!("{}a{} = 1", repeat("CASE WHEN true THEN "), repeat(" END"))),
        ("subqueries", format!("{}a{} = 1", repeat("(SELECT "), repeat(")"))),
        ("collations", format!("b{} = 'x'", repeat(" COLLATE \"C\""))),
        ("mixed", chain("(a = 1 AND (b || 'x' = 'y' OR a IS NULL))", " OR ", times)),
    ]
}

#[test]
fn deep_migrations() {
    for times in [300, 5_000] {
        for (what, expression) in expressions(times) {
            let statements = format!(
                "CREATE VIEW v AS SELECT id FROM t WHERE {expression};\nALTER TABLE t ADD CONSTRAINT c CHECK ({expression}) NOT VALID;\n
                 CREATE INDEX i ON t (id) WHERE {expression};\nUPDATE t SET a = 1 WHERE {expression};\nALTER TABLE t ADD COLUMN z int;\n"
            );
            let files = [("m/V1__b.sql", BASE.to_owned()), ("m/V2__p.sql", statements)];
            let (code, text) = run(what, &files, &["plan", "m", "--from", "1"]);
            assert!(code < 2, "{what} {times}: {text}");
        }
    }
}

#[test]
fn deep_queries() {
    for times in [300, 5_000] {
        for (what, expression) in expressions(times) {
            let query = format!("-- name: q\nSELECT id FROM t WHERE {expression};\n-- name: other\nSELECT b FROM t;\n");
            let files = [
                ("m/V1__b.sql", BASE.to_owned()),
                ("m/V2__p.sql", "ALTER TABLE t DROP COLUMN a;".to_owned()),
                ("blue/q.sql", query.clone()),
                ("green/q.sql", query),
            ];
            let (code, text) = run(what, &files, &["plan", "m", "--from", "1", "--blue", "blue", "--green", "green"]);
            assert!(code < 2, "{what} {times}: {text}");
        }
    }
}

/// A view of 5,000 UNION ALLs has the columns of its first SELECT.
#[test]
fn long_unions_and_joins() {
    let union = chain("SELECT id, a FROM t", " UNION ALL ", 5000);
    let joins =
        format!("SELECT t.id FROM t {}", (0..3000).map(|i| format!("JOIN t AS t{i} ON true ")).collect::<String>());
    for (what, view) in [
        ("union", union),
        ("joins", joins),
        ("nested", format!("SELECT id FROM {}t{}", "(SELECT * FROM ".repeat(3000), ") x".repeat(3000))),
    ] {
        let view = format!("CREATE VIEW v AS {view};\n");
        let files =
            [("m/V1__b.sql", format!("{BASE}\n{view}")), ("m/V2__p.sql", "ALTER TABLE t ADD COLUMN z int;".to_owned())];
        let (code, text) = run(what, &files, &["plan", "m", "--from", "1"]);
        assert_eq!(code, 0, "{what}: {text}");
        let files = [("m/V1__b.sql", BASE.to_owned()), ("m/V2__p.sql", view)];
        let (code, text) = run(what, &files, &["lint", "m", "--from", "1"]);
        assert!(code < 2, "{what}: {text}");
    }
}

/// What is deep is understood as far as it matters.
#[test]
fn a_long_chain_is_read() {
    let query = format!("-- name: q\nSELECT id FROM t WHERE {} OR a = 2;\n", chain("b = 'x'", " OR ", 10_000));
    let files = [
        ("m/V1__b.sql", BASE.to_owned()),
        ("m/V2__p.sql", "ALTER TABLE t DROP COLUMN a;".to_owned()),
        ("blue/q.sql", query),
        ("green/q.sql", "-- name: g\nSELECT id FROM t;".to_owned()),
    ];
    let (code, text) =
        run("or", &files, &["plan", "m", "--from", "1", "--blue", "blue", "--green", "green", "--format", "json"]);
    assert_eq!(code, 0, "{text}");
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(plan["steps"][0]["phase"], "after", "{text}");
    assert_eq!(plan["steps"][0]["evidence"][0]["query"], "q", "{text}");
    let union = format!("-- name: q\n{} UNION ALL SELECT a FROM t;\n", chain("SELECT id FROM t", " UNION ALL ", 5_000));
    let files = [
        ("m/V1__b.sql", BASE.to_owned()),
        ("m/V2__p.sql", "ALTER TABLE t DROP COLUMN a;".to_owned()),
        ("blue/q.sql", union),
        ("green/q.sql", "-- name: g\nSELECT id FROM t;".to_owned()),
    ];
    let (code, text) =
        run("union", &files, &["plan", "m", "--from", "1", "--blue", "blue", "--green", "green", "--format", "json"]);
    assert_eq!(code, 0, "{text}");
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(plan["steps"][0]["evidence"][0]["query"], "q", "{text}");
}

/// What is too deep even for that is said to be unread.
#[test]
fn what_is_too_deep_is_told() {
    let sums = chain("a", " + ", 100_000);
    let files =
        [("m/V1__b.sql", BASE.to_owned()), ("m/V2__p.sql", format!("CREATE VIEW v AS SELECT {sums} AS x FROM t;"))];
    let (code, text) = run("sums", &files, &["plan", "m", "--from", "1"]);
    assert_eq!(code, 1, "{}", &text[..text.len().min(2000)]);
    assert!(text.contains("nested too deeply to be read"), "{}", &text[..text.len().min(2000)]);
}

/// Files that are not SQL.
#[test]
fn deep_files_of_other_kinds() {
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let base = || ("m/V1__b.sql", BASE.to_owned());
    let pending = || ("m/V2__p.sql", "ALTER TABLE t ADD COLUMN z int;".to_owned());
    let cases = [
        ("json", "q.workload", format!("{{\"queries\": {}}}", nested("[", "]"))),
        ("sqlx", "queries/query-1.json", format!("{{\"query\": {}}}", nested("{\"a\":", "}"))),
        ("prisma", "schema.prisma", format!("model A {{\n  id Int @id\n  b {}\n}}\n", nested("[", "]"))),
        (
            "diesel",
            "schema.rs",
            format!(
                "diesel::table! {{ a (id) {{ id -> {}Int4{}, }} }}\n",
                "Nullable<".repeat(50_000),
                ">".repeat(50_000)
            ),
        ),
        (
            "rails",
            "schema.rb",
            format!("create_table \"a\" do |t|\n  t.string \"b\", default: {}\nend\n", nested("[", "]")),
        ),
        ("toml", "m/cutover.toml", format!("x = {}\n", nested("[", "]"))),
    ];
    for (what, path, text) in cases {
        let files = [base(), pending(), (path, text)];
        let folder = path.split('/').next().unwrap();
        let blue: &[&str] = if what == "toml" { &[] } else { &["--blue", folder] };
        run(what, &files, &[&["plan", "m", "--from", "1"], blue].concat());
    }
    let journal = format!("{{\"entries\": {}}}", nested("[", "]"));
    run("drizzle", &[("m/meta/_journal.json", journal), ("m/0000_a.sql", BASE.to_owned())], &["plan", "m"]);
    let comment = format!("{}{}\n{BASE}", "/*".repeat(100_000), "*/".repeat(100_000));
    run("comments", &[("m/V1__b.sql", comment)], &["plan", "m"]);
    let quotes: String =
        (0..5_000).map(|i| format!("$q{i}$ ")).chain((0..5_000).rev().map(|i| format!("$q{i}$ "))).collect();
    run("dollar quotes", &[("m/V1__b.sql", format!("DO {quotes};"))], &["plan", "m"]);
    let types = format!("CREATE TABLE x (a int{});", "[]".repeat(50_000));
    run("arrays", &[("m/V1__b.sql", types)], &["plan", "m"]);
}

/// A rehearsal of what PostgreSQL takes.
#[tokio::test(flavor = "multi_thread")]
async fn deep_rehearsals() {
    let database = crate::support::database().await;
    let server = database.conninfo("postgres").await;
    let union = format!("CREATE VIEW v AS {};", chain("SELECT id, a FROM t", " UNION ALL ", 2000));
    let query = format!("-- name: q\nSELECT id FROM t WHERE {};\n", chain("a = 1", " OR ", 10_000));
    let files = [
        ("m/V1__b.sql", format!("{BASE}\n{union}")),
        ("m/V2__p.sql", "ALTER TABLE t ADD COLUMN z int;".to_owned()),
        ("blue/q.sql", query.clone()),
        ("green/q.sql", query),
    ];
    let (code, text) = run(
        "rehearsal",
        &files,
        &["rehearse", "m", "--from", "1", "--blue", "blue", "--green", "green", "--server", &server],
    );
    assert_eq!(code, 0, "{}", &text[..text.len().min(3000)]);
}

/// The same within a library's caller, whose threads have small stacks.
#[test]
fn deep_queries_on_a_small_stack() {
    let work = || {
        for (_, expression) in expressions(5_000) {
            let text = format!("SELECT id FROM t WHERE {expression}");
            let read = cutover::sql::read_query(&text);
            let schema = cutover::schema::Schema::empty();
            if let Ok(command) = &read {
                let found = cutover::schema::resolve::resolve(command, &schema);
                assert!(!found.problems.is_empty());
                assert_eq!(command.clone(), *command);
            }
            drop(read);
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}
