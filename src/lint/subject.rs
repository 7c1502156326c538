//! A placed release as rules see it: read only, without the planner's own types.

use crate::compat::{App, Phase, Requirement, Requirements};
use crate::diagnostic::Diagnostic;
use crate::effect::{Effect, Hazard};
use crate::migrations::Convention;
use crate::schema::Schema;
use crate::side::Side;
use crate::source::{Sources, Span};
use crate::sql::{Directive, Operation, describe};
use crate::stats::Weighing;
use crate::workload::Query;

/// A placed release.
#[derive(Debug)]
pub(crate) struct PlacedRelease<'a> {
    /// Its steps, in the files' order.
    pub(crate) steps: Vec<PlacedStep<'a>>,
    /// The schema before it.
    pub(crate) base: &'a Schema,
    /// The schema after it.
    pub(crate) last: &'a Schema,
    pub(crate) blue: Application<'a>,
    pub(crate) green: Application<'a>,
    pub(crate) sources: &'a Sources,
    pub(crate) convention: Convention,
    /// What production holds and is asked.
    pub(crate) weighing: Option<&'a Weighing>,
}

/// A version of the application.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Application<'a> {
    pub(crate) side: Side,
    pub(crate) app: App<'a>,
    /// How far its files are moved behind the migrations in the sources.
    pub(crate) offset: u32,
}

/// One step.
#[derive(Debug)]
pub(crate) struct PlacedStep<'a> {
    pub(crate) parts: Vec<PlacedPart<'a>>,
    pub(crate) span: Span,
    /// What it takes and gives, all parts together.
    pub(crate) effect: &'a Effect,
    pub(crate) requirements: &'a Requirements<'a>,
    pub(crate) phase: Phase,
    pub(crate) placing: Placing,
    /// The author's word on it.
    pub(crate) directive: Option<&'a Directive>,
    /// The schema before it, in the files' order.
    pub(crate) before: &'a Schema,
    /// Whether it goes over the rows of its table some at a time.
    pub(crate) in_batches: bool,
    /// Whether it runs a second time once blue is drained.
    pub(crate) again: bool,
}

/// One operation of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlacedPart<'a> {
    pub(crate) operation: &'a Operation,
    pub(crate) span: Span,
    /// The whole statement.
    pub(crate) statement: Span,
    pub(crate) hazard: &'a Hazard,
}

/// Who decided where a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placing {
    /// Its author.
    Author,
    /// The planner.
    Planner,
    /// Nobody can.
    Conflict,
}

/// The step that a rule looks at, in its release.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) release: &'a PlacedRelease<'a>,
    pub(crate) step: &'a PlacedStep<'a>,
    /// Its place among the release's steps.
    at: usize,
}

impl<'a> Subject<'a> {
    /// The schema after it, in the files' order.
    pub(crate) fn after(&self) -> &'a Schema {
        self.release.steps.get(self.at + 1).map_or(self.release.last, |next| next.before)
    }

    /// The steps of the same file before it, the nearest first.
    pub(crate) fn earlier(&self) -> impl Iterator<Item = Self> + use<'a> {
        let Self { release, step, at } = *self;
        let earlier = release.steps[..at].iter().enumerate().rev();
        let subjects = earlier.map(move |(at, step)| Self { release, step, at });
        subjects.take_while(move |other| other.step.span.file == step.span.file)
    }

    /// The steps of all files after it that run before the cutover.
    pub(crate) fn until_cutover(&self) -> impl Iterator<Item = &'a PlacedStep<'a>> + use<'a> {
        self.release.steps[self.at + 1..].iter().filter(|step| step.phase == Phase::Before)
    }

    /// The steps of the same file after it.
    pub(crate) fn later(&self) -> impl Iterator<Item = Self> + use<'a> {
        let Self { release, step, at } = *self;
        let later = release.steps.iter().enumerate().skip(at + 1);
        let subjects = later.map(move |(at, step)| Self { release, step, at });
        subjects.take_while(move |other| other.step.span.file == step.span.file)
    }
}

impl<'a> PlacedRelease<'a> {
    /// What all rules find.
    pub(crate) fn findings(&'a self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            let subject = Subject { release: self, step, at };
            for rule in super::RULES {
                if let super::RuleCheck::PlacedStep(check) = rule.check {
                    check(&subject, &mut found);
                }
            }
        }
        found
    }

    /// A version.
    pub(crate) fn version(&self, side: Side) -> &Application<'a> {
        match side {
            Side::Blue => &self.blue,
            Side::Green => &self.green,
        }
    }

    /// Adds the query that shows a requirement, if one does.
    pub(crate) fn label(&self, diagnostic: Diagnostic, requirement: &Requirement<'_>) -> Diagnostic {
        self.version(requirement.side).shown_by(diagnostic, requirement.query)
    }

    /// What is to be said where an assumption stands in for queries.
    pub(crate) fn assumption(&self) -> &'static str {
        match (self.blue.app.watch.is_some(), self.green.app.watch.is_some()) {
            (true, true) => "",
            (false, false) => {
                " (neither version's queries are known; `--blue DIR` and `--green DIR` replace assumptions by evidence)"
            }
            (false, true) => " (blue's queries are not known; `--blue DIR` replaces the assumption by evidence)",
            (true, false) => " (green's queries are not known; `--green DIR` replaces the assumption by evidence)",
        }
    }
}

impl<'a> PlacedStep<'a> {
    /// In words, by its first operation: `ADD COLUMN text of users.email`.
    pub(crate) fn name(&self) -> String {
        let (object, action) = self.parts.first().map(|part| describe(part.operation)).unwrap_or_default();
        format!("{action} of {object}")
    }

    pub(crate) fn operations(&self) -> impl Iterator<Item = &'a Operation> {
        self.parts.iter().map(|part| part.operation)
    }
}

impl Application<'_> {
    /// Adds the query that shows what is told, if one does.
    pub(crate) fn shown_by(&self, diagnostic: Diagnostic, query: Option<&Query>) -> Diagnostic {
        match query {
            Some(query) => {
                diagnostic.at(query.span.moved(self.offset), format!("{}'s query {}", self.side, query.name))
            }
            None => diagnostic,
        }
    }
}
