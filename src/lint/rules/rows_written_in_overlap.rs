//! Rows that blue writes after a backfill do not have it.

use crate::compat::{Evidence, Phase};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::effect::Capability;
use crate::lint::{Case, Docs, PlacedRelease, PlacedStep, Placing, Rule, RuleCheck, Subject, Yields};
use crate::schema::resolve::asked_for_one;
use crate::schema::{QName, Relation, Schema};
use crate::sql::operation::{DataChange, DataVerb, DefaultValue, Ident, QueryShape, RelationKind, TableChange};
use crate::sql::query::{Assignment, Command, Expr};
use crate::sql::{Operation, read_query};
use crate::workload::Query;

pub(crate) const RULE: Rule = Rule {
    code: codes::ROWS_WRITTEN_IN_OVERLAP,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports rows that are filled or copied before the cutover from a table that blue goes on writing. It is an error where a later step fails on what blue wrote, or where those rows are in no table at the end.",
        why: "Rows that blue writes between the backfill and the end of its drain do not get the value. An UPDATE that tests the column `IS NULL` is run a second time once blue is drained; a trigger of the release keeps both forms in sync.",
        example: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);",
            "ALTER TABLE users ADD COLUMN initial text;\nUPDATE users SET initial = left(name, 1);",
        )),
        instead: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);",
            "ALTER TABLE users ADD COLUMN initial text;\nUPDATE users SET initial = left(name, 1) WHERE initial IS NULL;",
        )),
        references: &[],
    },
    check: RuleCheck::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let step = subject.step;
    if step.placing == Placing::Author {
        // Where it goes is its author's word; that it fails there is not.
        found.extend(one_beside_green(subject).filter(|_| step.again || step.phase == Phase::After));
        if step.phase == Phase::Before && !step.again {
            found.extend(called(subject));
        }
        return;
    }
    if step.again {
        // The second time is for the rows that come, and passes over those that are changed.
        let updates = step.operations().filter_map(|op| match op {
            Operation::Data(data) if data.verb == DataVerb::Update => {
                Some((data, step.before.resolve(data.table.as_ref()?)))
            }
            _ => None,
        });
        found.extend({ updates }.filter_map(|(data, table)| stale(subject, data, &table)));
        found.extend(one_beside_green(subject));
        return;
    }
    if step.phase == Phase::After {
        found.extend(copied_of_green(subject).or_else(|| put_beside_green(subject)));
        found.extend(one_beside_green(subject));
        return;
    }
    found.extend(step.effect.removes.iter().find_map(|capability| default_gone(subject, capability)));
    for operation in step.operations() {
        if let Operation::CreateTable(table) = operation
            && let Some((query, _)) = &table.query
        {
            let to = step.before.resolve(&table.name);
            let copies = read(step.before, query).into_iter().filter_map(|from| copied(subject, &from, &to));
            // Nobody misses rows in a copy that nobody uses, and whether green does may not be known.
            let relied_on = subject.release.green.app.evidence(&Capability::Relation(to.clone()));
            found.extend(copies.max_by_key(|copy| copy.severity).and_then(|copy| match relied_on {
                _ if copy.severity == Severity::Error || used(subject, &to) => Some(copy),
                Evidence::Query(_) | Evidence::Perhaps(_) => Some(copy),
                Evidence::Assumed if subject.release.last.relation(&to).is_some() => {
                    Some(Diagnostic { severity: Severity::Info, ..copy })
                }
                Evidence::Assumed | Evidence::None => None,
            }));
            continue;
        }
        if let Operation::AlterTable { table, change: TableChange::DropGenerated { column, .. }, .. } = operation {
            let table = step.before.resolve(table);
            let found_column = step.before.relation(&table).and_then(|relation| relation.column(column));
            // What was generated once is a value that later rows do not get.
            if found_column.is_some_and(|column| column.default == Some(DefaultValue::GeneratedStored)) {
                found.extend(changed(subject, &table, std::slice::from_ref(column)));
            }
            continue;
        }
        if let Operation::AlterTable {
            table, change: TableChange::SetType { column, using: true, value, .. }, ..
        } = operation
        {
            // What is made of other columns, or is another value, is an UPDATE of the rows that there are.
            let made = value.as_deref().is_some_and(|value| !is_cast_of(value, column));
            if made && step.placing != Placing::Conflict {
                let table = step.before.resolve(table);
                found.extend(changed(subject, &table, std::slice::from_ref(column)));
            }
            continue;
        }
        let Operation::Data(data) = operation else { continue };
        let Some(table) = data.table.as_ref().map(|table| step.before.resolve(table)) else { continue };
        let diagnostic = match data.verb {
            DataVerb::Update => {
                let heirs = inheriting(step.before, &table);
                let tables = std::iter::once(&table).chain(heirs);
                let changed = { tables }.find_map(|table| changed(subject, table, &data.writes));
                changed.or_else(|| copies(subject, data, &table)).or_else(|| stale(subject, data, &table))
            }
            DataVerb::Merge if merged(subject, &table) => Some(Diagnostic::new(
                RULE.code,
                RULE.severity,
                format!("rows of {table} that blue writes after this step, until it is drained, are not merged"),
            )
            .at(step.span, "runs before the cutover")
            .help("let it wait until blue is drained: `-- cutover: after <reason>`; or keep the rows in sync with a trigger")),
            DataVerb::Insert | DataVerb::Merge => copies(subject, data, &table),
            DataVerb::Delete | DataVerb::Truncate | DataVerb::Copy => None,
        };
        found.extend(diagnostic);
    }
}

