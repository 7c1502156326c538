//! An expression that is kept in the catalog, as PostgreSQL looks at it when it is written.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::catalog::{CATALOG, Context};
use super::expr::start;
use super::scope::{Names, Scope};
use super::types::{Sure, Type, Types};
use super::{QueryProblem, Resolver};
use crate::schema::refusals::expressions::{Place, Rows, forbidden};
use crate::schema::{QName, Relation, Schema};
use crate::sql::operation::Ident;
use crate::sql::query::{At, Expr};
use crate::sql::{Name, TypeName};

/// Why PostgreSQL refuses an expression at a place. `rows`: what it is about; `wanted`: the type that it becomes.
pub(in crate::schema) fn kept_refused(
    expr: &Expr,
    place: Place,
    rows: Option<&Rows<'_>>,
    wanted: Option<&TypeName>,
    schema: &Schema,
) -> Option<QueryProblem> {
    let rules = place.rules();
    let mut resolver = Resolver::new(schema);
    if let Some((code, message)) = misplaced(expr, place, rows, schema) {
        return Some(QueryProblem { code, message, at: At::default(), sure: true });
    }
    let names = rows.filter(|_| rules.columns).map(|rows| {
        let table = |alias: &str| resolver.table_of(alias.into(), None, &rows.name, &rows.relation);
        match rows.aliases {
            [] => Names::of(table(&rows.name.name)),
            aliases => Names::new(aliases.iter().map(|alias| table(alias)).collect(), Vec::new()),
        }
    });
    let scope = names.as_ref().map(|names| Scope { names, outer: None });
    let found = resolver.expr(expr, scope.as_ref());
    // What becomes of it on its way into a column is not asked.
    let changing = resolver.changing;
    if let Some(words) = rules.condition {
        // The words of the place are the server's.
        let found = resolver.settled(&found);
        if resolver.types.fits(&found, "boolean", Context::Assignment) == Sure::No {
            let message = format!("argument of {words} must be type boolean, not type {found}");
            return Some(QueryProblem { code: "42804", message, at: At::default(), sure: true });
        }
    }
    if let Some(wanted) = wanted {
        let wanted = Type::of(wanted);
        if let Some(name) = wanted.name().filter(|name| resolver.types.category(name).is_some()) {
            let is = resolver.settled(&found);
            if resolver.want(expr, &found, name, Context::Assignment, start(expr)) == Sure::No {
                let message = format!("the column is of type {name} but its expression is of type {is}");
                return Some(QueryProblem { code: "42804", message, at: At::default(), sure: true });
            }
        }
    }
    if let Some(message) = rules.immutable.filter(|_| changing) {
        return Some(QueryProblem { code: "42P17", message: message.to_owned(), at: At::default(), sure: true });
    }
    let told = |problem: &&QueryProblem| problem.sure && problem.code != "42704";
    resolver.resolved.problems.iter().find(told).cloned()
}

/// What an expression on the rows of a table reads; without a name: the relation.
pub(in crate::schema) fn read_by(expr: &Expr, table: &QName, schema: &Schema) -> BTreeSet<(QName, Ident)> {
    let mut resolver = Resolver::new(schema);
    let Some(relation) = schema.relation(table) else { return BTreeSet::new() };
    let names = Names::of(resolver.table_of(table.name.clone(), Some(table.schema.clone()), table, relation));
    resolver.expr(expr, Some(&Scope { names: &names, outer: None }));
    let uses = resolver.resolved.uses;
    let whole = uses.relations.into_keys().map(|name| (name, Ident::from("")));
    uses.reads.into_keys().chain(whole).collect()
}

/// The type of an expression on the rows of a table, with nothing else in sight; `None`: it is not known.
pub(in crate::schema) fn type_of_kept(
    expr: &Expr,
    table: &QName,
    relation: &Relation,
    schema: &Schema,
) -> Option<TypeName> {
    let mut resolver = Resolver::new(schema);
    let names = Names::of(resolver.table_of(table.name.clone(), Some(table.schema.clone()), table, relation));
    let found = resolver.expr(expr, Some(&Scope { names: &names, outer: None }));
    let found = resolver.settled(&found);
    (resolver.resolved.problems.is_empty()).then(|| found.name().map(TypeName::canonical))?
}

/// What must not stand at a place, whatever it means.
fn misplaced(expr: &Expr, place: Place, rows: Option<&Rows<'_>>, schema: &Schema) -> Option<(&'static str, String)> {
    let rules = place.rules();
    let own = match expr {
        Expr::Column(parts, _) if !rules.columns && parts.len() == 1 => {
            Some(("0A000", format!("cannot use column reference in {}", rules.words.trim_end_matches('s'))))
        }
        Expr::Column(parts, _) => {
            let named = rows.zip(parts.last()).and_then(|(rows, name)| forbidden(place, rows, name));
            named.map(|message| ("42P17", message))
        }
        Expr::Scalar(_) | Expr::Exists(_) | Expr::ArrayOf(_) if !rules.queries => {
            Some(("0A000", format!("cannot use subquery in {}", rules.words.trim_end_matches('s'))))
        }
        Expr::Parameter(number) => Some(("42P02", format!("there is no parameter ${number}"))),
        Expr::Call(call) if call.name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog") => {
            let name = &*call.name.name;
            let builtins = CATALOG.functions(name);
            let own = !schema.functions(&schema.resolve_function(&call.name)).is_empty();
            let all =
                |is: fn(&super::catalog::Builtin) -> bool| !own && !builtins.is_empty() && builtins.iter().all(is);
            if all(|builtin| builtin.aggregate) {
                Some(("42803", format!("aggregate functions are not allowed in {}", rules.words)))
            } else if all(|builtin| builtin.set) {
                Some(("0A000", format!("set-returning functions are not allowed in {}", rules.words)))
            } else {
                None
            }
        }
        _ => None,
    };
    own.or_else(|| expr.parts().into_iter().find_map(|part| misplaced(part, place, rows, schema)))
}

