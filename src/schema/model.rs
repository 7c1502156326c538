//! The values a schema is made of.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::shared::Shared;
use crate::sql::body::BodySource;
use crate::sql::bound::Bound;
use crate::sql::operation::{
    DefaultValue, Firing, Ident, OnDelete, RelationKind, ReplicaIdentity, RuleBody, RuleEvent,
};
use crate::sql::query::{Kept, KeyKind, QueryExpression};
use crate::sql::{Quoted, TypeName};

/// A resolved name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QName {
    /// The schema.
    pub schema: Ident,
    /// The object.
    pub name: Ident,
}

impl QName {
    /// A name from its two parts.
    pub fn new(schema: impl Into<Ident>, name: impl Into<Ident>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }
}

impl Ord for QName {
    fn cmp(&self, other: &Self) -> Ordering {
        // Most names are of one schema, and have the very same text for it.
        let schemas =
            if Ident::ptr_eq(&self.schema, &other.schema) { Ordering::Equal } else { self.schema.cmp(&other.schema) };
        schemas.then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for QName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for QName {
    /// `public.` is left out, as people do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if &*self.schema != "public" {
            write!(f, "{}.", Quoted(&self.schema))?;
        }
        write!(f, "{}", Quoted(&self.name))
    }
}

/// A table, view, sequence, ….
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// What it is.
    pub kind: RelationKind,
    /// Its columns in order. Empty and not [`Relation::columns_known`] where a view's could not be derived.
    pub columns: Shared<Vec<Shared<Column>>>,
    /// Whether `columns` is all of them.
    pub columns_known: bool,
    /// Constraints by name.
    pub constraints: Shared<BTreeMap<Ident, Shared<Constraint>>>,
    /// The columns of NOT NULL constraints by the names they bear since PostgreSQL 18, as far as they were written or read from a catalog.
    pub not_nulls: BTreeMap<Ident, Ident>,
    /// Indexes by name, those of constraints included.
    pub indexes: Shared<BTreeMap<Ident, Shared<Index>>>,
    /// Triggers by name, with whether they are enabled.
    pub triggers: BTreeMap<Ident, bool>,
    /// What its triggers call.
    pub trigger_functions: BTreeMap<Ident, QName>,
    /// The columns that a trigger is tied to, by `UPDATE OF` or `WHEN`.
    pub trigger_columns: BTreeMap<Ident, Vec<Ident>>,
    /// When its triggers run.
    pub trigger_firings: BTreeMap<Ident, Firing>,
    /// Rules that do something in the place of a statement whatever it writes, with the statement and whether they are enabled.
    pub instead: BTreeMap<Ident, (RuleEvent, bool)>,
    /// The columns that its rules read and write, of its own rows and of others; without a name: the relation.
    pub rule_reads: BTreeMap<Ident, BTreeSet<(QName, Ident)>>,
    /// What its rules do, and whether they are enabled, as far as that is read.
    pub rules: BTreeMap<Ident, (Arc<RuleBody>, bool)>,
    /// The names under which its triggers see the rows that a statement writes.
    pub transitions: BTreeMap<Ident, Vec<Ident>>,
    /// What its defaults, its generated columns, conditions of its triggers, and a view's query call, by bare name. What was called once stays here.
    pub runs: BTreeSet<Ident>,
    /// Policies by name.
    pub policies: BTreeMap<Ident, Policy>,
    /// `ENABLE ROW LEVEL SECURITY`
    pub row_security: bool,
    /// `FORCE ROW LEVEL SECURITY`
    pub force_row_security: bool,
    /// Privileges that were granted: role and privilege.
    pub grants: BTreeSet<(String, String)>,
    /// The types that a view's query, its rules and the conditions of its triggers cast to.
    pub casts: BTreeMap<TypeUser, BTreeSet<QName>>,
    /// What a view reads.
    pub reads: BTreeSet<QName>,
    /// The columns that a view reads, as far as they are known.
    pub read_columns: BTreeSet<(QName, Ident)>,
    /// The tables whose primary key a view's GROUP BY stands on.
    pub grouped: BTreeSet<QName>,
    /// A view's query in digests, to tell two apart: first of all but its output, then of each column of the output. A view whose query
    /// begins as another's goes on showing what that one did.
    pub definition: Vec<Ident>,
    /// A view's query, as far as a statement wrote it.
    pub body: Option<Arc<QueryExpression>>,
    /// Whether that is one which PostgreSQL could write through by itself.
    pub simple: bool,
    /// Whether it is a view that PostgreSQL cannot write through.
    pub read_only: bool,
    /// `UNLOGGED`
    pub unlogged: bool,
    /// `PARTITION BY`
    pub partitioned: bool,
    /// The columns of `PARTITION BY`, as far as they are columns.
    pub partition_key: Vec<Ident>,
    /// `REPLICA IDENTITY`
    pub replica_identity: ReplicaIdentity,
    /// The partitioned table it belongs to, or the table it inherits from.
    pub parent: Option<QName>,
    /// The columns that it has of its own beside those of the table that it inherits from: they stay when those go.
    pub own: BTreeSet<Ident>,
    /// Whether it is a materialized view that the release leaves without rows (`WITH NO DATA`): nobody can read it.
    pub unfilled: bool,
    /// Whether a view takes no rows that it does not show.
    pub check_option: bool,
    /// The rows that it takes as a partition, as far as they are known.
    pub bound: Option<Bound>,
    /// The partition for rows that no other takes.
    pub default_partition: Option<QName>,
    /// The table and column that own a sequence.
    pub owned_by: Option<(QName, Ident)>,
    /// The composite type that its columns are those of: `CREATE TABLE t OF type`.
    pub of_type: Option<QName>,
    /// Whether a sequence is that of an identity column: it goes with the identity, and the column needs it.
    pub internal: bool,
    /// The name that a table bears in the schema that a release starts from, whatever it is called now; see
    /// [`Schema::followed`](super::Schema::followed).
    pub origin: Option<QName>,
}

