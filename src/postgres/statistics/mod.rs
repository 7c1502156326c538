//! A live server → [`Statistics`]. One transaction that only reads, with short timeouts. What cannot be had is said and not fatal: an
//! extension that is missing, what a role may not see, a table that somebody holds.

mod queries;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Row};

use self::queries as ask;
use super::message::server_message;
use super::session::Session;
use crate::schema::{Constraint, QName, Relation, Schema, TableRule};
use crate::sql::operation::{Ident, OnDelete, RelationKind};
use crate::stats::{
    Activity, Basis, Bytes, ColumnStats, FORMAT_VERSION, IndexStats, Missing, RowStats, StatementStats, Statements,
    Statistics, TableKind, TableName, TableStats, Transactions, Utility, calls_any, touches, utility, without_values,
};

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
#[error("measuring failed ({what}): {}", server_message(source))]
pub struct MeasureError {
    what: &'static str,
    #[source]
    source: Error,
}

impl MeasureError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        "nothing was changed or written; try again when the server has less to do, or as a role that may read the catalog"
    }
}

/// Measures the database that the session is connected to. Changes nothing.
pub async fn measure(session: &Session) -> Result<Statistics, MeasureError> {
    let begun = session.batch_execute(ask::BEGIN).await;
    begun.map_err(|source| MeasureError { what: "begin", source })?;
    let measured = Measuring { session, missing: Vec::new() }.run().await;
    // It has only read: nothing is lost if its end cannot be told.
    let _ = session.batch_execute("ROLLBACK").await;
    measured
}

/// What is known of the server before its tables.
struct Server {
    measured_at: String,
    standby: bool,
    max_connections: u32,
    block_size: u64,
    sees_all: bool,
    counts: bool,
    /// For how long it has counted, and whether that is known.
    counted: (f64, Basis),
}

/// The size of a file, or of those of a table's long values.
type Sizes = HashMap<u32, (u64, u64)>;

struct Measuring<'a> {
    session: &'a Session,
    missing: Vec<Missing>,
}

