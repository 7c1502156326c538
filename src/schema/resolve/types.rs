//! Types of expressions, and which of them PostgreSQL turns into which: the rules of "Type Conversion" in its manual (chapter 10), as
//! `parse_coerce.c`, `parse_func.c` and `parse_oper.c` follow them.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fmt;

use super::catalog::{CATALOG, Context};
use crate::schema::{Schema, UserType};
use crate::sql::TypeName;
use crate::sql::operation::Ident;

/// The type of an expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    /// A type by its name, without modifiers.
    Named(Ident),
    /// A string or NULL whose place decides its type.
    Unknown,
    /// A parameter whose place decides its type.
    Parameter(u32),
    /// Not known here. It fits everywhere.
    Any,
}

impl Type {
    pub(super) fn named(name: impl Into<Ident>) -> Self {
        Self::Named(name.into())
    }

    pub(super) fn of(data_type: &TypeName) -> Self {
        let text = data_type.as_str();
        match text {
            // How a type is shown that is there without the length its name alone would mean.
            "bpchar" => Self::named("character"),
            "bpchar[]" => Self::named("character[]"),
            "\"bit\"" => Self::named("bit"),
            "\"bit\"[]" => Self::named("bit[]"),
            text if text.contains('(') => Self::named(data_type.without_modifiers().as_str()),
            _ => Self::Named(data_type.shared()),
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Named(name) => Some(name),
            _ => None,
        }
    }

    /// Whether its place decides.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Unknown | Self::Parameter(_))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named(name) => name,
            Self::Unknown | Self::Parameter(_) => "unknown",
            Self::Any => "(a type that is not known)",
        })
    }
}

/// An answer that may not be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sure {
    /// Yes.
    Yes,
    /// No.
    No,
    /// It is not known.
    Unsure,
}

impl From<bool> for Sure {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// A type that is to be held against others; what it is based on is looked up once.
pub(super) struct Given<'n> {
    types: &'n Types<'n>,
    data_type: &'n Type,
    base: OnceCell<Cow<'n, str>>,
    category: OnceCell<Option<(char, bool)>>,
}

impl<'n> Given<'n> {
    fn base(&self, name: &'n str) -> &str {
        self.base.get_or_init(|| self.types.base(name))
    }

    fn category(&self, base: &str) -> Option<char> {
        self.category.get_or_init(|| self.types.category(base)).map(|(category, _)| category)
    }

    /// Whether a value of it is taken where another type is wanted (`can_coerce_type`).
    pub(super) fn fits(&self, to: &str, context: Context) -> Sure {
        let from = match self.data_type {
            Type::Unknown | Type::Parameter(_) => return Sure::Yes,
            Type::Any => return Sure::Unsure,
            Type::Named(from) => from,
        };
        if **from == *to || to == "\"any\"" {
            return Sure::Yes;
        }
        let source = self.base(from);
        if let Some(kind) = to.strip_prefix("any") {
            return self.fits_any(source, kind);
        }
        let target = self.types.base(to);
        if *source == *target {
            return Sure::Yes;
        }
        if let (Some(a), Some(b)) = (source.strip_suffix("[]"), target.strip_suffix("[]")) {
            return self.types.fits(&Type::named(a), b, context);
        }
        if let Some(allowed) = CATALOG.cast(source, &target) {
            return (allowed <= context).into();
        }
        let (Some(from_category), Some((to_category, _))) = (self.category(source), self.types.category(&target))
        else {
            return Sure::Unsure;
        };
        if (from_category == 'C' || source == "record") && (to_category == 'C' || target == "record") {
            // An anonymous row becomes one of a table only by a cast.
            return if target == "record" || context == Context::Explicit { Sure::Yes } else { Sure::Unsure };
        }
        // What input and output functions do.
        match context {
            Context::Assignment => (to_category == 'S').into(),
            Context::Explicit => (to_category == 'S' || from_category == 'S').into(),
            Context::Implicit => Sure::No,
        }
    }

