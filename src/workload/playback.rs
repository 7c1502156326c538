//! A recording as it is played again: what stands for each statement, and which query of the workload it is.

use std::collections::HashMap;

use super::fingerprint::{Fingerprint, fingerprint};
use super::{SavedStatement, Workload};
use crate::sql::lex::{Lexeme, TokenKind, lex};

/// Something to do, in the order of the recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Play<'a> {
    /// What.
    pub act: Act<'a>,
    /// The query of the workload that it is; of an end, the last one in the transaction.
    pub query: Option<usize>,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act<'a> {
    /// A transaction begins.
    Begin,
    /// A statement runs.
    Run(&'a SavedStatement),
    /// A savepoint is set, released, or returned to.
    Savepoint(&'a str),
    /// A statement is left out, for this reason.
    LeaveOut(&'static str),
    /// The transaction ends well; these take back what its `SET LOCAL`s did.
    Commit(Vec<String>),
    /// The transaction is undone.
    Rollback,
}

/// Statements that cannot be played within a transaction that is taken back, by their first word, and why.
const LEFT_OUT: &[(&[&str], &str)] = &[
    (&["copy"], "COPY: its rows are not in a log"),
    (
        &["begin", "start", "commit", "end", "abort", "prepare"],
        "it begins or ends a transaction within another, or prepares one",
    ),
    (
        &["deallocate", "execute"],
        "a statement that was prepared in SQL is played where it was prepared, without values",
    ),
    (&["declare", "fetch", "move", "close"], "a cursor's query is played where it is declared"),
    (&["discard", "load", "listen", "unlisten", "notify", "checkpoint"], "it is about the session or the server"),
    (&["vacuum", "cluster"], "it does not run in a transaction"),
];

/// What would reach beyond the transaction: the tool's own lock, other sessions, the limit on the time of a statement, the server's files.
const REACHING: &[&str] = &[
    "pg_advisory_unlock",
    "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared",
    "pg_cancel_backend",
    "pg_reload_conf",
    "pg_switch_wal",
    "pg_terminate_backend",
    "dblink",
    "dblink_exec",
    "lo_export",
    "pg_sleep",
    "statement_timeout",
    "transaction_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
];

impl Workload {
    /// What was recorded, as it is played again; nothing where no values were kept.
    pub fn playback(&self) -> Vec<Play<'_>> {
        let (mut texts, mut prints) = (HashMap::<&str, usize>::new(), HashMap::<Fingerprint, usize>::new());
        for (i, query) in self.queries.iter().enumerate() {
            texts.entry(self.text(query)).or_insert(i);
            prints.entry(fingerprint(self.text(query))).or_insert(i);
        }
        let query_of = |text: &str| texts.get(text).or_else(|| prints.get(&fingerprint(text))).copied();
        let mut plays = Vec::new();
        for transaction in &self.transactions {
            plays.push(Play { act: Act::Begin, query: None });
            let (mut last, mut resets) = (None, Vec::new());
            for statement in &transaction.statements {
                let act = act(statement, &mut resets);
                let query = query_of(&statement.text);
                last = query.or(last);
                plays.push(Play { act, query });
            }
            // What was never ended ended with its session.
            plays.push(match transaction.rolled_back || !transaction.ended {
                true => Play { act: Act::Rollback, query: None },
                false => Play { act: Act::Commit(resets), query: last },
            });
        }
        plays
    }
}

/// Why a statement is not run within a transaction that is taken back, if it is not.
pub fn unplayable(statement: &SavedStatement) -> Option<&'static str> {
    match act(statement, &mut Vec::new()) {
        Act::LeaveOut(reason) => Some(reason),
        Act::Savepoint(_) => Some("it begins or ends a transaction within another, or prepares one"),
        Act::Begin | Act::Run(_) | Act::Commit(_) | Act::Rollback => None,
    }
}

