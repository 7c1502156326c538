//! What a release relies on beside columns: what belongs to its relations, or is called by that, or depends on them. Each thing is kept in the
//! journal under a name that people can read (`trigger sync_name on users`), with a state that they can read and a hash of its definition, so
//! that a change is told as what it is.
//!
//! Definitions are hashed as the catalog has them and not as the server prints them: to print a view it locks the tables behind it, and a step
//! holds its locks meanwhile. What is put back as it was is the same again, so numbers of the catalog are left out where they would be others.

use std::collections::BTreeMap;

use super::journal::Relations;
use crate::sql::recognise::Alone;

/// What is kept of a kind of thing, and what is a change of it.
struct Kind {
    /// How its names begin.
    begins: &'static str,
    /// Whether one that was not there takes something away from whoever relies on the relation. Another index or view does not.
    new_matters: bool,
    /// Whether it is missed. A function that nothing calls any more is not: what called it is.
    gone_matters: bool,
}

const KINDS: &[Kind] = &[
    Kind { begins: "trigger ", new_matters: true, gone_matters: true },
    Kind { begins: "rule ", new_matters: true, gone_matters: true },
    Kind { begins: "policy ", new_matters: true, gone_matters: true },
    Kind { begins: "constraint ", new_matters: true, gone_matters: true },
    Kind { begins: "default ", new_matters: true, gone_matters: true },
    Kind { begins: "row security ", new_matters: false, gone_matters: false },
    Kind { begins: "owner ", new_matters: false, gone_matters: false },
    Kind { begins: "unique index ", new_matters: true, gone_matters: true },
    Kind { begins: "index ", new_matters: false, gone_matters: true },
    Kind { begins: "view ", new_matters: false, gone_matters: true },
    Kind { begins: PRIVILEGES, new_matters: false, gone_matters: true },
    Kind { begins: "function ", new_matters: false, gone_matters: false },
];

/// Those of a role on a relation; its state lists them.
const PRIVILEGES: &str = "privileges ";

fn kind(key: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| key.starts_with(kind.begins))
}

/// A text without what the server keeps beside an expression and is no part of it: places in the author's text, and the columns that a relation had when
/// a view of it was made.
fn tree(expression: &str) -> String {
    format!(
        "pg_catalog.regexp_replace({expression}, ':(location|stmt_location|stmt_len) -?[0-9]+|:eref [{{]ALIAS [^{{}}]*[}}]', '', 'g')"
    )
}

/// The short hash of a text.
pub(super) fn hash(text: &str) -> String {
    format!("pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(pg_catalog.textsend({text})), 'hex'), 16)")
}

