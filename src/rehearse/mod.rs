//! A release tried on a throwaway server: the engine with other doors, every query of both versions prepared, recorded or synthetic rows played
//! at every state, and what the files do on a new installation. Also: what statements that cannot be read are seen to do there.

mod fresh;
pub mod observation;
mod overlap;
mod preparer;
pub mod rehearsal;
mod replay;
mod synthetic;
mod trial;

pub use fresh::Difference;
pub use overlap::{Loss, LossKind, Overlap};
#[doc(hidden)]
pub use preparer::Preparer;
pub use replay::Replayed;
pub use synthetic::{Synthetic, Undecided};
pub use trial::{LIMIT, Terms, Whose};