impl Measuring<'_> {
    async fn run(mut self) -> Result<Statistics, MeasureError> {
        let server = self.server().await?;
        let schema = self.schema().await?;
        let tables = self.tables(&server, &schema).await?;
        let statements = self.statements(&server, &schema).await?;
        let transactions = self.transactions(&server).await?;
        Ok(Statistics {
            format_version: FORMAT_VERSION.to_owned(),
            tool: concat!("cutover ", env!("CARGO_PKG_VERSION")).to_owned(),
            server_version_num: u32::try_from(self.session.server_version_num()).unwrap_or(0),
            measured_at: server.measured_at,
            standby: server.standby,
            max_connections: server.max_connections,
            tables,
            statements,
            transactions,
            missing: self.missing,
        })
    }

    async fn rows(&self, what: &'static str, sql: &str) -> Result<Vec<Row>, MeasureError> {
        self.session.query(sql, &[]).await.map_err(|source| MeasureError { what, source })
    }

    /// Asks what may fail without harm to what comes after.
    async fn attempt(&self, sql: &str) -> Result<Result<Vec<Row>, Error>, MeasureError> {
        let failed = |source| MeasureError { what: "savepoint", source };
        self.session.batch_execute("SAVEPOINT cutover_attempt").await.map_err(failed)?;
        let rows = self.session.query(sql, &[]).await;
        if rows.as_ref().is_err_and(Error::is_closed) {
            return rows.map(Ok).map_err(failed);
        }
        let end = if rows.is_ok() { "RELEASE" } else { "ROLLBACK TO" };
        self.session.batch_execute(&format!("{end} SAVEPOINT cutover_attempt")).await.map_err(failed)?;
        Ok(rows)
    }

    fn lacks(&mut self, what: &str, why: impl Into<String>, remedy: &str) {
        self.missing.push(Missing { what: what.to_owned(), why: why.into(), remedy: remedy.to_owned() });
    }

    async fn server(&mut self) -> Result<Server, MeasureError> {
        let rows = self.rows("the server", ask::SERVER).await?;
        let Some(row) = rows.first() else {
            return Ok(Server {
                measured_at: String::new(),
                standby: false,
                max_connections: 0,
                block_size: 8_192,
                sees_all: false,
                counts: false,
                counted: (1.0, Basis::Assumed),
            });
        };
        let (reset, started): (Option<f64>, Option<f64>) = (row.get(6), row.get(7));
        let server = Server {
            measured_at: row.get(0),
            standby: row.get(1),
            max_connections: u32::try_from(row.get::<_, i64>(2)).unwrap_or(u32::MAX),
            block_size: unsigned(row.get(3)),
            sees_all: row.get(4),
            counts: row.get(5),
            counted: match reset {
                Some(seconds) => (seconds.max(1.0), Basis::Measured),
                None => (started.unwrap_or(1.0).max(1.0), Basis::Estimated),
            },
        };
        if server.standby {
            let why = "the server is a standby, and counts what it is asked itself";
            self.lacks("what the primary is asked", why, "measure on the primary");
        }
        if !server.sees_all {
            let why = "this role may not look at them";
            self.lacks("statements and transactions of other roles", why, "GRANT pg_read_all_stats to it");
        }
        if !server.counts {
            self.lacks("what is done with tables", "track_counts is off", "set track_counts = on");
        }
        Ok(server)
    }

    /// As much of the catalog as tells which tables a statement locks.
    async fn schema(&self) -> Result<Schema, MeasureError> {
        let rows = self.rows("relations", &ask::relations()).await?;
        let mut names: HashMap<u32, QName> = HashMap::new();
        let mut relations: HashMap<u32, Relation> = HashMap::new();
        for row in &rows {
            let kind = match row.get::<_, String>(3).as_str() {
                "v" => RelationKind::View,
                "m" => RelationKind::MaterializedView,
                _ => RelationKind::Table,
            };
            names.insert(row.get(0), QName::new(row.get::<_, String>(1), row.get::<_, String>(2)));
            relations.insert(row.get(0), Relation::new(kind));
        }
        for row in &rows {
            let parent = row.get::<_, Option<u32>>(4).and_then(|parent| names.get(&parent)).cloned();
            if let Some(relation) = relations.get_mut(&row.get(0)) {
                relation.parent = parent;
            }
        }
        for row in self.rows("views", ask::VIEWS).await? {
            if let (Some(view), Some(read)) = (relations.get_mut(&row.get(0)), names.get(&row.get(1))) {
                view.reads.insert(read.clone());
            }
        }
        let idents = |row: &Row, at: usize| row.get::<_, Vec<String>>(at).into_iter().map(Ident::from).collect();
        for row in self.rows("foreign keys", &ask::foreign_keys()).await? {
            let (Some(table), Some(target)) = (relations.get_mut(&row.get(0)), names.get(&row.get(2))) else {
                continue;
            };
            let kind = TableRule::ForeignKey {
                columns: idents(&row, 3),
                target: target.clone(),
                target_columns: idents(&row, 4),
                on_delete: super::introspect::on_delete(row.get(5)),
                follows: super::introspect::on_delete(row.get(6)) != OnDelete::Refuse,
            };
            table
                .constraints
                .insert(row.get::<_, String>(1).into(), Constraint { kind, valid: true, enforced: true }.into());
        }
        let mut schema = Schema::empty();
        for (oid, relation) in relations {
            if let Some(name) = names.get(&oid) {
                schema.insert_relation(name.clone(), relation);
            }
        }
        Ok(schema)
    }

    async fn tables(&mut self, server: &Server, schema: &Schema) -> Result<Vec<TableStats>, MeasureError> {
        let rows = self.rows("tables", &ask::tables()).await?;
        let sizes: Sizes = match self.attempt(&ask::sizes()).await? {
            Ok(rows) => rows
                .iter()
                .filter_map(|row| {
                    Some((
                        row.get(0),
                        (unsigned(row.get::<_, Option<i64>>(1)?), unsigned(row.get::<_, Option<i64>>(2)?)),
                    ))
                })
                .collect(),
            Err(error) => {
                let remedy = "they are estimated by the pages that VACUUM or ANALYZE saw; measure again";
                self.lacks("sizes", server_message(&error), remedy);
                Sizes::new()
            }
        };
        let mut indexes: HashMap<u32, Vec<IndexStats>> = HashMap::new();
        for row in self.rows("indexes", &ask::indexes()).await? {
            let measured = sizes.get(&row.get::<_, u32>(1)).map(|size| size.0);
            indexes.entry(row.get(0)).or_default().push(IndexStats {
                name: row.get(2),
                bytes: measured.unwrap_or_else(|| unsigned(row.get(3)) * server.block_size),
                basis: if measured.is_some() { Basis::Measured } else { Basis::Estimated },
            });
        }
        let mut columns: HashMap<(String, String), Vec<ColumnStats>> = HashMap::new();
        for row in self.rows("columns", ask::COLUMNS).await? {
            let column = ColumnStats { name: row.get(2), null_fraction: row.get(3), distinct: row.get(4) };
            columns.entry((row.get(0), row.get(1))).or_default().push(column);
        }
        let unread = rows.iter().filter(|row| !row.get::<_, bool>(13)).count();
        if unread > 0 {
            let what = format!("NULLs and duplicates in {unread} of {} tables", rows.len());
            let remedy = "GRANT SELECT on them (or pg_read_all_data, PostgreSQL 14) to it; nothing else needs that";
            self.lacks(&what, "this role may not read them", remedy);
        }
        let table = |row: &Row| {
            let name = TableName { schema: row.get(1), name: row.get(2) };
            let kind = match row.get::<_, String>(3).as_str() {
                "p" => TableKind::Partitioned,
                "m" => TableKind::MaterializedView,
                _ => TableKind::Table,
            };
            let measured = sizes.get(&row.get::<_, u32>(0));
            let pages = |column: usize| unsigned(row.get(column)) * server.block_size;
            let bytes = match measured {
                _ if kind == TableKind::Partitioned => Bytes { heap: 0, toast: 0, basis: Basis::Measured },
                Some((heap, toast)) => Bytes { heap: *heap, toast: *toast, basis: Basis::Measured },
                None => Bytes { heap: pages(5), toast: pages(6), basis: Basis::Estimated },
            };
            let relation = schema.relation(&QName::from(&name));
            let (seconds, basis) = server.counted;
            let per_second = |column: usize| row.get::<_, Option<f64>>(column).unwrap_or(0.0) / seconds;
            TableStats {
                parent: relation.and_then(|r| r.parent.as_ref()).map(TableName::from),
                rows: if kind == TableKind::Partitioned { None } else { live_rows(row, bytes.heap, server.block_size) },
                indexes: indexes.get(&row.get(0)).cloned().unwrap_or_default(),
                columns: columns.get(&(name.schema.clone(), name.name.clone())).cloned().unwrap_or_default(),
                activity: server.counts.then(|| Activity {
                    seconds,
                    basis,
                    inserts: per_second(8),
                    updates: per_second(9),
                    deletes: per_second(10),
                    sequential_scans: per_second(11),
                    index_scans: per_second(12),
                }),
                table: name,
                kind,
                bytes,
            }
        };
        Ok(rows.iter().map(table).collect())
    }

    async fn statements(&mut self, server: &Server, schema: &Schema) -> Result<Option<Statements>, MeasureError> {
        const WHAT: &str = "which statements run, how often and for how long";
        let Some(place) = self.rows("extensions", ask::EXTENSION).await?.first().map(|row| row.get::<_, String>(0))
        else {
            let why = "this database does not have the extension pg_stat_statements";
            let remedy =
                "shared_preload_libraries = 'pg_stat_statements', restart, CREATE EXTENSION pg_stat_statements";
            self.lacks(WHAT, why, remedy);
            return Ok(None);
        };
        let rows = match self.attempt(&ask::statements(&place)).await? {
            Ok(rows) => rows,
            Err(error) => {
                let remedy = match error.code() {
                    Some(&SqlState::INSUFFICIENT_PRIVILEGE) => "GRANT SELECT on pg_stat_statements to this role",
                    Some(&SqlState::UNDEFINED_COLUMN) => "ALTER EXTENSION pg_stat_statements UPDATE",
                    Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) => {
                        "shared_preload_libraries = 'pg_stat_statements', and restart"
                    }
                    _ => "measure again",
                };
                self.lacks(WHAT, server_message(&error), remedy);
                return Ok(None);
            }
        };
        let functions: BTreeSet<String> =
            self.rows("functions", ask::FUNCTIONS).await?.iter().map(|row| row.get(0)).collect();
        let since = self.attempt(&ask::since(&place)).await?.ok();
        let since = since.as_ref().and_then(|rows| rows.first());
        let reset: Option<f64> = since.and_then(|row| row.get(1));
        let (seconds, basis) = reset.map_or(server.counted, |seconds| (seconds.max(1.0), Basis::Measured));
        let mut others: BTreeMap<String, f64> = BTreeMap::new();
        let mut list = Vec::new();
        for row in rows {
            let (text, calls): (String, f64) = (row.get(0), row.get(1));
            let calls_per_second = calls / seconds;
            let mut other = |why: &str| *others.entry(why.to_owned()).or_default() += calls_per_second;
            match utility(&text) {
                _ if text == "<insufficient privilege>" => other("statements of other roles"),
                Utility::LocksNothing => {}
                Utility::Other => other("COPY, CALL, DDL and their kind"),
                Utility::Query => {
                    let (touches, read) = touches(&text, schema);
                    if calls_any(&text, &functions) {
                        other("calls of functions, for what these touch");
                    }
                    // What reads no table of the application waits for nobody's DDL.
                    if !touches.is_empty() {
                        let text = without_values(&text);
                        list.push(StatementStats {
                            text,
                            calls_per_second,
                            mean_ms: row.get(2),
                            max_ms: row.get(3),
                            read,
                            touches,
                        });
                    }
                }
            }
        }
        let forgotten = since.map(|row| unsigned(row.get(0)));
        if forgotten.is_some_and(|times| times > 0) {
            let why = "the server has forgotten rare statements to make room for others";
            self.lacks("some statements", why, "raise pg_stat_statements.max");
        }
        Ok(Some(Statements { seconds, basis, list, others, forgotten }))
    }

    async fn transactions(&mut self, server: &Server) -> Result<Option<Transactions>, MeasureError> {
        const WHAT: &str = "transactions that run";
        let rows = match self.attempt(ask::TRANSACTIONS).await? {
            Ok(rows) => rows,
            Err(error) => {
                self.lacks(WHAT, server_message(&error), "measure again");
                return Ok(None);
            }
        };
        let names = |row: &Row| TableName { schema: row.get(0), name: row.get(1) };
        let wraparound = match self.attempt(ask::WRAPAROUND).await? {
            Ok(rows) => rows.iter().map(names).collect(),
            Err(error) => {
                self.lacks("what autovacuum works on", server_message(&error), "measure again");
                Vec::new()
            }
        };
        let transactions = rows.first().map(|row| Transactions {
            active: unsigned(row.get(0)),
            idle: unsigned(row.get(1)),
            hidden: if server.sees_all { 0 } else { unsigned(row.get(2)) },
            median_ms: row.get(3),
            p95_ms: row.get(4),
            oldest_ms: row.get(5),
            wraparound,
        });
        Ok(transactions)
    }
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// As the planner estimates: the density that VACUUM or ANALYZE saw, times the size of today. Without one, what the counters say.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate")]
fn live_rows(row: &Row, heap: u64, block_size: u64) -> Option<RowStats> {
    let (tuples, pages, live): (f64, i64, Option<i64>) = (row.get(4), row.get(5), row.get(7));
    let rows = |count: u64, source: &str| Some(RowStats { count, basis: Basis::Estimated, source: source.to_owned() });
    if tuples >= 0.0 && pages > 0 {
        let now = (heap / block_size.max(1)) as f64;
        return rows((tuples / pages as f64 * now).round() as u64, "reltuples, scaled to the size");
    }
    match live {
        Some(live) if live > 0 || heap == 0 => rows(unsigned(live), "n_live_tup"),
        _ => None,
    }
}
