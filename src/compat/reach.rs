//! What a query does beside what its text says: the functions that it calls, the triggers and the actions of foreign keys that its writes set
//! off. Of functions only the names in their bodies are known.

use std::collections::{BTreeSet, HashMap};

use crate::schema::resolve::{Resolved, WriteKind};
use crate::schema::{QName, Rule, Schema};
use crate::sql::called_in;
use crate::sql::operation::{Ident, OnDelete};

/// What a query reaches.
#[derive(Debug, Clone, Default)]
pub(super) struct Reach {
    /// The names in the bodies of the functions that run. A trigger's whole row, `new.*` or `old.*`, is one, too.
    pub(super) mentions: BTreeSet<Ident>,
    /// The relations that may be written, those that the query names included.
    pub(super) writes: BTreeSet<QName>,
    /// The relations whose rows may go with others (`ON DELETE CASCADE`).
    pub(super) removes: BTreeSet<QName>,
}

/// What happens to a table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    /// Rows are written.
    Write,
    /// Rows go, which breaks no rule on rows.
    Remove,
}

/// What a schema does by itself.
#[derive(Default)]
pub(super) struct Reaches {
    functions: HashMap<Ident, Vec<QName>>,
    relations: HashMap<Ident, Vec<QName>>,
    /// The functions of a relation's triggers, and of its partitions'.
    triggers: HashMap<QName, Vec<QName>>,
    /// The foreign keys that point to a relation.
    references: HashMap<QName, Vec<Reference>>,
    /// The functions of a table's defaults and checks, and of a view's query.
    runs: HashMap<QName, Vec<QName>>,
}

struct Reference {
    from: QName,
    columns: Vec<Ident>,
    /// What happens to the rows that point to one that is deleted.
    on_delete: OnDelete,
}

impl Reference {
    /// What the deletion of a row does to those that point to it.
    fn touch(&self) -> Option<Touch> {
        match self.on_delete {
            OnDelete::Refuse => None,
            OnDelete::Cascade => Some(Touch::Remove),
            OnDelete::Set => Some(Touch::Write),
        }
    }
}

impl Reaches {
    pub(super) fn new(schema: &Schema) -> Self {
        let mut found = Self::default();
        for (name, _) in schema.all_functions() {
            found.functions.entry(name.name.clone()).or_default().push(name.clone());
        }
        for (name, relation) in schema.relations() {
            found.relations.entry(name.name.clone()).or_default().push(name.clone());
            if !relation.trigger_functions.is_empty() {
                for written in std::iter::once(name).chain(schema.ancestors(name)) {
                    found
                        .triggers
                        .entry(written.clone())
                        .or_default()
                        .extend(relation.trigger_functions.values().cloned());
                }
            }
            let checks = relation.constraints.values().filter_map(|constraint| match &constraint.kind {
                Rule::Check { expression, .. } => Some(&**expression),
                _ => None,
            });
            if !found.functions.is_empty() {
                let called = relation.runs.iter().cloned().chain(checks.flat_map(called_in));
                let known: Vec<_> = called.filter_map(|name| found.functions.get(&name)).flatten().cloned().collect();
                if !known.is_empty() {
                    found.runs.insert(name.clone(), known);
                }
            }
            for constraint in relation.constraints.values() {
                if let Rule::ForeignKey { target, target_columns, on_delete, .. } = &constraint.kind {
                    let reference =
                        Reference { from: name.clone(), columns: target_columns.clone(), on_delete: *on_delete };
                    found.references.entry(target.clone()).or_default().push(reference);
                }
            }
        }
        found
    }

    pub(super) fn of(&self, look: &Resolved, schema: &Schema) -> Reach {
        let mut reach = Reach::default();
        let mut tables: Vec<(QName, Touch)> = Vec::new();
        // Of the tables that the query names, the references are followed by what it does to them.
        let named: BTreeSet<QName> = look.uses.writes.iter().map(|write| write.relation.clone()).collect();
        for write in &look.uses.writes {
            tables.push((write.relation.clone(), Touch::Write));
            let follows = |reference: &Reference| match &write.kind {
                WriteKind::Delete => reference.touch(),
                WriteKind::Update { columns, .. } => {
                    reference.columns.iter().any(|column| columns.contains(column)).then_some(Touch::Write)
                }
                WriteKind::Insert { updates, .. } => {
                    reference.columns.iter().any(|column| updates.contains(column)).then_some(Touch::Write)
                }
            };
            let references = self.references.get(&write.relation).into_iter().flatten();
            tables.extend(references.filter_map(|reference| Some((reference.from.clone(), follows(reference)?))));
        }
        let mut functions: Vec<QName> = look.uses.calls.keys().cloned().collect();
        // Views in views: their queries run, too.
        let mut read: Vec<&QName> = look.uses.relations.keys().collect();
        let mut seen = BTreeSet::new();
        while let Some(name) = read.pop().filter(|_| !self.runs.is_empty()) {
            if seen.insert(name) {
                functions.extend(self.runs.get(name).into_iter().flatten().cloned());
                read.extend(schema.relation(name).into_iter().flat_map(|relation| &relation.reads));
            }
        }
        let mut called = BTreeSet::new();
        loop {
            if let Some((table, touch)) = tables.pop() {
                let known = reach.writes.contains(&table) || reach.removes.contains(&table);
                let new = match touch {
                    Touch::Write => reach.writes.insert(table.clone()),
                    Touch::Remove => reach.removes.insert(table.clone()),
                };
                if new && !named.contains(&table) {
                    let references = self.references.get(&table).into_iter().flatten();
                    tables.extend(references.filter_map(|reference| {
                        let further = if touch == Touch::Write { Some(Touch::Write) } else { reference.touch() };
                        Some((reference.from.clone(), further?))
                    }));
                }
                if new && !known {
                    let set_off = self.triggers.get(&table).into_iter().chain(self.runs.get(&table));
                    functions.extend(set_off.flatten().cloned());
                }
            } else if let Some(function) = functions.pop() {
                if !called.insert(function.clone()) {
                    continue;
                }
                for called in schema.functions(&function) {
                    for word in &*called.mentions {
                        // It may call, or write, whatever bears the name.
                        if reach.mentions.insert(word.clone()) {
                            functions.extend(self.functions.get(word).into_iter().flatten().cloned());
                        }
                        let tables_of = self.relations.get(word).into_iter().flatten().filter(|_| called.volatile);
                        tables.extend(
                            tables_of
                                .filter(|table| !reach.writes.contains(*table))
                                .map(|table| (table.clone(), Touch::Write))
                                .collect::<Vec<_>>(),
                        );
                    }
                }
            } else {
                return reach;
            }
        }
    }
}
