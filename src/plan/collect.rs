//! The pending migrations as nodes: what runs as a unit, with its effect. Pieces that only make sense together (a view dropped and made
//! again in one file) are one node, and what counts is their net effect.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Request;
use super::access::{self, Key};
use super::begun::Segment;
use super::commits;
use super::graph::Graph;
use super::manner;
use super::node::{Node, certain_losses};
use super::part::{Part, is_opaque};
use super::refused::{self, other_version, problem, refused_data, server_refuses};
use super::saved::Phase;
use crate::diagnostic::{Diagnostic, codes};
use crate::effect::{Capability, Effect, Fact, Hazard, hazard};
use crate::few::Few;
use crate::migrations::{Folder, Migration};
use crate::parallel;
use crate::schema::{Applied, Object, Problem, QName, Schema, TEMPORARY, TableRule};
use crate::shared::Shared;
use crate::source::{Sources, Span};
use crate::sql::operation::{ConstraintKind, DataVerb, Ident, TableChange, TransactionControl};
use crate::sql::query::Command;
use crate::sql::{self, Allow, Operation, ReadFile};

/// The nodes of the pending migrations, in the files' order.
pub(crate) struct Nodes {
    pub(crate) nodes: Vec<Shared<Node>>,
    /// The schema at the end of the files' order.
    pub(crate) last: Schema,
    /// Whether all that made it could be read.
    pub(crate) certain: bool,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What the author allows.
    pub(crate) allows: Vec<Allow>,
    /// How many statements there are.
    pub(crate) statements: usize,
}

/// The schema after a list of migrations, and whether all of them could be read.
pub(crate) fn replay(folder: &Folder, migrations: &[Migration]) -> (Schema, bool) {
    replay_read(folder, migrations, &read(folder, migrations.iter()))
}

/// The statements of a list of migrations, file by file.
pub(crate) fn read<'a>(folder: &Folder, migrations: impl Iterator<Item = &'a Migration>) -> Vec<ReadFile> {
    let parts: Vec<&[Span]> = migrations.map(|migration| migration.parts.as_slice()).collect();
    sql::read_all(&folder.sources, &parts)
}

/// The same as [`replay`], of files that were read already.
pub(super) fn replay_read(folder: &Folder, migrations: &[Migration], read: &[ReadFile]) -> (Schema, bool) {
    let mut schema = Schema::empty();
    let mut certain = migrations.iter().all(|migration| migration.program.is_none());
    for file in read {
        let known;
        (schema, known) = replay_one(folder, schema, file);
        certain &= known;
    }
    (schema, certain)
}

/// The schema after one more file, and whether all of it could be read.
pub(crate) fn replay_one(folder: &Folder, mut schema: Schema, (statements, _): &ReadFile) -> (Schema, bool) {
    let mut certain = true;
    let mut lasting = Lasting::default();
    for piece in statements.iter().flat_map(|s| &s.pieces) {
        certain &= !is_opaque(&piece.operation)
            || makes_a_rule(&piece.operation)
            || sql::makes_nothing(folder.sources.slice(piece.span));
        let before = schema.clone();
        schema = lasting.follow(&piece.operation, &before, schema.applied(&piece.operation).schema);
    }
    (schema.with_default_search_path().without_temporary(), certain)
}

/// A schema whose search path holds when the transaction has ended, where another one was set for the transaction alone.
#[derive(Default)]
struct Lasting(Option<Schema>);

impl Lasting {
    /// The schema behind an operation, with the path that is searched there.
    fn follow(&mut self, operation: &Operation, before: &Schema, after: Schema) -> Schema {
        match operation {
            Operation::Session { search_path: Some(_), local: true } => {
                _ = self.0.get_or_insert_with(|| before.clone())
            }
            Operation::Session { search_path: Some(_), local: false } => {
                self.0 = self.0.take().map(|_| after.clone());
            }
            Operation::Transaction(TransactionControl::Commit | TransactionControl::Rollback) => {
                if let Some(lasting) = self.0.take() {
                    return after.searched_like(&lasting);
                }
            }
            _ => {}
        }
        after
    }
}

/// A node that is read and not looked at yet.
struct Draft {
    node: Shared<Node>,
    /// What each of its parts did to the schema.
    changes: Vec<Change>,
}

