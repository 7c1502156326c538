//! What a body gives to whatever may not take it: columns, variables of a type, casts. Each value is known by what it is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Resolver;
use super::command::constant;
use super::computed::{any_row_fails, computed_in, default_fails, fails, fails_with_row};
use super::scope::{Col, Columns, Names, Scope, Table};
use super::single::gives_several;
use super::types::Type;
use crate::schema::model::{Function, QName, Relation};
use crate::schema::{Column, Schema, UserType};
use crate::shared::Shared;
use crate::sql::TypeName;
use crate::sql::body::{Body, BodyQuery, Declared};
use crate::sql::condition::Constant;
use crate::sql::operation::{Firing, Ident, RelationKind};
use crate::sql::query::{self, Call, Expr, QueryExpression};

/// What is known of a value.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Value {
    /// Its type, with its length or precision; `None`: not known.
    pub(crate) data_type: Option<TypeName>,
    /// How many characters it has as a text, at most; `None`: any number.
    pub(crate) length: Option<i64>,
    /// Whether it may be NULL.
    pub(crate) null: bool,
    /// The columns of the trigger's row that it is made of.
    pub(crate) from: Vec<Ident>,
    /// Other columns that it is made of.
    pub(crate) read: Vec<(QName, Ident)>,
    /// Whether it is one of these as it is, or NULL.
    pub(crate) alone: bool,
    /// What it is one of; none: that is not known.
    pub(crate) constants: Vec<Constant>,
    /// Whether it is another one each time.
    pub(crate) fresh: bool,
}

/// Where a value goes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    /// A column of a table; and whether a row that collides with another is refused.
    Column { table: QName, column: Ident, collides: bool },
    /// A column of the trigger's own row.
    Row(Ident),
    /// A variable, or a cast.
    Type(TypeName),
    /// The right side of a division.
    Divisor,
    /// Nowhere: the body may fail, in words.
    Nowhere(&'static str),
}

/// What a body gives to something.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Written {
    pub(crate) into: Place,
    pub(crate) value: Value,
    /// Whether it happens whenever the body runs.
    pub(crate) always: bool,
}

impl Written {
    fn new(into: Place, value: Value) -> Self {
        Self { into, value, always: false }
    }
}

/// What is said of a query that is to give one value.
const SEVERAL: &str = "takes the value of a query that may give more than one row";

/// What is said of a constant that cannot be computed.
const FAILS: &str = "computes something that always fails";

/// Deeper calls are not followed.
const DEEPEST: usize = 8;

/// Functions that give no NULL for what is none.
const NEVER_NULL: &[&str] = &[
    "abs",
    "age",
    "btrim",
    "ceil",
    "ceiling",
    "char_length",
    "character_length",
    "date_part",
    "date_trunc",
    "decode",
    "encode",
    "floor",
    "initcap",
    "jsonb_build_array",
    "json_build_array",
    "jsonb_build_object",
    "json_build_object",
    "left",
    "length",
    "lower",
    "lpad",
    "ltrim",
    "make_date",
    "md5",
    "mod",
    "nextval",
    "now",
    "octet_length",
    "power",
    "quote_ident",
    "quote_literal",
    "random",
    "regexp_replace",
    "repeat",
    "replace",
    "reverse",
    "right",
    "round",
    "row_to_json",
    "rpad",
    "rtrim",
    "sha256",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "timezone",
    "to_char",
    "to_date",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_timestamp",
    "to_tsquery",
    "to_tsvector",
    "translate",
    "trim",
    "trunc",
    "txid_current",
    "upper",
    "setweight",
    "gen_random_uuid",
    "uuid_generate_v4",
    "clock_timestamp",
    "statement_timestamp",
    "transaction_timestamp",
    "timeofday",
    "pg_current_xact_id",
    "unaccent",
    "sqrt",
    "sign",
    "div",
    "chr",
    "ascii",
];

/// Functions that give a value even for NULL.
const ALWAYS_GIVE: &[&str] =
    &["concat", "concat_ws", "count", "jsonb_build_object", "json_build_object", "jsonb_build_array", "num_nulls"];

/// Functions that give another value each time.
const FRESH: &[&str] = &["nextval", "gen_random_uuid", "uuid_generate_v4", "uuid_generate_v1", "uuidv7", "uuidv4"];

