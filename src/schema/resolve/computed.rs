//! What an expression of constants comes to, as far as whole numbers, numerics and texts go, and where computing it fails. PostgreSQL computes
//! what is constant before it looks at any row, so that such a failure depends on none.

use std::fmt;

use super::spans::{element, filled, parted};
use super::{QueryProblem, Resolver, input, pattern, served};
use crate::schema::model::UserType;
use crate::schema::{QName, Schema};
use crate::sql::TypeName;
use crate::sql::condition::{Condition, Constant, Truth};
use crate::sql::operation::Ident;
use crate::sql::query::{At, Call, Command, Expr, Item, QueryBody};

/// Why a constant cannot be computed, or is no value of the type that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    Zero,
    /// Of a type.
    Range(&'static str),
    /// Of a precision.
    Overflow,
    /// Longer than a type.
    Long(TypeName),
    /// A string of so many bits, and the type.
    Bits(usize, TypeName),
    /// A text that is no value of a type.
    Input(TypeName, Box<str>),
    /// No day.
    Day,
    /// A range that ends before it begins.
    Bounds,
    /// The root of a negative number.
    Root,
    /// The logarithm of what has none.
    Logarithm,
    /// A character that a text cannot hold.
    Character,
    /// A part of a text that is shorter than nothing.
    Length,
    /// In the server's words.
    Said(Box<str>),
    /// A check of a domain, with whether it is known to refuse the value.
    Rule(QName, Ident, bool),
}

impl Fault {
    /// Whether it is known to come, and not only perhaps.
    pub(crate) const fn is_sure(&self) -> bool {
        !matches!(self, Self::Rule(_, _, false))
    }

    /// The statement that comes upon it is refused.
    pub(crate) fn problem(&self) -> QueryProblem {
        QueryProblem { code: "22000", message: self.to_string(), at: At::default(), sure: true }
    }
}

/// As the server says it.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("division by zero"),
            Self::Range(of) => write!(f, "{of} out of range"),
            Self::Overflow => f.write_str("numeric field overflow"),
            Self::Long(of) => write!(f, "value too long for type {of}"),
            Self::Bits(length, of) if *of.base() == *"bit" => {
                write!(f, "bit string length {length} does not match type {of}")
            }
            Self::Bits(_, of) => write!(f, "bit string too long for type {of}"),
            Self::Input(of, text) => write!(f, "invalid input syntax for type {}: \"{text}\"", of.base()),
            Self::Day => f.write_str("date field value out of range"),
            Self::Bounds => f.write_str("range lower bound must be less than or equal to range upper bound"),
            Self::Root => f.write_str("cannot take square root of a negative number"),
            Self::Logarithm => f.write_str("cannot take logarithm of zero or a negative number"),
            Self::Character => f.write_str("this character cannot be in a text"),
            Self::Length => f.write_str("negative substring length not allowed"),
            Self::Said(text) => f.write_str(text),
            Self::Rule(domain, check, _) => {
                write!(f, "value for domain {} violates check constraint \"{check}\"", domain.name)
            }
        }
    }
}

