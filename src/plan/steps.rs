//! Placed nodes → the steps of the saved plan, with the author's own text.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Request;
use super::access::Key;
use super::describe::describe_part;
use super::graph::Graph;
use super::node::Node;
use super::part::Part;
use super::placed::Placed;
use super::placed::Reason;
use super::said::Said;
use super::saved::{
    Direction, Origin, Phase, RelianceStrength, Role, Step, StepEvidence, StepNeed, StepStatement, Work,
};
use super::stages::Proved;
use crate::compat::{Requirement, Strength};
use crate::effect::{Capability, Hazard};
use crate::side::Side;
use crate::source::{Sources, Span};
use crate::sql::operation::Operation;
use crate::stats::Weighing;

/// What the steps are made of.
pub(super) struct Input<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) proved: &'a Proved<'a>,
    pub(super) said: &'a Said<'a>,
}

/// The steps in the order of execution, each with its nodes.
pub(super) fn steps(input: &Input<'_>) -> Vec<(Step, Vec<usize>)> {
    let nodes = &input.proved.nodes;
    let mut pieces: HashMap<Span, usize> = HashMap::new();
    for part in nodes.iter().map(|n| &n.node).filter(|n| n.written.is_none()).flat_map(|n| &n.parts) {
        *pieces.entry(part.statement).or_default() += 1;
    }
    let builder = Builder { input, pieces: &pieces };
    let mut steps: Vec<(Step, Vec<usize>)> = Vec::new();
    for phase in [Phase::Before, Phase::After] {
        let runs = |i: &usize| nodes[*i].placement.phase == phase || (phase == Phase::After && nodes[*i].again);
        let mut members: Vec<Vec<usize>> = Vec::new();
        for i in (0..nodes.len()).filter(runs) {
            match members.last_mut() {
                Some(group) if same_statement(&nodes[group[0]].node, &nodes[i].node) => group.push(i),
                _ => members.push(vec![i]),
            }
        }
        for group in members {
            let id = u32::try_from(steps.len() + 1).unwrap_or(u32::MAX);
            steps.push((builder.step(id, phase, &group), group));
        }
    }
    mark_point_of_no_return(&mut steps, nodes);
    // A migration is complete with its last step.
    let mut last_step: HashMap<usize, usize> = HashMap::new();
    for (at, (_, group)) in steps.iter().enumerate() {
        for node in group {
            last_step.insert(nodes[*node].node.migration, at);
        }
    }
    let mut latest = None;
    for (migration, found) in input.request.pending.pending.iter().enumerate() {
        let own = last_step.get(&migration).copied();
        latest = latest.max(own);
        // A history that only knows "everything up to here" waits for what comes before.
        let at = if input.request.folder.convention.records_in_order() { latest } else { own };
        if let Some(at) = at {
            steps[at].0.completes.push(found.version.to_string());
        }
    }
    let first = needs(&mut steps, &input.proved.graph);
    roles(&mut steps, nodes, &first);
    steps
}

/// What a node's statements are as the work of a step.
fn work(node: &Node, statements: Vec<StepStatement>) -> Work {
    match <[StepStatement; 1]>::try_from(statements) {
        Ok([statement]) => match &node.manner {
            Some(manner) => manner.work(statement),
            None if node.transactional => Work::Transaction { statements: vec![statement] },
            None => Work::Alone { statement },
        },
        Err(statements) => Work::Transaction { statements },
    }
}

