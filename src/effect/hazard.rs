//! What running an operation costs: locks on every table it touches, rewrites, scans. Measured on PostgreSQL 15 (see the table in the
//! tests); a question of when to run, never of the order around the cutover.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::type_class::{TypeChange, type_change};
use super::version::{Fact, PgVersion};
use crate::schema::{Constraint, QName, Relation, Schema, TableRule};
use crate::shared::Shared;
use crate::sql::Operation;
use crate::sql::operation::{
    AttributeChange, ConstraintDefinition, ConstraintKind, DataVerb, DefaultValue, DomainChange, Ident, RelationKind,
    TableChange,
};

/// PostgreSQL's table lock modes that matter to clients, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockMode {
    /// Blocks only DDL.
    RowShare,
    /// Blocks only DDL and index builds; what INSERT, UPDATE and DELETE take.
    RowExclusive,
    /// Blocks DDL and VACUUM; readers and writers go on.
    ShareUpdateExclusive,
    /// Blocks writers.
    Share,
    /// Blocks writers, and itself.
    ShareRowExclusive,
    /// Blocks everything but plain reads.
    Exclusive,
    /// Blocks everybody.
    AccessExclusive,
}

impl LockMode {
    /// The mode that the words of the manual mean; `None` for that of plain reads, which holds up nobody but DDL.
    pub fn named(words: &str) -> Option<Self> {
        const ALL: [LockMode; 7] = [
            LockMode::RowShare,
            LockMode::RowExclusive,
            LockMode::ShareUpdateExclusive,
            LockMode::Share,
            LockMode::ShareRowExclusive,
            LockMode::Exclusive,
            LockMode::AccessExclusive,
        ];
        ALL.into_iter().find(|mode| mode.name() == words)
    }

    /// The words of PostgreSQL's manual.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }
}

/// A lock on one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The table.
    pub relation: QName,
    /// The mode.
    pub mode: LockMode,
}

/// What running an operation costs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hazard {
    /// Locks on tables that were there before the release, the strongest first.
    pub locks: Vec<Lock>,
    /// Whether the table is written anew.
    pub rewrite: bool,
    /// Whether all rows are read.
    pub scan: bool,
    /// Whether an index is built.
    pub index_build: bool,
    /// Whether it runs outside a transaction.
    pub outside_transaction: bool,
    /// Whether its first lock is not on the one table that it is about, so that all are named, and read alike.
    pub on_all: bool,
}

impl Hazard {
    fn lock(mut self, relation: &QName, mode: LockMode) -> Self {
        self.locks.push(Lock { relation: relation.clone(), mode });
        self
    }

    /// The cost on the tables that were there before a release, whatever they are called when it is paid.
    #[must_use]
    pub fn on(mut self, base: &Schema, schema: &Schema) -> Self {
        let renamed = |name: &QName| schema.relation(name).is_some_and(|relation| relation.origin.is_some());
        let old = |lock: &Lock| base.relation(&lock.relation).is_some() || renamed(&lock.relation);
        // The first lock is on the table that is read and written anew; others may only be looked up in.
        let new_table = !self.locks.iter().take(if self.on_all { usize::MAX } else { 1 }).any(old);
        self.locks.retain(old);
        // A table that is there in two roles is named once, with the stronger of both.
        let mut strongest: BTreeMap<QName, LockMode> = BTreeMap::new();
        for lock in &self.locks {
            let mode = strongest.entry(lock.relation.clone()).or_insert(lock.mode);
            *mode = lock.mode.max(*mode);
        }
        let mut named = BTreeSet::new();
        self.locks.retain(|lock| named.insert(lock.relation.clone()));
        self.locks.iter_mut().for_each(|lock| lock.mode = strongest[&lock.relation]);
        // What is left is not on the table that it is about.
        let on_all = self.on_all || new_table;
        if new_table { Self { rewrite: false, scan: false, index_build: false, on_all, ..self } } else { self }
    }

