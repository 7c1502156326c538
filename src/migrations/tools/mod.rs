//! The migration tools whose folders are read: one file each, and one entry in [`conventions!`] below. Everything that the rest of the crate
//! asks about a tool is a field of [`Tool`]; the SQL that reads and writes its history stands in `postgres/history`, under the same name.

mod alembic;
mod atlas;
mod dbmate;
mod diesel;
mod drizzle;
mod flyway;
mod golang_migrate;
mod goose;
mod hasura;
mod liquibase;
mod others;
mod plain;
mod prisma;
mod rails;
mod refinery;
mod sqitch;
mod sqlx;
mod supabase;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::others::OTHERS;
use super::convention::{HistoryRows, HistoryTable};
use super::detect::Detected;
use super::error::LoadError;
use super::found::Found;
use super::script::Script;
use super::tree::Tree;

/// Declares [`Convention`]: a variant for each tool, with what its files look like and the module that says the rest.
macro_rules! conventions {
    ($($(#[doc = $files:literal])+ $tool:ident => $file:ident,)*) => {
        /// How a folder of migrations is named and ordered, and where its tool keeps its history.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum Convention {
            $($(#[doc = $files])+ $tool,)*
        }

        impl Convention {
            /// Every convention, in the order in which a folder is tried against them.
            pub const ALL: [Self; [$(stringify!($tool)),*].len()] = [$(Self::$tool),*];

            /// What there is to know about its tool.
            pub(crate) const fn tool(self) -> &'static Tool {
                match self {
                    $(Self::$tool => &$file::TOOL,)*
                }
            }

            /// What the files of a folder are called and hold, as Markdown.
            pub fn files(self) -> &'static str {
                match self {
                    $(Self::$tool => concat!($($files),+).trim(),)*
                }
            }
        }
    };
}

// The first that recognises a folder counts: those with a file that no other tool has come before those with names alone.
conventions! {
    /// `sqitch.plan` and `deploy/name.sql`
    Sqitch => sqitch,
    /// `version_name.sql` and `atlas.sum`
    Atlas => atlas,
    /// `0000_tag.sql` in the order of `meta/_journal.json`, or folders with `migration.sql` and `snapshot.json`
    Drizzle => drizzle,
    /// `structure.sql` and `migrate/version_name.sql`; `version_name.rb` is a program
    Rails => rails,
    /// folders `timestamp_name/` with `migration.sql`
    Prisma => prisma,
    /// folders `version_name/` with `up.sql` and perhaps `down.sql`
    Diesel => diesel,
    /// folders `timestamp_name/` with `up.sql`, in `migrations/<database>`
    Hasura => hasura,
    /// formatted SQL: files of changesets
    Liquibase => liquibase,
    /// `1_name.sql` with `-- +goose Up` and `-- +goose Down`; `1_name.go` is a program
    Goose => goose,
    /// `1_name.sql` with `-- migrate:up` and `-- migrate:down`
    Dbmate => dbmate,
    /// what `alembic upgrade --sql` prints: sections `-- Running upgrade a -> b`
    Alembic => alembic,
    /// `V1__name.sql`; `U1__name.sql` is a forward migration that may apply out of order
    Refinery => refinery,
    /// `V1.2__name.sql`, and `R__name.sql` when it changes; `U1.2__name.sql` undoes
    Flyway => flyway,
    /// `1_name.sql`, or `1_name.up.sql` with `1_name.down.sql`
    Sqlx => sqlx,
    /// `timestamp_name.sql` in `supabase/migrations`
    Supabase => supabase,
    /// `1_name.up.sql` and `1_name.down.sql`
    GolangMigrate => golang_migrate,
    /// nobody's in particular: `*.sql` in the order of their names
    Plain => plain,
}

/// What there is to know about a migration tool.
pub(crate) struct Tool {
    /// As on the command line and in plans.
    pub(crate) name: &'static str,
    /// As the tool spells itself.
    pub(crate) label: &'static str,
    /// Its history table. `None`: the history of such a folder is this tool's own (`cutover.migration`).
    pub(crate) history: Option<History>,
    /// What it makes for its own book-keeping.
    pub(crate) own: Own,
    /// Whether a folder is its, and how sure that is.
    pub(super) detect: fn(&Tree<'_>) -> Result<Option<Detected>, LoadError>,
    /// The mark in the comments of its files that says whose they are.
    pub(super) mark: Option<Mark>,
    /// The migrations of a folder, in their order.
    pub(super) list: fn(&Tree<'_>) -> Result<Vec<Found>, LoadError>,
    /// What of a file goes forward; the message says why the tool would not take the file.
    pub(super) script: fn(&str) -> Result<Script, String>,
    /// One spelling for each version: the same whatever zeros or dashes stand in it.
    pub(crate) version_key: fn(&str) -> String,
    /// Letters that may stand before a version where somebody names one.
    pub(super) prefixes: &'static [char],
    /// Whether a migration runs again whenever its text changes, by its version: it has no place in the order.
    pub(crate) is_repeatable: fn(&str) -> bool,
    /// Whether a migration may be applied out of order, by its file.
    pub(crate) applies_anytime: fn(&Utf8Path) -> bool,
    /// Whether the first migration is a dump that may contain older ones.
    pub(super) begins_with_dump: bool,
    /// What `${name}` in a file stands for.
    pub(super) placeholders: Option<Placeholders>,
    /// What an application does that runs its migrations when it starts. `None`: nobody runs such folders like that.
    pub(crate) at_start: Option<AtStart>,
    /// What makes it run a file outside a transaction, as the file's first words; empty where it never uses one. `None`: the mark stands
    /// somewhere else, or there is none.
    pub(crate) outside_transaction: Option<&'static str>,
}

impl Tool {
    /// A tool that runs whole files, has marks nowhere and no history.
    const fn new(
        name: &'static str,
        label: &'static str,
        detect: fn(&Tree<'_>) -> Result<Option<Detected>, LoadError>,
        list: fn(&Tree<'_>) -> Result<Vec<Found>, LoadError>,
    ) -> Self {
        Self {
            name,
            label,
            history: None,
            own: Own { schema: None, relations: &[] },
            detect,
            mark: None,
            list,
            script: |text| Ok(Script::whole(0..text.len())),
            version_key: str::to_owned,
            prefixes: &[],
            is_repeatable: |_| false,
            applies_anytime: |_| false,
            begins_with_dump: false,
            placeholders: None,
            at_start: None,
            outside_transaction: None,
        }
    }
}

/// What an application does that runs its migrations when it starts.
pub(crate) struct AtStart {
    /// One of an older version, if the history has a version that its files lack.
    pub(crate) behind: Behind,
    /// What makes an application start without running what is pending.
    pub(crate) without: &'static str,
    /// What one does that has nothing to run, while another one migrates.
    pub(crate) lock: ToolLock,
}

/// What an application does whose files lack a version that has run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// It starts.
    Starts,
    /// It starts, since the history is only read here and is not told. So those that have all the files would run them a second time.
    Untold {
        /// What has to happen first.
        until: &'static str,
    },
    /// It stops with an error, unless something is set.
    Stops {
        /// What.
        unless: Option<&'static str>,
    },
}

/// What an application does at its start while another one holds the tool's own lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToolLock {
    /// It starts: there is no lock, or whoever has nothing to run does not take it.
    None,
    /// It waits for the lock.
    Waits {
        /// After how many seconds it stops, by default.
        limit: Option<u32>,
    },
    /// It stops.
    Stops,
    /// That is not known.
    Unknown,
}

/// How a tool keeps its history.
pub(crate) struct History {
    /// The table.
    pub(crate) table: HistoryTable,
    /// By what it is recognised in a database.
    pub(crate) sign: Sign,
    /// Tools whose table is the same one.
    pub(crate) shared_with: &'static [Convention],
    /// Whether it holds a migration's text, or a checksum of the tool's own over it.
    pub(crate) keeps_text: bool,
    /// Whether it knows files by their SHA-256, and takes all before the latest one as applied.
    pub(crate) knows_by_sum: bool,
}

impl History {
    /// A table by its usual name, with the columns that tell it.
    const fn new(name: &'static str, rows: HistoryRows, written: bool, sign: Sign) -> Self {
        let table = HistoryTable { name, rows, written };
        Self { table, sign, shared_with: &[], keeps_text: false, knows_by_sum: false }
    }
}

/// By what a history is recognised in a database.
pub(crate) struct Sign {
    /// Its tables, by their usual names.
    pub(crate) tables: &'static [&'static str],
    /// The schema that it always is in.
    pub(crate) schema: Option<&'static str>,
    /// Columns that it has.
    pub(crate) has: &'static [&'static str],
    /// Columns that it does not have.
    pub(crate) lacks: &'static [&'static str],
    /// A table that stands in the same schema.
    pub(crate) beside: Option<&'static str>,
}

