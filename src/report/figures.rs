//! Where a release stands as figures, in Prometheus's text format.

use std::fmt::Write as _;

use crate::execute::{Overview, Status, StepState};

/// Writes one figure: what it is called behind `cutover_`, what it counts, and its values with their labels.
pub(crate) fn figure(text: &mut String, name: &str, kind: &str, help: &str, values: &[(String, String)]) {
    let _ = writeln!(text, "# HELP cutover_{name} {help}\n# TYPE cutover_{name} {kind}");
    for (labels, value) in values {
        let _ = writeln!(text, "cutover_{name}{labels} {value}");
    }
}

/// A text within a label.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A figure without labels.
pub(crate) fn alone(value: impl ToString) -> Vec<(String, String)> {
    vec![(String::new(), value.to_string())]
}

fn yes(value: bool) -> Vec<(String, String)> {
    alone(u8::from(value))
}

/// The figures of the release that was begun last.
pub(crate) fn of_release(text: &mut String, release: &str, status: &Status) {
    let labels = format!("{{release=\"{}\",stage=\"{}\"}}", escaped(release), escaped(&stage(status)));
    figure(text, "release_info", "gauge", "The release that was begun last.", &[(labels, "1".to_owned())]);
    figure(text, "release_over", "gauge", "Whether another release may begin.", &yes(status.is_over()));
    figure(text, "release_in_trouble", "gauge", "Whether it has failed or is stuck.", &yes(status.trouble.is_some()));
    figure(text, "release_paused", "gauge", "Whether somebody stopped it.", &yes(status.is_paused()));
    let share = f64::from(status.traffic.share.as_basis_points()) / 10_000.0;
    figure(text, "green_share", "gauge", "Green's part of the traffic, from 0 to 1.", &alone(share));
    let help = "Whether blue can no longer come back.";
    figure(text, "past_no_return", "gauge", help, &yes(status.past_no_return.is_some()));
    let skipped = status.steps.values().filter(|step| step.state == StepState::Skipped).count();
    figure(text, "steps_done", "gauge", "How many steps have run.", &alone(status.done() - skipped));
    figure(text, "steps_left_out", "gauge", "How many steps were left out.", &alone(skipped));
}

/// The same as a file for Prometheus's node exporter (`--collector.textfile`), with what only a look at the whole journal tells.
pub fn render_figures(overview: Option<&Overview>) -> String {
    let mut text = String::new();
    let Some(overview) = overview else { return text };
    of_release(&mut text, &overview.release.id, &overview.status);
    figure(&mut text, "steps", "gauge", "How many steps its plan has.", &alone(overview.steps));
    let help = "Since when it is at this stage, in seconds since 1970.";
    figure(&mut text, "release_stage_since_seconds", "gauge", help, &alone(overview.since.as_second()));
    let help = "When it was begun, in seconds since 1970.";
    figure(&mut text, "release_begun_seconds", "gauge", help, &alone(overview.release.created_at.as_second()));
    let help = "Whether somebody executes it.";
    figure(&mut text, "release_executing", "gauge", help, &yes(overview.executor.is_some()));
    text
}

/// The stage, as JSON has it.
fn stage(status: &Status) -> String {
    match serde_json::to_value(&status.stage) {
        Ok(serde_json::Value::String(stage)) => stage,
        Ok(other) => other.get("stage").and_then(|stage| stage.as_str()).unwrap_or("other").to_owned(),
        Err(_) => "other".to_owned(),
    }
}
