//! Text → statements with spans → typed operations. The only place that names sqlparser.
//!
//! [`read`] never fails: a statement that can not be read becomes [`Operation::Opaque`] with a diagnostic, and the rest of the file is read
//! all the same. What is executed later is the author's own text, sliced by span: a compound `ALTER TABLE` is a [`Statement`] whose pieces
//! each know their own range, and the words they share (`ALTER TABLE [IF EXISTS] [ONLY] name`).

mod ast;
mod directive;
mod lower;
pub mod name;
pub mod operation;
mod parse;
#[cfg(feature = "live")]
pub(crate) mod recognise;
mod shape;
mod split;
#[cfg(test)]
mod tests;
mod types;

use crate::diagnostic::Diagnostic;
use crate::lint::codes;
use crate::source::{FileId, Sources, Span};
pub use directive::{Directive, DirectiveWord};
pub use name::{Name, Quoted};
pub use operation::Operation;
use split::SplitProblemKind;
pub use types::TypeName;

pub(crate) use ast::truncate;

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// From its first token to its last, without the semicolon.
    pub span: Span,
    /// What it does, in order. Several pieces share one statement in a compound `ALTER TABLE`, in `DROP TABLE a, b` and the like.
    pub pieces: Vec<Piece>,
    /// The author's word on it.
    pub directive: Option<Directive>,
    /// Whether PostgreSQL runs it in a transaction block.
    pub transactional: bool,
}

/// One operation of a statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// What it does.
    pub operation: Operation,
    /// Its own place: the sub-command, or the whole statement.
    pub span: Span,
    /// For a sub-command that can run alone: the text before it (`ALTER TABLE ONLY t `). `None`: it can not be split off.
    pub prefix: Option<Span>,
}

/// Reads one file.
pub fn read(sources: &Sources, file: FileId) -> (Vec<Statement>, Vec<Diagnostic>) {
    let text = &*sources.file(file).text;
    let (raw, problems) = split::split(text);
    let mut diagnostics: Vec<_> = problems.into_iter().map(|p| split_problem(file, p)).collect();
    let statements = raw
        .into_iter()
        .map(|raw| {
            let span = Span::new(file, raw.range.clone());
            let (directive, problems) = directive::read(text, &raw.comments);
            diagnostics.extend(problems.into_iter().map(|p| {
                Diagnostic::error(codes::BAD_DIRECTIVE, p.message)
                    .at(Span::new(file, p.range), "")
                    .help("write `-- cutover: before|after|neutral <reason>` on a line before the statement")
            }));
            let lowered = lower::statement(&text[raw.range.clone()]);
            if let Some(error) = lowered.error {
                let range = raw.range.start + error.range.start..raw.range.start + error.range.end;
                diagnostics.push(
                    Diagnostic::warning(codes::UNREAD_STATEMENT, format!("this statement can not be read: {}", error.message))
                        .at(Span::new(file, range), "not understood from here")
                        .help("it is treated as opaque; if PostgreSQL accepts it, say where it belongs with a `-- cutover:` comment"),
                );
            }
            let inner = |range: std::ops::Range<usize>| {
                Span::new(file, raw.range.start + range.start..raw.range.start + range.end)
            };
            let pieces = lowered.pieces.into_iter().map(|piece| Piece {
                operation: piece.operation,
                span: inner(piece.range),
                prefix: piece.prefix.map(inner),
            });
            Statement { span, pieces: pieces.collect(), directive, transactional: lowered.transactional }
        })
        .collect();
    (statements, diagnostics)
}

/// What [`read`] finds in one file.
pub type ReadFile = (Vec<Statement>, Vec<Diagnostic>);

/// Reads several files, on all processors when they are many. The answers are in the order of the files.
pub fn read_all(sources: &Sources, files: &[FileId]) -> Vec<ReadFile> {
    const FEW: usize = 16;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if threads == 1 || files.len() < FEW {
        return files.iter().map(|file| read(sources, *file)).collect();
    }
    let chunk = files.len().div_ceil(threads);
    let read_chunk = |chunk: &[FileId]| chunk.iter().map(|file| read(sources, *file)).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let workers: Vec<_> = files.chunks(chunk).map(|chunk| scope.spawn(move || read_chunk(chunk))).collect();
        let results = files.chunks(chunk).zip(workers);
        // A worker that died is made up for here, where its panic has a caller.
        results.flat_map(|(chunk, worker)| worker.join().unwrap_or_else(|_| read_chunk(chunk))).collect()
    })
}

/// Reads the names in one query of an application.
pub(crate) fn read_query(text: &str) -> Result<lower::QueryStatement, String> {
    lower::query_statement(text).map_err(|error| error.message)
}

#[cfg(feature = "live")]
pub(crate) use lower::definition_of;
pub(crate) use lower::{QueryKind, QueryStatement, TableWrite};

fn split_problem(file: FileId, problem: split::SplitProblem) -> Diagnostic {
    let span = Span::new(file, problem.range);
    match problem.kind {
        SplitProblemKind::Unterminated(what) => {
            Diagnostic::error(codes::UNTERMINATED, format!("this {what} is never closed")).at(span, "it starts here")
        }
        SplitProblemKind::MetaCommand => Diagnostic::error(
            codes::META_COMMAND,
            "this is a command of psql, not SQL; no migration tool sends it to the server",
        )
        .at(span, "psql meta-command")
        .help("write the SQL itself (`\\i` → the included text, `\\connect` → a separate folder)"),
        SplitProblemKind::CopyData => {
            Diagnostic::error(codes::COPY_DATA, "rows in the file after COPY … FROM STDIN can only be read by psql")
                .at(span, "its rows follow in the file")
                .help("write them as INSERT statements")
        }
    }
}

/// Splits a file of queries; each with the name in its `-- name: x` comment.
pub(crate) fn split_queries(text: &str) -> Vec<(std::ops::Range<usize>, Option<String>)> {
    let name_in = |comment: &str| {
        let body = comment.trim_start_matches(['-', '/', '*']).trim();
        let name = body.strip_prefix("name:")?.split_whitespace().next()?;
        Some(name.to_owned())
    };
    let (raw, _) = split::split(text);
    raw.into_iter()
        .map(|raw| {
            let name = raw.comments.iter().rev().find_map(|range| name_in(&text[range.clone()]));
            (raw.range, name)
        })
        .collect()
}
