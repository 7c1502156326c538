//! A function's body against a schema: what its queries are told when they run.

use std::rc::Rc;

use super::Resolver;
use super::catalog::Context;
use super::scope::{Col, Names, Scope, Table};
use super::types::{Sure, Type, Types};
use crate::schema::{Function, QName, Relation, Schema, UserType};
use crate::sql::TypeName;
use crate::sql::body::{Body, Declared};
use crate::sql::operation::Ident;
use crate::sql::query::Command;

/// What is wrong with a table whose rows a body changes.
pub(crate) const NO_IDENTITY: &str = "has no replica identity, and a publication publishes its changes";

/// What is wrong with a name that meant an argument and means a column. It fails nowhere.
pub(crate) const SHADOWED: &str = "and no longer the function's argument";

/// Why a function fails when it is called on a schema, as far as its body is written down. `rows`: the table whose trigger it is, and its name.
pub(crate) fn body_problems(function: &Function, rows: Option<(&QName, &QName)>, schema: &Schema) -> Vec<String> {
    let body = function.source.body();
    let schema = &*schema.seen_by(function);
    let first = Resolver::new(schema);
    // SQL has no variables, and sees no arguments but those that are given to it.
    let sql = function.source.language() == "sql" && function.inputs.len() == function.arguments.len();
    let arguments = if sql { &function.inputs } else { &function.names };
    let names: Vec<&Ident> = arguments.iter().filter(|name| !name.is_empty()).chain(&body.variables).collect();
    let plain = |name: &Ident| sql && is_plain(function, name, schema);
    let rows_of = names.iter().filter(|name| !plain(name));
    let variable = |name: &Ident| {
        let (row, found) = row_of(body, name, schema)?;
        Some(first.table_of(name.clone(), None, &row, found))
    };
    let mut tables: Vec<Table> = rows_of.map(|name| variable(name).unwrap_or_else(|| open((*name).clone()))).collect();
    let called = rows.map(|(_, called)| called);
    let relation = rows.and_then(|(name, _)| Some((name, schema.relation(name)?)));
    for alias in ["new", "old"].into_iter().filter(|_| !sql) {
        tables.push(match relation {
            Some((name, found)) => first.table_of(alias.into(), None, name, found),
            None => open(alias.into()),
        });
    }
    let builtin = ["found", "sqlstate", "sqlerrm"].into_iter().filter(|_| !sql).map(Ident::from);
    let special = names.iter().map(|name| (*name).clone()).chain(builtin);
    let bare = special.map(|name| Col::plain(name, Type::Any)).collect();
    let around = Names::new(tables, bare);
    let scope = Scope { names: &around, outer: None };
    let wanted = width(function, schema);
    let exactly = function.source.language() == "plpgsql";
    // Only what `RETURN QUERY` gives is held against them.
    let returned = function.returns.strip_prefix("setof ");
    let returned = returned.or_else(|| function.returns.starts_with("table(").then_some(""));
    let types = returned.and_then(|returned| given_types(function, returned, schema));
    let widths = |wanted: usize, is: usize| format!("it returns {wanted} columns, and its query {is}");
    let rows = body.rows.iter().filter_map(|is| Some((wanted?, *is))).filter(|(wanted, is)| wanted != is);
    let mut found: Vec<String> = rows.map(|(wanted, is)| widths(wanted, is)).collect();
    let declared = body.declared.iter().filter_map(|(_, is)| match is {
        Declared::Type(of) => Some(of.base()),
        Declared::Like(_) | Declared::Other => None,
    });
    let gone = declared.filter(|of| schema.is_dropped_type(&schema.type_shown(of)));
    found.extend(gone.map(|of| format!("type \"{of}\" does not exist")));
    for query in &body.queries {
        let mut resolver = Resolver { tables: Rc::clone(&first.tables), ..Resolver::new(schema) };
        resolver.variables = names.iter().map(|name| (*name).clone()).collect();
        resolver.refuses_both = body.refuses_both;
        // The rows of a statement are those of its table.
        let shown = relation.filter(|(_, found)| found.columns_known);
        let columns = shown.map(|(name, found)| first.table_of("".into(), None, name, found).columns.to_vec());
        let rows = called.zip(relation).map(|(called, (_, found))| transitions(found, called, query.always));
        resolver.ctes = rows.into_iter().flatten().map(|name| (name, columns.clone())).collect();
        resolver.ctes.extend(body.temporary.iter().map(|name| (name.clone(), None)));
        let columns = resolver.command(&query.command, Some(&scope));
        // What comes from the trigger itself (TG_OP) is not listed.
        let told = resolver.resolved.problems.iter().filter(|p| p.sure && !p.message.contains("\"tg_"));
        found.extend(told.map(|problem| problem.message.clone()));
        let changed = resolver.resolved.uses.writes.iter().filter(|write| write.changes_rows());
        let unidentified = changed.filter(|write| !schema.identifies_rows(&write.relation));
        found.extend(unidentified.map(|write| format!("{} {NO_IDENTITY}", write.relation)));
        let Some(columns) = columns.filter(|_| query.returned) else { continue };
        // One column may be a whole row.
        let other = |wanted: &usize| columns.len() != *wanted && (columns.len() != 1 || exactly);
        if let Some(wanted) = wanted.filter(other) {
            found.push(widths(wanted, columns.len()));
        }
        // PL/pgSQL casts nothing there.
        let other = |(column, to): (&Col, &TypeName)| {
            let is = resolver.shown(&column.data_type);
            let differs = matches!(&is, Type::Named(is) if **is != *to.without_modifiers().as_str())
                && !to.as_str().starts_with("any");
            differs.then(|| format!("its query gives {is} where the function returns {to}"))
        };
        if let Some(types) = types.iter().find(|types| exactly && types.len() == columns.len()) {
            found.extend(columns.iter().zip(types).find_map(other));
        }
    }
    found
}