    /// The cost of both together: what takes longest, and every table that is locked.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let rank = |h: &Self| (h.rewrite, h.index_build, h.scan, h.strongest());
        let (mut worst, other) = if rank(&other) > rank(&self) { (other, self) } else { (self, other) };
        for lock in other.locks {
            match worst.locks.iter_mut().find(|known| known.relation == lock.relation) {
                Some(known) => known.mode = known.mode.max(lock.mode),
                None => worst.locks.push(lock),
            }
        }
        worst
    }

    /// The strongest lock.
    pub fn strongest(&self) -> Option<LockMode> {
        self.locks.iter().map(|lock| lock.mode).max()
    }
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(strongest) = self.strongest() else {
            return f.write_str(if self.outside_transaction {
                "outside a transaction"
            } else {
                "no lock that anybody waits for"
            });
        };
        write!(f, "{}", strongest.name())?;
        // The table that a statement is about is named beside it.
        let (named, also) = if self.on_all { (0, "") } else { (1, "also ") };
        let others: Vec<_> = self.locks.iter().skip(named).map(|lock| lock.relation.to_string()).collect();
        if !others.is_empty() {
            write!(f, " ({also}on {})", others.join(", "))?;
        }
        let cost = match (self.rewrite, self.index_build, self.scan) {
            (true, _, _) => "rewrites the table",
            (_, true, _) => "builds an index",
            (_, _, true) => "reads all rows",
            _ => "brief",
        };
        write!(f, ", {cost}")?;
        if self.outside_transaction {
            f.write_str(", outside a transaction")?;
        }
        Ok(())
    }
}

/// The cost of an operation on a schema. Tables that `base` (the schema before the release) does not have are left out: nobody waits for
/// them.
pub fn hazard(operation: &Operation, schema: &Schema, base: &Schema, version: PgVersion) -> Hazard {
    cost(operation, schema, version).on(base, schema)
}

