//! `-- cutover: allow(rule, …) <reason>`: what the author has looked at and left as it is.

use super::registry::{find, nearest};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::source::Span;
use crate::sql::Allow;

/// A finding that its author allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The finding.
    pub diagnostic: Diagnostic,
    /// Why it may stay.
    pub reason: String,
}

/// Takes out what is allowed, and adds what is wrong with the comments themselves.
pub(crate) fn apply(diagnostics: Vec<Diagnostic>, allows: &[Allow]) -> (Vec<Diagnostic>, Vec<Allowed>) {
    let mut kept = Vec::with_capacity(diagnostics.len());
    let mut allowed = Vec::new();
    let mut used: Vec<Vec<bool>> = allows.iter().map(|allow| vec![false; allow.names.len()]).collect();
    for diagnostic in diagnostics {
        let silenced = allows.iter().zip(&mut used).find_map(|(allow, used)| {
            let at = allow.names.iter().position(|name| silences(allow, name, &diagnostic))?;
            used[at] = true;
            Some(allow)
        });
        match silenced {
            Some(allow) => allowed.push(Allowed { diagnostic, reason: allow.reason.clone() }),
            None => kept.push(diagnostic),
        }
    }
    for (allow, used) in allows.iter().zip(used) {
        for (name, used) in allow.names.iter().zip(used) {
            kept.extend(problem(allow, name, used));
        }
    }
    (kept, allowed)
}

fn silences(allow: &Allow, name: &str, diagnostic: &Diagnostic) -> bool {
    let covers = |span: Span| match allow.statement {
        Some(statement) => span.file == statement.file && (statement.start..statement.end).contains(&span.start),
        None => span.file == allow.span.file,
    };
    !allow.reason.is_empty()
        && diagnostic.code.name == name
        && find(name).is_some_and(|rule| rule.allowable())
        && diagnostic.span().is_some_and(covers)
}

/// The codes of what makes a plan impossible or breaks a version.
const BREAKS: std::ops::Range<&str> = "CO100".."CO300";

fn problem(allow: &Allow, name: &str, used: bool) -> Option<Diagnostic> {
    let say = |code, severity, text: String| Diagnostic::new(code, severity, text).at(allow.span, "");
    let Some(rule) = find(name).filter(|rule| rule.code.name == name) else {
        let help = match nearest(name) {
            Some(nearest) => format!("did you mean `{nearest}`? `cutover rules` lists all"),
            None => "`cutover rules` lists all".to_owned(),
        };
        let text = format!("there is no rule `{name}`");
        return Some(say(codes::UNKNOWN_ALLOW, Severity::Error, text).help(help));
    };
    if !rule.allowable() {
        let (why, help) = if BREAKS.contains(&rule.code.id) {
            (
                "the plan would break all the same",
                "if you know better where the statement belongs, say it: `-- cutover: before|after|neutral <reason>`",
            )
        } else {
            (
                "it is not about what a statement does",
                "`[lint.rules]` of cutover.toml says how much such findings matter",
            )
        };
        let text = format!("`{name}` cannot be allowed: {why}");
        return Some(say(codes::NOT_ALLOWABLE, Severity::Error, text).help(help));
    }
    if allow.reason.is_empty() {
        let text = format!("`allow({name})` needs a reason after it");
        return Some(
            say(codes::ALLOW_WITHOUT_REASON, Severity::Error, text)
                .help("say why it may stay, for whoever reads it next"),
        );
    }
    let about = if allow.statement.is_some() { "the statement after it" } else { "this file" };
    let text = format!("nothing to allow: `{name}` is not found in {about}");
    (!used).then(|| say(codes::UNUSED_ALLOW, Severity::Info, text).help("take it out"))
}
