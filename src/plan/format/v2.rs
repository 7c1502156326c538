//! Format 2, as it is written. What is only shown to people (findings, evidence, the matrix) is the same value in the plan and in the file.

use std::time::Duration;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::compat::Phase;
use crate::compat::matrix::Matrix;
use crate::migrations::Convention;
use crate::plan::saved::{
    self, Continues, Direction, Finding, Mentioned, Searched, StepEvidence, StepNeed, StepStatement, ToolVersion,
    Verdict,
};
use crate::release::{Ramp, RampStep, ReleaseDefinition};
use crate::stats::Load;

/// A plan as JSON.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "SavedPlan")]
pub struct Plan {
    /// Version of this format, `major.minor`.
    pub format_version: String,
    /// The tool that wrote it.
    pub tool: ToolVersion,
    /// SHA-256 in hex over the canonical JSON (RFC 8785) of this document without this field.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(required)]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix: Option<Matrix>,
    /// How much of blue's source was searched for what the steps take away, if it was given and they take something away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blue_source: Option<Searched>,
    /// The release that it carries on with, where its migrations were corrected after some of them had run. Since 2.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<Continues>,
}

/// The migrations a plan was made of.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Migrations {
    /// How the folder is to be read.
    pub convention: Convention,
    /// The folder; relative paths start at the working directory of the command.
    #[schemars(with = "String")]
    pub folder: Utf8PathBuf,
    /// The last version that is already applied, if any.
    pub from: Option<String>,
    /// The migrations that must already be applied, in order.
    pub applied: Vec<PlannedMigration>,
    /// The migrations this plan applies, in the files' order.
    pub pending: Vec<PlannedMigration>,
    /// Other conventions that the folder fits as well, where nothing said which tool it is: the history in the database must tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alike: Vec<Convention>,
    /// The table of the tool's history, if somebody named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_table: Option<String>,
}

/// One migration file, pinned.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PlannedMigration {
    /// The version in the convention's own spelling, for example `3` or `20240102030405`.
    pub version: String,
    /// The name without version and ending.
    pub name: String,
    /// Path below [`Migrations::folder`].
    #[schemars(with = "String")]
    pub path: Utf8PathBuf,
    /// SHA-256 of the file's bytes, in hex.
    pub sha256: String,
    /// The file's text, of a pending one whose tool keeps it, or a checksum of its own over it, in its history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Fingerprints (SHA-256 in hex) of the simulated schemas, see [`crate::schema::Schema::fingerprint`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relations: Vec<ExpectedRelation>,
}

/// A relation that the plan relies on, as it must be before the first step.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ExpectedRelation {
    /// Schema-qualified name, or the bare name for one found by the search path.
    pub name: String,
    /// `None`: it must not exist. Otherwise its columns in order.
    pub columns: Option<Vec<ExpectedColumn>>,
}

/// A column of an [`ExpectedRelation`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ExpectedColumn {
    /// Its name.
    pub name: String,
    /// Its type as `format_type` prints it.
    pub data_type: String,
    /// Whether it refuses NULL.
    pub not_null: bool,
}

/// One step: what is executed, and journaled, as a unit.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// 1-based place in the order of execution.
    pub id: u32,
    /// When it runs.
    pub phase: Phase,
    /// What it is for the running version.
    pub direction: Direction,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Role::is_authored")]
    pub role: Role,
    /// `SET …` statements of the same file that were in force at this step; they hold for the step only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    /// Whether blue cannot come back once it has run.
    pub point_of_no_return: bool,
    /// Versions of the migrations that are complete once this step has run; their history rows belong to its transaction.
    pub completes: Vec<String>,
    /// The steps that must have run, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<StepNeed>,
    /// What its place rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<StepEvidence>,
    /// What blue's source mentions of what it takes away. Its place does not rest on that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Mentioned>,
}

/// Where a step comes from.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "role", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Role {
    /// From a migration.
    #[default]
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