/// What a part does to the schema that it finds.
struct Change {
    before: Schema,
    applied: Applied,
    /// Whether all of that schema is known.
    certain: bool,
    /// Whether the author has said where it belongs.
    worded: bool,
    /// Whether its session does not look into the bodies of functions.
    unchecked: bool,
}

/// What there is to a change: all that can be worked out for each by itself.
struct Looked {
    effect: Effect,
    unknown: bool,
    refused: bool,
    diagnostics: Vec<Diagnostic>,
}

/// The nodes of the pending migrations, which were read, on top of a schema. The schemas follow each other; what a change comes to is worked out for all of them at once.
pub(super) fn collect(request: &Request<'_>, pending: Vec<Segment>, base: &Schema) -> Nodes {
    const FEW: usize = 24;
    let folder = request.folder;
    let mut found = drafts(request, pending, base);
    let looked = parallel::map(&found.drafts, FEW, |draft| {
        let parts = draft.node.parts.iter().zip(&draft.changes);
        parts.map(|(part, change)| look(part, change, request)).collect::<Vec<_>>()
    });
    let mut diagnostics = found.diagnostics;
    let mut finished = Vec::with_capacity(looked.len());
    for (Draft { mut node, .. }, parts) in found.drafts.into_iter().zip(looked) {
        for (at, Looked { effect, unknown, refused, diagnostics: of_part }) in parts.into_iter().enumerate() {
            node.parts[at].refused = refused;
            node.unknown |= unknown;
            node.effect.removes.extend(effect.removes);
            node.effect.adds.extend(effect.adds);
            diagnostics.extend(of_part);
        }
        finished.push(node);
    }
    let mut finished = finished.into_iter().peekable();
    let mut nodes = Vec::new();
    for Blocked { migration, ran, transactions: blocks } in found.blocks.drain(..) {
        let first = nodes.len();
        while let Some(node) = finished.next_if(|node| node.migration == migration && node.ran == ran) {
            nodes.push(node);
        }
        diagnostics.extend(outside_in_block(&nodes[first..]));
        swaps(&mut nodes, first, base, folder);
        restored(&mut nodes, first, folder);
        temporary(&mut nodes, first, folder);
        transactions(&mut nodes, first, blocks, folder);
        group(&mut nodes, first, base, folder);
        diagnostics.extend(nodes[first..].iter().filter_map(|node| commits::unsafe_label(node)));
        for node in nodes[first..].iter_mut().filter(|node| node.manner.is_some() && node.parts.len() > 1) {
            node.manner = None;
            diagnostics.push(bad_manner("it is one transaction with other statements", node.span()));
        }
    }
    let Drafts { last, certain, allows, statements, .. } = found;
    Nodes { nodes, last, certain, diagnostics, allows, statements }
}

/// A rule makes nothing beside itself.
const fn makes_a_rule(operation: &Operation) -> bool {
    matches!(operation, Operation::Opaque { rule: Some(_), .. })
}

/// What a part comes to.
fn look(part: &Part, change: &Change, request: &Request<'_>) -> Looked {
    let Change { before, applied, certain, worded, unchecked } = change;
    let problems = applied.problems.iter().map(|found| problem(found, part.span, request.base_is_real, *worded));
    let mut diagnostics: Vec<Diagnostic> = problems.collect();
    let mut unknown = applied.problems.iter().any(|p| matches!(p, Problem::Missing(_)));
    // What an opaque statement made is not known.
    let refusal = part.refused_on(before);
    let refused = refusal.is_some();
    if let Some(refusal) = refusal.filter(|_| *certain) {
        let missing = refusal.code == "42P01" || !refusal.sure;
        unknown |= missing;
        diagnostics.push(refused_data(&refusal, part.span, missing, *worded));
    }
    let bodies = *certain && !unchecked;
    diagnostics.extend(refused::always(part, before, Some(&applied.schema).filter(|_| bodies), request));
    if let Some(lacking) = before.lacks_worded(request.folder.sources.slice(part.span)).filter(|_| *certain) {
        unknown = true;
        diagnostics.push(problem(&Problem::Missing(lacking), part.span, request.base_is_real, *worded));
    }
    diagnostics.extend(other_version(part, before, &request.folder.sources, request.version));
    let effect = match &part.observed {
        Some(observed) => observed.effect.clone(),
        None => Effect::of(&part.operation, before, applied),
    };
    Looked { effect, unknown, refused, diagnostics }
}

