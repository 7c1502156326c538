//! Queries × states, and what breaks with the query and the SQL side by side.

use super::markup::Markup;
use super::{Seen, count, timeline};
use crate::compat::matrix::{Cell, Columns, Mark, Matrix, QueryRow, State};
use crate::plan::saved::{SavedPlan, Step, Verdict};
use crate::report::matrix_text::title;
use crate::side::Side;

/// More queries that work everywhere are folded.
const MANY: usize = 25;

/// More columns are not read.
const WIDEST: usize = 24;

pub(super) fn section(out: &mut Markup, seen: &Seen<'_>, plan: &SavedPlan) {
    let matrix = seen.matrix;
    out.raw("<section id=\"").text(seen.id).raw("\">\n<h2>Queries at every state, ").text(seen.how).raw("</h2>\n");
    let columns = matrix.columns(WIDEST);
    let (quiet, loud): (Vec<_>, Vec<_>) =
        matrix.rows.iter().enumerate().partition(|(_, row)| matrix.worst(row) == Mark::Works);
    if quiet.len() > MANY {
        if !loud.is_empty() {
            table(out, seen, &loud, &columns);
        }
        out.raw("<details><summary>").text(count(quiet.len(), "quer"));
        out.raw(" that prepare at every state they must</summary>\n");
        table(out, seen, &quiet, &columns);
        out.raw("</details>\n");
    } else {
        let all: Vec<_> = matrix.rows.iter().enumerate().collect();
        table(out, seen, &all, &columns);
    }
    out.raw("<p class=\"quiet\">ok: prepares · ~: prepares with other types or columns · ");
    out.raw("FAIL: fails where it must work · -: fails where its version does not run · ?: not understood. Whether rows fit ");
    out.raw("the rules of a table (UNIQUE, CHECK) is no matter of preparing: see the findings.</p>\n");
    if plan.verdict == Verdict::Unsafe {
        out.raw("<p>The plan is refused: these are the states that it would go through.</p>\n");
    }
    notes(out, seen, &loud);
    states(out, matrix, plan, &columns);
    out.raw("</section>\n");
}

fn table(out: &mut Markup, seen: &Seen<'_>, rows: &[(usize, &QueryRow)], columns: &Columns) {
    out.raw("<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Queries and states, ").text(seen.how);
    out.raw("\">\n<table>\n<thead><tr><th scope=\"col\">version</th><th scope=\"col\">query</th>");
    for state in &columns.states {
        out.raw("<th scope=\"col\">").text(title(seen.matrix, *state)).raw("</th>");
    }
    if columns.changes_elsewhere {
        out.raw("<th scope=\"col\">changes after</th>");
    }
    out.raw("</tr></thead>\n<tbody>\n");
    for (at, row) in rows {
        out.raw("<tr><td>").text(row.version.name()).raw("</td><th scope=\"row\" id=\"");
        out.text(seen.id).raw("-").text(at).raw("\"><details><summary>").code(&row.query).raw("</summary><code>");
        out.text(&row.place).raw("</code>").sql(&row.sql, None).raw("</details></th>");
        for state in &columns.states {
            out.raw(drawn(seen.matrix.mark(row, *state)));
        }
        if columns.changes_elsewhere {
            changes(out, seen.matrix, row);
        }
        out.raw("</tr>\n");
    }
    out.raw("</tbody>\n</table>\n</div>\n");
}

/// The steps that a query is another one after.
fn changes(out: &mut Markup, matrix: &Matrix, row: &QueryRow) {
    out.raw("<td>");
    for run in row.runs.iter().skip(1) {
        if let Some(step) = matrix.states.get(run.state).and_then(|state| state.after_step) {
            timeline::link(out, step);
            out.raw(" ");
        }
    }
    out.raw("</td>");
}

const fn drawn(mark: Mark) -> &'static str {
    match mark {
        Mark::Works => "<td class=\"m works\">ok</td>",
        Mark::Idle => "<td class=\"m idle\">ok</td>",
        Mark::Away => "<td class=\"m away\">-</td>",
        Mark::Unknown => "<td class=\"m unknown\">?</td>",
        Mark::Otherwise => "<td class=\"m otherwise\">~</td>",
        Mark::Breaks => "<td class=\"m breaks\">FAIL</td>",
    }
}

/// Of queries that do not simply work: what they are, state by state, where their version runs.
fn notes(out: &mut Markup, seen: &Seen<'_>, rows: &[(usize, &QueryRow)]) {
    if rows.is_empty() {
        return;
    }
    out.raw("<h3>What changes</h3>\n<ul>\n");
    for (at, row) in rows {
        out.raw("<li><a href=\"#").text(seen.id).raw("-").text(at).raw("\">").text(row.version.name()).raw(" ");
        out.code(&row.query).raw("</a>\n<ul>\n");
        for (i, run) in row.runs.iter().enumerate() {
            let end = row.runs.get(i + 1).map_or(seen.matrix.states.len(), |next| next.state);
            let lives = |state: &usize| seen.matrix.states.get(*state).is_some_and(|s| s.lives(row.version));
            let Some(first) = (run.state..end).find(lives) else { continue };
            out.raw("<li>from ").text(place(seen.matrix, first)).raw(": ");
            match &run.cell {
                Cell::Works(contract) => out.raw("prepares as ").code(contract),
                Cell::Fails(failure) => out.raw("<span class=\"bad\">fails</span>: ").text(&failure.message),
                Cell::Unknown(why) => out.raw("<span class=\"change\">not understood</span>: ").text(why),
            };
            out.raw("</li>\n");
        }
        out.raw("</ul></li>\n");
    }
    out.raw("</ul>\n");
}

