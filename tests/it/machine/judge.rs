//! The checks: what was said about a release against what the server did.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use cutover::plan::Planned;
use cutover::plan::saved::{self, Phase, SavedPlan, Verdict};

use super::play::{Played, Step, Straight, Wrong, play, straight};
use super::release::{Query, Release};
use super::server::{Content, Refusal, Server};
use super::text;

/// How long the analysis of a small release may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Something wrong, with the release that shows it.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) wrong: Wrong,
    pub(super) release: Release,
}

/// What a release came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Judged {
    pub(super) faults: Vec<Fault>,
    /// Whether there was something to play.
    pub(super) played: bool,
    pub(super) safe: bool,
    /// The codes for which it was refused.
    pub(super) refused: BTreeSet<String>,
    /// An order was found in which the refused release works, for these queries and rows.
    pub(super) needless: Option<Fault>,
}

impl Judged {
    /// What it came to, in a line.
    pub(super) fn summary(&self) -> String {
        let refused = self.refused.iter().cloned().collect::<Vec<_>>().join(" ");
        match (self.played, self.safe, &self.needless) {
            (false, ..) => "not played".to_owned(),
            (true, true, _) => "safe".to_owned(),
            (true, false, None) => format!("refused, {refused}"),
            (true, false, Some(_)) => format!("refused, {refused}, and some order works"),
        }
    }
}

/// Judges a release; if only one check is asked for, no more than that takes.
pub(super) async fn judge(server: &mut Server, release: &Release, only: Option<&str>) -> Judged {
    let mut judged = Judged::default();
    let (straight, refused) = straight(server, release).await;
    for (release, refusal) in refused.into_iter().filter(|(_, refusal)| !refusal.by_rows()) {
        match planned(&release) {
            Ok(planned) if planned.plan.verdict == Verdict::Safe && !unknown(&release, &planned.plan, &refusal) => {
                let last = release.pending().last().cloned().unwrap_or_default();
                let what = format!("called safe, and the server refuses `{last}`: {}", refusal.message);
                let wrong = Wrong { check: "server-refuses", code: refusal.code, what };
                judged.faults.push(Fault { wrong, release });
            }
            Ok(_) => {}
            Err(wrong) => judged.faults.push(Fault { wrong, release }),
        }
    }
    let Some(straight) = straight.filter(|_| only != Some("server-refuses")) else { return judged };
    judged.played = true;
    let planned = match planned(&straight.release) {
        Ok(planned) => planned,
        Err(wrong) => {
            judged.faults.push(Fault { wrong, release: straight.release });
            return judged;
        }
    };
    let wrong = if planned.plan.verdict == Verdict::Safe {
        judged.safe = true;
        safe(server, &straight, &planned).await
    } else {
        let errors = planned.plan.findings.iter().filter(|f| f.severity == cutover::diagnostic::Severity::Error);
        judged.refused = errors.map(|f| f.code.clone()).collect();
        if only.is_none_or(|check| check == "needless") && works_somehow(server, &straight, &planned.plan).await {
            let finding = planned.plan.findings.iter().find(|f| f.severity == cutover::diagnostic::Severity::Error);
            let (code, what) = finding.map(|f| (f.code.clone(), f.message.clone())).unwrap_or_default();
            let wrong = Wrong { check: "needless", code, what };
            judged.needless = Some(Fault { wrong, release: straight.release.clone() });
        }
        let told = planned
            .plan
            .findings
            .iter()
            .find(|f| f.severity == cutover::diagnostic::Severity::Error && f.code == "CO411");
        let wrong = |f: &saved::Finding| Wrong { check: "not-refused", code: f.code.clone(), what: f.message.clone() };
        told.map(wrong).into_iter().collect()
    };
    let fault = |wrong| Fault { wrong, release: straight.release.clone() };
    judged.faults.extend(wrong.into_iter().map(fault));
    judged
}

