//! Rules as text: the page of one, the table of all.

use crate::lint::{Case, RULES, Rule};

/// The page of a rule, in Markdown that reads well in a terminal.
pub fn page(rule: &Rule) -> String {
    let docs = &rule.docs;
    let mut out = format!(
        "# {} {}\n\n{} Severity: {}.\n\n## What it does\n\n{}\n\n## Why is this bad\n\n{}\n",
        rule.code.id,
        rule.code.name,
        rule.code.summary,
        rule.severity.name(),
        docs.what,
        docs.why
    );
    for (title, case) in [("Example", &docs.example), ("Use instead", &docs.instead)] {
        if let Some(case) = case {
            out.push_str(&format!("\n## {title}\n\n{}", release(case)));
        }
    }
    out.push_str(&format!("\n## Allow\n\n{}\n", allow(rule)));
    if !docs.references.is_empty() {
        out.push_str("\n## References\n\n");
        out.extend(docs.references.iter().map(|reference| format!("- {reference}\n")));
    }
    out
}

fn allow(rule: &Rule) -> String {
    if rule.allowable() {
        format!("On the line before the statement: `-- cutover: allow({}) <reason>`", rule.code.name)
    } else {
        "It cannot be allowed.".to_owned()
    }
}

fn release(case: &Case) -> String {
    let part = |what: &str, text: &str| {
        if text.is_empty() { String::new() } else { format!("-- {what}\n{}\n\n", text.trim_end()) }
    };
    let parts = [
        part("in production", case.applied),
        part("the release", case.pending),
        part("queries of blue", case.blue),
        part("queries of green", case.green),
    ];
    format!("```sql\n{}\n```\n", parts.concat().trim_end())
}

/// All rules as a Markdown table.
pub fn table() -> String {
    let mut out = String::from("| code | name | severity | what it means |\n|---|---|---|---|\n");
    for rule in RULES {
        let Rule { code, severity, .. } = rule;
        out.push_str(&format!("| {} | `{}` | {} | {} |\n", code.id, code.name, severity.name(), code.summary));
    }
    out
}