/// Functions that give a text of the length of their first argument, or a shorter one.
const KEEPS_LENGTH: &[&str] = &[
    "lower",
    "upper",
    "initcap",
    "trim",
    "btrim",
    "ltrim",
    "rtrim",
    "nullif",
    "reverse",
    "translate",
    "split_part",
    "substr",
    "substring",
    "left",
    "right",
];

/// Functions that give a number of the size of their first argument.
const KEEPS_SIZE: &[&str] = &["abs", "round", "trunc", "floor", "ceil", "ceiling", "nullif", "mod"];

/// Operators that give NULL for what is none.
const MAY_LACK: &[&str] = &["->", "->>", "#>", "#>>"];

impl Value {
    fn unknown() -> Self {
        Self { null: true, ..Self::default() }
    }

    /// One of several.
    pub(super) fn any_of(values: impl IntoIterator<Item = Self>) -> Self {
        let mut values = values.into_iter();
        let Some(mut all) = values.next() else { return Self::unknown() };
        for value in values {
            // A NULL is of any length.
            all.length = all.length.zip(value.length).map(|(one, other)| one.max(other));
            if all.data_type != value.data_type {
                all.data_type = None;
            }
            if all.constants.is_empty() || value.constants.is_empty() {
                all.constants.clear();
            } else {
                all.constants.extend(value.constants.iter().cloned());
            }
            all.null |= value.null;
            all.alone &= value.alone;
            all.fresh &= value.fresh;
            all.add(value);
        }
        all
    }

    /// Notes what else it is made of.
    fn add(&mut self, other: Self) {
        self.from.extend(other.from.into_iter().filter(|column| !self.from.contains(column)).collect::<Vec<_>>());
        self.read.extend(other.read.into_iter().filter(|column| !self.read.contains(column)).collect::<Vec<_>>());
    }

    /// Something that is made of others.
    fn made_of(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut made = Self::default();
        for part in parts {
            made.null |= part.null;
            made.add(part);
        }
        made
    }
}

