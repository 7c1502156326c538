use cutover::workload;

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
    unread-query: query select t 3524ce67 can not be read: it was prepared on MySQL, and this is PostgreSQL
    unread-query: query query-2.json can not be read: this is no file of sqlx: EOF while parsing a string at line 1 column 17; write it again with `cargo sqlx prepare`
    "#);
    insta::assert_snapshot!(load(&[("a.txt", "")], "sqlx:."), @"error: no queries in .: there is no query-*.json and no sqlx-data.json; run `cargo sqlx prepare`");
}
