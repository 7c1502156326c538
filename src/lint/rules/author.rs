//! What `blue-breaks` and `green-not-ready` share: the author put a step where a version does not survive it.

use crate::compat::{Phase, Requirement};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::lint::{Placing, Subject};

pub(super) fn against(subject: &Subject<'_>, code: Code, requirement: &Requirement<'_>) -> Option<Diagnostic> {
    let step = subject.step;
    let directive = step.directive.filter(|_| step.placing == Placing::Author)?;
    // What is assumed, or depends on values, gives way to the author's reason. What certainly fails does not.
    let severity = if requirement.sure { Severity::Error } else { Severity::Warning };
    let side = match step.phase {
        Phase::Before => "before",
        Phase::After => "after",
    };
    let text = format!(
        "{} is {side} the cutover by the author's word ({}), and {} relies on it: {}",
        step.name(),
        directive.reason,
        requirement.side,
        requirement.capability
    );
    Some(
        subject.release.label(Diagnostic::new(code, severity, text).at(step.span, "by the author's word"), requirement),
    )
}
