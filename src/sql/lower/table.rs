//! `CREATE TABLE`, columns and constraints.

use sqlparser::ast::{
    self, ColumnOption, Expr, GeneratedAs, GeneratedExpressionMode, ReferentialAction, Statement, TableConstraint,
    Value,
};
use sqlparser::parser::Parser;

use super::Result;
use super::query::{kept, kept_at};
use crate::sql::ast::{fold, fold_all, lower_name, plain_column};
use crate::sql::gaps::{Gaps, VIRTUAL};
use crate::sql::name::Name;
use crate::sql::operation::{
    ColumnDefinition, ConstraintDefinition, ConstraintKind, CreateTable, DefaultValue, Ident, OnDelete, Operation,
};
use crate::sql::parse::{eat_words, is_word, parser_over};
use crate::sql::shape::{columns_in, query_shape, shape_of};
use crate::sql::types::{TypeName, lower_type};

pub(super) fn create_table(parser: &mut Parser<'_>, gaps: &Gaps) -> Result<Vec<Operation>> {
    let unlogged = is_word(&parser.peek_nth_token_ref(1).token, "unlogged");
    let Statement::CreateTable(table) = parser.parse_statement()? else {
        return parser.expected_ref("CREATE TABLE", parser.peek_token_ref());
    };
    let unfilled =
        table.with_data.as_ref().is_some_and(|with| !with.data) || eat_words(parser, &["with", "no", "data"]);
    eat_words(parser, &["with", "data"]);
    eat_words(parser, &["without", "oids"]);
    let mut columns = Vec::new();
    let mut constraints = Vec::new();
    let unenforced = |rule: bool, at: usize| gaps.unenforced.iter().find(|said| said.rule == rule && said.at == at);
    for (at, column) in table.columns.iter().enumerate() {
        let (column, mut inline) = lower_column(column, gaps);
        columns.push(column);
        if let Some(said) = unenforced(false, at) {
            // Of some the parser has read it.
            let known = inline.iter().filter(|rule| !rule.enforced).count();
            bind_nothing(&mut inline, said.times.saturating_sub(known));
        }
        constraints.extend(inline);
    }
    for (at, constraint) in table.constraints.iter().enumerate() {
        let Some(mut constraint) = lower_constraint(constraint, false, gaps) else { continue };
        if unenforced(true, at).is_some() {
            bind_nothing(std::slice::from_mut(&mut constraint), 1);
        }
        constraints.push(constraint);
    }
    mark_primary_key(&mut columns, &constraints);
    // They are kept as long as the plan.
    constraints.shrink_to_fit();
    columns.shrink_to_fit();
    columns.iter_mut().filter(|c| gaps.not_null.contains(&c.name)).for_each(|c| c.not_null = true);
    Ok(vec![Operation::CreateTable(Box::new(CreateTable {
        name: lower_name(&table.name),
        if_not_exists: table.if_not_exists,
        temporary: table.temporary,
        unlogged,
        columns,
        constraints,
        like: gaps.like.clone(),
        inherits: table.inherits.iter().flatten().map(lower_name).collect(),
        of_type: gaps.of_type.clone(),
        partition_of: table.partition_of.as_ref().map(lower_name),
        is_default: !gaps.bound && matches!(table.for_values, Some(ast::ForValues::Default)),
        bound: gaps.partition_bound.clone(),
        partitioned: gaps.partitioned || table.partition_by.is_some(),
        partition_key: gaps.partition_key.clone(),
        partition_values: gaps
            .partition_values
            .iter()
            .map(|tokens| kept_at(&mut parser_over(tokens.clone())))
            .collect(),
        query: table.query.as_deref().map(|query| (query_shape(query), super::query::query(query))),
        unfilled,
    }))])
}

/// `NOT ENFORCED`, where it is said of all rules of a column or of a sub-command; otherwise they are taken for such that bind.
pub(super) fn bind_nothing(rules: &mut [ConstraintDefinition], said: usize) {
    let can = |rule: &ConstraintDefinition| {
        rule.enforced && matches!(rule.kind, ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. })
    };
    if said > 0 && rules.iter().filter(|rule| can(rule)).count() == said {
        for rule in rules.iter_mut().filter(|rule| can(rule)) {
            rule.enforced = false;
            rule.not_valid = true;
        }
    }
}

/// Columns of a primary key refuse NULL.
fn mark_primary_key(columns: &mut [ColumnDefinition], constraints: &[ConstraintDefinition]) {
    for constraint in constraints {
        if let ConstraintKind::PrimaryKey { columns: key } = &constraint.kind {
            columns.iter_mut().filter(|c| key.contains(&c.name)).for_each(|c| c.not_null = true);
        }
    }
}

