//! What triggers put into columns that may not take it.

use std::fmt;

use crate::compat::{App, Evidence, Phase};
use crate::diagnostic::Diagnostic;
use crate::effect::Capability;
use crate::lint::{Rule, Subject};
use crate::schema::{QName, Relation, Rule as Constraint, Schema, UserType};
use crate::sql::TypeName;
use crate::sql::body::{Given, Length, Put, Target};
use crate::sql::operation::Ident;

/// What a trigger puts where it may not fit, and a version that sets it off although its own schema has no such trigger: blue before the
/// cutover, green until what goes late.
pub(super) fn told(subject: &Subject<'_>, rule: &Rule) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let before = step.phase == Phase::Before;
    let mut changed: Vec<&Capability> = step.effect.adds.iter().chain(&step.effect.removes).collect();
    changed.retain(|capability| {
        matches!(capability, Capability::Trigger { .. } | Capability::Body { .. } | Capability::Fits { .. })
    });
    if changed.is_empty() {
        return None;
    }
    // A trigger may write into any table, so a column concerns all of them.
    let concerns = |table: &QName, relation: &Relation| {
        changed.iter().any(|capability| match capability {
            Capability::Trigger { relation: on, .. } => on == table,
            Capability::Body { name, .. } => relation.trigger_functions.values().any(|function| function == name),
            Capability::Fits { .. } => true,
            _ => false,
        })
    };
    let (with, without) = if before { (subject.after(), step.before) } else { (step.before, subject.after()) };
    let (version, home) = if before { (&release.blue, release.base) } else { (&release.green, release.last) };
    with.relations().filter(|(table, relation)| concerns(table, relation)).find_map(|(table, relation)| {
        let own = if before { with.origin_of(table) } else { table.clone() };
        let known = home.relation(&own)?;
        relation.trigger_functions.iter().find_map(|(trigger, function)| {
            let old = without.relation(table).and_then(|relation| relation.trigger_functions.get(trigger));
            let old = old.map(|function| unfit(without, table, function)).unwrap_or_default();
            let new = unfit(with, table, function).into_iter().filter(|unfit| !old.contains(unfit));
            new.into_iter().find_map(|unfit| {
                let query = match unfit.evidence(version.app, (&own, known), relation.firing(trigger).update) {
                    Evidence::Query(query) | Evidence::Perhaps(query) => Some(query),
                    Evidence::Assumed => None,
                    Evidence::None => return None,
                };
                let when = if before { "from here on" } else { "until here" };
                let text = format!("{trigger} puts {unfit}: {} may be refused {when}", version.side);
                let diagnostic = Diagnostic::new(rule.code, rule.severity, text).at(step.span, when);
                Some(version.shown_by(diagnostic, query).help(unfit.help()))
            })
        })
    })
}

/// A value that a trigger puts into a column that may not take it.
#[derive(Debug, PartialEq, Eq)]
struct Unfit {
    /// The column of the row that is written; none of it alone.
    from: Option<Ident>,
    into: String,
    why: Why,
}

#[derive(Debug, PartialEq, Eq)]
enum Why {
    /// An enum has no such label.
    Label(Ident),
    /// A type holds more than the other.
    Type(TypeName, TypeName),
    /// A text is made longer.
    Longer(TypeName),
    /// A NULL where a value is demanded.
    Null,
    /// A rule of the table bears on the column.
    Rule(Ident),
}

