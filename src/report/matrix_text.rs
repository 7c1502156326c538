//! The compatibility matrix as text: queries down, states across.

use std::fmt::{self, Write};

use super::style::{Style, Tone};
use super::symbols;
use crate::compat::matrix::{Mark, Matrix};

/// More columns do not fit beside each other.
const WIDEST: usize = 16;

/// Draws it. States where nothing changes against the one before are left out, but for the overlap and the ends.
/// `replayed`: whether statements of the queries were run, too.
pub(super) fn write(out: &mut String, matrix: &Matrix, style: Style, replayed: bool) -> fmt::Result {
    let columns = matrix.columns(WIDEST);
    let shown = columns.states;
    let name = matrix.rows.iter().map(|r| r.query.chars().count()).max().unwrap_or(0).clamp(5, 48);
    writeln!(out)?;
    write!(out, "  {:<7}{:<name$}", "", "query")?;
    for i in &shown {
        write!(out, "  {:>7}", title(matrix, *i))?;
    }
    writeln!(out)?;
    for row in &matrix.rows {
        write!(out, "  {:<7}{:<name$}", row.version.name(), row.query)?;
        for i in &shown {
            let (mark, tone) = symbols::mark(matrix.mark(row, *i));
            write!(out, "  {:>width$}{}", "", style.paint(tone, mark), width = 7 - mark.chars().count())?;
        }
        writeln!(out)?;
    }
    let states = matrix.states.len();
    let hidden = states - shown.len();
    let more = match (hidden, columns.changes_elsewhere) {
        (0, _) => String::new(),
        (_, false) => format!("; {hidden} of {states} states left out, nothing changes there"),
        (_, true) => format!("; {hidden} of {states} states left out, too many to show"),
    };
    let unknown = if matrix.rows.iter().any(|row| (0..states).any(|i| matrix.mark(row, i) == Mark::Unknown)) {
        " · ?: not understood"
    } else {
        ""
    };
    let otherwise = if replayed { "types or columns, or runs on other rows" } else { "types or columns" };
    let legend = format!(
        "ok: prepares · ~: prepares with other {otherwise} · FAIL: fails where it must work · -: fails where its version does not run{unknown}{more}"
    );
    writeln!(out, "  {}", style.paint(Tone::Quiet, &legend))
}

/// The head of a state's column.
pub(super) fn title(matrix: &Matrix, state: usize) -> String {
    let Some(found) = matrix.states.get(state) else { return String::new() };
    match found.after_step {
        _ if found.is_overlap() => "overlap".to_owned(),
        None => "start".to_owned(),
        Some(_) if state + 1 == matrix.states.len() => "end".to_owned(),
        Some(step) => step.to_string(),
    }
}