/// A state in words.
fn place(matrix: &Matrix, state: usize) -> String {
    match matrix.states.get(state).and_then(|state| state.after_step) {
        None => "the start".to_owned(),
        Some(step) => format!("step {step} on"),
    }
}

fn states(out: &mut Markup, matrix: &Matrix, plan: &SavedPlan, columns: &Columns) {
    out.raw("<h3>States</h3>\n<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"States\">\n<table>\n<thead><tr>");
    for head in ["state", "after", "must work", "blue", "green"] {
        out.raw("<th scope=\"col\">").raw(head).raw("</th>");
    }
    out.raw("</tr></thead>\n<tbody>\n");
    for at in &columns.states {
        let Some(state) = matrix.states.get(*at) else { continue };
        out.raw("<tr><th scope=\"row\">").text(title(matrix, *at)).raw("</th><td>");
        let step = state.after_step.and_then(|id| plan.step(id));
        match step {
            Some(step) => {
                timeline::link(out, step.id);
                out.raw(", ").text(&step.action).raw(" of ").code(&step.object);
            }
            None => _ = out.raw("before the first step"),
        }
        out.raw("</td><td>").raw(who(state)).raw("</td>");
        for version in [Side::Blue, Side::Green] {
            out.raw("<td>").text(working(matrix, version, *at)).raw("</td>");
        }
        out.raw("</tr>\n");
    }
    out.raw("</tbody>\n</table>\n</div>\n");
    let hidden = matrix.states.len() - columns.states.len();
    if hidden > 0 {
        out.raw("<p class=\"quiet\">").text(hidden).raw(" of ").text(count(matrix.states.len(), "state"));
        out.raw(match columns.changes_elsewhere {
            true => " left out: too many to show. What breaks is listed by query.</p>\n",
            false => " left out: nothing changes there.</p>\n",
        });
    }
}

const fn who(state: &State) -> &'static str {
    match (state.blue_lives, state.green_lives) {
        (true, true) => "both",
        (true, false) => "blue",
        (false, true) => "green",
        (false, false) => "nobody",
    }
}

/// `3 of 4 prepare`
fn working(matrix: &Matrix, version: Side, state: usize) -> String {
    let of: Vec<_> = matrix.rows.iter().filter(|row| row.version == version).collect();
    let works = of.iter().filter(|row| matches!(row.at(state), Some(Cell::Works(_)))).count();
    if of.is_empty() { "no queries".to_owned() } else { format!("{works} of {} prepare", of.len()) }
}

/// Queries that fail where their version must live, each beside the SQL that does it.
pub(super) fn breaks(out: &mut Markup, seen: &Seen<'_>, plan: &SavedPlan) {
    out.raw("<h3>Queries ").text(seen.how).raw("</h3>\n");
    for found in seen.matrix.breaks() {
        let step = found.state.after_step.and_then(|id| plan.step(id));
        out.raw("<article class=\"bad\">\n<h3>").text(found.row.version.name()).raw(": ").code(&found.row.query);
        out.raw("</h3>\n<p class=\"bad\">").text(&found.failure.message).raw("</p>\n<div class=\"side\">\n");
        out.raw("<figure><figcaption>The query, <code>").text(&found.row.place).raw("</code></figcaption>");
        out.sql(&found.row.sql, found.failure.at).raw("</figure>\n<figure><figcaption>");
        // Green must work from the overlap on: what it misses there comes later.
        let late = found.state.is_overlap() && found.row.version == Side::Green;
        let culprit = if late { makes_work(seen.matrix, found.row, plan) } else { step };
        out.raw(if late { "It fails in the overlap" } else { "It fails" });
        match step {
            Some(step) => {
                out.raw(" after ");
                timeline::link(out, step.id);
            }
            None => _ = out.raw(if late { "" } else { " before the first step" }),
        }
        if let Some(culprit) = culprit.filter(|_| late) {
            out.raw("; it works after ");
            timeline::link(out, culprit.id);
        }
        out.raw("</figcaption>");
        for statement in culprit.iter().flat_map(|step| step.statements()) {
            out.sql(&statement.sql, None);
        }
        out.raw("</figure>\n</div>\n</article>\n");
    }
}

/// The step after which a query of green works.
fn makes_work<'a>(matrix: &Matrix, row: &QueryRow, plan: &'a SavedPlan) -> Option<&'a Step> {
    let works = |(i, state): &(usize, &State)| state.green_lives && matches!(row.at(*i), Some(Cell::Works(_)));
    let (_, state) = matrix.states.iter().enumerate().find(works)?;
    state.after_step.and_then(|id| plan.step(id))
}
