//! What name and type resolution says of each query at each statement, against what PostgreSQL said.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use cutover::compat::{Refusal, Watch};
use cutover::schema::Schema;
use cutover::source::Sources;
use cutover::sql;
use cutover::workload::Workload;

use super::data::Pair;
use super::recall::{Recall, one_line};

pub(super) fn id(workload: &Workload, query: usize) -> String {
    workload.sources.path(workload.queries[query].span).file_stem().unwrap_or_default().to_owned()
}

pub(super) fn add(recall: &mut Recall, pair: &Pair, base: &Schema, last: &Schema) {
    let blue = &pair.release.blue;
    let watch = Watch::new(blue, base);
    let mut state = watch.own().clone();
    for query in 0..blue.queries.len() {
        match state.look(query) {
            Some(look) if look.refused().is_none() => {
                recall.unresolved.hit += 1;
                recall.unresolved.false_alarm += usize::from(look.uses.more);
            }
            look => {
                recall.unresolved.missed += 1;
                let why = look.and_then(|look| look.refused()).map(|p| p.message.clone());
                recall.unresolved.examples.push(format!("{} {}: {why:?}", pair.name, id(blue, query)));
            }
        }
    }
    for step in &pair.truth.steps {
        let mut sources = Sources::new();
        let file = sources.add(Utf8PathBuf::from("step.sql"), step.sql.as_str());
        let mut schema = state.schema().clone();
        for piece in sql::read(&sources, file).0.iter().flat_map(|s| &s.pieces) {
            schema = schema.apply(&piece.operation).schema;
        }
        let (next, touched) = watch.step(&state, &schema);
        let at = format!("{}: {}", pair.name, one_line(&step.sql));
        let (mut broken, mut types, mut omits) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for query in touched {
            let (did, does) = (watch.prepares(&state, query), watch.prepares(&next, query));
            if did && !does {
                broken.insert(id(blue, query));
            }
            if did && does && next.contract_change(query, &state).is_some() {
                types.insert(id(blue, query));
            }
            let left_out = |refusal: &&Refusal| matches!(refusal, Refusal::LeftOut { .. });
            if next.refusals(query).difference(&state.refusals(query)).any(|refusal| left_out(&refusal)) {
                omits.insert(id(blue, query));
            }
        }
        recall.broken.compare(&broken, &step.broken, &BTreeSet::new(), &at);
        recall.type_changed.compare(&types, &step.type_changed, &BTreeSet::new(), &at);
        let is = step.misses_not_null.keys().cloned().collect();
        recall.misses_not_null.compare(&omits, &is, &BTreeSet::new(), &at);
        state = next;
    }
    let green = &pair.release.green;
    let watch = Watch::new(green, last);
    let (first, _) = watch.step(watch.own(), base);
    let not_ready = (0..green.queries.len())
        .filter(|query| !watch.prepares(&first, *query))
        .map(|query| id(green, query))
        .collect();
    // The truth also names queries whose text the data does not have.
    let known: BTreeSet<String> = (0..green.queries.len()).map(|query| id(green, query)).collect();
    let is = pair.truth.green_not_ready_before.intersection(&known).cloned().collect();
    recall.not_ready.compare(&not_ready, &is, &BTreeSet::new(), &pair.name);
}
