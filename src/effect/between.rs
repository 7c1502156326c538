//! The effect of going from one schema to another: the difference of their capabilities, over what was touched. The one mechanism behind
//! the order of every statement, simulated or observed.

use std::collections::{BTreeMap, BTreeSet};

use super::behaviour;
use super::capability::{Capability, RowRule};
use super::type_class::{TypeChange, type_change, type_class};
use crate::few::Few;
use crate::schema::every_privilege;
use crate::schema::resolve::{NO_ARBITER, SHADOWED, body_problems};
use crate::schema::{Applied, Column, Function, Object, QName, Relation, Schema, TableRule, UserType};
use crate::shared::Shared;
use crate::sql::Operation;
use crate::sql::operation::{
    DataVerb, DefaultValue, DomainChange, GrantObject, Ident, ObjectChange, OnDelete, RelationKind, RoutineChange,
    TableChange,
};

/// What a change takes from and gives to clients.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// What clients may no longer rely on.
    pub removes: Few<Capability>,
    /// What clients may rely on from now on.
    pub adds: Few<Capability>,
}

impl Effect {
    /// The effect of an operation. Most of it is the difference of the schemas; a few operations do things no schema shows.
    pub fn of(operation: &Operation, before: &Schema, applied: &Applied) -> Self {
        let mut effect = Self::between(before, &applied.schema, &applied.touched);
        let (lost, won) = unseen(operation, before);
        if let Operation::Privileges { grant, privileges, objects, grantees, .. } = operation {
            let roles = |p| grantees.iter().map(move |role: &String| (role.clone(), p));
            for (role, privilege) in privileges.iter().flat_map(roles) {
                for object in objects.iter().filter_map(|object| object.words(*grant)) {
                    for privilege in super::privilege::all_of(&object, privilege) {
                        let (object, role) = (object.clone(), role.clone());
                        let granted = Capability::Granted { object, role, privilege: privilege.to_owned() };
                        if *grant { &mut effect.adds } else { &mut effect.removes }.insert(granted);
                    }
                }
                effect
                    .removes
                    .extend(objects.iter().filter(|_| !grant).flat_map(|on| held(on, &role, privilege, before)));
            }
        }
        if let Operation::AlterDomain { name, change: DomainChange::Default { value } } = operation {
            effect.removes.extend(of_domain_default(&before.resolve_type(name), value.is_none(), before));
        }
        effect.removes.extend(lost);
        effect.adds.extend(won);
        effect
    }

