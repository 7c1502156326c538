use camino::Utf8Path;
use cutover::workload::{SavedWorkload, Workload};

use super::load;
use crate::support;

const QUERIES: &str = "-- name: get\nSELECT a FROM t WHERE b = 'secret' AND c = 42;\n-- name: again\nselect a from t where b = 'x' and c = 1;
-- name: add\nINSERT INTO t (a, b) VALUES (:a, 'x') RETURNING id;";

fn saved(with_values: bool) -> SavedWorkload {
    let (workload, _) = Workload::from_text("q.sql", QUERIES);
    SavedWorkload::new("blue", "a test", &workload, with_values, true)
}

#[test]
fn each_query_once_and_without_values() {
    let text = saved(false).to_json();
    assert!(!text.contains("secret") && !text.contains("42"), "{text}");
    assert!(saved(true).to_json().contains("secret"));
    insta::assert_snapshot!(load(&[("blue.workload", &text)], "blue.workload"), @r#"
    12:15 get: SELECT a FROM t WHERE b = $1 AND c = $2::int4
    18:15 add: INSERT INTO t (a, b) VALUES ($1, $2) RETURNING id
    "#);
    assert_eq!(SavedWorkload::from_json(Utf8Path::new("x"), &text).unwrap(), saved(false));
}

#[test]
fn a_file_that_is_none_of_ours_or_of_another_version_is_refused() {
    let text = saved(false).to_json();
    let check = |text: &str| load(&[("w.json", text)], "workload:w.json");
    insta::assert_snapshot!(check(&text.replace("\"format_version\": 2", "\"format_version\": 3")), @"error: w.json is a workload of format version 3, and this cutover reads version 2; read it with a newer cutover");
    insta::assert_snapshot!(check(&text.replace("\"format_version\": 2", "\"format_version\": 0")), @"error: w.json is a workload of format version 0, and this cutover reads version 2; record it again");
    assert_eq!(check(&text.replace("\"format_version\": 2", "\"format_version\": 1")), check(&text));
    insta::assert_snapshot!(check(&text.replace("\"origin\"", "\"organ\"")), @"error: w.json:6: this is no workload of cutover: unknown field `organ`, expected one of `format`, `format_version`, `tool_version`, `name`, `commit`, `application`, `origin`, `with_values`, `queries`, `transactions` at line 6 column 9");
    insta::assert_snapshot!(check(&text[..200]), @"error: w.json:10: this is no workload of cutover: EOF while parsing a string at line 10 column 31");
    insta::assert_snapshot!(check("{\"format\": \"other\", \"format_version\": 1}"), @r#"error: w.json: its format is "other" and not "cutover-workload""#);
}

#[test]
fn the_json_is_what_its_schema_says() {
    let schema = support::cutover(".").args(["schema", "workload"]).output().unwrap();
    let schema = serde_json::from_slice(&schema.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let value = serde_json::from_str(&saved(true).to_json()).unwrap();
    let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
    assert_eq!(errors, [""; 0]);
    assert!(!validator.is_valid(&serde_json::json!({ "format": "cutover-workload" })));
}
