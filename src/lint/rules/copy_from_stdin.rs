//! Found where a file is split into statements.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::COPY_DATA,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports COPY … FROM STDIN with its rows in the file.",
        why: "Only psql can load rows that stand in the script.",
        example: Some(Case::of(
            "CREATE TABLE t (a int);",
            "COPY t FROM STDIN;
1
\\.
",
        )),
        instead: Some(Case::of("CREATE TABLE t (a int);", "INSERT INTO t VALUES (1);")),
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