impl Role {
    fn is_authored(&self) -> bool {
        matches!(self, Self::Authored)
    }
}

/// What a step does.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Work {
    /// Statements in one transaction together with its journal row.
    Transaction {
        /// In order.
        statements: Vec<StepStatement>,
    },
    /// A statement outside any transaction.
    Alone {
        /// Which.
        statement: StepStatement,
    },
    /// A statement over the rows of a table, some rows at a time.
    Backfill {
        /// The author's statement.
        statement: StepStatement,
        /// The table, as the statement names it.
        table: String,
        /// The column that rows are taken in the order of.
        key: String,
        /// The author's text with its condition in parentheses, ready for bounds of the key behind it.
        batch: String,
        /// How many rows to take at first.
        rows: u32,
    },
    /// A query that must say yes before anything else runs.
    Check {
        /// It has one row and one boolean column.
        query: StepStatement,
        /// How many milliseconds to wait for the yes; 0: it is asked once.
        within_ms: u64,
    },
}

/// The earliest version whose readers know all that a plan says.
fn least_version(plan: &saved::SavedPlan) -> &'static str {
    let only_shares = |ramp: &Ramp| ramp.steps().iter().all(|step| matches!(step, RampStep::Share(_)));
    let has_old_ramp = plan.release.ramp.as_ref().is_none_or(only_shares);
    let rest = ReleaseDefinition { ramp: None, ..plan.release.clone() };
    let ReleaseDefinition { checks, smoke, watch, hooks, notify, limits, backfill_checks, .. } = &rest;
    if limits.after_delay_ms.is_some()
        || rest.terminate_blockers.is_some()
        || !(rest.before.is_empty() && rest.after.is_empty())
    {
        return "2.5";
    }
    if !(limits.backfill.is_empty() && backfill_checks.is_empty()) {
        return "2.4";
    }
    let has_checks = !(checks.is_empty() && smoke.is_empty() && watch.is_empty());
    if has_checks
        || !hooks.is_empty()
        || !notify.is_empty()
        || plan.release.ramp.as_ref().is_some_and(|ramp| ramp.checks().next().is_some())
    {
        return "2.3";
    }
    match (has_old_ramp && rest == ReleaseDefinition::default(), &plan.continues) {
        (false, _) => "2.2",
        (true, Some(_)) => "2.1",
        (true, None) => "2.0",
    }
}

impl From<&saved::SavedPlan> for Plan {
    fn from(plan: &saved::SavedPlan) -> Self {
        Self {
            format_version: least_version(plan).to_owned(),
            tool: plan.tool.clone(),
            digest: plan.digest.clone(),
            verdict: plan.verdict,
            release: plan.release.clone(),
            migrations: (&plan.migrations).into(),
            schema: (&plan.schema).into(),
            steps: plan.steps.iter().map(Step::from).collect(),
            findings: plan.findings.clone(),
            matrix: plan.matrix.clone(),
            blue_source: plan.blue_source,
            continues: plan.continues.clone(),
        }
    }
}

impl From<Plan> for saved::SavedPlan {
    fn from(plan: Plan) -> Self {
        Self {
            tool: plan.tool,
            digest: plan.digest,
            verdict: plan.verdict,
            release: plan.release,
            migrations: plan.migrations.into(),
            schema: plan.schema.into(),
            steps: plan.steps.into_iter().map(saved::Step::from).collect(),
            findings: plan.findings,
            matrix: plan.matrix,
            blue_source: plan.blue_source,
            continues: plan.continues,
            unknown: serde_json::Value::Null,
        }
    }
}