    /// The effect of going from `before` to `after`, where only `touched` can differ.
    pub fn between<'a>(before: &Schema, after: &Schema, touched: impl IntoIterator<Item = &'a Object>) -> Self {
        let mut effect = Self::default();
        let mut relations = Vec::new();
        for object in touched {
            match object {
                Object::Relation(name) => {
                    effect.relation(before, after, name);
                    relations.push((name, Difference::of(before.relation(name), after.relation(name))));
                }
                Object::Type(name) => {
                    effect.attributes_and_domains(before, after, name);
                    // Its rows are made by the bodies of functions that return them.
                    if effect.adds.iter().any(|c| matches!(c, Capability::Attributes { name: of, .. } if of == name)) {
                        effect.bodies(before, after, |_, function| function.is_of_type(&name.to_string()));
                    }
                    if before.user_type(name).is_some() != after.user_type(name).is_some() {
                        effect.bodies(before, after, |_, function| function.mentions.contains(&name.name));
                    }
                    effect.difference(&of_type(before, name), &of_type(after, name));
                    if !new_labels(&effect, before).is_empty() {
                        effect.removes.insert(Capability::KnownLabels(name.clone()));
                    }
                }
                Object::Function(name) => {
                    effect.function(before, after, name);
                    effect.bodies(before, after, |other, _| other == name);
                }
                Object::Namespace(name) => effect.difference(&of_namespace(before, name), &of_namespace(after, name)),
                Object::Extension(name) => {
                    let of = |schema: &Schema| -> Few<_> {
                        schema
                            .extensions()
                            .any(|e| e == name)
                            .then(|| Capability::Extension(name.clone()))
                            .into_iter()
                            .collect()
                    };
                    effect.difference(&of(before), &of(after));
                }
            }
        }
        if !relations.is_empty() {
            effect.families(before, after, relations.iter().map(|(name, _)| *name));
            effect.bodies(before, after, |name, function| {
                relations.iter().any(|(relation, difference)| {
                    let (old, new) = (before.relation(relation), after.relation(relation));
                    let runs_on = |r: &Relation| r.trigger_functions.values().any(|called| called == name);
                    let (ran, runs) = (old.is_some_and(runs_on), new.is_some_and(runs_on));
                    // What else runs on a table, and which rows it is shown, is nothing to a body that only names the table.
                    let shown = || old.map(|r| &r.transitions) != new.map(|r| &r.transitions);
                    let as_trigger = || ran != runs || (ran && shown());
                    (function.mentions.contains(&relation.name) || ran)
                        && (difference.concerns(function, relation) || as_trigger())
                })
            });
        }
        effect
    }

    fn difference(&mut self, before: &Few<Capability>, after: &Few<Capability>) {
        self.removes.extend(before.difference(after).cloned());
        self.adds.extend(after.difference(before).cloned());
    }

    /// What holds of a table as long as it holds of all that inherits from it.
    fn families<'a>(&mut self, before: &Schema, after: &Schema, touched: impl Iterator<Item = &'a QName>) {
        if !before.publishes_changes() && !after.publishes_changes() {
            return;
        }
        let mut families: BTreeSet<QName> =
            touched.flat_map(|name| [before.family(name), after.family(name)]).flatten().collect();
        // Rows of a table go with those that they point to.
        let mut open: Vec<QName> = families.iter().cloned().collect();
        while let Some(name) = open.pop() {
            let targets = [before, after].into_iter().flat_map(|schema| schema.cascading_from(&name));
            open.extend(targets.filter(|target| families.insert(target.clone())).collect::<Vec<_>>());
        }
        for name in
            families.into_iter().filter(|name| before.relation(name).is_some() && after.relation(name).is_some())
        {
            let (was, is) = (before.lets_rows_go(&name), after.lets_rows_go(&name));
            self.flag(Capability::Identified(name), was, is);
        }
    }

    fn relation(&mut self, before: &Schema, after: &Schema, name: &QName) {
        let (old, new) = (before.relation(name), after.relation(name));
        if let Some(old) = old {
            self.values(name, old, new);
        }
        let offers = |schema, relation: Option<&Relation>| {
            relation.map(|relation| of_relation(schema, name, relation)).unwrap_or_default()
        };
        let (Some(old), Some(new)) = (old, new) else {
            self.difference(&offers(before, old), &offers(after, new));
            // With the table go its rows.
            self.removes.retain(|c| !matches!(c, Capability::Cascades { child, .. } if child == name));
            return;
        };
        if !new.definition.is_empty() && !new.definition.starts_with(&old.definition) {
            self.removes.insert(Capability::Definition(name.clone()));
        }
        let columns =
            |r: &Relation| r.columns.iter().map(|c| (c.name.clone(), c.data_type.clone())).collect::<Vec<_>>();
        if old.columns.len() != new.columns.len() {
            self.removes.insert(Capability::Width(name.clone()));
        }
        if columns(old) != columns(new) {
            self.removes.insert(Capability::Shape(name.clone()));
        }
        let (was, is) = (old, new);
        let (old, new) = &apart(old, new, before.shares_types(after));
        self.difference(&offers(before, Some(old)), &offers(after, Some(new)));
        // What holds where a thing is absent: it is lost when the thing comes, and won when it goes.
        let names = old.columns.iter().chain(&new.columns).map(|c| &c.name);
        for column in names.collect::<BTreeSet<_>>() {
            let capability = Capability::Omit { relation: name.clone(), column: column.clone() };
            self.flag(capability, was.may_omit(column), is.may_omit(column));
        }
        for (was, is) in old.columns.iter().filter_map(|c| Some((c, new.column(&c.name)?))) {
            // A view fills in the defaults of its table.
            if old.kind == RelationKind::Table && new.kind == RelationKind::Table {
                let capability = Capability::Defaulted { relation: name.clone(), column: was.name.clone() };
                self.flag(capability, was.has_default(), is.has_default());
            }
            let (Some(from), Some(to)) = (&was.data_type, &is.data_type) else { continue };
            let fits = |from| Capability::Fits { relation: name.clone(), column: was.name.clone(), data_type: from };
            if type_change(after, from, to) == TypeChange::Narrowing {
                self.removes.insert(fits(from.to_string()));
            }
            if type_change(before, to, from) == TypeChange::Narrowing {
                self.adds.insert(fits(to.to_string()));
            }
        }
        let known = |r: &Relation, column: &Ident| r.column(column).is_some();
        self.removes.extend(new.columns.iter().filter(|c| !known(old, &c.name)).map(|c| {
            let (relation, column) = (name.clone(), c.name.clone());
            Capability::Bare { relation, column }
        }));
        // Nobody writes rows into a materialized view.
        let writable = old.is_writable() || new.is_writable();
        let (old_rules, new_rules) = if writable { (rules(old), rules(new)) } else { Default::default() };
        for rule in old_rules.union(&new_rules) {
            let capability = Capability::Unruled { relation: name.clone(), rule: Box::new(rule.clone()) };
            self.flag(capability, !old_rules.contains(rule), !new_rules.contains(rule));
        }
        for trigger in old.triggers.keys().chain(new.triggers.keys()).collect::<BTreeSet<_>>() {
            let runs = |r: &Relation| r.triggers.get(trigger).copied().unwrap_or(false);
            let capability = Capability::Untriggered { relation: name.clone(), name: trigger.clone() };
            self.flag(capability, !runs(old), !runs(new));
        }
        self.same_indexes(name, old, new);
        // No other way leads round in a circle than before if none from here does.
        let changed = was.policies != is.policies || was.row_security != is.row_security;
        if changed && (before.policies_recur(name) || after.policies_recur(name)) {
            // Those of other tables may read this one.
            for (other, _) in after.relations().filter(|(_, relation)| relation.row_security) {
                self.flag(behaviour::ends(other), !before.policies_recur(other), !after.policies_recur(other));
            }
        }
    }

    /// An index does what it did under another name, or beside another like it.
    fn same_indexes(&mut self, name: &QName, old: &Relation, new: &Relation) {
        let other = |index: &Ident, from: &Relation, to: &Relation| {
            from.indexes
                .get(index)
                .is_some_and(|was| to.indexes.values().any(|is| is.valid == was.valid && is.is_like(was)))
        };
        let moved = |capability: &Capability, from: &Relation, to: &Relation| match capability {
            Capability::FastPath { relation, index } | Capability::PartialArbiter { relation, index, .. } => {
                relation == name && other(index, from, to)
            }
            Capability::Unruled { relation, rule } | Capability::Ruled { relation, rule } => match &**rule {
                RowRule::UniqueIndex { name: index, .. } => {
                    relation == name && (other(index, from, to) || other(index, to, from))
                }
                RowRule::Constraint(_) | RowRule::Check { .. } => false,
            },
            _ => false,
        };
        self.removes.retain(|capability| !moved(capability, old, new));
        self.adds.retain(|capability| !moved(capability, new, old));
    }

    /// Functions whose bodies find what they did not find before, or no longer find it.
    fn bodies(&mut self, before: &Schema, after: &Schema, concerned: impl Fn(&QName, &Function) -> bool) {
        for (name, is) in after.all_functions().filter(|(name, function)| concerned(name, function)) {
            let signature = is.signature(name);
            let was = before.functions(name).iter().find(|was| was.signature(name) == signature);
            let Some(was) = was else { continue };
            let (lacked, mut lacks) = (unsound(before, name, was), unsound(after, name, is));
            // An argument of another name than before was never what the column is.
            if was.names != is.names {
                lacks.retain(|problem| !problem.ends_with(SHADOWED));
            }
            let capability = Capability::Sound { name: name.clone(), signature };
            if lacks.iter().any(|problem| !lacked.contains(problem)) {
                self.removes.insert(capability);
            } else if lacks.is_empty() && !lacked.is_empty() {
                self.adds.insert(capability);
            }
        }
    }

    /// A name that stands for other values than before: dropped and made again, or renamed to.
    fn values(&mut self, name: &QName, old: &Relation, new: Option<&Relation>) {
        let values_of = |column: &Ident, of: &Ident| {
            let (relation, column) = (name.clone(), column.clone());
            Capability::Values { relation, column, of: of.clone() }
        };
        let gone = |(at, c): &(usize, &Shared<Column>)| new.is_none_or(|n| twin(n, *at, &c.name).is_none());
        for (_, gone) in old.columns.iter().enumerate().filter(gone) {
            self.removes.extend(gone.holds.iter().map(|of| values_of(&gone.name, of)));
        }
        for (at, column) in new.iter().flat_map(|n| n.columns.iter().enumerate()) {
            let values = |of: &Ident| values_of(&column.name, of);
            let was = twin(old, at, &column.name).map(|c| &c.holds);
            if was == Some(&column.holds) {
                continue;
            }
            self.removes.extend(was.iter().copied().flatten().map(values));
            // What a view showed before is not followed.
            if was != Some(&None) {
                self.adds.extend(column.holds.iter().map(values));
            }
        }
    }

    fn attributes_and_domains(&mut self, before: &Schema, after: &Schema, name: &QName) {
        match (before.user_type(name), after.user_type(name)) {
            (Some(UserType::Composite(old)), Some(UserType::Composite(new))) if shape(old) != shape(new) => {
                self.removes.insert(Capability::Attributes { name: name.clone(), shape: shape(old) });
                self.adds.insert(Capability::Attributes { name: name.clone(), shape: shape(new) });
            }
            (Some(old @ UserType::Domain { .. }), Some(new @ UserType::Domain { .. })) => {
                let (old, new) = (rules_of_domain(old), rules_of_domain(new));
                for rule in old.union(&new) {
                    let capability = Capability::Taken { name: name.clone(), rule: rule.clone() };
                    self.flag(capability, !old.contains(rule), !new.contains(rule));
                }
            }
            _ => {}
        }
    }

    fn function(&mut self, before: &Schema, after: &Schema, name: &QName) {
        self.difference(&of_function(before, name), &of_function(after, name));
        let (old, new) = (before.functions(name), after.functions(name));
        let same =
            |a: &Function, b: &Function| a.arguments.iter().map(|(t, _)| t).eq(b.arguments.iter().map(|(t, _)| t));
        for is in new {
            if old.iter().any(|was| same(was, is) && was.body != is.body) {
                let (name, signature) = (name.clone(), is.signature(name));
                self.removes.insert(Capability::Body { name, signature });
            }
        }
        if !old.is_empty() && new.len() > old.len() {
            let known = ambiguous(old);
            let unclear = ambiguous(new).into_iter().filter(|given| !known.contains(given));
            self.removes.extend(unclear.map(|given| Capability::Unambiguous { name: name.clone(), given }));
        }
    }

    fn flag(&mut self, capability: Capability, before: bool, after: bool) {
        match (before, after) {
            (true, false) => _ = self.removes.insert(capability),
            (false, true) => _ = self.adds.insert(capability),
            (true, true) | (false, false) => {}
        }
    }
}

