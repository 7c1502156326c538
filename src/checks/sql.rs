//! A query of the release's database that says how green does.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::registry::CheckKind;
use super::{Check, CheckContext, Measured, Measuring};
use crate::postgres::{ServerError, Session, connect};

pub(super) const KIND: CheckKind = CheckKind {
    name: "sql",
    about: "A query of the release's database with one row of one boolean",
    needs: crate::outside::Needs::Settings,
    settings: Settings::json_schema,
    open: |check, _| {
        let Settings { query } = check.read()?;
        match query.trim() {
            "" => Err("`query` is empty".to_owned()),
            _ => Ok(Box::new(Sql { query })),
        }
    },
};

/// As `[checks.NAME]` has them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The query. True is successful, false is failed; NULL, or no row, says nothing.
    query: String,
}

struct Sql {
    query: String,
}

impl Sql {
    /// Over a connection of its own, in a transaction that cannot write.
    async fn ask(&self, session: &Session, deadline: Duration) -> Result<Measured, ServerError> {
        // The server ends what nobody waits for any more.
        let most = deadline.as_millis().clamp(1, i32::MAX as u128);
        session.batch_execute(&format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {most}")).await?;
        let rows = session.query(&self.query, &[]).await?;
        let [row] = rows.as_slice() else {
            let count = rows.len();
            return Ok(match count {
                0 => Measured::inconclusive("the query gave no row"),
                _ => Measured::error(format!("the query gave {count} rows, and one is asked for")),
            });
        };
        Ok(match (row.len(), row.try_get::<_, Option<bool>>(0)) {
            (1, Ok(Some(true))) => Measured::successful("the query said true"),
            (1, Ok(Some(false))) => Measured::failed("the query said false"),
            (1, Ok(None)) => Measured::inconclusive("the query said NULL"),
            (1, Err(_)) => Measured::error("the query gives no boolean"),
            (columns, _) => Measured::error(format!("the query gives {columns} columns, and one boolean is asked for")),
        })
    }

    async fn measured(&self, context: &CheckContext) -> Measured {
        let asked = async {
            let session = match connect(&context.database).await {
                Ok(session) => session,
                Err(error) => return Measured::error(format!("connecting: {error}")),
            };
            let measured =
                self.ask(&session, context.deadline).await.unwrap_or_else(|error| Measured::error(error.to_string()));
            session.close().await;
            measured
        };
        match tokio::time::timeout(context.deadline, asked).await {
            Ok(measured) => measured,
            Err(_) => Measured::error(format!("no answer within {:?}", context.deadline)),
        }
    }
}

impl Check for Sql {
    fn measure<'a>(&'a self, context: &'a CheckContext) -> Measuring<'a> {
        Box::pin(self.measured(context))
    }
}
