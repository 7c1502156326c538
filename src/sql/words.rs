//! The words of a statement, to look for a form in: quotes, strings, comments and the bodies in them count as what they are.

use super::lex::{Lexeme, TokenKind, lex};

/// The unquoted words of a statement in lower case, and its punctuation; nothing for what is quoted.
#[derive(Debug, Clone, Default)]
pub struct Words(Vec<String>);

impl Words {
    /// Reads texts that make one statement together.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let word = |piece: Lexeme<'_>| match piece.kind {
            TokenKind::Word => piece.text.to_ascii_lowercase(),
            TokenKind::Symbol if matches!(piece.text, "(" | ")" | "," | "-" | ".") => piece.text.to_owned(),
            _ => String::new(),
        };
        Self(texts.into_iter().flat_map(lex).filter(Lexeme::solid).map(word).collect())
    }

    /// Whether the statement has a form.
    pub fn have(&self, form: &Form) -> bool {
        let mut at = 0;
        form.0.iter().enumerate().all(|(i, part)| {
            let stands = |at: &usize| self.0[*at..].iter().zip(part).all(|(word, slot)| slot.takes(word));
            let Some(latest) = self.0.len().checked_sub(part.len()) else { return false };
            let last = if i == 0 { 0 } else { latest };
            match (at..=last.max(at)).take_while(|at| *at <= latest).find(stands) {
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

/// How statements of a kind read: words and punctuation next to each other, `a|b` for one of several, `*` for any one of them, `…` for
/// anything or nothing between. The first stands at the statement's beginning, if it is no `…`.
#[derive(Debug, Clone)]
pub struct Form(Vec<Vec<Slot>>);

impl Form {
    /// Reads a form as it is written.
    pub fn new(form: &'static str) -> Self {
        let slot = |word: &'static str| if word == "*" { Slot::Any } else { Slot::OneOf(word.split('|').collect()) };
        Self(form.split('…').map(|part| part.split_whitespace().map(slot).collect()).collect())
    }
}

/// What may stand in one place.
#[derive(Debug, Clone)]
enum Slot {
    Any,
    OneOf(Vec<&'static str>),
}

impl Slot {
    fn takes(&self, word: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(words) => words.contains(&word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Words};

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
            assert_eq!(words.have(&Form::new(form)), expected, "{form}");
        }
        assert_eq!(words.calls().collect::<Vec<_>>(), ["t", "lower"]);
        assert!(!Words::of([""]).have(&Form::new("create")));
    }
}
