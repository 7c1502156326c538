//! Locks, new files and rows read, of the transaction that runs.

use super::ObserveError;
use std::collections::HashMap;

use tokio_postgres::Row;

use super::image::Image;
use crate::effect::{Lock, LockMode};
use crate::postgres::Session;
use crate::schema::QName;

/// What running a statement cost, on tables that were there before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cost {
    /// The strongest lock on each table that somebody could wait for, by table.
    pub locks: Vec<Lock>,
    /// Tables with new files: they were written anew (or emptied: `TRUNCATE` gives them new files too).
    pub rewrites: Vec<QName>,
    /// Tables that it read, by a query of its own: what it did may depend on their rows.
    pub reads: Vec<QName>,
    /// Catalogs of the whole server that it wrote: roles, memberships, settings, tablespaces, databases.
    pub shared: Vec<String>,
    /// Sequential reads.
    pub scans: Vec<Scan>,
}

/// Rows of a table read sequentially. Building an index reads them too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The table.
    pub relation: QName,
    /// How many rows; a statement that reads a table twice counts twice.
    pub rows: i64,
}

/// Rows read sequentially so far, by table. The server adds them up over transactions for a while, so what one statement read is the
/// difference of two readings in its transaction.
pub(super) type Rows = HashMap<u32, i64>;

/// The reading before the statement.
pub(super) async fn rows(session: &Session, before: &Image) -> Result<Rows, ObserveError> {
    let counted = counters(session, before).await?;
    Ok(counted.iter().map(|row| (row.get(0), row.get(2))).collect())
}

/// What the running transaction of the session has locked, rewritten and read.
pub(super) async fn read(session: &Session, before: &Image, rows: &Rows) -> Result<Cost, ObserveError> {
    let held = session
        .query(
            "SELECT l.relation, l.mode, CASE WHEN l.database = 0 THEN l.relation::pg_catalog.regclass::text END
             FROM pg_catalog.pg_locks l
             WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted",
            &[],
        )
        .await
        .map_err(|source| ObserveError::Server { what: "locks", source })?;
    let counted = counters(session, before).await?;
    let mut cost = Cost::default();
    for row in &held {
        // These are locked for writing until the end of the transaction by whoever changes them.
        let catalog = row.get::<_, Option<String>>(2).filter(|catalog| SHARED.contains(&catalog.as_str()));
        cost.shared.extend(catalog.filter(|_| lock_mode(row.get(1)) >= Some(LockMode::RowExclusive)));
    }
    for (oid, table) in before.tables() {
        let plain = |row: &&Row| row.get::<_, u32>(0) == oid && row.get::<_, &str>(1) == "AccessShareLock";
        if held.iter().any(|row| plain(&row)) {
            cost.reads.push(table.name.clone());
        }
        let modes = held.iter().filter(|row| row.get::<_, u32>(0) == oid).filter_map(|row| lock_mode(row.get(1)));
        if let Some(mode) = modes.max() {
            cost.locks.push(Lock { relation: table.name.clone(), mode });
        }
        let Some(row) = counted.iter().find(|row| row.get::<_, u32>(0) == oid) else { continue };
        if row.get::<_, Option<u32>>(1) != table.file {
            cost.rewrites.push(table.name.clone());
        }
        let read = row.get::<_, i64>(2) - rows.get(&oid).copied().unwrap_or(0);
        if read > 0 {
            cost.scans.push(Scan { relation: table.name.clone(), rows: read });
        }
    }
    cost.locks.sort_by(|a, b| a.relation.cmp(&b.relation));
    cost.reads.sort();
    cost.rewrites.sort();
    cost.scans.sort_by(|a, b| a.relation.cmp(&b.relation));
    Ok(cost)
}

/// Number, file and rows read of each table that is still there.
async fn counters(session: &Session, before: &Image) -> Result<Vec<Row>, ObserveError> {
    let tables: Vec<u32> = before.tables().map(|(oid, _)| oid).collect();
    let sql = "SELECT t.oid, pg_catalog.pg_relation_filenode(t.oid), pg_catalog.pg_stat_get_xact_tuples_returned(t.oid)
               FROM pg_catalog.unnest($1::oid[]) AS t(oid) JOIN pg_catalog.pg_class c ON c.oid = t.oid
               WHERE c.relkind IN ('r', 'm')";
    session.query(sql, &[&tables]).await.map_err(|source| ObserveError::Server { what: "files and rows", source })
}

/// Catalogs that all databases of a server share, and that statements change.
const SHARED: &[&str] = &["pg_authid", "pg_auth_members", "pg_db_role_setting", "pg_tablespace", "pg_database"];

/// The mode as `pg_locks` names it; `None` for the lock of plain reads, which holds up nobody but DDL.
pub(crate) fn lock_mode(name: &str) -> Option<LockMode> {
    Some(match name {
        "RowShareLock" => LockMode::RowShare,
        "RowExclusiveLock" => LockMode::RowExclusive,
        "ShareUpdateExclusiveLock" => LockMode::ShareUpdateExclusive,
        "ShareLock" => LockMode::Share,
        "ShareRowExclusiveLock" => LockMode::ShareRowExclusive,
        "ExclusiveLock" => LockMode::Exclusive,
        "AccessExclusiveLock" => LockMode::AccessExclusive,
        _ => return None,
    })
}