impl Unfit {
    /// Whether a version writes what it is made of. `known`: the table as the version knows it; `changes`: the trigger runs for rows that are
    /// changed, too.
    fn evidence<'a>(&self, app: App<'a>, (table, known): (&QName, &Relation), changes: bool) -> Evidence<'a> {
        let Some(from) = &self.from else { return app.writes(table) };
        let (relation, column) = (table.clone(), from.clone());
        match (&self.why, known.column(from)) {
            // A column that its version does not know is not written by it.
            (_, None) => Evidence::None,
            (Why::Null, Some(_)) => {
                let omits = Capability::Omit { relation: relation.clone(), column: column.clone() };
                match app.evidence(&omits) {
                    Evidence::None => app.evidence(&Capability::AcceptsNull { relation, column }),
                    evidence => evidence,
                }
            }
            // A row that is changed holds what it held.
            (_, Some(found)) if found.has_default() || changes => app.writes(table),
            (_, Some(_)) => app.evidence(&Capability::Write { relation, column }),
        }
    }

    fn help(&self) -> &'static str {
        match self.why {
            Why::Label(_) => "give the enum all labels of the other; or translate them in the trigger",
            Why::Null => "let the trigger pass over NULL; or let the column take it until blue is drained",
            Why::Rule(_) => {
                "make sure that whatever is written fits; or let the trigger wait until blue is drained: `-- cutover: after <reason>`"
            }
            Why::Type(..) | Why::Longer(_) => {
                "let the column take whatever may be there; or cut it to what the column takes, in the trigger"
            }
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = self.from.as_deref().unwrap_or("a value that it makes");
        let into = &self.into;
        match &self.why {
            Why::Label(label) => write!(f, "{from} into {into}, which does not take '{label}'"),
            Why::Type(from_type, to) => {
                write!(f, "{from} ({from_type}) into {into} ({to}), which does not take all of it")
            }
            Why::Null => write!(f, "{from} into {into}, which does not take NULL"),
            Why::Rule(rule) => write!(f, "{from} into {into}, which does not take all of it ({rule})"),
            Why::Longer(to) => {
                write!(f, "what it makes longer into {into} ({to}), which does not take a text of any length")
            }
        }
    }
}

/// What a function puts where it may not fit, as a trigger of a table.
fn unfit(schema: &Schema, table: &QName, function: &QName) -> Vec<Unfit> {
    let Some(relation) = schema.relation(table) else { return Vec::new() };
    let mut found = Vec::new();
    for body in schema.functions(function).iter().map(|function| function.source.body()) {
        for given in &body.given {
            found.extend(misfit(schema, relation, given, (table, relation), &given.column));
            found.extend(ruled((table, relation), given, (table, relation), &given.column, true));
        }
        for Put { table: name, target, given, collides } in &body.put {
            let other = schema.resolve(name);
            let Some(written) = schema.relation(&other) else { continue };
            let column = match target {
                Target::Named(column) => Some(column),
                Target::At(at) => written.columns.get(*at).map(|column| &column.name),
            };
            let Some(column) = column else { continue };
            found.extend(misfit(schema, relation, given, (&other, written), column));
            found.extend(nullified(relation, given, (&other, written), column));
            found.extend(ruled((table, relation), given, (&other, written), column, *collides));
        }
    }
    found
}

fn misfit(
    schema: &Schema,
    row: &Relation,
    given: &Given,
    (table, relation): (&QName, &Relation),
    column: &Ident,
) -> Option<Unfit> {
    let to = below(schema, relation.column(column)?.data_type.as_ref()?);
    let into = || format!("{table}.{column}");
    let types = given.from.iter().filter_map(|from| Some((from, below(schema, row.column(from)?.data_type.as_ref()?))));
    // A text is cut by a cast to a shorter one.
    let cast = given.cast.as_ref();
    let to = cast.filter(|cast| !is_text(cast)).unwrap_or(to);
    if cast.is_some_and(is_text) {
        return None;
    }
    match given.length {
        Length::Unknown => None,
        Length::Longer => {
            let bounded = longest(schema, to).is_some() && is_text(to);
            bounded.then(|| Unfit { from: None, into: into(), why: Why::Longer(to.clone()) })
        }
        Length::Kept => types
            .filter_map(|(from, from_type)| {
                let why = unfitting(schema, from_type, to)?;
                Some(Unfit { from: Some(from.clone()), into: into(), why })
            })
            .next(),
    }
}

/// A NULL that is written where a value is demanded.
fn nullified(row: &Relation, given: &Given, (table, relation): (&QName, &Relation), column: &Ident) -> Option<Unfit> {
    relation.column(column).filter(|column| column.not_null && given.alone)?;
    let nullable = |from: &&Ident| row.column(from).is_some_and(|column| !column.not_null);
    let from = given.from.iter().all(|from| nullable(&from)).then(|| given.from.first()).flatten()?;
    Some(Unfit { from: Some(from.clone()), into: format!("{table}.{column}"), why: Why::Null })
}

