//! What depends on the version of PostgreSQL, in one table. Each row was tried on servers of every version from 13 to 18, and is tried anew
//! by `tests/it/observed/versions.rs`; what is older stands in the release notes.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use crate::schema::{QName, Schema};
use crate::sql::operation::{ConstraintKind, DefaultValue, Ident, TableChange};
use crate::sql::{Form, Name, Operation, Words};

/// A major version of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PgVersion(pub u32);

impl Default for PgVersion {
    /// Where nobody says what production runs.
    fn default() -> Self {
        Self(15)
    }
}

impl fmt::Display for PgVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgreSQL {}", self.0)
    }
}

impl FromStr for PgVersion {
    type Err = String;

    /// `15`, `15.4`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let major = text.split('.').next().and_then(|major| major.parse().ok());
        let known = major.filter(|major| (10..100).contains(major));
        known.map(Self).ok_or_else(|| format!("{text:?} is no version of PostgreSQL; write 15 or 15.4"))
    }
}

macro_rules! facts {
    ($($(#[$doc:meta])* $fact:ident = $since:literal $words:literal [$($form:literal)*];)*) => {
        /// Something that PostgreSQL can do since some version.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Fact { $(#[doc = $words] $(#[$doc])* $fact),* }

        impl Fact {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$fact),*];

            /// What it is, for people.
            pub const fn words(self) -> &'static str {
                match self { $(Self::$fact => $words),* }
            }

            /// Since when.
            pub const fn since(self) -> PgVersion {
                PgVersion(match self { $(Self::$fact => $since),* })
            }

            /// How statements that need it read, as [`Form`] writes it. None, where the words do not tell, or where it is no question
            /// of what is refused.
            const fn forms(self) -> &'static [&'static str] {
                match self { $(Self::$fact => &[$($form),*]),* }
            }
        }
    };
}

