//! A release that was begun and is planned anew: its migrations were corrected, and some of their statements have run. Those come first, in the order
//! in which they ran, and whatever has not run is placed behind them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::graph::Graph;
use super::saved::{Carried, Continues, Migration as SavedMigration, Phase, Role, SavedPlan, Statement, Step, Work};
use super::stages::Placed;
use crate::diagnostic::{Diagnostic, codes};
use crate::migrations::{Folder, Migration, Pending};
use crate::schema::Schema;
use crate::source::{Sources, Span};
use crate::sql::{self, Operation, ReadFile, lex};

/// A release as its journal has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Begun {
    /// Its id.
    pub release: String,
    /// The plan that it runs by.
    pub plan: SavedPlan,
    /// The steps of that plan that have run.
    pub done: BTreeSet<u32>,
    /// The steps that have changed some of their rows, and how many.
    pub partly: BTreeMap<u32, u64>,
    /// Whether a step may still run before the cutover: green has had no traffic, or has none any more.
    pub open: bool,
}

/// One file of the pending migrations, or what of it runs in one phase of the release.
pub(super) struct Segment {
    /// Index into the pending migrations.
    pub(super) migration: usize,
    /// When it ran, if it did.
    pub(super) ran: Option<Phase>,
    pub(super) read: ReadFile,
}

impl Segment {
    /// The pending migrations of a release that nobody has begun.
    pub(super) fn of_files(read: Vec<ReadFile>) -> Vec<Self> {
        read.into_iter().enumerate().map(|(migration, read)| Self { migration, ran: None, read }).collect()
    }
}

/// A statement, or a part of one, that has run: its words without comments and layout.
struct Ran {
    words: String,
    phase: Phase,
    statement: Statement,
    found: bool,
}

impl Begun {
    /// What of a folder belongs to the release, and what was applied before it.
    pub fn pending(&self, folder: &Folder) -> Pending {
        let applied = |migration: &Migration| {
            let same = |planned: &SavedMigration| {
                // What runs whenever it changes is pending once it has.
                let runs_again = folder.convention.is_repeatable(&planned.version);
                planned.version == migration.version.as_str() && (!runs_again || planned.sha256 == migration.sha256)
            };
            self.plan.migrations.applied.iter().any(same)
        };
        folder.pending_unless(applied)
    }

    /// Whether nothing has run.
    pub fn is_untouched(&self) -> bool {
        self.done.is_empty() && self.partly.is_empty()
    }

    fn ran(&self) -> impl Iterator<Item = &Step> {
        self.plan.steps.iter().filter(|step| self.done.contains(&step.id))
    }

    /// Whether what the tool wrote for a step has run.
    pub(super) fn wrote(&self, sql: &str) -> bool {
        self.ran().any(|step| {
            matches!(step.role, Role::Generated { .. })
                && step.statements().iter().any(|statement| statement.sql == sql)
        })
    }

    /// The migrations that are complete, and stand in the history of their tool.
    fn complete(&self) -> BTreeSet<&str> {
        self.ran().flat_map(|step| &step.completes).map(String::as_str).collect()
    }

    /// Takes apart what has run and what has not.
    pub(super) fn segments(
        &self,
        folder: &Folder,
        pending: &[Migration],
        read: Vec<ReadFile>,
    ) -> (Vec<Segment>, Vec<Diagnostic>) {
        let mut ran = self.statements();
        let mut diagnostics = Vec::new();
        let complete = self.complete();
        let (mut before, mut after, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (statements, found)) in read.into_iter().enumerate() {
            let version = pending[index].version.to_string();
            let mut of_version = ran.remove(&version).unwrap_or_default();
            let [mut first, mut second, mut third] = [(); 3].map(|()| Vec::new());
            for statement in statements {
                let mut parts: [Vec<_>; 3] = Default::default();
                for piece in &statement.pieces {
                    let everywhere = matches!(piece.operation, Operation::Transaction(_) | Operation::Session { .. });
                    let words = of_piece(&folder.sources, piece);
                    let known = of_version.iter_mut().find(|ran| !ran.found && ran.words == words);
                    let into = match known {
                        _ if everywhere => {
                            parts.iter_mut().for_each(|part| part.push(piece.clone()));
                            continue;
                        }
                        Some(ran) => {
                            ran.found = true;
                            if ran.phase == Phase::Before { 0 } else { 1 }
                        }
                        None => 2,
                    };
                    parts[into].push(piece.clone());
                }
                for (pieces, list) in parts.into_iter().zip([&mut first, &mut second, &mut third]) {
                    if !pieces.is_empty() {
                        list.push(sql::Statement { pieces, ..statement.clone() });
                    }
                }
            }
            let does = |list: &[sql::Statement]| {
                let mut pieces = list.iter().flat_map(|statement| &statement.pieces);
                pieces.any(|piece| !matches!(piece.operation, Operation::Transaction(_) | Operation::Session { .. }))
            };
            if complete.contains(version.as_str()) {
                diagnostics.extend(self.changed(&pending[index], third.iter().find(|s| does(std::slice::from_ref(s)))));
            }
            diagnostics.extend(of_version.iter().filter(|ran| !ran.found).map(|ran| missing(ran, &pending[index])));
            for (list, ran, segments) in [(first, Phase::Before, &mut before), (second, Phase::After, &mut after)] {
                if does(&list) {
                    segments.push(Segment { migration: index, ran: Some(ran), read: (list, Vec::new()) });
                }
            }
            rest.push(Segment { migration: index, ran: None, read: (third, found) });
        }
        for (version, ran) in ran {
            diagnostics.push(gone(&version, ran.len(), pending));
        }
        before.append(&mut after);
        before.append(&mut rest);
        (before, diagnostics)
    }

