use cutover::workload::{self, Location};

use super::{Folder, load};

const GET: &str = r#"{
  "db_name": "PostgreSQL",
  "query": "SELECT id AS \"id!\", mood,\n tags FROM users WHERE id = $1",
  "describe": {
    "columns": [
      {"ordinal": 0, "name": "id!", "type_info": "Int8"},
      {"ordinal": 1, "name": "mood", "type_info": {"Custom": {"name": "mood", "kind": {"Enum": ["ok", "sad"]}}}},
      {"ordinal": 2, "name": "tags", "type_info": "TextArray"}
    ],
    "parameters": {"Left": ["Int8", {"Custom": {"name": "mood", "kind": {"Enum": ["ok"]}}}]},
    "nullable": [false, true, null]
  },
  "hash": "0a"
}"#;

#[test]
fn recorded_types_are_kept() {
    let folder = Folder::new(&[(".sqlx/query-0a.json", GET)]);
    let (workload, diagnostics) = workload::load(&folder.path()).unwrap();
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let query = &workload.queries[0];
    insta::assert_json_snapshot!(&**query.recorded.as_ref().unwrap(), @r#"
    {
      "parameters": [
        "int8",
        "mood"
      ],
      "columns": [
        {
          "name": "id!",
          "type": "int8",
          "nullable": false
        },
        {
          "name": "mood",
          "type": "mood",
          "nullable": true
        },
        {
          "name": "tags",
          "type": "text[]"
        }
      ]
    }
    "#);
    assert_eq!(workload.text(query), "SELECT id AS \"id!\", mood,\n tags FROM users WHERE id = $1");
    let at = workload.text(query).find("tags").unwrap();
    assert_eq!(workload.sources.slice(workload.place(query, at..at + 4)), "tags", "in the file, behind two escapes");
}

#[test]
fn both_forms_are_found() {
    let data = r#"{"db": "PostgreSQL", "b": {"query": "SELECT 1", "describe": {"columns": [], "parameters": {"Right": 0}, "nullable": []}},
 "a": {"query": "DELETE FROM t WHERE a = $1", "describe": {"columns": [], "parameters": {"Left": ["Text"]}, "nullable": []}}}"#;
    insta::assert_snapshot!(load(&[("sqlx-data.json", data)], "."), @r#"
    1:37 select f49509a4: SELECT 1
    2:17 delete t 14625314: DELETE FROM t WHERE a = $1
    "#);
    insta::assert_snapshot!(load(&[("query-1.json", GET)], "."), @r#"3:12 select users 7f15023f: SELECT id AS "id!", mood, tags FROM users WHERE id = $1"#);
}

#[test]
fn other_databases_and_broken_files_are_told_by_name() {
    let mysql = r#"{"db_name": "MySQL", "query": "SELECT `a` FROM t WHERE b = ?", "describe": {"columns": [], "parameters": {"Right": 1}, "nullable": []}}"#;
    let files =
        [(".sqlx/query-1.json", mysql), (".sqlx/query-2.json", "{\"query\": \"SELECT"), (".sqlx/query-3.json", GET)];
    insta::assert_snapshot!(load(&files, "."), @r#"
    1:31 select t 3524ce67: SELECT `a` FROM t WHERE b = ?
    1:1 query-2.json: {"query": "SELECT
    3:12 select users 7f15023f: SELECT id AS "id!", mood, tags FROM users WHERE id = $1
    unread-query: query select t 3524ce67 cannot be read: it was prepared on MySQL, and this is PostgreSQL
    unread-query: query query-2.json cannot be read: this is no file of sqlx: EOF while parsing a string at line 1 column 17; write it again with `cargo sqlx prepare`
    "#);
    insta::assert_snapshot!(load(&[("a.txt", "")], "sqlx:."), @"error: no queries in .: there is no query-*.json and no sqlx-data.json; run `cargo sqlx prepare`");
}

/// A file of sqlx with a query, its parameters, and its columns as (name, type, nullable).
fn recorded(query: &str, parameters: &[&str], columns: &[(&str, &str, Option<bool>)]) -> String {
    let described: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(i, (name, data_type, _))| serde_json::json!({"ordinal": i, "name": name, "type_info": data_type}))
        .collect();
    let nullable: Vec<_> = columns.iter().map(|(.., nullable)| nullable).collect();
    let describe = serde_json::json!({"columns": described, "parameters": {"Left": parameters}, "nullable": nullable});
    serde_json::json!({"db_name": "PostgreSQL", "query": query, "describe": describe, "hash": "0a"}).to_string()
}

/// What a plan says of a query of blue that was recorded so.
fn said(release: &str, file: &str) -> String {
    let base = "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE users (id bigint PRIMARY KEY, name varchar(20) NOT NULL, code char(3), \
        mood mood, seen timestamptz[], age int NOT NULL);";
    let files = [("V1__base.sql", base), ("V2__release.sql", release)];
    let files = files.map(|(path, text)| (path.into(), text.to_owned()));
    let migrations = cutover::migrations::Folder::from_files(cutover::migrations::Convention::Refinery, files).unwrap();
    let pending = migrations.pending_after(Some("1")).unwrap();
    let folder = Folder::new(&[(".sqlx/query-0a.json", file)]);
    let blue = workload::load_from(&Location::parse(".").unwrap().below(&folder.path())).unwrap().0;
    let request = cutover::plan::Request { blue: Some(&blue), ..cutover::plan::Request::new(&migrations, &pending) };
    let planned = cutover::plan::plan(request);
    let about = planned.diagnostics.iter().filter(|d| !d.code.id.starts_with("CO4"));
    about.map(|d| format!("{} {}", d.code.name, d.message)).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_was_recorded_is_held_against_the_versions_own_schema() {
    let check = |query: &str, parameters: &[&str], columns: &[(&str, &str)], expected: &str| {
        let columns: Vec<_> = columns.iter().map(|(name, data_type)| (*name, *data_type, None)).collect();
        let said = said("CREATE TABLE other (id int);", &recorded(query, parameters, &columns));
        let how = said.rsplit_once("own version: ").map_or(&*said, |(_, how)| how);
        assert_eq!(how, expected, "{query}");
    };
    let all = "SELECT id, name, code, mood, seen FROM users WHERE name = $1";
    let types =
        [("id", "Int8"), ("name", "Varchar"), ("code", "Bpchar"), ("mood", "mood"), ("seen", "TimestamptzArray")];
    check(all, &["Text"], &types, "");
    check(all, &["Int4"], &types, "its parameter $1 was int4 there, and is text");
    check(all, &["Text"], &types[..4], "it returned 4 columns there, and returns 5");
    check("SELECT id FROM users", &[], &[("id", "Int4")], "its column id was int4 there, and is bigint");
    check(
        "SELECT seen FROM users",
        &[],
        &[("seen", "Timestamptz")],
        "its column seen was timestamptz there, and is timestamp with time zone[]",
    );
    check("SELECT id FROM users", &[], &[("user_id", "Int8")], "its column id was user_id there");
    check("SELECT count(*) AS \"n!: i64\" FROM users", &[], &[("n!: i64", "Int8")], "");
    // Nothing was described.
    check("SELECT id FROM users", &[], &[], "");
}

#[test]
fn who_expects_no_null_is_told_of_one() {
    let check = |query: &str, columns: &[(&str, &str, Option<bool>)], expected: &str| {
        let said = said("ALTER TABLE users ALTER COLUMN age DROP NOT NULL;", &recorded(query, &[], columns));
        assert_eq!(said, expected, "{query}");
    };
    let told = "may-break-readers blue may read a NULL in users.age once green writes one";
    check("SELECT id, age FROM users", &[("id", "Int8", Some(false)), ("age", "Int4", Some(false))], told);
    check("SELECT id, age FROM users", &[("id", "Int8", Some(false)), ("age", "Int4", Some(true))], "");
    check("SELECT age AS \"age?\" FROM users", &[("age?", "Int4", Some(false))], "");
    check("SELECT id FROM users WHERE age > 3", &[("id", "Int8", Some(false))], "");
    // An expression that the author says is never NULL.
    check("SELECT age + 1 AS \"next!\" FROM users", &[("next!", "Int4", None)], told);
    check("SELECT age + 1 AS next FROM users", &[("next", "Int4", None)], "");
}
