//! New installations run all files in their own order; production gets the same files phase by phase, in the plan's. Both must end in the
//! same database.

use std::collections::BTreeSet;

use crate::plan::saved::{Origin, SavedPlan};
use crate::postgres::inventory::{Inventory, InventoryItem};
use crate::sql::lex::words_of;

/// An object that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which one: `column t.a`, `index t_a_idx`, ….
    pub object: String,
    /// What it is in a fresh installation; `None`: it is not there.
    pub files: Option<String>,
    /// What it is where the plan has run; `None`: it is not there.
    pub plan: Option<String>,
    /// Whether clients that name what they want do not see it.
    pub harmless: bool,
    /// Where to look: the last of the plan's statements that names it, first of all among those that nobody can read.
    pub statement: Option<Origin>,
}

/// Objects that may differ and hardly matter: what only `SELECT *` and an INSERT without a list of columns see, and names that nobody gave.
const HARMLESS: &[&str] = &["order of columns ", "not null constraint "];

/// What a fresh installation has otherwise than production has after the plan, in the order of the objects' names.
pub(super) fn differences(fresh: &Inventory, planned: &Inventory, plan: &SavedPlan) -> Vec<Difference> {
    let relation = |name: &str| {
        ["table ", "view ", "materialized view ", "foreign table "].iter().any(|kind| name.starts_with(kind))
    };
    let one_sided = |(name, item): (&String, &InventoryItem), other: &Inventory| {
        (relation(name) && !other.contains_key(name)).then(|| item.about.clone())
    };
    let mut lost: BTreeSet<String> = fresh.iter().filter_map(|entry| one_sided(entry, planned)).collect();
    lost.extend(planned.iter().filter_map(|entry| one_sided(entry, fresh)));
    // What is part of a table that one side lacks is told with the table.
    let part_of_one_sided = |name: &str, about: &str| !relation(name) && lost.contains(about);
    let names = fresh.keys().chain(planned.keys().filter(|name| !fresh.contains_key(*name)));
    let mut found: Vec<_> = names
        .filter_map(|name| {
            let (files, made) = (fresh.get(name), planned.get(name));
            let about = files.or(made).map(|item| item.about.as_str()).unwrap_or_default();
            let text = |item: Option<&InventoryItem>| item.map(|item| item.definition.clone());
            if files == made || part_of_one_sided(name, about) || other_columns(name, files, made) {
                return None;
            }
            Some(Difference {
                object: name.clone(),
                files: text(files),
                plan: text(made),
                harmless: HARMLESS.iter().any(|kind| name.starts_with(kind)),
                statement: statement(plan, about),
            })
        })
        .collect();
    found.sort_by(|a, b| (a.harmless, &a.object).cmp(&(b.harmless, &b.object)));
    found
}

/// Whether the order of columns differs because the columns do, which is told of each.
fn other_columns(name: &str, files: Option<&InventoryItem>, plan: Option<&InventoryItem>) -> bool {
    let columns = |item: Option<&InventoryItem>| {
        item.map(|item| item.definition.split(", ").map(str::to_owned).collect::<BTreeSet<_>>())
    };
    name.starts_with(HARMLESS[0]) && columns(files) != columns(plan)
}

/// The last of the author's statements that names an object. What a DO block makes by dynamic SQL, none names.
fn statement(plan: &SavedPlan, about: &str) -> Option<Origin> {
    let written = || plan.steps.iter().flat_map(|step| step.statements()).filter(|s| s.origin.is_some()).rev();
    let about = about.to_lowercase();
    let names = |sql: &str| words_of(&sql.to_lowercase()).any(|word| word == about);
    let hides = |sql: &str| {
        ["do", "call", "select"]
            .iter()
            .any(|verb| sql.split_whitespace().next().is_some_and(|w| w.eq_ignore_ascii_case(verb)))
    };
    let found = written().find(|s| names(&s.sql) && hides(&s.sql)).or_else(|| written().find(|s| names(&s.sql)));
    let found = found.or_else(|| written().find(|s| hides(&s.sql)));
    found.and_then(|s| s.origin.clone())
}
