//! What a statement names beside relations and is not there: types, functions, schemas, publications, …. It may have been made where nobody
//! could read it, so it is told as unknown, with the way to show the schema; and not at all where an extension may have it.

use std::collections::BTreeSet;

use super::super::apply::Problem;
use super::super::resolve;
use super::super::{QName, Schema};
use super::expressions::written;
use super::{Catalog, signature};
use crate::schema::model::Relation;
use crate::sql::lex::{Lexeme, TokenKind, lex, lexemes};

use crate::sql::operation::{
    AttributeChange, ConstraintDefinition, ConstraintKind, CreateIndex, CreateStatistics, GrantObject, Ident,
    ObjectChange, ObjectKind, Operation, Publishes, TableChange, TypeDefinition,
};
use crate::sql::query::{Expr, QueryExpression};
use crate::sql::{Name, TypeName};

/// What an operation names that a schema does not have, and what it makes that the schema has.
pub(in crate::schema) fn of(schema: &Schema, operation: &Operation) -> Vec<Problem> {
    let mut look = Look { schema, found: Vec::new() };
    look.operation(operation);
    look.found
}

/// Kinds of objects that are followed by name. Roles and databases are those of the whole server; what has a signature has many spellings.
const FOLLOWED: [ObjectKind; 12] = [
    ObjectKind::AccessMethod,
    ObjectKind::Aggregate,
    ObjectKind::Cast,
    ObjectKind::Collation,
    ObjectKind::EventTrigger,
    ObjectKind::ForeignDataWrapper,
    ObjectKind::Operator,
    ObjectKind::OperatorClass,
    ObjectKind::Server,
    ObjectKind::Statistics,
    ObjectKind::Subscription,
    ObjectKind::TextSearch,
];

/// Those of which several have one name here: they are told apart by types, which have many spellings.
pub(in crate::schema) const SIGNED: [ObjectKind; 4] =
    [ObjectKind::Aggregate, ObjectKind::Cast, ObjectKind::Operator, ObjectKind::OperatorClass];

/// How statements begin, and the words that stand before what they need.
const WORDED: [(&str, &str, ObjectKind); 5] = [
    ("", "collate", ObjectKind::Collation),
    ("create collation", "from", ObjectKind::Collation),
    ("create foreign table", "server", ObjectKind::Server),
    ("create user mapping", "server", ObjectKind::Server),
    ("create server", "wrapper", ObjectKind::ForeignDataWrapper),
];

/// The name of an object that is followed, as it is kept.
pub(in crate::schema) fn followed(kind: ObjectKind, name: &str) -> Option<(ObjectKind, Ident)> {
    // The options of what is created may stand behind its name.
    let name = name.split('(').next().unwrap_or(name).trim_end();
    FOLLOWED.contains(&kind).then(|| (kind, name.strip_prefix("public.").unwrap_or(name).into()))
}

impl Schema {
    /// The relation that a string names, if a schema that is there does not have it.
    pub(in crate::schema) fn lacks_relation(&self, text: &str) -> Option<QName> {
        let found = self.named_in(text)?;
        (self.relation(&found).is_none() && self.has_namespace(&found.schema)).then_some(found)
    }

    /// What a statement names by a word before it (`COLLATE x`, `SERVER x`), and that nobody is known to have made.
    pub(crate) fn lacks_worded(&self, statement: &str) -> Option<String> {
        let pieces: Vec<Lexeme<'_>> = lexemes(statement).filter(Lexeme::solid).collect();
        pieces.first().filter(|first| first.is_any(&["create", "alter"]))?;
        let begins = |head: &str| {
            head.split_whitespace().enumerate().all(|(at, word)| pieces.get(at).is_some_and(|piece| piece.is(word)))
        };
        WORDED.iter().filter(|(head, ..)| begins(head)).find_map(|(_, word, kind)| {
            let behind = pieces.windows(2).enumerate().filter(|(_, pair)| pair[0].is(word));
            // A schema before it has it, or is told.
            let bare = behind.filter(|(at, _)| !pieces.get(at + 2).is_some_and(|next| next.symbol(".")));
            let mut names = bare.filter_map(|(_, pair)| name_of(&[&pair[1]]));
            let name = names.find(|name| !self.may_have(*kind, &name.name) && !self.brings(*kind, &name.name))?;
            Some(format!("{} {name}", kind.words()))
        })
    }

