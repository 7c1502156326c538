//! Statements that write: INSERT, UPDATE, DELETE and MERGE.

use super::catalog::Context;
use super::command::constant;
use super::expr::start;
use super::from::renamed;
use super::scope::{Names, Scope, Table};
use super::types::{Sure, Type};
use super::values::Value;
use super::{Arbiter, Output, QueryProblem, Resolver, Row, WriteKind, normal};
use crate::schema::refusals::repeated;
use crate::schema::{Column, QName, Relation};
use crate::sql::operation::{DefaultValue, Ident, RelationKind, RuleEvent};
use crate::sql::query::{
    Assignment, At, Delete, Expr, Insert, Item, Merge, MergeInsert, Placed, QueryBody, QueryExpression, TableRef,
    Update,
};
use std::collections::BTreeSet;

/// An upsert without its index.
pub(crate) const NO_ARBITER: &str = "there is no unique or exclusion constraint matching the ON CONFLICT specification";

impl<'s> Resolver<'s> {
    /// The table that a statement writes: its names, and itself.
    fn target(&mut self, table: &TableRef, events: &[RuleEvent]) -> Option<(QName, &'s Relation)> {
        let name = self.relation(&table.name)?;
        let relation = self.schema.relation(&name)?;
        if matches!(relation.kind, RelationKind::MaterializedView | RelationKind::Sequence) {
            self.problem("42809", format!("cannot change \"{}\"", name.name), table.name.at);
        } else if let Some(event) = events.iter().find(|event| self.schema.refuses_rows(relation, **event)) {
            let what = match event {
                RuleEvent::Update => "update",
                RuleEvent::Delete => "delete from",
                RuleEvent::Insert | RuleEvent::Select => "insert into",
            };
            self.problem("55000", format!("cannot {what} view \"{}\"", name.name), table.name.at);
        } else if relation.kind == RelationKind::View && !relation.is_writable() {
            // Something may take it that is not known.
            let message = format!("cannot write to view \"{}\"", name.name);
            self.resolved.problems.push(QueryProblem { code: "55000", message, at: table.name.at, sure: false });
        }
        Some((name, relation))
    }

    /// A column that gets a value; its type.
    fn assigned(&mut self, name: &QName, relation: &Relation, column: &Placed<Ident>, by: RuleEvent) -> Type {
        let Some(found) = relation.column(&column.value) else {
            if relation.columns_known {
                let message = format!("column \"{}\" of relation \"{}\" does not exist", column.value, name.name);
                self.problem("42703", message, column.at);
            } else {
                self.resolved.uses.more = true;
            }
            return Type::Any;
        };
        if found.computed && relation.is_writable() && !self.taken_over(name, by) {
            let message = format!("cannot write into column \"{}\" of view \"{}\"", column.value, name.name);
            self.problem("0A000", message, column.at);
        }
        found.data_type.as_ref().map_or(Type::Any, Type::of)
    }

    /// Whether triggers or rules take what is written into a view, or into one that it shows.
    fn taken_over(&self, view: &QName, by: RuleEvent) -> bool {
        let mut behind = self.schema.behind(view).into_iter().filter_map(|name| self.schema.relation(name));
        behind.any(|r| r.kind == RelationKind::View && (!r.triggers.is_empty() || r.replaces(by)))
    }

    /// A value for a column. `part`: only a part of it is set.
    fn assign(&mut self, column: &Column, value: &Expr, found: &Type, wanted: &Type, part: bool) {
        if *value == Expr::Default {
            return;
        }
        match &column.default {
            Some(DefaultValue::GeneratedStored | DefaultValue::GeneratedVirtual) => {
                let message = format!("column \"{}\" can only be updated to DEFAULT", column.name);
                self.problem("428C9", message, start(value));
            }
            Some(DefaultValue::IdentityAlways) => {
                // OVERRIDING may stand there.
                let message = format!("column \"{}\" can only be updated to DEFAULT", column.name);
                self.resolved.problems.push(QueryProblem { code: "428C9", message, at: start(value), sure: false });
            }
            _ => {}
        }
        let Type::Named(wanted) = wanted else {
            if let Type::Parameter(number) = found {
                self.settle(*number, &Type::Any);
            }
            return;
        };
        if part {
            if let Type::Parameter(number) = found {
                self.settle(*number, &Type::Any);
            }
            return;
        }
        if self.want(value, found, wanted, Context::Assignment, start(value)) == Sure::No && &**wanted != "boolean" {
            let found = self.settled(found);
            let message = format!("column \"{}\" is of type {wanted} but expression is of type {found}", column.name);
            self.problem("42804", message, start(value));
        }
    }

