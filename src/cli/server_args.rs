//! Where statements are tried: a throwaway server, as `rehearse` and `plan --observe` want it.

use super::database::DatabaseArgs;
use std::path::PathBuf;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::CliError;
use super::live::duration;
use crate::migrations::Folder;
use crate::postgres::throwaway::{Binaries, Local, LocalOptions, Scratch, Throwaway, ThrowawayError};
#[cfg(feature = "embedded")]
use crate::postgres::throwaway::{Embedded, EmbeddedOptions};
use crate::project::Project;
use crate::rehearse::{Terms, rehearsal};

#[derive(Debug, Clone, clap::Args)]
pub(super) struct ServerArgs {
    /// Where: `embedded` (in this process), `local` (this machine's PostgreSQL binaries), or the URL of a server for scratch databases
    #[arg(long, value_name = "SERVER", default_value = DEFAULT_SERVER)]
    server: String,
    /// The directory of initdb and postgres, for `--server local`
    #[arg(long, value_name = "DIR", env = "CUTOVER_PG_BIN")]
    pg_bin: Option<PathBuf>,
    /// Leave out the rows behind `COPY … FROM stdin` in the files; those of --base-dump and --seed are loaded all the same
    #[arg(long)]
    skip_data: bool,
    /// How long a statement may run there
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    time_limit: Duration,
}

const DEFAULT_SERVER: &str = if cfg!(feature = "embedded") { "embedded" } else { "local" };

impl ServerArgs {
    /// What a trial starts from, and how long it may take.
    pub(super) fn terms<'a>(&self, project: &'a Project) -> Terms<'a> {
        let base = project.dump.as_ref().map(|dump| &dump.file);
        Terms { base, skip_data: self.skip_data, limit: self.time_limit, ..Terms::default() }
    }

    /// A program of PostgreSQL's that is no server: where `--pg-bin` says, on the path, or in one of the usual places.
    pub(super) fn program(&self, name: &str) -> Result<Utf8PathBuf, CliError> {
        let on_path = std::env::var_os("PATH");
        let on_path = on_path.iter().flat_map(std::env::split_paths);
        let usual = || Some(Binaries::find(None).ok()?.directory().to_owned());
        let directories = self.pg_bin.clone().into_iter().chain(on_path).chain(usual());
        let found = directories.map(|directory| directory.join(name)).find(|path| path.is_file());
        found.and_then(|path| Utf8PathBuf::from_path_buf(path).ok()).ok_or_else(|| {
            CliError::usage(format!("{name} was not found"))
                .hint("install PostgreSQL's client programs, or name their directory with --pg-bin")
        })
    }

    /// Whether another program can reach the server.
    pub(super) fn allows_programs(&self, archive: &Utf8Path) -> Result<(), CliError> {
        match self.server.as_str() {
            "embedded" => Err(CliError::usage(format!(
                "{archive} is an archive, which pg_restore cannot bring to the built-in server"
            ))
            .hint("use --server local or a URL, or write it as SQL (pg_dump --format plain)")),
            _ => Ok(()),
        }
    }

    pub(super) async fn start(&self, folder: &Folder) -> Result<Throwaway, CliError> {
        let started = match self.server.as_str() {
            #[cfg(feature = "embedded")]
            "embedded" => {
                let options =
                    EmbeddedOptions { extensions: rehearsal::extensions(folder), ..EmbeddedOptions::default() };
                Embedded::start(&options).await.map(Throwaway::Embedded)
            }
            #[cfg(not(feature = "embedded"))]
            "embedded" => {
                let _ = (folder, rehearsal::extensions);
                return Err(CliError::usage("this cutover was built without its embedded server")
                    .hint("use --server local, or build it with the feature `embedded`"));
            }
            "local" => Local::start(&local_options(self.pg_bin.clone())).await.map(Throwaway::Local),
            url if url.contains("://") || url.contains('=') => {
                let target = DatabaseArgs::of(Some(url.to_owned())).target()?;
                Scratch::start(&target).await.map(Throwaway::Scratch)
            }
            other => {
                return Err(CliError::usage(format!("{other:?} is not a server")).hint("use embedded, local, or a URL"));
            }
        };
        started.map_err(|error| server_error(&error))
    }
}

/// How this machine's PostgreSQL is found.
pub(super) fn local_options(bin_directory: Option<std::path::PathBuf>) -> LocalOptions {
    LocalOptions { bin_directory, search_path: std::env::var_os("PATH"), ..LocalOptions::default() }
}

pub(super) fn server_error(error: &ThrowawayError) -> CliError {
    let cli = CliError::usage(error);
    match error.hint() {
        Some(hint) => cli.hint(hint),
        None => cli,
    }
}
