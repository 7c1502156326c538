//! A release tried on a throwaway server: the engine with other doors, every query of both versions prepared, recorded or synthetic rows played
//! at every state, and what the files do on a new installation. Also: what statements that cannot be read are seen to do there.

mod error;
mod fresh;
mod history;
pub mod observation;
mod overlap;
mod preparer;
pub mod rehearsal;
mod replay;
mod rows;
mod run;
mod synthetic;
mod terms;
mod trial;
mod watcher;

pub use error::{RehearsalError, Whose};
pub use fresh::Difference;
pub use overlap::{Loss, LossKind, Overlap};
#[doc(hidden)]
pub use preparer::Preparer;
pub use replay::Replayed;
pub use rows::{HeldLock, MeasuredStep, RealRows, RowFailure, WrittenRelation};
pub use synthetic::{Synthetic, Undecided};
pub use terms::{LIMIT, RowBase, RowSource, Script, Terms};
