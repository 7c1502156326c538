//! A release that was begun and is planned anew: its migrations were corrected, and some of their statements have run. Those come first, in the order
//! in which they ran, and whatever has not run is placed behind them.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::Graph;
use super::placed::Placed;
use super::saved::{
    Carried, Continues, Phase, PlannedMigration as SavedMigration, Role, SavedPlan, Step, StepStatement, Work,
};
use crate::diagnostic::{Diagnostic, codes};
use crate::migrations::{Folder, Migration, Pending};
use crate::schema::Schema;
use crate::source::{Sources, Span};
use crate::sql::operation::TransactionControl;
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
    statement: StepStatement,
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

    /// The steps that have run, wholly or in part.
    pub fn touched(&self) -> impl Iterator<Item = &Step> {
        self.plan.steps.iter().filter(|step| self.done.contains(&step.id) || self.partly.contains_key(&step.id))
    }

    /// Whether something has run, wholly or in part, of one of these versions: a plan of them from the beginning would run it again.
    pub fn has_run_of(&self, mut is_pending: impl FnMut(&str) -> bool) -> bool {
        let mut origins = self.touched().flat_map(Step::statements).filter_map(|statement| statement.origin.as_ref());
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
        let pieces = texts.flat_map(|statement| pieces_of(&statement.sql).1);
        pieces.fold(schema, |schema, piece| schema.applied(&piece.operation).schema)
    }

    /// Takes apart what has run and what has not, in the order of [`WHEN`].
    pub(super) fn segments(
        &self,
        folder: &Folder,
        pending: &[Migration],
        read: Vec<ReadFile>,
    ) -> (Vec<Segment>, Vec<Diagnostic>) {
        let mut ran = self.statements();
        let mut diagnostics = self.without_cause(folder, &read);
        let complete = self.complete();
        let mut segments = Vec::new();
        for (index, (statements, mut found)) in read.into_iter().enumerate() {
            let migration = &pending[index];
            let version = migration.version.to_string();
            let mut of_version = ran.remove(&version).unwrap_or_default();
            let runs_again = self.runs_again(folder, migration);
            if runs_again {
                of_version.clear();
            }
            let (parts, turned_round) = cut(statements, &folder.sources, &mut of_version);
            diagnostics.extend(turned_round);
            if complete.contains(version.as_str()) && !runs_again {
                let [.., rest] = &parts;
                diagnostics.extend(self.changed(migration, rest.iter().find(|statement| does_something(statement))));
            }
            let lost = of_version.iter().filter(|ran| !ran.found && ran.phase.is_some());
            diagnostics.extend(lost.map(|ran| missing(ran, migration)));
            for (ran, statements) in WHEN.into_iter().zip(parts) {
                if ran.is_none() {
                    segments.push(Segment { migration: index, ran, read: (statements, std::mem::take(&mut found)) });
                } else if statements.iter().any(does_something) {
                    segments.push(Segment { migration: index, ran, read: (statements, Vec::new()) });
                }
            }
        }
        for (version, ran) in ran {
            let count = ran.iter().filter(|ran| ran.phase.is_some()).count();
            diagnostics.extend((count > 0).then(|| gone(&version, count, pending)));
        }
        segments.sort_by_key(|segment| place(segment.ran));
        (segments, diagnostics)
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

/// When statements ran, in the order of execution; the rest has not.
const WHEN: [Option<Phase>; 3] = [Some(Phase::Before), Some(Phase::After), None];

fn place(ran: Option<Phase>) -> usize {
    WHEN.iter().position(|when| *when == ran).unwrap_or_default()
}

/// Cuts the statements of a file by when they ran ([`WHEN`]): what stands around others is in each part. Marks what is found of what ran, and tells
/// what ran in another order.
fn cut(
    statements: Vec<sql::Statement>,
    sources: &Sources,
    ran: &mut [Ran],
) -> ([Vec<sql::Statement>; 3], Vec<Diagnostic>) {
    let mut parts: [Vec<sql::Statement>; 3] = Default::default();
    let mut diagnostics = Vec::new();
    let mut session = Settings::new();
    // What of it is in force when the transaction has ended.
    let mut lasting: Option<Settings> = None;
    // Where in each phase the file is.
    let mut last = [None; 3];
    for statement in statements {
        let mut pieces: [Vec<sql::Piece>; 3] = Default::default();
        for piece in &statement.pieces {
            let words = of_piece(sources, piece);
            if is_frame(&piece.operation) {
                match &piece.operation {
                    Operation::Session { local, .. } => {
                        if *local {
                            lasting.get_or_insert_with(|| session.clone());
                        } else if let Some(lasting) = &mut lasting {
                            set(lasting, &words);
                        }
                        set(&mut session, &words);
                    }
                    Operation::Transaction(TransactionControl::Commit | TransactionControl::Rollback) => {
                        session = lasting.take().unwrap_or(session);
                    }
                    _ => {}
                }
                pieces.iter_mut().for_each(|part| part.push(piece.clone()));
                continue;
            }
            let known = ran.iter().position(|ran| !ran.found && ran.words == words && ran.session == session);
            let mut phase = None;
            if let Some(at) = known {
                ran[at].found = true;
                phase = ran[at].phase;
                // What was left out stays so.
                if phase.is_none() {
                    continue;
                }
                // Sub-commands of one statement, and what touches the same, would run the other way round elsewhere.
                if last[place(phase)].replace(at).is_some_and(|last| at < last) {
                    diagnostics.push(turned_round(piece.span));
                }
            }
            pieces[place(phase)].push(piece.clone());
        }
        for (pieces, part) in pieces.into_iter().zip(&mut parts) {
            if !pieces.is_empty() {
                part.push(sql::Statement { pieces, ..statement.clone() });
            }
        }
    }
    (parts, diagnostics)
}

/// Whether it stands around what runs.
fn is_frame(operation: &Operation) -> bool {
    matches!(operation, Operation::Transaction(_) | Operation::Session { .. })
}

fn does_something(statement: &sql::Statement) -> bool {
    statement.pieces.iter().any(|piece| !is_frame(&piece.operation))
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
        lex::TokenKind::Word => lexeme.text.to_lowercase(),
        _ => lexeme.text.to_owned(),
    };
    let solid: Vec<String> = lex::lexemes(text).filter(lex::Lexeme::solid).map(plain).collect();
    solid.join(" ")
}

