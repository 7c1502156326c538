//! `-- cutover: before|after|neutral <reason>`: the author's word on a statement, written in the comments before it.

use std::ops::Range;

/// What the author says of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Where it belongs.
    pub word: DirectiveWord,
    /// Why.
    pub reason: String,
}

/// Where the author puts a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectiveWord {
    /// Before the cutover.
    Before,
    /// After the cutover.
    After,
    /// Neither version notices.
    Neutral,
}

impl DirectiveWord {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Neutral => "neutral",
        }
    }
}

/// A directive that can not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DirectiveProblem {
    pub(crate) range: Range<usize>,
    pub(crate) message: String,
}

/// Reads the directive in the comments of a statement; the last one wins.
pub(crate) fn read(text: &str, comments: &[Range<usize>]) -> (Option<Directive>, Vec<DirectiveProblem>) {
    let mut found = None;
    let mut problems = Vec::new();
    for range in comments {
        let body = text[range.clone()].trim_start_matches(['-', '/', '*']).trim_end_matches(['*', '/']).trim();
        let Some(words) = body.strip_prefix("cutover:") else { continue };
        match parse(words.trim()) {
            Ok(directive) => found = Some(directive),
            Err(message) => problems.push(DirectiveProblem { range: range.clone(), message }),
        }
    }
    (found, problems)
}

fn parse(words: &str) -> Result<Directive, String> {
    let (word, reason) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
    let word = match word {
        "before" => DirectiveWord::Before,
        "after" => DirectiveWord::After,
        "neutral" => DirectiveWord::Neutral,
        other => return Err(format!("{other:?} is not one of before, after, neutral")),
    };
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(format!("`cutover: {}` needs a reason after it", word.name()));
    }
    Ok(Directive { word, reason: reason.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(comment: &str, expected: Result<Option<(&str, &str)>, &str>) {
        let (found, problems) = read(comment, std::slice::from_ref(&(0..comment.len())));
        match expected {
            Ok(expected) => {
                assert!(problems.is_empty(), "{problems:?}");
                assert_eq!(found.as_ref().map(|d| (d.word.name(), d.reason.as_str())), expected);
            }
            Err(message) => assert_eq!(problems[0].message, message),
        }
    }

    #[test]
    fn a_directive_names_a_phase_and_a_reason() {
        check("-- cutover: after the old job still reads it", Ok(Some(("after", "the old job still reads it"))));
        check("/* cutover: before only adds rows */", Ok(Some(("before", "only adds rows"))));
        check("-- just a comment", Ok(None));
        check("-- cutover: after", Err("`cutover: after` needs a reason after it"));
        check("-- cutover: later x", Err("\"later\" is not one of before, after, neutral"));
    }
}
