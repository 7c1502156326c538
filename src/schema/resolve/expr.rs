//! Expressions: what their names mean, and their types.

use super::Resolver;
use super::body::SHADOWED;
use super::catalog::{CATALOG, Context};
use super::input;
use super::scope::{Scope, Sized, Table, common_size, sized, system_column};
use super::types::{Sure, Type};
use crate::schema::UserType;
use crate::sql::TypeName;
use crate::sql::operation::{Ident, RelationKind};
use crate::sql::query::{At, Expr};

impl Resolver<'_> {
    /// The type of an expression.
    pub(super) fn expr(&mut self, expr: &Expr, scope: Option<&Scope<'_>>) -> Type {
        self.sized(expr, scope).0
    }

    /// The type of an expression, and the same with its length or scale, as PostgreSQL's `exprTypmod` tells it.
    pub(super) fn sized(&mut self, expr: &Expr, scope: Option<&Scope<'_>>) -> (Type, Sized) {
        match expr {
            Expr::Column(parts, at) => (self.column(parts, *at, scope), size_of_column(parts, scope)),
            Expr::Cast(inner, target, at) => {
                if self.follows {
                    self.put_cast(inner, target, scope);
                }
                (self.cast(inner, &Type::of(target), *at, scope), sized(target))
            }
            Expr::Common(what, parts, at) => {
                let (types, sizes) = self.sizes(parts, scope);
                let common = self.common(what, &parts.iter().collect::<Vec<_>>(), &types, *at);
                let size = common_size(&sizes, &common);
                (common, size)
            }
            Expr::Case { operand, branches, otherwise, at } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref(), *at, scope)
            }
            Expr::Array(parts, at) => {
                let (types, sizes) = self.sizes(parts, scope);
                let element = self.common("ARRAY", &parts.iter().collect::<Vec<_>>(), &types, *at);
                let size = common_size(&sizes, &element);
                (array_of(&element), size.map(|element| array_size(&element)))
            }
            Expr::ArrayOf(query) => match self.query(query, scope).as_deref() {
                Some([col]) => (array_of(&self.settled(&col.data_type)), col.sized.as_ref().map(array_size)),
                _ => (Type::Any, None),
            },
            Expr::Scalar(query) => {
                self.put_single(query);
                match self.query(query, scope).as_deref() {
                    Some([col]) => (col.data_type.clone(), col.sized.clone()),
                    _ => (Type::Any, None),
                }
            }
            Expr::Subscript(inner, bounds, slice) => {
                let (found, size) = self.sized(inner, scope);
                let element = |size: TypeName| match size.as_str().strip_suffix("[]") {
                    Some(element) if !slice => TypeName::canonical(element),
                    _ => size,
                };
                (self.subscript(found, bounds, *slice, scope), size.map(element))
            }
            Expr::Field(inner, field, at) => {
                let found = self.expr(inner, scope);
                let size = self.size_of_field(&found, field);
                (self.field(&found, field, *at), size)
            }
            Expr::Typed(data_type, _) => (self.plain(expr, scope), sized(data_type)),
            // The first argument as it is compared: what is not text keeps its length.
            Expr::Call(call) if &*call.name.name == "nullif" => {
                let size = match call.arguments.first() {
                    Some(Expr::Column(parts, _)) => size_of_column(parts, scope),
                    Some(Expr::Cast(_, target, _)) => sized(target),
                    _ => None,
                };
                let found = self.plain(expr, scope);
                let size = size.filter(|size| Type::of(size) == found);
                (found, size)
            }
            _ => (self.plain(expr, scope), None),
        }
    }

    fn sizes(&mut self, parts: &[Expr], scope: Option<&Scope<'_>>) -> (Vec<Type>, Vec<Sized>) {
        parts.iter().map(|part| self.sized(part, scope)).unzip()
    }

    fn subscript(&mut self, found: Type, bounds: &[Expr], slice: bool, scope: Option<&Scope<'_>>) -> Type {
        for bound in bounds {
            let data_type = self.expr(bound, scope);
            let wanted = if found.name() == Some("jsonb") { "text" } else { "integer" };
            self.settle_open(bound, &data_type, wanted);
        }
        match &found {
            Type::Named(name) if !slice && name.ends_with("[]") => Type::named(name.trim_end_matches("[]")),
            Type::Named(name) if **name == *"jsonb" || slice => found,
            // Types that somebody made, and arrays that are none by name (`int2vector`, `point`), are left alone.
            Type::Named(name) if UNDIVIDED.contains(&&**name) => {
                let message = format!("cannot subscript type {name} because it does not support subscripting");
                self.problem("42804", message, bounds.first().map_or_else(At::default, start));
                Type::Any
            }
            _ => Type::Any,
        }
    }

    fn size_of_field(&self, of: &Type, field: &Ident) -> Sized {
        let name = of.name()?;
        if let Some(UserType::Composite(attributes)) = self.schema.user_type_named(&self.types.base(name)) {
            return attributes.iter().find(|(a, _)| a == field).and_then(|(_, data_type)| sized(data_type));
        }
        let column = self.schema.relation(&self.types.row_type(name)?)?.column(field)?;
        column.data_type.as_ref().and_then(sized)
    }

    /// The type of an expression that has no length of its own.
    fn plain(&mut self, expr: &Expr, scope: Option<&Scope<'_>>) -> Type {
        match expr {
            Expr::Parameter(number) => {
                self.settle(*number, &Type::Unknown);
                self.settled(&Type::Parameter(*number))
            }
            Expr::Text(..) | Expr::Null | Expr::Default => Type::Unknown,
            Expr::Number(number) => Type::named(number_type(number)),
            Expr::Bool => Type::named("boolean"),
            Expr::Call(call) => self.call(call, scope),
            Expr::Operator(name, left, right, at) => self.operator(name, left.as_deref(), right, *at, scope),
            Expr::Quantified(name, left, right, at) => self.quantified(name, left, right, *at, scope),
            Expr::In(left, list, at) => self.in_list(left, list, *at, scope),
            Expr::And(parts) | Expr::Logic(parts) => {
                for part in parts {
                    let found = self.expr(part, scope);
                    self.want(part, &found, "boolean", Context::Assignment, start(part));
                }
                Type::named("boolean")
            }
            Expr::Test(parts) => {
                for part in parts {
                    let found = self.expr(part, scope);
                    self.open_is_text(&found);
                }
                Type::named("boolean")
            }
            Expr::Row(parts) => {
                self.exprs(parts, scope);
                Type::named("record")
            }
            Expr::Exists(query) => {
                self.query(query, scope);
                Type::named("boolean")
            }
            Expr::Typed(data_type, parts) => {
                let extracted = self.exprs(parts, scope);
                extracted.iter().for_each(|found| self.open_is_text(found));
                // `CURRENT_TIMESTAMP`
                let timed = |found: &Type| found.name() == Some("timestamp with time zone");
                self.changing |= parts.is_empty() && data_type.as_str() != "bit" || extracted.iter().any(timed);
                Type::of(data_type)
            }
            Expr::Unknown(parts) => {
                self.exprs(parts, scope);
                Type::Any
            }
            Expr::Opaque => {
                self.resolved.uses.more = true;
                Type::Any
            }
            Expr::Column(..)
            | Expr::Cast(..)
            | Expr::Common(..)
            | Expr::Case { .. }
            | Expr::Array(..)
            | Expr::ArrayOf(_)
            | Expr::Scalar(_)
            | Expr::Subscript(..)
            | Expr::Field(..) => self.sized(expr, scope).0,
        }
    }

    pub(super) fn exprs(&mut self, parts: &[Expr], scope: Option<&Scope<'_>>) -> Vec<Type> {
        parts.iter().map(|part| self.expr(part, scope)).collect()
    }

    fn column(&mut self, parts: &[Ident], at: At, scope: Option<&Scope<'_>>) -> Type {
        let (qualifier, name) = match parts {
            [name] => (None, name),
            [table, name] => (Some((None, table)), name),
            [.., schema, table, name] => (Some((Some(schema), table)), name),
            [] => return Type::Any,
        };
        let Some(scope) = scope else {
            self.problem("42703", format!("column \"{name}\" does not exist"), at);
            return Type::Any;
        };
        match qualifier {
            None => self.bare_column(name, at, scope),
            Some((schema, table)) => self.qualified_column(schema, table, name, at, scope),
        }
    }

    fn bare_column(&mut self, name: &Ident, at: At, scope: &Scope<'_>) -> Type {
        for names in scope.levels() {
            let mut found = names.bare().filter(|col| col.name == *name);
            if let Some(col) = found.next() {
                if found.next().is_some() {
                    self.problem("42702", format!("column reference \"{name}\" is ambiguous"), at);
                    return Type::Any;
                }
                // The variables are the outermost scope.
                if self.variables.contains(name) && !col.of().is_empty() {
                    let message = match self.refuses_both {
                        true => format!("column reference \"{name}\" is ambiguous: it is a variable, too"),
                        false => format!("\"{name}\" is the column {}.{name}, {SHADOWED}", col.of()[0].0),
                    };
                    self.problem("42702", message, at);
                    return Type::Any;
                }
                self.use_columns(col.of(), at);
                return self.settled(&col.data_type);
            }
            if names.tables.iter().any(|table| self.has_system_columns(table))
                && let Some(data_type) = system_column(name)
            {
                return data_type;
            }
            if let Some(table) = names.tables.iter().position(|table| table.alias == *name) {
                self.use_row(names, table, at);
                self.resolved.uses.rows.extend(names.tables[table].relation.clone().map(|relation| (relation, at)));
                return row_of(&names.tables[table]);
            }
            if names.is_open() {
                self.resolved.uses.more = true;
                return Type::Any;
            }
        }
        self.problem("42703", format!("column \"{name}\" does not exist"), at);
        Type::Any
    }

    /// Whether something has the columns that every table has: a view has none.
    fn has_system_columns(&self, table: &Table) -> bool {
        let relation = table.relation.as_ref();
        relation.is_some_and(|name| self.schema.relation(name).is_none_or(|found| found.kind != RelationKind::View))
    }

    fn qualified_column(
        &mut self,
        schema: Option<&Ident>,
        table: &Ident,
        name: &Ident,
        at: At,
        scope: &Scope<'_>,
    ) -> Type {
        for names in scope.levels() {
            let Some(found) = names.table(schema, table) else { continue };
            let mut columns = found.columns.iter().filter(|col| col.name == *name);
            if let Some(col) = columns.next() {
                if columns.next().is_some() {
                    self.problem("42702", format!("column reference \"{name}\" is ambiguous"), at);
                    return Type::Any;
                }
                self.use_columns(col.of(), at);
                return self.settled(&col.data_type);
            }
            if let Some(data_type) = system_column(name).filter(|_| self.has_system_columns(found)) {
                return data_type;
            }
            if found.open {
                self.resolved.uses.more = true;
                return Type::Any;
            }
            self.problem("42703", format!("column {table}.{name} does not exist"), at);
            return Type::Any;
        }
        let unnamed = |names: &super::scope::Names| names.tables.iter().any(|t| t.open && t.alias.is_empty());
        if scope.levels().any(unnamed) {
            self.resolved.uses.more = true;
            return Type::Any;
        }
        self.problem("42P01", format!("missing FROM-clause entry for table \"{table}\""), at);
        Type::Any
    }

    fn cast(&mut self, inner: &Expr, target: &Type, at: At, scope: Option<&Scope<'_>>) -> Type {
        let Type::Named(name) = target else { return Type::Any };
        // The target goes down to the elements.
        if let (Expr::Array(parts, _), Some(element)) = (inner, name.strip_suffix("[]")) {
            for part in parts {
                let found = self.expr(part, scope);
                let wanted = if matches!(part, Expr::Array(..)) { name.as_str() } else { element };
                self.want(part, &found, wanted, Context::Explicit, at);
            }
            self.named_type(name, at);
            return target.clone();
        }
        let found = self.expr(inner, scope);
        if !self.named_type(name, at) {
            return Type::Any;
        }
        self.want(inner, &found, name, Context::Explicit, at);
        target.clone()
    }

    /// A value that becomes of another type on its way, written or not: what the cast gives may change with a setting.
    pub(super) fn turned(&mut self, from: &Type, to: &str) {
        let Type::Named(from) = from else { return };
        let (from, to) = (self.types.base(from), self.types.base(to));
        let elements = from.strip_suffix("[]").zip(to.strip_suffix("[]"));
        let (one, other) = elements.unwrap_or((&from, &to));
        let changing = CATALOG.cast_changes(one, other) || self.by_way_of_text(one, other);
        self.changing |= changing && one != other;
    }

    /// Whether a cast reads or writes text as a type of several values has it: labels can be renamed, and the parts may be of any type.
    fn by_way_of_text(&self, from: &str, to: &str) -> bool {
        let text = |name: &str| matches!(name, "text" | "character varying" | "character");
        let several = |name: &str| {
            let user = self.schema.user_type_named(name);
            name.ends_with("[]")
                || matches!(user, Some(UserType::Enum(_) | UserType::Composite(_)))
                || self.types.row_type(name).is_some()
        };
        text(from) && several(to) || several(from) && text(to)
    }

    /// Notes that a type is named; whether there is one.
    fn named_type(&mut self, name: &str, at: At) -> bool {
        let bare = name.trim_end_matches("[]");
        self.use_type(bare, at);
        let known = self.types.category(bare).is_some() || self.schema.user_type_named(bare).is_some();
        let catalog = name.contains("pg_catalog.") || name.contains("information_schema.") || bare.starts_with("reg");
        if !known && !catalog {
            // An extension may have it.
            let sure = self.schema.is_dropped_type(&self.schema.type_shown(bare));
            let message = format!("type \"{bare}\" does not exist");
            self.resolved.problems.push(super::QueryProblem { code: "42704", message, at, sure });
        }
        known
    }

    fn field(&mut self, of: &Type, field: &Ident, at: At) -> Type {
        let Type::Named(name) = of else { return Type::Any };
        if let Some(UserType::Composite(attributes)) = self.schema.user_type_named(&self.types.base(name)) {
            if let Some((_, data_type)) = attributes.iter().find(|(a, _)| a == field) {
                return Type::of(data_type);
            }
        } else if let Some(relation) = self.types.row_type(name) {
            let column = self.schema.relation(&relation).and_then(|r| r.column(field));
            if let Some(column) = column {
                let data_type = column.data_type.as_ref().map_or(Type::Any, Type::of);
                self.use_columns(&[(relation, field.clone())], at);
                return data_type;
            }
        } else {
            return Type::Any;
        }
        self.problem("42703", format!("column \"{field}\" not found in data type {name}"), at);
        Type::Any
    }

    /// The common type of several expressions, which becomes that of those whose place decides.
    pub(super) fn common(&mut self, what: &str, parts: &[&Expr], types: &[Type], at: At) -> Type {
        let types: Vec<Type> = types.iter().map(|t| self.settled(t)).collect();
        match self.types.common(&types) {
            Ok(Type::Unknown) => {
                for (part, data_type) in parts.iter().zip(&types) {
                    self.settle_open(part, data_type, "text");
                }
                Type::named("text")
            }
            Ok(Type::Named(name)) => {
                for (part, data_type) in parts.iter().zip(&types) {
                    self.want(part, data_type, &name, Context::Implicit, start(part));
                }
                Type::Named(name)
            }
            Ok(other) => other,
            Err((one, other)) => {
                self.problem("42804", format!("{what} types {one} and {other} cannot be matched"), at);
                Type::Any
            }
        }
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
        at: At,
        scope: Option<&Scope<'_>>,
    ) -> (Type, Sized) {
        let mut results = Vec::new();
        let (mut types, mut sizes) = (Vec::new(), Vec::new());
        for (condition, result) in branches {
            match operand {
                Some(operand) => _ = self.operator("=", Some(operand), condition, start(operand), scope),
                None => {
                    let found = self.expr(condition, scope);
                    self.want(condition, &found, "boolean", Context::Assignment, start(condition));
                }
            }
            let (data_type, size) = self.sized(result, scope);
            types.push(data_type);
            sizes.push(size);
            results.push(result);
        }
        // PostgreSQL looks at ELSE first; without one it is a NULL, which has no length.
        let mut other_size = None;
        if let Some(otherwise) = otherwise {
            let (data_type, size) = self.sized(otherwise, scope);
            types.insert(0, data_type);
            other_size = size;
            results.insert(0, otherwise);
        }
        sizes.push(other_size);
        let common = self.common("CASE", &results, &types, at);
        let size = common_size(&sizes, &common);
        (common, size)
    }

    /// A value that has to become of a type. Strings and parameters do; others, if PostgreSQL has a way.
    pub(super) fn want(&mut self, expr: &Expr, found: &Type, wanted: &str, context: Context, at: At) -> Sure {
        let found = self.settled(found);
        let can = self.types.fits(&found, wanted, context);
        match can {
            Sure::Yes if found.is_open() => self.settle_open(expr, &found, wanted),
            Sure::Yes => self.turned(&found, wanted),
            Sure::No if wanted == "boolean" => {
                self.problem("42804", format!("argument must be type boolean, not type {found}"), at);
            }
            Sure::No if context == Context::Explicit => {
                self.problem("42846", format!("cannot cast type {found} to {wanted}"), at);
            }
            _ => {}
        }
        can
    }

    /// What has no type yet gets the one of its place; a string must be a value of it.
    pub(super) fn settle_open(&mut self, expr: &Expr, found: &Type, wanted: &str) {
        if let Type::Parameter(number) = found {
            self.settle(*number, &Type::named(wanted));
            self.use_type(wanted, At::default());
        }
        if let Expr::Text(text, at) = expr {
            self.literal(text, wanted, *at);
        }
    }

    fn open_is_text(&mut self, found: &Type) {
        if let Type::Parameter(number) = found {
            self.settle(*number, &Type::named("text"));
        }
    }

    /// PostgreSQL reads a string as a value of its type when it prepares.
    pub(super) fn literal(&mut self, text: &str, wanted: &str, at: At) {
        let types = self.types;
        let base = types.base(wanted);
        if let Some(UserType::Enum(labels)) = self.schema.user_type_named(&base) {
            let known = labels.iter().any(|label| **label == *text);
            let shown = base.to_string();
            self.resolved.uses.labels.entry((shown, text.into())).or_insert(at);
            self.use_type(&base, at);
            if !known {
                self.problem("22P02", format!("invalid input value for enum {base}: \"{text}\""), at);
            }
            return;
        }
        self.use_type(wanted, at);
        // A string does not say what its fields are.
        if *base == *"record" {
            self.problem("0A000", "input of anonymous composite types is not implemented", at);
        } else if !input::may_be(text, &base) {
            self.problem("22P02", format!("invalid input syntax for type {base}: \"{text}\""), at);
        }
    }
}