/// The pending migrations as they were read.
struct Drafts {
    drafts: Vec<Draft>,
    blocks: Vec<Blocked>,
    last: Schema,
    certain: bool,
    diagnostics: Vec<Diagnostic>,
    allows: Vec<Allow>,
    statements: usize,
}

/// How many transactions a file writes.
struct Blocked {
    migration: usize,
    ran: Option<Phase>,
    transactions: usize,
}

fn drafts(request: &Request<'_>, segments: Vec<Segment>, base: &Schema) -> Drafts {
    let (folder, pending) = (request.folder, &request.pending.pending);
    let mut schema = base.clone();
    let mut drafts: Vec<Draft> = Vec::new();
    let mut counts = Vec::new();
    let mut diagnostics = Vec::new();
    let mut allows = Vec::new();
    let mut count = 0;
    let mut certain = !request.base_is_uncertain;
    for Segment { migration: index, ran, read: (statements, found) } in segments {
        diagnostics.extend(found);
        diagnostics.extend(program(&pending[index]).filter(|_| ran.is_none()));
        certain &= pending[index].program.is_none();
        // With whether it ends with the transaction.
        let mut session: Vec<(Span, bool)> = Vec::new();
        let mut lasting = Lasting::default();
        let mut blocks = Blocks::default();
        count += statements.len();
        for statement in statements {
            allows.extend(statement.allows);
            let mut unsplittable: Option<Draft> = None;
            let alone = statement.pieces.len() == 1;
            let mut pieces = statement.pieces;
            pieces.sort_by_key(|piece| match &piece.operation {
                Operation::AlterTable { change, .. } => change.pass(),
                _ => 0,
            });
            let together: Vec<&Operation> = pieces.iter().map(|piece| &piece.operation).collect();
            if let Some((at, why)) = schema.refused_together(&together, request.version.has(Fact::NotNullIsConstraint))
            {
                diagnostics.push(server_refuses(format!("PostgreSQL refuses this: {why}"), pieces[at].span));
            }
            for piece in pieces {
                match &piece.operation {
                    Operation::Transaction(control) => {
                        blocks.control(*control);
                        if !blocks.open {
                            session.retain(|(_, local)| !local);
                        }
                        let before = schema.clone();
                        schema = lasting.follow(&piece.operation, &before, schema);
                        diagnostics.extend(transaction_control(*control, statement.span));
                        continue;
                    }
                    Operation::Session { local, .. } => {
                        let set = schema.apply(&piece.operation).schema;
                        schema = lasting.follow(&piece.operation, &schema, set);
                        session.push((statement.span, *local));
                        continue;
                    }
                    _ => {}
                }
                let prefix = piece.prefix.is_some();
                let observed = request.observed.filter(|_| is_opaque(&piece.operation));
                let mut part = Part {
                    span: piece.span,
                    prefix: piece.prefix,
                    statement: statement.span,
                    hazard: hazard(&piece.operation, &schema, base, request.version),
                    operation: piece.operation,
                    observed: observed.and_then(|observed| observed.get(statement.span)).cloned(),
                    command: None,
                    refused: false,
                };
                part.command = command(&part, &folder.sources);
                part.hazard.locks.shrink_to_fit();
                if let Some(observed) = part.observed.as_ref().filter(|observed| observed.unsure.is_none()) {
                    part.hazard = observed.hazard.clone().on(base, &schema);
                }
                let applied = part.apply(&schema);
                if applied.problems.iter().any(|p| matches!(p, Problem::Skipped(_))) {
                    part.hazard = Hazard::default();
                }
                let worded = statement.directive.is_some();
                let before = schema;
                schema = applied.schema.clone();
                let unchecked =
                    session.iter().any(|(set, _)| folder.sources.slice(*set).contains("check_function_bodies"));
                let change = Change { before: before.clone(), applied, certain, worded, unchecked };
                let text = folder.sources.slice(part.span);
                certain &= !part.is_opaque()
                    || makes_a_rule(&part.operation)
                    || sql::makes_nothing(text)
                    || before.run_by(text).only_rows;
                if let Some(Draft { node, changes }) = &mut unsplittable {
                    node.after = schema.clone();
                    node.touched.extend(change.applied.touched.iter().cloned());
                    node.parts.push(part);
                    changes.push(change);
                    continue;
                }
                let (alone_only, refused) =
                    commits::runs_alone(&pending[index], folder.convention, part.span, &before, &folder.sources);
                diagnostics.extend(refused);
                let word = statement.manner.as_ref();
                let manner = match word.map(|word| manner::of(word, &part, text, &before)).transpose() {
                    Ok(manner) => manner,
                    Err(why) => {
                        diagnostics.push(bad_manner(&why, part.span));
                        None
                    }
                };
                let transactional = statement.transactional && !part.hazard.outside_transaction && !alone_only;
                let node = Node {
                    migration: index,
                    unknown: false,
                    block: blocks.current(),
                    effect: Effect::default(),
                    directive: statement.directive.clone(),
                    ran,
                    manner,
                    transactional,
                    session: session.iter().map(|(span, _)| *span).collect(),
                    written: None,
                    before,
                    after: schema.clone(),
                    touched: change.applied.touched.clone(),
                    parts: vec![part],
                };
                let draft = Draft { node: node.into(), changes: vec![change] };
                if alone || prefix { drafts.push(draft) } else { unsplittable = Some(draft) }
            }
            drafts.extend(unsplittable);
        }
        counts.push(Blocked { migration: index, ran, transactions: blocks.count });
        schema = schema.with_default_search_path().without_temporary();
    }
    Drafts { drafts, blocks: counts, last: schema, certain, diagnostics, allows, statements: count }
}

