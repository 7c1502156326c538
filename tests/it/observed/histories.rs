//! Every statement of the real histories, simulated and observed.

use cutover::postgres::observe::StatementObserver;
use cutover::rehearse::observation::observed;
use cutover::schema::Schema;
use cutover::sql::{self, Operation};

use super::reasons::HISTORIES;
use super::simulate::{lines, simulate};
use crate::corpus::{History, histories};
use crate::support::{self, version};

struct Walked {
    table: String,
    report: String,
    statements: usize,
    differ: usize,
    unsafe_: Vec<String>,
    unexplained: usize,
}

async fn walk(History { project, folder }: History) -> Walked {
    let database = support::database().await;
    let session = database.connect().await;
    session
        .batch_execute(
            "CREATE TABLE _sqlx_migrations (version bigint, description text, success boolean, checksum bytea)",
        )
        .await
        .unwrap();
    let mut observer = StatementObserver::start(&session).await.unwrap();
    let mut schema = Schema::empty();
    let (mut statements, mut agree, mut opaque, mut placed, mut failed) = (0, 0, 0, 0, 0);
    let (mut report, mut unsafe_, mut unexplained) = (String::new(), Vec::new(), 0);
    for migration in &folder.migrations {
        let (read, _) = sql::read(&folder.sources, migration.file);
        for statement in &read {
            if statement.pieces.iter().any(|p| matches!(p.operation, Operation::Transaction(_))) {
                continue;
            }
            let text = folder.sources.slice(statement.span);
            let said = simulate(&schema, statement, &schema, version(&session));
            let before = observer.schema().clone();
            let seen = observer.observe(text, statement.transactional).await.unwrap();
            let place = folder.sources.place(statement.span);
            if let Some(error) = seen.error {
                failed += 1;
                report.push_str(&format!("{project}/{place}: failed: {error}\n"));
                continue;
            }
            statements += 1;
            schema = said.schema;
            if said.opaque {
                opaque += 1;
                let observed = observed(&before, observer.schema(), &seen);
                placed += usize::from(observed.unsure.is_none());
                let judged =
                    observed.unsure.unwrap_or_else(|| format!("{} capabilities", lines(&observed.effect).len()));
                report.push_str(&format!("{project}/{place}: opaque, seen: {judged}\n"));
                schema = observer.schema().clone().searched_like(&schema);
                continue;
            }
            let (mut by_text, by_server) = (lines(&said.effect), lines(&seen.effect));
            // No history has the rows that its DELETEs take: nothing can be seen to go.
            by_text.retain(|line| !line.ends_with("keeps its rows"));
            if by_text == by_server {
                agree += 1;
                continue;
            }
            schema = observer.schema().clone().searched_like(&schema);
            let reason = HISTORIES.iter().find(|(at, _)| format!("{project}/{place}").starts_with(at));
            let reason = reason.map_or("not explained", |(_, reason)| reason);
            unexplained += usize::from(reason == "not explained");
            report.push_str(&format!("{project}/{place}: {reason}\n"));
            for line in by_text.difference(&by_server) {
                report.push_str(&format!("    text only   {line}\n"));
            }
            for line in by_server.difference(&by_text) {
                report.push_str(&format!("    server only {line}\n"));
            }
            let additive = !by_text.iter().any(|line| line.starts_with("- certain"));
            if additive && by_server.iter().any(|line| line.starts_with("- certain")) {
                unsafe_.push(place);
            }
        }
        schema = schema.with_default_search_path();
        session.batch_execute("RESET ALL").await.unwrap();
    }
    let differ = statements - opaque - agree;
    let table = format!("{project:<14} {statements:>6} {agree:>6} {differ:>6} {opaque:>6} {placed:>6} {failed:>6}\n");
    Walked { table, report, statements, differ, unsafe_, unexplained }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_does_what_its_text_says() {
    let walks = histories().into_iter().map(|history| tokio::spawn(walk(history)));
    let walked: Vec<_> = futures_util::future::join_all(walks).await.into_iter().map(Result::unwrap).collect();
    if walked.is_empty() {
        return;
    }
    let mut text = format!(
        "{:<14} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6}\n",
        "history", "stmts", "agree", "differ", "opaque", "placed", "failed"
    );
    walked.iter().for_each(|w| text.push_str(&w.table));
    walked.iter().for_each(|w| text.push_str(&w.report));
    let statements: usize = walked.iter().map(|w| w.statements).sum();
    let differ: usize = walked.iter().map(|w| w.differ).sum();
    let wrong: Vec<&String> = walked.iter().flat_map(|w| &w.unsafe_).collect();
    eprintln!("{text}\n{statements} statements, {differ} differ");
    let unexplained: usize = walked.iter().map(|w| w.unexplained).sum();
    assert_eq!(unexplained, 0, "a reason is missing in reasons.rs:\n{text}");
    assert!(wrong.is_empty(), "called additive, and the server takes something away: {wrong:#?}");
    assert!(differ * 200 <= statements, "{differ} of {statements} differ:\n{text}");
}