/// What of a relation is another to the queries that name it.
enum Difference<'a> {
    /// Only these columns, and how many there are.
    Columns(Vec<&'a Ident>),
    /// More, or the relation as a whole.
    More,
}

impl<'a> Difference<'a> {
    fn of(old: Option<&'a Relation>, new: Option<&'a Relation>) -> Self {
        let (Some(old), Some(new)) = (old, new) else { return Self::More };
        // What `ON CONFLICT` and `GROUP BY` look at.
        let unique = |r: &'a Relation| r.indexes.values().filter(|index| index.unique);
        let keys = |r: &'a Relation| r.constraints.iter().filter(|(_, constraint)| constraint.kind.has_index());
        let same = old.kind == new.kind
            && old.columns_known == new.columns_known
            && old.is_writable() == new.is_writable()
            // A view that has triggers takes rows.
            && (old.kind != RelationKind::View || old.trigger_functions == new.trigger_functions)
            && unique(old).eq(unique(new))
            && keys(old).eq(keys(new));
        if !same {
            return Self::More;
        }
        let differs = |of: &'a Relation, other: &'a Relation| {
            let columns = of.columns.iter().enumerate();
            columns
                .filter(|(at, column)| twin(other, *at, &column.name) != Some(column))
                .map(|(_, column)| &column.name)
        };
        Self::Columns(differs(old, new).chain(differs(new, old)).collect())
    }

