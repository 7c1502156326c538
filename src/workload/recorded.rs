//! What a library wrote down of a query when it was compiled against a database.

use serde::{Deserialize, Serialize};

/// The types that the application was compiled for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordedTypes {
    /// The types of `$1`, `$2`, … as PostgreSQL names them (`int8`, `text[]`). Fewer than the query has where they are not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// The columns of the result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<RecordedColumn>,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordedColumn {
    /// Its name.
    pub name: String,
    /// Its type as PostgreSQL names it.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether it may be NULL, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nullable: Option<bool>,
}

impl RecordedColumn {
    /// Whether the client fails on a NULL. sqlx's `name!` and `name?` are the author's word.
    pub fn demands_a_value(&self) -> bool {
        let name = self.name.split_once(':').map_or(&*self.name, |(name, _)| name).trim_end();
        if name.ends_with('!') {
            return true;
        }
        self.nullable == Some(false) && !name.ends_with('?')
    }
}
