//! Text as a constant of SQL.

/// A string constant, whatever `standard_conforming_strings` says.
pub(crate) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn nothing_ends_a_constant() {
        let all: Vec<_> = ["5", "o'clock", "\\", "\\'"].map(literal).into();
        assert_eq!(all, ["'5'", "'o''clock'", "E'\\\\'", "E'\\\\'''"]);
    }
}
