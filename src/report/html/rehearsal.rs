//! What a rehearsal showed, beside its matrix.

use super::count;
use super::markup::Markup;
use super::timeline;
use crate::compat::Meaning;
use crate::compat::matrix::Cell;
use crate::plan::saved::SavedPlan;
use crate::rehearse::rehearsal::Rehearsal;
use crate::rehearse::{Difference, Overlap, RealRows, Replayed, Synthetic};
use crate::report::overlap_words::{Words, words};
use crate::report::rehearsal_text::did_not_run;
use crate::report::row_words;

pub(super) fn section(out: &mut Markup, rehearsal: &Rehearsal, plan: &SavedPlan) {
    out.raw("<section id=\"rehearsal\">\n<h2>Rehearsal</h2>\n<p>");
    if rehearsal.is_safe() {
        out.raw("<strong class=\"badge good\">Passed</strong> ");
    } else {
        out.raw("<strong class=\"badge bad\">Broke</strong> ");
    }
    out.raw("On ").text(&rehearsal.server).raw(": ").text(count(rehearsal.matrix.rows.len(), "quer")).raw(" at ");
    out.text(count(rehearsal.matrix.states.len(), "state")).raw(".</p>\n");
    for (row, failure) in rehearsal.unfit() {
        out.raw("<p><strong class=\"badge change\">note</strong> ").text(row.version.name()).raw(" ").code(&row.query);
        out.raw(" (").code(&row.place).raw(") does not work on its own schema, so it shows nothing: ");
        out.text(&failure.message).raw("</p>\n");
    }
    for found in &rehearsal.replayed {
        replayed(out, found);
    }
    for found in &rehearsal.synthetic {
        synthetic(out, found);
    }
    for found in &rehearsal.overlaps {
        overlap(out, found, plan);
    }
    disagreements(out, rehearsal);
    if let Some((place, message)) = &rehearsal.fresh_failure {
        out.raw("<article class=\"bad\">\n<h3>A fresh installation fails, which runs the files in their own order</h3>\n<p><code>");
        out.text(place).raw("</code>: ").text(message).raw("</p>\n</article>\n");
    } else if rehearsal.differences.is_empty() {
        out.raw("<p>A fresh installation ends in the same database.</p>\n");
    }
    for found in &rehearsal.differences {
        difference(out, found);
    }
    if !rehearsal.misjudged.is_empty() {
        out.raw("<article class=\"change\">\n<h3>The files leave another schema than their text says</h3>\n");
        out.raw("<p>- text, + server; the plan knows it only as far as it was observed</p>\n");
        out.sql(&rehearsal.misjudged.join("\n"), None).raw("</article>\n");
    }
    if let Some(rows) = &rehearsal.on_rows {
        on_rows(out, rehearsal, rows, plan);
    }
    out.raw("</section>\n");
}

/// What the release did on rows that were there.
fn on_rows(out: &mut Markup, rehearsal: &Rehearsal, rows: &RealRows, plan: &SavedPlan) {
    out.raw("<h3>On the rows of ").text(&rows.from).raw("</h3>\n");
    if let Some(failure) = &rows.failure {
        out.raw("<article class=\"bad\">\n<h3>").text(capital(&row_words::failure(failure, plan, &rows.from)));
        out.raw("</h3>\n<p>").text(&failure.message).raw("</p>\n</article>\n");
    }
    for found in rows.breaks(&rehearsal.matrix) {
        out.raw("<article class=\"bad\">\n<h3>")
            .text(capital(found.row.version.name()))
            .raw(" breaks on that database ");
        match found.state.after_step {
            Some(step) => timeline::link(out.raw("after "), step),
            None => _ = out.raw("before the first step"),
        }
        out.raw("</h3>\n<p>").code(&found.row.query).raw(" (").code(&found.row.place).raw("): ");
        out.text(&found.failure.message).raw("</p>\n</article>\n");
    }
    if !rows.steps.is_empty() {
        out.raw("<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Steps on these rows\">\n<table>\n<thead><tr>");
        for head in ["step", "took", "rows", "log", "what it wrote and held"] {
            out.raw("<th scope=\"col\">").raw(head).raw("</th>");
        }
        out.raw("</tr></thead>\n<tbody>\n");
    }
    for measured in &rows.steps {
        let words = row_words::measured(measured, plan.step(measured.step));
        out.raw("<tr><th scope=\"row\">");
        timeline::link(out, measured.step);
        out.raw("</th>");
        for cell in [&words.took, &words.rows, &words.log] {
            out.raw("<td>").text(cell).raw("</td>");
        }
        out.raw("<td>").text(words.more.join("; ")).raw("</td></tr>\n");
    }
    if !rows.steps.is_empty() {
        out.raw("</tbody>\n</table>\n</div>\n");
    }
    if !rows.drift.is_empty() {
        out.raw("<article class=\"change\">\n<h3>That database differs from what the migrations make</h3>\n");
        out.raw("<p>- the migrations, + the database</p>\n").sql(&rows.drift.join("\n"), None).raw("</article>\n");
    }
    for line in row_words::unseen(rows, plan) {
        out.raw("<p>Not shown by these rows: ").text(line).raw(".</p>\n");
    }
}

fn replayed(out: &mut Markup, found: &Replayed) {
    out.raw("<p>Played again at every state where ").text(found.version.name()).raw(" lives: ").text(found.compared);
    out.raw(" of ").text(count(found.statements, "recorded statement"));
    if found.stray > 0 {
        out.raw("; failing elsewhere, and none of the queries: ").text(found.stray);
    }
    if found.unfit > 0 {
        out.raw("; failing on its own schema, too: ").text(found.unfit);
    }
    for (reason, count) in &found.left_out {
        out.raw("; left out: ").text(count).raw(" (").text(reason).raw(")");
    }
    if found.cut > 0 {
        out.raw("; not everywhere, for it took too long: ").text(found.cut);
    }
    out.raw(".</p>\n");
}

