//! What happens in a release, where it stands, and its journal, in words.

use super::symbols::direction;
use crate::checks::CheckVerdict;
use crate::execute::{
    Debt, Decided, Entry, Event, Executor, Gate, GuardNow, IndexProgress, Outcome, Overview, Owed, Record,
    ReleaseRecord, SlowestStep, Stage, Standing, Status, StepNow, StepRecord, StepState, Summary, TimeWait,
    TrafficRecord, TrafficState, Trouble,
};
use crate::plan::saved::{Phase, SavedPlan};
use crate::release::{Ramp, Until};

/// What happened, in lines; none where there is nothing to say.
pub fn render_event(event: &Event) -> Vec<String> {
    match event {
        Event::WaitingForLease { holder } => vec![format!("  Waiting   for the lease: {holder}")],
        Event::WaitingForStep { holder } => vec![format!("  Waiting   for the step to end that {holder} runs")],
        Event::LeaseTaken { epoch } => vec![format!("  Locked    cutover.journal (epoch {epoch})")],
        Event::Journaled { release, record, .. } => describe_record(release, record).into_iter().collect(),
        Event::DatabasesCame { place, came, of } => vec![format!("  Databases {came} of {of} that follow: {place}")],
        Event::Replanning { unchanged, comes, goes } => {
            let same =
                if *unchanged == 1 { "1 statement stays".to_owned() } else { format!("{unchanged} statements stay") };
            let mut lines = vec![format!("  Replan    {same}, {} come, {} go", comes.len(), goes.len())];
            lines.extend(comes.iter().map(|sql| format!("        + {}", first_line(sql))));
            lines.extend(goes.iter().map(|sql| format!("        - {}", first_line(sql))));
            lines
        }
        Event::StepRunning { step, of, direction: kind, object, action, sql, attempt } => {
            let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            let mut lines = vec![format!("  Step {step}/{of} {} {object}  {action}{again}", direction(*kind).0)];
            lines.extend(sql.iter().map(|sql| format!("        -> {}", first_line(sql))));
            lines
        }
        Event::LockRetry { attempt, of, message, pause_ms, blockers, .. } => {
            let mut lines =
                vec![format!("     attempt {attempt} of {of}: {message}; again in {}", duration(*pause_ms))];
            lines.extend(blockers.iter().map(|blocker| format!("        blocked by {blocker}")));
            lines
        }
        Event::Watched { blockers, index } => {
            let index = index.as_ref().map(|index| format!("        {}", progress(index)));
            blockers.iter().map(|blocker| format!("        blocked by {blocker}")).chain(index).collect()
        }
        Event::Backfilling { rows, rows_per_second, left_ms, .. } => {
            let left = left_ms.map(|ms| format!(", about {} left", duration(ms))).unwrap_or_default();
            vec![format!("     {rows} rows changed, {rows_per_second} a second{left}")]
        }
        Event::VacuumAdvised { table, rows, autovacuum, .. } => {
            let who = if *autovacuum { "autovacuum clears them away some time" } else { "autovacuum is off for it" };
            vec![format!(
                "     the old versions of {rows} rows are still in {table}: {who}; VACUUM (ANALYZE) {table} does it now"
            )]
        }
        Event::HeldBack { limit, now, most, .. } => {
            vec![format!("     held back by {limit}: {now}, at most {most}")]
        }
        Event::Repaired { sql, .. } => vec![format!("     cleared up: {sql}")],
        Event::Waiting { what, pause_ms } => vec![format!("  Waiting   for {what}; again in {}", duration(*pause_ms))],
        Event::FilesChanged { why } => {
            vec![format!("  Warning   {why}; the release goes on with the text that is in its plan")]
        }
        Event::AtStart { what } => vec![format!("  At start  {what}")],
        Event::Warning { what } => vec![format!("  Warning   {what}")],
        // What goes well again and again is said once: when the release goes on.
        Event::Checked { verdict: CheckVerdict::Successful, .. } => Vec::new(),
        Event::Checked { check, purpose, verdict, said } => {
            vec![format!("  Check     {check} ({purpose}): {verdict}, {said}")]
        }
        Event::HookCalled { hook } => vec![format!("  Hook      {hook}")],
        Event::Summed { summary } => summed(summary),
        Event::BackendLog { line } => vec![format!("        | {line}")],
    }
}