impl Relation {
    /// An empty relation.
    pub fn new(kind: RelationKind) -> Self {
        Self {
            kind,
            columns: Shared::default(),
            columns_known: true,
            constraints: Shared::default(),
            not_nulls: BTreeMap::new(),
            indexes: Shared::default(),
            triggers: BTreeMap::new(),
            trigger_functions: BTreeMap::new(),
            trigger_columns: BTreeMap::new(),
            trigger_firings: BTreeMap::new(),
            instead: BTreeMap::new(),
            rule_reads: BTreeMap::new(),
            rules: BTreeMap::new(),
            transitions: BTreeMap::new(),
            runs: BTreeSet::new(),
            policies: BTreeMap::new(),
            row_security: false,
            force_row_security: false,
            grants: BTreeSet::new(),
            casts: BTreeMap::new(),
            reads: BTreeSet::new(),
            read_columns: BTreeSet::new(),
            grouped: BTreeSet::new(),
            definition: Vec::new(),
            body: None,
            simple: false,
            read_only: false,
            unlogged: false,
            partitioned: false,
            partition_key: Vec::new(),
            replica_identity: ReplicaIdentity::default(),
            parent: None,
            own: BTreeSet::new(),
            unfilled: false,
            check_option: false,
            bound: None,
            default_partition: None,
            owned_by: None,
            of_type: None,
            internal: false,
            origin: None,
        }
    }

    /// Whether clients may write rows to it.
    pub fn is_writable(&self) -> bool {
        let read_only = self.read_only && !self.is_taken_over();
        !read_only && !matches!(self.kind, RelationKind::MaterializedView | RelationKind::Sequence)
    }

    /// Whether clients may write a column of it.
    pub fn writes(&self, column: &Column) -> bool {
        self.is_writable() && column.writable() && (!column.computed || self.is_taken_over())
    }

    /// Whether triggers or rules of a view do something with what is written into it.
    fn is_taken_over(&self) -> bool {
        !self.triggers.is_empty() || self.instead.values().any(|(_, enabled)| *enabled)
    }

