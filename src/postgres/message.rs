//! What the server said, for messages.

use tokio_postgres::error::SqlState;

/// What the server said, in one line with its SQLSTATE; without DETAIL, which may hold row values.
pub(crate) fn server_message(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        // Nobody but a pooler loses prepared statements, or finds those of others.
        let pooled = [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT].contains(db.code());
        let pooler = if pooled {
            ": a pooler in transaction or statement mode is in between, connect to PostgreSQL itself"
        } else {
            ""
        };
        return format!("{} (SQLSTATE {}){pooler}", db.message(), db.code().code());
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Why a server did not do what it was asked, in one line with its SQLSTATE.
#[derive(Debug, thiserror::Error)]
#[error("{}", server_message(.0))]
pub struct ServerError(#[from] tokio_postgres::Error);

impl ServerError {
    /// The SQLSTATE, if the server answered at all.
    pub fn code(&self) -> Option<&str> {
        self.0.code().map(tokio_postgres::error::SqlState::code)
    }

    /// Whether the connection is gone: the server shuts down or crashed, ended the session, or does not answer any more.
    pub fn is_lost(&self) -> bool {
        match self.0.code() {
            Some(code) => {
                [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW].contains(code)
            }
            None => {
                self.0.is_closed()
                    || std::error::Error::source(&self.0).is_some_and(|source| source.is::<std::io::Error>())
            }
        }
    }
}
