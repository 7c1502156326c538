//! A rehearsal as one JSON object, with a schema. Additions raise the minor version; readers ignore fields they do not know.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::overlap_words::{Words, words};
use super::row_words;
use crate::compat::Disagreement;
use crate::compat::matrix::{Break, Matrix};
use crate::diagnostic::Severity;
use crate::plan::saved::{Finding, Origin, SavedPlan, ToolVersion, Verdict};
use crate::rehearse::rehearsal::Rehearsal;
use crate::rehearse::{Difference, HeldLock, Loss, LossKind, MeasuredStep, Overlap, RealRows, Replayed, Synthetic};
use crate::side::Side;
use crate::stats::Range;

/// Version of the format that this release writes. 1 had no schema, and nothing where the plan was not safe; 2.1 has what was played again,
/// and where the server says something else than the text; 2.2 has a fresh installation that fails; 2.3 has what was run on synthetic rows; 2.4 what rows
/// of the overlap lose; 2.5 what was measured on rows that were there.
pub(super) const FORMAT_VERSION: &str = "2.5";

/// What `rehearse --format json` prints.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct RehearsalDocument {
    /// Version of this format, `major.minor`.
    pub format_version: String,
    /// The tool that wrote it.
    pub tool: ToolVersion,
    /// The digest of the plan.
    pub plan: String,
    /// What the plan says of itself. A plan that is not safe is not rehearsed.
    pub verdict: Verdict,
    /// How many steps the plan has.
    pub steps: usize,
    /// Whether it was rehearsed, both versions worked everywhere they must, and the end is that of a fresh installation.
    pub safe: bool,
    /// The server; none where nothing was rehearsed.
    pub server: Option<String>,
    /// Its major version.
    pub pg_version: Option<u32>,
    /// What is to be said about the plan.
    pub findings: Vec<Finding>,
    /// Queries that fail where their version must live, though they work on its own schema.
    pub breaks: Vec<BreakDocument>,
    /// Objects that a fresh installation has otherwise.
    pub fresh_install: Vec<DifferenceDocument>,
    /// Where a fresh installation fails that runs all files in their own order; none: it does not.
    pub fresh_install_fails: Option<FailureDocument>,
    /// What the simulation takes the files to leave behind (`-`) and what they do leave (`+`).
    pub simulation: Vec<String>,
    /// What was made of recordings; one a version that has one.
    pub replayed: Vec<ReplayedDocument>,
    /// What was made of synthetic rows; one a version that has queries and no recording.
    #[serde(default)]
    pub synthetic: Vec<SyntheticDocument>,
    /// What became of the rows that the versions write in the overlap; one a version that writes any, and has queries and no recording.
    #[serde(default)]
    pub overlap: Vec<OverlapDocument>,
    /// What was measured on rows that were there, where there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_rows: Option<RowsDocument>,
    /// Where the server says something else of a query than its text.
    pub disagreements: Vec<Disagreement>,
    /// Every query at every state, as the server saw it.
    pub matrix: Option<Matrix>,
}

/// A statement that fails.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct FailureDocument {
    /// `path:line:column`
    pub place: String,
    /// What the server said.
    pub message: String,
}

/// What was made of the recording of a version.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ReplayedDocument {
    /// Whose.
    pub version: Side,
    /// How many transactions it holds.
    pub transactions: usize,
    /// How many statements.
    pub statements: usize,
    /// How many of them succeed on the schema of their own version and were held against that at every other state.
    pub compared: usize,
    /// How many fail on the schema of their own version, too.
    pub unfit: usize,
    /// How many fail at another state and belong to none of the queries, with the ends of transactions.
    pub stray: usize,
    /// How many were left out, by the reason.
    pub left_out: BTreeMap<String, usize>,
    /// How many were not played at all states, because that took too long.
    pub cut: usize,
}

