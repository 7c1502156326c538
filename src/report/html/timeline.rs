//! The phases in time: what runs before the cutover, what moves the traffic, what runs after it, and from where on there is no way back.

use super::markup::Markup;
use crate::plan::saved::{Direction, Mentioned, Phase, RelianceStrength, SavedPlan, Step, StepEvidence, Usage};
use crate::stats::Load;

/// SQL with more lines is folded.
const LONG: usize = 15;

pub(super) fn section(out: &mut Markup, plan: &SavedPlan) {
    out.raw("<section id=\"timeline\">\n<h2>Timeline</h2>\n");
    phase(out, plan, Phase::Before, "<h3>Before cutover: blue keeps working, green can start</h3>\n");
    out.raw("<p class=\"cutover\"><strong>Cutover:</strong> traffic moves from blue to green, blue drains. ");
    out.raw("Both versions work on one schema, the overlap.</p>\n");
    phase(out, plan, Phase::After, "<h3>After cutover: blue is gone</h3>\n");
    out.raw("</section>\n");
}

fn phase(out: &mut Markup, plan: &SavedPlan, phase: Phase, title: &'static str) {
    out.raw(title);
    let mut steps = plan.phase(phase).peekable();
    if steps.peek().is_none() {
        out.raw("<p class=\"quiet\">Nothing.</p>\n");
        return;
    }
    out.raw("<ol class=\"steps\">\n");
    for found in steps {
        if found.point_of_no_return {
            out.raw(
                "<li class=\"door\">Point of no return: once the next step has started, blue cannot come back.</li>\n",
            );
        }
        step(out, found);
    }
    out.raw("</ol>\n");
}

fn step(out: &mut Markup, step: &Step) {
    out.raw("<li id=\"step-").text(step.id).raw("\">\n<p><strong>").text(step.id).raw(". ").text(&step.action);
    out.raw("</strong> <code>").text(&step.object).raw("</code> ").raw(badge(step.direction)).raw("</p>\n");
    out.raw("<p>").text(&step.reason).raw("</p>\n<p class=\"quiet\">").text(&step.hazard);
    out.raw("</p>\n");
    for line in step.load.iter().flat_map(Load::lines) {
        out.raw("<p class=\"change\">").text(line).raw("</p>\n");
    }
    evidence(out, &step.evidence);
    mentions(out, &step.mentions);
    needs(out, step);
    for statement in step.statements() {
        out.raw("<p class=\"quiet\">");
        match &statement.origin {
            Some(origin) => out.raw("<code>").text(&origin.path).raw(":").text(origin.line).raw("</code>"),
            None => out.raw("written by cutover"),
        };
        out.raw("</p>");
        let lines = statement.sql.lines().count();
        if lines > LONG {
            out.raw("<details><summary>").text(lines).raw(" lines of SQL</summary>").sql(&statement.sql, None);
            out.raw("</details>\n");
        } else {
            out.sql(&statement.sql, None).raw("\n");
        }
    }
    out.raw("</li>\n");
}

/// What the place of a step rests on.
fn evidence(out: &mut Markup, evidence: &[StepEvidence]) {
    if evidence.is_empty() {
        return;
    }
    out.raw("<p>Rests on:</p>\n<ul>\n");
    for found in evidence {
        let how = match found.reliance {
            RelianceStrength::Needs => " needs it: ",
            RelianceStrength::Prefers => " would rather have it: ",
            RelianceStrength::Conditional => " may notice once green writes something new: ",
        };
        out.raw("<li>").text(found.version.name()).raw(how).text(&found.capability);
        match &found.query {
            Some(query) => out.raw(", as query ").code(query).raw(" shows"),
            None => out.raw(" (assumed)"),
        };
        out.raw("</li>\n");
    }
    out.raw("</ul>\n");
}

/// Where blue's source mentions what a step takes away.
fn mentions(out: &mut Markup, mentions: &[Mentioned]) {
    for mentioned in mentions {
        out.raw(if mentioned.usage == Usage::NotShown { "<p class=\"change\">" } else { "<p>" });
        out.text(sentence(&mentioned.line())).raw(":</p>\n<ul>\n");
        for at in &mentioned.places {
            out.raw("<li><code>").text(&at.path).raw(":").text(at.line).raw(":").text(at.column).raw("</code> ");
            out.code(&at.text).raw("</li>\n");
        }
        if mentioned.more() > 0 {
            out.raw("<li>").text(mentioned.more()).raw(" more</li>\n");
        }
        out.raw("</ul>\n");
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn needs(out: &mut Markup, step: &Step) {
    if step.needs.is_empty() {
        return;
    }
    out.raw("<p class=\"quiet\">Comes after ");
    for (i, need) in step.needs.iter().enumerate() {
        if i > 0 {
            out.raw("; ");
        }
        link(out, need.step);
        out.raw(" (").text(need.why.join(", ")).raw(")");
    }
    out.raw("</p>\n");
}

/// A link to a step.
pub(super) fn link(out: &mut Markup, step: u32) {
    out.raw("<a href=\"#step-").text(step).raw("\">step ").text(step).raw("</a>");
}

const fn badge(direction: Direction) -> &'static str {
    match direction {
        Direction::Additive => "<span class=\"badge good\">+ additive</span>",
        Direction::Deletive => "<span class=\"badge bad\">- deletive</span>",
        Direction::Neutral => "<span class=\"badge\">~ neutral</span>",
        Direction::Incompatible => "<span class=\"badge bad\">! incompatible</span>",
        Direction::Data => "<span class=\"badge change\">&gt; data</span>",
        Direction::Opaque => "<span class=\"badge change\">? opaque</span>",
    }
}