fn cost(operation: &Operation, schema: &Schema, version: PgVersion) -> Hazard {
    let none = Hazard::default();
    let on_all = Hazard { on_all: true, ..Hazard::default() };
    match operation {
        Operation::CreateTable(table) => {
            let targets = table.constraints.iter().filter_map(|c| match &c.kind {
                ConstraintKind::ForeignKey { target, .. } => Some(schema.resolve(target)),
                _ => None,
            });
            let mut hazard = targets.fold(on_all, |h, target| h.lock(&target, LockMode::ShareRowExclusive));
            if let Some(parent) = &table.partition_of {
                let parent = schema.resolve(parent);
                let locked = referenced(hazard.lock(&parent, LockMode::AccessExclusive), &parent, &[], schema);
                let locked = referring(locked, &parent, LockMode::ShareRowExclusive, schema);
                hazard = default_partition(locked, &parent, true, schema);
            }
            for parent in &table.inherits {
                hazard = hazard.lock(&schema.resolve(parent), LockMode::ShareUpdateExclusive);
            }
            hazard
        }
        Operation::AlterTable { table, change, .. } => table_cost(change, &schema.resolve(table), schema, version),
        Operation::DropRelation { kind: RelationKind::Index, name, concurrently, .. } => {
            let mode = if *concurrently { LockMode::ShareUpdateExclusive } else { LockMode::AccessExclusive };
            let table = schema.index_table(&schema.resolve(name)).cloned();
            let hazard = Hazard { outside_transaction: *concurrently, ..none };
            table.map_or(hazard.clone(), |table| hazard.lock(&table, mode))
        }
        // The default that draws from it goes with it.
        Operation::DropRelation { kind: RelationKind::Sequence, name, cascade: true, .. } => {
            let name = schema.resolve(name);
            let owner = schema.relation(&name).and_then(|sequence| sequence.owned_by.as_ref()).map(|(table, _)| table);
            let drawing = schema.drawing(&name).map(|(table, _)| table);
            owner.into_iter().chain(drawing).fold(on_all, |h, table| h.lock(table, LockMode::AccessExclusive))
        }
        // What calls `nextval` waits for a sequence; nobody names it.
        Operation::DropRelation { kind: RelationKind::Sequence, .. } => none,
        Operation::DropRelation { name, cascade, .. } => dropped(vec![schema.resolve(name)], *cascade, schema)
            .into_iter()
            .fold(none, |h, name| h.lock(&name, LockMode::AccessExclusive)),
        Operation::DropNamespace { name, cascade: true, .. } => {
            let inside = schema.relations().filter(|(n, r)| n.schema == *name && r.kind != RelationKind::Sequence);
            let functions = schema.all_functions().map(|(function, _)| function).filter(|f| f.schema == *name);
            let called = functions.flat_map(|function| called_by(function, schema));
            let types: Vec<&QName> = schema.user_types().map(|(of, _)| of).filter(|of| of.schema == *name).collect();
            let inside = dropped(inside.map(|(n, _)| n.clone()).collect(), true, schema);
            let all: BTreeSet<QName> = inside.into_iter().chain(called).chain(of_types(types, schema)).collect();
            all.iter().fold(on_all, |h, name| h.lock(name, LockMode::AccessExclusive))
        }
        // Tables of the type change with it.
        Operation::DropType { name, cascade: true, .. } => of_types([&schema.resolve_type(name)], schema)
            .iter()
            .fold(on_all, |h, table| h.lock(table, LockMode::AccessExclusive)),
        Operation::AlterComposite { name, change, .. } => {
            let rewrite = matches!(change, AttributeChange::SetType { .. });
            let tables = schema.resolve_type(name);
            schema.of_type(&tables).fold(none, |h, table| Hazard {
                rewrite: h.rewrite || rewrite,
                ..h.lock(table, LockMode::AccessExclusive)
            })
        }
        Operation::RenameRelation { kind: RelationKind::Index, .. } => none,
        Operation::RenameRelation { name, .. } | Operation::MoveRelation { name, .. } => {
            none.lock(&schema.resolve(name), LockMode::AccessExclusive)
        }
        Operation::CreateIndex(index) => {
            let mode = if index.concurrently { LockMode::ShareUpdateExclusive } else { LockMode::Share };
            // `ON ONLY` a partitioned table builds nothing.
            let table = schema.resolve(&index.table);
            let builds = !(index.only && schema.relation(&table).is_some_and(|t| t.partitioned));
            let hazard = Hazard { scan: builds, index_build: builds, outside_transaction: index.concurrently, ..none };
            let hazard = hazard.lock(&table, mode);
            let partitions = if builds { partitions(&table, schema) } else { Vec::new() };
            partitions.iter().fold(hazard, |h, partition| h.lock(partition, mode))
        }
        Operation::Reindex { name, index, concurrently } => {
            let mode = if *concurrently { LockMode::ShareUpdateExclusive } else { LockMode::Share };
            let table = name.as_ref().and_then(|name| {
                let name = schema.resolve(name);
                if *index { schema.index_table(&name).cloned() } else { Some(name) }
            });
            // The partitions are done one by one.
            let outside = *concurrently || table.as_ref().is_some_and(|table| is_partitioned(table, schema));
            let hazard = Hazard { scan: true, index_build: true, outside_transaction: outside, ..none };
            table.map_or(hazard.clone(), |table| hazard.lock(&table, mode))
        }
        Operation::CreateView(view) if view.or_replace => {
            none.lock(&schema.resolve(&view.name), LockMode::AccessExclusive)
        }
        Operation::RefreshView { name, concurrently, .. } => {
            let mode = if *concurrently { LockMode::Exclusive } else { LockMode::AccessExclusive };
            Hazard { scan: true, rewrite: !concurrently, ..none }.lock(&schema.resolve(name), mode)
        }
        Operation::DropFunction { name, cascade: true, .. } => {
            let tables = called_by(&schema.resolve_function(name), schema);
            tables.iter().fold(on_all, |h, table| h.lock(table, LockMode::AccessExclusive))
        }
        Operation::CreateTrigger { table, .. } => none.lock(&schema.resolve(table), LockMode::ShareRowExclusive),
        Operation::DropTrigger { table, .. }
        | Operation::CreatePolicy { table, .. }
        | Operation::AlterPolicy { table, .. }
        | Operation::DropPolicy { table, .. } => none.lock(&schema.resolve(table), LockMode::AccessExclusive),
        Operation::Data(data) => {
            let mode = if data.verb == DataVerb::Truncate { LockMode::AccessExclusive } else { LockMode::RowExclusive };
            let scan = !matches!(data.verb, DataVerb::Insert | DataVerb::Truncate);
            match &data.table {
                Some(table) => {
                    let table = schema.resolve(table);
                    let pointing = if data.cascade { emptied_with(&table, schema) } else { BTreeSet::new() };
                    let hazard = Hazard { scan, ..none }.lock(&table, mode);
                    pointing.iter().fold(hazard, |h, name| h.lock(name, mode))
                }
                None => none,
            }
        }
        Operation::Lock { tables, mode } => match LockMode::named(mode) {
            Some(mode) => tables.iter().fold(on_all, |h, table| h.lock(&schema.resolve(table), mode)),
            None => none,
        },
        Operation::AlterDomain { name, change } => {
            let name = schema.resolve_type(name).to_string();
            let checks = match change {
                DomainChange::SetNotNull | DomainChange::Validate { .. } => true,
                DomainChange::AddCheck { not_valid, .. } => !not_valid,
                DomainChange::DropNotNull | DomainChange::DropCheck { .. } | DomainChange::Default { .. } => false,
            };
            let of_it = |r: &Relation| {
                let types = r.columns.iter().filter_map(|column| column.data_type.as_ref());
                types.into_iter().any(|of| schema.domains_of(of).any(|domain| domain.base() == name))
            };
            let stores = |r: &Relation| matches!(r.kind, RelationKind::Table | RelationKind::MaterializedView);
            let users = schema.relations().filter(|(_, r)| checks && stores(r) && of_it(r));
            users.fold(Hazard { scan: checks, ..on_all }, |h, (table, _)| h.lock(table, LockMode::Share))
        }
        Operation::Maintenance { command, table, exclusive } => {
            let mode = if *exclusive { LockMode::AccessExclusive } else { LockMode::ShareUpdateExclusive };
            let parted = || table.as_ref().is_some_and(|table| is_partitioned(&schema.resolve(table), schema));
            let outside = *command == "VACUUM" || *command == "CLUSTER" && parted();
            let hazard =
                Hazard { scan: *exclusive || outside, rewrite: *exclusive, outside_transaction: outside, ..none };
            table.as_ref().map_or(hazard.clone(), |table| hazard.lock(&schema.resolve(table), mode))
        }
        _ => none,
    }
}

