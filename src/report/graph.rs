//! The dependency graph of a plan's steps, for programs that draw: Mermaid and DOT.

use std::fmt::{self, Display, Write};

use super::Format;
use crate::plan::saved::{Direction, Phase, SavedPlan, Step};

/// Every format of the graph.
pub static FORMATS: &[Format<SavedPlan>] = &[
    Format {
        name: "mermaid",
        about: "Markdown of GitHub and GitLab, and mermaid.live",
        render: |plan, _| mermaid(plan),
    },
    Format { name: "dot", about: "Graphviz", render: |plan, _| dot(plan) },
];

/// Reasons on an edge beyond these are counted.
const MOST_REASONS: usize = 3;

/// The phases with the names of their groups.
const PHASES: [(Phase, &str, &str); 2] =
    [(Phase::Before, "before", "Before cutover"), (Phase::After, "after", "After cutover")];

/// How steps of a direction look: name, fill, line.
const fn look(direction: Direction) -> (&'static str, &'static str, &'static str) {
    match direction {
        Direction::Additive => ("additive", "#d9f2df", "#1a6b34"),
        Direction::Deletive => ("deletive", "#fbdcd9", "#a3231a"),
        Direction::Neutral => ("neutral", "#eceef1", "#57606a"),
        Direction::Incompatible => ("incompatible", "#f5b5af", "#7d0f08"),
        Direction::Data => ("data", "#fdeec4", "#7a5600"),
        Direction::Opaque => ("opaque", "#e6dcf7", "#5a32a3"),
    }
}

const DIRECTIONS: [Direction; 6] = [
    Direction::Additive,
    Direction::Deletive,
    Direction::Neutral,
    Direction::Incompatible,
    Direction::Data,
    Direction::Opaque,
];

/// A Mermaid flowchart.
fn mermaid(plan: &SavedPlan) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write_mermaid(&mut out, plan);
    out
}

/// A DOT digraph.
fn dot(plan: &SavedPlan) -> String {
    let mut out = String::new();
    let _ = write_dot(&mut out, plan);
    out
}

fn write_mermaid(out: &mut String, plan: &SavedPlan) -> fmt::Result {
    writeln!(out, "flowchart TD")?;
    for (phase, id, title) in PHASES {
        writeln!(out, "  subgraph {id}[\"{title}\"]")?;
        for step in plan.phase(phase) {
            let lines = lines(step).map(|line| Entities(&line).to_string()).collect::<Vec<_>>().join("<br>");
            writeln!(out, "    s{}[\"{lines}\"]:::{}", step.id, look(step.direction).0)?;
        }
        writeln!(out, "  end")?;
    }
    for (from, to, why) in edges(plan) {
        writeln!(out, "  s{from} -->|\"{}\"| s{to}", Entities(&why))?;
    }
    for (name, fill, line) in DIRECTIONS.map(look) {
        writeln!(out, "  classDef {name} fill:{fill},stroke:{line},color:#1f2328")?;
    }
    Ok(())
}

fn write_dot(out: &mut String, plan: &SavedPlan) -> fmt::Result {
    writeln!(out, "digraph release {{")?;
    writeln!(out, "  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];")?;
    writeln!(out, "  edge [fontname=\"sans-serif\", fontsize=10];")?;
    for (phase, id, title) in PHASES {
        writeln!(out, "  subgraph cluster_{id} {{")?;
        writeln!(out, "    label={};", Quoted(title))?;
        for step in plan.phase(phase) {
            let (_, fill, line) = look(step.direction);
            let label = lines(step).collect::<Vec<_>>().join("\n");
            let label = Quoted(&label);
            writeln!(out, "    s{} [label={label}, fillcolor=\"{fill}\", color=\"{line}\"];", step.id)?;
        }
        writeln!(out, "  }}")?;
    }
    for (from, to, why) in edges(plan) {
        writeln!(out, "  s{from} -> s{to} [label={}];", Quoted(&why))?;
    }
    writeln!(out, "}}")
}

/// What stands on a step.
fn lines(step: &Step) -> impl Iterator<Item = String> {
    let (direction, ..) = look(step.direction);
    let door = if step.point_of_no_return { ", point of no return" } else { "" };
    [format!("{} {}", step.id, step.object), step.action.clone(), format!("{direction}{door}")].into_iter()
}

/// From which step to which, and what both touch.
fn edges(plan: &SavedPlan) -> impl Iterator<Item = (u32, u32, String)> {
    plan.steps.iter().flat_map(|step| {
        step.needs.iter().map(|need| {
            let shown = need.why.iter().take(MOST_REASONS).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = need.why.len().saturating_sub(MOST_REASONS);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            (need.step, step.id, shown + &more)
        })
    })
}

/// Text in a quoted label of Mermaid: everything that it, or the HTML it makes, could read as its own is an entity.
struct Entities<'a>(&'a str);

impl Display for Entities<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                _ if c.is_control() => f.write_char(' ')?,
                'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '.' | ',' | '_' | '-' | '(' | ')' => f.write_char(c)?,
                _ if c.is_alphanumeric() => f.write_char(c)?,
                _ => write!(f, "#{};", u32::from(c))?,
            }
        }
        Ok(())
    }
}

/// A string of DOT.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                _ if c.is_control() => f.write_char(' ')?,
                _ => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}
