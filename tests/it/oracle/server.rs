//! Databases that are copies of one that grows with the applied migrations.

use cutover::postgres::{Session, connect};

use super::data::Pair;
use crate::support::{self, Order, Run, play, statements};

/// A database in the state of the applied migrations, copied for every run.
pub(super) struct Base {
    name: String,
    applied: Vec<String>,
    copies: u32,
}

impl Base {
    /// `purpose` keeps it apart from those of other tests.
    pub(super) fn new(purpose: &str, project: &str) -> Self {
        let name = format!("oracle_{purpose}_{}", project.replace(|c: char| !c.is_alphanumeric(), "_"));
        Self { name, applied: vec!["nothing yet".into()], copies: 0 }
    }

    /// Brings the original to where the pair begins, from where the pair before it began, if that is on the way.
    async fn advance(&mut self, pair: &Pair) {
        if !pair.applied.starts_with(&self.applied) {
            maintain(&format!("DROP DATABASE IF EXISTS {}", self.name)).await;
            maintain(&format!("CREATE DATABASE {}", self.name)).await;
            self.applied.clear();
        }
        let session = open(&self.name).await;
        for migration in &pair.release.pending.applied[self.applied.len()..] {
            // Statement by statement; the few that the applications' own runners skip or that need other roles fail for all alike.
            for sql in statements(&pair.release.folder, migration) {
                let _ = session.batch_execute(&sql).await;
            }
            session.batch_execute("RESET ALL").await.unwrap();
        }
        session.close().await;
        self.applied.clone_from(&pair.applied);
    }

    /// Runs the pair's release in an order on a copy.
    pub(super) async fn run(&mut self, pair: &Pair, order: &Order<'_>) -> Run {
        self.on_copy(pair, async |session| play(session, &pair.release, order).await).await
    }

    /// Does something on a copy.
    pub(super) async fn on_copy<T>(&mut self, pair: &Pair, what: impl AsyncFnOnce(&Session) -> T) -> T {
        self.advance(pair).await;
        self.copies += 1;
        let copy = format!("{}_{}", self.name, self.copies);
        maintain(&format!("CREATE DATABASE {copy} TEMPLATE {}", self.name)).await;
        let session = open(&copy).await;
        let done = what(&session).await;
        session.close().await;
        maintain(&format!("DROP DATABASE {copy} WITH (FORCE)")).await;
        done
    }
}

async fn maintain(sql: &str) {
    let session = connect(support::server().await.maintenance()).await.unwrap();
    // A session that was closed a moment ago may still be ending.
    while let Err(error) = session.batch_execute(sql).await {
        let busy = error.code() == Some(&tokio_postgres::error::SqlState::OBJECT_IN_USE);
        assert!(busy, "{sql}: {}", support::message(&error));
    }
    session.close().await;
}

async fn open(database: &str) -> Session {
    connect(&support::server().await.maintenance().with_database(database)).await.unwrap()
}
