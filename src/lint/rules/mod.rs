//! One rule a file, with its module and its line in [`RULES`]; and what some of them share.

mod allow_without_reason;
mod already_run;
mod author;
mod bad_directive;
mod blocking_index_build;
mod blocking_index_drop;
mod blocking_scan;
mod blue_breaks;
mod cascade_takes_more;
mod concurrent_index_on_partitioned;
mod concurrently;
mod copy_from_stdin;
mod cost;
mod counters;
mod function_body_breaks;
mod green_breaks;
mod green_may_wait;
mod green_not_ready;
mod incompatible_change;
mod invalid_index_kept;
mod may_break_readers;
mod may_need_arbiter;
mod mentioned_in_source;
mod migration_edited;
mod migration_out_of_order;
mod migration_removed;
mod name_taken;
mod needs_empty_table;
mod needs_newer_server;
mod not_allowable;
mod observed_statement;
mod opaque_statement;
mod order_conflict;
mod otherwise;
mod partial_workload;
mod program_migration;
mod psql_meta_command;
mod refresh_without_unique_index;
mod reorder_changes_schema;
mod result_changes;
mod rewritten;
mod rollback_in_migration;
mod rows_gone_in_overlap;
mod rows_in_one_transaction;
mod rows_written_in_overlap;
mod server_refuses;
mod stale_baseline;
mod table_rewrite;
mod unfit;
mod unfit_query;
mod unknown_allow;
mod unknown_object;
mod unread_query;
mod unread_statement;
mod unterminated_quote;
mod unused_allow;
mod validated_under_lock;

use super::rule::Rule;

/// Every rule, in the order of the codes.
pub static RULES: &[&Rule] = &[
    &unread_statement::RULE,
    &unterminated_quote::RULE,
    &psql_meta_command::RULE,
    &copy_from_stdin::RULE,
    &bad_directive::RULE,
    &unknown_object::RULE,
    &unread_query::RULE,
    &allow_without_reason::RULE,
    &unknown_allow::RULE,
    &not_allowable::RULE,
    &unused_allow::RULE,
    &program_migration::RULE,
    &unfit_query::RULE,
    &partial_workload::RULE,
    &opaque_statement::RULE,
    &incompatible_change::RULE,
    &order_conflict::RULE,
    &reorder_changes_schema::RULE,
    &rollback_in_migration::RULE,
    &observed_statement::RULE,
    &already_run::RULE,
    &blue_breaks::RULE,
    &green_not_ready::RULE,
    &green_breaks::RULE,
    &may_break_readers::RULE,
    &may_need_arbiter::RULE,
    &rows_written_in_overlap::RULE,
    &rows_gone_in_overlap::RULE,
    &cascade_takes_more::RULE,
    &function_body_breaks::RULE,
    &result_changes::RULE,
    &mentioned_in_source::RULE,
    &green_may_wait::RULE,
    &table_rewrite::RULE,
    &blocking_scan::RULE,
    &blocking_index_build::RULE,
    &needs_empty_table::RULE,
    &invalid_index_kept::RULE,
    &validated_under_lock::RULE,
    &blocking_index_drop::RULE,
    &concurrent_index_on_partitioned::RULE,
    &refresh_without_unique_index::RULE,
    &server_refuses::RULE,
    &needs_newer_server::RULE,
    &name_taken::RULE,
    &rows_in_one_transaction::RULE,
    &migration_edited::RULE,
    &migration_removed::RULE,
    &migration_out_of_order::RULE,
    &stale_baseline::RULE,
];