fn of_piece(sources: &Sources, piece: &sql::Piece) -> String {
    let prefix = piece.prefix.map(|prefix| sources.slice(prefix)).unwrap_or_default();
    words(&format!("{prefix} {}", sources.slice(piece.span)))
}

/// The pieces of a statement that was executed, and the text that they are pieces of.
fn pieces_of(text: &str) -> (Sources, Vec<sql::Piece>) {
    let mut sources = Sources::new();
    let file = sources.add("", text);
    let (statements, _) = sql::read(&sources, file);
    (sources, statements.into_iter().flat_map(|statement| statement.pieces).collect())
}

/// The words of each of them.
fn of_text(text: &str) -> Vec<String> {
    let (sources, pieces) = pieces_of(text);
    pieces.iter().map(|piece| of_piece(&sources, piece)).collect()
}

/// How one plan of a release differs from the one whose place it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanDifference<'p> {
    /// How many statements have run, or are in both.
    pub unchanged: usize,
    /// Statements that only the new one has.
    pub comes: Vec<&'p StepStatement>,
    /// Statements that only the old one has, and that will not run.
    pub goes: Vec<&'p StepStatement>,
}

/// What a plan that carries on makes of the one before it.
pub fn difference<'p>(old: &'p SavedPlan, new: &'p SavedPlan) -> PlanDifference<'p> {
    let key = |statement: &StepStatement| {
        (statement.origin.as_ref().map(|origin| origin.version.clone()), words(&statement.sql))
    };
    let of = |pick: fn(&Continues) -> &Vec<u32>, step: &Step| {
        new.continues.as_ref().is_some_and(|continues| pick(continues).contains(&step.id))
    };
    let waiting = old.steps.iter().filter(|step| !of(|continues| &continues.done, step));
    let mut goes: Vec<_> = waiting.flat_map(Step::statements).map(|statement| (key(statement), statement)).collect();
    let (mut unchanged, mut comes) = (0, Vec::new());
    for step in &new.steps {
        let ran = of(|continues| &continues.ran, step);
        for statement in step.statements() {
            let same = if ran { None } else { goes.iter().position(|(known, _)| *known == key(statement)) };
            match same {
                Some(at) => _ = goes.remove(at),
                None if ran => {}
                None => {
                    comes.push(statement);
                    continue;
                }
            }
            unchanged += 1;
        }
    }
    PlanDifference { unchanged, comes, goes: goes.into_iter().map(|(_, statement)| statement).collect() }
}
