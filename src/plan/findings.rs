//! What is to be said about a placed release.

use super::bodies;
use super::describe::describe_part;
use super::graph::Graph;
use super::node::Node;
use super::place::{Conflict, Placement, Reason};
use super::saved::Phase;
use crate::compat::{App, Evidence, Pull, Pulls};
use crate::diagnostic::{Diagnostic, Severity};
use crate::effect::{Capability, LockMode};
use crate::lint::codes;
use crate::schema::Schema;

use crate::sql::operation::{ConstraintKind, DataVerb, Operation, TableChange};

/// Everything findings are made of.
pub(crate) struct Context<'a> {
    pub(crate) nodes: &'a [Node],
    pub(crate) graph: &'a Graph,
    pub(crate) pulls: &'a [Pulls<'a>],
    pub(crate) placements: &'a [Placement],
    /// Backfills that the plan runs again after the drain.
    pub(crate) second: &'a std::collections::BTreeSet<usize>,
    pub(crate) blue_offset: u32,
    pub(crate) green_offset: u32,
    pub(crate) blue: App<'a>,
    pub(crate) green: App<'a>,
    pub(crate) last: &'a Schema,
    /// Where statements were observed.
    pub(crate) server: &'a str,
    pub(crate) blue_known: bool,
    pub(crate) green_known: bool,
}

pub(crate) fn findings(context: &Context<'_>, conflicts: &[Conflict]) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = conflicts.iter().map(|conflict| context.conflict(conflict)).collect();
    let conflicted =
        |i: usize| conflicts.iter().any(|c| matches!(c, Conflict::Itself(n) | Conflict::Opaque(n) if *n == i));
    for i in 0..context.nodes.len() {
        if !conflicted(i) {
            found.extend(context.against_the_author(i));
            found.extend(context.habits(i));
        }
        found.extend(context.observed(i));
        found.extend(context.conditional(i));
        found.extend(bodies::broken(&context.nodes[i], context.last));
        found.extend(context.green_breaks(i));
        found.extend(context.backfill(i));
        found.extend(context.needs_empty_table(i));
        found.extend(context.deleted(i));
        found.extend(context.cost(i));
    }
    found
}

