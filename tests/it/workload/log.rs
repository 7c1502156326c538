use super::load;

const CSV: &str = r#"2026-01-01 00:00:00.000 UTC,"app","shop",1,"[local]",s1.1,1,"idle",2026-01-01 00:00:00 UTC,3/1,0,LOG,00000,"execute <unnamed>: SELECT ""name"" FROM users
WHERE id = $1","parameters: $1 = '7'",,,,,,,,"shop-api","client backend",,0
2026-01-01 00:00:01.000 UTC,"app","shop",1,"[local]",s1.1,2,"SELECT",2026-01-01 00:00:00 UTC,3/1,0,LOG,00000,"duration: 0.1 ms  statement: BEGIN; UPDATE users SET name = 'x' WHERE id = 7; COMMIT",,,,,,,,,"shop-api","client backend",,0
2026-01-01 00:00:01.000 UTC,"app","shop",1,"[local]",s1.1,3,"SELECT",2026-01-01 00:00:00 UTC,3/1,0,LOG,00000,"statement: select ""name"" from users where id = 8",,,,,,,,,"shop-api","client backend",,0
2026-01-01 00:00:01.000 UTC,"app","shop",1,"[local]",s1.1,4,"SELECT",2026-01-01 00:00:00 UTC,3/1,0,LOG,00000,"statement: SELECT nothing FROM users",,,,,,,,,"shop-api","client backend",,0
2026-01-01 00:00:01.000 UTC,"app","shop",1,"[local]",s1.1,5,"SELECT",2026-01-01 00:00:00 UTC,3/1,0,ERROR,42703,"column ""nothing"" does not exist",,,,,,"SELECT nothing FROM users",8,,"shop-api","client backend",,0
2026-01-01 00:00:01.000 UTC,"app","shop",1,"[local]",s2.1,5,"SELECT",2026-01-01 00:00:00 UTC,3/1,0,LOG,00000,"statement: ALTER TABLE users ADD x int",,,,,,,,,"other","client backend",,0
2026-01-01 00:00:01.000 UTC,"app","shop",1,"[local]",s2.1,5,"SELECT",2026-01-01 00:00:00 UTC,3/1,0,LOG,00000,"checkpoint starting: time",,,,,,,,,"","checkpointer",,0
"#;

#[test]
fn csvlog() {
    insta::assert_snapshot!(load(&[("pg.csv", CSV)], "pg.csv"), @r#"
    1:128 select users fdff559c (2×): SELECT "name" FROM users WHERE id = $1
    3:147 update users f2823421 (1×): UPDATE users SET name = 'x' WHERE id = 7
    partial-workload: select users 0ba356cb is left out: PostgreSQL refused it every time (42703)
    partial-workload: statements that change the schema are no queries and were left out: 1 ALTER
    "#);
    insta::assert_snapshot!(load(&[("pg.csv", CSV)], "log:pg.csv#application_name=shop-api,user=app,database=shop"), @r#"
    1:128 select users fdff559c (2×): SELECT "name" FROM users WHERE id = $1
    3:147 update users f2823421 (1×): UPDATE users SET name = 'x' WHERE id = 7
    partial-workload: select users 0ba356cb is left out: PostgreSQL refused it every time (42703)
    "#);
    insta::assert_snapshot!(load(&[("pg.csv", CSV)], "log:pg.csv#application_name=nobody"), @"error: no queries in pg.csv: no statement was logged for that filter; a log shows them with log_statement = 'all' or log_min_duration_statement = 0, log_destination = csvlog or jsonlog, and lc_messages = 'C'");
}

#[test]
fn a_last_line_that_is_cut_off_is_told() {
    insta::assert_snapshot!(load(&[("pg.csv", &CSV[..640])], "log:pg.csv"), @r#"
    1:128 select users fdff559c (1×): SELECT "name" FROM users WHERE id = $1
    3:147 update users f2823421 (1×): UPDATE users SET name = 'x' WHERE id = 7
    partial-workload: pg.csv:4: the log ends within this entry, which is left out
    "#);
    let first = "not, a log\n";
    insta::assert_snapshot!(load(&[("pg.csv", &format!("{first}{CSV}"))], "log:pg.csv#application_name=x"), @"error: no queries in pg.csv: pg.csv:1: this is no entry of a PostgreSQL log and is left out: 2 fields, and a csvlog has 23 or more");
}

const JSON: &str = r#"{"timestamp":"2026-01-01","user":"app","dbname":"shop","session_id":"s1","error_severity":"LOG","message":"statement: SELECT \"name\"\nFROM users -- why","application_name":"shop-api"}
{"timestamp":"2026-01-01","user":"app","dbname":"shop","session_id":"s1","error_severity":"LOG","message":"execute s/p: INSERT INTO users (name) VALUES ($1)","detail":"parameters: $1 = 'O''Hara'","application_name":"shop-api"}
{"timestamp":"2026-01-01","user":"app","dbname":"shop","session_id":"s1","error_severity":"LOG","message":"execute fetch from s/p: SELECT 1","application_name":"shop-api"}
{"timestamp":"2026-01-01","user":"app","dbname":"shop","session_id":"s1","error_severity":"LOG","message":"-- name: Sqlc :one","application_name":"shop-api"}
{"timestamp":"2026-01-01","user":"app","dbname":"shop","session_id":"s1","error_severity":"LOG","message":"statement: -- name: GetAll :many\nSELECT * FROM users","application_name":"shop-api"}
{"timestamp":"2026-01-01","user":"app","dbname":"shop","session_"#;

#[test]
fn jsonlog() {
    insta::assert_snapshot!(load(&[("pg.json", JSON)], "pg.json"), @r#"
    1:119 select users afa9ef27 (1×): SELECT "name" FROM users
    2:121 insert users 563c9d6f (1×): INSERT INTO users (name) VALUES ($1)
    5:119 GetAll (1×): -- name: GetAll :many SELECT * FROM users
    partial-workload: pg.json:6: the log ends within this entry, which is left out
    "#);
}

#[test]
fn values_are_kept_only_where_they_are_wanted() {
    use cutover::source::Sources;
    use cutover::workload::{Filter, read_log};
    let read = |values: bool| {
        let mut sources = Sources::new();
        sources.add("pg.csv", CSV);
        let filter = Filter { application: Some("shop-api".into()), ..Filter::default() };
        read_log(sources, &filter, values).transactions
    };
    assert!(read(false).is_empty());
    insta::assert_json_snapshot!(read(true), @r#"
    [
      {
        "statements": [
          {
            "text": "SELECT \"name\" FROM users\nWHERE id = $1",
            "parameters": [
              "7"
            ]
          }
        ],
        "ended": true
      },
      {
        "statements": [
          {
            "text": "UPDATE users SET name = 'x' WHERE id = 7"
          }
        ],
        "ended": true
      },
      {
        "statements": [
          {
            "text": "select \"name\" from users where id = 8"
          }
        ],
        "ended": true
      }
    ]
    "#);
}
