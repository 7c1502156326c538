//! `cutover report`, `cutover graph` and the documents: what people and other programs are given to read.

use std::collections::BTreeSet;
use std::process::Output;

use insta::assert_snapshot;

use crate::support;

/// Runs `cutover` with the words of `args` in a fresh directory with these files.
fn run(files: &[(&str, &str)], args: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    support::cutover(directory.path()).args(args.split(' ')).output().unwrap()
}

/// What a command printed that ended with `exit`.
#[track_caller]
fn printed(files: &[(&str, &str)], args: &str, exit: i32) -> String {
    let output = run(files, args);
    assert_eq!(support::exit(&output), exit, "{}", support::transcript(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Blue's query breaks, and every name and text tries to be markup.
const HOSTILE: [(&str, &str); 4] = [
    ("m/V1__a.sql", "CREATE TABLE \"<script>alert(1)</script>\" (a int, \"b\"\"&'<img src=x>\" text);\n"),
    (
        "m/V2__b.sql",
        "-- cutover: before <b>\"it\" & 'that'</b>\nALTER TABLE \"<script>alert(1)</script>\" DROP COLUMN a;\nCREATE INDEX \"-->|x|]\"\"};\" ON \"<script>alert(1)</script>\" (\"b\"\"&'<img src=x>\");\n",
    ),
    (
        "blue/q.sql",
        "-- name: <q>\nSELECT a, '</code></pre><script>alert(2)</script>' FROM \"<script>alert(1)</script>\";\n",
    ),
    ("green/q.sql", "-- name: g\nSELECT \"b\"\"&'<img src=x>\" FROM \"<script>alert(1)</script>\";\n"),
];

const HOSTILE_PLAN: &str = "m --from 1 --blue blue --green green";

/// Holds a page against what every page is: well-formed, without scripts or anything from elsewhere, and its links lead somewhere.
#[track_caller]
fn check_page(html: &str) -> Vec<String> {
    const VOID: [&str; 2] = ["meta", "!DOCTYPE"];
    let (mut open, mut tags) = (Vec::new(), Vec::new());
    let (mut ids, mut links) = (BTreeSet::new(), BTreeSet::new());
    let body = html.replace(html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap(), "");
    for tag in body.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').unwrap();
        assert!(!text.contains('>'), "an angle bracket that is none of a tag: {text:?}");
        let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap();
        tags.push(name.to_owned());
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "in {tag:?}"),
            None if VOID.contains(&name) => {}
            None => open.push(name),
        }
        for (i, attribute) in tag.split("id=\"").enumerate().skip(1) {
            assert!(ids.insert(attribute.split('"').next().unwrap()), "{i}: an id twice: {tag}");
        }
        links.extend(tag.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()));
        assert!(!tag.contains("src=") && !tag.contains(" on") && !tag.contains("javascript:"), "{tag}");
    }
    assert_eq!(open, [""; 0]);
    for link in links {
        assert!(ids.contains(link.strip_prefix('#').unwrap_or_else(|| panic!("leads away: {link}"))), "{link}");
    }
    let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    assert!(!style.contains("url(") && !style.contains("@import"));
    tags.sort();
    tags.dedup();
    tags
}

