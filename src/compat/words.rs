//! Which queries name something, by the words in their texts.

use std::collections::{BTreeSet, HashMap};

/// PostgreSQL cuts names off here.
const LONGEST_NAME: usize = 63;

/// Queries by the words in them.
#[derive(Debug, Clone, Default)]
pub struct QueryWords {
    /// In lower case.
    words: HashMap<String, Vec<usize>>,
    /// Queries that may spell names otherwise: `U&"d\0061ta"`.
    spelled: Vec<usize>,
    queries: usize,
}

impl QueryWords {
    /// The words of queries, which are numbered in their order.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut found = Self::default();
        for (i, text) in texts.into_iter().enumerate() {
            let words: BTreeSet<String> = words_of(text).map(|word| cut(word).to_lowercase()).collect();
            for word in words {
                found.words.entry(word).or_default().push(i);
            }
            if text.contains('\\') || text.contains("U&") || text.contains("u&") {
                found.spelled.push(i);
            }
            found.queries = i + 1;
        }
        found
    }

    /// The queries that may name one of these, in their order.
    pub fn naming<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
        let mut found = BTreeSet::new();
        let mut any = false;
        for name in names {
            let name = cut(name).to_lowercase();
            // A name of several words is not found as one.
            if words_of(&name).next() != Some(&name) {
                return self.all();
            }
            found.extend(self.words.get(&name).into_iter().flatten());
            any = true;
        }
        found.extend(self.spelled.iter().filter(|_| any));
        found.into_iter().copied().collect()
    }

    /// All of them.
    pub fn all(&self) -> Vec<usize> {
        (0..self.queries).collect()
    }
}

/// A name as PostgreSQL keeps it.
fn cut(name: &str) -> &str {
    let end = (0..=LONGEST_NAME.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    &name[..end.unwrap_or(0)]
}

fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_that_may_name_something() {
        let long = "x".repeat(70);
        let texts = [
            "SELECT a FROM Users u".to_owned(),
            "SELECT nextval('users_id_seq')".to_owned(),
            "SELECT 1 FROM U&\"us\\0065rs\"".to_owned(),
            format!("SELECT 1 FROM {long}"),
        ];
        let words = QueryWords::new(texts.iter().map(String::as_str));
        let check = |names: &[&str], expected: &[usize]| {
            assert_eq!(words.naming(names.iter().copied()), expected, "{names:?}");
        };
        check(&[], &[]);
        check(&["users"], &[0, 2]);
        check(&["USERS_ID_SEQ", "other"], &[1, 2]);
        check(&["other"], &[2]);
        check(&[&long[..63]], &[2, 3]);
        check(&["two words"], &[0, 1, 2, 3]);
    }
}
