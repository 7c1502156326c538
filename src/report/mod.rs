//! Plans, findings and rehearsals → text, HTML, graphs, JSON and JSON Schemas. No decisions here.

#[cfg(feature = "live")]
mod databases;
mod diagnostics;
#[cfg(feature = "live")]
mod event_json;
#[cfg(feature = "live")]
pub(crate) mod figures;
mod format;
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
#[cfg(feature = "live")]
mod release_json;
#[cfg(feature = "live")]
mod release_text;
#[cfg(feature = "live")]
mod release_view;
#[cfg(feature = "live")]
mod row_words;
mod settings_json;
pub mod style;
mod symbols;
#[cfg(feature = "live")]
mod traffic_json;

use crate::plan::saved::SavedPlan;
#[cfg(feature = "live")]
use crate::rehearse::rehearsal::Rehearsal;

#[cfg(feature = "live")]
pub use databases::{DatabaseStatus, render_databases};
pub use diagnostics::render as render_diagnostics;
#[cfg(feature = "live")]
pub use event_json::{CommandLine, DatabaseEvent, EventLine};
#[cfg(feature = "live")]
pub use figures::render_figures;
pub use format::{Format, MachineFormat};
pub use plan_text::render as render_plan;
#[cfg(feature = "live")]
pub use rehearsal_json::render as rehearsal_json;
#[cfg(feature = "live")]
pub use rehearsal_text::render as render_rehearsal;
#[cfg(feature = "live")]
pub use release_json::{AdmissionDocument, DebtDocument, LogLine, StatusDocument};
#[cfg(feature = "live")]
pub use release_text::{render_debt, render_entry, render_event, render_outcome, render_overview, step_name};
#[cfg(feature = "live")]
pub use release_view::{line_at, render_beside, render_happened, render_headline, render_live};
pub use settings_json::{FORMAT_VERSION as SETTINGS_FORMAT_VERSION, SettingsDocument};
pub use style::Style;
#[cfg(feature = "live")]
pub use traffic_json::{ConformanceDocument, FORMAT_VERSION as TRAFFIC_FORMAT_VERSION, TrafficDocument};

/// Every format of a release as a whole.
pub static PLAN_FORMATS: &[Format<SavedPlan>] = &[
    Format { name: "html", about: "One file for browsers and paper", render: |plan, _| html::render(plan) },
    Format { name: "text", about: "The plan, and every query at every state", render: plan_text::render_whole },
];

/// A rehearsal, and the plan that it was one of.
#[cfg(feature = "live")]
#[derive(Debug)]
pub struct RehearsalReport {
    /// The plan.
    pub plan: SavedPlan,
    /// What came of it; none: it was not rehearsed, because it is not safe.
    pub rehearsal: Option<Rehearsal>,
}

/// Every format of a rehearsal.
#[cfg(feature = "live")]
pub static REHEARSAL_FORMATS: &[Format<RehearsalReport>] = &[
    Format { name: "text", about: "For people", render: rehearsal_text::render_report },
    Format {
        name: "json",
        about: "For programs (its schema: `cutover schema rehearsal`)",
        render: |report, _| rehearsal_json::render(&report.plan, report.rehearsal.as_ref()),
    },
    Format {
        name: "html",
        about: "One file for browsers and paper, with the plan",
        render: |report, _| match &report.rehearsal {
            Some(rehearsal) => html::render_rehearsed(&report.plan, rehearsal),
            None => html::render(&report.plan),
        },
    },
];

/// Every machine format, with its JSON Schema.
pub static MACHINE_FORMATS: &[MachineFormat] = &[
    MachineFormat { name: "plan", about: "What `plan --format json` prints and `plan -o` saves", schema: plan_schema },
    #[cfg(feature = "live")]
    MachineFormat { name: "rehearsal", about: "What `rehearse --format json` prints", schema: rehearsal_json::schema },
    #[cfg(feature = "cli")]
    MachineFormat { name: "lint", about: "What `lint --format json` prints", schema: lint::json::schema },
    #[cfg(feature = "live")]
    MachineFormat { name: "status", about: "What `status --format json` prints", schema: release_json::status_schema },
    #[cfg(feature = "live")]
    MachineFormat { name: "log", about: "A line of what `log --format json` prints", schema: release_json::log_schema },
    #[cfg(feature = "live")]
    MachineFormat { name: "debt", about: "What `debt --format json` prints", schema: release_json::debt_schema },
    #[cfg(feature = "live")]
    MachineFormat {
        name: "admission",
        about: "What `ready --format json` and `gate wait --format json` print",
        schema: release_json::admission_schema,
    },
    #[cfg(feature = "live")]
    MachineFormat {
        name: "events",
        about: "A line of what `execute --format json` prints",
        schema: event_json::schema,
    },
    #[cfg(feature = "live")]
    MachineFormat { name: "traffic", about: "What `traffic show --format json` prints", schema: traffic_json::schema },
    #[cfg(feature = "live")]
    MachineFormat {
        name: "traffic-test",
        about: "What `traffic test --format json` prints",
        schema: traffic_json::conformance_schema,
    },
    #[cfg(feature = "live")]
    MachineFormat { name: "occasion", about: "What hooks and webhooks get", schema: occasion_schema },
    MachineFormat { name: "config", about: "What `cutover.toml` may have, for editors", schema: crate::config::schema },
    MachineFormat { name: "settings", about: "What `config show --format json` prints", schema: settings_json::schema },
    MachineFormat { name: "stats", about: "What `stats` writes", schema: crate::stats::schema },
    MachineFormat { name: "workload", about: "What `record` writes", schema: workload_schema },
];

#[cfg(feature = "live")]
fn occasion_schema() -> serde_json::Value {
    schemars::schema_for!(crate::tell::Occasion).to_value()
}

fn plan_schema() -> serde_json::Value {
    schemars::schema_for!(crate::plan::format::v2::Plan).to_value()
}

fn workload_schema() -> serde_json::Value {
    schemars::schema_for!(crate::workload::SavedWorkload).to_value()
}
