//! The three kinds behind one face.

use std::collections::BTreeSet;

#[cfg(feature = "embedded")]
use super::embedded::Embedded;
use super::error::ThrowawayError;
use super::local::Local;
use super::scratch::{MadeRoles, Scratch};
use crate::postgres::{Session, Target, connect};
use crate::sql::name::Quoted;

/// A throwaway server of any kind. Dropping it leaves nothing behind either, but only [`Throwaway::stop`] tells what went wrong.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one in a process")]
pub enum Throwaway {
    /// In this process.
    #[cfg(feature = "embedded")]
    Embedded(Embedded),
    /// A cluster from this machine's binaries.
    Local(Local),
    /// Databases on a server the user names.
    Scratch(Scratch),
}

impl Throwaway {
    /// Which server it is, for the output.
    pub fn describe(&self) -> String {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded(server) => server.describe(),
            Self::Local(server) => server.describe(),
            Self::Scratch(server) => server.describe(),
        }
    }

    /// Whether several sessions can be open at once. If not, a second connection waits until the first is closed.
    pub fn allows_concurrent_sessions(&self) -> bool {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded(_) => false,
            Self::Local(_) | Self::Scratch(_) => true,
        }
    }

    /// A fresh, empty database to connect to, as often as needed (one session at a time where that is the limit).
    pub async fn create_database(&self) -> Result<Target, ThrowawayError> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded(server) => server.create_database().await,
            Self::Local(server) => server.create_database().await,
            Self::Scratch(server) => server.create_database().await,
        }
    }

    /// A copy of a database of the server; only servers that the user names have any.
    pub async fn copy_database(&self, template: &str) -> Result<Target, ThrowawayError> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded(_) => Err(ThrowawayError::NothingToCopy { database: template.to_owned() }),
            Self::Local(_) => Err(ThrowawayError::NothingToCopy { database: template.to_owned() }),
            Self::Scratch(server) => server.copy_database(template).await,
        }
    }

    /// A session on a fresh, empty database.
    pub async fn connect_database(&self) -> Result<Session, ThrowawayError> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded(server) => server.connect_database().await,
            Self::Local(server) => server.connect_database().await,
            Self::Scratch(server) => server.connect_database().await,
        }
    }

    /// The database from which the others are looked after. None where each database is a server of its own.
    fn maintenance(&self) -> Option<&Target> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded(_) => None,
            Self::Local(server) => Some(server.maintenance()),
            Self::Scratch(server) => Some(server.maintenance()),
        }
    }

    /// Where roles are noted before they are made, on a server that is somebody's.
    pub(crate) fn made_roles(&self) -> Option<MadeRoles> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded(_) => None,
            Self::Local(_) => None,
            Self::Scratch(server) => Some(server.made_roles()),
        }
    }

    /// The roles of the server; none where each database is a server of its own.
    pub(crate) async fn roles(&self) -> Result<BTreeSet<String>, ThrowawayError> {
        let Some(target) = self.maintenance() else { return Ok(BTreeSet::new()) };
        let session = connect(target).await?;
        let rows = session.query("SELECT rolname::pg_catalog.text FROM pg_catalog.pg_roles", &[]).await;
        let rows = rows.map_err(|error| ThrowawayError::role("read", "roles", &error))?;
        session.close().await;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Drops a database with the sessions on it, and roles that were made for it.
    pub(crate) async fn forget(&self, database: &Target, roles: &[String]) -> Result<(), ThrowawayError> {
        let Some(target) = self.maintenance() else { return Ok(()) };
        let session = connect(target).await?;
        let name = database.database();
        let dropped = session.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", Quoted(name))).await;
        dropped.map_err(|error| ThrowawayError::database("drop", name, &error))?;
        for role in roles {
            let dropped = session.batch_execute(&format!("DROP ROLE IF EXISTS {}", Quoted(role))).await;
            dropped.map_err(|error| ThrowawayError::role("drop", role, &error))?;
        }
        session.close().await;
        Ok(())
    }

    /// Ends the server and removes what it made. Sessions on it should be closed before.
    pub async fn stop(self) -> Result<(), ThrowawayError> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded(server) => server.stop().await,
            Self::Local(server) => {
                server.stop();
                Ok(())
            }
            Self::Scratch(server) => server.stop().await,
        }
    }
}
