//! What the evidence behind placement says of each query at each statement, against what PostgreSQL said.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use cutover::compat::{App, Evidence};
use cutover::effect::{Capability, Effect, Weight};
use cutover::schema::Schema;
use cutover::source::Sources;
use cutover::sql;
use cutover::workload::Workload;

use super::data::Pair;

/// Counts of one kind of break.
#[derive(Default, Clone)]
pub(super) struct Count {
    pub(super) hit: usize,
    pub(super) missed: usize,
    pub(super) false_alarm: usize,
    pub(super) examples: Vec<String>,
}

/// All kinds.
#[derive(Default, Clone)]
pub(super) struct Recall {
    /// The query no longer prepares.
    pub(super) broken: Count,
    /// It prepares, with other types.
    pub(super) type_changed: Count,
    /// Its INSERT leaves out a column that demands a value.
    pub(super) misses_not_null: Count,
    /// Green does not prepare before the release.
    pub(super) not_ready: Count,
    /// Queries that do not resolve on their own schema (missed), of all (hit); that are not fully understood (false_alarm).
    pub(super) unresolved: Count,
    /// Queries that may fail by a rule on rows: no truth to hold them against.
    pub(super) rows: usize,
}

impl Count {
    pub(super) fn compare(&mut self, said: &BTreeSet<String>, is: &BTreeSet<String>, also: &BTreeSet<String>, at: &str) {
        self.hit += said.intersection(is).count();
        let missed: Vec<_> = is.difference(said).collect();
        let alarms: Vec<_> = said.difference(is).filter(|q| !also.contains(*q)).collect();
        self.missed += missed.len();
        self.false_alarm += alarms.len();
        self.examples.extend(missed.first().map(|q| format!("missed {q} (of {}) at {at}", missed.len())));
        self.examples.extend(alarms.first().map(|q| format!("alarm {q} (of {}) at {at}", alarms.len())));
    }
}

impl Recall {
    /// Adds one pair.
    pub(super) fn add(&mut self, pair: &Pair, base: &Schema, last: &Schema) {
        let blue = singles(&pair.release.blue);
        let (mut all_adds, mut all_removes) = (BTreeSet::new(), BTreeSet::new());
        let mut schema = base.clone();
        let mut already: BTreeSet<String> = BTreeSet::new();
        for step in &pair.truth.steps {
            let mut sources = Sources::new();
            let file = sources.add(Utf8PathBuf::from("step.sql"), step.sql.as_str());
            let mut effect = Effect::default();
            for piece in sql::read(&sources, file).0.iter().flat_map(|s| &s.pieces) {
                let applied = schema.apply(&piece.operation);
                let found = Effect::of(&piece.operation, &schema, &applied);
                effect.removes.extend(found.removes);
                effect.adds.extend(found.adds);
                schema = applied.schema;
            }
            // What is another type to a client is both taken and given.
            let retyped = |c: &Capability| match c {
                Capability::Read { relation, column, .. } => effect.adds.iter().any(
                    |a| matches!(a, Capability::Read { relation: r, column: k, .. } if r == relation && k == column),
                ),
                _ => false,
            };
            let lost: Vec<_> = effect.removes.iter().filter(|c| c.offered_by(base)).collect();
            let (mut broken, mut types, mut omits) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
            for (name, workload) in &blue {
                let app = App { workload: Some(workload), schema: base };
                for capability in &lost {
                    if capability.weight() > Weight::Habit {
                        continue;
                    }
                    let evidence = app.evidence(capability);
                    let certain = matches!(evidence, Evidence::Query(_));
                    match capability {
                        Capability::Omit { .. } if certain => _ = omits.insert(name.clone()),
                        Capability::Read { .. } if certain && retyped(capability) => _ = types.insert(name.clone()),
                        // Only what PREPARE notices.
                        Capability::Relation(_)
                        | Capability::Read { .. }
                        | Capability::Write { .. }
                        | Capability::Arbiter { .. }
                        | Capability::ConstraintName { .. }
                        | Capability::Label { .. }
                        | Capability::Call { .. }
                        | Capability::Namespace(_)
                        | Capability::Type(_) => _ = certain && broken.insert(name.clone()),
                        _ if !matches!(evidence, Evidence::None) => self.rows += 1,
                        _ => {}
                    }
                }
            }
            let at = format!("{}: {}", pair.name, one_line(&step.sql));
            broken.retain(|q| !already.contains(q));
            let already_before = already.clone();
            already.extend(broken.iter().chain(&step.broken).cloned());
            self.broken.compare(&broken, &step.broken, &step.type_changed, &at);
            types.retain(|q| !already.contains(q));
            self.type_changed.compare(&types, &step.type_changed, &step.broken, &at);
            omits.retain(|q| !already_before.contains(q));
            let misses = step.misses_not_null.keys().cloned().collect();
            self.misses_not_null.compare(&omits, &misses, &BTreeSet::new(), &at);
            all_adds.extend(effect.adds);
            all_removes.extend(effect.removes);
        }
        let gains: Vec<_> = all_adds
            .iter()
            .filter(|c| c.weight() <= Weight::Habit && !c.offered_by(base) && c.offered_by(last))
            .filter(|c| {
                !matches!(
                    c,
                    Capability::Omit { .. }
                        | Capability::Unruled { .. }
                        | Capability::Fits { .. }
                        | Capability::AcceptsNull { .. }
                        | Capability::Trigger { .. }
                        | Capability::Behaviour { .. }
                )
            })
            .collect();
        let mut waits = BTreeSet::new();
        for (name, workload) in &singles(&pair.release.green) {
            let app = App { workload: Some(workload), schema: last };
            let needs = |c: &&&Capability| matches!(app.evidence(c), Evidence::Query(_) | Evidence::Perhaps(_));
            if gains.iter().any(|c| needs(&c)) {
                waits.insert(name.clone());
            }
        }
        self.not_ready.compare(&waits, &pair.truth.green_not_ready_before, &BTreeSet::new(), &pair.name);
    }
}

/// Every query as a workload of its own: the API tells the first query only.
fn singles(workload: &Workload) -> Vec<(String, Workload)> {
    let text = |query| (workload.text(query)).to_owned();
    let id = |q: &cutover::workload::Query| workload.sources.path(q.span).file_stem().unwrap_or_default().to_owned();
    let one = |q| (id(q), Workload::from_texts([(format!("{}.sql", id(q)), text(q))]).0);
    workload.queries.iter().map(one).collect()
}

pub(super) fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(110).collect()
}
