//! The registry: every rule, by code.

use super::rule::Rule;
use super::rules;

/// Every rule, by code.
pub static RULES: &[&Rule] = &[
    &rules::unread_statement::RULE,
    &rules::unterminated_quote::RULE,
    &rules::psql_meta_command::RULE,
    &rules::copy_from_stdin::RULE,
    &rules::bad_directive::RULE,
    &rules::unknown_object::RULE,
    &rules::unread_query::RULE,
    &rules::allow_without_reason::RULE,
    &rules::unknown_allow::RULE,
    &rules::not_allowable::RULE,
    &rules::unused_allow::RULE,
    &rules::program_migration::RULE,
    &rules::unfit_query::RULE,
    &rules::partial_workload::RULE,
    &rules::opaque_statement::RULE,
    &rules::incompatible_change::RULE,
    &rules::order_conflict::RULE,
    &rules::reorder_changes_schema::RULE,
    &rules::rollback_in_migration::RULE,
    &rules::observed_statement::RULE,
    &rules::blue_breaks::RULE,
    &rules::green_not_ready::RULE,
    &rules::green_breaks::RULE,
    &rules::may_break_readers::RULE,
    &rules::may_need_arbiter::RULE,
    &rules::rows_written_in_overlap::RULE,
    &rules::rows_gone_in_overlap::RULE,
    &rules::cascade_takes_more::RULE,
    &rules::function_body_breaks::RULE,
    &rules::result_changes::RULE,
    &rules::mentioned_in_source::RULE,
    &rules::green_may_wait::RULE,
    &rules::table_rewrite::RULE,
    &rules::blocking_scan::RULE,
    &rules::blocking_index_build::RULE,
    &rules::needs_empty_table::RULE,
    &rules::invalid_index_kept::RULE,
    &rules::validated_under_lock::RULE,
    &rules::blocking_index_drop::RULE,
    &rules::concurrent_index_on_partitioned::RULE,
    &rules::refresh_without_unique_index::RULE,
    &rules::server_refuses::RULE,
    &rules::needs_newer_server::RULE,
    &rules::name_taken::RULE,
    &rules::migration_edited::RULE,
    &rules::migration_removed::RULE,
    &rules::migration_out_of_order::RULE,
    &rules::stale_baseline::RULE,
];

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
