//! What a client may rely on in a schema.

use std::fmt;

use crate::schema::{QName, TableRule};
use crate::sql::operation::{Ident, ObjectKind};

/// Something a client may rely on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// A relation exists under this name.
    Relation(QName),
    /// A column can be read as values of this type.
    Read {
        /// The relation.
        relation: QName,
        /// The column.
        column: Ident,
        /// The type, as far as a client's driver tells types apart; empty where it is not known.
        data_type: String,
    },
    /// A column can be written.
    Write {
        /// The relation.
        relation: QName,
        /// The column.
        column: Ident,
    },
    /// A column holds the values it held, whatever was renamed, or dropped and made again, in between.
    Values {
        /// The relation.
        relation: QName,
        /// The column.
        column: Ident,
        /// The column of the base schema whose values they are.
        of: Ident,
    },
    /// An INSERT may leave a column out. It holds for columns that do not exist, too.
    Omit {
        /// The relation.
        relation: QName,
        /// The column.
        column: Ident,
    },
    /// A column accepts NULL.
    AcceptsNull {
        /// The relation.
        relation: QName,
        /// The column.
        column: Ident,
    },
    /// Rows that break a rule are accepted.
    Unruled {
        /// The relation.
        relation: QName,
        /// What the rule demands.
        rule: Box<RowRule>,
    },
    /// Reads never see a NULL in a column.
    NeverNull {
        /// The relation.
        relation: QName,
        /// The column.
        column: Ident,
    },
    /// All rows obey a rule.
    Ruled {
        /// The relation.
        relation: QName,
        /// What the rule demands.
        rule: Box<RowRule>,
    },
    /// `SELECT *`, `RETURNING *`, positional INSERT, and prepared plans keep their columns.
    Shape(QName),
    /// A bare column name does not mean this column, because there is none of this name.
    Bare {
        /// The relation.
        relation: QName,
        /// The column.
        column: Ident,
    },
    /// `INSERT … SELECT *` and `SELECT * … UNION` find as many columns as they did.
    Width(QName),
    /// `ON CONFLICT (columns)` finds a unique index.
    Arbiter {
        /// The relation.
        relation: QName,
        /// The columns, sorted.
        columns: Vec<Ident>,
    },
    /// `ON CONFLICT` finds a unique index on expressions, or on some rows only.
    PartialArbiter {
        /// The relation.
        relation: QName,
        /// The index.
        index: Ident,
        /// Its key, as far as it is columns, sorted.
        columns: Vec<Ident>,
    },
    /// A constraint with an index bears this name (`ON CONFLICT ON CONSTRAINT`).
    ConstraintName {
        /// The relation.
        relation: QName,
        /// The name.
        name: Ident,
    },
    /// A query that groups by these columns, the primary key, can name the others.
    Grouped {
        /// The relation.
        relation: QName,
        /// The columns of the primary key.
        columns: Vec<Ident>,
    },
    /// A row of this table that is deleted takes those of another with it that point to it.
    Cascades {
        /// The table.
        relation: QName,
        /// The other.
        child: QName,
        /// Its columns.
        columns: Vec<Ident>,
    },
    /// Rows can be changed and deleted: no publication asks which rows they were, or the replica identity says so.
    Identified(QName),
    /// A query can be answered with the help of this index.
    FastPath {
        /// The relation.
        relation: QName,
        /// The index.
        index: Ident,
    },
    /// A trigger runs when rows are written.
    Trigger {
        /// The relation.
        relation: QName,
        /// The trigger.
        name: Ident,
    },
    /// Writes do not run this trigger.
    Untriggered {
        /// The relation.
        relation: QName,
        /// The trigger.
        name: Ident,
    },
    /// Rows can be seen and written without passing this policy or the absence of any.
    RowsVisible(QName),
    /// A materialized view has rows: nobody can read one without.
    Filled(QName),
    /// A role holds a privilege on a relation.
    Privilege {
        /// The relation.
        relation: QName,
        /// The role.
        role: String,
        /// The privilege.
        privilege: String,
    },
    /// A permissive policy lets rows through.
    Policy {
        /// The relation.
        relation: QName,
        /// The policy.
        name: Ident,
        /// What it says.
        text: Ident,
    },
    /// All values of a column's old type fit into it.
    Fits {
        /// The relation.
        relation: QName,
        /// The column.
        column: Ident,
        /// The old type.
        data_type: String,
    },
    /// A role may hold a privilege on a relation that no migration gave it: a default privilege or an administrator did.
    Held {
        /// The relation.
        relation: QName,
        /// The role.
        role: String,
        /// The privilege.
        privilege: String,
    },
    /// A role holds a privilege on something other than one relation: a schema, a function, all tables of a schema, a role.
    Granted {
        /// What it is on, in the words of the statement.
        object: String,
        /// The role.
        role: String,
        /// The privilege.
        privilege: String,
    },
    /// An object beside the tables exists under this name.
    Object {
        /// What it is.
        kind: ObjectKind,
        /// Its name.
        name: String,
    },
    /// An object beside the tables is as it was.
    Unaltered {
        /// What it is.
        kind: ObjectKind,
        /// Its name.
        name: String,
    },
    /// A relation behaves as it did in a way that has no name of its own.
    Behaviour {
        /// The relation.
        relation: QName,
        /// What it does, for people, for example `keeps its rows`.
        what: String,
    },
    /// A type exists under this name.
    Type(QName),
    /// A composite type has an attribute that can be read as values of this type.
    Attribute {
        /// The composite type.
        name: QName,
        /// The attribute.
        attribute: Ident,
        /// Its type.
        data_type: String,
    },
    /// A composite type has the attributes it had, which who writes whole values counts on: `'(1,x)'` has as many as it has.
    Attributes {
        /// The composite type.
        name: QName,
        /// Its attributes, as a list of their types.
        shape: Ident,
    },
    /// A domain takes values that break this rule of it.
    Taken {
        /// The domain.
        name: QName,
        /// The check, or `NOT NULL`.
        rule: Ident,
    },
    /// An enum accepts a label.
    Label {
        /// The enum.
        name: QName,
        /// The label.
        label: Ident,
    },
    /// Reads see no other labels of an enum than those known.
    KnownLabels(QName),
    /// A function can be called with these arguments and returns this.
    Call {
        /// The function.
        name: QName,
        /// Its argument types and what it returns.
        signature: String,
    },
    /// A call of this function with so many arguments is not ambiguous.
    Unambiguous {
        /// The function.
        name: QName,
        /// How many arguments are given.
        given: usize,
    },
    /// A function goes on doing what it did: calls of it find the same body.
    Body {
        /// The function.
        name: QName,
        /// The function with its argument types.
        signature: String,
    },
    /// A function's body finds what it names, so that calls of it do not fail.
    Sound {
        /// The function.
        name: QName,
        /// The function with its argument types.
        signature: String,
    },
    /// A view goes on showing what it did.
    Definition(QName),
    /// An INSERT that leaves a column out gets a default for it.
    Defaulted {
        /// The relation.
        relation: QName,
        /// The column.
        column: Ident,
    },
    /// An INSERT that leaves a column out goes on getting the default it got.
    Default {
        /// The relation.
        relation: QName,
        /// The column.
        column: Ident,
    },
    /// A schema exists.
    Namespace(Ident),
    /// An extension's objects exist.
    Extension(Ident),
}

