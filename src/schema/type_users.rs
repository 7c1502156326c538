//! Who uses a type, or a relation as the type of its rows: one place for what refuses to let it go, what goes with it, what follows its name,
//! and what is locked.

use std::collections::BTreeSet;

use super::Schema;
use super::model::{Column, Function, QName, Relation, TableRule, TypeUser};
use crate::sql::operation::{DefaultValue, Ident, RelationKind};
use crate::sql::query::Expr;
use crate::sql::{Name, Quoted, may_name, types_in};

/// How a type is named somewhere.
enum Named<'a> {
    /// As it is shown, without the schema `public`.
    Shown(&'a str),
    /// By what it was found to be.
    Is(&'a QName),
    /// In a text.
    Written(Name),
}

impl Relation {
    /// What names types, each with one that it names.
    fn named_types(&self, mut found: impl FnMut(TypeUser, Named<'_>)) {
        if let Some(of) = &self.of_type {
            found(TypeUser::Whole, Named::Is(of));
        }
        for (user, types) in &self.casts {
            types.iter().for_each(|of| found(user.clone(), Named::Is(of)));
        }
        let is_view = matches!(self.kind, RelationKind::View | RelationKind::MaterializedView);
        for column in self.columns.iter() {
            let of_column = || if is_view { TypeUser::Whole } else { TypeUser::Column(column.name.clone()) };
            if let Some(of) = column.data_type.as_ref().map(|of| of.base()).filter(|of| !is_servers(of)) {
                found(of_column(), Named::Shown(&of));
            }
            let by_value = || if is_generated(column) { of_column() } else { TypeUser::Default(column.name.clone()) };
            column.casts.iter().for_each(|of| found(by_value(), Named::Is(of)));
            if let Some(value) = &column.value {
                cast_to(value, &mut |of| found(by_value(), Named::Shown(of)));
            }
        }
        let mut written = |user: &dyn Fn() -> TypeUser, text: &str| {
            types_in(text).into_iter().for_each(|(of, _)| found(user(), Named::Written(of)));
        };
        for (name, constraint) in self.constraints.iter() {
            if let TableRule::Check { expression, .. } = &constraint.kind {
                written(&|| TypeUser::Constraint(name.clone()), expression);
            }
        }
        for (name, index) in self.indexes.iter() {
            for text in index.expressions.iter().chain(&index.predicate) {
                written(&|| TypeUser::Index(name.clone()), text);
            }
        }
        for (name, policy) in &self.policies {
            written(&|| TypeUser::Policy(name.clone()), &policy.text);
        }
    }

    /// The names of the types that it names, without their schemas.
    pub(super) fn types(&self) -> BTreeSet<Ident> {
        let mut types = BTreeSet::new();
        self.named_types(|_, named| {
            let name = match &named {
                Named::Shown(shown) => bare(shown),
                Named::Is(name) if is_servers(&name.name) => return,
                Named::Is(name) => &name.name,
                Named::Written(name) if name.schema.is_none() && is_servers(&name.name) => return,
                Named::Written(name) => &name.name,
            };
            if !types.contains(name) {
                types.insert(name.into());
            }
        });
        types
    }
}

impl Schema {
    /// The tables whose columns are the attributes of a composite type.
    pub(crate) fn of_type(&self, name: &QName) -> impl Iterator<Item = &QName> {
        let users = self.typed.get(&name.name).into_iter().flat_map(|users| users.iter());
        users.filter(move |table| self.relation(table).is_some_and(|found| found.of_type.as_ref() == Some(name)))
    }

    /// What names a type, or an array of it, of relations: it stays where that stays, and takes it along with `CASCADE`. Each with its relation.
    pub(crate) fn type_users(&self, name: &QName) -> Vec<(QName, TypeUser)> {
        let shown = name.to_string();
        let mut users = Vec::new();
        for on in self.typed.get(&name.name).into_iter().flat_map(|users| users.iter()) {
            let Some(relation) = self.relation(on) else { continue };
            let first = users.len();
            relation.named_types(|user, named| {
                let same = match named {
                    Named::Shown(of) => of == shown,
                    Named::Is(of) => of == name,
                    Named::Written(of) => of.name == name.name && self.type_meant(&of) == *name,
                };
                let known = |(_, known): &(QName, TypeUser)| *known == user;
                if same && !users[first..].iter().any(known) {
                    users.push((on.clone(), user));
                }
            });
        }
        users
    }

    /// The types that something in an expression is cast to.
    pub(super) fn cast_to<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> BTreeSet<QName> {
        let mut found = BTreeSet::new();
        for expr in exprs {
            cast_to(expr, &mut |shown| _ = found.insert(self.type_shown(shown)));
        }
        found
    }

    /// The type that is shown like this.
    pub(crate) fn type_shown(&self, shown: &str) -> QName {
        let bare = bare(shown);
        let home = shown.strip_suffix(bare).or_else(|| shown.strip_suffix('"')?.strip_suffix(bare)?.strip_suffix('"'));
        let home = home.map(|home| home.trim_end_matches('.').trim_matches('"')).filter(|home| !home.is_empty());
        self.type_meant(&Name { schema: home.map(Ident::from), name: bare.into() })
    }

    /// The types that parts of a relation name.
    pub(crate) fn types_named_by(&self, relation: &Relation, is: impl Fn(&TypeUser) -> bool) -> BTreeSet<QName> {
        let mut found = BTreeSet::new();
        relation.named_types(|user, named| {
            if is(&user) {
                found.insert(match named {
                    Named::Shown(shown) => self.type_shown(shown),
                    Named::Is(name) => name.clone(),
                    Named::Written(name) => self.type_meant(&name),
                });
            }
        });
        found
    }

    /// The type, or the relation as one, that a name in an expression means.
    pub(crate) fn type_meant(&self, name: &Name) -> QName {
        let found = self.resolve_type(name);
        if self.user_type(&found).is_some() {
            return found;
        }
        let relation = self.resolve(name);
        if self.relation(&relation).is_some() { relation } else { found }
    }

    /// Whether a type was dropped and nothing has its name since. Others that are not known may be an extension's.
    pub(crate) fn is_dropped_type(&self, name: &QName) -> bool {
        self.dropped_types.contains(name) && self.user_type(name).is_none() && self.relation(name).is_none()
    }

    /// The columns of tables whose type is this one, or an array of it.
    pub(crate) fn columns_of_type(&self, name: &QName) -> Vec<(QName, Ident)> {
        let shown = name.to_string();
        let of_type = |table: &QName, column: &Ident| {
            let column = self.relation(table).and_then(|relation| relation.column(column));
            column.and_then(|column| column.data_type.as_ref()).is_some_and(|of| of.base() == shown)
        };
        let columns = self.type_users(name).into_iter().filter_map(|(table, user)| match user {
            TypeUser::Column(column) if of_type(&table, &column) => Some((table, column)),
            _ => None,
        });
        columns.collect()
    }

    /// A text with the new name of a type in the place of the old one; `None`: it does not name it.
    pub(super) fn rewritten(&self, text: &str, from: &QName, to: &QName) -> Option<Ident> {
        let mut named = types_in(text);
        named.retain(|(of, _)| of.name == from.name && self.type_meant(of) == *from);
        let mut new = text.to_owned();
        for (of, place) in named.iter().rev() {
            let bare = of.schema.is_none() && from.schema == to.schema;
            let shown = if bare { Quoted(&to.name).to_string() } else { to.to_string() };
            new.replace_range(place.clone(), &shown);
        }
        (!named.is_empty()).then(|| new.into())
    }

    /// The functions that take, return or, as far as PostgreSQL knows what their bodies use, cast to a type.
    pub(crate) fn functions_of_type<'a>(&'a self, name: &'a QName) -> impl Iterator<Item = (&'a QName, &'a Function)> {
        let shown = name.to_string();
        self.all_functions().filter(move |(_, function)| self.is_function_of(function, name, &shown))
    }

    /// The same of one, with the type as it is shown.
    pub(crate) fn is_function_of(&self, function: &Function, name: &QName, shown: &str) -> bool {
        let text = function.source.text();
        let casts = || may_name(text, &name.name) && types_in(text).iter().any(|(of, _)| self.type_meant(of) == *name);
        function.is_of_type(shown) || function.tracked && casts()
    }
}

impl TypeUser {
    /// Itself in words. `on`: the relation, whose kind that is.
    pub(crate) fn words(&self, on: &QName, kind: RelationKind) -> String {
        match self {
            Self::Whole => format!("{} {on}", kind.keyword().to_ascii_lowercase()),
            Self::Column(column) => format!("column {column} of table {on}"),
            Self::Default(column) => format!("default value for column {column} of table {on}"),
            Self::Constraint(name) => format!("constraint {name} on table {on}"),
            Self::Index(name) => format!("index {name} on table {on}"),
            Self::Policy(name) => format!("policy {name} on table {on}"),
            Self::Rule(name) => format!("rule {name} on {on}"),
            Self::Trigger(name) => format!("trigger {name} on table {on}"),
        }
    }
}

/// The types that something in an expression is cast to, as they are shown.
pub(super) fn cast_to(expr: &Expr, found: &mut dyn FnMut(&str)) {
    if let Expr::Cast(_, to, _) | Expr::Typed(to, _) = expr
        && !is_servers(&to.base())
    {
        found(&to.base());
    }
    expr.parts().into_iter().for_each(|part| cast_to(part, found));
}

fn is_generated(column: &Column) -> bool {
    matches!(column.default, Some(DefaultValue::GeneratedStored | DefaultValue::GeneratedVirtual))
}

/// The name of a type as it is shown, without its schema.
fn bare(shown: &str) -> &str {
    let name = match shown.strip_suffix('"').and_then(|open| open.rfind('"')) {
        Some(start) => &shown[start..],
        None => shown.rsplit('.').next().unwrap_or(shown),
    };
    name.trim_matches('"')
}

/// Whether a name, without a schema, is surely that of one of the server's types, as most are.
fn is_servers(name: &str) -> bool {
    const MOST: [&str; 18] = [
        "integer",
        "bigint",
        "smallint",
        "text",
        "boolean",
        "uuid",
        "jsonb",
        "json",
        "numeric",
        "date",
        "bytea",
        "real",
        "regclass",
        "interval",
        "double precision",
        "character varying",
        "character",
        "name",
    ];
    MOST.contains(&name) || name.starts_with("timestamp ") || name.starts_with("time with")
}