/// What was made of a version's queries on synthetic rows.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct SyntheticDocument {
    /// Whose.
    pub version: Side,
    /// How many tables were filled on the schema of the version.
    pub filled: usize,
    /// How many had rows before.
    pub had_rows: usize,
    /// The tables that could not be filled there, and why.
    pub unfilled: BTreeMap<String, String>,
    /// How many queries the version has.
    pub queries: usize,
    /// How many of them succeed on the schema of their own version and were run at every other state.
    pub compared: usize,
    /// How many show nothing, by the reason: an SQLSTATE with which they fail on the schema of their own version, or words.
    pub nothing: BTreeMap<String, usize>,
    /// What failed at another state with the values that were tried, and may succeed with others.
    pub undecided: Vec<UndecidedDocument>,
    /// How many were not run at all states, because that took too long.
    pub cut: usize,
}

/// A query that failed and may not be broken.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct UndecidedDocument {
    /// Its name.
    pub query: String,
    /// `path:line:column`
    pub place: String,
    /// The step after which it failed first; none: before the first one.
    pub after_step: Option<u32>,
    /// What the server said, and with which values.
    pub message: String,
}

/// What became of the rows that a version writes in the overlap.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct OverlapDocument {
    /// Whose.
    pub version: Side,
    /// How many of its queries write rows, and succeed on the schema of their own version.
    pub queries: usize,
    /// How many of them were followed to the end.
    pub compared: usize,
    /// How many show nothing, by the reason.
    pub nothing: BTreeMap<String, usize>,
    /// How many were not followed, because that took too long.
    pub cut: usize,
    /// What is lost.
    pub losses: Vec<LossDocument>,
}

/// What rows of the overlap lose.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct LossDocument {
    /// `stops`: a step fails on them; `taken`: they, or what they hold, are taken away; `left-out`: a step that fills or copies rows ran before
    /// they came.
    pub kind: LossKind,
    /// `error`: nobody has told of it, and the rehearsal fails; `warning`: the plan or its author has.
    pub severity: Severity,
    /// The table, with its schema.
    pub table: String,
    /// The columns; none: whole rows.
    pub columns: Vec<String>,
    /// The step that fails, takes them, or ran before they came.
    pub step: Option<u32>,
    /// The step that then takes away what they were written with.
    pub gone: Option<u32>,
    /// The query that writes them.
    pub query: String,
    /// `path:line:column` of it.
    pub place: String,
    /// Other queries with the same loss.
    pub also: Vec<String>,
    /// Who has told of it.
    pub told: Option<String>,
    /// What is lost, in words.
    pub message: String,
    /// What is to be known of it.
    pub details: Vec<String>,
    /// The way out.
    pub help: String,
}

/// A query that fails where its version must live.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct BreakDocument {
    /// Whose.
    pub version: Side,
    /// Its name.
    pub query: String,
    /// `path:line:column`
    pub place: String,
    /// The step after which it fails; none: before the first one.
    pub after_step: Option<u32>,
    /// What the server said.
    pub message: String,
    /// Whether playing a recording again found it; the query prepares.
    pub replayed: bool,
    /// Whether running it on synthetic rows found it; the query prepares.
    #[serde(default)]
    pub synthetic: bool,
}

/// A release on rows that were there before it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct RowsDocument {
    /// Where they came from.
    pub from: String,
    /// The steps that have run.
    pub steps: Vec<MeasuredDocument>,
    /// What stopped it.
    pub failure: Option<RowFailureDocument>,
    /// Queries that fail where their version must live, and do not on the schema that the migrations alone make.
    pub breaks: Vec<BreakDocument>,
    /// Where the database was another one than the migrations make (`-` the migrations, `+` the database).
    pub drift: Vec<String>,
    /// What these rows do not show.
    pub not_shown: Vec<String>,
}

