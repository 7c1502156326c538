//! Type names, spelled as PostgreSQL's `format_type` spells them, so that a type written in a migration and one read from a live catalog
//! compare equal.

use std::borrow::Cow;
use std::fmt;

use sqlparser::ast::{ArrayElemTypeDef, DataType, ObjectName};

use super::ast::fold;
use super::name::{Ident, Quoted};

/// A type as `format_type(oid, typmod)` prints it, for example `character varying(20)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeName(Ident);

impl TypeName {
    /// From text that is already in `format_type`'s spelling.
    pub fn canonical(text: impl Into<Ident>) -> Self {
        Self(text.into())
    }

    /// From a name that a client library has for it: `int8`, `_text`, `timestamptz[]`.
    pub fn spelled(text: &str) -> Self {
        let element = text.strip_suffix("[]").or_else(|| text.strip_prefix('_'));
        match element {
            Some(element) => Self::canonical(format!("{}[]", Self::spelled(element).base())),
            None => Self::canonical(canonical(text)),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, for somebody else to keep.
    pub(crate) fn shared(&self) -> Ident {
        self.0.clone()
    }

    /// The name without modifiers and array brackets: `character varying(20)[]` → `character varying`.
    pub fn base(&self) -> Cow<'_, str> {
        let mut text: &str = &self.0;
        while let Some(element) = text.strip_suffix("[]") {
            text = element;
        }
        // `interval day to second(3)`
        if text.starts_with("interval ") {
            return Cow::Borrowed("interval");
        }
        match (text.find('('), text.find(')')) {
            (Some(open), Some(close)) if open < close => Cow::Owned(format!("{}{}", &text[..open], &text[close + 1..])),
            _ => Cow::Borrowed(text),
        }
    }

    /// The numbers in parentheses.
    pub fn modifiers(&self) -> Vec<i64> {
        let inside = self.0.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(inside, _)| inside);
        inside.map(|text| text.split(',').filter_map(|n| n.trim().parse().ok()).collect()).unwrap_or_default()
    }

    /// The type as the argument of a function, which has no modifiers: `bit(8)` → `bit`.
    #[must_use]
    pub fn without_modifiers(&self) -> Self {
        if !self.0.contains('(') && !self.0.ends_with("[][]") && !self.0.starts_with("interval ") {
            return self.clone();
        }
        let array = if self.is_array() { "[]" } else { "" };
        Self::canonical(format!("{}{array}", self.base()))
    }

