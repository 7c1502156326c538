//! What `pg_stat_statements` of a live server knows: normalised texts with counts. Asking the server is `postgres::statements`; this makes a
//! workload of its rows.

use camino::Utf8PathBuf;

use super::Source;
use super::log;
use crate::diagnostic::Diagnostic;
use crate::source::{Sources, Span};
use crate::sql::lex::{Lexeme, lex};
use crate::workload::Workload;
use crate::workload::error::WorkloadError;
use crate::workload::fingerprint::{own_name, summary};
use crate::workload::found::{self, Found, left_out};
use crate::workload::placeholder::Style;
use crate::workload::text::Text;

pub(in crate::workload) static SOURCE: Source = Source {
    word: "stat",
    aliases: &[],
    what: "pg_stat_statements",
    reads: "`pg_stat_statements` of a live server: `postgres://me@db/shop#user=app`",
    is: |_| Ok(false),
    load: |location| Err(WorkloadError::Live(location.path.clone())),
};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatRow {
    /// The text as the server normalised it.
    pub query: String,
    /// How often it ran.
    pub calls: u64,
}

/// What stands in the place of texts of other roles.
const HIDDEN: &str = "<insufficient privilege>";

/// Makes a workload of rows; `origin` stands where others have a path.
pub fn read(origin: &str, rows: &[StatRow]) -> (Workload, Vec<Diagnostic>) {
    let mut text = String::new();
    let mut found = Vec::new();
    let mut hidden = 0_u64;
    let mut left = log::LeftOut::default();
    let mut sources = Sources::new();
    for row in rows {
        let verb = lex(&row.query).into_iter().find(|l| l.solid() && !l.symbol("("));
        let verb = verb.map(|l: Lexeme<'_>| l.text.to_ascii_lowercase()).unwrap_or_default();
        if row.query == HIDDEN {
            hidden += 1;
        } else if !left.takes(&verb, &row.query) {
            // One text of all of them, so that each has a place.
            let start = text.len();
            text.push_str(&row.query);
            let span = start..text.len();
            text.push_str(";\n");
            found.push((row, span));
        }
    }
    let id = sources.add(Utf8PathBuf::from(origin), text);
    let queries = found.into_iter().map(|(row, span)| Found {
        calls: Some(row.calls),
        ..Found::with_text(
            own_name(&row.query).unwrap_or_else(|| summary(&row.query)),
            Span::new(id, span.clone()),
            Text::plain(&row.query, span.start),
        )
    });
    let (workload, mut diagnostics) = found::workload(sources, queries.collect(), Style::Sent);
    diagnostics.extend(left.told());
    if hidden > 0 {
        let message = format!("{origin} hides the text of {hidden} statements of other roles");
        diagnostics
            .push(left_out(message).help("connect as a role with pg_read_all_stats, or as the application's own role"));
    }
    (workload, diagnostics)
}