/// What a step took.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct MeasuredDocument {
    /// Which.
    pub step: u32,
    /// How long it ran.
    pub ms: u64,
    /// How many rows it inserted, changed or deleted; none before PostgreSQL 15, which does not tell in time.
    pub rows: Option<u64>,
    /// How many bytes it wrote into the log.
    pub wal_bytes: u64,
    /// Relations with other files than before.
    pub written: Vec<WrittenDocument>,
    /// Locks that hold up whoever writes, on tables that were there before the step; none where nobody could look (`not_shown`).
    pub locks: Vec<LockDocument>,
    /// How long the statistics expect it to take in production.
    pub expected: Option<Range>,
}

/// A relation that was written anew, or an index that was built.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct WrittenDocument {
    /// Its name.
    pub relation: String,
    /// Whether it is an index; a table counts with its own.
    pub index: bool,
    /// Whether it was not there before.
    pub new: bool,
    /// The bytes of its files.
    pub bytes: u64,
}

/// A lock that was seen.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct LockDocument {
    /// The table.
    pub relation: String,
    /// The strongest mode, in the words of PostgreSQL's manual.
    pub mode: String,
    /// For how long it was seen, at least.
    pub ms: u64,
}

/// What stopped a release on rows that were there.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct RowFailureDocument {
    /// The step; none: before the first one.
    pub step: Option<u32>,
    /// Why.
    pub message: String,
    /// The locks that it was seen to hold until then.
    pub locks: Vec<LockDocument>,
}

/// An object that is another one in a fresh installation.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct DifferenceDocument {
    /// Which one: `column t.a`, `index t_a_idx`, ….
    pub object: String,
    /// `error` or `warning`.
    pub severity: Severity,
    /// What it is in a fresh installation; none: it is not there.
    pub files: Option<String>,
    /// What it is where the plan has run; none: it is not there.
    pub plan: Option<String>,
    /// Where to look.
    pub statement: Option<Origin>,
}

/// The JSON Schema of the format.
pub(super) fn schema() -> serde_json::Value {
    schemars::schema_for!(RehearsalDocument).to_value()
}

/// The document as text; without a rehearsal, that of a plan that was not rehearsed.
pub fn render(plan: &SavedPlan, rehearsal: Option<&Rehearsal>) -> String {
    let document = RehearsalDocument {
        format_version: FORMAT_VERSION.to_owned(),
        tool: SavedPlan::this_tool(),
        plan: plan.digest.clone(),
        verdict: plan.verdict,
        steps: plan.steps.len(),
        safe: rehearsal.is_some_and(Rehearsal::is_safe),
        server: rehearsal.map(|rehearsal| rehearsal.server.clone()),
        pg_version: rehearsal.map(|rehearsal| rehearsal.version.0),
        findings: plan.findings.clone(),
        breaks: rehearsal.iter().flat_map(|r| r.breaks().into_iter().map(|found| broken(r, found))).collect(),
        fresh_install: rehearsal.iter().flat_map(|r| &r.differences).map(difference).collect(),
        fresh_install_fails: rehearsal.and_then(|rehearsal| {
            let (place, message) = rehearsal.fresh_failure.clone()?;
            Some(FailureDocument { place, message })
        }),
        simulation: rehearsal.map(|rehearsal| rehearsal.misjudged.clone()).unwrap_or_default(),
        replayed: rehearsal.iter().flat_map(|r| &r.replayed).map(played).collect(),
        synthetic: rehearsal.iter().flat_map(|r| &r.synthetic).map(synthetic).collect(),
        overlap: rehearsal.iter().flat_map(|r| &r.overlaps).map(|found| overlap(found, plan)).collect(),
        on_rows: rehearsal.and_then(|r| Some(on_rows(r, r.on_rows.as_ref()?, plan))),
        disagreements: rehearsal.map(|rehearsal| rehearsal.disagreements.clone()).unwrap_or_default(),
        matrix: rehearsal.map(|rehearsal| rehearsal.matrix.clone()),
    };
    // Strings and numbers always serialize.
    serde_json::to_string_pretty(&document).map(|text| text + "\n").unwrap_or_default()
}

