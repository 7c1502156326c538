//! Scratch databases on a server the user names.

use std::sync::{Mutex, PoisonError};

use super::binaries::OLDEST_SUPPORTED;
use super::error::ThrowawayError;
use crate::postgres::{Session, Target, connect};
use crate::sql::name::Quoted;

/// What all scratch databases' names begin with, so that one left behind by a killed process is known for what it is.
const PREFIX: &str = "cutover_scratch_";

/// Uniquely named databases on somebody's server. They are dropped at the end; dropping this value is the end, too.
#[derive(Debug)]
pub struct Scratch {
    target: Target,
    version_num: i32,
    databases: Mutex<Vec<String>>,
}

impl Scratch {
    /// Checks that the server is new enough and that the role may create databases.
    pub async fn start(target: &Target) -> Result<Self, ThrowawayError> {
        let session = connect(target).await?;
        let shown = target.display().to_string();
        let version_num = session.server_version_num();
        if u32::try_from(version_num / 10_000).unwrap_or_default() < OLDEST_SUPPORTED {
            return Err(ThrowawayError::TooOld { target: shown, found: version(version_num) });
        }
        let query =
            "SELECT rolname::text, rolsuper OR rolcreatedb FROM pg_catalog.pg_roles WHERE rolname = current_user";
        let row = session
            .query_one(query, &[])
            .await
            .map_err(|error| ThrowawayError::database("create", "a scratch", &error))?;
        let (role, may): (String, bool) = (row.get(0), row.get(1));
        session.close().await;
        if !may {
            return Err(ThrowawayError::MayNotCreateDatabases { role, target: shown });
        }
        Ok(Self { target: target.clone(), version_num, databases: Mutex::default() })
    }

    /// `PostgreSQL 16.3 at me@db:5432/shop`, for the output.
    pub fn describe(&self) -> String {
        format!("PostgreSQL {} at {}", version(self.version_num), self.target.display())
    }

    /// The database that was named.
    pub(super) fn maintenance(&self) -> &Target {
        &self.target
    }

    /// Creates an empty database: from `template0`, so that nothing of the server's own is in it.
    pub async fn create_database(&self) -> Result<Target, ThrowawayError> {
        self.database_like("template0").await
    }

    /// Copies a database of the server, to which nobody may be connected meanwhile.
    pub async fn copy_database(&self, template: &str) -> Result<Target, ThrowawayError> {
        self.database_like(template).await
    }

    async fn database_like(&self, template: &str) -> Result<Target, ThrowawayError> {
        let session = connect(&self.target).await?;
        let row = session.query_one("SELECT replace(pg_catalog.gen_random_uuid()::text, '-', '')", &[]).await;
        let unique: String = row.map_err(|error| ThrowawayError::database("create", "a scratch", &error))?.get(0);
        let name = format!("{PREFIX}{unique}");
        // Noted first: if the answer gets lost, the database is dropped all the same.
        self.lock().push(name.clone());
        session.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {}", Quoted(template))).await.map_err(
            |error| match template {
                "template0" => ThrowawayError::database("create", &name, &error),
                _ => ThrowawayError::database("copy", template, &error),
            },
        )?;
        session.close().await;
        Ok(self.target.with_database(name))
    }

    /// A session on a fresh, empty database.
    pub async fn connect_database(&self) -> Result<Session, ThrowawayError> {
        Ok(connect(&self.create_database().await?).await?)
    }

    /// Drops the databases, and ends the sessions that are still on them.
    pub async fn stop(self) -> Result<(), ThrowawayError> {
        let names = std::mem::take(&mut *self.lock());
        drop_databases(&self.target, &names).await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.databases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Scratch {
    /// The way of a panic or an early return. A thread of its own does it, because a runtime's thread must not block on its runtime.
    fn drop(&mut self) {
        let names = std::mem::take(&mut *self.lock());
        if names.is_empty() {
            return;
        }
        let target = self.target.clone();
        let work = move || {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                let _ = runtime.block_on(drop_databases(&target, &names));
            }
        };
        if let Ok(thread) = std::thread::Builder::new().name("cutover-scratch".into()).spawn(work) {
            let _ = thread.join();
        }
    }
}

async fn drop_databases(target: &Target, names: &[String]) -> Result<(), ThrowawayError> {
    if names.is_empty() {
        return Ok(());
    }
    let session = connect(target).await?;
    let mut first = Ok(());
    for name in names {
        let dropped = session.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        first = first.and(dropped.map_err(|error| ThrowawayError::database("drop", name, &error)));
    }
    session.close().await;
    first
}

/// `16.3` for 160003.
fn version(num: i32) -> String {
    format!("{}.{}", num / 10_000, num % 10_000)
}
