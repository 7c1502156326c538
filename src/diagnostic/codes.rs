//! Every code the tool can report: one table. `CO0xx` input, `CO1xx` the plan cannot be made, `CO2xx` a version breaks, `CO3xx` a version
//! may break under conditions, `CO4xx` the cost of running, `CO5xx` what the repository knows of a migration. What each means in full, and what to
//! do about it, is its rule's page in [`crate::lint::RULES`]. A number is never used again: CO304, CO409 and CO501 were never reported.

use super::Code;

macro_rules! codes {
    ($($constant:ident = $id:literal $name:literal: $summary:literal;)*) => {
        $(#[doc = $summary] pub const $constant: Code = Code { id: $id, name: $name, summary: $summary };)*
        /// All of them, by id.
        pub const ALL: &[Code] = &[$($constant),*];
    };
}

codes! {
    UNREAD_STATEMENT = "CO001" "unread-statement": "A statement could not be read; it is treated as opaque.";
    UNTERMINATED = "CO002" "unterminated-quote": "A quote or a comment is never closed, so the rest of the file is part of it.";
    META_COMMAND = "CO003" "psql-meta-command": "A command of psql stands among the SQL.";
    COPY_DATA = "CO004" "copy-from-stdin": "Rows follow a COPY … FROM STDIN in the file; only psql can load them.";
    BAD_DIRECTIVE = "CO005" "bad-directive": "A `-- cutover:` comment cannot be used.";
    UNKNOWN_OBJECT = "CO006" "unknown-object": "A statement changes something that the migrations before it never made.";
    UNREAD_QUERY = "CO007" "unread-query": "A query of the application could not be read; it is only checked by a rehearsal.";
    ALLOW_WITHOUT_REASON = "CO008" "allow-without-reason": "An `allow` comment does not say why.";
    UNKNOWN_ALLOW = "CO009" "unknown-allow": "An `allow` comment names no rule.";
    NOT_ALLOWABLE = "CO010" "not-allowable": "An `allow` comment names a rule that keeps a version from breaking.";
    UNUSED_ALLOW = "CO011" "unused-allow": "An `allow` comment silences nothing.";
    PROGRAM = "CO012" "program-migration": "A migration is a program and no SQL.";
    UNFIT_QUERY = "CO013" "unfit-query": "A query does not fit the schema of the version it is said to be of.";
    PARTIAL_WORKLOAD = "CO014" "partial-workload": "Something of a workload was left out, or could not be used.";
    OPAQUE = "CO101" "opaque-statement": "What a statement does cannot be known from its text, and nobody has said where it belongs.";
    INCOMPATIBLE = "CO102" "incompatible-change": "A statement takes away what blue relies on and gives what green needs at once, so no single moment is right.";
    ORDER_CONFLICT = "CO103" "order-conflict": "A step that green needs before the cutover depends on one that blue does not survive.";
    REORDER_UNPROVED = "CO104" "reorder-changes-schema": "The plan's order ends in another schema than the files' own order.";
    ROLLBACK_IN_FILE = "CO105" "rollback-in-migration": "A migration rolls back its own transaction, so what it leaves behind cannot be known.";
    OBSERVED = "CO106" "observed-statement": "A statement that cannot be read was placed by what it was seen to do on a real server.";
    ALREADY_RUN = "CO107" "already-run": "The files do not fit what has run of the release that they carry on with.";
    BLUE_BREAKS = "CO201" "blue-breaks": "A step before the cutover takes away what blue relies on.";
    GREEN_NOT_READY = "CO202" "green-not-ready": "Green relies on something that is not there yet when it gets its first traffic.";
    GREEN_BREAKS = "CO203" "green-breaks": "A step after the cutover takes away what green relies on.";
    MAY_BREAK_READERS = "CO301" "may-break-readers": "A version may meet values or shapes it has not met before.";
    MAY_NEED_ARBITER = "CO302" "may-need-arbiter": "A version may use a constraint or a unique index by name or in ON CONFLICT.";
    ROWS_WRITTEN_IN_OVERLAP = "CO303" "rows-written-in-overlap": "Blue goes on writing rows after a backfill has run.";
    ROWS_GONE_IN_OVERLAP = "CO305" "rows-gone-in-overlap": "Rows are deleted before the cutover while blue may still use them.";
    CASCADE_TAKES_MORE = "CO306" "cascade-takes-more": "A CASCADE drops objects that the migration does not name.";
    FUNCTION_BODY_BREAKS = "CO307" "function-body-breaks": "A function's body names what is dropped or renamed, and PostgreSQL does not notice.";
    RESULT_CHANGES = "CO308" "result-changes": "A query returns other columns, or takes other parameters, than its version was written for.";
    MENTIONED_IN_SOURCE = "CO309" "mentioned-in-source": "Blue's source mentions what a step takes away.";
    GREEN_MAY_WAIT = "CO310" "green-may-wait": "Green may write what a rule refuses until a step after the cutover takes it away.";
    TABLE_REWRITE = "CO401" "table-rewrite": "The statement rewrites the table under a lock that blocks everybody.";
    BLOCKING_SCAN = "CO402" "blocking-scan": "The statement reads the whole table under a lock that blocks writers.";
    BLOCKING_INDEX = "CO403" "blocking-index-build": "The statement builds an index under a lock that blocks writers.";
    NEEDS_EMPTY_TABLE = "CO404" "needs-empty-table": "The statement fails if the table has rows.";
    INVALID_INDEX_KEPT = "CO405" "invalid-index-kept": "IF NOT EXISTS takes an invalid index that a failed build left behind for the real one.";
    VALIDATED_UNDER_LOCK = "CO406" "validated-under-lock": "A NOT VALID constraint is validated in the same transaction, which undoes NOT VALID.";
    BLOCKING_INDEX_DROP = "CO407" "blocking-index-drop": "Dropping the index waits for every query on its table and makes all new ones wait.";
    CONCURRENT_ON_PARTITIONED = "CO408" "concurrent-index-on-partitioned": "PostgreSQL cannot build an index on a partitioned table concurrently.";
    REFRESH_WITHOUT_UNIQUE_INDEX = "CO410" "refresh-without-unique-index": "A materialized view without a unique index cannot be refreshed concurrently.";
    SERVER_REFUSES = "CO411" "server-refuses": "PostgreSQL refuses the statement on the schema that the files have made by then.";
    NEEDS_NEWER_SERVER = "CO412" "needs-newer-server": "The statement needs a newer PostgreSQL than the one that production is said to run.";
    NAME_TAKEN = "CO413" "name-taken": "IF NOT EXISTS finds something else of that name, and makes nothing.";
    ROWS_IN_ONE_TRANSACTION = "CO414" "rows-in-one-transaction": "A statement changes rows for long in one transaction.";
    MIGRATION_EDITED = "CO502" "migration-edited": "A migration that the base has was edited.";
    MIGRATION_REMOVED = "CO503" "migration-removed": "A migration that the base has is gone.";
    MIGRATION_OUT_OF_ORDER = "CO504" "migration-out-of-order": "A new migration does not sort behind those that the base has.";
    STALE_BASELINE = "CO505" "stale-baseline": "The baseline lists findings that no longer occur.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_sorted() {
        assert!(ALL.windows(2).all(|pair| pair[0].id < pair[1].id));
        let mut names: Vec<_> = ALL.iter().map(|code| code.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
