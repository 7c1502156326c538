//! What each step takes: its time, rows, log, files and locks.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_postgres::Error;

use super::locks::SeenLock;
use crate::compat::matrix::Matrix;
use crate::effect::LockMode;
use crate::execute::{Future, Moment, Observer, Record, StepRecord};
use crate::migrations::books;
use crate::plan::saved::SavedPlan;
use crate::postgres::{Session, server_message};
use crate::rehearse::terms::Script;
use crate::rehearse::watcher::Watcher;

/// What a step took.
#[derive(Debug, Clone)]
pub struct MeasuredStep {
    /// Which.
    pub step: u32,
    /// How long it ran, by the journal.
    pub took: Duration,
    /// How many rows it inserted, changed or deleted; `None` before PostgreSQL 15, which does not tell in time.
    pub rows: Option<u64>,
    /// How many bytes went into the log.
    pub log: u64,
    /// What it wrote anew, or built.
    pub written: Vec<WrittenRelation>,
    /// Locks on tables that were there before it, and that hold up whoever writes.
    pub locks: Vec<HeldLock>,
}

/// A relation with other files than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenRelation {
    /// Its name.
    pub relation: String,
    /// Whether it is an index; a table counts with its own.
    pub index: bool,
    /// Whether it was not there before.
    pub new: bool,
    /// The bytes of its files.
    pub bytes: u64,
}

/// A lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLock {
    /// The table.
    pub relation: String,
    /// The strongest mode.
    pub mode: LockMode,
    /// For how long it was seen, at least.
    pub held: Duration,
}

/// How long a step took, by what the journal says of it.
pub(super) fn took(record: &Record) -> Option<(u32, Duration)> {
    match record {
        Record::Step { step, what: StepRecord::Succeeded { ms, .. } } => Some((*step, Duration::from_millis(*ms))),
        _ => None,
    }
}

/// The rows of the tables that the release touches, as the server estimates them; not of those that nobody has analyzed.
pub(super) async fn sizes(session: &Session, plan: &SavedPlan) -> Result<Vec<(String, u64)>, Error> {
    let loads = plan.steps.iter().filter_map(|step| step.load.as_ref());
    let loads = loads.flat_map(|load| &load.tables).map(|table| table.table.as_str());
    let touched = plan.schema.expects.iter().map(|relation| relation.name.as_str());
    let mut tables: Vec<&str> = loads.chain(touched).collect();
    tables.sort_unstable();
    tables.dedup();
    let query = "SELECT t.name, pg_catalog.sum(c.reltuples)::pg_catalog.int8 FROM pg_catalog.unnest($1::pg_catalog.text[]) AS t(name)
         JOIN pg_catalog.pg_class r ON r.oid = pg_catalog.to_regclass(t.name) AND r.relkind IN ('r', 'p')
         CROSS JOIN LATERAL (SELECT r.oid AS relid WHERE r.relkind <> 'p' UNION ALL SELECT relid FROM pg_catalog.pg_partition_tree(r.oid) WHERE isleaf AND r.relkind = 'p') AS p
         JOIN pg_catalog.pg_class c ON c.oid = p.relid GROUP BY t.name HAVING pg_catalog.min(c.reltuples) >= 0 ORDER BY t.name";
    let rows = session.query(query, &[&tables]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get::<_, i64>(1).unsigned_abs())).collect())
}

/// A relation between two steps.
struct Relation {
    name: String,
    is_index: bool,
    /// The table of an index.
    of: Option<u32>,
    file: Option<u32>,
    rows: i64,
}

/// Where the server is between two steps.
struct Reading {
    log: i64,
    relations: BTreeMap<u32, Relation>,
}

impl Reading {
    /// The names of the tables, by their numbers.
    fn tables(&self) -> BTreeMap<u32, String> {
        let tables = self.relations.iter().filter(|(_, relation)| !relation.is_index);
        tables.map(|(oid, table)| (*oid, table.name.clone())).collect()
    }
}

/// Looks at the queries as always, and measures.
pub(super) struct Measurer<'a> {
    watcher: Watcher<'a>,
    before: Option<Reading>,
    steps: Vec<MeasuredStep>,
    /// The tables before each step, by their numbers.
    names: BTreeMap<u32, BTreeMap<u32, String>>,
}

impl<'a> Measurer<'a> {
    pub(super) fn new(script: Script<'a>) -> Self {
        Self { watcher: Watcher::preparing(script), before: None, steps: Vec::new(), names: BTreeMap::new() }
    }

