//! A release as one HTML file: no script, nothing from anywhere else, light and dark, for screens and paper.

mod findings;
mod markup;
mod matrix;
#[cfg(feature = "live")]
mod rehearsal;
mod timeline;

use markup::Markup;

use crate::compat::matrix::Matrix;
use crate::plan::saved::{Phase, SavedPlan, Verdict};
#[cfg(feature = "live")]
use crate::rehearse::rehearsal::Rehearsal;

/// Draws a plan.
pub fn render(plan: &SavedPlan) -> String {
    let foreseen =
        plan.matrix.as_ref().map(|matrix| Seen { id: "foreseen", how: "worked out from their text", matrix });
    page(plan, foreseen.as_slice(), None)
}

/// Draws a plan and its rehearsal.
#[cfg(feature = "live")]
pub fn render_rehearsed(plan: &SavedPlan, rehearsal: &Rehearsal) -> String {
    let foreseen =
        plan.matrix.as_ref().map(|matrix| Seen { id: "foreseen", how: "worked out from their text", matrix });
    let observed = Seen { id: "observed", how: "as the server of the rehearsal saw them", matrix: &rehearsal.matrix };
    let seen: Vec<_> = [observed].into_iter().filter(|seen| !seen.matrix.rows.is_empty()).chain(foreseen).collect();
    page(plan, &seen, Some(&|out| rehearsal::section(out, rehearsal, plan)))
}

/// A matrix with where it comes from.
struct Seen<'a> {
    /// Of its section.
    id: &'static str,
    how: &'static str,
    matrix: &'a Matrix,
}

/// A section that only some pages have.
type Section<'a> = &'a dyn Fn(&mut Markup);

fn page(plan: &SavedPlan, seen: &[Seen<'_>], rehearsed: Option<Section<'_>>) -> String {
    let mut out = Markup::default();
    out.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.raw(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
    );
    out.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>cutover: ");
    out.text(title(plan)).raw("</title>\n<style>\n").raw(include_str!("style.css")).raw("</style>\n</head>\n<body>\n");
    head(&mut out, plan);
    navigation(&mut out, plan, seen, rehearsed.is_some());
    out.raw("<main>\n");
    if let Some(rehearsed) = rehearsed {
        rehearsed(&mut out);
    }
    let breaks: Vec<_> = seen.iter().filter(|seen| !seen.matrix.breaks().is_empty()).collect();
    if !breaks.is_empty() {
        out.raw("<section id=\"breaks\">\n<h2>What breaks</h2>\n");
        for seen in breaks {
            matrix::breaks(&mut out, seen, plan);
        }
        out.raw("</section>\n");
    }
    findings::section(&mut out, &plan.findings);
    timeline::section(&mut out, plan);
    for seen in seen {
        matrix::section(&mut out, seen, plan);
    }
    out.raw("</main>\n<footer><p class=\"quiet\">").text(&plan.tool.name).raw(" ").text(&plan.tool.version);
    out.raw(", plan ").code(&plan.digest).raw("</p></footer>\n</body>\n</html>\n");
    out.finish()
}

fn title(plan: &SavedPlan) -> String {
    let pending = &plan.migrations.pending;
    let range = match (pending.first(), pending.last()) {
        (Some(first), Some(last)) if pending.len() > 1 => format!(" ({} to {})", first.version, last.version),
        (Some(first), _) => format!(" ({})", first.version),
        _ => String::new(),
    };
    format!("{} of {}{range}", count(pending.len(), "migration"), plan.migrations.folder)
}

fn head(out: &mut Markup, plan: &SavedPlan) {
    out.raw("<header>\n<h1>").text(title(plan)).raw("</h1>\n<p>");
    match plan.verdict {
        Verdict::Safe => {
            out.raw("<strong class=\"badge good\">Safe</strong> Both versions work on every schema in between.");
        }
        Verdict::Unsafe => {
            out.raw("<strong class=\"badge bad\">Not safe</strong> <code>execute</code> refuses this plan.");
        }
    }
    out.raw("</p>\n<dl class=\"facts\">\n<dt>On top of</dt><dd>");
    match &plan.migrations.from {
        Some(from) => out.code(from),
        None => out.raw("an empty database"),
    };
    let phase = |phase| plan.phase(phase).count();
    out.raw("</dd>\n<dt>Steps</dt><dd>").text(phase(Phase::Before)).raw(" before the cutover, ");
    out.text(phase(Phase::After)).raw(" after it</dd>\n<dt>Point of no return</dt><dd>");
    match plan.steps.iter().find(|step| step.point_of_no_return) {
        Some(step) => {
            timeline::link(out, step.id);
            out.raw(", ").text(&step.action).raw(" of ").code(&step.object);
        }
        None => _ = out.raw("none: blue can come back until the end"),
    }
    out.raw("</dd>\n<dt>Queries</dt><dd>");
    match &plan.matrix {
        Some(matrix) => out.text(count(matrix.rows.len(), "quer")),
        None => out.raw("none were given: each version is taken to use everything that its schema offers"),
    };
    if let Some(searched) = plan.blue_source {
        out.raw("</dd>\n<dt>Blue's source</dt><dd>").text(searched.line());
    }
    out.raw("</dd>\n</dl>\n</header>\n");
}

fn navigation(out: &mut Markup, plan: &SavedPlan, seen: &[Seen<'_>], rehearsed: bool) {
    let breaks = seen.iter().any(|seen| !seen.matrix.breaks().is_empty());
    let is_seen = |id| seen.iter().any(|seen| seen.id == id);
    let entries = [
        (rehearsed, "<a href=\"#rehearsal\">Rehearsal</a>"),
        (breaks, "<a href=\"#breaks\">What breaks</a>"),
        (!plan.findings.is_empty(), "<a href=\"#findings\">Findings</a>"),
        (true, "<a href=\"#timeline\">Timeline</a>"),
        (is_seen("observed"), "<a href=\"#observed\">Queries, observed</a>"),
        (is_seen("foreseen"), "<a href=\"#foreseen\">Queries, from their text</a>"),
    ];
    out.raw("<nav aria-label=\"Sections\"><ul>");
    for (_, link) in entries.into_iter().filter(|(there, _)| *there) {
        out.raw("<li>").raw(link).raw("</li>");
    }
    out.raw("</ul></nav>\n");
}

/// `1 step`, `2 steps`; `1 query`, `2 queries`.
fn count(n: usize, what: &str) -> String {
    match (n, what) {
        (1, "quer") => "1 query".to_owned(),
        (_, "quer") => format!("{n} queries"),
        (1, _) => format!("1 {what}"),
        _ => format!("{n} {what}s"),
    }
}