/// A query for all that belongs to relations of these names, as the journal keeps it: by name, `state#hash`.
pub(super) fn query(names: &str) -> String {
    let name = |namespace: &str, name: &str| {
        format!(
            "pg_catalog.concat(CASE WHEN {namespace} <> 'public' THEN pg_catalog.quote_ident({namespace}) || '.' END, pg_catalog.quote_ident({name}))"
        )
    };
    let view = name("vn.nspname", "v.relname");
    let function = name("fn.nspname", "f.proname");
    let state = |of: &str| {
        format!(
            "CASE {of} WHEN 'O' THEN 'enabled' WHEN 'D' THEN 'disabled' WHEN 'A' THEN 'always enabled' ELSE 'enabled on replicas only' END"
        )
    };
    format!(
        "WITH RECURSIVE named AS MATERIALIZED (
             SELECT n.name, c.oid, c.relowner, c.relkind, c.relacl, c.relrowsecurity, c.relforcerowsecurity
             FROM pg_catalog.unnest({names}) AS n(name)
             JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(n.name)),
         columns AS MATERIALIZED (
             SELECT r.oid, r.name, r.relowner, a.attnum, a.attname, a.atthasdef, a.attidentity, a.attgenerated, a.attacl
             FROM named r CROSS JOIN LATERAL (
                 SELECT a.* FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
                     AND (a.atthasdef OR a.attidentity <> '' OR a.attacl IS NOT NULL) OFFSET 0) AS a),
         views AS (
             SELECT oid FROM named WHERE relkind IN ('v', 'm')
             UNION SELECT w.ev_class FROM (SELECT oid FROM named UNION SELECT oid FROM views) AS r
             CROSS JOIN LATERAL (
                 SELECT d.objid FROM pg_catalog.pg_depend d WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                     AND d.refobjid = r.oid AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass OFFSET 0) AS d
             JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid AND w.rulename = '_RETURN'),
         parts AS (
             SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass::pg_catalog.oid AS classid, g.oid AS objid FROM named r
                 JOIN pg_catalog.pg_trigger g ON g.tgrelid = r.oid AND NOT g.tgisinternal
             UNION ALL SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, a.oid FROM named r JOIN pg_catalog.pg_attrdef a ON a.adrelid = r.oid
             UNION ALL SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid FROM named r JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid
             UNION ALL SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid FROM named r JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
             UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid FROM named r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid
             UNION ALL SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, w.oid
                 FROM (SELECT oid FROM named UNION SELECT oid FROM views) AS r JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid),
         found(key, state, definition) AS (
             SELECT 'owner of ' || r.name, pg_catalog.pg_get_userbyid(r.relowner)::pg_catalog.text, '' FROM named r
             UNION ALL
             SELECT 'row security of ' || r.name,
                 CASE WHEN NOT r.relrowsecurity THEN 'off' WHEN r.relforcerowsecurity THEN 'forced' ELSE 'on' END, ''
             FROM named r WHERE r.relkind IN ('r', 'p')
             UNION ALL
             SELECT 'trigger ' || pg_catalog.quote_ident(g.tgname) || ' on ' || r.name, {trigger_state},
                 pg_catalog.concat_ws(' ', g.tgtype, g.tgattr, pg_catalog.encode(g.tgargs, 'escape'), {trigger_when}, fn.nspname, f.proname,
                     g.tgdeferrable, g.tginitdeferred, g.tgoldtable, g.tgnewtable)
             FROM named r JOIN pg_catalog.pg_trigger g ON g.tgrelid = r.oid AND NOT g.tgisinternal
             JOIN pg_catalog.pg_proc f ON f.oid = g.tgfoid JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
             UNION ALL
             SELECT 'rule ' || pg_catalog.quote_ident(w.rulename) || ' on ' || r.name, {rule_state},
                 pg_catalog.concat_ws(' ', w.ev_type, w.is_instead, {rule_when}, {rule_action})
             FROM named r JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'
             UNION ALL
             SELECT 'policy ' || pg_catalog.quote_ident(p.polname) || ' on ' || r.name, '',
                 pg_catalog.concat_ws(' ', p.polcmd, p.polpermissive,
                     (SELECT pg_catalog.string_agg(pg_catalog.pg_get_userbyid(o), ',' ORDER BY o) FROM pg_catalog.unnest(p.polroles) AS o),
                     {policy_using}, 'check', {policy_check})
             FROM named r JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
             UNION ALL
             SELECT 'constraint ' || pg_catalog.quote_ident(k.conname) || ' on ' || r.name,
                 CASE WHEN NOT k.convalidated THEN 'not valid'
                     WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgconstraint = k.oid AND g.tgenabled = 'D') THEN 'disabled'
                     ELSE 'valid' END,
                 pg_catalog.concat_ws(' ', k.contype, k.condeferrable, k.condeferred, k.conkey::pg_catalog.text, {reference}, k.confkey::pg_catalog.text,
                     k.confupdtype, k.confdeltype, k.confmatchtype, k.connoinherit, {check})
             FROM named r JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid AND k.contype NOT IN ('t', 'n') AND k.conparentid = 0
             LEFT JOIN pg_catalog.pg_class v ON v.oid = k.confrelid LEFT JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace
             UNION ALL
             SELECT 'default of ' || a.name || '.' || pg_catalog.quote_ident(a.attname), '', pg_catalog.concat_ws(' ', a.attidentity, a.attgenerated, {default})
             FROM columns a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.oid AND d.adnum = a.attnum
             WHERE a.atthasdef OR a.attidentity <> ''
             UNION ALL
             SELECT CASE WHEN i.indisunique THEN 'unique index ' ELSE 'index ' END || pg_catalog.quote_ident(x.relname) || ' on ' || r.name,
                 CASE WHEN i.indisvalid AND i.indisready THEN 'valid' ELSE 'invalid' END,
                 pg_catalog.concat_ws(' ', x.relam, i.indkey, i.indclass, i.indcollation, i.indoption, {index_of}, 'where', {index_where},
                     pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')
             FROM named r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
             WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
             UNION ALL
             SELECT 'view ' || {view}, '', pg_catalog.concat_ws(' ', pg_catalog.replace({view_query}, ':relid ' || v.oid || ' ', ''), v.reloptions::pg_catalog.text)
             FROM views JOIN pg_catalog.pg_class v ON v.oid = views.oid JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace
             JOIN pg_catalog.pg_rewrite w ON w.ev_class = v.oid AND w.rulename = '_RETURN'
             UNION ALL
             SELECT 'function ' || {function} || '(' || pg_catalog.pg_get_function_identity_arguments(f.oid) || ')', '',
                 pg_catalog.concat_ws(' ', f.prosrc, {body}, f.probin, f.proconfig::pg_catalog.text, f.prosecdef, f.proisstrict, f.provolatile, f.prorettype,
                     f.prolang, CASE WHEN f.prosecdef THEN pg_catalog.pg_get_userbyid(f.proowner) END)
             FROM (SELECT g.tgfoid AS oid FROM named r JOIN pg_catalog.pg_trigger g ON g.tgrelid = r.oid AND NOT g.tgisinternal
                   UNION SELECT d.refobjid FROM parts JOIN pg_catalog.pg_depend d ON d.classid = parts.classid AND d.objid = parts.objid
                       AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass) AS called
             JOIN pg_catalog.pg_proc f ON f.oid = called.oid JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
             WHERE fn.nspname <> 'pg_catalog'
             UNION ALL
             SELECT 'privileges of ' || granted.role || ' on ' || granted.name, pg_catalog.string_agg(granted.what, ', ' ORDER BY granted.what), ''
             FROM (SELECT r.name, CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(e.grantee) END AS role, e.privilege_type AS what
                   FROM named r CROSS JOIN pg_catalog.aclexplode(r.relacl) AS e WHERE e.grantee <> r.relowner
                   UNION SELECT a.name, CASE e.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(e.grantee) END,
                       e.privilege_type || ' (' || pg_catalog.quote_ident(a.attname) || ')'
                   FROM columns a CROSS JOIN pg_catalog.aclexplode(a.attacl) AS e WHERE a.attacl IS NOT NULL AND e.grantee <> a.relowner) AS granted
             GROUP BY granted.name, granted.role)
         SELECT key, pg_catalog.concat(state, '#', CASE WHEN definition <> '' THEN {hash} END) FROM found",
        hash = hash("definition"),
        trigger_state = state("g.tgenabled"),
        trigger_when = tree("g.tgqual::pg_catalog.text"),
        rule_state = state("w.ev_enabled"),
        rule_when = tree("w.ev_qual::pg_catalog.text"),
        rule_action = tree("w.ev_action::pg_catalog.text"),
        policy_using = tree("p.polqual::pg_catalog.text"),
        policy_check = tree("p.polwithcheck::pg_catalog.text"),
        reference = name("vn.nspname", "v.relname"),
        check = tree("k.conbin::pg_catalog.text"),
        default = tree("d.adbin::pg_catalog.text"),
        index_of = tree("i.indexprs::pg_catalog.text"),
        index_where = tree("i.indpred::pg_catalog.text"),
        view_query = tree("w.ev_action::pg_catalog.text"),
        body = tree("pg_catalog.to_jsonb(f) ->> 'prosqlbody'"),
    )
}

