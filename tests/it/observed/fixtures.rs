//! `fixtures/statements/`: every kind of statement, as people write it (`bad.sql`) and in its safe form (`good.sql`), simulated and observed.
//! `expected.txt` beside them holds both: a line with nothing before it is what both say; `text` and `server` mark what only one says, and
//! each such line has its reason in [`REASONS`].
//!
//! After a change that is meant to alter them: `UPDATE_FIXTURES=1 cargo test --test it observed::fixtures`, and read the diff.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use cutover::effect::{LockMode, PgVersion};
use cutover::migrations::{Convention, Folder, Pending};
use cutover::plan::saved::Verdict;
use cutover::plan::{Request, plan};
use cutover::postgres::observe::{Observation, Scan, StatementObserver};
use cutover::schema::{QName, Schema};
use cutover::source::Sources;
use cutover::sql::{self, Operation, Statement};
use tokio::sync::{OnceCell, Semaphore};

use super::reasons::REASONS;
use super::simulate::{Simulated, lines, simulate};
use crate::support;

/// What fixtures use and no database holds: a role, and a place for tables to move to.
static SURROUNDINGS: OnceCell<()> = OnceCell::const_new();

fn root() -> Utf8PathBuf {
    Utf8PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/statements")
}

fn read(path: &Utf8Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn fixtures() -> Vec<String> {
    let entries = root().read_dir_utf8().unwrap().map(Result::unwrap).filter(|e| e.file_type().unwrap().is_dir());
    let mut names: Vec<_> = entries.map(|e| e.file_name().to_owned()).collect();
    names.sort();
    names
}

async fn surroundings() {
    let make = || async {
        let session = cutover::postgres::connect(support::server().await.maintenance()).await.unwrap();
        session.batch_execute("CREATE ROLE cutover_app").await.unwrap();
        if session.server_version_num() >= 150_000 {
            session.batch_execute("SET allow_in_place_tablespaces = on").await.unwrap();
            session.batch_execute("CREATE TABLESPACE cutover_elsewhere LOCATION ''").await.unwrap();
        }
    };
    SURROUNDINGS.get_or_init(make).await;
}

/// A file of a fixture, played on the server.
async fn play(name: &str, file: &str) -> String {
    let text = read(&root().join(name).join(file));
    let setup = read(&root().join("setup.sql")) + &read(&root().join(name).join("setup.sql"));
    let session = support::database().await.connect().await;
    let version = support::version(&session);
    session.batch_execute(&setup).await.unwrap_or_else(|e| panic!("{name}/setup.sql: {}", support::message(&e)));
    let base = replay(&setup);
    let mut schema = base.clone();
    let mut observer = StatementObserver::start(&session).await.unwrap();
    let mut out = format!("{file}\n");
    let mut sources = Sources::new();
    let id = sources.add(file, &*text);
    for statement in sql::read(&sources, id).0 {
        let sql = sources.slice(statement.span);
        let control = |s: &Statement| s.pieces.iter().any(|p| matches!(p.operation, Operation::Transaction(_)));
        if control(&statement) {
            continue;
        }
        let said = simulate(&schema, &statement, &base, version);
        let seen = observer.observe(sql, statement.transactional).await.unwrap();
        writeln!(out, "\n{}", sql.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap();
        side_by_side(&said, &seen, &base, &mut out);
        // From here on, as it really is where the text did not tell.
        let told = !said.opaque && seen.error.is_none() && lines(&said.effect) == lines(&seen.effect);
        schema = if told { said.schema } else { observer.schema().clone().searched_like(&said.schema) };
    }
    out.push_str(&planned(&setup, file, &text, version));
    out
}

fn replay(setup: &str) -> Schema {
    let mut sources = Sources::new();
    let id = sources.add("setup.sql", setup);
    let pieces = sql::read(&sources, id).0.into_iter().flat_map(|s| s.pieces);
    pieces.fold(Schema::empty(), |schema, piece| schema.apply(&piece.operation).schema)
}

fn side_by_side(said: &Simulated, seen: &Observation, base: &Schema, out: &mut String) {
    let mut by_text = lines(&said.effect);
    let mut by_server = lines(&seen.effect);
    if said.opaque {
        by_text.insert("opaque".to_owned());
    }
    by_server.extend(seen.elsewhere.iter().map(|catalog| format!("changes {catalog}")));
    let locks = said.locks.iter().map(|(relation, mode)| lock(&relation.to_string(), *mode));
    by_text.extend(locks);
    by_text.extend(said.rewrite.then(|| "rewrites".to_owned()));
    by_text.extend(said.scan.then(|| "scans".to_owned()));
    by_text.extend(said.problems.iter().map(|problem| format!("problem: {problem}")));
    if let Some(error) = &seen.error {
        writeln!(out, "    fails: {error}").unwrap();
        by_text.iter().for_each(|line| writeln!(out, "    {line} (by text)").unwrap());
        return;
    }
    match &seen.cost {
        Some(cost) => {
            // Nobody waits for what the release has made.
            let old = |name: &QName| base.relation(name).is_some();
            let locks = cost.locks.iter().filter(|l| old(&l.relation));
            by_server.extend(locks.map(|l| lock(&l.relation.to_string(), l.mode)));
            by_server.extend(cost.rewrites.iter().find(|name| old(name)).map(|_| "rewrites".to_owned()));
            // Plain reads of other tables hold nobody up.
            let held =
                |scan: &&Scan| old(&scan.relation) && cost.locks.iter().any(|lock| lock.relation == scan.relation);
            by_server.extend(cost.scans.iter().find(held).map(|_| "scans".to_owned()));
        }
        None => {
            let cost = |line: &&String| line.starts_with("lock") || *line == "rewrites" || *line == "scans";
            let unseen: Vec<_> = by_text.iter().filter(cost).cloned().collect();
            by_text.retain(|line| !unseen.contains(line));
            unseen.iter().for_each(|line| writeln!(out, "    {line} (by text; outside a transaction)").unwrap());
        }
    }
    for line in by_text.union(&by_server) {
        let who = match (by_text.contains(line), by_server.contains(line)) {
            (true, true) => "",
            (true, false) => "text: ",
            (false, _) => "server: ",
        };
        writeln!(out, "    {who}{line}").unwrap();
    }
}

fn lock(relation: &str, mode: LockMode) -> String {
    format!("lock {relation} {}", mode.name())
}

/// What the planner makes of the file as a release.
fn planned(setup: &str, file: &str, text: &str, version: PgVersion) -> String {
    let files = [("0-setup.sql", setup), (&*format!("1-{file}"), text)];
    let folder =
        Folder::from_files(Convention::Plain, files.map(|(name, text)| (name.into(), text.to_owned()))).unwrap();
    let (applied, rest) = folder.migrations.split_at(1);
    let pending = Pending { applied: applied.to_vec(), pending: rest.to_vec() };
    let planned = plan(Request { version, ..Request::new(&folder, &pending) });
    let verdict = if planned.plan.verdict == Verdict::Safe { "safe" } else { "not safe" };
    let mut out = format!("\nplan: {verdict}\n");
    for step in &planned.plan.steps {
        let (phase, direction) = (format!("{:?}", step.phase), format!("{:?}", step.direction));
        writeln!(
            out,
            "    {:<6} {:<12} {} of {}",
            phase.to_lowercase(),
            direction.to_lowercase(),
            step.action,
            step.object
        )
        .unwrap();
    }
    let codes: BTreeSet<_> = planned.plan.findings.iter().map(|f| format!("{} {}", f.severity, f.name)).collect();
    codes.iter().for_each(|code| writeln!(out, "    {code}").unwrap());
    out
}

/// Lines that only one side says and that nobody has explained.
fn unexplained(name: &str, text: &str) -> Vec<String> {
    let mut statement = "";
    let mut found = Vec::new();
    for line in text.lines() {
        if !line.starts_with(' ') {
            statement = line;
        }
        let bare = line.trim();
        let one_sided = bare.starts_with("text: ") || bare.starts_with("server: ");
        let known = |(fixture, part, _): &(&str, &str, &str)| {
            (*fixture == "*" || name.starts_with(fixture)) && bare.contains(part)
        };
        if one_sided && !REASONS.iter().any(known) {
            found.push(format!("{name}: {statement}: {bare}"));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_is_what_its_fixture_says() {
    const AT_ONCE: usize = 6;
    surroundings().await;
    let update = std::env::var_os("UPDATE_FIXTURES").is_some();
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let tasks = fixtures().into_iter().map(|name| {
        let turns = Arc::clone(&turns);
        tokio::spawn(async move {
            let _turn = turns.acquire_owned().await.unwrap();
            let (bad, good) = (play(&name, "bad.sql").await, play(&name, "good.sql").await);
            (name, bad, good)
        })
    });
    let (mut stale, mut strange) = (Vec::new(), Vec::new());
    let version = support::version(&support::database().await.connect().await);
    for task in tasks.collect::<Vec<_>>() {
        let (name, bad, good) = task.await.unwrap();
        let text = format!("{bad}\n{good}");
        strange.extend(unexplained(&name, &text));
        let (common, own) = (root().join(&name).join("expected.txt"), own(&name, version));
        if update {
            write(&text, &common, &own, version);
        }
        let path = if own.exists() { own } else { common };
        if read(&path) != text {
            stale.push(format!("{path} is not what is seen on {version}:\n{text}"));
        }
    }
    assert!(strange.is_empty(), "text and server differ, and nobody has said why:\n{}", strange.join("\n"));
    assert!(
        stale.is_empty(),
        "{}\nset UPDATE_FIXTURES=1 to write them anew, on {} first",
        stale.join("\n"),
        PgVersion::default()
    );
}

/// What is expected of one version alone.
fn own(name: &str, version: PgVersion) -> Utf8PathBuf {
    root().join(name).join(format!("expected.{}.txt", version.0))
}

/// The common file is that of the version that is planned for by default; others have one of their own where they differ.
fn write(text: &str, common: &Utf8Path, own: &Utf8Path, version: PgVersion) {
    if version == PgVersion::default() {
        std::fs::write(common, text).unwrap();
    } else if read(common) != text {
        std::fs::write(own, text).unwrap();
    } else if own.exists() {
        std::fs::remove_file(own).unwrap();
    }
}
