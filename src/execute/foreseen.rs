//! What would fail in a step that has not run yet, as far as a server tells now: who owns what it changes, and which views, tables and foreign keys
//! depend on what it drops. Looked for before the release begins, before it is approved, and before the first step after the cutover: past the
//! point of no return it is too late.
//!
//! A right release must not be stopped by this, so nothing is said of what a statement before it may change: who owns it, what bears its name,
//! what still depends on it.

use std::collections::BTreeMap;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::error::ExecuteError;
use super::options::Options;
use super::session::{failed, get};
use super::status::Status;
use crate::plan::saved::{SavedPlan, Step};
use crate::postgres::Session;
use crate::sql::lex::words_of;
use crate::sql::{Dropped, Owned, owned};

/// What the operator takes upon himself of what seems to fail; an error if he does not.
pub(super) async fn allowed(
    client: &Session,
    plan: &SavedPlan,
    status: &Status,
    options: &Options,
) -> Result<Vec<String>, ExecuteError> {
    let troubles = look(client, plan, status).await?;
    match troubles.is_empty() || options.accept_foreseen {
        true => Ok(troubles),
        false => Err(ExecuteError::Foreseen { troubles }),
    }
}

/// Looks at every step that has not run.
async fn look(client: &Session, plan: &SavedPlan, status: &Status) -> Result<Vec<String>, ExecuteError> {
    let steps: Vec<&Step> = plan.steps.iter().filter(|step| !status.is_done(step.id)).collect();
    let (mut troubles, mut before) = (Vec::new(), Before::default());
    for alike in steps.chunk_by(|step, next| step.session == next.session) {
        client.batch_execute("BEGIN READ ONLY").await.map_err(failed("beginning a transaction"))?;
        let found = with_settings(client, alike, &mut before).await;
        client.batch_execute("ROLLBACK").await.map_err(failed("ending a transaction"))?;
        troubles.extend(found?);
    }
    Ok(troubles)
}

/// Looks at steps that have the same role, search path and other settings, with these.
async fn with_settings<'plan>(
    client: &Session,
    steps: &[&'plan Step],
    before: &mut Before<'plan>,
) -> Result<Vec<String>, ExecuteError> {
    let mut are_made = true;
    for set in steps.first().iter().flat_map(|step| &step.session) {
        // A setting that the server refuses now may be right once an earlier step has run.
        are_made = are_made && client.batch_execute(set).await.is_ok();
    }
    let (mut owners, mut troubles) = (Owners::new(), Vec::new());
    for step in steps {
        for statement in step.statements() {
            for owned in owned(&statement.sql).into_iter().filter(|_| are_made) {
                let found = of_relation(client, &owned, before, &mut owners).await?;
                troubles.extend(found.into_iter().map(|what| format!("step {} ({}): {what}", step.id, step.object)));
            }
            before.push(&statement.sql);
        }
    }
    Ok(troubles)
}

/// What the statements before the one looked at may change.
#[derive(Default)]
struct Before<'plan> {
    statements: Vec<&'plan str>,
    /// Those that may make, rename, move or drop what they name.
    giving_names: Vec<&'plan str>,
    /// Of what they call, nobody knows.
    calling: bool,
    changing_owners: bool,
    dropping_more: bool,
}

impl<'plan> Before<'plan> {
    fn push(&mut self, statement: &'plan str) {
        let makes = begins(statement, &["create"]) && has(statement, &["table", "view", "sequence"]);
        let drops = begins(statement, &["drop"]) && has(statement, &["table", "view", "sequence", "index"]);
        if makes || drops || has(statement, &["rename", "schema"]) {
            self.giving_names.push(statement);
        }
        self.calling |= begins(statement, &["do", "call", "select"]);
        self.changing_owners |= begins(statement, &["grant", "reassign", "set"]) || has(statement, &["owner"]);
        self.dropping_more |= has(statement, &["cascade", "owned"]);
        self.statements.push(statement);
    }

    /// Whether what bears a name may be something else by then than what does now.
    fn may_give_name(&self, name: &str) -> bool {
        self.calling || self.giving_names.iter().any(|statement| names(statement, name))
    }
}

/// Who owns a relation that the role may not change, by its name and whether it is dropped.
type Owners = BTreeMap<(String, bool), Option<String>>;

/// Whether a statement begins with one of the words.
fn begins(statement: &str, words: &[&str]) -> bool {
    words_of(statement).next().is_some_and(|first| words.iter().any(|word| first.eq_ignore_ascii_case(word)))
}

/// Whether a statement has one of the words.
fn has(statement: &str, words: &[&str]) -> bool {
    words_of(statement).any(|found| words.iter().any(|word| found.eq_ignore_ascii_case(word)))
}

