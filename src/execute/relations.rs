//! The relations that a plan relies on: their columns are compared with the plan at first; their columns and all that belongs to them
//! ([`objects`]) with what the last step left later on.

use std::collections::BTreeMap;

use crate::postgres::{Session, first_row};
use tokio_postgres::types::Type;

use super::error::{ExecuteError, Stale};
use super::journal::{self, Relations};
use super::objects;
use super::relation_hashes::query;
use super::session::{failed, get};
use super::status::Status;
use crate::plan::saved::{ExpectedColumn, ExpectedRelation, SavedPlan, Work};
use crate::sql::literal;
use crate::sql::recognise::Alone;

/// The columns of each relation, `None` where there is no such relation. Those of sequences are PostgreSQL's own and no part of a schema.
type Live = BTreeMap<String, Option<Vec<ExpectedColumn>>>;

async fn live(client: &Session, expects: &[ExpectedRelation]) -> Result<Live, ExecuteError> {
    let names: Vec<&str> = expects.iter().map(|relation| relation.name.as_str()).collect();
    let query = "SELECT n.name, c.oid IS NOT NULL, a.attname::pg_catalog.text,
             pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull
         FROM pg_catalog.unnest($1::pg_catalog.text[]) AS n(name)
         LEFT JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(n.name)
         LEFT JOIN pg_catalog.pg_attribute a
           ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
         ORDER BY n.name, a.attnum";
    let mut live = Live::new();
    for row in
        client.query_typed(query, &[(&names, Type::TEXT_ARRAY)]).await.map_err(failed("reading the live schema"))?
    {
        let there: bool = get(&row, 1)?;
        let entry = live.entry(get(&row, 0)?).or_insert_with(|| there.then(Vec::new));
        if let (Some(columns), Some(name)) = (entry, get::<Option<String>>(&row, 2)?) {
            columns.push(ExpectedColumn { name, data_type: get(&row, 3)?, not_null: get(&row, 4)? });
        }
    }
    Ok(live)
}

/// The relations of a plan, as an array of SQL.
pub(super) fn names(plan: &SavedPlan) -> String {
    let names: Vec<String> = plan.schema.expects.iter().map(|relation| literal(&relation.name)).collect();
    format!("ARRAY[{}]::pg_catalog.text[]", names.join(", "))
}

/// What the journal keeps of the relations, as they are now.
pub(super) async fn hashes(client: &Session, plan: &SavedPlan) -> Result<Relations, ExecuteError> {
    let failed = failed("reading the relations of the plan, and what belongs to them");
    let answer = client.simple_query(&query(&names(plan))).await.map_err(&failed)?;
    let json = first_row(&answer).and_then(|row| row.get(0));
    Ok(serde_json::from_str(json.unwrap_or("{}")).map_err(|error| journal::unreadable(&error))?)
}

/// The schema before the first step.
pub(super) async fn expected(client: &Session, plan: &SavedPlan) -> Result<(), ExecuteError> {
    match differing(client, &plan.schema.expects).await? {
        Some(drift) => Err(Stale::Drift(drift).into()),
        None => Ok(()),
    }
}

/// The first of the relations that is another one in the database, and how.
pub(super) async fn differing(client: &Session, expects: &[ExpectedRelation]) -> Result<Option<String>, ExecuteError> {
    let live = live(client, expects).await?;
    let drift = |relation: &ExpectedRelation| {
        let name = &relation.name;
        match (&relation.columns, live.get(name).and_then(Option::as_ref)) {
            (None, None) => None,
            (None, Some(_)) => Some(format!("{name} exists, and the plan creates it")),
            (Some(_), None) => Some(format!("{name} does not exist")),
            (Some(expected), Some(found)) => {
                difference(expected, found).map(|difference| format!("{name}: {difference}"))
            }
        }
    };
    Ok(expects.iter().find_map(drift))
}

/// The schema as the last step left it.
pub(super) async fn unchanged(client: &Session, plan: &SavedPlan, status: &Status) -> Result<(), ExecuteError> {
    let (left, found) = (&status.relations, hashes(client, plan).await?);
    let is_other = |relation: &&ExpectedRelation| left.get(&relation.name) != found.get(&relation.name);
    if let Some(ExpectedRelation { name, .. }) = plan.schema.expects.iter().find(is_other) {
        let drift = format!("{name} is not as this release left it; somebody else changed its columns");
        return Err(Stale::Drift(drift).into());
    }
    // What was begun outside a transaction may have happened, and nobody has written it down yet.
    let begun = plan.steps.iter().filter(|step| status.steps.contains_key(&step.id) && !status.is_done(step.id));
    let begun = begun.filter_map(|step| match &step.work {
        Work::Alone { statement } => Some(Alone::of(&statement.sql)),
        Work::Transaction { .. } | Work::Backfill(_) | Work::Check { .. } => None,
    });
    let changes = objects::changes(left, &found, &begun.collect::<Vec<_>>());
    match changes.is_empty() {
        true => Ok(()),
        false => Err(Stale::Drift(format!("{}; this release did not leave it so", changes.join("; "))).into()),
    }
}

fn describe(column: &ExpectedColumn) -> String {
    let not_null = if column.not_null { " NOT NULL" } else { "" };
    format!("{} {}{not_null}", column.name, column.data_type)
}

fn difference(expected: &[ExpectedColumn], found: &[ExpectedColumn]) -> Option<String> {
    let missing = expected.iter().find(|column| found.iter().all(|f| f.name != column.name));
    if let Some(column) = missing {
        return Some(format!("column {} is missing", column.name));
    }
    if let Some(column) = found.iter().find(|column| expected.iter().all(|e| e.name != column.name)) {
        return Some(format!("column {} is not in the plan", column.name));
    }
    // Of a view's column the text does not always tell the type.
    let differs = |e: &ExpectedColumn, f: &ExpectedColumn| {
        e.name != f.name || e.not_null != f.not_null || (e.data_type != f.data_type && !e.data_type.is_empty())
    };
    expected.iter().zip(found).find(|(e, f)| differs(e, f)).map(|(e, f)| {
        if e.name == f.name {
            format!("the plan has {}, the database has {}", describe(e), describe(f))
        } else {
            format!("its columns are in another order, from {} on", f.name)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_the_column() {
        let column = |name: &str, data_type: &str| ExpectedColumn {
            name: name.into(),
            data_type: data_type.into(),
            not_null: false,
        };
        let (a, b, wide) = (column("a", "integer"), column("b", "text"), column("a", "bigint"));
        let check = |e: &[&ExpectedColumn], f: &[&ExpectedColumn]| {
            let own = |columns: &[&ExpectedColumn]| columns.iter().map(|c| (*c).clone()).collect::<Vec<_>>();
            difference(&own(e), &own(f))
        };
        assert_eq!(check(&[&a, &b], &[&a, &b]), None);
        assert_eq!(check(&[&a, &b], &[&a]).unwrap(), "column b is missing");
        assert_eq!(check(&[&a], &[&a, &b]).unwrap(), "column b is not in the plan");
        assert_eq!(check(&[&a], &[&wide]).unwrap(), "the plan has a integer, the database has a bigint");
        assert_eq!(check(&[&a, &b], &[&b, &a]).unwrap(), "its columns are in another order, from b on");
    }
}