    fn set(
        &mut self,
        name: &QName,
        relation: &Relation,
        set: &[Assignment],
        scope: &Scope<'_>,
    ) -> (BTreeSet<Ident>, Row) {
        let (mut columns, mut row) = (BTreeSet::new(), Row::new());
        for assignment in set {
            let mut held = Vec::new();
            let values: Vec<(&Expr, Type)> = match (&assignment.value, &assignment.columns[..]) {
                (Expr::Row(values), many) if values.len() == many.len() => {
                    values.iter().map(|value| (value, self.expr(value, Some(scope)))).collect()
                }
                (Expr::Scalar(query), many) if many.len() > 1 => {
                    self.put_single(query);
                    let found = self.query(query, Some(scope)).unwrap_or_default();
                    held = found.iter().map(|col| Value { null: true, ..self.value_of(col) }).collect();
                    found.into_iter().map(|col| (&Expr::Bool, col.data_type)).collect()
                }
                (value, _) => vec![(value, self.expr(value, Some(scope)))],
            };
            for (i, column) in assignment.columns.iter().enumerate() {
                let wanted = self.assigned(name, relation, column, RuleEvent::Update);
                if !columns.insert(column.value.clone()) && !assignment.part {
                    self.problem(
                        "42601",
                        format!("multiple assignments to same column \"{}\"", column.value),
                        column.at,
                    );
                }
                let (Some(found), Some((value, data_type))) = (relation.column(&column.value), values.get(i)) else {
                    continue;
                };
                if let Some(constant) = constant(value).filter(|_| !assignment.part) {
                    row.insert(column.value.clone(), constant);
                }
                self.meet(value, &[(name.clone(), column.value.clone())], true);
                self.assign(found, value, data_type, &wanted, assignment.part);
                if self.follows && !assignment.part && **value != Expr::Default {
                    let value = held.get(i).cloned().unwrap_or_else(|| self.value(value, Some(scope)));
                    self.put(name, &column.value, value, true);
                }
            }
        }
        (columns, row)
    }