/// Whether a statement is about something that the files have never made: a warning says so, or it is the work of the one that shrinks.
fn unknown(release: &Release, plan: &SavedPlan, refusal: &Refusal) -> bool {
    let named = refusal.message.split('"').nth(1).map(|name| name.rsplit('.').next().unwrap_or(name));
    let earlier = release.pending().count().saturating_sub(1);
    let known = |name| release.base.iter().chain(release.pending().take(earlier)).any(|sql| sql.contains(name));
    // A trigger that was made for another table fails whenever it runs.
    let broken = refusal.message.contains("record \"new\" has no field");
    if broken && release.base.iter().any(|sql| sql.starts_with("CREATE TRIGGER")) {
        return true;
    }
    // In the plan the label is committed first; and a body that breaks is told where it breaks.
    let cut = refusal.code == "55P04" && plan.steps.len() > 1;
    if cut || says(plan, "CO307") && refusal.code.starts_with("42") {
        return true;
    }
    // That it is refused as soon as a row goes is said.
    if refusal.code == "55000" && says(plan, "CO411") {
        return true;
    }
    // That a newer server takes it is said.
    says(plan, "CO006") || says(plan, "CO412") || refusal.code == "42P01" && named.is_some_and(|name| !known(name))
}

fn planned(release: &Release) -> Result<Planned, Wrong> {
    let timed = || {
        let started = Instant::now();
        (catch_unwind(AssertUnwindSafe(|| release.plan())), started.elapsed())
    };
    let (planned, took) = timed();
    // The machine may have been busy with something else.
    let took = if took > LIMIT { timed().1 } else { took };
    let wrong = |check, what: String| Wrong { check, code: String::new(), what };
    match planned {
        Ok(_) if took > LIMIT => Err(wrong("slow", format!("{took:?}"))),
        Ok(planned) => Ok(planned),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            Err(wrong("panic", said.unwrap_or_default()))
        }
    }
}

fn steps(plan: &SavedPlan) -> Vec<Step<'_>> {
    plan.steps.iter().map(step).collect()
}

fn step(step: &saved::Step) -> Step<'_> {
    Step {
        before: step.phase == Phase::Before,
        own: !step.is_alone(),
        session: step.session.iter().map(String::as_str).collect(),
        statements: step.statements().iter().map(|s| s.sql.as_str()).collect(),
        hazard: Some(step.hazard.as_str()),
    }
}

async fn safe(server: &mut Server, straight: &Straight, planned: &Planned) -> Vec<Wrong> {
    let mut wrong = text::differences(&straight.release, &planned.plan);
    let played = play(server, straight, &steps(&planned.plan)).await;
    let ran = played.wrong.iter().all(|w| w.check == "lock-untold");
    wrong.extend(played.wrong.iter().filter(|w| !excused(w, &planned.plan, &straight.release)).cloned());
    if ran && let Some(content) = &played.content {
        wrong.extend(end(straight, content, &planned.plan, played.written));
    }
    wrong
}

fn says(plan: &SavedPlan, code: &str) -> bool {
    plan.findings.iter().any(|f| f.code == code)
}

