//! Rows are changed for long, and whoever wants one of them waits for all.

use super::cost::by_load;
use crate::diagnostic::{Diagnostic, Edit, Fix, Safety, Severity, codes};
use crate::lint::{Docs, PlacedPart, Rule, RuleCheck, Subject, Yields};
use crate::rewrite::batches;
use crate::source::Span;
use crate::sql::operation::DataVerb;
use crate::sql::{Operation, describe};
use crate::stats::LockWeight;

pub(crate) const RULE: Rule = Rule {
    code: codes::ROWS_IN_ONE_TRANSACTION,
    severity: Severity::Warning,
    yields_to: Yields::Figures,
    docs: Docs {
        what: "Reports an UPDATE or a DELETE that takes long on the tables of production and is one transaction. Without statistics (`--stats`) nothing is said, since most tables are small.",
        why: "Whoever wants to change one of these rows waits until all are done. Standbys fall behind by as much, dead rows cannot be cleared away meanwhile, and what fails near the end begins anew. With `-- cutover: backfill` above it, the rows are changed some at a time, and every row is done once whatever is killed.",
        example: None,
        instead: None,
        references: &["https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS"],
    },
    check: RuleCheck::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Some(weighing) = subject.release.weighing.filter(|_| !subject.step.in_batches) else { return };
    for part in &subject.step.parts {
        let Operation::Data(data) = part.operation else { continue };
        if !matches!(data.verb, DataVerb::Update | DataVerb::Delete) {
            continue;
        }
        let load = weighing.load([(part.operation, part.hazard)], subject.step.before);
        let Some(load) = load.filter(|load| load.held.high_ms.is_some()) else { continue };
        if weighing.settings.weight(&load) == LockWeight::Light
            || load.held.high_ms < Some(weighing.settings.warning_ms)
        {
            continue;
        }
        let (object, action) = describe(part.operation);
        let text = format!("{action} of {object} changes its rows in one transaction");
        let diagnostic = by_load(weighing, &load, Diagnostic::new(RULE.code, RULE.severity, text).at(part.span, ""));
        found.push(match instead(subject, part) {
            Ok(fix) => diagnostic
                .help("put `-- cutover: backfill` above it: its rows are changed some at a time")
                .fix(Some(fix)),
            Err(why) => diagnostic.help(format!("it cannot be taken some rows at a time as it is: {why}")),
        });
    }
}

/// The author's word that it is to be taken some rows at a time; otherwise why it cannot.
fn instead(subject: &Subject<'_>, part: &PlacedPart<'_>) -> Result<Fix, String> {
    if subject.step.parts.len() > 1 || subject.step.span != part.span {
        return Err("it is one transaction with other statements".to_owned());
    }
    batches(None, part.operation, subject.release.sources.slice(part.span), subject.step.before)?;
    let start = Span { end: part.span.start, ..part.span };
    Ok(Fix {
        title: "Change its rows some at a time".to_owned(),
        edits: vec![Edit { span: start, replacement: "-- cutover: backfill\n".to_owned() }],
        safety: Safety::Unsafe,
    })
}
