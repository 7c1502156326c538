//! What would fail in a step that has not run yet, as far as a server tells now: who owns what it changes, and what depends on what it drops. Looked
//! for before the release begins, before it is approved, and before the first step after the cutover: past the point of no return it is
//! too late.

use tokio_postgres::Row;

use super::error::ExecuteError;
use super::session::{failed, get};
use super::status::Status;
use crate::plan::saved::{SavedPlan, Step};
use crate::postgres::Session;
use crate::sql::lex::words_of;
use crate::sql::{Dropped, Owned, owned};

/// Looks at every step that has not run. What a step needs that is not there yet is made by one before it.
pub(super) async fn look(client: &Session, plan: &SavedPlan, status: &Status) -> Result<(), ExecuteError> {
    let left: Vec<&Step> = plan.steps.iter().filter(|step| !status.is_done(step.id)).collect();
    let mut troubles = Vec::new();
    for (index, step) in left.iter().enumerate() {
        client.batch_execute("BEGIN READ ONLY").await.map_err(failed("beginning a transaction"))?;
        let found = of_step(client, step, &left[..=index]).await;
        let ended = client.batch_execute("ROLLBACK").await.map_err(failed("ending a transaction"));
        troubles.extend(found?.into_iter().map(|what| format!("step {} ({}): {what}", step.id, step.object)));
        ended?;
    }
    if troubles.is_empty() { Ok(()) } else { Err(ExecuteError::Foreseen { troubles }) }
}

/// Words of statements after which nobody can tell from here who owns what, or what is still there.
const OWNERS_CHANGE: [&str; 5] = ["owner", "reassign", "grant", "do", "call"];
const MORE_GOES: [&str; 4] = ["cascade", "owned", "do", "call"];

/// With the step's own role and search path. `so_far`: the steps that come before it, and itself.
async fn of_step(client: &Session, step: &Step, so_far: &[&Step]) -> Result<Vec<String>, ExecuteError> {
    for set in &step.session {
        // A setting that the server refuses now may be right once an earlier step has run.
        if client.batch_execute(set).await.is_err() {
            return Ok(Vec::new());
        }
    }
    let says = |words: &[&str]| {
        let texts = so_far.iter().flat_map(|step| step.statements()).map(|statement| statement.sql.as_str());
        texts.flat_map(words_of).any(|word| words.iter().any(|name| word.eq_ignore_ascii_case(name)))
    };
    let (owners_stay, dependents_stay) = (!says(&OWNERS_CHANGE), !says(&MORE_GOES));
    let mut troubles = Vec::new();
    for Owned { relation, drops } in step.statements().iter().flat_map(|statement| owned(&statement.sql)) {
        let name = relation.to_string();
        if owners_stay && let Some(trouble) = not_owned(client, &name).await? {
            troubles.push(trouble);
        }
        let column = match &drops {
            Some(Dropped::Relation) if dependents_stay => None,
            Some(Dropped::Column(column)) if dependents_stay => Some(&**column),
            _ => continue,
        };
        for (dependent, names) in dependents(client, &name, column).await? {
            // A statement before it may take it away, or make it another one.
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            if !says(&names) {
                let what = column.map_or_else(|| name.clone(), |column| format!("column {column} of {name}"));
                troubles.push(format!("{dependent} depends on {what}, which is dropped without CASCADE"));
            }
        }
    }
    Ok(troubles)
}

async fn not_owned(client: &Session, relation: &str) -> Result<Option<String>, ExecuteError> {
    let query = "SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') OR pg_catalog.pg_has_role(n.nspowner, 'USAGE'),
             current_user::pg_catalog.text, pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid = pg_catalog.to_regclass($1::pg_catalog.text)";
    let row = client.query_opt(query, &[&relation]).await.map_err(failed("asking who owns what a step changes"))?;
    let Some(row) = row else { return Ok(None) };
    if get(&row, 0)? {
        return Ok(None);
    }
    let (role, owner): (String, String) = (get(&row, 1)?, get(&row, 2)?);
    Ok(Some(format!("{relation} is owned by {owner}, and {role} is no member of that role")))
}

/// What depends on a relation or a column of it and does not go with it: how the server calls it, and the names it goes by.
async fn dependents(
    client: &Session,
    relation: &str,
    column: Option<&str>,
) -> Result<Vec<(String, Vec<String>)>, ExecuteError> {
    // A view depends through its rule; what belongs to the relation itself goes with it.
    let query = "SELECT DISTINCT pg_catalog.pg_describe_object(o.classid, o.objid, o.objsubid), o.names
         FROM (SELECT coalesce(v.classid, d.classid) AS classid, coalesce(v.oid, d.objid) AS objid,
                 CASE WHEN v.oid IS NULL THEN d.objsubid ELSE 0 END AS objsubid,
                 pg_catalog.array_remove(ARRAY[v.relname, c.relname, k.conname, t.relname, p.proname]::pg_catalog.text[], NULL) AS names
             FROM pg_catalog.pg_depend d
             LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
             LEFT JOIN (SELECT oid, relname, 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid AS classid
                        FROM pg_catalog.pg_class) v ON v.oid = r.ev_class
             LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
             LEFT JOIN pg_catalog.pg_constraint k
               ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = d.objid
             LEFT JOIN pg_catalog.pg_class t ON t.oid = k.conrelid
             LEFT JOIN pg_catalog.pg_proc p ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = d.objid
             WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
               AND d.refobjid = pg_catalog.to_regclass($1::pg_catalog.text) AND d.deptype = 'n'
               AND ($2::pg_catalog.text IS NULL OR d.refobjsubid = (SELECT a.attnum FROM pg_catalog.pg_attribute a
                    WHERE a.attrelid = d.refobjid AND a.attname::pg_catalog.text = $2 AND NOT a.attisdropped))
               AND coalesce(v.oid, c.oid, k.conrelid, 0) <> d.refobjid) AS o
         ORDER BY 1";
    let rows = client.query(query, &[&relation, &column]).await;
    let rows = rows.map_err(failed("asking what depends on what a step drops"))?;
    let dependent = |row: &Row| Ok((get(row, 0)?, get(row, 1)?));
    rows.iter().map(dependent).collect()
}
