//! The pending migrations as nodes: what runs as a unit, with its effect. Pieces that only make sense together (a view dropped and made
//! again in one file) are one node, and what counts is their net effect.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::access;
use super::commits;
use super::graph::Graph;
use super::{Observed, Request};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::effect::{Capability, Effect, Hazard, PgVersion, Weight, hazard, needed, refused_since};
use crate::migrations::{Folder, Migration};
use crate::schema::{Applied, Object, Problem, Schema};
use crate::source::{FileId, Sources, Span};
use crate::sql::operation::TransactionControl;
use crate::sql::{self, Allow, Directive, DirectiveWord, Operation, Words};

/// One operation in its place.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// What it does.
    pub(crate) operation: Operation,
    /// Its own text.
    pub(crate) span: Span,
    /// The text before it that it needs to run alone.
    pub(crate) prefix: Option<Span>,
    /// The whole statement.
    pub(crate) statement: Span,
    /// What running it costs.
    pub(crate) hazard: Hazard,
    /// What it was seen to do, where its text does not tell.
    pub(crate) observed: Option<Arc<Observed>>,
}

impl Part {
    /// The schema after it.
    pub(crate) fn apply(&self, schema: &Schema) -> Applied {
        match &self.observed {
            Some(observed) => schema.apply_patch(&observed.patch),
            None => schema.apply(&self.operation),
        }
    }

    /// Whether nobody knows what it does.
    fn is_opaque(&self) -> bool {
        is_opaque(&self.operation) && self.observed.as_ref().is_none_or(|observed| observed.unsure.is_some())
    }
}

/// Whether the text of an operation does not tell what it does.
pub fn is_opaque(operation: &Operation) -> bool {
    match operation {
        Operation::Opaque { .. } => true,
        // Any function may write.
        Operation::Query { calls, .. } => calls.iter().any(|name| !harmless(&name.name)),
        _ => false,
    }
}

/// What runs as a unit.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Index into the pending migrations.
    pub(crate) migration: usize,
    /// Its parts; one, unless they must be atomic together.
    pub(crate) parts: Vec<Part>,
    /// What it takes and gives, all parts together.
    pub(crate) effect: Effect,
    /// The author's word on it.
    pub(crate) directive: Option<Directive>,
    /// Whether it runs in a transaction.
    pub(crate) transactional: bool,
    /// `SET` statements of its file that are in force.
    pub(crate) session: Vec<Span>,
    /// SQL that the tool wrote instead of the author's.
    pub(crate) written: Option<String>,
    /// The schema before it, in the files' order.
    pub(crate) before: Schema,
}

impl Node {
    /// Where it stands.
    pub(crate) fn span(&self) -> Span {
        let spans = self.parts.iter().map(|part| part.span);
        spans.reduce(Span::to).unwrap_or(Span { file: FileId(0), start: 0, end: 0 })
    }

    pub(crate) fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.parts.iter().map(|part| &part.operation)
    }

    pub(crate) fn is_opaque(&self) -> bool {
        self.parts.iter().any(Part::is_opaque)
    }

    /// What its parts were seen to do.
    pub(crate) fn observations(&self) -> impl Iterator<Item = &Observed> {
        self.parts.iter().filter_map(|part| part.observed.as_deref())
    }

    pub(crate) fn is_data(&self) -> bool {
        self.operations().any(|op| matches!(op, Operation::Data(_)))
    }
}

/// Functions of PostgreSQL that a migration calls for what they do to rows and sequences, not to the schema.
fn harmless(name: &str) -> bool {
    const KNOWN: &[&str] = &[
        "set_config",
        "setval",
        "nextval",
        "currval",
        "lastval",
        "count",
        "max",
        "min",
        "coalesce",
        "now",
        "pg_sleep",
        "greatest",
        "least",
        "pg_get_serial_sequence",
        "pg_advisory_lock",
        "pg_advisory_unlock",
        "pg_advisory_xact_lock",
        "version",
        "current_setting",
        "pg_notify",
        "to_regclass",
        "lower",
        "upper",
        "length",
        "exists",
        "sum",
        "generate_series",
    ];
    KNOWN.contains(&name)
}

/// The nodes of the pending migrations, in the files' order.
pub(crate) struct Nodes {
    pub(crate) nodes: Vec<Node>,
    /// The schema at the end of the files' order.
    pub(crate) last: Schema,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What the author allows.
    pub(crate) allows: Vec<Allow>,
    /// How many statements there are.
    pub(crate) statements: usize,
}

