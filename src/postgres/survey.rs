//! Which tools have kept a history in a database, whatever schema it is in: a database that another tool migrated is not an empty one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tokio_postgres::{Client, Error};

use crate::migrations::Convention;
use crate::migrations::tools::{OTHERS, Sign};
use crate::sql::name::Quoted;

/// A history that may be there.
struct Known {
    tool: &'static str,
    convention: Option<Convention>,
    sign: &'static Sign,
}

impl Known {
    /// Whether its columns tell it under any name.
    const fn is_telling(&self) -> bool {
        self.convention.is_some() && self.sign.schema.is_none() && self.sign.has.len() >= TELLING
    }
}

/// All of them. The first that fits counts; one that has a schema of its own, or is told by a table beside it, comes before one that has
/// columns alone.
fn known() -> Vec<Known> {
    let read = Convention::ALL.into_iter().filter_map(|convention| {
        let tool = convention.tool();
        let history = tool.history.as_ref()?;
        Some(Known { tool: tool.label, convention: Some(convention), sign: &history.sign })
    });
    let others = OTHERS.iter().map(|other| Known { tool: other.label, convention: None, sign: &other.sign });
    let mut known: Vec<Known> = read.chain(others).collect();
    known.sort_by_key(|known| (known.sign.schema.is_none(), known.sign.beside.is_none()));
    known
}

/// So many columns tell a history under any name: tools let their tables be called otherwise.
const TELLING: usize = 4;

/// A history that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundHistory {
    /// Whose it is, for people.
    pub tool: &'static str,
    /// The convention of that tool, if it is one of those that are read.
    pub convention: Option<Convention>,
    /// Its schema.
    pub schema: String,
    /// Its table.
    pub table: String,
    /// Whether the search path finds it.
    visible: bool,
}

impl FoundHistory {
    /// The table, for SQL.
    pub fn quoted(&self) -> String {
        format!("{}.{}", Quoted(&self.schema), Quoted(&self.table))
    }
}

impl fmt::Display for FoundHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}, the history of {}", self.schema, self.table, self.tool)
    }
}

/// What a database says about who migrated it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    found: Vec<FoundHistory>,
}

/// Looks for the histories of all tools.
pub async fn survey(client: &Client) -> Result<Survey, Error> {
    let all = known();
    let names = |known: &Known| known.sign.tables.iter().chain(&known.sign.beside);
    let names: BTreeSet<&str> = all.iter().flat_map(names).copied().collect();
    let names: Vec<&str> = names.into_iter().collect();
    let telling: Vec<&str> =
        all.iter().filter(|known| known.is_telling()).flat_map(|known| known.sign.has).copied().collect();
    let query = "SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, pg_catalog.pg_table_is_visible(c.oid),
             ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a
                   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p')
           AND (c.relname::pg_catalog.text = ANY ($1::pg_catalog.text[])
                OR $3::pg_catalog.int8 <= (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid
                    AND a.attnum > 0 AND NOT a.attisdropped AND a.attname::pg_catalog.text = ANY ($2::pg_catalog.text[])))
           AND n.nspname NOT IN ('cutover', 'pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
         ORDER BY 1, 2";
    let mut tables: BTreeMap<(String, String), (bool, Vec<String>)> = BTreeMap::new();
    for row in client.query(query, &[&names, &telling, &i64::try_from(TELLING).unwrap_or(4)]).await? {
        tables.insert((row.try_get(0)?, row.try_get(1)?), (row.try_get(2)?, row.try_get(3)?));
    }
    let mut found = Vec::new();
    for ((schema, table), (visible, columns)) in &tables {
        let has = |column: &&str| columns.iter().any(|known| known == column);
        let fits = |known: &&Known| {
            let sign = known.sign;
            let beside = |table: &str| tables.contains_key(&(schema.clone(), table.to_owned()));
            sign.schema.is_none_or(|own| own == schema)
                && sign.beside.is_none_or(beside)
                && sign.has.iter().all(&has)
                && !sign.lacks.iter().any(&has)
        };
        let named = all.iter().filter(|known| known.sign.tables.contains(&table.as_str())).find(fits);
        // The most columns tell it best: those of sqlx are among Flyway's.
        let telling =
            || all.iter().filter(|known| known.is_telling() && fits(known)).max_by_key(|known| known.sign.has.len());
        let Some(Known { tool, convention, .. }) = named.or_else(telling) else { continue };
        let (schema, table) = (schema.clone(), table.clone());
        found.push(FoundHistory { tool, convention: *convention, schema, table, visible: *visible });
    }
    Ok(Survey { found })
}

impl Survey {
    /// All that were found, by schema and table.
    pub fn all(&self) -> &[FoundHistory] {
        &self.found
    }

    fn is_of(found: &FoundHistory, convention: Convention) -> bool {
        let shared = convention.tool().history.as_ref().map_or(&[][..], |history| history.shared_with);
        found.convention == Some(convention) || found.convention.is_some_and(|other| shared.contains(&other))
    }

    /// The histories of a convention: the one that the search path finds, or else all that there are.
    pub fn of(&self, convention: Convention) -> Vec<&FoundHistory> {
        let own: Vec<&FoundHistory> = self.found.iter().filter(|found| Self::is_of(found, convention)).collect();
        let in_its_own_schema = convention.tool().history.as_ref().is_some_and(|history| history.sign.schema.is_some());
        match own.iter().find(|found| found.visible) {
            Some(visible) if !in_its_own_schema => vec![visible],
            _ => own,
        }
    }

    /// The histories of other tools.
    pub fn others(&self, convention: Convention) -> Vec<&FoundHistory> {
        self.found.iter().filter(|found| !Self::is_of(found, convention)).collect()
    }

    /// The others in words: `public.flyway_schema_history, the history of Flyway`.
    pub fn others_in_words(&self, convention: Convention) -> Option<String> {
        let words: Vec<String> = self.others(convention).iter().map(ToString::to_string).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}
