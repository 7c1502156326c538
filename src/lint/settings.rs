//! What a team makes of the rules: `[lint]` of `cutover.toml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::registry::{find, nearest};
use super::rule::Yields;
use crate::diagnostic::{Diagnostic, Severity};

/// How much a rule matters to a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = with_warn)]
pub enum Level {
    /// Not at all.
    Allow,
    /// Worth knowing.
    Info,
    /// A warning.
    #[serde(alias = "warn")]
    Warning,
    /// An error.
    Error,
}

/// `warn` is read, too.
fn with_warn(schema: &mut schemars::Schema) {
    if let Some(ways) = schema.get_mut("oneOf").and_then(serde_json::Value::as_array_mut) {
        ways.push(serde_json::json!({ "const": "warn", "description": "A warning." }));
    }
}

/// From which severity on `lint` ends with exit code 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailOn {
    /// Errors.
    #[default]
    Error,
    /// Errors and warnings.
    Warning,
    /// Nothing.
    Never,
}

impl FailOn {
    /// Whether the findings are a failure.
    pub fn fails(self, diagnostics: &[Diagnostic]) -> bool {
        let worst = diagnostics.iter().map(|d| d.severity).max();
        match self {
            Self::Error => worst >= Some(Severity::Error),
            Self::Warning => worst >= Some(Severity::Warning),
            Self::Never => false,
        }
    }
}

/// Levels by the code of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levels(BTreeMap<&'static str, Level>);

impl Levels {
    /// Sets a rule's level. What breaks a version cannot be made to matter less.
    pub fn set(&mut self, name: &str, level: Level) -> Result<(), String> {
        let rule = find(name).ok_or_else(|| match nearest(name) {
            Some(nearest) => format!("there is no rule `{name}`; did you mean `{nearest}`?"),
            None => format!("there is no rule `{name}`; `cutover rules` lists all"),
        })?;
        if level != Level::Error && rule.yields_to == Yields::Nobody {
            return Err(format!("`{name}` is always an error: the plan would break all the same"));
        }
        self.0.insert(rule.code.id, level);
        Ok(())
    }

    /// The findings with their levels.
    pub fn apply(&self, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let level = |mut diagnostic: Diagnostic| {
            // What the figures made matter less is not what a team has raised.
            let weighed = find(diagnostic.code.id).is_some_and(|rule| rule.yields_to == Yields::Figures);
            let weighed_down = weighed && diagnostic.severity == Severity::Info;
            diagnostic.severity = match self.0.get(diagnostic.code.id) {
                None => diagnostic.severity,
                Some(Level::Warning | Level::Error) if weighed_down => diagnostic.severity,
                Some(Level::Allow) => return None,
                Some(Level::Info) => Severity::Info,
                Some(Level::Warning) => Severity::Warning,
                Some(Level::Error) => Severity::Error,
            };
            Some(diagnostic)
        };
        diagnostics.into_iter().filter_map(level).collect()
    }
}
