//! What rows of the overlap lose, in words: the same in text, HTML and JSON.

use crate::plan::saved::SavedPlan;
use crate::rehearse::{Loss, LossKind, Overlap};
use crate::side::Side;

/// A loss, as a head, what is to be known of it, and what to do.
pub(super) struct Words {
    pub(super) head: String,
    pub(super) details: Vec<String>,
    pub(super) help: String,
}

/// A value is not shown further than this.
const LONGEST: usize = 40;

/// Says what is lost, by which step, and what to do about it.
pub(super) fn words(overlap: &Overlap, loss: &Loss, plan: &SavedPlan) -> Words {
    let who = overlap.version.name();
    let step = loss.step.map_or_else(|| "a step".to_owned(), |id| step(plan, id));
    let columns = loss.columns.join(", ");
    let (table, rows) = (&loss.table, format!("rows that {who} writes in the overlap"));
    let head = match (loss.kind, loss.columns.is_empty()) {
        (LossKind::Stops, _) => format!("{step} fails on {rows}, and the release stops there"),
        (LossKind::Taken, true) => format!("{rows} are lost: {step} takes them from {table}"),
        (LossKind::Taken, false) => format!("{rows} lose what they hold in {table} ({columns}): {step} changes it"),
        (LossKind::LeftOut, true) => format!("{rows} are not in {table} at the end: {step} ran before they came"),
        (LossKind::LeftOut, false) => {
            format!("{rows} are not filled in {table} ({columns}): {step} ran before they came")
        }
    };
    let mut details = vec![format!("query {} at {}{}", loss.query, loss.place, with(&loss.values))];
    if !loss.also.is_empty() {
        details.push(format!("the same of {}", loss.also.join(", ")));
    }
    details.extend(loss.message.clone());
    if let Some((home, here)) = &loss.instead {
        let (column, home) = (&loss.columns[0], cut(home));
        let here = here.as_deref().map_or_else(|| "NULL".to_owned(), cut);
        let when = match overlap.version {
            Side::Blue => "before the first step",
            Side::Green => "after the last step",
        };
        details.push(format!("{column} is {here} at the end; with the same query run {when}, it is {home}"));
    }
    if let Some(gone) = loss.gone {
        details.push(format!("{} then takes away what they were written with", self::step(plan, gone)));
    }
    details.extend(loss.told.clone());
    Words { head, details, help: help(overlap.version, loss).to_owned() }
}

fn help(version: Side, loss: &Loss) -> &'static str {
    match (loss.kind, version) {
        (LossKind::LeftOut, _) | (LossKind::Stops, Side::Blue) => {
            "let what fills or copies rows run once more after the cutover, for those that lack it; or keep both forms in sync with a trigger that goes before the cutover"
        }
        (LossKind::Stops, Side::Green) => {
            "let green write what the step demands, or let the release repair such rows after the cutover, before that step"
        }
        (LossKind::Taken, _) => {
            "make the step spare what was written since the cutover; or let it run before the cutover, if blue can do without: `-- cutover: before <reason>`"
        }
    }
}

fn with(values: &str) -> String {
    if values.is_empty() { String::new() } else { format!(", with {values}") }
}

fn cut(value: &str) -> String {
    let more = if value.chars().count() > LONGEST { "…" } else { "" };
    format!("'{}{more}'", value.chars().take(LONGEST).collect::<String>())
}

/// A step, with its place.
fn step(plan: &SavedPlan, id: u32) -> String {
    let Some(step) = plan.step(id) else { return format!("step {id}") };
    let place = step.origin().map(|o| format!(" ({}:{}:{})", o.path, o.line, o.column)).unwrap_or_default();
    let object = if step.object == "?" { String::new() } else { format!(" of {}", step.object) };
    format!("step {id}, {}{object}{place}", step.action)
}
