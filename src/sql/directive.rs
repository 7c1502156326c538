//! What an author says to the tool, in the comments before a statement: `-- cutover: before|after|neutral <reason>`, where it belongs;
//! `-- cutover: allow(rule, …) <reason>`, what need not be said about it; and before the first statement, `-- cutover: allow-file(rule, …)
//! <reason>`, the same for the whole file. `-- cutover: backfill key=id rows=1000` and `-- cutover: check within=10m` say how it runs.

use std::ops::Range;
use std::time::Duration;

use crate::source::Span;

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

/// How the author wants a statement to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedManner {
    /// Over the rows of its table, some at a time.
    Backfill {
        /// The column that rows are taken in the order of; otherwise the first one of the primary key.
        key: Option<String>,
        /// How many rows to take at first.
        rows: u32,
    },
    /// As a question that must be answered with yes before anything behind it runs.
    Check {
        /// How long to wait for the yes.
        within: Duration,
    },
}

/// What the author allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The comment.
    pub span: Span,
    /// The statement, or `None` for the whole file.
    pub statement: Option<Span>,
    /// The names as written, which may be no rule's.
    pub names: Vec<String>,
    /// Why; may be empty, which is a finding.
    pub reason: String,
}

/// An `allow` whose statement is not placed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawAllow {
    range: Range<usize>,
    whole_file: bool,
    names: Vec<String>,
    reason: String,
}

impl RawAllow {
    pub(crate) fn placed(self, statement: Span) -> Allow {
        Allow {
            span: Span::new(statement.file, self.range),
            statement: (!self.whole_file).then_some(statement),
            names: self.names,
            reason: self.reason,
        }
    }
}

/// A directive that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DirectiveProblem {
    pub(crate) range: Range<usize>,
    pub(crate) message: String,
}

/// What the comments before a statement say.
#[derive(Debug, Default)]
pub(crate) struct Comments {
    pub(crate) directive: Option<Directive>,
    pub(crate) manner: Option<WantedManner>,
    pub(crate) allows: Vec<RawAllow>,
    pub(crate) problems: Vec<DirectiveProblem>,
}

enum Word {
    Place(Directive),
    Manner(WantedManner),
    Allow { whole_file: bool, names: Vec<String>, reason: String },
}

/// Reads the comments before a statement; of several places the last one wins. `previous`: where the statement before it ends.
pub(crate) fn read(text: &str, comments: &[Range<usize>], previous: Option<usize>) -> Comments {
    let mut found = Comments::default();
    for (range, words) in directives(text, comments) {
        let mut problem = |message: String| found.problems.push(DirectiveProblem { range: range.clone(), message });
        // To its reader it belongs to the statement on its line.
        if previous.is_some_and(|end| !text[end..range.start].contains('\n')) {
            problem("a `cutover:` comment goes before its statement, on a line of its own".to_owned());
            continue;
        }
        match parse(words) {
            Ok(Word::Place(directive)) => found.directive = Some(directive),
            Ok(Word::Manner(manner)) => found.manner = Some(manner),
            Ok(Word::Allow { whole_file: true, .. }) if previous.is_some() => {
                problem("`allow-file` goes before the first statement of the file".to_owned());
            }
            Ok(Word::Allow { whole_file, names, reason }) => {
                found.allows.push(RawAllow { range, whole_file, names, reason });
            }
            Err(message) => problem(message),
        }
    }
    found
}

/// Directives behind the last statement, where there is nothing that they could be about.
pub(crate) fn behind(text: &str, comments: &[Range<usize>]) -> impl Iterator<Item = DirectiveProblem> {
    directives(text, comments).map(|(range, _)| DirectiveProblem {
        range,
        message: "a `cutover:` comment goes before its statement, and none follows".to_owned(),
    })
}

fn directives<'a>(text: &'a str, comments: &[Range<usize>]) -> impl Iterator<Item = (Range<usize>, &'a str)> {
    comments.iter().filter_map(move |range| {
        let body = text[range.clone()].trim_start_matches(['-', '/', '*']).trim_end_matches(['*', '/']).trim();
        Some((range.clone(), body.strip_prefix("cutover:")?.trim()))
    })
}

fn parse(words: &str) -> Result<Word, String> {
    let (word, rest) = words.split_at(words.find(|c: char| c.is_whitespace() || c == '(').unwrap_or(words.len()));
    let reason = rest.trim();
    let place = match word {
        "before" => DirectiveWord::Before,
        "after" => DirectiveWord::After,
        "neutral" => DirectiveWord::Neutral,
        "backfill" => return backfill(rest).map(Word::Manner),
        "check" => return check(rest).map(Word::Manner),
        "allow" | "allow-file" => {
            let listed = rest.trim_start().strip_prefix('(').and_then(|rest| rest.split_once(')'));
            let Some((names, reason)) = listed else {
                return Err(format!("`{word}` names its rules in parentheses: `{word}(table-rewrite) <reason>`"));
            };
            let names = names.split(',').map(|name| name.trim().to_owned()).collect();
            return Ok(Word::Allow { whole_file: word == "allow-file", names, reason: reason.trim().to_owned() });
        }
        other => {
            return Err(format!("{other:?} is not one of before, after, neutral, backfill, check, allow, allow-file"));
        }
    };
    if reason.is_empty() {
        return Err(format!("`cutover: {}` needs a reason after it", place.name()));
    }
    Ok(Word::Place(Directive { word: place, reason: reason.to_owned() }))
}

