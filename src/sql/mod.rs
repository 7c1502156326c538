//! Text → statements with spans → typed operations. The only place that names sqlparser.
//!
//! [`read`] never fails: a statement that cannot be read becomes [`Operation::Opaque`] with a diagnostic, and the rest of the file is read
//! all the same. What is executed later is the author's own text, sliced by span: a compound `ALTER TABLE` is a [`Statement`] whose pieces
//! each know their own range, and the words they share (`ALTER TABLE [IF EXISTS] [ONLY] name`).

mod ast;
pub(crate) mod batch;
pub mod body;
pub mod bound;
pub mod condition;
mod deep;
mod describe;
mod directive;
mod forms;
mod gaps;
pub(crate) mod lex;
#[cfg(feature = "live")]
mod literal;
mod lower;
pub mod name;
mod object;
pub mod operation;
#[cfg(feature = "live")]
mod owned;
mod parse;
mod publication;
pub mod query;
mod query_gaps;
#[cfg(feature = "live")]
pub(crate) mod recognise;
mod rewrite_rule;
mod routine;
mod shape;
mod split;
mod table;
#[cfg(test)]
mod tests;
mod tokens;
mod types;
mod user_type;
mod words;

use std::ops::Range;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::parallel;
use crate::source::{FileId, Sources, Span};
pub use directive::{Allow, Directive, DirectiveWord, WantedManner};
pub use name::{Name, Quoted};
pub use operation::Operation;
use split::SplitProblemKind;
pub use types::TypeName;
pub use words::{Form, Words};

pub(crate) use ast::truncate;
pub(crate) use describe::describe;
#[cfg(feature = "live")]
pub(crate) use literal::literal;
#[cfg(feature = "live")]
pub(crate) use owned::{Dropped, Owned, owned};

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// From its first token to its last, without the semicolon.
    pub span: Span,
    /// What it does, in order. Several pieces share one statement in a compound `ALTER TABLE`, in `DROP TABLE a, b` and the like.
    pub pieces: Vec<Piece>,
    /// The author's word on it.
    pub directive: Option<Directive>,
    /// How the author wants it to run.
    pub manner: Option<WantedManner>,
    /// What the author allows it, and the whole file in front of its first statement.
    pub allows: Vec<Allow>,
    /// Whether PostgreSQL runs it in a transaction block.
    pub transactional: bool,
    /// The rows that follow `COPY … FROM STDIN` in the file.
    pub rows: Option<Span>,
}

/// One operation of a statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// What it does.
    pub operation: Operation,
    /// Its own place: the sub-command, or the whole statement.
    pub span: Span,
    /// For a sub-command that can run alone: the text before it (`ALTER TABLE ONLY t `). `None`: it cannot be split off.
    pub prefix: Option<Span>,
}

/// What [`read`] finds.
pub type ReadFile = (Vec<Statement>, Vec<Diagnostic>);

/// Reads one file.
pub fn read(sources: &Sources, file: FileId) -> ReadFile {
    read_parts(sources, &[Span::new(file, 0..sources.file(file).text.len())])
}

/// Reads parts of files, in order.
pub fn read_parts(sources: &Sources, parts: &[Span]) -> ReadFile {
    let mut statements = Vec::new();
    let mut diagnostics = Vec::new();
    for part in parts {
        let text = &*sources.file(part.file).text;
        let split::Split { statements: raw, trailing, problems } =
            split::split(sources.slice(*part), split::Rows::Follow);
        let base = part.range().start;
        let moved = |range: &Range<usize>| base + range.start..base + range.end;
        diagnostics.extend(problems.into_iter().map(|p| split_problem(Span::new(part.file, moved(&p.range)), p.kind)));
        let mut previous = None;
        for raw in raw {
            let span = Span::new(part.file, moved(&raw.range));
            let comments: Vec<_> = raw.comments.iter().map(moved).collect();
            let comments = directive::read(text, &comments, previous.replace(span.range().end));
            diagnostics.extend(comments.problems.into_iter().map(|p| directive_problem(part.file, p)));
            let allows = comments.allows.into_iter().map(|allow| allow.placed(span)).collect();
            let statement = &text[span.range()];
            let lowered = deep::with_stack(statement, || lower::statement(statement));
            let lowered = lowered.unwrap_or_else(|| lower::unread(statement, deep::TOO_DEEP));
            let start = span.range().start;
            let inner = |range: Range<usize>| Span::new(part.file, start + range.start..start + range.end);
            if let Some(error) = lowered.error {
                diagnostics.push(
                    Diagnostic::warning(codes::UNREAD_STATEMENT, format!("this statement cannot be read: {}", error.message))
                        .at(inner(error.range), "not understood from here")
                        .help("it is treated as opaque; if PostgreSQL accepts it, say where it belongs with a `-- cutover:` comment"),
                );
            }
            let pieces = lowered.pieces.into_iter().map(|piece| Piece {
                operation: piece.operation,
                span: inner(piece.range),
                prefix: piece.prefix.map(inner),
            });
            statements.push(Statement {
                span,
                pieces: pieces.collect(),
                directive: comments.directive,
                manner: comments.manner,
                allows,
                transactional: lowered.transactional,
                rows: raw.rows.as_ref().map(|range| Span::new(part.file, moved(range))),
            });
        }
        let trailing: Vec<_> = trailing.iter().map(moved).collect();
        diagnostics.extend(directive::behind(text, &trailing).map(|p| directive_problem(part.file, p)));
    }
    (statements, diagnostics)
}

