//! Why there is no connection, told apart by what to do about it.

use std::time::Duration;

use tokio_postgres::error::{DbError, SqlState};

use super::tls::TlsFailure;
use super::tls_settings::SslMode;

/// Why there is no connection. `target` is [`super::Target::display`] of the one server that was tried: no variant holds a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody answers there.
    #[error("cannot reach {target}: {reason}")]
    Unreachable {
        /// Where to.
        target: String,
        /// What the operating system said.
        reason: String,
    },
    /// No answer in time.
    #[error("cannot connect to {target}: no answer within {}", seconds(*after))]
    Timeout {
        /// Where to.
        target: String,
        /// How long was waited.
        after: Duration,
    },
    /// TLS is missing, or the server is not who it should be.
    #[error("cannot connect to {target} with sslmode={mode}: {failure}")]
    Tls {
        /// Where to.
        target: String,
        /// The mode that was asked for.
        mode: SslMode,
        /// What went wrong.
        failure: TlsFailure,
    },
    /// The server asks for a password and there is none.
    #[error("cannot connect to {target}: the server asks for a password")]
    NoPassword {
        /// Where to.
        target: String,
    },
    /// Who was to say the password did not.
    #[error("cannot connect to {target}: the password command: {reason}")]
    PasswordCommand {
        /// Where to.
        target: String,
        /// What went wrong.
        reason: String,
    },
    /// The server does not let this user in.
    #[error("cannot connect to {target}: {message} (SQLSTATE {sqlstate})")]
    Authentication {
        /// Where to.
        target: String,
        /// What the server said.
        message: String,
        /// `28P01` or `28000`.
        sqlstate: String,
    },
    /// There is no such database.
    #[error("cannot connect to {target}: {message} (SQLSTATE 3D000)")]
    UnknownDatabase {
        /// Where to.
        target: String,
        /// The database.
        database: String,
        /// What the server said.
        message: String,
    },
    /// The server refuses for another reason: too many connections, starting up, shutting down, no privilege to connect.
    #[error("cannot connect to {target}: {message} (SQLSTATE {sqlstate})")]
    Refused {
        /// Where to.
        target: String,
        /// What the server said.
        message: String,
        /// Its code.
        sqlstate: String,
        /// The server's own hint.
        hint: Option<String>,
    },
    /// It is a primary and a standby was asked for, or the other way round.
    #[error("cannot use {target}: it does not fit target_session_attrs")]
    WrongRole {
        /// Where to.
        target: String,
    },
    /// The conversation broke off or is not PostgreSQL's.
    #[error("cannot connect to {target}: {reason}")]
    Protocol {
        /// Where to.
        target: String,
        /// What was wrong.
        reason: String,
    },
}

impl ConnectError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } => {
                Some("check host and port, and that the server is running and listens there".into())
            }
            Self::Timeout { .. } => Some(
                "check host, port and firewall; connect_timeout or PGCONNECT_TIMEOUT sets the limit in seconds".into(),
            ),
            Self::Tls { mode, failure, .. } => Some(failure.hint(*mode)),
            Self::PasswordCommand { .. } => {
                Some("run it by hand; it is `password-command` under [database] in cutover.toml, or CUTOVER_DATABASE_PASSWORD_COMMAND".into())
            }
            Self::NoPassword { .. } => Some("set PGPASSWORD, or write the password to ~/.pgpass (chmod 600)".into()),
            Self::Authentication { sqlstate, .. } if sqlstate == SqlState::INVALID_PASSWORD.code() => {
                Some("check user and password: PGPASSWORD comes before the password file".into())
            }
            Self::Authentication { .. } => Some(
                "check the user name and the server's pg_hba.conf, which may insist on TLS (sslmode=require)".into(),
            ),
            Self::UnknownDatabase { database, .. } => Some(format!("create it, or check the name {database:?}")),
            Self::Refused { hint, sqlstate, .. } => {
                let full = sqlstate == SqlState::TOO_MANY_CONNECTIONS.code();
                hint.clone().or_else(|| full.then(|| "raise max_connections, or end sessions that idle".into()))
            }
            Self::WrongRole { .. } => Some("name the other servers of the cluster in the host list as well".into()),
            Self::Protocol { .. } => Some("check that PostgreSQL, or a pooler for it, listens there".into()),
        }
    }

    /// Whether the next server of the list may do better. libpq does not go on after a failed authentication.
    pub(super) fn is_about_this_server(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::WrongRole { .. } => true,
            Self::Refused { sqlstate, .. } => sqlstate == SqlState::CANNOT_CONNECT_NOW.code(),
            Self::Tls { .. }
            | Self::NoPassword { .. }
            | Self::PasswordCommand { .. }
            | Self::Authentication { .. }
            | Self::UnknownDatabase { .. }
            | Self::Protocol { .. } => false,
        }
    }

    /// Whether the server is there and not yet, or no longer, taking connections: worth another attempt shortly.
    pub fn is_starting_up(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { sqlstate, .. } => sqlstate == SqlState::CANNOT_CONNECT_NOW.code(),
            _ => false,
        }
    }

    /// What the server said while it should have let us in.
    pub(super) fn from_server(target: String, database: &str, error: &DbError) -> Self {
        let (message, code) = (error.message().to_owned(), error.code());
        let sqlstate = code.code().to_owned();
        if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
            Self::Authentication { target, message, sqlstate }
        } else if *code == SqlState::INVALID_CATALOG_NAME {
            Self::UnknownDatabase { target, database: database.to_owned(), message }
        } else {
            Self::Refused { target, message, sqlstate, hint: error.hint().map(str::to_owned) }
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