impl Resolver<'_> {
    /// What is known of the value of an expression, and its type.
    pub(super) fn value(&mut self, expr: &Expr, scope: Option<&Scope<'_>>) -> Value {
        let mut value = self.made(expr, scope);
        if value.data_type.is_none() {
            value.data_type = self.type_of(expr, scope);
        }
        value
    }

    fn type_of(&mut self, expr: &Expr, scope: Option<&Scope<'_>>) -> Option<TypeName> {
        let (data_type, size) = self.quietly(|resolver| resolver.sized(expr, scope));
        size.or_else(|| match data_type {
            Type::Named(name) => Some(TypeName::canonical(name)),
            _ => None,
        })
    }

    /// Looks without leaving a trace.
    fn quietly<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        let (written, called) = (self.written.len(), self.called.len());
        let found = self.silently(look);
        self.written.truncate(written);
        self.called.truncate(called);
        found
    }

    /// The same without the type, unless it is written there. The types of the parts say nothing about the whole, and each is a way through
    /// all that is below it.
    fn made(&mut self, expr: &Expr, scope: Option<&Scope<'_>>) -> Value {
        let all = |resolver: &mut Self, parts: &[Expr]| -> Vec<Value> {
            parts.iter().map(|part| resolver.made(part, scope)).collect()
        };
        match expr {
            Expr::Column(parts, _) => self.value_of_column(parts, scope),
            Expr::Text(text, _) => {
                let length = i64::try_from(text.chars().count()).ok();
                Value { length, constants: constant(expr).into_iter().collect(), ..Value::default() }
            }
            Expr::Number(text) => {
                let length = i64::try_from(text.len()).ok();
                Value { length, constants: constant(expr).into_iter().collect(), ..Value::default() }
            }
            Expr::Null => Value {
                null: true,
                alone: true,
                length: Some(0),
                constants: constant(expr).into_iter().collect(),
                ..Value::default()
            },
            Expr::Bool => Value { length: Some(5), ..Value::default() },
            Expr::Cast(inner, to, _) => {
                let (of, inner) = (inner, self.made(inner, scope));
                let length = to.modifiers().first().copied().or(inner.length).or_else(|| {
                    let from = inner.data_type.clone().or_else(|| self.type_of(of, scope));
                    from.and_then(|from| self.longest(&from))
                });
                // A cast to another type may spell it otherwise.
                let spelled = matches!(&*to.base(), "text" | "character varying") || constant(expr).is_some();
                let constants = if spelled { inner.constants.clone() } else { Vec::new() };
                Value { data_type: Some(to.clone()), length, alone: false, constants, ..inner }
            }
            Expr::Common(what, parts, _) => {
                let values = all(self, parts);
                let null = values.iter().all(|value| value.null);
                let alone = *what == "COALESCE" && values.iter().all(|value| value.alone);
                Value { null, alone, data_type: None, ..Value::any_of(values) }
            }
            Expr::Case { branches, otherwise, .. } => {
                let mut values: Vec<Value> = branches.iter().map(|(_, then)| self.made(then, scope)).collect();
                values.push(self.made(otherwise.as_deref().unwrap_or(&Expr::Null), scope));
                Value { alone: false, data_type: None, ..Value::any_of(values) }
            }
            Expr::Operator(operator, left, right, _) => {
                let values: Vec<Value> =
                    left.as_deref().into_iter().chain([&**right]).map(|part| self.made(part, scope)).collect();
                let joined = || values.iter().map(|value| value.length).sum::<Option<i64>>();
                let length = if &**operator == "||" { joined() } else { None };
                let lacks = MAY_LACK.contains(&&**operator);
                let made = Value::made_of(values);
                Value { length, null: made.null || lacks, constants: constant(expr).into_iter().collect(), ..made }
            }
            Expr::Call(call) => self.value_of_call(call, scope),
            Expr::Scalar(query) => self.value_of_query(query, scope),
            Expr::Test(parts) => Value { null: false, ..Value::made_of(all(self, parts)) },
            Expr::And(parts) | Expr::Logic(parts) | Expr::Typed(_, parts) => Value::made_of(all(self, parts)),
            Expr::Array(parts, _) | Expr::Row(parts) => Value { null: false, ..Value::made_of(all(self, parts)) },
            Expr::Exists(_) | Expr::ArrayOf(_) => Value::default(),
            Expr::In(..) | Expr::Quantified(..) | Expr::Field(..) | Expr::Subscript(..) | Expr::Unknown(_) => {
                let parts: Vec<Value> = expr.parts().into_iter().map(|part| self.made(part, scope)).collect();
                Value { null: true, ..Value::made_of(parts) }
            }
            Expr::Parameter(number) => {
                let at = usize::try_from(*number).ok().and_then(|number| number.checked_sub(1));
                at.and_then(|at| self.arguments.get(at)).cloned().unwrap_or_else(Value::unknown)
            }
            Expr::Default | Expr::Opaque => Value::unknown(),
        }
    }

    fn value_of_column(&self, parts: &[Ident], scope: Option<&Scope<'_>>) -> Value {
        let (table, name) = match parts {
            [name] => (None, name),
            [.., table, name] => (Some(table), name),
            [] => return Value::unknown(),
        };
        // What the trigger itself says of its run.
        if table.is_none() && (name.starts_with("tg_") || **name == *"found") {
            return Value { data_type: Some(TypeName::canonical("name")), length: Some(63), ..Value::default() };
        }
        let found = scope.into_iter().flat_map(Scope::levels).find_map(|names| match table {
            None => names.bare().find(|col| col.name == *name),
            Some(table) => {
                names.table(None, table).and_then(|table| table.columns.iter().find(|col| col.name == *name))
            }
        });
        found.map_or_else(Value::unknown, |col| self.value_of(col))
    }

    /// What is known of an output column.
    pub(super) fn value_of(&self, col: &Col) -> Value {
        if let Some(value) = &col.value {
            return (**value).clone();
        }
        let data_type = col.sized.clone().or_else(|| match &col.data_type {
            Type::Named(name) => Some(TypeName::canonical(name.clone())),
            _ => None,
        });
        let length = data_type.as_ref().and_then(|data_type| self.longest(data_type));
        let column = |(table, column): &(QName, Ident)| self.schema.relation(table).and_then(|r| r.column(column));
        let null = col.of().is_empty() || col.of().iter().any(|of| column(of).is_none_or(|column| !column.not_null));
        Value { data_type, length, null, read: col.of().to_vec(), alone: !col.of().is_empty(), ..Value::default() }
    }

    fn value_of_call(&mut self, call: &Call, scope: Option<&Scope<'_>>) -> Value {
        let name = &*call.name.name;
        let values: Vec<Value> = call.arguments.iter().map(|part| self.made(part, scope)).collect();
        let own = !self.schema.functions(&self.schema.resolve_function(&call.name)).is_empty();
        let first = values.first().cloned().unwrap_or_default();
        let joined = || values.iter().map(|value| value.length).sum::<Option<i64>>();
        // A negative number counts from the other end.
        let number = |at: usize| match values.get(at).map(|value| &value.constants[..]) {
            Some([Constant::Number(number)]) if *number >= 0 => Some(*number),
            _ => None,
        };
        let at_most = |limit: Option<i64>| match (limit, first.length) {
            (Some(limit), Some(length)) => Some(limit.min(length)),
            (limit, length) => limit.or(length),
        };
        let length = match name {
            _ if own => None,
            "md5" => Some(32),
            "concat" => joined(),
            "left" | "right" => at_most(number(1)),
            "substr" | "substring" => at_most(number(2)),
            "lpad" | "rpad" => number(1),
            _ if KEEPS_LENGTH.contains(&name) => first.length,
            _ => None,
        };
        let made = Value::made_of(values);
        let null = match name {
            _ if own || call.named => true,
            _ if ALWAYS_GIVE.contains(&name) => false,
            _ if NEVER_NULL.contains(&name) => made.null,
            _ => true,
        };
        let of_first = || first.data_type.or_else(|| self.type_of(call.arguments.first()?, scope));
        let data_type = if !own && KEEPS_SIZE.contains(&name) { of_first() } else { None };
        Value { data_type, length, null, fresh: !own && FRESH.contains(&name), ..made }
    }

    fn value_of_query(&mut self, query: &QueryExpression, scope: Option<&Scope<'_>>) -> Value {
        let columns = self.quietly(|resolver| resolver.query(query, scope));
        let Some([col]) = columns.as_deref() else { return Value::unknown() };
        let value = self.value_of(col);
        // No row is a NULL, and of no rows there is a count.
        Value { null: value.null || !counts(query), ..value }
    }

    /// How long the text of a value of a type can be; `None`: any length.
    pub(crate) fn longest(&self, data_type: &TypeName) -> Option<i64> {
        longest(self.schema, data_type)
    }

    /// Notes that a value goes into a column.
    pub(super) fn put(&mut self, table: &QName, column: &Ident, value: Value, collides: bool) {
        let into = Place::Column { table: table.clone(), column: column.clone(), collides };
        self.written.push(Written::new(into, value));
    }

    /// Notes the columns that an INSERT gives no value, and that demand one.
    pub(super) fn put_nothing(&mut self, table: &QName, relation: &Relation, given: &[Ident]) {
        let filled = relation.trigger_firings.values().any(|firing| firing.insert && firing.changes_rows());
        if relation.kind != RelationKind::Table || filled {
            return;
        }
        let lacks =
            |column: &&Shared<Column>| column.not_null && !column.may_be_omitted() && !given.contains(&column.name);
        for column in relation.columns.iter().filter(lacks) {
            self.put(table, &column.name, Value { null: true, alone: true, ..Value::default() }, false);
        }
    }

    /// Notes a cast of what is read.
    pub(super) fn put_cast(&mut self, inner: &Expr, to: &TypeName, scope: Option<&Scope<'_>>) {
        let value = self.value(inner, scope);
        if !value.from.is_empty() || !value.read.is_empty() {
            self.written.push(Written::new(Place::Type(to.clone()), value));
        }
    }

    /// Notes a query that is to give one value, and may give several rows.
    pub(super) fn put_single(&mut self, query: &QueryExpression) {
        if self.follows && gives_several(query, self.schema) {
            // It is made of the rows of all that the query names.
            let mut own = Resolver::new(self.schema);
            own.query(query, None);
            let read = own.resolved.uses.relations.into_keys().map(|name| (name, Ident::from(""))).collect();
            self.written.push(Written::new(Place::Nowhere(SEVERAL), Value { read, ..Value::default() }));
        }
    }

    /// Notes a division by what is read.
    pub(super) fn put_divisor(&mut self, divisor: &Expr, scope: Option<&Scope<'_>>) {
        let value = self.value(divisor, scope);
        let guarded = matches!(divisor, Expr::Call(call) if &*call.name.name == "nullif");
        // How many rows there are is nobody's constant.
        let counts = matches!(divisor, Expr::Call(call) if &*call.name.name == "count");
        if !guarded && (counts || !value.from.is_empty() || !value.read.is_empty()) {
            self.written.push(Written::new(Place::Divisor, value));
        }
    }
}