/// What is other now, in words. A journal that an older version wrote keeps nothing of this, and is not compared. `begun`: statements that may
/// have taken effect or were cleared up after, whose own work is no change.
pub(super) fn changes(left: &Relations, found: &Relations, begun: &[Alone]) -> Vec<String> {
    let objects = |all: &Relations| -> BTreeMap<String, String> {
        all.iter().filter(|(key, _)| kind(key).is_some()).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let (left, found) = (objects(left), objects(found));
    if left.is_empty() {
        return Vec::new();
    }
    let keys = left.keys().chain(found.keys().filter(|key| !left.contains_key(*key)));
    keys.filter(|key| !begun.iter().any(|statement| is_work_of(statement, key)))
        .filter_map(|key| change(key, left.get(key), found.get(key)))
        .collect()
}

fn change(key: &str, left: Option<&String>, found: Option<&String>) -> Option<String> {
    let kind = kind(key)?;
    match (left.map(|value| parts(value)), found.map(|value| parts(value))) {
        (None, None) => None,
        (None, Some(_)) => kind.new_matters.then(|| format!("{key} is new")),
        (Some(_), None) if kind.begins == PRIVILEGES => Some(format!("{key} are gone")),
        (Some(_), None) => kind.gone_matters.then(|| format!("{key} is gone")),
        (Some((before, _)), Some((now, _))) if kind.begins == PRIVILEGES => {
            let lost: Vec<&str> =
                before.split(", ").filter(|held| now.split(", ").all(|holds| holds != *held)).collect();
            (!lost.is_empty()).then(|| format!("{key} lack {}", lost.join(", ")))
        }
        // An index that was rebuilt.
        (Some(("invalid", before)), Some(("valid", now))) if before == now && kind.begins.ends_with("index ") => None,
        (Some((before, _)), Some((now, _))) if before != now => Some(format!("{key} is {now}, and was {before}")),
        (Some((_, before)), Some((_, now))) => (before != now).then(|| format!("{key} has another definition")),
    }
}

/// State and hash.
fn parts(value: &str) -> (&str, &str) {
    value.rsplit_once('#').unwrap_or((value, ""))
}

/// A name without quotes, as long as the catalog keeps it.
fn bare(name: &str) -> String {
    let mut bare = name.trim_matches('"').replace("\"\"", "\"");
    while bare.len() > 63 {
        bare.pop();
    }
    bare
}

/// Whether a statement that may have taken effect explains that something is there or is gone.
fn is_work_of(statement: &Alone, key: &str) -> bool {
    let Some((what, on)) = key.rsplit_once(" on ") else { return false };
    let same = |sql: &str, name: &str| bare(sql.rsplit('.').next().unwrap_or(sql)) == bare(name);
    let index = what.strip_prefix("unique index ").or_else(|| what.strip_prefix("index "));
    match statement {
        Alone::CreateIndex { name: Some(name), .. } => index.is_some_and(|index| same(name, index)),
        Alone::CreateIndex { name: None, table } => index.is_some() && same(table, on),
        Alone::DropIndex { index: dropped } => index.is_some_and(|index| same(dropped, index)),
        Alone::Reindex { .. } => index.is_some_and(|index| index.contains("_ccnew") || index.contains("_ccold")),
        Alone::DetachPartition { partition, .. } => same(partition, on),
        Alone::AddEnumValue { .. } | Alone::Rerunnable | Alone::MayCommit | Alone::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(all: &[(&str, &str)]) -> Relations {
        all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_change_is_told_as_what_it_is() {
        let check = |left: &[(&str, &str)], found: &[(&str, &str)], expected: &[&str]| {
            assert_eq!(changes(&kept(left), &kept(found), &[]), expected);
        };
        let trigger = "trigger sync on users";
        check(
            &[(trigger, "enabled#a")],
            &[(trigger, "disabled#a")],
            &["trigger sync on users is disabled, and was enabled"],
        );
        check(&[(trigger, "enabled#a")], &[(trigger, "enabled#b")], &["trigger sync on users has another definition"]);
        check(
            &[(trigger, "enabled#a"), ("owner of users", "a#")],
            &[("owner of users", "a#")],
            &["trigger sync on users is gone"],
        );
        check(
            &[("owner of users", "a#")],
            &[("owner of users", "b#"), (trigger, "enabled#a")],
            &["owner of users is b, and was a", "trigger sync on users is new"],
        );
        // Nobody loses anything by these.
        check(
            &[("owner of users", "a#")],
            &[
                ("owner of users", "a#"),
                ("index i on users", "valid#a"),
                ("view v", "#a"),
                ("privileges of app on users", "SELECT#"),
            ],
            &[],
        );
        let grants = "privileges of app on users";
        check(&[(grants, "SELECT#")], &[(grants, "INSERT, SELECT#")], &[]);
        check(&[(grants, "INSERT, SELECT#")], &[(grants, "SELECT#")], &["privileges of app on users lack INSERT"]);
        // The journal of a version that kept columns only.
        check(&[("users", "0123")], &[("users", "0123"), (trigger, "enabled#a")], &[]);
    }

    #[test]
    fn what_a_step_may_have_done_is_no_change() {
        let (left, found) = (
            kept(&[("owner of t", "a#"), ("index old on t", "valid#a")]),
            kept(&[("owner of t", "a#"), ("unique index new on t", "valid#a")]),
        );
        let after = |sql: &str| changes(&left, &found, &[Alone::of(sql)]);
        assert_eq!(after("CREATE UNIQUE INDEX CONCURRENTLY new ON t (a)"), ["index old on t is gone"]);
        assert_eq!(after("DROP INDEX CONCURRENTLY public.old"), ["unique index new on t is new"]);
    }
}
