//! Rows that were there before the release, as `rehearse` wants them.

use camino::{Utf8Path, Utf8PathBuf};

use super::error::CliError;
use super::server_args::ServerArgs;
use crate::migrations::{Folder, Migration, is_archive_at};
use crate::rehearse::{RowBase, RowSource};

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Rows that are there")]
pub(super) struct RowsArgs {
    /// Also run the release on the rows of this dump: SQL, or an archive that pg_restore reads (custom, tar, directory)
    #[arg(long, value_name = "FILE", conflicts_with = "template")]
    base_dump: Option<Utf8PathBuf>,
    /// Also run the release on a copy of this database, which must be on the server that `--server URL` names; nobody may be connected to it
    #[arg(long, value_name = "DATABASE")]
    template: Option<String>,
    /// SQL that fills tables, on which the release is run as well; can be given several times
    #[arg(long, value_name = "FILE")]
    seed: Vec<Utf8PathBuf>,
}

/// What was found of them.
#[derive(Debug)]
pub(super) struct FoundRows {
    base: Option<FoundBase>,
    seeds: Vec<Migration>,
}

#[derive(Debug)]
enum FoundBase {
    Dump(Migration),
    Archive { path: Utf8PathBuf, pg_restore: Utf8PathBuf },
    Template(String),
}

impl RowsArgs {
    /// Reads the files; `None`: there are no rows.
    pub(super) fn read(&self, folder: &mut Folder, server: &ServerArgs) -> Result<Option<FoundRows>, CliError> {
        let base = match (&self.base_dump, &self.template) {
            (Some(path), _) if is_archive_at(path).map_err(CliError::usage)? => {
                server.allows_programs(path)?;
                Some(FoundBase::Archive { path: path.clone(), pg_restore: server.program("pg_restore")? })
            }
            (Some(path), _) => Some(FoundBase::Dump(sql(folder, path)?)),
            (None, Some(database)) => Some(FoundBase::Template(database.clone())),
            (None, None) => None,
        };
        let seeds = self.seed.iter().map(|path| sql(folder, path)).collect::<Result<Vec<_>, _>>()?;
        Ok((base.is_some() || !seeds.is_empty()).then_some(FoundRows { base, seeds }))
    }
}

fn sql(folder: &mut Folder, path: &Utf8Path) -> Result<Migration, CliError> {
    folder.add_dump(path).map_err(CliError::usage)
}

impl FoundRows {
    /// As the rehearsal has them.
    pub(super) fn rows(&self) -> RowSource<'_> {
        let base = self.base.as_ref().map(|base| match base {
            FoundBase::Dump(dump) => RowBase::Dump(dump),
            FoundBase::Archive { path, pg_restore } => RowBase::Archive { path, pg_restore },
            FoundBase::Template(database) => RowBase::Template(database),
        });
        RowSource { base, seeds: &self.seeds }
    }
}