    /// What has run, by the version of its migration, in the order of execution.
    fn statements(&self) -> BTreeMap<String, Vec<Ran>> {
        let mut all: BTreeMap<String, Vec<Ran>> = BTreeMap::new();
        for step in self.ran().filter(|step| step.role == Role::Authored) {
            for statement in step.statements() {
                let Some(origin) = &statement.origin else { continue };
                let ran = |words| Ran { words, phase: step.phase, statement: statement.clone(), found: false };
                all.entry(origin.version.clone()).or_default().extend(of_text(&statement.sql).into_iter().map(ran));
            }
        }
        all
    }

    /// A migration that stands in the history of its tool is as it was when it was written there.
    fn changed(&self, migration: &Migration, added: Option<&sql::Statement>) -> Option<Diagnostic> {
        let planned: &SavedMigration =
            self.plan.migrations.pending.iter().find(|planned| planned.version == migration.version.to_string())?;
        if planned.sha256 == migration.sha256 && added.is_none() {
            return None;
        }
        let span = added.map_or(Span::new(migration.file, 0..0), |statement| statement.span);
        Some(
            error(format!(
                "migration {} is complete and stands in the history of its tool, and its file was changed",
                migration.version
            ))
            .at(span, "not what has run")
            .help("put the file back as it ran, and write what is to be added into a new migration"),
        )
    }

