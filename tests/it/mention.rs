//! What a release takes away, looked for in blue's source: names and their spellings over texts, and the command over folders.

use std::time::Instant;

use cutover::compat::mention::{TakenKind, TakenName, search};
use cutover::migrations::{Convention, Folder};
use cutover::plan::saved::{Phase, SavedPlan};
use cutover::plan::{Planned, Request, plan};
use cutover::source::Sources;
use cutover::workload::Workload;

use crate::support;

const BASE: &str = "CREATE TYPE order_state AS ENUM ('new', 'in progress', 'done');
    CREATE TABLE user_accounts (id bigint PRIMARY KEY, user_id bigint, fax text, email text NOT NULL);
    CREATE UNIQUE INDEX user_accounts_email ON user_accounts (email);
    CREATE TABLE orders (id bigint PRIMARY KEY, state order_state, total int, CONSTRAINT total_known CHECK (total > 0));
    CREATE INDEX orders_total ON orders (total);
    CREATE SEQUENCE order_numbers;
    CREATE FUNCTION order_total(bigint) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE DOMAIN euro AS numeric;";

fn planned(pending: &str, blue: Option<&Workload>, source: &[(&str, &str)]) -> Planned {
    let files = [("V1__a.sql".into(), BASE.into()), ("V2__b.sql".into(), pending.into())];
    let folder = Folder::from_files(Convention::Refinery, files).unwrap();
    let pending = folder.pending_after(Some("1")).unwrap();
    let mut tree = Sources::new();
    for (path, text) in source {
        tree.add(*path, *text);
    }
    plan(Request { blue, blue_source: Some(&tree), ..Request::new(&folder, &pending) })
}

/// `name path:line:column` of all places, as a plan shows them.
fn places(plan: &SavedPlan) -> Vec<String> {
    let mentions = plan.steps.iter().flat_map(|step| &step.mentions);
    mentions
        .flat_map(|m| m.places.iter().map(move |at| format!("{} {}:{}:{}", m.name, at.path, at.line, at.column)))
        .collect()
}

/// Holds the places in one file `a` against what is expected.
#[track_caller]
fn check(pending: &str, text: &str, expected: &[&str]) {
    let planned = planned(pending, None, &[("a", text)]);
    let found = places(&planned.plan);
    assert_eq!(found, expected, "{pending} in {text:?}");
    let told = planned.diagnostics.iter().filter(|d| d.code.name == "mentioned-in-source").count();
    assert_eq!(told > 0, !expected.is_empty());
}

#[test]
fn columns_are_looked_for_where_their_table_is_mentioned() {
    let drop = "ALTER TABLE user_accounts DROP COLUMN fax;";
    check(drop, "SELECT fax FROM user_accounts", &["user_accounts.fax a:1:8"]);
    check(drop, "SELECT fax FROM customers", &[]);
    check(drop, "class UserAccount:\n    fax = Text()\n", &["user_accounts.fax a:2:5"]);
    check(drop, "UPDATE USER_ACCOUNTS SET FAX = 1", &["user_accounts.fax a:1:26"]);
    check(drop, "user_accounts: faxes telefax fax_number getFax $fax-2 é.fax", &["user_accounts.fax a:1:49"]);
    check(drop, "user_accounts fax fax\nfax", &["user_accounts.fax a:1:15", "user_accounts.fax a:2:1"]);
    check(drop, "user_accounts", &[]);
    check(
        "ALTER TABLE user_accounts RENAME COLUMN fax TO telefax;",
        "user_accounts fax",
        &["user_accounts.fax a:1:15"],
    );
    check("ALTER TABLE user_accounts ALTER fax TYPE int USING 1;", "user_accounts fax", &["user_accounts.fax a:1:15"]);
    check("ALTER TABLE user_accounts ALTER fax SET NOT NULL;", "user_accounts fax", &["user_accounts.fax a:1:15"]);
    check(
        "ALTER TABLE user_accounts ALTER email DROP NOT NULL;",
        "user_accounts email",
        &["user_accounts.email a:1:15"],
    );
}