/// What a constraint demands of rows, whatever its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowRule {
    /// A constraint or unique index.
    Constraint(TableRule),
    /// A CHECK of this name: two checks on the same columns can demand different things.
    Check {
        /// Its name.
        name: Ident,
        /// What it mentions.
        rule: TableRule,
    },
    /// A unique index on expressions or some rows only.
    UniqueIndex {
        /// The index.
        name: Ident,
        /// The plain columns of its key.
        key: Vec<Ident>,
        /// All columns that it is about.
        columns: Vec<Ident>,
        /// The rows that it covers, if not all.
        predicate: Option<Ident>,
        /// `NULLS NOT DISTINCT`
        nulls_collide: bool,
        /// Whether values that are equal in it are equal in any other key on its columns.
        plain: bool,
    },
}

impl RowRule {
    /// The columns it is about.
    pub fn columns(&self) -> &[Ident] {
        match self {
            Self::Constraint(rule) | Self::Check { rule, .. } => rule.columns(),
            Self::UniqueIndex { columns, .. } => columns,
        }
    }
}

/// How a capability bears on the order of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Statements fail at once without it: it decides the order.
    Certain,
    /// Only clients of a certain habit rely on it (`ON CONFLICT`, `SELECT *`, a constraint's name): a workload decides.
    Habit,
    /// Bites only when the other version writes something new: a finding, never an order.
    Conditional,
    /// Speed only.
    Soft,
}

