//! The query for what the journal keeps of the relations of a plan.

use super::objects;

/// A query for the short hashes that the journal keeps, as one object of JSON. It is text, so that the row of the journal can be made of it
/// where it is written: a step's locks are held meanwhile. `names`: an array of SQL.
pub(super) fn query(names: &str) -> String {
    let columns = format!(
        "SELECT n.name AS key, CASE WHEN c.oid IS NULL THEN 'absent' ELSE {} END AS value
         FROM pg_catalog.unnest({names}) AS n(name) LEFT JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(n.name)",
        objects::hash(
            "(SELECT coalesce(pg_catalog.string_agg(pg_catalog.concat(a.attname, ' ', pg_catalog.format_type(a.atttypid, a.atttypmod),
                 CASE WHEN a.attnotnull THEN ' NOT NULL' END), ',' ORDER BY a.attnum), '')
              FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c'))"
        )
    );
    format!(
        "SELECT coalesce(pg_catalog.jsonb_object_agg(key, value), '{{}}') FROM ({columns} UNION ALL ({})) AS kept",
        objects::query(names)
    )
}
