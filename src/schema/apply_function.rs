//! Functions, and what is published: what a schema is after a statement on them.

use std::sync::Arc;

use super::apply::{Change, Object, searched};
use super::model::{Function, Index, Publication, PublishedTables, QName, Relation, TableRule};
use super::refusals::takes;
use super::{Caller, Schema};
use crate::sql::operation::{
    CreateFunction, Ident, ObjectChange, PublishVerb, Publishes, RoutineChange, TableChange, path_in,
};
use crate::sql::{Name, renamed_call};

impl Change {
    pub(super) fn create_function(&mut self, function: &CreateFunction) {
        let name = self.created(&function.name);
        self.touched.insert(Object::Function(name.clone()));
        let types = |f: &Function| f.arguments.iter().map(|(t, _)| t.clone()).collect::<Vec<_>>();
        let new = Function {
            arguments: function.arguments.clone(),
            returns: function.returns.clone(),
            outputs: function.outputs.clone(),
            inputs: function.inputs.clone(),
            names: function.names.clone(),
            source: Arc::clone(&function.source),
            tracked: function.tracked,
            volatile: function.volatile,
            immutable: function.immutable,
            definer: function.definer,
            path: function.path.as_deref().map(searched),
            mentions: Arc::clone(&function.mentions),
            body: function.body.clone(),
        };
        let mut overloads = self.schema.functions(&name).to_vec();
        let returns = |f: &Function| f.returns != new.returns && !f.returns.is_empty() && !new.returns.is_empty();
        match overloads.iter_mut().find(|old| types(old) == types(&new)) {
            Some(old) if function.or_replace && returns(old) => {
                let signature = new.signature(&name);
                let why = format!(
                    "CREATE OR REPLACE FUNCTION {signature} cannot make it return {} instead of {}",
                    new.returns, old.returns
                );
                self.refused(why);
            }
            Some(old) if function.or_replace && renamed_input(old, &new).is_some() => {
                let lost = renamed_input(old, &new).unwrap_or_default();
                let signature = new.signature(&name);
                self.refused(format!(
                    "CREATE OR REPLACE FUNCTION {signature} cannot change the name of input parameter \"{lost}\""
                ));
            }
            Some(old) if function.or_replace && loses_default(old, &new) => {
                let signature = new.signature(&name);
                self.refused(format!(
                    "CREATE OR REPLACE FUNCTION {signature} cannot remove parameter defaults from existing function"
                ));
            }
            Some(_) if !function.or_replace => self.exists(format!("function {}", new.signature(&name))),
            Some(old) => *old = new,
            None => overloads.push(new),
        }
        self.schema.functions.insert(name, Arc::new(overloads));
    }

    pub(super) fn drop_function(
        &mut self,
        name: &Name,
        arguments: Option<&[crate::sql::TypeName]>,
        if_exists: bool,
        cascade: bool,
    ) {
        let aggregate = self.schema.has_aggregate(name);
        let name = self.schema.resolve_function(name);
        self.touched.insert(Object::Function(name.clone()));
        let mut overloads = self.schema.functions(&name).to_vec();
        match meant(&overloads, arguments) {
            Some(at) => _ = overloads.remove(at),
            None if !if_exists && !aggregate => self.missing(format!("function {name}")),
            None => {}
        }
        if overloads.is_empty() {
            if cascade {
                self.drop_triggers_of(&name);
                self.drop_callers_of(&name);
            }
            self.schema.functions.remove(&name);
        } else {
            self.schema.functions.insert(name, Arc::new(overloads));
        }
    }

    /// Those functions of a name that name a type which goes, and what calls them.
    pub(super) fn drop_functions_of_type(&mut self, name: &QName, of: &QName) {
        self.touched.insert(Object::Function(name.clone()));
        let shown = of.to_string();
        let mut overloads = self.schema.functions(name).to_vec();
        overloads.retain(|function| !self.schema.is_function_of(function, of, &shown));
        if overloads.is_empty() {
            self.drop_triggers_of(name);
            self.drop_callers_of(name);
            self.schema.functions.remove(name);
        } else {
            self.schema.functions.insert(name.clone(), Arc::new(overloads));
        }
    }

