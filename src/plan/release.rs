//! Migrations → plan. Pure: a folder and two workloads in, a plan and its findings out.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;

use super::access::{self, Access, Key};
use super::graph::Graph;
use super::mentions::{self, Mentioned};
use super::node::{self, Node, Written};
use super::place::{self, Placement};
use super::saved::{
    Definition, Excerpt, ExpectedColumn, ExpectedRelation, Finding, Migration as SavedMigration, Migrations, Phase,
    Place, SavedPlan, SchemaPins, Verdict,
};
use super::untold;
use super::{ObservedEffects, findings, matrix, proof, steps};
use crate::compat::mention::Tree;
use crate::compat::{App, Assume, Evidence, Pulls, Watch, pulls};
use crate::diagnostic::{Diagnostic, Severity};
use crate::effect::{Capability, Effect, PgVersion};
use crate::lint::{self, Allowed, Application, Release};
use crate::migrations::{Folder, Migration, Pending};
use crate::rewrite;
use crate::schema::{QName, Relation, Schema};
use crate::side::Side;
use crate::source::{Sources, Span};
use crate::sql::Operation;
use crate::sql::operation::Ident;
use crate::stats::Weighing;
use crate::workload::Workload;

/// What a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The migrations.
    pub folder: &'a Folder,
    /// Which of them are to be applied.
    pub pending: &'a Pending,
    /// The schema before the release, as a live database has it. Otherwise the applied migrations are simulated.
    pub base: Option<&'a Schema>,
    /// The files that `base` was read from, if it was read from text; what is not understood in them is told.
    pub base_files: &'a [Migration],
    /// The table of the tool's history, if somebody names it.
    pub history_table: Option<&'a str>,
    /// The queries of the version in production.
    pub blue: Option<&'a Workload>,
    /// The queries of the version being released.
    pub green: Option<&'a Workload>,
    /// What statements that can not be read were seen to do on a real server.
    pub observed: Option<&'a ObservedEffects>,
    /// What production holds and is asked.
    pub weighing: Option<&'a Weighing>,
    /// The PostgreSQL that production runs.
    pub version: PgVersion,
    /// How far the queries are believed.
    pub assume: Assume,
    /// The source of the version in production, to be searched for what the release takes away.
    pub blue_source: Option<&'a dyn Tree>,
    /// Whether the base schema holds what nobody could read, so that something may be there that is not known.
    pub base_is_uncertain: bool,
    /// Whether the base schema was read from a server, and not from files.
    pub base_is_real: bool,
}

impl<'a> Request<'a> {
    /// A request without a live database, queries, observations, statistics, or sources.
    pub fn new(folder: &'a Folder, pending: &'a Pending) -> Self {
        let version = PgVersion::default();
        let (base, blue, green, observed, weighing, assume) = (None, None, None, None, None, Assume::default());
        let (base_files, history_table) = (&[], None);
        Self {
            folder,
            pending,
            base,
            base_files,
            history_table,
            blue,
            green,
            observed,
            weighing,
            version,
            assume,
            blue_source: None,
            base_is_uncertain: false,
            base_is_real: false,
        }
    }
}

impl<'a> Request<'a> {
    /// The same on the schema of a server, where one was read: it stands for what files tell.
    pub fn on(self, real: Option<&'a Schema>) -> Self {
        match real {
            Some(_) => Self { base: real, base_files: &[], base_is_real: true, ..self },
            None => self,
        }
    }
}

/// A plan with what is to be said about it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The plan, sealed.
    pub plan: SavedPlan,
    /// Findings with their places in `sources`.
    pub diagnostics: Vec<Diagnostic>,
    /// Findings that the author allows.
    pub allowed: Vec<Allowed>,
    /// How many statements the pending migrations have.
    pub statements: usize,
    /// The migrations, then blue's queries, then green's, then the files of blue's source that mention what is taken away.
    pub sources: Sources,
    /// The schema before the release.
    pub base: Schema,
    /// The schema between the phases.
    pub overlap: Schema,
    /// The schema after the release.
    pub last: Schema,
}

/// What is to be said about a release.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Findings with their places in `sources`.
    pub diagnostics: Vec<Diagnostic>,
    /// Findings that the author allows.
    pub allowed: Vec<Allowed>,
    /// How many statements the pending migrations have.
    pub statements: usize,
    /// The migrations, then blue's queries, then green's, then the files of blue's source that mention what is taken away.
    pub sources: Sources,
    /// The schema before the release.
    pub base: Schema,
    /// The schema between the phases.
    pub overlap: Schema,
    /// The schema after the release.
    pub last: Schema,
    /// Whether all that made it could be read, so that it lacks nothing.
    pub last_is_certain: bool,
}