#[test]
fn names_are_spelled_as_applications_spell_them() {
    let column = |text: &str, found: bool| {
        let expected = ["user_accounts.user_id a:2:1"];
        let expected = if found { &expected[..] } else { &[] };
        check("ALTER TABLE user_accounts DROP COLUMN user_id;", &format!("UserAccount\n{text}"), expected);
    };
    for text in ["user_id", "USER_ID", "userId", "UserId", "UserID"] {
        column(text, true);
    }
    for text in ["userid", "USERID", "user_ids", "getUserId", "xuser_id", "user-id"] {
        column(text, false);
    }
    let table = |text: &str, found: bool| {
        let expected = ["user_accounts a:1:1"];
        check("DROP TABLE user_accounts;", text, if found { &expected[..] } else { &[] });
    };
    for text in [
        "user_accounts",
        "USER_ACCOUNTS",
        "userAccounts",
        "UserAccounts",
        "UserAccount",
        "user_account",
        "userAccount",
        "Accounts",
    ] {
        table(text, true);
    }
    for text in ["useraccounts", "accounts", "Account", "user_accountss", "UserAccountsX", "USERACCOUNT"] {
        table(text, false);
    }
    let orders = |text: &str, found: bool| {
        check("DROP TABLE orders;", text, if found { &["orders a:1:1"] } else { &[] });
    };
    for text in ["orders", "Orders", "ORDERS", "Order"] {
        orders(text, true);
    }
    for text in ["ORDER BY 1", "order", "reorders"] {
        orders(text, false);
    }
}

#[test]
fn labels_types_functions_and_names_of_rules() {
    let label = |text: &str, expected: &[&str]| {
        check("ALTER TYPE order_state RENAME VALUE 'new' TO 'fresh';", text, expected);
    };
    label("orders 'new'", &["order_state 'new' a:1:9"]);
    label("Order.state = \"new\"", &["order_state 'new' a:1:16"]);
    label("class OrderState:\n  NEW = 1", &["order_state 'new' a:2:3"]);
    label("order_state :new", &["order_state 'new' a:1:14"]);
    label("let orders = new Order('news')", &[]);
    label("'new'", &[]);
    let two_words = "ALTER TYPE order_state RENAME VALUE 'in progress' TO 'busy';";
    check(two_words, "orders 'in progress' IN_PROGRESS", &["order_state 'in progress' a:1:9"]);
    check(
        two_words,
        "orders\n:in_progress\nOrder::InProgress in progress",
        &["order_state 'in progress' a:2:2", "order_state 'in progress' a:3:8"],
    );
    check("DROP FUNCTION order_total(bigint);", "select ORDER_TOTAL(1)", &["order_total a:1:8"]);
    check("DROP DOMAIN euro;", "x::euro", &["euro a:1:4"]);
    check("DROP SEQUENCE order_numbers;", "nextval('order_numbers')", &["order_numbers a:1:10"]);
    check("DROP INDEX orders_total;", "-- uses orders_total", &["orders_total a:1:9"]);
    check("DROP INDEX user_accounts_email;", "if e.name == 'user_accounts_email'", &["user_accounts_email a:1:15"]);
    check("ALTER TABLE orders DROP CONSTRAINT total_known;", "except 'total_known'", &["total_known a:1:9"]);
    check(
        "ALTER TABLE orders DROP CONSTRAINT orders_pkey;",
        "ON CONFLICT ON CONSTRAINT orders_pkey",
        &["orders_pkey a:1:27"],
    );
    // That an INSERT must say more is a matter of the whole table.
    check("ALTER TABLE orders ADD COLUMN shop int NOT NULL;", "INSERT INTO orders (id)", &["orders a:1:13"]);
}

#[test]
fn what_takes_nothing_away_is_not_looked_for() {
    let text = "user_accounts fax orders Order 'new' order_state order_total euro";
    for pending in [
        "ALTER TABLE orders ADD COLUMN shop int;",
        "CREATE TABLE shops (id int);",
        "CREATE INDEX ON orders (id);",
        "ALTER TYPE order_state ADD VALUE 'lost';",
        "CREATE TABLE tmp (fax int); DROP TABLE tmp;",
        "CREATE OR REPLACE FUNCTION order_total(bigint) RETURNS int LANGUAGE sql AS 'SELECT 2';",
        "CREATE POLICY own ON orders USING (true);",
    ] {
        let planned = planned(pending, None, &[("a", text)]);
        assert_eq!(places(&planned.plan), [""; 0], "{pending}");
    }
}

/// A table that goes is looked for, and not each of its columns; so is a type, and not its labels.
#[test]
fn the_whole_stands_for_its_parts() {
    check("DROP TABLE user_accounts;", "user_accounts fax email", &["user_accounts a:1:1"]);
    check("ALTER TABLE orders DROP COLUMN state; DROP TYPE order_state;", "order_state 'done'", &["order_state a:1:1"]);
}