/// Whether an expression is a column as it is, or as another type.
fn is_cast_of(value: &Expr, column: &Ident) -> bool {
    match value {
        Expr::Cast(inner, ..) => is_cast_of(inner, column),
        Expr::Column(parts, _) => parts.last() == Some(column),
        _ => false,
    }
}

/// What a step copies after the cutover from a table that green writes: into which, from which, and green's query.
fn copy_of_green<'a>(release: &PlacedRelease<'a>, step: &PlacedStep<'a>) -> Option<(QName, QName, &'a Query)> {
    step.operations().find_map(|op| {
        let (to, query) = match op {
            Operation::Data(data) if data.verb == DataVerb::Insert => (data.table.as_ref()?, &data.query),
            Operation::CreateTable(table) => (&table.name, &table.query.as_ref()?.0),
            _ => return None,
        };
        let to = step.before.resolve(to);
        let mut sources = read(step.before, query).into_iter().filter(|from| *from != to);
        let (from, query) = sources.find_map(|from| match release.green.app.writes(&from) {
            Evidence::Query(query) => Some((from, query)),
            Evidence::Perhaps(_) | Evidence::Assumed | Evidence::None => None,
        })?;
        Some((to, from, query))
    })
}

/// Rows of green that a copy after the cutover takes along.
fn copied_of_green(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let (to, from, query) = copy_of_green(release, step)?;
    let text = format!(
        "green writes {from} from the cutover on, and this copies into {to} what green has written by then, too"
    );
    let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "placed after the cutover");
    Some(
        release
            .green
            .shown_by(diagnostic, Some(query))
            .help("make sure that rows which green has put into both are not there twice; or let it run before green is there: `-- cutover: before <reason>`"),
    )
}

/// A query for one value that may find several by then, for green has written its table, or what that was copied from.
fn one_beside_green(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let data = step.parts.iter().filter(|part| matches!(part.operation, Operation::Data(_)));
    let commands = data.filter_map(|part| read_query(release.sources.slice(part.span).trim_end_matches(';')).ok());
    let asked: Vec<QName> = commands.flat_map(|command| asked_for_one(&command, step.before)).collect();
    let copied = |table: &QName| {
        let late = release.steps.iter().filter(|other| other.phase == Phase::After);
        let mut copies = late.filter_map(|other| copy_of_green(release, other));
        copies.find_map(|(to, _, query)| (to == *table).then_some(query))
    };
    let mut behind = asked.iter().flat_map(|name| step.before.behind(name)).cloned();
    let (from, query) = behind.find_map(|from| {
        let query = match release.green.app.writes(&from) {
            Evidence::Query(query) => Some(query),
            Evidence::Perhaps(_) | Evidence::Assumed | Evidence::None => copied(&from),
        };
        query.map(|query| (from, query))
    })?;
    let text = format!(
        "this takes one value of a query on {from}, which has rows of green by then and no key that tells them apart: it fails where the query gives more than one row"
    );
    let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "placed after the cutover");
    let help = "let the query choose one row (`LIMIT 1`, `max(…)`), or give the table a unique key; or let it run before green is there: `-- cutover: before <reason>`";
    Some(release.green.shown_by(diagnostic, Some(query)).help(help))
}

