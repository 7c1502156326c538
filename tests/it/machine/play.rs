//! A release on the server: once in the files' own order, as with nobody there while it runs, and in an order of steps, with both versions
//! writing in the overlap.

use std::collections::BTreeSet;

use super::locks;
use super::release::Release;
use super::server::{Answer, Content, Old, Refusal, Server};

/// The files' own order: base, blue's writes, the files, green's writes.
pub(super) struct Straight {
    /// The release, without what the server refuses.
    pub(super) release: Release,
    pub(super) content: Content,
    /// Columns that get another value each time.
    pub(super) changing: BTreeSet<(String, String)>,
    /// What blue's queries answer on the base.
    pub(super) blue: Vec<Answer>,
}

/// Plays the files' own order; none if the rest of the release makes no sense without what the server refuses. Besides, the releases that end
/// with a statement that it refuses.
pub(super) async fn straight(server: &mut Server, release: &Release) -> (Option<Straight>, Vec<(Release, Refusal)>) {
    server.fresh(&release.base).await;
    let mut kept = Release { base: Vec::new(), files: Vec::new(), ..release.clone() };
    if server.run(&release.base.join(";\n")).await.is_ok() {
        kept.base.clone_from(&release.base);
    } else {
        for sql in &release.base {
            if server.run(sql).await.is_ok() {
                kept.base.push(sql.clone());
            }
        }
    }
    let answers = server.attempts(&release.blue).await;
    let working = release.blue.iter().zip(answers).filter(|(_, answer)| answer.is_ok());
    let (blue, answers): (Vec<_>, Vec<_>) = working.map(|(q, a)| (q.clone(), a)).unzip();
    (kept.blue, kept.green) = (Vec::new(), Vec::new());
    let mut told = Vec::new();
    for (query, answer) in blue.into_iter().zip(answers) {
        if !query.writes() || server.commit(&query).await.is_ok() {
            kept.blue.push(query);
            told.push(answer);
        }
    }
    let mut refused = Vec::new();
    for file in &release.files {
        kept.files.push(Vec::new());
        for sql in file {
            let done = server.run(sql).await;
            let last = kept.files.last_mut().unwrap();
            last.push(sql.clone());
            if let Err(refusal) = done {
                server.drop_invalid_indexes().await;
                let in_block = last.iter().any(|s| s == "BEGIN");
                let until = Release { blue: Vec::new(), green: Vec::new(), shown: false, ..kept.clone() };
                kept.files.last_mut().unwrap().pop();
                refused.push((until, refusal));
                if in_block {
                    server.end_of_step().await;
                    return (None, refused);
                }
            }
        }
        server.end_of_step().await;
        if kept.files.last().is_some_and(Vec::is_empty) {
            kept.files.pop();
        }
    }
    if kept.files.is_empty() {
        return (None, refused);
    }
    let answers = server.attempts(&release.green).await;
    let working: Vec<_> = release.green.iter().zip(answers).filter(|(_, answer)| answer.is_ok()).collect();
    // In the order in which they are written in the plan's: half of them in the overlap.
    let halves = (0..working.len()).step_by(2).chain((1..working.len()).step_by(2));
    let mut written = BTreeSet::new();
    for at in halves {
        let (query, _) = &working[at];
        if !query.writes() || server.commit(query).await.is_ok() {
            written.insert(at);
        }
    }
    kept.green.extend(written.iter().map(|at| working[*at].0.clone()));
    let (content, changing) = (server.content().await, server.changing().await);
    (Some(Straight { release: kept, content, changing, blue: told }), refused)
}

/// One step of an order.
pub(super) struct Step<'a> {
    pub(super) before: bool,
    /// Whether it is a transaction.
    pub(super) own: bool,
    pub(super) session: Vec<&'a str>,
    pub(super) statements: Vec<&'a str>,
    /// What the plan says that it costs.
    pub(super) hazard: Option<&'a str>,
}

impl Step<'_> {
    fn text(&self) -> String {
        self.statements.join("; ")
    }
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) check: &'static str,
    /// SQLSTATE, or what else tells it from others of its check.
    pub(super) code: String,
    pub(super) what: String,
}

/// What an order came to.
#[derive(Default)]
pub(super) struct Played {
    pub(super) wrong: Vec<Wrong>,
    /// What is there at the end, if all steps ran.
    pub(super) content: Option<Content>,
    /// Whether both versions' writes were made.
    pub(super) written: bool,
}

