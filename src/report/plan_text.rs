//! A plan as text, in the shape people know from infrastructure planners.

use std::fmt::Write;

use super::matrix_text;
use super::style::{Style, Tone};
use super::symbols;
use crate::compat::matrix::{Mark, Matrix};
use crate::diagnostic::Severity;
use crate::plan::saved::{Direction, Phase, SavedPlan, Step, Usage, Verdict};
use crate::plan::{LOCKS_OUTLIVE, at_start};
use crate::release::OnFailure;
use crate::stats::Load;

/// Draws a plan: what runs before, what moves the traffic, what runs after, and a summary.
pub fn render(plan: &SavedPlan, style: Style) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut out, plan, Rows::Telling, style);
    out
}

/// The same with every query at every state.
pub(super) fn render_whole(plan: &SavedPlan, style: Style) -> String {
    let mut out = String::new();
    let _ = write(&mut out, plan, Rows::All, style);
    out
}

/// Which queries are shown at every state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// If any is another where its version must live: those that do not simply prepare there. One sentence says it of the others.
    Telling,
    /// All.
    All,
}

fn write(out: &mut String, plan: &SavedPlan, rows: Rows, style: Style) -> std::fmt::Result {
    let pending = &plan.migrations.pending;
    let range = match (pending.first(), pending.last()) {
        (Some(first), Some(last)) if pending.len() > 1 => format!(" ({} to {})", first.version, last.version),
        (Some(first), _) => format!(" ({})", first.version),
        _ => String::new(),
    };
    let on = plan.migrations.from.as_ref().map_or_else(|| "an empty database".to_owned(), Clone::clone);
    writeln!(
        out,
        "cutover plan: {}{range}, {}, on top of {on}",
        count(pending.len(), "migration"),
        count(plan.steps.len(), "step"),
    )?;
    if plan.steps.is_empty() {
        writeln!(out, "\nNothing to do.")?;
        return Ok(());
    }
    if let Some(continues) = &plan.continues {
        writeln!(
            out,
            "\nCarries on with release {}: {} of {} ran before.",
            continues.release,
            continues.ran.len(),
            count(plan.steps.len(), "step")
        )?;
    }
    let widths = Widths::of(&plan.steps);
    phase(out, plan, Phase::Before, "Before cutover", "blue keeps working, green can start", &widths, style)?;
    writeln!(out, "\n  {}: traffic moves from blue to green, blue drains", style.paint(Tone::Strong, "Cutover"))?;
    phase(out, plan, Phase::After, "After cutover", "blue is gone", &widths, style)?;
    if let Some(matrix) = &plan.matrix {
        queries(out, matrix, rows, style)?;
    }
    summary(out, plan, style)
}

fn queries(out: &mut String, matrix: &Matrix, rows: Rows, style: Style) -> std::fmt::Result {
    if rows == Rows::All {
        return matrix_text::write(out, matrix, style, false);
    }
    if matrix.rows.iter().all(|row| matrix.worst(row) <= Mark::Unknown) {
        return Ok(());
    }
    let telling = matrix.only(|row| matrix.worst(row) > Mark::Works);
    matrix_text::write(out, &telling, style, false)?;
    match matrix.rows.len() - telling.rows.len() {
        0 => Ok(()),
        1 => writeln!(out, "  {}", style.paint(Tone::Quiet, "1 other query prepares at every state it must")),
        more => {
            let text = format!("{more} other queries prepare at every state they must");
            writeln!(out, "  {}", style.paint(Tone::Quiet, &text))
        }
    }
}

struct Widths {
    object: usize,
    action: usize,
    place: usize,
}

impl Widths {
    fn of(steps: &[Step]) -> Self {
        let widest = |text: &dyn Fn(&Step) -> usize, limit| steps.iter().map(text).max().unwrap_or(0).min(limit);
        Self {
            object: widest(&|s| s.object.chars().count(), 40),
            action: widest(&|s| s.action.chars().count(), 44),
            place: widest(&|s| place(s).chars().count(), 28),
        }
    }
}