impl Capability {
    /// How it bears on the order.
    pub fn weight(&self) -> Weight {
        match self {
            Self::Relation(_)
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::Values { .. }
            | Self::Granted { .. }
            | Self::Omit { .. }
            | Self::Defaulted { .. }
            | Self::AcceptsNull { .. }
            | Self::Unruled { .. }
            | Self::RowsVisible(_)
            | Self::Filled(_)
            | Self::Privilege { .. }
            | Self::Policy { .. }
            | Self::Fits { .. }
            | Self::Behaviour { .. }
            | Self::Type(_)
            | Self::Label { .. }
            | Self::Attribute { .. }
            | Self::Taken { .. }
            | Self::Call { .. }
            | Self::Unambiguous { .. }
            | Self::Namespace(_)
            | Self::Extension(_)
            | Self::Object { .. }
            | Self::Cascades { .. }
            | Self::Identified(_)
            | Self::Sound { .. }
            | Self::Trigger { .. } => Weight::Certain,
            Self::Unaltered { kind, .. } if !kind.meets_queries() => Weight::Soft,
            Self::Width(_)
            | Self::Bare { .. }
            | Self::Arbiter { .. }
            | Self::PartialArbiter { .. }
            | Self::Grouped { .. }
            | Self::Attributes { .. }
            | Self::ConstraintName { .. } => Weight::Habit,
            Self::NeverNull { .. }
            | Self::Ruled { .. }
            | Self::KnownLabels(_)
            | Self::Shape(_)
            | Self::Unaltered { .. }
            | Self::Body { .. }
            | Self::Definition(_)
            | Self::Default { .. }
            | Self::Untriggered { .. } => Weight::Conditional,
            Self::FastPath { .. } | Self::Held { .. } => Weight::Soft,
        }
    }

    /// Whether it is the absence of a demand on rows, and not something that is there.
    pub fn is_freedom(&self) -> bool {
        matches!(
            self,
            Self::Taken { .. }
                | Self::Unruled { .. }
                | Self::AcceptsNull { .. }
                | Self::Omit { .. }
                | Self::Fits { .. }
        )
    }

    /// What a write may do to a relation, as it is called otherwise; `None` for what is no such freedom.
    pub(crate) fn of_writes_to(&self, relation: &QName) -> Option<Self> {
        let mut same = self.clone();
        let (Self::Omit { relation: of, .. }
        | Self::Default { relation: of, .. }
        | Self::Defaulted { relation: of, .. }
        | Self::AcceptsNull { relation: of, .. }
        | Self::Fits { relation: of, .. }
        | Self::Unruled { relation: of, .. }
        | Self::Untriggered { relation: of, .. }) = &mut same
        else {
            return None;
        };
        of.clone_from(relation);
        Some(same)
    }

