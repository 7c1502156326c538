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
    /// The steps that were left out: nobody runs them any more.
    pub skipped: BTreeSet<u32>,
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

impl Segment {
    /// The same statements as the files have them.
    pub(super) fn in_order_of_files(segments: &[Self]) -> Vec<Self> {
        let mut files: BTreeMap<usize, Vec<sql::Statement>> = BTreeMap::new();
        for segment in segments {
            files.entry(segment.migration).or_default().extend(segment.read.0.iter().cloned());
        }
        let whole = |(migration, mut statements): (usize, Vec<sql::Statement>)| {
            statements.sort_by_key(|statement| statement.span.start);
            // What each segment has, and the parts of a statement.
            statements.dedup_by(|next, first| {
                let same = next.span == first.span;
                if same {
                    let more = next.pieces.drain(..).filter(|piece| !first.pieces.contains(piece)).collect::<Vec<_>>();
                    first.pieces.extend(more);
                    first.pieces.sort_by_key(|piece| piece.span.start);
                }
                same
            });
            Self { migration, ran: None, read: (statements, Vec::new()) }
        };
        files.into_iter().map(whole).collect()
    }
}

/// A statement, or a part of one, that has run or was left out: its words without comments and layout, and the settings of its file that were in
/// force.
struct Ran {
    words: String,
    session: Settings,
    /// `None`: it was left out.
    phase: Option<Phase>,
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