/// Makes a plan.
pub fn plan(request: Request<'_>) -> Planned {
    let weighed = request.weighing.is_some();
    let (checked, plan) = analyse(request, |analysis| save(&analysis));
    let diagnostics = grouped(&checked.diagnostics, weighed);
    let Checked { diagnostics: _, allowed, statements, sources, base, overlap, last, last_is_certain: _ } = checked;
    Planned { plan, diagnostics, allowed, statements, sources, base, overlap, last }
}

/// Finds what is to be said about a release, without the plan that could be saved.
pub fn check(request: Request<'_>) -> Checked {
    analyse(request, |_| ()).0
}

/// A placed release.
struct Analysis<'a> {
    request: &'a Request<'a>,
    nodes: &'a [Node],
    placements: &'a [Placement],
    pulls: &'a [Pulls<'a>],
    graph: &'a Graph,
    blue: Option<&'a Watch<'a>>,
    green: Option<&'a Watch<'a>>,
    /// The schema after each step, in the plan's order.
    states: &'a [(usize, Schema)],
    second: &'a BTreeSet<usize>,
    accesses: &'a [Access],
    weighing: Option<&'a Weighing>,
    mentioned: Option<&'a Mentioned<'a>>,
    base: &'a Schema,
    overlap: &'a Schema,
    last: &'a Schema,
    diagnostics: &'a [Diagnostic],
    sources: &'a Sources,
}

fn analyse<T>(mut request: Request<'_>, finish: impl FnOnce(Analysis<'_>) -> T) -> (Checked, T) {
    let folder = request.folder;
    let base_files = if request.base.is_some() { request.base_files } else { &request.pending.applied };
    let read = node::read(folder, base_files);
    let base = request.base.cloned().unwrap_or_else(|| {
        let (schema, certain) = node::replay_read(folder, base_files, &read);
        request.base_is_uncertain |= !certain;
        schema
    });
    let base = base.followed();
    let untold = untold::findings(folder, base_files, &read);
    drop(read);
    let collected = node::collect(&request, &base);
    let (last, last_is_certain) = (collected.last, collected.certain);
    let mut diagnostics = collected.diagnostics;
    diagnostics.extend(untold);
    let watch_blue = request.blue.map(|workload| Watch::new(workload, &base));
    let watch_green = request.green.map(|workload| Watch::new(workload, &last));
    let blue = App { watch: watch_blue.as_ref(), schema: &base, assume: request.assume };
    let green = App { watch: watch_green.as_ref(), schema: &last, assume: request.assume };
    let pulls_of = |node: &Node| pulls(&node.effect, blue, green, &base, &last);

    let nodes = rewrite_nodes(collected.nodes, &pulls_of);
    let all_pulls: Vec<Pulls<'_>> = nodes.iter().map(pulls_of).collect();
    let accesses: Vec<Access> = nodes.iter().map(|node| access::of(node, &folder.sources)).collect();
    let graph = Graph::build(&accesses);
    let (placements, conflicts) = place::place(&nodes, &graph, &all_pulls);

    let second = second_passes(&nodes, &placements, &base, blue);

    let mut sources = folder.sources.clone();
    let blue_offset = request.blue.map_or(0, |w| sources.append(&w.sources));
    let green_offset = request.green.map_or(0, |w| sources.append(&w.sources));
    let mentioned = request.blue_source.map(|tree| mentions::find(&nodes, &base, watch_blue.as_ref(), tree));
    let source_offset = mentioned.as_ref().map_or(0, |mentioned| sources.append(&mentioned.sources));
    let server = request.observed.map_or("", |observed| &*observed.server);
    let weighing = request.weighing.map(|weighing| weighing.clone().on(request.version));
    let placed = Release {
        steps: findings::steps(&nodes, &all_pulls, &placements, &conflicts, &second),
        base: &base,
        last: &last,
        blue: Application { side: Side::Blue, app: blue, offset: blue_offset },
        green: Application { side: Side::Green, app: green, offset: green_offset },
        sources: &folder.sources,
        convention: folder.convention,
        weighing: weighing.as_ref(),
    };
    let refusals = findings::Conflicts { nodes: &nodes, graph: &graph, release: &placed };
    // Of what is not known, its own finding tells.
    let told = |conflict: &&place::Conflict| !matches!(conflict, place::Conflict::Opaque(i) if nodes[*i].unknown);
    diagnostics.extend(
        findings::by_cause(&conflicts)
            .into_iter()
            .filter(|(c, _)| told(c))
            .map(|(conflict, more)| refusals.finding(conflict, more)),
    );
    if request.observed.is_some() {
        diagnostics.extend((0..nodes.len()).filter_map(|node| refusals.observed(node, server)));
    }
    diagnostics.extend(placed.findings());
    if let Some(mentioned) = &mentioned {
        diagnostics.extend(mentioned.findings(&nodes, &placements, &all_pulls, &placed, source_offset));
    }
    let watched = watch_blue.is_some() || watch_green.is_some();
    let proof = proof::prove(&nodes, &placements, &base, &last, &all_pulls, watched);
    // A plan that is refused already needs no proof.
    let refused = !conflicts.is_empty() || !proof.diagnostics.is_empty();
    if conflicts.is_empty() {
        diagnostics.extend(proof.diagnostics);
    }
    let breaks = matrix::findings(&matrix::Input {
        nodes: &nodes,
        placements: &placements,
        base: &base,
        blue: watch_blue.as_ref(),
        green: watch_green.as_ref(),
        offsets: (blue_offset, green_offset),
        states: &proof.states,
        said: &diagnostics,
        refused,
    });
    diagnostics.extend(breaks);
    let (mut diagnostics, allowed) = lint::suppress(diagnostics, &collected.allows);
    diagnostics.sort_by_key(|d| (d.span().map(|s| (s.file, s.start)), std::cmp::Reverse(d.severity)));

    let finished = finish(Analysis {
        request: &request,
        nodes: &nodes,
        placements: &placements,
        pulls: &all_pulls,
        graph: &graph,
        blue: watch_blue.as_ref(),
        green: watch_green.as_ref(),
        states: &proof.states,
        second: &second,
        accesses: &accesses,
        weighing: weighing.as_ref(),
        mentioned: mentioned.as_ref(),
        base: &base,
        overlap: &proof.overlap,
        last: &last,
        diagnostics: &diagnostics,
        sources: &sources,
    });
    let statements = collected.statements;
    // What borrows the schemas ends here.
    drop((nodes, all_pulls, mentioned));
    drop((watch_blue, watch_green));
    (
        Checked { diagnostics, allowed, statements, sources, base, overlap: proof.overlap, last, last_is_certain },
        finished,
    )
}

