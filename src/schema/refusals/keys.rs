//! What cannot stand in the key of an index: types in no order, methods that there are not.

use super::{Catalog, classes};
use crate::schema::model::{QName, Relation};
use crate::schema::resolve;
use crate::sql::TypeName;
use crate::sql::operation::{
    ColumnDefinition, ConstraintDefinition, ConstraintKind, CreateIndex, CreateTable, DefaultValue, Ident, ObjectKind,
};
use crate::sql::query::Expr;

/// Types that each method has no default operator class for. What no method is known to lack, an extension may bring.
const LACKS: &[(&str, &[&str], Option<&str>)] = &[
    ("btree", &["json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"], None),
    ("hash", &["json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"], None),
    ("gin", &["json", "xml"], None),
    (
        "gin",
        &["smallint", "integer", "bigint", "text", "character varying", "uuid", "date", "numeric"],
        Some("btree_gin"),
    ),
    ("gist", &["json", "xml", "jsonb", "boolean"], None),
    (
        "gist",
        &["smallint", "integer", "bigint", "text", "character varying", "uuid", "date", "numeric"],
        Some("btree_gist"),
    ),
];

/// The methods of indexes that every server has.
const METHODS: [&str; 6] = ["btree", "hash", "gin", "gist", "spgist", "brin"];

/// Whether values of a type may have a collation: all but those that are known to have none.
pub(crate) fn is_collated(data_type: &TypeName) -> bool {
    const NONE: [&str; 16] = [
        "bigint",
        "boolean",
        "bytea",
        "date",
        "double precision",
        "integer",
        "interval",
        "json",
        "jsonb",
        "numeric",
        "real",
        "smallint",
        "timestamp with time zone",
        "timestamp without time zone",
        "timestamp",
        "uuid",
    ];
    !NONE.contains(&&*data_type.base())
}

impl Catalog<'_> {
    /// The type of a column in a key, if the method has nothing to order it by.
    fn unordered(&self, method: &str, data_type: &TypeName) -> Option<String> {
        let base = data_type.base();
        let lacks = LACKS.iter().find(|(of, types, _)| *of == method && types.contains(&&*base))?;
        // With any extension at all there may be classes that nobody has seen here.
        let brought = lacks.2.is_some() && self.schema.extensions().next().is_some();
        let own = self.schema.user_type_named(&base).is_some() || data_type.is_array();
        (!brought && !own)
            .then(|| format!("data type {base} has no default operator class for access method \"{method}\""))
    }

    /// The same of any method, as far as nobody can have made a class.
    fn unclassed(&self, method: &str, data_type: &TypeName) -> Option<String> {
        let method = if method == "rtree" { "gist" } else { method };
        if let Some(why) = self.unordered(method, data_type) {
            return Some(why);
        }
        let known = self.schema.extensions().next().is_none() && !self.schema.has_any(ObjectKind::OperatorClass);
        (known && classes::lacks_default(method, data_type, self.schema))
            .then(|| format!("data type {data_type} has no default operator class for access method \"{method}\""))
    }

    /// A method that no server has, where nobody can have made it.
    pub(super) fn no_method(&self, method: &str) -> Option<String> {
        let known = METHODS.contains(&method) || matches!(method, "heap" | "rtree");
        let made =
            || self.schema.extensions().next().is_some() || self.schema.may_have(ObjectKind::AccessMethod, method);
        (!known && !made()).then(|| format!("access method \"{method}\" does not exist"))
    }

    /// A method for the rows of a table.
    pub(super) fn no_table_method(&self, method: &str) -> Option<String> {
        let of_indexes = METHODS.contains(&method);
        let why = of_indexes.then(|| format!("access method \"{method}\" is not of type TABLE"));
        why.or_else(|| self.no_method(method))
    }

    /// What an exclusion constraint compares in the rows of a table.
    pub(super) fn excluded(
        &self,
        name: &QName,
        relation: &Relation,
        definition: &ConstraintDefinition,
    ) -> Option<String> {
        let ConstraintKind::Exclude { method, values, .. } = &definition.kind else { return None };
        if let Some(why) = self.no_method(method) {
            return Some(why);
        }
        if matches!(&**method, "gin" | "brin") {
            return Some(format!("access method \"{method}\" does not support exclusion constraints"));
        }
        let of = |value: &Expr| resolve::type_of_kept(value, name, relation, self.schema);
        values.iter().flatten().find_map(|value| self.unclassed(method, &of(value)?))
    }

    fn unordered_in(&self, key: &[Ident], data_type: impl Fn(&Ident) -> Option<TypeName>) -> Option<String> {
        key.iter().find_map(|column| self.unordered("btree", &data_type(column)?))
    }

    /// The key of a constraint, on the columns of a table that is there, and on those that come with it.
    pub(super) fn unordered_key(
        &self,
        relation: Option<&Relation>,
        new: &[ColumnDefinition],
        definition: &ConstraintDefinition,
    ) -> Option<String> {
        let (ConstraintKind::PrimaryKey { columns } | ConstraintKind::Unique { columns, .. }) = &definition.kind else {
            return None;
        };
        self.unordered_in(columns, |name| {
            let new = new.iter().find(|column| column.name == *name).map(|column| column.data_type.clone());
            new.or_else(|| relation?.column(name)?.data_type.clone())
        })
    }

    /// The columns that the rows of a new table are divided by.
    pub(super) fn divided_by(&self, table: &CreateTable) -> Option<String> {
        let named = |key: &Ident| table.columns.iter().find(|column| column.name == *key);
        table.partition_key.iter().filter_map(named).find_map(|column| {
            let generated =
                matches!(column.default, Some(DefaultValue::GeneratedStored | DefaultValue::GeneratedVirtual));
            let generated = generated.then(|| "cannot use generated column in partition key".to_owned());
            generated.or_else(|| self.unordered("btree", &column.data_type))
        })
    }

    /// The key and the method of an index.
    pub(super) fn unordered_index(&self, name: &QName, relation: &Relation, index: &CreateIndex) -> Option<String> {
        let method = &*index.method;
        if method == "heap" {
            return Some("access method \"heap\" is not of type INDEX".to_owned());
        }
        if let Some(why) = self.no_method(method) {
            return Some(why);
        }
        if index.unique && METHODS.contains(&method) && method != "btree" {
            return Some(format!("access method \"{method}\" does not support unique indexes"));
        }
        if index.key.len() > 1 && matches!(method, "hash" | "spgist") {
            return Some(format!("access method \"{method}\" does not support multicolumn indexes"));
        }
        let mut values = index.values.iter();
        index.key.iter().enumerate().find_map(|(at, column)| {
            // A column with a collation is an expression.
            let value = if column.is_none() { values.next().and_then(Option::as_deref) } else { None };
            let column = column.as_ref().or_else(|| match value? {
                Expr::Column(names, _) => names.last(),
                _ => None,
            });
            let data_type = match (column, value) {
                (Some(column), _) => relation.column(column)?.data_type.clone()?,
                (None, value) => resolve::type_of_kept(value?, name, relation, self.schema)?,
            };
            let data_type = &data_type;
            let class = index.classes.get(at).and_then(Option::as_ref);
            let collated = index.collated.get(at).copied().unwrap_or_default();
            match class {
                Some(class) => classes::unfit(method, class, data_type),
                None => self.unclassed(method, data_type),
            }
            .or_else(|| {
                (collated && !is_collated(data_type))
                    .then(|| format!("collations are not supported by type {}", data_type.base()))
            })
        })
    }
}
