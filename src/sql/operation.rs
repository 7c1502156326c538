//! One typed change. A statement holds one or more; whatever is not typed here is [`Operation::Opaque`].

use std::sync::Arc;

use super::name::Name;
pub use super::object::{ObjectChange, ObjectKind};
pub use super::publication::{PublishVerb, PublishedTable, Publishes};
use super::query::{Kept, KeyKind, QueryExpression};
pub use super::rewrite_rule::{RuleBody, RuleChange, RuleEvent, RuleVerb};
pub use super::routine::{CreateFunction, Routine, RoutineChange};
pub(crate) use super::routine::{FunctionBody, path_in};
pub use super::table::{
    ColumnDefinition, ConstraintDefinition, ConstraintKind, CreateTable, DefaultValue, Like, OnDelete, ReplicaIdentity,
    TableChange,
};
use super::types::TypeName;
pub use super::user_type::{AttributeChange, DomainChange, DomainCheck, TypeDefinition};

pub use super::name::Ident;

/// One change to the schema or to rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// `CREATE TABLE`
    CreateTable(Box<CreateTable>),
    /// One sub-command of `ALTER TABLE`.
    AlterTable {
        /// The table (or view, sequence, …: `ALTER TABLE` takes them too).
        table: Name,
        /// `IF EXISTS`
        if_exists: bool,
        /// `ONLY`: not the tables that inherit from it.
        only: bool,
        /// What changes.
        change: TableChange,
    },
    /// `DROP TABLE|VIEW|MATERIALIZED VIEW|SEQUENCE|INDEX`, one name.
    DropRelation {
        /// What was named in the statement.
        kind: RelationKind,
        /// Which one.
        name: Name,
        /// `IF EXISTS`
        if_exists: bool,
        /// `CASCADE`
        cascade: bool,
        /// `CONCURRENTLY` (indexes)
        concurrently: bool,
        /// All that the statement drops: PostgreSQL looks at what depends on all of them together.
        together: Arc<[Name]>,
    },
    /// `ALTER … RENAME TO`
    RenameRelation {
        /// What was named in the statement.
        kind: RelationKind,
        /// Which one.
        name: Name,
        /// `IF EXISTS`
        if_exists: bool,
        /// Its new name.
        to: Ident,
    },
    /// `ALTER … SET SCHEMA`
    MoveRelation {
        /// What was named in the statement.
        kind: RelationKind,
        /// Which one.
        name: Name,
        /// `IF EXISTS`
        if_exists: bool,
        /// Its new schema.
        to: Ident,
    },
    /// `CREATE INDEX`
    CreateIndex(Box<CreateIndex>),
    /// `REINDEX`
    Reindex {
        /// The index, table, or schema.
        name: Option<Name>,
        /// Whether `name` is an index.
        index: bool,
        /// `CONCURRENTLY`
        concurrently: bool,
    },
    /// `CREATE [OR REPLACE] [MATERIALIZED] VIEW`
    CreateView(Box<CreateView>),
    /// `REFRESH MATERIALIZED VIEW`
    RefreshView {
        /// Which one.
        name: Name,
        /// `CONCURRENTLY`
        concurrently: bool,
        /// `WITH NO DATA`
        empties: bool,
    },
    /// `CREATE TYPE` and `CREATE DOMAIN`
    CreateType {
        /// Its name.
        name: Name,
        /// Whether one that is there already is passed over.
        if_not_exists: bool,
        /// What it is.
        definition: TypeDefinition,
    },
    /// `DROP TYPE|DOMAIN`
    DropType {
        /// Which one.
        name: Name,
        /// All that its statement names.
        together: Vec<Name>,
        /// `IF EXISTS`
        if_exists: bool,
        /// `CASCADE`
        cascade: bool,
    },
    /// `ALTER TYPE … SET SCHEMA`
    MoveType {
        /// Which one.
        name: Name,
        /// The new schema.
        to: Ident,
    },
    /// `ALTER TYPE … RENAME TO`
    RenameType {
        /// Which one.
        name: Name,
        /// Its new name.
        to: Ident,
    },
    /// `ALTER TYPE … ADD VALUE`
    AddEnumLabel {
        /// The enum.
        name: Name,
        /// `IF NOT EXISTS`
        if_not_exists: bool,
        /// The label.
        label: Ident,
        /// `(true, x)`: before x; `(false, x)`: after x.
        position: Option<(bool, Ident)>,
    },
    /// `ALTER DOMAIN`
    AlterDomain {
        /// The domain.
        name: Name,
        /// What changes.
        change: DomainChange,
    },
    /// `ALTER TYPE … ADD|DROP|ALTER|RENAME ATTRIBUTE`, one of them.
    AlterComposite {
        /// The composite type.
        name: Name,
        /// What changes.
        change: AttributeChange,
        /// `CASCADE`: tables of the type change with it.
        cascade: bool,
    },
    /// `ALTER TYPE … RENAME VALUE`
    RenameEnumLabel {
        /// The enum.
        name: Name,
        /// The old label.
        from: Ident,
        /// The new label.
        to: Ident,
    },
    /// `CREATE SEQUENCE`
    CreateSequence {
        /// Its name.
        name: Name,
        /// `IF NOT EXISTS`
        if_not_exists: bool,
        /// `TEMPORARY`
        temporary: bool,
        /// `OWNED BY table.column`
        owned_by: Option<(Name, Ident)>,
    },
    /// `ALTER SEQUENCE` other than a rename or a move.
    AlterSequence {
        /// Its name.
        name: Name,
        /// `IF EXISTS`
        if_exists: bool,
        /// Whether the change can make it hand out a number twice, or other numbers than clients expect (`RESTART`, `AS`, bounds).
        changes_values: bool,
        /// `OWNED BY table.column`
        owned_by: Option<(Name, Ident)>,
        /// `OWNED BY NONE`
        disowned: bool,
    },
    /// `CREATE [OR REPLACE] FUNCTION|PROCEDURE`
    CreateFunction(Box<CreateFunction>),
    /// `DROP FUNCTION|PROCEDURE|ROUTINE`
    DropFunction {
        /// As what it is dropped.
        called: Routine,
        /// Its name.
        name: Name,
        /// Its input argument types, where written.
        arguments: Option<Vec<TypeName>>,
        /// `IF EXISTS`
        if_exists: bool,
        /// `CASCADE`
        cascade: bool,
    },
    /// `ALTER FUNCTION|PROCEDURE|ROUTINE`
    AlterFunction {
        /// As what it is altered.
        called: Routine,
        /// Its name.
        name: Name,
        /// Its input argument types, where written.
        arguments: Option<Vec<TypeName>>,
        /// What is changed.
        change: RoutineChange,
    },
    /// `CREATE [OR REPLACE] [CONSTRAINT] TRIGGER`
    CreateTrigger {
        /// Its name.
        name: Ident,
        /// Its table.
        table: Name,
        /// `OR REPLACE`
        or_replace: bool,
        /// The function it calls.
        function: Option<Name>,
        /// The columns of `UPDATE OF`, and those that its `WHEN` may mention.
        columns: Vec<Ident>,
        /// The names that `REFERENCING … TABLE AS` gives to the rows that are written.
        transitions: Vec<Ident>,
        /// When it runs.
        firing: Firing,
        /// Its `WHEN`.
        condition: Kept,
    },
    /// `DROP TRIGGER`
    DropTrigger {
        /// Its name.
        name: Ident,
        /// Its table.
        table: Name,
        /// `IF EXISTS`
        if_exists: bool,
    },
    /// `CREATE POLICY`
    CreatePolicy {
        /// Its name.
        name: Ident,
        /// Its table.
        table: Name,
        /// `AS RESTRICTIVE`
        restrictive: bool,
        /// What it says, to tell two apart.
        text: Ident,
        /// `USING` and `WITH CHECK`.
        conditions: Vec<Kept>,
    },
    /// `ALTER POLICY`
    AlterPolicy {
        /// Its name.
        name: Ident,
        /// Its table.
        table: Name,
        /// `RENAME TO`
        rename: Option<Ident>,
        /// What it says from now on, to tell two apart.
        text: Ident,
        /// `USING` and `WITH CHECK`.
        conditions: Vec<Kept>,
    },
    /// `DROP POLICY`
    DropPolicy {
        /// Its name.
        name: Ident,
        /// Its table.
        table: Name,
        /// `IF EXISTS`
        if_exists: bool,
    },
    /// `GRANT` and `REVOKE`
    Privileges {
        /// `true`: GRANT.
        grant: bool,
        /// The privileges in upper case, or `ALL`.
        privileges: Vec<String>,
        /// What it is on.
        objects: Vec<GrantObject>,
        /// The roles.
        grantees: Vec<String>,
        /// The columns that it is on only.
        columns: Vec<Ident>,
    },
    /// `COMMENT ON`
    Comment {
        /// The object as written, for people.
        object: String,
        /// The relation it is about, if it is one or part of one, and the column.
        relation: Option<(Name, Option<Ident>)>,
    },
    /// `CREATE SCHEMA`
    CreateNamespace {
        /// Its name.
        name: Ident,
        /// `IF NOT EXISTS`
        if_not_exists: bool,
    },
    /// `DROP SCHEMA`
    DropNamespace {
        /// Its name.
        name: Ident,
        /// `IF EXISTS`
        if_exists: bool,
        /// `CASCADE`
        cascade: bool,
    },
    /// `CREATE EXTENSION`
    CreateExtension {
        /// Its name.
        name: Ident,
    },
    /// `DROP EXTENSION`
    DropExtension {
        /// Its name.
        name: Ident,
        /// `IF EXISTS`
        if_exists: bool,
        /// `CASCADE`
        cascade: bool,
    },
    /// `INSERT`, `UPDATE`, `DELETE`, `MERGE`, `TRUNCATE`, `COPY`
    Data(Box<DataChange>),
    /// `SELECT` and other statements that only read (unless a function it calls writes).
    Query {
        /// The relations it names.
        reads: Vec<Name>,
        /// Functions it calls that are not known to be harmless.
        calls: Vec<Name>,
    },
    /// `SET`, `RESET`, `SELECT set_config(…)`: how the session behaves, for the statements after it.
    Session {
        /// What it makes of the `search_path`, if it is about that.
        search_path: Option<SearchPath>,
        /// Whether it holds until the transaction ends and no longer: `SET LOCAL`.
        local: bool,
    },
    /// `ALTER ROLE|DATABASE … SET search_path`: where new sessions look.
    DefaultPath {
        /// Whose, for people.
        of: String,
        /// The schemas.
        path: Vec<Ident>,
    },
    /// `BEGIN`, `COMMIT`, `SAVEPOINT`, …: the author's own transaction control.
    Transaction(TransactionControl),
    /// `VACUUM`, `ANALYZE`, `CLUSTER`: maintenance.
    Maintenance {
        /// The command word.
        command: &'static str,
        /// The table, if one is named.
        table: Option<Name>,
        /// Whether it locks out everybody (`VACUUM FULL`, `CLUSTER`).
        exclusive: bool,
    },
    /// `LOCK TABLE`
    Lock {
        /// The tables.
        tables: Vec<Name>,
        /// The mode in upper case, for example `SHARE ROW EXCLUSIVE`.
        mode: String,
    },
    /// A statement on an object that stands beside tables.
    Object {
        /// What it is.
        kind: ObjectKind,
        /// Its name, with its signature where it has one.
        name: String,
        /// What is done to it.
        change: ObjectChange,
        /// `IF EXISTS`, `IF NOT EXISTS`
        lenient: bool,
        /// What new statistics are on.
        statistics: Option<Box<CreateStatistics>>,
        /// What a publication gets or loses by it.
        publishes: Option<Box<Publishes>>,
        /// The functions that a new event trigger, aggregate, cast or operator is made of.
        runs: Vec<Name>,
    },
    /// Not understood.
    Opaque {
        /// What it is, for people, for example `DO block`.
        what: String,
        /// A rule that it makes, changes or drops.
        rule: Option<Box<RuleChange>>,
    },
}

