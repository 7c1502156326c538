//! What migration tools make for their own book-keeping, in one table: no application relies on it, and no migration of the application
//! makes it, so that it is no part of a schema.

/// A tool's own relations. Their indexes, their constraints and the sequences they own go with them.
struct Books {
    /// The schema that the tool makes for them; `None`: wherever its search path leads.
    schema: Option<&'static str>,
    relations: &'static [&'static str],
}

const fn anywhere(relations: &'static [&'static str]) -> Books {
    Books { schema: None, relations }
}

const fn inside(schema: &'static str, relations: &'static [&'static str]) -> Books {
    Books { schema: Some(schema), relations }
}

const ALL: &[(&str, Books)] = &[
    ("refinery", anywhere(&["refinery_schema_history"])),
    ("sqlx", anywhere(&["_sqlx_migrations"])),
    ("diesel", anywhere(&["__diesel_schema_migrations"])),
    ("flyway", anywhere(&["flyway_schema_history"])),
    ("dbmate, golang-migrate, rails, ecto", anywhere(&["schema_migrations"])),
    ("rails", anywhere(&["ar_internal_metadata"])),
    ("goose", anywhere(&["goose_db_version", "goose_lock"])),
    ("sqitch", inside("sqitch", &["changes", "dependencies", "events", "projects", "releases", "tags"])),
    ("prisma", anywhere(&["_prisma_migrations"])),
    ("atlas", inside("atlas_schema_revisions", &["atlas_schema_revisions"])),
    ("liquibase", anywhere(&["databasechangelog", "databasechangeloglock"])),
    ("drizzle", inside("drizzle", &["__drizzle_migrations"])),
    ("alembic", anywhere(&["alembic_version"])),
    ("supabase", inside("supabase_migrations", &["schema_migrations", "seed_files"])),
    ("hasura", inside("hdb_catalog", &["hdb_version", "schema_migrations", "migration_settings"])),
    // Those that no folder is read of; a database may have been theirs.
    ("sql-migrate", anywhere(&["gorp_migrations"])),
    ("knex", anywhere(&["knex_migrations", "knex_migrations_lock"])),
    ("django", anywhere(&["django_migrations"])),
    ("sequelize", anywhere(&["SequelizeMeta"])),
    ("node-pg-migrate", anywhere(&["pgmigrations"])),
    ("entity framework", anywhere(&["__EFMigrationsHistory"])),
];

/// Whether a relation is a tool's own.
pub(crate) fn are_books(schema: &str, relation: &str) -> bool {
    ALL.iter().any(|(_, books)| books.schema.is_none_or(|own| own == schema) && books.relations.contains(&relation))
}

/// Whether a schema was made by a tool for its own.
pub(crate) fn is_for_books(schema: &str) -> bool {
    ALL.iter().any(|(_, books)| books.schema == Some(schema))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::Convention;

    #[test]
    fn every_history_is_among_them() {
        for history in Convention::ALL.iter().filter_map(|convention| convention.history()) {
            let (schema, table) = history.name.split_once('.').unwrap_or(("public", history.name));
            assert!(are_books(schema, table), "{}", history.name);
        }
        assert!(!are_books("public", "changes") && !are_books("drizzle", "orders"));
    }
}