    /// Whether it is an array.
    pub fn is_array(&self) -> bool {
        self.0.ends_with("[]")
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A type from the syntax tree, and whether it was one of the `serial` pseudo-types.
pub(crate) fn lower_type(data_type: &DataType) -> (TypeName, bool) {
    match data_type {
        DataType::Array(element) => {
            let inner = match element {
                ArrayElemTypeDef::AngleBracket(inner)
                | ArrayElemTypeDef::Parenthesis(inner)
                | ArrayElemTypeDef::SquareBracket(inner, _)
                | ArrayElemTypeDef::Qualified(inner, _) => lower_type(inner).0,
                ArrayElemTypeDef::None => TypeName::canonical("anyarray"),
            };
            // PostgreSQL does not tell the dimensions of an array type apart.
            let text = inner.as_str().trim_end_matches("[]");
            (TypeName::canonical(format!("{text}[]")), false)
        }
        DataType::Custom(name, modifiers) => custom(name, modifiers),
        other => (TypeName::canonical(canonical(&other.to_string().to_ascii_lowercase())), false),
    }
}

fn custom(name: &ObjectName, modifiers: &[String]) -> (TypeName, bool) {
    let parts: Vec<Ident> = name.0.iter().filter_map(|part| part.as_ident().map(fold)).collect();
    let quoted = name.0.iter().any(|part| part.as_ident().is_some_and(|ident| ident.quote_style.is_some()));
    let modifiers = if modifiers.is_empty() { String::new() } else { format!("({})", modifiers.join(",")) };
    let (schema, base) = match parts.as_slice() {
        [base] => (None, base),
        [.., schema, base] => (Some(schema), base),
        [] => return (TypeName::canonical("?"), false),
    };
    let in_catalog = schema.is_none_or(|schema| &**schema == "pg_catalog");
    // Of one byte, and not `character`.
    if in_catalog && quoted && **base == *"char" {
        return (TypeName::canonical("\"char\""), false);
    }
    if in_catalog && !quoted {
        let serial = match &**base {
            "serial" | "serial4" => Some("integer"),
            "bigserial" | "serial8" => Some("bigint"),
            "smallserial" | "serial2" => Some("smallint"),
            _ => None,
        };
        if let Some(base) = serial {
            return (TypeName::canonical(base), true);
        }
        return (TypeName::canonical(canonical(&format!("{base}{modifiers}"))), false);
    }
    let text = match schema.filter(|schema| !matches!(&***schema, "public" | "pg_catalog")) {
        Some(schema) => format!("{}.{}{modifiers}", Quoted(schema), Quoted(base)),
        None => format!("{}{modifiers}", Quoted(base)),
    };
    (TypeName::canonical(text), false)
}

/// SQL spelling (lower case) → `format_type` spelling.
fn canonical(text: &str) -> String {
    let text = text.replace(", ", ",");
    let (name, modifiers) = match (text.find('('), text.find(')')) {
        (Some(open), Some(close)) if open < close => {
            let name = format!("{}{}", text[..open].trim_end(), &text[close + 1..]);
            (name, text[open..=close].to_owned())
        }
        _ => (text.clone(), String::new()),
    };
    let base = match name.as_str() {
        "int" | "int4" | "integer" => "integer",
        "int8" | "bigint" => "bigint",
        "int2" | "smallint" => "smallint",
        "float8" | "double precision" | "double" => "double precision",
        "float4" | "real" => "real",
        "float" => {
            let bits: u32 = modifiers.trim_matches(['(', ')']).parse().unwrap_or(53);
            return if bits <= 24 { "real".to_owned() } else { "double precision".to_owned() };
        }
        "decimal" | "numeric" | "dec" => {
            let scaled = modifiers.is_empty() || modifiers.contains(',');
            let modifiers = if scaled { modifiers } else { modifiers.replace(')', ",0)") };
            return format!("numeric{modifiers}");
        }
        "bool" | "boolean" => "boolean",
        "varchar" | "character varying" | "char varying" | "nvarchar" => "character varying",
        "char" | "character" | "bpchar" if name == "bpchar" && modifiers.is_empty() => "bpchar",
        "char" | "character" | "bpchar" => {
            let modifiers = if modifiers.is_empty() { "(1)".to_owned() } else { modifiers };
            return format!("character{modifiers}");
        }
        "varbit" | "bit varying" => "bit varying",
        "bit" => {
            let modifiers = if modifiers.is_empty() { "(1)".to_owned() } else { modifiers };
            return format!("bit{modifiers}");
        }
        "timestamptz" | "timestamp with time zone" => return format!("timestamp{modifiers} with time zone"),
        "timestamp" | "timestamp without time zone" => return format!("timestamp{modifiers} without time zone"),
        "timetz" | "time with time zone" => return format!("time{modifiers} with time zone"),
        "time" | "time without time zone" => return format!("time{modifiers} without time zone"),
        other => other,
    };
    format!("{base}{modifiers}")
}

#[cfg(test)]
mod tests {
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::parser::Parser;

    use super::*;

    /// Checked against `SELECT format_type(...)` of PostgreSQL 15.
    #[test]
    fn types_are_spelled_as_format_type_spells_them() {
        let check = |written: &str, expected: &str| {
            let parsed = Parser::new(&PostgreSqlDialect {}).try_with_sql(written).unwrap().parse_data_type().unwrap();
            assert_eq!(lower_type(&parsed).0.as_str(), expected, "{written}");
        };
        check("int", "integer");
        check("INT8", "bigint");
        check("varchar(20)", "character varying(20)");
        check("character varying", "character varying");
        check("char", "character(1)");
        check("numeric(10, 2)", "numeric(10,2)");
        check("decimal(5)", "numeric(5,0)");
        check("timestamptz", "timestamp with time zone");
        check("timestamp(3)", "timestamp(3) without time zone");
        check("timestamp(3) with time zone", "timestamp(3) with time zone");
        check("time", "time without time zone");
        check("float(10)", "real");
        check("float", "double precision");
        check("text[][]", "text[]");
        check("int[]", "integer[]");
        check("bool", "boolean");
        check("citext", "citext");
        check("public.mood", "mood");
        check("other.\"Mood\"", "other.\"Mood\"");
        check("bit varying(8)", "bit varying(8)");
        check("jsonb", "jsonb");
        check("bytea", "bytea");
        check("uuid", "uuid");
        check("inet", "inet");
        check("tsvector", "tsvector");
        check("interval", "interval");
        check("interval day to second(3)", "interval day to second(3)");
        check("interval YEAR TO MONTH", "interval year to month");
    }
}
