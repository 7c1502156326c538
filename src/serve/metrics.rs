//! Figures in Prometheus's text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use super::looks::Figures;
use crate::execute::Status;

/// How many requests were answered, by path and status.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<BTreeMap<(String, u16), u64>>);

impl Requests {
    pub(super) fn count(&self, path: &str, status: u16) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counted.entry((path.to_owned(), status)).or_default() += 1;
    }
}

/// `found`: how the last release is, if the database answers.
pub(super) fn text(found: Option<&Figures>, requests: &Requests) -> String {
    let mut text = String::new();
    let mut figure = |name: &str, kind: &str, help: &str, values: &[(String, String)]| {
        let _ = writeln!(text, "# HELP cutover_{name} {help}\n# TYPE cutover_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "cutover_{name}{labels} {value}");
        }
    };
    let one = |value: bool| vec![(String::new(), u8::from(value).to_string())];
    figure("database_up", "gauge", "Whether the database answers.", &one(found.is_some()));
    if let Some(Some(last)) = found {
        let (release, status) = &**last;
        let share = f64::from(status.traffic.share.as_basis_points()) / 10_000.0;
        let stage = stage(status);
        let labels = format!("{{release=\"{}\",stage=\"{}\"}}", escaped(release), escaped(&stage));
        figure("release_info", "gauge", "The release that was begun last.", &[(labels, "1".to_owned())]);
        figure("release_over", "gauge", "Whether another release may begin.", &one(status.is_over()));
        figure("release_in_trouble", "gauge", "Whether it has failed or is stuck.", &one(status.trouble.is_some()));
        figure("release_paused", "gauge", "Whether somebody stopped it.", &one(status.is_paused()));
        let help = "Green's part of the traffic, from 0 to 1.";
        figure("green_share", "gauge", help, &[(String::new(), share.to_string())]);
        let help = "Whether blue can no longer come back.";
        figure("past_no_return", "gauge", help, &one(status.past_no_return.is_some()));
    }
    let counted = requests.0.lock().unwrap_or_else(PoisonError::into_inner);
    let counted: Vec<_> = counted
        .iter()
        .map(|((path, status), count)| {
            (format!("{{path=\"{}\",status=\"{status}\"}}", escaped(path)), count.to_string())
        })
        .collect();
    figure("requests_total", "counter", "Requests that were answered.", &counted);
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

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
