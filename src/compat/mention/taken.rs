//! What a step takes away, by the names that an application could write.

use std::collections::BTreeMap;
use std::fmt;

use crate::effect::{Capability, Effect, RowRule, Weight};
use crate::schema::{QName, Relation, Schema, UserType};
use crate::sql::Quoted;
use crate::sql::operation::{Ident, RelationKind};

/// What a name is of. It decides how applications spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TakenKind {
    /// A table or a view.
    Relation,
    /// A column, or an attribute of a composite type.
    Column,
    /// A label of an enum.
    Label,
    /// A type or a domain.
    Type,
    /// A function or a procedure.
    Function,
    /// A constraint, an index, a sequence or a schema: written as in SQL, or not at all.
    Other,
}

/// A name to look for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TakenName {
    /// What it is of.
    pub kind: TakenKind,
    /// The name itself, without what it belongs to.
    pub name: Ident,
    /// What a file must also mention, one of these, for the name to mean this; if there are none, it stands for itself.
    pub owners: Vec<Self>,
    /// For people: `users.email`, `status 'open'`.
    pub shown: String,
}

/// A name that a step takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The name.
    pub name: TakenName,
    /// What of it is taken away.
    pub capability: Capability,
    /// Whether a statement with this name fails from then on, or means something else. Otherwise it depends on what the statement does.
    pub goes: bool,
}

impl fmt::Display for TakenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl TakenName {
    fn plain(kind: TakenKind, name: &Ident, shown: impl fmt::Display) -> Self {
        Self { kind, name: name.clone(), owners: Vec::new(), shown: shown.to_string() }
    }

    fn relation(schema: &Schema, name: &QName) -> Self {
        let sequence = schema.relation(name).is_some_and(|relation| relation.kind == RelationKind::Sequence);
        Self::plain(if sequence { TakenKind::Other } else { TakenKind::Relation }, &name.name, name)
    }

    fn column(schema: &Schema, relation: &QName, column: &Ident) -> Self {
        let shown = format!("{relation}.{}", Quoted(column));
        let owners = vec![Self::relation(schema, relation)];
        Self { kind: TakenKind::Column, name: column.clone(), owners, shown }
    }

    /// Labels are common words, so a file must also mention the type or a table that has it.
    fn label(schema: &Schema, of: &QName, label: &Ident) -> Self {
        let spelled = of.to_string();
        let has_it = |relation: &Relation| {
            let types = relation.columns.iter().filter_map(|column| column.data_type.as_ref());
            types.into_iter().any(|data_type| *data_type.base() == *spelled)
        };
        let tables = schema.relations().filter(|(_, relation)| has_it(relation));
        let tables = tables.map(|(name, _)| Self::relation(schema, name));
        let owners = std::iter::once(Self::plain(TakenKind::Type, &of.name, of)).chain(tables).collect();
        Self { kind: TakenKind::Label, name: label.clone(), owners, shown: format!("{of} '{label}'") }
    }
}

/// The names that a step takes from clients of `base`, each once, in order.
///
/// Left out is what applications do not write (policies, privileges, triggers), and what every added column or replaced body changes
/// though no name goes.
pub fn taken(effect: &Effect, base: &Schema) -> Vec<Taken> {
    let mut found: BTreeMap<TakenName, (Capability, bool)> = BTreeMap::new();
    let mut add = |name: TakenName, capability: &Capability, goes: bool| {
        let entry = found.entry(name).or_insert_with(|| (capability.clone(), goes));
        if goes && !entry.1 {
            *entry = (capability.clone(), true);
        }
    };
    let gone = |relation: &QName| effect.removes.contains(&Capability::Relation(relation.clone()));
    for capability in effect.removes.iter().filter(|capability| capability.offered_by(base)) {
        let of_relation = !matches!(capability, Capability::Relation(_)) && capability.relation().is_some_and(gone);
        let of_type = match capability {
            Capability::Label { name, .. } | Capability::Attribute { name, .. } => {
                effect.removes.contains(&Capability::Type(name.clone()))
            }
            _ => false,
        };
        // Who mentions a column of a table that goes mentions the table.
        if of_relation || of_type {
            continue;
        }
        // Nothing fails for want of an index, or of a rule that others had to obey.
        let fails = matches!(capability.weight(), Weight::Certain | Weight::Habit);
        for (name, goes) in names(capability, base) {
            add(name, capability, goes && fails);
        }
    }
    // That an INSERT needs one more value is told of the whole table, where none of its columns says it better.
    for capability in effect.removes.iter().filter(|capability| capability.offered_by(base)) {
        let Capability::Omit { relation, .. } = capability else { continue };
        let table = TakenName::relation(base, relation);
        if !gone(relation) && !found.keys().any(|name| name.owners.contains(&table)) {
            found.entry(table).or_insert_with(|| (capability.clone(), false));
        }
    }
    found.into_iter().map(|(name, (capability, goes))| Taken { name, capability, goes }).collect()
}

