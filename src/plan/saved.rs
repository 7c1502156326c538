//! A plan as a value: what `plan -o` saves and `execute` runs. Self-contained (it carries the SQL of every step and the text of every
//! pending migration), pinned to the migration files' checksums, the schema's fingerprint and the tool's version. How it is written down
//! and sealed is in `plan/format`.

use std::borrow::Cow;
use std::time::Duration;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::format::{FORMAT_VERSION, SavedPlanError};
pub use crate::compat::Phase;
use crate::compat::matrix::Matrix;
use crate::diagnostic::Severity;
use crate::migrations::{Convention, Version};
use crate::release::PhaseTimes;
pub use crate::release::ReleaseDefinition;
use crate::side::Side;
use crate::stats::Load;

/// A plan.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedPlan {
    /// The tool that wrote it.
    pub tool: ToolVersion,
    /// The seal over all the rest: SHA-256 in hex.
    pub digest: String,
    /// Whether both versions work on every schema in between.
    pub verdict: Verdict,
    /// How it is to be released, unless the command that begins it says otherwise.
    pub release: ReleaseDefinition,
    /// The migrations this plan applies.
    pub migrations: Migrations,
    /// Fingerprints of the schemas the plan passes through.
    pub schema: SchemaPins,
    /// The steps, in the order they run.
    pub steps: Vec<Step>,
    /// What is to be said about the plan.
    pub findings: Vec<Finding>,
    /// Every query at every state, worked out from the text, where the queries of a version were given.
    pub matrix: Option<Matrix>,
    /// How much of blue's source was searched for what the steps take away, if it was given and they take something away.
    pub blue_source: Option<Searched>,
    /// The release that it carries on with, where its migrations were corrected after some of them had run.
    pub continues: Option<Continues>,
    /// What a later version of the format wrote and this one does not know. It is under the seal, and is written again as it was.
    pub unknown: serde_json::Value,
}

/// A plan that takes the place of the one that a release was begun with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Continues {
    /// The release.
    pub release: String,
    /// The digest of the plan whose place it takes.
    pub plan: String,
    /// The steps of that plan that had run.
    pub done: Vec<u32>,
    /// The steps of this plan that have run.
    pub ran: Vec<u32>,
    /// The migrations that were complete by then, and stand in the history of their tool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub complete: Vec<String>,
    /// Steps that have changed some of their rows, and go on from there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<Carried>,
}

/// A step that goes on as a step of another plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Carried {
    /// Its id in the plan before.
    pub from: u32,
    /// Its id in this plan.
    pub to: u32,
}

/// How much of a source tree was searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Searched {
    /// Files that were searched.
    pub files: u32,
    /// Files that were not: too large, no text, or not readable.
    pub skipped: u32,
}

/// Name and version of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolVersion {
    /// `cutover`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Whether the plan may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Both versions work on every schema in between.
    Safe,
    /// At least one finding of severity `error`; `execute` refuses it.
    Unsafe,
}

/// The migrations a plan was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrations {
    /// How the folder is to be read.
    pub convention: Convention,
    /// The folder; relative paths start at the working directory of the command.
    pub folder: Utf8PathBuf,
    /// The last version that is already applied, if any.
    pub from: Option<String>,
    /// The migrations that must already be applied, in order.
    pub applied: Vec<PlannedMigration>,
    /// The migrations this plan applies, in the files' order.
    pub pending: Vec<PlannedMigration>,
    /// Other conventions that the folder fits as well, where nothing said which tool it is: the history in the database must tell.
    pub alike: Vec<Convention>,
    /// The table of the tool's history, if somebody named it.
    pub history_table: Option<String>,
}

impl Migrations {
    /// The last migration that blue was built with, as it tells blue from other versions; none on an empty database.
    pub fn blue(&self) -> Option<&str> {
        self.last_of(&self.applied)
    }