/// Why a statement cannot run as its author says.
fn bad_manner(why: &str, span: Span) -> Diagnostic {
    Diagnostic::error(
        codes::BAD_DIRECTIVE,
        format!("the statement cannot run as its `-- cutover:` comment says: {why}"),
    )
    .at(span, "this statement")
    .help("change the comment or the statement; without the comment it runs as one statement")
}

/// What a query, or a data statement, reads and writes. Long ones are lists of rows.
fn command(part: &Part, sources: &Sources) -> Option<Arc<Command>> {
    const LONG: usize = 1 << 16;
    let read = match &part.operation {
        Operation::Data(data) => data.verb != DataVerb::Copy,
        Operation::Query { .. } => true,
        _ => false,
    };
    let text = sources.slice(part.span);
    let looked_at = read && text.len() < LONG;
    looked_at.then(|| sql::read_query(text).ok().map(Arc::new)).flatten()
}

/// A migration that is no SQL: nothing is known of it, and it cannot be executed here.
fn program(migration: &Migration) -> Option<Diagnostic> {
    let language = migration.program?;
    let message = format!(
        "migration {} is a {language} program: what it does cannot be known, nor run from here",
        migration.version
    );
    Some(Diagnostic::error(codes::PROGRAM, message).at(Span::new(migration.file, 0..0), "").help(
        "write it as SQL, or run it with its own tool in a release of its own, and plan from the version after it",
    ))
}

fn transaction_control(control: TransactionControl, span: Span) -> Option<Diagnostic> {
    match control {
        TransactionControl::Begin | TransactionControl::Commit => None,
        TransactionControl::Rollback | TransactionControl::Savepoint => Some(
            Diagnostic::error(
                codes::ROLLBACK_IN_FILE,
                "what this migration leaves behind depends on its own ROLLBACK or SAVEPOINT",
            )
            .at(span, "own transaction control")
            .help("remove it: the plan runs every step in a transaction of its own, together with its journal row"),
        ),
    }
}

/// The transactions that a file writes down.
#[derive(Default)]
struct Blocks {
    count: usize,
    open: bool,
}

impl Blocks {
    fn control(&mut self, control: TransactionControl) {
        match control {
            TransactionControl::Begin => {
                self.count += usize::from(!self.open);
                self.open = true;
            }
            TransactionControl::Commit | TransactionControl::Rollback => self.open = false,
            TransactionControl::Savepoint => {}
        }
    }

    fn current(&self) -> Option<usize> {
        self.open.then(|| self.count - 1)
    }
}

/// What PostgreSQL refuses in the transaction that it is written in.
fn outside_in_block(nodes: &[Shared<Node>]) -> Vec<Diagnostic> {
    let inside = nodes.iter().filter(|node| !node.transactional && node.block.is_some());
    let refused = |node: &Node| {
        Diagnostic::error(codes::SERVER_REFUSES, "PostgreSQL refuses this in a transaction block")
            .at(node.span(), "between BEGIN and COMMIT")
            .help("write it before BEGIN or behind COMMIT, or into a migration of its own")
    };
    inside.map(|node| refused(node)).collect()
}

