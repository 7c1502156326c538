//! What PostgreSQL refuses inside a transaction: `CALL` and `DO` that commit on their way, so who runs them decides whether they work, and
//! labels of an enum that are used before they are committed.

use super::node::Node;
use crate::diagnostic::{Diagnostic, codes};
use crate::migrations::{Convention, Migration};
use crate::schema::resolve::resolve;
use crate::schema::{Schema, UserType};
use crate::source::{Sources, Span};
use crate::sql::lex::{Lexeme, TokenKind, lex};
use crate::sql::{self, Operation};

/// Whether a statement commits, or rolls back, what it did so far.
fn commits(statement: &str, schema: &Schema, sources: &Sources) -> bool {
    let words: Vec<Lexeme<'_>> = lex(statement).into_iter().filter(Lexeme::solid).collect();
    let Some(first) = words.first() else { return false };
    if first.is("do") {
        return words.iter().any(|word| word.kind == TokenKind::Text && ends_a_transaction(inside(word.text)));
    }
    if !first.is("call") {
        return false;
    }
    let Some(name) = sql::called_in(statement).into_iter().next() else { return false };
    let mut procedures = schema.all_functions().filter(|(known, _)| known.name == name).peekable();
    if procedures.peek().is_none() {
        return false;
    }
    let mentions = procedures.any(|(_, p)| p.mentions.iter().any(|word| matches!(&**word, "commit" | "rollback")));
    // A column may be called so; what ends a transaction is a statement.
    mentions && sources.iter().any(|(_, file)| ends_a_transaction(&file.text))
}

/// The body in a quoted string.
fn inside(text: &str) -> &str {
    let tag = text.find('$').and_then(|at| text[at + 1..].find('$').map(|end| at + end + 2));
    match tag.filter(|_| text.starts_with('$')) {
        Some(tag) => text.get(tag..text.len().saturating_sub(tag)).unwrap_or_default(),
        None => text.trim_matches('\''),
    }
}

/// Whether `COMMIT;` or `ROLLBACK;` stands in a body, perhaps with `AND CHAIN`.
fn ends_a_transaction(body: &str) -> bool {
    ends_within(body, 0)
}

fn ends_within(body: &str, depth: usize) -> bool {
    /// A function within a DO block, and a string within that.
    const DEEPEST: usize = 4;
    let words: Vec<Lexeme<'_>> = lex(body).into_iter().filter(Lexeme::solid).collect();
    let ends = |at: usize| {
        let next = |by: usize| words.get(at + by);
        words[at].is_any(&["commit", "rollback"])
            && next(1)
                .is_some_and(|word| word.symbol(";") || (word.is("and") && next(2).is_some_and(|w| w.is("chain"))))
    };
    let nested =
        |word: &Lexeme<'_>| word.kind == TokenKind::Text && word.text.starts_with('$') && word.text.len() < body.len();
    (0..words.len()).any(ends)
        || words.iter().any(|word| depth < DEEPEST && nested(word) && ends_within(inside(word.text), depth + 1))
}

/// Whether a statement must run outside a transaction because it commits, and its file runs outside of one. Where the file's tool runs it in
/// one, it fails, which is told.
pub(super) fn runs_alone(
    migration: &Migration,
    convention: Convention,
    span: Span,
    schema: &Schema,
    sources: &Sources,
) -> (bool, Option<Diagnostic>) {
    if !commits(sources.slice(span), schema, sources) {
        return (false, None);
    }
    // Plain folders are run by nobody else.
    if !migration.in_transaction || convention == Convention::Plain {
        return (true, None);
    }
    let message = format!(
        "this commits on its way, and {convention} runs the file in a transaction, where PostgreSQL refuses that"
    );
    let diagnostic = Diagnostic::error(codes::SERVER_REFUSES, message)
        .at(span, "the server refuses this (2D000)")
        .help("write it into a file of its own that runs outside a transaction, in the way that the tool knows, or do not commit in it");
    (true, Some(diagnostic))
}

/// Labels that a node adds to an enum and uses in the same transaction.
pub(super) fn unsafe_label(node: &Node) -> Option<Diagnostic> {
    if !node.operations().any(|operation| matches!(operation, Operation::AddEnumLabel { .. })) {
        return None;
    }
    let mut schema = node.before.clone();
    let mut added = Vec::new();
    for part in &node.parts {
        let look = part.command.as_deref().filter(|_| !added.is_empty()).map(|command| resolve(command, &schema));
        let used = look.and_then(|look| added.iter().find(|label| look.uses.labels.contains_key(*label)).cloned());
        if let Some((name, label)) = used {
            let text = format!("PostgreSQL refuses this: unsafe use of new value \"{label}\" of enum type {name}");
            let diagnostic = Diagnostic::error(codes::SERVER_REFUSES, text);
            return Some(
                diagnostic
                    .at(part.span, "the label is not committed yet")
                    .help("add the label in a transaction of its own: before BEGIN, or in a migration before this one"),
            );
        }
        if let Operation::AddEnumLabel { name, label, .. } = &part.operation {
            let name = schema.resolve_type(name);
            let there = |schema: &Schema| match schema.user_type(&name) {
                Some(UserType::Enum(labels)) => labels.contains(label),
                _ => false,
            };
            // Of a type that the same transaction makes, PostgreSQL takes them.
            if node.before.user_type(&name).is_some() && !there(&schema) {
                added.push((name.to_string(), label.clone()));
            }
        }
        schema = part.apply(&schema).schema;
    }
    None
}
