//! Every kind of check.

use super::{Check, cloudwatch_alarms, cloudwatch_query, command, http, prometheus, sql, target_health};
use crate::outside::{Needs, SettingsSchema, Surroundings};
use crate::release::Configured;

/// A kind of check.
#[derive(Debug)]
pub struct CheckKind {
    /// As `kind` of `[checks.NAME]` says.
    pub name: &'static str,
    /// What it asks.
    pub about: &'static str,
    /// What must be known of it.
    pub needs: Needs,
    /// The JSON Schema of its settings.
    pub settings: SettingsSchema,
    /// Makes it; an error says what is wrong with its settings.
    pub open: fn(&Configured, &Surroundings) -> OpenedCheck,
}

/// A check, or what is wrong with its settings.
pub type OpenedCheck = Result<Box<dyn Check>, String>;

/// Every kind, a line each.
pub static KINDS: &[CheckKind] = &[
    http::KIND,
    command::KIND,
    sql::KIND,
    prometheus::KIND,
    cloudwatch_alarms::KIND,
    cloudwatch_query::KIND,
    target_health::KIND,
];

/// Makes a check.
pub fn open(check: &Configured, surroundings: &Surroundings) -> OpenedCheck {
    let kind = kind(check).ok_or_else(|| {
        let known = KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
        format!("check {}: there is no kind {:?}; there are {known}", check.name, check.kind)
    })?;
    (kind.open)(check, surroundings).map_err(|why| format!("check {}: {why}", check.name))
}

/// The kind of a check.
pub fn kind(check: &Configured) -> Option<&'static CheckKind> {
    KINDS.iter().find(|kind| kind.name == check.kind)
}