/// Relations that are dropped, and what their drop locks beside them: its partitions, the targets of foreign keys, and with `CASCADE` the
/// tables that point to it and the views on it.
fn dropped(mut falling: Vec<QName>, cascade: bool, schema: &Schema) -> Vec<QName> {
    let (mut locked, mut seen) = (Vec::new(), falling.iter().cloned().collect::<BTreeSet<_>>());
    let mut at = 0;
    while let Some(name) = falling.get(at).cloned() {
        at += 1;
        let Some(relation) = schema.relation(&name) else { continue };
        locked.extend(targets(relation));
        // What is dropped may have been the default partition: its parent is read anew.
        locked.extend(relation.parent.clone().filter(|parent| is_partitioned(parent, schema)));
        let dependents = schema.dependents(&name).filter(|_| cascade).cloned();
        let is_view = |name: &QName| schema.relation(name).is_some_and(|r| !r.reads.is_empty());
        let (views, tables): (Vec<_>, Vec<_>) = dependents.partition(is_view);
        locked.extend(tables);
        let heirs = schema.children(&name).filter(|_| cascade).cloned();
        let more = views.into_iter().chain(partitions(&name, schema)).chain(heirs);
        falling.extend(more.filter(|name| seen.insert(name.clone())));
    }
    if cascade {
        locked.extend(schema.with_readers(|(read, _)| seen.contains(read)));
        locked.extend(of_types(&seen, schema));
        // Defaults that draw from their sequences.
        let counters: BTreeSet<&QName> = seen.iter().flat_map(|of| schema.counters_of(of)).collect();
        if !counters.is_empty() {
            locked.extend(schema.drawing_any(|counter| counters.contains(counter)).map(|(table, _)| table.clone()));
        }
    }
    locked.retain(|name| !seen.contains(name));
    falling.extend(locked);
    falling
}