    /// Whether a rule does something in the place of all statements of a kind.
    pub fn replaces(&self, event: RuleEvent) -> bool {
        self.instead.values().any(|(of, enabled)| *enabled && *of == event)
    }

    /// Whether a trigger or a rule of a view does something in the place of all statements of a kind.
    pub(super) fn takes(&self, event: RuleEvent) -> bool {
        let fires = |firing: Firing| match event {
            RuleEvent::Insert => firing.insert,
            RuleEvent::Update => firing.update,
            RuleEvent::Delete => firing.delete,
            RuleEvent::Select => false,
        };
        let mut firings = self.triggers.keys().map(|trigger| self.firing(trigger));
        self.replaces(event) || firings.any(|firing| firing.instead && fires(firing))
    }

    /// Whether row security can keep rows from somebody.
    pub fn hides_rows(&self) -> bool {
        let restricted = self.policies.values().any(|p| p.restrictive);
        self.row_security && (restricted || !self.policies.values().any(|p| p.open))
    }

    /// Whether row security can keep rows from the relation's owner.
    pub fn hides_from_owner(&self) -> bool {
        self.hides_rows() && self.force_row_security
    }

    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| &*c.name == name).map(|c| &**c)
    }

    pub(super) fn column_mut(&mut self, name: &str) -> Option<&mut Column> {
        self.columns.iter_mut().find(|c| &*c.name == name).map(|c| &mut **c)
    }

    /// The column of a NOT NULL constraint: one that bears the name, or whose server gave it that name, as one does since PostgreSQL 18.
    pub fn not_null_named(&self, table: &str, name: &str) -> Option<Ident> {
        let made_up = |c: &&Shared<Column>| c.not_null && *name == *format!("{table}_{}_not_null", c.name);
        let unnamed = || self.columns.iter().find(made_up).map(|c| c.name.clone());
        self.not_nulls.get(name).cloned().or_else(unnamed)
    }

    /// Whether INSERTs may leave a column out, or any but the first: a default that is the same for all is refused by a unique key on it.
    pub fn may_omit(&self, column: &Ident) -> bool {
        let Some(found) = self.column(column) else { return true };
        let alike = |key: &Ident| self.column(key).is_some_and(|c| c.default == Some(DefaultValue::Constant));
        let repeats = |index: &Shared<Index>| {
            index.keeps_apart() && index.plain_key().is_some_and(|key| key.contains(column) && key.iter().all(alike))
        };
        found.may_be_omitted() && !self.indexes.values().any(repeats)
    }

    /// Whether its rows have the same columns as those of another.
    pub fn same_row(&self, other: &Self) -> bool {
        let shape = |c: &Shared<Column>| (c.name.clone(), c.data_type.clone());
        self.columns.iter().map(shape).eq(other.columns.iter().map(shape))
    }

    /// Whether `ON CONFLICT` on these columns, which are sorted, finds a unique index and no other than it can use.
    pub fn arbitrates(&self, columns: &[Ident]) -> bool {
        let same = |index: &&Shared<Index>| {
            index.unique
                && index.valid
                && index.plain_key().is_some_and(|mut key| {
                    key.sort();
                    key == columns
                })
        };
        let mut found = self.indexes.values().filter(same).peekable();
        found.peek().is_some() && found.all(|index| !index.deferrable)
    }

    /// Whether `ON CONFLICT` may mean this unique index, and not another one on its columns: it has expressions or a condition, or is compared
    /// by other collations or classes.
    pub(crate) fn tells_apart(&self, index: &Index) -> bool {
        let sorted = |index: &Index| {
            let mut key = index.plain_key()?;
            key.sort();
            Some(key)
        };
        let key = sorted(index);
        let another = |other: &Index| other.unique && other.kinds != index.kinds && sorted(other) == key;
        key.is_none() || !index.kinds.is_empty() || self.indexes.values().any(|other| another(other))
    }

    /// Whether a trigger may give a column a value where an INSERT gives it none.
    pub(crate) fn filled_by_trigger(&self, column: &Ident, schema: &super::Schema) -> bool {
        let names = |function: &QName| schema.functions(function).iter().any(|f| f.mentions.contains(column));
        let fills = |trigger: &Ident| {
            let firing = self.firing(trigger);
            firing.insert && firing.changes_rows() && self.trigger_functions.get(trigger).is_some_and(names)
        };
        self.triggers.iter().any(|(trigger, enabled)| *enabled && fills(trigger))
    }

    /// Whether there was such a trigger.
    pub(super) fn drop_trigger(&mut self, trigger: &str) -> bool {
        self.trigger_functions.remove(trigger);
        self.trigger_columns.remove(trigger);
        self.trigger_firings.remove(trigger);
        self.transitions.remove(trigger);
        self.casts.remove(&TypeUser::Trigger(trigger.into()));
        self.triggers.remove(trigger).is_some()
    }

    pub(super) fn drop_rule(&mut self, rule: &Ident) {
        self.rule_reads.remove(rule);
        self.rules.remove(rule);
        self.instead.remove(rule);
        self.casts.remove(&TypeUser::Rule(rule.clone()));
    }

    /// Takes over the triggers that a partition has from its table.
    pub(super) fn take_triggers_of(&mut self, parent: &Self) {
        for (trigger, enabled) in parent.triggers.iter().filter(|(trigger, _)| parent.firing(trigger).each_row) {
            self.triggers.insert(trigger.clone(), *enabled);
            self.trigger_firings.insert(trigger.clone(), parent.firing(trigger));
            let columns = parent.trigger_columns.get(trigger).cloned().unwrap_or_default();
            self.trigger_columns.insert(trigger.clone(), columns);
            let condition = TypeUser::Trigger(trigger.clone());
            let casts = parent.casts.get(&condition).cloned();
            self.casts.extend(casts.map(|casts| (condition, casts)));
            let function = parent.trigger_functions.get(trigger).cloned();
            self.trigger_functions.extend(function.map(|function| (trigger.clone(), function)));
        }
    }

    /// When a trigger of it runs; whenever rows are written, where that is not known.
    pub fn firing(&self, trigger: &str) -> Firing {
        self.trigger_firings.get(trigger).copied().unwrap_or(Firing::ALWAYS)
    }

    /// The columns of its primary key.
    pub fn primary_key(&self) -> Option<&[Ident]> {
        self.constraints.values().find_map(|c| match &c.kind {
            TableRule::PrimaryKey { columns } => Some(columns.as_slice()),
            _ => None,
        })
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: Ident,
    /// Its type; `None` where a view's could not be derived.
    pub data_type: Option<TypeName>,
    /// Whether it refuses NULL.
    pub not_null: bool,
    /// Where its value comes from if an INSERT leaves it out.
    pub default: Option<DefaultValue>,
    /// The columns that it is generated from.
    pub needs: Vec<Ident>,
    /// The default as it was written, as far as a statement wrote it.
    pub value: Kept,
    /// The functions that its default, or what it is generated by, calls, by bare name, as far as that was written down.
    pub calls: Vec<Ident>,
    /// The types that its default, or what it is generated by, casts to, where it was read from a catalog.
    pub casts: Vec<QName>,
    /// The sequences that its default names.
    pub draws: Vec<QName>,
    /// Whose values it holds, as `table.column` of the schema that a release starts from; see [`Schema::followed`](super::Schema::followed).
    pub holds: Option<Ident>,
    /// Whether it is a view's, and no column of what the view reads: nobody writes it, unless a trigger does.
    pub computed: bool,
}