    pub(super) fn insert(&mut self, insert: &Insert, outer: Option<&Scope<'_>>) -> Output {
        // `DO UPDATE` of a plain view is one of its table.
        let target = self.target(&insert.table, &[RuleEvent::Insert]);
        let Some((name, relation)) = target else {
            // The rest is looked at all the same.
            if let Some(source) = &insert.source {
                self.query(source, outer);
            }
            return None;
        };
        // A view takes rows of COPY by an INSTEAD OF trigger only.
        if insert.copies && relation.kind == RelationKind::View && relation.triggers.is_empty() {
            self.problem("42809", format!("cannot copy to view \"{}\"", name.name), insert.table.name.at);
        }
        let listed = insert.columns.is_some();
        if let Some(twice) = repeated(insert.columns.iter().flatten().map(|column| &column.value)) {
            self.problem("42701", format!("column \"{twice}\" specified more than once"), insert.table.name.at);
        }
        let mut columns: Vec<Placed<Ident>> = match &insert.columns {
            Some(columns) => columns.clone(),
            None => {
                let all = relation.columns.iter();
                all.map(|column| Placed { value: column.name.clone(), at: insert.table.name.at }).collect()
            }
        };
        let wanted: Vec<Type> =
            columns.iter().map(|column| self.assigned(&name, relation, column, RuleEvent::Insert)).collect();
        let mut written = vec![Row::new()];
        let width = match &insert.source {
            None => Some(0),
            Some(source) => match &source.body {
                // Each value takes the type of its column.
                QueryBody::Values(rows) if source.ctes.is_empty() || !rows.is_empty() => {
                    written = rows.iter().map(|row| constants(&columns, row)).collect();
                    let collides = insert.conflict.is_none();
                    Some(self.inserted_rows(source, rows, &columns, &wanted, (&name, relation, collides), outer))
                }
                _ => {
                    let found = self.query(source, outer);
                    let width = found.as_ref().map(Vec::len);
                    let found = found.into_iter().flatten();
                    let outputs = select_items(&source.body);
                    for (i, (col, (column, wanted))) in found.zip(columns.iter().zip(&wanted)).enumerate() {
                        let Some(column) = relation.column(&column.value) else { continue };
                        let value = outputs.and_then(|items| match items.get(i) {
                            Some(Item::Expr(expr, _)) if items.len() == width.unwrap_or(0) => Some(expr),
                            _ => None,
                        });
                        let value = value.unwrap_or(&Expr::Bool);
                        if let Some(constant) = constant(value) {
                            written[0].insert(column.name.clone(), constant);
                        }
                        self.meet(value, &[(name.clone(), column.name.clone())], true);
                        self.assign(column, value, &col.data_type, wanted, false);
                        if self.follows {
                            let value = self.value_of(&col);
                            self.put(&name, &column.name, value, insert.conflict.is_none());
                        }
                    }
                    width
                }
            },
        };
        if let Some(width) = width.filter(|_| relation.columns_known && insert.source.is_some()) {
            if width > columns.len() {
                self.problem("42601", "INSERT has more expressions than target columns", insert.table.name.at);
            } else if width < columns.len() && listed {
                self.problem("42601", "INSERT has more target columns than expressions", insert.table.name.at);
            }
            columns.truncate(width);
        }
        if insert.source.is_none() && !insert.copies {
            columns.clear();
        }
        if !listed {
            self.resolved.uses.stars.entry(name.clone()).or_insert(insert.table.name.at);
        }
        let own = Table {
            alias: insert.table.alias.clone().unwrap_or_else(|| insert.table.name.value.name.clone()),
            ..self.table_of(name.name.clone(), Some(name.schema.clone()), &name, relation)
        };
        let (mut arbiter, mut constraint, mut updates, mut updated) = (None, None, BTreeSet::new(), Row::new());
        if let Some(conflict) = &insert.conflict {
            let anywhere =
                conflict.columns.is_empty() && conflict.expressions.is_empty() && conflict.constraint.is_none();
            if anywhere && conflict.update.is_some() {
                let message = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
                self.problem("42601", message, insert.table.name.at);
            }
            for column in &conflict.columns {
                self.assigned(&name, relation, column, RuleEvent::Insert);
                self.use_columns(&[(name.clone(), column.value.clone())], column.at);
            }
            let own_scope = Names::of(own.clone());
            let own_scope = Scope { names: &own_scope, outer: None };
            for (expr, _) in conflict.expressions.iter().chain(&conflict.predicate) {
                self.expr(expr, Some(&own_scope));
            }
            if !conflict.columns.is_empty() || !conflict.expressions.is_empty() {
                let wanted = Arbiter {
                    columns: conflict.columns.iter().map(|column| column.value.clone()).collect(),
                    expressions: conflict.expressions.iter().map(|(_, text)| normal(text)).collect(),
                    predicate: conflict.predicate.as_ref().map(|(_, text)| normal(text)),
                    kinds: conflict.kinds.iter().cloned().collect(),
                };
                // What a view's table has, and what a partition's parent has, is not looked at.
                let known = relation.kind == RelationKind::Table && relation.columns_known;
                let found = relation.indexes.values().map(|index| wanted.finds(index)).any(|sure| sure != Sure::No);
                let there = wanted.columns.iter().all(|column| relation.column(column).is_some());
                if known && there && !found {
                    let message = NO_ARBITER;
                    self.problem("42P10", message, insert.table.name.at);
                }
                arbiter = Some(wanted);
            }
            constraint = conflict.constraint.as_ref().map(|name| name.value.clone());
            if let (Some(wanted), true) = (&conflict.constraint, relation.columns_known)
                && !relation.constraints.get(&wanted.value).is_some_and(|found| found.kind.has_index())
            {
                let message = format!("constraint \"{}\" for table \"{}\" does not exist", wanted.value, name.name);
                self.problem("42704", message, wanted.at);
            }
            let excluded = self.table_of("excluded".into(), None, &name, relation);
            let mut names = Names::of(own.clone());
            names.tables.push(excluded);
            let scope = Scope { names: &names, outer };
            if let Some(update) = &conflict.update {
                (updates, updated) = self.set(&name, relation, update, &scope);
            }
            if let Some(filter) = &conflict.filter {
                let found = self.expr(filter, Some(&scope));
                self.want(filter, &found, "boolean", Context::Assignment, start(filter));
            }
        }
        let columns: Vec<Ident> = columns.into_iter().map(|column| column.value).collect();
        if self.follows {
            self.put_nothing(&name, relation, &columns);
        }
        let copies = insert.copies;
        let anywhere = insert.conflict.is_some() && arbiter.is_none() && constraint.is_none();
        let rows = written;
        let kind = WriteKind::Insert { columns, listed, copies, rows, arbiter, constraint, anywhere, updates, updated };
        self.write(name, kind, insert.table.name.at);
        let names = Names::of(own);
        self.returning(&insert.returning, names, outer)
    }

