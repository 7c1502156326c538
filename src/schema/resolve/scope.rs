//! What names mean at one place of a query.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::types::Type;
use super::values::Value;
use crate::schema::QName;
use crate::sql::TypeName;
use crate::sql::operation::Ident;

/// A column that an expression can name.
#[derive(Debug, Clone)]
pub(super) struct Col {
    pub(super) name: Ident,
    pub(super) data_type: Type,
    /// Its type with length or scale, where it has one.
    pub(super) sized: Sized,
    /// The relations' columns that it shows, if any.
    of: Option<Rc<[(QName, Ident)]>>,
    /// What is known of its values, where values are followed.
    pub(super) value: Option<Rc<Value>>,
}

/// Columns that a scope and what is inside it have in common.
pub(super) type Columns = Rc<Vec<Col>>;

/// A type with its modifiers (`character varying(20)`); `None`: the type has none, as most expressions.
pub(super) type Sized = Option<TypeName>;

impl Col {
    /// A column of a type without modifiers.
    pub(super) fn plain(name: Ident, data_type: Type) -> Self {
        Self { name, data_type, sized: None, of: None, value: None }
    }

    /// A column of a declared type.
    pub(super) fn declared(name: Ident, data_type: Option<&TypeName>) -> Self {
        Self { sized: data_type.and_then(sized), ..Self::plain(name, data_type.map_or(Type::Any, Type::of)) }
    }

    /// The same column, with what is known of its values.
    pub(super) fn holding(self, value: Value) -> Self {
        Self { value: Some(Rc::new(value)), ..self }
    }

    /// The same column, with length or scale.
    pub(super) fn sized(self, sized: Sized) -> Self {
        Self { sized, ..self }
    }

    /// The same column, as one that shows these.
    pub(super) fn showing(self, of: Vec<(QName, Ident)>) -> Self {
        Self { of: (!of.is_empty()).then(|| of.into()), ..self }
    }

    /// A relation's own column.
    pub(super) fn own(relation: &QName, name: &Ident, data_type: Option<&TypeName>) -> Self {
        Self { of: Some(Rc::new([(relation.clone(), name.clone())])), ..Self::declared(name.clone(), data_type) }
    }

    /// The relations' columns that it shows.
    pub(super) fn of(&self) -> &[(QName, Ident)] {
        self.of.as_deref().unwrap_or_default()
    }

    /// Lets it show what others show, too.
    pub(super) fn shows<'a>(&mut self, others: impl IntoIterator<Item = &'a Self>) {
        let mut all = self.of().to_vec();
        all.extend(others.into_iter().flat_map(|other| other.of()).cloned());
        self.of = (!all.is_empty()).then(|| all.into());
    }
}

/// A declared type, if it has modifiers.
pub(super) fn sized(data_type: &TypeName) -> Sized {
    data_type.as_str().contains('(').then(|| data_type.clone())
}

/// What several have in common: the length of all, if it is the same.
pub(super) fn common_size(sizes: &[Sized], data_type: &Type) -> Sized {
    let (first, rest) = sizes.split_first()?;
    let first = first.as_ref()?;
    let is_it = Type::of(first) == *data_type && rest.iter().all(|other| other.as_ref() == Some(first));
    is_it.then(|| first.clone())
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
    pub(super) columns: Columns,
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
    bare: Vec<Columns>,
}

impl Names {
    pub(super) fn new(tables: Vec<Table>, bare: Vec<Col>) -> Self {
        Self { tables, bare: vec![bare.into()] }
    }

    pub(super) fn of(table: Table) -> Self {
        Self { bare: vec![Rc::clone(&table.columns)], tables: vec![table] }
    }

    /// What a bare name can mean, and what `*` stands for, in order.
    pub(super) fn bare(&self) -> impl Iterator<Item = &Col> + Clone {
        self.bare.iter().flat_map(|columns| columns.iter())
    }

    /// Puts two beside each other. Of `merged` columns, that of the left (with what both show) stands in front.
    pub(super) fn join(mut self, right: Self, merged: &[Ident]) -> Self {
        if merged.is_empty() {
            self.bare.extend(right.bare);
        } else {
            let mut left: Vec<Col> = self.bare().cloned().collect();
            let mut all = Vec::new();
            for name in merged {
                let Some(at) = left.iter().position(|col| col.name == *name) else { continue };
                let mut col = left.remove(at);
                col.shows(right.bare().filter(|c| c.name == *name));
                all.push(col);
            }
            all.extend(left);
            all.extend(right.bare().filter(|col| !merged.contains(&col.name)).cloned());
            self.bare = vec![all.into()];
        }
        self.tables.extend(right.tables);
        self
    }

    /// Changes all columns.
    pub(super) fn each(&mut self, change: impl Fn(Col) -> Col) {
        for columns in self.bare.iter_mut().chain(self.tables.iter_mut().map(|table| &mut table.columns)) {
            *columns = Rc::new(columns.iter().cloned().map(&change).collect());
        }
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
