//! Calls: which function is meant, what it returns, and what it gives to a FROM.

use std::rc::Rc;

use super::catalog::{Builtin, CATALOG, Context};
use super::expr::start;
use super::kept::may_be_function;
use super::operator::Overload;
use super::scope::{Col, Names, Scope, Table};
use super::sorting::Need;
use super::types::Type;
use super::{QueryProblem, Resolver};
use crate::schema::{Function, UserType};
use crate::sql::TypeName;
use crate::sql::operation::Ident;
use crate::sql::query::{Call, Expr};

/// Functions whose first argument is a sequence.
pub(in crate::schema) const COUNTERS: [&str; 3] = ["nextval", "currval", "setval"];

/// What a call was found to mean.
struct Meant {
    returns: Type,
    builtin: Option<Builtin>,
    user: Option<Function>,
}

impl Resolver<'_> {
    pub(super) fn call(&mut self, call: &Call, scope: Option<&Scope<'_>>) -> Type {
        self.meant(call, scope).returns
    }

    fn meant(&mut self, call: &Call, scope: Option<&Scope<'_>>) -> Meant {
        let types = self.exprs(&call.arguments, scope);
        for beside in &call.beside {
            let found = self.expr(beside, scope);
            self.settle_open(beside, &found, "text");
        }
        for over in &call.over {
            let found = self.expr(over, scope);
            self.settle_open(over, &found, "text");
            self.sort(&found, Need::Equality, call.at);
        }
        for argument in types.iter().filter(|_| call.distinct) {
            self.sort(argument, Need::Equality, call.at);
        }
        let unknown = |returns| Meant { returns, builtin: None, user: None };
        let name = &call.name.name;
        let in_catalog = call.name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
        if in_catalog && &**name == "nullif" && call.arguments.len() == 2 {
            let (left, right) = (&call.arguments[0], &call.arguments[1]);
            self.apply("=", Some((left, &types[0])), (right, &types[1]), call.at);
            return unknown(match self.settled(&types[0]) {
                // It is compared as text, and that is what is returned.
                Type::Named(name) if &*name == "character varying" => Type::named("text"),
                other => other,
            });
        }
        if in_catalog && &**name == "grouping" {
            return unknown(Type::named("integer"));
        }
        let builtins = if in_catalog { CATALOG.functions(name) } else { &[] };
        let qualified = self.schema.resolve_function(&call.name);
        let schema = self.schema;
        let users = schema.functions(&qualified);
        if !users.is_empty() {
            self.resolved.uses.calls.entry(qualified.clone()).or_insert(call.at);
            self.resolved.uses.given.entry(qualified.clone()).or_default().insert(call.arguments.len());
            if self.follows {
                let values = call.arguments.iter().map(|argument| self.value(argument, scope)).collect();
                self.called.push((qualified.clone(), values));
            }
        }
        if builtins.is_empty() && users.is_empty() {
            let returns = self.no_function(call, &types, false);
            if !may_be_function(self.schema, &call.name) {
                self.resolved.absent.extend(self.resolved.problems.last().cloned());
            }
            return unknown(returns);
        }
        if in_catalog && users.is_empty() && COUNTERS.contains(&&**name) {
            self.counter(call);
        }
        let count = call.arguments.len();
        let user_arguments: Vec<Vec<String>> = users
            .iter()
            .map(|f| {
                f.arguments.iter().map(|(data_type, _)| data_type.without_modifiers().as_str().to_owned()).collect()
            })
            .collect();
        let user_returns: Vec<String> = users.iter().map(|f| scalar(&f.returns)).collect();
        let mut signatures: Vec<(Vec<&str>, &str)> = Vec::new();
        let mut which = Vec::new();
        for (i, builtin) in builtins.iter().enumerate() {
            if let Some(arguments) = expanded(builtin.arguments, builtin.defaults, builtin.variadic, count) {
                signatures.push((arguments, builtin.returns));
                which.push((true, i));
            }
        }
        for (i, function) in users.iter().enumerate() {
            let defaults = function.arguments.iter().rev().take_while(|(_, default)| *default).count();
            let arguments: Vec<&str> = user_arguments[i].iter().map(String::as_str).collect();
            if let Some(arguments) = expanded(&arguments, defaults, false, count) {
                signatures.push((arguments, &user_returns[i]));
                which.push((false, i));
            }
        }
        let variadic = user_arguments.iter().any(|arguments| arguments.last().is_some_and(|last| last.ends_with("[]")));
        if call.named || call.within_group {
            return self.any_of(&signatures, &types, call);
        }
        let actual: Vec<Type> = types.iter().map(|t| self.settled(t)).collect();
        match self.overload(&signatures, &actual, false) {
            // Without their defaults, two of them are the same.
            Overload::One(arguments, _) if self.alike(&signatures, &which, &arguments) > 1 => {
                self.problem("42725", format!("function {}({}) is not unique", call.name, words(&actual)), call.at);
                unknown(Type::Any)
            }
            Overload::One(arguments, returns) => {
                for ((expr, data_type), wanted) in call.arguments.iter().zip(&actual).zip(&arguments) {
                    if let Type::Named(wanted) = wanted {
                        let wanted = if wanted.starts_with('"') { "text" } else { wanted };
                        if data_type.is_open() {
                            self.want(expr, data_type, wanted, Context::Implicit, start(expr));
                        } else if !wanted.starts_with("any") {
                            self.turned(data_type, wanted);
                        }
                    }
                }
                let is = |(arguments_of, _): &&(Vec<&str>, &str)| {
                    arguments_of.iter().zip(&arguments).all(|(a, b)| a.starts_with("any") || b.name() == Some(a))
                };
                let same = |(arguments_of, _): &(Vec<&str>, &str)| {
                    arguments_of.iter().zip(&arguments).all(|(a, b)| b.name() == Some(a))
                };
                let found = signatures.iter().position(same);
                let found = found.or_else(|| signatures.iter().position(|signature| is(&signature)));
                let found = found.map(|at| which[at]);
                let builtin = found.filter(|(builtin, _)| *builtin).map(|(_, i)| builtins[i]);
                self.changing |= builtin.is_some_and(|builtin| builtin.changing);
                if builtin.is_some_and(|builtin| builtin.as_text) {
                    actual.iter().for_each(|data_type| self.turned(data_type, "text"));
                }
                let user = found.filter(|(builtin, _)| !builtin).map(|(_, i)| users[i].clone());
                if let Some(function) = &user {
                    self.changing |= !function.immutable && function.source.language() != "sql";
                    let signature = function.signature(&qualified);
                    self.resolved.uses.overloads.entry(qualified.clone()).or_default().insert(Some(signature));
                    return Meant { returns, builtin, user };
                }
                self.resolved.uses.overloads.entry(qualified.clone()).or_default().insert(None);
                Meant { returns, builtin, user }
            }
            Overload::Unsure(returns) => self.unsure(&actual, returns),
            Overload::Ambiguous => {
                self.problem("42725", format!("function {}({}) is not unique", call.name, words(&actual)), call.at);
                unknown(Type::Any)
            }
            // A function of one argument can be a cast.
            Overload::None if count == 1 && self.is_type(name) => {
                let target = TypeName::canonical(name.clone());
                let returns = Type::of(&target);
                if let Type::Named(wanted) = &returns {
                    self.want(&call.arguments[0], &actual[0], wanted, Context::Explicit, call.at);
                }
                unknown(returns)
            }
            Overload::None => unknown(self.no_function(call, &actual, !variadic)),
        }
    }

    /// A sequence that a call names by a string, which PostgreSQL looks up as it reads the query.
    fn counter(&mut self, call: &Call) {
        let Some(Expr::Text(text, at)) = call.arguments.first() else { return };
        if let Some(name) = self.schema.lacks_relation(text) {
            let message = format!("relation \"{name}\" does not exist");
            self.resolved.absent.push(QueryProblem { code: "42P01", message, at: *at, sure: false });
        }
    }

    /// How many of the schema's own functions take these arguments.
    fn alike(&self, signatures: &[(Vec<&str>, &str)], which: &[(bool, usize)], arguments: &[Type]) -> usize {
        let own = signatures.iter().zip(which).filter(|(_, (builtin, _))| !builtin);
        let takes = |wanted: &[&str]| {
            wanted.len() == arguments.len() && wanted.iter().zip(arguments).all(|(a, b)| b.name() == Some(a))
        };
        own.filter(|((wanted, _), _)| takes(wanted)).count()
    }

    fn unsure(&mut self, actual: &[Type], returns: Type) -> Meant {
        for data_type in actual {
            if let Type::Parameter(number) = data_type {
                self.settle(*number, &Type::Any);
            }
        }
        Meant { returns, builtin: None, user: None }
    }

    /// Arguments by name, or an array for the last ones: which signature is meant is not worked out.
    fn any_of(&mut self, signatures: &[(Vec<&str>, &str)], types: &[Type], _: &Call) -> Meant {
        let mut returns = signatures.iter().map(|(_, returns)| *returns);
        let same = returns.next().filter(|first| !first.starts_with("any") && returns.all(|other| other == *first));
        let returns = same.map_or(Type::Any, Type::named);
        self.unsure(types, returns)
    }

    fn no_function(&mut self, call: &Call, types: &[Type], sure: bool) -> Type {
        let message = format!("function {}({}) does not exist", call.name, words(types));
        self.resolved.problems.push(QueryProblem { code: "42883", message, at: call.at, sure });
        for data_type in types {
            if let Type::Parameter(number) = data_type {
                self.settle(*number, &Type::Any);
            }
        }
        Type::Any
    }

    fn is_type(&self, name: &str) -> bool {
        self.types.category(name).is_some() || self.schema.user_type_named(name).is_some()
    }

    /// What a call in FROM gives.
    pub(super) fn called_in_from(
        &mut self,
        call: &Expr,
        name: &Ident,
        alias: Option<&Ident>,
        types: &[Option<TypeName>],
        scope: Option<&Scope<'_>>,
    ) -> Table {
        let col = Col::plain;
        let shown = alias.unwrap_or(name).clone();
        let table = |columns: Vec<Col>, open: bool| Table {
            alias: shown.clone(),
            schema: None,
            relation: None,
            columns: Rc::new(columns),
            open,
            row: None,
        };
        let meant = match call {
            // In FROM it takes several arrays, and gives them side by side.
            Expr::Call(call) if &*call.name.name == "unnest" && call.arguments.len() > 1 => {
                let mut columns = Vec::new();
                for argument in &call.arguments {
                    let found = self.expr(argument, scope);
                    let element = match self.settled(&found) {
                        Type::Named(array) => array.strip_suffix("[]").map_or(Type::Any, Type::named),
                        _ => Type::Any,
                    };
                    columns.push(col("unnest".into(), element));
                }
                return table(columns, false);
            }
            Expr::Call(call) => self.meant(call, scope),
            other => Meant { returns: self.expr(other, scope), builtin: None, user: None },
        };
        if types.iter().any(Option::is_some) {
            // `AS t(a int)`: the names are given beside.
            let columns = types.iter().map(|t| Col::declared("".into(), t.as_ref()));
            return table(columns.collect(), false);
        }
        if let Some(builtin) = meant.builtin {
            return match builtin.columns {
                [] => self.rows_of(&meant.returns, shown.clone(), table),
                [(name, _)] => {
                    let row = Some(meant.returns.clone());
                    Table { row, ..table(vec![col((*name).into(), meant.returns)], false) }
                }
                columns => {
                    let typed = |data_type: &str| match data_type.starts_with("any") {
                        true => Type::Any,
                        false => Type::named(data_type),
                    };
                    table(
                        columns.iter().map(|(name, data_type)| col((*name).into(), typed(data_type))).collect(),
                        false,
                    )
                }
            };
        }
        match meant.user {
            Some(function) => match function.outputs.as_slice() {
                [] if has_columns(&function.returns) => table(Vec::new(), true),
                [] => self.rows_of(&meant.returns, shown.clone(), table),
                // A single one is a plain value, called as the argument is.
                [(name, data_type)] => {
                    let name = if name.is_empty() { shown.clone() } else { name.clone() };
                    let value = output_type(data_type);
                    Table { row: Some(value.clone()), ..table(vec![col(name, value)], false) }
                }
                outputs => {
                    let column = |(at, (name, data_type)): (usize, &(Ident, TypeName))| {
                        let name = if name.is_empty() { format!("column{}", at + 1).into() } else { name.clone() };
                        col(name, output_type(data_type))
                    };
                    table(outputs.iter().enumerate().map(column).collect(), false)
                }
            },
            None => match meant.returns {
                Type::Named(name) if &*name != "record" => self.rows_of(&Type::Named(name), shown.clone(), table),
                _ => table(Vec::new(), true),
            },
        }
    }

    /// The columns of rows of a type: its fields, or the value itself.
    fn rows_of(&mut self, data_type: &Type, name: Ident, table: impl Fn(Vec<Col>, bool) -> Table) -> Table {
        let col = Col::plain;
        let Type::Named(text) = data_type else { return table(Vec::new(), true) };
        match self.schema.user_type_named(text) {
            Some(UserType::Composite(attributes)) => {
                let columns = attributes.iter().map(|(name, t)| Col::declared(name.clone(), Some(t))).collect();
                return table(columns, false);
            }
            Some(UserType::Range(_) | UserType::Other) => return table(Vec::new(), true),
            _ => {}
        }
        if let Some(relation) = self.types.row_type(text).filter(|_| !text.ends_with("[]")) {
            let found = self.schema.relation(&relation);
            let columns = found.into_iter().flat_map(|r| &r.columns);
            let columns = columns.map(|c| Col::own(&relation, &c.name, c.data_type.as_ref()));
            return table(columns.collect(), found.is_none_or(|r| !r.columns_known));
        }
        match &**text {
            "record" | "void" => table(Vec::new(), &**text == "record"),
            _ => Table { row: Some(data_type.clone()), ..table(vec![col(name, data_type.clone())], false) },
        }
    }

    pub(super) fn call_names(table: Table, columns: &[Ident], ordinality: bool) -> Names {
        let mut table = table;
        if !ordinality && columns.is_empty() {
            return Names::of(table);
        }
        let known = Rc::make_mut(&mut table.columns);
        if ordinality {
            known.push(Col::plain("ordinality".into(), Type::named("bigint")));
        }
        for (i, name) in columns.iter().enumerate() {
            match known.get_mut(i) {
                Some(col) => col.name = name.clone(),
                None if table.open => {
                    known.push(Col::plain(name.clone(), Type::Any));
                }
                None => {}
            }
        }
        Names::of(table)
    }
}

