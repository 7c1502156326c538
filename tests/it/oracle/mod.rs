//! Real release pairs: what the planner says, against what PostgreSQL says. `CUTOVER_ORACLE` names the directory; `CUTOVER_ORACLE_EVERY=1`
//! runs every pair instead of a sample, `CUTOVER_ORACLE_PROJECT=x` one application only, `CUTOVER_ORACLE_TIMES=1` compares times.

mod data;
mod observed;
mod recall;
mod rows;
mod server;
mod statics;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cutover::plan::Planned;
use cutover::plan::saved::Verdict;
use cutover::postgres::Session;

use data::{Pair, Project};
use recall::{Count, Recall};
use server::Base;

use crate::support::{Order, Run};

/// A sample that a build machine can afford.
fn every() -> usize {
    let wish = std::env::var("CUTOVER_ORACLE_EVERY").ok().and_then(|n| n.parse().ok());
    wish.unwrap_or(12).max(1)
}

fn projects() -> Vec<Project> {
    let only = std::env::var("CUTOVER_ORACLE_PROJECT").ok();
    data::projects().into_iter().filter(|p| only.as_ref().is_none_or(|o| *o == p.name)).collect()
}

/// Numbers of one application.
#[derive(Default)]
struct Tally {
    pairs: usize,
    safe: usize,
    refused: BTreeMap<String, usize>,
    needless: BTreeMap<String, usize>,
    notes: Vec<String>,
    wrong: Vec<String>,
}

impl Tally {
    fn safe(&mut self, pair: &Pair, run: &Run, straight: &Run) {
        self.safe += 1;
        self.wrong.extend(run.breaks.first().map(|b| format!("{}: {} breaks, {b}", pair.name, run.breaks.len())));
        match (&run.failed, &straight.failed) {
            (Some(message), None) => self.wrong.push(format!("{}: the plan does not run: {message}", pair.name)),
            (_, Some(message)) => self.notes.push(format!("{}: not even the files' order runs: {message}", pair.name)),
            (None, None) => {
                if let (Some(is), Some(should)) = (&run.last, &straight.last) {
                    let differences = should.differences(is);
                    self.wrong.extend(differences.first().map(|d| format!("{}: the end differs: {d}", pair.name)));
                }
            }
        }
    }

