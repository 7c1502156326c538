//! refinery's `refinery_schema_history`. Its version is an `i32`, or an `i64` with its feature `int8-versions`; the checksum depends on which,
//! and so does the table's column. The table at hand tells which kind of team this is. A new one gets refinery's default unless a version needs
//! more.

use std::hash::{Hash as _, Hasher as _};

use siphasher::sip::SipHasher13;

use super::tools::{Entry, Row, Sql, Value, Writes};

pub(super) static HISTORY: Sql = Sql {
    reads: "SELECT version::pg_catalog.text, name::pg_catalog.text, checksum::pg_catalog.text, true, false \
         FROM refinery_schema_history ORDER BY refinery_schema_history.version",
    writes: Some(Writes { create, clears: None, row }),
    ..Sql::READ_ONLY
};

fn create(entry: &Entry<'_>) -> Result<String, String> {
    let width = if entry.number()? > i64::from(i32::MAX) { "int8" } else { "int4" };
    Ok(format!(
        "CREATE TABLE IF NOT EXISTS refinery_schema_history(\
         version {width} PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255))"
    ))
}

fn row(entry: &Entry<'_>) -> Result<Row, String> {
    let version = entry.number()?;
    let stem = entry.migration.path.file_stem().unwrap_or_default();
    let parsed = refinery::Migration::unapplied(stem, entry.text).map_err(|error| error.to_string())?;
    let checksum = match entry.column("version") {
        Some("int8") => parsed.checksum(),
        _ => {
            let narrow = i32::try_from(version).map_err(|_| "the table's version column is an int4".to_owned())?;
            int4_checksum(parsed.name(), narrow, entry.text)
        }
    };
    // The column's own type decides how a parameter would be sent; a number in the text fits both.
    let sql = format!(
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) VALUES ({version}, $1, $2, $3)"
    );
    let values = [parsed.name().to_owned(), entry.now.clone(), checksum.to_string()].map(Value::Text);
    Ok(Row::new(sql, values))
}

/// What `refinery::Migration::checksum` is in a build without `int8-versions`.
fn int4_checksum(name: &str, version: i32, text: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    name.hash(&mut hasher);
    version.hash(&mut hasher);
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wide_twin_of_the_narrow_checksum_is_what_refinery_computes() {
        let text = "CREATE TABLE a (id int);\n";
        let mut hasher = SipHasher13::new();
        "init".hash(&mut hasher);
        1_i64.hash(&mut hasher);
        text.hash(&mut hasher);
        assert_eq!(hasher.finish(), refinery::Migration::unapplied("V1__init", text).unwrap().checksum());
        assert_ne!(hasher.finish(), int4_checksum("init", 1, text));
    }
}
