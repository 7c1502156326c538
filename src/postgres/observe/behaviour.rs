//! Two moments of a database → what changed that no part of a schema shows.

use super::image::{Entry, Image};
use crate::effect::{Capability, Effect, behaviour, refuses};
use crate::schema::{QName, Schema};
use crate::sql::operation::Firing;

/// What went and came between two moments.
pub(super) fn difference(before: &Image, after: &Image, schema: &Schema) -> Effect {
    let mut effect = Effect::default();
    for (oid, was) in &before.relations {
        if let Some(is) = after.relations.get(oid) {
            relation(was, is, &mut effect);
        }
    }
    rows_of_children(before, after, &mut effect);
    let name = |oid: &u32| before.relations.get(oid).filter(|_| after.relations.contains_key(oid)).map(|e| &e.name);
    for ((oid, column), was) in &before.defaults {
        let Some(relation) = name(oid) else { continue };
        // Dropped is told by what INSERTs may leave out.
        if after.defaults.get(&(*oid, column.clone())).is_some_and(|is| is != was) {
            effect.removes.insert(Capability::Default { relation: relation.clone(), column: column.clone() });
        }
    }
    for ((oid, constraint), was) in &before.checked {
        let Some(relation) = name(oid) else { continue };
        if after.checked.get(&(*oid, constraint.clone())).is_some_and(|is| is != was) {
            effect.removes.insert(behaviour::checked(relation, constraint));
        }
    }
    for ((oid, trigger), function) in &after.calls {
        let Some(relation) = after.relations.get(oid).map(|e| &e.name) else { continue };
        let is_new = before.calls.get(&(*oid, trigger.clone())) != Some(function);
        if is_new && before.relations.contains_key(oid) && refuses(schema, function) {
            let firing = schema.relation(relation).map_or(Firing::ALWAYS, |found| found.firing(trigger));
            effect.removes.insert(behaviour::unrefused(relation, trigger, firing));
        }
    }
    for (oid, (counts, last)) in &before.sequences {
        let (Some(relation), Some((now, at))) = (name(oid), after.sequences.get(oid)) else { continue };
        if counts != now || (last.is_some() && at < last) {
            effect.removes.insert(behaviour::numbers(relation));
        }
    }
    let granted = |(object, role, privilege): &(String, String, String)| Capability::Granted {
        object: object.clone(),
        role: role.clone(),
        privilege: privilege.clone(),
    };
    // What goes with its object is told by the object.
    let lost = before.grants.difference(&after.grants).filter(|g| after.objects.contains(&g.0));
    let won = after.grants.difference(&before.grants).filter(|g| before.objects.contains(&g.0));
    effect.removes.extend(lost.map(granted));
    effect.adds.extend(won.map(granted));
    effect
}

fn relation(was: &Entry, is: &Entry, effect: &mut Effect) {
    if was.owner != is.owner {
        effect.removes.insert(behaviour::owner(&was.name));
    }
    if !was.unlogged && is.unlogged {
        effect.removes.insert(behaviour::crash_safe(&was.name));
    }
    if was.rows && !is.rows {
        effect.removes.insert(behaviour::rows(&was.name));
    }
}

fn rows_of_children(before: &Image, after: &Image, effect: &mut Effect) {
    let names = |image: &Image, (child, parent): &(u32, u32)| -> Option<(QName, QName)> {
        Some((image.relations.get(child)?.name.clone(), image.relations.get(parent)?.name.clone()))
    };
    for pair in before.children.keys().filter(|pair| !after.children.contains_key(pair)) {
        // Gone with its parent, it leaves nothing that lacks it.
        if let Some((child, parent)) = names(before, pair)
            && after.relations.contains_key(&pair.1)
        {
            effect.removes.insert(behaviour::rows_of(&parent, &child));
        }
    }
    for (pair, is_partition) in after.children.iter().filter(|(pair, _)| !before.children.contains_key(pair)) {
        let Some((child, parent)) = names(after, pair) else { continue };
        if before.relations.contains_key(&pair.0) {
            effect.adds.insert(behaviour::rows_of(&parent, &child));
            if *is_partition {
                effect.removes.insert(behaviour::unbounded(&child));
            }
        }
    }
}
