//! `CREATE RULE` and what else is done to a rule: where it stands and what it comes to for the statements that it rewrites. What it does
//! beyond that nobody reads, so that the statement is opaque all the same.

use super::name::Name;
use super::operation::Ident;
use super::query::{Command, Kept};
use super::types::TypeName;

/// A statement on a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleChange {
    /// The rule.
    pub name: Ident,
    /// The table or view that it is on.
    pub table: Name,
    /// What is done.
    pub verb: RuleVerb,
}

/// What a statement does to a rule.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleVerb {
    /// `CREATE RULE`
    Made(RuleBody),
    /// `ENABLE RULE`
    Enabled,
    /// `DISABLE RULE`
    Disabled,
    /// `DROP RULE`
    Gone,
}

/// A rule as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleBody {
    /// Which statements it rewrites.
    pub event: RuleEvent,
    /// `INSTEAD`: they do no longer what they did.
    pub instead: bool,
    /// Whether it has a condition.
    pub conditional: bool,
    /// The condition.
    pub condition: Kept,
    /// `NOTHING`: nothing is done in their place.
    pub nothing: bool,
    /// Whether one statement is done that reads or writes rows, and no other.
    pub single: bool,
    /// Whether it returns what `RETURNING` asks for.
    pub returning: bool,
    /// What it does, as far as it is read.
    pub actions: Vec<Command>,
    /// The types that it casts to.
    pub types: Vec<TypeName>,
}

/// The statements that a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleEvent {
    /// `ON SELECT`
    Select,
    /// `ON INSERT`
    Insert,
    /// `ON UPDATE`
    Update,
    /// `ON DELETE`
    Delete,
}