/// Says of each step that no author wrote as it is where it comes from. `first`: the step where each node runs first.
fn roles(steps: &mut [(Step, Vec<usize>)], nodes: &[Placed<'_>], first: &HashMap<usize, u32>) {
    for (step, group) in steps {
        let Some(node) = group.first() else { continue };
        let of = |node: usize| first.get(&node).copied().unwrap_or(step.id);
        step.role = match &nodes[*node].node.written {
            // The rest of the statement comes right after what was written for it.
            Some(written) => Role::Generated { recipe: written.recipe.to_owned(), of: of(node + 1) },
            None if of(*node) != step.id => Role::Repeat { of: of(*node) },
            None => Role::Authored,
        };
    }
}

/// Says of each step which ones must have run. Gives the step where each node runs first.
fn needs(steps: &mut [(Step, Vec<usize>)], graph: &Graph) -> HashMap<usize, u32> {
    let mut first: HashMap<usize, u32> = HashMap::new();
    for (step, group) in steps.iter_mut() {
        let mut needs: BTreeMap<u32, BTreeSet<&Key>> = BTreeMap::new();
        let own = group.iter().flat_map(|node| graph.reasons(*node));
        for (earlier, keys) in own {
            // Rewritten nodes and parts of one statement are earlier steps, too, or this one.
            if let Some(id) = first.get(&earlier).filter(|id| **id != step.id) {
                needs.entry(*id).or_default().extend(keys);
            }
        }
        let need =
            |(step, why): (u32, BTreeSet<&Key>)| StepNeed { step, why: why.into_iter().map(Key::to_string).collect() };
        step.needs = needs.into_iter().map(need).collect();
        for node in group.iter() {
            if let Some(ran) = first.get(node) {
                step.needs.push(StepNeed { step: *ran, why: vec!["the same statement, run before".to_owned()] });
            }
            first.entry(*node).or_insert(step.id);
        }
        step.needs.sort_by_key(|need| need.step);
        step.needs.dedup_by_key(|need| need.step);
    }
    first
}

/// Sub-commands of one ALTER TABLE in one phase run together, as their author wrote them.
fn same_statement(a: &Node, b: &Node) -> bool {
    let lone = |node: &Node| match node.parts.as_slice() {
        [part] if node.written.is_none() => part.prefix.map(|_| part.statement),
        _ => None,
    };
    lone(a).is_some() && lone(a) == lone(b) && a.ran == b.ran
}

fn mark_point_of_no_return(steps: &mut [(Step, Vec<usize>)], nodes: &[Placed<'_>]) {
    let first = steps.iter().position(|(step, group)| {
        let ends_blue = |i: &usize| {
            let Placed { node, requirements, placement, again, .. } = &nodes[*i];
            let opaque = placement.direction == Direction::Opaque;
            // Without its trigger, what one version writes is not what the other reads.
            let in_sync =
                requirements.blue.as_ref().is_some_and(|p| matches!(p.capability, Capability::Trigger { .. }));
            !again && (requirements.blue_must() || opaque || in_sync || node.is_data())
        };
        step.phase == Phase::After && group.iter().any(ends_blue)
    });
    if let Some(first) = first {
        steps[first].0.point_of_no_return = true;
    }
}

struct Builder<'a> {
    input: &'a Input<'a>,
    pieces: &'a HashMap<Span, usize>,
}

impl<'a> Builder<'a> {
    fn nodes(&self) -> &'a [Placed<'a>] {
        &self.input.proved.nodes
    }

    fn sources(&self) -> &'a Sources {
        &self.input.request.folder.sources
    }

    /// Where statements were observed.
    fn server(&self) -> &'a str {
        self.input.request.observed.map_or("", |observed| &observed.server)
    }

    fn step(&self, id: u32, phase: Phase, group: &[usize]) -> Step {
        let parts: Vec<(&Node, &Part)> = group
            .iter()
            .map(|i| &*self.nodes()[*i].node)
            .flat_map(|node| node.parts.iter().map(move |part| (node, part)))
            .collect();
        let first = &self.nodes()[group[0]].node;
        let (mut object, mut action) = parts.first().map(|(_, p)| describe_part(p)).unwrap_or_default();
        let more = parts.len().saturating_sub(1);
        if more > 0 {
            let objects: Vec<_> = parts.iter().map(|(_, p)| describe_part(p)).collect();
            if objects.iter().any(|(o, _)| *o != object) {
                let table = |o: &str| o.split('.').next().unwrap_or(o).to_owned();
                let same_table = objects.iter().all(|(o, _)| table(o) == table(&object));
                object = if same_table { table(&object) } else { format!("{object} …") };
            }
            action = format!("{action} and {more} more");
        }
        let weighed =
            |weighing: &Weighing| weighing.load(parts.iter().map(|(_, p)| (&p.operation, &p.hazard)), &first.before);
        let together = parts.iter().map(|(_, p)| p.hazard.clone()).reduce(Hazard::with);
        Step {
            id,
            phase,
            direction: self.nodes()[group[0]].placement.direction,
            role: Role::Authored,
            session: first.session.iter().map(|span| self.sources().slice(*span).to_owned()).collect(),
            work: work(first, self.statements(first, &parts)),
            object,
            action,
            reason: self.reason(group[0], phase),
            hazard: Self::cost(first, together.as_ref()),
            load: self.input.said.weighing.as_ref().and_then(weighed),
            point_of_no_return: false,
            completes: Vec::new(),
            needs: Vec::new(),
            evidence: group.iter().flat_map(|node| self.evidence(*node)).collect(),
            mentions: self.input.said.mentioned.as_ref().map(|mentioned| mentioned.saved(group)).unwrap_or_default(),
        }
    }

    fn cost(node: &Node, hazard: Option<&Hazard>) -> String {
        if node.is_opaque() {
            return "cost not known".to_owned();
        }
        let whole = hazard.map(ToString::to_string).unwrap_or_default();
        node.manner.as_ref().map_or(whole.clone(), |manner| manner.cost(whole))
    }

    /// What the versions require of a node.
    fn evidence(&self, node: usize) -> Vec<StepEvidence> {
        let requirements = &self.nodes()[node].requirements;
        let weighed = |requirement: &Requirement<'_>| match requirement.strength {
            Strength::Must => RelianceStrength::Needs,
            Strength::Prefers => RelianceStrength::Prefers,
        };
        let of = |requirement: &Requirement<'_>, reliance| StepEvidence {
            version: requirement.side,
            reliance,
            capability: requirement.capability.to_string(),
            query: requirement.query.map(|query| query.name.clone()),
        };
        let blue = requirements.blue.iter().map(|requirement| of(requirement, weighed(requirement)));
        let green = requirements.green.iter().map(|requirement| of(requirement, weighed(requirement)));
        let conditional =
            requirements.conditional.iter().map(|requirement| of(requirement, RelianceStrength::Conditional));
        blue.chain(green).chain(conditional).collect()
    }

    fn statements(&self, first: &Node, parts: &[(&Node, &Part)]) -> Vec<StepStatement> {
        let origin = |span: Span| {
            let at = self.sources().line_column(span);
            let version = self
                .input
                .request
                .pending
                .pending
                .get(first.migration)
                .map(|m| m.version.to_string())
                .unwrap_or_default();
            Some(Origin { version, path: self.sources().path(span).to_owned(), line: at.line, column: at.column })
        };
        if let Some(written) = &first.written {
            return vec![StepStatement { sql: written.sql.clone(), origin: None }];
        }
        let mut statements: Vec<(Span, StepStatement, usize)> = Vec::new();
        for (_, part) in parts {
            let slice = self.sources().slice(part.span);
            let run_on = match (statements.last_mut(), part.prefix) {
                (Some((span, statement, count)), Some(_)) if *span == part.statement => {
                    *count += 1;
                    statement.sql.push_str(", ");
                    statement.sql.push_str(slice);
                    true
                }
                // `DROP TABLE a, b`: one text for all its parts.
                (Some((span, _, _)), None) => *span == part.statement,
                (Some(_), Some(_)) | (None, _) => false,
            };
            if !run_on {
                let sql = match part.prefix {
                    Some(prefix) => format!("{} {slice}", self.sources().slice(prefix).trim_end()),
                    None => self.sources().slice(part.statement).to_owned(),
                };
                statements.push((part.statement, StepStatement { sql, origin: origin(part.span) }, 1));
            }
        }
        let whole = |(span, mut statement, count): (Span, StepStatement, usize)| {
            // All sub-commands are here: the author's text as it stands.
            if self.pieces.get(&span) == Some(&count) {
                statement = StepStatement { sql: self.sources().slice(span).to_owned(), origin: origin(span) };
            }
            statement
        };
        statements.into_iter().map(whole).collect()
    }

    fn reason(&self, node: usize, phase: Phase) -> String {
        if self.nodes()[node].placement.phase != phase {
            return "again, for the rows that blue wrote until it was drained".to_owned();
        }
        let name = |other: usize| {
            let (object, action) = self.nodes()[other].node.parts.first().map(describe_part).unwrap_or_default();
            format!("{action} of {object}")
        };
        let placement = &self.nodes()[node].placement;
        let requirements = &self.nodes()[node].requirements;
        match placement.reason {
            Reason::Author => self.nodes()[node]
                .node
                .directive
                .as_ref()
                .map(|d| format!("the author: {}", d.reason))
                .unwrap_or_default(),
            Reason::Ran => "has run".to_owned(),
            Reason::Follows(earlier) => format!("depends on {}", name(earlier)),
            Reason::NeededBy(later) => format!("{} depends on it", name(later)),
            Reason::Own => {
                let sure = self.nodes()[node].node.observations().any(|observed| observed.unsure.is_none());
                let seen = if sure { format!(" (seen on {})", self.server()) } else { String::new() };
                let requirement = match placement.phase {
                    Phase::Before => requirements.green.as_ref().map(|p| (Side::Green, p)),
                    Phase::After => requirements.blue.as_ref().map(|p| (Side::Blue, p)),
                };
                let why = match requirement {
                    Some((who, requirement)) => match requirement.query {
                        Some(query) => format!("{who} relies on it in {}: {}", query.name, requirement.capability),
                        None => format!("{who} may rely on it: {}", requirement.capability),
                    },
                    None if matches!(self.nodes()[node].node.parts[0].operation, Operation::Data(_)) => {
                        "changes rows".to_owned()
                    }
                    None => "no version notices".to_owned(),
                };
                why + &seen
            }
        }
    }
}