pub(super) fn row_of(table: &super::scope::Table) -> Type {
    if let Some(row) = &table.row {
        return row.clone();
    }
    table.relation.as_ref().map_or_else(|| Type::named("record"), |name| Type::named(name.to_string()))
}

/// The length of the column that a name means.
fn size_of_column(parts: &[Ident], scope: Option<&Scope<'_>>) -> Sized {
    let (qualifier, name) = match parts {
        [name] => (None, name),
        [table, name] => (Some((None, table)), name),
        [.., schema, table, name] => (Some((Some(schema), table)), name),
        [] => return None,
    };
    for names in scope?.levels() {
        let col = match qualifier {
            None => names.bare().find(|col| col.name == *name),
            Some((schema, table)) => match names.table(schema, table) {
                Some(table) => table.columns.iter().find(|col| col.name == *name),
                None => continue,
            },
        };
        if let Some(col) = col {
            return col.sized.clone();
        }
    }
    None
}

fn array_size(element: &TypeName) -> TypeName {
    if element.is_array() { element.clone() } else { TypeName::canonical(format!("{element}[]")) }
}

fn array_of(element: &Type) -> Type {
    match element {
        Type::Named(name) if name.ends_with("[]") => element.clone(),
        Type::Named(name) => Type::named(format!("{name}[]")),
        Type::Unknown | Type::Parameter(_) => Type::named("text[]"),
        Type::Any => Type::Any,
    }
}

