//! What triggers put into columns that may not take it.

use std::cell::LazyCell;
use std::fmt;

use crate::compat::{App, Evidence, Phase};
use crate::diagnostic::Diagnostic;
use crate::effect::Capability;
use crate::lint::{Rule, Subject};
use crate::schema::resolve::{Place, Value, Written, default_fails, default_written, kept_written, longest, written};
use crate::schema::{Column, QName, Relation, Schema, TableRule as Constraint, UserType};
use crate::shared::Shared;
use crate::sql::condition::{Condition, Constant, Truth};
use crate::sql::operation::{DefaultValue, DomainChange, Ident, TableChange};
use crate::sql::query::{Expr, Kept};
use crate::sql::{Name, Operation, TypeName};

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
    let concerns = |table: &QName, trigger: &Ident, function: &QName| {
        changed.iter().any(|capability| match capability {
            Capability::Trigger { relation: on, name } => on == table && name == trigger,
            Capability::Body { name, .. } => function == name || calls(step.before, function, name),
            Capability::Fits { .. } => true,
            _ => false,
        })
    };
    let (with, without) = if before { (subject.after(), step.before) } else { (step.before, subject.after()) };
    let (version, home) = if before { (&release.blue, release.base) } else { (&release.green, release.last) };
    with.relations().filter(|(_, relation)| !relation.trigger_functions.is_empty()).find_map(|(table, relation)| {
        let own = if before { with.origin_of(table) } else { table.clone() };
        let known = home.relation(&own)?;
        let all = relation.trigger_functions.iter();
        let mut concerned = all.filter(|(trigger, function)| concerns(table, trigger, function));
        concerned.find_map(|(trigger, function)| {
            let old = LazyCell::new(|| {
                let old = without.relation(table).and_then(|relation| relation.trigger_functions.get(trigger));
                old.map(|function| unfit(without, table, trigger, function)).unwrap_or_default()
            });
            // NULL in a row of its own is told where green has to wait.
            let new = unfit(with, table, trigger, function).into_iter();
            let new = new.filter(|unfit| (before || !unfit.is_own_null(table)) && !old.contains(unfit));
            new.into_iter().find_map(|unfit| {
                let query = unfit.evidence(version.app, (&own, known), relation.firing(trigger).update).relied_on()?;
                let when = if before { "from here on" } else { "until here" };
                let text = format!("{trigger} {unfit}: {} may be refused {when}", version.side);
                let diagnostic = Diagnostic::new(rule.code, rule.severity, text).at(step.span, when);
                Some(version.shown_by(diagnostic, query).help(unfit.help()))
            })
        })
    })
}

/// Whether a function calls another by itself.
fn calls(schema: &Schema, function: &QName, called: &QName) -> bool {
    schema.functions(function).iter().any(|function| function.mentions.contains(&called.name))
}

