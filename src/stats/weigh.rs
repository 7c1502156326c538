//! Hazards × statistics → loads.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Basis, StatementStats, Statistics, TableKind, TableStats, Way};
use super::load::{Blocked, BlockedStatement, Figure, Load, Range, TableLoad};
use super::settings::Settings;
use super::throughput::{CATALOG, Throughput};
use super::words;
use crate::effect::{Hazard, LockMode, PgVersion};
use crate::schema::{QName, Schema};
use crate::sql::Operation;
use crate::sql::operation::{ConstraintKind, DataVerb, TableChange};

/// How many of the statements that wait are named.
const NAMED: usize = 10;

/// Statistics to hold hazards against.
#[derive(Debug, Clone)]
pub struct Weighing {
    statistics: Statistics,
    /// What the team makes of figures.
    pub settings: Settings,
    /// Why they are not to be trusted.
    doubts: Vec<String>,
    /// Where a table stands in them.
    tables: BTreeMap<QName, usize>,
    /// Partitions by what they belong to.
    children: BTreeMap<QName, Vec<QName>>,
}

/// From fast to slow, in milliseconds; a slow end that is not known is none.
#[derive(Debug, Clone, Copy)]
struct Span {
    low: u64,
    high: Option<u64>,
}

impl Span {
    const UNKNOWN: Self = Self { low: 0, high: None };

    fn and(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high.zip(other.high).map(|(a, b)| a.saturating_add(b)) }
    }
}

impl From<(u64, u64)> for Span {
    fn from((low, high): (u64, u64)) -> Self {
        Self { low, high: Some(high) }
    }
}

/// The files of a table and its partitions.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    heap: u64,
    toast: u64,
    /// The heap once for each index on it.
    indexed: u64,
    rows: Option<u64>,
    estimated: bool,
}

impl Weighing {
    /// Statistics with what a team makes of them. `age_days`: how old they are, below zero if they are from the future; none if that cannot
    /// be told.
    pub fn new(statistics: Statistics, settings: Settings, age_days: Option<f64>) -> Self {
        let mut doubts = Vec::new();
        match age_days {
            Some(age) if age > f64::from(settings.max_age_days) => doubts.push(format!(
                "the statistics are of {}, more than {} days old",
                statistics.measured_at, settings.max_age_days
            )),
            // Clocks differ by minutes, not by days.
            Some(age) if age < -1.0 => {
                doubts.push(format!("the statistics are of {}, which is in the future", statistics.measured_at))
            }
            Some(_) => {}
            None => doubts
                .push(format!("when the statistics were measured cannot be read from {:?}", statistics.measured_at)),
        }
        let tables = statistics.tables.iter().enumerate().map(|(at, table)| (QName::from(&table.table), at)).collect();
        let mut children: BTreeMap<QName, Vec<QName>> = BTreeMap::new();
        for table in &statistics.tables {
            if let Some(parent) = &table.parent {
                children.entry(parent.into()).or_default().push((&table.table).into());
            }
        }
        Self { statistics, settings, doubts, tables, children }
    }

    /// The PostgreSQL that was measured.
    pub fn version(&self) -> PgVersion {
        PgVersion(self.statistics.server_version_num / 10_000)
    }

    /// The same for a release on a PostgreSQL of its own.
    #[must_use]
    pub fn on(mut self, version: PgVersion) -> Self {
        if self.version() != version {
            self.doubts.push(format!("the statistics are of {}, and production runs {version}", self.version()));
        }
        self
    }

    /// Why the statistics as a whole are not to be trusted.
    pub fn doubts(&self) -> &[String] {
        &self.doubts
    }

    /// What could not be measured: what, why, and what to do about it.
    pub fn missing(&self) -> impl Iterator<Item = String> {
        self.statistics.missing.iter().map(|m| format!("{}: {} ({})", m.what, m.why, m.remedy))
    }

