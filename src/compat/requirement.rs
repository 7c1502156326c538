//! What a version requires of a step: how strongly blue holds it back, and green draws it forward.

use super::{App, Evidence};
use crate::effect::{Capability, Effect, RowRule, Weight};
use crate::schema::{QName, Relation, Schema, TableRule};
use crate::side::Side;
use crate::sql::operation::{DefaultValue, Ident};
use crate::workload::Query;

/// How strongly a version requires something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strength {
    /// It would be better.
    Prefers,
    /// It breaks otherwise.
    Must,
}

/// That a version has a capability, which a step takes away or gives.
#[derive(Debug, Clone)]
pub(crate) struct Requirement<'a> {
    /// Blue must not lose it, green must have it.
    pub(crate) side: Side,
    pub(crate) strength: Strength,
    pub(crate) capability: Capability,
    /// The query that shows it; `None`: assumed.
    pub(crate) query: Option<&'a Query>,
    /// Whether the query certainly fails, whatever values it is sent with.
    pub(crate) sure: bool,
}

/// What both versions require of a step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requirements<'a> {
    /// Blue does not survive it: after.
    pub(crate) blue: Option<Box<Requirement<'a>>>,
    /// Green needs it: before.
    pub(crate) green: Option<Box<Requirement<'a>>>,
    /// What blue may meet only if green writes something new.
    pub(crate) conditional: Vec<Requirement<'a>>,
}

impl Requirements<'_> {
    pub(crate) fn blue_must(&self) -> bool {
        self.blue.as_ref().is_some_and(|p| p.strength == Strength::Must)
    }

    pub(crate) fn green_must(&self) -> bool {
        self.green.as_ref().is_some_and(|p| p.strength == Strength::Must)
    }
}

/// What is required of a step. Clients of blue can only rely on what `base` offers; green's on what `last` offers. `before` and `after`: what the
/// step finds and leaves in the files' order.
pub(crate) fn requirements<'a>(
    effect: &Effect,
    (blue, green): (App<'a>, App<'a>),
    (base, before, after, last): (&Schema, &Schema, &Schema, &Schema),
) -> Requirements<'a> {
    let mut requirements = Requirements::default();
    // Rows of blue have in a new key what a trigger or a default of the release puts there.
    for capability in effect.removes.iter().filter(|c| filled_for(c, base, before)) {
        let Capability::Unruled { relation, .. } = capability else { continue };
        let evidence = blue.writes(relation);
        if !matches!(evidence, Evidence::None) {
            strongest(&mut requirements.blue, Side::Blue, loss_strength(capability, evidence), capability, evidence);
        }
    }
    let by_old_name: Vec<Capability> = effect.removes.iter().filter_map(|c| by_old_name(c, base, last)).collect();
    for capability in effect.removes.iter().chain(&by_old_name).filter(|c| c.offered_by(base)) {
        let evidence = match blue.evidence(capability) {
            // What rules and views name bears another name by then, and they follow it; what goes takes them along.
            Evidence::Query(_) | Evidence::Perhaps(_)
                if is_renamed(capability, before, after) && keeps_rules(before, after) =>
            {
                blue.evidence_by(capability, false)
            }
            evidence => evidence,
        };
        match capability.weight() {
            Weight::Certain | Weight::Habit => {
                strongest(
                    &mut requirements.blue,
                    Side::Blue,
                    loss_strength(capability, evidence),
                    capability,
                    evidence,
                );
            }
            Weight::Conditional => {
                let told = !matches!(evidence, Evidence::None) && worth_telling(capability);
                if told {
                    requirements.conditional.push(requirement(Side::Blue, Strength::Prefers, capability, evidence));
                }
            }
            // Better keep an index until nobody uses it.
            Weight::Soft => {
                strongest(&mut requirements.blue, Side::Blue, Some(Strength::Prefers), capability, evidence)
            }
        }
    }
    // A trigger that the release makes on blue's table and drops again keeps two forms in step for as long as both versions write.
    let for_the_overlap = |c: &&Capability| matches!(c, Capability::Trigger { relation, .. } if base.relation(relation).is_some() && !c.offered_by(base));
    for capability in effect.removes.iter().filter(for_the_overlap) {
        strongest(&mut requirements.blue, Side::Blue, Some(Strength::Prefers), capability, Evidence::Assumed);
    }
    for capability in effect.adds.iter().filter(|c| !c.offered_by(base) && c.offered_by(last)) {
        let evidence = green.evidence(capability);
        strongest(&mut requirements.green, Side::Green, gain_strength(capability, evidence), capability, evidence);
    }
    requirements
}

/// Whether every rule (`CREATE RULE`) that there was is there still: PostgreSQL drops nothing that one names without dropping the rule.
fn keeps_rules(before: &Schema, after: &Schema) -> bool {
    let mut with_rules = before.relations().filter(|(_, relation)| !relation.rules.is_empty());
    with_rules.all(|(name, was)| {
        let origin = before.origin_of(name);
        let mut same = after.relations().filter(|(name, _)| after.origin_of(name) == origin);
        same.any(|(_, is)| was.rules.keys().all(|rule| is.rules.contains_key(rule)))
    })
}

