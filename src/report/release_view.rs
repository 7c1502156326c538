//! A release as whoever watches it sees it: all of it, to be drawn again and again, or a line for each thing that happens.

use jiff::Timestamp;

use super::release_text::{at, describe_record, duration, progress, render_overview, step_name};
use super::style::{Style, Tone};
use crate::execute::{Entry, Gate, Overview, Record, ReleaseRecord, Stage, StepRecord, TrafficRecord, TrafficState};
use crate::plan::saved::Phase;
use crate::release::RampStep;

/// How long the bar of the steps is.
const BAR: usize = 24;

/// A release at a glance: what `status` says, with its phases, its ramp and what is known of green.
pub fn render_live(overview: &Overview, now: Timestamp, style: Style) -> String {
    let mut lines = Vec::new();
    for line in render_overview(overview).lines() {
        match line.split_once(' ') {
            Some(("Stage", stage)) => {
                lines.push(format!("Stage {}", style.paint(Tone::Strong, stage)));
                lines.push(format!("Phases     {}", phases(overview, style)));
                lines.push(format!("Ramp       {}", ramp(overview, now, style)));
            }
            Some(("Steps", count)) => lines.push(format!("Steps      {} {}", bar(overview, style), count.trim_start())),
            Some(("Next", _)) => {
                lines.push(format!("Green      {}", green(overview, style)));
                lines.push(line.to_owned());
            }
            Some(("Failed" | "Stuck" | "Paused" | "Pause" | "Stopped", _)) => {
                lines.push(style.paint(Tone::Change, line));
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

fn bar(overview: &Overview, style: Style) -> String {
    let full = (overview.status.done() * BAR).checked_div(overview.steps).unwrap_or(BAR).min(BAR);
    let (done, left) = ("#".repeat(full), "-".repeat(BAR - full));
    format!("{}{}", style.paint(Tone::Good, &done), style.paint(Tone::Quiet, &left))
}

/// The three phases, with the steps that are done; the present one is in brackets.
fn phases(overview: &Overview, style: Style) -> String {
    let status = &overview.status;
    let plan = overview.release.saved_plan().ok();
    let steps = |phase| {
        let of_phase = || plan.iter().flat_map(|plan| plan.phase(phase));
        let done = of_phase().filter(|step| status.is_done(step.id)).count();
        format!("{done} of {}", of_phase().count())
    };
    let present = match status.stage {
        Stage::Before => 0,
        Stage::Shifting | Stage::AwaitingApproval { .. } | Stage::Draining => 1,
        Stage::After => 2,
        Stage::Done => 3,
        // Where it goes back from is over; nothing before it is.
        Stage::RollingBack | Stage::RolledBack if status.expanded => 1,
        Stage::RollingBack | Stage::RolledBack => 0,
    };
    let names = [
        format!("before the cutover, {}", steps(Phase::Before)),
        "cutover".to_owned(),
        format!("after, {}", steps(Phase::After)),
    ];
    row(names, present, style)
}

/// Things that follow each other: those that are over, the present one in brackets, and what comes.
fn row(things: impl IntoIterator<Item = String>, present: usize, style: Style) -> String {
    let draw = |(at, thing): (usize, String)| match at.cmp(&present) {
        std::cmp::Ordering::Less => style.paint(Tone::Good, &thing),
        std::cmp::Ordering::Equal => style.paint(Tone::Strong, &format!("[{thing}]")),
        std::cmp::Ordering::Greater => style.paint(Tone::Quiet, &thing),
    };
    things.into_iter().enumerate().map(draw).collect::<Vec<_>>().join(" → ")
}

fn ramp(overview: &Overview, now: Timestamp, style: Style) -> String {
    let (status, traffic) = (&overview.status, &overview.status.traffic);
    let here = |at: usize| at == traffic.ramp_done && status.is_in_ramp();
    let name = |((at, step), word): ((usize, &RampStep), String)| match (step, &traffic.state) {
        (RampStep::Hold { .. }, TrafficState::Holding { until_ms }) if here(at) => {
            let left = until_ms.saturating_sub(now.as_millisecond());
            format!("{word}, {} left", duration(u64::try_from(left).unwrap_or(0)))
        }
        (RampStep::Share(_), TrafficState::Moving) if here(at) && overview.traffic.asked != overview.traffic.seen => {
            format!("{word}, asked for")
        }
        (_, TrafficState::AwaitingApproval { gate }) if here(at) && *gate != Gate::Drain => {
            format!("{word}, waits for approval")
        }
        _ => word,
    };
    let steps = traffic.ramp.steps();
    let drain = match traffic.state {
        TrafficState::AwaitingApproval { gate: Gate::Drain } => "drain blue, waits for approval",
        _ => "drain blue",
    };
    let things = steps.iter().enumerate().zip(traffic.ramp.in_words()).map(name).chain([drain.to_owned()]);
    let present = match status.stage {
        Stage::Shifting | Stage::AwaitingApproval { .. } if traffic.ramp_done < steps.len() => traffic.ramp_done,
        Stage::Shifting | Stage::AwaitingApproval { .. } | Stage::Draining => steps.len(),
        Stage::After | Stage::Done => steps.len() + 1,
        // Nothing of it has begun, or nothing of it counts any more.
        Stage::Before | Stage::RollingBack | Stage::RolledBack => {
            return style.paint(Tone::Quiet, &format!("{} → drain blue", traffic.ramp));
        }
    };
    row(things, present, style)
}

/// What the journal says of green's health.
fn green(overview: &Overview, style: Style) -> String {
    let word = overview.journal.iter().rev().find_map(|entry| match &entry.record {
        Record::Release(ReleaseRecord::Failed { message }) => Some(Some(message)),
        Record::Traffic(TrafficRecord::RollbackStarted { failure, .. }) => Some(failure.as_ref()),
        Record::Release(ReleaseRecord::Resumed { .. } | ReleaseRecord::Started { .. }) => Some(None),
        _ => None,
    });
    match word.flatten() {
        Some(why) => style.paint(Tone::Bad, why),
        None => style.paint(Tone::Quiet, "nothing wrong was seen"),
    }
}

/// What is worth a line when it has come into the journal; none where there is nothing to say.
pub fn render_happened(entry: &Entry, overview: &Overview) -> Option<String> {
    let plan = overview.release.saved_plan().ok();
    let name = || step_name(entry, plan.as_ref()).map(|name| format!(" ({name})")).unwrap_or_default();
    let what = match &entry.record {
        Record::Step { step, what } => {
            let what = match what {
                StepRecord::Started { .. } => "begins".to_owned(),
                StepRecord::Progressed { rows, .. } => format!("has changed {rows} rows"),
                StepRecord::Succeeded { ms, .. } => format!("is done, {}", duration(*ms)),
                StepRecord::Failed { message } => format!("failed: {message}"),
                StepRecord::Stuck { message } => format!("is stuck: {message}"),
                StepRecord::MarkedDone { by, .. } => format!("is done, says {} on {}", by.role, by.host),
                StepRecord::Skipped { by, reason, .. } => {
                    format!("is left out, says {} on {}: {reason}", by.role, by.host)
                }
                StepRecord::Retried { by } => format!("may run again, says {} on {}", by.role, by.host),
            };
            format!("Step {step}{} {what}", name())
        }
        Record::Release(ReleaseRecord::Failed { message }) => format!("Failed    {message}"),
        record => describe_record(&overview.release.id, record)?.trim_start().to_owned(),
    };
    Some(line_at(entry.at, &what))
}

/// A line about something that was seen, and when.
pub fn line_at(at: Timestamp, what: &str) -> String {
    format!("{}  {what}", at.strftime("%H:%M:%S"))
}

/// A release in a line, for whoever begins to watch it.
pub fn render_headline(overview: &Overview) -> String {
    let status = &overview.status;
    let hold = match status.traffic.state {
        TrafficState::Holding { until_ms } => format!(", holds until {}", at(until_ms)),
        _ => String::new(),
    };
    format!(
        "Release {}: {}; {} of {} steps done; green has {}{hold}",
        overview.release.id,
        status.stage,
        status.done(),
        overview.steps,
        status.traffic.share
    )
}

/// Who holds the executor up, and how far the server is with an index: what no journal has.
pub fn render_beside(overview: &Overview) -> Vec<String> {
    let blockers = overview.executor.iter().flat_map(|executor| &executor.blockers);
    let index = overview.step.as_ref().and_then(|step| step.index.as_ref());
    blockers.map(|blocker| format!("blocked by {blocker}")).chain(index.map(progress)).collect()
}