/// How long the text of a value can be; `None`: any length.
pub(crate) fn longest(schema: &Schema, data_type: &TypeName) -> Option<i64> {
    let length = |base: &str| {
        Some(match base {
            "character varying" => *data_type.modifiers().first()?,
            "character" => data_type.modifiers().first().copied().unwrap_or(1),
            "\"char\"" => 1,
            "name" => 63,
            "boolean" => 5,
            "smallint" => 6,
            "date" => 13,
            "integer" => 11,
            "bigint" => 20,
            "uuid" => 36,
            _ => return None,
        })
    };
    match schema.user_type_named(&data_type.base()) {
        Some(UserType::Enum(labels)) => {
            labels.iter().filter_map(|label| i64::try_from(label.chars().count()).ok()).max()
        }
        Some(UserType::Domain { base, .. }) if !data_type.is_array() && base != data_type => longest(schema, base),
        _ => length(&data_type.base()),
    }
}

/// Whether a query gives one row, with a count.
fn counts(query: &QueryExpression) -> bool {
    let query::QueryBody::Select(select) = &query.body else { return false };
    let is_count = |item: &query::Item| match item {
        query::Item::Expr(Expr::Call(call), _) => &*call.name.name == "count",
        query::Item::Expr(Expr::Common("COALESCE", parts, _), _) => {
            parts.first().is_some_and(|first| matches!(first, Expr::Call(_))) && parts.len() > 1
        }
        _ => false,
    };
    select.group_by.is_empty() && select.having.is_none() && select.items.iter().all(is_count)
}