/// What a warning has said.
fn excused(wrong: &Wrong, plan: &SavedPlan, release: &Release) -> bool {
    let says = |code: &str| says(plan, code);
    let shown = release.shown;
    // A body that writes a column which never was.
    if let Some((_, field)) = wrong.what.split_once("has no field \"") {
        let field = field.trim_end_matches('"');
        let others = release.base.iter().chain(release.pending()).filter(|sql| !sql.starts_with("CREATE FUNCTION"));
        if !others.into_iter().any(|sql| sql.contains(field)) {
            return true;
        }
    }
    match wrong.check {
        // Rows of the overlap that the statement meets.
        "step-fails" => {
            // What the step waits for: rows that blue may write until it is drained, and that break the rule.
            let awaited = |step: &saved::Step| {
                let breaks = |e: &saved::StepEvidence| e.capability.contains("accepts rows that break");
                step.phase != Phase::Before && step.evidence.iter().any(breaks)
            };
            let late = ["23505", "23P01"].contains(&wrong.code.as_str())
                && wrong.what.contains("(after)")
                && plan.steps.iter().any(awaited);
            // A query for one value that meets rows of green.
            let several = |f: &saved::Finding| {
                // It is said of the statement that failed.
                let shows = |p: &saved::LabelledPlace| {
                    let said = p.excerpt.as_ref().and_then(|e| e.text.get(e.at.0 as usize..e.at.1 as usize));
                    said.is_some_and(|said| said.len() > 6 && wrong.what.contains(said.trim_end_matches(';')))
                };
                f.code == "CO303" && f.message.contains("more than one row") && f.places.iter().any(shows)
            };
            wrong.code == "55000" && says("CO411")
                || late
                || wrong.code == "21000" && plan.findings.iter().any(several)
                || wrong.code.starts_with("23") && (says("CO303") || says("CO305"))
                || says("CO404") && wrong.code.starts_with("23")
        }
        "blue-breaks" | "green-breaks" => {
            // Any new column may break a bare name or a COPY without a list: without queries nobody can know.
            // Of an INSERT without a list, by position.
            let any_column = !shown
                && ["22P02", "22P04", "22007", "428C9", "42702", "42725", "42804"].contains(&wrong.code.as_str());
            // A session keeps the plans of its functions; and a body that never fits its table is the generator's.
            let bodies = ["when preparing the plan", "COALESCE types"];
            let by_body = bodies.iter().any(|said| wrong.what.contains(said));
            let arbiter = !shown && says("CO302") && ["42P10", "42704", "42803"].contains(&wrong.code.as_str());
            // The same of COPY, which writes through no view.
            // And of a partition that is written by its own name.
            let through = ["cannot copy to view", "cannot execute MERGE on relation", "violates partition constraint"];
            let no_view = !shown && through.iter().any(|said| wrong.what.contains(said));
            // A rule that goes too late for green.
            let late = says("CO310") || says("CO305");
            let refused = wrong.code.starts_with("23")
                || wrong.code == "55000"
                // A row that a partition does not take, where a trigger has looked at it first.
                || wrong.code == "0A000" && wrong.what.contains("moving row to another partition")
                || wrong.code == "42501" && plan.findings.iter().any(|f| f.message.contains("belongs to"));
            let waits = wrong.check == "green-breaks" && late && refused;
            // The same where nobody knows what green writes.
            let goes = |step: &saved::Step| {
                let drops = |sql: &str| sql.starts_with("DROP ") || sql.contains(" DROP ");
                step.phase != Phase::Before && step.statements().iter().any(|s| drops(&s.sql))
            };
            let waits = waits || !shown && wrong.check == "green-breaks" && refused && plan.steps.iter().any(goes);
            // A new trigger that fills a key.
            let fills = |f: &saved::Finding| {
                f.code == "CO301"
                    && ["if another row has it", "may collide with them"].iter().any(|said| f.message.contains(said))
            };
            let filled = wrong.code == "23505" && plan.findings.iter().any(fills);
            let another = |f: &saved::Finding| {
                ["run another body", "through another query"].iter().any(|said| f.message.contains(said))
            };
            // A default that both versions get.
            let defaulted = |f: &saved::Finding| {
                f.code == "CO301"
                    && match wrong.code.as_str() {
                        "23505" => f.message.contains("refuses what collides"),
                        "23503" => f.message.contains("must hold by then"),
                        "23514" => f.message.contains("must take") || f.message.contains("run another body"),
                        "42501" => f.message.contains("run another body"),
                        code if code.starts_with("22") => another(f),
                        "21000" | "23502" | "P0001" => another(f),
                        "42P21" | "42P22" => f.message.contains("another collation"),
                        _ => false,
                    }
            };
            let defaulted = plan.findings.iter().any(defaulted);
            // A row that the release adds itself, and that another collides with: no text can know.
            let inserted = wrong.what.split(" after `").nth(1).is_some_and(|step| step.starts_with("INSERT INTO"));
            let collides = wrong.code == "23505" && inserted;
            // Rows of the release that hold what blue deletes.
            let points = |f: &saved::Finding| f.code == "CO301" && f.message.contains("point to them");
            // Rows that the release deletes, and that a version points to: the same.
            let deleted = wrong.what.split(" after `").nth(1).is_some_and(|step| step.starts_with("DELETE FROM"));
            let unknown = !shown && (inserted || deleted);
            let held = wrong.code == "23503" && (plan.findings.iter().any(points) || unknown);
            // An INSERT without a column list, behind a change of the columns.
            let into = wrong.what.split("INTO ").nth(1).and_then(|into| into.split_once(' '));
            let by_position =
                !shown && wrong.code == "23502" && into.is_some_and(|(_, rest)| rest.starts_with("VALUES"));
            // What a trigger puts where it does not fit.
            let labels = |f: &saved::Finding| f.code == "CO301" && f.message.contains("may be refused");
            let data = |code: &str| code.starts_with("22") || ["21000", "P0001", "P0002", "P0003"].contains(&code);
            let rule = |code: &str| ["23502", "23503", "23505", "23514"].contains(&code);
            // A default that asks for a setting.
            let asks = |f: &saved::Finding| f.code == "CO301" && f.message.contains("asks for a setting");
            let unset = wrong.code == "42704" && plan.findings.iter().any(asks);
            let mislabelled = unset || (data(&wrong.code) || rule(&wrong.code)) && plan.findings.iter().any(labels);
            any_column
                || mislabelled
                || defaulted
                || by_position
                || by_body
                || filled
                || held
                || collides
                || arbiter
                || no_view
                || waits
                || says("CO307") && wrong.code.starts_with("42")
        }
        "other-rows" => !shown || says("CO308") || says("CO301"),
        _ => false,
    }
}

