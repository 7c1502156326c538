//! What every PostgreSQL has without anybody making it: functions, operators, casts and types of `pg_catalog`. The tables under `catalog/` are
//! what versions 15 and 18 have together, as `pg_proc`, `pg_operator`, `pg_cast` and `pg_type` list them, without what only the server itself calls.

use std::sync::LazyLock;

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
}

/// Each of the tables is read when it is first asked for: most migrations need the types only.
pub(super) struct Catalog {
    functions: LazyLock<Table<Vec<Builtin>>>,
    operators: LazyLock<Table<Vec<Operator>>>,
    casts: LazyLock<Table<Vec<(&'static str, Context)>>>,
    types: LazyLock<Table<(char, bool)>>,
}

/// By name. The names are the server's own, so nobody can choose ones that collide.
type Table<T> = FxHashMap<&'static str, T>;

impl Catalog {
    /// The category of a type (`pg_type.typcategory`) and whether it is the preferred one in it.
    pub(super) fn category(&self, name: &str) -> Option<(char, bool)> {
        self.types.get(name).copied()
    }

    /// The widest context that a cast between two types may be made in without being written.
    pub(super) fn cast(&self, from: &str, to: &str) -> Option<Context> {
        let casts = self.casts.get(from)?;
        casts.iter().find_map(|(target, context)| (*target == to).then_some(*context))
    }

    /// The functions of a name.
    pub(super) fn functions(&self, name: &str) -> &[Builtin] {
        self.functions.get(name).map_or(&[], Vec::as_slice)
    }

    /// The operators of a name.
    pub(super) fn operators(&self, name: &str) -> &[Operator] {
        self.operators.get(name).map_or(&[], Vec::as_slice)
    }
}

/// The one there is.
pub(super) static CATALOG: Catalog = Catalog {
    functions: LazyLock::new(functions),
    operators: LazyLock::new(operators),
    casts: LazyLock::new(casts),
    types: LazyLock::new(types),
};

fn functions() -> Table<Vec<Builtin>> {
    let mut functions: Table<Vec<Builtin>> = Table::default();
    for row in rows(include_str!("catalog/functions.tsv")) {
        let [name, kind, flags, defaults, arguments, returns, columns] = row;
        let columns = list(columns).filter_map(|column| column.split_once('=')).collect::<Vec<_>>();
        functions.entry(name).or_default().push(Builtin {
            arguments: list(arguments).collect::<Vec<_>>().leak(),
            defaults: defaults.parse().unwrap_or(0),
            variadic: flags.contains('v'),
            set: flags.contains('s'),
            aggregate: kind == "a",
            returns,
            columns: columns.leak(),
        });
    }
    functions
}

fn operators() -> Table<Vec<Operator>> {
    let mut operators: Table<Vec<Operator>> = Table::default();
    for [name, left, right, returns, ..] in rows(include_str!("catalog/operators.tsv")) {
        operators.entry(name).or_default().push(Operator { left, right, returns });
    }
    operators
}

fn casts() -> Table<Vec<(&'static str, Context)>> {
    let mut casts: Table<Vec<(&str, Context)>> = Table::default();
    for [from, to, context, ..] in rows(include_str!("catalog/casts.tsv")) {
        let context = match context {
            "i" => Context::Implicit,
            "a" => Context::Assignment,
            _ => Context::Explicit,
        };
        casts.entry(from).or_default().push((to, context));
    }
    casts
}

fn types() -> Table<(char, bool)> {
    let types = rows(include_str!("catalog/types.tsv"));
    types
        .map(|[name, category, preferred, ..]| (name, (category.chars().next().unwrap_or('X'), preferred == "t")))
        .collect()
}

fn rows(text: &'static str) -> impl Iterator<Item = [&'static str; 7]> {
    text.lines().map(|line| {
        let mut cells = line.split('\t');
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    })
}

fn list(cell: &'static str) -> impl Iterator<Item = &'static str> {
    cell.split(';').filter(|item| !item.is_empty())
}
