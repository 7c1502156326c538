//! `cutover.toml` and what the environment says instead of it.

use camino::Utf8Path;

use super::error::CliError;
use super::{database, out};
use crate::config::{self, Config, Variables};
use crate::traffic::Surroundings;

/// What the environment says.
pub(super) fn variables() -> Variables {
    Variables::of(
        std::env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?))),
    )
}

/// The settings of a folder.
pub(super) fn of(folder: &Utf8Path) -> Result<Config, CliError> {
    Ok(config::find_with(folder, &variables()).map_err(CliError::usage)?.unwrap_or_default())
}

/// Those of the folder that the command runs in.
pub(super) fn here() -> Result<Config, CliError> {
    of(Utf8Path::new("."))
}

/// The same on the way of a release, which must not hang on a word in a file: what is wrong with it is a warning, and `what` is not at hand.
pub(super) fn at_hand(what: &str) -> Config {
    here().unwrap_or_else(|error| {
        out::say(&format!("warning: {}; {what} not at hand\n", error.message));
        Config::default()
    })
}

/// A program inherits the environment but for whatever leads into the database.
pub(super) fn surroundings() -> Surroundings {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let hidden_environment = names.filter(|name| name.starts_with("PG") || name == database::VARIABLE).collect();
    Surroundings { hidden_environment, variable: |name| std::env::var(name).ok() }
}
