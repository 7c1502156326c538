//! The three kinds behind one face.

#[cfg(feature = "embedded")]
use super::embedded::Embedded;
use super::error::ThrowawayError;
use super::local::Local;
use super::scratch::Scratch;
use crate::postgres::{Session, Target};

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

    /// A session on a fresh, empty database.
    pub async fn connect_database(&self) -> Result<Session, ThrowawayError> {
        match self {
            #[cfg(feature = "embedded")]
            Self::Embedded(server) => server.connect_database().await,
            Self::Local(server) => server.connect_database().await,
            Self::Scratch(server) => server.connect_database().await,
        }
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
