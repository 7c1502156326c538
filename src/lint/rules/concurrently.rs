//! What the rules on indexes share: adding CONCURRENTLY.

use crate::diagnostic::{Edit, Fix, Safety};
use crate::lint::{Part, Subject};
use crate::migrations::Convention;
use crate::source::Span;
use crate::sql::{self, Name};

/// What makes a tool run a file outside a transaction, as the file's first words; nothing where no tool does anything else. `None`: the mark
/// stands somewhere else (diesel, Flyway, Rails, Alembic, dbmate, Liquibase), or there is none.
const fn mark(convention: Convention) -> Option<&'static str> {
    match convention {
        Convention::Plain | Convention::Sqitch => Some(""),
        Convention::Sqlx => Some("-- no-transaction"),
        Convention::Goose => Some("-- +goose NO TRANSACTION"),
        Convention::Atlas => Some("-- atlas:txmode none\n"),
        Convention::Refinery
        | Convention::Diesel
        | Convention::Flyway
        | Convention::Dbmate
        | Convention::GolangMigrate
        | Convention::Prisma
        | Convention::Liquibase
        | Convention::Drizzle
        | Convention::Rails
        | Convention::Alembic
        | Convention::Supabase
        | Convention::Hasura => None,
    }
}

/// Whether PostgreSQL can build an index on the table concurrently.
pub(super) fn possible(subject: &Subject<'_>, table: &Name) -> bool {
    let schema = subject.step.before;
    schema.relation(&schema.resolve(table)).is_some_and(|relation| !relation.partitioned)
}

/// `INDEX` → `INDEX CONCURRENTLY`. Safe where the team's own tool can run the file, too: it stands alone in it, and the convention has a mark
/// for files without a transaction, or no tool of its own.
pub(super) fn fix(subject: &Subject<'_>, part: &Part<'_>, doubtful: bool) -> Option<Fix> {
    let sources = subject.release.sources;
    let offset = u32::try_from(sql::end_of_word(sources.slice(part.statement), "INDEX")?).ok()?;
    let at = part.statement.start + offset;
    let mut edits =
        vec![Edit { span: Span { start: at, end: at, ..part.span }, replacement: " CONCURRENTLY".to_owned() }];
    let others = subject.earlier().next().is_some() || subject.later().next().is_some();
    // What is no step counts, too: a BEGIN, a SET.
    let alone = !others && sql::read(sources, part.span.file).0.len() == 1;
    let runs = match mark(subject.release.convention) {
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