impl Context<'_> {
    fn name(&self, node: usize) -> String {
        let (object, action) = self.nodes[node].parts.first().map(describe_part).unwrap_or_default();
        format!("{action} of {object}")
    }

    fn label(&self, diagnostic: Diagnostic, who: &str, pull: &Pull<'_>) -> Diagnostic {
        let offset = if who == "blue" { self.blue_offset } else { self.green_offset };
        match pull.query {
            Some(query) => diagnostic.at(query.span.moved(offset), format!("{who}'s query {}", query.name)),
            None => diagnostic,
        }
    }

    fn assumption(&self) -> &'static str {
        match (self.blue_known, self.green_known) {
            (true, true) => "",
            (false, false) => {
                " (neither version's queries are known; `--blue DIR` and `--green DIR` replace assumptions by evidence)"
            }
            (false, true) => " (blue's queries are not known; `--blue DIR` replaces the assumption by evidence)",
            (true, false) => " (green's queries are not known; `--green DIR` replaces the assumption by evidence)",
        }
    }

    fn conflict(&self, conflict: &Conflict) -> Diagnostic {
        match conflict {
            Conflict::Opaque(i) => {
                Diagnostic::error(codes::OPAQUE, format!("what {} does can not be known from its text", self.what(*i)))
                    .at(self.nodes[*i].span(), "not understood")
                    .help("say where it belongs, on the line before it: `-- cutover: before|after|neutral <reason>`")
            }
            Conflict::Itself(i) => {
                let pulls = &self.pulls[*i];
                let span = self.nodes[*i].span();
                let mut text = format!("no single moment is right for {}", self.name(*i));
                let mut diagnostic = Diagnostic::error(codes::INCOMPATIBLE, String::new());
                if let (Some(blue), Some(green)) = (&pulls.blue, &pulls.green) {
                    text.push_str(&format!(
                        ": before the cutover it breaks blue ({}), after it green waits for it ({}){}",
                        blue.capability,
                        green.capability,
                        self.assumption()
                    ));
                    diagnostic = diagnostic.at(span, "takes from blue and gives to green at once");
                    diagnostic = self.label(diagnostic, "blue", blue);
                    diagnostic = self.label(diagnostic, "green", green);
                }
                diagnostic.message = text;
                let counted = pulls
                    .blue
                    .as_ref()
                    .filter(|p| matches!(p.capability, Capability::Width(_) | Capability::Bare { .. }));
                diagnostic.help(match counted {
                    Some(_) => {
                        "name the columns in blue's query with their tables instead of `*` or bare names, and release that first".to_owned()
                    }
                    None => way_out(&self.nodes[*i]),
                })
            }
            Conflict::Chain { before, after } => {
                let chain = self.graph.chain(*after, *before);
                let names: Vec<_> = chain.iter().map(|n| self.name(*n)).collect();
                let mut diagnostic = Diagnostic::error(
                    codes::ORDER_CONFLICT,
                    format!(
                        "green needs {} before the cutover, but it stands on {}, which blue does not survive{}",
                        self.name(*before),
                        self.name(*after),
                        self.assumption()
                    ),
                )
                .at(self.nodes[*before].span(), "green needs this before the cutover")
                .at(self.nodes[*after].span(), "blue needs this undone until it is drained");
                if let Some(blue) = &self.pulls[*after].blue {
                    diagnostic = self.label(diagnostic, "blue", blue);
                }
                if let Some(green) = &self.pulls[*before].green {
                    diagnostic = self.label(diagnostic, "green", green);
                }
                diagnostic.help(format!(
                    "the chain is {}; give the new thing another name, or release in two steps",
                    names.join(" → ")
                ))
            }
        }
    }

    /// What was placed by what it was seen to do, and what was seen and is not enough.
    fn observed(&self, node: usize) -> Option<Diagnostic> {
        let placed = self.placements[node].reason != Reason::Author;
        let observed = self.nodes[node].observations().next().filter(|_| placed)?;
        let server = self.server;
        if let Some(unsure) = &observed.unsure {
            let text = format!("{} was run on {server}, and that is not enough to place it: {unsure}", self.what(node));
            return Some(
                Diagnostic::new(codes::OBSERVED, Severity::Info, text).at(self.nodes[node].span(), "observed"),
            );
        }
        let text = format!("{} is placed by what it was seen to do on {server}", self.what(node));
        let at = |diagnostic: Diagnostic| diagnostic.at(self.nodes[node].span(), "observed");
        if observed.reads.is_empty() {
            return Some(at(Diagnostic::new(
                codes::OBSERVED,
                Severity::Info,
                format!("{text}, where it read no rows"),
            )));
        }
        let reads: Vec<_> = observed.reads.iter().map(ToString::to_string).collect();
        let text =
            format!("{text}; it reads {}, so with the rows of production it may do something else", reads.join(", "));
        Some(at(Diagnostic::warning(codes::OBSERVED, text)).help(
            "if it decides nothing by these rows, all is well; otherwise say where it belongs: `-- cutover: before|after|neutral <reason>`",
        ))
    }

    fn what(&self, node: usize) -> String {
        match self.nodes[node].operations().next() {
            Some(Operation::Opaque { what }) => format!("this {what}"),
            Some(Operation::Query { calls, .. }) => {
                let names: Vec<_> = calls.iter().map(ToString::to_string).collect();
                format!("this call of {}", names.join(", "))
            }
            _ => "this statement".to_owned(),
        }
    }

    /// The author's word against the evidence.
    fn against_the_author(&self, node: usize) -> Option<Diagnostic> {
        let directive = self.nodes[node].directive.as_ref()?;
        if self.placements[node].reason != Reason::Author {
            return None;
        }
        let pulls = &self.pulls[node];
        let (who, code, pull) = match self.placements[node].phase {
            Phase::Before if pulls.blue_must() => ("blue", codes::BLUE_BREAKS, pulls.blue.as_ref()?),
            Phase::After if pulls.green_must() => ("green", codes::GREEN_NOT_READY, pulls.green.as_ref()?),
            Phase::Before | Phase::After => return None,
        };
        // Assumptions give way to the author's reason. A query does not.
        let severity = if pull.query.is_some() { Severity::Error } else { Severity::Warning };
        let text = format!(
            "{} is {} the cutover by the author's word ({}), and {who} relies on it: {}",
            self.name(node),
            if self.placements[node].phase == Phase::Before { "before" } else { "after" },
            directive.reason,
            pull.capability
        );
        let diagnostic = Diagnostic::new(code, severity, text).at(self.nodes[node].span(), "by the author's word");
        Some(self.label(diagnostic, who, pull))
    }

    /// A version may have a habit that nobody has shown it to have.
    fn habits(&self, node: usize) -> Option<Diagnostic> {
        let pulls = &self.pulls[node];
        let (who, pull) = match self.placements[node].phase {
            Phase::Before => ("blue", pulls.blue.as_ref()?),
            Phase::After => ("green", pulls.green.as_ref()?),
        };
        let habit = matches!(
            pull.capability,
            Capability::Arbiter { .. } | Capability::PartialArbiter { .. } | Capability::ConstraintName { .. }
        );
        if !habit || pull.query.is_some() || pull.strength == crate::compat::Strength::Must {
            return None;
        }
        Some(
            Diagnostic::warning(
                codes::MAY_NEED_ARBITER,
                format!("{who} must not rely on this yet: {}{}", pull.capability, self.assumption()),
            )
            .at(
                self.nodes[node].span(),
                if who == "blue" { "gone before the cutover" } else { "there only after the cutover" },
            ),
        )
    }

    fn conditional(&self, node: usize) -> Vec<Diagnostic> {
        let tell = |pull: &Pull<'_>| {
            let text = match &pull.capability {
                Capability::NeverNull { relation, column } => {
                    format!("blue may read a NULL in {relation}.{column} once green writes one")
                }
                Capability::KnownLabels(name) => {
                    format!("blue may read a label of {name} that it does not know once green writes it")
                }
                Capability::Shape(relation) => format!(
                    "blue reads or writes {relation} by position or with *: a prepared statement fails with \"cached plan must not change result type\" until it is prepared again"
                ),
                Capability::Body { signature, .. } => {
                    format!("blue's calls of {signature} run another body from here on, and may mean something else")
                }
                Capability::Definition(name) => format!("blue reads {name} through another query from here on"),
                Capability::Default { relation, column } => {
                    format!("blue's INSERTs into {relation} without {column} get another default from here on")
                }
                other => format!("blue can no longer be sure of this: {other}"),
            };
            let help = match &pull.capability {
                Capability::Shape(_) => "name the columns in the query",
                Capability::Body { .. } | Capability::Definition(_) => {
                    "make sure that it does for blue what it did, or give the new one another name and drop the old one after the cutover"
                }
                Capability::Default { .. } => {
                    "make sure that blue can live with it, or let green write the value itself"
                }
                _ => "let green write it only after blue is drained, or teach blue to read it first",
            };
            let diagnostic = Diagnostic::warning(codes::MAY_BREAK_READERS, text)
                .at(self.nodes[node].span(), "from here on")
                .help(help);
            self.label(diagnostic, "blue", pull)
        };
        // After the cutover there is no blue to be surprised.
        let told = self.pulls[node].conditional.iter().filter(|_| self.placements[node].phase == Phase::Before);
        told.map(tell).collect()
    }

    /// Green relies on something that the release takes away for good.
    fn green_breaks(&self, node: usize) -> Option<Diagnostic> {
        self.green.workload?;
        let effect = &self.nodes[node].effect;
        // Green was written for the columns there are at the end.
        let settled = |c: &Capability| matches!(c, Capability::Bare { .. });
        let lost = effect.removes.iter().filter(|c| !settled(c)).filter(|c| {
            let back = c.offered_by(self.last) || self.given_otherwise(c);
            !back || self.gone_for_a_while(node, c)
        });
        let (capability, query) =
            lost.filter(|c| c.weight() <= crate::effect::Weight::Habit).find_map(|c| match self.green.evidence(c) {
                Evidence::Query(query) => Some((c, query)),
                Evidence::Perhaps(_) | Evidence::Assumed | Evidence::None => None,
            })?;
        if capability.offered_by(self.last) || self.given_otherwise(capability) {
            let text = format!(
                "green relies on what {} takes away until a later step gives it back: {capability}",
                self.name(node)
            );
            return Some(
                Diagnostic::error(codes::GREEN_BREAKS, text)
                    .at(self.nodes[node].span(), "taken away here, while green runs")
                    .at(query.span.moved(self.green_offset), format!("green's query {}", query.name))
                    .help("write both statements into one file: they then run in one transaction"),
            );
        }
        let text = format!("green relies on what {} takes away: {capability}", self.name(node));
        Some(
            Diagnostic::error(codes::GREEN_BREAKS, text)
                .at(self.nodes[node].span(), "taken away here")
                .at(query.span.moved(self.green_offset), format!("green's query {}", query.name))
                .help("change green's query, or drop the statement from the release"),
        )
    }

    /// Whether a step behind the cutover takes something that only a later step gives back.
    fn gone_for_a_while(&self, node: usize, capability: &Capability) -> bool {
        let statement = |n: usize| self.nodes[n].parts.first().map(|part| part.statement);
        let together = |n: &usize| statement(*n) == statement(node) && self.placements[*n].phase == Phase::After;
        let gives = |given: &Capability| match (given, capability) {
            // As another type, or with other values: green was written for that.
            (Capability::Read { relation: r, column: k, .. }, Capability::Read { relation, column, .. }) => {
                r == relation && k == column
            }
            _ => given == capability,
        };
        let kept = matches!(capability, Capability::Values { .. })
            || (0..self.nodes.len()).filter(together).any(|n| self.nodes[n].effect.adds.iter().any(gives));
        self.placements[node].phase == Phase::After && !kept
    }

    /// Green was written for the column as it is at the end: of another type, or made anew.
    fn given_otherwise(&self, capability: &Capability) -> bool {
        match capability {
            Capability::Read { relation, column, .. } | Capability::Values { relation, column, .. } => {
                self.last.relation(relation).is_some_and(|r| r.column(column).is_some())
            }
            _ => false,
        }
    }

    /// Rows that blue can still read go.
    fn deleted(&self, node: usize) -> Option<Diagnostic> {
        if self.placements[node].phase == Phase::After || self.nodes[node].directive.is_some() {
            return None;
        }
        let deletes = |op: &Operation| match op {
            Operation::Data(data) if data.verb == DataVerb::Delete => data.table.clone(),
            _ => None,
        };
        let table = self.nodes[node].before.resolve(&self.nodes[node].operations().find_map(deletes)?);
        let kept = Capability::Relation(table.clone());
        if !kept.offered_by(&self.nodes[0].before) || matches!(self.blue.evidence(&kept), Evidence::None) {
            return None;
        }
        Some(
            Diagnostic::warning(
                codes::ROWS_GONE_IN_OVERLAP,
                format!("blue uses {table} until it is drained, and these rows go before the cutover"),
            )
            .at(self.nodes[node].span(), "a step that green needs before the cutover stands on it")
            .help("make sure that blue does not miss them, and that it writes no such rows again before the step that needs them gone"),
        )
    }

    /// Rows that blue writes after a backfill do not have it.
    fn backfill(&self, node: usize) -> Option<Diagnostic> {
        if self.placements[node].phase == Phase::After || self.second.contains(&node) {
            return None;
        }
        let data = self.nodes[node].operations().find_map(|op| match op {
            Operation::Data(data) if data.verb == DataVerb::Update => Some(data),
            _ => None,
        })?;
        let table = self.nodes[node].before.resolve(data.table.as_ref()?);
        let writes = data.writes.first()?;
        // Only a table that blue has can be written by blue.
        if self.nodes[0].before.relation(&table).is_none_or(|r| r.kind != crate::sql::operation::RelationKind::Table) {
            return None;
        }
        let kept_in_step = self.nodes.iter().any(|other| {
            other.operations().any(|op| match op {
                Operation::CreateTrigger { table: on, .. } => other.before.resolve(on) == table,
                _ => false,
            })
        });
        let blue_writes = self.blue.evidence(&Capability::Omit { relation: table.clone(), column: writes.clone() });
        if kept_in_step || matches!(blue_writes, Evidence::None) {
            return None;
        }
        Some(
            Diagnostic::warning(
                codes::ROWS_WRITTEN_IN_OVERLAP,
                format!("rows of {table} that blue writes after this step, until it is drained, do not get {writes}"),
            )
            .at(self.nodes[node].span(), "runs before the cutover")
            .help("keep both forms in step with a trigger that goes before the cutover; or test the column `IS NULL` in the WHERE, so that the statement can run a second time once blue is drained"),
        )
    }

    /// `ADD COLUMN … NOT NULL` without a default: PostgreSQL refuses it if there is a single row.
    fn needs_empty_table(&self, node: usize) -> Option<Diagnostic> {
        let part = self.nodes[node].parts.iter().find(|part| match &part.operation {
            Operation::AlterTable { table, change: TableChange::AddColumn { column, .. }, .. } => {
                let existing = self.nodes[0].before.relation(&self.nodes[node].before.resolve(table)).is_some();
                existing && column.not_null && column.default.is_none()
            }
            _ => false,
        })?;
        Some(
            Diagnostic::warning(
                codes::NEEDS_EMPTY_TABLE,
                "this fails if the table has rows: they have no value for the new column",
            )
            .at(part.span, "NOT NULL without a default")
            .help("give it a DEFAULT, or add it without NOT NULL, fill it, and SET NOT NULL later"),
        )
    }

    fn cost(&self, node: usize) -> Vec<Diagnostic> {
        let tell = |part: &super::node::Part| {
            let hazard = &part.hazard;
            let strongest = hazard.strongest()?;
            let (code, what) = match (hazard.rewrite, hazard.index_build, hazard.scan) {
                (true, _, _) if strongest == LockMode::AccessExclusive => (codes::TABLE_REWRITE, "rewrites the table"),
                (_, true, _) if strongest >= LockMode::Share => (codes::BLOCKING_INDEX, "builds an index"),
                (_, _, true) if strongest >= LockMode::Share && !matches!(part.operation, Operation::Data(_)) => {
                    (codes::BLOCKING_SCAN, "reads all rows")
                }
                _ => return None,
            };
            let who = if strongest == LockMode::AccessExclusive { "everybody" } else { "writers" };
            let (object, action) = describe_part(part);
            let text = format!("{action} of {object} {what} under a lock ({}) that blocks {who}", strongest.name());
            let mut diagnostic = Diagnostic::warning(code, text).at(part.span, "");
            if let Some(help) = cheaper(&part.operation) {
                diagnostic = diagnostic.help(help);
            }
            Some(diagnostic)
        };
        self.nodes[node].parts.iter().filter_map(tell).collect()
    }
}

