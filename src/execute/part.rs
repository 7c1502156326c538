//! What a database is in a release over many: who may carry it on, and from where.

use super::options::Options;
use super::status::Status;
use crate::release::DatabasePart;

/// Why a database is not carried on as the only one of its release, or with others.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartError {
    /// It is carried on by itself, or with others, and the release was begun otherwise.
    #[error("release {release} was begun {}", begun_as(.part))]
    Other {
        /// The release.
        release: String,
        /// What the database is in it.
        part: DatabasePart,
    },
    /// The release before was one over many databases, and nobody has said whether this one is.
    #[error(
        "the release before this one, {release}, was one over {count} databases, and this one is to run in one of them only"
    )]
    WasOfMany {
        /// The release before.
        release: String,
        /// How many databases it had.
        count: usize,
    },
    /// Another plan in the middle of a release over many databases, each of which may be at another step.
    #[error("a release over many databases does not go on by another plan")]
    NoReplan,
}

impl PartError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Other { part: DatabasePart::Alone, .. } => "leave out `--databases`",
            Self::Other { part: DatabasePart::Lead { .. }, .. } => {
                "give the others with `--databases FILE`, or in `[databases]` of cutover.toml"
            }
            Self::Other { part: DatabasePart::Member { .. }, .. } => {
                "carry the release on from the database that leads it, with `--databases FILE`"
            }
            Self::WasOfMany { .. } => {
                "give the others with `--databases FILE`; or, if this release is for one database, say so with `--databases none`"
            }
            Self::NoReplan => {
                "go back with `cutover rollback`, then begin a release of a new plan; what the phase before the cutover added stays"
            }
        }
    }
}

fn begun_as(part: &DatabasePart) -> String {
    match part {
        DatabasePart::Alone => "in this database alone".to_owned(),
        DatabasePart::Lead { members } => {
            format!("over {} databases, and this is the one that leads", members.len() + 1)
        }
        DatabasePart::Member { name } => format!("over many databases, and this is one that follows ({name})"),
    }
}

/// Whether a release is carried on with the databases that it was begun over, and from the right one.
pub(super) fn same_part(release: &str, status: &Status, options: &Options) -> Result<(), PartError> {
    if options.part.clone().unwrap_or_default() == status.part {
        return Ok(());
    }
    Err(PartError::Other { release: release.to_owned(), part: status.part.clone() })
}

/// Whether a release may begin behind one that was over many databases: whoever forgets the others would move their traffic without them.
pub(super) fn not_forgotten(release: &str, status: &Status, options: &Options) -> Result<(), PartError> {
    match (&options.part, &status.part) {
        (None, DatabasePart::Lead { members }) => {
            Err(PartError::WasOfMany { release: release.to_owned(), count: members.len() + 1 })
        }
        _ => Ok(()),
    }
}
