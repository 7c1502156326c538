//! Why a release stops. Every message says what happened and where; what to do next is [`ExecuteError::hint`].

use super::blockers::Blocker;
use super::holder::Holder;
use super::journal::{Actor, JournalError};
use super::part::PartError;
use super::status::{Stage, UnknownTransition};
use crate::plan::saved::SavedPlanError;
use crate::postgres::ServerError;
use crate::postgres::history::HistoryError;
use crate::release::{HookMoment, Purpose, Ramp, Share};
use crate::side::Side;
use crate::sql::Quoted;
use crate::traffic::{Handle, Kind, TrafficError, TrafficTarget};

/// Why a release stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// A statement of the engine's own did not work.
    #[error("{doing} failed: {source}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the server said.
        source: ServerError,
    },
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal does not make sense.
    #[error(transparent)]
    Transition(#[from] UnknownTransition),
    /// The team's history cannot be used.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The plan cannot be used.
    #[error(transparent)]
    Plan(#[from] SavedPlanError),
    /// The release was not begun: there is nothing to carry on with.
    #[error(transparent)]
    NotBegun(Box<Self>),
    /// The server went away while the release waited for somebody's word. Nothing was under way.
    #[error("the server went away while the release waited for approval; it still does")]
    LostWhileWaiting,
    /// The database is one of many.
    #[error(transparent)]
    Part(#[from] PartError),
    /// The plan is not safe.
    #[error("the plan is unsafe: at least one version would break on a schema in between")]
    Unsafe,
    /// The server cannot be used.
    #[error(transparent)]
    Server(#[from] ServerUnfit),
    /// The world is not what the plan was made for.
    #[error("the plan is stale: {0}")]
    Stale(#[from] Stale),
    /// Another executor works on this database.
    #[error("another executor holds this database's lease: {0}")]
    Held(Box<Holder>),
    /// Somebody has the lease's row in a transaction that does not end.
    #[error("another session has the lease's row (cutover.lease) in a transaction and does not let it go")]
    LeaseBusy,
    /// What was written for the process that holds the lease has no answer.
    #[error("it is written that the release {word}, and the process that waits has not answered: {holder}")]
    Unanswered {
        /// What it does, as the journal says.
        word: &'static str,
        /// The command that wrote it.
        command: &'static str,
        /// Who has not answered.
        holder: Box<Holder>,
    },
    /// Somebody wants the release to stay where it is. Never leaves the engine, which goes on with that.
    #[error("the release is to stay where it is")]
    PauseHeard,
    /// A step's transaction has the lease's row.
    #[error("nothing is written yet: a step runs in a transaction, and the release is paused behind it: {0}")]
    PauseUnwritten(Box<Holder>),
    /// The executor has not come to where it can stop.
    #[error(
        "it is written that the release stays where it is, and its executor has not come to where it can stop: {0}"
    )]
    PauseUnheard(Box<Holder>),
    /// The release does not go forward.
    #[error("release {release} cannot be paused: it does not go forward ({stage})")]
    CannotPause {
        /// Its id.
        release: String,
        /// How far it is.
        stage: Stage,
    },
    /// Somebody let the release go on before anybody had heard of the pause.
    #[error("release {release} is not paused: somebody took the pause back before it was heard")]
    PauseTakenBack {
        /// Its id.
        release: String,
    },
    /// Nothing is approved while the release is to stay where it is.
    #[error("release {release} is paused by {} on {}{}", by.role, by.host, reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    Paused {
        /// Its id.
        release: String,
        /// Who wants it.
        by: Actor,
        /// Why, if they said it.
        reason: Option<String>,
    },
    /// `abort` came before the ramp, or after it.
    #[error("release {release} is not on its way to green ({stage}), so there is no ramp to abort")]
    NotInRamp {
        /// Its id.
        release: String,
        /// How far it is.
        stage: Stage,
    },
    /// The process that was told to go back did not get there.
    #[error("the process that waited could not go back: {message}")]
    GoingBack {
        /// Why.
        message: String,
    },
    /// Another executor took over.
    #[error(
        "the lease was taken over: this executor has epoch {ours}, the database has {found:?}; the transaction was rolled back"
    )]
    LeaseLost {
        /// This executor's epoch.
        ours: i64,
        /// The database's.
        found: Option<i64>,
    },
    /// The connection is not one session.
    #[error(
        "the lease's lock is not held by this session any more (server process {found}, the lock was taken in {expected})"
    )]
    Pooled {
        /// Where the lock was taken.
        expected: i32,
        /// Who answers now.
        found: i32,
    },
    /// Another plan's release is not over.
    #[error("release {release} of another plan is unfinished ({stage})")]
    Unfinished {
        /// Its id.
        release: String,
        /// How far it is.
        stage: Stage,
    },
    /// This plan's release was begun already.
    #[error("release {release} of this plan was begun already ({stage})")]
    Begun {
        /// Its id.
        release: String,
        /// How far it is.
        stage: Stage,
    },
    /// The release was begun by a version of the tool whose plans this one does not read.
    #[error("release {release} was begun by cutover {tool}, whose plans this version ({}) does not carry on with", env!("CARGO_PKG_VERSION"))]
    OtherTool {
        /// Its id.
        release: String,
        /// The version that began it.
        tool: String,
    },
    /// A plan that carries on with a release does not fit it.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// There is nothing to carry on with.
    #[error("there is no unfinished release in this database")]
    NoRelease,
    /// `promote` came too early or too late.
    #[error("release {release} does not wait for approval ({stage})")]
    NotWaiting {
        /// Its id.
        release: String,
        /// How far it is.
        stage: Stage,
    },
    /// A decision about a step that needs none.
    #[error("step {step} is not the one that needs a decision{}", needs.map_or(String::new(), |s| format!(" (step {s} is)")))]
    NoDecision {
        /// The step that was named.
        step: u32,
        /// The step that needs one, if any.
        needs: Option<u32>,
    },
    /// The release was begun with another traffic backend.
    #[error("the release was begun with traffic backend {begun}, not {given}")]
    OtherTraffic {
        /// The journal's.
        begun: String,
        /// The command's.
        given: String,
    },
    /// The backend moves something else than when the release was begun.
    #[error("traffic backend {backend} moves {now}, and the release was begun with {begun}")]
    OtherTarget {
        /// Its name.
        backend: String,
        /// The journal's.
        begun: TrafficTarget,
        /// The command's.
        now: TrafficTarget,
    },
    /// The traffic backend did not do what it was told.
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    /// Green does not get its share.
    #[error("traffic backend {backend} did not confirm green's share of {share} in time (it saw {})", seen.map_or("nothing".into(), |s| s.to_string()))]
    NotVerified {
        /// Its name.
        backend: String,
        /// The share that was set.
        share: Share,
        /// The share that was seen last.
        seen: Option<Share>,
    },
    /// A version does not work.
    #[error("{side} is unhealthy: {why}")]
    Unhealthy {
        /// Which.
        side: Side,
        /// Why.
        why: String,
    },
    /// A check says that green does not do well, or cannot be made.
    #[error("check {check} ({purpose}) failed: {why}")]
    CheckFailed {
        /// Its name.
        check: String,
        /// What it was made for.
        purpose: Purpose,
        /// What it said last.
        why: String,
    },
    /// A check does not say how green does.
    #[error("check {check} ({purpose}) does not say how green does: {why}")]
    Inconclusive {
        /// Its name.
        check: String,
        /// What it was made for.
        purpose: Purpose,
        /// What it said last.
        why: String,
    },
    /// A check that the release makes is not at hand.
    #[error("the release makes the check {check}, and nothing here says how")]
    NoCheck {
        /// Its name.
        check: String,
    },
    /// Somebody whom the release called was not content.
    #[error("the hook {hook} failed: {why}")]
    HookFailed {
        /// When it was called.
        hook: HookMoment,
        /// Why.
        why: String,
    },
    /// Somebody whom the release calls is not at hand.
    #[error("the release calls the hook {hook}, and nothing here says how")]
    NoHook {
        /// When.
        hook: HookMoment,
    },
    /// The backend cannot move traffic as the ramp asks.
    #[error("traffic backend {backend} {}, and the ramp is {ramp}", cannot(*kind))]
    RampUnfit {
        /// Its name.
        backend: String,
        /// How it moves traffic.
        kind: Kind,
        /// What was asked for.
        ramp: Ramp,
    },
    /// The platform's deployment came to nothing.
    #[error("deployment {handle} {}: {why}", if *.is_back { "was rolled back by the platform" } else { "failed" })]
    DeploymentFailed {
        /// What the platform calls it.
        handle: Handle,
        /// Why.
        why: String,
        /// Whether blue has all traffic again.
        is_back: bool,
    },
    /// The platform's deployment is over, and blue with it.
    #[error("deployment {handle} is over, and blue is gone: it cannot be given the traffic again by it")]
    DeploymentOver {
        /// What the platform calls it.
        handle: Handle,
    },
    /// The backend cannot set a share of the ramp.
    #[error("traffic backend {backend} cannot set {share}, which the ramp asks for: {why}")]
    ShareUnfit {
        /// Its name.
        backend: String,
        /// The share.
        share: Share,
        /// Why not.
        why: String,
    },
    /// Green has traffic before the release has begun.
    #[error("green has {seen} of the traffic already, as traffic backend {backend} shows")]
    GreenHasTraffic {
        /// Its name.
        backend: String,
        /// Its share.
        seen: Share,
    },
    /// Green has another share than the release gave it.
    #[error(
        "traffic backend {backend} shows that green has {seen} of the traffic, and this release left it with {left}: somebody else moved it"
    )]
    MovedByOthers {
        /// Its name.
        backend: String,
        /// The share that the release gave.
        left: Share,
        /// The share that is there.
        seen: Share,
    },
    /// The release waits at another gate than the one that was approved.
    #[error("release {release} waits {}", asked.as_ref().map_or("for traffic to be moved or blue to be drained, at no gate of the ramp".to_owned(), |gate| format!("at the gate {gate} of the ramp")))]
    OtherGate {
        /// Its id.
        release: String,
        /// The gate of the ramp, if it is one.
        asked: Option<String>,
    },
    /// Green fails, and the traffic does not go back to blue either.
    #[error("green is unhealthy: {green}; and going back to blue did not work: {back}")]
    BothFail {
        /// What is wrong with green.
        green: String,
        /// Why the traffic did not go back.
        back: Box<Self>,
    },
    /// Blue still serves somebody.
    #[error("blue is not drained: {why}")]
    NotDrained {
        /// What is left.
        why: String,
    },
    /// A step did not work; nothing half-done is left.
    #[error("{0}")]
    Step(Box<StepFailure>),
    /// Nobody but the operator can tell whether a step happened.
    #[error("step {step} is stuck: {message}")]
    Stuck {
        /// The step.
        step: u32,
        /// What is known.
        message: String,
    },
    /// A step cannot be left out, since one that is to run builds on it.
    #[error("step {step} cannot be left out: step {by} needs it")]
    Needed {
        /// The step.
        step: u32,
        /// The one that needs it.
        by: u32,
    },
    /// Nothing may be done before the cutover yet, and nothing was.
    #[error("the steps before the cutover are not to run before {opens} (`[release.before]`)")]
    TooEarly {
        /// When they may.
        opens: jiff::Timestamp,
    },
    /// A limit held a backfill back for longer than it may. What is done is done, and nothing is held.
    #[error("step {step} was held back for too long: {now}, and at most {most} is allowed ({limit})")]
    HeldBack {
        /// The step.
        step: u32,
        /// The limit's name in `[release.backfill]`.
        limit: String,
        /// What was measured, in words.
        now: String,
        /// What is allowed.
        most: String,
    },
    /// What is limited cannot be measured on this server.
    #[error("step {step} is to keep to its limits, which cannot be measured here ({limits}): {why}")]
    Unmeasured {
        /// The step.
        step: u32,
        /// The limits' names in `[release.backfill]`.
        limits: String,
        /// What the server said.
        why: String,
    },
    /// What is limited is not shown to the role that runs the release.
    #[error("step {step} is to keep to {limit}, which {role} does not see: other sessions are hidden from it")]
    Unseen {
        /// The step.
        step: u32,
        /// The limit's name in `[release.backfill]`.
        limit: String,
        /// The role.
        role: String,
    },
    /// A step that has not run yet would fail.
    #[error("what has not run yet would fail: {}", troubles.join("; "))]
    Foreseen {
        /// Which, and why.
        troubles: Vec<String>,
    },
    /// Somebody changed what blue works on.
    #[error("rollback refused: blue worked on the schema as this release left it, and that has changed: {why}")]
    BlueInDoubt {
        /// What changed.
        why: Stale,
    },
    /// The backend set another share than the one asked for.
    #[error("traffic backend {backend} was asked to give green {share}, and gave it {applied}")]
    OtherShare {
        /// Its name.
        backend: String,
        /// What was asked for.
        share: Share,
        /// What it set.
        applied: Share,
    },
    /// Blue cannot come back.
    #[error("rollback refused: step {step} ({object}) has run, and blue cannot work without what it took away")]
    NoReturn {
        /// The step.
        step: u32,
        /// What it is about.
        object: String,
    },
    /// The observer did not like what it saw.
    #[error("{0}")]
    Observed(String),
    /// The operator stopped the executor; the state is saved.
    #[error("interrupted; the state is saved")]
    Interrupted,
    /// The operator insisted; the state is what the journal says.
    #[error("aborted; the journal tells what was done")]
    Aborted,
}

