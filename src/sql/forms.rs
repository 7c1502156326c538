//! Forms of PostgreSQL's queries that another form says as well, written as that one before a statement is read: `TABLE t`, `BETWEEN SYMMETRIC`,
//! `RETURNING WITH (OLD AS o)`. Positions of the author's tokens stay as they are.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Whitespace, Word};

use super::gaps::blanked;
use super::parse::is_word;

/// Rewrites the tokens of a statement. Mostly there is nothing to do.
pub(super) fn rewrite(tokens: &mut Vec<TokenWithSpan>) {
    let solid = |token: &Token| !matches!(token, Token::Whitespace(_) | Token::EOF);
    let is =
        |tokens: &[TokenWithSpan], at: Option<usize>, word: &str| at.is_some_and(|at| is_word(&tokens[at].token, word));
    let mut first: Option<usize> = None;
    let mut first_as: Option<usize> = None;
    // The tokens before this one, the nearest first.
    let mut before: [Option<usize>; 5] = [None; 5];
    let mut at = 0;
    while at < tokens.len() {
        if !solid(&tokens[at].token) {
            at += 1;
            continue;
        }
        first = first.or(Some(at));
        let keyword = |at: usize, keyword: Keyword| matches!(&tokens[at].token, Token::Word(w) if w.keyword == keyword);
        let next = || (at + 1..tokens.len()).find(|at| solid(&tokens[*at].token));
        first_as = first_as.or(keyword(at, Keyword::AS).then_some(at));
        let behind_first_as = before[0].is_some() && before[0] == first_as;
        if keyword(at, Keyword::TABLE) && is_query(tokens, first, &before, next(), behind_first_as) {
            let only = next().filter(|next| is_word(&tokens[*next].token, "only"));
            only.into_iter().for_each(|only| tokens[only].token = blanked());
            tokens[at].token = Token::make_keyword("SELECT");
            let space = || Token::Whitespace(Whitespace::Space);
            let new = [space(), Token::Mul, space(), Token::make_keyword("FROM"), space()];
            tokens.splice(at + 1..at + 1, new.map(|token| TokenWithSpan { token, span: Span::empty() }));
        } else if is(tokens, Some(at), "symmetric") && is(tokens, before[0], "between") {
            // The same operators on the same operands.
            tokens[at].token = blanked();
            at += 1;
            continue;
        } else if keyword(at, Keyword::WITH) && is(tokens, before[0], "returning") {
            rename_rows(tokens, at);
        }
        before.rotate_right(1);
        before[0] = Some(at);
        at += 1;
    }
}

/// Whether `TABLE` is a query (`TABLE t`), and not a kind of object.
fn is_query(
    tokens: &[TokenWithSpan],
    first: Option<usize>,
    before: &[Option<usize>],
    next: Option<usize>,
    behind_first_as: bool,
) -> bool {
    let token = |at: Option<usize>| at.map(|at| &tokens[at].token);
    let starts = |words: &[&str]| token(first).is_some_and(|token| words.iter().any(|word| is_word(token, word)));
    if !matches!(token(next), Some(Token::Word(_))) {
        return false;
    }
    match token(before[0]) {
        None | Some(Token::LParen) => true,
        // `WITH … AS (…) TABLE t`, `INSERT INTO t (a) TABLE u`
        Some(Token::RParen) => starts(&["with", "insert", "explain"]),
        Some(word @ Token::Word(_)) => {
            // `INSERT INTO s.t TABLE u`
            let into = || before[1..].iter().any(|at| token(*at).is_some_and(|token| is_word(token, "into")));
            // `CREATE TABLE t AS TABLE u`; another AS gives a name, which may be `table`.
            if is_word(word, "as") {
                return behind_first_as && starts(&["create", "prepare"]);
            }
            let joins = ["union", "intersect", "except", "all", "distinct", "explain", "analyze"];
            joins.iter().any(|join| is_word(word, join)) || starts(&["insert", "with"]) && into()
        }
        _ => false,
    }
}

