//! Which tables a statement locks: those it names, those behind the views it names, and those that foreign keys make it look into.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Touch, Way};
use crate::schema::resolve::{WriteKind, resolve};
use crate::schema::{QName, Schema, TableRule};
use crate::sql::lex::words_of;
use crate::sql::operation::OnDelete;
use crate::sql::operation::{Ident, RelationKind};
use crate::sql::read_query;

/// Views in views are followed so deep.
const DEEPEST: usize = 32;

/// What kind of statement a text is, by its first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Utility {
    /// It reads or writes rows.
    Query,
    /// It locks no table.
    LocksNothing,
    /// Anything else. Its text may hold what nobody should see: `ALTER ROLE … PASSWORD`.
    Other,
}

pub(crate) fn utility(text: &str) -> Utility {
    const QUERIES: [&str; 8] = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE"];
    const HARMLESS: [&str; 21] = [
        "BEGIN",
        "START",
        "COMMIT",
        "END",
        "ROLLBACK",
        "ABORT",
        "SAVEPOINT",
        "RELEASE",
        "SET",
        "RESET",
        "SHOW",
        "DISCARD",
        "DEALLOCATE",
        "LISTEN",
        "UNLISTEN",
        "NOTIFY",
        "CLOSE",
        "FETCH",
        "MOVE",
        "CHECKPOINT",
        "LOAD",
    ];
    // Comments are not values, and may stand before the first word.
    let bare = super::without_values(text);
    let start = bare.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
    let verb = start.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let is = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(verb));
    match () {
        () if is(&QUERIES) => Utility::Query,
        () if is(&HARMLESS) => Utility::LocksNothing,
        () => Utility::Other,
    }
}

/// Whether a statement calls functions of the application, whose own statements its text does not show.
pub(crate) fn calls_any(text: &str, functions: &BTreeSet<String>) -> bool {
    let bare = super::without_values(text);
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut calls = bare
        .split('(')
        .filter_map(|before| before.trim_end_matches([' ', '\n', '\t', '"']).rsplit(|c| !part_of_name(c)).next());
    calls.any(|name| functions.contains(name) || functions.contains(&name.to_ascii_lowercase()))
}

/// The tables, each once with the strongest lock, and whether the text could be read. If not, it may write whatever it mentions.
pub(crate) fn touches(text: &str, schema: &Schema) -> (Vec<Touch>, bool) {
    let mut found = Found { schema, ways: BTreeMap::new() };
    let Ok(command) = read_query(text) else {
        let words: BTreeSet<&str> = words_of(text).collect();
        let mentioned = |name: &QName| words.iter().any(|word| word.eq_ignore_ascii_case(&name.name));
        schema.relations().filter(|(name, _)| mentioned(name)).for_each(|(name, _)| found.add(name, Way::Write, 0));
        return (found.touches(), false);
    };
    let reads = if locks_rows(text) { Way::LockRows } else { Way::Read };
    // Roles have search paths of their own.
    let uses = resolve(&command, &schema.clone().searched_everywhere()).uses;
    for name in uses.relations.keys() {
        found.add(name, reads, 0);
    }
    for write in &uses.writes {
        found.add(&write.relation, Way::Write, 0);
        found.add_keys(&write.relation, &write.kind);
    }
    (found.touches(), true)
}

/// `FOR UPDATE` and its kind.
fn locks_rows(text: &str) -> bool {
    let words: Vec<&str> = words_of(text).collect();
    let is = |word: &str, others: &[&str]| others.iter().any(|other| word.eq_ignore_ascii_case(other));
    words.windows(2).any(|pair| is(pair[0], &["for"]) && is(pair[1], &["update", "share", "no", "key"]))
}

struct Found<'a> {
    schema: &'a Schema,
    ways: BTreeMap<QName, Way>,
}