facts! {
    // How a statement runs.
    FastDefault = 11 "adding a column with a default without writing the table anew" [];
    NotNullByCheck = 12 "SET NOT NULL without reading the table" [];
    AddValueInTransaction = 12 "ADD VALUE in a transaction" [];
    DetachShutsPartition = 14 "DETACH PARTITION with the partition locked for everybody" [];

    // What is refused before.
    ReindexConcurrently = 12 "REINDEX CONCURRENTLY" ["reindex … concurrently"];
    DetachConcurrently = 14 "DETACH PARTITION CONCURRENTLY" ["alter table … detach partition … concurrently|finalize"];
    ReplaceTrigger = 14 "CREATE OR REPLACE TRIGGER" ["create or replace trigger"];
    Compression = 14 "a column's COMPRESSION" [
        "alter table … set compression" "create … table … compression pglz|lz4|default" "alter table … compression pglz|lz4|default"
    ];
    Multirange = 14 "multirange types" [
        "… int4multirange|int8multirange|nummultirange|tsmultirange|tstzmultirange|datemultirange"
    ];
    ProcedureOut = 14 "OUT parameters of procedures" ["create … procedure … (|, out"];
    SqlBody = 14 "a function body that is not a string" ["create … function|procedure … begin atomic" "create … function|procedure … ) … return"];
    ReindexPartitioned = 14 "REINDEX of what is partitioned" [];
    ReindexTablespace = 14 "REINDEX (TABLESPACE …)" ["reindex ( … tablespace"];
    StatisticsOnExpressions = 14 "statistics on expressions" ["create statistics … on (" "create statistics … on … , ("];
    SearchAndCycle = 14 "SEARCH and CYCLE of a recursive query" ["… with recursive … ) search depth|breadth first by" "… with recursive … ) cycle … set … using"];
    IdleSessionTimeout = 14 "the setting idle_session_timeout" ["set idle_session_timeout" "set local|session idle_session_timeout"];
    NullsNotDistinct = 15 "NULLS NOT DISTINCT" ["create|alter … nulls not distinct"];
    Merge = 15 "MERGE" ["merge into" "with … ) merge into"];
    SecurityInvoker = 15 "views with the rights of who reads them" ["create|alter … view … ( … security_invoker"];
    SetAccessMethod = 15 "SET ACCESS METHOD" ["alter table|materialized … set access method"];
    SetNullColumns = 15 "ON DELETE SET NULL or SET DEFAULT of some of a key's columns" ["create|alter … on delete set null|default ("];
    ParameterPrivileges = 15 "privileges on parameters" ["grant|revoke … on parameter"];
    PublishedSchemas = 15 "publications of whole schemas" ["create|alter publication … tables in schema"];
    PublishedParts = 15 "publications of some rows or columns" [
        "create publication … for table * (" "create publication … for table … where (" "alter publication … add|set table * ("
    ];
    ClusterPartitioned = 15 "CLUSTER of a partitioned table" [];
    NegativeScale = 15 "a numeric with a negative scale" ["create|alter … numeric|decimal ( * , -"];
    UnloggedSequence = 15 "unlogged sequences" ["create unlogged sequence" "alter sequence … set logged|unlogged"];
    ColumnStorage = 16 "STORAGE in a column's definition" [
        "create … table … storage plain|external|extended|main|default" "alter table … set storage default"
        "alter table … add … storage plain|external|extended|main|default"
    ];
    IsJson = 16 "IS JSON" ["… is json" "… is not json"];
    TruncatedInZone = 16 "date_trunc with a time zone in an index or a generated column" [
        "create index|unique … date_trunc ( * , * , *" "create|alter table … as ( date_trunc ( * , * , *"
        "create|alter table … exclude … date_trunc ( * , * , *"
    ];
    GrantOptions = 16 "GRANT … WITH INHERIT or SET" ["grant … with inherit|set"];
    SetExpression = 17 "another expression for a generated column" ["alter table … set expression"];
    MergeMore = 17 "MERGE … RETURNING or BY SOURCE" ["merge into … returning" "merge into … by source|target"];
    ExcludePartitioned = 17 "exclusion constraints of partitioned tables" [];
    IdentityPartitioned = 17 "an identity column added to a partitioned table that has partitions" [];
    DefaultAccessMethod = 17 "SET ACCESS METHOD DEFAULT" ["alter table|materialized … set access method default"];
    PartitionedAccessMethod = 17 "the access method of a partitioned table" ["create table … partition by … ) using"];
    StatisticsDefault = 17 "SET STATISTICS DEFAULT" ["alter table … set statistics default"];
    Maintain = 17 "the privilege MAINTAIN" ["grant|revoke … maintain … on"];
    TransactionTimeout = 17 "the setting transaction_timeout" ["set transaction_timeout" "set local|session transaction_timeout"];
    CopyOnError = 17 "COPY … ON_ERROR" ["copy … from … on_error"];
    JsonTable = 17 "JSON_TABLE" ["… json_table ("];
    GeneratedVirtual = 18 "a virtual generated column" [];
    NotEnforced = 18 "ENFORCED and NOT ENFORCED constraints" [
        "create|alter … ) not enforced" "create|alter … ) enforced" "create|alter … references * not enforced"
        "alter table … alter constraint * not enforced" "alter table … alter constraint * enforced"
    ];
    NotNullByName = 18 "NOT NULL as a constraint of the table" [
        "alter table … add not null" "alter table … add constraint * not null" "create … table … (|, not null"
        "create … table … (|, constraint * not null"
    ];
    NotNullNotValid = 18 "a NOT NULL constraint that is NOT VALID" [];
    NotNullNoInherit = 18 "NOT NULL … NO INHERIT" ["create|alter … not null no inherit"];
    NotNullIsConstraint = 18 "the name of a NOT NULL constraint" [];
    WithoutOverlaps = 18 "keys WITHOUT OVERLAPS" ["create|alter … without overlaps"];
    PeriodKey = 18 "foreign keys with a PERIOD" ["create|alter … foreign key ( … , period"];
    PublishedGenerated = 18 "a generated column in the list of a publication" [];
    NotValidOnPartitioned = 18 "a NOT VALID foreign key of a partitioned table" [];
    ForeignTableLike = 18 "CREATE FOREIGN TABLE … (LIKE …)" ["create foreign table … (|, like"];
    OnlyMaintained = 18 "ANALYZE or VACUUM with ONLY" ["analyze|vacuum only" "analyze|vacuum verbose|full|freeze|analyze only"];
    ReturningOld = 18 "OLD and NEW in RETURNING" ["insert|update|delete|merge|with … returning … old|new ."];
    LargeObjectDefaults = 18 "default privileges on large objects" ["alter default privileges … on large objects"];
}