/// Kinds of relations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RelationKind {
    /// An ordinary or partitioned table.
    Table,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A sequence.
    Sequence,
    /// An index.
    Index,
    /// A foreign table.
    ForeignTable,
}

/// When a trigger runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firing {
    /// `BEFORE`, `INSTEAD OF`
    pub before: bool,
    /// `INSTEAD OF`
    pub instead: bool,
    /// `FOR EACH ROW`: the partitions of its table have it, too.
    pub each_row: bool,
    /// `INSERT`
    pub insert: bool,
    /// `UPDATE`
    pub update: bool,
    /// `DELETE`, `TRUNCATE`
    pub delete: bool,
}

impl Firing {
    /// Whenever rows are written: what is not known.
    pub const ALWAYS: Self =
        Self { before: true, instead: false, each_row: true, insert: true, update: true, delete: true };

    /// Whether it can change the rows that are written.
    pub const fn changes_rows(self) -> bool {
        self.before && self.each_row
    }
}

impl RelationKind {
    /// The SQL keyword.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Table => "TABLE",
            Self::View => "VIEW",
            Self::MaterializedView => "MATERIALIZED VIEW",
            Self::Sequence => "SEQUENCE",
            Self::Index => "INDEX",
            Self::ForeignTable => "FOREIGN TABLE",
        }
    }
}