fn synthetic(out: &mut Markup, found: &Synthetic) {
    let who = found.version.name();
    out.raw("<p>Run on synthetic rows at every state where ").text(who).raw(" lives: ").text(found.compared);
    out.raw(" of ").text(count(found.queries, "quer")).raw("; tables filled: ").text(found.filled);
    if found.had_rows > 0 {
        out.raw(", with rows before: ").text(found.had_rows);
    }
    if found.cut > 0 {
        out.raw("; not everywhere, for it took too long: ").text(found.cut);
    }
    out.raw(".</p>\n");
    if found.unfilled.is_empty() && found.nothing.is_empty() && found.undecided.is_empty() {
        return;
    }
    out.raw("<ul>\n");
    for (table, why) in &found.unfilled {
        out.raw("<li>not filled: ").code(table).raw(": ").text(why).raw("</li>\n");
    }
    for (why, count) in &found.nothing {
        out.raw("<li>not run, ").text(count).raw(": ").text(did_not_run(why, who)).raw("</li>\n");
    }
    for one in &found.undecided {
        out.raw("<li>").code(&one.query).raw(" (").code(&one.place).raw(") fails ");
        match one.after_step {
            Some(step) => timeline::link(out.raw("after "), step),
            None => _ = out.raw("before the first step"),
        }
        out.raw(" with the values that were tried, and may succeed with others: ").text(&one.message).raw("</li>\n");
    }
    out.raw("</ul>\n");
}

fn overlap(out: &mut Markup, found: &Overlap, plan: &SavedPlan) {
    if found.queries == 0 {
        return;
    }
    out.raw("<p>Written in the overlap by ").text(found.version.name()).raw(", and followed to the end: ");
    out.text(found.compared).raw(" of ").text(count(found.queries, "quer")).raw(" that ");
    match found.queries {
        1 => out.raw("writes"),
        _ => out.raw("write"),
    };
    if found.cut > 0 {
        out.raw("; not followed, for it took too long: ").text(found.cut);
    }
    out.raw(".</p>\n");
    if !found.nothing.is_empty() {
        out.raw("<ul>\n");
        for (why, count) in &found.nothing {
            out.raw("<li>not followed, ").text(count).raw(": ").text(why).raw("</li>\n");
        }
        out.raw("</ul>\n");
    }
    for loss in &found.losses {
        match loss.told {
            Some(_) => out.raw("<article class=\"change\">\n"),
            None => out.raw("<article class=\"bad\">\n"),
        };
        let Words { head, details, help } = words(found, loss, plan);
        out.raw("<h3>").text(capital(&head)).raw("</h3>\n<ul>\n");
        for detail in details {
            out.raw("<li>").text(detail).raw("</li>\n");
        }
        out.raw("</ul>\n<p>").text(capital(&help)).raw(".</p>\n</article>\n");
    }
}

/// With a capital letter.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn disagreements(out: &mut Markup, rehearsal: &Rehearsal) {
    if rehearsal.disagreements.is_empty() {
        return;
    }
    out.raw("<h3>Where the server says something else than the text</h3>\n");
    out.raw("<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Server and text\">\n<table>\n<thead><tr>");
    for head in ["query", "from", "what it comes to", "text", "server"] {
        out.raw("<th scope=\"col\">").raw(head).raw("</th>");
    }
    out.raw("</tr></thead>\n<tbody>\n");
    for found in &rehearsal.disagreements {
        out.raw("<tr><th scope=\"row\">").text(found.version.name()).raw(" ").code(&found.query).raw(" ");
        out.code(&found.place).raw("</th><td>");
        match found.after_step {
            Some(step) => timeline::link(out, step),
            None => _ = out.raw("the start"),
        }
        out.raw(match found.meaning {
            Meaning::Missed => "</td><td class=\"bad\">not seen in the text</td>",
            Meaning::Unfit => "</td><td class=\"change\">not on its own schema</td>",
            Meaning::Otherwise => "</td><td class=\"change\">works otherwise</td>",
            Meaning::Needless => "</td><td>needless alarm</td>",
            Meaning::Settled => "</td><td>the text cannot tell, it works</td>",
        });
        for cell in [&found.text, &found.server] {
            out.raw("<td>");
            match cell {
                Cell::Works(contract) => out.raw("works: ").code(contract),
                Cell::Fails(failure) => out.raw("fails: ").text(&failure.message),
                Cell::Unknown(why) => out.raw("cannot tell: ").text(why),
            };
            out.raw("</td>");
        }
        out.raw("</tr>\n");
    }
    out.raw("</tbody>\n</table>\n</div>\n");
}

fn difference(out: &mut Markup, found: &Difference) {
    if found.harmless {
        out.raw("<article class=\"change\">\n");
    } else {
        out.raw("<article class=\"bad\">\n");
    }
    out.raw("<h3>A fresh installation differs from this release: ").code(&found.object);
    out.raw("</h3>\n<div class=\"side\">\n");
    let sides = [
        ("<figure><figcaption>the files' own order</figcaption>", &found.files),
        ("<figure><figcaption>the plan's order</figcaption>", &found.plan),
    ];
    for (head, definition) in sides {
        out.raw(head).sql(definition.as_deref().unwrap_or("not there"), None).raw("</figure>\n");
    }
    out.raw("</div>\n");
    if let Some(origin) = &found.statement {
        out.raw("<p>See <code>").text(&origin.path).raw(":").text(origin.line).raw(":").text(origin.column);
        out.raw("</code></p>\n");
    }
    out.raw("</article>\n");
}
