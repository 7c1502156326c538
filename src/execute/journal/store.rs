//! Reading and appending. Every name is schema-qualified: a migration may leave any search path.

use crate::postgres::{ServerError, Session, first_row, server_message};
use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Row, SimpleQueryMessage, SimpleQueryRow};

use super::{Actor, Record, v1};
use crate::execute::relation_hashes;
use crate::plan::saved::{SavedPlan, SavedPlanError};
use crate::sql::literal;

/// A row of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Entry {
    /// Its place in the release, from 1.
    pub seq: i64,
    /// The lease's epoch under which it was written.
    pub epoch: i64,
    /// When, by the server's clock.
    #[schemars(with = "String")]
    pub at: jiff::Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub record: Record,
}

/// A release, as it was begun.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Release {
    /// Its id: the first twelve digits of the plan's digest.
    pub id: String,
    /// When it was begun, by the server's clock.
    #[schemars(with = "String")]
    pub created_at: jiff::Timestamp,
    /// The machine it was begun on.
    pub host: String,
    /// The database role that began it.
    pub role: String,
    /// The version of the format of its journal.
    pub format: i32,
    /// The version of the tool that began it.
    pub tool_version: String,
    #[serde(skip)]
    plan: String,
}

impl Release {
    /// The plan, as it was sealed. One that another version of the tool made is taken here: a release must not be out of reach because
    /// the tool was upgraded in its middle.
    pub fn saved_plan(&self) -> Result<SavedPlan, SavedPlanError> {
        SavedPlan::from_journal(&self.plan)
    }
}

/// The journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The server refused.
    #[error("the journal (schema cutover) cannot be read or written: {0}")]
    Database(ServerError),
    /// Its tables cannot be created.
    #[error("the journal's tables (schema cutover) cannot be created or upgraded: {}", chain(.0))]
    Tables(#[from] Box<refinery::Error>),
    /// The release was begun by a later version, with a journal that this one does not read.
    #[error("the journal of release {release} has format {format}, this cutover reads {FORMAT} at most")]
    Format {
        /// The release.
        release: String,
        /// The version of the journal's format.
        format: i32,
    },
    /// Rows are missing.
    #[error("the journal of release {release} has a gap: row {found} comes where row {expected} should be")]
    Gap {
        /// The release.
        release: String,
        /// Which row should be there.
        expected: i64,
        /// Which one is.
        found: i64,
    },
    /// The history of its own tables is not as it was written.
    #[error("the history of the journal's own tables (cutover.schema_history) was changed: {why}")]
    SchemaHistory {
        /// What is wrong with it.
        why: String,
    },
    /// A row that this version does not understand.
    #[error(
        "journal row {seq} of release {release} is not understood: {why} (the journal has format {format}, this cutover reads {FORMAT})"
    )]
    Row {
        /// The release.
        release: String,
        /// The row.
        seq: i64,
        /// The version of the journal's format.
        format: i32,
        /// Why.
        why: String,
    },
}

impl JournalError {
    /// Whether the role may not do what was to be done.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Database(error) => error.code() == Some("42501"),
            Self::Tables(error) => server_error(error.as_ref())
                .is_some_and(|error| error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)),
            Self::Format { .. } | Self::Gap { .. } | Self::SchemaHistory { .. } | Self::Row { .. } => false,
        }
    }
}

impl From<tokio_postgres::Error> for JournalError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The server's words, which the errors around it do not tell.
fn chain(error: &refinery::Error) -> String {
    server_error(error).map_or_else(|| error.to_string(), server_message)
}

fn server_error<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e tokio_postgres::Error> {
    let mut found = Some(error);
    while let Some(error) = found {
        if let Some(server) = error.downcast_ref() {
            return Some(server);
        }
        found = error.source();
    }
    None
}

