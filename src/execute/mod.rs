//! The release engine: a journal in the target database, a status folded from it, and a loop that does what comes next.
//!
//! One code path for rehearsal and execution; [`Doors`] are what differs (the rehearsal is in `rehearse`). Everything happens on one connection.

mod admission;
mod analysis;
mod begun;
mod blockers;
mod check;
mod debt;
mod deployment;
mod doors;
mod engine;
mod error;
mod event;
mod files;
mod foreseen;
mod holder;
mod hooks;
mod index_progress;
mod journal;
mod lease;
mod names;
mod objects;
mod options;
mod overview;
mod part;
mod preflight;
mod ramp;
mod relation_hashes;
mod relations;
mod release;
mod replan;
mod session;
mod shift;
mod stand;
mod status;
mod stop;
mod summary;
mod terminate;
mod timing;
mod work;

pub use crate::release::{BlueSessions, Limits};
pub use admission::{Admission, AwaitedRelease, BuiltWith, Passage, Readiness, gate, ready};
pub(crate) use begun::plan_of;
pub use begun::status;
pub use blockers::Blocker;
pub use check::{CheckedRelease, check};
pub use debt::{Debt, Owed, debt};
pub use doors::{Beside, Clock, Doors, Future, Moment, Observer, SystemClock, beside, canceller};
pub use error::{Elsewhere, ExecuteError, Misfit, ServerUnfit, Stale, StepFailure};
pub use event::Event;
pub use holder::Holder;
pub use hooks::news;
pub use index_progress::IndexProgress;
pub use journal::{
    Actor, Entry, Gate, Guard, GuardChange, JournalError, Record, Relations, Release, ReleaseRecord, StepRecord,
    TimeWait, TrafficRecord, grants,
};
pub(crate) use lease::{is_over_many, over_many};
pub use options::Options;
pub use overview::{Decided, Executor, GuardNow, Overview, StepNow, TrafficNow, overview, watch};
pub use part::PartError;
pub use release::{
    Approval, Decision, Outcome, Promotion, abort, execute, history, plans, promote, release_id, releases, resume,
    rollback,
};
pub(crate) use release::{Start, back, others_are};
pub use replan::{begun, difference, is_undone, replan};
pub use session::begin_watching;
pub(crate) use session::failed;
pub use stand::pause;
pub(crate) use stand::told_to_go_on;
pub use status::{
    Next, Stage, Standing, Status, StepProgress, StepState, StepStatus, TrafficState, TrafficStatus, Trouble,
    UnknownTransition,
};
pub use stop::{Stop, StopLevel, Stopper};
pub use summary::{SlowestStep, Summary};
