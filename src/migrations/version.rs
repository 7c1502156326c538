//! The version of a migration.

use std::cmp::Ordering;

/// A version in its convention's own spelling. Versions made of digits, perhaps in parts (`1.10`), compare as numbers, others as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// From its spelling.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is made of numbers, which say which of two comes later.
    pub fn is_numbered(&self) -> bool {
        self.numbers().is_some()
    }

    fn numbers(&self) -> Option<Vec<u128>> {
        self.0.split('.').map(|part| part.parse().ok()).collect()
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.numbers(), other.numbers()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => self.0.cmp(&other.0),
        }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
