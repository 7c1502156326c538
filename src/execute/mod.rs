//! The release engine: a journal in the target database, a status folded from it, and a loop that does what comes next.
//!
//! One code path for rehearsal and execution; [`Doors`] are what differs. Everything happens on one connection.

mod alone;
mod blockers;
mod detect;
mod doors;
mod engine;
mod error;
mod event;
mod files;
mod fresh;
mod journal;
mod lease;
pub mod observation;
mod options;
mod preflight;
mod preparer;
pub mod rehearsal;
mod relations;
mod release;
mod replay;
mod session;
mod shift;
mod status;
mod step;
mod stop;
mod synthetic;
mod trial;

pub use blockers::Blocker;
pub use doors::{Clock, Doors, Future, Moment, Observer, SystemClock};
pub use error::{ExecuteError, ServerUnfit, Stale, StepFailure};
pub use event::Event;
pub use fresh::Difference;
pub use journal::{Actor, Entry, Gate, JournalError, Record, Relations, Release};
pub use lease::Holder;
pub use options::{BlueSessions, Options};
pub use preparer::Preparer;
pub use release::{Decision, Outcome, Promotion, execute, history, promote, releases, resume, rollback, status};
pub use replay::Replayed;
pub use status::{Next, Stage, Status, Trouble, UnknownTransition};
pub use stop::{Level, Stop, Stopper};
pub use synthetic::{Synthetic, Undecided};
pub use trial::{LIMIT, Terms, Whose};
