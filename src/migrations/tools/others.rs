//! Tools whose folders are not read: a database may have been theirs.

use super::{Own, Sign};

/// A tool, by what it leaves in a database.
pub(crate) struct Other {
    /// As it spells itself.
    pub(crate) label: &'static str,
    /// By what its history is recognised.
    pub(crate) sign: Sign,
    /// What it makes for its own book-keeping, where the names are its alone.
    pub(crate) own: Own,
}

const fn other(label: &'static str, tables: &'static [&'static str], has: &'static [&'static str]) -> Other {
    Other { label, sign: Sign::new(tables, has), own: Own::anywhere(&[]) }
}

/// One whose table has a name of its own.
const fn named(label: &'static str, tables: &'static [&'static str], has: &'static [&'static str]) -> Other {
    Other { own: Own::anywhere(tables), ..other(label, tables, has) }
}

const fn inside(schema: &'static str, label: &'static str, has: &'static [&'static str]) -> Other {
    let other = other(label, &["migrations"], has);
    Other { sign: Sign { schema: Some(schema), ..other.sign }, ..other }
}

/// The first that fits counts.
pub(crate) static OTHERS: &[Other] = &[
    other("Ecto", &["schema_migrations"], &["version", "inserted_at"]),
    named("sql-migrate", &["gorp_migrations"], &["id", "applied_at"]),
    Other {
        own: Own::anywhere(&["knex_migrations", "knex_migrations_lock"]),
        ..other("knex", &["knex_migrations"], &["name", "batch", "migration_time"])
    },
    named("Django", &["django_migrations"], &["app", "name", "applied"]),
    named("Sequelize", &["SequelizeMeta"], &["name"]),
    named("node-pg-migrate", &["pgmigrations"], &["name", "run_on"]),
    named("Entity Framework", &["__EFMigrationsHistory"], &["MigrationId"]),
    other("TypeORM", &["migrations"], &["id", "timestamp", "name"]),
    other("Laravel", &["migrations"], &["id", "migration", "batch"]),
    other("MikroORM", &["mikro_orm_migrations"], &["name", "executed_at"]),
    other("Kysely", &["kysely_migration"], &["name", "timestamp"]),
    other("SeaORM", &["seaql_migrations"], &["version", "applied_at"]),
    other("Doctrine", &["doctrine_migration_versions"], &["version", "executed_at"]),
    other("Phinx", &["phinxlog"], &["version", "migration_name"]),
    other("yoyo", &["_yoyo_migration"], &["migration_id"]),
    other("tern", &["schema_version"], &["version"]),
    other("Evolve", &["changelog"], &["type", "version", "description", "checksum", "installed_on"]),
    other("MyBatis Migrations", &["changelog"], &["id", "applied_at", "description"]),
    other("Play", &["play_evolutions"], &["id", "apply_script"]),
    other("DbUp", &["schemaversions"], &["scriptname", "applied"]),
    other("FluentMigrator", &["VersionInfo"], &["Version", "AppliedOn"]),
    inside("pgroll", "pgroll", &["name", "migration"]),
    inside("reshape", "reshape", &["migration"]),
    inside("graphile_migrate", "graphile-migrate", &["hash", "filename"]),
    other("pgmigrate", &["pgmigrate_migrations"], &["id", "checksum"]),
    other("postgres-migrations", &["migrations"], &["id", "name", "hash", "executed_at"]),
];