/// Plays an order of steps.
pub(super) async fn play(server: &mut Server, straight: &Straight, steps: &[Step<'_>]) -> Played {
    let (release, mut played) = (&straight.release, Played { written: true, ..Played::default() });
    server.fresh(&release.base).await;
    server.run(&release.base.join(";\n")).await.unwrap();
    let old = server.tables().await;
    let renames = release.pending().any(|sql| sql.contains(" RENAME TO "));
    let mut data = false;
    for step in steps.iter().filter(|s| s.before) {
        if !run(server, step, (&old, renames), &mut played).await {
            return played;
        }
        data |= step.statements.iter().any(|s| changes_rows(s));
        for ((query, answer), first) in
            release.blue.iter().zip(server.attempts(&release.blue).await).zip(&straight.blue)
        {
            match (&answer, first) {
                (Err(refusal), _) => {
                    let what =
                        format!("`{}` ({}) after `{}`: {}", query.sql, query.values, step.text(), refusal.message);
                    played.wrong.push(Wrong { check: "blue-breaks", code: refusal.code.clone(), what });
                }
                (Ok(now), Ok(then))
                    if !data && now != then && !query.sql.contains("nextval") && !query.sql.contains('*') =>
                {
                    let what = format!("`{}` after `{}`: {then} before, now {now}", query.sql, step.text());
                    played.wrong.push(Wrong { check: "other-rows", code: String::new(), what });
                }
                _ => {}
            }
        }
        if !played.wrong.is_empty() {
            return played;
        }
    }
    // Blue first, as in the files' own order.
    for query in release.blue.iter().filter(|q| q.writes()) {
        played.written &= server.commit(query).await.is_ok();
    }
    green(server, release, "in the overlap", false, &mut played).await;
    for (_, query) in release.green.iter().enumerate().filter(|(i, q)| i % 2 == 0 && q.writes()) {
        played.written &= server.commit(query).await.is_ok();
    }
    for step in steps.iter().filter(|s| !s.before) {
        if !played.wrong.is_empty() || !run(server, step, (&old, renames), &mut played).await {
            return played;
        }
        green(server, release, &format!("after `{}`", step.text()), true, &mut played).await;
    }
    for (_, query) in release.green.iter().enumerate().filter(|(i, q)| i % 2 == 1 && q.writes()) {
        played.written &= server.commit(query).await.is_ok();
    }
    played.content = Some(server.content().await);
    played
}

/// Half of green's rows are there by then, and cannot be added once more, nor changed from what they were.
async fn green(server: &Server, release: &Release, when: &str, added: bool, played: &mut Played) {
    for (i, (query, answer)) in release.green.iter().zip(server.attempts(&release.green).await).enumerate() {
        if let Err(refusal) = answer
            && !(added && i % 2 == 0 && matches!(refusal.code.as_str(), "23505" | "23P01" | "23502"))
        {
            let what = format!("`{}` ({}) {when}: {}", query.sql, query.values, refusal.message);
            played.wrong.push(Wrong { check: "green-breaks", code: refusal.code, what });
        }
    }
}

async fn run(
    server: &Server,
    step: &Step<'_>,
    (old, renames): (&std::collections::BTreeMap<u32, Old>, bool),
    played: &mut Played,
) -> bool {
    let mut all = step.session.clone();
    all.extend(&step.statements);
    let done = if step.own {
        server.transaction(&all, old).await
    } else {
        let mut done = Ok(Vec::new());
        for sql in all {
            if let Err(refusal) = server.run(sql).await {
                done = Err(refusal);
                break;
            }
        }
        server.end_of_step().await;
        done
    };
    match done {
        Ok(locks) => {
            let wrong = step.hazard.and_then(|told| locks::untold(told, &step.text(), &locks, old, renames));
            played.wrong.extend(wrong.map(|(code, what)| Wrong {
                check: "lock-untold",
                code,
                what: format!("`{}`: {what}", step.text()),
            }));
            true
        }
        Err(refusal) => {
            let phase = if step.before { "before" } else { "after" };
            let what = format!("`{}` ({phase}): {}", step.text(), refusal.message);
            played.wrong.push(Wrong { check: "step-fails", code: refusal.code, what });
            false
        }
    }
}

fn changes_rows(sql: &str) -> bool {
    let upper = sql.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n").to_ascii_uppercase();
    ["UPDATE ", "INSERT ", "DELETE ", "TRUNCATE ", "MERGE ", "WITH ", "REFRESH ", "CALL ", "DO "]
        .iter()
        .any(|verb| upper.starts_with(verb))
}