/// A column and the constraints written at it.
pub(super) fn lower_column(column: &ast::ColumnDef, gaps: &Gaps) -> (ColumnDefinition, Vec<ConstraintDefinition>) {
    let name = fold(&column.name);
    let (data_type, serial) = lower_type(&column.data_type);
    let mut definition = ColumnDefinition {
        name: name.clone(),
        contradiction: contradiction(column, serial, &data_type),
        data_type,
        not_null: serial,
        default: None,
        serial,
        runs: Vec::new(),
        needs: Vec::new(),
        value: None,
        not_null_name: None,
    };
    if serial {
        definition.default = Some(DefaultValue::Volatile);
    }
    let mut constraints = Vec::new();
    for option in &column.options {
        let constraint_name = option.name.as_ref().map(fold);
        let deferrable = match &option.option {
            ColumnOption::PrimaryKey(key) => is_deferrable(key.characteristics.as_ref()),
            ColumnOption::Unique(unique) => is_deferrable(unique.characteristics.as_ref()),
            _ => false,
        };
        let enforced = match &option.option {
            ColumnOption::ForeignKey(key) => is_enforced(key.characteristics.as_ref()),
            _ => true,
        };
        let mut push = |kind| {
            constraints.push(ConstraintDefinition {
                name: constraint_name.clone(),
                kind,
                covers: Vec::new(),
                deferrable,
                not_valid: !enforced,
                enforced,
                no_inherit: gaps.no_inherit,
                default_tablespace: gaps.default_tablespace,
                if_not_exists: false,
            })
        };
        match &option.option {
            ColumnOption::NotNull => {
                definition.not_null = true;
                definition.not_null_name = constraint_name;
            }
            ColumnOption::Default(expr) => {
                definition.default = Some(default_value(expr));
                definition.runs = runs(expr);
                definition.value = kept(expr);
            }
            ColumnOption::PrimaryKey(_) => {
                definition.not_null = true;
                push(ConstraintKind::PrimaryKey { columns: vec![name.clone()] });
            }
            ColumnOption::Unique(_) => {
                push(ConstraintKind::Unique { columns: vec![name.clone()], nulls_collide: gaps.nulls_collide });
            }
            ColumnOption::Check(check) => push(check_kind(&check.expr)),
            ColumnOption::ForeignKey(key) => push(ConstraintKind::ForeignKey {
                columns: vec![name.clone()],
                target: lower_name(&key.foreign_table),
                target_columns: fold_all(&key.referred_columns),
                on_delete: on_delete(key.on_delete.as_ref()),
                follows: on_delete(key.on_update.as_ref()) != OnDelete::Refuse,
            }),
            ColumnOption::Generated { generated_as, generation_expr, generation_expr_mode, .. } => {
                let virtual_column = matches!(generation_expr_mode, Some(GeneratedExpressionMode::Virtual));
                definition.default = Some(match (generated_as, generation_expr) {
                    (_, Some(_)) if virtual_column => DefaultValue::GeneratedVirtual,
                    (_, Some(_)) | (GeneratedAs::ExpStored, None) => DefaultValue::GeneratedStored,
                    (GeneratedAs::Always, None) => DefaultValue::IdentityAlways,
                    (GeneratedAs::ByDefault, None) => DefaultValue::IdentityByDefault,
                });
                definition.not_null |= generation_expr.is_none();
                definition.runs = generation_expr.as_ref().map(runs).unwrap_or_default();
                definition.needs = generation_expr.as_ref().map(columns_in).unwrap_or_default();
                definition.value = generation_expr.as_ref().and_then(kept);
            }
            ColumnOption::Comment(mark) if mark == VIRTUAL => definition.default = Some(DefaultValue::GeneratedVirtual),
            // `NULL`, a collation, and what only other databases write.
            _ => {}
        }
    }
    (definition, constraints)
}