/// Joins what a file writes down as one transaction. BEGIN and COMMIT around a whole file are how some tools write every file, and are the
/// author's word only where a lock is taken for the statements behind it.
fn transactions(nodes: &mut Vec<Shared<Node>>, first: usize, blocks: usize, folder: &Folder) {
    let whole = blocks == 1 && nodes[first..].iter().all(|node| node.block.is_some());
    let locks = |node: &Node| node.operations().any(|op| matches!(op, Operation::Lock { .. }));
    if whole && !nodes[first..].iter().any(|node| locks(node)) {
        return;
    }
    for block in 0..blocks {
        let members: Vec<usize> = (first..nodes.len()).filter(|i| nodes[*i].block == Some(block)).collect();
        if members.len() > 1 && members.iter().all(|i| nodes[*i].transactional) {
            unite(nodes, &members, folder);
        }
    }
}

/// Joins what uses a temporary table with what makes it: in the next session it is gone.
fn temporary(nodes: &mut Vec<Shared<Node>>, first: usize, folder: &Folder) {
    let mut at = first;
    while at < nodes.len() {
        let temporary = |object: &Object| match object {
            Object::Relation(name) if *name.schema == *TEMPORARY => Some(name.clone()),
            _ => None,
        };
        let made: Vec<QName> = nodes[at].touched.iter().filter_map(temporary).collect();
        let uses = |node: &Node| {
            let access = access::of(node, &folder.sources);
            let mut keys = access.uses.iter().chain(&access.defines);
            keys.any(|key| matches!(key, Key::Relation(name) if made.contains(name)))
        };
        let last = (at + 1..nodes.len()).rev().take_while(|_| !made.is_empty()).find(|i| uses(&nodes[*i]));
        if let Some(members) = last.and_then(|last| members(nodes, at, last, folder)) {
            unite(nodes, &members, folder);
        }
        at += 1;
    }
}

/// Joins a trigger that goes with one that comes to the same table in the same file, and with the functions that are changed for it: with
/// both, or with none, rows are counted twice, or not at all.
fn swaps(nodes: &mut Vec<Shared<Node>>, first: usize, base: &Schema, folder: &Folder) {
    let mut at = first;
    while at < nodes.len() {
        let lost = |c: &Capability| match c {
            Capability::Trigger { relation, .. } if c.offered_by(base) => Some(relation.clone()),
            _ => None,
        };
        let tables: Vec<QName> = nodes[at].effect.removes.iter().filter_map(lost).collect();
        let comes = |node: &Node| {
            node.operations().any(|op| match op {
                Operation::CreateTrigger { table, .. } => tables.contains(&node.before.resolve(table)),
                _ => false,
            })
        };
        let last = (at + 1..nodes.len()).rev().take_while(|_| !tables.is_empty()).find(|i| comes(&nodes[*i]));
        if let Some(mut members) = last.and_then(|last| members(nodes, at, last, folder)) {
            let calls = |i: &usize| {
                nodes[*i].operations().any(|op| match op {
                    Operation::CreateFunction(function) => {
                        let name = nodes[*i].before.resolve_function(&function.name);
                        let runs = |table: &QName| {
                            let called = |schema: &Schema| {
                                schema.relation(table).is_some_and(|r| r.trigger_functions.values().any(|f| *f == name))
                            };
                            called(base) || called(&nodes[*i].before)
                        };
                        tables.iter().any(runs)
                    }
                    _ => false,
                })
            };
            let between = members.first().copied().unwrap_or(at)..members.last().copied().unwrap_or(at);
            members.extend(between.filter(calls).collect::<Vec<_>>());
            members.sort_unstable();
            members.dedup();
            if members.iter().all(|i| nodes[*i].transactional) {
                unite(nodes, &members, folder);
            }
        }
        at += 1;
    }
}

/// What must not be without what follows it, however each is judged by itself: a foreign key that comes back with another action, or a
/// new counter that is set behind the rows there are. Both are one transaction.
fn restored(nodes: &mut Vec<Shared<Node>>, first: usize, folder: &Folder) {
    let mut at = first;
    while at < nodes.len() {
        let lost: Vec<Lost> = nodes[at].parts.iter().filter_map(|part| lost(part, &nodes[at])).collect();
        let restores = |node: &Node| lost.iter().any(|lost| lost.comes_back(node, folder));
        let back = (at + 1..nodes.len()).take_while(|_| !lost.is_empty()).find(|i| restores(&nodes[*i]));
        let members = back.map(|back| [at, back]).filter(|both| both.iter().all(|i| nodes[*i].transactional));
        if let Some(members) = members {
            unite(nodes, &members, folder);
        }
        at += 1;
    }
}

