//! What a rule (`CREATE RULE`) does to the queries of a version: which of them it rewrites, and which the server refuses because of it.

use super::{App, Evidence};
use crate::schema::resolve::Write;
use crate::schema::{QName, Schema};
use crate::sql::operation::{RuleBody, RuleEvent};
use crate::sql::query::Command;
use crate::sql::{Name, read_query};
use crate::workload::Query;

impl<'a> App<'a> {
    /// Whether a rule on a relation rewrites something that the version does. `None` for the rule: what it is about is not known.
    pub(crate) fn rewritten(&self, relation: &QName, rule: Option<&RuleBody>) -> Evidence<'a> {
        match rule {
            Some(rule) => self.does(relation, |write| rule.is_about(&write.kind)),
            None => self.writes(relation),
        }
    }

    /// Whether the version does a kind of write to a relation.
    pub(crate) fn does(&self, relation: &QName, kind: impl Fn(&Write) -> bool) -> Evidence<'a> {
        let writes = self.writes(relation);
        let Some(watch) = self.watch else { return writes };
        let schema = watch.own().schema();
        let is = |write: &Write| reaches(&write.relation, relation, schema) && kind(write);
        let own = |query: &usize| watch.own().look(*query).is_some_and(|look| look.uses.writes.iter().any(is));
        match (0..watch.queries().len()).find(own) {
            Some(query) => Evidence::Query(&watch.queries()[query]),
            // By what its queries set off; of that no more than the table is known.
            None if watch.writes().any(|write| reaches(&write.relation, relation, schema)) => Evidence::None,
            None => match writes {
                Evidence::Query(query) => Evidence::Perhaps(query),
                other => other,
            },
        }
    }

    /// A query that the server refuses where a relation has a rule, and why.
    pub(crate) fn refused_by_rule(&self, relation: &QName, rule: &RuleBody) -> Option<(&'a Query, &'static str)> {
        let watch = self.watch?;
        let schema = watch.own().schema();
        (0..watch.queries().len()).find_map(|at| {
            let command = read_query(watch.text(at).trim_end_matches(';')).ok()?;
            let writes = &watch.own().look(at)?.uses.writes;
            refusal(&command, writes, relation, rule, schema).map(|why| (&watch.queries()[at], why))
        })
    }
}

/// Whether what is written under a name is written into a relation: it is the relation, or a view of it.
fn reaches(written: &QName, relation: &QName, schema: &Schema) -> bool {
    written == relation || schema.behind(written).into_iter().any(|name| name == relation)
}

fn refusal(
    command: &Command,
    writes: &[Write],
    relation: &QName,
    rule: &RuleBody,
    schema: &Schema,
) -> Option<&'static str> {
    if rule.event == RuleEvent::Select {
        return None;
    }
    let on = |name: &Name| reaches(&schema.resolve(name), relation, schema);
    let (target, event, returns) = match command {
        Command::Insert(insert) => {
            let target = &insert.table.name.value;
            // One that does nothing in the place of an INSERT is taken; the rows are lost.
            let meets = rule.event == RuleEvent::Update || rule.event == RuleEvent::Insert && !rule.nothing;
            if insert.conflict.is_some() && on(target) && meets {
                return Some("ON CONFLICT cannot be used with a table that has rules for INSERT or UPDATE");
            }
            (Some(target), RuleEvent::Insert, !insert.returning.is_empty())
        }
        Command::Update(update) => (Some(&update.table.name.value), RuleEvent::Update, !update.returning.is_empty()),
        Command::Delete(delete) => (Some(&delete.table.name.value), RuleEvent::Delete, !delete.returning.is_empty()),
        Command::Merge(merge) if on(&merge.table.name.value) => {
            return Some("MERGE cannot be used with a table that has rules");
        }
        _ => (None, rule.event, false),
    };
    let whole = target.is_some_and(on);
    if whole && event == rule.event && returns && rule.instead && !rule.returning {
        return Some("the rule does not return what its RETURNING asks for");
    }
    // Only one statement in the place of another is taken below WITH, and what leaves the statement itself alone.
    let inside = !whole && writes.iter().any(|w| reaches(&w.relation, relation, schema) && rule.is_about(&w.kind));
    let taken = match rule.nothing {
        true => rule.conditional || !rule.instead,
        false => rule.instead && !rule.conditional && rule.single,
    };
    (inside && !taken).then_some("such a rule cannot be used with what writes below WITH")
}
