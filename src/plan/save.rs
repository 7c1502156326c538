//! A proved release → the plan that can be saved.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;

use super::access::Key;
use super::placed::Placed;
use super::said::Said;
use super::saved::{
    Excerpt, ExpectedColumn, ExpectedRelation, Finding, LabelledPlace, Migrations, PlannedMigration as SavedMigration,
    SavedPlan, SchemaPins, Step, Verdict,
};
use super::stages::{Ends, Proved, Watches};
use super::{matrix, steps};
use crate::diagnostic::{Diagnostic, Severity};
use crate::effect::Capability;
use crate::lint;
use crate::migrations::Migration;
use crate::schema::{QName, Relation, Schema};
use crate::source::{Sources, Span};

/// What the planner ends with.
pub(super) struct Input<'a> {
    pub(super) ends: &'a Ends<'a>,
    pub(super) watches: &'a Watches<'a>,
    pub(super) proved: &'a Proved<'a>,
    pub(super) said: &'a Said<'a>,
}

/// The plan, sealed.
pub(super) fn plan(input: &Input<'_>) -> SavedPlan {
    let Input { ends, watches, proved, said } = *input;
    let Ends { request, base, last, .. } = ends;
    let Said { diagnostics, sources, mentioned, .. } = said;
    let folder = request.folder;
    let placed_steps = steps::steps(&steps::Input { request, proved, said });
    let (blue, green) = (watches.blue(ends).watch, watches.green(ends).watch);
    let matrix = matrix::of_steps(&placed_steps, base, &proved.states, blue, green);
    let has_run = |group: &[usize]| group.iter().all(|node| proved.nodes[*node].node.ran.is_some());
    let with_ran: Vec<(Step, bool)> = placed_steps.into_iter().map(|(step, group)| (step, has_run(&group))).collect();
    let continues = request.begun.map(|begun| begun.continues(&with_ran));
    let steps = with_ran.into_iter().map(|(step, _)| step).collect();
    // Where a release is carried on, what has run is there.
    let start = match request.begun {
        None => base.clone(),
        Some(begun) => {
            let has_run = |placed: &&Placed<'_>| placed.node.ran.is_some() && placed.node.written.is_none();
            let last = proved.nodes.iter().rev().find(has_run).map_or(base, |placed| &placed.node.after);
            begun.with_the_rest(last.clone(), folder, request.pending)
        }
    };
    let is_unsafe = diagnostics.iter().any(|d| d.severity == Severity::Error);
    let saved = |m: &Migration| SavedMigration {
        version: m.version.to_string(),
        name: m.name.clone(),
        path: m.path.clone(),
        sha256: m.sha256.clone(),
        text: None,
    };
    let whole = |m: &Migration| SavedMigration {
        text: folder.convention.keeps_text().then(|| folder.text(m).to_owned()),
        ..saved(m)
    };
    let plan = SavedPlan {
        tool: SavedPlan::this_tool(),
        digest: String::new(),
        verdict: if is_unsafe { Verdict::Unsafe } else { Verdict::Safe },
        // A release that was begun stays what it was begun as.
        release: match request.begun {
            Some(begun) => begun.plan.release.clone(),
            None => request.release.cloned().unwrap_or_default(),
        },
        migrations: Migrations {
            convention: folder.convention,
            folder: folder.path.clone(),
            from: request.pending.applied.last().map(|m| m.version.to_string()),
            applied: request.pending.applied.iter().map(saved).collect(),
            pending: request.pending.pending.iter().map(whole).collect(),
            alike: folder.alike.clone(),
            history_table: request.history_table.map(str::to_owned),
        },
        schema: SchemaPins {
            base: base.fingerprint(),
            overlap: proved.overlap.fingerprint(),
            last: last.fingerprint(),
            expects: expectations(&proved.nodes, &start),
            relations: if folder.convention.records_here() { pins(base) } else { Vec::new() },
        },
        steps,
        findings: grouped(diagnostics, request.weighing.is_some()).iter().map(|d| finding(d, sources)).collect(),
        matrix,
        blue_source: mentioned.as_ref().and_then(|mentioned| mentioned.searched),
        continues,
        unknown: serde_json::Value::Null,
    };
    plan.sealed()
}