/// What a release took.
fn summed(summary: &Summary) -> Vec<String> {
    let Summary { before_ms, traffic_ms, after_ms, steps, slowest, vain_tries, rows, sessions_ended, carried_on } =
        summary;
    let all = duration(before_ms + traffic_ms + after_ms);
    let (before, traffic, after) = (duration(*before_ms), duration(*traffic_ms), duration(*after_ms));
    let mut more = vec![count(u64::from(*steps), "step", "steps")];
    more.extend(slowest.iter().map(|SlowestStep { step, object, action, ms }| {
        format!("the slowest was {step} ({object}, {action}) with {}", duration(*ms))
    }));
    let counted = |number: u64, one: &str, many: &str| (number > 0).then(|| count(number, one, many));
    more.extend(counted(u64::from(*vain_tries), "try was in vain", "tries were in vain"));
    more.extend(counted(*rows, "row some at a time", "rows some at a time"));
    more.extend(counted(u64::from(*sessions_ended), "session was ended", "sessions were ended"));
    more.extend(counted(u64::from(*carried_on), "time carried on", "times carried on"));
    vec![
        format!("  Took      {all}: {before} before the cutover, {traffic} for the traffic, {after} after it"),
        format!("            {}", more.join("; ")),
    ]
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

pub(super) fn describe_record(release: &str, record: &Record) -> Option<String> {
    match record {
        Record::Release(record) => Some(describe_release(release, record)),
        Record::Traffic(record) => Some(describe_traffic(record)),
        Record::Step { step, what } => describe_step(*step, what),
    }
}

fn describe_release(release: &str, record: &ReleaseRecord) -> String {
    match record {
        ReleaseRecord::Started { traffic, .. } => format!("  Release   {release}, traffic moved by {traffic}"),
        ReleaseRecord::Resumed { .. } => format!("  Resuming  release {release}"),
        ReleaseRecord::DriftAccepted { by, .. } => {
            format!("  Decision  the schema is right, says {} on {}", by.role, by.host)
        }
        ReleaseRecord::Replanned { by, plan, ran, .. } => format!(
            "  Replanned with plan {}, {} of it ran before, says {} on {}",
            plan.get(..12).unwrap_or(plan),
            if ran.len() == 1 { "1 step".to_owned() } else { format!("{} steps", ran.len()) },
            by.role,
            by.host
        ),
        ReleaseRecord::PointOfNoReturn { step, floor } => {
            let floor = floor.as_ref().map(|floor| format!("; {floor} is the oldest version that may run"));
            format!("  Point of no return passed with step {step}: blue cannot come back{}", floor.unwrap_or_default())
        }
        ReleaseRecord::PhaseFinished { phase: Phase::Before } => {
            "  Before cutover: done. Both versions work on this schema".into()
        }
        ReleaseRecord::OthersExpanded => "  Before cutover: done in the other databases, too".into(),
        ReleaseRecord::PhaseFinished { phase: Phase::After } => "  After cutover: done".into(),
        ReleaseRecord::PauseAsked { by, reason } => {
            format!("  Pause     asked for by {} on {}{}", by.role, by.host, because(reason.as_deref()))
        }
        ReleaseRecord::Paused { .. } => "  Paused    the release stays where it is until `cutover resume`".into(),
        ReleaseRecord::TimeAwaited { until_ms, why } => {
            format!("  Waiting   until {}: {}", at(*until_ms), reason(*why))
        }
        ReleaseRecord::TimeCame { by: None } => "  Waited".into(),
        ReleaseRecord::TimeCame { by: Some(by) } => {
            format!("  Decision  steps run at any time, says {} on {}", by.role, by.host)
        }
        ReleaseRecord::SessionEnded { step, backend_pid, role, application, idle_ms, relation } => {
            let whose = role.iter().map(|role| format!(", role {role}"));
            let application = application.iter().filter(|name| !name.is_empty());
            let whose: String = whose.chain(application.map(|name| format!(", application {name:?}"))).collect();
            let of = relation.as_ref().map(|relation| format!(" for {relation}")).unwrap_or_default();
            format!(
                "  Ended     server process {backend_pid}{whose}: it had idled in a transaction for {}, and step {step} waited{of}",
                duration(*idle_ms)
            )
        }
        ReleaseRecord::Stopped { until } => format!("  Stopped   at `{until}`, as was asked for"),
        ReleaseRecord::Interrupted => "  Interrupted; the state is saved".into(),
        ReleaseRecord::Failed { .. } => "  Failed; the state is saved".into(),
        ReleaseRecord::Finished => "  Finished".into(),
        ReleaseRecord::HookCalled { hook } => format!("  Hook      {hook}: ok"),
    }
}

fn describe_traffic(record: &TrafficRecord) -> String {
    match record {
        TrafficRecord::ShiftStarted { share } => format!("  Cutover   green -> {share}"),
        TrafficRecord::Shifted { share, confirmed } => {
            format!("  Cutover   green has {share}{}", if *confirmed { ", verified" } else { ", not verifiable" })
        }
        TrafficRecord::DeploymentAsked => "  Cutover   by a deployment of the platform".into(),
        TrafficRecord::DeploymentStarted { handle } => format!("  Cutover   deployment {handle}"),
        TrafficRecord::GatePassed { gate } => format!("  Gate      {gate}: passed"),
        TrafficRecord::BlueGone => "  Forward   blue is gone, there is no way back".into(),
        TrafficRecord::HoldStarted { until_ms } => format!("  Holding   until {}", at(*until_ms)),
        TrafficRecord::HoldEnded => "  Held".into(),
        TrafficRecord::ApprovalAwaited { gate: Gate::Ramp(gate) | Gate::Deployment(gate) } => {
            format!("  Waiting   for approval at the gate {gate}")
        }
        TrafficRecord::ApprovalAwaited { gate: Gate::Traffic | Gate::Drain } => "  Waiting   for approval".into(),
        TrafficRecord::Promoted { by, reason, .. } => {
            format!("  Promoted  by {} on {}{}", by.role, by.host, because(reason.as_deref()))
        }
        TrafficRecord::Checked { check, purpose, said } => {
            format!("  Check     {check} ({purpose}): successful, {said}")
        }
        TrafficRecord::DrainStarted => "  Draining  blue".into(),
        TrafficRecord::Drained { evidence } => format!("  Drained   blue: {evidence}"),
        TrafficRecord::RollbackStarted { failure: Some(why), .. } => {
            format!("  Rollback  all traffic to blue, because green is unhealthy: {why}")
        }
        TrafficRecord::RollbackStarted { failure: None, reason, .. } => {
            format!("  Rollback  all traffic to blue{}", because(reason.as_deref()))
        }
        TrafficRecord::RolledBack { .. } => "  Rolled back".into(),
    }
}

/// Why, if it was said.
fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}