    fn refused(&mut self, pair: &Pair, plan: &Planned, runs: &[(&str, Run)]) {
        let mut codes: Vec<_> =
            plan.plan.findings.iter().filter(|f| f.severity == cutover::diagnostic::Severity::Error).collect();
        codes.dedup_by_key(|f| f.code.clone());
        let names: Vec<String> = codes.iter().map(|f| format!("{} {}", f.code, f.name)).collect();
        let key = names.first().cloned().unwrap_or_default();
        *self.refused.entry(key.clone()).or_default() += 1;
        let works = |run: &Run| run.failed.is_none() && run.breaks.is_empty();
        if let Some((order, _)) = runs.iter().find(|(_, run)| works(run)) {
            *self.needless.entry(key).or_default() += 1;
            let first = codes.first().map(|f| f.message.clone()).unwrap_or_default();
            let place = codes.first().and_then(|f| f.places.first());
            let place = place.map(|p| format!("{}:{}", p.path, p.line)).unwrap_or_default();
            self.notes.push(format!("{}: {order} would do; {place} {first}", pair.name));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_plan_called_safe_breaks_a_query() {
    let tasks: Vec<_> = projects().into_iter().map(|p| tokio::spawn(async move { tally(&p).await })).collect();
    let mut table = format!(
        "{:<20} {:>5} {:>5} {:>7} {:>6} {:>8}\n",
        "application", "pairs", "safe", "refused", "wrong", "needless"
    );
    let (mut wrong, mut notes) = (Vec::new(), Vec::new());
    let mut by_code: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for task in tasks {
        let (name, tally) = task.await.unwrap();
        table.push_str(&format!(
            "{name:<20} {:>5} {:>5} {:>7} {:>6} {:>8}\n",
            tally.pairs,
            tally.safe,
            tally.refused.values().sum::<usize>(),
            tally.wrong.len(),
            tally.needless.values().sum::<usize>(),
        ));
        for (code, count) in tally.refused {
            by_code.entry(code).or_default().0 += count;
        }
        for (code, count) in tally.needless {
            by_code.entry(code).or_default().1 += count;
        }
        wrong.extend(tally.wrong);
        notes.extend(tally.notes);
    }
    table.push_str("refused for its first reason (of these needlessly, as far as PREPARE tells):\n");
    for (code, (refused, needless)) in by_code {
        table.push_str(&format!("    {code:<40} {refused:>5} {needless:>5}\n"));
    }
    eprintln!("{table}\n{}", notes.join("\n"));
    assert!(wrong.is_empty(), "plans called safe that are not:\n{}", wrong.join("\n"));
}

async fn tally(project: &Project) -> (String, Tally) {
    let mut tally = Tally::default();
    let mut base = Base::new("plan", &project.name);
    for pair in project.pairs(every()) {
        tally.pairs += 1;
        let planned = pair.release.plan();
        let run = base.run(&pair, &Order::Planned(&planned.plan)).await;
        if planned.plan.verdict == Verdict::Safe {
            tally.safe(&pair, &run, &base.run(&pair, &Order::Straight).await);
        } else {
            let straight = base.run(&pair, &Order::AllBefore).await;
            let late = base.run(&pair, &Order::AllAfter).await;
            tally.refused(&pair, &planned, &[("all before", straight), ("all after", late), ("its own order", run)]);
        }
    }
    (project.name.clone(), tally)
}

#[test]
fn evidence_agrees_with_postgresql() {
    let mut table = String::new();
    let mut examples = Vec::new();
    let mut all: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    for project in projects() {
        let mut recall = Recall::default();
        for pair in project.pairs(every()) {
            let planned = pair.release.plan();
            statics::add(&mut recall, &pair, &planned.base, &planned.last);
        }
        table.push_str(&format!("{}\n", project.name));
        for (what, count) in [
            ("unresolved", &recall.unresolved),
            ("no longer prepares", &recall.broken),
            ("other types", &recall.type_changed),
            ("INSERT misses NOT NULL", &recall.misses_not_null),
            ("green not ready", &recall.not_ready),
        ] {
            let Count { hit, missed, false_alarm, .. } = count;
            table.push_str(&format!("    {what:<24} {hit:>6} found {missed:>6} missed {false_alarm:>6} needless\n"));
            examples.extend(count.examples.iter().map(|e| format!("{what}: {e}")));
            let sum = all.entry(what).or_default();
            *sum = (sum.0 + hit, sum.1 + missed, sum.2 + false_alarm);
        }
    }
    eprintln!("{table}\n{}", examples.join("\n"));
    // In percent: what must be found of what breaks, and how much of what is said must be true.
    for (what, recall, precision) in [
        ("no longer prepares", 100, 98),
        ("other types", 99, 95),
        ("INSERT misses NOT NULL", 100, 98),
        ("green not ready", 99, 98),
    ] {
        let (hit, missed, false_alarm) = all.get(what).copied().unwrap_or_default();
        assert!(100 * hit >= recall * (hit + missed), "{what}: {missed} missed, {hit} found");
        assert!(100 * hit >= precision * (hit + false_alarm), "{what}: {false_alarm} said needlessly, {hit} rightly");
    }
}

/// The rehearsal's own way to find what breaks misses nothing and says nothing needlessly.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_agrees_with_postgresql() {
    let tasks: Vec<_> = projects().into_iter().map(|p| tokio::spawn(async move { observe(&p).await })).collect();
    let (mut table, mut examples) = (String::new(), Vec::new());
    let (mut wrong, mut right) = (0, 0);
    for task in tasks {
        let seen = task.await.unwrap();
        table.push_str(&seen.head);
        for (what, count) in seen.counts {
            let Count { hit, missed, false_alarm, .. } = count;
            table.push_str(&format!("    {what:<24} {hit:>6} found {missed:>6} missed {false_alarm:>6} needless\n"));
            examples.extend(count.examples.iter().map(|e| format!("{what}: {e}")));
            (right, wrong) = (right + hit, wrong + missed + false_alarm);
        }
        examples.extend(seen.failed);
    }
    eprintln!("{table}\n{}", examples.join("\n"));
    assert_eq!(wrong, 0, "of {} in all", right + wrong);
}

/// What was seen of one application.
struct Observed {
    head: String,
    counts: [(&'static str, Count); 3],
    failed: Vec<String>,
}

/// Times are of the projects side by side; of one alone with `CUTOVER_ORACLE_PROJECT`. With `CUTOVER_ORACLE_TIMES`, the same pairs are planned
/// from their text, too.
async fn observe(project: &Project) -> Observed {
    let mut base = Base::new("observed", &project.name);
    let (mut seen, mut effort) = (Recall::default(), observed::Effort::default());
    let (mut from_text, mut on_server, mut pairs) = (Duration::ZERO, Duration::ZERO, 0);
    let times = std::env::var_os("CUTOVER_ORACLE_TIMES").is_some();
    for pair in project.pairs(every()) {
        pairs += 1;
        if times {
            let begun = Instant::now();
            let planned = pair.release.plan();
            from_text += begun.elapsed();
            assert!(planned.plan.matrix.is_some(), "{}", pair.name);
        }
        let on_copy = async |session: &Session| {
            let begun = Instant::now();
            observed::add(&mut seen, &mut effort, &pair, session).await;
            begun.elapsed()
        };
        on_server += base.on_copy(&pair, on_copy).await;
    }
    let observed::Effort { states, queries, prepared, looking, looking_at_all, failed } = effort;
    let head = format!(
        "{}: {pairs} pairs, {states} states; {prepared} of {queries} queries prepared in {looking:.1?}, all of one state a pair in {looking_at_all:.1?}; statements and queries {on_server:.1?}, plan and matrix from the text {from_text:.1?}\n",
        project.name
    );
    let counts =
        [("no longer prepares", seen.broken), ("other types", seen.type_changed), ("green not ready", seen.not_ready)];
    Observed { head, counts, failed }
}