/// The objects and rows at the end against those of the files' own order.
fn end(straight: &Straight, content: &Content, plan: &SavedPlan, written: bool) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let keys: BTreeSet<&String> = straight.content.objects.keys().chain(content.objects.keys()).collect();
    let differing = keys.into_iter().find(|k| straight.content.objects.get(*k) != content.objects.get(*k));
    if let Some(key) = differing {
        let (then, now) = (straight.content.objects.get(key), content.objects.get(key));
        let what = format!("{key}: {then:?} by the files' order, {now:?} by the plan's");
        let code = key.split(' ').next().unwrap_or_default().to_owned();
        wrong.push(Wrong { check: "end-differs", code, what });
    }
    let said = |table: &str| {
        let about = |f: &&saved::Finding| {
            let collides = f.code == "CO301" && f.message.contains("refuses what collides");
            collides || ["CO303", "CO305", "CO310"].contains(&f.code.as_str())
        };
        let shows = |p: &saved::LabelledPlace| p.excerpt.as_ref().is_some_and(|e| e.text.contains(table));
        plan.findings.iter().filter(about).any(|f| f.message.contains(table) || f.places.iter().any(shows))
    };
    // What is said of a table is said of those that are filled from it, and of its parts.
    let made = straight.release.base.iter().chain(straight.release.pending());
    // What the release drops again is in no table at the end.
    let pending: Vec<&String> = straight.release.pending().collect();
    let dropped = |rest: &str| {
        pending
            .iter()
            .any(|sql| sql.starts_with("DROP TABLE ") && sql.contains(bare(rest.split(' ').next().unwrap_or_default())))
    };
    let partitioned: Vec<&str> = made
        .filter_map(|sql| {
            sql.strip_prefix("CREATE TABLE ").filter(|rest| rest.contains(" PARTITION BY ") || dropped(rest))
        })
        .filter_map(|rest| rest.split([' ', '(']).next())
        .map(bare)
        .collect();
    let together = |sql: &String, table: &str| {
        let mut named = straight.content.rows.keys().map(|t| bare(t)).chain(partitioned.iter().copied());
        sql.contains(table) && named.any(|other| sql.contains(other) && said(other))
    };
    let all = straight.release.base.iter().chain(straight.release.pending()).filter(|sql| !sql.contains("REFERENCES"));
    // And by the name that it bore before.
    let old_names = |table: &str| {
        let renamed = |sql: &String| {
            Some(sql.strip_prefix("ALTER TABLE ")?.strip_suffix(&format!(" RENAME TO {table}"))?.to_owned())
        };
        straight.release.pending().filter_map(renamed).collect::<Vec<_>>()
    };
    let said = |table: &str| said(table) || old_names(table).iter().any(|old| said(bare(old)));
    let filled = |table: &str| all.clone().any(|sql| together(sql, bare(table)));
    let told = |table: &str| said(bare(table)) || filled(table) || old_names(table).iter().any(|old| filled(old));
    // Its author has said where it runs, and it cannot be read.
    let placed = |table: &str| {
        let worded = |sql: &&String| sql.starts_with("-- cutover: ") && sql.contains('\n');
        let opaque = |sql: &&String| sql.contains("\nCALL ") || sql.contains("\nDO ");
        let bodies = || straight.release.base.iter().chain(straight.release.pending());
        let calls = straight.release.pending().filter(worded).any(|sql| sql.contains("\nCALL "));
        let names = whole(&straight.release, table);
        let named = |sql: &&String| names.iter().any(|name| sql.contains(name));
        straight.release.pending().filter(worded).filter(opaque).any(|sql| named(&sql))
            || calls && bodies().filter(|sql| sql.starts_with("CREATE PROCEDURE ")).any(|sql| named(&sql))
    };
    // An INSERT without a column list writes by position, in the overlap perhaps into another column. Without queries nobody can know.
    let by_position = |table: &str| {
        let mut queries = straight.release.blue.iter().chain(&straight.release.green);
        let into = format!("INTO {table} ");
        !straight.release.shown
            && queries.any(|q| q.sql.split(&into).skip(1).any(|rest| !rest.trim_start().starts_with('(')))
    };
    // Rows in a copy that nobody is seen to use.
    let unused = |table: &str| {
        let (made, into) = (format!("CREATE TABLE {table} AS "), format!(" INTO {table} FROM "));
        let copies = |sql: &String| sql.starts_with(&made) || sql.starts_with("SELECT ") && sql.contains(&into);
        let named = straight.release.blue.iter().chain(&straight.release.green).any(|q| q.sql.contains(bare(table)));
        straight.release.shown && !named && straight.release.pending().any(copies)
    };
    let told = |table: &str| told(table) || by_position(table) || unused(table) || placed(table);
    if written && wrong.is_empty() {
        // What a copy meets of rows that green wrote, nobody knows without its queries.
        let copies = plan.steps.iter().any(|step| {
            let copied = |sql: &str| sql.starts_with("INSERT INTO ") && sql.contains(" SELECT ");
            step.phase != Phase::Before && step.statements().iter().any(|s| copied(&s.sql))
        });
        let unshown = |kind: &str| !straight.release.shown && kind == "kept" && copies;
        let differing = rows(straight, content).into_iter().filter(|(table, (kind, _))| !told(table) && !unshown(kind));
        wrong.extend(
            differing
                .filter(|(table, _)| !by_told_trigger(table, &straight.release, plan))
                .map(|(table, (code, what))| {
                    let check = rows_check(&straight.release, &table);
                    Wrong { check, code: code.to_owned(), what: format!("{table}: {what}") }
                })
                .next(),
        );
    }
    wrong
}