fn describe_step(step: u32, record: &StepRecord) -> Option<String> {
    Some(match record {
        StepRecord::Started { .. } => return None,
        StepRecord::Progressed { rows, .. } => format!("     {rows} rows changed"),
        StepRecord::Succeeded { ms, .. } => format!("     ok ({})", duration(*ms)),
        StepRecord::Failed { .. } => format!("     step {step} failed"),
        StepRecord::Stuck { .. } => format!("     step {step} is stuck"),
        StepRecord::MarkedDone { by, .. } => {
            format!("  Decision  step {step} is done, says {} on {}", by.role, by.host)
        }
        StepRecord::Skipped { by, reason, .. } => {
            format!("  Decision  step {step} is left out, says {} on {}: {reason}", by.role, by.host)
        }
        StepRecord::Retried { by } => {
            format!("  Decision  step {step} may run again, says {} on {}", by.role, by.host)
        }
    })
}

/// How a command of the engine ended.
pub fn render_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { release, already: false } => format!("Release {release} is complete."),
        Outcome::Done { release, already: true } => format!("Release {release} is complete already; nothing was done."),
        Outcome::AwaitingApproval { release, gate: Gate::Traffic } => format!(
            "Release {release} waits for you. The database is ready for both versions. Now\n  \
             1. start green and move the traffic to it,\n  2. make sure that blue serves nobody any more,\n  \
             3. run `cutover promote`; or go back with `cutover rollback`."
        ),
        Outcome::AwaitingApproval { release, gate: Gate::Drain } => format!(
            "Release {release} waits for you. Green has all traffic, and nothing proves that blue is drained. Now\n  \
             1. make sure that blue serves nobody any more,\n  2. run `cutover promote`; or go back with `cutover rollback`."
        ),
        Outcome::AwaitingApproval { release, gate: Gate::Ramp(gate) | Gate::Deployment(gate) } => format!(
            "Release {release} waits for approval at the gate {gate}. Now run `cutover promote --gate {gate}`; or go back with `cutover rollback`."
        ),
        Outcome::Paused { release, by, reason, hold_until_ms } => {
            let hold = hold_until_ms.map(|until| {
                format!(
                    "\nThe time to hold goes on: it is over at {}, paused or not; nothing moves before `resume`.",
                    at(until)
                )
            });
            format!(
                "Release {release} is paused by {} on {}{}. It stays where it is; `cutover status` shows where. Now run `cutover resume` to go on.{}",
                by.role,
                by.host,
                because(reason.as_deref()),
                hold.unwrap_or_default()
            )
        }
        Outcome::AwaitingTime { release, until_ms, why, back } => {
            let until = at(*until_ms);
            let sooner = match (why, back) {
                (TimeWait::Delay, true) => {
                    "until then `cutover rollback` gives blue the traffic again, and `cutover resume --after-delay 0s` waits no longer"
                }
                (TimeWait::Delay, false) => "`cutover resume --after-delay 0s` waits no longer",
                (TimeWait::Window, _) => "`cutover resume --at-any-time` goes on now",
            };
            format!(
                "Release {release} waits until {until}: {}. Run `cutover resume` then, or `cutover resume --wait` now; {sooner}.",
                reason(*why)
            )
        }
        Outcome::Stopped { release, until, already: false } => {
            format!("Release {release} has come to `{until}`, where it was to stop. {}", what_follows(*until))
        }
        Outcome::Stopped { release, until, already: true } => format!(
            "Release {release} has come to `{until}` before, or is beyond it; nothing was done. `cutover status` shows where it is."
        ),
        Outcome::HandedOver { release, to } => {
            format!("Release {release} goes on: {to} carries on with it, as it was told when it was started.")
        }
        Outcome::RolledBack { release, failure: Some(why), .. } => format!(
            "Release {release} went back, because green is unhealthy: {why}.\n\
             Blue has all traffic. What was added to the schema stays. When green is mended, run `cutover resume`."
        ),
        Outcome::RolledBack { release, by_hand: false, failure: None } => {
            format!("Release {release} is rolled back: blue has all traffic. What was added to the schema stays.")
        }
        Outcome::RolledBack { release, by_hand: true, failure: None } => format!(
            "Release {release} is rolled back. Move all traffic to blue now, if it is not there yet. What was added to the schema stays."
        ),
    }
}

