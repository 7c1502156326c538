//! A rehearsal as one JSON object.

use serde_json::{Value, json};

use crate::execute::Difference;
use crate::execute::rehearsal::{Break, Rehearsal};
use crate::plan::saved::SavedPlan;

/// Of the object.
const FORMAT_VERSION: u32 = 1;

/// The object. Fields may be added; `format_version` changes if one goes or means something else.
pub fn render(rehearsal: &Rehearsal, plan: &SavedPlan) -> Value {
    let broken = |found: &Break<'_>| {
        json!({
            "version": found.version.name(), "query": found.row, "place": found.place,
            "after_step": found.state.after_step, "message": found.message,
        })
    };
    let difference = |found: &Difference| {
        json!({
            "object": found.object, "severity": if found.harmless { "warning" } else { "error" },
            "files": found.files, "plan": found.plan, "statement": found.statement,
        })
    };
    json!({
        "format_version": FORMAT_VERSION,
        "server": rehearsal.server,
        "pg_version": rehearsal.version.0,
        "steps": plan.steps.len(),
        "safe": rehearsal.is_safe(),
        "breaks": rehearsal.breaks().iter().map(broken).collect::<Vec<_>>(),
        "fresh_install": rehearsal.differences.iter().map(difference).collect::<Vec<_>>(),
        "simulation": rehearsal.misjudged,
    })
}