    /// The load of operations that run together, each with its hazard, on `schema` before them. None where nothing is locked that anybody
    /// would notice.
    pub(crate) fn load<'a>(
        &self,
        parts: impl IntoIterator<Item = (&'a Operation, &'a Hazard)> + Clone,
        schema: &Schema,
    ) -> Option<Load> {
        let mut locks: Vec<(&QName, LockMode)> = Vec::new();
        for (operation, hazard) in parts.clone() {
            let least = if changes_rows(operation) { LockMode::RowExclusive } else { LockMode::ShareUpdateExclusive };
            for lock in hazard.locks.iter().filter(|lock| lock.mode >= least) {
                match locks.iter_mut().find(|(name, _)| *name == &lock.relation) {
                    Some((_, mode)) => *mode = lock.mode.max(*mode),
                    None => locks.push((&lock.relation, lock.mode)),
                }
            }
        }
        if locks.is_empty() {
            return None;
        }
        let mut doubts = self.doubts.clone();
        let unknown = |name: &&QName| !self.tables.contains_key(*name);
        doubts.extend(
            locks.iter().map(|(name, _)| *name).filter(unknown).map(|name| format!("{name} is not in the statistics")),
        );
        let spans: Vec<Span> =
            parts.clone().into_iter().map(|(operation, hazard)| self.time(operation, hazard)).collect();
        // PostgreSQL passes once over a table for what one ALTER TABLE does to it: together they take at least as long as the longest.
        let held = Span {
            low: spans.iter().map(|span| span.low).max().unwrap_or(0),
            high: spans.iter().try_fold(0_u64, |sum, span| Some(sum.saturating_add(span.high?))),
        };
        let cheap = parts.clone().into_iter().all(|(operation, hazard)| is_catalog_only(operation, hazard));
        let held = Range {
            low_ms: held.low,
            high_ms: held.high,
            basis: self.at_best(if cheap || held.high.is_none() { Basis::Assumed } else { Basis::Estimated }),
            source: match (cheap, held.high) {
                (true, _) => "a change of the catalog alone".to_owned(),
                (false, None) => "how much there is to do is not known".to_owned(),
                (false, Some(_)) => self.source(parts.clone()),
            },
        };
        let tables = locks.iter().map(|(name, mode)| self.table(name, *mode, &held)).collect();
        let expected = parts.into_iter().filter_map(|(operation, _)| self.expected(operation, schema)).collect();
        Some(Load { held, tables, expected, doubts })
    }

    /// What is doubted is assumed.
    fn at_best(&self, basis: Basis) -> Basis {
        if self.doubts.is_empty() { basis } else { Basis::Assumed }
    }

    fn find(&self, name: &QName) -> Option<&TableStats> {
        self.tables.get(name).map(|at| &self.statistics.tables[*at])
    }

    /// The table and its partitions, and theirs.
    fn family(&self, name: &QName) -> BTreeSet<QName> {
        let mut found = BTreeSet::from([name.clone()]);
        let mut at = vec![name.clone()];
        while let Some(parent) = at.pop() {
            for child in self.children.get(&parent).into_iter().flatten() {
                if found.insert(child.clone()) {
                    at.push(child.clone());
                }
            }
        }
        found
    }

    /// The tables that it is a partition of.
    fn ancestors(&self, name: &QName) -> BTreeSet<QName> {
        let mut found = BTreeSet::new();
        let mut at = self.find(name).and_then(|t| t.parent.as_ref()).map(QName::from);
        while let Some(parent) = at.filter(|parent| found.insert(parent.clone())) {
            at = self.find(&parent).and_then(|t| t.parent.as_ref()).map(QName::from);
        }
        found
    }

    fn size(&self, name: &QName) -> Option<Size> {
        self.find(name)?;
        let mut size = Size { rows: Some(0), ..Size::default() };
        for table in self.family(name).iter().filter_map(|name| self.find(name)) {
            size.heap += table.bytes.heap;
            size.toast += table.bytes.toast;
            size.indexed += table.bytes.heap * u64::try_from(table.indexes.len()).unwrap_or(u64::MAX);
            size.estimated |= table.bytes.basis != Basis::Measured;
            if table.kind != TableKind::Partitioned {
                size.rows = size.rows.zip(table.rows.as_ref().map(|rows| rows.count)).map(|(a, b)| a + b);
            }
        }
        Some(size)
    }

    /// How long one operation takes.
    fn time(&self, operation: &Operation, hazard: &Hazard) -> Span {
        let catalog = Span::from(CATALOG);
        if is_catalog_only(operation, hazard) {
            return catalog;
        }
        // What a query does that is not read, or that fills a view, is not told by the size of what it fills.
        if matches!(operation, Operation::RefreshView { .. } | Operation::Opaque { .. } | Operation::Query { .. })
            || matches!(operation, Operation::Data(data) if !matches!(data.verb, DataVerb::Update | DataVerb::Delete))
        {
            return Span::UNKNOWN;
        }
        let speeds = self.settings.throughput;
        let speed = |speed: Throughput, fewest: u64, most: u64| Span::from(speed.times(fewest, most));
        let mut total = catalog;
        // What is locked beside a partitioned table are often its partitions: they are in its size.
        let mut counted: BTreeSet<QName> = BTreeSet::new();
        for (name, surely) in worked_on(operation, hazard) {
            if counted.contains(name) {
                continue;
            }
            counted.extend(self.family(name));
            let Some(size) = self.size(name) else { return Span { low: total.low, high: None } };
            let rows = size.heap.saturating_add(size.toast);
            let least = if surely { size.heap } else { 0 };
            let once = match (operation, hazard.rewrite, hazard.index_build) {
                (Operation::Data(_), _, _) => speed(speeds.rewrite, 0, rows).and(speed(speeds.index, 0, size.indexed)),
                (_, true, _) => speed(speeds.rewrite, least, rows).and(speed(
                    speeds.index,
                    if surely { size.indexed } else { 0 },
                    size.indexed,
                )),
                (Operation::Reindex { index: false, .. }, _, _) => speed(speeds.index, size.indexed, size.indexed),
                (_, _, true) => speed(speeds.index, least, rows),
                _ => speed(speeds.scan, least, rows),
            };
            total = total.and(once);
            // CONCURRENTLY reads everything twice.
            if hazard.outside_transaction && hazard.index_build {
                total = total.and(Span { low: 0, ..once });
            }
        }
        total
    }

    /// The figures behind a time.
    fn source<'a>(&self, parts: impl IntoIterator<Item = (&'a Operation, &'a Hazard)>) -> String {
        let speeds = self.settings.throughput;
        let mut used: Vec<String> = Vec::new();
        for (operation, hazard) in parts {
            let (what, speed) = match (hazard.rewrite || changes_rows(operation), hazard.index_build, hazard.scan) {
                (true, _, _) => ("rewrite", speeds.rewrite),
                (_, true, _) => ("index", speeds.index),
                (_, _, true) => ("scan", speeds.scan),
                _ => continue,
            };
            let text = format!("{what} at {} to {} MB/s assumed", speed.slow, speed.fast);
            if !used.contains(&text) {
                used.push(text);
            }
        }
        used.join(", ")
    }

    fn table(&self, name: &QName, mode: LockMode, held: &Range) -> TableLoad {
        let size = self.size(name);
        let bytes = size.map(|size| Figure {
            value: size.heap.saturating_add(size.toast),
            basis: self.at_best(if size.estimated { Basis::Estimated } else { Basis::Measured }),
        });
        let rows = size.and_then(|size| size.rows).map(|value| Figure { value, basis: self.at_best(Basis::Estimated) });
        let related: BTreeSet<QName> = self.family(name).into_iter().chain(self.ancestors(name)).collect();
        let wait = self.wait(name, mode, &related);
        let blocked = self.blocked(mode, &related, held, &wait);
        TableLoad { table: name.to_string(), lock: mode.name().to_owned(), bytes, rows, wait, blocked }
    }

    /// How long a lock is waited for: as long as who holds one that does not go with it.
    fn wait(&self, name: &QName, mode: LockMode, related: &BTreeSet<QName>) -> Range {
        let nobody =
            |source: &str| Range { low_ms: 0, high_ms: Some(0), basis: Basis::Measured, source: source.to_owned() };
        let unknown = |basis, source: String| Range { low_ms: 0, high_ms: None, basis, source };
        let transactions = self.statistics.transactions.as_ref();
        let cleaned = transactions.is_some_and(|t| t.wraparound.iter().any(|t| related.contains(&t.into())));
        if cleaned && mode >= LockMode::ShareUpdateExclusive {
            let text = format!("autovacuum works on {name} to prevent wraparound and does not make way");
            return unknown(self.at_best(Basis::Measured), text);
        }
        if !waits(Way::Read, mode) && !waits(Way::LockRows, mode) && !waits(Way::Write, mode) {
            return nobody("goes with every query");
        }
        let statements = self.statistics.statements.iter().flat_map(|s| &s.list);
        let slowest =
            statements.filter(|s| way(s, related).is_some_and(|way| waits(way, mode))).map(|s| millis(s.max_ms)).max();
        let oldest = transactions.map(|t| millis(t.oldest_ms));
        let hidden = transactions.is_some_and(|t| t.hidden > 0);
        let (high, source) = match (oldest, slowest) {
            (None, None) => return unknown(Basis::Assumed, "no transaction could be seen".to_owned()),
            (Some(oldest), Some(slowest)) if slowest > oldest => (slowest, "the slowest statement on it so far"),
            (Some(oldest), _) => (oldest, "the oldest transaction when it was measured"),
            (None, Some(slowest)) => (slowest, "the slowest statement on it so far"),
        };
        // One look at what runs says less than the slowest there ever was.
        let sure = !hidden && self.statistics.statements.is_some();
        let basis = self.at_best(if sure { Basis::Measured } else { Basis::Estimated });
        let source = if hidden { format!("{source}, as far as could be seen") } else { source.to_owned() };
        Range { low_ms: 0, high_ms: Some(high), basis, source }
    }

    /// Who waits from when the lock is asked for until it is given back. Locks are given in the order they are asked for, so who does not go with
    /// it waits behind it, though it is not held yet.
    fn blocked(&self, mode: LockMode, related: &BTreeSet<QName>, held: &Range, wait: &Range) -> Option<Blocked> {
        if !waits(Way::Write, mode) {
            return None;
        }
        let longest = held.high_ms.zip(wait.high_ms).map(|(held, wait)| held.saturating_add(wait));
        let come = |per_hour: u64, ms: u64| {
            u64::try_from(u128::from(per_hour) * u128::from(ms) / 3_600_000).unwrap_or(u64::MAX)
        };
        let (calls, basis, source, mut named) = match &self.statistics.statements {
            Some(statements) => {
                let found: Vec<(u64, Basis, &StatementStats)> = statements
                    .list
                    .iter()
                    .filter(|s| way(s, related).is_some_and(|way| waits(way, mode)))
                    .map(|s| {
                        let basis = if s.read { statements.basis } else { Basis::Assumed };
                        (hourly(s.calls_per_second), self.at_best(basis), s)
                    })
                    .collect();
                let others: f64 = statements.others.values().sum();
                let source = if others > 0.0 {
                    format!("pg_stat_statements, with {} more of unknown tables", words::rate(hourly(others)))
                } else {
                    "pg_stat_statements".to_owned()
                };
                let basis = found.iter().map(|(_, basis, _)| *basis).max().unwrap_or(self.at_best(statements.basis));
                (Some(found.iter().map(|(calls, _, _)| calls).sum::<u64>()), basis, source, found)
            }
            None => {
                let counted = self.activity(mode, related);
                let source = match counted {
                    Some(_) => "rows written and scans, from pg_stat_user_tables",
                    None => "neither statements nor the use of tables are counted",
                };
                (counted, self.at_best(Basis::Estimated), source.to_owned(), Vec::new())
            }
        };
        let per_hour = calls.unwrap_or(0);
        named.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.2.text.cmp(&b.2.text)));
        let most = longest.filter(|_| calls.is_some()).map(|ms| come(per_hour, ms));
        let connections = self.statistics.max_connections;
        let statements = named.iter().take(NAMED).map(|(calls, basis, statement)| BlockedStatement {
            text: statement.text.clone(),
            calls_per_hour: Figure { value: *calls, basis: *basis },
            fewest: come(*calls, held.low_ms),
            most: longest.map(|ms| come(*calls, ms)),
        });
        Some(Blocked {
            calls_per_hour: calls.map(|value| Figure { value, basis }),
            source,
            fewest: come(per_hour, held.low_ms),
            most,
            basis: [basis, held.basis, wait.basis, Basis::Estimated].into_iter().max().unwrap_or(basis),
            connections: most
                .is_none_or(|most| most > u64::from(connections))
                .then_some(connections)
                .filter(|_| per_hour > 0),
            statements: statements.collect(),
            more: u64::try_from(named.len().saturating_sub(NAMED)).unwrap_or(u64::MAX),
        })
    }

    /// What happens to a table an hour that waits for a lock, where statements are not counted; none if nothing counts it.
    fn activity(&self, mode: LockMode, related: &BTreeSet<QName>) -> Option<u64> {
        let found: Vec<_> = related.iter().filter_map(|name| self.find(name)?.activity.as_ref()).collect();
        let writes = found.iter().map(|a| a.inserts + a.updates + a.deletes).sum::<f64>();
        let reads = found.iter().map(|a| a.sequential_scans + a.index_scans).sum::<f64>();
        (!found.is_empty()).then(|| hourly(writes + if waits(Way::Read, mode) { reads } else { 0.0 }))
    }

    /// What an operation will not like of the rows that ANALYZE saw.
    fn expected(&self, operation: &Operation, schema: &Schema) -> Option<String> {
        let Operation::AlterTable { table, change, .. } = operation else { return None };
        let name = schema.resolve(table);
        let found = self.find(&name)?;
        let column = |wanted: &str| found.columns.iter().find(|c| c.name == wanted);
        match change {
            TableChange::SetNotNull { column: wanted, not_valid: false, .. } => {
                let column = column(wanted).filter(|c| c.null_fraction > 0.0)?;
                let share = column.null_fraction * 100.0;
                let basis = self.at_best(Basis::Estimated).name();
                Some(format!("this is expected to fail: {name}.{wanted} is NULL in {share:.1} % of the rows ({basis})"))
            }
            TableChange::AddConstraint(definition) => {
                let (ConstraintKind::Unique { columns, .. } | ConstraintKind::PrimaryKey { columns }) =
                    &definition.kind
                else {
                    return None;
                };
                let [only] = columns.as_slice() else { return None };
                let column = column(only)?;
                let rows = found.rows.as_ref()?.count;
                // Of fewer than half of the rows, sampling does not err so far.
                let (share, text) = words::distinct(column.distinct, rows);
                let all = words::counted(rows, "row");
                let filled = 1.0 - column.null_fraction;
                let basis = self.at_best(Basis::Estimated).name();
                (rows > 1 && share < filled / 2.0).then(|| {
                    format!("this is expected to fail: {name}.{only} has {text} different values in {all} ({basis})")
                })
            }
            _ => None,
        }
    }
}

