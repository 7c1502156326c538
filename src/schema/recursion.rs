//! Policies that read the table that they are on, by themselves or by way of another's policies: PostgreSQL refuses whatever they bind.

use std::collections::BTreeSet;

use super::Schema;
use super::model::QName;
use crate::sql::Name;
use crate::sql::lex::{Lexeme, lex};

impl Schema {
    /// Whether row security of a table cannot come to an end: its policies read a table whose policies read, by whatever way, that table again.
    pub(crate) fn policies_recur(&self, table: &QName) -> bool {
        let mut done = BTreeSet::new();
        // The tables on the way, each with what its policies read and is still to be followed.
        let mut way: Vec<(QName, Vec<QName>)> = vec![(table.clone(), self.read_by_policies(table))];
        while let Some((_, open)) = way.last_mut() {
            let Some(next) = open.pop() else {
                done.extend(way.pop().map(|(name, _)| name));
                continue;
            };
            if way.iter().any(|(name, _)| *name == next) {
                return true;
            }
            if !done.contains(&next) {
                let reads = self.read_by_policies(&next);
                way.push((next, reads));
            }
        }
        false
    }

    /// What the policies of a table read that bind whoever reads it.
    fn read_by_policies(&self, table: &QName) -> Vec<QName> {
        let Some(relation) = self.relation(table).filter(|relation| relation.row_security) else { return Vec::new() };
        let texts = relation.policies.values().map(|policy| &*policy.text).filter(|text| binds_readers(text));
        texts.flat_map(named).map(|name| self.resolve(&name)).collect()
    }
}

/// Whether a policy is for all commands, or for SELECT.
fn binds_readers(text: &str) -> bool {
    let mut depth = 0_i32;
    let mut before = None;
    for piece in lex(text).into_iter().filter(Lexeme::solid) {
        depth += i32::from(piece.symbol("(")) - i32::from(piece.symbol(")"));
        let is_command = piece.is_any(&["insert", "update", "delete"]);
        if depth == 0 && is_command && before.is_some_and(|before: Lexeme<'_>| before.is("for")) {
            return false;
        }
        before = Some(piece);
    }
    true
}

/// The tables that stand behind `FROM` and `JOIN`.
fn named(text: &str) -> Vec<Name> {
    let pieces: Vec<Lexeme<'_>> = lex(text).into_iter().filter(Lexeme::solid).collect();
    let name = |at: usize| pieces.get(at).and_then(Lexeme::name);
    let is = |at: usize, words: &[&str]| pieces.get(at).is_some_and(|piece| piece.is_any(words));
    let symbol = |at: usize, symbol: &str| pieces.get(at).is_some_and(|piece| piece.symbol(symbol));
    let mut found = Vec::new();
    for begin in (0..pieces.len()).filter(|at| is(*at, &["from", "join"])) {
        let mut at = begin + 1;
        // `FROM a, b AS c, ONLY d`
        loop {
            at += usize::from(is(at, &["only"]));
            let Some(first) = name(at) else { break };
            match symbol(at + 1, ".").then(|| name(at + 2)).flatten() {
                Some(second) => {
                    found.push(Name::qualified(first, second));
                    at += 3;
                }
                None => {
                    found.push(Name::bare(first));
                    at += 1;
                }
            }
            at += usize::from(is(at, &["as"]));
            at += usize::from(!symbol(at, ",") && symbol(at + 1, ",") && name(at).is_some());
            if !symbol(at, ",") {
                break;
            }
            at += 1;
        }
    }
    found
}