/// A value that a trigger puts where it may not fit.
#[derive(Debug, PartialEq, Eq)]
struct Unfit {
    /// The columns of the row that it is made of.
    from: Vec<Ident>,
    into: String,
    why: Why,
    /// Whether it happens whenever the trigger runs.
    always: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Why {
    /// An enum has no such label.
    Label(Ident),
    /// A type holds more than the other.
    Type(TypeName, TypeName),
    /// A text may be longer.
    Longer(TypeName),
    /// A NULL where a value is demanded.
    Null,
    /// A rule of the table bears on the column.
    Rule(Ident),
    /// Something is divided by it.
    Zero,
    /// The body fails without it, in words.
    Fails(&'static str),
}

impl Unfit {
    /// Whether a version writes what it is made of. `known`: the table as the version knows it; `changes`: the trigger runs for rows that are
    /// changed, too.
    fn evidence<'a>(&self, app: App<'a>, (table, known): (&QName, &Relation), changes: bool) -> Evidence<'a> {
        let of = |from: &Ident| {
            let (relation, column) = (table.clone(), from.clone());
            match (&self.why, known.column(from)) {
                // A column that its version does not know is NULL in what it writes, and nothing else.
                (Why::Null, None) if self.always => app.writes(table),
                (_, None) => Evidence::None,
                (Why::Null, Some(found)) if found.not_null => app.writes(table),
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
        };
        if self.from.is_empty() {
            return app.writes(table);
        }
        let found = self.from.iter().map(of);
        found.reduce(|one, other| if matches!(one, Evidence::None) { other } else { one }).unwrap_or(Evidence::None)
    }

    fn is_own_null(&self, table: &QName) -> bool {
        self.why == Why::Null && self.into.starts_with(&format!("{table}."))
    }

    fn help(&self) -> &'static str {
        match self.why {
            Why::Label(_) => "give the enum all labels of the other; or translate them in the trigger",
            Why::Null => "let the trigger pass over NULL; or let the column take it until blue is drained",
            Why::Rule(_) | Why::Zero | Why::Fails(_) => {
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
        let from = if self.from.is_empty() { "a value that it makes".to_owned() } else { self.from.join(", ") };
        let into = &self.into;
        match &self.why {
            Why::Label(label) => write!(f, "puts {from} into {into}, which does not take '{label}'"),
            Why::Type(from_type, to) if into.is_empty() => {
                write!(f, "takes {from} ({from_type}) for {to}, which does not take all of it")
            }
            Why::Longer(to) if into.is_empty() => {
                write!(f, "takes a text that it makes for {to}, which does not take any length")
            }
            Why::Type(from_type, to) => {
                write!(f, "puts {from} ({from_type}) into {into} ({to}), which does not take all of it")
            }
            Why::Null => write!(f, "puts {from} into {into}, which does not take NULL"),
            Why::Rule(rule) => write!(f, "puts {from} into {into}, which does not take all of it ({rule})"),
            Why::Longer(to) => {
                write!(f, "puts a text that it makes into {into} ({to}), which does not take any length")
            }
            Why::Zero if self.from.is_empty() => f.write_str("divides by what it reads, which may be 0"),
            Why::Zero => write!(f, "divides by what is made of {from}, which may be 0"),
            Why::Fails(words) => f.write_str(words),
        }
    }
}

/// What a function puts where it may not fit, as a trigger of a table.
fn unfit(schema: &Schema, table: &QName, trigger: &str, function: &QName) -> Vec<Unfit> {
    let Some(relation) = schema.relation(table) else { return Vec::new() };
    let firing = relation.firing(trigger);
    let row = firing.each_row.then_some((table, firing));
    let bodies = schema.functions(function).iter();
    let all = bodies.flat_map(|function| written(function, row, schema));
    all.filter_map(|written| misfit(schema, (table, relation), firing.changes_rows(), written)).collect()
}

/// What may not fit where it is put. `changes`: what is put into the row itself is written.
fn misfit(
    schema: &Schema,
    (table, relation): (&QName, &Relation),
    changes: bool,
    Written { into, mut value, always }: Written,
) -> Option<Unfit> {
    // What a column keeps fits it.
    if let Place::Row(column) = &into
        && value.from.len() > 1
    {
        value.from.retain(|from| from != column);
    }
    let unfit = |why| Unfit { from: value.from.clone(), into: String::new(), why, always };
    let (target, column, collides) = match &into {
        Place::Column { table, column, collides } => (table, column, *collides),
        // What one puts there that runs afterwards is written nowhere.
        Place::Row(column) if changes => (table, column, true),
        Place::Row(_) => return None,
        Place::Type(to) => return too_much(schema, &value, to).map(unfit),
        Place::Divisor => return Some(unfit(Why::Zero)),
        Place::Nowhere(words) => {
            return Some(unfit(Why::Fails(words)));
        }
    };
    let written = schema.relation(target)?;
    let found = written.column(column)?;
    let of_type = || too_much(schema, &value, found.data_type.as_ref()?);
    let nullified = || (value.null && found.not_null).then_some(Why::Null);
    let ruled = || ruled((table, relation), &value, (target, written), column, collides).map(Why::Rule);
    let why = of_type().or_else(nullified).or_else(ruled)?;
    Some(Unfit { into: format!("{target}.{column}"), ..unfit(why) })
}

/// A new expression of a table that fails for some of the rows that blue writes: of a generated column, an index, or when a trigger runs.
/// `alone`: nothing else is said of the step.
pub(super) fn kept(subject: &Subject<'_>, rule: &Rule, alone: bool) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let after = subject.after();
    step.operations().find_map(|operation| {
        let (name, what, into, values): (_, _, _, Vec<&Kept>) = match operation {
            Operation::AlterTable { table, change: TableChange::AddColumn { column, .. }, .. } => {
                let generated =
                    matches!(column.default, Some(DefaultValue::GeneratedStored | DefaultValue::GeneratedVirtual));
                (table, &column.name, Some(&column.name).filter(|_| generated)?.into(), vec![&column.value])
            }
            Operation::CreateIndex(index) => {
                let what = index.name.as_ref().unwrap_or(&index.table.name);
                (&index.table, what, None, index.values.iter().chain([&index.condition]).collect())
            }
            Operation::CreateTrigger { name, table, condition, .. } => (table, name, None, vec![condition]),
            Operation::AlterTable { table, change: TableChange::SetDefault { column, value, .. }, .. } => {
                (table, column, None, vec![value])
            }
            Operation::AlterDomain { name, change: DomainChange::Default { value } } => {
                return default_of_domain(subject, rule, (name, value.as_deref()?));
            }
            _ => return None,
        };
        let default = matches!(operation, Operation::AlterTable { change: TableChange::SetDefault { .. }, .. });
        let table = step.before.resolve(name);
        let own = step.before.origin_of(&table);
        let known = release.base.relation(&own)?;
        let relation = after.relation(&table)?;
        let row = match operation {
            Operation::CreateTrigger { .. } => "new".into(),
            _ => table.name.clone(),
        };
        let written = values.into_iter().flatten();
        let written = written.flat_map(|value| match default {
            true => default_written(value, &table, what, after),
            false => kept_written(value, &table, &row, into, after),
        });
        let unfit = written.filter_map(|written| misfit(after, (&table, relation), true, written));
        // What rules say of a constant is said where it is given.
        let of_type = |unfit: &Unfit| match unfit.why {
            Why::Null => false,
            Why::Rule(_) => alone,
            _ => true,
        };
        let mut unfit = unfit.filter(|unfit| !default || of_type(unfit));
        unfit.find_map(|unfit| {
            let left_out = Capability::Omit { relation: own.clone(), column: what.clone() };
            let evidence = match default {
                true => release.blue.app.evidence(&left_out),
                false => unfit.evidence(release.blue.app, (&own, known), true),
            };
            let query = evidence.relied_on()?;
            let text = format!("{what} {unfit}: {} may be refused from here on", release.blue.side);
            let told = Diagnostic::new(rule.code, rule.severity, text).at(step.span, "from here on");
            Some(release.blue.shown_by(told, query).help("make sure that whatever is written fits"))
        })
    })
}

/// A default of a domain that fails, or that the domain may refuse, where a column of it has no default of its own.
fn default_of_domain(subject: &Subject<'_>, rule: &Rule, (name, value): (&Name, &Expr)) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let after = subject.after();
    let domain = TypeName::canonical(after.resolve_type(name).to_string());
    let fault = default_fails(value, &domain, after)?;
    after.relations().find_map(|(table, relation)| {
        let of_domain = |column: &&Shared<Column>| {
            column.default.is_none() && column.data_type.as_ref().is_some_and(|data_type| *data_type == domain)
        };
        relation.columns.iter().filter(of_domain).find_map(|column| {
            let (own, column) = (after.origin_of(table), column.name.clone());
            let query =
                release.blue.app.evidence(&Capability::Omit { relation: own, column: column.clone() }).relied_on()?;
            let gets = if fault.is_sure() { "that cannot be its value" } else { "that may be refused" };
            let text = format!(
                "{table}.{column} gets a default {gets} ({fault}): {} may be refused from here on",
                release.blue.side
            );
            let told = Diagnostic::new(rule.code, rule.severity, text).at(step.span, "from here on");
            Some(release.blue.shown_by(told, query).help("give the domain a default that its columns take"))
        })
    })
}

/// Why a type may not take a value.
fn too_much(schema: &Schema, value: &Value, to: &TypeName) -> Option<Why> {
    let to = schema.below_domains(to);
    // A literal NULL is of any type.
    if value.null && value.length == Some(0) {
        return None;
    }
    if !value.constants.is_empty() {
        let refused = |constant: &Constant| match constant {
            Constant::Number(number) => match &*to.base() {
                "smallint" => i16::try_from(*number).is_err(),
                "integer" => i32::try_from(*number).is_err(),
                _ => false,
            },
            _ => false,
        };
        let is_label = |label: &str, labels: &[Ident]| labels.iter().any(|known| **known == *label);
        match schema.user_type_named(&to.base()) {
            Some(UserType::Enum(labels)) => {
                return value.constants.iter().find_map(|constant| match constant {
                    Constant::Text(text) if !is_label(text, labels) => Some(Why::Label((&**text).into())),
                    _ => None,
                });
            }
            // Whether a text is a value of another type is known when the body is read; and numbers with a precision are not compared.
            _ if !is_text(to) && to.modifiers().is_empty() => {
                let from = value.data_type.clone().filter(|_| value.constants.iter().any(refused))?;
                return Some(Why::Type(from, to.clone()));
            }
            _ => {}
        }
    }
    if is_text(to) && !to.is_array() {
        let limit = longest(schema, to)?;
        if value.length.is_some_and(|length| length <= limit) {
            return None;
        }
        let known = value.data_type.as_ref().map(|from| schema.below_domains(from));
        let own = known.and_then(|from| longest(schema, from));
        return Some(match known {
            Some(from) if value.alone || own.is_some() && own == value.length => Why::Type(from.clone(), to.clone()),
            _ => Why::Longer(to.clone()),
        });
    }
    unfitting(schema, schema.below_domains(value.data_type.as_ref()?), to)
}

/// A rule on what is written from columns of the row that these columns do not have themselves.
fn ruled(
    (own, row): (&QName, &Relation),
    value: &Value,
    (_, relation): (&QName, &Relation),
    column: &Ident,
    collides: bool,
) -> Option<Ident> {
    if value.constants == [Constant::Null] {
        return None;
    }
    let rules = |of: &Relation, column: &Ident| -> Vec<(Ident, Constraint)> {
        let unique = of.indexes.iter().filter(|(_, index)| index.keeps_apart());
        let unique =
            unique.filter_map(|(name, index)| Some((name.clone(), Constraint::Unique { columns: index.plain_key()? })));
        let others = of
            .constraints
            .iter()
            .filter(|(_, constraint)| constraint.enforced)
            .map(|(name, constraint)| (name.clone(), constraint.kind.clone()));
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
        let reads =
            |target: &QName| value.alone && !value.read.is_empty() && value.read.iter().all(|(of, _)| of == target);
        let handled = match rule {
            Constraint::Unique { .. } => !collides || value.fresh,
            // The row that is written is there, and so is one that was read.
            Constraint::ForeignKey { target, .. } => target == own || reads(target),
            Constraint::Check { expression, .. } => {
                let condition = Condition::read(expression);
                let passes = |constant: &Constant| {
                    let known = |of: &Ident| (of == column).then(|| constant.clone());
                    let truth = condition.as_ref().map(|condition| condition.holds(&known));
                    matches!(truth, Some(Truth::True | Truth::Null))
                };
                !value.constants.is_empty() && value.constants.iter().all(passes)
            }
            _ => false,
        };
        let alike = |from: &Ident| rules(row, from).iter().any(|(_, other)| same(rule, other));
        handled || value.alone && value.read.is_empty() && !value.from.is_empty() && value.from.iter().all(alike)
    };
    rules(relation, column).into_iter().find(|(_, rule)| !held(rule)).map(|(name, _)| name)
}

/// Why values of one type may not be taken by a column of another.
fn unfitting(schema: &Schema, from: &TypeName, to: &TypeName) -> Option<Why> {
    if from == to {
        return None;
    }
    if from.is_array() || to.is_array() {
        let element = |of: &TypeName| of.as_str().strip_suffix("[]").map(TypeName::canonical);
        return unfitting(schema, &element(from)?, &element(to)?);
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
    // What is rounded may have one digit more.
    let rounded = || i64::from(scale(from) > scale(to) && digits(from).is_some_and(|digits| digits % 2 == 0));
    match (digits(from), digits(to)) {
        (Some(has), Some(taken)) => (has.saturating_add(rounded()) > taken).then(more)?,
        // A text may be no value of another type.
        _ if is_text(from) && *to.base() != *"jsonpath" && known(schema, to) => more(),
        _ => None,
    }
}

/// Whether a type is known to refuse some texts.
fn known(schema: &Schema, data_type: &TypeName) -> bool {
    const REFUSE: [&str; 20] = [
        "smallint",
        "integer",
        "bigint",
        "numeric",
        "real",
        "double precision",
        "boolean",
        "date",
        "timestamp",
        "timestamp without time zone",
        "timestamp with time zone",
        "time without time zone",
        "interval",
        "uuid",
        "json",
        "jsonb",
        "inet",
        "cidr",
        "bytea",
        "money",
    ];
    REFUSE.contains(&&*data_type.base()) || matches!(schema.user_type_named(&data_type.base()), Some(UserType::Enum(_)))
}

/// How many digits a number has behind the point, at most.
fn scale(data_type: &TypeName) -> i64 {
    match (&*data_type.base(), data_type.modifiers().as_slice()) {
        ("numeric", [_, scale, ..]) => *scale,
        ("numeric", []) | ("real" | "double precision", _) => i64::MAX,
        _ => 0,
    }
}

fn is_text(data_type: &TypeName) -> bool {
    matches!(&*data_type.base(), "text" | "character varying" | "character" | "bpchar")
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
        "real" => 77,
        "double precision" => 617,
        _ => return None,
    })
}