fn directive_problem(file: FileId, problem: directive::DirectiveProblem) -> Diagnostic {
    Diagnostic::error(codes::BAD_DIRECTIVE, problem.message).at(Span::new(file, problem.range), "").help(
        "write `-- cutover: before|after|neutral <reason>`, `-- cutover: backfill key=<column>`, `-- cutover: check`, or `-- cutover: allow(<rule>) <reason>`, on a line before the statement",
    )
}

/// Reads the parts of several files, on all processors when they are many. The answers are in the order of the files.
pub fn read_all(sources: &Sources, files: &[&[Span]]) -> Vec<ReadFile> {
    const FEW: usize = 16;
    parallel::map(files, FEW, |parts| read_parts(sources, parts))
}

/// Reads one query of an application.
pub fn read_query(text: &str) -> Result<query::Command, String> {
    let read = deep::with_stack(text, || lower::command(text).map_err(|error| error.message));
    read.unwrap_or_else(|| Err(deep::TOO_DEEP.to_owned()))
}

/// Reads a rule as the server prints it.
pub fn read_rule(text: &str) -> Option<operation::RuleBody> {
    let lowered = deep::with_stack(text, || lower::statement(text))?;
    lowered.pieces.into_iter().find_map(|piece| match piece.operation {
        Operation::Opaque { rule: Some(change), .. } => match change.verb {
            operation::RuleVerb::Made(body) => Some(body),
            _ => None,
        },
        _ => None,
    })
}

/// Whether a statement is `ALTER … OWNER TO …`, of whatever kind: nothing else of the schema changes by it.
pub(crate) fn only_changes_owner(statement: &str) -> bool {
    // Mostly the first word says no.
    if !lex::lexemes(statement).find(lex::Lexeme::solid).is_some_and(|first| first.is("alter")) {
        return false;
    }
    let words: Vec<_> = lex::lexemes(statement).filter(lex::Lexeme::solid).collect();
    let [_, .., owner, to, _] = &words[..] else { return false };
    owner.is("owner") && to.is("to")
}

/// Whether a statement that is not simulated makes, changes and drops nothing that others could name.
pub(crate) fn makes_nothing(statement: &str) -> bool {
    let mut words = lex::words_of(statement);
    let mut next = |word: &str| words.next().is_some_and(|found| found.eq_ignore_ascii_case(word));
    next("alter") && next("default") && next("privileges") || only_changes_owner(statement)
}

/// A text in which a function bears another name.
pub(crate) fn renamed_call(text: &str, from: &str, to: &str) -> String {
    use lex::Lexeme;
    let pieces = lex::lex(text);
    let called = |at: usize| pieces[at + 1..].iter().find(|piece| piece.solid()).is_some_and(|next| next.symbol("("));
    let named = |piece: &Lexeme<'_>| piece.is(from) || piece.text == name::Quoted(from).to_string();
    let renamed = |(at, piece): (usize, &Lexeme<'_>)| match named(piece) && called(at) {
        true => name::Quoted(to).to_string(),
        false => piece.text.to_owned(),
    };
    pieces.iter().enumerate().map(renamed).collect()
}

/// Whether an operator is written in a query: by its sign, by another spelling of it, or by words that stand for it.
pub(crate) fn writes_operator(text: &str, sign: &str) -> bool {
    // The word, and whether NOT stands before it.
    const WORDS: [(&str, &str, bool); 14] = [
        ("=", "in", false),
        ("<>", "in", true),
        (">=", "between", false),
        ("<=", "between", false),
        ("<", "between", true),
        (">", "between", true),
        ("~~", "like", false),
        ("!~~", "like", true),
        ("~~*", "ilike", false),
        ("!~~*", "ilike", true),
        ("~", "similar", false),
        ("!~", "similar", true),
        ("=", "nullif", false),
        ("=", "natural", false),
    ];
    let pieces: Vec<_> = lex::lexemes(text).filter(lex::Lexeme::solid).collect();
    let worded = |(at, piece): (usize, &lex::Lexeme<'_>)| {
        let negated = at.checked_sub(1).and_then(|before| pieces.get(before)).is_some_and(|before| before.is("not"));
        let next = pieces.get(at + 1);
        WORDS.iter().any(|(of, word, not)| *of == sign && *not == negated && piece.is(word))
            || sign == "="
                && next.is_some_and(|next| {
                    piece.is("distinct") && next.is("from")
                        || piece.is("using") && next.symbol("(")
                        || piece.is("case") && !next.is("when")
                })
    };
    let spelled = |written: &&str| *written == sign || *written == "!=" && sign == "<>";
    lex::operators_in(text).iter().any(spelled) || pieces.iter().enumerate().any(worded)
}