    /// Whether a function's body may find what it did not find before, or no longer find it.
    fn concerns(&self, function: &Function, relation: &QName) -> bool {
        match self {
            Self::More => true,
            Self::Columns(columns) if columns.is_empty() => false,
            Self::Columns(columns) => {
                columns.iter().any(|column| function.mentions.contains(column))
                    || function.returns.contains(&*relation.name)
                    || function.source.whole_rows()
            }
        }
    }
}

/// What the columns of a domain lose with its default, where they have none of their own.
fn of_domain_default(domain: &QName, dropped: bool, schema: &Schema) -> Vec<Capability> {
    let shown = domain.to_string();
    let of = |column: &&Shared<Column>| {
        column.data_type.as_ref().is_some_and(|data_type| data_type.as_str() == shown) && !column.has_default()
    };
    let refuses_null = matches!(schema.user_type(domain), Some(UserType::Domain { not_null: true, .. }));
    let lost = |table: &QName, column: &Column| {
        let (relation, column_name) = (table.clone(), column.name.clone());
        match dropped && (column.not_null || refuses_null) {
            true => behaviour::filled_by_domain(table, &column.name),
            false => Capability::Default { relation, column: column_name },
        }
    };
    let tables = schema.relations().filter(|(_, relation)| relation.kind == RelationKind::Table);
    tables
        .flat_map(|(table, relation)| relation.columns.iter().filter(of).map(|c| lost(table, c)).collect::<Vec<_>>())
        .collect()
}

/// What a REVOKE takes that no migration gave.
fn held(object: &GrantObject, role: &str, privilege: &str, schema: &Schema) -> Vec<Capability> {
    let GrantObject::Relation(name) = object else { return Vec::new() };
    let name = schema.resolve(name);
    let Some(relation) = schema.relation(&name) else { return Vec::new() };
    let all =
        every_privilege(relation.kind, privilege).into_iter().map(|privilege| (role.to_owned(), privilege.to_owned()));
    let others = all.filter(|pair| !relation.grants.contains(pair));
    others.map(|(role, privilege)| Capability::Held { relation: name.clone(), role, privilege }).collect()
}