/// A rule on what is written from columns of the row that these columns do not have themselves.
fn ruled(
    (own, row): (&QName, &Relation),
    given: &Given,
    (table, relation): (&QName, &Relation),
    column: &Ident,
    collides: bool,
) -> Option<Unfit> {
    let first = given.from.first()?;
    let rules = |of: &Relation, column: &Ident| -> Vec<(Ident, Constraint)> {
        let unique = of.indexes.iter().filter(|(_, index)| index.keeps_apart());
        let unique =
            unique.filter_map(|(name, index)| Some((name.clone(), Constraint::Unique { columns: index.plain_key()? })));
        let others = of.constraints.iter().map(|(name, constraint)| (name.clone(), constraint.kind.clone()));
        let others =
            others.filter(|(_, rule)| matches!(rule, Constraint::Check { .. } | Constraint::ForeignKey { .. }));
        unique.chain(others).filter(|(_, rule)| rule.columns().contains(column)).collect()
    };
    let same = |a: &Constraint, b: &Constraint| match (a, b) {
        (Constraint::ForeignKey { target: a, .. }, Constraint::ForeignKey { target: b, .. }) => a == b,
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    };
    // What the column is given is what it holds, or something that is held to the same rule.
    let held = |rule: &Constraint| {
        let handled = match rule {
            Constraint::Unique { .. } => !collides,
            // The row that is written is there.
            Constraint::ForeignKey { target, .. } => target == own,
            _ => false,
        };
        handled
            || given.alone && given.from.iter().all(|from| rules(row, from).iter().any(|(_, other)| same(rule, other)))
    };
    let (name, _) = rules(relation, column).into_iter().find(|(_, rule)| !held(rule))?;
    Some(Unfit { from: Some(first.clone()), into: format!("{table}.{column}"), why: Why::Rule(name) })
}

/// Why values of one type may not be taken by a column of another.
fn unfitting(schema: &Schema, from: &TypeName, to: &TypeName) -> Option<Why> {
    if from == to || from.is_array() || to.is_array() {
        return None;
    }
    let labels = |of: &TypeName| match schema.user_type_named(&of.base()) {
        Some(UserType::Enum(labels)) => Some(labels),
        _ => None,
    };
    if let (Some(has), Some(taken)) = (labels(from), labels(to)) {
        return has.iter().find(|label| !taken.contains(label)).cloned().map(Why::Label);
    }
    let more = || Some(Why::Type(from.clone(), to.clone()));
    if is_text(to) {
        let limit = longest(schema, to)?;
        return longest(schema, from).is_none_or(|length| length > limit).then(more)?;
    }
    match (digits(from), digits(to)) {
        // Fractions are rounded.
        (Some(has), Some(taken)) => (has > taken).then(more)?,
        (None, Some(_)) if is_text(from) => more(),
        _ if is_text(from) && labels(to).is_some() => more(),
        _ => None,
    }
}

/// The type below domains.
fn below<'a>(schema: &'a Schema, data_type: &'a TypeName) -> &'a TypeName {
    let mut data_type = data_type;
    for _ in 0..8 {
        match schema.user_type_named(&data_type.base()) {
            Some(UserType::Domain { base, .. }) if !data_type.is_array() => data_type = base,
            _ => break,
        }
    }
    data_type
}

fn is_text(data_type: &TypeName) -> bool {
    matches!(&*data_type.base(), "text" | "character varying" | "character" | "bpchar")
}

/// How long the text of a value can be; `None`: any length.
fn longest(schema: &Schema, data_type: &TypeName) -> Option<i64> {
    let length = |base: &str| {
        Some(match base {
            "character varying" => *data_type.modifiers().first()?,
            "character" => data_type.modifiers().first().copied().unwrap_or(1),
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
        _ => length(&data_type.base()),
    }
}

/// How many digits a number has before the point, at most; halves for types whose limits are no power of ten.
fn digits(data_type: &TypeName) -> Option<i64> {
    Some(match &*data_type.base() {
        "smallint" => 9,
        "integer" => 19,
        "bigint" => 37,
        "numeric" => match data_type.modifiers().as_slice() {
            [] => i64::MAX,
            [precision] => precision.saturating_mul(2),
            [precision, scale, ..] => precision.saturating_sub(*scale).saturating_mul(2),
        },
        "real" | "double precision" => i64::MAX - 1,
        _ => return None,
    })
}