/// The row that a trigger runs for: its table, when it runs, and what is known of the columns that a body has given values.
type OwnRow = Option<(QName, Firing, BTreeMap<Ident, Value>)>;

/// What a function gives to whatever may not take it, as a trigger of a table, by itself and by the functions that it calls.
pub(crate) fn written(function: &Function, row: Option<(&QName, Firing)>, schema: &Schema) -> Vec<Written> {
    let mut walk = Walk { schema, seen: BTreeSet::new(), written: Vec::new() };
    walk.function(function, &row.map(|(table, firing)| (table.clone(), firing, BTreeMap::new())), &[], 0);
    walk.written
}

/// What the queries read that may give several values where a statement takes one.
pub(crate) fn asked_for_one(command: &query::Command, schema: &Schema) -> Vec<QName> {
    let mut resolver = Resolver { follows: true, ..Resolver::new(schema) };
    resolver.command(command, None);
    let several = resolver.written.into_iter().filter(|written| written.into == Place::Nowhere(SEVERAL));
    several.flat_map(|written| written.value.read).map(|(name, _)| name).collect()
}

/// What an expression on the rows of a table gives to whatever may not take it, and to a column of the table, if it is for one.
/// The row's name is its table's, or `new`.
pub(crate) fn kept_written(
    expr: &Expr,
    table: &QName,
    alias: &Ident,
    into: Option<&Ident>,
    schema: &Schema,
) -> Vec<Written> {
    let Some(relation) = schema.relation(table) else { return Vec::new() };
    let mut resolver = Resolver { follows: true, ..Resolver::new(schema) };
    let col = |column: &Shared<Column>| {
        let col = Col::own(table, &column.name, column.data_type.as_ref());
        let value = resolver.value_of(&col);
        col.holding(Value { from: vec![column.name.clone()], read: Vec::new(), ..value })
    };
    let columns = Rc::new(relation.columns.iter().map(col).collect());
    let schema_name = Some(table.schema.clone());
    let (alias, own) = (alias.clone(), Some(table.clone()));
    let names = Names::of(Table { alias, schema: schema_name, relation: own, columns, open: false, row: None });
    let scope = Scope { names: &names, outer: None };
    resolver.expr(expr, Some(&scope));
    if fails(expr, schema).is_some() || any_row_fails(expr, schema) {
        resolver.written.push(Written::new(Place::Nowhere(FAILS), Value::default()));
    }
    if let Some(column) = into {
        let value = resolver.value(expr, Some(&scope));
        resolver.put(table, column, value, true);
    }
    resolver.written.iter_mut().for_each(|written| written.always = true);
    resolver.written
}

