//! Names without a schema mean what the role's search path says, and the plan was made for one meaning of them. Where another schema comes first and
//! has something of the same name, the statement would change that instead: it is refused before anything runs.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Elsewhere, ExecuteError, Stale};
use super::session::{failed, get};
use super::status::Status;
use crate::plan::saved::{SavedPlan, Step};
use crate::postgres::Session;
use crate::schema::TEMPORARY;
use crate::sql::recognise;

/// Where the plan means a name to be: the schemas that have a relation of that name in the plan.
struct Meant {
    by_name: BTreeMap<String, BTreeSet<String>>,
    /// All of them, and `public`, where what the plan does not list is looked for.
    schemas: BTreeSet<String>,
}

impl Meant {
    fn of(plan: &SavedPlan) -> Self {
        let mut meant = Self { by_name: BTreeMap::new(), schemas: BTreeSet::from(["public".to_owned()]) };
        for relation in &plan.schema.expects {
            let (schema, name) = recognise::qualified_name(&relation.name);
            let schema = schema.unwrap_or_else(|| "public".to_owned());
            meant.schemas.insert(schema.clone());
            meant.by_name.entry(name).or_default().insert(schema);
        }
        meant
    }

    fn schemas_of(&self, name: &str) -> &BTreeSet<String> {
        self.by_name.get(name).unwrap_or(&self.schemas)
    }
}

/// What a step's settings make of a name.
struct Found {
    name: String,
    /// The schema of what it means; `None`: there is nothing of that name.
    schema: Option<String>,
    /// All schemas that have something of that name.
    all: Vec<String>,
}

/// Looks at the steps that have not run, with their own role and search path.
pub(super) async fn as_planned(client: &Session, plan: &SavedPlan, status: &Status) -> Result<(), ExecuteError> {
    let meant = Meant::of(plan);
    let mut by_settings: BTreeMap<&[String], Vec<&Step>> = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| !status.is_done(step.id)) {
        by_settings.entry(&step.session).or_default().push(step);
    }
    for (settings, steps) in by_settings {
        client.batch_execute("BEGIN READ ONLY").await.map_err(failed("beginning a transaction"))?;
        let looked = with(client, settings, &steps, &meant).await;
        let ended = client.batch_execute("ROLLBACK").await.map_err(failed("ending a transaction"));
        looked?;
        ended?;
    }
    Ok(())
}

async fn with(client: &Session, settings: &[String], steps: &[&Step], meant: &Meant) -> Result<(), ExecuteError> {
    for set in settings {
        // A setting that the server refuses now may be right once an earlier step has run; the step itself is told.
        if client.batch_execute(set).await.is_err() {
            return Ok(());
        }
    }
    let named = |step: &Step| -> Vec<String> {
        step.statements().iter().flat_map(|statement| recognise::bare_names(&statement.sql)).collect()
    };
    let words: BTreeSet<String> = steps.iter().flat_map(|step| named(step)).collect();
    let words: Vec<String> = words.into_iter().collect();
    let query = "SELECT n.name, s.nspname::pg_catalog.text, (SELECT pg_catalog.array_agg(o.nspname::pg_catalog.text) FROM pg_catalog.pg_class a
                 JOIN pg_catalog.pg_namespace o ON o.oid = a.relnamespace WHERE a.relname = n.name::pg_catalog.name)
         FROM pg_catalog.unnest($1::pg_catalog.text[]) AS n(name)
         LEFT JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(pg_catalog.quote_ident(n.name))
         LEFT JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace";
    let rows = client.query(query, &[&words]).await.map_err(failed("looking for what the plan names"))?;
    let mut found = Vec::new();
    for row in &rows {
        let all: Option<Vec<String>> = get(row, 2)?;
        found.push(Found { name: get(row, 0)?, schema: get(row, 1)?, all: all.unwrap_or_default() });
    }
    let query = "SELECT current_user::pg_catalog.text, pg_catalog.current_setting('search_path'), pg_catalog.current_schema()::pg_catalog.text,
             pg_catalog.current_schemas(false)::pg_catalog.text[]";
    let row = client.query_one(query, &[]).await.map_err(failed("asking for the search path"))?;
    let (role, path): (String, String) = (get(&row, 0)?, get(&row, 1)?);
    let (first, searched): (Option<String>, Vec<String>) = (get(&row, 2)?, get(&row, 3)?);
    let refused = |step: &Step, name: &str, found: &str, meant: &BTreeSet<String>| {
        let meant = meant.iter().next().map_or("public", String::as_str);
        Stale::Elsewhere(Box::new(Elsewhere {
            step: step.id,
            name: name.to_owned(),
            found: format!("{found}.{name}"),
            meant: format!("{meant}.{name}"),
            role: role.clone(),
            path: path.clone(),
        }))
    };
    for step in steps {
        let names = named(step);
        for Found { name, schema, all } in found.iter().filter(|found| names.contains(&found.name)) {
            let schemas = meant.schemas_of(name);
            // Of what is somewhere else only, there is one: a team may keep all that it has in a schema of its role's search path.
            let two = all.iter().any(|schema| schemas.contains(schema));
            let planned = |schema: &String| schemas.contains(schema) || schemas.contains(TEMPORARY);
            if let Some(schema) = schema.as_ref().filter(|schema| two && !planned(schema)) {
                return Err(refused(step, name, schema, schemas).into());
            }
        }
        // What the step makes goes where the role's search path begins.
        let home = |schema: &String| {
            found.iter().any(|found| meant.by_name.contains_key(&found.name) && found.schema.as_ref() == Some(schema))
        };
        let (Some(first), Some(made)) = (&first, step.statements().iter().find_map(|s| recognise::makes_bare(&s.sql)))
        else {
            continue;
        };
        let schemas = meant.schemas_of(&made);
        if !schemas.contains(first) && searched.iter().any(|schema| schemas.contains(schema)) && !home(first) {
            return Err(refused(step, &made, first, schemas).into());
        }
    }
    Ok(())
}