fn on_rows(rehearsal: &Rehearsal, rows: &RealRows, plan: &SavedPlan) -> RowsDocument {
    let locks = |held: &[HeldLock]| {
        let lock = |lock: &HeldLock| {
            let (relation, mode) = (lock.relation.clone(), lock.mode.name().to_owned());
            LockDocument { relation, mode, ms: row_words::millis(lock.held) }
        };
        held.iter().map(lock).collect()
    };
    let step = |measured: &MeasuredStep| MeasuredDocument {
        step: measured.step,
        ms: row_words::millis(measured.took),
        rows: measured.rows,
        wal_bytes: measured.log,
        written: measured
            .written
            .iter()
            .map(|one| WrittenDocument {
                relation: one.relation.clone(),
                index: one.index,
                new: one.new,
                bytes: one.bytes,
            })
            .collect(),
        locks: locks(&measured.locks),
        expected: plan.step(measured.step).and_then(|step| Some(step.load.as_ref()?.held.clone())),
    };
    RowsDocument {
        from: rows.from.clone(),
        steps: rows.steps.iter().map(step).collect(),
        failure: rows.failure.as_ref().map(|found| RowFailureDocument {
            step: found.step,
            message: found.message.clone(),
            locks: locks(&found.locks),
        }),
        breaks: rows.breaks(&rehearsal.matrix).into_iter().map(|found| broken(rehearsal, found)).collect(),
        drift: rows.drift.clone(),
        not_shown: row_words::unseen(rows, plan),
    }
}

fn broken(rehearsal: &Rehearsal, found: Break<'_>) -> BreakDocument {
    let synthetic = found.failure.running && rehearsal.synthetic.iter().any(|of| of.version == found.row.version);
    BreakDocument {
        version: found.row.version,
        query: found.row.query.clone(),
        place: found.row.place.clone(),
        after_step: found.state.after_step,
        message: found.failure.message.clone(),
        replayed: found.failure.running && !synthetic,
        synthetic,
    }
}

fn synthetic(found: &Synthetic) -> SyntheticDocument {
    let undecided = found.undecided.iter().map(|one| UndecidedDocument {
        query: one.query.clone(),
        place: one.place.clone(),
        after_step: one.after_step,
        message: one.message.clone(),
    });
    let Synthetic { version, filled, had_rows, queries, compared, cut, .. } = *found;
    SyntheticDocument {
        version,
        filled,
        had_rows,
        unfilled: found.unfilled.clone(),
        queries,
        compared,
        nothing: found.nothing.clone(),
        undecided: undecided.collect(),
        cut,
    }
}

fn overlap(found: &Overlap, plan: &SavedPlan) -> OverlapDocument {
    let Overlap { version, queries, compared, cut, .. } = *found;
    let loss = |loss: &Loss| {
        let Words { head, details, help } = words(found, loss, plan);
        LossDocument {
            kind: loss.kind,
            severity: if loss.told.is_some() { Severity::Warning } else { Severity::Error },
            table: loss.table.clone(),
            columns: loss.columns.clone(),
            step: loss.step,
            gone: loss.gone,
            query: loss.query.clone(),
            place: loss.place.clone(),
            also: loss.also.clone(),
            told: loss.told.clone(),
            message: head,
            details,
            help,
        }
    };
    let losses = found.losses.iter().map(loss).collect();
    OverlapDocument { version, queries, compared, nothing: found.nothing.clone(), cut, losses }
}

fn played(found: &Replayed) -> ReplayedDocument {
    let Replayed { version, transactions, statements, compared, unfit, stray, cut, .. } = *found;
    ReplayedDocument {
        version,
        transactions,
        statements,
        compared,
        unfit,
        stray,
        left_out: found.left_out.clone(),
        cut,
    }
}

fn difference(found: &Difference) -> DifferenceDocument {
    DifferenceDocument {
        object: found.object.clone(),
        severity: if found.harmless { Severity::Warning } else { Severity::Error },
        files: found.files.clone(),
        plan: found.plan.clone(),
        statement: found.statement.clone(),
    }
}