/// The names under which a trigger's function sees rows: of all its triggers, for what runs by each of them; of any, for what may not.
fn transitions(relation: &Relation, function: &QName, always: bool) -> Vec<Ident> {
    let calls = |trigger: &Ident| {
        let enabled = relation.triggers.get(trigger).is_some_and(|enabled| *enabled);
        enabled && relation.trigger_functions.get(trigger) == Some(function)
    };
    let of = |trigger: &Ident| relation.transitions.get(trigger).map_or(&[][..], Vec::as_slice);
    let own: Vec<&[Ident]> = relation.triggers.keys().filter(|trigger| calls(trigger)).map(of).collect();
    let mut all = relation.transitions.values().flatten().cloned().collect::<Vec<_>>();
    if always && !own.is_empty() {
        all.retain(|name| own.iter().all(|names| names.contains(name)));
    }
    all
}

/// The table whose rows a variable of a body is declared to hold.
fn row_of<'s>(body: &Body, name: &Ident, schema: &'s Schema) -> Option<(QName, &'s Relation)> {
    let mut declared = body.declared.iter().filter(|(of, _)| of == name);
    let (Some((_, is)), None) = (declared.next(), declared.next()) else { return None };
    let row = match is {
        Declared::Like((table, None)) => schema.resolve(table),
        Declared::Type(of) if !of.is_array() => schema.type_shown(&of.base()),
        Declared::Like(_) | Declared::Type(_) | Declared::Other => return None,
    };
    let found = schema.relation(&row).filter(|found| found.columns_known)?;
    Some((row, found))
}

