//! The questions that [`super::introspect`] asks the catalog. They are sent at once and answered in order: one round trip, however far the
//! server is.

/// Schemas that are not the application's, and objects that belong to extensions.
const OWN: &str =
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'cutover') AND n.nspname !~ '^pg_(toast|temp)'";

/// Each with what it asks for.
pub(super) fn queries() -> Vec<(&'static str, String)> {
    let names = |numbers: &str, relation: &str| {
        format!(
            "ARRAY(SELECT a.attname::text FROM pg_catalog.unnest({numbers}) WITH ORDINALITY AS k(n, i)
                   JOIN pg_catalog.pg_attribute a ON a.attrelid = {relation} AND a.attnum = k.n ORDER BY k.i)"
        )
    };
    vec![
        ("schemas", format!("SELECT n.nspname::text FROM pg_catalog.pg_namespace n WHERE {OWN}")),
        ("relations", format!(
            "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.relrowsecurity, c.relforcerowsecurity,
                    (SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1),
                    c.relkind = 'v' AND pg_catalog.pg_relation_is_updatable(c.oid, true) = 0,
                    CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END, c.relreplident::text,
                    (SELECT i.relname::text FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
                     WHERE x.indrelid = c.oid AND x.indisreplident),
                    c.relpersistence = 'u', pg_catalog.pg_get_expr(c.relpartbound, c.oid),
                    coalesce(c.reloptions::text ~ 'check_option', false),
                    ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                          WHERE a.attrelid = c.oid AND a.attislocal AND a.attinhcount > 0 AND NOT a.attisdropped),
                    NOT c.relispopulated
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE {OWN} AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relpersistence <> 't'
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                               WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
        )),
        (
            "partitioned tables",
            format!(
                "SELECT p.partrelid, p.partdefid, {} FROM pg_catalog.pg_partitioned_table p",
                names("p.partattrs::int2[]", "p.partrelid")
            ),
        ),
        (
            "publications",
            "SELECT p.pubname::text, p.puballtables, p.pubupdate OR p.pubdelete,
                    ARRAY(SELECT t.schemaname::text FROM pg_catalog.pg_publication_tables t
                          WHERE t.pubname = p.pubname AND NOT p.puballtables
                            AND NOT EXISTS (SELECT FROM pg_catalog.pg_publication_rel r
                                            JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
                                            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                                            WHERE r.prpubid = p.oid AND n.nspname = t.schemaname))
             FROM pg_catalog.pg_publication p"
                .to_owned(),
        ),
        (
            "published tables",
            "SELECT p.pubname::text, r.prrelid,
                    ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                          WHERE a.attrelid = r.prrelid
                            AND a.attnum::text = ANY (pg_catalog.string_to_array(pg_catalog.to_jsonb(r) ->> 'prattrs', ' '))),
                    ARRAY(SELECT a.attname::text FROM pg_catalog.pg_depend d
                          JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                          WHERE pg_catalog.to_jsonb(r) ->> 'prqual' IS NOT NULL
                            AND d.classid = 'pg_catalog.pg_publication_rel'::regclass AND d.objid = r.oid
                            AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = r.prrelid AND d.refobjsubid > 0)
             FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid"
                .to_owned(),
        ),
        ("columns", format!(
            "SELECT a.attrelid, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
                    a.attidentity::text, a.attgenerated::text, pg_catalog.pg_get_expr(d.adbin, d.adrelid),
                    ARRAY(SELECT DISTINCT b.attname::text FROM pg_catalog.pg_depend k
                          JOIN pg_catalog.pg_attribute b ON b.attrelid = k.refobjid AND b.attnum = k.refobjsubid
                          WHERE a.attgenerated <> '' AND k.refclassid = 'pg_catalog.pg_class'::regclass AND k.refobjid = a.attrelid
                            AND k.refobjsubid NOT IN (0, a.attnum)
                            AND (k.classid = 'pg_catalog.pg_class'::regclass AND k.objid = a.attrelid AND k.objsubid = a.attnum
                                 OR k.classid = 'pg_catalog.pg_attrdef'::regclass AND k.objid = d.oid)),
                    ARRAY(SELECT k.refobjid FROM pg_catalog.pg_depend k JOIN pg_catalog.pg_class s ON s.oid = k.refobjid
                          WHERE k.classid = 'pg_catalog.pg_attrdef'::regclass AND k.objid = d.oid AND s.relkind = 'S'
                            AND k.refclassid = 'pg_catalog.pg_class'::regclass ORDER BY k.refobjid),
                    c.relkind = 'v' AND NOT pg_catalog.pg_column_is_updatable(c.oid, a.attnum, false)
             FROM pg_catalog.pg_attribute a
             JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE {OWN} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
             ORDER BY a.attrelid, a.attnum"
        )),
        ("constraints", format!(
            "SELECT o.conrelid, o.conname::text, o.contype::text, o.convalidated, {}, o.confrelid, {},
                    CASE WHEN o.contype = 'c' THEN pg_catalog.pg_get_expr(o.conbin, o.conrelid) END, o.confdeltype::text,
                    -- Since PostgreSQL 18.
                    coalesce((pg_catalog.to_jsonb(o) OPERATOR(pg_catalog.->>) 'conenforced')::bool, true),
                    o.confupdtype::text
             FROM pg_catalog.pg_constraint o JOIN pg_catalog.pg_namespace n ON n.oid = o.connamespace
             WHERE {OWN} AND o.conrelid <> 0 AND o.contype IN ('p', 'u', 'c', 'f', 'x', 'n')",
            names("o.conkey", "o.conrelid"),
            names("o.confkey", "o.confrelid"),
        )),
        ("indexes", format!(
            "SELECT i.indrelid, c.relname::text, i.indisunique, pg_catalog.pg_get_expr(i.indpred, i.indrelid), i.indnkeyatts,
                    ARRAY(SELECT coalesce(a.attname::text, '') FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(n, o)
                          LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n AND k.n > 0
                          ORDER BY k.o),
                    ARRAY(SELECT DISTINCT a.attname::text FROM pg_catalog.pg_depend d
                          JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                          WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
                            AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid > 0),
                    i.indisvalid,
                    ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid, k.o::int, true)
                          FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(n, o)
                          WHERE k.n = 0 AND k.o <= i.indnkeyatts ORDER BY k.o),
                    coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false), NOT i.indimmediate,
                    CASE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                                          WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')) THEN m.amname::text END,
                    ARRAY(SELECT CASE WHEN i.indisunique AND l.oid <> a.attcollation THEN l.collname::text END
                          FROM ROWS FROM (pg_catalog.unnest(i.indkey::int2[]), pg_catalog.unnest(i.indcollation::oid[]))
                               WITH ORDINALITY AS k(n, of, o)
                          LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n AND k.n > 0
                          LEFT JOIN pg_catalog.pg_collation l ON l.oid = k.of ORDER BY k.o),
                    ARRAY(SELECT CASE WHEN i.indisunique AND NOT o.opcdefault THEN o.opcname::text END
                          FROM pg_catalog.unnest(i.indclass::oid[]) WITH ORDINALITY AS k(of, o)
                          JOIN pg_catalog.pg_opclass o ON o.oid = k.of ORDER BY k.o),
                    0::int2 <> ANY (i.indoption::int2[])
                        OR EXISTS (SELECT FROM pg_catalog.pg_opclass o WHERE o.oid = ANY (i.indclass::oid[]) AND o.opcname = 'varchar_ops')
             FROM pg_catalog.pg_index i
             JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_am m ON m.oid = c.relam JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE {OWN}"
        )),
        ("triggers", "SELECT t.tgrelid, t.tgname::text, t.tgenabled <> 'D', n.nspname::text, p.proname::text,
                    ARRAY(SELECT DISTINCT a.attname::text FROM pg_catalog.pg_depend d
                          JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                          WHERE d.classid = 'pg_catalog.pg_trigger'::regclass AND d.objid = t.oid
                            AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.tgrelid AND d.refobjsubid > 0),
                    array_remove(ARRAY[t.tgoldtable::text, t.tgnewtable::text], NULL), t.tgtype::int,
                    CASE WHEN t.tgqual IS NOT NULL THEN pg_catalog.pg_get_triggerdef(t.oid) END
             FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
             JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE NOT t.tgisinternal".to_owned()),
        ("rules", "SELECT w.ev_class, w.rulename::text, w.ev_type::text, w.ev_enabled IN ('O', 'A'),
                    c.relkind = 'v' AND w.is_instead AND w.ev_qual::text = '<>', pg_catalog.pg_get_ruledef(w.oid)
             FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class c ON c.oid = w.ev_class WHERE w.ev_type <> '1'".to_owned()),
        ("policies", "SELECT p.polrelid, p.polname::text, NOT p.polpermissive,
                          pg_catalog.concat_ws(' ', p.polcmd, p.polroles::text, pg_catalog.pg_get_expr(p.polqual, p.polrelid),
                                               pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)),
                          p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}'
                              AND coalesce(pg_catalog.pg_get_expr(p.polqual, p.polrelid), '') = 'true'
                              AND coalesce(pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), 'true') = 'true',
                          coalesce(d.tables, '{}'), coalesce(d.columns, '{}')
                   FROM pg_catalog.pg_policy p
                   LEFT JOIN LATERAL (
                       SELECT array_agg(d.refobjid ORDER BY d.refobjid, d.refobjsubid) AS tables,
                              array_agg(coalesce(a.attname::text, '') ORDER BY d.refobjid, d.refobjsubid) AS columns
                       FROM pg_catalog.pg_depend d
                       LEFT JOIN pg_catalog.pg_attribute a
                           ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND d.refobjsubid > 0
                       WHERE d.classid = 'pg_catalog.pg_policy'::regclass AND d.objid = p.oid
                         AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'n'
                   ) d ON true".to_owned()),
        ("privileges", format!(
            "SELECT c.oid, coalesce(r.rolname::text, 'public'), x.privilege_type
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) x LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
             WHERE {OWN} AND x.grantee <> c.relowner"
        )),
        ("views", "SELECT w.ev_class, d.refobjid,
                          array_remove(array_agg(DISTINCT a.attname::text), NULL),
                          EXISTS (SELECT FROM pg_catalog.pg_rewrite v
                                  JOIN pg_catalog.pg_depend k ON k.classid = 'pg_catalog.pg_rewrite'::regclass AND k.objid = v.oid
                                  JOIN pg_catalog.pg_constraint o ON o.oid = k.refobjid
                                  WHERE v.ev_class = w.ev_class AND k.refclassid = 'pg_catalog.pg_constraint'::regclass
                                    AND o.conrelid = d.refobjid)
                   FROM pg_catalog.pg_rewrite w
                   JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
                   LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND d.refobjsubid > 0
                   WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> w.ev_class
                   GROUP BY w.ev_class, d.refobjid".to_owned()),
        ("sequences", "SELECT d.objid, d.refobjid, a.attname::text, d.deptype = 'i' FROM pg_catalog.pg_depend d
                   JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S'
                   JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                   WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
                     AND d.deptype IN ('a', 'i')".to_owned()),
        ("types", format!(
            "SELECT n.nspname::text, t.typname::text, t.typtype::text,
                    ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder),
                    coalesce((SELECT pg_catalog.format_type(r.rngsubtype, NULL) FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid),
                             pg_catalog.format_type(t.typbasetype, t.typtypmod)),
                    t.typnotnull,
                    ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                          WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
                    ARRAY(SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a
                          WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
                    ARRAY(SELECT o.conname::text FROM pg_catalog.pg_constraint o
                          WHERE o.contypid = t.oid AND o.contype = 'c' ORDER BY o.conname),
                    ARRAY(SELECT o.convalidated FROM pg_catalog.pg_constraint o
                          WHERE o.contypid = t.oid AND o.contype = 'c' ORDER BY o.conname),
                    ARRAY(SELECT pg_catalog.pg_get_expr(o.conbin, 0) FROM pg_catalog.pg_constraint o
                          WHERE o.contypid = t.oid AND o.contype = 'c' ORDER BY o.conname)
             FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
             LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
             WHERE {OWN} AND (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c'))
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                               WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')"
        )),
        ("functions", format!(
            "SELECT n.nspname::text, p.proname::text,
                    ARRAY(SELECT pg_catalog.format_type(a.t, NULL) FROM pg_catalog.unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a(t, i)
                          ORDER BY a.i),
                    p.pronargdefaults, p.proretset, pg_catalog.format_type(p.prorettype, NULL), p.prokind::text, p.prosrc,
                    (SELECT l.lanname::text FROM pg_catalog.pg_language l WHERE l.oid = p.prolang), p.provolatile::text, p.proisstrict,
                    p.prosecdef, CASE WHEN p.prosrc = '' THEN pg_catalog.pg_get_functiondef(p.oid) END,
                    ARRAY(SELECT pg_catalog.format_type(a.t, NULL)
                          FROM ROWS FROM (pg_catalog.unnest(p.proallargtypes), pg_catalog.unnest(p.proargmodes)) WITH ORDINALITY AS a(t, m, i)
                          WHERE a.m = 't' ORDER BY a.i),
                    ARRAY(SELECT coalesce(a.n, '')
                          FROM ROWS FROM (pg_catalog.unnest(p.proargnames), pg_catalog.unnest(p.proargmodes)) WITH ORDINALITY AS a(n, m, i)
                          WHERE a.m IN ('o', 'b', 't') ORDER BY a.i),
                    ARRAY(SELECT pg_catalog.format_type(a.t, NULL)
                          FROM ROWS FROM (pg_catalog.unnest(p.proallargtypes), pg_catalog.unnest(p.proargmodes)) WITH ORDINALITY AS a(t, m, i)
                          WHERE a.m IN ('o', 'b', 't') ORDER BY a.i),
                    ARRAY(SELECT DISTINCT a.n FROM pg_catalog.unnest(p.proargnames) AS a(n) WHERE a.n <> '' ORDER BY 1),
                    ARRAY(SELECT coalesce(a.n, '')
                          FROM ROWS FROM (pg_catalog.unnest(p.proargnames), pg_catalog.unnest(p.proargmodes)) WITH ORDINALITY AS a(n, m, i)
                          WHERE coalesce(a.m, 'i') IN ('i', 'b', 'v') ORDER BY a.i),
                    (SELECT pg_catalog.substr(c.c, 13) FROM pg_catalog.unnest(p.proconfig) AS c(c) WHERE c.c LIKE 'search\\_path=%')
             FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
             WHERE {OWN} AND p.prokind IN ('f', 'p')
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                               WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))
             ORDER BY p.oid"
        )),
        ("extensions", "SELECT extname::text FROM pg_catalog.pg_extension".to_owned()),
    ]
}