/// What to write instead of an incompatible statement.
fn way_out(node: &Node) -> String {
    let Some(operation) = node.operations().next() else { return String::new() };
    match operation {
        Operation::AlterTable { table, change, .. } => match change {
            TableChange::RenameColumn { from, to } => format!(
                "in this release: ADD COLUMN {to}, a trigger on {table} that keeps {from} and {to} in step, and UPDATE {table} SET {to} = {from}; in this release too, once blue is drained: DROP COLUMN {from}"
            ),
            TableChange::SetType { column, data_type, .. } => format!(
                "add {table}.{column}_new of type {data_type} with a trigger that keeps it in step, fill it, let green use it, and drop {column} after the cutover"
            ),
            TableChange::AddColumn { column, .. } => format!(
                "give {table}.{} a DEFAULT so that blue's INSERT may leave it out, or add it without NOT NULL, fill it, and SET NOT NULL after the cutover",
                column.name
            ),
            TableChange::AddConstraint(definition) if matches!(definition.kind, ConstraintKind::Unique { .. }) => {
                format!(
                    "if blue's rows can not collide, say so: `-- cutover: before <reason>`; otherwise let green upsert into {table} one release later"
                )
            }
            _ => "split it over two releases, or say where it belongs with `-- cutover: before|after <reason>`"
                .to_owned(),
        },
        Operation::RenameRelation { name, to, .. } => format!(
            "rename and keep the old name alive in one file: ALTER TABLE {name} RENAME TO {to}; CREATE VIEW {name} AS SELECT … FROM {to}; and DROP VIEW {name} in a file that stands after it"
        ),
        Operation::CreateIndex(index) => format!(
            "if blue's rows can not collide, say so: `-- cutover: before <reason>`; otherwise let green upsert into {} one release later",
            index.table
        ),
        Operation::RenameEnumLabel { name, from, to } => {
            format!("ALTER TYPE {name} ADD VALUE '{to}', move the rows, and leave '{from}' unused")
        }
        _ => "split it over two releases, or say where it belongs with `-- cutover: before|after <reason>`".to_owned(),
    }
}

