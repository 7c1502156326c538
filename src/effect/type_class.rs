//! Which types a client's driver tells apart.

use crate::schema::{Schema, UserType};
use crate::sql::TypeName;

/// The type as a client meets it. Changes within a class are no change for readers: `varchar(20)` → `text` is another length, and the same
/// decoder; `integer` → `bigint` is another decoder. (Prepared statements notice either: that is the row shape.)
pub(super) fn type_class(schema: &Schema, data_type: &TypeName) -> String {
    let array = if data_type.is_array() { "[]" } else { "" };
    let base = data_type.base();
    let class = match &*base {
        "character varying" | "text" | "character" | "bpchar" => "text",
        "bit" | "bit varying" => "bit",
        other => other,
    };
    // A domain is read as the type below it.
    let domain = schema.domain_base(class);
    let class = domain.as_deref().unwrap_or(class);
    format!("{class}{array}")
}

/// What a change of type does to the values that a column accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeChange {
    /// Every value fits, and the table is not rewritten.
    Free,
    /// Every value fits, and the table is rewritten.
    Widening,
    /// Some values no longer fit, or it cannot be told.
    Narrowing,
}

/// Compares two types.
pub fn type_change(schema: &Schema, from: &TypeName, to: &TypeName) -> TypeChange {
    use TypeChange::{Free, Narrowing, Widening};
    if from == to {
        return Free;
    }
    if from.is_array() != to.is_array() {
        return Narrowing;
    }
    let (old, new) = (from.base(), to.base());
    let (old_mods, new_mods) = (from.modifiers(), to.modifiers());
    // To and from a domain without rules of its own, values stay as they are.
    if let Some(base) = schema.domain_base(&old).filter(|_| !from.is_array()) {
        return type_change(schema, &TypeName::canonical(base), to);
    }
    if let Some(base) = schema.domain_base(&new).filter(|_| !to.is_array()) {
        let below = type_change(schema, from, &TypeName::canonical(base));
        let constrained = schema.user_type_named(&new).is_some_and(UserType::is_constrained);
        return if constrained { Narrowing } else { below };
    }
    match (&*old, &*new) {
        ("character varying", "text") | ("text", "character varying") if new_mods.is_empty() => Free,
        ("character varying" | "bit varying", "character varying" | "bit varying") if old == new => {
            match (old_mods.first(), new_mods.first()) {
                (_, None) => Free,
                (Some(a), Some(b)) if a <= b => Free,
                _ => Narrowing,
            }
        }
        ("character", "text" | "character varying") if new_mods.is_empty() => Widening,
        ("numeric", "numeric") => match (old_mods.as_slice(), new_mods.as_slice()) {
            (_, []) => Free,
            ([p1, s1], [p2, s2]) if s1 == s2 && p1 <= p2 => Free,
            ([p1, s1], [p2, s2]) if p2 - s2 >= p1 - s1 && s2 >= s1 => Widening,
            _ => Narrowing,
        },
        ("smallint", "integer" | "bigint" | "numeric") | ("integer", "bigint" | "numeric") | ("bigint", "numeric")
            if new_mods.is_empty() =>
        {
            Widening
        }
        ("real", "double precision") | ("json", "jsonb") | ("date", "timestamp without time zone") => Widening,
        ("cidr", "inet") => Free,
        // More digits of a second. No modifier is as many as there are.
        ("interval", "interval")
        | ("timestamp with time zone", "timestamp with time zone")
        | ("timestamp without time zone", "timestamp without time zone")
        | ("time with time zone", "time with time zone")
        | ("time without time zone", "time without time zone")
            if new_mods.is_empty() || (!old_mods.is_empty() && old_mods.first() <= new_mods.first()) =>
        {
            Free
        }
        ("timestamp without time zone", "timestamp with time zone") if old_mods == new_mods => Widening,
        _ if schema.enum_labels(&old).is_some() && matches!(&*new, "text" | "character varying") => Widening,
        _ => Narrowing,
    }
}

impl Schema {
    fn domain_base(&self, name: &str) -> Option<String> {
        match self.user_type_named(name)? {
            UserType::Domain { base, .. } => Some(base.base().into_owned()),
            UserType::Enum(_) | UserType::Composite(_) | UserType::Range(_) | UserType::Other => None,
        }
    }

    fn enum_labels(&self, name: &str) -> Option<&[crate::sql::operation::Ident]> {
        match self.user_type_named(name)? {
            UserType::Enum(labels) => Some(labels),
            UserType::Composite(_) | UserType::Domain { .. } | UserType::Range(_) | UserType::Other => None,
        }
    }
}