/// The server cannot be used for a release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerUnfit {
    /// Too old.
    #[error("the server is PostgreSQL {found}, cutover needs 13 or later")]
    Version {
        /// `server_version`.
        found: String,
    },
    /// A standby.
    #[error("the server is in recovery: releases run on the primary")]
    Recovery,
    /// Everything is read-only.
    #[error("transactions are read-only here (default_transaction_read_only)")]
    ReadOnly,
    /// A pooler hands the session's statements to several processes of the server's.
    #[error("a pooler in transaction or statement mode is between cutover and the server: {0}")]
    Pooler(String),
    /// The journal has no place.
    #[error("role {role} may not create schema cutover in database {database}")]
    NoSchema {
        /// The role.
        role: String,
        /// The database.
        database: String,
    },
}

/// A plan does not fit the release that it is to carry on with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// It begins a release.
    #[error("the plan begins a release of its own, and does not say what of another one has run")]
    FromTheBeginning,
    /// It carries on, and was to begin.
    #[error("the plan carries on with release {release}, and begins none")]
    CarriesOn {
        /// Which.
        release: String,
    },
    /// It was made for another one, or for another plan of it.
    #[error(
        "the plan was made for release {made_for} as it was then; release {release} was begun or planned anew since"
    )]
    OtherRelease {
        /// The plan's.
        made_for: String,
        /// The database's.
        release: String,
    },
    /// The release has moved on.
    #[error("when the plan was made, {planned} steps had run; now {now} have")]
    RanMeanwhile {
        /// Then.
        planned: usize,
        /// Now.
        now: usize,
    },
    /// Somebody has to decide first.
    #[error("nobody knows yet whether step {step} has run")]
    InDoubt {
        /// Which.
        step: u32,
    },
    /// It is going back.
    #[error("the release is going back to blue")]
    RollingBack,
    /// Before its first step that has not run, it has another schema than the database.
    #[error("the plan's files make another schema than the database has: {0}")]
    OtherSchema(String),
    /// Blue cannot come back, and nothing in the plan says so.
    #[error("blue cannot come back, and the plan has no step after the cutover")]
    NothingLeft,
    /// It was begun before, and some of it has run.
    #[error(
        "release {release} went back, and some of its steps have run: a plan of the same migrations from the beginning would run them again"
    )]
    RanBefore {
        /// The release.
        release: String,
    },
    /// A backfill that is not over is not in the plan.
    #[error("step {step} has changed some of its rows, and the plan has no step that goes on with it")]
    LeftBehind {
        /// Which, of the plan before.
        step: u32,
    },
    /// The phase before the cutover is over.
    #[error("step {step} of the plan runs before the cutover, and the release is beyond that ({stage})")]
    TooLate {
        /// Which.
        step: u32,
        /// How far the release is.
        stage: Stage,
    },
}

