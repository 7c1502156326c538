//! The SQL of each tool's history: one file each, and one line in [`of`].

use super::{
    alembic, atlas, diesel, drizzle, flyway, golang_migrate, goose, hasura, liquibase, plain, prisma, refinery,
    schema_migrations, sqitch, sqlx, supabase,
};
use crate::digest::hex;
use crate::migrations::Convention;
use crate::plan::saved::PlannedMigration;
use crate::sql::literal;

/// How a history is read and written. Tables have their usual names; where one has another, that is put in their place.
pub(super) struct Sql {
    /// A query for version, name, checksum, whether the row is finished, whether it is a baseline.
    pub(super) reads: &'static str,
    /// A table that older versions of the tool had instead.
    pub(super) older: Option<Older>,
    /// Whether the name of a row is that of a database, each of which has a folder.
    pub(super) name_is_database: bool,
    /// Whether its tables keep their names, and what may differ is their schema.
    pub(super) moves_with_its_schema: bool,
    /// `None`: it is only read, and what was applied from here stands in `cutover.migration`.
    pub(super) writes: Option<Writes>,
}

impl Sql {
    /// A history that is only read.
    pub(super) const READ_ONLY: Self =
        Self { reads: "", older: None, name_is_database: false, moves_with_its_schema: false, writes: None };
}

/// A table of older versions of a tool.
pub(super) struct Older {
    pub(super) table: &'static str,
    pub(super) reads: &'static str,
}

/// How a history is written.
pub(super) struct Writes {
    /// Makes the table, as the tool makes it.
    pub(super) create: fn(&Entry<'_>) -> Result<String, String>,
    /// Takes away what a row replaces.
    pub(super) clears: Option<&'static str>,
    /// A row, as the tool writes it; the message says why there can be none.
    pub(super) row: fn(&Entry<'_>) -> Result<Row, String>,
}

/// A migration that is to be recorded.
pub(super) struct Entry<'a> {
    pub(super) migration: &'a PlannedMigration,
    /// Of its file.
    pub(super) text: &'a str,
    /// The time, as RFC 3339 has it.
    pub(super) now: String,
    /// The columns of the table at hand, with the names of their types.
    pub(super) columns: Vec<(String, String)>,
}

impl Entry<'_> {
    /// The version as a number.
    pub(super) fn number(&self) -> Result<i64, String> {
        self.migration.version.parse().map_err(|_| "it is not a whole number".to_owned())
    }

    /// The type of a column, if the table has it.
    pub(super) fn column(&self, name: &str) -> Option<&str> {
        self.columns.iter().find(|(column, _)| column == name).map(|(_, of_type)| of_type.as_str())
    }
}

/// An INSERT and its parameters.
pub(super) struct Row {
    sql: String,
    values: Vec<Value>,
}

impl Row {
    pub(super) fn new(sql: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Self {
        Self { sql: sql.into(), values: values.into_iter().collect() }
    }

    /// The statement with its values as constants, so that it can be sent along with others. `named` puts the table's own name in its place.
    pub(super) fn text(&self, named: impl Fn(&str) -> String) -> String {
        let mut parts = self.sql.split('$');
        let mut text = named(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = part.split_at(digits);
            let value = number.parse::<usize>().ok().and_then(|number| self.values.get(number.checked_sub(1)?));
            text += &value.map_or_else(|| format!("${number}"), Value::constant);
            text += &named(rest);
        }
        text
    }
}

/// A parameter.
pub(super) enum Value {
    Null,
    Text(String),
    Int4(i32),
    Int8(i64),
    Bytes(Vec<u8>),
}

impl Value {
    fn constant(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Text(text) => literal(text),
            Self::Int4(number) => format!("({number})::pg_catalog.int4"),
            Self::Int8(number) => format!("({number})::pg_catalog.int8"),
            Self::Bytes(bytes) => format!("{}::pg_catalog.bytea", literal(&format!("\\x{}", hex(bytes)))),
        }
    }
}

/// The SQL of a convention.
pub(super) const fn of(convention: Convention) -> &'static Sql {
    match convention {
        Convention::Sqitch => &sqitch::HISTORY,
        Convention::Atlas => &atlas::HISTORY,
        Convention::Drizzle => &drizzle::HISTORY,
        Convention::Rails | Convention::Dbmate => &schema_migrations::HISTORY,
        Convention::Prisma => &prisma::HISTORY,
        Convention::Diesel => &diesel::HISTORY,
        Convention::Hasura => &hasura::HISTORY,
        Convention::Liquibase => &liquibase::HISTORY,
        Convention::Goose => &goose::HISTORY,
        Convention::Alembic => &alembic::HISTORY,
        Convention::Refinery => &refinery::HISTORY,
        Convention::Flyway => &flyway::HISTORY,
        Convention::Sqlx => &sqlx::HISTORY,
        Convention::Supabase => &supabase::HISTORY,
        Convention::GolangMigrate => &golang_migrate::HISTORY,
        Convention::Plain => &plain::HISTORY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::Behind;

    #[test]
    fn values_stand_where_their_numbers_stood() {
        let check = |sql: &str, expected: &str| {
            let values = [Value::Text("o'c".into()), Value::Null, Value::Int8(-5), Value::Bytes(vec![0xff, 1])];
            assert_eq!(Row::new(sql, values).text(str::to_owned), expected);
        };
        check("VALUES ($1, $2)", "VALUES ('o''c', NULL)");
        check("VALUES ($4, $3, $1)", "VALUES (E'\\\\xff01'::pg_catalog.bytea, (-5)::pg_catalog.int8, 'o''c')");
        check("SELECT $$a$$, $1", "SELECT $$a$$, 'o''c'");
        check("SELECT $12", "SELECT $12");
    }

    #[test]
    fn what_is_said_to_be_written_is_written() {
        for convention in Convention::ALL {
            let said = convention.history().is_some_and(|table| table.written);
            assert_eq!(of(convention).writes.is_some(), said, "{convention}");
        }
    }

    #[test]
    fn what_is_not_written_leaves_an_application_that_starts_in_the_dark() {
        for convention in Convention::ALL {
            let tool = convention.tool();
            let untold = tool.at_start.as_ref().map(|said| matches!(said.behind, Behind::Untold { .. }));
            assert_eq!(untold, convention.history().map(|table| !table.written), "{convention}");
        }
    }
}
