//! For people: each finding drawn in its source, its fix as a diff, and a line that counts.

use super::diff::diff;
use crate::diagnostic::{Diagnostic, Safety};
use crate::lint::LintReport;
use crate::parallel;
use crate::report::Format;
use crate::report::style::{Style, Tone};

pub(super) const FORMAT: Format<LintReport> = Format { name: "text", about: "For people", render };

/// Draws the findings.
fn render(report: &LintReport, style: Style) -> String {
    const FEW: usize = 16;
    let drawn = parallel::map(&report.findings, FEW, |(diagnostic, _)| finding(diagnostic, report, style));
    let mut out = drawn.concat();
    let is_safe = |d: &Diagnostic| d.fix.as_ref().is_some_and(|fix| fix.safety == Safety::Safe);
    let safe = report.findings.iter().filter(|(diagnostic, _)| is_safe(diagnostic)).count();
    out.push_str(&report.summary());
    out.push('\n');
    if safe > 0 {
        let fixes = if safe == 1 { "1 fix".to_owned() } else { format!("{safe} fixes") };
        out.push_str(&format!("{fixes} can be applied with --fix\n"));
    }
    out
}

fn finding(diagnostic: &Diagnostic, report: &LintReport, style: Style) -> String {
    let mut out = crate::report::render_diagnostics(std::slice::from_ref(diagnostic), &report.sources, style);
    if let Some(fix) = &diagnostic.fix {
        let how = match fix.safety {
            Safety::Safe => "--fix applies it",
            Safety::Unsafe => "to be looked at",
        };
        out.push_str(&format!("  fix: {} ({how})\n", fix.title));
        for line in diff(fix, &report.sources).unwrap_or_default().lines() {
            let tone = match line.as_bytes().first() {
                Some(b'+') => Tone::Good,
                Some(b'-') => Tone::Bad,
                _ => Tone::Quiet,
            };
            out.push_str(&format!("    {}\n", style.paint(tone, line)));
        }
    }
    out.push('\n');
    out
}