/// The relations that lose something with types, or with relations as the types of their rows: columns, indexes, checks, or themselves.
fn of_types<'a>(names: impl IntoIterator<Item = &'a QName>, schema: &Schema) -> BTreeSet<QName> {
    let users = names.into_iter().flat_map(|name| schema.type_users(name));
    users.map(|(on, _)| on).collect()
}

fn is_partitioned(table: &QName, schema: &Schema) -> bool {
    schema.relation(table).is_some_and(|t| t.partitioned)
}

/// The tables and views that call a function, by a trigger or by themselves.
fn called_by(function: &QName, schema: &Schema) -> BTreeSet<QName> {
    let calls = |r: &Relation| r.trigger_functions.values().any(|called| called == function);
    // A partition has the trigger of its table, and is locked with it.
    let above = |table: &QName| schema.ancestors(table).filter_map(|above| schema.relation(above)).any(calls);
    let tables = schema.relations().filter(|(table, r)| calls(r) && !above(table)).map(|(table, _)| table);
    let callers = schema.callers(function).into_iter().map(|(table, _)| table);
    tables.cloned().chain(callers).collect()
}

/// The partitions of a table, and theirs.
fn partitions(table: &QName, schema: &Schema) -> Vec<QName> {
    if !is_partitioned(table, schema) {
        return Vec::new();
    }
    let own = schema.relations().filter(|(_, r)| r.kind == RelationKind::Table && r.parent.as_ref() == Some(table));
    own.flat_map(|(name, _)| std::iter::once(name.clone()).chain(partitions(name, schema))).collect()
}

/// Partitions that come and go change what the default partition takes.
fn default_partition(hazard: Hazard, parent: &QName, reads: bool, schema: &Schema) -> Hazard {
    match schema.relation(parent).and_then(|r| r.default_partition.clone()) {
        // A new partition takes rows that the default one must not hold: it is read.
        Some(partition) => Hazard { scan: reads, ..hazard }.lock(&partition, LockMode::AccessExclusive),
        None => hazard,
    }
}

/// A partition that comes or goes takes or loses its parent's foreign keys. `own`: what its own foreign keys point to, which become the
/// parent's.
fn referenced(hazard: Hazard, parent: &QName, own: &[QName], schema: &Schema) -> Hazard {
    targets_of(parent, schema).iter().fold(hazard, |h, target| {
        let mode = if own.contains(target) { LockMode::AccessExclusive } else { LockMode::ShareRowExclusive };
        h.lock(target, mode)
    })
}

/// The foreign keys that point to a table point to each of its partitions, too.
fn referring(hazard: Hazard, parent: &QName, mode: LockMode, schema: &Schema) -> Hazard {
    let whole = std::iter::once(parent).chain(schema.ancestors(parent));
    whole.flat_map(|table| schema.pointing_to(table)).fold(hazard, |h, other| h.lock(other, mode))
}

fn targets_of(table: &QName, schema: &Schema) -> Vec<QName> {
    schema.relation(table).map(targets).unwrap_or_default()
}

/// The tables that a table's foreign keys point to: dropping the key locks them too.
fn targets(relation: &Relation) -> Vec<QName> {
    let targets = relation.constraints.values().filter_map(|c| match &c.kind {
        TableRule::ForeignKey { target, .. } => Some(target.clone()),
        _ => None,
    });
    targets.collect()
}

