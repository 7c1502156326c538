//! Policies that read the table that they are on, by themselves or by way of another's policies: PostgreSQL refuses whatever they bind.

use std::collections::BTreeSet;

use super::model::QName;
use super::{Relation, Schema};
use crate::sql::Name;
use crate::sql::lex::{Kind, Lexeme, lex};

impl Schema {
    /// Whether row security of a table cannot come to an end: it reads the table itself.
    pub(crate) fn policies_recur(&self, table: &QName) -> bool {
        let bound = |name: &QName| self.relation(name).filter(|relation| relation.row_security);
        let mut seen = BTreeSet::new();
        let mut open: Vec<QName> = bound(table).map(|relation| self.read_by_policies(relation)).unwrap_or_default();
        while let Some(name) = open.pop() {
            if name == *table {
                return true;
            }
            if let Some(relation) = bound(&name).filter(|_| seen.insert(name.clone())) {
                open.extend(self.read_by_policies(relation));
            }
        }
        false
    }

    fn read_by_policies(&self, relation: &Relation) -> Vec<QName> {
        relation.policies.values().flat_map(|policy| named(&policy.text)).map(|name| self.resolve(&name)).collect()
    }
}

/// The tables that stand behind `FROM` and `JOIN`.
fn named(text: &str) -> Vec<Name> {
    let pieces: Vec<Lexeme<'_>> = lex(text).into_iter().filter(Lexeme::solid).collect();
    let name = |at: usize| {
        let piece = pieces.get(at)?;
        match piece.kind {
            Kind::Word => Some(piece.text.to_ascii_lowercase()),
            Kind::Name => Some(piece.text.trim_matches('"').replace("\"\"", "\"")),
            _ => None,
        }
    };
    let begins = (0..pieces.len()).filter(|at| pieces[*at].is_any(&["from", "join"]));
    let found = begins.filter_map(|at| {
        let first = at + 1 + usize::from(pieces.get(at + 1).is_some_and(|piece| piece.is("only")));
        let dotted = pieces.get(first + 1).is_some_and(|piece| piece.symbol("."));
        match dotted {
            true => Some(Name::qualified(name(first)?, name(first + 2)?)),
            false => Some(Name::bare(name(first)?)),
        }
    });
    found.collect()
}