/// What a part takes until a later one gives it back.
enum Lost {
    /// Rows that point to nothing are refused: the columns, and the table that they point to.
    Reference { table: QName, columns: Vec<Ident>, target: QName },
    /// A column counts on from its rows.
    Counter { table: QName, column: Ident },
}

fn lost(part: &Part, node: &Node) -> Option<Lost> {
    let Operation::AlterTable { table, change, .. } = &part.operation else { return None };
    let table = node.before.resolve(table);
    let relation = node.before.relation(&table)?;
    match change {
        TableChange::DropConstraint { name, .. } => match &relation.constraints.get(name)?.kind {
            TableRule::ForeignKey { columns, target, .. } => {
                Some(Lost::Reference { table, columns: columns.clone(), target: target.clone() })
            }
            _ => None,
        },
        TableChange::SetIdentity { column, add: true, .. } => Some(Lost::Counter { table, column: column.clone() }),
        _ => None,
    }
}

impl Lost {
    fn comes_back(&self, node: &Node, folder: &Folder) -> bool {
        node.parts.iter().any(|part| match (self, &part.operation) {
            (
                Self::Reference { table, columns, target },
                Operation::AlterTable { table: of, change: TableChange::AddConstraint(definition), .. },
            ) => match &definition.kind {
                ConstraintKind::ForeignKey { columns: own, target: to, .. } => {
                    node.before.resolve(of) == *table && own == columns && node.before.resolve(to) == *target
                }
                _ => false,
            },
            (Self::Counter { table, column }, Operation::Query { .. }) => {
                let text = folder.sources.slice(part.span).to_ascii_lowercase();
                let named = |name: &Ident| text.contains(&name.to_ascii_lowercase());
                text.contains("setval") && named(&table.name) && named(column)
            }
            _ => false,
        })
    }
}

/// Makes one node of several. It stands where the last of them stood.
fn unite(nodes: &mut Vec<Shared<Node>>, members: &[usize], folder: &Folder) {
    let (Some(from), Some(to)) = (members.first(), members.last()) else { return };
    // What stands between and needs one of them moves along.
    let Some(members) = all_members(nodes, *from, *to, members, folder) else { return };
    let (node, _) = united(nodes, &members);
    for member in members.iter().rev() {
        nodes.remove(*member);
    }
    let at = members.last().map_or(0, |last| last + 1 - members.len());
    nodes.insert(at, node.into());
}

/// Joins nodes of one file where a later one restores what an earlier one takes away.
fn group(nodes: &mut Vec<Shared<Node>>, first: usize, base: &Schema, folder: &Folder) {
    let mut at = first;
    while at < nodes.len() {
        let lost: Few<Capability> =
            certain_losses(&nodes[at].effect, base).filter(|c| !c.is_freedom()).cloned().collect();
        // Mostly nothing is lost, and nothing is looked for.
        let restores = |node: &Node| {
            let gone = |c: &Capability| match c {
                Capability::Call { name, .. } => {
                    lost.iter().any(|c| matches!(c, Capability::Sound { name: of, .. } if of == name))
                }
                Capability::Trigger { relation, name } => calls_lost(&node.before, relation, name, &lost),
                _ => false,
            };
            let effect = &node.effect;
            node.transactional && (effect.adds.iter().any(|c| lost.contains(c)) || effect.removes.iter().any(gone))
        };
        let last = (at + 1..nodes.len()).rev().take_while(|_| !lost.is_empty()).find(|j| restores(&nodes[*j]));
        let joined = last.filter(|_| nodes[at].transactional).and_then(|last| join(nodes, at, last, base, folder));
        if let Some((members, node)) = joined {
            for member in members.iter().rev() {
                nodes.remove(*member);
            }
            // It stands where its last member stood: whatever stood between does not touch it.
            nodes.insert(members.last().map_or(at, |last| last + 1 - members.len()), node.into());
        } else {
            at += 1;
        }
    }
}

/// Whether a trigger calls a function whose body no longer finds what it names.
fn calls_lost(schema: &Schema, table: &QName, trigger: &str, lost: &Few<Capability>) -> bool {
    let called = schema.relation(table).and_then(|relation| relation.trigger_functions.get(trigger));
    called.is_some_and(|called| lost.iter().any(|c| matches!(c, Capability::Sound { name, .. } if name == called)))
}

