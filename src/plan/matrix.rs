//! Every query of both versions on every schema of the plan, resolved: what no longer works where it must, whatever the capabilities said.

use std::collections::HashMap;

use super::placed::Placed;
use super::saved::Step;
use crate::compat::matrix::{self, Matrix};
use crate::compat::{Phase, Refusal, Watch, Watched};
use crate::diagnostic::{Code, Diagnostic, Severity, codes};
use crate::effect::Capability;
use crate::schema::{QName, Schema};
use crate::side::Side;
use crate::source::Span;
use crate::sql::operation::{Firing, Ident};

/// What the planner knows when it asks.
pub(super) struct Input<'a> {
    pub(super) nodes: &'a [Placed<'a>],
    pub(crate) base: &'a Schema,
    pub(crate) blue: Option<&'a Watch<'a>>,
    pub(crate) green: Option<&'a Watch<'a>>,
    /// How far the versions' files are moved behind the migrations in the sources.
    pub(crate) offsets: (u32, u32),
    /// The schema after each step, in the plan's order: the node and the schema.
    pub(crate) states: &'a [(usize, Schema)],
    /// What is said already.
    pub(crate) said: &'a [Diagnostic],
    /// Whether the plan is refused already, so that its states mean nothing.
    pub(crate) refused: bool,
}

/// The findings.
pub(super) fn findings(input: &Input<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let (blue, green) = (input.blue, input.green);
    if let Some(blue) = blue {
        found.extend(unfit(input, Side::Blue, blue, input.offsets.0));
    }
    if let Some(green) = green {
        found.extend(unfit(input, Side::Green, green, input.offsets.1));
    }
    if input.refused {
        return found;
    }
    let before = input.states.iter().filter(|(node, _)| input.nodes[*node].placement.phase == Phase::Before);
    if let Some(blue) = blue {
        found.extend(changed(input, blue, before.clone()));
        found.extend(lost(
            input,
            Side::Blue,
            blue,
            blue.own().clone(),
            before.clone(),
            codes::BLUE_BREAKS,
            input.offsets.0,
        ));
    }
    if let Some(green) = green {
        let overlap = before.clone().next_back().map_or(input.base, |(_, schema)| schema);
        let (overlap, _) = green.step(green.own(), overlap);
        let after = input.states.iter().filter(|(node, _)| input.nodes[*node].placement.phase == Phase::After);
        found.extend(not_ready(input, green, &overlap, after.clone()));
        found.extend(not_yet_changed(input, green, &overlap, after.clone()));
        found.extend(bodies_lost(input, green, &overlap, after.clone()));
        found.extend(lost(input, Side::Green, green, overlap, after, codes::GREEN_BREAKS, input.offsets.1));
    }
    found
}

