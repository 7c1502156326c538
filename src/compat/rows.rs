//! The rows that a query writes, as far as its text shows them, against the rules of a table: what fails when it runs, and what can not.

use std::fmt;

use crate::schema::resolve::{Row, Write, WriteKind};
use crate::schema::{Column, QName, Relation, Rule, Schema, UserType};
use crate::sql::condition::{Condition, Constant, Truth};
use crate::sql::operation::Ident;

/// Why PostgreSQL refuses a row that a query writes, whatever the query's parameters are. PREPARE does not see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// An INSERT leaves out a column that demands a value.
    LeftOut {
        /// The table.
        relation: QName,
        /// The column.
        column: Ident,
    },
    /// A NULL is written into a column that demands a value.
    Null {
        /// The table.
        relation: QName,
        /// The column.
        column: Ident,
    },
    /// The constants in it break a check.
    Check {
        /// The table.
        relation: QName,
        /// The check.
        constraint: Ident,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut { relation, column } => {
                write!(f, "its INSERT leaves out {relation}.{column}, which demands a value")
            }
            Self::Null { relation, column } => {
                write!(f, "it writes NULL into {relation}.{column}, which demands a value")
            }
            Self::Check { relation, constraint } => {
                write!(f, "it writes a row that breaks the check {constraint} of {relation}")
            }
        }
    }
}

/// Why a write fails on a schema.
pub(super) fn refusals(write: &Write, schema: &Schema) -> Vec<Refusal> {
    let Some(relation) = schema.relation(&write.relation) else { return Vec::new() };
    let name = || write.relation.clone();
    let mut found = Vec::new();
    if let WriteKind::Insert { columns, .. } = &write.kind {
        let filled = |column: &Column| {
            let called = relation.trigger_functions.values().flat_map(|name| schema.functions(name));
            called.flat_map(|function| &*function.mentions).any(|word| *word == column.name)
        };
        let left_out = relation.columns.iter().filter(|c| !c.may_be_omitted() && !columns.contains(&c.name));
        let left_out = left_out.filter(|column| !filled(column));
        found.extend(left_out.map(|column| Refusal::LeftOut { relation: name(), column: column.name.clone() }));
    }
    for row in rows(write) {
        let null = |column: &&Column| column.not_null && row.value(column, relation, schema) == Some(Constant::Null);
        // A column that is left out is told above.
        let written = relation.columns.iter().filter(|column| row.constants.contains_key(&column.name));
        found.extend(written.filter(null).map(|c| Refusal::Null { relation: name(), column: c.name.clone() }));
        for (constraint, definition) in &relation.constraints {
            if row.holds(&definition.kind, relation, schema) == Truth::False {
                found.push(Refusal::Check { relation: name(), constraint: constraint.clone() });
            }
        }
    }
    found
}

/// Whether all rows of a write obey a check. `None`: its text does not tell.
pub(super) fn obeys(write: &Write, rule: &Rule, schema: &Schema) -> Option<bool> {
    let relation = schema.relation(&write.relation)?;
    let mut all = true;
    // What an UPDATE leaves as it is, it does not break.
    let concerned = |row: &Known<'_>| {
        let columns = rule.columns();
        columns.is_empty() || row.changed.is_none_or(|changed| columns.iter().any(|c| changed.contains(c)))
    };
    for row in rows(write).filter(concerned) {
        match row.holds(rule, relation, schema) {
            Truth::True | Truth::Null => {}
            Truth::False => return Some(false),
            Truth::Unknown => all = false,
        }
    }
    all.then_some(true)
}

/// Whether a write gives a column a constant other than NULL in every row, or leaves it as it is.
pub(super) fn gives_values(write: &Write, column: &Ident, schema: &Schema) -> bool {
    let relation = schema.relation(&write.relation);
    let Some((relation, of)) = relation.and_then(|relation| Some((relation, relation.column(column)?))) else {
        return false;
    };
    rows(write).all(|row| match row.writes(column) {
        false => true,
        // Which constant it is does not matter, so neither does the column's type.
        true => relation.triggers.is_empty() && row.constants.get(&of.name).is_some_and(|c| *c != Constant::Null),
    })
}

/// What is known of rows.
#[derive(Clone, Copy)]
struct Known<'a> {
    constants: &'a Row,
    /// The columns that are written, where others keep what they hold; `None`: a new row, with these columns and nothing in the others.
    changed: Option<&'a std::collections::BTreeSet<Ident>>,
    given: &'a [Ident],
    defaulted: Option<&'a std::collections::BTreeSet<Ident>>,
}

fn rows(write: &Write) -> impl Iterator<Item = Known<'_>> {
    let mut found = Vec::new();
    match &write.kind {
        WriteKind::Insert { columns, rows, defaulted, updates, updated, .. } => {
            found.extend(rows.iter().map(|constants| Known {
                constants,
                changed: None,
                given: columns,
                defaulted: Some(defaulted),
            }));
            if !updates.is_empty() {
                found.push(Known { constants: updated, changed: Some(updates), given: &[], defaulted: None });
            }
        }
        WriteKind::Update { columns, row } => {
            found.push(Known { constants: row, changed: Some(columns), given: &[], defaulted: None });
        }
        WriteKind::Delete => {}
    }
    found.into_iter()
}

impl Known<'_> {
    /// Whether a column gets a value by the query's own word.
    fn writes(&self, column: &Ident) -> bool {
        match self.changed {
            Some(changed) => changed.contains(column),
            None => self.given.contains(column) && !self.is_defaulted(column),
        }
    }

    fn is_defaulted(&self, column: &Ident) -> bool {
        self.defaulted.is_some_and(|defaulted| defaulted.contains(column))
    }

    /// What stands in a column once the row is written; `None`: that is not known.
    fn value(&self, column: &Column, relation: &Relation, schema: &Schema) -> Option<Constant> {
        // A trigger may change it.
        if !relation.triggers.is_empty() {
            return None;
        }
        let left_out =
            self.changed.is_none() && (!self.given.contains(&column.name) || self.is_defaulted(&column.name));
        if left_out {
            return (column.default.is_none() && column.may_be_omitted()).then_some(Constant::Null);
        }
        let constant = self.constants.get(&column.name)?;
        let base = column.data_type.as_ref()?;
        let fits = match constant {
            Constant::Null => true,
            Constant::Text(_) => {
                let strings = ["text", "character varying", "character", "bpchar"];
                let labels = || matches!(schema.user_type_named(base.as_str()), Some(UserType::Enum(_)));
                !base.is_array() && (strings.contains(&&*base.base()) || labels())
            }
            Constant::Number(_) => {
                let numbers = ["smallint", "integer", "bigint", "real", "double precision", "numeric"];
                // A negative scale rounds whole numbers.
                let rounds = base.modifiers().get(1).is_some_and(|scale| *scale < 0);
                !base.is_array() && numbers.contains(&&*base.base()) && !rounds
            }
        };
        fits.then(|| constant.clone())
    }

    /// What a check is on the row.
    fn holds(&self, rule: &Rule, relation: &Relation, schema: &Schema) -> Truth {
        let Rule::Check { expression, columns, .. } = rule else { return Truth::Unknown };
        let value = |name: &Ident| self.value(relation.column(name)?, relation, schema);
        if columns.iter().all(|column| value(column).is_none()) {
            return Truth::Unknown;
        }
        Condition::read(expression).map_or(Truth::Unknown, |condition| condition.holds(&value))
    }
}
