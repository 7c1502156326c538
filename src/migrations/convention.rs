//! The conventions: one row of facts each. How a folder is listed and a file is read stands in the file of the convention's name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load::Version;

/// How a folder of migrations is named and ordered, and where its tool keeps its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// `V1__name.sql`; `U1__name.sql` is a forward migration that may apply out of order.
    Refinery,
    /// `1_name.sql` or `1_name.up.sql` with `1_name.down.sql`.
    Sqlx,
    /// Folders `version_name/` with `up.sql` and `down.sql`.
    Diesel,
    /// `V1.2__name.sql`, `R__name.sql` when it changes; `U1.2__name.sql` undoes.
    Flyway,
    /// `1_name.sql` with sections `-- migrate:up` and `-- migrate:down`.
    Dbmate,
    /// `1_name.up.sql` and `1_name.down.sql`.
    GolangMigrate,
    /// `1_name.sql` with sections `-- +goose Up` and `-- +goose Down`; `1_name.go` is a program.
    Goose,
    /// `sqitch.plan`, `deploy/name.sql`.
    Sqitch,
    /// Folders `timestamp_name/` with `migration.sql`.
    Prisma,
    /// `version_name.sql` and `atlas.sum`.
    Atlas,
    /// Files of changesets that begin with `--liquibase formatted sql`.
    Liquibase,
    /// `0000_tag.sql` in the order of `meta/_journal.json`, or folders with `migration.sql` and `snapshot.json`.
    Drizzle,
    /// `structure.sql` and `migrate/version_name.sql`; `version_name.rb` is a program.
    Rails,
    /// What `alembic upgrade --sql` prints: sections `-- Running upgrade a -> b`.
    Alembic,
    /// `timestamp_name.sql` in `supabase/migrations`.
    Supabase,
    /// Folders `timestamp_name/` with `up.sql`, in `migrations/<database>`.
    Hasura,
    /// Any `*.sql`, in the order of their names.
    Plain,
}

/// A tool's own history table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryTable {
    /// Its name, found by the search path, or with its schema.
    pub name: &'static str,
    /// What its rows say.
    pub rows: HistoryRows,
    /// Whether this tool writes it too. Otherwise what it applied stands in `cutover.migration`, and the team tells its tool.
    pub written: bool,
}

/// What the rows of a history table say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryRows {
    /// A row for each migration that was applied.
    Applied,
    /// One row: everything up to this version was applied.
    Current,
}

/// A row of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The version, or what stands for it.
    pub version: String,
    /// Whether it is a baseline: everything at or below it counts as applied.
    pub floor: bool,
}

impl Recorded {
    /// A migration that was applied.
    pub fn new(version: impl Into<String>) -> Self {
        Self { version: version.into(), floor: false }
    }
}

/// A migration of a folder, as far as a history can name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed<'a> {
    /// Its version, spelled as the history's are.
    pub version: &'a str,
    /// SHA-256 of its file, in hex.
    pub sha256: &'a str,
}

struct Facts {
    name: &'static str,
    history: Option<HistoryTable>,
}

const fn facts(name: &'static str, table: &'static str, rows: HistoryRows, written: bool) -> Facts {
    Facts { name, history: Some(HistoryTable { name: table, rows, written }) }
}

impl Convention {
    /// Every convention.
    pub const ALL: [Self; 17] = [
        Self::Refinery,
        Self::Sqlx,
        Self::Diesel,
        Self::Flyway,
        Self::Dbmate,
        Self::GolangMigrate,
        Self::Goose,
        Self::Sqitch,
        Self::Prisma,
        Self::Atlas,
        Self::Liquibase,
        Self::Drizzle,
        Self::Rails,
        Self::Alembic,
        Self::Supabase,
        Self::Hasura,
        Self::Plain,
    ];

