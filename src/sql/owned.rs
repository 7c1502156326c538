//! What a statement changes or drops that must be the role's own, by its text: it is asked on the server before a release begins, and again
//! before blue can no longer come back.

use super::Operation;
use super::name::Name;
use super::operation::{Ident, TableChange};
use crate::source::Sources;

/// A relation that a statement can only change for its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owned {
    /// As the statement names it.
    pub(crate) relation: Name,
    /// What of it goes without CASCADE, so that nothing may depend on it.
    pub(crate) drops: Option<Dropped>,
}

/// What a statement drops without CASCADE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// The relation itself.
    Relation,
    /// A column of it.
    Column(Ident),
}

/// The relations that a statement can only change for their owner; none where it could not be read.
pub(crate) fn owned(statement: &str) -> Vec<Owned> {
    let mut sources = Sources::new();
    let file = sources.add("statement", statement);
    let (statements, _) = super::read(&sources, file);
    statements.iter().flat_map(|statement| &statement.pieces).filter_map(|piece| of(&piece.operation)).collect()
}

fn of(operation: &Operation) -> Option<Owned> {
    let changed = |relation: &Name| Some(Owned { relation: relation.clone(), drops: None });
    match operation {
        Operation::AlterTable { table, change, .. } => Some(Owned {
            relation: table.clone(),
            drops: match change {
                TableChange::DropColumn { column, cascade: false, .. } => Some(Dropped::Column(column.clone())),
                _ => None,
            },
        }),
        // Objects that go together may depend on each other.
        Operation::DropRelation { name, cascade, together, .. } => {
            let drops = (!cascade && together.len() < 2).then_some(Dropped::Relation);
            Some(Owned { relation: name.clone(), drops })
        }
        Operation::RenameRelation { name, .. } | Operation::MoveRelation { name, .. } => changed(name),
        Operation::CreateIndex(index) => changed(&index.table),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_the_role_s_own() {
        let check = |statement: &str, expected: &[(&str, Option<Dropped>)]| {
            let found = owned(statement);
            let found: Vec<_> = found.iter().map(|owned| (owned.relation.to_string(), owned.drops.clone())).collect();
            let expected: Vec<_> = expected.iter().map(|(name, drops)| ((*name).to_owned(), drops.clone())).collect();
            assert_eq!(found, expected, "{statement}");
        };
        let column = |name: &str| Some(Dropped::Column(name.into()));
        check("ALTER TABLE a.b ADD COLUMN c int, DROP COLUMN d", &[("a.b", None), ("a.b", column("d"))]);
        check("ALTER TABLE a DROP COLUMN b CASCADE", &[("a", None)]);
        check("DROP VIEW \"V\"", &[("\"V\"", Some(Dropped::Relation))]);
        check("DROP TABLE a, b", &[("a", None), ("b", None)]);
        check("CREATE INDEX CONCURRENTLY i ON t (a)", &[("t", None)]);
        check("UPDATE t SET a = 1", &[]);
    }
}