/// Whether a statement names something, quoted or not.
fn names(statement: &str, name: &str) -> bool {
    statement.to_lowercase().contains(&name.to_lowercase())
}

async fn of_relation(
    client: &Session,
    Owned { relation, drops }: &Owned,
    before: &Before<'_>,
    owners: &mut Owners,
) -> Result<Vec<String>, ExecuteError> {
    if before.may_give_name(&relation.name) {
        return Ok(Vec::new());
    }
    let name = relation.to_string();
    let mut troubles = Vec::new();
    if !before.changing_owners {
        let is_dropped = *drops == Some(Dropped::Relation);
        let key = (name.clone(), is_dropped);
        if !owners.contains_key(&key) {
            owners.insert(key.clone(), not_owned(client, &name, is_dropped).await?);
        }
        troubles.extend(owners.get(&key).cloned().flatten());
    }
    let column = match drops {
        None => return Ok(troubles),
        Some(Dropped::Relation) => None,
        Some(Dropped::Column(column)) => Some(&**column),
    };
    if before.dropping_more {
        return Ok(troubles);
    }
    for (dependent, by) in dependents(client, &name, column).await? {
        // A statement before it may take it away, or make it another one.
        if !before.statements.iter().any(|statement| by.iter().any(|name| names(statement, name))) {
            let what = column.map_or_else(|| name.clone(), |column| format!("column {column} of {name}"));
            troubles.push(format!("{dependent} depends on {what}, which is dropped without CASCADE"));
        }
    }
    Ok(troubles)
}

/// Who owns a relation that the role may not change. What is dropped may also be dropped by whom its schema belongs to.
async fn not_owned(client: &Session, relation: &str, dropped: bool) -> Result<Option<String>, ExecuteError> {
    let query =
        "SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') OR $2 AND pg_catalog.pg_has_role(n.nspowner, 'USAGE'),
             current_user::pg_catalog.text, pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid = pg_catalog.to_regclass($1::pg_catalog.text) AND c.relpersistence <> 't'";
    let rows = client.query_typed(query, &[(&relation, Type::TEXT), (&dropped, Type::BOOL)]).await;
    let rows = rows.map_err(failed("asking who owns what a step changes"))?;
    let Some(row) = rows.first() else { return Ok(None) };
    if get(row, 0)? {
        return Ok(None);
    }
    let (role, owner): (String, String) = (get(row, 1)?, get(row, 2)?);
    Ok(Some(format!("{relation} is owned by {owner}, and {role} is no member of that role")))
}

/// The views, relations and foreign keys that depend on a relation or a column of it and do not go with it: how the server calls them, and the
/// names they go by.
async fn dependents(
    client: &Session,
    relation: &str,
    column: Option<&str>,
) -> Result<Vec<(String, Vec<String>)>, ExecuteError> {
    // A view depends through its rule. The copies of a foreign key in partitions go with it. Triggers, policies and defaults of the relation go with
    // the relation or are its own business.
    let query = "SELECT DISTINCT pg_catalog.pg_describe_object(o.classid, o.objid, 0), o.names
         FROM (SELECT CASE WHEN v.oid IS NULL THEN d.classid ELSE 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid END AS classid,
                 coalesce(v.oid, d.objid) AS objid,
                 pg_catalog.array_remove(ARRAY[v.relname, c.relname, k.conname, t.relname]::pg_catalog.text[], NULL) AS names
             FROM pg_catalog.pg_depend d
             LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
             LEFT JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
             LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
             LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
               AND k.oid = d.objid AND k.contype = 'f' AND k.conparentid = 0
             LEFT JOIN pg_catalog.pg_class t ON t.oid = k.conrelid
             WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
               AND d.refobjid = pg_catalog.to_regclass($1::pg_catalog.text) AND d.deptype = 'n'
               AND ($2::pg_catalog.text IS NULL OR d.refobjsubid = (SELECT a.attnum FROM pg_catalog.pg_attribute a
                    WHERE a.attrelid = d.refobjid AND a.attname::pg_catalog.text = $2 AND NOT a.attisdropped))
               AND coalesce(v.oid, c.oid, k.conrelid) <> d.refobjid) AS o
         ORDER BY 1";
    let rows = client.query_typed(query, &[(&relation, Type::TEXT), (&column, Type::TEXT)]).await;
    let rows = rows.map_err(failed("asking what depends on what a step drops"))?;
    let dependent = |row: &Row| Ok((get(row, 0)?, get(row, 1)?));
    rows.iter().map(dependent).collect()
}