/// The world is not what the plan was made for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stale {
    /// A file is gone.
    #[error("{path}: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
    /// A file was edited.
    #[error("{path} was changed after the plan was made (SHA-256 is {found}, the plan has {planned})")]
    Changed {
        /// The file.
        path: String,
        /// The plan's checksum.
        planned: String,
        /// The file's.
        found: String,
    },
    /// A migration that was applied when the plan was made is not.
    #[error("migration {version} must be applied before this plan, and the {convention} history does not have it")]
    NotApplied {
        /// Its version.
        version: String,
        /// Whose history.
        convention: String,
    },
    /// A migration that is pending in the plan is applied.
    #[error("migration {version} is pending in the plan, and the {convention} history has it already")]
    AlreadyApplied {
        /// Its version.
        version: String,
        /// Whose history.
        convention: String,
    },
    /// The history has a migration that the plan does not know.
    #[error("migration {version} is in the {convention} history, and the plan does not know it")]
    UnknownApplied {
        /// Its version.
        version: String,
        /// Whose history.
        convention: String,
    },
    /// Nothing in the database confirms that it is where the plan begins.
    #[error("nothing in the database confirms that it is where the plan begins: {0}")]
    Unconfirmed(String),
    /// The live schema is not what the plan expects.
    #[error("the schema drifted: {0}")]
    Drift(String),
    /// A name means something else to this role than to the plan.
    #[error("{0}")]
    Elsewhere(Box<Elsewhere>),
}

