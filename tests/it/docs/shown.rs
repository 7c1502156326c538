//! Makes anew what the manual shows. What is another each time (times, ids, names of machines) is written as the manual has it.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;

use super::page::{Page, manual, root};
use crate::execute::replan::{RIGHT, Team, WRONG};
use crate::execute::support::Shop;
use crate::stats::{statement, statistics, table};
use crate::support::{self, Site};

/// A name, and what makes the output that it stands for.
type Shown = (&'static str, fn() -> String);

/// What is behind each name.
const SHOWN: &[Shown] = &[
    ("plan of 10-mixed-file", || plain(&["plan", "migrations-examples/10-mixed-file"])),
    ("plan of 18-backfill-in-batches", || plain(&["plan", "migrations-examples/18-backfill-in-batches"])),
    ("lint of 16-diesel", || plain(&["lint", "migrations-examples/16-diesel"])),
    ("sources of drop-untested-column", sources),
    ("stats", stats),
    ("rehearsal of 10-mixed-file", rehearsal),
    ("replay", replay),
    ("synthetic rows", synthetic),
    ("overlap", overlap),
    ("execute", execute),
    ("status", status),
    ("grants", || plain(&["grants", "--role", "watcher"])),
    ("drift", drift),
    ("promote", promote),
    ("rollback refused", rollback_refused),
    ("resume", resume),
    ("replan", replan),
    ("backfill", backfill),
    ("traffic", traffic),
    ("settings", settings),
    ("files changed", files_changed),
    ("plan refused", plan_refused),
];

/// What of a page's output is another now. Writes it anew where that is asked for.
pub(super) fn compare(page: &Page) -> Vec<String> {
    let mut stale = Vec::new();
    let mut text = page.text.clone();
    for block in page.blocks() {
        let Some(name) = block.marked("output") else { continue };
        let make = SHOWN.iter().find(|(known, _)| *known == name);
        let (_, make) = make.unwrap_or_else(|| panic!("{}: nothing makes {name:?}", block.place));
        let printed = make();
        let printed: String = printed.trim_end().lines().map(|line| format!("{}\n", line.trim_end())).collect();
        if printed != block.text {
            let fence = |text: &str| format!("<!-- output: {name} -->\n```text\n{text}```\n");
            text = text.replace(&fence(&block.text), &fence(&printed));
            stale.push(format!("{}: {name}\n{printed}", block.place));
        }
    }
    if std::env::var_os("UPDATE_DOCS").is_some() && text != page.text {
        std::fs::write(root().join(&page.path), text).unwrap();
        stale.clear();
    }
    stale
}

/// A block that a page calls `<!-- file: name -->`.
fn file(name: &str) -> String {
    let blocks = manual().into_iter().flat_map(|page| page.blocks());
    let mut found = blocks.filter(|block| block.marked("file") == Some(name));
    let block = found.next().unwrap_or_else(|| panic!("no page has the file {name}"));
    assert!(found.next().is_none(), "{name} is shown twice");
    block.text
}

/// Puts `with` for what follows `before`, as long as it is of that kind.
fn mask(text: &str, before: &str, with: &str, kind: fn(char) -> bool) -> String {
    let mut parts = text.split(before);
    let mut masked = parts.next().unwrap().to_owned();
    for part in parts {
        masked.extend([before, with, part.trim_start_matches(kind)]);
    }
    masked
}

/// Ids of releases are made of the plan's seal, which holds the version of the tool.
fn without_ids(text: &str) -> String {
    let mut ids: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    ids.retain(|word| word.len() == 12 && word.chars().all(|c| c.is_ascii_digit() || matches!(c, 'a'..='f')));
    ids.iter().fold(text.to_owned(), |text, id| text.replace(id, "99cf5cb0b621"))
}

/// A release's output, for everybody and every day.
fn timeless(text: &str) -> String {
    let line = |c: char| c != '\n';
    let text = mask(text, "Connected to ", "deploy@localhost:5432/shop", line);
    let text = mask(&text, "ok (", "3 ms", |c| c != ')');
    let text = mask(&text, "begun ", "2026-11-23T06:50:21Z by deploy on ci", line);
    let text = mask(&text, ", since ", "2026-11-23T06:50:24Z", line);
    let text =
        mask(&text, "Took      ", "4 m 11 s: 9 ms before the cutover, 4 m 11 s for the traffic, 7 ms after it", line);
    let text =
        mask(&text, "the slowest was ", "8 (accounts, DROP COLUMN and 1 more) with 3 ms", |c| !matches!(c, ';' | '\n'));
    let text = mask(&text, "Promoted  by ", "deploy on ci", line);
    without_ids(&text)
}

/// From the line that begins with this, to before the one that begins with that.
fn between(text: &str, from: &str, to: &str) -> String {
    let lines = text.lines().skip_while(|line| !line.starts_with(from));
    let mut first = true;
    let lines = lines.take_while(|line| std::mem::take(&mut first) || to.is_empty() || !line.starts_with(to));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    assert!(!text.is_empty(), "no line begins with {from:?}");
    text
}

/// Standard output of a command that needs no server.
fn plain(args: &[&str]) -> String {
    String::from_utf8(support::cutover(root()).args(args).output().unwrap().stdout).unwrap()
}

fn sources() -> String {
    let text = plain(&["plan", "migrations-examples/17-recorded-by-tests/drop-untested-column"]);
    between(&text, "  After cutover", "")
}

fn plan_refused() -> String {
    let output = support::cutover(root()).args(["plan", "migrations-examples/11-conflict"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    between(&told, "CO102", "CO309")
}

fn stats() -> String {
    let (mut users, mut kinds) = (table("users", 32, 300_000), table("kinds", 0, 12));
    users["columns"] = serde_json::json!([{ "name": "email", "null_fraction": 0.05, "distinct": -1.0 }]);
    kinds["bytes"]["heap"] = 16_384.into();
    let figures = statistics(
        &[users, table("orders", 400_000, 892_000_000), kinds],
        &[
            statement("SELECT * FROM orders WHERE user_id = $1", 135.0, &[("orders", "read")]),
            statement("INSERT INTO orders VALUES ($1)", 80.0, &[("orders", "write"), ("users", "lock-rows")]),
        ],
    );
    let site = Site::new(&[
        ("migrations/V1__shop.sql", &file("stats/V1__shop.sql")),
        ("migrations/V2__release.sql", &file("stats/V2__release.sql")),
        ("stats.json", &figures.to_string()),
    ]);
    let args = ["plan", "migrations", "--from", "1", "--stats", "stats.json"];
    let output = support::cutover(site.path()).args(args).output().unwrap();
    between(&String::from_utf8(output.stdout).unwrap(), "  Before cutover", "Plan:")
}

/// The command with what it needs to find PostgreSQL's programs and those of a test suite.
fn with_server(directory: impl AsRef<std::path::Path>) -> std::process::Command {
    let mut command = support::cutover(directory);
    for name in ["PATH", "HOME"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.envs(support::local_options().bin_directory.map(|path| ("CUTOVER_PG_BIN", path)));
    command
}

fn rehearsed(directory: impl AsRef<std::path::Path>, args: &[&str]) -> String {
    let output = with_server(directory).arg("rehearse").args(args).args(["--server", "local"]).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    mask(&text, "local PostgreSQL ", "17.5", |c| c.is_ascii_digit() || c == '.')
}

fn rehearsal() -> String {
    between(
        &rehearsed(root(), &["migrations-examples/10-mixed-file", "--pg-version", "17"]),
        "Rehearsed on",
        "warning:",
    )
}

fn replay() -> String {
    let suite = "set -e\nsql() { psql -X -q -v ON_ERROR_STOP=1 -c \"$1\"; }\n\
        sql \"INSERT INTO users (name) VALUES ('Ada')\"\nsql \"UPDATE users SET name = '' WHERE id = 1\"\nsql 'SELECT name FROM users WHERE id = 1'\n";
    let site = Site::new(&[("migrations/V1__users.sql", &file("replay/V1__users.sql")), ("suite", suite)]);
    let args = ["--name", "blue", "--migrations", "migrations", "--with-values", "-o", "blue.workload", "--"];
    let output = with_server(site.path()).arg("record").args(args).args(["bash", "suite"]).output().unwrap();
    assert!(output.status.success(), "{}", support::transcript(&output));
    let release = site.path().join("migrations/V2__no_empty_names.sql");
    std::fs::write(release, file("replay/V2__no_empty_names.sql")).unwrap();
    let text = rehearsed(site.path(), &["migrations", "--from", "1", "--blue", "blue.workload"]);
    between(&text, "         query", "CO301")
}

fn synthetic() -> String {
    let site = Site::new(&[
        ("migrations/V1__shop.sql", &file("synthetic/V1__shop.sql")),
        ("migrations/V2__no_amount.sql", &file("synthetic/V2__no_amount.sql")),
        ("blue/q.sql", &file("synthetic/q.sql")),
    ]);
    let text = rehearsed(site.path(), &["migrations", "--from", "1", "--blue", "blue"]);
    between(&text, "error: blue breaks", "Written in")
}

fn overlap() -> String {
    let base = "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text UNIQUE);";
    let site = Site::new(&[
        ("migrations/V1__users.sql", base),
        ("migrations/V2__initial.sql", &file("overlap/V2__initial.sql")),
        ("blue/q.sql", "-- name: add_user\nINSERT INTO users (name, email) VALUES ($1, $2);\n"),
        ("green/q.sql", "-- name: initials\nSELECT initial FROM users;\n"),
    ]);
    let text = rehearsed(site.path(), &["migrations", "--from", "1", "--blue", "blue", "--green", "green"]);
    between(&text, "error: rows that blue", "Written in")
}

/// An example's database, where refinery itself applied the first migration, and a saved plan of it.
struct Walk {
    shop: Shop,
    example: &'static str,
}

impl Walk {
    fn begin(example: &'static str, rows: &str) -> Self {
        let shop = Shop::empty();
        let folder = root().join("migrations-examples").join(example).join("migrations");
        let files = folder.read_dir_utf8().unwrap().map(|entry| entry.unwrap().path().to_owned());
        let first = files.into_iter().find(|path| path.file_name().unwrap().starts_with("V1__")).unwrap();
        let text = std::fs::read_to_string(&first).unwrap();
        let migration = [refinery::Migration::unapplied(first.file_stem().unwrap(), &text).unwrap()];
        refinery::Runner::new(&migration).run(&mut shop.client()).unwrap();
        shop.sql(rows);
        let walk = Self { shop, example };
        let folder = format!("migrations-examples/{}", walk.example);
        let plan = walk.plan();
        let database = format!("dbname={}", walk.shop.database);
        walk.run(&["plan", &folder, "--database", &database, "-o", &plan]);
        walk
    }

    fn plan(&self) -> String {
        self.shop.folder.path().join("release.plan").to_str().unwrap().to_owned()
    }

    /// What a command says: standard error first, where a release is told of, and then the outcome.
    fn run(&self, args: &[&str]) -> String {
        let output = self.shop.cutover(args).current_dir(root()).output().unwrap();
        timeless(&String::from_utf8([output.stderr, output.stdout].concat()).unwrap())
    }

    fn execute(&self) -> String {
        self.run(&["execute", &self.plan(), "--yes"])
    }
}

fn rename() -> Walk {
    Walk::begin("02-rename-column", "INSERT INTO accounts (email, name) VALUES ('ada@example.com', 'Ada')")
}

fn execute() -> String {
    rename().execute()
}

fn status() -> String {
    let walk = rename();
    walk.execute();
    walk.run(&["status"])
}

fn drift() -> String {
    let walk = rename();
    walk.execute();
    walk.shop.sql("ALTER TABLE accounts DISABLE TRIGGER accounts_names_in_step");
    walk.run(&["promote", "--yes"])
}

fn promote() -> String {
    let walk = rename();
    walk.execute();
    walk.run(&["promote", "--yes"])
}

fn rollback_refused() -> String {
    let walk = rename();
    walk.execute();
    walk.run(&["promote", "--yes"]);
    walk.run(&["rollback", "--yes"])
}

fn resume() -> String {
    for boundary in 1..40 {
        let walk = rename();
        walk.run(&["execute", &walk.plan(), "--yes", "--fault", &format!("kill-at={boundary}")]);
        if walk.run(&["status"]).contains("2 of 8 done") {
            return walk.run(&["resume", "--yes"]);
        }
    }
    panic!("never killed behind the second step");
}

fn replan() -> String {
    let team = Team::new();
    team.writes(WRONG).begins().ends(4);
    let planned = team.writes(RIGHT).plan(&["--replan"]).ends(0);
    let dir = format!("{}/", team.folder().to_str().unwrap());
    let text = between(&format!("{}{}", planned.err, planned.out), "  Replan", "Plan:").replace(&dir, "migrations/");
    mask(&text, "with release ", "99cf5cb0b621", |c| c.is_ascii_hexdigit())
}

fn backfill() -> String {
    // The number of rows of the second time depends on how long the first one took, but is never less than 1000.
    let rows = "ALTER TABLE orders ALTER COLUMN id RESTART WITH 10001;
        INSERT INTO orders (customer, total) SELECT 'c' || i, i FROM generate_series(1, 3000) AS i";
    Walk::begin("18-backfill-in-batches", rows).execute()
}

fn traffic() -> String {
    let shop = Shop::new();
    let plan = shop.save(&shop.plan());
    let script = shop.folder.path().join("move-traffic");
    std::fs::write(&script, file("traffic/move-traffic")).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let args = ["execute", &plan, "--yes", "--shift", "10,50,100", "--traffic-exec", "./move-traffic"];
    let output = shop.cutover(&args).current_dir(shop.folder.path()).output().unwrap();
    let text = timeless(&String::from_utf8([output.stderr, output.stdout].concat()).unwrap());
    let share = std::fs::read_to_string(shop.folder.path().join("green-share")).unwrap();
    assert_eq!(share.trim(), "10000", "{text}");
    between(&text, "  Before cutover: done", "")
}

fn settings() -> String {
    let mut command = support::cutover(root());
    command.args(["config", "show", "examples/haproxy", "--origin"]).env("CUTOVER_RELEASE_RAMP", "10,hold=5m,100");
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn files_changed() -> String {
    let shop = Shop::new();
    let plan = shop.save(&shop.plan());
    shop.run(&["execute", &plan, "--yes"]).ends(0);
    std::fs::write(shop.folder.path().join("V3__nick.sql"), "-- edited\n").unwrap();
    let output = shop.cutover(&["promote", "--yes"]).output().unwrap();
    let text = timeless(&String::from_utf8([output.stderr, output.stdout].concat()).unwrap());
    let text = text.replace(&format!("{}/", shop.folder.path().to_str().unwrap()), "migrations/");
    let text = mask(&text, "SHA-256 is ", "0a51…", |c| c.is_ascii_hexdigit());
    let text = mask(&text, "the plan has ", "6f1c…", |c| c.is_ascii_hexdigit());
    between(&text, "  Warning", "  Resuming")
}

/// Each name is used, so that nothing is made in vain.
#[test]
fn everything_that_is_made_is_shown() {
    let blocks: Vec<_> = manual().into_iter().flat_map(|page| page.blocks()).collect();
    let used: HashMap<_, _> = blocks.iter().filter_map(|block| Some((block.marked("output")?, ()))).collect();
    let unused: Vec<_> = SHOWN.iter().map(|(name, _)| *name).filter(|name| !used.contains_key(name)).collect();
    assert_eq!(unused, [""; 0]);
}
