//! Dropping a column that is NOT NULL without a default: blue needs it until it is gone, green leaves it out of its INSERTs from its first
//! request on. So it stops being required before the cutover, and goes after.

use crate::schema::{Relation, Schema};
use crate::sql::Quoted;
use crate::sql::operation::{Operation, TableChange};

/// The operation that goes before the cutover, and its SQL; `None` if the recipe does not fit. `base`: the schema that blue has.
pub(crate) fn drop_required_column(
    operation: &Operation,
    schema: &Schema,
    base: &Schema,
) -> Option<(Operation, String)> {
    let Operation::AlterTable { table, change: TableChange::DropColumn { column, .. }, .. } = operation else {
        return None;
    };
    let name = schema.resolve(table);
    let relation = schema.relation(&name)?;
    let found = relation.column(column)?;
    // A column of the primary key cannot be made nullable, nor one of the key that blue still has.
    let keyed = |relation: &Relation| relation.primary_key().is_some_and(|key| key.contains(column));
    if found.may_be_omitted() || keyed(relation) || base.relation(&name).is_some_and(keyed) {
        return None;
    }
    let loosened = Operation::AlterTable {
        table: table.clone(),
        if_exists: false,
        only: false,
        change: TableChange::DropNotNull { column: column.clone() },
    };
    let sql = format!("ALTER TABLE {table} ALTER COLUMN {} DROP NOT NULL", Quoted(column));
    Some((loosened, sql))
}
