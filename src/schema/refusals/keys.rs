//! What cannot stand in the key of an index: types in no order, methods that there are not.

use super::{Catalog, classes};
use crate::schema::model::Relation;
use crate::sql::TypeName;
use crate::sql::operation::{
    ColumnDefinition, ConstraintDefinition, ConstraintKind, CreateIndex, CreateTable, DefaultValue, Ident,
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
        let mut values = index.values.iter();
        index.key.iter().enumerate().find_map(|(at, column)| {
            // A column with a collation is an expression.
            let value = if column.is_none() { values.next().and_then(Option::as_deref) } else { None };
            let column = column.as_ref().or_else(|| match value? {
                Expr::Column(names, _) => names.last(),
                _ => None,
            })?;
            let data_type = relation.column(column)?.data_type.as_ref()?;
            let class = index.classes.get(at).and_then(Option::as_ref);
            let collated = index.collated.get(at).copied().unwrap_or_default();
            match class {
                Some(class) => classes::unfit(method, class, data_type),
                None => self.unordered(method, data_type),
            }
            .or_else(|| {
                (collated && !is_collated(data_type))
                    .then(|| format!("collations are not supported by type {}", data_type.base()))
            })
        })
    }
}