    fn fits_any(&self, from: &str, kind: &str) -> Sure {
        let is = |wanted: char| self.category(from).map_or(Sure::Unsure, |category| (category == wanted).into());
        match kind {
            "array" | "compatiblearray" => (from.ends_with("[]") || from == "int2vector" || from == "oidvector").into(),
            "nonarray" | "compatiblenonarray" => (!from.ends_with("[]")).into(),
            "enum" => is('E'),
            "range" | "compatiblerange" if !from.ends_with("multirange") => is('R'),
            "multirange" | "compatiblemultirange" if from.ends_with("multirange") => is('R'),
            // The name of a type that somebody made does not tell.
            "range" | "compatiblerange" | "multirange" | "compatiblemultirange" => {
                if matches!(self.types.user(from), Some(UserType::Range(_) | UserType::Other)) {
                    Sure::Unsure
                } else {
                    Sure::No
                }
            }
            _ => Sure::Yes,
        }
    }
}

/// The types of a schema beside the built-in ones.
#[derive(Clone, Copy)]
pub(super) struct Types<'s> {
    pub(super) schema: &'s Schema,
}

impl Types<'_> {
    fn user(&self, name: &str) -> Option<&UserType> {
        self.schema.user_type_named(name)
    }

    /// The type below a domain.
    pub(super) fn base<'n>(&'n self, name: &'n str) -> Cow<'n, str> {
        let mut name = Cow::Borrowed(name);
        for _ in 0..8 {
            // A domain that is called as a built-in type is has the name of its schema before its own.
            if CATALOG.category(&name).is_some() {
                break;
            }
            let Some(UserType::Domain { base, .. }) = self.user(&name) else { break };
            name = Cow::Owned(base.without_modifiers().as_str().to_owned());
        }
        name
    }

    fn base_of(&self, data_type: &Type) -> Type {
        match data_type {
            Type::Named(name) => match self.base(name) {
                Cow::Borrowed(_) => data_type.clone(),
                Cow::Owned(base) => Type::named(base),
            },
            other => other.clone(),
        }
    }

    /// Its category, as in `pg_type`; `None` for a type that nothing is known of.
    pub(super) fn category(&self, name: &str) -> Option<(char, bool)> {
        if name.ends_with("[]") {
            return Some(('A', false));
        }
        if let Some(found) = CATALOG.category(name) {
            return Some(found);
        }
        match self.user(&self.base(name)) {
            Some(UserType::Enum(_)) => Some(('E', false)),
            Some(UserType::Composite(_)) => Some(('C', false)),
            Some(UserType::Domain { .. } | UserType::Range(_) | UserType::Other) => None,
            None => {
                let base = self.base(name);
                match CATALOG.category(&base) {
                    Some((category, _)) => Some((category, false)),
                    None => self.row_type(name).map(|_| ('C', false)),
                }
            }
        }
    }

    /// The relation whose rows are of this type.
    pub(super) fn row_type(&self, name: &str) -> Option<crate::schema::QName> {
        let (schema, relation) = name.split_once('.').unwrap_or(("public", name));
        let name = crate::schema::QName::new(schema.trim_matches('"'), relation.trim_matches('"'));
        self.schema.relation(&name).map(|_| name)
    }

    fn preferred(&self, name: &str) -> bool {
        self.category(name).is_some_and(|(_, preferred)| preferred)
    }

    /// Whether a value of one type is taken where another is wanted (`can_coerce_type`).
    pub(super) fn fits(&self, from: &Type, to: &str, context: Context) -> Sure {
        self.given(from).fits(to, context)
    }

    /// A type that is to be held against several.
    pub(super) fn given<'n>(&'n self, data_type: &'n Type) -> Given<'n> {
        Given { types: self, data_type, base: OnceCell::new(), category: OnceCell::new() }
    }

    /// The type that several expressions have in common (`select_common_type`). `Err`: there is none; the two that do not fit.
    pub(super) fn common(&self, types: &[Type]) -> Result<Type, (Type, Type)> {
        if types.contains(&Type::Any) {
            return Ok(Type::Any);
        }
        let Some(first) = types.first() else { return Ok(Type::Unknown) };
        if !first.is_open() && types.iter().all(|t| t == first) {
            return Ok(first.clone());
        }
        let mut chosen: Option<Ident> = None;
        for data_type in types {
            let Type::Named(name) = self.base_of(data_type) else { continue };
            let Some(current) = &chosen else {
                chosen = Some(name);
                continue;
            };
            if *current == name {
                continue;
            }
            let (Some((a, preferred)), Some((b, _))) = (self.category(current), self.category(&name)) else {
                return Ok(Type::Any);
            };
            if a != b {
                return Err((Type::Named(current.clone()), Type::Named(name)));
            }
            let up = self.fits(&Type::Named(current.clone()), &name, Context::Implicit) == Sure::Yes;
            let down = self.fits(&Type::Named(name.clone()), current, Context::Implicit) == Sure::Yes;
            if !preferred && up && !down {
                chosen = Some(name);
            }
        }
        let Some(chosen) = chosen else { return Ok(Type::Unknown) };
        for data_type in types {
            match self.fits(data_type, &chosen, Context::Implicit) {
                Sure::Yes => {}
                Sure::No => return Err((Type::Named(chosen), data_type.clone())),
                Sure::Unsure => return Ok(Type::Any),
            }
        }
        Ok(Type::Named(chosen))
    }

    /// Which of several signatures a call means (`func_select_candidate`). All of them take the arguments.
    pub(super) fn select(&self, candidates: &[Vec<&str>], actual: &[Type]) -> Option<usize> {
        let bases: Vec<Type> = actual.iter().map(|t| self.base_of(t)).collect();
        let mut left: Vec<usize> = (0..candidates.len()).collect();
        let exact = |i: usize, at: usize| bases[at].name().is_some_and(|name| name == candidates[i][at]);
        keep_best(&mut left, |i| (0..actual.len()).filter(|at| exact(i, *at)).count());
        if let [one] = left[..] {
            return Some(one);
        }
        let category = |at: usize| bases[at].name().and_then(|name| self.category(name)).map(|(category, _)| category);
        let better = |i: usize, at: usize| {
            let wanted = candidates[i][at];
            let same = || self.category(wanted).map(|(category, _)| category) == category(at);
            bases[at].name().is_some() && (exact(i, at) || (self.preferred(wanted) && same()))
        };
        keep_best(&mut left, |i| (0..actual.len()).filter(|at| better(i, *at)).count());
        if let [one] = left[..] {
            return Some(one);
        }
        let open: Vec<usize> = (0..actual.len()).filter(|at| bases[*at].is_open()).collect();
        if open.is_empty() {
            return None;
        }
        // Strings decide for the string category if any candidate takes one there, otherwise all must agree.
        let mut wanted: Option<Vec<(usize, char, bool)>> = Some(Vec::new());
        for at in &open {
            let mut categories = BTreeSet::new();
            let mut preferred = BTreeSet::new();
            for i in &left {
                let Some((category, is_preferred)) = self.category(candidates[*i][*at]) else { continue };
                categories.insert(category);
                if is_preferred {
                    preferred.insert(category);
                }
            }
            let chosen = match categories.len() {
                _ if categories.contains(&'S') => Some('S'),
                1 => categories.first().copied(),
                _ => None,
            };
            wanted = match (wanted, chosen) {
                (Some(mut wanted), Some(category)) => {
                    wanted.push((*at, category, preferred.contains(&category)));
                    Some(wanted)
                }
                _ => None,
            };
        }
        if let Some(wanted) = wanted {
            let fits = |i: &usize| {
                wanted.iter().all(|(at, category, preferred)| {
                    self.category(candidates[*i][*at]).is_some_and(|(c, p)| c == *category && (p || !preferred))
                })
            };
            let kept: Vec<usize> = left.iter().copied().filter(fits).collect();
            if let [one] = kept[..] {
                return Some(one);
            }
            if !kept.is_empty() {
                left = kept;
            }
        }
        // If the others are all of one type, the strings are taken for it, too.
        let mut known = bases.iter().filter_map(Type::name);
        let same = known.next().filter(|first| known.all(|other| other == *first))?;
        let mut all = actual.to_vec();
        for at in &open {
            all[*at] = Type::named(same);
        }
        let takes = |i: &usize| {
            let fits = |at: &usize| self.fits(&all[*at], candidates[*i][*at], Context::Implicit) == Sure::Yes;
            open.iter().all(fits) && self.instantiate(&candidates[*i], "boolean", &all).is_some()
        };
        let mut kept = left.iter().copied().filter(takes);
        kept.next().filter(|_| kept.next().is_none())
    }

    /// What a polymorphic signature is with these arguments: the types of the arguments, and of the result. `None`: they do not go together.
    pub(super) fn instantiate(&self, arguments: &[&str], returns: &str, actual: &[Type]) -> Option<(Vec<Type>, Type)> {
        let mut same: Option<Type> = None;
        let mut compatible = Vec::new();
        let mut any = false;
        for (wanted, is) in arguments.iter().zip(actual) {
            let Some(kind) = wanted.strip_prefix("any") else { continue };
            any |= *is == Type::Any;
            let Type::Named(is) = self.base_of(is) else { continue };
            let (element, kind) = match kind.strip_prefix("compatible") {
                Some(kind) => (self.element(&is, kind), "compatible"),
                None => (self.element(&is, kind), kind),
            };
            let element = element?;
            if kind == "compatible" {
                compatible.push(element);
            } else if same.as_ref().is_some_and(|other| *other != element) {
                return None;
            } else {
                same = Some(element);
            }
        }
        let compatible = match compatible.is_empty() {
            true => None,
            false => Some(self.common(&compatible).ok()?),
        };
        let unresolved = if any { Type::Any } else { Type::named("text") };
        let concrete = |wanted: &str| -> Type {
            let Some(kind) = wanted.strip_prefix("any").filter(|_| wanted != "\"any\"") else {
                return Type::named(wanted);
            };
            let (element, kind) = match kind.strip_prefix("compatible") {
                Some(kind) => (&compatible, kind),
                None => (&same, kind),
            };
            let element = element.clone().unwrap_or_else(|| unresolved.clone());
            match (element, kind) {
                (Type::Named(element), "array") => Type::named(format!("{element}[]")),
                (_, "range" | "multirange") => Type::Any,
                (element, _) => element,
            }
        };
        Some((arguments.iter().map(|a| concrete(a)).collect(), concrete(returns)))
    }

    /// What a value of a polymorphic argument says about the element type.
    fn element(&self, is: &str, kind: &str) -> Option<Type> {
        match kind {
            "array" => match is.strip_suffix("[]") {
                Some(element) => Some(Type::named(element)),
                None => matches!(is, "int2vector" | "oidvector").then_some(Type::Any),
            },
            "range" | "multirange" => Some(range_element(is).map_or(Type::Any, Type::named)),
            _ => Some(Type::named(is)),
        }
    }
}

/// The type of the bounds of a built-in range.
fn range_element(name: &str) -> Option<&'static str> {
    Some(match name {
        "int4range" | "int4multirange" => "integer",
        "int8range" | "int8multirange" => "bigint",
        "numrange" | "nummultirange" => "numeric",
        "tsrange" | "tsmultirange" => "timestamp without time zone",
        "tstzrange" | "tstzmultirange" => "timestamp with time zone",
        "daterange" | "datemultirange" => "date",
        _ => return None,
    })
}

fn keep_best(left: &mut Vec<usize>, score: impl Fn(usize) -> usize) {
    let best = left.iter().map(|i| score(*i)).max().unwrap_or(0);
    left.retain(|i| score(*i) == best);
}