/// What an operation takes and gives that no schema shows.
fn unseen(operation: &Operation, before: &Schema) -> (Option<Capability>, Option<Capability>) {
    match operation {
        Operation::AlterSequence { name, changes_values: true, .. } => {
            (Some(behaviour::numbers(&before.resolve(name))), None)
        }
        Operation::AlterTable { table, change, .. } => unseen_of_table(change, &before.resolve(table), before),
        Operation::DropRelation { name, .. } => {
            let name = before.resolve(name);
            let parent = before.relation(&name).and_then(|r| r.parent.clone());
            (parent.map(|parent| behaviour::rows_of(&parent, &name)), None)
        }
        Operation::Data(data) if data.everything && data.verb != DataVerb::Update => {
            (data.table.as_ref().map(|table| behaviour::rows(&before.resolve(table))), None)
        }
        Operation::Object { kind, name, change, .. } => {
            let exists = |name: &str| Some(Capability::Object { kind: *kind, name: name.to_owned() });
            match change {
                ObjectChange::Create => (None, exists(name)),
                ObjectChange::Drop => (exists(name), None),
                ObjectChange::Rename { to } => (exists(name), exists(to)),
                ObjectChange::Alter => (Some(Capability::Unaltered { kind: *kind, name: name.clone() }), None),
            }
        }
        // It may do what another role may, or no longer what its owner may.
        Operation::AlterFunction { name, change: RoutineChange::Runs(words), .. } => {
            let name = before.resolve_function(name);
            let other = words.starts_with("owner to") || words.contains("invoker");
            let definer = before.functions(&name).iter().find(|function| function.definer && other);
            let sound = |function: &Function| {
                let signature = function.signature(&name);
                Capability::Sound { name: name.clone(), signature }
            };
            (definer.map(sound), None)
        }
        Operation::CreateTrigger { name, table, function: Some(function), firing, .. } => {
            let table = before.resolve(table);
            let fails = refuses_rows(before, &before.resolve_function(function), &table);
            (fails.then(|| behaviour::unrefused(&table, name, *firing)), None)
        }
        Operation::DropTrigger { name, table, .. } => {
            let table = before.resolve(table);
            let found = before.relation(&table).and_then(|r| Some((r.firing(name), r.trigger_functions.get(name)?)));
            let failing = found.filter(|(_, function)| refuses_rows(before, function, &table));
            (None, failing.map(|(firing, _)| behaviour::unrefused(&table, name, firing)))
        }
        Operation::DropFunction { name, cascade: true, .. } => {
            let function = before.resolve_function(name);
            let called = before.relations().find_map(|(table, relation)| {
                let (trigger, _) = relation.trigger_functions.iter().find(|(_, called)| **called == function)?;
                Some((table, trigger, relation.firing(trigger)))
            });
            let failing = called.filter(|(table, ..)| refuses_rows(before, &function, table));
            (None, failing.map(|(table, trigger, firing)| behaviour::unrefused(table, trigger, firing)))
        }
        _ => (None, None),
    }
}

fn unseen_of_table(change: &TableChange, table: &QName, before: &Schema) -> (Option<Capability>, Option<Capability>) {
    match change {
        TableChange::Owner { .. } => (Some(behaviour::owner(table)), None),
        TableChange::SetLogged { logged: false } => (Some(behaviour::crash_safe(table)), None),
        // Of an identity column.
        TableChange::Physical { what: "sequence", of: Some(column), .. } => {
            let owned =
                |relation: &Relation| relation.owned_by.as_ref().is_some_and(|(of, c)| of == table && c == column);
            let sequence = before.relations().find(|(_, relation)| owned(relation)).map(|(name, _)| name);
            (sequence.map(behaviour::numbers), None)
        }
        TableChange::AlterConstraint { name, .. } => (Some(behaviour::checked(table, name)), None),
        TableChange::DetachPartition { partition, .. } => {
            (Some(behaviour::rows_of(table, &before.resolve(partition))), None)
        }
        TableChange::AttachPartition { partition, .. } => {
            let partition = before.resolve(partition);
            (Some(behaviour::unbounded(&partition)), Some(behaviour::rows_of(table, &partition)))
        }
        TableChange::Inherit { parent, attach } => {
            let rows = behaviour::rows_of(&before.resolve(parent), table);
            if *attach { (None, Some(rows)) } else { (Some(rows), None) }
        }
        TableChange::SetDefault { column, default: _, runs: _, value: _ } => {
            let has = |c: &Column| !matches!(c.default, None | Some(DefaultValue::Null));
            let replaced = before.relation(table).and_then(|r| r.column(column)).is_some_and(has);
            let (relation, column) = (table.clone(), column.clone());
            (replaced.then_some(Capability::Default { relation, column }), None)
        }
        _ => (None, None),
    }
}