fn save(analysis: &Analysis<'_>) -> SavedPlan {
    let Analysis { request, nodes, placements, accesses, base, last, diagnostics, sources, .. } = *analysis;
    let folder = request.folder;
    let placed_steps = steps::steps(&steps::Input {
        nodes,
        placements,
        pulls: analysis.pulls,
        graph: analysis.graph,
        second: analysis.second,
        pending: &request.pending.pending,
        convention: folder.convention,
        sources: &folder.sources,
        server: request.observed.map_or("", |observed| &*observed.server),
        weighing: analysis.weighing,
        mentioned: analysis.mentioned,
    });
    let matrix = matrix::of_steps(&placed_steps, base, analysis.states, analysis.blue, analysis.green);
    let is_unsafe = diagnostics.iter().any(|d| d.severity == Severity::Error);
    let saved = |m: &Migration| SavedMigration {
        version: m.version.to_string(),
        name: m.name.clone(),
        path: m.path.clone(),
        sha256: m.sha256.clone(),
        text: None,
    };
    let whole = |m: &Migration| SavedMigration { text: Some(folder.sources.file(m.file).text.to_string()), ..saved(m) };
    let plan = SavedPlan {
        tool: SavedPlan::this_tool(),
        digest: String::new(),
        verdict: if is_unsafe { Verdict::Unsafe } else { Verdict::Safe },
        release: Definition::default(),
        migrations: Migrations {
            convention: folder.convention,
            folder: folder.path.clone(),
            from: request.pending.applied.last().map(|m| m.version.to_string()),
            applied: request.pending.applied.iter().map(saved).collect(),
            pending: request.pending.pending.iter().map(whole).collect(),
            alike: folder.alike.clone(),
            history_table: request.history_table.map(str::to_owned),
        },
        schema: SchemaPins {
            base: base.fingerprint(),
            overlap: analysis.overlap.fingerprint(),
            last: last.fingerprint(),
            expects: expectations(accesses, nodes, base),
            relations: if folder.convention.records_here() { pins(base) } else { Vec::new() },
        },
        steps: placed_steps.into_iter().map(|(step, _)| step).collect(),
        findings: grouped(diagnostics, request.weighing.is_some()).iter().map(|d| finding(d, sources)).collect(),
        matrix,
        blue_source: analysis.mentioned.and_then(|mentioned| mentioned.searched),
        unknown: serde_json::Value::Null,
    };
    plan.sealed()
}

