//! Every code the tool can report: one table. `CO0xx` input, `CO1xx` the plan can not be made, `CO2xx` a version breaks, `CO3xx` a version
//! may break under conditions, `CO4xx` the cost of running, `CO5xx` databases and drift.

use crate::diagnostic::Code;

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
    BAD_DIRECTIVE = "CO005" "bad-directive": "A `-- cutover:` comment can not be used.";
    UNKNOWN_OBJECT = "CO006" "unknown-object": "A statement changes something that the migrations before it never made.";
    UNREAD_QUERY = "CO007" "unread-query": "A query of the application could not be read; it is only checked by a rehearsal.";
    OPAQUE = "CO101" "opaque-statement": "What a statement does can not be known from its text, and nobody has said where it belongs.";
    INCOMPATIBLE = "CO102" "incompatible-change": "A statement takes away what blue relies on and gives what green needs at once, so no single moment is right.";
    ORDER_CONFLICT = "CO103" "order-conflict": "A step that green needs before the cutover stands on one that blue does not survive.";
    REORDER_UNPROVED = "CO104" "reorder-changes-schema": "The plan's order ends in another schema than the files' own order.";
    ROLLBACK_IN_FILE = "CO105" "rollback-in-migration": "A migration rolls back its own transaction, so what it leaves behind can not be known.";
    OBSERVED = "CO106" "observed-statement": "A statement that can not be read was placed by what it was seen to do on a real server.";
    BLUE_BREAKS = "CO201" "blue-breaks": "A step before the cutover takes away what blue relies on.";
    GREEN_NOT_READY = "CO202" "green-not-ready": "Green relies on something that is not there yet when it gets its first traffic.";
    GREEN_BREAKS = "CO203" "green-breaks": "A step after the cutover takes away what green relies on.";
    MAY_BREAK_READERS = "CO301" "may-break-readers": "A version may meet values or shapes it has not met before.";
    MAY_NEED_ARBITER = "CO302" "may-need-arbiter": "A version may use a constraint or a unique index by name or in ON CONFLICT.";
    ROWS_WRITTEN_IN_OVERLAP = "CO303" "rows-written-in-overlap": "Blue goes on writing rows after a backfill has run.";
    AUTHOR_TRANSACTION = "CO304" "own-transaction-control": "The file's own BEGIN and COMMIT are replaced by the plan's transactions.";
    ROWS_GONE_IN_OVERLAP = "CO305" "rows-gone-in-overlap": "Rows are deleted before the cutover while blue may still use them.";
    BODY_MENTIONS_GONE = "CO306" "body-mentions-gone": "The body of a function that stays mentions what a statement takes away, which PostgreSQL does not notice.";
    TABLE_REWRITE = "CO401" "table-rewrite": "The statement rewrites the table under a lock that blocks everybody.";
    BLOCKING_SCAN = "CO402" "blocking-scan": "The statement reads the whole table under a lock that blocks writers.";
    BLOCKING_INDEX = "CO403" "blocking-index-build": "The statement builds an index under a lock that blocks writers.";
    NEEDS_EMPTY_TABLE = "CO404" "needs-empty-table": "The statement fails if the table has rows.";
    NEEDS_NEWER_SERVER = "CO405" "needs-newer-server": "The statement needs a newer PostgreSQL than the one that production is said to run.";
    SERVER_REFUSES = "CO406" "server-refuses": "PostgreSQL refuses the statement on the schema that the files have made by then.";
    DRIFT = "CO501" "schema-drift": "The database is not what the migration files say it is.";
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