/// The other tables of the foreign keys that a column is in, on either side.
fn keyed_with(table: &QName, column: &Ident, schema: &Schema) -> BTreeSet<QName> {
    let keys = |owner: &QName| {
        let rules = schema.relation(owner).into_iter().flat_map(|relation| relation.constraints.values());
        rules.filter_map(|constraint| match &constraint.kind {
            TableRule::ForeignKey { columns, target, target_columns, .. } => {
                Some((columns.clone(), target.clone(), target_columns.clone()))
            }
            _ => None,
        })
    };
    let own = keys(table).filter(|(columns, ..)| columns.contains(column)).map(|(_, target, _)| target);
    let pointing = schema.pointing_to(table).filter(|other| {
        keys(other).any(|(_, target, target_columns)| target == *table && target_columns.contains(column))
    });
    own.chain(pointing.cloned())
        .filter(|other| other != table)
        .flat_map(|other| schema.with_partitions(other))
        .collect()
}

/// The tables whose foreign keys point to a table, and to those: `TRUNCATE … CASCADE` empties them, too.
fn emptied_with(table: &QName, schema: &Schema) -> BTreeSet<QName> {
    let mut found = BTreeSet::new();
    let mut open = vec![table.clone()];
    while let Some(table) = open.pop() {
        for name in schema.pointing_to(&table) {
            if found.insert(name.clone()) {
                open.push(name.clone());
            }
        }
    }
    found
}

/// What goes with a column: its foreign keys, which lock their targets; with `CASCADE` the views that show it, the policies that read it, and
/// the foreign keys that point to it.
fn falling_with(column: &Ident, cascade: bool, table: &QName, schema: &Schema) -> Vec<QName> {
    let own = schema.relation(table).into_iter().flat_map(|relation| relation.constraints.values());
    let targets = own.filter_map(|constraint| match &constraint.kind {
        TableRule::ForeignKey { columns, target, .. } if columns.contains(column) => Some(target.clone()),
        _ => None,
    });
    let mut found: Vec<QName> = targets.collect();
    let shows = |name: &&QName| {
        schema.relation(name).is_some_and(|relation| {
            let points = |constraint: &Shared<Constraint>| {
                matches!(&constraint.kind, TableRule::ForeignKey { target, target_columns, .. }
                    if *target == *table && target_columns.contains(column))
            };
            relation.read_columns.contains(&(table.clone(), column.clone()))
                || relation.constraints.values().any(points)
        })
    };
    let dependents = schema.dependents(table).filter(|_| cascade).filter(shows);
    for name in dependents {
        let view = schema.relation(name).is_some_and(|relation| !relation.reads.is_empty());
        found.extend(if view { dropped(vec![name.clone()], true, schema) } else { vec![name.clone()] });
    }
    if cascade {
        // Defaults draw from the sequence that goes with the column.
        let owned = schema.relations().filter(|(_, relation)| {
            relation.owned_by.as_ref().is_some_and(|(of, owner)| of == table && owner == column)
        });
        let drawing = owned.flat_map(|(sequence, _)| schema.drawing(sequence)).map(|(other, _)| other);
        found.extend(drawing.filter(|other| *other != table).cloned());
        let place = (table.clone(), column.clone());
        found.extend(schema.with_readers(|read| *read == place).into_iter().filter(|on| on != table));
    }
    // The column of a table below goes, too.
    let below = schema.children(table).filter(|child| *child != table);
    found.extend(below.flat_map(|child| falling_with(column, cascade, child, schema)));
    found
}

