//! What every PostgreSQL has without anybody making it: functions, operators, casts and types of `pg_catalog`. The tables under `catalog/` are
//! what versions 15 and 18 have together, as `pg_proc`, `pg_operator`, `pg_cast` and `pg_type` list them, without what only the server itself calls.

use std::sync::{LazyLock, RwLock};

use rustc_hash::FxHashMap;

/// When a cast is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Context {
    /// Anywhere.
    Implicit,
    /// Where a value is written into a column.
    Assignment,
    /// Only where a cast is written.
    Explicit,
}

/// What a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Builtin {
    /// The types of its arguments.
    pub(super) arguments: &'static [&'static str],
    /// How many at the end have defaults.
    pub(super) defaults: usize,
    /// Whether the last takes any number.
    pub(super) variadic: bool,
    /// Whether it returns rows.
    pub(super) set: bool,
    /// Whether it folds rows together.
    pub(super) aggregate: bool,
    /// Whether it looks at other rows (`rank`), and so is called with `OVER`.
    pub(super) window: bool,
    /// Whether it may give something else another time, for the same arguments, in any version.
    pub(super) changing: bool,
    /// Whether it is written in SQL and reads its arguments as text.
    pub(super) as_text: bool,
    /// The type it returns.
    pub(super) returns: &'static str,
    /// Names and types of what it returns, if that is a row.
    pub(super) columns: &'static [(&'static str, &'static str)],
}

/// An operator. `left` is empty for one that stands before its operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) left: &'static str,
    pub(super) right: &'static str,
    pub(super) returns: &'static str,
    /// Whether it may give something else another time.
    pub(super) changing: bool,
}

/// A type of the server's.
struct BuiltinType {
    /// Its category, and whether it is the preferred one in it.
    category: (char, bool),
    /// Whether what it reads a text as may change with a setting or an object's name.
    reads: bool,
    /// Whether how it is written as text may.
    writes: bool,
}

/// To which type, when, and whether it may give something else another time.
type Cast = (&'static str, Context, bool);

/// Of the long tables, what has a name is read when the name is first asked for; the short ones are read as a whole.
pub(super) struct Catalog {
    functions: Named<Builtin>,
    operators: Named<Operator>,
    casts: LazyLock<Table<Vec<Cast>>>,
    types: LazyLock<Table<BuiltinType>>,
}

/// A table whose rows are in the order of their names.
struct Named<T: 'static> {
    text: &'static str,
    read: fn(Row) -> T,
    /// What was read of it. There are only so many names, and it stays as long as the process.
    known: LazyLock<RwLock<Table<&'static [T]>>>,
}

impl<T> Named<T> {
    const fn new(text: &'static str, read: fn(Row) -> T) -> Self {
        Self { text, read, known: LazyLock::new(RwLock::default) }
    }

    /// All of a name.
    fn get(&self, name: &str) -> &'static [T] {
        let known = self.known.read().ok().and_then(|known| known.get(name).copied());
        known.unwrap_or_else(|| self.read(name))
    }

    fn read(&self, name: &str) -> &'static [T] {
        let is_name = |row: &Row| row[0] == name;
        let found: Vec<Row> = rows(&self.text[self.first(name)..]).take_while(is_name).collect();
        let Some([name, ..]) = found.first().copied() else { return &[] };
        let read: &[T] = found.into_iter().map(self.read).collect::<Vec<T>>().leak();
        if let Ok(mut known) = self.known.write() {
            known.insert(name, read);
        }
        read
    }

    /// Where the first row stands whose name is not before this one.
    fn first(&self, name: &str) -> usize {
        let (mut low, mut high) = (0, self.text.len());
        while low < high {
            // The row that the middle is in.
            let middle = low.midpoint(high);
            let start = self.text[..middle].rfind('\n').map_or(0, |end| end + 1);
            let end = self.text[middle..].find('\n').map_or(self.text.len(), |end| middle + end + 1);
            let row = &self.text[start..end];
            if row.split('\t').next().unwrap_or_default() < name { low = end } else { high = start }
        }
        low
    }
}

/// By name. The names are the server's own, so nobody can choose ones that collide.
type Table<T> = FxHashMap<&'static str, T>;