/// `CREATE STATISTICS … ON … FROM table`
#[derive(Debug, Clone, PartialEq)]
pub struct CreateStatistics {
    /// The table.
    pub table: Name,
    /// The columns.
    pub columns: Vec<Ident>,
    /// The expressions.
    pub values: Vec<Kept>,
}

/// The output and the inputs of a query, as far as syntax tells.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueryShape {
    /// The output columns; `None` where syntax cannot tell (`SELECT *` of something unknown).
    pub columns: Option<Vec<OutputColumn>>,
    /// The relations it names, in order of appearance.
    pub reads: Vec<Name>,
    /// Columns it names, qualified by an alias or a table where written.
    pub mentions: Vec<(Option<Ident>, Ident)>,
    /// Aliases of the relations it names.
    pub aliases: Vec<(Ident, Name)>,
    /// Whether it has `*` anywhere in its output.
    pub star: bool,
    /// The functions it calls.
    pub calls: Vec<Name>,
    /// The types that it casts to.
    pub types: Vec<TypeName>,
    /// Names of what is not a relation: `WITH` queries and subqueries.
    pub inner: Vec<Ident>,
    /// Whether a query anywhere inside has `*` in its output, so that `inner` names can hand on columns that nothing mentions.
    pub inner_star: bool,
    /// Each `SELECT` inside it: the relations of its `FROM`, and the bare column names in it.
    pub scopes: Vec<Scope>,
    /// Whether an arm of a `UNION` (or its kind) has `*` in its output, so that the arms' widths must agree.
    pub star_arms: bool,
    /// Whether it is `SELECT … FROM one_table [WHERE …]`, the kind of view that PostgreSQL can write through.
    pub simple: bool,
}