fn table_cost(change: &TableChange, table: &QName, schema: &Schema, version: PgVersion) -> Hazard {
    let exclusive = Hazard::default().lock(table, LockMode::AccessExclusive);
    let light = Hazard::default().lock(table, LockMode::ShareUpdateExclusive);
    match change {
        TableChange::AddColumn { column, constraints, .. } => {
            let alike = matches!(column.default, Some(DefaultValue::Constant | DefaultValue::Stable));
            let slow_default = alike && !version.has(Fact::FastDefault);
            let rewrite = column.serial
                || slow_default
                || matches!(
                    column.default,
                    Some(
                        DefaultValue::Volatile
                            | DefaultValue::IdentityAlways
                            | DefaultValue::IdentityByDefault
                            | DefaultValue::GeneratedStored
                    )
                )
                || is_constrained_domain(schema, column.data_type.as_str());
            let mut hazard = Hazard { rewrite, scan: rewrite, ..exclusive };
            for constraint in constraints {
                let added = constraint_cost(constraint, table, schema);
                // A nullable foreign key without a default has nothing to check.
                let is_key = matches!(constraint.kind, ConstraintKind::ForeignKey { .. });
                hazard.scan |= added.scan && !(is_key && column.default.is_none());
                hazard.index_build |= added.index_build;
                hazard.locks.extend(added.locks.into_iter().filter(|lock| lock.relation != *table));
            }
            hazard
        }
        TableChange::SetType { column, data_type, using, collate, .. } => {
            let old = schema.relation(table).and_then(|r| r.column(column)).and_then(|c| c.data_type.clone());
            let free = old.is_some_and(|old| type_change(schema, &old, data_type) == TypeChange::Free) && !using;
            // Another collation sorts otherwise: the indexes of the column are built anew.
            let uses = |r: &Relation| r.indexes.values().any(|index| index.uses(column));
            let sorted = *collate && free && schema.relation(table).is_some_and(uses);
            // The foreign keys that it is in are dropped and made again, whatever the types are.
            let hazard = Hazard { rewrite: !free, scan: !free || sorted, index_build: sorted, ..exclusive };
            keyed_with(table, column, schema).iter().fold(hazard, |h, other| h.lock(other, LockMode::AccessExclusive))
        }
        TableChange::SetNotNull { column, not_valid, .. } => {
            let proven = version.has(Fact::NotNullByCheck) && schema.relation(table).is_some_and(|r| {
                r.constraints.values().any(|c| {
                    c.valid && matches!(&c.kind, TableRule::Check { columns, not_null: true, .. } if columns.as_slice() == [column.clone()])
                })
            });
            Hazard { scan: !proven && !not_valid, ..exclusive }
        }
        TableChange::AddConstraint(definition) => constraint_cost(definition, table, schema),
        TableChange::ValidateConstraint { name } => {
            let target = schema.relation(table).and_then(|r| r.constraints.get(name)).and_then(|c| match &c.kind {
                TableRule::ForeignKey { target, .. } => Some(target.clone()),
                _ => None,
            });
            let hazard = Hazard { scan: true, ..light };
            target.map_or(hazard.clone(), |target| hazard.lock(&target, LockMode::RowShare))
        }
        TableChange::DropConstraint { name, .. } => {
            let target = schema.relation(table).and_then(|r| r.constraints.get(name)).and_then(|c| match &c.kind {
                TableRule::ForeignKey { target, .. } => Some(target.clone()),
                _ => None,
            });
            let locked = target.into_iter().flat_map(|target| schema.with_partitions(target));
            locked.fold(exclusive, |h, target| h.lock(&target, LockMode::AccessExclusive))
        }
        TableChange::SwitchTrigger { .. } => Hazard::default().lock(table, LockMode::ShareRowExclusive),
        TableChange::AttachPartition { partition, .. } => {
            let hazard = Hazard { scan: true, ..light }.lock(&schema.resolve(partition), LockMode::AccessExclusive);
            let own = targets_of(&schema.resolve(partition), schema);
            let hazard = referring(referenced(hazard, table, &own, schema), table, LockMode::ShareRowExclusive, schema);
            default_partition(hazard, table, true, schema)
        }
        // The partitioned index is locked, and no table that anybody waits for.
        TableChange::AttachIndex { .. } => Hazard::default(),
        TableChange::Inherit { parent, attach: true } => {
            exclusive.lock(&schema.resolve(parent), LockMode::ShareUpdateExclusive)
        }
        TableChange::DetachPartition { partition, concurrently } => {
            let mode = if *concurrently { LockMode::ShareUpdateExclusive } else { LockMode::AccessExclusive };
            let hazard = Hazard { outside_transaction: *concurrently, ..Hazard::default() };
            let own = version.has(Fact::DetachShutsPartition);
            let own = if own { LockMode::AccessExclusive } else { LockMode::ShareUpdateExclusive };
            let hazard = hazard.lock(table, mode).lock(&schema.resolve(partition), own);
            let hazard = referring(referenced(hazard, table, &[], schema), table, LockMode::AccessExclusive, schema);
            default_partition(hazard, table, false, schema)
        }
        TableChange::SetLogged { .. } => Hazard { rewrite: true, scan: true, ..exclusive },
        // What a view's parameters say is part of its query.
        TableChange::ReplicaIdentity(_) | TableChange::OfType(_) => exclusive,
        TableChange::Physical { .. } if schema.relation(table).is_some_and(|r| r.kind == RelationKind::View) => {
            exclusive
        }
        TableChange::Physical { what, .. } => match *what {
            "storage parameters" | "statistics target" | "cluster" | "column options" => light,
            "tablespace" | "access method" => Hazard { rewrite: true, ..exclusive },
            _ => exclusive,
        },
        TableChange::AlterConstraint { name, .. } => altered_constraint(name, table, schema),
        TableChange::DropColumn { column, cascade, .. } => falling_with(column, *cascade, table, schema)
            .iter()
            .fold(exclusive, |h, name| h.lock(name, LockMode::AccessExclusive)),
        TableChange::RenameColumn { .. }
        | TableChange::SetDefault { .. }
        | TableChange::DropDefault { .. }
        | TableChange::DropNotNull { .. }
        | TableChange::SetIdentity { .. }
        | TableChange::DropGenerated { .. }
        | TableChange::RenameConstraint { .. }
        | TableChange::RowSecurity { .. }
        | TableChange::ForceRowSecurity { .. }
        | TableChange::Owner { .. }
        | TableChange::Inherit { attach: false, .. } => exclusive,
    }
}

