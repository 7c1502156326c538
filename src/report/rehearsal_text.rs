//! A rehearsal as text: the compatibility matrix (queries × states), what breaks, and the verdict.

use std::fmt::Write;

use super::style::{Style, Tone};
use crate::execute::Difference;
use crate::execute::rehearsal::{Cell, Rehearsal, Row, State, Version};
use crate::plan::saved::SavedPlan;

/// Draws a rehearsal.
pub fn render(rehearsal: &Rehearsal, plan: &SavedPlan, style: Style) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut out, rehearsal, plan, style);
    out
}

fn write(out: &mut String, rehearsal: &Rehearsal, plan: &SavedPlan, style: Style) -> std::fmt::Result {
    writeln!(out, "\nRehearsed on {}: {} steps.", rehearsal.server, plan.steps.len())?;
    if !rehearsal.rows.is_empty() {
        matrix(out, rehearsal, style)?;
    }
    for row in rehearsal.invalid() {
        let own = match row.version {
            Version::Blue => "before the release",
            Version::Green => "after the release",
        };
        let message = match row.version {
            Version::Blue => row.cells.first(),
            Version::Green => row.cells.last(),
        };
        let message = match message {
            Some(Cell::Fails(message)) => message.as_str(),
            Some(Cell::Works(_)) | None => "",
        };
        writeln!(
            out,
            "{} {} {} ({}) does not work on its own schema, {own}, so it shows nothing: {message}",
            style.paint(Tone::Change, "note:"),
            row.version.name(),
            row.query,
            row.place
        )?;
    }
    for found in rehearsal.breaks() {
        let step = found.state.after_step.and_then(|id| plan.steps.iter().find(|s| s.id == id));
        let what = step.map_or_else(
            || "before the first step".to_owned(),
            |step| {
                let origin = step.statements.iter().find_map(|s| s.origin.as_ref());
                let place = origin.map(|o| format!(" ({}:{}:{})", o.path, o.line, o.column)).unwrap_or_default();
                format!("after step {}, {} of {}{place}", step.id, step.action, step.object)
            },
        );
        writeln!(
            out,
            "{} {} breaks {what}\n    query {} at {}\n    {}",
            style.paint(Tone::Bad, "error:"),
            found.version.name(),
            found.row,
            found.place,
            found.message
        )?;
    }
    for found in &rehearsal.differences {
        fresh(out, found, style)?;
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
    if !rehearsal.is_safe() {
        return writeln!(out, "{} The rehearsal broke.", style.paint(Tone::Bad, "Not safe."));
    }
    let count = |version| rehearsal.rows.iter().filter(|r| r.version == version).count();
    let queries = match (count(Version::Blue), count(Version::Green)) {
        (0, 0) => "no queries were given; a fresh installation ends in the same database".to_owned(),
        (blue, green) => format!(
            "{blue} blue and {green} green queries work at every state they must; a fresh installation ends in the same database"
        ),
    };
    writeln!(out, "{} {queries}.", style.paint(Tone::Good, "Rehearsal passed:"))
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

/// Queries down, states across. States where nothing changes against the one before are left out, but for the overlap and the ends.
fn matrix(out: &mut String, rehearsal: &Rehearsal, style: Style) -> std::fmt::Result {
    let shown = shown_states(rehearsal);
    let title = |i: usize| {
        let state = &rehearsal.states[i];
        match (state.after_step, state.blue_lives && state.green_lives) {
            (_, true) => "overlap".to_owned(),
            (None, false) => "start".to_owned(),
            (Some(_), false) if i + 1 == rehearsal.states.len() => "end".to_owned(),
            (Some(step), false) => step.to_string(),
        }
    };
    let name = rehearsal.rows.iter().map(|r| r.query.chars().count()).max().unwrap_or(0).clamp(5, 48);
    writeln!(out)?;
    write!(out, "  {:<7}{:<name$}", "", "query")?;
    for i in &shown {
        write!(out, "  {:>7}", title(*i))?;
    }
    writeln!(out)?;
    for row in &rehearsal.rows {
        write!(out, "  {:<7}{:<name$}", row.version.name(), row.query)?;
        for i in &shown {
            let (mark, tone) = mark(row, &rehearsal.states[*i], *i);
            write!(out, "  {:>width$}{}", "", style.paint(tone, mark), width = 7 - mark.chars().count())?;
        }
        writeln!(out)?;
    }
    let states = rehearsal.states.len();
    let hidden = states - shown.len();
    let more = if hidden > 0 {
        format!("; {hidden} of {states} states left out, nothing changes there")
    } else {
        String::new()
    };
    writeln!(
        out,
        "  {}",
        style.paint(
            Tone::Quiet,
            &format!("ok: prepares · ~: prepares with other types or columns · FAIL: fails where it must work · -: fails where its version does not run{more}")
        )
    )?;
    writeln!(out)
}

fn shown_states(rehearsal: &Rehearsal) -> Vec<usize> {
    let last = rehearsal.states.len().saturating_sub(1);
    (0..rehearsal.states.len())
        .filter(|i| {
            let state = &rehearsal.states[*i];
            let overlap = state.blue_lives && state.green_lives;
            let changed = *i > 0 && rehearsal.rows.iter().any(|row| row.cells[*i] != row.cells[*i - 1]);
            *i == 0 || *i == last || overlap || changed
        })
        .collect()
}

fn mark(row: &Row, state: &State, i: usize) -> (&'static str, Tone) {
    let (lives, home) = match row.version {
        Version::Blue => (state.blue_lives, row.cells.first()),
        Version::Green => (state.green_lives, row.cells.last()),
    };
    match &row.cells[i] {
        Cell::Works(_) if lives && home != Some(&row.cells[i]) => ("~", Tone::Change),
        Cell::Works(_) => ("ok", if lives { Tone::Good } else { Tone::Quiet }),
        Cell::Fails(_) if lives => ("FAIL", Tone::Bad),
        Cell::Fails(_) => ("-", Tone::Quiet),
    }
}