/// A name that means something else to a role than to the plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} in step {step} is {found} for role {role} (search_path {path}), and the plan means {meant}")]
pub struct Elsewhere {
    /// The step.
    pub step: u32,
    /// The name as the statement has it.
    pub name: String,
    /// What it means here.
    pub found: String,
    /// What the plan means.
    pub meant: String,
    /// The role that the step runs as.
    pub role: String,
    /// Its search path.
    pub path: String,
}

/// A step did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFailure {
    /// The step.
    pub step: u32,
    /// What it is about, for example `users.email, ADD COLUMN text`.
    pub what: String,
    /// Where the author wrote it, `path:line:column`.
    pub place: Option<String>,
    /// What the server said, without row values.
    pub message: String,
    /// Its DETAIL, which may hold row values: shown, never journaled.
    pub detail: Option<String>,
    /// Its HINT.
    pub hint: Option<String>,
    /// Whom it waited for.
    pub blockers: Vec<Blocker>,
}

impl std::fmt::Display for StepFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "step {} ({}) failed", self.step, self.what)?;
        if let Some(place) = &self.place {
            write!(f, " at {place}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(detail) = &self.detail {
            write!(f, "; {detail}")?;
        }
        for blocker in &self.blockers {
            write!(f, "\n  blocked by {blocker}")?;
        }
        Ok(())
    }
}

