//! The text of a `cutover.toml` with the environment's words in it, each value with the place that it comes from.

use camino::Utf8Path;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

use super::{ConfigError, Variables};
use crate::source::Sources;

/// A document whose values stand in the file, or, behind its end, in the environment: the n-th variable at the n-th place there.
pub(super) struct Document<'a> {
    path: &'a Utf8Path,
    text: &'a str,
    variables: &'a Variables,
    table: Spanned<DeTable<'a>>,
}

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum Origin {
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

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { path, line, column } => write!(f, "{path}:{line}:{column}"),
            Self::Variable { name } => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

impl<'a> Document<'a> {
    pub(super) fn read(path: &'a Utf8Path, text: &'a str, variables: &'a Variables) -> Result<Self, ConfigError> {
        let parsed = DeTable::parse(text);
        let empty = Spanned::new(0..0, DeTable::new());
        let (table, error) = match parsed {
            Ok(table) => (table, None),
            Err(error) => (empty, Some(error)),
        };
        let mut document = Self { path, text, variables, table };
        if let Some(error) = error {
            return Err(document.error(error.span().map_or(0, |span| span.start), error.message()));
        }
        let end = document.end();
        let put = variables.put(document.table.get_mut(), end);
        put.map_err(|(at, why)| document.error(at, why))?;
        Ok(document)
    }

    /// Where the environment begins.
    fn end(&self) -> usize {
        self.text.len() + 1
    }

    pub(super) fn table(&self) -> &DeTable<'a> {
        self.table.get_ref()
    }

    /// What it says, as a type of ours.
    pub(super) fn values<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        T::deserialize(Deserializer::from(self.table.clone()))
            .map_err(|error| self.error(error.span().map_or(0, |span| span.start), error.message()))
    }

    /// Where a place is.
    pub(super) fn origin(&self, at: usize) -> Origin {
        match at.checked_sub(self.end()).and_then(|index| self.variables.name(index)) {
            Some(name) => Origin::Variable { name: name.to_owned() },
            None => {
                let mut sources = Sources::new();
                let file = sources.add(self.path, self.text);
                let at = sources.file(file).line_column(u32::try_from(at).unwrap_or(0));
                Origin::File { path: self.path.to_string(), line: at.line, column: at.column }
            }
        }
    }

    /// What is wrong with a section that people name, which the environment may have a word in.
    pub(super) fn error_of(
        &self,
        section: &str,
        name: &Spanned<String>,
        message: impl std::fmt::Display,
    ) -> ConfigError {
        let variables: Vec<&str> = self.variables.about(section, name.get_ref()).collect();
        let with = match variables.is_empty() {
            true => String::new(),
            false => format!(" (the environment has {})", variables.join(", ")),
        };
        self.error(name.span().start, format!("{message}{with}"))
    }

    /// What is wrong at a place.
    pub(super) fn error(&self, at: usize, message: impl Into<String>) -> ConfigError {
        ConfigError::Invalid { origin: self.origin(at), message: message.into() }
    }
}