impl Eq for Relation {}

impl Eq for Column {}

impl Column {
    /// A column of which the name is known only.
    pub(crate) fn unknown(name: Ident) -> Self {
        Self {
            name,
            data_type: None,
            not_null: false,
            default: None,
            needs: Vec::new(),
            value: None,
            calls: Vec::new(),
            casts: Vec::new(),
            draws: Vec::new(),
            holds: None,
            computed: false,
        }
    }

    /// Whether an INSERT may leave it out.
    pub fn may_be_omitted(&self) -> bool {
        match self.default {
            Some(DefaultValue::Failing) => false,
            None | Some(DefaultValue::Null) => !self.not_null,
            Some(_) => true,
        }
    }

    /// Whether an INSERT that leaves it out gets something else than NULL.
    pub fn has_default(&self) -> bool {
        !matches!(self.default, None | Some(DefaultValue::Null))
    }

    /// Whether clients may write it.
    pub fn writable(&self) -> bool {
        !matches!(
            self.default,
            Some(DefaultValue::IdentityAlways | DefaultValue::GeneratedStored | DefaultValue::GeneratedVirtual)
        )
    }
}

/// What names a type, of a relation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TypeUser {
    /// The relation: its columns are the attributes, or its query names it.
    Whole,
    /// A column: it is of the type, or generated by a cast to it.
    Column(Ident),
    /// The default of a column.
    Default(Ident),
    /// A check.
    Constraint(Ident),
    /// An index: an expression of its key, or its condition.
    Index(Ident),
    /// A policy.
    Policy(Ident),
    /// A rule.
    Rule(Ident),
    /// The condition of a trigger.
    Trigger(Ident),
}