/// Options of a column that cannot stand together, in the server's words.
fn contradiction(column: &ast::ColumnDef, serial: bool, data_type: &TypeName) -> Option<&'static str> {
    const UNORDERED: [&str; 9] =
        ["bigint", "boolean", "date", "integer", "jsonb", "numeric", "smallint", "timestamp with time zone", "uuid"];
    let has = |is: fn(&ColumnOption) -> bool| column.options.iter().filter(|option| is(&option.option)).count();
    let generated = |option: &ColumnOption| matches!(option, ColumnOption::Generated { generation_expr: Some(_), .. });
    let identity = |option: &ColumnOption| matches!(option, ColumnOption::Generated { generation_expr: None, .. });
    let (generated, identity) = (has(generated), has(identity));
    let defaults = has(|option| matches!(option, ColumnOption::Default(_))) + usize::from(serial);
    let null = has(|option| matches!(option, ColumnOption::Null)) > 0;
    let not_null = has(|option| matches!(option, ColumnOption::NotNull)) > 0 || serial || identity > 0;
    let collated = has(|option| matches!(option, ColumnOption::Collation(_))) > 0;
    match () {
        () if collated && UNORDERED.contains(&&*data_type.base()) => Some("collations are not supported by the type"),
        () if null && not_null => Some("conflicting NULL/NOT NULL declarations"),
        () if defaults > 1 => Some("multiple default values specified"),
        () if identity > 1 => Some("multiple identity specifications"),
        () if generated > 1 => Some("multiple generation clauses specified"),
        () if defaults > 0 && identity > 0 => Some("both default and identity specified"),
        () if defaults > 0 && generated > 0 => Some("both default and generation expression specified"),
        () if identity > 0 && generated > 0 => Some("both identity and generation expression specified"),
        () => None,
    }
}

/// A constraint; `None` for what only other databases write.
pub(super) fn lower_constraint(
    constraint: &TableConstraint,
    not_valid: bool,
    gaps: &Gaps,
) -> Option<ConstraintDefinition> {
    let index_columns = |columns: &[ast::IndexColumn]| -> Vec<Ident> {
        columns.iter().filter_map(|c| plain_column(&c.column.expr)).collect()
    };
    let (name, kind) = match constraint {
        TableConstraint::Unique(unique) => {
            let nulls_collide = gaps.nulls_collide;
            (&unique.name, ConstraintKind::Unique { columns: index_columns(&unique.columns), nulls_collide })
        }
        TableConstraint::PrimaryKey(key) => {
            (&key.name, ConstraintKind::PrimaryKey { columns: index_columns(&key.columns) })
        }
        TableConstraint::ForeignKey(key) => (
            &key.name,
            ConstraintKind::ForeignKey {
                columns: fold_all(&key.columns),
                target: lower_name(&key.foreign_table),
                target_columns: fold_all(&key.referred_columns),
                on_delete: on_delete(key.on_delete.as_ref()),
                follows: on_delete(key.on_update.as_ref()) != OnDelete::Refuse,
            },
        ),
        TableConstraint::Check(check) => (&check.name, check_kind(&check.expr)),
        TableConstraint::Exclude(exclude) => {
            let columns = exclude.elements.iter().flat_map(|e| columns_in(&e.column.column.expr)).collect();
            let compared = |e: &ast::ExcludeConstraintElement| {
                plain_column(&e.column.column.expr).is_some() && e.operator.to_string() == "="
            };
            let alike = exclude.elements.iter().all(compared) && exclude.where_clause.is_none();
            // What btree and hash order by, or spread by, excludes by `=` only.
            let method = exclude.index_method.as_ref().map(fold);
            let by_equality = method.as_deref().is_none_or(|method| matches!(method, "btree" | "hash"));
            let operators = exclude.elements.iter().map(|e| e.operator.to_string());
            let unfit = operators.filter(|_| by_equality).find(|operator| operator != "=").map(Into::into);
            let (unclassed, classed): (Vec<_>, Vec<_>) =
                exclude.elements.iter().partition(|e| e.column.operator_class.is_none());
            let all = |elements: Vec<&ast::ExcludeConstraintElement>| {
                elements.into_iter().map(|e| kept(&e.column.column.expr)).collect()
            };
            let (values, classed) = (all(unclassed), all(classed));
            let condition = exclude.where_clause.as_deref().and_then(kept);
            let method = method.unwrap_or_else(|| "btree".into());
            (&exclude.name, ConstraintKind::Exclude { columns, alike, unfit, method, values, classed, condition })
        }
        TableConstraint::PrimaryKeyUsingIndex(using) => {
            (&using.name, ConstraintKind::UsingIndex { index: fold(&using.index_name), primary: true })
        }
        TableConstraint::UniqueUsingIndex(using) => {
            (&using.name, ConstraintKind::UsingIndex { index: fold(&using.index_name), primary: false })
        }
        TableConstraint::Index(_) | TableConstraint::FulltextOrSpatial(_) => return None,
    };
    let deferrable = match constraint {
        TableConstraint::Unique(unique) => is_deferrable(unique.characteristics.as_ref()),
        TableConstraint::PrimaryKey(key) => is_deferrable(key.characteristics.as_ref()),
        TableConstraint::PrimaryKeyUsingIndex(using) | TableConstraint::UniqueUsingIndex(using) => {
            is_deferrable(using.characteristics.as_ref())
        }
        _ => false,
    };
    let covers = match constraint {
        TableConstraint::Unique(unique) => fold_all(&unique.include),
        TableConstraint::PrimaryKey(key) => fold_all(&key.include),
        _ => Vec::new(),
    };
    let enforced = match constraint {
        TableConstraint::ForeignKey(key) => is_enforced(key.characteristics.as_ref()),
        _ => true,
    };
    let not_valid = not_valid || !enforced;
    let (name, no_inherit, default_tablespace) = (name.as_ref().map(fold), gaps.no_inherit, gaps.default_tablespace);
    let if_not_exists = false;
    Some(ConstraintDefinition {
        name,
        kind,
        covers,
        deferrable,
        not_valid,
        enforced,
        no_inherit,
        default_tablespace,
        if_not_exists,
    })
}