    pub(super) fn alter_function(
        &mut self,
        name: &Name,
        arguments: Option<&[crate::sql::TypeName]>,
        change: &RoutineChange,
    ) {
        if self.schema.has_aggregate(name) {
            return;
        }
        let name = self.schema.resolve_function(name);
        self.touched.insert(Object::Function(name.clone()));
        let mut overloads = self.schema.functions(&name).to_vec();
        let Some(at) = meant(&overloads, arguments) else { return self.missing(format!("function {name}")) };
        let to = match change {
            RoutineChange::Rename(to) => QName { name: to.clone(), ..name.clone() },
            RoutineChange::Move(to) => QName { schema: to.clone(), ..name.clone() },
            RoutineChange::Runs(words) => {
                let function = &mut overloads[at];
                let says = |wanted: &str| words.split(' ').any(|word| word == wanted);
                if ["immutable", "stable", "volatile"].into_iter().any(says) {
                    (function.immutable, function.volatile) = (says("immutable"), says("volatile"));
                }
                function.definer = says("definer") || (function.definer && !says("invoker"));
                match path_in(words) {
                    Some(path) => function.path = Some(searched(&path)),
                    None if words.contains("reset search_path") || words.contains("reset all") => function.path = None,
                    None => {}
                }
                // Costs, owners and what may run beside it change nothing of what it does; `FunctionBody::digest` leaves them out as well.
                let counts =
                    ["set", "reset", "definer", "invoker", "strict", "null", "immutable", "stable", "volatile"];
                if counts.into_iter().any(says) {
                    function.body = format!("{} {words}", function.body).into();
                }
                self.schema.functions.insert(name, Arc::new(overloads));
                return;
            }
        };
        if to == name {
            return;
        }
        self.touched.insert(Object::Function(to.clone()));
        let function = overloads.remove(at);
        let mut others = self.schema.functions(&to).to_vec();
        let types = |f: &Function| f.arguments.iter().map(|(t, _)| t.clone()).collect::<Vec<_>>();
        if others.iter().any(|other| types(other) == types(&function)) {
            return self.exists(format!("function {}", function.signature(&to)));
        }
        self.callers_follow(&name, &to);
        // Triggers call the one without arguments.
        if function.arguments.is_empty() {
            self.triggers_follow(&name, &to);
        }
        others.push(function);
        self.schema.functions.insert(to, Arc::new(others));
        if overloads.is_empty() {
            self.schema.functions.remove(&name);
        } else {
            self.schema.functions.insert(name, Arc::new(overloads));
        }
    }

    /// What else calls a function goes on doing so under its new name.
    fn callers_follow(&mut self, from: &QName, to: &QName) {
        let renamed = |text: &Ident| Ident::from(renamed_call(text, &from.name, &to.name));
        let callers = if from.name == to.name { Vec::new() } else { self.schema.callers(from) };
        for (name, caller) in callers {
            self.edit(&name, |relation| {
                relation.runs.remove(&from.name);
                relation.runs.insert(to.name.clone());
                match &caller {
                    Caller::View => {}
                    Caller::Constraint(part) => {
                        if let Some(TableRule::Check { expression, .. }) =
                            relation.constraints.get_mut(part).map(|constraint| &mut constraint.kind)
                        {
                            *expression = renamed(expression);
                        }
                    }
                    Caller::Index(part) => {
                        if let Some(index) = relation.indexes.get_mut(part) {
                            let Index { expressions, predicate, .. } = &mut **index;
                            expressions.iter_mut().chain(predicate).for_each(|text| *text = renamed(text));
                        }
                    }
                    Caller::Policy(part) => {
                        let policy = relation.policies.get_mut(part).into_iter();
                        policy.for_each(|policy| policy.text = renamed(&policy.text));
                    }
                    Caller::Column { column, .. } => {
                        let columns = relation.columns.iter_mut().filter(|known| known.name == *column);
                        let called =
                            columns.flat_map(|column| &mut column.calls).filter(|called| **called == from.name);
                        called.for_each(|called| called.clone_from(&to.name));
                    }
                }
            });
        }
    }