/// The functions that are PostgreSQL's own since some version.
const FUNCTIONS: &[(u32, &[&str])] = &[
    (14, &["bit_count", "bit_xor", "date_bin", "string_to_table", "trim_array", "unistr"]),
    (15, &["regexp_count", "regexp_instr", "regexp_like", "regexp_substr"]),
    (
        16,
        &[
            "any_value",
            "array_sample",
            "array_shuffle",
            "json_array",
            "json_arrayagg",
            "json_objectagg",
            "random_normal",
        ],
    ),
    (
        17,
        &[
            "json_exists",
            "json_query",
            "json_serialize",
            "json_value",
            "to_bin",
            "to_oct",
            "uuid_extract_timestamp",
            "xmltext",
        ],
    ),
    (18, &["array_reverse", "array_sort", "casefold", "crc32", "crc32c", "uuidv4", "uuidv7"]),
];

impl PgVersion {
    /// The newest version that there are facts of.
    pub const NEWEST: Self = Self(18);

    /// Whether this version can do it.
    pub fn has(self, fact: Fact) -> bool {
        self >= fact.since()
    }
}

/// What a statement needs, and since when PostgreSQL has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What it is, for people.
    pub what: String,
    /// Since when.
    pub since: PgVersion,
}

impl From<Fact> for Need {
    fn from(fact: Fact) -> Self {
        Self { what: fact.words().to_owned(), since: fact.since() }
    }
}

/// The facts that statements show in their words, with the forms of these.
static WRITTEN: LazyLock<Vec<(Fact, Vec<Form>)>> = LazyLock::new(|| {
    let forms = |fact: Fact| fact.forms().iter().map(|form| Form::new(form)).collect();
    Fact::ALL.iter().map(|fact| (*fact, forms(*fact))).collect()
});

/// The newest that a statement needs and that a version does not have.
pub fn needed(words: &Words, operation: &Operation, schema: &Schema, version: PgVersion) -> Option<Need> {
    let written =
        WRITTEN.iter().filter(|(fact, forms)| !version.has(*fact) && forms.iter().any(|form| words.have(form)));
    let written = written.map(|(fact, _)| *fact);
    let meant = meant(operation, schema).filter(|fact| !version.has(*fact));
    let newer = || FUNCTIONS.iter().filter(|(since, _)| version < PgVersion(*since));
    let called = words.calls().filter_map(|name| {
        let (since, _) = newer().find(|(_, names)| names.contains(&name))?;
        // Who misses a function makes one.
        let own = schema.all_functions().any(|(known, _)| *known.name == *name);
        (!own).then(|| Need { what: format!("the function {name}"), since: PgVersion(*since) })
    });
    written.chain(meant).map(Need::from).chain(called).max_by_key(|need| need.since)
}