/// Where triggers and rules on a table come and go, rows of the overlap may be others than in a world without one.
fn rows_check(release: &Release, table: &str) -> &'static str {
    let names = whole(release, table);
    let moving = |sql: &&String| [" TRIGGER ", " RULE ", " FUNCTION "].iter().any(|w| sql.contains(w));
    let bodies = release.base.iter().filter(|sql| release.pending().any(|p| moving(&p)) && sql.contains(" FUNCTION "));
    let by_trigger =
        release.pending().filter(moving).chain(bodies).any(|sql| names.iter().any(|name| sql.contains(name)));
    if by_trigger { "rows-by-trigger" } else { "rows-differ" }
}

/// Whether a finding says that writes of blue set off what writes a table.
fn by_told_trigger(table: &str, release: &Release, plan: &SavedPlan) -> bool {
    let table = bare(table);
    // Of a view, too, that shows it.
    let shown = |f: &saved::Finding| {
        let views = release.base.iter().chain(release.pending()).filter_map(|sql| sql.strip_prefix("CREATE VIEW "));
        let mut views = views.filter_map(|rest| rest.split_once(' '));
        views.any(|(view, rest)| names(&f.message, bare(view)) && names(rest, table))
    };
    let tells = |f: &saved::Finding| f.message.contains("sets off") && (names(&f.message, table) || shown(f));
    // Of a rule: its own table, and those that its body names.
    let rewrites = |f: &saved::Finding| {
        let told = f.message.split_once("the rule ").and_then(|(_, rest)| rest.split_once(' '));
        let Some((rule, rest)) = told.filter(|(_, rest)| rest.contains("rewrites ")) else { return false };
        let own = rest.split_once(" into ").and_then(|(_, rest)| rest.split([' ', ':', ',']).next());
        let made = |sql: &&String| sql.contains("CREATE") && sql.contains(" RULE ") && names(sql, rule);
        own.is_some_and(|own| bare(own) == table)
            || release.base.iter().chain(release.pending()).filter(made).any(|sql| names(sql, table))
    };
    plan.findings.iter().any(|f| tells(f) || rewrites(f))
}