/// The findings as people read them: one a cause.
pub(super) fn grouped(diagnostics: &[Diagnostic], weighed: bool) -> Vec<Diagnostic> {
    let each = diagnostics.iter().cloned().map(|diagnostic| (diagnostic, ())).collect();
    lint::group(each, weighed).into_iter().map(|(diagnostic, ())| diagnostic).collect()
}

/// What must be as the plan was made for, before the first step that has not run: everything it names.
fn expectations(nodes: &[Placed<'_>], base: &Schema) -> Vec<ExpectedRelation> {
    let made: BTreeSet<QName> = nodes
        .iter()
        .filter(|placed| placed.node.ran.is_none())
        .flat_map(|placed| placed.node.effect.adds.iter())
        .filter_map(|c| match c {
            Capability::Relation(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    let named: BTreeSet<&QName> = nodes
        .iter()
        .flat_map(|placed| placed.access.defines.iter().chain(&placed.access.uses))
        .filter_map(|key| match key {
            Key::Relation(name) => Some(name),
            _ => None,
        })
        .collect();
    named
        .into_iter()
        .filter_map(|name| match base.relation(name) {
            Some(relation) if !relation.columns_known => None,
            Some(relation) => Some(pin(name, relation)),
            None if made.contains(name) => Some(ExpectedRelation { name: name.to_string(), columns: None }),
            None => None,
        })
        .collect()
}

/// All relations whose columns are known.
fn pins(base: &Schema) -> Vec<ExpectedRelation> {
    base.relations()
        .filter(|(_, relation)| relation.columns_known)
        .map(|(name, relation)| pin(name, relation))
        .collect()
}

fn pin(name: &QName, relation: &Relation) -> ExpectedRelation {
    let columns = relation.columns.iter().map(|c| ExpectedColumn {
        name: c.name.to_string(),
        data_type: c.data_type.as_ref().map(ToString::to_string).unwrap_or_default(),
        not_null: c.not_null,
    });
    ExpectedRelation { name: name.to_string(), columns: Some(columns.collect()) }
}

fn finding(diagnostic: &Diagnostic, sources: &Sources) -> Finding {
    let place = |label: &crate::diagnostic::Label| {
        let at = sources.line_column(label.span);
        let path: Utf8PathBuf = sources.path(label.span).to_owned();
        let excerpt = Some(excerpt(sources, label.span));
        LabelledPlace { path, line: at.line, column: at.column, text: label.text.clone(), excerpt }
    };
    Finding {
        code: diagnostic.code.id.to_owned(),
        name: diagnostic.code.name.to_owned(),
        severity: diagnostic.severity,
        message: diagnostic.message.clone(),
        places: diagnostic.labels.iter().map(place).collect(),
        help: diagnostic.help.clone(),
    }
}

/// The lines of a place; of a long one, the first. Nobody reads more of a line that is as long as a book.
fn excerpt(sources: &Sources, span: Span) -> Excerpt {
    const MOST_LINES: usize = 12;
    const MOST_BYTES: usize = 2_000;
    let text = &*sources.file(span.file).text;
    let from = text.floor_char_boundary(span.range().start);
    let to = text.floor_char_boundary(span.range().end.max(from));
    let line = text[..from].rfind('\n').map_or(0, |at| at + 1);
    let start = text.ceil_char_boundary(line.max(from.saturating_sub(MOST_BYTES)));
    let last = text[to..].find('\n').map_or(text.len(), |at| to + at);
    let lines = text[start..last].match_indices('\n').nth(MOST_LINES - 1).map_or(last, |(at, _)| start + at);
    let end = text.floor_char_boundary(lines.min(from + MOST_BYTES));
    let byte = |at: usize| u32::try_from(at.min(end) - start).unwrap_or(u32::MAX);
    let line = sources.line_column(span).line;
    Excerpt { line, text: text[start..end].to_owned(), at: (byte(from), byte(to)) }
}
