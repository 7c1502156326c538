//! What the rules on indexes share: adding CONCURRENTLY.

use crate::diagnostic::{Edit, Fix, Safety};
use crate::lint::{PlacedPart, Subject};
use crate::source::Span;
use crate::sql::{self, Name};

/// Whether PostgreSQL can build an index on the table concurrently.
pub(super) fn possible(subject: &Subject<'_>, table: &Name) -> bool {
    let schema = subject.step.before;
    schema.relation(&schema.resolve(table)).is_some_and(|relation| !relation.partitioned)
}

/// `INDEX` → `INDEX CONCURRENTLY`. Safe where the team's own tool can run the file, too: it stands alone in it, and the convention has a mark
/// for files without a transaction, or no tool of its own.
pub(super) fn fix(subject: &Subject<'_>, part: &PlacedPart<'_>, doubtful: bool) -> Option<Fix> {
    let sources = subject.release.sources;
    let offset = u32::try_from(sql::end_of_word(sources.slice(part.statement), "INDEX")?).ok()?;
    let at = part.statement.start + offset;
    let mut edits =
        vec![Edit { span: Span { start: at, end: at, ..part.span }, replacement: " CONCURRENTLY".to_owned() }];
    let others = subject.earlier().next().is_some() || subject.later().next().is_some();
    // What is no step counts, too: a BEGIN, a SET.
    let alone = !others && sql::read(sources, part.span.file).0.len() == 1;
    let runs = match subject.release.convention.tool().outside_transaction {
        Some(mark) => {
            if alone && !mark.is_empty() && !sources.file(part.span.file).text.starts_with(mark) {
                let top = Span { start: 0, end: 0, ..part.span };
                edits.insert(0, Edit { span: top, replacement: format!("{mark}\n") });
            }
            alone || mark.is_empty()
        }
        None => false,
    };
    let safety = if runs && !doubtful { Safety::Safe } else { Safety::Unsafe };
    Some(Fix { title: "Let writers go on while it runs".to_owned(), edits, safety })
}
