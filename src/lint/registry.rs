//! A rule by its code or its name.

use super::rule::Rule;
use super::rules::RULES;

/// The rule of a code (`CO401`, in any case) or a name (`table-rewrite`).
pub fn find(wanted: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.code.id.eq_ignore_ascii_case(wanted) || rule.code.name == wanted)
}

/// The name that somebody may have meant.
pub fn nearest(wanted: &str) -> Option<&'static str> {
    let wanted = wanted.to_ascii_lowercase();
    let names = RULES.iter().map(|rule| rule.code.name);
    let (distance, name) = names.clone().map(|name| (distance(&wanted, name), name)).min()?;
    let near = (distance <= 2 + wanted.len() / 5).then_some(name);
    near.or_else(|| names.filter(|name| wanted.len() > 3 && name.starts_with(&wanted)).min())
}

/// How many letters have to be added, taken or replaced (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::codes;

    #[test]
    fn every_code_has_a_rule_in_the_order_of_the_codes() {
        let rules: Vec<_> = RULES.iter().map(|rule| rule.code.id).collect();
        let codes: Vec<_> = codes::ALL.iter().map(|code| code.id).collect();
        assert_eq!(rules, codes);
    }

    #[test]
    fn a_name_with_a_typing_error_is_recognised() {
        assert_eq!(nearest("table-rewrites"), Some("table-rewrite"));
        assert_eq!(nearest("blocking-index"), Some("blocking-index-build"));
        assert_eq!(nearest("Unused-Alow"), Some("unused-allow"));
        assert_eq!(nearest("something-else"), None);
    }
}
