//! What a client may rely on in a schema.

use std::fmt;

use super::type_class::type_class;
use crate::schema::{Column, Function, QName, Relation, Rule, Schema};
use crate::sql::operation::{Ident, ObjectKind, RelationKind};

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
        rule: RowRule,
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
        rule: RowRule,
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
    Constraint(Rule),
    /// A CHECK of this name: two checks on the same columns can demand different things.
    Check {
        /// Its name.
        name: Ident,
        /// What it mentions.
        rule: Rule,
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
            | Self::RowsVisible(relation) => Some(relation),
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

    /// Whether clients of a schema could rely on it there. What a schema merely does not forbid counts: an INSERT leaves out every column
    /// that does not exist, and no row breaks a rule on columns that only another version writes.
    pub fn offered_by(&self, schema: &Schema) -> bool {
        let Some(name) = self.relation() else {
            return match self {
                // No schema knows what it does not simulate.
                Self::Granted { .. } | Self::Object { .. } | Self::Unaltered { .. } => true,
                Self::Body { name, signature } => {
                    schema.functions(name).iter().any(|function| function.signature(name) == *signature)
                }
                Self::Sound { name, signature } => {
                    let same = |function: &&Function| function.signature(name) == *signature;
                    let found = schema.functions(name).iter().find(same);
                    found.is_some_and(|function| super::between::unsound(schema, name, function).is_empty())
                }
                Self::Unambiguous { name, .. } => !schema.functions(name).is_empty(),
                other => super::between::of_others(schema, other),
            };
        };
        if let Self::Cascades { child, .. } = self {
            return schema
                .relation(child)
                .is_some_and(|r| super::between::cascades(child, r).any(|found| found == *self));
        }
        if let Self::Identified(name) = self {
            return schema.relation(name).is_some() && schema.lets_rows_go(name);
        }
        schema.relation(name).is_some_and(|relation| self.offered_by_relation(schema, relation))
    }

    /// The same as looking into [`super::between::of_relation`], without making the whole set (a test holds the two together).
    fn offered_by_relation(&self, schema: &Schema, relation: &Relation) -> bool {
        let has = |column: &Ident, test: &dyn Fn(&Column) -> bool| relation.column(column).is_some_and(test);
        match self {
            Self::Behaviour { what, .. } if what == super::behaviour::VISIBLE_TO_OWNER => !relation.hides_from_owner(),
            Self::Relation(_) | Self::Behaviour { .. } | Self::Width(_) => true,
            Self::Definition(_) => !relation.definition.is_empty(),
            Self::Default { column, .. } => has(column, &|c| c.default.is_some()),
            Self::Defaulted { column, .. } => has(column, &Column::has_default),
            Self::Bare { column, .. } => relation.column(column).is_none(),
            Self::Shape(_) => relation.kind != RelationKind::Sequence,
            Self::Read { column, data_type, .. } => {
                has(column, &|c| c.data_type.as_ref().map(|t| type_class(schema, t)).unwrap_or_default() == *data_type)
            }
            Self::Write { column, .. } => has(column, &|column| relation.writes(column)),
            Self::Omit { column, .. } => relation.may_omit(column),
            Self::AcceptsNull { column, .. } => relation.is_writable() && has(column, &|c| !c.not_null),
            Self::NeverNull { column, .. } => has(column, &|c| c.not_null),
            Self::Fits { column, .. } => has(column, &|_| true),
            Self::Unruled { rule, .. } => {
                !super::between::rules(relation).contains(rule) && bites_old_rows(rule, relation)
            }
            Self::Ruled { rule, .. } => super::between::obeyed(relation).contains(rule),
            Self::Arbiter { columns, .. } => relation.arbitrates(columns),
            Self::PartialArbiter { index, .. } => {
                relation.indexes.get(index).is_some_and(|i| i.unique && i.valid && i.plain_key().is_none())
            }
            Self::Grouped { columns, .. } => relation.primary_key().is_some_and(|key| key == columns),
            Self::Values { column, of, .. } => has(column, &|c| c.holds.as_ref() == Some(of)),
            Self::FastPath { index, .. } => relation.indexes.get(index).is_some_and(|i| i.valid),
            Self::ConstraintName { name, .. } => relation.constraints.get(name).is_some_and(|c| c.kind.has_index()),
            Self::Trigger { name, .. } => relation.triggers.get(name) == Some(&true),
            Self::Untriggered { name, .. } => !relation.triggers.contains_key(name),
            Self::RowsVisible(_) => !relation.hides_rows(),
            Self::Policy { name, text, .. } => {
                let same = |p: &crate::schema::Policy| !p.restrictive && p.text == *text;
                relation.row_security && relation.policies.get(name).is_some_and(same)
            }
            Self::Privilege { role, privilege, .. } => relation.grants.contains(&(role.clone(), privilege.clone())),
            Self::Held { .. } => true,
            Self::Type(_)
            | Self::Cascades { .. }
            | Self::Identified(_)
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
            | Self::Granted { .. }
            | Self::Object { .. }
            | Self::Unaltered { .. }
            | Self::Extension(_) => false,
        }
    }
}

/// Whether rows written by a client that knows only the old columns can break a rule.
fn bites_old_rows(rule: &RowRule, old: &Relation) -> bool {
    let known = |column: &Ident| old.column(column).is_some();
    let columns = rule.columns();
    match rule {
        RowRule::Constraint(Rule::Check { not_null, .. })
        | RowRule::Check { rule: Rule::Check { not_null, .. }, .. } => {
            *not_null || columns.is_empty() || columns.iter().any(known)
        }
        // A key with a column that old rows leave NULL is never violated; a primary key refuses those rows by another capability.
        RowRule::Constraint(Rule::Unique { .. } | Rule::PrimaryKey { .. } | Rule::ForeignKey { .. })
        | RowRule::UniqueIndex { .. } => columns.iter().all(known),
        RowRule::Constraint(Rule::Exclude { .. }) | RowRule::Check { .. } => columns.iter().any(known),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::between::of_relation;
    use crate::source::Sources;

    /// The set and the single test must tell the same.
    #[test]
    fn what_a_relation_offers_is_offered_by_it() {
        let mut sources = Sources::new();
        let file = sources.add(
            "a.sql",
            "CREATE TABLE p (id int PRIMARY KEY);
             CREATE TABLE t (id bigserial PRIMARY KEY, a text NOT NULL, b int REFERENCES p, c int GENERATED ALWAYS AS (1) STORED,
                 CHECK (b > 0), UNIQUE (a, b));
             CREATE UNIQUE INDEX i ON t (lower(a));
             CREATE INDEX j ON t (b) WHERE b > 1;
             CREATE VIEW v AS SELECT id, a FROM t;
             CREATE TRIGGER g BEFORE INSERT ON t EXECUTE FUNCTION f();
             ALTER TABLE p ENABLE ROW LEVEL SECURITY;
             CREATE POLICY q ON p USING (true);
             CREATE POLICY r ON p AS RESTRICTIVE USING (true);
             GRANT SELECT ON t TO app;",
        );
        let (statements, _) = crate::sql::read(&sources, file);
        let pieces = statements.iter().flat_map(|s| &s.pieces);
        let schema = pieces.fold(Schema::empty(), |schema, piece| schema.apply(&piece.operation).schema);
        let mut count = 0;
        for (name, relation) in schema.relations() {
            for capability in of_relation(&schema, name, relation) {
                assert!(capability.offered_by(&schema), "{capability}");
                assert!(!capability.offered_by(&Schema::empty()), "{capability}");
                count += 1;
            }
        }
        assert!(count > 40, "{count}");
    }
}
