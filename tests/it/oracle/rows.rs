//! Release pairs whose plan is safe, rehearsed with synthetic rows: what they find must be so.

use std::collections::BTreeMap;

use camino::Utf8Path;
use cutover::execute::Stop;
use cutover::migrations::{self, Convention, Folder, Pending, Reading};
use cutover::plan::saved::{Phase, Verdict};
use cutover::plan::{Request, plan};
use cutover::postgres::throwaway::{Scratch, Throwaway};
use cutover::rehearse::Script;
use cutover::rehearse::Synthetic;
use cutover::rehearse::rehearsal::{Rehearsal, rehearse};
use cutover::side::Side;

use super::data::{Pair, Project};
use super::{every, projects};
use crate::support;

/// Numbers of one application.
#[derive(Default)]
struct Tally {
    rehearsed: usize,
    not_rehearsed: Vec<String>,
    filled: usize,
    unfilled: BTreeMap<String, usize>,
    queries: usize,
    compared: usize,
    nothing: BTreeMap<String, usize>,
    undecided: Vec<String>,
    breaks: Vec<String>,
    cut: usize,
    writing: usize,
    followed: usize,
    not_followed: BTreeMap<String, usize>,
    losses: Vec<String>,
    /// With what nobody is alarmed by.
    lost: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn synthetic_rows_find_nothing_that_is_not_so() {
    let (mut lines, mut breaks) = (Vec::new(), Vec::new());
    for project in projects() {
        let tally = tally(&project).await;
        let Tally { rehearsed, filled, queries, compared, cut, .. } = tally;
        lines.push(format!(
            "{}: {rehearsed} rehearsed, {} not; {compared} of {queries} queries run, {cut} not everywhere; {filled} tables filled; {} breaks, {} undecided",
            project.name,
            tally.not_rehearsed.len(),
            tally.breaks.len(),
            tally.undecided.len(),
        ));
        lines.extend(tally.unfilled.iter().map(|(why, count)| format!("    not filled {count}: {why}")));
        lines.extend(tally.nothing.iter().map(|(why, count)| format!("    nothing {count}: {why}")));
        lines.extend(tally.undecided.iter().map(|one| format!("    undecided {one}")));
        lines.extend(tally.not_rehearsed.iter().map(|one| format!("    not rehearsed {one}")));
        lines.push(format!("    {} of {} queries that write followed", tally.followed, tally.writing));
        lines.extend(tally.not_followed.iter().map(|(why, count)| format!("    not followed {count}: {why}")));
        lines.extend(tally.lost.iter().map(|one| format!("    lost {one}")));
        breaks.extend(tally.breaks);
        breaks.extend(tally.losses);
    }
    eprintln!("{}", lines.join("\n"));
    assert!(breaks.is_empty(), "plans called safe, of which rows say otherwise:\n{}", breaks.join("\n"));
}

/// With all steps before the cutover, blue's INSERTs that leave out a column which demands a value fail on rows. The recorded truth says which
/// ones.
#[tokio::test(flavor = "multi_thread")]
async fn synthetic_rows_find_what_is_known() {
    let (mut found, mut missed, mut more) = (0, Vec::new(), Vec::new());
    for project in projects() {
        let server = Throwaway::Scratch(Scratch::start(support::server().await.maintenance()).await.unwrap());
        let misses = |pair: &Pair| -> BTreeMap<String, Vec<String>> {
            pair.truth.steps.iter().flat_map(|step| step.misses_not_null.clone()).collect()
        };
        for pair in project.pairs(1).iter().filter(|pair| !misses(pair).is_empty()).step_by(every().div_ceil(3)) {
            let Some(rehearsal) = early(&server, pair).await else { continue };
            let broken: Vec<_> = rehearsal.breaks().into_iter().filter(|b| b.row.version == Side::Blue).collect();
            let is_broken = |query: &str| broken.iter().any(|found| found.row.query == query);
            let known = misses(pair);
            for (query, columns) in &known {
                match is_broken(query) {
                    true => found += 1,
                    false => missed.push(format!("{} {query} {columns:?}", pair.name)),
                }
            }
            let running = broken.iter().filter(|b| b.failure.running);
            let others = running.filter(|b| !known.contains_key(&b.row.query));
            more.extend(
                others.map(|b| format!("{} {}: {}\n    {}", pair.name, b.row.query, b.failure.message, b.row.sql)),
            );
        }
        server.stop().await.unwrap();
    }
    eprintln!(
        "found {found}\nmissed {}\n{}\nmore {}\n{}",
        missed.len(),
        missed.join("\n"),
        more.len(),
        more.join("\n")
    );
    assert!(found == 0 && missed.is_empty() || found >= 9 * missed.len());
}

/// A release whose steps all run before the cutover, rehearsed.
async fn early(server: &Throwaway, pair: &Pair) -> Option<Rehearsal> {
    let directory = tempfile::tempdir().unwrap();
    let (folder, pending) = on_disk(pair, Utf8Path::from_path(directory.path()).unwrap());
    let mut plan = plan(Request { blue: Some(&pair.release.blue), ..Request::new(&folder, &pending) }).plan;
    plan.steps.iter_mut().for_each(|step| step.phase = Phase::Before);
    plan.verdict = Verdict::Safe;
    let script = Script {
        plan: &plan,
        folder: &folder,
        applied: &pending.applied,
        pending: &pending.pending,
        blue: Some(&pair.release.blue),
        green: None,
    };
    let (_stopper, stop) = Stop::channel();
    match rehearse(server, script, &mut |_| {}, stop).await {
        Ok(rehearsal) => Some(rehearsal),
        Err(error) => {
            eprintln!("{}: not rehearsed: {error}", pair.name);
            None
        }
    }
}

async fn tally(project: &Project) -> Tally {
    let mut tally = Tally::default();
    let server = Throwaway::Scratch(Scratch::start(support::server().await.maintenance()).await.unwrap());
    // A release takes some ten seconds.
    for pair in project.pairs(2 * every()) {
        add(&mut tally, &server, &pair).await;
    }
    server.stop().await.unwrap();
    tally
}

/// The files on disk, where the executor wants them.
fn on_disk(pair: &Pair, directory: &Utf8Path) -> (Folder, Pending) {
    let Pending { applied, pending } = &pair.release.pending;
    for (n, migration) in applied.iter().chain(pending).enumerate() {
        let text = &pair.release.folder.sources.file(migration.file).text;
        // Each statement of production's files in a transaction of its own, for they were not made for one.
        let end = if n < applied.len() { "\n;\nBEGIN; COMMIT;\n" } else { "" };
        std::fs::write(directory.join(format!("{n:04}.sql")), format!("{text}{end}")).unwrap();
    }
    let reading = Reading { convention: Some(Convention::Plain), ..Reading::default() };
    let folder = migrations::load_with(directory, &reading).unwrap();
    let (done, rest) = folder.migrations.split_at(applied.len());
    let pending = Pending { applied: done.to_vec(), pending: rest.to_vec() };
    (folder, pending)
}

async fn add(tally: &mut Tally, server: &Throwaway, pair: &Pair) {
    let directory = tempfile::tempdir().unwrap();
    let (folder, pending) = on_disk(pair, Utf8Path::from_path(directory.path()).unwrap());
    let (blue, green) = (Some(&pair.release.blue), Some(&pair.release.green));
    let planned = plan(Request { blue, green, ..Request::new(&folder, &pending) });
    if planned.plan.verdict != Verdict::Safe {
        return;
    }
    let script = Script {
        plan: &planned.plan,
        folder: &folder,
        applied: &pending.applied,
        pending: &pending.pending,
        blue,
        green,
    };
    let (_stopper, stop) = Stop::channel();
    let rehearsal = match rehearse(server, script, &mut |_| {}, stop).await {
        Ok(rehearsal) => rehearsal,
        Err(error) => {
            tally.not_rehearsed.push(format!("{}: {}", pair.name, error.to_string().replace('\n', " ")));
            return;
        }
    };
    tally.rehearsed += 1;
    if let Some((place, message)) = &rehearsal.fresh_failure {
        tally.not_rehearsed.push(format!("{}: a fresh installation fails: {place}: {message}", pair.name));
    }
    for found in rehearsal.breaks().iter().filter(|found| found.failure.running) {
        let step = found.state.after_step.unwrap_or(0);
        let (version, message) = (found.row.version.name(), &found.failure.message);
        let sql: String = found.row.sql.split_whitespace().collect::<Vec<_>>().join(" ");
        tally.breaks.push(format!("{}: {version} after step {step}: {message}\n        {sql}", pair.name));
    }
    for overlap in &rehearsal.overlaps {
        tally.writing += overlap.queries;
        tally.followed += overlap.compared;
        tally.cut += overlap.cut;
        for (why, count) in &overlap.nothing {
            *tally.not_followed.entry(why.clone()).or_default() += count;
        }
        for loss in &overlap.losses {
            let shown = format!("{}: {} {loss:?}", pair.name, overlap.version.name());
            match loss.told {
                Some(_) => tally.lost.push(shown),
                None => tally.losses.push(shown),
            }
        }
    }
    for Synthetic { filled, unfilled, queries, compared, nothing, undecided, cut, .. } in &rehearsal.synthetic {
        tally.filled += filled;
        tally.queries += queries;
        tally.compared += compared;
        tally.cut += cut;
        for (table, why) in unfilled {
            *tally.unfilled.entry(format!("{table}: {why}")).or_default() += 1;
        }
        for (why, count) in nothing {
            *tally.nothing.entry(why.clone()).or_default() += count;
        }
        tally.undecided.extend(undecided.iter().map(|one| format!("{}: {} {}", pair.name, one.query, one.message)));
    }
}