/// `RETURNING WITH (OLD AS o, NEW AS n) o.a, n.a`: the names that are given become those that they stand for.
fn rename_rows(tokens: &mut [TokenWithSpan], with: usize) {
    let solids = (with + 1..tokens.len()).filter(|at| !matches!(tokens[*at].token, Token::Whitespace(_) | Token::EOF));
    let solids: Vec<usize> = solids.collect();
    let Some(close) = solids.iter().position(|at| tokens[*at].token == Token::RParen) else { return };
    let mut names = Vec::new();
    for pair in solids[..close].windows(3) {
        let [row, joined, name] = [pair[0], pair[1], pair[2]].map(|at| &tokens[at].token);
        if is_word(joined, "as")
            && let (Token::Word(row), Token::Word(name)) = (row, name)
        {
            names.push((folded(name), row.clone()));
        }
    }
    // To the end of the list: of the statement, or of the parentheses that it stands in.
    let (mut depth, mut before) = (0_u32, &tokens[solids[close]].token);
    let mut renamed = Vec::new();
    for at in &solids[close + 1..] {
        let token = &tokens[*at].token;
        match token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => break,
            Token::RParen => depth -= 1,
            Token::Word(word) if *before != Token::Period && !is_word(before, "as") => {
                let row = names.iter().find(|(name, _)| *name == folded(word));
                renamed.extend(row.map(|(_, row)| (*at, row.clone())));
            }
            _ => {}
        }
        before = token;
    }
    for (at, row) in renamed {
        tokens[at].token = Token::Word(row);
    }
    for at in std::iter::once(&with).chain(&solids[..=close]) {
        tokens[*at].token = blanked();
    }
}

fn folded(word: &Word) -> String {
    if word.quote_style.is_some() { word.value.clone() } else { word.value.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use crate::sql::parse::Tokens;

    #[test]
    fn one_form_is_written_as_another() {
        let check = |text: &str, expected: &str| {
            let mut tokens = Tokens::read(text).unwrap();
            tokens.mend();
            assert_eq!(tokens.solid_text(), expected, "{text}");
        };
        check("TABLE t", "SELECT * FROM t");
        check("TABLE ONLY s.\"T\" ORDER BY a", "SELECT * FROM s . \"T\" ORDER BY a");
        check("WITH x AS (TABLE t) TABLE x", "WITH x AS ( SELECT * FROM t ) SELECT * FROM x");
        check("INSERT INTO s.t TABLE u", "INSERT INTO s . t SELECT * FROM u");
        check(
            "INSERT INTO t (a) TABLE u UNION ALL TABLE v",
            "INSERT INTO t ( a ) SELECT * FROM u UNION ALL SELECT * FROM v",
        );
        check("CREATE TABLE t AS TABLE u", "CREATE TABLE t AS SELECT * FROM u");
        check("ALTER TABLE t ADD a int", "ALTER TABLE t ADD a int");
        check("GRANT SELECT ON TABLE t TO x", "GRANT SELECT ON TABLE t TO x");
        check("ALTER PUBLICATION p ADD TABLE t, TABLE u", "ALTER PUBLICATION p ADD TABLE t , TABLE u");
        check("SELECT a BETWEEN SYMMETRIC 1 AND 2", "SELECT a BETWEEN 1 AND 2");
        check("SELECT symmetric FROM t", "SELECT symmetric FROM t");
        check("SELECT a AS table FROM q", "SELECT a AS table FROM q");
        check("CREATE VIEW v AS SELECT a AS table FROM q", "CREATE VIEW v AS SELECT a AS table FROM q");
        check(
            "WITH u AS (UPDATE t SET a = 1 RETURNING WITH (NEW AS n) n.a AS n) INSERT INTO l (n) SELECT n FROM u",
            "WITH u AS ( UPDATE t SET a = 1 RETURNING NEW . a AS n ) INSERT INTO l ( n ) SELECT n FROM u",
        );
        check("DELETE FROM t RETURNING WITH (OLD AS o) o.a, b", "DELETE FROM t RETURNING OLD . a , b");
        check(
            "UPDATE t SET a = 1 RETURNING WITH (OLD AS o, NEW AS n) o.a, n.a",
            "UPDATE t SET a = 1 RETURNING OLD . a , NEW . a",
        );
    }
}