/// Whether there is a journal at all.
pub(in crate::execute) async fn is_there(client: &Session) -> Result<bool, JournalError> {
    let row = client.query_one("SELECT pg_catalog.to_regclass('cutover.journal') IS NOT NULL", &[]).await?;
    Ok(row.try_get(0)?)
}

/// Whoever only looks upgrades nothing, so the tables may be those of format 1.
const RELEASE: &str =
    "SELECT id, (extract(epoch FROM created_at) * 1000000)::pg_catalog.int8, host, role, plan, tool_version,
         coalesce((pg_catalog.to_jsonb(r) ->> 'format')::pg_catalog.int4, 1) FROM cutover.release r";

/// The version of the journal's format that this release writes, and the latest that it reads.
const FORMAT: i32 = 2;

fn release(row: &Row) -> Result<Release, JournalError> {
    Ok(Release {
        id: row.try_get(0)?,
        created_at: timestamp(row.try_get(1)?),
        host: row.try_get(2)?,
        role: row.try_get(3)?,
        plan: row.try_get(4)?,
        tool_version: row.try_get(5)?,
        format: row.try_get(6)?,
    })
}

fn timestamp(microseconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(microseconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// The release of a plan.
pub(in crate::execute) async fn find_release(client: &Session, digest: &str) -> Result<Option<Release>, JournalError> {
    let row = client.query_opt(&format!("{RELEASE} WHERE plan_digest = $1"), &[&digest]).await?;
    row.as_ref().map(release).transpose()
}

/// The release that was begun last.
pub(in crate::execute) async fn latest_release(client: &Session) -> Result<Option<Release>, JournalError> {
    let row = client.query_opt(&format!("{RELEASE} ORDER BY number DESC LIMIT 1"), &[]).await?;
    row.as_ref().map(release).transpose()
}

/// The first release that was begun behind another one, or the first of all.
pub(in crate::execute) async fn release_after(
    client: &Session,
    before: Option<&str>,
) -> Result<Option<Release>, JournalError> {
    let behind = "number > coalesce((SELECT b.number FROM cutover.release b WHERE b.id = $1), 0)";
    let row = client.query_opt(&format!("{RELEASE} WHERE {behind} ORDER BY number LIMIT 1"), &[&before]).await?;
    row.as_ref().map(release).transpose()
}

/// Every release, the latest first.
pub(in crate::execute) async fn list_releases(client: &Session) -> Result<Vec<Release>, JournalError> {
    let rows = client.query(&format!("{RELEASE} ORDER BY number DESC"), &[]).await?;
    rows.iter().map(release).collect()
}

/// Begins a release. Runs in the caller's transaction.
pub(in crate::execute) async fn create_release(
    client: &Session,
    plan: &SavedPlan,
    by: &Actor,
) -> Result<String, JournalError> {
    let id: String = plan.digest.chars().take(12).collect();
    let insert = "INSERT INTO cutover.release (id, plan_digest, plan, tool_version, host, role, format) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let text = plan.to_json();
    client.execute(insert, &[&id, &plan.digest, &text, &plan.tool.version, &by.host, &by.role, &FORMAT]).await?;
    Ok(id)
}

/// Puts another plan in the place of a release's. Runs in the caller's transaction, behind the record that says so.
pub(in crate::execute) async fn replace_plan(
    client: &Session,
    release: &str,
    plan: &SavedPlan,
) -> Result<(), JournalError> {
    let keep = "INSERT INTO cutover.replaced_plan (release_id, seq, plan_digest, plan)
         SELECT id, (SELECT max(seq) FROM cutover.journal WHERE release_id = id), plan_digest, plan FROM cutover.release WHERE id = $1";
    client.execute(keep, &[&release]).await?;
    let replace = "UPDATE cutover.release SET plan_digest = $2, plan = $3 WHERE id = $1";
    client.execute(replace, &[&release, &plan.digest, &plan.to_json()]).await?;
    Ok(())
}

/// The plans that a release went by before another one took their place, each with the row of the journal that says so.
pub(in crate::execute) async fn replaced_plans(
    client: &Session,
    release: &str,
) -> Result<Vec<(i64, String)>, JournalError> {
    let there = client.query_one("SELECT pg_catalog.to_regclass('cutover.replaced_plan') IS NOT NULL", &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(Vec::new());
    }
    let query = "SELECT seq, plan FROM cutover.replaced_plan WHERE release_id = $1 ORDER BY seq";
    client.query(query, &[&release]).await?.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// The statement that appends a record, for the caller's transaction, after the lease's row was locked in it: that is what keeps `seq` dense.
/// It returns the row's `seq` and `detail`. `known_there`: what only the server knows by then.
pub(in crate::execute) fn insert(
    release: &str,
    epoch: i64,
    record: &Record,
    known_there: Option<&KnownThere<'_>>,
) -> Result<String, JournalError> {
    let values = values(release, epoch, record)?;
    Ok(match known_there {
        None => insert_of(&values.each_ref().map(String::as_str), ""),
        Some(known) => known.insert(&values),
    })
}

/// What the journal's row of a step says that only the server knows when it is written.
pub(in crate::execute) struct KnownThere<'a> {
    /// How long the step had taken before its transaction began, in milliseconds.
    pub(in crate::execute) before: u64,
    /// The relations to read, as an array of SQL.
    pub(in crate::execute) relations: &'a str,
    /// Whether [`PREPARED`] is there.
    pub(in crate::execute) prepared: bool,
}

/// A statement of the session's: to plan what it reads takes longer than to read it.
const PREPARED: &str = "cutover_step_done";

impl KnownThere<'_> {
    fn insert(&self, values: &[String; 5]) -> String {
        let Self { before, relations, .. } = self;
        if self.prepared {
            let all = format!("{}, {before}, {relations}", values.join(", "));
            return format!("EXECUTE {PREPARED} ({all})");
        }
        let values = values.each_ref().map(String::as_str);
        insert_of(&values, &known_there(&before.to_string(), relations))
    }
}

/// Prepares what [`KnownThere`] inserts.
pub(in crate::execute) fn prepare() -> String {
    let insert = insert_of(&["$1", "$2", "$3", "$4", "$5"], &known_there("$6", "$7"));
    format!(
        "PREPARE {PREPARED} (pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.int4, pg_catalog.jsonb, pg_catalog.int8, pg_catalog.text[]) AS {insert}"
    )
}

/// An expression that says whether the session has what [`prepare`] prepares.
pub(in crate::execute) fn is_prepared() -> String {
    format!("EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE name = {})", literal(PREPARED))
}

/// The server's clock may be set back meanwhile.
fn known_there(before: &str, relations: &str) -> String {
    format!(
        " || pg_catalog.jsonb_build_object('ms', {before} + greatest(0,
                 (extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.transaction_timestamp()) * 1000)::pg_catalog.int8),
             'relations', ({}))",
        relation_hashes::query(relations)
    )
}

