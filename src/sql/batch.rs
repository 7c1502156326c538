//! A data statement of an author as a text that takes some of the rows at a time: its condition in parentheses, so that more can be asked for
//! behind it. Nothing else of the text is touched.

use super::lex::{Lexeme, TokenKind, lex};

/// A statement that can be taken some rows at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batchable {
    /// The table as the statement names it, with its alias.
    pub(crate) table: String,
    /// The name that its columns have in the statement.
    pub(crate) name: String,
    /// The author's text, ready for ` AND …`.
    pub(crate) text: String,
}

/// Reads an `UPDATE` or a `DELETE`; otherwise says why it is none that can be taken some rows at a time.
pub(crate) fn of(sql: &str) -> Result<Batchable, String> {
    let words: Vec<Lexeme<'_>> = lex(sql).into_iter().filter(Lexeme::solid).collect();
    let mut at = 0;
    let is = |at: usize, word: &str| words.get(at).is_some_and(|found| found.is(word));
    let is_update = is(0, "update");
    if is_update {
        at += 1;
    } else if is(0, "delete") && is(1, "from") {
        at += 2;
    } else {
        return Err("only an UPDATE or a DELETE without WITH goes over the rows of a table".to_owned());
    }
    let from = at;
    if is(at, "only") {
        at += 1;
    }
    let is_name =
        |at: usize| words.get(at).is_some_and(|found| matches!(found.kind, TokenKind::Word | TokenKind::Name));
    let symbol = |at: usize, text: &str| words.get(at).is_some_and(|found| found.symbol(text));
    if !is_name(at) {
        return Err("the name of its table cannot be read".to_owned());
    }
    while is_name(at) && symbol(at + 1, ".") {
        at += 2;
    }
    let bare = words.get(at).map_or("", |found| found.text);
    let mut name = bare;
    at += 1;
    if symbol(at, "*") {
        at += 1;
    }
    let ends = ["set", "using", "where", "returning"];
    let aliased = is(at, "as") || (is_name(at) && !words[at].is_any(&ends));
    if aliased {
        at += usize::from(is(at, "as"));
        name = words.get(at).map_or("", |found| found.text);
        at += 1;
    }
    let Some(last) = words.get(at - 1) else { return Err("the name of its table cannot be read".to_owned()) };
    let table = sql[words[from].at..last.end()].to_owned();
    if is_update && !is(at, "set") {
        return Err("the name of its table cannot be read".to_owned());
    }
    let rest = &words[at..];
    reads_itself(rest, bare)?;
    let (mut depth, mut condition) = (0_i32, None);
    for word in rest {
        depth += i32::from(word.symbol("(")) - i32::from(word.symbol(")"));
        if depth > 0 {
            continue;
        }
        if word.is("returning") {
            return Err("it has RETURNING, and nobody would read the rows".to_owned());
        }
        if word.is("where") {
            condition = Some(word.end());
        }
    }
    let text = match condition {
        Some(at)
            if rest.iter().any(|word| word.is("current"))
                && sql[at..].trim_start().to_lowercase().starts_with("current") =>
        {
            return Err("it has WHERE CURRENT OF".to_owned());
        }
        // The closing parenthesis on a line of its own: the text may end in a comment.
        Some(at) => format!("{} ({}\n)", &sql[..at], sql[at..].trim_start()),
        None => format!("{sql}\nWHERE (true)"),
    };
    Ok(Batchable { table, name: name.to_owned(), text })
}

/// What rows see of each other would differ from one time to the next.
fn reads_itself(words: &[Lexeme<'_>], table: &str) -> Result<(), String> {
    let plain = |text: &str| match text.strip_prefix('"') {
        Some(quoted) => quoted.trim_end_matches('"').to_owned(),
        None => text.to_lowercase(),
    };
    let table = plain(table);
    let named = |at: usize| {
        matches!(words[at].kind, TokenKind::Word | TokenKind::Name)
            && plain(words[at].text) == table
            && !words.get(at + 1).is_some_and(|next| next.symbol(".") || next.symbol("="))
    };
    let from = |mut at: usize| {
        while at >= 2 && words[at - 1].symbol(".") {
            at -= 2;
        }
        let before = at.checked_sub(1).map(|before| &words[before]);
        before.is_some_and(|word| {
            word.is_any(&["from", "join", "using", "only", "table"]) || word.symbol(",") || word.symbol("(")
        })
    };
    match (0..words.len()).find(|at| named(*at) && from(*at)) {
        Some(_) => {
            Err("it reads the table that it writes, so the rows of one time would see what the time before it did"
                .to_owned())
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, table: &str, name: &str, text: &str) {
        let expected = Batchable { table: table.into(), name: name.into(), text: text.into() };
        assert_eq!(of(sql), Ok(expected));
    }

    #[test]
    fn the_condition_is_put_in_parentheses() {
        check("UPDATE t SET a = 1", "t", "t", "UPDATE t SET a = 1\nWHERE (true)");
        check(
            "update only s.\"T\" as x set a = (select 1 where true) where b or c -- why",
            "only s.\"T\" as x",
            "x",
            "update only s.\"T\" as x set a = (select 1 where true) where (b or c -- why\n)",
        );
        check(
            "UPDATE t x SET a = u.a FROM u WHERE u.id = x.id OR true",
            "t x",
            "x",
            "UPDATE t x SET a = u.a FROM u WHERE (u.id = x.id OR true\n)",
        );
        check("DELETE FROM t WHERE a IS NULL", "t", "t", "DELETE FROM t WHERE (a IS NULL\n)");
        check("DELETE FROM t USING u WHERE t.a = u.a", "t", "t", "DELETE FROM t USING u WHERE (t.a = u.a\n)");
    }

    #[test]
    fn what_sees_more_than_its_rows_is_refused() {
        let refused = |sql: &str, why: &str| assert!(of(sql).unwrap_err().contains(why), "{sql}: {:?}", of(sql));
        refused("INSERT INTO t SELECT 1", "only an UPDATE or a DELETE");
        refused("WITH x AS (SELECT 1) UPDATE t SET a = 1", "without WITH");
        refused("UPDATE t SET a = 1 RETURNING a", "RETURNING");
        refused("UPDATE t SET a = (SELECT max(a) FROM t AS o)", "reads the table");
        refused("UPDATE t SET a = o.a FROM u, s.t o WHERE true", "reads the table");
        refused("DELETE FROM t WHERE id IN (SELECT id FROM u JOIN t USING (id))", "reads the table");
        refused("UPDATE t x SET a = o.b FROM (t o JOIN u ON u.id = o.id) WHERE true", "reads the table");
        refused("DELETE FROM t WHERE CURRENT OF c", "CURRENT OF");
        assert!(of("UPDATE t SET a = t.b, t = 2 WHERE t.c").is_ok());
    }
}