/// Structs of both sides with fields of the same names: each field is cloned in one direction, and moved in the other.
macro_rules! alike {
    ($name:ident { $($same:ident),* } $(each { $($each:ident),* })?) => {
        impl From<&saved::$name> for $name {
            fn from(from: &saved::$name) -> Self {
                Self {
                    $($same: from.$same.clone(),)*
                    $($($each: from.$each.iter().map(Into::into).collect(),)*)?
                }
            }
        }

        impl From<$name> for saved::$name {
            fn from(from: $name) -> Self {
                Self {
                    $($same: from.$same,)*
                    $($($each: from.$each.into_iter().map(Into::into).collect(),)*)?
                }
            }
        }
    };
}

alike!(Migrations { convention, folder, from, alike, history_table } each { applied, pending });
alike!(PlannedMigration { version, name, path, sha256, text });
alike!(SchemaPins { base, overlap, last } each { expects, relations });
alike!(ExpectedColumn { name, data_type, not_null });

impl From<&saved::ExpectedRelation> for ExpectedRelation {
    fn from(from: &saved::ExpectedRelation) -> Self {
        let columns = from.columns.as_ref().map(|columns| columns.iter().map(Into::into).collect());
        Self { name: from.name.clone(), columns }
    }
}

impl From<ExpectedRelation> for saved::ExpectedRelation {
    fn from(from: ExpectedRelation) -> Self {
        Self { name: from.name, columns: from.columns.map(|columns| columns.into_iter().map(Into::into).collect()) }
    }
}

impl From<&saved::Step> for Step {
    fn from(step: &saved::Step) -> Self {
        Self {
            id: step.id,
            phase: step.phase,
            direction: step.direction,
            role: match &step.role {
                saved::Role::Authored => Role::Authored,
                saved::Role::Generated { recipe, of } => Role::Generated { recipe: recipe.clone(), of: *of },
                saved::Role::Repeat { of } => Role::Repeat { of: *of },
            },
            session: step.session.clone(),
            work: (&step.work).into(),
            object: step.object.clone(),
            action: step.action.clone(),
            reason: step.reason.clone(),
            hazard: step.hazard.clone(),
            load: step.load.clone(),
            point_of_no_return: step.point_of_no_return,
            completes: step.completes.clone(),
            needs: step.needs.clone(),
            evidence: step.evidence.clone(),
            mentions: step.mentions.clone(),
        }
    }
}

impl From<Step> for saved::Step {
    fn from(step: Step) -> Self {
        Self {
            id: step.id,
            phase: step.phase,
            direction: step.direction,
            role: match step.role {
                Role::Authored => saved::Role::Authored,
                Role::Generated { recipe, of } => saved::Role::Generated { recipe, of },
                Role::Repeat { of } => saved::Role::Repeat { of },
            },
            session: step.session,
            work: step.work.into(),
            object: step.object,
            action: step.action,
            reason: step.reason,
            hazard: step.hazard,
            load: step.load,
            point_of_no_return: step.point_of_no_return,
            completes: step.completes,
            needs: step.needs,
            evidence: step.evidence,
            mentions: step.mentions,
        }
    }
}

impl From<&saved::Work> for Work {
    fn from(work: &saved::Work) -> Self {
        match work.clone() {
            saved::Work::Transaction { statements } => Self::Transaction { statements },
            saved::Work::Alone { statement } => Self::Alone { statement },
            saved::Work::Backfill(saved::Backfill { statement, table, key, batch, rows }) => {
                Self::Backfill { statement, table, key, batch, rows }
            }
            saved::Work::Check { query, within } => {
                Self::Check { query, within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX) }
            }
        }
    }
}

impl From<Work> for saved::Work {
    fn from(work: Work) -> Self {
        match work {
            Work::Transaction { statements } => Self::Transaction { statements },
            Work::Alone { statement } => Self::Alone { statement },
            Work::Backfill { statement, table, key, batch, rows } => {
                Self::Backfill(saved::Backfill { statement, table, key, batch, rows })
            }
            Work::Check { query, within_ms } => Self::Check { query, within: Duration::from_millis(within_ms) },
        }
    }
}
