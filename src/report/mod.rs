//! Plans and findings → text and JSON Schema. No decisions here.

mod diagnostics;
mod plan_text;
pub mod style;

pub use diagnostics::render as render_diagnostics;
pub use plan_text::render as render_plan;
pub use style::Style;

/// The JSON Schema of the saved plan.
pub fn plan_schema() -> serde_json::Value {
    schemars::schema_for!(crate::plan::saved::SavedPlan).to_value()
}
