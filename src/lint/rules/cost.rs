//! What `table-rewrite`, `blocking-scan` and `blocking-index-build` share: the most expensive thing that an operation does under a lock which
//! blocks clients of a table that was there before the release.

use crate::diagnostic::Diagnostic;
use crate::effect::LockMode;
use crate::lint::{PlacedPart, Rule, Subject};
use crate::sql::{Operation, describe};
use crate::stats::{Load, Weighing};

/// What costs most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    Rewrite,
    IndexBuild,
    Scan,
}

pub(super) fn cost(part: &PlacedPart<'_>) -> Option<Cost> {
    let hazard = part.hazard;
    let strongest = hazard.strongest()?;
    // Rows are locked one by one, and nobody writes a materialized view.
    let in_peace = matches!(part.operation, Operation::Data(_) | Operation::RefreshView { concurrently: true, .. });
    match (hazard.rewrite, hazard.index_build, hazard.scan) {
        (true, _, _) if strongest == LockMode::AccessExclusive => Some(Cost::Rewrite),
        (_, true, _) if strongest >= LockMode::Share => Some(Cost::IndexBuild),
        (_, _, true) if strongest >= LockMode::Share && !in_peace => Some(Cost::Scan),
        _ => None,
    }
}

/// The finding: what the operation does, whom its lock blocks, and what that means on the tables of production.
pub(super) fn finding(rule: &Rule, subject: &Subject<'_>, part: &PlacedPart<'_>, what: &str) -> Diagnostic {
    let strongest = part.hazard.strongest().unwrap_or(LockMode::AccessExclusive);
    let who = if strongest == LockMode::AccessExclusive { "everybody" } else { "writers" };
    let (object, action) = describe(part.operation);
    let named = match part.operation {
        Operation::CreateIndex(index) => match &index.name {
            Some(name) => format!("{action} ({name})"),
            None => action,
        },
        _ => format!("{action} of {object}"),
    };
    let text = format!("{named} {what} under a lock ({}) that blocks {who}", strongest.name());
    let diagnostic = Diagnostic::new(rule.code, rule.severity, text).at(part.span, "");
    weighed(subject, part, diagnostic)
}

/// A finding about what an operation costs, with the figures, and as severe as they are.
pub(super) fn weighed(subject: &Subject<'_>, part: &PlacedPart<'_>, diagnostic: Diagnostic) -> Diagnostic {
    let Some(weighing) = subject.release.weighing else { return diagnostic };
    let Some(load) = weighing.load([(part.operation, part.hazard)], subject.step.before) else { return diagnostic };
    by_load(weighing, &load, diagnostic)
}

/// The same by figures that are known already.
pub(super) fn by_load(weighing: &Weighing, load: &Load, diagnostic: Diagnostic) -> Diagnostic {
    let severity = weighing.settings.weight(load).severity(diagnostic.severity);
    Diagnostic { severity, message: format!("{}; {}", diagnostic.message, load.sentence()), ..diagnostic }
}