#[test]
fn files_come_in_their_order_and_the_rest_is_counted() {
    let lines: String = (0..30).map(|i| format!("SELECT fax FROM user_accounts -- {i}\n")).collect();
    let long = format!("{}user_accounts.fax{}", "x".repeat(300) + " ", " ".to_owned() + &"y".repeat(300));
    let plan = planned(
        "ALTER TABLE user_accounts DROP COLUMN fax, DROP COLUMN email;",
        None,
        &[("a", &lines), ("b", "no such thing"), ("c", &lines), ("d", &format!("{long}\nemail"))],
    )
    .plan;
    let [fax, email] = &plan.steps[1].mentions[..] else { panic!("{:?}", plan.steps) };
    assert_eq!((email.name.as_str(), email.count, email.files, email.places.len()), ("user_accounts.email", 1, 1, 1));
    assert_eq!((fax.count, fax.files, fax.places.len()), (61, 3, 19), "20 in all, and one of each first");
    assert_eq!(fax.places[18].line, 19);
    assert_eq!(plan.blue_source.map(|searched| (searched.files, searched.skipped)), Some((4, 0)));
    let only = planned("ALTER TABLE user_accounts DROP COLUMN fax;", None, &[("d", &long)]).plan;
    let text = &only.steps[0].mentions[0].places[0].text;
    assert!(text.starts_with("…x") && text.ends_with("y…") && text.chars().count() < 230, "{text}");
}

/// What queries show and what the source mentions stand beside each other; neither the order nor the verdict follows from a mention.
#[test]
fn mentions_move_nothing() {
    let queries = |text: &str| Workload::from_text("q.sql", text).0;
    let source = [("app.py", "user_accounts fax email")];
    let check = |pending: &str, queries: Option<&Workload>, expected: &[(Phase, &str, &str)]| {
        let with = planned(pending, queries, &source);
        let without = planned(pending, queries, &[]);
        let order = |plan: &SavedPlan| {
            plan.steps.iter().map(|s| (s.phase, s.object.clone(), s.point_of_no_return)).collect::<Vec<_>>()
        };
        assert_eq!(order(&with.plan), order(&without.plan), "{pending}");
        assert_eq!(with.plan.verdict, without.plan.verdict, "{pending}");
        let severity = |step: &str| {
            let of = with.plan.findings.iter().find(|f| f.code == "CO309" && f.message.contains(step));
            of.map_or("", |f| f.severity.name()).to_owned()
        };
        let found: Vec<_> = with
            .plan
            .steps
            .iter()
            .filter(|step| !step.mentions.is_empty())
            .map(|step| (step.phase, step.mentions[0].line(), severity(&step.object)))
            .collect();
        let found: Vec<_> = found.iter().map(|(p, l, s)| (*p, l.as_str(), s.as_str())).collect();
        assert_eq!(found, expected, "{pending}");
    };
    let (fax, email) = (
        queries("-- name: q\nSELECT fax FROM user_accounts;"),
        queries("-- name: q\nSELECT email FROM user_accounts;"),
    );
    let drop = "ALTER TABLE user_accounts DROP COLUMN fax;";
    let mentions = "blue's source mentions user_accounts.fax at 1 place in 1 file";
    let (shown, unshown) =
        (format!("{mentions}; query q uses it"), format!("{mentions}; no query shows that it is used"));
    check(drop, None, &[(Phase::After, mentions, "info")]);
    check(drop, Some(&fax), &[(Phase::After, &shown, "info")]);
    check(drop, Some(&email), &[(Phase::After, &unshown, "info")]);
    // Green waits for the new name, and none of blue's queries keeps the old one.
    let rename = "ALTER TABLE user_accounts RENAME COLUMN fax TO telefax;";
    check(rename, Some(&email), &[(Phase::Before, &unshown, "warning")]);
    check(rename, Some(&fax), &[(Phase::After, &shown, "info")]);
    let told = format!("-- cutover: before nobody faxes\n{drop}");
    check(&told, None, &[(Phase::Before, mentions, "info")]);
    check(&told, Some(&email), &[(Phase::Before, &unshown, "warning")]);
    let allowed = format!("-- cutover: allow(mentioned-in-source) looked at\n{rename}");
    check(&allowed, Some(&email), &[(Phase::Before, &unshown, "")]);
}

