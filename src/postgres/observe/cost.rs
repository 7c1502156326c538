//! Locks, new files and rows read, of the transaction that runs.

use super::ObserveError;
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

/// What the running transaction of the session has locked, rewritten and read so far.
pub(super) async fn read(session: &Session, before: &Image) -> Result<Cost, ObserveError> {
    let failed = |what| move |source| ObserveError::Server { what, source };
    let held = session
        .query(
            "SELECT l.relation, l.mode FROM pg_catalog.pg_locks l
             WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted",
            &[],
        )
        .await
        .map_err(failed("locks"))?;
    let tables: Vec<u32> = before.tables().map(|(oid, _)| oid).collect();
    let counted = session
        .query(
            "SELECT t.oid, pg_catalog.pg_relation_filenode(t.oid), pg_catalog.pg_stat_get_xact_tuples_returned(t.oid)
             FROM pg_catalog.unnest($1::oid[]) AS t(oid) JOIN pg_catalog.pg_class c ON c.oid = t.oid
             WHERE c.relkind IN ('r', 'm')",
            &[&tables],
        )
        .await
        .map_err(failed("files and rows"))?;
    let mut cost = Cost::default();
    for (oid, table) in before.tables() {
        let modes = held.iter().filter(|row| row.get::<_, u32>(0) == oid).filter_map(|row| mode(row.get(1)));
        if let Some(mode) = modes.max() {
            cost.locks.push(Lock { relation: table.name.clone(), mode });
        }
        let Some(row) = counted.iter().find(|row| row.get::<_, u32>(0) == oid) else { continue };
        if row.get::<_, Option<u32>>(1) != table.file {
            cost.rewrites.push(table.name.clone());
        }
        let rows: i64 = row.get(2);
        if rows > 0 {
            cost.scans.push(Scan { relation: table.name.clone(), rows });
        }
    }
    for list in [&mut cost.rewrites] {
        list.sort();
    }
    cost.locks.sort_by(|a, b| a.relation.cmp(&b.relation));
    cost.scans.sort_by(|a, b| a.relation.cmp(&b.relation));
    Ok(cost)
}

/// The mode as `pg_locks` names it; `None` for the lock of plain reads, which holds up nobody but DDL.
fn mode(name: &str) -> Option<LockMode> {
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
