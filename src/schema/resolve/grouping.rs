//! The columns beside GROUP BY.

use std::collections::BTreeSet;

use super::Resolver;
use super::catalog::CATALOG;
use super::from::located;
use super::scope::Names;
use crate::sql::operation::{Ident, RelationKind};
use crate::sql::query::{Call, Expr, Item, Select};

impl Resolver<'_> {
    /// Whether a call is of a function of the server's that gives a value for each row.
    fn is_plain(&self, call: &Call) -> bool {
        let builtins = CATALOG.functions(&call.name.name);
        let own = !self.schema.functions(&self.schema.resolve_function(&call.name)).is_empty();
        let plain = !builtins.is_empty() && builtins.iter().all(|builtin| !builtin.aggregate && !builtin.set);
        plain && !own && !self.schema.has_aggregate(&call.name)
    }

    /// The columns beside GROUP BY, which it must hold, or the primary key of their table. What stands in calls is looked at where they are
    /// known to be no aggregates.
    pub(super) fn grouping(&mut self, select: &Select, names: &Names) {
        if select.group_by.is_empty() {
            return;
        }
        let item = |name: &Ident| {
            select.items.iter().find_map(|item| match item {
                Item::Expr(expr, output) if output == name => Some(expr),
                _ => None,
            })
        };
        let mut grouped: BTreeSet<(usize, Ident)> = BTreeSet::new();
        let mut inside: Vec<&Expr> = Vec::new();
        for by in &select.group_by {
            match by {
                Expr::Column(parts, _) if located(parts, names).is_none() => inside.extend(parts.last().and_then(item)),
                Expr::Number(number) => {
                    let at = number.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
                    match at.and_then(|at| select.items.get(at)) {
                        Some(Item::Expr(expr, _)) => inside.push(expr),
                        _ => return,
                    }
                }
                other => inside.push(other),
            }
        }
        let mut whole = inside.clone();
        while let Some(expr) = inside.pop() {
            if let Expr::Column(parts, _) = expr {
                grouped.extend(located(parts, names));
            }
            inside.extend(expr.parts());
        }
        whole.retain(|expr| !matches!(expr, Expr::Column(..)));
        let mut shown: Vec<&Expr> = select
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Expr(expr, _) => Some(expr),
                Item::Star(..) | Item::Fields(_) => None,
            })
            .chain(&select.having)
            .collect();
        while let Some(expr) = shown.pop() {
            let Expr::Column(parts, at) = expr else {
                let folds = matches!(expr, Expr::Call(call) if !self.is_plain(call));
                if !folds && !whole.contains(&expr) {
                    shown.extend(expr.parts());
                }
                continue;
            };
            let Some((table, column)) = located(parts, names).filter(|place| !grouped.contains(place)) else {
                continue;
            };
            let Some(relation) = names.tables[table].relation.clone() else { continue };
            let Some(found) = self.schema.relation(&relation).filter(|found| found.kind == RelationKind::Table) else {
                continue;
            };
            let keyed = |key: &[Ident]| key.iter().all(|column| grouped.contains(&(table, column.clone())));
            if found.primary_key().is_some_and(keyed) {
                self.resolved.uses.grouped.entry(relation).or_insert(*at);
            } else {
                let alias = &names.tables[table].alias;
                let message = format!(
                    "column \"{alias}.{column}\" must appear in the GROUP BY clause or be used in an aggregate function"
                );
                self.problem("42803", message, *at);
            }
        }
    }
}
