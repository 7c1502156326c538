//! Which values can be told apart, and which can be put in order: what DISTINCT, GROUP BY, UNION, ORDER BY and the comparison of rows need.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::expr::start;
use super::scope::{Col, Scope};
use super::types::{Sure, Type, Types};
use super::{Output, Resolver};
use crate::schema::UserType;
use crate::sql::query::{At, Expr, Select};

/// Types without an equality that sorting or hashing could use.
const NEVER_EQUAL: &[&str] = &[
    "json",
    "xml",
    "point",
    "line",
    "lseg",
    "box",
    "path",
    "polygon",
    "circle",
    "refcursor",
    "jsonpath",
    "gtsvector",
    "txid_snapshot",
    "pg_snapshot",
];

/// Types that are told apart by hashing only.
const NEVER_ORDERED: &[&str] = &["xid", "cid", "aclitem"];

/// What is asked of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Values are told apart.
    Equality,
    /// Values are put in order.
    Ordering,
}

impl Need {
    fn operator(self) -> &'static str {
        match self {
            Self::Equality => "equality",
            Self::Ordering => "ordering",
        }
    }

    /// Of an operator that compares rows.
    pub(super) fn of(operator: &str) -> Option<Self> {
        match operator {
            "=" | "<>" => Some(Self::Equality),
            "<" | "<=" | ">" | ">=" => Some(Self::Ordering),
            _ => None,
        }
    }
}

impl Types<'_> {
    /// `seen`: the types that were looked into.
    fn sorts(&self, name: &str, need: Need, seen: &mut BTreeSet<String>) -> Sure {
        let name = name.trim_end_matches("[]");
        let base: Cow<'_, str> = self.base(name);
        if NEVER_EQUAL.contains(&&*base) || need == Need::Ordering && NEVER_ORDERED.contains(&&*base) {
            return Sure::No;
        }
        match self.parts(&base) {
            // What is looked into elsewhere counts there.
            Some(_) if !seen.insert(base.clone().into_owned()) => Sure::Yes,
            Some(parts) => {
                let each = parts.iter().map(|part| match part {
                    Some(Type::Named(name)) => self.sorts(name, need, seen),
                    _ => Sure::Unsure,
                });
                each.fold(Sure::Yes, |so_far, part| match (so_far, part) {
                    (Sure::No, _) | (_, Sure::No) => Sure::No,
                    (Sure::Yes, Sure::Yes) => Sure::Yes,
                    _ => Sure::Unsure,
                })
            }
            None if matches!(self.category(&base), None | Some(('C', _))) => Sure::Unsure,
            None => Sure::Yes,
        }
    }

    /// The types of what a row consists of, where that is known.
    fn parts(&self, name: &str) -> Option<Vec<Option<Type>>> {
        if let Some(user) = self.schema.user_type_named(name) {
            let UserType::Composite(attributes) = user else { return None };
            return Some(attributes.iter().map(|(_, data_type)| Some(Type::of(data_type))).collect());
        }
        let relation = self.row_type(name).and_then(|name| self.schema.relation(&name));
        let relation = relation.filter(|relation| relation.columns_known)?;
        Some(relation.columns.iter().map(|column| column.data_type.as_ref().map(Type::of)).collect())
    }
}

/// The type of a column of the output, by its name or its place.
fn output_type(expr: &Expr, output: &[Col]) -> Type {
    let column = match expr {
        Expr::Column(parts, _) => output.iter().find(|col| parts.first() == Some(&col.name)),
        Expr::Number(at) => at.parse::<usize>().ok().and_then(|at| output.get(at.checked_sub(1)?)),
        _ => None,
    };
    column.map_or(Type::Any, |col| col.data_type.clone())
}

impl Resolver<'_> {
    /// What ORDER BY, DISTINCT and GROUP BY of a SELECT look at.
    pub(super) fn sorts(&mut self, select: &Select, order_by: &[Expr], columns: &Output, scope: &Scope<'_>) {
        let output = columns.as_deref().unwrap_or_default();
        let is_output = |expr: &Expr| match expr {
            Expr::Column(parts, _) if parts.len() == 1 => output.iter().any(|col| col.name == parts[0]),
            Expr::Number(_) => true,
            _ => false,
        };
        let is_input = |expr: &Expr| match expr {
            Expr::Column(parts, _) => scope.names.bare().any(|col| col.name == parts[0]),
            _ => false,
        };
        // A bare name in ORDER BY is first one of the output, in GROUP BY first one of the input.
        let by_output = |of: &[Expr]| -> Vec<bool> { of.iter().map(is_output).collect() };
        let grouped = select.group_by.iter().map(|e| is_output(e) && !is_input(e)).collect();
        let parts = [
            (order_by, by_output(order_by), Need::Ordering),
            (&select.distinct_on, by_output(&select.distinct_on), Need::Equality),
            (&select.group_by, grouped, Need::Equality),
        ];
        for (by, of_output, need) in parts {
            for (expr, of_output) in by.iter().zip(of_output) {
                let found = if of_output { output_type(expr, output) } else { self.expr(expr, Some(scope)) };
                self.sort(&found, need, start(expr));
            }
        }
        for expr in &select.windows {
            self.expr(expr, Some(scope));
        }
        if select.distinct {
            self.sort_all(output, Need::Equality);
        }
    }

    /// What is told where two rows are compared.
    pub(super) fn compare_rows(&mut self, left: (&Expr, &Type), right: (&Expr, &Type), need: Need, at: At) {
        for ((expr, _), (_, row)) in [(left, right), (right, left)] {
            let Some(parts) = row.name().and_then(|name| self.types.parts(&self.types.base(name))) else { continue };
            if let Expr::Row(written) = expr
                && written.len() != parts.len()
            {
                self.problem("42804", "cannot compare record types with different numbers of columns", at);
            }
            self.sort(row, need, at);
        }
    }

    /// What is told where values of a type are to be told apart, or put in order.
    pub(super) fn sort(&mut self, data_type: &Type, need: Need, at: At) {
        let Type::Named(name) = self.settled(data_type) else { return };
        if self.types.category(&name).is_some() && self.types.sorts(&name, need, &mut BTreeSet::new()) == Sure::No {
            self.problem("42883", format!("could not identify an {} operator for type {name}", need.operator()), at);
        }
    }

    /// The same of all columns.
    pub(super) fn sort_all(&mut self, columns: &[Col], need: Need) {
        for column in columns {
            self.sort(&column.data_type, need, At::default());
        }
    }
}