/// The way on with corrected migrations.
const REPLAN: &str = "run `cutover plan --replan --database URL -o FILE` and `cutover resume --replan FILE`";

impl ExecuteError {
    /// Whether the server does not let this role do what is needed.
    pub fn is_permission_denied(&self) -> bool {
        match self {
            Self::Journal(error) => error.is_denied(),
            Self::Database { source, .. } | Self::History(HistoryError::Database { source, .. }) => {
                source.code() == Some("42501")
            }
            _ => false,
        }
    }

    /// Whether the connection to the server is gone.
    pub fn is_connection_lost(&self) -> bool {
        match self {
            Self::Journal(JournalError::Database(source))
            | Self::Database { source, .. }
            | Self::History(HistoryError::Database { source, .. }) => source.is_lost(),
            _ => false,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let resume = "fix the cause, then run `cutover resume`";
        let text = match self {
            Self::NotBegun(error) => match error.hint() {
                // What another release asks for is no hint of this one's.
                Some(hint) if !hint.contains("cutover resume") || matches!(**error, Self::Misfit(_)) => hint,
                _ => "nothing was begun; fix the cause, then run the same command again".into(),
            },
            Self::LostWhileWaiting => "`cutover promote` or `cutover rollback`, as before; `cutover resume --wait` waits again".into(),
            Self::Part(error) => error.hint().into(),
            Self::Unsafe => "run `cutover plan` and follow the findings".into(),
            Self::Server(ServerUnfit::NoSchema { role, database }) => {
                format!("run `GRANT CREATE ON DATABASE {database} TO {role}`, or create schema cutover for that role")
            }
            Self::Server(ServerUnfit::Version { .. } | ServerUnfit::Recovery | ServerUnfit::ReadOnly) => return None,
            Self::Stale(Stale::Unreadable { .. }) => {
                "run the command in the folder where the plan was made, or make a new plan".into()
            }
            Self::Stale(Stale::Unconfirmed(_)) => {
                "make the plan with --database, and with --convention where the tool is another one; if you know that the plan begins where this \
                 database is, say so with `--accept-base`, which is journaled"
                    .into()
            }
            Self::Stale(Stale::Elsewhere(elsewhere)) => format!(
                "nothing was done; put the schema of {} first in the role's search_path, or name it in the migration and make a new plan",
                elsewhere.meant
            ),
            Self::Stale(Stale::Drift(_)) => {
                "find out who changed the schema, and put it back; or make a new plan, or, in the middle of a release that may go on with the schema as it is, run `cutover resume --accept-drift`".into()
            }
            Self::Stale(
                Stale::Changed { .. }
                | Stale::NotApplied { .. }
                | Stale::AlreadyApplied { .. }
                | Stale::UnknownApplied { .. },
            ) => "make a new plan with `cutover plan`".into(),
            Self::Plan(_) => "make a new plan with `cutover plan -o FILE`".into(),
            Self::Held(holder) => format!(
                "wait until it ends; `cutover status` shows how far it is. If that process is gone for good, end its session: \
                 SELECT pg_terminate_backend({})",
                holder.backend_pid
            ),
            Self::LeaseBusy => {
                "`cutover status` shows who executes; wait until that transaction ends, then run the same command again".into()
            }
            Self::Unanswered { command, holder, .. } => format!(
                "if that process is gone for good, end its session (SELECT pg_terminate_backend({})), then run `{command}` again",
                holder.backend_pid
            ),
            Self::PauseUnheard(holder) => format!(
                "a statement that runs is not cut, and a share that is being set is seen through: it stops behind that, and `cutover status` shows \
                 when; run the same command again then, or take it back with `cutover resume`. If that process is gone for good, end its session: \
                 SELECT pg_terminate_backend({})",
                holder.backend_pid
            ),
            Self::PauseUnwritten(holder) => format!(
                "run the same command again and give it more time; or interrupt that process (Ctrl-C, SIGTERM), which cancels the step and \
                 takes back what it did; `cutover status` shows the step. If that process is gone for good, end its session: \
                 SELECT pg_terminate_backend({})",
                holder.backend_pid
            ),
            Self::PauseTakenBack { .. } | Self::CannotPause { .. } => "`cutover status` shows what it does".into(),
            Self::Paused { .. } => "`cutover resume` takes the pause back; then run the same command again".into(),
            Self::NotInRamp { stage: Stage::Before, .. } => {
                "green has no traffic yet: `cutover pause` stops the release where it is, `cutover rollback` gives it up".into()
            }
            Self::NotInRamp { .. } => "`cutover rollback` goes back to blue as long as that is possible".into(),
            Self::GoingBack { .. } => "fix the cause, then run `cutover rollback` again".into(),
            Self::LeaseLost { .. } => "`cutover status` shows who carries on".into(),
            Self::Pooled { .. } | Self::Server(ServerUnfit::Pooler(_)) => {
                "connect to PostgreSQL itself: a pooler in transaction or statement mode does not keep a session".into()
            }
            Self::Unfinished { .. } => "finish it with `cutover resume`, or undo it with `cutover rollback`".into(),
            Self::Begun { stage: Stage::AwaitingApproval { .. }, .. } => {
                "carry on with `cutover promote`, or undo it with `cutover rollback`".into()
            }
            Self::Begun { .. } => "carry on with `cutover resume`".into(),
            Self::OtherTool { tool, .. } => {
                format!("finish it with cutover {tool} (`resume`, `promote` or `rollback`), which still reads this journal")
            }
            Self::Misfit(misfit) => match misfit {
                Misfit::FromTheBeginning | Misfit::OtherRelease { .. } | Misfit::RanMeanwhile { .. } => {
                    "make the plan with `cutover plan --replan --database URL -o FILE`".into()
                }
                Misfit::CarriesOn { .. } => "run `cutover resume --replan FILE`".into(),
                Misfit::InDoubt { step } => format!(
                    "run `cutover resume`, which finds out or asks (`--mark-done {step}` or `--retry {step}`); then plan again"
                ),
                Misfit::RollingBack => "finish `cutover rollback` first".into(),
                Misfit::OtherSchema(_) => {
                    "if the files alone do not make production's schema, give a dump of it from before the release with --base-schema and plan again; otherwise find out who changed it".into()
                }
                Misfit::NothingLeft => "leave the statements in their files that were to run after the cutover".into(),
                Misfit::RanBefore { .. } => {
                    "carry on with `cutover resume`, or plan the rest with `cutover plan --replan`".into()
                }
                Misfit::LeftBehind { step } => format!(
                    "leave its statement, settings and key as they are; or, if the rows that it has changed may stay as they are, add `--abandon {step}`"
                ),
                Misfit::TooLate { .. } => "run `cutover rollback` first, then `cutover resume --replan FILE`".into(),
            },
            Self::NoRelease => "start one with `cutover execute PLAN`".into(),
            Self::NotWaiting { .. } => "`cutover status` shows what it does".into(),
            Self::OtherGate { asked: Some(gate), .. } => format!("approve it with `cutover promote --gate {gate}`"),
            Self::OtherGate { asked: None, .. } => {
                "approve it with `cutover promote`, once green has all traffic and blue serves nobody any more".into()
            }
            Self::RampUnfit { .. } => {
                "use a ramp with one share (`--shift 100`; it may hold and ask), or a backend that moves traffic by shares"
                    .into()
            }
            Self::DeploymentFailed { .. } => "`cutover rollback` sees blue have all traffic and ends the deployment (with `--force` it takes your word that blue has it); `cutover resume` then begins another one".into(),
            Self::DeploymentOver { .. } => {
                "go on with `cutover resume`, or release the version before as a release of its own".into()
            }
            Self::GreenHasTraffic { .. } => {
                "after a release the two change places: what was green serves now, and is blue of the next release. Change the two in the settings of the backend; only if that is not so, give blue all traffic"
                    .into()
            }
            Self::MovedByOthers { left, .. } => format!("give green {left} again, then run `cutover resume`; or go back to blue with `cutover rollback`, as long as that is possible"),
            Self::HookFailed { .. } => format!("{resume}, which calls it again; or go back to blue with `cutover rollback`"),
            Self::NoHook { hook } => format!(
                "a hook that runs a program or names a secret is taken from the `cutover.toml` of the folder that the command runs in: run it where [hooks.{hook}] stands"
            ),
            Self::CheckFailed { .. } => format!("{resume}; or go back to blue with `cutover rollback`"),
            Self::Inconclusive { .. } => {
                "see how green does, then run `cutover resume`, which makes the check again; or go back to blue with `cutover rollback`".into()
            }
            Self::NoCheck { check } => format!(
                "a check that runs a program or names a secret is taken from the `cutover.toml` of the folder that the command runs in: run it where [checks.{check}] stands"
            ),
            Self::ShareUnfit { .. } => "use a ramp of other shares (`--shift`)".into(),
            Self::BothFail { back, .. } => match back.hint() {
                Some(hint) => hint,
                None => "look at blue and at the traffic; then run `cutover rollback`, or `cutover resume` to go forward".into(),
            },
            Self::NoDecision { .. } => "`cutover status` shows the step that is stuck or failed".into(),
            Self::OtherTarget { .. } => {
                "use the settings and credentials that the release was begun with; nothing was moved".into()
            }
            Self::OtherTraffic { begun, .. } => format!(
                "give the same --traffic or --traffic-exec as when the release was begun; or run this in the folder whose cutover.toml has [traffic.{begun}] and names it in [release]: a program is not taken from the journal"
            ),
            Self::Stuck { step, .. } => format!(
                "look at the database; then run `cutover resume --mark-done {step}` if the step took effect, `cutover resume --retry {step}` if it did not, or `cutover resume --skip {step} --reason TEXT` if it did not and is not to"
            ),
            Self::Step(failure) => match &failure.hint {
                Some(hint) => format!("{hint}. Then run `cutover resume`"),
                None => format!(
                    "{resume}; if a migration has to be corrected, {REPLAN}; if the step is not needed any more, run `cutover resume --skip {} --reason TEXT`",
                    failure.step
                ),
            },
            Self::Needed { by, .. } => format!("leave step {by} out first: `cutover resume --skip {by} --reason TEXT`"),
            Self::TooEarly { .. } => "run the same command again then; or add `--wait`, which begins the release and waits; or `--at-any-time`, which does not".into(),
            Self::HeldBack { limit, .. } => format!(
                "what is done stays done: run `cutover resume` when there is room again; or with another limit, `cutover resume --backfill {}`",
                if limit.starts_with("check ") { "checks=none".to_owned() } else { format!("{limit}=VALUE") }
            ),
            Self::Unmeasured { .. } => {
                "a limit of 0 is none: `cutover resume --backfill replica-lag=0s`, `slot-lag=0B`, `wal-rate=0B`, `oldest-transaction=0s`".into()
            }
            Self::Unseen { role, .. } => {
                format!("a superuser can let it: `GRANT pg_monitor TO {}`; then run `cutover resume`", Quoted(role))
            }
            Self::Foreseen { .. } => {
                "nothing that was asked for is done; give the role what it needs, or take away what is in the way, then run the same command again; if you know better, add `--accept-foreseen`"
                    .into()
            }
            Self::BlueInDoubt { .. } => {
                "put the schema back first; if you know that blue works on it as it is, run `cutover rollback --force`, which is journaled"
                    .into()
            }
            Self::OtherShare { .. } => {
                "a backend that moves in steps of its own must refuse a share that it cannot set; use shares that it can, or another backend"
                    .into()
            }
            Self::NoReturn { .. } => "fix green, or run `cutover resume` to finish the release".into(),
            Self::Unhealthy { side: Side::Blue, .. } => {
                "see that blue works, then run `cutover rollback` again; or go back all the same with `cutover rollback --force`".into()
            }
            Self::NotDrained { .. } | Self::NotVerified { .. } | Self::Unhealthy { .. } | Self::Traffic(_) => {
                format!("{resume}; or go back to blue with `cutover rollback`")
            }
            Self::Interrupted | Self::Aborted | Self::PauseHeard => "carry on with `cutover resume`".into(),
            Self::Database { .. } | Self::History(_) | Self::Observed(_) => resume.into(),
            Self::Journal(error) if error.is_denied() => {
                "`cutover grants --role NAME` prints what a role needs to look on; to carry on with a release it needs the right to write there".into()
            }
            Self::Journal(JournalError::Format { .. }) => "use the version of cutover that began it, or a later one".into(),
            Self::Journal(
                JournalError::Gap { .. } | JournalError::SchemaHistory { .. } | JournalError::Row { .. },
            )
            | Self::Transition(_) => {
                "somebody changed the tables of schema cutover, or they come from an incomplete backup; put them back as they were".into()
            }
            Self::Journal(_) => return None,
        };
        Some(text)
    }
}

/// What a kind of backend cannot do.
fn cannot(kind: Kind) -> &'static str {
    match kind {
        Kind::Manual => "waits for people, who move all of it at once",
        Kind::Switch => "moves all traffic or none",
        Kind::Weighted => "moves any share",
        Kind::Managed => "begins deployments of a platform, which moves the traffic by its own settings",
    }
}