/// Why what comes next does not run yet.
fn reason(why: TimeWait) -> &'static str {
    match why {
        TimeWait::Delay => "nothing is taken from blue before that (`[release.after]`, delay)",
        TimeWait::Window => "steps of this phase run at certain times only (`[release.before]`, `[release.after]`)",
    }
}

/// What comes behind a place at which a release was to stop.
fn what_follows(until: Until) -> &'static str {
    match until {
        Until::Expanded => {
            "Both versions work on the schema, and green has no traffic. Deploy green, then run `cutover resume`, which moves the traffic; or \
             `cutover rollback`."
        }
        Until::Shifted => {
            "Green has all traffic, and blue still runs. `cutover resume` sees blue drained and runs what comes after the cutover; or \
             `cutover rollback`."
        }
        Until::Drained => {
            "Blue serves nobody any more. `cutover resume` runs what comes after the cutover; or `cutover rollback`."
        }
    }
}

fn first_line(sql: &str) -> String {
    let mut lines = sql.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--"));
    let first: String = lines.next().unwrap_or_default().chars().take(100).collect();
    if lines.next().is_some() { format!("{first} …") } else { first }
}

/// A time in the unit that fits.
pub(super) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} m {:02} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

/// Where a release stands, who works on it, and what can be done next.
pub fn render_overview(overview: &Overview) -> String {
    let Overview { release, status, .. } = overview;
    let plan = release.saved_plan().ok();
    let mut lines = vec![
        format!("Release    {}, begun {} by {} on {}", release.id, release.created_at, release.role, release.host),
        format!("Stage      {}, since {}", status.stage, overview.since),
        format!("Steps      {} of {} done{}", status.done(), overview.steps, left_out(status)),
    ];
    lines.extend(overview.step.as_ref().map(|step| format!("Step       {}", step_now(step))));
    lines.extend(overview.executor.as_ref().map(|executor| format!("Executor   {}", executor_now(executor))));
    if let Some(executor) = &overview.executor {
        lines.extend(executor.blockers.iter().map(|blocker| format!("           blocked by {blocker}")));
    }
    lines.push(format!("Traffic    {}", traffic_now(overview)));
    lines.extend(overview.guard.as_ref().map(guard_now));
    let decided = |decided: &Decided| {
        format!("Decision   {} by {} on {}, {}", decided.what, decided.by.role, decided.by.host, decided.at)
    };
    lines.extend(overview.decisions.iter().map(decided));
    let no_return = match (status.past_no_return, &plan) {
        (Some(step), _) => format!("passed with step {step}"),
        (None, Some(plan)) => {
            let step = plan.steps.iter().find(|step| step.point_of_no_return);
            step.map_or("none in this plan".into(), |step| format!("step {} ({}), not run yet", step.id, step.object))
        }
        (None, None) => "not passed".into(),
    };
    lines.push(format!("No return  {no_return}"));
    match &status.trouble {
        None => {}
        Some(Trouble::Failed { step: Some(step), message }) => lines.push(format!("Failed     step {step}: {message}")),
        Some(Trouble::Failed { step: None, message }) => lines.push(format!("Failed     {message}")),
        Some(Trouble::Stuck { step, message }) => lines.push(format!("Stuck      step {step}: {message}")),
        Some(Trouble::Interrupted) => lines.push("Interrupted".into()),
    }
    lines.extend(status.standing.as_ref().map(standing));
    lines.push(format!("Next       {}", next(overview)));
    lines.extend(overview.hidden.as_ref().map(|hidden| format!("Not shown  {hidden}")));
    lines.join("\n")
}

