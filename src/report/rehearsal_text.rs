//! A rehearsal as text: the compatibility matrix (queries × states), what breaks, and the verdict.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::RehearsalReport;
use super::matrix_text;
use super::overlap_words::{Words, words};
use super::plan_text;
use super::row_words;
use super::style::{Style, Tone};
use crate::compat::Meaning;
use crate::compat::matrix::{Break, Cell};
use crate::plan::saved::SavedPlan;
use crate::rehearse::rehearsal::Rehearsal;
use crate::rehearse::{Difference, Overlap, RealRows, Replayed, Synthetic};
use crate::side::Side;

/// Draws a plan, and what came of its rehearsal.
pub(super) fn render_report(report: &RehearsalReport, style: Style) -> String {
    let RehearsalReport { plan, rehearsal } = report;
    let rehearsed = rehearsal.as_ref().map(|rehearsal| render(rehearsal, plan, style));
    plan_text::render(plan, style) + &rehearsed.unwrap_or_default()
}

/// Draws a rehearsal.
pub fn render(rehearsal: &Rehearsal, plan: &SavedPlan, style: Style) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut out, rehearsal, plan, style);
    out
}

fn write(out: &mut String, rehearsal: &Rehearsal, plan: &SavedPlan, style: Style) -> std::fmt::Result {
    let steps = if plan.steps.len() == 1 { "step" } else { "steps" };
    writeln!(out, "\nRehearsed on {}: {} {steps}.", rehearsal.server, plan.steps.len())?;
    if !rehearsal.matrix.rows.is_empty() {
        matrix_text::write(out, &rehearsal.matrix, style, !rehearsal.replayed.is_empty())?;
        writeln!(out)?;
    }
    for (row, failure) in rehearsal.unfit() {
        let own = match row.version {
            Side::Blue => "before the release",
            Side::Green => "after the release",
        };
        writeln!(
            out,
            "{} {} {} ({}) does not work on its own schema, {own}, so it shows nothing: {}",
            style.paint(Tone::Change, "note:"),
            row.version.name(),
            row.query,
            row.place,
            failure.message
        )?;
    }
    for found in rehearsal.breaks() {
        broken(out, &found, plan, "", style)?;
    }
    for found in &rehearsal.replayed {
        replayed(out, found)?;
    }
    for found in &rehearsal.synthetic {
        synthetic(out, found)?;
    }
    for found in &rehearsal.overlaps {
        overlap(out, found, plan, style)?;
    }
    disagreements(out, rehearsal, style)?;
    for found in &rehearsal.differences {
        fresh(out, found, style)?;
    }
    if let Some((place, message)) = &rehearsal.fresh_failure {
        writeln!(
            out,
            "{} a fresh installation fails, which runs the files in their own order, each as its tool does\n    {place}: {message}",
            style.paint(Tone::Bad, "error:")
        )?;
    }
    if !rehearsal.misjudged.is_empty() {
        writeln!(
            out,
            "{} the files leave another schema than their text says (- text, + server); the plan knows it only as far as it was observed:",
            style.paint(Tone::Change, "warning:")
        )?;
        for line in &rehearsal.misjudged {
            writeln!(out, "    {line}")?;
        }
    }
    if let Some(rows) = &rehearsal.on_rows {
        on_rows(out, rehearsal, rows, plan, style)?;
    }
    if !rehearsal.is_safe() {
        return writeln!(out, "{} The rehearsal broke.", style.paint(Tone::Bad, "Not safe."));
    }
    let count = |version| rehearsal.matrix.rows.iter().filter(|r| r.version == version).count();
    let queries = match (count(Side::Blue), count(Side::Green)) {
        (0, 0) => "no queries were given; a fresh installation ends in the same database".to_owned(),
        (blue, green) => format!(
            "{blue} blue and {green} green queries work at every state they must; a fresh installation ends in the same database"
        ),
    };
    writeln!(out, "{} {queries}.", style.paint(Tone::Good, "Rehearsal passed:"))
}

/// A query that fails where its version must live.
fn broken(out: &mut String, found: &Break<'_>, plan: &SavedPlan, on: &str, style: Style) -> std::fmt::Result {
    let step = found.state.after_step.and_then(|id| plan.step(id));
    let what = step.map_or_else(
        || "before the first step".to_owned(),
        |step| {
            let origin = step.origin();
            let place = origin.map(|o| format!(" ({}:{}:{})", o.path, o.line, o.column)).unwrap_or_default();
            format!("after step {}, {} of {}{place}", step.id, step.action, step.object)
        },
    );
    writeln!(
        out,
        "{} {} breaks{on} {what}\n    query {} at {}\n    {}",
        style.paint(Tone::Bad, "error:"),
        found.row.version.name(),
        found.row.query,
        found.row.place,
        found.failure.message
    )
}