/// A key that bound nothing is held against the rows that there are, and gets its triggers on both sides.
fn altered_constraint(name: &Ident, table: &QName, schema: &Schema) -> Hazard {
    let exclusive = Hazard::default().lock(table, LockMode::AccessExclusive);
    let altered = schema.relation(table).and_then(|relation| relation.constraints.get(name));
    match altered.filter(|constraint| !constraint.enforced).map(|constraint| &constraint.kind) {
        Some(TableRule::ForeignKey { target, .. }) => {
            Hazard { scan: true, ..exclusive.lock(target, LockMode::ShareRowExclusive) }
        }
        _ => exclusive,
    }
}

fn constraint_cost(definition: &ConstraintDefinition, table: &QName, schema: &Schema) -> Hazard {
    let exclusive = Hazard::default().lock(table, LockMode::AccessExclusive);
    match &definition.kind {
        ConstraintKind::Check { .. } => Hazard { scan: !definition.not_valid, ..exclusive },
        ConstraintKind::ForeignKey { target, .. } => {
            let hazard = Hazard { scan: !definition.not_valid, ..Hazard::default() };
            let hazard = hazard.lock(table, LockMode::ShareRowExclusive);
            let locked = std::iter::once(schema.resolve(target)).chain(partitions(table, schema));
            locked.fold(hazard, |h, name| h.lock(&name, LockMode::ShareRowExclusive))
        }
        ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. } | ConstraintKind::Exclude { .. } => {
            Hazard { scan: true, index_build: true, ..exclusive }
        }
        ConstraintKind::UsingIndex { index, primary } => {
            let nullable = schema.relation(table).is_some_and(|r| {
                let key = r.indexes.get(index).map(|i| i.key.clone()).unwrap_or_default();
                key.iter().flatten().any(|c| r.column(c).is_some_and(|c| !c.not_null))
            });
            Hazard { scan: *primary && nullable, ..exclusive }
        }
    }
}

fn is_constrained_domain(schema: &Schema, data_type: &str) -> bool {
    schema.user_type_named(data_type).is_some_and(crate::schema::UserType::is_constrained)
}
