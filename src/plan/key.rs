//! What operations share, by which the graph can tell which of two must come first.

use std::fmt;

use crate::schema::QName;
use crate::sql::operation::Ident;

/// There can be only one of each for a table.
pub(super) const PRIMARY_KEY: &str = "(primary key)";
pub(super) const DEFAULT_PARTITION: &str = "(default partition)";

/// Which partitions a table has.
pub(super) const PARTITIONS: &str = "(partitions)";
/// What inherits from a table.
pub(super) const HEIRS: &str = "(heirs)";
/// What a table is a part of.
pub(super) const PARENT: &str = "(parent)";
/// The rules that `ON CONFLICT` asks.
pub(super) const UNIQUE: &str = "(unique rules)";
/// The foreign keys that point to a table: it cannot be emptied alone once there are any.
pub(super) const REFERENCES: &str = "(references)";
/// What `LIKE` copies, before it is changed.
pub(super) const LIKENESS: &str = "(likeness)";

/// Something that operations share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Relation(QName),
    Column(QName, Ident),
    /// A constraint, index, trigger, policy, or the grants of a relation.
    Part(QName, Ident),
    Type(String),
    Function(QName),
    Namespace(Ident),
    Extension(Ident),
    /// The rows of a relation. Data statements define them; what checks all rows uses them.
    Rows(QName),
    /// Rules on rows, by a column that they are about, that the release takes away: data statements that come after and write the column
    /// may need them gone.
    Loosened(QName, Ident),
    /// A column that the body of a function named which goes, or becomes another: the column can only go after it.
    Named(QName, Ident),
    /// Triggers and defaults that the release takes away: functions can only go after them.
    FunctionUsers,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relation(name) => write!(f, "{name}"),
            Self::Column(relation, column) => write!(f, "{relation}.{column}"),
            Self::Part(relation, part) => write!(f, "{part} of {relation}"),
            Self::Type(name) => write!(f, "type {name}"),
            Self::Function(name) => write!(f, "function {name}"),
            Self::Namespace(name) => write!(f, "schema {name}"),
            Self::Extension(name) => write!(f, "extension {name}"),
            Self::Rows(relation) => write!(f, "rows of {relation}"),
            Self::Loosened(relation, column) => write!(f, "rules on {relation}.{column}"),
            Self::Named(relation, column) => write!(f, "bodies that name {relation}.{column}"),
            Self::FunctionUsers => f.write_str("what calls functions"),
        }
    }
}

/// Whether a column takes NULL: what only reads the column does not ask.
pub(super) fn nullness_of(table: &QName, column: &Ident) -> Key {
    Key::Part(table.clone(), format!("(NOT NULL of {column})").into())
}

/// What is granted on what is made later.
pub(super) fn default_grants() -> Key {
    Key::Part(QName::new("", "(new relations)"), "(grants)".into())
}

/// What an INSERT that leaves a column out stands on.
pub(super) fn default_of(table: &QName, column: &Ident) -> Key {
    Key::Part(table.clone(), format!("(default of {column})").into())
}

/// What `*`, LIKE, and an INSERT without a column list stand on: all that changed the columns before.
pub(super) fn shape_of(table: &QName) -> Key {
    Key::Part(table.clone(), "(columns)".into())
}

/// What such a statement counts on until it has run: that no column is added.
pub(super) fn width_of(table: &QName) -> Key {
    Key::Part(table.clone(), "(width)".into())
}
