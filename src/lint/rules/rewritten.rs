//! Statements on rules (`CREATE RULE`, `DROP RULE`, …). Where they go their author has to say; what they do to the queries of both versions there
//! is told.

use crate::compat::{App, Evidence, Phase};
use crate::diagnostic::{Code, Diagnostic, Severity, codes};
use crate::lint::{Rule, Subject};
use crate::schema::{QName, Schema};
use crate::sql::Operation;
use crate::sql::operation::{RuleBody, RuleChange, RuleEvent, RuleVerb};
use crate::workload::Query;

pub(super) fn told(subject: &Subject<'_>, operation: &Operation, rule: &Rule) -> Vec<Diagnostic> {
    match operation {
        Operation::Opaque { rule: Some(change), .. } => {
            refused(subject, change).or_else(|| rewritten(subject, change, rule)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// A query that the server refuses as long as the rule is there: one of blue's where the rule comes before the cutover, one of green's wherever it comes,
/// for it stays.
fn refused(subject: &Subject<'_>, change: &RuleChange) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let RuleVerb::Made(body) = &change.verb else { return None };
    let table = step.before.origin_of(&step.before.resolve(&change.table));
    let green = || {
        let (table, query, why) = by_green(subject, change, body)?;
        Some((&release.green, codes::GREEN_BREAKS, table, query, why))
    };
    let blue = || {
        let (query, why) = release.blue.app.refused_by_rule(&table, body)?;
        Some((&release.blue, codes::BLUE_BREAKS, table.clone(), query, why))
    };
    let (version, code, table, query, why): (_, Code, _, _, _) = match step.phase {
        Phase::Before => blue().or_else(green)?,
        Phase::After => green()?,
    };
    let text = format!(
        "{}'s query {} is refused from here on, for {table} has the rule {}: {why}",
        version.side, query.name, change.name
    );
    let diagnostic = Diagnostic::new(code, Severity::Error, text).at(step.span, "from here on");
    Some(version.shown_by(diagnostic, Some(query)).help("use a trigger instead, which every statement runs"))
}

/// A query of green's that the server refuses where the rule is still there when green starts, or comes later; the table, as green knows it, and why.
fn by_green<'a>(
    subject: &Subject<'a>,
    change: &RuleChange,
    body: &RuleBody,
) -> Option<(QName, &'a Query, &'static str)> {
    let Subject { release, step, .. } = *subject;
    let named = step.before.resolve(&change.table);
    let origin = step.before.origin_of(&named);
    if step.phase == Phase::Before {
        let ends = |other: &RuleChange, before: &Schema| {
            let same = other.name == change.name && before.origin_of(&before.resolve(&other.table)) == origin;
            same && other.verb != RuleVerb::Enabled
        };
        let ended = subject.until_cutover().any(|later| {
            later.operations().any(|operation| match operation {
                Operation::Opaque { rule: Some(other), .. } => ends(other, later.before),
                Operation::DropRelation { name, .. } => later.before.origin_of(&later.before.resolve(name)) == origin,
                _ => false,
            })
        });
        if ended {
            return None;
        }
    }
    // By another name perhaps.
    let mut renamed = release.last.relations().filter(|(_, relation)| relation.origin.as_ref() == Some(&origin));
    let table = renamed.next().map_or(named, |(name, _)| name.clone());
    let (query, why) = release.green.app.refused_by_rule(&table, body)?;
    Some((table, query, why))
}

/// What a version writes while the rule is there that it was not written for, or is not there that it was.
fn rewritten(subject: &Subject<'_>, change: &RuleChange, rule: &Rule) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let named = step.before.resolve(&change.table);
    let (table, name) = (step.before.origin_of(&named), &change.name);
    let body = match &change.verb {
        RuleVerb::Made(body) => Some(body),
        RuleVerb::Enabled | RuleVerb::Disabled | RuleVerb::Gone => None,
    };
    let comes = !matches!(change.verb, RuleVerb::Disabled | RuleVerb::Gone);
    let (version, text) = match (step.phase, comes) {
        (Phase::Before, true) => {
            (&release.blue, format!("the rule {name} rewrites what blue writes into {table} from here on"))
        }
        (Phase::Before, false) => {
            (&release.blue, format!("the rule {name} no longer rewrites what blue writes into {table} from here on"))
        }
        (Phase::After, true) => {
            (&release.green, format!("the rule {name} rewrites nothing of what green writes into {table} before this"))
        }
        (Phase::After, false) => {
            (&release.green, format!("the rule {name} rewrites what green writes into {table} until this"))
        }
    };
    if step.phase == Phase::Before && release.base.relation(&table).is_none() {
        return None;
    }
    let query = asked(&version.app, &table, body).relied_on()?;
    let (severity, text) = match body.filter(|_| step.phase == Phase::Before) {
        Some(body) if body.instead && body.nothing && !body.conditional && query.is_some() => {
            (Severity::Error, format!("{text}, and nothing is done in its place: it is lost"))
        }
        Some(body) if body.instead => (rule.severity, format!("{text}: what it passes over is in no table")),
        _ => (rule.severity, text),
    };
    let code = if severity == Severity::Error { codes::ROWS_WRITTEN_IN_OVERLAP } else { rule.code };
    let help = "make sure that it is right for the rows of both versions; or let the statement wait until blue is drained: `-- cutover: after <reason>`";
    let diagnostic = Diagnostic::new(code, severity, text).at(step.span, "by the author's word").help(help);
    Some(version.shown_by(diagnostic, query))
}

/// Whether a version does what a rule is about.
fn asked<'a>(app: &App<'a>, table: &QName, body: Option<&RuleBody>) -> Evidence<'a> {
    match body {
        // The table is a view from there on.
        Some(RuleBody { event: RuleEvent::Select, .. }) => app.writes(table),
        body => app.rewritten(table, body),
    }
}
