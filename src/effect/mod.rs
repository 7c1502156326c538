//! Operation + schema → [`Effect`] (what it takes from and gives to clients) and [`Hazard`]s (what running it costs). Two axes that never
//! mix: the order of a statement follows from its effect alone.

pub(crate) mod behaviour;
mod between;
mod capability;
mod hazard;
mod offered;
mod privilege;
mod type_class;
mod version;

pub use between::Effect;
pub(crate) use between::refuses;
pub use capability::{Capability, RowRule, Weight};
pub use hazard::{Hazard, Lock, LockMode, hazard};
pub use type_class::{TypeChange, type_change};
pub use version::{Fact, Need, PgVersion, needed, refused_since};
