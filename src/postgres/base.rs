//! What a database says about a release: who migrated it, which migrations it has, its catalog. Nothing is guessed: a history that is not there
//! says nothing, unless the database is an empty one.

use super::history::{self, AppliedMigration, HistoryError, HistoryPlace};
use super::introspect::IntrospectError;
use super::survey::{self, Survey};
use super::{ServerError, Session, introspect};
use crate::effect::PgVersion;
use crate::migrations::{Convention, Folder, LoadError, Migration, Pending, Recorded};
use crate::plan;
use crate::schema::{QName, Schema};
use crate::sql::lex::words_of;
use crate::sql::operation::RelationKind;

/// Why a database does not tell what is applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaseError {
    /// The server refused.
    #[error("looking for the history failed: {0}")]
    Server(ServerError),
    /// The catalog cannot be read.
    #[error(transparent)]
    Catalog(#[from] IntrospectError),
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The version that somebody named is not there.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Nothing in it says what is applied.
    #[error("{0}")]
    Untold(String),
    /// It has what the folder does not have.
    #[error("the database has applied version {version}{} that the folder does not have", and_others(*.others))]
    Unknown {
        /// The first of them.
        version: String,
        /// How many more there are.
        others: usize,
    },
    /// The history says something else than somebody.
    #[error("--from says otherwise than the history of {convention}, by which {version} {says}")]
    Contradicted {
        /// Whose history.
        convention: Convention,
        /// The version they differ in.
        version: String,
        /// What the history says of it.
        says: &'static str,
    },
}

fn and_others(count: usize) -> String {
    if count == 0 { String::new() } else { format!(" (and {count} others)") }
}

impl BaseError {
    /// What to do next.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Untold(_) => Some(
                "say which tool it is with --convention, or what is applied with --from VERSION (`--from none`: nothing)",
            ),
            Self::Unknown { .. } => {
                Some("check out the version of the application that production runs, or one after it")
            }
            Self::Contradicted { .. } => {
                Some("leave --from out: the history tells what is applied; or put the history right first")
            }
            Self::Server(_) | Self::Catalog(_) | Self::History(_) | Self::Load(_) => None,
        }
    }
}

/// A database before a release.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Base {
    /// Who migrated it.
    pub survey: Survey,
    /// Its catalog.
    pub schema: Schema,
    /// Which PostgreSQL it is.
    pub version: PgVersion,
}

/// Looks at a database.
pub async fn look(session: &Session) -> Result<Base, BaseError> {
    let survey = survey::survey(session).await.map_err(|error| BaseError::Server(error.into()))?;
    let schema = introspect(session).await?;
    let version = session.version();
    Ok(Base { survey, schema, version })
}

impl Base {
    /// The convention whose history the database holds, where the names of a folder's files do not tell it. With `from_is_given` somebody says
    /// what is applied, and the history need not.
    pub fn convention(&self, folder: &Folder, from_is_given: bool) -> Result<Option<Convention>, BaseError> {
        decided(folder, &self.survey, from_is_given)
    }

    /// What of a folder is pending: by the history, or by the word of somebody (`none`: everything), which no history may contradict.
    pub async fn pending(
        &self,
        session: &Session,
        folder: &Folder,
        history_table: Option<&str>,
        from: Option<&str>,
    ) -> Result<Pending, BaseError> {
        let place =
            HistoryPlace { convention: folder.convention, table: history_table, folder: Some(folder.path.as_path()) };
        let rows = history::applied_at(session, place).await?;
        if let Some(from) = from {
            let pending = folder.pending_from(Some(from))?;
            said_otherwise(folder, &rows, &pending)?;
            return Ok(pending);
        }
        let changed = history::changed(folder, &rows);
        let rows: Vec<Recorded> = rows
            .iter()
            .filter(|row| !changed.contains(&row.version.as_str()))
            .map(AppliedMigration::recorded)
            .collect();
        let (pending, unknown) = folder.pending_by_rows(&rows);
        if let Some(version) = unknown.first() {
            return Err(BaseError::Unknown { version: version.clone(), others: unknown.len() - 1 });
        }
        if rows.is_empty() {
            let located = history::locate(session, place).await?;
            not_empty(folder, &self.survey, located.as_deref(), &pending, &self.schema)?;
        }
        Ok(pending)
    }
}

