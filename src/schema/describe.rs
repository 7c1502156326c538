//! A schema as lines of text: what two schemas are compared by, and what a fingerprint is taken of. Only what both the simulation and a live
//! catalog know for sure is in it: no expressions, no comments, no owners.

use std::collections::BTreeSet;

use imbl::ordmap::DiffItem;
use sha2::{Digest, Sha256};

use super::{Function, QName, Relation, Schema, TableRule, UserType};
use crate::sql::operation::Ident;
use crate::sql::operation::{DefaultValue, RelationKind};

/// One line on one part of a schema.
type Lines = BTreeSet<String>;

impl Schema {
    /// The parts of one relation, a line each.
    pub fn describe_relation(&self, name: &QName) -> Vec<String> {
        let mut lines = Lines::new();
        if let Some(relation) = self.relation(name) {
            relation_lines(name, relation, &mut lines);
        }
        lines.into_iter().collect()
    }

    /// Everything, a line a part, sorted.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Lines::new();
        for (name, relation) in self.relations() {
            relation_lines(name, relation, &mut lines);
        }
        lines.extend(self.other_lines());
        lines.into_iter().collect()
    }

    /// Types, functions and schemas.
    fn other_lines(&self) -> Lines {
        let mut lines = Lines::new();
        lines.extend(self.types.iter().map(|(name, definition)| type_line(name, definition)));
        for (name, overloads) in &self.functions {
            lines.extend(function_lines(name, overloads));
        }
        lines.extend(self.namespaces.iter().map(schema_line));
        lines
    }

    /// SHA-256 in hex over the parts of all objects, in the order of their names.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |line: &str| {
            hash.update(line.as_bytes());
            hash.update(b"\n");
        };
        for name in self.relations.keys() {
            self.describe_relation(name).iter().for_each(|line| add(line));
        }
        self.other_lines().iter().for_each(|line| add(line));
        crate::digest::hex(&hash.finalize())
    }

    /// What `other` has and this one lacks (`+ …`), and the reverse (`- …`).
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let (mut mine, mut theirs) = (Lines::new(), Lines::new());
        // Most objects are the same value in both, and only the others are put into words.
        for (old, new) in self.relations.diff(&other.relations).map(sides) {
            old.into_iter().for_each(|(name, relation)| relation_lines(name, relation, &mut mine));
            new.into_iter().for_each(|(name, relation)| relation_lines(name, relation, &mut theirs));
        }
        for (old, new) in self.types.diff(&other.types).map(sides) {
            mine.extend(old.map(|(name, definition)| type_line(name, definition)));
            theirs.extend(new.map(|(name, definition)| type_line(name, definition)));
        }
        for (old, new) in self.functions.diff(&other.functions).map(sides) {
            mine.extend(old.into_iter().flat_map(|(name, overloads)| function_lines(name, overloads)));
            theirs.extend(new.into_iter().flat_map(|(name, overloads)| function_lines(name, overloads)));
        }
        if self.namespaces != other.namespaces {
            mine.extend(self.namespaces.iter().map(schema_line));
            theirs.extend(other.namespaces.iter().map(schema_line));
        }
        let lost = mine.difference(&theirs).map(|line| format!("- {line}"));
        let new = theirs.difference(&mine).map(|line| format!("+ {line}"));
        lost.chain(new).collect()
    }
}

/// An entry of a map.
type Entry<'a, V> = Option<(&'a QName, &'a V)>;

/// What stands on either side of a difference.
fn sides<'a, 'b, V>(difference: DiffItem<'a, 'b, QName, V>) -> (Entry<'a, V>, Entry<'b, V>) {
    match difference {
        DiffItem::Remove(name, value) => (Some((name, value)), None),
        DiffItem::Add(name, value) => (None, Some((name, value))),
        DiffItem::Update { old, new } => (Some(old), Some(new)),
    }
}

fn type_line(name: &QName, definition: &UserType) -> String {
    match definition {
        UserType::Enum(labels) => format!("type {name} enum ({})", labels.join(", ")),
        UserType::Composite(attributes) => {
            let attributes: Vec<_> = attributes.iter().map(|(n, t)| format!("{n} {t}")).collect();
            format!("type {name} composite ({})", attributes.join(", "))
        }
        UserType::Domain { base, .. } => format!("type {name} domain of {base}"),
        UserType::Range(_) | UserType::Other => format!("type {name}"),
    }
}

fn function_lines(name: &QName, overloads: &[Function]) -> impl Iterator<Item = String> {
    overloads.iter().map(move |function| format!("function {}", function.signature(name)))
}

fn schema_line(name: &Ident) -> String {
    format!("schema {name}")
}

fn relation_lines(name: &QName, relation: &Relation, lines: &mut Lines) {
    let kind = relation.kind.keyword().to_ascii_lowercase();
    let parent = relation.parent.as_ref().map(|p| format!(" of {p}")).unwrap_or_default();
    lines.insert(format!("{kind} {name}{parent}"));
    let is_view = matches!(relation.kind, RelationKind::View | RelationKind::MaterializedView);
    if is_view {
        if relation.columns_known {
            let names: Vec<_> = relation.columns.iter().map(|c| &*c.name).collect();
            lines.insert(format!("{kind} {name} ({})", names.join(", ")));
        }
    } else {
        for (position, column) in relation.columns.iter().enumerate() {
            let data_type = column.data_type.as_ref().map_or("?", |t| t.as_str());
            let not_null = if column.not_null { " not null" } else { "" };
            let default = match column.default {
                None | Some(DefaultValue::Null) => "",
                Some(
                    DefaultValue::Constant | DefaultValue::Stable | DefaultValue::Volatile | DefaultValue::Failing,
                ) => " default",
                Some(DefaultValue::IdentityAlways) => " identity always",
                Some(DefaultValue::IdentityByDefault) => " identity by default",
                Some(DefaultValue::GeneratedStored) => " generated stored",
                Some(DefaultValue::GeneratedVirtual) => " generated virtual",
            };
            let place = format!("{:03}", position + 1);
            lines.insert(format!("column {name} {place} {} {data_type}{not_null}{default}", column.name));
        }
    }
    for (constraint, definition) in &relation.constraints {
        let columns = if matches!(definition.kind, TableRule::Check { .. }) {
            String::new()
        } else {
            list(definition.kind.columns())
        };
        let target = match &definition.kind {
            TableRule::ForeignKey { target, target_columns, .. } => format!(" to {target}{}", list(target_columns)),
            _ => String::new(),
        };
        let valid = match (definition.enforced, definition.valid) {
            (false, _) => " not enforced",
            (true, true) => "",
            (true, false) => " not valid",
        };
        let keyword = definition.kind.keyword().to_ascii_lowercase();
        lines.insert(format!("constraint {name} {constraint} {keyword}{columns}{target}{valid}"));
    }
    for (index, definition) in &relation.indexes {
        let unique = if definition.unique { "unique " } else { "" };
        let key: Vec<_> = definition.key.iter().map(|k| k.as_deref().unwrap_or("(expression)")).collect();
        let partial = if definition.predicate.is_some() { " partial" } else { "" };
        lines.insert(format!("{unique}index {name} {index} ({}){partial}", key.join(", ")));
    }
    lines.extend(relation.triggers.keys().map(|trigger| format!("trigger {name} {trigger}")));
    lines.extend(relation.policies.keys().map(|policy| format!("policy {name} {policy}")));
    if relation.row_security {
        lines.insert(format!("row security {name}"));
    }
}

fn list(columns: &[crate::sql::operation::Ident]) -> String {
    format!(" ({})", columns.join(", "))
}