impl Sign {
    const fn new(tables: &'static [&'static str], has: &'static [&'static str]) -> Self {
        Self { tables, schema: None, has, lacks: &[], beside: None }
    }
}

/// A tool's own relations. Their indexes, their constraints and the sequences they own go with them.
pub(crate) struct Own {
    /// The schema that the tool makes for them; `None`: wherever its search path leads.
    pub(crate) schema: Option<&'static str>,
    /// Their names.
    pub(crate) relations: &'static [&'static str],
}

impl Own {
    const fn anywhere(relations: &'static [&'static str]) -> Self {
        Self { schema: None, relations }
    }

    const fn inside(schema: &'static str, relations: &'static [&'static str]) -> Self {
        Self { schema: Some(schema), relations }
    }
}

/// A mark in the comments of a file.
pub(super) struct Mark {
    /// The first words of the comment.
    pub(super) words: &'static str,
    /// Whether only the first line of a file counts, in any case of its letters.
    pub(super) first_line: bool,
    /// Whether a line begins what takes the migration back.
    pub(super) goes_back: fn(&str) -> bool,
}

/// Values by the names of their placeholders.
pub(super) type Values = BTreeMap<String, String>;

/// What `${name}` in a file stands for.
pub(super) struct Placeholders {
    /// The values of the tool's own configuration, beside or above the folder. `None`: it turns placeholders off.
    pub(super) configured: fn(&Utf8Path) -> Result<Option<Values>, LoadError>,
    /// Whether `$name` and `${name:-default}` are read, as a shell does; they are replaced where a line turns it on.
    pub(super) as_in_a_shell: bool,
    /// Whether a line turns them on or off; `None`: neither.
    pub(super) switch: fn(&str) -> Option<bool>,
}

/// A name that a tool does not take.
fn bad_name(path: &Utf8PathBuf, convention: Convention, reason: impl Into<String>) -> LoadError {
    LoadError::BadName { path: path.clone(), convention, reason: reason.into() }
}

/// A whole number without leading zeros; other text as it is.
fn whole_number(version: &str) -> String {
    version.parse::<i64>().map_or_else(|_| version.to_owned(), |n| n.to_string())
}