/// Rows that are put after the cutover into a table with a key, where green has put some by then.
fn put_beside_green(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let to = step.operations().find_map(|op| match op {
        Operation::Data(data) if data.verb == DataVerb::Insert => Some(step.before.resolve(data.table.as_ref()?)),
        _ => None,
    })?;
    let (index, _) = step.before.relation(&to)?.indexes.iter().find(|(_, index)| index.keeps_apart())?;
    let Evidence::Query(query) = release.green.app.writes(&to) else { return None };
    let text =
        format!("green writes {to} from the cutover on, and what this puts there may collide with it in {index}");
    let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "placed after the cutover");
    let help = "pass over what is there (`ON CONFLICT DO NOTHING`); or let it run before green is there: `-- cutover: before <reason>`";
    Some(release.green.shown_by(diagnostic, Some(query)).help(help))
}

/// Rows that an UPDATE gave values made of others of theirs, which blue goes on changing.
fn stale(subject: &Subject<'_>, data: &DataChange, table: &QName) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let known = step.before.origin_of(table);
    let base = release.base.relation(&known).filter(|r| r.kind == RelationKind::Table)?;
    let mentions = data.query.mentions.iter().map(|(_, column)| column);
    let of_table = |column: &&Ident| base.column(column).is_some() && !data.writes.contains(*column);
    let sources: Vec<Ident> = mentions.filter(of_table).cloned().collect();
    let query = release.blue.app.changes(&known, &sources)?;
    // A second time fills only what is empty, unless it takes all rows.
    let again = release.steps.iter().filter(|other| other.again || other.phase == Phase::After);
    let mut again = again.flat_map(|other| {
        other.operations().filter_map(move |op| match op {
            Operation::Data(data) => Some((other.before.resolve(data.table.as_ref()?), &**data)),
            _ => None,
        })
    });
    let refills = |(of, other): &(QName, &DataChange)| {
        of == table
            && other.everything
            && !other.repeatable
            && data.writes.iter().all(|column| other.writes.contains(column))
    };
    let filled = Filled::Columns { writes: &data.writes, demanded: false };
    if again.any(|other| refills(&other)) || kept_in_step(subject, table, filled) {
        return None;
    }
    let (sources, written) = (sources.join(", "), data.writes.join(", "));
    let text = format!(
        "rows of {table} in which blue changes {sources} after this step, until it is drained, keep the {written} that was made of what they held before"
    );
    let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "runs before the cutover");
    Some(release.blue.shown_by(diagnostic, Some(query)).help(
        "keep both in sync with a trigger that goes before the cutover; or let the statement wait until blue is drained: `-- cutover: after <reason>`",
    ))
}

/// What a statement copies from another table.
fn copies(subject: &Subject<'_>, data: &DataChange, table: &QName) -> Option<Diagnostic> {
    let reads = read(subject.step.before, &data.query);
    // Rows that are made of others of the same table: those that its FROM names.
    let from = data.query.scopes.first().map_or(&[][..], |scope| &scope.reads);
    let of_own = data.verb == DataVerb::Insert && from.iter().any(|name| subject.step.before.resolve(name) == *table);
    reads.iter().filter(|read| of_own || *read != table).find_map(|read| copied(subject, read, table))
}

/// The tables that a query reads, those behind its views included.
fn read(schema: &Schema, query: &QueryShape) -> Vec<QName> {
    let named: Vec<QName> = query.reads.iter().map(|read| schema.resolve(read)).collect();
    named.iter().flat_map(|name| schema.behind(name)).cloned().collect()
}

/// The tables that inherit from one, and are no partitions of it: an UPDATE changes their rows, too, and its triggers do not run for them.
fn inheriting<'a>(schema: &'a Schema, table: &'a QName) -> impl Iterator<Item = &'a QName> {
    let by_parent = |name: &QName| schema.relation(name).is_some_and(|relation| relation.partitioned);
    let below = schema.relations().map(|(name, _)| name);
    below.filter(move |name| schema.ancestors(name).any(|above| above == table && !by_parent(above)))
}

