//! Small conversions from sqlparser's tree that every family needs.

use sqlparser::ast;

use super::name::{Ident, Name};

/// An identifier as PostgreSQL folds it: lower case unless quoted, at most 63 bytes.
pub(crate) fn fold(ident: &ast::Ident) -> Ident {
    let text = if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_ascii_lowercase() };
    truncate(text).into()
}

/// Cuts an identifier as PostgreSQL does: at 63 bytes, on a character boundary.
pub(crate) fn truncate(mut text: String) -> String {
    if text.len() > 63 {
        let mut end = 63;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}

/// An object name; a database prefix is dropped.
pub(crate) fn lower_name(name: &ast::ObjectName) -> Name {
    let mut parts = name.0.iter().rev().filter_map(|part| part.as_ident().map(fold));
    let object = parts.next().unwrap_or_else(|| "".into());
    Name { schema: parts.next(), name: object }
}

/// The last part of an object name.
pub(crate) fn last(name: &ast::ObjectName) -> Ident {
    lower_name(name).name
}

pub(crate) fn fold_all(idents: &[ast::Ident]) -> Vec<Ident> {
    idents.iter().map(fold).collect()
}

/// The column of an expression that is nothing but a column.
pub(crate) fn plain_column(expr: &ast::Expr) -> Option<Ident> {
    match expr {
        ast::Expr::Identifier(ident) => Some(fold(ident)),
        ast::Expr::CompoundIdentifier(parts) => parts.last().map(fold),
        ast::Expr::Nested(inner) => plain_column(inner),
        _ => None,
    }
}