    /// Whether something has run, wholly or in part, of one of these versions: a plan of them from the beginning would run it again.
    pub fn has_run_of(&self, mut is_pending: impl FnMut(&str) -> bool) -> bool {
        let ran =
            self.plan.steps.iter().filter(|step| self.done.contains(&step.id) || self.partly.contains_key(&step.id));
        let mut origins = ran.flat_map(Step::statements).filter_map(|statement| statement.origin.as_ref());
        origins.any(|origin| is_pending(&origin.version))
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

    /// The steps that nobody runs any more: they have run, or were left out.
    fn over(&self) -> impl Iterator<Item = &Step> {
        self.plan.steps.iter().filter(|step| self.done.contains(&step.id) || self.skipped.contains(&step.id))
    }

    /// The migrations that are complete, and stand in the history of their tool.
    fn complete(&self) -> BTreeSet<&str> {
        self.over().flat_map(|step| &step.completes).map(String::as_str).collect()
    }

    /// Whether a migration runs again because its text is another one.
    fn runs_again(&self, folder: &Folder, migration: &Migration) -> bool {
        let version = migration.version.to_string();
        let planned = self.plan.migrations.pending.iter().find(|planned| planned.version == version);
        folder.convention.is_repeatable(&version) && planned.is_some_and(|planned| planned.sha256 != migration.sha256)
    }

    /// What the tool wrote for a statement that has not run itself, and has run.
    fn loosened(&self) -> impl Iterator<Item = (&Step, &Step)> {
        self.ran().filter_map(|step| match &step.role {
            Role::Generated { of, .. } if !self.done.contains(of) => Some((step, self.plan.step(*of)?)),
            _ => None,
        })
    }

    /// The schema of a database where that has run, too, which the files do not hold any more: what the tool wrote, and what runs again because it is
    /// another text now.
    pub(super) fn with_the_rest(&self, schema: Schema, folder: &Folder, pending: &Pending) -> Schema {
        let again: BTreeSet<String> = pending
            .pending
            .iter()
            .filter(|migration| self.runs_again(folder, migration))
            .map(|migration| migration.version.to_string())
            .collect();
        let runs_again = |step: &&Step| step.origin().is_some_and(|origin| again.contains(&origin.version));
        let before = self.ran().filter(runs_again);
        let texts = self.loosened().map(|(step, _)| step).chain(before).flat_map(Step::statements);
        texts.fold(schema, |schema, statement| {
            let mut sources = Sources::new();
            let file = sources.add("", statement.sql.as_str());
            let (statements, _) = sql::read(&sources, file);
            let pieces = statements.iter().flat_map(|statement| &statement.pieces);
            pieces.fold(schema, |schema, piece| schema.applied(&piece.operation).schema)
        })
    }

    /// Takes apart what has run and what has not.
    pub(super) fn segments(
        &self,
        folder: &Folder,
        pending: &[Migration],
        read: Vec<ReadFile>,
    ) -> (Vec<Segment>, Vec<Diagnostic>) {
        let mut ran = self.statements();
        let mut diagnostics = self.without_cause(folder, &read);
        let complete = self.complete();
        let (mut before, mut after, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (statements, found)) in read.into_iter().enumerate() {
            let version = pending[index].version.to_string();
            let mut of_version = ran.remove(&version).unwrap_or_default();
            let runs_again = self.runs_again(folder, &pending[index]);
            if runs_again {
                of_version.clear();
            }
            let mut session = Settings::new();
            let mut last: Option<usize> = None;
            let [mut first, mut second, mut third] = [(); 3].map(|()| Vec::new());
            for statement in statements {
                let mut parts: [Vec<_>; 3] = Default::default();
                for piece in &statement.pieces {
                    let everywhere = matches!(piece.operation, Operation::Transaction(_) | Operation::Session { .. });
                    let words = of_piece(&folder.sources, piece);
                    if everywhere {
                        if matches!(piece.operation, Operation::Session { .. }) {
                            set(&mut session, &words);
                        }
                        parts.iter_mut().for_each(|part| part.push(piece.clone()));
                        continue;
                    }
                    let is_it = |ran: &Ran| !ran.found && ran.words == words && ran.session == session;
                    let known = of_version.iter().position(is_it);
                    let into = match known.map(|at| (at, of_version[at].phase)) {
                        Some((at, phase)) => {
                            of_version[at].found = true;
                            // Sub-commands of one statement, and what touches the same, would run the other way round elsewhere.
                            if phase.is_some() && last.replace(at).is_some_and(|last| at < last) {
                                diagnostics.push(turned_round(piece.span));
                            }
                            match phase {
                                Some(Phase::Before) => 0,
                                Some(Phase::After) => 1,
                                // Left out, here as there.
                                None => continue,
                            }
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
            if complete.contains(version.as_str()) && !runs_again {
                diagnostics.extend(self.changed(&pending[index], third.iter().find(|s| does(std::slice::from_ref(s)))));
            }
            let lost = of_version.iter().filter(|ran| !ran.found && ran.phase.is_some());
            diagnostics.extend(lost.map(|ran| missing(ran, &pending[index])));
            for (list, ran, segments) in [(first, Phase::Before, &mut before), (second, Phase::After, &mut after)] {
                if does(&list) {
                    segments.push(Segment { migration: index, ran: Some(ran), read: (list, Vec::new()) });
                }
            }
            rest.push(Segment { migration: index, ran: None, read: (third, found) });
        }
        for (version, ran) in ran {
            let count = ran.iter().filter(|ran| ran.phase.is_some()).count();
            diagnostics.extend((count > 0).then(|| gone(&version, count, pending)));
        }
        before.append(&mut after);
        before.append(&mut rest);
        (before, diagnostics)
    }

    /// What the tool wrote for a statement, and has run, while the statement is in no file any more.
    fn without_cause(&self, folder: &Folder, read: &[ReadFile]) -> Vec<Diagnostic> {
        let pieces = read.iter().flat_map(|(statements, _)| statements).flat_map(|statement| &statement.pieces);
        let all: BTreeSet<String> = pieces.map(|piece| of_piece(&folder.sources, piece)).collect();
        let lacks =
            |step: &Step| !step.statements().iter().flat_map(|s| of_text(&s.sql)).any(|words| all.contains(&words));
        let told = |(wrote, of): (&Step, &Step)| {
            let texts: Vec<&str> = wrote.statements().iter().map(|statement| statement.sql.as_str()).collect();
            error(format!(
                "this has run, so that {} of {} has a right moment, and that statement is not in the files any more:\n{}",
                of.action,
                of.object,
                texts.join("\n")
            ))
            .help("put the statement back; or keep it, and write what takes this back behind it")
        };
        self.loosened().filter(|(_, of)| lacks(of)).map(told).collect()
    }

    /// What has run, by the version of its migration, in the order of execution.
    fn statements(&self) -> BTreeMap<String, Vec<Ran>> {
        let mut all: BTreeMap<String, Vec<Ran>> = BTreeMap::new();
        for step in self.over().filter(|step| step.role == Role::Authored) {
            let session = in_force(&step.session);
            let phase = self.done.contains(&step.id).then_some(step.phase);
            for statement in step.statements() {
                let Some(origin) = &statement.origin else { continue };
                let ran =
                    |words| Ran { words, session: session.clone(), phase, statement: statement.clone(), found: false };
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
            texts(one) == texts(other) && in_force(&one.session) == in_force(&other.session)
        };
        let repeated = |step: &Step| {
            self.ran().any(|old| matches!(old.role, Role::Repeat { .. }) && old.phase == step.phase && same(old, step))
        };
        let has_run = |step: &Step, ran: bool| match &step.role {
            Role::Authored | Role::Generated { .. } => ran,
            Role::Repeat { .. } => ran && repeated(step),
        };
        let partly = |step: &&Step| self.partly.contains_key(&step.id);
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
            complete: self.complete().into_iter().map(str::to_owned).collect(),
            ran: steps.iter().filter(|(step, ran)| has_run(step, *ran)).map(|(step, _)| step.id).collect(),
            carried: self.plan.steps.iter().filter(partly).filter_map(on).collect(),
        }
    }
}

/// The settings that a file makes, by what they set.
type Settings = BTreeMap<String, String>;

/// Takes one more `SET` into account: the last one of a setting counts.
fn set(settings: &mut Settings, words: &str) {
    let (name, value) = [" = ", " to "].iter().find_map(|sign| words.split_once(sign)).unwrap_or((words, ""));
    let name = ["set ", "session ", "local "].iter().fold(name, |name, word| name.strip_prefix(word).unwrap_or(name));
    settings.insert(name.to_owned(), value.to_owned());
}

fn in_force(session: &[String]) -> Settings {
    let mut settings = Settings::new();
    session.iter().for_each(|text| set(&mut settings, &words(text)));
    settings
}

fn turned_round(span: Span) -> Diagnostic {
    error("this has run behind what stands behind it in the file now".to_owned())
        .at(span, "has run already")
        .help("put what has run back into the order in which it ran")
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

/// A text without comments, layout, and the case of what is not quoted.
fn words(text: &str) -> String {
    let plain = |lexeme: lex::Lexeme<'_>| match lexeme.kind {
        // Keywords, and names without quotes.
        lex::Kind::Word => lexeme.text.to_lowercase(),
        _ => lexeme.text.to_owned(),
    };
    let solid: Vec<String> = lex::lexemes(text).filter(lex::Lexeme::solid).map(plain).collect();
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