/// Whether a capability is lost only because what it is about bears another name by then.
fn is_renamed(capability: &Capability, before: &Schema, after: &Schema) -> bool {
    let Some(relation) = capability.relation() else { return false };
    // One that is dropped takes what names it along.
    let gone = |found: &Relation| {
        let (Capability::Read { column, .. }
        | Capability::Write { column, .. }
        | Capability::Values { column, .. }
        | Capability::Omit { column, .. }
        | Capability::AcceptsNull { column, .. }
        | Capability::Fits { column, .. }) = capability
        else {
            return false;
        };
        found.columns_known && found.column(column).is_none()
    };
    if let Some(found) = after.relation(relation) {
        return gone(found);
    }
    let origin = before.origin_of(relation);
    let mut renamed = after.relations().filter(|(name, _)| after.origin_of(name) == origin);
    let offers = |now: &QName| capability.of_writes_to(now).is_none_or(|same| same.offered_by(after));
    renamed.any(|(now, found)| gone(found) || offers(now))
}

/// Whether a unique rule is on columns that whoever writes a table of the base leaves out, and that are not NULL all the same: each has a
/// default that is the same for all, or a trigger that names it.
fn filled_for(capability: &Capability, base: &Schema, before: &Schema) -> bool {
    let Capability::Unruled { relation, rule } = capability else { return false };
    let unique = matches!(**rule, RowRule::Constraint(TableRule::Unique { .. }) | RowRule::UniqueIndex { .. });
    let (Some(old), Some(found)) = (base.relation(relation), before.relation(relation)) else { return false };
    let defaulted = |column: &Ident| found.column(column).is_some_and(|c| c.default == Some(DefaultValue::Constant));
    let known = |column: &Ident| old.column(column).is_some();
    let changed = |column: &Ident| old.column(column).is_none_or(|c| !c.has_default());
    let fills = |column: &Ident| changed(column) && (defaulted(column) || found.filled_by_trigger(column, before));
    let mut columns = rule.columns().iter();
    // What was unique before stays so with a column more.
    let within = |key: &[Ident]| key.iter().all(|column| rule.columns().contains(column));
    let implied = old.indexes.values().any(|i| i.unique && i.plain_key().is_some_and(|key| within(&key)));
    unique && !implied && columns.clone().any(fills) && columns.all(|column| known(column) || fills(column))
}

/// What is taken from a table that blue knows by another name, and writes through a view that bears it.
fn by_old_name(capability: &Capability, base: &Schema, last: &Schema) -> Option<Capability> {
    let relation = capability.relation().filter(|relation| base.relation(relation).is_none())?;
    let origin = last.relation(relation)?.origin.as_ref().filter(|origin| base.relation(origin).is_some())?;
    capability.of_writes_to(origin)
}

fn loss_strength(capability: &Capability, evidence: Evidence<'_>) -> Option<Strength> {
    match evidence {
        Evidence::Query(_) | Evidence::Perhaps(_) => Some(Strength::Must),
        Evidence::Assumed if capability.weight() == Weight::Certain => Some(Strength::Must),
        // Every added column would be suspect.
        Evidence::Assumed if matches!(capability, Capability::Width(_) | Capability::Bare { .. }) => None,
        Evidence::Assumed => Some(Strength::Prefers),
        // Nobody uses it, and still nothing is gained by taking it away early.
        Evidence::None if capability.weight() == Weight::Certain => Some(Strength::Prefers),
        Evidence::None => None,
    }
}

fn gain_strength(capability: &Capability, evidence: Evidence<'_>) -> Option<Strength> {
    // Freedom that a client may or may not take.
    let optional = matches!(
        capability,
        Capability::Unruled { .. }
            | Capability::Fits { .. }
            | Capability::AcceptsNull { .. }
            | Capability::Cascades { .. }
    );
    match (evidence, capability.weight()) {
        (Evidence::None, _) | (_, Weight::Conditional | Weight::Soft) => None,
        (Evidence::Query(_), _) => Some(Strength::Must),
        (Evidence::Perhaps(_), _) => Some(if optional { Strength::Prefers } else { Strength::Must }),
        (Evidence::Assumed, Weight::Certain) if !optional => Some(Strength::Must),
        (Evidence::Assumed, _) => Some(Strength::Prefers),
    }
}

/// Without a workload, only what regularly hurts is told: every added column changes a row's shape.
fn worth_telling(capability: &Capability) -> bool {
    matches!(
        capability,
        Capability::NeverNull { .. }
            | Capability::KnownLabels(_)
            | Capability::Body { .. }
            | Capability::Definition(_)
            | Capability::Default { .. }
    )
}

fn requirement<'a>(side: Side, strength: Strength, capability: &Capability, evidence: Evidence<'a>) -> Requirement<'a> {
    let query = match evidence {
        Evidence::Query(query) | Evidence::Perhaps(query) => Some(query),
        Evidence::Assumed | Evidence::None => None,
    };
    Requirement { side, strength, capability: capability.clone(), query, sure: matches!(evidence, Evidence::Query(_)) }
}

/// Keeps the strongest one; among equals, one that a query shows.
fn strongest<'a>(
    kept: &mut Option<Box<Requirement<'a>>>,
    side: Side,
    strength: Option<Strength>,
    capability: &Capability,
    evidence: Evidence<'a>,
) {
    let Some(strength) = strength else { return };
    let new = requirement(side, strength, capability, evidence);
    let rank = |p: &Requirement<'_>| (p.strength, p.query.is_some());
    if kept.as_ref().is_none_or(|old| rank(old) < rank(&new)) {
        *kept = Some(Box::new(new));
    }
}
