//! What cannot stand in the key of an index: types in no order, methods that there are not.

use super::Catalog;
use crate::schema::model::Relation;
use crate::sql::TypeName;
use crate::sql::operation::{ColumnDefinition, ConstraintDefinition, ConstraintKind, CreateIndex, Ident};

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

    /// The key and the method of an index.
    pub(super) fn unordered_index(&self, relation: &Relation, index: &CreateIndex) -> Option<String> {
        const METHODS: [&str; 6] = ["btree", "hash", "gin", "gist", "spgist", "brin"];
        let method = &*index.method;
        if !METHODS.contains(&method) && self.schema.extensions().next().is_none() {
            return Some(format!("access method \"{method}\" does not exist"));
        }
        if index.unique && METHODS.contains(&method) && method != "btree" {
            return Some(format!("access method \"{method}\" does not support unique indexes"));
        }
        if index.key.len() > 1 && matches!(method, "hash" | "spgist") {
            return Some(format!("access method \"{method}\" does not support multicolumn indexes"));
        }
        let of = |column: &Ident| relation.column(column)?.data_type.clone();
        index.key.iter().flatten().filter(|_| !index.classes).find_map(|column| self.unordered(method, &of(column)?))
    }
}
