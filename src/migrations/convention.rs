//! The conventions and where each keeps its history.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a folder of migrations is named and ordered, and where its tool keeps its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// `V1__name.sql`; `U1__name.sql` is a forward migration that may apply out of order.
    Refinery,
    /// `1_name.sql` or `1_name.up.sql` with `1_name.down.sql`.
    Sqlx,
    /// Folders `version_name/` with `up.sql` and `down.sql`.
    Diesel,
    /// Any `*.sql`, in the order of their names.
    Plain,
}

/// A tool's own history table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryTable {
    /// Its name, found by the search path.
    pub name: &'static str,
    /// The column that holds the version.
    pub version_column: &'static str,
}

impl Convention {
    /// Every convention.
    pub const ALL: [Self; 4] = [Self::Refinery, Self::Sqlx, Self::Diesel, Self::Plain];

    /// The name used on the command line and in plans.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refinery => "refinery",
            Self::Sqlx => "sqlx",
            Self::Diesel => "diesel",
            Self::Plain => "plain",
        }
    }

    /// The tool's own history table. `None` for plain folders: their history is the tool's own journal (`cutover.migration`).
    pub const fn history(self) -> Option<HistoryTable> {
        match self {
            Self::Refinery => Some(HistoryTable { name: "refinery_schema_history", version_column: "version" }),
            Self::Sqlx => Some(HistoryTable { name: "_sqlx_migrations", version_column: "version" }),
            Self::Diesel => Some(HistoryTable { name: "__diesel_schema_migrations", version_column: "version" }),
            Self::Plain => None,
        }
    }
}

impl std::fmt::Display for Convention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Convention {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|c| c.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|c| c.name()).collect();
            format!("unknown convention {text:?}; known: {}", names.join(", "))
        })
    }
}