/// Whether a function refuses rows of a table as its trigger: it raises an exception, or its body fails there. A relation that is not there may be
/// made by then, and a key of one that a DO block or a function made anew is not known.
fn refuses_rows(schema: &Schema, function: &QName, table: &QName) -> bool {
    let fails = |problem: &String| {
        !problem.starts_with("relation ") && !problem.ends_with(SHADOWED) && !problem.contains(NO_ARBITER)
    };
    let mut bodies = schema.functions(function).iter().filter(|f| !f.tracked);
    // What it would find where the session looks is there, and it looks elsewhere.
    let elsewhere = |f: &Function, problems: &[String]| {
        f.path.is_some() && !problems.is_empty() && {
            let found = body_problems(&Function { path: None, ..f.clone() }, Some((table, function)), schema);
            problems.iter().any(|problem| !found.contains(problem))
        }
    };
    refuses(schema, function)
        || bodies.any(|f| {
            let problems = body_problems(f, Some((table, function)), schema);
            problems.iter().any(fails) || elsewhere(f, &problems)
        })
}

/// Whether a function's body raises an exception, or that of one whose name it mentions.
pub(crate) fn refuses(schema: &Schema, function: &QName) -> bool {
    schema.reached_from(vec![function.clone()]).flatten().any(|function| function.source.body().raises)
}

/// With how many arguments a call fits more than one overload, of the same types so far. One that needs no default is not preferred.
fn ambiguous(overloads: &[Function]) -> BTreeSet<usize> {
    let required = |f: &Function| f.arguments.iter().filter(|(_, default)| !default).count();
    let mut found = BTreeSet::new();
    for (i, a) in overloads.iter().enumerate() {
        for b in &overloads[i + 1..] {
            let same = a.arguments.iter().zip(&b.arguments).take_while(|((x, _), (y, _))| x == y).count();
            found.extend(required(a).max(required(b))..=same);
        }
    }
    found
}

/// Two states of a relation without what is the same in both: wide tables change by a column at a time. Kinds of parts that bear on each
/// other (a rule may be kept by a constraint or by an index) stay whole or go whole.
fn apart(old: &Relation, new: &Relation, same_types: bool) -> (Relation, Relation) {
    let columns = |of: &Relation, other: &Relation| -> Shared<Vec<Shared<Column>>> {
        let keep_all = !same_types || old.is_writable() != new.is_writable();
        let differs = |at: &usize| keep_all || twin(other, *at, &of.columns[*at].name) != Some(&of.columns[*at]);
        (0..of.columns.len()).filter(differs).map(|at| of.columns[at].clone()).collect()
    };
    let rules = old.constraints != new.constraints
        || old.indexes != new.indexes
        || old.policies != new.policies
        || old.row_security != new.row_security
        || old.force_row_security != new.force_row_security;
    let grants = old.grants != new.grants;
    let reduced = |of: &Relation, columns: Shared<Vec<Shared<Column>>>| Relation {
        columns,
        triggers: of.triggers.clone(),
        constraints: if rules { of.constraints.clone() } else { Shared::default() },
        indexes: if rules { of.indexes.clone() } else { Shared::default() },
        policies: if rules { of.policies.clone() } else { BTreeMap::new() },
        grants: if grants { of.grants.clone() } else { BTreeSet::new() },
        row_security: of.row_security,
        force_row_security: of.force_row_security,
        read_only: of.read_only,
        check_option: of.check_option,
        unfilled: of.unfilled,
        ..Relation::new(of.kind)
    };
    (reduced(old, columns(old, new)), reduced(new, columns(new, old)))
}

/// The column of a name, which mostly stands where it stood, or one place before.
fn twin<'a>(relation: &'a Relation, at: usize, name: &str) -> Option<&'a Column> {
    let near =
        [Some(at), at.checked_sub(1)].into_iter().flatten().filter_map(|at| relation.columns.get(at).map(|c| &**c));
    near.into_iter().find(|c| *c.name == *name).or_else(|| relation.column(name))
}