/// The column that rows of blue lack which an UPDATE gave to others, with the step that demands it.
fn left<'a>(
    subject: &Subject<'a>,
    table: &QName,
    writes: &'a [Ident],
) -> Option<(&'a Ident, Option<&'a PlacedStep<'a>>)> {
    let Subject { release, step, .. } = *subject;
    // Only a table that blue has can be written by blue, under the name that blue knows.
    let known = step.before.origin_of(table);
    release.base.relation(&known).filter(|r| r.kind == RelationKind::Table)?;
    let left = writes.iter().find(|column| release.blue.app.leaves_out_or_writes(&known, column))?;
    let demanded = release.steps.iter().find(|other| other.phase == Phase::After && demands(other, table, writes));
    let kept = kept_in_step(subject, table, Filled::Columns { writes, demanded: demanded.is_some() });
    (!kept && !filled_again(subject, table, writes, demanded)).then_some((left, demanded))
}

/// Rows that an UPDATE changes, and that blue goes on writing as they were.
fn changed(subject: &Subject<'_>, table: &QName, writes: &[Ident]) -> Option<Diagnostic> {
    let step = subject.step;
    let (left, demanded) = left(subject, table, writes).filter(|_| !told(subject, table))?;
    let text = match demanded {
        None => format!("rows of {table} that blue writes after this step, until it is drained, do not get {left}"),
        Some(later) => format!(
            "rows of {table} that blue writes after this step, until it is drained, do not get {left}, and {} fails on them once blue is gone",
            later.name()
        ),
    };
    let severity = if demanded.is_some() { Severity::Error } else { RULE.severity };
    let diagnostic = Diagnostic::new(RULE.code, severity, text).at(step.span, "runs before the cutover");
    let diagnostic = match demanded {
        Some(later) => diagnostic.at(later.span, "demands it of all rows"),
        None => diagnostic,
    };
    Some(diagnostic.help(
        "keep both forms in sync with a trigger that goes before the cutover; or test the column `IS NULL` in the WHERE and read only what is filled by then, so that the statement can run a second time once blue is drained; or let it wait for that: `-- cutover: after <reason>`",
    ))
}

/// The columns of rows there are that a command of a body gives values, with their table.
fn given(command: &Command, schema: &Schema) -> Option<(QName, Vec<Ident>)> {
    let (table, set): (_, Vec<&Assignment>) = match command {
        Command::Update(update) => (&update.table, update.set.iter().collect()),
        Command::Merge(merge) => (&merge.table, merge.updates.iter().flatten().collect()),
        Command::Insert(insert) => (&insert.table, insert.conflict.as_ref()?.update.iter().flatten().collect()),
        _ => return None,
    };
    let columns = set.into_iter().flat_map(|set| &set.columns);
    Some((schema.resolve(&table.name.value), columns.map(|column| column.value.clone()).collect()))
}

/// Rows that what is called (`CALL`, `DO`, `SELECT f()`) changes, where a later step asks something of them that rows of blue may lack.
fn called(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let is_call = |operation: &Operation| matches!(operation, Operation::Opaque { .. } | Operation::Query { .. });
    let calls = step.parts.iter().filter(|part| is_call(part.operation));
    let runs: Vec<_> = calls.map(|part| step.before.run_by(release.sources.slice(part.span))).collect();
    runs.iter().flat_map(|run| run.commands()).find_map(|command| {
        let (table, writes) = given(command, step.before)?;
        let rules = |capability: &Capability| match capability {
            Capability::Ruled { relation, rule } => {
                *relation == table && rule.columns().iter().any(|column| writes.contains(column))
            }
            _ => false,
        };
        let asks = |other: &PlacedStep<'_>| demands(other, &table, &writes) || other.effect.adds.iter().any(rules);
        let late = release.steps.iter().any(|other| other.phase == Phase::After && asks(other));
        changed(subject, &table, &writes).filter(|_| late)
    })
}

/// A default that filled a new column for the rows there were, and that those of blue do not get.
fn default_gone(subject: &Subject<'_>, capability: &Capability) -> Option<Diagnostic> {
    let Capability::Defaulted { relation, column } = capability else { return None };
    let Subject { release, step, .. } = *subject;
    let known = release.base.relation(&step.before.origin_of(relation))?;
    let stays = release.last.relation(relation).is_some_and(|relation| relation.column(column).is_some());
    let is_new = known.column(column).is_none();
    (is_new && stays).then(|| changed(subject, relation, std::slice::from_ref(column)))?
}