/// Release, epoch, event, step and detail, as constants.
fn values(release: &str, epoch: i64, record: &Record) -> Result<[String; 5], JournalError> {
    let detail = serde_json::to_string(record).map_err(|error| unreadable(&error))?;
    let step = record.step().map_or_else(|| "NULL".to_owned(), |step| step.to_string());
    let detail = format!("{}::pg_catalog.jsonb", literal(&detail));
    Ok([literal(release), epoch.to_string(), literal(record.name()), step, detail])
}

fn insert_of([release, epoch, event, step, detail]: &[&str; 5], more: &str) -> String {
    format!(
        "INSERT INTO cutover.journal (release_id, seq, epoch, event, step, detail)
         SELECT {release}, coalesce(pg_catalog.max(seq), 0) + 1, {epoch}, {event}, {step}, {detail}{more}
         FROM cutover.journal WHERE release_id = {release}
         RETURNING seq, detail"
    )
}

/// The row that [`insert`] returns.
pub(in crate::execute) fn inserted(row: &SimpleQueryRow) -> Result<(i64, Record), JournalError> {
    let (seq, detail) = (row.get(0).unwrap_or_default(), row.get(1).unwrap_or_default());
    Ok((seq.parse().unwrap_or_default(), serde_json::from_str(detail).map_err(|error| unreadable(&error))?))
}