    /// The last migration that green was built with.
    pub fn green(&self) -> Option<&str> {
        let (blue, pending) = (self.blue(), self.last_of(&self.pending));
        // A branch that was merged late brings a migration with a lower number.
        let later = |blue: &str, pending: &str| {
            let (blue, pending) = (Version::new(blue), Version::new(pending));
            blue.is_numbered() && pending.is_numbered() && blue > pending
        };
        match (blue, pending) {
            (Some(blue), Some(pending)) if later(blue, pending) => Some(blue),
            (blue, pending) => pending.or(blue),
        }
    }

    fn last_of<'a>(&self, migrations: &'a [PlannedMigration]) -> Option<&'a str> {
        let mut versions = migrations.iter().map(|migration| migration.version.as_str());
        versions.rfind(|version| !self.convention.is_repeatable(version))
    }
}

/// One migration file, pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedMigration {
    /// The version in the convention's own spelling, for example `3` or `20240102030405`.
    pub version: String,
    /// The name without version and ending.
    pub name: String,
    /// Path below [`Migrations::folder`].
    pub path: Utf8PathBuf,
    /// SHA-256 of the file's bytes, in hex.
    pub sha256: String,
    /// The file's text, of a pending one whose tool keeps it, or a checksum of its own over it, in its history.
    pub text: Option<String>,
}

/// Fingerprints (SHA-256 in hex) of the simulated schemas, see [`crate::schema::Schema::fingerprint`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaPins {
    /// Before the first step.
    pub base: String,
    /// Between the phases.
    pub overlap: String,
    /// After the last step.
    pub last: String,
    /// What a live database must look like before the first step, for every object that the plan touches or reads. Drift here is refused.
    pub expects: Vec<ExpectedRelation>,
    /// All relations of the schema before the first step, where no tool's history tells what is applied: that the database has them is all that
    /// confirms that the plan begins there.
    pub relations: Vec<ExpectedRelation>,
}

/// A relation that the plan relies on, as it must be before the first step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedRelation {
    /// Schema-qualified name, or the bare name for one found by the search path.
    pub name: String,
    /// `None`: it must not exist. Otherwise its columns in order.
    pub columns: Option<Vec<ExpectedColumn>>,
}

/// A column of an [`ExpectedRelation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedColumn {
    /// Its name.
    pub name: String,
    /// Its type as `format_type` prints it.
    pub data_type: String,
    /// Whether it refuses NULL.
    pub not_null: bool,
}

/// What a step is for the running version, in the seed article's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Blue survives it.
    Additive,
    /// Blue does not.
    Deletive,
    /// Neither gives nor takes anything a client relies on.
    Neutral,
    /// Both gives and takes: no single moment is right for both versions.
    Incompatible,
    /// Changes rows, not the schema.
    Data,
    /// Not understood; placed by the author's word.
    Opaque,
}

/// Where a step comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// From a migration.
    Authored,
    /// The tool wrote it, so that another step has a right moment.
    Generated {
        /// By which recipe.
        recipe: String,
        /// For which step.
        of: u32,
    },
    /// An earlier step once more, for the rows that blue wrote until it was drained.
    Repeat {
        /// Which one.
        of: u32,
    },
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Work {
    /// Statements in one transaction together with its journal row; more than one when they must be atomic together.
    Transaction {
        /// In order.
        statements: Vec<StepStatement>,
    },
    /// A statement outside any transaction (`CREATE INDEX CONCURRENTLY` and its kind).
    Alone {
        /// Which.
        statement: StepStatement,
    },
    /// A statement over the rows of a table, some rows at a time, each time in a transaction of its own together with the journal's cursor.
    Backfill(Backfill),
    /// A query that must say yes before anything else runs.
    Check {
        /// It has one row and one boolean column.
        query: StepStatement,
        /// How long to wait for the yes; zero: it is asked once.
        within: Duration,
    },
}