/// Whether blue writes the table that a MERGE changes.
fn merged(subject: &Subject<'_>, table: &QName) -> bool {
    let Subject { release, step, .. } = *subject;
    let known = step.before.origin_of(table);
    let is_table = release.base.relation(&known).is_some_and(|r| r.kind == RelationKind::Table);
    is_table && !matches!(release.blue.app.writes(&known), Evidence::None) && !kept_in_step(subject, table, Filled::Any)
}

/// Whether the release does something with a table that it makes: fills another from it, or gives it another name.
fn used(subject: &Subject<'_>, made: &QName) -> bool {
    let reads = |step: &PlacedStep<'_>| {
        step.operations().any(|operation| match operation {
            Operation::Data(data) => data.query.reads.iter().any(|read| step.before.resolve(read) == *made),
            Operation::RenameRelation { name, .. } => step.before.resolve(name) == *made,
            _ => false,
        })
    };
    subject.release.steps.iter().any(reads)
}

/// Rows that are copied from a table which blue goes on writing.
fn copied(subject: &Subject<'_>, from: &QName, to: &QName) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let known = step.before.origin_of(from);
    release.base.relation(&known).filter(|r| r.kind == RelationKind::Table)?;
    // A trigger carries over what it names the other table for.
    let carried = kept_in_step(subject, from, Filled::Table(&to.name));
    if matches!(release.blue.app.writes(&known), Evidence::None) || carried {
        return None;
    }
    // What is gone at the end is in no table, and what a later step demands it lacks.
    let filled = |other: &&PlacedStep<'_>| {
        other.operations().any(|op| match op {
            Operation::Data(data) => {
                let reads = |name: &QName| data.query.reads.iter().any(|read| other.before.resolve(read) == *name);
                let other = data.table.as_ref().is_some_and(|table| other.before.resolve(table) != *to);
                data.verb == DataVerb::Update && other && reads(to)
            }
            _ => false,
        })
    };
    let mut fills = release.steps.iter().filter(filled).flat_map(|other| {
        other.operations().filter_map(move |op| match op {
            Operation::Data(data) => Some((other.before.resolve(data.table.as_ref()?), data.writes.clone())),
            _ => None,
        })
    });
    // Another table may bear its name by then.
    let stays = |(_, relation): (&QName, &Relation)| relation.origin.as_ref() == Some(&known);
    let lost = !release.last.relations().any(stays);
    let failing = fills.find_map(|(table, writes)| {
        release.steps.iter().find(|other| other.phase == Phase::After && demands(other, &table, &writes))
    });
    let text = match (lost, failing) {
        (true, _) => format!(
            "rows that blue writes into {from} after this step, until it is drained, are copied into {to} by no later step, and {from} is gone at the end: they are lost"
        ),
        (false, Some(later)) => format!(
            "rows that blue writes into {from} after this step, until it is drained, are copied into {to} by no later step, and {} fails on what is missing once blue is gone",
            later.name()
        ),
        (false, None) => format!(
            "rows that blue writes into {from} after this step, until it is drained, are copied into {to} by no later step"
        ),
    };
    let severity = if lost || failing.is_some() { Severity::Error } else { RULE.severity };
    Some(Diagnostic::new(RULE.code, severity, text).at(step.span, "runs before the cutover").help(format!(
        "keep {to} in sync with a trigger on {from} that goes before the cutover; or let the statement wait until blue is drained: `-- cutover: after <reason>`"
    )))
}