/// What a recording could show.
fn replayed(out: &mut String, found: &Replayed) -> std::fmt::Result {
    let who = found.version.name();
    write!(
        out,
        "Played again at every state where {who} lives: {} of {} recorded statements",
        found.compared, found.statements
    )?;
    if found.stray > 0 {
        write!(out, "; failing elsewhere, and none of the queries: {}", found.stray)?;
    }
    if found.unfit > 0 {
        write!(out, "; failing on {who}'s own schema, too: {}", found.unfit)?;
    }
    for (reason, count) in &found.left_out {
        write!(out, "; left out: {count} ({reason})")?;
    }
    if found.cut > 0 {
        write!(out, "; not everywhere, for it took too long: {}", found.cut)?;
    }
    writeln!(out, ".")
}

/// How many queries that may or may not be broken are shown.
const MOST_UNDECIDED: usize = 10;

/// What queries without a recording could show.
fn synthetic(out: &mut String, found: &Synthetic) -> std::fmt::Result {
    let who = found.version.name();
    write!(
        out,
        "Run on synthetic rows at every state where {who} lives: {} of {} queries; tables filled: {}",
        found.compared, found.queries, found.filled
    )?;
    if found.had_rows > 0 {
        write!(out, ", with rows before: {}", found.had_rows)?;
    }
    if !found.unfilled.is_empty() {
        write!(out, ", not filled: {}", found.unfilled.len())?;
    }
    if found.cut > 0 {
        write!(out, "; not everywhere, for it took too long: {}", found.cut)?;
    }
    writeln!(out, ".")?;
    for (table, why) in &found.unfilled {
        writeln!(out, "    not filled: {table}: {why}")?;
    }
    for (why, count) in &found.nothing {
        writeln!(out, "    not run, {count}: {}", did_not_run(why, who))?;
    }
    for one in found.undecided.iter().take(MOST_UNDECIDED) {
        let from =
            one.after_step.map_or_else(|| "before the first step".to_owned(), |step| format!("after step {step}"));
        writeln!(
            out,
            "    {who} {} ({}) fails {from} with the values that were tried, and may succeed with others: {}",
            one.query, one.place, one.message
        )?;
    }
    match found.undecided.len().checked_sub(MOST_UNDECIDED) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(out, "    and {more} more, all of them in --format json"),
    }
}

/// What became of rows that were written in the overlap.
fn overlap(out: &mut String, found: &Overlap, plan: &SavedPlan, style: Style) -> std::fmt::Result {
    for loss in &found.losses {
        let Words { head, details, help } = words(found, loss, plan);
        let tone = match loss.told {
            Some(_) => style.paint(Tone::Change, "warning:"),
            None => style.paint(Tone::Bad, "error:"),
        };
        writeln!(out, "{tone} {head}")?;
        for detail in details {
            writeln!(out, "    {detail}")?;
        }
        writeln!(out, "    help: {help}")?;
    }
    if found.queries == 0 {
        return Ok(());
    }
    write!(
        out,
        "Written in the overlap by {}, and followed to the end: {} of {} queries that write",
        found.version.name(),
        found.compared,
        found.queries
    )?;
    if found.cut > 0 {
        write!(out, "; not followed, for it took too long: {}", found.cut)?;
    }
    writeln!(out, ".")?;
    for (why, count) in &found.nothing {
        writeln!(out, "    not followed, {count}: {why}")?;
    }
    Ok(())
}

/// How many differences of a database from the files are shown.
const MOST_DRIFT: usize = 10;

