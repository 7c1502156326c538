//! What production holds and what it is asked: sizes and load, as `cutover stats` measures them, and what they make of a hazard. A
//! [`Statistics`] is a file that travels to where there is no database; [`Weighing`] holds a step against it. Every figure says how it was come
//! by: *measured* on the server, *estimated* from what was, or *assumed*. Values in, values out; nothing here moves a step.

mod document;
mod load;
mod settings;
#[cfg(feature = "live")]
mod text;
mod throughput;
#[cfg(feature = "live")]
mod touch;
mod weigh;
mod words;

#[cfg(feature = "live")]
pub(crate) use words::{bytes, duration, number, range};

pub use document::{
    Activity, Basis, Bytes, ColumnStats, FORMAT_VERSION, IndexStats, Missing, RowStats, StatementStats, Statements,
    Statistics, StatisticsError, TableKind, TableName, TableStats, Touch, Transactions, Way,
};
pub use load::{Blocked, BlockedStatement, Figure, Load, Range, TableLoad};
pub use settings::{LockWeight, Settings};
#[cfg(feature = "live")]
pub(crate) use text::without_values;
pub use throughput::{CATALOG, Throughput, Throughputs};
#[cfg(feature = "live")]
pub(crate) use touch::{Utility, calls_any, touches, utility};
pub use weigh::Weighing;

/// The JSON Schema of the file.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Statistics).to_value()
}
