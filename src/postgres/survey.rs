//! Which tools have kept a history in a database, whatever schema it is in: a database that another tool migrated is not an empty one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tokio_postgres::{Client, Error};

use crate::migrations::Convention;
use crate::sql::name::Quoted;

/// How a history is recognised.
struct Known {
    tool: &'static str,
    convention: Option<Convention>,
    /// Its tables, by their usual names.
    tables: &'static [&'static str],
    /// The schema that it always is in.
    schema: Option<&'static str>,
    /// Columns that it has.
    has: &'static [&'static str],
    /// Columns that it does not have.
    lacks: &'static [&'static str],
}

impl Known {
    /// Whether its columns tell it under any name.
    const fn is_telling(&self) -> bool {
        self.convention.is_some() && self.schema.is_none() && self.has.len() >= TELLING
    }
}

const fn known(
    tool: &'static str,
    convention: Option<Convention>,
    tables: &'static [&'static str],
    has: &'static [&'static str],
) -> Known {
    Known { tool, convention, tables, schema: None, has, lacks: &[] }
}

/// The first that fits counts.
const ALL: &[Known] = &[
    Known {
        schema: Some("supabase_migrations"),
        ..known("Supabase", Some(Convention::Supabase), &["schema_migrations"], &["version"])
    },
    Known {
        schema: Some("hdb_catalog"),
        ..known("Hasura", Some(Convention::Hasura), &["hdb_version", "schema_migrations"], &[])
    },
    known(
        "refinery",
        Some(Convention::Refinery),
        &["refinery_schema_history"],
        &["version", "name", "applied_on", "checksum"],
    ),
    known("sqlx", Some(Convention::Sqlx), &["_sqlx_migrations"], &["version", "description", "success", "checksum"]),
    known("diesel", Some(Convention::Diesel), &["__diesel_schema_migrations"], &["version", "run_on"]),
    known(
        "Flyway",
        Some(Convention::Flyway),
        &["flyway_schema_history", "schema_version"],
        &["installed_rank", "version", "description", "type", "script", "success"],
    ),
    known("golang-migrate", Some(Convention::GolangMigrate), &["schema_migrations"], &["version", "dirty"]),
    known("Ecto", None, &["schema_migrations"], &["version", "inserted_at"]),
    Known {
        lacks: &["dirty", "inserted_at", "statements"],
        ..known("dbmate", Some(Convention::Dbmate), &["schema_migrations"], &["version"])
    },
    known("goose", Some(Convention::Goose), &["goose_db_version"], &["id", "version_id", "is_applied", "tstamp"]),
    known("Sqitch", Some(Convention::Sqitch), &["changes"], &["change_id", "change", "project", "script_hash"]),
    known(
        "Prisma",
        Some(Convention::Prisma),
        &["_prisma_migrations"],
        &["migration_name", "checksum", "finished_at", "rolled_back_at"],
    ),
    known("Atlas", Some(Convention::Atlas), &["atlas_schema_revisions"], &["version", "applied", "total", "hash"]),
    known(
        "Liquibase",
        Some(Convention::Liquibase),
        &["databasechangelog"],
        &["id", "author", "filename", "orderexecuted"],
    ),
    known("Drizzle", Some(Convention::Drizzle), &["__drizzle_migrations"], &["hash", "created_at"]),
    known("Alembic", Some(Convention::Alembic), &["alembic_version"], &["version_num"]),
    known("sql-migrate", None, &["gorp_migrations"], &["id", "applied_at"]),
    known("knex", None, &["knex_migrations"], &["name", "batch", "migration_time"]),
    known("Django", None, &["django_migrations"], &["app", "name", "applied"]),
    known("Sequelize", None, &["SequelizeMeta"], &["name"]),
    known("node-pg-migrate", None, &["pgmigrations"], &["name", "run_on"]),
    known("Entity Framework", None, &["__EFMigrationsHistory"], &["MigrationId"]),
    known("TypeORM", None, &["migrations"], &["id", "timestamp", "name"]),
    known("Laravel", None, &["migrations"], &["id", "migration", "batch"]),
    known("MikroORM", None, &["mikro_orm_migrations"], &["name", "executed_at"]),
    known("Kysely", None, &["kysely_migration"], &["name", "timestamp"]),
    known("SeaORM", None, &["seaql_migrations"], &["version", "applied_at"]),
    known("Doctrine", None, &["doctrine_migration_versions"], &["version", "executed_at"]),
    known("Phinx", None, &["phinxlog"], &["version", "migration_name"]),
    known("yoyo", None, &["_yoyo_migration"], &["migration_id"]),
    known("tern", None, &["schema_version"], &["version"]),
    known("Evolve", None, &["changelog"], &["type", "version", "description", "checksum", "installed_on"]),
    known("MyBatis Migrations", None, &["changelog"], &["id", "applied_at", "description"]),
    known("Play", None, &["play_evolutions"], &["id", "apply_script"]),
    known("DbUp", None, &["schemaversions"], &["scriptname", "applied"]),
    known("FluentMigrator", None, &["VersionInfo"], &["Version", "AppliedOn"]),
    Known { schema: Some("pgroll"), ..known("pgroll", None, &["migrations"], &["name", "migration"]) },
    Known { schema: Some("reshape"), ..known("reshape", None, &["migrations"], &["migration"]) },
    Known {
        schema: Some("graphile_migrate"),
        ..known("graphile-migrate", None, &["migrations"], &["hash", "filename"])
    },
    known("pgmigrate", None, &["pgmigrate_migrations"], &["id", "checksum"]),
    known("postgres-migrations", None, &["migrations"], &["id", "name", "hash", "executed_at"]),
];

