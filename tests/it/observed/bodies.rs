//! Functions whose bodies mention what goes: the server lets it go, and they fail.

use cutover::migrations::{Convention, Folder, Pending};
use cutover::plan::{Request, plan};

use crate::support;

const BASE: &str = "CREATE TABLE t (id int PRIMARY KEY, a int, b int);
CREATE FUNCTION sum_a() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT sum(a) FROM t); END $$;
CREATE FUNCTION text_a() RETURNS bigint LANGUAGE sql AS 'SELECT sum(a) FROM t';
CREATE FUNCTION sum_b() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT sum(b) FROM t); END $$;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.a := 1; RETURN NEW; END $$;
CREATE TRIGGER keep BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION keep();
";

/// The functions that the plan says will fail.
fn told(change: &str) -> Vec<String> {
    let files = [("0.sql".into(), BASE.to_owned()), ("1.sql".into(), change.to_owned())];
    let folder = Folder::from_files(Convention::Plain, files).unwrap();
    let (applied, rest) = folder.migrations.split_at(1);
    let pending = Pending { applied: applied.to_vec(), pending: rest.to_vec() };
    let planned = plan(Request::new(&folder, &pending));
    let found = planned.diagnostics.iter().filter(|d| d.code.name == "function-body-breaks");
    let words = found.flat_map(|d| d.message.split([' ', ',', ':']).filter(|word| word.ends_with("()")));
    words.map(str::to_owned).collect()
}

/// Which of the calls fail once the change is made.
async fn failing(change: &str) -> Vec<&'static str> {
    const CALLS: [(&str, &str); 4] = [
        ("keep()", "INSERT INTO t (id) VALUES (1)"),
        ("sum_a()", "SELECT sum_a()"),
        ("sum_b()", "SELECT sum_b()"),
        ("text_a()", "SELECT text_a()"),
    ];
    let session = support::database().await.connect().await;
    session.batch_execute(BASE).await.unwrap();
    session.batch_execute(change).await.unwrap();
    let mut failing = Vec::new();
    for (name, call) in CALLS {
        if session.batch_execute(call).await.is_err() {
            failing.push(name);
        }
    }
    failing
}

#[tokio::test]
async fn what_is_told_fails_on_the_server() {
    for (change, expected) in [
        ("ALTER TABLE t DROP COLUMN a;", &["keep()", "sum_a()", "text_a()"][..]),
        ("ALTER TABLE t RENAME COLUMN a TO a2;", &["keep()", "sum_a()", "text_a()"]),
        ("ALTER TABLE t DROP COLUMN b;", &["sum_b()"]),
        (
            "ALTER TABLE t DROP COLUMN b; CREATE OR REPLACE FUNCTION sum_b() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';",
            &[],
        ),
    ] {
        assert_eq!(told(change), expected, "{change}");
        assert_eq!(failing(change).await, expected, "{change}");
    }
}
