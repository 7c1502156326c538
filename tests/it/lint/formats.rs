//! Every format against its schema or its parser, on one report that has it all: both versions' queries, fixes, an allowed finding, names and
//! words that need escapes.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use pulldown_cmark::{Event, Parser};
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
use serde_json::Value;

use super::{directory, run};
use crate::support;

const BASE: &str = "CREATE TABLE users (id bigint PRIMARY KEY, \"a, b: *100%*\" text, age int);\nCREATE INDEX by_age ON users (age);\nCREATE TABLE clean (a int);\n";
const MESSY: &str = "-- Ümläute ändern Spalten\nALTER TABLE users RENAME COLUMN \"a, b: *100%*\" TO c;\n/* é */ ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17);\n-- cutover: allow(table-rewrite) \"ten\" <rows>\nALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid();\nDROP INDEX by_age;\n";

fn render(format: &str) -> String {
    let directory = directory(&[
        ("my migrations/a.sql", BASE),
        ("my migrations/b,c:d.sql", MESSY),
        ("my migrations/clean.sql", "ALTER TABLE clean ADD COLUMN b int;\n"),
        ("blue.sql", "-- name: read\nSELECT \"a, b: *100%*\" FROM users;\n"),
        ("green.sql", "-- name: read\nSELECT c FROM users;\n"),
    ]);
    let mut command = super::cutover(directory.path());
    command.args([
        "lint",
        "my migrations",
        "--from",
        "a",
        "--blue",
        "blue.sql",
        "--green",
        "green.sql",
        "--format",
        format,
    ]);
    let output = command.output().unwrap();
    assert_eq!(support::exit(&output), 1, "{}", support::transcript(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn validate(schema: &str, document: &str) -> Value {
    let document: Value = serde_json::from_str(document).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let errors: Vec<_> = validator.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    document
}

#[test]
fn json_has_a_schema() {
    let directory = tempfile::tempdir().unwrap();
    let schema = String::from_utf8(run(directory.path(), "schema lint").stdout).unwrap();
    let document = validate(&schema, &render("json"));
    assert_eq!(document["summary"]["errors"], 1);
    assert_eq!(document["allowed"][0]["reason"], "\"ten\" <rows>");
    assert_snapshot!(serde_json::to_string_pretty(&document["findings"][1]).unwrap(), @r#"
    {
      "code": "CO402",
      "name": "blocking-scan",
      "severity": "warning",
      "message": "ADD CHECK of users.adult reads all rows under a lock (ACCESS EXCLUSIVE) that blocks everybody",
      "places": [
        {
          "path": "my migrations/b,c:d.sql",
          "line": 3,
          "column": 9,
          "end_line": 3,
          "end_column": 64,
          "text": "",
          "source": "/* é */ ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17);"
        }
      ],
      "help": "ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT in a statement of its own, lets writers go on",
      "fix": {
        "title": "Check old rows in a statement of its own",
        "safety": "safe",
        "edits": [
          {
            "place": {
              "path": "my migrations/b,c:d.sql",
              "line": 3,
              "column": 64,
              "end_line": 3,
              "end_column": 64,
              "text": "",
              "source": "/* é */ ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17);"
            },
            "replacement": " NOT VALID;\nALTER TABLE users VALIDATE CONSTRAINT adult"
          }
        ],
        "diff": "--- my migrations/b,c:d.sql\n+++ my migrations/b,c:d.sql\n@@ -2,3 +2,4 @@\n ALTER TABLE users RENAME COLUMN \"a, b: *100%*\" TO c;\n-/* é */ ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17);\n+/* é */ ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17) NOT VALID;\n+ALTER TABLE users VALIDATE CONSTRAINT adult;\n -- cutover: allow(table-rewrite) \"ten\" <rows>\n"
      },
      "fingerprint": "d1f25a98034693603ad6861198c38fe1"
    }
    "#);
}

#[test]
fn sarif_is_valid() {
    // One of its patterns, on languages, has a bracket that the regular expressions of Rust want escaped.
    let schema = include_str!("../../../fixtures/schemas/sarif-2.1.0.json").replace("{2}]?$", r"{2}\\]?$");
    let document = validate(&schema, &render("sarif"));
    let run = &document["runs"][0];
    let results = run["results"].as_array().unwrap();
    for result in results {
        let rule = &run["tool"]["driver"]["rules"][usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
        assert_eq!(uri, "my%20migrations/b%2Cc%3Ad.sql");
    }
    let levels: Vec<_> =
        results.iter().map(|r| (r["level"].as_str().unwrap(), r.get("suppressions").is_some())).collect();
    assert_eq!(levels, [("error", false), ("warning", false), ("note", false), ("warning", true)]);
    assert_eq!(results[0]["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"], "blue.sql");
    assert_snapshot!(serde_json::to_string_pretty(&results[1]["fixes"]).unwrap(), @r#"
    [
      {
        "description": {
          "text": "Check old rows in a statement of its own"
        },
        "artifactChanges": [
          {
            "artifactLocation": {
              "uri": "my%20migrations/b%2Cc%3Ad.sql"
            },
            "replacements": [
              {
                "deletedRegion": {
                  "startLine": 3,
                  "startColumn": 64,
                  "endLine": 3,
                  "endColumn": 64
                },
                "insertedContent": {
                  "text": " NOT VALID;\nALTER TABLE users VALIDATE CONSTRAINT adult"
                }
              }
            ]
          }
        ]
      }
    ]
    "#);
}

#[test]
fn gitlab_s_report_is_as_its_documentation_says() {
    let document = validate(include_str!("../../../fixtures/schemas/gitlab-code-quality.json"), &render("gitlab"));
    let issues = document.as_array().unwrap();
    let severities: Vec<_> = issues.iter().map(|issue| issue["severity"].as_str().unwrap()).collect();
    assert_eq!(severities, ["critical", "major", "info"]);
    let mut fingerprints: Vec<_> = issues.iter().map(|issue| issue["fingerprint"].as_str().unwrap()).collect();
    fingerprints.sort_unstable();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), issues.len(), "fingerprints are all different");
    assert_eq!(issues[1]["location"]["path"], "my migrations/b,c:d.sql");
}

#[test]
fn junit_is_read_back() {
    let report = Report::deserialize_from_str(&render("junit")).unwrap();
    let mut lines = Vec::new();
    for suite in &report.test_suites {
        lines.push(format!("{} ({} tests, {} failures)", suite.name.as_str(), suite.tests, suite.failures));
        for case in &suite.test_cases {
            let status = match &case.status {
                TestCaseStatus::Success { .. } => "passed".to_owned(),
                TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, message, .. } => {
                    format!("failed: {}", message.as_ref().unwrap().as_str())
                }
                TestCaseStatus::NonSuccess { .. } => "an error".to_owned(),
                TestCaseStatus::Skipped { .. } => "skipped".to_owned(),
            };
            lines.push(format!("  {}: {status}", case.name.as_str()));
        }
    }
    assert_snapshot!(lines.join("\n"), @"
    my migrations/b,c:d.sql (3 tests, 2 failures)
      CO102 incompatible-change (line 2): failed: no single moment is right for RENAME COLUMN TO c of users.a, b: *100%*: before the cutover it breaks blue (users.a, b: *100%* is readable as text), after it green waits for it (users.c is readable as text)
      CO402 blocking-scan (line 3): failed: ADD CHECK of users.adult reads all rows under a lock (ACCESS EXCLUSIVE) that blocks everybody
      CO407 blocking-index-drop (line 6): skipped
    my migrations/clean.sql (1 tests, 0 failures)
      no findings: passed
    ");
}

/// A workflow command, as GitHub's runner reads one: `::name key=value,key=value::data`.
fn command(line: &str) -> (String, BTreeMap<String, String>, String) {
    let (head, data) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
    let (name, properties) = head.split_once(' ').unwrap();
    let unescape = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
    let properties = properties.split(',').map(|pair| {
        let (key, value) = pair.split_once('=').unwrap();
        (key.to_owned(), unescape(&value.replace("%3A", ":").replace("%2C", ",")))
    });
    (name.to_owned(), properties.collect(), unescape(data))
}

#[test]
fn github_s_annotations_are_read_back() {
    let text = render("github");
    let commands: Vec<_> = text.lines().map(command).collect();
    let kinds: Vec<_> = commands.iter().map(|(name, _, _)| name.as_str()).collect();
    assert_eq!(kinds, ["error", "warning", "notice"]);
    let (_, properties, data) = &commands[0];
    assert_eq!(properties["file"], "my migrations/b,c:d.sql");
    assert_eq!((properties["line"].as_str(), properties["col"].as_str()), ("2", "1"));
    assert_eq!(properties["title"], "CO102 incompatible-change");
    assert!(data.contains("a, b: *100%*") && data.contains("\nhelp: "), "{data}");
    assert_eq!(commands[1].1["col"], "9", "columns count characters");
}

#[test]
fn markdown_says_what_was_found_and_nothing_else() {
    let text = render("markdown");
    assert!(text.starts_with("<!-- cutover:lint -->\n"));
    let mut plain = String::new();
    for event in Parser::new(&text) {
        match event {
            Event::Text(words) | Event::Code(words) => plain.push_str(&words),
            Event::End(_) | Event::SoftBreak => plain.push('\n'),
            // Markup that was not meant: a name between asterisks.
            Event::Start(pulldown_cmark::Tag::Emphasis) => panic!("emphasis in {text}"),
            _ => {}
        }
    }
    let json: Value = serde_json::from_str(&render("json")).unwrap();
    for finding in json["findings"].as_array().unwrap() {
        assert!(plain.contains(finding["message"].as_str().unwrap()), "{finding:#}\n{plain}");
    }
    assert_snapshot!(text, @r#"
    <!-- cutover:lint -->

    ### cutover lint

    Found 1 error, 1 warning, 1 info in 2 migrations (5 statements), 1 allowed.

    #### `my migrations/b,c:d.sql`

    - **error**, line 2, `CO102 incompatible-change`: no single moment is right for RENAME COLUMN TO c of users.a, b: \*100%\*: before the cutover it breaks blue (users.a, b: \*100%\* is readable as text), after it green waits for it (users.c is readable as text)

      Way out: in this release: ADD COLUMN c, a trigger on users that keeps a, b: \*100%\* and c in sync, and UPDATE users SET c = a, b: \*100%\*; in this release too, once blue is drained: DROP COLUMN a, b: \*100%\*
    - **warning**, line 3, `CO402 blocking-scan`: ADD CHECK of users.adult reads all rows under a lock (ACCESS EXCLUSIVE) that blocks everybody

      Way out: ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT in a statement of its own, lets writers go on

      <details><summary>Check old rows in a statement of its own (`--fix` applies it)</summary>

      ```diff
      --- my migrations/b,c:d.sql
      +++ my migrations/b,c:d.sql
      @@ -2,3 +2,4 @@
       ALTER TABLE users RENAME COLUMN "a, b: *100%*" TO c;
      -/* é */ ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17);
      +/* é */ ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17) NOT VALID;
      +ALTER TABLE users VALIDATE CONSTRAINT adult;
       -- cutover: allow(table-rewrite) "ten" <rows>
      ```

      </details>
    - **info**, line 6, `CO407 blocking-index-drop`: dropping this index waits for every query on users and makes all new ones wait

      Way out: DROP INDEX CONCURRENTLY waits without a lock; cutover runs it outside a transaction

      <details><summary>Let writers go on while it runs (`--fix` applies it)</summary>

      ```diff
      --- my migrations/b,c:d.sql
      +++ my migrations/b,c:d.sql
      @@ -5,2 +5,2 @@
       ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid();
      -DROP INDEX by_age;
      +DROP INDEX CONCURRENTLY by_age;
      ```

      </details>
    "#);
}

#[test]
fn markdown_fits_into_a_comment() {
    let many: String =
        (0..1000).map(|i| format!("ALTER TABLE users ADD COLUMN c{i} uuid DEFAULT gen_random_uuid();\n")).collect();
    let directory = directory(&[("m/a.sql", "CREATE TABLE users (name text);"), ("m/b.sql", &many)]);
    let output = run(directory.path(), "lint m --from a --format markdown");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.len() < 65_536 && text.len() > 50_000, "{}", text.len());
    let told = text.matches("`CO401 table-rewrite`").count();
    assert!(text.ends_with(&format!("… and {} more\n", 1000 - told)), "{told} told");
}
