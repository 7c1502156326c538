//! Rows that a query locks (`FOR UPDATE`, `FOR SHARE`). PREPARE does not look whether they can be: it is told when the query is planned.

use std::collections::BTreeSet;

use super::Resolver;
use super::catalog::CATALOG;
use crate::schema::{Function, QName, Relation, Schema};
use crate::sql::operation::{Ident, RelationKind};
use crate::sql::query::{Call, Expr, From, Item, QueryBody, QueryExpression, Select};

/// Longer chains of views are not followed.
const DEEPEST: usize = 32;

impl Resolver<'_> {
    /// The locks of a query, on what its FROM names.
    pub(super) fn locks(&mut self, query: &QueryExpression) {
        for of in &query.locks {
            self.locks_body(&query.body, of.as_ref());
        }
    }

    fn locks_body(&mut self, body: &QueryBody, of: Option<&Ident>) {
        match body {
            QueryBody::Select(select) => select.from.iter().for_each(|from| self.locks_element(from, of)),
            QueryBody::Query(query) => self.locks_body(&query.body, of),
            QueryBody::Set(..) | QueryBody::Values(_) | QueryBody::Command(_) => {}
        }
    }

    fn locks_element(&mut self, from: &From, of: Option<&Ident>) {
        match from {
            From::Table(table) => {
                let name = &table.name.value;
                let alias = table.alias.as_ref().unwrap_or(&name.name);
                let cte = name.schema.is_none() && self.ctes.iter().any(|(cte, _)| *cte == name.name);
                if cte || of.is_some_and(|of| of != alias) {
                    return;
                }
                let found = self.schema.resolve(name);
                if let Some((code, message)) = self.schema.unlockable(&found, 0) {
                    self.problem(code, message, table.name.at);
                }
            }
            From::Derived { query, alias, .. } if of.is_none_or(|of| alias.as_ref() == Some(of)) => {
                self.locks_body(&query.body, None);
            }
            From::Join { left, right, .. } => {
                self.locks_element(left, of);
                self.locks_element(right, of);
            }
            From::Derived { .. } | From::Call { .. } | From::Unknown(_) => {}
        }
    }
}

impl Schema {
    /// Why no row of a relation can be locked, with the SQLSTATE.
    fn unlockable(&self, name: &QName, depth: usize) -> Option<(&'static str, String)> {
        let relation = self.relation(name).filter(|_| depth < DEEPEST)?;
        let of = |what: &str| format!("cannot lock rows in {what} \"{}\"", name.name);
        match relation.kind {
            RelationKind::MaterializedView => Some(("42809", of("materialized view"))),
            RelationKind::Sequence => Some(("42809", of("sequence"))),
            RelationKind::View => self.unlockable_query(relation.body.as_deref()?, relation, name, depth),
            _ => None,
        }
    }

    /// The same of the query of a view, or of one in its FROM: locks reach what those name.
    fn unlockable_query(
        &self,
        query: &QueryExpression,
        view: &Relation,
        name: &QName,
        depth: usize,
    ) -> Option<(&'static str, String)> {
        let select = match &query.body {
            QueryBody::Select(select) => select,
            QueryBody::Query(inner) => return self.unlockable_query(inner, view, name, depth),
            // The parts of a UNION are passed over.
            QueryBody::Set(..) | QueryBody::Values(_) | QueryBody::Command(_) => return None,
        };
        let ctes: BTreeSet<&Ident> = query.ctes.iter().map(|cte| &cte.name).collect();
        if !select.from.iter().any(|from| has_rows(from, &ctes)) {
            return None;
        }
        if let Some(what) = self.folded(select, &query.order_by) {
            let message =
                format!("rows of view \"{}\" cannot be locked (FOR UPDATE, FOR SHARE): it has {what}", name.name);
            return Some(("0A000", message));
        }
        select.from.iter().find_map(|from| self.unlockable_element(from, &ctes, view, name, depth))
    }

    fn unlockable_element(
        &self,
        from: &From,
        ctes: &BTreeSet<&Ident>,
        view: &Relation,
        name: &QName,
        depth: usize,
    ) -> Option<(&'static str, String)> {
        match from {
            From::Table(table) => {
                let found = self.resolve(&table.name.value);
                let named = table.name.value.schema.is_some() || !ctes.contains(&table.name.value.name);
                self.unlockable(&found, depth + 1).filter(|_| named && view.reads.contains(&found))
            }
            From::Derived { query, .. } => self.unlockable_query(query, view, name, depth + 1),
            From::Join { left, right, outer, .. } => {
                if *outer && has_rows(left, ctes) && has_rows(right, ctes) {
                    let message = format!(
                        "rows of view \"{}\" cannot be locked (FOR UPDATE, FOR SHARE): one side of its outer join may be missing",
                        name.name
                    );
                    return Some(("0A000", message));
                }
                let mut sides = [left, right].into_iter();
                sides.find_map(|side| self.unlockable_element(side, ctes, view, name, depth))
            }
            From::Call { .. } | From::Unknown(_) => None,
        }
    }

    /// What makes of a row of a query more than one row of its tables, or less.
    fn folded(&self, select: &Select, order_by: &[Expr]) -> Option<&'static str> {
        // What it is sorted by is computed with its output.
        let items = || {
            let items = select.items.iter().filter_map(|item| match item {
                Item::Expr(expr, _) => Some(expr),
                Item::Star(..) | Item::Fields(_) => None,
            });
            items.chain(order_by)
        };
        let calls = |such: &dyn Fn(&Call) -> bool| {
            items().any(|expr| expr.any(&|expr| matches!(expr, Expr::Call(call) if such(call))))
        };
        let builtin = |call: &Call| CATALOG.functions(&call.name.name);
        if select.distinct || !select.distinct_on.is_empty() {
            return Some("DISTINCT");
        }
        if !select.group_by.is_empty() {
            return Some("GROUP BY");
        }
        if select.having.is_some() {
            return Some("HAVING");
        }
        if calls(&|call| !call.over.is_empty() || builtin(call).iter().any(|f| f.window)) {
            return Some("window functions");
        }
        if calls(&|call| builtin(call).iter().any(|f| f.aggregate) || self.has_aggregate(&call.name)) {
            return Some("aggregate functions");
        }
        let own = |call: &Call| self.functions(&self.resolve_function(&call.name));
        let gives_rows = |f: &Function| f.returns.starts_with("setof ") || f.returns.starts_with("table(");
        // Of several functions of a name it is not looked which is meant.
        let all_give = |call: &Call| !own(call).is_empty() && own(call).iter().all(gives_rows);
        calls(&|call| own(call).is_empty() && builtin(call).iter().any(|f| f.set) || all_give(call))
            .then_some("set-returning functions in its output")
    }
}

/// Whether there are rows of tables in an element of FROM.
fn has_rows(from: &From, ctes: &BTreeSet<&Ident>) -> bool {
    match from {
        From::Table(table) => table.name.value.schema.is_some() || !ctes.contains(&table.name.value.name),
        From::Derived { .. } => true,
        From::Join { left, right, .. } => has_rows(left, ctes) || has_rows(right, ctes),
        From::Call { .. } | From::Unknown(_) => false,
    }
}