/// So many columns tell a history under any name: tools let their tables be called otherwise.
const TELLING: usize = 4;

/// Rails' own table beside its history.
const RAILS: &str = "ar_internal_metadata";

/// A history that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
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

impl Found {
    /// The table, for SQL.
    pub fn quoted(&self) -> String {
        format!("{}.{}", Quoted(&self.schema), Quoted(&self.table))
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}, the history of {}", self.schema, self.table, self.tool)
    }
}

/// What a database says about who migrated it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    found: Vec<Found>,
}

/// Looks for the histories of all tools.
pub async fn survey(client: &Client) -> Result<Survey, Error> {
    let mut names: BTreeSet<&str> = ALL.iter().flat_map(|known| known.tables).copied().collect();
    names.insert(RAILS);
    let names: Vec<&str> = names.into_iter().collect();
    let telling: Vec<&str> =
        ALL.iter().filter(|known| known.is_telling()).flat_map(|known| known.has).copied().collect();
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
            known.schema.is_none_or(|own| own == schema) && known.has.iter().all(&has) && !known.lacks.iter().any(&has)
        };
        let named = ALL.iter().filter(|known| known.tables.contains(&table.as_str())).find(fits);
        // The most columns tell it best: those of sqlx are among Flyway's.
        let telling =
            || ALL.iter().filter(|known| known.is_telling() && fits(known)).max_by_key(|known| known.has.len());
        let Some(known) = named.or_else(telling) else { continue };
        let is_rails =
            known.convention == Some(Convention::Dbmate) && tables.contains_key(&(schema.clone(), RAILS.to_owned()));
        let (tool, convention) =
            if is_rails { ("Rails", Some(Convention::Rails)) } else { (known.tool, known.convention) };
        found.push(Found { tool, convention, schema: schema.clone(), table: table.clone(), visible: *visible });
    }
    Ok(Survey { found })
}

impl Survey {
    fn is_of(found: &Found, convention: Convention) -> bool {
        // Rails before 5 had no other table.
        found.convention == Some(convention)
            || (convention == Convention::Rails && found.convention == Some(Convention::Dbmate))
    }

    /// The histories of a convention: the one that the search path finds, or else all that there are.
    pub fn of(&self, convention: Convention) -> Vec<&Found> {
        let own: Vec<&Found> = self.found.iter().filter(|found| Self::is_of(found, convention)).collect();
        match own.iter().find(|found| found.visible) {
            Some(visible) if convention != Convention::Hasura => vec![visible],
            _ => own,
        }
    }

    /// The histories of other tools.
    pub fn others(&self, convention: Convention) -> Vec<&Found> {
        self.found.iter().filter(|found| !Self::is_of(found, convention)).collect()
    }

    /// The others in words: `public.flyway_schema_history, the history of Flyway`.
    pub fn others_in_words(&self, convention: Convention) -> Option<String> {
        let words: Vec<String> = self.others(convention).iter().map(ToString::to_string).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}
