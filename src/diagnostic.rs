//! What the tool has to say: one neutral value that every stage makes and every renderer draws.

use crate::source::Span;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; changes nothing.
    Info,
    /// May break a version under conditions the tool can not see; does not make a plan unsafe.
    Warning,
    /// The plan is not safe, or the input can not be used.
    Error,
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
    /// Stable code, see [`crate::lint::codes`].
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// What breaks, and for whom.
    pub message: String,
    /// Where; the first one is the main place.
    pub labels: Vec<Label>,
    /// The way out.
    pub help: Option<String>,
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

impl Diagnostic {
    /// A finding without places.
    pub fn new(code: Code, severity: Severity, message: impl Into<String>) -> Self {
        Self { code, severity, message: message.into(), labels: Vec::new(), help: None }
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

    /// The main place.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }
}
