//! What is wrong as it is written, whatever there is: types that take no length, lengths that there cannot be, options that contradict each other,
//! names that nobody may have.

use super::repeated;
use crate::sql::TypeName;
use crate::sql::operation::{
    ColumnDefinition, CreateFunction, DefaultValue, ObjectChange, ObjectKind, Operation, TableChange,
};

/// Types that take no modifiers.
const PLAIN: [&str; 18] = [
    "bigint",
    "boolean",
    "bytea",
    "cidr",
    "date",
    "double precision",
    "inet",
    "integer",
    "json",
    "jsonb",
    "money",
    "oid",
    "real",
    "smallint",
    "text",
    "tsvector",
    "uuid",
    "xml",
];

/// Types with a length, what their length is called, and the longest.
const LENGTHS: [(&str, &str, i64); 4] = [
    ("bit", "bit", 83_886_080),
    ("bit varying", "varbit", 83_886_080),
    ("character", "char", 10_485_760),
    ("character varying", "varchar", 10_485_760),
];

/// Names that no role has.
const NOBODY: [&str; 2] = ["public", "none"];

/// The most digits of a `numeric`.
const DIGITS: i64 = 1000;

/// Why PostgreSQL refuses what is written of a column.
pub(super) fn of(operation: &Operation) -> Option<String> {
    match operation {
        Operation::CreateTable(table) => table.columns.iter().find_map(column),
        Operation::AlterTable { change: TableChange::AddColumn { column: new, .. }, .. } => column(new),
        Operation::AlterTable { change: TableChange::SetType { data_type, .. }, .. } => modifier(data_type),
        Operation::AlterTable { change: TableChange::Owner { to }, .. } => {
            NOBODY.contains(&to.as_str()).then(|| format!("role \"{to}\" does not exist"))
        }
        Operation::CreateFunction(function) => arguments(function),
        Operation::CreateNamespace { name, .. } if name.starts_with("pg_") => {
            Some(format!("unacceptable schema name \"{name}\""))
        }
        Operation::Object { kind: ObjectKind::Role, name, change: ObjectChange::Create, .. } => {
            let name = name.trim_matches('"');
            let reserved = name.starts_with("pg_") || NOBODY.contains(&name);
            reserved.then(|| format!("role name \"{name}\" is reserved"))
        }
        _ => None,
    }
}

/// The arguments of a function.
fn arguments(function: &CreateFunction) -> Option<String> {
    let defaults = function.arguments.windows(2).any(|pair| pair[0].1 && !pair[1].1);
    if defaults {
        return Some("input parameters after one with a default value must also have defaults".to_owned());
    }
    let named = function.inputs.iter().filter(|name| !name.is_empty());
    repeated(named).map(|name| format!("parameter name \"{name}\" used more than once"))
}

fn column(column: &ColumnDefinition) -> Option<String> {
    let contradiction = column.contradiction.map(|what| format!("{what} for column \"{}\"", column.name));
    let identity = matches!(column.default, Some(DefaultValue::IdentityAlways | DefaultValue::IdentityByDefault));
    let counts = matches!(column.data_type.as_str(), "smallint" | "integer" | "bigint");
    contradiction.or_else(|| modifier(&column.data_type)).or_else(|| {
        (identity && !counts).then(|| "identity column type must be smallint, integer, or bigint".to_owned())
    })
}

fn modifier(data_type: &TypeName) -> Option<String> {
    if !data_type.as_str().contains('(') {
        return None;
    }
    let base = data_type.base();
    if PLAIN.contains(&&*base) {
        return Some(format!("type modifier is not allowed for type \"{base}\""));
    }
    let first = *data_type.modifiers().first()?;
    if let Some((_, name, longest)) = LENGTHS.iter().find(|(of, ..)| *of == base) {
        return match first {
            ..1 => Some(format!("length for type {name} must be at least 1")),
            length if length > *longest => Some(format!("length for type {name} cannot exceed {longest}")),
            _ => None,
        };
    }
    (base == "numeric" && !(1..=DIGITS).contains(&first))
        .then(|| format!("NUMERIC precision {first} must be between 1 and {DIGITS}"))
}