/// Queries that do not work on the schema of their own version.
fn unfit<'a>(input: &'a Input<'_>, who: Side, watch: &'a Watch<'a>, offset: u32) -> impl Iterator<Item = Diagnostic> {
    let green = who == Side::Green;
    let recorded_elsewhere = move |query: usize| {
        let of = &watch.queries()[query];
        let how = watch.unlike_recorded(query)?;
        let text =
            format!("{who}'s query {} was recorded on another schema than that of its own version: {how}", of.name);
        Some(
            Diagnostic::warning(codes::UNFIT_QUERY, text)
                .at(of.span.moved(offset), "recorded before, or with other migrations")
                .help(format!(
                    "record {who}'s queries again (`cargo sqlx prepare`), or name the right ones; what is compared with other schemas is the query on its version's own schema"
                )),
        )
    };
    // What always fails is no matter of a workload that does not belong: a default, a key that no ON CONFLICT may find.
    let failing = move |query: usize| {
        let of = &watch.queries()[query];
        let own = watch.own().refusals(query).into_iter();
        let refusal = { own }.find(|why| match why {
            Refusal::Fails { .. } => true,
            Refusal::Deferrable { .. } => green,
            // The step that takes it away says so.
            Refusal::Check { .. } | Refusal::LeftOut { .. } | Refusal::Null { .. } => false,
        })?;
        let severity = if green { Severity::Error } else { Severity::Warning };
        let text = format!("{who}'s query {} fails on the schema of its own version: {refusal}", of.name);
        Some(Diagnostic::new(codes::UNFIT_QUERY, severity, text).at(of.span.moved(offset), "refused").help(
            match refusal {
                Refusal::Deferrable { .. } => "let ON CONFLICT name another key, or make this one without DEFERRABLE",
                _ => "give the column a default that it takes, or write the column",
            },
        ))
    };
    (0..watch.queries().len()).filter_map(move |query| {
        let Some(problem) = watch.own().look(query)?.refused() else {
            return recorded_elsewhere(query).or_else(|| failing(query));
        };
        let place = watch.place(query, problem.at).moved(offset);
        let name = &watch.queries()[query].name;
        // What the release itself takes away is no matter of a workload that does not belong.
        let culprit = if green { taken_by(input, watch, query) } else { None };
        Some(match culprit {
            Some(node) => Diagnostic::error(
                codes::GREEN_BREAKS,
                format!("green's query {name} does not work after this release: {}", problem.message),
            )
            .at(input.nodes[node].node.span(), "taken away here")
            .at(place, "needed here")
            .help("change green's query, or drop the statement from the release"),
            None => Diagnostic::new(
                codes::UNFIT_QUERY,
                if green && all_known(watch, query) { Severity::Error } else { Severity::Warning },
                format!("{who}'s query {name} does not fit the schema of its own version: {}", problem.message),
            )
            .at(place, if problem.unfilled().is_some() { "without rows" } else { "not there" })
            .help(if problem.unfilled().is_some() {
                "fill it in the release, behind what it reads: `REFRESH MATERIALIZED VIEW`; or leave out WITH NO DATA where it is made".to_owned()
            } else {
                format!(
                    "if these are not {who}'s queries, name the right ones; if the migrations do not make the whole schema, plan with --database; until then it is taken to rely on all it mentions"
                )
            }),
        })
    })
}

/// Whether the schema has every relation that a query names, so that it is no query of tables that others make: it fails when green runs.
fn all_known(watch: &Watch<'_>, query: usize) -> bool {
    let look = watch.own().look(query);
    look.is_some_and(|look| !look.problems.iter().any(|problem| problem.code == "42P01") && !look.uses.more)
}

/// The step after which a query of green, which worked before the release, no longer does.
fn taken_by(input: &Input<'_>, watch: &Watch<'_>, query: usize) -> Option<usize> {
    let works = |schema: &Schema| watch.look_on(query, schema).is_some_and(|look| look.refused().is_none());
    let worked = works(input.base) || input.states.iter().any(|(_, schema)| works(schema));
    let last_good = input.states.iter().rposition(|(_, schema)| works(schema));
    let first_bad = last_good.map_or(0, |at| at + 1);
    input.states.get(first_bad).filter(|_| worked).map(|(node, _)| *node)
}

/// Queries that work at first and stop working at one of the steps.
fn lost<'a>(
    input: &Input<'_>,
    who: Side,
    watch: &Watch<'_>,
    first: Watched,
    steps: impl Iterator<Item = &'a (usize, Schema)>,
    code: Code,
    offset: u32,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut state = first;
    for (node, schema) in steps {
        let (next, touched) = watch.step(&state, schema);
        let span = input.nodes[*node].node.span();
        let breaks = touched.into_iter().find_map(|query| {
            let why = (watch.prepares(&state, query)).then(|| watch.problems(&next, query).next()).flatten();
            if let Some(problem) = why {
                return Some((query, problem.message.clone(), watch.place(query, problem.at)));
            }
            let (own, already) = (watch.own().refusals(query), state.refusals(query));
            let refusal = next.refusals(query).into_iter().find(|r| !already.contains(r) && !own.contains(r))?;
            Some((query, refusal.to_string(), watch.queries()[query].span))
        });
        if let Some((query, message, place)) = breaks
            && !said(input, code, span)
        {
            let name = &watch.queries()[query].name;
            found.push(
                Diagnostic::error(code, format!("{who}'s query {name} does not work after this: {message}"))
                    .at(span, "from here on")
                    .at(place.moved(offset), "this query"),
            );
        }
        state = next;
    }
    found
}