impl Found<'_> {
    fn touches(self) -> Vec<Touch> {
        self.ways.into_iter().map(|(table, way)| Touch { table: (&table).into(), way }).collect()
    }

    fn add(&mut self, name: &QName, way: Way, depth: usize) {
        let schema = self.schema;
        let Some(relation) = schema.relation(name).filter(|_| depth < DEEPEST) else { return };
        match relation.kind {
            RelationKind::View => relation.reads.iter().for_each(|read| self.add(read, way, depth + 1)),
            RelationKind::Table | RelationKind::MaterializedView => {
                let known = self.ways.entry(name.clone()).or_insert(way);
                *known = way.max(*known);
            }
            _ => {}
        }
    }

    /// Rows that are written must find what they point to, and nothing may point to what goes.
    fn add_keys(&mut self, table: &QName, kind: &WriteKind) {
        let schema = self.schema;
        for (owner, relation) in schema.relations() {
            for constraint in relation.constraints.values() {
                let TableRule::ForeignKey { columns, target, target_columns, on_delete, .. } = &constraint.kind else {
                    continue;
                };
                if owner == table && writes(kind, columns, true) {
                    self.add(target, Way::LockRows, 0);
                }
                if target == table && writes(kind, target_columns, false) {
                    // What is not refused is passed on: CASCADE, SET NULL.
                    self.add(owner, if *on_delete == OnDelete::Refuse { Way::LockRows } else { Way::Write }, 0);
                }
            }
        }
    }
}

/// Whether a write can change what such columns hold: in a new row, or in one that others point to.
fn writes(kind: &WriteKind, columns: &[Ident], new: bool) -> bool {
    let any = |set: &BTreeSet<Ident>| columns.iter().any(|column| set.contains(column));
    match kind {
        WriteKind::Insert { updates, .. } => new || any(updates),
        WriteKind::Update { columns, .. } => any(columns),
        WriteKind::Delete => !new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    const SCHEMA: &str = "CREATE TABLE users (id bigint PRIMARY KEY, name text);
        CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint REFERENCES users, total int);
        CREATE TABLE lines (order_id bigint REFERENCES orders ON DELETE CASCADE);
        CREATE VIEW names AS SELECT name FROM users;
        CREATE VIEW nested AS SELECT * FROM names;
        CREATE SCHEMA other; CREATE TABLE other.things (a int);";

    fn check(text: &str, expected: &str) {
        let mut sources = Sources::new();
        let file = sources.add("a.sql", SCHEMA);
        let (statements, _) = crate::sql::read(&sources, file);
        let pieces = statements.iter().flat_map(|statement| &statement.pieces);
        let schema = pieces.fold(Schema::empty(), |schema, piece| schema.apply(&piece.operation).schema);
        let (touches, read) = touches(text, &schema);
        let one = |touch: &Touch| format!("{} {:?}", QName::from(&touch.table), touch.way);
        let found = touches.iter().map(one).collect::<Vec<_>>().join(", ");
        assert_eq!(if read { found } else { format!("not read: {found}") }, expected, "{text}");
    }

    #[test]
    fn tables_are_found_behind_views_and_keys() {
        check("SELECT * FROM orders o JOIN users u ON u.id = o.user_id", "orders Read, users Read");
        check("SELECT name FROM nested WHERE name = $1", "users Read");
        check("UPDATE names SET name = $1", "users Write");
        check("SELECT id FROM users WHERE id = $1 FOR UPDATE", "users LockRows");
        check("INSERT INTO orders VALUES ($1, $2, $3)", "orders Write, users LockRows");
        check("UPDATE orders SET total = $1 WHERE id = $2", "orders Write");
        check("UPDATE orders SET user_id = $1 WHERE id = $2", "orders Write, users LockRows");
        check("DELETE FROM orders WHERE id = $1", "lines Write, orders Write");
        check("DELETE FROM users WHERE id = $1", "orders LockRows, users Write");
        check("WITH w AS (DELETE FROM lines RETURNING *) SELECT * FROM w", "lines Write");
        check("SELECT a FROM things", "other.things Read");
        check("SELECT now()", "");
        check("SELECT (", "not read: ");
        check("SELECT ( lines names", "not read: lines Write, users Write");
    }

    #[test]
    fn only_queries_are_shown() {
        let check = |text: &str, expected: Utility| assert_eq!(utility(text), expected, "{text}");
        check("  (select 1)", Utility::Query);
        check("/* x */ WITH a AS (SELECT 1) SELECT * FROM a", Utility::Query);
        check("ALTER ROLE bob PASSWORD 'x'", Utility::Other);
        check("COPY t FROM PROGRAM 'x'", Utility::Other);
        check("begin read only", Utility::LocksNothing);
        check("", Utility::Other);
    }
}
