//! Functions and procedures as statements call them by their kind and their arguments.

use super::missing::name_of;
use crate::schema::model::{Function, QName};
use crate::schema::{Schema, resolve};
use crate::sql::lex::{Lexeme, lex};
use crate::sql::operation::{Ident, Routine};
use crate::sql::{Name, TypeName};

/// A routine that a statement names.
pub(super) struct Named {
    pub(super) name: Name,
    /// Its argument types, where they are written.
    pub(super) arguments: Option<Vec<TypeName>>,
}

impl Schema {
    /// Why PostgreSQL does not take a function for a procedure, or the other way round.
    pub(super) fn called_otherwise(
        &self,
        called: Routine,
        name: &QName,
        arguments: Option<&[TypeName]>,
    ) -> Option<String> {
        let overloads = self.functions(name);
        let found = match arguments {
            Some(arguments) => overloads.iter().find(|function| takes(function, arguments))?,
            None => overloads.first().filter(|_| overloads.len() == 1)?,
        };
        let is = if found.returns == "procedure" { Routine::Procedure } else { Routine::Function };
        let wanted = match called {
            Routine::Function => "function",
            Routine::Procedure => "procedure",
            Routine::Any => return None,
        };
        (is != called).then(|| format!("{} is not a {wanted}", found.signature(name)))
    }

    /// The same of what `COMMENT` and `GRANT` are on, as their words say it.
    pub(super) fn routines_called_otherwise(&self, words: &str) -> Option<String> {
        let (called, named) = routines(words)?;
        named.iter().find_map(|Named { name, arguments }| {
            self.called_otherwise(called, &self.resolve_function(name), arguments.as_deref())
        })
    }

    /// Whether there is no function of a name that takes these arguments. What is not known as a type may be any.
    pub(super) fn lacks_overload(&self, Named { name, arguments }: &Named) -> Option<String> {
        let name = self.resolve_function(name);
        let arguments = arguments.as_ref()?;
        let overloads = self.functions(&name);
        let known = arguments.iter().all(|data_type| resolve::is_type(self, data_type));
        // What is output belongs to the signature of a procedure.
        let plain = overloads.iter().all(|function| function.returns != "procedure" || function.outputs.is_empty());
        let lacks = known && plain && !overloads.is_empty() && !overloads.iter().any(|one| takes(one, arguments));
        let types: Vec<&str> = arguments.iter().map(TypeName::as_str).collect();
        lacks.then(|| format!("function {name}({})", types.join(", ")))
    }
}

/// Whether a function is one of these argument types, however they are spelled.
pub(in crate::schema) fn takes(function: &Function, arguments: &[TypeName]) -> bool {
    let declared = function.arguments.iter().map(|(data_type, _)| data_type.as_str());
    declared.len() == arguments.len() && declared.zip(arguments).all(|(a, b)| may_be_same(a, b.as_str()))
}

/// Whether two spellings may be of one type: a name without a schema is found by a search path.
fn may_be_same(a: &str, b: &str) -> bool {
    let parts =
        |name: &str| name.rsplit_once('.').map_or((None, name.to_owned()), |(s, n)| (Some(s.to_owned()), n.to_owned()));
    let ((a_schema, a_name), (b_schema, b_name)) = (parts(a), parts(b));
    a_name.trim_matches('"') == b_name.trim_matches('"')
        && (a_schema == b_schema || a_schema.is_none() || b_schema.is_none())
}

/// The routines that words like `function f(int), g(text)` name.
pub(super) fn routines(words: &str) -> Option<(Routine, Vec<Named>)> {
    let pieces: Vec<Lexeme<'_>> = lex(words).into_iter().filter(Lexeme::solid).collect();
    let (kind, mut rest) = pieces.split_first()?;
    let called = match () {
        () if kind.is("function") => Routine::Function,
        () if kind.is("procedure") => Routine::Procedure,
        () if kind.is("routine") => Routine::Any,
        () => return None,
    };
    let mut found = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|piece| piece.symbol("(") || piece.symbol(",")).unwrap_or(rest.len());
        let name = name_of(&rest[..end].iter().collect::<Vec<_>>())?;
        rest = &rest[end..];
        let mut arguments = None;
        if rest.first().is_some_and(|piece| piece.symbol("(")) {
            let (inside, behind) = group(rest);
            arguments = Some(types_of(inside));
            rest = behind;
        }
        found.push(Named { name, arguments });
        rest = rest.get(1..).unwrap_or_default();
    }
    Some((called, found))
}

/// What stands in the group that begins here, and what behind it.
fn group<'p, 't>(pieces: &'p [Lexeme<'t>]) -> (&'p [Lexeme<'t>], &'p [Lexeme<'t>]) {
    let mut depth = 0_usize;
    for (at, piece) in pieces.iter().enumerate() {
        depth += usize::from(piece.symbol("("));
        if piece.symbol(")") {
            depth -= 1;
            if depth == 0 {
                return (&pieces[1..at], &pieces[at + 1..]);
            }
        }
    }
    (&pieces[1..], &[])
}

/// The types of a list of arguments; what is only output is left out.
fn types_of(pieces: &[Lexeme<'_>]) -> Vec<TypeName> {
    let mut depth = 0_i32;
    let split = pieces.split(|piece| {
        depth += i32::from(piece.symbol("(")) - i32::from(piece.symbol(")"));
        depth == 0 && piece.symbol(",")
    });
    let types = split.filter(|one| !one.is_empty() && !one[0].is("out")).map(|one| {
        let mode = usize::from(one[0].is_any(&["in", "inout", "variadic"]));
        spelled(&one[mode..])
    });
    types.collect()
}

/// A type as its words spell it.
fn spelled(words: &[Lexeme<'_>]) -> TypeName {
    let mut text = String::new();
    for word in words {
        let joined = text.is_empty() || word.symbol("(") || word.symbol(")") || word.symbol("[") || word.symbol("]");
        if !joined && !text.ends_with('.') && !word.symbol(".") {
            text.push(' ');
        }
        text.push_str(&if word.text.starts_with('"') { word.text.to_owned() } else { word.text.to_lowercase() });
    }
    let text: Ident = text.strip_prefix("public.").unwrap_or(&text).into();
    TypeName::spelled(&text).without_modifiers()
}
