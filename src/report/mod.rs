//! Plans, findings and rehearsals → text, HTML, graphs, JSON and JSON Schemas. No decisions here.

mod diagnostics;
pub mod graph;
pub mod html;
#[cfg(feature = "cli")]
pub mod lint;
mod matrix_text;
#[cfg(feature = "live")]
mod overlap_words;
mod plan_text;
#[cfg(feature = "live")]
mod rehearsal_json;
#[cfg(feature = "live")]
mod rehearsal_text;
pub mod style;

pub use diagnostics::render as render_diagnostics;
pub use plan_text::{render as render_plan, render_whole as render_whole_plan};
#[cfg(feature = "live")]
pub use rehearsal_json::{render as rehearsal_json, schema as rehearsal_schema};
#[cfg(feature = "live")]
pub use rehearsal_text::render as render_rehearsal;
pub use style::Style;

/// The JSON Schema of the saved plan.
pub fn plan_schema() -> serde_json::Value {
    schemars::schema_for!(crate::plan::format::v2::Plan).to_value()
}

/// The JSON Schema of a workload file.
pub fn workload_schema() -> serde_json::Value {
    schemars::schema_for!(crate::workload::SavedWorkload).to_value()
}