/// Twice the text is twice the time, however many names there are, and whatever the text is made of.
#[test]
fn time_grows_with_the_text_only() {
    let name = |kind, name: String, owners| TakenName { kind, shown: name.clone(), name: name.into(), owners };
    let names: Vec<TakenName> = (0..1_000)
        .map(|i| {
            name(TakenKind::Column, format!("part_{i}"), vec![name(TakenKind::Relation, format!("things_{i}"), vec![])])
        })
        .collect();
    let time = |text: &str, files: usize| {
        let mut tree = Sources::new();
        (0..files).for_each(|i| _ = tree.add(format!("f{i}"), text));
        let took = (0..3).map(|_| {
            let start = Instant::now();
            search(&names, &tree);
            start.elapsed()
        });
        took.min().unwrap()
    };
    let code = "things_7.part_7 = order.parts[things_8] + thing; // part_9 of things_9\n".repeat(200);
    let texts = [(code, 20), ("things_7.part_7 ".repeat(10_000), 2), ("part_".repeat(40_000), 2)];
    for (text, files) in texts {
        let (some, more) = (time(&text, files), time(&text, 8 * files));
        assert!(more < 20 * some, "{some:?} and {more:?} for eight times the text");
        let (short, long) = (time(&text, 1), time(&text.repeat(8), 1));
        assert!(long < 20 * short, "{short:?} and {long:?} for a file of eight times the size");
    }
}

/// A release in a folder with a source tree.
const RELEASE: [(&str, &str); 5] = [
    ("m/V1__a.sql", "CREATE TABLE readers (id int, phone text);\n"),
    ("m/V2__b.sql", "ALTER TABLE readers DROP COLUMN phone;\n"),
    ("cutover.toml", "[migrations]\nfolder = \"m\"\nfrom = \"1\"\n[apps.blue]\nsource = [\"app\"]\n"),
    ("app/a.py", "db.execute('SELECT phone FROM readers')\n"),
    ("app/.gitignore", "built/\n"),
];

struct Tree(tempfile::TempDir);