#[test]
fn a_page_holds_whatever_names_and_texts_there_are() {
    let html = printed(&HOSTILE, &format!("report {HOSTILE_PLAN}"), 0);
    let tags = check_page(&html);
    assert!(!tags.iter().any(|tag| ["script", "img", "b", "link", "iframe"].contains(&tag.as_str())), "{tags:?}");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    // What breaks: the place in the query is marked, beside the statement.
    let breaks = html.split("id=\"breaks\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(breaks.contains("SELECT <mark>a</mark>, &#39;&lt;/code&gt;"), "{breaks}");
    assert!(breaks.contains("DROP COLUMN a"), "{breaks}");
    assert!(breaks.contains("does not exist"), "{breaks}");
    assert_eq!(html, printed(&HOSTILE, &format!("report {HOSTILE_PLAN}"), 0), "it depends on nothing but the input");
}

/// Without steps before the cutover the overlap is the start, and what green waits for stands beside its query all the same.
#[test]
fn what_green_waits_for_stands_beside_its_query() {
    let files = [
        ("m/V1__a.sql", "CREATE TABLE t (a int);\n"),
        ("m/V2__b.sql", "ALTER TABLE t RENAME COLUMN a TO b;\n"),
        ("blue/q.sql", "-- name: old\nSELECT a FROM t;\n"),
        ("green/q.sql", "-- name: new\nSELECT b FROM t;\n"),
    ];
    let html = printed(&files, "report m --from 1 --blue blue --green green", 0);
    check_page(&html);
    let breaks = html.split("id=\"breaks\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert!(breaks.contains("SELECT <mark>b</mark> FROM t"), "{breaks}");
    assert!(breaks.contains("It fails in the overlap; it works after <a href=\"#step-1\">step 1</a>"), "{breaks}");
    assert!(breaks.contains("ALTER TABLE t RENAME COLUMN a TO b"), "{breaks}");
}

#[test]
fn every_example_is_a_page() {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut seen = 0;
    for name in support::example_releases() {
        let output = support::cutover(root).arg("report").arg(support::examples_root().join(&name)).output().unwrap();
        let html = String::from_utf8(output.stdout).unwrap();
        check_page(&html);
        assert!(html.contains("id=\"foreseen\"") && html.contains("Point of no return"), "{name}");
        seen += 1;
    }
    assert!(seen >= 12);
}

/// A release of many steps with many queries: columns for the states where something changes, and what works everywhere is folded.
#[test]
fn a_large_release_is_folded() {
    let tables: String = (0..200).map(|i| format!("CREATE TABLE t{i} (id int, a int);\n")).collect();
    let steps: String = (0..200).map(|i| format!("ALTER TABLE t{i} ADD COLUMN b int;\n")).collect();
    let blue: String = (0..200).map(|i| format!("-- name: q{i}\nSELECT a FROM t{i};\n\n")).collect();
    let green = "-- name: new\nSELECT b FROM t7;\n";
    let files = [("m/V1__a.sql", &*tables), ("m/V2__b.sql", &steps), ("b/q.sql", &blue), ("g/q.sql", green)];
    let html = printed(&files, "report m --from 1 --blue b --green g", 0);
    check_page(&html);
    assert!(html.contains("201 queries that prepare at every state they must"));
    let heads = html.matches("<th scope=\"col\">").count();
    assert!(heads < 20, "{heads}");
    assert!(html.contains("198 of 201 states left out"), "start, the step of t7, and the overlap at the end are left");
}

/// Where something changes at every step, the columns would be too many.
#[test]
fn a_release_that_changes_everywhere_is_folded_too() {
    let tables: String = (0..60).map(|i| format!("CREATE TABLE t{i} (id int, a int);\n")).collect();
    let steps: String = (0..60).map(|i| format!("ALTER TABLE t{i} DROP COLUMN a;\n")).collect();
    let blue: String = (0..60).map(|i| format!("-- name: q{i}\nSELECT a FROM t{i};\n\n")).collect();
    let files = [("m/V1__a.sql", &*tables), ("m/V2__b.sql", &steps), ("b/q.sql", &blue)];
    let html = printed(&files, "report m --from 1 --blue b", 0);
    check_page(&html);
    assert!(html.contains("59 of 61 states left out: too many to show"));
    assert!(
        html.contains("<td class=\"m works\">ok</td><td class=\"m away\">-</td><td><a href=\"#step-8\">step 8</a>")
    );
    let text = printed(&files, "report m --from 1 --blue b --format text", 0);
    assert!(text.contains("59 of 61 states left out, too many to show"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() < 250), "{text}");
}

#[test]
fn a_plan_says_in_text_what_breaks() {
    assert_snapshot!(printed(&BREAKS, "plan m --from 1 --blue blue --green green", 1), @"
    cutover plan: 1 migration (2), 3 steps, on top of 1

      Before cutover                                      blue keeps working, green can start
        +   1  u    CREATE TABLE  2:1  no lock that anybody waits for
                 no version notices
        -   2  t.a  DROP COLUMN   2:3  ACCESS EXCLUSIVE, brief
                 the author: nobody reads it any more

      Cutover: traffic moves from blue to green, blue drains

      After cutover                                       blue is gone
        !   3  t.b  TYPE bigint   2:4  ACCESS EXCLUSIVE, rewrites the table
                 blue relies on it in all: t.b is readable as integer
                 point of no return: blue cannot come back

             query    start  overlap      end
      blue   all         ok     FAIL        -
      green  one         ok        ~       ok
      ok: prepares · ~: prepares with other types or columns · FAIL: fails where it must work · -: fails where its version does not run; 1 of 4 states left out, nothing changes there
      1 other query prepares at every state it must

    Plan: 2 before, 1 after. 1 additive (+), 1 deletive (-), 1 incompatible (!).
    A step's locks outlive its statements by 10 s at most, whatever happens to cutover or the network.
    No rollback to blue once step 3 has started.
    Not safe. 2 errors, 0 warnings. `execute` refuses this plan.
    ");
}

const BREAKS: [(&str, &str); 4] = [
    ("m/V1__a.sql", "CREATE TABLE t (a int, b int);\n"),
    (
        "m/V2__b.sql",
        "CREATE TABLE u (a int);\n-- cutover: before nobody reads it any more\nALTER TABLE t DROP COLUMN a;\nALTER TABLE t ALTER COLUMN b TYPE bigint;\n",
    ),
    ("blue/q.sql", "-- name: all\nSELECT a, b FROM t;\n\n-- name: other\nSELECT 1;\n"),
    ("green/q.sql", "-- name: one\nSELECT b FROM t;\n"),
];

#[test]
fn an_upsert_without_its_index_does_not_prepare() {
    let files = [
        ("m/V1__a.sql", "CREATE TABLE t (a int, b int);\n"),
        ("m/V2__b.sql", "CREATE UNIQUE INDEX ON t (a);\n"),
        ("blue/q.sql", "-- name: put\nINSERT INTO t (a) VALUES ($1);\n"),
        (
            "green/q.sql",
            "-- name: put\nINSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO NOTHING;\n\n-- name: any\nINSERT INTO t (a) VALUES ($1) ON CONFLICT DO NOTHING;\n",
        ),
    ];
    let text = printed(&files, "report m --from 1 --blue blue --green green --format text", 0);
    let rows: Vec<_> = text.lines().filter(|l| ["  blue ", "  green"].iter().any(|v| l.starts_with(v))).collect();
    assert_eq!(
        rows,
        ["  blue   put         ok       ok", "  green  put       FAIL       ok", "  green  any         ok       ok",]
    );
}

#[test]
fn a_saved_plan_is_drawn_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let file = directory.path().join("release.plan");
    let example = format!("{root}/migrations-examples/02-rename-column");
    let cutover = |args: &[&str]| support::cutover(directory.path()).args(args).output().unwrap();
    cutover(&["plan", &example, "-o", "release.plan"]);
    for command in [["report", "html"], ["report", "text"], ["graph", "mermaid"], ["graph", "dot"]] {
        let [command, format] = command;
        let saved = cutover(&[command, "release.plan", "--format", format]);
        let fresh = cutover(&[command, &example, "--format", format]);
        assert_eq!(support::transcript(&saved), support::transcript(&fresh));
        assert_eq!(support::exit(&saved), 0);
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert_snapshot!(support::transcript(&cutover(&["graph", "release.plan", "--from", "1"])), @r##"
    exit 2
    --- stderr
    error: release.plan is a saved plan: options that make another one do not fit
      help: name the folder of the migrations instead, or leave the options out
    "##);
    std::fs::write(&file, text.replace("full_name", "other_name")).unwrap();
    assert_eq!(support::exit(&cutover(&["report", "release.plan"])), 6);
    std::fs::write(&file, "{").unwrap();
    assert_eq!(support::exit(&cutover(&["graph", "release.plan"])), 2);
}

const GRAPH: [(&str, &str); 2] = [
    ("m/V1__a.sql", "CREATE TABLE \"a b\" (x int);\n"),
    (
        "m/V2__b.sql",
        "CREATE TABLE \"q\"\"\\]|<b>\" (id int PRIMARY KEY);\nALTER TABLE \"a b\" ADD COLUMN y int REFERENCES \"q\"\"\\]|<b>\";\nUPDATE \"a b\" SET y = x;\nALTER TABLE \"a b\" DROP COLUMN x;\n",
    ),
];

#[test]
fn a_graph_for_mermaid() {
    assert_snapshot!(printed(&GRAPH, "graph m --from 1", 0), @r##"
    flowchart TD
      subgraph before["Before cutover"]
        s1["1 #34;q#34;#34;#92;#93;#124;#60;b#62;#34;<br>CREATE TABLE<br>additive"]:::additive
        s2["2 #34;a b#34;.y<br>ADD COLUMN integer<br>additive"]:::additive
        s3["3 #34;a b#34;.y<br>UPDATE<br>data"]:::data
      end
      subgraph after["After cutover"]
        s4["4 #34;a b#34;.x<br>DROP COLUMN<br>deletive, point of no return"]:::deletive
      end
      s1 -->|"#34;q#34;#34;#92;#93;#124;#60;b#62;#34;"| s2
      s2 -->|"#34;a b#34;.y"| s3
      s3 -->|"#34;a b#34;.x"| s4
      classDef additive fill:#d9f2df,stroke:#1a6b34,color:#1f2328
      classDef deletive fill:#fbdcd9,stroke:#a3231a,color:#1f2328
      classDef neutral fill:#eceef1,stroke:#57606a,color:#1f2328
      classDef incompatible fill:#f5b5af,stroke:#7d0f08,color:#1f2328
      classDef data fill:#fdeec4,stroke:#7a5600,color:#1f2328
      classDef opaque fill:#e6dcf7,stroke:#5a32a3,color:#1f2328
    "##);
}

#[test]
fn a_graph_for_graphviz() {
    let dot = printed(&GRAPH, "graph m --from 1 --format dot", 0);
    check_dot(&dot);
    assert_snapshot!(dot, @r##"
    digraph release {
      node [shape=box, style="rounded,filled", fontname="sans-serif"];
      edge [fontname="sans-serif", fontsize=10];
      subgraph cluster_before {
        label="Before cutover";
        s1 [label="1 \"q\"\"\\]|<b>\"\nCREATE TABLE\nadditive", fillcolor="#d9f2df", color="#1a6b34"];
        s2 [label="2 \"a b\".y\nADD COLUMN integer\nadditive", fillcolor="#d9f2df", color="#1a6b34"];
        s3 [label="3 \"a b\".y\nUPDATE\ndata", fillcolor="#fdeec4", color="#7a5600"];
      }
      subgraph cluster_after {
        label="After cutover";
        s4 [label="4 \"a b\".x\nDROP COLUMN\ndeletive, point of no return", fillcolor="#fbdcd9", color="#a3231a"];
      }
      s1 -> s2 [label="\"q\"\"\\]|<b>\""];
      s2 -> s3 [label="\"a b\".y"];
      s3 -> s4 [label="\"a b\".x"];
    }
    "##);
    check_dot(&printed(&HOSTILE, &format!("graph {HOSTILE_PLAN} --format dot"), 0));
}

/// The grammar of DOT, as far as it is used: `digraph ID { stmts }` with nodes, edges, attributes and subgraphs.
#[track_caller]
fn check_dot(text: &str) {
    let mut tokens = tokens(text).into_iter().peekable();
    let mut next = || tokens.next().unwrap_or_default();
    assert_eq!((next().as_str(), next().as_str()), ("digraph", "ID"));
    let (mut depth, mut named, mut used) = (0, BTreeSet::new(), BTreeSet::new());
    let mut statement: Vec<String> = vec![next()];
    while let Some(last) = statement.last() {
        match last.as_str() {
            "{" => {
                assert!(depth == 0 || matches!(statement.as_slice(), [s, id, _] if s == "subgraph" && id == "ID"));
                depth += 1;
                statement.clear();
            }
            "}" => {
                assert_eq!(statement.len(), 1, "a statement without its end: {statement:?}");
                depth -= 1;
                statement.clear();
                if depth == 0 {
                    break;
                }
            }
            ";" => {
                let words: Vec<_> = statement.iter().map(|w| w.trim_end_matches(char::is_numeric)).collect();
                match words.as_slice() {
                    ["ID", "=", "ID", ";"] => {}
                    ["node" | "edge", "[", list @ .., "]", ";"] => attributes(list),
                    ["s", "[", list @ .., "]", ";"] => {
                        attributes(list);
                        assert!(named.insert(statement[0].clone()), "a node twice: {statement:?}");
                    }
                    ["s", "->", "s", "[", list @ .., "]", ";"] => {
                        attributes(list);
                        used.extend([statement[0].clone(), statement[2].clone()]);
                    }
                    other => panic!("no statement: {other:?}"),
                }
                statement.clear();
            }
            _ => {}
        }
        statement.push(next());
        assert_ne!(statement.last().unwrap(), "", "it ends within {statement:?}");
    }
    assert_eq!(depth, 0);
    assert!(used.is_subset(&named), "{used:?} {named:?}");
}

#[track_caller]
fn attributes(list: &[&str]) {
    for attribute in list.split(|word| *word == ",") {
        assert!(matches!(attribute, ["ID", "=", "ID"]), "no attribute: {attribute:?}");
    }
}

/// The tokens of DOT: names and strings as `ID`, nodes by their name.
#[track_caller]
fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let name = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (token, length) = match first {
            '"' => {
                let bytes = rest.as_bytes();
                let mut end = 1;
                while bytes[end] != b'"' {
                    assert!(bytes[end] >= b' ', "a line break in a string: {rest:?}");
                    end += if bytes[end] == b'\\' { 2 } else { 1 };
                }
                ("ID".to_owned(), end + 1)
            }
            _ if name > 0 => {
                let word = &rest[..name];
                let own = ["digraph", "subgraph", "node", "edge"].contains(&word)
                    || word.strip_prefix('s').is_some_and(|n| n.parse::<u32>().is_ok());
                (if own { word } else { "ID" }.to_owned(), name)
            }
            '-' if rest.starts_with("->") => ("->".to_owned(), 2),
            '{' | '}' | '[' | ']' | ';' | '=' | ',' => (first.to_string(), 1),
            other => panic!("no token of DOT: {other:?} in {rest:?}"),
        };
        found.push(token);
        rest = rest[length..].trim_start();
    }
    found
}

/// The document of a rehearsal is what its schema says, also where the plan is refused.
#[tokio::test(flavor = "multi_thread")]
async fn the_json_of_a_rehearsal_is_what_its_schema_says() {
    let root = env!("CARGO_MANIFEST_DIR");
    let binaries = support::server().await.binaries().directory().to_owned();
    let schema = support::cutover(root).args(["schema", "rehearsal"]).output().unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_slice(&schema.stdout).unwrap()).unwrap();
    let rehearse = |name: &str, format: &str| {
        let mut command = support::cutover(root);
        let name = format!("migrations-examples/{name}");
        command.args(["rehearse", &name, "--server", "local", "--format", format, "--pg-bin"]).arg(&binaries);
        command.output().unwrap()
    };
    for (name, exit, server) in [("10-mixed-file", 0, true), ("12-conflict-unique", 1, false)] {
        let output = rehearse(name, "json");
        assert_eq!(support::exit(&output), exit, "{}", support::transcript(&output));
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let errors: Vec<_> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
        assert_eq!(errors, [""; 0], "{name}");
        assert_eq!(document["safe"], (exit == 0), "{name}");
        assert_eq!(document["server"].is_string(), server, "{name}");
        assert_eq!(document["matrix"].is_object(), server, "{name}");
        assert_eq!(document["findings"].as_array().unwrap().is_empty(), server, "{name}");
    }
    assert!(!validator.is_valid(&serde_json::json!({ "format_version": "2.0" })));
    let page = rehearse("10-mixed-file", "html");
    assert_eq!(support::exit(&page), 0);
    let html = String::from_utf8(page.stdout).unwrap();
    check_page(&html);
    assert!(html.contains("id=\"observed\"") && html.contains("id=\"rehearsal\"") && html.contains("id=\"foreseen\""));
}
