//! What migration tools make for their own book-keeping: no application relies on it, and no migration of the application makes it, so that
//! it is no part of a schema.

use super::Convention;
use super::tools::{OTHERS, Own};

fn all() -> impl Iterator<Item = &'static Own> {
    Convention::ALL.iter().map(|convention| &convention.tool().own).chain(OTHERS.iter().map(|other| &other.own))
}

/// Whether a relation is a tool's own.
pub(crate) fn are_books(schema: &str, relation: &str) -> bool {
    all().any(|own| own.schema.is_none_or(|of_tool| of_tool == schema) && own.relations.contains(&relation))
}

/// Whether a schema was made by a tool for its own.
pub(crate) fn is_for_books(schema: &str) -> bool {
    all().any(|own| own.schema == Some(schema))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_history_is_among_them() {
        for history in Convention::ALL.iter().filter_map(|convention| convention.history()) {
            let (schema, table) = history.name.split_once('.').unwrap_or(("public", history.name));
            assert!(are_books(schema, table), "{}", history.name);
        }
        assert!(!are_books("public", "changes") && !are_books("drizzle", "orders"));
    }

    /// A tool whose folders are read is no longer one that is only recognised.
    #[test]
    fn no_convention_is_among_the_others() {
        let label = |name: &str| name.to_lowercase().replace([' ', '-', '_'], "");
        for convention in Convention::ALL {
            let own = label(convention.tool().label);
            assert!(OTHERS.iter().all(|other| label(other.label) != own), "{convention}");
        }
    }
}
