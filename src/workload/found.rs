//! What loaders find → queries: names made unique, placeholders numbered, texts read. The only place that makes a [`Query`].

use std::collections::HashMap;
use std::sync::Arc;

use super::placeholder::{self, Style};
use super::recorded::RecordedTypes;
use super::text::Text;
use super::{Query, Workload};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::source::{Sources, Span};
use crate::sql;

/// A query as a loader found it.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// What it is called there.
    pub(super) name: String,
    /// Where it stands.
    pub(super) span: Span,
    /// Its text, where that is not what stands there.
    pub(super) text: Option<Text>,
    /// What its library knows of it.
    pub(super) recorded: Option<RecordedTypes>,
    /// How often it was seen.
    pub(super) calls: Option<u64>,
    /// Whether a model implies it.
    pub(super) implied: bool,
    /// Why it cannot be read, where the loader knows.
    pub(super) unreadable: Option<String>,
}

impl Found {
    /// A query that stands in the file as it is.
    pub(super) fn new(name: impl Into<String>, span: Span) -> Self {
        let name = name.into();
        Self { name, span, text: None, recorded: None, calls: None, implied: false, unreadable: None }
    }

    /// A query that stands in the file in another form.
    pub(super) fn with_text(name: impl Into<String>, span: Span, text: Text) -> Self {
        Self { text: Some(text), ..Self::new(name, span) }
    }
}

/// Makes queries of them. Those that cannot be read are kept and reported.
pub(super) fn workload(sources: Sources, found: Vec<Found>, style: Style) -> (Workload, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut queries = Vec::with_capacity(found.len());
    for found in found {
        let count = names.entry(found.name.clone()).or_default();
        *count += 1;
        let name = if *count == 1 { found.name } else { format!("{} #{count}", found.name) };
        let (text, read) = read(&sources, found.span, found.text, found.unreadable, style);
        let command = read.map_err(|message| diagnostics.push(unread(&name, found.span, &message))).ok();
        queries.push(Query {
            name,
            span: found.span,
            recorded: found.recorded.map(Arc::new),
            calls: found.calls,
            implied: found.implied,
            text,
            command,
        });
    }
    (Workload { sources, queries, transactions: Vec::new() }, diagnostics)
}

fn read(
    sources: &Sources,
    span: Span,
    text: Option<Text>,
    unreadable: Option<String>,
    style: Style,
) -> (Option<Text>, Result<sql::query::Command, String>) {
    if let Some(reason) = unreadable {
        return (text, Err(reason));
    }
    let numbered = match (style, &text) {
        (Style::Sent, _) => Ok(None),
        (Style::Template, Some(text)) => placeholder::numbered(text).map(Some),
        (Style::Template, None) => {
            let source = sources.slice(span);
            let numbered = placeholder::numbered(&Text::plain(source, span.range().start));
            numbered.map(|numbered| (numbered.as_str() != source).then_some(numbered))
        }
    };
    let text = match numbered {
        Ok(numbered) => numbered.or(text),
        Err(reason) => return (text, Err(reason)),
    };
    let statement = sql::read_query(text.as_ref().map_or_else(|| sources.slice(span), Text::as_str));
    (text, statement)
}

fn unread(name: &str, span: Span, message: &str) -> Diagnostic {
    Diagnostic::warning(codes::UNREAD_QUERY, format!("query {name} cannot be read: {message}"))
        .at(span, "this query")
        .help("it is taken to rely on everything it mentions; `cutover rehearse` shows what PostgreSQL says of it")
}

/// Something of a workload that was left out.
pub(super) fn left_out(message: impl Into<String>) -> Diagnostic {
    Diagnostic::warning(codes::PARTIAL_WORKLOAD, message)
}