/// What a default gives to whatever may not take it: constants, texts that are read as another type, and settings that nobody has made.
pub(crate) fn default_written(expr: &Expr, table: &QName, column: &Ident, schema: &Schema) -> Vec<Written> {
    let mut resolver = Resolver { follows: true, ..Resolver::new(schema) };
    let value = resolver.value(expr, None);
    resolver.written.clear();
    let data_type = schema.relation(table).and_then(|relation| relation.column(column)?.data_type.as_ref());
    if data_type.is_some_and(|data_type| default_fails(expr, data_type, schema).is_some()) {
        let words = "has a default that its type may refuse";
        resolver.written.push(Written::new(Place::Nowhere(words), Value::default()));
    }
    if !value.constants.is_empty() {
        resolver.put(table, column, value, false);
    }
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        open.extend(expr.parts());
        match expr {
            // A constant has been read by the time the statement ends, and a moment is spelled as it is asked to be.
            Expr::Cast(inner, to, _) if !matches!(**inner, Expr::Text(..) | Expr::Null) && !inner.any(&is_spelled) => {
                let value = Value { constants: Vec::new(), ..resolver.value(inner, None) };
                if value.data_type.as_ref().is_some_and(|of| matches!(&*of.base(), "text" | "character varying")) {
                    resolver.written.push(Written::new(Place::Type(to.clone()), value));
                }
            }
            Expr::Call(call) if &*call.name.name == "current_setting" => {
                let lenient = call.arguments.len() > 1;
                let own = matches!(call.arguments.first(), Some(Expr::Text(name, _)) if name.contains('.'));
                if own && !lenient {
                    let words = "asks for a setting that a session may not have";
                    resolver.written.push(Written::new(Place::Nowhere(words), Value::default()));
                }
            }
            _ => {}
        }
    }
    // What may not be there is not read either.
    resolver.written.sort_by_key(|written| !matches!(written.into, Place::Nowhere(_)));
    resolver.written
}

/// Whether a text is made by a pattern.
fn is_spelled(expr: &Expr) -> bool {
    matches!(expr, Expr::Call(call) if matches!(&*call.name.name, "to_char" | "format"))
}

struct Walk<'a> {
    schema: &'a Schema,
    seen: BTreeSet<QName>,
    written: Vec<Written>,
}

impl Walk<'_> {
    fn function(&mut self, function: &Function, row: &OwnRow, arguments: &[Value], depth: usize) {
        let body = function.source.body();
        let mut state = State::new(self.schema, function, body, row, arguments);
        let (mut called, mut set_off) = (Vec::new(), Vec::new());
        let fails = [
            (body.strict, "demands a row of a query that may find none or several"),
            (body.dynamic, "runs SQL that it puts together, which nobody has read"),
        ];
        let fails = fails.into_iter().filter(|(does, _)| *does);
        let nowhere = |(_, words)| Written::new(Place::Nowhere(words), Value::default());
        self.written.extend(fails.map(nowhere));
        for query in &body.queries {
            let begun = self.written.len();
            let mut resolver = Resolver { follows: true, ..Resolver::new(self.schema) };
            resolver.arguments = arguments.to_vec();
            let names = state.names();
            let columns = resolver.command(&query.command, Some(&Scope { names: &names, outer: None }));
            let columns: Option<Vec<Col>> = columns
                .map(|columns| columns.into_iter().map(|col| col.clone().holding(resolver.value_of(&col))).collect());
            for write in &resolver.resolved.uses.writes {
                let given = resolver.written.iter().filter_map(|written| match &written.into {
                    Place::Column { table, column, .. } if *table == write.relation => {
                        Some((column.clone(), written.value.clone()))
                    }
                    _ => None,
                });
                set_off.push((write.clone(), given.collect::<BTreeMap<_, _>>()));
            }
            if computed_in(&query.command, self.schema).is_some() || fails_with_row(&query.command, self.schema) {
                resolver.written.push(Written::new(Place::Nowhere(FAILS), Value::default()));
            }
            if let query::Command::Select(select) = &query.command
                && query.single
            {
                resolver.put_single(select);
            }
            self.written.append(&mut resolver.written);
            called.append(&mut resolver.called);
            state.assign(query, columns, &mut self.written);
            self.written[begun..].iter_mut().for_each(|written| written.always = query.always);
        }
        for (name, arguments) in called {
            if depth < DEEPEST && self.seen.insert(name.clone()) {
                for function in self.schema.functions(&name) {
                    self.function(function, &None, &arguments, depth + 1);
                }
            }
        }
        for (write, given) in set_off {
            let Some(relation) = self.schema.relation(&write.relation) else { continue };
            for (trigger, name) in &relation.trigger_functions {
                let firing = relation.firing(trigger);
                if depth < DEEPEST && write.sets_off(firing) && self.seen.insert(name.clone()) {
                    let row = firing.each_row.then(|| (write.relation.clone(), firing, given.clone()));
                    let begun = self.written.len();
                    for function in self.schema.functions(name) {
                        self.function(function, &row, &[], depth + 1);
                    }
                    // What it gives to its own row is that table's.
                    for written in &mut self.written[begun..] {
                        if let Place::Row(column) = &written.into {
                            let (table, column) = (write.relation.clone(), column.clone());
                            written.into = Place::Column { table, column, collides: true };
                        }
                    }
                }
            }
        }
    }
}

