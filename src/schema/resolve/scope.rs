//! What names mean at one place of a query.

use std::collections::BTreeSet;

use super::types::Type;
use crate::schema::QName;
use crate::sql::operation::Ident;

/// A column that an expression can name.
#[derive(Debug, Clone)]
pub(super) struct Col {
    pub(super) name: Ident,
    pub(super) data_type: Type,
    /// The relations' columns that it shows.
    pub(super) of: Vec<(QName, Ident)>,
}

/// Something in `FROM` that columns can be qualified with.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Its alias, or its name.
    pub(super) alias: Ident,
    /// The schema it was written with, without an alias.
    pub(super) schema: Option<Ident>,
    /// The relation, if it is one.
    pub(super) relation: Option<QName>,
    pub(super) columns: Vec<Col>,
    /// Whether it may have columns that are not known.
    pub(super) open: bool,
    /// What its name alone is, for a function that returns plain values.
    pub(super) row: Option<Type>,
}

/// All that one `FROM` gives.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    pub(super) tables: Vec<Table>,
    /// What a bare name can mean, and what `*` stands for, in order.
    pub(super) bare: Vec<Col>,
}

impl Names {
    pub(super) fn of(table: Table) -> Self {
        Self { bare: table.columns.clone(), tables: vec![table] }
    }

    /// Puts two beside each other. Of `merged` columns, that of the left (with what both show) stands in front.
    pub(super) fn join(mut self, right: Self, merged: &[Ident]) -> Self {
        let mut first = Vec::new();
        for name in merged {
            let Some(at) = self.bare.iter().position(|col| col.name == *name) else { continue };
            let mut col = self.bare.remove(at);
            col.of.extend(right.bare.iter().filter(|c| c.name == *name).flat_map(|c| c.of.iter().cloned()));
            first.push(col);
        }
        let rest = right.bare.into_iter().filter(|col| !merged.contains(&col.name));
        self.bare = first.into_iter().chain(std::mem::take(&mut self.bare)).chain(rest).collect();
        self.tables.extend(right.tables);
        self
    }

    pub(super) fn is_open(&self) -> bool {
        self.tables.iter().any(|table| table.open)
    }

    /// Every alias that stands for two things.
    pub(super) fn twice(&self) -> Option<&Ident> {
        let mut seen = BTreeSet::new();
        self.tables.iter().find(|t| !seen.insert((&t.schema, &t.alias))).map(|table| &table.alias)
    }

    pub(super) fn table(&self, schema: Option<&Ident>, alias: &Ident) -> Option<&Table> {
        self.tables.iter().find(|table| {
            table.alias == *alias && schema.is_none_or(|schema| table.schema_name().is_some_and(|s| s == schema))
        })
    }
}

impl Table {
    fn schema_name(&self) -> Option<&Ident> {
        self.schema.as_ref().or(self.relation.as_ref().map(|name| &name.schema))
    }
}

/// The columns that every table has and no `*` shows.
pub(super) fn system_column(name: &str) -> Option<Type> {
    Some(Type::named(match name {
        "ctid" => "tid",
        "xmin" | "xmax" => "xid",
        "cmin" | "cmax" => "cid",
        "tableoid" => "oid",
        _ => return None,
    }))
}

/// A scope inside others.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) names: &'a Names,
    pub(super) outer: Option<&'a Self>,
}

impl<'a> Scope<'a> {
    pub(super) fn levels(&'a self) -> impl Iterator<Item = &'a Names> {
        std::iter::successors(Some(self), |scope| scope.outer).map(|scope| scope.names)
    }
}