/// Queries of green that set off a trigger whose function breaks before the trigger goes: what green's own schema no longer has still runs.
fn bodies_lost<'a>(
    input: &Input<'_>,
    green: &Watch<'_>,
    overlap: &Watched,
    steps: impl Iterator<Item = &'a (usize, Schema)>,
) -> Vec<Diagnostic> {
    let calling = |schema: &Schema, table: &QName, function: &QName| -> Vec<Firing> {
        let relation = schema.relation(table);
        let called = relation.into_iter().flat_map(|relation| &relation.trigger_functions);
        let on = |trigger: &Ident| relation.is_some_and(|r| r.triggers.get(trigger) == Some(&true));
        let called = called.filter(|(trigger, called)| *called == function && on(trigger));
        called.filter_map(|(trigger, _)| Some(relation?.firing(trigger))).collect()
    };
    let own = green.own().schema();
    let mut found = Vec::new();
    for (node, schema) in steps {
        for lost in &input.nodes[*node].node.effect.removes {
            let Capability::Sound { name, signature } = lost else { continue };
            let fires = |query: usize| {
                let writes = overlap.look(query).into_iter().flat_map(|look| &look.uses.writes);
                writes.into_iter().any(|write| {
                    let goes = calling(own, &write.relation, name).is_empty();
                    goes && calling(schema, &write.relation, name).into_iter().any(|firing| write.sets_off(firing))
                })
            };
            let span = input.nodes[*node].node.span();
            let Some(query) = (0..green.queries().len()).find(|query| fires(*query)) else { continue };
            if said(input, codes::GREEN_BREAKS, span) {
                continue;
            }
            let of = &green.queries()[query];
            let text = format!(
                "green's query {} does not work after this: it sets off a trigger whose function {signature} no longer finds what it names, and that goes only later",
                of.name
            );
            found.push(
                Diagnostic::error(codes::GREEN_BREAKS, text)
                    .at(span, "from here on")
                    .at(of.span.moved(input.offsets.1), "this query")
                    .help("drop the trigger before this statement, or in the same file"),
            );
        }
    }
    found
}

/// Queries of blue that return something else from a step before the cutover on.
fn changed<'a>(
    input: &Input<'_>,
    blue: &Watch<'_>,
    steps: impl Iterator<Item = &'a (usize, Schema)>,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut state = blue.own().clone();
    for (node, schema) in steps {
        let (next, touched) = blue.step(&state, schema);
        let works = |query: &usize| blue.prepares(&state, *query) && blue.prepares(&next, *query);
        let changes = touched.into_iter().filter(works);
        let changes: Vec<_> = changes.filter_map(|query| Some((query, next.contract_change(query, &state)?))).collect();
        if let Some((query, how)) = changes.first() {
            let of = &blue.queries()[*query];
            let more = others(changes.len());
            found.push(
                Diagnostic::warning(
                    codes::RESULT_CHANGES,
                    format!("blue's query {}{more} gets something else from here on: {how}", of.name),
                )
                .at(input.nodes[*node].node.span(), "changed while blue runs")
                .at(of.span.moved(input.offsets.0), "this query")
                .help("name the columns in the query, and let the driver prepare it again when it fails with 0A000 (\"cached plan must not change result type\")"),
            );
        }
        state = next;
    }
    found
}