/// Why PostgreSQL does not take a body in SQL for the values that it gives; `None`: it does, or that is not known.
pub(crate) fn other_result(function: &Function, schema: &Schema) -> Option<String> {
    let body = function.source.body();
    let schema = &*schema.seen_by(function);
    let returned = function.returns.strip_prefix("setof ").unwrap_or(&function.returns);
    let last = body.queries.last().filter(|last| last.returned && !body.makes)?;
    if matches!(returned, "" | "void" | "procedure" | "trigger" | "event_trigger") || returned.starts_with("any") {
        return None;
    }
    let returning = match &last.command {
        Command::Select(_) => true,
        Command::Insert(insert) => !insert.returning.is_empty(),
        Command::Update(update) => !update.returning.is_empty(),
        Command::Delete(delete) => !delete.returning.is_empty(),
        _ => return None,
    };
    let mismatch = |why: String| format!("return type mismatch in function declared to return {returned}: {why}");
    if !returning {
        return Some(mismatch("its last statement gives no rows".to_owned()));
    }
    let polymorphic = |data_type: &TypeName| data_type.as_str().starts_with("any");
    let typed = |data_type: &TypeName| if polymorphic(data_type) { Type::Any } else { Type::of(data_type) };
    let mut resolver = Resolver::new(schema);
    resolver.resolved.parameters = function.arguments.iter().map(|(data_type, _)| typed(data_type)).collect();
    let named = function.inputs.iter().zip(&function.arguments).filter(|(name, _)| !name.is_empty());
    let names = Names::new(Vec::new(), named.map(|(name, (of, _))| Col::plain(name.clone(), typed(of))).collect());
    let columns = resolver.command(&last.command, Some(&Scope { names: &names, outer: None }))?;
    if resolver.resolved.problems.iter().any(|problem| problem.sure) {
        return None;
    }
    let fits = |column: &Col, to: &TypeName| {
        let found = resolver.shown(&column.data_type);
        let unfit = !polymorphic(to)
            && resolver.types.fits(&found, to.without_modifiers().as_str(), Context::Assignment) == Sure::No;
        unfit.then(|| format!("{found} instead of {to}"))
    };
    let wanted = given_types(function, returned, schema)?;
    // One column may be a whole row.
    if let [column] = columns.as_slice()
        && (wanted.len() > 1 || function.outputs.is_empty() && width(function, schema).is_some())
    {
        let whole = TypeName::canonical(returned);
        let of_row = function.outputs.is_empty() && fits(column, &whole).is_none();
        let short = || mismatch(format!("its query has 1 column, not {}", wanted.len()));
        return (!of_row && wanted.len() > 1 && function.outputs.is_empty()).then(short);
    }
    if columns.len() != wanted.len() {
        return Some(mismatch(format!("its query has {} columns, not {}", columns.len(), wanted.len())));
    }
    columns.iter().zip(&wanted).find_map(|(column, to)| fits(column, to)).map(mismatch)
}

/// The types of the columns of its rows, where they are known.
fn given_types(function: &Function, returned: &str, schema: &Schema) -> Option<Vec<TypeName>> {
    // The columns of a row that it gives as such.
    let row = || {
        let (namespace, name) = returned.split_once('.').unwrap_or(("public", returned));
        let relation = schema.relation(&QName::new(namespace.trim_matches('"'), name.trim_matches('"')))?;
        let types = relation.columns.iter().map(|column| column.data_type.clone()).collect::<Option<Vec<_>>>()?;
        relation.columns_known.then_some(types)
    };
    match (function.outputs.as_slice(), schema.user_type_named(returned)) {
        ([], Some(UserType::Composite(attributes))) => Some(attributes.iter().map(|(_, of)| of.clone()).collect()),
        ([], Some(UserType::Domain { base, .. }))
            if matches!(schema.user_type_named(&base.base()), Some(UserType::Composite(_))) =>
        {
            None
        }
        ([], _) if returned == "record" => None,
        ([], _) if Types { schema }.row_type(returned).is_some() => row(),
        ([], _) => Some(vec![TypeName::canonical(returned)]),
        (outputs, _) => Some(outputs.iter().map(|(_, of)| of.clone()).collect()),
    }
}

/// Whether an argument is of a type without fields.
fn is_plain(function: &Function, name: &Ident, schema: &Schema) -> bool {
    let at = function.inputs.iter().position(|input| input == name);
    let data_type = at.and_then(|at| function.arguments.get(at)).map(|(data_type, _)| data_type.base());
    data_type
        .is_some_and(|data_type| Types { schema }.category(&data_type).is_some_and(|(category, _)| category != 'C'))
}

/// How many columns the rows of a function have, where that is said.
fn width(function: &Function, schema: &Schema) -> Option<usize> {
    if function.returns.starts_with("table(") {
        return Some(function.outputs.len());
    }
    let returned = function.returns.strip_prefix("setof ").unwrap_or(&function.returns);
    if let Some(UserType::Composite(attributes)) = schema.user_type_named(returned) {
        return Some(attributes.len());
    }
    let (namespace, name) = returned.split_once('.').unwrap_or(("public", returned));
    let relation = schema.relation(&QName::new(namespace.trim_matches('"'), name.trim_matches('"')))?;
    relation.columns_known.then_some(relation.columns.len())
}

/// A variable, which may have any fields.
fn open(alias: Ident) -> Table {
    Table { alias, schema: None, relation: None, columns: Default::default(), open: true, row: Some(Type::Any) }
}
