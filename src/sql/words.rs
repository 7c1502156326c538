//! The words of a statement, to look for a form in: quotes, strings, comments and the bodies in them count as what they are.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

/// The unquoted words of a statement in lower case, and its punctuation; nothing for what is quoted.
#[derive(Debug, Clone, Default)]
pub struct Words(Vec<String>);

impl Words {
    /// Reads texts that make one statement together. None, where they can not be told apart.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let read = |text| Tokenizer::new(&PostgreSqlDialect {}, text).tokenize().unwrap_or_default();
        let tokens = texts.into_iter().flat_map(read).filter(|token| !matches!(token, Token::Whitespace(_)));
        let word = |token: Token| match token {
            Token::Word(word) if word.quote_style.is_none() => word.value.to_ascii_lowercase(),
            Token::LParen | Token::RParen | Token::Comma | Token::Minus | Token::Period => token.to_string(),
            _ => String::new(),
        };
        Self(tokens.map(word).collect())
    }

    /// Whether the statement has a form: words and punctuation next to each other, `a|b` for one of several, `*` for any one of
    /// them, `…` for anything or nothing between. The first stands at the statement's beginning, if it is no `…`.
    pub fn have(&self, form: &str) -> bool {
        let mut at = 0;
        form.split('…').enumerate().all(|(i, part)| {
            let part: Vec<&str> = part.split_whitespace().collect();
            let stands = |at: &usize| {
                let words = self.0.get(*at..*at + part.len()).unwrap_or_default();
                words.len() == part.len()
                    && words
                        .iter()
                        .zip(&part)
                        .all(|(word, wanted)| *wanted == "*" || wanted.split('|').any(|w| w == word))
            };
            let last = if i == 0 { 0 } else { self.0.len().saturating_sub(part.len()) };
            match (at..=last.max(at)).find(stands) {
                Some(found) => {
                    at = found + part.len();
                    true
                }
                None => false,
            }
        })
    }

    /// The names that stand as those of functions that are called, without a schema.
    pub fn calls(&self) -> impl Iterator<Item = &str> {
        let before = |i: usize| i.checked_sub(1).and_then(|i| self.0.get(i)).map_or("", String::as_str);
        let called =
            move |i: &usize| self.0[i + 1] == "(" && !matches!(before(*i), "." | "function" | "procedure" | "routine");
        (0..self.0.len().saturating_sub(1)).filter(called).map(|i| self.0[i].as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn a_form_is_found_where_it_stands() {
        let sql =
            "CREATE UNIQUE INDEX \"nulls\" ON t (lower(a), s.b(c)) /* merge */ NULLS NOT DISTINCT WHERE x = 'virtual'";
        let words = Words::of([sql]);
        for (form, expected) in [
            ("create unique index", true),
            ("create … nulls not distinct", true),
            ("create … nulls not distinct …", true),
            ("index", false),
            ("… index", true),
            ("… merge", false),
            ("create * index * on", true),
            ("… virtual", false),
            ("create … on t ( lower|upper (", true),
            ("create … distinct … nulls", false),
            ("… where x …", true),
        ] {
            assert_eq!(words.have(form), expected, "{form}");
        }
        assert_eq!(words.calls().collect::<Vec<_>>(), ["t", "lower"]);
        assert!(!Words::of([""]).have("create"));
    }
}