/// A statement over the rows of a table, in the order of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backfill {
    /// The author's statement.
    pub statement: StepStatement,
    /// The table, as the statement names it.
    pub table: String,
    /// The column that rows are taken in the order of, with its table's name in the statement: never NULL, and first in an index.
    pub key: String,
    /// The author's text with its condition in parentheses, ready for bounds of the key behind it.
    pub batch: String,
    /// How many rows to take at first.
    pub rows: u32,
}

/// One step: what is executed, and journaled, as a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// 1-based place in the order of execution.
    pub id: u32,
    /// When it runs.
    pub phase: Phase,
    /// What it is for the running version.
    pub direction: Direction,
    /// Where it comes from.
    pub role: Role,
    /// `SET …` statements of the same file that were in force at this step; they hold for the step only.
    pub session: Vec<String>,
    /// What it does.
    pub work: Work,
    /// The object it is about, for people, for example `users.email`.
    pub object: String,
    /// The verb, for people, for example `ADD COLUMN text`.
    pub action: String,
    /// Why it stands where it stands.
    pub reason: String,
    /// What running it costs, for people, for example `ACCESS EXCLUSIVE, brief`.
    pub hazard: String,
    /// What that means on the tables of production, where statistics say how large they are and what is asked of them.
    pub load: Option<Load>,
    /// Whether blue cannot come back once it has run.
    pub point_of_no_return: bool,
    /// Versions of the migrations that are complete once this step has run; their history rows belong to its transaction.
    pub completes: Vec<String>,
    /// The steps that must have run, and why.
    pub needs: Vec<StepNeed>,
    /// What its place rests on.
    pub evidence: Vec<StepEvidence>,
    /// What blue's source mentions of what it takes away. Its place does not rest on that.
    pub mentions: Vec<Mentioned>,
}

/// A step that must have run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepNeed {
    /// Which one.
    pub step: u32,
    /// What both touch, for example `users.email`.
    pub why: Vec<String>,
}

/// Why a version holds a step back or draws it forward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepEvidence {
    /// Blue loses it, green gains it.
    pub version: Side,
    /// How much it matters.
    pub reliance: RelianceStrength,
    /// What it is about, for people, for example `users.email is readable as text`.
    pub capability: String,
    /// The query that shows it; without one it is assumed.
    pub query: Option<String>,
}

/// How a version relies on what a step takes or gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RelianceStrength {
    /// It breaks otherwise.
    Needs,
    /// It would be better.
    Prefers,
    /// It matters only once the other version writes something new; it does not move the step.
    Conditional,
}

/// A name that a step takes away and that blue's source mentions. It proves nothing, moves nothing and waives nothing: it says where to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mentioned {
    /// The name, for people, for example `users.email`.
    pub name: String,
    /// What of it is taken away, for people.
    pub capability: String,
    /// What blue's queries say about it.
    pub usage: Usage,
    /// The query that shows that blue uses it.
    pub query: Option<String>,
    /// How many lines mention it.
    pub count: u32,
    /// In how many files.
    pub files: u32,
    /// The first place of each line, by path and line. A step shows 20 at most.
    pub places: Vec<Mention>,
}

impl Searched {
    /// In words: `812 files searched, 3 left out`.
    pub fn line(&self) -> String {
        let files = if self.files == 1 { "1 file".to_owned() } else { format!("{} files", self.files) };
        let skipped = if self.skipped > 0 { format!(", {} left out", self.skipped) } else { String::new() };
        format!("{files} searched{skipped}")
    }
}

impl Mentioned {
    /// In words, without the places.
    pub fn line(&self) -> String {
        let Self { name, count, files, .. } = self;
        let places = if *count == 1 { "1 place".to_owned() } else { format!("{count} places") };
        let files = if *files == 1 { "1 file".to_owned() } else { format!("{files} files") };
        let usage = match (&self.usage, &self.query) {
            (Usage::Shown, Some(query)) => format!("; query {query} uses it"),
            (Usage::NotShown, _) => "; no query shows that it is used".to_owned(),
            (Usage::Unknown | Usage::Shown, _) => String::new(),
        };
        format!("blue's source mentions {name} at {places} in {files}{usage}")
    }

