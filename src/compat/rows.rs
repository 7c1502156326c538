//! The rows that a query writes, as far as its text shows them, against the rules of a table: what fails when it runs, and what cannot.

use std::collections::BTreeSet;
use std::fmt;

use crate::schema::resolve::{QueryProblem, Row, Sure, Write, WriteKind, constant_of};
use crate::schema::{Column, Index, QName, Relation, Schema, TableRule, UserType};
use crate::shared::Shared;
use crate::sql::body::Given;
use crate::sql::condition::{Condition, Constant, Truth};
use crate::sql::operation::{DefaultValue, Ident};
use crate::sql::query::{At, Command, QueryBody};

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
    /// An INSERT leaves out a column whose default fails.
    Fails {
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
    /// Its `ON CONFLICT` finds a key that is `DEFERRABLE`, beside another or alone.
    Deferrable {
        /// The table.
        relation: QName,
        /// The key.
        constraint: Ident,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut { relation, column } => {
                write!(f, "its INSERT leaves out {relation}.{column}, which demands a value")
            }
            Self::Fails { relation, column } => {
                write!(f, "its INSERT leaves out {relation}.{column}, whose default always fails")
            }
            Self::Null { relation, column } => {
                write!(f, "it writes NULL into {relation}.{column}, which demands a value")
            }
            Self::Check { relation, constraint } => {
                write!(f, "it writes a row that breaks the check {constraint} of {relation}")
            }
            Self::Deferrable { relation, constraint } => {
                write!(f, "its ON CONFLICT finds {constraint} of {relation}, which is DEFERRABLE")
            }
        }
    }
}

/// Why a write fails on a schema.
pub(super) fn refusals(write: &Write, schema: &Schema) -> Vec<Refusal> {
    let Some(relation) = schema.relation(&write.relation) else { return Vec::new() };
    let name = || write.relation.clone();
    let mut found = Vec::new();
    if let WriteKind::Insert { columns, rows, arbiter, constraint, anywhere, .. } = &write.kind {
        // Without a target all keys are looked at.
        let finds = |key: &Ident, index: &Index| {
            *anywhere
                || constraint.as_ref() == Some(key)
                || arbiter.as_ref().is_some_and(|arbiter| arbiter.finds(index) == Sure::Yes)
        };
        let deferrable = |(key, index): &(&Ident, &Shared<Index>)| index.deferrable && finds(key, index);
        let keys = relation.indexes.iter().filter(deferrable);
        found.extend(keys.map(|(key, _)| Refusal::Deferrable { relation: name(), constraint: key.clone() }));
        let defaulted = |column: &Column| rows.iter().any(|row| row.get(&column.name) == Some(&Constant::Default));
        let left_out = |column: &&Shared<Column>| !columns.contains(&column.name) || defaulted(column);
        let left_out = relation.columns.iter().filter(|column| !column.may_be_omitted()).filter(left_out);
        let (failing, left_out): (Vec<_>, Vec<_>) =
            left_out.partition(|column| column.default == Some(DefaultValue::Failing));
        let fails = |column: &Shared<Column>| Refusal::Fails { relation: name(), column: column.name.clone() };
        found.extend(failing.into_iter().map(fails));
        let left_out =
            left_out.into_iter().filter(|c| !has_domain(c, schema) && !may_fill(&write.relation, relation, c, schema));
        found.extend(left_out.map(|column| Refusal::LeftOut { relation: name(), column: column.name.clone() }));
    }
    for row in rows(write, relation, schema) {
        let null = |column: &&Shared<Column>| column.not_null && row.value(column) == Some(Constant::Null);
        // A column that an INSERT leaves out, or gives its default, is told above.
        let told = |column: &Column| match row.constants.get(&column.name) {
            None => true,
            Some(constant) => row.changed.is_none() && *constant == Constant::Default,
        };
        let written = relation.columns.iter().filter(|column| !told(column));
        found.extend(written.filter(null).map(|c| Refusal::Null { relation: name(), column: c.name.clone() }));
        for (constraint, definition) in relation.constraints.iter().filter(|(_, definition)| definition.enforced) {
            if row.holds(&definition.kind) == Truth::False {
                found.push(Refusal::Check { relation: name(), constraint: constraint.clone() });
            }
        }
    }
    found
}

/// Why PostgreSQL refuses a row that an INSERT writes down. What a SELECT finds, and whether an UPDATE finds anything, no text tells.
pub(crate) fn refused_row(command: &Command, writes: &[Write], schema: &Schema) -> Option<QueryProblem> {
    let Command::Insert(insert) = command else { return None };
    let written = insert.source.as_ref().is_none_or(|source| matches!(source.body, QueryBody::Values(_)));
    // A key that `ON CONFLICT` cannot use is looked at with the first row, whatever is in it.
    let mut refusals = refusals(writes.first()?, schema).into_iter();
    let refusal = refusals.find(|refusal| written || matches!(refusal, Refusal::Deferrable { .. }))?;
    let code = match refusal {
        Refusal::Check { .. } => "23514",
        Refusal::Deferrable { .. } => "55000",
        Refusal::Fails { .. } => "22000",
        Refusal::LeftOut { .. } | Refusal::Null { .. } => "23502",
    };
    Some(QueryProblem { code, message: refusal.to_string(), at: At::default(), sure: true })
}