/// What the variables of a body hold.
struct State {
    /// The columns of the trigger's row, as `new` and as `old`.
    rows: Vec<(Ident, QName, Vec<Col>)>,
    variables: BTreeMap<Ident, Col>,
    /// Variables that hold rows; `None`: of columns that are not known.
    records: BTreeMap<Ident, Option<Columns>>,
    /// Whether the body asks whether a SELECT found something.
    asks: bool,
    /// Names that the body asks whether they are NULL.
    guarded: BTreeSet<Ident>,
}

impl State {
    fn new(schema: &Schema, function: &Function, body: &Body, row: &OwnRow, arguments: &[Value]) -> Self {
        let mut guarded = BTreeSet::new();
        for query in &body.queries {
            asked(query, &mut guarded);
        }
        let mentions = |word: &str| function.mentions.iter().any(|mentioned| **mentioned == *word);
        let resolver = Resolver::new(schema);
        let mut rows = Vec::new();
        if let Some((table, firing, given)) = row
            && let Some(relation) = schema.relation(table)
        {
            // A body that asks what it runs for knows which row there is.
            let told = mentions("tg_op");
            for (alias, lacks) in [("new", firing.delete), ("old", firing.insert)] {
                let col = |column: &Shared<Column>| {
                    let col = Col::own(table, &column.name, column.data_type.as_ref());
                    let value = resolver.value_of(&col);
                    let null = (value.null || lacks && !told) && !guarded.contains(&column.name);
                    // What a body has written is made of what it was made of there.
                    let from = vec![column.name.clone()];
                    let own = Value { null, from, read: Vec::new(), ..value };
                    let held = match given.get(&column.name) {
                        Some(given) if alias == "new" => Value { data_type: own.data_type.clone(), ..given.clone() },
                        _ if given.is_empty() => own,
                        _ => Value { from: Vec::new(), ..own },
                    };
                    col.holding(held)
                };
                rows.push((alias.into(), table.clone(), relation.columns.iter().map(col).collect()));
            }
        }
        let mut variables = BTreeMap::new();
        let mut records = BTreeMap::new();
        for (i, name) in function.inputs.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let data_type = function.arguments.get(i).map(|(data_type, _)| data_type);
            let value = arguments.get(i).cloned().unwrap_or_else(Value::unknown);
            variables.insert(name.clone(), Col::declared(name.clone(), data_type).holding(value));
        }
        let initially = Value { null: true, alone: true, length: Some(0), ..Value::default() };
        for (name, declared) in &body.declared {
            let row = match declared {
                Declared::Type(data_type) => {
                    let row = super::types::Types { schema }.row_type(data_type.as_str());
                    let col = Col::declared(name.clone(), Some(data_type));
                    variables.insert(name.clone(), col.holding(initially.clone()));
                    row
                }
                Declared::Like(of) => {
                    let relation = schema.resolve(&of.0);
                    let column = of.1.as_ref().and_then(|column| schema.relation(&relation)?.column(column));
                    if of.1.is_some() {
                        let col = Col::declared(name.clone(), column.and_then(|column| column.data_type.as_ref()));
                        variables.insert(name.clone(), col.holding(initially.clone()));
                    }
                    of.1.is_none().then_some(relation)
                }
                Declared::Other => {
                    records.insert(name.clone(), None);
                    None
                }
            };
            if let Some((row, relation)) = row.and_then(|row| schema.relation(&row).map(|relation| (row, relation))) {
                let columns = resolver.table_of(name.clone(), None, &row, relation).columns;
                records.insert(name.clone(), Some(columns));
            }
        }
        for name in &body.variables {
            if !variables.contains_key(name) && !records.contains_key(name) {
                records.insert(name.clone(), None);
            }
        }
        Self { rows, variables, records, asks: mentions("found"), guarded }
    }

    fn names(&self) -> Names {
        let own = self.rows.iter().map(|(alias, table, columns)| Table {
            alias: alias.clone(),
            schema: None,
            relation: Some(table.clone()),
            columns: Rc::new(columns.clone()),
            open: false,
            row: None,
        });
        let records = self.records.iter().map(|(name, columns)| Table {
            alias: name.clone(),
            schema: None,
            relation: None,
            columns: columns.clone().unwrap_or_default(),
            open: columns.is_none(),
            row: Some(Type::Any),
        });
        Names::new(own.chain(records).collect(), self.variables.values().cloned().collect())
    }

    /// Lets the targets of a query hold what it gives.
    fn assign(&mut self, query: &BodyQuery, columns: Option<Vec<Col>>, written: &mut Vec<Written>) {
        // A SELECT that finds nothing leaves NULL.
        let lacks = query.finds && !self.asks;
        if let [only] = &query.into[..]
            && let [name] = &only[..]
            && self.records.contains_key(name)
        {
            let columns = columns.map(|columns| Rc::new(columns.into_iter().map(|col| lacking(col, lacks)).collect()));
            self.records.insert(name.clone(), columns);
            return;
        }
        for (at, target) in query.into.iter().enumerate() {
            let value =
                columns.as_ref().and_then(|columns| columns.get(at)).and_then(|col| col.value.as_deref().cloned());
            let mut value = value.unwrap_or_else(Value::unknown);
            value.null |= lacks;
            self.give(target, value, query.always, written);
        }
    }

    fn give(&mut self, target: &[Ident], value: Value, always: bool, written: &mut Vec<Written>) {
        let guarded = target.last().is_some_and(|name| self.guarded.contains(name));
        let merged = |was: &Value| {
            let mut now = if always { value.clone() } else { Value::any_of([was.clone(), value.clone()]) };
            now.null &= !guarded;
            now
        };
        match target {
            [name] => {
                let Some(col) = self.variables.get_mut(name) else { return };
                let declared = col.sized.clone().or_else(|| match &col.data_type {
                    Type::Named(name) => Some(TypeName::canonical(name.clone())),
                    _ => None,
                });
                if let Some(declared) = &declared {
                    written.push(Written::new(Place::Type(declared.clone()), value.clone()));
                }
                let was = col.value.as_deref().cloned().unwrap_or_default();
                let now = Value { data_type: declared, ..merged(&was) };
                *col = col.clone().holding(now);
            }
            [row, column] if **row == *"new" => {
                written.push(Written::new(Place::Row(column.clone()), value.clone()));
                let Some((.., columns)) = self.rows.iter_mut().find(|(alias, ..)| alias == row) else { return };
                let Some(col) = columns.iter_mut().find(|col| col.name == *column) else { return };
                let was = col.value.as_deref().cloned().unwrap_or_default();
                let now = Value { data_type: was.data_type.clone(), ..merged(&was) };
                *col = col.clone().holding(now);
            }
            _ => {}
        }
    }
}

fn lacking(col: Col, lacks: bool) -> Col {
    let value = col.value.as_deref().cloned().unwrap_or_else(Value::unknown);
    col.holding(Value { null: value.null || lacks, ..value })
}

/// The names that a query asks whether they are NULL.
fn asked(query: &BodyQuery, found: &mut BTreeSet<Ident>) {
    fn of(expr: &Expr, found: &mut BTreeSet<Ident>) {
        if let Expr::Test(parts) = expr {
            found.extend(parts.iter().filter_map(|part| match part {
                Expr::Column(names, _) => names.last().cloned(),
                _ => None,
            }));
        }
        expr.parts().into_iter().for_each(|part| of(part, found));
    }
    if let query::Command::Select(select) = &query.command
        && let query::QueryBody::Select(select) = &select.body
    {
        let items = select.items.iter().filter_map(|item| match item {
            query::Item::Expr(expr, _) => Some(expr),
            _ => None,
        });
        items.chain(&select.filter).for_each(|expr| of(expr, found));
    }
}
