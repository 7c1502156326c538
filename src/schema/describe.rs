//! A schema as lines of text: what two schemas are compared by, and what a fingerprint is taken of. Only what both the simulation and a live
//! catalog know for sure is in it: no expressions, no comments, no owners.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::{QName, Relation, Rule, Schema, UserType};
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
        for (name, definition) in &self.types {
            lines.insert(match &**definition {
                UserType::Enum(labels) => format!("type {name} enum ({})", labels.join(", ")),
                UserType::Composite(attributes) => {
                    let attributes: Vec<_> = attributes.iter().map(|(n, t)| format!("{n} {t}")).collect();
                    format!("type {name} composite ({})", attributes.join(", "))
                }
                UserType::Domain { base, .. } => format!("type {name} domain of {base}"),
                UserType::Other => format!("type {name}"),
            });
        }
        for (name, overloads) in &self.functions {
            for function in overloads.iter() {
                lines.insert(format!("function {}", function.signature(name)));
            }
        }
        lines.extend(self.namespaces.iter().map(|name| format!("schema {name}")));
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
        let mut mine = self.other_lines();
        let mut theirs = other.other_lines();
        let names: BTreeSet<&QName> = self.relations.keys().chain(other.relations.keys()).collect();
        // Most relations are the same value in both.
        let differ = |name: &&QName| match (self.relations.get(*name), other.relations.get(*name)) {
            (Some(a), Some(b)) => !std::sync::Arc::ptr_eq(a, b) && a != b,
            (_, _) => true,
        };
        for name in names.into_iter().filter(differ) {
            mine.extend(self.describe_relation(name));
            theirs.extend(other.describe_relation(name));
        }
        let lost = mine.difference(&theirs).map(|line| format!("- {line}"));
        let new = theirs.difference(&mine).map(|line| format!("+ {line}"));
        lost.chain(new).collect()
    }
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
                Some(DefaultValue::Stable | DefaultValue::Volatile) => " default",
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
        let columns =
            if matches!(definition.kind, Rule::Check { .. }) { String::new() } else { list(definition.kind.columns()) };
        let target = match &definition.kind {
            Rule::ForeignKey { target, target_columns, .. } => format!(" to {target}{}", list(target_columns)),
            _ => String::new(),
        };
        let valid = if definition.valid { "" } else { " not valid" };
        let keyword = definition.kind.keyword().to_ascii_lowercase();
        lines.insert(format!("constraint {name} {constraint} {keyword}{columns}{target}{valid}"));
    }
    for (index, definition) in &relation.indexes {
        let unique = if definition.unique { "unique " } else { "" };
        let key: Vec<_> = definition.key.iter().map(|k| k.as_deref().unwrap_or("(expression)")).collect();
        let partial = if definition.partial { " partial" } else { "" };
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
