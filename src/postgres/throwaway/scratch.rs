//! Scratch databases on a server the user names.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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
    roles: MadeRoles,
}

/// Roles that are made for a trial: they belong to the whole server and go at the end, whatever happens.
pub(crate) type MadeRoles = Arc<Mutex<BTreeSet<String>>>;

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
        Ok(Self { target: target.clone(), version_num, databases: Mutex::default(), roles: MadeRoles::default() })
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
        let copy = self.database_like(template).await?;
        // What the database says of its sessions is none of its content.
        let session = connect(&self.target).await?;
        for setting in
            settings(&session, template).await.map_err(|error| ThrowawayError::database("copy", template, &error))?
        {
            let set = format!("ALTER DATABASE {} SET {setting}", Quoted(copy.database()));
            session.batch_execute(&set).await.map_err(|error| ThrowawayError::database("copy", template, &error))?;
        }
        session.close().await;
        Ok(copy)
    }

    /// Where roles are noted before they are made.
    pub(crate) fn made_roles(&self) -> MadeRoles {
        Arc::clone(&self.roles)
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
        let (names, roles) = self.take();
        drop_all(&self.target, &names, &roles).await
    }

    fn take(&self) -> (Vec<String>, BTreeSet<String>) {
        let roles = std::mem::take(&mut *self.roles.lock().unwrap_or_else(PoisonError::into_inner));
        (std::mem::take(&mut *self.lock()), roles)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.databases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Scratch {
    /// The way of a panic or an early return. A thread of its own does it, because a runtime's thread must not block on its runtime.
    fn drop(&mut self) {
        let (names, roles) = self.take();
        if names.is_empty() && roles.is_empty() {
            return;
        }
        let target = self.target.clone();
        let work = move || {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                let _ = runtime.block_on(drop_all(&target, &names, &roles));
            }
        };
        if let Ok(thread) = std::thread::Builder::new().name("cutover-scratch".into()).spawn(work) {
            let _ = thread.join();
        }
    }
}

/// What a database says of all sessions on it, as the end of an `ALTER DATABASE … SET`.
async fn settings(session: &Session, database: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    // A list stands there as it is written.
    let query = "SELECT pg_catalog.quote_ident(s.name) || ' TO ' || CASE WHEN s.name IN ('local_preload_libraries', 'search_path',
                 'session_preload_libraries', 'temp_tablespaces') AND s.value <> '' THEN s.value ELSE pg_catalog.quote_literal(s.value) END
         FROM pg_catalog.pg_db_role_setting r JOIN pg_catalog.pg_database d ON d.oid = r.setdatabase
         CROSS JOIN LATERAL (SELECT pg_catalog.split_part(c, '=', 1) AS name, pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) AS value
             FROM pg_catalog.unnest(r.setconfig) AS c) AS s
         WHERE r.setrole = 0 AND d.datname = $1";
    Ok(session.query(query, &[&database]).await?.iter().map(|row| row.get(0)).collect())
}

/// How long a database is waited for whose making was interrupted, and how often it is looked for.
const INTERRUPTED: (u32, Duration) = (100, Duration::from_millis(100));

/// Ends whoever still makes these databases: a copy goes on when its client has gone, and is not seen until it is there.
async fn end_makers(session: &Session, names: &[String]) -> Result<(), tokio_postgres::Error> {
    let query = "SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a, pg_catalog.unnest($1::pg_catalog.text[]) AS n(name)
         WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.state <> 'idle' AND a.query LIKE 'CREATE DATABASE ' || n.name || ' %'";
    for _ in 0..INTERRUPTED.0 {
        if session.query(query, &[&names]).await?.is_empty() {
            break;
        }
        tokio::time::sleep(INTERRUPTED.1).await;
    }
    Ok(())
}

async fn drop_all(target: &Target, names: &[String], roles: &BTreeSet<String>) -> Result<(), ThrowawayError> {
    if names.is_empty() && roles.is_empty() {
        return Ok(());
    }
    let session = connect(target).await?;
    end_makers(&session, names).await.map_err(|error| ThrowawayError::database("drop", PREFIX, &error))?;
    let mut first = Ok(());
    for name in names {
        let dropped = session.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        first = first.and(dropped.map_err(|error| ThrowawayError::database("drop", name, &error)));
    }
    for role in roles {
        let dropped = session.batch_execute(&format!("DROP ROLE IF EXISTS {}", Quoted(role))).await;
        first = first.and(dropped.map_err(|error| ThrowawayError::role("drop", role, &error)));
    }
    session.close().await;
    first
}

/// `16.3` for 160003.
fn version(num: i32) -> String {
    format!("{}.{}", num / 10_000, num % 10_000)
}