/// The nodes from `from` to `to` that touch the same objects, as one; if that is better than leaving them apart.
fn join(nodes: &[Shared<Node>], from: usize, to: usize, base: &Schema, folder: &Folder) -> Option<(Vec<usize>, Node)> {
    let members = members(nodes, from, to, folder)?;
    let (node, effect) = united(nodes, &members);
    let apart: BTreeSet<_> = members.iter().flat_map(|i| certain_losses(&nodes[*i].effect, base)).collect();
    let together: BTreeSet<_> = certain_losses(&effect, base).collect();
    // Of what went as a whole, a part may go now: the same view comes back with another type.
    let known = |c: &&Capability| {
        let whole = || c.relation().is_some_and(|name| apart.contains(&Capability::Relation(name.clone())));
        apart.contains(*c) || whole()
    };
    if together.len() >= apart.len() || !together.iter().all(known) {
        return None;
    }
    Some((members, node))
}

/// Two nodes, with those between them that touch the same objects, or that need one of them. `None`: they cannot be one transaction.
fn members(nodes: &[Shared<Node>], from: usize, to: usize, folder: &Folder) -> Option<Vec<usize>> {
    all_members(nodes, from, to, &[from, to], folder)
}

fn all_members(
    nodes: &[Shared<Node>],
    from: usize,
    to: usize,
    wanted: &[usize],
    folder: &Folder,
) -> Option<Vec<usize>> {
    let mut objects: Few<Object> = wanted.iter().flat_map(|i| &nodes[*i].touched).cloned().collect();
    let accesses: Vec<_> = nodes[from..=to].iter().map(|node| access::of(node, &folder.sources)).collect();
    let graph = Graph::build(&accesses);
    let mut members = Vec::new();
    for (i, node) in nodes.iter().enumerate().take(to + 1).skip(from) {
        // They run where the last one stands, so whatever needs one of them has to be one of them.
        let needs = || graph.needs(i - from).any(|earlier| members.contains(&(earlier + from)));
        if wanted.contains(&i) || needs() || !node.touched.is_disjoint(&objects) {
            objects.extend(node.touched.iter().cloned());
            members.push(i);
        }
    }
    members.iter().all(|i| nodes[*i].transactional).then_some(members)
}

/// Nodes as one, and its effect.
fn united(nodes: &[Shared<Node>], members: &[usize]) -> (Node, Effect) {
    let (from, to) = (members[0], members[members.len() - 1]);
    let last = &nodes[to];
    // What stands between runs before them.
    let between = (from..to).filter(|i| !members.contains(i)).flat_map(|i| &nodes[i].parts);
    let before = between.fold(nodes[from].before.clone(), |schema, part| part.applied(schema).schema);
    let mut schema = before.clone();
    let mut all_touched = Few::new();
    for part in members.iter().flat_map(|i| &nodes[*i].parts) {
        let applied = part.applied(schema);
        all_touched.extend(applied.touched);
        schema = applied.schema;
    }
    let after = schema.without_temporary();
    let mut effect = Effect::between(&before, &after, &all_touched);
    // What no schema shows, unless one gives back what another takes.
    let unseen = |c: &&Capability| {
        matches!(
            c,
            Capability::Behaviour { .. }
                | Capability::Granted { .. }
                | Capability::Held { .. }
                | Capability::Object { .. }
                | Capability::Unaltered { .. }
        )
    };
    let of = |pick: fn(&Effect) -> &Few<Capability>| -> Vec<Capability> {
        members.iter().flat_map(|i| pick(&nodes[*i].effect)).filter(unseen).cloned().collect()
    };
    let (removes, adds) = (of(|effect| &effect.removes), of(|effect| &effect.adds));
    effect.removes.extend(removes.iter().filter(|c| !adds.contains(c)).cloned());
    effect.adds.extend(adds.into_iter().filter(|c| !removes.contains(c)));
    let node = Node {
        parts: members.iter().flat_map(|i| nodes[*i].parts.clone()).collect(),
        unknown: members.iter().any(|i| nodes[*i].unknown),
        effect: effect.clone(),
        directive: members.iter().find_map(|i| nodes[*i].directive.clone()),
        manner: members.iter().find_map(|i| nodes[*i].manner.clone()),
        before,
        after,
        touched: all_touched,
        ..Node::clone(last)
    };
    (node, effect)
}
