//! What a rehearsal showed, beside its matrix.

use super::count;
use super::markup::Markup;
use crate::execute::Difference;
use crate::execute::rehearsal::Rehearsal;

pub(super) fn section(out: &mut Markup, rehearsal: &Rehearsal) {
    out.raw("<section id=\"rehearsal\">\n<h2>Rehearsal</h2>\n<p>");
    if rehearsal.is_safe() {
        out.raw("<strong class=\"badge good\">Passed</strong> ");
    } else {
        out.raw("<strong class=\"badge bad\">Broke</strong> ");
    }
    out.raw("On ").text(&rehearsal.server).raw(": ").text(count(rehearsal.matrix.rows.len(), "quer")).raw(" at ");
    out.text(count(rehearsal.matrix.states.len(), "state")).raw(".</p>\n");
    for (row, failure) in rehearsal.matrix.unfit() {
        out.raw("<p><strong class=\"badge change\">note</strong> ").text(row.version.name()).raw(" ").code(&row.query);
        out.raw(" (").code(&row.place).raw(") does not work on its own schema, so it shows nothing: ");
        out.text(&failure.message).raw("</p>\n");
    }
    if rehearsal.differences.is_empty() {
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
    out.raw("</section>\n");
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