    /// The relation it is about.
    pub fn relation(&self) -> Option<&QName> {
        match self {
            Self::Relation(relation)
            | Self::Shape(relation)
            | Self::Width(relation)
            | Self::Definition(relation)
            | Self::Identified(relation)
            | Self::RowsVisible(relation)
            | Self::Filled(relation) => Some(relation),
            Self::Read { relation, .. }
            | Self::Write { relation, .. }
            | Self::Values { relation, .. }
            | Self::Bare { relation, .. }
            | Self::PartialArbiter { relation, .. }
            | Self::Omit { relation, .. }
            | Self::AcceptsNull { relation, .. }
            | Self::Unruled { relation, .. }
            | Self::NeverNull { relation, .. }
            | Self::Ruled { relation, .. }
            | Self::Arbiter { relation, .. }
            | Self::ConstraintName { relation, .. }
            | Self::FastPath { relation, .. }
            | Self::Grouped { relation, .. }
            | Self::Cascades { relation, .. }
            | Self::Trigger { relation, .. }
            | Self::Untriggered { relation, .. }
            | Self::Policy { relation, .. }
            | Self::Fits { relation, .. }
            | Self::Behaviour { relation, .. }
            | Self::Default { relation, .. }
            | Self::Defaulted { relation, .. }
            | Self::Privilege { relation, .. }
            | Self::Held { relation, .. } => Some(relation),
            Self::Type(_)
            | Self::Granted { .. }
            | Self::Label { .. }
            | Self::Attribute { .. }
            | Self::Attributes { .. }
            | Self::Taken { .. }
            | Self::KnownLabels(_)
            | Self::Call { .. }
            | Self::Unambiguous { .. }
            | Self::Body { .. }
            | Self::Sound { .. }
            | Self::Namespace(_)
            | Self::Object { .. }
            | Self::Unaltered { .. }
            | Self::Extension(_) => None,
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relation(name) => write!(f, "{name} exists"),
            Self::Read { relation, column, data_type } if data_type.is_empty() => {
                write!(f, "{relation}.{column} is readable")
            }
            Self::Read { relation, column, data_type } => write!(f, "{relation}.{column} is readable as {data_type}"),
            Self::Write { relation, column } => write!(f, "{relation}.{column} is writable"),
            Self::Values { relation, column, of } if **of == format!("{relation}.{column}") => {
                write!(f, "{relation}.{column} keeps its values")
            }
            Self::Values { relation, column, of } => write!(f, "{relation}.{column} holds the values of {of}"),
            Self::PartialArbiter { relation, index, .. } => {
                write!(f, "ON CONFLICT finds the unique index {index} of {relation}")
            }
            Self::Object { kind, name } => write!(f, "{} {name} exists", kind.words()),
            Self::Unaltered { kind, name } => write!(f, "{} {name} is as it was", kind.words()),
            Self::Granted { object, role, privilege } => write!(f, "{role} may {privilege} on {object}"),
            Self::Omit { relation, column } => write!(f, "INSERT into {relation} may leave out {column}"),
            Self::AcceptsNull { relation, column } => write!(f, "{relation}.{column} accepts NULL"),
            Self::Unruled { relation, rule } => write!(f, "{relation} accepts rows that break {rule}"),
            Self::NeverNull { relation, column } => write!(f, "{relation}.{column} is never NULL"),
            Self::Ruled { relation, rule } => write!(f, "all rows of {relation} obey {rule}"),
            Self::Shape(relation) => write!(f, "{relation} keeps its columns"),
            Self::Bare { relation, column } => write!(f, "{relation} has no {column} that a bare {column} could mean"),
            Self::Width(relation) => write!(f, "{relation} has no columns more or less than INSERT … SELECT * expects"),
            Self::Arbiter { relation, columns } => {
                write!(f, "ON CONFLICT ({}) works on {relation}", columns.join(", "))
            }
            Self::ConstraintName { relation, name } => write!(f, "{relation} has a constraint named {name}"),
            Self::Grouped { relation, columns } => {
                write!(f, "GROUP BY {} of {relation} gives all of a row, as its primary key does", columns.join(", "))
            }
            Self::Cascades { relation, child, columns } => {
                write!(
                    f,
                    "deleting rows of {relation} takes care of rows of {child} ({}) that point to them",
                    columns.join(", ")
                )
            }
            Self::Identified(relation) => {
                write!(f, "rows of {relation} may be changed and deleted, whatever is published")
            }
            Self::FastPath { relation, index } => write!(f, "queries of {relation} can use index {index}"),
            Self::Trigger { relation, name } => write!(f, "writes to {relation} run trigger {name}"),
            Self::Untriggered { relation, name } => write!(f, "writes to {relation} do not run trigger {name}"),
            Self::Filled(relation) => write!(f, "{relation} is filled, and can be read"),
            Self::RowsVisible(relation) => write!(f, "rows of {relation} are not hidden by row security"),
            Self::Privilege { relation, role, privilege } => write!(f, "{role} may {privilege} on {relation}"),
            Self::Held { relation, role, privilege } => {
                write!(f, "{role} may {privilege} on {relation}, if somebody else gave it that")
            }
            Self::Policy { relation, name, .. } => write!(f, "policy {name} lets rows of {relation} through"),
            Self::Fits { relation, column, data_type } => write!(f, "{relation}.{column} takes every {data_type}"),
            Self::Behaviour { relation, what } => write!(f, "{relation} {what}"),
            Self::Type(name) => write!(f, "type {name} exists"),
            Self::Attribute { name, attribute, data_type } => {
                write!(f, "{name}.{attribute} is readable as {data_type}")
            }
            Self::Attributes { name, shape } => write!(f, "values of type {name} are ({shape})"),
            Self::Taken { name, rule } => write!(f, "domain {name} takes values that break {rule}"),
            Self::Label { name, label } => write!(f, "enum {name} accepts '{label}'"),
            Self::KnownLabels(name) => write!(f, "enum {name} has no labels unknown to its readers"),
            Self::Call { name, signature } => write!(f, "{name}{signature} can be called"),
            Self::Unambiguous { name, given } => write!(f, "a call of {name} with {given} arguments is not ambiguous"),
            Self::Sound { signature, .. } => write!(f, "the body of {signature} finds what it names"),
            Self::Body { signature, .. } => write!(f, "{signature} goes on doing what it did"),
            Self::Definition(name) => write!(f, "{name} goes on showing what it did"),
            Self::Defaulted { relation, column } => {
                write!(f, "INSERT into {relation} without {column} gets a default for it")
            }
            Self::Default { relation, column } => {
                write!(f, "INSERT into {relation} without {column} goes on getting the default it got")
            }
            Self::Namespace(name) => write!(f, "schema {name} exists"),
            Self::Extension(name) => write!(f, "extension {name} is there"),
        }
    }
}

impl fmt::Display for RowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constraint(rule) => write!(f, "{} ({})", rule.keyword(), rule.columns().join(", ")),
            Self::Check { name, .. } => write!(f, "CHECK {name}"),
            Self::UniqueIndex { name, .. } => write!(f, "unique index {name}"),
        }
    }
}
