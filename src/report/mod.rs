//! Plans and findings → text and JSON Schema. No decisions here.

mod diagnostics;
#[cfg(feature = "cli")]
pub mod lint;
mod plan_text;
#[cfg(feature = "live")]
mod rehearsal_json;
#[cfg(feature = "live")]
mod rehearsal_text;
pub mod style;

pub use diagnostics::render as render_diagnostics;
pub use plan_text::render as render_plan;
#[cfg(feature = "live")]
pub use rehearsal_json::render as rehearsal_json;
#[cfg(feature = "live")]
pub use rehearsal_text::render as render_rehearsal;
pub use style::Style;

/// The JSON Schema of the saved plan.
pub fn plan_schema() -> serde_json::Value {
    schemars::schema_for!(crate::plan::saved::SavedPlan).to_value()
}

/// The JSON Schema of a workload file.
pub fn workload_schema() -> serde_json::Value {
    schemars::schema_for!(crate::workload::SavedWorkload).to_value()
}
