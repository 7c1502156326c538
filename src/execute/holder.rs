//! Who holds the lease, as far as the server and the journal say.

use schemars::JsonSchema;
use serde::Serialize;

/// Who holds the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Holder {
    /// The machine, once the journal says so.
    pub host: Option<String>,
    /// The process there.
    pub pid: Option<i64>,
    /// The database role.
    pub role: Option<String>,
    /// Since when.
    pub since: Option<String>,
    /// The server's process.
    pub backend_pid: i32,
    /// What `pg_stat_activity` says that it does, for example `active`.
    pub state: Option<String>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let (Some(host), Some(pid)) = (&self.host, self.pid) {
            write!(f, "process {pid} on {host}")?;
        } else {
            f.write_str("another session")?;
        }
        if let Some(role) = &self.role {
            write!(f, " as {role}")?;
        }
        if let Some(since) = &self.since {
            write!(f, " since {since}")?;
        }
        write!(f, " (server process {}", self.backend_pid)?;
        if let Some(state) = &self.state {
            write!(f, ", {state}")?;
        }
        f.write_str(")")
    }
}