/// What is known of a constant.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    Unknown,
    Null,
    /// `'…'`, not yet of any type.
    Literal(String),
    Text(String),
    /// `B'…'`
    Bits(String),
    /// A whole number of a type.
    Whole(i64, Whole),
    /// So many parts of a power of ten.
    Decimal(i128, u32),
    /// A number of a type that has an infinity, and what is no number.
    Real(f64),
    /// Of type `bytea`.
    Bytes(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whole {
    Small,
    Plain,
    Big,
}

impl Whole {
    fn of(base: &str) -> Option<Self> {
        Some(match base {
            "smallint" => Self::Small,
            "integer" => Self::Plain,
            "bigint" => Self::Big,
            _ => return None,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Small => "smallint",
            Self::Plain => "integer",
            Self::Big => "bigint",
        }
    }

    pub(super) fn take(self, number: i128) -> Result<Found, Fault> {
        let fits = match self {
            Self::Small => i16::try_from(number).is_ok(),
            Self::Plain => i32::try_from(number).is_ok(),
            Self::Big => true,
        };
        let number = i64::try_from(number).ok().filter(|_| fits);
        number.map(|number| Found::Whole(number, self)).ok_or(Fault::Range(self.name()))
    }

    /// What is no number, or infinite, is out of range.
    fn take_real(self, number: f64) -> Result<Found, Fault> {
        const FAR: f64 = 1e19;
        let rounded = number.round_ties_even();
        // Nothing as small as this is cut.
        #[expect(clippy::cast_possible_truncation, reason = "it is smaller than this")]
        let whole = (rounded.abs() < FAR).then_some(rounded as i128);
        whole.map_or(Err(Fault::Range(self.name())), |number| self.take(number))
    }
}

/// Why computing an expression fails whatever rows there are; what is read of a row is not known.
pub(crate) fn fails(expr: &Expr, schema: &Schema) -> Option<Fault> {
    compute(expr, schema).err()
}

/// The same where the value goes into a column of a type.
pub(crate) fn fails_as(expr: &Expr, to: &TypeName, schema: &Schema) -> Option<Fault> {
    compute(expr, schema).and_then(|found| assigned(found, to, schema)).err()
}

/// Why a value that goes into a column of a domain is refused, or may be. It is looked at only when the row is written.
fn ruled_out(expr: &Expr, to: &TypeName, schema: &Schema) -> Option<Fault> {
    let constant = constant_of(expr, to, schema)?;
    let mut domain = to.clone();
    for _ in 0..8 {
        let (name, found) = schema.type_made(&domain)?;
        let UserType::Domain { base, texts, .. } = found else { return None };
        let refusing = texts.iter().find_map(|(check, text)| {
            let known = |column: &Ident| (**column == *"value").then(|| constant.clone());
            match Condition::read(text).map_or(Truth::Unknown, |condition| condition.holds(&known)) {
                Truth::True | Truth::Null => None,
                truth => Some(Fault::Rule(name.clone(), check.clone(), truth == Truth::False)),
            }
        });
        if refusing.is_some() {
            return refusing;
        }
        domain = base.clone();
    }
    None
}

/// Why a statement that writes fails whatever rows there are: a value that it gives a column is computed first, and is none of the column's.
pub(crate) fn command_fails(command: &Command, schema: &Schema) -> Option<Fault> {
    let column = |table: &crate::sql::Name, column: &Ident| {
        schema.relation(&schema.resolve(table))?.column(column)?.data_type.clone()
    };
    match command {
        Command::Update(update) => {
            let set = update.set.iter().filter(|set| !set.part).find_map(|set| match set.columns.as_slice() {
                [one] => fails_as(&set.value, &column(&update.table.name.value, &one.value)?, schema),
                _ => fails(&set.value, schema),
            });
            set.or_else(|| condition_fails(update.filter.as_ref()?, schema))
        }
        Command::Delete(delete) => condition_fails(delete.filter.as_ref()?, schema),
        Command::Insert(insert) if !insert.copies => {
            let table = schema.relation(&schema.resolve(&insert.table.name.value))?;
            let named =
                || insert.columns.as_ref().map(|named| named.iter().map(|column| column.value.clone()).collect());
            let columns: Vec<Ident> =
                named().unwrap_or_else(|| table.columns.iter().map(|column| column.name.clone()).collect());
            let given = |at: usize, value: &Expr| {
                let to = columns.get(at).and_then(|name| table.column(name)?.data_type.clone());
                to.map_or_else(|| fails(value, schema), |to| fails_as(value, &to, schema))
            };
            let row = |row: &[Expr]| row.iter().enumerate().find_map(|(at, value)| given(at, value));
            match &insert.source.as_ref()?.body {
                QueryBody::Values(rows) => rows.iter().find_map(|values| row(values)),
                QueryBody::Select(select) => {
                    let items = select.items.iter().enumerate();
                    // A text is read before any row is there; a number is given its type row by row.
                    let is_sure = |value: &Expr| matches!(value, Expr::Text(..)) || select.from.is_empty();
                    // What `*` stands for is not counted here.
                    let mut named = items.take_while(|(_, item)| matches!(item, Item::Expr(..)));
                    named.find_map(|(at, item)| match item {
                        Item::Expr(value @ (Expr::Text(..) | Expr::Number(_)), _) if is_sure(value) => given(at, value),
                        _ => None,
                    })
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Why the condition of a statement fails: a pattern is read when the statement is planned, for what it says of the rows.
fn condition_fails(filter: &Expr, schema: &Schema) -> Option<Fault> {
    fails(filter, schema).or_else(|| match filter {
        // What decides by itself leaves the rest alone.
        Expr::And(parts) | Expr::Logic(parts) if !parts.iter().any(is_constant) => {
            parts.iter().find_map(|part| condition_fails(part, schema))
        }
        Expr::Operator(operator, Some(left), right, _) if is_text(left, schema) => {
            served::unplanned(operator, &compute(right, schema).ok()?)
        }
        _ => None,
    })
}

/// Whether a value surely is a text: others may have an operator of the same name (`ltree ~ lquery`). Of a column, all that have its name must be.
fn is_text(expr: &Expr, schema: &Schema) -> bool {
    let text = |to: &TypeName| {
        matches!(&*schema.below_domains(to).base(), "text" | "character varying" | "character" | "name" | "citext")
    };
    match expr {
        Expr::Text(..) => true,
        Expr::Cast(_, to, _) => text(to),
        Expr::Column(parts, _) => {
            let Some(name) = parts.last() else { return false };
            let mut all = schema.relations().filter_map(|(_, relation)| relation.column(name)).peekable();
            all.peek().is_some() && all.all(|column| column.data_type.as_ref().is_some_and(text))
        }
        Expr::Call(call) => {
            let own = !schema.functions(&schema.resolve_function(&call.name)).is_empty();
            !own && matches!(&*call.name.name, "lower" | "upper" | "btrim" | "ltrim" | "rtrim" | "concat")
        }
        _ => false,
    }
}

/// Why a default of a type fails, or may, whenever an INSERT leaves its column out.
pub(crate) fn default_fails(expr: &Expr, to: &TypeName, schema: &Schema) -> Option<Fault> {
    let once = fails_as(expr, to, schema).or_else(|| fails_once(expr, schema));
    once.or_else(|| body_fails(expr, schema)).or_else(|| ruled_out(expr, to, schema))
}

/// Why a default fails that is computed once for all rows of a new column: what depends on settings is not computed before.
pub(crate) fn fails_once(expr: &Expr, schema: &Schema) -> Option<Fault> {
    match expr {
        Expr::Cast(inner, to, _) => {
            let read = || {
                let Ok(Found::Text(text)) = compute(inner, schema) else { return None };
                let base = schema.below_domains(to).base().into_owned();
                (BY_SETTINGS.contains(&&*base) && !is_readable(&text, &base, schema))
                    .then(|| Fault::Input(to.clone(), text.into()))
            };
            fails_once(inner, schema).or_else(read)
        }
        // None of them is called for a NULL.
        Expr::Operator(_, left, right, _) => {
            let left = left.as_deref().and_then(|left| fails_once(left, schema));
            left.or_else(|| fails_once(right, schema))
        }
        // `extract(unit FROM moment)`
        Expr::Typed(of, parts) if of.as_str() == "numeric" => match parts.as_slice() {
            [Expr::Text(unit, _), moment] => fails_once(moment, schema)
                .or_else(|| served::refused_once("extract", &[Found::Literal((**unit).to_owned()), Found::Unknown])),
            _ => None,
        },
        Expr::Call(call) => {
            let inner = call.arguments.iter().find_map(|argument| fails_once(argument, schema));
            if inner.is_some() || call.named || !schema.functions(&schema.resolve_function(&call.name)).is_empty() {
                return inner;
            }
            match (&*call.name.name, call.arguments.as_slice()) {
                ("to_date" | "to_timestamp", [Expr::Text(text, _), Expr::Text(pattern, _)]) => {
                    no_moment(text, pattern).then_some(Fault::Day)
                }
                (name, given) => {
                    let given: Vec<Found> =
                        given.iter().map(|given| compute(given, schema)).collect::<Result<_, _>>().ok()?;
                    served::refused_once(name, &given)
                }
            }
        }
        _ => None,
    }
}

/// Whether a default is NULL, whatever it is made of.
pub(crate) fn is_null(expr: &Expr, schema: &Schema) -> bool {
    compute(expr, schema) == Ok(Found::Null)
}

/// Types whose texts are read by the session's settings.
const BY_SETTINGS: [&str; 7] = [
    "date",
    "timestamp without time zone",
    "timestamp with time zone",
    "time without time zone",
    "time with time zone",
    "interval",
    "xml",
];

/// Types whose texts mean the same everywhere.
const BY_ITSELF: [&str; 18] = [
    "boolean",
    "uuid",
    "numeric",
    "real",
    "double precision",
    "json",
    "jsonb",
    "inet",
    "cidr",
    "bytea",
    "tsquery",
    "jsonpath",
    "macaddr",
    "macaddr8",
    "oid",
    "pg_lsn",
    "point",
    "tid",
];

/// Whether a text may be a value of a type.
fn is_readable(text: &str, base: &str, schema: &Schema) -> bool {
    if BY_SETTINGS.contains(&base) {
        return input::may_be(text, base);
    }
    let mut resolver = Resolver::new(schema);
    resolver.literal(text, base, At::default());
    resolver.resolved.problems.is_empty()
}

/// Whether digits that a pattern takes for a month, a day, or a part of one are too many, or none, or make no day together.
fn no_moment(text: &str, pattern: &str) -> bool {
    // With how many digits they take, and the greatest number; the longest word counts.
    const PARTS: [(&str, usize, u32); 8] = [
        ("YYYY", 4, 9999),
        ("HH24", 2, 23),
        ("HH12", 2, 12),
        ("HH", 2, 12),
        ("MM", 2, 12),
        ("DD", 2, 31),
        ("MI", 2, 59),
        ("SS", 2, 59),
    ];
    // A day of the year, a second of the day.
    const OTHERS: [&str; 2] = ["DDD", "SSSS"];
    if OTHERS.iter().any(|other| pattern.contains(other)) {
        return false;
    }
    let (mut text, mut pattern) = (text, pattern);
    let (mut year, mut month, mut day) = (None, None, None);
    while !pattern.is_empty() {
        let part = PARTS.iter().find(|(part, ..)| pattern.starts_with(part));
        let (long, width) = part.map_or((1, 1), |(part, width, _)| (part.len(), *width));
        // A number begins with no letter.
        if part.is_some() && text.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
            return true;
        }
        let Some((taken, rest)) = text.split_at_checked(width) else { return false };
        match part {
            Some((part, _, most)) => {
                let digits = taken.bytes().all(|b| b.is_ascii_digit());
                let Some(number) = digits.then(|| taken.parse::<u32>().ok()).flatten() else { return false };
                if *most < number {
                    return true;
                }
                match *part {
                    "YYYY" => year = Some(number),
                    "MM" => month = Some(number),
                    "DD" => day = Some(number),
                    _ => {}
                }
            }
            // A separator stands for itself here.
            None if pattern.starts_with(['-', '/', '.', ' ', ':']) && pattern.starts_with(taken) => {}
            None => return false,
        }
        (text, pattern) = (rest, &pattern[long..]);
    }
    let of_three =
        |year: u32, month: u32, day: u32| 0 < year && 0 < month && input::days(year.into(), month.into()) < day.into();
    matches!((year, month, day), (Some(year), Some(month), Some(day)) if of_three(year, month, day))
}

/// Why the body of a function fails that an expression calls whenever it is computed.
fn body_fails(expr: &Expr, schema: &Schema) -> Option<Fault> {
    match expr {
        Expr::Cast(inner, ..) => body_fails(inner, schema),
        Expr::Operator(_, left, right, _) => {
            left.iter().find_map(|left| body_fails(left, schema)).or_else(|| body_fails(right, schema))
        }
        Expr::Call(call) => {
            let [function] = schema.functions(&schema.resolve_function(&call.name)) else { return None };
            // One that is strict does not run for a NULL, and what fails may be caught.
            let given = |argument| !matches!(compute(argument, schema), Err(_) | Ok(Found::Unknown | Found::Null));
            let caught = || function.mentions.iter().any(|word| **word == *"exception");
            let runs = call.arguments.iter().all(given) && !caught();
            let queries = function.source.body().queries.iter().filter(|query| runs && query.always);
            let own = { queries }.find_map(|query| computed_in(&query.command, schema));
            own.or_else(|| call.arguments.iter().find_map(|argument| body_fails(argument, schema)))
        }
        _ => None,
    }
}

/// Why a statement of a body, or a value that one asks for, fails whatever rows there are.
pub(super) fn computed_in(command: &Command, schema: &Schema) -> Option<Fault> {
    let Command::Select(select) = command else { return command_fails(command, schema) };
    let QueryBody::Select(select) = &select.body else { return None };
    select.items.iter().find_map(|item| match item {
        Item::Expr(expr, _) => fails(expr, schema),
        Item::Star(..) | Item::Fields(_) => None,
    })
}

/// Whether a value that a body asks for fails whatever row it is made of, where nothing of that is NULL.
pub(super) fn fails_with_row(command: &Command, schema: &Schema) -> bool {
    let Command::Select(select) = command else { return false };
    let QueryBody::Select(select) = &select.body else { return false };
    select.items.iter().any(|item| matches!(item, Item::Expr(expr, _) if any_row_fails(expr, schema)))
}

/// The same of an expression.
pub(super) fn any_row_fails(expr: &Expr, schema: &Schema) -> bool {
    let found = |expr: &Expr| compute(expr, schema).unwrap_or(Found::Unknown);
    expr.any(&|part| match part {
        Expr::Operator(operator, Some(left), right, _) => {
            let known = is_text(left, schema) || !matches!(found(left), Found::Unknown);
            known && served::refused_with_row(operator, &[found(left), found(right)]).is_some()
        }
        Expr::Call(call) => {
            let own = !schema.functions(&schema.resolve_function(&call.name)).is_empty();
            let given: Vec<Found> = call.arguments.iter().map(found).collect();
            !own && !call.named && served::refused_with_row(&call.name.name, &given).is_some()
        }
        _ => false,
    })
}

/// What a default of a type is, where it is a constant.
pub(crate) fn constant_of(expr: &Expr, to: &TypeName, schema: &Schema) -> Option<Constant> {
    let constant = match compute(expr, schema).and_then(|found| assigned(found, to, schema)).ok()? {
        Found::Null => Constant::Null,
        Found::Literal(text) | Found::Text(text) => Constant::Text(text.as_str().into()),
        Found::Whole(number, _) => Constant::number(&number.to_string())?,
        Found::Decimal(number, 0) => Constant::number(&number.to_string())?,
        Found::Bits(_) | Found::Bytes(_) | Found::Decimal(..) | Found::Real(_) | Found::Unknown => return None,
    };
    Some(constant)
}

pub(super) fn compute(expr: &Expr, schema: &Schema) -> Result<Found, Fault> {
    let all = |parts: &[Expr]| parts.iter().map(|part| compute(part, schema)).collect::<Result<Vec<_>, _>>();
    match expr {
        Expr::Null => Ok(Found::Null),
        Expr::Text(text, _) => Ok(Found::Literal((**text).to_owned())),
        Expr::Number(text) => Ok(number(text)),
        Expr::Cast(inner, to, _) => cast(compute(inner, schema)?, to, schema),
        // The sign is a part of the number.
        Expr::Operator(operator, None, right, _) if **operator == *"-" && matches!(**right, Expr::Number(_)) => {
            let Expr::Number(text) = &**right else { return Ok(Found::Unknown) };
            Ok(number(&format!("-{text}")))
        }
        Expr::Operator(operator, left, right, _) => {
            if let Some(fault) = left.as_deref().and_then(|left| parted(operator, left, right, schema)) {
                return Err(fault);
            }
            let found = left.as_deref().map(|left| compute(left, schema)).transpose()?;
            let by = compute(right, schema)?;
            let divided = matches!(&**operator, "/" | "%") && left.as_deref().is_some_and(is_value);
            if divided && is_zero(&by) {
                return Err(Fault::Zero);
            }
            combine(operator, found, by)
        }
        Expr::Call(call) => called(call, schema),
        Expr::Subscript(array, bounds, false) => element(array, bounds, schema),
        Expr::Common("COALESCE", parts, _) => {
            for part in parts {
                // What comes behind a value is not computed.
                if compute(part, schema)? != Found::Null && is_constant(part) {
                    break;
                }
            }
            Ok(Found::Unknown)
        }
        // What decides by itself leaves the rest alone.
        Expr::And(parts) | Expr::Logic(parts) if parts.iter().any(is_constant) => Ok(Found::Unknown),
        // `B'…'`
        Expr::Typed(data_type, parts) if data_type.as_str() == "bit" => Ok(match parts.as_slice() {
            [Expr::Text(bits, _)] => Found::Bits((**bits).to_owned()),
            _ => Found::Unknown,
        }),
        Expr::Common(_, parts, _)
        | Expr::And(parts)
        | Expr::Logic(parts)
        | Expr::Test(parts)
        | Expr::Array(parts, _)
        | Expr::Row(parts)
        | Expr::Typed(_, parts) => all(parts).map(|_| Found::Unknown),
        Expr::In(one, parts, _) => compute(one, schema).and_then(|_| all(parts)).map(|_| Found::Unknown),
        _ => Ok(Found::Unknown),
    }
}

fn is_zero(found: &Found) -> bool {
    matches!(found, Found::Whole(0, _) | Found::Decimal(0, _)) || matches!(found, Found::Real(number) if *number == 0.0)
}

/// Whether it is a value of some type, and no NULL.
fn is_value(expr: &Expr) -> bool {
    match expr {
        Expr::Text(..) | Expr::Number(_) => true,
        Expr::Cast(inner, ..) => is_value(inner),
        Expr::Typed(of, parts) if of.as_str() == "interval" => parts.iter().all(is_value),
        _ => false,
    }
}

/// Whether nothing of a row stands in it.
fn is_constant(expr: &Expr) -> bool {
    !expr.any(&|part| matches!(part, Expr::Column(..)))
}

fn number(text: &str) -> Found {
    if let Ok(number) = text.parse::<i64>() {
        let of = if i32::try_from(number).is_ok() { Whole::Plain } else { Whole::Big };
        return Found::Whole(number, of);
    }
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    match decimal(digits) {
        Some(Found::Decimal(number, scale)) if negative => Found::Decimal(-number, scale),
        found => found.unwrap_or(Found::Unknown),
    }
}

/// Digits with a point, and a power of ten.
fn decimal(text: &str) -> Option<Found> {
    if let Some((digits, power)) = text.split_once(['e', 'E']) {
        let Some(Found::Decimal(number, scale)) = decimal(digits) else { return None };
        let places = i64::from(scale).checked_sub(power.parse().ok()?)?;
        let scale = u32::try_from(places.max(0)).ok()?;
        let zeros = u32::try_from((-places).max(0)).ok()?;
        return number.checked_mul(10_i128.checked_pow(zeros)?).map(|number| Found::Decimal(number, scale));
    }
    let (whole, parts) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{parts}");
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let scale = u32::try_from(parts.len()).ok()?;
    plain.then(|| digits.parse().ok()).flatten().map(|number| Found::Decimal(number, scale))
}

fn combine(operator: &str, left: Option<Found>, right: Found) -> Result<Found, Fault> {
    use Found::{Decimal, Literal, Null, Text, Whole};
    let known = |found: &Found| matches!(found, Whole(..) | Decimal(..));
    if let Some(left) = &left
        && let Some(fault) = served::refused(operator, &[left.clone(), right.clone()])
    {
        return Err(fault);
    }
    Ok(match (operator, left, right) {
        ("-", None, Whole(number, of)) => of.take(-i128::from(number))?,
        ("-", None, Decimal(number, scale)) => Decimal(-number, scale),
        ("+", None, found) => found,
        (_, Some(Null), _) | (_, _, Null) => Found::Unknown,
        ("/" | "%", Some(left), right) if is_zero(&right) && known(&left) => return Err(Fault::Zero),
        ("+" | "-" | "*" | "/" | "%", Some(Whole(left, of)), Whole(right, other)) => {
            let (left, right) = (i128::from(left), i128::from(right));
            let found = match operator {
                "+" => left + right,
                "-" => left - right,
                "*" => left * right,
                "/" => left / right,
                _ => left % right,
            };
            of.max(other).take(found)?
        }
        ("&" | "|" | "#", Some(Found::Bits(left)), Found::Bits(right)) if left.len() != right.len() => {
            return Err(Fault::Said("these bit strings are of different sizes".into()));
        }
        ("||", Some(Literal(left) | Text(left)), Literal(right) | Text(right)) => Text(left + &right),
        _ => Found::Unknown,
    })
}

/// `e::type`: a text is cut where it is longer.
fn cast(found: Found, to: &TypeName, schema: &Schema) -> Result<Found, Fault> {
    let below = schema.below_domains(to);
    let base = below.base();
    let text = match (&found, &*base) {
        (Found::Literal(text) | Found::Text(text), _) => text.clone(),
        (Found::Whole(number, Whole::Plain), "\"char\"") => match i8::try_from(*number) {
            Ok(_) => return Ok(Found::Unknown),
            Err(_) => return Err(Fault::Range("\"char\"")),
        },
        (Found::Whole(number, _), "text" | "character varying") => number.to_string(),
        (Found::Bytes(_), _) => return Ok(Found::Unknown),
        // They are cut, or filled up.
        (Found::Bits(_), _) => return Ok(Found::Unknown),
        _ => return assigned(found, to, schema),
    };
    match &*base {
        _ if below.is_array() => Ok(Found::Unknown),
        "text" => Ok(Found::Text(text)),
        "bytea" => Ok(bytes(&text).map_or(Found::Unknown, Found::Bytes)),
        "real" | "double precision" | "numeric" if real(&text, &base).is_some() => {
            let number = real(&text, &base).unwrap_or_default();
            // A numeric that is as many digits as it is written with stays what it is.
            match &*base {
                "numeric" if number.is_finite() => Ok(Found::Unknown),
                "numeric" if number.is_infinite() && !below.modifiers().is_empty() => Err(Fault::Overflow),
                _ => Ok(Found::Real(number)),
            }
        }
        "character varying" => Ok(Found::Text(match below.modifiers().first() {
            Some(length) => text.chars().take(usize::try_from(*length).unwrap_or(usize::MAX)).collect(),
            None => text,
        })),
        // Of a literal it is said already.
        "smallint" | "integer" | "bigint" => match whole(&text) {
            Some(number) => Whole::of(&base).map_or(Ok(Found::Unknown), |of| of.take(number)),
            None if matches!(found, Found::Text(_)) && !is_spelled_otherwise(&text) => {
                Err(Fault::Input(below.clone(), text.into()))
            }
            None => Ok(Found::Unknown),
        },
        base if matches!(found, Found::Text(_)) && BY_ITSELF.contains(&base) && !is_readable(&text, base, schema) => {
            Err(Fault::Input(below.clone(), text.into()))
        }
        _ => Ok(Found::Unknown),
    }
}

/// The bytes that a text in hexadecimal stands for.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(byte).collect()).flatten()
}

/// A number of a type that has an infinity, as text.
fn real(text: &str, base: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    // What is no number here is one of the words for it, or more than the type can hold.
    let written = text.contains(|sign: char| sign.is_ascii_digit());
    let infinite = if base == "real" { number.abs() > f64::from(f32::MAX) } else { number.is_infinite() };
    (!written || !infinite).then_some(number)
}

/// A whole number as text.
fn whole(text: &str) -> Option<i128> {
    text.trim_matches([' ', '\t', '\n']).parse().ok()
}

/// Whether a newer server may read it as a number: `0x1F`, `1_000`.
fn is_spelled_otherwise(text: &str) -> bool {
    text.trim().trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit())
}

/// What a value is in a column of a type.
fn assigned(found: Found, to: &TypeName, schema: &Schema) -> Result<Found, Fault> {
    let below = schema.below_domains(to);
    if below.is_array() {
        return Ok(Found::Unknown);
    }
    let (base, modifiers) = (below.base(), below.modifiers());
    match (found, &*base) {
        (Found::Null, _) => Ok(Found::Null),
        (Found::Literal(text), "smallint" | "integer" | "bigint" | "numeric") => {
            let signed = |text: &str| decimal(text.strip_prefix('-').unwrap_or(text));
            match (whole(&text), Whole::of(&base)) {
                (Some(number), Some(of)) => of.take(number),
                (_, None) => match signed(text.trim()) {
                    Some(found) => assigned(found, to, schema),
                    None => Ok(Found::Unknown),
                },
                _ => Ok(Found::Unknown),
            }
        }
        (Found::Whole(number, _), "smallint" | "integer" | "bigint") => {
            Whole::of(&base).map_or(Ok(Found::Unknown), |of| of.take(number.into()))
        }
        // It is a numeric from there on, and not computed with as an integer.
        (Found::Whole(number, _), "numeric") => {
            precise(number.into(), 0, &modifiers).map(|_| Found::Decimal(number.into(), 0))
        }
        (Found::Decimal(number, scale), "smallint" | "integer" | "bigint") => {
            Whole::of(&base).map_or(Ok(Found::Unknown), |of| match rounded(number, scale, 0) {
                Some(number) => of.take(number),
                None => Ok(Found::Unknown),
            })
        }
        (Found::Decimal(number, scale), "numeric") => {
            precise(number, scale, &modifiers).map(|_| Found::Decimal(number, scale))
        }
        (Found::Whole(number, _), "real" | "double precision") => {
            // No smaller type has more digits than this one.
            #[expect(clippy::cast_precision_loss, reason = "the server rounds it, too")]
            Ok(Found::Real(number as f64))
        }
        (Found::Decimal(number, scale), "real" | "double precision") => {
            let text = format!("{number}e-{scale}");
            Ok(real(&text, &base).map_or(Found::Unknown, Found::Real))
        }
        (Found::Real(number), "smallint" | "integer" | "bigint") => {
            Whole::of(&base).map_or(Ok(Found::Unknown), |of| of.take_real(number))
        }
        (Found::Real(number), "real") if number.is_finite() && number.abs() > f64::from(f32::MAX) * 1.000_001 => {
            Err(Fault::Said("value out of range: overflow".into()))
        }
        (Found::Real(number), "real" | "double precision") => Ok(Found::Real(number)),
        (Found::Real(number), "numeric") if number.is_infinite() && !modifiers.is_empty() => Err(Fault::Overflow),
        (Found::Literal(text) | Found::Text(text), "text") => Ok(Found::Text(text)),
        (Found::Literal(text) | Found::Text(text), "character varying" | "character") => {
            let length = match (&*base, modifiers.first()) {
                (_, Some(length)) => usize::try_from(*length).unwrap_or(usize::MAX),
                ("character", None) => 1,
                (_, None) => usize::MAX,
            };
            // Blanks at the end are cut.
            if text.trim_end_matches(' ').chars().count() > length {
                return Err(Fault::Long(below.clone()));
            }
            Ok(if &*base == "character" { Found::Unknown } else { Found::Text(text.chars().take(length).collect()) })
        }
        (Found::Literal(text) | Found::Bits(text), "bit" | "bit varying")
            if !text.starts_with(['x', 'X', 'b', 'B']) =>
        {
            let length = modifiers.first().copied().or_else(|| (&*base == "bit").then_some(1));
            let wrong = |length: usize| {
                if &*base == "bit" { text.len() != length } else { text.len() > length }
            };
            match length.and_then(|length| usize::try_from(length).ok()) {
                Some(length) if wrong(length) => Err(Fault::Bits(text.len(), below.clone())),
                _ => Ok(Found::Unknown),
            }
        }
        // A label of an enum.
        (Found::Literal(text), _) if matches!(schema.user_type_named(&base), Some(UserType::Enum(_))) => {
            Ok(Found::Text(text))
        }
        _ => Ok(Found::Unknown),
    }
}

/// A number with fewer digits behind the point.
fn rounded(number: i128, scale: u32, to: u32) -> Option<i128> {
    let Some(fewer) = scale.checked_sub(to).filter(|fewer| *fewer > 0) else {
        return number.checked_mul(10_i128.checked_pow(to - scale)?);
    };
    let unit = 10_i128.checked_pow(fewer)?;
    let half = if number < 0 { -(unit / 2) } else { unit / 2 };
    Some(number.checked_add(half)? / unit)
}

/// Whether a numeric has no more digits than its type.
fn precise(number: i128, scale: u32, modifiers: &[i64]) -> Result<(), Fault> {
    let (precision, places) = match modifiers {
        [] => return Ok(()),
        [precision] => (*precision, 0),
        [precision, places, ..] => (*precision, *places),
    };
    let (Ok(precision), Ok(places)) = (u32::try_from(precision), u32::try_from(places)) else { return Ok(()) };
    let (Some(number), Some(limit)) = (rounded(number, scale, places), 10_i128.checked_pow(precision)) else {
        return Ok(());
    };
    if number.abs() < limit { Ok(()) } else { Err(Fault::Overflow) }
}

fn called(call: &Call, schema: &Schema) -> Result<Found, Fault> {
    let arguments: Vec<Found> =
        call.arguments.iter().map(|argument| compute(argument, schema)).collect::<Result<_, _>>()?;
    if call.named || !schema.functions(&schema.resolve_function(&call.name)).is_empty() {
        return Ok(Found::Unknown);
    }
    // What is strict is NULL for a NULL, whatever else it is given.
    const STRICT: [&str; 16] = [
        "char_length",
        "character_length",
        "chr",
        "length",
        "ln",
        "log",
        "log10",
        "lower",
        "make_date",
        "make_timestamp",
        "mod",
        "repeat",
        "sqrt",
        "substr",
        "substring",
        "upper",
    ];
    if STRICT.contains(&&*call.name.name) && arguments.contains(&Found::Null) {
        return Ok(Found::Null);
    }
    if let Some(fault) = served::refused(&call.name.name, &arguments) {
        return Err(fault);
    }
    match (&*call.name.name, arguments.as_slice()) {
        ("similar_to_escape", [Found::Literal(text) | Found::Text(text)]) => {
            Ok(pattern::similar(text).map_or(Found::Unknown, Found::Text))
        }
        ("like_escape", [Found::Literal(text) | Found::Text(text), Found::Literal(escape) | Found::Text(escape)]) => {
            pattern::escaped(text, escape).map(Found::Text).ok_or_else(|| Fault::Said("invalid escape string".into()))
        }
        ("like_escape", [_, Found::Literal(escape) | Found::Text(escape)]) if 1 < escape.chars().count() => {
            Err(Fault::Said("invalid escape string".into()))
        }
        ("make_date" | "make_timestamp", [Found::Whole(year, _), Found::Whole(month, _), Found::Whole(day, _), ..]) => {
            let long = if *month == 2 && *year < 1 { 29 } else { input::days(*year, *month) };
            let is_day = *year != 0 && (1..=12).contains(month) && (1..=long).contains(day);
            if is_day { Ok(Found::Unknown) } else { Err(Fault::Day) }
        }
        ("abs", [Found::Whole(number, of)]) => of.take(i128::from(*number).abs()),
        ("array_fill", [_, _, ..]) => filled(&call.arguments[1], schema),
        ("exp", [Found::Whole(number, _)]) if *number > 709 => Err(Fault::Said("value out of range: overflow".into())),
        ("mod" | "div", [Found::Whole(..) | Found::Decimal(..), Found::Whole(0, _) | Found::Decimal(0, _)]) => {
            Err(Fault::Zero)
        }
        ("int4range" | "int8range" | "numrange", [Found::Whole(low, _), Found::Whole(high, _), ..]) if high < low => {
            Err(Fault::Bounds)
        }
        ("upper", [Found::Literal(text) | Found::Text(text)]) if text.is_ascii() => {
            Ok(Found::Text(text.to_ascii_uppercase()))
        }
        ("lower", [Found::Literal(text) | Found::Text(text)]) if text.is_ascii() => {
            Ok(Found::Text(text.to_ascii_lowercase()))
        }
        ("sqrt", [Found::Whole(number, _)]) if *number < 0 => Err(Fault::Root),
        ("sqrt", [Found::Decimal(number, _)]) if *number < 0 => Err(Fault::Root),
        ("ln" | "log" | "log10", [Found::Whole(number, _)]) if *number <= 0 => Err(Fault::Logarithm),
        ("ln" | "log" | "log10", [Found::Decimal(number, _)]) if *number <= 0 => Err(Fault::Logarithm),
        ("chr", [Found::Whole(number, _)])
            if u32::try_from(*number).ok().filter(|n| *n > 0).and_then(char::from_u32).is_none() =>
        {
            Err(Fault::Character)
        }
        ("substring" | "substr", [_, Found::Whole(..), Found::Whole(length, _)]) if *length < 0 => Err(Fault::Length),
        ("nullif", [left, right]) if left == right && *left != Found::Unknown => Ok(Found::Null),
        ("length" | "char_length" | "character_length", [Found::Literal(text) | Found::Text(text)]) => {
            Whole::Plain.take(i128::try_from(text.chars().count()).unwrap_or(i128::MAX))
        }
        ("repeat", [Found::Literal(text) | Found::Text(text), Found::Whole(times, _)]) => {
            const LONGEST: usize = 1 << 16;
            let times = usize::try_from(*times).unwrap_or(0);
            let long = text.len().checked_mul(times).is_none_or(|length| length > LONGEST);
            Ok(if long { Found::Unknown } else { Found::Text(text.repeat(times)) })
        }
        _ => Ok(Found::Unknown),
    }
}
