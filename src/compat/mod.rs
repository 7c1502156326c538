//! Which version relies on what an operation takes or gives: the evidence that placement rests on, and the subset test that proves a plan.

mod assume;
mod disagreement;
pub mod matrix;
pub mod mention;
mod phase;
mod reach;
mod reliance;
mod requirement;
mod rewritten;
mod rows;
mod watch;
mod words;

use crate::effect::Capability;
use crate::schema::resolve::{Write, WriteKind};
use crate::schema::{QName, Schema};
use crate::sql::operation::{Firing, Ident};
use crate::workload::Query;

pub use assume::Assume;
pub use disagreement::{Disagreement, Meaning};
pub use phase::Phase;
pub use reliance::Reliance;
pub(crate) use requirement::{Requirement, Requirements, Strength, requirements};
pub use rows::Refusal;
pub(crate) use rows::{refused_row, repeats_key};
pub use watch::{Watch, Watched};
pub use words::QueryWords;

/// A version of the application, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub struct App<'a> {
    /// Its queries. Without them it is assumed to use everything its schema offers.
    pub watch: Option<&'a Watch<'a>>,
    /// The schema it was written for.
    pub schema: &'a Schema,
    /// How far its queries are believed.
    pub assume: Assume,
}

/// How a version relies on a capability.
#[derive(Debug, Clone, Copy)]
pub enum Evidence<'a> {
    /// This query fails without it.
    Query(&'a Query),
    /// This query may fail without it.
    Perhaps(&'a Query),
    /// Nothing is known, so it is assumed.
    Assumed,
    /// None of its queries relies on it.
    None,
}

impl<'a> Evidence<'a> {
    /// The query by which it is known that the version relies on it, or may; none, where it is assumed. `None`: it does not.
    pub(crate) fn relied_on(self) -> Option<Option<&'a Query>> {
        match self {
            Self::Query(query) | Self::Perhaps(query) => Some(Some(query)),
            Self::Assumed => Some(None),
            Self::None => None,
        }
    }
}

impl<'a> App<'a> {
    /// How the version relies on a capability.
    pub fn evidence(&self, capability: &Capability) -> Evidence<'a> {
        self.evidence_by(capability, true)
    }

    /// The same, with or without what rules and views name (`kept`): they follow what is renamed.
    pub(crate) fn evidence_by(&self, capability: &Capability, kept: bool) -> Evidence<'a> {
        match self.watch.map(|watch| watch.relies_by(capability, kept)) {
            Some(Reliance::Yes(query)) => Evidence::Query(query),
            Some(Reliance::May(query)) => Evidence::Perhaps(query),
            Some(Reliance::No) if self.assume == Assume::Workload => Evidence::None,
            Some(Reliance::No) | None => Evidence::Assumed,
        }
    }

    /// Whether the version writes rows of a relation, by its queries or by what they set off.
    pub fn writes(&self, relation: &QName) -> Evidence<'a> {
        match self.watch.and_then(|watch| watch.writer(relation)) {
            Some(query) => Evidence::Query(query),
            None if self.watch.is_none() || self.assume == Assume::WorstCase => Evidence::Assumed,
            None => Evidence::None,
        }
    }

    /// A query of the version that changes one of these columns in rows that are there, by itself or by what it sets off.
    pub(crate) fn changes(&self, relation: &QName, columns: &[Ident]) -> Option<&'a Query> {
        self.watch?.changer(relation, columns)
    }

    /// Whether a query of the version deletes rows of a table.
    pub(crate) fn deletes(&self, relation: &QName) -> bool {
        let deletes = |write: &Write| write.relation == *relation && write.kind == WriteKind::Delete;
        self.watch.is_some_and(|watch| watch.writes().any(deletes))
    }

    /// Whether a trigger of a table runs for all that the version writes there, as far as it is about columns that the trigger names.
    pub(crate) fn sets_off(&self, relation: &QName, firing: Firing, names: impl Fn(&Ident) -> bool) -> bool {
        let runs = |write: &Write| match &write.kind {
            WriteKind::Insert { updates, .. } => firing.insert && (firing.update || !updates.iter().any(&names)),
            WriteKind::Update { columns, .. } => firing.update || !columns.iter().any(&names),
            WriteKind::Delete => true,
        };
        match self.watch {
            Some(watch) => {
                let mut writes = watch.writes().filter(|write| write.relation == *relation);
                (firing.insert || firing.update) && writes.all(runs)
            }
            None => firing.insert,
        }
    }

    /// Whether the version writes rows of a table and leaves a column out, or gives it a value.
    pub(crate) fn leaves_out_or_writes(&self, relation: &QName, column: &Ident) -> bool {
        let omit = Capability::Omit { relation: relation.clone(), column: column.clone() };
        let write = Capability::Write { relation: relation.clone(), column: column.clone() };
        let known = self.schema.relation(relation).is_some_and(|found| found.column(column).is_some());
        !matches!(self.evidence(&omit), Evidence::None) || known && !matches!(self.evidence(&write), Evidence::None)
    }
}
