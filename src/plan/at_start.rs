//! Applications that run their migrations when they start, while the release stands between its phases: what a blue that starts again would do, and what
//! green must not do.

use super::saved::{Phase, PlannedMigration, SavedPlan, Verdict};
use crate::migrations::{AtStart, Behind};

/// What is to be said of them, in sentences; none where the plan leaves nothing for them to do.
pub fn at_start(plan: &SavedPlan) -> Vec<String> {
    let tool = plan.migrations.convention.tool();
    let Some(AtStart { behind, without, .. }) = &tool.at_start else { return Vec::new() };
    // On an empty database there is no version that could be disturbed, and a plan that is refused does not get there.
    if plan.migrations.applied.is_empty() || plan.verdict == Verdict::Unsafe {
        return Vec::new();
    }
    let runs_in = |migration: &PlannedMigration, phase| {
        let mut origins = plan.phase(phase).flat_map(|step| step.statements()).filter_map(|s| s.origin.as_ref());
        origins.any(|origin| origin.version == migration.version)
    };
    let untold = match behind {
        Behind::Untold { until } => Some(until),
        Behind::Starts | Behind::Stops { .. } => None,
    };
    let complete = |version: &str| plan.phase(Phase::Before).any(|step| step.completes.iter().any(|v| v == version));
    let (recorded, left): (Vec<&PlannedMigration>, Vec<&PlannedMigration>) = plan
        .migrations
        .pending
        .iter()
        .filter(|migration| runs_in(migration, Phase::Before) || runs_in(migration, Phase::After))
        .partition(|migration| untold.is_none() && complete(&migration.version));
    let mut said = Vec::new();
    let label = tool.label;
    let blue = |first: &PlannedMigration| {
        let when = format!("if it starts again once the history has {}", first.version);
        Some(match behind {
            Behind::Starts | Behind::Untold { .. } => return None,
            Behind::Stops { unless: None } => format!("blue stops {when}, a version that its files lack"),
            Behind::Stops { unless: Some(setting) } => {
                format!("blue stops {when}, a version that its files lack; {setting} lets it start")
            }
        })
    };
    said.extend(recorded.first().and_then(|first| blue(first)));
    if let Some(first) = left.first() {
        let what = match (runs_in(first, Phase::Before), untold) {
            (true, None) => format!("green would fail at {}, of which some statements have run by then", first.version),
            (true, Some(_)) => {
                format!("green would run {} a second time, for its history does not get it", first.version)
            }
            (false, _) => format!("green would run {}, which belongs after the cutover", first.version),
        };
        let and = untold.map_or_else(String::new, |until| format!(" and {until}"));
        said.push(format!("{what}: {without} until the release is done{and}"));
    }
    said.into_iter().map(|sentence| format!("{sentence} ({label})")).collect()
}