impl Catalog {
    /// The category of a type (`pg_type.typcategory`) and whether it is the preferred one in it.
    pub(super) fn category(&self, name: &str) -> Option<(char, bool)> {
        self.types.get(name).map(|found| found.category)
    }

    /// The widest context that a cast between two types may be made in without being written.
    pub(super) fn cast(&self, from: &str, to: &str) -> Option<Context> {
        let casts = self.casts.get(from)?;
        casts.iter().find_map(|(target, context, _)| (*target == to).then_some(*context))
    }

    /// Whether a cast may give something else another time.
    pub(super) fn cast_changes(&self, from: &str, to: &str) -> bool {
        let listed = self.casts.get(from).into_iter().flatten().find(|(target, ..)| *target == to);
        match listed {
            Some((_, _, changes)) => *changes,
            // By way of the text.
            None => {
                let text = |name: &str| self.category(name).is_some_and(|(category, _)| category == 'S');
                text(from) && self.types.get(to).is_some_and(|found| found.reads)
                    || text(to) && self.types.get(from).is_some_and(|found| found.writes)
            }
        }
    }

    /// The functions of a name.
    pub(super) fn functions(&self, name: &str) -> &[Builtin] {
        self.functions.get(name)
    }

    /// The operators of a name.
    pub(super) fn operators(&self, name: &str) -> &[Operator] {
        self.operators.get(name)
    }
}

/// The one there is.
pub(super) static CATALOG: Catalog = Catalog {
    functions: Named::new(include_str!("catalog/functions.tsv"), builtin),
    operators: Named::new(include_str!("catalog/operators.tsv"), operator),
    casts: LazyLock::new(casts),
    types: LazyLock::new(types),
};

fn builtin([_, kind, flags, defaults, arguments, returns, columns]: Row) -> Builtin {
    let columns = list(columns).filter_map(|column| column.split_once('=')).collect::<Vec<_>>();
    Builtin {
        arguments: list(arguments).collect::<Vec<_>>().leak(),
        defaults: defaults.parse().unwrap_or(0),
        variadic: flags.contains('v'),
        set: flags.contains('s'),
        aggregate: kind == "a",
        window: kind == "w",
        changing: flags.contains('m'),
        as_text: flags.contains('t'),
        returns,
        columns: columns.leak(),
    }
}

fn operator([_, left, right, returns, changing, ..]: Row) -> Operator {
    Operator { left, right, returns, changing: changing == "m" }
}

fn casts() -> Table<Vec<Cast>> {
    let mut casts: Table<Vec<Cast>> = Table::default();
    for [from, to, context, changing, ..] in rows(include_str!("catalog/casts.tsv")) {
        let context = match context {
            "i" => Context::Implicit,
            "a" => Context::Assignment,
            _ => Context::Explicit,
        };
        casts.entry(from).or_default().push((to, context, changing == "m"));
    }
    casts
}

fn types() -> Table<BuiltinType> {
    let read = |[name, category, preferred, by_text, ..]: Row| {
        let category = (category.chars().next().unwrap_or('X'), preferred == "t");
        (name, BuiltinType { category, reads: by_text.contains('i'), writes: by_text.contains('o') })
    };
    rows(include_str!("catalog/types.tsv")).map(read).collect()
}

/// The cells of a row.
type Row = [&'static str; 7];

fn rows(text: &'static str) -> impl Iterator<Item = Row> {
    text.lines().map(|line| {
        let mut cells = line.split('\t');
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    })
}

fn list(cell: &'static str) -> impl Iterator<Item = &'static str> {
    cell.split(';').filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name() {
        fn check<T>(table: &Named<T>) {
            let names: Vec<&str> = rows(table.text).map(|row| row[0]).collect();
            assert!(names.is_sorted());
            for name in &names {
                assert_eq!(table.get(name).len(), names.iter().filter(|other| *other == name).count(), "{name}");
            }
            for name in ["", "!", "abbre", "nobody_made_this", "~~~~~", "\u{10ffff}"] {
                assert!(table.get(name).is_empty(), "{name}");
            }
        }
        check(&CATALOG.functions);
        check(&CATALOG.operators);
    }
}
