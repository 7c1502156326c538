//! What is to be said about the plan, with the places side by side.

use super::markup::Markup;
use crate::diagnostic::Severity;
use crate::plan::saved::{Finding, LabelledPlace};

pub(super) fn section(out: &mut Markup, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    out.raw("<section id=\"findings\">\n<h2>Findings</h2>\n");
    for finding in findings {
        article(out, finding);
    }
    out.raw("</section>\n");
}

fn article(out: &mut Markup, finding: &Finding) {
    let (open, badge) = match finding.severity {
        Severity::Error => ("<article class=\"bad\">\n", "<strong class=\"badge bad\">"),
        Severity::Warning => ("<article class=\"change\">\n", "<strong class=\"badge change\">"),
        Severity::Info => ("<article>\n", "<strong class=\"badge\">"),
    };
    out.raw(open).raw("<h3>").raw(badge).text(finding.severity.name()).raw("</strong> ").code(&finding.code);
    out.raw(" ").text(&finding.name).raw("</h3>\n<p>").text(&finding.message).raw("</p>\n<div class=\"side\">\n");
    for place in &finding.places {
        figure(out, place);
    }
    out.raw("</div>\n");
    if let Some(help) = &finding.help {
        out.raw("<p><strong>Way out:</strong> ").text(help).raw("</p>\n");
    }
    out.raw("</article>\n");
}

fn figure(out: &mut Markup, place: &LabelledPlace) {
    out.raw("<figure><figcaption><code>").text(&place.path).raw(":").text(place.line).raw(":").text(place.column);
    out.raw("</code>");
    if !place.text.is_empty() {
        out.raw(" ").text(&place.text);
    }
    out.raw("</figcaption>");
    if let Some(excerpt) = &place.excerpt {
        out.sql(&excerpt.text, Some(excerpt.at));
    }
    out.raw("</figure>\n");
}