/// Whether a statement on a table has to wait for a lock on it, by the manual's table of conflicts.
fn waits(way: Way, mode: LockMode) -> bool {
    match way {
        Way::Read => mode == LockMode::AccessExclusive,
        Way::LockRows => mode >= LockMode::Exclusive,
        Way::Write => mode >= LockMode::Share,
    }
}

/// How a statement locks a table or its kin.
fn way(statement: &StatementStats, related: &BTreeSet<QName>) -> Option<Way> {
    let own = statement.touches.iter().filter(|touch| related.contains(&QName::from(&touch.table)));
    own.map(|touch| touch.way).max()
}

fn changes_rows(operation: &Operation) -> bool {
    matches!(operation, Operation::Data(data) if data.verb != DataVerb::Truncate)
}

/// Whether only the catalog changes, whatever the table holds.
fn is_catalog_only(operation: &Operation, hazard: &Hazard) -> bool {
    let unread = matches!(operation, Operation::Opaque { .. } | Operation::Query { .. });
    !(unread || hazard.rewrite || hazard.index_build || hazard.scan || changes_rows(operation))
}

/// The tables that are read or written anew, with whether that is sure: a table that is only looked up in may be read or not.
fn worked_on<'a>(operation: &Operation, hazard: &'a Hazard) -> Vec<(&'a QName, bool)> {
    let locks = hazard.locks.iter().map(|lock| &lock.relation);
    match operation {
        // Of the parent, nothing is read; of the partition, unless a CHECK proves it; of the default partition, everything.
        Operation::AlterTable { change: TableChange::AttachPartition { .. }, .. } => {
            locks.skip(1).map(|name| (name, false)).collect()
        }
        Operation::CreateTable(table) if table.partition_of.is_some() => {
            locks.skip(1).map(|name| (name, false)).collect()
        }
        Operation::AlterDomain { .. } => locks.map(|name| (name, true)).collect(),
        _ => locks.enumerate().map(|(at, name)| (name, at == 0)).collect(),
    }
}

/// Calls an hour, as a whole number.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be in range; the conversion saturates"
)]
fn hourly(per_second: f64) -> u64 {
    if per_second.is_finite() && per_second > 0.0 { (per_second * 3_600.0).ceil() as u64 } else { 0 }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be in range; the conversion saturates"
)]
fn millis(ms: f64) -> u64 {
    if ms.is_finite() && ms > 0.0 { ms.ceil() as u64 } else { 0 }
}