    /// Whether the server has an object from the start, or from its system, or an extension may have brought it.
    fn brings(&self, kind: ObjectKind, name: &str) -> bool {
        const COLLATIONS: [&str; 6] = ["default", "C", "POSIX", "ucs_basic", "unicode", "pg_c_utf8"];
        match kind {
            // Those of the operating system have a mark in their names.
            ObjectKind::Collation => COLLATIONS.contains(&name) || name.contains(['_', '-', '.', '@']),
            ObjectKind::ForeignDataWrapper => self.extensions().next().is_some(),
            _ => false,
        }
    }

    /// The relation that a text names, as `regclass` reads it.
    pub(crate) fn named_in(&self, text: &str) -> Option<QName> {
        let pieces = lex(text);
        let name = name_of(&pieces.iter().filter(|piece| piece.solid()).collect::<Vec<_>>())?;
        Some(self.resolve(&name))
    }
}

struct Look<'s> {
    schema: &'s Schema,
    found: Vec<Problem>,
}

impl Look<'_> {
    fn missing(&mut self, what: String) {
        self.found.push(Problem::Missing(what));
    }

    fn operation(&mut self, operation: &Operation) {
        match operation {
            Operation::CreateTable(table) => {
                self.home(&table.name);
                table.columns.iter().for_each(|column| self.data_type(&column.data_type));
                table.columns.iter().for_each(|column| self.calls(column.value.as_deref()));
                table.constraints.iter().for_each(|definition| self.constraint(definition));
                table.partition_values.iter().for_each(|value| self.calls(value.as_deref()));
                let (name, relation) = (self.schema.resolve(&table.name), written(table));
                table.constraints.iter().for_each(|definition| self.extension_for(&name, &relation, definition));
                table.query.iter().for_each(|(_, body)| self.query(body));
            }
            Operation::AlterTable { table, change, .. } => match change {
                TableChange::AddColumn { column, constraints, .. } => {
                    self.data_type(&column.data_type);
                    self.calls(column.value.as_deref());
                    constraints.iter().for_each(|definition| self.constraint(definition));
                }
                TableChange::SetType { data_type, value, .. } => {
                    self.data_type(data_type);
                    self.calls(value.as_deref());
                }
                TableChange::SetDefault { value, .. } => self.calls(value.as_deref()),
                TableChange::AddConstraint(definition) => {
                    self.constraint(definition);
                    let name = self.schema.resolve(table);
                    if let Some(relation) = self.schema.relation(&name) {
                        self.extension_for(&name, relation, definition);
                    }
                }
                TableChange::Inherit { parent, .. } => self.relation(parent),
                _ => {}
            },
            Operation::MoveRelation { to, .. } | Operation::MoveType { to, .. } => self.namespace(to),
            Operation::CreateView(view) => {
                self.home(&view.name);
                self.query(&view.body);
            }
            Operation::CreateSequence { name, owned_by, .. } => {
                self.home(name);
                owned_by.iter().for_each(|(table, _)| self.relation(table));
            }
            Operation::CreateIndex(index) => {
                self.found.extend(self.schema.lacks_class(index).map(Problem::Missing));
                self.index_extension(index);
                index.values.iter().for_each(|value| self.calls(value.as_deref()));
                self.calls(index.condition.as_deref());
            }
            Operation::CreateType { name, definition, .. } => {
                self.home(name);
                match definition {
                    TypeDefinition::Composite(attributes) => attributes.iter().for_each(|(_, t)| self.data_type(t)),
                    TypeDefinition::Domain { base, .. } => self.data_type(base),
                    TypeDefinition::Range(over) => self.data_type(over),
                    TypeDefinition::Enum(_) | TypeDefinition::Other => {}
                }
            }
            Operation::AlterComposite {
                change: AttributeChange::Add { data_type, .. } | AttributeChange::SetType { data_type, .. },
                ..
            } => self.data_type(data_type),
            Operation::CreateFunction(function) => {
                self.home(&function.name);
                function.arguments.iter().for_each(|(data_type, _)| self.data_type(data_type));
                function.outputs.iter().for_each(|(_, data_type)| self.data_type(data_type));
                let returns = function.returns.strip_prefix("setof ").unwrap_or(&function.returns);
                if !returns.starts_with("table(") {
                    self.data_type(&TypeName::canonical(returns));
                }
                let known = ["sql", "plpgsql", "c", "internal"].contains(&function.source.language());
                if !known && self.schema.extensions().next().is_none() {
                    self.missing(format!("language {}", function.source.language()));
                }
            }
            Operation::CreateTrigger { function: Some(function), .. } => self.function(function),
            Operation::CreatePolicy { conditions, .. } | Operation::AlterPolicy { conditions, .. } => {
                conditions.iter().for_each(|condition| self.calls(condition.as_deref()));
            }
            Operation::DropExtension { name, if_exists: false, .. } => self.extension(name),
            Operation::AlterSequence { owned_by: Some((table, _)), .. } => self.relation(table),
            Operation::Comment { object, relation: None } => self.named(object),
            Operation::Privileges { objects, .. } => {
                for object in objects {
                    match object {
                        GrantObject::Other(words) => self.named(words),
                        GrantObject::AllIn { schemas, .. } | GrantObject::Future { schemas, .. } => {
                            schemas.iter().for_each(|name| self.namespace(name));
                        }
                        GrantObject::Relation(_) => {}
                    }
                }
            }
            Operation::Object { kind: ObjectKind::Publication, name, change, publishes, lenient, .. } => {
                self.publication(name, change, publishes.as_deref(), *lenient);
            }
            Operation::Object { kind, name, change, lenient, statistics, runs, .. } => {
                self.object(*kind, name, change, *lenient);
                runs.iter().for_each(|function| self.function(function));
                statistics.iter().for_each(|statistics| self.statistics(statistics));
            }
            _ => {}
        }
    }

    /// The extension that an exclusion constraint needs.
    fn extension_for(&mut self, name: &QName, relation: &Relation, definition: &ConstraintDefinition) {
        let ConstraintKind::Exclude { method, values, .. } = &definition.kind else { return };
        let catalog = Catalog { schema: self.schema };
        let lacking =
            catalog.compared(name, relation, values).find_map(|data_type| catalog.lacks_extension(method, &data_type));
        self.found.extend(lacking.map(Problem::Missing));
    }

    /// The extension that an index needs.
    fn index_extension(&mut self, index: &CreateIndex) {
        let name = self.schema.resolve(&index.table);
        let Some(relation) = self.schema.relation(&name) else { return };
        let catalog = Catalog { schema: self.schema };
        let mut plain =
            catalog.keyed(&name, relation, index).filter(|(at, _)| index.classes.get(*at).is_none_or(Option::is_none));
        let lacking = plain.find_map(|(_, data_type)| catalog.lacks_extension(&index.method, &data_type));
        self.found.extend(lacking.map(Problem::Missing));
    }

    /// The functions that the query of a view or a table calls.
    fn query(&mut self, query: &QueryExpression) {
        let absent = resolve::query_absent(query, self.schema);
        self.found.extend(absent.into_iter().map(|problem| Problem::Missing(problem.lacking())));
    }

    /// The schema that something is made in.
    fn home(&mut self, name: &Name) {
        if let Some(schema) = &name.schema {
            self.namespace(schema);
        }
    }

    fn extension(&mut self, name: &Ident) {
        if **name != *"plpgsql" && !self.schema.extensions().any(|found| found == name) {
            self.missing(format!("extension {name}"));
        }
    }

    fn relation(&mut self, name: &Name) {
        let found = self.schema.resolve(name);
        if self.schema.relation(&found).is_none() {
            self.missing(format!("relation {found}"));
        }
    }

    fn namespace(&mut self, name: &Ident) {
        let known = self.schema.has_namespace(name) || name.starts_with("pg_") || **name == *"information_schema";
        if !known {
            self.missing(format!("schema {name}"));
        }
    }

    fn data_type(&mut self, data_type: &TypeName) {
        if !resolve::may_be_type(self.schema, data_type) {
            self.missing(format!("type {}", data_type.base()));
        }
    }

    fn constraint(&mut self, definition: &ConstraintDefinition) {
        match &definition.kind {
            ConstraintKind::Check { condition, .. } => self.calls(condition.as_deref()),
            ConstraintKind::Exclude { values, classed, condition, .. } => {
                values.iter().chain(classed).chain([condition]).for_each(|expr| self.calls(expr.as_deref()));
            }
            _ => {}
        }
    }

    /// The functions that an expression calls, and the types that it names.
    fn calls(&mut self, expr: Option<&Expr>) {
        let Some(expr) = expr else { return };
        match expr {
            Expr::Call(call) => {
                self.function(&call.name);
                if let ("nextval" | "currval" | "setval", Some(Expr::Text(text, _))) =
                    (&*call.name.name, call.arguments.first())
                {
                    self.sequence(text);
                }
            }
            Expr::Cast(_, data_type, _) => self.data_type(data_type),
            _ => {}
        }
        expr.parts().into_iter().for_each(|part| self.calls(Some(part)));
    }

    /// A sequence, as a string names it.
    fn sequence(&mut self, text: &str) {
        if let Some(name) = self.schema.lacks_relation(text) {
            self.missing(format!("relation {name}"));
        }
    }

    fn function(&mut self, name: &Name) {
        if !resolve::may_be_function(self.schema, name) {
            self.missing(format!("function {name}"));
        }
    }

    /// What `COMMENT`, `GRANT` and `REVOKE` are on, as their words say it.
    fn named(&mut self, words: &str) {
        let pieces: Vec<Lexeme<'_>> = lex(words).into_iter().filter(Lexeme::solid).collect();
        let Some((kind, rest)) = pieces.split_first() else { return };
        if let Some((_, named)) = signature::routines(words) {
            for routine in &named {
                self.function(&routine.name);
                self.found.extend(self.schema.lacks_overload(routine).map(Problem::Missing));
            }
            return;
        }
        for names in rest.split(|piece| piece.symbol(",")) {
            let until = |piece: &&Lexeme<'_>| !piece.symbol("(") && !piece.is("on");
            let Some(name) = name_of(&names.iter().take_while(until).collect::<Vec<_>>()) else { continue };
            let table = names.iter().position(|piece| piece.is("on")).map(|at| &names[at + 1..]);
            match () {
                () if kind.is("schema") => self.namespace(&name.name),
                () if kind.is("extension") => self.extension(&name.name),
                () if kind.is_any(&["type", "domain"]) => self.data_type(&TypeName::spelled(&name.to_string())),
                () if kind.is_any(&["constraint", "trigger", "policy"]) => self.part(kind.text, &name.name, table),
                () if kind.is("publication") => self.publication(&name.name, &ObjectChange::Alter, None, false),
                () if kind.is("statistics") => {
                    self.object(ObjectKind::Statistics, &name.to_string(), &ObjectChange::Alter, false);
                }
                () => {}
            }
        }
    }

    /// A part of a table.
    fn part(&mut self, kind: &str, part: &Ident, table: Option<&[Lexeme<'_>]>) {
        let Some(table) = name_of(&table.into_iter().flatten().collect::<Vec<_>>()) else { return };
        let name = self.schema.resolve(&table);
        let Some(relation) = self.schema.relation(&name) else { return self.missing(format!("relation {name}")) };
        let kind = kind.to_ascii_lowercase();
        let known = match &*kind {
            "constraint" => {
                relation.constraints.contains_key(part) || relation.not_null_named(&name.name, part).is_some()
            }
            "trigger" => relation.triggers.contains_key(part),
            _ => relation.policies.contains_key(part),
        };
        if !known {
            self.missing(format!("{kind} {part} on {name}"));
        }
    }

    fn publication(&mut self, name: &str, change: &ObjectChange, publishes: Option<&Publishes>, lenient: bool) {
        let name = name.trim_matches('"');
        let there = self.schema.publications().any(|(found, _)| **found == *name);
        match change {
            ObjectChange::Create if there => self.found.push(Problem::Exists(format!("publication {name}"))),
            ObjectChange::Create => {}
            _ if !there && !lenient => self.missing(format!("publication {name}")),
            ObjectChange::Rename { to } if self.schema.publications().any(|(found, _)| found == to) => {
                self.found.push(Problem::Exists(format!("publication {to}")));
            }
            _ => {}
        }
        for published in publishes.into_iter().flat_map(|publishes| &publishes.tables) {
            self.relation(&published.table);
        }
        let schemas: BTreeSet<&Ident> = publishes.into_iter().flat_map(|publishes| &publishes.schemas).collect();
        for schema in schemas.into_iter().filter(|schema| !schema.starts_with("current_")) {
            self.namespace(schema);
        }
    }

    fn statistics(&mut self, statistics: &CreateStatistics) {
        self.relation(&statistics.table);
        statistics.values.iter().for_each(|value| self.calls(value.as_deref()));
    }

    fn object(&mut self, kind: ObjectKind, name: &str, change: &ObjectChange, lenient: bool) {
        if SIGNED.contains(&kind) {
            return;
        }
        let (Some(objects), Some(key)) = (&self.schema.objects, followed(kind, name)) else { return };
        let there = objects.contains_key(&key);
        // Text search objects of four kinds are followed as one, and some are there from the start, as collations are.
        let of_server = |name: &str| name.starts_with("pg_catalog.") || name.starts_with('"');
        let own_names = kind != ObjectKind::TextSearch;
        match change {
            ObjectChange::Create if there && !lenient && own_names => {
                self.found.push(Problem::Exists(format!("{} {name}", kind.words())));
            }
            ObjectChange::Create => {}
            _ if !there && !lenient && !of_server(name) && !resolve::of_the_server(name) => {
                self.missing(format!("{} {name}", kind.words()));
            }
            _ => {}
        }
    }
}

/// A name as its pieces spell it.
pub(super) fn name_of(pieces: &[&Lexeme<'_>]) -> Option<Name> {
    let words = pieces.iter().filter(|piece| matches!(piece.kind, TokenKind::Word | TokenKind::Name));
    let parts: Vec<Ident> = words
        .map(|piece| match piece.kind {
            TokenKind::Name => piece.text.trim_matches('"').into(),
            _ => piece.text.to_ascii_lowercase().into(),
        })
        .collect();
    match &parts[..] {
        [name] => Some(Name::bare(name.clone())),
        [schema, name] => Some(Name::qualified(schema.clone(), name.clone())),
        _ => None,
    }
}

impl super::Catalog<'_> {
    /// A name of a type that another type, or the rows of a relation, have.
    pub(super) fn type_taken(&self, to: QName) -> Option<String> {
        let taken = self.schema.user_type(&to).is_some() || self.schema.relation(&to).is_some();
        taken.then(|| format!("type \"{}\" already exists", to.name))
    }
}