    /// What stands in the files before something that has run, and touches the same.
    pub(super) fn out_of_order(nodes: &[Placed<'_>], graph: &Graph) -> Vec<Diagnostic> {
        let at = |node: usize| (nodes[node].node.migration, nodes[node].node.span().start);
        let mut diagnostics = Vec::new();
        for later in (0..nodes.len()).filter(|node| nodes[*node].node.ran.is_none()) {
            let has_run = |earlier: &usize| nodes[*earlier].node.ran.is_some() && at(*earlier) > at(later);
            let Some((earlier, keys)) = graph.reasons(later).find(|(earlier, _)| has_run(earlier)) else { continue };
            let touched: Vec<String> = keys.iter().map(ToString::to_string).collect();
            diagnostics.push(
                error(format!(
                    "this stands before a statement that has run already, and both touch {}: another database would run them the other way round",
                    touched.join(", ")
                ))
                .at(nodes[later].node.span(), "has not run")
                .at(nodes[earlier].node.span(), "has run already")
                .help("write it behind what has run"),
            );
        }
        diagnostics
    }

    /// What a database comes to that runs the files in their own order, and this one does not.
    pub(super) fn ends_otherwise(whole: &Schema, last: &Schema) -> Option<Diagnostic> {
        let differences = whole.differences(last);
        if differences.is_empty() {
            return None;
        }
        let shown: Vec<_> = differences.iter().take(8).map(String::as_str).collect();
        Some(
            error(format!(
                "what has run and what is to run do not end in the schema of the files' own order:\n{}",
                shown.join("\n")
            ))
            .help("`-` is in the files' schema only, `+` in that of this database only; write what is to be corrected behind what has run"),
        )
    }

    /// What the new plan has of the old one. `ran`: whether all nodes of a step have run.
    pub(super) fn continues(&self, steps: &[(Step, bool)]) -> Continues {
        let same = |one: &Step, other: &Step| {
            let texts = |step: &Step| -> Vec<String> { step.statements().iter().map(|s| words(&s.sql)).collect() };
            texts(one) == texts(other)
        };
        let repeated = |step: &Step| {
            self.ran().any(|old| matches!(old.role, Role::Repeat { .. }) && old.phase == step.phase && same(old, step))
        };
        let has_run = |step: &Step, ran: bool| match &step.role {
            Role::Authored | Role::Generated { .. } => ran,
            Role::Repeat { .. } => ran && repeated(step),
        };
        let partly = |step: &&Step| self.partly.contains_key(&step.id) && !self.done.contains(&step.id);
        let on = |old: &Step| {
            let goes_on = |new: &Step| match (&old.work, &new.work) {
                (Work::Backfill(one), Work::Backfill(other)) => {
                    one.key == other.key && one.table == other.table && old.phase == new.phase && same(old, new)
                }
                _ => false,
            };
            let (new, _) = steps.iter().find(|(new, ran)| !has_run(new, *ran) && goes_on(new))?;
            Some(Carried { from: old.id, to: new.id })
        };
        Continues {
            release: self.release.clone(),
            plan: self.plan.digest.clone(),
            done: self.done.iter().copied().collect(),
            ran: steps.iter().filter(|(step, ran)| has_run(step, *ran)).map(|(step, _)| step.id).collect(),
            carried: self.plan.steps.iter().filter(partly).filter_map(on).collect(),
        }
    }
}

fn error(message: String) -> Diagnostic {
    Diagnostic::error(codes::ALREADY_RUN, message)
}

fn missing(ran: &Ran, migration: &Migration) -> Diagnostic {
    let at =
        ran.statement.origin.as_ref().map(|origin| format!(" (it stood in line {})", origin.line)).unwrap_or_default();
    error(format!("this has run, and is not in the file any more{at}:\n{}", ran.statement.sql))
        .at(Span::new(migration.file, 0..0), "")
        .help("put it back as it ran; what undoes or changes it is a statement of its own, behind it")
}

fn gone(version: &str, count: usize, pending: &[Migration]) -> Diagnostic {
    let statements = if count == 1 { "a statement".to_owned() } else { format!("{count} statements") };
    let found = error(format!("migration {version} is gone, and {statements} of it have run"))
        .help("put the file back; what undoes or changes it is a migration of its own");
    match pending.first() {
        Some(first) => found.at(Span::new(first.file, 0..0), ""),
        None => found,
    }
}

/// A text without comments and layout.
fn words(text: &str) -> String {
    let solid: Vec<&str> = lex::lexemes(text).filter(lex::Lexeme::solid).map(|lexeme| lexeme.text).collect();
    solid.join(" ")
}

fn of_piece(sources: &Sources, piece: &sql::Piece) -> String {
    let prefix = piece.prefix.map(|prefix| sources.slice(prefix)).unwrap_or_default();
    words(&format!("{prefix} {}", sources.slice(piece.span)))
}

/// The pieces of a statement that was executed.
fn of_text(text: &str) -> Vec<String> {
    let mut sources = Sources::new();
    let file = sources.add("", text);
    let (statements, _) = sql::read(&sources, file);
    statements.iter().flat_map(|statement| &statement.pieces).map(|piece| of_piece(&sources, piece)).collect()
}

/// How one plan of a release differs from the one whose place it takes, statement by statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanChange<'p> {
    /// It has run.
    Ran(&'p Statement),
    /// Both have it, and it has not run.
    Stays(&'p Statement),
    /// Only the new one has it.
    Comes(&'p Statement),
    /// Only the old one has it, and it will not run.
    Goes(&'p Statement),
}

/// What a plan that carries on makes of the one before it; in the order of the new plan, then what goes.
pub fn changes<'p>(old: &'p SavedPlan, new: &'p SavedPlan) -> Vec<PlanChange<'p>> {
    let Some(continues) = &new.continues else { return Vec::new() };
    type Key = (Option<String>, String);
    let key = |statement: &Statement| -> Key {
        (statement.origin.as_ref().map(|origin| origin.version.clone()), words(&statement.sql))
    };
    let mut left: HashMap<Key, Vec<&Statement>> = HashMap::new();
    let waiting = old.steps.iter().filter(|step| !continues.done.contains(&step.id));
    let waiting: Vec<&Statement> = waiting.flat_map(Step::statements).collect();
    for statement in &waiting {
        left.entry(key(statement)).or_default().push(statement);
    }
    let mut changes = Vec::new();
    for step in &new.steps {
        let ran = continues.ran.contains(&step.id);
        for statement in step.statements() {
            let mut same = || left.get_mut(&key(statement)).and_then(Vec::pop);
            changes.push(match ran {
                true => PlanChange::Ran(statement),
                false if same().is_some() => PlanChange::Stays(statement),
                false => PlanChange::Comes(statement),
            });
        }
    }
    let goes = |statement: &&&Statement| {
        left.get(&key(statement)).is_some_and(|left| left.iter().any(|other| std::ptr::eq(*other, **statement)))
    };
    changes.extend(waiting.iter().filter(goes).map(|statement| PlanChange::Goes(statement)));
    changes
}
