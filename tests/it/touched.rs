//! Which queries a change can touch, as the server's catalog tells it: whatever is another one is among them, and what is not named is not.

use cutover::rehearse::Preparer;
use cutover::workload::Workload;

use crate::support;

const SCHEMA: &str = r#"
    CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN feeling AS mood; CREATE TYPE pair AS (a int, b int);
    CREATE TABLE users (id bigint PRIMARY KEY, email text UNIQUE, name varchar(20), feels feeling, was mood[]);
    CREATE TABLE other (a int, p pair); CREATE TABLE "two words" (a int); CREATE SCHEMA app; CREATE TABLE app.hidden (a int);
    CREATE VIEW names AS SELECT name FROM users; CREATE VIEW names_too AS SELECT * FROM names;
    CREATE FUNCTION all_users() RETURNS SETOF users LANGUAGE sql AS 'SELECT * FROM users';
    CREATE FUNCTION plus(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1 + $2';
"#;

const QUERIES: [(&str, &str); 12] = [
    ("users", "SELECT id, feels FROM users WHERE feels = 'ok'"),
    ("upsert", "INSERT INTO users (id, email) VALUES ($1, $2) ON CONFLICT (email) DO NOTHING"),
    ("other", "SELECT a FROM other"),
    ("view", "SELECT * FROM names_too"),
    ("function", "SELECT * FROM all_users()"),
    ("quoted", "SELECT * FROM \"two words\""),
    ("spelled", "SELECT * FROM U&\"\\006fther\""),
    ("call", "SELECT plus('1', $1)"),
    ("nothing", "SELECT 1, $1::text || 'x'"),
    ("mood", "SELECT 'ok'::mood"),
    ("path", "SELECT * FROM hidden"),
    ("sum", "SELECT p <<->> p FROM other"),
];

/// The queries that are others after the change, and how many were prepared again.
async fn check(change: &str, changed: &[&str], prepared: usize) {
    let text: String = QUERIES.iter().map(|(name, text)| format!("-- name: {name}\n{text};\n")).collect();
    let (workload, _) = Workload::from_text("queries.sql", &text);
    let session = support::database().await.connect().await;
    session.batch_execute(SCHEMA).await.unwrap();
    let mut preparer = Preparer::new([&workload]);
    let before = preparer.look(&session).await.unwrap();
    assert_eq!(before.len(), QUERIES.len());
    assert_eq!(preparer.look(&session).await.unwrap(), [], "nothing happened");
    session.batch_execute(change).await.unwrap();
    let touched = preparer.look(&session).await.unwrap();
    let after = preparer.look_at_all(&session).await;
    let differs = |(query, cell): &&(usize, _)| before[*query] != (*query, Clone::clone(cell));
    let name = |(query, _): &(usize, _)| QUERIES[*query].0;
    let is: Vec<_> = after.iter().filter(differs).map(name).collect();
    let seen: Vec<_> = touched.iter().filter(differs).map(name).collect();
    assert_eq!(is, changed, "{change}");
    assert_eq!(seen, changed, "{change}: these were looked at");
    assert_eq!(touched.len(), prepared, "{change}: {:?}", touched.iter().map(name).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_another_one_is_looked_at() {
    // What the statement names.
    check("ALTER TABLE other DROP COLUMN a", &["other", "spelled"], 3).await;
    // By the name only in a text that is put together.
    check("DO $$ BEGIN EXECUTE 'ALTER TABLE ot' || 'her RENAME TO another'; END $$", &["other", "spelled", "sum"], 3)
        .await;
    // What goes with it, and what returns its rows.
    check("ALTER TABLE users DROP COLUMN name CASCADE", &["view", "function"], 5).await;
    check("ALTER TABLE users ADD COLUMN more int", &["function"], 5).await;
    // What is planned.
    check("ALTER TABLE users DROP CONSTRAINT users_email_key", &["upsert"], 5).await;
    // Types behind domains, arrays and columns; labels.
    check("ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'", &["mood"], 6).await;
    check("ALTER TYPE mood RENAME TO humour", &["function", "mood"], 6).await;
    check("ALTER DOMAIN feeling RENAME TO emotion", &["users"], 5).await;
    check("ALTER TYPE pair ADD ATTRIBUTE c int", &[], 3).await;
    // A call that is no longer clear, an operator and a cast that were not there.
    check("CREATE FUNCTION plus(text, text) RETURNS text LANGUAGE sql AS 'SELECT $1'", &["call"], 2).await;
    let operator = "CREATE FUNCTION f(pair, pair) RETURNS int LANGUAGE sql AS 'SELECT 1';
                    CREATE OPERATOR <<->> (FUNCTION = f, LEFTARG = pair, RIGHTARG = pair)";
    check(operator, &["sum"], 12).await;
    // Names of several words, and names that shadow others.
    check("ALTER TABLE \"two words\" ADD COLUMN b int", &["quoted"], 12).await;
    check("ALTER TABLE app.hidden SET SCHEMA public", &["path"], 2).await;
    check("CREATE TEMP TABLE other (b int)", &["other", "spelled", "sum"], 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_named_is_not_looked_at() {
    check("CREATE TABLE fresh (a int); CREATE INDEX ON fresh (a)", &[], 1).await;
    check("COMMENT ON TABLE users IS 'them'; ANALYZE", &[], 0).await;
    check("INSERT INTO other VALUES (1)", &[], 0).await;
    check("CREATE INDEX ON other (a)", &[], 3).await;
}
