//! One finding a cause: what is the same of several statements of a file, and is taken away in the same way, is told once.

use crate::diagnostic::{Code, Diagnostic, codes};

/// Rules whose findings in one file say the same of each statement.
const GROUPED: &[Code] = &[codes::BLOCKING_INDEX];

/// Joins findings of one file, rule and severity that have the same way out. What goes with each, such as its fingerprint, is kept of the
/// first. Where figures of production are told (`weighed`), each is its own.
pub fn group<T>(findings: Vec<(Diagnostic, T)>, weighed: bool) -> Vec<(Diagnostic, T)> {
    if weighed {
        return findings;
    }
    let mut kept: Vec<(Diagnostic, T, usize)> = Vec::with_capacity(findings.len());
    for (diagnostic, beside) in findings {
        let same = |other: &&mut (Diagnostic, T, usize)| {
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
            Some((first, _, more)) => {
                *more += 1;
                if let (Some(fix), Some(own)) = (&mut first.fix, diagnostic.fix) {
                    fix.edits.extend(own.edits);
                    fix.safety = fix.safety.max(own.safety);
                }
            }
            None => kept.push((diagnostic, beside, 0)),
        }
    }
    let told = |(mut diagnostic, beside, more): (Diagnostic, T, usize)| {
        match more {
            0 => {}
            1 => diagnostic.message.push_str(" (so does one more in this file)"),
            n => diagnostic.message.push_str(&format!(" (so do {n} more in this file)")),
        }
        (diagnostic, beside)
    };
    kept.into_iter().map(told).collect()
}