    /// `RETURNING`, where `old` and `new` are the row before and after since PostgreSQL 18.
    fn returning(&mut self, items: &[Item], mut names: Names, outer: Option<&Scope<'_>>) -> Output {
        if let Some(target) = names.tables.first().cloned() {
            let shadow = |alias: &str| Table { alias: alias.into(), schema: None, ..target.clone() };
            let free = |alias: &&&str| !names.tables.iter().any(|table| *table.alias == **alias.to_owned());
            let rows: Vec<Table> = ["old", "new"].iter().filter(free).map(|alias| shadow(alias)).collect();
            let named = |table: &Table| items.iter().any(|item| mentions(item, &table.alias));
            names.tables.extend(rows.into_iter().filter(named));
        }
        self.items(items, &Scope { names: &names, outer })
    }

    fn inserted_rows(
        &mut self,
        source: &QueryExpression,
        rows: &[Vec<Expr>],
        columns: &[Placed<Ident>],
        wanted: &[Type],
        (name, relation, collides): (&QName, &Relation, bool),
        outer: Option<&Scope<'_>>,
    ) -> usize {
        let known = self.ctes.len();
        for cte in &source.ctes {
            let found = self.query(&cte.query, outer).map(|found| renamed(found, &cte.columns));
            self.ctes.push((cte.name.clone(), found));
        }
        for row in rows {
            for (value, (column, wanted)) in row.iter().zip(columns.iter().zip(wanted)) {
                let found = self.expr(value, outer);
                if let Some(column) = relation.column(&column.value) {
                    self.meet(value, &[(name.clone(), column.name.clone())], true);
                    self.assign(column, value, &found, wanted, false);
                    if self.follows && *value != Expr::Default {
                        let value = self.value(value, outer);
                        self.put(name, &column.name, value, collides);
                    }
                }
            }
            for value in row.iter().skip(columns.len()) {
                self.expr(value, outer);
            }
        }
        self.ctes.truncate(known);
        if rows.windows(2).any(|pair| pair[0].len() != pair[1].len()) {
            self.problem("42601", "VALUES lists must all be the same length", At::default());
        }
        rows.iter().map(Vec::len).max().unwrap_or(0)
    }

    pub(super) fn update(&mut self, update: &Update, outer: Option<&Scope<'_>>) -> Output {
        let Some((name, relation)) = self.target(&update.table, &[RuleEvent::Update]) else {
            self.from(&update.from, outer);
            return None;
        };
        let names = Names::of(self.table(&update.table)).join(self.from(&update.from, outer), &[]);
        let scope = Scope { names: &names, outer };
        let (columns, row) = self.set(&name, relation, &update.set, &scope);
        if let Some(filter) = &update.filter {
            let found = self.expr(filter, Some(&scope));
            self.want(filter, &found, "boolean", Context::Assignment, start(filter));
        }
        self.write(name, WriteKind::Update { columns, row }, update.table.name.at);
        self.returning(&update.returning, names, outer)
    }