/// Whether all rows of a write obey a check. `None`: its text does not tell. An UPDATE writes rows anew, so that a check that is not valid is
/// asked about what it leaves as it is, too.
pub(super) fn obeys(write: &Write, rule: &TableRule, schema: &Schema) -> Option<bool> {
    let relation = schema.relation(&write.relation)?;
    let mut all = true;
    for row in rows(write, relation, schema) {
        match row.holds(rule) {
            Truth::True | Truth::Null => {}
            Truth::False => return Some(false),
            Truth::Unknown => all = false,
        }
    }
    all.then_some(true)
}

/// Whether a row of a write may collide with another in a unique index on these columns and rows.
pub(super) fn may_collide(
    write: &Write,
    key: &[Ident],
    predicate: Option<&str>,
    nulls_collide: bool,
    schema: &Schema,
) -> bool {
    let Some(relation) = schema.relation(&write.relation) else { return true };
    let condition = predicate.map(Condition::read);
    rows(write, relation, schema).any(|row| {
        let value = |name: &Ident| row.value(row.relation.column(name)?);
        // Only rows for which the condition is true are in the index.
        let covered = match &condition {
            Some(Some(condition)) => !matches!(condition.holds(&value), Truth::False | Truth::Null),
            Some(None) | None => true,
        };
        // A column that its version does not know is left out.
        let left_out = |column: &Ident| row.relation.columns_known && row.relation.column(column).is_none();
        let null = !nulls_collide && key.iter().any(|column| left_out(column) || value(column) == Some(Constant::Null));
        covered && !null
    })
}

/// Whether all rows that an UPDATE changes get the same values in a unique key, by itself or by a trigger that puts one there.
pub(crate) fn repeats_key(write: &Write, schema: &Schema) -> bool {
    let Some(relation) = schema.relation(&write.relation) else { return false };
    let WriteKind::Update { columns, row } = &write.kind else { return false };
    let same = |column: &Ident| {
        let constant = row.get(column).is_some_and(|value| !matches!(value, Constant::Null | Constant::Default));
        columns.contains(column) && constant
    };
    let functions = changing(relation, On::Update).filter_map(|trigger| relation.trigger_functions.get(trigger));
    let given: Vec<&Given> =
        functions.flat_map(|name| schema.functions(name)).flat_map(|function| &function.source.body().given).collect();
    let put = |column: &Ident| {
        let same = |given: &Given| given.alone && !given.from.is_empty() && given.from.iter().all(same);
        given.iter().any(|given| given.column == *column && same(given))
    };
    let same = |column: &Ident| same(column) || put(column);
    let of_constants = |key: &[Option<Ident>]| key.iter().all(|column| column.as_ref().is_some_and(same));
    relation.indexes.values().any(|index| index.keeps_apart() && of_constants(&index.key))
}

/// Whether triggers may change the rows that are written, here or in the partition that a row belongs to. Rules are not known.
fn has_triggers(relation: &Relation, name: &QName, schema: &Schema, on: On) -> bool {
    let below = |child: &Relation, child_name: &QName| {
        child.parent.as_ref() == Some(name) && has_triggers(child, child_name, schema, on)
    };
    changing(relation, on).next().is_some()
        || (relation.partitioned && schema.relations().any(|(child_name, child)| below(child, child_name)))
}

/// The triggers of a table that may change a row.
fn changing(relation: &Relation, on: On) -> impl Iterator<Item = &Ident> {
    relation.triggers.keys().filter(move |trigger| {
        let firing = relation.firing(trigger);
        let runs = match on {
            On::Insert => firing.insert,
            On::Update => firing.update,
        };
        runs && firing.changes_rows()
    })
}

/// How a row comes to be as it is.
#[derive(Clone, Copy)]
enum On {
    Insert,
    Update,
}

/// Whether a trigger may give a column of a new row a value: one that names it, calls something else, or is not known.
fn may_fill(name: &QName, relation: &Relation, column: &Column, schema: &Schema) -> bool {
    if !has_triggers(relation, name, schema, On::Insert) {
        return false;
    }
    let fills = |function: &QName| match schema.functions(function) {
        [] => true,
        known => known.iter().flat_map(|function| &*function.mentions).any(|word| {
            *word == column.name
                || word.contains("populate")
                || schema.all_functions().any(|(name, _)| name.name == *word)
        }),
    };
    let mut own = changing(relation, On::Insert).peekable();
    // A partition's own are not asked one by one.
    own.peek().is_none() || own.any(|trigger| relation.trigger_functions.get(trigger).is_none_or(fills))
}

