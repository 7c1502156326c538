//! The operator classes that every PostgreSQL has, and the types that each is for (`classes.tsv`, as version 15 lists them).

use std::sync::LazyLock;

use crate::schema::{Schema, UserType};
use crate::sql::operation::{CreateIndex, ObjectKind};
use crate::sql::{Name, TypeName};

/// Types whose values go into no class but those of their own.
const APART: [&str; 14] = [
    "bigint",
    "boolean",
    "bytea",
    "date",
    "double precision",
    "integer",
    "jsonb",
    "numeric",
    "real",
    "smallint",
    "text",
    "timestamp with time zone",
    "timestamp without time zone",
    "uuid",
];

/// Each class: its method, its name, and the types that it is for.
static CLASSES: LazyLock<Vec<(&str, &str, Vec<&str>)>> = LazyLock::new(|| {
    let class = |row: &'static str| {
        let mut cells = row.split('\t');
        Some((cells.next()?, cells.next()?, cells.next()?.split(',').collect()))
    };
    include_str!("classes.tsv").lines().filter_map(class).collect()
});

/// Whether a class of keys is one of the server's.
pub(crate) fn is_built_in(class: &str) -> bool {
    CLASSES.iter().any(|(method, name, _)| *method == "btree" && *name == class)
}

/// The types of the classes of a name, for a method.
fn types_of(method: &str, class: &Name) -> Vec<&'static str> {
    if class.schema.as_ref().is_some_and(|schema| **schema != *"pg_catalog") {
        return Vec::new();
    }
    let named = CLASSES.iter().filter(|(of, name, _)| *of == method && *name == &*class.name);
    named.flat_map(|(_, _, types)| types.iter().copied()).collect()
}

/// Why a class does not take values of a type.
pub(super) fn unfit(method: &str, class: &Name, data_type: &TypeName) -> Option<String> {
    let types = types_of(method, class);
    let base = data_type.base();
    // It is compared as text.
    let base = if &*base == "character varying" { "text" } else { &*base };
    let apart = |name: &str| APART.contains(&name);
    let is_unfit = !types.is_empty() && !data_type.is_array() && apart(base) && !types.contains(&base);
    (is_unfit && types.iter().all(|of| apart(of) || of.contains(' ') || *of == "character"))
        .then(|| format!("operator class \"{}\" does not accept data type {}", class.name, data_type.base()))
}

/// Whether a type is known to be in no class of a method. A class is made for each type that it takes, or for all types of a sort.
pub(super) fn lacks_default(method: &str, data_type: &TypeName, schema: &Schema) -> bool {
    let of_method: Vec<_> = CLASSES.iter().filter(|(of, ..)| *of == method).collect();
    if of_method.is_empty() {
        return false;
    }
    let takes = |wanted: &str| of_method.iter().any(|(_, _, types)| types.contains(&wanted));
    let known = |wanted: &str| CLASSES.iter().any(|(_, _, types)| types.contains(&wanted));
    let data_type = schema.below_domains(data_type);
    if data_type.is_array() {
        return !takes("anyarray");
    }
    let base = data_type.base();
    match schema.user_type_named(&base) {
        Some(UserType::Enum(_)) => return !takes("anyenum"),
        Some(_) => return false,
        None => {}
    }
    match &*base {
        "character varying" => !takes("text"),
        "bpchar" => !takes("character"),
        "cidr" => !takes("inet"),
        "int4range" | "int8range" | "numrange" | "tsrange" | "tstzrange" | "daterange" => !takes("anyrange"),
        base => !base.starts_with("any") && known(base) && !takes(base),
    }
}

impl Schema {
    /// An operator class of an index that nobody is known to have made.
    pub(super) fn lacks_class(&self, index: &CreateIndex) -> Option<String> {
        let made =
            |class: &Name| self.extensions().next().is_some() || self.may_have(ObjectKind::OperatorClass, &class.name);
        let class =
            index.classes.iter().flatten().find(|class| types_of(&index.method, class).is_empty() && !made(class))?;
        Some(format!("operator class {class} for access method {}", index.method))
    }
}