/// The schema after a list of migrations.
pub(crate) fn replay(folder: &Folder, migrations: &[Migration]) -> Schema {
    let mut schema = Schema::empty();
    for (statements, _) in sql::read_all(&folder.sources, &parts(migrations)) {
        let pieces = statements.iter().flat_map(|s| &s.pieces);
        schema = pieces.fold(schema, |schema, piece| schema.apply(&piece.operation).schema);
        schema = schema.with_default_search_path();
    }
    schema
}

fn parts(migrations: &[Migration]) -> Vec<&[Span]> {
    migrations.iter().map(|migration| migration.parts.as_slice()).collect()
}

/// Reads the pending migrations on top of a schema.
pub(crate) fn collect(request: &Request<'_>, base: &Schema) -> Nodes {
    let (folder, pending) = (request.folder, &request.pending.pending);
    let mut schema = base.clone();
    let mut nodes = Vec::new();
    let mut diagnostics = Vec::new();
    let mut allows = Vec::new();
    let mut count = 0;
    let read = sql::read_all(&folder.sources, &parts(pending));
    for (index, (statements, found)) in read.into_iter().enumerate() {
        diagnostics.extend(found);
        diagnostics.extend(program(&pending[index]));
        let first = nodes.len();
        let mut session: Vec<Span> = Vec::new();
        count += statements.len();
        for statement in statements {
            allows.extend(statement.allows);
            let mut unsplittable: Option<Node> = None;
            let alone = statement.pieces.len() == 1;
            for piece in statement.pieces {
                match &piece.operation {
                    Operation::Transaction(control) => {
                        diagnostics.extend(transaction_control(*control, statement.span));
                        continue;
                    }
                    Operation::Session { .. } => {
                        schema = schema.apply(&piece.operation).schema;
                        session.push(statement.span);
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
                };
                if let Some(observed) = part.observed.as_ref().filter(|observed| observed.unsure.is_none()) {
                    part.hazard = observed.hazard.clone().on(base, &schema);
                }
                let applied = part.apply(&schema);
                diagnostics.extend(applied.problems.iter().map(|problem| {
                    if matches!(problem, Problem::Refused(_)) {
                        return Diagnostic::error(codes::SERVER_REFUSES, problem.to_string()).at(part.span, "here").help(
                            "the migration fails as it is written, in any order; if the schema is another one, plan with --database",
                        );
                    }
                    Diagnostic::warning(codes::UNKNOWN_OBJECT, problem.to_string()).at(part.span, "here").help(
                        "if an opaque statement or something outside the folder made it, plan with --database so that the real schema is the base",
                    )
                }));
                diagnostics.extend(other_version(&part, &schema, &folder.sources, request.version));
                let effect = match &part.observed {
                    Some(observed) => observed.effect.clone(),
                    None => Effect::of(&part.operation, &schema, &applied),
                };
                let before = std::mem::replace(&mut schema, applied.schema);
                if let Some(node) = &mut unsplittable {
                    node.effect.removes.extend(effect.removes);
                    node.effect.adds.extend(effect.adds);
                    node.parts.push(part);
                    continue;
                }
                let (alone_only, refused) =
                    commits::runs_alone(&pending[index], folder.convention, part.span, &before, &folder.sources);
                diagnostics.extend(refused);
                let transactional = statement.transactional && !part.hazard.outside_transaction && !alone_only;
                let node = Node {
                    migration: index,
                    effect,
                    directive: statement.directive.clone(),
                    transactional,
                    session: session.clone(),
                    written: None,
                    before,
                    parts: vec![part],
                };
                if alone || prefix { nodes.push(node) } else { unsplittable = Some(node) }
            }
            nodes.extend(unsplittable);
        }
        group(&mut nodes, first, base, folder);
        schema = schema.with_default_search_path();
    }
    Nodes { nodes, last: schema, diagnostics, allows, statements: count }
}

/// A migration that is no SQL: nothing is known of it, and it can not be executed here.
fn program(migration: &Migration) -> Option<Diagnostic> {
    let language = migration.program?;
    let message = format!(
        "migration {} is a {language} program: what it does can not be known, nor run from here",
        migration.version
    );
    Some(Diagnostic::error(codes::PROGRAM, message).at(Span::new(migration.file, 0..0), "").help(
        "write it as SQL, or run it with its own tool in a release of its own, and plan from the version after it",
    ))
}

/// What the version that the plan is made for refuses.
fn other_version(part: &Part, schema: &Schema, sources: &Sources, version: PgVersion) -> Option<Diagnostic> {
    if let Some((why, since)) = refused_since(&part.operation, schema).filter(|(_, since)| version >= *since) {
        let text = format!("{why}: refused since {since}, and the plan is made for {version}");
        return Some(Diagnostic::error(codes::SERVER_REFUSES, text).at(part.span, "the server refuses this"));
    }
    if version >= PgVersion::NEWEST {
        return None;
    }
    let words = Words::of(part.prefix.iter().chain([&part.span]).map(|span| sources.slice(*span)));
    let need = needed(&words, &part.operation, schema, version)?;
    let text = format!("{} needs {}, and the plan is made for {version}", need.what, need.since);
    Some(
        Diagnostic::warning(codes::NEEDS_NEWER_SERVER, text)
            .at(part.span, "the server refuses this")
            .help("say what production runs: `--pg-version VERSION`, or --database"),
    )
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

/// What a node takes away that clients of the base could rely on and that decides the order.
pub(crate) fn certain_losses<'a>(effect: &'a Effect, base: &'a Schema) -> impl Iterator<Item = &'a Capability> {
    effect.removes.iter().filter(|c| c.weight() == Weight::Certain && c.offered_by(base))
}

/// Joins nodes of one file where a later one restores what an earlier one takes away.
fn group(nodes: &mut Vec<Node>, first: usize, base: &Schema, folder: &Folder) {
    let mut at = first;
    while at < nodes.len() {
        let lost: BTreeSet<Capability> =
            certain_losses(&nodes[at].effect, base).filter(|c| !c.is_freedom()).cloned().collect();
        // Mostly nothing is lost, and nothing is looked for.
        let restores = |node: &Node| node.transactional && node.effect.adds.iter().any(|c| lost.contains(c));
        let last = (at + 1..nodes.len()).rev().take_while(|_| !lost.is_empty()).find(|j| restores(&nodes[*j]));
        let joined = last.filter(|_| nodes[at].transactional).and_then(|last| join(nodes, at, last, base, folder));
        if let Some((members, node)) = joined {
            for member in members.iter().rev() {
                nodes.remove(*member);
            }
            // It stands where its last member stood: whatever stood between does not touch it.
            nodes.insert(members.last().map_or(at, |last| last + 1 - members.len()), node);
        } else {
            at += 1;
        }
    }
}

/// The nodes from `from` to `to` that touch the same objects, as one; if that is better than leaving them apart.
fn join(nodes: &[Node], from: usize, to: usize, base: &Schema, folder: &Folder) -> Option<(Vec<usize>, Node)> {
    let mut objects = touched(&nodes[from]);
    objects.extend(touched(&nodes[to]));
    let accesses: Vec<_> = nodes[from..=to].iter().map(|node| access::of(node, &folder.sources)).collect();
    let graph = Graph::build(&accesses);
    let mut members = vec![from];
    for (i, node) in nodes.iter().enumerate().take(to).skip(from + 1) {
        let own = touched(node);
        // They run where the last one stands, so whatever needs one of them has to be one of them.
        let needs = graph.needs(i - from).any(|earlier| members.contains(&(earlier + from)));
        if needs || own.intersection(&objects).next().is_some() {
            objects.extend(own);
            members.push(i);
        }
    }
    members.push(to);
    if members.iter().any(|i| !nodes[*i].transactional) {
        return None;
    }
    let before = nodes[from].before.clone();
    let mut schema = before.clone();
    let mut all_touched = BTreeSet::new();
    for part in members.iter().flat_map(|i| &nodes[*i].parts) {
        let applied = part.apply(&schema);
        all_touched.extend(applied.touched);
        schema = applied.schema;
    }
    let effect = Effect::between(&before, &schema, &all_touched);
    let apart: BTreeSet<_> = members.iter().flat_map(|i| certain_losses(&nodes[*i].effect, base)).collect();
    let together: BTreeSet<_> = certain_losses(&effect, base).collect();
    if together.len() >= apart.len() || !together.is_subset(&apart) {
        return None;
    }
    let node = Node {
        parts: members.iter().flat_map(|i| nodes[*i].parts.clone()).collect(),
        effect,
        directive: members.iter().find_map(|i| nodes[*i].directive.clone()),
        before,
        ..nodes[to].clone()
    };
    Some((members, node))
}

fn touched(node: &Node) -> BTreeSet<Object> {
    let mut schema = node.before.clone();
    let mut all = BTreeSet::new();
    for part in &node.parts {
        let applied = part.apply(&schema);
        all.extend(applied.touched);
        schema = applied.schema;
    }
    all
}

/// Whether the author put a node before the cutover.
pub(crate) fn word(node: &Node) -> Option<DirectiveWord> {
    node.directive.as_ref().map(|d| d.word)
}
