//! How far queries are believed.

use std::fmt;
use std::str::FromStr;

/// What is assumed of a version whose queries are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Assume {
    /// It uses what its queries use and nothing else. A version without queries is assumed to use everything all the same.
    #[default]
    Workload,
    /// It may use everything that its schema offers: the queries prove what breaks, and waive nothing.
    WorstCase,
}

impl fmt::Display for Assume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Workload => "workload",
            Self::WorstCase => "worst-case",
        })
    }
}

impl FromStr for Assume {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "workload" => Ok(Self::Workload),
            "worst-case" => Ok(Self::WorstCase),
            _ => Err("write `workload` or `worst-case`".to_owned()),
        }
    }
}
