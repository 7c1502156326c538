//! One finding a cause: what is the same of several statements of a file, and is taken away in the same way, is told once.

use crate::diagnostic::{Code, Diagnostic, codes};

/// Rules whose findings in one file say the same of each statement.
const GROUPED: &[Code] = &[codes::BLOCKING_INDEX];

/// Joins findings of one file, rule and severity that have the same way out. Where figures of production are told, each is its own.
pub(crate) fn group(diagnostics: Vec<Diagnostic>, weighed: bool) -> Vec<Diagnostic> {
    if weighed {
        return diagnostics;
    }
    let mut kept: Vec<(Diagnostic, usize)> = Vec::with_capacity(diagnostics.len());
    for diagnostic in diagnostics {
        let same = |other: &&mut (Diagnostic, usize)| {
            let other = &other.0;
            let file = |d: &Diagnostic| d.span().map(|span| span.file);
            other.code == diagnostic.code
                && other.severity == diagnostic.severity
                && other.help == diagnostic.help
                && file(other).is_some()
                && file(other) == file(&diagnostic)
        };
        let first = kept.iter_mut().filter(|_| GROUPED.contains(&diagnostic.code)).find(same);
        match first {
            Some((first, more)) => {
                *more += 1;
                if let (Some(fix), Some(own)) = (&mut first.fix, diagnostic.fix) {
                    fix.edits.extend(own.edits);
                    fix.safety = fix.safety.max(own.safety);
                }
            }
            None => kept.push((diagnostic, 0)),
        }
    }
    let told = |(mut diagnostic, more): (Diagnostic, usize)| {
        match more {
            0 => {}
            1 => diagnostic.message.push_str(" (so does one more in this file)"),
            n => diagnostic.message.push_str(&format!(" (so do {n} more in this file)")),
        }
        diagnostic
    };
    kept.into_iter().map(told).collect()
}
