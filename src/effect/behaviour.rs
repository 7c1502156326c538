//! What relations do that no part of a schema shows: one constructor for each, so that the simulation and the observer say it in the same
//! words.

use super::capability::{Capability, RowRule};
use crate::schema::{QName, TableRule};
use crate::sql::operation::{Firing, Ident};

fn behaviour(relation: &QName, what: impl Into<String>) -> Capability {
    Capability::Behaviour { relation: relation.clone(), what: what.into() }
}

/// Lost by `OWNER TO`: an owner may do everything, and row security does not bind it.
pub(crate) fn owner(relation: &QName) -> Capability {
    behaviour(relation, "keeps its owner")
}

/// Won by `OWNER TO`, by whoever connects as the new owner.
pub(crate) fn owned_by(relation: &QName, role: &str) -> Capability {
    behaviour(relation, format!("belongs to {role}"))
}

/// Lost by `SET UNLOGGED`.
pub(crate) fn crash_safe(relation: &QName) -> Capability {
    behaviour(relation, "keeps its rows after a crash")
}

/// Lost by `TRUNCATE` and by a DELETE of everything.
pub(crate) fn rows(relation: &QName) -> Capability {
    behaviour(relation, "keeps its rows")
}

/// Lost when a partition or an inheriting table goes, won when it comes with rows of its own.
pub(crate) fn rows_of(parent: &QName, child: &QName) -> Capability {
    behaviour(parent, format!("has the rows of {child}"))
}

/// Lost by `RESTART`, by other bounds, steps and types.
pub(crate) fn numbers(sequence: &QName) -> Capability {
    behaviour(sequence, "goes on handing out the same numbers")
}

/// Lost by `ALTER CONSTRAINT`.
pub(crate) fn checked(relation: &QName, constraint: &Ident) -> Capability {
    behaviour(relation, format!("checks constraint {constraint} when it did"))
}

/// A rule on rows that is not a constraint: a partition's bound, a trigger that raises an exception. `when`: the events at which it is asked,
/// if not whenever rows are written.
fn unruled(relation: &QName, name: &str, when: &str) -> Capability {
    let rule = TableRule::Check { columns: Vec::new(), not_null: true, expression: when.into() };
    Capability::Unruled { relation: relation.clone(), rule: Box::new(RowRule::Check { name: name.into(), rule }) }
}

/// The partition's bound, to be obeyed once it is attached.
pub(crate) fn unbounded(partition: &QName) -> Capability {
    unruled(partition, "partition bound", "")
}

/// Rows that a trigger would refuse.
pub(crate) fn unrefused(relation: &QName, trigger: &Ident, firing: Firing) -> Capability {
    let events = [(firing.insert, "INSERT"), (firing.update, "UPDATE"), (firing.delete, "DELETE")];
    let events: Vec<&str> = events.into_iter().filter(|(fires, _)| *fires).map(|(_, event)| event).collect();
    unruled(relation, &format!("trigger {trigger}"), &events.join(" OR "))
}

/// When a trigger refuses rows, for a rule that stands for one: no schema shows it.
pub(crate) fn refusing(rule: &RowRule) -> Option<Firing> {
    match rule {
        RowRule::Check { name, rule: TableRule::Check { expression, .. } } if name.starts_with("trigger ") => {
            let on = |event: &str| expression.contains(event);
            Some(Firing { insert: on("INSERT"), update: on("UPDATE"), delete: on("DELETE"), ..Firing::ALWAYS })
        }
        _ => None,
    }
}

/// Lost by `ALTER DOMAIN … DROP DEFAULT`, where the column must have a value.
pub(crate) fn filled_by_domain(relation: &QName, column: &Ident) -> Capability {
    behaviour(relation, format!("gives {column} the default of its domain"))
}

/// Lost when a policy reads the table that it is on.
pub(crate) fn ends(relation: &QName) -> Capability {
    behaviour(relation, "can be asked by roles that row security binds: its policies do not read the table itself")
}

/// Lost when row security is on and forced: it then binds the owner, which applications often are.
pub(crate) fn visible_to_owner(relation: &QName) -> Capability {
    behaviour(relation, VISIBLE_TO_OWNER)
}

/// What [`visible_to_owner`] says.
pub(super) const VISIBLE_TO_OWNER: &str = "hides no rows from its owner";