impl Tree {
    fn of(more: &[(&str, &[u8])]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let files = RELEASE.iter().map(|(path, text)| (*path, text.as_bytes())).chain(more.iter().copied());
        for (path, content) in files {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        Self(directory)
    }

    /// Exit code, standard output, standard error.
    fn run(&self, args: &str) -> (i32, String, String) {
        let output = support::cutover(self.0.path()).args(args.split(' ')).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (support::exit(&output), text(&output.stdout), text(&output.stderr))
    }
}

#[test]
fn the_command_searches_what_somebody_wrote() {
    let same = b"SELECT phone FROM readers";
    let large = [b"readers phone\n".as_slice()].concat().repeat(400_000);
    let long = [b"readers phone ".as_slice()].concat().repeat(1_000);
    let tree = Tree::of(&[
        ("app/built/out.js", same),
        ("app/.hidden/x", same),
        ("app/m/V2__b.sql", same),
        ("app/z/nul.bin", b"readers phone \0"),
        ("app/z/latin.txt", b"readers phone \xe9"),
        ("app/z/large.txt", &large),
        ("app/z/bundle.js", &long),
        ("app/z/z.sql", same),
    ]);
    let app = tree.0.path().join("app");
    std::os::unix::fs::symlink("..", app.join("z/loop")).unwrap();
    std::os::unix::fs::symlink("a.py", app.join("link.py")).unwrap();
    let (exit, out, err) = tree.run("plan .");
    assert_eq!(exit, 0, "{err}");
    let shown: Vec<_> = out.lines().map(str::trim).filter(|line| line.starts_with("app/")).collect();
    assert_eq!(
        shown,
        [
            "app/a.py:1:20  db.execute('SELECT phone FROM readers')",
            "app/m/V2__b.sql:1:8  SELECT phone FROM readers",
            "app/z/z.sql:1:8  SELECT phone FROM readers",
        ],
        "{out}"
    );
    let skipped = "note: searched 3 files of app for what is taken away; left out: 1 larger than 4 MB (app/z/large.txt), \
         2 no UTF-8 text (app/z/latin.txt), 2 symbolic links (app/link.py), \
         1 with lines of more than 10 kB (app/z/bundle.js)\n";
    assert!(err.contains(skipped), "{err}");
    let (_, json, _) = tree.run("plan . --format json");
    let plan = SavedPlan::from_json(&json).unwrap();
    assert_eq!(plan.blue_source.map(|s| (s.files, s.skipped)), Some((3, 6)));
    assert_eq!(plan.steps[0].mentions[0].places[0].text, "db.execute('SELECT phone FROM readers')");
    assert_eq!(json, tree.run("plan . --format json").1);
}

#[test]
fn that_nothing_was_found_is_said_with_how_much_was_searched() {
    let tree = Tree::of(&[("other/a.py", b"print('hello')"), ("other/b.bin", b"\0")]);
    let (exit, out, _) = tree.run("plan m --from 1 --blue-source other");
    assert_eq!(exit, 0);
    let last = "No mention of what is taken away was found in blue's source: 1 file searched, 1 left out.\n";
    assert!(out.ends_with(last), "{out}");
    let (_, html, _) = tree.run("report m --from 1 --blue-source other");
    assert!(html.contains("<dt>Blue's source</dt><dd>1 file searched, 1 left out</dd>"), "{html}");
}

/// Where the migrations and a recording stand in the tree, they are not what mentions the name; and no file counts twice.
#[test]
fn what_is_known_already_is_not_searched() {
    let recording = include_str!("../../migrations-examples/17-recorded-by-tests/blue.workload");
    let recording = recording.replace("SELECT name, email FROM readers", "SELECT id, phone FROM readers");
    let tree = Tree::of(&[("blue.workload", recording.as_bytes())]);
    let (exit, out, err) = tree.run("plan m --from 1 --blue blue.workload --blue-source . --blue-source ./app");
    assert_eq!(exit, 0, "{err}");
    assert!(err.contains("note: searched 2 files of ., app for"), "{err}");
    assert!(out.contains("mentions readers.phone at 1 place in 1 file; query "), "{out}");
    assert!(out.contains("app/a.py:1:20"), "{out}");
}

#[test]
fn wrong_folders_are_usage_errors() {
    let tree = Tree::of(&[]);
    let check = |folder: &str, expected: &str| {
        for command in ["plan", "lint", "rehearse --server local"] {
            let (exit, _, err) = tree.run(&format!("{command} m --from 1 --blue-source {folder}"));
            assert_eq!((exit, err.lines().next().unwrap_or_default()), (2, expected), "{err}");
        }
    };
    std::fs::create_dir(tree.0.path().join("empty")).unwrap();
    let (exit, _, err) = tree.run("plan m --from 1 --blue-source empty");
    assert_eq!(exit, 0, "{err}");
    assert!(
        err.contains("searched 0 files of empty for what is taken away; nothing is known of blue's source"),
        "{err}"
    );
    check("nowhere", "error: --blue-source nowhere: it does not exist");
    check("app/a.py", "error: --blue-source app/a.py: it is not a folder");
    let (exit, _, err) =
        Tree::of(&[("cutover.toml", b"[apps.green]\nqueries = \"q\"\nsource = [\"app\"]\n")]).run("plan .");
    assert_eq!((exit, err.trim()), (2, "error: cutover.toml:3:1: unknown field `source`, expected `queries`"));
    let (exit, out, err) = tree.run("report release.plan --blue-source app");
    assert_eq!((exit, out.as_str()), (2, ""), "{err}");
}

#[test]
fn lint_tells_the_places() {
    let tree = Tree::of(&[]);
    let (exit, out, _) = tree.run("lint . --format json");
    assert_eq!(exit, 0, "{out}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let finding = report["findings"].as_array().unwrap().iter().find(|f| f["code"] == "CO309").unwrap();
    let place = &finding["places"][1];
    assert_eq!((&place["path"], &place["line"], &place["column"]), (&"app/a.py".into(), &1.into(), &20.into()));
    assert_eq!(place["source"], "db.execute('SELECT phone FROM readers')");
    let (_, text, _) = tree.run("lint . --from 1");
    assert!(text.contains("db.execute('SELECT phone FROM readers')"), "{text}");
    // Each migration for itself is no release of today's source.
    let (_, text, err) = tree.run("lint m --blue-source app");
    assert!(!text.contains("CO309") && err.contains("note: blue's source is not searched"), "{text}{err}");
}

#[test]
fn the_page_shows_the_lines_as_text() {
    let tree = Tree::of(&[("app/b.html", b"<b onclick='x'>readers phone</b>\n")]);
    let (exit, html, _) = tree.run("report .");
    assert_eq!(exit, 0);
    assert!(html.contains("<code>&lt;b onclick=&#39;x&#39;&gt;readers phone&lt;/b&gt;</code>"), "{html}");
    assert!(html.contains("Blue&#39;s source mentions readers.phone at 2 places in 2 files:"), "{html}");
}
