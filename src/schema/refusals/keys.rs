//! What cannot stand in the key of an index: types in no order, methods that there are not.

use super::{Catalog, classes};
use crate::schema::model::{QName, Relation, UserType};
use crate::schema::resolve;
use crate::sql::TypeName;
use crate::sql::operation::{
    ColumnDefinition, ConstraintDefinition, ConstraintKind, CreateIndex, CreateTable, DefaultValue, Ident, ObjectKind,
};
use crate::sql::query::Kept;

/// Types that each method has no default operator class for.
const LACKS: &[(&str, &[&str])] = &[
    ("btree", &["json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"]),
    ("hash", &["json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"]),
    ("gin", &["json", "xml"]),
    ("gist", &["json", "xml", "jsonb"]),
];

/// Types for which an extension of the server's own has classes of two methods, beside enums.
const PLAIN: [&str; 26] = [
    "bigint",
    "bit",
    "bit varying",
    "boolean",
    "bpchar",
    "bytea",
    "character",
    "character varying",
    "cidr",
    "date",
    "double precision",
    "inet",
    "integer",
    "interval",
    "macaddr",
    "macaddr8",
    "money",
    "numeric",
    "oid",
    "real",
    "smallint",
    "text",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
    "uuid",
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
        LACKS.iter().find(|(of, types)| *of == method && types.contains(&&*base))?;
        let own = self.schema.user_type_named(&base).is_some() || data_type.is_array();
        (!own).then(|| format!("data type {base} has no default operator class for access method \"{method}\""))
    }

    /// The same of any method, as far as nobody can have made a class.
    fn unclassed(&self, method: &str, data_type: &TypeName) -> Option<String> {
        let method = if method == "rtree" { "gist" } else { method };
        // The extension may have been made where nobody could read it.
        if self.brought(method, data_type).is_some() {
            return None;
        }
        if let Some(why) = self.unordered(method, data_type) {
            return Some(why);
        }
        let known = self.schema.extensions().next().is_none() && !self.schema.has_any(ObjectKind::OperatorClass);
        (known && classes::lacks_default(method, data_type, self.schema))
            .then(|| format!("data type {data_type} has no default operator class for access method \"{method}\""))
    }

    /// The extension that has a class of a method for a type which the server itself has none for.
    fn brought(&self, method: &str, data_type: &TypeName) -> Option<&'static str> {
        let extension = match method {
            "gist" => "btree_gist",
            "gin" => "btree_gin",
            _ => return None,
        };
        let data_type = self.schema.below_domains(data_type);
        let is_enum = || matches!(self.schema.user_type_named(&data_type.base()), Some(UserType::Enum(_)));
        let plain = !data_type.is_array() && (PLAIN.contains(&&*data_type.base()) || is_enum());
        (plain && classes::lacks_default(method, data_type, self.schema)).then_some(extension)
    }

    /// What an index or an exclusion constraint needs of such an extension, where there is none that may have it.
    pub(super) fn lacks_extension(&self, method: &str, data_type: &TypeName) -> Option<String> {
        let made = self.schema.extensions().next().is_some() || self.schema.has_any(ObjectKind::OperatorClass);
        let extension = self.brought(if method == "rtree" { "gist" } else { method }, data_type).filter(|_| !made)?;
        Some(format!(
            "operator class of access method {method} for {data_type} (`CREATE EXTENSION IF NOT EXISTS {extension}` brings one)"
        ))
    }

    /// The types of what an exclusion constraint compares.
    pub(super) fn compared<'d>(
        &self,
        name: &QName,
        relation: &Relation,
        values: &'d [Kept],
    ) -> impl Iterator<Item = TypeName> + use<'_, 'd> {
        let (name, relation, schema) = (name.clone(), relation.clone(), self.schema);
        values.iter().flatten().filter_map(move |value| resolve::type_of_kept(value, &name, &relation, schema))
    }

    /// The types in the key of an index, each with its place.
    pub(super) fn keyed<'i>(
        &self,
        name: &QName,
        relation: &Relation,
        index: &'i CreateIndex,
    ) -> impl Iterator<Item = (usize, TypeName)> + use<'_, 'i> {
        let (name, relation, schema) = (name.clone(), relation.clone(), self.schema);
        let mut values = index.values.iter();
        index.key.iter().enumerate().filter_map(move |(at, column)| {
            let value = if column.is_none() { values.next().and_then(Option::as_deref) } else { None };
            let data_type = match (column.as_ref(), value) {
                (Some(column), _) => relation.column(column)?.data_type.clone()?,
                (None, value) => resolve::type_of_kept(value?, &name, &relation, schema)?,
            };
            Some((at, data_type))
        })
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
        self.compared(name, relation, values).find_map(|data_type| self.unclassed(method, &data_type))
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
        // Nothing stores what would stand in it.
        let is_virtual = |column: &Ident| {
            relation.column(column).is_some_and(|column| column.default == Some(DefaultValue::GeneratedVirtual))
        };
        if index.key.iter().flatten().chain(&index.mentions).any(is_virtual) {
            return Some("indexes on virtual generated columns are not supported".to_owned());
        }
        if index.unique && METHODS.contains(&method) && method != "btree" {
            return Some(format!("access method \"{method}\" does not support unique indexes"));
        }
        if index.key.len() > 1 && matches!(method, "hash" | "spgist") {
            return Some(format!("access method \"{method}\" does not support multicolumn indexes"));
        }
        self.keyed(name, relation, index).find_map(|(at, data_type)| {
            let data_type = &data_type;
            let class = index.classes.get(at).and_then(Option::as_ref);
            let collated = index.collations.get(at).is_some_and(Option::is_some);
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