/// What a release still owes.
pub fn render_debt(debt: Option<&Debt>) -> String {
    let Some(debt) = debt else { return "No step after a cutover is owed in this database.".to_owned() };
    let Debt { release, role, host, since, age_seconds, due, next, steps } = debt;
    let age = match age_seconds / 3_600 {
        0 => format!("{} min", age_seconds / 60),
        hours @ 1..48 => format!("{hours} h"),
        hours => format!("{} days", hours / 24),
    };
    let mut lines = vec![
        format!("Release    {release}, begun by {role} on {host}"),
        format!("Owed       since {since} ({age}): green has had all traffic since then"),
        match due {
            Some(due) => format!("Due        {due}"),
            None => "Due        now".to_owned(),
        },
        match next.as_slice() {
            [] => "Next       nothing: an executor works on it".to_owned(),
            next => {
                let next: Vec<String> = next.iter().map(|command| format!("`{command}`")).collect();
                format!("Next       {}", next.join(", or "))
            }
        },
    ];
    lines.extend(steps.iter().map(|Owed { step, object, action, place }| {
        let place = place.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
        format!("Step       {step} ({object}, {action}){place}")
    }));
    lines.push("Left out   one that is not needed any more: `cutover resume --skip STEP --reason TEXT`".to_owned());
    lines.join("\n")
}

/// That somebody wants it to stay where it is.
fn standing(standing: &Standing) -> String {
    match standing {
        Standing::PauseAsked { by, reason } => {
            format!("Pause      asked for by {} on {}{}, not heard yet", by.role, by.host, because(reason.as_deref()))
        }
        Standing::Paused { by, reason } => {
            format!("Paused     by {} on {}{}", by.role, by.host, because(reason.as_deref()))
        }
        Standing::AwaitingTime { until_ms, why } => format!("Waits      until {}: {}", at(*until_ms), reason(*why)),
        Standing::Stopped { until } => format!("Stopped    at `{until}`, as was asked for"),
    }
}

/// How many steps were left out.
fn left_out(status: &Status) -> String {
    match status.steps.values().filter(|step| step.state == StepState::Skipped).count() {
        0 => String::new(),
        count => format!(", {count} of them left out"),
    }
}

