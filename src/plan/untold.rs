//! Statements of what production has that the text does not explain: the schema before the release is not known where they stand.

use super::part::is_opaque;
use crate::diagnostic::{Code, Diagnostic, codes};
use crate::migrations::{Folder, Migration};
use crate::source::Span;
use crate::sql::{self, ReadFile};

/// So many places are shown of a file.
const MOST: usize = 3;

/// What is to be said about the files that a base schema was read from: one finding a file and kind. `read`: what stands in them.
pub(super) fn findings(folder: &Folder, base: &[Migration], read: &[ReadFile]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (migration, (statements, problems)) in base.iter().zip(read) {
        let mut unread = Vec::new();
        let mut included = Vec::new();
        for problem in problems {
            let Some(span) = problem.span() else { continue };
            match problem.code {
                code if code == codes::UNREAD_STATEMENT => unread.push(span),
                code if code == codes::META_COMMAND && makes_something(folder.sources.slice(span)) => {
                    included.push(span)
                }
                _ => {}
            }
        }
        let statement = |span: &Span| {
            statements.iter().find(|s| s.span.file == span.file && s.span.range().contains(&span.range().start))
        };
        let told: Vec<Span> = unread.iter().filter_map(statement).map(|s| s.span).collect();
        let is_told = |s: &sql::Statement| told.contains(&s.span) || sql::makes_nothing(folder.sources.slice(s.span));
        let opaque = statements.iter().filter(|s| s.pieces.iter().any(|p| is_opaque(&p.operation)) && !is_told(s));
        let opaque: Vec<Span> =
            opaque.map(|s| Span::new(s.span.file, s.span.range().start..first_line(folder, s.span))).collect();
        found.extend(finding(codes::UNREAD_STATEMENT, "cannot be read", "not understood from here", &unread));
        found.extend(finding(codes::META_COMMAND, "is a command of psql", "psql meta-command", &included));
        found.extend(finding(codes::OPAQUE, "does not tell in its text what it does", "here", &opaque));
        if let Some(language) = migration.program {
            let message = format!(
                "migration {}, which production has, is a {language} program: what it made is not known",
                migration.version
            );
            found.push(Diagnostic::warning(codes::PROGRAM, message).at(Span::new(migration.file, 0..0), "").help(HELP));
        }
    }
    found
}

const HELP: &str = "what the release needs of it may be missing here: plan with `--base-schema FILE` (pg_dump --schema-only), with --database, or with --observe";

fn finding(code: Code, what: &str, label: &str, spans: &[Span]) -> Option<Diagnostic> {
    let (first, rest) = spans.split_first()?;
    let message = match rest.len() {
        0 => format!("a statement that production has {what}: what it made is not known"),
        n => format!("a statement that production has {what}, and {n} more of this file: what they made is not known"),
    };
    let finding = Diagnostic::warning(code, message).at(*first, label);
    Some(rest.iter().take(MOST - 1).fold(finding, |finding, span| finding.at(*span, "and here")).help(HELP))
}

/// Where the first line of a statement ends.
fn first_line(folder: &Folder, span: Span) -> usize {
    let text = folder.sources.slice(span);
    span.range().start + text.find('\n').unwrap_or(text.len())
}

/// Whether a command of psql may bring statements that are not in the file.
fn makes_something(command: &str) -> bool {
    let word = command.trim_start_matches('\\').split_whitespace().next().unwrap_or_default();
    matches!(word, "i" | "ir" | "include" | "include_relative" | "gexec" | "!")
}
