//! How values are stored, and where rows are: types that are stored in one way only, methods and tablespaces that there are not.

use super::Catalog;
use super::missing::name_of;
use crate::schema::Schema;
use crate::schema::model::{Column, UserType};
use crate::sql::TypeName;
use crate::sql::lex::{Lexeme, lex};
use crate::sql::operation::{ColumnDefinition, Ident, ObjectChange, ObjectKind, Operation, TableChange};

/// Types whose values are all of one length.
const FIXED: [&str; 28] = [
    "\"char\"",
    "bigint",
    "boolean",
    "box",
    "cid",
    "circle",
    "date",
    "double precision",
    "integer",
    "interval",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "oid",
    "pg_lsn",
    "point",
    "real",
    "smallint",
    "tid",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
    "uuid",
    "xid",
];

/// Whether the values of a type are all of one length, so that there is one way to store them.
fn is_fixed(schema: &Schema, data_type: &TypeName) -> bool {
    let data_type = schema.below_domains(data_type);
    if data_type.is_array() {
        return false;
    }
    match schema.user_type_named(&data_type.base()) {
        Some(user) => matches!(user, UserType::Enum(_)),
        None => FIXED.contains(&&*data_type.base()),
    }
}

/// The roles that a statement on roles names; what else it says of one stands behind its name.
pub(in crate::schema) fn roles_in(names: &str) -> Vec<Ident> {
    let each = names.split(',').map(str::trim);
    let each = each.filter_map(|name| match name.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().map(Ident::from),
        None => name.split_whitespace().next().map(|name| name.to_ascii_lowercase().into()),
    });
    each.collect()
}

/// A tablespace that there is not, or that is not for tables. Others may be made by whoever runs the server.
pub(super) fn space(name: &str) -> Option<String> {
    match name {
        "pg_global" => Some("only shared relations can be placed in pg_global tablespace".to_owned()),
        "pg_default" => None,
        _ => name.starts_with("pg_").then(|| format!("tablespace \"{name}\" does not exist")),
    }
}

/// A way to compress the values of a type.
fn compressed(schema: &Schema, data_type: Option<&TypeName>, by: &str) -> Option<String> {
    match by {
        "default" => None,
        "pglz" | "lz4" => {
            let data_type = data_type.filter(|data_type| is_fixed(schema, data_type))?;
            Some(format!("column data type {data_type} does not support compression"))
        }
        _ => Some(format!("invalid compression method \"{by}\"")),
    }
}

impl Catalog<'_> {
    /// Roles that were dropped, and roles that are there already. Who has not been seen may be there.
    pub(super) fn of_roles(&self, operation: &Operation) -> Option<String> {
        let known = |name: &str, there: bool| {
            roles_in(name).into_iter().find(|name| self.schema.roles.get(name) == Some(&there))
        };
        let missing = |name: &str| known(name, false).map(|name| format!("role \"{name}\" does not exist"));
        match operation {
            Operation::AlterTable { change: TableChange::Owner { to }, .. } => missing(to),
            Operation::Privileges { grantees, .. } => grantees.iter().find_map(|name| missing(name)),
            Operation::Object { kind: ObjectKind::Role, name, change, lenient, .. } => match change {
                ObjectChange::Create => known(name, true).map(|name| format!("role \"{name}\" already exists")),
                _ if *lenient => None,
                _ => missing(name),
            },
            _ => None,
        }
    }

    /// `ALTER COLUMN … SET STORAGE`, `SET COMPRESSION`
    pub(super) fn stored(&self, column: &Column, what: &str, to: &Ident) -> Option<String> {
        let data_type = column.data_type.as_ref();
        match (what, &**to) {
            ("compression", by) => compressed(self.schema, data_type, by),
            ("storage", "plain" | "default") => None,
            ("storage", "external" | "extended" | "main") => {
                let data_type = data_type.filter(|data_type| is_fixed(self.schema, data_type))?;
                Some(format!("column data type {data_type} can only have storage PLAIN"))
            }
            ("storage", _) => Some(format!("invalid storage type \"{to}\"")),
            _ => None,
        }
    }
}

/// Why PostgreSQL refuses what the words of a statement say of how its columns are compressed, where its rows are and by what method.
pub(crate) fn placed(schema: &Schema, operation: &Operation, text: &str) -> Option<String> {
    let columns: Vec<&ColumnDefinition> = match operation {
        Operation::CreateTable(table) => table.columns.iter().collect(),
        Operation::AlterTable { change: TableChange::AddColumn { column, .. }, .. } => vec![column],
        Operation::CreateIndex(_) | Operation::CreateView(_) => Vec::new(),
        _ => return None,
    };
    let pieces: Vec<Lexeme<'_>> = lex(text).into_iter().filter(Lexeme::solid).collect();
    compressed_in(schema, &columns, &pieces).or_else(|| options_in(schema, operation, &pieces))
}

/// A name of one word.
fn named(piece: &Lexeme<'_>) -> Option<Ident> {
    name_of(&[piece]).map(|name| name.name)
}

/// The `COMPRESSION` of a column in a definition.
fn compressed_in(schema: &Schema, columns: &[&ColumnDefinition], pieces: &[Lexeme<'_>]) -> Option<String> {
    (0..pieces.len()).filter(|at| pieces[*at].is("compression")).find_map(|at| {
        let by = named(pieces.get(at + 1)?)?;
        // Where its element begins: with the name of the column, and its type comes before this.
        let mut depth = 0_i32;
        let opens = pieces[..at].iter().rposition(|piece| {
            match piece.text {
                ")" => depth += 1,
                "(" => depth -= 1,
                _ => {}
            }
            depth < 0 || depth == 0 && (piece.symbol(",") || piece.is_any(&["add", "column", "exists"]))
        })?;
        let name = named(pieces.get(opens + 1)?).filter(|_| opens + 2 < at)?;
        let column = columns.iter().find(|column| column.name == name)?;
        compressed(schema, Some(&column.data_type), &by)
    })
}

/// `TABLESPACE`, and the `USING` of a table.
fn options_in(schema: &Schema, operation: &Operation, pieces: &[Lexeme<'_>]) -> Option<String> {
    let of_rows = matches!(operation, Operation::CreateTable(_) | Operation::CreateView(_));
    if !of_rows && !matches!(operation, Operation::CreateIndex(_)) {
        return None;
    }
    let mut depth = 0_i32;
    for (at, pair) in pieces.windows(2).enumerate() {
        match pair[0].text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth > 0 || at < 3 {
            continue;
        }
        if of_rows && pair[0].is("as") {
            return None;
        }
        let word = named(&pair[1]);
        let why = match word {
            Some(word) if pair[0].is("tablespace") => space(&word),
            Some(word) if pair[0].is("using") && of_rows => Catalog { schema }.no_table_method(&word),
            _ => None,
        };
        if why.is_some() {
            return why;
        }
    }
    None
}