/// What a relation offers by being as it is.
pub(super) fn of_relation(schema: &Schema, name: &QName, relation: &Relation) -> Few<Capability> {
    let mut found = Few::new();
    found.insert(Capability::Relation(name.clone()));
    if relation.kind != RelationKind::Sequence {
        found.insert(Capability::Shape(name.clone()));
    }
    let writable = relation.is_writable();
    for column in &relation.columns {
        let written = relation.writes(column);
        let (relation, column_name) = (name.clone(), column.name.clone());
        let data_type = column.data_type.as_ref().map(|t| type_class(schema, t)).unwrap_or_default();
        found.insert(Capability::Read { relation: relation.clone(), column: column_name.clone(), data_type });
        if written {
            found.insert(Capability::Write { relation: relation.clone(), column: column_name.clone() });
        }
        if column.not_null {
            found.insert(Capability::NeverNull { relation, column: column_name });
        } else if writable {
            found.insert(Capability::AcceptsNull { relation, column: column_name });
        }
    }
    for rule in obeyed(relation) {
        found.insert(Capability::Ruled { relation: name.clone(), rule: Box::new(rule) });
    }
    // An index that was left invalid refuses duplicates, and is good for nothing else.
    for (index_name, index) in relation.indexes.iter().filter(|(_, index)| index.valid) {
        if index.unique
            && let Some(mut columns) = index.plain_key()
        {
            columns.sort();
            if relation.arbitrates(&columns) {
                found.insert(Capability::Arbiter { relation: name.clone(), columns });
            }
        }
        if index.unique && relation.tells_apart(index) {
            let mut columns: Vec<_> = index.key.iter().flatten().cloned().collect();
            columns.sort();
            let (relation, index) = (name.clone(), index_name.clone());
            found.insert(Capability::PartialArbiter { relation, index, columns });
        }
        found.insert(Capability::FastPath { relation: name.clone(), index: index_name.clone() });
    }
    if let Some(key) = relation.primary_key() {
        found.insert(Capability::Grouped { relation: name.clone(), columns: key.to_vec() });
    }
    found.extend(cascades(name, relation));
    // Only these can be named in ON CONFLICT ON CONSTRAINT.
    for (constraint, _) in relation.constraints.iter().filter(|(_, c)| c.kind.has_index()) {
        found.insert(Capability::ConstraintName { relation: name.clone(), name: constraint.clone() });
    }
    for (trigger, enabled) in &relation.triggers {
        if *enabled {
            found.insert(Capability::Trigger { relation: name.clone(), name: trigger.clone() });
        }
    }
    if writable && schema.lets_rows_go(name) {
        found.insert(Capability::Identified(name.clone()));
    }
    if !relation.hides_rows() {
        found.insert(Capability::RowsVisible(name.clone()));
    }
    if relation.kind == RelationKind::MaterializedView && !relation.unfilled {
        found.insert(Capability::Filled(name.clone()));
    }
    if !relation.hides_from_owner() {
        found.insert(behaviour::visible_to_owner(name));
    }
    if relation.row_security {
        let permissive = relation.policies.iter().filter(|(_, policy)| !policy.restrictive);
        found.extend(permissive.map(|(policy, definition)| Capability::Policy {
            relation: name.clone(),
            name: policy.clone(),
            text: definition.text.clone(),
        }));
    }
    for (role, privilege) in &relation.grants {
        let (role, privilege) = (role.clone(), privilege.clone());
        found.insert(Capability::Privilege { relation: name.clone(), role, privilege });
    }
    found
}

/// What a function's body does not find on a schema, for each table whose trigger it is.
pub(super) fn unsound(schema: &Schema, name: &QName, function: &Function) -> BTreeSet<String> {
    // PostgreSQL itself keeps what such a body needs.
    if function.tracked {
        return BTreeSet::new();
    }
    if function.returns != "trigger" {
        return body_problems(function, None, schema).into_iter().collect();
    }
    let calls = |relation: &Relation| relation.trigger_functions.values().any(|called| called == name);
    let tables = schema.relations().filter(|(_, relation)| calls(relation)).map(|(table, _)| table);
    tables.flat_map(|table| body_problems(function, Some((table, name)), schema)).collect()
}

/// What its foreign keys do to its rows when those that they point to are deleted.
pub(super) fn cascades(name: &QName, relation: &Relation) -> impl Iterator<Item = Capability> {
    relation.constraints.values().filter_map(|constraint| match &constraint.kind {
        TableRule::ForeignKey { columns, target, on_delete: OnDelete::Cascade | OnDelete::Set, .. } => {
            Some(Capability::Cascades { relation: target.clone(), child: name.clone(), columns: columns.clone() })
        }
        _ => None,
    })
}

/// The rules that all rows of a relation are known to obey: new rows obey a `NOT VALID` constraint, old ones perhaps not.
pub(super) fn obeyed(relation: &Relation) -> BTreeSet<RowRule> {
    if relation.constraints.values().all(|c| c.valid) {
        return rules(relation);
    }
    let mut known = relation.clone();
    known.constraints.retain(|_, c| c.valid);
    rules(&known)
}

/// Rows collide in the same columns, whatever their order in an index.
fn sorted(mut columns: Vec<Ident>) -> Vec<Ident> {
    columns.sort();
    columns
}