/// A column of a subquery has a type.
pub(super) fn typed(data_type: &Type) -> Type {
    if data_type.is_open() { Type::named("text") } else { data_type.clone() }
}

fn number_type(text: &str) -> &'static str {
    if text.parse::<i32>().is_ok() {
        "integer"
    } else if text.parse::<i64>().is_ok() {
        "bigint"
    } else if text.starts_with("0x") || text.starts_with("0o") || text.starts_with("0b") {
        "integer"
    } else {
        "numeric"
    }
}

pub(super) fn has_column(expr: &Expr) -> bool {
    match expr {
        Expr::Column(..) | Expr::Scalar(_) | Expr::Unknown(_) | Expr::Opaque => true,
        Expr::Parameter(_) | Expr::Text(..) | Expr::Number(_) | Expr::Bool | Expr::Null | Expr::Default => false,
        Expr::Cast(inner, ..) | Expr::Field(inner, ..) | Expr::Subscript(inner, ..) => has_column(inner),
        Expr::Call(call) => call.arguments.iter().any(has_column),
        Expr::Operator(_, left, right, _) => left.as_deref().is_some_and(has_column) || has_column(right),
        Expr::Quantified(_, left, right, _) => has_column(left) || has_column(right),
        Expr::In(left, list, _) => has_column(left) || list.iter().any(has_column),
        Expr::And(parts)
        | Expr::Logic(parts)
        | Expr::Test(parts)
        | Expr::Common(_, parts, _)
        | Expr::Array(parts, _)
        | Expr::Row(parts)
        | Expr::Typed(_, parts) => parts.iter().any(has_column),
        Expr::Case { branches, otherwise, .. } => {
            branches.iter().any(|(a, b)| has_column(a) || has_column(b)) || otherwise.as_deref().is_some_and(has_column)
        }
        Expr::ArrayOf(_) | Expr::Exists(_) => false,
    }
}

/// Types that have no elements.
const UNDIVIDED: [&str; 16] = [
    "bigint",
    "boolean",
    "bytea",
    "character varying",
    "date",
    "double precision",
    "integer",
    "interval",
    "json",
    "numeric",
    "real",
    "smallint",
    "text",
    "timestamp with time zone",
    "timestamp without time zone",
    "uuid",
];

/// Where an expression begins, if that is known.
pub(super) fn start(expr: &Expr) -> At {
    match expr {
        Expr::Column(_, at)
        | Expr::Text(_, at)
        | Expr::Cast(_, _, at)
        | Expr::Operator(_, _, _, at)
        | Expr::Quantified(_, _, _, at)
        | Expr::In(_, _, at)
        | Expr::Common(_, _, at)
        | Expr::Case { at, .. }
        | Expr::Array(_, at)
        | Expr::Field(_, _, at) => *at,
        Expr::Call(call) => call.at,
        Expr::And(parts) | Expr::Logic(parts) | Expr::Test(parts) | Expr::Row(parts) => {
            parts.first().map(start).unwrap_or_default()
        }
        _ => At::default(),
    }
}