/// Queries of green that still return something else than it was written for when it gets its first traffic.
fn not_yet_changed<'a>(
    input: &Input<'_>,
    green: &Watch<'_>,
    overlap: &Watched,
    after: impl Iterator<Item = &'a (usize, Schema)>,
) -> Vec<Diagnostic> {
    let differs =
        |query: &usize| green.prepares(overlap, *query) && overlap.contract_change(*query, green.own()).is_some();
    let mut waiting: Vec<usize> = (0..green.queries().len()).filter(differs).collect();
    let mut found = Vec::new();
    for (node, schema) in after {
        if waiting.is_empty() {
            break;
        }
        let (state, _) = green.step(overlap, schema);
        let (ready, still): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|query| state.contract_change(*query, green.own()).is_none());
        waiting = still;
        let Some(how) = ready.first().and_then(|query| overlap.contract_change(*query, green.own())) else { continue };
        let of = &green.queries()[ready[0]];
        let more = others(ready.len());
        found.push(
            Diagnostic::warning(
                codes::RESULT_CHANGES,
                format!(
                    "green's query {}{more} gets something else than it was written for until this step: {how}",
                    of.name
                ),
            )
            .at(input.nodes[*node].node.span(), "placed after the cutover")
            .at(of.span.moved(input.offsets.1), "this query")
            .help("name the columns in the query, or let green read both forms"),
        );
    }
    found
}

fn others(count: usize) -> String {
    if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() }
}

/// Queries of green that do not work yet when it gets its first traffic.
fn not_ready<'a>(
    input: &Input<'_>,
    green: &Watch<'_>,
    overlap: &Watched,
    after: impl Iterator<Item = &'a (usize, Schema)> + Clone,
) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    let mut told: Vec<Span> = Vec::new();
    for (query, of) in green.queries().iter().enumerate() {
        let missing = |state: &Watched| {
            let own = green.own().refusals(query);
            state.refusals(query).into_iter().find(|refusal| !own.contains(refusal))
        };
        let (message, place) = match (green.problems(overlap, query).next(), missing(overlap)) {
            (Some(problem), _) => (problem.message.clone(), green.place(query, problem.at)),
            (None, Some(refusal)) => (format!("{refusal} until then"), of.span),
            (None, None) => continue,
        };
        // The step that makes it work.
        let mut steps = after.clone();
        let ready = steps.find(|(_, schema)| {
            let (state, _) = green.step(overlap, schema);
            green.prepares(&state, query) && missing(&state).is_none()
        });
        let Some((node, _)) = ready else { continue };
        let span = input.nodes[*node].node.span();
        if said(input, codes::GREEN_NOT_READY, span) || told.contains(&span) {
            continue;
        }
        told.push(span);
        found.push(
            Diagnostic::error(
                codes::GREEN_NOT_READY,
                format!("green's query {} does not work before this: {message}", of.name),
            )
            .at(span, "placed after the cutover")
            .at(place.moved(input.offsets.1), "this query"),
        );
    }
    found
}

/// Every query at every state of the plan; none without queries. `states` are the schemas after the nodes, in the plan's order.
pub(crate) fn of_steps(
    steps: &[(Step, Vec<usize>)],
    base: &Schema,
    states: &[(usize, Schema)],
    blue: Option<&Watch<'_>>,
    green: Option<&Watch<'_>>,
) -> Option<Matrix> {
    if blue.is_none() && green.is_none() {
        return None;
    }
    let after: HashMap<usize, usize> = states.iter().enumerate().map(|(at, (node, _))| (*node, at)).collect();
    let last_before = steps.iter().filter(|(step, _)| step.phase == Phase::Before).map(|(step, _)| step.id).max();
    let at_overlap = last_before.unwrap_or(0);
    let state = |after_step: Option<u32>| {
        let at = after_step.unwrap_or(0);
        matrix::State { after_step, blue_lives: at <= at_overlap, green_lives: at >= at_overlap }
    };
    let mut told = vec![state(None)];
    let mut schemas = vec![base];
    let mut ran = 0;
    for (step, group) in steps {
        // A second pass over rows leaves the schema as it is.
        ran = group.iter().filter_map(|node| after.get(node)).map(|at| at + 1).max().unwrap_or(0).max(ran);
        told.push(state(Some(step.id)));
        schemas.push(ran.checked_sub(1).and_then(|at| states.get(at)).map_or(base, |(_, schema)| schema));
    }
    Some(Matrix::foreseen(blue, green, told, &schemas))
}

fn said(input: &Input<'_>, code: Code, span: Span) -> bool {
    input.said.iter().any(|d| d.code == code && d.labels.iter().any(|label| label.span == span))
}
