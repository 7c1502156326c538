//! Forms of PostgreSQL's queries that sqlparser lacks, mended in the token stream: `(e).*`, `SET a[1] = …`, and `ON CONFLICT` behind a select
//! list without FROM. Positions of the other tokens stay as they are.

use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Whitespace, Word};

use super::parse::is_word;

/// The name of all fields of a row, as `(e).*` has it.
pub(super) const ALL_FIELDS: &str = "\u{0}*";

/// The name of an element of an array, as `SET a[1] = …` has it.
const ELEMENT: &str = "\u{0}[]";

/// The name of an output column that has none.
const UNNAMED: &str = "?column?";

/// Mends the tokens of a query.
pub(super) fn mend(tokens: &mut Vec<TokenWithSpan>) {
    let solid = |tokens: &[TokenWithSpan]| -> Vec<usize> {
        let means = |t: &TokenWithSpan| !matches!(t.token, Token::Whitespace(_) | Token::EOF);
        (0..tokens.len()).filter(|i| means(&tokens[*i])).collect()
    };
    let places = solid(tokens);
    let mut insert_at = None;
    let mut i = 0;
    while i < places.len() {
        let is = |n: usize, token: &Token| places.get(n).is_some_and(|at| tokens[*at].token == *token);
        if is(i, &Token::RParen) && is(i + 1, &Token::Period) && is(i + 2, &Token::Mul) {
            tokens[places[i + 2]].token = quoted(ALL_FIELDS);
        } else if starts_assignment(tokens, &places, i)
            && is(i + 2, &Token::LBracket)
            && let Some(end) = behind_subscripts(tokens, &places, i + 2)
            && is(end, &Token::Eq)
        {
            tokens[places[i + 2]].token = Token::Period;
            tokens[places[i + 3]].token = quoted(ELEMENT);
            for at in &places[i + 4..end] {
                tokens[*at].token = Token::Whitespace(Whitespace::Space);
            }
            i = end;
            continue;
        } else if insert_at.is_none() && is_word(&tokens[places[i]].token, "on") && bare_select_list(tokens, &places, i)
        {
            insert_at = Some(places[i]);
        }
        i += 1;
    }
    if let Some(at) = insert_at {
        let span = Span::empty();
        let space = Token::Whitespace(Whitespace::Space);
        let new = [Token::make_keyword("AS"), space.clone(), quoted(UNNAMED), space];
        tokens.splice(at..at, new.into_iter().map(|token| TokenWithSpan { token, span }));
    }
}

/// `SET a`, `, a`
fn starts_assignment(tokens: &[TokenWithSpan], places: &[usize], i: usize) -> bool {
    let token = |n: usize| places.get(n).map(|at| &tokens[*at].token);
    let begins = token(i).is_some_and(|t| is_word(t, "set") || *t == Token::Comma);
    begins && matches!(token(i + 1), Some(Token::Word(_)))
}

/// Where what follows `[…][…]` stands.
fn behind_subscripts(tokens: &[TokenWithSpan], places: &[usize], mut i: usize) -> Option<usize> {
    while places.get(i).is_some_and(|at| tokens[*at].token == Token::LBracket) {
        let mut depth = 0_usize;
        loop {
            match tokens[*places.get(i)?].token {
                Token::LBracket => depth += 1,
                Token::RBracket => depth -= 1,
                _ => {}
            }
            i += 1;
            if depth == 0 {
                break;
            }
        }
    }
    Some(i)
}

/// Whether `ON CONFLICT` at this place ends a select list whose last element has no alias, so that `ON` would be taken for one.
fn bare_select_list(tokens: &[TokenWithSpan], places: &[usize], on: usize) -> bool {
    let token = |n: usize| places.get(n).map(|at| &tokens[*at].token);
    if !token(on + 1).is_some_and(|t| is_word(t, "conflict")) {
        return false;
    }
    let mut depth = 0_usize;
    for n in (0..on).rev() {
        match token(n) {
            Some(Token::RParen | Token::RBracket) => depth += 1,
            Some(Token::LParen | Token::LBracket) if depth > 0 => depth -= 1,
            Some(Token::LParen | Token::LBracket) => return false,
            Some(t @ Token::Word(_)) if depth == 0 => {
                if is_word(t, "select") {
                    // An alias is there already, or the last element is one word.
                    let alias = on.checked_sub(2).and_then(token).is_some_and(|t| is_word(t, "as"));
                    return !alias;
                }
                let other =
                    ["from", "where", "values", "group", "having", "order", "limit", "union", "returning", "window"];
                if other.iter().any(|word| is_word(t, word)) {
                    return false;
                }
            }
            _ => {}
        }
    }
    false
}

fn quoted(name: &str) -> Token {
    Token::Word(Word {
        value: name.to_owned(),
        quote_style: Some('"'),
        keyword: sqlparser::keywords::Keyword::NoKeyword,
    })
}