/// The cheaper form of a costly statement.
fn cheaper(operation: &Operation) -> Option<String> {
    Some(match operation {
        Operation::CreateIndex(_) => {
            "CREATE INDEX CONCURRENTLY lets writers go on; cutover runs it outside a transaction".to_owned()
        }
        Operation::Reindex { .. } => "REINDEX … CONCURRENTLY lets writers go on".to_owned(),
        Operation::AlterTable { table, change, .. } => match change {
            TableChange::SetNotNull { column } => format!(
                "ADD CONSTRAINT … CHECK ({column} IS NOT NULL) NOT VALID, VALIDATE CONSTRAINT, SET NOT NULL, DROP CONSTRAINT, each a statement of its own: SET NOT NULL then reads no rows of {table}"
            ),
            TableChange::AddConstraint(definition) => match &definition.kind {
                ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. } => {
                    "ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT in a statement of its own, lets writers go on"
                        .to_owned()
                }
                ConstraintKind::Unique { .. } | ConstraintKind::PrimaryKey { .. } => {
                    "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … USING INDEX, lets writers go on".to_owned()
                }
                ConstraintKind::Exclude { .. } | ConstraintKind::UsingIndex { .. } => return None,
            },
            TableChange::AddColumn { column, .. } => format!(
                "add {} without the default, SET DEFAULT in a statement of its own, and fill old rows in batches",
                column.name
            ),
            _ => return None,
        },
        _ => return None,
    })
}