/// Where bare column names are looked up together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scope {
    /// The relations.
    pub reads: Vec<Name>,
    /// The bare names.
    pub bare: Vec<Ident>,
}

/// A column that a query returns.
#[derive(Debug, Clone, PartialEq)]
pub enum OutputColumn {
    /// `a` or `t.a`, perhaps `AS name`.
    Column {
        /// The alias or table it was qualified with.
        from: Option<Ident>,
        /// The column.
        column: Ident,
        /// Its name in the output.
        name: Ident,
    },
    /// Anything else.
    Expression {
        /// Its name in the output.
        name: Ident,
    },
    /// `*` or `t.*`
    Star {
        /// The alias or table it was qualified with.
        from: Option<Ident>,
    },
}

/// `CREATE INDEX`
#[derive(Debug, Clone, PartialEq)]
pub struct CreateIndex {
    /// Its name, if one was written.
    pub name: Option<Ident>,
    /// Its table.
    pub table: Name,
    /// Its key: columns, or `None` for an expression.
    pub key: Vec<Option<Ident>>,
    /// What PostgreSQL would call each key column in a generated index name.
    pub key_names: Vec<Ident>,
    /// Columns that its expressions and its predicate mention.
    pub mentions: Vec<Ident>,
    /// `UNIQUE`
    pub unique: bool,
    /// `CONCURRENTLY`
    pub concurrently: bool,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// Its `WHERE`.
    pub predicate: Option<Ident>,
    /// The expressions of its key, in order.
    pub expressions: Vec<Ident>,
    /// The same to be looked at.
    pub values: Vec<Kept>,
    /// Its `WHERE` to be looked at.
    pub condition: Kept,
    /// `USING`, in lower case.
    pub method: Ident,
    /// The operator classes that are written in its key, by place.
    pub classes: Vec<Option<Name>>,
    /// The collations that are written in its key, by place.
    pub collations: Vec<Option<Name>>,
    /// `NULLS NOT DISTINCT`
    pub nulls_collide: bool,
    /// `ON ONLY`
    pub only: bool,
    /// Whether a part of its key is sorted otherwise than by itself: `DESC`, `NULLS FIRST`.
    pub sorted: bool,
}

impl CreateIndex {
    /// Of a unique index, by what the columns of its key are compared, as far as it is written.
    pub fn kinds(&self) -> impl Iterator<Item = (Ident, KeyKind)> {
        let bare = |names: &[Option<Name>], at: usize| names.get(at)?.as_ref().map(|name| name.name.clone());
        let columns = self.key.iter().enumerate().filter(|_| self.unique);
        columns.filter_map(move |(at, column)| {
            let (collation, class) = (bare(&self.collations, at), bare(&self.classes, at));
            Some((column.clone()?, KeyKind { collation, class }))
        })
    }
}

