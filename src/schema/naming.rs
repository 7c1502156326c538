//! The names PostgreSQL makes up: `makeObjectName` and `ChooseRelationName` of its source.

use crate::sql::operation::Ident;

/// `name1_name2_label`, the longer of the two names cut until it fits 63 bytes.
pub(super) fn object_name(name1: &str, name2: Option<&str>, label: &str) -> String {
    let overhead = label.len() + 1 + usize::from(name2.is_some());
    let available = 63_usize.saturating_sub(overhead);
    let mut length1 = name1.len();
    let mut length2 = name2.map_or(0, str::len);
    while length1 + length2 > available {
        if length1 > length2 { length1 -= 1 } else { length2 -= 1 }
    }
    let cut = |text: &str, mut length: usize| {
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        text[..length].to_owned()
    };
    match name2 {
        Some(name2) => format!("{}_{}_{label}", cut(name1, length1), cut(name2, length2)),
        None => format!("{}_{label}", cut(name1, length1)),
    }
}

/// The first of `…label`, `…label1`, `…label2`, … that is free.
pub(super) fn free_name(name1: &str, name2: Option<&str>, label: &str, taken: impl Fn(&str) -> bool) -> Ident {
    let mut candidate = object_name(name1, name2, label);
    let mut pass = 0;
    while taken(&candidate) {
        pass += 1;
        candidate = object_name(name1, name2, &format!("{label}{pass}"));
    }
    candidate.into()
}

/// Column names joined as in generated index and constraint names (`ChooseIndexNameAddition`).
pub(super) fn addition(columns: &[Ident]) -> Option<String> {
    if columns.is_empty() {
        return None;
    }
    let mut joined = columns.join("_");
    if joined.len() > 63 {
        joined = crate::sql::truncate(joined);
    }
    Some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_are_postgresql_s() {
        let check = |n1: &str, n2: Option<&str>, label: &str, expected: &str| {
            assert_eq!(object_name(n1, n2, label), expected);
        };
        check("users", None, "pkey", "users_pkey");
        check("users", Some("email"), "key", "users_email_key");
        // Observed on PostgreSQL 15: the longer part is cut first.
        check(
            "a_table_with_a_really_really_long_name_that_goes_on",
            Some("and_a_column_with_a_long_name_too"),
            "fkey",
            "a_table_with_a_really_really__and_a_column_with_a_long_nam_fkey",
        );
        assert_eq!(&*free_name("t", Some("a"), "key", |n| n == "t_a_key"), "t_a_key1");
    }
}
