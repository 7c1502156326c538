//! What the statements of a rule read and write: PostgreSQL keeps them in the catalog, and refuses to drop what they name.

use std::collections::BTreeSet;

use super::scope::{Names, Scope};
use super::{Resolver, WriteKind};
use crate::schema::{QName, Schema};
use crate::sql::operation::Ident;
use crate::sql::query::Command;

/// The columns that the statements of a rule on a relation name, `NEW` and `OLD` being its rows; without a name: the relation.
pub(in crate::schema) fn done_by_rule(actions: &[Command], on: &QName, schema: &Schema) -> BTreeSet<(QName, Ident)> {
    let Some(relation) = schema.relation(on) else { return BTreeSet::new() };
    let mut resolver = Resolver::new(schema);
    let rows = ["new", "old"].map(|alias| resolver.table_of(alias.into(), None, on, relation));
    let names = Names::new(rows.into(), Vec::new());
    for action in actions {
        resolver.command(action, Some(&Scope { names: &names, outer: None }));
    }
    let uses = resolver.resolved.uses;
    let written = uses.writes.into_iter().flat_map(|write| {
        let columns: Vec<Ident> = match write.kind {
            WriteKind::Insert { columns, updates, .. } => columns.into_iter().chain(updates).collect(),
            WriteKind::Update { columns, .. } => columns.into_iter().collect(),
            WriteKind::Delete => Vec::new(),
        };
        columns.into_iter().chain([Ident::from("")]).map(move |column| (write.relation.clone(), column))
    });
    let whole = uses.relations.into_keys().map(|name| (name, Ident::from("")));
    uses.reads.into_keys().chain(whole).chain(written).collect()
}