/// The convention whose history the database holds, where the names of the files do not tell it.
fn decided(folder: &Folder, survey: &Survey, from_is_given: bool) -> Result<Option<Convention>, BaseError> {
    if folder.alike.is_empty() {
        return Ok(None);
    }
    let candidates = || std::iter::once(&folder.convention).chain(&folder.alike);
    let with_history: Vec<&Convention> = candidates().filter(|c| !survey.of(**c).is_empty()).collect();
    match with_history[..] {
        [one] => return Ok(Some(*one)),
        _ if from_is_given => return Ok(None),
        _ => {}
    }
    let names: Vec<&str> = candidates().map(|c| c.name()).collect();
    let found = match with_history.is_empty() {
        false => format!(
            "more than one of these histories ({})",
            with_history.iter().map(|c| c.name()).collect::<Vec<_>>().join(", ")
        ),
        true => match survey.others_in_words(folder.convention) {
            Some(others) => format!("the history of none of them, but {others}"),
            None => "the history of none of them".to_owned(),
        },
    };
    Err(BaseError::Untold(format!(
        "{}: the names of the files fit {} alike, and the database holds {found}: nothing tells what is applied",
        folder.path,
        names.join(", ")
    )))
}

/// A history that says nothing is believed on an empty database only.
fn not_empty(
    folder: &Folder,
    survey: &Survey,
    located: Option<&str>,
    pending: &Pending,
    schema: &Schema,
) -> Result<(), BaseError> {
    let convention = folder.convention;
    let own = match (convention.history(), located) {
        (Some(_), Some(table)) => format!("{table} has no rows"),
        (Some(table), None) => format!("there is no {}", table.name),
        (None, _) => "cutover.migration has no rows".to_owned(),
    };
    let nothing = format!("by the history of {convention} nothing is applied ({own})");
    if let Some(others) = survey.others_in_words(convention) {
        return Err(BaseError::Untold(format!("{nothing}, and the database holds {others}")));
    }
    let Some((what, name)) = made_already(folder, &pending.pending, schema) else { return Ok(()) };
    let of = pending.pending.iter().find(|migration| {
        let (statements, _) = folder.statements(migration);
        statements
            .iter()
            .any(|s| words_of(folder.sources.slice(s.span)).any(|word| word.eq_ignore_ascii_case(&name.name)))
    });
    let of = of.map(|migration| format!(" by {}", migration.path)).unwrap_or_default();
    Err(BaseError::Untold(format!("{nothing}, and the database has {what} {name} already, which is made{of}")))
}

/// Something that migrations make and a schema has.
fn made_already(folder: &Folder, migrations: &[Migration], schema: &Schema) -> Option<(&'static str, QName)> {
    let (made, _) = plan::replay(folder, migrations);
    let kind = |kind: RelationKind| match kind {
        RelationKind::Table => "table",
        RelationKind::View => "view",
        RelationKind::MaterializedView => "materialized view",
        RelationKind::Sequence => "sequence",
        RelationKind::Index => "index",
        RelationKind::ForeignTable => "foreign table",
    };
    let mut relations = made.relations().filter(|(name, _)| schema.relation(name).is_some());
    let mut types = made.user_types().filter(|(name, _)| schema.user_type(name).is_some());
    let mut functions = made.all_functions().filter(|(name, _)| !schema.functions(name).is_empty());
    let relation = relations.next().map(|(name, relation)| (kind(relation.kind), name.clone()));
    let relation = relation.or_else(|| types.next().map(|(name, _)| ("type", name.clone())));
    relation.or_else(|| functions.next().map(|(name, _)| ("function", name.clone())))
}

/// `--from` beside a history that says something else.
fn said_otherwise(folder: &Folder, rows: &[AppliedMigration], pending: &Pending) -> Result<(), BaseError> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows: Vec<Recorded> = rows.iter().map(AppliedMigration::recorded).collect();
    let (by_history, _) = folder.pending_by_rows(&rows);
    let has = |all: &[Migration], one: &Migration| all.iter().any(|other| other.version == one.version);
    let applied = pending.pending.iter().find(|migration| has(&by_history.applied, migration));
    let missing = pending.applied.iter().find(|migration| has(&by_history.pending, migration));
    let (version, says) = match (applied, missing) {
        (Some(migration), _) => (&migration.version, "is applied"),
        (None, Some(migration)) => (&migration.version, "is not applied"),
        (None, None) => return Ok(()),
    };
    Err(BaseError::Contradicted { convention: folder.convention, version: version.to_string(), says })
}
