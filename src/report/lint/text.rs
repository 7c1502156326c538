//! For people: each finding drawn in its source, its fix as a diff, and a line that counts.

use super::LintReport;
use super::diff::diff;
use crate::diagnostic::Safety;
use crate::report::style::{Style, Tone};

/// Draws the findings.
pub fn render(report: &LintReport, style: Style) -> String {
    let mut out = String::new();
    let mut safe = 0;
    for (diagnostic, _) in &report.findings {
        out.push_str(&crate::report::render_diagnostics(std::slice::from_ref(diagnostic), &report.sources, style));
        let Some(fix) = &diagnostic.fix else {
            out.push('\n');
            continue;
        };
        let how = match fix.safety {
            Safety::Safe => "--fix applies it",
            Safety::Unsafe => "to be looked at",
        };
        safe += usize::from(fix.safety == Safety::Safe);
        out.push_str(&format!("  fix: {} ({how})\n", fix.title));
        for line in diff(fix, &report.sources).unwrap_or_default().lines() {
            let tone = match line.as_bytes().first() {
                Some(b'+') => Tone::Good,
                Some(b'-') => Tone::Bad,
                _ => Tone::Quiet,
            };
            out.push_str(&format!("    {}\n", style.paint(tone, line)));
        }
        out.push('\n');
    }
    out.push_str(&report.summary());
    out.push('\n');
    if safe > 0 {
        let fixes = if safe == 1 { "1 fix".to_owned() } else { format!("{safe} fixes") };
        out.push_str(&format!("{fixes} can be applied with --fix\n"));
    }
    out
}