    /// What was measured, with the times of the journal and the locks that were seen; and the locks of a step that did not come to its end.
    pub(super) fn end(
        mut self,
        took: &[(u32, Duration)],
        locks: Vec<SeenLock>,
        failed: Option<u32>,
    ) -> (Vec<MeasuredStep>, Matrix, Vec<HeldLock>) {
        if let (Some(failed), Some(before)) = (failed, &self.before) {
            self.names.insert(failed, before.tables());
        }
        let mut of_failed = Vec::new();
        for (of, time) in took {
            self.steps.iter_mut().filter(|step| step.step == *of).for_each(|step| step.took = *time);
        }
        for SeenLock { step, relation, mode, held } in locks {
            let Some(name) = self.names.get(&step).and_then(|names| names.get(&relation)) else { continue };
            let lock = HeldLock { relation: name.clone(), mode, held };
            match self.steps.iter_mut().find(|measured| measured.step == step) {
                Some(measured) => measured.locks.push(lock),
                None => of_failed.push(lock),
            }
        }
        for locks in self.steps.iter_mut().map(|step| &mut step.locks).chain([&mut of_failed]) {
            locks.sort_by(|a, b| b.mode.cmp(&a.mode).then(b.held.cmp(&a.held)).then(a.relation.cmp(&b.relation)));
        }
        (self.steps, self.watcher.matrix, of_failed)
    }

    async fn measure(&mut self, step: u32, session: &Session) -> Result<(), Error> {
        let now = read(session).await?;
        let Some(before) = self.before.take() else { return Ok(()) };
        let is_new = |(oid, relation): &(&u32, &Relation)| {
            relation.file.is_some() && before.relations.get(*oid).is_none_or(|was| was.file != relation.file)
        };
        let new: BTreeMap<u32, &Relation> = now.relations.iter().filter(is_new).map(|(oid, of)| (*oid, of)).collect();
        // The indexes of a table that was written are counted with it.
        let alone = |relation: &Relation| relation.of.is_none_or(|table| !new.contains_key(&table));
        let oids: Vec<u32> = new.iter().filter(|(_, relation)| alone(relation)).map(|(oid, _)| *oid).collect();
        let query = "SELECT oid, pg_catalog.pg_total_relation_size(oid) FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS of(oid)";
        let mut written = Vec::new();
        for row in session.query(query, &[&oids]).await? {
            let (oid, bytes): (u32, Option<i64>) = (row.get(0), row.get(1));
            let Some(relation) = new.get(&oid) else { continue };
            let bytes = bytes.unwrap_or_default().unsigned_abs();
            written.push(WrittenRelation {
                relation: relation.name.clone(),
                index: relation.is_index,
                new: !before.relations.contains_key(&oid),
                bytes,
            });
        }
        // An empty one cost nothing.
        written.retain(|one| one.bytes > EMPTY);
        written.sort_by(|a, b| b.bytes.cmp(&a.bytes).then(a.relation.cmp(&b.relation)));
        let counted =
            |(oid, relation): (&u32, &Relation)| relation.rows - before.relations.get(oid).map_or(0, |was| was.rows);
        let rows: i64 = now.relations.iter().filter(|(_, relation)| !is_own(&relation.name)).map(counted).sum();
        self.names.insert(step, before.tables());
        self.steps.push(MeasuredStep {
            step,
            took: Duration::ZERO,
            rows: (session.version().0 >= 15).then(|| rows.max(0).unsigned_abs()),
            log: (now.log - before.log).max(0).unsigned_abs(),
            written,
            locks: Vec::new(),
        });
        Ok(())
    }
}

/// The first page of an index, and that of a table's long values.
const EMPTY: u64 = 16 * 1024;

/// Whether a relation is the journal, or a tool's history.
fn is_own(name: &str) -> bool {
    name.split_once('.').is_some_and(|(schema, relation)| schema == "cutover" || books::are_books(schema, relation))
}

async fn read(session: &Session) -> Result<Reading, Error> {
    if session.version().0 >= 15 {
        // What this session has counted and not yet said.
        session.batch_execute("SELECT pg_catalog.pg_stat_force_next_flush()").await?;
    }
    let query = "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::pg_catalog.int8";
    let log = session.query_one(query, &[]).await?.get(0);
    let query = "SELECT c.oid, pg_catalog.concat(pg_catalog.quote_ident(n.nspname), '.', pg_catalog.quote_ident(c.relname)), c.relkind IN ('i', 'I'),
             i.indrelid, pg_catalog.pg_relation_filenode(c.oid),
             coalesce(pg_catalog.pg_stat_get_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_tuples_updated(c.oid)
                 + pg_catalog.pg_stat_get_tuples_deleted(c.oid), 0)
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
         WHERE c.relkind IN ('r', 'm', 'i', 'p') AND c.relpersistence <> 't'
           AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')";
    let relation = |row: &tokio_postgres::Row| {
        let of: Option<u32> = row.get(3);
        (row.get(0), Relation { name: row.get(1), is_index: row.get(2), of, file: row.get(4), rows: row.get(5) })
    };
    let relations = session.query(query, &[]).await?.iter().map(relation).collect();
    Ok(Reading { log, relations })
}

impl Observer for Measurer<'_> {
    fn look<'a>(&'a mut self, moment: Moment<'a>, session: &'a Session) -> Future<'a, Result<(), String>> {
        Box::pin(async move {
            if let Moment::AfterStep(step) = moment {
                self.measure(step.id, session).await.map_err(|error| server_message(&error))?;
            }
            self.watcher.look(moment, session).await?;
            // What the queries cost is none of the next step's.
            self.before = Some(read(session).await.map_err(|error| server_message(&error))?);
            Ok(())
        })
    }
}