    const fn facts(self) -> Facts {
        use HistoryRows::{Applied, Current};
        match self {
            Self::Refinery => facts("refinery", "refinery_schema_history", Applied, true),
            Self::Sqlx => facts("sqlx", "_sqlx_migrations", Applied, true),
            Self::Diesel => facts("diesel", "__diesel_schema_migrations", Applied, true),
            Self::Flyway => facts("flyway", "flyway_schema_history", Applied, true),
            Self::Dbmate => facts("dbmate", "schema_migrations", Applied, true),
            Self::GolangMigrate => facts("golang-migrate", "schema_migrations", Current, true),
            Self::Goose => facts("goose", "goose_db_version", Applied, true),
            Self::Sqitch => facts("sqitch", "sqitch.changes", Applied, false),
            Self::Prisma => facts("prisma", "_prisma_migrations", Applied, true),
            Self::Atlas => facts("atlas", "atlas_schema_revisions.atlas_schema_revisions", Applied, false),
            Self::Liquibase => facts("liquibase", "databasechangelog", Applied, false),
            Self::Drizzle => facts("drizzle", "drizzle.__drizzle_migrations", Applied, false),
            Self::Rails => facts("rails", "schema_migrations", Applied, true),
            Self::Alembic => facts("alembic", "alembic_version", Current, true),
            Self::Supabase => facts("supabase", "supabase_migrations.schema_migrations", Applied, true),
            Self::Hasura => facts("hasura", "hdb_catalog.hdb_version", Applied, false),
            Self::Plain => Facts { name: "plain", history: None },
        }
    }

    /// The name used on the command line and in plans.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The tool's own history table. `None` for plain folders: their history is this tool's own (`cutover.migration`).
    pub const fn history(self) -> Option<HistoryTable> {
        self.facts().history
    }

    /// Whether the history can only say "everything up to here", so that a migration is recorded when all before it are complete.
    pub const fn records_in_order(self) -> bool {
        matches!(self.facts().history, Some(HistoryTable { rows: HistoryRows::Current, .. }))
    }

    /// What a history's rows say of the migrations of a folder, in the folder's order, as versions of the folder; and the versions that the
    /// folder does not have. With a current version only, all before it are applied; what stands at or below a baseline never runs; what is
    /// older than a dump of the whole schema is part of it.
    pub fn applied(self, rows: &[Recorded], ordered: &[Listed<'_>]) -> (Vec<String>, Vec<String>) {
        let same = |row: &Recorded, listed: &Listed<'_>| match self {
            // Drizzle knows files by their checksum.
            Self::Drizzle => row.version == listed.sha256 || row.version == listed.version,
            _ => Version::new(row.version.as_str()).cmp(&Version::new(listed.version)) == std::cmp::Ordering::Equal,
        };
        let known = |listed: &Listed<'_>| rows.iter().any(|row| same(row, listed));
        // Everything up to here is applied.
        let mut up_to = None;
        if self.records_in_order() || self == Self::Drizzle {
            up_to = ordered.iter().rposition(known);
        }
        for floor in rows.iter().filter(|row| row.floor) {
            let at = ordered.iter().rposition(|listed| same(floor, listed)).or_else(|| {
                let floor = Version::new(floor.version.as_str());
                ordered.iter().rposition(|listed| self.is_versioned(listed) && Version::new(listed.version) <= floor)
            });
            up_to = up_to.max(at);
        }
        let below = |at: usize| up_to.is_some_and(|up_to| at <= up_to) && self.is_versioned(&ordered[at]);
        let done = (0..ordered.len()).filter(|at| below(*at) || known(&ordered[*at]));
        let done = done.map(|at| ordered[at].version.to_owned()).collect();
        let number = |version: &str| version.parse::<u128>().ok();
        let dump = ordered.first().and_then(|first| number(first.version)).filter(|_| self == Self::Rails);
        let unknown = rows.iter().filter(|row| {
            let in_dump = dump.zip(number(&row.version)).is_some_and(|(first, row)| row < first);
            !row.floor && !in_dump && !ordered.iter().any(|listed| same(row, listed))
        });
        (done, unknown.map(|row| row.version.clone()).collect())
    }

    /// Whether a migration has a place in the order: Flyway's repeatable ones have none.
    fn is_versioned(self, listed: &Listed<'_>) -> bool {
        self != Self::Flyway || !listed.version.starts_with("R__")
    }

    /// Whether the tool's history holds a migration's text, or a checksum of its own over it.
    pub const fn keeps_text(self) -> bool {
        matches!(self, Self::Refinery | Self::Sqlx | Self::Flyway | Self::Supabase)
    }

    /// Whether what was applied is recorded in `cutover.migration`.
    pub const fn records_here(self) -> bool {
        match self.facts().history {
            Some(table) => !table.written,
            None => true,
        }
    }
}

impl std::fmt::Display for Convention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Convention {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|c| c.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|c| c.name()).collect();
            format!("unknown convention {text:?}; known: {}", names.join(", "))
        })
    }
}
