//! `pg_stat_statements` of a live server.

use cutover::postgres::connect;
use cutover::postgres::throwaway::{Local, LocalOptions};

use super::Folder;
use crate::support;

/// A server that has the extension loaded, with an application's statements on it.
async fn server() -> Local {
    let settings = vec![("shared_preload_libraries".to_owned(), "pg_stat_statements".to_owned())];
    let server = Local::start(&LocalOptions { settings, ..support::local_options() }).await.unwrap();
    let session = connect(server.maintenance()).await.unwrap();
    let setup = "CREATE EXTENSION pg_stat_statements; CREATE TABLE users (id int PRIMARY KEY, name text);
        CREATE ROLE app LOGIN; GRANT ALL ON users TO app;";
    session.batch_execute(setup).await.unwrap();
    session.batch_execute("SELECT * FROM users WHERE name = 'by another role'").await.unwrap();
    session.close().await;
    let app = format!("host={} user=app dbname=postgres", server.directory().display());
    let app = cutover::postgres::Target::parse(&app, &cutover::postgres::Environment::empty()).unwrap();
    let session = connect(&app).await.unwrap();
    for name in ["Ada", "Grace"] {
        session.batch_execute(&format!("INSERT INTO users VALUES ({}, '{name}')", name.len())).await.unwrap();
    }
    session.batch_execute("BEGIN; UPDATE users SET name = 'x'; COMMIT").await.unwrap();
    session.close().await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn one_role_s_statements() {
    let server = server().await;
    let socket = server.directory().display().to_string();
    let folder = Folder::new(&[
        ("m/V1__a.sql", "CREATE TABLE users (id int PRIMARY KEY, name text);"),
        ("m/V2__b.sql", "ALTER TABLE users DROP COLUMN name;"),
    ]);
    let run = |blue: &str| {
        let output =
            support::cutover(folder.path()).args(["plan", "m", "--from", "1", "--blue", blue]).output().unwrap();
        let text = support::transcript(&output);
        text.replace(&socket, "SOCKET").lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(run(&format!("stat:host={socket} user=postgres dbname=postgres#user=app")), @"
    exit 0
    --- stdout
    cutover plan: 1 migration (2), 1 step, on top of 1
      Before cutover                                      blue keeps working, green can start
        (nothing)
      Cutover: traffic moves from blue to green, blue drains
      After cutover                                       blue is gone
        -   1  users.name  DROP COLUMN  2:1  ACCESS EXCLUSIVE, brief
                 blue relies on it in insert users 4891ceaa: users.name is readable as text
                 point of no return: blue cannot come back
    Plan: 0 before, 1 after. 1 deletive (-).
    A step's locks outlive its statements by 10 s at most, whatever happens to cutover or the network.
    No rollback to blue once step 1 has started.
    Safe. Both versions work on every schema in between.
    If your applications run their migrations when they start:
      green would run 2, which belongs after the cutover: leave `Runner::run` out of its start until the release is done (refinery)
    --- stderr
    CO014 partial-workload
      ☞ statements on nothing but catalogs are not the application's and were left out: 1
    ");
    insta::assert_snapshot!(run(&format!("stat:host={socket} user=app dbname=postgres#user=postgres")), @r#"
    exit 2
    --- stderr
    error: there is no query to read: pg_stat_statements of app@SOCKET:5432/postgres hides the text of 1 statements of other roles
      help: connect as a role with pg_read_all_stats, or as the application's own role
    "#);
    insta::assert_snapshot!(run(&format!("stat:host={socket} user=app dbname=postgres#user=nobody")), @r#"
    exit 2
    --- stderr
    error: pg_stat_statements of app@SOCKET:5432/postgres has no statement for that filter
      help: it counts since its last reset; name another database with #database=NAME
    "#);
    insta::assert_snapshot!(run(&format!("stat:host={socket} user=postgres dbname=template1")), @r#"
    exit 2
    --- stderr
    error: the server has no pg_stat_statements: the extension is not created in this database
      help: add pg_stat_statements to shared_preload_libraries, restart the server, and run CREATE EXTENSION pg_stat_statements
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_on_a_server_that_is_named() {
    let server = server().await;
    let url = format!("host={} user=postgres dbname=postgres", server.directory().display());
    let folder = Folder::new(&[("m/V1__a.sql", "CREATE TABLE users (id int PRIMARY KEY, name text);")]);
    let mut command = support::cutover(folder.path());
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.args(["record", "--name", "blue", "--migrations", "m", "--server", &url, "-o", "blue.workload"]);
    let suite = "for i in 1 2; do psql -X -q \"$DATABASE_URL\" -c \"INSERT INTO users VALUES ($i, 'Ada')\"; done";
    let output = command.args(["--", "bash", "-c", suite]).output().unwrap();
    assert_eq!(support::exit(&output), 0, "{}", support::transcript(&output));
    let text = std::fs::read_to_string(folder.path().join("blue.workload")).unwrap();
    let saved: serde_json::Value = serde_json::from_str(&text).unwrap();
    let queries: Vec<_> = saved["queries"].as_array().unwrap().iter().map(|q| (&q["text"], &q["calls"])).collect();
    insta::assert_debug_snapshot!(queries, @r#"
    [
        (
            String("INSERT INTO users VALUES ($1, $2)"),
            Number(2),
        ),
    ]
    "#);
    let session = connect(server.maintenance()).await.unwrap();
    let left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'cutover%'";
    assert_eq!(session.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0, "the scratch database is dropped");
}