fn is_enforced(characteristics: Option<&ast::ConstraintCharacteristics>) -> bool {
    characteristics.is_none_or(|c| c.enforced != Some(false))
}

fn is_deferrable(characteristics: Option<&ast::ConstraintCharacteristics>) -> bool {
    characteristics.is_some_and(|c| c.deferrable == Some(true) || c.initially == Some(ast::DeferrableInitial::Deferred))
}

/// The functions that an expression calls.
pub(super) fn runs(expr: &Expr) -> Vec<Ident> {
    shape_of(expr).calls.into_iter().map(|name| name.name).collect()
}

fn check_kind(expr: &Expr) -> ConstraintKind {
    let expression = expr.to_string().into();
    let (columns, not_null, condition) = (columns_in(expr), says_not_null(expr), kept(expr));
    ConstraintKind::Check { columns, not_null, expression, condition }
}

fn says_not_null(expr: &Expr) -> bool {
    use std::ops::ControlFlow;
    sqlparser::ast::visit_expressions(expr, |e| match e {
        Expr::IsNotNull(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// Functions that give the same for one statement, and something else for another.
const OF_A_STATEMENT: &[&str] = &[
    "now",
    "transaction_timestamp",
    "statement_timestamp",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtimestamp",
    "localtime",
    "current_user",
    "session_user",
    "current_setting",
    "txid_current",
    "inet_client_addr",
];

/// Functions that always give the same for the same arguments.
const SAME: &[&str] = &[
    "lower",
    "upper",
    "concat",
    "coalesce",
    "timezone",
    "date_trunc",
    "to_timestamp",
    "to_date",
    "json_build_object",
    "jsonb_build_object",
    "json_build_array",
    "jsonb_build_array",
    "array_fill",
    "length",
    "md5",
    "decode",
    "encode",
    "abs",
    "floor",
    "ceil",
    "round",
    "interval",
    "make_interval",
    "version",
    "format",
    "replace",
    "nullif",
    "greatest",
    "least",
    "uuid_nil",
    "to_tsvector",
    "int4range",
    "tstzrange",
    "daterange",
];

/// Whether a function of the server always gives the same for the same arguments; `false`: it may not.
pub(crate) fn gives_the_same(function: &str) -> bool {
    SAME.contains(&function)
}

/// What kind of default an expression is. Functions that are not known to be stable are taken as volatile.
pub(super) fn default_value(expr: &Expr) -> DefaultValue {
    let inner = match expr {
        Expr::Nested(inner) => return default_value(inner),
        Expr::Cast { expr, .. } => expr,
        other => other,
    };
    if matches!(inner, Expr::Value(value) if value.value == Value::Null) {
        return DefaultValue::Null;
    }
    let same = |name: &Name| gives_the_same(&name.name);
    let known = |name: &Name| same(name) || OF_A_STATEMENT.contains(&&*name.name);
    match shape_of(expr).calls.as_slice() {
        calls if calls.iter().all(same) => DefaultValue::Constant,
        calls if calls.iter().all(known) => DefaultValue::Stable,
        _ => DefaultValue::Volatile,
    }
}

/// What a foreign key does when the row that it points to is deleted, or changed.
fn on_delete(action: Option<&ReferentialAction>) -> OnDelete {
    match action {
        None | Some(ReferentialAction::NoAction | ReferentialAction::Restrict) => OnDelete::Refuse,
        Some(ReferentialAction::Cascade) => OnDelete::Cascade,
        Some(ReferentialAction::SetNull | ReferentialAction::SetDefault) => OnDelete::Set,
    }
}