/// A constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// What it demands.
    pub kind: TableRule,
    /// Whether existing rows are known to satisfy it.
    pub valid: bool,
    /// Whether it binds rows at all: it is not `NOT ENFORCED`.
    pub enforced: bool,
}

/// A row security policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether it is restrictive.
    pub restrictive: bool,
    /// Whether it lets everybody read and write every row.
    pub open: bool,
    /// What it says, to tell two apart. Spelled as written, or as the server prints it.
    pub text: Ident,
    /// The columns that its conditions read, of its own table and of others; without a name: the relation.
    pub reads: BTreeSet<(QName, Ident)>,
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableRule {
    /// `PRIMARY KEY`
    PrimaryKey {
        /// The columns.
        columns: Vec<Ident>,
    },
    /// `UNIQUE`, or a unique index
    Unique {
        /// The columns.
        columns: Vec<Ident>,
    },
    /// `CHECK`
    Check {
        /// The columns it mentions.
        columns: Vec<Ident>,
        /// Whether it says `IS NOT NULL`.
        not_null: bool,
        /// Its expression, to tell two checks apart. Spelled as written, or as the server prints it.
        expression: Ident,
    },
    /// `FOREIGN KEY`
    ForeignKey {
        /// The columns.
        columns: Vec<Ident>,
        /// The table it points to.
        target: QName,
        /// The columns it points to.
        target_columns: Vec<Ident>,
        /// What happens to its rows when the row that they point to is deleted.
        on_delete: OnDelete,
        /// Whether its rows are changed when what they point to is: `ON UPDATE CASCADE`, `SET NULL`, `SET DEFAULT`.
        follows: bool,
    },
    /// `EXCLUDE`
    Exclude {
        /// The columns it mentions.
        columns: Vec<Ident>,
    },
}

impl TableRule {
    /// The columns of the table itself.
    pub fn columns(&self) -> &[Ident] {
        match self {
            Self::PrimaryKey { columns }
            | Self::Unique { columns }
            | Self::Check { columns, .. }
            | Self::ForeignKey { columns, .. }
            | Self::Exclude { columns } => columns,
        }
    }

    pub(super) fn columns_mut(&mut self) -> &mut Vec<Ident> {
        match self {
            Self::PrimaryKey { columns }
            | Self::Unique { columns }
            | Self::Check { columns, .. }
            | Self::ForeignKey { columns, .. }
            | Self::Exclude { columns } => columns,
        }
    }