fn grouped(diagnostics: &[Diagnostic], weighed: bool) -> Vec<Diagnostic> {
    let each = diagnostics.iter().cloned().map(|diagnostic| (diagnostic, ())).collect();
    lint::group(each, weighed).into_iter().map(|(diagnostic, ())| diagnostic).collect()
}

/// Replaces what no single moment is right for by steps that have one, where a recipe fits.
fn rewrite_nodes<'a>(nodes: Vec<Node>, pulls_of: &impl Fn(&Node) -> Pulls<'a>) -> Vec<Node> {
    let mut rewritten = Vec::with_capacity(nodes.len());
    for node in nodes {
        match split(&node, pulls_of) {
            Some((before, after)) => rewritten.extend([before, after]),
            None => rewritten.push(node),
        }
    }
    rewritten
}

fn split<'a>(node: &Node, pulls_of: &impl Fn(&Node) -> Pulls<'a>) -> Option<(Node, Node)> {
    let [part] = node.parts.as_slice() else { return None };
    let pulls = pulls_of(node);
    if node.directive.is_some() || !pulls.blue_must() || !pulls.green_must() {
        return None;
    }
    let (operation, sql) = rewrite::drop_required_column(&part.operation, &node.before)?;
    let loosened = node.before.apply(&operation);
    let mut before = node.clone();
    before.effect = Effect::of(&operation, &node.before, &loosened);
    before.written = Some(Written { recipe: "drop-required-column", sql });
    before.parts[0].operation = operation;
    let mut after = node.clone();
    let dropped = loosened.schema.apply(&part.operation);
    after.effect = Effect::of(&part.operation, &loosened.schema, &dropped);
    after.before = loosened.schema;
    (!pulls_of(&after).green_must()).then_some((before, after))
}

/// Backfills that run again once blue is drained, for the rows it wrote until then: those that change nothing twice, on tables that blue
/// writes without the new column, unless a trigger of the release keeps both in step. What they read must still be there, and must hold what
/// it would hold if it were filled then.
fn second_passes(nodes: &[Node], placements: &[Placement], base: &Schema, blue: App<'_>) -> BTreeSet<usize> {
    // A trigger that names the column keeps both forms in step.
    let filled = |table: &QName, column: &Ident| {
        nodes.iter().flat_map(|node| node.operations().map(move |op| (node, op))).any(|(node, op)| match op {
            Operation::CreateTrigger { table: on, function, .. } => {
                let names = |name: &QName| node.before.functions(name).iter().any(|f| f.mentions.contains(column));
                node.before.resolve(on) == *table
                    && function.as_ref().is_none_or(|f| names(&node.before.resolve_function(f)))
            }
            _ => false,
        })
    };
    let wanted = |node: &Node| {
        node.operations().any(|op| {
            let Operation::Data(data) = op else { return false };
            let Some(table) = data.table.as_ref().map(|t| node.before.resolve(t)) else { return false };
            data.repeatable
                && base.relation(&table).is_some()
                && data.writes.iter().any(|column| !filled(&table, column) && blue.leaves_out_or_writes(&table, column))
        })
    };
    let before = |i: &usize| placements[*i].phase == Phase::Before;
    let wanted: Vec<usize> = (0..nodes.len()).filter(before).filter(|i| wanted(&nodes[*i])).collect();
    if wanted.is_empty() {
        return BTreeSet::new();
    }
    let overlap = (0..nodes.len()).filter(before).fold(base.clone(), |schema, i| {
        let schema = schema.searched_like(&nodes[i].before);
        nodes[i].parts.iter().fold(schema, |schema, part| part.apply(&schema).schema)
    });
    let overlap = overlap.without_temporary();
    let stale = |relation: &QName| {
        base.relation(relation).is_none()
            && nodes.iter().flat_map(|node| &node.parts).zip(nodes).any(|(part, node)| {
                let Operation::Data(data) = &part.operation else { return false };
                let fills = data.table.as_ref().is_some_and(|table| node.before.resolve(table) == *relation);
                let from_blue =
                    |read: &QName| base.relation(read).is_some() && !matches!(blue.writes(read), Evidence::None);
                fills && data.query.reads.iter().map(|read| node.before.resolve(read)).any(|read| from_blue(&read))
            })
    };
    let again = |i: &usize| {
        nodes[*i].parts.iter().all(|part| {
            let Operation::Data(data) = &part.operation else { return false };
            let reads = data.query.reads.iter().map(|read| nodes[*i].before.resolve(read));
            part.command.is_some() && part.refused_on(&overlap).is_none() && !reads.into_iter().any(|read| stale(&read))
        })
    };
    wanted.into_iter().filter(again).collect()
}