fn step_now(now: &StepNow) -> String {
    let StepNow { step, object, action, place, state, begun, rows, rows_in_table, index } = now;
    let mut text = format!("{step} ({object}, {action})");
    text.extend(place.iter().map(|place| format!(" at {place}")));
    text.push_str(match state {
        StepState::Ready => "",
        StepState::Begun => ", begun",
        StepState::Failed => ", failed",
        StepState::Stuck => ", stuck",
        StepState::Done => ", done",
        StepState::Skipped => ", left out",
    });
    text.extend(begun.iter().map(|at| format!(" {at}")));
    match (rows, rows_in_table) {
        (Some(rows), Some(all)) => text.push_str(&format!(", {rows} rows changed of a table of about {all}")),
        (Some(rows), None) => text.push_str(&format!(", {rows} rows changed")),
        (None, _) => {}
    }
    text.extend(index.iter().map(|index| format!(", {}", progress(index))));
    text
}

pub(super) fn progress(index: &IndexProgress) -> String {
    let IndexProgress { phase, blocks_done, blocks_total, lockers_done, lockers_total } = index;
    let mut text = phase.clone();
    if *blocks_total > 0 {
        text.push_str(&format!(", block {blocks_done} of {blocks_total}"));
    }
    if *lockers_total > 0 {
        text.push_str(&format!(", {lockers_done} of {lockers_total} transactions have ended"));
    }
    text
}

fn executor_now(executor: &Executor) -> String {
    let mut text = executor.holder.to_string();
    text.extend(executor.transaction_seconds.map(|seconds| format!(", transaction open for {seconds} s")));
    text.extend(executor.waits_for.as_ref().map(|what| format!(", waits for {what}")));
    text
}

fn traffic_now(overview: &Overview) -> String {
    let traffic = &overview.status.traffic;
    let now = overview.traffic;
    let mut text = format!("green has {} ({})", traffic.share, traffic.backend);
    if now.asked != now.seen {
        text.extend(now.asked.map(|asked| format!(", {asked} was asked for")));
    } else if now.confirmed == Some(false) {
        text.push_str(", not confirmed by the backend");
    }
    if let TrafficState::Holding { until_ms } = traffic.state {
        text.push_str(&format!(", holds until {}", at(until_ms)));
    }
    if traffic.ramp != Ramp::all_at_once() {
        let (done, all) = (traffic.ramp_done, traffic.ramp.steps().len());
        text.push_str(&format!("; {done} of {all} steps of the ramp {}", traffic.ramp));
    }
    text
}

/// A time of the server's, in milliseconds since 1970.
pub(super) fn at(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn guard_now(guard: &GuardNow) -> String {
    let sessions = match guard.now {
        0 => "no session".to_owned(),
        1 => "1 session".to_owned(),
        more => format!("{more} sessions"),
    };
    let never = if guard.seen || guard.now > 0 { "" } else { ", and none was ever seen: the name may be misspelt" };
    format!("Guard      {sessions} with {} now{never}", guard.sessions)
}

fn next(overview: &Overview) -> String {
    let commands: Vec<String> = overview.next.iter().map(|command| format!("`{command}`")).collect();
    match (&overview.status.stage, &overview.executor) {
        (Stage::Done, _) => "nothing".into(),
        (Stage::RolledBack, _) => "`cutover resume` rolls forward again; or make a new plan".into(),
        (_, Some(_)) if commands.is_empty() => "nothing: an executor works on it".into(),
        _ => commands.join(", or "),
    }
}

/// Sequence, time, epoch, event, the step by its name, and the record's own words.
pub fn render_entry(entry: &Entry, plan: Option<&SavedPlan>) -> String {
    let mut detail = serde_json::to_value(&entry.record).unwrap_or_default();
    if let Some(object) = detail.as_object_mut() {
        for noise in ["about", "event", "relations"] {
            object.shift_remove(noise);
        }
    }
    let detail = match detail.as_object() {
        Some(object) if !object.is_empty() => detail.to_string(),
        _ => String::new(),
    };
    let at = entry.at.strftime("%Y-%m-%d %H:%M:%S");
    let name = step_name(entry, plan).map(|name| format!(" {name}")).unwrap_or_default();
    format!("{:>4}  {at}  epoch {}  {:<18} {detail}{name}", entry.seq, entry.epoch, entry.record.name())
        .trim_end()
        .to_owned()
}

/// What the step of a record is about and does.
pub fn step_name(entry: &Entry, plan: Option<&SavedPlan>) -> Option<String> {
    let step = plan?.step(entry.record.step()?)?;
    Some(format!("{}, {}", step.object, step.action))
}