    /// The SQL keyword.
    pub const fn keyword(&self) -> &'static str {
        match self {
            Self::PrimaryKey { .. } => "PRIMARY KEY",
            Self::Unique { .. } => "UNIQUE",
            Self::Check { .. } => "CHECK",
            Self::ForeignKey { .. } => "FOREIGN KEY",
            Self::Exclude { .. } => "EXCLUDE",
        }
    }

    /// Whether an index of the same name carries it.
    pub const fn has_index(&self) -> bool {
        matches!(self, Self::PrimaryKey { .. } | Self::Unique { .. } | Self::Exclude { .. })
    }
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its key; `None` for an expression.
    pub key: Vec<Option<Ident>>,
    /// Columns that its expressions and its predicate mention.
    pub mentions: Vec<Ident>,
    /// `UNIQUE`
    pub unique: bool,
    /// Whether it is of an exclusion constraint that refuses rows that are alike in its key.
    pub excludes: bool,
    /// Its `WHERE`, as written or as the server prints it.
    pub predicate: Option<Ident>,
    /// The expressions of its key, in order, as written or as the server prints them.
    pub expressions: Vec<Ident>,
    /// `NULLS NOT DISTINCT`
    pub nulls_collide: bool,
    /// Whether it is of a `DEFERRABLE` key.
    pub deferrable: bool,
    /// Its method, `btree` for one; `None` if it is a constraint's.
    pub method: Option<Ident>,
    /// Whether it is complete: an index whose concurrent build failed is not.
    pub valid: bool,
    /// Of a unique index: the collations and operator classes of its key that are not what the columns have by themselves.
    pub kinds: BTreeMap<Ident, KeyKind>,
    /// Whether a part of its key is sorted otherwise than by itself (`DESC`, `NULLS FIRST`): no constraint can take it over.
    pub sorted: bool,
}

impl Index {
    /// Whether another finds and refuses the same, complete or not, a constraint's or not: one of a partition may be a part of it then.
    pub fn is_like(&self, other: &Self) -> bool {
        let method = |index: &Self| index.method.clone().unwrap_or_else(|| "btree".into());
        let rest = |index: &Self| Self { valid: true, method: None, sorted: false, ..index.clone() };
        method(self) == method(other) && rest(self) == rest(other)
    }

    /// A complete index on plain columns and all rows.
    pub fn plain(key: Vec<Option<Ident>>, unique: bool) -> Self {
        let (mentions, predicate, expressions, nulls_collide) = (Vec::new(), None, Vec::new(), false);
        let (deferrable, excludes) = (false, false);
        let (method, valid, kinds) = (None, true, BTreeMap::new());
        Self {
            key,
            mentions,
            unique,
            excludes,
            predicate,
            expressions,
            nulls_collide,
            deferrable,
            method,
            valid,
            kinds,
            sorted: false,
        }
    }

    /// Whether values that are equal for it are equal for any other index on its columns: the collations that the server comes with
    /// tell apart whatever is not the same, and so do the operator classes.
    pub fn compares_plainly(&self) -> bool {
        const PLAIN: [&str; 4] = ["C", "POSIX", "default", "ucs_basic"];
        let plain = |kind: &KeyKind| {
            let collation = kind.collation.as_ref();
            let class = kind.class.as_ref();
            collation.is_none_or(|name| PLAIN.contains(&&**name) || name.ends_with("-x-icu"))
                && class.is_none_or(|name| name.ends_with("_pattern_ops"))
        };
        self.kinds.values().all(plain)
    }

    /// The columns of its key, if all are plain columns and it covers all rows.
    pub fn plain_key(&self) -> Option<Vec<Ident>> {
        if self.predicate.is_some() {
            return None;
        }
        self.key.iter().cloned().collect()
    }

    /// Whether no two rows can have the same key.
    pub const fn keeps_apart(&self) -> bool {
        self.unique || self.excludes
    }

    /// Whether it stands on the column.
    pub fn uses(&self, column: &str) -> bool {
        self.key.iter().flatten().chain(&self.mentions).any(|c| &**c == column)
    }
}

/// A user-defined type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserType {
    /// An enum with its labels in order.
    Enum(Vec<Ident>),
    /// A composite type.
    Composite(Vec<(Ident, TypeName)>),
    /// A domain.
    Domain {
        /// The type below.
        base: TypeName,
        /// `NOT NULL`
        not_null: bool,
        /// Its checks, with whether existing values are known to pass.
        checks: BTreeMap<Ident, bool>,
        /// What they say, as written or as the server prints it.
        texts: BTreeMap<Ident, Ident>,
        /// The functions that they have called, by bare name.
        calls: BTreeSet<Ident>,
    },
    /// A range, over values of a type.
    Range(TypeName),
    /// Base types.
    Other,
}

