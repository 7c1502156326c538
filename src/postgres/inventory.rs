//! Everything in a database that migrations make, as the server itself prints it: what two databases are compared by where a
//! [`Schema`](crate::schema::Schema) is too coarse. Expressions, bodies, privileges, the order of labels and columns are in it; rows are not.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use super::IntrospectError;
use crate::migrations::books;

/// An object of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryItem {
    /// The relation, type or function that it is, or is part of.
    pub about: String,
    /// What the server says of it.
    pub definition: String,
}

/// All objects by kind and name: `column t.a`, `index t_a_idx`, `function f(integer)`, ….
pub type Inventory = BTreeMap<String, InventoryItem>;

/// Reads it. Everything is printed with its schema, whatever the session's search path is.
pub async fn inventory(client: &Client) -> Result<Inventory, IntrospectError> {
    let fail = |source| IntrospectError::new("the inventory", source);
    client.batch_execute("BEGIN; SET LOCAL search_path = pg_catalog").await.map_err(fail)?;
    let mut found = Inventory::new();
    for query in QUERIES {
        let sql = query.replace("{own}", OWN).replace("{name}", NAME);
        for row in client.query(&sql, &[]).await.map_err(fail)? {
            let (schema, relation): (String, String) = (row.get(0), row.get(1));
            if books::are_books(&schema, &relation) || relation.is_empty() && books::is_for_books(&schema) {
                continue;
            }
            let about = if relation.is_empty() { schema } else { relation };
            found.insert(row.get(2), InventoryItem { about, definition: row.get(3) });
        }
    }
    client.batch_execute("COMMIT").await.map_err(fail)?;
    Ok(found)
}

/// What is the application's: not the server's, not this tool's, not an extension's.
const OWN: &str =
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'cutover') AND n.nspname !~ '^pg_(toast|temp)'";

/// A relation as people write it.
const NAME: &str =
    "concat(CASE WHEN n.nspname <> 'public' THEN quote_ident(n.nspname) || '.' END, quote_ident(c.relname))";