/// Names of functions and types that extensions and newer versions bring.
static ELSEWHERE: LazyLock<BTreeSet<&str>> = LazyLock::new(|| include_str!("catalog/elsewhere.txt").lines().collect());

/// The server's own functions that no query calls and some statements name (triggers', aggregates', operators'), as PostgreSQL 18 has them.
static INTERNAL: LazyLock<BTreeSet<&str>> = LazyLock::new(|| include_str!("catalog/internal.txt").lines().collect());

/// Whether something of this name may come from where no migration says so.
fn may_be_elsewhere(schema: &Schema, name: &str) -> bool {
    const PREFIXES: [&str; 6] = ["pg_", "st_", "_st_", "h3_", "json", "reg"];
    schema.extensions().next().is_some()
        || ELSEWHERE.contains(name)
        || INTERNAL.contains(name)
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether there may be a type of a name: any schema's, since nobody knows where sessions look.
pub(in crate::schema) fn may_be_type(schema: &Schema, data_type: &TypeName) -> bool {
    let base = data_type.base();
    let known = |name: &str| {
        name.is_empty()
            || is_built_in(name)
            || schema.user_type_named(name).is_some()
            || PSEUDO.contains(&name)
            || name.starts_with("any")
            || name.contains('%')
    };
    if known(&base) || (Types { schema }).row_type(&base).is_some() {
        return true;
    }
    let (home, bare) = base.split_once('.').map_or((None, &*base), |(home, bare)| (Some(home), bare));
    let bare = bare.trim_matches('"');
    match home.map(|home| home.trim_matches('"')) {
        Some(home) => !schema.has_namespace(home),
        None => {
            may_be_elsewhere(schema, bare)
                || schema.user_types().any(|(name, _)| *name.name == *bare)
                || schema.relations().any(|(name, _)| *name.name == *bare)
        }
    }
}

/// What was `char` without quotes in the text is `character` by now.
fn is_built_in(name: &str) -> bool {
    CATALOG.category(name).is_some() || name == "char"
}

/// Whether a type is there.
pub(in crate::schema) fn is_type(schema: &Schema, data_type: &TypeName) -> bool {
    let base = data_type.base();
    is_built_in(&base) || schema.user_type_named(&base).is_some() || (Types { schema }).row_type(&base).is_some()
}

/// Types that are only written in functions.
const PSEUDO: [&str; 13] = [
    "procedure",
    "void",
    "trigger",
    "event_trigger",
    "record",
    "internal",
    "cstring",
    "opaque",
    "language_handler",
    "fdw_handler",
    "index_am_handler",
    "table_am_handler",
    "tsm_handler",
];

/// Whether there may be a function of a name, or a type that is called like one.
pub(in crate::schema) fn may_be_function(schema: &Schema, name: &Name) -> bool {
    if let Some(home) = &name.schema {
        let seen = !schema.functions(&schema.resolve_function(name)).is_empty();
        return seen
            || schema.has_aggregate(name)
            || !schema.has_namespace(home)
            || may_be_elsewhere(schema, &name.name);
    }
    let called = &*name.name;
    let forms = ["nullif", "grouping", "coalesce", "greatest", "least", "row", "array", "exists", "cast"];
    !CATALOG.functions(called).is_empty()
        || forms.contains(&called)
        || schema.all_functions().any(|(found, _)| found.name == name.name)
        || schema.has_aggregate(name)
        || may_be_type(schema, &TypeName::canonical(name.name.clone()))
        || may_be_elsewhere(schema, called)
}

/// Whether a text search object, or a collation, is there from the start.
pub(in crate::schema) fn of_the_server(name: &str) -> bool {
    const LANGUAGES: [&str; 31] = [
        "simple",
        "arabic",
        "armenian",
        "basque",
        "catalan",
        "danish",
        "dutch",
        "english",
        "finnish",
        "french",
        "german",
        "greek",
        "hindi",
        "hungarian",
        "indonesian",
        "irish",
        "italian",
        "lithuanian",
        "nepali",
        "norwegian",
        "portuguese",
        "romanian",
        "russian",
        "serbian",
        "spanish",
        "swedish",
        "tamil",
        "turkish",
        "yiddish",
        "default",
        "ucs_basic",
    ];
    let name = name.strip_suffix("_stem").unwrap_or(name);
    LANGUAGES.contains(&name)
}
