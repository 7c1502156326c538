//! Functions whose bodies mention what a release takes away. PostgreSQL keeps no dependencies of string bodies and plpgsql: the DROP passes,
//! and the function fails when it is called next (measured: `tests/it/observed/bodies.rs`).

use std::collections::BTreeSet;

use super::node::Node;
use crate::diagnostic::Diagnostic;
use crate::effect::Capability;
use crate::lint::codes;
use crate::schema::{Function, QName, Schema};
use crate::sql::operation::Ident;

/// What a node takes away under the feet of functions that stay as they are to the end of the release.
pub(crate) fn broken(node: &Node, last: &Schema) -> Vec<Diagnostic> {
    let gone = gone(node, last);
    if gone.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (name, function) in node.before.all_functions() {
        let stays = last.functions(name).iter().any(|f| f.arguments == function.arguments && f.body == function.body);
        let mentioned =
            gone.iter().find(|(relation, column)| mentions(name, function, relation, column.as_ref(), node));
        let Some((relation, column)) = mentioned.filter(|_| stays) else { continue };
        let what = column.as_ref().map_or_else(|| relation.to_string(), |column| format!("{relation}.{column}"));
        found.push(
            Diagnostic::warning(
                codes::BODY_MENTIONS_GONE,
                format!(
                    "the body of function {} mentions {what}: PostgreSQL does not know, and a call fails from here on",
                    function.signature(name)
                ),
            )
            .at(node.span(), "taken away here")
            .help("replace the function in this release (CREATE OR REPLACE FUNCTION), or drop it if nobody calls it"),
        );
    }
    found
}

/// Relations and columns that a node takes away and the release does not give back.
fn gone(node: &Node, last: &Schema) -> BTreeSet<(QName, Option<Ident>)> {
    let lost = node.effect.removes.iter().filter_map(|capability| match capability {
        Capability::Relation(name) if last.relation(name).is_none() => Some((name.clone(), None)),
        Capability::Read { relation, column, .. } => {
            let stays = last.relation(relation).is_none_or(|r| !r.columns_known || r.column(column).is_some());
            (!stays).then(|| (relation.clone(), Some(column.clone())))
        }
        _ => None,
    });
    lost.collect()
}

fn mentions(name: &QName, function: &Function, relation: &QName, column: Option<&Ident>, node: &Node) -> bool {
    let says = |word: &Ident| function.mentions.contains(word);
    let table = node.before.relation(relation);
    // A trigger's function need not name the table: NEW and OLD are its rows.
    let on_it = || table.is_some_and(|t| t.trigger_functions.values().any(|f| f == name));
    match column {
        None => says(&relation.name),
        Some(column) => says(column) && (says(&relation.name) || on_it()),
    }
}