/// The type that a text names.
pub(crate) fn type_named(text: &str) -> Option<TypeName> {
    let query::Command::Select(select) = read_query(&format!("SELECT NULL::{text}")).ok()? else { return None };
    let query::QueryBody::Select(select) = select.body else { return None };
    match select.items.into_iter().next()? {
        query::Item::Expr(query::Expr::Cast(_, named, _), _) => Some(named),
        _ => None,
    }
}

/// The names in a text that stand as those of functions.
pub(crate) fn called_in(text: &str) -> Vec<operation::Ident> {
    use lex::Lexeme;
    let pieces: Vec<_> = lex::lex(text).into_iter().filter(Lexeme::solid).collect();
    let called = pieces.windows(2).filter(|pair| pair[1].symbol("("));
    called.filter_map(|pair| pair[0].name()).collect()
}

/// Whether a text may name something: a look that costs little, before the text is read.
pub(crate) fn may_name(text: &str, name: &str) -> bool {
    let (text, name) = (text.as_bytes(), name.as_bytes());
    let written = |name: &[u8]| text.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name));
    // Of what is quoted in it, or folded otherwise, nothing is known without reading.
    name.is_empty() || !name.is_ascii() || name.contains(&b'"') || written(name)
}

/// The types that an expression names, as it casts to them, in order, each with where its name stands: `e::t`, `CAST(e AS t)`, `t 'text'`.
pub(crate) fn types_in(text: &str) -> Vec<(Name, std::ops::Range<usize>)> {
    use lex::{Lexeme, TokenKind};
    // Most expressions cast nothing.
    let casts = || text.as_bytes().windows(4).any(|four| four.eq_ignore_ascii_case(b"cast"));
    if !text.contains("::") && !text.contains('\'') && !casts() {
        return Vec::new();
    }
    let pieces: Vec<_> = lex::lexemes(text).filter(Lexeme::solid).collect();
    let part = |at: usize| pieces.get(at).and_then(Lexeme::name);
    let dotted = |at: usize| pieces.get(at).is_some_and(|piece| piece.symbol("."));
    let name = |at: usize| {
        let first: operation::Ident = part(at)?;
        match part(at + 2).filter(|_| dotted(at + 1)) {
            Some(second) => Some((Name { schema: Some(first), name: second }, pieces[at].at..pieces[at + 2].end())),
            None => Some((Name { schema: None, name: first }, pieces[at].at..pieces[at].end())),
        }
    };
    // Whether each parenthesis that is open is one of `CAST (`.
    let mut open = Vec::new();
    let mut found = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| pieces.get(before));
        match piece.kind {
            TokenKind::Symbol if piece.text == "(" => open.push(before.is_some_and(|before| before.is("cast"))),
            TokenKind::Symbol if piece.text == ")" => _ = open.pop(),
            TokenKind::Symbol if piece.text == "::" => found.extend(name(at + 1)),
            TokenKind::Word if piece.is("as") && open.last() == Some(&true) => found.extend(name(at + 1)),
            TokenKind::Text => {
                let start = if at > 2 && dotted(at - 2) && part(at - 3).is_some() {
                    at.checked_sub(3)
                } else {
                    at.checked_sub(1)
                };
                found.extend(start.and_then(name));
            }
            _ => {}
        }
    }
    found
}

/// Where the first such keyword of a statement ends, for an edit of its text.
pub(crate) fn end_of_word(statement: &str, word: &str) -> Option<usize> {
    parse::Tokens::read(statement).ok()?.end_of_word(word)
}

#[cfg(feature = "live")]
pub(crate) use lower::gives_the_same;
#[cfg(feature = "live")]
pub(crate) use lower::mentions_of;

/// What tells a query, as the server prints it, from another one; its text, where that cannot be read.
#[cfg(feature = "live")]
pub(crate) fn definition_of(text: &str) -> Vec<operation::Ident> {
    let read = deep::with_stack(text, || lower::definition_of(text));
    read.unwrap_or_else(|| vec![crate::digest::sha256(text).into()])
}

/// An expression as the server prints it.
#[cfg(feature = "live")]
pub(crate) fn printed(text: &str) -> query::Kept {
    deep::with_stack(text, || lower::printed(text)).flatten()
}

fn split_problem(span: Span, problem: SplitProblemKind) -> Diagnostic {
    match problem {
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

/// Whether a statement is `COPY … FROM STDIN`.
#[cfg(feature = "live")]
pub(crate) use split::copies_from_stdin;

/// Splits a file of queries; each with the name in its `-- name: x` comment.
pub(crate) fn split_queries(text: &str) -> Vec<(std::ops::Range<usize>, Option<String>)> {
    let name_in = |comment: &str| {
        let body = comment.trim_start_matches(['-', '/', '*']).trim();
        let name = body.strip_prefix("name:")?.split_whitespace().next()?;
        Some(name.to_owned())
    };
    let split::Split { statements, .. } = split::split(text, split::Rows::IfEnded);
    statements
        .into_iter()
        .map(|raw| {
            let name = raw.comments.iter().rev().find_map(|range| name_in(&text[range.clone()]));
            (raw.range, name)
        })
        .collect()
}