    /// Triggers that call a function go on doing so under its new name.
    fn triggers_follow(&mut self, from: &QName, to: &QName) {
        let calls = |relation: &Relation| relation.trigger_functions.values().any(|called| called == from);
        let tables: Vec<QName> =
            self.schema.relations().filter(|(_, r)| calls(r)).map(|(name, _)| name.clone()).collect();
        for table in tables {
            self.edit(&table, |relation| {
                let called = relation.trigger_functions.values_mut().filter(|called| *called == from);
                called.for_each(|called| called.clone_from(to));
            });
        }
    }

    /// Arguments and results of a type that bears another name now.
    pub(super) fn retype_functions(&mut self, old: &str, new: &str) {
        let renamed = |text: &str| match text.strip_prefix("setof ") {
            Some(rest) if rest.trim_end_matches("[]") == old => Some(text.replacen(old, new, 1)),
            None if text.trim_end_matches("[]") == old => Some(text.replacen(old, new, 1)),
            _ => None,
        };
        let uses = |f: &Function| {
            renamed(&f.returns).is_some()
                || f.arguments.iter().any(|(t, _)| renamed(t.as_str()).is_some())
                || f.outputs.iter().any(|(_, t)| renamed(t.as_str()).is_some())
        };
        let names: Vec<QName> = self
            .schema
            .functions
            .iter()
            .filter(|(_, all)| all.iter().any(uses))
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            let mut overloads = self.schema.functions(&name).to_vec();
            for function in &mut overloads {
                if let Some(text) = renamed(&function.returns) {
                    function.returns = text;
                }
                let arguments = function.arguments.iter_mut().map(|(data_type, _)| data_type);
                for data_type in arguments.chain(function.outputs.iter_mut().map(|(_, data_type)| data_type)) {
                    if let Some(text) = renamed(data_type.as_str()) {
                        *data_type = crate::sql::TypeName::canonical(text);
                    }
                }
            }
            self.touched.insert(Object::Function(name.clone()));
            self.schema.functions.insert(name, Arc::new(overloads));
        }
    }

    /// The triggers that call a function go with it.
    pub(super) fn drop_triggers_of(&mut self, function: &QName) {
        let calls = |relation: &Relation| relation.trigger_functions.values().any(|called| called == function);
        let tables: Vec<QName> =
            self.schema.relations().filter(|(_, r)| calls(r)).map(|(name, _)| name.clone()).collect();
        for table in tables {
            self.edit(&table, |relation| {
                let gone: Vec<Ident> = relation
                    .trigger_functions
                    .iter()
                    .filter(|(_, called)| *called == function)
                    .map(|(name, _)| name.clone())
                    .collect();
                for trigger in gone {
                    relation.drop_trigger(&trigger);
                }
            });
        }
    }

    /// What else calls a function goes with it: views, and parts of tables.
    pub(super) fn drop_callers_of(&mut self, function: &QName) {
        for (name, caller) in self.schema.callers(function) {
            match caller {
                Caller::View => self.remove(&name),
                Caller::Constraint(part) => self.edit(&name, |relation| _ = relation.constraints.remove(&part)),
                Caller::Index(part) => self.drop_index(&name, &part),
                Caller::Policy(part) => self.edit(&name, |relation| _ = relation.policies.remove(&part)),
                Caller::Column { column, generated: true } => {
                    let change = TableChange::DropColumn { column, if_exists: true, cascade: true };
                    self.change_table(&name, &change);
                }
                Caller::Column { column, generated: false } => {
                    self.change_table(&name, &TableChange::DropDefault { column });
                }
            }
        }
    }

    /// Makes the publications that name a table follow it.
    pub(super) fn published(&mut self, table: &QName, follow: impl Fn(&mut PublishedTables)) {
        let naming: Vec<Ident> = {
            let all = self.schema.publications.iter();
            all.filter(|(_, publication)| publication.tables.contains_key(table))
                .map(|(name, _)| name.clone())
                .collect()
        };
        for name in naming {
            if let Some(publication) = self.schema.publications.get_mut(&name) {
                follow(&mut Arc::make_mut(publication).tables);
            }
        }
    }

    /// The tables that inherit from one without being partitions of it.
    fn heirs(&self, table: &QName) -> Vec<QName> {
        let partitioned = self.schema.relation(table).is_some_and(|relation| relation.partitioned);
        let below = self.schema.relations().map(|(name, _)| name).filter(|_| !partitioned);
        below.filter(|name| self.schema.ancestors(name).any(|above| above == table)).cloned().collect()
    }

    pub(super) fn publication(&mut self, name: &str, change: &ObjectChange, publishes: Option<&Publishes>) {
        let name: Ident = name.trim_matches('"').into();
        let touched = |schema: &Schema, publication: &Publication| -> Vec<QName> {
            schema.relations().map(|(name, _)| name).filter(|name| publication.has(name)).cloned().collect()
        };
        let old = self.schema.publications.get(&name).cloned();
        let mut publication = match (change, &old) {
            (ObjectChange::Create, _) | (_, None) => Publication { changes: true, ..Publication::default() },
            (_, Some(old)) => (**old).clone(),
        };
        match change {
            ObjectChange::Drop => _ = self.schema.publications.remove(&name),
            ObjectChange::Rename { to } => {
                self.schema.publications.remove(&name);
                self.schema.insert_publication(to.clone(), publication.clone());
            }
            ObjectChange::Create | ObjectChange::Alter => {
                let Some(publishes) = publishes else { return };
                let named = publishes.all || !publishes.tables.is_empty() || !publishes.schemas.is_empty();
                if publishes.verb == PublishVerb::Set && named {
                    publication = Publication { changes: publication.changes, ..Publication::default() };
                }
                publication.changes = publishes.changes.unwrap_or(publication.changes);
                publication.all |= publishes.all;
                for published in &publishes.tables {
                    let table = self.schema.resolve(&published.table);
                    match publishes.verb {
                        PublishVerb::Drop => _ = publication.tables.remove(&table),
                        PublishVerb::Set | PublishVerb::Add => {
                            let parts = || (published.columns.clone(), published.filter.clone());
                            let heirs: Vec<QName> = self.heirs(&table);
                            publication.tables.extend(heirs.into_iter().chain([table]).map(|name| (name, parts())));
                        }
                    }
                }
                for schema in &publishes.schemas {
                    match publishes.verb {
                        PublishVerb::Drop => _ = publication.schemas.remove(schema),
                        PublishVerb::Set | PublishVerb::Add => _ = publication.schemas.insert(schema.clone()),
                    }
                }
                self.schema.insert_publication(name, publication.clone());
            }
        }
        let mut tables = touched(&self.schema, &publication);
        tables.extend(old.iter().flat_map(|old| touched(&self.schema, old)));
        tables.iter().for_each(|table| self.touch(table));
    }
}

/// Which of several functions a statement means: the one of just these types, or else one whose types are spelled in another way.
fn meant(overloads: &[Function], arguments: Option<&[crate::sql::TypeName]>) -> Option<usize> {
    let Some(arguments) = arguments else { return (!overloads.is_empty()).then_some(0) };
    let exact = |f: &Function| f.arguments.iter().map(|(t, _)| t).eq(arguments);
    let exact = overloads.iter().position(exact);
    exact.or_else(|| overloads.iter().position(|function| takes(function, arguments)))
}

/// The first named argument of a function that another form of it calls otherwise.
fn renamed_input(old: &Function, new: &Function) -> Option<String> {
    let mut pairs = old.inputs.iter().zip(&new.inputs);
    pairs.find(|(was, is)| !was.is_empty() && was != is).map(|(was, _)| was.to_string())
}

/// Whether an argument that had a default would have none.
fn loses_default(old: &Function, new: &Function) -> bool {
    let mut pairs = old.arguments.iter().zip(&new.arguments);
    pairs.any(|((_, had), (_, has))| *had && !has)
}
