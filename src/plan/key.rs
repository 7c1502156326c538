//! What operations share, by which the graph can tell which of two must come first.

use std::fmt;

use crate::schema::QName;
use crate::sql::operation::Ident;

/// What of a relation operations share, beside its columns and rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Aspect {
    /// Whether a column takes NULL: what only reads the column does not ask.
    NotNull(Ident),
    /// What `*`, LIKE, and an INSERT without a column list stand on: all that changed the columns before.
    Columns,
    /// What an INSERT that leaves a column out stands on.
    Default(Ident),
    /// There can be only one.
    DefaultPartition,
    /// Who may do what.
    Grants,
    /// What inherits from it.
    Heirs,
    /// What `LIKE` copies, before it is changed.
    Likeness,
    /// Whose it is.
    Owner,
    /// What it is a part of.
    Parent,
    /// Which partitions it has.
    Partitions,
    /// There can be only one.
    PrimaryKey,
    /// The foreign keys that point to it: it cannot be emptied alone once there are any.
    References,
    /// Columns that an INSERT could not leave out, until they are gone.
    Required,
    /// Whether row security is on.
    RowSecurity,
    /// How it is stored.
    Storage,
    /// The rules that `ON CONFLICT` asks.
    UniqueRules,
    /// A constraint whose name PostgreSQL makes up.
    UnnamedConstraint,
    /// An index whose name PostgreSQL makes up.
    UnnamedIndex,
    /// What a statement without a list of columns counts on until it has run: that no column is added.
    Width,
    /// A constraint, index, trigger, or policy.
    Named(Ident),
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNull(column) => write!(f, "(NOT NULL of {column})"),
            Self::Columns => f.write_str("(columns)"),
            Self::Default(column) => write!(f, "(default of {column})"),
            Self::DefaultPartition => f.write_str("(default partition)"),
            Self::Grants => f.write_str("(grants)"),
            Self::Heirs => f.write_str("(heirs)"),
            Self::Required => f.write_str("(required columns)"),
            Self::Likeness => f.write_str("(likeness)"),
            Self::Owner => f.write_str("(owner)"),
            Self::Parent => f.write_str("(parent)"),
            Self::Partitions => f.write_str("(partitions)"),
            Self::PrimaryKey => f.write_str("(primary key)"),
            Self::References => f.write_str("(references)"),
            Self::RowSecurity => f.write_str("(row security)"),
            Self::Storage => f.write_str("(storage)"),
            Self::UniqueRules => f.write_str("(unique rules)"),
            Self::UnnamedConstraint => f.write_str("(unnamed constraint)"),
            Self::UnnamedIndex => f.write_str("(unnamed index)"),
            Self::Width => f.write_str("(width)"),
            Self::Named(name) => write!(f, "{name}"),
        }
    }
}

/// Something that operations share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Relation(QName),
    Column(QName, Ident),
    /// Something of a relation.
    Of(QName, Aspect),
    /// An object that no schema shows, by its kind and its name: a publication, a text search configuration.
    Object(Ident, Ident),
    /// Who may do what with something that is no relation, in the words of the statement; with what is made later: `new relations`.
    Granted(String),
    /// The search path that a role or a database sets.
    SearchPath(String),
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
            Self::Of(relation, aspect) => write!(f, "{aspect} of {relation}"),
            Self::Object(kind, name) => write!(f, "{kind} {name}"),
            Self::Granted(what) => write!(f, "(grants) of {what}"),
            Self::SearchPath(of) => write!(f, "search_path of {of}"),
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

/// See [`Aspect::NotNull`].
pub(super) fn nullness_of(table: &QName, column: &Ident) -> Key {
    Key::Of(table.clone(), Aspect::NotNull(column.clone()))
}

/// What is granted on what is made later.
pub(super) fn default_grants() -> Key {
    Key::Granted("new relations".to_owned())
}

/// See [`Aspect::Default`].
pub(super) fn default_of(table: &QName, column: &Ident) -> Key {
    Key::Of(table.clone(), Aspect::Default(column.clone()))
}

/// See [`Aspect::Columns`].
pub(super) fn shape_of(table: &QName) -> Key {
    Key::Of(table.clone(), Aspect::Columns)
}

/// See [`Aspect::Width`].
pub(super) fn width_of(table: &QName) -> Key {
    Key::Of(table.clone(), Aspect::Width)
}
