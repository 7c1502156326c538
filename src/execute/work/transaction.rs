//! Statements in one transaction: they, the step's history rows and its journal row commit together or not at all, so there is nothing to
//! settle after a crash.

use std::time::Instant;

use super::{Attempt, Fault};
use crate::execute::engine::{Engine, Written};
use crate::execute::error::ExecuteError;
use crate::execute::session::{failed, get};
use crate::plan::saved::{Statement, Step};

impl Engine<'_, '_> {
    pub(super) async fn run_in_transaction(
        &mut self,
        step: &Step,
        statements: &[Statement],
    ) -> Result<(), ExecuteError> {
        let mut attempt = Attempt::FIRST;
        loop {
            self.announce(step, attempt);
            self.begin().await?;
            let tried = self.try_once(step, statements, attempt).await;
            let fault = match tried {
                Ok(written) => return self.end(Ok(written)).await,
                Err(fault) => fault,
            };
            self.roll_back().await;
            attempt = self.after_fault(step, fault, attempt).await?;
        }
    }

    async fn try_once(&mut self, step: &Step, statements: &[Statement], attempt: Attempt) -> Result<Written, Fault> {
        let started = Instant::now();
        self.limit(&attempt).await?;
        self.lease.check(self.client).await?;
        let transaction = self.transaction_id().await?;
        self.set(step).await?;
        for (index, statement) in statements.iter().enumerate() {
            self.statement(index, &statement.sql).await?;
            self.doors.passes("after a statement");
        }
        let settled = self.settle().await?;
        if settled.transaction != transaction {
            let message = "its SQL ended the transaction (COMMIT or ROLLBACK in a migration), so part of it may have been committed";
            return Err(ExecuteError::Stuck { step: step.id, message: message.into() }.into());
        }
        Ok(self.record(step, started, settled.relations).await?)
    }

    async fn transaction_id(&self) -> Result<String, ExecuteError> {
        let query = "SELECT pg_catalog.pg_current_xact_id()::pg_catalog.text";
        let row = self.client.query_one(query, &[]).await.map_err(failed("asking for the transaction's id"))?;
        get(&row, 0)
    }
}