/// Each row: the schema, the relation (or type, or function) it is part of, the object, its definition. A sequence that a column owns stands
/// with the column's table, so that it is left out with it.
const QUERIES: &[&str] = &[
    "SELECT n.nspname::text, '', concat('schema ', quote_ident(n.nspname)), concat(pg_get_userbyid(n.nspowner), ' ', n.nspacl)
     FROM pg_namespace n WHERE {own}",
    "SELECT n.nspname::text, coalesce(o.relname, c.relname)::text, concat(CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view '
                WHEN 'S' THEN 'sequence ' WHEN 'f' THEN 'foreign table ' ELSE 'table ' END, {name}),
            concat_ws(' ', c.relkind, c.relpersistence, 'owner ' || pg_get_userbyid(c.relowner), c.relacl::text, c.reloptions::text,
                CASE WHEN c.relrowsecurity THEN 'row security' END, CASE WHEN c.relforcerowsecurity THEN 'forced' END,
                'replica identity ' || nullif(c.relreplident::text, 'd'), 'partition ' || pg_get_expr(c.relpartbound, c.oid),
                CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
                CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
                (SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid),
                (SELECT concat_ws(' ', s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
                 FROM pg_sequence s WHERE s.seqrelid = c.oid),
                'owned by ' || d.refobjid::regclass::text || '.' || a.attname, obj_description(c.oid, 'pg_class'))
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_depend d ON c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid
          AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
     LEFT JOIN pg_class o ON o.oid = d.refobjid LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE {own} AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relpersistence <> 't'
       AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')",
    "SELECT n.nspname::text, c.relname::text, concat('column ', {name}, '.', quote_ident(a.attname)),
            concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END,
                'identity ' || nullif(a.attidentity::text, ''), 'generated ' || nullif(a.attgenerated::text, ''), 'default ' || pg_get_expr(d.adbin, d.adrelid),
                'collation ' || nullif(a.attcollation, t.typcollation)::regcollation::text, 'storage ' || nullif(a.attstorage, t.typstorage)::text, a.attacl::text,
                a.attoptions::text, col_description(c.oid, a.attnum))
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE {own} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c') AND c.relpersistence <> 't'",
    "SELECT n.nspname::text, c.relname::text, concat('order of columns ', {name}), string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE {own} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'c') AND c.relpersistence <> 't'
     GROUP BY n.nspname, c.relname",
    "SELECT n.nspname::text, coalesce(c.relname, t.typname)::text,
            concat(CASE WHEN o.contype = 'n' THEN 'not null constraint ' ELSE 'constraint ' END, quote_ident(o.conname), ' of ',
                   CASE WHEN c.oid IS NULL THEN t.oid::regtype::text ELSE {name} END), pg_get_constraintdef(o.oid)
     FROM pg_constraint o JOIN pg_namespace n ON n.oid = o.connamespace LEFT JOIN pg_class c ON c.oid = o.conrelid AND o.conrelid <> 0
     LEFT JOIN pg_type t ON t.oid = o.contypid AND o.contypid <> 0 WHERE {own} AND o.contype <> 't'",
    "SELECT n.nspname::text, p.relname::text, concat('index ', {name}),
            concat_ws(' ', pg_get_indexdef(i.indexrelid), CASE WHEN NOT i.indisvalid THEN 'invalid' END,
                CASE WHEN i.indisclustered THEN 'clustered' END, CASE WHEN i.indisreplident THEN 'replica identity' END, c.reloptions::text)
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_class p ON p.oid = i.indrelid WHERE {own}",
    "SELECT n.nspname::text, c.relname::text, concat('trigger ', quote_ident(g.tgname), ' of ', {name}),
            concat_ws(' ', pg_get_triggerdef(g.oid), g.tgenabled)
     FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {own} AND NOT g.tgisinternal",
    "SELECT n.nspname::text, c.relname::text, concat('rule ', quote_ident(w.rulename), ' of ', {name}), concat_ws(' ', pg_get_ruledef(w.oid), w.ev_enabled)
     FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {own} AND w.rulename <> '_RETURN'",
    "SELECT n.nspname::text, c.relname::text, concat('policy ', quote_ident(p.polname), ' of ', {name}),
            concat_ws(' ', p.polpermissive, p.polcmd, p.polroles::regrole[]::text, pg_get_expr(p.polqual, p.polrelid),
                      'check ' || pg_get_expr(p.polwithcheck, p.polrelid))
     FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {own}",
    "SELECT n.nspname::text, t.typname::text, concat('type ', t.oid::regtype::text),
            concat_ws(' ', t.typtype, 'owner ' || pg_get_userbyid(t.typowner), t.typacl::text,
                (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
                CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END, CASE WHEN t.typnotnull THEN 'not null' END,
                'default ' || t.typdefault, (SELECT 'range of ' || r.rngsubtype::regtype::text FROM pg_range r WHERE r.rngtypid = t.oid))
     FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
     WHERE {own} AND (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND c.relkind = 'c')
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')",
    "SELECT n.nspname::text, p.proname::text, concat('function ', p.oid::regprocedure::text),
            concat_ws(' ', 'owner ' || pg_get_userbyid(p.proowner), p.proacl::text,
                CASE WHEN p.prokind = 'a' THEN 'aggregate ' || p.prorettype::regtype::text ELSE pg_get_functiondef(p.oid) END)
     FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE {own} AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))",
    "SELECT 'extension', e.extname::text, concat('extension ', quote_ident(e.extname)), e.extversion FROM pg_extension e",
    "SELECT n.nspname::text, s.stxname::text, concat('statistics ', quote_ident(s.stxname)), pg_get_statisticsobjdef(s.oid)
     FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE {own}",
    "SELECT 'publication', p.pubname::text, concat('publication ', quote_ident(p.pubname)),
            concat_ws(' ', p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate,
                (SELECT string_agg(r.prrelid::regclass::text, ', ' ORDER BY r.prrelid::regclass::text) FROM pg_publication_rel r WHERE r.prpubid = p.oid))
     FROM pg_publication p",
    "SELECT 'event trigger', e.evtname::text, concat('event trigger ', quote_ident(e.evtname)), concat_ws(' ', e.evtevent, e.evtenabled, e.evttags::text, e.evtfoid::regproc)
     FROM pg_event_trigger e",
    "SELECT 'default privileges', coalesce(n.nspname::text, ''), concat_ws(' ', 'default privileges', pg_get_userbyid(d.defaclrole), n.nspname, d.defaclobjtype), d.defaclacl::text
     FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace",
];
