//! The static side: what the simulation says about a statement, all its pieces together, in the words that both sides are compared in.

use std::collections::{BTreeMap, BTreeSet};

use cutover::effect::{Capability, Effect, LockMode, PgVersion, Weight, hazard};
use cutover::schema::{QName, Schema};
use cutover::sql::{Operation, Statement};

/// What the simulation says.
pub(crate) struct Simulated {
    pub(crate) effect: Effect,
    pub(crate) schema: Schema,
    /// The strongest lock on each table of the base.
    pub(crate) locks: BTreeMap<QName, LockMode>,
    pub(crate) rewrite: bool,
    pub(crate) scan: bool,
    pub(crate) opaque: bool,
    /// What cannot be, by text.
    pub(crate) problems: Vec<String>,
}

/// What a statement does to a schema, by its text, and what it costs on the tables that `base` has.
pub(crate) fn simulate(before: &Schema, statement: &Statement, base: &Schema, version: PgVersion) -> Simulated {
    let mut schema = before.clone();
    let mut touched = BTreeSet::new();
    // What no schema shows is told piece by piece; the rest is the difference over all of them.
    let (mut lost, mut won) = (BTreeSet::new(), BTreeSet::new());
    let (mut locks, mut rewrite, mut scan, mut opaque) = (BTreeMap::new(), false, false, false);
    let mut problems = Vec::new();
    for piece in &statement.pieces {
        let cost = hazard(&piece.operation, &schema, base, version);
        rewrite |= cost.rewrite;
        scan |= cost.scan;
        for lock in cost.locks {
            let held = locks.entry(lock.relation).or_insert(lock.mode);
            *held = lock.mode.max(*held);
        }
        opaque |= is_opaque(&piece.operation);
        let applied = schema.apply(&piece.operation);
        problems.extend(applied.problems.iter().map(ToString::to_string));
        let whole = Effect::of(&piece.operation, &schema, &applied);
        let shown = Effect::between(&schema, &applied.schema, &applied.touched);
        lost.extend(whole.removes.difference(&shown.removes).cloned());
        won.extend(whole.adds.difference(&shown.adds).cloned());
        touched.extend(applied.touched);
        schema = applied.schema;
    }
    let mut effect = Effect::between(before, &schema, &touched);
    effect.removes.extend(lost);
    effect.adds.extend(won);
    Simulated { effect, schema, locks, rewrite, scan, opaque, problems }
}

fn is_opaque(operation: &Operation) -> bool {
    match operation {
        Operation::Opaque { .. } => true,
        Operation::Query { calls, .. } => !calls.is_empty(),
        _ => false,
    }
}

/// An effect as lines: `- certain: …`, `+ …`.
pub(crate) fn lines(effect: &Effect) -> BTreeSet<String> {
    let line = |sign: char, capability: &Capability| {
        let weight = match capability.weight() {
            Weight::Certain => "certain",
            Weight::Habit => "habit",
            Weight::Conditional => "conditional",
            Weight::Soft => "soft",
        };
        format!("{sign} {weight}: {capability}")
    };
    let lost = effect.removes.iter().map(|c| line('-', c));
    lost.chain(effect.adds.iter().map(|c| line('+', c))).collect()
}