/// What the release did on rows that were there.
fn on_rows(
    out: &mut String,
    rehearsal: &Rehearsal,
    rows: &RealRows,
    plan: &SavedPlan,
    style: Style,
) -> std::fmt::Result {
    writeln!(out, "\nRun on the rows of {}: {} of {} steps.", rows.from, rows.steps.len(), plan.steps.len())?;
    if !rows.steps.is_empty() {
        writeln!(out, "\n  step       took       rows        log")?;
    }
    for step in &rows.steps {
        let planned = plan.step(step.step);
        let words = row_words::measured(step, planned);
        let what = planned.map(|step| format!("{}, {}", step.object, step.action)).unwrap_or_default();
        writeln!(out, "  {:>4} {:>10} {:>10} {:>10}  {what}", step.step, words.took, words.rows, words.log)?;
        for line in words.more {
            writeln!(out, "{:41}{}", "", style.paint(Tone::Quiet, &line))?;
        }
    }
    if !rows.steps.is_empty() {
        writeln!(out)?;
    }
    if let Some(failure) = &rows.failure {
        let head = row_words::failure(failure, plan, &rows.from);
        writeln!(out, "{} {head}\n    {}", style.paint(Tone::Bad, "error:"), failure.message)?;
        if let Some(held) = row_words::held(&failure.locks) {
            writeln!(out, "    {held}")?;
        }
    }
    for found in rows.breaks(&rehearsal.matrix) {
        broken(out, &found, plan, &format!(" on the database of {}", rows.from), style)?;
    }
    if !rows.drift.is_empty() {
        writeln!(
            out,
            "{} the database of {} differs from what the migrations make (- the migrations, + the database):",
            style.paint(Tone::Change, "warning:"),
            rows.from
        )?;
        for line in rows.drift.iter().take(MOST_DRIFT) {
            writeln!(out, "    {line}")?;
        }
        if let Some(more @ 1..) = rows.drift.len().checked_sub(MOST_DRIFT) {
            writeln!(out, "    and {more} more, all of them in --format json")?;
        }
    }
    for line in row_words::unseen(rows, plan) {
        writeln!(out, "Not shown by these rows: {line}.")?;
    }
    Ok(())
}

/// Why a query was not run on synthetic rows, in words.
pub(super) fn did_not_run(why: &str, who: &str) -> String {
    let is_code = why.len() == 5 && why.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    if is_code {
        format!("failed on {who}'s own schema with the values that were tried (SQLSTATE {why})")
    } else {
        why.to_owned()
    }
}

/// Where the server says something else of a query than its text.
fn disagreements(out: &mut String, rehearsal: &Rehearsal, style: Style) -> std::fmt::Result {
    let (settled, told): (Vec<_>, Vec<_>) =
        rehearsal.disagreements.iter().partition(|found| found.meaning == Meaning::Settled);
    if !told.is_empty() {
        writeln!(out, "The server says something else than the text:")?;
    }
    for found in told {
        let from = match found.after_step {
            Some(step) => format!("after step {step}"),
            None => "before the first step".to_owned(),
        };
        let what = match found.meaning {
            Meaning::Missed => style.paint(Tone::Bad, "not seen in the text"),
            Meaning::Unfit => style.paint(Tone::Change, "not on its own schema"),
            Meaning::Otherwise => style.paint(Tone::Change, "works otherwise"),
            Meaning::Needless => style.paint(Tone::Quiet, "needless alarm"),
            Meaning::Settled => style.paint(Tone::Quiet, "settled"),
        };
        writeln!(out, "    {what}: {} {} ({}) {from}", found.version.name(), found.query, found.place)?;
        writeln!(out, "        text:   {}", said(&found.text))?;
        writeln!(out, "        server: {}", said(&found.server))?;
    }
    let settled: BTreeSet<_> = settled.iter().map(|found| (found.version, &found.query)).collect();
    if !settled.is_empty() {
        let queries = match settled.len() {
            1 => "1 query works on the server of which its text does not tell".to_owned(),
            n => format!("{n} queries work on the server of which their text does not tell"),
        };
        writeln!(out, "{queries}.")?;
    }
    Ok(())
}

fn said(cell: &Cell) -> String {
    match cell {
        Cell::Works(contract) => format!("works, {contract}"),
        Cell::Fails(failure) => format!("fails, {}", failure.message),
        Cell::Unknown(why) => format!("cannot tell, {why}"),
    }
}

/// An object that is another one in a fresh installation, which runs the files in their own order.
fn fresh(out: &mut String, found: &Difference, style: Style) -> std::fmt::Result {
    let head = if found.harmless { style.paint(Tone::Change, "warning:") } else { style.paint(Tone::Bad, "error:") };
    writeln!(out, "{head} a fresh installation differs from this release: {}", found.object)?;
    for (who, definition) in [("the files' own order", &found.files), ("the plan's order", &found.plan)] {
        writeln!(out, "    {who}: {}", definition.as_deref().unwrap_or("not there").replace('\n', "\n        "))?;
    }
    match &found.statement {
        Some(origin) => writeln!(out, "    see {}:{}:{}", origin.path, origin.line, origin.column),
        None => Ok(()),
    }
}
