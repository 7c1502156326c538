//! The text of a `cutover.toml` with the environment's words in it, each value with the place that it comes from.

use camino::Utf8Path;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

use super::{ConfigError, Variables};
use crate::source::Sources;

/// A document whose values stand in the file, or, behind its end, in the environment: the n-th variable at the n-th place there.
pub(super) struct Document<'a> {
    places: Places<'a>,
    table: Spanned<DeTable<'a>>,
}

/// What its places are places in.
struct Places<'a> {
    path: &'a Utf8Path,
    text: &'a str,
    variables: &'a Variables,
}

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum SettingOrigin {
    /// The file says it.
    File {
        /// The file.
        path: String,
        /// 1-based.
        line: u32,
        /// 1-based.
        column: u32,
    },
    /// An environment variable says it.
    Variable {
        /// Its name.
        name: String,
    },
    /// Nobody says it.
    Default,
}

impl std::fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { path, line, column } => write!(f, "{path}:{line}:{column}"),
            Self::Variable { name } => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Places<'_> {
    /// Where the environment begins.
    fn end(&self) -> usize {
        self.text.len() + 1
    }

    fn origin(&self, at: usize) -> SettingOrigin {
        match at.checked_sub(self.end()).and_then(|index| self.variables.name(index)) {
            Some(name) => SettingOrigin::Variable { name: name.to_owned() },
            None => {
                let mut sources = Sources::new();
                let file = sources.add(self.path, self.text);
                let at = sources.file(file).line_column(u32::try_from(at).unwrap_or(0));
                SettingOrigin::File { path: self.path.to_string(), line: at.line, column: at.column }
            }
        }
    }

    fn error(&self, at: usize, message: impl Into<String>) -> ConfigError {
        ConfigError::Invalid { origin: self.origin(at), message: message.into() }
    }

    /// What the reader of TOML says.
    fn unread(&self, error: &toml::de::Error) -> ConfigError {
        self.error(error.span().map_or(0, |span| span.start), error.message())
    }
}

impl<'a> Document<'a> {
    pub(super) fn read(path: &'a Utf8Path, text: &'a str, variables: &'a Variables) -> Result<Self, ConfigError> {
        let places = Places { path, text, variables };
        let mut table = DeTable::parse(text).map_err(|error| places.unread(&error))?;
        variables.put(table.get_mut(), places.end()).map_err(|(at, why)| places.error(at, why))?;
        Ok(Self { places, table })
    }

    pub(super) fn table(&self) -> &DeTable<'a> {
        self.table.get_ref()
    }

    /// What it says, as a type of ours.
    pub(super) fn values<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        T::deserialize(Deserializer::from(self.table.clone())).map_err(|error| self.places.unread(&error))
    }

    /// Where a place is.
    pub(super) fn origin(&self, at: usize) -> SettingOrigin {
        self.places.origin(at)
    }

    /// What is wrong at a place.
    pub(super) fn error(&self, at: usize, message: impl Into<String>) -> ConfigError {
        self.places.error(at, message)
    }

    /// What is wrong with a section that people name, which the environment may have a word in.
    pub(super) fn error_of(
        &self,
        section: &str,
        name: &Spanned<String>,
        message: impl std::fmt::Display,
    ) -> ConfigError {
        let variables: Vec<&str> = self.places.variables.about(section, name.get_ref()).collect();
        let with = match variables.is_empty() {
            true => String::new(),
            false => format!(" (the environment has {})", variables.join(", ")),
        };
        self.error(name.span().start, format!("{message}{with}"))
    }
}