fn act<'a>(statement: &'a SavedStatement, resets: &mut Vec<String>) -> Act<'a> {
    let lexemes: Vec<_> = lex(&statement.text).into_iter().filter(Lexeme::solid).collect();
    let is = |at: usize, words: &[&str]| lexemes.get(at).is_some_and(|lexeme| lexeme.is_any(words));
    if let Some((_, reason)) = LEFT_OUT.iter().find(|(words, _)| is(0, words)) {
        return Act::LeaveOut(reason);
    }
    let reaches = |lexeme: &Lexeme<'_>| {
        let name = lexeme.text.trim_matches('"');
        matches!(lexeme.kind, TokenKind::Word | TokenKind::Name)
            && REACHING.iter().any(|word| name.eq_ignore_ascii_case(word))
    };
    if lexemes.iter().any(reaches) {
        return Act::LeaveOut("it reaches beyond its transaction, or only waits");
    }
    if is(0, &["savepoint", "release"]) || is(0, &["rollback"]) && lexemes.iter().any(|lexeme| lexeme.is("to")) {
        return Act::Savepoint(&statement.text);
    }
    if is(0, &["rollback"]) {
        return Act::LeaveOut("it begins or ends a transaction within another, or prepares one");
    }
    if is(0, &["set"]) && is(1, &["local"]) {
        resets.extend(reset(&lexemes[2..]));
    }
    Act::Run(statement)
}

/// What takes back a `SET LOCAL`.
fn reset(what: &[Lexeme<'_>]) -> Option<String> {
    let is = |at: usize, word: &str| what.get(at).is_some_and(|lexeme| lexeme.is(word));
    if is(0, "time") && is(1, "zone") {
        return Some("RESET TIME ZONE".to_owned());
    }
    if is(0, "session") && is(1, "authorization") {
        return Some("RESET SESSION AUTHORIZATION".to_owned());
    }
    let end = what.iter().position(|l| l.symbol("=") || l.is("to")).unwrap_or(1);
    let name: String = what.get(..end)?.iter().map(|lexeme| lexeme.text).collect();
    (!name.is_empty()).then(|| format!("RESET {name}"))
}

#[cfg(test)]
mod tests {
    use super::super::SavedTransaction;
    use super::*;

    fn transaction(texts: &[&str], rolled_back: bool) -> SavedTransaction {
        let statement = |text: &&str| SavedStatement { text: (*text).to_owned(), parameters: Vec::new() };
        SavedTransaction { statements: texts.iter().map(statement).collect(), ended: true, rolled_back }
    }

    /// Each act with the number of its query.
    fn check(texts: &[&str], rolled_back: bool, expected: &[&str]) {
        let (mut workload, _) =
            Workload::from_text("q.sql", "-- name: a\nSELECT 1 WHERE $1;\n-- name: b\nINSERT INTO t VALUES ($1);");
        workload.transactions = vec![transaction(texts, rolled_back)];
        let shown = |play: &Play<'_>| {
            let act = match &play.act {
                Act::Begin => "begin".to_owned(),
                Act::Run(statement) => format!("run {}", statement.text),
                Act::Savepoint(text) => format!("savepoint {text}"),
                Act::LeaveOut(_) => "left out".to_owned(),
                Act::Commit(resets) => format!("commit {}", resets.join("; ")).trim_end().to_owned(),
                Act::Rollback => "rollback".to_owned(),
            };
            play.query.map_or(act.clone(), |query| format!("{act} [{query}]"))
        };
        let found: Vec<_> = workload.playback().iter().map(shown).collect();
        assert_eq!(found, expected, "{texts:?}");
    }

    #[test]
    fn statements_find_their_queries() {
        let one = "insert into t values ('x') -- mine";
        check(&[one, "SELECT 2"], false, &["begin", &format!("run {one} [1]"), "run SELECT 2", "commit [1]"]);
        check(&[one], true, &["begin", &format!("run {one} [1]"), "rollback"]);
    }

    #[test]
    fn what_is_set_for_a_transaction_is_taken_back() {
        check(
            &["SET LOCAL ROLE app", "SET LOCAL app.tenant = '1'", "set local time zone 'UTC'", "SET LOCAL a TO b"],
            false,
            &[
                "begin",
                "run SET LOCAL ROLE app",
                "run SET LOCAL app.tenant = '1'",
                "run set local time zone 'UTC'",
                "run SET LOCAL a TO b",
                "commit RESET ROLE; RESET app.tenant; RESET TIME ZONE; RESET a",
            ],
        );
    }

    #[test]
    fn what_can_not_be_taken_back_is_left_out() {
        for text in [
            "COPY t FROM STDIN",
            "/* x */ commit",
            "PREPARE TRANSACTION 'x'",
            "ROLLBACK PREPARED 'x'",
            "SELECT pg_advisory_unlock_all()",
            "SELECT pg_catalog.\"pg_terminate_backend\"(1)",
            "SET statement_timeout = 0",
            "DISCARD ALL",
            "START TRANSACTION",
        ] {
            check(&[text], false, &["begin", "left out", "commit"]);
        }
        check(&["ROLLBACK TO x"], false, &["begin", "savepoint ROLLBACK TO x", "commit"]);
    }
}
