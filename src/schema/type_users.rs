//! Who uses a type, or a relation as the type of its rows.

use std::collections::BTreeSet;

use super::Schema;
use super::model::{Column, Constraint, QName, TableRule};
use crate::shared::Shared;
use crate::sql::operation::{Ident, RelationKind};
use crate::sql::query::Expr;

impl Schema {
    /// The tables whose columns are the attributes of a composite type.
    pub(crate) fn of_type(&self, name: &QName) -> impl Iterator<Item = &QName> {
        self.relations().filter(move |(_, relation)| relation.of_type.as_ref() == Some(name)).map(|(table, _)| table)
    }

    /// The columns of tables whose type is one of these, or an array of it; those that are a parent's are the parent's.
    pub(crate) fn columns_of_type(&self, name: &QName) -> Vec<(QName, Ident)> {
        let shown = name.to_string();
        let tables = self.relations().filter(|(_, relation)| relation.kind == RelationKind::Table);
        let of_type = |column: &Column| column.data_type.as_ref().is_some_and(|of| of.base() == shown);
        tables
            .flat_map(|(table, relation)| {
                let columns = relation.columns.iter().filter(|column| of_type(column));
                columns.map(|column| (table.clone(), column.name.clone())).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The names of all types that columns, defaults, checks, functions, domains or tables name; more than are there.
    pub(crate) fn types_in_use(&self) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for (_, relation) in self.relations() {
            used.extend(relation.of_type.iter().map(ToString::to_string));
            for column in &relation.columns {
                used.extend(column.data_type.iter().map(|of| of.base().into_owned()));
                if let Some(value) = &column.value {
                    cast_to(value, &mut used);
                }
            }
            for constraint in relation.constraints.values() {
                if let TableRule::Check { expression, .. } = &constraint.kind {
                    let casts = expression.split("::").skip(1);
                    let end =
                        |text: &str| text.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.' | '"' | ' '));
                    // With a space in it, as in `character varying`, it is none that somebody made: the first word is.
                    for cast in casts.map(|text| &text[..end(text).unwrap_or(text.len())]) {
                        used.insert(cast.to_owned());
                        used.extend(cast.split(' ').next().map(str::to_owned));
                    }
                }
            }
        }
        for (_, function) in self.all_functions() {
            let returns = function.returns.strip_prefix("setof ").unwrap_or(&function.returns);
            used.insert(returns.trim_end_matches("[]").to_owned());
            used.extend(function.arguments.iter().map(|(of, _)| of.base().into_owned()));
        }
        used.extend(self.user_types().flat_map(|(_, of)| of.parts().map(|part| part.base().into_owned())));
        used
    }

    /// The checks that cast to a type, with their tables.
    pub(crate) fn checks_of_type(&self, name: &QName) -> Vec<(QName, Ident)> {
        let cast = format!("::{name}");
        let casts = |constraint: &Constraint| match &constraint.kind {
            TableRule::Check { expression, .. } => expression.match_indices(&*cast).any(|(at, _)| {
                let behind = expression[at + cast.len()..].chars().next();
                behind.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.')
            }),
            _ => false,
        };
        self.relations()
            .flat_map(|(table, relation)| {
                let checks = relation.constraints.iter().filter(|(_, constraint)| casts(constraint));
                checks.map(|(check, _)| (table.clone(), check.clone())).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The columns whose defaults cast to a type: the type cannot go without them.
    pub(crate) fn defaults_of_type(&self, name: &QName) -> Vec<(QName, Ident)> {
        let shown = name.to_string();
        let casts = |expr: &Expr| matches!(expr, Expr::Cast(_, to, _) if to.base() == shown);
        let of_type = |column: &&Shared<Column>| column.value.as_ref().is_some_and(|value| value.any(&casts));
        self.relations()
            .flat_map(|(table, relation)| {
                let columns = relation.columns.iter().filter(of_type);
                columns.map(|column| (table.clone(), column.name.clone())).collect::<Vec<_>>()
            })
            .collect()
    }
}

/// The types that something in an expression is cast to.
fn cast_to(expr: &Expr, used: &mut BTreeSet<String>) {
    if let Expr::Cast(_, to, _) = expr {
        used.insert(to.base().into_owned());
    }
    expr.parts().into_iter().for_each(|part| cast_to(part, used));
}
