//! Sqitch's `sqitch.changes`: read only.

use super::tools::Sql;

pub(super) static HISTORY: Sql = Sql {
    // The n-th row of a name is the n-th change of that name in the plan; the older ones are named by their tags.
    reads: "SELECT c.change || coalesce((SELECT '@' || pg_catalog.ltrim(t.tag, '@') FROM sqitch.tags t \
                    WHERE t.project = c.project AND t.committed_at >= c.committed_at \
                    ORDER BY t.committed_at LIMIT 1), ''), \
                c.change::pg_catalog.text, c.script_hash::pg_catalog.text, true, false \
         FROM sqitch.changes c WHERE EXISTS (SELECT FROM sqitch.changes l \
                    WHERE l.project = c.project AND l.change = c.change AND l.committed_at > c.committed_at) \
         UNION ALL \
         SELECT c.change, c.change::pg_catalog.text, c.script_hash::pg_catalog.text, true, false \
         FROM sqitch.changes c WHERE NOT EXISTS (SELECT FROM sqitch.changes l \
                    WHERE l.project = c.project AND l.change = c.change AND l.committed_at > c.committed_at)",
    moves_with_its_schema: true,
    ..Sql::READ_ONLY
};