/// `CREATE VIEW`
#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    /// Its name.
    pub name: Name,
    /// `OR REPLACE`
    pub or_replace: bool,
    /// `IF NOT EXISTS`
    pub if_not_exists: bool,
    /// `MATERIALIZED`
    pub materialized: bool,
    /// `TEMPORARY`
    pub temporary: bool,
    /// Column names written after the view's name.
    pub columns: Vec<Ident>,
    /// Its query.
    pub query: QueryShape,
    /// The same with its expressions, to tell the types of its columns by.
    pub body: Arc<QueryExpression>,
    /// `WITH CHECK OPTION`
    pub check_option: bool,
    /// `WITH NO DATA`
    pub unfilled: bool,
    /// Its query in digests, to tell two apart: first of all but its output, then of each column of the output.
    pub definition: Vec<Ident>,
}

/// An object of a GRANT or REVOKE.
#[derive(Debug, Clone, PartialEq)]
pub enum GrantObject {
    /// A table, view or sequence.
    Relation(Name),
    /// `ALL TABLES|SEQUENCES IN SCHEMA`
    AllIn {
        /// Tables and views, or sequences.
        sequences: bool,
        /// The schemas.
        schemas: Vec<Ident>,
    },
    /// `ALL FUNCTIONS IN SCHEMA`, a schema, a function, a database, …: as written.
    Other(String),
    /// What is made later (`ALTER DEFAULT PRIVILEGES`).
    Future {
        /// `SEQUENCES`, not `TABLES`.
        sequences: bool,
        /// The schemas; empty: all.
        schemas: Vec<Ident>,
    },
}

impl GrantObject {
    /// An object whose privileges no simulation follows, in words. Those on all tables are followed as far as migrations grant them, which
    /// is not far enough to take a REVOKE for harmless.
    pub(crate) fn words(&self, grant: bool) -> Option<String> {
        match self {
            Self::Other(words) => Some(words.clone()),
            Self::AllIn { sequences, schemas } if !grant => {
                let what = if *sequences { "sequences" } else { "tables" };
                Some(format!("all {what} in schema {}", schemas.join(", ")))
            }
            Self::Relation(_) | Self::AllIn { .. } | Self::Future { .. } => None,
        }
    }
}

/// What a data statement does.
#[derive(Debug, Clone, PartialEq)]
pub struct DataChange {
    /// The verb.
    pub verb: DataVerb,
    /// The table it changes.
    pub table: Option<Name>,
    /// The columns it writes; empty where not listed.
    pub writes: Vec<Ident>,
    /// Everything it names.
    pub query: QueryShape,
    /// Whether it takes rows away: `DELETE`, `TRUNCATE`, a `MERGE` that deletes.
    pub deletes: bool,
    /// The columns that must be NULL in the rows that it changes (`UPDATE`, `DELETE`).
    pub nulls: Vec<Ident>,
    /// Tables that its `WITH` changes, too.
    pub also: Vec<Name>,
    /// For `DELETE`, `TRUNCATE` and `UPDATE`: whether it takes all rows.
    pub everything: bool,
    /// For `TRUNCATE`: all tables of the statement.
    pub together: Arc<[Name]>,
    /// For `TRUNCATE`: `CASCADE`
    pub cascade: bool,
    /// For `UPDATE`: whether running it again changes nothing (every assigned column is tested `IS NULL` in its `WHERE`).
    pub repeatable: bool,
}

/// Verbs of data statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataVerb {
    /// `INSERT`
    Insert,
    /// `UPDATE`
    Update,
    /// `DELETE`
    Delete,
    /// `MERGE`
    Merge,
    /// `TRUNCATE`
    Truncate,
    /// `COPY … FROM`
    Copy,
}

/// What a statement makes of a session's `search_path`.
#[derive(Debug, Clone, PartialEq)]
pub enum SearchPath {
    /// These schemas.
    Of(Vec<Ident>),
    /// What a new session has: `RESET`, `SET … TO DEFAULT`.
    Default,
}

/// The author's transaction control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionControl {
    /// `BEGIN`, `START TRANSACTION`
    Begin,
    /// `COMMIT`, `END`
    Commit,
    /// `ROLLBACK`
    Rollback,
    /// `SAVEPOINT`, `RELEASE`
    Savepoint,
}
