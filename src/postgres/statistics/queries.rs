//! The questions of [`super::measure`]. All of them read, and none locks anything but the sizes, which open each table for a moment.

/// Schemas that are not the application's.
const OWN: &str = "n.nspname NOT IN ('pg_catalog', 'information_schema', 'cutover') AND n.nspname !~ '^pg_(toast|temp)' AND c.relpersistence <> 't'";

pub(super) const BEGIN: &str = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
    SET LOCAL statement_timeout = '10s';
    SET LOCAL lock_timeout = '500ms';
    SET LOCAL search_path = pg_catalog;
    SET LOCAL quote_all_identifiers = off";

pub(super) const SERVER: &str = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), pg_is_in_recovery(),
        current_setting('max_connections')::int8, current_setting('block_size')::int8,
        pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), current_setting('track_counts')::bool,
        extract(epoch FROM now() - d.stats_reset)::float8, extract(epoch FROM now() - pg_postmaster_start_time())::float8
    FROM pg_stat_database d WHERE d.datname = current_database()";

pub(super) fn tables() -> String {
    format!(
        "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.reltuples::float8, c.relpages::int8,
                coalesce(t.relpages, 0)::int8, s.n_live_tup, s.n_tup_ins::float8, s.n_tup_upd::float8, s.n_tup_del::float8,
                s.seq_scan::float8, coalesce(s.idx_scan, 0)::float8, has_table_privilege(c.oid, 'SELECT')
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
         LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
         WHERE {OWN} AND c.relkind IN ('r', 'p', 'm')
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
         ORDER BY 2, 3"
    )
}

/// Everything a statement may name, with the partitioned table or the parent it belongs to. Unlike `introspect`, this asks for no definitions:
/// PostgreSQL would lock the tables behind a view to show it.
pub(super) fn relations() -> String {
    format!(
        "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text,
                (SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {OWN} AND c.relkind IN ('r', 'p', 'm', 'v', 'f')
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
    )
}

/// What views read.
pub(super) const VIEWS: &str = "SELECT DISTINCT w.ev_class, d.refobjid
    FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class";

/// Foreign keys: from where to where, by which columns, and whether what is pointed to may go.
pub(super) fn foreign_keys() -> String {
    let names = |numbers: &str, relation: &str| {
        format!(
            "ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = {relation} AND a.attnum = ANY ({numbers}))"
        )
    };
    format!(
        "SELECT o.conrelid, o.conname::text, o.confrelid, {}, {}, o.confdeltype::text, o.confupdtype::text FROM pg_constraint o WHERE o.contype = 'f'",
        names("o.conkey", "o.conrelid"),
        names("o.confkey", "o.confrelid")
    )
}

/// Functions of the application.
pub(super) const FUNCTIONS: &str = "SELECT DISTINCT p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'cutover')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')";

pub(super) fn indexes() -> String {
    format!(
        "SELECT i.indrelid, c.oid, c.relname::text, c.relpages::int8
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {OWN} AND c.relkind = 'i' ORDER BY c.relname"
    )
}

/// Asked of files, not of the catalog. A table that somebody holds or wants for themselves is left out: it would be waited for.
pub(super) fn sizes() -> String {
    format!(
        "SELECT c.oid, pg_relation_size(c.oid),
                CASE WHEN c.reltoastrelid <> 0 THEN pg_total_relation_size(c.reltoastrelid) ELSE 0 END
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {OWN} AND c.relkind IN ('r', 'm', 'i')
           AND NOT EXISTS (SELECT FROM pg_locks l
                           LEFT JOIN pg_index i ON i.indexrelid = c.oid
                           WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.relation IN (c.oid, i.indrelid)
                             AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))"
    )
}

/// What says more than "no NULL, and all values differ".
pub(super) const COLUMNS: &str =
    "SELECT s.schemaname::text, s.tablename::text, s.attname::text, s.null_frac::float8, s.n_distinct::float8
    FROM pg_stats s WHERE NOT s.inherited AND s.schemaname NOT IN ('pg_catalog', 'information_schema')
      AND (s.null_frac > 0 OR s.n_distinct <> -1)
    ORDER BY 1, 2, 3";

pub(super) const TRANSACTIONS: &str = "SELECT count(*) FILTER (WHERE a.state = 'active'), count(*) FILTER (WHERE a.state LIKE 'idle in transaction%'),
        count(*) FILTER (WHERE a.query = '<insufficient privilege>'),
        coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY age.ms), 0), coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY age.ms), 0),
        greatest(max(age.ms), 0, (SELECT max(extract(epoch FROM clock_timestamp() - x.prepared) * 1000)::float8
                                  FROM pg_prepared_xacts x WHERE x.database = current_database()))
    FROM pg_stat_activity a
    CROSS JOIN LATERAL (SELECT (extract(epoch FROM clock_timestamp() - a.xact_start) * 1000)::float8 AS ms) age
    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
      AND (a.backend_type = 'client backend' OR a.query = '<insufficient privilege>')";

pub(super) const WRAPAROUND: &str = "SELECT n.nspname::text, c.relname::text
    FROM pg_stat_progress_vacuum v JOIN pg_stat_activity a ON a.pid = v.pid
    JOIN pg_class c ON c.oid = v.relid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE v.datname = current_database() AND a.query LIKE 'autovacuum:%(to prevent wraparound)'";

/// The schema that the extension is in, quoted.
pub(super) const EXTENSION: &str = "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'";

/// Of all roles together.
pub(super) fn statements(schema: &str) -> String {
    format!(
        "SELECT s.query, sum(s.calls)::float8, coalesce(sum(s.total_exec_time) / nullif(sum(s.calls), 0), 0)::float8,
                coalesce(max(s.max_exec_time), 0)::float8
         FROM {schema}.pg_stat_statements s
         WHERE s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
         GROUP BY s.query ORDER BY 2 DESC, 1"
    )
}

/// Since PostgreSQL 14.
pub(super) fn since(schema: &str) -> String {
    format!(
        "SELECT i.dealloc, extract(epoch FROM now() - i.stats_reset)::float8 FROM {schema}.pg_stat_statements_info i"
    )
}