    /// How many places are not shown.
    pub fn more(&self) -> u32 {
        self.count.saturating_sub(u32::try_from(self.places.len()).unwrap_or(u32::MAX))
    }
}

/// What blue's queries say about a name that its source mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Usage {
    /// Blue's queries are not known.
    Unknown,
    /// None proves that blue uses it: dead code, or SQL that is in no recording.
    NotShown,
    /// One proves that blue uses it.
    Shown,
}

/// A place in a version's source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mention {
    /// Path of the file as it is shown to people.
    #[schemars(with = "String")]
    pub path: Utf8PathBuf,
    /// 1-based.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
    /// The line, without its indentation; of a long one, the part around the place.
    pub text: String,
}

/// One SQL statement of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepStatement {
    /// The text that is sent to the server, without the closing semicolon.
    pub sql: String,
    /// Where the author wrote it; none where the tool wrote it.
    pub origin: Option<Origin>,
}

/// A place in a migration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// The migration's version.
    pub version: String,
    /// Path of the file as it is shown to people.
    #[schemars(with = "String")]
    pub path: Utf8PathBuf,
    /// 1-based.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
}

/// A finding in the saved plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// `CO…`.
    pub code: String,
    /// Its name.
    pub name: String,
    /// How much it matters.
    pub severity: Severity,
    /// What breaks, and for whom.
    pub message: String,
    /// `path:line:column` of each place, the main one first, with what is said about it.
    pub places: Vec<LabelledPlace>,
    /// The way out.
    pub help: Option<String>,
}

/// A labelled place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LabelledPlace {
    /// Path of the file as it is shown to people.
    #[schemars(with = "String")]
    pub path: Utf8PathBuf,
    /// 1-based.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
    /// What is said about it.
    pub text: String,
    /// The lines it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<Excerpt>,
}

/// Lines of a file with a place in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Excerpt {
    /// Number of the first line, from 1.
    pub line: u32,
    /// The lines.
    pub text: String,
    /// The place: the bytes of `text` from the first to the one after the last.
    pub at: (u32, u32),
}

impl SavedPlan {
    /// The version that this build writes into plans.
    pub fn this_tool() -> ToolVersion {
        ToolVersion { name: "cutover".into(), version: env!("CARGO_PKG_VERSION").into() }
    }

    /// The same plan for a database on which nothing of it has run.
    pub fn from_the_beginning(&self) -> Cow<'_, Self> {
        if self.continues.is_none() {
            return Cow::Borrowed(self);
        }
        let mut plan = self.clone();
        plan.continues = None;
        plan.schema.expects.clear();
        Cow::Owned(plan.sealed())
    }

    /// The steps of one phase.
    pub fn phase(&self, phase: Phase) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.phase == phase)
    }

    /// When steps of a phase may run.
    pub fn times(&self, phase: Phase) -> &PhaseTimes {
        match phase {
            Phase::Before => &self.release.before,
            Phase::After => &self.release.after,
        }
    }

    /// A step by its id.
    pub fn step(&self, id: u32) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }
}

impl Step {
    /// Its statements as their author wrote them.
    pub fn statements(&self) -> &[StepStatement] {
        match &self.work {
            Work::Transaction { statements } => statements,
            Work::Alone { statement } | Work::Check { query: statement, .. } => std::slice::from_ref(statement),
            Work::Backfill(backfill) => std::slice::from_ref(&backfill.statement),
        }
    }

    /// Whether it runs outside transactions.
    pub fn is_alone(&self) -> bool {
        matches!(self.work, Work::Alone { .. })
    }

    /// Where its first statement was written.
    pub fn origin(&self) -> Option<&Origin> {
        self.statements().iter().find_map(|statement| statement.origin.as_ref())
    }

    /// The same as people read it, `path:line:column`.
    pub fn place(&self) -> Option<String> {
        self.origin().map(|origin| format!("{}:{}:{}", origin.path, origin.line, origin.column))
    }
}
