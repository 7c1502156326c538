//! What every PostgreSQL has without anybody making it: functions, operators, casts and types of `pg_catalog`. The tables under `catalog/` are
//! what versions 15 and 18 have together, as `pg_proc`, `pg_operator`, `pg_cast` and `pg_type` list them, without what only the server itself calls.

use std::collections::HashMap;
use std::sync::LazyLock;

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

/// All of it.
pub(super) struct Catalog {
    pub(super) functions: HashMap<&'static str, Vec<Builtin>>,
    pub(super) operators: HashMap<&'static str, Vec<Operator>>,
    casts: HashMap<&'static str, Vec<(&'static str, Context)>>,
    types: HashMap<&'static str, (char, bool)>,
}

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

    fn read() -> Self {
        let mut functions: HashMap<&str, Vec<Builtin>> = HashMap::new();
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
        let mut operators: HashMap<&str, Vec<Operator>> = HashMap::new();
        for [name, left, right, returns, ..] in rows(include_str!("catalog/operators.tsv")) {
            operators.entry(name).or_default().push(Operator { left, right, returns });
        }
        let mut casts: HashMap<&str, Vec<(&str, Context)>> = HashMap::new();
        for [from, to, context, ..] in rows(include_str!("catalog/casts.tsv")) {
            let context = match context {
                "i" => Context::Implicit,
                "a" => Context::Assignment,
                _ => Context::Explicit,
            };
            casts.entry(from).or_default().push((to, context));
        }
        let types = rows(include_str!("catalog/types.tsv"))
            .map(|[name, category, preferred, ..]| (name, (category.chars().next().unwrap_or('X'), preferred == "t")));
        Self { functions, operators, casts, types: types.collect() }
    }
}

/// The one there is.
pub(super) static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::read);

fn rows(text: &'static str) -> impl Iterator<Item = [&'static str; 7]> {
    text.lines().map(|line| {
        let mut cells = line.split('\t');
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    })
}

fn list(cell: &'static str) -> impl Iterator<Item = &'static str> {
    cell.split(';').filter(|item| !item.is_empty())
}