impl UserType {
    /// Whether it is a domain that does not take every value of the type below.
    pub fn is_constrained(&self) -> bool {
        matches!(self, Self::Domain { not_null, checks, .. } if *not_null || !checks.is_empty())
    }
}

impl UserType {
    /// The types that it is made of.
    pub fn parts(&self) -> impl Iterator<Item = &TypeName> {
        let (base, attributes) = match self {
            Self::Domain { base, .. } | Self::Range(base) => (Some(base), [].as_slice()),
            Self::Composite(attributes) => (None, attributes.as_slice()),
            Self::Enum(_) | Self::Other => (None, [].as_slice()),
        };
        base.into_iter().chain(attributes.iter().map(|(_, data_type)| data_type))
    }
}

/// A function or procedure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its input argument types with whether each has a default.
    pub arguments: Vec<(TypeName, bool)>,
    /// What it returns.
    pub returns: String,
    /// Names and types of its `OUT` and `INOUT` arguments, or of the columns of `RETURNS TABLE`; the name is empty where there is none.
    pub outputs: Vec<(Ident, TypeName)>,
    /// The names of its input arguments, in order; empty where there is none, and as a whole where they are not known.
    pub inputs: Vec<Ident>,
    /// The names of its arguments, those of its output included.
    pub names: Vec<Ident>,
    /// Names that its body mentions.
    pub mentions: Arc<[Ident]>,
    /// Its body.
    pub source: Arc<BodySource>,
    /// Whether PostgreSQL knows what its body uses (`BEGIN ATOMIC`, `RETURN`).
    pub tracked: bool,
    /// Whether it may write: neither `STABLE` nor `IMMUTABLE`.
    pub volatile: bool,
    /// `IMMUTABLE`
    pub immutable: bool,
    /// Whether it may do what its owner may, whoever calls it (`SECURITY DEFINER`).
    pub definer: bool,
    /// Where its body looks for names (`SET search_path`); `None`: where the session looks.
    pub path: Option<Arc<[Ident]>>,
    /// A digest of its body and of how it runs, to tell two apart.
    pub body: Ident,
}

impl Function {
    /// Whether it takes or returns values of a type, arrays and sets of them included.
    pub(crate) fn is_of_type(&self, shown: &str) -> bool {
        let returns = self.returns.strip_prefix("setof ").unwrap_or(&self.returns);
        returns.trim_end_matches("[]") == shown
            || self.arguments.iter().any(|(data_type, _)| data_type.base() == shown)
            || self.outputs.iter().any(|(_, data_type)| data_type.base() == shown)
    }

    /// `name(type, type)`
    pub fn signature(&self, name: &QName) -> String {
        let types: Vec<_> = self.arguments.iter().map(|(data_type, _)| data_type.as_str()).collect();
        format!("{name}({})", types.join(", "))
    }
}

/// What an object beside tables stands on, and goes with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct StandsOn {
    /// The functions that it is made of.
    pub(super) functions: Vec<QName>,
    /// The types that it casts to.
    pub(super) types: BTreeSet<QName>,
    /// The table of statistics, and its columns that they are on.
    pub(super) columns: Option<(QName, Vec<Ident>)>,
}

/// The tables of a publication, with the columns that it publishes, if not all, and those that its `WHERE` may mention.
pub type PublishedTables = BTreeMap<QName, (Vec<Ident>, Vec<Ident>)>;

/// A publication.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Publication {
    /// `FOR ALL TABLES`
    pub all: bool,
    /// Its tables, with the columns that are published, if not all, and those that a `WHERE` may mention.
    pub tables: PublishedTables,
    /// The schemas whose tables it has.
    pub schemas: BTreeSet<Ident>,
    /// Whether it publishes changes and deletions of rows.
    pub changes: bool,
}

impl Publication {
    /// Whether it has a table.
    pub fn has(&self, table: &QName) -> bool {
        self.all || self.tables.contains_key(table) || self.schemas.contains(&table.schema)
    }
}
