//! A function's body names what is dropped or renamed.

use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Subject, Yields};
use crate::schema::{Function, QName, Schema};
use crate::sql::Operation;
use crate::sql::operation::{RelationKind, TableChange};

pub(crate) const RULE: Rule = Rule {
    code: codes::FUNCTION_BODY_BREAKS,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a table or a column that is dropped or renamed and that the body of a function names which stays as it is.",
        why: "PostgreSQL keeps no record of what a body in quotes uses (plpgsql, or SQL in a string): the statement succeeds, and the function fails when it is called next.",
        example: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);\nCREATE FUNCTION name_of(bigint) RETURNS text LANGUAGE sql AS 'SELECT name FROM users WHERE id = $1';",
            "ALTER TABLE users DROP COLUMN name;",
        )),
        instead: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);\nCREATE FUNCTION name_of(bigint) RETURNS text LANGUAGE sql AS 'SELECT name FROM users WHERE id = $1';",
            "DROP FUNCTION name_of(bigint);\nALTER TABLE users DROP COLUMN name;",
        )),
        references: &["https://www.postgresql.org/docs/current/plpgsql-implementation.html#PLPGSQL-PLAN-CACHING"],
    },
    check: RuleCheck::PlacedStep(check),
};

/// What a step takes away under its name.
struct Gone {
    relation: QName,
    column: Option<crate::sql::operation::Ident>,
}

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Subject { release, step, .. } = *subject;
    for part in &step.parts {
        let Some(gone) = gone(part.operation, step.before).filter(|gone| is_gone(gone, release.last)) else { continue };
        let names: Vec<String> = release
            .last
            .all_functions()
            .filter(|(name, function)| {
                // One that the release replaces is written for what comes.
                // The table may bear the name only since an earlier part of the step.
                let is_trigger = [step.before, subject.after()].iter().any(|s| runs_on(s, name, &gone.relation));
                step.before.functions(name).contains(function)
                    && names(function, is_trigger, &gone, release.last, release.base)
            })
            .map(|(name, function)| function.signature(name))
            .collect();
        let Some((first, others)) = names.split_first() else { continue };
        let what = match &gone.column {
            Some(column) => format!("{}.{column}", gone.relation),
            None => gone.relation.to_string(),
        };
        let more = if others.is_empty() { String::new() } else { format!(", as do {}", others.join(", ")) };
        let text =
            format!("the body of {first} names {what}{more}: PostgreSQL does not notice, and its next call fails");
        found.push(
            Diagnostic::new(RULE.code, RULE.severity, text)
                .at(part.span, "gone from here on")
                .help("CREATE OR REPLACE the function in this release, so that it does without; or drop it"),
        );
    }
}

fn gone(operation: &Operation, before: &Schema) -> Option<Gone> {
    match operation {
        Operation::DropRelation { kind: RelationKind::Table | RelationKind::View, name, .. }
        | Operation::RenameRelation { kind: RelationKind::Table | RelationKind::View, name, .. } => {
            Some(Gone { relation: before.resolve(name), column: None })
        }
        Operation::AlterTable {
            table,
            change: TableChange::DropColumn { column, .. } | TableChange::RenameColumn { from: column, .. },
            ..
        } => Some(Gone { relation: before.resolve(table), column: Some(column.clone()) }),
        _ => None,
    }
}

/// Nothing stands in its place at the end of the release.
fn is_gone(gone: &Gone, last: &Schema) -> bool {
    match (&gone.column, last.relation(&gone.relation)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(column), Some(relation)) => relation.columns_known && relation.column(column).is_none(),
    }
}

/// Whether a trigger of the relation calls a function, which then need not name it: NEW and OLD are its rows.
fn runs_on(schema: &Schema, function: &QName, relation: &QName) -> bool {
    schema.relation(relation).is_some_and(|r| r.trigger_functions.values().any(|f| f == function))
}

/// Whether a body means what is gone, and not another relation's column of the same name.
fn names(function: &Function, is_trigger: bool, gone: &Gone, last: &Schema, base: &Schema) -> bool {
    let mentions = |word: &str| function.mentions.iter().any(|name| **name == *word);
    let word = gone.column.as_ref().unwrap_or(&gone.relation.name);
    let stands_for = |schema: &Schema| {
        let others = function.mentions.iter().map(|name| QName::new(gone.relation.schema.clone(), name.clone()));
        others
            .filter(|other| *other != gone.relation)
            .any(|other| schema.relation(&other).is_some_and(|r| r.column(word).is_some() || !r.columns_known))
    };
    let of_it = mentions(&gone.relation.name) || (is_trigger && gone.column.is_some());
    of_it && mentions(word) && !stands_for(last) && !stands_for(base)
}