/// What a trigger is to fill.
#[derive(Clone, Copy)]
enum Filled<'a> {
    /// Columns of the row that is written; and whether they must have a value then.
    Columns { writes: &'a [Ident], demanded: bool },
    /// Another table.
    Table(&'a Ident),
    /// Whatever it is.
    Any,
}

/// Whether a trigger of the release is there to carry over what blue writes: one whose body names what is to be filled, where that is known.
fn kept_in_step(subject: &Subject<'_>, table: &QName, filled: Filled<'_>) -> bool {
    let known = subject.step.before.origin_of(table);
    subject.release.steps.iter().any(|other| {
        other.phase == Phase::Before
            && other.operations().any(|op| match op {
                Operation::CreateTrigger { name: trigger, table: on, function, firing, .. } => {
                    let function = function.as_ref().map(|function| other.before.resolve_function(function));
                    let names = |name: &Ident| {
                        let (last, before) = (subject.release.last, other.before);
                        let known = |function| {
                            let mut bodies = last.functions(function).iter().chain(before.functions(function));
                            bodies.any(|f| f.mentions.contains(name))
                        };
                        function.as_ref().is_none_or(known)
                    };
                    let fills = match filled {
                        // One that runs after the row was written has to name its table to write it again.
                        Filled::Columns { writes, demanded } => {
                            let gives = |column: &Ident| {
                                let gives = |f| gives_value(subject, other.before, f, (&known, column), demanded);
                                function.as_ref().is_none_or(gives)
                            };
                            let named = writes.iter().any(|column| names(column) && gives(column));
                            named && (firing.changes_rows() || names(&table.name))
                        }
                        Filled::Table(name) => names(name),
                        Filled::Any => true,
                    };
                    let on = other.before.resolve(on);
                    // Partitions have the triggers of what they are a part of.
                    let of_parent = || {
                        let mut above = subject.step.before.ancestors(table);
                        above.any(|above| *above == on && other.before.relation(&on).is_some_and(|r| r.partitioned))
                    };
                    let runs = other.before.origin_of(&on) == known || of_parent();
                    let fires = subject.release.blue.app.sets_off(&known, *firing, names);
                    // One that goes before the cutover sees no row of the overlap.
                    let there = Capability::Trigger { relation: on.clone(), name: trigger.clone() };
                    let gone =
                        |step: &PlacedStep<'_>| step.phase == Phase::Before && step.effect.removes.contains(&there);
                    // One that goes and is made again later is there.
                    let mut behind =
                        subject.release.steps.iter().skip_while(|step| !std::ptr::eq(*step, other)).skip(1);
                    runs && fires && fills && !behind.any(gone)
                }
                _ => false,
            })
    })
}

/// Whether a trigger's function may give a column of blue's rows something of their own: not if it takes it from columns that blue does not
/// know or, where a value is `demanded`, leaves NULL.
fn gives_value(
    subject: &Subject<'_>,
    made: &Schema,
    function: &QName,
    (table, column): (&QName, &Ident),
    demanded: bool,
) -> bool {
    let base = subject.release.base.relation(table);
    let known = |from: &Ident| base.and_then(|relation| relation.column(from));
    let gives = |from: &Ident| known(from).is_some_and(|column| column.not_null || !demanded);
    // A function that comes and goes with the release is known where its trigger is made.
    let mut bodies = subject.release.last.functions(function);
    if bodies.is_empty() {
        bodies = made.functions(function);
    }
    bodies.iter().all(|function| {
        let mut given = function.source.body().given.iter().filter(|given| given.column == *column).peekable();
        given.peek().is_none() || given.any(|given| !given.alone || given.from.iter().any(gives))
    })
}

/// Whether another UPDATE gives the same columns a value once blue is drained, and before a step that demands it.
fn filled_again(subject: &Subject<'_>, table: &QName, columns: &[Ident], demanded: Option<&PlacedStep<'_>>) -> bool {
    let steps = subject.release.steps.iter();
    let mut in_time = steps.take_while(|other| demanded.is_none_or(|demanded| !std::ptr::eq(*other, demanded)));
    in_time.any(|other| {
        (other.again || other.phase == Phase::After)
            && other.operations().any(|op| match op {
                Operation::Data(data) => {
                    let same = data.table.as_ref().is_some_and(|t| other.before.resolve(t) == *table);
                    let all = data.repeatable || data.everything;
                    let fills = columns.iter().all(|column| data.writes.contains(column));
                    data.verb == DataVerb::Update && same && all && fills
                }
                _ => false,
            })
    })
}

/// Whether there is a finding of an UPDATE of the same table that stands before in the same file: it tells of both.
fn told(subject: &Subject<'_>, table: &QName) -> bool {
    subject.earlier().any(|earlier| {
        let step = earlier.step;
        step.phase == Phase::Before
            && !step.again
            && step.operations().any(|op| match op {
                Operation::Data(data) => {
                    data.verb == DataVerb::Update
                        && data.table.as_ref().is_some_and(|t| step.before.resolve(t) == *table)
                        && left(&earlier, table, &data.writes).is_some()
                }
                _ => false,
            })
    })
}

/// Whether a step fails on rows that lack what an UPDATE gave to others.
fn demands(step: &PlacedStep<'_>, table: &QName, columns: &[Ident]) -> bool {
    step.effect.adds.iter().any(|capability| match capability {
        Capability::NeverNull { relation, column } => relation == table && columns.contains(column),
        _ => false,
    })
}
