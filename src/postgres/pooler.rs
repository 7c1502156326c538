//! Whether a pooler between here and the server hands what is one session here to several of the server's processes, or several sessions to one.
//!
//! In transaction and statement mode it does, and then nothing that belongs to a session holds: no advisory lock, no setting. It does not say so.
//! What gives it away is who answers: two sessions that are open at the same time never have the same server process, and one session always has
//! the same. In session mode, or without a pooler, both are so.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::connect::connect;
use super::session::{Session, first_row};

/// How long another session may take to come. A pooler in session mode may have none left; that is no answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What gave a pooler away, in words; `None`: nothing did.
pub(crate) async fn gives_itself_away(session: &Session) -> Option<String> {
    // Out of time is no answer.
    tokio::time::timeout(PATIENCE, compare(session)).await.unwrap_or_default()
}

async fn compare(session: &Session) -> Option<String> {
    let first = who(session, "").await.ok()??;
    let other = connect(session.target()).await.ok()?;
    // Within a transaction a pooler leaves the other session its process.
    let answer = match who(&other, "BEGIN; ").await {
        // No server refuses to begin a transaction; a pooler in statement mode does.
        Err(error) if error.code() == Some(&SqlState::PROTOCOL_VIOLATION) => {
            return Some(format!("a transaction was refused: {}", super::server_message(&error)));
        }
        answer => answer.ok()??,
    };
    if answer == first {
        return Some(format!("server process {} answered in two sessions at once", answer.0));
    }
    let again = who(session, "").await.ok()??;
    (again != first).then(|| format!("server processes {} and {} answered in one session", first.0, again.0))
}

/// The server's process and since when it is there: a number alone may be another server's. Asked without preparing a statement, which such a
/// pooler may not be able to.
async fn who(session: &Session, before: &str) -> Result<Option<(String, String)>, tokio_postgres::Error> {
    let query = format!(
        "{before}SELECT pg_catalog.pg_backend_pid(), backend_start FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()"
    );
    let answer = session.simple_query(&query).await?;
    Ok(first_row(&answer).and_then(|row| Some((row.get(0)?.to_owned(), row.get(1)?.to_owned()))))
}
