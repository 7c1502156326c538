WITH own AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
rel AS (SELECT c.*, c.oid::regclass::text AS name FROM pg_class c JOIN own ON own.oid = c.relnamespace)
SELECT 'schema ' || nspname, '' FROM own
UNION ALL SELECT concat('relation ', relkind, ' ', name), concat_ws(' ', relpersistence, relacl::text, reloptions::text, relrowsecurity, relforcerowsecurity,
        relreplident, pg_get_expr(relpartbound, oid), CASE relkind WHEN 'p' THEN pg_get_partkeydef(oid) WHEN 'v' THEN pg_get_viewdef(oid) WHEN 'm' THEN pg_get_viewdef(oid) END,
        (SELECT string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = oid), obj_description(oid, 'pg_class'))
    FROM rel WHERE relkind IN ('r', 'p', 'v', 'm', 'S')
UNION ALL SELECT concat('column ', name, '.', attname), concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
        pg_get_expr(d.adbin, d.adrelid), attstorage, attacl::text, attstattarget, col_description(rel.oid, attnum))
    FROM rel JOIN pg_attribute a ON attrelid = rel.oid LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND adnum = attnum
    WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm')
UNION ALL SELECT concat('constraint ', coalesce(rel.name, contypid::regtype::text), ' ', conname), concat_ws(' ', pg_get_constraintdef(o.oid), convalidated)
    FROM pg_constraint o JOIN own ON own.oid = connamespace LEFT JOIN rel ON rel.oid = conrelid WHERE contype <> 't'
UNION ALL SELECT concat('index ', name), concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid, indisclustered, indisreplident) FROM pg_index JOIN rel ON rel.oid = indexrelid
UNION ALL SELECT concat('trigger ', name, ' ', tgname), concat_ws(' ', pg_get_triggerdef(t.oid), tgenabled) FROM pg_trigger t JOIN rel ON rel.oid = tgrelid WHERE NOT tgisinternal
UNION ALL SELECT concat('rule ', name, ' ', rulename), concat_ws(' ', pg_get_ruledef(w.oid), ev_enabled) FROM pg_rewrite w JOIN rel ON rel.oid = ev_class WHERE rulename <> '_RETURN'
UNION ALL SELECT concat('policy ', name, ' ', polname), concat_ws(' ', polpermissive, polcmd, polroles::text, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    FROM pg_policy JOIN rel ON rel.oid = polrelid
UNION ALL SELECT concat('type ', t.oid::regtype), concat_ws(' ', typtype, (SELECT string_agg(enumlabel, ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
        CASE WHEN typtype = 'd' THEN format_type(typbasetype, typtypmod) END, typnotnull, typdefault) FROM pg_type t JOIN own ON own.oid = typnamespace WHERE typtype IN ('e', 'd')
UNION ALL SELECT concat('function ', p.oid::regprocedure), concat_ws(' ', proacl::text, pg_get_functiondef(p.oid)) FROM pg_proc p JOIN own ON own.oid = pronamespace
UNION ALL SELECT concat('sequence ', seqrelid::regclass), concat_ws(' ', seqtypid::regtype, seqstart, seqincrement, seqmin, seqmax,
        (SELECT refobjid::regclass || '.' || refobjsubid FROM pg_depend WHERE objid = seqrelid AND deptype IN ('a', 'i') AND refobjsubid > 0 LIMIT 1) IS NOT NULL)
    FROM pg_sequence JOIN rel ON rel.oid = seqrelid
UNION ALL SELECT concat('publication ', pubname), concat_ws(' ', puballtables, (SELECT string_agg(concat(prrelid::regclass, ' ', to_jsonb(r) ->> 'prattrs'), ', ' ORDER BY prrelid::regclass::text)
        FROM pg_publication_rel r WHERE prpubid = b.oid)) FROM pg_publication b
UNION ALL SELECT concat('statistics ', stxname), pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s JOIN own ON own.oid = stxnamespace