/// What was just written, or is about to be, is no record.
pub(in crate::execute) fn unreadable(error: &serde_json::Error) -> JournalError {
    JournalError::Row { release: String::new(), seq: 0, format: FORMAT, why: error.to_string() }
}

/// Appends a record. Runs in the caller's transaction, after the lease's row was locked in it.
pub(in crate::execute) async fn append(
    client: &Session,
    release: &str,
    epoch: i64,
    record: &Record,
) -> Result<i64, JournalError> {
    let answer = client.simple_query(&insert(release, epoch, record, None)?).await?;
    Ok(first_row(&answer).and_then(|row| row.get(0)?.parse().ok()).unwrap_or_default())
}

/// What is known of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::execute) enum PauseWord {
    /// Somebody wants the release to stay where it is, and nobody has answered yet.
    Asked,
    /// Somebody is about to write that.
    Coming,
    /// Neither.
    None,
}

/// Whether somebody wants a release to stay where it is. One round trip, since it is asked before every step. `coming`: an expression that says whether
/// somebody is about to write; what they had written before that was answered is seen, as each statement has a snapshot of its own.
pub(in crate::execute) async fn pause_word(
    client: &Session,
    release: &str,
    coming: &str,
) -> Result<PauseWord, JournalError> {
    let query = format!(
        "SELECT {coming} AS coming;
         SELECT event = 'pause_asked' AS asked FROM cutover.journal
         WHERE release_id = {} AND event IN ('pause_asked', 'paused', 'resumed', 'rollback_started') ORDER BY seq DESC LIMIT 1",
        literal(release)
    );
    let answer = client.simple_query(&query).await?;
    let says = |what: &str| {
        answer.iter().any(|message| match message {
            SimpleQueryMessage::Row(row) => row.try_get(what).is_ok_and(|said| said == Some("t")),
            _ => false,
        })
    };
    Ok(match (says("asked"), says("coming")) {
        (true, _) => PauseWord::Asked,
        (false, true) => PauseWord::Coming,
        (false, false) => PauseWord::None,
    })
}

/// A release's rows, in order.
pub(in crate::execute) async fn entries(client: &Session, release: &str) -> Result<Vec<Entry>, JournalError> {
    let query = "SELECT seq, epoch, (extract(epoch FROM at) * 1000000)::pg_catalog.int8, detail,
             (SELECT coalesce((pg_catalog.to_jsonb(r) ->> 'format')::pg_catalog.int4, 1) FROM cutover.release r WHERE id = $1)
         FROM cutover.journal WHERE release_id = $1 ORDER BY seq";
    let mut all = Vec::new();
    for row in client.query(query, &[&release]).await? {
        let (seq, detail, format): (i64, serde_json::Value, i32) = (row.try_get(0)?, row.try_get(3)?, row.try_get(4)?);
        let expected = i64::try_from(all.len()).unwrap_or(i64::MAX).saturating_add(1);
        if seq != expected {
            return Err(JournalError::Gap { release: release.to_owned(), expected, found: seq });
        }
        let record = match format {
            1 => serde_json::from_value::<v1::Record>(detail).map(Record::from),
            FORMAT => serde_json::from_value(detail),
            format => return Err(JournalError::Format { release: release.to_owned(), format }),
        };
        let record =
            record.map_err(|e| JournalError::Row { release: release.to_owned(), seq, format, why: e.to_string() })?;
        all.push(Entry { seq, epoch: row.try_get(1)?, at: timestamp(row.try_get(2)?), record });
    }
    Ok(all)
}