/// Whether a column is of a domain, which may have a default of its own.
fn has_domain(column: &Column, schema: &Schema) -> bool {
    let data_type = column.data_type.as_ref().and_then(|data_type| schema.user_type_named(&data_type.base()));
    matches!(data_type, Some(UserType::Domain { .. }))
}

/// Whether a write gives a column a constant other than NULL in every row, or leaves it is.
pub(super) fn gives_values(write: &Write, column: &Ident, schema: &Schema) -> bool {
    let relation = schema.relation(&write.relation);
    let Some((relation, of)) = relation.and_then(|relation| Some((relation, relation.column(column)?))) else {
        return false;
    };
    rows(write, relation, schema).all(|row| match row.writes(column) {
        false => true,
        // Which constant it is does not matter, so neither does the column's type.
        true => {
            let value = row.constants.get(&of.name);
            !row.triggered && value.is_some_and(|value| !matches!(value, Constant::Null | Constant::Default))
        }
    })
}

/// What is known of a row that is written.
#[derive(Clone, Copy)]
struct Known<'a> {
    constants: &'a Row,
    /// The columns that are written, where others keep what they hold; `None`: a new row, with these columns and nothing in the others.
    changed: Option<&'a BTreeSet<Ident>>,
    given: &'a [Ident],
    relation: &'a Relation,
    schema: &'a Schema,
    /// Whether triggers may change it.
    triggered: bool,
}

fn rows<'a>(write: &'a Write, relation: &'a Relation, schema: &'a Schema) -> impl Iterator<Item = Known<'a>> {
    let known = move |constants, changed: Option<&'a BTreeSet<Ident>>, given| {
        let on = if changed.is_some() { On::Update } else { On::Insert };
        let triggered = has_triggers(relation, &write.relation, schema, on);
        Known { constants, changed, given, relation, schema, triggered }
    };
    let (new, given, changed) = match &write.kind {
        WriteKind::Insert { columns, rows, updates, updated, .. } => {
            (rows.as_slice(), columns.as_slice(), Some((updated, updates)).filter(|_| !updates.is_empty()))
        }
        WriteKind::Update { columns, row } => ([].as_slice(), [].as_slice(), Some((row, columns))),
        WriteKind::Delete => ([].as_slice(), [].as_slice(), None),
    };
    let new = new.iter().map(move |row| known(row, None, given));
    new.chain(changed.map(|(row, columns)| known(row, Some(columns), &[])))
}

impl Known<'_> {
    /// Whether a column gets a value by the query's own word.
    fn writes(&self, column: &Ident) -> bool {
        match self.changed {
            Some(changed) => changed.contains(column),
            None => self.given.contains(column),
        }
    }

    /// What stands in a column once the row is written; `None`: that is not known.
    fn value(&self, column: &Column) -> Option<Constant> {
        // A trigger may change it, a generated column is not written at all.
        if self.triggered || !column.writable() || has_domain(column, self.schema) {
            return None;
        }
        let default = self.constants.get(&column.name) == Some(&Constant::Default);
        if default || (self.changed.is_none() && !self.given.contains(&column.name)) {
            return match column.default {
                None | Some(DefaultValue::Null) => Some(Constant::Null),
                Some(DefaultValue::Constant) => self.default_of(column),
                Some(_) => None,
            };
        }
        let constant = self.constants.get(&column.name)?;
        let base = column.data_type.as_ref()?;
        let fits = match constant {
            Constant::Null => true,
            Constant::Default => false,
            Constant::Text(_) => {
                let strings = ["text", "character varying", "character", "bpchar"];
                let labels = || matches!(self.schema.user_type_named(base.as_str()), Some(UserType::Enum(_)));
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

    /// What a constant default is; labels may have been renamed since.
    fn default_of(&self, column: &Column) -> Option<Constant> {
        let base = column.data_type.as_ref().filter(|base| !base.is_array())?;
        let plain = ["text", "character varying", "smallint", "integer", "bigint", "numeric"];
        let plain = plain.contains(&&*base.base()) && base.modifiers().len() < 2;
        constant_of(column.value.as_deref().filter(|_| plain)?, base, self.schema)
    }

    /// What a check is on the row.
    fn holds(&self, rule: &TableRule) -> Truth {
        let TableRule::Check { expression, columns, .. } = rule else { return Truth::Unknown };
        let value = |name: &Ident| self.value(self.relation.column(name)?);
        if columns.iter().all(|column| value(column).is_none()) {
            return Truth::Unknown;
        }
        Condition::read(expression).map_or(Truth::Unknown, |condition| condition.holds(&value))
    }
}
