//! After a crash or before a try: did a statement outside a transaction happen, and what did it leave behind?

use crate::postgres::Session;

use crate::execute::error::ExecuteError;
use crate::execute::session::{failed, get};
use crate::sql::recognise::Alone;

/// What the catalog says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// It happened.
    Done,
    /// It did not happen, or may happen again; these statements clear up first.
    NotDone {
        /// Statements that may not run in a transaction, one by one.
        repairs: Vec<String>,
    },
    /// It happened in part and these statements finish it.
    Finish {
        /// The statement.
        sql: String,
    },
    /// The catalog cannot tell.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// Looks. `in_doubt`: the journal says that the statement was begun.
pub(super) async fn look(client: &Session, kind: &Alone, in_doubt: bool) -> Result<Found, ExecuteError> {
    let fresh = Found::NotDone { repairs: Vec::new() };
    match kind {
        Alone::CreateIndex { name: None, .. } if in_doubt => {
            Ok(Found::Unknown { why: "the statement gives the index no name, so it cannot be told from others".into() })
        }
        Alone::CreateIndex { name: None, .. } => Ok(fresh),
        Alone::CreateIndex { name: Some(name), table } => index(client, name, table, in_doubt).await,
        Alone::DropIndex { index } => {
            let there = exists(client, index).await?;
            Ok(if in_doubt && !there { Found::Done } else { fresh })
        }
        Alone::Reindex { relation } => Ok(Found::NotDone { repairs: reindex_leftovers(client, relation).await? }),
        Alone::DetachPartition { parent, partition } => detach(client, parent, partition, in_doubt).await,
        Alone::AddEnumValue { name, label } => {
            let query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_enum
                 WHERE enumtypid = pg_catalog.to_regtype($1) AND enumlabel::pg_catalog.text = $2)";
            let row = client.query_one(query, &[name, label]).await.map_err(failed("looking for the enum's label"))?;
            Ok(if in_doubt && get(&row, 0)? { Found::Done } else { fresh })
        }
        Alone::Rerunnable => Ok(fresh),
        Alone::MayCommit | Alone::Other if in_doubt => {
            Ok(Found::Unknown { why: "it was begun, and no catalog tells whether it took effect".into() })
        }
        Alone::MayCommit | Alone::Other => Ok(fresh),
    }
}

/// An invalid index is dropped before every try: `IF NOT EXISTS` would skip it and report success.
async fn index(client: &Session, name: &str, table: &str, in_doubt: bool) -> Result<Found, ExecuteError> {
    let query = "SELECT i.indisvalid AND i.indisready,
             pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
             (SELECT p.pid FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = c.oid LIMIT 1)
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE i.indrelid = pg_catalog.to_regclass($1) AND c.relname::pg_catalog.text = $2";
    let row = client.query_opt(query, &[&table, &name]).await.map_err(failed("looking for the index"))?;
    let Some(row) = row else { return Ok(Found::NotDone { repairs: Vec::new() }) };
    let (valid, qualified, builder): (bool, String, Option<i32>) = (get(&row, 0)?, get(&row, 1)?, get(&row, 2)?);
    Ok(match (valid, builder) {
        (true, _) if in_doubt => Found::Done,
        // Somebody else's: the server says what it thinks of the name.
        (true, _) => Found::NotDone { repairs: Vec::new() },
        (false, Some(pid)) => Found::Unknown {
            why: format!("index {qualified} is being built by server process {pid}; wait until that ends"),
        },
        (false, None) => Found::NotDone { repairs: vec![format!("DROP INDEX CONCURRENTLY {qualified}")] },
    })
}

async fn exists(client: &Session, relation: &str) -> Result<bool, ExecuteError> {
    let query = "SELECT pg_catalog.to_regclass($1) IS NOT NULL";
    let row = client.query_one(query, &[&relation]).await.map_err(failed("looking for the index"))?;
    get(&row, 0)
}

/// `…_ccnew` and `…_ccold`, with a number where that name was taken.
async fn reindex_leftovers(client: &Session, relation: &str) -> Result<Vec<String>, ExecuteError> {
    let query = "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$'
           AND (i.indrelid = pg_catalog.to_regclass($1)
             OR i.indrelid = (SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = pg_catalog.to_regclass($1)))
         ORDER BY 1";
    let rows = client.query(query, &[&relation]).await.map_err(failed("looking for leftovers of REINDEX"))?;
    rows.iter().map(|row| Ok(format!("DROP INDEX CONCURRENTLY {}", get::<String>(row, 0)?))).collect()
}

async fn detach(client: &Session, parent: &str, partition: &str, in_doubt: bool) -> Result<Found, ExecuteError> {
    let query = "SELECT coalesce((pg_catalog.to_jsonb(i) ->> 'inhdetachpending')::pg_catalog.bool, false) FROM pg_catalog.pg_inherits i
         WHERE inhrelid = pg_catalog.to_regclass($1) AND inhparent = pg_catalog.to_regclass($2)";
    let row = client.query_opt(query, &[&partition, &parent]).await.map_err(failed("looking for the partition"))?;
    let pending: Option<bool> = row.as_ref().map(|row| get(row, 0)).transpose()?;
    Ok(match pending {
        Some(true) => Found::Finish { sql: format!("ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE") },
        Some(false) => Found::NotDone { repairs: Vec::new() },
        None if in_doubt => Found::Done,
        None => Found::NotDone { repairs: Vec::new() },
    })
}