/// What must be as the plan was made for: everything it names.
fn expectations(accesses: &[Access], nodes: &[Node], base: &Schema) -> Vec<ExpectedRelation> {
    let made: BTreeSet<QName> = nodes
        .iter()
        .flat_map(|node| node.effect.adds.iter())
        .filter_map(|c| match c {
            Capability::Relation(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    let named: BTreeSet<&QName> = accesses
        .iter()
        .flat_map(|a| a.defines.iter().chain(&a.uses))
        .filter_map(|key| match key {
            Key::Relation(name) => Some(name),
            _ => None,
        })
        .collect();
    named
        .into_iter()
        .filter_map(|name| match base.relation(name) {
            Some(relation) if !relation.columns_known => None,
            Some(relation) => Some(pin(name, relation)),
            None if made.contains(name) => Some(ExpectedRelation { name: name.to_string(), columns: None }),
            None => None,
        })
        .collect()
}

/// All relations whose columns are known.
fn pins(base: &Schema) -> Vec<ExpectedRelation> {
    base.relations()
        .filter(|(_, relation)| relation.columns_known)
        .map(|(name, relation)| pin(name, relation))
        .collect()
}

fn pin(name: &QName, relation: &Relation) -> ExpectedRelation {
    let columns = relation.columns.iter().map(|c| ExpectedColumn {
        name: c.name.to_string(),
        data_type: c.data_type.as_ref().map(ToString::to_string).unwrap_or_default(),
        not_null: c.not_null,
    });
    ExpectedRelation { name: name.to_string(), columns: Some(columns.collect()) }
}

fn finding(diagnostic: &Diagnostic, sources: &Sources) -> Finding {
    let place = |label: &crate::diagnostic::Label| {
        let at = sources.line_column(label.span);
        let path: Utf8PathBuf = sources.path(label.span).to_owned();
        let excerpt = Some(excerpt(sources, label.span));
        Place { path, line: at.line, column: at.column, text: label.text.clone(), excerpt }
    };
    Finding {
        code: diagnostic.code.id.to_owned(),
        name: diagnostic.code.name.to_owned(),
        severity: diagnostic.severity.name().to_owned(),
        message: diagnostic.message.clone(),
        places: diagnostic.labels.iter().map(place).collect(),
        help: diagnostic.help.clone(),
    }
}

/// The lines of a place; of a long one, the first. Nobody reads more of a line that is as long as a book.
fn excerpt(sources: &Sources, span: Span) -> Excerpt {
    const MOST_LINES: usize = 12;
    const MOST_BYTES: usize = 2_000;
    let text = &*sources.file(span.file).text;
    let from = text.floor_char_boundary(span.range().start);
    let to = text.floor_char_boundary(span.range().end.max(from));
    let line = text[..from].rfind('\n').map_or(0, |at| at + 1);
    let start = text.ceil_char_boundary(line.max(from.saturating_sub(MOST_BYTES)));
    let last = text[to..].find('\n').map_or(text.len(), |at| to + at);
    let lines = text[start..last].match_indices('\n').nth(MOST_LINES - 1).map_or(last, |(at, _)| start + at);
    let end = text.floor_char_boundary(lines.min(from + MOST_BYTES));
    let byte = |at: usize| u32::try_from(at.min(end) - start).unwrap_or(u32::MAX);
    let line = sources.line_column(span).line;
    Excerpt { line, text: text[start..end].to_owned(), at: (byte(from), byte(to)) }
}
