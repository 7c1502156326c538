//! How an author wants a statement to run, held against what the statement is and what its table has.

use std::time::Duration;

use super::part::Part;
use super::saved::{Backfill, StepStatement, Work};
use crate::rewrite::{Batches, batches};
use crate::schema::Schema;
use crate::sql;
use crate::sql::Operation;

/// How a statement runs, other than in a transaction or outside one.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    /// Over the rows of its table, some at a time.
    Backfill {
        table: String,
        /// With the name that the table has in the statement.
        key: String,
        batch: String,
        rows: u32,
    },
    /// As a question.
    Check { within: Duration },
}

impl Manner {
    /// What running it costs, for people, after what the statement costs in one piece.
    pub(crate) fn cost(&self, whole: String) -> String {
        match self {
            Self::Backfill { rows, .. } => format!("{whole}, some rows at a time ({rows} at first)"),
            Self::Check { within } if within.is_zero() => "must say yes".to_owned(),
            Self::Check { within } => format!("must say yes within {} s", within.as_secs()),
        }
    }

    /// The work of a step.
    pub(crate) fn work(&self, statement: StepStatement) -> Work {
        match self.clone() {
            Self::Backfill { table, key, batch, rows } => {
                Work::Backfill(Backfill { statement, table, key, batch, rows })
            }
            Self::Check { within } => Work::Check { query: statement, within },
        }
    }
}

/// What an author's word comes to on the schema before the statement; otherwise why it cannot be followed.
pub(crate) fn of(word: &sql::WantedManner, part: &Part, text: &str, schema: &Schema) -> Result<Manner, String> {
    match word {
        sql::WantedManner::Check { within } => match &part.operation {
            Operation::Query { .. } => Ok(Manner::Check { within: *within }),
            _ => Err("only a SELECT is a question that can be answered with yes".to_owned()),
        },
        sql::WantedManner::Backfill { key, rows } => {
            let Batches { table, key, text } = batches(key.as_deref(), &part.operation, text, schema)?;
            Ok(Manner::Backfill { table, key, batch: text, rows: *rows })
        }
    }
}