    pub(super) fn delete(&mut self, delete: &Delete, outer: Option<&Scope<'_>>) -> Output {
        let target = self.target(&delete.table, &[RuleEvent::Delete]);
        let names = Names::of(self.table_again(&delete.table)).join(self.from(&delete.using, outer), &[]);
        let scope = Scope { names: &names, outer };
        if let Some(filter) = &delete.filter {
            let found = self.expr(filter, Some(&scope));
            self.want(filter, &found, "boolean", Context::Assignment, start(filter));
        }
        if let Some((name, _)) = target {
            self.write(name, WriteKind::Delete, delete.table.name.at);
        }
        self.returning(&delete.returning, names, outer)
    }

    /// The table of a statement whose absence was told already.
    fn table_again(&mut self, table: &TableRef) -> Table {
        let known = self.resolved.problems.len();
        let found = self.table(table);
        self.resolved.problems.truncate(known);
        found
    }

    pub(super) fn merge(&mut self, merge: &Merge, outer: Option<&Scope<'_>>) -> Output {
        let told = [
            (!merge.inserts.is_empty()).then_some(RuleEvent::Insert),
            (!merge.updates.is_empty()).then_some(RuleEvent::Update),
            merge.deletes.then_some(RuleEvent::Delete),
        ];
        let target = self.target(&merge.table, &told.into_iter().flatten().collect::<Vec<_>>());
        let source = self.element(&merge.source, &Names::default(), outer);
        let names = Names::of(self.table_again(&merge.table)).join(source.clone(), &[]);
        let scope = Scope { names: &names, outer };
        for condition in &merge.conditions {
            let found = self.expr(condition, Some(&scope));
            self.want(condition, &found, "boolean", Context::Assignment, start(condition));
        }
        let (name, relation) = target?;
        if relation.kind == RelationKind::View {
            // PostgreSQL 17 does it.
            let message = format!("cannot execute MERGE on relation \"{}\", a view", name.name);
            self.resolved.problems.push(QueryProblem { code: "0A000", message, at: merge.table.name.at, sure: false });
        }
        for set in &merge.updates {
            let (columns, row) = self.set(&name, relation, set, &scope);
            self.write(name.clone(), WriteKind::Update { columns, row }, merge.table.name.at);
        }
        let inner = Scope { names: &source, outer };
        for MergeInsert { columns, values } in &merge.inserts {
            let listed = columns.is_some();
            let columns = columns.clone().unwrap_or_else(|| {
                let all = relation.columns.iter();
                all.map(|column| Placed { value: column.name.clone(), at: merge.table.name.at }).collect()
            });
            let row = constants(&columns, values);
            for (column, value) in columns.iter().zip(values) {
                let wanted = self.assigned(&name, relation, column, RuleEvent::Insert);
                let found = self.expr(value, Some(&inner));
                if let Some(column) = relation.column(&column.value) {
                    self.assign(column, value, &found, &wanted, false);
                    if self.follows && *value != Expr::Default {
                        let value = self.value(value, Some(&inner));
                        self.put(&name, &column.name, value, true);
                    }
                }
            }
            let given = columns.into_iter().take(values.len());
            let kind = WriteKind::Insert {
                columns: given.map(|column| column.value).collect(),
                listed,
                copies: false,
                rows: vec![row],
                arbiter: None,
                constraint: None,
                anywhere: false,
                updates: BTreeSet::new(),
                updated: Row::new(),
            };
            self.write(name.clone(), kind, merge.table.name.at);
        }
        if merge.deletes {
            self.write(name, WriteKind::Delete, merge.table.name.at);
        }
        // RETURNING is not read.
        None
    }
}

/// The constants of a row.
fn constants(columns: &[Placed<Ident>], row: &[Expr]) -> Row {
    let given = columns.iter().zip(row);
    given.filter_map(|(column, value)| Some((column.value.clone(), constant(value)?))).collect()
}

/// Whether an element of RETURNING names a table.
pub(super) fn mentions(item: &Item, table: &Ident) -> bool {
    let names = |expr: &Expr| matches!(expr, Expr::Column(parts, _) if parts.len() > 1 && parts[0] == *table);
    match item {
        Item::Expr(expr, _) | Item::Fields(expr) => expr.any(&names),
        Item::Star(name, _) => name.as_ref().is_some_and(|name| name.name == *table),
    }
}

fn select_items(body: &QueryBody) -> Option<&[Item]> {
    match body {
        QueryBody::Select(select) => Some(&select.items),
        QueryBody::Query(query) => select_items(&query.body),
        _ => None,
    }
}
