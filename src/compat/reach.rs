//! What a query does beside what its text says: the functions that it calls, the triggers and the actions of foreign keys that its writes set
//! off. Of functions only the names in their bodies are known.

use std::collections::{BTreeSet, HashMap};

use crate::schema::resolve::{Resolved, WriteKind};
use crate::schema::{QName, Schema, TableRule};
use crate::sql::operation::{Firing, Ident, OnDelete};
use crate::sql::{TypeName, called_in};

/// What a query reaches.
#[derive(Debug, Clone, Default)]
pub(super) struct Reach {
    /// The names in the bodies of the functions that run. A trigger's whole row, `new.*` or `old.*`, is one, too.
    pub(super) mentions: BTreeSet<Ident>,
    /// The relations that may be written, those that the query names included.
    pub(super) writes: BTreeSet<QName>,
    /// The functions that run.
    pub(super) called: BTreeSet<QName>,
    /// The relations whose rows may go with others (`ON DELETE CASCADE`).
    pub(super) removes: BTreeSet<QName>,
}

/// What happens to a table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Touch {
    /// Rows come.
    Insert,
    /// Rows are changed.
    Update,
    /// Rows are deleted by the query itself.
    Delete,
    /// Rows go with others, which breaks no rule on rows.
    Remove,
    /// Which of them is not known.
    Any,
}

impl Touch {
    /// What a query does to the table that it names.
    fn of(kind: &WriteKind) -> Self {
        match kind {
            WriteKind::Insert { updates, .. } if updates.is_empty() => Self::Insert,
            WriteKind::Insert { .. } => Self::Any,
            WriteKind::Update { .. } => Self::Update,
            WriteKind::Delete => Self::Delete,
        }
    }

    fn sets_off(self, firing: Firing) -> bool {
        match self {
            Self::Insert => firing.insert,
            Self::Update => firing.update,
            Self::Delete | Self::Remove => firing.delete,
            Self::Any => true,
        }
    }
}

/// What a schema does by itself.
#[derive(Default)]
pub(super) struct Reaches {
    functions: HashMap<Ident, Vec<QName>>,
    relations: HashMap<Ident, Vec<QName>>,
    /// The functions of a relation's triggers, and of its partitions'.
    triggers: HashMap<QName, Vec<(Firing, QName)>>,
    /// The foreign keys that point to a relation.
    references: HashMap<QName, Vec<Reference>>,
    /// The functions of a table's defaults, checks, domains, policies and indexes, and of a view's query.
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
            OnDelete::Set => Some(Touch::Update),
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
                    let called = relation.trigger_functions.iter();
                    let called = called.map(|(trigger, function)| (relation.firing(trigger), function.clone()));
                    found.triggers.entry(written.clone()).or_default().extend(called);
                }
            }
            let checks = relation.constraints.values().filter_map(|constraint| match &constraint.kind {
                TableRule::Check { expression, .. } => Some(&**expression),
                _ => None,
            });
            if !found.functions.is_empty() {
                let policies = relation.policies.values().filter(|_| relation.row_security);
                let indexes =
                    relation.indexes.values().flat_map(|index| index.expressions.iter().chain(&index.predicate));
                let texts = checks.chain(policies.map(|policy| &*policy.text)).chain(indexes.map(|text| &**text));
                let domains = relation.columns.iter().filter_map(|column| column.data_type.as_ref());
                let domains = domains.flat_map(|data_type| schema.checked_by(data_type));
                let called = relation.runs.iter().cloned().chain(texts.flat_map(called_in)).chain(domains.cloned());
                let known: Vec<_> = called.filter_map(|name| found.functions.get(&name)).flatten().cloned().collect();
                if !known.is_empty() {
                    found.runs.insert(name.clone(), known);
                }
            }
            for constraint in relation.constraints.values().filter(|constraint| constraint.enforced) {
                if let TableRule::ForeignKey { target, target_columns, on_delete, .. } = &constraint.kind {
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
            tables.push((write.relation.clone(), Touch::of(&write.kind)));
            let follows = |reference: &Reference| match &write.kind {
                WriteKind::Delete => reference.touch(),
                WriteKind::Update { columns, .. } => {
                    reference.columns.iter().any(|column| columns.contains(column)).then_some(Touch::Update)
                }
                WriteKind::Insert { updates, .. } => {
                    reference.columns.iter().any(|column| updates.contains(column)).then_some(Touch::Update)
                }
            };
            let references = self.references.get(&write.relation).into_iter().flatten();
            tables.extend(references.filter_map(|reference| Some((reference.from.clone(), follows(reference)?))));
        }
        let mut functions: Vec<QName> = look.uses.calls.keys().cloned().collect();
        // A value of a domain is checked wherever it is made.
        let checks = |data_type: &TypeName| {
            let calls = schema.checked_by(data_type);
            calls.filter_map(|name| self.functions.get(name)).flatten().cloned().collect::<Vec<_>>()
        };
        functions.extend(look.uses.types.keys().flat_map(|name| checks(&TypeName::canonical(name.as_str()))));
        // Views in views: their queries run, too.
        let mut read: Vec<&QName> = look.uses.relations.keys().collect();
        let mut seen = BTreeSet::new();
        while let Some(name) = read.pop().filter(|_| !self.runs.is_empty()) {
            if seen.insert(name) {
                functions.extend(self.runs.get(name).into_iter().flatten().cloned());
                read.extend(schema.relation(name).into_iter().flat_map(|relation| &relation.reads));
            }
        }
        let mut touched = BTreeSet::new();
        loop {
            if let Some((table, touch)) = tables.pop() {
                if !touched.insert((table.clone(), touch)) {
                    continue;
                }
                match touch {
                    Touch::Remove => reach.removes.insert(table.clone()),
                    Touch::Insert | Touch::Update | Touch::Delete | Touch::Any => reach.writes.insert(table.clone()),
                };
                if !named.contains(&table) {
                    let references = self.references.get(&table).into_iter().flatten();
                    tables.extend(references.filter_map(|reference| {
                        let further = match touch {
                            Touch::Remove => reference.touch(),
                            Touch::Insert | Touch::Update | Touch::Delete | Touch::Any => Some(Touch::Update),
                        };
                        Some((reference.from.clone(), further?))
                    }));
                }
                let triggers = self.triggers.get(&table).into_iter().flatten();
                functions.extend(triggers.filter(|(firing, _)| touch.sets_off(*firing)).map(|(_, f)| f.clone()));
                functions.extend(self.runs.get(&table).into_iter().flatten().cloned());
            } else if let Some(function) = functions.pop() {
                if !reach.called.insert(function.clone()) {
                    continue;
                }
                for called in schema.functions(&function) {
                    functions.extend(called.arguments.iter().flat_map(|(data_type, _)| checks(data_type)));
                    for word in &*called.mentions {
                        // It may call, or write, whatever bears the name.
                        if reach.mentions.insert(word.clone()) {
                            functions.extend(self.functions.get(word).into_iter().flatten().cloned());
                        }
                        let tables_of = self.relations.get(word).into_iter().flatten().filter(|_| called.volatile);
                        tables.extend(tables_of.map(|table| (table.clone(), Touch::Any)).collect::<Vec<_>>());
                    }
                }
            } else {
                return reach;
            }
        }
    }
}