/// The arguments of a signature for a call with so many; `None` if it does not take so many.
fn expanded<'a>(arguments: &[&'a str], defaults: usize, variadic: bool, count: usize) -> Option<Vec<&'a str>> {
    if variadic && count >= arguments.len() {
        let (last, fixed) = arguments.split_last()?;
        let element = match *last {
            "anyarray" => "anyelement",
            "anycompatiblearray" => "anycompatible",
            other => other.strip_suffix("[]").unwrap_or(other),
        };
        let mut found = fixed.to_vec();
        found.resize(count, element);
        return Some(found);
    }
    let least = arguments.len().saturating_sub(defaults);
    (least..=arguments.len()).contains(&count).then(|| arguments[..count].to_vec())
}

/// `t.c%TYPE` is not looked up.
fn output_type(data_type: &TypeName) -> Type {
    let text = data_type.as_str();
    if text.ends_with("%type") || text.starts_with("any") { Type::Any } else { Type::of(data_type) }
}

/// Whether a function returns rows of columns of its own.
fn has_columns(returns: &str) -> bool {
    returns.trim().to_ascii_lowercase().starts_with("table") || returns.is_empty()
}

/// The type of a value that a function returns.
fn scalar(returns: &str) -> String {
    let lower = returns.trim();
    let bare = match lower.get(..6) {
        Some(word) if word.eq_ignore_ascii_case("setof ") => lower[6..].trim(),
        _ => lower,
    };
    if bare.is_empty() || bare.to_ascii_lowercase().starts_with("table") {
        return "record".to_owned();
    }
    TypeName::canonical(bare).without_modifiers().as_str().to_owned()
}

fn words(types: &[Type]) -> String {
    types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