/// Whether a text has a name as a whole word.
fn names(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

/// A moment that no statement names.
fn is_now(value: &str) -> bool {
    value.len() > 18 && value.as_bytes()[10] == b'T' && value.starts_with("20") && !value.starts_with("2020")
}

/// A table, and what it is a part of, by bare names.
fn whole<'a>(release: &'a Release, table: &'a str) -> Vec<&'a str> {
    let part = format!("CREATE TABLE {table} PARTITION OF ");
    let made = release.base.iter().chain(release.pending());
    made.filter_map(|sql| sql.strip_prefix(&part)?.split(' ').next()).chain([table]).map(bare).collect()
}

/// A name without its schema.
fn bare(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

type Row = serde_json::Map<String, serde_json::Value>;

/// Tables with other rows than in the files' own order: in what way, and which.
pub(super) fn rows(straight: &Straight, content: &Content) -> BTreeMap<String, (&'static str, String)> {
    let defaults = text::columns_with_other_defaults(&straight.release);
    let compared = |table: &str, rows: Option<&Vec<String>>| -> Vec<Row> {
        let strip = |row: &String| {
            let mut row: Row = serde_json::from_str(row).unwrap();
            row.values_mut().filter(|v| v.as_str().is_some_and(is_now)).for_each(|v| *v = "now".into());
            row.retain(|c, _| !defaults.contains(c) && !straight.changing.contains(&(table.to_owned(), c.clone())));
            row
        };
        rows.into_iter().flatten().map(strip).collect()
    };
    let mut found = BTreeMap::new();
    for (table, rows) in &straight.content.rows {
        if fed_by_deleted(&straight.release, table) {
            continue;
        }
        let (then, now) = (compared(table, Some(rows)), compared(table, content.rows.get(table)));
        let only = |a: &[Row], b: &[Row]| a.iter().filter(|r| !b.contains(r)).cloned().collect::<Vec<_>>();
        let (missing, added) = (only(&then, &now), only(&now, &then));
        let kind = match then.len().cmp(&now.len()) {
            std::cmp::Ordering::Greater => "lost",
            std::cmp::Ordering::Less
                if deletes_from(&straight.release, table) && !updates(&straight.release, table) =>
            {
                "kept"
            }
            // A copy of what a version deleted later, or a row that a version made another one before it was looked at.
            std::cmp::Ordering::Less => continue,
            std::cmp::Ordering::Equal if missing.is_empty() => continue,
            std::cmp::Ordering::Equal => match kind(&missing, &added) {
                // What a version wrote itself stands, whatever the release did to rows before.
                Some("other") if writes_to(&straight.release, table) => continue,
                Some(kind) => kind,
                None => continue,
            },
        };
        let text = |rows: &[Row]| serde_json::to_string(rows).unwrap();
        let what = format!("rows {} (files' order) and {} (plan's)", text(&missing), text(&added));
        found.insert(table.clone(), (kind, what));
    }
    found
}

/// Whether a statement fills it from a table that a version deletes from: when which of them came first decides.
fn fed_by_deleted(release: &Release, table: &str) -> bool {
    let deletes = || {
        let all = release.blue.iter().chain(&release.green).filter_map(|q| q.sql.strip_prefix("DELETE FROM "));
        all.filter_map(|rest| rest.split(' ').next()).map(bare)
    };
    let mut from = deletes().filter(|from| *from != bare(table));
    let copied = |q: &Query| {
        q.sql.starts_with("INSERT") && q.sql.contains(" SELECT ")
            || q.sql.starts_with("UPDATE") && q.sql.contains(" FROM ")
    };
    let mut queries = release.blue.iter().chain(&release.green);
    let whole = whole(release, table);
    from.any(|from| release.pending().any(|sql| sql.contains(from) && sql.contains(bare(table))))
        || deletes().next().is_some() && queries.any(|q| copied(q) && whole.iter().any(|name| q.sql.contains(name)))
}

fn deletes_from(release: &Release, table: &str) -> bool {
    let deletes = |sql: &&String| ["DELETE FROM ", "TRUNCATE ", "MERGE "].iter().any(|verb| sql.contains(verb));
    release.pending().filter(deletes).any(|sql| sql.contains(bare(table)))
}

fn updates(release: &Release, table: &str) -> bool {
    release.blue.iter().chain(&release.green).any(|q| q.sql.contains("UPDATE") && q.sql.contains(bare(table)))
}

fn writes_to(release: &Release, table: &str) -> bool {
    let bare = bare(table);
    let writes = |sql: &str| {
        let target = sql.split([' ', '(']).skip_while(|w| !["INTO", "UPDATE", "FROM", "COPY"].contains(w)).nth(1);
        target.is_some_and(|t| t.rsplit('.').next() == Some(bare))
    };
    release.blue.iter().chain(&release.green).any(|q| q.writes() && writes(&q.sql))
}

/// How rows differ. A NULL that was filled, although nobody asked for it, is no harm.
fn kind(missing: &[Row], added: &[Row]) -> Option<&'static str> {
    let like = |then: &Row, now: &Row| then.iter().all(|(c, v)| now.get(c).is_some_and(|n| n == v || v.is_null()));
    if missing.iter().all(|then| added.iter().any(|now| like(then, now))) {
        return None;
    }
    let unfilled = missing.iter().all(|then| added.iter().any(|now| like(now, then)));
    Some(if unfilled { "unfilled" } else { "other" })
}

/// Whether one of a few orders works for a release that was refused: the plan's own, everything before, everything after.
async fn works_somehow(server: &mut Server, straight: &Straight, plan: &SavedPlan) -> bool {
    let whole = |before| -> Vec<Step<'_>> {
        let step = |sql| Step { before, own: false, session: Vec::new(), statements: vec![sql], hazard: None };
        straight.release.pending().map(|s| step(s.as_str())).collect()
    };
    let block = straight.release.pending().any(|s| s == "BEGIN" || s.starts_with("SET "));
    let orders = if block { vec![steps(plan)] } else { vec![steps(plan), whole(true), whole(false)] };
    for order in orders {
        let Played { wrong, content, written } = play(server, straight, &order).await;
        let broken = wrong.iter().any(|w| w.check != "lock-untold");
        if !broken
            && let Some(content) = content
            && content.objects == straight.content.objects
            && (!written || rows(straight, &content).is_empty())
        {
            return true;
        }
    }
    false
}