fn phase(
    out: &mut String,
    plan: &SavedPlan,
    phase: Phase,
    title: &str,
    promise: &str,
    widths: &Widths,
    style: Style,
) -> std::fmt::Result {
    let mut steps = plan.phase(phase).peekable();
    writeln!(out, "\n  {:<52}{}", style.paint(Tone::Strong, title), style.paint(Tone::Quiet, promise))?;
    if steps.peek().is_none() {
        writeln!(out, "    (nothing)")?;
    }
    for step in steps {
        let ran = plan.continues.as_ref().is_some_and(|continues| continues.ran.contains(&step.id));
        line(out, step, ran, widths, style)?;
    }
    Ok(())
}

fn line(out: &mut String, step: &Step, ran: bool, widths: &Widths, style: Style) -> std::fmt::Result {
    let (symbol, tone) = symbols::direction(step.direction);
    if ran {
        let Step { id, object, action, .. } = step;
        let (object_width, action_width) = (widths.object, widths.action);
        let text = format!("{id:>3}  {object:<object_width$}  {action:<action_width$}  {}  ran before", place(step));
        return writeln!(out, "    {} {}", style.paint(Tone::Quiet, symbol), style.paint(Tone::Quiet, &text));
    }
    let written = if step.statements().iter().any(|s| s.origin.is_none()) { " (written by cutover)" } else { "" };
    writeln!(
        out,
        "    {} {:>3}  {:<object$}  {:<action$}  {:<place$}  {}",
        style.paint(tone, symbol),
        step.id,
        step.object,
        step.action,
        place(step),
        style.paint(Tone::Quiet, &step.hazard),
        object = widths.object,
        action = widths.action,
        place = widths.place,
    )?;
    let atomic = if step.statements().len() > 1 { "one transaction; " } else { "" };
    writeln!(out, "             {}", style.paint(Tone::Quiet, &format!("{atomic}{}{written}", step.reason)))?;
    for text in step.load.iter().flat_map(Load::lines) {
        writeln!(out, "             {}", style.paint(Tone::Change, &text))?;
    }
    mentions(out, step, style)?;
    if step.point_of_no_return {
        writeln!(out, "             {}", style.paint(Tone::Bad, "point of no return: blue cannot come back"))?;
    }
    Ok(())
}

/// Where blue's source mentions what the step takes away.
fn mentions(out: &mut String, step: &Step, style: Style) -> std::fmt::Result {
    for mentioned in &step.mentions {
        let tone = if mentioned.usage == Usage::NotShown { Tone::Change } else { Tone::Quiet };
        writeln!(out, "             {}", style.paint(tone, &mentioned.line()))?;
        for at in &mentioned.places {
            let place = format!("{}:{}:{}", at.path, at.line, at.column);
            writeln!(out, "               {place}  {}", style.paint(Tone::Quiet, &at.text))?;
        }
        if !mentioned.places.is_empty() && mentioned.more() > 0 {
            writeln!(out, "               and {} more", mentioned.more())?;
        }
    }
    Ok(())
}

/// `3:12` of the first statement, with the file's version.
fn place(step: &Step) -> String {
    let origin = step.origin();
    origin.map_or_else(|| "-".to_owned(), |o| format!("{}:{}", o.version, o.line))
}

