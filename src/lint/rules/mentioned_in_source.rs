//! Found where the plan is given blue's source tree.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::MENTIONED_IN_SOURCE,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports the places in blue's source tree (`--blue-source`) that mention what a step takes away: a table, a column in a file that also mentions its table, a label, a function, a type, the name of a constraint or an index. It is a warning where the step runs while blue serves and no query shows that blue uses the name, and an info otherwise.",
        why: "Queries that no test sends, and SQL that is put together at run time, are in no workload. A place that mentions a name may be such a query; it may also be dead code, a comment, or another thing of that name. So a mention moves no step and waives nothing: somebody has to look at it.",
        example: None,
        instead: None,
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