/// The names of one capability, with whether they go.
fn names(capability: &Capability, base: &Schema) -> Vec<(TakenName, bool)> {
    let column = |relation: &QName, column: &Ident| {
        let known = base.relation(relation).is_some_and(|r| r.column(column).is_some());
        known.then(|| TakenName::column(base, relation, column))
    };
    let one = |name: Option<TakenName>, goes: bool| name.map(|name| (name, goes)).into_iter().collect();
    let other = |name: &Ident| Some(TakenName::plain(TakenKind::Other, name, Quoted(name)));
    match capability {
        Capability::Relation(name) => one(Some(TakenName::relation(base, name)), true),
        Capability::Read { relation, column: name, .. }
        | Capability::Write { relation, column: name }
        | Capability::Values { relation, column: name, .. } => one(column(relation, name), true),
        Capability::AcceptsNull { relation, column: name }
        | Capability::NeverNull { relation, column: name }
        | Capability::Fits { relation, column: name, .. } => one(column(relation, name), false),
        Capability::Unruled { relation, rule } => {
            rule.columns().iter().filter_map(|name| column(relation, name)).map(|name| (name, false)).collect()
        }
        Capability::Ruled { relation, rule } => match &**rule {
            RowRule::Check { name, .. } | RowRule::UniqueIndex { name, .. } => one(other(name), true),
            RowRule::Constraint(rule) => {
                let constraints = base.relation(relation).map(|r| &r.constraints);
                let same = |kind: &crate::schema::TableRule| match (kind, rule) {
                    (
                        crate::schema::TableRule::Unique { columns } | crate::schema::TableRule::PrimaryKey { columns },
                        crate::schema::TableRule::Unique { columns: sorted },
                    ) => columns.len() == sorted.len() && columns.iter().all(|column| sorted.contains(column)),
                    (kind, rule) => kind == rule,
                };
                let of_rule = constraints.into_iter().flatten().filter(|(_, c)| same(&c.kind));
                of_rule.filter_map(|(name, _)| other(name)).map(|name| (name, true)).collect()
            }
        },
        Capability::ConstraintName { name, .. } => one(other(name), true),
        Capability::PartialArbiter { index, .. } | Capability::FastPath { index, .. } => one(other(index), true),
        Capability::Type(name) => one(Some(TakenName::plain(TakenKind::Type, &name.name, name)), true),
        Capability::Attribute { name, attribute, .. } => {
            let owners = vec![TakenName::plain(TakenKind::Type, &name.name, name)];
            let shown = format!("{name}.{}", Quoted(attribute));
            one(Some(TakenName { kind: TakenKind::Column, name: attribute.clone(), owners, shown }), true)
        }
        Capability::Label { name, label } if matches!(base.user_type(name), Some(UserType::Enum(_))) => {
            one(Some(TakenName::label(base, name, label)), true)
        }
        Capability::Call { name, .. } => one(Some(TakenName::plain(TakenKind::Function, &name.name, name)), true),
        Capability::Namespace(name) => one(other(name), true),
        Capability::Label { .. }
        | Capability::Omit { .. }
        | Capability::Shape(_)
        | Capability::Bare { .. }
        | Capability::Width(_)
        | Capability::Arbiter { .. }
        | Capability::Grouped { .. }
        | Capability::Identified(_)
        | Capability::Sound { .. }
        | Capability::Cascades { .. }
        | Capability::Trigger { .. }
        | Capability::Untriggered { .. }
        | Capability::RowsVisible(_)
        | Capability::Filled(_)
        | Capability::Privilege { .. }
        | Capability::Held { .. }
        | Capability::Policy { .. }
        | Capability::Granted { .. }
        | Capability::Object { .. }
        | Capability::Unaltered { .. }
        | Capability::Behaviour { .. }
        | Capability::Attributes { .. }
        | Capability::Taken { .. }
        | Capability::KnownLabels(_)
        | Capability::Unambiguous { .. }
        | Capability::Body { .. }
        | Capability::Definition(_)
        | Capability::Defaulted { .. }
        | Capability::Default { .. }
        | Capability::Extension(_) => Vec::new(),
    }
}