fn summary(out: &mut String, plan: &SavedPlan, style: Style) -> std::fmt::Result {
    let of = |direction: Direction| plan.steps.iter().filter(|s| s.direction == direction).count();
    let phase = |phase: Phase| plan.phase(phase).count();
    let kinds = [
        (Direction::Additive, "additive (+)"),
        (Direction::Deletive, "deletive (-)"),
        (Direction::Neutral, "neutral (~)"),
        (Direction::Data, "data (>)"),
        (Direction::Opaque, "opaque (?)"),
        (Direction::Incompatible, "incompatible (!)"),
    ];
    let kinds: Vec<_> =
        kinds.iter().filter(|(d, _)| of(*d) > 0).map(|(d, name)| format!("{} {name}", of(*d))).collect();
    let outside = plan.steps.iter().filter(|s| s.is_alone()).count();
    let outside = if outside > 0 { format!(" {outside} outside transactions.") } else { String::new() };
    writeln!(
        out,
        "\nPlan: {} before, {} after. {}.{outside}",
        phase(Phase::Before),
        phase(Phase::After),
        kinds.join(", ")
    )?;
    if plan.steps.iter().any(|step| !step.is_alone()) {
        let seconds = LOCKS_OUTLIVE.as_secs();
        writeln!(
            out,
            "A step's locks outlive its statements by {seconds} s at most, whatever happens to cutover or the network."
        )?;
    }
    let moved = plan.release.traffic.as_ref().map(|traffic| format!("moved by {} ({})", traffic.name, traffic.kind));
    let traffic: Vec<String> = plan.release.ramp.iter().map(ToString::to_string).chain(moved).collect();
    if !traffic.is_empty() {
        writeln!(out, "Traffic: {}.", traffic.join(", "))?;
    }
    for (names, when) in [
        (&plan.release.smoke, "before green gets any traffic"),
        (&plan.release.watch, "again and again while green has traffic and blue can come back"),
    ] {
        if !names.is_empty() {
            writeln!(out, "Checked {when}: {}.", names.join(", "))?;
        }
    }
    if !plan.release.hooks.is_empty() {
        let hooks: Vec<String> = plan.release.hooks.iter().map(|hook| hook.moment.to_string()).collect();
        writeln!(out, "Hooks: {}.", hooks.join(", "))?;
    }
    if let Some(blue) = &plan.release.blue {
        writeln!(out, "Blue is not drained while a session of {blue} is connected.")?;
    }
    if plan.release.on_failure == Some(OnFailure::Pause) {
        writeln!(out, "When green fails, the traffic stays where it is until somebody decides.")?;
    }
    if let Some(step) = plan.steps.iter().find(|s| s.point_of_no_return) {
        writeln!(out, "No rollback to blue once step {} has started.", step.id)?;
    }
    let findings = |severity| plan.findings.iter().filter(|f| f.severity == severity).count();
    let (errors, warnings) = (findings(Severity::Error), findings(Severity::Warning));
    match plan.verdict {
        Verdict::Safe => writeln!(
            out,
            "{} Both versions work on every schema in between{}.",
            style.paint(Tone::Good, "Safe."),
            if warnings > 0 { format!("; {}", count(warnings, "warning")) } else { String::new() }
        ),
        Verdict::Unsafe => writeln!(
            out,
            "{} {}, {}. `execute` refuses this plan.",
            style.paint(Tone::Bad, "Not safe."),
            count(errors, "error"),
            count(warnings, "warning")
        ),
    }?;
    let said = at_start(plan);
    if !said.is_empty() {
        writeln!(out, "If your applications run their migrations when they start:")?;
    }
    for sentence in said {
        writeln!(out, "  {sentence}")?;
    }
    unshown(out, plan, style)
}

/// That both versions work is proved for the queries that are known. Where the source mentions more, the proof says nothing.
fn unshown(out: &mut String, plan: &SavedPlan, style: Style) -> std::fmt::Result {
    if let Some(searched) = plan.blue_source.filter(|_| plan.steps.iter().all(|step| step.mentions.is_empty())) {
        writeln!(out, "No mention of what is taken away was found in blue's source: {}.", searched.line())?;
    }
    let names = |step: &Step| {
        let unshown = step.mentions.iter().filter(|m| m.usage == Usage::NotShown).map(|m| m.name.clone());
        unshown.collect::<Vec<_>>()
    };
    let steps: Vec<_> = plan.steps.iter().map(|step| (step, names(step))).filter(|(_, n)| !n.is_empty()).collect();
    if steps.is_empty() {
        return Ok(());
    }
    let title = "Blue's source mentions more than its queries show:";
    writeln!(out, "{}", style.paint(Tone::Change, title))?;
    for (step, names) in steps {
        let when = match step.phase {
            Phase::Before => "while blue serves",
            Phase::After => "once blue is gone; look before blue is called back",
        };
        writeln!(out, "  {}, which step {} takes away {when}", names.join(", "), step.id)?;
    }
    Ok(())
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
