//! What the statements of a rule read and write: PostgreSQL keeps them in the catalog, refuses to drop what they name, and does them beside, or in the
//! place of, each statement that the rule is about.

use std::collections::BTreeSet;

use super::scope::{Names, Scope};
use super::{Resolver, Uses, Write, WriteKind};
use crate::schema::{QName, Schema};
use crate::sql::operation::{Ident, RuleBody, RuleEvent};

/// The columns that the condition and the statements of a rule on a relation name, `NEW` and `OLD` being its rows; without a name: the relation.
pub(in crate::schema) fn done_by_rule(rule: &RuleBody, on: &QName, schema: &Schema) -> BTreeSet<(QName, Ident)> {
    let uses = uses_of_rule(rule, on, schema);
    let written = uses.writes.into_iter().flat_map(|write| {
        let columns: Vec<Ident> = match write.kind {
            WriteKind::Insert { columns, updates, .. } => columns.into_iter().chain(updates).collect(),
            WriteKind::Update { columns, .. } => columns.into_iter().collect(),
            WriteKind::Delete => Vec::new(),
        };
        columns.into_iter().chain([Ident::from("")]).map(move |column| (write.relation.clone(), column))
    });
    let whole = uses.relations.into_keys().map(|name| (name, Ident::from("")));
    uses.reads.into_keys().chain(whole).chain(written).collect()
}

fn uses_of_rule(rule: &RuleBody, on: &QName, schema: &Schema) -> Uses {
    let Some(relation) = schema.relation(on) else { return Uses::default() };
    let mut resolver = Resolver::new(schema);
    let rows = ["new", "old"].map(|alias| resolver.table_of(alias.into(), None, on, relation));
    let names = Names::new(rows.into(), Vec::new());
    let scope = Scope { names: &names, outer: None };
    if let Some(condition) = &rule.condition {
        resolver.expr(condition, Some(&scope));
    }
    for action in &rule.actions {
        resolver.command(action, Some(&scope));
    }
    resolver.resolved.uses
}

impl RuleBody {
    /// Whether it is about a kind of write. `COPY` goes past all rules.
    pub(crate) fn is_about(&self, kind: &WriteKind) -> bool {
        match kind {
            WriteKind::Insert { copies, updates, .. } => {
                !copies && (self.event == RuleEvent::Insert || self.event == RuleEvent::Update && !updates.is_empty())
            }
            WriteKind::Update { .. } => self.event == RuleEvent::Update,
            WriteKind::Delete => self.event == RuleEvent::Delete,
        }
    }
}

impl Resolver<'_> {
    /// Adds what the rules of the relations do that a statement writes, and the rules of those that they write.
    pub(super) fn done_by_rules(&mut self) {
        let (mut seen, mut at) = (BTreeSet::new(), 0);
        while let Some(write) = self.resolved.uses.writes.get(at).cloned() {
            at += 1;
            let rules = self.schema.relation(&write.relation).into_iter().flat_map(|relation| {
                let reads = &relation.rule_reads;
                relation.rules.iter().filter_map(move |(name, rule)| Some((name, rule, reads.get(name)?)))
            });
            for (name, (rule, enabled), reads) in rules {
                // What bears another name by now is not looked for by the old one.
                let same = || done_by_rule(rule, &write.relation, self.schema) == *reads;
                if !enabled || !rule.is_about(&write.kind) || !seen.insert((write.relation.clone(), name.clone())) {
                    continue;
                }
                if !same() {
                    self.resolved.uses.more = true;
                    continue;
                }
                let done = uses_of_rule(rule, &write.relation, self.schema);
                let uses = &mut self.resolved.uses;
                uses.writes.extend(done.writes.into_iter().map(|done| Write { at: write.at, ruled: true, ..done }));
                for call in done.calls.into_keys() {
                    uses.calls.entry(call).or_insert(write.at);
                }
            }
        }
    }
}