/// What depends on more than the words.
fn meant(operation: &Operation, schema: &Schema) -> Option<Fact> {
    let partitioned = |name: &Name| {
        let name = schema.resolve(name);
        let table = schema.index_table(&name).unwrap_or(&name);
        schema.relation(table).is_some_and(|t| t.partitioned)
    };
    let excludes = |kind: &ConstraintKind| matches!(kind, ConstraintKind::Exclude { .. });
    match operation {
        Operation::Object { publishes: Some(publishes), .. } => {
            let generated = |table: &Name, column: &Ident| {
                let found = schema.relation(&schema.resolve(table)).and_then(|relation| relation.column(column));
                found.is_some_and(|column| column.default == Some(DefaultValue::GeneratedStored))
            };
            let mut listed = publishes.tables.iter().flat_map(|of| of.columns.iter().map(|column| (&of.table, column)));
            listed.any(|(table, column)| generated(table, column)).then_some(Fact::PublishedGenerated)
        }
        Operation::Reindex { name: Some(name), .. } => partitioned(name).then_some(Fact::ReindexPartitioned),
        Operation::Maintenance { command: "CLUSTER", table: Some(table), .. } => {
            partitioned(table).then_some(Fact::ClusterPartitioned)
        }
        Operation::CreateTable(table) if table.columns.iter().any(|c| is_virtual(c.default)) => {
            Some(Fact::GeneratedVirtual)
        }
        Operation::CreateTable(table) => {
            let excluded = table.partitioned && table.constraints.iter().any(|c| excludes(&c.kind));
            excluded.then_some(Fact::ExcludePartitioned)
        }
        Operation::AlterTable { table, change, .. } => match change {
            TableChange::AddColumn { column, .. } if is_virtual(column.default) => Some(Fact::GeneratedVirtual),
            TableChange::AddColumn { column, if_not_exists, .. } => {
                let name = schema.resolve(table);
                let found = schema.relation(&name).filter(|relation| relation.partitioned)?;
                let skipped = *if_not_exists && found.column(&column.name).is_some();
                let identity =
                    matches!(column.default, Some(DefaultValue::IdentityAlways | DefaultValue::IdentityByDefault));
                (identity && !skipped && schema.children(&name).next().is_some()).then_some(Fact::IdentityPartitioned)
            }
            TableChange::SetNotNull { not_valid, .. } => not_valid.then_some(Fact::NotNullNotValid),
            TableChange::AddConstraint(definition) => match &definition.kind {
                ConstraintKind::ForeignKey { .. } if definition.not_valid => {
                    partitioned(table).then_some(Fact::NotValidOnPartitioned)
                }
                kind => (excludes(kind) && partitioned(table)).then_some(Fact::ExcludePartitioned),
            },
            TableChange::DropConstraint { name, .. }
            | TableChange::ValidateConstraint { name }
            | TableChange::RenameConstraint { from: name, .. }
            | TableChange::AlterConstraint { name, .. } => {
                names_not_null(&schema.resolve(table), name, schema).then_some(Fact::NotNullIsConstraint)
            }
            _ => None,
        },
        _ => None,
    }
}

fn is_virtual(default: Option<DefaultValue>) -> bool {
    default == Some(DefaultValue::GeneratedVirtual)
}

/// Whether a name is that of a NOT NULL constraint, and of no other.
fn names_not_null(table: &QName, constraint: &str, schema: &Schema) -> bool {
    let relation = schema.relation(table).filter(|r| !r.constraints.contains_key(constraint));
    relation.is_some_and(|r| r.not_null_named(&table.name, constraint).is_some())
}

/// What PostgreSQL took until some version and refuses since: an unlogged partitioned table, which never was one.
pub fn refused_since(operation: &Operation, schema: &Schema) -> Option<(&'static str, PgVersion)> {
    let unlogged = match operation {
        Operation::CreateTable(table) => table.unlogged && table.partitioned,
        Operation::AlterTable { table, change: TableChange::SetLogged { .. }, .. } => {
            schema.relation(&schema.resolve(table)).is_some_and(|t| t.partitioned)
        }
        _ => false,
    };
    unlogged.then_some(("a partitioned table cannot be logged or unlogged, its partitions are", PgVersion(18)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_people_write_them() {
        assert_eq!("15".parse(), Ok(PgVersion(15)));
        assert_eq!("15.18".parse(), Ok(PgVersion(15)));
        assert!("fifteen".parse::<PgVersion>().is_err());
        assert!("9.6".parse::<PgVersion>().is_err());
        assert!(PgVersion(12).has(Fact::NotNullByCheck) && !PgVersion(17).has(Fact::GeneratedVirtual));
    }
}