/// The `name=value` words that come first; what is behind them is for people.
fn settings(rest: &str) -> impl Iterator<Item = (&str, &str)> {
    rest.split_whitespace().map_while(|word| word.split_once('='))
}

fn backfill(rest: &str) -> Result<WantedManner, String> {
    let (mut key, mut rows) = (None, 1000);
    for (name, value) in settings(rest) {
        match name {
            "key" if !value.is_empty() => key = Some(value.trim_matches('"').to_owned()),
            "rows" => {
                let number = value.parse().ok().filter(|rows| (1..=100_000).contains(rows));
                rows = number.ok_or_else(|| format!("`rows` is a number from 1 to 100000, not {value:?}"))?;
            }
            _ => return Err(format!("`{name}={value}` is not one of key=COLUMN, rows=NUMBER")),
        }
    }
    Ok(WantedManner::Backfill { key, rows })
}

fn check(rest: &str) -> Result<WantedManner, String> {
    let mut within = Duration::ZERO;
    for (name, value) in settings(rest) {
        match name {
            "within" => {
                within =
                    duration(value).ok_or_else(|| format!("`within` is a time such as 30s or 10m, not {value:?}"))?
            }
            _ => return Err(format!("`{name}={value}` is not within=TIME")),
        }
    }
    Ok(WantedManner::Check { within })
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comments(comment: &str) -> Comments {
        read(comment, std::slice::from_ref(&(0..comment.len())), None)
    }

    fn check(comment: &str, expected: Result<Option<(&str, &str)>, &str>) {
        let found = comments(comment);
        match expected {
            Ok(expected) => {
                assert!(found.problems.is_empty(), "{:?}", found.problems);
                assert_eq!(found.directive.as_ref().map(|d| (d.word.name(), d.reason.as_str())), expected);
            }
            Err(message) => assert_eq!(found.problems[0].message, message),
        }
    }

    #[test]
    fn a_directive_names_a_phase_and_a_reason() {
        check("-- cutover: after the old job still reads it", Ok(Some(("after", "the old job still reads it"))));
        check("/* cutover: before only adds rows */", Ok(Some(("before", "only adds rows"))));
        check("-- just a comment", Ok(None));
        check("-- cutover: after", Err("`cutover: after` needs a reason after it"));
        check(
            "-- cutover: later x",
            Err("\"later\" is not one of before, after, neutral, backfill, check, allow, allow-file"),
        );
    }

    #[test]
    fn a_manner_has_settings() {
        let check =
            |comment: &str, expected: WantedManner| assert_eq!(comments(comment).manner, Some(expected), "{comment}");
        let refused =
            |comment: &str, why: &str| assert!(comments(comment).problems[0].message.contains(why), "{comment}");
        check("-- cutover: backfill", WantedManner::Backfill { key: None, rows: 1000 });
        check(
            "-- cutover: backfill rows=50 key=id because it is large",
            WantedManner::Backfill { key: Some("id".into()), rows: 50 },
        );
        check("-- cutover: check", WantedManner::Check { within: Duration::ZERO });
        check("-- cutover: check within=10m the job has run", WantedManner::Check { within: Duration::from_secs(600) });
        refused("-- cutover: backfill rows=0", "from 1 to 100000");
        refused("-- cutover: backfill batch=5", "not one of key=COLUMN, rows=NUMBER");
        refused("-- cutover: check within=soon", "such as 30s or 10m");
        refused("-- cutover: check within=99999999999999999999h", "such as 30s or 10m");
        refused("-- cutover: check for=10m", "not within=TIME");
    }

    #[test]
    fn an_allow_names_rules_and_a_reason() {
        let check = |comment: &str, whole_file: bool, names: &[&str], reason: &str| {
            let found = comments(comment);
            assert!(found.problems.is_empty(), "{:?}", found.problems);
            let [allow] = found.allows.as_slice() else { panic!("{:?}", found.allows) };
            assert_eq!((allow.whole_file, allow.reason.as_str()), (whole_file, reason));
            assert_eq!(allow.names, names);
        };
        check("-- cutover: allow(table-rewrite) ten rows", false, &["table-rewrite"], "ten rows");
        check("-- cutover: allow (a, b) c", false, &["a", "b"], "c");
        check("-- cutover: allow(a)", false, &["a"], "");
        check("/* cutover: allow-file(a) old */", true, &["a"], "old");
        assert!(comments("-- cutover: allow a").problems[0].message.contains("parentheses"));
    }

    #[test]
    fn a_directive_stands_before_its_statement() {
        let text = "SELECT 1; -- cutover: after x\n-- cutover: allow-file(a) x\nSELECT 2;";
        let first = 10..29;
        let found = read(text, &[first.clone(), 30..57], Some(8));
        let messages: Vec<_> = found.problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "a `cutover:` comment goes before its statement, on a line of its own",
                "`allow-file` goes before the first statement of the file"
            ]
        );
        assert_eq!(behind(text, &[first]).count(), 1);
    }
}