/// The rules that new rows of a relation must obey.
pub(super) fn rules(relation: &Relation) -> BTreeSet<RowRule> {
    // A key demands what its index does.
    let own = relation
        .constraints
        .iter()
        .filter(|(_, c)| c.enforced)
        .filter(|(name, c)| !(c.kind.has_index() && relation.indexes.get(*name).is_some_and(|i| i.unique)));
    let constraints = own.map(|(name, constraint)| match &constraint.kind {
        TableRule::Check { .. } => RowRule::Check { name: name.clone(), rule: constraint.kind.clone() },
        // A primary key demands uniqueness here; that it refuses NULL is told by its columns.
        TableRule::PrimaryKey { columns } | TableRule::Unique { columns } => {
            RowRule::Constraint(TableRule::Unique { columns: sorted(columns.clone()) })
        }
        rule => RowRule::Constraint(rule.clone()),
    });
    let unique = relation.indexes.iter().filter(|(_, index)| index.unique).map(|(name, index)| {
        match index.plain_key().filter(|_| !index.nulls_collide && index.compares_plainly()) {
            Some(columns) => RowRule::Constraint(TableRule::Unique { columns: sorted(columns) }),
            None => RowRule::UniqueIndex {
                name: name.clone(),
                key: index.key.iter().flatten().cloned().collect(),
                columns: index.key.iter().flatten().chain(&index.mentions).cloned().collect(),
                predicate: index.predicate.clone(),
                nulls_collide: index.nulls_collide,
                plain: index.compares_plainly(),
            },
        }
    });
    let policies = relation.policies.iter().filter(|(_, policy)| policy.restrictive && relation.row_security);
    let policies = policies.map(|(name, policy)| RowRule::Check {
        name: format!("policy {name}").into(),
        rule: TableRule::Check { columns: Vec::new(), not_null: true, expression: policy.text.clone() },
    });
    let shown = relation.check_option.then(|| RowRule::Check {
        name: "check option".into(),
        rule: TableRule::Check { columns: Vec::new(), not_null: true, expression: "".into() },
    });
    constraints.chain(unique).chain(policies).chain(shown).collect()
}

fn of_type(schema: &Schema, name: &QName) -> Few<Capability> {
    let mut found = Few::new();
    let Some(definition) = schema.user_type(name) else { return found };
    found.insert(Capability::Type(name.clone()));
    match definition {
        UserType::Enum(labels) => {
            let accepts = |label: &Ident| Capability::Label { name: name.clone(), label: label.clone() };
            found.extend(labels.iter().map(accepts));
        }
        UserType::Composite(attributes) => {
            found.extend(attributes.iter().map(|(attribute, data_type)| {
                let (name, attribute, data_type) = (name.clone(), attribute.clone(), type_class(schema, data_type));
                Capability::Attribute { name, attribute, data_type }
            }));
        }
        UserType::Domain { .. } | UserType::Range(_) | UserType::Other => {}
    }
    found
}

/// What values of a domain must obey.
fn rules_of_domain(definition: &UserType) -> BTreeSet<Ident> {
    match definition {
        UserType::Domain { not_null, checks, .. } => {
            checks.keys().cloned().chain(not_null.then(|| "NOT NULL".into())).collect()
        }
        UserType::Enum(_) | UserType::Composite(_) | UserType::Range(_) | UserType::Other => BTreeSet::new(),
    }
}

fn of_function(schema: &Schema, name: &QName) -> Few<Capability> {
    let call = |function: &crate::schema::Function| {
        let types: Vec<_> = function.arguments.iter().map(|(t, _)| t.as_str()).collect();
        let signature = format!("({}) returning {}", types.join(", "), function.returns);
        Capability::Call { name: name.clone(), signature }
    };
    schema.functions(name).iter().map(call).collect()
}

/// What a whole value of a composite type has.
fn shape(attributes: &[(Ident, crate::sql::TypeName)]) -> Ident {
    attributes.iter().map(|(_, data_type)| data_type.as_str()).collect::<Vec<_>>().join(", ").into()
}

fn of_namespace(schema: &Schema, name: &Ident) -> Few<Capability> {
    schema.has_namespace(name).then(|| Capability::Namespace(name.clone())).into_iter().collect()
}

/// Whether a schema offers a capability that is not about a relation.
pub(super) fn of_others(schema: &Schema, capability: &Capability) -> bool {
    match capability {
        Capability::Attributes { name, shape: wanted } => {
            matches!(schema.user_type(name), Some(UserType::Composite(found)) if shape(found) == *wanted)
        }
        Capability::Taken { name, rule } => {
            schema.user_type(name).is_some_and(|definition| !rules_of_domain(definition).contains(rule))
        }
        Capability::Type(name) | Capability::Label { name, .. } | Capability::Attribute { name, .. } => {
            of_type(schema, name).contains(capability)
        }
        Capability::KnownLabels(name) => schema.user_type(name).is_some(),
        Capability::Call { name, .. } => of_function(schema, name).contains(capability),
        Capability::Namespace(name) => schema.has_namespace(name),
        Capability::Extension(name) => schema.extensions().any(|e| e == name),
        _ => false,
    }
}

/// Labels of an enum that readers of the old schema do not know.
fn new_labels(effect: &Effect, before: &Schema) -> Vec<(QName, Ident)> {
    let labels = effect.adds.iter().filter_map(|c| match c {
        Capability::Label { name, label } if before.user_type(name).is_some() => Some((name.clone(), label.clone())),
        _ => None,
    });
    labels.collect()
}
