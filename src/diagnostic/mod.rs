//! What the tool has to say: one neutral value that every stage makes and every renderer draws.

pub mod codes;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::source::Span;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing; changes nothing.
    Info,
    /// May break a version under conditions the tool cannot see; does not make a plan unsafe.
    Warning,
    /// The plan is not safe, or the input cannot be used.
    Error,
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A place in a source file with what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What; may be empty.
    pub text: String,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code, see [`codes`].
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// What breaks, and for whom.
    pub message: String,
    /// Where; the first one is the main place.
    pub labels: Vec<Label>,
    /// The way out.
    pub help: Option<String>,
    /// The way out as edits of the files, where there is one.
    pub fix: Option<Fix>,
}

/// Edits that take a finding away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, as an imperative without full stop.
    pub title: String,
    /// Edits that do not overlap.
    pub edits: Vec<Edit>,
    /// Whether it may be made without being looked at.
    pub safety: Safety,
}

/// A piece of text in place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What goes.
    pub span: Span,
    /// What comes.
    pub replacement: String,
}

/// Whether a fix may be made without being looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Safety {
    /// The files end in the same schema, for every tool that runs them.
    Safe,
    /// Somebody has to look: it asks something of the tool that runs the file, or of the data.
    Unsafe,
}

/// A stable code such as `CO201` with a name that reads well after "allow".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    /// `CO` and three digits.
    pub id: &'static str,
    /// Kebab-case name.
    pub name: &'static str,
    /// One sentence: what it means.
    pub summary: &'static str,
}

impl Severity {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Diagnostic {
    /// A finding without places.
    pub fn new(code: Code, severity: Severity, message: impl Into<String>) -> Self {
        Self { code, severity, message: message.into(), labels: Vec::new(), help: None, fix: None }
    }

    /// An error without places.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, message)
    }

    /// A warning without places.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, message)
    }

    /// Adds a place.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds the way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the way out as edits.
    #[must_use]
    pub fn fix(mut self, fix: Option<Fix>) -> Self {
        self.fix = fix;
        self
    }

    /// The same after its files were appended behind `files` others.
    #[must_use]
    pub fn moved(mut self, files: u32) -> Self {
        for label in &mut self.labels {
            label.span = label.span.moved(files);
        }
        for edit in self.fix.iter_mut().flat_map(|fix| &mut fix.edits) {
            edit.span = edit.span.moved(files);
        }
        self
    }

    /// The main place.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }
}
